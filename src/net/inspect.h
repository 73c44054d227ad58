/* A network looked into: where a number stopped being finite, how a step turns a state into the next, how far back the
   gradient reaches. Slow, in memory of its own, and never on the way of training. */
#ifndef INSPECT_H
#define INSPECT_H
#include "net/window.h"

/* ---- the first number that is not finite ---- src/net/locate.c */
typedef enum {
    PLACE_PARAMETER,          /* name: the tensor; unit: which of its numbers */
    PLACE_INPUT,              /* of the network */
    PLACE_VALUE,              /* name: a gate or a state of layer `layer` */
    PLACE_OUTPUT,             /* of layer `layer` */
    PLACE_LOSS,               /* of a step of a row */
    PLACE_OUTPUT_GRADIENT,    /* of the output of layer `layer` */
    PLACE_VALUE_GRADIENT,     /* of what a gate squashes */
    PLACE_PARAMETER_GRADIENT, /* name: the tensor */
} place_kind;
typedef struct net_place {
    place_kind kind;
    int layer; /* from 0, as in the names of tensors; -1: none */
    char name[64];
    bool reverse;            /* in the reverse direction of a layer */
    int64_t step, row, unit; /* from 0 within the window and the batch; -1: none */
    int64_t steps, rows;     /* of the window */
    double value;
} net_place;
/* Runs a window again, from the states that it started from, and back when loss is not NULL. False: all is finite, or
   there was no memory to look. The gradients of n are as before; memory for training must be reserved, and the weights
   are packed anew, as net_load(n, true, true) does. */
bool net_locate(net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss, net_place *out);
/* "layers.1 (lstm): the forget gate of unit 6 is nan, step 18 of 64, row 4 of 32": counts from 1 but for the tensors */
void net_place_say(const net *n, const net_place *p, char *to, size_t size);

/* ---- the Jacobian of one step ---- src/net/jacobian.c
   J = ds'/ds of a recurrent layer at a state and an input, s the states side by side (hidden state, cell state, …). One
   batch, whose rows all start from s, is run for one step and back with the unit vectors as gradients of s'. */
typedef struct jacobian jacobian;
/* layer: recurrent, of one direction, in a network whose weights stay as they are. LACO_EINVAL otherwise. */
laco_status jacobian_new(jacobian **out, const net *n, int at, laco_error *err);
int64_t jacobian_size(const jacobian *j); /* N, the numbers of s */
/* x [in], s [state stride] of the layer: rows as net_walk has them. to [N][N], row: of s'. after: s' [N], or NULL */
void jacobian_at(jacobian *j, const void *x, const void *s, double *to, double *after);
void jacobian_free(jacobian *j);

/* ---- the gradient against time ---- src/net/lag.c
   L is the loss of the last step alone, of each row its own. norm[i][k][part][lag] is the root mean square over the
   rows of |dL/ds_(T-1-lag)|: part 0 the hidden state of layer i, part 1 all of its states together. */
enum { LAG_HIDDEN, LAG_ALL, LAG_PARTS };
typedef struct net_lags {
    int64_t lags;                        /* as many as the window has steps */
    double *norm[MAX_LAYERS][LAG_PARTS]; /* [lags]; NULL: not a recurrent layer */
} net_lags;
/* All rows must be of one length. Gradients are added to n->g. */
laco_status net_lags_of(net_lags *out, net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss,
                        laco_error *err);
void net_lags_free(net_lags *l);
/* log |dL/ds| = a + slope k, least squares over the lags 1 … at which it is above 0; NaN with fewer than two. */
double lag_slope(const double *norm, int64_t lags);
/* Both are measured from lag 1, since at lag 0 the loss reads the state past all recurrence. r^k gives 1 + the whole part
   of -1 / log r, and r / (1 - r).
   Effective memory: the steps beyond lag 1 after which the norm stays below 1/e of its value there; -1: it does not.
   Mean lag: sum of (k-1) norm[k] / sum of norm[k], k from 1. */
int64_t lag_memory(const double *norm, int64_t lags);
double lag_mean(const double *norm, int64_t lags);
#endif
