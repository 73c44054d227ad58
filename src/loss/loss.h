/* Losses on the rows of a batch. Softmax cross entropy over a vocabulary is fused with the dense layer before it and
   works on chunks of rows, so that no [R][V] array ever exists. The losses of rows.kernel.c read outputs that exist. */
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
    double smoothing; /* of the gradient, not of the loss that is returned: 0 to below 1, the share of all symbols */
} softmax_rows;
typedef struct output_rows {
    int64_t R, outputs;
    const void *y; /* [R][ldy] outputs of the network */
    int64_t ldy;
    const float *target;     /* of squared and bernoulli: [R][outputs]; NaN: the number does not count */
    const int32_t *class;    /* of categorical: [R], below `outputs`; -1: the row does not count */
    double scale, smoothing; /* of the gradient; smoothing: of categorical alone */
    void *dy;                /* [R][lddy] set; NULL: no gradient */
    int64_t lddy;
    double *row_loss; /* [R] set: the loss of each row, 0 where nothing counts */
} output_rows;
typedef struct loss_ops {
    laco_status (*softmax_new)(softmax **out, int64_t V, int64_t H, pool *p, laco_error *err);
    size_t (*softmax_bytes)(const softmax *s);
    double (*softmax_run)(softmax *s, const softmax_rows *rows); /* sum of -log p over the rows that count */
    void (*softmax_free)(softmax *s);
    /* sum of row_loss, in the order of the rows */
    double (*squared)(pool *p, const output_rows *rows);
    double (*bernoulli)(pool *p, const output_rows *rows);
    double (*categorical)(pool *p, const output_rows *rows);
} loss_ops;
#endif
