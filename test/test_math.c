/* Vector functions against libm, matrix products against plain loops, the softmax loss against a plain restatement; in
   float and in double. */
#include "base/rng.h"
#include "kernel_kit.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void fill(int r, void *x, int64_t n, uint64_t place, double spread)
{
    for (int64_t i = 0; i < n; i++)
        put(r, x, i, spread * (2 * rng_uniform(5, RNG_TEST, place << 32 | (uint64_t)i) - 1));
}
static double epsilon(int r) { return r == REAL_FLOAT ? (double)FLT_EPSILON : DBL_EPSILON; }

/* ---- vector functions ---- */
static double value(int r, const char *name, double x)
{
    _Alignas(64) char in[64], out[64];
    for (int i = 0; i < real[r]->measure->lanes; i++) put(r, in, i, x);
    real[r]->measure->apply(name, real[r]->measure->lanes, in, out);
    return at(r, out, real[r]->measure->lanes - 1);
}
static long double ulp(int r, long double y)
{
    int e, digits = r == REAL_FLOAT ? FLT_MANT_DIG : DBL_MANT_DIG, least = r == REAL_FLOAT ? FLT_MIN_EXP : DBL_MIN_EXP;
    frexpl(y, &e);
    return ldexpl(1, (e < least ? least : e) - digits);
}
static long double sigmoidl(long double x) { return 1 / (1 + expl(-x)); }

/* The table of src/math/simd.h. magnitudes from 2^low to 2^high, both signs unless positive. */
static const struct row {
    const char *name;
    long double (*exact)(long double);
    bool positive;
    double low[2], high[2], limit[2]; /* exponents of 2; units in the last place: float, double */
} functions[] = {
    { "exp", expl, false, { -149, -1074 }, { 6.4429, 9.4675 }, { 1.5, 1.5 } },
    { "log", logl, true, { -125.9, -1021.9 }, { 127.9, 1023.9 }, { 2.0, 2.0 } },
    { "sigmoid", sigmoidl, false, { -149, -1074 }, { 6.4429, 9.4675 }, { 2.5, 2.5 } },
    { "tanh", tanhl, false, { -149, -1074 }, { 127.9, 1023.9 }, { 3.5, 3.5 } },
};
enum { FUNCTIONS = sizeof functions / sizeof *functions, POINTS = 1 << 19 };
static double worst_error(int r, const struct row *f, double *where)
{
    double *x = mem_new(POINTS, sizeof *x), *y = mem_new(POINTS, sizeof *y), worst = 0;
    for (int64_t i = 0; i < POINTS; i++) { /* half over the whole range, half where the function bends */
        double low = i % 2 ? -8 : f->low[r], high = i % 2 ? (f->high[r] < 6.4 ? f->high[r] : 6.4) : f->high[r];
        double m = exp2(low + (high - low) * rng_uniform(9, RNG_TEST, (uint64_t)i));
        put(r, x, i, i % 4 < 2 && !f->positive ? -m : m);
    }
    real[r]->measure->apply(f->name, POINTS, x, y);
    for (int64_t i = 0; i < POINTS; i++) {
        long double want = f->exact((long double)at(r, x, i));
        double error = (double)(fabsl((long double)at(r, y, i) - want) / ulp(r, want));
        if (!(error <= worst)) worst = error, *where = at(r, x, i);
    }
    mem_free(x), mem_free(y);
    return worst;
}
static void test_functions(void **state)
{
    bool good = true;
    (void)state;
    for (int r = 0; r < 2; r++)
        for (int f = 0; f < FUNCTIONS; f++) {
            double where = 0, worst = worst_error(r, &functions[f], &where);
            print_message("%s in %s: %.2f ulp at %.17g\n", functions[f].name, r ? "double" : "float", worst, where);
            good &= worst <= functions[f].limit[r];
        }
    assert_true(good);
}
static void test_function_edges(void **state)
{
    (void)state;
    for (int r = 0; r < 2; r++) {
        static const char *const names[] = { "exp", "sigmoid", "tanh" };
        for (int i = 0; i < 3; i++) assert_true(isnan(value(r, names[i], NAN)));
        assert_true(value(r, "exp", 0) == 1 && value(r, "exp", -0.0) == 1);
        assert_true(value(r, "sigmoid", 0) == 0.5 && value(r, "tanh", 0) == 0 && value(r, "log", 1) == 0);
        for (int big = 0; big < 2; big++) { /* infinite, and merely large: finite, at the bounds */
            double x = big ? INFINITY : 5000;
            assert_true(isfinite(value(r, "exp", x)) && value(r, "exp", x) > (r ? 1e307 : 1e37));
            assert_true(value(r, "exp", -x) > 0 && value(r, "exp", -x) < (r ? 1e-307 : 1e-37));
            assert_true(value(r, "sigmoid", x) == 1 && value(r, "sigmoid", -x) >= 0);
            assert_true(value(r, "sigmoid", -x) < (r ? 1e-307 : 1e-37));
            assert_true(value(r, "tanh", x) == 1 && value(r, "tanh", -x) == -1);
        }
    }
}

