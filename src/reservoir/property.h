/* What can be said of a reservoir before and while it runs: echo state property, memory, richness, chaos.

   The measures work on any network that steps; its "units" are the numbers before the last layer. */
#ifndef PROPERTY_H
#define PROPERTY_H
#include "net/net.h"

typedef struct echo_conditions { /* of one layer reservoir, with its leak rates a: A = (1 - a) I + a W */
    double radius;    /* rho(W) */
    double effective; /* rho(A): below 1 is necessary, with tanh and where zero input is admitted (Jaeger 2001, erratum 2010) */
    double norm;      /* sigma_max(A): below 1 suffices (Jaeger 2001) */
    double absolute;  /* rho(|A|): below 1 A is diagonally Schur stable, which suffices (Yildiz, Jaeger & Kiebel 2012) */
    bool necessary, sufficient;
} echo_conditions;
laco_status property_echo(const net *n, int which, echo_conditions *out, laco_error *err);

typedef struct property_wish {
    const net *n;        /* loaded to run */
    const double *input; /* [steps][inputs] the series it is to run on; NULL: drawn uniform in +-1 */
    int64_t steps, washout;
    uint64_t seed;
    const volatile int *stop;
} property_wish;
/* Steps until two runs from states drawn apart in +-1 differ by less than 1e-6 of how they began; -1: not within the
   input. */
laco_status property_forgetting(const property_wish *w, int64_t *steps, laco_error *err);
/* Short-term memory capacity (Jaeger 2002): the sum over k = 1 .. longest of the squared correlation of u(t-k) with its
   best linear estimate from the units. curve[longest] may be NULL. */
laco_status property_memory(const property_wish *w, int64_t longest, double *curve, double *capacity, laco_error *err);
/* Kernel rank and generalisation rank (Legenstein & Maass 2007): of the states after streams that differ, and after
   streams that differ but end alike. */
laco_status property_ranks(const property_wish *w, int64_t *kernel, int64_t *generalisation, laco_error *err);
/* The largest Lyapunov exponent, a step (Sprott 2003; Boedecker et al. 2012). */
laco_status property_lyapunov(const property_wish *w, double *exponent, laco_error *err);
#endif
