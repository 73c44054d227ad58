#include "data/array.h"
#include <math.h>
#include <stdio.h>

static laco_status bad(const array *a, laco_error *err, const char *what)
{
    return fail(err, LACO_EFORMAT, -1, "%s: %s", a->name, what);
}

/* ---- values ---- */
static uint64_t whole_bits(const unsigned char *p, int size, bool big)
{
    uint64_t x = 0;
    for (int k = 0; k < size; k++) x = x << 8 | p[big ? k : size - 1 - k];
    return x;
}
static double half_value(uint64_t h)
{
    int e = h >> 10 & 31;
    double m = (double)(h & 1023) / 1024, sign = h >> 15 ? -1 : 1;
    if (e == 31) return m > 0 ? (double)NAN : sign * (double)INFINITY;
    return sign * (e ? ldexp(1 + m, e - 15) : ldexp(m, -14));
}
static double float_value(uint64_t bits, int size)
{
    if (size == 2) return half_value(bits);
    if (size == 4) {
        uint32_t b = (uint32_t)bits;
        float f;
        memcpy(&f, &b, sizeof f);
        return f;
    }
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}
/* Where value i of C order stands in a file whose first dimension runs fastest. */
static int64_t fortran_place(const array *a, int64_t i)
{
    int64_t place = 0, stride = a->count;
    for (int d = a->rank - 1; d >= 0; d--) {
        stride /= a->dim[d];
        place += i % a->dim[d] * stride;
        i /= a->dim[d];
    }
    return place;
}
double array_value(const array *a, int64_t i)
{
    if (a->fortran) i = fortran_place(a, i);
    uint64_t bits = whole_bits(a->at + i * a->size, a->size, a->big);
    if (a->kind == 'f') return float_value(bits, a->size);
    if (a->kind != 'i') return (double)bits;
    int unused = 64 - 8 * a->size; /* the sign moves to the top and comes back */
    return (double)((int64_t)(bits << unused) >> unused);
}

/* ---- size ---- */
static laco_status check_size(array *a, const char *bytes, size_t n, size_t head, laco_error *err)
{
    size_t count = 1, size;
    for (int d = 0; d < a->rank; d++)
        if (mul_overflows(count, (size_t)a->dim[d], &count)) return bad(a, err, "its dimensions are too large");
    if (mul_overflows(count, (size_t)a->size, &size) || size > INT64_MAX / 16)
        return bad(a, err, "its dimensions are too large");
    if (size != n - head)
        return fail(err, LACO_EFORMAT, (int64_t)head,
                    "%s: its dimensions need %zu bytes, and %zu are there; it is damaged", a->name, size, n - head);
    a->count = (int64_t)count, a->at = (const unsigned char *)bytes + head;
    return LACO_OK;
}

/* ---- idx ---- */
static laco_status parse_idx(array *a, const char *bytes, size_t n, laco_error *err)
{
    static const struct {
        char code, kind;
        int size;
    } types[] = { { 8, 'u', 1 }, { 9, 'i', 1 }, { 11, 'i', 2 }, { 12, 'i', 4 }, { 13, 'f', 4 }, { 14, 'f', 8 } };
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        if (types[k].code == bytes[2]) a->kind = types[k].kind, a->size = types[k].size;
    a->rank = (unsigned char)bytes[3], a->big = a->idx = true;
    if (!a->size) return bad(a, err, "idx of an unknown type; 08 (byte) to 0E (double) are read");
    if (a->rank < 1 || a->rank > ARRAY_RANK) return bad(a, err, "idx of 1 to 8 dimensions is read");
    size_t head = 4 + 4 * (size_t)a->rank;
    if (n < head) return bad(a, err, "it ends within its dimensions; it is damaged");
    for (int d = 0; d < a->rank; d++)
        a->dim[d] = (int64_t)whole_bits((const unsigned char *)bytes + 4 + 4 * d, 4, true);
    return check_size(a, bytes, n, head, err);
}

/* ---- npy ---- */
/* What follows 'key': in the head; NULL when it is not there. */
static const char *find_key(const char *head, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *p = strstr(head, quoted);
    if (!p) return NULL;
    p += strlen(quoted), p += strspn(p, " ");
    if (*p++ != ':') return NULL;
    return p + strspn(p, " ");
}
static laco_status npy_type(array *a, const char *p, laco_error *err)
{
    static const char *const known = "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1";
    if (p && *p == '\'' && strlen(p) > 4 && strchr("<>|=", p[1]) && p[4] == '\'') {
        char type[3] = { p[2], p[3], 0 };
        a->big = p[1] == '>', a->kind = p[2], a->size = p[3] - '0';
        if (strchr("fiub", p[2]) && strstr(known, type)) return LACO_OK;
    }
    return bad(a, err, "arrays of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1 are read; store it with .astype('float32')");
}
static laco_status npy_shape(array *a, const char *p, laco_error *err)
{
    if (!p || *p++ != '(') return bad(a, err, "its head has no 'shape'; it is damaged");
    for (p += strspn(p, " "); *p != ')'; p += strspn(p, " ,")) {
        char *end;
        if (a->rank == ARRAY_RANK) return bad(a, err, "it has more than 8 dimensions");
        if (*p < '0' || *p > '9') return bad(a, err, "its 'shape' is damaged");
        long long n = strtoll(p, &end, 10);
        if (n > INT32_MAX * 1024LL || !strchr(" ,)", *end)) return bad(a, err, "its 'shape' is damaged or too large");
        a->dim[a->rank++] = n, p = end;
    }
    return LACO_OK;
}
static laco_status npy_head(array *a, const char *head, laco_error *err)
{
    const char *order = find_key(head, "fortran_order");
    laco_status st = npy_type(a, find_key(head, "descr"), err);
    if (!st) st = npy_shape(a, find_key(head, "shape"), err);
    if (!st && !order) st = bad(a, err, "its head has no 'fortran_order'; it is damaged");
    a->fortran = order && !strncmp(order, "True", 4);
    return st;
}
static laco_status parse_npy(array *a, const char *bytes, size_t n, laco_error *err)
{
    int width = bytes[6] == 1 ? 2 : 4;
    if (bytes[6] < 1 || bytes[6] > 3) return bad(a, err, "this version of .npy is not known; 1.0, 2.0 and 3.0 are");
    size_t begin = 8 + (size_t)width;
    if (n < begin) return bad(a, err, "it ends within its head; it is damaged");
    size_t length = (size_t)whole_bits((const unsigned char *)bytes + 8, width, false);
    if (length > n - begin) return bad(a, err, "its head is longer than the file; it is damaged");
    char *head = mem_text(bytes + begin, length);
    if (!head) return fail_memory(err, length);
    laco_status st = npy_head(a, head, err);
    mem_free(head);
    return st ? st : check_size(a, bytes, n, begin + length, err);
}

static bool is_npy(const char *bytes, size_t n) { return n >= 8 && !memcmp(bytes, "\x93NUMPY", 6); }
static bool is_idx(const char *bytes, size_t n) { return n >= 4 && !bytes[0] && !bytes[1] && bytes[3] > 0; }
bool array_is(const char *bytes, size_t n) { return is_npy(bytes, n) || is_idx(bytes, n); }
laco_status array_parse(array *out, const char *bytes, size_t n, const char *name, laco_error *err)
{
    *out = (array){ .name = name };
    if (is_npy(bytes, n)) return parse_npy(out, bytes, n, err);
    if (is_idx(bytes, n)) return parse_idx(out, bytes, n, err);
    return bad(out, err, "it begins neither as .npy nor as idx");
}
