/* Contributions: by gradient against differences of what the network says, by occlusion against sequences with a step
   taken out by hand; of numbers, of symbols and of types of a lexicon, of one direction and of two, of few steps and of
   many; behind a chain of classes and one of answers; of features that are several numbers; of a function of the
   outputs.
 */
#include "base/rng.h"
#include "format/model.h"
#include "layer/lexicon.h"
#include "task/explain.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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
/* ---- more than a row of outputs ---- */
enum { STEPS = 6 };
static void random_numbers(float *x, int n, uint64_t seed)
{
    for (int i = 0; i < n; i++) x[i] = (float)(2 * rng_uniform(seed, RNG_TEST, (uint64_t)i) - 1);
}
/* Gradient and occlusion of numbers, each a feature, against what is asked of changed ones. */
static void check_numbers(laco_model *m, const float *x, int64_t T, explain_question q)
{
    float y[STEPS * INPUTS];
    const float h = 1e-2F;
    explained e;
    assert_int_equal(explain_sequence(&e, m->net, x, T, &q, &go, NULL), LACO_OK);
    for (int i = 0; i < T * INPUTS; i++) {
        memcpy(y, x, (size_t)T * INPUTS * sizeof *y), y[i] += h;
        double above = value(m, y, T, q);
        y[i] = x[i] - h;
        same("gradient", i, e.gradient[i], x[i] * (above - value(m, y, T, q)) / (2 * h), 2e-3);
    }
    for (int t = 0; t < T; t++) {
        memcpy(y, x, (size_t)T * INPUTS * sizeof *y), memset(y + t * INPUTS, 0, INPUTS * sizeof *y);
        same("occlusion", t, e.occlusion[t], e.value - value(m, y, T, q), 1e-5);
    }
    explained_free(&e);
}
/* s is the log of the probability of a class given the whole sequence: that of all paths, written out. */
static void a_chain_of_classes(void **state)
{
    (void)state;
    enum { T = 4, PATHS = CLASSES * CLASSES * CLASSES * CLASSES };
    laco_model *m = new_model("lstm 5 bidirectional; dense; crf", INPUTS);
    float x[T * INPUTS], y[T][CLASSES];
    double pair[CLASSES * (CLASSES + 2)], all = 0, right = 0;
    explain_question q = { .says = SAYS_CLASS, .output = 3, .step = 2 };
    random_numbers(x, T * INPUTS, 8);
    for (int64_t t = 0; t < T; t++) {
        explain_question at = { .step = t };
        assert_int_equal(explain_outputs(y[t], m->net, x, T, &at, NULL), LACO_OK);
    }
    for (int k = 0; k < CLASSES * (CLASSES + 2); k++) pair[k] = net_get(m->net, m->net->base[m->net->d.layers - 1] + k);
    for (int path = 0; path < PATHS; path++) {
        double score = 0;
        int c[T];
        for (int t = 0, rest = path; t < T; t++, rest /= CLASSES) c[t] = rest % CLASSES;
        for (int t = 0; t < T; t++) score += y[t][c[t]] + (t ? pair[c[t - 1] * CLASSES + c[t]] : 0);
        score += pair[CLASSES * CLASSES + c[0]] + pair[CLASSES * (CLASSES + 1) + c[T - 1]];
        all += exp(score), right += c[q.step] == q.output ? exp(score) : 0;
    }
    same("log marginal", 0, value(m, x, T, q), log(right / all), 1e-5);
    check_numbers(m, x, T, q);
    laco_model_free(m);
}
/* Words with characters and features: their gradient is that of the network behind them of the numbers that they are.
 */
