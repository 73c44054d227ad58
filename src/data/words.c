#include "data/words.h"
#include "base/json_utf8.h"
#include "data/utf8.h"

static bool is_blank(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }
/* Marks of ASCII, of Latin-1 and of the block of general punctuation. */
static bool is_mark(uint32_t c)
{
    if (c < 0x80) return c > ' ' && !is_digit(c) && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z');
    return c == 0xa1 || c == 0xab || c == 0xb7 || c == 0xbb || c == 0xbf || (c >= 0x2010 && c <= 0x2027) ||
           (c >= 0x2030 && c <= 0x205e) || (c >= 0x3001 && c <= 0x3003);
}
/* What is no blank and no mark. */
static bool is_letter(uint32_t c) { return c > ' ' && !is_mark(c); }

typedef struct one {
    uint32_t code;
    size_t bytes;
} one;
static one read_one(const char *s, size_t n)
{
    one c = { 0 };
    if (!n) return c;
    if (!(c.bytes = json_utf8_next(s, n, &c.code))) c = (one){ 0xfffd, 1 };
    return c;
}
/* A mark that stays inside a word. */
static bool joins(uint32_t before, uint32_t mark, uint32_t after)
{
    if (!is_letter(before) || !is_letter(after)) return false;
    if (mark == '\'' || mark == '-' || mark == 0x2019) return true;
    return (mark == '.' || mark == ',' || mark == ':') && is_digit(before) && is_digit(after);
}
/* How many letters and digits of ASCII come next: no blank is put between them. */
static size_t plain_letters(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && (unsigned char)s[i] < 0x80 && is_letter((unsigned char)s[i])) i++;
    return i;
}
static void split_line(buf *to, const char *s, size_t n)
{
    uint32_t before = ' '; /* what the last character was */
    bool apart = false;    /* a blank stands before the next */
    for (size_t i = 0; i < n;) {
        if (is_blank((unsigned char)s[i])) {
            apart = true, before = ' ', i++;
            continue;
        }
        size_t run = plain_letters(s + i, n - i);
        one c = run ? (one){ (unsigned char)s[i], run } : read_one(s + i, n - i);
        bool mark = is_mark(c.code);
        bool inside = mark && !apart && joins(before, c.code, read_one(s + i + c.bytes, n - i - c.bytes).code);
        if (!inside && before != ' ' && mark && c.code != before) apart = true;
        if (is_letter(c.code) && is_mark(before)) apart = true;
        if (apart && to->len && to->data[to->len - 1] != '\n') buf_add(to, " ", 1);
        buf_add(to, s + i, c.bytes), i += c.bytes;
        apart = false, before = inside ? 'x' : run ? (unsigned char)s[i - 1] : c.code;
    }
}
static void plain_line(buf *to, const char *s, size_t n)
{
    for (size_t i = 0, e; i < n; i = e) {
        for (e = i; e < n && s[e] != '\n' && s[e] != '\r'; e++)
            ;
        buf_add(to, s + i, e - i);
        if (e < n) buf_add(to, " ", 1), e += s[e] == '\r' && e + 1 < n && s[e + 1] == '\n' ? 2 : 1;
    }
}
laco_status words_line(buf *to, const char *text, size_t n, const line_options *o, laco_error *err)
{
    char *lower = NULL;
    while (n && is_blank((unsigned char)text[n - 1])) n--;
    while (n && is_blank((unsigned char)*text)) text++, n--;
    if (o->lower && n && utf8_check(text, n) == n) {
        if (!(lower = mem_new(n, 2))) return fail_memory(err, n);
        n = utf8_lower(lower, text, n), text = lower;
    }
    if (o->split)
        split_line(to, text, n);
    else
        plain_line(to, text, n);
    buf_add(to, "\n", 1);
    mem_free(lower);
    return to->failed ? fail_memory(err, to->len) : LACO_OK;
}
bool words_next(const char *line, size_t n, size_t *at, const char **word, size_t *length)
{
    size_t i = *at;
    while (i < n && line[i] != '\n' && is_blank((unsigned char)line[i])) i++;
    *word = line + i;
    while (i < n && !is_blank((unsigned char)line[i])) i++;
    *length = (size_t)(line + i - *word), *at = i;
    return *length > 0;
}
