/* Tables in memory: cells, columns, numbers. */
#include "data/table_parts.h"
#include <math.h>
#include <stdio.h>

/* ---- filling ---- */
/* Room for one element more of `size` bytes. */
static bool room_for(void **p, int64_t n, int64_t *room, size_t size)
{
    enum { FIRST = 256 };
    size_t bytes;
    if (n < *room) return true;
    int64_t more = *room ? 2 * *room : FIRST;
    void *q = mul_overflows((size_t)more, size, &bytes) ? NULL : mem_resize(*p, (size_t)*room * size, bytes);
    if (q) *p = q, *room = more;
    return q != NULL;
}
bool table_add_cell(table *t, span s)
{
    if (!room_for((void **)&t->cell, t->cells, &t->cell_room, sizeof *t->cell)) return false;
    t->cell[t->cells++] = s;
    return true;
}
bool table_add_row(table *t, size_t at, int64_t line)
{
    if (!room_for((void **)&t->row, t->rows + 1, &t->row_room, sizeof *t->row)) return false;
    t->row[t->rows].at = at, t->row[t->rows].line = line;
    t->row[++t->rows].cell = t->cells;
    return true;
}
void table_drop_cells(table *t) { t->cells = t->row ? t->row[t->rows].cell : 0; }

static size_t undouble(char *text, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        text[to++] = text[i];
        if (text[i] == '"') i++;
    }
    return to;
}
/* A JSON value that needs it is a string, or true or false. */
static void unescape(table *t, char *text, span *s)
{
    s->n &= ~(uint32_t)SPAN_ESCAPED;
    if (t->format != TABLE_JSONL)
        s->n = (uint32_t)undouble(text, s->n);
    else if (text[-1] == '"')
        s->n = (uint32_t)json_unescape(text, s->n);
    else
        *text = *text == 't' ? '1' : '0', s->n = 1;
}
static laco_status copy_names(table *t, const columns *c, laco_error *err)
{
    size_t bytes = (size_t)c->count * sizeof *t->name;
    for (int i = 0; i < c->count; i++) bytes += c->length[i] + 1;
    if (!(t->name = mem_new(bytes, 1))) return fail_memory(err, bytes);
    char *to = (char *)(t->name + c->count);
    for (int i = 0; i < c->count; to += c->length[i++] + 1) t->name[i] = memcpy(to, c->name[i], c->length[i] + 1);
    t->columns = c->count;
    return LACO_OK;
}
laco_status table_finish(table *t, const columns *c, laco_error *err)
{
    for (int64_t r = 0; t->escaped && r < t->rows; r++)
        for (int64_t k = t->row[r].cell; k < t->row[r + 1].cell; k++)
            if (t->cell[k].at < (uint32_t)SPAN_NULL && t->cell[k].n & SPAN_ESCAPED)
                unescape(t, t->text + t->row[r].at + t->cell[k].at, &t->cell[k]);
    return copy_names(t, c, err);
}
void table_free(table *t)
{
    if (!t) return;
    mem_free(t->file), mem_free(t->block), mem_free(t->row), mem_free(t->cell), mem_free(t->name), mem_free(t);
}

/* ---- looking ---- */
int64_t table_rows(const table *t) { return t->rows; }
int table_columns(const table *t) { return t->columns; }
const char *table_column_name(const table *t, int column) { return t->name[column]; }
int64_t table_line(const table *t, int64_t row) { return t->row[row].line; }
const char *table_file(const table *t) { return t->file; }

cell table_cell(const table *t, int64_t row, int column)
{
    const table_row *r = &t->row[row];
    if (column >= r[1].cell - r->cell) return (cell){ 0 };
    span s = t->cell[r->cell + column];
    return s.at >= (uint32_t)SPAN_NULL ? (cell){ 0 } : (cell){ t->text + r->at + s.at, s.n };
}

/* What the names are, as far as they fit; of many the first. */
static void list_names(const table *t, char *to, size_t room)
{
    size_t n = 0;
    for (int i = 0; i < t->columns && n < room; i++) {
        bool last = i == t->columns - 1, full = n + strlen(t->name[i]) + 8 > room;
        n += (size_t)snprintf(to + n, room - n, "%s%s", i ? ", " : "", full && !last ? "..." : t->name[i]);
        if (full) break;
    }
}
static bool column_number(const table *t, const char *name, int *column)
{
    char *end;
    long n = *name >= '1' && *name <= '9' ? strtol(name, &end, 10) : 0;
    if (n < 1 || n > t->columns || *end) return false;
    *column = (int)n - 1;
    return true;
}
static laco_status no_column(const table *t, const char *name, laco_error *err)
{
    char there[240] = "";
    const char **names = mem_new((size_t)t->columns + 1, sizeof *names), *near = NULL;
    for (int i = 0; names && i < t->columns; i++) names[i] = t->name[i];
    if (names) near = nearest_name(name, names);
    mem_free(names);
    list_names(t, there, sizeof there);
    if (near)
        return fail(err, LACO_EINVAL, -1, "%s has no column \"%.60s\"; did you mean \"%.100s\"?", t->file, name, near);
    return fail(err, LACO_EINVAL, -1, "%s has no column \"%.60s\"; its columns are %s", t->file, name, there);
}
laco_status table_find(const table *t, const char *name, int *column, laco_error *err)
{
    int found = -1;
    for (int i = 0; i < t->columns; i++) {
        if (strcmp(t->name[i], name)) continue;
        if (found >= 0)
            return fail(err, LACO_EINVAL, -1, "%s has two columns \"%.60s\", %d and %d; name it by its number", t->file,
                        name, found + 1, i + 1);
        found = i;
    }
    if (found < 0 && !column_number(t, name, &found)) return no_column(t, name, err);
    *column = found;
    return LACO_OK;
}

/* ---- numbers ---- */
column_type table_column_type(const table *t, int column)
{
    bool number = true, time = true, any = false;
    double x;
    for (int64_t r = 0; r < t->rows && (number || time); r++) {
        cell c = table_cell(t, r, column);
        if (cell_missing(c)) continue;
        any = true;
        number = number && cell_number(c, t->decimal_comma, &x);
        time = time && cell_time(c, &x);
    }
    return !any ? COLUMN_EMPTY : number ? COLUMN_NUMBER : time ? COLUMN_TIME : COLUMN_TEXT;
}
static laco_status no_number(const table *t, int64_t row, int column, laco_error *err)
{
    cell c = table_cell(t, row, column);
    const char *hint = t->decimal_comma || !memchr(c.at, ',', c.n) ? "correct it, or leave it empty if it is not known"
                                                                   : "numbers with a comma need --decimal-comma";
    return fail(err, LACO_EFORMAT, t->row[row].line,
                "%s, line %lld, column \"%.60s\": \"%.*s\" is not a finite number; %s", t->file,
                (long long)t->row[row].line, t->name[column], (int)min64((int64_t)c.n, 60), c.at, hint);
}
laco_status table_numbers(const table *t, int column, double **out, laco_error *err)
{
    double *x = mem_new((size_t)t->rows, sizeof *x);
    *out = NULL;
    if (!x) return fail_memory(err, (size_t)t->rows * sizeof *x);
    for (int64_t r = 0; r < t->rows; r++)
        if (!cell_number(table_cell(t, r, column), t->decimal_comma, &x[r])) {
            mem_free(x);
            return no_number(t, r, column, err);
        }
    *out = x;
    return LACO_OK;
}
