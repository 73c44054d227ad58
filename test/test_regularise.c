/* Regularisers inside layers and cells: what their masks look like, and gradients with fixed masks. */
#include "base/rng.h"
#include "check/gradient.h"
#include "kernel_kit.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define real32 real[REAL_FLOAT]
#define real64 real[REAL_DOUBLE]

/* ---- layers over a ragged batch ---- */
enum { STEPS = 9, ROWS = 50, WIDTH = 150, LD = 160 };
static int64_t active[STEPS], off[STEPS + 1];
static const ragged *batch(void)
{
    static ragged b;
    for (int64_t t = 0; t < STEPS; t++) active[t] = ROWS - t * t / 4, off[t + 1] = off[t] + active[t];
    b = (ragged){ STEPS, ROWS, off[STEPS], active, off };
    return &b;
}
/* Far from what n draws of probability p give. */
static bool unlikely(double hits, double n, double p) { return fabs(hits - n * p) > 5 * sqrt(n * p * (1 - p)); }

static float in[STEPS * ROWS * LD], out[STEPS * ROWS * LD], again[STEPS * ROWS * LD], back[STEPS * ROWS * LD];
static void drop(float *y, float *dx, bool variational, double rate, const pass *p, int threads)
{
    const layer_kind *kind = kernels_layer(real32, "dropout");
    layer_spec s = { .kind = "dropout", .in = WIDTH, .rate = rate, .variational = variational, .index = 3 };
    param_tensor t[1];
    layer *l = NULL;
    int count;
    int64_t ld;
    if (kind->describe(&s, t, &count, NULL) || kind->make(&l, &s, pools[threads], NULL) ||
        kind->reserve(l, p->b.R, p->b.B, true, NULL))
        fail_msg("dropout cannot be made");
    kind->forward(l, p, in, LD, NULL, NULL);
    const float *from = kind->output(l, &ld);
    for (int64_t r = 0; r < p->b.R; r++) memcpy(y + r * LD, from + r * ld, WIDTH * sizeof *y);
    if (dx) kind->backward(l, p, in, LD, NULL, NULL, dx, LD);
    kind->free(l);
}
static bool same(const float *a, const float *b)
{
    bool equal = true;
    for (int64_t r = 0; r < off[STEPS]; r++) equal &= !memcmp(a + r * LD, b + r * LD, WIDTH * sizeof *a);
    return equal;
}
/* One mask for all steps, another for each row, unit, update and seed. */
static void test_variational_layer(void **state)
{
    pass p = { .b = *batch(), .train = true, .update = 5, .seed = 11 };
    double dropped = 0, alike = 0;
    (void)state;
    for (int i = 0; i < STEPS * ROWS * LD; i++) in[i] = 1;
    drop(out, back, true, 0.3, &p, 1), drop(again, NULL, true, 0.3, &p, 3);
    assert_true(same(out, again) && same(out, back));
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t b = 0; b < active[t]; b++)
            assert_memory_equal(out + (off[t] + b) * LD, out + b * LD, WIDTH * sizeof *out);
    for (int64_t b = 0; b < ROWS; b++)
        for (int64_t j = 0; j < WIDTH; j++) {
            float x = out[b * LD + j];
            assert_true(x == 0 || fabs((double)x - 1 / 0.7) < 1e-4);
            dropped += x == 0, alike += x == 0 && out[(b + 1) % ROWS * LD + j] == 0;
        }
    assert_false(unlikely(dropped, ROWS * WIDTH, 0.3) || unlikely(alike, ROWS * WIDTH, 0.09));
    drop(again, NULL, false, 0.3, &p, 1); /* without the word every step has a mask of its own */
    alike = 0;
    for (int64_t b = 0; b < active[1]; b++)
        for (int64_t j = 0; j < WIDTH; j++) alike += again[b * LD + j] == 0 && again[(off[1] + b) * LD + j] == 0;
    assert_false(unlikely(alike, (double)active[1] * WIDTH, 0.09));
    p.update = 6, drop(again, NULL, true, 0.3, &p, 1);
    assert_false(same(out, again));
    p.update = 5, p.seed = 12, drop(again, NULL, true, 0.3, &p, 1);
    assert_false(same(out, again));
    p.train = false, drop(again, back, true, 0.3, &p, 1);
    assert_true(same(in, again) && same(in, back));
}
/* A window walked in two parts has the masks of the whole one. */
static void test_parts(void **state)
{
    const pass whole = { .b = *batch(), .train = true, .update = 5, .seed = 11 };
    const int64_t first = 4, rows = off[first];
    int64_t part_off[STEPS + 1];
    (void)state;
    for (int64_t t = first; t <= STEPS; t++) part_off[t - first] = off[t] - rows;
    const pass part = { .b = { STEPS - first, active[first], off[STEPS] - rows, active + first, part_off },
                        .train = true,
                        .update = 5,
                        .seed = 11,
                        .first_row = rows,
                        .first_step = first };
    for (int variational = 0; variational < 2; variational++) {
        drop(out, NULL, variational, 0.3, &whole, 1), drop(again, NULL, variational, 0.3, &part, 1);
        for (int64_t r = 0; r < part.b.R; r++)
            assert_memory_equal(out + (rows + r) * LD, again + r * LD, WIDTH * sizeof *out);
    }
}

