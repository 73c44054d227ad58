/* nade: the chain against one written here, its gradient against central differences, probabilities that sum to 1, the
   same bits for any number of threads, and what it answers when nothing is given. */
#include "base/rng.h"
#include "kernel_kit.h"
#include "net/window.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { N = 6, H = 5, INPUTS = 2, LD = 16, MOST = 320 * 8 };
static double number(int place, int64_t i) { return 2 * rng_uniform(4, RNG_TEST, (uint64_t)(place * 100000 + i)) - 1; }
static net *new_net(int r, const char *text, int64_t outputs, pool *p)
{
    net *n = net_of(text, INPUTS, outputs, real[r], p);
    for (int64_t i = 0; i < n->params; i++) net_set(n, i, number(1, i));
    return n;
}
typedef struct batch {
    int r;
    ragged b;
    void *x;
    float *y;
} batch;
static double learn(net *n, const batch *b, bool train, bool told)
{
    const pass p = { .b = b->b, .train = train, .target = told ? b->y : NULL, .targets = n->outputs };
    const net_loss loss = { .kind = LOSS_BERNOULLI, .y = b->y, .scale = 0.5 };
    assert_int_equal(net_load_loss(n, LOSS_BERNOULLI, true, NULL), LACO_OK);
    net_reset(n);
    if (train) memset(n->g, 0, (size_t)(n->params * n->k->real_size));
    return net_learn(n, &p, b->x, LD, &loss);
}
static void fill(batch *b)
{
    for (int64_t i = 0; i < b->b.R * INPUTS; i++) put(b->r, b->x, i / INPUTS * LD + i % INPUTS, number(2, i));
    for (int64_t i = 0; i < b->b.R * N; i++) b->y[i] = i % 11 == 3 ? NAN : number(3, i) > 0.2;
}

