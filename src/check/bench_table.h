/* A table of figures that is filled cell by cell and written as Markdown, aligned for a terminal, or as JSON. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H
#include "base/json.h"

enum { TABLE_TEXT = -1, TABLE_COLUMNS = 16 };
typedef struct table_column {
    const char *key, *head; /* in JSON; in Markdown. A NULL key ends the list. */
    int decimals;           /* of a number, or TABLE_TEXT */
} table_column;
typedef struct table_cell {
    char text[48];
    double number;
} table_cell;
typedef struct table {
    const char *key, *title;
    const table_column *column;
    int columns;
    table_cell *cell; /* row by row */
    size_t cells, cap;
    bool failed; /* memory ran out: what came after that is missing */
} table;

void table_start(table *t, const char *key, const char *title,
                 const table_column *column); /* t zeroed or used before */
void table_text(table *t, const char *text);  /* cut when too long */
void table_number(table *t, double number);   /* NaN: none */
void table_markdown(const table *t, buf *to);
void table_json(const table *t, json_out *to); /* "key": [ an object per row ] */
void table_free(table *t);
#endif
