#include "check/bench.h"
#include "check/bench_data.h"
#include "check/bench_esn.h"
#include "check/bench_fit.h"
#include "check/bench_memory.h"
#include "check/bench_row.h"
#include "check/bench_work.h"
#include "layer/reservoir.h"
#include <math.h>
#include <stdio.h>

enum { LANE_BYTES = 64, PEAK_CALL = 1 << 16 /* long enough for a worker to wake up */ };
#define PRODUCT_BAR 85   /* % of the peak of a core */
#define TRAIN_BAR 85     /* % of the peak of a core */
#define SCALING_BAR 0.95 /* of as many times one thread as there are threads */
#define CELL_BAR 1.25    /* time per multiply-add of a cell, that of the plain LSTM being 1 */
#define VARIANT_BAR 1.15 /* of a variant, or of ragged batches, that of the same cell without it being 1 */
#define NORM_BAR 1.3     /* of layer normalisation */
#define REGULARISER_BAR 1.25 /* of an update, that of the same network without it being 1 */
#define RIDGE_BAR 60  /* % of the peak of the threads, in double */
#define MEMORY_BAR 8     /* x 4 bytes x H x B x T */
#define RESERVOIR_BAR 60 /* % of what reading weights, indices and states allows */
#define AGAIN_BAR 1.4    /* time of a long window in a tenth of its memory, that of keeping all being 1 */

typedef struct bench {
    const bench_wish *wish;
    meter m;
    int threads;
    pool *pool[2]; /* of one thread; of `threads` */
    sheet t;
    buf text;
    json_out j;
    int tables, met, missed;
    double worst; /* the smallest margin: 1 is a bar just met */
    char worst_row[160];
} bench;

/* ---- the report ---- */
static laco_status hand_out(bench *b, laco_error *err)
{
    if (b->t.failed || b->text.failed) return fail_memory(err, b->text.len);
    if (b->wish->out && b->text.len) b->wish->out(b->wish->ctx, b->text.data, b->text.len);
    b->text.len = 0;
    return LACO_OK;
}
static laco_status end_table(bench *b, laco_error *err)
{
    b->tables++;
    if (b->wish->json) return sheet_json(&b->t, &b->j), LACO_OK;
    sheet_markdown(&b->t, &b->text);
    return hand_out(b, err);
}

/* One bar: a cell that says whether it is met. at_most: the smaller the better. */
__attribute__((format(printf, 5, 6))) static void judge(bench *b, double value, double bar, bool at_most,
                                                        const char *row, ...)
{
    double margin = at_most ? bar / value : value / bar;
    bool met = margin >= 1;
    sheet_text(&b->t, met ? "met" : "not met");
    b->met += met, b->missed += !met;
    if (b->met + b->missed > 1 && margin >= b->worst) return;
    va_list args;
    va_start(args, row);
    int n = vsnprintf(b->worst_row, sizeof b->worst_row, row, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof b->worst_row) n = (int)sizeof b->worst_row - 1;
    snprintf(b->worst_row + n, sizeof b->worst_row - (size_t)n, ": %.3g, the bar is %.3g", value, bar);
    b->worst = margin;
}

static void begin_report(bench *b)
{
    if (!b->wish->json) return;
    b->j.to = &b->text;
    json_begin(&b->j, '{');
    json_key(&b->j, "isa"), json_text(&b->j, b->m.k->isa);
    json_key(&b->j, "threads"), json_int(&b->j, b->threads);
    json_key(&b->j, "seconds"), json_number(&b->j, b->m.seconds);
}
static laco_status end_report(bench *b, laco_error *err)
{
    if (b->wish->json) {
        json_key(&b->j, "met"), json_int(&b->j, b->met);
        json_key(&b->j, "not_met"), json_int(&b->j, b->missed);
        json_key(&b->j, "worst");
        json_text(&b->j, b->worst_row);
        json_end(&b->j, '}');
        buf_text(&b->text, "\n");
    } else if (b->met + b->missed)
        buf_printf(&b->text, "%d of %d bars met. Worst row: %s (%s).\n", b->met, b->met + b->missed, b->worst_row,
                   b->worst >= 1 ? "met" : "not met");
    return hand_out(b, err);
}

static double spread(const probe *p) { return 50 * (p->quarter[1] - p->quarter[0]) / p->time; }

/* ---- peak ---- */
typedef struct peak_work {
    const measure_ops *ops;
    pool *pool;
    char *sink; /* [thread] */
} peak_work;
static void peak_task(void *ctx, int64_t i, int thread)
{
    peak_work *w = ctx;
    (void)i;
    w->ops->peak(PEAK_CALL, w->sink + thread * LANE_BYTES);
}
static void peak_run(void *state)
{
    peak_work *w = state;
    pool_run(w->pool, pool_threads(w->pool), peak_task, w);
}
static double peak_work_of(const peak_work *w) { return w->ops->peak(PEAK_CALL, w->sink) * pool_threads(w->pool); }

