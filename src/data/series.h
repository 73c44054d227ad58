/* A set of sequences of numbers: what the readers of .ts, .npy, idx, sound and long tables give, and what tasks on series
   read. Sequences differ in length; every one may have a label or a number to answer, a name and a group (a speaker, a
   machine) that never lies on both sides of a split. */
#ifndef SERIES_H
#define SERIES_H
#include "base/base.h"

typedef struct series_set {
    int64_t count, features;
    float *x;         /* [start[count]][features]; NaN: missing */
    int64_t *start;   /* [count + 1] the first step of each */
    char **feature;   /* [features] names, or NULL */
    char **name;      /* [count] file or id, or NULL */
    char **group;     /* [count] or NULL */
    char **label;     /* [count] class of the sequence, or NULL; an entry NULL: unknown */
    double *target;   /* [count] number to answer for the sequence, or NULL; NaN: unknown */
    char **step_label;/* [start[count]] class of every step, or NULL; entries are shared, not owned: see label_text */
    char **label_text;/* the distinct step labels, owned, ends in NULL; or NULL */
    char *file;       /* where it is from, for messages */
} series_set;
void series_free(series_set *s); /* its contents; {0} is fine */
#endif
