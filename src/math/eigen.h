/* Extremes of real matrices that are only applied, in double: the spectral radius by the Krylov-Schur method (Stewart
   2002), the largest singular value by Golub-Kahan-Lanczos. Results depend on the matrix alone. */
#ifndef EIGEN_H
#define EIGEN_H
#include "base/base.h"

typedef void eigen_apply(void *ctx, const double *x, double *y); /* y = A x, both [n] */
/* The largest |eigenvalue|, to a relative 1e-8; 0 when A^n = 0. LACO_ENUMERIC when it does not converge. */
laco_status eigen_radius(double *radius, int64_t n, eigen_apply *apply, void *ctx, laco_error *err);
/* The largest singular value, to a relative 1e-8. transposed: y = A^T x. */
laco_status eigen_norm(double *norm, int64_t n, eigen_apply *apply, eigen_apply *transposed, void *ctx, laco_error *err);
#endif
