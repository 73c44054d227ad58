/* safetensors, the file format for weights:
       u64 little-endian n | n bytes of JSON, beginning with { | data
       {"__metadata__": {"key": "text", …}, "name": {"dtype": "F32", "shape": [2,3], "data_offsets": [begin, end]}, …}
   Offsets count from the start of the data; the tensors cover it without hole or overlap. Numbers are little-endian and
   read byte by byte, so the host's own order does not matter.
   Source: the description of the format by its makers, Hugging Face. */
#include "safetensors.h"
#include "base/file.h"
#include "base/json.h"
#include <math.h>

enum { ST_HEADER_MOST = 100000000, ST_RANK = 8, ST_ALIGN = 64 };
static const char st_metadata_key[] = "__metadata__";

typedef enum { ST_SIGNED, ST_UNSIGNED, ST_REAL } st_kind;
static const struct st_type {
    const char *name;
    size_t bytes;
    st_kind kind;
} st_types[] = {
    /* by st_dtype */
    { "BOOL", 1, ST_UNSIGNED }, { "U8", 1, ST_UNSIGNED }, { "I8", 1, ST_SIGNED }, { "I16", 2, ST_SIGNED },
    { "U16", 2, ST_UNSIGNED },  { "F16", 2, ST_REAL },    { "BF16", 2, ST_REAL }, { "I32", 4, ST_SIGNED },
    { "U32", 4, ST_UNSIGNED },  { "F32", 4, ST_REAL },    { "F64", 8, ST_REAL },  { "I64", 8, ST_SIGNED },
    { "U64", 8, ST_UNSIGNED },
};
enum { ST_TYPES = sizeof st_types / sizeof st_types[0] };

struct safetensors {
    char *file;           /* the whole file, when it was loaded */
    json_doc *doc;        /* holds names and metadata */
    const json *metadata; /* NULL when there is none */
    st_tensor *tensors;
    size_t count;
};

/* ---- reading the header ---- */
static laco_status st_bad(laco_error *err, const json *entry, const char *what)
{
    return fail(err, LACO_EFORMAT, -1, "not a valid safetensors file: tensor \"%.100s\" %s", entry->key, what);
}

static bool st_has_zero(const char *s, size_t n) { return memchr(s, 0, n) != NULL; }

static laco_status st_read_metadata(safetensors *s, const json *object, laco_error *err)
{
    if (object->kind != JSON_OBJECT)
        return fail(err, LACO_EFORMAT, -1, "not a valid safetensors file: __metadata__ is not an object");
    for (size_t i = 0; i < object->len; i++) {
        const json *m = &object->item[i];
        if (m->kind != JSON_STRING || st_has_zero(m->text, m->len) || st_has_zero(m->key, m->key_len))
            return fail(err, LACO_EFORMAT, -1, "not a valid safetensors file: metadata \"%.100s\" is not a plain text",
                        m->key);
    }
    s->metadata = object;
    return LACO_OK;
}

static laco_status st_read_dtype(st_tensor *t, const json *entry, laco_error *err)
{
    const json *dtype = json_get(entry, "dtype");
    if (!dtype || dtype->kind != JSON_STRING) return st_bad(err, entry, "has no dtype");
    for (int i = 0; i < ST_TYPES; i++) {
        if (strcmp(dtype->text, st_types[i].name) != 0 || strlen(dtype->text) != dtype->len) continue;
        t->dtype = (st_dtype)i;
        return LACO_OK;
    }
    return fail(err, LACO_EFORMAT, -1, "tensor \"%.100s\" has the dtype \"%.20s\", which is not read here; make it F32",
                entry->key, dtype->text);
}

