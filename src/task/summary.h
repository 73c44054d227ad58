/* Baselines for series that look at no order: every sequence, or every beginning of one, becomes the statistics of its
   features (mean, standard deviation, least, greatest, first, last) and its length, each scaled over the training
   sequences.

     nearest    the class of the nearest training sequence (Euclidean distance)
     ridge      for every class (1 and -1), or for the number: the w of the least sum (w x + c - y)^2 + n/1000 |w|^2 */
#ifndef SUMMARY_H
#define SUMMARY_H
#include "base/base.h"

int64_t summary_size(int64_t features); /* statistics of a sequence */
/* After each of T steps [T][size], or with every false after the last one alone [size]. */
void summary_of(const float *x, int64_t T, int64_t features, bool every, double *out);

typedef struct summary_scale {
    int64_t size;
    double *mean, *scale; /* of the training rows */
} summary_scale;
/* Scales the rows [n][size] to mean 0 and deviation 1, and keeps how. */
laco_status summary_learn(summary_scale *s, double *rows, int64_t n, int64_t size, laco_error *err);
void summary_apply(const summary_scale *s, double *rows, int64_t n);
void summary_free(summary_scale *s);

/* w [outputs][size + 1], the constant last; y [n][outputs] */
laco_status ridge_learn(double *w, const double *x, int64_t n, int64_t size, const double *y, int64_t outputs,
                        laco_error *err);
void ridge_answer(const double *w, const double *x, int64_t size, int64_t outputs, double *y);
/* The row of the nearest of n. */
int64_t nearest_row(const double *x, const double *rows, int64_t n, int64_t size);
#endif
