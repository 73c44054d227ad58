/* safetensors: the edge cases of test/golden/safetensors-edge, conversions, saving. */
#include "base/file.h"
#include "format/safetensors.h"
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#define EDGE "test/golden/safetensors-edge/"

static safetensors *load(const char *name)
{
    char path[200];
    safetensors *s;
    laco_error e;
    snprintf(path, sizeof path, EDGE "%s.safetensors", name);
    laco_status status = st_load(&s, path, &e);
    if (status) print_error("%s\n", e.msg);
    assert_int_equal(status, LACO_OK);
    return s;
}

static void edge_cases(void **state)
{
    (void)state;
    int good = 0, bad = 0;
    DIR *d = opendir(EDGE);
    assert_non_null(d);
    for (struct dirent *f; (f = readdir(d));) {
        char path[400];
        safetensors *s;
        laco_error e;
        bool accept = strncmp(f->d_name, "ok_", 3) == 0;
        if (!accept && strncmp(f->d_name, "bad_", 4) != 0) continue;
        snprintf(path, sizeof path, EDGE "%s", f->d_name);
        laco_status status = st_load(&s, path, &e);
        if (status != (accept ? LACO_OK : LACO_EFORMAT)) print_error("%s\n", path);
        assert_int_equal(status, accept ? LACO_OK : LACO_EFORMAT);
        if (!accept) assert_true(s == NULL && strstr(e.msg, f->d_name) && strlen(e.msg) > strlen(path) + 20);
        accept ? good++ : bad++;
        st_free(s);
    }
    closedir(d);
    assert_int_equal(good, 11);
    assert_int_equal(bad, 23);
}

static void messages_name_the_tensor(void **state)
{
    (void)state;
    static const struct {
        const char *name, *word;
    } cases[] = {
        { "bad_begin_gt_end", "\"a\" has data_offsets" },
        { "bad_dtype", "\"a\" has the dtype \"F33\"" },
        { "bad_duplicate_key", "\"a\" is there twice" },
        { "bad_fraction_dim", "\"a\" has a dimension" },
        { "bad_hole", "\"b\" has a hole" },
        { "bad_missing_shape", "\"a\" has no shape" },
        { "bad_negative_dim", "\"a\" has a dimension" },
        { "bad_offset_past_data", "\"a\" ends behind" },
        { "bad_overlap", "\"b\" overlaps" },
        { "bad_shape_overflow", "\"a\" has a shape too large" },
        { "bad_size_mismatch", "\"a\" has a shape that" },
        { "bad_trailing_data", "4 bytes behind the last tensor a" },
        { "bad_metadata_nonstring", "metadata \"n\"" },
        { "bad_deep_nesting", "deeper" },
        { "bad_utf8", "UTF-8" },
        { "bad_len_huge", "longer than the file" },
        { "bad_short", "shorter than 8" },
        { "bad_array_root", "begin with {" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[200];
        safetensors *s;
        laco_error e;
        snprintf(path, sizeof path, EDGE "%s.safetensors", cases[i].name);
        assert_int_equal(st_load(&s, path, &e), LACO_EFORMAT);
        if (!strstr(e.msg, cases[i].word)) print_error("%s\n", e.msg);
        assert_non_null(strstr(e.msg, cases[i].word));
    }
}

static void every_beginning_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "ok_plain",      "ok_metadata",      "ok_all_ints",
                                         "ok_no_tensors", "ok_reverse_order", "ok_f16_bf16" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[200], *bytes;
        size_t n;
        safetensors *s;
        snprintf(path, sizeof path, EDGE "%s.safetensors", names[i]);
        assert_int_equal(file_read(path, 1 << 20, &bytes, &n, NULL), LACO_OK);
        for (size_t cut = 0; cut <= n; cut++) {
            char *exact = malloc(cut ? cut : 1); /* not a byte behind it may be read */
            memcpy(exact, bytes, cut);
            assert_int_equal(st_parse(&s, exact, cut, NULL), cut < n ? LACO_EFORMAT : LACO_OK);
            st_free(s);
            free(exact);
        }
        mem_free(bytes);
    }
}

