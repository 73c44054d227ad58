/* Series that reservoirs are measured on, made from a seed: a row of a table each. */
#ifndef DYNAMICS_H
#define DYNAMICS_H
#include "base/base.h"

typedef struct dynamics_row {
    const char *name, *about; /* "mackey-glass": "… (Mackey & Glass 1977)" */
    const char *columns;      /* "u y": names of what a step has */
    int inputs, targets;      /* inputs 0: the series itself is predicted */
    double parameter;         /* default of its parameter: tau, order; NaN: it has none */
    const char *parameter_name;
} dynamics_row;
const dynamics_row *dynamics_rows(void); /* ends in a NULL name */
const dynamics_row *dynamics_find(const char *name);
/* to [steps][inputs + targets]; the start is drawn with the seed, transients are left out. */
laco_status dynamics_make(const dynamics_row *r, double parameter, uint64_t seed, int64_t steps, double *to, laco_error *err);
#endif
