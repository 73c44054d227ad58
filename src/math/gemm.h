/* Matrix products on a register tile of up to MR rows x NV vectors.

   The right operand is a panel [K][PANEL], packed beforehand (weights) or block by block into the first-level cache
   (activations). The left operand is read where it lies, along rows (a[row * lda + k]) or transposed
   (a[k * lda + row]). The sum over k runs in blocks of KC in a fixed order, so a result depends on the sizes only,
   never on how many threads share the work. */
#ifndef GEMM_H
#define GEMM_H
#include "base/base.h"
#include "math/simd.h"
enum { KC = 1024 / sizeof(real) }; /* a block of a panel is KC * PANEL reals = 32 KiB with AVX-512 */

/* clang-format off: it does not see through these macros */
typedef void tile_fn(int64_t K, const real *a, int64_t lda, const vec *b, real *c, int64_t ldc, bool add);

/* c[M][PANEL] (+)= a * b. Few rows would wait for the latency of multiply-add: U > 1 splits k over U accumulators. */
#define BY_ROWS(r, k) a[(r)*lda + (k)]
#define TRANSPOSED(r, k) a[(k)*lda + (r)]
/* A transposed operand is read a piece of a cache line per row, at strides that no hardware foresees: each tile asks
   for the line after its own. The rows of c lie just as far apart, and are asked for before the sum is made. */
#define BY_ROWS_AHEAD(k) (void)0
#define TRANSPOSED_AHEAD(k) __builtin_prefetch(a + (k)*lda + 64 / sizeof(real))
#define TILE(name, M, U, A)                                                                                            \
    static void name(int64_t K, const real *a, int64_t lda, const vec *b, real *c, int64_t ldc, bool add)              \
    {                                                                                                                  \
        vec s[U][M][NV] = { 0 };                                                                                       \
        int64_t k = 0;                                                                                                 \
        _Pragma("GCC unroll 16") for (int r = 0; add && r < M; r++) for (int v = 0; v < NV; v++)                       \
            __builtin_prefetch(c + r * ldc + v * LANES);                                                               \
        for (; k + U <= K; k += U) _Pragma("GCC unroll 4") for (int u = 0; u < U; u++)                                 \
            {                                                                                                          \
                A##_AHEAD(k + u);                                                                                      \
                _Pragma("GCC unroll 16") for (int r = 0; r < M; r++) for (int v = 0; v < NV; v++) s[u][r][v] +=        \
                    splat(A(r, k + u)) * b[(k + u) * NV + v];                                                          \
            }                                                                                                          \
        for (; U > 1 && k < K; k++)                                                                                    \
            _Pragma("GCC unroll 16") for (int r = 0; r < M; r++) for (int v = 0; v < NV; v++) s[0][r][v] +=            \
                splat(A(r, k)) * b[k * NV + v];                                                                        \
        _Pragma("GCC unroll 16") for (int r = 0; r < M; r++) for (int v = 0; v < NV; v++)                              \
        {                                                                                                              \
            for (int u = 1; u < U; u++) s[0][r][v] += s[u][r][v];                                                      \
            real *o = c + r * ldc + v * LANES;                                                                         \
            if (add) s[0][r][v] += load(o);                                                                            \
            store(o, s[0][r][v]);                                                                                      \
        }                                                                                                              \
    }
TILE(tile1, 1, 4, BY_ROWS)
TILE(tile2, 2, 2, BY_ROWS)
TILE(tile3, 3, 2, BY_ROWS) TILE(tile4, 4, 1, BY_ROWS) TILE(across1, 1, 4, TRANSPOSED) TILE(across2, 2, 2, TRANSPOSED)
    TILE(across3, 3, 2, TRANSPOSED) TILE(across4, 4, 1, TRANSPOSED)
#if defined(__AVX512F__) || defined(__AVX2__) || defined(__aarch64__)
        TILE(tile5, 5, 1, BY_ROWS) TILE(tile6, 6, 1, BY_ROWS)
#endif
#if defined(__AVX512F__) || defined(__aarch64__)
            TILE(tile7, 7, 1, BY_ROWS) TILE(tile8, 8, 1, BY_ROWS) TILE(tile9, 9, 1, BY_ROWS)
                TILE(tile10, 10, 1, BY_ROWS) TILE(tile11, 11, 1, BY_ROWS) TILE(tile12, 12, 1, BY_ROWS)
#endif
#if defined(__AVX512F__)
                    TILE(across5, 5, 1, TRANSPOSED) TILE(across6, 6, 1, TRANSPOSED) TILE(across7, 7, 1, TRANSPOSED)
                        TILE(across8, 8, 1, TRANSPOSED)
#endif

                            static tile_fn *const tiles[] = {
                                NULL,  tile1, tile2, tile3,  tile4,
#if defined(__AVX512F__) || defined(__AVX2__) || defined(__aarch64__)
                                tile5, tile6,
#endif
#if defined(__AVX512F__) || defined(__aarch64__)
                                tile7, tile8, tile9, tile10, tile11, tile12,
#endif
                            };
static tile_fn *const tiles_across[] = {
    NULL,    across1, across2, across3, across4,
#if defined(__AVX512F__)
    across5, across6, across7, across8,
#endif
};

/* clang-format on */

