/* The layer tokens: what it puts out against tables and a recurrent layer by hand, gradients in double against central
   differences, types in several parts, rare words taken for unknown, the same bits for any number of threads. */
#include "base/rng.h"
#include "kernel_kit.h"
#include "net/window.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { TYPES = 5, WORDS = 4, LETTERS = 6, T = 5, B = 3, R = 10, OUTPUTS = 2 };
static const int64_t active[T] = { 3, 3, 2, 1, 1 }, off[T + 1] = { 0, 3, 6, 8, 9, 10 };
static const int32_t ids[R] = { 0, 3, 3, 1, 2, 0, 4, 3, 1, 1 };
static const int32_t word[TYPES] = { 1, 2, 3, 0, 2 }, chars[] = { 0, 1, 2, 5, 4, 3, 3, 1, 2, 0, 1, 4 };
static const int64_t first[TYPES + 1] = { 0, 3, 4, 9, 9, 12 }; /* type 3 has none */
static const int32_t feature[2 * TYPES] = { 0, 1, 1, 0, 2, 2, 0, 0, 1, 2 };
static const float forget[TYPES] = { 0, 0.5f, 1, 0, 0 };
static lexicon lex = { word, NULL, chars, first, feature, 2 };
static const char *const description = "tokens 3 chars 2 of 6 lstm 3 feature 2 of 3 feature 1 of 3; dense 2";
static double number(int place, int64_t i) { return 2 * rng_uniform(5, RNG_TEST, (uint64_t)(place * 1000 + i)) - 1; }

static net *new_net(const char *text, int type, pool *p)
{
    net *n = net_of(text, WORDS, 0, real[type], p);
    for (int64_t i = 0; i < n->params; i++) net_set(n, i, number(2, i));
    return n;
}
static void reserve(net *n, int64_t rows)
{
    assert_int_equal(net_reserve(n, rows, B, true, NULL), LACO_OK);
    assert_int_equal(net_reserve_loss(n, LOSS_SQUARED, rows, NULL), LACO_OK);
    memset(n->g, 0, (size_t)n->params * (size_t)n->k->real_size);
}

static double learn_from(net *n, const lexicon *l, const int32_t *x, bool train)
{
    static float y[R * OUTPUTS];
    const pass p = { .b = { T, B, R, active, off }, .train = train, .lexicon = l };
    const net_loss loss = { .kind = LOSS_SQUARED, .y = y, .scale = 0.25 };
    assert_int_equal(net_load_loss(n, LOSS_SQUARED, true, NULL), LACO_OK);
    return net_learn(n, &p, x, 0, &loss);
}

/* The vector of a type: its tables, and the last states of a bidirectional LSTM of the same weights over its letters.
 */
