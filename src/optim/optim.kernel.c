/* The updates of optim.h, and the norm and bounds of gradients. */
#include "optim/optim_kernel.h"
#include <math.h>

typedef struct job {
    int64_t n;
    real *w, *g, *a, *b, *c; /* a, b, c: buffers of state */
    const optim_step *s;
    double *partial;
    real scale, decay, lr, correct1, correct2, limit; /* correct: 1 / (1 - beta^update) */
} job;
typedef void step_fn(const job *j, int64_t from, int64_t to);

static void sgd_step(const job *j, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) j->w[i] -= j->lr * (j->g[i] * j->scale + j->decay * j->w[i]);
}
static void momentum_step(const job *j, int64_t from, int64_t to)
{
    const real mu = (real)j->s->momentum;
    for (int64_t i = from; i < to; i++) {
        j->a[i] = mu * j->a[i] + (j->g[i] * j->scale + j->decay * j->w[i]);
        j->w[i] -= j->lr * j->a[i];
    }
}
static void nesterov_step(const job *j, int64_t from, int64_t to)
{
    const real mu = (real)j->s->momentum;
    for (int64_t i = from; i < to; i++) {
        real g = j->g[i] * j->scale + j->decay * j->w[i];
        j->a[i] = mu * j->a[i] + g;
        j->w[i] -= j->lr * (g + mu * j->a[i]);
    }
}
static void rmsprop_step(const job *j, int64_t from, int64_t to)
{
    const real b2 = (real)j->s->beta2, eps = (real)j->s->eps;
    for (int64_t i = from; i < to; i++) {
        real g = j->g[i] * j->scale + j->decay * j->w[i];
        j->a[i] = b2 * j->a[i] + (1 - b2) * g * g;
        j->w[i] -= j->lr * g / ((real)__builtin_sqrt(j->a[i]) + eps);
    }
}
INLINE void adam_any(const job *j, int64_t from, int64_t to, real coupled, real decoupled)
{
    const real b1 = (real)j->s->beta1, b2 = (real)j->s->beta2, eps = (real)j->s->eps;
    for (int64_t i = from; i < to; i++) {
        real g = j->g[i] * j->scale + coupled * j->w[i];
        j->a[i] = b1 * j->a[i] + (1 - b1) * g;
        j->b[i] = b2 * j->b[i] + (1 - b2) * g * g;
        j->w[i] -=
            j->lr * (j->a[i] * j->correct1 / ((real)__builtin_sqrt(j->b[i] * j->correct2) + eps) + decoupled * j->w[i]);
    }
}
static void adam_step(const job *j, int64_t from, int64_t to) { adam_any(j, from, to, j->decay, 0); }
static void adamw_step(const job *j, int64_t from, int64_t to) { adam_any(j, from, to, 0, j->decay); }

/* With three buffers of state the loop is made of vectors only when nothing in it is read through j. */
static void amsgrad_step(const job *j, int64_t from, int64_t to)
{
    const real b1 = (real)j->s->beta1, b2 = (real)j->s->beta2, eps = (real)j->s->eps, lr = j->lr;
    const real scale = j->scale, decay = j->decay, correct1 = j->correct1, correct2 = j->correct2, *gradient = j->g;
    real *w = j->w, *a = j->a, *b = j->b, *c = j->c;
    for (int64_t i = from; i < to; i++) {
        real g = gradient[i] * scale + decay * w[i];
        a[i] = b1 * a[i] + (1 - b1) * g;
        b[i] = b2 * b[i] + (1 - b2) * g * g;
        c[i] = b[i] > c[i] ? b[i] : c[i];
        w[i] -= lr * (a[i] * correct1 / ((real)__builtin_sqrt(c[i] * correct2) + eps));
    }
}
static void nadam_step(const job *j, int64_t from, int64_t to)
{
    const real b1 = (real)j->s->beta1, b2 = (real)j->s->beta2, eps = (real)j->s->eps;
    const real mean = (real)(j->s->beta1 / (1 - pow(j->s->beta1, (double)j->s->update + 1)));
    const real now = (1 - b1) * j->correct1;
    for (int64_t i = from; i < to; i++) {
        real g = j->g[i] * j->scale + j->decay * j->w[i];
        j->a[i] = b1 * j->a[i] + (1 - b1) * g;
        j->b[i] = b2 * j->b[i] + (1 - b2) * g * g;
        j->w[i] -= j->lr * ((mean * j->a[i] + now * g) / ((real)__builtin_sqrt(j->b[i] * j->correct2) + eps));
    }
}
INLINE real sign(real x) { return (real)(x > 0) - (real)(x < 0); }
static void lion_step(const job *j, int64_t from, int64_t to)
{
    const real b1 = (real)j->s->beta1, b2 = (real)j->s->beta2;
    for (int64_t i = from; i < to; i++) {
        real g = j->g[i] * j->scale;
        j->w[i] -= j->lr * (sign(b1 * j->a[i] + (1 - b1) * g) + j->decay * j->w[i]);
        j->a[i] = b2 * j->a[i] + (1 - b2) * g;
    }
}
static void adagrad_step(const job *j, int64_t from, int64_t to)
{
    const real eps = (real)j->s->eps;
    for (int64_t i = from; i < to; i++) {
        real g = j->g[i] * j->scale + j->decay * j->w[i];
        j->a[i] += g * g;
        j->w[i] -= j->lr * g / ((real)__builtin_sqrt(j->a[i]) + eps);
    }
}
static void adadelta_step(const job *j, int64_t from, int64_t to)
{
    const real b2 = (real)j->s->beta2, eps = (real)j->s->eps;
    for (int64_t i = from; i < to; i++) {
        real g = j->g[i] * j->scale + j->decay * j->w[i];
        j->a[i] = b2 * j->a[i] + (1 - b2) * g * g;
        real d = g * ((real)__builtin_sqrt(j->b[i] + eps) / (real)__builtin_sqrt(j->a[i] + eps));
        j->b[i] = b2 * j->b[i] + (1 - b2) * d * d;
        j->w[i] -= j->lr * d;
    }
}
/* Rounding must not make the variance negative. */
static void rmsprop_graves_step(const job *j, int64_t from, int64_t to)
{
    const real mu = (real)j->s->momentum, b2 = (real)j->s->beta2, eps = (real)j->s->eps, lr = j->lr;
    const real scale = j->scale, decay = j->decay, *gradient = j->g;
    real *w = j->w, *a = j->a, *b = j->b, *c = j->c;
    for (int64_t i = from; i < to; i++) {
        real g = gradient[i] * scale + decay * w[i];
        a[i] = b2 * a[i] + (1 - b2) * g * g;
        b[i] = b2 * b[i] + (1 - b2) * g;
        real variance = a[i] - b[i] * b[i];
        c[i] = mu * c[i] - lr * g / (real)__builtin_sqrt((variance > 0 ? variance : 0) + eps);
        w[i] += c[i];
    }
}
static void rprop_step(const job *j, int64_t from, int64_t to)
{
    const real grow = (real)1.2, shrink = (real)0.5, most = 50, least = (real)1e-6;
    for (int64_t i = from; i < to; i++) {
        real g = j->g[i] * j->scale + j->decay * j->w[i], turn = sign(g) * sign(j->b[i]);
        real step = j->a[i] > 0 ? j->a[i] : j->lr, up = step * grow, down = step * shrink;
        up = up < most ? up : most, down = down > least ? down : least;
        j->a[i] = turn > 0 ? up : turn < 0 ? down : step;
        j->b[i] = turn < 0 ? 0 : g;
        j->w[i] -= sign(j->b[i]) * j->a[i];
    }
}

