/* The layer reservoir: how it is drawn, values against recurrences written out, gradients against differences, windows
   in parts, streams, threads, and that what is fixed stays as it was drawn. */
#include "layer/reservoir.h"
#include "math/act.h"
#include "ragged_kit.h"
#include "train/trainer.h"
#include <math.h>
#include <stdio.h>

enum { MANY = 11 };
static net *make(const char *text, int r, pool *p) { return make_of(text, IN, r, p); }
static double param(const net *n, const char *name, int64_t i)
{
    const param_tensor *t = net_find(n, name);
    assert_non_null(t);
    return net_get(n, t->offset + i);
}

/* ---- drawing ---- */
static const char *const drawn[] = {
    "reservoir 60 radius 1.1",
    "reservoir 60 density 0.02 normal radius 0.7",
    "reservoir 64 density 0.1 bernoulli groups 4 radius 0.9",
    "reservoir 50 density 0.1 groups 3 radius 0.9",
    "reservoir 80 density 0.06 blocks radius 1.3",
    "reservoir 96 density 0.06 blocks groups 2",
    "reservoir 40 ring normal radius 0.8",
    "reservoir 40 cycle radius 0.85",
    "reservoir 60 small-world density 0.1 radius 1.05",
    "reservoir 30 density 1 radius 0.95",
    "reservoir 60 radius 0",
    "reservoir 1 radius 0.5",
};
static void test_radius(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
        net *n = make(drawn[i], REAL_DOUBLE, pools[1]);
        const layer_spec *s = &n->d.layer[0];
        const double *w = (const double *)n->w + s->units * s->in;
        double radius;
        laco_error err;
        if (reservoir_radius(s, w, NULL, &radius, &err)) fail_msg("%s: %s", drawn[i], err.msg);
        if (!(fabs(radius - s->radius) <= 1e-6 * s->radius)) fail_msg("%s: radius %.9g", drawn[i], radius);
        net_free(n);
    }
    net *n = make("reservoir 30 delay-line radius 0.7", REAL_DOUBLE, pools[1]);
    double radius = 1;
    assert_int_equal(reservoir_radius(&n->d.layer[0], (double *)n->w + 30 * IN, NULL, &radius, NULL), LACO_OK);
    assert_true(radius == 0);
    net_free(n);
}
/* Columns rise, lie within the group, and are the same again; of blocks 16 neighbours read neighbours. */
static void test_columns(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
        net_description d;
        assert_int_equal(describe_parse(&d, drawn[i], IN, 0, real[0], NULL), LACO_OK);
        const layer_spec *s = &d.layer[0];
        const int64_t K = reservoir_degree(s);
        int32_t *c = reservoir_columns(s), *again = reservoir_columns(s);
        assert_memory_equal(c, again, (size_t)(s->units * K) * sizeof *c);
        for (int64_t u = 0; u < s->units; u++)
            for (int64_t k = 0; k < K; k++) {
                const int64_t to = c[u * K + k];
                assert_in_range(to, 0, s->units - 1);
                if (k) assert_true(to > c[u * K + k - 1]);
                if (s->units % s->groups == 0) assert_int_equal(to * s->groups / s->units, u * s->groups / s->units);
                if (s->topology == RESERVOIR_BLOCKS && u % RESERVOIR_NEIGHBOURS)
                    assert_int_equal(to, c[(u - 1) * K + k] + 1);
            }
        mem_free(c), mem_free(again);
    }
}
static void test_drawing(void **state)
{
    (void)state;
    net *a = make("reservoir 40 input-scale 2 bias-scale 0.5 leak 0.9 0.1", REAL_DOUBLE, pools[1]),
        *b = make("reservoir 40 input-scale 2 bias-scale 0.5 leak 0.9 0.1; reservoir 40", REAL_FLOAT, pools[1]),
        *g = make("reservoir 40 groups 2 leak 0.8 0.2", REAL_DOUBLE, pools[1]),
        *c = make("reservoir 40 cycle radius 0.8 input-scale 0.3", REAL_DOUBLE, pools[1]);
    double most[2] = { 0 };
    for (int64_t i = 0; i < 40 * (IN + 4 + 1 + 1); i++) assert_true((float)net_get(a, i) == (float)net_get(b, i));
    for (int64_t i = 0; i < 40 * IN; i++) most[0] = fmax(most[0], fabs(param(a, "layers.0.weight_ih", i)));
    for (int64_t i = 0; i < 40; i++) most[1] = fmax(most[1], fabs(param(a, "layers.0.bias", i)));
    assert_true(most[0] > 1.8 && most[0] <= 2 && most[1] > 0.4 && most[1] <= 0.5);
    for (int64_t i = 0; i < 40; i++) {
        assert_float_equal(param(a, "layers.0.leak", i), 0.9 * pow(1 / 9., (double)i / 39), 1e-15);
        assert_float_equal(param(g, "layers.0.leak", i), i < 20 ? 0.8 : 0.2, 1e-15);
        assert_true(param(c, "layers.0.weight_hh", i) == 0.8 && fabs(param(c, "layers.0.weight_ih", i)) == 0.3);
    }
    assert_true(param(b, "layers.0.bias", 0) != 0 && param(b, "layers.1.bias", 0) == 0);
    assert_true((float)param(b, "layers.1.weight_hh", 1) != (float)param(b, "layers.0.weight_hh", 1));
    net_free(a), net_free(b), net_free(g), net_free(c);
}

