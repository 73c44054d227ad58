/* Eigenvalues of general real matrices, in double.

   Of a matrix that is only applied: its spectral radius by the Krylov-Schur method (Stewart 2002), its largest singular
   value by Golub-Kahan-Lanczos. Of a dense one: all eigenvalues by Hessenberg form and the implicit double-shift QR
   algorithm (Francis 1961). Results depend on the matrix alone, not on threads or time. */
#ifndef EIGEN_H
#define EIGEN_H
#include "base/base.h"

typedef void eigen_apply(void *ctx, const double *x, double *y); /* y = A x, both [n] */
/* The largest |eigenvalue|, to a relative 1e-8; 0 when A^n = 0. LACO_ENUMERIC when it does not converge. */
laco_status eigen_radius(double *radius, int64_t n, eigen_apply *apply, void *ctx, laco_error *err);
/* The largest singular value, to a relative 1e-8. transposed: y = A^T x. */
laco_status eigen_norm(double *norm, int64_t n, eigen_apply *apply, eigen_apply *transposed, void *ctx, laco_error *err);
/* All eigenvalues of a[n][n], which is overwritten. */
laco_status eigen_values(double *re, double *im, int64_t n, double *a, laco_error *err);
#endif
