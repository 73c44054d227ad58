/* A matrix [out][in] of parameters and the rows of a batch: z = W x, dx = W^T dz, dW += dz x^T, each in tasks that no
   two threads share. */
#ifndef MATRIX_H
#define MATRIX_H
#include "layer/layer_kernel.h"

typedef struct matrix {
    int64_t out, in;
    vec *W, *WT; /* packed: columns are outputs, columns are inputs */
} matrix;

static inline bool matrix_new(matrix *m, int64_t out, int64_t in)
{
    m->out = out, m->in = in;
    m->W = mem_new((size_t)(ceil_div(out, PANEL) * in * NV), sizeof(vec));
    m->WT = mem_new((size_t)(ceil_div(in, PANEL) * out * NV), sizeof(vec));
    return m->W && m->WT;
}
static inline void matrix_free(matrix *m) { mem_free(m->W), mem_free(m->WT); }

/* Tasks of packing: panels of W; for training also those of its transpose. */
static inline int64_t matrix_packs(const matrix *m, bool train)
{
    return ceil_div(m->out, PANEL) + (train ? ceil_div(m->in, PANEL) : 0);
}
static inline void matrix_pack(const matrix *m, const real *w, int64_t i)
{
    int64_t in = m->in, out = m->out, panels = ceil_div(out, PANEL);
    if (i >= panels) {
        i -= panels;
        copy_block(out, min64(PANEL, in - i * PANEL), w + i * PANEL, in, m->WT + i * out * NV);
        return;
    }
    const real *M[NV];
    int64_t lanes[NV];
    for (int v = 0; v < NV; v++) {
        int64_t o = i * PANEL + v * LANES;
        M[v] = o < out ? w + o * in : NULL, lanes[v] = out - o;
    }
    pack_panel(M, lanes, in, in, (real *)(m->W + i * in * NV));
}

/* z[rows][out] = x W^T, and dx[rows][in] (+)= dz W, of at most ROW_BLOCK rows. */
static inline void matrix_rows(const matrix *m, int64_t rows, const real *x, int64_t ldx, real *z, int64_t ldz)
{
    gemm_rows(rows, m->out, m->in, x, ldx, m->W, z, ldz, false);
}
static inline void matrix_back(const matrix *m, int64_t rows, const real *dz, int64_t lddz, real *dx, int64_t lddx,
                               bool add)
{
    gemm_rows(rows, m->in, m->out, dz, lddz, m->WT, dx, lddx, add);
}
/* dW += dz^T x over R rows, panel i of ceil(in / PANEL) of its columns. block: KC * PANEL reals of the thread. */
static inline void matrix_gradient(const matrix *m, int64_t i, int64_t R, const real *x, int64_t ldx, const real *dz,
                                   int64_t lddz, real *dw, vec *block)
{
    int64_t j = i * PANEL, w = min64(PANEL, m->in - j);
    for (int64_t k = 0; k < R; k += KC) {
        int64_t n = min64(KC, R - k);
        copy_block(n, w, x + k * ldx + j, ldx, block);
        across_by_block(m->out, w, n, dz + k * lddz, lddz, block, dw + j, m->in);
    }
}
/* db += column sums of dz */
static inline void bias_gradient(int64_t R, int64_t n, const real *dz, int64_t lddz, real *db)
{
    for (int64_t r = 0; r < R; r++)
        for (int64_t j = 0; j < n; j++) db[j] += dz[r * lddz + j];
}
#endif
