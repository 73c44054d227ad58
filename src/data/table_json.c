/* Records of JSON lines: an object on each line, checked against RFC 8259 without building it. The values of its keys
   become cells; those inside arrays and objects stay text. UTF-8 is checked by the reader. */
#include "base/json_utf8.h"
#include "data/table_parts.h"
#include <stdio.h>

enum { JSON_NESTING = 64, KEY_LIMIT = 1024 };
#define ONES 0x0101010101010101u

typedef struct json_line {
    const char *at, *end;
    const char *why; /* what is wrong at `at` */
} json_line;

static bool wrong(json_line *l, const char *why)
{
    if (!l->why) l->why = why;
    return false;
}
static void skip_blanks(json_line *l)
{
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\t' || *l->at == '\r')) l->at++;
}
/* Mostly there are no blanks. */
static inline bool take(json_line *l, char c)
{
    if (l->at == l->end || *l->at != c) {
        skip_blanks(l);
        if (l->at == l->end || *l->at != c) return false;
    }
    l->at++;
    return true;
}

/* ---- strings ---- */
static inline uint64_t zero_bytes(uint64_t w) { return (w - ONES) & ~w & 0x80 * ONES; }
/* The first byte at s or behind it that a string does not simply hold: a quote, a backslash or a control character.
   Eight at a time. */
static inline const char *string_stop(const char *s, const char *end)
{
    for (; end - s >= 8; s += 8) {
        uint64_t w;
        memcpy(&w, s, sizeof w);
        uint64_t stop = zero_bytes(w ^ '"' * ONES) | zero_bytes(w ^ '\\' * ONES) | zero_bytes(w & 0xE0 * ONES);
        if (stop) return s + __builtin_ctzll(stop) / 8;
    }
    while (s < end && *s != '"' && *s != '\\' && (unsigned char)*s >= 32) s++;
    return s;
}
static bool hex4(const char *s, const char *end, uint32_t *code)
{
    *code = 0;
    if (end - s < 4) return false;
    for (int i = 0; i < 4; i++) {
        char c = s[i], letter = (char)(c | 32);
        bool digit = c >= '0' && c <= '9';
        if (!digit && (letter < 'a' || letter > 'f')) return false;
        *code = *code << 4 | (uint32_t)(digit ? c - '0' : letter - 'a' + 10);
    }
    return true;
}
/* Behind \u: bytes of the escape from there, 4 or 10 for a surrogate pair; 0: not valid. */
static size_t unicode_escape(const char *s, const char *end, uint32_t *code)
{
    uint32_t low;
    if (!hex4(s, end, code) || (*code >= 0xDC00 && *code < 0xE000)) return 0;
    if (*code < 0xD800 || *code >= 0xE000) return 4;
    if (end - s < 10 || s[4] != '\\' || s[5] != 'u' || !hex4(s + 6, end, &low) || low < 0xDC00 || low >= 0xE000)
        return 0;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return 10;
}
static const char escape_letters[] = "\"\\/bfnrt", escape_bytes[] = "\"\\/\b\f\n\r\t";

static bool skip_escape(json_line *l)
{
    uint32_t code;
    char c = l->end - l->at > 1 ? l->at[1] : 0;
    size_t n = c == 'u' ? unicode_escape(l->at + 2, l->end, &code) : 0;
    if (!c || (c == 'u' ? !n : !strchr(escape_letters, c)))
        return wrong(l, "an escape in a string that JSON does not know");
    l->at += 2 + n;
    return true;
}
/* Behind the opening quote; *escaped when the text is not what it spells. */
static bool skip_string(json_line *l, const char **from, size_t *n, bool *escaped)
{
    *from = l->at;
    for (;;) {
        l->at = string_stop(l->at, l->end);
        if (l->at == l->end) return wrong(l, "a string without its closing quote");
        if (*l->at == '"') break;
        if (*l->at != '\\') return wrong(l, "a control character in a string");
        if (!skip_escape(l)) return false;
        *escaped = true;
    }
    *n = (size_t)(l->at++ - *from);
    return true;
}
size_t json_unescape(char *text, size_t n)
{
    char *to = text;
    const char *s = text, *end = text + n;
    while (s < end) {
        if (*s != '\\') {
            *to++ = *s++;
            continue;
        }
        uint32_t code;
        if (s[1] != 'u')
            *to++ = escape_bytes[strchr(escape_letters, s[1]) - escape_letters], s += 2;
        else
            s += 2 + unicode_escape(s + 2, end, &code), to += json_utf8_put(code, to);
    }
    return (size_t)(to - text);
}

