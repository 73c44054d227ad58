#include "math/measure.h"
#include "math/gemm.h"

/* Enough accumulators to hide the latency of multiply-add, few enough to stay in registers. The values come from memory
   that the compiler must read: it works out a chain that starts from a known fixed point, and leaves it out. */
enum { CHAINS = 12 };
static const volatile real chain_factor = (real)0.9990234375, chain_term = (real)0.001, chain_start = (real)0.25;
static double N(peak)(int64_t rounds, void *sink)
{
    vec acc[CHAINS], a = splat(chain_factor), b = splat(chain_term);
    for (int i = 0; i < CHAINS; i++) acc[i] = splat(chain_start * (real)i);
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) acc[i] = acc[i] * a + b;
    for (int i = 1; i < CHAINS; i++) acc[0] += acc[i];
    store(sink, acc[0]);
    return 2.0 * (double)rounds * CHAINS * LANES;
}
static int64_t N(packed_size)(int64_t n, int64_t K) { return ceil_div(n, PANEL) * PANEL * K; }
static void N(pack)(int64_t n, int64_t K, const void *b, void *to)
{
    for (int64_t p = 0; p < ceil_div(n, PANEL); p++) {
        const real *M[NV];
        int64_t lanes[NV];
        for (int v = 0; v < NV; v++) {
            int64_t o = p * PANEL + v * LANES;
            M[v] = o < n ? (const real *)b + o * K : NULL, lanes[v] = n - o;
        }
        pack_panel(M, lanes, K, K, (real *)to + p * K * PANEL);
    }
}
static void N(gemm)(int64_t m, int64_t n, int64_t K, const void *a, int64_t lda, const void *packed, void *c,
                    int64_t ldc)
{
    for (int64_t r = 0; r < m; r += ROW_BLOCK)
        gemm_rows(min64(ROW_BLOCK, m - r), n, K, (const real *)a + r * lda, lda, packed, (real *)c + r * ldc, ldc,
                  false);
}
static void N(gemm_across)(int64_t m, int64_t n, int64_t K, const void *a, int64_t lda, const void *b, int64_t ldb,
                           void *c, int64_t ldc, void *scratch)
{
    for (int64_t j = 0; j < n; j += PANEL)
        for (int64_t k = 0; k < K; k += KC) {
            int64_t kc = min64(KC, K - k), w = min64(PANEL, n - j);
            copy_block(kc, w, (const real *)b + k * ldb + j, ldb, scratch);
            across_by_block(m, w, kc, (const real *)a + k * lda, lda, scratch, (real *)c + j, ldc);
        }
}

typedef struct function {
    const char *name;
    vec (*f)(vec);
} function;
static vec exp_of(vec x) { return vexp(x); }
static vec log_of(vec x) { return vlog(x); }
static vec sigmoid_of(vec x) { return vsigmoid(x); }
static vec tanh_of(vec x) { return vtanh(x); }
static const function functions[] = {
    { "exp", exp_of }, { "log", log_of }, { "sigmoid", sigmoid_of }, { "tanh", tanh_of }
};
static void N(apply)(const char *name, int64_t n, const void *x, void *y)
{
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
        for (int64_t i = 0; !strcmp(functions[k].name, name) && i < n; i += LANES)
            store((real *)y + i, functions[k].f(load((const real *)x + i)));
}
static double N(gather)(int64_t n, const void *x, const uint16_t *at)
{
    vec sum[4] = { 0 };
    for (int64_t i = 0; i < n; i += 4 * LANES)
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) sum[k] += gather_narrow(x, at + i + k * LANES);
    return (double)lane_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}
extern const measure_ops N(measure_ops);
const measure_ops N(measure_ops) = { N(peak), N(gemm), N(packed_size), N(pack), N(gemm_across), N(apply),
                                     N(gather), LANES };
