#include "task/space.h"
#include "base/number.h"
#include "base/rng.h"
#include <math.h>
#include <stdio.h>

/* ---- kinds ---- how the rest of a line is read, and what a uniform number u in [0,1) makes of it */
struct space_kind {
    const char *name, *expects;
    const char *separators; /* between values; "": the whole rest is one; NULL: a range */
    double (*draw)(double low, double high, double u);
};
static double draw_uniform(double low, double high, double u) { return low + (high - low) * u; }
static double draw_log(double low, double high, double u) { return low * pow(high / low, u); }
static double draw_int(double low, double high, double u) { return floor(low + (high - low + 1) * u); }
static double draw_log_int(double low, double high, double u) { return floor(low * pow((high + 1) / low, u)); }
static const space_kind kinds[] = {
    { "fixed", "one value", "", NULL },
    { "choice", "values between blanks, such as: choice 64 128 256", " \t", NULL },
    { "list", "values between |, such as: list \"lstm 64; dense\" | \"gru 64; dense\"", "|", NULL },
    { "uniform", "two numbers, such as: uniform 0 0.6", NULL, draw_uniform },
    { "log", "two numbers above 0, such as: log 1e-4 1e-2", NULL, draw_log },
    { "int", "two whole numbers, such as: int 8 64", NULL, draw_int },
    { "log-int", "two whole numbers above 0, such as: log-int 32 512", NULL, draw_log_int },
};
enum { KINDS = sizeof kinds / sizeof *kinds };
static bool is_log(const space_kind *k) { return k->draw == draw_log || k->draw == draw_log_int; }
static bool is_whole(const space_kind *k) { return k->draw == draw_int || k->draw == draw_log_int; }

void space_free(space *s)
{
    for (int i = 0; i < s->rows; i++) {
        for (int64_t k = 0; k < s->row[i].values; k++) mem_free(s->row[i].value[k]);
        mem_free(s->row[i].name), mem_free(s->row[i].value);
    }
    mem_free(s->command);
    *s = (space){ 0 };
}

/* ---- reading ---- */
typedef struct reader {
    const char *file;
    int64_t line;
    laco_error *err;
} reader;
static laco_status bad(const reader *r, const char *what, const char *more)
{
    return fail(r->err, LACO_EFORMAT, r->line, "%s, line %lld: %s%.200s", r->file, (long long)r->line, what, more);
}
static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
/* Without the blanks, and the quotes, around it. */
static void trim(const char **text, size_t *n, bool quotes)
{
    while (*n && is_blank(**text)) (*text)++, (*n)--;
    while (*n && is_blank((*text)[*n - 1])) (*n)--;
    if (quotes && *n >= 2 && **text == '"' && (*text)[*n - 1] == '"') (*text)++, *n -= 2;
}
/* Takes a word from the front of a trimmed text. */
static size_t word_length(const char *text, size_t n)
{
    size_t k = 0;
    while (k < n && !is_blank(text[k])) k++;
    return k;
}
/* The length of the next value: to a separator outside of quotes. */
static size_t value_length(const char *text, size_t n, const char *separators)
{
    bool quoted = false;
    for (size_t k = 0; k < n; k++) {
        if (text[k] == '"') quoted = !quoted;
        if (!quoted && strchr(separators, text[k])) return k;
    }
    return n;
}
static laco_status add_value(space_row *row, const char *text, size_t n, const reader *r)
{
    char **more = mem_resize(row->value, (size_t)row->values * sizeof *more, (size_t)(row->values + 1) * sizeof *more);
    if (more) row->value = more;
    if (!more || !(row->value[row->values] = mem_text(text, n))) return fail_memory(r->err, n);
    row->values++;
    return LACO_OK;
}
static laco_status read_values(space_row *row, const char *text, size_t n, const reader *r)
{
    bool blanks = row->kind->separators[0] == ' ';
    laco_status st = LACO_OK;
    if (!n) return bad(r, "a value is missing: ", row->kind->expects);
    while (!st && n) {
        size_t k = value_length(text, n, row->kind->separators), length = k;
        const char *value = text;
        trim(&value, &length, true);
        if (!length && !blanks) return bad(r, "an empty value: ", row->kind->expects);
        if (length) st = add_value(row, value, length, r);
        if (k + 1 == n && !blanks) return bad(r, "an empty value at the end: ", row->kind->expects);
        k += k < n;
        text += k, n -= k;
    }
    return st;
}
static laco_status read_range(space_row *row, const char *text, size_t n, const reader *r)
{
    char a[NUMBER_TEXT] = "", b[NUMBER_TEXT] = "";
    size_t first = word_length(text, n), second = n - first;
    const char *rest = text + first;
    trim(&rest, &second, false);
    if (first < sizeof a) memcpy(a, text, first);
    if (second < sizeof b) memcpy(b, rest, second);
    if (!number_parse(a, &row->low) || !number_parse(b, &row->high)) return bad(r, "expected ", row->kind->expects);
    if (is_whole(row->kind) && (row->low != floor(row->low) || row->high != floor(row->high)))
        return bad(r, "expected ", row->kind->expects);
    if (is_log(row->kind) && row->low <= 0) return bad(r, "expected ", row->kind->expects);
    if (row->low >= row->high) return bad(r, "the second number must be larger than the first", "");
    return LACO_OK;
}
static laco_status find_kind(space_row *row, const char *word, size_t n, const reader *r)
{
    buf names = { 0 };
    for (int i = 0; i < KINDS; i++) {
        if (strlen(kinds[i].name) == n && !memcmp(kinds[i].name, word, n)) row->kind = &kinds[i];
        buf_printf(&names, "%s%s", i ? ", " : "", kinds[i].name);
    }
    laco_status st = LACO_OK;
    if (names.failed)
        st = fail_memory(r->err, names.len);
    else if (!row->kind)
        st = bad(r, "behind the option stands what it may be, one of ", names.data);
    buf_free(&names);
    return st;
}
static laco_status read_row(space *s, const char *text, size_t n, const reader *r)
{
    size_t name = word_length(text, n);
    if (s->rows == SPACE_ROWS) return bad(r, "too many rows; at most 64 are possible", "");
    space_row *row = &s->row[s->rows++];
    row->line = r->line;
    if (!(row->name = mem_text(text, name))) return fail_memory(r->err, name);
    for (int i = 0; i + 1 < s->rows; i++)
        if (!strcmp(s->row[i].name, row->name)) return bad(r, "there is a row already for ", row->name);
    text += name, n -= name, trim(&text, &n, false);
    size_t kind = word_length(text, n);
    laco_status st = find_kind(row, text, kind, r);
    if (st) return st;
    text += kind, n -= kind, trim(&text, &n, false);
    return row->kind->separators ? read_values(row, text, n, r) : read_range(row, text, n, r);
}
static laco_status read_line(space *s, const char *text, size_t n, const reader *r)
{
    static const char command[] = "command";
    trim(&text, &n, false);
    if (!n || *text == '#') return LACO_OK;
    if (memchr(text, 0, n)) return bad(r, "this is not a text", "");
    size_t word = word_length(text, n);
    if (word != strlen(command) || memcmp(text, command, word)) return read_row(s, text, n, r);
    text += word, n -= word, trim(&text, &n, false);
    if (s->command) return bad(r, "there is a command already: ", s->command);
    return (s->command = mem_text(text, n)) ? LACO_OK : fail_memory(r->err, n);
}