/* ---- matrix products ---- */
enum { MARK = 77 };
static void check_product(int r, int64_t m, int64_t n, int64_t K, bool across)
{
    const measure_ops *ops = real[r]->measure;
    int64_t panel = 2 * ops->lanes, lda = across ? m + 3 : K + 3, ldb = across ? n + 2 : K, ldc = n + 5;
    void *a = new_reals(r, (across ? K : m) * lda + 64), *b = new_reals(r, (across ? K : n) * ldb + 64),
         *c = new_reals(r, m * ldc + 64);
    void *packed = new_reals(r, ops->packed_size(across ? panel : n, K) + 64);
    fill(r, a, (across ? K : m) * lda, 1, 1), fill(r, b, (across ? K : n) * ldb, 2, 1);
    for (int64_t i = 0; i < m * ldc + 64; i++) put(r, c, i, MARK);
    if (across) ops->gemm_across(m, n, K, a, lda, b, ldb, c, ldc, packed);
    else ops->pack(n, K, b, packed), ops->gemm(m, n, K, a, lda, packed, c, ldc);
    for (int64_t i = 0; i < m * ldc + 64; i++) {
        int64_t row = i / ldc, j = i % ldc;
        double want = across ? MARK : 0, size = 1;
        if (row >= m || j >= n) want = MARK; /* nothing is written beside or behind the product */
        else
            for (int64_t k = 0; k < K; k++) {
                double p = across ? at(r, a, k * lda + row) * at(r, b, k * ldb + j)
                                  : at(r, a, row * lda + k) * at(r, b, j * ldb + k);
                want += p, size += fabs(p);
            }
        if (!(fabs(at(r, c, i) - want) <= epsilon(r) * (size + (across ? MARK : 0)) * 16))
            fail_msg("%s: %lld x %lld x %lld, %s: c[%lld][%lld] is %.17g, not %.17g", across ? "across" : "product",
                     (long long)m, (long long)n, (long long)K, r ? "double" : "float", (long long)row, (long long)j,
                     at(r, c, i), want);
    }
    mem_free(a), mem_free(b), mem_free(c), mem_free(packed);
}
static void test_products(void **state)
{
    static const int64_t depth[] = { 0, 1, 2, 3, 5, 17, 127, 128, 129, 255, 257, 300, 600 };
    (void)state;
    for (int r = 0; r < 2; r++)
        for (int across = 0; across < 2; across++) {
            int64_t p = 2 * real[r]->measure->lanes, width[] = { 1, 3, p - 1, p, p + 1, 2 * p, 3 * p - 3 };
            for (int64_t m = 1; m <= 30; m++)
                for (int w = 0; w < 7; w++) check_product(r, m, width[w], depth[(m * 7 + w) % 13], across);
            for (int k = 0; k < 13; k++)
                check_product(r, 13, p + 5, depth[k], across), check_product(r, 100, 7, depth[k], across);
        }
}

