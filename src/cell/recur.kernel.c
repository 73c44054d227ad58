/* The driver of the cells: layouts, packed weights, products, and the loops over time, rows and threads. It knows no
   equation of any cell.

   A batch is cut into shards of a fixed number of rows. A shard is walked through all steps by one thread, without any
   barrier; inputs, input gradients and weight gradients are products over all steps at once. What a sum contains and
   its order depend on the sizes alone, so results are the same bits for any number of threads.

   forward   g = x W (all rows)  |  per shard and step: z = s U, then at once the cell on those units
   backward  per shard and step: dz = dg(t+1) U^T, then at once the cell's derivative  |  dx = dg W^T, dW = dg^T x,
             dU = dg^T s(t-1), biases: column sums */
#include "cell/cell.h"
#include "cell/norm.h"
#include "math/gemm.h"
#include "cell/list.h"
#define CELL_ROWS
static const cell_def *const cells[] = {
#include "cell/list.h"
    NULL
};
enum { CELLS = sizeof cells / sizeof *cells };

/* A packed matrix: panels of PANEL columns, K deep. */
typedef struct packed {
    vec *to;
    int64_t panels, K;
} packed;

struct recur {
    cell_shape sh;
    pool *pool;
    const real *w; /* the canonical parameters, of the last load */
    int64_t I, H, P, blocks; /* inputs, units, width of the output; unit blocks */
    int64_t col[MAX_SECTIONS], cols, lg;               /* first column of a section in a row of g; all; stride */
    int64_t first[3], count[3];                        /* column range of the sections fed FROM_X, FROM_H, FROM_V */
    int64_t at[MAX_STATES], width[MAX_STATES], source_depth, ls; /* a row of state */
    int64_t lv, lm, lp, ldim;                          /* strides of v, m, projection gradients */
    packed W[MAX_SECTIONS], U[MAX_SECTIONS], V[MAX_SECTIONS], WT, UT[MAX_STATES], VT, P_, PT;
    int64_t *depth[MAX_SECTIONS];                      /* [panels] of U: behind it a panel holds only zeros */
    vec *bias[MAX_SECTIONS], *params, *project_bias;   /* [block][slot], [block][param], [block of outputs] */
    real clip[5];
    int group;                                         /* unit blocks whose slots fill whole panels */
    int64_t lz[MAX_SECTIONS], z_at[MAX_SECTIONS], z_row;  /* product buffer of a group, per row */
    real *scratch;                                     /* [thread][per_thread] */
    int64_t per_thread;
    /* of the reserved size */
    int64_t cap_rows, cap_batch;
    bool train;
    real *g, *s, *v, *m, *dproject, *stats, *out;
    vec *dp;                                           /* [shard][block][param] */
    int64_t *prev;                                     /* [R] state row before each row */
    /* of the batch in progress */
    ragged b;
    int64_t shard;
    const real *x, *dy, *initial;
    int64_t ldx, ldy, lddx, row_block;
    real *carry, *dparams, *dx;
    bool add_dx;
};
enum { MAX_SHARD = 32, COLUMN_SUM = 8 };

static int first_slot(const cell_shape *sh, int section)
{
    int n = 0;
    for (int i = 0; i < section; i++) n += sh->section_slots[i];
    return n;
}

/* ---- shape ---- */
static laco_status find_cell(const cell_spec *spec, const cell_def **out, laco_error *err)
{
    const char *names[CELLS + 1] = { NULL };
    for (int i = 0; cells[i]; i++) {
        names[i] = cells[i]->info.name;
        if (!strcmp(names[i], spec->cell)) return *out = cells[i], LACO_OK;
    }
    const char *near = nearest_name(spec->cell, names);
    return fail(err, LACO_EINVAL, -1, "unknown cell \"%s\"%s%s%s; `laco help cells` lists them", spec->cell,
                near ? ", did you mean \"" : "", near ? near : "", near ? "\"" : "");
}

