/* What a text is: by the end of its name (.gz apart), else by how it begins.

   A delimiter is likely when it cuts all of the first lines into as many cells, more than one. Of several the first of
   tab ; | , blank is meant (a comma may also be that of a decimal). Without a telling name a text is taken for JSON
   lines when it begins with {, for a table when a delimiter is likely, and for plain text otherwise; blanks, which all
   text has, only count when they lie between numbers. */
#include "data/table_parts.h"
#include <stdio.h>

enum { GUESS_LINES = 32 };

/* How the first lines are cut by a delimiter. */
typedef struct cut {
    int lines, alike; /* alike: with as many cells as the first */
    int64_t cells;    /* of the first */
    bool numbers;     /* all cells are, but for those of the first line */
    bool all_numbers; /* those too */
} cut;

/* Or times. */
static bool all_numbers(const table *t, const char *from, bool comma)
{
    double x;
    for (int64_t k = 0; k < t->cells; k++) {
        cell c = { from + t->cell[k].at, t->cell[k].n & ~(uint32_t)SPAN_ESCAPED };
        if (!cell_number(c, comma, &x) && !cell_time(c, &x)) return false;
    }
    return true;
}
static bool cut_lines(cut *c, char delimiter, const char *head, size_t n, bool last, bool comma)
{
    parser p = { .format = TABLE_CSV, .delimiter = delimiter };
    table t = { .format = TABLE_CSV };
    record r = { .from = head, .end = head + n, .last = last };
    record_state state = RECORD_EMPTY;
    *c = (cut){ .numbers = true, .all_numbers = true };
    while (c->lines < GUESS_LINES && r.from < r.end) {
        t.cells = 0;
        state = csv_record(&p, &t, &r);
        if (state == RECORD_CUT || state == RECORD_NO_MEMORY) break;
        const char *from = r.from;
        r.from += r.next;
        if (state == RECORD_EMPTY) continue;
        bool numbers = state == RECORD_WHOLE && all_numbers(&t, from, comma);
        if (!c->lines) c->cells = t.cells;
        if (c->lines) c->numbers &= numbers;
        c->all_numbers &= numbers;
        c->lines++;
        c->alike += state == RECORD_WHOLE && t.cells == c->cells;
    }
    mem_free(t.cell);
    return state != RECORD_NO_MEMORY;
}

/* The delimiter of the most lines alike, of those that cut at all; 0: none. *sure: all lines are. */
static laco_status likely_delimiter(char *out, cut *best, const table_options *o, const char *head, size_t n, bool last,
                                    laco_error *err)
{
    static const char candidates[] = "\t;|, ";
    *out = 0, *best = (cut){ 0 };
    for (const char *d = candidates; *d; d++) {
        cut c;
        if (*d == ',' && o->decimal_comma) continue;
        if (!cut_lines(&c, *d, head, n, last, o->decimal_comma)) return fail_memory(err, n);
        if (*d == ' ' && c.alike < c.lines) continue; /* every text has blanks */
        if (c.cells > 1 && c.alike > best->alike) *out = *d, *best = c;
    }
    return LACO_OK;
}

static bool ends_in(const char *name, size_t n, const char *end)
{
    size_t m = strlen(end);
    if (n < m) return false;
    for (size_t i = 0; i < m; i++)
        if ((name[n - m + i] | 32) != (end[i] | 32)) return false;
    return true;
}
static table_format format_of_name(const char *path)
{
    static const struct {
        const char *end;
        table_format format;
    } rows[] = { { ".csv", TABLE_CSV },     { ".tsv", TABLE_TSV },      { ".tab", TABLE_TSV },
                 { ".jsonl", TABLE_JSONL }, { ".ndjson", TABLE_JSONL }, { ".json", TABLE_JSONL } };
    size_t n = strlen(path);
    if (ends_in(path, n, ".gz")) n -= 3;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (ends_in(path, n, rows[i].end)) return rows[i].format;
    return TABLE_GUESS;
}
static table_format format_of_content(const cut *c, char delimiter, const char *head, size_t n, const cut *single)
{
    size_t blanks = 0;
    while (blanks < n && memchr(" \t\r\n", head[blanks], 4)) blanks++;
    if (blanks < n && head[blanks] == '{') return TABLE_JSONL;
    bool alike = c->lines > 1 && c->alike >= c->lines - c->lines / 8;
    if (delimiter && alike && (delimiter != ' ' || c->numbers)) return delimiter == '\t' ? TABLE_TSV : TABLE_CSV;
    return !delimiter && single->lines && single->all_numbers ? TABLE_CSV : TABLE_TEXT;
}

