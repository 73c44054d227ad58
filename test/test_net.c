/* Networks: their descriptions, the layers beside the cells, states carried from window to window, memory. */
#include "base/rng.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const kernels *real64, *real32;
static pool *pools[4];

/* ---- memory, counted ---- */
static int64_t allocations;
static void *counting_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (!n) return free(p), NULL;
    allocations++;
    return realloc(p, n);
}
static int set_up(void **state)
{
    laco_error err;
    (void)state;
    if (kernels_choose(&real64, REAL_DOUBLE, &err) || kernels_choose(&real32, REAL_FLOAT, &err)) return -1;
    for (int i = 1; i <= 3; i++)
        if (pool_new(&pools[i], i, &err)) return -1;
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++) pool_free(pools[i]);
    return 0;
}

/* ---- descriptions ---- */
static const struct {
    const char *text, *canonical;
    int64_t outputs;
} good[] = {
    { "lstm 5", "lstm 5", 0 },
    { " lstm\t5 ;\n dense 3 ; ", "lstm 5; dense 3", 0 },
    { "lstm 5; dense", "lstm 5; dense 9", 9 },
    { "lstm 5; lstm 5;lstm 5", "lstm 5 x3", 0 },
    { "lstm 5 x2; lstm 5 peephole", "lstm 5 x2; lstm 5 peephole", 0 },
    { "lstm 5; lstm 5 bias-two; lstm 5 bias-one", "lstm 5 x2; lstm 5 bias-one", 0 },
    { "lstm 5 bidirectional clip 0.10 coupled project 3 learned-state peephole",
      "lstm 5 peephole coupled project 3 clip 0.1 bidirectional learned-state", 0 },
    { "lstm 4 greff-fgr", "lstm 4 peephole gate-recurrence", 0 },
    { "lstm 4 greff-np", "lstm 4", 0 },
    { "gru 7 residual reverse bias-none", "gru 7 reverse residual bias-none", 0 },
    { "elman 3 relu; jordan 4 tanh-output; indrnn 2 tanh; gru-before 3; mgu 2",
      "elman 3 relu; jordan 4 tanh-output; indrnn 2 tanh; gru-before 3; mgu 2", 0 },
    { "window 3; dropout 0.2; dense 4 no-bias sigmoid", "window 3; dropout 0.2; dense 4 sigmoid no-bias", 0 },
    { "embed 4; gru 4; dense tied", "embed 4; gru 4; dense 7 tied", 7 },
    { "dense 3 linear", "dense 3", 0 },
    { "gru 5 dilation 1; gru 5; lstm 3 clip 2 dilation 4 project 2; lstm-at 4 dilation 2",
      "gru 5 x2; lstm 3 project 2 dilation 4 clip 2; lstm-at 4 dilation 2", 0 },
    { "pool last; pool mean;pool max ; pool attention; dense 2",
      "pool last; pool mean; pool max; pool attention; dense 2", 0 },
    { "pool attention 5 by-last; pool feature-attention 4; pool time-feature-attention by-last",
      "pool attention 5 by-last; pool feature-attention 4; pool time-feature-attention by-last", 0 },
    { "lstm 5 x2 temporal-reg 1 activation-reg 2.0 zoneout 0.1 0.05 weight-drop 0.5 variational 0.25 clip 3 "
      "recurrent-dropout 0.2",
      "lstm 5 x2 clip 3 variational 0.25 recurrent-dropout 0.2 zoneout 0.1 0.05 weight-drop 0.5 activation-reg 2 "
      "temporal-reg 1",
      0 },
    { "gru 5 zoneout 0.1 variational 0; lstm 5 zoneout 0.10 0.1; lstm 5 zoneout 0 0.2; lstm 5 zoneout 0",
      "gru 5 zoneout 0.1; lstm 5 zoneout 0.1; lstm 5 zoneout 0 0.2; lstm 5", 0 },
    { "embed 4 dropout 0.10; dropout 0.5 variational; gru 4; dropout 0.2; dense",
      "embed 4 dropout 0.1; dropout 0.5 variational; gru 4; dropout 0.2; dense 7", 7 },
};
static void test_canonical(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const char *text = good[i].text;
        for (int round = 0; round < 2; round++) { /* what is printed prints as itself */
            net_description d;
            buf out = { 0 };
            laco_error err;
            if (describe_parse(&d, text, 7, good[i].outputs, real32, &err)) fail_msg("%s: %s", text, err.msg);
            describe_print(&d, real32, &out);
            assert_string_equal(out.data, good[i].canonical);
            buf_free(&out);
            text = good[i].canonical;
        }
    }
}

