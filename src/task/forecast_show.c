/* Forecasts as a picture: a chart of every series shown and each of its targets, one below the other: the end of what
   was known, the forecast with its interval, and what came where that is known. */
#include "task/diagnose.h"
#include "task/forecast.h"
#include <math.h>
#include <stdio.h>

enum { MOST_CHARTS = 24, FIRST_SERIES = 6, WIDTH = 860, HEIGHT = 240, HEAD = 34 };
enum { KNOWN_COLOUR, FORECAST_COLOUR, CAME_COLOUR };
static const char style[] =
    "text{font:12px sans-serif;fill:#555}.title{font-size:14px;fill:#111}.name{fill:#111}.grid{stroke:#e3e3e3;fill:none}"
    ".axis,.tick{stroke:#999;fill:none}.line{fill:none;stroke-width:1.6;stroke-linejoin:round}.dashed{stroke-dasharray:5 3}"
    ".c0{stroke:#444}.c1{stroke:#0b62c4}.c2{stroke:#d1480b}.band{stroke:none;fill:#0b62c4;fill-opacity:.2}"
    ".shade{fill:#0b62c4;fill-opacity:.04}";

struct forecast_plot {
    const task_job *j;
    const forecast_front *f;
    const forecast_data *d;
    const forecast_levels *levels;
    int64_t shown, series[MOST_CHARTS];
    origin at[MOST_CHARTS];
    double *answer[MOST_CHARTS]; /* NULL: none yet */
};

void forecast_when(const forecast_data *d, const origin *o, int64_t h, char to[32])
{
    int64_t first = d->start[o->series], t = o->end + h;
    if (d->time)
        time_text(first + t < d->start[o->series + 1] && t >= 0 ? d->time[first + t]
                                                                : time_after(d->time[first + o->end], d->step, h),
                  d->step, to);
    else
        snprintf(to, 32, "%lld", (long long)t + 1);
}
void plot_free(forecast_plot *p)
{
    for (int64_t i = 0; p && i < p->shown; i++) mem_free(p->answer[i]);
    mem_free(p);
}
static laco_status choose_series(forecast_plot *p, laco_error *err)
{
    const forecast_data *d = p->d;
    name_list names;
    laco_status st = name_list_split(&names, options_text(p->j->o, "svg-series"), err);
    for (int64_t i = 0; !st && i < names.n; i++) {
        int64_t k = 0;
        while (k < d->count && (!d->name[k] || strcmp(d->name[k], names.name[i]))) k++;
        if (k == d->count)
            st = fail(err, LACO_EINVAL, -1, "--svg-series: %s has no series \"%.60s\"", d->file, names.name[i]);
        else if (p->shown == MOST_CHARTS)
            st = fail(err, LACO_EINVAL, -1, "--svg-series: a picture takes up to %d series", MOST_CHARTS);
        else
            p->series[p->shown++] = k;
    }
    for (int64_t k = 0; !st && !names.n && k < min64(d->count, FIRST_SERIES); k++) p->series[p->shown++] = k;
    name_list_free(&names);
    return st;
}
laco_status plot_open(forecast_plot **out, const task_job *j, const forecast_front *f, const forecast_data *d,
                      const forecast_levels *levels, laco_error *err)
{
    *out = NULL;
    if (!options_text(j->o, "svg")) return LACO_OK;
    laco_status st = task_refuse_overwriting(j, "svg", err);
    if (st) return st;
    forecast_plot *p = *out = mem_new(1, sizeof *p);
    if (!p) return fail_memory(err, sizeof *p);
    *p = (forecast_plot){ .j = j, .f = f, .d = d, .levels = levels };
    return choose_series(p, err);
}
laco_status plot_add(forecast_plot *p, const origin *o, const double *answer, laco_error *err)
{
    for (int64_t i = 0; p && i < p->shown; i++) {
        size_t n = (size_t)(p->f->horizon * p->f->targets * (1 + p->levels->n));
        if (p->series[i] != o->series) continue;
        if (!p->answer[i] && !(p->answer[i] = mem_new(n, sizeof(double)))) return fail_memory(err, n * sizeof(double));
        memcpy(p->answer[i], answer, n * sizeof(double)), p->at[i] = *o;
    }
    return LACO_OK;
}

