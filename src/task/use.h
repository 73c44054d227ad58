/* Using a model: what laco predict, eval, explain, sample and score ask of the task that trained it. One row of
   use_tasks for every task, found by the metadata "task" of the model. */
#ifndef USE_H
#define USE_H
#include "format/model.h"
#include "task/task.h"

typedef laco_status use_fn(task_job *j, laco_model *m, laco_error *err);
typedef struct use_task {
    const char *name; /* "classify" */
    use_fn *predict;  /* answers for new data, in their order, a part at a time; NULL: the task has no such thing */
    use_fn *eval;     /* metrics beside baselines on data with answers */
    use_fn *explain;  /* what each step contributed */
    use_fn *sample;   /* draws something new */
    use_fn *score;    /* how likely it is */
    use_fn *anomaly;  /* how little each step was to be expected */
} use_task;
extern const use_task use_tasks[]; /* src/task/use.c; ends in a NULL name */
/* The commands predict_run, eval_run and so on (src/task/task.h) load the model and find its row. */
use_fn lm_eval, lm_explain, lm_sample, lm_score;
use_fn classify_predict, classify_eval, classify_explain;
use_fn tag_predict, tag_eval, tag_explain;
use_fn forecast_predict, forecast_eval, forecast_explain, forecast_anomaly;
use_fn compose_eval, compose_explain, compose_sample;
use_fn esn_predict, esn_eval;
#endif