static void types_of_a_lexicon(void **state)
{
    (void)state;
    enum { T = 4, WIDTH = 3 + 2 * 2 + 1, HIDDEN = 4 };
    static const int32_t word[] = { 1, 2, 0, 3, 0 }, chars[] = { 0, 1, 2, 4, 3, 3, 1 }, feature[] = { 1, 0, 2, 1, 0 };
    static const int64_t first[] = { 0, 3, 4, 6, 7, 7 }; /* the type of what is hidden has no characters */
    static const lexicon lex = { word, NULL, chars, first, feature, 1 };
    static const char *const behind[] = { "lstm 5 bidirectional; dense; crf", "gru 4; dense" };
    const int32_t ids[T] = { 3, 0, 2, 1 };
    for (int which = 0; which < 2; which++) {
        char text[128];
        snprintf(text, sizeof text, "tokens 3 chars 2 of 5 lstm 2 feature 1 of 3; %s", behind[which]);
        laco_model *m = new_model(text, 4), *numbers = new_model(behind[which], WIDTH);
        explain_question q = { .output = 1, .step = 2, .unknown = HIDDEN, .lexicon = &lex };
        explained e, of_numbers;
        float x[T * WIDTH];
        int64_t ld;
        assert_int_equal(explain_sequence(&e, m->net, ids, T, &q, &go, NULL), LACO_OK);
        assert_true(e.steps == T && e.features == 0 && m->net->d.layer[0].out == WIDTH);
        explain_question one = q;
        one.layers = 2;
        float row[16];
        assert_int_equal(explain_outputs(row, m->net, ids, T, &one, NULL), LACO_OK);
        const float *vector = net_output(m->net, 1, &ld);
        for (int t = 0; t < T; t++) memcpy(x + t * WIDTH, vector + t * ld, WIDTH * sizeof *x);
        for (int t = 0; t < T; t++) same("word", t, x[t * WIDTH], net_get(m->net, 3 * word[ids[t]]), 0);
        for (int64_t i = 0; i < numbers->net->params; i++)
            net_set(numbers->net, i, net_get(m->net, m->net->base[1] + i));
        assert_int_equal(explain_sequence(&of_numbers, numbers->net, x, T, &q, &go, NULL), LACO_OK);
        same("value", 0, e.value, of_numbers.value, 1e-5);
        for (int t = 0; t < T; t++) {
            int32_t other[T];
            double sum = 0;
            for (int k = 0; k < WIDTH; k++) sum += of_numbers.gradient[t * WIDTH + k];
            same("gradient", t, e.gradient[t], sum, 1e-5);
            assert_true((t > q.step && which) || fabs(sum) > 1e-4); /* the second reads one way */
            memcpy(other, ids, sizeof ids), other[t] = HIDDEN;
            same("occlusion", t, e.occlusion[t], e.value - value(m, other, T, q), 1e-5);
        }
        explained_free(&e), explained_free(&of_numbers);
        q.step = 0; /* a sentence of one word: nothing with characters is left */
        assert_int_equal(explain_sequence(&e, m->net, ids, 1, &q, &go, NULL), LACO_OK);
        same("alone", 0, e.occlusion[0], e.value - value(m, &(int32_t){ HIDDEN }, 1, q), 1e-5);
        explained_free(&e), laco_model_free(m), laco_model_free(numbers);
    }
}
/* Answers in a chain: one given those before it, which stay what they are whatever is hidden. */
static void a_chain_of_answers(void **state)
{
    (void)state;
    enum { UNITS = 3 };
    laco_model *m = new_model("lstm 5; dense 7; nade 3", INPUTS);
    const float given[2][CLASSES] = { { 1, 0, 1, 0 }, { 0, 1, 0, 0 } };
    float x[STEPS * INPUTS], y[STEPS][CLASSES], own[CLASSES], bias[CLASSES + UNITS];
    explain_question q = { .says = SAYS_LABEL, .output = 3, .step = STEPS - 1 };
    double s[2];
    random_numbers(x, STEPS * INPUTS, 9);
    explain_question before = { .step = STEPS - 1, .layers = 2 };
    assert_int_equal(explain_outputs(bias, m->net, x, STEPS, &before, NULL), LACO_OK);
    for (int i = 0; i < 2; i++) {
        double logit = bias[3]; /* its parameters: V [CLASSES][UNITS], W as much */
        for (int u = 0; u < UNITS; u++) {
            double c = bias[CLASSES + u];
            for (int k = 0; k < 3; k++) c += given[i][k] * net_get(m->net, m->net->base[2] + (CLASSES + k) * UNITS + u);
            logit += net_get(m->net, m->net->base[2] + 3 * UNITS + u) / (1 + exp(-c));
        }
        q.target = given[i], s[i] = value(m, x, STEPS, q);
        same("log probability", i, s[i], -log1p(exp(-logit)), 1e-5);
        check_numbers(m, x, STEPS, q);
    }
    assert_true(fabs(s[0] - s[1]) > 1e-3);
    q.target = NULL;
    assert_int_equal(explain_outputs(own, m->net, x, STEPS, &q, NULL), LACO_OK);
    net_state *stream = mem_new(net_state_bytes(m->net, 1), 1);
    net_state_init(m->net, stream, 1), net_step(m->net, stream, STEPS, 1, x, y);
    for (int k = 0; k < CLASSES; k++) same("output", k, own[k], y[STEPS - 1][k], 1e-5);
    mem_free(stream), laco_model_free(m);
}
/* Numbers 0 and 2 are one feature, number 1 is none that is told. */
static void features_of_several_numbers(void **state)
{
    (void)state;
    static const int32_t feature[INPUTS] = { 1, -1, 1 };
    laco_model *m = new_model("lstm 5; dense", INPUTS);
    float x[STEPS * INPUTS], y[STEPS * INPUTS];
    explain_question q = { .says = SAYS_CLASS, .output = 1, .step = STEPS - 1 };
    explained each, e;
    random_numbers(x, STEPS * INPUTS, 10);
    assert_int_equal(explain_sequence(&each, m->net, x, STEPS, &q, &go, NULL), LACO_OK);
    q.feature = feature, q.features = 2;
    assert_int_equal(explain_sequence(&e, m->net, x, STEPS, &q, &go, NULL), LACO_OK);
    assert_true(e.features == 2 && e.value == each.value);
    for (int t = 0; t < STEPS; t++) {
        same("none", t, e.gradient[2 * t], 0, 0);
        same("sum", t, e.gradient[2 * t + 1], each.gradient[t * INPUTS] + each.gradient[t * INPUTS + 2], 1e-12);
        same("occlusion", t, e.occlusion[t], each.occlusion[t], 0); /* all that the step reads */
    }
    memcpy(y, x, sizeof y);
    for (int t = 0; t < STEPS; t++) y[t * INPUTS] = y[t * INPUTS + 2] = 0;
    same("hidden", 0, e.hidden[0], 0, 1e-6), same("hidden", 1, e.hidden[1], e.value - value(m, y, STEPS, q), 1e-5);
    assert_true(fabs(e.hidden[1]) > 1e-3);
    explained_free(&each), explained_free(&e), laco_model_free(m);
}
static double difference(const void *ctx, const float *y, float *dy) /* factor (y[0]^2 - y[2]) */
{
    const double factor = *(const double *)ctx;
    if (dy) dy[0] = (float)(2 * factor * y[0]), dy[2] = (float)-factor;
    return factor * ((double)y[0] * y[0] - y[2]);
}
static void a_function_of_the_outputs(void **state)
{
    (void)state;
    laco_model *m = new_model("gru 4; dense", INPUTS);
    const double factor = 3;
    float x[STEPS * INPUTS], y[CLASSES];
    const explain_question q = { .says = SAYS_OWN, .step = 4, .own = difference, .ctx = &factor };
    random_numbers(x, STEPS * INPUTS, 11);
    assert_int_equal(explain_outputs(y, m->net, x, STEPS, &q, NULL), LACO_OK);
    same("value", 0, value(m, x, STEPS, q), 3 * ((double)y[0] * y[0] - y[2]), 1e-6);
    check_numbers(m, x, STEPS, q);
    laco_model_free(m);
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
        cmocka_unit_test(a_chain_of_classes),
        cmocka_unit_test(types_of_a_lexicon),
        cmocka_unit_test(a_chain_of_answers),
        cmocka_unit_test(features_of_several_numbers),
        cmocka_unit_test(a_function_of_the_outputs),
        cmocka_unit_test(long_sequences_in_stretches),
        cmocka_unit_test(what_cannot_be_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
