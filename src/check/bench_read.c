#include "check/bench_read.h"
#include "base/file.h"

enum { LINE = 64, UNROLLED = 8, BLOCK = LINE * UNROLLED, BURSTS = 32 };
#define SHORTEST_BURST 5e-4 /* seconds */
typedef unsigned line __attribute__((vector_size(LINE)));

/* Sums all lines, so that no read can be left out; in sums of their own that stay in registers. */
static inline __attribute__((always_inline)) void sum_lines(const void *from, size_t bytes, line *sum)
{
    const line *p = from;
    line s[UNROLLED];
#pragma GCC unroll 8
    for (int k = 0; k < UNROLLED; k++) s[k] = sum[k];
    for (size_t i = 0; i < bytes / LINE; i += UNROLLED) {
#pragma GCC unroll 8
        for (int k = 0; k < UNROLLED; k++) s[k] += p[i + (size_t)k];
    }
#pragma GCC unroll 8
    for (int k = 0; k < UNROLLED; k++) sum[k] = s[k];
}
/* Vectors as wide as the kernels use; on other processors what the compiler makes of it. */
static void read_plain(const void *from, size_t bytes, line *sum) { sum_lines(from, bytes, sum); }
#ifdef __x86_64__
__attribute__((target("avx2"))) static void read_avx2(const void *from, size_t bytes, line *sum)
{
    sum_lines(from, bytes, sum);
}
__attribute__((target("avx512f,prefer-vector-width=512"))) static void read_avx512(const void *from, size_t bytes,
                                                                                   line *sum)
{
    sum_lines(from, bytes, sum);
}
#endif

typedef void reader(const void *from, size_t bytes, line *sum);
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
    line sum[UNROLLED] = { { 0 } };
    bytes = (bytes / BLOCK + 1) * BLOCK;
    char *memory = mem_new(bytes, 1);
    if (!memory) return 0;
    memset(memory, 1, bytes);
    double best = 0, burst = seconds / BURSTS > SHORTEST_BURST ? seconds / BURSTS : SHORTEST_BURST;
    for (int i = 0; i < BURSTS; i++) { /* disturbances only make a burst slower */
        double start = clock_seconds(), spent = 0;
        int64_t passes = 0;
        for (int64_t more = 1; spent < burst; more *= 2, spent = clock_seconds() - start)
            for (int64_t k = 0; k < more; k++, passes++) {
                read(memory, bytes, sum);
                __asm__ volatile("" : : "r"(sum) : "memory");
            }
        double rate = (double)passes * (double)bytes / spent;
        if (rate > best) best = rate;
    }
    mem_free(memory);
    return best;
}
