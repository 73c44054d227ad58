/* Tables from a source, a chunk at a time.

   The window holds text that was read: from `begin`, the first record that no table has yet, over `at`, up to where
   records are understood, to `end`. It moves to the front when more is read, so that it stays as long as a chunk and a
   record. Text from memory is one window and stays where it is. A table takes a copy of its records' text; that of a
   whole file takes the window itself. */
#include "base/file.h"
#include "data/table_parts.h"
#include "data/utf8.h"
#include <stdio.h>

enum { CHUNK_TEXT = 1 << 18, READ_LEAST = 1 << 18, HEAD_LEAST = 8, HEAD_MOST = 1 << 16 };

struct table_reader {
    char *name;
    table_options o;
    table_source *read;
    void *source;
    file_stream *file; /* when it reads a file */
    const char *bytes; /* when it reads memory: what is left of it */
    size_t left;
    parser p;
    char *text;
    bool lent; /* the text is the caller's */
    size_t begin, at, end, room;
    int64_t line, skipped; /* line: of the record at `at` */
    int64_t left_out;      /* line of the last record that was left out; it may be read again */
    int64_t rows, cells;   /* of the last table */
    bool last;             /* the source is at its end */
    bool inside;           /* of a line that was too long and is left out */
};

/* ---- sources ---- */
static laco_status read_file(void *ctx, char *to, size_t room, size_t *got, laco_error *err)
{
    table_reader *r = ctx;
    return file_stream_read(r->file, to, room, got, err);
}
/* ---- the window ---- */
/* Room for so many bytes more: what tables have already goes first. */
static laco_status make_room(table_reader *r, size_t n, laco_error *err)
{
    r->p.block = NULL;
    if (r->begin) {
        memmove(r->text, r->text + r->begin, r->end - r->begin);
        r->at -= r->begin, r->end -= r->begin, r->begin = 0;
    }
    if (r->room >= r->end + n) return LACO_OK;
    size_t room = r->end + n;
    if (room < 2 * r->room) room = 2 * r->room;
    char *text = mem_resize(r->text, r->room, room);
    if (!text) return fail_memory(err, room);
    r->text = text, r->room = room;
    return LACO_OK;
}
static laco_status read_more(table_reader *r, laco_error *err)
{
    size_t got;
    laco_status st = make_room(r, READ_LEAST, err);
    if (!st) st = r->read(r->source, r->text + r->end, r->room - r->end, &got, err);
    if (st) return st;
    r->end += got, r->last = got == 0;
    return LACO_OK;
}
/* Until the record at `at`, which is cut, may be whole: there is a line break more, and of a long one a good part more,
   for what was read of it is read again. */
static laco_status read_record(table_reader *r, laco_error *err)
{
    size_t had = r->end - r->at, scanned = r->end, enough = had < READ_LEAST ? 0 : had / 4;
    laco_status st;
    do {
        size_t base = r->begin; /* text moves to the front */
        if ((st = read_more(r, err))) return st;
        scanned -= base;
        if (r->last || r->end - r->at > RECORD_LIMIT) return LACO_OK;
        if (r->end - scanned >= enough && memchr(r->text + scanned, '\n', r->end - scanned)) return LACO_OK;
    } while (true);
}

