/* Forecasts: times, what is read and refused, that scales go forth and back, what the three strategies answer. */
#include "base/json.h"
#include "task/forecast.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- times ---- */
static void times_have_steps(void **state)
{
    (void)state;
    const double day = 86400;
    double hours[] = { 0, 3600, 7200, 14400, 18000 }, months[] = { 0, 31 * day, 59 * day, 90 * day };
    time_step s;
    int64_t n;
    char text[32];
    assert_int_equal(time_step_of(hours, 5, false, &s, NULL), LACO_OK);
    assert_true(s.seconds == 3600 && !s.months && time_season(s) == 24);
    assert_true(time_steps_between(0, 14400, s, &n) && n == 4 && !time_steps_between(0, 5000, s, &n));
    time_text(1467331200, s, text), assert_string_equal(text, "2016-07-01 00:00:00");
    assert_int_equal(time_step_of(months, 4, false, &s, NULL), LACO_OK);
    assert_true(s.months == 1 && time_season(s) == 12 && time_after(0, s, 2) == 59 * day && time_after(30 * day, s, 1) == 58 * day);
    assert_true(time_after(0, s, 12) == 365 * day && time_after(0, s, -1) == -31 * day);
    time_text(time_after(0, s, 25), s, text), assert_string_equal(text, "1972-02-01");
    assert_int_equal(time_step_of(months, 4, true, &s, NULL), LACO_OK); /* numbers are no dates */
    assert_true(!s.months && time_season(s) == 1 && !time_calendar_auto(s, 1000));
    time_text(1e18, s, text), assert_string_equal(text, "1e+18");
    float c[2 * CALENDARS];
    assert_int_equal(time_calendar(6 * 3600.0, CALENDAR_HOUR | CALENDAR_WEEKDAY, c), 4);
    assert_true(fabsf(c[0] - 1) < 1e-6F && fabsf(c[1]) < 1e-6F);          /* a quarter of the day */
    assert_true(fabs(c[2] - sin(2 * 3.14159265358979 * 3 / 7)) < 1e-6); /* 1970 began on a Thursday */
}

/* ---- jobs ---- */
static laco_status run(const char *command, const char *data, const char *const *option, buf *result, laco_error *err)
{
    laco_job *j;
    laco_status st = laco_job_new(&j, command, err);
    if (!st) st = laco_job_text(j, "data", data, strlen(data), err);
    for (; !st && *option; option += 2) st = laco_job_set(j, option[0], option[1], err);
    if (!st) st = laco_job_run(j, NULL, err);
    if (!st && result) buf_text(result, laco_job_result(j));
    laco_job_free(j);
    return st;
}
#define MODEL "/tmp/test_forecast.safetensors"
static void refuse(const char *data, const char *const *option, const char *message)
{
    laco_error err = { 0 };
    const char *all[32] = { "format", "csv", "out", MODEL, "horizon", "2", "hidden", "2", "epochs", "1" };
    for (int i = 0; option[i]; i++) all[10 + i] = option[i];
    assert_true(run("train forecast", data, all, NULL, &err) != LACO_OK);
    if (!strstr(err.msg, message)) fail_msg("\"%s\" has not \"%s\"", err.msg, message);
}
#define OPTIONS(...) (const char *const[]){ __VA_ARGS__, NULL }
static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    static const char days[] = "day,y,x\n2020-01-01,1,5\n2020-01-02,2,\n2020-01-03,3,\n2020-01-04,4,\n2020-01-05,5,\n2020-01-06,6,\n"
                               "2020-01-07,7,\n2020-01-08,8,\n2020-01-09,9,\n";
    refuse("day,y\n2020-01-01,1\n2020-01-01,2\n", OPTIONS("time", "day", "target", "y"), "line 3: its time stands on line 2");
    refuse("day,y\n2020-01-02,1\n2020-01-01,2\n", OPTIONS("time", "day", "target", "y"), "line 3: its time is before that of line 2; --sort");
    refuse("day,y\n2020-01-01,1\n2020-01-02,2\n2020-01-03,2\n2020-01-06,2\n", OPTIONS("time", "day", "target", "y"),
           "line 5: 2 steps are missing before it; --gaps mask");
    refuse("day,y\n2020-01-01,1\nsoon,2\n", OPTIONS("time", "day", "target", "y"), "line 3: \"soon\" in the column \"day\" is no time");
    refuse("day,y\n2020-01-01,\n2020-01-02,\n", OPTIONS("time", "day", "target", "y"), "all values of the column \"y\" are missing");
    refuse("y\n1\ninf\n2\n", OPTIONS("target", "y"), "line 3");
    refuse("y\n1\n2\n3\n", OPTIONS("target", "y"), "has only 3 values");
    refuse(days, OPTIONS("time", "day", "target", "z"), "z");
    refuse(days, OPTIONS("time", "day", "target", "y", "horizon", "0"), "--horizon is missing");
    refuse(days, OPTIONS("time", "day", "target", "y", "backtest", "3"), "no series is long enough for a test part");
    refuse(days, OPTIONS("time", "day", "target", "y", "split-rows", "8,8,8"), "has 9 steps");
    refuse(days, OPTIONS("time", "day", "target", "y", "model", "lstm 2 bidirectional; dense"), "must not see it");
    refuse(days, OPTIONS("time", "day"), "--target is missing");
    refuse("y\n0\n1\n2\n3\n4\n5\n6\n7\n8\n", OPTIONS("target", "y", "logarithm", "1"), "line 2: --logarithm takes values above 0");
    refuse("y\n1.5\n1\n2\n3\n4\n5\n6\n7\n8\n", OPTIONS("target", "y", "loss", "negative-binomial", "scale", "none"), "takes counts");
    refuse("y,s\n1,a\n1,a\n2,b\n", OPTIONS("target", "y", "static", "s"), "line 4: the static column \"s\" changes");
    refuse("1,2,3,4,5,6,7,8\n1,2,x,4,5,6,7,8\n", OPTIONS("wide", "1", "no-header", "1"), "\"x\" is no number");
}