static const struct {
    const char *text;
    int64_t outputs, at;
    const char *says;
} bad[] = {
    { "", 0, 0, "a layer is missing" },
    { ";", 0, 0, "a layer is missing" },
    { "lstm 5; ; dense 3", 0, 8, "a layer is missing" },
    { "lstm 5;; dense 3", 0, 7, "a layer is missing" },
    { "lstm", 0, 4, "lstm needs a number" },
    { "lstm 0", 0, 5, "lstm needs a number from 1" },
    { "lstm -4", 0, 5, "lstm needs a number from 1" },
    { "lstm 1048577", 0, 5, "lstm needs a number from 1" },
    { "lstm 2.5", 0, 5, "whole number" },
    { "lstm 0x10", 0, 5, "lstm needs a number" },
    { "lstm nan", 0, 5, "lstm needs a number" },
    { "lstm 5 peephol", 0, 7, "did you mean \"peephole\"" },
    { "lstmm 5", 0, 0, "did you mean \"lstm\"" },
    { "dense 3; lstmm 5", 0, 9, "unknown layer or cell" },
    { "lstm 5 peephole peephole-full", 0, 16, "excludes another word" },
    { "lstm 5 norm-gates norm", 0, 18, "excludes another word" },
    { "lstm 5 greff-nfg coupled", 0, 17, "excludes another word" },
    { "lstm 5 project", 0, 14, "project needs a number" },
    { "lstm 5 clip -1", 0, 12, "clip needs a number" },
    { "lstm 5 clip inf", 0, 12, "clip needs a number" },
    { "lstm 5 x0", 0, 8, "how many layers" },
    { "lstm 5 x65", 0, 10, "more than 64 layers" },
    { "lstm 5 bidirectional reverse", 0, 28, "not both" },
    { "gru 5 project 3", 0, -1, "gru has no projection" },
    { "gru 5 peephole", 0, 6, "gru does not know" },
    { "dropout 1", 0, 8, "dropout needs a number" },
    { "gru 5 zoneout", 0, 13, "zoneout needs a number" },
    { "gru 5 zoneout 1", 0, 14, "zoneout needs a number from 0 to 0.99" },
    { "gru 5 zoneout 0.1 0.2", 0, -1, "gru has no cell state" },
    { "lstm 5 variational -1", 0, 19, "variational needs a number" },
    { "lstm 5 zonout 0.1", 0, 7, "did you mean \"zoneout\"" },
    { "elman 5 recurrent-droput 0.1", 0, 8, "did you mean \"recurrent-dropout\"" },
    { "lstm 5 activation-reg", 0, 21, "activation-reg needs a number" },
    { "dropout 0.5 variatonal", 0, 12, "did you mean \"variational\"" },
    { "embed 4 dropuot 0.5; gru 5; dense", 7, 8, "did you mean \"dropout\"" },
    { "embed 4 dropout; gru 5; dense", 7, 15, "dropout needs a number" },
    { "embed 4 dropout 1; gru 5; dense", 7, 16, "dropout needs a number from 0 to 0.99" },
    { "gru 3 dilation", 0, 14, "dilation needs a number" },
    { "gru 3 dilation 1025", 0, -1, "up to 1024" },
    { "gru 3 dilation 2 temporal-reg 1", 0, -1, "does not go with" },
    { "pool", 0, 4, "pool needs a word" },
    { "pool men", 0, 5, "did you mean \"mean\"" },
    { "pool mean 3", 0, 10, "pool does not know" },
    { "pool attention 0", 0, 15, "attention needs a number from 1" },
    { "pool feature-attention 3 by-last", 0, 25, "pool does not know" },
    { "embed 4; dense 4; pool attention by-lst", 7, 33, "did you mean \"by-last\"" },
    { "window 0", 0, 7, "window needs a number" },
    { "window 5000", 0, -1, "from 1 to 4096 steps" },
    { "window 2 x", 0, 9, "window does not know" },
    { "dense 3 tanhh", 0, 8, "did you mean \"tanh\"" },
    { "lstm 5; embed 4", 0, -1, "embed must be the first" },
    { "lstm 5; dense", 0, -1, "needs a size" },
    { "dense; lstm 5", 5, -1, "needs a size" },
    { "lstm 5", 3, -1, "it ends in 5 numbers, 3 are needed" },
    { "gru 5; dense tied", 7, -1, "tied needs embed" },
    { "embed 4; gru 5; dense tied", 7, -1, "tied needs embed" },
    { "embed 4; dense 4 tied; dense 7", 7, 30, "only the last layer" },
    { "gru 5 residual", 0, -1, "must be as many" },
    { "lstm 5 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0, 7, "a word of" },
    { "dense 1048576; window 4096; window 4096; window 4096; window 4096; window 4096", 0, -1, "are possible" },
};
static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        net_description d;
        laco_error err = { 0 };
        if (describe_parse(&d, bad[i].text, 7, bad[i].outputs, real32, &err) != LACO_EINVAL)
            fail_msg("\"%s\" was accepted", bad[i].text);
        if (err.code != LACO_EINVAL || err.at != bad[i].at || !strstr(err.msg, bad[i].says))
            fail_msg("\"%s\": at %lld: %s; not at %lld: %s", bad[i].text, (long long)err.at, err.msg,
                     (long long)bad[i].at, bad[i].says);
    }
}
static void test_too_large(void **state)
{
    static const int64_t sizes[] = { 0, -1, INT64_MIN, INT64_MAX, (int64_t)1 << 31 };
    net_description d;
    laco_error err;
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(describe_parse(&d, "dense 1048576", sizes[i], 0, real32, &err), LACO_EINVAL);
        assert_int_equal(describe_parse(&d, "embed 1048576; dense 3", sizes[i], 0, real32, &err), LACO_EINVAL);
        if (sizes[i]) assert_int_equal(describe_parse(&d, "lstm 4; dense", 7, sizes[i], real32, &err), LACO_EINVAL);
    }
    assert_int_equal(describe_parse(&d, "lstm 1048576 peephole-full learned-state", 7, 0, real32, &err), LACO_OK);
    d.layer[0].cell.words = 0; /* 2^42 weights: refused before memory is asked for */
    net *n = NULL;
    assert_int_equal(net_new(&n, &d, 7, real32, pools[1], &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "2^40"));
}

