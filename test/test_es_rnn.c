/* Exponential smoothing inside a network: the layers smooth and restore against the method written out, gradients in
   double against central differences with ragged rows and missing numbers, states from window to window, threads. */
#include "base/rng.h"
#include "net/window.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { T = 15, B = 4, LD = 16, MOST = T * B, SERIES = 3 };
static const int64_t length[B] = { 15, 15, 9, 3 }; /* of the rows */
static const int64_t row_series[B] = { 2, 0, 2, 1 };
typedef struct data {
    int64_t active[T], off[T + 1], rows;
    double x[MOST * LD + 64];
    float y[MOST * 4];
} data;
static data d;
static double number(int place, int64_t i) { return 2 * rng_uniform(5, RNG_TEST, (uint64_t)(place * 10000 + i)) - 1; }
static void fill(int64_t from, int64_t to)
{
    d.rows = 0;
    for (int64_t t = from; t < to; t++) {
        d.active[t - from] = 0, d.off[t - from] = d.rows;
        for (int64_t b = 0; b < B && length[b] > t; b++, d.rows++) {
            double *x = d.x + d.rows * LD;
            x[0] = (t * B + b) % 11 == 5 ? NAN : 5 + number(1, t * B + b), x[1] = (double)row_series[b];
            for (int k = 0; k < 4; k++)
                d.y[d.rows * 4 + k] = (t + k + b) % 5 ? (float)(5 + number(2, (t * B + b) * 4 + k)) : NAN;
            d.active[t - from]++;
        }
    }
    d.off[to - from] = d.rows;
}
static const kernels *k;
static pool *pools[3];
static laco_error err;
static net *make(const char *text, int64_t outputs, int threads)
{
    net *n = net_of(text, 2, outputs, k, pools[threads]);
    assert_int_equal(net_reserve(n, MOST, B, true, &err), LACO_OK);
    for (int64_t i = 0; i < n->params; i++) net_set(n, i, 0.4 * number(3, i));
    for (int64_t i = 0; i < SERIES; i++) net_set(n, net_find(n, "layers.0.level")->offset + i, 5 + number(4, i));
    return n;
}