#define OPTIMIZER(function, name, lr, momentum, beta1, beta2, eps, slots, full_batch, about)                           \
    { name, about, lr, momentum, beta1, beta2, eps, slots, full_batch },
static const optim_row rows[] = {
#include "optim/list.h"
};
#undef OPTIMIZER
#define OPTIMIZER(function, ...) function##_step,
static step_fn *const steps[] = {
#include "optim/list.h"
};
#undef OPTIMIZER
enum { ROWS = sizeof rows / sizeof *rows };
static const optim_row *N(optim_row)(int i) { return i >= 0 && i < ROWS ? &rows[i] : NULL; }

typedef struct pass_job {
    const job *j;
    step_fn *step;
} pass_job;
static void update_task(void *ctx, int64_t i, int thread)
{
    const pass_job *r = ctx;
    (void)thread;
    r->step(r->j, i * OPTIM_BLOCK, i * OPTIM_BLOCK + OPTIM_BLOCK < r->j->n ? (i + 1) * OPTIM_BLOCK : r->j->n);
}
static void N(update)(int row, pool *p, int64_t n, void *w, const void *g, void *state, const optim_step *s)
{
    double t = (double)s->update;
    job j = { .n = n,
              .w = w,
              .g = (real *)g,
              .a = state,
              .b = (real *)state + n,
              .c = (real *)state + 2 * n,
              .s = s,
              .scale = (real)s->gradient_scale,
              .decay = (real)s->weight_decay,
              .lr = (real)s->lr,
              .correct1 = (real)(1 / (1 - pow(s->beta1, t))),
              .correct2 = (real)(1 / (1 - pow(s->beta2, t))) };
    pass_job r = { &j, steps[row] };
    pool_run(p, optim_partials(n), update_task, &r);
}

static void norm_block(const job *j, int64_t from, int64_t to)
{
    double sum[8] = { 0 };
    int64_t i = from;
    for (; i + 8 <= to; i += 8)
        for (int k = 0; k < 8; k++) sum[k] += (double)j->g[i + k] * (double)j->g[i + k];
    for (; i < to; i++) sum[0] += (double)j->g[i] * (double)j->g[i];
    j->partial[from / OPTIM_BLOCK] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}
static double N(norm)(pool *p, int64_t n, const void *g, double *partial)
{
    job j = { .n = n, .g = (real *)g, .partial = partial };
    pass_job r = { &j, norm_block };
    double sum = 0;
    pool_run(p, optim_partials(n), update_task, &r);
    for (int64_t i = 0; i < optim_partials(n); i++) sum += partial[i];
    return sqrt(sum);
}
static void clip_block(const job *j, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        if (j->g[i] > j->limit) j->g[i] = j->limit;
        if (j->g[i] < -j->limit) j->g[i] = -j->limit;
    }
}
static void N(clip_value)(pool *p, int64_t n, void *g, double limit)
{
    job j = { .n = n, .g = g, .limit = (real)limit };
    pass_job r = { &j, clip_block };
    pool_run(p, optim_partials(n), update_task, &r);
}
extern const optim_ops N(optim_ops);
const optim_ops N(optim_ops) = { N(optim_row), N(update), N(norm), N(clip_value), N(average), N(add_normal), N(drop) };
