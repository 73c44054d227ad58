/* The only place that knows the width of a vector and the real type.
   A kernel file is compiled once per instruction set and real type: -DISA=portable|avx2|avx512|neon and -DREAL_f32 or
   -DREAL_f64. Its exported names end in both: N(x) is x_f32_avx512.

   Error of the vector functions against the exact value, whole range (measured by test/test_math.c), in units in the
   last place:           exp   log   sigmoid  tanh
               float     1.5   2.0     2.5     3.5
               double    1.5   2.0     2.5     3.5                                                              */
#ifndef SIMD_H
#define SIMD_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(REAL_f64)
typedef double real;
typedef int64_t real_int;
#define REAL_NAME f64
#define EXP_LIMIT 708.0
#define TANH_LIMIT 20.0
#define ROUNDING 0x1.8p52 /* adding it leaves the nearest integer in the low mantissa bits */
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define REAL_TINY 0x1p-1022
enum { MANTISSA = 52, EXP_BIAS = 1023, EXP_TERMS = 13, LOG_TERMS = 12 };
#elif defined(REAL_f32)
typedef float real;
typedef int32_t real_int;
#define REAL_NAME f32
#define EXP_LIMIT 87.0f
#define TANH_LIMIT 9.5f
#define ROUNDING 0x1.8p23f
#define LN2_HIGH 0x1.62e400p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define REAL_TINY 0x1p-126f
enum { MANTISSA = 23, EXP_BIAS = 127, EXP_TERMS = 7, LOG_TERMS = 5 };
#else
#error "compile kernels with -DREAL_f32 or -DREAL_f64"
#endif

/* MR: rows of the register tile; MR x NV accumulators, NV vectors of weights and one broadcast must fit the registers.
   TR: rows of the tile whose left operand is transposed; it divides the lanes. */
#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64, MR = 12, TR = 8 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32, MR = 6, TR = 4 };
#elif defined(__aarch64__)
enum { VECTOR_BYTES = 16, MR = 12, TR = 16 / sizeof(real) };
#else
enum { VECTOR_BYTES = 16, MR = 4, TR = 16 / sizeof(real) };
#endif
enum { LANES = VECTOR_BYTES / sizeof(real), NV = 2, PANEL = NV * LANES };

#define CAT_(a, b) a##_##b
#define CAT(a, b) CAT_(a, b)
#define N(x) CAT(CAT(x, REAL_NAME), ISA)
#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define INLINE static inline __attribute__((always_inline))

typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real vec_any __attribute__((vector_size(VECTOR_BYTES), may_alias, aligned(sizeof(real)))); /* any address */
typedef real_int vec_int __attribute__((vector_size(VECTOR_BYTES), may_alias));

INLINE vec splat(real x) { return x - (vec){ 0 }; }
INLINE vec load(const real *p) { return *(const vec_any *)p; }
INLINE void store(real *p, vec x) { *(vec_any *)p = x; }
/* x[at[0]], x[at[1]], …: two indices to a load, then a load and an insertion for each lane: twice as fast as the gather
   instruction of AVX2 (Zen 3) */
INLINE vec gather_narrow(const real *x, const uint16_t *at)
{
    vec v;
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i += 2) {
        uint32_t two;
        memcpy(&two, at + i, sizeof two);
        v[i] = x[(uint16_t)two], v[i + 1] = x[two >> 16];
    }
    return v;
}
INLINE vec gather_wide(const real *x, const uint32_t *at)
{
    vec v;
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i += 2) {
        uint64_t two;
        memcpy(&two, at + i, sizeof two);
        v[i] = x[(uint32_t)two], v[i + 1] = x[two >> 32];
    }
    return v;
}
INLINE vec select_vec(vec_int mask, vec a, vec b) { return (vec)((mask & (vec_int)a) | (~mask & (vec_int)b)); }