/* ---- networks with numbers, in double ---- */
static const int64_t active[] = { 4, 3, 3, 1 }, off[] = { 0, 4, 7, 10, 11 };
enum { T = 4, B = 4, R = 11, SYMBOLS = 6, INPUTS = 3, WIDE = 64 };
static const ragged rag = { T, B, R, active, off };
static double x[R * WIDE + 64], dx[R * WIDE + 64], dy[R * WIDE + 64];
static int32_t ids[R], targets[R];

static net *make(const char *text, bool symbols, const kernels *k, pool *p)
{
    net *n = net_of(text, symbols ? SYMBOLS : INPUTS, symbols ? SYMBOLS : 0, k, p);
    laco_error err;
    if (net_reserve(n, R, B, true, &err) || net_init(n, "default", 0.5, 3, &err))
        fail_msg("%s: %s", text, err.msg);
    if (symbols && k->loss->softmax_new(&n->head, n->outputs, n->d.layer[n->d.layers - 1].in, p, &err))
        fail_msg("%s", err.msg);
    for (int i = 0; i < R; i++) {
        ids[i] = (int32_t)(SYMBOLS * rng_uniform(1, RNG_TEST, (uint64_t)i));
        targets[i] = i == 5 ? -1 : (int32_t)(SYMBOLS * rng_uniform(2, RNG_TEST, (uint64_t)i));
    }
    for (int i = 0; i < R * WIDE; i++)
        x[i] = rng_normal(3, RNG_TEST, (uint64_t)i), dy[i] = rng_normal(4, RNG_TEST, (uint64_t)i);
    return n;
}
/* The loss at the weights as they are; gradients too. The mask of dropout is that of update 5. */
static double loss_of(net *n, bool symbols)
{
    const pass p = { .b = rag, .train = true, .update = 5 };
    const int layers = n->d.layers - symbols;
    double sum = 0;
    int64_t ld;
    memset(n->g, 0, (size_t)(n->params * n->k->real_size));
    assert_int_equal(net_load(n, true, !symbols, NULL), LACO_OK);
    net_reset(n);
    net_forward(n, &p, symbols ? (const void *)ids : x, WIDE, layers);
    if (symbols) return net_softmax(n, &p, targets, 1, 0, NULL);
    const double *y = net_output(n, layers, &ld);
    for (int64_t r = 0; r < R; r++)
        for (int64_t i = 0; i < n->outputs; i++) sum += y[r * ld + i] * dy[r * WIDE + i];
    net_backward(n, &p, dy, WIDE, layers, dx, WIDE);
    return sum;
}
static double difference(net *n, bool symbols, double *at)
{
    const double h = 1e-5, old = *at;
    *at = old + h;
    double up = loss_of(n, symbols);
    *at = old - h;
    double down = loss_of(n, symbols);
    *at = old;
    return (up - down) / (2 * h);
}
static const struct {
    const char *text;
    bool symbols;
} networks[] = {
    { "embed 5; dense", true },
    { "embed 5; dense tied", true },
    { "embed 5; gru 5; dense tied no-bias", true },
    { "embed 4; window 3; dense 6 tanh; dense", true },
    { "embed 5; gru 6; dropout 0.4; dense", true },
    { "embed 3; lstm 4 x2 peephole bidirectional; dense no-bias", true },
    { "embed 4; gru 3 bidirectional; dropout 0.3; pool last; dense", true },
    { "pool last", false },
    { "pool mean", false },
    { "pool max; dense 2", false },
    { "pool attention 5", false },
    { "pool attention by-last", false },
    { "pool feature-attention 2", false },
    { "dense 19 tanh; pool time-feature-attention", false },
    { "lstm 3 bidirectional; pool time-feature-attention by-last; dense 2", false },
    { "gru 9 bidirectional; pool last; elman 3 reverse; pool last", false },
    { "dense 5 sigmoid; window 2; dense 4", false },
    { "lstm 4 dilation 2 peephole; dense 2", false },
    { "gru 3 residual dilation 3 learned-state", false },
    { "elman 4 bidirectional dilation 2 learned-state; gru 3 dilation 7 reverse activation-reg 0", false },
    { "lstm-at 5 dilation 2 recurrent-dropout 0.3 zoneout 0.2 0.1; lstm 4 project 2 dilation 3", false },
    { "embed 4; lstm 5 dilation 2; lstm 4 dilation 3; dense", true },
    { "window 4", false },
    { "window 1; dropout 0.3", false },
    { "dropout 0.5; dense 6 relu; dense 2 tanh no-bias", false },
    { "dense 19; lstm 19 residual learned-state; dense 3 sigmoid", false },
};
static void test_gradients(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        net *n = make(networks[i].text, networks[i].symbols, real64, pools[2]);
        const bool symbols = networks[i].symbols;
        double *g = test_malloc((size_t)n->params * 8 + 8), made[R * WIDE];
        loss_of(n, symbols);
        memcpy(g, n->g, (size_t)n->params * 8), memcpy(made, dx, sizeof made);
        for (int64_t k = 0; k < n->params; k++) {
            double d = difference(n, symbols, (double *)n->w + k);
            if (!(fabs(g[k] - d) <= 2e-8))
                fail_msg("%s: gradient %lld is %.12g, by differences %.12g", networks[i].text, (long long)k, g[k], d);
        }
        for (int64_t k = 0; !symbols && k < R * INPUTS; k++) {
            int64_t at = k / INPUTS * WIDE + k % INPUTS;
            double d = difference(n, false, x + at);
            if (!(fabs(made[at] - d) <= 2e-8))
                fail_msg("%s: d input %lld is %.12g, by differences %.12g", networks[i].text, (long long)k, made[at],
                         d);
        }
        test_free(g), net_free(n);
    }
}

