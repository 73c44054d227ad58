/* Eigenvalues and singular values against matrices whose values are known. */
#include "math/spectrum.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static double draw(uint64_t *i)
{ /* -1 to 1 */
    *i = *i * 6364136223846793005u + 1442695040888963407u;
    return (double)(*i >> 11) / 4503599627370496.0 - 1;
}
/* A random orthogonal matrix: Gram-Schmidt, twice. */
static double *orthogonal(int64_t n, uint64_t seed)
{
    double *q = mem_new((size_t)(n * n), sizeof *q);
    for (int64_t i = 0; i < n * n; i++) q[i] = draw(&seed);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < 2 * i; j++) {
            double c = 0;
            for (int64_t k = 0; k < n; k++) c += q[i * n + k] * q[j % i * n + k];
            for (int64_t k = 0; k < n; k++) q[i * n + k] -= c * q[j % i * n + k];
        }
        double norm = 0;
        for (int64_t k = 0; k < n; k++) norm += q[i * n + k] * q[i * n + k];
        for (int64_t k = 0; k < n; k++) q[i * n + k] /= sqrt(norm);
    }
    return q;
}
/* q m q^T, or q m p^T */
static double *sandwich(int64_t n, const double *q, const double *m, const double *p)
{
    double *a = mem_new((size_t)(n * n), sizeof *a), *b = mem_new((size_t)(n * n), sizeof *b);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t k = 0; k < n; k++) b[i * n + j] += q[i * n + k] * m[k * n + j];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t k = 0; k < n; k++) a[i * n + j] += b[i * n + k] * p[j * n + k];
    mem_free(b);
    return a;
}
static double nearest(int64_t n, const double *re, const double *im, double x, double y)
{
    double best = INFINITY;
    for (int64_t i = 0; i < n; i++) best = fmin(best, hypot(re[i] - x, im[i] - y));
    return best;
}

/* Blocks of complex pairs and single values on the diagonal, noise above it, turned by an orthogonal matrix. */
static void values_that_are_known(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 40; n += 3) {
        uint64_t seed = (uint64_t)n;
        double *t = mem_new((size_t)(n * n), sizeof *t), want_re[40], want_im[40], re[40], im[40];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i + 2; j < n; j++) t[i * n + j] = draw(&seed) / 4;
        for (int64_t i = 0; i < n; i++) {
            bool pair = i % 3 == 0 && i + 1 < n;
            double x = draw(&seed), y = draw(&seed);
            want_re[i] = t[i * n + i] = x, want_im[i] = 0;
            if (!pair) continue;
            t[i * n + i + 1] = y, t[(i + 1) * n + i] = -y, t[(i + 1) * n + i + 1] = x;
            want_re[i + 1] = x, want_im[i] = fabs(y), want_im[i + 1] = -fabs(y), i++;
        }
        double *q = orthogonal(n, 7), *a = sandwich(n, q, t, q);
        assert_true(eigenvalues(n, a, re, im));
        for (int64_t i = 0; i < n; i++) assert_true(nearest(n, re, im, want_re[i], want_im[i]) < 1e-7);
        mem_free(t), mem_free(q), mem_free(a);
    }
}
/* A cycle: its eigenvalues are the roots of unity, which the usual shifts do not move. */
static void roots_of_unity(void **state)
{
    (void)state;
    for (int64_t n = 2; n <= 33; n++) {
        double a[33 * 33] = { 0 }, re[33], im[33];
        for (int64_t i = 0; i < n; i++) a[i * n + (i + 1) % n] = 1;
        assert_true(eigenvalues(n, a, re, im));
        for (int64_t i = 0; i < n; i++) {
            double w = 2 * M_PI * (double)i / (double)n;
            assert_true(nearest(n, re, im, cos(w), sin(w)) < 1e-10);
        }
    }
    double z[16] = { 0 }, re[4], im[4];
    assert_true(eigenvalues(4, z, re, im));
    for (int i = 0; i < 4; i++) assert_true(re[i] == 0 && im[i] == 0);
    z[5] = NAN;
    assert_false(eigenvalues(4, z, re, im));
}
static void singular_values_that_are_known(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 40; n += 13) {
        double *d = mem_new((size_t)(n * n), sizeof *d), s[40];
        for (int64_t i = 0; i < n; i++) d[i * n + i] = 3.0 / (double)(1 + i * i);
        if (n > 1) d[n * n - 1] = 0;
        double *q = orthogonal(n, 3), *p = orthogonal(n, 5), *a = sandwich(n, q, d, p);
        singular_values(n, a, s);
        for (int64_t i = 0; i < n; i++) assert_true(fabs(s[i] - d[i * n + i]) < 1e-14 * 10);
        mem_free(d), mem_free(q), mem_free(p), mem_free(a);
    }
}
/* Large matrices: 0.9 times an orthogonal one with one pair and one singular value that stand out. */
static void large_and_small_alike(void **state)
{
    (void)state;
    laco_error err;
    spectrum s;
    const int64_t sizes[] = { 40, 300 };
    for (int k = 0; k < 2; k++) {
        int64_t n = sizes[k];
        double *d = mem_new((size_t)(n * n), sizeof *d), *q = orthogonal(n, 11);
        for (int64_t i = 0; i < n; i++) d[i * n + i] = 0.6 * cos((double)i);
        d[0] = d[n + 1] = 0.9 * cos(0.3), d[1] = 0.9 * sin(0.3), d[n] = -d[1];
        d[2 * n + 3] = 2;
        double *a = sandwich(n, q, d, q);
        assert_int_equal(spectrum_of(&s, n, a, &err), LACO_OK);
        assert_true(fabs(s.radius - 0.9) < 1e-8 && fabs(s.angle - 0.3) < 1e-8);
        assert_true(s.norm > 2 && s.norm < 2.2 && s.n == (n == 40 ? n : 0));
        if (s.n) assert_true(s.singular[0] == s.norm && fabs(s.singular[1] - 0.9) < 1e-12);
        mem_free(d), mem_free(q), mem_free(a);
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_are_known),
        cmocka_unit_test(roots_of_unity),
        cmocka_unit_test(singular_values_that_are_known),
        cmocka_unit_test(large_and_small_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
