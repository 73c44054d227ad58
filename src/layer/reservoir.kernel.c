/* reservoir N: units with fixed random weights and a leak rate each (src/layer/reservoir.h; Jaeger 2001; Jaeger,
   Lukosevicius, Popovici & Siewert 2007):

       s(t) = f(W_in u(t) + W x(t-1) + b)      x(t) = (1 - a) x(t-1) + a s(t)

   and while training x(t) += noise N(0,1). Output: x, with `direct` [x; u]. Backward, from the last step to the first:

       dz = a dx f'(s)      dx(t-1) = (1 - a) dx + W^T dz      du = W_in^T dz

   and with `trained` dW = dz x(t-1)^T, dW_in = dz u^T, db = dz. Without it parameters have no gradient, and where
   nothing below learns there is no way back at all.

   W in memory, by groups of as many units as are worked on at once: [group][k][unit] weights (sliced ELLPACK), and the
   columns alike; of topology blocks [16 units][k] columns, as 16 units read neighbours; with K = N a packed matrix. Units
   are padded to whole groups with weights of zero. A row of the batch is walked by one thread through all steps. */
#include "layer/matrix.h"
#include "layer/reservoir.h"
#include "base/rng.h"
#include "math/activation.h"
#include <math.h>

enum { FEW_INPUTS = 8, /* so many are multiplied where they are needed; more by a matrix product before */
       NEIGHBOURS = RESERVOIR_NEIGHBOURS, SHARD = 8,
       VECTORS = 4 * LANES < NEIGHBOURS ? NEIGHBOURS / LANES : 4, GROUP = VECTORS * LANES };
typedef enum { READ_LANES, READ_BLOCKS, READ_ALL } reading;
struct layer {
    layer_head h;
    int64_t N, K, I, Np, stride, wide; /* Np: whole groups; stride: of a state; wide: of a row to read from, with what
                                          blocks read beyond the end */
    reading way;
    bool train;
    matrix in, all;           /* with many inputs; with K = N */
    real *value, *input, *bias, *leak; /* [Np / GROUP][K][GROUP], [I][Np], [Np], [Np] */
    uint32_t *at;             /* columns as they are read: as value, or [Np / 16][K] */
    int32_t *column;             /* [N][K] */
    real *scratch;            /* [thread][SHARD][wide] */
    const pass *p;            /* to cap_kept: of the tape */
    const real *x, *initial;
    int64_t ldx;
    real *s, *kept;           /* [R][Np] what f gave, of training; [B][stride] the states to start from */
    int64_t cap_s, cap_kept;
    real *final, *carry, *dx, *dz; /* dz [R][Np] */
    int64_t cap_dz, cap_work;
    real *work;               /* [B][Np] of backward */
    const real *dy;
    real *dw;
    int64_t lddy, lddx;
};

