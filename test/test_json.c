/* JSON: what is accepted, what is refused and where, and what is written. */
#include "base/json.h"
#include "base/rng.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static json_doc *parse(const char *text)
{
    json_doc *d;
    laco_error e;
    laco_status status = json_parse(&d, text, strlen(text), &e);
    if (status) print_error("%s: %s\n", text, e.msg);
    assert_int_equal(status, LACO_OK);
    return d;
}

static void accepts_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        json_kind kind;
        size_t len;
    } cases[] = {
        { "null", JSON_NULL, 0 },          { "true", JSON_TRUE, 0 },       { " \t\r\nfalse\n", JSON_FALSE, 0 },
        { "0", JSON_NUMBER, 0 },           { "\"\"", JSON_STRING, 0 },     { "\"abc\"", JSON_STRING, 3 },
        { "[]", JSON_ARRAY, 0 },           { "[ ]", JSON_ARRAY, 0 },       { "[1 , 2,3]", JSON_ARRAY, 3 },
        { "{}", JSON_OBJECT, 0 },          { "{ }", JSON_OBJECT, 0 },      { "{\"a\" : 1,\"b\":[{}]}", JSON_OBJECT, 2 },
        { "[[],[[]],{}]", JSON_ARRAY, 3 }, { "\"\x7f\"", JSON_STRING, 1 }, { "{\"\":0}", JSON_OBJECT, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_doc *d = parse(cases[i].text);
        assert_int_equal(json_root(d)->kind, cases[i].kind);
        assert_int_equal(json_root(d)->len, cases[i].len);
        json_free(d);
    }
    json_free(NULL);
}

static void reads_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
        bool integer;
        int64_t i;
    } cases[] = {
        { "0", 0, true, 0 },
        { "-0", -0.0, true, 0 },
        { "12", 12, true, 12 },
        { "-7", -7, true, -7 },
        { "1.0", 1, false, 0 },
        { "1e2", 100, false, 0 },
        { "1E+2", 100, false, 0 },
        { "-1.5e-3", -0.0015, false, 0 },
        { "0.1", 0.1, false, 0 },
        { "9007199254740993", 9007199254740992.0, true, 9007199254740993 },
        { "9223372036854775807", 9223372036854775808.0, true, INT64_MAX },
        { "-9223372036854775808", -9223372036854775808.0, true, INT64_MIN },
        { "9223372036854775808", 9223372036854775808.0, false, 0 },
        { "1e-999", 0, false, 0 },
        { "5e-324", 5e-324, false, 0 },
        { "1.7976931348623157e308", 1.7976931348623157e308, false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_doc *d = parse(cases[i].text);
        const json *v = json_root(d);
        assert_int_equal(v->kind, JSON_NUMBER);
        assert_true(v->number == cases[i].number && !signbit(v->number) == !signbit(cases[i].number));
        assert_int_equal(v->integer, cases[i].integer);
        assert_int_equal(v->i, cases[i].i);
        json_free(d);
    }
}

static void reads_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
        size_t len;
    } cases[] = {
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8 },
        { "\"a\\u0000b\"", "a\0b", 3 },
        { "\"\\u00e9\\u20AC\\u0041\"",
          "\xC3\xA9\xE2\x82\xAC"
          "A",
          6 },
        { "\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80", 4 },
        { "\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8 },
        { "\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF\"",
          "\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", 17 },
        { "\"\\uffff\\u0800\\u07ff\\u0080\\u007f\"", "\xEF\xBF\xBF\xE0\xA0\x80\xDF\xBF\xC2\x80\x7F", 11 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_doc *d = parse(cases[i].text);
        assert_int_equal(json_root(d)->len, cases[i].len);
        assert_memory_equal(json_root(d)->text, cases[i].value, cases[i].len + 1);
        json_free(d);
    }
}

