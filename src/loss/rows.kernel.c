/* Losses on outputs that exist, summed over the outputs of a row:

   squared      (y - t)^2                                dy = 2 scale (y - t)
   absolute     |y - t|                                  dy = scale sign(y - t)
   huber        e = y - t; |e| <= delta: e^2 / 2         dy = scale max(-delta, min(delta, e))      (Huber 1964)
                otherwise delta (|e| - delta / 2)
   bernoulli    -t log s(y) - (1-t) log(1 - s(y))        dy = scale (s(y) - t)        s: the sigmoid
                as max(y, 0) - y t + log(1 + e^-|y|), which never overflows and loses nothing of small losses
   categorical  -log softmax(y)[class]                   dy = scale (softmax(y) - (1-e) onehot - e/outputs)
                e: label smoothing, of the gradient alone

   and the table of all losses. */
#include "loss/loss_kernel.h"

enum { ROWS = 32 }; /* of a task */

INLINE vec squared_loss(vec t, const vec *y, real of, vec *d)
{
    (void)of;
    *d = 2 * (*y - t);
    return (*y - t) * (*y - t);
}
INLINE vec absolute_loss(vec t, const vec *y, real of, vec *d)
{
    (void)of;
    vec e = *y - t;
    *d = select_vec((vec_int)(e > 0), splat(1), select_vec((vec_int)(e < 0), splat(-1), splat(0)));
    return vmax(-e, e);
}
INLINE vec bernoulli_loss(vec t, const vec *y, real of, vec *d)
{
    (void)of;
    *d = vsigmoid(*y) - t;
    return vmax(splat(0), *y) - *y * t + log_1_plus(vexp(-vmax(-*y, *y)));
}
INLINE vec huber_loss(vec t, const vec *y, real delta, vec *d)
{
    *d = vmax(splat(-delta), vmin(splat(delta), *y - t));
    return *d * (*y - t - *d / 2);
}
double N(squared_row)(const output_rows *rows, int64_t r) { return each_target(rows, r, 1, 0, squared_loss); }
double N(absolute_row)(const output_rows *rows, int64_t r) { return each_target(rows, r, 1, 0, absolute_loss); }
double N(bernoulli_row)(const output_rows *rows, int64_t r) { return each_target(rows, r, 1, 0, bernoulli_loss); }
double N(huber_row)(const output_rows *rows, int64_t r)
{
    const real delta = rows->options && rows->options->delta > 0 ? (real)rows->options->delta : 1;
    return each_target(rows, r, 1, delta, huber_loss);
}

double N(categorical_row)(const output_rows *rows, int64_t r)
{
    const int64_t n = rows->outputs;
    const int32_t class = rows->class[r];
    const real *y = y_of(rows, r), uniform = (real)(rows->smoothing / (double)n);
    real *dy = dy_of(rows, r), top = y[0];
    vec tops = splat(top), sum = splat(0);
    if (class < 0) {
        for (int64_t j = 0; dy && j < n; j++) dy[j] = 0;
        return 0;
    }
    const double weight = rows->class_weight ? rows->class_weight[class] : 1;
    const real scale = (real)(rows->scale * weight);
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
    return weight * ((double)logz - (double)y[class]);
}

typedef struct rows_job {
    const output_rows *rows;
    const loss_row *loss;
} rows_job;
static void rows_task(void *ctx, int64_t i, int thread)
{
    const rows_job *j = ctx;
    (void)thread;
    for (int64_t r = i * ROWS; r < min64(j->rows->R, (i + 1) * ROWS); r++)
        j->rows->row_loss[r] = j->loss->row(j->rows, r);
}
#define LOSS(KIND, function, name, of, outputs, about) { name, about, of, outputs, N(function##_row) },
static const loss_row losses[] = {
#include "loss/list.h"
};
const loss_row *N(loss_row_of)(int kind) { return kind >= 0 && kind < LOSS_KINDS ? &losses[kind] : NULL; }
double N(run_loss)(loss_kind kind, pool *p, const output_rows *rows)
{
    rows_job j = { rows, &losses[kind] };
    double sum = 0;
    pool_run(p, ceil_div(rows->R, ROWS), rows_task, &j);
    for (int64_t r = 0; r < rows->R; r++) sum += rows->row_loss[r];
    return sum;
}
