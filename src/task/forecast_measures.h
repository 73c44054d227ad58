/* How good forecasts are. A right value y that is NaN does not count; what has nothing to count is NaN.

       MAE     mean |y - f|                     MSE     mean (y - f)^2                     RMSE    its root
       sMAPE   mean 200 |y - f| / (|y| + |f|)   0 where both are 0 (M4 competition: Makridakis et al. 2020)
       MASE    MAE / mean |x_t - x_{t-m}| over the history (Hyndman & Koehler 2006)
       OWA     (sMAPE / that of Naive2 + MASE / that of Naive2) / 2, of means over all series (M4)
       pinball of the quantile q at level p: (y - q) (p - [y < q])
       CRPS    integral of (F(z) - [z >= y])^2: of levels p_1 .. p_K as 2/K sum of pinball(p_k); of a normal distribution
               in closed form, s (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)), z = (y - m)/s (Gneiting & Raftery 2007) */
#ifndef FORECAST_MEASURES_H
#define FORECAST_MEASURES_H
#include "base/base.h"

/* Sums over what was forecast; means come from measure_mean. */
typedef struct measure_sum {
    double sum;
    int64_t n;
} measure_sum;
void measure_add(measure_sum *s, double x); /* NaN adds nothing */
double measure_mean(const measure_sum *s);  /* NaN: of nothing */

double measure_mae(const double *y, const double *f, int64_t n);
double measure_mse(const double *y, const double *f, int64_t n);
double measure_smape(const double *y, const double *f, int64_t n);
double measure_mase_scale(const double *x, int64_t n, int64_t m); /* of a history of n values, NaN without a pair */
double measure_pinball(double y, double q, double level);
double measure_crps_levels(double y, const double *q, const double *level, int64_t n);
double measure_crps_normal(double y, double mean, double deviation);
#endif
