/* An echo state network at work: states gathered for a readout, the readout set, and runs in which the network reads a
   series or its own answers.

   It is any network of numbers that ends in a linear dense layer, the readout; "units" are what that reads. One stream,
   in the real type of its kernels; numbers come and go in double. */
#ifndef ECHO_H
#define ECHO_H
#include "reservoir/online.h"
#include "reservoir/ridge.h"
#include "net/net.h"

/* Called after every part of a series that was run through; what it returns, but LACO_OK, ends that. */
typedef laco_status echo_going(void *ctx, int64_t steps, laco_error *err);
typedef struct echo {
    net *n;
    int64_t inputs, units, targets;
    int64_t active[256], off[257]; /* of a chunk of steps */
    char *x, *y;                   /* [chunk][inputs], [chunk][targets] reals */
    net_state *state;              /* of the run */
    pass p;
    echo_going *going; /* or NULL */
    void *ctx;         /* of it */
    uint64_t steps;    /* gathered since the network is there: a part of the counter of noise */
} echo;
enum { ECHO_CHUNK = 256 };
/* Draws the weights with the seed. The network is the echo's own; the pool is the caller's. */
laco_status echo_new(echo *e, const char *description, int64_t inputs, int64_t targets, uint64_t seed, const kernels *k,
                     pool *p, laco_error *err);
/* With the weights of a float network. */
laco_status echo_of(echo *e, const net *from, const kernels *k, pool *p, laco_error *err);
void echo_free(echo *e);

/* One series from zero states: rows behind the first `washout` steps whose targets are all there go to `to`. u
   [steps][inputs], finite; y [steps][targets]. Not finite states: LACO_ENUMERIC. */
laco_status echo_gather(echo *e, int64_t steps, const double *u, const double *y, int64_t washout, ridge *to,
                        laco_error *err);
/* The units after every step, [steps][units]. */
laco_status echo_units(echo *e, int64_t steps, const double *u, double *units, laco_error *err);
void echo_set(echo *e, const double *w, const double *b); /* [targets][units], [targets] */
laco_status echo_ready(echo *e, laco_error *err);         /* packs the weights: before runs, after echo_set */

/* One step at a time, from zero states on after echo_units_begin (which packs the weights): the units [units]. */
laco_status echo_units_begin(echo *e, laco_error *err);
void echo_units_step(echo *e, const double *u, double *units);
void echo_weights(const echo *e, double *w, double *b); /* of the readout, as echo_set */

/* ---- runs ---- */
void echo_reset(echo *e);
void echo_step(echo *e, const double *u, double *y);
size_t echo_state_bytes(const echo *e);
void echo_keep(const echo *e, void *to); /* the state, to go on from it later */
void echo_back(echo *e, const void *from);
#endif