static const sheet_column peak_columns[] = {
    { "what", "", SHEET_TEXT }, { "gflops", "GFLOP/s", 1 }, { "peaks", "of a core's peak", 3 },
    { "gbytes", "GB/s", 1 },    { NULL, NULL, 0 },
};
static void peak_row(bench *b, const char *what, const probe *p, double bytes)
{
    sheet_text(&b->t, what);
    sheet_number(&b->t, p->work / p->time * 1e-9), sheet_number(&b->t, p->share);
    sheet_number(&b->t, bytes ? bytes / p->time * 1e-9 : NAN);
}
static laco_status peak_multiply(bench *b, laco_error *err)
{
    peak_work w[2] = { { b->m.k->measure, b->pool[0], b->m.sink }, { b->m.k->measure, b->pool[1], b->m.sink } };
    probe p[2] = { { peak_run, &w[0], .work = peak_work_of(&w[0]) }, { peak_run, &w[1], .work = peak_work_of(&w[1]) } };
    int n = b->threads > 1 ? 2 : 1;
    laco_status st = probes_measure(&b->m, p, n, err);
    for (int i = 0; !st && i < n; i++) {
        char what[40];
        snprintf(what, sizeof what, i ? "multiply-add, %d threads" : "multiply-add, %d thread", i ? b->threads : 1);
        peak_row(b, what, &p[i], 0);
    }
    return st;
}
/* One row times weights that lie in one level of the memory: how fast they can be read. */
static laco_status peak_read(bench *b, laco_error *err)
{
    static const struct {
        const char *what;
        int64_t n, K;
    } size[] = {
        { "one row x 16 KiB of weights", 32, 128 },
        { "one row x 512 KiB", 256, 512 },
        { "one row x 8 MiB", 2048, 1024 },
        { "one row x 256 MiB", 8192, 8192 },
    };
    laco_status st = LACO_OK;
    for (size_t i = 0; !st && i < sizeof size / sizeof *size; i++) {
        product *w = NULL;
        if ((st = product_new(&w, b->m.k->measure, false, 1, size[i].n, size[i].K, err))) return st;
        probe p = { .run = product_run, .state = w, .work = product_work(w) };
        if (!(st = probes_measure(&b->m, &p, 1, err))) peak_row(b, size[i].what, &p, 2 * p.work);
        product_free(w);
    }
    return st;
}
static laco_status section_peak(bench *b, laco_error *err)
{
    sheet_start(&b->t, "peak", "The processor", peak_columns);
    laco_status st = peak_multiply(b, err);
    if (!st) st = peak_read(b, err);
    return st ? st : end_table(b, err);
}

/* ---- matrix products: the three that training consists of, at the sizes of an LSTM layer with I = H ---- */
enum { PRODUCTS = 3 };
static const char *const product_names[PRODUCTS] = { "inputs x weights", "gradients x weights",
                                                     "gradients^T x inputs" };
static const sheet_column gemm_columns[] = {
    { "hidden", "H", 0 },
    { "rows", "M", 0 },
    { "inputs_gflops", "inputs x weights, GFLOP/s", 0 },
    { "inputs_percent", "% of peak", 1 },
    { "inputs_bar", "bar 85 %", SHEET_TEXT },
    { "gradients_gflops", "gradients x weights, GFLOP/s", 0 },
    { "gradients_percent", "% of peak", 1 },
    { "gradients_bar", "bar 85 %", SHEET_TEXT },
    { "weights_gflops", "gradients^T x inputs, GFLOP/s", 0 },
    { "weights_percent", "% of peak", 1 },
    { "weights_bar", "bar 85 %", SHEET_TEXT },
    { NULL, NULL, 0 },
};
static laco_status gemm_row(bench *b, int64_t H, int64_t M, laco_error *err)
{
    const int64_t size[PRODUCTS][3] = { { M, 4 * H, H }, { M, H, 4 * H }, { 4 * H, H, M } };
    product *w[PRODUCTS] = { NULL };
    probe p[PRODUCTS] = { { 0 } };
    laco_status st = LACO_OK;
    for (int i = 0; !st && i < PRODUCTS; i++) {
        st = product_new(&w[i], b->m.k->measure, i == 2, size[i][0], size[i][1], size[i][2], err);
        if (!st) p[i] = (probe){ .run = product_run, .state = w[i], .work = product_work(w[i]) };
    }
    if (!st) st = probes_measure(&b->m, p, PRODUCTS, err);
    if (!st) sheet_number(&b->t, (double)H), sheet_number(&b->t, (double)M);
    for (int i = 0; i < PRODUCTS; i++) {
        product_free(w[i]);
        if (st) continue;
        sheet_number(&b->t, p[i].work / p[i].time * 1e-9), sheet_number(&b->t, 100 * p[i].share);
        judge(b, 100 * p[i].share, PRODUCT_BAR, false, "%s, H = %lld, M = %lld, %% of peak", product_names[i],
              (long long)H, (long long)M);
    }
    return st;
}
static laco_status section_gemm(bench *b, laco_error *err)
{
    static const int64_t hidden[] = { 128, 256, 512, 1024 }, rows[] = { 16, 32, 64, 512, 2240 };
    laco_status st = LACO_OK;
    sheet_start(&b->t, "gemm", "Matrix products on one core: N = 4H, K = H", gemm_columns);
    for (size_t h = 0; h < sizeof hidden / sizeof *hidden; h++)
        for (size_t m = 0; !st && m < sizeof rows / sizeof *rows; m++) st = gemm_row(b, hidden[h], rows[m], err);
    return st ? st : end_table(b, err);
}

