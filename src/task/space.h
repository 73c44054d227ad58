/* The space of a search: a text of one row per line, an option and the values it may take.

       # a comment
       command train lm
       data    fixed   book.txt
       hidden  choice  64 128 256
       model   list    "lstm 64; dense" | "gru 64; dense"
       lr      log     1e-4 1e-2
       dropout uniform 0 0.6
       batch   int     8 64

   A grid is every combination of the values, the first row changing slowest. Otherwise the values of a trial are drawn:
   functions of the seed, the trial and the row alone. Drawn numbers are rounded to four digits. */
#ifndef SPACE_H
#define SPACE_H
#include "base/option.h"

enum { SPACE_ROWS = 64, SPACE_GRID = 1000000 };
typedef struct space_kind space_kind;
typedef struct space_row {
    char *name;
    const space_kind *kind;
    double low, high; /* of a range */
    char **value;     /* [values] of the others */
    int64_t values;
    int64_t line; /* where it stands, from 1 on */
} space_row;
typedef struct space {
    char *command;
    space_row row[SPACE_ROWS];
    int rows;
} space;
/* err->at: the line. The options are those of the command, every value is one that they allow. */
laco_status space_parse(space *out, const char *bytes, size_t n, const char *name, laco_error *err);
void space_free(space *s);
const space_row *space_find(const space *s, const char *option); /* NULL: no such row */
bool space_varies(const space_row *row);                         /* more than one value */
/* Combinations of all values; 0: a row is a range; SPACE_GRID at most, more count as so many plus one. */
int64_t space_combinations(const space *s);
/* What a row says in a trial (from 0 on) of the grid, or a drawn one. */
void space_value(const space *s, int row, bool grid, uint64_t seed, int64_t trial, buf *to);
#endif
