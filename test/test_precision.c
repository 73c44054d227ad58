/* Training in bf16: near the gradients of float, the same bits for any number of threads, on every instruction set. */
#include "base/rng.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { T = 13, B = 21, INPUTS = 9, MOST_OUT = 64, LD_IN = 16 };
static const char *const networks[] = {
    "lstm 37; dense 3",
    "lstm 16 peephole coupled; dense 3",
    "lstm 20 peephole-full; dense 3",
    "lstm 33 norm; dense 3",
    "gru 40; dense 3",
    "gru-before 19 x2; dense 3",
    "mgu 24; dense 3",
    "elman 35; dense 3",
    "jordan 18; dense 3",
    "indrnn 30; dense 3",
    "lstm 21 project 11 clip 2; dense 3",
    "gru 18 bidirectional; dense 3",
    "elman 17 reverse; lstm 17 residual; dense 3",
    "window 3; lstm 50 gate-recurrence; dense 3",
    "lstm 37 variational 0.3 recurrent-dropout 0.2; dropout 0.2 variational; dense 3",
    "gru-before 19 variational 0.4 zoneout 0.2; mgu 20 variational 0.3; dense 3",
    "lstm 22 project 9 zoneout 0.1 0.3 variational 0.2 bidirectional; dense 3",
};
static int64_t active[T], off[T + 1];
static float x[T * B * LD_IN], dy[T * B * MOST_OUT];
static pool *pools[4];

static int set_up(void **state)
{
    (void)state;
    for (int64_t t = 0; t < T; t++) active[t] = B - t * t / 9, off[t + 1] = off[t] + active[t];
    for (int i = 0; i < T * B * LD_IN; i++) x[i] = (float)rng_normal(1, RNG_TEST, (uint64_t)i);
    for (int i = 0; i < T * B * MOST_OUT; i++) dy[i] = (float)rng_normal(2, RNG_TEST, (uint64_t)i);
    for (int i = 1; i <= 3; i++) {
        if (pool_new(&pools[i], i, NULL)) return -1;
        pool_always_share(pools[i], true);
    }
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++) pool_free(pools[i]);
    return 0;
}

/* Outputs of all rows, then the gradients of all parameters; their number. */
static int64_t gradients(const char *text, const kernels *k, int threads, int64_t rows, weights_kind kind, float **out)
{
    laco_error e;
    int64_t ld;
    const pass p = { .b = { T, rows, 0, active, off }, .train = true };
    pass all = p;
    int64_t act[T], offs[T + 1] = { 0 };
    for (int64_t t = 0; t < T; t++) act[t] = active[t] < rows ? active[t] : rows, offs[t + 1] = offs[t] + act[t];
    all.b.active = act, all.b.off = offs, all.b.R = offs[T];
    net *n = net_of(text, INPUTS, 0, k, pools[threads]);
    assert_int_equal(net_init(n, "default", 1, 7, &e), LACO_OK);
    assert_int_equal(net_weights(n, WEIGHTS_INT8, &e), LACO_OK); /* whatever was before does not count */
    assert_int_equal(net_weights(n, kind, &e), LACO_OK);
    assert_int_equal(net_reserve(n, all.b.R, rows, true, &e), LACO_OK);
    assert_int_equal(net_load(n, true, true, &e), LACO_OK);
    net_forward(n, &all, x, LD_IN, n->d.layers);
    const float *y = net_output(n, n->d.layers, &ld);
    int64_t count = all.b.R * n->outputs + n->params;
    *out = mem_new((size_t)count, sizeof **out);
    for (int64_t i = 0; i < all.b.R * n->outputs; i++) (*out)[i] = y[i / n->outputs * ld + i % n->outputs];
    net_backward(n, &all, dy, MOST_OUT, n->d.layers, NULL, 0);
    memcpy(*out + all.b.R * n->outputs, n->g, (size_t)n->params * sizeof **out);
    net_free(n);
    return count;
}
static double distance(const float *a, const float *b, int64_t n)
{
    double d = 0, size = 0;
    for (int64_t i = 0; i < n; i++) d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]), size += (double)b[i] * b[i];
    return sqrt(d / size);
}
static void near_float(void **state)
{
    const kernels *k;
    (void)state;
    for (int isa = 0; (k = kernels_at(isa, REAL_FLOAT)); isa++)
        for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
            for (int64_t rows = 1; rows <= B; rows += 4) {
                float *exact, *half;
                int64_t n = gradients(networks[i], k, 1, rows, WEIGHTS_FLOAT, &exact);
                assert_int_equal(gradients(networks[i], k, 1, rows, WEIGHTS_BF16, &half), n);
                double d = distance(half, exact, n);
                if (!(d < 0.06)) fail_msg("%s, %s, %d rows: bf16 is %g off", k->isa, networks[i], (int)rows, d);
                if (!(d > 1e-6)) fail_msg("%s, %s, %d rows: bf16 is float", k->isa, networks[i], (int)rows);
                mem_free(exact), mem_free(half);
            }
}
static void same_bits_for_any_threads(void **state)
{
    const kernels *k = kernels_at(0, REAL_FLOAT);
    (void)state;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        for (int64_t rows = 1; rows <= B; rows += 10) {
            float *one, *more;
            int64_t n = gradients(networks[i], k, 1, rows, WEIGHTS_BF16, &one);
            for (int threads = 2; threads <= 3; threads++) {
                gradients(networks[i], k, threads, rows, WEIGHTS_BF16, &more);
                if (memcmp(one, more, (size_t)n * sizeof *one)) fail_msg("%s, %d threads", networks[i], threads);
                mem_free(more);
            }
            mem_free(one);
        }
}
/* All instruction sets compute the same, in float to 1e-5 of the largest. */
static void sets_agree(void **state)
{
    const kernels *k, *best = kernels_at(0, REAL_FLOAT);
    (void)state;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        float *one, *other;
        int64_t n = gradients(networks[i], best, 1, B, WEIGHTS_FLOAT, &one);
        for (int isa = 1; (k = kernels_at(isa, REAL_FLOAT)); isa++) {
            gradients(networks[i], k, 2, B, WEIGHTS_FLOAT, &other);
            double d = distance(other, one, n);
            if (!(d < 1e-5)) fail_msg("%s: %s is %g off %s", networks[i], k->isa, d, best->isa);
            mem_free(other);
        }
        mem_free(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_float),
        cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(sets_agree),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
