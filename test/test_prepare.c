/* What is made of sequences before a network sees them: every part of it, and the way through JSON and back. */
#include "data/augment.h"
#include "data/prepare.h"
#include "data/readers.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static series_set parse(const char *text)
{
    series_set s;
    const series_parts to = series_whole(&s);
    assert_int_equal(series_parse_ts(&to, text, strlen(text), "t.ts", NULL), LACO_OK);
    return s;
}
static series_set made(const preparation *p, const char *text)
{
    series_set s = parse(text);
    assert_int_equal(prepare_apply(p, &s, NULL), LACO_OK);
    return s;
}
static void expect(series_set *s, const float *x, int64_t n)
{
    assert_int_equal(s->start[s->count] * s->features, n);
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i]))
            assert_true(isnan(s->x[i]));
        else
            assert_float_equal(s->x[i], x[i], 1e-6);
    series_free(s);
}

static void steps_stay_as_they_are(void **state)
{
    (void)state;
    series_set s = made(&(preparation){ 0 }, "@data\n1,2,3:4,5,6\n");
    expect(&s, (float[]){ 1, 4, 2, 5, 3, 6 }, 6);
}
static void deltas_are_regression_slopes(void **state)
{
    (void)state;
    series_set s = made(&(preparation){ .deltas = 2 }, "@data\n0,1,2,3,4,10\n");
    /* of a line the slope is 1; at the ends a repeated value flattens it */
    static const double d[] = { (1 + 2 * 2) / 10.0, (2 + 2 * 3) / 10.0, 1, (4 - 2 + 2 * (10 - 1)) / 10.0 };
    assert_int_equal(s.features, 3);
    for (int t = 0; t < 4; t++) assert_float_equal(s.x[t * 3 + 1], d[t], 1e-6);
    assert_float_equal(s.x[2], ((d[1] - d[0]) + 2 * (d[2] - d[0])) / 10, 1e-6);
    series_free(&s);
}
static void scales(void **state)
{
    (void)state;
    series_set s = made(&(preparation){ .scale = SCALE_SEQUENCE }, "@data\n1,3:4,4\n5,9:?,1\n");
    expect(&s, (float[]){ -1, 0, 1, 0, -1, NAN, 1, 0 }, 8);
    s = parse("@data\n1\n10\n3\n12\n");
    char *names[] = { "b", "a", "b", "a" };
    bool ok = true;
    s.group = series_texts(names, 4, &ok);
    assert_int_equal(prepare_apply(&(preparation){ .scale = SCALE_GROUP }, &s, NULL), LACO_OK);
    expect(&s, (float[]){ -1, -1, 1, 1 }, 4);
    s = made(&(preparation){ .scale = SCALE_GROUP }, "@data\n1\n3\n"); /* without names one group */
    expect(&s, (float[]){ -1, 1 }, 2);
}
static void stacks(void **state)
{
    (void)state;
    laco_error err;
    series_set s = made(&(preparation){ .stack = 2 }, "@data\n1,2,3:4,5,6\n7:8\n");
    assert_true(s.start[1] == 2 && s.start[2] == 3);
    expect(&s, (float[]){ 1, 4, 2, 5, 3, 6, 3, 6, 7, 8, 7, 8 }, 12);
    s = parse("@data\n1:2:3\n");
    assert_int_equal(prepare_apply(&(preparation){ .stack = 1 << 20 }, &s, &err), LACO_EINVAL);
    assert_int_equal(s.features, 3);
    series_free(&s);
}

