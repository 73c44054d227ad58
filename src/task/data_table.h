/* What laco data gathers of a table, in memory that does not grow with its length. */
#ifndef DATA_TABLE_H
#define DATA_TABLE_H
#include "task/data_kinds.h"
#include "task/table_options.h"
#include "task/tally.h"

enum {
    EXAMPLES = 3,
    CELL_TEXT = 32,
    LONGEST_TEXT = 1 << 16, /* longer texts count as that long */
    ROW_LIMIT = 1 << 22,    /* of so many records it is known whether they are there twice */
    SERIES_LIMIT = 1 << 20,
    VALUE_LIMIT = 1 << 16, /* different values of a column, fewer where there are many columns */
};
/* How often each length was seen. */
typedef struct lengths {
    int64_t *count, n, room;
    bool failed;
} lengths;
void lengths_add(lengths *l, int64_t length);
length_summary lengths_summary(const lengths *l);
void lengths_free(lengths *l);

typedef struct column_look {
    char *name;
    int64_t missing, seen; /* cells */
    bool number, time;     /* every cell is */
    double min, max, sum;
    char first[CELL_TEXT], last[CELL_TEXT]; /* of times, as they are written */
    tally values;
    int64_t absent; /* of these stand for a missing one */
    lengths chars, words;
    bool equal, decides; /* every cell is that of the label; its value says what the label is, so far */
} column_look;
typedef struct table_look {
    task_job *j;
    table_input in;
    table_form form;
    column_look *column;
    int columns, room;
    int64_t rows, twice; /* twice: records that were there before */
    int64_t value_limit;
    tally records, labels, series;
    int label, id;  /* columns; -1: none */
    lengths filled; /* cells of a record up to the last that is not missing */
    int64_t test_rows, test_twice, test_series,
        test_both; /* of --test: records, those also in --data, series, likewise */
} table_look;

laco_status table_gather(table_look *t, laco_error *err);
void table_look_free(table_look *t);
column_type column_look_type(const column_look *c);
void table_report_text(const table_look *t, const char *path, buf *to);
void table_report_json(const table_look *t, const char *path, json_out *o);
#endif
