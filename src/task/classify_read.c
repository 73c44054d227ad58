/* Examples from what a person has: a table with a record for each (text and answer), a table with a record for each
   step of a series (--id), a file of lines for each class, or a set of series (src/data/series.h). */
#include "base/hash.h"
#include "data/readers.h"
#include "data/utf8.h"
#include "task/classify.h"
#include "task/series_options.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

void examples_free(examples *e)
{
    mem_free(e->row), mem_free(e->x), mem_free(e->y), mem_free(e->ids), buf_free(&e->text);
    intern_free(e->label), intern_free(e->group), intern_free(e->name);
    *e = (examples){ 0 };
}
laco_status examples_new(examples *e, laco_error *err)
{
    *e = (examples){ 0 };
    laco_status st = intern_new(&e->label, err);
    if (!st) st = intern_new(&e->group, err);
    return st ? st : intern_new(&e->name, err);
}
void examples_clear(examples *e)
{
    mem_free(e->x), mem_free(e->y), mem_free(e->ids);
    e->x = e->y = NULL, e->ids = NULL;
    e->count = 0, e->positions = 0, e->text.len = 0;
}
static laco_status make_room(examples *e, int64_t more, laco_error *err)
{
    if (e->count + more <= e->room) return LACO_OK;
    size_t room = (size_t)max64(2 * e->room, e->count + more);
    example *row = mem_resize(e->row, (size_t)e->room * sizeof *row, room * sizeof *row);
    if (!row) return fail_memory(err, room * sizeof *row);
    e->row = row, e->room = (int64_t)room;
    return LACO_OK;
}
/* Without blanks at its ends. */
static cell trimmed(cell c)
{
    while (c.n && (c.at[c.n - 1] == ' ' || c.at[c.n - 1] == '\t')) c.n--;
    while (c.n && (*c.at == ' ' || *c.at == '\t')) c.at++, c.n--;
    return c;
}
static laco_status add_name(intern *names, cell c, int32_t *number, laco_error *err)
{
    *number = -1;
    c = c.at ? trimmed(c) : c;
    return !c.at || cell_missing(c) ? LACO_OK : intern_add(names, c.at, c.n, number, err);
}
/* Blanks around the number of a cell are no harm. */
static laco_status take_number(const reading *f, const table *t, int64_t row, int column, double *out, laco_error *err)
{
    cell c = table_cell(t, row, column);
    *out = NAN;
    if (!c.at || cell_missing(c)) return LACO_OK;
    if (cell_number(trimmed(c), f->decimal_comma, out) && fabs(*out) <= FLT_MAX) return LACO_OK;
    long long line = (long long)table_line(t, row);
    return fail(err, LACO_EFORMAT, line,
                "%s: line %lld, column \"%s\": \"%.*s\" is not a finite number; correct it, or "
                "leave the cell empty",
                table_file(t), line, table_column_name(t, column), (int)min64(40, (int64_t)c.n), c.at);
}

