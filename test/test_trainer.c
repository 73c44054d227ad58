/* The trainer: windows, overlapping and accumulated; guards; averages and perturbations of the weights. In double, on a
   small network over numbers, against what is computed here by hand. */
#include "base/rng.h"
#include "train/trainer.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { LENGTH = 24, ROWS = 3, PARAMS = 400 };
static float x[ROWS * LENGTH], y[ROWS * LENGTH];
static text_row rows[ROWS];
static train_batch batch;
static const kernels *k;
static pool *one;

static int make_data(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS * LENGTH; i++)
        x[i] = (float)rng_normal(1, RNG_TEST, (uint64_t)i), y[i] = (float)sin(0.3 * i) + 0.2f * x[i];
    for (int b = 0; b < ROWS; b++) rows[b] = (text_row){ b * LENGTH, LENGTH - 3 * b, 0 };
    batch = (train_batch){ .x = x, .y = y, .row = rows, .B = ROWS };
    return kernels_choose(&k, REAL_DOUBLE, NULL) || pool_new(&one, 1, NULL);
}
static int free_data(void **state) { return (void)state, pool_free(one), 0; }

typedef struct thing {
    net *n;
    trainer *t;
    double before[PARAMS];
} thing;
static thing make(const train_settings *s)
{
    thing m = { 0 };
    net_description d;
    assert_int_equal(describe_parse(&d, "lstm 6; dense", 1, 1, k, NULL), LACO_OK);
    assert_int_equal(net_new(&m.n, &d, 1, k, one, NULL), LACO_OK);
    assert_true(m.n->params <= PARAMS);
    assert_int_equal(net_init(m.n, "default", 1, 3, NULL), LACO_OK);
    assert_int_equal(trainer_new(&m.t, m.n, s, NULL), LACO_OK);
    for (int64_t i = 0; i < m.n->params; i++) m.before[i] = net_get(m.n, i);
    trainer_begin(m.t, &batch);
    return m;
}
static void discard(thing *m) { trainer_free(m->t), net_free(m->n); }
static train_settings sgd(int64_t steps)
{
    train_settings s = { .steps = steps, .batch = ROWS, .loss = LOSS_SQUARED, .schedule = { .lr = 0.1 } };
    assert_int_equal(schedule_named(&s.schedule.row, "constant", NULL), LACO_OK);
    while (strcmp(k->optim->row(s.optimizer)->name, "sgd")) s.optimizer++;
    return s;
}
static laco_status window(thing *m, window_result *w) { return trainer_window(m->t, (schedule_point){ 0 }, w, NULL); }
static double step_of(const thing *m, int64_t i) { return net_get(m->n, i) - m->before[i]; }

/* Two windows of one update are the mean of what each would do; the states go from one to the next. */
static void test_accumulate(void **state)
{
    window_result w;
    double sum[PARAMS] = { 0 };
    train_settings s = sgd(12);
    (void)state;
    thing a = make(&s);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(window(&a, &w), LACO_OK);
        for (int64_t j = 0; j < a.n->params; j++) sum[j] += step_of(&a, j), net_set(a.n, j, a.before[j]);
    }
    s.accumulate = 2;
    thing b = make(&s);
    assert_int_equal(window(&b, &w), LACO_OK);
    assert_int_equal(w.update, NOT_YET);
    for (int64_t j = 0; j < b.n->params; j++) assert_true(step_of(&b, j) == 0);
    assert_int_equal(window(&b, &w), LACO_OK);
    assert_int_equal(w.update, UPDATED);
    for (int64_t j = 0; j < b.n->params; j++) assert_true(fabs(step_of(&b, j) - sum[j] / 2) < 1e-15);
    assert_int_equal(trainer_counted(b.t)->updates, 1);
    discard(&a), discard(&b);
}
/* A batch that ends between two updates: the rest is followed when asked. */
static void test_flush(void **state)
{
    window_result w;
    train_settings s = sgd(8);
    (void)state;
    s.accumulate = INT64_MAX;
    thing m = make(&s);
    while (trainer_more(m.t)) assert_int_equal(window(&m, &w), LACO_OK);
    assert_int_equal(trainer_counted(m.t)->pending, 3);
    assert_int_equal(trainer_flush(m.t, (schedule_point){ 0 }, &w, NULL), LACO_OK);
    assert_int_equal(w.update, UPDATED);
    assert_int_equal(trainer_counted(m.t)->pending, 0);
    assert_int_equal(trainer_flush(m.t, (schedule_point){ 0 }, &w, NULL), LACO_OK);
    assert_int_equal(trainer_counted(m.t)->updates, 1);
    discard(&m);
}

