/* laco esn series: the series that reservoirs are measured on, as CSV.
   laco esn bench: reservoirs drawn from many seeds on them, median and spread.

   mackey-glass   normalised root mean square error 84 steps into free runs (Jaeger & Haas 2004), from 50 starts
   narma          normalised root mean square error on steps not trained on, read from the inputs alone
   memory         short-term memory capacity of linear units (Jaeger 2002), as a share of their number */
#include "base/json.h"
#include "data/dynamics.h"
#include "reservoir/echo.h"
#include "reservoir/property.h"
#include "task/task.h"
#include <math.h>
#include <stdio.h>

/* ---- series ---- */
static laco_status row_of(const dynamics_row **to, const char *name, laco_error *err)
{
    const char *known[32];
    int n = 0;
    if ((*to = dynamics_find(name))) return LACO_OK;
    for (const dynamics_row *r = dynamics_rows(); r->name; r++) known[n++] = r->name;
    known[n] = NULL;
    const char *near = nearest_name(name, known);
    buf all = { 0 };
    for (int i = 0; i < n; i++) buf_printf(&all, "%s%s", !i ? "" : i + 1 < n ? ", " : " and ", known[i]);
    laco_status st =
        fail(err, LACO_EINVAL, -1, "there is no series \"%.60s\"%s%s%s there are %s", name,
             near ? "; did you mean \"" : ";", near ? near : "", near ? "\"?" : "", all.failed ? "others" : all.data);
    buf_free(&all);
    return st;
}
static laco_status series_to_make(const task_job *j, const dynamics_row **r, double *parameter, laco_error *err)
{
    const double given = options_real(j->o, "parameter");
    laco_status st = row_of(r, options_text(j->o, "series"), err);
    if (st) return st;
    if (!isnan(given) && !(*r)->parameter_name)
        return fail(err, LACO_EINVAL, -1, "%s has no parameter: leave --parameter out", (*r)->name);
    if (options_flag(j->o, "json") && !options_text(j->o, "out"))
        return fail(err, LACO_EINVAL, -1, "with --json say with --out where the series goes");
    *parameter = isnan(given) ? (*r)->parameter : given;
    return LACO_OK;
}
laco_status esn_series_job(task_job *j, laco_error *err)
{
    const dynamics_row *r;
    double parameter = NAN;
    laco_status st = series_to_make(j, &r, &parameter, err);
    if (st) return st;
    const int64_t steps = options_int(j->o, "steps"), D = r->inputs + r->targets;
    const char *path = options_text(j->o, "out");
    double *x = mem_new((size_t)(steps * D), sizeof *x);
    file_writer *w = NULL;
    buf out = { 0 };
    st = x ? dynamics_make(r, parameter, (uint64_t)options_int(j->o, "seed"), steps, x, err)
           : fail_memory(err, (size_t)(steps * D) * sizeof *x);
    for (const char *p = r->columns; *p; p++) buf_add(&out, *p == ' ' ? "," : p, 1);
    buf_text(&out, "\n");
    if (!st && path) st = file_create(&w, path, err);
    for (int64_t t = 0; !st && t < steps; t++) {
        for (int64_t k = 0; k < D; k++) buf_printf(&out, "%s%.12g", k ? "," : "", x[t * D + k]);
        buf_text(&out, "\n");
        if (out.failed) st = fail_memory(err, out.len);
        if (!st && path && (out.len > 1 << 16 || t + 1 == steps))
            st = file_write(w, out.data, out.len, err), out.len = 0;
        if (!st && !path && (out.len > 1 << 16 || t + 1 == steps)) task_out_buf(j, &out);
    }
    if (w && st) file_abandon(w);
    if (w && !st) st = file_commit(w, err);
    json_out o = { .to = j->result };
    if (!st)
        json_begin(&o, '{'), json_key(&o, "series"), json_text(&o, r->name), json_key(&o, "steps"), json_int(&o, steps),
            json_end(&o, '}');
    mem_free(x), buf_free(&out);
    return st;
}

