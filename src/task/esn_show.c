/* Pictures of echo state networks: what came and what was answered, and the attractor, y(t) against y(t - lag). */
#include "task/diagnose.h"
#include "task/esn.h"
#include <math.h>
#include <stdio.h>

enum { WIDTH = 860, HEIGHT = 240, HEAD = 34, SHOWN = 1000, MOST = 8, SQUARE = 420 };
static const char style[] =
    "text{font:12px "
    "sans-serif;fill:#555}.title{font-size:14px;fill:#111}.name{fill:#111}.grid{stroke:#e3e3e3;fill:none}"
    ".axis,.tick{stroke:#999;fill:none}.line{fill:none;stroke-width:1.4;stroke-linejoin:round}.dashed{stroke-dasharray:"
    "5 3}"
    ".c0{stroke:#444}.c1{stroke:#d1480b}.c2{stroke:#0b62c4}.c3{stroke:#1a8a4a}.c4{stroke:#8a3bb0}.c5{stroke:#b8860b}"
    ".c6{stroke:#0a8f9c}.c7{stroke:#c2185b}.dot{fill:#0b62c4;stroke:none}";
void esn_picture_begin(buf *to, int width, int64_t height)
{
    buf_printf(to,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%lld\" viewBox=\"0 0 %d "
               "%lld\"><style>%s</style>"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
               width, (long long)height, width, (long long)height, style);
}
laco_status esn_picture_end(const task_job *j, const char *option, buf *all, laco_error *err)
{
    file_writer *w = NULL;
    buf_text(all, "</svg>\n");
    laco_status st = all->failed ? fail_memory(err, all->len) : task_refuse_overwriting(j, option, err);
    if (!st) st = file_create(&w, options_text(j->o, option), err);
    if (!st && (st = file_write(w, all->data, all->len, err))) file_abandon(w), w = NULL;
    return st ? st : file_commit(w, err);
}

typedef struct show {
    const esn_front *f;
    const double *truth, *answer; /* [steps][targets] scaled */
    int64_t steps, first;
} show;
static double value(const show *s, int which, int64_t t, int64_t k)
{
    return esn_back(s->f, k, (which ? s->answer : s->truth)[t * s->f->targets + k]);
}
/* The least and the largest of target k, apart. */
static void range(const show *s, int64_t k, double *low, double *high)
{
    *low = INFINITY, *high = -INFINITY;
    for (int64_t t = 0; t < s->steps; t++)
        for (int i = 0; i < 2; i++) {
            const double v = value(s, i, t, k);
            if (isfinite(v)) *low = fmin(*low, v), *high = fmax(*high, v);
        }
    if (!(*low < *high)) *low = isfinite(*low) ? *low - 1 : 0, *high = *low + 2;
}
static void draw(buf *to, const show *s, int64_t k)
{
    double x[SHOWN], y[SHOWN];
    char place[96];
    chart c = { .to = to,
                .left = (double)s->first + 1,
                .right = (double)(s->first + max64(2, s->steps)),
                .width = WIDTH,
                .height = HEIGHT,
                .place = place };
    snprintf(place, sizeof place, "x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\" ", (int)(HEAD + k * HEIGHT), WIDTH,
             HEIGHT);
    range(s, k, &c.low, &c.high);
    chart_begin(&c, s->f->columns.target.name[k], "step", s->f->columns.target.name[k]);
    for (int i = 0; i < 2; i++) {
        for (int64_t t = 0; t < s->steps; t++) x[t] = (double)(s->first + t + 1), y[t] = value(s, i, t, k);
        chart_line(&c, x, y, s->steps, i, i, false);
    }
    chart_end(&c);
}
/* Two targets against each other, or one against itself a delay before: the answers over the truth. */
static void attractor(buf *to, const show *s, int64_t place, int64_t delay)
{
    const bool pair = s->f->targets > 1;
    const int64_t lag = pair ? 0 : delay;
    double low[2], high[2];
    range(s, 0, &low[0], &high[0]), range(s, pair, &low[1], &high[1]);
    buf_printf(to, "<text x=\"66\" y=\"%lld\">", (long long)place + 18);
    if (pair)
        buf_text(to, "attractor: the first target from left to right, the second upwards</text>\n");
    else
        buf_printf(to, "attractor: a step from left to right, %lld before it upwards</text>\n", (long long)lag);
    for (int i = 0; i < 2; i++) {
        bool goes_on = false;
        buf_printf(to, "<path class=\"line c%d\" style=\"stroke-width:.8\" d=\"", i);
        for (int64_t t = lag; t < s->steps; t++) {
            const double a = (value(s, i, t, 0) - low[0]) / (high[0] - low[0]),
                         b = (value(s, i, t - lag, pair) - low[1]) / (high[1] - low[1]);
            if (isfinite(a) && isfinite(b))
                buf_printf(to, "%c%.1f %.1f", goes_on ? 'L' : 'M', 66 + a * SQUARE,
                           (double)place + 30 + (1 - b) * SQUARE);
            goes_on = isfinite(a) && isfinite(b);
        }
        buf_text(to, "\"/>\n");
    }
}
laco_status esn_plot(const task_job *j, const esn_front *f, const double *truth, const double *answer, int64_t steps,
                     int64_t first, laco_error *err)
{
    const show s = { f, truth, answer, min64(steps, SHOWN), first };
    const int64_t D = min64(f->targets, MOST);
    buf all = { 0 };
    if (!options_text(j->o, "svg")) return LACO_OK;
    esn_picture_begin(&all, WIDTH + 20, HEAD + D * HEIGHT + SQUARE + 50);
    buf_text(&all, "<path class=\"line c0\" d=\"M66 17h28\"/><text x=\"100\" y=\"21\">what came</text>"
                   "<path class=\"line c1 dashed\" d=\"M186 17h28\"/><text x=\"220\" y=\"21\">answered</text>\n");
    for (int64_t k = 0; k < D; k++) draw(&all, &s, k);
    attractor(&all, &s, HEAD + D * HEIGHT, options_int(j->o, "svg-lag"));
    const laco_status st = esn_picture_end(j, "svg", &all, err);
    buf_free(&all);
    return st;
}