/* ---- softmax loss ---- */
typedef struct loss_case {
    int64_t V, H, R;
    double spread; /* of the hidden numbers: large ones make exponentials overflow where the maximum is forgotten */
} loss_case;
static const loss_case losses[] = {
    { 2, 1, 1, 1 }, { 3, 5, 7, 1 }, { 23, 19, 33, 1 }, { 24, 16, 256, 1 }, { 25, 17, 257, 1 }, { 65, 40, 255, 1 },
    { 256, 33, 70, 1 }, { 383, 8, 31, 300 }, { 385, 130, 20, 1 }, { 1000, 20, 300, 1 }, { 4096, 9, 130, 1 },
    { 4097, 9, 130, 1 }, { 5000, 21, 129, 20 },
};
typedef struct loss_arrays {
    softmax_rows rows;
    void *weight, *bias, *h, *dweight, *dbias, *dh;
    int32_t *target;
    double *log_prob, *class_weight, loss;
} loss_arrays;
/* Where rows are ignored, classes have weights too. */
static double weight_of(const loss_arrays *a, int64_t row)
{
    return a->rows.class_weight && a->target[row] >= 0 ? a->class_weight[a->target[row]] : 1;
}
static void run_loss(loss_arrays *a, int r, const loss_case *c, int threads, bool bias, bool ignored, double smoothing)
{
    const int64_t ld = c->H + 16 + 3;
    softmax *s = NULL;
    laco_error err;
    *a = (loss_arrays){ .weight = new_reals(r, c->V * c->H + 64),
                        .bias = new_reals(r, c->V),
                        .h = new_reals(r, c->R * ld + 64),
                        .dweight = new_reals(r, c->V * c->H + 64),
                        .dbias = new_reals(r, c->V),
                        .dh = new_reals(r, c->R * ld + 64),
                        .target = mem_new((size_t)c->R, 4),
                        .class_weight = mem_new((size_t)c->V, 8),
                        .log_prob = mem_new((size_t)c->R, 8) };
    for (int64_t v = 0; v < c->V; v++) a->class_weight[v] = 0.25 + (double)(v % 4);
    fill(r, a->weight, c->V * c->H, 1, 1), fill(r, a->bias, c->V, 2, 1), fill(r, a->h, c->R * ld, 3, c->spread);
    fill(r, a->dweight, c->V * c->H, 4, 1), fill(r, a->dbias, c->V, 5, 1), fill(r, a->dh, c->R * ld, 6, 1);
    for (int64_t i = 0; i < c->R; i++) {
        a->target[i] = (int32_t)(rng_uniform(8, RNG_TEST, (uint64_t)i) * (double)c->V);
        if (ignored && i % 3 == 1) a->target[i] = -1;
    }
    a->rows = (softmax_rows){ a->weight,  bias ? a->bias : NULL,  a->h,  ld, c->R,       a->target, 0.25,
                              a->dweight, bias ? a->dbias : NULL, a->dh, ld, false, a->log_prob, smoothing,
                              ignored ? a->class_weight : NULL };
    if (real[r]->loss->softmax_new(&s, c->V, c->H, pools[threads], &err)) fail_msg("%s", err.msg);
    assert_true(real[r]->loss->softmax_bytes(s) > 0);
    a->loss = real[r]->loss->softmax_run(s, &a->rows);
    real[r]->loss->softmax_free(s);
}
static void free_loss(loss_arrays *a)
{
    void *all[] = { a->weight, a->bias, a->h, a->dweight, a->dbias, a->dh, a->target, a->log_prob, a->class_weight };
    for (int i = 0; i < 9; i++) mem_free(all[i]);
}
/* What the gradient of one row adds, in double: p of that row to d[V], dh of it to dh[H]; returns log p(target). */
static double plain_row(const loss_arrays *a, int r, const loss_case *c, int64_t row, double *d, double *dh)
{
    const int64_t ld = a->rows.ldh;
    double top = -INFINITY, sum = 0, target;
    for (int64_t v = 0; v < c->V; v++) {
        d[v] = a->rows.bias ? at(r, a->bias, v) : 0;
        for (int64_t i = 0; i < c->H; i++) d[v] += at(r, a->weight, v * c->H + i) * at(r, a->h, row * ld + i);
        top = fmax(top, d[v]);
    }
    for (int64_t v = 0; v < c->V; v++) sum += exp(d[v] - top);
    target = a->target[row] < 0 ? 0 : d[a->target[row]] - top - log(sum);
    memset(dh, 0, (size_t)c->H * sizeof *dh);
    for (int64_t v = 0; v < c->V; v++) {
        double goal = (1 - a->rows.smoothing) * (v == a->target[row]) + a->rows.smoothing / (double)c->V;
        d[v] = a->target[row] < 0 ? 0 : weight_of(a, row) * 0.25 * (exp(d[v] - top) / sum - goal);
        for (int64_t i = 0; i < c->H; i++) dh[i] += d[v] * at(r, a->weight, v * c->H + i);
    }
    return target;
}
static void near(const char *what, const loss_case *c, int64_t i, double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("V %lld H %lld R %lld: %s[%lld] is %.17g, not %.17g", (long long)c->V, (long long)c->H,
                 (long long)c->R, what, (long long)i, a, b);
}
static void check_loss(int r, const loss_case *c, bool bias, bool ignored, double smoothing)
{
    loss_arrays a;
    const double tolerance = (r == REAL_FLOAT ? 2e-6 : 1e-13) * c->spread * sqrt((double)c->H) * 4;
    double *d = test_calloc((size_t)c->V, 8), *dh = test_calloc((size_t)c->H, 8), loss = 0;
    double *dW = test_calloc((size_t)(c->V * c->H), 8), *db = test_calloc((size_t)c->V, 8);
    run_loss(&a, r, c, 1, bias, ignored, smoothing);
    for (int64_t row = 0; row < c->R; row++) {
        double p = plain_row(&a, r, c, row, d, dh);
        near("log p", c, row, a.log_prob[row], p, tolerance * (1 + fabs(p)));
        for (int64_t i = 0; i < c->H; i++)
            near("dh", c, row * c->H + i, at(r, a.dh, row * a.rows.lddh + i), dh[i], 3 * tolerance);
        for (int64_t v = 0; v < c->V; v++) {
            db[v] += d[v];
            for (int64_t i = 0; i < c->H; i++) dW[v * c->H + i] += d[v] * at(r, a.h, row * a.rows.ldh + i);
        }
        loss -= weight_of(&a, row) * p;
    }
    near("loss", c, 0, a.loss, loss, tolerance * (double)c->R * (3 + loss / (double)c->R));
    void *before = new_reals(r, c->V * c->H); /* dweight and dbias are added to */
    fill(r, before, c->V * c->H, 4, 1);
    for (int64_t i = 0; i < c->V * c->H; i++)
        near("dW", c, i, at(r, a.dweight, i), at(r, before, i) + dW[i],
             3 * tolerance * c->spread * (1 + sqrt((double)c->R) / 4));
    fill(r, before, c->V, 5, 1);
    for (int64_t v = 0; v < c->V; v++)
        near("db", c, v, at(r, a.dbias, v), at(r, before, v) + (bias ? db[v] : 0),
             3 * tolerance * (1 + sqrt((double)c->R) / 4));
    mem_free(before), test_free(d), test_free(dh), test_free(dW), test_free(db), free_loss(&a);
}
static void test_softmax(void **state)
{
    (void)state;
    for (int r = 0; r < 2; r++)
        for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) 
            check_loss(r, &losses[i], i % 3 != 1, i % 2 == 1, i % 4 == 2 ? 0.1 : 0);
}
static void test_softmax_threads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        const loss_case *c = &losses[i];
        loss_arrays a[4];
        for (int t = 1; t <= 3; t++) {
            run_loss(&a[t], REAL_FLOAT, c, t, true, true, 0.2);
            assert_true(a[t].loss == a[1].loss);
            assert_memory_equal(a[t].dweight, a[1].dweight, (size_t)(c->V * c->H) * 4);
            assert_memory_equal(a[t].dbias, a[1].dbias, (size_t)c->V * 4);
            assert_memory_equal(a[t].dh, a[1].dh, (size_t)(c->R * a[t].rows.lddh) * 4);
        }
        for (int t = 1; t <= 3; t++) free_loss(&a[t]);
    }
}
/* Without gradients the loss is the same, and nothing is written. */
static void test_softmax_measure(void **state)
{
    const loss_case c = { 100, 7, 40, 1 };
    softmax *s = NULL;
    loss_arrays a;
    laco_error err;
    (void)state;
    run_loss(&a, REAL_FLOAT, &c, 1, true, true, 0);
    a.rows.dweight = a.rows.dbias = a.rows.dh = NULL;
    assert_int_equal(real[0]->loss->softmax_new(&s, c.V, c.H, pools[2], &err), LACO_OK);
    assert_true(real[0]->loss->softmax_run(s, &a.rows) == a.loss);
    real[0]->loss->softmax_free(s), free_loss(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions), cmocka_unit_test(test_function_edges), cmocka_unit_test(test_products),
        cmocka_unit_test(test_softmax), cmocka_unit_test(test_softmax_threads), cmocka_unit_test(test_softmax_measure),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