static laco_status make_shape(cell_shape *sh, const cell_spec *spec, laco_error *err)
{
    const cell_def *def = NULL;
    laco_status st = find_cell(spec, &def, err);
    if (st) return st;
    *sh = (cell_shape){ .spec = *spec, .def = def, .stages = 1, .project = NO_TENSOR, .project_bias = NO_TENSOR };
    if (spec->hidden < 1 || spec->inputs < 1 || spec->project < 0 || spec->hidden > 1 << 20 || spec->inputs > 1 << 24 ||
        spec->project > 1 << 20)
        return fail(err, LACO_EINVAL, -1, "%s: sizes must be from 1 to 1048576 units", spec->cell);
    if (spec->project && !def->info.projects)
        return fail(err, LACO_EINVAL, -1, "%s has no projection; lstm, elman and jordan have", spec->cell);
    if (sh->spec.biases < 0) sh->spec.biases = def->info.biases;
    memset(sh->x, -1, sizeof sh->x), memset(sh->h, -1, sizeof sh->h), memset(sh->v, -1, sizeof sh->v);
    memset(sh->bias, -1, sizeof sh->bias), memset(sh->param, -1, sizeof sh->param);
    return def->shape(sh, err);
}

static laco_status N(describe)(const cell_spec *spec, param_tensor *tensors, int *count, laco_error *err)
{
    cell_shape sh;
    laco_status st = make_shape(&sh, spec, err);
    if (st) return st;
    memcpy(tensors, sh.tensor, sizeof *tensors * (size_t)sh.tensors);
    *count = sh.tensors;
    return LACO_OK;
}

static int64_t N(state_size)(const cell_spec *spec)
{
    cell_shape sh;
    if (make_shape(&sh, spec, NULL)) return 0;
    return (sh.spec.project ? sh.spec.project : spec->hidden) + (sh.states - 1) * spec->hidden;
}

/* Column range of the sections that a product feeds; they lie side by side. */
static void lay_out_columns(recur *r)
{
    const cell_shape *sh = &r->sh;
    for (int s = 0; s < sh->sections; s++) {
        int64_t n = r->blocks * sh->section_slots[s] * LANES;
        r->col[s] = r->cols;
        for (int f = 0; f < 3; f++)
            if (sh->section_feeds[s] & 1 << f) {
                if (!r->count[f]) r->first[f] = r->cols;
                r->count[f] += n;
            }
        r->cols += n;
    }
    r->lg = row_stride(r->cols);
}
static void lay_out_state(recur *r)
{
    int64_t n = 0;
    for (int k = 0; k < r->sh.states; k++) {
        r->width[k] = k ? r->H : r->P;
        r->at[k] = n, n += ceil_div(r->width[k], LANES) * LANES;
        if (k < r->sh.sources) r->source_depth = n;
    }
    r->ls = row_stride(n);
}
/* The smallest group of unit blocks whose products fill whole panels, and the buffer they need. */
static void lay_out_group(recur *r)
{
    const cell_shape *sh = &r->sh;
    r->group = 1;
    for (int s = 0; s < sh->sections; s++)
        if (sh->section_feeds[s] & (FROM_H | FROM_V) && sh->section_slots[s] % NV) r->group = NV;
    for (int s = 0; s < sh->sections; s++) {
        r->z_at[s] = r->z_row, r->lz[s] = r->group * sh->section_slots[s] * LANES;
        r->z_row += r->lz[s];
    }
}

static bool new_packed(packed *p, int64_t columns, int64_t K)
{
    p->panels = ceil_div(columns, PANEL), p->K = K;
    return (p->to = mem_new((size_t)(p->panels * K * NV), sizeof(vec)));
}