/* A symbol is dropped wherever it stands, its gradient with it. */
enum { SYMBOLS = 700, SIZE = 70 };
static void test_embed_dropout(void **state)
{
    const layer_kind *kind = kernels_layer(real32, "embed");
    layer_spec s = { .kind = "embed", .in = SYMBOLS, .out = SIZE, .symbols = true, .rate = 0.2, .index = 0 };
    const pass p = { .b = *batch(), .train = true, .update = 5, .seed = 11 };
    static float table[SYMBOLS * SIZE], g[SYMBOLS * SIZE];
    static int32_t ids[STEPS * ROWS];
    double dropped = 0, seen = 0;
    param_tensor t[1];
    layer *l = NULL;
    int count;
    int64_t ld;
    (void)state;
    for (int i = 0; i < SYMBOLS * SIZE; i++) table[i] = 1 + (float)(i % 5), g[i] = 0;
    for (int i = 0; i < STEPS * ROWS; i++) ids[i] = i * 7 % SYMBOLS, in[i * LD] = 1;
    for (int i = 0; i < STEPS * ROWS * LD; i++) in[i] = 1;
    if (kind->describe(&s, t, &count, NULL) || kind->make(&l, &s, pools[2], NULL) ||
        kind->reserve(l, p.b.R, p.b.B, true, NULL))
        fail_msg("embed cannot be made");
    kind->load(l, table, true);
    kind->forward(l, &p, ids, 0, NULL, NULL);
    const float *y = kind->output(l, &ld);
    kind->backward(l, &p, in, LD, NULL, g, NULL, 0);
    for (int64_t r = 0; r < p.b.R; r++)
        for (int64_t j = 0; j < SIZE; j++) {
            float x = y[r * ld + j], want = table[ids[r] * SIZE + j];
            assert_true(x == 0 ? g[ids[r] * SIZE + j] == 0 : fabs((double)x - (double)want / 0.8) < 1e-3);
            if (x != 0) assert_true(fabs(remainder((double)g[ids[r] * SIZE + j], 1.25)) < 1e-3);
        }
    for (int32_t i = 0; i < SYMBOLS; i++)
        for (int64_t r = 0; r < p.b.R; r++)
            if (ids[r] == i) {
                seen++, dropped += y[r * ld] == 0;
                for (int64_t q = r; q < p.b.R; q++)
                    if (ids[q] == i) assert_memory_equal(y + q * ld, y + r * ld, SIZE * sizeof *y);
                break;
            }
    assert_false(unlikely(dropped, seen, 0.2));
    const pass measured = { .b = *batch(), .update = 5, .seed = 11 };
    kind->forward(l, &measured, ids, 0, NULL, NULL);
    y = kind->output(l, &ld);
    for (int64_t r = 0; r < p.b.R; r++) assert_memory_equal(y + r * ld, table + ids[r] * SIZE, SIZE * sizeof *y);
    kind->free(l);
}