static void add_tensor(param_tensor *t, int *count, const char *name, int64_t rows, int64_t cols, bool fixed)
{
    const int64_t offset = *count ? t[*count - 1].offset + t[*count - 1].size : 0;
    t[*count] = (param_tensor){ .rank = cols ? 2 : 1,
                                .shape = { rows, cols },
                                .size = rows * (cols ? cols : 1),
                                .offset = offset,
                                .role = INIT_RESERVOIR,
                                .gates = 1,
                                .forget_block = -1,
                                .fixed = fixed };
    strcpy(t[(*count)++].name, name);
}
static laco_status reservoir_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    if (s->symbols) return fail(err, LACO_EINVAL, -1, "reservoir needs numbers: put embed before it");
    if (s->groups > s->units)
        return fail(err, LACO_EINVAL, -1, "reservoir: %lld groups of %lld units; a group has one at least",
                    (long long)s->groups, (long long)s->units);
    if (s->topology == RESERVOIR_BLOCKS && s->groups > 1)
        return fail(err, LACO_EINVAL, -1, "reservoir: blocks does not go with groups; leave one out");
    s->out = s->units + (s->direct ? s->in : 0), *count = 0;
    add_tensor(t, count, "weight_ih", s->units, s->in, !s->trained);
    add_tensor(t, count, "weight_hh", s->units, reservoir_degree(s), !s->trained);
    add_tensor(t, count, "bias", s->units, 0, !s->trained);
    add_tensor(t, count, "leak", s->units, 0, true);
    return LACO_OK;
}
static void reservoir_free(layer *l)
{
    if (!l) return;
    matrix_free(&l->in), matrix_free(&l->all);
    mem_free(l->value), mem_free(l->input), mem_free(l->bias), mem_free(l->leak), mem_free(l->column), mem_free(l->at);
    mem_free(l->h.y), mem_free(l->scratch), mem_free(l->s), mem_free(l->kept), mem_free(l->dz), mem_free(l->work);
    mem_free(l);
}
static laco_status make_weights(layer *l, laco_error *err)
{
    const int64_t Np = l->Np;
    bool ok = (l->bias = mem_new((size_t)Np, sizeof(real))) && (l->leak = mem_new((size_t)Np, sizeof(real)));
    if (ok && l->I > FEW_INPUTS) ok = matrix_new(&l->in, l->N, l->I);
    if (ok) ok = (l->input = mem_new((size_t)(Np * l->I), sizeof(real)));
    if (ok && l->way == READ_ALL) ok = matrix_new(&l->all, l->N, l->N);
    if (ok && l->way != READ_ALL)
        ok = (l->value = mem_new((size_t)(Np * l->K), sizeof(real))) && (l->column = reservoir_columns(&l->h.s)) &&
             (l->at = mem_new((size_t)((l->way == READ_BLOCKS ? Np / NEIGHBOURS : Np) * l->K), sizeof *l->at));
    return ok ? LACO_OK : fail_memory(err, (size_t)(Np * (l->K + l->I)) * sizeof(real));
}
/* Columns in the order in which they are read. */
static void place_columns(layer *l)
{
    if (l->way == READ_BLOCKS)
        for (int64_t b = 0; b < ceil_div(l->N, NEIGHBOURS); b++)
            memcpy(l->at + b * l->K, l->column + b * NEIGHBOURS * l->K, (size_t)l->K * sizeof *l->at);
    else
        for (int64_t i = 0; i < l->N; i++)
            for (int64_t k = 0; k < l->K; k++)
                l->at[(i / GROUP * l->K + k) * GROUP + i % GROUP] = (uint32_t)l->column[i * l->K + k];
}
static laco_status reservoir_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->N = s->units, l->K = reservoir_degree(s);
    l->I = s->in, l->Np = ceil_div(l->N, GROUP) * GROUP, l->h.ldy = row_stride(max64(l->Np, s->out));
    l->stride = row_stride(l->Np), l->wide = row_stride(l->Np + NEIGHBOURS);
    l->way = s->topology == RESERVOIR_BLOCKS ? READ_BLOCKS : l->K == l->N ? READ_ALL : READ_LANES;
    l->scratch = mem_new((size_t)(pool_threads(p) * SHARD * l->wide), sizeof(real));
    laco_status st = l->scratch ? make_weights(l, err) : fail_memory(err, (size_t)l->wide * sizeof(real));
    if (st) return reservoir_free(l), st;
    if (l->at) place_columns(l);
    return *out = l, LACO_OK;
}
static const real *weight_hh(const layer *l) { return l->h.w + l->N * l->I; }
static void pack_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    if (i < matrix_packs(&l->in, l->train) && l->I > FEW_INPUTS)
        matrix_pack(&l->in, l->h.w, i);
    if (i < matrix_packs(&l->all, l->train) && l->way == READ_ALL) matrix_pack(&l->all, weight_hh(l), i);
}
static void reservoir_load(layer *l, const void *w, bool train)
{
    const real *hidden = (const real *)w + l->N * l->I, *bias = hidden + l->N * l->K, *leak = bias + l->N;
    l->h.w = w, l->train = train;
    int64_t packs = l->I > FEW_INPUTS ? matrix_packs(&l->in, train) : 0;
    if (l->way == READ_ALL) packs = max64(packs, matrix_packs(&l->all, train));
    if (packs) pool_run(l->h.pool, packs, pack_task, l);
    for (int64_t i = 0; i < l->N; i++) {
        l->bias[i] = bias[i], l->leak[i] = leak[i];
        for (int64_t j = 0; j < l->I; j++) l->input[j * l->Np + i] = l->h.w[i * l->I + j];
        for (int64_t k = 0; l->value && k < l->K; k++)
            l->value[(i / GROUP * l->K + k) * GROUP + i % GROUP] = hidden[i * l->K + k];
    }
}
static size_t reservoir_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    size_t tape = rows_bytes(rows, l->h.ldy) + rows_bytes(batch, l->stride) + (train ? rows_bytes(rows, l->Np) : 0);
    return tape * (size_t)tapes + (train ? rows_bytes(rows, l->Np) + rows_bytes(batch, l->Np) : 0);
}
static laco_status reservoir_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    laco_status st = reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
    if (!st) st = reserve_rows(&l->kept, &l->cap_kept, batch, l->stride, err);
    if (st || !train) return st;
    if (!st) st = reserve_rows(&l->s, &l->cap_s, rows, l->Np, err);
    if (!st) st = reserve_rows(&l->dz, &l->cap_dz, rows, l->Np, err);
    return st ? st : reserve_rows(&l->work, &l->cap_work, batch, l->Np, err);
}
static int reservoir_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    return parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, p, cap_kept), 2;
}
static void reservoir_release(layer *l)
{
    release_rows(&l->h.y, &l->h.cap_rows), release_rows(&l->kept, &l->cap_kept), release_rows(&l->s, &l->cap_s);
}

