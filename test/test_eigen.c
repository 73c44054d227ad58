/* The spectral radius and the largest singular value of matrices that are only applied, against all eigenvalues and
   singular values, and where they are known. */
#include "base/rng.h"
#include "math/eigen.h"
#include "math/spectrum.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* K numbers a row at places that are drawn; of a full matrix K = n. */
typedef struct sparse {
    int64_t n, K;
    double *w;
    int32_t *at;
} sparse;
static sparse sparse_new(int64_t n, int64_t K)
{
    return (sparse){ n, K, mem_new((size_t)(n * K), sizeof(double)), mem_new((size_t)(n * K), sizeof(int32_t)) };
}
static void sparse_free(sparse *a) { mem_free(a->w), mem_free(a->at); }
static void apply(void *ctx, const double *x, double *y)
{
    const sparse *a = ctx;
    for (int64_t i = 0; i < a->n; i++) {
        y[i] = 0;
        for (int64_t k = i * a->K; k < (i + 1) * a->K; k++) y[i] += a->w[k] * x[a->at[k]];
    }
}
static void apply_transposed(void *ctx, const double *x, double *y)
{
    const sparse *a = ctx;
    memset(y, 0, (size_t)a->n * sizeof *y);
    for (int64_t i = 0; i < a->n * a->K; i++) y[a->at[i]] += a->w[i] * x[i / a->K];
}
static sparse drawn(int64_t n, int64_t K, uint64_t seed)
{
    sparse a = sparse_new(n, K);
    for (int64_t i = 0; i < n * K; i++) {
        a.w[i] = rng_normal(seed, RNG_TEST, (uint64_t)i);
        a.at[i] = K == n ? (int32_t)(i % n) : (int32_t)(rng_uniform(seed, RNG_DATA, (uint64_t)i) * (double)n);
    }
    return a;
}
static double radius_of(sparse *a)
{
    double r = NAN;
    laco_error err = { 0 };
    if (eigen_radius(&r, a->n, apply, a, &err)) fail_msg("%s", err.msg);
    return r;
}
static double norm_of(sparse *a)
{
    double s = NAN;
    laco_error err = { 0 };
    if (eigen_norm(&s, a->n, apply, apply_transposed, a, &err)) fail_msg("%s", err.msg);
    return s;
}
static double *full(const sparse *a)
{
    double *m = mem_new((size_t)(a->n * a->n + 2 * a->n), sizeof *m);
    for (int64_t i = 0; i < a->n * a->K; i++) m[i / a->K * a->n + a->at[i]] += a->w[i];
    return m;
}
static void against_all(sparse *a)
{
    double *m = full(a), *re = m + a->n * a->n, *im = re + a->n, radius = 0;
    assert_true(eigenvalues(a->n, m, re, im));
    for (int64_t i = 0; i < a->n; i++) radius = fmax(radius, hypot(re[i], im[i]));
    mem_free(m);
    assert_true(fabs(radius_of(a) - radius) <= 1e-8 * radius);
    m = full(a), singular_values(a->n, m, m + a->n * a->n);
    assert_true(fabs(norm_of(a) - m[a->n * a->n]) <= 1e-8 * m[a->n * a->n]);
    mem_free(m);
}
static void agrees_with_all_eigenvalues(void **unused)
{
    static const int64_t sizes[][2] = { { 1, 1 },  { 2, 2 },   { 3, 2 },   { 3, 3 },    { 17, 4 },
                                        { 96, 5 }, { 97, 97 }, { 130, 3 }, { 250, 25 }, { 300, 300 } };
    (void)unused;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint64_t seed = 1; seed <= (sizes[i][0] < 100 ? 10 : 2); seed++) {
            sparse a = drawn(sizes[i][0], sizes[i][1], seed);
            against_all(&a), sparse_free(&a);
        }
}
static sparse ring(int64_t n, double weight)
{
    sparse a = sparse_new(n, 1);
    for (int64_t i = 0; i < n; i++) a.w[i] = weight, a.at[i] = (int32_t)((i + n - 1) % n);
    return a;
}
/* All eigenvalues of one size: on a circle. */
static void permutations(void **unused)
{
    (void)unused;
    for (int64_t n = 1; n <= 1000; n = n * 3 + 1) {
        sparse a = ring(n, -0.7);
        assert_true(fabs(radius_of(&a) - 0.7) <= 1e-8), assert_true(fabs(norm_of(&a) - 0.7) <= 1e-8);
        for (int64_t i = 0; i < n; i++) a.at[i] = (int32_t)i; /* -0.7 times the identity */
        assert_true(fabs(radius_of(&a) - 0.7) <= 1e-8), assert_true(fabs(norm_of(&a) - 0.7) <= 1e-8);
        sparse_free(&a);
    }
}
/* A^n = 0 though its entries are large. */
static void nilpotent(void **unused)
{
    (void)unused;
    for (int64_t n = 1; n <= 1000; n = n * 10) {
        sparse a = ring(n, 3);
        a.w[0] = 0; /* a delay line */
        assert_true(radius_of(&a) == 0), assert_true(fabs(norm_of(&a) - (n > 1 ? 3 : 0)) <= 1e-8);
        memset(a.w, 0, (size_t)n * sizeof *a.w);
        assert_true(radius_of(&a) == 0), assert_true(norm_of(&a) == 0);
        sparse_free(&a);
    }
    sparse a = drawn(400, 20, 3); /* strictly below the diagonal, in an order that is drawn */
    int64_t place[400];
    for (int64_t i = 0; i < 400; i++) place[i] = i;
    for (int64_t i = 399; i > 0; i--) {
        const int64_t j = (int64_t)(rng_uniform(4, RNG_TEST, (uint64_t)i) * (double)(i + 1)), t = place[i];
        place[i] = place[j], place[j] = t;
    }
    for (int64_t i = 0; i < 400 * 20; i++)
        if (place[a.at[i]] >= place[i / 20]) a.w[i] = 0;
    assert_true(radius_of(&a) == 0);
    sparse_free(&a);
}
/* Symmetric, with the outermost eigenvalue at both ends: +-2 cos(pi / (n + 1)). */
static void symmetric(void **unused)
{
    (void)unused;
    const int64_t n = 200;
    sparse a = sparse_new(n, 2);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < 2; k++) {
            const int64_t j = i + 2 * k - 1;
            a.w[i * 2 + k] = j >= 0 && j < n, a.at[i * 2 + k] = (int32_t)min64(n - 1, max64(0, j));
        }
    assert_true(fabs(radius_of(&a) - 2 * cos(M_PI / (n + 1))) <= 1e-8 &&
                fabs(norm_of(&a) - 2 * cos(M_PI / (n + 1))) <= 1e-8);
    sparse_free(&a);
}
/* Of n numbers of variance 1/K a row the eigenvalues fill the unit disc (Girko), and the largest singular value is 2.
 */
