/* A batch in memory, and the way forward: one product for the inputs of all steps, then every shard of rows through
   time on its own. step_forward serves streaming too. */
#ifndef RECUR_FORWARD_H
#define RECUR_FORWARD_H
#include "cell/norm.h"
#include "cell/recur_layout.h"
#include "math/gemm.h"

/* ---- memory of a batch ---- */
typedef struct need {
    void **to;
    int64_t n;
    size_t size;
} need;
enum { NEEDS = 8 };
static void list_needs(recur *r, int64_t rows, int64_t batch, bool train, need out[NEEDS])
{
    const cell_shape *sh = &r->sh;
    bool two = sh->stages == 2 && r->count[2], project = sh->project != NO_TENSOR;
    /* reads of whole vectors and tiles may touch a little past the last row */
    need n[NEEDS] = {
        { (void **)&r->g, rows * r->lg + PANEL, sizeof(real) },
        { (void **)&r->s, (batch + rows) * r->ls + PANEL, sizeof(real) },
        { (void **)&r->v, two ? rows * r->lv + PANEL : 0, sizeof(real) },
        { (void **)&r->m, project ? rows * r->lm + PANEL : 0, sizeof(real) },
        { (void **)&r->dproject, project && train ? rows * r->lp + PANEL : 0, sizeof(real) },
        { (void **)&r->stats, sh->norm ? rows * NORM_STATS : 0, sizeof(real) },
        { (void **)&r->dp, train ? ceil_div(batch, 8) * r->blocks * sh->params : 0, sizeof(vec) },
        { (void **)&r->prev, rows, sizeof(int64_t) },
    };
    memcpy(out, n, sizeof n);
}
static size_t N(bytes)(const recur *r, int64_t rows, int64_t batch, bool train)
{
    need n[NEEDS];
    size_t sum = 0;
    list_needs((recur *)r, rows, batch, train, n);
    for (int i = 0; i < NEEDS; i++) sum += (size_t)n[i].n * n[i].size;
    return sum;
}
static laco_status N(reserve)(recur *r, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    if (rows <= r->cap_rows && batch <= r->cap_batch && (r->train || !train)) return LACO_OK;
    need n[NEEDS];
    r->cap_rows = r->cap_batch = 0;
    list_needs(r, rows, batch, train, n);
    for (int i = 0; i < NEEDS; i++) {
        mem_free(*n[i].to);
        *n[i].to = n[i].n ? mem_new((size_t)n[i].n, n[i].size) : NULL;
        if (n[i].n && !*n[i].to) return fail_memory(err, (size_t)n[i].n * n[i].size);
    }
    r->cap_rows = rows, r->cap_batch = batch, r->train = train;
    return LACO_OK;
}

/* First row, in the buffer of states, of the states before and after step t. In reverse a block holds as many rows as
   took part in the step before it in time, so that rows which begin there find their initial state in place. */
static int64_t reverse_block(const recur *r, int64_t t) { return t ? r->b.active[0] + r->b.off[t - 1] : 0; }
static int64_t block_after(const recur *r, int64_t t)
{
    return r->sh.spec.reverse ? reverse_block(r, t) : r->b.B + r->b.off[t];
}
static int64_t block_before(const recur *r, int64_t t)
{
    return r->sh.spec.reverse ? reverse_block(r, t + 1) : t ? r->b.B + r->b.off[t - 1] : 0;
}
static void put_initial(recur *r, int64_t row, int64_t b, int64_t n)
{
    if (r->initial)
        memcpy(r->s + row * r->ls, r->initial + b * r->ls, (size_t)(n * r->ls) * sizeof(real));
    else
        memset(r->s + row * r->ls, 0, (size_t)(n * r->ls) * sizeof(real));
}
static int64_t active_at(const recur *r, int64_t t) { return t < r->b.T ? r->b.active[t] : 0; }

static void begin_batch(recur *r, const ragged *b)
{
    r->b = *b;
    r->shard = max64(1, ceil_div(b->B, b->B <= 8 ? 1 : 2 * ceil_div(b->B, 2 * MAX_SHARD))); /* from B alone */
    r->row_block = min64(ROW_BLOCK, ceil_div(ceil_div(b->R, 16), MR) * MR);
    if (!r->sh.spec.reverse) put_initial(r, 0, 0, b->B);
    for (int64_t t = 0; t < b->T; t++) {
        int64_t before = block_before(r, t), ends = active_at(r, t + 1);
        for (int64_t i = 0; i < b->active[t]; i++) r->prev[b->off[t] + i] = before + i;
        if (r->sh.spec.reverse) put_initial(r, before + ends, ends, b->active[t] - ends);
    }
}

