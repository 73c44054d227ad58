/* A training task run several times, over seeds (--repeat) and folds (--folds): mean and deviation of its figures. */
#ifndef REPEAT_H
#define REPEAT_H
#include "task/task.h"

/* --repeat above 1, or --folds without --fold? */
bool repeat_wanted(const task_job *j);
/* All runs, or the one there is. --out has the best model; j->score is the mean. With --checkpoint run k keeps its
   checkpoints in the sub-folder run-k, and what is there goes on. */
laco_status repeat_run(task_fn *run, task_job *j, laco_error *err);

/* Which of --folds a run leaves out, from 0 on; 0 without --folds. LACO_EINVAL when `count` things do not fill them. */
laco_status task_fold(const options *o, int64_t count, const char *things, int64_t *fold, laco_error *err);

/* Of n numbers; the deviation of a sample, with n - 1; 0 for one number. */
void mean_deviation(const double *x, int64_t n, double *mean, double *deviation);

/* The watch of a part of a job: its progress is shown as progress of the whole, its remarks are not heard. */
typedef struct part_watch {
    laco_watch watch; /* for the part */
    task_job *whole;
    const char *phase;      /* shown with a percentage; NULL: as the part shows it */
    double before, share;   /* of the whole: done before the part; its own */
    double began, began_at; /* clock, share done, when the whole began */
} part_watch;
void part_watch_init(part_watch *w, task_job *whole, double began_at);
#endif
