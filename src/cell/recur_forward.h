/* A batch in memory, and the way forward: every shard of rows goes through time on its own, the products of the inputs
   made for some steps at once, shortly before they are needed. step_forward serves streaming too.

   A team (src/base/pool.h) shares a step by groups of unit blocks: a member makes the products and the cells of its
   groups; where something needs all units, the members meet. */
#ifndef RECUR_FORWARD_H
#define RECUR_FORWARD_H
#include "cell/norm.h"
#include "cell/recur_masks.h"

/* ---- memory of a batch ---- */
/* Shards: from B alone. */
static int64_t shard_size(int64_t B) { return max64(1, ceil_div(B, B <= 8 ? 1 : 2 * ceil_div(B, 2 * MAX_SHARD))); }
/* Parts of the batch that sum weight gradients of their own, so that no core reads what another wrote: as many as cost
   less memory than a quarter of g. */
static int64_t part_count(const recur *r, int64_t rows, int64_t shards)
{
    return max64(1, min64(shards, 1 + rows * r->cols / 4 / r->sh.size));
}

typedef struct need {
    void **to;
    int64_t n;
    size_t size;
} need;
enum { TAPE_NEEDS = 14, NEEDS = TAPE_NEEDS + 5 }; /* of the tape first, then of backward */
static void list_needs(recur *r, int64_t rows, int64_t batch, bool train, need out[NEEDS])
{
    const cell_shape *sh = &r->sh;
    bool two = sh->stages == 2 && r->count[2], project = sh->project != NO_TENSOR;
    bool masks = train && sh->spec.variational > 0, drops = train && sh->spec.recurrent_dropout > 0;
    int64_t most = 2 * ceil_div(batch, 2 * MAX_SHARD);
    /* reads of whole vectors and tiles may touch a little past the last row */
    need n[NEEDS] = {
        { (void **)&r->g, (train ? rows : min64(rows, most * CHUNK_ROWS)) * r->lg + PANEL, sizeof(real) },
        { (void **)&r->s, (batch + rows) * r->ls + PANEL, sizeof(real) },
        { (void **)&r->v, two ? rows * r->lv + PANEL : 0, sizeof(real) },
        { (void **)&r->m, project ? rows * r->lm + PANEL : 0, sizeof(real) },
        { (void **)&r->stats, sh->norm ? rows * NORM_STATS : 0, sizeof(real) },
        { (void **)&r->prev, rows, sizeof(int64_t) },
        { (void **)&r->source, rows, sizeof(int64_t) },
        { (void **)&r->start, most + 1, sizeof(int64_t) },
        { (void **)&r->drop, drops ? rows * r->ldrop + PANEL : 0, sizeof(real) },
        { (void **)&r->zone, r->zones && train ? rows * r->ls + PANEL : 0, sizeof(real) },
        { (void **)&r->made, r->zones ? (train ? rows : batch) * r->ls + PANEL : 0, sizeof(real) },
        { (void **)&r->state_mask, masks ? batch * r->lmask + PANEL : 0, sizeof(real) },
        { (void **)&r->masked, masks ? (batch + rows) * r->lmask + PANEL : 0, sizeof(real) },
        { (void **)&r->masked_v, masks && two ? rows * r->lv + PANEL : 0, sizeof(real) },
        { (void **)&r->dproject, project && train ? rows * r->lp + PANEL : 0, sizeof(real) },
        { (void **)&r->pairs, train && r->half ? (rows / 2 + most) * r->lg : 0, sizeof(uint32_t) },
        { (void **)&r->partial, train ? (part_count(r, rows, most) - 1) * sh->size : 0, sizeof(real) },
        { (void **)&r->dp, train ? most * r->blocks * sh->params : 0, sizeof(vec) },
        { (void **)&r->kept, r->zones && train ? batch * r->ls + PANEL : 0, sizeof(real) },
    };
    memcpy(out, n, sizeof n);
}
static size_t N(bytes)(const recur *r, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    need n[NEEDS];
    size_t sum = 0;
    list_needs((recur *)r, rows, batch, train, n);
    for (int i = 0; i < NEEDS; i++) sum += (size_t)n[i].n * n[i].size * (size_t)(i < TAPE_NEEDS ? tapes : 1);
    return sum;
}
static void release_needs(const need *n, int count)
{
    for (int i = 0; i < count; i++) mem_free(*n[i].to), *n[i].to = NULL;
}
static laco_status take_needs(const need *n, int count, laco_error *err)
{
    release_needs(n, count);
    for (int i = 0; i < count; i++)
        if (n[i].n && !(*n[i].to = mem_new((size_t)n[i].n, n[i].size)))
            return fail_memory(err, (size_t)n[i].n * n[i].size);
    return LACO_OK;
}
static laco_status N(reserve)(recur *r, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    need n[NEEDS];
    laco_status st = LACO_OK;
    list_needs(r, rows, batch, train, n);
    if (rows > r->cap_rows || batch > r->cap_batch || (train && !r->train)) {
        r->cap_rows = r->cap_batch = 0;
        if ((st = take_needs(n, TAPE_NEEDS, err))) return st;
        r->cap_rows = rows, r->cap_batch = batch, r->train = train;
    }
    if (train && (rows > r->cap_back_rows || batch > r->cap_back_batch)) {
        r->cap_back_rows = r->cap_back_batch = 0;
        if ((st = take_needs(n + TAPE_NEEDS, NEEDS - TAPE_NEEDS, err))) return st;
        r->cap_back_rows = rows, r->cap_back_batch = batch;
    }
    return st;
}
static tape_part N(tape)(recur *r) { return TAPE_FIELDS(r, cap_rows, ldx); }
static void N(release)(recur *r)
{
    need n[NEEDS];
    list_needs(r, 0, 0, false, n);
    release_needs(n, TAPE_NEEDS);
    r->cap_rows = r->cap_batch = 0;
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
    for (int64_t i = 0; r->masks && i < n; i++)
        multiply_reals(r->lmask, r->s + (row + i) * r->ls, r->state_mask + (b + i) * r->lmask,
                       r->masked + (row + i) * r->lmask);
}
static int64_t active_at(const recur *r, int64_t t) { return t < r->b.T ? r->b.active[t] : 0; }