/* ---- lines ---- */
static void fill_series(forecast_data *d, double *y, int64_t n, int64_t *start, int64_t *known, int64_t *line_of, char **name)
{
    for (int64_t t = 0; t < n; t++)
        for (int64_t k = 0; k < d->targets; k++)
            y[t * d->targets + k] = 20 + 5 * sin((double)(t * (k + 1))) + 0.1 * (double)t + (double)(t % 4);
    start[0] = 0, start[1] = n, known[0] = n;
    d->y = y, d->start = start, d->known = known, d->line = line_of, d->name = name, d->count = 1, d->file = "here";
}
/* Whatever is done to a series, a target goes back to its value. */
static void targets_go_back(void **state)
{
    (void)state;
    enum { N = 60, D = 2 };
    double y[N * D];
    int64_t start[2], known[1], at_line[N] = { 0 };
    char *name[1] = { NULL };
    forecast_data d = { .targets = D };
    fill_series(&d, y, N, start, known, at_line, name);
    for (int way = 0; way < 3; way++)
        for (int scale = SCALE_NONE; scale <= SCALE_REVIN; scale++)
            for (int bits = 0; bits < 8; bits++) {
                forecast_front f = { .way = way, .scale = scale, .loss = LOSS_SQUARED, .targets = D, .horizon = 5, .window = 12,
                                     .season = 4, .span = 6, .lags = 1, .lag = { 4 }, .log = bits & 1,
                                     .difference = bits & 2 ? 4 : 0, .deseasonalise = bits & 4 ? 4 : 0 };
                line l;
                float target[5 * D], unit;
                assert_int_equal(line_make(&l, &f, &d, 0, 50, NULL), LACO_OK);
                int64_t t = 40, end = way == WAY_DECODER ? t - 3 : t, ahead = forecast_ahead(&f);
                line_targets(&l, t, end, N, target, &unit);
                for (int64_t h = 1; h <= ahead; h++)
                    for (int64_t k = 0; k < D; k++) {
                        double a, b;
                        bool decoder = way == WAY_DECODER;
                        int64_t of = decoder ? t : t + h;
                        line_scale(&l, decoder ? end : t, end, decoder ? t - end : h, k, &a, &b);
                        double back = line_back(&l, of, k, a * (double)target[(h - 1) * D + k] + b);
                        if (fabs(back - y[of * D + k]) > 1e-4) fail_msg("%d %d %d: %g, not %g", way, scale, bits, back, y[of * D + k]);
                    }
                line_free(&l);
            }
}
/* What a step reads does not depend on what comes later, but for the scale revin, which is of the whole row. */
static void inputs_know_no_future(void **state)
{
    (void)state;
    enum { N = 60 };
    double y[2][N];
    int64_t start[2], known[1], at_line[N] = { 0 };
    char *name[1] = { NULL };
    float x[2][64];
    for (int scale = SCALE_NONE; scale < SCALE_REVIN; scale++) {
        forecast_front f = { .scale = scale, .loss = LOSS_SQUARED, .targets = 1, .horizon = 5, .window = 12, .season = 4, .span = 6,
                             .lags = 2, .lag = { 4, 9 }, .difference = 4, .masked = true };
        line l[2];
        for (int i = 0; i < 2; i++) {
            forecast_data d = { .targets = 1 };
            fill_series(&d, y[i], N, start, known, at_line, name);
            for (int64_t t = 41; i && t < N; t++) y[i][t] = 1000;
            if (i) y[i][59] = NAN;
            assert_int_equal(line_make(&l[i], &f, &d, 0, 30, NULL), LACO_OK);
            line_inputs(&l[i], 40, 45, x[i]);
        }
        assert_memory_equal(x[0], x[1], (size_t)forecast_inputs(&f) * sizeof(float));
        assert_true(forecast_inputs(&f) == 3 + 10 && x[0][1] == 0);
        line_free(&l[0]), line_free(&l[1]);
    }
}

