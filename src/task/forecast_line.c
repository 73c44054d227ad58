/* A series as the network sees it.

   v_t   the value, or its logarithm, divided by (or less) the index of its place in the season
   z     (v - b) / a                      what is read and answered, by the scale:
             none      b = 0                             a = 1
             series    b = mean                          a = deviation               of the part that was trained on
             mean      b = 0                             a = mean of |v|
             window    b = mean                          a = deviation               of the last `span` steps
             level     b = mean of the last `span` steps a = 1 of logarithms, else b
             revin     b = mean                          a = deviation               of the steps that the row reads: the
                       reversible instance normalisation of Kim et al. 2022, whose affine map the first and the last layer
                       of the network hold, which are affine themselves
         With a difference of k steps b is, of an answer, the value k steps (or a multiple) before the step that is
         answered, the last of these that is known; and v_t - v_{t-k} is read beside the value.

   Numbers that a step reads: of each target z, whether it is missing, and its difference; of each lag k and each step that
   will be answered the values k steps (or a multiple) before it; the calendar; covariates; static features; of a decoder
   whether the step is one to answer. What is missing is 0. */
#include "task/forecast.h"
#include "base/number.h"
#include "task/forecast_baselines.h"
#include <math.h>

static int64_t place(const line *l, int64_t t) { return (t - l->from) * l->f->targets; }
double line_at(const line *l, int64_t t, int64_t d) { return t >= l->from && t < l->n ? l->v[place(l, t) + d] : NAN; }

/* ---- life ---- */
void line_free(line *l)
{
    mem_free(l->v), mem_free(l->sum), mem_free(l->square), mem_free(l->count), mem_free(l->shift), mem_free(l->mean);
    mem_free(l->deviation), mem_free(l->index), mem_free(l->multiplies);
    *l = (line){ 0 };
}
static laco_status take_room(line *l, int64_t cap, laco_error *err)
{
    const size_t D = (size_t)l->f->targets, n = (size_t)(cap + 1) * D, of = sizeof(double);
    l->cap = cap;
    l->v = mem_new(n, of), l->sum = mem_new(n, of), l->square = mem_new(n, of), l->count = mem_new(n, of);
    l->shift = mem_new(D, of), l->mean = mem_new(D, of), l->deviation = mem_new(D, of);
    l->index = mem_new(D * (size_t)max64(1, l->f->deseasonalise), of), l->multiplies = mem_new(D, sizeof(bool));
    if (l->v && l->sum && l->square && l->count && l->shift && l->mean && l->deviation && l->index && l->multiplies)
        return LACO_OK;
    return fail_memory(err, 4 * n * of);
}
void line_add(line *l, const double *v)
{
    const int64_t D = l->f->targets, at = place(l, l->n);
    for (int64_t d = 0; d < D; d++) {
        double off = isnan(v[d]) ? 0 : v[d] - l->shift[d];
        l->v[at + d] = v[d];
        l->sum[at + D + d] = l->sum[at + d] + off, l->square[at + D + d] = l->square[at + d] + off * off;
        l->count[at + D + d] = l->count[at + d] + !isnan(v[d]);
    }
    l->n++;
}