/* ---- values ---- */
static double act_of(int act, double z)
{
    return act == ACT_TANH ? tanh(z) : act == ACT_SIGMOID ? 1 / (1 + exp(-z)) : act == ACT_RELU ? fmax(0, z) : z;
}
/* The recurrence, written out, of row b. */
static void naive(const net *n, int64_t b, int64_t steps, double (*to)[200])
{
    const layer_spec *s = &n->d.layer[0];
    const int64_t N = s->units, K = reservoir_degree(s);
    int32_t *column = reservoir_columns(s);
    for (int64_t t = 0; t < steps; t++)
        for (int64_t i = 0; i < N; i++) {
            double z = param(n, "layers.0.bias", i), a = param(n, "layers.0.leak", i);
            for (int64_t k = 0; k < s->in; k++) z += param(n, "layers.0.weight_ih", i * s->in + k) * x[(off[t] + b) * LD + k];
            for (int64_t k = 0; t && k < K; k++) z += param(n, "layers.0.weight_hh", i * K + k) * to[t - 1][column[i * K + k]];
            to[t][i] = (1 - a) * (t ? to[t - 1][i] : 0) + a * act_of(s->act, z);
        }
    mem_free(column);
}
static const struct {
    const char *text;
    int64_t in;
} layers[] = {
    { "reservoir 37", IN },
    { "reservoir 37 leak 0.9 0.2 bias-scale 0.5 radius 1.2 sigmoid", IN },
    { "reservoir 70 density 0.04 relu direct", IN },
    { "reservoir 64 density 0.08 linear groups 3", IN },
    { "reservoir 100 density 0.05 blocks", IN },
    { "reservoir 96 density 0.05 blocks groups 2 direct", IN },
    { "reservoir 45 density 0.25 groups 5", IN },
    { "reservoir 33 density 1 leak 0.4 direct", IN },
    { "reservoir 40 density 0.3 small-world", IN },
    { "reservoir 90 ring", IN },
    { "reservoir 90 cycle groups 2", IN },
    { "reservoir 90 delay-line groups 3", IN },
    { "reservoir 37 direct", MANY },
    { "reservoir 50 density 1 leak 0.5", MANY },
    { "reservoir 2 delay-line direct", IN },
    { "reservoir 1", IN },
};
enum { LAYERS = sizeof layers / sizeof *layers };
static void test_values(void **state)
{
    static double to[T][200];
    (void)state;
    fill(40);
    for (int i = 0; i < LAYERS; i++)
        for (int r = 0; r < 2; r++) {
            net *n = make_of(layers[i].text, layers[i].in, r, pools[1 + 2 * r]);
            const layer_spec *s = &n->d.layer[0];
            net_forward(n, &(pass){ .b = rag }, r == REAL_FLOAT ? (const void *)xf : x, LD, 1);
            for (int64_t b = 0; b < B; b++) {
                naive(n, b, length(40, b), to);
                for (int64_t t = 0; t < length(40, b); t++) {
                    for (int64_t j = 0; j < s->units; j++)
                        if (!(fabs(output_at(n, r, off[t] + b, j) - to[t][j]) < (r ? 1e-12 : 2e-4)))
                            fail_msg("%s: step %lld unit %lld: %.17g, not %.17g", layers[i].text, (long long)t,
                                     (long long)j, output_at(n, r, off[t] + b, j), to[t][j]);
                    for (int64_t k = 0; s->direct && k < s->in; k++)
                        assert_true(output_at(n, r, off[t] + b, s->units + k) == x[(off[t] + b) * LD + k]);
                }
            }
            net_free(n);
        }
}
/* A delay line is what its name says: unit i is the input i steps ago, times R^i. */
static void test_delay_line(void **state)
{
    (void)state;
    fill(20);
    net *n = make_of("reservoir 8 delay-line linear radius 0.5", 1, REAL_DOUBLE, pools[1]);
    net_forward(n, &(pass){ .b = rag }, x, LD, 1);
    for (int64_t t = 0; t < 20; t++)
        for (int64_t i = 0; i < 8; i++) {
            double sum = 0; /* every unit also reads the input itself */
            for (int64_t j = 0; j <= min64(i, t); j++)
                sum += pow(0.5, (double)j) * param(n, "layers.0.weight_ih", i - j) * x[off[t - j] * LD];
            assert_float_equal(output_at(n, 1, off[t], i), sum, 1e-13);
        }
    net_free(n);
}

