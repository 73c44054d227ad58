/* Losses on rows of outputs: values against libm, gradients against central differences in double, rows that do not
   count, extreme outputs, and the gradient that label smoothing follows. */
#include "base/rng.h"
#include "kernel_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { SQUARED, BERNOULLI, CATEGORICAL, LOSSES };
static const char *const name[] = { "squared", "bernoulli", "categorical" };
static double run(int r, int loss, int threads, const output_rows *rows)
{
    static const loss_kind kinds[] = { LOSS_SQUARED, LOSS_BERNOULLI, LOSS_SOFTMAX };
    return real[r]->loss->run(kinds[loss], pools[threads], rows);
}
static double uniform(uint64_t place, int64_t i) { return rng_uniform(7, RNG_TEST | place << 8, (uint64_t)i); }

/* ---- one case ---- R rows of n outputs; every fifth number and every third row does not count */
enum { R = 70, PAD = 3 };
static double class_weights[512];
typedef struct rows_case {
    output_rows rows;
    void *y, *dy;
    float *target;
    int32_t *class;
} rows_case;
static void new_case(rows_case *c, int r, int loss, int64_t n, double spread)
{
    const int64_t ld = n + PAD;
    for (int i = 0; i < 512; i++) class_weights[i] = 0.25 + i % 3;
    size_t size = (size_t)real[r]->real_size;
    *c = (rows_case){ .y = test_calloc((size_t)(R * ld), size),
                      .dy = test_calloc((size_t)(R * ld), size),
                      .target = test_calloc((size_t)(R * n), sizeof(float)),
                      .class = test_calloc(R, sizeof(int32_t)) };
    for (int64_t i = 0; i < R * ld; i++) put(r, c->y, i, spread * (2 * uniform(1, i) - 1)), put(r, c->dy, i, 77);
    for (int64_t i = 0; i < R * n; i++) {
        bool counts = i % 5 && i / n % 3 != 1;
        c->target[i] = counts ? (float)uniform(2, i) : NAN;
    }
    for (int64_t i = 0; i < R; i++) c->class[i] = i % 3 == 1 ? -1 : (int32_t)(uniform(3, i) * (double)n);
    c->rows = (output_rows){ .R = R,
                             .outputs = n,
                             .y = c->y,
                             .ldy = ld,
                             .target = c->target,
                             .scale = 0.25,
                             .dy = c->dy,
                             .lddy = ld,
                             .row_loss = test_calloc(R, sizeof(double)) };
    if (loss == CATEGORICAL) c->rows.class = c->class, c->rows.smoothing = n % 2 ? 0.1 : 0;
    if (loss == CATEGORICAL && n % 4 < 2) c->rows.class_weight = class_weights;
}
static void free_case(rows_case *c)
{
    test_free(c->y), test_free(c->dy), test_free(c->target), test_free(c->class), test_free(c->rows.row_loss);
}

/* The loss of a row whose output j is y(j) + (j == at ? by : 0), restated; that which gradients follow if `smooth`. */
static double plain_row(const rows_case *c, int r, int loss, int64_t row, int64_t moved, double by, bool smooth)
{
    const int64_t n = c->rows.outputs;
    double sum = 0, top = -INFINITY, mean = 0, e = smooth ? c->rows.smoothing : 0, y[512];
    for (int64_t j = 0; j < n; j++) {
        y[j] = at(r, c->y, row * c->rows.ldy + j) + (j == moved ? by : 0), top = fmax(top, y[j]),
        mean += y[j] / (double)n;
        double t = (double)c->target[row * n + j];
        if (loss == CATEGORICAL || isnan(t)) continue;
        sum += loss == SQUARED ? (y[j] - t) * (y[j] - t) : t * log1p(exp(-y[j])) + (1 - t) * log1p(exp(y[j]));
    }
    if (loss != CATEGORICAL) return sum;
    if (c->class[row] < 0) return 0;
    for (int64_t j = 0; j < n; j++) sum += exp(y[j] - top);
    return (c->rows.class_weight ? class_weights[c->class[row]] : 1) *
           (top + log(sum) - (1 - e) * y[c->class[row]] - e * mean);
}
static void near(const char *what, int loss, int64_t n, int64_t i, double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%s of %lld outputs: %s[%lld] is %.17g, not %.17g", name[loss], (long long)n, what, (long long)i, a,
                 b);
}
static const int64_t widths[] = { 1, 2, 3, 7, 8, 9, 16, 31, 88, 511 };

