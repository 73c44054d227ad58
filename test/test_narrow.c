/* Products by narrow weights, on every instruction set of this machine and in both real types: int8 against plain
   integer arithmetic to the last bit, bf16 rounding for every upper half of a float, products against plain sums in
   double. */
#include "base/rng.h"
#include "math/narrow_probe.h"
#include "net/kernels.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define ISA_ROW(isa)                                                                                                   \
    {                                                                                                                  \
#isa, { &narrow_ops_f32_##isa, &narrow_ops_f64_##isa }                                                         \
    }
#define ISA_NAMES(isa) extern const narrow_ops narrow_ops_f32_##isa, narrow_ops_f64_##isa
#if defined(HAVE_ISA_avx512)
ISA_NAMES(avx512);
#endif
#if defined(HAVE_ISA_avx2)
ISA_NAMES(avx2);
#endif
#if defined(HAVE_ISA_neon)
ISA_NAMES(neon);
#endif
#if defined(HAVE_ISA_portable)
ISA_NAMES(portable);
#endif
static const struct isa {
    const char *name;
    const narrow_ops *ops[2]; /* REAL_FLOAT, REAL_DOUBLE */
} isas[] = {
#if defined(HAVE_ISA_avx512)
    ISA_ROW(avx512),
#endif
#if defined(HAVE_ISA_avx2)
    ISA_ROW(avx2),
#endif
#if defined(HAVE_ISA_neon)
    ISA_ROW(neon),
#endif
#if defined(HAVE_ISA_portable)
    ISA_ROW(portable),
#endif
};

/* one table of the machine: what a case runs on */
typedef struct bench {
    const char *isa;
    int r;
    const narrow_ops *ops;
} bench;
static bench benches[2 * sizeof isas / sizeof *isas];
static int bench_count;
static int set_up(void **state)
{
    (void)state;
    for (int i = 0; kernels_at(i, 0); i++)
        for (size_t k = 0; k < sizeof isas / sizeof *isas; k++)
            for (int r = 0; r < 2; r++)
                if (!strcmp(isas[k].name, kernels_at(i, 0)->isa))
                    benches[bench_count++] = (bench){ isas[k].name, r, isas[k].ops[r] };
    return bench_count ? 0 : -1;
}
static const char *where(const bench *b)
{
    static char text[64];
    snprintf(text, sizeof text, "%s, %s", b->isa, b->r ? "double" : "float");
    return text;
}

/* ---- numbers of either type ---- */
static double at(int r, const void *x, int64_t i)
{
    return r == REAL_FLOAT ? (double)((const float *)x)[i] : ((const double *)x)[i];
}
static void put(int r, void *x, int64_t i, double v)
{
    if (r == REAL_FLOAT)
        ((float *)x)[i] = (float)v;
    else
        ((double *)x)[i] = v;
}
static void *new_reals(int r, int64_t n) { return mem_new((size_t)n, r == REAL_FLOAT ? 4 : 8); }
static double draw(uint64_t place, int64_t i) { return 2 * rng_uniform(11, RNG_TEST, place << 40 | (uint64_t)i) - 1; }
static void fill(int r, void *x, int64_t n, uint64_t place, double spread)
{
    for (int64_t i = 0; i < n; i++) put(r, x, i, spread * draw(place, i));
}
static double epsilon(int r) { return r == REAL_FLOAT ? (double)FLT_EPSILON : DBL_EPSILON; }

/* ---- bf16 ---- */
static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}
static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}
static float half_value(uint32_t word, int64_t k) { return float_of(k % 2 ? word & 0xffff0000 : word << 16); }
/* The nearer of the two neighbours, the even one of two equally near. */
static uint32_t half_plain(uint32_t u)
{
    uint32_t high = u >> 16, low = u & 0xffff;
    if (isnan(float_of(u))) return high | 0x40;
    return high + (low > 0x8000 || (low == 0x8000 && high % 2));
}
static float half_rounded(double x) { return float_of(half_plain(bits_of((float)x)) << 16); }

static void test_half_rounding(void **state)
{
    static const uint32_t low[] = { 0, 1, 0x7fff, 0x8000, 0x8001, 0xffff };
    enum { LOW = sizeof low / sizeof *low, N = 65536 * LOW };
    uint32_t *to = mem_new(N / 2, 4);
    (void)state;
    for (const bench *b = benches; b < benches + bench_count; b++) {
        void *x = new_reals(b->r, N);
        for (int64_t i = 0; i < N; i++) {
            float f = float_of((uint32_t)(i / LOW) << 16 | low[i % LOW]);
            if (b->r == REAL_FLOAT)
                memcpy((float *)x + i, &f, 4); /* a signalling NaN must arrive as it is */
            else
                ((double *)x)[i] = f;
        }
        b->ops->half_rows(1, N, x, N, to, N / 2);
        for (int64_t i = 0; i < N; i++) {
            uint32_t u = (uint32_t)(i / LOW) << 16 | low[i % LOW], got = (to[i / 2] >> 16 * (i % 2)) & 0xffff;
            if (got != half_plain(u)) fail_msg("%s: %08x became %04x, not %04x", where(b), u, got, half_plain(u));
        }
        mem_free(x);
    }
    mem_free(to);
}