static void reads_names_shapes_and_metadata(void **state)
{
    (void)state;
    double x[4];
    const char *key, *value;
    safetensors *s = load("ok_plain");
    assert_int_equal(st_count(s), 1);
    const st_tensor *t = st_at(s, 0);
    assert_int_equal(t->rank, 2);
    assert_true(t->shape[0] == 2 && t->shape[1] == 2 && t->bytes == 16 && t->dtype == ST_F32);
    assert_int_equal(st_to_f64(t, x, 4, NULL), LACO_OK);
    for (int i = 0; i < 4; i++) assert_true(x[i] == i);
    assert_null(st_at(s, 1));
    assert_null(st_metadata(s, "a"));
    assert_int_equal(st_metadata_count(s), 0);
    st_metadata_at(s, 0, &key, &value);
    assert_true(!key && !value);
    st_free(s);

    s = load("ok_scalar_rank0");
    assert_int_equal(st_at(s, 0)->rank, 0);
    assert_int_equal(st_elements(st_at(s, 0)), 1);
    st_free(s);
    s = load("ok_empty_dim");
    assert_int_equal(st_elements(st_find(s, "e")), 0);
    assert_int_equal(st_to_f64(st_find(s, "e"), NULL, 0, NULL), LACO_OK);
    assert_int_equal(st_elements(st_find(s, "a")), 4);
    assert_null(st_find(s, "b"));
    st_free(s);
    s = load("ok_unicode_escaped_name");
    assert_non_null(st_find(s, "w\xC3\xA9\"x"));
    st_free(s);
    s = load("ok_metadata");
    assert_true(st_metadata_count(s) > 0);
    for (size_t i = 0; i < st_metadata_count(s); i++) {
        st_metadata_at(s, i, &key, &value);
        assert_ptr_equal(st_metadata(s, key), value);
    }
    st_free(s);
    st_free(NULL);
}

static void reads_whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t value[2];
        int n;
    } cases[] = { { "u8", { 255 }, 1 }, { "i8", { -1 }, 1 },  { "i16", { -2 }, 1 },
                  { "i32", { -3 }, 1 }, { "i64", { -4 }, 1 }, { "b", { 1, 0 }, 2 } };
    safetensors *s = load("ok_all_ints");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t whole[2];
        double d[2];
        float f[2];
        const st_tensor *t = st_at(s, i);
        assert_non_null(t);
        assert_int_equal(st_elements(t), cases[i].n);
        assert_int_equal(st_to_i64(t, whole, cases[i].n, NULL), LACO_OK);
        assert_int_equal(st_to_f64(t, d, cases[i].n, NULL), LACO_OK);
        assert_int_equal(st_to_f32(t, f, cases[i].n, NULL), LACO_OK);
        for (int k = 0; k < cases[i].n; k++) {
            assert_int_equal(whole[k], cases[i].value[k]);
            assert_true(d[k] == (double)cases[i].value[k] && f[k] == (float)cases[i].value[k]);
        }
    }
    laco_error e;
    int64_t two[2];
    assert_int_equal(st_to_i64(st_at(s, 0), two, 2, &e), LACO_EINVAL);
    assert_non_null(strstr(e.msg, "1 elements where 2"));
    st_free(s);
}

/* A tensor over bytes that are not aligned. */
static st_tensor tensor(st_dtype type, const void *bytes, size_t n, int64_t elements)
{
    static unsigned char room[200];
    memcpy(room + 1, bytes, n);
    return (st_tensor){ .name = "t", .dtype = type, .rank = 1, .shape = { elements }, .data = room + 1, .bytes = n };
}