/* ---- streams, parts, threads ---- */
static void test_streaming(void **state)
{
    (void)state;
    fill(23);
    for (int i = 0; i < 2 * LAYERS; i++) {
        const int threads = i % 2 ? 3 : 1;
        net *n = make_of(layers[i / 2].text, layers[i / 2].in, REAL_DOUBLE, pools[1]);
        const int64_t in = n->inputs, out = n->outputs;
        net_state *s = mem_new(net_state_bytes(n, B), 1);
        char *helpers = mem_new(3, net_helper_bytes(n, B));
        double row_in[B * MANY], row_out[B * 200];
        net_state_init(n, s, B);
        assert_int_equal(net_state_numbers(n, 1), n->d.layer[0].units);
        if (threads > 1) s->pool = pools[threads], s->helpers = helpers;
        net_forward(n, &(pass){ .b = rag }, x, LD, 1);
        for (int64_t t = 0; t < rag.T; t++) {
            for (int64_t b = 0; b < active[t]; b++)
                memcpy(row_in + b * in, x + (off[t] + b) * LD, (size_t)in * sizeof(double));
            net_step(n, s, 1, active[t], row_in, row_out);
            for (int64_t b = 0; b < active[t]; b++)
                for (int64_t j = 0; j < out; j++)
                    if (!(fabs(row_out[b * out + j] - output_at(n, 1, off[t] + b, j)) < 1e-13))
                        fail_msg("%s: step %lld number %lld", layers[i / 2].text, (long long)t, (long long)j);
        }
        net_state_reset(n, s, 0); /* the first stream begins again */
        memcpy(row_in, x, (size_t)in * sizeof(double)), net_step(n, s, 1, 1, row_in, row_out);
        for (int64_t j = 0; j < out; j++) assert_float_equal(row_out[j], output_at(n, 1, 0, j), 1e-13);
        mem_free(s), mem_free(helpers), net_free(n);
    }
}
static const char stacked[] = "elman 5; reservoir 70 density 0.05 noise 0.1 trained direct; gru 4; reservoir 20 leak 0.5; dense 2";
static void test_parts(void **state)
{
    (void)state;
    fill(T);
    net *whole = make(stacked, REAL_DOUBLE, pools[2]);
    const double loss = learn(whole, REAL_DOUBLE, NULL);
    for (int k = 0; k < 2; k++) {
        window_plan plan;
        net *n = make(stacked, REAL_DOUBLE, pools[2]);
        assert_int_equal(net_plan_window(n, LOSS_SQUARED, T, B, k ? 1 : 0, &plan, NULL), LACO_OK);
        if (k) assert_true(plan.segments > 1);
        assert_true(fabs(learn(n, REAL_DOUBLE, &plan) / loss - 1) < 1e-13);
        for (int64_t i = 0; i < n->params; i++)
            assert_true(fabs(at(1, n->g, i) - at(1, whole->g, i)) < 1e-10 * (1 + fabs(at(1, whole->g, i))));
        net_free(n);
    }
    net_free(whole);
}
static void test_threads(void **state)
{
    net *n[4];
    (void)state;
    fill(40);
    for (int t = 1; t <= 3; t++) {
        n[t] = make(stacked, REAL_FLOAT, pools[t]);
        learn(n[t], REAL_FLOAT, NULL);
        assert_memory_equal(n[t]->g, n[1]->g, (size_t)n[1]->params * sizeof(float));
        assert_memory_equal(n[t]->w, n[1]->w, (size_t)n[1]->params * sizeof(float));
    }
    for (int t = 1; t <= 3; t++) net_free(n[t]);
}
/* Noise: in training alone, another in each update, of the deviation asked for. */
static void test_noise(void **state)
{
    (void)state;
    fill(T);
    net *n = make("reservoir 200 radius 0 input-scale 0 noise 0.5", REAL_DOUBLE, pools[3]);
    double square = 0, first = 0;
    net_forward(n, &(pass){ .b = rag }, x, LD, 1);
    for (int64_t j = 0; j < 200; j++) assert_true(output_at(n, 1, rag.R - 1, j) == 0);
    for (uint64_t update = 0; update < 2; update++) {
        net_forward(n, &(pass){ .b = rag, .train = true, .seed = 1, .update = update }, x, LD, 1);
        if (update) assert_true(output_at(n, 1, 3, 7) != first);
        first = output_at(n, 1, 3, 7);
    }
    for (int64_t r = 0; r < rag.R; r++)
        for (int64_t j = 0; j < 200; j++) square += pow(output_at(n, 1, r, j), 2);
    assert_float_equal(sqrt(square / (double)(rag.R * 200)), 0.5, 0.01);
    net_free(n);
}

