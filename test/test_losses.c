/* The table of losses on rows of outputs: each against its formula restated with libm, gradients in double against
   central differences, several outputs of a target, targets that do not count, values by hand, extreme outputs, every
   number of threads, and networks that learn by them. */
#include "base/rng.h"
#include "kernel_kit.h"
#include "loss/heads.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { R = 40, MOST_TARGETS = 19, LD = 99 };
static const loss_options options = { .levels = 5, .level = { 0.025, 0.1, 0.5, 0.9, 0.975 }, .delta = 0.7 };
typedef struct rows_case {
    output_rows rows;
    int64_t targets, parts;
    double y[R * LD], dy[R * LD], row_loss[R];
    float yf[R * LD], dyf[R * LD], target[R * MOST_TARGETS], unit[R];
} rows_case;
static double uniform(uint64_t place, int64_t i) { return rng_uniform(11, RNG_TEST | place << 8, (uint64_t)i); }
static const loss_row *row_of(int kind) { return real[REAL_DOUBLE]->loss->row(kind); }
static void fill(rows_case *c, int r, int kind, int64_t targets, double spread)
{
    const loss_row *l = row_of(kind);
    c->targets = targets, c->parts = loss_parts(l, &options);
    for (int i = 0; i < R * LD; i++)
        c->y[i] = c->yf[i] = (float)(spread * (2 * uniform(1, i) - 1)), c->dy[i] = c->dyf[i] = 77;
    for (int i = 0; i < R * targets; i++) {
        double t = l->of == LOSS_OF_COUNTS ? floor(20 * uniform(2, i)) : 4 * uniform(2, i) - 2;
        if (l->of == LOSS_OF_SHARES) t = uniform(2, i);
        c->target[i] = i % 7 == 3 || i / targets % 5 == 2 ? NAN : (float)t;
    }
    for (int i = 0; i < R; i++) c->unit[i] = (float)(1 + 5 * uniform(3, i));
    c->rows = (output_rows){ .R = R, .outputs = targets * c->parts, .ldy = LD, .lddy = LD, .scale = 0.5 };
    c->rows.y = r == REAL_FLOAT ? (void *)c->yf : c->y, c->rows.dy = r == REAL_FLOAT ? (void *)c->dyf : c->dy;
    c->rows.target = c->target, c->rows.unit = c->unit, c->rows.options = &options, c->rows.row_loss = c->row_loss;
}
static double run(int r, int kind, int threads, const rows_case *c)
{
    return real[r]->loss->run((loss_kind)kind, pools[threads], &c->rows);
}

/* ---- the formulas once more ---- */
static double softplus(double x) { return log1p(exp(x)); }
static double plain(int kind, double t, const double *y, double unit)
{
    const double e = y[0] - t, a = fabs(e), delta = options.delta, pi = 3.14159265358979323846;
    double s, v, m, sum = 0;
    switch (kind) {
    case LOSS_SQUARED:
        return e * e;
    case LOSS_ABSOLUTE:
        return a;
    case LOSS_HUBER:
        return a <= delta ? e * e / 2 : delta * (a - delta / 2);
    case LOSS_BERNOULLI:
        return t * log1p(exp(-y[0])) + (1 - t) * log1p(exp(y[0]));
    case LOSS_PINBALL:
        for (int q = 0; q < options.levels; q++)
            sum += t >= y[q] ? options.level[q] * (t - y[q]) : (1 - options.level[q]) * (y[q] - t);
        return sum;
    case LOSS_GAUSSIAN:
        s = softplus(y[1]) + 1e-3;
        return log(s * sqrt(2 * pi)) + e * e / (2 * s * s);
    case LOSS_STUDENT_T:
        s = softplus(y[1]) + 1e-3, v = softplus(y[2]) + 2.001;
        return lgamma(v / 2) - lgamma((v + 1) / 2) + log(sqrt(v * pi) * s) + (v + 1) / 2 * log(1 + e * e / (s * s * v));
    default:
        m = unit * softplus(y[0]), s = softplus(y[1]) + 1e-6, v = 1 / s;
        return lgamma(t + 1) + lgamma(v) - lgamma(t + v) + v * log(1 + s * m) - t * log(s * m / (1 + s * m));
    }
}
static double plain_row(const rows_case *c, int kind, int64_t row, int64_t moved, double by)
{
    double sum = 0, y[8];
    for (int64_t j = 0; j < c->targets; j++) {
        for (int64_t p = 0; p < c->parts; p++) {
            int64_t at = p * c->targets + j;
            y[p] = c->y[row * LD + at] + (at == moved ? by : 0);
        }
        double t = (double)c->target[row * c->targets + j];
        if (!isnan(t)) sum += plain(kind, t, y, (double)c->unit[row]);
    }
    return sum;
}
static void near(const char *what, int kind, int64_t n, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
        fail_msg("%s: %s of %lld targets is %.17g, not %.17g", row_of(kind)->name, what, (long long)n, got, want);
}
static const int64_t widths[] = { 1, 3, 4, 8, 19 };
enum { WIDTHS = sizeof widths / sizeof *widths };