/* Sets rank, shape and bytes. */
static laco_status st_read_shape(st_tensor *t, const json *entry, laco_error *err)
{
    const json *shape = json_get(entry, "shape");
    if (!shape || shape->kind != JSON_ARRAY) return st_bad(err, entry, "has no shape");
    if (shape->len > ST_RANK) return st_bad(err, entry, "has more than 8 dimensions");
    uint64_t bytes = st_types[t->dtype].bytes;
    t->rank = (int)shape->len;
    for (int i = 0; i < t->rank; i++) {
        const json *d = &shape->item[i];
        if (d->kind != JSON_NUMBER || !d->integer || d->i < 0)
            return st_bad(err, entry, "has a dimension that is not a whole number from 0");
        t->shape[i] = d->i;
        if (__builtin_mul_overflow(bytes, (uint64_t)d->i, &bytes) || bytes > INT64_MAX || bytes > SIZE_MAX)
            return st_bad(err, entry, "has a shape too large for any memory");
    }
    t->bytes = (size_t)bytes;
    return LACO_OK;
}

/* data may be NULL: then only the layout is checked. */
static laco_status st_read_offsets(st_tensor *t, const json *entry, const unsigned char *data, size_t size,
                                   laco_error *err)
{
    const json *offsets = json_get(entry, "data_offsets");
    if (!offsets || offsets->kind != JSON_ARRAY || offsets->len != 2)
        return st_bad(err, entry, "has no data_offsets of two numbers");
    const json *begin = &offsets->item[0], *end = &offsets->item[1];
    if (!begin->integer || !end->integer || begin->i < 0 || end->i < begin->i)
        return st_bad(err, entry, "has data_offsets that are not whole numbers in order");
    if ((uint64_t)end->i > size) return st_bad(err, entry, "ends behind the end of the data");
    if ((uint64_t)(end->i - begin->i) != t->bytes) return st_bad(err, entry, "has a shape that does not fit its data");
    t->data = data ? data + begin->i : NULL;
    return LACO_OK;
}

typedef struct st_range {
    const json *entry;
    size_t begin, end;
} st_range;

/* By begin; an empty tensor stands before the one that begins at the same place. */
static int st_by_begin(const void *a, const void *b)
{
    const st_range *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static laco_status st_check_cover(st_range *range, size_t n, size_t size, laco_error *err)
{
    size_t at = 0;
    qsort(range, n, sizeof *range, st_by_begin);
    for (size_t i = 0; i < n; i++) {
        if (range[i].begin < at) return st_bad(err, range[i].entry, "overlaps another");
        if (range[i].begin > at) return st_bad(err, range[i].entry, "has a hole before its data");
        at = range[i].end;
    }
    if (at == size) return LACO_OK;
    return fail(err, LACO_EFORMAT, -1, "not a valid safetensors file: %zu bytes behind the last tensor%s%.100s",
                size - at, n ? " " : "", n ? range[n - 1].entry->key : "");
}

static laco_status st_read_entries(safetensors *s, st_range *range, const unsigned char *data, size_t size,
                                   laco_error *err)
{
    const json *root = json_root(s->doc);
    for (size_t i = 0; i < root->len; i++) {
        const json *entry = &root->item[i];
        st_tensor *t = &s->tensors[s->count];
        laco_status status;
        if (strcmp(entry->key, st_metadata_key) == 0 && strlen(entry->key) == entry->key_len) {
            if ((status = st_read_metadata(s, entry, err))) return status;
            continue;
        }
        if (st_has_zero(entry->key, entry->key_len)) return st_bad(err, entry, "has a name with a zero byte");
        if (entry->kind != JSON_OBJECT) return st_bad(err, entry, "is not described by an object");
        if ((status = st_read_dtype(t, entry, err)) || (status = st_read_shape(t, entry, err)) ||
            (status = st_read_offsets(t, entry, data, size, err)))
            return status;
        t->name = entry->key;
        size_t begin = (size_t)json_get(entry, "data_offsets")->item[0].i;
        range[s->count++] = (st_range){ entry, begin, begin + t->bytes };
    }
    return st_check_cover(range, s->count, size, err);
}

/* The header and the place of its data, of which there are `size` bytes. */
static laco_status st_read_header(safetensors **out, const char *header, size_t n, const unsigned char *data,
                                  size_t size, laco_error *err)
{
    *out = NULL;
    if (n == 0 || header[0] != '{')
        return fail(err, LACO_EFORMAT, 8, "not a safetensors file: its header does not begin with {");
    safetensors *s = mem_new(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s);
    laco_error inner;
    laco_status status = json_parse(&s->doc, header, n, &inner);
    if (status) {
        st_free(s);
        return fail(err, status, inner.at < 0 ? -1 : inner.at + 8, "not a valid safetensors file: header: %s",
                    inner.msg);
    }
    size_t entries = json_root(s->doc)->len;
    st_range *range = mem_new(entries, sizeof *range);
    s->tensors = mem_new(entries, sizeof *s->tensors);
    if (range && s->tensors)
        status = st_read_entries(s, range, data, size, err);
    else
        status = fail_memory(err, entries * sizeof *s->tensors);
    mem_free(range);
    if (status)
        st_free(s);
    else
        *out = s;
    return status;
}

static uint64_t st_little(const unsigned char *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = bytes; i-- > 0;) x = x << 8 | p[i];
    return x;
}

