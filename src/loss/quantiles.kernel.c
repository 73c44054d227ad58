/* Pinball loss of quantiles (Koenker & Bassett 1978): output q * targets + j is the level-q quantile of target j.

   a = level[q]   loss  sum over q of  max(a (t - y), (a - 1)(t - y))      dy = scale (1 - a)  above the target,
                                                                                -scale a        below it, 0 on it  */
#include "loss/loss_kernel.h"

INLINE vec pinball_part(vec t, vec y, real level, vec *d)
{
    vec e = t - y;
    *d = select_vec((vec_int)(e > 0), splat(-level), select_vec((vec_int)(e < 0), splat(1 - level), splat(0)));
    return vmax((level - 1) * e, level * e);
}
double N(pinball_row)(const output_rows *rows, int64_t r)
{
    static const loss_options median = { .levels = 1, .level = { 0.5 } };
    const loss_options *o = rows->options && rows->options->levels ? rows->options : &median;
    const int64_t n = rows->outputs / o->levels;
    const float *t = rows->target + r * n;
    const real *y = y_of(rows, r), scale = (real)rows->scale;
    real *dy = dy_of(rows, r);
    vec sum = splat(0);
    for (int q = 0; q < o->levels; q++)
        for (int64_t j = 0; j < n; j += LANES) {
            vec target = load_targets(t + j, n - j), d;
            vec l = pinball_part(target, load_part(y + q * n + j, n - j, 0), (real)o->level[q], &d);
            vec_int counts = (vec_int)(target == target);
            sum += select_vec(counts, l, splat(0));
            if (dy) store_part(dy + q * n + j, n - j, select_vec(counts, d * scale, splat(0)));
        }
    return lane_sum(sum);
}
