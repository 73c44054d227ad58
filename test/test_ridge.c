/* Ridge regression from sums, eigenvalues of symmetric matrices, and readouts that learn from step to step. */
#include "base/rng.h"
#include "math/symmetric.h"
#include "reservoir/online.h"
#include "reservoir/ridge.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { F = 23, D = 3, T = 400 };
static double x[T * F], y[T * D];
static pool *threads[2];
static const kernels *doubles, *floats;

static void make_data(double noise)
{
    for (int t = 0; t < T; t++)
        for (int i = 0; i < F; i++) x[t * F + i] = rng_normal(1, RNG_TEST, (uint64_t)(t * F + i)) + (i == 2 ? 3 : 0);
    for (int t = 0; t < T; t++)
        for (int k = 0; k < D; k++)
            y[t * D + k] = 1.5 * x[t * F + k] - 0.5 * x[t * F + k + 5] + 2 * k + 1 + noise * rng_normal(2, RNG_TEST, (uint64_t)(t * D + k));
}
/* Gaussian elimination with pivots on the normal equations, the bias behind the features. */
static void naive(int bias, double lambda, int rows, int skip, double *w, double *b)
{
    enum { N = F + 1 };
    static double a[N][N + D];
    memset(a, 0, sizeof a);
    for (int t = 0; t < rows; t++) {
        double row[N];
        if (t == skip) continue;
        for (int i = 0; i < F; i++) row[i] = x[t * F + i];
        row[F] = bias != RIDGE_NO_BIAS;
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) a[i][j] += row[i] * row[j];
            for (int k = 0; k < D; k++) a[i][N + k] += row[i] * y[t * D + k];
        }
    }
    for (int i = 0; i < N; i++) a[i][i] += i < F || bias == RIDGE_BIAS ? lambda : bias == RIDGE_NO_BIAS;
    for (int i = 0; i < N; i++) {
        int best = i;
        for (int r = i; r < N; r++)
            if (fabs(a[r][i]) > fabs(a[best][i])) best = r;
        for (int c = 0; c < N + D; c++) {
            double s = a[i][c];
            a[i][c] = a[best][c], a[best][c] = s;
        }
        for (int r = 0; r < N; r++)
            for (int c = N + D - 1; r != i && c >= i; c--) a[r][c] -= a[r][i] / a[i][i] * a[i][c];
    }
    for (int k = 0; k < D; k++) {
        for (int i = 0; i < F; i++) w[k * F + i] = a[i][N + k] / a[i][i];
        b[k] = bias == RIDGE_NO_BIAS ? 0 : a[F][N + k] / a[F][F];
    }
}
static ridge *gathered(int bias, const kernels *k, pool *p, int rows)
{
    ridge *r;
    assert_int_equal(ridge_new(&r, F, D, bias, k, p, NULL), LACO_OK);
    if (k == doubles)
        ridge_add(r, rows, x, F, y, D);
    else
        for (int t = 0; t < rows; t++) {
            float fx[F], fy[D];
            for (int i = 0; i < F; i++) fx[i] = (float)x[t * F + i];
            for (int i = 0; i < D; i++) fy[i] = (float)y[t * D + i];
            ridge_add(r, 1, fx, F, fy, D);
        }
    return r;
}
static double far(const double *a, const double *b, int n)
{
    double most = 0;
    for (int i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}
static void test_weights(void **state)
{
    static const double lambda[] = { 0, 0.01, 5, 300 };
    make_data(0.3);
    for (int bias = RIDGE_NO_BIAS; bias <= RIDGE_FREE_BIAS; bias++)
        for (int l = 0; l < 4; l++) {
            double w[F * D], b[D], v[F * D], c[D], want[F * D], wanted[D], mse = 0;
            ridge_result one, all[4];
            int best;
            ridge *r = gathered(bias, doubles, threads[0], T);
            naive(bias, lambda[l], T, -1, want, wanted);
            assert_int_equal(ridge_solve(r, lambda[l], w, b, &one, NULL), LACO_OK);
            assert_true(far(w, want, F * D) < 1e-11 && far(b, wanted, D) < 1e-11);
            for (int t = 0; t < T; t++)
                for (int k = 0; k < D; k++) {
                    double e = b[k] - y[t * D + k];
                    for (int i = 0; i < F; i++) e += w[k * F + i] * x[t * F + i];
                    mse += e * e / T / D;
                }
            assert_true(fabs(one.mse - mse) < 1e-10 * mse && !one.fell_back && one.condition < 1e6);
            assert_int_equal(ridge_choose(r, &lambda[l], 1, all, &best, v, c, NULL), LACO_OK);
            assert_true(far(v, want, F * D) < 1e-11 && far(c, wanted, D) < 1e-11);
            assert_true(fabs(all[0].mse - mse) < 1e-10 * mse);
            ridge_free(r);
        }
    (void)state;
}
/* n |e|^2 / (n - trace)^2, the trace from what answers change by when their targets do. */
static void test_gcv(void **state)
{
    static const double lambda[] = { 0.1, 10, 1000 };
    ridge_result all[3];
    double w[F * D], b[D];
    int best;
    make_data(1);
    ridge *r = gathered(RIDGE_FREE_BIAS, doubles, threads[0], 60);
    assert_int_equal(ridge_choose(r, lambda, 3, all, &best, w, b, NULL), LACO_OK);
    for (int l = 0; l < 3; l++) {
        double trace = 0, left = 0;
        for (int t = 0; t < 60; t++) {
            double v[F * D], c[D], before[D], after;
            naive(RIDGE_FREE_BIAS, lambda[l], 60, -1, v, c);
            for (int k = 0; k < D; k++) {
                before[k] = c[k];
                for (int i = 0; i < F; i++) before[k] += v[k * F + i] * x[t * F + i];
                left += (before[k] - y[t * D + k]) * (before[k] - y[t * D + k]) / D;
            }
            y[t * D] += 1, naive(RIDGE_FREE_BIAS, lambda[l], 60, -1, v, c), y[t * D] -= 1;
            after = c[0];
            for (int i = 0; i < F; i++) after += v[i] * x[t * F + i];
            trace += after - before[0];
        }
        const double want = 60 * left / (60 - trace) / (60 - trace);
        assert_true(fabs(all[l].gcv - want) < 1e-8 * want);
        assert_true(all[best].gcv <= all[l].gcv);
    }
    ridge_free(r);
    (void)state;
}
static void test_threads_and_floats(void **state)
{
    double w[2][F * D], b[2][D], f[F * D], c[D];
    ridge_result one;
    make_data(0.3);
    for (int p = 0; p < 2; p++) {
        ridge *r = gathered(RIDGE_FREE_BIAS, doubles, threads[p], T);
        assert_int_equal(ridge_solve(r, 1, w[p], b[p], &one, NULL), LACO_OK);
        ridge_free(r);
    }
    assert_memory_equal(w[0], w[1], sizeof w[0]);
    assert_memory_equal(b[0], b[1], sizeof b[0]);
    ridge *r = gathered(RIDGE_FREE_BIAS, floats, threads[0], T);
    assert_int_equal(ridge_solve(r, 1, f, c, &one, NULL), LACO_OK);
    assert_true(far(f, w[0], F * D) < 1e-6);
    ridge_free(r);
    (void)state;
}
/* Two columns alike: no inverse; the answer of least norm shares the weight between them. */
static void test_singular(void **state)
{
    double w[F * D], b[D];
    ridge_result one;
    make_data(0);
    for (int t = 0; t < T; t++) x[t * F + 1] = x[t * F];
    for (int t = 0; t < T; t++) y[t * D] = 2 * x[t * F], y[t * D + 1] = 1, y[t * D + 2] = x[t * F + 7];
    ridge *r = gathered(RIDGE_FREE_BIAS, doubles, threads[0], T);
    assert_int_equal(ridge_solve(r, 0, w, b, &one, NULL), LACO_OK);
    assert_true(one.fell_back);
    assert_int_equal(one.rank, F - 1);
    assert_true(fabs(w[0] - 1) < 1e-9 && fabs(w[1] - 1) < 1e-9 && fabs(b[1] - 1) < 1e-9 && fabs(w[2 * F + 7] - 1) < 1e-9);
    ridge_clear(r);
    assert_int_equal(ridge_rows(r), 0);
    laco_error err;
    assert_int_equal(ridge_solve(r, 1, w, b, &one, &err), LACO_EINVAL);
    x[3] = NAN, ridge_add(r, 2, x, F, y, D);
    assert_int_equal(ridge_solve(r, 1, w, b, &one, &err), LACO_ENUMERIC);
    ridge_free(r);
    (void)state;
}
static void test_symmetric(void **state)
{
    static const int sizes[] = { 1, 2, 3, 40, 133 };
    for (int s = 0; s < 5; s++) {
        const int n = sizes[s];
        double *a = mem_new((size_t)(2 * n * n + 3 * n), sizeof *a), *kept = a + n * n, *v = kept + n * n, *av = v + n, *z = av + n;
        symmetric *q;
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++)
                a[i * n + j] = a[j * n + i] = kept[i * n + j] = kept[j * n + i] = n == 40 ? (i == j) : rng_normal(3, RNG_TEST, (uint64_t)(i * n + j));
        assert_int_equal(symmetric_new(&q, n, a, threads[1], NULL, NULL), LACO_OK);
        double trace = 0, sum = 0;
        for (int i = 0; i < n; i++) trace += kept[i * n + i], sum += symmetric_values(q)[i];
        assert_true(fabs(trace - sum) < 1e-10 * n);
        /* A v = Q S diag S^T Q^T v */
        for (int i = 0; i < n; i++) v[i] = z[i] = rng_normal(4, RNG_TEST, (uint64_t)i);
        for (int i = 0; i < n; i++) {
            av[i] = 0;
            for (int j = 0; j < n; j++) av[i] += kept[i * n + j] * v[j];
        }
        symmetric_to(q, z);
        for (int i = 0; i < n; i++) z[i] *= symmetric_values(q)[i];
        symmetric_from(q, z);
        assert_true(far(z, av, n) < 1e-11 * n);
        symmetric_free(q), mem_free(a);
    }
    (void)state;
}
/* Recursive least squares from P = I / lambda is the ridge solution, after any number of steps. */
static void test_rls_is_ridge(void **state)
{
    static const int rows[] = { 5, 60, T };
    make_data(0.3);
    for (int i = 0; i < 3; i++) {
        const online_settings s = { .rule = ONLINE_RLS, .features = F, .targets = D, .bias = true, .lambda = 0.7, .forget = 1 };
        double w[F * D], b[D], v[F * D], c[D];
        ridge_result one;
        online *o;
        ridge *r = gathered(RIDGE_BIAS, doubles, threads[0], rows[i]);
        assert_int_equal(online_new(&o, &s, NULL), LACO_OK);
        for (int t = 0; t < rows[i]; t++) online_learn(o, x + t * F, y + t * D, NULL);
        online_weights(o, w, b);
        assert_int_equal(ridge_solve(r, 0.7, v, c, &one, NULL), LACO_OK);
        assert_true(far(w, v, F * D) < 1e-9 && far(b, c, D) < 1e-9);
        online_free(o), ridge_free(r);
    }
    (void)state;
}
static void test_online_rules(void **state)
{
    static const online_settings rules[] = {
        { .rule = ONLINE_LMS, .features = 2, .targets = 1, .rate = 0.1 },
        { .rule = ONLINE_NLMS, .features = 2, .targets = 1, .rate = 0.5 },
    };
    const double in[] = { 1, 2 }, out[] = { 3 }, none[] = { NAN };
    double w[2], b, e, answer;
    for (int i = 0; i < 2; i++) {
        online *o;
        assert_int_equal(online_new(&o, &rules[i], NULL), LACO_OK);
        online_learn(o, in, none, NULL), online_weights(o, w, &b);
        assert_true(w[0] == 0 && w[1] == 0);
        online_learn(o, in, out, &e), online_weights(o, w, &b);
        assert_true(e == 3);
        const double rate = i ? 0.5 / (5 + 1e-8) : 0.1;
        assert_true(fabs(w[0] - 3 * rate) < 1e-15 && fabs(w[1] - 6 * rate) < 1e-15 && b == 0);
        online_answer(o, in, &answer);
        assert_true(fabs(answer - 15 * rate) < 1e-14);
        w[0] = 7, w[1] = -1, online_set(o, w, &b), online_answer(o, in, &answer);
        assert_true(answer == 5);
        online_free(o);
    }
    (void)state;
}
/* What lies far back counts less: the readout follows a change. */
static void test_forgetting(void **state)
{
    for (int forgets = 0; forgets < 2; forgets++) {
        const online_settings s = { .rule = ONLINE_RLS, .features = 1, .targets = 1, .lambda = 1e-3, .forget = forgets ? 0.9 : 1 };
        online *o;
        double w, b;
        assert_int_equal(online_new(&o, &s, NULL), LACO_OK);
        for (int t = 0; t < 400; t++) {
            const double in = rng_normal(5, RNG_TEST, (uint64_t)t), out = t < 200 ? in : -in;
            online_learn(o, &in, &out, NULL);
        }
        online_weights(o, &w, &b);
        assert_true(forgets ? fabs(w + 1) < 1e-6 : fabs(w) < 0.2);
        online_free(o);
    }
    (void)state;
}
static int begin(void **state)
{
    (void)state;
    if (pool_new(&threads[0], 1, NULL) || pool_new(&threads[1], 3, NULL)) return 1;
    pool_always_share(threads[1], true);
    return kernels_choose(&doubles, REAL_DOUBLE, NULL) || kernels_choose(&floats, REAL_FLOAT, NULL);
}
static int end(void **state)
{
    (void)state;
    pool_free(threads[0]), pool_free(threads[1]);
    return 0;
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_weights),      cmocka_unit_test(test_gcv),
                                        cmocka_unit_test(test_threads_and_floats), cmocka_unit_test(test_singular),
                                        cmocka_unit_test(test_symmetric),    cmocka_unit_test(test_rls_is_ridge),
                                        cmocka_unit_test(test_online_rules), cmocka_unit_test(test_forgetting) };
    return cmocka_run_group_tests(tests, begin, end);
}
