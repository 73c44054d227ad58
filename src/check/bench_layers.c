/* One recurrent layer: training and its memory, every cell and word, single steps. */
#include "check/bench_report.h"
#include "check/bench_work.h"
#include <math.h>
#include <stdio.h>

#define TRAIN_BAR 85     /* % of the peak of a core */
#define SCALING_BAR 0.95 /* of as many times one thread as there are threads */
#define MEMORY_BAR 8     /* x 4 bytes x H x B x T */
#define CELL_BAR 1.25    /* time per multiply-add of a cell, that of the plain LSTM being 1 */
#define VARIANT_BAR 1.15 /* of a variant, or of ragged batches, that of the same cell without it being 1 */
#define NORM_BAR 1.3     /* of layer normalisation */

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
laco_status section_train(bench *b, laco_error *err)
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
laco_status section_cells(bench *b, laco_error *err)
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
laco_status section_stream(bench *b, laco_error *err)
{
    laco_status st = LACO_OK;
    sheet_start(&b->t, "stream", "One step of one row on one core, and the weights it reads", stream_columns);
    for (int64_t H = 16; !st && H <= 1024; H *= 2) st = stream_row(b, H, err);
    return st ? st : end_table(b, err);
}
