/* The rows of the long-memory tasks, and what all of them share: sizes, sets, judging.

   Sources: H&S 1997: Hochreiter & Schmidhuber, "Long short-term memory", experiments 1 to 6. Arjovsky et al. 2016,
   "Unitary evolution recurrent neural networks". Sussillo & Barak 2013, "Opening the black box". Gers & Schmidhuber
   2001, "LSTM recurrent networks learn simple context-free and context-sensitive languages". Fahlman 1991, "The
   recurrent cascade-correlation architecture". */
#include "data/synthetic_make.h"
#include <math.h>
#include <stdio.h>

#define LENGTH(value, min, about)                                                                                      \
    {                                                                                                                  \
        "length", about, value, min, 100000                                                                            \
    }
#define LETTERS_OF_REBER 7

static const synth_task rows[] = {
    { .name = "adding",
      .about = "the sum of two marked numbers among many",
      .source = "H&S 1997, experiment 4, with numbers in [0,1)",
      .criterion = "mean square error below 0.01 on 2560 held-out sequences",
      .loss = SYNTH_SQUARED,
      .size = { LENGTH(400, 2, "steps") },
      .inputs = 2,
      .outputs = 1,
      .variant = MARKED_SUM,
      .length = length_fixed,
      .make = make_marked,
      .tolerance = 0.08,
      .figure = FIGURE_SQUARED,
      .bound = 0.01,
      .epoch = 2000,
      .valid = 500,
      .test = 2560 },
    { .name = "multiplication",
      .about = "the product of two marked numbers among many",
      .source = "H&S 1997, experiment 5",
      .criterion = "an error above 0.04 in fewer than 140 of 2000 sequences",
      .loss = SYNTH_SQUARED,
      .size = { LENGTH(100, 2, "steps") },
      .inputs = 2,
      .outputs = 1,
      .variant = MARKED_PRODUCT,
      .length = length_fixed,
      .make = make_marked,
      .tolerance = 0.04,
      .figure = FIGURE_WRONG,
      .bound = 139.0 / 2000,
      .epoch = 2000,
      .valid = 500,
      .test = 2000 },
    { .name = "copy",
      .about = "symbols to be repeated after a delay",
      .source = "Arjovsky et al. 2016; the criterion is laco's own, the paper shows curves",
      .criterion = "at most 1 of 100 recalled symbols wrong on 1000 held-out sequences",
      .loss = SYNTH_CLASSES,
      .filler = true,
      .size = { { "delay", "steps between the last symbol and the first recalled one", 100, 1, 100000 },
                { "length", "symbols to recall", 10, 1, 10000 },
                { "symbols", "different symbols", 8, 2, 1000 } },
      .shape = shape_copy,
      .length = length_copy,
      .make = make_copy,
      .rule = RULE_LARGEST,
      .figure = FIGURE_STEPS_WRONG,
      .bound = 0.01,
      .epoch = 6400,
      .valid = 256,
      .test = 1000 },
    { .name = "temporal-order",
      .about = "the order of three X or Y, far apart among other symbols",
      .source = "H&S 1997, experiment 6b",
      .criterion = "an error above 0.3 in at most 3 of 2560 held-out sequences",
      .loss = SYNTH_CLASSES,
      .size = { LENGTH(100, 10, "steps, and up to a tenth more") },
      .inputs = 8,
      .outputs = 8,
      .length = length_tenth,
      .make = make_order,
      .tolerance = 0.3,
      .figure = FIGURE_WRONG,
      .bound = 3.0 / 2560,
      .epoch = 2000,
      .valid = 1000,
      .test = 2560 },
    { .name = "parity",
      .about = "whether the number of ones so far is odd, at every step",
      .source = "Minsky & Papert 1969, \"Perceptrons\"; the criterion is laco's own",
      .criterion = "right at every step of 1000 held-out sequences",
      .loss = SYNTH_BERNOULLI,
      .size = { LENGTH(50, 1, "bits") },
      .inputs = 1,
      .outputs = 1,
      .length = length_fixed,
      .make = make_parity,
      .tolerance = 0.5,
      .figure = FIGURE_WRONG,
      .epoch = 2000,
      .valid = 500,
      .test = 1000 },
    { .name = "reber",
      .about = "the next symbol of a string of the Reber grammar",
      .source = "Fahlman 1991",
      .criterion = "in every training and every test string the symbols that may come next are always the most active "
                   "outputs",
      .loss = SYNTH_CLASSES,
      .size = { { "strings", "training strings, and as many that are not among them to test", 256, 1, 4096 } },
      .inputs = LETTERS_OF_REBER,
      .outputs = LETTERS_OF_REBER,
      .variant = GRAMMAR_PLAIN,
      .length = length_grammar,
      .make = make_grammar,
      .possible = possible_grammar,
      .rule = RULE_POSSIBLE,
      .figure = FIGURE_WRONG,
      .epoch = 1024 },
    { .name = "embedded-reber",
      .about = "a Reber string between two T or two P: the last but one symbol repeats the second",
      .source = "H&S 1997, experiment 1",
      .criterion = "in every training and every test string the symbols that may come next are always the most active "
                   "outputs",
      .loss = SYNTH_CLASSES,
      .size = { { "strings", "training strings, and as many that are not among them to test", 256, 1, 4096 } },
      .inputs = LETTERS_OF_REBER,
      .outputs = LETTERS_OF_REBER,
      .variant = GRAMMAR_EMBEDDED,
      .length = length_grammar,
      .make = make_grammar,
      .possible = possible_grammar,
      .rule = RULE_POSSIBLE,
      .figure = FIGURE_WRONG,
      .epoch = 1024 },
    { .name = "noisy-sequence",
      .about = "the class that the first numbers say, after noise on the same channel",
      .source = "H&S 1997, experiment 3a",
      .criterion = "none of 256 held-out sequences with an error above 0.2, and a mean absolute error below 0.01",
      .loss = SYNTH_BERNOULLI,
      .variant = NOISY_PLAIN,
      .size = { LENGTH(100, 1, "steps, and up to a tenth more"),
                { "signal", "numbers that say the class", 3, 1, 1000 } },
      .inputs = 1,
      .outputs = 1,
      .length = length_tenth,
      .make = make_noisy,
      .tolerance = 0.2,
      .figure = FIGURE_WRONG,
      .absolute = 0.01,
      .epoch = 2000,
      .valid = 256,
      .test = 256 },
    { .name = "noisy-signal",
      .about = "noisy-sequence with noise on the first numbers too",
      .source = "H&S 1997, experiment 3b",
      .criterion =
          "fewer than 6 of 256 held-out sequences with an error above 0.2, and a mean absolute error below 0.04",
      .loss = SYNTH_BERNOULLI,
      .variant = NOISY_SIGNAL,
      .size = { LENGTH(100, 1, "steps, and up to a tenth more"),
                { "signal", "numbers that say the class", 3, 1, 1000 } },
      .inputs = 1,
      .outputs = 1,
      .length = length_tenth,
      .make = make_noisy,
      .tolerance = 0.2,
      .figure = FIGURE_WRONG,
      .bound = 5.0 / 256,
      .absolute = 0.04,
      .epoch = 2000,
      .valid = 256,
      .test = 256 },
    { .name = "noisy-target",
      .about = "noisy-sequence with targets 0.2 and 0.8 under noise",
      .source = "H&S 1997, experiment 3c",
      .criterion = "none of 256 held-out sequences with an error above 0.1, and a mean absolute error below 0.015",
      .loss = SYNTH_SQUARED,
      .variant = NOISY_TARGET,
      .size = { LENGTH(100, 1, "steps, and up to a tenth more"),
                { "signal", "numbers that say the class", 3, 1, 1000 } },
      .inputs = 1,
      .outputs = 1,
      .length = length_tenth,
      .make = make_noisy,
      .tolerance = 0.1,
      .figure = FIGURE_WRONG,
      .absolute = 0.015,
      .epoch = 2000,
      .valid = 256,
      .test = 256 },
    { .name = "noisy-channels",
      .about = "the class that the second symbol says, after distractors on channels of their own",
      .source = "H&S 1997, experiment 2c",
      .criterion = "an error above 0.2 in none of 10000 held-out sequences",
      .loss = SYNTH_CLASSES,
      .size = { LENGTH(100, 1, "distractors, and about 10 more"),
                { "symbols", "different distractors", 100, 1, 10000 } },
      .shape = shape_channels,
      .length = length_channels,
      .make = make_channels,
      .tolerance = 0.2,
      .figure = FIGURE_WRONG,
      .epoch = 2000,
      .valid = 1000,
      .test = 10000 },
    { .name = "flip-flop",
      .about = "the last pulse on each of three channels",
      .source = "Sussillo & Barak 2013; the criterion is laco's own",
      .criterion = "mean square error below 0.01 on 500 held-out sequences",
      .loss = SYNTH_SQUARED,
      .size = { LENGTH(100, 2, "steps"), { "delay", "steps between pulses of a channel, on average", 20, 1, 100000 } },
      .inputs = 3,
      .outputs = 3,
      .length = length_fixed,
      .make = make_flip_flop,
      .tolerance = 0.5,
      .figure = FIGURE_SQUARED,
      .bound = 0.01,
      .epoch = 2000,
      .valid = 200,
      .test = 500 },
    { .name = "anbn",
      .about = "the symbols that may come next in S a^n b^n T",
      .source = "Gers & Schmidhuber 2001, who report the largest n",
      .criterion = "trained on n up to --length, every string up to n = 50 is accepted",
      .loss = SYNTH_BERNOULLI,
      .variant = COUNTING_AB,
      .size = { LENGTH(10, 1, "the largest n of training") },
      .shape = shape_counting,
      .length = length_counting,
      .make = make_counting,
      .tolerance = 0.5,
      .figure = FIGURE_REACH,
      .bound = 50,
      .epoch = 1000,
      .valid = 60,
      .test = 1000 },
    { .name = "anbncn",
      .about = "the symbols that may come next in S a^n b^n c^n T",
      .source = "Gers & Schmidhuber 2001, who report the largest n",
      .criterion = "trained on n up to --length, every string up to n = 50 is accepted",
      .loss = SYNTH_BERNOULLI,
      .variant = COUNTING_ABC,
      .size = { LENGTH(10, 1, "the largest n of training") },
      .shape = shape_counting,
      .length = length_counting,
      .make = make_counting,
      .tolerance = 0.5,
      .figure = FIGURE_REACH,
      .bound = 50,
      .epoch = 1000,
      .valid = 60,
      .test = 500 },
};