/* ---- a step of one row ---- */
/* z = W_in u + b + W x of the units of group g, with few inputs; u NULL: z += W x. x is followed by its first 16 numbers
   again. */
INLINE void read_group(const layer *l, reading way, int64_t g, const real *u, const real *x, real *z)
{
    const real *w = l->value + g * l->K * GROUP, *bias = l->bias + g * GROUP, *in = l->input + g * GROUP;
    const uint32_t *at = l->at + g * l->K * (way == READ_BLOCKS ? GROUP / NEIGHBOURS : GROUP);
    vec sum[VECTORS];
    for (int v = 0; v < VECTORS; v++) sum[v] = load((u ? bias : z) + v * LANES);
    for (int64_t j = 0; u && j < l->I; j++)
        for (int v = 0; v < VECTORS; v++) sum[v] += load(in + j * l->Np + v * LANES) * splat(u[j]);
    for (int64_t k = 0; k < l->K; k++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++)
            sum[v] += load(w + k * GROUP + v * LANES) *
                      (way == READ_BLOCKS ? load(x + at[v * LANES / NEIGHBOURS * l->K + k] + v * LANES % NEIGHBOURS)
                                          : gather(x, at + k * GROUP + v * LANES));
    for (int v = 0; v < VECTORS; v++) store(z + v * LANES, sum[v]);
}
static void read_units(const layer *l, const real *u, const real *x, real *z)
{
    const int64_t groups = l->Np / GROUP;
    for (int64_t g = 0; l->way == READ_BLOCKS && g < groups; g++) read_group(l, READ_BLOCKS, g, u, x, z + g * GROUP);
    for (int64_t g = 0; l->way == READ_LANES && g < groups; g++) read_group(l, READ_LANES, g, u, x, z + g * GROUP);
}
/* z becomes the next state; s: f(z), or NULL. */
INLINE void finish_units(const layer *l, int act, const real *x, real *z, real *s)
{
    for (int64_t i = 0; i < l->Np; i += LANES) {
        const vec before = load(x + i), f = activate(act, load(z + i));
        store(z + i, before + load(l->leak + i) * (f - before));
        if (s) store(s + i, f);
    }
}
static void finish_row(const layer *l, const real *x, real *z, real *s)
{
    const int act = l->h.s.act;
    if (act == ACT_TANH)
        finish_units(l, ACT_TANH, x, z, s);
    else if (act == ACT_SIGMOID)
        finish_units(l, ACT_SIGMOID, x, z, s);
    else if (act == ACT_RELU)
        finish_units(l, ACT_RELU, x, z, s);
    else
        finish_units(l, ACT_LINEAR, x, z, s);
}