/* ---- records ---- */
static record_state parse(table_reader *r, table *t, record *rec)
{
    rec->from = r->text + r->at, rec->end = r->text + r->end, rec->last = r->last;
    switch (r->p.format) {
    case TABLE_JSONL:
        return json_record(&r->p, t, rec);
    case TABLE_TEXT:
        return text_record(&r->p, t, rec);
    default:
        return csv_record(&r->p, t, rec);
    }
}
/* What is wrong with a record that was parsed; NULL: nothing. */
static const char *judge(const table_reader *r, const table *t, record *rec)
{
    int64_t cells = t->cells - t->row[t->rows].cell;
    const char *nul = memchr(rec->from, 0, rec->n);
    size_t bad = nul ? rec->n : utf8_check(rec->from, rec->n);
    if (rec->n > RECORD_LIMIT)
        snprintf(rec->why, sizeof rec->why, "it is longer than the %d MiB a record may have", RECORD_LIMIT >> 20);
    else if (nul)
        snprintf(rec->why, sizeof rec->why, "byte %lld is NUL, which text has not", (long long)(nul - rec->from) + 1);
    else if (bad < rec->n)
        snprintf(rec->why, sizeof rec->why, "byte %lld is not UTF-8; turn the file into UTF-8, with iconv for one",
                 (long long)bad + 1);
    else if (r->p.format != TABLE_JSONL && r->p.columns.count && cells != r->p.columns.count)
        snprintf(rec->why, sizeof rec->why, "%lld %s where %s has %d", (long long)cells, cells == 1 ? "cell" : "cells",
                 r->o.no_header ? "the first record" : "the header", r->p.columns.count);
    else
        return NULL;
    return rec->why;
}
static laco_status complain(const table_reader *r, const char *why, laco_error *err)
{
    return fail(err, LACO_EFORMAT, r->line, "%s, line %lld: %s; correct it, or leave such records out with --skip-bad",
                r->name, (long long)r->line, why);
}
static void advance(table_reader *r, const record *rec) { r->at += rec->next, r->line += rec->lines; }
/* A record that is left out, or an error. */
static laco_status leave_out(table_reader *r, table *t, const record *rec, laco_error *err)
{
    if (!r->o.skip_bad) return complain(r, rec->why, err);
    bool again = r->line <= r->left_out;
    if (!again && r->o.bad) r->o.bad(r->o.ctx, rec->from, rec->n, r->line, rec->why);
    table_drop_cells(t);
    r->skipped += !again, r->left_out = max64(r->left_out, r->line);
    advance(r, rec);
    return LACO_OK;
}
/* A record that fills the window and is still cut: its first line is left out, as far as it is there. */
static laco_status leave_out_long(table_reader *r, table *t, record *rec, laco_error *err)
{
    rec->last = true, record_line(rec);
    snprintf(rec->why, sizeof rec->why, "a record longer than %d MiB begins there", RECORD_LIMIT >> 20);
    r->inside = !rec->lines;
    return leave_out(r, t, rec, err);
}
/* Over the rest of such a line. */
static laco_status skip_inside(table_reader *r, laco_error *err)
{
    laco_status st = LACO_OK;
    while (!st && r->inside) {
        const char *from = r->text + r->at, *end = memchr(from, '\n', r->end - r->at);
        r->at = end ? r->at + (size_t)(end - from) + 1 : r->end;
        r->line += !!end, r->inside = !end && !r->last;
        if (r->inside) r->begin = r->at, st = read_more(r, err);
    }
    return st;
}
/* The next record into t: *more false when there is none in the window. */
static laco_status next_record(table_reader *r, table *t, bool *more, laco_error *err)
{
    record rec;
    int known = r->p.columns.count;
    *more = r->at < r->end;
    if (!*more) return LACO_OK;
    record_state state = parse(r, t, &rec);
    if (state == RECORD_WHOLE && judge(r, t, &rec)) state = RECORD_BAD;
    switch (state) {
    case RECORD_WHOLE:
        if (!table_add_row(t, r->at - r->begin, r->line)) return fail_memory(err, (size_t)t->rows * sizeof *t->row);
        advance(r, &rec);
        return LACO_OK;
    case RECORD_EMPTY:
        table_drop_cells(t);
        advance(r, &rec);
        return LACO_OK;
    case RECORD_BAD:
        columns_cut(&r->p.columns, known);
        return leave_out(r, t, &rec, err);
    case RECORD_CUT:
        table_drop_cells(t);
        if (r->end - r->at > RECORD_LIMIT) return leave_out_long(r, t, &rec, err);
        *more = false;
        return LACO_OK;
    default:
        return fail_memory(err, (size_t)t->cells * sizeof *t->cell);
    }
}