/* ---- the method written out ---- what smooth makes of row b at step t, and what restore adds */
typedef struct by_hand {
    double level, season[2][8];
} by_hand;
static double parameter(const net *n, const char *name, int64_t i)
{
    char full[64];
    snprintf(full, sizeof full, "layers.0.%s", name);
    const param_tensor *t = net_find(n, full);
    return t ? net_get(n, t->offset + i) : 0;
}
static double input(int64_t b, int64_t t) { return d.x[(d.off[t] + b) * LD]; }
static double rate(const net *n, int64_t series, int seasons, int i)
{
    return i > seasons ? 0 : 1 / (1 + exp(-8 * parameter(n, "rates", series * (1 + seasons) + i)));
}
static by_hand smoothed(const net *n, int64_t b, int64_t end, const int64_t m[2])
{
    const int64_t s = row_series[b];
    const int seasons = (m[0] > 1) + (m[1] > 1);
    by_hand h = { .level = parameter(n, "level", s) };
    for (int64_t i = 0; i < m[0] && m[0] > 1; i++) h.season[0][i] = parameter(n, "season", s * m[0] + i);
    for (int64_t i = 0; i < m[1] && m[1] > 1; i++) h.season[1][i] = parameter(n, "season_two", s * m[1] + i);
    for (int64_t t = 0; t <= end; t++) {
        double y = input(b, t), *u = &h.season[0][t % m[0]], *v = &h.season[1][t % m[1]], old = *u, a, level;
        if (isnan(y)) continue;
        a = rate(n, s, seasons, 0), level = a * (y - *u - *v) + (1 - a) * h.level;
        if (m[0] > 1) a = rate(n, s, seasons, 1), *u = a * (y - level - *v) + (1 - a) * *u;
        if (m[1] > 1) a = rate(n, s, seasons, seasons), *v = a * (y - level - old) + (1 - a) * *v;
        h.level = level;
    }
    return h;
}
static void check_values(const char *text, int64_t m1, int64_t m2, int64_t window)
{
    const int64_t m[2] = { m1, m2 };
    fill(0, T);
    net *n = make(text, 2, 1);
    const pass p = { .b = { T, B, d.rows, d.active, d.off } };
    assert_int_equal(net_load(n, false, true, &err), LACO_OK);
    net_forward(n, &p, d.x, LD, n->d.layers);
    int64_t ldx, ldh, ldy;
    const double *x = net_output(n, 1, &ldx), *h = net_output(n, n->d.layers - 1, &ldh),
                 *y = net_output(n, n->d.layers, &ldy);
    for (int64_t t = 0; t < T; t++)
        for (int64_t b = 0; b < d.active[t]; b++) {
            const by_hand s = smoothed(n, b, t, m);
            const int64_t row = d.off[t] + b;
            for (int64_t j = 0; j < window; j++) {
                double past = t >= j ? input(b, t - j) : NAN;
                double want = isnan(past) ? 0 : past - s.level - s.season[0][(t - j) % m1] - s.season[1][(t - j) % m2];
                assert_true(fabs(x[row * ldx + j] - want) < 1e-12);
            }
            for (int64_t j = 0; j < 2; j++)
                assert_true(fabs(y[row * ldy + j] - h[row * ldh + j] - s.level - s.season[0][(t + 1 + j) % m1] -
                                 s.season[1][(t + 1 + j) % m2]) < 1e-12);
        }
    net_free(n);
}
static void test_values(void **state)
{
    (void)state;
    check_values("smooth 4 6 series 3 window 5; lstm 3; dense 2; restore 2", 4, 6, 5);
    check_values("smooth 4 series 3; lstm 3; dense 2; restore 2", 4, 1, 4);
    check_values("smooth 1 series 3 window 3; dense 2; restore 2", 1, 1, 3);
    check_values("smooth 1 6 series 3 window 8; dense 2; restore 2", 1, 6, 8);
}

/* ---- gradients ---- */
static const loss_options options = { .levels = 2, .level = { 0.3, 0.8 } };
static double learn(net *n, bool train)
{
    const pass p = { .b = { T, B, d.rows, d.active, d.off }, .train = train };
    const net_loss loss = { .kind = LOSS_PINBALL, .y = d.y, .options = &options, .scale = 0.25 };
    assert_int_equal(net_load_loss(n, LOSS_PINBALL, true, &err), LACO_OK);
    net_reset(n);
    return net_learn(n, &p, d.x, LD, &loss);
}
static void check_gradient(const char *text)
{
    fill(0, T);
    net *n = make(text, 8, 1);
    assert_int_equal(net_reserve_loss(n, LOSS_PINBALL, MOST, &err), LACO_OK);
    memset(n->g, 0, (size_t)n->params * sizeof(double));
    learn(n, true);
    int64_t moving = 0;
    for (int64_t i = 0; i < n->params; i++) {
        const double step = 1e-6, w = net_get(n, i);
        net_set(n, i, w + step);
        double above = learn(n, false);
        net_set(n, i, w - step);
        double below = learn(n, false), made = ((double *)n->g)[i], by = 0.25 * (above - below) / (2 * step);
        net_set(n, i, w), moving += made != 0;
        if (fabs(made - by) > 1e-7 * (1 + fabs(by)))
            fail_msg("%s: parameter %lld: %.12g, by differences %.12g", text, (long long)i, made, by);
    }
    assert_true(moving > n->params / 2);
    /* and of what is read */
    static double dx[MOST * LD + 64];
    const pass p = { .b = { T, B, d.rows, d.active, d.off }, .train = true };
    learn(n, true), net_reset(n), net_forward(n, &p, d.x, LD, n->d.layers); /* a tape is good for one way back */
    net_backward(n, &p, n->d_out, n->ld_out, n->d.layers, dx, LD);
    for (int64_t i = 0; i < d.rows; i++) {
        const double step = 1e-6, x = d.x[i * LD];
        assert_true(dx[i * LD + 1] == 0);
        if (isnan(x)) continue;
        d.x[i * LD] = x + step;
        double above = learn(n, false);
        d.x[i * LD] = x - step;
        double below = learn(n, false), by = 0.25 * (above - below) / (2 * step);
        d.x[i * LD] = x;
        if (fabs(dx[i * LD] - by) > 1e-7 * (1 + fabs(by)))
            fail_msg("%s: input %lld: %.12g, by differences %.12g", text, (long long)i, dx[i * LD], by);
    }
    net_free(n);
}
static void test_gradients(void **state)
{
    (void)state;
    check_gradient("smooth 4 6 series 3 window 5; lstm 3; dense 8; restore 4");
    check_gradient("smooth 3 series 3; gru 3; dense 8; restore 4");
    check_gradient("smooth 1 series 3 window 2; dense 8; restore 4");
}