static void finds_members(void **state)
{
    (void)state;
    json_doc *d = parse("{\"a\":1,\"b\":{\"c\":[10,20,{\"d\":\"x\"}]},\"e\\u0000f\":3,\"\":4,\"ab\":5}");
    const json *root = json_root(d), *c = json_get(json_get(root, "b"), "c");
    assert_int_equal(json_get(root, "a")->i, 1);
    assert_int_equal(json_get(root, "")->i, 4);
    assert_int_equal(json_get(root, "ab")->i, 5);
    assert_int_equal(c->len, 3);
    assert_int_equal(c->item[1].i, 20);
    assert_string_equal(json_get(&c->item[2], "d")->text, "x");
    assert_string_equal(root->item[1].key, "b");
    assert_int_equal(root->item[2].key_len, 3);
    assert_null(json_get(root, "e"));
    assert_null(json_get(root, "missing"));
    assert_null(json_get(c, "d"));
    assert_null(json_get(NULL, "a"));
    json_free(d);
}

static void refuses_with_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at;
        const char *word;
    } cases[] = {
        { "", 0, "ends" },
        { "  ", 2, "ends" },
        { "nul", 0, "value" },
        { "nulll", 4, "behind" },
        { "True", 0, "value" },
        { "[1,2", 4, "]" },
        { "[1 2]", 3, "]" },
        { "[1,]", 3, "value" },
        { "[,1]", 1, "value" },
        { "[1}", 2, "]" },
        { "]", 0, "value" },
        { "{", 1, "key" },
        { "{\"a\"}", 4, "colon" },
        { "{\"a\":}", 5, "value" },
        { "{\"a\":1,}", 7, "key" },
        { "{a:1}", 1, "key" },
        { "{\"a\":1]", 6, "}" },
        { "{\"a\":1 \"b\":2}", 7, "}" },
        { "{1:2}", 1, "key" },
        { "{\"a\":1,\"b\":2,\"a\":3}", 13, "\"a\" is there twice" },
        { "[{\"k\":1,\"\\u006b\":2}]", 8, "\"k\" is there twice" },
        { "1 2", 2, "behind" },
        { "{}x", 2, "behind" },
        { "01", 0, "leading zero" },
        { "-01", 0, "leading zero" },
        { "-", 0, "value" },
        { "+1", 0, "value" },
        { ".5", 0, "value" },
        { "1.", 0, "point" },
        { "1.e5", 0, "point" },
        { "1e", 0, "exponent" },
        { "1e+", 0, "exponent" },
        { "0x10", 1, "behind" },
        { "1e999", 0, "too large" },
        { "[-1e999]", 1, "too large" },
        { "NaN", 0, "value" },
        { "Infinity", 0, "value" },
        { "-Infinity", 0, "value" },
        { "'a'", 0, "value" },
        { "\"abc", 0, "closing quote" },
        { "\"a\nb\"", 2, "control" },
        { "\"\\x41\"", 1, "escape" },
        { "\"\\", 1, "escape" },
        { "\"\\u12\"", 3, "four hexadecimal" },
        { "\"\\u12G4\"", 5, "four hexadecimal" },
        { "\"\\u+123\"", 3, "four hexadecimal" },
        { "\"\\ud800\"", 1, "surrogate" },
        { "\"\\udc00\"", 1, "surrogate" },
        { "\"\\ud800\\u0041\"", 1, "surrogate" },
        { "\"\\ud800x\"", 1, "surrogate" },
        { "\"\xff\"", 1, "UTF-8" },
        { "\"a\x80\"", 2, "UTF-8" },
        { "\"\xC0\x80\"", 1, "UTF-8" },
        { "\"\xC1\xBF\"", 1, "UTF-8" },
        { "\"\xE0\x9F\xBF\"", 1, "UTF-8" },
        { "\"\xED\xA0\x80\"", 1, "UTF-8" },
        { "\"\xF0\x8F\xBF\xBF\"", 1, "UTF-8" },
        { "\"\xF4\x90\x80\x80\"", 1, "UTF-8" },
        { "\"\xF8\x88\x80\x80\x80\"", 1, "UTF-8" },
        { "\"\xE2\x82\"", 1, "UTF-8" },
        { "\xEF\xBB\xBF{}", 0, "value" },
        { "[1]//", 3, "behind" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_doc *d = (json_doc *)1;
        laco_error e = { 0 };
        int64_t n = (int64_t)strlen(cases[i].text);
        assert_int_equal(json_parse(&d, cases[i].text, (size_t)n, &e), LACO_EFORMAT);
        assert_null(d);
        if (e.at != cases[i].at || !strstr(e.msg, cases[i].word)) print_error("%s: %s\n", cases[i].text, e.msg);
        assert_int_equal(e.at, cases[i].at);
        assert_non_null(strstr(e.msg, cases[i].word));
        assert_int_equal(json_parse(&d, cases[i].text, (size_t)n, NULL), LACO_EFORMAT);
    }
    json_doc *d;
    assert_int_equal(json_parse(&d, "1\0", 2, NULL), LACO_EFORMAT);
    assert_int_equal(json_parse(&d, "\"a\0\"", 4, NULL), LACO_EFORMAT);
}

