/* The way back: every shard of rows against time on its own, then the products over all rows. */
#ifndef RECUR_BACKWARD_H
#define RECUR_BACKWARD_H
#include "cell/recur_forward.h"

/* ---- backward ---- */
typedef struct back_rows {
    int64_t shard, t, m, mz, next; /* rows of this step; rows that the step done before hands on, and its rows of g */
    real *z;                       /* [source][MAX_SHARD][PANEL], then dv, dm */
} back_rows;

static void add_rows(real *to, int64_t ld, const real *from, int64_t n, int64_t width)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j += LANES)
            store(to + i * ld + j, load(to + i * ld + j) + load(from + i * PANEL + j));
}
/* dz = dg of the step done before times U^T: for panel p of source k, rows 0..m. A row that ends there (rows m..mz) has
   its share added to the carry; a row that begins there gets 0. */
static real *source_gradient(const recur *r, const back_rows *b, int k, int64_t p)
{
    real *z = b->z + k * MAX_SHARD * PANEL;
    int64_t width = min64(PANEL, ceil_div(r->width[k] - p * PANEL, LANES) * LANES), keep = min64(b->m, b->mz);
    real *carry = r->carry + b->shard * r->shard * r->ls + r->at[k] + p * PANEL;
    if (b->mz)
        panel_product(b->mz, r->UT[k].K, r->g + b->next * r->lg + r->first[1], r->lg, r->UT[k].to + p * r->UT[k].K * NV,
                      z, PANEL, false);
    if (b->m > b->mz) memset(z + b->mz * PANEL, 0, (size_t)((b->m - b->mz) * PANEL) * sizeof(real));
    if (b->mz > keep) add_rows(carry + keep * r->ls, r->ls, z + keep * PANEL, b->mz - keep, width);
    return z;
}
/* dL/d(output before its function) of all active rows, from the carry, the step done before and the layer above. */
static void back_projection(recur *r, const back_rows *b)
{
    int64_t b0 = b->shard * r->shard, row = b->m ? r->b.off[b->t] + b0 : 0;
    for (int64_t p = 0; p < r->UT[0].panels; p++) {
        const real *z = source_gradient(r, b, 0, p);
        for (int64_t i = 0; i < b->m; i++)
            for (int64_t j = p * PANEL; j < min64(r->at[0] + ceil_div(r->P, LANES) * LANES, (p + 1) * PANEL);
                 j += LANES) {
                real *carry = r->carry + (b0 + i) * r->ls + j;
                vec d = load(carry) + load(z + i * PANEL + j - p * PANEL) + load(r->dy + (row + i) * r->ldy + j);
                vec y = load(r->s + (block_after(r, b->t) + b0 + i) * r->ls + j);
                store(carry, splat(0));
                store(r->dproject + (row + i) * r->lp + j, d * d_activate(r->sh.project_act, y));
            }
    }
}
static cell_args back_args(recur *r, const back_rows *b, int64_t u)
{
    int64_t b0 = b->shard * r->shard, row = r->b.off[b->t] + b0;
    step_rows st = rows_at(r, b->t, b0, b->m, b->z);
    cell_args a = args_of(r, &st, u);
    a.dy = r->dy + row * r->ldy + u * LANES, a.ldy = r->ldy, a.carry = r->carry + b0 * r->ls;
    a.dp = r->dp + (b->shard * r->blocks + u) * r->sh.params;
    return a;
}
/* Panel j of unit blocks through the last stage of the cell (its only one, mostly). */
static void back_panel(recur *r, const back_rows *b, int64_t j)
{
    const cell_shape *sh = &r->sh;
    bool project = sh->project != NO_TENSOR, two = sh->stages == 2;
    real *z[MAX_STATES] = { NULL }, *dm = b->z + (MAX_STATES + 1) * MAX_SHARD * PANEL;
    for (int k = project; k < sh->sources; k++) z[k] = source_gradient(r, b, k, j);
    if (!b->m) return;
    if (project) {
        int64_t row = r->b.off[b->t] + b->shard * r->shard;
        panel_product(b->m, r->PT.K, r->dproject + row * r->lp, r->lp, r->PT.to + j * r->PT.K * NV, dm, PANEL, false);
    }
    for (int64_t u = j * NV; u < min64(r->blocks, (j + 1) * NV); u++) {
        cell_args a = back_args(r, b, u);
        int64_t lane = (u - j * NV) * LANES;
        for (int k = project; k < sh->sources; k++) {
            if (two) add_rows(a.carry + a.state[k], r->ls, z[k] + lane, b->m, LANES);
            a.dz[k] = z[k] + lane;
        }
        if (two) a.sources = 0;
        a.ldz = PANEL, a.ldm = PANEL, a.dm = project ? dm + lane : NULL;
        (two ? sh->def->backward2 : sh->def->backward)(&a);
    }
}
/* The first stage of a two-stage cell, after the gradient of v. */
static void back_panel_first(recur *r, const back_rows *b, int64_t j)
{
    real *dv = b->z + MAX_STATES * MAX_SHARD * PANEL;
    int64_t row = r->b.off[b->t] + b->shard * r->shard;
    if (r->count[2])
        panel_product(b->m, r->VT.K, r->g + row * r->lg + r->first[2], r->lg, r->VT.to + j * r->VT.K * NV, dv, PANEL,
                      false);
    for (int64_t u = j * NV; u < min64(r->blocks, (j + 1) * NV); u++) {
        cell_args a = back_args(r, b, u);
        a.sources = 0, a.dv = dv + (u - j * NV) * LANES, a.ldv = PANEL, a.dm = r->sh.project != NO_TENSOR ? dv : NULL;
        r->sh.def->backward(&a);
    }
}
static void back_norm(recur *r, const back_rows *b, bool cell_state)
{
    const cell_shape *sh = &r->sh;
    int64_t b0 = b->shard * r->shard;
    int n = sh->section_slots[0], gain = sh->params - 2 - 3 * n;
    for (int64_t i = b0; i < b0 + b->m; i++) {
        real *g = r->g + (r->b.off[b->t] + i) * r->lg, *stats = r->stats + (r->b.off[b->t] + i) * NORM_STATS;
        const real *c = r->s + (block_after(r, b->t) + i) * r->ls + r->at[sh->states - 1];
        if (cell_state)
            norm_cell_backward(r->H, n, c, g + r->col[2], stats + NORM_OF_C);
        else {
            norm_gates_backward(sh->norm, r->H, n, g + r->col[0], g + r->col[2], r->params + gain, sh->params,
                                stats + NORM_OF_X);
            norm_gates_backward(sh->norm, r->H, n, g + r->col[1], g + r->col[2], r->params + gain + n, sh->params,
                                stats + NORM_OF_H);
        }
    }
}
static void back_step(recur *r, const back_rows *b)
{
    int64_t panels = ceil_div(r->blocks, NV);
    if (r->sh.project != NO_TENSOR) back_projection(r, b);
    for (int64_t j = 0; j < panels; j++) back_panel(r, b, j);
    if (!b->m || r->sh.stages == 1) return;
    if (r->sh.norm) back_norm(r, b, true);
    for (int64_t j = 0; j < panels; j++) back_panel_first(r, b, j);
    if (r->sh.norm) back_norm(r, b, false);
}
static void backward_shard(void *ctx, int64_t shard, int thread)
{
    recur *r = ctx;
    int64_t mz = 0, next = 0;
    if (r->sh.params)
        memset(r->dp + shard * r->blocks * r->sh.params, 0, (size_t)(r->blocks * r->sh.params) * sizeof(vec));
    for (int64_t i = 0; i <= r->b.T; i++) {
        int64_t t = r->sh.spec.reverse ? i : r->b.T - 1 - i;
        int64_t m = i < r->b.T ? shard_rows(r, shard, t) : 0;
        back_rows b = { shard, t, m, mz, next, r->scratch + thread * r->per_thread };
        if (m || mz) back_step(r, &b);
        mz = m, next = m ? r->b.off[t] + shard * r->shard : 0;
    }
}

