/* Products of few rows by narrow weights. A step of a network that runs on few sequences reads every weight once and
   takes the time of that reading: narrower weights, faster steps.

   bf16: weights rounded to bf16, everything else in the real type.
         panel  words [ceil(K/2)][PANEL] as in half.h           left  rows of reals, padded with 0
   int8: weight = scale[column] * w8, w8 = round(weight / scale) in -127..127, scale = max|weight| / 127 of the column.
         A left row is made so at each call: x = step * (x8 - ZERO_POINT), step = max|x| / 127 of the row, where
         ZERO_POINT is 128 for instructions that want unsigned bytes. Then
             z = sum (x8 - ZERO_POINT) w8 * scale * step = (sum x8 w8 + bias) * scale * step
         with bias = -ZERO_POINT * sum w8, made when packing. The sum over k is one of integers, the same number for
         every kernel. It fits 32 bits for INT8_CHUNK terms, as 127 * 127 * 2^17 < 2^31; what sum x8 w8 wraps on its
         way, the bias unwraps. Longer sums are made of such chunks.
         panel  scale [PANEL] reals, then for each chunk bias [PANEL] and words [ceil(K/4)][PANEL] of 4 bytes
         left   step [m] reals, then rows of bytes, each from a new cache line
   A row or column whose largest magnitude is below INT8_TINY is zero; one with a NaN or an infinity gives NaN.

   Panels and left rows are for the kernels that made them, never for files. Both begin at a multiple of 64 bytes. */
#ifndef NARROW_H
#define NARROW_H
#include "math/half.h"
#include "math/weights.h"
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>
#endif
#if defined(REAL_f32) && (defined(__AVX512F__) || defined(__AVX2__))
#define INT8_UNSIGNED 1
#else
#define INT8_UNSIGNED 0
#endif
enum { INT8_CHUNK = 1 << 17, ZERO_POINT = INT8_UNSIGNED ? 128 : 0 };
#define INT8_TINY (REAL_TINY * 0x1p30f) /* so that a step is normal and no denormal counts */
typedef uint8_t bytes_any __attribute__((vector_size(LANES), may_alias, aligned(1)));

/* ---- int8: kernels ---- */
/* clang-format off */
typedef void int8_tile(int64_t K4, const uint32_t *a, int64_t lda, const words *b, words *sums);
#if INT8_UNSIGNED
typedef int16_t shorts __attribute__((vector_size(VECTOR_BYTES)));
#if defined(__AVX512F__)
#define INT8_PAIRS(x, w) (words)_mm512_madd_epi16((__m512i)(x), (__m512i)(w))
#define INT8_FAST(s, w, x) (words)_mm512_dpbusd_epi32((__m512i)(s), _mm512_set1_epi32((int)(x)), (__m512i)(w))
#define INT8_TARGET __attribute__((target("avx512vnni")))
static bool int8_has_fast(void) { return __builtin_cpu_supports("avx512vnni"); }
#else
#define INT8_PAIRS(x, w) (words)_mm256_madd_epi16((__m256i)(x), (__m256i)(w))
#define INT8_FAST(s, w, x) (words)_mm256_dpbusd_avx_epi32((__m256i)(s), _mm256_set1_epi32((int)(x)), (__m256i)(w))
#define INT8_TARGET __attribute__((target("avxvnni")))
static bool int8_has_fast(void)
{
    unsigned a = 0, b, c, d; /* asked by number: not every compiler knows the name */
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1 << 4);
}
#endif
/* Even and odd bytes apart as 16-bit numbers: products of unsigned by signed bytes would saturate in 16 bits. */
INLINE words int8_slow(words s, words w, uint32_t x)
{
    const words zero = { 0 };
    shorts even = (shorts)(w << 8) >> 8, odd = (shorts)w >> 8;
    return s + INT8_PAIRS(zero + (x & 0x00ff00ff), even) + INT8_PAIRS(zero + (x >> 8 & 0x00ff00ff), odd);
}
#elif defined(REAL_f32) && defined(__aarch64__)
#define INT8_FAST(s, w, x) (words)vdotq_s32((int32x4_t)(s), (int8x16_t)(w), (int8x16_t)vdupq_n_u32(x))
#define INT8_TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
static bool int8_has_fast(void) { return getauxval(AT_HWCAP) & 1 << 20; /* asimddp */ }
/* two products of bytes in -127..127 fit 16 bits */
INLINE words int8_slow(words s, words w, uint32_t x)
{
    int8x16_t y = (int8x16_t)vdupq_n_u32(x);
    int16x8_t low = vmull_s8(vget_low_s8((int8x16_t)w), vget_low_s8(y)), high = vmull_high_s8((int8x16_t)w, y);
    return (words)vpadalq_s16((int32x4_t)s, vpaddq_s16(low, high));
}
#else
INLINE words int8_slow(words s, words w, uint32_t x)
{
#pragma GCC unroll 4
    for (int i = 24; i >= 0; i -= 8) s += (words)((ints)(w << i) >> 24) * (uint32_t)((int32_t)(x << i) >> 24);
    return s;
}
#endif
WORD_TILES(int8_slow, , words, uint32_t, BY_ROWS, int8_slow)
#ifdef INT8_FAST
WORD_TILES(int8_fast, INT8_TARGET, words, uint32_t, BY_ROWS, INT8_FAST)
#endif

