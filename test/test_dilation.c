/* Dilation: each phase of a row is a sequence of its own; windows in parts, streaming, threads. Gradients: test_net.c.
 */
#include "ragged_kit.h"
#include <math.h>

static net *make(const char *text, int r, pool *p)
{
    net *n = make_of(text, IN, r, p);
    for (int64_t i = 0; i < n->params; i++) net_set(n, i, 0.6 * rng_normal(5, RNG_TEST, (uint64_t)i));
    assert_int_equal(net_load(n, true, true, NULL), LACO_OK);
    return n;
}

static const struct {
    const char *dilated, *plain;
    int64_t D;
} pairs[] = {
    { "lstm 7 dilation 3", "lstm 7", 3 },
    { "gru 7 bidirectional dilation 2 learned-state", "gru 7 bidirectional learned-state", 2 },
    { "lstm 9 reverse norm project 4 dilation 5", "lstm 9 reverse norm project 4", 5 },
    { "lstm-at 6 dilation 40", "lstm-at 6", 40 },
};
/* Steps p, p + D, p + 2 D … of a row through the plain network. */
static void test_phases(void **state)
{
    (void)state;
    fill(23);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        net *n = make(pairs[i].dilated, REAL_DOUBLE, pools[2]), *one = make(pairs[i].plain, REAL_DOUBLE, pools[1]);
        net_forward(n, &(pass){ .b = rag }, x, LD, 1);
        for (int64_t b = 0; b < B; b++)
            for (int64_t phase = 0; phase < pairs[i].D && phase < length(23, b); phase++) {
                int64_t steps = 0, alone[T], rows[T + 1];
                double own[T * LD];
                for (int64_t t = phase; t < length(23, b); t += pairs[i].D, steps++) {
                    alone[steps] = 1, rows[steps] = steps, rows[steps + 1] = steps + 1;
                    memcpy(own + steps * LD, x + (off[t] + b) * LD, sizeof(double) * LD);
                }
                net_forward(one, &(pass){ .b = { steps, 1, steps, alone, rows } }, own, LD, 1);
                for (int64_t k = 0; k < steps; k++)
                    for (int64_t j = 0; j < n->outputs; j++) {
                        double a = output_at(n, 1, off[phase + k * pairs[i].D] + b, j), c = output_at(one, 1, k, j);
                        if (!(fabs(a - c) < 1e-14))
                            fail_msg("%s: row %lld step %lld: %.17g, not %.17g", pairs[i].dilated, (long long)b,
                                     (long long)(phase + k * pairs[i].D), a, c);
                    }
            }
        net_free(n), net_free(one);
    }
}
static void test_streaming(void **state)
{
    (void)state;
    fill(23);
    for (int threads = 1; threads <= 3; threads += 2) {
        net *n = make("lstm 7 dilation 3; gru 20 dilation 2 learned-state; dense 4", REAL_DOUBLE, pools[1]);
        size_t bytes = net_state_bytes(n, B);
        net_state *s = mem_new(bytes, 1), *copy = mem_new(bytes, 1);
        char *helpers = mem_new(3, net_helper_bytes(n, B));
        double *numbers = mem_new((size_t)net_state_numbers(n, B), sizeof *numbers);
        assert_int_equal(net_state_numbers(n, 1), 3 * 14 + 2 * 20);
        net_state_init(n, s, B);
        if (threads > 1) s->pool = pools[threads], s->helpers = helpers;
        net_forward(n, &(pass){ .b = rag }, x, LD, 3);
        for (int64_t t = 0; t < rag.T; t++) {
            double in[B * IN], out[B * 4];
            for (int64_t b = 0; b < active[t]; b++) memcpy(in + b * IN, x + (off[t] + b) * LD, IN * sizeof(double));
            net_state_get(n, s, numbers); /* out of one state and into another, which then goes on in its place */
            net_state_init(n, copy, B), net_state_put(n, copy, numbers);
            net_step(n, t % 2 ? copy : s, 1, active[t], in, out);
            if (t % 2) net_state_get(n, copy, numbers), net_state_put(n, s, numbers);
            for (int64_t b = 0; b < active[t]; b++)
                for (int64_t j = 0; j < 4; j++)
                    assert_true(fabs(out[b * 4 + j] - output_at(n, 1, off[t] + b, j)) < 1e-14);
        }
        mem_free(s), mem_free(copy), mem_free(helpers), mem_free(numbers), net_free(n);
    }
}
/* A long window in segments, all kept or made again: the gradients of one that is walked whole. */
static void test_segments(void **state)
{
    static const char text[] = "lstm 7 dilation 3; gru 6 dilation 7 learned-state; dense 14";
    (void)state;
    fill(T);
    net *whole = make(text, REAL_DOUBLE, pools[2]);
    double loss = learn(whole, REAL_DOUBLE, NULL);
    for (int k = 0; k < 2; k++) {
        window_plan plan;
        net *n = make(text, REAL_DOUBLE, pools[2]);
        assert_int_equal(net_plan_window(n, LOSS_SQUARED, T, B, k ? 1 : 0, &plan, NULL), LACO_OK);
        assert_true(plan.segments > 2 && (plan.tapes == plan.segments) == !k);
        assert_true(fabs(learn(n, REAL_DOUBLE, &plan) / loss - 1) < 1e-13);
        for (int64_t i = 0; i < n->params; i++)
            assert_true(fabs(at(1, n->g, i) - at(1, whole->g, i)) < 1e-10 * (1 + fabs(at(1, whole->g, i))));
        net_free(n);
    }
    net_free(whole);
}
static void test_threads(void **state)
{
    static const char text[] = "lstm 7 bidirectional dilation 3; gru 14 dilation 2";
    net *n[4];
    (void)state;
    fill(40);
    for (int t = 1; t <= 3; t++) {
        n[t] = make(text, REAL_FLOAT, pools[t]);
        learn(n[t], REAL_FLOAT, NULL);
        assert_memory_equal(n[t]->g, n[1]->g, (size_t)n[1]->params * sizeof(float));
    }
    net *d = make(text, REAL_DOUBLE, pools[1]);
    learn(d, REAL_DOUBLE, NULL);
    for (int64_t i = 0; i < d->params; i++)
        assert_true(fabs(at(1, d->g, i) - at(0, n[1]->g, i)) < 1e-4 * (1 + fabs(at(1, d->g, i))));
    for (int t = 1; t <= 3; t++) net_free(n[t]);
    net_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_phases), cmocka_unit_test(test_streaming),
                                        cmocka_unit_test(test_segments), cmocka_unit_test(test_threads) };
    return cmocka_run_group_tests(tests, set_up_sharing, tear_down);
}