static bool take_weights(recur *r)
{
    const cell_shape *sh = &r->sh;
    bool ok = true;
    for (int s = 0; s < sh->sections; s++) {
        int64_t n = r->blocks * sh->section_slots[s] * LANES;
        if (sh->section_feeds[s] & FROM_X) ok &= new_packed(&r->W[s], n, r->I);
        if (sh->section_feeds[s] & FROM_H) {
            ok &= new_packed(&r->U[s], n, r->source_depth);
            ok &= (r->depth[s] = mem_new((size_t)r->U[s].panels, sizeof(int64_t))) != NULL;
        }
        if (sh->section_feeds[s] & FROM_V) ok &= new_packed(&r->V[s], n, r->blocks * LANES);
        ok &= (r->bias[s] = mem_new((size_t)(r->blocks * sh->section_slots[s]), sizeof(vec))) != NULL;
    }
    ok &= new_packed(&r->WT, r->I, r->count[0]);
    for (int k = 0; k < sh->sources; k++) ok &= new_packed(&r->UT[k], r->width[k], r->count[1]);
    if (r->count[2]) ok &= new_packed(&r->VT, r->H, r->count[2]);
    if (sh->project != NO_TENSOR) {
        ok &= new_packed(&r->P_, r->P, r->blocks * LANES) && new_packed(&r->PT, r->H, ceil_div(r->P, LANES) * LANES);
        ok &= (r->project_bias = mem_new((size_t)r->P_.panels * NV, sizeof(vec))) != NULL;
    }
    ok &= (r->params = mem_new((size_t)(r->blocks * sh->params), sizeof(vec))) != NULL;
    return ok;
}

static void N(free)(recur *r)
{
    if (!r) return;
    packed *one[] = { &r->WT, &r->VT, &r->P_, &r->PT };
    for (int i = 0; i < 4; i++) mem_free(one[i]->to);
    for (int s = 0; s < MAX_SECTIONS; s++)
        mem_free(r->W[s].to), mem_free(r->U[s].to), mem_free(r->V[s].to), mem_free(r->depth[s]), mem_free(r->bias[s]);
    for (int k = 0; k < MAX_STATES; k++) mem_free(r->UT[k].to);
    void *rest[] = { r->params, r->project_bias, r->scratch, r->g, r->s, r->v, r->m, r->dproject, r->stats, r->out, r->dp, r->prev };
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) mem_free(rest[i]);
    mem_free(r);
}

static laco_status N(make)(recur **out, const cell_spec *spec, pool *p, laco_error *err)
{
    cell_shape sh;
    laco_status st = make_shape(&sh, spec, err);
    if (st) return st;
    recur *r = mem_new(1, sizeof *r);
    if (!r) return fail_memory(err, sizeof *r);
    r->sh = sh, r->pool = p, r->I = spec->inputs, r->H = spec->hidden;
    r->P = sh.spec.project ? sh.spec.project : r->H;
    r->blocks = ceil_div(r->H, LANES);
    lay_out_columns(r), lay_out_state(r), lay_out_group(r);
    r->lv = r->lm = row_stride(r->blocks * LANES), r->lp = row_stride(ceil_div(r->P, LANES) * LANES);
    if (spec->clip > 0) {
        vec c = splat((real)spec->clip);
        const vec f[] = { c, vsigmoid(-c), vsigmoid(c), vtanh(-c), vtanh(c) }; /* vtanh is not odd to the last bit */
        for (int i = 0; i < 5; i++) r->clip[i] = f[i][0];
    }
    r->per_thread = max64(MAX_SHARD * r->z_row, (MAX_STATES + 2) * MAX_SHARD * PANEL) + KC * PANEL;
    r->scratch = mem_new((size_t)(r->per_thread * pool_threads(p)), sizeof(real));
    if (!take_weights(r) || !r->scratch) return N(free)(r), fail_memory(err, (size_t)sh.size * sizeof(real));
    *out = r;
    return LACO_OK;
}

static int64_t N(out_width)(const recur *r) { return r->P; }
static int64_t N(state_stride)(const recur *r) { return r->ls; }
static int N(states)(const recur *r, int64_t *at, int64_t *width)
{
    memcpy(at, r->at, sizeof r->at), memcpy(width, r->width, sizeof r->width);
    return r->sh.states;
}
static int64_t N(work_per_row)(const recur *r)
{
    int64_t n = 0;
    for (int t = 0; t < r->sh.tensors; t++)
        if (r->sh.tensor[t].rank > 1) n += r->sh.tensor[t].size;
    return n;
}

/* ---- packing: once per update ---- */

