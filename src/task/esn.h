/* laco esn: what training and using echo state networks of series share.

   At step t of a series the network reads u(t) = [drivers(t), y(t-1)] and answers y(t + h - 1), h the horizon: without
   drivers the next values from the series itself; with them what follows from them, and y(t-1) with --feedback alone.
   Values are brought to mean 0 and deviation 1 of what was trained on. A driver that is missing keeps its last value; a
   y(t-1) that is missing is what the network answered (in training, the last value); a target that is missing does not
   count. */
#ifndef ESN_H
#define ESN_H
#include "base/json.h"
#include "reservoir/echo.h"
#include "task/answers.h"
#include "task/forecast.h"
#include "task/table_options.h"

typedef struct esn_front {
    forecast_columns columns; /* target; future: the drivers */
    int64_t targets, drivers, horizon, washout;
    bool own;                 /* y(t-1) is read */
    bool saved;               /* it is that of a model */
    double *mean, *deviation; /* [targets + drivers] */
    double *residual;         /* [targets] deviation of what the answers missed in training, in scaled units */
    double *flag;             /* [targets] |error| / residual that a share of 0.001 of the training steps exceeds */
} esn_front;
void esn_front_free(esn_front *f);
laco_status esn_front_new(esn_front *f, laco_error *err); /* takes the arrays, once the counts are known */
laco_status esn_kernels(const kernels **out, const options *o, laco_error *err); /* as --precision says */
int64_t esn_inputs(const esn_front *f);
laco_status esn_to_json(const esn_front *f, buf *out, laco_error *err);
laco_status esn_from_model(esn_front *f, const laco_model *m, laco_error *err);
laco_status esn_columns_of(forecast_columns *c, const options *o, laco_error *err);
/* LACO_EFORMAT when a value is infinite. */
laco_status esn_read(forecast_data *d, task_job *j, int which, esn_front *f, laco_error *err);
/* A first line that is the name of the only target alone begins a table of that column. */
laco_status esn_open(table_input *in, task_job *j, const esn_front *f, laco_error *err);
laco_status esn_close(table_input *in, laco_status st, laco_error *err); /* returns the first error */
/* A table of one column: it is the target, and that of a model with one column alone, whatever its name. */
void esn_by_place(esn_front *f, const table *t);
laco_status esn_check(const forecast_data *d, laco_error *err); /* the same of data that were read */

/* A series, scaled. */
typedef struct esn_series {
    int64_t n;
    double *u, *y; /* [n][inputs] as training reads it; [n][targets] the values at t, NaN: missing */
    double *ahead; /* [n][targets] what is to be answered at t */
} esn_series;
laco_status esn_series_of(esn_series *s, const esn_front *f, const forecast_data *d, int64_t series, laco_error *err);
void esn_series_free(esn_series *s);

/* Inputs of step t; before: what was answered at the step before, or NULL. */
void esn_inputs_at(const esn_front *f, const esn_series *s, int64_t t, const double *before, double *u);
/* Steps from .. to of a run that goes on: answer [to - from][targets], scaled. Behind step free_from answers stand in
   for y(t-1). LACO_ENUMERIC when they grow without bound. */
laco_status esn_follow(echo *e, const esn_front *f, const esn_series *s, int64_t from, int64_t to, int64_t free_from,
                       double *answer, const volatile int *stop, laco_error *err);

/* Errors of answers, in scaled units: over targets and steps that are known. */
typedef struct esn_error {
    double square, variance, n; /* variance: of the truth about its mean over the same steps */
} esn_error;
esn_error esn_error_of(const double *answer, const double *truth, int64_t steps, int64_t targets);
double esn_nrmse(const esn_error *e); /* root of mean square error by variance */

/* A model at work: laco esn run and generate, laco predict and eval. */
typedef struct esn_use {
    task_job *j;
    laco_model *m;
    esn_front f;
    echo e;
    pool *pool;
    answers *out; /* NULL: figures alone are asked for */
} esn_use;
laco_status esn_use_open(esn_use *r, task_job *j, laco_error *err); /* loads --precision, or double */
laco_status esn_use_close(esn_use *r, laco_status st, laco_error *err);
double esn_back(const esn_front *f, int64_t k, double x); /* target k in the units of the file */
/* Answers go to --out, or to standard output where --json does not ask for figures alone. */
laco_status esn_answers_open(esn_use *r, bool score, laco_error *err);
void esn_answers_when(esn_use *r, const char *when, int64_t step); /* when NULL: the step, from 0 */
void esn_answers_values(esn_use *r, const double *x);              /* of every target, scaled */

/* SVG: the head of a picture with the style of its charts; its end, and into the file that the option names. */
void esn_picture_begin(buf *to, int width, int64_t height);
laco_status esn_picture_end(const task_job *j, const char *option, buf *all, laco_error *err);
/* Charts of the truth and the answers, scaled, from step `first` of the series on, and one of the attractor: to --svg,
   where that is given. */
laco_status esn_plot(const task_job *j, const esn_front *f, const double *truth, const double *answer, int64_t steps,
                     int64_t first, laco_error *err);
#endif
