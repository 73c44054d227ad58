/* Kinds of data that laco data describes. A reader adds its row to data_kinds.c; the first that recognises a file has
   it, and tables, the last, take what is left. */
#ifndef DATA_KINDS_H
#define DATA_KINDS_H
#include "base/json.h"
#include "task/task.h"

/* head: the first bytes, expanded when it is gzip (NULL and 0: a folder, or standard input, which is a table). */
typedef bool data_recognises(const char *path, bool folder, const char *head, size_t n);
/* Writes the description, text through task_out or with --json an object into j->result; `path` is --data. */
typedef laco_status data_describe(task_job *j, const char *path, laco_error *err);
typedef struct data_kind {
    const char *name; /* "table" */
    data_recognises *recognises;
    data_describe *describe;
} data_kind;
extern const data_kind data_kinds[];                  /* ends in a NULL name */
bool path_ends_in(const char *path, const char *end); /* in small or capital letters, .gz at the end left out */

/* What lengths there are, for descriptions: sorts them. */
typedef struct length_summary {
    int64_t n, min, median, most, max; /* most: 95 % are at most so long */
} length_summary;
length_summary summarise_lengths(int64_t *length, int64_t n);
/* "lengths   7 to 29 steps, median 15, 95 % at most 24" */
void lengths_text(buf *to, const char *what, const char *unit, const length_summary *s);
void lengths_json(json_out *o, const char *key, const length_summary *s); /* {"min":…,"median":…,"p95":…,"max":…} */

data_recognises recognises_conll, recognises_rolls, recognises_series;
data_describe describe_conll, describe_rolls, describe_series, describe_table;
#endif
