/* `laco bench`: what the library reaches of what the processor can do, with a bar for every figure that should not fall
   below it. All in one run, against the peak measured in the same run. */
#ifndef BENCH_H
#define BENCH_H
#include "base/base.h"
typedef struct bench_wish {
    const char *what; /* all, peak, gemm, train, cells, stream, esn, regularisers, long, read; row: one row of src/check/bench_row.h */
    const char *row;
    double seconds; /* for each measurement */
    int64_t repeat; /* of a row: > 0 runs it so often and measures nothing */
    int threads;    /* beside one thread, so many, of a row these alone; 0: two where there are two cores */
    bool json;      /* one object at the end, instead of Markdown table by table */
    void (*out)(void *ctx, const char *bytes, size_t n);
    void *ctx;
    const volatile int *stop; /* looked at between measurements, NULL: never */
} bench_wish;
/* When stopped, the tables finished by then are kept; LACO_ESTOPPED when there is none. */
laco_status bench_run(const bench_wish *w, laco_error *err);
#endif
