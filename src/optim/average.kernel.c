/* mean += share (w - mean) and y += a x, over contiguous parameters. */
#include "optim/optim_kernel.h"

typedef struct job {
    int64_t n;
    real *y, a;
    const real *x;
} job;
static void average_task(void *ctx, int64_t i, int thread)
{
    const job *j = ctx;
    (void)thread;
    for (int64_t k = i * OPTIM_BLOCK; k < min64(j->n, (i + 1) * OPTIM_BLOCK); k++)
        j->y[k] += j->a * (j->x[k] - j->y[k]);
}
static void add_task(void *ctx, int64_t i, int thread)
{
    const job *j = ctx;
    (void)thread;
    for (int64_t k = i * OPTIM_BLOCK; k < min64(j->n, (i + 1) * OPTIM_BLOCK); k++) j->y[k] += j->a * j->x[k];
}
void N(average)(pool *p, int64_t n, void *mean, const void *w, double share)
{
    job j = { n, mean, (real)share, w };
    pool_run(p, optim_partials(n), average_task, &j);
}
void N(add_scaled)(pool *p, int64_t n, void *y, const void *x, double a)
{
    job j = { n, y, (real)a, x };
    pool_run(p, optim_partials(n), add_task, &j);
}
