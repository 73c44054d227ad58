/* An evolution strategy as the baseline without any gradient (Salimans et al. 2017, "Evolution strategies as a scalable
   alternative to reinforcement learning"). Pairs of perturbed networks, w + sigma e_i and w - sigma e_i, are run
   forwards on the same batch; losses are replaced by their ranks, spread over [-1/2, 1/2], and

       g = 1 / (population sigma) * sum over pairs of (rank of + less rank of -) e_i

   takes the place of the gradient. e_i is a function of (seed, turn, pair, weight), made twice instead of kept. */
#include "base/rng.h"
#include "gradient/way.h"
#include <math.h>

typedef struct member {
    double loss;
    int64_t index;
} member;

/* own: the weights as they are, then the members of the population, then their ranks */
static member *members(const way_call *c) { return (member *)((double *)c->own + c->w->n->params); }
static double *ranks(const way_call *c) { return (double *)(members(c) + c->set->population); }
laco_status evolution_make(void **own, sweep *w, const way_settings *s, laco_error *err)
{
    size_t bytes = (size_t)w->n->params * sizeof(double) + (size_t)s->population * (sizeof(member) + sizeof(double));
    return (*own = mem_new(bytes, 1)) ? LACO_OK : fail_memory(err, bytes);
}

static double noise(const way_call *c, int64_t pair, int64_t i)
{
    return rng_normal(c->set->seed, RNG_EVOLUTION | c->turn << 8, (uint64_t)(pair * c->w->n->params + i));
}
static int by_loss(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->loss != y->loss && !isnan(x->loss) && !isnan(y->loss)) return x->loss < y->loss ? -1 : 1;
    if (isnan(x->loss) != isnan(y->loss)) return isnan(x->loss) ? 1 : -1; /* what is no number is worst */
    return x->index < y->index ? -1 : 1;
}

static void measure(const way_call *c, const double *w)
{
    part all = whole(c->s);
    net *n = c->w->n;
    for (int64_t k = 0; k < c->set->population && !way_stopped(c); k++) {
        double sigma = k % 2 ? -c->set->sigma : c->set->sigma;
        for (int64_t i = 0; i < n->params; i++) ((double *)n->w)[i] = w[i] + sigma * noise(c, k / 2, i);
        sweep_load(c->w, NULL);
        members(c)[k] = (member){ sweep_forward(c->w, c->s, &all, 1 / (double)c->s->B, NULL, NULL), k };
    }
    memcpy(n->w, w, (size_t)n->params * sizeof(double));
    sweep_load(c->w, NULL);
}
void evolution_run(const way_call *c)
{
    const int64_t N = c->w->n->params, population = c->set->population;
    double *w = c->own, *rank = ranks(c), *g = c->w->n->g;
    memcpy(w, c->w->n->w, (size_t)N * sizeof(double));
    measure(c, w);
    qsort(members(c), (size_t)population, sizeof(member), by_loss);
    for (int64_t k = 0; k < population; k++) rank[members(c)[k].index] = (double)k / (double)(population - 1) - 0.5;
    for (int64_t k = 0; k < population; k += 2) {
        double by = (rank[k] - rank[k + 1]) / ((double)population * c->set->sigma);
        for (int64_t i = 0; i < N; i++) g[i] += by * noise(c, k / 2, i);
    }
    c->w->work += (double)population / 2 * (double)N;
    way_ready(c);
}
