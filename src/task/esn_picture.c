#include "layer/reservoir.h"
#include "math/spectrum.h"
#include "task/diagnose.h"
#include "task/esn_info.h"
#include <math.h>
#include <stdio.h>

enum {
    WIDTH = 860,
    HEIGHT = 240,
    SPECTRUM_WIDTH = 430,
    SPECTRUM_HEIGHT = 410, /* a square between the margins of a chart */
    HEAD = 24,
    LARGEST = 1000,
    SPECTRA = 6,
    STEPS_SHOWN = 200,
    UNITS_SHOWN = 5,
    CIRCLE = 181
};
typedef struct picture {
    const info *a;
    buf *to;
    int64_t height; /* so far */
    char place[96];
} picture;
/* A chart at x, with a line of text over it. */
static chart chart_at(picture *p, int64_t x, int width, int height, const char *title)
{
    snprintf(p->place, sizeof p->place, "x=\"%lld\" y=\"%lld\" width=\"%d\" height=\"%d\" ", (long long)x,
             (long long)p->height + HEAD, width, height);
    buf_printf(p->to, "<text class=\"title\" x=\"%lld\" y=\"%lld\">", (long long)x + 60,
               (long long)p->height + HEAD - 6);
    page_text(p->to, title), buf_text(p->to, "</text>");
    return (chart){ .to = p->to, .width = width, .height = height, .place = p->place };
}

/* ---- eigenvalues ---- */
static laco_status spectrum_at(picture *p, const info_layer *l, int64_t x, laco_error *err)
{
    const net *n = p->a->e.n;
    const layer_spec *s = &n->d.layer[l->which];
    const int64_t N = s->units, K = reservoir_degree(s), first = n->base[l->which] + N * s->in;
    double *w = mem_new((size_t)(N * N + 2 * N), sizeof *w), *re = w ? w + N * N : NULL, circle[2][CIRCLE], most = 1.1;
    int32_t *column = reservoir_columns(s);
    char title[96];
    laco_status st = w && column ? LACO_OK : fail_memory(err, (size_t)(N * (N + 2)) * sizeof *w);
    for (int64_t i = 0; !st && i < N * K; i++) w[i / K * N + column[i]] += net_get(n, first + i);
    if (!st && !eigenvalues(N, w, re, re + N))
        st = fail(err, LACO_ENUMERIC, -1, "the eigenvalues of layer %d were not found", l->which + 1);
    for (int64_t i = 0; !st && i < N; i++) most = fmax(most, 1.1 * hypot(re[i], re[N + i]));
    for (int i = 0; i < CIRCLE; i++)
        circle[0][i] = cos(2 * M_PI * i / (CIRCLE - 1)), circle[1][i] = sin(2 * M_PI * i / (CIRCLE - 1));
    if (!st) {
        snprintf(title, sizeof title, "layer %d: eigenvalues of W, unit circle", l->which + 1);
        chart c = chart_at(p, x, SPECTRUM_WIDTH, SPECTRUM_HEIGHT, title);
        c.left = c.low = -most, c.right = c.high = most;
        chart_begin(&c, title, "real part", "imaginary part");
        chart_line(&c, circle[0], circle[1], CIRCLE, 0, true, false), chart_dots(&c, re, re + N, N, 2);
        chart_end(&c);
    }
    mem_free(w), mem_free(column);
    return st;
}
static laco_status spectra(picture *p, laco_error *err)
{
    int drawn = 0;
    for (int i = 0; i < p->a->layers && drawn < SPECTRA; i++) {
        if (p->a->e.n->d.layer[p->a->layer[i].which].units > LARGEST) continue;
        if (drawn && drawn % 2 == 0) p->height += HEAD + SPECTRUM_HEIGHT;
        laco_status st = spectrum_at(p, &p->a->layer[i], drawn++ % 2 * SPECTRUM_WIDTH, err);
        if (st) return st;
    }
    if (drawn) p->height += HEAD + SPECTRUM_HEIGHT;
    return LACO_OK;
}