/* Of m rows one below the other, from the states `before` (NULL: zeros) to `to`; s: of f, or NULL; wide: room. */
typedef struct rows_step {
    int64_t m, ldu, ldb, ldto, lds;
    const real *u, *before;
    real *wide, *to, *s;
} rows_step;
/* x as it is read: blocks read beyond its end. */
static void widen(const layer *l, rows_step *r)
{
    for (int64_t i = 0; i < r->m; i++) {
        real *x = r->wide + i * l->wide;
        if (r->before)
            memcpy(x, r->before + i * r->ldb, (size_t)l->N * sizeof(real));
        else
            memset(x, 0, (size_t)l->N * sizeof(real));
        for (int64_t j = 0; j < NEIGHBOURS; j++) x[l->N + j] = x[j % l->N];
    }
    r->before = r->wide, r->ldb = l->wide;
}
/* z = W_in u + b of all units, by matrix products where those pay. */
static void begin_rows(const layer *l, const rows_step *r)
{
    for (int64_t i = 0; i < r->m; i++) {
        real *z = r->to + i * r->ldto;
        memcpy(z, l->bias, (size_t)l->Np * sizeof(real));
        for (int64_t j = 0; l->I <= FEW_INPUTS && j < l->I; j++)
            for (int64_t k = 0; k < l->Np; k += LANES)
                store(z + k, load(z + k) + splat(r->u[i * r->ldu + j]) * load(l->input + j * l->Np + k));
    }
    if (l->I > FEW_INPUTS) gemm_rows(r->m, l->N, l->I, r->u, r->ldu, l->in.W, r->to, r->ldto, true);
    if (l->way == READ_ALL) gemm_rows(r->m, l->N, l->N, r->before, r->ldb, l->all.W, r->to, r->ldto, true);
}
static void step_rows(const layer *l, rows_step r)
{
    const bool sparse = l->I <= FEW_INPUTS && l->way != READ_ALL;
    if (!r.before || l->way == READ_BLOCKS) widen(l, &r);
    if (!sparse) begin_rows(l, &r);
    for (int64_t i = 0; i < r.m; i++) {
        const real *x = r.before + i * r.ldb;
        real *z = r.to + i * r.ldto;
        read_units(l, sparse ? r.u + i * r.ldu : NULL, x, z);
        finish_row(l, x, z, r.s ? r.s + i * r.lds : NULL);
    }
}

