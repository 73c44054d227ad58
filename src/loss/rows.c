#include "loss/loss.h"
#include <math.h>

static bool row_counts(const output_rows *rows, int64_t r)
{
    if (rows->class) return rows->class[r] >= 0;
    for (int64_t j = 0; j < rows->outputs; j++)
        if (!isnan(rows->target[r * rows->outputs + j])) return true;
    return false;
}
int64_t rows_counted(const output_rows *rows)
{
    int64_t n = 0;
    for (int64_t r = 0; r < rows->R; r++) n += row_counts(rows, r);
    return n;
}
