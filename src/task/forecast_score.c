/* Forecasts against what came: the network's, and those of methods without one. A figure is the mean over all origins and
   targets of that of the horizon; coverage and CRPS are means over all values. */
#include "task/forecast.h"
#include "task/forecast_baselines.h"
#include <math.h>
#include <stdio.h>

static const char *const method_names[METHODS] = { "naive", "seasonal naive", "Naive2", "Theta", "lagged linear", "network beside",
                                                   "this network" };

void evaluation_close(evaluation *e)
{
    mem_free(e->mean), mem_free(e->deviation), mem_free(e->change), mem_free(e->changes), mem_free(e->y), mem_free(e->point);
    mem_free(e->q);
    *e = (evaluation){ 0 };
}
/* Population mean and deviation of the first n steps of a target. */
static void learn_standard(evaluation *e, int64_t series, int64_t d, int64_t n)
{
    double mean = 0, squares = 0, count = 0;
    const double *y = e->d->y + e->d->start[series] * e->d->targets + d;
    for (int64_t t = 0; t < n; t++) {
        double v = y[t * e->d->targets];
        if (isnan(v)) continue;
        double off = v - mean;
        count++, mean += off / count, squares += off * (v - mean);
    }
    int64_t at = series * e->d->targets + d;
    e->mean[at] = mean, e->deviation[at] = squares > 0 ? sqrt(squares / count) : 1;
}
static void learn_changes(evaluation *e, int64_t series)
{
    const forecast_data *d = e->d;
    const int64_t D = d->targets, m = e->f->season;
    for (int64_t t = d->start[series]; t < d->start[series + 1]; t++)
        for (int64_t k = 0; k < D; k++) {
            int64_t at = t * D + k;
            double change = t - m >= d->start[series] ? fabs(d->y[at] - d->y[at - m * D]) : NAN, known = !isnan(change);
            bool first = t == d->start[series];
            e->change[at] = (first ? 0 : e->change[at - D]) + (isnan(change) ? 0 : change);
            e->changes[at] = (first ? 0 : e->changes[at - D]) + known;
        }
}
static int64_t find_level(const forecast_levels *l, double level)
{
    for (int64_t k = 0; k < l->n; k++)
        if (fabs(l->level[k] - level) < 1e-9) return k;
    return -1;
}
laco_status evaluation_open(evaluation *e, const forecast_front *f, const forecast_data *d, const int64_t *train,
                            const forecast_levels *levels, double interval, bool standardised, laco_error *err)
{
    const size_t series = (size_t)(d->count * d->targets), steps = (size_t)(d->start[d->count] * d->targets), of = sizeof(double);
    *e = (evaluation){ .f = f, .d = d, .levels = levels, .interval = interval, .standardised = standardised };
    e->low = find_level(levels, (1 - interval) / 2), e->high = find_level(levels, (1 + interval) / 2);
    if (e->low < 0 || e->high < 0) e->low = e->high = -1;
    e->mean = mem_new(series, of), e->deviation = mem_new(series, of);
    e->change = mem_new(steps, of), e->changes = mem_new(steps, of);
    e->y = mem_new((size_t)f->horizon, of), e->point = mem_new((size_t)f->horizon, of);
    e->q = mem_new((size_t)levels->n + 1, of);
    if (!e->mean || !e->deviation || !e->change || !e->changes || !e->y || !e->point || !e->q)
        return fail_memory(err, 2 * (series + steps) * of);
    for (int64_t i = 0; i < d->count; i++) {
        for (int64_t k = 0; k < d->targets; k++) learn_standard(e, i, k, train[i]);
        learn_changes(e, i);
    }
    return LACO_OK;
}

static void add_levels(evaluation *e, method_score *s, const double *answer, int64_t d, double mean, double deviation)
{
    const int64_t D = e->d->targets, K = e->levels->n;
    for (int64_t h = 0; h < e->f->horizon; h++) {
        const double *q = answer + (h * D + d) * (1 + K) + 1;
        for (int64_t k = 0; k < K; k++) e->q[k] = (q[k] - mean) / deviation;
        measure_add(&s->crps, isnan(e->y[h]) ? NAN : measure_crps(e->y[h], e->q, e->levels->level, K));
        if (e->low >= 0 && !isnan(e->y[h])) measure_add(&s->covered, e->y[h] >= e->q[e->low] && e->y[h] <= e->q[e->high]);
    }
}
void evaluation_add(evaluation *e, int method, const origin *o, const double *answer, int64_t levels)
{
    const forecast_data *d = e->d;
    const int64_t D = d->targets, H = e->f->horizon, first = d->start[o->series];
    method_score *s = &e->method[method];
    for (int64_t k = 0; k < D; k++) {
        int64_t history = (first + o->end) * D + k;
        for (int64_t h = 0; h < H; h++) {
            bool there = o->end + 1 + h < d->known[o->series];
            e->y[h] = there ? d->y[(first + o->end + 1 + h) * D + k] : NAN;
            e->point[h] = answer[(h * D + k) * (1 + levels)];
        }
        measure_add(&s->smape, measure_smape(e->y, e->point, H));
        double scale = e->changes[history] > 0 ? e->change[history] / e->changes[history] : NAN;
        if (scale > 0) measure_add(&s->mase, measure_mae(e->y, e->point, H) / scale);
        double mean = e->standardised ? e->mean[o->series * D + k] : 0,
               deviation = e->standardised ? e->deviation[o->series * D + k] : 1;
        for (int64_t h = 0; h < H; h++) e->y[h] = (e->y[h] - mean) / deviation, e->point[h] = (e->point[h] - mean) / deviation;
        measure_add(&s->mae, measure_mae(e->y, e->point, H)), measure_add(&s->mse, measure_mse(e->y, e->point, H));
        if (levels) add_levels(e, s, answer, k, mean, deviation);
    }
}

