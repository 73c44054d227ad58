/* Ridge regression from sums that are gathered row by row:

       W = argmin sum_t |W x_t + b - y_t|^2 + lambda |W|^2 (+ lambda |b|^2 unless the bias is free)
       (X^T X + lambda I) W^T = X^T Y                                             (Hoerl & Kennard 1970)

   Of the rows no more is kept than X^T X (its lower triangle), X^T Y and Y^T Y; they come in float or double, all sums
   are double. */
#ifndef RIDGE_H
#define RIDGE_H
#include "net/kernels.h"

typedef struct ridge ridge;
enum { RIDGE_NO_BIAS, RIDGE_BIAS, RIDGE_FREE_BIAS }; /* the rows stand beside a 1; free: its weight is not penalised */
/* k: of the real type that rows come in. */
laco_status ridge_new(ridge **out, int64_t features, int64_t targets, int bias, const kernels *k, pool *p,
                      laco_error *err);
void ridge_free(ridge *r);
void ridge_clear(ridge *r);
/* rows of x [.][ldx] reals and y [.][ldy] reals, all finite */
void ridge_add(ridge *r, int64_t rows, const void *x, int64_t ldx, const void *y, int64_t ldy);
int64_t ridge_rows(const ridge *r);

typedef struct ridge_result {
    double lambda, gcv; /* gcv: n |residual|^2 / (n - trace)^2, mean over targets (Golub, Heath & Wahba 1979) */
    double mse;         /* of the rows that were added */
    double trace;       /* degrees of freedom of the answers: of ridge_choose */
    double condition;   /* estimate of that of X^T X + lambda I */
    bool fell_back;     /* it was not positive definite to working precision: small eigenvalues are left out */
    int64_t rank;
} ridge_result;
/* One lambda, by Cholesky. w [targets][features], b [targets] or NULL. */
laco_status ridge_solve(ridge *r, double lambda, double *w, double *b, ridge_result *out, laco_error *err);
/* Many from one factorisation (tridiagonal form): result[n], and w and b of the one with the least gcv, whose place is
   *best. Ridges whose answers have more than nine tenths as many degrees of freedom as there are rows are taken only when
   there are no others: there gcv is 0 / 0. */
laco_status ridge_choose(ridge *r, const double *lambda, int n, ridge_result *result, int *best, double *w, double *b,
                         laco_error *err);
#endif
