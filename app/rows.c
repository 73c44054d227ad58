/* The option rows as text: what the help and the manual page say about an option, in one place. */
#include "command.h"
#include <string.h>

const example examples[] = {
    { "train lm", "laco train lm --data book.txt --out book.safetensors" },
    { "train lm", "laco train lm --data book.txt --out m.safetensors --unit word --minutes 10" },
    { "train lm", "laco train lm --data book.txt --out m.safetensors --cell gru --hidden 512" },
    { "train lm", "laco train lm --data book.txt --out m.safetensors --checkpoint run --every 5m" },
    { "train classify", "laco train classify --data r.csv --text text --label type --out m.safetensors" },
    { "train classify", "laco train classify --data a.ts --test b.ts --pool mean --out m.safetensors" },
    { "train forecast", "laco train forecast --data d.csv --time date --target y --out m.safetensors" },
    { "train tag", "laco train tag --data a.conllu --valid b.conllu --out tagger.safetensors" },
    { "train tag", "laco train tag --data a.conll --words 1 --tags 2 --out names.safetensors" },
    { "train compose", "laco train compose --data chorales.json --out c.safetensors --dropout 0.5" },
    { "search", "laco search rates.space --data book.txt --trials 20" },
    { "search", "laco search rates.space --data book.txt --trials 27 --rungs 3 --epochs 9" },
    { "esn train", "laco esn train --data series.csv --size 500 --ahead 20 --out m.safetensors" },
    { "esn train", "laco esn train --data d.csv --input u --target y --size 300 --out m.safetensors" },
    { "esn run", "laco esn run m.safetensors --data new.csv --adapt rls >answers.csv" },
    { "esn generate", "laco esn generate m.safetensors --data series.csv --steps 500 --svg run.svg" },
    { "esn info", "laco esn info m.safetensors --data series.csv --memory 100" },
    { "esn series", "laco esn series mackey-glass --steps 5000 --out mg.csv" },
    { "esn bench", "laco esn bench mackey-glass --repeat 20" },
    { "esn search", "laco esn search radius.space --data series.csv --trials 50" },
    { "resume", "laco resume run" },
    { "resume", "laco resume run --epochs 40 --lr 0.0005" },
    { "train synthetic", "laco train synthetic --task adding --out adding.safetensors" },
    { "train synthetic", "laco train synthetic --task copy --delay 50 --out copy.safetensors" },
    { "sample", "laco sample book.safetensors --prime \"Once upon\" --length 500" },
    { "sample", "laco sample book.safetensors --temperature 0.7 --count 3 --stop" },
    { "predict", "laco predict m.safetensors <new.csv >answers.csv" },
    { "predict", "laco predict m.safetensors --data new.csv --json --probabilities" },
    { "eval", "laco eval book.safetensors --data another.txt" },
    { "explain", "laco explain m.safetensors --text \"a fine film\"" },
    { "explain", "laco explain m.safetensors --data new.csv --html page.html" },
    { "explain", "laco explain tagger.safetensors --text \"Rui lives in Porto\" --at 4" },
    { "explain", "laco explain forecaster.safetensors --data sales.csv --at 7" },
    { "score", "laco score book.safetensors --data sentences.txt" },
    { "anomaly", "laco anomaly m.safetensors --data new.csv --clean clean.csv --quantile 0.999" },
    { "stream", "laco stream filter.safetensors --format s16 --rate 48000 <in.raw >out.raw" },
    { "info", "laco info book.safetensors" },
    { "data", "laco data reviews.csv --label stars --test held-out.csv" },
    { "selftest", "laco selftest" },
    { "bench", "laco bench gemm --threads 1" },
    { "diagnose", "laco diagnose book.safetensors --data book.txt --out page.html" },
    { "diagnose", "laco diagnose a.safetensors --against b.safetensors --data book.txt --out p.html" },
    { "compare-gradients", "laco compare-gradients --length 50 --model \"lstm 8; dense\"" },
    { NULL, NULL },
};

/* Of several rows of one name the first is meant. */
static bool is_meant(const laco_option *rows, int i, const char *command)
{
    if (!args_fits(&rows[i], command)) return false;
    for (int k = 0; k < i; k++)
        if (strcmp(rows[k].name, rows[i].name) == 0 && args_fits(&rows[k], command)) return false;
    return true;
}
void rows_walk(FILE *to, const char *command, row_visit *visit)
{
    int count;
    const laco_option *rows = laco_options(&count);
    const char *section = "";
    for (int i = 0; i < count; i++) {
        if (!is_meant(rows, i, command)) continue;
        bool same = args_position(&rows[i]) || strcmp(section, rows[i].section) == 0;
        visit(to, &rows[i], same ? NULL : rows[i].section);
        if (!same) section = rows[i].section;
    }
}

static const char *value_label(const laco_option *row)
{
    const size_t line = 60; /* longer lists of choices are for a help of their own */
    switch (row->type) {
    case 'i':
        return "N";
    case 'f':
        return "X";
    case 'p':
        return "PATH";
    case 'e':
        return strlen(row->choices) <= line ? row->choices : "NAME";
    default:
        return "TEXT";
    }
}

void row_label(const laco_option *row, char *label, size_t size)
{
    const char *position = args_position(row);
    if (position && row->type == 'e')
        snprintf(label, size, "%s", row->choices);
    else if (position)
        snprintf(label, size, "%s", position);
    else if (row->type == 'b')
        snprintf(label, size, "--%s", row->name);
    else
        snprintf(label, size, "--%s %s", row->name, value_label(row));
}

void row_facts(const laco_option *row, char *facts, size_t size)
{
    const double no_bound = 1e9; /* from here on a bound says nothing to a person */
    bool number = row->type == 'i' || row->type == 'f';
    char bounds[80] = "";
    if (number && row->max < no_bound)
        snprintf(bounds, sizeof bounds, "%.15g to %.15g", row->min, row->max);
    else if (number)
        snprintf(bounds, sizeof bounds, "at least %.15g", row->min);
    const char *blank = row->unit ? " " : "", *unit = row->unit ? row->unit : "";
    if (row->def && number)
        snprintf(facts, size, "Default %s%s%s; %s.", row->def, blank, unit, bounds);
    else if (row->def)
        snprintf(facts, size, "Default %s.", row->def);
    else if (number)
        snprintf(facts, size, "Allowed: %s%s%s.", bounds, blank, unit);
    else
        snprintf(facts, size, "%s", "");
}

void rows_synopsis(const char *command, char *line, size_t size)
{
    int count, written = snprintf(line, size, "laco %s", command);
    const laco_option *rows = laco_options(&count);
    for (int i = 0; i < count && written > 0 && (size_t)written < size; i++)
        if (args_fits(&rows[i], command) && args_position(&rows[i]))
            written += snprintf(line + written, size - (size_t)written, rows[i].def ? " [%s]" : " %s",
                                args_position(&rows[i]));
    if (written > 0 && (size_t)written < size) snprintf(line + written, size - (size_t)written, " [options]");
}