/* One row through n panels that follow each other: the usual step of a stream. z[n][PANEL] */
typedef void int8_row(int64_t K4, const uint32_t *a, const char *panels, size_t bytes, int64_t n, real step, real *z);
#define INT8_ROW(name, TARGET, DOT)                                                                                    \
    TARGET static void name(int64_t K4, const uint32_t *a, const char *panels, size_t bytes, int64_t n, real step,     \
                            real *z)                                                                                   \
    {                                                                                                                  \
        for (int64_t p = 0; p < n; p++, panels += bytes, z += PANEL) {                                                 \
            const vec *scale = (const vec *)panels;                                                                    \
            const words *b = (const words *)(scale + NV);                                                              \
            words s[4][NV] = { 0 };                                                                                    \
            int64_t k = 0;                                                                                             \
            for (int v = 0; v < NV; v++) s[0][v] = *b++;                                                               \
            for (; k + 4 <= K4; k += 4, b += 4 * NV)                                                                   \
                _Pragma("GCC unroll 4") for (int u = 0; u < 4; u++) for (int v = 0; v < NV; v++) s[u][v] =             \
                    DOT(s[u][v], b[u * NV + v], a[k + u]);                                                             \
            for (; k < K4; k++, b += NV)                                                                               \
                for (int v = 0; v < NV; v++) s[0][v] = DOT(s[0][v], b[v], a[k]);                                       \
            for (int v = 0; v < NV; v++)                                                                               \
                store(z + v * LANES,                                                                                   \
                      __builtin_convertvector((ints)(s[0][v] + s[1][v] + s[2][v] + s[3][v]), vec) * scale[v] * step);  \
        }                                                                                                              \
    }
INT8_ROW(int8_slow_row, , int8_slow)
#ifdef INT8_FAST
INT8_ROW(int8_fast_row, INT8_TARGET, INT8_FAST)
#endif
/* clang-format on */
typedef struct int8_kernel {
    bool (*usable)(void);
    int8_row *row;
    int8_tile *tiles[FEW + 1];
} int8_kernel;
/* best first; the last is always usable */
static const int8_kernel int8_kernels[] = {
#ifdef INT8_FAST
    { int8_has_fast, int8_fast_row, { NULL, int8_fast1, int8_fast2, int8_fast3, int8_fast4 } },
#endif
    { always, int8_slow_row, { NULL, int8_slow1, int8_slow2, int8_slow3, int8_slow4 } },
};
enum { INT8_KERNELS = sizeof int8_kernels / sizeof *int8_kernels };

/* Asked once: cpuid may be a trip through a hypervisor. Threads that ask at the same time write the same. */
static int int8_chosen;
INLINE const int8_kernel *int8_best(void)
{
    int i = __atomic_load_n(&int8_chosen, __ATOMIC_RELAXED);
    if (!i) __atomic_store_n(&int8_chosen, i = int8_kernels[0].usable() ? 1 : INT8_KERNELS, __ATOMIC_RELAXED);
    return &int8_kernels[i - 1];
}

