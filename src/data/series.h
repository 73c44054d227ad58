/* A set of sequences of numbers: what the readers of .ts, .npy, idx, sound and long tables give, and what tasks on
   series read. Sequences differ in length; every one may have a label or a number to answer, a name and a group (a
   speaker, a machine) that never lies on both sides of a split. */
#ifndef SERIES_H
#define SERIES_H
#include "base/base.h"

typedef struct series_set {
    int64_t count, features;
    int64_t first;     /* sequences of the file before the first of these */
    float *x;          /* [start[count]][features]; NaN: missing */
    int64_t *start;    /* [count + 1] the first step of each */
    char **feature;    /* [features] names, or NULL */
    char **name;       /* [count] file or id, or NULL */
    char **group;      /* [count] or NULL */
    char **label;      /* [count] class of the sequence, or NULL; an entry NULL: unknown */
    double *target;    /* [count] number to answer for the sequence, or NULL; NaN: unknown */
    char **step_label; /* [start[count]] class of every step, or NULL; entries are shared, not owned: see label_text */
    char **label_text; /* the distinct step labels, owned, ends in NULL; or NULL */
    char *file;        /* where it is from, for messages */
    int64_t rate;      /* of sound: samples per second; 0: these are no sounds */
    double seconds;    /* of sound, all together */
    int64_t *rates;    /* [count] of sound: what it came with; NULL: these are no sounds */
} series_set;
void series_free(series_set *s); /* its contents; {0} is fine */

/* Sequences index[0 .. n) of s, in that order, as a set of its own; what was NULL stays so. */
laco_status series_subset(series_set *out, const series_set *s, const int64_t *index, int64_t n, laco_error *err);
static inline int64_t series_length(const series_set *s, int64_t i) { return s->start[i + 1] - s->start[i]; }
int64_t series_missing(const series_set *s); /* values that are NaN */
/* [n] texts, each a copy, entries NULL stay NULL; *ok false: no memory, and then NULL. */
char **series_texts(char *const *from, int64_t n, bool *ok);
void series_texts_free(char **texts, int64_t n);
#endif
