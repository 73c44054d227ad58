/* Optimizers: one row of list.h each, an update of one pass over the contiguous parameters. Gradients are clipped in
   the same pass through `gradient_scale`. Sums run in blocks of fixed size, so results do not depend on the threads.

   g   = gradient_scale * gradient (+ weight_decay * w, except adamw and lion); mu momentum, b1 beta1, b2 beta2;
   x^ = x / (1 - b^update), b of its mean: corrected for the start from 0
   sgd       w -= lr g
   momentum  v = mu v + g;            w -= lr v
   nesterov  v = mu v + g;            w -= lr (g + mu v)                        (Sutskever et al. 2013, as in PyTorch)
   rmsprop   s = b2 s + (1-b2) g^2;   w -= lr g / (sqrt(s) + eps)               (Tieleman & Hinton 2012)
   adam      m = b1 m + (1-b1) g; s = b2 s + (1-b2) g^2; w -= lr m^ / (sqrt(s^) + eps)      (Kingma & Ba 2015)
   adamw     the same with w -= lr * weight_decay * w                           (Loshchilov & Hutter 2019)
   amsgrad   m, s of adam; u = max(u, s);  w -= lr m^ / (sqrt(u^) + eps)        (Reddi et al. 2018, as in PyTorch)
   nadam     m, s of adam;  w -= lr (b1 m/(1-b1^(update+1)) + (1-b1) g/(1-b1^update)) / (sqrt(s^) + eps)   (Dozat 2016)
   lion      w -= lr (sign(b1 m + (1-b1) g) + weight_decay w);  m = b2 m + (1-b2) g         (Chen et al. 2023)
   adagrad   s += g^2;                w -= lr g / (sqrt(s) + eps)               (Duchi et al. 2011)
   adadelta  s = b2 s + (1-b2) g^2; d = g sqrt(u + eps) / sqrt(s + eps); w -= lr d; u = b2 u + (1-b2) d^2  (Zeiler 2012)
   rmsprop-graves  n = b2 n + (1-b2) g^2; m = b2 m + (1-b2) g; d = mu d - lr g / sqrt(n - m^2 + eps); w += d
                                                                                (Graves 2013, equations 38 to 45)
   rprop     s: step, p: gradient before; g p > 0: s = min(1.2 s, 50); g p < 0: s = max(0.5 s, 1e-6), g = 0;
             w -= sign(g) s;  p = g      (Riedmiller & Braun 1993; iRprop-, Igel & Huesken 2000). A step begins at lr.
   Every state starts at zero; the step of rprop takes lr where it is zero. */
#ifndef OPTIM_H
#define OPTIM_H
#include "base/base.h"
#include "base/pool.h"
#include "base/rng.h"

typedef struct optim_step {
    double lr, momentum, beta1, beta2, eps, weight_decay;
    double gradient_scale;
    int64_t update; /* 1 for the first: bias correction */
} optim_step;
typedef struct optim_row {
    const char *name, *about;
    double lr, momentum, beta1, beta2, eps; /* defaults; 0: not used */
    int slots;                              /* buffers of state, each as large as the parameters */
    bool full_batch; /* compares gradients from update to update: each must be that of all the data */
} optim_row;
/* What random numbers are made from: each is a function of these and of its place in the array. */
typedef struct optim_draw {
    uint64_t seed;
    enum rng_purpose purpose;
    uint64_t update; /* below 2^40 */
} optim_draw;
typedef struct optim_range {
    int64_t offset, size; /* within the parameters */
} optim_range;
typedef struct optim_ops {
    const optim_row *(*row)(int i); /* NULL past the last */
    /* w, g [n]; state [slots][n] */
    void (*update)(int row, pool *p, int64_t n, void *w, const void *g, void *state, const optim_step *s);
    double (*norm)(pool *p, int64_t n, const void *g, double *partial); /* Euclidean; partial: optim_partials(n) */
    void (*clip_value)(pool *p, int64_t n, void *g, double limit);
    /* mean += share (w - mean): see average_share */
    void (*average)(pool *p, int64_t n, void *mean, const void *w, double share);
    /* to = from + sigma N(0,1); to may be from. Weight noise (Graves 2011); gradient noise (Neelakantan et al. 2015) */
    void (*add_normal)(pool *p, int64_t n, void *to, const void *from, double sigma, const optim_draw *d);
    /* In the ranges: to = 0 with probability `rate`, otherwise from / (1 - rate); to may be from. The same draw drops
       the same places of weights and of their gradient (Wan et al. 2013; Merity et al. 2017). */
    void (*drop)(pool *p, int64_t ranges, const optim_range *r, void *to, const void *from, double rate,
                 const optim_draw *d);
} optim_ops;
/* Share of the count-th weights in a moving average (count 1: the first). The average is the plain mean (Polyak &
   Juditsky 1992) as long as that is shorter than what `decay` forgets, from then on exponential, so it is never biased
   towards its beginning. decay 1: the plain mean for ever. */
static inline double average_share(double decay, int64_t count)
{
    double plain = 1 / (double)count;
    return 1 - decay > plain ? 1 - decay : plain;
}
enum { OPTIM_BLOCK = 16384 };
static inline int64_t optim_partials(int64_t n) { return ceil_div(n, OPTIM_BLOCK); }
#endif