static void test_values(void **state)
{
    static rows_case c;
    (void)state;
    for (int r = 0; r < 2; r++)
        for (int kind = LOSS_SQUARED; kind < LOSS_KINDS; kind++)
            for (int w = 0; w < WIDTHS; w++) {
                double sum = 0;
                fill(&c, r, kind, widths[w], 3);
                double got = run(r, kind, 2, &c);
                for (int64_t i = 0; i < R; i++) {
                    near("loss", kind, widths[w], c.row_loss[i], plain_row(&c, kind, i, -1, 0), r ? 1e-12 : 2e-5);
                    sum += c.row_loss[i];
                }
                assert_true(got == sum);
            }
}
static void test_gradients(void **state)
{
    static rows_case c;
    const double h = 1e-6;
    (void)state;
    for (int kind = LOSS_SQUARED; kind < LOSS_KINDS; kind++)
        for (int w = 0; w < WIDTHS; w++) {
            fill(&c, REAL_DOUBLE, kind, widths[w], 3);
            run(REAL_DOUBLE, kind, 1, &c);
            for (int64_t i = 0; i < R * LD; i++) {
                int64_t row = i / LD, j = i % LD;
                if (j >= c.rows.outputs) {
                    assert_true(c.dy[i] == 77); /* what lies between rows is left alone */
                    continue;
                }
                double up = plain_row(&c, kind, row, j, h), down = plain_row(&c, kind, row, j, -h);
                near("gradient", kind, widths[w], c.dy[i], 0.5 * (up - down) / (2 * h), 1e-6);
                if (isnan(c.target[row * widths[w] + j % widths[w]])) assert_true(c.dy[i] == 0);
            }
        }
}
static void test_threads(void **state)
{
    static rows_case c[4];
    (void)state;
    for (int kind = LOSS_SQUARED; kind < LOSS_KINDS; kind++)
        for (int t = 1; t <= 3; t++) {
            fill(&c[t], REAL_FLOAT, kind, 19, 3);
            double sum = run(REAL_FLOAT, kind, t, &c[t]);
            assert_memory_equal(c[t].dyf, c[1].dyf, sizeof c->dyf);
            assert_memory_equal(c[t].row_loss, c[1].row_loss, sizeof c->row_loss);
            c[t].rows.dy = NULL;
            assert_true(run(REAL_FLOAT, kind, t, &c[t]) == sum);
        }
}