/* The same whatever the threads; and in two windows, the second from the states that the first left. */
static void test_windows(void **state)
{
    static double whole[MOST * 2];
    const char *text = "smooth 4 6 series 3 window 5; lstm 3; dense 2; restore 2";
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        net *n = make(text, 2, threads);
        int64_t ldy;
        assert_int_equal(net_load(n, false, true, &err), LACO_OK);
        fill(0, T);
        net_forward(n, &(pass){ .b = { T, B, d.rows, d.active, d.off } }, d.x, LD, n->d.layers);
        const double *y = net_output(n, n->d.layers, &ldy);
        for (int64_t i = 0; i < 2 * d.rows; i++) {
            if (threads > 1) assert_true(y[i / 2 * ldy + i % 2] == whole[i]);
            whole[i] = y[i / 2 * ldy + i % 2];
        }
        const int64_t done = d.off[7];
        fill(0, 7);
        net_reset(n), net_forward(n, &(pass){ .b = { 7, B, d.rows, d.active, d.off } }, d.x, LD, n->d.layers);
        fill(7, T);
        net_carry(n), net_forward(n, &(pass){ .b = { T - 7, B, d.rows, d.active, d.off } }, d.x, LD, n->d.layers);
        y = net_output(n, n->d.layers, &ldy);
        for (int64_t i = 0; i < 2 * d.rows; i++) assert_true(y[i / 2 * ldy + i % 2] == whole[2 * done + i]);
        net_free(n);
    }
}

/* Steps as they come say what the whole says. */
static void test_steps(void **state)
{
    net *n = make("smooth 4 6 series 3 window 5; lstm 3; dense 4; restore 2", 4, 1);
    int64_t ldy;
    (void)state;
    fill(0, T);
    assert_int_equal(net_load(n, false, true, &err), LACO_OK);
    net_forward(n, &(pass){ .b = { T, B, d.rows, d.active, d.off } }, d.x, LD, n->d.layers);
    const double *y = net_output(n, n->d.layers, &ldy);
    assert_true(net_steps(n));
    net_state *s = test_malloc(net_state_bytes(n, B) + 64), *at = (net_state *)(((uintptr_t)s + 63) & ~(uintptr_t)63);
    net_state_init(n, at, B);
    for (int64_t t = 0; t < T; t++) {
        double in[B * 2], out[B * 4];
        for (int64_t b = 0; b < d.active[t]; b++) memcpy(in + 2 * b, d.x + (d.off[t] + b) * LD, sizeof(double[2]));
        net_step(n, at, 1, d.active[t], in, out);
        for (int64_t i = 0; i < 4 * d.active[t]; i++)
            assert_true(fabs(out[i] - y[(d.off[t] + i / 4) * ldy + i % 4]) < 1e-12);
    }
    test_free(s), net_free(n);
}

