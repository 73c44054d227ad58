/* laco data of a table: one pass over --data and one over --test, a chunk at a time. Records, values and series are
   known by a hash of 64 bits; there are limits to how many (data_table.h), beyond which no more is said of them. */
#include "task/data_table.h"
#include "base/hash.h"
#include <math.h>
#include <stdio.h>

/* ---- lengths ---- */
void lengths_add(lengths *l, int64_t length)
{
    if (length > LONGEST_TEXT) length = LONGEST_TEXT;
    if (length >= l->room) {
        int64_t room = max64(length + 1, min64(2 * l->room, LONGEST_TEXT + 1));
        int64_t *count = mem_resize(l->count, (size_t)l->room * sizeof *count, (size_t)room * sizeof *count);
        if (!count) {
            l->failed = true;
            return;
        }
        l->count = count, l->room = room;
    }
    l->count[length]++, l->n++;
}
/* The length that the share `of` / 100 of all do not exceed. */
static int64_t length_at(const lengths *l, int64_t of)
{
    int64_t wanted = max64(1, ceil_div(of * l->n, 100)), length = 0;
    for (int64_t seen = 0; length < l->room && (seen += l->count[length]) < wanted;) length++;
    return length;
}
length_summary lengths_summary(const lengths *l)
{
    if (!l->n) return (length_summary){ 0 };
    return (length_summary){ l->n, length_at(l, 0), length_at(l, 50), length_at(l, 95), length_at(l, 100) };
}
void lengths_free(lengths *l) { mem_free(l->count), *l = (lengths){ 0 }; }

/* ---- columns ---- */
column_type column_look_type(const column_look *c)
{
    return !c->seen ? COLUMN_EMPTY : c->number ? COLUMN_NUMBER : c->time ? COLUMN_TIME : COLUMN_TEXT;
}
static laco_status add_columns(table_look *t, const table *part, laco_error *err)
{
    enum { FIRST = 16 };
    for (; t->columns < table_columns(part); t->columns++) {
        if (t->columns == t->room) {
            int room = t->room ? 2 * t->room : FIRST;
            column_look *more = mem_resize(t->column, (size_t)t->room * sizeof *more, (size_t)room * sizeof *more);
            if (!more) return fail_memory(err, (size_t)room * sizeof *more);
            t->column = more, t->room = room;
        }
        const char *name = table_column_name(part, t->columns);
        column_look *c = &t->column[t->columns];
        *c = (column_look){ .missing = t->rows, .number = true, .time = true, .min = INFINITY, .max = -INFINITY };
        c->equal = c->decides = !t->rows;
        c->values.most = t->value_limit, c->values.texts = EXAMPLES;
        if (!(c->name = mem_text(name, strlen(name)))) return fail_memory(err, strlen(name));
    }
    return LACO_OK;
}
static void count_text(column_look *c, cell x)
{
    int64_t chars = 0, words = 0;
    bool inside = false;
    for (size_t i = 0; i < x.n; i++) {
        bool blank = x.at[i] == ' ' || x.at[i] == '\t' || x.at[i] == '\n' || x.at[i] == '\r';
        chars += ((unsigned char)x.at[i] & 0xC0) != 0x80;
        words += !blank && !inside, inside = !blank;
    }
    lengths_add(&c->chars, chars), lengths_add(&c->words, words);
}
static void keep_text(char to[CELL_TEXT], cell x)
{
    size_t n = x.n < CELL_TEXT ? x.n : CELL_TEXT - 1;
    memcpy(to, x.at, n), to[n] = 0;
}
/* A number is a time too, seconds since 1970. */
static void count_number(column_look *c, cell x, bool comma)
{
    double v;
    c->number = c->number && cell_number(x, comma, &v);
    c->time = c->time && (c->number || cell_time(x, &v));
    if (!c->number && !c->time) return;
    if (v < c->min && !c->number) keep_text(c->first, x);
    if (v > c->max && !c->number) keep_text(c->last, x);
    c->min = fmin(c->min, v), c->max = fmax(c->max, v), c->sum += v;
}
/* The hash of the cell. */
static uint64_t count_cell(table_look *t, column_look *c, cell x, uint64_t label, bool labelled)
{
    uint64_t hash = hash_bytes(1, x.at, x.n);
    bool missing = cell_missing(x);
    c->missing += missing, c->seen += !missing;
    if (!missing) count_number(c, x, t->in.o.decimal_comma), count_text(c, x);
    tally_value *v = missing && !labelled ? NULL : tally_add(&c->values, hash, x.at, x.n);
    if (!labelled) return hash;
    c->absent += missing && v && v->count == 1;
    c->equal = c->equal && hash == label;
    if (v && v->count == 1) v->mark = (int64_t)label;
    c->decides = c->decides && v && v->mark == (int64_t)label;
    return hash;
}

