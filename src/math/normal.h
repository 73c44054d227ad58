/* Normal numbers, many at a time, from the words of blocks of rng.h, by Box & Muller 1958:

   r = sqrt(-2 log u),  (x, y) = r (cos a, sin a),  u and a uniform over (0,1) and the circle

   The circle is cut into quarters: a = t in (-pi/4, pi/4), where short series do, then mirrored by one bit and negated
   by another. u has 24 bits, so no number is beyond 5.8. A group of 64 numbers is made of 16 blocks side by side: words
   0 and 1 of block b give numbers b and 16 + b, words 2 and 3 numbers 32 + b and 48 + b, on every instruction set and
   for both real types. */
#ifndef NORMAL_H
#define NORMAL_H
#include "math/mask.h"

enum { NORMAL_BLOCKS = 16, NORMAL_GROUP = 4 * NORMAL_BLOCKS };

typedef int32_t normal_int __attribute__((vector_size(4 * LANES), may_alias, aligned(4)));
INLINE vec normal_real(normal_int x) { return __builtin_convertvector(x, vec); }
/* Uniform over (0,1): the odd ones of 24 bits, exact in float. */
INLINE vec normal_uniform(normal_int word) { return normal_real((word >> 8 & 0xfffffe) | 1) * (real)0x1p-24; }

/* cos t and sin t for |t| < pi/4, Taylor series */
INLINE void quarter_circle(vec t, vec *c, vec *s)
{
    enum { TERMS = sizeof(real) == 4 ? 4 : 8 };
    vec q = t * t, even = splat(1), odd = splat(1);
#pragma GCC unroll 8
    for (int i = TERMS; i > 0; i--) {
        even = 1 - q * even * (real)(1.0 / ((2 * i) * (2 * i - 1)));
        odd = 1 - q * odd * (real)(1.0 / ((2 * i) * (2 * i + 1)));
    }
    *c = even, *s = t * odd;
}
INLINE void normal_pair(const int32_t *size, const int32_t *angle, real *x, real *y)
{
    real radius[NORMAL_BLOCKS];
    for (int b = 0; b < NORMAL_BLOCKS; b += LANES)
        store(radius + b, -2 * vlog(normal_uniform(*(const normal_int *)(size + b))));
    for (int b = 0; b < NORMAL_BLOCKS; b++) radius[b] = (real)__builtin_sqrt(radius[b]);
    for (int b = 0; b < NORMAL_BLOCKS; b += LANES) {
        normal_int w = *(const normal_int *)(angle + b);
        vec c, s, r = load(radius + b) * normal_real((w & 2) - 1);
        vec_int mirrored = (vec_int)(normal_real(w & 1) > 0);
        quarter_circle((normal_uniform(w) - (real)0.5) * (real)1.57079632679489661923, &c, &s);
        store(x + b, r * select_vec(mirrored, s, c)), store(y + b, r * select_vec(mirrored, c, s));
    }
}
/* Group g of the numbers of (seed, purpose). */
INLINE void normal_group(uint64_t seed, uint64_t purpose, int64_t g, real to[NORMAL_GROUP])
{
    int32_t words[4][NORMAL_BLOCKS];
    for (int b = 0; b < NORMAL_BLOCKS; b += VECTOR_BYTES / 4) {
        vec_u32 word[4];
        mask_blocks(seed, purpose, (uint64_t)(g * NORMAL_BLOCKS + b), word);
        for (int k = 0; k < 4; k++) memcpy(words[k] + b, &word[k], sizeof word[k]);
    }
    for (int k = 0; k < 4; k += 2)
        normal_pair(words[k], words[k + 1], to + k * NORMAL_BLOCKS, to + (k + 1) * NORMAL_BLOCKS);
}
#endif