static int64_t shard_rows(const recur *r, int64_t shard, int64_t t)
{
    return max64(0, min64(r->shard, active_at(r, t) - shard * r->shard));
}

/* The steps of a shard in the order of the direction (or against it) and its rows. */
typedef struct walk {
    int64_t shard, t, m, row; /* m: rows of step t, the first of them at row; 0: the walk is over */
    int64_t shift;            /* g has row i at row i - shift */
    bool down;                /* t falls */
} walk;
static void walk_on(const recur *r, walk *w)
{
    int64_t before = w->m;
    w->t += w->down ? -1 : 1;
    w->m = w->t < 0 || w->t >= r->b.T ? 0 : shard_rows(r, w->shard, w->t);
    w->row += w->down ? -w->m : before;
}
static walk walk_begin(const recur *r, int64_t shard, bool backward)
{
    walk w = { .shard = shard, .down = backward != r->sh.spec.reverse };
    w.t = w.down ? r->b.T : -1, w.row = r->start[shard + w.down];
    do walk_on(r, &w);
    while (!w.m && w.t >= 0 && w.t < r->b.T);
    return w;
}

static void begin_batch(recur *r, const pass *p)
{
    const ragged *b = &p->b;
    r->b = *b, r->pass = *p;
    begin_masks(r);
    r->shard = shard_size(b->B), r->shards = ceil_div(b->B, r->shard);
    r->shards_per_part = ceil_div(r->shards, part_count(r, b->R, r->shards));
    r->parts = max64(1, ceil_div(r->shards, max64(1, r->shards_per_part)));
    if (!r->sh.spec.reverse) put_initial(r, 0, 0, b->B);
    for (int64_t t = 0; r->sh.spec.reverse && t < b->T; t++) {
        int64_t ends = active_at(r, t + 1);
        put_initial(r, block_before(r, t) + ends, ends, b->active[t] - ends);
    }
    r->start[0] = 0;
    for (int64_t k = 0, row = 0; k < r->shards; r->start[++k] = row)
        for (int64_t t = 0; t < b->T; t++)
            for (int64_t i = 0; i < shard_rows(r, k, t); i++, row++) {
                r->prev[row] = block_before(r, t) + k * r->shard + i;
                r->source[row] = b->off[t] + k * r->shard + i;
            }
}