/* ---- training ---- */
typedef struct train_size {
    int64_t I, H, B, T;
} train_size;
static const sheet_column train_columns[] = {
    { "cell", "cell", SHEET_TEXT },
    { "size", "I,H,B,T", SHEET_TEXT },
    { "ms", "ms", 2 },
    { "spread_percent", "+- %", 1 },
    { "gflops", "GFLOP/s", 0 },
    { "percent", "% of peak", 1 },
    { "bar", "bar 85 %", SHEET_TEXT },
    { "threads", "threads", 0 },
    { "threads_gflops", "GFLOP/s", 0 },
    { "scaling", "x one", 2 },
    { "cores", "cores free", 2 },
    { "scaling_bar", "bar 0.95 x threads", SHEET_TEXT },
    { NULL, NULL, 0 },
};
/* A single row is bound by its steps, not by products: it has no bar. */
static void train_bar(bench *b, const train_size *s, double value, double bar, const char *row, const char *cell,
                      const char *size)
{
    if (s->B == 1)
        sheet_text(&b->t, "-");
    else
        judge(b, value, bar, false, row, cell, size);
}
enum { ONE, MANY, CORES, TRAIN_PROBES }; /* on one thread; on all; multiply-adds on all: the cores that others leave */
static void train_row(bench *b, const char *cell, const train_size *s, const probe p[TRAIN_PROBES])
{
    char size[48];
    snprintf(size, sizeof size, "%lld,%lld,%lld,%lld", (long long)s->I, (long long)s->H, (long long)s->B,
             (long long)s->T);
    sheet_text(&b->t, cell), sheet_text(&b->t, size);
    sheet_number(&b->t, p->time * 1e3), sheet_number(&b->t, spread(p));
    sheet_number(&b->t, p->work / p->time * 1e-9), sheet_number(&b->t, 100 * p->share);
    train_bar(b, s, 100 * p->share, TRAIN_BAR, "train %s %s, %% of peak", cell, size);
    if (b->threads == 1) {
        for (int i = 0; i < 4; i++) sheet_number(&b->t, NAN);
        sheet_text(&b->t, "-");
        return;
    }
    double times = p[ONE].time / p[MANY].time, cores = p[CORES].share < b->threads ? p[CORES].share : b->threads;
    sheet_number(&b->t, b->threads), sheet_number(&b->t, p[MANY].work / p[MANY].time * 1e-9),
        sheet_number(&b->t, times);
    sheet_number(&b->t, cores);
    train_bar(b, s, times / b->threads, SCALING_BAR, "train %s %s, threads against one, per thread", cell, size);
}
static laco_status train_cell(bench *b, const char *cell, const train_size *s, laco_error *err)
{
    cell_spec spec = { .cell = cell, .inputs = s->I, .hidden = s->H, .biases = -1 };
    const batch_shape shape = { .B = s->B, .T = s->T };
    training *t[2] = { NULL };
    peak_work cores = { b->m.k->measure, b->pool[1], b->m.sink };
    probe p[TRAIN_PROBES] = { [CORES] = { peak_run, &cores, .work = peak_work_of(&cores) } };
    laco_status st = LACO_OK;
    for (int i = 0; !st && i < (b->threads > 1 ? 2 : 1); i++) {
        st = training_new(&t[i], b->m.k->recur, &spec, &shape, b->pool[i], err);
        if (!st) p[i] = (probe){ .run = training_run, .state = t[i], .work = training_work(t[i]) };
    }
    if (!st) st = probes_measure(&b->m, p, b->threads > 1 ? TRAIN_PROBES : 1, err);
    if (!st) train_row(b, cell, s, p);
    training_free(t[0]), training_free(t[1]);
    return st;
}

