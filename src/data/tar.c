#include "data/tar.h"

enum {
    BLOCK = 512,
    NAME = 100,
    SIZE_AT = 124,
    SUM_AT = 148,
    TYPE_AT = 156,
    MAGIC_AT = 257,
    PREFIX_AT = 345,
    PREFIX = 155
};
enum { LONGEST_NAME = 1 << 16 };

bool tar_is(const char *bytes, size_t n) { return n >= BLOCK && !memcmp(bytes + MAGIC_AT, "ustar", 5); }
void tar_close(tar *t)
{
    mem_free(t->name);
    t->name = NULL;
}

static bool octal(const char *p, int digits, uint64_t *x)
{
    int k = 0;
    for (*x = 0; k < digits && p[k] == ' ';) k++;
    int first = k;
    for (; k < digits && p[k] >= '0' && p[k] <= '7'; k++) *x = *x * 8 + (uint64_t)(p[k] - '0');
    return k > first && (k == digits || p[k] == ' ' || !p[k]);
}
/* In octal, or with the first bit set in binary. */
static bool member_size(const char *block, uint64_t *x)
{
    const unsigned char *p = (const unsigned char *)block + SIZE_AT;
    if (!(p[0] & 0x80)) return octal(block + SIZE_AT, 12, x);
    bool fits = p[0] == 0x80 && !p[1] && !p[2] && !p[3];
    for (int k = 4; k < 12; k++) *x = *x << 8 | p[k];
    return fits;
}
static bool sum_fits(const char *block)
{
    uint64_t said, sum = 0;
    for (int k = 0; k < BLOCK; k++) sum += k >= SUM_AT && k < SUM_AT + 8 ? ' ' : (unsigned char)block[k];
    return octal(block + SUM_AT, 8, &said) && said == sum;
}
static bool only_zeros(const char *block)
{
    for (int k = 0; k < BLOCK; k++)
        if (block[k]) return false;
    return true;
}
static laco_status damaged(const tar *t, const char *what, laco_error *err)
{
    return fail(err, LACO_EFORMAT, (int64_t)t->at, "%s: damaged tar archive at byte %zu: %s", t->file, t->at, what);
}
static char *short_name(const char *block)
{
    buf b = { 0 };
    size_t prefix = strnlen(block + PREFIX_AT, PREFIX);
    if (prefix && !memcmp(block + MAGIC_AT, "ustar", 6)) buf_add(&b, block + PREFIX_AT, prefix), buf_text(&b, "/");
    buf_add(&b, block, strnlen(block, NAME));
    if (!b.failed) return b.data;
    buf_free(&b);
    return NULL;
}
/* The path among the records "length key=value\n" of a pax head; NULL: none. */
static char *pax_path(const char *p, size_t n)
{
    while (n) {
        size_t length = 0, k = 0;
        for (; k < n && k < 9 && p[k] >= '0' && p[k] <= '9'; k++) length = length * 10 + (size_t)(p[k] - '0');
        if (length < k + 2 || length > n || p[k] != ' ') return NULL;
        const char *key = p + k + 1, *end = p + length - 1;
        if (end - key > 5 && !memcmp(key, "path=", 5)) return mem_text(key + 5, (size_t)(end - key - 5));
        p += length, n -= length;
    }
    return NULL;
}
/* Takes a member in: its bytes, and its name when that is not known from the member before. */
static laco_status take(tar *t, char *type, char *long_name, laco_error *err)
{
    uint64_t size = 0;
    const char *block = t->bytes + t->at;
    if (!sum_fits(block)) return damaged(t, "the check sum is wrong", err);
    if (!member_size(block, &size)) return damaged(t, "the size is no number", err);
    if (size > t->n - t->at - BLOCK) return damaged(t, "it was cut short", err);
    tar_close(t);
    t->name = long_name ? mem_text(long_name, strlen(long_name)) : short_name(block);
    if (!t->name) return fail_memory(err, NAME);
    t->data = block + BLOCK, t->size = (size_t)size, *type = block[TYPE_AT];
    t->at = (size_t)min64((int64_t)t->n, (int64_t)(t->at + BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK));
    return LACO_OK;
}
laco_status tar_next(tar *t, bool *more, laco_error *err)
{
    char *long_name = NULL, type = 'L';
    laco_status st = LACO_OK;
    *more = false;
    while (!st && !*more && t->n - t->at >= BLOCK && !only_zeros(t->bytes + t->at)) {
        st = take(t, &type, long_name, err);
        if (st || type == 'g') continue;
        mem_free(long_name), long_name = NULL;
        if ((type == 'L' || type == 'x') && t->size > LONGEST_NAME)
            st = damaged(t, "a name is too long", err);
        else if (type == 'L')
            long_name = mem_text(t->data, strnlen(t->data, t->size));
        else if (type == 'x')
            long_name = pax_path(t->data, t->size);
        else
            *more = type == '0' || type == 0;
    }
    mem_free(long_name);
    if (!*more) tar_close(t);
    return st;
}
