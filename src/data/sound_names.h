/* Which sound a cell of a table names. */
#ifndef SOUND_NAMES_H
#define SOUND_NAMES_H
#include "data/series.h"
#include "data/table.h"

/* Every sound by its whole name, its name without folders, and that without its ending. */
typedef struct named named;
typedef struct name_index {
    named *entry;
    int64_t n;
} name_index;
laco_status name_index_new(name_index *x, const series_set *s, laco_error *err);
void name_index_free(name_index *x);
enum { NAMES_NONE = -1, NAMES_SEVERAL = -2 };
int64_t name_index_find(const name_index *x, cell c);
/* LACO_EFORMAT where i, what was found for the cell of `row` in the column `file`, is none. */
laco_status name_index_found(int64_t i, const table *t, int64_t row, int file, laco_error *err);
/* The column that names the most sounds. */
laco_status name_index_column(int *column, const name_index *x, const table *t, const series_set *s, laco_error *err);
/* The column asked for, or the one that has the usual name; -1: there is none. */
laco_status table_usual(int *column, const table *t, const char *asked, const char *usual, laco_error *err);
const char *sound_base_name(const char *path); /* without its folders */
#endif
