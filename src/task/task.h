/* What a job hands to the task that does it, and how the task speaks to whoever watches. */
#ifndef TASK_H
#define TASK_H
#include "base/file.h"
#include "base/option.h"

enum { TEXT_DATA, TEXT_VALID, TEXT_TEST, TEXTS };
typedef struct task_job {
    const options *o;
    char *text[TEXTS];      /* given from memory; NULL: read the file that the option names */
    size_t length[TEXTS];
    const laco_watch *watch;
    const volatile int *stop;
    buf *result;            /* one JSON object */
    const char *command;    /* "train lm" */
    const char *resume;     /* the folder of checkpoints of the run that goes on; NULL: a new one */
    uint64_t data_hash;     /* of the bytes that task_read has given so far */
    int64_t bad_bytes;      /* of the file of --skip-bad: what was left out of the files read so far */
    double score;           /* of the run: the figure that chose its best model, the smaller the better */
    double shown;           /* when progress was last shown */
    int64_t groups;         /* set by a run that leaves out one of --group: how many there are */
    char part[64];          /* … the name of the one that it left out */
} task_job;
typedef laco_status task_fn(task_job *j, laco_error *err);

void task_note(const task_job *j, const char *format, ...) __attribute__((format(printf, 2, 3)));
void task_out(const task_job *j, const char *bytes, size_t n);
void task_out_buf(const task_job *j, buf *b);    /* hands it over and empties it */
bool task_wants_progress(task_job *j);           /* not oftener than ten times a second */
void task_progress(task_job *j, const laco_progress *p);
/* The bytes of --data, --valid or --test; *bytes NULL when neither given. Freed with mem_free. */
laco_status task_read(task_job *j, int which, char **bytes, size_t *n, const char **name, laco_error *err);
/* Writing to a file that is also read, or written by another option, would lose it: LACO_EINVAL when the option names
   one. */
laco_status task_refuse_overwriting(const task_job *j, const char *option, laco_error *err);
/* 1234567 as "1,234,567", in `to` */
const char *task_count(int64_t n, char to[32]);

/* The rows of task functions; src/api/job.c names the commands. */
task_fn lm_train, synthetic_train, compose_train, classify_train, tag_train, forecast_train, esn_train, esn_run_job, esn_generate, predict_run, eval_run, explain_run, sample_run, score_run, anomaly_run, model_info, run_stream, run_selftest, run_bench, diagnose, compare_gradients;
task_fn data_look;
/* src/task/esn_*.c; info, series and bench of laco esn */
task_fn esn_info, esn_series_job, esn_bench;
#endif
