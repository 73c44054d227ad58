/* nade H: answers that depend on each other, such as the keys of a chord, as a chain from the first to the last (the
   neural autoregressive distribution estimator, Larochelle & Murray 2011; behind a recurrent network the RNN-NADE of
   Boulanger-Lewandowski et al. 2012). The n + H numbers of its input are the biases b of the answers and those, c[0],
   of H units of its own:

       h[i] = s(c[i])      y[i] = b[i] + V[i] h[i]      c[i+1] = c[i] + v[i] W[i]      s: the sigmoid

   y[i] is the logit of answer i given the answers v[0] .. v[i-1], so that the Bernoulli loss of y is the exact -log
   p(v). v are the right answers where the pass knows them, otherwise those the chain itself thinks likelier; one that
   does not count (NaN) is taken as 0. Going back, with dy, from the last answer to the first:

       dh = sum of dy[i] V[i] over the answers of one h      dV[i] = dy[i] h      dc += dh h (1 - h)      dW[i] = v[i]
   dc

   h changes behind an answer that is not 0 only: a stretch of answers shares it. V and W are [n][H], in memory with
   rows of whole vectors. Gradients of the weights are summed in a fixed number of shards of the rows, then over these.
 */
#include "layer/layer_kernel.h"
#include <math.h>

enum { SHARDS = 16, MOST_ANSWERS = 4096, MOST_UNITS = 65536, TOGETHER = 4 };
/* What one thread works with. */
typedef struct chain {
    real *h;      /* [stretches][width] */
    real *c, *dh; /* [width]; dh also where c is gone through again, as dc */
    real *dc;
    int64_t *end; /* [stretches] the last answer of each */
} chain;
struct layer {
    layer_head h;
    int64_t n, units, width; /* answers; units; units in whole vectors */
    real *V, *W;             /* [n][width] */
    real *shard;             /* [SHARDS][2][n][width] gradients of V and W */
    char *own;               /* [threads][own_bytes] */
    size_t own_bytes;
    const real *x; /* to ldx: of the tape */
    const float *given;
    int64_t R, ldx;
    const real *dy;
    real *dw, *dx;
    int64_t lddy, lddx;
};

static laco_status nade_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    if (s->symbols) return fail(err, LACO_EINVAL, -1, "nade needs numbers: put embed before it");
    s->out = s->in - s->size;
    if (s->size < 1 || s->size > MOST_UNITS || s->out < 1 || s->out > MOST_ANSWERS)
        return fail(err, LACO_EINVAL, -1,
                    "nade %lld gets %lld numbers: as many as it has units (up to %d) and one for each answer (1 to %d) "
                    "are needed, as in \"dense 344; nade 256\" for 88",
                    (long long)s->size, (long long)s->in, MOST_UNITS, MOST_ANSWERS);
    static const char *const names[] = { "weight_out", "weight_in" };
    for (int i = 0; i < 2; i++) {
        t[i] = (param_tensor){ .rank = 2,
                               .shape = { s->out, s->size },
                               .size = s->out * s->size,
                               .offset = i * s->out * s->size,
                               .role = INIT_INPUT,
                               .gates = 1,
                               .forget_block = -1 };
        memcpy(t[i].name, names[i], strlen(names[i]) + 1);
    }
    *count = 2;
    return LACO_OK;
}
static void nade_free(layer *l)
{
    if (l) mem_free(l->h.y), mem_free(l->V), mem_free(l->W), mem_free(l->shard), mem_free(l->own);
    mem_free(l);
}
static size_t chain_bytes(int64_t n, int64_t width)
{
    return (size_t)((n + 4) * width) * sizeof(real) + (size_t)ceil_div(n + 1, 8) * 8 * sizeof(int64_t);
}
static chain chain_at(const layer *l, int64_t thread)
{
    char *at = l->own + (size_t)thread * l->own_bytes;
    chain k = { .h = (real *)at };
    k.c = k.h + (l->n + 1) * l->width, k.dh = k.c + l->width, k.dc = k.dh + l->width;
    k.end = (int64_t *)(k.dc + l->width);
    return k;
}
static laco_status nade_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->out);
    l->n = s->out, l->units = s->size, l->width = ceil_div(s->size, PANEL) * PANEL;
    l->own_bytes = ceil_div((int64_t)chain_bytes(l->n, l->width), 64) * 64;
    l->V = mem_new((size_t)(l->n * l->width), sizeof(real)), l->W = mem_new((size_t)(l->n * l->width), sizeof(real));
    l->own = mem_new((size_t)pool_threads(p), l->own_bytes);
    if (!l->V || !l->W || !l->own)
        return nade_free(l), fail_memory(err, (size_t)(2 * l->n * l->width) * sizeof(real) + l->own_bytes);
    *out = l;
    return LACO_OK;
}
static void nade_load(layer *l, const void *w, bool train)
{
    (void)train;
    l->h.w = w;
    for (int64_t i = 0; i < l->n; i++)
        for (int64_t j = 0; j < l->units; j++) {
            l->V[i * l->width + j] = l->h.w[i * l->units + j];
            l->W[i * l->width + j] = l->h.w[(l->n + i) * l->units + j];
        }
}
static int64_t shard_size(const layer *l) { return 2 * l->n * l->width; }
static size_t nade_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    (void)batch;
    return rows_bytes(rows, l->h.ldy) * (size_t)tapes + (train ? (size_t)(SHARDS * shard_size(l)) * sizeof(real) : 0);
}
static laco_status nade_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    (void)batch;
    if (train && !l->shard && !(l->shard = mem_new((size_t)(SHARDS * shard_size(l)), sizeof(real))))
        return fail_memory(err, (size_t)(SHARDS * shard_size(l)) * sizeof(real));
    return reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
}
static int nade_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    return parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, x, ldx), 2;
}
static void nade_release(layer *l) { release_rows(&l->h.y, &l->h.cap_rows); }

