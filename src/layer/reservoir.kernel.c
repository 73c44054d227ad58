/* reservoir N: an echo state network without its readout (Jaeger 2001; leaky units: Jaeger et al. 2007),

       x(t) = (1 - a) x(t-1) + a f + noise,    f = act(W_in u(t) + W x(t-1) + b),

   whose weights stay as they were drawn (layer/reservoir.h); with `trained` they learn. Output: x, and with `direct`
   behind it u. Noise, in training alone: S times a normal number that is a function of (seed, layer, update, row, unit).

   On the way back, D = dL/dx(t) with what comes from later steps:

       dz = a D act'(f)      D <- (1 - a) D + W^T dz      du = W_in^T dz (+ dy behind x, with direct)
       dW_in = dz u^T   dW[i][k] = dz[i] x(t-1)[column[i][k]]   db = dz; leaks do not learn

   Layouts of W, chosen when the layer is made: sliced (layer/sliced.h) for few connections; packed panels of a whole
   matrix (layer/matrix.h) from a quarter of all on. A row of states is one of output: the next step reads it there. */
#include "layer/reservoir.h"
#include "layer/matrix.h"
#include "layer/sliced.h"
#include "math/activation.h"
#include "math/normal.h"

enum { WHOLE_SHARE = 4, /* a whole matrix from N / 4 connections on */
       FEW_INPUTS = 8,  /* so many are multiplied where they are needed; more by a matrix product before */
       SHARD = 32,      /* rows of a task where there are matrix products */
       UNITS = 64 };    /* of a task of weight gradients */
struct layer {
    layer_head h;
    int64_t n, K, ls; /* units; connections of each; stride of states */
    int32_t *column;  /* [n][K] */
    bool train;
    bool whole, many; /* W is a whole matrix; there are many inputs */
    sliced few;
    matrix w, wi;
    real *full;             /* [n][n] W, to be packed */
    real *in, *bias, *leak; /* [inputs][ls]; [ls] each: zeros behind unit n */
    const pass *p;           /* to cap_start: of the tape */
    const real *x;
    int64_t ldx;
    real *f, *start; /* [R][ls], in training; on the way back dz. [B][ls] where the window began */
    int64_t cap_f, cap_start;
    real *work; /* [B][ls] D */
    int64_t cap_work;
    real *final, *carry, *dx, *dw;
    const real *dy;
    int64_t lddy, lddx;
};
static int64_t shard_of(const layer *l) { return l->whole || l->many ? SHARD : 1; }

