/* Whole networks: regularisers in an update, reservoirs and the ridge regression behind them, long windows. */
#include "check/bench_esn.h"
#include "check/bench_fit.h"
#include "check/bench_memory.h"
#include "check/bench_report.h"
#include "layer/reservoir.h"
#include <math.h>
#include <stdio.h>

#define REGULARISER_BAR 1.25 /* of an update, that of the same network without it being 1 */
#define RESERVOIR_BAR 60 /* % of what reading weights, indices and states allows */
#define RIDGE_BAR 60  /* % of the peak of the threads, in double */
#define AGAIN_BAR 1.4    /* time of a long window in a tenth of its memory, that of keeping all being 1 */

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
laco_status section_regularisers(bench *b, laco_error *err)
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
laco_status section_esn(bench *b, laco_error *err)
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
laco_status section_long(bench *b, laco_error *err)
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