/* ---- season ---- */
static double season_of(const line *l, int64_t t, int64_t d)
{
    return l->index[d * l->f->deseasonalise + t % l->f->deseasonalise];
}
static laco_status learn_season(line *l, const double *v, int64_t train, laco_error *err)
{
    const int64_t D = l->f->targets, m = l->f->deseasonalise;
    double *x = mem_new((size_t)train, sizeof *x);
    if (!x) return fail_memory(err, (size_t)train * sizeof *x);
    for (int64_t d = 0; m && d < D; d++) {
        l->multiplies[d] = !l->f->log;
        for (int64_t t = 0; t < train; t++) x[t] = v[t * D + d], l->multiplies[d] &= !(x[t] <= 0);
        baseline_season(x, train, m, l->multiplies[d], l->index + d * m);
        for (int64_t s = 0; s < m && l->multiplies[d]; s++) /* an index that cannot be divided by */
            if (!(l->index[d * m + s] > 1e-6)) l->index[d * m + s] = 1;
    }
    mem_free(x);
    return LACO_OK;
}
static laco_status transform(const line *l, double *v, int64_t n, laco_error *err)
{
    const int64_t D = l->f->targets, first = l->d->start[l->series];
    for (int64_t t = 0; t < n; t++)
        for (int64_t d = 0; d < D; d++) {
            double *y = &v[t * D + d];
            long long at = l->d->line[first + t];
            if (l->f->log && *y <= 0)
                return fail(err, LACO_EINVAL, at, "%s line %lld: --logarithm takes values above 0 alone, \"%s\" is %.10g; leave out "
                            "--logarithm", l->d->file, at, l->d->target.name[d], *y);
            if (l->f->loss == LOSS_NEGATIVE_BINOMIAL && (*y < 0 || *y != floor(*y)))
                return fail(err, LACO_EINVAL, at, "%s line %lld: --loss negative-binomial takes counts, \"%s\" is %.10g",
                            l->d->file, at, l->d->target.name[d], *y);
            if (l->f->log) *y = log(*y);
        }
    return LACO_OK;
}
double line_back(const line *l, int64_t t, int64_t d, double v)
{
    if (l->f->deseasonalise) v = l->multiplies[d] ? v * season_of(l, t, d) : v + season_of(l, t, d);
    return l->f->log ? exp(v) : v;
}

/* ---- scales ---- */
typedef struct moments {
    double mean, deviation, count;
} moments;
/* Of steps from .. to. */
static moments moments_of(const line *l, int64_t from, int64_t to, int64_t d)
{
    from = max64(from, l->from), to = min64(to, l->n - 1);
    if (to < from) return (moments){ 0 };
    int64_t a = place(l, from) + d, b = place(l, to + 1) + d;
    double n = l->count[b] - l->count[a];
    if (!(n > 0)) return (moments){ 0 };
    double mean = (l->sum[b] - l->sum[a]) / n, square = (l->square[b] - l->square[a]) / n - mean * mean;
    return (moments){ l->shift[d] + mean, square > 0 ? sqrt(square) : 0, n };
}
static void learn_scale(line *l, int64_t train)
{
    for (int64_t d = 0; d < l->f->targets; d++) {
        moments m = moments_of(l, 0, train - 1, d);
        double size = 0;
        for (int64_t t = 0; t < train; t++)
            if (!isnan(line_at(l, t, d))) size += fabs(line_at(l, t, d));
        bool mean = l->f->scale == SCALE_MEAN;
        l->mean[d] = mean ? 0 : m.mean, l->deviation[d] = mean ? size / fmax(m.count, 1) : m.deviation;
        if (!(l->deviation[d] > 0)) l->deviation[d] = 1;
    }
}
bool line_adopt(line *l)
{
    const forecast_front *f = l->f;
    const char *name = l->d->name[l->series];
    for (int64_t i = 0; i < f->known; i++) {
        const known_series *s = &f->series[(i + l->series) % f->known]; /* most likely in the same order */
        bool same = f->known == 1 && !s->name && !name;
        if (!same && (!name || !s->name || strcmp(name, s->name))) continue;
        l->known = (i + l->series) % f->known;
        memcpy(l->mean, s->mean, (size_t)f->targets * sizeof *l->mean);
        memcpy(l->deviation, s->deviation, (size_t)f->targets * sizeof *l->deviation);
        return true;
    }
    return false;
}
/* A deviation far below that of the series is noise of a stretch that stands still. */
static double at_least(const line *l, int64_t d, double deviation) { return fmax(deviation, 0.01 * l->deviation[d]); }
static void scale_of(const line *l, int64_t t, int64_t end, int64_t d, double *a, double *b)
{
    const forecast_front *f = l->f;
    const bool row = f->scale == SCALE_REVIN;
    int64_t last = row ? end : min64(t, end), steps = row ? f->window : f->span;
    *a = 1, *b = 0;
    if (f->scale == SCALE_NONE) return;
    if (f->scale <= SCALE_MEAN) {
        *a = l->deviation[d], *b = l->mean[d];
        return;
    }
    moments m = moments_of(l, last - steps + 1, last, d);
    if (!(m.count > 0)) m = (moments){ l->mean[d], l->deviation[d], 1 };
    *b = m.mean, *a = at_least(l, d, m.deviation);
    if (f->scale == SCALE_LEVEL) *a = f->log ? 1 : at_least(l, d, fabs(m.mean));
}

