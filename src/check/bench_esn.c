#include "check/bench_esn.h"
#include "base/file.h"
#include "base/rng.h"
#include "check/bench_read.h"
#include "layer/reservoir.h"
#include "reservoir/ridge.h"
#include <math.h>

static const char *const rows[] = { "reservoir 1000 density 0.01",
                                    "reservoir 1000 density 0.01 blocks",
                                    "reservoir 1000 cycle",
                                    "reservoir 1000 density 1",
                                    "reservoir 10000 density 0.01",
                                    "reservoir 10000 density 0.01 blocks",
                                    NULL };
const char *const *esn_rows(void) { return rows; }

void esn_work_free(void *state)
{
    esn_work *w = state;
    if (!w) return;
    net_free(w->net), mem_free(w->state), mem_free(w->in), mem_free(w->out), mem_free(w);
}
/* Drawn without its spectral radius, which is not what is measured. */
static laco_status make_network(esn_work *w, const char *text, const kernels *k, pool *p, laco_error *err)
{
    net_description d;
    laco_status st = describe_parse(&d, text, 1, 0, k, err);
    if (!st) st = net_new(&w->net, &d, 1, k, p, err);
    if (st) return st;
    const layer_spec *s = &d.layer[0];
    const double size = 1 / sqrt((double)reservoir_degree(s));
    for (int64_t i = 0; i < w->net->params; i++) net_set(w->net, i, size * (2 * rng_uniform(1, RNG_TEST, (uint64_t)i) - 1));
    for (int64_t i = w->net->params - s->units; i < w->net->params; i++) net_set(w->net, i, 0.5);
    return net_load(w->net, false, true, err);
}
static laco_status make_state(esn_work *w, int64_t units, laco_error *err)
{
    const size_t size = (size_t)w->net->k->real_size;
    w->state = mem_new(net_state_bytes(w->net, 1), 1);
    w->in = mem_new(ESN_STEPS, size), w->out = mem_new((size_t)(ESN_STEPS * units), size);
    if (!w->state || !w->in || !w->out) return fail_memory(err, (size_t)(ESN_STEPS * units) * size);
    for (int64_t i = 0; i < ESN_STEPS; i++) ((float *)w->in)[i] = (float)rng_uniform(2, RNG_TEST, (uint64_t)i) - 0.5f;
    net_state_init(w->net, w->state, 1);
    return LACO_OK;
}
/* Whether rows read places that nothing but an index gives. */
static bool scattered(const layer_spec *s) { return s->topology == RESERVOIR_RANDOM && reservoir_degree(s) < s->units / 4; }
static laco_status measure_gather(esn_work *w, const layer_spec *s, meter *m, laco_error *err)
{
    const int64_t wide = 4 * m->k->measure->lanes, n = ceil_div(s->units * reservoir_degree(s), wide) * wide;
    float *x = mem_new((size_t)s->units, sizeof *x);
    uint16_t *at = mem_new((size_t)n, sizeof *at);
    volatile double sum = 0;
    double best = INFINITY, end = clock_seconds() + m->seconds / 4;
    for (int64_t i = 0; at && i < n; i++) at[i] = (uint16_t)(rng_uniform(3, RNG_TEST, (uint64_t)i) * (double)s->units);
    for (int tries = 0; x && at && (tries < 3 || clock_seconds() < end); tries++) {
        const double began = clock_seconds();
        for (int i = 0; i < ESN_STEPS; i++) sum += m->k->measure->gather(n, x, at);
        best = fmin(best, (clock_seconds() - began) / ESN_STEPS);
    }
    w->gather_limit = best;
    mem_free(x), mem_free(at);
    return isfinite(best) ? LACO_OK : fail_memory(err, (size_t)n * sizeof *at);
}
/* In multiples of N: K weights and indices; bias, leak and input weights; the state before, the one after, the output. */
static void count_bytes(esn_work *w, const layer_spec *s)
{
    const bool whole = 4 * reservoir_degree(s) >= s->units;
    const double K = (double)(whole ? s->units : reservoir_degree(s)), index = scattered(s) ? 2 : 0, N = (double)s->units;
    w->bytes = N * (K * (sizeof(float) + index) + (3 + 3) * sizeof(float));
}
laco_status esn_work_new(esn_work **out, const char *description, meter *m, pool *p, laco_error *err)
{
    esn_work *w = mem_new(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w);
    laco_status st = make_network(w, description, m->k, p, err);
    const layer_spec *s = st ? NULL : &w->net->d.layer[0];
    if (!st) st = make_state(w, s->units, err);
    if (!st) {
        count_bytes(w, s);
        const double rate = read_bandwidth(m->k->isa, (size_t)w->bytes, m->seconds / 4);
        w->read_limit = rate > 0 ? w->bytes / rate : 0;
        if (scattered(s)) st = measure_gather(w, s, m, err);
    }
    if (st) return esn_work_free(w), st;
    *out = w;
    return LACO_OK;
}
void esn_work_run(void *state)
{
    esn_work *w = state;
    net_step(w->net, w->state, ESN_STEPS, 1, w->in, w->out);
}

void ridge_work_free(void *state)
{
    ridge_work *w = state;
    if (w) ridge_free(w->sums), mem_free(w->x);
    mem_free(w);
}
laco_status ridge_work_new(ridge_work **out, int64_t units, const kernels *doubles, pool *p, laco_error *err)
{
    const int64_t n = RIDGE_BLOCK * units;
    ridge_work *w = *out = mem_new(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w);
    w->units = units, w->x = mem_new((size_t)n, sizeof *w->x);
    laco_status st = w->x ? ridge_new(&w->sums, units, 1, RIDGE_FREE_BIAS, doubles, p, err) : fail_memory(err, (size_t)n * sizeof *w->x);
    for (int64_t i = 0; !st && i < n; i++) w->x[i] = rng_uniform(4, RNG_TEST, (uint64_t)i) - 0.5;
    if (st) ridge_work_free(w), *out = NULL;
    return st;
}
void ridge_work_run(void *state)
{
    ridge_work *w = state;
    ridge_add(w->sums, RIDGE_BLOCK, w->x, w->units, w->x, w->units);
}
