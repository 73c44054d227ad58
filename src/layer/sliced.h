/* A sparse matrix W [n][K] of rows of equal length, for products with vectors: sliced ELLPACK (Monakov et al. 2010).

   A slice is SLICE vectors of rows, as many as wait for each other's loads. Its values lie [K][SLICE * LANES]; where the
   k-th columns of each vector of a slice are neighbours, one load reads them (blocks, rings), otherwise each row has an
   index, of 16 bits where they do. Rows behind the last are zeros, up to whole slices. */
#ifndef SLICED_H
#define SLICED_H
#include "base/base.h"
#include "math/simd.h"

enum { SLICE = 4, SLICE_ROWS = SLICE * LANES };
typedef struct sliced {
    int64_t n, K, slices;
    real *value;      /* [slices][K][SLICE_ROWS] */
    int32_t *first;   /* [slices][K][SLICE] columns of first lanes; of a slice with indices, the first one is -1 */
    uint16_t *narrow; /* [slices][K][SLICE_ROWS], n up to 2^16; or */
    uint32_t *wide;
} sliced;

static inline void sliced_free(sliced *s)
{
    mem_free(s->value), mem_free(s->first), mem_free(s->narrow), mem_free(s->wide);
}
/* Whether loads read the columns of rows i .. i + SLICE_ROWS, none past the end of a row of states. */
static inline bool sliced_together(const sliced *s, const int32_t *column, int64_t i)
{
    for (int64_t j = 0; j < min64(SLICE_ROWS, s->n - i); j++)
        for (int64_t k = 0; k < s->K; k++) {
            const int32_t first = column[(i + j / LANES * LANES) * s->K + k];
            if (first + LANES > row_stride(s->n) || column[(i + j) * s->K + k] != first + j % LANES) return false;
        }
    return true;
}
/* false: no memory; sliced_free */
static inline bool sliced_new(sliced *s, int64_t n, int64_t K, const int32_t *column)
{
    *s = (sliced){ .n = n, .K = K, .slices = ceil_div(n, SLICE_ROWS) };
    const size_t steps = (size_t)(s->slices * K), lanes = steps * SLICE_ROWS;
    s->value = mem_new(lanes, sizeof(real)), s->first = mem_new(steps * SLICE, sizeof *s->first);
    if (n <= 1 << 16)
        s->narrow = mem_new(lanes, sizeof *s->narrow);
    else
        s->wide = mem_new(lanes, sizeof *s->wide);
    if (!s->value || !s->first || !(s->narrow || s->wide)) return false;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < K; k++) {
            const int64_t step = i / SLICE_ROWS * K + k, j = i % SLICE_ROWS, to = step * SLICE_ROWS + j;
            const int32_t c = column[i * K + k];
            s->narrow ? (s->narrow[to] = (uint16_t)c) : (s->wide[to] = (uint32_t)c);
            if (j % LANES == 0) s->first[step * SLICE + j / LANES] = c;
        }
    for (int64_t g = 0; g < s->slices; g++)
        if (!sliced_together(s, column, g * SLICE_ROWS)) s->first[g * K * SLICE] = -1;
    return true;
}
static inline void sliced_pack(sliced *s, const real *w) /* w [n][K] */
{
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < s->K; k++)
            s->value[(i / SLICE_ROWS * s->K + k) * SLICE_ROWS + i % SLICE_ROWS] = w[i * s->K + k];
}
/* z += W x, rows of slice g */
#define SLICED_SUM(X)                                                                                                  \
    for (int64_t k = 0; k < s->K; k++, w += SLICE_ROWS)                                                                \
        _Pragma("GCC unroll 4") for (int v = 0; v < SLICE; v++) z[v] += load(w + v * LANES) * (X)
INLINE void sliced_product(const sliced *s, int64_t g, const real *x, vec z[SLICE])
{
    const int64_t at = g * s->K;
    const real *w = s->value + at * SLICE_ROWS;
    const int32_t *first = s->first + at * SLICE;
    if (*first >= 0)
        SLICED_SUM(load(x + first[k * SLICE + v]));
    else if (s->narrow)
        SLICED_SUM(gather_narrow(x, s->narrow + (at + k) * SLICE_ROWS + v * LANES));
    else
        SLICED_SUM(gather_wide(x, s->wide + (at + k) * SLICE_ROWS + v * LANES));
}
#undef SLICED_SUM
#endif
