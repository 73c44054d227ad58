/* Packing the weights into panels, once per update: columns are outputs for the products of forward, inputs for those
   of backward. The only place, besides the weight gradient, that knows the order of the parameters in memory. */
#ifndef RECUR_PACK_H
#define RECUR_PACK_H
#include "cell/recur_layout.h"
#include "math/gemm.h"

/* Columns are outputs: panel p of a section, from the matrices of its slots, one per source in turn. */
static void pack_section(const recur *r, int s, const packed *to, int64_t p, const int64_t offset[][MAX_SLOTS],
                         int sources, const int64_t *width, const int64_t *at, int64_t *depth)
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

/* Beside a float panel the same made narrow; bf16 also rounds the float one, so that products of either are alike. */
static void pack_narrow(const recur *r, const packed *w, int64_t p)
{
    if (!w->narrow) return;
    real *panel = (real *)(w->to + p * w->K * NV);
    narrow_pack(r->kind, w->K, panel, w->narrow + (size_t)p * w->panel_bytes);
    for (int64_t i = 0; r->kind == WEIGHTS_BF16 && i < w->K * PANEL; i += LANES)
        store(panel + i, half_high(half_round(load(panel + i))));
}

/* Every packing in one list of tasks: calls the one that task i falls into. */
static void load_task(void *ctx, int64_t i, int thread)
{
    recur *r = ctx;
    const cell_shape *sh = &r->sh;
    static const int64_t zero[MAX_STATES];
    int64_t unit = r->H;
    (void)thread;
#define TAKE(pack, call)                                                                                               \
    do {                                                                                                               \
        if (i < (pack).panels) {                                                                                       \
            call;                                                                                                      \
            pack_narrow(r, &(pack), i);                                                                                \
            return;                                                                                                    \
        }                                                                                                              \
        i -= (pack).panels;                                                                                            \
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

#endif
