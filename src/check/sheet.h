/* A table of figures that is filled cell by cell and written as Markdown, aligned for a terminal, or as JSON. */
#ifndef SHEET_H
#define SHEET_H
#include "base/json.h"

enum { SHEET_TEXT = -1, SHEET_COLUMNS = 16 };
typedef struct sheet_column {
    const char *key, *head; /* in JSON; in Markdown. A NULL key ends the list. */
    int decimals;           /* of a number, or SHEET_TEXT */
} sheet_column;
typedef struct sheet_cell {
    char text[48];
    double number;
} sheet_cell;
typedef struct sheet {
    const char *key, *title;
    const sheet_column *column;
    int columns;
    sheet_cell *cell; /* row by row */
    size_t cells, cap;
    bool failed; /* memory ran out: what came after that is missing */
} sheet;

void sheet_start(sheet *t, const char *key, const char *title,
                 const sheet_column *column); /* t zeroed or used before */
void sheet_text(sheet *t, const char *text);  /* cut when too long */
void sheet_number(sheet *t, double number);   /* NaN: none */
void sheet_markdown(const sheet *t, buf *to);
void sheet_json(const sheet *t, json_out *to); /* "key": [ an object per row ] */
void sheet_free(sheet *t);
#endif
