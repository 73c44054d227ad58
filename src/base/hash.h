/* A 64-bit hash of bytes, to notice damage and change (not an adversary). Words of eight bytes are mixed by
   multiplication and shift (as in MurmurHash64A, Appleby 2008); the same on every machine that is little-endian. */
#ifndef HASH_H
#define HASH_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
static inline uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
    const uint64_t k = 0xc6a4a7935bd1e995u;
    const unsigned char *p = bytes;
    h ^= n * k;
    for (; n; p += n < 8 ? n : 8, n -= n < 8 ? n : 8) {
        uint64_t w = 0;
        memcpy(&w, p, n < 8 ? n : 8);
        w *= k, w ^= w >> 47, w *= k;
        h = (h ^ w) * k;
    }
    h ^= h >> 47, h *= k;
    return h ^ h >> 47;
}
#endif