/* ---- dropout ---- */
enum { DROP_ROWS = 1500, DROP_WIDTH = 37, DROP_LD = 48 };
static float in[DROP_ROWS * DROP_LD], out[4][DROP_ROWS * DROP_LD], back[DROP_ROWS * DROP_LD];
static const int64_t one_active[] = { DROP_ROWS }, one_off[] = { 0, DROP_ROWS };
static void drop(float *y, float *d, double rate, uint64_t seed, int index, uint64_t update, int threads, bool train)
{
    const layer_kind *kind = kernels_layer(real32, "dropout");
    layer_spec s = { .kind = "dropout", .in = DROP_WIDTH, .rate = rate, .index = index };
    pass p = { .b = { 1, DROP_ROWS, DROP_ROWS, one_active, one_off }, .train = train, .update = update, .seed = seed };
    layer *l = NULL;
    param_tensor t[1];
    int count;
    int64_t ld;
    for (int i = 0; i < DROP_ROWS * DROP_LD; i++) in[i] = 1 + (float)(i % 7);
    if (kind->describe(&s, t, &count, NULL) || kind->make(&l, &s, pools[threads], NULL) ||
        kind->reserve(l, DROP_ROWS, DROP_ROWS, true, NULL))
        fail_msg("dropout cannot be made");
    kind->forward(l, &p, in, DROP_LD, NULL, NULL);
    const float *from = kind->output(l, &ld);
    for (int r = 0; r < DROP_ROWS; r++) memcpy(y + r * DROP_LD, from + r * ld, DROP_WIDTH * sizeof *y);
    if (d) kind->backward(l, &p, in, DROP_LD, NULL, NULL, d, DROP_LD);
    kind->free(l);
}
static bool same_rows(const float *a, const float *b)
{
    bool same = true;
    for (int r = 0; r < DROP_ROWS; r++) same &= !memcmp(a + r * DROP_LD, b + r * DROP_LD, DROP_WIDTH * sizeof *a);
    return same;
}
static void test_dropout(void **state)
{
    static const double rates[] = { 0.02, 0.2, 0.5, 0.9 };
    (void)state;
    for (int k = 0; k < 4; k++) {
        const double p = rates[k], n = (double)DROP_ROWS * DROP_WIDTH;
        double dropped = 0;
        drop(out[0], back, p, 1, 2, 3, 1, true);
        for (int r = 0; r < DROP_ROWS; r++)
            for (int j = 0; j < DROP_WIDTH; j++) {
                int i = r * DROP_LD + j;
                dropped += out[0][i] == 0;
                assert_true(out[0][i] == 0 ||
                            fabs((double)out[0][i] - (double)in[i] / (1 - p)) < 1e-3 * (double)in[i] / (1 - p));
                assert_true(back[i] == out[0][i]); /* dy was the input: the same mask, the same factor */
            }
        assert_true(fabs(dropped - n * p) < 5 * sqrt(n * p * (1 - p)));
        drop(out[1], NULL, p, 1, 2, 3, 3, true);
        assert_true(same_rows(out[0], out[1]));
        drop(out[1], NULL, p, 2, 2, 3, 1, true), drop(out[2], NULL, p, 1, 3, 3, 1, true),
            drop(out[3], NULL, p, 1, 2, 4, 1, true);
        for (int i = 1; i < 4; i++) assert_false(same_rows(out[0], out[i]));
        drop(out[1], back, p, 1, 2, 3, 1, false);
        assert_true(same_rows(out[1], in) && same_rows(back, in));
    }
    drop(out[1], back, 0, 1, 2, 3, 1, true);
    assert_true(same_rows(out[1], in) && same_rows(back, in));
}