/* ---- benchmarks ---- */
typedef struct test {
    const char *name, *series, *measure, *network;
    double parameter, ridge, shift; /* shift: taken from every value */
    int64_t size, train, washout;
    double aim;
    bool at_most;
} test;
static const test tests[] = {
    { "mackey-glass", "mackey-glass", "NRMSE 84 steps ahead",
      "density 0.01 radius 1.1 leak 0.5 input-scale 2 bias-scale 0.5 direct", 17, 8.6e-11, 1, 1000, 6000, 1000, 1e-4,
      true },
    { "mackey-glass-30", "mackey-glass", "NRMSE 84 steps ahead",
      "density 0.01 radius 1.1 leak 0.5 input-scale 2 bias-scale 0.5 direct", 30, 1e-5, 1, 1000, 10000, 1000, NAN,
      true },
    { "narma-10", "narma", "NRMSE", "density 0.05 radius 0.9 input-scale 0.2 bias-scale 0.2 direct", 10, 1e-7, 0, 200,
      5000, 200, 0.22, true },
    { "narma-10-large", "narma", "NRMSE", "density 0.01 radius 0.9 input-scale 0.2 bias-scale 0.2 direct", 10, 1e-7, 0,
      1000, 10000, 200, 0.12, true },
    { "narma-20", "narma", "NRMSE", "density 0.05 radius 0.95 input-scale 0.1 bias-scale 0.2 direct", 20, 1e-7, 0, 200,
      5000, 200, NAN, true },
    { "narma-30", "narma", "NRMSE", "density 0.05 radius 0.95 input-scale 0.1 bias-scale 0.2 direct", 30, 1e-7, 0, 200,
      5000, 200, NAN, true },
    { "memory", "memory", "capacity / N", "cycle linear radius 0.9 input-scale 0.1", NAN, 0, 0, 50, 20000, 200, 0.95,
      false },
    { .name = NULL },
};
typedef struct running {
    task_job *j;
    pool *pool;
    const kernels *k;
    const test *t;
    char network[256];
    double ridge;
    double *score; /* [repeat] */
    int64_t repeat, done, all;
    double began;
} running;

