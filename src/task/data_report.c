/* What laco data says of a table: text for people, JSON for programs, and what would mislead. */
#include "task/data_table.h"
#include "base/json_utf8.h"
#include "base/number.h"
#include <stdio.h>

enum { SHOWN_COLUMNS = 60, SHOWN_LABELS = 40, EXAMPLE = 40 };
static const char *const type_names[] = { "empty", "number", "time", "text" };
static const char *const format_names[] = { "", "CSV", "TSV", "JSON lines", "text" };

/* ---- what would mislead ---- one sentence each */
typedef struct warnings {
    buf *text;    /* lines, or */
    json_out *to; /* members of a list */
} warnings;
__attribute__((format(printf, 2, 3))) static void warn(const warnings *w, const char *format, ...)
{
    char line[400];
    va_list a;
    va_start(a, format);
    vsnprintf(line, sizeof line, format, a);
    va_end(a);
    if (w->text)
        buf_printf(w->text, "warning   %s\n", line);
    else
        json_text(w->to, line);
}
static int64_t different(const column_look *c) { return c->values.n - c->absent; }
/* The i-th example, NULL: there is none. */
static const char *example(const column_look *c, int64_t i)
{
    for (int64_t k = 0; k < c->values.n && c->values.value[k].text; k++) {
        const char *text = c->values.value[k].text;
        if (!cell_missing((cell){ text, strlen(text) }) && i-- == 0) return text;
    }
    return NULL;
}
/* Both ways: to each value belongs one label, and to each label one value; and some are there twice. */
static bool one_to_one(const table_look *t, const column_look *c)
{
    return c->decides && !c->values.full && !t->labels.full && c->values.n == t->labels.n && c->values.n < t->rows;
}
static void warn_of_columns(const table_look *t, const warnings *w)
{
    for (int k = 0; k < t->columns; k++) {
        const column_look *c = &t->column[k];
        bool one = different(c) == 1 && !c->values.full && t->rows > 1;
        if (!c->seen)
            warn(w, "column \"%.80s\" has no value in any record", c->name);
        else if (one && !c->missing)
            warn(w, "column \"%.80s\" is %.60s in every record", c->name, example(c, 0) ? example(c, 0) : "the same");
        if (t->label < 0 || k == t->label || !c->seen || one) continue;
        const char *label = t->column[t->label].name;
        if (c->equal)
            warn(w, "column \"%.80s\" is the same as the label \"%.80s\" in every record: it gives the answer away",
                 c->name, label);
        else if (one_to_one(t, c))
            warn(w, "column \"%.80s\" goes one to one with the label \"%.80s\": it gives the answer away", c->name,
                 label);
    }
}
static void warn_of_labels(const table_look *t, const warnings *w)
{
    char a[32];
    if (t->label < 0) return;
    const column_look *c = &t->column[t->label];
    int64_t alone = 0;
    for (int64_t i = 0; i < t->labels.n; i++) alone += t->labels.value[i].count == 1;
    if (c->missing) warn(w, "the label is missing in %s of the records", task_count(c->missing, a));
    if (t->labels.n == 1) warn(w, "the label is the same in every record: there is nothing to learn");
    if (alone && column_look_type(c) == COLUMN_TEXT && alone < t->labels.n)
        warn(w, "%s %s in one record alone: what cannot be both learnt and tested", task_count(alone, a),
             alone == 1 ? "label is" : "labels are");
}
static void warn_of_records(const table_look *t, const warnings *w)
{
    char a[32], b[32], c[32];
    const char *of = t->records.full ? " (of the first 4,194,304 that differ)" : "";
    if (t->twice)
        warn(w, "%s of %s records were there before%s: the same record on both sides of a split gives answers away",
             task_count(t->twice, a), task_count(t->rows, b), of);
    if (t->test_twice)
        warn(w, "%s of %s records of --test are in the data too%s", task_count(t->test_twice, a),
             task_count(t->test_rows, b), of);
    if (t->test_both)
        warn(w,
             "%s of %s series of --test are in the data too: what is measured is not how well new series are answered",
             task_count(t->test_both, a), task_count(t->test_series, c));
}
static void warn_of_all(const table_look *t, const warnings *w)
{
    warn_of_columns(t, w), warn_of_labels(t, w), warn_of_records(t, w);
}

