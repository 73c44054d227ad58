/* mean += share (w - mean), over contiguous parameters. */
#include "optim/optim_kernel.h"

typedef struct job {
    int64_t n;
    real *mean;
    const real *w;
    real share;
} job;
static void average_task(void *ctx, int64_t i, int thread)
{
    const job *j = ctx;
    (void)thread;
    for (int64_t k = i * OPTIM_BLOCK; k < min64(j->n, (i + 1) * OPTIM_BLOCK); k++)
        j->mean[k] += j->share * (j->w[k] - j->mean[k]);
}
void N(average)(pool *p, int64_t n, void *mean, const void *w, double share)
{
    job j = { n, mean, w, (real)share };
    pool_run(p, optim_partials(n), average_task, &j);
}
