/* The passes of average.kernel.c and perturb.kernel.c, for the table in optim.kernel.c. */
#ifndef OPTIM_KERNEL_H
#define OPTIM_KERNEL_H
#include "math/simd.h"
#include "optim/optim.h"

void N(average)(pool *p, int64_t n, void *mean, const void *w, double share);
void N(add_normal)(pool *p, int64_t n, void *to, const void *from, double sigma, const optim_draw *d);
void N(drop)(pool *p, int64_t ranges, const optim_range *r, void *to, const void *from, double rate,
             const optim_draw *d);
#endif