/* ---- products over all rows: dx by blocks of rows; weight gradients by panels of inputs ---- */
typedef struct right_operand { /* rows of activations that a weight gradient multiplies */
    const real *x;
    int64_t ld, width, j; /* the panel begins at column j */
    const int64_t *row;   /* where row i lies; NULL: at i */
} right_operand;

static void copy_rows(const right_operand *o, int64_t k, int64_t n, vec *block)
{
    int64_t w = min64(PANEL, o->width - o->j);
    if (!o->row)
        copy_block(n, w, o->x + k * o->ld + o->j, o->ld, block);
    else
        for (int64_t i = 0; i < n; i++) copy_block(1, w, o->x + o->row[k + i] * o->ld + o->j, o->ld, block + i * NV);
}
/* dparams[offset of each slot] += g^T operand, for the sections of a feed */
static void weight_panel(recur *r, int feed, const right_operand *o, const int64_t *offset, vec *block)
{
    int64_t w = min64(PANEL, o->width - o->j);
    for (int64_t k = 0; k < r->b.R; k += KC) {
        int64_t n = min64(KC, r->b.R - k);
        copy_rows(o, k, n, block);
        for (int s = 0; s < r->sh.sections; s++) {
            int slots = r->sh.section_slots[s], base = first_slot(&r->sh, s);
            if (!(r->sh.section_feeds[s] & feed)) continue;
            for (int64_t u = 0; u < r->blocks; u++)
                for (int i = 0; i < slots; i++)
                    if (offset[base + i] != NO_TENSOR)
                        across_by_block(min64(LANES, r->H - u * LANES), w, n,
                                        r->g + k * r->lg + r->col[s] + (u * slots + i) * LANES, r->lg, block,
                                        r->dparams + offset[base + i] + u * LANES * o->width + o->j, o->width);
        }
    }
}
static void project_panel(recur *r, int64_t j, vec *block)
{
    right_operand o = { r->m, r->lm, r->H, j, NULL };
    for (int64_t k = 0; k < r->b.R; k += KC) {
        int64_t n = min64(KC, r->b.R - k);
        copy_rows(&o, k, n, block);
        across_by_block(r->P, min64(PANEL, r->H - j), n, r->dproject + k * r->lp, r->lp, block,
                        r->dparams + r->sh.project + j, r->H);
    }
}
/* Column sums of COLUMN_SUM vectors of a row array, handed to `take` vector by vector. */
static void column_sums(const recur *r, const real *a, int64_t ld, int64_t vectors, vec sum[COLUMN_SUM])
{
    for (int64_t i = 0; i < COLUMN_SUM; i++) sum[i] = splat(0);
    for (int64_t row = 0; row < r->b.R; row++)
        for (int64_t i = 0; i < vectors; i++) sum[i] += load(a + row * ld + i * LANES);
}
static void add_lanes(real *to, vec x, int64_t lanes)
{
    for (int64_t l = 0; l < lanes; l++) to[l] += x[l];
}
static void bias_columns(recur *r, int64_t q0)
{
    vec sum[COLUMN_SUM];
    int64_t n = min64(COLUMN_SUM, r->cols / LANES - q0);
    column_sums(r, r->g + q0 * LANES, r->lg, n, sum);
    for (int64_t q = q0; q < q0 + n; q++) {
        int s = r->sh.sections - 1;
        while (r->col[s] > q * LANES) s--;
        int64_t i = q - r->col[s] / LANES, u = i / r->sh.section_slots[s],
                slot = first_slot(&r->sh, s) + i % r->sh.section_slots[s];
        for (int k = 0; k < 2; k++)
            if (r->sh.bias[slot][k] != NO_TENSOR)
                add_lanes(r->dparams + r->sh.bias[slot][k] + u * LANES, sum[q - q0], min64(LANES, r->H - u * LANES));
    }
}
static void project_bias_columns(recur *r, int64_t q0)
{
    vec sum[COLUMN_SUM];
    int64_t n = min64(COLUMN_SUM, ceil_div(r->P, LANES) - q0);
    column_sums(r, r->dproject + q0 * LANES, r->lp, n, sum);
    for (int64_t q = q0; q < q0 + n; q++)
        add_lanes(r->dparams + r->sh.project_bias + q * LANES, sum[q - q0], min64(LANES, r->P - q * LANES));
}

