/* Windows walked in segments: whatever is kept of a window, losses, gradients and states are the same bits, and those
   of the window walked whole but for rounding; memory is what the plan says; the schedule is the best there is. */
#include "base/rng.h"
#include "net/window.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { STEPS = 45, BATCH = 6, SEGMENT = 4, SYMBOLS = 9, WINDOWS = 2, WIDE = 16 };
static const int64_t lengths[BATCH] = { 83, 83, 60, 45, 17, 0 };
static const kernels *real32, *real64;
static pool *pools[3];

/* ---- memory, counted ---- */
static size_t taken;
static bool counts;
enum { LARGE = 4 << 20 };
static void *counting_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (!n) return free(p), NULL;
    if (counts) taken += n - 16 - (n > LARGE + (2 << 20) ? 2 << 20 : 64); /* what src/base/memory.c adds to align */
    return realloc(p, n);
}
static int set_up(void **state)
{
    laco_error err;
    (void)state;
    if (kernels_choose(&real64, REAL_DOUBLE, &err) || kernels_choose(&real32, REAL_FLOAT, &err)) return -1;
    for (int i = 1; i <= 2; i++)
        if (pool_new(&pools[i], i, &err)) return -1;
    pool_always_share(pools[2], true);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    pool_free(pools[1]), pool_free(pools[2]);
    return 0;
}

/* ---- two windows of a batch ---- */
typedef struct outcome {
    double loss[WINDOWS], *log_prob; /* of measuring: [WINDOWS][STEPS * BATCH] */
    char *g, *state;
    size_t g_bytes, state_bytes;
} outcome;
static void free_outcome(outcome *o) { free(o->log_prob), free(o->g), free(o->state); }
static net *make(const char *text, const kernels *k, pool *p, weights_kind kind)
{
    laco_error err = { 0 };
    net *n = net_of(text, SYMBOLS, SYMBOLS, k, p);
    laco_status st = net_weights(n, kind, &err);
    if (!st) st = net_init(n, "uniform", 1, 7, &err);
    if (!st) st = k->loss->softmax_new(&n->head, n->outputs, n->d.layer[n->d.layers - 1].in, p, &err);
    if (st) fail_msg("%s: %s", text, err.msg);
    return n;
}
static int32_t ids[STEPS * BATCH], right[STEPS * BATCH];
static float answers[STEPS * BATCH * SYMBOLS];
static double numbers[(STEPS * BATCH + 4) * WIDE];
static int64_t active[STEPS], off[STEPS + 1];
static pass lay_out(int64_t first, bool train)
{
    int64_t t = 0;
    for (; t < STEPS; t++) {
        for (active[t] = 0; active[t] < BATCH && lengths[active[t]] > first + t;) active[t]++;
        if (!active[t]) break;
        for (int64_t b = 0; b < active[t]; b++) {
            uint64_t i = (uint64_t)((first + t) * BATCH + b);
            ids[off[t] + b] = (int32_t)(rng_uniform(3, RNG_TEST, i) * SYMBOLS);
            right[off[t] + b] = (int32_t)(rng_uniform(4, RNG_TEST, i) * (SYMBOLS + 1)) - 1;
            for (int k = 0; k < SYMBOLS; k++) answers[(off[t] + b) * SYMBOLS + k] = (float)(right[off[t] + b] == k);
            for (int k = 0; k < WIDE; k++) {
                double x = rng_normal(5, RNG_TEST, i * WIDE + (uint64_t)k);
                numbers[(off[t] + b) * WIDE + k] = x;
            }
        }
        off[t + 1] = off[t] + active[t];
    }
    return (
        pass){ .b = { t, BATCH, off[t], active, off }, .train = train, .update = 5, .seed = 11, .token_scale = 0.1 };
}
static const void *inputs_of(const net *n)
{
    static float narrow[(STEPS * BATCH + 4) * WIDE];
    if (n->symbols) return ids;
    if (n->k->real_size == 8) return numbers;
    for (int64_t i = 0; i < STEPS * BATCH * WIDE; i++) narrow[i] = (float)numbers[i];
    return narrow;
}
static void copy_states(const net *n, outcome *o)
{
    for (int i = 0; i < n->d.layers - 1; i++) {
        size_t bytes = (size_t)(n->state_row[i] * BATCH);
        o->state = realloc(o->state, o->state_bytes + bytes + 1);
        memcpy(o->state + o->state_bytes, n->state[i][1], bytes), o->state_bytes += bytes;
    }
}
static void learn(net *n, const window_plan *p, outcome *o)
{
    laco_error err = { 0 };
    *o = (outcome){ .g_bytes = (size_t)(n->params * n->k->real_size) };
    o->log_prob = calloc(WINDOWS * STEPS * BATCH, sizeof(double)), o->g = malloc(o->g_bytes);
    if (net_reserve_window(n, p, &err) || net_load_loss(n, p->loss, true, &err)) fail_msg("%s", err.msg);
    for (int train = 0; train < 2; train++) {
        net_reset(n);
        memset(n->g, 0, o->g_bytes);
        for (int i = 0; i < WINDOWS; i++) {
            pass ps = lay_out(i * STEPS, train);
            net_loss loss = { .kind = p->loss, .classes = right, .y = answers, .scale = 0.1 };
            loss.log_prob = train ? NULL : o->log_prob + i * STEPS * BATCH;
            if (i) net_carry(n);
            o->loss[i] = net_learn(n, &ps, inputs_of(n), n->symbols ? 1 : WIDE, &loss);
            copy_states(n, o);
        }
    }
    memcpy(o->g, n->g, o->g_bytes);
}
static window_plan plan(int64_t segment, int64_t tapes, int64_t states)
{
    return (window_plan){ .steps = STEPS,
                          .batch = BATCH,
                          .segment = segment,
                          .segments = ceil_div(STEPS, segment),
                          .tapes = tapes,
                          .states = states };
}
static void check_equal(const char *text, const window_plan *p, const outcome *a, const outcome *b)
{
    const char *what = memcmp(a->loss, b->loss, sizeof a->loss)                                         ? "loss"
                       : memcmp(a->log_prob, b->log_prob, WINDOWS * STEPS * BATCH * sizeof(double))     ? "log p"
                       : memcmp(a->g, b->g, a->g_bytes)                                                 ? "gradient"
                       : a->state_bytes != b->state_bytes || memcmp(a->state, b->state, a->state_bytes) ? "states"
                                                                                                        : NULL;
    if (what)
        fail_msg("%s: %d tapes, %d states: another %s than with all kept", text, (int)p->tapes, (int)p->states, what);
}

