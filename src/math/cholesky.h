/* Cholesky's factor of small systems, A = L L^T with L below and on the diagonal, row by row in plain C. Large ones:
   reservoir/ridge.h. */
#ifndef CHOLESKY_H
#define CHOLESKY_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
/* a [n][n], of which the lower triangle is read, becomes L. False: it is not positive definite, or not finite. */
static inline bool cholesky_factor(int64_t n, double *a)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k <= i; k++) {
            double sum = a[i * n + k];
            for (int64_t m = 0; m < k; m++) sum -= a[i * n + m] * a[k * n + m];
            if (i == k && !(sum > 0)) return false;
            a[i * n + k] = i == k ? sqrt(sum) : sum / a[k * n + k];
        }
    return true;
}
/* b [n][columns] becomes A^-1 b. */
static inline void cholesky_solve(int64_t n, const double *l, double *b, int64_t columns)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < columns; c++) {
            double sum = b[i * columns + c];
            for (int64_t k = 0; k < i; k++) sum -= l[i * n + k] * b[k * columns + c];
            b[i * columns + c] = sum / l[i * n + i];
        }
    for (int64_t i = n - 1; i >= 0; i--)
        for (int64_t c = 0; c < columns; c++) {
            double sum = b[i * columns + c];
            for (int64_t k = i + 1; k < n; k++) sum -= l[k * n + i] * b[k * columns + c];
            b[i * columns + c] = sum / l[i * n + i];
        }
}
#endif