/* ---- life ---- */
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
    const int64_t n = s->units / s->groups, places = n - min64(n, RESERVOIR_NEIGHBOURS) + 1;
    if (s->topology == RESERVOIR_BLOCKS && reservoir_degree(s) > places)
        return fail(err, LACO_EINVAL, -1,
                    "reservoir: blocks read %d neighbours each, for which %lld units have %lld places, fewer than the "
                    "%lld connections of each unit; lower density or leave blocks out",
                    RESERVOIR_NEIGHBOURS, (long long)n, (long long)places, (long long)reservoir_degree(s));
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
    mem_free(l->h.y), mem_free(l->column), sliced_free(&l->few), matrix_free(&l->w), matrix_free(&l->wi);
    mem_free(l->full), mem_free(l->in), mem_free(l->f), mem_free(l->start), mem_free(l->work), mem_free(l);
}
static bool take_weights(layer *l)
{
    const size_t n = (size_t)l->n;
    l->column = reservoir_columns(&l->h.s), l->in = mem_new((size_t)(l->h.s.in + 2), (size_t)l->ls * sizeof(real));
    if (!l->column || !l->in || (l->many && !matrix_new(&l->wi, l->n, l->h.s.in))) return false;
    l->bias = l->in + l->h.s.in * l->ls, l->leak = l->bias + l->ls;
    if (!l->whole) return sliced_new(&l->few, l->n, l->K, l->column);
    return matrix_new(&l->w, l->n, l->n) && (l->full = mem_new(n, n * sizeof(real)));
}
static laco_status reservoir_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->n = s->units, l->ls = row_stride(ceil_div(s->units, SLICE_ROWS) * SLICE_ROWS);
    l->h.ldy = row_stride(max64(l->ls, s->out)), l->K = reservoir_degree(s);
    l->whole = l->K * WHOLE_SHARE >= l->n, l->many = s->in > FEW_INPUTS;
    if (take_weights(l)) return *out = l, LACO_OK;
    reservoir_free(l);
    return fail_memory(err, (size_t)(s->units * (l->whole ? s->units : l->K)) * sizeof(real));
}
static const real *weights_of(const layer *l) { return l->h.w + l->n * l->h.s.in; } /* [n][K] */
static int64_t packs_of(const matrix *m, bool train) { return m->W ? matrix_packs(m, train) : 0; }
static void pack_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    const int64_t first = packs_of(&l->w, l->train);
    (void)thread;
    if (i < first)
        matrix_pack(&l->w, l->full, i);
    else
        matrix_pack(&l->wi, l->h.w, i - first);
}
static void reservoir_load(layer *l, const void *w, bool train)
{
    l->h.w = w, l->train = train;
    const real *hh = weights_of(l), *bias = hh + l->n * l->K;
    for (int64_t k = 0; k < l->h.s.in; k++)
        for (int64_t i = 0; i < l->n; i++) l->in[k * l->ls + i] = l->h.w[i * l->h.s.in + k];
    memcpy(l->bias, bias, (size_t)l->n * sizeof(real)), memcpy(l->leak, bias + l->n, (size_t)l->n * sizeof(real));
    if (!l->whole) sliced_pack(&l->few, hh);
    for (int64_t i = 0; l->whole && i < l->n; i++)
        for (int64_t k = 0; k < l->K; k++) l->full[i * l->n + l->column[i * l->K + k]] = hh[i * l->K + k];
    pool_run(l->h.pool, packs_of(&l->w, train) + packs_of(&l->wi, train), pack_task, l);
}
static size_t reservoir_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    size_t tape = rows_bytes(rows, l->h.ldy) + rows_bytes(batch, l->ls) + (train ? rows_bytes(rows, l->ls) : 0);
    return tape * (size_t)tapes + (train ? rows_bytes(batch, l->ls) : 0);
}
static laco_status reservoir_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    laco_status st = reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
    if (!st) st = reserve_rows(&l->start, &l->cap_start, batch, l->ls, err);
    if (!st && train) st = reserve_rows(&l->f, &l->cap_f, rows, l->ls, err);
    return st || !train ? st : reserve_rows(&l->work, &l->cap_work, batch, l->ls, err);
}
static int reservoir_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    return parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, p, cap_start), 2;
}
static void reservoir_release(layer *l)
{
    release_rows(&l->h.y, &l->h.cap_rows), release_rows(&l->f, &l->cap_f), release_rows(&l->start, &l->cap_start);
}


