/* What the files of the table reader share.

   A parser (table_csv.c, table_json.c, table_text.c) finds the end of one record in a window of text and adds a span
   for every cell; the reader (table_reader.c) moves the window, judges the records and fills tables with a copy of
   their text. A span counts from the first byte of its record, which is at most RECORD_LIMIT long. */
#ifndef TABLE_PARTS_H
#define TABLE_PARTS_H
#include "data/table.h"

enum {
    RECORD_LIMIT = 64 << 20, /* bytes */
    COLUMN_LIMIT = 1 << 20,
    SPAN_ESCAPED = 1 << 30, /* in n, until the table is finished: the text is not yet what it spells */
};
typedef struct span {
    uint32_t at, n;
} span;
enum { SPAN_ABSENT = -1, SPAN_NULL = -2 }; /* at, as uint32_t: no such key; JSON's null */

/* Names of columns, found by hash. */
typedef struct columns {
    char **name;
    size_t *length;
    int count, room;
    int *slot, slots; /* open addressing; -1: free */
} columns;
int columns_find(const columns *c, const char *name, size_t n); /* -1: none */
bool columns_add(columns *c, const char *name, size_t n);       /* false: no memory */
void columns_cut(columns *c, int count);                        /* the last are forgotten */
void columns_free(columns *c);

typedef struct table_row {
    size_t at;    /* of its first byte in the text */
    int64_t cell; /* its first; it has those up to the next row's first */
    int64_t line;
} table_row;
struct table {
    char *file, *text;
    char *block;    /* of memory, where the text lies */
    table_row *row; /* [rows + 1], the last for its cell alone */
    span *cell;
    int64_t rows, row_room, cells, cell_room;
    char **name; /* [columns], in one block */
    int columns;
    table_format format;
    bool decimal_comma, escaped; /* escaped: some cell is */
};
bool table_add_cell(table *t, span s);                                 /* false: no memory */
bool table_add_row(table *t, size_t at, int64_t line);                 /* of the cells since the last row */
void table_drop_cells(table *t);                                       /* those since the last row */
laco_status table_finish(table *t, const columns *c, laco_error *err); /* its text is in place: names, escapes */
/* In place: what a JSON string spells that is known to be valid; returns the bytes. */
size_t json_unescape(char *text, size_t n);

/* ---- parsers ---- */
typedef enum { RECORD_WHOLE, RECORD_EMPTY, RECORD_CUT, RECORD_BAD, RECORD_NO_MEMORY } record_state;
typedef struct record {
    const char *from, *end; /* the window, from the record's first byte on */
    bool last;              /* nothing comes behind the window */
    size_t n, next;         /* out: bytes without the line break; where the next record begins; both from `from` */
    int64_t lines;          /* out: line breaks in what was taken */
    char why[160];          /* out, when bad */
} record;
typedef struct parser {
    table_format format; /* no longer a guess */
    char delimiter;
    columns columns;
    const char *block; /* of CSV: 64 bytes and which of them end a cell; NULL when the window moved or grew */
    uint64_t ends;
} parser;
/* RECORD_CUT: the window ends before the record does. RECORD_BAD: why, and what is left out with it. */
record_state csv_record(parser *p, table *t, record *r);
record_state json_record(parser *p, table *t, record *r);
record_state text_record(parser *p, table *t, record *r);
/* The line at r->from: sets n, next and lines; false: cut. */
bool record_line(record *r);

/* Format and delimiter of a text that begins so, where the options leave them open. */
laco_status table_guess(parser *p, const table_options *o, const char *path, const char *head, size_t n, bool last,
                        laco_error *err);

/* A reader of any source: at least one byte of at most room; 0: the end. */
typedef laco_status table_source(void *ctx, char *to, size_t room, size_t *got, laco_error *err);
laco_status table_open_source(table_reader **out, table_source *read, void *ctx, const char *name,
                              const table_options *o, laco_error *err);
#endif
