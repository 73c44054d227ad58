/* Measures and baselines of forecasts: against sums made by hand, and against what the organisers of M4 published. */
#include "base/file.h"
#include "task/forecast_baselines.h"
#include "task/forecast_measures.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void near(double is, double should)
{
    if (!(fabs(is - should) <= 1e-12 * fmax(1, fabs(should)))) fail_msg("%.17g, not %.17g", is, should);
}
static void measures_by_hand(void **state)
{
    (void)state;
    const double y[] = { 1, 2, NAN, 4 }, f[] = { 2, 2, 7, 1 }, zero[] = { 0, 0 }, x[] = { 1, 3, 2, 6, NAN, 5 };
    near(measure_mae(y, f, 4), 4.0 / 3);
    near(measure_mse(y, f, 4), 10.0 / 3);
    near(measure_smape(y, f, 4), (200.0 / 3 + 0 + 600.0 / 5) / 3);
    near(measure_smape(zero, zero, 2), 0);
    near(measure_mase_scale(x, 6, 1), (2 + 1 + 4) / 3.0);
    near(measure_mase_scale(x, 6, 2), (1 + 3 + 1) / 3.0);
    assert_true(isnan(measure_mase_scale(x, 2, 2)) && isnan(measure_mae(y + 2, f + 2, 1)));
    const double q[] = { 1, 3, 4 }, level[] = { 0.1, 0.5, 0.9 };
    near(measure_crps(2, q, level, 3), 2.0 / 3 * (0.1 * 1 + 0.5 * 1 + 0.1 * 2));
    const double median = 0.5;
    near(measure_crps(2, f, &median, 1), 0);
}

static void answers(baseline_fn *f, const double *x, int64_t n, int64_t m, const double *should, int64_t h)
{
    double out[16];
    assert_int_equal(f(x, n, m, h, out, NULL), LACO_OK);
    for (int64_t i = 0; i < h; i++) near(out[i], should[i]);
}
static void naive_ones_skip_what_is_missing(void **state)
{
    (void)state;
    const double x[] = { 5, 1, 2, 3, 4, NAN }, last[] = { 4, 4, 4 }, seasonal[] = { 3, 4, 2, 3 };
    answers(baseline_naive, x, 6, 3, last, 3);
    answers(baseline_seasonal, x, 6, 3, seasonal, 4);
    double out[2];
    const double none[] = { NAN, NAN };
    baseline_naive(none, 2, 1, 2, out, NULL);
    assert_true(isnan(out[0]) && isnan(out[1]));
}
/* Level 10 (1 + t/100) times a season of 3: found exactly by ratios to the moving average where there is no trend. */
static void seasons_are_taken_off_and_put_back(void **state)
{
    (void)state;
    const double season[] = { 0.5, 1, 1.5 }, shift[] = { -3, 1, 2 };
    double x[30], z[30], index[3], should[4];
    for (int t = 0; t < 30; t++) x[t] = 10 * season[t % 3], z[t] = shift[t % 3] - 1;
    assert_true(baseline_has_season(x, 30, 3) && !baseline_has_season(x, 8, 3) && !baseline_has_season(x, 30, 1));
    baseline_season(x, 30, 3, true, index);
    for (int s = 0; s < 3; s++) near(index[s], season[s]);
    baseline_season(z, 30, 3, false, index);
    for (int s = 0; s < 3; s++) near(index[s], shift[s]);
    for (int i = 0; i < 4; i++) should[i] = 10 * season[i % 3];
    answers(baseline_naive2, x, 30, 3, should, 4);
    answers(baseline_theta, x, 30, 3, should, 4);
    for (int i = 0; i < 4; i++) should[i] = shift[i % 3] - 1;
    answers(baseline_naive2, z, 30, 3, should, 4); /* not above 0: differences */
}
/* Of a straight line the errors of exponential smoothing vanish as alpha nears 1: half the slope goes on. */
static void theta_halves_the_slope(void **state)
{
    (void)state;
    double x[40], out[3];
    for (int t = 0; t < 40; t++) x[t] = 2 + 3.0 * t;
    assert_int_equal(baseline_theta(x, 40, 1, 3, out, NULL), LACO_OK);
    for (int h = 0; h < 3; h++) assert_true(fabs(out[h] - (x[39] + 1.5 * (h + 1))) < 0.02);
}
/* Where the factors of the lags have the sum 1 the level does not matter. */
static void ridge_finds_what_is_linear(void **state)
{
    (void)state;
    double x[60], out[2];
    lagged *r;
    x[0] = 1, x[1] = 3;
    for (int t = 2; t < 60; t++) x[t] = 1.2 * x[t - 1] - 0.2 * x[t - 2];
    assert_int_equal(lagged_new(&r, 3, 2, NULL), LACO_OK);
    for (int t = 0; t + 5 <= 30; t++) lagged_add(r, x + t, 4);
    const double gap[] = { 1, NAN, 2, 3, 4 };
    lagged_add(r, gap, 4);
    assert_int_equal(lagged_fit(r, 0, NULL), LACO_OK);
    lagged_forecast(r, x + 30, 4, out);
    assert_true(fabs(out[0] - x[33]) < 1e-3 * fabs(x[33]) + 1e-6 && fabs(out[1] - x[34]) < 1e-3 * fabs(x[34]) + 1e-6);
    lagged_free(r);
}

