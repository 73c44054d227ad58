/* Ways from a batch of sequences to a gradient, or to an update, side by side. Each is a row of way.c; doc/gradients.md
   has their equations. */
#ifndef WAY_H
#define WAY_H
#include "gradient/sweep.h"

typedef struct way_settings {
    int64_t batch, every, back; /* sequences at a time; truncation: a gradient every so many steps, back over so many */
    int64_t population;         /* perturbed networks of the evolution strategy, even */
    double sigma;               /* their standard deviation */
    int64_t cg;                 /* most iterations of conjugate gradients */
    double damping, structural; /* of Hessian-free optimisation: to begin with; the share of the states in it */
    uint64_t seed;
} way_settings;

typedef struct way_call {
    sweep *w;
    const way_settings *set;
    void *own; /* of make */
    const sequences *s;
    uint64_t turn; /* calls before: part of the counters of random numbers */
    /* A gradient lies in n->g: update, empty n->g, load. NULL: all go on adding to n->g at the same weights, scaled so
       that the exact ones become the gradient of the mean loss of s. */
    void (*ready)(void *ctx);
    void *ctx;
    const volatile int *stop; /* set: end soon, without ready; or NULL */
} way_call;
static inline bool way_stopped(const way_call *c) { return c->stop && *c->stop; }
static inline void way_ready(const way_call *c) /* the last thing of a gradient */
{
    if (c->ready && !way_stopped(c)) c->ready(c->ctx);
}

typedef struct way {
    const char *name, *about;
    int64_t batches; /* of set->batch, that one call is given */
    bool updates;    /* changes the weights itself; without ready, n->g becomes the step against its direction */
    laco_status (*make)(void **own, sweep *w, const way_settings *s, laco_error *err); /* NULL: needs nothing */
    void (*free)(void *own);
    void (*run)(const way_call *c);
} way;
extern const way ways[]; /* ends in a NULL name */

/* bptt.c */
void bptt_full(const way_call *c);
void bptt_truncated(const way_call *c);
void bptt_online(const way_call *c);
void bptt_averaged(const way_call *c);
laco_status truncated_make(void **own, sweep *w, const way_settings *s, laco_error *err);
/* rtrl.c */
laco_status rtrl_make(void **own, sweep *w, const way_settings *s, laco_error *err);
void rtrl_free(void *own);
void rtrl_run(const way_call *c);
/* evolution.c */
laco_status evolution_make(void **own, sweep *w, const way_settings *s, laco_error *err);
void evolution_run(const way_call *c);
#endif
