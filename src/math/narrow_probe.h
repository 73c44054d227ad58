/* The products of half.h and narrow.h as functions that can be called from outside kernels, every kernel by its number:
   for tests. Reals are of the type of the table. */
#ifndef NARROW_PROBE_H
#define NARROW_PROBE_H
#include "base/base.h"
#include "math/weights.h"

typedef struct narrow_ops {
    int panel; /* columns */
    size_t (*panel_bytes)(weights_kind kind, int64_t K);
    void (*pack)(weights_kind kind, int64_t K, const void *panel, void *to);
    size_t (*left_bytes)(weights_kind kind, int64_t m, int64_t K);
    void (*left)(weights_kind kind, int64_t m, int64_t K, const void *x, int64_t ldx, void *q);
    void (*product)(weights_kind kind, int64_t m, int64_t K, const void *q, const void *panel, void *z, int64_t ldz);
    /* Kernels are numbered from 0, best first; false when there is none of that number or the machine lacks it. */
    bool (*int8_product)(int kernel, int64_t m, int64_t K, const void *q, const void *panel, void *z, int64_t ldz);
    bool (*half_usable)(int kernel);
    void (*half_rows)(int64_t m, int64_t K, const void *x, int64_t ldx, uint32_t *to, int64_t ldt);
    void (*half_pairs)(int64_t K, int64_t n, const void *x, int64_t ldx, uint32_t *to, int64_t ldt);
    void (*half_product)(int kernel, int64_t m, int64_t K2, const uint32_t *a, int64_t lda, const void *b, void *c,
                         int64_t ldc, bool add);
    void (*half_across)(int kernel, int64_t m, int64_t w, int64_t K2, const uint32_t *a, int64_t lda, const void *b,
                        void *c, int64_t ldc);
} narrow_ops;
#endif
