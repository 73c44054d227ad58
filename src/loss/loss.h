/* Losses on the rows of a batch. Softmax cross entropy is fused with the dense layer before it and works on chunks of
   rows, so that no [R][V] array ever exists. */
#ifndef LOSS_H
#define LOSS_H
#include "base/base.h"
#include "base/pool.h"

typedef struct softmax softmax;
typedef struct softmax_rows {
    const void *weight, *bias; /* [V][H] row-major, [V] or NULL */
    const void *h;             /* [R][ldh] */
    int64_t ldh, R;
    const int32_t *target;      /* [R]; -1: the row does not count */
    double scale;               /* of the gradient: 1 / what the loss is divided by */
    void *dweight, *dbias, *dh; /* added to, added to, set; all NULL: no gradient */
    int64_t lddh;
    double *log_prob; /* [R] log p(target) or NULL */
} softmax_rows;
typedef struct loss_ops {
    laco_status (*softmax_new)(softmax **out, int64_t V, int64_t H, pool *p, laco_error *err);
    size_t (*softmax_bytes)(const softmax *s);
    double (*softmax_run)(softmax *s, const softmax_rows *rows); /* sum of -log p over the rows that count */
    void (*softmax_free)(softmax *s);
} loss_ops;
#endif
