/* Random masks: each number of a row is `hit` with probability P, else `miss`. Whether it is hit is a function of
   (seed, purpose, row, its place in the row): 16 random bits each, of the blocks of rng.h, the same on every
   instruction set and for both real types. P is taken in steps of 1/65536.

   A row is cut into groups of 128 numbers, made of 16 blocks side by side: number i of a group is the half i/16 % 2 of
   word i/32 of block i % 16. mask_blocks is rng_block for as many counters at once as a vector has lanes. */
#ifndef MASK_H
#define MASK_H
#include "base/base.h"
#include "base/rng.h"
#include "math/simd.h"

enum { MASK_BLOCKS = 16, MASK_GROUP = 8 * MASK_BLOCKS };
typedef struct mask {
    uint64_t seed, purpose;
    int32_t limit; /* of 65536 */
    real hit, miss;
} mask;

/* place: below 2^16, what tells masks of one purpose apart; update: below 2^40 */
INLINE uint64_t mask_purpose(enum rng_purpose purpose, int place, uint64_t update)
{
    return (uint64_t)purpose | (uint64_t)place << 8 | update << 24;
}
INLINE int32_t mask_limit(double rate) { return (int32_t)(rate * 65536 + 0.5); }
/* Dropout at a rate: 0, or what keeps the mean. */
INLINE mask mask_dropout(uint64_t seed, uint64_t purpose, double rate)
{
    int32_t limit = mask_limit(rate);
    return (mask){ seed, purpose, limit, 0, (real)(1 / (1 - limit / 65536.0)) };
}

/* high and low halves of the products of 32-bit lanes with a constant */
INLINE void multiply_wide(vec_u32 x, uint32_t by, vec_u32 *high, vec_u32 *low)
{
    const vec_u64 lows = (vec_u64){ 0 } + 0xffffffffu, factor = (vec_u64){ 0 } + by;
    vec_u64 even = multiply_low((vec_u64)x, factor), odd = multiply_low((vec_u64)x >> 32, factor);
    *high = (vec_u32)((even >> 32) | (odd & ~lows)), *low = (vec_u32)((even & lows) | (odd << 32));
}
INLINE void mask_blocks(uint64_t seed, uint64_t purpose, uint64_t counter, vec_u32 word[4])
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    vec_u32 zero = { 0 }, c0 = zero + (uint32_t)counter, c1 = zero + (uint32_t)(counter >> 32),
            c2 = zero + (uint32_t)purpose, c3 = zero + (uint32_t)(purpose >> 32);
    for (int l = 0; l < VECTOR_BYTES / 4; l++) c0[l] += (uint32_t)l; /* counter is a multiple of 16: no carry */
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++) {
        vec_u32 ah, al, bh, bl;
        multiply_wide(c0, 0xD2511F53u, &ah, &al), multiply_wide(c2, 0xCD9E8D57u, &bh, &bl);
        c0 = bh ^ c1 ^ k0, c2 = ah ^ c3 ^ k1, c1 = bl, c3 = al;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    word[0] = c0, word[1] = c1, word[2] = c2, word[3] = c3;
}

/* Group g of a row of n numbers. */
static inline void mask_group(const mask *m, int64_t row, int64_t n, int64_t g, real to[MASK_GROUP])
{
    int32_t bits[MASK_GROUP];
    uint64_t counter = (uint64_t)(row * ceil_div(n, MASK_GROUP) + g) * MASK_BLOCKS;
    for (int b = 0; b < MASK_BLOCKS; b += VECTOR_BYTES / 4) {
        vec_u32 word[4];
        mask_blocks(m->seed, m->purpose, counter + (uint64_t)b, word);
        for (int w = 0; w < 4; w++) {
            vec_u32 low = word[w] & 0xffff, high = word[w] >> 16;
            memcpy(bits + 2 * w * MASK_BLOCKS + b, &low, sizeof low);
            memcpy(bits + (2 * w + 1) * MASK_BLOCKS + b, &high, sizeof high);
        }
    }
    for (int i = 0; i < MASK_GROUP; i++) to[i] = bits[i] < m->limit ? m->hit : m->miss;
}
static inline void mask_row(const mask *m, int64_t row, int64_t n, real *to)
{
    real group[MASK_GROUP];
    for (int64_t g = 0, i = 0; i < n; g++, i += MASK_GROUP) {
        if (n - i >= MASK_GROUP) {
            mask_group(m, row, n, g, to + i);
            continue;
        }
        mask_group(m, row, n, g, group);
        memcpy(to + i, group, (size_t)(n - i) * sizeof(real));
    }
}
#endif