/* Columns are outputs: panel p of a section, from the matrices of its slots, one per source in turn. */
static void pack_section(const recur *r, int s, const packed *to, int64_t p, const int64_t offset[][MAX_SLOTS], int sources,
                         const int64_t *width, const int64_t *at, int64_t *depth)
{
    int slots = r->sh.section_slots[s], base = first_slot(&r->sh, s);
    real *dst = (real *)(to->to + p * to->K * NV);
    for (int k = 0; k < sources; k++) {
        const real *M[NV] = { NULL };
        int64_t lanes[NV] = { 0 };
        for (int v = 0; v < NV; v++) {
            int64_t q = p * NV + v, u = q / slots, o = u < r->blocks ? offset[k][base + q % slots] : NO_TENSOR;
            if (o == NO_TENSOR) continue;
            M[v] = r->w + o + u * LANES * width[k], lanes[v] = r->H - u * LANES;
            if (depth) *depth = at[k] + width[k];
        }
        pack_panel(M, lanes, width[k], width[k], dst + at[k] * PANEL);
    }
}
/* Columns are inputs: panel p of a matrix whose rows are the columns of g in [first, first + count). */
static void pack_transposed(const recur *r, int feed, const packed *to, int64_t p, const int64_t *offset, int64_t width)
{
    real *dst = (real *)(to->to + p * to->K * NV);
    int64_t w = min64(PANEL, width - p * PANEL);
    memset(dst, 0, (size_t)(to->K * PANEL) * sizeof(real));
    for (int s = 0; s < r->sh.sections; s++) {
        if (!(r->sh.section_feeds[s] & 1 << feed)) continue;
        int slots = r->sh.section_slots[s], base = first_slot(&r->sh, s);
        real *row = dst + (r->col[s] - r->first[feed]) * PANEL;
        for (int64_t u = 0; u < r->blocks; u++)
            for (int i = 0; i < slots; i++, row += LANES * PANEL) {
                if (offset[base + i] == NO_TENSOR) continue;
                const real *src = r->w + offset[base + i] + u * LANES * width + p * PANEL;
                for (int64_t l = 0; l < min64(LANES, r->H - u * LANES); l++)
                    memcpy(row + l * PANEL, src + l * width, (size_t)w * sizeof(real));
            }
    }
}
static void pack_projection(const recur *r, int64_t p, bool transposed)
{
    const packed *to = transposed ? &r->PT : &r->P_;
    real *dst = (real *)(to->to + p * to->K * NV);
    const real *w = r->w + r->sh.project;
    if (transposed) {
        int64_t n = min64(PANEL, r->H - p * PANEL);
        for (int64_t k = 0; k < r->P; k++) memcpy(dst + k * PANEL, w + k * r->H + p * PANEL, (size_t)n * sizeof(real));
        return;
    }
    const real *M[NV];
    int64_t lanes[NV];
    for (int v = 0; v < NV; v++) {
        int64_t o = p * PANEL + v * LANES;
        M[v] = o < r->P ? w + o * r->H : NULL, lanes[v] = r->P - o;
    }
    pack_panel(M, lanes, r->H, r->H, dst);
}

/* Every packing in one list of tasks: calls the one that task i falls into. */
static void load_task(void *ctx, int64_t i, int thread)
{
    recur *r = ctx;
    const cell_shape *sh = &r->sh;
    static const int64_t zero[MAX_STATES];
    int64_t unit = r->H;
    (void)thread;
#define TAKE(pack, call)                                  \
    do {                                                  \
        if (i < (pack).panels) { call; return; }          \
        i -= (pack).panels;                               \
    } while (0)
    for (int s = 0; s < sh->sections; s++) {
        TAKE(r->W[s], pack_section(r, s, &r->W[s], i, &sh->x, 1, &r->I, zero, NULL));
        TAKE(r->U[s], pack_section(r, s, &r->U[s], i, sh->h, sh->sources, r->width, r->at, &r->depth[s][i]));
        TAKE(r->V[s], pack_section(r, s, &r->V[s], i, &sh->v, 1, &unit, zero, NULL));
    }
    TAKE(r->P_, pack_projection(r, i, false));
    TAKE(r->WT, pack_transposed(r, 0, &r->WT, i, sh->x, r->I));
    for (int k = 0; k < sh->sources; k++) TAKE(r->UT[k], pack_transposed(r, 1, &r->UT[k], i, sh->h[k], r->width[k]));
    TAKE(r->VT, pack_transposed(r, 2, &r->VT, i, sh->v, r->H));
    TAKE(r->PT, pack_projection(r, i, true));
#undef TAKE
}