/* ---- texts ---- */
static laco_status add_text(examples *e, const reading *f, cell text, const char *file, int64_t line, laco_error *err)
{
    example *r = &e->row[e->count];
    *r = (example){ .line = line, .text = (int64_t)e->text.len, .number = NAN };
    r->label = r->group = r->name = r->right = -1;
    if (!text.at) text = (cell){ "", 0 };
    size_t bad = f->unit == UNIT_BYTE ? text.n : utf8_check(text.at, text.n);
    if (bad < text.n || (f->unit != UNIT_BYTE && memchr(text.at, 0, text.n)))
        return fail(err, LACO_EFORMAT, line,
                    "%s: the text of line %lld is not UTF-8; convert it with iconv, or use "
                    "--unit byte",
                    file, (long long)line);
    laco_status st = words_line(&e->text, text.at, text.n, &f->line, err);
    r->bytes = (int64_t)e->text.len - r->text;
    return st;
}
static laco_status find_columns(text_columns *c, const examples *e, const reading *f, const table *t, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int i = 0; !st && i < COLS; i++) {
        bool answer = i == COL_LABEL || i == COL_TARGET || i == COL_GROUP;
        c->column[i] = -1;
        if (f->column[i] && !(e->unanswered && answer)) st = table_find(t, f->column[i], &c->column[i], err);
    }
    return st;
}
laco_status examples_text_column(text_columns *c, const reading *f, const table *t, laco_error *err)
{
    for (int i = 0; i < COLS; i++) c->column[i] = -1;
    if (table_columns(t) == 1 || !f->column[COL_TEXT]) return c->column[COL_TEXT] = 0, LACO_OK;
    return table_find(t, f->column[COL_TEXT], &c->column[COL_TEXT], err);
}
laco_status examples_add_table(examples *e, const reading *f, const text_columns *c, const table *t, int part,
                               laco_error *err)
{
    int64_t n = table_rows(t);
    laco_status st = make_room(e, n, err);
    for (int64_t i = 0; !st && i < n; i++) {
        example *r = &e->row[e->count];
        st = add_text(e, f, table_cell(t, i, c->column[COL_TEXT]), table_file(t), table_line(t, i), err);
        r->part = (uint8_t)part;
        if (!st && c->column[COL_LABEL] >= 0)
            st = add_name(e->label, table_cell(t, i, c->column[COL_LABEL]), &r->label, err);
        if (!st && c->column[COL_GROUP] >= 0)
            st = add_name(e->group, table_cell(t, i, c->column[COL_GROUP]), &r->group, err);
        if (!st && c->column[COL_TARGET] >= 0) st = take_number(f, t, i, c->column[COL_TARGET], &r->number, err);
        e->count += !st;
    }
    return st;
}
laco_status reading_tables(table_input *in, const reading *f, task_job *j, laco_error *err)
{
    laco_status st = table_input_open(in, j, err);
    in->o.no_header |= f->no_header, in->o.decimal_comma |= f->decimal_comma;
    in->o.column = f->column[COL_TEXT];
    if (!f->numbers && !f->column[COL_TEXT]) in->o.format = TABLE_TEXT;
    return st;
}
static laco_status read_texts(examples *e, reading *f, table_reader *r, int part, laco_error *err)
{
    text_columns c;
    table *t = NULL;
    laco_status st = LACO_OK;
    for (bool first = true; !st && !(st = table_next(r, 4096, false, &t, err)) && t; first = false, table_free(t)) {
        if (first) st = find_columns(&c, e, f, t, err);
        if (!st) st = examples_add_table(e, f, &c, t, part, err);
    }
    return st;
}

/* ---- a file of lines for each class ---- */
static laco_status read_lines(examples *e, reading *f, const char *path, const char *class, size_t n, int part,
                              laco_error *err)
{
    table_reader *r = NULL;
    table *t = NULL;
    int32_t label;
    text_columns c = { .column = { [COL_TEXT] = 0, [COL_LABEL] = -1, -1, -1, -1, -1 } };
    int64_t from = e->count;
    laco_status st = intern_add(e->label, class, n, &label, err);
    if (!st) st = table_open(&r, path, &(table_options){ .format = TABLE_TEXT }, err);
    while (!st && !(st = table_next(r, 4096, false, &t, err)) && t) {
        st = examples_add_table(e, f, &c, t, part, err);
        table_free(t);
    }
    table_close(r);
    for (int64_t i = from; i < e->count; i++) e->row[i].label = label;
    return st;
}
/* "pos=a.txt,neg=b.txt" */
static laco_status read_class_files(examples *e, reading *f, const char *list, int part, laco_error *err)
{
    laco_status st = LACO_OK;
    while (!st && *list) {
        size_t n = strcspn(list, ","), name = strcspn(list, "=");
        if (!name || name + 1 >= n)
            return fail(err, LACO_EINVAL, -1, "\"%.*s\": a file for each class is written class=file,class=file",
                        (int)n, list);
        char *path = mem_text(list + name + 1, n - name - 1);
        st = path ? read_lines(e, f, path, list, name, part, err) : fail_memory(err, n);
        mem_free(path), list += n + (list[n] == ',');
    }
    return st;
}

/* ---- series in a table: a record for each step ---- */
typedef struct step {
    int32_t id;
    int64_t row;
    double time;
} step;
static int by_id_and_time(const void *a, const void *b)
{
    const step *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}
