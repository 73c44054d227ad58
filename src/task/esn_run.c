/* laco esn run: answers along a series, an error summary, a score for what is odd, and a readout that may go on learning.
   laco esn generate: the network is led through a series and then runs on its own answers. */
#include "base/rng.h"
#include "task/esn.h"
#include <math.h>
#include <stdio.h>

typedef struct use {
    task_job *j;
    laco_model *m;
    esn_front f;
    forecast_data d;
    echo e;
    pool *pool;
    esn_error all;
    int64_t flagged;
    buf out;
} use;
static laco_status begin(use *r, laco_error *err)
{
    const char *path = options_text(r->j->o, "model-file");
    const kernels *k;
    if (!path) return fail(err, LACO_EINVAL, -1, "name a model file, made by laco esn train");
    laco_status st = esn_kernels(&k, r->j->o, err);
    if (!st) st = pool_new(&r->pool, (int)options_int(r->j->o, "threads"), err);
    if (!st) st = model_load(&r->m, path, 1, err);
    if (!st) st = esn_from_model(&r->f, r->m, err);
    if (!st) st = echo_of(&r->e, r->m->net, k, r->pool, err);
    if (!st) st = esn_read(&r->d, r->j, TEXT_DATA, &r->f, err);
    if (!st && !r->d.count) st = fail(err, LACO_EINVAL, -1, "--data is missing: the table of the series to run through");
    return st;
}
static void end(use *r)
{
    echo_free(&r->e), laco_model_free(r->m), pool_free(r->pool), forecast_data_free(&r->d), esn_front_free(&r->f);
    buf_free(&r->out);
}
static double back(const esn_front *f, int64_t k, double x) { return x * f->deviation[k] + f->mean[k]; }
static void number(buf *to, double x)
{
    if (isfinite(x)) buf_printf(to, ",%.9g", x);
    else buf_text(to, ",");
}
static void when(const use *r, int64_t i, int64_t t, char to[32])
{
    const origin o = { .series = i, .end = r->d.known[i] ? r->d.known[i] - 1 : 0 };
    forecast_when(&r->d, &o, t - o.end, to);
}
static void put_head(use *r, bool score)
{
    if (r->f.columns.id) buf_printf(&r->out, "%s,", r->f.columns.id);
    buf_text(&r->out, r->f.columns.time ? r->f.columns.time : "step");
    for (int64_t k = 0; k < r->f.targets; k++) buf_printf(&r->out, ",%s", r->f.columns.target.name[k]);
    for (int64_t k = 0; k < r->f.targets; k++) buf_printf(&r->out, ",%s_answer", r->f.columns.target.name[k]);
    buf_text(&r->out, score ? ",score,odd\n" : "\n");
}
/* The mean over targets of |error| / residual, and whether one is beyond what training had. */
static double score_of(const use *r, const double *answer, const double *truth, bool *odd)
{
    double sum = 0, n = 0;
    *odd = false;
    for (int64_t k = 0; k < r->f.targets; k++) {
        const double e = fabs(answer[k] - truth[k]) / fmax(1e-12, r->f.residual[k]);
        if (!isfinite(e)) continue;
        sum += e, n++, *odd |= e > r->f.flag[k] * 1.000001;
    }
    return n > 0 ? sum / n : NAN;
}
static void row(use *r, int64_t i, int64_t t, const double *answer, const double *truth, bool score)
{
    char at[32];
    bool odd;
    when(r, i, t + r->f.horizon - 1, at);
    if (r->f.columns.id) buf_printf(&r->out, "%s,", r->d.name[i] ? r->d.name[i] : "");
    buf_text(&r->out, at);
    for (int64_t k = 0; k < r->f.targets; k++) number(&r->out, back(&r->f, k, truth[k]));
    for (int64_t k = 0; k < r->f.targets; k++) number(&r->out, back(&r->f, k, answer[k]));
    if (score) {
        number(&r->out, score_of(r, answer, truth, &odd));
        buf_printf(&r->out, ",%d\n", odd), r->flagged += odd;
    } else
        buf_text(&r->out, "\n");
}