static void every_beginning_is_refused(void **state)
{
    (void)state;
    static const char text[] =
        "{\"k\\n\":[1.5e+3,\"\\ud83d\\ude00\xE2\x82\xAC\",{\"x\":null,\"y\":[true,false]}],\"z\":{}}";
    json_free(parse(text));
    for (size_t n = 0; n + 1 < sizeof text; n++) {
        json_doc *d;
        char *exact = malloc(n ? n : 1); /* not a byte behind it may be read */
        memcpy(exact, text, n);
        assert_int_equal(json_parse(&d, exact, n, NULL), LACO_EFORMAT);
        free(exact);
    }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[200001];
    json_doc *d;
    laco_error e;
    for (int depth = 63; depth <= 66; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        laco_status status = json_parse(&d, text, (size_t)(2 * depth), &e);
        assert_int_equal(status, depth <= 64 ? LACO_OK : LACO_EFORMAT);
        if (status) assert_int_equal(e.at, 64);
        json_free(d);
    }
    memset(text, '[', sizeof text);
    assert_int_equal(json_parse(&d, text, sizeof text, &e), LACO_EFORMAT);
    for (size_t i = 0; i < sizeof text - 1; i += 5) memcpy(text + i, "{\"\":[", 5);
    assert_int_equal(json_parse(&d, text, sizeof text, &e), LACO_EFORMAT);
    assert_non_null(strstr(e.msg, "deeper"));
}

static void many_keys_are_quick(void **state)
{
    (void)state;
    enum { KEYS = 200000 };
    buf b = { 0 };
    json_out o = { .to = &b };
    char key[20];
    json_begin(&o, '{');
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "%d", i);
        json_key(&o, key);
        json_int(&o, i);
    }
    json_key(&o, "777");
    json_bool(&o, false);
    json_end(&o, '}');
    json_doc *d;
    laco_error e;
    assert_int_equal(json_parse(&d, b.data, b.len, &e), LACO_EFORMAT);
    assert_int_equal(e.at, b.len - strlen("\"777\":false}"));
    b.data[b.len - 9] = '8'; /* "778" … still twice */
    assert_int_equal(json_parse(&d, b.data, b.len, &e), LACO_EFORMAT);
    b.data[b.len - 10] = 'x';
    assert_int_equal(json_parse(&d, b.data, b.len, &e), LACO_OK);
    assert_int_equal(json_root(d)->len, KEYS + 1);
    assert_int_equal(json_get(json_root(d), "199999")->i, 199999);
    json_free(d);
    buf_free(&b);
}

