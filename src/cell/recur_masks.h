/* The regularisers of a cell, in front of it and behind it: no cell but for the candidate knows them. A mask is a
   function of (seed, layer and direction, update, row, unit); see math/mask.h.

   variational P         s^ = m s in front of the recurrent products, one m per sequence of the batch, unit and state
   (Gal & Ghahramani 2016). Products and their weight gradients read `masked`, a copy of s; v of a second stage
   likewise, with the mask of the last source. A cell without recurrent products gets m s as its old state.
   recurrent-dropout P   a mask for each step on the candidate, in the cell (Semeniuta et al. 2016)
   zoneout PC PH         s' = z s + (1 - z) s~ with s~ the candidate state that the cell makes, z = 1 with probability
   P, drawn for each step; outside training z = P (Krueger et al. 2017). The cell writes and reads s~ as its new state:
   h~ of an LSTM is made of c~. The state that is the output has PH, the last one of several PC.

   On the way back what reaches s' is gathered in the carry; the cell gets 1 - z of it there, and nothing else; z of it
   is kept, and added to what the cell carries on. */
#ifndef RECUR_MASKS_H
#define RECUR_MASKS_H
#include "cell/recur_layout.h"
#include "math/mask.h"

/* What of a step's rows is masked. */
typedef struct masked_rows {
    const real *s, *source, *zone; /* states before; as the products read them; masks or probabilities */
    const real *mask, *drop;       /* variational masks of the rows; masks of the candidate */
    real *made, *sn, *masked, *v;  /* new states as the cell makes them; as they become; masked; v masked */
    int64_t lsource, lzone;
} masked_rows;

static double zone_rate(const recur *r, int k)
{
    return k == 0 ? r->sh.spec.zoneout[1] : k == r->sh.states - 1 ? r->sh.spec.zoneout[0] : 0;
}
static bool has_zoneout(const cell_shape *sh)
{
    return sh->spec.zoneout[1] > 0 || (sh->states > 1 && sh->spec.zoneout[0] > 0);
}
static laco_status make_masks(recur *r, laco_error *err)
{
    r->zones = has_zoneout(&r->sh);
    r->ldrop = row_stride(r->blocks * LANES), r->lmask = r->sh.sources ? row_stride(r->source_depth) : r->ls;
    if (!r->zones) return LACO_OK;
    if (!(r->expect = mem_new((size_t)(r->ls + PANEL), sizeof(real))))
        return fail_memory(err, (size_t)r->ls * sizeof(real));
    for (int k = 0; k < r->sh.states; k++)
        for (int64_t i = 0; i < r->width[k]; i++)
            r->expect[r->at[k] + i] = (real)(mask_limit(zone_rate(r, k)) / 65536.0);
    return LACO_OK;
}

/* ---- drawing ---- */
enum { PLACE_STATES = 8 };
static uint64_t purpose_of(const recur *r, enum rng_purpose purpose, int k)
{
    return mask_purpose(purpose, r->sh.spec.place * PLACE_STATES + k, r->pass.update);
}
/* What the pass draws, and the masks of its sequences. */
static void begin_masks(recur *r)
{
    const cell_spec *s = &r->sh.spec;
    bool draws = r->pass.train && r->train;
    r->masks = draws && s->variational > 0, r->drops = draws && s->recurrent_dropout > 0;
    r->draws = draws && (r->drops || r->zones), r->regular = r->zones || r->masks || r->drops;
    for (int k = 0; r->masks && k < (r->sh.sources ? r->sh.sources : r->sh.states); k++) {
        const mask m = mask_dropout(r->pass.seed, purpose_of(r, RNG_STATE, k), s->variational);
        for (int64_t b = 0; b < r->b.B; b++) mask_row(&m, b, r->width[k], r->state_mask + b * r->lmask + r->at[k]);
    }
}
/* The masks of m rows of one step: of g from `row` on, of the window from `place` on. */
static void draw_rows(recur *r, int64_t row, int64_t place, int64_t m)
{
    const mask candidate = mask_dropout(r->pass.seed, purpose_of(r, RNG_CANDIDATE, 0), r->sh.spec.recurrent_dropout);
    for (int64_t i = 0; r->drops && i < m; i++) mask_row(&candidate, place + i, r->H, r->drop + (row + i) * r->ldrop);
    for (int k = 0; r->zones && k < r->sh.states; k++) {
        const mask old = { r->pass.seed, purpose_of(r, RNG_ZONEOUT, k), mask_limit(zone_rate(r, k)), 1, 0 };
        for (int64_t i = 0; i < m; i++)
            if (old.limit)
                mask_row(&old, place + i, r->width[k], r->zone + (row + i) * r->ls + r->at[k]);
            else
                memset(r->zone + (row + i) * r->ls + r->at[k], 0, (size_t)r->width[k] * sizeof(real));
    }
}

