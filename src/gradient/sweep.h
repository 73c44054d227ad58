/* A network run over a part of sequences and back, with a squared loss, its states in the hand of the caller: what all
   ways to the gradient are made of. In double; one thread or many.

       L = scale * sum over rows, steps and outputs that count of (y - target)^2

   States of a row lie as a vector of `states` numbers, layer after layer, without padding. */
#ifndef SWEEP_H
#define SWEEP_H
#include "net/net.h"

/* B sequences of T steps. */
typedef struct sequences {
    int64_t T, B;
    const double *x, *y; /* [T][B][inputs], [T][B][outputs]; a target that is NaN does not count */
} sequences;

/* A part of them. The loss counts from step `loss_from` on (of the sequences, not of the part). */
typedef struct part {
    int64_t row, rows, step, steps, loss_from;
} part;
static inline part whole(const sequences *s) { return (part){ .rows = s->B, .steps = s->T }; }

typedef struct sweep {
    net *n;
    int64_t states;
    double work; /* multiply-adds so far */
    /* of the reserved size */
    int64_t cap_rows, cap_batch, *active, *off, ldx, ldy;
    double *x, *dy, *state[MAX_LAYERS], *carry[MAX_LAYERS], *d[2]; /* dy: gradient of the output, of the last run */
    pass p;
    const double *add[MAX_LAYERS]; /* added to the gradient of a layer's output, [rows][add_ld]; NULL: nothing */
    int64_t add_ld[MAX_LAYERS];
} sweep;

/* n: of kernels in double, made for numbers. Refuses what is drawn anew at every pass. */
laco_status sweep_new(sweep **out, net *n, laco_error *err);
void sweep_free(sweep *w);
/* Memory for parts of `steps` steps of `batch` rows; sweeps of that size or less allocate nothing. */
laco_status sweep_reserve(sweep *w, int64_t steps, int64_t batch, laco_error *err);

/* Packs the weights of the network after they were changed. */
laco_status sweep_load(sweep *w, laco_error *err);
/* before, after: states [rows][states], or NULL: the beginning, not wanted. Returns the loss and keeps dy. */
double sweep_forward(sweep *w, const sequences *s, const part *p, double scale, const double *before, double *after);
/* Back through the last forward, once; gradients are added to n->g. d_after, d_before: [rows][states] gradient of the
   states behind and in front, or NULL: zero, not wanted. loss: whether dy is taken, or only d_after. */
void sweep_backward(sweep *w, bool loss, const double *d_after, double *d_before);
bool sweep_counts(const net *n, const sequences *s, const part *p); /* whether any target does */
#endif