static void writes(void **state)
{
    (void)state;
    buf b = { 0 };
    json_out o = { .to = &b };
    json_begin(&o, '{');
    json_key(&o, "a\"b");
    json_begin(&o, '[');
    json_int(&o, INT64_MIN);
    json_number(&o, 0.1);
    json_number(&o, 1.0 / 3);
    json_number(&o, NAN);
    json_number(&o, -INFINITY);
    json_number(&o, 1e300);
    json_bool(&o, true);
    json_begin(&o, '{');
    json_end(&o, '}');
    json_begin(&o, '[');
    json_end(&o, ']');
    json_end(&o, ']');
    json_key(&o, "");
    json_string(&o, "\x01\x1f\"\\/\b\f\n\r\t\0\x7f\xC3\xA9\xff\xE2\x82z\xC3", 19);
    json_end(&o, '}');
    assert_false(b.failed);
    assert_int_equal(o.depth, 0);
    assert_string_equal(b.data, "{\"a\\\"b\":[-9223372036854775808,0.1,0.3333333333333333,null,null,1e+300,true,{},[]],"
                                "\"\":\"\\u0001\\u001f\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\x7f\xC3\xA9"
                                "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD\"}");
    json_free(parse(b.data));
    buf_free(&b);
}

static void nonsense_marks_the_buffer(void **state)
{
    (void)state;
    buf b = { 0 };
    json_out o = { .to = &b };
    for (int i = 0; i < 64; i++) json_begin(&o, '[');
    for (int i = 0; i < 64; i++) json_end(&o, ']');
    assert_false(b.failed);
    json_free(parse(b.data));
    json_end(&o, ']');
    assert_true(b.failed);
    buf_free(&b);
    o = (json_out){ .to = &b };
    for (int i = 0; i < 65; i++) json_begin(&o, '[');
    assert_true(b.failed);
    buf_free(&b);
    o = (json_out){ .to = &b };
    json_begin(&o, '{');
    json_key(&o, "a");
    json_end(&o, '}');
    assert_true(b.failed);
    buf_free(&b);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    enum { NUMBERS = 5000 };
    static double numbers[NUMBERS];
    char bytes[256];
    buf b = { 0 };
    json_out o = { .to = &b };
    json_begin(&o, '[');
    for (uint64_t i = 0; i < NUMBERS; i++) {
        uint32_t w[4];
        rng_block(5, RNG_TEST, i, w);
        memcpy(&numbers[i], w, sizeof numbers[i]);
        if (!isfinite(numbers[i])) numbers[i] = 0.5;
        json_number(&o, numbers[i]);
    }
    for (int i = 0; i < 128; i++) bytes[i] = (char)i;
    json_string(&o, bytes, 128);
    json_end(&o, ']');
    json_doc *d = parse(b.data);
    const json *root = json_root(d);
    assert_int_equal(root->len, NUMBERS + 1);
    for (int i = 0; i < NUMBERS; i++) assert_memory_equal(&root->item[i].number, &numbers[i], sizeof numbers[i]);
    assert_int_equal(root->item[NUMBERS].len, 128);
    assert_memory_equal(root->item[NUMBERS].text, bytes, 128);
    json_free(d);
    buf_free(&b);
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
    static const char text[] =
        "{\"a\":[1,2,[3,{\"b\":4,\"c\":[[],[5]]}]],\"d\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]}";
    laco_status status = LACO_ENOMEM;
    int allowed = 0;
    for (; status; allowed++) {
        json_doc *d;
        laco_error e;
        left = allowed;
        laco_set_allocator(scarce, NULL);
        status = json_parse(&d, text, sizeof text - 1, &e);
        json_free(d);
        laco_set_allocator(NULL, NULL);
        assert_true(status == LACO_OK || (status == LACO_ENOMEM && e.code == LACO_ENOMEM));
        assert_int_equal(live, 0);
    }
    assert_in_range(allowed, 10, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_values),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(reads_strings),
        cmocka_unit_test(finds_members),
        cmocka_unit_test(refuses_with_the_place),
        cmocka_unit_test(every_beginning_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(many_keys_are_quick),
        cmocka_unit_test(writes),
        cmocka_unit_test(nonsense_marks_the_buffer),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(every_lack_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