/* ---- by hand ---- */
static double one(int kind, const double *y, double t, double *dy)
{
    float target = (float)t;
    double loss;
    output_rows rows = { .R = 1, .outputs = loss_parts(row_of(kind), &options), .y = y, .ldy = 8, .target = &target };
    rows.options = &options, rows.scale = 1, rows.dy = dy, rows.lddy = 8, rows.row_loss = &loss;
    return real[REAL_DOUBLE]->loss->run((loss_kind)kind, pools[1], &rows);
}
static void test_by_hand(void **state)
{
    double dy[8];
    const double unit = log(exp(1 - 1e-3) - 1); /* softplus of it and the least scale: 1 */
    (void)state;
    assert_true(fabs(one(LOSS_GAUSSIAN, (double[]){ 2, unit }, 2, dy) - 0.918938533204673) <
                1e-12); /* log sqrt(2 pi) */
    assert_true(fabs(one(LOSS_GAUSSIAN, (double[]){ 0, unit }, 2, dy) - 2.918938533204673) < 1e-12);
    assert_true(fabs(dy[0] + 2) < 1e-12);
    /* Student's t with 3 degrees of freedom at 0: density 2 / (pi sqrt 3) */
    assert_true(fabs(one(LOSS_STUDENT_T, (double[]){ 0, unit, unit }, 0, dy) + log(2 / (3.14159265358979 * sqrt(3)))) <
                1e-12);
    /* negative binomial with mean 1 and dispersion 1 is geometric with 1/2: p(3) = 1/16 */
    const double m = log(exp(1) - 1), a = log(exp(1 - 1e-6) - 1);
    assert_true(fabs(one(LOSS_NEGATIVE_BINOMIAL, (double[]){ m, a }, 3, dy) - log(16)) < 1e-12);
    assert_true(fabs(one(LOSS_PINBALL, (double[]){ 1, 1, 1, 1, 1 }, 3, dy) - 2 * 2.5) < 1e-12 && dy[4] == -0.975);
    assert_true(fabs(one(LOSS_PINBALL, (double[]){ 1, 1, 1, 1, 1 }, 0, dy) - 2.5) < 1e-12 && dy[0] == 0.975);
    one(LOSS_PINBALL, (double[]){ 1, 1, 1, 1, 1 }, 1, dy);
    assert_true(dy[0] == 0 && dy[4] == 0);
    assert_true(fabs(one(LOSS_HUBER, (double[]){ 5 }, 0, dy) - 0.7 * 4.65) < 1e-12 && fabs(dy[0] - 0.7) < 1e-12);
}
/* Outputs and targets far out: everything stays finite, and gradients point the right way; a NaN output is seen. */
static void test_extremes(void **state)
{
    static const double far[] = { 0, 60, -60, 700, -700, 1e5, -1e5 };
    enum { FAR = sizeof far / sizeof *far };
    double y[8], dy[8];
    (void)state;
    for (int kind = LOSS_SQUARED; kind < LOSS_KINDS; kind++) {
        const loss_row *l = row_of(kind);
        for (int i = 0; i < FAR * FAR * FAR * 3; i++) {
            for (int p = 0; p < 8; p++) y[p] = far[(p == 0 ? i : p == 1 ? i / FAR : i / FAR / FAR) % FAR];
            double t = (double[]){ 0, 1, 1e6 }[i / (FAR * FAR * FAR)], loss = one(kind, y, t, dy);
            if (t > 1 && l->of == LOSS_OF_SHARES) continue;
            assert_true(isfinite(loss));
            for (int64_t p = 0; p < loss_parts(l, &options); p++) assert_true(isfinite(dy[p]));
            if (l->of == LOSS_OF_NUMBERS && y[0] - t > 0) assert_true(dy[0] >= 0);
            if (l->of == LOSS_OF_NUMBERS && y[0] - t < 0) assert_true(dy[0] <= 0);
        }
        for (int64_t p = 0; p < loss_parts(l, &options); p++) {
            for (int k = 0; k < 8; k++) y[k] = k == p ? NAN : 0.5;
            assert_true(isnan(one(kind, y, 1, dy)));
        }
    }
}
static void test_takes(void **state)
{
    (void)state;
    assert_true(loss_takes(row_of(LOSS_NEGATIVE_BINOMIAL), 3) && !loss_takes(row_of(LOSS_NEGATIVE_BINOMIAL), 2.5));
    assert_true(!loss_takes(row_of(LOSS_NEGATIVE_BINOMIAL), -1) && loss_takes(row_of(LOSS_NEGATIVE_BINOMIAL), NAN));
    assert_true(loss_takes(row_of(LOSS_BERNOULLI), 1) && !loss_takes(row_of(LOSS_BERNOULLI), 1.5));
    assert_true(loss_takes(row_of(LOSS_GAUSSIAN), -1e9) && !loss_takes(row_of(LOSS_GAUSSIAN), INFINITY));
    assert_null(row_of(LOSS_KINDS));
    assert_null(row_of(-1));
}

