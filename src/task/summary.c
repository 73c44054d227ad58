#include "task/summary.h"
#include "math/cholesky.h"
#include <math.h>

enum { STATISTICS = 6 };
int64_t summary_size(int64_t features) { return STATISTICS * features + 1; }

/* The statistics of one feature so far; the variance by the recurrence of Welford 1962. */
static void feature_of(const float *x, int64_t T, int64_t stride, int64_t ld, bool every, double *out)
{
    double mean = 0, squares = 0, low = INFINITY, high = -INFINITY;
    for (int64_t t = 0; t < T; t++) {
        double v = x[t * stride], off = v - mean;
        mean += off / (double)(t + 1), squares += off * (v - mean);
        low = fmin(low, v), high = fmax(high, v);
        if (!every && t + 1 < T) continue;
        double *o = out + (every ? t * ld : 0);
        o[0] = mean, o[1] = sqrt(fmax(0, squares) / (double)(t + 1)), o[2] = low, o[3] = high, o[4] = x[0], o[5] = v;
    }
}
void summary_of(const float *x, int64_t T, int64_t features, bool every, double *out)
{
    int64_t size = summary_size(features);
    for (int64_t f = 0; f < features; f++) feature_of(x + f, T, features, size, every, out + f * STATISTICS);
    for (int64_t t = every ? 0 : T - 1; t < T; t++) out[(every ? t * size : 0) + size - 1] = (double)(t + 1);
}
void summary_free(summary_scale *s) { mem_free(s->mean), mem_free(s->scale), *s = (summary_scale){ 0 }; }
laco_status summary_learn(summary_scale *s, double *rows, int64_t n, int64_t size, laco_error *err)
{
    *s = (summary_scale){ size, mem_new((size_t)size, sizeof(double)), mem_new((size_t)size, sizeof(double)) };
    if (!s->mean || !s->scale) return summary_free(s), fail_memory(err, (size_t)size * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < size; k++) s->mean[k] += rows[i * size + k] / (double)n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < size; k++) {
            double off = rows[i * size + k] - s->mean[k];
            s->scale[k] += off * off / (double)n;
        }
    for (int64_t k = 0; k < size; k++) s->scale[k] = sqrt(s->scale[k]) > 1e-9 ? 1 / sqrt(s->scale[k]) : 0;
    summary_apply(s, rows, n);
    return LACO_OK;
}
void summary_apply(const summary_scale *s, double *rows, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < s->size; k++)
            rows[i * s->size + k] = (rows[i * s->size + k] - s->mean[k]) * s->scale[k];
}

/* ---- ridge ---- */
laco_status ridge_learn(double *w, const double *x, int64_t n, int64_t size, const double *y, int64_t outputs,
                        laco_error *err)
{
    int64_t D = size + 1;
    double *a = mem_new((size_t)(D * D), sizeof *a);
    if (!a) return fail_memory(err, (size_t)(D * D) * sizeof *a);
    memset(w, 0, (size_t)(D * outputs) * sizeof *w);
    for (int64_t r = 0; r < n; r++) {
        const double *row = x + r * size;
        for (int64_t i = 0; i < D; i++) {
            double v = i < size ? row[i] : 1;
            for (int64_t k = 0; v != 0 && k <= i; k++) a[i * D + k] += v * (k < size ? row[k] : 1);
            for (int64_t o = 0; o < outputs; o++) w[o * D + i] += v * y[r * outputs + o];
        }
    }
    for (int64_t i = 0; i < D; i++) a[i * D + i] += i < size ? (double)n / 1000 : 1e-9 * (double)n;
    bool good = cholesky_factor(D, a);
    for (int64_t o = 0; good && o < outputs; o++) cholesky_solve(D, a, w + o * D, 1);
    mem_free(a);
    return good ? LACO_OK : fail(err, LACO_ENUMERIC, -1, "the statistics of the series are not finite");
}
void ridge_answer(const double *w, const double *x, int64_t size, int64_t outputs, double *y)
{
    for (int64_t o = 0; o < outputs; o++, w += size + 1) {
        y[o] = w[size];
        for (int64_t i = 0; i < size; i++) y[o] += w[i] * x[i];
    }
}
int64_t nearest_row(const double *x, const double *rows, int64_t n, int64_t size)
{
    int64_t best = 0;
    double least = INFINITY;
    for (int64_t r = 0; r < n; r++) {
        const double *row = rows + r * size;
        double sum = 0;
        for (int64_t i = 0; i < size && sum < least; i++) sum += (x[i] - row[i]) * (x[i] - row[i]);
        if (sum < least) least = sum, best = r;
    }
    return best;
}