enum { MARK = 77 };
static void test_half_layout(void **state)
{
    (void)state;
    for (const bench *b = benches; b < benches + bench_count; b++)
        for (int64_t K = 1; K <= 70; K++) {
            const int64_t m = 5, ld = K + 3, K2 = (K + 1) / 2, n = K, wide = K + K % 5, rows = 7;
            void *x = new_reals(b->r, (m - 1) * ld + K), *y = new_reals(b->r, (rows - 1) * (n + 1) + n);
            uint32_t *by_row = mem_new((size_t)(m * (K2 + 1)), 4), *pairs = mem_new((size_t)(4 * wide) + 1, 4);
            fill(b->r, x, (m - 1) * ld + K, 1, 1), fill(b->r, y, (rows - 1) * (n + 1) + n, 2, 1);
            for (int64_t i = 0; i < m * (K2 + 1); i++) by_row[i] = MARK;
            pairs[4 * wide] = MARK;
            b->ops->half_rows(m, K, x, ld, by_row, K2 + 1), b->ops->half_pairs(rows, n, y, n + 1, pairs, wide);
            for (int64_t r = 0; r < m; r++) {
                for (int64_t k = 0; k < 2 * K2; k++)
                    assert_true(half_value(by_row[r * (K2 + 1) + k / 2], k) ==
                                (k < K ? half_rounded(at(b->r, x, r * ld + k)) : 0));
                assert_int_equal(by_row[r * (K2 + 1) + K2], MARK);
            }
            for (int64_t k = 0; k < 8; k++)
                for (int64_t i = 0; i < wide; i++)
                    assert_true(half_value(pairs[k / 2 * wide + i], k) ==
                                (k < rows && i < n ? half_rounded(at(b->r, y, k * (n + 1) + i)) : 0));
            assert_int_equal(pairs[4 * wide], MARK);
            mem_free(x), mem_free(y), mem_free(by_row), mem_free(pairs);
        }
}

/* One product of the two of half.h: by rows, or across, where w columns of a panel are wanted. */
static void check_half(const bench *b, int kernel, int64_t m, int64_t K, int64_t w, bool across, bool add)
{
    const narrow_ops *o = b->ops;
    int64_t K2 = (K + 1) / 2, lda = (across ? m : K2) + 1, ldc = w + 3, columns = across ? m : K, rows = across ? K : m;
    void *x = new_reals(b->r, rows * columns + 1), *y = new_reals(b->r, K * w + 1), *c = new_reals(b->r, m * ldc);
    uint32_t *a = mem_new((size_t)((across ? K2 : m) * lda) + 1, 4), *p = mem_new((size_t)(K2 * o->panel) + 1, 4);
    fill(b->r, x, rows * columns, 3, 1), fill(b->r, y, K * w, 4, 1);
    for (int64_t i = 0; i < m * ldc; i++) put(b->r, c, i, MARK);
    if (across)
        o->half_pairs(K, m, x, m, a, lda);
    else
        o->half_rows(m, K, x, K, a, lda);
    o->half_pairs(K, w, y, w, p, o->panel);
    if (across)
        o->half_across(kernel, m, w, K2, a, lda, p, c, ldc);
    else
        o->half_product(kernel, m, K2, a, lda, p, c, ldc, add);
    for (int64_t i = 0; i < m * ldc; i++) {
        int64_t row = i / ldc, j = i % ldc;
        double want = add || j >= w ? MARK : 0, size = want;
        for (int64_t k = 0; j < w && k < K; k++) {
            double t = (double)half_rounded(at(b->r, x, across ? k * m + row : row * K + k)) *
                       (double)half_rounded(at(b->r, y, k * w + j));
            want += t, size += fabs(t);
        }
        if (!(fabs(at(b->r, c, i) - want) <= (j < w ? epsilon(b->r) * size * 16 : 0)))
            fail_msg("%s, kernel %d: %s %lld x %lld x %lld: c[%lld][%lld] is %.9g, not %.9g", where(b), kernel,
                     across ? "across" : "by rows", (long long)m, (long long)w, (long long)K, (long long)row,
                     (long long)j, at(b->r, c, i), want);
    }
    mem_free(x), mem_free(y), mem_free(c), mem_free(a), mem_free(p);
}
static void test_half_products(void **state)
{
    static const int64_t depth[] = { 0, 1, 2, 3, 4, 5, 17, 64, 127, 511, 512, 513, 1030 };
    (void)state;
    for (const bench *b = benches; b < benches + bench_count; b++)
        for (int kernel = 0; b->ops->half_usable(kernel); kernel++)
            for (int64_t m = 1; m <= 40; m++)
                for (int i = m > 13 ? (int)m % 4 : 0; i<13; i += m> 13 ? 4 : 1) {
                    int64_t p = b->ops->panel;
                    check_half(b, kernel, m, depth[i], p, false, (m + i) % 2);
                    check_half(b, kernel, m, depth[i], (m + i) % 3 ? p : 1 + m % p, true, true);
                }
}