static void by_hand(void **state)
{
    laco_error err;
    net *n = new_net(description, REAL_DOUBLE, pools[1]), *cell;
    net_description d;
    const double *w = n->w;
    int64_t ld;
    (void)state;
    reserve(n, R);
    learn_from(n, &lex, ids, false);
    const double *y = net_output(n, 1, &ld);
    assert_int_equal(describe_parse(&d, "lstm 3 bidirectional", 2, 0, real[REAL_DOUBLE], &err), LACO_OK);
    assert_int_equal(net_new(&cell, &d, 2, real[REAL_DOUBLE], pools[1], &err), LACO_OK);
    const int64_t at_chars = WORDS * 3, at_cell = at_chars + LETTERS * 2, at_first = at_cell + cell->params;
    assert_int_equal(n->d.layer[0].out, 3 + 6 + 2 + 1);
    memcpy(cell->w, w + at_cell, (size_t)cell->params * sizeof(double));
    for (int r = 0; r < R; r++) {
        int64_t m = first[ids[r] + 1] - first[ids[r]], one[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, row[9], ldc;
        double x[8 * 16] = { 0 };
        for (int64_t i = 0; i <= m; i++) row[i] = i;
        for (int64_t i = 0; i < m; i++) memcpy(x + i * 16, w + at_chars + chars[first[ids[r]] + i] * 2, 2 * sizeof *w);
        const pass p = { .b = { m, 1, m, one, row } };
        for (int k = 0; k < 3; k++) assert_true(y[r * ld + k] == w[word[ids[r]] * 3 + k]);
        if (m) {
            assert_int_equal(net_reserve(cell, m, 1, false, &err), LACO_OK);
            assert_int_equal(net_load(cell, false, true, &err), LACO_OK);
            net_forward(cell, &p, x, 16, 1);
            const double *c = net_output(cell, 1, &ldc);
            for (int k = 0; k < 3; k++) {
                assert_true(fabs(y[r * ld + 3 + k] - c[(m - 1) * ldc + k]) < 1e-14);
                assert_true(fabs(y[r * ld + 6 + k] - c[3 + k]) < 1e-14);
            }
        } else
            for (int k = 3; k < 9; k++) assert_true(y[r * ld + k] == 0);
        for (int k = 0; k < 2; k++) assert_true(y[r * ld + 9 + k] == w[at_first + feature[2 * ids[r]] * 2 + k]);
        assert_true(y[r * ld + 11] == w[at_first + 6 + feature[2 * ids[r] + 1]]);
    }
    net_free(n), net_free(cell);
}
static void compare_gradients(const char *text, const lexicon *l, const int32_t *x)
{
    net *n = new_net(text, REAL_DOUBLE, pools[1]);
    reserve(n, R);
    learn_from(n, l, x, true);
    for (int64_t i = 0; i < n->params; i++) {
        const double h = 1e-5, w = net_get(n, i);
        net_set(n, i, w + h);
        double above = learn_from(n, l, x, false);
        net_set(n, i, w - h);
        double below = learn_from(n, l, x, false), want = 0.25 * (above - below) / (2 * h), made = ((double *)n->g)[i];
        net_set(n, i, w);
        if (!(fabs(made - want) < 1e-8)) fail_msg("parameter %lld: %.12g, not %.12g", (long long)i, made, want);
    }
    net_free(n);
}
static void gradients(void **state)
{
    static const int32_t words[R] = { 0, 3, 3, 1, 2, 0, 3, 3, 1, 1 };
    (void)state;
    compare_gradients(description, &lex, ids);
    compare_gradients("tokens 3 chars 2 of 6 gru 2 feature 2 of 3; dense 2", NULL, words);
}
/* A word with a probability of 1 to be forgotten reads as word 0 while training, and as itself otherwise. */
static void forgotten(void **state)
{
    net *n = new_net(description, REAL_DOUBLE, pools[1]);
    const double *w = n->w;
    int64_t ld, taken = 0;
    lexicon with = lex;
    (void)state;
    with.forget = forget;
    reserve(n, R);
    learn_from(n, &with, ids, false);
    assert_true(((const double *)net_output(n, 1, &ld))[4 * ld] == w[3 * 3]);
    for (uint64_t update = 0; update < 50; update++) {
        const pass p = { .b = { T, B, R, active, off }, .train = true, .lexicon = &with, .update = update };
        net_forward(n, &p, ids, 0, 1);
        const double *y = net_output(n, 1, &ld);
        assert_true(y[4 * ld] == w[0] && y[0] == w[3]);
        taken += y[3 * ld] == w[0], taken += y[8 * ld] == w[0];
    }
    assert_in_range(taken, 30, 70);
    net_free(n);
}
/* More characters than a part holds: types with 64 letters each, 300 of them. */
static void parts_and_threads(void **state)
{
    enum { MANY = 300 };
    static int32_t many_ids[MANY], many_word[MANY], many_chars[MANY * MOST_CHARS];
    static int64_t many_first[MANY + 1], many_active[MANY], many_off[MANY + 1];
    static float y[MANY * OUTPUTS];
    const char *text = "tokens 3 chars 2 of 6 lstm 3; dense 2";
    const lexicon l = { many_word, NULL, many_chars, many_first, NULL, 0 };
    net *n[4];
    (void)state;
    for (int i = 0; i < MANY; i++) {
        many_ids[i] = (i * 7) % MANY, many_word[i] = i % WORDS, many_active[i] = 1, many_off[i + 1] = i + 1;
        many_first[i + 1] = many_first[i] + MOST_CHARS - i % 3;
    }
    for (int i = 0; i < MANY * MOST_CHARS; i++) many_chars[i] = (i * 5 + i / 7) % LETTERS;
    double whole = 0;
    for (int t = 1; t <= 3; t++) {
        const pass p = { .b = { MANY, 1, MANY, many_active, many_off }, .train = true, .lexicon = &l };
        const net_loss loss = { .kind = LOSS_SQUARED, .y = y, .scale = 1 };
        n[t] = new_net(text, REAL_DOUBLE, pools[t]);
        reserve(n[t], MANY);
        assert_int_equal(net_load_loss(n[t], LOSS_SQUARED, true, NULL), LACO_OK);
        whole = net_learn(n[t], &p, many_ids, 0, &loss);
        assert_memory_equal(n[t]->g, n[1]->g, (size_t)n[1]->params * sizeof(double));
    }
    /* the same, type by type: the sum of the losses and of the gradients */
    net *one = new_net(text, REAL_DOUBLE, pools[1]);
    double sum = 0, most = 0;
    reserve(one, 1);
    assert_int_equal(net_load_loss(one, LOSS_SQUARED, true, NULL), LACO_OK);
    for (int i = 0; i < MANY; i++) {
        const pass p = { .b = { 1, 1, 1, many_active, many_off }, .train = true, .lexicon = &l };
        const net_loss loss = { .kind = LOSS_SQUARED, .y = y, .scale = 1 };
        sum += net_learn(one, &p, &many_ids[i], 0, &loss);
    }
    assert_true(fabs(sum - whole) < 1e-9 * sum);
    for (int64_t i = 0; i < one->params; i++) most = fmax(most, fabs(((double *)one->g)[i] - ((double *)n[1]->g)[i]));
    if (!(most < 1e-8)) fail_msg("%g", most);
    for (int t = 1; t <= 3; t++) net_free(n[t]);
    net_free(one);
}
static void descriptions(void **state)
{
    static const struct {
        const char *text, *canonical, *reason;
    } cases[] = {
        { "tokens 8; dense 2", "tokens 8; dense 2", NULL },
        { "tokens 8 feature 2 of 4 chars 4 of 30 gru 5; dense 2",
          "tokens 8 chars 4 of 30 gru 5 feature 2 of 4; dense 2", NULL },
        { "tokens 8 chars 4 gru 5; dense 2", NULL, "how many characters" },
        { "tokens 8 chars 4 of 9; dense 2", NULL, "needs a cell" },
        { "tokens 8 chars 4 of 9 dense 4; dense 2", NULL, "needs a cell" },
        { "tokens 8 feature 4; dense 2", NULL, "how many values" },
        { "tokens 8 features 4; dense 2", NULL, "did you mean \"feature\"" },
        { "embed 8; tokens 8", NULL, "must be the first" },
        { "tokens 8; dense 8 tied", NULL, "tied needs embed" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        laco_error err;
        net_description d;
        buf text = { 0 };
        laco_status st = describe_parse(&d, cases[i].text, 8, 0, real[REAL_FLOAT], &err);
        if (!cases[i].canonical) {
            if (!st || !strstr(err.msg, cases[i].reason)) fail_msg("%s: %s", cases[i].text, st ? err.msg : "taken");
            continue;
        }
        if (st) fail_msg("%s", err.msg);
        describe_print(&d, real[REAL_FLOAT], &text);
        assert_string_equal(text.data, cases[i].canonical);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(by_hand), cmocka_unit_test(gradients),
                                        cmocka_unit_test(forgotten), cmocka_unit_test(parts_and_threads),
                                        cmocka_unit_test(descriptions) };
    return cmocka_run_group_tests(tests, set_up_sharing, tear_down);
}
