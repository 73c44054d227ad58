/* Philox4x32-10: ten rounds of two 32x32 bit products over a 128 bit counter, with a 64 bit key that advances by the
   golden ratio and sqrt(3)-1 each round. Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
   SC 2011. key = seed, counter words 0..1 = counter, words 2..3 = purpose, low word first. */
#include "rng.h"
#include <math.h>

enum { RNG_ROUNDS = 10 };

void rng_block(uint64_t seed, uint64_t purpose, uint64_t counter, uint32_t out[4])
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
    uint32_t c2 = (uint32_t)purpose, c3 = (uint32_t)(purpose >> 32);
    for (int i = 0; i < RNG_ROUNDS; i++) {
        uint64_t a = UINT64_C(0xD2511F53) * c0, b = UINT64_C(0xCD9E8D57) * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* [0,1) in steps of 2^-53 */
static double rng_unit(uint32_t high, uint32_t low) { return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53; }

double rng_uniform(uint64_t seed, uint64_t purpose, uint64_t counter)
{
    uint32_t w[4];
    rng_block(seed, purpose, counter, w);
    return rng_unit(w[0], w[1]);
}

double rng_normal(uint64_t seed, uint64_t purpose, uint64_t counter)
{
    uint32_t w[4];
    rng_block(seed, purpose, counter, w);
    double radius = sqrt(-2.0 * log(1.0 - rng_unit(w[0], w[1]))); /* 1 - u is never 0 */
    return radius * cos(6.283185307179586 * rng_unit(w[2], w[3]));
}
