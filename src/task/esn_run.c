/* laco esn run, and laco predict and eval of its models: answers along a series beside what came, errors, a score for
   what is odd, and a readout that may go on learning.

   Rows are taken one by one: with row t the network answers y(t + h - 1), and y(t) is held against what was answered
   h - 1 rows before. Nothing else is kept, so a table without --time and --id may go on for ever.

       score = mean over targets of |y - answer| / residual;  odd: one of them is above the flag of esn_front */
#include "task/esn.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

enum { CHUNK = 4096, DRAWN = 1000 };
typedef struct moment { /* running mean and sum of squares about it, and of errors */
    double n, mean, about, error;
} moment;
typedef struct run {
    esn_use at;
    online *learner; /* NULL: the readout stays as it is */
    const char *name;
    int64_t t, flagged;
    double *u, *y, *held; /* [inputs]; [targets] y(t); [targets + drivers] the last that was known */
    bool *missing;        /* [targets] y(t-1) is */
    double *answer;       /* [horizon][targets] of the last steps; t's stands at t % horizon */
    double *units;        /* [horizon][units] with a learner */
    double *drawn;        /* [2][DRAWN][targets] what came and what was answered, or NULL */
    int64_t drawings;
    moment *all; /* [targets] */
} run;

static laco_status open_run(run *r, task_job *j, laco_error *err)
{
    const options *o = j->o;
    const char *adapt = options_type(o, "adapt") ? options_text(o, "adapt") : "none";
    laco_status st = esn_use_open(&r->at, j, err);
    if (st) return st;
    const int64_t D = r->at.f.targets, E = r->at.f.drivers, H = r->at.f.horizon, N = r->at.e.units;
    const bool learns = strcmp(adapt, "none") != 0, draws = options_type(o, "svg") && options_text(o, "svg");
    size_t places;
    if (mul_overflows((size_t)H, (size_t)(learns ? N : D), &places)) return fail_memory(err, SIZE_MAX);
    r->u = mem_new((size_t)(D + E), sizeof *r->u), r->y = mem_new((size_t)D, sizeof *r->y);
    r->held = mem_new((size_t)(D + E), sizeof *r->held), r->missing = mem_new((size_t)D, sizeof *r->missing);
    r->answer = mem_new((size_t)(H * D), sizeof *r->answer), r->all = mem_new((size_t)D, sizeof *r->all);
    if (learns) r->units = mem_new(places, sizeof *r->units);
    if (draws) r->drawn = mem_new((size_t)(2 * DRAWN * D), sizeof *r->drawn);
    if (!r->u || !r->y || !r->held || !r->missing || !r->answer || !r->all || (learns && !r->units) ||
        (draws && !r->drawn))
        return fail_memory(err, places * sizeof(double));
    if (!learns) return LACO_OK;
    const online_settings set = { .rule = strcmp(adapt, "rls") ? ONLINE_NLMS : ONLINE_RLS,
                                  .features = N,
                                  .targets = D,
                                  .bias = true,
                                  .lambda = options_real(o, "adapt-ridge"),
                                  .forget = options_real(o, "forget"),
                                  .rate = options_real(o, "learn-rate") };
    double *w = mem_new((size_t)(N * D + D), sizeof *w);
    st = w ? online_new(&r->learner, &set, err) : fail_memory(err, (size_t)(N * D) * sizeof *w);
    if (!st) echo_weights(&r->at.e, w, w + N * D), online_set(r->learner, w, w + N * D);
    mem_free(w);
    return st;
}
static laco_status close_run(run *r, laco_status st, laco_error *err)
{
    mem_free(r->u), mem_free(r->y), mem_free(r->held), mem_free(r->missing), mem_free(r->answer), mem_free(r->units);
    mem_free(r->drawn), mem_free(r->all), online_free(r->learner);
    return esn_use_close(&r->at, st, err);
}
static laco_status begin_series(run *r, const char *name, laco_error *err)
{
    r->t = 0, r->name = name;
    memset(r->held, 0, (size_t)esn_inputs(&r->at.f) * sizeof *r->held);
    memset(r->missing, 0, (size_t)r->at.f.targets * sizeof *r->missing);
    return r->learner ? echo_units_begin(&r->at.e, err) : (echo_reset(&r->at.e), LACO_OK);
}
static double *answer_at(const run *r, int64_t t) { return r->answer + t % r->at.f.horizon * r->at.f.targets; }
static double *units_at(const run *r, int64_t t) { return r->units + t % r->at.f.horizon * r->at.e.units; }