/* ---- narrow weights ---- */
typedef struct narrow_case {
    const bench *b;
    weights_kind kind;
    int64_t m, K, ldx, ldz;
    void *x, *panel, *packed, *q, *z;
} narrow_case;
static void narrow_new(narrow_case *c, const bench *b, weights_kind kind, int64_t m, int64_t K)
{
    *c = (narrow_case){ b, kind, m, K, K + 3, b->ops->panel + 5, NULL, NULL, NULL, NULL, NULL };
    c->x = new_reals(b->r, (m - 1) * c->ldx + K), c->panel = new_reals(b->r, K * b->ops->panel);
    c->packed = mem_new(b->ops->panel_bytes(kind, K), 1), c->q = mem_new(b->ops->left_bytes(kind, m, K), 1);
    c->z = new_reals(b->r, m * c->ldz);
    fill(b->r, c->x, (m - 1) * c->ldx + K, 5, 1), fill(b->r, c->panel, K * b->ops->panel, 6, 0.3);
    memset(c->q, 0xff, b->ops->left_bytes(kind, m, K)), memset(c->packed, 0xff, b->ops->panel_bytes(kind, K));
    for (int64_t i = 0; i < m * c->ldz; i++) put(b->r, c->z, i, MARK);
}
static void narrow_free(narrow_case *c)
{
    mem_free(c->x), mem_free(c->panel), mem_free(c->packed), mem_free(c->q), mem_free(c->z);
}
static void narrow_prepare(narrow_case *c)
{
    c->b->ops->pack(c->kind, c->K, c->panel, c->packed);
    c->b->ops->left(c->kind, c->m, c->K, c->x, c->ldx, c->q);
}
static bool narrow_run(narrow_case *c, int kernel) /* -1: the product as others call it */
{
    const narrow_ops *o = c->b->ops;
    if (kernel >= 0) return o->int8_product(kernel, c->m, c->K, c->q, c->packed, c->z, c->ldz);
    return o->product(c->kind, c->m, c->K, c->q, c->packed, c->z, c->ldz), true;
}
static double x_of(const narrow_case *c, int64_t row, int64_t k) { return at(c->b->r, c->x, row * c->ldx + k); }
static double w_of(const narrow_case *c, int64_t k, int64_t j)
{
    return at(c->b->r, c->panel, k * c->b->ops->panel + j);
}

