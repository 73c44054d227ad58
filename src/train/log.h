/* The log of a training run: one record of named figures at a time, in the format that the path asks for.

   PATH.csv                        a header line, then a row for each record; the first record fixes the columns
   a folder, or *tfevents*         TensorBoard event files; in a folder the file is events.out.tfevents.laco
   any other                       JSON lines: {"step":12,"loss":1.5}; a figure that is not finite is null */
#ifndef LOG_H
#define LOG_H
#include "base/base.h"

typedef struct train_log train_log;
/* position: bytes that stay of what is there, as log_position said them in the run that goes on; -1: all of them. A
   path that ends in / names a folder, which is made. */
laco_status log_open(train_log **out, const char *path, int64_t position, laco_error *err);
/* In CSV a figure without a column is left out, a column without a figure stays empty. Names are short and plain. */
laco_status log_record(train_log *l, int64_t step, const char *const *names, const double *values, int n,
                       laco_error *err);
int64_t log_position(const train_log *l);
void log_close(train_log *l);

uint32_t log_crc32c(const void *bytes, size_t n); /* Castagnoli: of the event files */
#endif
