/* Losses on outputs that exist, summed over the outputs of a row:

   squared      (y - t)^2                                dy = 2 scale (y - t)
   bernoulli    -t log s(y) - (1-t) log(1 - s(y))        dy = scale (s(y) - t)        s: the sigmoid
                as max(y, 0) - y t + log(1 + e^-|y|), which never overflows
   categorical  -log softmax(y)[class]                   dy = scale (softmax(y) - (1-e) onehot - e/outputs)
                e: label smoothing, of the gradient alone

   A target that is NaN does not count: no loss, no gradient; so do the lanes beyond a row's end. */
#include "loss/loss_kernel.h"
#include <math.h>

enum { ROWS = 32 }; /* of a task */
typedef double row_fn(const output_rows *rows, int64_t r);

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
static const real *y_of(const output_rows *rows, int64_t r) { return (const real *)rows->y + r * rows->ldy; }
static real *dy_of(const output_rows *rows, int64_t r) { return rows->dy ? (real *)rows->dy + r * rows->lddy : NULL; }

/* log(1 + e) that stays exact for small e (Kahan): what 1 + e loses, the quotient gives back */
INLINE vec log_1_plus(vec e)
{
    vec u = 1 + e, d = u - 1;
    return select_vec((vec_int)(d == 0), e, vlog(u) * (e / select_vec((vec_int)(d == 0), splat(1), d)));
}
INLINE vec squared_loss(vec y, vec t, vec *d)
{
    *d = 2 * (y - t);
    return (y - t) * (y - t);
}
INLINE vec bernoulli_loss(vec y, vec t, vec *d)
{
    vec e = vexp(-vmax(-y, y));
    *d = vsigmoid(y) - t;
    return vmax(splat(0), y) - y * t + log_1_plus(e);
}
INLINE double each_output(const output_rows *rows, int64_t r, vec (*loss)(vec y, vec t, vec *d))
{
    const int64_t n = rows->outputs;
    const float *t = rows->target + r * n;
    const real *y = y_of(rows, r), scale = (real)rows->scale;
    real *dy = dy_of(rows, r);
    vec sum = splat(0);
    for (int64_t j = 0; j < n; j += LANES) {
        vec target = load_targets(t + j, n - j), d, l = loss(load_part(y + j, n - j, 0), target, &d);
        vec_int counts = (vec_int)(target == target);
        sum += select_vec(counts, l, splat(0));
        if (dy) store_part(dy + j, n - j, select_vec(counts, d * scale, splat(0)));
    }
    return lane_sum(sum);
}
static double squared_row(const output_rows *rows, int64_t r) { return each_output(rows, r, squared_loss); }
static double bernoulli_row(const output_rows *rows, int64_t r) { return each_output(rows, r, bernoulli_loss); }

static double categorical_row(const output_rows *rows, int64_t r)
{
    const int64_t n = rows->outputs;
    const int32_t class = rows->class[r];
    const real *y = y_of(rows, r), scale = (real)rows->scale, uniform = (real)(rows->smoothing / (double)n);
    real *dy = dy_of(rows, r), top = y[0];
    vec tops = splat(top), sum = splat(0);
    if (class < 0) {
        for (int64_t j = 0; dy && j < n; j++) dy[j] = 0;
        return 0;
    }
    for (int64_t j = 0; j < n; j += LANES) tops = vmax(tops, load_part(y + j, n - j, y[0]));
    for (int i = 0; i < LANES; i++) top = tops[i] > top ? tops[i] : top;
    for (int64_t j = 0; j < n; j += LANES) {
        vec e = vexp(load_part(y + j, n - j, top) - top);
        for (int64_t i = n - j; i < LANES; i++) e[i] = 0;
        sum += e;
    }
    const real logz = top + (real)log((double)lane_sum(sum)); /* unlike vlog, of NaN it is NaN */
    for (int64_t j = 0; dy && j < n; j += LANES)
        store_part(dy + j, n - j, (vexp(load_part(y + j, n - j, 0) - logz) - uniform) * scale);
    if (dy) dy[class] -= (real)(1 - rows->smoothing) * scale;
    return (double)logz - (double)y[class];
}

typedef struct rows_job {
    const output_rows *rows;
    row_fn *row;
} rows_job;
static void rows_task(void *ctx, int64_t i, int thread)
{
    const rows_job *j = ctx;
    (void)thread;
    for (int64_t r = i * ROWS; r < min64(j->rows->R, (i + 1) * ROWS); r++) j->rows->row_loss[r] = j->row(j->rows, r);
}
static double run_rows(pool *p, const output_rows *rows, row_fn *row)
{
    rows_job j = { rows, row };
    double sum = 0;
    pool_run(p, ceil_div(rows->R, ROWS), rows_task, &j);
    for (int64_t r = 0; r < rows->R; r++) sum += rows->row_loss[r];
    return sum;
}
double N(squared_rows)(pool *p, const output_rows *rows) { return run_rows(p, rows, squared_row); }
double N(bernoulli_rows)(pool *p, const output_rows *rows) { return run_rows(p, rows, bernoulli_row); }
double N(categorical_rows)(pool *p, const output_rows *rows) { return run_rows(p, rows, categorical_row); }