/* Overlapping windows: every step is judged once, as if the row were read in one piece with weights that stand still;
   the gradient is that of the last steps carried back over the whole window. */
static void test_overlap(void **state)
{
    train_settings s = sgd(LENGTH);
    window_result w;
    double whole, sum = 0;
    int64_t tokens = 0, windows = 0;
    (void)state;
    thing a = make(&s);
    assert_int_equal(window(&a, &w), LACO_OK);
    whole = w.loss;
    s.steps = 10, s.advance = 4, s.schedule.lr = 0;
    thing b = make(&s);
    for (; trainer_more(b.t); windows++) {
        assert_int_equal(window(&b, &w), LACO_OK);
        sum += w.loss, tokens += w.tokens;
        assert_int_equal(trainer_position(b.t), 4 * windows);
    }
    assert_int_equal(tokens, LENGTH + LENGTH - 3 + LENGTH - 6);
    assert_int_equal(windows, 5); /* 0-10, 4-14, 8-18, 12-22, 16-24 */
    assert_true(fabs(sum - whole) < 1e-12 * whole);
    /* one window of 10 steps of which the last 4 count, from the state after 4 steps */
    static float only[ROWS * LENGTH];
    train_batch part = batch;
    for (int i = 0; i < ROWS * LENGTH; i++) only[i] = i % LENGTH >= 10 && i % LENGTH < 14 ? y[i] : NAN;
    part.y = only;
    s.advance = 0, s.steps = 4, s.accumulate = 2, s.schedule.lr = 0.1;
    thing c = make(&s);
    trainer_begin(c.t, &part);
    assert_int_equal(window(&c, &w), LACO_OK); /* nothing counts, the states go on */
    assert_int_equal(w.update, NOT_YET);
    assert_int_equal(trainer_counted(c.t)->pending, 0);
    s.steps = 10, s.advance = 4, s.accumulate = 0;
    thing d = make(&s);
    s.schedule.lr = 0;
    for (int i = 0; i < 2; i++) {
        if (i == 1) /* the first update must not change the weights that the second begins from */
            for (int64_t j = 0; j < d.n->params; j++) net_set(d.n, j, d.before[j]);
        assert_int_equal(window(&d, &w), LACO_OK);
    }
    discard(&c);
    train_settings long_window = sgd(14);
    thing e = make(&long_window);
    trainer_begin(e.t, &part);
    assert_int_equal(window(&e, &w), LACO_OK);
    double dot = 0, near = 0, far = 0; /* 10 of 14 steps back: most of the full gradient */
    for (int64_t j = 0; j < d.n->params; j++)
        dot += step_of(&d, j) * step_of(&e, j), near += step_of(&d, j) * step_of(&d, j),
            far += step_of(&e, j) * step_of(&e, j);
    assert_true(dot / sqrt(near * far) > 0.99 && fabs(near / far - 1) < 0.2);
    discard(&a), discard(&b), discard(&d), discard(&e);
}

/* ---- guards ---- */
static void test_not_finite(void **state)
{
    train_settings s = sgd(8);
    window_result w;
    (void)state;
    for (int skip = 0; skip < 2; skip++) {
        s.skip_nan = skip;
        thing m = make(&s);
        float was = x[5];
        x[5] = NAN; /* in the first window */
        laco_error err;
        laco_status st = trainer_window(m.t, (schedule_point){ 0 }, &w, &err);
        x[5] = was;
        assert_int_equal(st, skip ? LACO_OK : LACO_ENUMERIC);
        if (!skip) assert_non_null(strstr(err.msg, "is not finite at update 1: input 1 of the data is not a number"));
        assert_non_null(strstr(trainer_trouble(m.t), ", step 6 of 8, row 1 of 3, position 5 of the data"));
        assert_int_equal(w.update, NOT_FINITE);
        assert_int_equal(trainer_counted(m.t)->not_finite, 1);
        for (int64_t j = 0; j < m.n->params; j++) assert_true(step_of(&m, j) == 0);
        assert_int_equal(window(&m, &w), LACO_OK); /* the states were not carried on */
        assert_int_equal(w.update, UPDATED);
        assert_true(isfinite(w.loss));
        discard(&m);
    }
}
static void test_outlier(void **state)
{
    train_settings s = sgd(LENGTH);
    window_result w;
    (void)state;
    s.outlier = 6, s.schedule.lr = 0.001;
    thing m = make(&s);
    for (int i = 0; i < 150; i++) {
        trainer_begin(m.t, &batch);
        assert_int_equal(window(&m, &w), LACO_OK);
        assert_int_equal(w.update, UPDATED);
    }
    for (int64_t j = 0; j < m.n->params; j++) m.before[j] = net_get(m.n, j);
    float was = y[7];
    y[7] = 1000;
    trainer_begin(m.t, &batch);
    assert_int_equal(window(&m, &w), LACO_OK);
    y[7] = was;
    assert_int_equal(w.update, OUTLIER);
    assert_int_equal(trainer_counted(m.t)->outliers, 1);
    for (int64_t j = 0; j < m.n->params; j++) assert_true(step_of(&m, j) == 0);
    trainer_begin(m.t, &batch);
    assert_int_equal(window(&m, &w), LACO_OK);
    assert_int_equal(w.update, UPDATED);
    discard(&m);
}