static const sheet_column memory_columns[] = {
    { "cell", "cell", SHEET_TEXT },       { "size", "I,H,B,T", SHEET_TEXT }, { "mbytes", "MB", 1 },
    { "per_unit", "/ 4 H B T bytes", 2 }, { "bar", "bar 8", SHEET_TEXT },    { NULL, NULL, 0 },
};
static laco_status layer_memory(bench *b, laco_error *err)
{
    cell_spec spec = { .cell = "lstm", .inputs = 512, .hidden = 512, .biases = -1 };
    const batch_shape shape = { .B = 64, .T = 35 };
    training *t = NULL;
    laco_status st = training_new(&t, b->m.k->recur, &spec, &shape, b->pool[0], err);
    if (st) return st;
    double bytes = (double)training_bytes(t), ratio = bytes / (4.0 * 512 * 64 * 35);
    sheet_start(&b->t, "memory", "Memory of a layer in training, weights not counted", memory_columns);
    sheet_text(&b->t, "lstm"), sheet_text(&b->t, "512,512,64,35"), sheet_number(&b->t, bytes * 1e-6);
    sheet_number(&b->t, ratio);
    judge(b, ratio, MEMORY_BAR, true, "memory of lstm 512,512,64,35, / 4 H B T bytes");
    training_free(t);
    return end_table(b, err);
}
static laco_status section_train(bench *b, laco_error *err)
{
    static const train_size size[] = {
        { 64, 128, 1, 100 },  { 128, 128, 16, 64 }, { 128, 128, 64, 64 },   { 256, 256, 32, 64 },
        { 512, 512, 32, 64 }, { 512, 512, 64, 35 }, { 1024, 1024, 64, 35 },
    };
    static const char *const cell[] = { "lstm", "gru", "elman" };
    laco_status st = LACO_OK;
    sheet_start(&b->t, "train", "Training of one layer: packing, forward, backward with all gradients", train_columns);
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        for (size_t c = 0; !st && c < sizeof cell / sizeof *cell; c++) st = train_cell(b, cell[c], &size[i], err);
    if (!st) st = end_table(b, err);
    return st ? st : layer_memory(b, err);
}

/* ---- cells: every one, every word of it alone, and ragged batches ---- */
enum { MOST_VARIANTS = 128 };
typedef struct variant {
    char name[64];
    const char *against; /* the cell that it is judged by */
    cell_spec spec;
    bool ragged;
    double bar;
} variant;
typedef struct variants {
    int n;
    variant of[MOST_VARIANTS];
} variants;

static variant *add_variant(variants *v, const cell_info *cell, const char *words, unsigned bits)
{
    static variant none; /* where what has no room goes; nobody reads it */
    variant *to = v->n < MOST_VARIANTS ? &v->of[v->n++] : &none;
    snprintf(to->name, sizeof to->name, "%s%s%s", cell->name, *words ? " " : "", words);
    to->against = *words ? cell->name : !strcmp(cell->name, "gru-before") ? "gru" : "lstm";
    to->bar = !strncmp(words, "norm", 4) ? NORM_BAR : *words || strcmp(to->against, "lstm") ? VARIANT_BAR : CELL_BAR;
    to->spec = (cell_spec){ .cell = cell->name, .inputs = 256, .hidden = 256, .words = bits, .biases = -1 };
    return to;
}
static unsigned bits_of(const cell_info *cell, const char *words)
{
    unsigned bits = 0;
    for (size_t n; *words; words += n + strspn(words + n, " ")) {
        n = strcspn(words, " ");
        for (const cell_word *w = cell->words; w->word; w++)
            if (strlen(w->word) == n && !memcmp(w->word, words, n)) bits |= w->bit;
    }
    return bits;
}
static void list_variants(const recur_ops *ops, variants *v)
{
    const cell_info *cell;
    for (int i = 0; (cell = ops->cell(i)); i++) {
        add_variant(v, cell, "", 0);
        for (const cell_word *w = cell->words; w && w->word; w++) add_variant(v, cell, w->word, w->bit);
        for (const cell_alias *a = cell->aliases; a && a->word; a++)
            if (strchr(a->means, ' ')) add_variant(v, cell, a->word, bits_of(cell, a->means));
        if (cell->projects) add_variant(v, cell, "project 128", 0)->spec.project = 128;
        add_variant(v, cell, "ragged", 0)->ragged = true;
    }
}
/* A cell without a recurrent matrix does almost no multiply-adds in a step: its time is that of its units. */
static bool element_wise(const recur_ops *ops, const cell_spec *spec)
{
    param_tensor tensor[MAX_TENSORS];
    int n = 0;
    if (ops->describe(spec, tensor, &n, NULL)) return false;
    for (int i = 0; i < n; i++)
        if (tensor[i].role == INIT_RECURRENT && tensor[i].rank == 2) return false;
    return true;
}