/* ---- windows in time ---- */
enum { LONG = 12, STEP = 4, ROWS = 3 };
static const int64_t row_length[ROWS] = { 12, 7, 2 };
/* log p of every symbol, [LONG][ROWS], read in windows of `steps`. */
static void measure(net *n, int64_t steps, double *log_prob)
{
    net_reset(n);
    for (int64_t t0 = 0; t0 < LONG; t0 += steps) {
        int64_t act[LONG], offs[LONG + 1] = { 0 };
        int32_t in_ids[LONG * ROWS], target[LONG * ROWS];
        double p[LONG * ROWS];
        for (int64_t t = 0; t < steps; t++) {
            act[t] = 0;
            for (int64_t b = 0; b < ROWS; b++) act[t] += row_length[b] > t0 + t;
            for (int64_t b = 0; b < act[t]; b++) {
                in_ids[offs[t] + b] = (int32_t)((t0 + t) * (b + 2) % SYMBOLS);
                target[offs[t] + b] = (int32_t)((t0 + t + 1) * (b + 2) % SYMBOLS);
            }
            offs[t + 1] = offs[t] + act[t];
        }
        const pass ps = { .b = { steps, ROWS, offs[steps], act, offs } };
        net_forward(n, &ps, in_ids, 1, n->d.layers - 1);
        net_softmax(n, &ps, target, 1, 0, p);
        net_carry(n);
        for (int64_t t = 0; t < steps; t++)
            for (int64_t b = 0; b < act[t]; b++) log_prob[(t0 + t) * ROWS + b] = p[offs[t] + b];
    }
}
static void test_carried_states(void **state)
{
    static const char *const texts[] = { "embed 5; lstm 5 x2 peephole; dense",
                                         "embed 5; window 4; gru 6 learned-state; dense", "embed 4; window 6; dense",
                                         "embed 3; lstm 7 norm project 3 gate-recurrence; dense",
                                         "embed 3; jordan 5; elman 4; dense 4 tanh; dense",
                                         "embed 3; pool last; lstm 4; pool mean; dense",
                                         "embed 3; lstm 4 dilation 5; gru 3 dilation 2 learned-state; dense",
                                         "embed 5; pool max; pool attention 3; dense",
                                         "embed 5; pool time-feature-attention; dense" };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int64_t steps = 1; steps < LONG; steps += steps == 1 ? 2 : 1) {
            double whole[LONG * ROWS] = { 0 }, parts[LONG * ROWS] = { 0 };
            if (LONG % steps) continue;
            net *n = make(texts[i], true, real64, pools[1]);
            assert_int_equal(net_reserve(n, LONG * ROWS, ROWS, true, NULL), LACO_OK);
            assert_int_equal(net_load(n, true, false, NULL), LACO_OK);
            measure(n, LONG, whole), measure(n, steps, parts);
            for (int k = 0; k < LONG * ROWS; k++)
                if (!(fabs(whole[k] - parts[k]) < 1e-12))
                    fail_msg("%s: step %d: %.17g, not %.17g", texts[i], k / ROWS, parts[k], whole[k]);
            net_free(n);
        }
}

