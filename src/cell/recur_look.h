/* A batch looked at from outside: gates and states by name, for diagnosis. Nothing here is on the way of training. */
#ifndef RECUR_LOOK_H
#define RECUR_LOOK_H
#include "cell/recur_forward.h"

static int N(parts)(const recur *r, recur_part out[MAX_PARTS])
{
    const cell_shape *sh = &r->sh;
    int n = 0;
    for (int slot = 0; sh->def->slot_info && slot < sh->slots; slot++) {
        slot_info s = sh->def->slot_info(sh->spec.words, slot);
        if (s.name) out[n++] = (recur_part){ s.name, s.range, slot, -1, r->H };
    }
    for (int k = 0; k < sh->states; k++) {
        const char *name = sh->def->state_name ? sh->def->state_name(sh->spec.words, k) : "hidden state";
        out[n++] = (recur_part){ name, RANGE_OPEN, -1, k, r->width[k] };
    }
    return n;
}
static void N(look)(const recur *r, const recur_part *p, int64_t t, int64_t row, double *out)
{
    const cell_shape *sh = &r->sh;
    if (p->slot < 0) {
        const real *s = r->s + (block_after(r, t) + row) * r->ls + r->at[p->state];
        for (int64_t u = 0; u < p->width; u++) out[u] = s[u];
        return;
    }
    int64_t shard = row / r->shard, at = r->start[shard] + row % r->shard, section = sh->slot_section[p->slot];
    for (int64_t i = 0; i < t; i++) at += shard_rows(r, shard, i);
    const real *g = r->g + at * r->lg + r->col[section] + sh->slot_index[p->slot] * LANES;
    for (int64_t u = 0; u < p->width; u++) out[u] = g[u / LANES * sh->section_slots[section] * LANES + u % LANES];
}
#endif
