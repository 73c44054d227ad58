/* The driver of the cells: layouts, packed weights, products, and the loops over time, rows and threads. It knows no
   equation of any cell. recur_layout.h, recur_pack.h, recur_forward.h and recur_backward.h are its parts; here are the
   life of a layer, streaming, and the table that the rest of the library calls.

   A batch is cut into shards of a fixed number of rows. A shard is walked through all steps by one thread, without any
   barrier, or, when there are more threads than shards, by a team that shares the units of every step. Products of the
   inputs and gradients of the inputs are made for a chunk of steps at once, weight gradients for all steps of a part of
   the shards. What a sum contains and its order depend on the sizes alone, so results are the same bits for any number
   of threads.

   forward   per shard: for a chunk of steps g = x W  |  for each step z = s U, then at once the cell on those units
   backward  per shard: for each step dz = dg(t+1) U^T, then at once the cell's derivative  |  for a chunk dx = dg W^T
             per part: dW = dg^T x, dU = dg^T s(t-1), biases: column sums  |  the sum of the parts */
#include "cell/recur_backward.h"
#include "cell/recur_forward.h"
#include "cell/recur_look.h"
#include "cell/recur_pack.h"
#include "cell/list.h"
#define CELL_ROWS
static const cell_def *const cells[] = {
#include "cell/list.h"
    NULL
};
enum { CELLS = sizeof cells / sizeof *cells };

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
    if (!(spec->variational >= 0 && spec->variational < 1 && spec->recurrent_dropout >= 0 &&
          spec->recurrent_dropout < 1 && spec->zoneout[0] >= 0 && spec->zoneout[0] < 1 && spec->zoneout[1] >= 0 &&
          spec->zoneout[1] < 1))
        return fail(err, LACO_EINVAL, -1, "%s: a probability must be from 0 to below 1", spec->cell);
    if (sh->spec.biases < 0) sh->spec.biases = def->info.biases;
    memset(sh->x, -1, sizeof sh->x), memset(sh->h, -1, sizeof sh->h), memset(sh->v, -1, sizeof sh->v);
    memset(sh->bias, -1, sizeof sh->bias), memset(sh->param, -1, sizeof sh->param);
    if ((st = def->shape(sh, err))) return st;
    if (sh->states == 1 && spec->zoneout[0] != spec->zoneout[1])
        return fail(err, LACO_EINVAL, -1, "%s has no cell state: zoneout takes one number", spec->cell);
    return LACO_OK;
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
        if (sh->section_feeds[s] && sh->section_slots[s] % NV) r->group = NV;
    for (int s = 0; s < sh->sections; s++) {
        r->z_at[s] = r->z_row;
        r->z_row += r->group * sh->section_slots[s] * LANES;
    }
    r->groups = ceil_div(r->blocks, r->group);
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

/* Every packed matrix of the layer. */
enum { PACKED = 3 * MAX_SECTIONS + MAX_STATES + 4 };
static int list_packed(recur *r, packed *all[PACKED])
{
    int n = 0;
    for (int s = 0; s < MAX_SECTIONS; s++) all[n++] = &r->W[s], all[n++] = &r->U[s], all[n++] = &r->V[s];
    for (int k = 0; k < MAX_STATES; k++) all[n++] = &r->UT[k];
    all[n++] = &r->WT, all[n++] = &r->VT, all[n++] = &r->P_, all[n++] = &r->PT;
    return n;
}
static void N(free)(recur *r)
{
    if (!r) return;
    packed *all[PACKED];
    for (int i = 0, k = list_packed(r, all); i < k; i++) mem_free(all[i]->to), mem_free(all[i]->narrow);
    for (int s = 0; s < MAX_SECTIONS; s++) mem_free(r->depth[s]), mem_free(r->bias[s]);
    need n[NEEDS];
    list_needs(r, 0, 0, false, n);
    release_needs(n, NEEDS);
    void *rest[] = { r->params, r->project_bias, r->scratch, r->left, r->expect };
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) mem_free(rest[i]);
    mem_free(r);
}

/* What stays the same in every step. */
static cell_args args_of_layer(const recur *r)
{
    const cell_shape *sh = &r->sh;
    cell_args a = { .words = sh->spec.words,
                    .clip = sh->spec.clip > 0 ? r->clip : NULL,
                    .lg = r->lg,
                    .p = r->params,
                    .ls = r->ls,
                    .lv = r->lv,
                    .lm = r->lm,
                    .sources = sh->sources,
                    .lstats = NORM_STATS };
    for (int s = 0; s < sh->sections; s++) a.section[s] = r->col[s], a.bias[s] = r->bias[s];
    for (int k = 0; k < sh->states; k++) a.state[k] = r->at[k];
    return a;
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
    r->per_thread = max64(max64(z_reals(r, MAX_SHARD), SPAN_REALS + PANEL), (MAX_STATES + 2) * MAX_SHARD * PANEL) +
                    (TASK_PANELS + 1) * KC * PANEL;
    r->scratch = mem_new((size_t)(r->per_thread * pool_threads(p)), sizeof(real));
    if (!take_weights(r) || !r->scratch) return N(free)(r), fail_memory(err, (size_t)sh.size * sizeof(real));
    if ((st = make_masks(r, err))) return N(free)(r), st;
    r->args = args_of_layer(r);
    *out = r;
    return LACO_OK;
}