/* ---- text ---- */
/* One line of it, at most EXAMPLE characters. */
static void example_text(buf *to, const char *text)
{
    size_t at = 0, n = strlen(text), step;
    for (int i = 0; i < EXAMPLE && at < n; i++, at += step) {
        step = json_utf8_next(text + at, n - at, NULL);
        if (!step) step = 1;
        buf_add(to, (unsigned char)text[at] < 32 ? " " : text + at, step);
    }
    if (at < n) buf_text(to, "...");
}
static void examples_text(buf *to, const column_look *c)
{
    const char *text;
    for (int i = 0; (text = example(c, i)); i++) buf_text(to, i ? " | " : "; "), example_text(to, text);
}
static void values_text(buf *to, const column_look *c)
{
    char a[32];
    buf_printf(to, "%s%s %s", c->values.full ? "more than " : "", task_count(different(c), a),
               different(c) == 1 ? "value" : "values");
}
/* "2 to 59 words, median 20, 95 % at most 38, "; nothing when all have one. */
static void length_text(buf *to, const char *unit, const length_summary *s)
{
    if (s->max == 1) return;
    if (s->min == s->max)
        buf_printf(to, "%lld %s, ", (long long)s->max, unit);
    else
        buf_printf(to, "%lld to %lld %s, median %lld, 95 %% at most %lld, ", (long long)s->min, (long long)s->max, unit,
                   (long long)s->median, (long long)s->most);
}
static void column_text(buf *to, const column_look *c, int k, int width)
{
    char missing[32], number[16];
    column_type type = column_look_type(c);
    length_summary chars = lengths_summary(&c->chars), words = lengths_summary(&c->words);
    snprintf(number, sizeof number, "%d", k + 1);
    buf_printf(to, "  %4s %-*.*s  %-6s  %9s  ", number, width, width, c->name, type_names[type],
               task_count(c->missing, missing));
    if (type == COLUMN_EMPTY) {
        buf_text(to, "\n");
        return;
    }
    if (type == COLUMN_NUMBER) buf_printf(to, "%g to %g, mean %.4g, ", c->min, c->max, c->sum / (double)c->seen);
    if (type == COLUMN_TIME) buf_printf(to, "%s to %s, ", c->first, c->last);
    if (type == COLUMN_TEXT) length_text(to, "characters", &chars), length_text(to, "words", &words);
    values_text(to, c), examples_text(to, c), buf_text(to, "\n");
}
static void columns_text(const table_look *t, buf *to)
{
    int width = 6, shown = t->columns < SHOWN_COLUMNS ? t->columns : SHOWN_COLUMNS, rest[4] = { 0 };
    for (int k = 0; k < shown; k++) width = (int)max64(width, min64(24, (int64_t)strlen(t->column[k].name)));
    buf_printf(to, "  %4s %-*s  %-6s  %9s  %s\n", "", width, "column", "type", "missing", "values");
    for (int k = 0; k < shown; k++) column_text(to, &t->column[k], k, width);
    for (int k = shown; k < t->columns; k++) rest[column_look_type(&t->column[k])]++;
    if (shown == t->columns) return;
    buf_printf(to, "  and %d columns more:", t->columns - shown);
    for (int i = 0; i < 4; i++)
        if (rest[i]) buf_printf(to, " %d %s", rest[i], type_names[i]);
    buf_text(to, "\n");
}
/* Most frequent first, then as they came. */
static int by_count(const void *a, const void *b)
{
    const tally_value *x = *(const tally_value *const *)a, *y = *(const tally_value *const *)b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return x < y ? -1 : x > y;
}
static const tally_value **sorted_labels(const table_look *t)
{
    const tally_value **by = mem_new((size_t)t->labels.n, sizeof *by);
    for (int64_t i = 0; by && i < t->labels.n; i++) by[i] = &t->labels.value[i];
    if (by) qsort(by, (size_t)t->labels.n, sizeof *by, by_count);
    return by;
}
static void labels_text(const table_look *t, buf *to)
{
    char a[32];
    const tally_value **by = sorted_labels(t);
    if (!by) {
        to->failed = true;
        return;
    }
    buf_printf(to, "label     %.80s: %s%s different\n", t->column[t->label].name, t->labels.full ? "more than " : "",
               task_count(t->labels.n, a));
    int64_t i = 0;
    for (; i < t->labels.n && i < SHOWN_LABELS; i++) {
        buf_printf(to, "  %9s %5.1f %%  ", task_count(by[i]->count, a), 100 * (double)by[i]->count / (double)t->rows);
        example_text(to, by[i]->text), buf_text(to, "\n");
    }
    if (i < t->labels.n) buf_printf(to, "  and %s rarer ones\n", task_count(t->labels.n - i, a));
    mem_free(by);
}
static bool summarise_series(const table_look *t, length_summary *out)
{
    int64_t *length = mem_new((size_t)t->series.n, sizeof *length);
    if (!length) return false;
    for (int64_t i = 0; i < t->series.n; i++) length[i] = t->series.value[i].count;
    *out = summarise_lengths(length, t->series.n);
    return mem_free(length), true;
}
static void series_text(const table_look *t, buf *to)
{
    char a[32];
    length_summary s;
    if (!summarise_series(t, &s)) {
        to->failed = true;
        return;
    }
    buf_printf(to, "series    %s%s by \"%.80s\"\n", t->series.full ? "more than " : "", task_count(t->series.n, a),
               t->column[t->id].name);
    lengths_text(to, "lengths", "records", &s);
}
static void delimiter_name(char delimiter, char to[16])
{
    const char *name = delimiter == ','    ? "commas"
                       : delimiter == ';'  ? "semicolons"
                       : delimiter == '\t' ? "tabs"
                       : delimiter == ' '  ? "blanks"
                                           : NULL;
    if (name)
        snprintf(to, 16, "%s", name);
    else
        snprintf(to, 16, "%c", delimiter);
}
void table_report_text(const table_look *t, const char *path, buf *to)
{
    char a[32], b[32], between[16];
    bool cells = t->form.format == TABLE_CSV || t->form.format == TABLE_TSV;
    buf_printf(to, "file      %s: %s", strcmp(path, "-") ? path : "standard input", format_names[t->form.format]);
    delimiter_name(t->form.delimiter, between);
    if (cells)
        buf_printf(to, ", cells between %s, %s", between,
                   t->form.header ? "names in the first record" : "no names of columns");
    buf_printf(to, "%s\nrecords   %s of %s %s", t->in.o.decimal_comma ? ", decimal commas" : "", task_count(t->rows, a),
               task_count(t->columns, b), t->columns == 1 ? "column" : "columns");
    if (t->in.skipped) buf_printf(to, ", and %s left out", task_count(t->in.skipped, a));
    buf_text(to, "\n");
    length_summary filled = lengths_summary(&t->filled);
    if (cells && filled.min < filled.max)
        lengths_text(to, "filled", "cells of a record, up to the last that is not missing", &filled);
    columns_text(t, to);
    if (t->label >= 0) labels_text(t, to);
    if (t->id >= 0) series_text(t, to);
    if (t->test_rows) buf_printf(to, "test      %s records\n", task_count(t->test_rows, a));
    warn_of_all(t, &(warnings){ .text = to });
}