laco_status line_make(line *l, const forecast_front *f, const forecast_data *d, int64_t series, int64_t train,
                      laco_error *err)
{
    const int64_t D = f->targets, n = d->known[series], first = d->start[series];
    *l = (line){ .f = f, .d = d, .series = series, .known = series };
    double *v = mem_new((size_t)(n * D), sizeof *v);
    laco_status st = v ? take_room(l, n, err) : fail_memory(err, (size_t)(n * D) * sizeof *v);
    if (!st && n) memcpy(v, d->y + first * D, (size_t)(n * D) * sizeof *v);
    if (!st) st = transform(l, v, n, err);
    if (!st) st = learn_season(l, v, train, err);
    for (int64_t t = 0; !st && t < n; t++) {
        for (int64_t k = 0; k < D; k++) {
            if (f->deseasonalise) v[t * D + k] = l->multiplies[k] ? v[t * D + k] / season_of(l, t, k)
                                                                  : v[t * D + k] - season_of(l, t, k);
            if (!t) l->shift[k] = 0;
        }
    }
    for (int64_t k = 0; !st && k < D; k++) { /* sums about a value of the series keep their digits */
        int64_t t = 0;
        while (t < n && isnan(v[t * D + k])) t++;
        if (t < n) l->shift[k] = v[t * D + k];
    }
    for (int64_t t = 0; !st && t < n; t++) line_add(l, v + t * D);
    if (!st) learn_scale(l, train);
    mem_free(v);
    if (st) line_free(l);
    return st;
}
laco_status line_copy(line *to, const line *l, int64_t n, int64_t more, laco_error *err)
{
    const forecast_front *f = l->f;
    const size_t D = (size_t)f->targets;
    int64_t back = max64(f->window, f->span) + f->window, far = f->difference + f->horizon;
    for (int64_t i = 0; i < f->lags; i++) far = max64(far, f->lag[i] + f->horizon);
    *to = (line){ .f = f, .d = l->d, .series = l->series };
    to->from = to->n = max64(l->from, n - back - far);
    laco_status st = take_room(to, n - to->from + more, err);
    if (st) return line_free(to), st;
    memcpy(to->shift, l->shift, D * sizeof(double)), memcpy(to->mean, l->mean, D * sizeof(double));
    memcpy(to->deviation, l->deviation, D * sizeof(double));
    memcpy(to->index, l->index, D * (size_t)max64(1, f->deseasonalise) * sizeof(double));
    memcpy(to->multiplies, l->multiplies, D * sizeof(bool));
    while (to->n < n) line_add(to, l->v + place(l, to->n));
    return LACO_OK;
}

/* ---- answers ---- */
/* The last value that is known k, 2k, … steps before the h-th step behind t. */
static double before(const line *l, int64_t t, int64_t h, int64_t k, int64_t d)
{
    int64_t at = t + h - ceil_div(h, k) * k;
    while (at >= l->from && isnan(line_at(l, at, d))) at -= k;
    return line_at(l, at, d);
}
void line_scale(const line *l, int64_t t, int64_t end, int64_t h, int64_t d, double *a, double *b)
{
    scale_of(l, t, end, d, a, b);
    double from = l->f->difference ? before(l, t, h, l->f->difference, d) : NAN;
    if (!isnan(from)) *b = from;
}
static double target(const line *l, int64_t t, int64_t end, int64_t h, int64_t d)
{
    double a, b, v = line_at(l, t + h, d);
    if (isnan(v) || l->f->loss == LOSS_NEGATIVE_BINOMIAL) return v;
    if (l->f->difference && isnan(before(l, t, h, l->f->difference, d))) return NAN;
    line_scale(l, t, end, h, d, &a, &b);
    return (v - b) / a;
}
void line_targets(const line *l, int64_t t, int64_t end, int64_t stop, float *y, float *unit)
{
    const forecast_front *f = l->f;
    const int64_t D = f->targets, ahead = forecast_ahead(f);
    double a, b;
    bool decoder = f->way == WAY_DECODER;
    scale_of(l, t, end, 0, &a, &b), *unit = (float)a;
    for (int64_t h = 1; h <= ahead; h++)
        for (int64_t d = 0; d < D; d++) {
            int64_t from = decoder ? end : t, steps = decoder ? t - end : h;
            bool asked = steps > 0 && from + steps < stop;
            *y++ = asked ? (float)target(l, from, end, steps, d) : NAN;
        }
}