/* ---- records ---- */
static uint64_t cell_hash(const table *part, int64_t row, int column)
{
    cell x = table_cell(part, row, column);
    return hash_bytes(1, x.at, x.n);
}
static int64_t filled_cells(const table *part, int64_t row)
{
    int n = table_columns(part);
    while (n > 0 && cell_missing(table_cell(part, row, n - 1))) n--;
    return n;
}
static void count_row(table_look *t, const table *part, int64_t row)
{
    bool labelled = t->label >= 0 && !cell_missing(table_cell(part, row, t->label));
    uint64_t record = 2, label = labelled ? cell_hash(part, row, t->label) : 0;
    for (int k = 0; k < t->columns; k++) {
        uint64_t hash = count_cell(t, &t->column[k], table_cell(part, row, k), label, labelled);
        record = hash_bytes(record, &hash, sizeof hash);
    }
    const tally_value *same = tally_add(&t->records, record, NULL, 0);
    t->twice += same && same->count > 1;
    if (labelled) {
        cell x = table_cell(part, row, t->label);
        tally_add(&t->labels, label, x.at, x.n);
    }
    if (t->id >= 0) tally_add(&t->series, cell_hash(part, row, t->id), NULL, 0);
    lengths_add(&t->filled, filled_cells(part, row));
    t->rows++;
}
/* A record, or a series, of --test that is in --data too. */
static void count_test_row(table_look *t, const table *part, int64_t row, const int *column, int id, tally *series)
{
    uint64_t record = 2;
    for (int k = 0; k < t->columns; k++) {
        uint64_t hash = column[k] < 0 ? hash_bytes(1, NULL, 0) : cell_hash(part, row, column[k]);
        record = hash_bytes(record, &hash, sizeof hash);
    }
    t->test_rows++, t->test_twice += tally_find(&t->records, record) != NULL;
    if (id < 0) return;
    uint64_t hash = cell_hash(part, row, id);
    const tally_value *v = tally_add(series, hash, NULL, 0);
    if (v && v->count == 1) t->test_series++, t->test_both += tally_find(&t->series, hash) != NULL;
}