/* Adds up to n vectors [H] of the parameters, NO_TENSOR skipped, into one vector per unit block. */
static void sum_vectors(const recur *r, const int64_t *offset, int n, int64_t units, real *to, int64_t step)
{
    for (int64_t h = 0; h < units; h++) {
        real x = 0;
        for (int i = 0; i < n; i++)
            if (offset[i] != NO_TENSOR) x += r->w[offset[i] + h];
        to[h / LANES * step * LANES + h % LANES] = x;
    }
}

static void N(load)(recur *r, const void *params, bool train)
{
    const cell_shape *sh = &r->sh;
    int64_t n = r->P_.panels;
    r->w = params;
    for (int s = 0; s < sh->sections; s++) n += r->W[s].panels + r->U[s].panels + r->V[s].panels;
    if (train) n += r->WT.panels + r->VT.panels + r->PT.panels;
    for (int k = 0; train && k < sh->sources; k++) n += r->UT[k].panels;
    for (int i = 0; i < sh->slots; i++) {
        int s = sh->slot_section[i];
        sum_vectors(r, sh->bias[i], 2, r->H, (real *)(r->bias[s] + sh->slot_index[i]), sh->section_slots[s]);
    }
    for (int k = 0; k < sh->params; k++)
        sum_vectors(r, sh->param[k], MAX_SHARED, r->H, (real *)(r->params + k), sh->params);
    if (sh->project_bias != NO_TENSOR) sum_vectors(r, &sh->project_bias, 1, r->P, (real *)r->project_bias, 1);
    pool_run(r->pool, n, load_task, r);
}

/* ---- memory of a batch ---- */
typedef struct need {
    void **to;
    int64_t n;
    size_t size;
} need;
enum { NEEDS = 9 };
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
        { (void **)&r->out, 0, sizeof(real) },
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
static int64_t block_after(const recur *r, int64_t t) { return r->sh.spec.reverse ? reverse_block(r, t) : r->b.B + r->b.off[t]; }
static int64_t block_before(const recur *r, int64_t t)
{
    return r->sh.spec.reverse ? reverse_block(r, t + 1) : t ? r->b.B + r->b.off[t - 1] : 0;
}
static void put_initial(recur *r, int64_t row, int64_t b, int64_t n)
{
    if (r->initial) memcpy(r->s + row * r->ls, r->initial + b * r->ls, (size_t)(n * r->ls) * sizeof(real));
    else memset(r->s + row * r->ls, 0, (size_t)(n * r->ls) * sizeof(real));
}
static int64_t active_at(const recur *r, int64_t t) { return t < r->b.T ? r->b.active[t] : 0; }

