/* What can be said of a reservoir before and while it runs: echo state property, memory, richness, chaos.

   The conditions (src/reservoir/conditions.c) are of one layer reservoir, x' = (1 - a) x + a f(W x + W_in u + b), whose
   Jacobian is (1 - a) I + a D W with the slopes D of f between 0 and L: L = 1, of sigmoid 1/4.

   The measures (src/reservoir/property.c) work on any network of numbers that steps, on a copy of it in double; its
   "units" are the numbers before the last layer. */
#ifndef PROPERTY_H
#define PROPERTY_H
#include "net/net.h"

typedef struct echo_conditions { /* A = (1 - a) I + a W, leak rates a by unit */
    double radius;    /* rho(W) */
    double effective; /* rho(A) */
    double norm;      /* sigma_max(W) */
    double contracts; /* max(1 - a) + L sigma_max(a W): a step shrinks all distances by it where it is below 1 */
    double absolute;  /* rho((1 - a) I + a L |W|) */
    bool at_zero;     /* tanh or linear without bias: 0 stays 0 at zero input, and A is the Jacobian there */
    bool linear;      /* … and everywhere */
    bool necessary;   /* effective < 1: else, at_zero, the states do not fade at zero input (Jaeger 2001, erratum 2010) */
    bool sufficient;  /* contracts < 1 (Jaeger 2001) or absolute < 1 (Yildiz, Jaeger & Kiebel 2012) or linear, necessary */
} echo_conditions;
laco_status property_echo(const net *n, int which, echo_conditions *out, laco_error *err);

typedef struct property_wish {
    const net *n;
    const double *input; /* [steps][inputs] the series it is to run on; NULL: drawn uniform in +-1 */
    int64_t steps, washout;
    uint64_t seed;
    const volatile int *stop;
} property_wish;
double property_input(const property_wish *w, int64_t t, int64_t i); /* what is drawn where there is no input */
/* After so many steps runs on the same input, from eight states drawn in +-1, differ for good by less than 1e-6 of how
   they began; -1: not within the input, the echo state property is lost on it. */
laco_status property_forgetting(const property_wish *w, int64_t *steps, laco_error *err);
/* Short-term memory capacity (Jaeger 2002): the sum over k = 1 .. longest of the squared correlation of u(t-k) with its
   best linear estimate from the units; u is the first input, always drawn. Fitted to the first two thirds of the steps
   behind the washout and measured on the last: no chance fit is counted. curve [longest] may be NULL. */
laco_status property_memory(const property_wish *w, int64_t longest, double *curve, double *capacity, laco_error *err);
/* Kernel rank and generalisation rank (Legenstein & Maass 2007): of the states of the units after as many drawn streams,
   and after streams that differ but end alike. `of` streams (at most RANK_STREAMS; NULL: not wanted); a direction
   counts when it is above 1e-6 of the largest. */
enum { RANK_STREAMS = 1000, RANK_STEPS = 100, RANK_ALIKE = 50 };
laco_status property_ranks(const property_wish *w, int64_t *kernel, int64_t *generalisation, int64_t *of, laco_error *err);
/* The largest Lyapunov exponent, a step: the mean logarithm of what a distance of 1e-8 between two runs on the input
   grows by, brought back to 1e-8 after every step (Benettin et al. 1976; Sprott 2003). -INFINITY: it vanishes. */
laco_status property_lyapunov(const property_wish *w, double *exponent, laco_error *err);
#endif