/* ---- memory ---- */
static void train_step(net *n, void *moments, int64_t update, const ragged *r)
{
    const pass p = { .b = *r, .train = true, .update = (uint64_t)update };
    optim_step s = { .lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .gradient_scale = 1, .update = update };
    memset(n->g, 0, (size_t)(n->params * n->k->real_size));
    assert_int_equal(net_load(n, true, false, NULL), LACO_OK);
    net_forward(n, &p, ids, 1, n->d.layers - 1);
    double loss = net_softmax(n, &p, targets, 1.0 / R, 0, NULL);
    assert_true(isfinite(loss));
    n->k->optim->update(4, n->pool, n->params, n->w, n->g, moments, &s);
    net_carry(n);
}
static void check_allocation(const char *text, bool stepping)
{
    static const int64_t fewer[] = { 2, 1 }, fewer_off[] = { 0, 2, 3 };
    const ragged small = { 2, 2, 3, fewer, fewer_off };
    net *n = make(text, true, real32, pools[2]);
    void *moments = mem_new((size_t)n->params * 2, 4), *state = mem_new(net_state_bytes(n, 1), 1);
    int64_t before = allocations;
    assert_true(before > 10);
    for (int update = 1; update < 4; update++) train_step(n, moments, update, &rag), net_reset(n);
    train_step(n, moments, 4, &small);
    assert_int_equal(net_reserve(n, small.R, small.B, true, NULL), LACO_OK);
    assert_int_equal(allocations, before);
    assert_int_equal(net_load(n, false, true, NULL), LACO_OK); /* tied networks take the copy of their table here */
    before = allocations;
    if (stepping) {
        float y[SYMBOLS];
        net_state_init(n, state, 1);
        for (int32_t i = 0; i < 20; i++) net_step(n, state, 1, 1, &(int32_t){ i % SYMBOLS }, y);
        for (int i = 0; i < SYMBOLS; i++) assert_true(isfinite(y[i]));
    }
    assert_int_equal(allocations, before);
    mem_free(moments), mem_free(state), net_free(n);
}
static void test_no_allocation(void **state)
{
    (void)state;
    check_allocation("embed 5; window 2; lstm 6 x2 peephole; dropout 0.2; dense", true);
    check_allocation("embed 5; gru 5 learned-state; mgu 5; dense tied", true);
    check_allocation("embed 5; gru 5 dilation 3 learned-state; mgu 5 dilation 2; dense tied", true);
    check_allocation("embed 5; lstm 6 bidirectional norm project 3; dense 9 tanh; dense", false);
    check_allocation("embed 5; gru 5; pool max; pool time-feature-attention 4; dense", true);
    check_allocation("embed 5; gru 5 bidirectional; pool last; pool attention by-last; dense", false);
}
/* What net_bytes says is what net_reserve takes, give or take the slack of rows. */
static void test_planned_bytes(void **state)
{
    net *n = make("embed 5; lstm 40; dense", true, real32, pools[1]);
    (void)state;
    assert_true(net_bytes(n, 100, 10, true) > net_bytes(n, 100, 10, false));
    assert_true(net_bytes(n, 200, 10, true) > net_bytes(n, 100, 10, true));
    assert_true(net_bytes(n, 100, 10, true) >= (size_t)100 * 4 * 40 * 4);
    assert_true(net_work(n) > 4 * 40 * 45);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical), cmocka_unit_test(test_errors), cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_dropout), cmocka_unit_test(test_carried_states),
        cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_planned_bytes),
    };
    laco_set_allocator(counting_resize, NULL);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
