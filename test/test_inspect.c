/* Looking into networks: gates by name, Jacobians, the gradient against time, numbers that are not finite. */
#include "math/spectrum.h"
#include "net/inspect.h"
#include "net/walk.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const kernels *real64, *real32;
static pool *threads;
static laco_error err;
static int set_up(void **state)
{
    (void)state;
    return kernels_choose(&real64, REAL_DOUBLE, &err) || kernels_choose(&real32, REAL_FLOAT, &err) ||
           pool_new(&threads, 1, &err);
}
static int tear_down(void **state) { return (void)state, pool_free(threads), 0; }

static double noise(uint64_t i) /* -1 to 1 */
{
    i = (i + 1) * 0x9e3779b97f4a7c15u, i ^= i >> 29, i *= 0xbf58476d1ce4e5b9u, i ^= i >> 32;
    return (double)(i >> 11) / 4503599627370496.0 - 1;
}
static net *made(const char *text, int64_t inputs, int64_t outputs, const kernels *k, double scale)
{
    net *n = net_of(text, inputs, outputs, k, threads);
    for (int64_t i = 0; i < n->params; i++) net_set(n, i, scale * noise((uint64_t)i));
    return n;
}
/* T steps of B rows, all of them whole, or the r-th row r steps shorter. */
enum { MOST_STEPS = 128 };
typedef struct window {
    pass p;
    int64_t active[MOST_STEPS], off[MOST_STEPS + 1];
} window;
static void fill_window(window *w, int64_t T, int64_t B, bool ragged_rows)
{
    *w = (window){ 0 };
    for (int64_t t = 0; t < T; t++) {
        w->active[t] = ragged_rows ? min64(B, T - t) : B;
        w->off[t + 1] = w->off[t] + w->active[t];
    }
    w->p = (pass){ .b = { T, B, w->off[T], w->active, w->off } };
}
static double *numbers(int64_t n, uint64_t seed)
{
    double *x = mem_new((size_t)n + 64, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = noise(seed * 100003 + (uint64_t)i);
    return x;
}

/* ---- gates ---- */
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double dot_row(const net *n, const char *name, int64_t row, const double *x, int64_t width)
{
    const param_tensor *t = net_find(n, name);
    double sum = 0;
    for (int64_t i = 0; i < width; i++) sum += net_get(n, t->offset + row * width + i) * x[i];
    return sum;
}
static double at(const net *n, const char *name, int64_t i) { return net_get(n, net_find(n, name)->offset + i); }
static void gates_of_an_lstm(void **state)
{
    (void)state;
    enum { I = 3, H = 5, T = 4, B = 3 };
    net *n = made("lstm 5 peephole", I, 0, real64, 1);
    window w;
    fill_window(&w, T, B, true);
    double *x = numbers(w.p.b.R * I, 1), h[B][H] = { 0 }, c[B][H] = { 0 };
    assert_int_equal(net_reserve(n, w.p.b.R, B, true, &err), LACO_OK);
    assert_int_equal(net_load(n, true, true, &err), LACO_OK);
    net_forward(n, &w.p, x, I, 1);
    recur_part part[MAX_PARTS];
    const recur *r = n->kind[0]->inside(n->layer[0], 0);
    assert_null(n->kind[0]->inside(n->layer[0], 1));
    assert_int_equal(real64->recur->parts(r, part), 6);
    static const char *const names[] = { "input gate",  "forget gate",  "cell input",
                                         "output gate", "hidden state", "cell state" };
    for (int k = 0; k < 6; k++) assert_string_equal(part[k].name, names[k]);
    assert_true(part[0].range == RANGE_SIGMOID && part[2].range == RANGE_TANH && part[5].range == RANGE_OPEN);
    for (int64_t t = 0; t < T; t++)
        for (int64_t b = 0; b < w.active[t]; b++) {
            double want[6][H], got[H];
            for (int64_t u = 0; u < H; u++) {
                double a[4];
                for (int g = 0; g < 4; g++)
                    a[g] = dot_row(n, "layers.0.weight_ih", g * H + u, x + (w.off[t] + b) * I, I) +
                           dot_row(n, "layers.0.weight_hh", g * H + u, h[b], H) + at(n, "layers.0.bias_ih", g * H + u) +
                           at(n, "layers.0.bias_hh", g * H + u);
                double i = sigmoid(a[0] + at(n, "layers.0.peephole", u) * c[b][u]),
                       f = sigmoid(a[1] + at(n, "layers.0.peephole", H + u) * c[b][u]), g = tanh(a[2]),
                       s = f * c[b][u] + i * g, o = sigmoid(a[3] + at(n, "layers.0.peephole", 2 * H + u) * s);
                want[0][u] = i, want[1][u] = f, want[2][u] = g, want[3][u] = o, want[4][u] = o * tanh(s),
                want[5][u] = s;
            }
            memcpy(h[b], want[4], sizeof h[b]), memcpy(c[b], want[5], sizeof c[b]);
            for (int k = 0; k < 6; k++) {
                real64->recur->look(r, &part[k], t, b, got);
                for (int64_t u = 0; u < H; u++) assert_true(fabs(got[u] - want[k][u]) < 1e-14);
            }
        }
    mem_free(x), net_free(n);
}
/* Every gate of every cell lies in its range and has a name; shards, projections and reverse order are found. */
static void gates_of_all_cells(void **state)
{
    static const char *const texts[] = { "elman 9 sigmoid",
                                         "jordan 9 project 4",
                                         "gru 9",
                                         "gru-before 9",
                                         "mgu 9",
                                         "lstm 9 norm",
                                         "lstm 9 coupled no-output-gate gate-recurrence",
                                         "lstm 9 reverse project 4",
                                         "indrnn 9 tanh",
                                         "lstm 9 peephole-full norm-gates" };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        net *n = made(texts[i], 3, 0, real32, 0.5);
        window w;
        fill_window(&w, 12, 70, false);
        float *x = mem_new((size_t)(w.p.b.R * 3 + 64), sizeof *x);
        for (int64_t k = 0; k < w.p.b.R * 3; k++) x[k] = (float)noise((uint64_t)k);
        assert_int_equal(net_reserve(n, w.p.b.R, 70, true, &err), LACO_OK);
        assert_int_equal(net_load(n, true, true, &err), LACO_OK);
        net_forward(n, &w.p, x, 3, 1);
        const recur *r = n->kind[0]->inside(n->layer[0], 0);
        recur_part part[MAX_PARTS];
        int64_t ld;
        const float *y = net_output(n, 1, &ld);
        int count = real32->recur->parts(r, part);
        for (int k = 0; k < count; k++)
            for (int64_t t = 0; t < 12; t++)
                for (int64_t b = 0; b < 70; b++) {
                    double v[16], low = part[k].range == RANGE_SIGMOID ? 0 : part[k].range == RANGE_TANH ? -1 : -1e3;
                    real32->recur->look(r, &part[k], t, b, v);
                    assert_non_null(part[k].name);
                    for (int64_t u = 0; u < part[k].width; u++) {
                        assert_true(v[u] > low && v[u] != 0 && v[u] < (part[k].range == RANGE_OPEN ? 1e3 : 1));
                        if (part[k].state == 0) assert_true(v[u] == (double)y[(w.off[t] + b) * ld + u]);
                    }
                }
        mem_free(x), net_free(n);
    }
}

