/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
   A number is a pure function of (seed, purpose, counter): no stream, no state, the same bits for any thread count. */
#ifndef RNG_H
#define RNG_H
#include <stdint.h>

enum rng_purpose {
    RNG_WEIGHTS = 1, RNG_DROPOUT, RNG_SHUFFLE, RNG_SAMPLE, RNG_DATA, RNG_TEST, RNG_SYNTHETIC,
    RNG_EVOLUTION, RNG_VARIATIONAL, RNG_EMBED, RNG_STATE, RNG_CANDIDATE, RNG_ZONEOUT,
    RNG_WEIGHT_NOISE, RNG_WEIGHT_DROP, RNG_GRADIENT_NOISE, RNG_SEARCH, RNG_SPLIT, RNG_AUGMENT,
    RNG_RESERVOIR, RNG_TOPOLOGY, RNG_STATE_NOISE, RNG_DYNAMICS
};

void rng_block(uint64_t seed, uint64_t purpose, uint64_t counter, uint32_t out[4]);
double rng_uniform(uint64_t seed, uint64_t purpose, uint64_t counter);   /* [0,1), 53 bits */
double rng_normal(uint64_t seed, uint64_t purpose, uint64_t counter);    /* mean 0, variance 1, Box-Muller */
#endif