static void converts_halves_exactly(void **state)
{
    (void)state;
    static const struct {
        st_dtype type;
        unsigned bits;
        double value;
    } cases[] = {
        { ST_F16, 0x0000, 0.0 },       { ST_F16, 0x8000, -0.0 },        { ST_F16, 0x3C00, 1 },
        { ST_F16, 0xC000, -2 },        { ST_F16, 0x0001, 0x1p-24 },     { ST_F16, 0x83FF, -1023 * 0x1p-24 },
        { ST_F16, 0x0400, 0x1p-14 },   { ST_F16, 0x7BFF, 65504 },       { ST_F16, 0x3555, 0x1.554p-2 },
        { ST_F16, 0x7C00, INFINITY },  { ST_F16, 0xFC00, -INFINITY },   { ST_F16, 0x7E00, NAN },
        { ST_F16, 0x7C01, NAN },       { ST_BF16, 0x3F80, 1 },          { ST_BF16, 0xC000, -2 },
        { ST_BF16, 0x0001, 0x1p-133 }, { ST_BF16, 0x7F7F, 0x1.FEp127 }, { ST_BF16, 0x7F80, INFINITY },
        { ST_BF16, 0x7FC0, NAN },      { ST_BF16, 0x8000, -0.0 },       { ST_BF16, 0x4049, 3.140625 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char bytes[2] = { cases[i].bits & 255, cases[i].bits >> 8 };
        st_tensor t = tensor(cases[i].type, bytes, 2, 1);
        double d;
        float f;
        assert_int_equal(st_to_f64(&t, &d, 1, NULL), LACO_OK);
        assert_int_equal(st_to_f32(&t, &f, 1, NULL), LACO_OK);
        if (isnan(cases[i].value))
            assert_true(isnan(d) && isnan(f));
        else
            assert_true(d == cases[i].value && f == (float)d && !signbit(d) == !signbit(cases[i].value));
    }
}

static void converts_between_types(void **state)
{
    (void)state;
    static const unsigned char u64_max[] = { 255, 255, 255, 255, 255, 255, 255, 255 };
    static const unsigned char odd[] = { 1, 0, 0, 0x80, 0, 0, 0x80, 0 }; /* 2^55 + 2^31 + 1: just above half a step */
    static const unsigned char f64[] = { 0x18, 0x2D, 0x44, 0x54, 0xFB, 0x21, 0x09, 0x40, 0, 0, 0, 0, 0, 0, 0x08, 0xC0 };
    double d[2];
    float f[2];
    int64_t whole[2];
    laco_error e;
    st_tensor t = tensor(ST_U64, u64_max, 8, 1);
    assert_int_equal(st_to_f64(&t, d, 1, &e), LACO_OK);
    assert_true(d[0] == 0x1p64);
    assert_int_equal(st_to_i64(&t, whole, 1, &e), LACO_EFORMAT);
    assert_non_null(strstr(e.msg, "\"t\""));
    t.dtype = ST_I64;
    assert_int_equal(st_to_i64(&t, whole, 1, &e), LACO_OK);
    assert_int_equal(whole[0], -1);
    t = tensor(ST_I64, odd, 8, 1);
    assert_int_equal(st_to_f32(&t, f, 1, &e), LACO_OK);
    assert_true(f[0] == 0x1.000002p55f); /* by way of a double it would be 2^55 */
    t = tensor(ST_F64, f64, 16, 2);
    assert_int_equal(st_to_f64(&t, d, 2, &e), LACO_OK);
    assert_true(d[0] == 3.141592653589793 && d[1] == -3);
    assert_int_equal(st_to_f32(&t, f, 2, &e), LACO_OK);
    assert_true(f[0] == 3.14159274f && f[1] == -3);
    assert_int_equal(st_to_i64(&t, whole, 2, &e), LACO_EFORMAT);
    assert_non_null(strstr(e.msg, "element 0"));
    t = tensor(ST_F64, f64 + 8, 8, 1);
    assert_int_equal(st_to_i64(&t, whole, 1, &e), LACO_OK);
    assert_int_equal(whole[0], -3);
    t = tensor(ST_U32, u64_max, 8, 2);
    assert_int_equal(st_to_i64(&t, whole, 2, &e), LACO_OK);
    assert_true(whole[0] == UINT32_MAX && whole[1] == UINT32_MAX);
    t = tensor(ST_U16, u64_max, 4, 2);
    assert_int_equal(st_to_i64(&t, whole, 2, &e), LACO_OK);
    assert_true(whole[0] == 65535);
}

/* ---- headers written by hand ---- */
static laco_status parse_header(const char *header, size_t data, laco_error *e)
{
    static unsigned char file[4096];
    size_t n = strlen(header);
    memset(file, 0, sizeof file);
    file[0] = (unsigned char)(n & 255);
    file[1] = (unsigned char)(n >> 8);
    memcpy(file + 8, header, n);
    safetensors *s;
    laco_status status = st_parse(&s, file, 8 + n + data, e);
    st_free(s);
    return status;
}

static void further_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *word; /* NULL: accepted */
    } cases[] = {
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, NULL },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
          "\"a\" has more than 8" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4611686018427387904,0],\"data_offsets\":[0,0]}}", 0, NULL },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[0,9223372036854775808],\"data_offsets\":[0,0]}}", 0, "dimension" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807,2],\"data_offsets\":[0,0]}}", 0, "too large" },
        { "{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0, "too large" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[\"1\"],\"data_offsets\":[0,1]}}", 1, "dimension" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", 1, "no shape" },
        { "{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "no dtype" },
        { "{\"a\":{\"dtype\":\"U8\\u0000\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, "data_offsets" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, "data_offsets" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]}}", 1, "data_offsets" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1.0]}}", 1, "data_offsets" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,true]}}", 1, "data_offsets" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,18446744073709551616]}}", 1, "data_offsets" },
        { "{\"a\":[]}", 0, "\"a\" is not described" },
        { "{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "zero byte" },
        { "{\"__metadata__\":[]}", 0, "__metadata__" },
        { "{\"__metadata__\":{\"a\":\"b\\u0000\"}}", 0, "\"a\"" },
        { "{\"__metadata__\":{\"a\":\"b\"},\"__metadata__\":{}}", 0, "twice" },
        { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "twice" },
        { "{} {}", 0, "behind" },
        { "{}", 1, "1 bytes behind" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_"
          "offsets\":[1,1]}}",
          2, "overlaps" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_"
          "offsets\":[2,2]}}",
          2, NULL },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_"
          "offsets\":[0,1]}}",
          1, "overlaps" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        laco_error e = { 0 };
        laco_status status = parse_header(cases[i].header, cases[i].data, &e);
        if (!status != !cases[i].word || (status && !strstr(e.msg, cases[i].word)))
            print_error("%s: %s\n", cases[i].header, e.msg);
        assert_int_equal(status, cases[i].word ? LACO_EFORMAT : LACO_OK);
        if (cases[i].word) assert_non_null(strstr(e.msg, cases[i].word));
    }
}

