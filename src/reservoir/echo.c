#include "reservoir/echo.h"
#include <math.h>

static void put_real(const echo *e, char *to, const double *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (e->n->k->real_size == sizeof(double))
            ((double *)to)[i] = from[i];
        else
            ((float *)to)[i] = (float)from[i];
}
static double real_at(const echo *e, const void *from, int64_t i)
{
    return e->n->k->real_size == sizeof(double) ? ((const double *)from)[i] : (double)((const float *)from)[i];
}
void echo_free(echo *e)
{
    net_free(e->n), mem_free(e->x), mem_free(e->y), mem_free(e->state);
    *e = (echo){ 0 };
}
static laco_status begin(echo *e, laco_error *err)
{
    const net *n = e->n;
    const layer_spec *last = &n->d.layer[n->d.layers - 1];
    const size_t size = (size_t)n->k->real_size;
    if (n->symbols || n->d.layers < 2 || strcmp(last->kind, "dense") || last->act || !last->bias || !net_steps(n))
        return fail(err, LACO_EINVAL, -1,
                    "an echo state network reads numbers, forwards in time, and ends in a linear readout: \"reservoir "
                    "500; dense\"");
    e->inputs = n->inputs, e->units = last->in, e->targets = n->outputs;
    for (int64_t t = 0; t < ECHO_CHUNK; t++) e->active[t] = 1, e->off[t] = t;
    e->x = mem_new((size_t)(ECHO_CHUNK * e->inputs + 64), size),
    e->y = mem_new((size_t)(ECHO_CHUNK * e->targets + 64), size);
    e->state = mem_new(1, net_state_bytes(n, 1));
    if (!e->x || !e->y || !e->state) return fail_memory(err, net_state_bytes(n, 1));
    return net_reserve(e->n, ECHO_CHUNK, 1, false, err);
}
laco_status echo_new(echo *e, const char *description, int64_t inputs, int64_t targets, uint64_t seed, const kernels *k,
                     pool *p, laco_error *err)
{
    net_description d;
    *e = (echo){ 0 };
    laco_status st = describe_parse(&d, description, inputs, targets, k, err);
    if (!st) st = net_new(&e->n, &d, inputs, k, p, err);
    if (!st) st = net_init(e->n, "default", 1, seed, err);
    if (!st) st = begin(e, err);
    e->p.seed = seed;
    if (st) echo_free(e);
    return st;
}
laco_status echo_of(echo *e, const net *from, const kernels *k, pool *p, laco_error *err)
{
    *e = (echo){ 0 };
    laco_status st = net_new(&e->n, &from->d, from->inputs, k, p, err);
    for (int64_t i = 0; !st && i < from->params; i++) net_set(e->n, i, net_get(from, i));
    if (!st) st = begin(e, err);
    if (!st) st = echo_ready(e, err);
    if (st) echo_free(e);
    return st;
}
laco_status echo_ready(echo *e, laco_error *err)
{
    laco_status st = net_load(e->n, false, true, err);
    if (!st) net_state_init(e->n, e->state, 1);
    return st;
}

