/* What the files of the layers share: the head of every layer, and loops over blocks of rows. */
#ifndef LAYER_KERNEL_H
#define LAYER_KERNEL_H
#include "layer/layer.h"
#include "math/gemm.h"

typedef struct layer_head {
    layer_spec s;
    pool *pool;
    const real *w;              /* parameters, of the last load */
    int64_t ldy;
    real *y; /* [R][ldy] output, where the layer has one of its own; with cap_rows of the tape */
    int64_t cap_rows;
} layer_head;
enum { ROWS_PER_TASK = 64 };
#define TAPE_HEAD(l) TAPE_FIELDS(l, h.y, h.cap_rows)

/* of a layer that keeps nothing between steps */
static inline int64_t no_state(const layer *l) { return (void)l, 0; }
static inline int no_states(const layer *l, int64_t *at, int64_t *width) { return (void)l, (void)at, (void)width, 0; }
static inline void no_init(const layer *l, void *row) { (void)l, (void)row; }
static inline int64_t no_scratch(const layer *l, int64_t m) { return (void)l, (void)m, 0; }
static inline const recur *no_inside(const layer *l, int direction) { return (void)l, (void)direction, NULL; }
/* of a layer without a matrix */
static inline laco_status no_weights(layer *l, weights_kind kind, laco_error *err)
{
    return (void)l, (void)kind, (void)err, LACO_OK;
}
static inline bool first_member(const step_call *c) { return c->t->member == 0; }
static inline const real *row_in(const step_call *c, int64_t i) { return (const real *)c->x + i * c->ldx; }
static inline real *row_out(const step_call *c, int64_t i) { return (real *)c->y + i * c->ldy; }

/* Row stride of an array that a tile may read: see row_stride. */
static inline size_t rows_bytes(int64_t rows, int64_t ld) { return (size_t)(rows * ld + PANEL) * sizeof(real); }
static inline real *new_rows(int64_t rows, int64_t ld) { return mem_new((size_t)(rows * ld + PANEL), sizeof(real)); }

static inline laco_status reserve_rows(real **to, int64_t *cap, int64_t rows, int64_t ld, laco_error *err)
{
    if (rows <= *cap) return LACO_OK;
    mem_free(*to);
    *cap = 0;
    if (!(*to = new_rows(rows, ld))) return fail_memory(err, rows_bytes(rows, ld));
    *cap = rows;
    return LACO_OK;
}
static inline void release_rows(real **rows, int64_t *cap) { mem_free(*rows), *rows = NULL, *cap = 0; }
#endif
