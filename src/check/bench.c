/* The report, reading tables, a single row, and all sections in turn. */
#include "check/bench_data.h"
#include "check/bench_report.h"
#include "check/bench_row.h"
#include <math.h>
#include <stdio.h>

/* ---- the report ---- */
static laco_status hand_out(bench *b, laco_error *err)
{
    if (b->t.failed || b->text.failed) return fail_memory(err, b->text.len);
    if (b->wish->out && b->text.len) b->wish->out(b->wish->ctx, b->text.data, b->text.len);
    b->text.len = 0;
    return LACO_OK;
}
laco_status end_table(bench *b, laco_error *err)
{
    b->tables++;
    if (b->wish->json) return sheet_json(&b->t, &b->j), LACO_OK;
    sheet_markdown(&b->t, &b->text);
    return hand_out(b, err);
}

void judge(bench *b, double value, double bar, bool at_most, const char *row, ...)
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