/* ---- forward ---- m rows of one step */
typedef struct rows {
    int64_t m, ldu, ldx, ldy;
    const real *u, *x; /* inputs; states before */
    real *y, *f;       /* states after; NULL, or f [m][ls] */
} rows;
/* Slices `from` to `to` of one row. begun: y holds what matrix products made of z. */
INLINE void update_row(const layer *l, int act, bool begun, const real *u, const real *x, real *y, real *f,
                       int64_t from, int64_t to)
{
    const int64_t inputs = l->many ? 0 : l->h.s.in;
    const sliced few = l->few;
    for (int64_t g = from; g < to; g++) {
        const int64_t at = g * SLICE_ROWS;
        vec z[SLICE];
        for (int v = 0; v < SLICE; v++) z[v] = load(l->bias + at + v * LANES);
        for (int v = 0; begun && v < SLICE; v++) z[v] += load(y + at + v * LANES);
        for (int64_t k = 0; k < inputs; k++)
            for (int v = 0; v < SLICE; v++) z[v] += splat(u[k]) * load(l->in + k * l->ls + at + v * LANES);
        if (few.value) sliced_product(&few, g, x, z);
        for (int v = 0; v < SLICE; v++) {
            const int64_t i = at + v * LANES;
            const vec old = load(x + i), now = activate(act, z[v]);
            store(y + i, old + load(l->leak + i) * (now - old));
            if (f) store(f + i, now);
        }
    }
}
INLINE void update_rows(const layer *l, int act, const rows *r, int64_t from, int64_t to)
{
    for (int64_t i = 0; i < r->m; i++)
        update_row(l, act, l->whole || l->many, r->u + i * r->ldu, r->x + i * r->ldx, r->y + i * r->ldy,
                   r->f ? r->f + i * l->ls : NULL, from, to);
}
/* Slices `from` to `to`, which are whole panels of matrices. */
static void update(const layer *l, const rows *r, int64_t from, int64_t to)
{
    const row_group u = { r->m, r->u, r->y }, x = { r->m, r->x, r->y };
    const int64_t n = l->n, panels = SLICE / NV, first = from * panels, end = min64(to * panels, ceil_div(n, PANEL));
    if (l->many) gemm_groups(&u, 1, n, l->h.s.in, r->ldu, l->wi.W, r->ldy, false, first, end);
    if (l->whole) gemm_groups(&x, 1, n, n, r->ldx, l->w.W, r->ldy, l->many, first, end);
    switch (l->h.s.act) {
    case ACT_TANH:
        update_rows(l, ACT_TANH, r, from, to);
        break;
    case ACT_SIGMOID:
        update_rows(l, ACT_SIGMOID, r, from, to);
        break;
    case ACT_RELU:
        update_rows(l, ACT_RELU, r, from, to);
        break;
    default:
        update_rows(l, ACT_LINEAR, r, from, to);
    }
}
static int64_t slices(const layer *l) { return ceil_div(l->n, SLICE_ROWS); }
static void add_noise(const layer *l, int64_t place, real *y)
{
    const uint64_t purpose = mask_purpose(RNG_STATE_NOISE, l->h.s.index, l->p->update);
    const int64_t groups = ceil_div(l->n, NORMAL_GROUP);
    real noise[NORMAL_GROUP];
    for (int64_t g = 0; g < groups; g++) {
        const int64_t at = g * NORMAL_GROUP;
        normal_group(l->p->seed, purpose, place * groups + g, noise);
        for (int64_t i = 0; i < min64(NORMAL_GROUP, l->n - at); i++) y[at + i] += (real)l->h.s.noise * noise[i];
    }
}
/* The state of row b before step t. */
static const real *state_before(const layer *l, int64_t t, int64_t b)
{
    return t ? l->h.y + (l->p->b.off[t - 1] + b) * l->h.ldy : l->start + b * l->ls;
}
static int64_t length_of(const ragged *g, int64_t b)
{
    int64_t T = 0;
    while (T < g->T && g->active[T] > b) T++;
    return T;
}
static void forward_task(void *ctx, int64_t task, int thread)
{
    layer *l = ctx;
    const ragged *g = &l->p->b;
    const int64_t b = task * shard_of(l), end = min64(g->B, b + shard_of(l));
    const bool noisy = l->p->train && l->h.s.noise > 0;
    (void)thread;
    for (int64_t t = 0; t < g->T && g->active[t] > b; t++) {
        const int64_t row = g->off[t] + b;
        const rows r = { .m = min64(end, g->active[t]) - b,
                         .u = l->x + row * l->ldx,
                         .ldu = l->ldx,
                         .x = state_before(l, t, b),
                         .ldx = t ? l->h.ldy : l->ls,
                         .y = l->h.y + row * l->h.ldy,
                         .ldy = l->h.ldy,
                         .f = l->p->b.R <= l->cap_f ? l->f + row * l->ls : NULL };
        update(l, &r, 0, slices(l));
        for (int64_t i = 0; i < r.m; i++) {
            if (noisy) add_noise(l, l->p->first_row + row + i, r.y + i * r.ldy);
            if (l->h.s.direct) memcpy(r.y + i * r.ldy + l->n, r.u + i * r.ldu, (size_t)l->h.s.in * sizeof(real));
        }
    }
    for (int64_t i = b; l->final && i < end; i++)
        memcpy(l->final + i * l->ls, state_before(l, length_of(g, i), i), (size_t)l->n * sizeof(real));
}
static void reservoir_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    const size_t states = (size_t)(p->b.B * l->ls) * sizeof(real);
    l->p = p, l->x = x, l->ldx = ldx, l->final = final;
    initial ? memcpy(l->start, initial, states) : memset(l->start, 0, states);
    pool_run(l->h.pool, ceil_div(p->b.B, shard_of(l)), forward_task, l);
}
static const void *reservoir_output(const layer *l, int64_t *ld) { return *ld = l->h.ldy, l->h.y; }