/* ---- saving ---- */
static char target[] = "/tmp/laco-test-st-XXXXXX";

static int make_target(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    int fd = mkstemp(target);
    return fd < 0 ? -1 : close(fd);
}

static int remove_target(void **state)
{
    (void)state;
    return unlink(target);
}

static void what_is_saved_loads(void **state)
{
    (void)state;
    static const unsigned char data[] = { 0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64 }; /* 1, 2, 3 */
    static const char *const keys[] = { "net", "line\nbreak \xE2\x82\xAC" }, *const values[] = { "lstm 8; dense 1",
                                                                                                 "\"\\\x01" };
    const st_tensor tensors[] = {
        { "layers.0.weight", ST_F32, 2, { 3, 1 }, data, 12 },
        { "empty", ST_F64, 3, { 2, 0, 5 }, NULL, 0 },
        { "scalar", ST_U8, 0, { 0 }, data + 2, 1 },
        { "half \"\xC3\xA9", ST_BF16, 1, { 2 }, data + 2, 4 },
    };
    laco_error e;
    for (int pairs = 0; pairs <= 2; pairs += 2) {
        for (size_t count = 0; count <= 4; count += 4) {
            char *bytes;
            size_t n;
            safetensors *s;
            assert_int_equal(st_save(target, tensors, count, keys, values, (size_t)pairs, &e), LACO_OK);
            assert_int_equal(file_read(target, 1 << 20, &bytes, &n, &e), LACO_OK);
            size_t header = (unsigned char)bytes[0] + 256u * (unsigned char)bytes[1];
            assert_int_equal((8 + header) % 64, 0);
            assert_int_equal(n, 8 + header + (count ? 17 : 0));
            mem_free(bytes);
            assert_int_equal(st_load(&s, target, &e), LACO_OK);
            assert_int_equal(st_count(s), count);
            assert_int_equal(st_metadata_count(s), pairs);
            for (int i = 0; i < pairs; i++) assert_string_equal(st_metadata(s, keys[i]), values[i]);
            for (size_t i = 0; i < count; i++) {
                const st_tensor *t = st_at(s, i);
                assert_string_equal(t->name, tensors[i].name);
                assert_true(t->dtype == tensors[i].dtype && t->rank == tensors[i].rank && t->bytes == tensors[i].bytes);
                for (int k = 0; k < t->rank; k++) assert_int_equal(t->shape[k], tensors[i].shape[k]);
                if (t->bytes) assert_memory_equal(t->data, tensors[i].data, t->bytes);
            }
            st_free(s);
        }
    }
}

