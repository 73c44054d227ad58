/* Forecasts without a network, of one series of n values: the next h. m: steps of a season, 1 for none.

   naive      the last value
   seasonal   the value of the last season at that step
   naive2     the last value of the series without its season, with the season put back (M4's benchmark)
   theta      of the series without its season: the mean of its regression line and of simple exponential smoothing of
              2 x - that line (Assimakopoulos & Nikolopoulos 2000; M4's benchmark)

   A series has a season where its autocorrelation at lag m is outside 1.645 sqrt((1 + 2 sum of r_k^2, k < m) / n) and n >=
   3 m. The season is that of classical multiplicative decomposition: mean ratio to the centred moving average over m
   steps, at each step of the season, their mean 1. A series with values of 0 or below has no such ratios: there it is
   that of the differences, with mean 0.

   A value that is NaN is missing: naive and seasonal take the last one that is there; the others read it in place of the
   missing one. Without any value all answers are NaN. */
#ifndef FORECAST_BASELINES_H
#define FORECAST_BASELINES_H
#include "base/base.h"

typedef laco_status baseline_fn(const double *x, int64_t n, int64_t m, int64_t h, double *out, laco_error *err);
baseline_fn baseline_naive, baseline_seasonal, baseline_naive2, baseline_theta;

bool baseline_has_season(const double *x, int64_t n, int64_t m);
/* index[m]: of step t the one at t % m. multiplicative: ratios of mean 1; else differences of mean 0. Missing values are
   left out; a step of the season without any is 1, or 0. */
void baseline_season(const double *x, int64_t n, int64_t m, bool multiplicative, double *index);

/* A linear model from the last `lags` values to each of the next h, the same for all series: ridge regression on windows
   less their last value (NLinear: Zeng et al. 2023), divided by the scale of their series. */
typedef struct lagged lagged;
laco_status lagged_new(lagged **out, int64_t lags, int64_t h, laco_error *err);
/* lags + h values, one after the other; windows with NaN are left out */
void lagged_add(lagged *r, const double *x, double scale);
laco_status lagged_fit(lagged *r, double penalty, laco_error *err); /* penalty: of the number of windows */
void lagged_forecast(const lagged *r, const double *x, double scale, double *out); /* from `lags` values */
void lagged_free(lagged *r);
#endif