laco_status st_parse(safetensors **out, const void *bytes, size_t n, laco_error *err)
{
    const unsigned char *p = bytes;
    *out = NULL;
    if (n < 8) return fail(err, LACO_EFORMAT, 0, "not a safetensors file: shorter than 8 bytes");
    uint64_t header = st_little(p, 8);
    if (header > n - 8)
        return fail(err, LACO_EFORMAT, 0, "not a safetensors file, or cut short: its header is longer than the file");
    if (header > ST_HEADER_MOST)
        return fail(err, LACO_EFORMAT, 0, "not a safetensors file: its header is longer than 100 million bytes");
    size_t before = 8 + (size_t)header;
    return st_read_header(out, (const char *)p + 8, (size_t)header, p + before, n - before, err);
}

laco_status st_load(safetensors **out, const char *path, laco_error *err)
{
    char *file;
    size_t n;
    laco_error inner;
    *out = NULL;
    size_t most = sizeof(size_t) > 4 ? (size_t)(UINT64_C(1) << 36) : SIZE_MAX / 2;
    laco_status status = file_read(path, most, &file, &n, err);
    if (status) return status;
    if ((status = st_parse(out, file, n, &inner))) {
        mem_free(file);
        return fail(err, status, inner.at, "%s: %s", path, inner.msg);
    }
    (*out)->file = file;
    return LACO_OK;
}

void st_free(safetensors *s)
{
    if (!s) return;
    json_free(s->doc);
    mem_free(s->tensors);
    mem_free(s->file);
    mem_free(s);
}

/* ---- looking things up ---- */
size_t st_count(const safetensors *s) { return s->count; }

const st_tensor *st_at(const safetensors *s, size_t i) { return i < s->count ? &s->tensors[i] : NULL; }

const st_tensor *st_find(const safetensors *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->tensors[i].name, name) == 0) return &s->tensors[i];
    return NULL;
}

const char *st_metadata(const safetensors *s, const char *key)
{
    const json *m = json_get(s->metadata, key);
    return m ? m->text : NULL;
}

size_t st_metadata_count(const safetensors *s) { return s->metadata ? s->metadata->len : 0; }

void st_metadata_at(const safetensors *s, size_t i, const char **key, const char **value)
{
    bool there = i < st_metadata_count(s);
    *key = there ? s->metadata->item[i].key : NULL;
    *value = there ? s->metadata->item[i].text : NULL;
}

int64_t st_elements(const st_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    return n;
}

/* ---- converting ---- */
/* Half precision: 1 sign, 5 exponent, 10 fraction bits, exponent bias 15. */
static double st_half(uint64_t bits)
{
    int exponent = (int)(bits >> 10 & 31);
    double fraction = (double)(bits & 1023);
    double x = exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
               : exponent     ? ldexp(1024 + fraction, exponent - 25)
                              : ldexp(fraction, -24);
    return bits >> 15 ? -x : x;
}

static float st_single(uint64_t bits)
{
    uint32_t word = (uint32_t)bits;
    float x;
    memcpy(&x, &word, sizeof x);
    return x;
}

