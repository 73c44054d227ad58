/* Tables of a job: the options --format, --delimiter, --decimal-comma, --no-header and --skip-bad, and the file that
   the records go to which are left out. To use: table_input_open, one or several task_read_table or task_open_table,
   table_input_close. */
#ifndef TABLE_OPTIONS_H
#define TABLE_OPTIONS_H
#include "data/table.h"
#include "task/task.h"

/* Of tables of series that are answered part by part: records of a part; names that are remembered, so that a series
   that comes back is told from a new one. */
enum { RUN_RECORDS = 1 << 14, RUN_NAMES = 1 << 16 };
typedef struct table_input {
    table_options o; /* `bad` and `ctx` point into this: it must stay where it is */
    task_job *j;
    file_log *log;          /* of --skip-bad */
    int64_t skipped, first; /* records left out; the line of the first */
    char why[160];          /* of the first */
    laco_status status;     /* of writing them */
    laco_error err;
} table_input;
laco_status table_input_open(table_input *in, task_job *j, laco_error *err);
/* Ends the file and remarks how many records were left out, if any. */
laco_status table_input_close(table_input *in, laco_error *err);

/* The file of --skip-bad, or *out NULL without it: behind what earlier files of the job left out. */
laco_status task_open_bad(file_log **out, task_job *j, laco_error *err);
void task_close_bad(file_log *l, task_job *j);

/* --data, --valid or --test as a table (a file, or text given to the job), hashed for resume; *out NULL when it is not
   given. */
laco_status task_read_table(table_input *in, int which, table **out, laco_error *err);
/* The same a chunk at a time, without hash, for data of any length; *out NULL when it is not given. */
laco_status task_open_table(table_input *in, int which, table_reader **out, laco_error *err);
#endif