/* ---- forward ---- */
static uint64_t noise_at(const layer *l, int64_t row, int64_t step)
{
    const pass *p = l->p;
    return (uint64_t)p->update << 40 ^ (uint64_t)(p->first_row + row) << 20 ^ (uint64_t)(p->first_step + step);
}
static void add_noise(const layer *l, int64_t row, int64_t step, real *x)
{
    const uint64_t seed = l->p->seed + ((uint64_t)l->h.s.index << 56), at = noise_at(l, row, step);
    for (int64_t i = 0; i < l->N; i++)
        x[i] += (real)(l->h.s.noise * rng_normal(seed ^ (uint64_t)i << 32, RNG_STATE_NOISE, at));
}
static void forward_shard(void *ctx, int64_t shard, int thread)
{
    layer *l = ctx;
    const ragged *g = &l->p->b;
    const int64_t b = shard * SHARD;
    rows_step r = { .ldu = l->ldx, .ldto = l->h.ldy, .lds = l->Np, .wide = l->scratch + thread * SHARD * l->wide,
                    .before = l->initial ? l->initial + b * l->stride : NULL, .ldb = l->stride };
    for (int64_t t = 0; t < g->T && g->active[t] > b; t++) {
        const int64_t row = g->off[t] + b;
        r.m = min64(SHARD, g->active[t] - b), r.u = l->x + row * l->ldx, r.to = l->h.y + row * l->h.ldy;
        r.s = l->p->train ? l->s + row * l->Np : NULL;
        step_rows(l, r);
        for (int64_t i = 0; i < r.m; i++) {
            const bool last = t + 1 == g->T || g->active[t + 1] <= b + i;
            real *x = r.to + i * r.ldto;
            if (l->p->train && l->h.s.noise > 0) add_noise(l, b + i, t, x);
            if (l->h.s.direct) memcpy(x + l->N, r.u + i * r.ldu, (size_t)l->I * sizeof(real));
            if (l->final && last) memcpy(l->final + (b + i) * l->stride, x, (size_t)l->N * sizeof(real));
        }
        r.before = r.to, r.ldb = r.ldto;
    }
}
static void reservoir_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    l->p = p, l->x = x, l->ldx = ldx, l->initial = initial ? l->kept : NULL, l->final = final;
    if (initial) memcpy(l->kept, initial, (size_t)(p->b.B * l->stride) * sizeof(real));
    pool_run(l->h.pool, ceil_div(p->b.B, SHARD), forward_shard, l);
}
static const void *reservoir_output(const layer *l, int64_t *ld) { return *ld = l->h.ldy, l->h.y; }

/* ---- backward ---- of a row, from its last step to its first */
/* to[column] += w dz of all units */
static void back_through(const layer *l, const real *dz, real *to)
{
    const real *w = weight_hh(l);
    for (int64_t i = 0; i < l->N; i++)
        for (int64_t k = 0; k < l->K; k++) to[l->column ? l->column[i * l->K + k] : k] += w[i * l->K + k] * dz[i];
}
static void back_input(const layer *l, const real *dz, const real *dy, real *dx)
{
    for (int64_t j = 0; j < l->I; j++) {
        const real *w = l->input + j * l->Np;
        vec sum = splat(0);
        for (int64_t k = 0; k < l->Np; k += LANES) sum += load(w + k) * load(dz + k);
        dx[j] = lane_sum(sum) + (l->h.s.direct ? dy[l->N + j] : 0);
    }
}
static void back_row(void *ctx, int64_t b, int thread)
{
    layer *l = ctx;
    const ragged *g = &l->p->b;
    real *d = l->work + b * l->Np, *carry = l->carry ? l->carry + b * l->stride : NULL;
    int64_t T = 0;
    (void)thread;
    memset(d, 0, (size_t)l->Np * sizeof(real));
    if (carry) memcpy(d, carry, (size_t)l->N * sizeof(real));
    while (T < g->T && g->active[T] > b) T++;
    for (int64_t t = T - 1; t >= 0; t--) {
        const int64_t row = g->off[t] + b;
        const real *dy = l->dy + row * l->lddy, *s = l->s + row * l->Np;
        real *dz = l->dz + row * l->Np;
        for (int64_t i = 0; i < l->N; i++) {
            const real dx = d[i] + dy[i];
            dz[i] = l->leak[i] * dx * d_activate(l->h.s.act, splat(s[i]))[0], d[i] = (1 - l->leak[i]) * dx;
        }
        for (int64_t i = l->N; i < l->Np; i++) dz[i] = 0;
        back_through(l, dz, d);
        if (l->dx) back_input(l, dz, dy, l->dx + row * l->lddx);
    }
    if (carry) memcpy(carry, d, (size_t)l->N * sizeof(real));
}
/* The state of row b before step t; NULL: zeros. */
static const real *state_before(const layer *l, int64_t b, int64_t t)
{
    if (t) return l->h.y + (l->p->b.off[t - 1] + b) * l->h.ldy;
    return l->initial ? l->initial + b * l->stride : NULL;
}
/* The first unit of a group of a delay line reads nothing. */
static bool reads(const layer *l, int64_t i) { return l->h.s.topology != RESERVOIR_DELAY_LINE || (i && l->column[i] == i - 1); }
/* The gradients of the weights of some units, rows in their order. */
enum { UNITS = 64 };
static void weights_task(void *ctx, int64_t task, int thread)
{
    layer *l = ctx;
    const ragged *g = &l->p->b;
    real *hidden = l->dw + l->N * l->I, *bias = hidden + l->N * l->K;
    (void)thread;
    for (int64_t t = 0; t < g->T; t++)
        for (int64_t b = 0; b < g->active[t]; b++) {
            const real *x = state_before(l, b, t), *u = l->x + (g->off[t] + b) * l->ldx, *dz = l->dz + (g->off[t] + b) * l->Np;
            for (int64_t i = task * UNITS; i < min64(l->N, (task + 1) * UNITS); i++) {
                for (int64_t j = 0; j < l->I; j++) l->dw[i * l->I + j] += dz[i] * u[j];
                for (int64_t k = 0; x && reads(l, i) && k < l->K; k++)
                    hidden[i * l->K + k] += dz[i] * x[l->column ? l->column[i * l->K + k] : k];
                bias[i] += dz[i];
            }
        }
}
static void reservoir_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                               int64_t lddx)
{
    if (!dx && !l->h.s.trained) return;
    l->p = p, l->dy = dy, l->lddy = ldy, l->carry = carry, l->dx = dx, l->lddx = lddx, l->dw = dparams;
    pool_run(l->h.pool, p->b.B, back_row, l);
    if (l->h.s.trained) pool_run(l->h.pool, ceil_div(l->N, UNITS), weights_task, l);
}