static void nonsense_is_not_saved(void **state)
{
    (void)state;
    static const unsigned char data[16] = { 0 };
    static const struct {
        st_tensor t[2];
        size_t count;
        const char *key, *value, *word;
    } cases[] = {
        { { { "a", ST_F32, 1, { 3 }, data, 16 } }, 1, NULL, NULL, "\"a\" has a shape" },
        { { { "a", ST_F32, 1, { -4 }, data, 16 } }, 1, NULL, NULL, "\"a\" has a dimension" },
        { { { "a", ST_F32, 9, { 4 }, data, 16 } }, 1, NULL, NULL, "tensor 0" },
        { { { "a", (st_dtype)13, 1, { 4 }, data, 16 } }, 1, NULL, NULL, "tensor 0" },
        { { { NULL, ST_F32, 1, { 4 }, data, 16 } }, 1, NULL, NULL, "tensor 0" },
        { { { "a", ST_U8, 1, { 1 }, data, 1 }, { "a", ST_U8, 1, { 1 }, data, 1 } },
          2,
          NULL,
          NULL,
          "\"a\" is there twice" },
        { { { "a", ST_U8, 1, { 1 }, data, 1 }, { "b", ST_U8, 1, { 1 }, data, SIZE_MAX } }, 2, NULL, NULL, "\"b\"" },
        { { { "__metadata__", ST_U8, 1, { 1 }, data, 1 } }, 1, NULL, NULL, "metadata" },
        { { { "__metadata__", ST_U8, 1, { 1 }, data, 1 } }, 1, "k", "v", "twice" },
        { { { "\xff", ST_U8, 1, { 1 }, data, 1 } }, 1, NULL, NULL, "UTF-8" },
        { { { "a", ST_U8, 1, { 1 }, data, 1 } }, 1, "k", "\xC3", "UTF-8" },
    };
    laco_error e;
    assert_int_equal(st_save(target, NULL, 0, NULL, NULL, 0, &e), LACO_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t pairs = cases[i].key ? 1 : 0;
        assert_int_equal(st_save(target, cases[i].t, cases[i].count, &cases[i].key, &cases[i].value, pairs, &e),
                         LACO_EINVAL);
        if (!strstr(e.msg, cases[i].word)) print_error("%s\n", e.msg);
        assert_non_null(strstr(e.msg, cases[i].word));
    }
    safetensors *s;
    assert_int_equal(st_load(&s, target, &e), LACO_OK); /* the empty one is still there */
    assert_int_equal(st_count(s), 0);
    st_free(s);
}

static void a_failed_save_leaves_the_old_file(void **state)
{
    (void)state;
    static unsigned char big[100000];
    const st_tensor small = { "small", ST_U8, 1, { 1 }, big, 1 },
                    large = { "large", ST_U8, 1, { 100000 }, big, 100000 };
    struct rlimit old, limit;
    laco_error e;
    assert_int_equal(st_save(target, &small, 1, NULL, NULL, 0, &e), LACO_OK);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 50000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    laco_status status = st_save(target, &large, 1, NULL, NULL, 0, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(status, LACO_EIO);
    safetensors *s;
    assert_int_equal(st_load(&s, target, &e), LACO_OK);
    assert_non_null(st_find(s, "small"));
    st_free(s);
    assert_int_equal(st_save("missing/folder/file", &small, 1, NULL, NULL, 0, &e), LACO_EIO);
    assert_int_equal(st_load(&s, "missing/folder/file", &e), LACO_EIO);
}

/* Gives memory `left` times, then none; counts the blocks that are out. */
static int left, live;
static void *scarce(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n == 0) {
        live--;
        free(p);
        return NULL;
    }
    if (left-- <= 0) return NULL;
    live++;
    return malloc(n);
}

static void every_lack_of_memory_is_survived(void **state)
{
    (void)state;
    static const unsigned char data[4] = { 0 };
    static const char *const key = "k", *const value = "v";
    const st_tensor t = { "a", ST_F32, 1, { 1 }, data, 4 };
    laco_status status = LACO_ENOMEM;
    int allowed = 0;
    assert_int_equal(st_save(target, NULL, 0, NULL, NULL, 0, NULL), LACO_OK);
    for (; status; allowed++) {
        safetensors *s;
        laco_error e;
        left = allowed;
        laco_set_allocator(scarce, NULL);
        status = st_load(&s, target, &e);
        if (!status) st_free(s);
        if (!status) status = st_save(target, &t, 1, &key, &value, 1, &e);
        laco_set_allocator(NULL, NULL);
        assert_true(status == LACO_OK || (status == LACO_ENOMEM && e.code == LACO_ENOMEM));
        assert_int_equal(live, 0);
    }
    assert_in_range(allowed, 10, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edge_cases),
        cmocka_unit_test(messages_name_the_tensor),
        cmocka_unit_test(every_beginning_is_refused),
        cmocka_unit_test(reads_names_shapes_and_metadata),
        cmocka_unit_test(reads_whole_numbers),
        cmocka_unit_test(converts_halves_exactly),
        cmocka_unit_test(converts_between_types),
        cmocka_unit_test(further_headers),
        cmocka_unit_test(what_is_saved_loads),
        cmocka_unit_test(nonsense_is_not_saved),
        cmocka_unit_test(a_failed_save_leaves_the_old_file),
        cmocka_unit_test(every_lack_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, make_target, remove_target);
}
