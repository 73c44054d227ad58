/* Forecasts of series: what training and using a model share.

       files -> forecast_data          series of numbers on a grid of times, covariates, static features
             -> line                   a series as the network sees it: logarithm, season taken off, running sums
             -> inputs and targets of a step, by the forecast_front that the model's file carries
             -> network                one that reads a series step by step
             -> heads                  what its outputs say, taken back into the units of the file

   Strategies, D targets, horizon H:
     direct      after every step the network answers all of the next H steps at once; it is trained at every step
                 ("forking sequences", MQ-RNN: Wen et al. 2017)
     recursive   it answers the next step alone, and reads its own answer to go on; distributions by paths that are drawn
     decoder     after the last step known it goes on through the H steps to come, which show a flag instead of values, and
                 answers each: one recurrent network that first encodes and then decodes */
#ifndef FORECAST_H
#define FORECAST_H
#include "base/json.h"
#include "data/table.h"
#include "format/model.h"
#include "loss/heads.h"
#include "task/forecast_measures.h"
#include "task/task.h"
#include "train/trainer.h"

/* ---- times ---- src/task/forecast_time.c */
typedef struct time_step {
    double seconds; /* 0: months; both 0: there are no times, steps are counted */
    int months;
    bool numbers; /* the file counts in plain numbers, which are no dates */
} time_step;
enum { CALENDAR_HOUR = 1, CALENDAR_WEEKDAY = 2, CALENDAR_MONTHDAY = 4, CALENDAR_YEAR = 8, CALENDARS = 4 };
extern const char *const calendar_names[CALENDARS + 1];
/* From the n - 1 differences of times, of those that rise: their median (NaN: between series); 28 to 31 days are a month, but of plain numbers. */
laco_status time_step_of(const double *time, int64_t n, bool numbers, time_step *out, laco_error *err);
double time_after(double time, time_step s, int64_t steps);
/* Steps from one time to a later one; false: it lies between two steps. */
bool time_steps_between(double from, double to, time_step s, int64_t *steps);
void time_text(double time, time_step s, char to[32]); /* 2016-07-01 00:00:00, the date alone, or the number */
int time_calendar(double time, int calendars, float *to); /* sine and cosine of each; how many numbers */
int64_t time_season(time_step s);                         /* steps of the usual season; 1: none */
int time_calendar_auto(time_step s, int64_t steps);

/* ---- data ---- src/task/forecast_read.c */
typedef struct name_list {
    char **name;
    int64_t n;
} name_list;
typedef struct forecast_data {
    int64_t count, targets, past, future, statics; /* series; columns of each kind */
    name_list target, past_name, future_name, static_name;
    char **name;     /* [count] or NULL: one series without a name */
    int64_t *start;  /* [count + 1] */
    int64_t *known;  /* [count] steps with values; those behind have only covariates that are known before */
    double *y;       /* [steps][targets] NaN: missing */
    double *time;    /* [steps] or NULL */
    double *past_x, *future_x; /* [steps][past], [steps][future] */
    char **static_x; /* [count][statics] text */
    int64_t *line;   /* [steps] of the file; 0: the step is not in it */
    time_step step;
    int64_t masked;  /* steps that a gap of the times put in */
    char *file;
} forecast_data;
typedef struct forecast_columns {
    bool wide, sort, independent; /* independent: every target becomes a series */
    enum { GAPS_ERROR, GAPS_MASK, GAPS_IGNORE } gaps;
    char *time, *id; /* NULL: none */
    name_list target, past, future, statics; /* target: {NULL, 0}: all columns of numbers */
    bool part;      /* of a table that goes on: nothing is asked of a column as a whole */
    time_step step; /* of the times; zeros: it is seen from them */
} forecast_columns;
laco_status forecast_read(forecast_data *out, task_job *j, int which, const forecast_columns *c, laco_error *err);
laco_status forecast_from_table(forecast_data *out, const table *t, const forecast_columns *c, bool decimal_comma,
                                laco_error *err);
void forecast_data_free(forecast_data *d);
laco_status forecast_append(forecast_data *d, const forecast_data *more, laco_error *err); /* by name: what came after */
laco_status name_list_split(name_list *out, const char *text, laco_error *err);            /* at commas */
laco_status name_list_copy(name_list *out, const name_list *from, laco_error *err);
void name_list_free(name_list *l);
void forecast_columns_free(forecast_columns *c);