/* ---- gradients ---- */
static double loss_with(net *n, double *at, double value)
{
    const net_loss loss = { .kind = LOSS_SQUARED, .y = y, .scale = 1 };
    const pass p = { .b = rag, .train = true, .seed = 5 };
    const double old = *at;
    *at = value;
    assert_int_equal(net_load_loss(n, LOSS_SQUARED, true, NULL), LACO_OK);
    memset(n->g, 0, (size_t)n->params * sizeof(double)), net_reset(n);
    const double sum = net_learn(n, &p, x, LD, &loss);
    *at = old;
    return sum;
}
static void check_gradients(const char *text)
{
    net *n = make(text, REAL_DOUBLE, pools[2]);
    double *g = mem_new((size_t)n->params, sizeof *g), *w = n->w, largest = 1;
    assert_int_equal(net_reserve_loss(n, LOSS_SQUARED, T * B, NULL), LACO_OK);
    loss_with(n, w, *w), memcpy(g, n->g, (size_t)n->params * sizeof *g);
    for (int64_t i = 0; i < n->params; i++) largest = fmax(largest, fabs(g[i]));
    for (int i = 0; i < n->tensors; i++)
        for (int64_t k = 0; k < n->tensor[i].size; k++) {
            const int64_t at = n->tensor[i].offset + k;
            if (n->tensor[i].fixed) {
                assert_true(g[at] == 0);
                continue;
            }
            if (n->tensor[i].size > 40 && k % 7) continue; /* some of many */
            const double h = 1e-4, near = loss_with(n, w + at, w[at] + h) - loss_with(n, w + at, w[at] - h),
                         far = loss_with(n, w + at, w[at] + 2 * h) - loss_with(n, w + at, w[at] - 2 * h),
                         d = (8 * near - far) / (12 * h);
            if (!(fabs(g[at] - d) < 1e-8 * largest) && w[at] != 0)
                fail_msg("%s: %s[%lld]: %.12g, by differences %.12g", text, n->tensor[i].name, (long long)k, g[at], d);
        }
    mem_free(g), net_free(n);
}
static void test_gradients(void **state)
{
    char text[256];
    (void)state;
    fill(7);
    for (int i = 0; i < LAYERS; i++) {
        if (strstr(layers[i].text, "relu")) continue; /* its kinks are no place for differences */
        for (int trained = 0; trained < 2; trained++) {
            snprintf(text, sizeof text, "dense %d tanh; %s%s; dense 2", (int)layers[i].in, layers[i].text,
                     trained ? " trained" : "");
            check_gradients(text);
        }
    }
    check_gradients("elman 4; reservoir 20 density 0.2 noise 0.3 trained; reservoir 10 direct; dense 2");
}