const synth_task *synth_tasks(int *count)
{
    *count = (int)(sizeof rows / sizeof *rows);
    return rows;
}
const synth_task *synth_find(const char *name)
{
    int count;
    const synth_task *all = synth_tasks(&count);
    for (int i = 0; i < count; i++)
        if (!strcmp(all[i].name, name)) return &all[i];
    return NULL;
}

/* ---- a task with its sizes ---- */
static laco_status unknown_task(const char *name, laco_error *err)
{
    const char *names[sizeof rows / sizeof *rows + 1] = { NULL };
    int count;
    const synth_task *all = synth_tasks(&count);
    for (int i = 0; i < count; i++) names[i] = all[i].name;
    const char *near = nearest_name(name, names);
    if (near) return fail(err, LACO_EINVAL, -1, "unknown task \"%s\"; did you mean \"%s\"?", name, near);
    return fail(err, LACO_EINVAL, -1, "unknown task \"%s\"; `laco help tasks` lists them", name);
}
laco_status synth_new(synth **out, const char *task, uint64_t seed, laco_error *err)
{
    const synth_task *row = synth_find(task);
    if (!row) return unknown_task(task, err);
    synth *s = mem_new(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s);
    s->task = row, s->seed = seed;
    for (int i = 0; i < SYNTH_SIZES; i++) s->size[i] = row->size[i].value;
    laco_status st = synth_ready(s, err);
    if (st) return synth_free(s), st;
    *out = s;
    return LACO_OK;
}
void synth_free(synth *s)
{
    if (s) mem_free(s->known), mem_free(s);
}
laco_status synth_ready(synth *s, laco_error *err)
{
    const synth_task *row = s->task;
    s->inputs = row->inputs, s->outputs = row->outputs;
    if (row->shape) row->shape(s, &s->inputs, &s->outputs);
    return row->possible ? grammar_ready(s, err) : LACO_OK;
}
laco_status synth_set_size(synth *s, const char *name, int64_t value, laco_error *err)
{
    buf has = { 0 };
    for (int i = 0; i < SYNTH_SIZES && s->task->size[i].name; i++) {
        const synth_size *row = &s->task->size[i];
        if (!strcmp(row->name, name)) {
            buf_free(&has);
            if (value < row->min || value > row->max)
                return fail(err, LACO_EINVAL, -1, "--%s of the task %s is %lld to %lld, not %lld", name, s->task->name,
                            (long long)row->min, (long long)row->max, (long long)value);
            s->size[i] = value;
            return synth_ready(s, err);
        }
        buf_printf(&has, "%s--%s", i ? ", " : "", row->name);
    }
    laco_status st =
        fail(err, LACO_EINVAL, -1, "the task %s has no --%s; it has %s", s->task->name, name, has.data ? has.data : "");
    buf_free(&has);
    return st;
}

