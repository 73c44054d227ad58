/* Records of separated cells (RFC 4180, and its relatives).

   A cell that begins with a quote goes on to the next quote that is not doubled; delimiters and line breaks inside are
   its text. A quote elsewhere is text. In TSV, where quotes are often only text, a cell that begins with a quote but
   does not end as a quoted one would is taken as it stands. With blanks for delimiter any number of blanks and tabs is
   one, and those at the ends of a line are none. */
#include "data/table_parts.h"
#include <stdio.h>

enum { BLOCK = 64, TSV_QUOTED = 1 << 16 }; /* a quoted cell of TSV is not longer */

/* ---- where cells end ---- one bit for each of 64 bytes, found 16 at a time */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

/* Bytes that are 0 or 255 to one bit each. */
static inline uint64_t bits_of(uint64_t bytes) { return (bytes & 0x8040201008040201u) * 0x0101010101010101u >> 56; }
static inline uint64_t ends_in(const char *from, char a, char b)
{
    uint64_t bits = 0, half[2];
    for (int k = 0; k < 4; k++) {
        bytes16 x;
        memcpy(&x, from + 16 * k, sizeof x);
        bytes16 hit = (bytes16)(x == (uint8_t)a) | (bytes16)(x == (uint8_t)b) | (bytes16)(x == '\n');
        memcpy(half, &hit, sizeof half);
        bits |= (bits_of(half[0]) | bits_of(half[1]) << 8) << 16 * k;
    }
    return bits;
}
static void look_at(parser *p, const char *s, const char *end)
{
    char a = p->delimiter, b = a == ' ' ? '\t' : a, rest[BLOCK];
    p->block = s;
    if (end - s < BLOCK) s = memcpy(memset(rest, 0, BLOCK), s, (size_t)(end - s));
    p->ends = ends_in(s, a, b);
}
/* The first delimiter or line break at s or behind it; end: none. */
static inline const char *cell_end(parser *p, const char *s, const char *end)
{
    while (s < end) {
        size_t off = (size_t)((uintptr_t)s - (uintptr_t)p->block);
        if (off >= BLOCK) look_at(p, s, end), off = 0;
        uint64_t left = p->ends >> off;
        if (left) return s + __builtin_ctzll(left);
        s = p->block + BLOCK;
    }
    return end;
}

/* ---- one cell ---- */
typedef enum { CELL_MORE, CELL_LAST, CELL_CUT, CELL_BAD, CELL_NO_MEMORY } cell_state;
static bool is_delimiter(const parser *p, char c) { return c == p->delimiter || (p->delimiter == ' ' && c == '\t'); }

static int64_t breaks_in(const char *s, const char *end)
{
    int64_t n = 0;
    while ((s = memchr(s, '\n', (size_t)(end - s)))) n++, s++;
    return n;
}
/* The quote that closes what begins at s, NULL: none; whether there are doubled ones inside, and how many line breaks.
   Most cells are short: their bytes are looked at one by one. */
