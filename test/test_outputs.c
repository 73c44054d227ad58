/* Learning from losses on outputs (net_learn): the loss against one computed here, gradients in double against central
   differences, with ragged rows and answers that do not count. */
#include "base/rng.h"
#include "net/window.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { T = 5, B = 3, ROWS = 11, INPUTS = 2, OUTPUTS = 3, LD = 16 };
static const int64_t active[T] = { 3, 3, 2, 2, 1 }, off[T + 1] = { 0, 3, 6, 8, 10, 11 };
static double x[ROWS * LD + 64];
static float y[ROWS * OUTPUTS];

static double number(int place, int64_t i) { return 2 * rng_uniform(9, RNG_TEST, (uint64_t)(place * 1000 + i)) - 1; }
static double learn(net *n, loss_kind kind, bool train)
{
    laco_error err;
    const pass p = { .b = { T, B, ROWS, active, off }, .train = train };
    const net_loss loss = { .kind = kind, .y = y, .scale = 0.25 };
    assert_int_equal(net_load_loss(n, kind, true, &err), LACO_OK);
    net_reset(n);
    return net_learn(n, &p, x, LD, &loss);
}
static double by_hand(const net *n, loss_kind kind)
{
    int64_t ld;
    const double *out = net_output(n, n->d.layers, &ld);
    double sum = 0;
    for (int r = 0; r < ROWS; r++)
        for (int k = 0; k < OUTPUTS; k++) {
            double o = out[r * ld + k], t = y[r * OUTPUTS + k], p = 1 / (1 + exp(-o));
            if (!isnan(t)) sum += kind == LOSS_SQUARED ? (o - t) * (o - t) : -t * log(p) - (1 - t) * log(1 - p);
        }
    return sum;
}
static void losses_on_outputs(void **state)
{
    (void)state;
    laco_error err;
    const kernels *k;
    pool *one;
    assert_int_equal(kernels_choose(&k, REAL_DOUBLE, &err), LACO_OK);
    assert_int_equal(pool_new(&one, 1, &err), LACO_OK);
    for (int i = 0; i < ROWS * INPUTS; i++) x[i / INPUTS * LD + i % INPUTS] = number(1, i);
    for (int i = 0; i < ROWS * OUTPUTS; i++) y[i] = i % 4 == 1 ? NAN : (float)fabs(number(2, i));
    for (int i = 0; i < OUTPUTS; i++) y[4 * OUTPUTS + i] = NAN;
    for (int which = 0; which < 2; which++) {
        loss_kind kind = which ? LOSS_BERNOULLI : LOSS_SQUARED;
        net *n = net_of("lstm 4; dense", INPUTS, OUTPUTS, k, one);
        assert_int_equal(net_reserve(n, ROWS, B, true, &err), LACO_OK);
        assert_int_equal(net_reserve_loss(n, kind, ROWS, &err), LACO_OK);
        for (int64_t i = 0; i < n->params; i++) net_set(n, i, number(3, i));
        memset(n->g, 0, (size_t)n->params * sizeof(double));
        double sum = learn(n, kind, true);
        assert_true(sum > 1 && fabs(sum - by_hand(n, kind)) < 1e-12);
        assert_true(fabs(learn(n, kind, false) - sum) < 1e-12);
        for (int64_t i = 0; i < n->params; i++) {
            const double h = 1e-5, w = net_get(n, i);
            net_set(n, i, w + h);
            double above = learn(n, kind, false);
            net_set(n, i, w - h);
            double below = learn(n, kind, false), made = ((double *)n->g)[i];
            net_set(n, i, w);
            if (fabs(made - 0.25 * (above - below) / (2 * h)) > 1e-8)
                fail_msg("loss %d, parameter %lld: %.12g, by differences %.12g", kind, (long long)i, made,
                         0.25 * (above - below) / (2 * h));
        }
        net_free(n);
    }
    pool_free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(losses_on_outputs) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