/* ---- one step of m rows, forward: in a batch and in streaming alike ---- */
typedef struct step_rows {
    int64_t m;
    real *g, *sn, *v, *mid, *stats, *z;
    const real *s;
} step_rows;

static cell_args args_of(const recur *r, const step_rows *st, int64_t u)
{
    const cell_shape *sh = &r->sh;
    cell_args a = { .rows = st->m,
                    .words = sh->spec.words,
                    .clip = sh->spec.clip > 0 ? r->clip : NULL,
                    .g = st->g,
                    .lg = r->lg,
                    .p = r->params + u * sh->params,
                    .s = st->s,
                    .sn = st->sn,
                    .ls = r->ls,
                    .lv = r->lv,
                    .lm = r->lm,
                    .v = st->v ? st->v + u * LANES : NULL,
                    .m = st->mid ? st->mid + u * LANES : NULL,
                    .sources = sh->sources,
                    .stats = st->stats ? st->stats + NORM_OF_C : NULL,
                    .lstats = NORM_STATS };
    for (int s = 0; s < sh->sections; s++) {
        a.section[s] = r->col[s] + u * sh->section_slots[s] * LANES;
        a.bias[s] = r->bias[s] + u * sh->section_slots[s];
        a.z[s] = st->z + r->z_at[s] + u % r->group * sh->section_slots[s] * LANES;
        a.lz[s] = r->z_row;
    }
    for (int k = 0; k < sh->states; k++) a.state[k] = r->at[k] + u * LANES;
    return a;
}
/* The products of a group of unit blocks with the rows of `from`, into the group's buffer, for the sections of a feed.
 */
static void group_products(const recur *r, const step_rows *st, int feed, int64_t u, const real *from, int64_t ld)
{
    for (int s = 0; s < r->sh.sections; s++) {
        if (!(r->sh.section_feeds[s] & feed)) continue;
        const packed *w = feed == FROM_H ? &r->U[s] : &r->V[s];
        int slots = r->sh.section_slots[s];
        int64_t p = u * slots / NV, end = ceil_div(min64(r->blocks, u + r->group) * slots, NV);
        for (real *z = st->z + r->z_at[s]; p < end; p++, z += PANEL)
            panel_product(st->m, feed == FROM_H ? r->depth[s][p] : w->K, from, ld, w->to + p * w->K * NV, z, r->z_row,
                          false);
    }
}
static void group_cells(const recur *r, const step_rows *st, int64_t u0, cell_fn *fn)
{
    for (int64_t u = u0; u < min64(r->blocks, u0 + r->group); u++) {
        cell_args a = args_of(r, st, u);
        fn(&a);
    }
}
static void project_rows(const recur *r, const step_rows *st)
{
    int act = r->sh.project_act;
    for (int64_t p = 0; p < r->P_.panels; p++) {
        panel_product(st->m, r->P_.K, st->mid, r->lm, r->P_.to + p * r->P_.K * NV, st->z, PANEL, false);
        for (int64_t i = 0; i < st->m; i++)
            for (int64_t v = 0; v < NV && p * NV + v < ceil_div(r->P, LANES); v++) {
                vec y = load(st->z + i * PANEL + v * LANES) + r->project_bias[p * NV + v];
                store(st->sn + i * r->ls + (p * NV + v) * LANES, activate(act, y));
            }
    }
}
/* With norm every product of the row must be known before the first cell: they go to the slots at once. */
static void normed_products(const recur *r, const step_rows *st)
{
    const packed *w = &r->U[1];
    for (int64_t p = 0; p < w->panels; p++) {
        int64_t n = min64(PANEL, r->count[1] - p * PANEL);
        gemm_rows(st->m, n, w->K, st->s, r->ls, w->to + p * w->K * NV, st->g + r->col[1] + p * PANEL, r->lg, false);
    }
    for (int64_t i = 0; i < st->m; i++)
        norm_gates_forward(r->sh.norm, r->H, r->sh.section_slots[1], st->g + i * r->lg + r->col[1],
                           st->stats + i * NORM_STATS + NORM_OF_H);
}
static void normed_cell_state(const recur *r, const step_rows *st)
{
    int c = r->sh.states - 1;
    for (int64_t i = 0; i < st->m; i++)
        norm_cell_forward(r->H, st->sn + i * r->ls + r->at[c], st->stats + i * NORM_STATS + NORM_OF_C);
}
static void step_forward(const recur *r, const step_rows *st)
{
    const cell_def *def = r->sh.def;
    if (r->sh.norm) normed_products(r, st);
    for (int64_t u = 0; u < r->blocks; u += r->group) {
        if (!r->sh.norm) group_products(r, st, FROM_H, u, st->s, r->ls);
        group_cells(r, st, u, def->forward);
    }
    if (r->sh.norm) normed_cell_state(r, st);
    for (int64_t u = 0; r->sh.stages == 2 && u < r->blocks; u += r->group) {
        group_products(r, st, FROM_V, u, st->v, r->lv);
        group_cells(r, st, u, def->forward2);
    }
    if (r->sh.project != NO_TENSOR) project_rows(r, st);
}