/* ---- cells ---- every cell and every word of it, with every regulariser */
static int failures;
static void failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void failed(const char *format, ...)
{
    va_list a;
    char text[500];
    va_start(a, format);
    vsnprintf(text, sizeof text, format, a);
    va_end(a);
    if (failures++ < 40) print_message("%s\n", text);
}
static void judge(void)
{
    int n = failures;
    failures = 0;
    if (n) fail_msg("%d differences", n);
}
enum { MAX_TEXT = 200 };
static const char *const regularisers[] = {
    "variational 0.4",  "recurrent-dropout 0.4",
    "zoneout 0.4",      "activation-reg 0.5",
    "temporal-reg 0.5", "variational 0.3 recurrent-dropout 0.3 zoneout 0.4 activation-reg 0.2 temporal-reg 0.7",
};
static const char *const modifiers[] = { "", "bidirectional", "learned-state", "clip 0.4", "reverse", "residual" };
static const char *const projections[] = { "project 3", "project 3 bidirectional" };
enum {
    REGULARISERS = sizeof regularisers / sizeof *regularisers,
    MODIFIERS = sizeof modifiers / sizeof *modifiers,
    PROJECTIONS = 2
};
/* Calls f for the words behind the size, "peephole zoneout 0.4 reverse". */
typedef void each_fn(const char *cell, const char *words);
static void with_modifier(each_fn *f, const char *cell, const char *word, const char *regulariser, const char *modifier)
{
    char words[MAX_TEXT];
    snprintf(words, sizeof words, "%s %s %s", word, regulariser, modifier);
    f(cell, words);
}
static void each_config(each_fn *f)
{
    int turn = 0;
    for (int i = 0; real64->recur->cell(i); i++) {
        const cell_info *c = real64->recur->cell(i);
        for (int r = 0; r < REGULARISERS; r++) {
            for (int m = 0; m < MODIFIERS; m++) with_modifier(f, c->name, "", regularisers[r], modifiers[m]);
            for (int m = 0; c->projects && m < PROJECTIONS; m++)
                with_modifier(f, c->name, "", regularisers[r], projections[m]);
            for (const cell_word *w = c->words; w && w->word; w++)
                with_modifier(f, c->name, w->word, regularisers[r], modifiers[turn++ % MODIFIERS]);
        }
    }
    f("lstm", "zoneout 0.2 0.6"), f("lstm", "zoneout 0.5 0 project 3");
    f("lstm", "peephole-full gate-recurrence zoneout 0.3 0.5 variational 0.5");
    f("lstm", "peephole-full norm project 3 zoneout 0.3 variational 0.5 recurrent-dropout 0.5 bidirectional");
}
typedef struct shape {
    int64_t inputs, hidden, T, B;
    const int64_t *lengths;
} shape;
static const int64_t few_lengths[] = { 3, 0, 1, 4 },
                     many_lengths[] = { 0, 6, 1, 3, 3, 5, 2, 6, 1, 4, 0, 2, 6, 5, 4, 1, 2, 3, 6 };
static const shape few = { 3, 5, 4, 4, few_lengths },
                   many = { 21, 37, 6, sizeof many_lengths / sizeof *many_lengths, many_lengths };
