/* Series that reservoirs are measured on: their equations once more, bounds, and that a seed is a series. */
#include "base/base.h"
#include "data/dynamics.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { STEPS = 600, WIDEST = 11 };
static double a[STEPS * WIDEST], b[STEPS * WIDEST];

static void make(const char *name, double parameter, uint64_t seed, double *to)
{
    assert_int_equal(dynamics_make(dynamics_find(name), parameter, seed, STEPS, to, NULL), LACO_OK);
}
static void test_maps(void **state)
{
    make("henon", NAN, 1, a);
    for (int t = 1; t < STEPS; t++) {
        assert_true(fabs(a[2 * t] - (1 - 1.4 * a[2 * t - 2] * a[2 * t - 2] + a[2 * t - 1])) < 1e-14);
        assert_true(fabs(a[2 * t + 1] - 0.3 * a[2 * t - 2]) < 1e-15 && fabs(a[2 * t]) < 1.5);
    }
    make("logistic", 3.9, 1, a);
    for (int t = 1; t < STEPS; t++) assert_true(fabs(a[t] - 3.9 * a[t - 1] * (1 - a[t - 1])) < 1e-14);
    (void)state;
}
static void test_narma(void **state)
{
    static const double order[] = { 10, 20, 30 };
    for (int k = 0; k < 3; k++) {
        const int n = (int)order[k];
        make("narma", order[k], 3, a);
        for (int t = n; t + 1 < STEPS; t++) { /* row t holds u(t) and y(t + 1) */
            double sum = 0, y = a[2 * (t - 1) + 1], want = NAN;
            for (int i = 0; i < n; i++) sum += a[2 * (t - 1 - i) + 1];
            assert_true(a[2 * t] >= 0 && a[2 * t] <= 0.5);
            if (n == 10) want = 0.3 * y + 0.05 * y * sum + 1.5 * a[2 * (t - 9)] * a[2 * t] + 0.1;
            if (n == 20) want = tanh(0.3 * y + 0.05 * y * sum + 1.5 * a[2 * (t - 19)] * a[2 * t] + 0.01) + 0.2;
            if (n == 30) want = 0.2 * y + 0.04 * y * sum + 1.5 * a[2 * (t - 29)] * a[2 * t] + 0.001;
            assert_true(fabs(a[2 * t + 1] - want) < 1e-14);
        }
    }
    laco_error err;
    assert_int_equal(dynamics_make(dynamics_find("narma"), 11, 1, STEPS, a, &err), LACO_EINVAL);
    assert_string_equal(err.msg, "narma: the order is 10, 20 or 30, not 11");
    (void)state;
}
/* From a point of a flow to the next, in 2,000 parts. */
static void finer(void (*f)(const double *, double *), double length, const double *from, double *x)
{
    enum { PARTS = 2000 };
    double middle[3], slope[3];
    memcpy(x, from, 3 * sizeof *x);
    for (int n = 0; n < PARTS; n++) { /* midpoint rule: of another order than what is tested */
        f(x, slope);
        for (int i = 0; i < 3; i++) middle[i] = x[i] + length / PARTS / 2 * slope[i];
        f(middle, slope);
        for (int i = 0; i < 3; i++) x[i] += length / PARTS * slope[i];
    }
}
static void lorenz(const double *x, double *d)
{
    d[0] = 10 * (x[1] - x[0]), d[1] = x[0] * (28 - x[2]) - x[1], d[2] = x[0] * x[1] - 8.0 / 3 * x[2];
}
static void rossler(const double *x, double *d)
{
    d[0] = -x[1] - x[2], d[1] = x[0] + 0.2 * x[1], d[2] = 0.2 + x[2] * (x[0] - 5.7);
}
static void test_flows(void **state)
{
    double x[3];
    make("lorenz", NAN, 2, a);
    for (int t = 0; t + 1 < STEPS; t++) {
        assert_true(fabs(a[3 * t]) < 25 && fabs(a[3 * t + 1]) < 35 && a[3 * t + 2] > 0 && a[3 * t + 2] < 55);
        if (t % 20) continue;
        finer(lorenz, 0.02, a + 3 * t, x);
        for (int i = 0; i < 3; i++) assert_true(fabs(a[3 * t + 3 + i] - x[i]) < 2e-5);
    }
    make("rossler", NAN, 2, a);
    for (int t = 0; t + 1 < STEPS; t++) {
        assert_true(fabs(a[3 * t]) < 13 && fabs(a[3 * t + 1]) < 13 && a[3 * t + 2] > 0 && a[3 * t + 2] < 26);
        if (t % 20) continue;
        finer(rossler, 0.1, a + 3 * t, x);
        for (int i = 0; i < 3; i++) assert_true(fabs(a[3 * t + 3 + i] - x[i]) < 2e-5);
    }
    (void)state;
}
static void test_mackey_glass(void **state)
{
    make("mackey-glass", 17, 5, a);
    double mean = 0, square = 0;
    for (int t = 0; t < STEPS; t++) {
        assert_true(a[t] > 0.2 && a[t] < 1.45);
        mean += a[t] / STEPS;
    }
    for (int t = 0; t < STEPS; t++) square += (a[t] - mean) * (a[t] - mean) / STEPS;
    assert_true(mean > 0.85 && mean < 0.98 && sqrt(square) > 0.18 && sqrt(square) < 0.28);
    double slope[STEPS], most = 0; /* the equation, by Simpson's rule over two steps */
    for (int t = 17; t < STEPS; t++) slope[t] = 0.2 * a[t - 17] / (1 + pow(a[t - 17], 10)) - 0.1 * a[t];
    for (int t = 18; t + 1 < STEPS; t++)
        most = fmax(most, fabs(a[t + 1] - a[t - 1] - (slope[t - 1] + 4 * slope[t] + slope[t + 1]) / 3));
    assert_true(most < 1e-4);
    (void)state;
}
static void test_sines_and_memory(void **state)
{
    make("multiple-sines", 2, 1, a);
    for (int t = 2; t + 2 < STEPS; t++) { /* (E - 2 cos w1 + 1/E)(E - 2 cos w2 + 1/E) x = 0 */
        const double p = 2 * cos(0.2), q = 2 * cos(0.311);
        assert_true(fabs(a[t + 2] + a[t - 2] - (p + q) * (a[t + 1] + a[t - 1]) + (2 + p * q) * a[t]) < 1e-9);
    }
    make("sine", NAN, 1, a);
    int held = 0;
    for (int t = 1; t + 1 < STEPS; t++) { /* while the level holds, y(t+1) + y(t-1) = 2 cos(w) y(t) */
        const double level = a[2 * t], w = 2 * M_PI * (1.0 / 16 + level * (1.0 / 4 - 1.0 / 16)), *y = a + 2 * t + 1;
        assert_true(level >= 0 && level < 1 && fabs(*y) <= 1);
        if (a[2 * t + 2] != level) continue;
        assert_true(fabs(y[2] + y[-2] - 2 * cos(w) * *y) < 1e-9), held++;
    }
    assert_true(held > STEPS - 14); /* a level holds for at least 50 steps */
    make("memory", NAN, 1, a);
    for (int t = 10; t < STEPS; t++)
        for (int k = 1; k <= 10; k++) assert_true(a[t * 11 + k] == a[(t - k) * 11]);
    (void)state;
}
static void test_bad_parameters(void **state)
{
    static const struct {
        const char *name;
        double parameter;
    } bad[] = { { "mackey-glass", 0 }, { "mackey-glass", 1001 }, { "mackey-glass", NAN },
                { "narma", 15 },       { "narma", NAN },         { "logistic", 4.1 },
                { "logistic", -1 },    { "multiple-sines", 9 },  { "multiple-sines", 2.5 } };
    laco_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(dynamics_make(dynamics_find(bad[i].name), bad[i].parameter, 1, STEPS, a, &err), LACO_EINVAL);
        assert_memory_equal(err.msg, bad[i].name, strlen(bad[i].name));
    }
    (void)state;
}
static void test_seeds(void **state)
{
    int n = 0;
    for (const dynamics_row *r = dynamics_rows(); r->name; r++, n++) {
        const size_t size = sizeof(double) * (size_t)(STEPS * (r->inputs + r->targets));
        make(r->name, r->parameter, 1, a), make(r->name, r->parameter, 1, b);
        assert_memory_equal(a, b, size);
        make(r->name, r->parameter, 2, b);
        assert_memory_not_equal(a, b, size);
        int columns = 1;
        for (const char *p = r->columns; *p; p++) columns += *p == ' ';
        assert_int_equal(columns, r->inputs + r->targets);
    }
    assert_int_equal(n, 9);
    assert_null(dynamics_find("lorentz"));
    (void)state;
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_maps),
                                        cmocka_unit_test(test_narma),
                                        cmocka_unit_test(test_flows),
                                        cmocka_unit_test(test_mackey_glass),
                                        cmocka_unit_test(test_sines_and_memory),
                                        cmocka_unit_test(test_bad_parameters),
                                        cmocka_unit_test(test_seeds) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