/* ---- what is fixed ---- */
static void test_fixed(void **state)
{
    (void)state;
    fill(20);
    for (int row = 0; real[0]->optim->row(row); row++) {
        net *n = make("reservoir 30 noise 0.1; dense 2", REAL_FLOAT, pools[2]);
        const int64_t fixed = net_find(n, "layers.1.weight")->offset;
        float before[30 * (IN + 3 + 2)], dense = (float)net_get(n, fixed);
        assert_int_equal(fixed, 30 * (IN + 3 + 2));
        memcpy(before, n->w, sizeof before);
        const train_settings s = { .loss = LOSS_SQUARED, .steps = 20, .batch = 1, .optimizer = row, .average = 0.9,
                                   .weight_noise = 0.1, .gradient_noise = 0.1, .clip = 0.1, .clip_value = 1, .seed = 3,
                                   .optim = { .lr = 0.01, .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8,
                                              .weight_decay = 0.1 },
                                   .schedule = { .lr = 0.01 } };
        trainer *t;
        laco_error err;
        if (trainer_new(&t, n, &s, &err)) fail_msg("%s", err.msg);
        const text_row rows[] = { { .length = 20 } };
        const train_batch b = { .x = xf, .y = y, .row = rows, .B = 1 };
        for (int k = 0; k < 3; k++) {
            window_result w;
            trainer_begin(t, &b);
            if (trainer_window(t, (schedule_point){ 0 }, &w, &err)) fail_msg("%s", err.msg);
        }
        assert_memory_equal(n->w, before, sizeof before);
        assert_true((float)net_get(n, fixed) != dense);
        trainer_average(t), trainer_show_average(t, true);
        assert_memory_equal(n->w, before, sizeof before);
        trainer_free(t), net_free(n);
    }
}

/* ---- words ---- */
static void test_words(void **state)
{
    static const struct {
        const char *text, *canonical; /* NULL: itself */
    } good[] = {
        { "reservoir 9", NULL },
        { "reservoir 9 density 0.1 radius 0.9 leak 1 input-scale 1 tanh random uniform seed 1 groups 1", "reservoir 9" },
        { "reservoir 50 direct relu ring trained leak 0.5 0.25 bernoulli noise 0.001 seed 7 groups 2 radius 0",
          "reservoir 50 radius 0 leak 0.5 0.25 noise 0.001 groups 2 ring bernoulli relu seed 7 direct trained" },
        { "reservoir 40 density 0.05 radius 1.1 leak 0.5 input-scale 2 bias-scale 0.5 small-world normal sigmoid; dense 2",
          NULL },
    };
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "reservoir", "needs a number" },
        { "reservoir 0", "from 1 to" },
        { "reservoir 9 density 2", "density needs a number" },
        { "reservoir 9 leak 0", "leak needs a number" },
        { "reservoir 9 leak 0.5 1.5", "leak needs a number" },
        { "reservoir 9 radius -1", "radius needs a number" },
        { "reservoir 9 radius nan", "radius needs a number" },
        { "reservoir 9 groups 10", "10 groups of 9 units" },
        { "reservoir 9 cicle", "did you mean \"cycle\"" },
        { "reservoir 9 density 0.4 blocks", "places" },
        { "reservoir 9 seed", "seed needs a number" },
        { "embed 4; reservoir 9 dense", "reservoir does not know \"dense\"" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        net_description d, again;
        buf out = { 0 };
        laco_error err;
        if (describe_parse(&d, good[i].text, IN, 0, real[0], &err)) fail_msg("%s: %s", good[i].text, err.msg);
        describe_print(&d, real[0], &out);
        assert_string_equal(out.data, good[i].canonical ? good[i].canonical : good[i].text);
        assert_int_equal(describe_parse(&again, out.data, IN, 0, real[0], NULL), LACO_OK);
        buf_free(&out);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        net_description d;
        laco_error err = { 0 };
        assert_int_equal(describe_parse(&d, bad[i].text, IN, 0, real[0], &err), LACO_EINVAL);
        if (!strstr(err.msg, bad[i].says)) fail_msg("%s: %s", bad[i].text, err.msg);
    }
}
/* Weights whose product with themselves is zero cannot be scaled: two groups of units of which none reads itself would
   do; here a single unit that reads itself with a weight of zero stands for them. */
static void test_nilpotent(void **state)
{
    net_description d;
    laco_error err = { 0 };
    double radius = 1;
    const double w[3] = { 0, 0.5, 0.25 };
    (void)state;
    assert_int_equal(describe_parse(&d, "reservoir 3 delay-line", IN, 0, real[0], &err), LACO_OK);
    assert_int_equal(reservoir_radius(&d.layer[0], w, NULL, &radius, &err), LACO_OK);
    assert_true(radius == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_radius),     cmocka_unit_test(test_columns), cmocka_unit_test(test_drawing),
        cmocka_unit_test(test_values),     cmocka_unit_test(test_delay_line), cmocka_unit_test(test_streaming),
        cmocka_unit_test(test_parts),      cmocka_unit_test(test_threads), cmocka_unit_test(test_noise),
        cmocka_unit_test(test_gradients),  cmocka_unit_test(test_fixed),   cmocka_unit_test(test_words),
        cmocka_unit_test(test_nilpotent),
    };
    return cmocka_run_group_tests(tests, set_up_sharing, tear_down);
}
