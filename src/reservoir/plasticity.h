/* Intrinsic plasticity: every unit of the first reservoir adapts a gain g and a bias b of its own, without a teacher,
   until its output follows a normal distribution of the given mean m and deviation s
   (Schrauwen, Wardermann, Verstraeten, Steil & Stroobandt 2008, "Improving reservoirs using intrinsic plasticity"):

       y = tanh(g z + b)     db = -rate (-m / s^2 + y / s^2 (2 s^2 + 1 - y^2 + m y))     dg = rate / g + db z

   z what the weights make. Gains and biases go into the weights afterwards: g W_in, g W, g b_0 + b. */
#ifndef PLASTICITY_H
#define PLASTICITY_H
#include "net/net.h"

typedef struct plasticity {
    int64_t epochs;
    double mean, deviation, rate;
} plasticity;
/* u [steps][inputs]. LACO_EINVAL when the network does not begin with a reservoir of tanh. */
laco_status plasticity_run(net *n, const plasticity *p, int64_t steps, const double *u, const volatile int *stop,
                           laco_error *err);
#endif
