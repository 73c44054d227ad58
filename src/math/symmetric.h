/* Eigenvalues of a symmetric matrix, and products with its eigenvectors, which are kept as what made them: reflections
   (Householder) to a tridiagonal matrix T, then rotations (implicit QL; Bowdler, Martin, Reinsch & Wilkinson 1968).

       A = Q S diag(value) S^T Q^T

   For many right-hand sides b and shifts: A + s = Q S (diag + s) S^T Q^T costs n^2 a vector and n a shift. */
#ifndef SYMMETRIC_H
#define SYMMETRIC_H
#include "base/base.h"
#include "base/pool.h"

typedef struct symmetric symmetric;
/* a[n][n], all of it, is destroyed and must stay: reflections lie in it. LACO_ENUMERIC when QL does not converge. */
laco_status symmetric_new(symmetric **out, int64_t n, double *a, pool *p, const volatile int *stop, laco_error *err);
void symmetric_free(symmetric *s);
const double *symmetric_values(const symmetric *s);     /* [n], in no order */
void symmetric_to(const symmetric *s, double *x);       /* x = S^T Q^T x */
void symmetric_from(const symmetric *s, double *x);     /* x = Q S x */
#endif