static bool has_a_use(const text_columns *c, int column)
{
    for (int i = 0; i < COLS; i++)
        if (c->column[i] == column) return true;
    return false;
}
/* Every column of numbers without another use is a feature. */
static laco_status choose_features(reading *f, const text_columns *c, const table *t, laco_error *err)
{
    if (!(f->feature = mem_new((size_t)table_columns(t), sizeof *f->feature)))
        return fail_memory(err, (size_t)table_columns(t) * sizeof *f->feature);
    for (int i = 0; i < table_columns(t); i++) {
        const char *name = table_column_name(t, i);
        if (has_a_use(c, i) || table_column_type(t, i) != COLUMN_NUMBER) continue;
        if (!(f->feature[f->features++] = mem_text(name, strlen(name)))) return fail_memory(err, strlen(name));
    }
    if (!f->features)
        return fail(err, LACO_EINVAL, -1, "%s has no column of numbers beside those that options name", table_file(t));
    return LACO_OK;
}
static laco_status find_steps(const reading *f, const text_columns *c, const table *t, intern *ids, step *s,
                              laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i < table_rows(t); i++) {
        cell id = table_cell(t, i, c->column[COL_ID]);
        long long line = (long long)table_line(t, i);
        if (!id.at || cell_missing(id))
            return fail(err, LACO_EFORMAT, line, "%s: line %lld names no series in column \"%s\"", table_file(t), line,
                        f->column[COL_ID]);
        id = trimmed(id), s[i].row = i;
        st = intern_add(ids, id.at, id.n, &s[i].id, err);
        if (st || c->column[COL_TIME] < 0) continue;
        if (!cell_time(trimmed(table_cell(t, i, c->column[COL_TIME])), &s[i].time))
            st = fail(err, LACO_EFORMAT, line, "%s: line %lld, column \"%s\" is not a time", table_file(t), line,
                      f->column[COL_TIME]);
    }
    return st;
}
static laco_status check_same(int32_t *had, int32_t has, const reading *f, int column, const table *t, int64_t row,
                              laco_error *err)
{
    long long line = (long long)table_line(t, row);
    if (has < 0 || *had == has) return LACO_OK;
    if (*had >= 0)
        return fail(err, LACO_EFORMAT, line,
                    "%s: line %lld: column \"%s\" changes inside a series; it must be the same in "
                    "all its steps",
                    table_file(t), line, f->column[column]);
    *had = has;
    return LACO_OK;
}
/* Steps of one series as an example behind the others. */
static laco_status add_series(examples *e, const reading *f, const text_columns *c, const int *column, const table *t,
                              const step *s, int64_t n, int part, laco_error *err)
{
    laco_status st = make_room(e, 1, err);
    if (st) return st;
    example *r = &e->row[e->count];
    *r = (example){ .start = e->positions, .length = n, .line = table_line(t, s->row), .number = NAN };
    r->label = r->group = r->name = r->right = -1, r->part = (uint8_t)part;
    st = add_name(e->name, table_cell(t, s->row, c->column[COL_ID]), &r->name, err);
    for (int64_t i = 0; !st && i < n; i++) {
        int64_t row = s[i].row, at = e->positions + i;
        int32_t label = -1, group = -1;
        double x;
        for (int64_t k = 0; !st && k < f->features; k++) {
            st = take_number(f, t, row, column[k], &x, err);
            e->x[at * f->features + k] = (float)x;
        }
        if (!st && c->column[COL_LABEL] >= 0)
            st = add_name(e->label, table_cell(t, row, c->column[COL_LABEL]), &label, err);
        if (!st && c->column[COL_GROUP] >= 0)
            st = add_name(e->group, table_cell(t, row, c->column[COL_GROUP]), &group, err);
        if (!st) st = check_same(&r->label, label, f, COL_LABEL, t, row, err);
        if (!st) st = check_same(&r->group, group, f, COL_GROUP, t, row, err);
        if (!st && c->column[COL_TARGET] >= 0)
            st = take_number(f, t, row, c->column[COL_TARGET], &x, err), e->y[at] = (float)x;
        if (f->remaining) e->y[at] = (float)fmin(f->cap, (double)(n - 1 - i));
    }
    if (e->y) r->number = e->y[e->positions + n - 1];
    if (!st) e->positions += n, e->count++;
    return st;
}
static laco_status more_steps(examples *e, const reading *f, int64_t n, laco_error *err)
{
    size_t before = (size_t)e->positions, all = before + (size_t)n, F = (size_t)f->features;
    float *x = mem_resize(e->x, before * F * sizeof *x, all * F * sizeof *x), *y = NULL;
    if (x) e->x = x, e->features = f->features;
    if (f->answer == ANSWER_NUMBER && (y = mem_resize(e->y, before * sizeof *y, all * sizeof *y))) e->y = y;
    return x && (y || f->answer != ANSWER_NUMBER) ? LACO_OK : fail_memory(err, all * F * sizeof *x);
}
static laco_status check_times(const reading *f, const table *t, const step *s, int64_t n, laco_error *err)
{
    for (int64_t i = 1; i < n; i++) {
        long long line = (long long)table_line(t, s[i].row);
        if (s[i].id == s[i - 1].id && s[i].time == s[i - 1].time)
            return fail(err, LACO_EFORMAT, line,
                        "%s: line %lld has the same time in column \"%s\" as line %lld of the same series; take one of "
                        "them out",
                        table_file(t), line, f->column[COL_TIME], (long long)table_line(t, s[i - 1].row));
    }
    return LACO_OK;
}
static laco_status add_steps(examples *e, reading *f, const text_columns *c, const table *t, int part, laco_error *err)
{
    int64_t n = table_rows(t);
    step *s = mem_new((size_t)n, sizeof *s);
    int *column = mem_new((size_t)max64(1, f->features), sizeof *column);
    intern *ids = NULL;
    laco_status st = s && column ? intern_new(&ids, err) : fail_memory(err, (size_t)n * sizeof *s);
    for (int64_t k = 0; !st && k < f->features; k++) st = table_find(t, f->feature[k], &column[k], err);
    if (!st) st = find_steps(f, c, t, ids, s, err);
    if (!st) qsort(s, (size_t)n, sizeof *s, by_id_and_time), st = more_steps(e, f, n, err);
    if (!st && c->column[COL_TIME] >= 0) st = check_times(f, t, s, n, err);
    for (int64_t i = 0, k; !st && i < n; i = k) {
        for (k = i; k < n && s[k].id == s[i].id; k++) continue;
        st = add_series(e, f, c, column, t, s + i, k - i, part, err);
    }
    intern_free(ids), mem_free(s), mem_free(column);
    return st;
}
static laco_status read_steps(examples *e, reading *f, table *t, int part, laco_error *err)
{
    text_columns c;
    laco_status st = find_columns(&c, e, f, t, err);
    if (!st && !f->feature) st = choose_features(f, &c, t, err);
    return st ? st : add_steps(e, f, &c, t, part, err);
}

