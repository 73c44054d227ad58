/* Updates of training as `laco bench regularisers` measures them: one layer of a cell over numbers with a squared loss,
   or over symbols behind an embedding and in front of a softmax; each regulariser beside the same without it. */
#ifndef BENCH_FIT_H
#define BENCH_FIT_H
#include "train/trainer.h"

typedef struct fit_row {
    const char *name;
    bool text;                          /* symbols, else numbers */
    const char *embed, *words, *behind; /* behind the size of embed; behind that of the cell; a layer behind it */
    double weight_noise, gradient_noise, smoothing, weight_decay;
} fit_row;
const fit_row *fit_rows(void); /* ends in a NULL name; rows named "" have no regulariser, and those behind them are
                                  judged by them */

typedef struct fit_work {
    net *net;
    trainer *t;
    int32_t *ids;
    float *x, *y;
    text_row *row;
    train_batch batch;
    laco_status status; /* of the updates so far */
} fit_work;
laco_status fit_work_new(fit_work **out, const fit_row *r, const char *cell, const kernels *k, pool *p,
                         laco_error *err);
void fit_work_run(void *fit_work); /* one window and an update */
void fit_work_free(void *fit_work);
#endif
