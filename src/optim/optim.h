/* Optimizers: one row of list.h each, an update of one pass over the contiguous parameters. Gradients are clipped in
   the same pass through `gradient_scale`. Sums run in blocks of fixed size, so results do not depend on the threads.

   g   = gradient_scale * gradient (+ weight_decay * w, except adamw)
   sgd       w -= lr g
   momentum  v = mu v + g;            w -= lr v
   nesterov  v = mu v + g;            w -= lr (g + mu v)                        (Sutskever et al. 2013, as in PyTorch)
   rmsprop   s = rho s + (1-rho) g^2; w -= lr g / (sqrt(s) + eps)               (Tieleman & Hinton 2012)
   adam      m = b1 m + (1-b1) g; s = b2 s + (1-b2) g^2; w -= lr m^ / (sqrt(s^) + eps)      (Kingma & Ba 2015)
   adamw     the same with w -= lr * weight_decay * w                           (Loshchilov & Hutter 2019) */
#ifndef OPTIM_H
#define OPTIM_H
#include "base/base.h"
#include "base/pool.h"

typedef struct optim_step {
    double lr, momentum, rho, beta1, beta2, eps, weight_decay;
    double gradient_scale;
    int64_t update; /* 1 for the first: bias correction */
} optim_step;
typedef struct optim_row {
    const char *name, *about;
    double lr; /* default */
    int slots; /* buffers of state, each as large as the parameters */
} optim_row;
typedef struct optim_ops {
    const optim_row *(*row)(int i); /* NULL past the last */
    /* w, g [n]; state [slots][n] */
    void (*update)(int row, pool *p, int64_t n, void *w, const void *g, void *state, const optim_step *s);
    double (*norm)(pool *p, int64_t n, const void *g, double *partial); /* Euclidean; partial: optim_partials(n) */
    void (*clip_value)(pool *p, int64_t n, void *g, double limit);
} optim_ops;
enum { OPTIM_BLOCK = 16384 };
static inline int64_t optim_partials(int64_t n) { return ceil_div(n, OPTIM_BLOCK); }
#endif