/* ---- front ---- src/task/forecast_front.c: how inputs are made; JSON in the metadata "front" */
typedef enum forecast_way { WAY_DIRECT, WAY_RECURSIVE, WAY_DECODER } forecast_way;
typedef enum forecast_scale { SCALE_NONE, SCALE_SERIES, SCALE_MEAN, SCALE_WINDOW, SCALE_LEVEL, SCALE_REVIN } forecast_scale;
enum { MOST_LAGS = 16, MOST_TARGETS = 1024 };
typedef struct covariate {
    double mean, deviation;
    bool masked;      /* some are missing: a second number says which */
    name_list values; /* of a static column of words: one number each; n 0: it is a number */
} covariate;
typedef struct known_series {
    char *name;              /* or NULL */
    double *mean, *deviation; /* [targets] of the part that was trained on */
} known_series;
/* How far intervals are moved: src/task/forecast_calibrate.c. */
enum { CALIBRATION_GROUPS = 8, CALIBRATION_PAIRS = LOSS_LEVELS / 2 };
typedef struct calibration {
    int64_t groups, pairs;               /* of steps of the horizon, of quantiles; 0: nothing is moved */
    double coverage[CALIBRATION_PAIRS];  /* rising */
    double by[CALIBRATION_GROUPS][CALIBRATION_PAIRS]; /* shares of the width */
    int64_t values, held[CALIBRATION_PAIRS]; /* that it was learnt from; of them inside before */
} calibration;
typedef struct forecast_front {
    forecast_columns columns;
    time_step step;
    forecast_way way;
    forecast_scale scale;
    loss_kind loss;
    loss_options loss_options;
    int64_t targets, horizon, window, season, span; /* span: steps that the scales window and level look back over */
    int64_t lags, lag[MOST_LAGS], difference, deseasonalise; /* 0: none */
    bool log, masked;         /* masked: a number beside each target says where it is missing */
    bool smooth;              /* --model es-rnn: the first layer reads a value and the number of its series */
    int64_t second_season;    /* of it; 0: none */
    int calendar;
    covariate *past, *future, *statics;
    known_series *series;
    int64_t known;
    calibration calibration;
} forecast_front;
/* From the options; the data say what is "auto". Scales of covariates and series are those of the first train[i] steps
   of series i. */
laco_status forecast_make(forecast_front *f, const options *o, const forecast_data *d, const kernels *k, laco_error *err);
laco_status forecast_learn(forecast_front *f, const forecast_data *d, const int64_t *train, laco_error *err);
laco_status forecast_columns_of(forecast_columns *c, const options *o, laco_error *err);
laco_status forecast_to_json(const forecast_front *f, buf *out, laco_error *err);
laco_status forecast_from_model(forecast_front *f, const laco_model *m, laco_error *err);
void forecast_free(forecast_front *f);
int64_t forecast_inputs(const forecast_front *f);
int64_t forecast_targets(const forecast_front *f);  /* targets of a step: steps ahead x targets */
int64_t forecast_ahead(const forecast_front *f);    /* steps ahead: the horizon, or 1 */

/* ---- --model es-rnn ---- src/task/forecast_smooth.c: exponential smoothing of each series in the network */
enum { FORECAST_WHOLE = 1 << 24 }; /* a window of series that are read from their beginning */
bool forecast_is_smooth(const options *o);
laco_status forecast_smooth_make(forecast_front *f, const options *o, const forecast_data *d, laco_error *err);
void forecast_smooth_text(const forecast_front *f, const options *o, buf *out);
int64_t forecast_smooth_quiet(const forecast_front *f, int64_t n); /* first steps of n that are only read */

/* ---- lines ---- src/task/forecast_line.c: a series as the network sees it */
typedef struct line {
    const forecast_front *f;
    const forecast_data *d;
    int64_t series, from, n, cap; /* which; steps from..n are held; room */
    int64_t known;                /* its place among the series of the front */
    double *v;                    /* [cap][targets] logarithm, without season; NaN: missing */
    double *sum, *square, *count; /* [cap + 1][targets] running, of v - shift */
    double *shift, *mean, *deviation; /* [targets] */
    double *index;                /* [targets][deseasonalise] */
    bool *multiplies;             /* [targets] the index does; else it is added */
} line;
/* Of a series, whose first `train` steps say its scale and season. */
laco_status line_make(line *l, const forecast_front *f, const forecast_data *d, int64_t series, int64_t train,
                      laco_error *err);
/* The scale that the front remembers of the series, or of the one there was; false: it knows it not. */
bool line_adopt(line *l);
/* What answers read of the steps before `n`, with room for `more`. */
laco_status line_copy(line *to, const line *l, int64_t n, int64_t more, laco_error *err);
void line_free(line *l);
void line_add(line *l, const double *v);                         /* one more step */
double line_at(const line *l, int64_t t, int64_t d);             /* NaN: missing, or not held */
double line_back(const line *l, int64_t t, int64_t d, double v); /* in the units of the file */
/* Inputs of step t of a row whose last known step is `end`; beyond it a step of the decoder. */
void line_inputs(const line *l, int64_t t, int64_t end, float *x);
/* Targets of step t, [ahead][targets]: NaN where missing, not before `stop`, or not asked for; *unit of counts. */
void line_targets(const line *l, int64_t t, int64_t end, int64_t stop, float *y, float *unit);
/* The level and seasons of each series, as its first steps have them. */
laco_status forecast_smooth_begin(net *n, const forecast_front *f, const line *lines, const int64_t *train,
                                  laco_error *err);
