/* What the machine can do, measured by the kernels themselves: for `laco bench` and tests of the vector functions. */
#ifndef MEASURE_H
#define MEASURE_H
#include "base/base.h"

typedef struct measure_ops {
    /* Runs about `rounds` rounds of independent vector multiply-adds; returns the floating-point operations done. */
    double (*peak)(int64_t rounds, void *sink);
    /* One packed product c[m][n] = a[m][K] b, b packed beforehand; all at the given sizes. */
    void (*gemm)(int64_t m, int64_t n, int64_t K, const void *a, int64_t lda, const void *packed, void *c, int64_t ldc);
    int64_t (*packed_size)(int64_t n, int64_t K);                /* reals */
    void (*pack)(int64_t n, int64_t K, const void *b, void *to); /* b [n][K]: columns are its rows */
    /* c[m][n] += a[K][m]^T b[K][n] as in weight gradients; scratch of packed_size(PANEL, K) reals */
    void (*gemm_across)(int64_t m, int64_t n, int64_t K, const void *a, int64_t lda, const void *b, int64_t ldb,
                        void *c, int64_t ldc, void *scratch);
    /* y = f(x), n a multiple of lanes */
    void (*apply)(const char *function, int64_t n, const void *x, void *y);
    /* Reads x[at[i]], i < n, and adds them up: nothing but loads from places that indices of 16 bits give. n: a multiple
       of 4 * lanes. */
    double (*gather)(int64_t n, const void *x, const uint16_t *at);
    int lanes;
} measure_ops;
#endif
