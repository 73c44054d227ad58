/* Contributions: by gradient against differences of what the network says, by occlusion against sequences with a step
   taken out by hand; of numbers and of symbols, of one direction and of two, of few steps and of many. */
#include "base/rng.h"
#include "format/model.h"
#include "task/explain.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { INPUTS = 3, CLASSES = 4 };
static const int go = 0;
static laco_model *new_model(const char *text, int64_t inputs)
{
    laco_model *m;
    laco_error err;
    if (model_new(&m, text, inputs, CLASSES, 1, &err)) fail_msg("%s", err.msg);
    for (int64_t i = 0; i < m->net->params; i++) net_set(m->net, i, 2 * rng_uniform(3, RNG_TEST, (uint64_t)i) - 1);
    return m;
}
static double value(laco_model *m, const void *x, int64_t T, explain_question q)
{
    explained e;
    assert_int_equal(explain_sequence(&e, m->net, x, T, &q, &go, NULL), LACO_OK);
    double s = e.value;
    explained_free(&e);
    return s;
}
static void same(const char *what, int64_t at, double is, double should, double within)
{
    if (!(fabs(is - should) <= within)) fail_msg("%s %lld: %g, not %g", what, (long long)at, is, should);
}

static void numbers(void **state)
{
    (void)state;
    enum { T = 7 };
    static const char *const networks[] = { "lstm 5; dense", "gru 4 bidirectional; dense", "lstm 5; pool mean; dense" };
    for (int which = 0; which < 9; which++) {
        laco_model *m = new_model(networks[which % 3], INPUTS);
        const explain_question q = { .says = which / 3, .output = 2, .step = which % 2 ? T - 3 : T - 1, .scale = 2 };
        float x[T * INPUTS], y[T * INPUTS];
        explained e;
        for (int i = 0; i < T * INPUTS; i++) x[i] = (float)(2 * rng_uniform(5, RNG_TEST, (uint64_t)i) - 1);
        assert_int_equal(explain_sequence(&e, m->net, x, T, &q, &go, NULL), LACO_OK);
        assert_true(e.steps == T && e.features == INPUTS);
        for (int i = 0; i < T * INPUTS; i++) {
            const float h = 1e-2F;
            memcpy(y, x, sizeof y), y[i] += h;
            double above = value(m, y, T, q);
            y[i] = x[i] - h;
            same("gradient", i, e.gradient[i], x[i] * (above - value(m, y, T, q)) / (2 * h), 2e-3);
        }
        for (int t = 0; t < T; t++) {
            memcpy(y, x, sizeof y), memset(y + t * INPUTS, 0, INPUTS * sizeof *y);
            same("occlusion", t, e.occlusion[t], e.value - value(m, y, T, q), 1e-5);
        }
        for (int k = 0; k < INPUTS; k++) {
            memcpy(y, x, sizeof y);
            for (int t = 0; t < T; t++) y[t * INPUTS + k] = 0;
            same("feature", k, e.hidden[k], e.value - value(m, y, T, q), 1e-5);
        }
        explained_free(&e), laco_model_free(m);
    }
}
/* The probabilities of all classes sum to 1. */
static void value_is_the_log_probability(void **state)
{
    (void)state;
    laco_model *m = new_model("embed 3; lstm 5; dense", 6);
    const int32_t ids[] = { 0, 3, 5 };
    double sum = 0;
    for (int64_t k = 0; k < CLASSES; k++)
        sum += exp(value(m, ids, 3, (explain_question){ .output = k, .step = 2, .unknown = -1 }));
    same("sum", 0, sum, 1, 1e-6);
    laco_model_free(m);
}
static void symbols(void **state)
{
    (void)state;
    enum { T = 5, V = 6, E = 3 };
    laco_model *m = new_model("embed 3; lstm 5; dense", V);
    int32_t ids[T] = { 2, 0, 4, 1, 3 }, other[T]; /* each once, so that its vector can be moved alone */
    explain_question q = { .says = SAYS_CLASS, .output = 1, .step = T - 1, .unknown = 5 };
    explained e;
    assert_int_equal(explain_sequence(&e, m->net, ids, T, &q, &go, NULL), LACO_OK);
    assert_true(e.steps == T && e.features == 0);
    for (int t = 0; t < T; t++) {
        double along = 0;
        for (int k = 0; k < E; k++) {
            const double h = 1e-2, w = net_get(m->net, ids[t] * E + k);
            net_set(m->net, ids[t] * E + k, w + h);
            double above = value(m, ids, T, q);
            net_set(m->net, ids[t] * E + k, w - h);
            along += w * (above - value(m, ids, T, q)) / (2 * h);
            net_set(m->net, ids[t] * E + k, w);
        }
        same("gradient", t, e.gradient[t], along, 2e-3);
        memcpy(other, ids, sizeof ids), other[t] = q.unknown;
        same("occlusion", t, e.occlusion[t], e.value - value(m, other, T, q), 1e-5);
    }
    explained_free(&e);
    /* without a symbol for the unknown a step is left out, and the question moves with it */
    q.unknown = -1, q.step = 3;
    assert_int_equal(explain_sequence(&e, m->net, ids, T, &q, &go, NULL), LACO_OK);
    for (int t = 0; t < T; t++) {
        explain_question less = q;
        for (int i = 0, to = 0; i < T; i++)
            if (i != t) other[to++] = ids[i];
        less.step = t <= 3 ? 2 : 3;
        same("left out", t, e.occlusion[t], e.value - value(m, other, T - 1, less), 1e-5);
    }
    explained_free(&e);
    q.step = 0;
    assert_int_equal(explain_sequence(&e, m->net, ids, 1, &q, &go, NULL), LACO_OK);
    assert_true(isnan(e.occlusion[0]) && isfinite(e.gradient[0]));
    explained_free(&e), laco_model_free(m);
}
/* 600 steps are hidden three at a time. */
static void long_sequences_in_stretches(void **state)
{
    (void)state;
    enum { T = 600 };
    laco_model *m = new_model("elman 3; dense", 1);
    static float x[T], y[T];
    const explain_question q = { .says = SAYS_VALUE, .output = 0, .step = T - 1 };
    explained e;
    for (int t = 0; t < T; t++) x[t] = (float)rng_uniform(5, RNG_TEST, (uint64_t)t);
    assert_int_equal(explain_sequence(&e, m->net, x, T, &q, &go, NULL), LACO_OK);
    memcpy(y, x, sizeof y), memset(y + 597, 0, 3 * sizeof *y);
    for (int t = 597; t < T; t++) same("occlusion", t, 3 * e.occlusion[t], e.value - value(m, y, T, q), 1e-5);
    assert_true(fabs(e.occlusion[599]) > 1e-3);
    explained_free(&e), laco_model_free(m);
}
static void what_cannot_be_explained(void **state)
{
    (void)state;
    laco_model *m = new_model("elman 3; dense", 1);
    const explain_question q = { .says = SAYS_VALUE };
    const int stop = 1;
    const float x[1] = { 1 };
    explained e;
    laco_error err;
    assert_int_equal(explain_sequence(&e, m->net, x, 0, &q, &go, &err), LACO_EINVAL);
    assert_int_equal(explain_sequence(&e, m->net, x, 1, &q, &stop, &err), LACO_ESTOPPED);
    assert_null(e.gradient);
    laco_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(value_is_the_log_probability),
        cmocka_unit_test(symbols),
        cmocka_unit_test(long_sequences_in_stretches),
        cmocka_unit_test(what_cannot_be_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