/* ---- one row ---- */
static real value_of(const float *given, int64_t i) { return given && given[i] == given[i] ? (real)given[i] : 0; }
/* y[0 .. many) = b + V h, the rows of V one after the other */
INLINE void answers_of(int many, const real *V, int64_t width, const real *h, const real *b, real *y)
{
    vec sum[TOGETHER] = { 0 };
    for (int64_t j = 0; j < width; j += LANES) {
        vec hj = load(h + j);
        for (int k = 0; k < many; k++) sum[k] += load(V + k * width + j) * hj;
    }
    for (int k = 0; k < many; k++) y[k] = b[k] + lane_sum(sum[k]);
}
/* The answers from i on that share h; the place of the last of them, and its value. */
static int64_t stretch(const layer *l, const real *h, const real *b, const float *given, int64_t i, real *y, real *v)
{
    int64_t end = i;
    if (given) {
        while (end + 1 < l->n && value_of(given, end) == 0) end++;
        for (*v = value_of(given, end); i + TOGETHER <= end + 1; i += TOGETHER)
            answers_of(TOGETHER, l->V + i * l->width, l->width, h, b + i, y + i);
        for (; i <= end; i++) answers_of(1, l->V + i * l->width, l->width, h, b + i, y + i);
        return end;
    }
    for (;; end++) {
        answers_of(1, l->V + end * l->width, l->width, h, b + end, y + end);
        if (end + 1 == l->n || y[end] > 0) return *v = y[end] > 0, end;
    }
}
static void begin_units(const layer *l, const real *x, real *c)
{
    for (int64_t j = 0; j < l->width; j++) c[j] = j < l->units ? x[l->n + j] : 0;
}
static void squash(const layer *l, const real *c, real *h)
{
    for (int64_t j = 0; j < l->width; j += LANES) store(h + j, vsigmoid(load(c + j)));
}
/* to += a from */
static void add_scaled(int64_t width, real a, const real *from, real *to)
{
    for (int64_t j = 0; j < width; j += LANES) store(to + j, load(to + j) + a * load(from + j));
}
static void forward_row(const layer *l, const real *x, const float *given, real *y, real *c, real *h)
{
    begin_units(l, x, c);
    for (int64_t i = 0; i < l->n;) {
        real v = 0;
        squash(l, c, h);
        i = stretch(l, h, x, given, i, y, &v) + 1;
        if (v != 0) add_scaled(l->width, v, l->W + (i - 1) * l->width, c);
    }
}

