/* Noise on weights and gradients, and weights dropped at random. The place in the array tells which random number is
   meant, so nothing depends on the threads. */
#include "math/normal.h"
#include "optim/optim_kernel.h"

typedef struct job {
    real *to;
    const real *from;
    real sigma;
    mask mask;
    int64_t begin, end, first; /* what to write; the block of the array that the first task has */
} job;

static void part_of(const job *j, int64_t i, int64_t *from, int64_t *to)
{
    *from = max64(j->begin, (j->first + i) * OPTIM_BLOCK), *to = min64(j->end, (j->first + i + 1) * OPTIM_BLOCK);
}
static void normal_task(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    int64_t from, to;
    real x[NORMAL_GROUP];
    (void)thread;
    part_of(j, task, &from, &to);
    for (int64_t i = from; i < to; i += NORMAL_GROUP) {
        normal_group(j->mask.seed, j->mask.purpose, i / NORMAL_GROUP, x);
        for (int64_t k = 0; k < min64(NORMAL_GROUP, to - i); k++) j->to[i + k] = j->from[i + k] + j->sigma * x[k];
    }
}
void N(add_normal)(pool *p, int64_t n, void *to, const void *from, double sigma, const optim_draw *d)
{
    job j = { .to = to, .from = from, .sigma = (real)sigma, .end = n };
    j.mask = (mask){ .seed = d->seed, .purpose = mask_purpose(d->purpose, 0, d->update) };
    pool_run(p, optim_partials(n), normal_task, &j);
}

static void drop_task(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    int64_t from, to;
    real keep[MASK_GROUP];
    (void)thread;
    part_of(j, task, &from, &to);
    for (int64_t g = from / MASK_GROUP, i = g * MASK_GROUP; i < to; g++, i += MASK_GROUP) {
        mask_group(&j->mask, 0, 0, g, keep);
        for (int64_t k = max64(i, from); k < min64(i + MASK_GROUP, to); k++) j->to[k] = j->from[k] * keep[k - i];
    }
}
void N(drop)(pool *p, int64_t ranges, const optim_range *r, void *to, const void *from, double rate,
             const optim_draw *d)
{
    job j = { .to = to, .from = from, .mask = mask_dropout(d->seed, mask_purpose(d->purpose, 0, d->update), rate) };
    for (int64_t i = 0; i < ranges; i++) {
        j.begin = r[i].offset, j.end = r[i].offset + r[i].size, j.first = j.begin / OPTIM_BLOCK;
        pool_run(p, ceil_div(j.end, OPTIM_BLOCK) - j.first, drop_task, &j);
    }
}
