/* Using a model: what laco predict, eval and explain ask of the task that trained it. One row of use_tasks for every
   task, found by the metadata "task" of the model. */
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
} use_task;
extern const use_task use_tasks[]; /* src/task/use.c; ends in a NULL name */
task_fn predict_run, eval_run, explain_run; /* the commands: they load the model and find the row */
#endif