/* ---- weights that are not the weights ---- */
static void test_average(void **state)
{
    train_settings s = sgd(8);
    window_result w;
    double mean[PARAMS] = { 0 }, now[PARAMS];
    (void)state;
    s.average = 1;
    thing m = make(&s);
    for (int i = 1; trainer_more(m.t); i++) {
        assert_int_equal(window(&m, &w), LACO_OK);
        for (int64_t j = 0; j < m.n->params; j++) mean[j] += (net_get(m.n, j) - mean[j]) / i;
    }
    for (int64_t j = 0; j < m.n->params; j++) now[j] = net_get(m.n, j);
    trainer_show_average(m.t, true);
    for (int64_t j = 0; j < m.n->params; j++) assert_true(fabs(net_get(m.n, j) - mean[j]) < 1e-15);
    trainer_show_average(m.t, false);
    for (int64_t j = 0; j < m.n->params; j++) assert_true(net_get(m.n, j) == now[j]);
    discard(&m);
    s.average_waits = true; /* until it is told to begin */
    m = make(&s);
    assert_int_equal(window(&m, &w), LACO_OK);
    trainer_show_average(m.t, true);
    assert_int_equal(trainer_counted(m.t)->averaged, 0);
    trainer_average(m.t);
    assert_int_equal(window(&m, &w), LACO_OK);
    assert_int_equal(trainer_counted(m.t)->averaged, 1);
    discard(&m);
}
/* The gradient is that of the noisy weights; the step is taken from the weights themselves. */
static void test_weight_noise(void **state)
{
    train_settings s = sgd(LENGTH), plain = sgd(LENGTH);
    window_result w, v;
    (void)state;
    s.weight_noise = 0.05, s.seed = 7;
    thing a = make(&s), b = make(&plain);
    assert_int_equal(window(&a, &w), LACO_OK);
    const optim_draw draw = { 7, RNG_WEIGHT_NOISE, 0 };
    k->optim->add_normal(one, b.n->params, b.n->w, b.n->w, 0.05, &draw);
    for (int64_t j = 0; j < b.n->params; j++) b.before[j] = net_get(b.n, j);
    assert_int_equal(window(&b, &v), LACO_OK);
    assert_true(w.loss == v.loss);
    for (int64_t j = 0; j < a.n->params; j++) assert_true(fabs(step_of(&a, j) - step_of(&b, j)) < 1e-15);
    discard(&a), discard(&b);
}

/* Weight drop: the recurrent matrix that a window sees has zeros, and they get no gradient; all else does. */
static void test_weight_drop(void **state)
{
    train_settings s = sgd(LENGTH);
    net_description d;
    window_result w;
    (void)state;
    thing m = make(&s);
    discard(&m);
    assert_int_equal(describe_parse(&d, "lstm 6 weight-drop 0.5; dense", 1, 1, k, NULL), LACO_OK);
    assert_int_equal(net_new(&m.n, &d, 1, k, one, NULL), LACO_OK);
    assert_int_equal(net_init(m.n, "default", 1, 3, NULL), LACO_OK);
    assert_int_equal(trainer_new(&m.t, m.n, &s, NULL), LACO_OK);
    trainer_begin(m.t, &batch);
    for (int64_t i = 0; i < m.n->params; i++) m.before[i] = net_get(m.n, i);
    assert_int_equal(window(&m, &w), LACO_OK);
    const param_tensor *hh = net_find(m.n, "layers.0.weight_hh");
    int still = 0;
    for (int64_t i = 0; i < m.n->params; i++) {
        bool inside = i >= hh->offset && i < hh->offset + hh->size;
        still += inside && step_of(&m, i) == 0;
        assert_true(inside || step_of(&m, i) != 0);
    }
    assert_true(still > 0.3 * (double)hh->size && still < 0.7 * (double)hh->size);
    discard(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accumulate),   cmocka_unit_test(test_flush),       cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_not_finite),   cmocka_unit_test(test_outlier),     cmocka_unit_test(test_average),
        cmocka_unit_test(test_weight_noise), cmocka_unit_test(test_weight_drop),
    };
    return cmocka_run_group_tests(tests, make_data, free_data);
}