/* ---- a chart ---- */
typedef struct panel {
    const forecast_plot *p;
    const origin *o;
    int64_t target, before, n; /* steps shown before the forecast; all of them */
    double *x, *known, *came, *forecast, *low, *high; /* [n] */
} panel;
static void name_tick(void *ctx, double x, char to[32])
{
    const panel *q = ctx;
    forecast_when(q->p->d, q->o, (int64_t)floor(x + 0.5), to);
}
static void fill(panel *q, const double *answer, int64_t low, int64_t high)
{
    const forecast_data *d = q->p->d;
    const int64_t D = d->targets, each = 1 + q->p->levels->n;
    for (int64_t i = 0; i < q->n; i++) {
        int64_t h = i - q->before + 1, t = q->o->end + h; /* h 0: the last step known */
        double v = t < d->known[q->o->series] ? d->y[(d->start[q->o->series] + t) * D + q->target] : NAN;
        const double *a = h > 0 ? answer + ((h - 1) * D + q->target) * each : NULL;
        q->x[i] = (double)h, q->known[i] = h <= 0 ? v : NAN, q->came[i] = h >= 0 ? v : NAN;
        q->forecast[i] = a ? a[0] : h ? NAN : v;
        q->low[i] = a && low >= 0 ? a[1 + low] : v, q->high[i] = a && high >= 0 ? a[1 + high] : v;
    }
}
static void widen(chart *c, const double *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (isfinite(y[i])) c->low = fmin(c->low, y[i]), c->high = fmax(c->high, y[i]);
}
static void draw(const panel *q, bool band, int64_t place, buf *to)
{
    const forecast_data *d = q->p->d;
    char at[96];
    const char *name = d->name[q->o->series], *target = d->target.name[q->target];
    snprintf(at, sizeof at, "x=\"0\" y=\"%lld\" width=\"%d\" height=\"%d\" ", (long long)(HEAD + place * HEIGHT), WIDTH, HEIGHT);
    chart c = { .to = to, .left = q->x[0], .right = q->x[q->n - 1], .low = INFINITY, .high = -INFINITY, .width = WIDTH,
                .height = HEIGHT, .place = at, .name_tick = name_tick, .ctx = (void *)q };
    widen(&c, q->known, q->n), widen(&c, q->came, q->n), widen(&c, q->forecast, q->n);
    if (band) widen(&c, q->low + q->before, q->n - q->before), widen(&c, q->high + q->before, q->n - q->before);
    if (!(c.low < c.high)) c.low = isfinite(c.low) ? c.low - 1 : 0, c.high = c.low + 2;
    double margin = 0.04 * (c.high - c.low);
    c.low -= margin, c.high += margin;
    chart_begin(&c, name ? name : target, d->time ? "" : "step", target);
    chart_shade(&c, 0, c.right);
    if (band) chart_band(&c, q->x + q->before - 1, q->low + q->before - 1, q->high + q->before - 1, q->n - q->before + 1, FORECAST_COLOUR);
    chart_line(&c, q->x, q->known, q->n, KNOWN_COLOUR, false, false);
    chart_line(&c, q->x, q->came, q->n, CAME_COLOUR, true, false);
    chart_line(&c, q->x, q->forecast, q->n, FORECAST_COLOUR, false, false);
    if (name) buf_text(to, "<text class=\"title\" x=\"66\" y=\"24\">"), page_text(to, name), buf_text(to, "</text>");
    chart_end(&c);
}
static laco_status draw_series(const forecast_plot *p, int64_t i, int64_t target, int64_t place, buf *to, laco_error *err)
{
    const double interval = options_real(p->j->o, "interval");
    int64_t low = -1, high = -1, H = p->f->horizon;
    for (int64_t k = 0; k < p->levels->n; k++) {
        if (fabs(p->levels->level[k] - (1 - interval) / 2) < 1e-9) low = k;
        if (fabs(p->levels->level[k] - (1 + interval) / 2) < 1e-9) high = k;
    }
    panel q = { .p = p, .o = &p->at[i], .target = target };
    q.before = min64(p->at[i].end + 1, max64(3 * H, min64(2 * p->f->season, 10 * H))), q.n = q.before + H;
    double *memory = mem_new((size_t)q.n * 6, sizeof *memory);
    if (!memory) return fail_memory(err, (size_t)q.n * 6 * sizeof *memory);
    double **part[] = { &q.x, &q.known, &q.came, &q.forecast, &q.low, &q.high };
    for (int k = 0; k < 6; k++) *part[k] = memory + k * q.n;
    fill(&q, p->answer[i], low, high), draw(&q, low >= 0 && high >= 0, place, to);
    mem_free(memory);
    return LACO_OK;
}
static void legend(const forecast_plot *p, buf *to)
{
    static const char *const said[] = { "known", "forecast", "what came" };
    int x = 66;
    for (int k = 0; k < 3; k++, x += 120) {
        buf_printf(to, "<path class=\"line c%d%s\" d=\"M%d 17h28\"/><text x=\"%d\" y=\"21\">%s</text>", k,
                   k == CAME_COLOUR ? " dashed" : "", x, x + 34, said[k]);
    }
    if (p->levels->n)
        buf_printf(to, "<rect class=\"band\" x=\"%d\" y=\"10\" width=\"28\" height=\"13\"/><text x=\"%d\" y=\"21\">%.3g %% of "
                   "what may come</text>", x, x + 34, 100 * options_real(p->j->o, "interval"));
}
laco_status plot_write(forecast_plot *p, laco_error *err)
{
    buf body = { 0 }, all = { 0 };
    int64_t place = 0;
    file_writer *w = NULL;
    laco_status st = LACO_OK;
    if (!p) return LACO_OK;
    for (int64_t i = 0; !st && i < p->shown; i++)
        for (int64_t d = 0; !st && p->answer[i] && d < p->d->targets && place < MOST_CHARTS; d++)
            st = draw_series(p, i, d, place++, &body, err);
    int height = (int)(HEAD + max64(1, place) * HEIGHT);
    buf_printf(&all, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"><style>%s</style>"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", WIDTH, height, WIDTH, height, style);
    legend(p, &all);
    if (body.data) buf_add(&all, body.data, body.len);
    buf_text(&all, "</svg>\n");
    if (!st && (body.failed || all.failed)) st = fail_memory(err, all.len + body.len);
    if (!st) st = file_create(&w, options_text(p->j->o, "svg"), err);
    if (!st && (st = file_write(w, all.data, all.len, err))) file_abandon(w), w = NULL;
    if (!st) st = file_commit(w, err);
    buf_free(&body), buf_free(&all);
    return st;
}