static void large(void **unused)
{
    (void)unused;
    sparse a = drawn(1000, 10, 5);
    for (int64_t i = 0; i < 10000; i++) a.w[i] /= sqrt(10);
    assert_true(fabs(radius_of(&a) - 1) < 0.1);
    sparse_free(&a), a = drawn(1200, 1200, 6);
    for (int64_t i = 0; i < 1200 * 1200; i++) a.w[i] /= sqrt(1200);
    assert_true(fabs(radius_of(&a) - 1) < 0.05), assert_true(fabs(norm_of(&a) - 2) < 0.03);
    sparse_free(&a);
}
#include <time.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    if (argc > 1) {
        int64_t n = atoll(argv[1]), K = atoll(argv[2]);
        sparse a = drawn(n, K, 7);
        clock_t t = clock();
        double r = radius_of(&a), s1 = (double)(clock() - t) / CLOCKS_PER_SEC;
        t = clock();
        double s = norm_of(&a);
        printf("%.12g in %.2f s   %.12g in %.2f s\n", r, s1, s, (double)(clock() - t) / CLOCKS_PER_SEC);
        return 0;
    }
    const struct CMUnitTest tests[] = { cmocka_unit_test(agrees_with_all_eigenvalues), cmocka_unit_test(permutations),
                                        cmocka_unit_test(nilpotent), cmocka_unit_test(symmetric),
                                        cmocka_unit_test(large) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
