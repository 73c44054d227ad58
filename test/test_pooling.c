/* Pooling over time: values against the definition, windows in parts, streaming, threads, both real types, and losses
   of the last step of each row alone. Gradients: test_net.c. */
#include "base/rng.h"
#include "kernel_kit.h"
#include "net/window.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { T = 300, B = 7, IN = 11, CLASSES = 3, MOST = 64 };
static const char *const words[] = { "last",
                                     "mean",
                                     "max",
                                     "attention",
                                     "attention 5",
                                     "feature-attention",
                                     "time-feature-attention 40",
                                     "attention by-last",
                                     "time-feature-attention by-last" };
enum { WORDS = sizeof words / sizeof *words, STREAMING = 7 };

/* Rows of falling length, the longest of `steps`. */
typedef struct batch {
    int64_t active[T], off[T + 1];
    int32_t classes[T * B];
    double x[T * B * 16];
    float xf[T * B * 16];
    ragged b;
} batch;
static batch data;
static int64_t length(int64_t steps, int64_t b) { return b == B - 1 ? 0 : steps - b * steps / B; }
static void fill(int64_t steps)
{
    data.off[0] = 0;
    for (int64_t t = 0; t < steps; t++) {
        data.active[t] = 0;
        for (int64_t b = 0; b < B; b++) data.active[t] += length(steps, b) > t;
        data.off[t + 1] = data.off[t] + data.active[t];
        for (int64_t b = 0; b < data.active[t]; b++)
            data.classes[data.off[t] + b] = t + 1 < length(steps, b) ? -1 : (int32_t)(b % CLASSES);
    }
    data.b = (ragged){ steps, B, data.off[steps], data.active, data.off };
    for (int64_t i = 0; i < data.b.R * 16; i++) {
        data.x[i] = rng_normal(3, RNG_TEST, (uint64_t)i);
        if (i % 16 == 4) data.x[i] = floor(data.x[i]); /* ties */
        data.xf[i] = (float)data.x[i], data.x[i] = (double)data.xf[i];
    }
}
static const void *inputs(int r) { return r == REAL_FLOAT ? (const void *)data.xf : data.x; }
static net *make(const char *text, int r, pool *p) { return net_drawn(text, IN, T * B, B, real[r], p); }
static net *make_pool(int i, int r, pool *p)
{
    char text[96];
    snprintf(text, sizeof text, "pool %s", words[i]);
    return make(text, r, p);
}
static double output_at(const net *n, int r, int64_t row, int64_t j)
{
    int64_t ld;
    const void *y = net_output(n, n->d.layers, &ld);
    return at(r, y, row * ld + j);
}

