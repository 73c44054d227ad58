/* The way back: every shard of rows against time on its own, the gradients of the inputs made for some steps at once;
   then the weight gradients of every part of the batch, and their sum. A team shares a step by panels of units. */
#ifndef RECUR_BACKWARD_H
#define RECUR_BACKWARD_H
#include "cell/recur_forward.h"

/* ---- backward ---- */
typedef struct back_rows {
    walk w;           /* the step */
    int64_t mz, next; /* rows that the step done before hands on, and its first row of g */
    real *z;          /* [source][MAX_SHARD][PANEL], then dv, dm */
    left_rows dg;     /* of the step done before, in front of U^T */
    team *t;
    int thread;
} back_rows;

static void add_rows(real *to, int64_t ld, const real *from, int64_t ldf, int64_t n, int64_t width)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j += LANES)
            store(to + i * ld + j, load(to + i * ld + j) + load(from + i * ldf + j));
}
/* dz = dg of the step done before times U^T: for panel p of source k, rows 0..m. A row that ends there (rows m..mz) has
   its share added to the carry; a row that begins there gets 0. */
static void source_gradient(const recur *r, const back_rows *b, int k, int64_t p, real *z, int64_t ldz)
{
    int64_t width = min64(PANEL, ceil_div(r->width[k] - p * PANEL, LANES) * LANES), keep = min64(b->w.m, b->mz);
    real *carry = r->carry + b->w.shard * r->shard * r->ls + r->at[k] + p * PANEL;
    if (b->mz) panel_times(r, b->mz, r->UT[k].K, &b->dg, &r->UT[k], p, z, ldz);
    if (r->masks) mask_panel(r, b->w.shard * r->shard, b->mz, r->at[k] + p * PANEL, z, ldz);
    for (int64_t i = b->mz; i < b->w.m; i++) memset(z + i * ldz, 0, PANEL * sizeof(real));
    if (b->mz > keep) add_rows(carry + keep * r->ls, r->ls, z + keep * ldz, ldz, b->mz - keep, width);
}
/* dL/d(output before its function) of all active rows, from the carry, the step done before and the layer above. */
static void back_projection(recur *r, const back_rows *b)
{
    int64_t b0 = b->w.shard * r->shard, row = b->w.m ? r->b.off[b->w.t] + b0 : 0, from, to;
    team_share(b->t, r->UT[0].panels, &from, &to);
    masked_rows k = { .zone = NULL };
    const real *made = b->w.m ? rows_at(r, &b->w, b->z, NULL, &k).sn : NULL;
    for (int64_t p = from; p < to; p++) {
        real *z = b->z;
        source_gradient(r, b, 0, p, z, PANEL);
        for (int64_t i = 0; i < b->w.m; i++)
            for (int64_t j = p * PANEL; j < min64(r->at[0] + ceil_div(r->P, LANES) * LANES, (p + 1) * PANEL);
                 j += LANES) {
                real *carry = r->carry + (b0 + i) * r->ls + j;
                vec d = load(carry) + load(z + i * PANEL + j - p * PANEL) + load(r->dy + (row + i) * r->ldy + j);
                vec y = load(made + i * r->ls + j), old = k.zone ? load(k.zone + i * k.lzone + j) : splat(0);
                store(carry, old * d), d = (1 - old) * d;
                store(r->dproject + (b->w.row + i) * r->lp + j, d * d_activate(r->sh.project_act, y));
            }
    }
}
/* What the cell of unit block u sees on the way back; next_back_block moves it on. */
static void back_args(const recur *r, const back_rows *b, int64_t u, cell_args *a)
{
    int64_t b0 = b->w.shard * r->shard, row = r->b.off[b->w.t] + b0;
    masked_rows k;
    step_rows st = rows_at(r, &b->w, b->z, NULL, &k);
    args_at(r, &st, u, 1, a);
    a->dy = r->dy + row * r->ldy + u * LANES, a->ldy = r->ldy, a->carry = r->carry + b0 * r->ls;
    a->dp = r->dp + (b->w.shard * r->blocks + u) * r->sh.params;
    a->ldm = a->ldv = PANEL;
}
static void next_back_block(const recur *r, cell_args *a)
{
    next_block(r, a, 1);
    a->dy += LANES, a->dp += r->sh.params;
    if (a->dm) a->dm += LANES;
    if (a->dv) a->dv += LANES;
    for (int k = 0; k < a->sources; k++) a->dz[k] += LANES;
}
/* n panels of unit blocks from j on through the last stage of the cell (its only one, mostly). With few rows several,
   so that the reading of the weights is not held up by cells waiting for one another. */