/* ---- Jacobians ---- */
static void check_jacobian(const char *text)
{
    enum { I = 3 };
    net *n = made(text, I, 0, real64, 0.7);
    jacobian *j;
    if (jacobian_new(&j, n, 0, &err)) fail_msg("%s: %s", text, err.msg);
    int64_t N = jacobian_size(j), stride = n->kind[0]->state_stride(n->layer[0]), where[MAX_STATES], width[MAX_STATES],
            i = 0;
    double *x = numbers(I, 3), *s = mem_new((size_t)stride, sizeof *s), *J = mem_new((size_t)(N * N), sizeof *J),
           *none = mem_new((size_t)(N * N), sizeof *J), *up = numbers(N, 0), *down = numbers(N, 0);
    int states = n->kind[0]->states(n->layer[0], where, width);
    for (int k = 0; k < states; k++)
        for (int64_t u = 0; u < width[k]; u++) s[where[k] + u] = 0.4 * noise((uint64_t)(1000 + i++));
    assert_int_equal(i, N);
    jacobian_at(j, x, s, J, NULL);
    for (int k = 0, col = 0; k < states; k++)
        for (int64_t u = 0; u < width[k]; u++, col++) {
            const double e = 1e-5, old = s[where[k] + u];
            s[where[k] + u] = old + e, jacobian_at(j, x, s, none, up);
            s[where[k] + u] = old - e, jacobian_at(j, x, s, none, down);
            s[where[k] + u] = old;
            for (int64_t row = 0; row < N; row++) {
                double want = (up[row] - down[row]) / (2 * e), got = J[row * N + col];
                if (fabs(want - got) > 1e-8)
                    fail_msg("%s: d%lld/d%d is %.12g, not %.12g", text, (long long)row, col, got, want);
            }
        }
    jacobian_free(j), net_free(n);
    mem_free(x), mem_free(s), mem_free(J), mem_free(none), mem_free(up), mem_free(down);
}
static void jacobians_of_all_cells(void **state)
{
    char text[128];
    (void)state;
    for (int i = 0; real64->recur->cell(i); i++) {
        const cell_info *c = real64->recur->cell(i);
        snprintf(text, sizeof text, "%s 5", c->name), check_jacobian(text);
        if (c->projects) snprintf(text, sizeof text, "%s 5 project 3", c->name), check_jacobian(text);
        for (const cell_word *w = c->words; w && w->word; w++) {
            net_description d;
            snprintf(text, sizeof text, "%s 5 %s", c->name, w->word);
            if (!describe_parse(&d, text, 3, 0, real64, NULL)) check_jacobian(text);
        }
    }
    net *n = made("lstm 3 bidirectional; dense 2", 3, 2, real64, 1);
    jacobian *j;
    assert_int_equal(jacobian_new(&j, n, 0, &err), LACO_EINVAL);
    assert_int_equal(jacobian_new(&j, n, 1, &err), LACO_EINVAL);
    net_free(n);
}