/* -log p of a row of answers by the equations; y: the logits. given NULL: the chain decides */
static double chain_loss(const net *n, const double *in, const float *given, double *y)
{
    const double *V = (const double *)n->w + n->base[n->d.layers - 1], *W = V + N * H;
    double c[H], sum = 0;
    for (int j = 0; j < H; j++) c[j] = in[N + j];
    for (int i = 0; i < N; i++) {
        y[i] = in[i];
        for (int j = 0; j < H; j++) y[i] += V[i * H + j] / (1 + exp(-c[j]));
        double v = !given ? y[i] > 0 : isnan(given[i]) ? 0 : given[i];
        if (given && !isnan(given[i])) sum -= v * log(1 / (1 + exp(-y[i]))) + (1 - v) * log(1 / (1 + exp(y[i])));
        for (int j = 0; j < H; j++) c[j] += v * W[i * H + j];
    }
    return sum;
}
static const int64_t active[] = { 3, 3, 2, 1 }, off[] = { 0, 3, 6, 8, 9 };
static double memory_x[MOST * LD + 64];
static float memory_y[MOST * N];
static batch small(int r)
{
    batch b = { r, { 4, 3, 9, active, off }, memory_x, memory_y };
    fill(&b);
    return b;
}
static net *small_net(void)
{
    net *n = new_net(REAL_DOUBLE, "lstm 3; dense 11; nade 5", N, pools[1]);
    assert_int_equal(net_reserve(n, 9, 3, true, NULL), LACO_OK);
    assert_int_equal(net_reserve_loss(n, LOSS_BERNOULLI, 9, NULL), LACO_OK);
    return n;
}
static void loss_is_that_of_the_chain(void **state)
{
    (void)state;
    net *n = small_net();
    batch b = small(REAL_DOUBLE);
    for (int told = 0; told < 2; told++) {
        int64_t ldin, ld;
        double sum = 0, made = learn(n, &b, false, told);
        const double *in = net_output(n, 2, &ldin), *out = net_output(n, 3, &ld);
        for (int r = 0; r < 9; r++) {
            double y[N];
            sum += chain_loss(n, in + r * ldin, told ? b.y + r * N : NULL, y);
            for (int i = 0; i < N; i++) assert_true(fabs(y[i] - out[r * ld + i]) < 1e-12);
        }
        if (told) assert_true(sum > 10 && fabs(sum - made) < 1e-12);
    }
    net_free(n);
}
static void gradient_is_that_of_the_loss(void **state)
{
    (void)state;
    net *n = small_net();
    batch b = small(REAL_DOUBLE);
    learn(n, &b, true, true);
    for (int64_t i = 0; i < n->params; i++) {
        const double h = 1e-5, w = net_get(n, i), made = ((double *)n->g)[i];
        net_set(n, i, w + h);
        double above = learn(n, &b, false, true);
        net_set(n, i, w - h);
        double by = 0.5 * (above - learn(n, &b, false, true)) / (2 * h);
        net_set(n, i, w);
        if (fabs(made - by) > 1e-8) fail_msg("parameter %lld: %.12g, by differences %.12g", (long long)i, made, by);
    }
    net_free(n);
}
static void probabilities_sum_to_one(void **state)
{
    (void)state;
    net *n = small_net();
    batch b = small(REAL_DOUBLE);
    const int64_t one[] = { 1 }, none[] = { 0, 1 };
    b.b = (ragged){ 1, 1, 1, one, none };
    double sum = 0;
    for (int v = 0; v < 1 << N; v++) {
        for (int i = 0; i < N; i++) b.y[i] = (float)(v >> i & 1);
        sum += exp(-learn(n, &b, false, true));
    }
    assert_true(fabs(sum - 1) < 1e-12);
    net_free(n);
}
/* A layer of several vectors and stretches of many answers, over more rows than a task takes; in parts of a window. */
static void same_bits_for_any_threads(void **state)
{
    (void)state;
    enum { STEPS = 300, B = 8, LONG = STEPS * B };
    static int64_t all[STEPS], at[STEPS + 1];
    for (int t = 0; t < STEPS; t++) all[t] = B, at[t + 1] = at[t] + B;
    batch b = { REAL_FLOAT, { STEPS, B, LONG, all, at }, memory_x, memory_y };
    fill(&b);
    double first = 0, whole = 0;
    float *gradient = NULL;
    for (int k = 1; k <= 4; k++) {
        net *n = new_net(REAL_FLOAT, "elman 4; dense 29; nade 23", N, pools[k < 4 ? k : 1]);
        window_plan plan;
        assert_int_equal(net_plan_window(n, LOSS_BERNOULLI, STEPS, B, 0, &plan, NULL), LACO_OK);
        assert_true(plan.segments > 1);
        assert_int_equal(net_reserve_window(n, &plan, NULL), LACO_OK);
        if (k == 4)
            net_window_free(n), net_reserve(n, LONG, B, true, NULL), net_reserve_loss(n, LOSS_BERNOULLI, LONG, NULL);
        double loss = learn(n, &b, true, true);
        if (k == 1) {
            first = loss, gradient = mem_new((size_t)n->params, sizeof *gradient);
            memcpy(gradient, n->g, (size_t)n->params * sizeof *gradient);
        } else if (k < 4)
            assert_true(loss == first && !memcmp(gradient, n->g, (size_t)n->params * sizeof *gradient));
        else
            whole = loss;
        net_free(n);
    }
    assert_true(fabs(first - whole) < 1e-6 * first);
    mem_free(gradient);
}
/* Streaming has nothing given: the chain goes by what it thinks likelier, as a pass without targets does. */
static void steps_go_by_their_own_answers(void **state)
{
    (void)state;
    net *n = small_net();
    batch b = small(REAL_DOUBLE);
    const int64_t one[] = { 1, 1, 1 }, at[] = { 0, 1, 2, 3 };
    b.b = (ragged){ 3, 1, 3, one, at };
    learn(n, &b, false, false);
    int64_t ld;
    const double *out = net_output(n, 3, &ld);
    net_state *s = mem_new(net_state_bytes(n, 1), 1);
    assert_int_equal(net_load(n, false, true, NULL), LACO_OK);
    net_state_init(n, s, 1);
    for (int t = 0; t < 3; t++) {
        double y[N];
        net_step(n, s, 1, 1, memory_x + t * LD, y);
        for (int i = 0; i < N; i++) assert_true(fabs(y[i] - out[t * ld + i]) < 1e-12);
    }
    mem_free(s), net_free(n);
}
static void sizes_are_checked(void **state)
{
    (void)state;
    net_description d;
    laco_error err;
    assert_int_equal(describe_parse(&d, "dense 11; nade 11", 2, 0, real[0], &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "nade 11 gets 11 numbers"));
    assert_int_equal(describe_parse(&d, "dense 11; nade 5", 2, 7, real[0], &err), LACO_EINVAL);
    assert_int_equal(describe_parse(&d, "dense 11; nade", 2, 6, real[0], &err), LACO_EINVAL);
    assert_int_equal(describe_parse(&d, "dense 11; nade 5", 2, 6, real[0], &err), LACO_OK);
    buf text = { 0 };
    describe_print(&d, real[0], &text);
    assert_string_equal(text.data, "dense 11; nade 5");
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_is_that_of_the_chain),     cmocka_unit_test(gradient_is_that_of_the_loss),
        cmocka_unit_test(probabilities_sum_to_one),      cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(steps_go_by_their_own_answers), cmocka_unit_test(sizes_are_checked),
    };
    return cmocka_run_group_tests(tests, set_up_sharing, tear_down);
}