static void make(stack *s, const char *cell, const char *words, int layers, const kernels *k, pool *p, shape sh)
{
    char text[2 * MAX_TEXT];
    net_description d;
    laco_error err;
    snprintf(text, sizeof text, "%s %lld %s", cell, (long long)sh.hidden, words);
    if (strstr(words, "residual")) sh.inputs = sh.hidden;
    if (describe_parse(&d, text, sh.inputs, 0, k, &err)) fail_msg("%s: %s", text, err.msg);
    d.layer[1] = d.layer[0], d.layer[1].index = 1;
    if (stack_describe(s, k, d.layer, layers, sh.inputs, &err) || stack_make(s, p, sh.T, sh.B, sh.lengths, &err))
        fail_msg("%s: %s", text, err.msg);
    s->no_initial = d.layer[0].learned_state;
    gradient_fill(s, 7);
}
static void check_gradient(const char *cell, const char *words, int layers, bool train)
{
    gradient_worst worst;
    stack s;
    make(&s, cell, words, layers, real64, pools[1], few);
    s.pass.train = train;
    gradient_check(&s, &worst);
    if (!(worst.error <= 1))
        failed("%s %s, %d layers: gradient of %s[%lld] is %.17g, by differences %.17g", cell, words, layers, worst.name,
               (long long)worst.index, worst.made, worst.difference);
    stack_free(&s);
}
static void check_one(const char *cell, const char *words) { check_gradient(cell, words, 1, true); }
static void test_gradients(void **state)
{
    (void)state;
    each_config(check_one);
    judge();
}
static void test_stacked_gradients(void **state)
{
    (void)state;
    for (int i = 0; real64->recur->cell(i); i++)
        for (int r = 0; r < REGULARISERS; r++) check_gradient(real64->recur->cell(i)->name, regularisers[r], 2, true);
    judge();
}
/* Outside training a state is the expectation of zoneout, and has a gradient too. */
static void test_expected_gradients(void **state)
{
    (void)state;
    for (int i = 0; real64->recur->cell(i); i++) check_gradient(real64->recur->cell(i)->name, "zoneout 0.4", 1, false);
    judge();
}

enum { RESULTS = 4 };
static const double *result(const stack *s, int i, int64_t *n)
{
    const stack_layer *q = &s->layer[0];
    const double *of[RESULTS] = { s->y, s->dx, q->ds0, q->g };
    int64_t size[RESULTS] = { s->T * s->B * s->out, s->T * s->B * s->in, q->stride * s->B, q->params };
    *n = size[i];
    return of[i];
}
static void check_threads(const char *cell, const char *words)
{
    stack s[4];
    for (int i = 1; i <= 3; i++) {
        make(&s[i], cell, words, 1, real32, pools[i], many);
        stack_forward(&s[i]), stack_backward(&s[i]);
        for (int k = 0; i > 1 && k < RESULTS; k++) {
            int64_t n;
            const double *a = result(&s[i], k, &n), *b = result(&s[1], k, &n);
            if (memcmp(a, b, (size_t)n * sizeof *a))
                failed("%s %s: result %d differs with %d threads", cell, words, k, i);
        }
    }
    for (int i = 1; i <= 3; i++) stack_free(&s[i]);
}
static void test_threads(void **state)
{
    (void)state;
    each_config(check_threads);
    judge();
}
/* float and double draw the same masks. */
static void check_float(const char *cell, const char *words)
{
    stack a, b;
    int64_t n;
    make(&a, cell, words, 1, real32, pools[1], many), make(&b, cell, words, 1, real64, pools[1], many);
    stack_forward(&a);
    memset(b.layer[0].s0, 0, (size_t)(b.layer[0].stride * b.B) * sizeof(double));
    memset(a.layer[0].s0, 0, (size_t)(a.layer[0].stride * a.B) * sizeof(double));
    stack_forward(&a), stack_forward(&b);
    const double *x = result(&a, 0, &n), *y = result(&b, 0, &n);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(x[i] - y[i]) <= 1e-3 * fmax(1, fabs(y[i])))) {
            failed("%s %s: output %lld is %g in float, %g in double", cell, words, (long long)i, x[i], y[i]);
            break;
        }
    stack_free(&a), stack_free(&b);
}
static void test_float(void **state)
{
    (void)state;
    each_config(check_float);
    judge();
}

