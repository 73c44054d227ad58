/* How the inputs of a network are made of sequences: every step of it, and the way through JSON and back. */
#include "data/front.h"
#include "data/readers.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static series_set parse(const char *text)
{
    series_set s;
    assert_int_equal(series_parse_ts(&s, text, strlen(text), "t.ts", NULL), LACO_OK);
    return s;
}
static series_set made(front *f, const char *text)
{
    series_set s = parse(text);
    assert_int_equal(front_fit(f, &s, NULL), LACO_OK);
    assert_int_equal(front_apply(f, &s, NULL), LACO_OK);
    assert_int_equal(s.features, front_inputs(f));
    return s;
}
static void expect(series_set *s, const float *x, int64_t n)
{
    assert_int_equal(s->start[s->count] * s->features, n);
    for (int64_t i = 0; i < n; i++) assert_float_equal(s->x[i], x[i], 1e-6);
    series_free(s);
}

static void steps_stay_as_they_are(void **state)
{
    (void)state;
    front f = { 0 };
    series_set s = made(&f, "@data\n1,2,3:4,5,6\n");
    expect(&s, (float[]){ 1, 4, 2, 5, 3, 6 }, 6);
    front_free(&f);
}
static void deltas_are_regression_slopes(void **state)
{
    (void)state;
    front f = { .deltas = 2 };
    series_set s = made(&f, "@data\n0,1,2,3,4,10\n");
    /* of a line the slope is 1; at the ends a repeated value flattens it */
    static const double d[] = { (1 + 2 * 2) / 10.0, (2 + 2 * 3) / 10.0, 1, (4 - 2 + 2 * (10 - 1)) / 10.0 };
    assert_int_equal(s.features, 3);
    for (int t = 0; t < 4; t++) assert_float_equal(s.x[t * 3 + 1], d[t], 1e-6);
    assert_float_equal(s.x[2], ((d[1] - d[0]) + 2 * (d[2] - d[0])) / 10, 1e-6);
    series_free(&s), front_free(&f);
}
static void scales(void **state)
{
    (void)state;
    front f = { .scale = SCALE_SET };
    series_set s = made(&f, "@data\n1,3:7,7\n5,7:7,7\n");
    float d = sqrtf(5);
    expect(&s, (float[]){ -3 / d, 0, -1 / d, 0, 1 / d, 0, 3 / d, 0 }, 8);
    s = parse("@data\n4:9\n"); /* new data by the figures of training */
    assert_int_equal(front_apply(&f, &s, NULL), LACO_OK);
    expect(&s, (float[]){ 0, 2 }, 2);
    front_free(&f);
    f = (front){ .scale = SCALE_SEQUENCE };
    s = made(&f, "@data\n1,3\n5,9\n");
    expect(&s, (float[]){ -1, 1, -1, 1 }, 4);
    f = (front){ .scale = SCALE_GROUP };
    s = parse("@data\n1\n10\n3\n12\n");
    char *names[] = { "b", "a", "b", "a" };
    bool ok = true;
    s.group = series_texts(names, 4, &ok);
    assert_int_equal(front_fit(&f, &s, NULL), LACO_OK);
    assert_int_equal(front_apply(&f, &s, NULL), LACO_OK);
    expect(&s, (float[]){ -1, -1, 1, 1 }, 4);
}
static void missing_values_are_marked(void **state)
{
    (void)state;
    laco_error err;
    front f = { .scale = SCALE_SET };
    series_set s = made(&f, "@data\n1,?,3:?,2,2\n");
    expect(&s, (float[]){ -1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0 }, 12);
    front_free(&f);
    s = parse("@data\n1,2\n");
    assert_int_equal(front_fit(&f, &s, NULL), LACO_OK);
    series_free(&s), s = parse("@data\n1\n1,?\n");
    assert_int_equal(front_apply(&f, &s, &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "t.ts: sequence 2, step 2: a value is missing"));
    series_free(&s), front_free(&f);
}
static void stacks(void **state)
{
    (void)state;
    front f = { .stack = 2 };
    series_set s = made(&f, "@data\n1,2,3:4,5,6\n7:8\n");
    assert_true(s.start[1] == 2 && s.start[2] == 3);
    expect(&s, (float[]){ 1, 4, 2, 5, 3, 6, 3, 6, 7, 8, 7, 8 }, 12);
}
static void permutes_all_alike(void **state)
{
    (void)state;
    laco_error err;
    front f = { .permute = 3 };
    series_set s = made(&f, "@data\n1,2,3,4,5,6,7,8\n11,12,13,14,15,16,17,18\n");
    double sum = 0;
    bool moved = false;
    for (int t = 0; t < 8; t++) {
        assert_true(s.x[8 + t] == s.x[t] + 10);
        sum += exp2(s.x[t]), moved |= s.x[t] != (float)(t + 1);
    }
    assert_true(moved && sum == 510); /* each once */
    series_free(&s);
    s = parse("@data\n1,2\n");
    assert_int_equal(front_apply(&f, &s, &err), LACO_EINVAL);
    assert_int_equal(s.start[1], 2);
    series_free(&s);
    s = parse("@data\n1,2\n1\n");
    assert_int_equal(front_fit(&f, &s, &err), LACO_EINVAL);
    series_free(&s);
}