/* The step of n numbers and their quotients, in the arithmetic of the type. */
static double plain_step(int r, const double *x, int64_t n)
{
    double top = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) return NAN;
        top = fmax(top, fabs(x[i]));
    }
    if (top < (r == REAL_FLOAT ? 0x1p-96 : 0x1p-992)) return 0;
    return r == REAL_FLOAT ? (double)((float)top / 127.0f) : top / 127;
}
static int64_t plain_byte(int r, double x, double step)
{
    if (!(step > 0)) return 0;
    return (int64_t)(r == REAL_FLOAT ? nearbyintf((float)x / (float)step) : (float)nearbyint(x / step));
}
/* z of one row and column by the definition in narrow.h; *bound: how far it may be from the exact product. */
static double plain_int8(const narrow_case *c, int64_t row, int64_t j, double *exact, double *bound)
{
    int r = c->b->r;
    double *v = mem_new((size_t)(2 * c->K) + 1, 8), *w = v + c->K, z = 0, sx, sw;
    for (int64_t k = 0; k < c->K; k++) v[k] = x_of(c, row, k), w[k] = w_of(c, k, j);
    sx = plain_step(r, v, c->K), sw = plain_step(r, w, c->K), *exact = *bound = 0;
    for (int64_t k = 0; k == 0 || k < c->K; k += 1 << 17) {
        int64_t sum = 0;
        for (int64_t i = k; i < min64(c->K, k + (1 << 17)); i++) {
            sum += plain_byte(r, v[i], sx) * plain_byte(r, w[i], sw);
            *exact += v[i] * w[i], *bound += fabs(v[i]) * sw / 2 + fabs(w[i]) * sx / 2 + sx * sw / 4;
            if (sx == 0 || sw == 0) *bound += fabs(v[i] * w[i]);
        }
        z = r == REAL_FLOAT ? (double)((float)z + (float)sum * (float)sw * (float)sx) : z + (double)sum * sw * sx;
    }
    *bound += 4 * epsilon(r) * (*bound + fabs(*exact));
    mem_free(v);
    return z;
}
static void check_int8(narrow_case *c, int64_t columns)
{
    narrow_prepare(c);
    for (int64_t row = 0; row < c->m; row++)
        for (int64_t j = 0; j < columns; j++) {
            double exact, bound, want = plain_int8(c, row, j, &exact, &bound);
            if (isfinite(want) && !(fabs(want - exact) <= bound))
                fail_msg("%s: quantised %.9g is not within %.3g of %.9g", where(c->b), want, bound, exact);
            for (int kernel = -1; narrow_run(c, kernel); kernel++) {
                double got = at(c->b->r, c->z, row * c->ldz + j);
                double off = c->K > 1 << 17 ? 4 * epsilon(c->b->r) * fabs(want) : 0; /* chunks are summed as reals */
                if (!(got == want || fabs(got - want) <= off || (isnan(got) && isnan(want))))
                    fail_msg("%s, kernel %d, m %lld, K %lld: z[%lld][%lld] is %.9g, not %.9g", where(c->b), kernel,
                             (long long)c->m, (long long)c->K, (long long)row, (long long)j, got, want);
            }
        }
    for (int64_t i = 0; i < c->m * c->ldz; i++)
        if (i % c->ldz >= c->b->ops->panel) assert_true(at(c->b->r, c->z, i) == MARK);
}
static void test_int8(void **state)
{
    static const int64_t depth[] = { 0, 1, 2, 3, 4, 5, 15, 16, 17, 33, 63, 64, 65, 130 };
    (void)state;
    for (const bench *b = benches; b < benches + bench_count; b++) {
        assert_true(b->ops->int8_product(0, 0, 0, NULL, NULL, NULL, 0) ||
                    b->ops->int8_product(1, 0, 0, NULL, NULL, NULL, 0));
        for (int64_t m = 1; m <= 40; m++)
            for (int i = m <= 9 ? 0 : (int)m % 14, end = m <= 9 ? 14 : i + 1; i < end; i++) {
                narrow_case c;
                narrow_new(&c, b, WEIGHTS_INT8, m, depth[i]);
                check_int8(&c, m % 4 ? 3 : b->ops->panel);
                narrow_free(&c);
            }
    }
}
/* All numbers at their bounds, where sums are largest, below, at and above the length of a chunk. */
static void test_int8_long(void **state)
{
    static const int64_t depth[] = { 70001, 1 << 17, (1 << 17) + 1, (1 << 18) + 7 };
    (void)state;
    for (const bench *b = benches; b < benches + bench_count; b++)
        for (int i = 0; i < 4; i++) {
            narrow_case c;
            narrow_new(&c, b, WEIGHTS_INT8, 2, depth[i]);
            for (int64_t k = 0; k < c.K; k++) {
                put(b->r, c.x, k, 1), put(b->r, c.x, c.ldx + k, -1);
                for (int64_t j = 0; j < b->ops->panel; j++) put(b->r, c.panel, k * b->ops->panel + j, j % 2 ? -2 : 2);
            }
            check_int8(&c, 2);
            assert_true(fabs(at(b->r, c.z, 0) - 2 * (double)c.K) <= 1e-6 * (double)c.K);
            narrow_free(&c);
        }
}
static void test_int8_hostile(void **state)
{
    static const double odd[] = { NAN, INFINITY, -INFINITY, 0, -0.0, FLT_MAX, -FLT_MAX, 1e-40, 1e-30, 1e-28, 5e-324 };
    (void)state;
    for (const bench *b = benches; b < benches + bench_count; b++)
        for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
            for (int mode = 0; mode < 4; mode++) { /* one odd number among others, or nothing but it; left or right */
                narrow_case c;
                narrow_new(&c, b, WEIGHTS_INT8, 3, 37);
                for (int64_t k = mode % 2 ? 0 : 21; k < (mode % 2 ? 37 : 22); k++)
                    if (mode < 2)
                        put(b->r, c.x, c.ldx + k, odd[i]);
                    else
                        put(b->r, c.panel, k * b->ops->panel + 1, odd[i]);
                check_int8(&c, 3);
                for (int64_t row = 0; row < 3; row++)
                    for (int64_t j = 0; j < 3; j++) {
                        bool hit = mode < 2 ? row == 1 : j == 1;
                        double z = at(b->r, c.z, row * c.ldz + j);
                        assert_int_equal(isnan(z) != 0, hit && !isfinite(odd[i]));
                        if (hit && mode % 2 && odd[i] == 0) assert_true(z == 0);
                    }
                narrow_free(&c);
            }
}