static const char *const symbol_nets[] = {
    "embed 5; dropout 0.3; lstm 6 peephole; dropout 0.2; dense",
    "embed 4; gru 6 learned-state; gru-before 4; dense",
    "embed 6; lstm 9 residual project 6; dense",
    "embed 4; lstm 5 norm learned-state; elman 6; dense",
    "embed 6; window 7; gru 6; dense tied",
    "embed 3; dense 5 tanh; window 6; indrnn 4; mgu 3; jordan 4; dense",
    "embed 4; lstm 20 gate-recurrence; dense",
    "embed 5 dropout 0.2; lstm 6 project 5 variational 0.3 recurrent-dropout 0.2 zoneout 0.2 0.1; dropout 0.3 "
    "variational; "
    "gru-before 5 variational 0.2 zoneout 0.1 activation-reg 0.5 temporal-reg 0.7 residual; dense",
    "embed 5; indrnn 5 variational 0.4; lstm 7 norm zoneout 0.3 temporal-reg 1 learned-state; dense",
};
static const char *const number_nets[] = { "lstm 6; dense",
                                           "window 6; dropout 0.2; dense 5 relu; window 3; lstm 4; dense" };

static const struct {
    int64_t tapes, states;
} part[] = { { 1, 0 }, { 1, 1 }, { 1, 3 }, { 1, 11 }, { 2, 1 }, { 2, 5 }, { 7, 1 }, { 11, 0 } };
static void check_net(const char *text, const kernels *k, weights_kind kind, loss_kind loss)
{
    outcome all, one;
    window_plan kept = plan(SEGMENT, ceil_div(STEPS, SEGMENT), 0), p;
    kept.loss = loss;
    net *n = make(text, k, pools[1], kind);
    learn(n, &kept, &all);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        p = kept, p.tapes = part[i].tapes, p.states = part[i].states;
        learn(n, &p, &one);
        check_equal(text, &p, &all, &one);
        free_outcome(&one);
    }
    net_free(n);
    n = make(text, k, pools[2], kind);
    for (int64_t tapes = 1; tapes <= kept.segments; tapes += kept.segments - 1) {
        p = kept, p.tapes = tapes, p.states = 2;
        learn(n, &p, &one);
        check_equal(text, &p, &all, &one);
        free_outcome(&one);
    }
    net_free(n), free_outcome(&all);
}
static void test_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof symbol_nets / sizeof *symbol_nets; i++) {
        check_net(symbol_nets[i], real64, WEIGHTS_FLOAT, LOSS_SOFTMAX);
        check_net(symbol_nets[i], real32, WEIGHTS_FLOAT, LOSS_SOFTMAX);
        check_net(symbol_nets[i], real32, WEIGHTS_BF16, LOSS_SOFTMAX);
    }
    for (size_t i = 0; i < sizeof number_nets / sizeof *number_nets; i++)
        for (int k = 0; k < 3; k++)
            check_net(number_nets[i], real32, WEIGHTS_FLOAT,
                      (const loss_kind[]){ LOSS_SOFTMAX, LOSS_SQUARED, LOSS_BERNOULLI }[k]);
}
/* In segments and whole: the same sums in another order. */
static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof symbol_nets / sizeof *symbol_nets; i++)
        for (int64_t segment = 1; segment < STEPS; segment += segment < 4 ? 1 : 20) {
            const window_plan whole = plan(STEPS, 1, 0), parts = plan(segment, 1, ceil_div(STEPS, segment));
            net *n = make(symbol_nets[i], real64, pools[1], WEIGHTS_FLOAT);
            outcome a, b;
            learn(n, &whole, &a), learn(n, &parts, &b);
            double most = 0;
            for (int64_t k = 0; k < n->params; k++) most = fmax(most, fabs(((double *)a.g)[k]));
            assert_true(most > 1e-3);
            for (int64_t k = 0; k < n->params; k++)
                if (!(fabs(((double *)a.g)[k] - ((double *)b.g)[k]) < 1e-12 * fmax(1, most)))
                    fail_msg("%s in segments of %d: gradient %d is %.17g, not %.17g", symbol_nets[i], (int)segment,
                             (int)k, ((double *)b.g)[k], ((double *)a.g)[k]);
            for (int k = 0; k < WINDOWS; k++) assert_true(fabs(a.loss[k] - b.loss[k]) < 1e-10 * a.loss[k]);
            for (int k = 0; k < WINDOWS * STEPS * BATCH; k++) assert_true(fabs(a.log_prob[k] - b.log_prob[k]) < 1e-12);
            net_free(n), free_outcome(&a), free_outcome(&b);
        }
}