/* ---- masks of cells, seen through cells whose weights let them through ---- */
enum { UNITS = 200, SEEN_ROWS = 30, SEEN_STEPS = 6 };
static void make_visible(stack *s, const char *words, double weight, double recurrent, double bias)
{
    make(s, "elman", words, 1, real64, pools[1], (shape){ 1, UNITS, SEEN_STEPS, SEEN_ROWS, NULL });
    double *w = s->layer[0].w;
    for (int64_t i = 0; i < s->layer[0].params; i++) w[i] = 0;
    for (int64_t i = 0; i < UNITS; i++)
        w[i] = weight, w[UNITS + i * UNITS + i] = recurrent, w[UNITS + UNITS * UNITS + i] = bias;
    for (int64_t i = 0; i < SEEN_STEPS * SEEN_ROWS; i++) s->x[i] = (double)(i / SEEN_ROWS + 1);
    for (int64_t b = 0; b < SEEN_ROWS; b++)
        for (int64_t i = 0; i < UNITS; i++) s->layer[0].s0[stack_state(s, 0, 0, b, i)] = 1;
    stack_forward(s);
}
static double seen(const stack *s, int64_t t, int64_t b, int64_t i) { return s->y[(t * SEEN_ROWS + b) * UNITS + i]; }
static void test_visible_masks(void **state)
{
    const double all = (double)SEEN_ROWS * UNITS;
    stack s;
    (void)state;
    make_visible(&s, "linear recurrent-dropout 0.25", 0, 0, 1); /* h' = m */
    double dropped = 0, twice = 0;
    for (int64_t t = 0; t < SEEN_STEPS; t++)
        for (int64_t b = 0; b < SEEN_ROWS; b++)
            for (int64_t i = 0; i < UNITS; i++) {
                assert_true(seen(&s, t, b, i) == 0 || fabs(seen(&s, t, b, i) - 1 / 0.75) < 1e-9);
                dropped += seen(&s, t, b, i) == 0;
                if (t) twice += seen(&s, t, b, i) == 0 && seen(&s, t - 1, b, i) == 0;
            }
    assert_false(unlikely(dropped, all * SEEN_STEPS, 0.25) || unlikely(twice, all * (SEEN_STEPS - 1), 0.0625));
    stack_free(&s);
    make_visible(&s, "linear variational 0.25", 0, 0.75, 0); /* h' = 0.75 m h */
    dropped = 0;
    for (int64_t b = 0; b < SEEN_ROWS; b++)
        for (int64_t i = 0; i < UNITS; i++) {
            double first = seen(&s, 0, b, i);
            assert_true(first == 0 || fabs(first - 1) < 1e-9);
            for (int64_t t = 1; t < SEEN_STEPS; t++) assert_true(fabs(seen(&s, t, b, i) - first) < 1e-9);
            dropped += first == 0;
        }
    assert_false(unlikely(dropped, all, 0.25));
    stack_free(&s);
    make_visible(&s, "linear zoneout 0.25", 1, 0, 0); /* h' = h where z, else the number of the step */
    double held = 0, both = 0;
    for (int64_t t = 1; t < SEEN_STEPS; t++)
        for (int64_t b = 0; b < SEEN_ROWS; b++)
            for (int64_t i = 0; i < UNITS; i++) {
                bool old = seen(&s, t, b, i) == seen(&s, t - 1, b, i);
                assert_true(old || seen(&s, t, b, i) == (double)(t + 1));
                held += old;
                if (t > 1) both += old && seen(&s, t - 1, b, i) == seen(&s, t - 2, b, i);
            }
    assert_false(unlikely(held, all * (SEEN_STEPS - 1), 0.25) || unlikely(both, all * (SEEN_STEPS - 2), 0.0625));
    s.pass.train = false;
    stack_forward(&s);
    for (int64_t i = 0; i < UNITS; i++) {
        double h = 1;
        for (int64_t t = 0; t < SEEN_STEPS; t++) {
            h = 0.25 * h + 0.75 * (double)(t + 1);
            assert_true(fabs(seen(&s, t, 3, i) - h) < 1e-9);
        }
    }
    stack_free(&s);
}

