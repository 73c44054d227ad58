/* Dot products of double, in four sums that do not wait for each other: plain C, in an order that depends on n alone. */
#ifndef DOT_H
#define DOT_H
#include <stdint.h>
static inline double dot(int64_t n, const double *a, const double *b)
{
    double s[4] = { 0 };
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) s[k] += a[i + k] * b[i + k];
    for (; i < n; i++) s[0] += a[i] * b[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}
#endif
