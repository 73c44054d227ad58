/* How good forecasts are. A right value y that is NaN does not count; what has nothing to count is NaN.

       MAE     mean |y - f|                     MSE     mean (y - f)^2                     RMSE    its root
       sMAPE   mean 200 |y - f| / (|y| + |f|)   0 where both are 0 (M4 competition: Makridakis et al. 2020)
       MASE    MAE / mean |x_t - x_{t-m}| over the history (Hyndman & Koehler 2006)
       OWA     (sMAPE / that of Naive2 + MASE / that of Naive2) / 2, of means over all series (M4)
       CRPS    of the quantiles q_1 .. q_K at levels p_1 .. p_K: 2/K sum of (y - q_k) (p_k - [y < q_k]), which the continuous
               ranked probability score is the limit of (Gneiting & Raftery 2007) */
#ifndef FORECAST_MEASURES_H
#define FORECAST_MEASURES_H
#include "base/base.h"

/* Sums over what was forecast. */
typedef struct measure_sum {
    double sum;
    int64_t n;
} measure_sum;
void measure_add(measure_sum *s, double x); /* NaN adds nothing */
double measure_mean(const measure_sum *s);  /* NaN: of nothing */

double measure_mae(const double *y, const double *f, int64_t n);
double measure_mse(const double *y, const double *f, int64_t n);
double measure_smape(const double *y, const double *f, int64_t n);
double measure_mase_scale(const double *x, int64_t n, int64_t m); /* of a history of n values; NaN: there is none */
double measure_crps(double y, const double *q, const double *level, int64_t n);
#endif