static const sheet_column cell_columns[] = {
    { "cell", "cell", SHEET_TEXT },
    { "ms", "ms", 2 },
    { "spread_percent", "+- %", 1 },
    { "gflops", "GFLOP/s", 0 },
    { "per_unit", "ns per unit and step", 3 },
    { "against", "against", SHEET_TEXT },
    { "relative", "x its time per multiply-add", 2 },
    { "limit", "bar", 2 },
    { "bar", "", SHEET_TEXT },
    { NULL, NULL, 0 },
};
static void cell_row(bench *b, const variant *v, const training *t, const probe *p, const probe *plain)
{
    double relative = plain->share / p->share;
    sheet_text(&b->t, v->name), sheet_number(&b->t, p->time * 1e3), sheet_number(&b->t, spread(p));
    sheet_number(&b->t, p->work / p->time * 1e-9);
    sheet_number(&b->t, p->time * 1e9 / (double)(t->b.R * v->spec.hidden));
    sheet_text(&b->t, v->against), sheet_number(&b->t, relative), sheet_number(&b->t, v->bar);
    if (!strcmp(v->against, "lstm") && element_wise(b->m.k->recur, &v->spec))
        sheet_text(&b->t, "element-wise");
    else
        judge(b, relative, v->bar, true, "cell %s, x %s's time per multiply-add", v->name, v->against);
}
/* Variants i .. i+n-1, all judged by the same cell, each round beside it. */
static laco_status cell_group(bench *b, const variants *v, int i, int n, laco_error *err)
{
    training *t[MOST_PROBES] = { NULL };
    probe p[MOST_PROBES] = { { 0 } };
    variant plain = { .spec = { .cell = v->of[i].against, .inputs = 256, .hidden = 256, .biases = -1 } };
    laco_status st = LACO_OK;
    for (int k = 0; !st && k <= n; k++) {
        const variant *what = k ? &v->of[i + k - 1] : &plain;
        const batch_shape shape = { .B = 32, .T = 64, .ragged = what->ragged };
        st = training_new(&t[k], b->m.k->recur, &what->spec, &shape, b->pool[0], err);
        if (!st) p[k] = (probe){ .run = training_run, .state = t[k], .work = training_work(t[k]) };
    }
    if (!st) st = probes_measure(&b->m, p, n + 1, err);
    for (int k = 1; !st && k <= n; k++) cell_row(b, &v->of[i + k - 1], t[k], &p[k], &p[0]);
    for (int k = 0; k <= n; k++) training_free(t[k]);
    return st;
}
static laco_status section_cells(bench *b, laco_error *err)
{
    variants *v = mem_new(1, sizeof *v);
    laco_status st = v ? LACO_OK : fail_memory(err, sizeof *v);
    sheet_start(&b->t, "cells", "Every cell in training at 256,256,32,64 on one core", cell_columns);
    if (v) list_variants(b->m.k->recur, v);
    for (int i = 0, n; !st && i < v->n; i += n) {
        for (n = 1; n < MOST_PROBES - 1 && i + n < v->n && !strcmp(v->of[i + n].against, v->of[i].against);) n++;
        st = cell_group(b, v, i, n, err);
    }
    mem_free(v);
    return st ? st : end_table(b, err);
}

/* ---- regularisers: each beside the same training without it ---- */
static const sheet_column regulariser_columns[] = {
    { "regulariser", "regulariser", SHEET_TEXT },
    { "cell", "cell", SHEET_TEXT },
    { "ms", "ms", 2 },
    { "spread_percent", "+- %", 1 },
    { "relative", "x the time without it", 3 },
    { "bar", "bar 1.25", SHEET_TEXT },
    { NULL, NULL, 0 },
};
static void regulariser_row(bench *b, const fit_row *r, const char *cell, const probe *p, const probe *plain)
{
    double relative = plain->share / p->share;
    sheet_text(&b->t, *r->name ? r->name : r->text ? "none, with embed and softmax" : "none"), sheet_text(&b->t, cell);
    sheet_number(&b->t, p->time * 1e3), sheet_number(&b->t, spread(p)), sheet_number(&b->t, relative);
    if (*r->name)
        judge(b, relative, REGULARISER_BAR, true, "%s on %s, x the time without it", r->name, cell);
    else
        sheet_text(&b->t, "-");
}
/* n regularisers behind the row without one, all in turns. */
static laco_status regulariser_group(bench *b, const fit_row *plain, const fit_row *first, int n, const char *cell,
                                     laco_error *err)
{
    fit_work *w[MOST_PROBES] = { NULL };
    probe p[MOST_PROBES] = { { 0 } };
    laco_status st = LACO_OK;
    for (int i = 0; !st && i <= n; i++) {
        st = fit_work_new(&w[i], i ? first + i - 1 : plain, cell, b->m.k, b->pool[0], err);
        if (!st) p[i] = (probe){ .run = fit_work_run, .state = w[i], .work = 1e9 };
    }
    if (!st) st = probes_measure(&b->m, p, n + 1, err);
    for (int i = 0; !st && i <= n; i++)
        if (w[i]->status) st = fail(err, w[i]->status, -1, "an update of %s failed", cell);
    for (int i = first != plain + 1; !st && i <= n; i++)
        regulariser_row(b, i ? first + i - 1 : plain, cell, &p[i], &p[0]);
    for (int i = 0; i <= n; i++) fit_work_free(w[i]);
    return st;
}
static laco_status section_regularisers(bench *b, laco_error *err)
{
    static const char *const cell[] = { "lstm", "gru", "elman" };
    laco_status st = LACO_OK;
    sheet_start(&b->t, "regularisers", "Regularisers: an update of training at 256,256,32,64 on one core",
                regulariser_columns);
    for (size_t c = 0; c < sizeof cell / sizeof *cell; c++) {
        const fit_row *plain = fit_rows(), *r = plain;
        while (!st && r->name) {
            int n = 0;
            if (!*r->name) plain = r++;
            while (n < MOST_PROBES - 1 && r[n].name && *r[n].name) n++;
            st = regulariser_group(b, plain, r, n, cell[c], err), r += n;
        }
    }
    return st ? st : end_table(b, err);
}