/* ---- gathering ---- */
static bool finite_units(const echo *e, const void *units, int64_t rows, int64_t ld)
{
    double all = 0; /* 0 times what is not finite is not 0 */
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < e->units; k++) all += 0 * real_at(e, units, i * ld + k);
    return all == 0;
}
typedef laco_status chunk_fn(void *ctx, int64_t first, int64_t m, const void *units, int64_t ld, laco_error *err);
/* Through a series in chunks; states are carried from one to the next. Noise is that of training. */
static laco_status walk(echo *e, int64_t steps, const double *u, bool noise, chunk_fn *each, void *ctx, laco_error *err)
{
    net *n = e->n;
    laco_status st = net_load(n, false, true, err);
    if (!st && noise) st = net_reserve(n, ECHO_CHUNK, 1, true, err);
    net_reset(n);
    for (int64_t t = 0; !st && t < steps; t += ECHO_CHUNK) {
        const int64_t m = min64(ECHO_CHUNK, steps - t);
        int64_t ld;
        put_real(e, e->x, u + t * e->inputs, m * e->inputs);
        e->off[m] = m;
        e->p.b = (ragged){ .T = m, .B = 1, .R = m, .active = e->active, .off = e->off };
        e->p.train = noise, e->p.update = e->steps++;
        net_forward(n, &e->p, e->x, e->inputs, n->d.layers - 1);
        const void *units = net_output(n, n->d.layers - 1, &ld);
        if (!finite_units(e, units, m, ld))
            st = fail(err, LACO_ENUMERIC, t,
                      "the states of the reservoir are not finite any more within the first %lld steps; give "
                      "a smaller radius, or tanh",
                      (long long)(t + m));
        if (!st) st = each(ctx, t, m, units, ld, err);
        if (!st && e->going) st = e->going(e->ctx, m, err);
        e->off[m] = m, net_carry(n);
    }
    net_reset(n);
    return st;
}
typedef struct gathering {
    echo *e;
    const double *y;
    int64_t washout;
    ridge *to;
} gathering;
static laco_status gather_chunk(void *ctx, int64_t first, int64_t m, const void *units, int64_t ld, laco_error *err)
{
    const gathering *g = ctx;
    const echo *e = g->e;
    const int64_t D = e->targets, size = e->n->k->real_size;
    (void)err;
    for (int64_t i = 0; i < m; i++) {
        const double *y = g->y + (first + i) * D;
        bool known = first + i >= g->washout;
        for (int64_t k = 0; k < D; k++) known &= isfinite(y[k]) != 0;
        if (!known) continue;
        put_real(e, e->y, y, D);
        ridge_add(g->to, 1, (const char *)units + i * ld * size, ld, e->y, D);
    }
    return LACO_OK;
}
static bool noisy(const net *n)
{
    for (int i = 0; i < n->d.layers; i++)
        if (n->d.layer[i].noise > 0) return true;
    return false;
}
laco_status echo_gather(echo *e, int64_t steps, const double *u, const double *y, int64_t washout, ridge *to,
                        laco_error *err)
{
    gathering g = { e, y, washout, to };
    return walk(e, steps, u, noisy(e->n), gather_chunk, &g, err);
}
typedef struct copying {
    const echo *e;
    double *to;
} copying;
static laco_status copy_chunk(void *ctx, int64_t first, int64_t m, const void *units, int64_t ld, laco_error *err)
{
    const copying *c = ctx;
    (void)err;
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < c->e->units; k++)
            c->to[(first + i) * c->e->units + k] = real_at(c->e, units, i * ld + k);
    return LACO_OK;
}
laco_status echo_units(echo *e, int64_t steps, const double *u, double *units, laco_error *err)
{
    copying c = { e, units };
    return walk(e, steps, u, false, copy_chunk, &c, err);
}
laco_status echo_units_begin(echo *e, laco_error *err)
{
    net_reset(e->n);
    return net_load(e->n, false, true, err);
}
void echo_units_step(echo *e, const double *u, double *units)
{
    int64_t ld;
    put_real(e, e->x, u, e->inputs);
    e->off[1] = 1, e->p.train = false;
    e->p.b = (ragged){ .T = 1, .B = 1, .R = 1, .active = e->active, .off = e->off };
    net_forward(e->n, &e->p, e->x, e->inputs, e->n->d.layers - 1);
    const void *row = net_output(e->n, e->n->d.layers - 1, &ld);
    for (int64_t k = 0; k < e->units; k++) units[k] = real_at(e, row, k);
    net_carry(e->n);
}
void echo_weights(const echo *e, double *w, double *b)
{
    const int64_t base = e->n->base[e->n->d.layers - 1], n = e->targets * e->units;
    for (int64_t i = 0; i < n; i++) w[i] = net_get(e->n, base + i);
    for (int64_t k = 0; k < e->targets; k++) b[k] = net_get(e->n, base + n + k);
}
void echo_set(echo *e, const double *w, const double *b)
{
    const int64_t base = e->n->base[e->n->d.layers - 1], n = e->targets * e->units;
    for (int64_t i = 0; i < n; i++) net_set(e->n, base + i, w[i]);
    for (int64_t k = 0; k < e->targets; k++) net_set(e->n, base + n + k, b[k]);
}

/* ---- runs ---- */
void echo_reset(echo *e) { net_state_init(e->n, e->state, 1); }
void echo_step(echo *e, const double *u, double *y)
{
    put_real(e, e->x, u, e->inputs);
    net_step(e->n, e->state, 1, 1, e->x, e->y);
    for (int64_t k = 0; k < e->targets; k++) y[k] = real_at(e, e->y, k);
}
size_t echo_state_bytes(const echo *e) { return net_state_bytes(e->n, 1); }
void echo_keep(const echo *e, void *to) { memcpy(to, e->state, echo_state_bytes(e)); }
void echo_back(echo *e, const void *from) { memcpy(e->state, from, echo_state_bytes(e)); }
