/* What tests of kernels share: the kernels of both real types, pools of one to three threads, numbers of either type. */
#ifndef KERNEL_KIT_H
#define KERNEL_KIT_H
#include "net/kernels.h"

static const kernels *real[2]; /* REAL_FLOAT, REAL_DOUBLE */
static pool *pools[4];         /* [1] to [3]: of so many threads */
static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (kernels_choose(&real[i], i, NULL)) return -1;
    for (int i = 1; i <= 3; i++)
        if (pool_new(&pools[i], i, NULL)) return -1;
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++) pool_free(pools[i]);
    return 0;
}
/* Every round is shared among the threads, however short. */
static inline int set_up_sharing(void **state)
{
    if (set_up(state)) return -1;
    for (int i = 1; i <= 3; i++) pool_always_share(pools[i], true);
    return 0;
}

static inline double at(int r, const void *x, int64_t i)
{
    return r == REAL_FLOAT ? (double)((const float *)x)[i] : ((const double *)x)[i];
}
static inline void put(int r, void *x, int64_t i, double v)
{
    if (r == REAL_FLOAT)
        ((float *)x)[i] = (float)v;
    else
        ((double *)x)[i] = v;
}
static inline void *new_reals(int r, int64_t n) { return mem_new((size_t)n, (size_t)real[r]->real_size); }
#endif
