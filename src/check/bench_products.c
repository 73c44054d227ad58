/* The processor and matrix products: multiply-adds out of registers, weights read from every level of the memory, the
   three products that training consists of. */
#include "check/bench_report.h"
#include "check/bench_work.h"
#include <math.h>
#include <stdio.h>

#define PRODUCT_BAR 85   /* % of the peak of a core */

/* ---- peak ---- */
static void peak_task(void *ctx, int64_t i, int thread)
{
    peak_work *w = ctx;
    (void)i;
    w->ops->peak(PEAK_CALL, w->sink + thread * LANE_BYTES);
}
void peak_run(void *state)
{
    peak_work *w = state;
    pool_run(w->pool, pool_threads(w->pool), peak_task, w);
}
double peak_work_of(const peak_work *w) { return w->ops->peak(PEAK_CALL, w->sink) * pool_threads(w->pool); }

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
laco_status section_peak(bench *b, laco_error *err)
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
laco_status section_gemm(bench *b, laco_error *err)
{
    static const int64_t hidden[] = { 128, 256, 512, 1024 }, rows[] = { 16, 32, 64, 512, 2240 };
    laco_status st = LACO_OK;
    sheet_start(&b->t, "gemm", "Matrix products on one core: N = 4H, K = H", gemm_columns);
    for (size_t h = 0; h < sizeof hidden / sizeof *hidden; h++)
        for (size_t m = 0; !st && m < sizeof rows / sizeof *rows; m++) st = gemm_row(b, hidden[h], rows[m], err);
    return st ? st : end_table(b, err);
}