/* ---- a readout that goes on learning ---- */
static laco_status follow_learning(use *r, const esn_series *s, double *answer, laco_error *err)
{
    const int64_t D = r->f.targets;
    const bool rls = !strcmp(options_text(r->j->o, "adapt"), "rls");
    const online_settings set = { .rule = rls ? ONLINE_RLS : ONLINE_NLMS, .features = r->e.units, .targets = D, .bias = true,
                                  .lambda = options_real(r->j->o, "adapt-ridge"), .forget = options_real(r->j->o, "forget"),
                                  .rate = options_real(r->j->o, "learn-rate") };
    online *q = NULL;
    double *w = mem_new((size_t)(r->e.units * (D + 1) + D + esn_inputs(&r->f)), sizeof *w);
    laco_status st = w ? online_new(&q, &set, err) : fail_memory(err, (size_t)r->e.units * sizeof *w);
    double *units = w ? w + r->e.units * D : NULL, *b = w ? units + r->e.units : NULL, *u = w ? b + D : NULL;
    if (!st) echo_weights(&r->e, w, b), online_set(q, w, b), st = echo_units_begin(&r->e, err);
    for (int64_t t = 0; !st && t < s->n; t++) {
        esn_inputs_at(&r->f, s, t, t ? answer + (t - 1) * D : NULL, u);
        echo_units_step(&r->e, u, units), online_answer(q, units, answer + t * D);
        const int64_t known = t - (r->f.horizon - 1); /* what was answered then is known now */
        if (t >= r->f.washout && known >= 0 && r->f.horizon == 1) online_learn(q, units, s->ahead + t * D, NULL);
        if (*r->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped");
    }
    online_free(q), mem_free(w);
    return st;
}
static laco_status run_series(use *r, int64_t i, bool print, laco_error *err)
{
    const int64_t D = r->f.targets, washout = r->f.washout;
    const bool adapts = options_type(r->j->o, "adapt") && strcmp(options_text(r->j->o, "adapt"), "none");
    esn_series s;
    laco_status st = esn_series_of(&s, &r->f, &r->d, i, err);
    double *answer = st ? NULL : mem_new((size_t)(s.n * D), sizeof *answer);
    if (!st && !answer) st = fail_memory(err, (size_t)s.n * sizeof *answer);
    if (!st && adapts && r->f.horizon > 1)
        st = fail(err, LACO_EINVAL, -1, "--adapt learns from the next value: it needs a model of --horizon 1");
    if (!st && adapts) st = follow_learning(r, &s, answer, err);
    if (!st && !adapts) echo_reset(&r->e), st = esn_follow(&r->e, &r->f, &s, 0, s.n, s.n, answer, r->j->stop, err);
    if (!st && s.n > washout) {
        esn_error e = esn_error_of(answer + washout * D, s.ahead + washout * D, s.n - washout, D);
        r->all.square += e.square, r->all.variance += e.variance, r->all.n += e.n;
    }
    for (int64_t t = 0; !st && print && t < s.n; t++) {
        row(r, i, t, answer + t * D, s.ahead + t * D, true);
        if (r->out.len > 1 << 16) task_out_buf(r->j, &r->out);
    }
    if (!st && !i && print && options_type(r->j->o, "svg")) st = esn_plot(r->j, "svg", s.ahead, answer, s.n, D, 0, err);
    mem_free(answer), esn_series_free(&s);
    return st;
}
static laco_status summary(use *r, bool print, laco_error *err)
{
    json_out o = { .to = r->j->result };
    const double n = fmax(1, r->all.n);
    if (print) task_out_buf(r->j, &r->out);
    if (r->out.failed) return fail_memory(err, r->out.len);
    json_begin(&o, '{'), json_key(&o, "task"), json_text(&o, "esn"), json_key(&o, "values"), json_number(&o, r->all.n);
    if (r->all.n > 0)
        json_key(&o, "nrmse"), json_number(&o, esn_nrmse(&r->all)), json_key(&o, "scaled_rmse"), json_number(&o, sqrt(r->all.square / n));
    json_key(&o, "odd"), json_int(&o, r->flagged), json_end(&o, '}');
    if (r->all.n > 0)
        task_note(r->j, "error     NRMSE %.4g over %.0f values behind the first %lld steps; %lld steps are odd", esn_nrmse(&r->all), r->all.n,
                  (long long)r->f.washout, (long long)r->flagged);
    return LACO_OK;
}
static laco_status run_all(task_job *j, bool print, laco_error *err)
{
    use r = { .j = j };
    laco_status st = begin(&r, err);
    const bool shown = print && !(options_type(j->o, "json") && options_flag(j->o, "json"));
    if (!st && shown) put_head(&r, true);
    for (int64_t i = 0; !st && i < r.d.count; i++) st = run_series(&r, i, shown, err);
    if (!st) st = summary(&r, shown, err);
    return end(&r), st;
}
laco_status esn_run_job(task_job *j, laco_error *err) { return run_all(j, true, err); }

/* ---- generating ---- */
/* Errors of the free run where the series goes on: at each step, and over all. */
static void compare(use *r, const double *said, const double *came, int64_t steps)
{
    static const int64_t at[] = { 1, 10, 20, 50, 84, 100, 200, 500, 1000 };
    json_out o = { .to = r->j->result };
    json_begin(&o, '{'), json_key(&o, "task"), json_text(&o, "esn"), json_key(&o, "steps"), json_int(&o, steps);
    json_key(&o, "error"), json_begin(&o, '{');
    for (size_t i = 0; i < sizeof at / sizeof *at && at[i] <= steps; i++) {
        double worst = 0;
        for (int64_t k = 0; k < r->f.targets; k++) worst = fmax(worst, fabs(said[(at[i] - 1) * r->f.targets + k] - came[(at[i] - 1) * r->f.targets + k]));
        if (!isfinite(came[(at[i] - 1) * r->f.targets])) break;
        char key[32];
        snprintf(key, sizeof key, "%lld", (long long)at[i]);
        json_key(&o, key), json_number(&o, worst);
        task_note(r->j, "error     after %lld steps %.3g deviations", (long long)at[i], worst);
    }
    json_end(&o, '}');
    esn_error e = esn_error_of(said, came, steps, r->f.targets);
    if (e.n > 0) json_key(&o, "nrmse"), json_number(&o, esn_nrmse(&e));
    json_end(&o, '}');
}
static laco_status generate(use *r, laco_error *err)
{
    const int64_t D = r->f.targets, steps = options_int(r->j->o, "steps");
    int64_t prime = options_int(r->j->o, "prime");
    const double noise = options_real(r->j->o, "noise");
    esn_series s = { 0 };
    if (!r->f.own || r->f.horizon > 1)
        return fail(err, LACO_EINVAL, -1, "this network does not read its own answers: train it without --input, or with --feedback, and with --horizon 1");
    if (!prime) prime = r->d.known[0];
    if (prime < 2 || prime > r->d.known[0])
        return fail(err, LACO_EINVAL, -1, "--prime %lld: the series has %lld steps to be led through", (long long)prime, (long long)r->d.known[0]);
    if (r->f.drivers && prime + steps > r->d.start[1])
        return fail(err, LACO_EINVAL, -1, "--steps %lld: the drivers are known for %lld steps behind the first %lld", (long long)steps,
                    (long long)(r->d.start[1] - prime), (long long)prime);
    laco_status st = esn_series_of(&s, &r->f, &r->d, 0, err);
    double *answer = mem_new((size_t)((max64(prime, 0) + steps) * D), sizeof *answer), *u = mem_new((size_t)esn_inputs(&r->f), sizeof *u),
           *came = mem_new((size_t)(steps * D), sizeof *came);
    if (!st && (!answer || !u || !came)) st = fail_memory(err, (size_t)steps * sizeof *answer);
    if (!st) echo_reset(&r->e), st = esn_follow(&r->e, &r->f, &s, 0, prime, prime, answer, r->j->stop, err);
    for (int64_t h = 0; !st && h < steps; h++) {
        double *y = answer + (prime + h) * D;
        if (r->f.drivers) memcpy(u, s.u + (prime + h) * esn_inputs(&r->f), (size_t)r->f.drivers * sizeof *u);
        for (int64_t k = 0; k < D; k++) {
            const double last = h ? y[k - D] : s.y[(prime - 1) * D + k];
            u[r->f.drivers + k] = isfinite(last) ? last : y[k - D];
        }
        echo_step(&r->e, u, y);
        for (int64_t k = 0; k < D; k++) {
            y[k] += noise * rng_normal((uint64_t)options_int(r->j->o, "seed"), RNG_SAMPLE, (uint64_t)(h * D + k));
            came[h * D + k] = prime + h < r->d.known[0] ? s.y[(prime + h) * D + k] : NAN;
            if (!(fabs(y[k]) < 1e6))
                st = fail(err, LACO_ENUMERIC, h, "the free run diverges at step %lld; train with a larger --ridge, with --noise, or with a smaller --radius",
                          (long long)h + 1);
        }
        if (!st && *r->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped");
    }
    if (!st) put_head(r, false);
    for (int64_t h = 0; !st && h < steps; h++) row(r, 0, prime + h, answer + (prime + h) * D, came + h * D, false);
    if (!st && !options_flag(r->j->o, "json")) task_out_buf(r->j, &r->out);
    if (!st && r->out.failed) st = fail_memory(err, r->out.len);
    if (!st) compare(r, answer + prime * D, came, steps), st = esn_plot(r->j, "svg", came, answer + prime * D, steps, D, prime, err);
    mem_free(answer), mem_free(u), mem_free(came), esn_series_free(&s);
    return st;
}
laco_status esn_generate(task_job *j, laco_error *err)
{
    use r = { .j = j };
    laco_status st = begin(&r, err);
    if (!st) st = generate(&r, err);
    return end(&r), st;
}
