/* bf16, the upper half of a float: conversion, and matrix products of bf16 operands summed in float.

   Operands are made of pairs: one 32-bit word holds k in its low and k + 1 in its high half, an odd K ends with a zero.
   All sizes and strides named K2 or lda count words.
     left by rows      a[row][K2]                     half_rows makes it
     left transposed   a[K2][column]                  half_pairs makes it
     right             b[K2][PANEL]                   half_pairs makes it, with ldt = PANEL
   Every sum runs over k in a fixed order, so a result depends on the sizes and the kernel alone. The kernel is
   vdpbf16ps where the processor has it (it takes denormal operands for zero), elsewhere the same products in plain
   vectors.

   Rounding is to nearest, ties to even; a NaN stays one. */
#ifndef HALF_H
#define HALF_H
#include "math/gemm.h"

typedef uint32_t words __attribute__((vector_size(LANES * 4), may_alias));
typedef uint32_t words_any __attribute__((vector_size(LANES * 4), may_alias, aligned(4)));
typedef int32_t ints __attribute__((vector_size(LANES * 4), may_alias));
typedef float floats __attribute__((vector_size(LANES * 4)));
typedef uint16_t shorts_any __attribute__((vector_size(LANES * 2), may_alias, aligned(2)));

/* ---- conversion ---- */
INLINE vec load_some(const real *p, int64_t n)
{
    vec x = { 0 };
    if (n >= LANES) return load(p);
    memcpy(&x, p, (size_t)n * sizeof *p);
    return x;
}

/* bf16 in the high half, the low half 0 */
INLINE words half_round(vec x)
{
    words u = (words) __builtin_convertvector(x, floats), near = u + 0x7fff + ((u >> 16) & 1);
    words nan = (words)((ints)(u & 0x7fffffff) > 0x7f800000);
    return ((near & ~nan) | ((u | 0x400000) & nan)) & 0xffff0000;
}
INLINE vec half_low(words w) { return __builtin_convertvector((floats)(w << 16), vec); }
INLINE vec half_high(words w) { return __builtin_convertvector((floats)(w & 0xffff0000), vec); }
INLINE real half_of(uint32_t high)
{
    float x;
    memcpy(&x, &high, sizeof x);
    return x;
}

/* Rows x[m][K] as pairs along the row: to[m][ldt], ldt at least ceil(K/2) words. */
INLINE void half_rows(int64_t m, int64_t K, const real *x, int64_t ldx, uint32_t *to, int64_t ldt)
{
    for (int64_t r = 0; r < m; r++)
        for (int64_t k = 0; k < K; k += LANES) {
            words u = half_round(load_some(x + r * ldx + k, K - k)) >> 16;
            shorts_any h = __builtin_convertvector(u, shorts_any);
            memcpy(to + r * ldt + k / 2, &h, (size_t)min64(LANES, (K - k + 1) & ~(int64_t)1) * 2);
        }
}

/* Rows x[K][n] as pairs of rows: to[ceil(K/2)][ldt]; columns from n to ldt become 0. */
INLINE void half_pairs(int64_t K, int64_t n, const real *x, int64_t ldx, uint32_t *to, int64_t ldt)
{
    for (int64_t k = 0; k < K; k += 2)
        for (int64_t i = 0; i < ldt; i += LANES) {
            const real *p = x + k * ldx + i;
            int64_t some = max64(0, n - i);
            words w = { 0 };
            if (some) w = half_round(load_some(p, some)) >> 16;
            if (some && k + 1 < K) w |= half_round(load_some(p + ldx, some));
            uint32_t *o = to + k / 2 * ldt + i;
            if (ldt - i >= LANES)
                *(words_any *)o = w;
            else
                memcpy(o, &w, (size_t)(ldt - i) * 4);
        }
}

/* ---- tiles ---- sums[M][NV] = a * b over K words; DOT(sum, b, a) adds the products of a word. Few rows would wait for
   the latency of DOT: U > 1 splits K over U sums. */
