#include "task/forecast_baselines.h"
#include "math/cholesky.h"
#include <math.h>

/* ---- naive and seasonal ---- */
laco_status baseline_naive(const double *x, int64_t n, int64_t m, int64_t h, double *out, laco_error *err)
{
    (void)m;
    return baseline_seasonal(x, n, 1, h, out, err);
}
laco_status baseline_seasonal(const double *x, int64_t n, int64_t m, int64_t h, double *out, laco_error *err)
{
    (void)err;
    for (int64_t i = 0; i < h; i++) {
        int64_t t = n + i - (i / m + 1) * m;
        while (t >= 0 && isnan(x[t])) t -= m;
        out[i] = t >= 0 ? x[t] : NAN;
    }
    for (int64_t i = 0; i < h && m > 1; i++) /* a step of the season that was never seen */
        if (isnan(out[i])) baseline_naive(x, n, 1, 1, out + i, err);
    return LACO_OK;
}

/* ---- seasons ---- */
bool baseline_has_season(const double *x, int64_t n, int64_t m)
{
    double mean = 0, power = 0, sum = 0, r = 0;
    if (m < 2 || n < 3 * m) return false;
    for (int64_t t = 0; t < n; t++) mean += x[t] / (double)n;
    for (int64_t t = 0; t < n; t++) power += (x[t] - mean) * (x[t] - mean);
    for (int64_t k = 1; k <= m; k++) {
        r = 0;
        for (int64_t t = k; t < n; t++) r += (x[t] - mean) * (x[t - k] - mean);
        r /= power;
        if (k < m) sum += 2 * r * r;
    }
    return fabs(r) > 1.645 * sqrt((1 + sum) / (double)n); /* false for NaN: a constant series */
}
/* The centred moving average over m steps; of an even m the two at the ends count half. NaN near the ends. */
static double moving_average(const double *x, int64_t n, int64_t m, int64_t t)
{
    int64_t half = m / 2;
    double sum = 0;
    if (t < half || t + half >= n) return NAN;
    for (int64_t i = t - half; i <= t + half; i++) sum += x[i] * (m % 2 || (i > t - half && i < t + half) ? 1 : 0.5);
    return sum / (double)m;
}
void baseline_season(const double *x, int64_t n, int64_t m, bool multiplicative, double *index)
{
    double mean = 0;
    for (int64_t s = 0; s < m; s++) {
        double sum = 0, count = 0;
        for (int64_t t = s; t < n; t += m) {
            double trend = moving_average(x, n, m, t), part = multiplicative ? x[t] / trend : x[t] - trend;
            if (isfinite(part)) sum += part, count++;
        }
        index[s] = count > 0 ? sum / count : multiplicative;
        mean += index[s] / (double)m;
    }
    for (int64_t s = 0; s < m; s++) index[s] = multiplicative ? index[s] / mean : index[s] - mean;
}

/* A series without missing values and without its season. */
typedef struct bare {
    double *v, *index; /* [n], [m] */
    bool multiplies;
    int64_t n, m;
} bare;
static double with_season(const bare *b, int64_t t, double v)
{
    return b->multiplies ? v * b->index[t % b->m] : v + b->index[t % b->m];
}
static laco_status without_season(const double *x, int64_t n, int64_t m, bare *out, laco_error *err)
{
    double *v = mem_new((size_t)(n + m), sizeof *v), last = NAN;
    if (!v) return fail_memory(err, (size_t)(n + m) * sizeof *v);
    *out = (bare){ v, v + n, true, n, m };
    for (int64_t t = n - 1; t >= 0; t--)
        if (!isnan(x[t])) last = x[t];
    for (int64_t t = 0; t < n; t++) v[t] = last = isnan(x[t]) ? last : x[t], out->multiplies &= last > 0;
    for (int64_t s = 0; s < m; s++) out->index[s] = out->multiplies;
    if (baseline_has_season(v, n, m)) baseline_season(v, n, m, out->multiplies, out->index);
    for (int64_t t = 0; t < n; t++) v[t] = out->multiplies ? v[t] / out->index[t % m] : v[t] - out->index[t % m];
    return LACO_OK;
}
laco_status baseline_naive2(const double *x, int64_t n, int64_t m, int64_t h, double *out, laco_error *err)
{
    bare b;
    laco_status st = without_season(x, n, m, &b, err);
    if (st) return st;
    for (int64_t i = 0; i < h; i++) out[i] = n ? with_season(&b, n + i, b.v[n - 1]) : NAN;
    mem_free(b.v);
    return LACO_OK;
}

/* ---- theta ---- */
/* Simple exponential smoothing with the first level that is best for alpha: the squared error of one step ahead, and the
   level at the end. e_t = z_t - (1-alpha)^t level: errors from level 0, less what the level leaves. */