/* ---- JSON ---- */
static void column_json(const column_look *c, json_out *o)
{
    const char *text;
    column_type type = column_look_type(c);
    json_begin(o, '{');
    json_key(o, "name"), json_text(o, c->name);
    json_key(o, "type"), json_text(o, type_names[type]);
    json_key(o, "missing"), json_int(o, c->missing);
    json_key(o, "different"), c->values.full ? json_raw(o, "null", 4) : json_int(o, different(c));
    if (type == COLUMN_NUMBER) {
        json_key(o, "min"), json_number(o, c->min);
        json_key(o, "max"), json_number(o, c->max);
        json_key(o, "mean"), json_number(o, c->sum / (double)c->seen);
    }
    if (type == COLUMN_TIME) json_key(o, "first"), json_text(o, c->first), json_key(o, "last"), json_text(o, c->last);
    if (type == COLUMN_TEXT) {
        length_summary chars = lengths_summary(&c->chars), words = lengths_summary(&c->words);
        lengths_json(o, "characters", &chars), lengths_json(o, "words", &words);
    }
    json_key(o, "examples"), json_begin(o, '[');
    for (int i = 0; (text = example(c, i)); i++) json_text(o, text);
    json_end(o, ']'), json_end(o, '}');
}
static void labels_json(const table_look *t, json_out *o)
{
    const tally_value **by = sorted_labels(t);
    if (!by) {
        o->to->failed = true;
        return;
    }
    json_key(o, "label"), json_begin(o, '{');
    json_key(o, "column"), json_text(o, t->column[t->label].name);
    json_key(o, "counts"), json_begin(o, '{');
    for (int64_t i = 0; i < t->labels.n; i++) json_key(o, by[i]->text), json_int(o, by[i]->count);
    json_end(o, '}'), json_end(o, '}');
    mem_free(by);
}
static void series_json(const table_look *t, json_out *o)
{
    length_summary s;
    if (summarise_series(t, &s))
        lengths_json(o, "series", &s);
    else
        o->to->failed = true;
}
void table_report_json(const table_look *t, const char *path, json_out *o)
{
    static const char *const names[] = { "", "csv", "tsv", "jsonl", "text" };
    json_begin(o, '{');
    json_key(o, "file"), json_text(o, path);
    json_key(o, "kind"), json_text(o, "table");
    json_key(o, "format"), json_text(o, names[t->form.format]);
    if (t->form.delimiter)
        json_key(o, "delimiter"), json_string(o, &t->form.delimiter, 1), json_key(o, "header"),
            json_bool(o, t->form.header);
    json_key(o, "records"), json_int(o, t->rows);
    json_key(o, "left_out"), json_int(o, t->in.skipped);
    json_key(o, "twice"), json_int(o, t->twice);
    json_key(o, "columns"), json_begin(o, '[');
    for (int k = 0; k < t->columns; k++) column_json(&t->column[k], o);
    json_end(o, ']');
    if (t->label >= 0) labels_json(t, o);
    if (t->id >= 0) series_json(t, o);
    if (t->test_rows) {
        json_key(o, "test"), json_begin(o, '{');
        json_key(o, "records"), json_int(o, t->test_rows);
        json_key(o, "in_both"), json_int(o, t->test_twice);
        json_key(o, "series"), json_int(o, t->test_series);
        json_key(o, "series_in_both"), json_int(o, t->test_both);
        json_end(o, '}');
    }
    json_key(o, "warnings"), json_begin(o, '[');
    warn_of_all(t, &(warnings){ .to = o });
    json_end(o, ']'), json_end(o, '}');
}