static void begin_batch(recur *r, const ragged *b)
{
    r->b = *b;
    r->shard = min64(MAX_SHARD, max64(8, ceil_div(b->B, 16) * 8)); /* from the batch alone, not from the threads */
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
    cell_args a = { .rows = st->m, .words = sh->spec.words, .clip = sh->spec.clip > 0 ? r->clip : NULL, .g = st->g,
        .lg = r->lg, .p = r->params + u * sh->params, .s = st->s, .sn = st->sn, .ls = r->ls, .lv = r->lv, .lm = r->lm,
        .v = st->v ? st->v + u * LANES : NULL, .m = st->mid ? st->mid + u * LANES : NULL, .sources = sh->sources,
        .stats = st->stats ? st->stats + NORM_OF_C : NULL, .lstats = NORM_STATS };
    for (int s = 0; s < sh->sections; s++) {
        a.section[s] = r->col[s] + u * sh->section_slots[s] * LANES;
        a.bias[s] = r->bias[s] + u * sh->section_slots[s];
        a.z[s] = st->z + r->z_at[s] + u % r->group * sh->section_slots[s] * LANES;
        a.lz[s] = r->z_row;
    }
    for (int k = 0; k < sh->states; k++) a.state[k] = r->at[k] + u * LANES;
    return a;
}
/* The products of a group of unit blocks with the rows of `from`, into the group's buffer, for the sections of a feed. */
static void group_products(const recur *r, const step_rows *st, int feed, int64_t u, const real *from, int64_t ld)
{
    for (int s = 0; s < r->sh.sections; s++) {
        if (!(r->sh.section_feeds[s] & feed)) continue;
        const packed *w = feed == FROM_H ? &r->U[s] : &r->V[s];
        int slots = r->sh.section_slots[s];
        int64_t p = u * slots / NV, end = ceil_div(min64(r->blocks, u + r->group) * slots, NV);
        for (real *z = st->z + r->z_at[s]; p < end; p++, z += PANEL)
            panel_product(st->m, feed == FROM_H ? r->depth[s][p] : w->K, from, ld, w->to + p * w->K * NV, z, r->z_row, false);
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
        norm_gates_forward(r->sh.norm, r->H, r->sh.section_slots[1], st->g + i * r->lg + r->col[1], st->stats + i * NORM_STATS + NORM_OF_H);
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
            gemm_rows(m, r->blocks * r->sh.section_slots[s] * LANES, r->I, x, ldx, r->W[s].to, g + r->col[s], r->lg, false);
    for (int64_t i = 0; r->sh.norm && i < m; i++)
        norm_gates_forward(r->sh.norm, r->H, r->sh.section_slots[0], g + i * r->lg + r->col[0], stats + i * NORM_STATS + NORM_OF_X);
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
    return (step_rows){ .m = m, .g = r->g + row * r->lg, .s = r->s + (block_before(r, t) + b0) * r->ls,
        .sn = r->s + (block_after(r, t) + b0) * r->ls, .v = r->v ? r->v + row * r->lv : NULL,
        .mid = r->m ? r->m + row * r->lm : NULL, .stats = r->stats ? r->stats + row * NORM_STATS : NULL, .z = z };
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
    if (initial) memcpy(to, initial, (size_t)r->b.B * row);
    else memset(to, 0, (size_t)r->b.B * row);
    for (int64_t t = 0; t < r->b.T; t++) {
        int64_t from = r->sh.spec.reverse ? 0 : active_at(r, t + 1), n = r->b.active[t] - from;
        memcpy(to + (size_t)from * row, r->s + (block_after(r, t) + from) * r->ls, (size_t)n * row);
        if (r->sh.spec.reverse) break;
    }
}

/* ---- backward ---- */
typedef struct back_rows {
    int64_t shard, t, m, mz, next; /* rows of this step; rows that the step done before hands on, and its rows of g */
    real *z;                       /* [source][MAX_SHARD][PANEL], then dv, dm */
} back_rows;

static void add_rows(real *to, int64_t ld, const real *from, int64_t n, int64_t width)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j += LANES) store(to + i * ld + j, load(to + i * ld + j) + load(from + i * PANEL + j));
}
/* dz = dg of the step done before times U^T: for panel p of source k, rows 0..m. A row that ends there (rows m..mz) has
   its share added to the carry; a row that begins there gets 0. */