/* ---- backward ---- dz of a row in place of f, and what it gives the state before */
static void back_row(layer *l, int64_t t, int64_t b)
{
    const int64_t row = l->p->b.off[t] + b, n = l->n;
    const real *dy = l->dy + row * l->lddy;
    real *D = l->work + b * l->ls, *f = l->f + row * l->ls;
    for (int64_t i = 0; i < n; i++) D[i] += dy[i];
    for (int64_t i = 0; i < n; i += LANES) {
        const vec a = load(l->leak + i), d = load(D + i);
        store(f + i, a * d * d_activate(l->h.s.act, load(f + i)));
        store(D + i, d - a * d);
    }
    for (int64_t i = n; i < l->ls; i++) f[i] = 0;
}
static void scatter_row(const layer *l, const real *dz, real *D)
{
    const real *w = weights_of(l);
    const int32_t *column = l->column;
    for (int64_t i = 0; i < l->n; i++, w += l->K, column += l->K)
        for (int64_t k = 0; k < l->K; k++) D[column[k]] += w[k] * dz[i];
}
static void back_states_task(void *ctx, int64_t task, int thread)
{
    layer *l = ctx;
    const ragged *g = &l->p->b;
    const int64_t b = task * shard_of(l), end = min64(g->B, b + shard_of(l));
    const size_t size = (size_t)((end - b) * l->ls) * sizeof(real);
    real *D = l->work + b * l->ls;
    (void)thread;
    l->carry ? memcpy(D, l->carry + b * l->ls, size) : memset(D, 0, size);
    for (int64_t t = length_of(g, b) - 1; t >= 0; t--) {
        const int64_t m = min64(end, g->active[t]) - b;
        real *dz = l->f + (g->off[t] + b) * l->ls;
        for (int64_t i = 0; i < m; i++) back_row(l, t, b + i);
        if (l->whole) matrix_back(&l->w, m, dz, l->ls, D, l->ls, true);
        for (int64_t i = 0; !l->whole && i < m; i++) scatter_row(l, dz + i * l->ls, D + i * l->ls);
    }
    if (l->carry) memcpy(l->carry + b * l->ls, D, size);
}
/* dx of rows `from` to `to` */
static void back_inputs(const layer *l, int64_t from, int64_t to)
{
    if (l->many) matrix_back(&l->wi, to - from, l->f + from * l->ls, l->ls, l->dx + from * l->lddx, l->lddx, false);
    for (int64_t r = from; r < to; r++) {
        const real *dz = l->f + r * l->ls, *dy = l->dy + r * l->lddy + l->n;
        real *dx = l->dx + r * l->lddx;
        for (int64_t k = 0; !l->many && k < l->h.s.in; k++) {
            vec sum = splat(0);
            for (int64_t i = 0; i < l->n; i += LANES) sum += load(l->in + k * l->ls + i) * load(dz + i);
            dx[k] = lane_sum(sum);
        }
        for (int64_t k = 0; l->h.s.direct && k < l->h.s.in; k++) dx[k] += dy[k];
    }
}
/* What a row adds to the gradients of a unit. */
static void add_gradient(const layer *l, int64_t i, real dz, const real *u, const real *x)
{
    const int64_t in = l->h.s.in, hh = l->n * in;
    const int32_t *column = l->column + i * l->K;
    for (int64_t k = 0; k < in; k++) l->dw[i * in + k] += dz * u[k];
    l->dw[hh + l->n * l->K + i] += dz;
    if (l->h.s.topology == RESERVOIR_DELAY_LINE && *column == i) return; /* it reads nobody */
    for (int64_t k = 0; k < l->K; k++) l->dw[hh + i * l->K + k] += dz * x[column[k]];
}
static void add_gradients(const layer *l, int64_t from, int64_t to)
{
    const ragged *g = &l->p->b;
    for (int64_t t = 0; t < g->T; t++)
        for (int64_t b = 0; b < g->active[t]; b++) {
            const int64_t row = g->off[t] + b;
            const real *x = state_before(l, t, b);
            for (int64_t i = from; i < to; i++) add_gradient(l, i, l->f[row * l->ls + i], l->x + row * l->ldx, x);
        }
}
/* Blocks of rows of dx, then blocks of units. */
static void back_rest_task(void *ctx, int64_t task, int thread)
{
    layer *l = ctx;
    const int64_t blocks = l->dx ? ceil_div(l->p->b.R, ROWS_PER_TASK) : 0;
    (void)thread;
    if (task >= blocks) {
        const int64_t i = (task - blocks) * UNITS;
        add_gradients(l, i, min64(l->n, i + UNITS));
    } else
        back_inputs(l, task * ROWS_PER_TASK, min64(l->p->b.R, (task + 1) * ROWS_PER_TASK));
}
static void reservoir_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams,
                               void *dx, int64_t lddx)
{
    l->p = p, l->dy = dy, l->lddy = ldy, l->carry = carry, l->dw = dparams, l->dx = dx, l->lddx = lddx;
    if (!dx && !carry && !l->h.s.trained) return; /* nothing learns behind it */
    pool_run(l->h.pool, ceil_div(p->b.B, shard_of(l)), back_states_task, l);
    const int64_t blocks = dx ? ceil_div(p->b.R, ROWS_PER_TASK) : 0;
    pool_run(l->h.pool, blocks + (l->h.s.trained ? ceil_div(l->n, UNITS) : 0), back_rest_task, l);
}