/* ---- tables ---- */
/* With room for about as much as the last one had, so that little grows while it is filled. */
static laco_status new_table(table **out, const table_reader *r, laco_error *err)
{
    table *t = *out = mem_new(1, sizeof *t);
    if (!t || !(t->file = mem_text(r->name, strlen(r->name)))) return fail_memory(err, sizeof *t);
    int64_t rows = r->rows + r->rows / 8 + 2, cells = r->cells + r->cells / 8 + 2;
    t->format = r->p.format, t->decimal_comma = r->o.decimal_comma;
    if (!(t->row = mem_new((size_t)rows, sizeof *t->row)) || !(t->cell = mem_new((size_t)cells, sizeof *t->cell)))
        return fail_memory(err, (size_t)rows * sizeof *t->row);
    t->row_room = rows, t->cell_room = cells;
    return LACO_OK;
}
/* The records from begin to at are the table's. */
static laco_status give_text(table_reader *r, table *t, bool whole, laco_error *err)
{
    size_t n = r->at - r->begin;
    if (whole)
        t->block = r->text, t->text = t->block + r->begin, r->text = NULL;
    else if ((t->block = t->text = mem_new(n, 1)))
        memcpy(t->text, r->text + r->begin, n);
    else
        return fail_memory(err, n);
    r->begin = r->at, r->rows = t->rows, r->cells = t->cells;
    return table_finish(t, &r->p.columns, err);
}
static laco_status fill(table_reader *r, table *t, int64_t records, bool ready, size_t most, laco_error *err)
{
    laco_status st = LACO_OK;
    bool more;
    while (!st && t->rows < records) {
        if (!t->rows) r->begin = r->at; /* what was left out belongs to no table */
        if (r->at - r->begin >= most) break;
        if (r->inside && (st = skip_inside(r, err))) break;
        st = next_record(r, t, &more, err);
        if (st || more) continue;
        if (r->last || (ready && t->rows)) break;
        st = read_record(r, err);
    }
    return st;
}
static laco_status take(table_reader *r, int64_t records, bool ready, size_t most, table **out, laco_error *err)
{
    table *t = NULL;
    bool whole = most == SIZE_MAX;
    laco_status st = new_table(&t, r, err);
    if (!st) st = fill(r, t, records, ready, most, err);
    if (!st && (t->rows || whole)) st = give_text(r, t, whole, err);
    if (st || !t->name) table_free(t), t = NULL;
    *out = t;
    return st;
}
laco_status table_next(table_reader *r, int64_t records, bool ready, table **out, laco_error *err)
{
    return take(r, records, ready, CHUNK_TEXT, out, err);
}
static bool same_cell(cell a, cell b) { return a.n == b.n && !a.at == !b.at && (!a.n || !memcmp(a.at, b.at, a.n)); }
/* The row that the last run of the column begins with. */
static int64_t last_run(const table *t, int column)
{
    int64_t k = t->rows - 1;
    while (k > 0 && same_cell(table_cell(t, k - 1, column), table_cell(t, k, column))) k--;
    return k;
}
int64_t table_runs(const table *t, const char *column)
{
    int at;
    if (table_find(t, column, &at, NULL) || !t->rows) return 0;
    int64_t n = 1;
    for (int64_t k = 1; k < t->rows; k++) n += !same_cell(table_cell(t, k - 1, at), table_cell(t, k, at));
    return n;
}
/* The records of t from row k on are to be read again; n: bytes of the records of t. */
static void put_back(table_reader *r, table *t, int64_t k, size_t n)
{
    r->begin = r->at = r->at - (n - t->row[k].at), r->line = t->row[k].line;
    t->rows = k;
}
laco_status table_next_runs(table_reader *r, const char *column, int64_t records, table **out, laco_error *err)
{
    int at;
    for (size_t most = CHUNK_TEXT;; most *= 2, records *= 2) {
        table *t = NULL;
        laco_status st = new_table(&t, r, err);
        if (!st) st = fill(r, t, records, false, most, err);
        size_t n = r->at - r->begin;
        bool end = r->last && r->at == r->end;
        if (!st && t->rows) st = give_text(r, t, false, err);
        if (!st && t->rows) st = table_find(t, column, &at, err);
        if (!st && t->rows && !end) put_back(r, t, last_run(t, at), n);
        *out = st || !t->rows ? NULL : t;
        if (!*out) table_free(t);
        if (st || *out || end) return st;
    }
}
int64_t table_skipped(const table_reader *r) { return r->skipped; }
table_form table_form_of(const table_reader *r)
{
    bool cells = r->p.format == TABLE_CSV || r->p.format == TABLE_TSV;
    return (table_form){ r->p.format, cells ? r->p.delimiter : 0, cells && !r->o.no_header };
}

