/* What the two halves of laco esn train share: esn_train.c, which trains, and esn_measure.c, which says how well. */
#ifndef ESN_TRAIN_H
#define ESN_TRAIN_H
#include "task/esn.h"

typedef enum { READOUT_RIDGE, READOUT_RLS, READOUT_LMS, READOUT_FORCE } readout;
enum { PART_TRAIN, PART_VALID, PART_TEST, PART_AHEAD, PARTS }; /* ahead: the last step of free runs */
typedef struct predictor {
    esn_error part[PARTS];
} predictor;
typedef struct training {
    task_job *j;
    const options *o;
    esn_front f;
    forecast_data d;
    esn_series *s; /* [series] */
    int64_t *train,
        *valid;          /* [series] where the steps to train on end, and those to validate on; the rest is the test */
    int64_t ahead, rows; /* rows that the readout was solved from */
    readout how;
    echo e;
    pool *pool;
    laco_model *m;
    double *w, *b; /* of the readout */
    ridge_result solved;
    predictor network, persistence, linear;
    int64_t lags, forgets; /* of the autoregression; steps that the states remember, -1: longer than the data */
    bool choosing;         /* a ridge: free runs start in steps that are no test */
    int64_t free_runs, diverged; /* of --ahead */
    double seconds, rate;  /* of gathering and solving; steps a second */
    const char *phase;     /* for whoever watches */
    int64_t done, total;   /* steps of it */
} training;
/* So many steps of the phase are done: shows it; LACO_ESTOPPED when the job is to stop. */
laco_status esn_go_on(training *r, int64_t steps, laco_error *err);
int64_t esn_learnable(const training *r, int64_t i); /* steps of series i whose target lies in the part to train on */
laco_status esn_measure_network(training *r, laco_error *err);
laco_status esn_measure_part(training *r, int part, double *nrmse, laco_error *err); /* of the readout as it is */
laco_status esn_measure_others(training *r, laco_error *err); /* the last value, and a linear autoregression */
void esn_report(const training *r);
void esn_result_json(training *r);
#endif