/* clang-format off */
#define WORD_TILE(name, TARGET, TYPE, LEFT, M, U, A, DOT)                                                              \
    TARGET static void name(int64_t K, const LEFT *a, int64_t lda, const words *b, TYPE *sums)                         \
    {                                                                                                                  \
        TYPE s[U][M][NV] = { 0 };                                                                                      \
        int64_t k = 0;                                                                                                 \
        for (; k + U <= K; k += U) _Pragma("GCC unroll 4") for (int u = 0; u < U; u++)                                 \
        {                                                                                                              \
            A##_AHEAD(k + u);                                                                                          \
            _Pragma("GCC unroll 16") for (int r = 0; r < M; r++) for (int v = 0; v < NV; v++)                          \
                s[u][r][v] = DOT(s[u][r][v], b[(k + u) * NV + v], A(r, k + u));                                        \
        }                                                                                                              \
        for (; U > 1 && k < K; k++)                                                                                    \
            _Pragma("GCC unroll 16") for (int r = 0; r < M; r++) for (int v = 0; v < NV; v++)                          \
                s[0][r][v] = DOT(s[0][r][v], b[k * NV + v], A(r, k));                                                  \
        _Pragma("GCC unroll 16") for (int r = 0; r < M; r++) for (int v = 0; v < NV; v++)                              \
        {                                                                                                              \
            for (int u = 1; u < U; u++) s[0][r][v] += s[u][r][v];                                                      \
            sums[r * NV + v] = s[0][r][v];                                                                             \
        }                                                                                                              \
    }
