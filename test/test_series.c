/* Readers of sequences of numbers: what they give, where errors are, and the files of ../shared/data. */
#include "data/readers.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>
#include "series_kit.h"

static void expect_error(laco_status st, const laco_error *err, const char *begins)
{
    assert_int_equal(st, LACO_EFORMAT);
    if (strncmp(err->msg, begins, strlen(begins))) fail_msg("%s", err->msg);
}

/* ---- .ts ---- */
static laco_status ts(series_set *s, const char *text, laco_error *err)
{
    const series_parts to = series_whole(s);
    return series_parse_ts(&to, text, strlen(text), "t.ts", err);
}
static void ts_channels_become_steps(void **state)
{
    (void)state;
    static const char text[] = "# remark\n@problemName x\n@dimensions 2\r\n@CLASSLABEL true a b\n@data\n"
                               "1, -2.5e1,?:4,5,6:b\r\n\n7:NaN:?\n";
    series_set s;
    assert_int_equal(ts(&s, text, NULL), LACO_OK);
    assert_true(s.count == 2 && s.features == 2 && s.start[1] == 3 && s.start[2] == 4);
    assert_true(s.x[0] == 1 && s.x[1] == 4 && s.x[2] == -25 && s.x[3] == 5 && isnan(s.x[4]) && s.x[5] == 6);
    assert_true(s.x[6] == 7 && isnan(s.x[7]) && series_missing(&s) == 2);
    assert_string_equal(s.label[0], "b");
    assert_null(s.label[1]);
    assert_null(s.target);
    series_free(&s);
}
static void ts_targets(void **state)
{
    (void)state;
    series_set s;
    assert_int_equal(ts(&s, "@targetLabel true\n@univariate true\n@data\n1,2:3.5\n1:?\n", NULL), LACO_OK);
    assert_true(s.count == 2 && s.target[0] == 3.5 && isnan(s.target[1]) && !s.label);
    series_free(&s);
    assert_int_equal(ts(&s, "@classLabel false\n@data\n1,2:3,4\n", NULL), LACO_OK);
    assert_true(s.count == 1 && s.features == 2 && !s.target && !s.label);
    series_free(&s);
}
static void ts_errors_name_the_line(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "1,2:3\n@data\n", "t.ts, line 1: lines before @data" },
        { "@problemName x\n", "t.ts, line 1: there is no @data" },
        { "@timeStamps true\n@data\n", "t.ts, line 1: series with time stamps" },
        { "@dimensions 0\n@data\n", "t.ts, line 1: a count of 1" },
        { "@classLabel maybe\n@data\n", "t.ts, line 1: @classLabel is true" },
        { "@data\n", "t.ts, line 1: no case" },
        { "@data\n1,x\n", "t.ts, line 2: a value must be" },
        { "@data\n1,inf\n", "t.ts, line 2: a value must be" },
        { "@data\n1,1e39\n", "t.ts, line 2: a value must be" },
        { "@data\n1,2:3\n", "t.ts, line 2: its channels differ" },
        { "@data\n:\n", "t.ts, line 2: it has no steps" },
        { "@data\n1:2\n1\n", "t.ts, line 3: it has 1 channels where 2" },
        { "@dimensions 3\n@data\n1:2\n", "t.ts, line 3: it has 2 channels where 3" },
        { "@seriesLength 3\n@data\n1,2\n", "t.ts, line 3: its length is not" },
        { "@classLabel true a\n@data\n1,2:b\n", "t.ts, line 3: the class b is not one" },
        { "@classLabel true a\n@data\n1,2\n", "t.ts, line 3: a case ends in a colon" },
        { "@targetLabel true\n@data\n1:a\n", "t.ts, line 3: the target must be" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        series_set s;
        laco_error err;
        laco_status st = ts(&s, rows[i][0], &err);
        expect_error(st, &err, rows[i][1]);
        assert_true(!s.x && !s.start && !s.label && !s.count);
    }
}

