/* The conditional random field against all paths written out: partition, marginals, best path, gradients; with classes
   that are not known, forbidden transitions, numbers far apart; and as the last layer of a network, with gradients
   against central differences. */
#include "base/rng.h"
#include "net/chain.h"
#include "net/window.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "kernel_kit.h"

enum { K = 3, T = 4, B = 3, R = 8, LD = 16, NUMBERS = CRF_NUMBERS(K), PATHS = 81 };
static const int64_t active[T] = { 3, 2, 2, 1 }, off[T + 1] = { 0, 3, 5, 7, 8 }, length[B] = { 4, 3, 1 };
static const ragged batch = { T, B, R, active, off };
typedef struct chain {
    double emission[R * LD], params[NUMBERS], de[R * LD], dparams[NUMBERS], loss[B], marginal[R * K], score[B];
    int32_t class[R], path[R];
} chain;
static double number(int place, int64_t i) { return 4 * rng_uniform(3, RNG_TEST, (uint64_t)(place * 1000 + i)) - 2; }
static void fill(chain *c, double size)
{
    *c = (chain){ .loss = { 0 } };
    for (int i = 0; i < R * LD; i++) c->emission[i] = size * number(1, i);
    for (int i = 0; i < NUMBERS; i++) c->params[i] = size * number(2, i);
    for (int i = 0; i < R; i++) c->class[i] = i % K;
}
static crf_rows rows_of(chain *c)
{
    return (crf_rows){ &batch, c->emission, LD, c->params, c->class, 0.5, c->de, LD, c->dparams, c->loss, c->marginal };
}
static double run(chain *c, int threads)
{
    crf *f;
    const crf_rows q = rows_of(c);
    memset(c->dparams, 0, sizeof c->dparams);
    assert_int_equal(real[REAL_DOUBLE]->crf->make(&f, K, R, pools[threads], NULL), LACO_OK);
    double sum = real[REAL_DOUBLE]->crf->run(f, &q);
    real[REAL_DOUBLE]->crf->best(f, &q, c->path, c->score);
    real[REAL_DOUBLE]->crf->free(f);
    return sum;
}
static double path_score(const chain *c, int b, const int *y)
{
    double s = c->params[K * K + y[0]] + c->params[K * K + K + y[length[b] - 1]];
    for (int t = 0; t < length[b]; t++)
        s += c->emission[(off[t] + b) * LD + y[t]] + (t ? c->params[y[t - 1] * K + y[t]] : 0);
    return s;
}
static bool is_right(const chain *c, int b, const int *y)
{
    for (int t = 0; t < length[b]; t++)
        if (c->class[off[t] + b] >= 0 && c->class[off[t] + b] != y[t]) return false;
    return true;
}
/* The loss of a sequence, its marginals and its best path, from all its paths. */
static double by_hand(const chain *c, int b, double marginal[T * K], int best[T], double *score)
{
    double all = 0, right = 0, top = -INFINITY, top_right = -INFINITY;
    int y[T];
    for (int round = 0; round < 2; round++)
        for (int p = 0; p < PATHS; p++) {
            bool same = true;
            for (int t = 0, rest = p; t < T; t++, rest /= K) y[t] = rest % K, same &= t < length[b] || !y[t];
            if (!same) continue;
            double s = path_score(c, b, y);
            if (!round && s > top) top = s, memcpy(best, y, sizeof y);
            if (!round && is_right(c, b, y)) top_right = fmax(top_right, s);
            if (!round) continue;
            all += exp(s - top);
            if (is_right(c, b, y)) right += exp(s - top_right);
            for (int t = 0; t < length[b]; t++) marginal[t * K + y[t]] += exp(s - top);
        }
    for (int i = 0; i < T * K; i++) marginal[i] /= all;
    *score = top;
    return log(all) + top - log(right) - top_right;
}
static void compare(chain *c, double tolerance)
{
    double sum = run(c, 1), made = 0;
    for (int b = 0; b < B; b++) {
        double marginal[T * K] = { 0 }, score;
        int best[T];
        double want = by_hand(c, b, marginal, best, &score);
        if (!(fabs(want - c->loss[b]) < tolerance)) fail_msg("sequence %d: %.15g, not %.15g", b, c->loss[b], want);
        assert_true(fabs(score - c->score[b]) < tolerance);
        for (int t = 0; t < length[b]; t++) {
            assert_int_equal(c->path[off[t] + b], best[t]);
            for (int k = 0; k < K; k++) {
                double m = c->marginal[(off[t] + b) * K + k];
                if (!(fabs(m - marginal[t * K + k]) < tolerance))
                    fail_msg("marginal %.15g, not %.15g", m, marginal[t * K + k]);
            }
        }
        made += c->loss[b];
    }
    assert_true(sum == made);
}
static void gradients(chain *c)
{
    chain at;
    const double h = 1e-5;
    run(c, 1), at = *c;
    for (int i = 0; i < NUMBERS + R * K; i++) {
        bool param = i < NUMBERS;
        int j = (i - NUMBERS) / K * LD + (i - NUMBERS) % K;
        double *x = param ? &at.params[i] : &at.emission[j], was = *x, made = param ? c->dparams[i] : c->de[j];
        *x = was + h;
        double above = run(&at, 1);
        *x = was - h;
        double below = run(&at, 1), want = 0.5 * (above - below) / (2 * h);
        *x = was;
        if (!(fabs(made - want) < 1e-8)) fail_msg("number %d: %.12g, by differences %.12g", i, made, want);
    }
}
static void all_paths(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        chain c;
        fill(&c, kind == 3 ? 20 : 1);
        if (kind == 1) c.class[1] = c.class[5] = c.class[7] = -1;
        if (kind == 2)
            for (int r = 0; r < R; r++) c.class[r] = -1;
        compare(&c, 1e-11);
        if (kind < 3) gradients(&c);
        for (int r = 0; kind == 2 && r < R; r++) assert_true(c.de[r * LD] == 0);
    }
}
/* Classes that may not follow each other: at -10000 and at -infinity; scores beyond the range of exp. */
static void extremes(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        chain c;
        fill(&c, 1);
        for (int r = 0; r < R; r++) c.class[r] = 0;
        c.params[0 * K + 1] = c.params[K * K + 2] = kind ? -10000 : -INFINITY;
        if (kind == 2)
            for (int r = 0; r < R; r++) c.emission[r * LD + r % K] += r % 2 ? 3000 : -2000;
        compare(&c, kind == 2 ? 1e-10 : 1e-11);
        assert_true(c.dparams[1] == 0 || kind == 2);
        for (int i = 0; i < NUMBERS; i++) assert_true(isfinite(c.dparams[i]));
        if (kind == 1) gradients(&c);
    }
}
static void threads_agree(void **state)
{
    chain c[4];
    double sum[4];
    (void)state;
    for (int t = 1; t <= 3; t++) {
        fill(&c[t], 1), sum[t] = run(&c[t], t);
        assert_true(sum[t] == sum[1]);
        assert_memory_equal(c[t].dparams, c[1].dparams, sizeof c[t].dparams);
        assert_memory_equal(c[t].de, c[1].de, sizeof c[t].de);
    }
}