/* ---- streaming ---- */
static void test_steps(void **state)
{
    static const char *const texts[] = {
        "lstm 37 zoneout 0.1 0.3",
        "gru 21 zoneout 0.4; mgu 9 zoneout 0.2; dense 3",
        "gru-before 17 zoneout 0.3; indrnn 20 zoneout 0.6; elman 5 zoneout 0.2; jordan 6 zoneout 0.4 project 4",
        "lstm 19 norm project 7 zoneout 0.2 0.5; lstm 20 peephole-full zoneout 0.3 variational 0.5",
        "dropout 0.5 variational; lstm 12 recurrent-dropout 0.4 variational 0.5 activation-reg 2 weight-drop 0.3",
    };
    enum { LONG = 12, INPUTS = 6, WIDE = 64 };
    static const int64_t ones[LONG] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    int64_t offs[LONG + 1];
    double x[LONG * 16] = { 0 }, y[WIDE];
    (void)state;
    for (int64_t t = 0; t <= LONG; t++) offs[t] = t;
    for (int64_t i = 0; i < LONG * 16; i++) x[i] = i % 16 < INPUTS ? rng_normal(1, RNG_TEST, (uint64_t)i) : 0;
    const pass p = { .b = { LONG, 1, LONG, ones, offs } };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        laco_error err;
        net *n = net_of(texts[i], INPUTS, 0, real64, pools[1]);
        int64_t ld;
        if (net_init(n, "default", 1, 3, &err) || net_reserve(n, LONG, 1, false, &err) ||
            net_load(n, false, true, &err))
            fail_msg("%s: %s", texts[i], err.msg);
        net_forward(n, &p, x, 16, n->d.layers);
        const double *whole = net_output(n, n->d.layers, &ld);
        net_state *st = mem_new(net_state_bytes(n, 1), 1);
        net_state_init(n, st, 1);
        for (int64_t t = 0; t < LONG; t++) {
            net_step(n, st, 1, 1, x + t * 16, y);
            for (int64_t j = 0; j < n->outputs; j++)
                if (!(fabs(y[j] - whole[t * ld + j]) < 1e-12))
                    fail_msg("%s: step %d: %.17g, not %.17g", texts[i], (int)t, y[j], whole[t * ld + j]);
        }
        mem_free(st), net_free(n);
    }
}
/* A state belongs to networks that mix as this one does. */
static void test_fingerprint(void **state)
{
    static const char *const texts[] = { "lstm 8", "lstm 8 zoneout 0.1", "lstm 8 zoneout 0.2",
                                         "lstm 8 zoneout 0.1 0.2" };
    uint64_t seen_before[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        net *n = net_of(texts[i], 3, 0, real32, pools[1]);
        seen_before[i] = n->fingerprint;
        for (int k = 0; k < i; k++) assert_true(seen_before[k] != n->fingerprint);
        net_free(n);
    }
}