/* ---- forecasts without a network ---- */
enum { MOST_HISTORY = 4000, MOST_WINDOWS = 20000, MOST_LINEAR_LAGS = 168 };
static const double most_work = 2e7; /* numbers that Naive2 and Theta may read in all */
typedef struct baselines {
    evaluation *e;
    lagged **linear; /* [targets] */
    int64_t lags;
    double *x, *out, *answer; /* history of a target without gaps; [horizon]; [horizon][targets] */
    bool slow;                /* Naive2 and Theta would take too long */
} baselines;

static double value_at(const forecast_data *d, int64_t series, int64_t t, int64_t k)
{
    return d->y[(d->start[series] + t) * d->targets + k];
}
static laco_status learn_linear(baselines *b, const int64_t *train, laco_error *err)
{
    const forecast_front *f = b->e->f;
    const forecast_data *d = b->e->d;
    int64_t windows = 0, n = 0, length;
    for (int64_t i = 0; i < d->count; i++) n = max64(n, train[i]);
    b->lags = min64(min64(f->window, MOST_LINEAR_LAGS), (n - f->horizon) / 2), length = b->lags + f->horizon;
    for (int64_t i = 0; i < d->count; i++) windows += max64(0, train[i] - length + 1);
    if (b->lags < 1 || !windows) return b->lags = 0, LACO_OK;
    int64_t apart = ceil_div(windows, MOST_WINDOWS);
    double *x = mem_new((size_t)length, sizeof *x);
    laco_status st = x ? LACO_OK : fail_memory(err, (size_t)length * sizeof *x);
    for (int64_t k = 0; !st && k < d->targets; k++) {
        st = lagged_new(&b->linear[k], b->lags, f->horizon, err);
        for (int64_t i = 0; !st && i < d->count; i++)
            for (int64_t t = i % apart; t + length <= train[i]; t += apart) {
                for (int64_t s = 0; s < length; s++) x[s] = value_at(d, i, t + s, k);
                lagged_add(b->linear[k], x, b->e->deviation[i * d->targets + k]);
            }
        if (!st && lagged_fit(b->linear[k], 1e-3, NULL)) lagged_free(b->linear[k]), b->linear[k] = NULL;
    }
    mem_free(x);
    return st;
}
static laco_status one_baseline(baselines *b, int method, const origin *o, const double *x, int64_t n, int64_t k, laco_error *err)
{
    static baseline_fn *const plain[] = { baseline_naive, baseline_seasonal, baseline_naive2, baseline_theta };
    const forecast_front *f = b->e->f;
    if (method < METHOD_LINEAR) return plain[method](x, n, f->season, f->horizon, b->out, err);
    if (b->linear[k] && n >= b->lags)
        lagged_forecast(b->linear[k], x + n - b->lags, b->e->deviation[o->series * b->e->d->targets + k], b->out);
    else
        return baseline_naive(x, n, 1, f->horizon, b->out, err);
    return LACO_OK;
}
static bool is_wanted(const baselines *b, int method)
{
    if (method == METHOD_SEASONAL) return b->e->f->season > 1;
    if (method == METHOD_LINEAR) return b->lags > 0;
    return method == METHOD_NAIVE || !b->slow;
}
/* The history of a target up to an origin; where a value is missing, the last before it. */
static int64_t take_history(baselines *b, const origin *o, int64_t k)
{
    int64_t from = max64(0, o->end + 1 - MOST_HISTORY), n = o->end + 1 - from;
    double last = NAN;
    for (int64_t t = 0; t < n; t++) {
        double v = value_at(b->e->d, o->series, from + t, k);
        b->x[t] = last = isnan(v) ? last : v;
    }
    for (int64_t t = n - 2; t >= 0; t--)
        if (isnan(b->x[t])) b->x[t] = b->x[t + 1];
    return n;
}
static laco_status answer_origin(baselines *b, const origin *o, laco_error *err)
{
    const int64_t D = b->e->d->targets, H = b->e->f->horizon;
    laco_status st = LACO_OK;
    for (int method = 0; !st && method <= METHOD_LINEAR; method++) {
        if (!is_wanted(b, method)) continue;
        for (int64_t k = 0; !st && k < D; k++) {
            int64_t n = take_history(b, o, k);
            st = one_baseline(b, method, o, b->x, n, k, err);
            for (int64_t h = 0; h < H; h++) b->answer[h * D + k] = b->out[h];
        }
        if (!st) evaluation_add(b->e, method, o, b->answer, 0);
    }
    return st;
}
laco_status evaluation_baselines(evaluation *e, task_job *j, const origin *o, int64_t n, const int64_t *train, laco_error *err)
{
    const size_t D = (size_t)e->d->targets, H = (size_t)e->f->horizon;
    baselines b = { .e = e };
    double work = 0;
    for (int64_t i = 0; i < n; i++) work += (double)min64(o[i].end + 1, MOST_HISTORY) * (double)D;
    b.slow = work > most_work;
    b.linear = mem_new(D, sizeof *b.linear), b.x = mem_new(MOST_HISTORY, sizeof(double));
    b.out = mem_new(H, sizeof(double)), b.answer = mem_new(H * D, sizeof(double));
    laco_status st = b.linear && b.x && b.out && b.answer ? LACO_OK : fail_memory(err, D * H * sizeof(double));
    if (!st) st = learn_linear(&b, train, err);
    for (int64_t i = 0; !st && i < n && !*j->stop; i++) st = answer_origin(&b, &o[i], err);
    for (size_t k = 0; b.linear && k < D; k++) lagged_free(b.linear[k]);
    mem_free(b.linear), mem_free(b.x), mem_free(b.out), mem_free(b.answer);
    return st;
}

