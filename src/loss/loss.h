/* Losses on the rows of a batch. Softmax cross entropy over a vocabulary is fused with the dense layer before it and
   works on chunks of rows, so that no [R][V] array ever exists. The losses of list.h read outputs that exist: one row
   of that table each, a function of a row of outputs in rows.kernel.c, quantiles.kernel.c or distributions.kernel.c.

   A loss may take several outputs for one target (a mean and a scale). Part p of target j of a row is output
   p * targets + j. */
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
    bool partly;      /* dh of rows that do not count is left as it is, not set to 0 */
    double *log_prob; /* [R] log p(target) or NULL */
    double smoothing; /* of the gradient, not of the loss that is returned: 0 to below 1, the share of all symbols */
    const double *class_weight; /* [V] of the loss and the gradient of a row, by its target; NULL: 1 */
} softmax_rows;
typedef enum loss_kind {
#define LOSS(KIND, ...) LOSS_##KIND,
#include "loss/list.h"
#undef LOSS
    LOSS_KINDS
} loss_kind;
enum { LOSS_LEVELS = 99 }; /* most quantile levels */
typedef struct loss_options {
    int levels;                /* of pinball; 0: the median */
    double level[LOSS_LEVELS]; /* rising, each above 0 and below 1 */
    double delta;              /* of huber: from where on the error counts absolutely; 0: 1 */
} loss_options;
typedef struct output_rows {
    int64_t R, outputs;
    const void *y; /* [R][ldy] outputs of the network */
    int64_t ldy;
    const float *target;         /* [R][targets]; NaN: the number does not count */
    const int32_t *class;        /* of categorical: [R], below `outputs`; -1: the row does not count */
    const double *class_weight;  /* of categorical: see softmax_rows */
    const float *unit;           /* [R] of negative-binomial: what its mean is counted in; NULL: 1 */
    const loss_options *options; /* NULL: those of zeros */
    double scale, smoothing;     /* of the gradient; smoothing: of categorical alone */
    void *dy;                    /* [R][lddy] set; NULL: no gradient */
    int64_t lddy;
    double *row_loss; /* [R] set: the loss of each row, 0 where nothing counts */
} output_rows;
typedef struct loss_row {
    const char *name, *about;
    enum { LOSS_OF_CLASSES, LOSS_OF_NUMBERS, LOSS_OF_SHARES, LOSS_OF_COUNTS } of; /* what the right answers are */
    int outputs;                                                                  /* of a target; 0: one a level */
    double (*row)(const output_rows *rows, int64_t r);
} loss_row;
typedef struct loss_ops {
    laco_status (*softmax_new)(softmax **out, int64_t V, int64_t H, pool *p, laco_error *err);
    size_t (*softmax_bytes)(const softmax *s);
    double (*softmax_run)(softmax *s, const softmax_rows *rows); /* sum of weighted -log p over the rows that count */
    void (*softmax_free)(softmax *s);
    const loss_row *(*row)(int kind);                                /* NULL past the last */
    double (*run)(loss_kind kind, pool *p, const output_rows *rows); /* sum of row_loss, in the order of the rows */
} loss_ops;
/* The kind of a name; -1: none. */
static inline int loss_find(const loss_ops *ops, const char *name)
{
    for (int i = 0; ops->row(i); i++)
        if (!strcmp(ops->row(i)->name, name)) return i;
    return -1;
}
/* Outputs of each target. */
static inline int64_t loss_parts(const loss_row *row, const loss_options *o)
{
    return row->outputs ? row->outputs : o && o->levels ? o->levels : 1;
}
/* Whether a number can be a target: a NaN can, it does not count. */
static inline bool loss_takes(const loss_row *row, double x)
{
    const double huge = 1e300;
    if (x != x) return true;
    if (row->of == LOSS_OF_SHARES) return x >= 0 && x <= 1;
    if (row->of == LOSS_OF_COUNTS) return x >= 0 && x < 0x1p53 && x == (double)(int64_t)x;
    return x > -huge && x < huge;
}
#endif
