/* Eigenvalues and singular values of a real square matrix in double, row by row. For diagnosis: plain C, no speed. */
#ifndef SPECTRUM_H
#define SPECTRUM_H
#include "base/base.h"

/* All eigenvalues, in no order; a [n][n] is destroyed. False when the iteration does not converge (NaN in a). */
bool eigenvalues(int64_t n, double *a, double *re, double *im);
/* The singular values, falling; a [n][n] is destroyed. */
void singular_values(int64_t n, double *a, double *s);

/* The extremes of a matrix, exactly up to SPECTRUM_EXACT rows; above from a Krylov space of KRYLOV dimensions, which
   finds the outermost values first. */
enum { SPECTRUM_EXACT = 256, KRYLOV = 120 };
typedef struct spectrum {
    double radius;                   /* largest |eigenvalue| */
    double angle;                    /* of that eigenvalue, 0 to pi: above 0 it is complex, or negative at pi */
    double norm;                     /* largest singular value */
    double singular[SPECTRUM_EXACT]; /* falling; the first `n` */
    int64_t n;                       /* 0: the matrix is too large for all of them */
} spectrum;
laco_status spectrum_of(spectrum *out, int64_t n, const double *a, laco_error *err);
#endif
