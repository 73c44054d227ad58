#include "math/narrow_probe.h"
#include "math/narrow.h"

static size_t N(panel_bytes)(weights_kind kind, int64_t K) { return narrow_panel_bytes(kind, K); }
static size_t N(left_bytes)(weights_kind kind, int64_t m, int64_t K) { return narrow_left_bytes(kind, m, K); }
static void N(pack)(weights_kind kind, int64_t K, const void *panel, void *to) { narrow_pack(kind, K, panel, to); }
static void N(left)(weights_kind kind, int64_t m, int64_t K, const void *x, int64_t ldx, void *q)
{
    narrow_left(kind, m, K, x, ldx, q);
}
static void N(product)(weights_kind kind, int64_t m, int64_t K, const void *q, const void *panel, void *z, int64_t ldz)
{
    narrow_product(kind, m, K, q, panel, z, ldz);
}
static bool N(int8_product)(int kernel, int64_t m, int64_t K, const void *q, const void *panel, void *z, int64_t ldz)
{
    if (kernel >= INT8_KERNELS || !int8_kernels[kernel].usable()) return false;
    int8_product(&int8_kernels[kernel], m, K, q, panel, z, ldz);
    return true;
}
static bool N(half_usable)(int kernel)
{
    return kernel < (int)(sizeof half_kernels / sizeof *half_kernels) && half_kernels[kernel].usable();
}
static void N(half_rows)(int64_t m, int64_t K, const void *x, int64_t ldx, uint32_t *to, int64_t ldt)
{
    half_rows(m, K, x, ldx, to, ldt);
}
static void N(half_pairs)(int64_t K, int64_t n, const void *x, int64_t ldx, uint32_t *to, int64_t ldt)
{
    half_pairs(K, n, x, ldx, to, ldt);
}
static void N(half_product)(int kernel, int64_t m, int64_t K2, const uint32_t *a, int64_t lda, const void *b, void *c,
                            int64_t ldc, bool add)
{
    half_panel_product(&half_kernels[kernel], m, K2, a, lda, b, c, ldc, add);
}
static void N(half_across)(int kernel, int64_t m, int64_t w, int64_t K2, const uint32_t *a, int64_t lda, const void *b,
                           void *c, int64_t ldc)
{
    half_across_by_block(&half_kernels[kernel], m, w, K2, a, lda, b, c, ldc);
}

extern const narrow_ops N(narrow_ops);
const narrow_ops N(narrow_ops) = { PANEL,        N(panel_bytes), N(pack),         N(left_bytes),
                                   N(left),      N(product),     N(int8_product), N(half_usable),
                                   N(half_rows), N(half_pairs),  N(half_product), N(half_across) };
