/* laco anomaly: how little each value of a series was to be expected, from a forecast model. */
#ifndef ANOMALY_H
#define ANOMALY_H
#include "task/forecast.h"
#include "task/use.h"

/* ---- src/task/forecast_tail.c ---- series that come a part at a time: the steps that are still read, and the new */
typedef struct forecast_tail {
    forecast_data d; /* of every series what was kept, then what is new */
    int64_t *fresh;  /* [series] the first new step, from the beginning of the series in d */
} forecast_tail;
/* Adds what came; of what was there before it keeps `keep` steps of each series. */
laco_status forecast_tail_add(forecast_tail *t, const forecast_front *f, const forecast_data *more, int64_t keep,
                              laco_error *err);
void forecast_tail_free(forecast_tail *t);
#endif