/* ---- streaming ---- */
enum { STREAMS = 3 };
static const sheet_column stream_columns[] = {
    { "hidden", "I = H", 0 },      { "lstm_us", "lstm, us per step", 3 },
    { "lstm_gbytes", "GB/s", 1 },  { "gru_us", "gru, us per step", 3 },
    { "gru_gbytes", "GB/s", 1 },   { "elman_us", "elman, us per step", 3 },
    { "elman_gbytes", "GB/s", 1 }, { NULL, NULL, 0 },
};
static laco_status stream_row(bench *b, int64_t H, laco_error *err)
{
    static const char *const cell[STREAMS] = { "lstm", "gru", "elman" };
    const recur_ops *ops = b->m.k->recur;
    stream *s[STREAMS] = { NULL };
    probe p[STREAMS] = { { 0 } };
    laco_status st = LACO_OK;
    for (int i = 0; !st && i < STREAMS; i++) {
        cell_spec spec = { .cell = cell[i], .inputs = H, .hidden = H, .biases = -1 };
        st = stream_new(&s[i], ops, &spec, b->pool[0], err);
        if (!st) p[i] = (probe){ .run = stream_run, .state = s[i], .work = 2.0 * (double)ops->work_per_row(s[i]->r) };
    }
    if (!st) st = probes_measure(&b->m, p, STREAMS, err);
    if (!st) sheet_number(&b->t, (double)H);
    for (int i = 0; i < STREAMS; i++) {
        stream_free(s[i]);
        if (!st)
            sheet_number(&b->t, p[i].time * 1e6), sheet_number(&b->t, p[i].work / 2 * sizeof(float) / p[i].time * 1e-9);
    }
    return st;
}
static laco_status section_stream(bench *b, laco_error *err)
{
    laco_status st = LACO_OK;
    sheet_start(&b->t, "stream", "One step of one row on one core, and the weights it reads", stream_columns);
    for (int64_t H = 16; !st && H <= 1024; H *= 2) st = stream_row(b, H, err);
    return st ? st : end_table(b, err);
}