static double rmse_by(double square, double n, const double *y, int64_t steps, int64_t stride)
{
    double mean = 0, variance = 0;
    for (int64_t t = 0; t < steps; t++) mean += y[t * stride] / (double)steps;
    for (int64_t t = 0; t < steps; t++) variance += (y[t * stride] - mean) * (y[t * stride] - mean) / (double)steps;
    return sqrt(square / n / variance);
}
static laco_status taught(echo *e, const running *r, uint64_t seed, const double *u, const double *y, laco_error *err)
{
    ridge *q = NULL;
    ridge_result solved;
    laco_status st = echo_new(e, r->network, 1, 1, seed, r->k, r->pool, err);
    double *w = st ? NULL : mem_new((size_t)e->units, sizeof *w), b;
    if (!st && !w) st = fail_memory(err, (size_t)e->units * sizeof *w);
    if (!st) st = ridge_new(&q, e->units, 1, RIDGE_FREE_BIAS, e->n->k, r->pool, err);
    if (!st) st = echo_gather(e, r->t->train, u, y, r->t->washout, q, err);
    if (!st) st = ridge_solve(q, r->ridge, w, &b, &solved, err);
    if (!st) echo_set(e, w, &b), st = echo_ready(e, err);
    ridge_free(q), mem_free(w);
    return st;
}
enum { AHEAD = 84, STARTS = 50, APART = 100 };
static laco_status run_free(const running *r, uint64_t seed, const double *x, double *score, laco_error *err)
{
    echo e = { 0 };
    const int64_t train = r->t->train;
    double square = 0, y;
    laco_status st = taught(&e, r, seed, x, x + 1, err);
    void *kept = st ? NULL : mem_new(1, echo_state_bytes(&e));
    if (!st && !kept) st = fail_memory(err, echo_state_bytes(&e));
    if (!st) echo_reset(&e);
    for (int64_t t = 0; !st && t < train + (STARTS - 1) * APART; t++) {
        echo_step(&e, x + t, &y);
        if (t + 1 < train || (t + 1 - train) % APART) continue;
        echo_keep(&e, kept);
        for (int h = 1; h < AHEAD; h++) echo_step(&e, &y, &y);
        square += fmin(1e12, (y - x[t + AHEAD]) * (y - x[t + AHEAD])), echo_back(&e, kept);
        if (*r->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped");
    }
    *score = rmse_by(isfinite(square) ? square : 1e12, STARTS, x, train + STARTS * APART, 1);
    mem_free(kept), echo_free(&e);
    return st;
}
static laco_status run_driven(const running *r, uint64_t seed, const double *u, const double *y, int64_t steps,
                              double *score, laco_error *err)
{
    echo e = { 0 };
    double square = 0, answer;
    laco_status st = taught(&e, r, seed, u, y, err);
    if (!st) echo_reset(&e);
    for (int64_t t = 0; !st && t < steps; t++) {
        echo_step(&e, u + t, &answer);
        if (t >= r->t->train) square += (answer - y[t]) * (answer - y[t]);
        if (*r->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped");
    }
    *score = rmse_by(square, (double)(steps - r->t->train), y + r->t->train, steps - r->t->train, 1);
    echo_free(&e);
    return st;
}
static laco_status run_memory(const running *r, uint64_t seed, double *score, laco_error *err)
{
    echo e = { 0 };
    laco_status st = echo_new(&e, r->network, 1, 1, seed, r->k, r->pool, err);
    const property_wish w = {
        .n = e.n, .steps = r->t->train, .washout = r->t->washout, .seed = seed, .stop = r->j->stop
    };
    if (!st) st = property_memory(&w, 2 * e.n->d.layer[0].units, NULL, score, err);
    if (!st) *score /= (double)e.n->d.layer[0].units;
    echo_free(&e);
    return st;
}
static laco_status run_one(const running *r, uint64_t seed, double *score, laco_error *err)
{
    const test *t = r->t;
    const dynamics_row *s = dynamics_find(t->series);
    const bool driven = s->inputs > 0;
    const int64_t steps = t->train + (driven ? t->train / 2 : STARTS * APART + AHEAD), D = s->inputs + s->targets;
    if (!strcmp(t->series, "memory")) return run_memory(r, seed, score, err);
    double *x = mem_new((size_t)(steps * D), sizeof *x), *u = mem_new((size_t)(2 * steps), sizeof *u);
    laco_status st = x && u ? dynamics_make(s, t->parameter, seed, steps, x, err)
                            : fail_memory(err, (size_t)(steps * D) * sizeof *x);
    for (int64_t i = 0; !st && i < steps; i++) {
        u[i] = x[i * D] - t->shift;
        if (driven) u[steps + i] = x[i * D + 1];
    }
    if (!st) st = driven ? run_driven(r, seed, u, u + steps, steps, score, err) : run_free(r, seed, u, score, err);
    mem_free(x), mem_free(u);
    return st;
}
static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static void show(running *r)
{
    laco_progress p = { .phase = "bench",
                        .done = r->done,
                        .total = r->all,
                        .loss = NAN,
                        .valid_loss = NAN,
                        .elapsed = clock_seconds() - r->began,
                        .left = -1 };
    if (r->done) p.left = p.elapsed / (double)r->done * (double)(r->all - r->done);
    if (task_wants_progress(r->j)) task_progress(r->j, &p);
}
static double quantile(const double *x, int64_t n, double q)
{
    const double at = q * (double)(n - 1);
    const int64_t i = (int64_t)at;
    return i + 1 < n ? x[i] + (at - (double)i) * (x[i + 1] - x[i]) : x[n - 1];
}
static laco_status run_test(running *r, json_out *o, laco_error *err)
{
    const test *t = r->t;
    const options *opt = r->j->o;
    const int64_t n = r->repeat, size = options_int(opt, "size") ? options_int(opt, "size") : t->size;
    const char *words = options_text(opt, "words");
    buf out = { 0 };
    const double given = options_real(opt, "ridge-value");
    r->ridge = isnan(given) ? t->ridge : given;
    if (snprintf(r->network, sizeof r->network, "reservoir %lld %s; dense", (long long)size,
                 words ? words : t->network) >= (int)sizeof r->network)
        return fail(err, LACO_EINVAL, -1, "--words: at most 200 characters");
    const double begin = clock_seconds();
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i < n; i++, r->done++)
        st = run_one(r, (uint64_t)(options_int(opt, "seed") + i), &r->score[i], err), show(r);
    if (st) return st;
    qsort(r->score, (size_t)n, sizeof *r->score, compare);
    const double median = quantile(r->score, n, 0.5), each = (clock_seconds() - begin) / (double)n;
    buf_printf(&out, "%-16s  %6lld  %-20s  %10.3g  %10.3g  %10.3g  %10.3g  %10.3g", t->name, (long long)size,
               t->measure, median, r->score[0], quantile(r->score, n, 0.25), quantile(r->score, n, 0.75),
               r->score[n - 1]);
    if (isnan(t->aim))
        buf_printf(&out, "  %16s", "-");
    else
        buf_printf(&out, "  %7.3g %8s", t->aim, (t->at_most ? median <= t->aim : median >= t->aim) ? "met" : "not met");
    buf_printf(&out, "  %8.2f s\n", each);
    if (!options_flag(opt, "json")) task_out_buf(r->j, &out);
    json_begin(o, '{'), json_key(o, "name"), json_text(o, t->name), json_key(o, "network"), json_text(o, r->network);
    json_key(o, "median"), json_number(o, median), json_key(o, "scores"), json_begin(o, '[');
    for (int64_t i = 0; i < n; i++) json_number(o, r->score[i]);
    json_end(o, ']'), json_key(o, "seconds"), json_number(o, each), json_end(o, '}');
    buf_free(&out);
    return LACO_OK;
}
laco_status esn_bench(task_job *j, laco_error *err)
{
    const char *name = options_text(j->o, "benchmark");
    running r = { .j = j, .repeat = options_int(j->o, "repeat"), .began = clock_seconds() };
    json_out o = { .to = j->result };
    for (const test *t = tests; t->name; t++)
        if (!strcmp(name, "all") || !strcmp(name, t->name)) r.all += r.repeat;
    if (!r.all)
        return fail(err, LACO_EINVAL, -1,
                    "there is no benchmark \"%.60s\"; there are mackey-glass, mackey-glass-30, narma-10, "
                    "narma-10-large, narma-20, narma-30 and memory",
                    name);
    laco_status st = kernels_choose(&r.k, REAL_DOUBLE, err);
    if (!st) st = pool_new(&r.pool, (int)options_int(j->o, "threads"), err);
    if (!st && !(r.score = mem_new((size_t)r.repeat, sizeof *r.score)))
        st = fail_memory(err, (size_t)r.repeat * sizeof *r.score);
    buf head = { 0 };
    buf_printf(&head, "%-16s  %6s  %-20s  %10s  %10s  %10s  %10s  %10s  %16s  %10s\n", "benchmark", "units", "measure",
               "median", "least", "1st quarter", "3rd quarter", "most", "aim", "each");
    if (!st && !options_flag(j->o, "json")) task_out_buf(j, &head);
    json_begin(&o, '{'), json_key(&o, "benchmarks"), json_begin(&o, '[');
    for (const test *t = tests; !st && t->name; t++)
        if (!strcmp(name, "all") || !strcmp(name, t->name)) r.t = t, st = run_test(&r, &o, err);
    json_end(&o, ']'), json_end(&o, '}');
    buf_free(&head), mem_free(r.score), pool_free(r.pool);
    return st;
}