/* ---- as the last layer of a network ---- */
static double learn(net *n, const double *x, const int32_t *class, bool train)
{
    const pass p = { .b = batch, .train = train };
    const net_loss loss = { .kind = LOSS_CRF, .classes = class, .scale = 0.25 };
    assert_int_equal(net_load_loss(n, LOSS_CRF, true, NULL), LACO_OK);
    net_reset(n);
    return net_learn(n, &p, x, LD, &loss);
}
static void in_a_network(void **state)
{
    static double x[R * LD + 64];
    int32_t class[R], path[R];
    double marginal[R * K];
    laco_error err;
    net_description d;
    net *n;
    buf text = { 0 };
    (void)state;
    for (int i = 0; i < R * 2; i++) x[i / 2 * LD + i % 2] = number(4, i);
    for (int r = 0; r < R; r++) class[r] = r == 5 ? -1 : (r + 1) % K;
    assert_int_equal(describe_parse(&d, "elman 3 bidirectional; dense; crf", 2, K, real[REAL_DOUBLE], &err), LACO_OK);
    describe_print(&d, real[REAL_DOUBLE], &text);
    assert_string_equal(text.data, "elman 3 bidirectional; dense 3; crf");
    buf_free(&text);
    assert_int_equal(net_new(&n, &d, 2, real[REAL_DOUBLE], pools[1], &err), LACO_OK);
    assert_true(net_is_chain(n) && !net_steps(n));
    assert_int_equal(net_reserve(n, R, B, true, &err), LACO_OK);
    assert_int_equal(net_reserve_loss(n, LOSS_CRF, R, &err), LACO_OK);
    for (int64_t i = 0; i < n->params; i++) net_set(n, i, number(5, i));
    memset(n->g, 0, (size_t)n->params * sizeof(double));
    double sum = learn(n, x, class, true);
    assert_true(sum > 1 && learn(n, x, class, false) == sum);
    for (int64_t i = 0; i < n->params; i++) {
        const double h = 1e-5, w = net_get(n, i);
        net_set(n, i, w + h);
        double above = learn(n, x, class, false);
        net_set(n, i, w - h);
        double below = learn(n, x, class, false), made = ((double *)n->g)[i], want = 0.25 * (above - below) / (2 * h);
        net_set(n, i, w);
        if (!(fabs(made - want) < 1e-8)) fail_msg("parameter %lld: %.12g, not %.12g", (long long)i, made, want);
    }
    const pass p = { .b = batch };
    learn(n, x, class, false);
    net_best_path(n, &p, path, marginal);
    for (int r = 0; r < R; r++) {
        double all = 0;
        for (int k = 0; k < K; k++) all += marginal[r * K + k];
        assert_true(fabs(all - 1) < 1e-12 && path[r] >= 0 && path[r] < K);
    }
    net_free(n);
    assert_int_equal(describe_parse(&d, "dense 3; crf; dense", 2, K, real[REAL_DOUBLE], &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "must be the last"));
    assert_int_equal(describe_parse(&d, "crf", 2, K, real[REAL_DOUBLE], &err), LACO_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_paths), cmocka_unit_test(extremes),
                                        cmocka_unit_test(threads_agree), cmocka_unit_test(in_a_network) };
    return cmocka_run_group_tests(tests, set_up_sharing, tear_down);
}