/* ---- one step of m rows, forward: in a batch and in streaming alike ---- */
typedef struct step_rows {
    int64_t m, ldx;
    const real *x; /* streaming: the inputs, whose products are made on the way; NULL: they lie in g */
    real *g, *sn, *v, *mid, *stats, *z;
    const real *s;
    const masked_rows *masks; /* NULL: none; sn is where the cell writes its new states */
    char *left; /* memory for rows made narrow; NULL: the products are float */
    bool batch; /* of a batch: bf16 on both sides */
} step_rows;

/* Rows for products with w, narrow where w is: for batches as bf16, for streaming of the kind of the weights. */
static left_rows left_of(const recur *r, const packed *w, int64_t m, const real *x, int64_t ld, char *memory,
                         bool batch)
{
    left_rows a = { x, ld, NULL, NULL };
    if (!memory || !w->narrow) return a;
    if (batch) {
        half_rows(m, w->K, x, ld, (uint32_t *)memory, half_stride(w->K));
        a.half = (uint32_t *)memory;
    } else {
        narrow_left(r->kind, m, w->K, x, ld, memory);
        a.narrow = memory;
    }
    return a;
}
/* c[m][PANEL] = a times panel p of w; K: behind it a float panel holds only zeros. */
INLINE void panel_times(const recur *r, int64_t m, int64_t K, const left_rows *a, const packed *w, int64_t p, real *c,
                        int64_t ldc)
{
    if (a->half)
        half_panel_product(r->half, m, ceil_div(w->K, 2), a->half, half_stride(w->K), narrow_panel(w, p), c, ldc,
                           false);
    else if (a->narrow)
        narrow_product(r->kind, m, w->K, a->narrow, narrow_panel(w, p), c, ldc);
    else
        panel_product(m, K, a->x, a->ld, w->to + p * w->K * NV, c, ldc, false);
}
/* The same for the panels from..to of n columns: a last one narrower than PANEL goes through a buffer. */
static void panels_times(const recur *r, int64_t m, const left_rows *a, const packed *w, int64_t n, int64_t from,
                         int64_t to, real *c, int64_t ldc)
{
    real edge[MAX_SHARD * PANEL] __attribute__((aligned(64)));
    int64_t whole = min64(to, n / PANEL);
    if (m == 1 && a->narrow && from < whole) {
        narrow_row(r->kind, w->K, a->narrow, narrow_panel(w, from), w->panel_bytes, whole - from, c + from * PANEL);
        from = whole;
    }
    for (int64_t p = from; p < to; p++) {
        int64_t width = min64(PANEL, n - p * PANEL);
        if (width == PANEL) {
            panel_times(r, m, w->K, a, w, p, c + p * PANEL, ldc);
            continue;
        }
        panel_times(r, m, w->K, a, w, p, edge, PANEL);
        for (int64_t i = 0; i < m; i++) memcpy(c + i * ldc + p * PANEL, edge + i * PANEL, (size_t)width * sizeof(real));
    }
}