/* ---- back through one row ---- */
/* The h of all stretches again, from the answers that forward went by; how many there are. */
static int64_t retrace(const layer *l, const real *x, const float *given, const real *y, chain *k)
{
    int64_t count = 0;
    begin_units(l, x, k->c);
    for (int64_t i = 0; i < l->n; i++) {
        real v = given ? value_of(given, i) : y[i] > 0;
        if (i + 1 < l->n && v == 0) continue;
        squash(l, k->c, k->h + count * l->width), k->end[count++] = i;
        add_scaled(l->width, v, l->W + i * l->width, k->c);
    }
    return count;
}
/* dV[i] += dy[i] h and dh += dy[i] V[i] for `many` answers */
INLINE void back_answers(int many, int64_t width, const real *dy, const real *h, const real *V, real *dV, real *dh)
{
    for (int64_t j = 0; j < width; j += LANES) {
        vec hj = load(h + j), sum = load(dh + j);
        for (int k = 0; k < many; k++) {
            sum += dy[k] * load(V + k * width + j);
            store(dV + k * width + j, load(dV + k * width + j) + dy[k] * hj);
        }
        store(dh + j, sum);
    }
}
static void back_stretch(const layer *l, int64_t i, int64_t end, const real *dy, const real *h, real *dV, chain *k)
{
    memset(k->dh, 0, (size_t)l->width * sizeof(real));
    for (; i + TOGETHER <= end + 1; i += TOGETHER)
        back_answers(TOGETHER, l->width, dy + i, h, l->V + i * l->width, dV + i * l->width, k->dh);
    for (; i <= end; i++) back_answers(1, l->width, dy + i, h, l->V + i * l->width, dV + i * l->width, k->dh);
    for (int64_t j = 0; j < l->width; j += LANES)
        store(k->dc + j, load(k->dc + j) + load(k->dh + j) * dsigmoid(load(h + j)));
}
static void back_row(const layer *l, const real *x, const float *given, const real *y, const real *dy, real *dx,
                     real *dV, real *dW, chain *k)
{
    memset(k->dc, 0, (size_t)l->width * sizeof(real));
    for (int64_t s = retrace(l, x, given, y, k) - 1; s >= 0; s--) {
        const int64_t before = s ? k->end[s - 1] : -1;
        back_stretch(l, before + 1, k->end[s], dy, k->h + s * l->width, dV, k);
        if (s) add_scaled(l->width, given ? value_of(given, before) : 1, k->dc, dW + before * l->width);
    }
    if (!dx) return;
    memcpy(dx, dy, (size_t)l->n * sizeof(real)), memcpy(dx + l->n, k->dc, (size_t)l->units * sizeof(real));
}

/* ---- batches ---- */
static const float *given_to(const layer *l, int64_t r) { return l->given ? l->given + r * l->n : NULL; }
static void forward_task(void *ctx, int64_t i, int thread)
{
    const layer *l = ctx;
    const chain k = chain_at(l, thread);
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->R, (i + 1) * ROWS_PER_TASK); r++)
        forward_row(l, l->x + r * l->ldx, given_to(l, r), l->h.y + r * l->h.ldy, k.c, k.h);
}
static void nade_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    (void)initial, (void) final;
    l->x = x, l->ldx = ldx, l->R = p->b.R, l->given = p->targets == l->n ? p->target : NULL;
    pool_run(l->h.pool, ceil_div(l->R, ROWS_PER_TASK), forward_task, l);
}
static const void *nade_output(const layer *l, int64_t *ld) { return *ld = l->h.ldy, l->h.y; }
static void shard_task(void *ctx, int64_t i, int thread)
{
    const layer *l = ctx;
    chain k = chain_at(l, thread);
    real *dV = l->shard + i * shard_size(l), *dW = dV + l->n * l->width;
    memset(dV, 0, (size_t)shard_size(l) * sizeof(real));
    for (int64_t r = l->R * i / SHARDS; r < l->R * (i + 1) / SHARDS; r++)
        back_row(l, l->x + r * l->ldx, given_to(l, r), l->h.y + r * l->h.ldy, l->dy + r * l->lddy,
                 l->dx ? l->dx + r * l->lddx : NULL, dV, dW, &k);
}
/* One row of V or W. */
static void gather_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    for (int64_t s = 0; s < SHARDS; s++) {
        const real *from = l->shard + s * shard_size(l) + i * l->width;
        for (int64_t j = 0; j < l->units; j++) l->dw[i * l->units + j] += from[j];
    }
}
static void nade_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                          int64_t lddx)
{
    (void)carry;
    l->R = p->b.R, l->dy = dy, l->lddy = ldy, l->dw = dparams, l->dx = dx, l->lddx = lddx;
    pool_run(l->h.pool, SHARDS, shard_task, l);
    pool_run(l->h.pool, 2 * l->n, gather_task, l);
}
static int64_t nade_own(const layer *l, int64_t m) { return (void)m, 2 * l->width; }
static void nade_step(const layer *l, const step_call *c)
{
    int64_t from, to;
    real *units = c->own;
    team_share(c->t, c->m, &from, &to);
    for (int64_t i = from; i < to; i++) forward_row(l, row_in(c, i), NULL, row_out(c, i), units, units + l->width);
}
static int64_t nade_work(const layer *l) { return l->n * l->units; }
extern const layer_kind N(nade_layer);
const layer_kind N(nade_layer) = { "nade",        "answers in a chain, each given those before it: a last layer",
                                   nade_describe, nade_make,
                                   nade_free,     no_weights,
                                   nade_load,     nade_bytes,
                                   nade_reserve,  nade_tape,
                                   nade_release,  nade_forward,
                                   nade_output,   nade_backward,
                                   no_state,      no_states,
                                   no_init,       no_scratch,
                                   nade_own,      nade_step,
                                   nade_work,     no_inside };