/* ---- sets of series ---- */
/* Classes are kept in the model, whose metadata is UTF-8. */
static laco_status add_class(intern *to, const series_set *s, int64_t i, int32_t *number, laco_error *err)
{
    const char *label = s->label[i];
    size_t n = strlen(label);
    if (utf8_check(label, n) == n) return intern_add(to, label, n, number, err);
    return fail(err, LACO_EFORMAT, -1, "%s: the class of sequence %lld is not UTF-8; convert it, with iconv for one",
                s->file, (long long)(s->first + i + 1));
}
static laco_status add_set(examples *e, reading *f, series_set *s, int part, laco_error *err)
{
    int64_t n = s->start[s->count], from = e->positions;
    if (f->features && s->features != f->features) /* of the data before, or of the model */
        return fail(err, LACO_EFORMAT, -1, "%s has %lld features, the data %s %lld", s->file, (long long)s->features,
                    e->count ? "before" : "that the model was trained on", (long long)f->features);
    f->features = s->features;
    laco_status st = make_room(e, s->count, err);
    if (!st) st = more_steps(e, f, n, err);
    if (st) return st;
    memcpy(e->x + from * s->features, s->x, (size_t)(n * s->features) * sizeof *e->x);
    for (int64_t i = 0; !st && i < s->count; i++) {
        example *r = &e->row[e->count];
        *r = (example){ .start = from + s->start[i], .length = series_length(s, i), .line = s->first + i + 1 };
        r->number = s->target ? s->target[i] : NAN, r->part = (uint8_t)part;
        r->right = r->group = r->label = r->name = -1;
        if (s->name && s->name[i]) st = intern_add(e->name, s->name[i], strlen(s->name[i]), &r->name, err);
        if (!st && s->label && s->label[i]) st = add_class(e->label, s, i, &r->label, err);
        if (!st && s->group && s->group[i]) st = intern_add(e->group, s->group[i], strlen(s->group[i]), &r->group, err);
        for (int64_t t = 0; e->y && t < r->length; t++)
            e->y[r->start + t] = f->remaining ? (float)fmin(f->cap, (double)(r->length - 1 - t)) : (float)r->number;
        if (f->remaining) r->number = 0;
        e->count += !st;
    }
    e->positions += n;
    return st;
}

