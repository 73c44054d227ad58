/* Steps of one stream through a reservoir, and what the memory that they read allows. */
#ifndef BENCH_ESN_H
#define BENCH_ESN_H
#include "check/bench_probe.h"
#include "net/net.h"

enum { ESN_STEPS = 64 }; /* of one run */
typedef struct esn_work {
    net *net;
    net_state *state;
    void *in, *out;
    double bytes;  /* values, indices, biases, leaks, input weights and states that a step reads and writes */
    double read_limit;   /* seconds of a step at the bandwidth of the level of memory that holds so many bytes */
    double gather_limit; /* seconds of its loads from scattered places alone, as measured; 0: it has none */
} esn_work;
const char *const *esn_rows(void); /* descriptions; ends in NULL */
laco_status esn_work_new(esn_work **out, const char *description, meter *m, pool *p, laco_error *err);
void esn_work_run(void *esn_work);
void esn_work_free(void *esn_work);

/* Rows going into the sums of a ridge regression (src/reservoir/ridge.h), in double. */
enum { RIDGE_BLOCK = 512 }; /* rows of one run */
typedef struct ridge_work {
    struct ridge *sums;
    int64_t units;
    double *x; /* [RIDGE_BLOCK][units] */
} ridge_work;
laco_status ridge_work_new(ridge_work **out, int64_t units, const kernels *doubles, pool *p, laco_error *err);
void ridge_work_run(void *ridge_work);
void ridge_work_free(void *ridge_work);
#endif