void synth_print(const synth *s, buf *out)
{
    buf_text(out, s->task->name);
    for (int i = 0; i < SYNTH_SIZES && s->task->size[i].name; i++)
        buf_printf(out, "; %s %lld", s->task->size[i].name, (long long)s->size[i]);
    buf_printf(out, "; seed %llu", (unsigned long long)s->seed);
}
laco_status synth_parse(synth **out, const char *text, laco_error *err)
{
    char name[32], word[32];
    int used = 0;
    unsigned long long value;
    if (sscanf(text, "%31[^;]%n", name, &used) != 1)
        return fail(err, LACO_EFORMAT, 0,
                    "a task in words begins with its name, such as \"adding; length 400; seed 1\"");
    laco_status st = synth_new(out, name, 0, err);
    if (st) return st;
    for (const char *at = text + used; !st && *at; at += used) {
        if (sscanf(at, "; %31[a-z] %llu%n", word, &value, &used) != 2 || value > INT64_MAX)
            st = fail(err, LACO_EFORMAT, at - text,
                      "\"%s\": after the task's name come sizes, such as \"; length 400\"", text);
        else if (!strcmp(word, "seed"))
            (*out)->seed = value;
        else
            st = synth_set_size(*out, word, (int64_t)value, err);
    }
    if (!st) st = synth_ready(*out, err);
    if (st) synth_free(*out), *out = NULL;
    return st;
}