/* ---- plans ---- */
static void check_bytes(net *n, const window_plan *p)
{
    laco_error err = { 0 };
    taken = 0, counts = true;
    if (net_reserve_window(n, p, &err)) fail_msg("%s", err.msg);
    counts = false;
    size_t got = taken - (size_t)(n->params * n->k->real_size),
           empty = 2 * MAX_LAYERS; /* a block of nothing is a byte */
    if (got < p->bytes || got > p->bytes + empty)
        fail_msg("%d tapes, %d states: %zu bytes taken, %zu planned", (int)p->tapes, (int)p->states, got, p->bytes);
}
static void test_planned_bytes(void **state)
{
    static const char *const texts[] = {
        "embed 20; dropout 0.1; lstm 30 x2 peephole; dense 20 tanh; dense",
        "embed 20; window 3; gru-before 30 learned-state; lstm 30 residual norm; dense", "embed 8; elman 200; dense",
        "embed 8; lstm 20 project 7 bidirectional; dense"
    };
    const int64_t T = 3000, B = 12;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        window_plan all, p;
        laco_error err = { 0 };
        net *n = make(texts[i], real32, pools[2], WEIGHTS_FLOAT);
        assert_int_equal(net_plan_window(n, LOSS_SOFTMAX, T, B, 0, &all, &err), LACO_OK);
        size_t least = 0;
        check_bytes(n, &all);
        net_free(n);
        for (size_t memory = all.bytes;; memory -= memory / 5) {
            n = make(texts[i], real32, pools[2], WEIGHTS_FLOAT);
            assert_int_equal(net_plan_window(n, LOSS_SOFTMAX, T, B, memory, &p, &err), LACO_OK);
            if (p.bytes > memory) break;
            check_bytes(n, &p);
            assert_true(p.bytes <= memory && p.segment == all.segment && p.segments == all.segments);
            net_free(n), least = p.bytes;
        }
        if (net_steps(n)) assert_true(least * 8 < all.bytes);
        net_free(n);
    }
}
/* Fewest segments made forward, of n behind a kept state, with room for c more: by trying every place for the next. */
enum { MOST = 64 };
static int64_t fewest(int64_t n, int64_t c, int64_t known[MOST][MOST])
{
    if (n <= 1 || !c) return n * (n + 1) / 2;
    if (known[n][c]) return known[n][c];
    int64_t best = INT64_MAX;
    for (int64_t j = 1; j < n; j++) best = min64(best, j + fewest(n - j, c - 1, known) + fewest(j, c, known));
    return known[n][c] = best;
}
static void test_schedule(void **state)
{
    static int64_t known[MOST][MOST];
    laco_error err = { 0 };
    net *n = make("embed 8; elman 300; dense", real32, pools[1], WEIGHTS_FLOAT);
    bool seen[MOST] = { false };
    (void)state;
    for (size_t memory = 1; memory < (size_t)8 << 20; memory += 4096) {
        window_plan p;
        assert_int_equal(net_plan_window(n, LOSS_SOFTMAX, 3000, 12, memory, &p, &err), LACO_OK);
        if (p.bytes > memory) continue;
        assert_true(p.segments < MOST && p.states < MOST);
        int64_t forward = llround(p.forward * (double)p.segments);
        if (p.tapes == 1) seen[p.states] = true, assert_int_equal(forward, fewest(p.segments, p.states, known));
        if (p.tapes > 1) assert_int_equal(forward, 2 * p.segments - p.tapes);
    }
    for (int c = 0; c < 47; c++) assert_true(seen[c]);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_same_bits), cmocka_unit_test(test_whole),
                                        cmocka_unit_test(test_planned_bytes), cmocka_unit_test(test_schedule) };
    laco_set_allocator(counting_resize, NULL);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