/* c[m][PANEL] (+)= a[m][K] * panel; the rows go in equal tiles: 16 as 8 + 8, not 12 + 4. */
INLINE void rows_by_panel(int64_t m, int64_t K, const real *a, int64_t lda, const vec *b, real *c, int64_t ldc,
                          bool add)
{
    int64_t n = (m + MR - 1) / MR;
    if (n == 1) {
        tiles[m](K, a, lda, b, c, ldc, add);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t r = i * m / n, e = (i + 1) * m / n;
        tiles[e - r](K, a + r * lda, lda, b, c + r * ldc, ldc, add);
    }
}

/* The same over blocks of KC, so that a block of the panel stays in the first-level cache while the rows pass. With few
   rows every weight is read once anyway and blocking would only cost. */
INLINE void panel_product(int64_t m, int64_t K, const real *a, int64_t lda, const vec *b, real *c, int64_t ldc,
                          bool add)
{
    int64_t kc = m < MR / 2 ? K : KC;
    if (K == 0 && !add)
        for (int64_t r = 0; r < m; r++) memset(c + r * ldc, 0, PANEL * sizeof(real));
    for (int64_t k = 0; k < K; k += kc)
        rows_by_panel(m, min64(kc, K - k), a + k, lda, b + k * NV, c, ldc, add || k > 0);
}

/* Rows that lie together: c[m][.] and a[m][.], row by row at the strides of the product. */
typedef struct row_group {
    int64_t m;
    const real *a;
    real *c;
} row_group;

/* c[.][n] (+)= a[.][K] * panels for all groups, the panels from `from` to `to` of ceil(n / PANEL): a block of a panel
   is read once for all. A last panel narrower than PANEL goes through a buffer. */
enum { GROUP_ROWS = 96 };
INLINE void gemm_groups(const row_group *g, int64_t groups, int64_t n, int64_t K, int64_t lda, const vec *b,
                        int64_t ldc, bool add, int64_t from, int64_t to)
{
    real edge[GROUP_ROWS * PANEL] __attribute__((aligned(64)));
    for (int64_t k = 0; k == 0 || k < K; k += KC)
        for (int64_t p = from; p < to; p++) {
            int64_t kc = min64(KC, K - k), w = min64(PANEL, n - p * PANEL);
            const vec *block = b + (p * K + k) * NV;
            for (int64_t i = 0; i < groups; i++) {
                real *c = g[i].c + p * PANEL;
                if (w == PANEL) {
                    rows_by_panel(g[i].m, kc, g[i].a + k, lda, block, c, ldc, add || k > 0);
                    continue;
                }
                rows_by_panel(g[i].m, kc, g[i].a + k, lda, block, edge, PANEL, false);
                for (int64_t r = 0; r < g[i].m; r++)
                    for (int64_t j = 0; j < w; j++)
                        c[r * ldc + j] = (add || k > 0 ? c[r * ldc + j] : 0) + edge[r * PANEL + j];
            }
        }
}
/* c[m][n] (+)= a[m][K] * panels, m at most ROW_BLOCK. */
enum { ROW_BLOCK = GROUP_ROWS };
INLINE void gemm_rows(int64_t m, int64_t n, int64_t K, const real *a, int64_t lda, const vec *b, real *c, int64_t ldc,
                      bool add)
{
    gemm_groups(&(row_group){ m, a, c }, 1, n, K, lda, b, ldc, add, 0, (n + PANEL - 1) / PANEL);
}

/* A block of rows of the right operand copied into a panel: dst[k][PANEL] = src[k][0..w), the rest 0. */
INLINE void copy_block(int64_t K, int64_t w, const real *src, int64_t ld, vec *dst)
{
    for (int64_t k = 0; k < K; k++)
        if (w >= PANEL)
            for (int v = 0; v < NV; v++) dst[k * NV + v] = load(src + k * ld + v * LANES);
        else
            for (int64_t i = 0; i < PANEL; i++) ((real *)(dst + k * NV))[i] = i < w ? src[k * ld + i] : 0;
}

/* c[m][w] += aT[K][m]^T * block[K][PANEL], w at most PANEL (a narrow panel goes through a buffer). */
INLINE void across_by_block(int64_t m, int64_t w, int64_t K, const real *a, int64_t lda, const vec *b, real *c,
                            int64_t ldc)
{
    real edge[TR * PANEL] __attribute__((aligned(64)));
    for (int64_t r = 0; r < m; r += TR) {
        int64_t rows = min64(TR, m - r);
        if (w == PANEL)
            tiles_across[rows](K, a + r, lda, b, c + r * ldc, ldc, true);
        else {
            tiles_across[rows](K, a + r, lda, b, edge, PANEL, false);
            for (int64_t i = 0; i < rows; i++)
                for (int64_t j = 0; j < w; j++) c[(r + i) * ldc + j] += edge[i * PANEL + j];
        }
    }
}

/* Packs M[rows of `lanes` outputs][K] (row stride ld) as NV vectors side by side: dst[k][v * LANES + l] = M_v[l][k];
   M_v NULL gives zeros. In strips of k so that both sides stay in the first-level cache. */
INLINE void pack_panel(const real *const M[NV], const int64_t lanes[NV], int64_t K, int64_t ld, real *dst)
{
    for (int64_t k0 = 0; k0 < K; k0 += 16)
        for (int v = 0; v < NV; v++)
            for (int64_t l = 0; l < LANES; l++)
                for (int64_t k = k0; k < min64(K, k0 + 16); k++)
                    dst[k * PANEL + v * LANES + l] = M[v] && l < lanes[v] ? M[v][l * ld + k] : 0;
}
#endif