/* ---- sets ---- */
int64_t synth_count(const synth *s, synth_set set)
{
    const synth_task *row = s->task;
    int64_t n = set == SYNTH_TRAIN ? row->epoch : set == SYNTH_VALID ? row->valid : row->test;
    return n ? n : 2 * s->size[0];
}
int64_t synth_length(const synth *s, synth_set set, int64_t index) { return s->task->length(s, set, index); }
void synth_make(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    memset(x, 0, (size_t)(T * s->inputs) * sizeof *x);
    for (int64_t i = 0; to.y && i < T * s->outputs; i++) to.y[i] = NAN;
    for (int64_t t = 0; to.classes && t < T; t++) to.classes[t] = -1;
    s->task->make(s, set, index, T, x, to);
}

/* ---- judging ---- */
static bool step_trains(const synth *s, synth_target y, int64_t t)
{
    if (s->task->loss == SYNTH_CLASSES) return y.classes[t] >= 0;
    for (int64_t k = 0; k < s->outputs; k++)
        if (!isnan(y.y[t * s->outputs + k])) return true;
    return false;
}
static bool step_counts(const synth *s, synth_target y, int64_t t)
{
    return step_trains(s, y, t) && !(s->task->filler && y.classes[t] == s->outputs - 1);
}
static double target_of(const synth *s, synth_target y, int64_t t, int64_t k)
{
    return s->task->loss == SYNTH_CLASSES ? y.classes[t] == k : (double)y.y[t * s->outputs + k];
}
static double log_sum(const float *out, int64_t n)
{
    double most = out[0], sum = 0;
    for (int64_t k = 1; k < n; k++) most = fmax(most, out[k]);
    for (int64_t k = 0; k < n; k++) sum += exp(out[k] - most);
    return most + log(sum);
}
/* The number or the probability that an output stands for; scale: log-sum-exp of the step. */
static double given(const synth *s, double out, double scale)
{
    switch (s->task->loss) {
    case SYNTH_BERNOULLI:
        return 1 / (1 + exp(-out));
    case SYNTH_CLASSES:
        return exp(out - scale);
    default:
        return out;
    }
}
/* Whether the wanted outputs are all larger than the others: those of `possible`, or the one of a class. */
static bool ranks_right(const synth *s, const float *out, uint32_t possible, int64_t class)
{
    double least = INFINITY, most = -INFINITY;
    for (int64_t k = 0; k < s->outputs; k++)
        if (possible ? possible >> k & 1 : k == class)
            least = fmin(least, out[k]);
        else
            most = fmax(most, out[k]);
    return least > most;
}
static bool judge_step(const synth *s, synth_target y, int64_t t, const float *x, const float *out, synth_score *to)
{
    double scale = s->task->loss == SYNTH_CLASSES ? log_sum(out, s->outputs) : 0;
    bool within = true;
    for (int64_t k = 0; k < s->outputs; k++) {
        double target = target_of(s, y, t, k), error = fabs(given(s, out[k], scale) - target);
        if (isnan(target)) continue;
        within &= error < s->task->tolerance;
        to->squared += error * error, to->absolute += error, to->numbers++;
    }
    if (s->task->rule == RULE_POSSIBLE) return ranks_right(s, out, s->task->possible(s, t + 1, x), -1);
    if (s->task->rule == RULE_LARGEST) return ranks_right(s, out, 0, y.classes[t]);
    return within;
}
static double step_loss(const synth *s, synth_target y, int64_t t, const float *out)
{
    double sum = 0;
    if (s->task->loss == SYNTH_CLASSES) return log_sum(out, s->outputs) - out[y.classes[t]];
    for (int64_t k = 0; k < s->outputs; k++) {
        double target = target_of(s, y, t, k), o = out[k];
        if (isnan(target)) continue;
        sum += s->task->loss == SYNTH_SQUARED ? (o - target) * (o - target)
                                              : fmax(o, 0) - o * target + log1p(exp(-fabs(o)));
    }
    return sum;
}
void synth_judge(const synth *s, int64_t T, const float *x, synth_target y, const float *out, int64_t ldo,
                 synth_score *to)
{
    bool right = true;
    for (int64_t t = 0; t < T; t++) {
        if (!step_trains(s, y, t)) continue;
        to->loss += step_loss(s, y, t, out + t * ldo), to->losses++;
        if (!step_counts(s, y, t)) continue;
        bool good = judge_step(s, y, t, x, out + t * ldo, to);
        to->steps++, to->steps_right += good, right &= good;
    }
    to->reach += right && to->reach == to->sequences;
    to->sequences++, to->right += right;
}