/* ---- training ---- */
static double number(const json *of, const char *key) { return json_get(of, key) ? json_get(of, key)->number : NAN; }
static void series_of_waves(buf *to, int64_t n)
{
    buf_text(to, "when,y\n");
    for (int64_t t = 0; t < n; t++)
        buf_printf(to, "%lld,%.4f\n", (long long)t, 10 + 3 * sin(0.7 * (double)t) + sin(0.31 * (double)t));
}
/* Two waves without a common season: each strategy and kind of answer comes nearer than the last value. */
static void strategies_forecast_waves(void **state)
{
    (void)state;
    static const char *const rows[][3] = { { "direct", "squared", "series" },        { "recursive", "squared", "series" },
                                           { "decoder", "absolute", "revin" },       { "direct", "pinball", "window" },
                                           { "recursive", "gaussian", "series" },    { "decoder", "student-t", "series" } };
    buf data = { 0 };
    series_of_waves(&data, 300);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf result = { 0 };
        json_doc *doc;
        laco_error err = { 0 };
        const char *option[] = { "time", "when", "target", "y", "horizon", "6", "window", "24", "hidden", "12", "cell", "gru",
                                 "epochs", "15", "batch", "4", "lr", "0.01", "out", MODEL, "threads", "1", "paths", "20", "backtest", "3",
                                 "span", "20", "strategy", rows[i][0], "loss", rows[i][1], "scale", rows[i][2], NULL };
        if (run("train forecast", data.data, option, &result, &err)) fail_msg("%s", err.msg);
        assert_int_equal(json_parse(&doc, result.data, result.len, NULL), LACO_OK);
        const json *root = json_root(doc), *test = json_get(root, "test");
        double mae = number(test, "mae"), naive = number(json_get(json_get(root, "baselines"), "naive"), "mae");
        if (!(mae < 0.6 * naive)) fail_msg("%s %s: %g, naive %g", rows[i][0], rows[i][1], mae, naive);
        assert_true(number(test, "origins") == 3);
        bool levels = strcmp(rows[i][1], "squared") && strcmp(rows[i][1], "absolute");
        assert_true(isnan(number(test, "crps")) == !levels && isnan(number(test, "coverage")) == !levels);
        json_free(doc), buf_free(&result);
    }
    buf_free(&data), unlink(MODEL);
}