static const char *closing_quote(const char *s, const char *end, bool *doubled, int64_t *lines)
{
    enum { SHORT = 32 };
    while (s < end) {
        const char *near = end - s > SHORT ? s + SHORT : end, *far;
        for (; s < near && *s != '"'; s++) *lines += *s == '\n';
        if (s == end) return NULL;
        if (*s != '"') {
            if (!(far = memchr(s, '"', (size_t)(end - s)))) return NULL;
            *lines += breaks_in(s, far), s = far;
        }
        if (s + 1 == end || s[1] != '"') return s;
        *doubled = true;
        s += 2;
    }
    return NULL;
}
/* Behind a quoted cell: over its line break or delimiter. CELL_BAD: there is something else. */
static cell_state behind_quote(const parser *p, const record *r, const char **at)
{
    const char *s = *at;
    if (s < r->end && *s == '\r') s++;
    if (s == r->end) return *at = s, r->last ? CELL_LAST : CELL_CUT;
    if (*s == '\n') return *at = s + 1, CELL_LAST;
    if (s != *at || !is_delimiter(p, *s)) return CELL_BAD;
    return *at = s + 1, CELL_MORE;
}
static cell_state quoted_cell(parser *p, table *t, record *r, const char **at)
{
    const char *from = *at + 1, *end = r->end;
    int64_t lines = 0;
    bool doubled = false, far = p->delimiter == '\t' && end - from > TSV_QUOTED;
    const char *close = closing_quote(from, far ? from + TSV_QUOTED : end, &doubled, &lines);
    if (!close) return r->last || far ? CELL_BAD : CELL_CUT;
    if (close + 1 == end && !r->last) return CELL_CUT;
    *at = close + 1;
    cell_state state = behind_quote(p, r, at);
    if (state != CELL_MORE && state != CELL_LAST) return state;
    r->lines += lines;
    t->escaped |= doubled;
    span s = { (uint32_t)(from - r->from), (uint32_t)(close - from) | (doubled ? SPAN_ESCAPED : 0) };
    return table_add_cell(t, s) ? state : CELL_NO_MEMORY;
}
static cell_state plain_cell(parser *p, table *t, record *r, const char **at)
{
    const char *from = *at, *end = cell_end(p, from, r->end);
    bool last = end == r->end, line_break = !last && *end == '\n';
    if (last && !r->last) return CELL_CUT;
    *at = end + !last;
    if ((last || line_break) && end > from && end[-1] == '\r') end--;
    span s = { (uint32_t)(from - r->from), (uint32_t)(end - from) };
    if (!table_add_cell(t, s)) return CELL_NO_MEMORY;
    return last || line_break ? CELL_LAST : CELL_MORE;
}
/* Text that only looks quoted is a bad record in CSV; in TSV it is text. */
static cell_state any_cell(parser *p, table *t, record *r, const char **at)
{
    const char *from = *at;
    if (from == r->end || *from != '"') return plain_cell(p, t, r, at);
    cell_state state = quoted_cell(p, t, r, at);
    if (state != CELL_BAD || p->delimiter != '\t') return state;
    *at = from;
    return plain_cell(p, t, r, at);
}

/* ---- one record ---- */
static const char *skip_blanks(const char *s, const char *end)
{
    while (s < end && (*s == ' ' || *s == '\t')) s++;
    return s;
}
/* Between blank-delimited cells: to the next, or over the line break. */
static cell_state over_blanks(const record *r, const char **at)
{
    const char *s = *at = skip_blanks(*at, r->end);
    if (s < r->end && *s == '\r') s++;
    if (s == r->end) return *at = s, r->last ? CELL_LAST : CELL_CUT;
    return *s == '\n' ? (*at = s + 1, CELL_LAST) : CELL_MORE;
}
static cell_state cells_of(parser *p, table *t, record *r, const char **at)
{
    cell_state state = CELL_MORE;
    int64_t most = t->cells + COLUMN_LIMIT;
    while (state == CELL_MORE) {
        if (p->delimiter == ' ' && (state = over_blanks(r, at)) != CELL_MORE) return state;
        if (t->cells == most) return CELL_BAD;
        state = any_cell(p, t, r, at);
    }
    return state;
}
/* Says why. Left out is all up to the end of the line where it went wrong; behind a quote that is never closed, the
   line that it begins with. */
static record_state bad_record(record *r, const char *at, int64_t cells)
{
    bool many = cells == COLUMN_LIMIT, open = !many && *at == '"';
    if (many)
        snprintf(r->why, sizeof r->why, "it has more than %d cells", COLUMN_LIMIT);
    else
        snprintf(r->why, sizeof r->why,
                 open ? "the quote that opens cell %lld is never closed"
                      : "there is text behind the quote that closes cell %lld",
                 (long long)cells + 1);
    const char *look = open ? r->from : at, *end = memchr(look, '\n', (size_t)(r->end - look));
    if (!end && !r->last) return RECORD_CUT;
    r->n = (size_t)((end ? end : r->end) - r->from), r->next = r->n + !!end;
    r->lines = breaks_in(r->from, r->from + r->next);
    return RECORD_BAD;
}
record_state csv_record(parser *p, table *t, record *r)
{
    const char *at = r->from;
    int64_t first = t->cells;
    r->lines = 0;
    switch (cells_of(p, t, r, &at)) {
    case CELL_CUT:
        return RECORD_CUT;
    case CELL_NO_MEMORY:
        return RECORD_NO_MEMORY;
    case CELL_BAD:
        return bad_record(r, at, t->cells - first);
    default:
        break;
    }
    bool line_break = at[-1] == '\n';
    r->next = (size_t)(at - r->from), r->n = r->next - line_break;
    r->lines += line_break;
    if (r->n && r->from[r->n - 1] == '\r') r->n--;
    return r->n && t->cells > first ? RECORD_WHOLE : RECORD_EMPTY;
}