static real *source_gradient(const recur *r, const back_rows *b, int k, int64_t p)
{
    real *z = b->z + k * MAX_SHARD * PANEL;
    int64_t width = min64(PANEL, ceil_div(r->width[k] - p * PANEL, LANES) * LANES), keep = min64(b->m, b->mz);
    real *carry = r->carry + b->shard * r->shard * r->ls + r->at[k] + p * PANEL;
    if (b->mz) panel_product(b->mz, r->UT[k].K, r->g + b->next * r->lg + r->first[1], r->lg, r->UT[k].to + p * r->UT[k].K * NV, z, PANEL, false);
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
            for (int64_t j = p * PANEL; j < min64(r->at[0] + ceil_div(r->P, LANES) * LANES, (p + 1) * PANEL); j += LANES) {
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
        panel_product(b->m, r->VT.K, r->g + row * r->lg + r->first[2], r->lg, r->VT.to + j * r->VT.K * NV, dv, PANEL, false);
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
        if (cell_state) norm_cell_backward(r->H, n, c, g + r->col[2], stats + NORM_OF_C);
        else {
            norm_gates_backward(sh->norm, r->H, n, g + r->col[0], g + r->col[2], r->params + gain, sh->params, stats + NORM_OF_X);
            norm_gates_backward(sh->norm, r->H, n, g + r->col[1], g + r->col[2], r->params + gain + n, sh->params, stats + NORM_OF_H);
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
    if (!o->row) copy_block(n, w, o->x + k * o->ld + o->j, o->ld, block);
    else for (int64_t i = 0; i < n; i++) copy_block(1, w, o->x + o->row[k + i] * o->ld + o->j, o->ld, block + i * NV);
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
                        across_by_block(min64(LANES, r->H - u * LANES), w, n, r->g + k * r->lg + r->col[s] + (u * slots + i) * LANES, r->lg,
                                        block, r->dparams + offset[base + i] + u * LANES * o->width + o->j, o->width);
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
        int64_t i = q - r->col[s] / LANES, u = i / r->sh.section_slots[s], slot = first_slot(&r->sh, s) + i % r->sh.section_slots[s];
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
#define TAKE(count, call)                                \
    do {                                                 \
        n = (count), total += n;                         \
        if (run && i >= 0 && i < n) { call; return 0; }  \
        i -= run ? n : 0;                                \
    } while (0)
    for (int k = 0; k < sh->sources; k++)
        TAKE(ceil_div(r->width[k], PANEL), weight_panel(r, FROM_H, &(right_operand){ r->s + r->at[k], r->ls, r->width[k], i * PANEL, r->prev }, sh->h[k], block));
    TAKE(ceil_div(r->I, PANEL), weight_panel(r, FROM_X, &(right_operand){ r->x, r->ldx, r->I, i * PANEL, NULL }, sh->x, block));
    if (r->count[2]) TAKE(ceil_div(r->H, PANEL), weight_panel(r, FROM_V, &(right_operand){ r->v, r->lv, r->H, i * PANEL, NULL }, sh->v, block));
    if (sh->project != NO_TENSOR) TAKE(ceil_div(r->H, PANEL), project_panel(r, i * PANEL, block));
    if (r->dx)
        TAKE(ceil_div(r->b.R, r->row_block), gemm_rows(min64(r->row_block, r->b.R - i * r->row_block), r->I, r->count[0],
             r->g + i * r->row_block * r->lg + r->first[0], r->lg, r->WT.to, r->dx + i * r->row_block * r->lddx, r->lddx, r->add_dx));
    TAKE(ceil_div(r->cols / LANES, COLUMN_SUM), bias_columns(r, i * COLUMN_SUM));
    if (sh->project_bias != NO_TENSOR) TAKE(ceil_div(ceil_div(r->P, LANES), COLUMN_SUM), project_bias_columns(r, i * COLUMN_SUM));
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
            for (int64_t i = 0; i < shards; i++) sum += ((real *)(r->dp + (i * r->blocks + h / LANES) * sh->params + k))[h % LANES];
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

/* ---- streaming ---- scratch: a row of g, the new state, v, m, statistics, products of a group */
static int64_t N(step_scratch)(const recur *r) { return r->lg + r->ls + r->lv + r->lm + NORM_STATS + max64(r->z_row, PANEL) + PANEL; }
static void N(step)(const recur *r, const void *x, void *state, void *scratch)
{
    real *g = scratch, *sn = g + r->lg, *v = sn + r->ls, *m = v + r->lv, *z = m + r->lm, *stats = z + max64(r->z_row, PANEL) + PANEL;
    step_rows st = { .m = 1, .g = g, .s = state, .sn = sn, .v = v, .mid = r->sh.project != NO_TENSOR ? m : NULL,
        .stats = r->sh.norm ? stats : NULL, .z = z };
    input_products(r, 1, x, r->I, g, stats);
    step_forward(r, &st);
    memcpy(state, sn, (size_t)r->ls * sizeof(real));
}

static const cell_info *N(cell)(int i) { return i >= 0 && i < CELLS - 1 ? &cells[i]->info : NULL; }

extern const recur_ops N(recur_ops);
const recur_ops N(recur_ops) = { N(cell), N(describe), N(state_size), N(make), N(free), N(out_width), N(state_stride), N(states),
    N(work_per_row), N(load), N(reserve), N(bytes), N(forward), N(output), N(final), N(backward), N(step_scratch), N(step) };