/* ---- states ---- `shown` columns of rows of `wide` numbers, evenly spread */
static void traces(picture *p, const char *title, const char *name, const double *rows, int64_t wide, int64_t shown,
                   int64_t first, int64_t steps)
{
    double x[STEPS_SHOWN], y[STEPS_SHOWN];
    chart c = chart_at(p, 0, WIDTH, HEIGHT, title);
    c.left = (double)first + 1, c.right = (double)(first + steps), c.low = INFINITY, c.high = -INFINITY;
    for (int64_t k = 0; k < shown; k++)
        for (int64_t t = 0; t < steps; t++) {
            const double v = rows[t * wide + k * wide / shown];
            c.low = fmin(c.low, v), c.high = fmax(c.high, v);
        }
    const double margin = fmax(0.04 * (c.high - c.low), 1e-3 * fmax(1, fabs(c.high)));
    c.low -= margin, c.high += margin;
    chart_begin(&c, title, "step", name);
    for (int64_t k = 0; k < shown; k++) {
        for (int64_t t = 0; t < steps; t++) x[t] = (double)(first + t + 1), y[t] = rows[t * wide + k * wide / shown];
        chart_line(&c, x, y, steps, (int)k, false, false);
    }
    chart_end(&c);
    p->height += HEAD + HEIGHT;
}
static laco_status states(picture *p, laco_error *err)
{
    echo *e = (echo *)&p->a->e;
    const property_wish *w = &p->a->w;
    const int64_t I = e->inputs, steps = min64(STEPS_SHOWN, w->steps - w->washout), all = w->washout + steps;
    double *u = mem_new((size_t)(all * I), sizeof *u), *units = mem_new((size_t)(steps * e->units), sizeof *units);
    laco_status st =
        u && units ? echo_units_begin(e, err) : fail_memory(err, (size_t)(steps * e->units) * sizeof *units);
    char title[96];
    for (int64_t t = 0; !st && t < all; t++) {
        for (int64_t i = 0; i < I; i++) u[t * I + i] = w->input ? w->input[t * I + i] : property_input(w, t, i);
        echo_units_step(e, u + t * I, units + max64(0, t - w->washout) * e->units);
    }
    if (!st) {
        const int64_t shown = min64(UNITS_SHOWN, e->units);
        snprintf(title, sizeof title, "states: %lld of the %lld numbers that the readout sees", (long long)shown,
                 (long long)e->units);
        traces(p, I > 3 ? "input, three of its columns" : "input", "as the network reads it", u + w->washout * I, I,
               min64(3, I), w->washout, steps);
        traces(p, title, "state", units, e->units, shown, w->washout, steps);
    }
    mem_free(u), mem_free(units);
    return st;
}

static void memory_curve(picture *p)
{
    char title[96];
    snprintf(title, sizeof title, "memory: share of u(t - k) that the states tell, capacity %.4g", p->a->capacity);
    chart c = chart_at(p, 0, WIDTH, HEIGHT, title);
    c.left = 1, c.right = (double)max64(2, p->a->longest), c.high = 1.02;
    double *x = mem_new((size_t)p->a->longest, sizeof *x);
    for (int64_t k = 0; x && k < p->a->longest; k++) x[k] = (double)(k + 1);
    chart_begin(&c, title, "k, steps before", "squared correlation");
    if (x)
        chart_line(&c, x, p->a->curve, p->a->longest, 2, false, p->a->longest <= 120);
    else
        p->to->failed = true;
    chart_end(&c), mem_free(x);
    p->height += HEAD + HEIGHT;
}
laco_status info_picture(const info *a, laco_error *err)
{
    buf body = { 0 }, all = { 0 };
    picture p = { .a = a, .to = &body };
    if (!options_text(a->j->o, "svg")) return LACO_OK;
    laco_status st = spectra(&p, err);
    if (!st) st = states(&p, err);
    if (!st && a->longest) memory_curve(&p);
    esn_picture_begin(&all, WIDTH, p.height);
    if (body.data) buf_add(&all, body.data, body.len);
    all.failed |= body.failed;
    if (!st) st = esn_picture_end(a->j, "svg", &all, err);
    buf_free(&body), buf_free(&all);
    return st;
}
