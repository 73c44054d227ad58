/* What the files of the layers share: the head of every layer, and loops over blocks of rows. */
#ifndef LAYER_KERNEL_H
#define LAYER_KERNEL_H
#include "layer/layer.h"
#include "math/gemm.h"

typedef struct layer_head {
    layer_spec s;
    pool *pool;
    const real *w;              /* parameters, of the last load */
    real *y;                    /* [R][ldy] output, where the layer has one of its own */
    int64_t ldy, cap_rows;
} layer_head;
enum { ROWS_PER_TASK = 64 };

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
#endif