static laco_status from_json(preparation *to, const char *text, laco_error *err)
{
    json_doc *d;
    assert_int_equal(json_parse(&d, text, strlen(text), NULL), LACO_OK);
    laco_status st = prepare_from_json(to, json_root(d), err);
    json_free(d);
    return st;
}
static void json_there_and_back(void **state)
{
    (void)state;
    buf b = { 0 };
    preparation p = { .of_sound = true, .deltas = 1, .scale = SCALE_GROUP, .stack = 2 }, q;
    p.sound = (sound_settings){ 8000, true, 20.5, 7, 30, 13, 20, 3900, 0.97 };
    prepare_to_json(&p, &(json_out){ .to = &b });
    assert_int_equal(from_json(&q, b.data, NULL), LACO_OK);
    assert_true(q.of_sound && q.deltas == 1 && q.scale == SCALE_GROUP && q.stack == 2);
    assert_true(q.sound.rate == 8000 && q.sound.resample && q.sound.frame == 20.5 && q.sound.hop == 7);
    assert_true(q.sound.mels == 30 && q.sound.mfcc == 13 && q.sound.low == 20 && q.sound.high == 3900);
    assert_true(q.sound.emphasis == 0.97);
    buf_free(&b);
}
static void damaged_json(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "{}", "damaged at \"deltas\"" },
        { "{\"deltas\":3}", "damaged at \"deltas\"" },
        { "{\"deltas\":1,\"stack\":0}", "damaged at \"stack\"" },
        { "{\"deltas\":1,\"stack\":1}", "damaged at \"scale\"" },
        { "{\"deltas\":1,\"stack\":1,\"scale\":\"odd\"}", "damaged at \"scale\"" },
        { "{\"sound\":{\"rate\":0}}", "damaged at \"rate\"" },
        { "{\"sound\":{\"rate\":8000,\"frame\":0,\"hop\":0,\"mels\":4,\"mfcc\":0,\"low\":0,\"high\":0,\"emphasis\":0}}",
          "damaged at \"resample\"" },
        { "{\"sound\":{\"rate\":8000,\"frame\":0,\"hop\":0,\"mels\":4,\"mfcc\":5,\"low\":0,\"high\":0,\"emphasis\":0,"
          "\"resample\":true}}",
          "as many coefficients as bands" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        preparation p;
        laco_error err;
        assert_true(from_json(&p, rows[i][0], &err) != LACO_OK);
        if (!strstr(err.msg, rows[i][1])) fail_msg("%s: %s", rows[i][0], err.msg);
    }
}

static void changes_at_random(void **state)
{
    (void)state;
    for (uint64_t draw = 0; draw < 50; draw++) {
        float from[4 * 16], x[4 * 16], y[4 * 16];
        int zero = 0;
        for (int i = 0; i < 4 * 16; i++) from[i] = (float)(100 + i % 8);
        augment_apply(&(augment){ .shift = 2, .bands = 8, .seed = 1 }, draw, from, 4, 16, x);
        double by = x[3] - 103; /* on a line a shift adds the same to all but the ends */
        assert_true(fabs(by) <= 2);
        for (int k = 0; k < 8; k++)
            for (int b = 0; b < 8; b++)
                assert_float_equal(x[k * 8 + b], fmin(107, fmax(100, 100 + b + by)), 1e-4);
        augment_apply(&(augment){ .mask = 0.25, .bands = 8, .seed = 1 }, draw, from, 4, 16, y);
        for (int i = 0; i < 4 * 16; i++) assert_true(y[i] == 0 || y[i] == (float)(100 + i % 8)), zero += y[i] == 0;
        assert_true(zero <= 2 * 8 + 16);
    }
}
static void stretches_on_a_line(void **state)
{
    (void)state;
    const augment a = { .stretch = 0.3, .bands = 2, .seed = 1 };
    float x[20 * 2], y[26 * 2];
    bool seen[27] = { false };
    for (int t = 0; t < 20; t++) x[t * 2] = (float)t, x[t * 2 + 1] = 7;
    assert_int_equal(augment_most(&a, 20), 26);
    for (uint64_t draw = 0; draw < 500; draw++) {
        int64_t n = augment_steps(&a, draw, 20);
        assert_in_range(n, 14, 26);
        seen[n] = true;
        augment_apply(&a, draw, x, 20, 2, y);
        for (int64_t t = 0; t < n; t++) {
            assert_float_equal(y[t * 2], 19.0 * (double)t / (double)(n - 1), 1e-4);
            assert_float_equal(y[t * 2 + 1], 7, 0);
        }
    }
    for (int n = 14; n <= 26; n++) assert_true(seen[n]);
    assert_int_equal(augment_steps(&a, 3, 1), 1);
    augment_apply(&a, 3, x, 1, 2, y);
    assert_float_equal(y[0], 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_stay_as_they_are), cmocka_unit_test(deltas_are_regression_slopes),
        cmocka_unit_test(scales),                 cmocka_unit_test(stacks),
        cmocka_unit_test(json_there_and_back),    cmocka_unit_test(damaged_json),
        cmocka_unit_test(changes_at_random),      cmocka_unit_test(stretches_on_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