/* min and max have no operator in C; the order of the arguments keeps a NaN of x. */
#if defined(__AVX512F__) && defined(REAL_f64)
INLINE vec vmin(vec bound, vec x) { return (vec)_mm512_min_pd((__m512d)bound, (__m512d)x); }
INLINE vec vmax(vec bound, vec x) { return (vec)_mm512_max_pd((__m512d)bound, (__m512d)x); }
#elif defined(__AVX512F__)
INLINE vec vmin(vec bound, vec x) { return (vec)_mm512_min_ps((__m512)bound, (__m512)x); }
INLINE vec vmax(vec bound, vec x) { return (vec)_mm512_max_ps((__m512)bound, (__m512)x); }
#elif defined(__AVX2__) && defined(REAL_f64)
INLINE vec vmin(vec bound, vec x) { return (vec)_mm256_min_pd((__m256d)bound, (__m256d)x); }
INLINE vec vmax(vec bound, vec x) { return (vec)_mm256_max_pd((__m256d)bound, (__m256d)x); }
#elif defined(__AVX2__)
INLINE vec vmin(vec bound, vec x) { return (vec)_mm256_min_ps((__m256)bound, (__m256)x); }
INLINE vec vmax(vec bound, vec x) { return (vec)_mm256_max_ps((__m256)bound, (__m256)x); }
#else
INLINE vec vmin(vec bound, vec x) { return select_vec((vec_int)(x > bound), bound, x); }
INLINE vec vmax(vec bound, vec x) { return select_vec((vec_int)(x < bound), bound, x); }
#endif

/* products of the low halves of 64-bit lanes */
typedef uint32_t vec_u32 __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef uint64_t vec_u64 __attribute__((vector_size(VECTOR_BYTES), may_alias));
INLINE vec_u64 multiply_low(vec_u64 a, vec_u64 b)
{
#if defined(__AVX512F__)
    return (vec_u64)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (vec_u64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (vec_u64)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffff) * (b & 0xffffffff);
#endif
}

/* e^x = scale * (1 + p), kept apart so that tanh can form e^x - 1 without cancellation near 0.
   x = n ln 2 + r, |r| <= ln 2 / 2; Taylor series of e^r, exact enough at these degrees. */
INLINE vec exp_parts(vec x, vec *scale)
{
    static const real c[] = { 1, 1, 1 / (real)2, 1 / (real)6, 1 / (real)24, 1 / (real)120, 1 / (real)720,
        1 / (real)5040, 1 / (real)40320, 1 / (real)362880, 1 / (real)3628800, 1 / (real)39916800,
        1 / (real)479001600, (real)(1 / 6227020800.0) };
    vec m = x * (real)1.44269504088896340736 + ROUNDING, n = m - ROUNDING;
    vec r = x - n * LN2_HIGH - n * LN2_LOW, p = splat(c[EXP_TERMS]);
#pragma GCC unroll 16
    for (int i = EXP_TERMS - 1; i > 0; i--) p = p * r + c[i];
    *scale = (vec)(((vec_int)m + EXP_BIAS) << MANTISSA);
    return p * r;
}

/* Clamped to +-EXP_LIMIT, so never 0 or infinite. */
INLINE vec vexp(vec x)
{
    vec s, p = exp_parts(vmax(splat(-EXP_LIMIT), vmin(splat(EXP_LIMIT), x)), &s);
    return s + s * p;
}

INLINE vec vsigmoid(vec x) { return 1 / (1 + vexp(-x)); }

INLINE vec vtanh(vec x)
{
    vec s, p = exp_parts(2 * vmax(splat(-TANH_LIMIT), vmin(splat(TANH_LIMIT), x)), &s), e = s * p + (s - 1);
    return e / (e + 2);
}

/* log x for normal x > 0: x = 2^n m, m in [1/sqrt 2, sqrt 2); log m = 2 atanh(s), s = (m-1)/(m+1). */
INLINE vec vlog(vec x)
{
    vec_int bits = (vec_int)x, half = (vec_int)splat((real)0.70710678118654752440);
    vec_int n = (bits - half) >> MANTISSA;
    vec m = (vec)(bits - (n << MANTISSA)), k = __builtin_convertvector(n, vec);
    vec s = (m - 1) / (m + 1), q = s * s, p = splat(1 / (real)(2 * LOG_TERMS + 1));
#pragma GCC unroll 16
    for (int i = LOG_TERMS - 1; i > 0; i--) p = p * q + 1 / (real)(2 * i + 1);
    return k * LN2_HIGH + (2 * s + (2 * s * q * p + k * LN2_LOW));
}

/* derivatives written in the value y of the function */
INLINE vec dsigmoid(vec y) { return y * (1 - y); }
INLINE vec dtanh(vec y) { return 1 - y * y; }

/* sum of the lanes, in a fixed order */
INLINE real lane_sum(vec x)
{
    real s = 0;
    for (int i = 0; i < LANES; i++) s += x[i];
    return s;
}

/* Row stride of an array n reals wide: whole cache lines, an odd number of them, so that the rows of a tile never fall
   into one set of the cache. */
INLINE int64_t row_stride(int64_t n)
{
    int64_t lines = (n * (int64_t)sizeof(real) + 63) / 64;
    return (lines | 1) * 64 / (int64_t)sizeof(real);
}
#endif