/* Step t: the network reads drivers x and what came before. A y(t-1) that is missing is what was answered. */
static laco_status answer_next(run *r, const double *x, laco_error *err)
{
    const esn_front *f = &r->at.f;
    const int64_t D = f->targets, E = f->drivers;
    const double *before = answer_at(r, r->t + f->horizon - 1); /* at horizon 1 that of step t - 1 */
    for (int64_t k = 0; k < E; k++) {
        const double v = (x[k] - f->mean[D + k]) / f->deviation[D + k];
        r->u[k] = r->held[D + k] = isfinite(v) ? v : r->held[D + k];
    }
    for (int64_t k = 0; f->own && k < D; k++)
        r->u[E + k] = r->missing[k] && f->horizon == 1 && r->t ? before[k] : r->held[k];
    double *y = answer_at(r, r->t);
    if (r->learner)
        echo_units_step(&r->at.e, r->u, units_at(r, r->t)), online_answer(r->learner, units_at(r, r->t), y);
    else
        echo_step(&r->at.e, r->u, y);
    for (int64_t k = 0; k < D; k++)
        if (!(fabs(y[k]) < 1e6))
            return fail(err, LACO_ENUMERIC, r->t,
                        "the network runs away at step %lld: its answers grow without bound; %s", (long long)r->t + 1,
                        r->learner ? "give a smaller --learn-rate or a larger --adapt-ridge"
                                   : "train with a larger --ridge, or with a smaller radius");
    return LACO_OK;
}
static double score_of(const run *r, const double *answer, const double *truth, bool *odd)
{
    double sum = 0, n = 0;
    *odd = false;
    for (int64_t k = 0; k < r->at.f.targets; k++) {
        const double e = fabs(answer[k] - truth[k]) / fmax(1e-12, r->at.f.residual[k]);
        if (isfinite(e)) sum += e, n++, *odd |= e > r->at.f.flag[k];
    }
    return n > 0 ? sum / n : NAN;
}
static void count(run *r, const double *answer, const double *truth)
{
    for (int64_t k = 0; k < r->at.f.targets; k++) {
        moment *m = &r->all[k];
        if (!isfinite(truth[k])) continue;
        const double d = truth[k] - m->mean, e = truth[k] - answer[k];
        m->mean += d / ++m->n, m->about += d * (truth[k] - m->mean), m->error += e * e;
    }
}
/* One row of the answers: y(t) and what was answered for it, NULL where nothing was. */
static laco_status put_row(run *r, const char *when, int64_t step, const double *truth, const double *answer,
                           laco_error *err)
{
    const int64_t D = r->at.f.targets;
    bool odd = false;
    const double score = truth && answer ? score_of(r, answer, truth, &odd) : NAN;
    r->flagged += odd;
    for (int64_t k = 0; r->drawn && r->t >= r->at.f.washout && r->drawings < DRAWN && answer && k < D; k++) {
        r->drawn[r->drawings * D + k] = truth ? truth[k] : NAN;
        r->drawn[(DRAWN + r->drawings) * D + k] = answer[k];
    }
    r->drawings += answer && r->t >= r->at.f.washout && r->drawings < DRAWN;
    answers *a = r->at.out;
    if (!a) return LACO_OK;
    if (r->at.f.columns.id) answers_text(a, r->name ? r->name : "", r->name ? strlen(r->name) : 0);
    esn_answers_when(&r->at, when, step);
    for (int64_t k = 0; k < D; k++) truth ? answers_number(a, esn_back(&r->at.f, k, truth[k])) : answers_missing(a);
    for (int64_t k = 0; k < D; k++) answer ? answers_number(a, esn_back(&r->at.f, k, answer[k])) : answers_missing(a);
    if (isfinite(score)) answers_number(a, score), answers_int(a, odd);
    return answers_row(a, err);
}
/* Row t of a series: y and x in the units of the file. */
static laco_status take_row(run *r, const char *when, const double *x, const double *y, laco_error *err)
{
    const esn_front *f = &r->at.f;
    const int64_t D = f->targets, asked = r->t - (f->horizon - 1);
    laco_status st = answer_next(r, x, err);
    for (int64_t k = 0; k < D; k++) {
        r->y[k] = (y[k] - f->mean[k]) / f->deviation[k], r->missing[k] = !isfinite(r->y[k]);
        if (!r->missing[k]) r->held[k] = r->y[k];
    }
    if (!st) st = put_row(r, when, r->t, r->y, asked >= 0 ? answer_at(r, asked) : NULL, err);
    if (!st && asked >= f->washout) {
        count(r, answer_at(r, asked), r->y);
        if (r->learner) online_learn(r->learner, units_at(r, asked), r->y, NULL);
    }
    for (int64_t k = 0; k < D; k++)
        if (r->missing[k] && f->horizon > 1) r->missing[k] = false; /* its last value stands for it */
    r->t++;
    return st;
}
/* What was answered for steps that did not come; without drivers the network can be asked once more. */
static laco_status end_series(run *r, const forecast_data *d, int64_t series, laco_error *err)
{
    const esn_front *f = &r->at.f;
    const int64_t came = r->t;
    char when[32];
    const origin o = { .series = series, .end = d && d->time ? d->start[series + 1] - d->start[series] - 1 : 0 };
    laco_status st = !f->drivers && came ? answer_next(r, NULL, err) : LACO_OK;
    if (!f->drivers && came) r->t++;
    for (int64_t t = max64(came, f->horizon - 1); !st && came && t < r->t + f->horizon - 1; t++) {
        if (d && d->time) forecast_when(d, &o, t - o.end, when);
        st = put_row(r, d && d->time ? when : NULL, t, NULL, answer_at(r, t - (f->horizon - 1)), err);
    }
    return st;
}
static laco_status take_rows(run *r, const forecast_data *d, int64_t series, laco_error *err)
{
    const int64_t D = d->targets, E = d->future, n = d->start[series + 1] - d->start[series];
    const origin o = { .series = series };
    char when[32];
    laco_status st = LACO_OK;
    for (int64_t t = 0; !st && t < n; t++) {
        const int64_t at = d->start[series] + t;
        if (d->time) forecast_when(d, &o, t, when);
        st = take_row(r, d->time ? when : NULL, E ? d->future_x + at * E : NULL, d->y + at * D, err);
        if (!st && *r->at.j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped");
    }
    return st;
}
static laco_status take_chunk(run *r, const table *t, bool comma, bool first, bool whole, laco_error *err)
{
    forecast_data d;
    if (first) esn_by_place(&r->at.f, t);
    laco_status st = forecast_from_table(&d, t, &r->at.f.columns, comma, err);
    if (st) return st;
    st = esn_check(&d, err);
    for (int64_t i = 0; !st && i < d.count; i++) {
        if (first) st = begin_series(r, d.name[i], err);
        if (!st) st = take_rows(r, &d, i, err);
        if (!st && whole) st = end_series(r, &d, i, err);
    }
    if (!st && !whole && r->at.out) st = answers_pause(r->at.out, err);
    return forecast_data_free(&d), st;
}
static laco_status take_table(run *r, laco_error *err)
{
    const bool whole = r->at.f.columns.time || r->at.f.columns.id;
    table_input in;
    table_reader *reader = NULL;
    table *t = NULL;
    bool first = true;
    r->at.f.columns.part = !whole;
    laco_status st = esn_open(&in, r->at.j, &r->at.f, err);
    if (st) return st;
    st = task_open_table(&in, TEXT_DATA, &reader, err);
    if (!st && !reader) st = fail(err, LACO_EINVAL, -1, "--data is missing: the table of the series to run through");
    while (!st && !(st = table_next(reader, whole ? INT64_MAX : CHUNK, !whole, &t, err)) && t) {
        st = take_chunk(r, t, in.o.decimal_comma, first, whole, err);
        table_free(t), t = NULL, first = false;
    }
    if (!st && first) st = fail(err, LACO_EFORMAT, -1, "%.200s has no rows", options_text(r->at.j->o, "data"));
    if (!st && !whole) st = end_series(r, NULL, 0, err);
    table_close(reader);
    return esn_close(&in, st, err);
}

/* ---- the end ---- */
static void figures(run *r, bool say)
{
    json_out o = { .to = r->at.j->result };
    double n = 0, about = 0, error = 0;
    for (int64_t k = 0; k < r->at.f.targets; k++) n += r->all[k].n, about += r->all[k].about, error += r->all[k].error;
    const double nrmse = about > 0 ? sqrt(error / about) : NAN, rmse = n > 0 ? sqrt(error / n) : NAN;
    json_begin(&o, '{'), json_key(&o, "task"), json_text(&o, "esn"), json_key(&o, "values"), json_number(&o, n);
    if (isfinite(nrmse)) json_key(&o, "nrmse"), json_number(&o, nrmse);
    if (n > 0) json_key(&o, "scaled_rmse"), json_number(&o, rmse);
    if (n > 0 && r->at.f.targets == 1) json_key(&o, "rmse"), json_number(&o, rmse * r->at.f.deviation[0]);
    json_key(&o, "odd"), json_int(&o, r->flagged), json_end(&o, '}');
    if (n > 0 && say)
        task_note(r->at.j, "error     NRMSE %.4g over %.0f values behind the first %lld steps; %lld steps are odd",
                  nrmse, n, (long long)r->at.f.washout, (long long)r->flagged);
}
static laco_status run_all(task_job *j, bool rows, bool says, laco_error *err)
{
    run r = { 0 };
    laco_status st = open_run(&r, j, err);
    if (!st && rows) st = esn_answers_open(&r.at, true, err);
    if (!st) st = take_table(&r, err);
    if (!st && r.drawn)
        st = esn_plot(j, &r.at.f, r.drawn, r.drawn + DRAWN * r.at.f.targets, r.drawings, r.at.f.washout, err);
    if (!st && says) figures(&r, true);
    return close_run(&r, st, err);
}
laco_status esn_run_job(task_job *j, laco_error *err) { return run_all(j, true, true, err); }
laco_status esn_predict(task_job *j, laco_model *m, laco_error *err) { return (void)m, run_all(j, true, false, err); }
laco_status esn_eval(task_job *j, laco_model *m, laco_error *err) { return (void)m, run_all(j, false, true, err); }