/* What the cell of unit block u sees, its products `span` groups side by side; next_block moves it on by n blocks. */
static void next_block(const recur *r, cell_args *a, int64_t n)
{
    const cell_shape *sh = &r->sh;
    a->p += n * sh->params;
    if (a->v) a->v += n * LANES;
    if (a->m) a->m += n * LANES;
    if (a->drop) a->drop += n * LANES;
    for (int s = 0; s < sh->sections; s++) {
        int64_t slots = n * sh->section_slots[s];
        a->section[s] += slots * LANES, a->product[s] += slots * LANES, a->bias[s] += slots;
    }
    for (int k = 0; k < sh->states; k++) a->state[k] += n * LANES;
}
static void products_begin(const recur *r, cell_args *a, int64_t span)
{
    a->lz = span * r->z_row;
    for (int s = 0; s < r->sh.sections; s++) a->product[s] = span * r->z_at[s];
}
INLINE void args_at(const recur *r, const step_rows *st, int64_t u, int64_t span, cell_args *a)
{
    *a = r->args;
    a->rows = st->m, a->g = st->g, a->s = st->s, a->sn = st->sn, a->v = st->v, a->m = st->mid, a->z = st->z;
    if (st->masks) args_masked(r, st->masks, a);
    a->stats = st->stats ? st->stats + NORM_OF_C : NULL;
    if (u) next_block(r, a, u);
    products_begin(r, a, span);
}

/* The products of the inputs of the groups of unit blocks from..to, to their columns of g. */
static void group_inputs(const recur *r, const step_rows *st, int64_t from, int64_t to, const left_rows *x)
{
    for (int s = 0; s < r->sh.sections; s++) {
        if (!(r->sh.section_feeds[s] & FROM_X)) continue;
        int slots = r->sh.section_slots[s];
        int64_t panels = r->group * slots / NV;
        panels_times(r, st->m, x, &r->W[s], r->blocks * slots * LANES, from * panels,
                     min64(r->W[s].panels, to * panels), st->g + r->col[s], r->lg);
    }
}
/* The products of these groups with left rows, into a buffer for `span` groups, for the sections of a feed. */
static void group_products(const recur *r, const step_rows *st, int feed, int64_t from, int64_t to, int64_t span,
                           const left_rows *a)
{
    for (int s = 0; s < r->sh.sections; s++) {
        if (!(r->sh.section_feeds[s] & feed)) continue;
        const packed *w = feed == FROM_H ? &r->U[s] : &r->V[s];
        int64_t panels = r->group * r->sh.section_slots[s] / NV, p = from * panels, end = min64(w->panels, to * panels);
        real *z = st->z + span * r->z_at[s];
        if (st->m == 1 && a->narrow) {
            narrow_row(r->kind, w->K, a->narrow, narrow_panel(w, p), w->panel_bytes, end - p, z);
            continue;
        }
        for (; p < end; p++, z += PANEL)
            panel_times(r, st->m, feed == FROM_H ? r->depth[s][p] : w->K, a, w, p, z, span * r->z_row);
    }
}
/* The packed weights of a feed: of the first section that has them. */
static const packed *fed_by(const recur *r, int feed)
{
    int s = 0;
    while (s + 1 < r->sh.sections && !(r->sh.section_feeds[s] & feed)) s++;
    return feed == FROM_X ? &r->W[s] : feed == FROM_H ? &r->U[s] : &r->V[s];
}
/* The groups of a member of the team: products, then at once the cells. */
static void step_groups(const recur *r, const step_rows *st, const team *t, bool second)
{
    int64_t from, to;
    cell_fn *fn = second ? r->sh.def->forward2 : r->sh.def->forward;
    team_share(t, r->groups, &from, &to);
    if (from == to) return;
    char *memory = second || !r->sh.norm ? st->left : NULL; /* with norm the products are made already */
    const masked_rows *k = st->masks;
    const real *source = k ? k->source : st->s, *v = k && k->v ? k->v : st->v;
    left_rows x, left = second ? left_of(r, fed_by(r, FROM_V), st->m, v, r->lv, memory, st->batch)
                               : left_of(r, fed_by(r, FROM_H), st->m, source, k ? k->lsource : r->ls, memory,
                                    st->batch);
    if (memory) memory += left_bytes(r, st->m);
    if (!second && !r->sh.norm && st->x) x = left_of(r, fed_by(r, FROM_X), st->m, st->x, st->ldx, memory, false);
    int64_t span = span_of(r, st->m);
    cell_args a;
    args_at(r, st, from * r->group, span, &a);
    for (int64_t j = from; j < to; j += span, products_begin(r, &a, span)) {
        int64_t end = min64(to, j + span);
        if (!second && !r->sh.norm && st->x) group_inputs(r, st, j, end, &x);
        if (second || !r->sh.norm) group_products(r, st, second ? FROM_V : FROM_H, j, end, span, &left);
        for (int64_t u = j * r->group; u < min64(r->blocks, end * r->group); u++, next_block(r, &a, 1)) {
            fn(&a);
            if (k) settle_block(r, st->m, k, st->v, u, second);
        }
    }
}
static void project_rows(const recur *r, const step_rows *st, const team *t)
{
    int act = r->sh.project_act;
    int64_t from, to, vectors = ceil_div(r->P, LANES);
    team_share(t, r->P_.panels, &from, &to);
    left_rows left = left_of(r, &r->P_, st->m, st->mid, r->lm, st->left, st->batch);
    for (int64_t p = from; p < to; p++) {
        panel_times(r, st->m, r->P_.K, &left, &r->P_, p, st->z, PANEL);
        for (int64_t i = 0; i < st->m; i++)
            for (int64_t v = 0; v < NV && p * NV + v < vectors; v++) {
                vec y = load(st->z + i * PANEL + v * LANES) + r->project_bias[p * NV + v];
                store(st->sn + i * r->ls + (p * NV + v) * LANES, activate(act, y));
            }
        for (int64_t v = p * NV; st->masks && v < min64(vectors, (p + 1) * NV); v++)
            settle(r, st->m, st->masks, v * LANES);
    }
}
/* With norm every product of the row must be known before the first cell: they go to the slots at once. Section 0 holds
   those of the inputs, section 1 those of the hidden state. */
