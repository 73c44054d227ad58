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

static void draw(buf *to, const double *truth, const double *answer, int64_t steps, int64_t D, int64_t k, int64_t first)
{
    double x[SHOWN], y[2][SHOWN];
    char place[96], name[32];
    chart c = { .to = to,
                .left = (double)first + 1,
                .right = (double)(first + max64(2, steps)),
                .low = INFINITY,
                .high = -INFINITY,
                .width = WIDTH,
                .height = HEIGHT,
                .place = place };
    snprintf(place, sizeof place, "x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\" ", (int)(HEAD + k * HEIGHT), WIDTH,
             HEIGHT);
    for (int64_t t = 0; t < steps; t++) {
        x[t] = (double)(first + t + 1), y[0][t] = truth ? truth[t * D + k] : NAN, y[1][t] = answer[t * D + k];
        for (int i = 0; i < 2; i++)
            if (isfinite(y[i][t])) c.low = fmin(c.low, y[i][t]), c.high = fmax(c.high, y[i][t]);
    }
    if (!(c.low < c.high)) c.low = isfinite(c.low) ? c.low - 1 : 0, c.high = c.low + 2;
    snprintf(name, sizeof name, "target %lld", (long long)k + 1);
    chart_begin(&c, name, "step", "deviations");
    chart_line(&c, x, y[0], steps, 0, false, false), chart_line(&c, x, y[1], steps, 1, true, false);
    chart_end(&c);
}
/* The embedding of the first target with a delay, the answers over the truth. */
static void attractor(buf *to, const double *truth, const double *answer, int64_t steps, int64_t D, int64_t place,
                      int64_t lag)
{
    const double *all[] = { truth, answer };
    double low = INFINITY, high = -INFINITY;
    for (int64_t t = 0; t < steps; t++)
        for (int i = 0; i < 2; i++)
            if (all[i] && isfinite(all[i][t * D])) low = fmin(low, all[i][t * D]), high = fmax(high, all[i][t * D]);
    if (!(low < high)) return;
    buf_printf(to, "<text x=\"66\" y=\"%lld\">attractor: y(t) from left to right, y(t - %lld) upwards</text>",
               (long long)place + 20, (long long)lag);
    for (int i = 0; i < 2; i++) {
        if (!all[i]) continue;
        buf_printf(to, "<path class=\"line c%d\" style=\"stroke-width:.8\" d=\"", i);
        for (int64_t t = lag; t < steps; t++) {
            const double a = (all[i][t * D] - low) / (high - low), b = (all[i][(t - lag) * D] - low) / (high - low);
            if (isfinite(a) && isfinite(b))
                buf_printf(to, "%c%.1f %.1f", t == lag ? 'M' : 'L', 66 + a * SQUARE,
                           (double)place + 30 + (1 - b) * SQUARE);
        }
        buf_text(to, "\"/>");
    }
}
laco_status esn_plot(const task_job *j, const char *option, const double *truth, const double *answer, int64_t steps,
                     int64_t targets, int64_t first, laco_error *err)
{
    if (!options_text(j->o, option)) return LACO_OK;
    const int64_t n = min64(steps, SHOWN), D = min64(targets, MOST), lag = max64(1, options_int(j->o, "svg-lag"));
    buf all = { 0 };
    esn_picture_begin(&all, WIDTH, HEAD + D * HEIGHT + SQUARE + 50);
    buf_text(&all, "<path class=\"line c0\" d=\"M66 17h28\"/><text x=\"100\" y=\"21\">what came</text>"
                   "<path class=\"line c1 dashed\" d=\"M186 17h28\"/><text x=\"220\" y=\"21\">answered</text>");
    for (int64_t k = 0; k < D; k++) draw(&all, truth, answer, n, targets, k, first);
    attractor(&all, truth, answer, n, targets, HEAD + D * HEIGHT, lag);
    laco_status st = esn_picture_end(j, option, &all, err);
    buf_free(&all);
    return st;
}
