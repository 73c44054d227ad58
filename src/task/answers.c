#include "task/answers.h"
#include "base/json.h"
#include "base/number.h"
#include <math.h>
#include <stdio.h>

enum { FULL = 1 << 16 }; /* bytes that are handed over without being asked */
typedef struct column {
    char *name; /* of the table, "group part" */
    char *key;  /* in JSON; NULL: a place in a list */
    bool opens, closes;
    char *group; /* key of the member that holds the group; NULL: none */
} column;
struct answers {
    task_job *j;
    file_writer *file; /* NULL: standard output */
    bool json;
    column *column;
    int64_t columns, at, rows; /* at: the cell that comes next */
    buf text;
    json_out out;
    bool failed; /* no memory for the columns */
};

laco_status answers_open(answers **out, task_job *j, laco_error *err)
{
    const char *path = options_text(j->o, "out");
    laco_status st = task_refuse_overwriting(j, "out", err);
    if (st) return st;
    answers *a = mem_new(1, sizeof *a);
    if (!a) return fail_memory(err, sizeof *a);
    a->j = j, a->json = options_flag(j->o, "json"), a->out.to = &a->text;
    if (path && strcmp(path, "-") && (st = file_create(&a->file, path, err))) return mem_free(a), st;
    *out = a;
    return LACO_OK;
}

void answers_csv(answers *a) { a->json = false; }

/* ---- columns ---- */
static column *add_column(answers *a)
{
    size_t size = (size_t)a->columns * sizeof *a->column;
    column *more = mem_resize(a->column, size, size + sizeof *more);
    if (!more) return a->failed = true, NULL;
    a->column = more;
    return &a->column[a->columns++];
}
static char *keep_text(answers *a, const char *s)
{
    char *copy = mem_text(s, strlen(s));
    if (!copy) a->failed = true;
    return copy;
}
void answers_column(answers *a, const char *name)
{
    column *c = add_column(a);
    if (c) c->name = keep_text(a, name), c->key = keep_text(a, name);
}
void answers_group(answers *a, const char *name, const char *const *part, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        buf both = { 0 };
        char number[24];
        column *c = add_column(a);
        if (!c) return;
        snprintf(number, sizeof number, "%lld", (long long)i + 1);
        buf_printf(&both, "%s %s", name, part ? part[i] : number);
        c->name = both.data, a->failed |= both.failed;
        if (part) c->key = keep_text(a, part[i]);
        c->opens = i == 0, c->closes = i == n - 1, c->group = c->opens ? keep_text(a, name) : NULL;
    }
}

/* ---- cells ---- */
static bool wants_quotes(const answers *a, const char *s, size_t n)
{
    if (!n) return a->columns == 1; /* an empty line is no record */
    for (size_t i = 0; i < n; i++)
        if (s[i] == ',' || s[i] == '"' || s[i] == '\r' || s[i] == '\n') return true;
    return s[0] == ' ' || s[n - 1] == ' ';
}
static void put_cell(answers *a, const char *s, size_t n)
{
    bool quoted = wants_quotes(a, s, n);
    if (a->at) buf_add(&a->text, ",", 1);
    if (quoted) buf_add(&a->text, "\"", 1);
    for (const char *mark; quoted && n && (mark = memchr(s, '"', n)); n -= (size_t)(mark + 1 - s), s = mark + 1)
        buf_add(&a->text, s, (size_t)(mark + 1 - s)), buf_add(&a->text, "\"", 1);
    buf_add(&a->text, s, n);
    if (quoted) buf_add(&a->text, "\"", 1);
}
static void put_header(answers *a)
{
    for (a->at = 0; a->at < a->columns; a->at++) put_cell(a, a->column[a->at].name, strlen(a->column[a->at].name));
    buf_add(&a->text, "\n", 1), a->at = 0;
}
/* What stands before a value in JSON; false: there is no such column. */
static bool begin_cell(answers *a)
{
    if (a->failed || a->at >= a->columns) return false;
    if (!a->at && !a->json && !a->rows) put_header(a);
    if (!a->json) return true;
    const column *c = &a->column[a->at];
    if (!a->at) a->out = (json_out){ .to = &a->text }, json_begin(&a->out, '{');
    if (c->opens) json_key(&a->out, c->group), json_begin(&a->out, c->key ? '{' : '[');
    if (c->key) json_key(&a->out, c->key);
    return true;
}
static void end_cell(answers *a)
{
    const column *c = &a->column[a->at++];
    if (a->json && c->closes) json_end(&a->out, c->key ? '}' : ']');
}
void answers_text(answers *a, const char *s, size_t n)
{
    if (!begin_cell(a)) return;
    if (a->json)
        json_string(&a->out, s, n);
    else
        put_cell(a, s, n);
    end_cell(a);
}
static void put_plain(answers *a, const char *text)
{
    if (!begin_cell(a)) return;
    if (a->json)
        json_raw(&a->out, *text ? text : "null", *text ? strlen(text) : 4);
    else
        put_cell(a, text, strlen(text));
    end_cell(a);
}
void answers_number(answers *a, double x)
{
    char text[NUMBER_TEXT] = "";
    put_plain(a, isfinite(x) ? number_print(text, x) : text);
}
void answers_real(answers *a, float x)
{
    char text[NUMBER_TEXT] = "";
    put_plain(a, isfinite(x) ? number_print_float(text, x) : text);
}
void answers_int(answers *a, int64_t x)
{
    char text[NUMBER_TEXT];
    snprintf(text, sizeof text, "%lld", (long long)x);
    put_plain(a, text);
}
void answers_missing(answers *a) { put_plain(a, ""); }

/* ---- rows ---- */
laco_status answers_pause(answers *a, laco_error *err)
{
    laco_status st = LACO_OK;
    if (a->failed || a->text.failed) return fail_memory(err, a->text.len);
    if (a->file)
        st = file_write(a->file, a->text.data, a->text.len, err), a->text.len = 0;
    else
        task_out_buf(a->j, &a->text);
    return st;
}
laco_status answers_row(answers *a, laco_error *err)
{
    while (a->at < a->columns && !a->failed) answers_missing(a);
    if (a->json) json_end(&a->out, '}');
    buf_add(&a->text, "\n", 1);
    a->at = 0, a->rows++;
    if (a->failed || a->text.failed || a->text.len >= FULL) return answers_pause(a, err);
    return LACO_OK;
}
int64_t answers_rows(const answers *a) { return a->rows; }

laco_status answers_close(answers *a, laco_status st, laco_error *err)
{
    if (!a) return st;
    if (!st && !a->rows && !a->json) put_header(a);
    if (!a->file || !st) {
        laco_status flushed = answers_pause(a, st ? NULL : err);
        if (!st) st = flushed;
    }
    if (a->file && st)
        file_abandon(a->file);
    else if (a->file)
        st = file_commit(a->file, err);
    for (int64_t i = 0; i < a->columns; i++)
        mem_free(a->column[i].name), mem_free(a->column[i].key), mem_free(a->column[i].group);
    mem_free(a->column), buf_free(&a->text), mem_free(a);
    return st;
}

void answers_rank(const double *p, int32_t n, int64_t most, int32_t *order)
{
    for (int32_t k = 0; k < n; k++) {
        int64_t at = min64(k, most);
        if (at == most && !(p[k] > p[order[most - 1]])) continue;
        if (at == most) at--;
        for (; at > 0 && p[k] > p[order[at - 1]]; at--) order[at] = order[at - 1];
        order[at] = k;
    }
}