/* ---- arrays ---- */
static size_t npy(char *to, const char *head, const void *values, size_t n)
{
    memcpy(to, "\x93NUMPY\1\0", 8);
    to[8] = (char)strlen(head), to[9] = 0;
    memcpy(to + 10, head, strlen(head)), memcpy(to + 10 + strlen(head), values, n);
    return 10 + strlen(head) + n;
}
static laco_status parse(series_set *s, const char *a, size_t n, const char *l, size_t m, laco_error *err)
{
    const series_parts to = series_whole(s);
    return series_parse_array(&to, (bytes_view){ a, "a", n }, l ? &(bytes_view){ l, "l", m } : NULL, err);
}
static void npy_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        int64_t count, length, features;
    } rows[] = { { "(12,)", 1, 12, 1 }, { "(3, 4)", 1, 3, 4 }, { "(2, 3, 2)", 2, 3, 2 } };
    unsigned char byte[12];
    for (int i = 0; i < 12; i++) byte[i] = (unsigned char)(240 + i);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        char head[96], file[200];
        series_set s;
        snprintf(head, sizeof head, "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }", rows[k].shape);
        size_t n = npy(file, head, byte, 12);
        assert_int_equal(parse(&s, file, n, NULL, 0, NULL), LACO_OK);
        assert_true(s.count == rows[k].count && s.features == rows[k].features);
        assert_true(s.start[1] == rows[k].length && s.start[s.count] * s.features == 12);
        for (int i = 0; i < 12; i++) assert_true(s.x[i] == (float)(240 + i));
        series_free(&s);
    }
}
static void npy_types_and_orders(void **state)
{
    (void)state;
    static const struct {
        const char *type, *bytes;
        size_t n;
        float value;
    } rows[] = {
        { "<f8", "\0\0\0\0\0\0\xf8\xbf", 8, -1.5f }, { ">f8", "\xbf\xf8\0\0\0\0\0\0", 8, -1.5f },
        { "<f4", "\0\0\x20\x40", 4, 2.5f },          { ">f4", "\x40\x20\0\0", 4, 2.5f },
        { "<f2", "\0\xbe", 2, -1.5f },               { ">f2", "\0\1", 2, 0x1p-24f },
        { "|i1", "\xfe", 1, -2 },                    { "<i2", "\xfe\xff", 2, -2 },
        { ">i2", "\1\2", 2, 258 },                   { "<i4", "\xfe\xff\xff\xff", 4, -2 },
        { ">i8", "\0\0\0\0\0\0\1\0", 8, 256 },       { "<u4", "\0\0\0\x80", 4, 2147483648.0f },
        { "|b1", "\1", 1, 1 },
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        char head[96], file[200];
        series_set s;
        snprintf(head, sizeof head, "{'shape': (1,), 'fortran_order': False, 'descr': '%s'}", rows[k].type);
        assert_int_equal(parse(&s, file, npy(file, head, rows[k].bytes, rows[k].n), NULL, 0, NULL), LACO_OK);
        assert_true(s.x[0] == rows[k].value);
        series_free(&s);
    }
    char file[200];
    series_set s;
    const char by_column[] = { 1, 4, 2, 5, 3, 6 };
    size_t n = npy(file, "{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3)}", by_column, 6);
    assert_int_equal(parse(&s, file, n, NULL, 0, NULL), LACO_OK);
    for (int i = 0; i < 6; i++) assert_true(s.x[i] == (float)(i + 1));
    series_free(&s);
}
static void npy_labels(void **state)
{
    (void)state;
    char a[200], l[200];
    series_set s;
    size_t n = npy(a, "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3)}", "\1\2\3\4\5\6", 6);
    size_t m = npy(l, "{'descr': '|i1', 'fortran_order': False, 'shape': (2,)}", "\7\xff", 2);
    assert_int_equal(parse(&s, a, n, l, m, NULL), LACO_OK);
    assert_true(s.count == 2 && s.features == 1 && s.start[1] == 3);
    assert_string_equal(s.label[0], "7");
    assert_string_equal(s.label[1], "-1");
    series_free(&s);
    m = npy(l, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "\0\0\x20\x40\0\0\xc0\x7f", 8);
    assert_int_equal(parse(&s, a, n, l, m, NULL), LACO_OK);
    assert_true(!s.label && s.target[0] == 2.5 && isnan(s.target[1]));
    series_free(&s);
    n = npy(a, "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 3, 2)}", "\1\2\3\4\5\6", 6);
    m = npy(l, "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 3)}", "\2\1\2", 3);
    assert_int_equal(parse(&s, a, n, l, m, NULL), LACO_OK);
    assert_string_equal(s.step_label[0], "2");
    assert_string_equal(s.step_label[1], "1");
    assert_ptr_equal(s.step_label[0], s.step_label[2]);
    assert_true(s.label_text[1] && !s.label_text[2]);
    series_set one;
    assert_int_equal(series_subset(&one, &s, &(int64_t){ 0 }, 1, NULL), LACO_OK);
    assert_string_equal(one.step_label[1], "1");
    assert_ptr_not_equal(one.step_label[1], s.step_label[1]);
    series_free(&one), series_free(&s);
}
static void array_errors(void **state)
{
    (void)state;
    static const char *const heads[][2] = {
        { "{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}", "a: arrays of f2" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "a: arrays of f2" },
        { "{'descr': '<f4', 'shape': (2,)}", "a: its head has no 'fortran_order'" },
        { "{'descr': '<f4', 'fortran_order': False}", "a: its head has no 'shape'" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2", "a: its 'shape' is damaged" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", "a: its 'shape' is damaged" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999,)}", "a: its 'shape' is damaged or" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "a: it has more than 8" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 999999999999)}", "a: its dimensions are too" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "a: its dimensions need 12 bytes, and 8" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 2)}", "a has 4 dimensions" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "a: value 2 is infinite" },
    };
    series_set s;
    laco_error err;
    char file[200];
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        laco_status st = parse(&s, file, npy(file, heads[i][0], "\0\0\0\0\0\0\x80\x7f", 8), NULL, 0, &err);
        expect_error(st, &err, heads[i][1]);
        assert_true(!s.x && !s.start);
    }
    expect_error(parse(&s, "\x93NUMPY\4\0\1\0{", 11, NULL, 0, &err), &err, "a: this version");
    expect_error(parse(&s, "\x93NUMPY\1\0\5\0{", 11, NULL, 0, &err), &err, "a: its head is longer");
    expect_error(parse(&s, "RIFF", 4, NULL, 0, &err), &err, "a: it begins neither");
    expect_error(parse(&s, "\0\0\7\1", 4, NULL, 0, &err), &err, "a: idx of an unknown type");
    expect_error(parse(&s, "\0\0\10\2\0\0", 6, NULL, 0, &err), &err, "a: it ends within");
    expect_error(parse(&s, "\0\0\10\1\0\0\0\1\5", 9, NULL, 0, &err), &err, "a holds one number a case");
}
static void idx_images(void **state)
{
    (void)state;
    static const char images[] = "\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\2\0\xff\x33\0", labels[] = "\0\0\10\1\0\0\0\2\3\11";
    series_set s;
    laco_error err;
    assert_int_equal(parse(&s, images, 20, labels, 10, NULL), LACO_OK);
    assert_true(s.count == 2 && s.features == 1 && s.start[1] == 2);
    assert_true(s.x[0] == 0 && s.x[1] == 1 && s.x[2] == 0.2f && s.x[3] == 0);
    assert_string_equal(s.label[0], "3");
    assert_string_equal(s.label[1], "9");
    series_free(&s);
    expect_error(parse(&s, images, 20, images, 20, &err), &err, "l does not fit a: it should hold 2 numbers");
}