static void test_values(void **state)
{
    (void)state;
    for (int r = 0; r < 2; r++)
        for (int loss = 0; loss < LOSSES; loss++)
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
                const int64_t n = widths[w];
                const double tolerance = (r == REAL_FLOAT ? 1e-6 : 1e-14) * (double)(2 * n + 20);
                rows_case c;
                double sum = 0;
                new_case(&c, r, loss, n, 3);
                double got = run(r, loss, 2, &c.rows);
                for (int64_t i = 0; i < R; i++) {
                    double want = plain_row(&c, r, loss, i, -1, 0, false);
                    near("row_loss", loss, n, i, c.rows.row_loss[i], want, tolerance), sum += c.rows.row_loss[i];
                }
                assert_true(got == sum);
                free_case(&c);
            }
}
static void test_gradients(void **state)
{
    const double h = 1e-5;
    (void)state;
    for (int loss = 0; loss < LOSSES; loss++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths - 1; w++) {
            const int64_t n = widths[w];
            rows_case c;
            new_case(&c, REAL_DOUBLE, loss, n, 3);
            run(REAL_DOUBLE, loss, 1, &c.rows);
            for (int64_t i = 0; i < R * c.rows.lddy; i++) {
                int64_t row = i / c.rows.lddy, j = i % c.rows.lddy;
                double dy = at(REAL_DOUBLE, c.dy, i);
                if (j >= n) {
                    assert_true(dy == 77); /* what lies between rows is left alone */
                    continue;
                }
                double up = plain_row(&c, REAL_DOUBLE, loss, row, j, h, true),
                       down = plain_row(&c, REAL_DOUBLE, loss, row, j, -h, true);
                near("dy", loss, n, i, dy, 0.25 * (up - down) / (2 * h), 1e-8);
                bool counts = loss == CATEGORICAL ? c.class[row] >= 0 : !isnan(c.target[row * n + j]);
                if (!counts) assert_true(dy == 0);
            }
            free_case(&c);
        }
}
static void test_threads(void **state)
{
    (void)state;
    for (int loss = 0; loss < LOSSES; loss++) {
        rows_case c[4];
        double sum[4];
        for (int t = 1; t <= 3; t++) {
            new_case(&c[t], REAL_FLOAT, loss, 31, 3), sum[t] = run(REAL_FLOAT, loss, t, &c[t].rows);
            assert_true(sum[t] == sum[1]);
            assert_memory_equal(c[t].dy, c[1].dy, (size_t)(R * c[t].rows.lddy) * sizeof(float));
        }
        for (int t = 1; t <= 3; t++) free_case(&c[t]);
    }
}
/* Measuring: the same loss, no gradient. */
static void test_without_gradient(void **state)
{
    (void)state;
    for (int loss = 0; loss < LOSSES; loss++) {
        rows_case c;
        new_case(&c, REAL_FLOAT, loss, 9, 1);
        c.rows.dy = NULL;
        double without = run(REAL_FLOAT, loss, 1, &c.rows);
        assert_true(at(REAL_FLOAT, c.dy, 0) == 77);
        c.rows.dy = c.dy;
        assert_true(run(REAL_FLOAT, loss, 1, &c.rows) == without);
        free_case(&c);
    }
}
/* Outputs far out: losses stay finite and right, small ones are not lost; a NaN output is seen in the loss. */
static void test_extremes(void **state)
{
    float y[4] = { 500, -500, 20, -20 }, dy[4], target[4] = { 1, 1, 1, 0 };
    double loss;
    int32_t class = 1;
    output_rows rows = {
        .R = 1, .outputs = 4, .y = y, .ldy = 4, .target = target, .scale = 1, .dy = dy, .lddy = 4, .row_loss = &loss
    };
    (void)state;
    rows.y = y + 2, rows.target = target + 2, rows.outputs = 2;
    run(REAL_FLOAT, BERNOULLI, 1, &rows);
    assert_true(fabs(loss / (2 * log1p(exp(-20))) - 1) < 1e-6);
    rows.y = y, rows.target = target, rows.outputs = 4;
    run(REAL_FLOAT, BERNOULLI, 1, &rows);
    assert_true(fabs(loss - 500) < 1e-4 && fabsf(dy[0]) < 1e-30f && fabsf(dy[1] + 1) < 1e-30f);
    rows.class = &class;
    run(REAL_FLOAT, CATEGORICAL, 1, &rows);
    assert_true(fabs(loss - 1000) < 1e-3 && dy[1] == -1 && dy[0] == 1);
    y[3] = NAN;
    for (int l = 0; l < LOSSES; l++) {
        run(REAL_FLOAT, l, 1, &rows);
        assert_true(isnan(loss));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),           cmocka_unit_test(test_gradients), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_without_gradient), cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