/* ---- streaming ---- */
static int64_t reservoir_state(const layer *l) { return l->ls; }
static int reservoir_states(const layer *l, int64_t *at, int64_t *width) { return *at = 0, *width = l->n, 1; }
static void reservoir_init(const layer *l, void *row) { memset(row, 0, (size_t)l->ls * sizeof(real)); }
static void reservoir_step(const layer *l, const step_call *c)
{
    int64_t from, to;
    team_share(c->t, slices(l), &from, &to);
    for (int64_t i = 0; i < c->m && from < to; i += SHARD) {
        const rows r = { .m = min64(SHARD, c->m - i),
                         .u = row_in(c, i),
                         .ldu = c->ldx,
                         .x = (const real *)c->s + i * l->ls,
                         .ldx = l->ls,
                         .y = (real *)c->sn + i * l->ls,
                         .ldy = l->ls };
        update(l, &r, from, to);
    }
    for (int64_t i = 0; i < c->m; i++) {
        const int64_t at = from * SLICE_ROWS, end = min64(l->n, to * SLICE_ROWS);
        if (at < end) memcpy(row_out(c, i) + at, (real *)c->sn + i * l->ls + at, (size_t)(end - at) * sizeof(real));
        if (l->h.s.direct && first_member(c)) memcpy(row_out(c, i) + l->n, row_in(c, i), (size_t)l->h.s.in * sizeof(real));
    }
}
static int64_t reservoir_work(const layer *l) { return l->n * (l->K + l->h.s.in); }
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
                                        no_scratch,         reservoir_step,
                                        reservoir_work,     no_inside };