/* What an answer to the h-th step behind t is multiplied with, and what is added then, to be a v. */
void line_scale(const line *l, int64_t t, int64_t end, int64_t h, int64_t d, double *a, double *b);

/* ---- answers ---- src/task/forecast_answer.c */
typedef struct origin {
    int64_t series, end; /* the last step known */
} origin;
typedef struct forecast_levels {
    int64_t n;
    double level[LOSS_LEVELS];
} forecast_levels;
void forecast_levels_of(const forecast_front *f, double interval, forecast_levels *out); /* n 0: a single number is answered */
/* answer: [horizon][targets][1 + levels]: the median, then the quantiles. */
typedef laco_status answer_fn(void *ctx, const origin *o, const double *answer, laco_error *err);
typedef struct answer_wish {
    const forecast_front *f;
    net *n;            /* loaded to run */
    const line *line;  /* [series] */
    const origin *origin;
    int64_t origins, paths;
    uint64_t seed;
    const forecast_levels *levels;
    const volatile int *stop;
    answer_fn *answer;
    /* or only what the network says of the next step, of each target, in the units of the line */
    laco_status (*first)(void *ctx, const origin *o, int64_t target, const head *h, laco_error *err);
    void *ctx;
} answer_wish;
laco_status forecast_answer(const answer_wish *w, laco_error *err);

/* ---- calibration ---- src/task/forecast_calibrate.c */
/* From the answers to the origins of a wish, whose front has none yet; without origins or pairs of levels there is none. */
laco_status calibration_learn(calibration *c, const answer_wish *wish, const forecast_data *d, laco_error *err);
void calibration_apply(const forecast_front *f, const forecast_levels *levels, double *answer);

/* ---- pictures and files ---- src/task/forecast_show.c */
typedef struct forecast_plot forecast_plot;
/* Of --svg and --svg-series; *out NULL without them. The last origin of a series is the one that is drawn. */
laco_status plot_open(forecast_plot **out, const task_job *j, const forecast_front *f, const forecast_data *d,
                      const forecast_levels *levels, laco_error *err);
laco_status plot_add(forecast_plot *p, const origin *o, const double *answer, laco_error *err);
laco_status plot_write(forecast_plot *p, laco_error *err);
void plot_free(forecast_plot *p);
/* "2016-07-01", or the number of the step from 1, h steps behind an origin. */
void forecast_when(const forecast_data *d, const origin *o, int64_t h, char to[32]);

/* ---- scores ---- src/task/forecast_score.c: a network beside forecasts without one */
enum { METHOD_NAIVE, METHOD_SEASONAL, METHOD_NAIVE2, METHOD_THETA, METHOD_LINEAR, METHOD_BESIDE, METHOD_NETWORK, METHODS };
typedef struct method_score {
    measure_sum mae, mse, smape, mase, crps, covered;
} method_score;
typedef struct evaluation {
    const forecast_front *f;
    const forecast_data *d;
    const forecast_levels *levels;
    int64_t origins;
    int64_t low, high;        /* levels of the interval; -1: there is none */
    bool standardised;        /* errors of (y - mean) / deviation of the part that was trained on */
    double interval;
    double *mean, *deviation; /* [series][targets] of that part */
    double *change, *changes; /* [steps][targets] running sum of |x_t - x_{t-m}|, how many */
    double *y, *point, *q;    /* [horizon] of one target; [levels] of a step */
    method_score method[METHODS];
} evaluation;
laco_status evaluation_open(evaluation *e, const forecast_front *f, const forecast_data *d, const int64_t *train,
                            const forecast_levels *levels, double interval, bool standardised, laco_error *err);
/* answer: as answer_fn has it, with e->levels or, of methods that answer single numbers, none. */
void evaluation_add(evaluation *e, int method, const origin *o, const double *answer, int64_t levels);
/* The linear model learns from the first train[i] steps of each series. */
laco_status evaluation_baselines(evaluation *e, task_job *j, const origin *o, int64_t n, const int64_t *train, laco_error *err);
void evaluation_report(const evaluation *e, const task_job *j);
void evaluation_json(const evaluation *e, json_out *o);           /* a member for every method */
void evaluation_figures(const evaluation *e, int method, json_out *o); /* members of an object */
double evaluation_owa(const evaluation *e, int method);
void evaluation_close(evaluation *e);
#endif
