/* What the losses on rows of outputs share: parts of rows as vectors, softplus, and the walk over the targets of a row.
   A target that is NaN does not count: no loss, no gradient; so do the lanes beyond a row's end. */
#ifndef LOSS_KERNEL_H
#define LOSS_KERNEL_H
#include "loss/loss.h"
#include "math/simd.h"
#include <math.h>

#define LOSS(KIND, function, ...) double N(function##_row)(const output_rows *rows, int64_t r);
#include "loss/list.h"
#undef LOSS
const loss_row *N(loss_row_of)(int kind);
double N(run_loss)(loss_kind kind, pool *p, const output_rows *rows);

/* n numbers, at most LANES; the lanes beyond are `rest` */
INLINE vec load_part(const real *p, int64_t n, real rest)
{
    if (n >= LANES) return load(p);
    vec x = splat(rest);
    memcpy(&x, p, (size_t)n * sizeof(real));
    return x;
}
INLINE void store_part(real *p, int64_t n, vec x) { memcpy(p, &x, (size_t)min64(n, LANES) * sizeof(real)); }
INLINE vec load_targets(const float *t, int64_t n)
{
    vec x = splat((real)NAN);
    for (int i = 0; i < min64(n, LANES); i++) x[i] = (real)t[i];
    return x;
}
INLINE const real *y_of(const output_rows *rows, int64_t r) { return (const real *)rows->y + r * rows->ldy; }
INLINE real *dy_of(const output_rows *rows, int64_t r) { return rows->dy ? (real *)rows->dy + r * rows->lddy : NULL; }

/* log(1 + e) that stays exact for small e (Kahan): what 1 + e loses, the quotient gives back */
INLINE vec log_1_plus(vec e)
{
    vec u = 1 + e, d = u - 1;
    return select_vec((vec_int)(d == 0), e, vlog(u) * (e / select_vec((vec_int)(d == 0), splat(1), d)));
}
/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which never overflows */
INLINE vec vsoftplus(vec x) { return vmax(splat(0), x) + log_1_plus(vexp(-vmax(-x, x))); }

enum { MOST_PARTS = 3 };
/* The sum over the targets of a row of a loss that reads `parts` outputs of each: d [parts] are its derivatives,
   `of` what else it depends on. */
INLINE double each_target(const output_rows *rows, int64_t r, int parts, real of,
                          vec (*loss)(vec t, const vec *y, real of, vec *d))
{
    const int64_t n = rows->outputs / parts;
    const float *t = rows->target + r * n;
    const real *y = y_of(rows, r), scale = (real)rows->scale;
    real *dy = dy_of(rows, r);
    vec sum = splat(0);
    for (int64_t j = 0; j < n; j += LANES) {
        vec target = load_targets(t + j, n - j), part[MOST_PARTS], d[MOST_PARTS];
        for (int p = 0; p < parts; p++) part[p] = load_part(y + p * n + j, n - j, 0);
        vec l = loss(target, part, of, d);
        vec_int counts = (vec_int)(target == target);
        sum += select_vec(counts, l, splat(0));
        for (int p = 0; dy && p < parts; p++)
            store_part(dy + p * n + j, n - j, select_vec(counts, d[p] * scale, splat(0)));
    }
    return lane_sum(sum);
}
/* The same in double, a target at a time. */
INLINE double each_target_double(const output_rows *rows, int64_t r, int parts,
                                 double (*loss)(const output_rows *rows, int64_t r, double t, const double *y,
                                                double *d))
{
    const int64_t n = rows->outputs / parts;
    const float *t = rows->target + r * n;
    const real *y = y_of(rows, r);
    real *dy = dy_of(rows, r);
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        const bool counts = !isnan(t[j]);
        double part[MOST_PARTS], d[MOST_PARTS] = { 0 };
        for (int p = 0; p < parts; p++) part[p] = (double)y[p * n + j];
        if (counts) sum += loss(rows, r, (double)t[j], part, d);
        for (int p = 0; dy && p < parts; p++) dy[p * n + j] = (real)(d[p] * rows->scale);
    }
    return sum;
}
#endif