/* ---- streaming ---- */
static int64_t reservoir_state(const layer *l) { return l->stride; }
static int reservoir_states(const layer *l, int64_t *at, int64_t *width) { return *at = 0, *width = l->N, 1; }
static void reservoir_init(const layer *l, void *row) { memset(row, 0, (size_t)l->stride * sizeof(real)); }
static int64_t reservoir_own(const layer *l, int64_t m) { return SHARD * l->wide + 0 * m; }
static void reservoir_step(const layer *l, const step_call *c)
{
    int64_t from, to;
    team_share(c->t, ceil_div(c->m, SHARD), &from, &to);
    for (int64_t i = from * SHARD; i < min64(c->m, to * SHARD); i += SHARD) {
        real *x = (real *)c->sn + i * l->stride;
        const rows_step r = { .m = min64(SHARD, c->m - i), .u = row_in(c, i), .ldu = c->ldx, .wide = c->own,
                              .before = (const real *)c->s + i * l->stride, .ldb = l->stride, .to = x, .ldto = l->stride };
        step_rows(l, r);
        for (int64_t k = 0; k < r.m; k++) {
            real *y = row_out(c, i + k);
            memcpy(y, x + k * l->stride, (size_t)l->N * sizeof(real));
            if (l->h.s.direct) memcpy(y + l->N, r.u + k * r.ldu, (size_t)l->I * sizeof(real));
        }
    }
}
static int64_t reservoir_work(const layer *l) { return l->N * (l->K + l->I); }
extern const layer_kind N(reservoir_layer);
const layer_kind N(reservoir_layer) = { "reservoir",        "units with fixed random weights and a memory that fades (echo states)",
                                        reservoir_describe, reservoir_make,
                                        reservoir_free,     no_weights,
                                        reservoir_load,     reservoir_bytes,
                                        reservoir_reserve,  reservoir_tape,
                                        reservoir_release,  reservoir_forward,
                                        reservoir_output,   reservoir_backward,
                                        reservoir_state,    reservoir_states,
                                        reservoir_init,     no_scratch,
                                        reservoir_own,      reservoir_step,
                                        reservoir_work,     no_inside };