/* float and bf16 weights: sums of the real type */
static void test_streaming(void **state)
{
    static const int64_t depth[] = { 0, 1, 2, 3, 5, 16, 31, 64, 127, 300 };
    (void)state;
    for (const bench *b = benches; b < benches + bench_count; b++)
        for (int64_t i = 0; i < 2 * 40 * 10; i++) {
            narrow_case c;
            narrow_new(&c, b, i % 2 ? WEIGHTS_BF16 : WEIGHTS_FLOAT, 1 + i / 2 % 40, depth[i / 80]);
            narrow_prepare(&c), narrow_run(&c, -1);
            for (int64_t e = 0; e < c.m * c.ldz; e++) {
                int64_t row = e / c.ldz, j = e % c.ldz;
                double want = j < b->ops->panel ? 0 : MARK, size = 0;
                for (int64_t k = 0; j < b->ops->panel && k < c.K; k++) {
                    double w = w_of(&c, k, j), t = x_of(&c, row, k) * (i % 2 ? (double)half_rounded(w) : w);
                    want += t, size += fabs(t);
                }
                if (!(fabs(at(b->r, c.z, e) - want) <= epsilon(b->r) * size * 16))
                    fail_msg("%s, %s, m %lld, K %lld: z[%lld][%lld] is %.9g, not %.9g", where(b),
                             i % 2 ? "bf16" : "float", (long long)c.m, (long long)c.K, (long long)row, (long long)j,
                             at(b->r, c.z, e), want);
            }
            narrow_free(&c);
        }
}
static void test_bf16_hostile(void **state)
{
    static const double odd[] = { NAN, INFINITY, -INFINITY, FLT_MAX, 1e-40 }; /* FLT_MAX rounds to infinity */
    (void)state;
    for (const bench *b = benches; b < benches + bench_count; b++)
        for (int i = 0; i < 5; i++) {
            narrow_case c;
            narrow_new(&c, b, WEIGHTS_BF16, 2, 19);
            put(b->r, c.panel, 18 * b->ops->panel + 1, odd[i]);
            put(b->r, c.x, c.ldx + 18, 0.5), put(b->r, c.x, 18, 0.5);
            narrow_prepare(&c), narrow_run(&c, -1);
            for (int64_t j = 0; j < 3; j++) {
                double z = at(b->r, c.z, c.ldz + j), w = (double)half_rounded(odd[i]);
                if (j != 1)
                    assert_true(fabs(z) < 19);
                else if (isnan(w))
                    assert_true(isnan(z));
                else if (isinf(w))
                    assert_true(z == w);
                else
                    assert_true(fabs(z) < 19);
            }
            narrow_free(&c);
        }
}

static void test_sizes(void **state)
{
    (void)state;
    for (const bench *b = benches; b < benches + bench_count; b++)
        for (int kind = 0; kind < 3; kind++)
            for (int64_t K = 0; K < 5000; K += 1 + K / 7) {
                size_t size = b->r == REAL_FLOAT ? 4 : 8, floats = (size_t)(K * b->ops->panel) * size;
                size_t bytes = b->ops->panel_bytes((weights_kind)kind, K);
                assert_int_equal(bytes % 64, 0);
                if (kind == WEIGHTS_FLOAT) assert_true(bytes >= floats && bytes < floats + 64);
                if (kind == WEIGHTS_INT8 && K >= 256) assert_true(bytes < floats / size * 6 / 5);
                if (kind == WEIGHTS_BF16 && K >= 64) assert_true(bytes <= (floats / size + b->ops->panel) * 2 + 63);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_rounding), cmocka_unit_test(test_half_layout),  cmocka_unit_test(test_half_products),
        cmocka_unit_test(test_int8),          cmocka_unit_test(test_int8_long),    cmocka_unit_test(test_int8_hostile),
        cmocka_unit_test(test_streaming),     cmocka_unit_test(test_bf16_hostile), cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests_name("narrow", tests, set_up, NULL);
}