/* ---- values ---- by the definition, from the parameters by their names */
static double parameter(const net *n, const char *name, int64_t i) { return net_get(n, net_find(n, name)->offset + i); }
static double x_at(int64_t t, int64_t b, int64_t j) { return data.x[(data.off[t] + b) * 16 + j]; }
static double hidden(const net *n, const char *weight, const char *bias, int64_t t, int64_t b, int64_t k)
{
    double z = bias ? parameter(n, bias, k) : 0;
    for (int64_t j = 0; j < IN; j++) z += parameter(n, weight, k * IN + j) * x_at(t, b, j);
    return bias ? tanh(z) : z;
}
static int64_t width(const net *n, const char *bias) { return net_find(n, bias)->size; }
static void plain_time(const net *n, int64_t t, int64_t b, bool by_last, double *y)
{
    double a[T], sum = 0;
    for (int64_t k = 0; k <= t; k++) {
        a[k] = 0;
        for (int64_t j = 0; !by_last && j < width(n, "layers.0.time_bias"); j++)
            a[k] += parameter(n, "layers.0.time_score", j) *
                    hidden(n, "layers.0.time_weight", "layers.0.time_bias", k, b, j);
        for (int64_t j = 0; by_last && j < IN; j++)
            a[k] += x_at(t, b, j) * hidden(n, "layers.0.time_weight", NULL, k, b, j);
        sum += exp(a[k]);
    }
    for (int64_t j = 0; j < IN; j++) y[j] = 0;
    for (int64_t k = 0; k <= t; k++)
        for (int64_t j = 0; j < IN; j++) y[j] += exp(a[k]) / sum * x_at(k, b, j);
}
static void plain_feature(const net *n, int64_t t, int64_t b, double *y)
{
    int64_t size = width(n, "layers.0.feature_bias");
    for (int64_t j = 0; j < IN; j++) y[j] = 0;
    for (int64_t k = 0; k <= t; k++) {
        double e[IN], sum = 0;
        for (int64_t j = 0; j < IN; j++) {
            e[j] = 0;
            for (int64_t i = 0; i < size; i++)
                e[j] += parameter(n, "layers.0.feature_score", j * size + i) *
                        hidden(n, "layers.0.feature_weight", "layers.0.feature_bias", k, b, i);
            sum += e[j] = exp(e[j]);
        }
        for (int64_t j = 0; j < IN; j++) y[j] += IN * e[j] / sum * x_at(k, b, j) / (double)(t + 1);
    }
}
static void plain(const net *n, int64_t t, int64_t b, double *y)
{
    const layer_spec *s = &n->d.layer[0];
    for (int64_t j = 0; j < IN; j++) {
        double sum = 0, top = -INFINITY;
        for (int64_t k = 0; k <= t; k++) sum += x_at(k, b, j), top = fmax(top, x_at(k, b, j));
        y[j] = s->pool == POOL_LAST ? x_at(t, b, j) : s->pool == POOL_MEAN ? sum / (double)(t + 1) : top;
    }
    if (s->pool == POOL_TIME || s->pool == POOL_TIME_FEATURE) plain_time(n, t, b, s->by_last, y);
    if (s->pool == POOL_FEATURE) plain_feature(n, t, b, y);
    if (s->pool == POOL_TIME_FEATURE) plain_feature(n, t, b, y + IN);
}
static void test_values(void **state)
{
    (void)state;
    fill(14);
    for (int i = 0; i < WORDS; i++)
        for (int r = 0; r < 2; r++) {
            net *n = make_pool(i, r, pools[2]);
            net_forward(n, &(pass){ .b = data.b }, inputs(r), 16, 1);
            for (int64_t t = 0; t < data.b.T; t++)
                for (int64_t b = 0; b < data.active[t]; b++) {
                    double y[2 * IN];
                    plain(n, t, b, y);
                    for (int64_t j = 0; j < n->outputs; j++)
                        if (!(fabs(output_at(n, r, data.off[t] + b, j) - y[j]) <= (r == REAL_FLOAT ? 4e-6 : 1e-13)))
                            fail_msg("pool %s: step %lld row %lld: y[%lld] is %.17g, not %.17g", words[i], (long long)t,
                                     (long long)b, (long long)j, output_at(n, r, data.off[t] + b, j), y[j]);
                }
            net_free(n);
        }
}
/* Scores of hundreds, rising and falling: no exponential overflows, and what is far below the largest counts nothing.
 */
static void test_large_scores(void **state)
{
    (void)state;
    fill(9);
    net *n = make("pool attention 1", REAL_FLOAT, pools[1]);
    for (int64_t i = 0; i < n->params; i++) net_set(n, i, 0);
    net_set(n, net_find(n, "layers.0.time_weight")->offset, 10);
    net_set(n, net_find(n, "layers.0.time_score")->offset, 5000);
    for (int64_t t = 0; t < 9; t++) data.xf[data.off[t] * 16] = (float)(t == 4 ? 1 : t % 2 ? -1 : 0);
    assert_int_equal(net_load(n, true, true, NULL), LACO_OK);
    net_forward(n, &(pass){ .b = data.b }, data.xf, 16, 1);
    for (int64_t j = 1; j < IN; j++) {
        assert_true(fabs(output_at(n, 0, data.off[8], j) - (double)data.xf[data.off[4] * 16 + j]) < 1e-6);
        assert_true(fabs(output_at(n, 0, data.off[3], j) - 0.5 * (double)(data.xf[j] + data.xf[data.off[2] * 16 + j])) <
                    1e-6);
    }
    net_free(n);
}
/* Of equal steps the first has the gradient; of a number that is not one, every later step is not one either. */
static void test_ties(void **state)
{
    static double x[3 * 16], dy[3 * 16], dx[3 * 16];
    const pass p = { .b = { 3, 1, 3, (const int64_t[]){ 1, 1, 1 }, (const int64_t[]){ 0, 1, 2, 3 } }, .train = true };
    (void)state;
    net *n = make("pool max", REAL_DOUBLE, pools[1]);
    for (int64_t j = 0; j < IN; j++) x[j] = -5, x[16 + j] = x[32 + j] = (double)j - 4, dy[16 + j] = 1, dy[32 + j] = 10;
    x[16 + 2] = NAN;
    net_forward(n, &p, x, 16, 1);
    net_backward(n, &p, dy, 16, 1, dx, 16);
    assert_true(isnan(output_at(n, 1, 1, 2)) && isnan(output_at(n, 1, 2, 2)));
    for (int64_t j = 0; j < IN; j++)
        assert_true(j == 2 ||
                    (dx[j] == 0 && dx[16 + j] == 11 && dx[32 + j] == 0 && output_at(n, 1, 2, j) == x[32 + j]));
    net_free(n);
}
/* Behind both directions the last step has both ends: the forward half as it is, the other of the first step. */
static void test_both_ends(void **state)
{
    (void)state;
    fill(14);
    net *n = make("lstm 3 bidirectional; pool last", REAL_DOUBLE, pools[1]);
    int64_t ld;
    net_forward(n, &(pass){ .b = data.b }, data.x, 16, 2);
    const double *h = net_output(n, 1, &ld);
    for (int64_t t = 0; t < data.b.T; t++)
        for (int64_t b = 0; b < data.active[t]; b++)
            for (int64_t j = 0; j < 6; j++)
                assert_true(output_at(n, 1, data.off[t] + b, j) == h[(j < 3 ? data.off[t] + b : b) * ld + j]);
    net_free(n);
}