/* A long window that is walked in segments, with one tape, has the gradient of the whole. */
enum { LONG = 1400, TWO = 2 };
static void test_segments(void **state)
{
    static double x[LONG * TWO * LD + 64];
    static float y[LONG * TWO * 4];
    static int64_t active[LONG], off[LONG + 1];
    double *whole = NULL;
    (void)state;
    for (int64_t i = 0; i < LONG * TWO; i++) {
        x[i * LD] = i % 31 == 7 ? NAN : 5 + number(6, i), x[i * LD + 1] = (double)(i % TWO);
        for (int j = 0; j < 4; j++) y[i * 4 + j] = (float)(5 + number(7, i * 4 + j));
    }
    for (int64_t t = 0; t < LONG; t++) active[t] = TWO, off[t + 1] = TWO * (t + 1);
    for (int parts = 0; parts < 3; parts++) { /* whole; one tape; all of them */
        net *n = make("smooth 4 6 series 3 window 5; lstm 3; dense 4; restore 2", 4, 1);
        const net_loss loss = { .kind = LOSS_PINBALL, .y = y, .options = &options, .scale = 0.01 };
        const pass p = { .b = { LONG, TWO, LONG * TWO, active, off }, .train = true };
        window_plan plan;
        assert_int_equal(net_plan_window(n, LOSS_PINBALL, LONG, TWO, parts == 1, &plan, &err), LACO_OK);
        if (parts)
            assert_int_equal(net_reserve_window(n, &plan, &err), LACO_OK), assert_true(plan.segments > 2);
        else
            assert_int_equal(net_reserve(n, LONG * TWO, TWO, true, &err), LACO_OK),
                assert_int_equal(net_reserve_loss(n, LOSS_PINBALL, LONG * TWO, &err), LACO_OK);
        assert_int_equal(net_load_loss(n, LOSS_PINBALL, true, &err), LACO_OK);
        memset(n->g, 0, (size_t)n->params * sizeof(double));
        net_learn(n, &p, x, LD, &loss);
        if (!parts) whole = test_malloc((size_t)n->params * sizeof(double));
        for (int64_t i = 0; i < n->params; i++) {
            double g = ((double *)n->g)[i];
            if (parts && fabs(g - whole[i]) > 1e-11 * (1 + fabs(whole[i])))
                fail_msg("parameter %lld: %.15g in segments, %.15g in one", (long long)i, g, whole[i]);
            whole[i] = g;
        }
        net_free(n);
    }
    test_free(whole);
}

/* ---- descriptions ---- */
static void check_refused(const char *text, const char *why)
{
    net_description q;
    if (!describe_parse(&q, text, 2, 4, k, &err)) fail_msg("\"%s\" is taken", text);
    if (!strstr(err.msg, why)) fail_msg("\"%s\": %s", text, err.msg);
}
static void test_descriptions(void **state)
{
    net_description q;
    buf text = { 0 };
    (void)state;
    assert_int_equal(describe_parse(&q, "smooth 24 168 series 9 window 30; lstm 8; dense; restore 4", 2, 4, k, &err),
                     LACO_OK);
    assert_int_equal(describe_parse(&q, "smooth 24 168 series 9 window 30; dense 4; restore 2", 2, 4, k, &err),
                     LACO_OK);
    describe_print(&q, k, &text);
    assert_string_equal(text.data, "smooth 24 168 series 9 window 30; dense 4; restore 2");
    buf_free(&text);
    check_refused("dense 4; restore 2", "begins with smooth");
    check_refused("smooth 4; dense 4; restore 2; dense", "ends a network");
    check_refused("smooth 4; dense 4; restore 3", "multiple");
    check_refused("smooth 9000; dense 4; restore 4", "8784");
    check_refused("window 2; smooth 3; dense 4", "first layer");
    check_refused("smooth 4 series 0; dense 4", "series needs a number");
}
static int set_up(void **state)
{
    (void)state;
    if (kernels_choose(&k, REAL_DOUBLE, NULL)) return -1;
    for (int i = 1; i <= 2; i++)
        if (pool_new(&pools[i], i, NULL)) return -1;
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    for (int i = 1; i <= 2; i++) pool_free(pools[i]);
    return 0;
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_values),   cmocka_unit_test(test_gradients),
                                        cmocka_unit_test(test_windows),  cmocka_unit_test(test_steps),
                                        cmocka_unit_test(test_segments), cmocka_unit_test(test_descriptions) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
