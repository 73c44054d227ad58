/* Strict JSON, read by recursive descent (RFC 8259).

   The text is copied once. Strings are decoded in place, which never makes them longer, and their closing quote becomes
   the terminator. Values of open containers stand on one stack; when a container closes, its members are copied to a
   block of their own. */
#include "json.h"
#include "json_utf8.h"
#include "number.h"
#include <errno.h>

enum { JSON_DEPTH = 64, JSON_STACK_FIRST = 16 };

struct json_doc {
    char *text; /* the copy, terminated */
    json root;
};

typedef struct json_reader {
    char *text, *p, *end;
    json *stack;
    size_t used, cap;
    int depth;
    laco_error *err;
} json_reader;

static bool json_value(json_reader *r, json *v);

/* Releases what stands below v: at most JSON_DEPTH calls deep, because reading stops there. */
static void json_clear(const json *v)
{
    for (size_t i = 0; (v->kind == JSON_ARRAY || v->kind == JSON_OBJECT) && i < v->len; i++) json_clear(&v->item[i]);
    mem_free((void *)v->item);
}

static bool json_bad(json_reader *r, const char *at, const char *what)
{
    int64_t byte = at - r->text;
    fail(r->err, LACO_EFORMAT, byte, "not valid JSON at byte %lld: %s", (long long)byte, what);
    return false;
}

static bool json_no_memory(json_reader *r, size_t bytes)
{
    fail_memory(r->err, bytes);
    return false;
}

static void json_blanks(json_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) r->p++;
}

static bool json_take(json_reader *r, char c)
{
    json_blanks(r);
    if (r->p == r->end || *r->p != c) return false;
    r->p++;
    return true;
}

static bool json_hex4(json_reader *r, uint32_t *code)
{
    if (r->end - r->p < 4) return json_bad(r, r->p, "\\u needs four hexadecimal digits");
    *code = 0;
    for (int i = 0; i < 4; i++, r->p++) {
        char c = *r->p, letter = (char)(c | 32); /* lower case */
        bool decimal = c >= '0' && c <= '9';
        if (!decimal && (letter < 'a' || letter > 'f')) return json_bad(r, r->p, "\\u needs four hexadecimal digits");
        *code = *code << 4 | (uint32_t)(decimal ? c - '0' : letter - 'a' + 10);
    }
    return true;
}

/* Behind \u: one code point, from two escapes when it is above U+FFFF. */
static bool json_unicode(json_reader *r, char **to)
{
    const char *start = r->p - 2;
    uint32_t code, low;
    if (!json_hex4(r, &code)) return false;
    if (code >= 0xD800 && code < 0xE000) {
        bool paired = code < 0xDC00 && r->end - r->p >= 2 && r->p[0] == '\\' && r->p[1] == 'u';
        if (!paired) return json_bad(r, start, "half of a surrogate pair");
        r->p += 2;
        if (!json_hex4(r, &low)) return false;
        if (low < 0xDC00 || low >= 0xE000) return json_bad(r, start, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *to += json_utf8_put(code, *to);
    return true;
}

static bool json_escape(json_reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    char c = r->p + 1 < r->end ? r->p[1] : 0;
    const char *found = c ? strchr(from, c) : NULL;
    if (!found && c != 'u') return json_bad(r, r->p, "unknown escape in a string");
    r->p += 2;
    if (c == 'u') return json_unicode(r, to);
    *(*to)++ = into[found - from];
    return true;
}

/* r->p stands behind the opening quote. */
static bool json_read_string(json_reader *r, const char **text, size_t *len)
{
    char *start = r->p, *to = r->p;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p == '\\') {
            if (!json_escape(r, &to)) return false;
            continue;
        }
        if ((unsigned char)*r->p < 32) return json_bad(r, r->p, "a control character in a string");
        size_t bytes = json_utf8_next(r->p, (size_t)(r->end - r->p), NULL);
        if (bytes == 0) return json_bad(r, r->p, "a string that is not UTF-8");
        memmove(to, r->p, bytes);
        to += bytes;
        r->p += bytes;
    }
    if (r->p == r->end) return json_bad(r, start - 1, "a string without its closing quote");
    r->p++;
    *to = 0;
    *text = start;
    *len = (size_t)(to - start);
    return true;
}

static bool json_digits(json_reader *r)
{
    char *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
    return r->p > start;
}

static bool json_read_number(json_reader *r, json *v)
{
    char *start = r->p;
    bool whole = true;
    if (*r->p == '-') r->p++;
    bool zero = r->p < r->end && *r->p == '0';
    char *digits = r->p;
    if (!json_digits(r)) return json_bad(r, start, "a value was expected");
    if (zero && r->p - digits > 1) return json_bad(r, start, "a number with a leading zero");
    if (r->p < r->end && *r->p == '.') {
        whole = false;
        r->p++;
        if (!json_digits(r)) return json_bad(r, start, "a number without digits behind the point");
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        whole = false;
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-')) r->p++;
        if (!json_digits(r)) return json_bad(r, start, "a number without digits in the exponent");
    }
    char behind = *r->p; /* at the end of the text this is the terminator of the copy */
    *r->p = 0;
    bool ok = number_parse(start, &v->number);
    errno = 0;
    long long i = whole ? strtoll(start, NULL, 10) : 0;
    v->integer = whole && errno == 0;
    v->i = v->integer ? i : 0;
    *r->p = behind;
    v->kind = JSON_NUMBER;
    return ok || json_bad(r, start, "a number too large for a double");
}

static bool json_push(json_reader *r, const json *v)
{
    if (r->used == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : JSON_STACK_FIRST;
        json *stack =
            cap < SIZE_MAX / sizeof *stack ? mem_resize(r->stack, r->cap * sizeof *stack, cap * sizeof *stack) : NULL;
        if (!stack) {
            json_clear(v);
            return json_no_memory(r, cap * sizeof *stack);
        }
        r->stack = stack;
        r->cap = cap;
    }
    r->stack[r->used++] = *v;
    return true;
}

