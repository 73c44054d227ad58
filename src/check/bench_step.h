/* One step of one stream through laco.h, as a program that streams does it: the whole call. */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H
#include "base/base.h"

typedef struct step_work {
    laco_model *model;
    laco_threads *threads; /* NULL: the caller alone */
    void *state;
    float *in, *out;
    double products, weight_bytes; /* multiply-adds; bytes of the matrices, in the kind asked for */
    laco_status status;            /* of the steps so far */
} step_work;
/* weights: "" or float, bf16, int8 */
laco_status step_work_new(step_work **out, const char *cell, int64_t H, const char *weights, int threads,
                          laco_error *err);
void step_work_run(void *step_work);
void step_work_free(void *step_work);
#endif