/* ---- calibration ---- */
/* By the head of forecast_calibrate.c: hand-made answers of an interval [-1, 1] around 0. */
static void answers_are_moved_by_pairs(void **state)
{
    (void)state;
    const forecast_levels levels = { .n = 5, .level = { 0.1, 0.25, 0.5, 0.75, 0.9 } };
    forecast_front f = { .targets = 1, .horizon = 2, .calibration = { .groups = 2, .pairs = 2, .coverage = { 0.5, 0.8 },
                                                                     .by = { { 0.25, 0.5 }, { -0.5, -0.25 } } } };
    double answer[2][6] = { { 0, -2, -1, 0, 1, 2 }, { 0.5, -2, -1, 0.5, 1, 2 } };
    const double moved[2][6] = { { 0, -4, -1.5, 0, 1.5, 4 }, { 0.5, -1, 0, 0.5, 0.5, 1 } }; /* the median stays between */
    calibration_apply(&f, &levels, answer[0]);
    for (int i = 0; i < 12; i++) assert_true(fabs(answer[i / 6][i % 6] - moved[i / 6][i % 6]) < 1e-12);
    /* a coverage between those that are known, and one beyond them */
    const forecast_levels others = { .n = 3, .level = { 0.05, 0.175, 0.825 } }; /* 0.05 has no mirror */
    const forecast_levels wide = { .n = 2, .level = { 0.05, 0.95 } };
    double between[2][4] = { { 0, -3, -2, 2 }, { 0, -3, -2, 2 } }, beyond[2][3] = { { 0, -2, 2 }, { 0, -2, 2 } };
    calibration_apply(&f, &others, between[0]), calibration_apply(&f, &wide, beyond[0]);
    assert_true(fabs(between[0][3] - 3.5) < 1e-12 && fabs(between[0][1] + 3.5) < 1e-12 && between[0][2] == -3); /* in order */
    assert_true(fabs(between[1][3] - 0.5) < 1e-12 && beyond[0][1] == -4 && beyond[1][2] == 1);
    /* logarithms: by a factor */
    f.log = true;
    double ratio[2][3] = { { 1, 0.25, 4 }, { 1, 0.25, 4 } };
    calibration_apply(&f, &wide, ratio[0]);
    assert_true(fabs(ratio[0][1] - 1.0 / 16) < 1e-12 && fabs(ratio[0][2] - 16) < 1e-9 && fabs(ratio[1][1] - 0.5) < 1e-12);
}
/* Noise of many sizes that a network of two units is much too sure of after an overlong training. */
static void noise_of_series(buf *to)
{
    uint64_t x = 1;
    buf_text(to, "id,when,y\n");
    for (int s = 0; s < 40; s++)
        for (int t = 0; t < 60; t++) {
            double u = 0;
            for (int k = 0; k < 4; k++) x = x * 6364136223846793005U + 1442695040888963407U, u += (double)(x >> 40) / (1 << 24) - 0.5;
            buf_printf(to, "s%d,%d,%.5f\n", s, t, pow(10, s % 4) * (3 + u));
        }
}
static json_doc *learn_noise(const char *data, const char *loss, const char *quantiles, const char *calibrate, const char *backtest)
{
    buf result = { 0 };
    json_doc *doc = NULL;
    laco_error err = { 0 };
    const char *option[] = { "id", "id", "time", "when", "target", "y", "horizon", "5", "window", "10", "hidden", "2", "epochs", "1",
                             "out", MODEL, "threads", "1", "loss", loss, "quantiles", quantiles, "calibrate", calibrate, "backtest",
                             backtest, NULL };
    if (run("train forecast", data, option, &result, &err)) fail_msg("%s", err.msg);
    assert_int_equal(json_parse(&doc, result.data, result.len, NULL), LACO_OK);
    buf_free(&result);
    return doc;
}
static double covered(json_doc *doc)
{
    double share = number(json_get(json_root(doc), "test"), "coverage");
    json_free(doc);
    return share;
}
static void calibrated_intervals_hold_what_they_say(void **state)
{
    (void)state;
    static const char *const rows[][2] = { { "pinball", "0.1,0.5,0.9" }, { "gaussian", "0.5" }, { "student-t", "0.5" } };
    buf data = { 0 };
    noise_of_series(&data);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double before = covered(learn_noise(data.data, rows[i][0], rows[i][1], "no", "3"));
        double after = covered(learn_noise(data.data, rows[i][0], rows[i][1], "auto", "3"));
        if (fabs(before - 0.8) < 0.06 || fabs(after - 0.8) > 0.05) fail_msg("%s: %g, then %g", rows[i][0], before, after);
        /* the model keeps it */
        buf result = { 0 };
        laco_error err = { 0 };
        const char *option[] = { "model-file", MODEL, "backtest", "3", NULL };
        if (run("eval", data.data, option, &result, &err)) fail_msg("%s", err.msg);
        json_doc *doc;
        assert_int_equal(json_parse(&doc, result.data, result.len, NULL), LACO_OK);
        double again = covered(doc);
        if (fabs(again - after) > 1e-12) fail_msg("%s: %g, not %g", rows[i][0], again, after);
        buf_free(&result);
    }
    buf_free(&data), unlink(MODEL);
}
static void calibration_that_cannot_be_is_said(void **state)
{
    (void)state;
    static const char few[] = "y\n1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    refuse(few, OPTIONS("target", "y", "calibrate", "yes"), "the network answers a number, without an interval");
    refuse(few, OPTIONS("target", "y", "calibrate", "yes", "loss", "negative-binomial", "scale", "none"), "intervals cannot be moved");
    refuse(few, OPTIONS("target", "y", "calibrate", "yes", "loss", "pinball", "quantiles", "0.1,0.5"), "no two levels");
    refuse(few, OPTIONS("target", "y", "calibrate", "yes", "loss", "pinball", "split-rows", "6,0,3"), "no validation values");
    unlink(MODEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_steps),
        cmocka_unit_test(what_cannot_be_read_is_said),
        cmocka_unit_test(targets_go_back),
        cmocka_unit_test(inputs_know_no_future),
        cmocka_unit_test(strategies_forecast_waves),
        cmocka_unit_test(answers_are_moved_by_pairs),
        cmocka_unit_test(calibrated_intervals_hold_what_they_say),
        cmocka_unit_test(calibration_that_cannot_be_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