static laco_status refuse_binary(const char *path, const char *head, size_t n, laco_error *err)
{
    static const struct {
        const char *begin;
        size_t n;
        const char *what;
    } rows[] = {
        { "\xFF\xFE", 2, "is UTF-16; turn it into UTF-8 with iconv -f utf-16 -t utf-8" },
        { "\xFE\xFF", 2, "is UTF-16; turn it into UTF-8 with iconv -f utf-16 -t utf-8" },
        { "PK\3\4", 4, "is a zip file or a spreadsheet; take the file out of it, or save the sheet as CSV" },
        { "PAR1", 4, "is a Parquet file; write it as CSV" },
        { "\x28\xB5\x2F\xFD", 4, "is compressed with zstd; expand it with zstd -d" },
        { "\xFD"
          "7zXZ",
          5, "is compressed with xz; expand it with xz -d" },
        { "BZh", 3, "is compressed with bzip2; expand it with bzip2 -d" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (n >= rows[i].n && !memcmp(head, rows[i].begin, rows[i].n))
            return fail(err, LACO_EFORMAT, 0, "%s %s", path, rows[i].what);
    return LACO_OK;
}

/* The first line, but for its line break and a mark of UTF-8, is this name. */
static bool begins_with_name(const char *name, const char *head, size_t n)
{
    size_t length = name ? strlen(name) : 0;
    if (n >= 3 && !memcmp(head, "\xEF\xBB\xBF", 3)) head += 3, n -= 3;
    if (!length || n <= length || memcmp(head, name, length)) return false;
    return head[length] == '\n' || head[length] == '\r';
}

static laco_status refuse_returns(const char *path, const char *head, size_t n, laco_error *err)
{
    enum { LONG_LINE = 4096 };
    if (n < LONG_LINE || memchr(head, '\n', n) || !memchr(head, '\r', n)) return LACO_OK;
    return fail(err, LACO_EFORMAT, 0,
                "the lines of %s end in carriage returns alone; turn them into line breaks with tr '\\r' '\\n'", path);
}

laco_status table_guess(parser *p, const table_options *o, const char *path, const char *head, size_t n, bool last,
                        laco_error *err)
{
    cut c = { 0 }, single = { 0 };
    char delimiter = o->delimiter;
    laco_status st = refuse_binary(path, head, n, err);
    p->format = o->format ? o->format : format_of_name(path);
    if (!p->format && begins_with_name(o->column, head, n)) p->format = TABLE_CSV;
    bool cells = !p->format || p->format == TABLE_CSV;
    if (!st && cells && !delimiter) st = refuse_returns(path, head, n, err);
    if (!st && cells && !delimiter) st = likely_delimiter(&delimiter, &c, o, head, n, last, err);
    if (!st && !p->format && !cut_lines(&single, '\n', head, n, last, o->decimal_comma)) st = fail_memory(err, n);
    if (!st && !p->format) p->format = o->delimiter ? TABLE_CSV : format_of_content(&c, delimiter, head, n, &single);
    if (p->format == TABLE_TSV && !delimiter) delimiter = '\t';
    p->delimiter = delimiter ? delimiter : ',';
    return st;
}