/* ---- figures ---- */
double evaluation_owa(const evaluation *e, int method)
{
    const method_score *s = &e->method[method], *by = &e->method[METHOD_NAIVE2];
    return (measure_mean(&s->smape) / measure_mean(&by->smape) + measure_mean(&s->mase) / measure_mean(&by->mase)) / 2;
}
typedef struct shown {
    const char *name, *key;
    double value;
} shown;
enum { SHOWN = 8 };
static int list_figures(const evaluation *e, int method, shown to[SHOWN])
{
    const method_score *s = &e->method[method];
    const shown all[SHOWN] = { { "MAE", "mae", measure_mean(&s->mae) },
                               { "MSE", "mse", measure_mean(&s->mse) },
                               { "RMSE", "rmse", sqrt(measure_mean(&s->mse)) },
                               { "sMAPE", "smape", measure_mean(&s->smape) },
                               { "MASE", "mase", measure_mean(&s->mase) },
                               { "OWA", "owa", evaluation_owa(e, method) },
                               { "CRPS", "crps", measure_mean(&s->crps) },
                               { "covered", "coverage", measure_mean(&s->covered) } };
    memcpy(to, all, sizeof all);
    return SHOWN;
}
void evaluation_report(const evaluation *e, const task_job *j)
{
    shown f[SHOWN];
    buf text = { 0 };
    int n = list_figures(e, METHOD_NETWORK, f);
    buf_printf(&text, "  %-18s", e->standardised ? "of standard values" : "");
    for (int i = 0; i < n; i++)
        if (!isnan(f[i].value)) buf_printf(&text, " %10s", f[i].name);
    if (!text.failed) task_note(j, "%s", text.data);
    for (int method = 0; method < METHODS; method++) {
        shown of[SHOWN];
        text.len = 0, list_figures(e, method, of);
        if (!e->method[method].mae.n) continue;
        buf_printf(&text, "  %-18s", method_names[method]);
        for (int i = 0; i < n; i++) {
            if (isnan(f[i].value)) continue;
            if (isnan(of[i].value))
                buf_printf(&text, " %10s", "");
            else
                buf_printf(&text, " %10.*f", fabs(of[i].value) < 100 ? 3 : 1, of[i].value);
        }
        if (!text.failed) task_note(j, "%s", text.data);
    }
    buf_free(&text);
}
void evaluation_figures(const evaluation *e, int method, json_out *o)
{
    shown f[SHOWN];
    int n = list_figures(e, method, f);
    for (int i = 0; i < n; i++)
        if (!isnan(f[i].value)) json_key(o, f[i].key), json_number(o, f[i].value);
}
void evaluation_json(const evaluation *e, json_out *o)
{
    for (int method = 0; method < METHOD_NETWORK; method++) {
        if (!e->method[method].mae.n) continue;
        json_key(o, method_names[method]), json_begin(o, '{');
        evaluation_figures(e, method, o);
        json_end(o, '}');
    }
}
