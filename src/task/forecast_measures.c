#include "task/forecast_measures.h"
#include <math.h>

void measure_add(measure_sum *s, double x)
{
    if (!isnan(x)) s->sum += x, s->n++;
}
double measure_mean(const measure_sum *s) { return s->n ? s->sum / (double)s->n : NAN; }

typedef double error_of(double y, double f);
static double absolute(double y, double f) { return fabs(y - f); }
static double squared(double y, double f) { return (y - f) * (y - f); }
static double relative(double y, double f)
{
    double size = fabs(y) + fabs(f);
    return size > 0 ? 200 * fabs(y - f) / size : size; /* NaN stays NaN */
}
static double mean_error(const double *y, const double *f, int64_t n, error_of *error)
{
    measure_sum s = { 0 };
    for (int64_t i = 0; i < n; i++) measure_add(&s, error(y[i], f[i]));
    return measure_mean(&s);
}
double measure_mae(const double *y, const double *f, int64_t n) { return mean_error(y, f, n, absolute); }
double measure_mse(const double *y, const double *f, int64_t n) { return mean_error(y, f, n, squared); }
double measure_smape(const double *y, const double *f, int64_t n) { return mean_error(y, f, n, relative); }
double measure_mase_scale(const double *x, int64_t n, int64_t m)
{
    return n > m ? mean_error(x + m, x, n - m, absolute) : NAN;
}

double measure_crps(double y, const double *q, const double *level, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (y - q[i]) * (level[i] - (y < q[i]));
    return n ? 2 * sum / (double)n : NAN;
}
