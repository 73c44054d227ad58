/* Sets of series and sounds of a job: the options that say how sounds are read (--mels … --resample) and what is made of
   their steps (--deltas, --scale, --stack); threads, and with --skip-bad the file that the sounds go to which are left
   out. */
#ifndef SERIES_OPTIONS_H
#define SERIES_OPTIONS_H
#include "data/prepare.h"
#include "data/readers.h"
#include "task/task.h"

/* --stack is not an option of every command. */
laco_status task_preparation(preparation *p, const options *o, laco_error *err);
/* series_read_parts with --threads and --skip-bad in o. */
laco_status task_read_series(const char *path, series_options o, const series_parts *to, task_job *j, laco_error *err);
#endif