/* ---- inputs ---- */
static float *put(float *x, double v) { return *x = isnan(v) ? 0 : (float)v, x + 1; }
static float *put_covariates(float *x, const covariate *c, int64_t n, const double *from)
{
    for (int64_t k = 0; k < n; k++) {
        double v = from ? from[k] : NAN;
        x = put(x, (v - c[k].mean) / c[k].deviation);
        if (c[k].masked) *x++ = isnan(v);
    }
    return x;
}
static const double *row_of(const line *l, const double *x, int64_t n, int64_t t)
{
    int64_t first = l->d->start[l->series];
    return t >= 0 && first + t < l->d->start[l->series + 1] ? x + (first + t) * n : NULL;
}
static double time_of(const line *l, int64_t t)
{
    int64_t first = l->d->start[l->series], n = l->d->start[l->series + 1] - first;
    if (t < n) return l->d->time[first + t];
    return time_after(l->d->time[first + n - 1], l->f->step, t - n + 1);
}
static float *put_statics(float *x, const line *l)
{
    const int64_t S = l->d->statics;
    for (int64_t k = 0; k < S; k++) {
        const covariate *c = &l->f->statics[k];
        const char *text = l->d->static_x[l->series * S + k];
        double v;
        if (!c->values.n) x = put(x, number_parse(text, &v) ? (v - c->mean) / c->deviation : NAN);
        for (int64_t i = 0; i < c->values.n; i++) *x++ = !strcmp(c->values.name[i], text);
    }
    return x;
}
static float *put_lags(float *x, const line *l, int64_t t, int64_t end)
{
    const forecast_front *f = l->f;
    const int64_t D = f->targets, ahead = forecast_ahead(f);
    bool decoder = f->way == WAY_DECODER;
    int64_t from = decoder ? min64(t - 1, end) : t;
    for (int64_t i = 0; i < f->lags; i++)
        for (int64_t h = 1; h <= ahead; h++)
            for (int64_t d = 0; d < D; d++) {
                double a, b;
                scale_of(l, from, end, d, &a, &b);
                x = put(x, (before(l, from, decoder ? t - from : h, f->lag[i], d) - b) / a);
            }
    return x;
}
void line_inputs(const line *l, int64_t t, int64_t end, float *x)
{
    const forecast_front *f = l->f;
    const bool decoder = f->way == WAY_DECODER;
    const int64_t D = f->targets, shown = decoder ? t : t + 1; /* the step whose calendar is told */
    if (f->smooth) {
        double a, b;
        scale_of(l, t, end, 0, &a, &b);
        x[0] = (float)((line_at(l, t, 0) - b) / a), x[1] = (float)l->known;
        return;
    }
    for (int64_t d = 0; d < D; d++) {
        double a, b, v = t <= end ? line_at(l, t, d) : NAN;
        scale_of(l, t, end, d, &a, &b);
        x = put(x, (v - b) / a);
        if (f->masked) *x++ = isnan(v);
        if (f->difference) x = put(x, (v - line_at(l, t - f->difference, d)) / a);
    }
    if (decoder) *x++ = t > end;
    x = put_lags(x, l, t, end);
    if (f->calendar) x += time_calendar(time_of(l, shown), f->calendar, x);
    x = put_covariates(x, f->past, l->d->past, t <= end ? row_of(l, l->d->past_x, l->d->past, t) : NULL);
    for (int64_t h = 1; h <= forecast_ahead(f); h++)
        x = put_covariates(x, f->future, l->d->future, row_of(l, l->d->future_x, l->d->future, decoder ? t : t + h));
    put_statics(x, l);
}
