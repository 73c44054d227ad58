/* A sparse matrix W [n][K] of rows of equal length, for products with vectors: sliced ELLPACK (Monakov et al. 2010).

   A slice is LANES rows. Its values lie [K][LANES], so that one vector multiplies LANES rows; where the k-th columns of
   a slice are neighbours, one load reads them (blocks, rings), otherwise each lane has an index, of 16 bits where they
   do. Rows behind the last are zeros. */
#ifndef SLICED_H
#define SLICED_H
#include "base/base.h"
#include "math/simd.h"

typedef struct sliced {
    int64_t n, K, slices;
    real *value;       /* [slices][K][LANES] */
    int32_t *first;    /* [slices][K] column of the first lane; of a slice with indices, first[0] is -1 */
    uint16_t *narrow;  /* [slices][K][LANES], n up to 2^16; or */
    uint32_t *wide;
} sliced;

static inline void sliced_free(sliced *s)
{
    mem_free(s->value), mem_free(s->first), mem_free(s->narrow), mem_free(s->wide);
}
/* Whether one load reads column k of all rows from i on, without passing the end of a row of states. */
static inline bool sliced_together(const sliced *s, const int32_t *column, int64_t i)
{
    for (int64_t k = 0; k < s->K; k++) {
        const int32_t first = column[i * s->K + k];
        if (first + LANES > row_stride(s->n)) return false;
        for (int64_t j = 1; j < min64(LANES, s->n - i); j++)
            if (column[(i + j) * s->K + k] != first + j) return false;
    }
    return true;
}
/* false: no memory; sliced_free */
static inline bool sliced_new(sliced *s, int64_t n, int64_t K, const int32_t *column)
{
    *s = (sliced){ .n = n, .K = K, .slices = ceil_div(n, LANES) };
    const size_t lanes = (size_t)(s->slices * K) * LANES;
    s->value = mem_new(lanes, sizeof(real)), s->first = mem_new((size_t)(s->slices * K), sizeof *s->first);
    if (n <= 1 << 16)
        s->narrow = mem_new(lanes, sizeof *s->narrow);
    else
        s->wide = mem_new(lanes, sizeof *s->wide);
    if (!s->value || !s->first || !(s->narrow || s->wide)) return false;
    for (int64_t v = 0; v < s->slices; v++) {
        const int64_t i = v * LANES;
        for (int64_t k = 0; k < K; k++) s->first[v * K + k] = column[i * K + k];
        if (!sliced_together(s, column, i)) s->first[v * K] = -1;
        for (int64_t j = 0; j < min64(LANES, n - i); j++)
            for (int64_t k = 0; k < K; k++) {
                const int64_t to = (v * K + k) * LANES + j;
                const int32_t c = column[(i + j) * K + k];
                s->narrow ? (s->narrow[to] = (uint16_t)c) : (s->wide[to] = (uint32_t)c);
            }
    }
    return true;
}
static inline void sliced_pack(sliced *s, const real *w) /* w [n][K] */
{
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < s->K; k++) s->value[(i / LANES * s->K + k) * LANES + i % LANES] = w[i * s->K + k];
}
/* z + W x, rows of slice v */
INLINE vec sliced_product(const sliced *s, int64_t v, const real *x, vec z)
{
    const int64_t K = s->K;
    const real *w = s->value + v * K * LANES;
    const int32_t *first = s->first + v * K;
    if (*first >= 0)
        for (int64_t k = 0; k < K; k++) z += load(w + k * LANES) * load(x + first[k]);
    else if (s->narrow)
        for (int64_t k = 0; k < K; k++) z += load(w + k * LANES) * gather_narrow(x, s->narrow + (v * K + k) * LANES);
    else
        for (int64_t k = 0; k < K; k++) z += load(w + k * LANES) * gather_wide(x, s->wide + (v * K + k) * LANES);
    return z;
}
#endif