/* ---- a window walked in parts ---- the second part, then the first again: gradients of inputs are the same bits */
typedef struct part_run {
    layer *l;
    const layer_kind *kind;
    float *w, *g, *x, *dy, *dx, *s0, *s1, *carry;
    int64_t ld, params, stride;
} part_run;
static void run_part(part_run *r, pass p, const void *initial, void *final, bool returns)
{
    float *x = r->x + p.first_row * r->ld;
    r->kind->forward(r->l, &p, x, r->ld, initial, final);
    if (returns)
        r->kind->backward(r->l, &p, r->dy + p.first_row * r->ld, r->ld, r->carry, r->g, r->dx + p.first_row * r->ld,
                          r->ld);
}
static void check_parts(const char *cell, const char *words)
{
    const ragged all = *batch();
    const int64_t first = 4, rows = off[first];
    int64_t behind_off[STEPS + 1];
    net_description d;
    char text[2 * MAX_TEXT];
    param_tensor t[2 * MAX_TENSORS];
    int count;
    if (strstr(words, "reverse") || strstr(words, "bidirectional") || strstr(words, "learned-state")) return;
    for (int64_t i = first; i <= STEPS; i++) behind_off[i - first] = off[i] - rows;
    snprintf(text, sizeof text, "%s 20 %s", cell, words);
    if (describe_parse(&d, text, 20, 0, real32, NULL)) fail_msg("%s", text);
    part_run r = { .kind = kernels_layer(real32, "recurrent"), .ld = 32 };
    if (r.kind->describe(&d.layer[0], t, &count, NULL) || r.kind->make(&r.l, &d.layer[0], pools[1], NULL) ||
        r.kind->reserve(r.l, all.R, all.B, true, NULL))
        fail_msg("%s", text);
    r.stride = r.kind->state_stride(r.l), r.params = t[count - 1].offset + t[count - 1].size;
    float **of[] = { &r.w, &r.g, &r.x, &r.dy, &r.dx, &r.s0, &r.s1, &r.carry };
    int64_t n[] = { r.params,   r.params,         all.R * 32,       all.R * 32,
                    all.R * 32, all.B * r.stride, all.B * r.stride, all.B * r.stride };
    for (int i = 0; i < 8; i++) {
        *of[i] = mem_new((size_t)n[i] + 64, sizeof(float));
        for (int64_t k = 0; i != 1 && i < 4 && k < n[i]; k++)
            (*of[i])[k] = 0.4f * (float)rng_normal(5 + (uint64_t)i, RNG_TEST, (uint64_t)k);
    }
    const pass whole = { .b = all, .train = true, .update = 2, .seed = 5, .steps = STEPS, .token_scale = 0.5 };
    pass one = whole, two = whole;
    one.b = (ragged){ first, all.B, rows, active, off };
    two.b = (ragged){ STEPS - first, all.B, all.R - rows, active + first, behind_off };
    two.first_row = rows, two.first_step = first;
    r.kind->load(r.l, r.w, true);
    run_part(&r, whole, NULL, r.s0, true);
    float *dx = mem_new((size_t)(all.R * 32), sizeof *dx), *g = mem_new((size_t)r.params, sizeof *g);
    memcpy(dx, r.dx, (size_t)(all.R * 32) * sizeof *dx), memcpy(g, r.g, (size_t)r.params * sizeof *g);
    memset(r.g, 0, (size_t)r.params * sizeof *g), memset(r.carry, 0, (size_t)(all.B * r.stride) * sizeof(float));
    run_part(&r, one, NULL, r.s1, false), run_part(&r, two, r.s1, r.s0, true);
    run_part(&r, one, NULL, r.s0, true);
    for (int64_t i = 0; i < all.R; i++)
        if (memcmp(dx + i * 32, r.dx + i * 32, 20 * sizeof *dx)) {
            failed("%s: d input of row %d differs in parts", text, (int)i);
            break;
        }
    for (int64_t i = 0; i < r.params; i++)
        if (!(fabsf(g[i] - r.g[i]) < 1e-3f * fmaxf(1, fabsf(g[i])))) {
            failed("%s: d weight %d is %g in parts, not %g", text, (int)i, (double)r.g[i], (double)g[i]);
            break;
        }
    for (int i = 0; i < 8; i++) mem_free(*of[i]);
    mem_free(dx), mem_free(g), r.kind->free(r.l);
}
static void test_cells_in_parts(void **state)
{
    (void)state;
    each_config(check_parts);
    judge();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variational_layer), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_embed_dropout),     cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_stacked_gradients), cmocka_unit_test(test_expected_gradients),
        cmocka_unit_test(test_threads),           cmocka_unit_test(test_float),
        cmocka_unit_test(test_visible_masks),     cmocka_unit_test(test_steps),
        cmocka_unit_test(test_fingerprint),       cmocka_unit_test(test_cells_in_parts),
    };
    return cmocka_run_group_tests(tests, set_up_sharing, tear_down);
}