/* ---- beginning ---- */
/* As much as says what the text is, when that is not known: two lines, or all, or a good part of a long one. */
static laco_status read_head(table_reader *r, laco_error *err)
{
    bool known = r->o.format && (r->o.format != TABLE_CSV || r->o.delimiter);
    laco_status st = LACO_OK;
    int lines = 0;
    while (!st && !r->last && r->end < (known ? HEAD_LEAST : HEAD_MOST) && lines < (known ? 1 : 2)) {
        size_t had = r->end;
        st = read_more(r, err);
        for (const char *s = r->text + had, *end = r->text + r->end; !st && s < end; s++) lines += *s == '\n';
    }
    if (!st && r->end >= 3 && !memcmp(r->text, "\xEF\xBB\xBF", 3)) r->begin = r->at = 3;
    if (!st && r->at == r->end && r->last)
        st = fail(err, LACO_EFORMAT, 0, "%s is empty; at least one record is expected", r->name);
    return st;
}
/* The first record of separated cells names the columns, unless it is all numbers and times. */
static laco_status first_record(table_reader *r, table *t, laco_error *err)
{
    laco_status st = LACO_OK;
    bool more, skip = r->o.skip_bad;
    r->o.skip_bad = false;
    while (!st && !t->rows && (r->at < r->end || !r->last)) {
        st = next_record(r, t, &more, err);
        if (!st && !more && !r->last) st = read_record(r, err);
    }
    r->o.skip_bad = skip;
    if (!st && !t->rows)
        st = fail(err, LACO_EFORMAT, 0, "%s has nothing but empty lines; at least one record is expected", r->name);
    return st;
}
static bool is_header(const table *t)
{
    bool any = false;
    double x;
    for (int k = 0; k < t->cells; k++) {
        cell c = table_cell(t, 0, k);
        if (cell_missing(c)) continue;
        any = true;
        if (!cell_number(c, t->decimal_comma, &x) && !cell_time(c, &x)) return true;
    }
    return !any;
}
static laco_status name_columns(table_reader *r, const table *t, laco_error *err)
{
    for (int k = 0; k < t->cells; k++) {
        char number[16];
        cell c = r->o.no_header ? (cell){ 0 } : table_cell(t, 0, k);
        while (c.n && *c.at == ' ') c.at++, c.n--;
        while (c.n && c.at[c.n - 1] == ' ') c.n--;
        if (!c.n) c = (cell){ number, (size_t)snprintf(number, sizeof number, "%d", k + 1) };
        if (!columns_add(&r->p.columns, c.at, c.n)) return fail_memory(err, c.n);
    }
    return LACO_OK;
}
static laco_status read_header(table_reader *r, laco_error *err)
{
    table *t = NULL;
    laco_status st = new_table(&t, r, err);
    if (!st) st = first_record(r, t, err);
    size_t from = r->begin, n = r->at - from;
    if (!st && !(t->block = t->text = mem_new(n, 1))) st = fail_memory(err, n);
    if (!st) memcpy(t->text, r->text + from, n), st = table_finish(t, &r->p.columns, err);
    if (!st) r->o.no_header = r->o.no_header || !is_header(t), st = name_columns(r, t, err);
    if (!st && r->o.no_header) r->at = from + t->row[0].at, r->line = t->row[0].line;
    r->begin = r->at;
    table_free(t);
    return st;
}
static laco_status begin(table_reader *r, laco_error *err)
{
    laco_status st = read_head(r, err);
    if (!st)
        st =
            table_guess(&r->p, &r->o, r->name, r->text + r->at, r->end - r->at < HEAD_MOST ? r->end - r->at : HEAD_MOST,
                        r->last && r->end - r->at <= HEAD_MOST, err);
    if (st) return st;
    if (r->p.format == TABLE_TEXT) return columns_add(&r->p.columns, "text", 4) ? LACO_OK : fail_memory(err, 4);
    return r->p.format == TABLE_JSONL ? LACO_OK : read_header(r, err);
}

