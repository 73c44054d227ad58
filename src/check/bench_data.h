/* Reading tables: text made here, in memory, read a chunk at a time as every task does, beside a plain search of it. */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H
#include "base/base.h"
typedef struct data_work data_work;
typedef struct data_row {
    const char *name;
    int format; /* table_format; TABLE_GUESS: a search for a byte that is not there */
    double bar; /* MB/s; 0: none */
} data_row;
const data_row *data_rows(void); /* ends in a NULL name */
laco_status data_work_new(data_work **out, const data_row *row, laco_error *err);
void data_work_run(void *w);
double data_work_bytes(const data_work *w);
laco_status data_work_status(const data_work *w);
void data_work_free(data_work *w); /* NULL is fine */
#endif