static bool json_member(json_reader *r, bool object)
{
    json v = { 0 };
    if (object) {
        if (!json_take(r, '"')) return json_bad(r, r->p, "a key in quotes was expected");
        if (!json_read_string(r, &v.key, &v.key_len)) return false;
        if (!json_take(r, ':')) return json_bad(r, r->p, "a colon was expected behind the key");
    }
    return json_value(r, &v) && json_push(r, &v);
}

/* By key; among equal keys the one that stands first in the text is first. */
static int json_by_key(const void *a, const void *b)
{
    const json *x = *(const json *const *)a, *y = *(const json *const *)b;
    int order = memcmp(x->key, y->key, x->key_len < y->key_len ? x->key_len : y->key_len);
    if (order) return order;
    if (x->key_len != y->key_len) return x->key_len < y->key_len ? -1 : 1;
    return x->key < y->key ? -1 : 1;
}

static bool json_keys_differ(json_reader *r, const json *item, size_t n)
{
    if (n < 2) return true;
    const json **sorted = mem_new(n, sizeof *sorted);
    if (!sorted) return json_no_memory(r, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++) sorted[i] = &item[i];
    qsort(sorted, n, sizeof *sorted, json_by_key);
    const json *twice = NULL;
    for (size_t i = 1; i < n && !twice; i++) {
        const json *a = sorted[i - 1], *b = sorted[i];
        if (a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0) twice = b;
    }
    mem_free(sorted);
    if (!twice) return true;
    int64_t at = twice->key - 1 - r->text;
    fail(r->err, LACO_EFORMAT, at, "not valid JSON at byte %lld: the key \"%.200s\" is there twice", (long long)at,
         twice->key);
    return false;
}

/* Moves the members read since `first` from the stack to a block of their own. */
static bool json_close(json_reader *r, json *v, size_t first)
{
    size_t n = r->used - first;
    if (n == 0) return true;
    if (v->kind == JSON_OBJECT && !json_keys_differ(r, r->stack + first, n)) return false;
    json *item = mem_new(n, sizeof *item);
    if (!item) return json_no_memory(r, n * sizeof *item);
    memcpy(item, r->stack + first, n * sizeof *item);
    r->used = first;
    v->item = item;
    v->len = n;
    return true;
}

static bool json_container(json_reader *r, json *v)
{
    bool object = *r->p == '{';
    char close = object ? '}' : ']';
    size_t first = r->used;
    if (r->depth == JSON_DEPTH) return json_bad(r, r->p, "nested deeper than 64");
    r->p++;
    r->depth++;
    v->kind = object ? JSON_OBJECT : JSON_ARRAY;
    if (!json_take(r, close)) {
        do {
            json_blanks(r);
            if (!json_member(r, object)) return false;
        } while (json_take(r, ','));
        const char *missing = object ? "a comma or } was expected" : "a comma or ] was expected";
        if (!json_take(r, close)) return json_bad(r, r->p, missing);
    }
    r->depth--;
    return json_close(r, v, first);
}

static bool json_word(json_reader *r, json *v)
{
    static const struct {
        const char *word;
        json_kind kind;
    } words[] = { { "null", JSON_NULL }, { "false", JSON_FALSE }, { "true", JSON_TRUE } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i].word);
        if ((size_t)(r->end - r->p) < n || memcmp(r->p, words[i].word, n) != 0) continue;
        r->p += n;
        v->kind = words[i].kind;
        return true;
    }
    return json_bad(r, r->p, "a value was expected");
}

/* Fills v, whose key is already set. On failure v owns nothing. */
static bool json_value(json_reader *r, json *v)
{
    json_blanks(r);
    if (r->p == r->end) return json_bad(r, r->p, "the text ends where a value was expected");
    char c = *r->p;
    if (c == '{' || c == '[') return json_container(r, v);
    if (c == '-' || (c >= '0' && c <= '9')) return json_read_number(r, v);
    if (c != '"') return json_word(r, v);
    r->p++;
    v->kind = JSON_STRING;
    return json_read_string(r, &v->text, &v->len);
}

laco_status json_parse(json_doc **out, const char *bytes, size_t n, laco_error *err)
{
    laco_error own; /* the status must be known even when the caller wants no message */
    *out = NULL;
    json_doc *d = mem_new(1, sizeof *d);
    char *text = mem_text(bytes, n);
    if (!d || !text) {
        mem_free(d);
        mem_free(text);
        return fail_memory(err, n);
    }
    d->text = text;
    json_reader r = { .text = text, .p = text, .end = text + n, .err = err ? err : &own };
    bool ok = json_value(&r, &d->root);
    json_blanks(&r);
    if (ok && r.p < r.end) ok = json_bad(&r, r.p, "more text behind the value");
    for (size_t i = 0; i < r.used; i++) json_clear(&r.stack[i]);
    mem_free(r.stack);
    if (!ok) {
        json_free(d);
        return r.err->code;
    }
    *out = d;
    return LACO_OK;
}

const json *json_root(const json_doc *d) { return &d->root; }

const json *json_get(const json *object, const char *key)
{
    if (!object || object->kind != JSON_OBJECT) return NULL;
    size_t n = strlen(key);
    for (size_t i = 0; i < object->len; i++)
        if (object->item[i].key_len == n && memcmp(object->item[i].key, key, n) == 0) return &object->item[i];
    return NULL;
}

void json_free(json_doc *d)
{
    if (!d) return;
    json_clear(&d->root);
    mem_free(d->text);
    mem_free(d);
}