/* ---- the figures that the organisers of M4 give ---- */
enum { MOST = 4000 };
static int64_t numbers_of(const char **at, double *to)
{
    int64_t n = 0;
    const char *p = *at, *end = p + strcspn(p, "\n");
    for (p += strcspn(p, ","); p < end && *p == ','; p += strcspn(p + 1, ",\n") + 1) {
        const char *from = p + 1 + (p[1] == '"');
        if (*from != ',' && *from != '\n' && *from != '\r' && *from != '"') to[n++] = strtod(from, NULL);
    }
    *at = *end ? end + 1 : end;
    return n;
}
static void check_m4(const char *set, int64_t m, int64_t h, const double should[][2], baseline_fn *const *fn, int methods)
{
    const char *folder = getenv("LACO_DATA");
    char path[512], *text[2];
    size_t n;
    if (!folder) skip();
    for (int part = 0; part < 2; part++) {
        snprintf(path, sizeof path, "%s/m4/%s-%s.csv.gz", folder, set, part ? "test" : "train");
        if (file_read(path, (size_t)1 << 30, &text[part], &n, NULL)) skip();
    }
    const char *train = text[0], *test = text[1];
    static double x[MOST], y[64], f[64];
    double sum[8][2] = { { 0 } };
    int64_t count = 0;
    for (numbers_of(&train, x), numbers_of(&test, x); *train && *test; count++) {
        int64_t steps = numbers_of(&train, x), ahead = numbers_of(&test, y);
        assert_int_equal(ahead, h);
        for (int k = 0; k < methods; k++) {
            assert_int_equal(fn[k](x, steps, m, h, f, NULL), LACO_OK);
            sum[k][0] += measure_smape(y, f, h);
            sum[k][1] += measure_mae(y, f, h) / measure_mase_scale(x, steps, m);
        }
    }
    for (int k = 0; k < methods; k++)
        for (int i = 0; i < 2; i++)
            if (fabs(sum[k][i] / (double)count - should[k][i]) > 0.0005)
                fail_msg("%s, method %d: %.4f, not %.3f", set, k, sum[k][i] / (double)count, should[k][i]);
    mem_free(text[0]), mem_free(text[1]);
}
static void figures_of_m4(void **state)
{
    (void)state;
    static baseline_fn *const fn[] = { baseline_naive, baseline_seasonal, baseline_naive2, baseline_theta };
    static const double hourly[][2] = { { 43.003, 11.608 }, { 13.912, 1.193 }, { 18.383, 2.395 }, { 18.138, 2.455 } };
    static const double weekly[][2] = { { 9.161, 2.777 }, { 9.161, 2.777 }, { 9.161, 2.777 }, { 9.093, 2.637 } };
    check_m4("Hourly", 24, 48, hourly, fn, 4);
    check_m4("Weekly", 1, 13, weekly, fn, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_by_hand),
        cmocka_unit_test(naive_ones_skip_what_is_missing),
        cmocka_unit_test(seasons_are_taken_off_and_put_back),
        cmocka_unit_test(theta_halves_the_slope),
        cmocka_unit_test(ridge_finds_what_is_linear),
        cmocka_unit_test(figures_of_m4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