/* ---- the case with a known answer ---- h' = W x + 0.9 Q h, Q orthogonal */
enum { H = 16 };
static void orthogonal(double q[H][H])
{
    for (int i = 0; i < H; i++) {
        double norm = 0;
        for (int k = 0; k < H; k++) q[i][k] = noise((uint64_t)(i * H + k));
        for (int j = 0; j < 2 * i; j++) {
            double c = 0;
            for (int k = 0; k < H; k++) c += q[i][k] * q[j % i][k];
            for (int k = 0; k < H; k++) q[i][k] -= c * q[j % i][k];
        }
        for (int k = 0; k < H; k++) norm += q[i][k] * q[i][k];
        for (int k = 0; k < H; k++) q[i][k] /= sqrt(norm);
    }
}
static void spectral_radius_nine_tenths(void **state)
{
    enum { I = 2, O = 3, T = 60, B = 5 };
    (void)state;
    net *n = made("elman 16 linear; dense 3", I, O, real64, 0.5);
    double q[H][H], J[H * H];
    orthogonal(q);
    for (int i = 0; i < H * H; i++) net_set(n, net_find(n, "layers.0.weight_hh")->offset + i, 0.9 * q[i / H][i % H]);
    window w;
    fill_window(&w, T, B, false);
    double *x = numbers(w.p.b.R * I, 5);
    float *y = mem_new((size_t)(w.p.b.R * O), sizeof *y);
    net_loss loss = { .kind = LOSS_SQUARED, .y = y, .scale = 1 };
    net_lags l;
    assert_int_equal(net_reserve(n, B, B, true, &err), LACO_OK);
    assert_int_equal(net_lags_of(&l, n, &w.p, x, I, &loss, &err), LACO_OK);
    assert_int_equal(l.lags, T);
    const double *norm = l.norm[0][LAG_HIDDEN];
    assert_true(norm[0] > 0.1 && !l.norm[1][LAG_HIDDEN]);
    for (int k = 1; k < T; k++)
        assert_true(fabs(norm[k] / norm[k - 1] - 0.9) < 1e-12 && norm[k] == l.norm[0][LAG_ALL][k]);
    assert_true(fabs(lag_slope(norm, T) - log(0.9)) < 1e-6);
    assert_int_equal(lag_memory(norm, T), 10); /* 0.9^10 < 1/e < 0.9^9 */
    assert_int_equal(lag_memory(norm, 9), -1);
    assert_true(fabs(lag_mean(norm, T) - 9) < 0.2);
    jacobian *j;
    spectrum s;
    assert_int_equal(jacobian_new(&j, n, 0, &err), LACO_OK);
    double *zero = mem_new((size_t)n->kind[0]->state_stride(n->layer[0]), sizeof *zero);
    jacobian_at(j, x, zero, J, NULL);
    assert_int_equal(spectrum_of(&s, H, J, &err), LACO_OK);
    assert_true(fabs(s.radius - 0.9) < 1e-12 && s.n == H);
    for (int i = 0; i < H; i++) assert_true(fabs(s.singular[i] - 0.9) < 1e-12);
    jacobian_free(j), net_lags_free(&l), net_free(n), mem_free(x), mem_free(y), mem_free(zero);
}
/* dL/ds of a step in the middle, against moving that state. */
static void gradient_at_a_lag(void **state)
{
    enum { I = 2, O = 3, T = 9, CUT = 4 };
    (void)state;
    static const char *const texts[] = { "lstm 4; lstm 5 peephole; dense 3", "gru 4; mgu 4 residual; dense 3 tanh" };
    for (int i = 0; i < 2; i++) {
        net *n = made(texts[i], I, O, real64, 0.8);
        window w, head, tail;
        fill_window(&w, T, 1, false), fill_window(&head, CUT, 1, false), fill_window(&tail, T - CUT, 1, false);
        double *x = numbers(T * I, 7);
        float y[T * O];
        for (int k = 0; k < T * O; k++) y[k] = k < (T - 1) * O ? NAN : 0.25f * (float)(k % O);
        net_loss loss = { .kind = LOSS_SQUARED, .y = y, .scale = 1 }, rest = loss;
        rest.y = y + CUT * O;
        net_lags l;
        assert_int_equal(net_reserve(n, T, 1, true, &err), LACO_OK);
        assert_int_equal(net_reserve_loss(n, LOSS_SQUARED, T, &err), LACO_OK);
        assert_int_equal(net_lags_of(&l, n, &w.p, x, I, &loss, &err), LACO_OK);
        int64_t where[MAX_STATES], width[MAX_STATES];
        int states = n->kind[1]->states(n->layer[1], where, width);
        double sum[2] = { 0 };
        for (int k = 0; k < states; k++)
            for (int64_t u = 0; u < width[k]; u++) {
                double value[2];
                for (int side = 0; side < 2; side++) {
                    net_reset(n);
                    net_forward(n, &head.p, x, I, n->d.layers);
                    net_carry(n);
                    ((double *)n->state[1][0])[where[k] + u] += side ? -1e-5 : 1e-5;
                    value[side] = net_learn(n, &tail.p, x + CUT * I, I, &rest);
                }
                double d = (value[0] - value[1]) / 2e-5;
                sum[LAG_ALL] += d * d;
                if (k == 0) sum[LAG_HIDDEN] += d * d;
            }
        for (int k = 0; k < LAG_PARTS; k++)
            assert_true(fabs(l.norm[1][k][T - CUT] - sqrt(sum[k])) < 1e-8 && sum[k] > 1e-12);
        net_reset(n), net_lags_free(&l), net_free(n), mem_free(x);
    }
}