/* ---- int8: quantisation ---- */
/* the larger of top and the magnitudes of x, as bits: so a NaN is above infinity and infinity above the finite */
INLINE vec_int int8_top(vec_int top, vec x)
{
    vec_int bits = (vec_int)x & (real_int)(sizeof(real) == 4 ? INT32_MAX : INT64_MAX), above = bits > top;
    return (bits & above) | (top & ~above);
}
INLINE vec_int int8_top_of_lanes(vec_int top)
{
#if defined(__AVX512F__) && defined(REAL_f32)
    return _mm512_reduce_max_epi32((__m512i)top) - (vec_int){ 0 };
#else
#pragma GCC unroll 4
    for (int half = LANES / 2; half; half /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < half; i++) top[i] = top[i + half] > top[i] ? top[i + half] : top[i];
    return top[0] - (vec_int){ 0 };
#endif
}
INLINE vec int8_step(vec_int top)
{
    vec max = (vec)top, zero = { 0 };
    max += max - max; /* infinity becomes NaN */
    return select_vec((vec_int)(max < INT8_TINY), zero, max / 127);
}
/* A division, as products could be fused with the sum that rounds, and not everywhere alike. */
INLINE words int8_round(vec x, vec step)
{
    vec_int n = (vec_int)(x / step + ROUNDING) - (vec_int)splat(ROUNDING);
    return (words) __builtin_convertvector(n, ints);
}
/* the lowest byte of every lane */
INLINE bytes_any int8_bytes(words n)
{
#if defined(__AVX2__) && !defined(__AVX512F__) && defined(REAL_f32)
    __m128i low = _mm256_castsi256_si128((__m256i)n), high = _mm256_extracti128_si256((__m256i)n, 1);
    __m128i s = _mm_packs_epi32(low, high); /* a compiler goes through eight scalars */
    return (bytes_any)_mm_cvtsi128_si64(_mm_packus_epi16(s, s));
#else
    return __builtin_convertvector(n, bytes_any);
#endif
}
INLINE vec int8_divisor(vec step) { return select_vec((vec_int)(step == 0), splat(1), step); }

static words *int8_pack_chunk(int64_t K, const real *panel, const vec step[NV], words *to)
{
    words *bias = to;
    memset(bias, 0, NV * sizeof *bias);
    to += NV;
    for (int64_t k = 0; k < K; k += 4, to += NV)
        for (int v = 0; v < NV; v++) {
            words w = { 0 };
            for (int64_t i = 0; i < min64(4, K - k); i++) {
                words n = int8_round(load(panel + (k + i) * PANEL + v * LANES), step[v]);
                w |= (n & 0xff) << (unsigned)(8 * i);
                bias[v] -= n * ZERO_POINT;
            }
            to[v] = w;
        }
    return to;
}
static void int8_pack(int64_t K, const real *panel, void *to)
{
    vec *scale = to, step[NV];
    words *chunk = (words *)(scale + NV);
    for (int v = 0; v < NV; v++) {
        vec_int top = { 0 };
        for (int64_t k = 0; k < K; k++) top = int8_top(top, load(panel + k * PANEL + v * LANES));
        scale[v] = int8_step(top), step[v] = int8_divisor(scale[v]);
    }
    for (int64_t k = 0; k == 0 || k < K; k += INT8_CHUNK)
        chunk = int8_pack_chunk(min64(INT8_CHUNK, K - k), panel + k * PANEL, step, chunk);
}

/* Where things lie in the left rows. */
INLINE int64_t int8_head(int64_t m) { return ceil_div(m * (int64_t)sizeof(real), 64) * 64; }
INLINE int64_t narrow_stride(int64_t K) { return ceil_div(K, 64) * 64; } /* bytes, or reals */

static void int8_left(int64_t m, int64_t K, const real *x, int64_t ldx, void *q)
{
    uint8_t *row = (uint8_t *)q + int8_head(m);
    for (int64_t r = 0; r < m; r++, x += ldx, row += narrow_stride(K)) {
        vec_int top = { 0 };
        for (int64_t k = 0; k < K; k += LANES) top = int8_top(top, load_some(x + k, K - k));
        vec step = int8_step(int8_top_of_lanes(top)), divisor = int8_divisor(step);
        ((real *)q)[r] = step[0];
        for (int64_t k = 0; k < ceil_div(K, 4) * 4; k += LANES) {
            words n = int8_round(load_some(x + k, max64(0, K - k)), divisor) + ZERO_POINT;
            *(bytes_any *)(row + k) = int8_bytes(n);
        }
    }
}

/* ---- products ---- z[m][PANEL] = left * panel */
static void int8_product(const int8_kernel *kernel, int64_t m, int64_t K, const void *q, const void *panel, real *z,
                         int64_t ldz)
{
    const real *step = q;
    const vec *scale = panel;
    const words *bias = (const words *)(scale + NV);
    const uint32_t *left = (const uint32_t *)((const uint8_t *)q + int8_head(m));
    int64_t lda = narrow_stride(K) / 4;
    for (int64_t k = 0; k == 0 || k < K; k += INT8_CHUNK) {
        int64_t K4 = ceil_div(min64(INT8_CHUNK, K - k), 4);
        for (int64_t r = 0; r < m; r += FEW) {
            words sums[FEW * NV];
            int64_t n = min64(FEW, m - r);
            kernel->tiles[n](K4, left + r * lda + k / 4, lda, bias + NV, sums);
            for (int64_t i = 0; i < n * NV; i++) {
                int64_t row = r + i / NV, v = i % NV;
                real *o = z + row * ldz + v * LANES;
                vec y = __builtin_convertvector((ints)(sums[i] + bias[v]), vec) * scale[v] * step[row];
                if (k) y += load(o);
                store(o, y);
            }
        }
        bias += NV * (1 + K4);
    }
}