/* The kind of the packed weights from the next load on. Before reserve: with bf16 a batch needs more. */
static laco_status N(weights)(recur *r, weights_kind kind, laco_error *err)
{
    packed *all[PACKED];
    int64_t K = max64(max64(r->I, r->source_depth), max64(r->blocks * LANES, r->cols));
    r->kind = kind, r->half = kind == WEIGHTS_BF16 ? half_best() : NULL;
    r->left_per_thread = r->half ? (size_t)(CHUNK_ROWS * half_stride(K)) * sizeof(uint32_t) : 0;
    mem_free(r->left), r->left = NULL;
    if (r->half && !(r->left = mem_new((size_t)pool_threads(r->pool), r->left_per_thread)))
        return fail_memory(err, r->left_per_thread);
    for (int i = 0, n = list_packed(r, all); i < n; i++) {
        packed *w = all[i];
        mem_free(w->narrow), w->narrow = NULL;
        if (!w->to || kind == WEIGHTS_FLOAT) continue;
        w->panel_bytes = narrow_panel_bytes(kind, w->K);
        if (!(w->narrow = mem_new((size_t)w->panels, w->panel_bytes)))
            return fail_memory(err, (size_t)w->panels * w->panel_bytes);
    }
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

/* ---- streaming ---- scratch: rows of g, v, m, statistics, candidate states; own: the products of some groups, rows made narrow */
static int64_t N(step_own)(const recur *r, int64_t rows)
{
    int64_t m = min64(rows, MAX_SHARD);
    int64_t K = max64(max64(r->I, r->source_depth), r->blocks * LANES), reals = 0;
    for (int kind = WEIGHTS_BF16; kind <= WEIGHTS_INT8; kind++) /* room for any kind: states outlive a change */
        reals = max64(reals, (int64_t)(2 * narrow_left_bytes(kind, m, K) / sizeof(real)));
    int64_t z = z_reals(r, m); /* a call may step fewer, and one or two rows take more groups at once */
    for (int64_t few = 1; few <= min64(2, m); few++) z = max64(z, z_reals(r, few));
    return z + reals + 64 / (int64_t)sizeof(real);
}
static int64_t N(step_scratch)(const recur *r, int64_t rows)
{
    return min64(rows, MAX_SHARD) * (r->lg + r->lv + r->lm + NORM_STATS + (r->zones ? r->ls : 0)) + PANEL;
}
static char *line_after(void *p) { return (char *)(((uintptr_t)p + 63) & ~(uintptr_t)63); }
static void N(step)(const recur *r, int64_t rows, const void *x, int64_t ldx, const void *s, void *sn, void *scratch,
                    void *own, team *t)
{
    for (int64_t i = 0; i < rows; i += MAX_SHARD) {
        int64_t m = min64(MAX_SHARD, rows - i);
        real *g = scratch, *v = g + m * r->lg + PANEL, *mid = v + m * r->lv, *stats = mid + m * r->lm;
        step_rows st = { .m = m,
                         .x = (const real *)x + i * ldx,
                         .ldx = ldx,
                         .g = g,
                         .s = (const real *)s + i * r->ls,
                         .sn = (real *)sn + i * r->ls,
                         .v = v,
                         .mid = r->sh.project != NO_TENSOR ? mid : NULL,
                         .stats = r->sh.norm ? stats : NULL,
                         .z = own };
        masked_rows k;
        if (r->zones) {
            k = (masked_rows){ .s = st.s, .sn = st.sn, .source = st.s, .lsource = r->ls, .zone = r->expect };
            st.masks = &k, st.sn = k.made = stats + m * NORM_STATS;
        }
        /* float panels hold what bf16 has; from three rows on their products are faster */
        if (r->kind == WEIGHTS_INT8 || (r->kind == WEIGHTS_BF16 && m < 3)) st.left = line_after(st.z + z_reals(r, m));
        step_forward(r, &st, t);
    }
}

static const cell_info *N(cell)(int i) { return i >= 0 && i < CELLS - 1 ? &cells[i]->info : NULL; }

extern const recur_ops N(recur_ops);
const recur_ops N(recur_ops) = { N(cell),      N(describe),     N(state_size),   N(make),         N(free),
                                 N(out_width), N(state_stride), N(states),       N(work_per_row), N(weights),
                                 N(load),      N(reserve),      N(bytes),        N(tape),         N(release),
                                 N(forward),   N(output),       N(final),        N(backward),     N(step_scratch),
                                 N(step_own),  N(step),         N(parts),        N(look) };