static int64_t back_span(const recur *r, const back_rows *b)
{
    return b->w.m > 2 || b->mz > 2 || r->sh.project != NO_TENSOR ? 1 : MAX_SHARD / 2;
}
/* The cells of these panels where part of what reaches their states goes past them, z as there. */
static void back_split(const recur *r, const back_rows *b, cell_args *a, real *const *z, int64_t j, int64_t n)
{
    static const real none[LANES];
    const cell_shape *sh = &r->sh;
    const int first = sh->project != NO_TENSOR;
    const int64_t b0 = b->w.shard * r->shard;
    masked_rows k;
    rows_at(r, &b->w, b->z, NULL, &k);
    for (int64_t u = j * NV; u < min64(r->blocks, (j + n) * NV); u++, next_back_block(r, a)) {
        real *at[MAX_STATES];
        cell_args c = *a;
        for (int s = first; s < sh->sources; s++) at[s] = z[s] + (u - j * NV) * LANES;
        if (r->zones) split_states(r, &k, a, first, at, n * PANEL, b0), c.sources = 0, c.dy = none, c.ldy = 0;
        (sh->stages == 2 ? sh->def->backward2 : sh->def->backward)(&c);
        if (sh->stages == 1) join_states(r, a, first, b0);
    }
}
static void back_panels(recur *r, const back_rows *b, int64_t j, int64_t n)
{
    const cell_shape *sh = &r->sh;
    bool project = sh->project != NO_TENSOR, two = sh->stages == 2;
    real *z[MAX_STATES] = { NULL }, *dm = b->z + (MAX_STATES + 1) * MAX_SHARD * PANEL;
    for (int k = project; k < sh->sources; k++) {
        z[k] = b->z + k * MAX_SHARD * PANEL;
        for (int64_t p = 0; p < n; p++) source_gradient(r, b, k, j + p, z[k] + p * PANEL, n * PANEL);
    }
    if (!b->w.m) return;
    if (project)
        panel_product(b->w.m, r->PT.K, r->dproject + b->w.row * r->lp, r->lp, r->PT.to + j * r->PT.K * NV, dm, PANEL,
                      false);
    cell_args a;
    back_args(r, b, j * NV, &a);
    a.dm = project ? dm : NULL, a.ldz = n * PANEL;
    for (int k = project; k < sh->sources; k++) a.dz[k] = z[k];
    if (project) a.dz[0] = dm; /* not read: the carry of state 0 is done with */
    if (two) a.sources = 0;
    if (joins(r)) {
        back_split(r, b, &a, z, j, n);
        return;
    }
    for (int64_t u = j * NV; u < min64(r->blocks, (j + n) * NV); u++, next_back_block(r, &a)) {
        for (int k = project; two && k < sh->sources; k++)
            add_rows(a.carry + a.state[k], r->ls, z[k] + (u - j * NV) * LANES, n * PANEL, b->w.m, LANES);
        (two ? sh->def->backward2 : sh->def->backward)(&a);
    }
}
/* The first stage of a two-stage cell, after the gradient of v. */
static void back_panel_first(recur *r, const back_rows *b, int64_t j)
{
    real *dv = b->z + MAX_STATES * MAX_SHARD * PANEL;
    if (r->count[2])
        panel_product(b->w.m, r->VT.K, r->g + b->w.row * r->lg + r->first[2], r->lg, r->VT.to + j * r->VT.K * NV, dv,
                      PANEL, false);
    if (r->masks && r->count[2])
        mask_panel(r, b->w.shard * r->shard, b->w.m, r->at[r->sh.sources - 1] + j * PANEL, dv, PANEL);
    cell_args a;
    back_args(r, b, j * NV, &a);
    a.sources = 0, a.dv = dv, a.dm = r->sh.project != NO_TENSOR ? dv : NULL;
    for (int64_t u = j * NV; u < min64(r->blocks, (j + 1) * NV); u++, next_back_block(r, &a)) {
        r->sh.def->backward(&a);
        if (r->zones) join_states(r, &a, r->sh.project != NO_TENSOR, b->w.shard * r->shard);
    }
}
static void back_norm(recur *r, const back_rows *b, bool cell_state)
{
    const cell_shape *sh = &r->sh;
    int64_t from, to;
    masked_rows k;
    const real *made = rows_at(r, &b->w, b->z, NULL, &k).sn + r->at[sh->states - 1];
    int n = sh->section_slots[0], gain = sh->params - 2 - 3 * n;
    team_meet(b->t);
    team_share(b->t, b->w.m, &from, &to);
    for (int64_t i = from; i < to; i++) {
        real *g = r->g + (b->w.row + i) * r->lg, *stats = r->stats + (b->w.row + i) * NORM_STATS;
        const real *c = made + i * r->ls;
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
static void back_step(recur *r, back_rows *b)
{
    int64_t from, to;
    b->dg = left_of(r, &r->UT[0], b->mz, r->g + b->next * r->lg + r->first[1], r->lg, left_memory(r, b->thread), true);
    if (r->sh.project != NO_TENSOR) {
        back_projection(r, b);
        team_meet(b->t);
    }
    team_share(b->t, ceil_div(r->blocks, NV), &from, &to);
    for (int64_t j = from, n = back_span(r, b); j < to; j += n) back_panels(r, b, j, min64(n, to - j));
    if (b->w.m && r->sh.stages == 2) {
        if (r->sh.norm) back_norm(r, b, true);
        team_meet(b->t);
        for (int64_t j = from; j < to; j++) back_panel_first(r, b, j);
        if (r->sh.norm) back_norm(r, b, false);
    }
    team_meet(b->t);
}

/* Gradients of the inputs of the steps from w up to the step `end`: dx = dg W^T. */
static void chunk_dx(recur *r, walk w, int64_t end, const back_rows *b)
{
    row_group g[CHUNK_ROWS];
    int64_t n = 0, from, to;
    for (; w.t != end; walk_on(r, &w))
        n = add_group(g, n, w.m, r->g + w.row * r->lg + r->first[0], r->lg,
                      r->dx + (r->b.off[w.t] + w.shard * r->shard) * r->lddx, r->lddx);
    team_share(b->t, r->WT.panels, &from, &to);
    chunk_product(r, g, n, r->I, r->lg, &r->WT, r->lddx, r->add_dx, from, to, left_memory(r, b->thread));
}
/* The gradients of the pre-activations of a shard as pairs of bf16 rows, for the weight gradients. */
static int64_t pair_row(const recur *r, int64_t shard) { return r->start[shard] / 2 + shard; }
static void make_pairs(recur *r, int64_t shard, const team *t)
{
    int64_t rows = r->start[shard + 1] - r->start[shard], from, to;
    team_share(t, ceil_div(rows, 2), &from, &to);
    half_pairs(min64(rows, 2 * to) - 2 * from, r->cols, r->g + (r->start[shard] + 2 * from) * r->lg, r->lg,
               r->pairs + (pair_row(r, shard) + from) * r->lg, r->lg);
}
/* Asks for what the step after w reads, where a shard does not fit the cache. */
static void fetch_back(const recur *r, walk w)
{
    walk_on(r, &w);
    if (!w.m || !large_shard(r)) return;
    int64_t b0 = w.shard * r->shard;
    fetch(r->g + w.row * r->lg, w.m * r->lg);
    fetch(r->dy + (r->b.off[w.t] + b0) * r->ldy, w.m * r->ldy);
    fetch(r->s + (block_before(r, w.t) + b0) * r->ls, w.m * r->ls);
}
static void backward_shard(void *ctx, int64_t shard, team *t, int thread)
{
    recur *r = ctx;
    back_rows b = {
        .w = walk_begin(r, shard, true), .z = r->scratch + thread * r->per_thread, .t = t, .thread = thread
    };
    walk chunk = b.w;
    int64_t rows = 0;
    for (; b.w.m; walk_on(r, &b.w)) {
        fetch_back(r, b.w);
        if (rows + b.w.m > CHUNK_ROWS) {
            if (r->dx) chunk_dx(r, chunk, b.w.t, &b);
            chunk = b.w, rows = 0;
        }
        rows += b.w.m;
        back_step(r, &b);
        b.mz = b.w.m, b.next = b.w.row;
    }
    if (!b.mz) return;
    if (r->dx) chunk_dx(r, chunk, b.w.t, &b);
    if (r->half) make_pairs(r, shard, t);
    back_step(r, &b); /* what the last step hands on goes to the carry */
}

/* ---- weight gradients ---- of a part of the shards: tasks by panels of inputs */
typedef struct part_rows {
    int64_t first, last; /* shards */
    int64_t from, to;    /* rows of g */
    real *dparams;       /* what the part adds to */
    vec *block;          /* [TASK_PANELS][KC][PANEL] of the right operand, and one more to make bf16 from */
} part_rows;
typedef struct right_operand { /* rows of activations that a weight gradient multiplies */
    const real *x;
    int64_t ld, width, j; /* the panels begin at column j */
    const int64_t *row;   /* where row i of g has its operand; NULL: at i */
    int64_t task;         /* columns of a task */
} right_operand;
/* Panels of one task, at most: while they pass, a strip of g stays in the first-level cache. Fewer where there would
   not be enough tasks for the threads; no sum depends on it. */
enum { TASK_PANELS = 4 };
static int64_t task_width(const recur *r)
{
    int64_t panels = ceil_div(r->I, PANEL) + (r->count[2] ? ceil_div(r->H, PANEL) : 0);
    for (int k = 0; k < r->sh.sources; k++) panels += ceil_div(r->width[k], PANEL);
    return PANEL * max64(1, min64(TASK_PANELS, panels * r->parts / (4 * pool_threads(r->pool))));
}

/* n rows from k on of the panel that begins at column j */
static void copy_rows(const right_operand *o, int64_t j, int64_t k, int64_t n, vec *block)
{
    int64_t w = min64(PANEL, o->width - j), ahead = j == o->j ? min64(o->task, o->width - j) : 0;
    if (!o->row)
        copy_block(n, w, o->x + k * o->ld + j, o->ld, block);
    else
        for (int64_t i = 0; i < n; i++) {
            if (i + ROWS_AHEAD < n) fetch(o->x + o->row[k + i + ROWS_AHEAD] * o->ld + j, ahead);
            copy_block(1, w, o->x + o->row[k + i] * o->ld + j, o->ld, block + i * NV);
        }
}
/* n rows of g from row k on, transposed, times a block of the operand: the columns from `col` on, m of them. */
static void across_rows(const recur *r, int64_t shard, int64_t k, int64_t n, int64_t col, int64_t m, const vec *block,
                        int64_t w, real *c, int64_t ldc)
{
    if (r->half)
        half_across_by_block(r->half, m, w, ceil_div(n, 2),
                             r->pairs + (pair_row(r, shard) + (k - r->start[shard]) / 2) * r->lg + col, r->lg,
                             (const words *)block, c, ldc);
    else
        across_by_block(m, w, n, r->g + k * r->lg + col, r->lg, block, c, ldc);
}
/* dparams[offset of each slot] += g^T operand, for the sections of a feed; n rows from row k of a shard on */
static void weight_block(const recur *r, const part_rows *p, int64_t shard, int64_t k, int64_t n, int feed,
                         const right_operand *o, const int64_t *offset)
{
    int64_t width = min64(o->task, o->width - o->j);
    vec *rows = p->block + TASK_PANELS * KC * NV;
    for (int64_t j = 0; j < width; j += PANEL) {
        vec *block = p->block + j / PANEL * KC * NV;
        copy_rows(o, o->j + j, k, n, r->half ? rows : block);
        if (r->half) half_pairs(n, PANEL, (const real *)rows, PANEL, (uint32_t *)block, PANEL);
    }
    for (int s = 0; s < r->sh.sections; s++) {
        int slots = r->sh.section_slots[s], base = first_slot(&r->sh, s);
        if (!(r->sh.section_feeds[s] & feed)) continue;
        for (int64_t u = 0; u < r->blocks; u++)
            for (int i = 0; i < slots; i++)
                for (int64_t j = 0; j < width && offset[base + i] != NO_TENSOR; j += PANEL)
                    across_rows(r, shard, k, n, r->col[s] + (u * slots + i) * LANES, min64(LANES, r->H - u * LANES),
                                p->block + j / PANEL * KC * NV, min64(PANEL, width - j),
                                p->dparams + offset[base + i] + u * LANES * o->width + o->j + j, o->width);
    }
}
static void weight_panels(const recur *r, const part_rows *p, int feed, const right_operand *o, const int64_t *offset)
{
    for (int64_t shard = p->first; shard < p->last; shard++)
        for (int64_t k = r->start[shard], end = r->start[shard + 1]; k < end; k += KC)
            weight_block(r, p, shard, k, min64(KC, end - k), feed, o, offset);
}
static void project_panel(recur *r, const part_rows *p, int64_t j)
{
    right_operand o = { r->m, r->lm, r->H, j, NULL, PANEL };
    for (int64_t k = p->from; k < p->to; k += KC) {
        int64_t n = min64(KC, p->to - k);
        copy_rows(&o, j, k, n, p->block);
        across_by_block(r->P, min64(PANEL, r->H - j), n, r->dproject + k * r->lp, r->lp, p->block,
                        p->dparams + r->sh.project + j, r->H);
    }
}
/* Column sums of COLUMN_SUM vectors of a row array. */
static void column_sums(const part_rows *p, const real *a, int64_t ld, int64_t vectors, vec sum[COLUMN_SUM])
{
    for (int64_t i = 0; i < COLUMN_SUM; i++) sum[i] = splat(0);
    for (int64_t row = p->from; row < p->to; row++)
        for (int64_t i = 0; i < vectors; i++) sum[i] += load(a + row * ld + i * LANES);
}
static void add_lanes(real *to, vec x, int64_t lanes)
{
    for (int64_t l = 0; l < lanes; l++) to[l] += x[l];
}
static void bias_columns(recur *r, const part_rows *p, int64_t q0)
{
    vec sum[COLUMN_SUM];
    int64_t n = min64(COLUMN_SUM, r->cols / LANES - q0);
    column_sums(p, r->g + q0 * LANES, r->lg, n, sum);
    for (int64_t q = q0; q < q0 + n; q++) {
        int s = r->sh.sections - 1;
        while (r->col[s] > q * LANES) s--;
        int64_t i = q - r->col[s] / LANES, u = i / r->sh.section_slots[s],
                slot = first_slot(&r->sh, s) + i % r->sh.section_slots[s];
        for (int k = 0; k < 2; k++)
            if (r->sh.bias[slot][k] != NO_TENSOR)
                add_lanes(p->dparams + r->sh.bias[slot][k] + u * LANES, sum[q - q0], min64(LANES, r->H - u * LANES));
    }
}
static void project_bias_columns(recur *r, const part_rows *p, int64_t q0)
{
    vec sum[COLUMN_SUM];
    int64_t n = min64(COLUMN_SUM, ceil_div(r->P, LANES) - q0);
    column_sums(p, r->dproject + q0 * LANES, r->lp, n, sum);
    for (int64_t q = q0; q < q0 + n; q++)
        add_lanes(p->dparams + r->sh.project_bias + q * LANES, sum[q - q0], min64(LANES, r->P - q * LANES));
}

/* All of a part as one list of tasks; counts them when i < 0. */
static int64_t part_tasks(recur *r, const part_rows *p, int64_t i)
{
    const cell_shape *sh = &r->sh;
    bool run = i >= 0;
    int64_t total = 0, n, task = task_width(r);
#define TAKE(count, call)                                                                                              \
    do {                                                                                                               \
        n = (count), total += n;                                                                                       \
        if (run && i >= 0 && i < n) {                                                                                  \
            call;                                                                                                      \
            return 0;                                                                                                  \
        }                                                                                                              \
        i -= run ? n : 0;                                                                                              \
    } while (0)
    const real *s = r->masks ? r->masked : r->s, *v = r->masks ? r->masked_v : r->v;
    const int64_t ls = r->masks ? r->lmask : r->ls;
    for (int k = 0; k < sh->sources; k++)
        TAKE(ceil_div(r->width[k], task),
             weight_panels(r, p, FROM_H, &(right_operand){ s + r->at[k], ls, r->width[k], i * task, r->prev, task },
                           sh->h[k]));
    TAKE(ceil_div(r->I, task),
         weight_panels(r, p, FROM_X, &(right_operand){ r->x, r->ldx, r->I, i * task, r->source, task }, sh->x));
    if (r->count[2])
        TAKE(ceil_div(r->H, task),
             weight_panels(r, p, FROM_V, &(right_operand){ v, r->lv, r->H, i * task, NULL, task }, sh->v));
    if (sh->project != NO_TENSOR) TAKE(ceil_div(r->H, PANEL), project_panel(r, p, i * PANEL));
    TAKE(ceil_div(r->cols / LANES, COLUMN_SUM), bias_columns(r, p, i * COLUMN_SUM));
    if (sh->project_bias != NO_TENSOR)
        TAKE(ceil_div(ceil_div(r->P, LANES), COLUMN_SUM), project_bias_columns(r, p, i * COLUMN_SUM));
#undef TAKE
    return total;
}
static void weight_task(void *ctx, int64_t i, int thread)
{
    recur *r = ctx;
    int64_t tasks = part_tasks(r, NULL, -1), k = i / tasks;
    int64_t first = k * r->shards_per_part, last = min64(r->shards, first + r->shards_per_part);
    part_rows p = { first,
                    last,
                    r->start[first],
                    r->start[last],
                    k ? r->partial + (k - 1) * r->sh.size : r->dparams,
                    (vec *)(r->scratch + thread * r->per_thread) };
    part_tasks(r, &p, i % tasks);
}
/* The first part has added to the result itself; the others are taken over, and left at zero for the next batch. */
enum { SUM_BLOCK = 4096 };
static void sum_task(void *ctx, int64_t i, int thread)
{
    recur *r = ctx;
    (void)thread;
    for (int64_t k = 0; k < r->parts - 1; k++) {
        real *from = r->partial + k * r->sh.size;
        for (int64_t j = i * SUM_BLOCK; j < min64(r->sh.size, (i + 1) * SUM_BLOCK); j++)
            r->dparams[j] += from[j], from[j] = 0;
    }
}

/* Gradients of the cell's own parameters: shards in order. */
static void add_cell_params(recur *r)
{
    const cell_shape *sh = &r->sh;
    for (int k = 0; k < sh->params; k++)
        for (int64_t h = 0; h < r->H; h++) {
            real sum = 0;
            for (int64_t i = 0; i < r->shards; i++)
                sum += ((real *)(r->dp + (i * r->blocks + h / LANES) * sh->params + k))[h % LANES];
            for (int j = 0; j < MAX_SHARED; j++)
                if (sh->param[k][j] != NO_TENSOR) r->dparams[sh->param[k][j] + h] += sum;
        }
}
static void N(backward)(recur *r, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx, int64_t lddx,
                        bool add_dx)
{
    r->add_dx = add_dx, r->dy = dy, r->ldy = ldy, r->carry = carry, r->dparams = dparams, r->dx = dx, r->lddx = lddx;
    if (r->sh.params) memset(r->dp, 0, (size_t)(r->shards * r->blocks * r->sh.params) * sizeof(vec));
    pool_teams(r->pool, r->shards, backward_shard, r);
    if (r->b.R) pool_run(r->pool, r->parts * part_tasks(r, NULL, -1), weight_task, r);
    if (r->parts > 1) pool_run(r->pool, ceil_div(r->sh.size, SUM_BLOCK), sum_task, r);
    add_cell_params(r);
}

#endif
