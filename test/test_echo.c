/* Harvest and runs of echo state networks: the units by their equation, which rows a readout is fitted to, answers
   along a series and from kept states, what is refused. */
#include "base/rng.h"
#include "layer/reservoir.h"
#include "reservoir/echo.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { STEPS = 600, N = 6, UNITS = N + 1, WASHOUT = 300 }; /* three chunks */
static const char network[] = "reservoir 6 density 0.5 radius 0.8 leak 0.5 bias-scale 0.3 direct; dense";
static double u[STEPS], y[STEPS], units[STEPS * UNITS];
static const kernels *k;
static pool *threads;

static int setup(void **state)
{
    for (int t = 0; t < STEPS; t++)
        u[t] = rng_normal(3, RNG_SAMPLE, (uint64_t)t), y[t] = t % 7 ? sin(t / 5.0) + u[t] : NAN;
    return (void)state, pool_new(&threads, 1, NULL) || kernels_choose(&k, REAL_DOUBLE, NULL);
}
static int teardown(void **state) { return (void)state, pool_free(threads), 0; }
static void test_units(void **state)
{
    echo e;
    double x[N] = { 0 }, next[N];
    assert_int_equal(echo_new(&e, network, 1, 1, 5, k, threads, NULL), LACO_OK);
    assert_int_equal(e.units, UNITS);
    const int64_t K = reservoir_degree(&e.n->d.layer[0]), hh = N, bias = hh + N * K;
    int32_t *column = reservoir_columns(&e.n->d.layer[0]);
    assert_int_equal(K, 3);
    assert_int_equal(echo_units(&e, STEPS, u, units, NULL), LACO_OK);
    for (int t = 0; t < STEPS; t++) {
        for (int i = 0; i < N; i++) {
            double z = net_get(e.n, i) * u[t] + net_get(e.n, bias + i);
            for (int64_t c = 0; c < K; c++) z += net_get(e.n, hh + i * K + c) * x[column[i * K + c]];
            next[i] = x[i] + 0.5 * (tanh(z) - x[i]);
        }
        memcpy(x, next, sizeof x);
        for (int i = 0; i < N; i++) assert_true(fabs(units[t * UNITS + i] - x[i]) < 1e-13);
        assert_true(units[t * UNITS + N] == u[t]);
    }
    mem_free(column), echo_free(&e);
    (void)state;
}
/* Rows behind the washout whose target is known, and no others: as a ridge that is given them one by one. */
static void test_gather(void **state)
{
    echo e;
    ridge *by_echo, *by_hand;
    ridge_result solved;
    double w[UNITS], b, want[UNITS], want_b;
    assert_int_equal(echo_new(&e, network, 1, 1, 5, k, threads, NULL), LACO_OK);
    assert_int_equal(ridge_new(&by_echo, UNITS, 1, RIDGE_FREE_BIAS, k, threads, NULL), LACO_OK);
    assert_int_equal(ridge_new(&by_hand, UNITS, 1, RIDGE_FREE_BIAS, k, threads, NULL), LACO_OK);
    assert_int_equal(echo_gather(&e, STEPS, u, y, WASHOUT, by_echo, NULL), LACO_OK);
    assert_int_equal(echo_units(&e, STEPS, u, units, NULL), LACO_OK);
    for (int t = WASHOUT; t < STEPS; t++)
        if (t % 7) ridge_add(by_hand, 1, units + t * UNITS, UNITS, y + t, 1);
    assert_int_equal(ridge_rows(by_echo), ridge_rows(by_hand));
    assert_int_equal(ridge_solve(by_echo, 1e-3, w, &b, &solved, NULL), LACO_OK);
    assert_int_equal(ridge_solve(by_hand, 1e-3, want, &want_b, &solved, NULL), LACO_OK);
    for (int i = 0; i < UNITS; i++) assert_true(fabs(w[i] - want[i]) < 1e-9);
    assert_true(fabs(b - want_b) < 1e-9 && fabs(w[N]) > 0.5);

    double got[UNITS], got_b, answer, again;
    echo_set(&e, w, &b), echo_weights(&e, got, &got_b);
    assert_memory_equal(got, w, sizeof w);
    assert_true(got_b == b);
    assert_int_equal(echo_ready(&e, NULL), LACO_OK);
    void *kept = mem_new(1, echo_state_bytes(&e));
    for (int t = 0; t < STEPS; t++) { /* step by step, the same; from a kept state, the same bits */
        double sum = b;
        for (int i = 0; i < UNITS; i++) sum += w[i] * units[t * UNITS + i];
        echo_keep(&e, kept);
        for (int away = 0; away < 3; away++) echo_step(&e, u + away, &answer);
        echo_back(&e, kept), echo_step(&e, u + t, &answer);
        echo_back(&e, kept), echo_step(&e, u + t, &again);
        assert_true(fabs(answer - sum) < 1e-12 && answer == again);
    }
    mem_free(kept), ridge_free(by_echo), ridge_free(by_hand), echo_free(&e);
    (void)state;
}
static void test_float(void **state)
{
    echo e, single;
    double *rounded = mem_new(STEPS * UNITS, sizeof *rounded), difference = 0;
    const kernels *floats;
    assert_int_equal(kernels_choose(&floats, REAL_FLOAT, NULL), LACO_OK);
    assert_int_equal(echo_new(&e, network, 1, 1, 5, k, threads, NULL), LACO_OK);
    assert_int_equal(echo_of(&single, e.n, floats, threads, NULL), LACO_OK);
    assert_int_equal(echo_units(&e, STEPS, u, units, NULL), LACO_OK);
    assert_int_equal(echo_units(&single, STEPS, u, rounded, NULL), LACO_OK);
    for (int i = 0; i < STEPS * UNITS; i++) difference = fmax(difference, fabs(units[i] - rounded[i]));
    assert_true(difference > 0 && difference < 1e-5);
    mem_free(rounded), echo_free(&e), echo_free(&single);
    (void)state;
}
static void test_refused(void **state)
{
    static const char *const not_one[] = { "reservoir 5", "reservoir 5; dense tanh", "dense" };
    echo e;
    laco_error err;
    for (size_t i = 0; i < sizeof not_one / sizeof *not_one; i++) {
        assert_int_equal(echo_new(&e, not_one[i], 1, 1, 1, k, threads, &err), LACO_EINVAL);
        assert_null(e.n);
    }
    /* the second group runs away, the first does not: every unit is looked at */
    assert_int_equal(
        echo_new(&e, "reservoir 20 linear radius 50 leak 0.0001 1 groups 2; dense", 1, 1, 1, k, threads, &err),
        LACO_OK);
    double *x = mem_new(STEPS * 20, sizeof *x);
    assert_int_equal(echo_units(&e, STEPS, u, x, &err), LACO_ENUMERIC);
    assert_true(isfinite(x[255 * 20]) && strstr(err.msg, "not finite"));
    mem_free(x), echo_free(&e);
    (void)state;
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_units), cmocka_unit_test(test_gather),
                                        cmocka_unit_test(test_float), cmocka_unit_test(test_refused) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