/* ---- reservoirs ---- */
static const sheet_column esn_columns[] = {
    { "reservoir", "one input, one stream", SHEET_TEXT },
    { "us", "us per step", 2 },
    { "spread_percent", "+- %", 1 },
    { "steps", "steps a second", 0 },
    { "kbytes", "KB a step", 0 },
    { "gbytes", "GB/s", 1 },
    { "limit", "limit", SHEET_TEXT },
    { "limit_us", "us", 2 },
    { "percent", "% of it reached", 1 },
    { "bar", "bar 60 %", SHEET_TEXT },
    { NULL, NULL, 0 },
};
static void esn_row(bench *b, const char *text, const esn_work *w, const probe *p)
{
    const double step = p->time / ESN_STEPS, limit = fmax(w->read_limit, w->gather_limit), percent = 100 * limit / step;
    sheet_text(&b->t, text), sheet_number(&b->t, step * 1e6), sheet_number(&b->t, spread(p));
    sheet_number(&b->t, 1 / step), sheet_number(&b->t, w->bytes * 1e-3), sheet_number(&b->t, w->bytes / step * 1e-9);
    sheet_text(&b->t, w->gather_limit > w->read_limit ? "scattered loads" : "bandwidth");
    sheet_number(&b->t, limit * 1e6), sheet_number(&b->t, percent);
    if (reservoir_degree(&w->net->d.layer[0]) > 1)
        judge(b, percent, RESERVOIR_BAR, false, "%s, %% of the limit", text);
    else
        sheet_text(&b->t, "-"); /* bound by its activations */
}
static const sheet_column ridge_columns[] = {
    { "units", "units", 0 },          { "threads", "threads", 0 },   { "rows", "rows a second", 0 },
    { "gflops", "GFLOP/s", 1 },       { "share", "% of the peak", 0 }, { "met", "60 %", SHEET_TEXT },
    { NULL, NULL, 0 },
};
/* N^2 operations a row: the products of a symmetric matrix. */
static laco_status table_ridge(bench *b, laco_error *err)
{
    static const int64_t units[] = { 1000, 4000 };
    meter m = b->m;
    laco_status st = kernels_choose(&m.k, REAL_DOUBLE, err);
    sheet_start(&b->t, "ridge", "Sums of a ridge regression, beside the peak in double", ridge_columns);
    for (int i = 0; !st && i < 4; i++) {
        ridge_work *w = NULL;
        const int threads = i % 2 ? b->threads : 1;
        const double N = (double)units[i / 2];
        if (i % 2 && threads == 1) continue;
        if ((st = ridge_work_new(&w, units[i / 2], m.k, b->pool[i % 2], err))) break;
        probe p = { .run = ridge_work_run, .state = w, .work = N * N * RIDGE_BLOCK };
        if (!(st = probes_measure(&m, &p, 1, err))) {
            sheet_number(&b->t, N), sheet_number(&b->t, threads), sheet_number(&b->t, RIDGE_BLOCK / p.time);
            sheet_number(&b->t, p.work / p.time * 1e-9), sheet_number(&b->t, 100 * p.share / threads);
            judge(b, 100 * p.share / threads, RIDGE_BAR, false, "ridge, %lld units, %d threads", (long long)units[i / 2], threads);
        }
        ridge_work_free(w);
    }
    return st ? st : end_table(b, err);
}
static laco_status section_esn(bench *b, laco_error *err)
{
    laco_status st = LACO_OK;
    sheet_start(&b->t, "esn", "Reservoirs: one stream on one core, and what its memory allows", esn_columns);
    for (const char *const *text = esn_rows(); !st && *text; text++) {
        esn_work *w = NULL;
        if ((st = esn_work_new(&w, *text, &b->m, b->pool[0], err))) break;
        probe p = { .run = esn_work_run, .state = w, .work = 2 * (double)net_work(w->net) * ESN_STEPS };
        if (!(st = probes_measure(&b->m, &p, 1, err))) esn_row(b, *text, w, &p);
        esn_work_free(w);
    }
    if (!st) st = end_table(b, err);
    return st ? st : table_ridge(b, err);
}

/* ---- long windows ---- kept whole, in a tenth and in a thirtieth of the memory */
enum { LONG_ROWS = 3, TENTH = 10 };
static const sheet_column long_columns[] = {
    { "kept", "segments kept", SHEET_TEXT }, { "forward", "times forward", 2 }, { "mbytes", "MB", 1 },
    { "memory", "x all", 3 },                { "ms", "ms", 0 },                 { "spread_percent", "+- %", 1 },
    { "time", "x all", 2 },                  { "bar", "bar 1.4", SHEET_TEXT },  { NULL, NULL, 0 },
};
static void long_row(bench *b, const long_work *w, const probe *p, const long_work *all, const probe *all_p)
{
    char kept[48];
    double memory = (double)w->plan.bytes / (double)all->plan.bytes, time = p->time / all_p->time;
    snprintf(kept, sizeof kept, "%lld of %lld", (long long)w->plan.tapes, (long long)w->plan.segments);
    sheet_text(&b->t, kept), sheet_number(&b->t, w->plan.forward), sheet_number(&b->t, (double)w->plan.bytes * 1e-6);
    sheet_number(&b->t, memory), sheet_number(&b->t, p->time * 1e3), sheet_number(&b->t, spread(p));
    sheet_number(&b->t, time);
    if (w == all)
        sheet_text(&b->t, "-");
    else
        judge(b, time, AGAIN_BAR, true, "long window, %s segments kept, time x all kept", kept);
}
static laco_status section_long(bench *b, laco_error *err)
{
    long_work *w[LONG_ROWS] = { NULL };
    probe p[LONG_ROWS] = { { 0 } };
    laco_status st = LACO_OK;
    for (int i = 0; !st && i < LONG_ROWS; i++) {
        size_t memory = i ? w[0]->plan.bytes / (i == 1 ? TENTH : 3 * TENTH) : 0;
        st = long_work_new(&w[i], memory, b->m.k, b->pool[1], err);
        if (!st) p[i] = (probe){ .run = long_work_run, .state = w[i], .work = long_work_flops(w[i]) };
    }
    if (!st) st = probes_measure(&b->m, p, LONG_ROWS, err);
    sheet_start(&b->t, "long", "A window of 10,000 steps of 8 rows: embed 32, lstm 128, softmax", long_columns);
    for (int i = 0; !st && i < LONG_ROWS; i++) long_row(b, w[i], &p[i], w[0], &p[0]);
    for (int i = 0; i < LONG_ROWS; i++) long_work_free(w[i]);
    return st ? st : end_table(b, err);
}