static void normed_products(const recur *r, const step_rows *st, int section, const real *x, int64_t ld, team *t)
{
    const packed *w = section ? &r->U[1] : &r->W[0];
    int64_t from, to;
    left_rows left = left_of(r, w, st->m, x, ld, st->left, st->batch);
    team_share(t, w->panels, &from, &to);
    panels_times(r, st->m, &left, w, r->blocks * r->sh.section_slots[section] * LANES, from, to,
                 st->g + r->col[section], r->lg);
    team_meet(t);
}
static void normed_rows(const recur *r, real *g, real *stats, int64_t m, int section, team *t)
{
    int64_t from, to;
    team_share(t, m, &from, &to);
    for (int64_t i = from; i < to; i++)
        norm_gates_forward(r->sh.norm, r->H, r->sh.section_slots[section], g + i * r->lg + r->col[section],
                           stats + i * NORM_STATS + (section ? NORM_OF_H : NORM_OF_X));
    team_meet(t);
}
static void normed_step(const recur *r, const step_rows *st, team *t)
{
    if (st->x) {
        normed_products(r, st, 0, st->x, st->ldx, t);
        normed_rows(r, st->g, st->stats, st->m, 0, t);
    }
    normed_products(r, st, 1, st->masks ? st->masks->source : st->s, st->masks ? st->masks->lsource : r->ls, t);
    normed_rows(r, st->g, st->stats, st->m, 1, t);
}
static void normed_cell_state(const recur *r, const step_rows *st, team *t)
{
    int c = r->sh.states - 1;
    int64_t from, to;
    team_meet(t);
    team_share(t, st->m, &from, &to);
    for (int64_t i = from; i < to; i++)
        norm_cell_forward(r->H, st->sn + i * r->ls + r->at[c], st->stats + i * NORM_STATS + NORM_OF_C);
}
static void step_forward(const recur *r, const step_rows *st, team *t)
{
    if (r->sh.norm) normed_step(r, st, t);
    step_groups(r, st, t, false);
    if (r->sh.norm) normed_cell_state(r, st, t);
    if (r->sh.stages == 2) {
        team_meet(t);
        step_groups(r, st, t, true);
    }
    if (r->sh.project != NO_TENSOR) {
        team_meet(t);
        project_rows(r, st, t);
    }
    team_meet(t);
}