/* ---- in parts ---- */
static laco_status text_in_parts(const series_parts *to, const void *text, laco_error *err)
{
    return series_parse_ts(to, text, strlen(text), "t.ts", err);
}
typedef struct arrays {
    bytes_view data, labels;
} arrays;
static laco_status arrays_in_parts(const series_parts *to, const void *what, laco_error *err)
{
    const arrays *a = what;
    return series_parse_array(to, a->data, &a->labels, err);
}
static void parts_are_the_whole(void **state)
{
    (void)state;
    same_in_parts(text_in_parts, "@dimensions 2\n@classLabel true a b\n@data\n1,2:3,4:a\n5:?:?\n\n# x\n7,8,9:7,8,9:b\n");
    same_in_parts(text_in_parts, "@targetLabel true\n@data\n1,2:0.5\n3:?\n4,5,6:7\n8:9\n");
    static const struct {
        const char *data, *labels, *bytes;
        size_t n;
    } rows[] = {
        { "(3, 2)", "'|i1', 'fortran_order': False, 'shape': (3,)", "\7\xff\3", 3 },
        { "(3, 2)", "'<f4', 'fortran_order': False, 'shape': (3,)", "\0\0\x20\x40\0\0\xc0\x7f\0\0\x20\xc0", 12 },
        { "(3, 2, 1)", "'|i1', 'fortran_order': False, 'shape': (3, 2)", "\1\2\2\3\1\1", 6 },
        { "(3, 2, 1)", "'|i1', 'fortran_order': True, 'shape': (3, 2)", "\1\2\2\3\1\1", 6 },
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        char head[96], labels_head[96], a[200], l[200];
        snprintf(head, sizeof head, "{'descr': '|i1', 'fortran_order': False, 'shape': %s}", rows[k].data);
        snprintf(labels_head, sizeof labels_head, "{'descr': %s}", rows[k].labels);
        size_t n = npy(a, head, "\1\2\3\4\5\6", 6), m = npy(l, labels_head, rows[k].bytes, rows[k].n);
        same_in_parts(arrays_in_parts, &(arrays){ { a, "a", n }, { l, "l", m } });
    }
}