/* ---- open and close ---- */
static laco_status new_reader(table_reader **out, const char *name, const table_options *o, laco_error *err)
{
    table_reader *r = *out = mem_new(1, sizeof *r);
    if (!strcmp(name, "-")) name = "standard input";
    if (!r || !(r->name = mem_text(name, strlen(name)))) return fail_memory(err, sizeof *r);
    if (o) r->o = *o;
    r->line = 1;
    return LACO_OK;
}
static laco_status opened(table_reader **out, table_reader *r, laco_status st, laco_error *err)
{
    if (!st) st = begin(r, err);
    if (st) table_close(r), r = NULL;
    *out = r;
    return st;
}
laco_status table_open(table_reader **out, const char *path, const table_options *o, laco_error *err)
{
    table_reader *r;
    laco_status st = new_reader(&r, path, o, err);
    if (!st) r->read = read_file, r->source = r, st = file_stream_open(&r->file, path, err);
    return opened(out, r, st, err);
}
laco_status table_open_source(table_reader **out, table_source *read, void *ctx, const char *name,
                              const table_options *o, laco_error *err)
{
    table_reader *r;
    laco_status st = new_reader(&r, name, o, err);
    if (!st) r->read = read, r->source = ctx;
    return opened(out, r, st, err);
}
/* Over text that is all there. */
static laco_status open_text(table_reader **out, char *text, size_t n, bool lent, const char *name,
                             const table_options *o, laco_error *err)
{
    table_reader *r;
    laco_status st = new_reader(&r, name, o, err);
    if (r)
        r->text = text, r->end = n, r->last = true, r->lent = lent;
    else if (!lent)
        mem_free(text);
    return opened(out, r, st, err);
}
laco_status table_open_bytes(table_reader **out, const char *bytes, size_t n, const char *path, const table_options *o,
                             laco_error *err)
{
    return open_text(out, (char *)bytes, n, true, path, o, err);
}
void table_close(table_reader *r)
{
    if (!r) return;
    file_stream_close(r->file), columns_free(&r->p.columns);
    if (!r->lent) mem_free(r->text);
    mem_free(r->name), mem_free(r);
}

/* ---- all of it ---- */
laco_status table_own(table **out, char *bytes, size_t n, const char *path, const table_options *o, laco_error *err)
{
    table_reader *r;
    laco_status st = open_text(&r, bytes, n, false, path, o, err);
    *out = NULL;
    if (!st) st = take(r, INT64_MAX, false, SIZE_MAX, out, err);
    table_close(r);
    return st;
}
laco_status table_read(table **out, const char *path, const table_options *o, laco_error *err)
{
    char *bytes;
    size_t n;
    laco_status st = file_read(path, (size_t)1 << 40, &bytes, &n, err);
    *out = NULL;
    return st ? st : table_own(out, bytes, n, path, o, err);
}
laco_status table_parse(table **out, const char *bytes, size_t n, const char *path, const table_options *o,
                        laco_error *err)
{
    char *copy = mem_text(bytes, n);
    *out = NULL;
    return copy ? table_own(out, copy, n, path, o, err) : fail_memory(err, n);
}