/* ---- values ---- */
static bool skip_digits(json_line *l)
{
    const char *from = l->at;
    while (l->at < l->end && *l->at >= '0' && *l->at <= '9') l->at++;
    return l->at > from;
}
static bool skip_number(json_line *l)
{
    if (*l->at == '-') l->at++;
    const char *from = l->at;
    if (!skip_digits(l) || (*from == '0' && l->at - from > 1)) return l->at = from, wrong(l, "a value was expected");
    if (l->at < l->end && *l->at == '.' && (l->at++, !skip_digits(l))) return wrong(l, "digits were expected");
    if (l->at < l->end && (*l->at | 32) == 'e') {
        l->at++;
        if (l->at < l->end && (*l->at == '+' || *l->at == '-')) l->at++;
        if (!skip_digits(l)) return wrong(l, "digits were expected");
    }
    return true;
}
static bool skip_word(json_line *l, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(l->end - l->at) < n || memcmp(l->at, word, n)) return wrong(l, "a value was expected");
    l->at += n;
    return true;
}
static bool skip_value(json_line *l, int depth);
static bool skip_key(json_line *l, const char **from, size_t *n, bool *escaped)
{
    if (!take(l, '"')) return wrong(l, "a key in quotes was expected");
    return skip_string(l, from, n, escaped) && (take(l, ':') || wrong(l, "a colon was expected behind the key"));
}
static bool skip_container(json_line *l, int depth)
{
    bool object = *l->at++ == '{', escaped;
    char close = object ? '}' : ']';
    const char *key;
    size_t n;
    if (depth == JSON_NESTING) return wrong(l, "values nested deeper than 64");
    if (take(l, close)) return true;
    do {
        if ((object && !skip_key(l, &key, &n, &escaped)) || !skip_value(l, depth + 1)) return false;
    } while (take(l, ','));
    return take(l, close) || wrong(l, object ? "a comma or } was expected" : "a comma or ] was expected");
}
static bool skip_value(json_line *l, int depth)
{
    const char *from;
    size_t n;
    bool escaped = false;
    skip_blanks(l);
    switch (l->at < l->end ? *l->at : 0) {
    case '"':
        return l->at++, skip_string(l, &from, &n, &escaped);
    case '{':
    case '[':
        return skip_container(l, depth);
    case 't':
        return skip_word(l, "true");
    case 'f':
        return skip_word(l, "false");
    case 'n':
        return skip_word(l, "null");
    default:
        return l->at < l->end ? skip_number(l) : wrong(l, "the line ends where a value was expected");
    }
}

/* ---- one record ---- */
/* The value of a key as a cell. */
static bool value_cell(json_line *l, table *t, const char *start, span *out)
{
    skip_blanks(l);
    const char *from = l->at;
    size_t n;
    bool escaped = false, string = take(l, '"');
    if (string ? !skip_string(l, &from, &n, &escaped) : !skip_value(l, 1)) return false;
    if (!string) n = (size_t)(l->at - from), escaped = *from == 't' || *from == 'f';
    t->escaped |= escaped;
    *out = (span){ (uint32_t)(from - start), (uint32_t)n | (escaped ? SPAN_ESCAPED : 0) };
    if (!string && *from == 'n') *out = (span){ (uint32_t)SPAN_NULL, 0 };
    return true;
}
/* Member i of a record: most often its key is that of column i. -1: the line is wrong; -2: no memory. */
static int column_of(json_line *l, columns *c, int i)
{
    const char *key;
    char plain[KEY_LIMIT];
    size_t n;
    bool escaped = false;
    skip_blanks(l);
    const char *place = l->at;
    if (!skip_key(l, &key, &n, &escaped)) return -1;
    if (n > KEY_LIMIT) return l->at = place, wrong(l, "a key longer than 1024 bytes"), -1;
    if (escaped) n = json_unescape(memcpy(plain, key, n), n), key = plain;
    if (i < c->count && c->length[i] == n && !memcmp(c->name[i], key, n)) return i;
    int k = columns_find(c, key, n);
    if (k >= 0) return k;
    if (c->count == COLUMN_LIMIT) return l->at = place, wrong(l, "one key more than the 1048576 there may be"), -1;
    return columns_add(c, key, n) ? c->count - 1 : -2;
}
static record_state members(json_line *l, parser *p, table *t, const char *start)
{
    int64_t first = t->cells;
    int column;
    for (int i = 0; i == 0 || take(l, ','); i++) {
        if ((column = column_of(l, &p->columns, i)) < 0) return column == -1 ? RECORD_BAD : RECORD_NO_MEMORY;
        while (t->cells <= first + column)
            if (!table_add_cell(t, (span){ (uint32_t)SPAN_ABSENT, 0 })) return RECORD_NO_MEMORY;
        span *s = &t->cell[first + column];
        if (s->at != (uint32_t)SPAN_ABSENT) return wrong(l, "a key that is there twice"), RECORD_BAD;
        if (!value_cell(l, t, start, s)) return RECORD_BAD;
    }
    return take(l, '}') || wrong(l, "a comma or } was expected") ? RECORD_WHOLE : RECORD_BAD;
}
record_state json_record(parser *p, table *t, record *r)
{
    if (!record_line(r)) return RECORD_CUT;
    json_line l = { r->from, r->from + r->n, NULL };
    record_state state = RECORD_WHOLE;
    skip_blanks(&l);
    if (l.at == l.end) return RECORD_EMPTY;
    if (!take(&l, '{'))
        wrong(&l, *l.at == '[' ? "a record must be an object; of an array, put each element on a line: jq -c '.[]'"
                               : "a record must be an object {\"key\": value}");
    else if (!take(&l, '}'))
        state = members(&l, p, t, r->from);
    skip_blanks(&l);
    if (!l.why && state == RECORD_WHOLE && l.at < l.end) wrong(&l, "there is more behind the object");
    if (!l.why) return state;
    snprintf(r->why, sizeof r->why, "not valid JSON at byte %lld of the line: %s", (long long)(l.at - r->from) + 1,
             l.why);
    return RECORD_BAD;
}