/* ---- streaming, threads, parts ---- */
static void test_streaming(void **state)
{
    (void)state;
    fill(14);
    for (int i = 0; i < WORDS; i++) {
        net *n = make_pool(i, REAL_DOUBLE, pools[1]);
        assert_true(net_steps(n) == (i < STREAMING));
        if (i >= STREAMING) {
            net_free(n);
            continue;
        }
        net_state *s = mem_new(net_state_bytes(n, B), 1);
        net_state_init(n, s, B);
        net_forward(n, &(pass){ .b = data.b }, data.x, 16, 1);
        for (int64_t t = 0; t < data.b.T; t++) {
            double x[B * IN], y[B * 2 * IN];
            for (int64_t b = 0; b < data.active[t]; b++) memcpy(x + b * IN, &data.x[(data.off[t] + b) * 16], IN * 8);
            net_step(n, s, 1, data.active[t], x, y);
            for (int64_t b = 0; b < data.active[t]; b++)
                for (int64_t j = 0; j < n->outputs; j++)
                    assert_true(fabs(y[b * n->outputs + j] - output_at(n, 1, data.off[t] + b, j)) < 1e-14);
        }
        mem_free(s), net_free(n);
    }
}
/* The loss of the last steps through a pool and the rest of a network; gradients in g. */
static double learn(net *n, int r, const window_plan *plan, bool told)
{
    pass p = { .b = data.b, .train = true, .classes = told ? data.classes : NULL };
    const net_loss loss = { .kind = LOSS_SOFTMAX, .classes = data.classes, .scale = 1 };
    laco_error err;
    if (plan && net_reserve_window(n, plan, &err)) fail_msg("%s", err.msg);
    assert_int_equal(net_load_loss(n, LOSS_SOFTMAX, true, NULL), LACO_OK);
    memset(n->g, 0, (size_t)(n->params * n->k->real_size));
    for (int64_t i = 0; i < data.b.R * n->d.layer[0].out; i++) /* what is not set must not be read */
        for (int k = 0; k < 2; k++) put(r, n->d_rows[k], i / n->d.layer[0].out * n->ld_d + i % n->d.layer[0].out, NAN);
    net_reset(n);
    return net_learn(n, &p, inputs(r), 16, &loss);
}
static net *make_classifier(int i, int r, pool *p)
{
    char text[96];
    snprintf(text, sizeof text, "gru 9%s; pool %s; dense %d", i < STREAMING ? "" : " bidirectional", words[i], CLASSES);
    net *n = make(text, r, p);
    assert_int_equal(net_reserve_loss(n, LOSS_SOFTMAX, T * B, NULL), LACO_OK);
    return n;
}
static void compare_gradients(const net *a, const net *b, double tolerance, const char *what)
{
    for (int64_t k = 0; k < a->params; k++)
        if (!(fabs(at(a->k == real[1], a->g, k) - at(b->k == real[1], b->g, k)) <= tolerance))
            fail_msg("%s: gradient %lld is %.17g, not %.17g", what, (long long)k, at(a->k == real[1], a->g, k),
                     at(b->k == real[1], b->g, k));
}
/* Rows that do not count are left out only when the pool is told, and the same comes out. */
static void test_last_steps_alone(void **state)
{
    (void)state;
    fill(40);
    for (int i = 0; i < WORDS; i++) {
        net *a = make_classifier(i, REAL_DOUBLE, pools[1]), *b = make_classifier(i, REAL_DOUBLE, pools[2]);
        double whole = learn(a, REAL_DOUBLE, NULL, false), few = learn(b, REAL_DOUBLE, NULL, true);
        assert_true(whole == few && whole > 0.5 && whole < 50);
        compare_gradients(a, b, 0, words[i]);
        net *c = make_classifier(i, REAL_FLOAT, pools[3]);
        assert_true(fabs(learn(c, REAL_FLOAT, NULL, true) - whole) < 1e-4);
        compare_gradients(a, c, 1e-4, words[i]);
        net_free(a), net_free(b), net_free(c);
    }
}
static void test_threads(void **state)
{
    (void)state;
    fill(40);
    for (int i = 0; i < WORDS; i++) {
        net *n[4];
        for (int t = 1; t <= 3; t++) {
            n[t] = make_classifier(i, REAL_FLOAT, pools[t]);
            learn(n[t], REAL_FLOAT, NULL, true);
            assert_memory_equal(n[t]->g, n[1]->g, (size_t)n[1]->params * 4);
        }
        for (int t = 1; t <= 3; t++) net_free(n[t]);
    }
}
/* A long window walked in segments, all kept or made again: the gradients of one that is walked whole. */
static void test_segments(void **state)
{
    (void)state;
    fill(T);
    for (int i = 0; i < STREAMING; i++) {
        net *whole = make_classifier(i, REAL_DOUBLE, pools[2]);
        double loss = learn(whole, REAL_DOUBLE, NULL, true);
        for (int k = 0; k < 2; k++) {
            window_plan plan;
            net *n = make_classifier(i, REAL_DOUBLE, pools[2]);
            assert_int_equal(net_plan_window(n, LOSS_SOFTMAX, T, B, k ? 1 : 0, &plan, NULL), LACO_OK);
            assert_true(plan.segments > 2 && (plan.tapes == plan.segments) == !k);
            assert_true(fabs(learn(n, REAL_DOUBLE, &plan, true) - loss) < 1e-12);
            compare_gradients(whole, n, 1e-12, words[i]);
            net_free(n);
        }
        net_free(whole);
    }
}
/* Classes that count twice, or not at all, are as if their rows did. */
static void test_class_weights(void **state)
{
    static const double only[CLASSES] = { 0, 2, 0 };
    net_loss loss = { .kind = LOSS_SOFTMAX, .classes = data.classes, .scale = 1, .class_weight = only };
    int32_t kept[T * B];
    (void)state;
    fill(20);
    net *a = make_classifier(1, REAL_DOUBLE, pools[1]), *b = make_classifier(1, REAL_DOUBLE, pools[1]);
    assert_int_equal(net_load_loss(a, LOSS_SOFTMAX, true, NULL), LACO_OK);
    assert_int_equal(net_load_loss(b, LOSS_SOFTMAX, true, NULL), LACO_OK);
    pass q = { .b = data.b, .train = true, .classes = data.classes };
    double weighted = net_learn(a, &q, data.x, 16, &loss);
    memcpy(kept, data.classes, sizeof kept);
    for (int64_t i = 0; i < data.b.R; i++) kept[i] = kept[i] == 1 ? 1 : -1;
    loss = (net_loss){ .kind = LOSS_SOFTMAX, .classes = kept, .scale = 2 }, q.classes = kept;
    assert_true(fabs(2 * net_learn(b, &q, data.x, 16, &loss) - weighted) < 1e-12 && weighted > 0.5);
    compare_gradients(a, b, 1e-12, "class weights");
    net_free(a), net_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_large_scores),  cmocka_unit_test(test_both_ends),
        cmocka_unit_test(test_ties),     cmocka_unit_test(test_streaming),     cmocka_unit_test(test_threads),
        cmocka_unit_test(test_segments), cmocka_unit_test(test_class_weights), cmocka_unit_test(test_last_steps_alone),
    };
    return cmocka_run_group_tests(tests, set_up_sharing, tear_down);
}
