/* What `laco bench` measures: matrix products, training and inference of one layer, single steps. Each is made on
   arrays of its own at the row strides of the library, run any number of times, freed. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H
#include "net/kernels.h"

/* c[m][n] = a[m][K] b with b packed, or (across) c[m][n] += a[K][m]^T b[K][n] */
typedef struct product {
    const measure_ops *ops;
    bool across;
    int64_t m, n, K, lda, ldb, ldc;
    void *a, *b, *c, *scratch;
} product;
laco_status product_new(product **out, const measure_ops *ops, bool across, int64_t m, int64_t n, int64_t K,
                        laco_error *err);
void product_run(void *product);
void product_free(product *p);
double product_work(const product *p); /* floating-point operations of one run */

/* A batch of B rows of T steps, or of lengths drawn evenly from 1 .. T. */
typedef struct batch_shape {
    int64_t B, T;
    bool ragged;
} batch_shape;

/* One layer over a batch. Training: packs the weights, goes forward and backward, with all gradients. Inference: goes
   forward, with weights packed before. */
typedef struct training {
    const recur_ops *ops;
    recur *r;
    bool infers;
    ragged b;
    int64_t ldx, ldy, *steps;
    void *w, *dw, *x, *dx, *dy, *carry;
    size_t carry_bytes;
} training;
laco_status training_new(training **out, const recur_ops *ops, const cell_spec *spec, const batch_shape *shape, pool *p,
                         laco_error *err);
laco_status inference_new(training **out, const recur_ops *ops, const cell_spec *spec, const batch_shape *shape,
                          pool *p, laco_error *err);
void training_run(void *training);
void inference_run(void *training);
void training_free(void *training);
double training_work(const training *t);  /* 2 for every multiply-add of the matrices forward, 4 for those backward */
size_t training_bytes(const training *t); /* what the layer takes for the batch beside its weights */

/* One step of one row. */
typedef struct stream {
    const recur_ops *ops;
    recur *r;
    void *w, *x, *state, *scratch, *own; /* state: two buffers, read and written in turn */
    int64_t half;                  /* bytes of one of them */
    int turn;
} stream;
laco_status stream_new(stream **out, const recur_ops *ops, const cell_spec *spec, pool *p, laco_error *err);
void stream_run(void *stream);
void stream_free(void *stream);
#endif