/* ---- files ---- */
static bool read_data(series_set *s, const char *file)
{
    char path[1024];
    const char *data = getenv("LACO_DATA");
    if (!data) return false;
    snprintf(path, sizeof path, "%s/%s", data, file);
    if (access(path, R_OK)) return false;
    assert_int_equal(series_read(s, path, NULL, NULL), LACO_OK);
    return true;
}
static void japanese_vowels(void **state)
{
    (void)state;
    series_set s;
    if (!read_data(&s, "uea/JapaneseVowels_TRAIN.ts.gz")) skip();
    assert_true(s.count == 270 && s.features == 12 && s.start[270] == 4274 && series_missing(&s) == 0);
    assert_true(s.x[0] == 1.860936f && s.x[1] == -0.207383f && s.x[12] == 1.891651f);
    int64_t of_nine = 0;
    for (int64_t i = 0; i < s.count; i++) of_nine += !strcmp(s.label[i], "9");
    assert_int_equal(of_nine, 30);
    series_free(&s);
}
static void mnist_with_the_labels_beside(void **state)
{
    (void)state;
    series_set s;
    if (!read_data(&s, "mnist/t10k-images-idx3-ubyte.gz")) skip();
    assert_true(s.count == 10000 && s.features == 1 && s.start[1] == 784);
    assert_string_equal(s.label[0], "7");
    assert_string_equal(s.label[9999], "6");
    series_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ts_channels_become_steps), cmocka_unit_test(ts_targets),
        cmocka_unit_test(ts_errors_name_the_line),  cmocka_unit_test(npy_shapes),
        cmocka_unit_test(npy_types_and_orders),     cmocka_unit_test(npy_labels),
        cmocka_unit_test(array_errors),             cmocka_unit_test(idx_images),
        cmocka_unit_test(parts_are_the_whole),
        cmocka_unit_test(japanese_vowels),          cmocka_unit_test(mnist_with_the_labels_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
