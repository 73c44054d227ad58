/* Tables: records of cells from CSV, TSV, JSON lines or plain text, whole or a part at a time.

   A record is a line of the file, but for line breaks inside quotes (RFC 4180). A cell is a piece of the text, with the
   quotes taken off; what a column is (a number, a time, words) is seen from its cells. Numbers are parsed when they are
   asked for. In JSON lines every record is an object; columns are the keys in the order they are first met, a string is
   its text, true and false are 1 and 0, and arrays and objects stay JSON text. A plain text has one column, "text", and a
   record for every line.

   A reader hands out the records in chunks of bounded size, in order, so that a file of any length, or one that never
   ends, is read in memory of a few chunks. */
#ifndef TABLE_H
#define TABLE_H
#include "base/base.h"

typedef enum { TABLE_GUESS, TABLE_CSV, TABLE_TSV, TABLE_JSONL, TABLE_TEXT } table_format; /* guess: name, then content */
typedef struct table_options {
    table_format format;
    char delimiter;     /* of CSV; 0: the one of , ; tab | blank that splits the first lines alike */
    bool no_header;     /* columns are named 1, 2, … ; a column may always be named by its number too */
    const char *column; /* a first line of this name alone begins a table of one column; or NULL */
    bool decimal_comma; /* 1,5 is one and a half */
    bool skip_bad;      /* bad records are counted and left out, not an error */
    void (*bad)(void *ctx, const char *record, size_t n, int64_t line, const char *why); /* with skip_bad; or NULL */
    void *ctx;
} table_options;

typedef enum { COLUMN_EMPTY, COLUMN_NUMBER, COLUMN_TIME, COLUMN_TEXT } column_type;
typedef struct cell {
    const char *at; /* not terminated; valid as long as the table; NULL: missing */
    size_t n;
} cell;

typedef struct table table;
int64_t table_rows(const table *t);
int table_columns(const table *t);
const char *table_column_name(const table *t, int column);
cell table_cell(const table *t, int64_t row, int column);
int64_t table_line(const table *t, int64_t row); /* of the file, from 1, where the record begins */
const char *table_file(const table *t);
/* By name, or by number from 1. LACO_EINVAL names the nearest, or lists what there is. */
laco_status table_find(const table *t, const char *name, int *column, laco_error *err);
column_type table_column_type(const table *t, int column); /* that fits every cell that is not missing */
/* [rows] numbers of a column, NaN where missing (empty, NA, NaN, null, ?); freed with mem_free. A cell that is something
   else or not finite: LACO_EFORMAT with file, line, column and remedy. */
laco_status table_numbers(const table *t, int column, double **out, laco_error *err);
bool cell_number(cell c, bool decimal_comma, double *out); /* false: it is not one; missing gives NaN */
/* Seconds since 1970 of "2016-07-01 00:00:00", ISO 8601 and its shorter forms, or a plain number. */
bool cell_time(cell c, double *out);
bool cell_missing(cell c);
bool cell_is(cell c, const char *text);
void table_free(table *t);

typedef struct table_reader table_reader;
/* path "-" is standard input; .gz is expanded as it is read. Or bytes from memory, which stay the caller's until the
   reader is closed: path is then their name. */
laco_status table_open(table_reader **out, const char *path, const table_options *o, laco_error *err);
laco_status table_open_bytes(table_reader **out, const char *bytes, size_t n, const char *path, const table_options *o,
                             laco_error *err);
/* The next chunk of up to `records` records; with `ready` also fewer when no more is there yet (a pipe): so that an
   answer need not wait. *out NULL at the end. Freed with table_free, before or after the reader. */
laco_status table_next(table_reader *r, int64_t records, bool ready, table **out, laco_error *err);
/* A chunk of about as many records in which every run of one value in the column is whole: what a run at its end may go
   on with is left to the next. A run of any length is one chunk. */
laco_status table_next_runs(table_reader *r, const char *column, int64_t records, table **out, laco_error *err);
int64_t table_runs(const table *t, const char *column); /* how many runs of one value there are; 0: no such column */
int64_t table_skipped(const table_reader *r);
typedef struct table_form {
    table_format format; /* as it was guessed, or given */
    char delimiter;      /* of CSV and TSV */
    bool header;         /* the first record names the columns */
} table_form;
table_form table_form_of(const table_reader *r);
void table_close(table_reader *r);
/* All of it. table_own takes the bytes, which come from mem_new, over, also when it fails. */
laco_status table_read(table **out, const char *path, const table_options *o, laco_error *err);
laco_status table_own(table **out, char *bytes, size_t n, const char *path, const table_options *o, laco_error *err);
laco_status table_parse(table **out, const char *bytes, size_t n, const char *path, const table_options *o,
                        laco_error *err);
#endif