/* ---- all of it ---- */
/* An answer for each example from a file of its own, a line each: of numbers that of the last step. */
static laco_status read_labels(examples *e, const reading *f, int64_t from, const char *path, laco_error *err)
{
    table *t;
    laco_status st = table_read(&t, path, &(table_options){ .format = TABLE_TEXT }, err);
    if (st) return st;
    if (table_rows(t) != e->count - from)
        st = fail(err, LACO_EFORMAT, -1, "%s has %lld answers for %lld sequences", path, (long long)table_rows(t),
                  (long long)(e->count - from));
    for (int64_t i = 0; !st && from + i < e->count; i++) {
        example *r = &e->row[from + i];
        if (f->answer != ANSWER_NUMBER)
            st = add_name(e->label, table_cell(t, i, 0), &r->label, err);
        else
            st = take_number(f, t, i, 0, &r->number, err);
        if (!st && f->remaining) r->number = fmin(f->cap, r->number);
        for (int64_t k = 0; !st && e->y && k < r->length; k++)
            e->y[r->start + k] = k + 1 < r->length ? NAN : (float)r->number;
    }
    table_free(t);
    return st;
}
/* So that a resumed run knows whether it reads the same data. */
static void hash_examples(const examples *e, int64_t from, int64_t positions, task_job *j)
{
    j->data_hash = hash_bytes(j->data_hash, e->text.data ? e->text.data : "", e->text.len);
    if (e->x)
        j->data_hash = hash_bytes(j->data_hash, e->x + positions * e->features,
                                  (size_t)((e->positions - positions) * e->features) * sizeof *e->x);
    for (int64_t i = from; i < e->count; i++) {
        const example *r = &e->row[i];
        const char *label = r->label >= 0 ? intern_text(e->label, r->label) : "";
        j->data_hash = hash_bytes(j->data_hash, label, strlen(label));
        j->data_hash = hash_bytes(j->data_hash, &r->number, sizeof r->number);
    }
}
static laco_status read_table(examples *e, reading *f, int which, int part, task_job *j, laco_error *err)
{
    table_input in;
    table_reader *r = NULL;
    table *t = NULL;
    laco_status st = reading_tables(&in, f, j, err);
    if (!st && f->numbers) {
        st = task_read_table(&in, which, &t, err);
        if (!st) st = read_steps(e, f, t, part, err);
    } else if (!st) {
        st = task_open_table(&in, which, &r, err);
        if (!st) st = read_texts(e, f, r, part, err);
    }
    table_free(t), table_close(r);
    laco_status closed = table_input_close(&in, st ? NULL : err);
    return st ? st : closed;
}
typedef struct set_reader {
    examples *e;
    reading *f;
    int part;
    int64_t most;        /* sequences of a part */
    examples_take *take; /* of a part, before the next; NULL: they come one behind the other */
    void *ctx;
} set_reader;
static laco_status take_set(void *ctx, series_set *s, laco_error *err)
{
    const set_reader *r = ctx;
    r->f->prepare.of_sound |= s->rate > 0;
    if (r->take) examples_clear(r->e);
    laco_status st = prepare_apply(&r->f->prepare, s, err);
    if (!st) st = add_set(r->e, r->f, s, r->part, err);
    series_free(s);
    return st || !r->take ? st : r->take(r->ctx, err);
}
static laco_status read_set(set_reader *r, const char *path, const char *labels, task_job *j, laco_error *err)
{
    reading *f = r->f;
    const bool whole = f->prepare.scale == SCALE_GROUP; /* which lies anywhere in the file */
    const series_parts to = { whole ? INT64_MAX : r->most, take_set, r };
    const series_options o = { .labels = labels,
                               .label = f->column[COL_LABEL],
                               .group = f->column[COL_GROUP],
                               .target = f->column[COL_TARGET],
                               .pattern = f->pattern,
                               .sound = &f->prepare.sound };
    return task_read_series(path, o, &to, j, err);
}
laco_status examples_read(examples *e, reading *f, int which, const char *labels, int part, task_job *j,
                          laco_error *err)
{
    static const char *const names[TEXTS] = { "data", "valid", "test" };
    const char *path = j->text[which] ? names[which] : options_text(j->o, names[which]);
    int64_t from = e->count, positions = e->positions;
    bool own = labels && (series_known(labels) || series_of_sound(path)); /* labels that the reader of the set takes */
    laco_status st;
    if (!f->numbers && !f->column[COL_TEXT])
        st = read_class_files(e, f, path, part, err);
    else if (!f->numbers || f->column[COL_ID])
        st = read_table(e, f, which, part, j, err);
    else if (!series_known(path))
        st = fail(err, LACO_EINVAL, -1,
                  "%s: what is to be read? --text COLUMN of a table of texts, --id COLUMN of a table "
                  "of series, or a .ts, .npy or idx file, or sounds",
                  path);
    else
        st = read_set(&(set_reader){ e, f, part, INT64_MAX, NULL, NULL }, path, own ? labels : NULL, j, err);
    if (!st && labels && !own) st = read_labels(e, f, from, labels, err);
    if (!st && e->count == from) st = fail(err, LACO_EFORMAT, -1, "%s holds no examples", path);
    if (!st) hash_examples(e, from, positions, j);
    return st;
}
/* A table whose series lie together, some records at a time. A series that comes back has a name that is known, or that
   of another run of the part. */
