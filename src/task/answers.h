/* Answers of laco predict: rows of cells under columns that are declared once, as CSV (RFC 4180) or with --json as JSON
   lines, to standard output as they are made, or with --out to a file that is there whole or not at all.

       answers_open, answers_column …, then for every row its cells in the order of the columns and answers_row;
       answers_pause whenever the input lets one wait; answers_close.

   Errors on the way are kept and come out of the next answers_row. */
#ifndef ANSWERS_H
#define ANSWERS_H
#include "task/task.h"

typedef struct answers answers;
laco_status answers_open(answers **out, task_job *j, laco_error *err); /* by --out and --json */
void answers_csv(answers *a); /* whatever --json says, of commands where it asks for figures */
void answers_column(answers *a, const char *name);
/* n columns "name part", in JSON one member "name": {"part": cell, …}. part NULL: "name 1", …; in JSON a list. */
void answers_group(answers *a, const char *name, const char *const *part, int64_t n);

void answers_text(answers *a, const char *s, size_t n);
void answers_number(answers *a, double x); /* so that it reads back to the same double; NaN and infinity: missing */
void answers_real(answers *a, float x);    /* … to the same float */
void answers_int(answers *a, int64_t x);
void answers_missing(answers *a);
laco_status answers_row(answers *a, laco_error *err);   /* ends it; cells that were not given are missing */
laco_status answers_pause(answers *a, laco_error *err); /* hands over what there is */
int64_t answers_rows(const answers *a);
/* Whole (the file appears), and freed; after an error, or when st is one, the file is left as it was. NULL is fine.
   Returns the first error. */
laco_status answers_close(answers *a, laco_status st, laco_error *err);

/* The `most` likeliest of n answers, most <= n, in order; of equals the first one comes first. */
void answers_rank(const double *p, int32_t n, int64_t most, int32_t *order);
#endif
