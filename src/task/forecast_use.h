/* A forecast model with the data that it goes on with: what predict, eval and explain share. */
#ifndef FORECAST_USE_H
#define FORECAST_USE_H
#include "task/answers.h"
#include "task/forecast.h"

typedef struct forecast_use {
    task_job *j;
    laco_model *m;
    forecast_front f;
    forecast_data d;
    line *line; /* [series] */
    origin *origin;
    int64_t origins;
    forecast_levels levels;
    answers *out;
    forecast_plot *plot;
    evaluation e;
} forecast_use;
laco_status forecast_use_open(forecast_use *u, laco_error *err); /* j and m are set; levels are not */
/* The end of every series as an origin, with the lines and the covariates that answers from there read. */
laco_status forecast_use_ends(forecast_use *u, laco_error *err);
void forecast_use_close(forecast_use *u);
#endif
