/* What the driver of the cells holds, and how its buffers are laid out.

   Rows of the batch (of x, dy, dx, s) are in the order of the caller, step by step. Rows of what only a shard touches
   (g, v, m, dproject, stats) are [shard][step][row]: a thread finds all of its shard in one place, no line of memory
   changes hands between cores from the products of the inputs to the gradients of the weights, and the rows that a
   weight gradient sums over lie at one stride. */
#ifndef RECUR_LAYOUT_H
#define RECUR_LAYOUT_H
#include "cell/cell.h"
#include "math/gemm.h"
#include "math/narrow.h"

/* A packed matrix: panels of PANEL columns, K deep; beside them the same weights made narrow, when asked for. */
typedef struct packed {
    vec *to;
    char *narrow; /* [panels] of panel_bytes; NULL: none */
    size_t panel_bytes;
    int64_t panels, K;
} packed;

INLINE const void *narrow_panel(const packed *w, int64_t p) { return w->narrow + (size_t)p * w->panel_bytes; }

/* Left rows of a product: as they are, and what narrow weights are multiplied with. */
typedef struct left_rows {
    const real *x;
    int64_t ld;
    const uint32_t *half; /* pairs of bf16 (math/half.h), at a stride of half_stride(K); NULL: none */
    const void *narrow;   /* of narrow_left; NULL: none */
} left_rows;
INLINE int64_t half_stride(int64_t K) { return ceil_div(K, 32) * 16; }

struct recur {
    cell_shape sh;
    pool *pool;
    const real *w;                       /* the canonical parameters, of the last load */
    int64_t I, H, P, blocks;             /* inputs, units, width of the output; unit blocks */
    int64_t col[MAX_SECTIONS], cols, lg; /* first column of a section in a row of g; all; stride */
    int64_t first[3], count[3];          /* column range of the sections fed FROM_X, FROM_H, FROM_V */
    int64_t at[MAX_STATES], width[MAX_STATES], source_depth, ls; /* a row of state */
    int64_t lv, lm, lp;                                          /* strides of v, m, projection gradients */
    packed W[MAX_SECTIONS], U[MAX_SECTIONS], V[MAX_SECTIONS], WT, UT[MAX_STATES], VT, P_, PT;
    int64_t *depth[MAX_SECTIONS];                    /* [panels] of U: behind it a panel holds only zeros */
    vec *bias[MAX_SECTIONS], *params, *project_bias; /* [block][slot], [block][param], [block of outputs] */
    real clip[5];
    weights_kind kind;                 /* of the packed weights */
    const half_kernel *half;           /* products in bf16 over whole batches, when the kind is bf16; NULL: none */
    int64_t group, groups;             /* unit blocks whose slots fill whole panels; how many */
    int64_t z_at[MAX_SECTIONS], z_row; /* product buffer of a group, per row */
    cell_args args;                    /* of unit block 0, but for what a step brings */
    /* regularisers: see recur_masks.h */
    bool zones;                  /* zoneout */
    int64_t ldrop, lmask;        /* strides of drop; of masked and state_mask */
    real *expect;                /* [ls] probabilities of zoneout, in place of masks outside training */
    real *scratch;               /* [thread][per_thread] */
    int64_t per_thread;
    char *left; /* [thread][left_per_thread] rows made bf16 */
    size_t left_per_thread;
    /* the tape: buffers of the reserved size and the batch in progress, to ldx */
    int64_t cap_rows, cap_batch;
    bool train;
    real *g, *s, *v, *m, *stats;
    int64_t *prev, *source; /* [R] of each row of g: the row of the state before, the row of the input */
    int64_t *start;         /* [shards + 1] first row of a shard in g */
    real *drop, *zone;         /* [R] masks of each row of g: of the candidate; of old states, strided as s */
    real *made;                /* candidate states of each row of g */
    real *state_mask, *masked; /* [B] masks of the states in front of products; s with them, row for row */
    real *masked_v;            /* v likewise */
    ragged b;
    pass pass;
    bool masks, drops, draws, regular; /* variational; recurrent dropout; a mask for each step; any of these or zoneout */
    int64_t shard, shards, parts, shards_per_part;
    const real *x, *initial;
    int64_t ldx;
    /* of backward, for any tape */
    int64_t cap_back_rows, cap_back_batch;
    real *dproject;
    uint32_t *pairs; /* [R / 2 + shards][lg] g as pairs of rows, with half */
    real *partial;   /* [parts - 1][parameters] weight gradients of all parts but the first */
    vec *dp;         /* [shard][block][param] */
    real *kept;      /* [B][ls] what goes past the cell */
    const real *dy;
    int64_t ldy, lddx;
    real *carry, *dparams, *dx;
    bool add_dx;
};
enum { MAX_SHARD = 32, COLUMN_SUM = 8, CHUNK_ROWS = 96 };

/* Groups whose products are made before their cells: one, but with few rows so many that the reading of the weights is
   not held up by cells waiting for one another. */
enum { SPAN_REALS = 2048 };
INLINE int64_t span_of(const recur *r, int64_t m)
{
    return m > 2 ? 1 : max64(1, min64(r->groups, SPAN_REALS / (m * r->z_row + 1)));
}
static int64_t z_reals(const recur *r, int64_t m) { return m * max64(span_of(r, m) * r->z_row, PANEL) + PANEL; }

/* What a thread needs beside the products of its step: rows made narrow. */
static size_t left_bytes(const recur *r, int64_t m)
{
    int64_t K = max64(max64(r->I, r->source_depth), r->blocks * LANES);
    if (r->kind == WEIGHTS_FLOAT) return 0;
    return narrow_left_bytes(r->kind, m, K);
}

static int first_slot(const cell_shape *sh, int section)
{
    int n = 0;
    for (int i = 0; i < section; i++) n += sh->section_slots[i];
    return n;
}

#endif