/* All of them as one list of tasks; counts them when i < 0. */
static int64_t product_tasks(recur *r, int64_t i, int thread)
{
    const cell_shape *sh = &r->sh;
    vec *block = (vec *)(r->scratch + thread * r->per_thread);
    bool run = i >= 0;
    int64_t total = 0, n;
#define TAKE(count, call)                                                                                              \
    do {                                                                                                               \
        n = (count), total += n;                                                                                       \
        if (run && i >= 0 && i < n) {                                                                                  \
            call;                                                                                                      \
            return 0;                                                                                                  \
        }                                                                                                              \
        i -= run ? n : 0;                                                                                              \
    } while (0)
    for (int k = 0; k < sh->sources; k++)
        TAKE(ceil_div(r->width[k], PANEL),
             weight_panel(r, FROM_H, &(right_operand){ r->s + r->at[k], r->ls, r->width[k], i * PANEL, r->prev },
                          sh->h[k], block));
    TAKE(ceil_div(r->I, PANEL),
         weight_panel(r, FROM_X, &(right_operand){ r->x, r->ldx, r->I, i * PANEL, NULL }, sh->x, block));
    if (r->count[2])
        TAKE(ceil_div(r->H, PANEL),
             weight_panel(r, FROM_V, &(right_operand){ r->v, r->lv, r->H, i * PANEL, NULL }, sh->v, block));
    if (sh->project != NO_TENSOR) TAKE(ceil_div(r->H, PANEL), project_panel(r, i * PANEL, block));
    if (r->dx)
        TAKE(ceil_div(r->b.R, r->row_block),
             gemm_rows(min64(r->row_block, r->b.R - i * r->row_block), r->I, r->count[0],
                       r->g + i * r->row_block * r->lg + r->first[0], r->lg, r->WT.to,
                       r->dx + i * r->row_block * r->lddx, r->lddx, r->add_dx));
    TAKE(ceil_div(r->cols / LANES, COLUMN_SUM), bias_columns(r, i * COLUMN_SUM));
    if (sh->project_bias != NO_TENSOR)
        TAKE(ceil_div(ceil_div(r->P, LANES), COLUMN_SUM), project_bias_columns(r, i * COLUMN_SUM));
#undef TAKE
    return total;
}
static void product_task(void *ctx, int64_t i, int thread) { product_tasks(ctx, i, thread); }

/* Gradients of the cell's own parameters: shards in order. */
static void add_cell_params(recur *r)
{
    const cell_shape *sh = &r->sh;
    int64_t shards = ceil_div(r->b.B, r->shard);
    for (int k = 0; k < sh->params; k++)
        for (int64_t h = 0; h < r->H; h++) {
            real sum = 0;
            for (int64_t i = 0; i < shards; i++)
                sum += ((real *)(r->dp + (i * r->blocks + h / LANES) * sh->params + k))[h % LANES];
            for (int j = 0; j < MAX_SHARED; j++)
                if (sh->param[k][j] != NO_TENSOR) r->dparams[sh->param[k][j] + h] += sum;
        }
}
static void N(backward)(recur *r, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx, int64_t lddx,
                        bool add_dx)
{
    r->add_dx = add_dx, r->dy = dy, r->ldy = ldy, r->carry = carry, r->dparams = dparams, r->dx = dx, r->lddx = lddx;
    pool_run(r->pool, ceil_div(r->b.B, r->shard), backward_shard, r);
    if (r->b.R) pool_run(r->pool, product_tasks(r, -1, 0), product_task, r);
    add_cell_params(r);
}

#endif
