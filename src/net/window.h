/* One window of a batch through a network: forward, loss and, in training, the way back; whole, or in parts that need
   less memory.

   A window of T steps is walked in K segments of S steps, S a function of the longest window and the batch alone. The
   states at the end of a segment begin the next one, and the gradients of these states go the other way. What forward
   leaves behind for backward is the tape of a segment. With m tapes the last m segments still have theirs when the way
   back begins; before the others go back, one by one, forward makes their tape again from the states kept in front of
   them (checkpoints in time: Chen et al. 2016; Gruslys et al. 2016):

       memory   m tapes + K - m states                 m = K: all is kept     m = 1, S = sqrt(T): of order sqrt(T)
       time     (2 - m/K) forward + backward

   Where not even these states fit, segments are reached from the last state kept before them, by the binomial schedule
   of Griewank & Walther 2000, which makes forward again as seldom as the kept states allow.

   Every way makes the same calls with the same numbers for the gradients, in the same order: from the last segment to
   the first, so results are the same bits whatever is kept. */
#ifndef WINDOW_H
#define WINDOW_H
#include "net/net.h"

/* LOSS_SOFTMAX is fused with the last layer, which must be dense and linear; the others read its outputs. LOSS_CRF is
   that of whole sequences, which the window must hold; the last layer is crf (src/net/chain.h). */
typedef struct net_loss {
    loss_kind kind;
    const int32_t *classes;      /* [R] softmax: the right class; -1: the row does not count; crf: -1: any */
    const float *y;              /* [R][targets] the others: the right numbers; NaN: does not count */
    const float *unit;           /* [R] see output_rows; NULL: 1 */
    const loss_options *options; /* NULL: those of zeros */
    double scale;                /* of the gradient: 1 / what the loss is divided by */
    double smoothing;            /* of labels, softmax: the share of all classes in the gradient; 0: none */
    const double *class_weight;  /* [outputs] softmax: of the loss and gradient of a row, by its class; NULL: 1 */
    double *log_prob;            /* [R] softmax: log p of the right class, or NULL */
} net_loss;

/* What of a window is kept. */
typedef struct window_plan {
    loss_kind loss;
    int64_t steps, batch;      /* the longest window, most rows of a step */
    int64_t segment, segments; /* steps of a segment; segments of the longest window */
    int64_t tapes, states;     /* kept: tapes; states beside those the window begins with */
    double forward;            /* how often a step is made forward, on average */
    size_t bytes;              /* of net_reserve_window */
} window_plan;
/* The plan that keeps most in `memory` bytes (0: all is kept); out->bytes is above it when none fits. */
laco_status net_plan_window(const net *n, loss_kind loss, int64_t steps, int64_t batch, size_t memory, window_plan *out,
                            laco_error *err);
laco_status net_reserve_window(net *n, const window_plan *p, laco_error *err); /* for training and measuring */
void net_window_free(net *n);

bool loss_has_classes(const net *n, loss_kind kind); /* what is right is a class of every row, not numbers */
/* Targets of a row of outputs. */
int64_t net_targets(const net *n, loss_kind kind, const loss_options *o);
laco_status net_reserve_loss(net *n, loss_kind kind, int64_t rows, laco_error *err); /* beside net_reserve alone */
/* The weights are loaded as the loss needs them, memory is reserved. Returns the sum of the loss over the rows that
   count; with p->train the gradients are added to n->g. */
laco_status net_load_loss(net *n, loss_kind kind, bool train, laco_error *err);
double net_learn(net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss);
void net_pass(net *n, const pass *p, const void *x, int64_t ldx); /* all layers but the last, for the states alone */
#endif