/* ---- reading tables ---- */
static const sheet_column read_columns[] = {
    { "what", "", SHEET_TEXT },          { "mbytes", "MB/s", 0 },       { "spread_percent", "+- %", 1 },
    { "searches", "of memchr's", 3 },    { "limit", "bar, MB/s", 0 },   { "bar", "", SHEET_TEXT },
    { NULL, NULL, 0 },
};
static void read_row(bench *b, const data_row *row, const data_work *w, const probe *p, const probe *search)
{
    double rate = data_work_bytes(w) / p->time * 1e-6;
    sheet_text(&b->t, row->name), sheet_number(&b->t, rate), sheet_number(&b->t, spread(p));
    sheet_number(&b->t, search->time / p->time);
    if (row->bar)
        sheet_number(&b->t, row->bar), judge(b, rate, row->bar, false, "read %s, MB/s", row->name);
    else
        sheet_number(&b->t, NAN), sheet_text(&b->t, "-");
}
static laco_status section_read(bench *b, laco_error *err)
{
    data_work *w[MOST_PROBES] = { NULL };
    probe p[MOST_PROBES] = { { 0 } };
    const data_row *row = data_rows();
    laco_status st = LACO_OK;
    int n = 0;
    for (; !st && row[n].name; n++) {
        st = data_work_new(&w[n], &row[n], err);
        if (!st) p[n] = (probe){ .run = data_work_run, .state = w[n], .work = data_work_bytes(w[n]) };
    }
    if (!st) st = probes_measure(&b->m, p, n, err);
    for (int i = 0; !st && i < n; i++)
        if (data_work_status(w[i])) st = fail(err, data_work_status(w[i]), -1, "reading %s failed", row[i].name);
    sheet_start(&b->t, "read", "Reading tables on one core, from memory", read_columns);
    for (int i = 0; !st && i < n; i++) read_row(b, &row[i], w[i], &p[i], &p[n - 1]);
    for (int i = 0; i < MOST_PROBES; i++) data_work_free(w[i]);
    return st ? st : end_table(b, err);
}

/* ---- one row ---- */
static laco_status section_row(bench *b, laco_error *err)
{
    bench_row r;
    laco_status st = row_parse(&r, b->wish->row, b->m.k, err);
    if (st) return st;
    if (b->wish->repeat <= 0) return (st = row_measure(&r, &b->m, b->pool[1], &b->t, err)) ? st : end_table(b, err);
    return row_repeat(&r, b->m.k, b->pool[1], b->wish->repeat, err);
}

/* ---- all ---- "row" is none of them */
static const struct section {
    const char *name;
    laco_status (*run)(bench *b, laco_error *err);
} sections[] = {
    { "peak", section_peak },     { "gemm", section_gemm },
    { "train", section_train },   { "cells", section_cells },
    { "stream", section_stream }, { "esn", section_esn },
    { "regularisers", section_regularisers },
    { "long", section_long },     { "read", section_read },
};

static laco_status run_sections(bench *b, laco_error *err)
{
    const char *what = b->wish->what;
    bool all = !strcmp(what, "all"), found = !strcmp(what, "row");
    laco_status st = LACO_OK;
    if (!found && (b->wish->row || b->wish->repeat > 0))
        return fail(err, LACO_EINVAL, -1, "--row and --repeat belong to laco bench row, not to laco bench %.40s", what);
    begin_report(b);
    if (found) st = section_row(b, err);
    for (size_t i = 0; !st && i < sizeof sections / sizeof *sections; i++)
        if (all || !strcmp(what, sections[i].name)) found = true, st = sections[i].run(b, err);
    if (!found)
        return fail(err, LACO_EINVAL, -1,
                    "cannot measure \"%.40s\"; there is all, peak, gemm, train, cells, stream, esn, "
                    "regularisers, long, read, row",
                    what);
    if (st && (st != LACO_ESTOPPED || !b->tables)) return st;
    return end_report(b, err);
}
static laco_status make_pools(bench *b, int threads, laco_error *err)
{
    laco_status st = pool_new(&b->pool[0], 1, err);
    if (!st) st = pool_new(&b->pool[1], threads, err);
    if (st) return st;
    b->threads = pool_threads(b->pool[1]);
    if (threads || b->threads <= 2) return LACO_OK;
    pool_free(b->pool[1]), b->pool[1] = NULL, b->threads = 2;
    return pool_new(&b->pool[1], 2, err);
}
laco_status bench_run(const bench_wish *w, laco_error *err)
{
    bench b = { .wish = w, .m = { .seconds = w->seconds, .stop = w->stop } };
    laco_status st = kernels_choose(&b.m.k, REAL_FLOAT, err);
    if (!st) st = make_pools(&b, w->threads, err);
    if (!st && !(b.m.sink = mem_new((size_t)b.threads, LANE_BYTES)))
        st = fail_memory(err, (size_t)b.threads * LANE_BYTES);
    if (!st) st = run_sections(&b, err);
    pool_free(b.pool[0]), pool_free(b.pool[1]);
    mem_free(b.m.sink), sheet_free(&b.t), buf_free(&b.text);
    return st;
}