/* The rows of g from `row` on, those of the batch from b on; their states before and after. */
static masked_rows masks_at(const recur *r, int64_t row, int64_t b, int64_t before, int64_t after)
{
    masked_rows k = { .s = r->s + before * r->ls,
                      .sn = r->s + after * r->ls,
                      .drop = r->drops ? r->drop + row * r->ldrop : NULL };
    k.source = k.s, k.lsource = r->ls, k.made = k.sn;
    if (r->zones) {
        k.made = r->made + (r->train ? row : b) * r->ls;
        k.zone = r->draws ? r->zone + row * r->ls : r->expect, k.lzone = r->draws ? r->ls : 0;
    }
    if (r->masks) {
        k.source = r->masked + before * r->lmask, k.masked = r->masked + after * r->lmask, k.lsource = r->lmask;
        k.mask = r->state_mask + b * r->lmask, k.v = r->masked_v ? r->masked_v + row * r->lv : NULL;
    }
    return k;
}

static void multiply_reals(int64_t n, const real *x, const real *by, real *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = x[i] * by[i];
}
static void args_masked(const recur *r, const masked_rows *k, cell_args *a)
{
    if (!r->sh.sources) a->s = k->source; /* its own past is all that such a cell has */
    a->drop = k->drop, a->ldrop = r->ldrop;
}
/* ---- behind the cell ---- the vector `at` of the states of m rows */
static void settle(const recur *r, int64_t m, const masked_rows *k, int64_t at)
{
    for (int64_t i = 0; (k->zone || k->mask) && i < m; i++) {
        vec x = load(k->made + i * r->ls + at);
        if (k->zone) {
            vec z = load(k->zone + i * k->lzone + at);
            x = z * load(k->s + i * r->ls + at) + (1 - z) * x;
            store(k->sn + i * r->ls + at, x);
        }
        if (k->mask && at < r->lmask) store(k->masked + i * r->lmask + at, x * load(k->mask + i * r->lmask + at));
    }
}
/* Unit block u after a stage of the cell; a state that is a projection is settled where that is made. */
static void settle_block(const recur *r, int64_t m, const masked_rows *k, const real *v, int64_t u, bool second)
{
    const cell_shape *sh = &r->sh;
    if (second || sh->stages == 1) {
        for (int s = sh->project != NO_TENSOR; s < sh->states; s++) settle(r, m, k, r->at[s] + u * LANES);
        return;
    }
    const real *by = k->mask + r->at[sh->sources - 1] + u * LANES;
    for (int64_t i = 0; k->v && i < m; i++)
        store(k->v + i * r->lv + u * LANES, load(v + i * r->lv + u * LANES) * load(by + i * r->lmask));
}

/* ---- on the way back ---- a panel of gradients of masked states (or v): columns of the mask from `at` on */
static void mask_panel(const recur *r, int64_t b, int64_t m, int64_t at, real *z, int64_t ldz)
{
    for (int64_t i = 0; i < m; i++) {
        real *to = z + i * ldz;
        multiply_reals(PANEL, to, r->state_mask + (b + i) * r->lmask + at, to);
    }
}
/* All that reaches the new states of a unit block, from `first` on: z are gradients from the step after, per source. */
static void split_states(const recur *r, const masked_rows *k, const cell_args *a, int first, real *const *z,
                         int64_t ldz, int64_t b)
{
    for (int s = first; s < r->sh.states; s++)
        for (int64_t i = 0; i < a->rows; i++) {
            real *carry = a->carry + i * r->ls + a->state[s];
            vec d = load(carry), old = load(k->zone + i * k->lzone + a->state[s]);
            if (s < r->sh.sources) d += load(z[s] + i * ldz);
            if (s == 0) d += load(a->dy + i * a->ldy);
            store(r->kept + (b + i) * r->ls + a->state[s], old * d);
            store(carry, (1 - old) * d);
        }
}
/* What the cell carries on, from its old states as it saw them to the old states, and what was kept beside it. */
static void join_states(const recur *r, const cell_args *a, int first, int64_t b)
{
    bool masked = r->masks && !r->sh.sources;
    for (int s = first; s < r->sh.states; s++)
        for (int64_t i = 0; i < a->rows; i++) {
            real *carry = a->carry + i * r->ls + a->state[s];
            vec d = load(carry);
            if (masked) d *= load(r->state_mask + (b + i) * r->lmask + a->state[s]);
            if (r->zones) d += load(r->kept + (b + i) * r->ls + a->state[s]);
            store(carry, d);
        }
}
static bool joins(const recur *r) { return r->zones || (r->masks && !r->sh.sources); }
#endif