/* ---- numbers that are not finite ---- */
typedef struct search_case {
    net *n;
    window w;
    float *x;
    net_loss loss;
    net_place place;
    char text[300];
} search_case;
static void located(search_case *c, bool found)
{
    assert_int_equal(net_locate(c->n, &c->w.p, c->x, c->n->inputs, &c->loss, &c->place), found);
    if (found) net_place_say(c->n, &c->place, c->text, sizeof c->text);
}
static void places(void **state)
{
    enum { I = 2, O = 3, T = 64, B = 6 };
    (void)state;
    for (int way = 0; way < 3; way++) { /* memory for the whole window, for few steps, as a plan that recomputes */
        search_case c = { .n = made("elman 4 linear; elman 8 linear; dense 3", I, O, real32, 0) };
        net *n = c.n;
        fill_window(&c.w, T, B, false);
        float y[T * B * O] = { 0 };
        c.x = mem_new((size_t)(T * B * I), sizeof *c.x);
        for (int i = 0; i < T * B * I; i++) c.x[i] = 1;
        c.loss = (net_loss){ .kind = LOSS_SQUARED, .y = y, .scale = 1 };
        window_plan plan;
        assert_int_equal(net_plan_window(n, LOSS_SQUARED, 4000, B, 1, &plan, &err), LACO_OK);
        assert_int_equal(
            way < 2 ? net_reserve(n, way ? 3 * B : T * B, B, true, &err) : net_reserve_window(n, &plan, &err), LACO_OK);
        assert_true(plan.segments > 1);
        for (int64_t i = 0; i < n->params; i++) ((float *)n->g)[i] = 7;
        located(&c, false);
        for (int64_t i = 0; i < n->params; i++) assert_true(((float *)n->g)[i] == 7);

        c.x[(5 * B + 2) * I + 1] = NAN;
        located(&c, true);
        assert_string_equal(c.text, "input 2 of the data is not a number, step 6 of 64, row 3 of 6");
        c.x[(5 * B + 2) * I + 1] = 1;

        int64_t weight = net_find(n, "layers.1.weight_ih")->offset;
        net_set(n, weight + 3, INFINITY);
        located(&c, true);
        assert_string_equal(c.text, "number 4 of the weights layers.1.weight_ih is infinite");
        net_set(n, weight + 3, 0);

        /* row 5 alone grows tenfold a step in unit 2 of layer 0, from 1: above 3.4e38 in the 40th step */
        int64_t own = net_find(n, "layers.0.weight_hh")->offset + 1 * 4 + 1,
                in = net_find(n, "layers.0.weight_ih")->offset + 1 * I;
        net_set(n, own, 10), net_set(n, in, 1);
        for (int t = 0; t < T; t++)
            for (int b = 0; b < B; b++) c.x[(t * B + b) * I] = t == 0 && b == 4;
        located(&c, true);
        assert_true(c.place.kind == PLACE_VALUE && c.place.layer == 0 && c.place.step == 39 && c.place.row == 4);
        assert_string_equal(c.text,
                            "layers.0 (elman): the activation of unit 2 is infinite, step 40 of 64, row 5 of 6");
        net_set(n, own, 0), net_set(n, in, 0);

        /* the gradient alone grows a thousandfold a step back: 2e5 at the last, above 3.4e38 eleven steps before */
        for (int u = 0; u < 8; u++) net_set(n, net_find(n, "layers.1.weight_hh")->offset + u * 9, 1000);
        for (int i = 0; i < O; i++) net_set(n, net_find(n, "layers.2.weight")->offset + i * 8, i == 0);
        for (int i = 0; i < T * B * O; i++) y[i] = i % O || i / O < (T - 1) * B || i / O % B != 3 ? NAN : 1e5f;
        located(&c, true);
        assert_string_equal(c.text,
                            "layers.1 (elman): the gradient of the activation of unit 1 is infinite, step 52 of "
                            "64, row 4 of 6");
        assert_true(c.place.kind == PLACE_VALUE_GRADIENT && c.place.step == T - 1 - 12 && c.place.unit == 0);

        /* slower above than below: on the way back the lower layer is first */
        for (int u = 0; u < 8; u++) net_set(n, net_find(n, "layers.1.weight_hh")->offset + u * 9, 100);
        for (int u = 0; u < 4; u++) net_set(n, net_find(n, "layers.0.weight_hh")->offset + u * 5, 1000);
        net_set(n, net_find(n, "layers.1.weight_ih")->offset, 1);
        located(&c, true);
        assert_string_equal(c.text,
                            "layers.0 (elman): the gradient of the activation of unit 1 is infinite, step 52 of "
                            "64, row 4 of 6");
        net_set(n, net_find(n, "layers.1.weight_ih")->offset, 0);
        for (int u = 0; u < 8; u++) net_set(n, net_find(n, "layers.1.weight_hh")->offset + u * 9, 0);
        for (int u = 0; u < 4; u++) net_set(n, net_find(n, "layers.0.weight_hh")->offset + u * 5, 0);

        y[(3 * B + 1) * O] = 1e30f; /* its square is no float */
        located(&c, true);
        assert_true(c.place.kind == PLACE_LOSS || c.place.kind == PLACE_OUTPUT_GRADIENT);
        net_free(n), mem_free(c.x);
    }
}
/* A language model: softmax, tied weights, two directions as one part. */
static void places_with_a_softmax(void **state)
{
    enum { V = 7, T = 12, B = 4 };
    (void)state;
    static const char *const texts[] = { "embed 5; lstm 6; dense 5; dense tied",
                                         "embed 5; gru 6 bidirectional; dense" };
    for (int i = 0; i < 2; i++) {
        net *n = made(texts[i], V, V, real32, 0.4);
        window w;
        int32_t x[T * B], target[T * B];
        net_place place;
        char text[300];
        fill_window(&w, T, B, true);
        for (int k = 0; k < T * B; k++) x[k] = k % V, target[k] = (k + 3) % V;
        net_loss loss = { .kind = LOSS_SOFTMAX, .classes = target, .scale = 1 };
        assert_int_equal(net_reserve(n, w.p.b.R, B, true, &err), LACO_OK);
        assert_false(net_locate(n, &w.p, x, 1, &loss, &place));
        loss.scale = 3.3e38; /* what is left of the gradients is too large for weights */
        assert_true(net_locate(n, &w.p, x, 1, &loss, &place));
        net_place_say(n, &place, text, sizeof text);
        assert_non_null(strstr(text, "gradient"));
        assert_true(place.kind == PLACE_PARAMETER_GRADIENT || place.step < T);
        net_free(n);
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_of_an_lstm),       cmocka_unit_test(gates_of_all_cells),
        cmocka_unit_test(jacobians_of_all_cells), cmocka_unit_test(spectral_radius_nine_tenths),
        cmocka_unit_test(gradient_at_a_lag),      cmocka_unit_test(places),
        cmocka_unit_test(places_with_a_softmax),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