static laco_status through_json(front *to, const char *text, laco_error *err)
{
    json_doc *d;
    assert_int_equal(json_parse(&d, text, strlen(text), NULL), LACO_OK);
    laco_status st = front_from_json(to, json_root(d), err);
    json_free(d);
    return st;
}
static void json_there_and_back(void **state)
{
    (void)state;
    buf b = { 0 };
    front f = { .scale = SCALE_SET, .deltas = 1, .stack = 2, .permute = 5 }, g;
    series_set s = parse("@data\n1,2,?:4,5,9\n7,8,8:8,1,2\n"), t;
    static const int64_t all[] = { 0, 1 };
    assert_int_equal(series_subset(&t, &s, all, 2, NULL), LACO_OK);
    assert_int_equal(front_fit(&f, &s, NULL), LACO_OK);
    front_to_json(&f, &(json_out){ .to = &b });
    assert_int_equal(through_json(&g, b.data, NULL), LACO_OK);
    assert_int_equal(front_apply(&f, &s, NULL), LACO_OK);
    assert_int_equal(front_apply(&g, &t, NULL), LACO_OK);
    assert_true(front_inputs(&g) == 16 && s.features == 16 && s.start[2] == t.start[2]);
    assert_memory_equal(s.x, t.x, (size_t)(s.start[2] * s.features) * sizeof *s.x);
    series_free(&s), series_free(&t), front_free(&f), front_free(&g), buf_free(&b);
}
static void damaged_json(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "{}", "stack" },
        { "{\"stack\":1}", "features" },
        { "{\"stack\":1,\"features\":0}", "features" },
        { "{\"stack\":65536,\"features\":65536}", "features" },
        { "{\"stack\":1,\"features\":1,\"deltas\":3}", "deltas" },
        { "{\"stack\":1,\"features\":1,\"deltas\":0,\"scale\":\"odd\"}", "scale" },
        { "{\"stack\":1,\"features\":1,\"deltas\":0,\"scale\":\"set\",\"mean\":[]}", "mean" },
        { "{\"stack\":1,\"features\":1,\"deltas\":0,\"scale\":\"set\",\"mean\":[0],\"deviation\":[0]}", "deviation" },
        { "{\"stack\":1,\"features\":1,\"deltas\":0,\"scale\":\"none\"}", "marks" },
        { "{\"stack\":1,\"features\":1,\"deltas\":0,\"scale\":\"none\",\"marks\":true,\"permute\":-1}", "permute" },
        { "{\"stack\":1,\"features\":1,\"deltas\":0,\"scale\":\"none\",\"marks\":true,\"permute\":1}", "length" },
        { "{\"stack\":1,\"features\":1,\"sound\":{\"rate\":0}}", "rate" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        front f;
        laco_error err;
        char word[32];
        assert_int_equal(through_json(&f, rows[i][0], &err), LACO_EFORMAT);
        snprintf(word, sizeof word, "damaged at \"%s\"", rows[i][1]);
        if (!strstr(err.msg, word)) fail_msg("%s: %s", rows[i][0], err.msg);
        assert_true(!f.mean && !f.deviation);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_stay_as_they_are),    cmocka_unit_test(deltas_are_regression_slopes),
        cmocka_unit_test(scales),                    cmocka_unit_test(missing_values_are_marked),
        cmocka_unit_test(stacks),                    cmocka_unit_test(permutes_all_alike),
        cmocka_unit_test(json_there_and_back),       cmocka_unit_test(damaged_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