/* ---- files ---- */
static laco_status find_columns(table_look *t, const table *part, laco_error *err)
{
    const options *o = t->j->o;
    laco_status st = LACO_OK;
    t->label = t->id = -1;
    if (options_text(o, "label")) st = table_find(part, options_text(o, "label"), &t->label, err);
    if (!st && options_text(o, "id")) st = table_find(part, options_text(o, "id"), &t->id, err);
    t->value_limit = min64(VALUE_LIMIT, max64(64, ((int64_t)1 << 22) / max64(1, table_columns(part))));
    return st;
}
static laco_status lacks_memory(const table_look *t, laco_error *err)
{
    bool failed = t->records.failed || t->labels.failed || t->series.failed || t->filled.failed;
    for (int k = 0; k < t->columns; k++)
        failed |= t->column[k].values.failed || t->column[k].chars.failed || t->column[k].words.failed;
    return failed ? fail_memory(err, (size_t)t->records.n * sizeof(tally_value)) : LACO_OK;
}
static laco_status next_part(table_look *t, table_reader *r, table **part, laco_error *err)
{
    *part = NULL;
    if (*t->j->stop) return fail(err, LACO_ESTOPPED, -1, "stopped before the whole file was read");
    return table_next(r, INT64_MAX, false, part, err);
}
static laco_status gather_data(table_look *t, table_reader *r, laco_error *err)
{
    table *part = NULL;
    laco_status st = LACO_OK;
    for (bool first = true; !st && !(st = next_part(t, r, &part, err)) && part; first = false) {
        if (first) st = find_columns(t, part, err);
        if (!st) st = add_columns(t, part, err);
        for (int64_t i = 0; !st && i < table_rows(part); i++) count_row(t, part, i);
        if (!st) st = lacks_memory(t, err);
        table_free(part);
    }
    if (!st && !t->rows)
        st = fail(err, LACO_EFORMAT, -1, "there is nothing but the names of columns; at least one record is expected");
    return st;
}
/* Columns of --test by the names of those of --data. */
static int match_columns(const table_look *t, const table *part, int *column, int *id)
{
    int found = 0;
    *id = -1;
    for (int k = 0; k < t->columns; k++) {
        column[k] = -1;
        for (int i = 0; i < table_columns(part) && column[k] < 0; i++)
            if (!strcmp(t->column[k].name, table_column_name(part, i))) column[k] = i;
        found += column[k] >= 0;
        if (k == t->id) *id = column[k];
    }
    return found;
}
static laco_status gather_test(table_look *t, table_reader *r, laco_error *err)
{
    int *column = mem_new((size_t)t->columns, sizeof *column), id;
    tally series = { .most = SERIES_LIMIT };
    table *part = NULL;
    laco_status st = column ? LACO_OK : fail_memory(err, (size_t)t->columns * sizeof *column);
    while (!st && !(st = next_part(t, r, &part, err)) && part) {
        if (!match_columns(t, part, column, &id))
            st = fail(err, LACO_EINVAL, -1, "%s has none of the columns of the data it is to test", table_file(part));
        for (int64_t i = 0; !st && i < table_rows(part); i++) count_test_row(t, part, i, column, id, &series);
        table_free(part);
    }
    tally_free(&series), mem_free(column);
    return st;
}
laco_status table_gather(table_look *t, laco_error *err)
{
    table_reader *r = NULL;
    t->records.most = ROW_LIMIT, t->series.most = SERIES_LIMIT;
    t->labels.most = t->labels.texts = VALUE_LIMIT;
    laco_status st = task_open_table(&t->in, TEXT_DATA, &r, err);
    if (!st) t->form = table_form_of(r), st = gather_data(t, r, err);
    table_close(r), r = NULL;
    if (!st) st = task_open_table(&t->in, TEXT_TEST, &r, err);
    if (!st && r) st = gather_test(t, r, err);
    table_close(r);
    return st;
}
void table_look_free(table_look *t)
{
    for (int k = 0; k < t->columns; k++) {
        column_look *c = &t->column[k];
        mem_free(c->name), tally_free(&c->values), lengths_free(&c->chars), lengths_free(&c->words);
    }
    mem_free(t->column), lengths_free(&t->filled);
    tally_free(&t->records), tally_free(&t->labels), tally_free(&t->series);
}

/* ---- the description ---- */
laco_status describe_table(task_job *j, const char *path, laco_error *err)
{
    table_look t = { .j = j };
    buf text = { 0 };
    laco_status st = table_input_open(&t.in, j, err);
    if (!st) st = table_gather(&t, err);
    if (!st) {
        json_out o = { .to = j->result };
        table_report_json(&t, path, &o);
        if (!options_flag(j->o, "json")) table_report_text(&t, path, &text);
        if (text.failed) st = fail_memory(err, text.len);
        if (!st) task_out_buf(j, &text);
    }
    laco_status closed = table_input_close(&t.in, st ? NULL : err);
    buf_free(&text), table_look_free(&t);
    return st ? st : closed;
}