static double smooth(const double *z, int64_t n, double alpha, double *level)
{
    double from_zero = 0, left = 1, ee = 0, el = 0, ll = 0;
    for (int64_t t = 0; t < n; t++) {
        double e = z[t] - from_zero;
        ee += e * e, el += e * left, ll += left * left;
        from_zero += alpha * e, left *= 1 - alpha;
    }
    double first = el / ll;
    *level = from_zero + left * first;
    return ee - el * el / ll;
}
/* The level at the end with the best alpha, by golden section after a coarse look. */
static double best_level(const double *z, int64_t n)
{
    const double golden = 0.6180339887498949;
    double level, best = 0, least = INFINITY, low, high;
    for (double alpha = 0.01; alpha < 1; alpha += 0.07) {
        double error = smooth(z, n, alpha, &level);
        if (error < least) least = error, best = alpha;
    }
    low = fmax(1e-4, best - 0.07), high = fmin(0.9999, best + 0.07);
    for (int i = 0; i < 20; i++) {
        double a = high - golden * (high - low), b = low + golden * (high - low);
        if (smooth(z, n, a, &level) < smooth(z, n, b, &level))
            high = b;
        else
            low = a;
    }
    smooth(z, n, (low + high) / 2, &level);
    return level;
}
laco_status baseline_theta(const double *x, int64_t n, int64_t m, int64_t h, double *out, laco_error *err)
{
    bare b;
    double mean = 0, slope = 0, centre = (double)(n - 1) / 2, power = 0;
    laco_status st = without_season(x, n, m, &b, err);
    if (st) return st;
    for (int64_t t = 0; t < n; t++) mean += b.v[t] / (double)n;
    for (int64_t t = 0; t < n; t++) {
        double at = (double)t - centre;
        slope += at * (b.v[t] - mean), power += at * at;
    }
    slope = power > 0 ? slope / power : 0;
    for (int64_t t = 0; t < n; t++) b.v[t] = 2 * b.v[t] - (mean + slope * ((double)t - centre));
    double level = n ? best_level(b.v, n) : NAN;
    for (int64_t i = 0; i < h; i++) out[i] = with_season(&b, n + i, (mean + slope * ((double)(n + i) - centre) + level) / 2);
    mem_free(b.v);
    return LACO_OK;
}

/* ---- ridge ---- the normal equations of all windows, inputs with a 1 behind them: (X'X + p n I) W = X'Y */
struct lagged {
    int64_t lags, h, windows;
    double *xx, *xy; /* [lags + 1][lags + 1]; [lags + 1][h], after lagged_fit the weights */
    double *row;     /* [lags + 1 + h] */
};
void lagged_free(lagged *r)
{
    if (!r) return;
    mem_free(r->xx), mem_free(r->xy), mem_free(r->row), mem_free(r);
}
laco_status lagged_new(lagged **out, int64_t lags, int64_t h, laco_error *err)
{
    lagged *r = mem_new(1, sizeof *r);
    size_t n = (size_t)lags + 1;
    if (!r) return fail_memory(err, sizeof *r);
    r->lags = lags, r->h = h;
    r->xx = mem_new(n * n, sizeof(double)), r->xy = mem_new(n * (size_t)h, sizeof(double));
    r->row = mem_new(n + (size_t)h, sizeof(double));
    if (!r->xx || !r->xy || !r->row) return lagged_free(r), fail_memory(err, n * (n + (size_t)h) * sizeof(double));
    *out = r;
    return LACO_OK;
}
void lagged_add(lagged *r, const double *x, double scale)
{
    const int64_t n = r->lags + 1;
    double *to = r->row;
    for (int64_t i = 0; i < r->lags + r->h; i++)
        if (isnan(x[i])) return;
    for (int64_t i = 0; i < r->lags; i++) to[i] = (x[i] - x[r->lags - 1]) / scale;
    to[r->lags] = 1;
    for (int64_t i = 0; i < r->h; i++) to[n + i] = (x[r->lags + i] - x[r->lags - 1]) / scale;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k <= i; k++) r->xx[i * n + k] += to[i] * to[k];
        for (int64_t k = 0; k < r->h; k++) r->xy[i * r->h + k] += to[i] * to[n + k];
    }
    r->windows++;
}
laco_status lagged_fit(lagged *r, double penalty, laco_error *err)
{
    const int64_t n = r->lags + 1;
    if (!r->windows) return fail(err, LACO_EINVAL, -1, "no window of %lld values without a gap", (long long)r->lags);
    for (int64_t i = 0; i < n; i++) r->xx[i * n + i] += penalty * (double)r->windows + 1e-9;
    if (!cholesky_factor(n, r->xx)) return fail(err, LACO_ENUMERIC, -1, "the lagged linear model has no solution");
    cholesky_solve(n, r->xx, r->xy, r->h);
    return LACO_OK;
}
void lagged_forecast(const lagged *r, const double *x, double scale, double *out)
{
    double last = x[r->lags - 1];
    for (int64_t k = 0; k < r->h; k++) {
        double sum = r->xy[r->lags * r->h + k];
        for (int64_t i = 0; i < r->lags; i++) sum += (x[i] - last) / scale * r->xy[i * r->h + k];
        out[k] = last + scale * sum;
    }
}
