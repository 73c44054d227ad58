/* One network trained by one way from given weights, and what became of its error on held-out sequences: against time,
   against arithmetic, against updates. */
#ifndef TRIAL_H
#define TRIAL_H
#include "gradient/way.h"

typedef struct trial_rules { /* the same for all */
    sweep *w;                /* reserved for the largest call of a way and for the held-out sequences */
    way_settings set;
    const double *start; /* weights */
    const char *optimizer;
    double lr, clip; /* clip 0: off */
    double seconds;  /* of training; making sequences and measuring do not count */
    int64_t updates; /* most; 0: no limit */
    const sequences *valid;
    const sequences *(*batch)(void *ctx, int64_t index, int64_t B); /* sequences index, index+1, … of training */
    void (*watch)(void *ctx, double share, double error);           /* after every run of the way, or NULL */
    void *ctx;
    const volatile int *stop;
} trial_rules;

typedef struct trial_point {
    double seconds, work, error; /* work: multiply-adds; error: mean squared */
    int64_t updates, sequences;
} trial_point;
enum { TRIAL_POINTS = 64 };
typedef struct trial {
    const way *way;
    trial_point point[TRIAL_POINTS + 2]; /* the first before training, the last at its end */
    int points;
    double angle, difference; /* of the first gradient to that of BPTT: degrees; length of the difference, relative; NaN: not known */
} trial;
/* LACO_EINVAL, LACO_EUNSUPPORTED: the way cannot do this network. */
laco_status trial_run(trial *out, const way *v, const trial_rules *r, laco_error *err);
/* The error when training had taken so many seconds (time), or multiply-adds; NaN when it never did. */
double trial_error_at(const trial *t, double at, bool time);
#endif