static laco_status read_runs(examples *e, reading *f, examples_take *take, void *ctx, task_job *j, laco_error *err)
{
    table_input in;
    table_reader *r = NULL;
    table *t = NULL;
    laco_status st = reading_tables(&in, f, j, err);
    if (!st) st = task_open_table(&in, TEXT_DATA, &r, err);
    while (!st && !(st = table_next_runs(r, f->column[COL_ID], RUN_RECORDS, &t, err)) && t) {
        st = intern_forget(&e->name, RUN_NAMES, err);
        int32_t known = st ? 0 : intern_count(e->name);
        examples_clear(e);
        if (!st) st = read_steps(e, f, t, PART_TEST, err);
        if (!st && (e->count < table_runs(t, f->column[COL_ID]) || intern_count(e->name) - known < e->count))
            st = fail(err, LACO_EFORMAT, table_line(t, 0),
                      "%s: behind line %lld a series comes back that had ended; sort the table by \"%s\", or leave "
                      "--sorted out",
                      table_file(t), (long long)table_line(t, 0), f->column[COL_ID]);
        table_free(t);
        if (!st) st = take(ctx, err);
    }
    table_close(r);
    laco_status closed = table_input_close(&in, st ? NULL : err);
    return st ? st : closed;
}
laco_status examples_each(examples *e, reading *f, int64_t most, examples_take *take, void *ctx, task_job *j,
                          laco_error *err)
{
    const char *path = j->text[TEXT_DATA] ? NULL : options_text(j->o, "data");
    if (path && !f->column[COL_ID] && series_known(path))
        return read_set(&(set_reader){ e, f, PART_TEST, most, take, ctx }, path, NULL, j, err);
    if (f->column[COL_ID] && options_flag(j->o, "sorted")) return read_runs(e, f, take, ctx, j, err);
    laco_status st = examples_read(e, f, TEXT_DATA, NULL, PART_TEST, j, err);
    return st ? st : take(ctx, err);
}