/* ---- forward ---- */
static void input_products(const recur *r, int64_t m, const real *x, int64_t ldx, real *g, real *stats)
{
    for (int s = 0; s < r->sh.sections; s++)
        if (r->sh.section_feeds[s] & FROM_X)
            gemm_rows(m, r->blocks * r->sh.section_slots[s] * LANES, r->I, x, ldx, r->W[s].to, g + r->col[s], r->lg,
                      false);
    for (int64_t i = 0; r->sh.norm && i < m; i++)
        norm_gates_forward(r->sh.norm, r->H, r->sh.section_slots[0], g + i * r->lg + r->col[0],
                           stats + i * NORM_STATS + NORM_OF_X);
}
static void input_task(void *ctx, int64_t i, int thread)
{
    recur *r = ctx;
    int64_t row = i * r->row_block;
    (void)thread;
    input_products(r, min64(r->row_block, r->b.R - row), r->x + row * r->ldx, r->ldx, r->g + row * r->lg,
                   r->stats ? r->stats + row * NORM_STATS : NULL);
}
static step_rows rows_at(const recur *r, int64_t t, int64_t b0, int64_t m, real *z)
{
    int64_t row = r->b.off[t] + b0;
    return (step_rows){ .m = m,
                        .g = r->g + row * r->lg,
                        .s = r->s + (block_before(r, t) + b0) * r->ls,
                        .sn = r->s + (block_after(r, t) + b0) * r->ls,
                        .v = r->v ? r->v + row * r->lv : NULL,
                        .mid = r->m ? r->m + row * r->lm : NULL,
                        .stats = r->stats ? r->stats + row * NORM_STATS : NULL,
                        .z = z };
}
static int64_t shard_rows(const recur *r, int64_t shard, int64_t t)
{
    return max64(0, min64(r->shard, active_at(r, t) - shard * r->shard));
}
static void forward_shard(void *ctx, int64_t shard, int thread)
{
    recur *r = ctx;
    for (int64_t i = 0; i < r->b.T; i++) {
        int64_t t = r->sh.spec.reverse ? r->b.T - 1 - i : i, m = shard_rows(r, shard, t);
        if (!m) continue;
        step_rows st = rows_at(r, t, shard * r->shard, m, r->scratch + thread * r->per_thread);
        step_forward(r, &st);
    }
}
static void N(forward)(recur *r, const ragged *b, const void *x, int64_t ldx, const void *initial)
{
    r->x = x, r->ldx = ldx, r->initial = initial;
    begin_batch(r, b);
    pool_run(r->pool, r->row_block ? ceil_div(b->R, r->row_block) : 0, input_task, r);
    pool_run(r->pool, ceil_div(b->B, r->shard), forward_shard, r);
}
static const void *N(output)(const recur *r, int64_t t, int64_t *ld)
{
    *ld = r->ls;
    return r->s + block_after(r, t) * r->ls;
}
static void N(final)(const recur *r, const void *initial, void *state)
{
    size_t row = (size_t)r->ls * sizeof(real);
    char *to = state;
    if (initial)
        memcpy(to, initial, (size_t)r->b.B * row);
    else
        memset(to, 0, (size_t)r->b.B * row);
    for (int64_t t = 0; t < r->b.T; t++) {
        int64_t from = r->sh.spec.reverse ? 0 : active_at(r, t + 1), n = r->b.active[t] - from;
        memcpy(to + (size_t)from * row, r->s + (block_after(r, t) + from) * r->ls, (size_t)n * row);
        if (r->sh.spec.reverse) break;
    }
}

#endif
