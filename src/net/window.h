/* One window of a batch through a network: forward, loss and, in training, the way back. */
#ifndef WINDOW_H
#define WINDOW_H
#include "net/net.h"

typedef enum loss_kind {
    LOSS_SOFTMAX,  /* cross entropy; fused with the last layer, which must be dense and linear */
    LOSS_SQUARED,  /* sum of (y - t)^2 over the outputs of a row */
    LOSS_BERNOULLI /* cross entropy of a logistic function of each output, summed over the outputs of a row */
} loss_kind;
typedef struct net_loss {
    loss_kind kind;
    const int32_t *classes; /* [R] softmax: the right class; -1: the row does not count */
    const float *y;         /* [R][outputs] the others: the right numbers; NaN: does not count */
    double scale;           /* of the gradient: 1 / what the loss is divided by */
    double smoothing;       /* of labels, softmax: the share of all classes in the gradient; 0: none */
    double *log_prob;       /* [R] softmax: log p of the right class, or NULL */
} net_loss;

/* The weights are loaded as the loss needs them, memory is reserved. Returns the sum of the loss over the rows that
   count; with p->train the gradients are added to n->g. */
laco_status net_reserve_loss(net *n, loss_kind kind, int64_t rows, laco_error *err); /* beside net_reserve */
size_t net_loss_bytes(const net *n, loss_kind kind, int64_t rows);
laco_status net_load_loss(net *n, loss_kind kind, bool train, laco_error *err);
double net_learn(net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss);
#endif