/* ---- what outputs say (heads) ---- against sums and integrals over the density itself */
static head head_at(int kind, const float *y)
{
    head h;
    head_read(&h, (loss_kind)kind, &options, y, 1, 0, 4);
    return h;
}
static void check_integral(int kind, const float *y, double from, double to, double step)
{
    const head h = head_at(kind, y);
    const double t = 3;
    double mass = 0, mean = 0, crps = 0;
    for (double x = from; x < to; x += step) {
        double middle = step == 1 ? x : x + step / 2, p = exp(-head_surprise(&h, middle)) * step;
        mass += p, mean += p * middle;
        assert_true(fabs(head_cdf(&h, step == 1 ? x : x + step) - mass) < 2e-4);
        double F = step == 1 ? mass : mass - p / 2, off = F - (middle >= t);
        crps += off * off * step;
    }
    assert_true(fabs(mass - 1) < 1e-3 && fabs(mean - head_mean(&h)) < 5e-3 * fabs(mean) + 1e-3);
    if (fabs(crps - head_crps(&h, t)) > 0.02 * crps) fail_msg("%d: crps %g, not %g", kind, head_crps(&h, t), crps);
    for (double p = 0.001; p < 1; p += 0.0399) {
        double q = head_quantile(&h, p);
        if (step < 1) assert_true(fabs(head_cdf(&h, q) - p) < 1e-9);
        if (step == 1) assert_true(head_cdf(&h, q) >= p && head_cdf(&h, q - 1) < p);
    }
}
static void test_heads(void **state)
{
    (void)state;
    check_integral(LOSS_GAUSSIAN, (float[]){ 2, 0.5f }, -20, 20, 0.005);
    check_integral(LOSS_STUDENT_T, (float[]){ 2, 0.5f, 2 }, -600, 600, 0.005);
    check_integral(LOSS_STUDENT_T, (float[]){ 2, 0.5f, 60 }, -20, 20, 0.005);
    check_integral(LOSS_NEGATIVE_BINOMIAL, (float[]){ 1, -1 }, 0, 200, 1);
    check_integral(LOSS_NEGATIVE_BINOMIAL, (float[]){ 1, 3 }, 0, 3000, 1);
    check_integral(LOSS_NEGATIVE_BINOMIAL, (float[]){ 1, -40 }, 0, 200, 1);
    /* 97.5 % of a normal distribution; of Student's t with 3 degrees of freedom */
    head h = { .kind = LOSS_GAUSSIAN, .part = { 0, 1 } };
    assert_true(fabs(head_quantile(&h, 0.975) - 1.959963984540054) < 1e-12);
    h = (head){ .kind = LOSS_STUDENT_T, .part = { 0, 1, 3 } };
    assert_true(fabs(head_quantile(&h, 0.975) - 3.182446305284263) < 1e-11);
    head_scale_by(&h, 2, 1);
    assert_true(fabs(head_quantile(&h, 0.025) + 5.364892610568526) < 1e-11);
    h = head_at(LOSS_PINBALL, (float[]){ 1, 2, 5, 4, 9 }); /* levels that cross are put in order */
    assert_true(head_mean(&h) == 4 && head_quantile(&h, 0.9) == 5 && head_quantile(&h, 0.001) == 1);
    assert_true(fabs(head_quantile(&h, 0.3) - 3) < 1e-12 && fabs(head_cdf(&h, 3) - 0.3) < 1e-12);
    assert_true(head_cdf(&h, 0.5) == 0 && head_cdf(&h, 10) == 1);
    head_scale_by(&h, 2, 1);
    assert_true(head_quantile(&h, 0.975) == 19 && head_mean(&h) == 9);
    h = head_at(LOSS_ABSOLUTE, (float[]){ 7 });
    assert_true(head_mean(&h) == 7 && head_quantile(&h, 0.1) == 7 && head_crps(&h, 9) == 2 &&
                head_surprise(&h, 9) == 2);
}
static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < LOSS_KINDS; i++) assert_int_equal(loss_find(real[0]->loss, row_of(i)->name), i);
    assert_int_equal(loss_find(real[0]->loss, "softmax"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_values),   cmocka_unit_test(test_gradients),
                                        cmocka_unit_test(test_threads),  cmocka_unit_test(test_by_hand),
                                        cmocka_unit_test(test_extremes), cmocka_unit_test(test_takes),
                                        cmocka_unit_test(test_heads),    cmocka_unit_test(test_names) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