/* ---- forward ---- */
/* Where a thread makes rows narrow in the passes over a batch: there only bf16 has products. */
static char *left_memory(const recur *r, int thread)
{
    return r->half ? r->left + (size_t)thread * r->left_per_thread : NULL;
}
/* k: memory for what is masked of the step. */
static step_rows rows_at(const recur *r, const walk *w, real *z, char *left, masked_rows *k)
{
    int64_t b0 = w->shard * r->shard, before = block_before(r, w->t) + b0, after = block_after(r, w->t) + b0;
    step_rows st = { .m = w->m,
                     .g = r->g + (w->row - w->shift) * r->lg,
                     .s = r->s + before * r->ls,
                     .sn = r->s + after * r->ls,
                     .v = r->v ? r->v + w->row * r->lv : NULL,
                     .mid = r->m ? r->m + w->row * r->lm : NULL,
                     .stats = r->stats ? r->stats + w->row * NORM_STATS : NULL,
                     .z = z,
                     .left = left,
                     .batch = true };
    if (!r->regular) return st;
    *k = masks_at(r, w->row, b0, before, after);
    st.masks = k, st.sn = k->made;
    return st;
}
/* One more group of rows; rows that go on where the last group ends, on both sides, make it longer. */
static int64_t add_group(row_group *g, int64_t n, int64_t m, const real *a, int64_t lda, real *c, int64_t ldc)
{
    row_group *last = g + n - 1;
    if (n && last->a + last->m * lda == a && last->c + last->m * ldc == c) return last->m += m, n;
    g[n] = (row_group){ m, a, c };
    return n + 1;
}
/* Groups of rows of the steps from w on, as many as make a chunk; `next` is the step behind them. */
static int64_t chunk_of(const recur *r, const walk *w, row_group g[CHUNK_ROWS], walk *next)
{
    int64_t n = 0, rows = 0;
    for (*next = *w; next->m && (n == 0 || rows + next->m <= CHUNK_ROWS); walk_on(r, next)) {
        n = add_group(g, n, next->m, r->x + (r->b.off[next->t] + w->shard * r->shard) * r->ldx, r->ldx,
                      r->g + (next->row - next->shift) * r->lg, r->lg);
        rows += next->m;
    }
    return n;
}
/* Asks for n reals; in a shard that does not fit the cache, long enough before they are used. */
INLINE void fetch(const real *p, int64_t n)
{
    for (int64_t i = 0; i < n; i += 64 / (int64_t)sizeof(real)) __builtin_prefetch(p + i, 0, 2);
}
enum { ROWS_AHEAD = 16, CACHE_REALS = 512 * 1024 / (int)sizeof(real) };
static bool large_shard(const recur *r) { return r->shard * r->b.T * r->lg > CACHE_REALS; }

