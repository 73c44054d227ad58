/* A linear-chain conditional random field: the loss of a sequence of classes as a whole, and its best path
   (crf.kernel.c). K classes; scores in, of every step (emissions), of every pair of classes that follow each other, of
   the first and of the last class. */
#ifndef CRF_H
#define CRF_H
#include "cell/recur.h"

typedef struct crf crf;
typedef struct crf_rows {
    const ragged *b;      /* sequences from their beginning to their end */
    const void *emission; /* [R][lde] */
    int64_t lde;
    const void *params;   /* transitions [from][to], start [K], end [K], one behind the other */
    const int32_t *class; /* [R] the right class; -1: any. NULL: none are known, and the loss is log Z */
    double scale;         /* of the gradient */
    void *de;             /* [R][ldde] set; NULL: no gradient, and no dparams */
    int64_t ldde;
    void *dparams;    /* as params; added to */
    double *loss;     /* [B] set: log Z - log of the sum over the right paths */
    double *marginal; /* [R][K] set: the probability of each class at each step; or NULL */
} crf_rows;
typedef struct crf_ops {
    laco_status (*make)(crf **out, int64_t K, int64_t rows, pool *p,
                        laco_error *err); /* for batches of up to so many R */
    size_t (*bytes)(int64_t K, int64_t rows, int threads);
    double (*run)(crf *c, const crf_rows *q); /* the sum of loss, in the order of the sequences */
    /* path [R] the classes of the best path of each sequence; score [B] its score, or NULL */
    void (*best)(crf *c, const crf_rows *q, int32_t *path, double *score);
    void (*free)(crf *c);
} crf_ops;
#define CRF_NUMBERS(K) ((K) * ((K) + 2)) /* how many params are */
#endif