/* ---- checking ---- */
static laco_status check_value(options *o, const space_row *row, const char *value, const reader *r)
{
    laco_error why;
    laco_status st = options_set(o, row->name, value, &why);
    return st ? fail(r->err, st, r->line, "%s, line %lld: %s", r->file, (long long)r->line, why.msg) : LACO_OK;
}
static laco_status check_row(options *o, const space_row *row, const reader *r)
{
    static const char *const own[] = { "out", "checkpoint", "every", "log", "fold", "json", "quiet" };
    char number[NUMBER_TEXT];
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strcmp(row->name, own[i])) return bad(r, "the search itself sees to --", own[i]);
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i < row->values; i++) st = check_value(o, row, row->value[i], r);
    if (row->kind->separators) return st;
    st = check_value(o, row, number_print(number, row->low), r);
    return st ? st : check_value(o, row, number_print(number, row->high), r);
}
static laco_status check(const space *s, reader *r)
{
    int count;
    const laco_option *rows = laco_options(&count);
    options *o = NULL;
    if (!s->command || (strncmp(s->command, "train ", 6) && strcmp(s->command, "esn train")))
        return fail(r->err, LACO_EFORMAT, -1, "%s: a row must name the training command, such as: command train lm",
                    r->file);
    laco_status st = options_new(&o, rows, count, s->command, r->err);
    for (int i = 0; !st && i < s->rows; i++) r->line = s->row[i].line, st = check_row(o, &s->row[i], r);
    options_free(o);
    return st;
}
laco_status space_parse(space *out, const char *bytes, size_t n, const char *name, laco_error *err)
{
    reader r = { .file = name, .line = 1, .err = err };
    laco_status st = LACO_OK;
    *out = (space){ 0 };
    for (size_t at = 0; !st && at < n; r.line++) {
        const char *end = memchr(bytes + at, '\n', n - at);
        size_t length = end ? (size_t)(end - bytes) - at : n - at;
        st = read_line(out, bytes + at, length, &r);
        at += length + 1;
    }
    if (!st) st = check(out, &r);
    if (st) space_free(out);
    return st;
}

/* ---- trials ---- */
const space_row *space_find(const space *s, const char *option)
{
    for (int i = 0; i < s->rows; i++)
        if (!strcmp(s->row[i].name, option)) return &s->row[i];
    return NULL;
}
bool space_varies(const space_row *row) { return !row->kind->separators || row->values > 1; }
int64_t space_combinations(const space *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->rows; i++) {
        if (!s->row[i].kind->separators) return 0;
        n = n > SPACE_GRID / s->row[i].values ? SPACE_GRID + 1 : n * s->row[i].values;
    }
    return n;
}
static double round_digits(double x)
{
    if (x == 0) return 0;
    double scale = pow(10, 3 - floor(log10(fabs(x))));
    return isfinite(scale) ? round(x * scale) / scale : x;
}
static void add_number(const space_row *row, double u, buf *to)
{
    char text[NUMBER_TEXT];
    double x = row->kind->draw(row->low, row->high, u);
    if (!is_whole(row->kind)) x = round_digits(x);
    buf_text(to, number_print(text, fmin(fmax(x, row->low), row->high)));
}
/* Of the grid: the digits of the trial's number in a system whose bases are the rows' counts of values. */
static int64_t grid_digit(const space *s, int row, int64_t trial)
{
    for (int i = s->rows - 1; i > row; i--) trial /= s->row[i].values;
    return trial % s->row[row].values;
}
void space_value(const space *s, int row, bool grid, uint64_t seed, int64_t trial, buf *to)
{
    const space_row *w = &s->row[row];
    if (grid) {
        buf_text(to, w->value[grid_digit(s, row, trial)]);
        return;
    }
    double u = rng_uniform(seed, RNG_SEARCH, (uint64_t)trial * SPACE_ROWS + (uint64_t)row);
    if (!w->kind->separators)
        add_number(w, u, to);
    else
        buf_text(to, w->value[(int64_t)(u * (double)w->values)]);
}