/* Products of a chunk: groups of rows times panels from..to, as floats or in bf16. */
static void chunk_product(const recur *r, const row_group *g, int64_t groups, int64_t n, int64_t lda, const packed *w,
                          int64_t ldc, bool add, int64_t from, int64_t to, char *memory)
{
    if (!r->half || !w->narrow) {
        gemm_groups(g, groups, n, w->K, lda, w->to, ldc, add, from, to);
        return;
    }
    int64_t ld = half_stride(w->K), row = 0;
    real edge[CHUNK_ROWS * PANEL] __attribute__((aligned(64)));
    uint32_t *half = (uint32_t *)memory;
    for (int64_t i = 0; i < groups; row += g[i++].m) half_rows(g[i].m, w->K, g[i].a, lda, half + row * ld, ld);
    for (int64_t p = from; p < to; p++) {
        const words *panel = narrow_panel(w, p);
        int64_t width = min64(PANEL, n - p * PANEL);
        row = 0;
        for (int64_t i = 0; i < groups; row += g[i++].m) {
            real *c = g[i].c + p * PANEL, *to_rows = width == PANEL ? c : edge;
            half_panel_product(r->half, g[i].m, ceil_div(w->K, 2), half + row * ld, ld, panel, to_rows,
                               width == PANEL ? ldc : PANEL, add && width == PANEL);
            for (int64_t k = 0; width < PANEL && k < g[i].m; k++)
                for (int64_t j = 0; j < width; j++) c[k * ldc + j] = (add ? c[k * ldc + j] : 0) + edge[k * PANEL + j];
        }
    }
}
/* Without a way back nothing of g outlives its chunk, which has a place of its own for every shard. */
static void place_chunk(const recur *r, walk *w)
{
    if (r->train) return;
    int64_t rows = min64(CHUNK_ROWS, r->start[w->shard + 1] - r->start[w->shard]);
    int64_t first = r->b.R <= r->shards * CHUNK_ROWS ? r->start[w->shard] : w->shard * CHUNK_ROWS;
    w->shift = w->row - first - (w->down ? rows - w->m : 0);
}
/* Masks of the steps from w on, before the step `end`. */
static void draw_chunk(recur *r, walk w, int64_t end, team *t)
{
    int64_t from, to, b0 = w.shard * r->shard;
    for (; w.t != end; walk_on(r, &w)) {
        team_share(t, w.m, &from, &to);
        draw_rows(r, w.row + from, r->pass.first_row + r->b.off[w.t] + b0 + from, to - from);
    }
    team_meet(t);
}
static walk chunk_inputs(recur *r, const walk *w, team *t, int thread)
{
    row_group g[CHUNK_ROWS], to[CHUNK_ROWS];
    walk next;
    int64_t n = chunk_of(r, w, g, &next), from, end;
    for (int s = 0; s < r->sh.sections; s++) {
        if (!(r->sh.section_feeds[s] & FROM_X)) continue;
        int slots = r->sh.section_slots[s];
        for (int64_t i = 0; i < n; i++) to[i] = g[i], to[i].c += r->col[s];
        team_share(t, r->groups, &from, &end);
        chunk_product(r, to, n, r->blocks * slots * LANES, r->ldx, &r->W[s], r->lg, false, from * r->group * slots / NV,
                      min64(r->W[s].panels, end * r->group * slots / NV), left_memory(r, thread));
    }
    if (r->draws) draw_chunk(r, *w, next.t, t);
    if (large_shard(r))
        for (int64_t i = 0, last = chunk_of(r, &next, g, &(walk){ 0 }); i < last; i++) fetch(g[i].a, g[i].m * r->ldx);
    if (r->sh.norm) team_meet(t);
    for (walk k = *w; r->sh.norm && k.t != next.t; walk_on(r, &k))
        normed_rows(r, r->g + (k.row - k.shift) * r->lg, r->stats + k.row * NORM_STATS, k.m, 0, t);
    return next;
}
static void forward_shard(void *ctx, int64_t shard, team *t, int thread)
{
    recur *r = ctx;
    for (walk w = walk_begin(r, shard, false); w.m;) {
        place_chunk(r, &w);
        for (walk end = chunk_inputs(r, &w, t, thread); w.t != end.t; walk_on(r, &w)) {
            masked_rows k;
            step_rows st = rows_at(r, &w, r->scratch + thread * r->per_thread, left_memory(r, thread), &k);
            step_forward(r, &st, t);
        }
    }
}
static void N(forward)(recur *r, const pass *p, const void *x, int64_t ldx, const void *initial)
{
    r->x = x, r->ldx = ldx, r->initial = initial;
    begin_batch(r, p);
    pool_teams(r->pool, r->shards, forward_shard, r);
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