INLINE vec bf16_dot(vec s, words w, const real *x)
{
#if defined(__x86_64__) && defined(REAL_f32)
    __asm__("" : "+x"(w)); /* loaded once: without this, once for each half */
#endif
    return s + half_low(w) * x[0] + half_high(w) * x[1];
}
typedef void bf16_tile(int64_t K2, const real *a, int64_t lda, const words *b, vec *sums);
/* clang-format off */
#define REAL_PAIR(r, k) (a + (r)*lda + 2 * (k))
#define REAL_PAIR_AHEAD(k) (void)0
WORD_TILES(bf16_tile, , vec, real, REAL_PAIR, bf16_dot)
/* clang-format on */
static void bf16_product(int64_t m, int64_t K, const real *x, const words *panel, real *z, int64_t ldz)
{
    static bf16_tile *const by_rows[] = { NULL, bf16_tile1, bf16_tile2, bf16_tile3, bf16_tile4 };
    int64_t lda = narrow_stride(K);
    for (int64_t r = 0; r < m; r += FEW) {
        vec sums[FEW * NV];
        int64_t n = min64(FEW, m - r);
        by_rows[n](ceil_div(K, 2), x + r * lda, lda, panel, sums);
        half_store(n, PANEL, sums, z + r * ldz, ldz, false);
    }
}

/* ---- what others call ---- */
INLINE size_t narrow_panel_bytes(weights_kind kind, int64_t K)
{
    int64_t bytes = K * PANEL * (int64_t)sizeof(real);
    if (kind == WEIGHTS_BF16) bytes = ceil_div(K, 2) * PANEL * 4;
    if (kind == WEIGHTS_INT8)
        bytes = PANEL * ((int64_t)sizeof(real) + 4 * (max64(1, ceil_div(K, INT8_CHUNK)) + ceil_div(K, 4)));
    return (size_t)(ceil_div(bytes, 64) * 64);
}

/* from a panel [K][PANEL] of reals as pack_panel makes it */
INLINE void narrow_pack(weights_kind kind, int64_t K, const real *panel, void *to)
{
    if (kind == WEIGHTS_FLOAT) memcpy(to, panel, (size_t)(K * PANEL) * sizeof *panel);
    if (kind == WEIGHTS_BF16) half_pairs(K, PANEL, panel, PANEL, to, PANEL);
    if (kind == WEIGHTS_INT8) int8_pack(K, panel, to);
}

INLINE size_t narrow_left_bytes(weights_kind kind, int64_t m, int64_t K)
{
    int64_t stride = narrow_stride(K);
    return (size_t)(kind == WEIGHTS_INT8 ? int8_head(m) + m * stride : m * stride * (int64_t)sizeof(real));
}

/* makes the left rows ready, once for all panels */
INLINE void narrow_left(weights_kind kind, int64_t m, int64_t K, const real *x, int64_t ldx, void *q)
{
    int64_t stride = narrow_stride(K);
    if (kind == WEIGHTS_INT8)
        int8_left(m, K, x, ldx, q);
    else
        for (int64_t r = 0; r < m; r++)
            for (int64_t k = 0; k < K + K % 2; k += LANES)
                store((real *)q + r * stride + k, load_some(x + r * ldx + k, max64(0, K - k)));
}

INLINE void narrow_product(weights_kind kind, int64_t m, int64_t K, const void *q, const void *panel, real *z,
                           int64_t ldz)
{
    if (kind == WEIGHTS_FLOAT) panel_product(m, K, q, narrow_stride(K), panel, z, ldz, false);
    if (kind == WEIGHTS_BF16) bf16_product(m, K, q, panel, z, ldz);
    if (kind == WEIGHTS_INT8) int8_product(int8_best(), m, K, q, panel, z, ldz);
}

/* One left row times n panels that follow each other in memory: z[n][PANEL]. */
INLINE void narrow_row(weights_kind kind, int64_t K, const void *q, const char *panels, size_t bytes, int64_t n,
                       real *z)
{
    if (kind == WEIGHTS_INT8 && K <= INT8_CHUNK) {
        const uint32_t *left = (const uint32_t *)((const uint8_t *)q + int8_head(1));
        int8_best()->row(ceil_div(K, 4), left, panels, bytes, n, *(const real *)q, z);
        return;
    }
    for (int64_t p = 0; p < n; p++) narrow_product(kind, 1, K, q, panels + (size_t)p * bytes, z + p * PANEL, PANEL);
}
#endif