#define WORD_TILES(name, TARGET, TYPE, LEFT, A, DOT)                                                                   \
    WORD_TILE(name##1, TARGET, TYPE, LEFT, 1, 4, A, DOT) WORD_TILE(name##2, TARGET, TYPE, LEFT, 2, 2, A, DOT)          \
    WORD_TILE(name##3, TARGET, TYPE, LEFT, 3, 2, A, DOT) WORD_TILE(name##4, TARGET, TYPE, LEFT, 4, 1, A, DOT)
enum { FEW = 4 }; /* rows of the tiles that WORD_TILES makes */

typedef void half_tile(int64_t K2, const uint32_t *a, int64_t lda, const words *b, vec *sums);
#define HALF_DOT(s, w, x) ((s) + half_low(w) * half_of((x) << 16) + half_high(w) * half_of((x) & 0xffff0000))
WORD_TILES(half_plain, , vec, uint32_t, BY_ROWS, HALF_DOT)
WORD_TILES(half_plain_across, , vec, uint32_t, TRANSPOSED, HALF_DOT)
#if defined(__AVX512F__) && defined(REAL_f32)
#define HALF_TARGET __attribute__((target("avx512bf16")))
#define HALF_DP(s, w, x)                                                                                               \
    (vec)_mm512_dpbf16_ps((__m512)(s), (__m512bh)(w), (__m512bh)_mm512_set1_epi32((int)(x)))
#define HALF_TILE(name, M, A) WORD_TILE(name##M, HALF_TARGET, vec, uint32_t, M, 1, A, HALF_DP)
WORD_TILES(half_dp, HALF_TARGET, vec, uint32_t, BY_ROWS, HALF_DP)
WORD_TILES(half_dp_across, HALF_TARGET, vec, uint32_t, TRANSPOSED, HALF_DP)
HALF_TILE(half_dp, 5, BY_ROWS) HALF_TILE(half_dp, 6, BY_ROWS) HALF_TILE(half_dp, 7, BY_ROWS)
HALF_TILE(half_dp, 8, BY_ROWS) HALF_TILE(half_dp, 9, BY_ROWS) HALF_TILE(half_dp, 10, BY_ROWS)
HALF_TILE(half_dp, 11, BY_ROWS) HALF_TILE(half_dp, 12, BY_ROWS)
HALF_TILE(half_dp_across, 5, TRANSPOSED) HALF_TILE(half_dp_across, 6, TRANSPOSED)
HALF_TILE(half_dp_across, 7, TRANSPOSED) HALF_TILE(half_dp_across, 8, TRANSPOSED)
static bool half_has_dp(void) { return __builtin_cpu_supports("avx512bf16"); }
#endif
/* clang-format on */

/* ---- products ---- */
static bool always(void) { return true; }
typedef struct half_kernel {
    const char *name;
    bool (*usable)(void);
    int rows, columns; /* of the largest tile; columns where the left operand is transposed */
    half_tile *by_rows[MR + 1], *across[MR + 1];
} half_kernel;
/* best first; the last is always usable */
static const half_kernel half_kernels[] = {
#if defined(__AVX512F__) && defined(REAL_f32)
    { "vdpbf16ps",
      half_has_dp,
      MR,
      TR,
      { NULL, half_dp1, half_dp2, half_dp3, half_dp4, half_dp5, half_dp6, half_dp7, half_dp8, half_dp9, half_dp10,
        half_dp11, half_dp12 },
      { NULL, half_dp_across1, half_dp_across2, half_dp_across3, half_dp_across4, half_dp_across5, half_dp_across6,
        half_dp_across7, half_dp_across8 } },
#endif
    { "plain",
      always,
      FEW,
      FEW,
      { NULL, half_plain1, half_plain2, half_plain3, half_plain4 },
      { NULL, half_plain_across1, half_plain_across2, half_plain_across3, half_plain_across4 } },
};
INLINE const half_kernel *half_best(void)
{
    const half_kernel *h = half_kernels;
    while (!h->usable()) h++;
    return h;
}

/* c[m][w] (+)= sums[m][PANEL] */
INLINE void half_store(int64_t m, int64_t w, const vec *sums, real *c, int64_t ldc, bool add)
{
    for (int64_t r = 0; r < m; r++, c += ldc, sums += NV)
        if (w >= PANEL)
            for (int v = 0; v < NV; v++) {
                vec x = sums[v];
                if (add) x += load(c + v * LANES);
                store(c + v * LANES, x);
            }
        else
            for (int64_t j = 0; j < w; j++) c[j] = (add ? c[j] : 0) + ((const real *)sums)[j];
}

/* c[m][PANEL] (+)= a * b, the rows in equal tiles */
INLINE void half_rows_by_panel(const half_kernel *h, int64_t m, int64_t K2, const uint32_t *a, int64_t lda,
                               const words *b, real *c, int64_t ldc, bool add)
{
    vec sums[MR * NV];
    int64_t n = ceil_div(m, h->rows);
    for (int64_t i = 0; i < n; i++) {
        int64_t r = i * m / n, e = (i + 1) * m / n;
        h->by_rows[e - r](K2, a + r * lda, lda, b, sums);
        half_store(e - r, PANEL, sums, c + r * ldc, ldc, add);
    }
}

/* The same over blocks of KC words, so that a block of the panel stays in the first-level cache. */
INLINE void half_panel_product(const half_kernel *h, int64_t m, int64_t K2, const uint32_t *a, int64_t lda,
                               const words *b, real *c, int64_t ldc, bool add)
{
    int64_t kc = m < MR / 2 ? max64(K2, 1) : KC;
    for (int64_t k = 0; k == 0 || k < K2; k += kc)
        half_rows_by_panel(h, m, min64(kc, K2 - k), a + k, lda, b + k * NV, c, ldc, add || k > 0);
}

/* Rows of c lie at strides that no hardware foresees: they are asked for one tile ahead. */
INLINE void half_fetch(int64_t m, const real *c, int64_t ldc)
{
    for (int64_t r = 0; r < m; r++)
        for (int64_t j = 0; j < PANEL; j += 64 / (int64_t)sizeof(real)) __builtin_prefetch(c + r * ldc + j, 1);
}

/* c[m][w] += a^T * b, a transposed, w at most PANEL */
INLINE void half_across_by_block(const half_kernel *h, int64_t m, int64_t w, int64_t K2, const uint32_t *a, int64_t lda,
                                 const words *b, real *c, int64_t ldc)
{
    vec sums[MR * NV];
    for (int64_t r = 0; r < m; r += h->columns) {
        int64_t n = min64(h->columns, m - r);
        half_fetch(min64(h->columns, m - r - n), c + (r + n) * ldc, ldc);
        h->across[n](K2, a + r, lda, b, sums);
        half_store(n, w, sums, c + r * ldc, ldc, true);
    }
}
#endif
