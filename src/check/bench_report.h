/* What the sections of `laco bench` share: the report that they fill, with a bar for figures that should not fall below
   it, and work that keeps a core at its peak. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H
#include "check/bench.h"
#include "check/bench_probe.h"
#include "check/sheet.h"

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

/* Rows go to b->t, which sheet_start began. */
laco_status end_table(bench *b, laco_error *err);
/* One bar: a cell that says whether it is met. at_most: the smaller the better. */
__attribute__((format(printf, 5, 6))) void judge(bench *b, double value, double bar, bool at_most, const char *row,
                                                 ...);
/* +- % */
static inline double spread(const probe *p) { return 50 * (p->quarter[1] - p->quarter[0]) / p->time; }

/* Multiply-adds on every thread of a pool. */
enum { LANE_BYTES = 64, PEAK_CALL = 1 << 16 /* long enough for a worker to wake up */ };
typedef struct peak_work {
    const measure_ops *ops;
    pool *pool;
    char *sink; /* [thread] */
} peak_work;
void peak_run(void *peak_work);
double peak_work_of(const peak_work *w); /* floating-point operations of one run */

typedef laco_status bench_section(bench *b, laco_error *err);
/* bench_products.c; bench_layers.c; bench_networks.c */
bench_section section_peak, section_gemm;
bench_section section_train, section_cells, section_stream;
bench_section section_regularisers, section_esn, section_long;
#endif
