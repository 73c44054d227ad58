/* Training of one long window with all of it kept, or with as much as a bound on memory allows: one LSTM layer over
   10,000 steps of 8 rows of symbols, forward, loss and backward. */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H
#include "net/window.h"

typedef struct long_work {
    net *net;
    window_plan plan;
    pass p;
    int32_t *ids; /* [rows + 1]: what follows is what is to be predicted */
    int64_t *active, *off;
} long_work;
laco_status long_work_new(long_work **out, size_t memory, const kernels *k, pool *p, laco_error *err); /* 0: no bound */
void long_work_run(void *long_work);
void long_work_free(void *long_work);
double long_work_flops(const long_work *w); /* without what is made again */
#endif