static const char *const figure_names[] = { "mean square error", "wrong sequences", "wrong steps", "largest n" };
const char *synth_figure_name(const synth *s) { return figure_names[s->task->figure]; }
double synth_figure_of(const synth *s, const synth_score *score)
{
    switch (s->task->figure) {
    case FIGURE_SQUARED:
        return score->squared / (double)max64(1, score->numbers);
    case FIGURE_WRONG:
        return (double)(score->sequences - score->right) / (double)max64(1, score->sequences);
    case FIGURE_STEPS_WRONG:
        return (double)(score->steps - score->steps_right) / (double)max64(1, score->steps);
    default:
        return (double)score->reach;
    }
}
bool synth_solved(const synth *s, const synth_score *score)
{
    double figure = synth_figure_of(s, score), bound = s->task->bound;
    bool right = s->task->figure == FIGURE_REACH     ? figure >= bound
                 : s->task->figure == FIGURE_SQUARED ? figure < bound
                                                     : figure <= bound;
    return score->sequences && right && !isnan(score->squared) &&
           (s->task->absolute == 0 || score->absolute < s->task->absolute * (double)score->numbers);
}

laco_status synth_constant(const synth *s, synth_set set, float *out, laco_error *err)
{
    int64_t most = 0, count = synth_count(s, set);
    for (int64_t i = 0; i < count; i++) most = max64(most, synth_length(s, set, i));
    float *x = mem_new((size_t)(most * s->inputs), sizeof *x), *y = mem_new((size_t)(most * s->outputs), sizeof *y);
    double *sum = mem_new((size_t)s->outputs, sizeof *sum), *seen = mem_new((size_t)s->outputs, sizeof *seen);
    int32_t *classes = mem_new((size_t)most, sizeof *classes);
    bool enough = x && y && sum && seen && classes;
    synth_target to = { .y = s->task->loss == SYNTH_CLASSES ? NULL : y,
                        .classes = s->task->loss == SYNTH_CLASSES ? classes : NULL };
    for (int64_t i = 0; enough && i < count; i++) {
        int64_t T = synth_length(s, set, i);
        synth_make(s, set, i, T, x, to);
        for (int64_t t = 0; t < T; t++)
            for (int64_t k = 0; step_counts(s, to, t) && k < s->outputs; k++) {
                double target = target_of(s, to, t, k);
                if (!isnan(target)) sum[k] += target, seen[k]++;
            }
    }
    for (int64_t k = 0; enough && k < s->outputs; k++) {
        double p = sum[k] / fmax(1, seen[k]), inside = fmin(fmax(p, 1e-6), 1 - 1e-6);
        out[k] = (float)(s->task->loss == SYNTH_SQUARED     ? p
                         : s->task->loss == SYNTH_BERNOULLI ? log(inside / (1 - inside))
                                                            : log(inside));
    }
    mem_free(x), mem_free(y), mem_free(sum), mem_free(seen), mem_free(classes);
    return enough ? LACO_OK : fail_memory(err, (size_t)most * 4);
}
