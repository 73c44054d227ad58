#include "check/bench_read.h"
#include "base/file.h"

enum { UNROLLED = 8, WIDEST = 64, BLOCK = WIDEST * UNROLLED, BURSTS = 32 };
#define SHORTEST_BURST 5e-4 /* seconds */

/* Adds up all vectors of `wide` bytes, as wide as registers are (wider ones would be kept in memory), so that no read
   can be left out; in sums of their own. Asks for vectors in the order in which they lie. */
#define READER(name, wide)                                                                                             \
    static uint32_t name(const void *from, size_t bytes)                                                               \
    {                                                                                                                  \
        typedef uint32_t vector __attribute__((vector_size(wide)));                                                    \
        const vector *p = from;                                                                                        \
        vector s[UNROLLED] = { { 0 } };                                                                                \
        for (size_t i = 0; i < bytes / (wide); i += UNROLLED)                                                          \
            _Pragma("GCC unroll 8") for (size_t k = 0; k < UNROLLED; k++) s[k] += p[i + k];                            \
        _Pragma("GCC unroll 8") for (int k = 1; k < UNROLLED; k++) s[0] += s[k];                                       \
        return s[0][0];                                                                                                \
    }
READER(read_plain, 16)
#ifdef __x86_64__
__attribute__((target("avx2"))) READER(read_avx2, 32)
__attribute__((target("avx512f,prefer-vector-width=512"))) READER(read_avx512, 64)
#endif

typedef uint32_t reader(const void *from, size_t bytes);
static reader *reader_for(const char *isa)
{
#ifdef __x86_64__
    if (!strcmp(isa, "avx512")) return read_avx512;
    if (!strcmp(isa, "avx2")) return read_avx2;
#endif
    (void)isa;
    return read_plain;
}

double read_bandwidth(const char *isa, size_t bytes, double seconds)
{
    reader *read = reader_for(isa);
    volatile uint32_t sum = 0;
    bytes = (bytes / BLOCK + 1) * BLOCK;
    char *memory = mem_new(bytes, 1);
    if (!memory) return 0;
    memset(memory, 1, bytes);
    double best = 0, burst = seconds / BURSTS > SHORTEST_BURST ? seconds / BURSTS : SHORTEST_BURST;
    for (int i = 0; i < BURSTS; i++) { /* disturbances only make a burst slower */
        double start = clock_seconds(), spent = 0;
        int64_t passes = 0;
        for (int64_t more = 1; spent < burst; more *= 2, spent = clock_seconds() - start)
            for (int64_t k = 0; k < more; k++, passes++)
                sum += read(memory, bytes);
        double rate = (double)passes * (double)bytes / spent;
        if (rate > best) best = rate;
    }
    mem_free(memory);
    return best;
}