static double st_real(uint64_t bits, st_dtype type)
{
    double x;
    if (type == ST_F16) return st_half(bits);
    if (type == ST_BF16) return st_single(bits << 16);
    if (type == ST_F32) return st_single(bits);
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t st_bits(const st_tensor *t, int64_t i)
{
    size_t bytes = st_types[t->dtype].bytes;
    uint64_t bits = st_little((const unsigned char *)t->data + (size_t)i * bytes, bytes);
    return t->dtype == ST_BOOL ? bits != 0 : bits;
}

/* Sign-extends a value of fewer than 64 bits. */
static int64_t st_signed(uint64_t bits, size_t bytes)
{
    uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
    return (int64_t)((bits ^ sign) - sign);
}

static laco_status st_check_elements(const st_tensor *t, int64_t n, laco_error *err)
{
    if (st_elements(t) == n) return LACO_OK;
    return fail(err, LACO_EINVAL, -1, "tensor \"%.100s\" has %lld elements where %lld are needed", t->name,
                (long long)st_elements(t), (long long)n);
}

/* The loop of st_to_f64 and st_to_f32: whole numbers are rounded once, straight to the type of out. */
#define ST_CONVERT(t, out, n, real)                                                                                    \
    for (int64_t i = 0; i < (n); i++) {                                                                                \
        uint64_t bits = st_bits(t, i);                                                                                 \
        if (type.kind == ST_REAL)                                                                                      \
            (out)[i] = (real)st_real(bits, (t)->dtype);                                                                \
        else if (type.kind == ST_SIGNED)                                                                               \
            (out)[i] = (real)st_signed(bits, type.bytes);                                                              \
        else                                                                                                           \
            (out)[i] = (real)bits;                                                                                     \
    }

laco_status st_to_f64(const st_tensor *t, double *out, int64_t n, laco_error *err)
{
    struct st_type type = st_types[t->dtype];
    laco_status status = st_check_elements(t, n, err);
    if (status) return status;
    ST_CONVERT(t, out, n, double)
    return LACO_OK;
}

laco_status st_to_f32(const st_tensor *t, float *out, int64_t n, laco_error *err)
{
    struct st_type type = st_types[t->dtype];
    laco_status status = st_check_elements(t, n, err);
    if (status) return status;
    ST_CONVERT(t, out, n, float)
    return LACO_OK;
}

laco_status st_to_i64(const st_tensor *t, int64_t *out, int64_t n, laco_error *err)
{
    struct st_type type = st_types[t->dtype];
    laco_status status = st_check_elements(t, n, err);
    for (int64_t i = 0; i < n && !status; i++) {
        uint64_t bits = st_bits(t, i);
        double x = type.kind == ST_REAL ? st_real(bits, t->dtype) : 0;
        bool fits = type.kind == ST_REAL ? x >= -0x1p63 && x < 0x1p63 && x == floor(x)
                                         : type.kind == ST_SIGNED || bits <= INT64_MAX;
        if (!fits)
            return fail(err, LACO_EFORMAT, -1, "tensor \"%.100s\": element %lld is not a whole number of 64 bits",
                        t->name, (long long)i);
        out[i] = type.kind == ST_REAL     ? (int64_t)x
                 : type.kind == ST_SIGNED ? st_signed(bits, type.bytes)
                                          : (int64_t)bits;
    }
    return status;
}

/* ---- writing ---- */
static void st_write_entry(json_out *o, const st_tensor *t, size_t begin)
{
    json_key(o, t->name);
    json_begin(o, '{');
    json_key(o, "dtype");
    json_text(o, st_types[t->dtype].name);
    json_key(o, "shape");
    json_begin(o, '[');
    for (int i = 0; i < t->rank; i++) json_int(o, t->shape[i]);
    json_end(o, ']');
    json_key(o, "data_offsets");
    json_begin(o, '[');
    json_int(o, (int64_t)begin);
    json_int(o, (int64_t)(begin + t->bytes));
    json_end(o, ']');
    json_end(o, '}');
}

/* Blanks behind the header bring the data to a multiple of ST_ALIGN. */
static void st_write_header(buf *header, const st_tensor *tensors, size_t count, const char *const *keys,
                            const char *const *values, size_t pairs)
{
    json_out o = { .to = header };
    json_begin(&o, '{');
    if (pairs > 0) {
        json_key(&o, st_metadata_key);
        json_begin(&o, '{');
        for (size_t i = 0; i < pairs; i++) {
            json_key(&o, keys[i]);
            json_text(&o, values[i]);
        }
        json_end(&o, '}');
    }
    for (size_t i = 0, at = 0; i < count; at += tensors[i++].bytes) st_write_entry(&o, &tensors[i], at);
    json_end(&o, '}');
    while (!header->failed && (8 + header->len) % ST_ALIGN) buf_text(header, " ");
}

static laco_status st_check_tensors(const st_tensor *tensors, size_t count, size_t *size, laco_error *err)
{
    *size = 0;
    for (size_t i = 0; i < count; i++) {
        const st_tensor *t = &tensors[i];
        if ((unsigned)t->dtype >= ST_TYPES || t->rank < 0 || t->rank > ST_RANK || !t->name)
            return fail(err, LACO_EINVAL, -1, "tensor %zu cannot be saved: no name, or an unknown type or rank", i);
        if (__builtin_add_overflow(*size, t->bytes, size) || *size > INT64_MAX)
            return fail(err, LACO_EINVAL, -1, "tensor \"%.100s\" cannot be saved: the file would be too large",
                        t->name);
    }
    return LACO_OK;
}

/* Reads the header back: whatever a reader would refuse, or find changed (a text that is not UTF-8), is not written. */
static laco_status st_check_header(const buf *header, const st_tensor *tensors, size_t count, const char *const *keys,
                                   const char *const *values, size_t pairs, size_t size, laco_error *err)
{
    static const char not_utf8[] = "cannot be saved: \"%.100s\" is not UTF-8";
    safetensors *s;
    laco_error inner;
    laco_status status = st_read_header(&s, header->data, header->len, NULL, size, &inner);
    if (status == LACO_EFORMAT) return fail(err, LACO_EINVAL, -1, "cannot be saved: %s", inner.msg);
    if (status) return fail(err, status, -1, "%s", inner.msg);
    for (size_t i = 0; i < count && !status; i++)
        if (strcmp(tensors[i].name, s->tensors[i].name) != 0)
            status = fail(err, LACO_EINVAL, -1, not_utf8, tensors[i].name);
    for (size_t i = 0; i < pairs && !status; i++) {
        const char *key, *value;
        st_metadata_at(s, i, &key, &value);
        if (strcmp(keys[i], key) != 0 || strcmp(values[i], value) != 0)
            status = fail(err, LACO_EINVAL, -1, not_utf8, keys[i]);
    }
    st_free(s);
    return status;
}

static laco_status st_write_file(const char *path, const buf *header, const st_tensor *tensors, size_t count,
                                 laco_error *err)
{
    file_writer *w;
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header->len >> (8 * i));
    laco_status status = file_create(&w, path, err);
    if (status) return status;
    status = file_write(w, length, sizeof length, err);
    if (!status) status = file_write(w, header->data, header->len, err);
    for (size_t i = 0; i < count && !status; i++) status = file_write(w, tensors[i].data, tensors[i].bytes, err);
    if (!status) return file_commit(w, err);
    file_abandon(w);
    return status;
}

laco_status st_save(const char *path, const st_tensor *tensors, size_t count, const char *const *keys,
                    const char *const *values, size_t pairs, laco_error *err)
{
    size_t size;
    laco_status status = st_check_tensors(tensors, count, &size, err);
    if (status) return status;
    buf header = { 0 };
    st_write_header(&header, tensors, count, keys, values, pairs);
    if (header.failed)
        status = fail_memory(err, header.len);
    else if (!(status = st_check_header(&header, tensors, count, keys, values, pairs, size, err)))
        status = st_write_file(path, &header, tensors, count, err);
    buf_free(&header);
    return status;
}
