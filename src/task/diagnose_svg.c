/* Charts as inline SVG, coloured by classes that the page's style sheet defines for light and dark. */
#include "task/diagnose.h"
#include <math.h>
#include <stdio.h>

enum { MARGIN_LEFT = 60, MARGIN_RIGHT = 12, MARGIN_TOP = 10, MARGIN_BOTTOM = 42, TICKS = 5 };

void page_text(buf *to, const char *text)
{
    for (; *text; text++) switch (*text) {
        case '<':
            buf_text(to, "&lt;");
            break;
        case '>':
            buf_text(to, "&gt;");
            break;
        case '&':
            buf_text(to, "&amp;");
            break;
        case '"':
            buf_text(to, "&quot;");
            break;
        default:
            buf_add(to, text, 1);
        }
}

static double across(const chart *c, double x)
{
    return MARGIN_LEFT + (x - c->left) / (c->right - c->left) * (c->width - MARGIN_LEFT - MARGIN_RIGHT);
}
static double above(const chart *c, double y)
{
    return c->height - MARGIN_BOTTOM - (y - c->low) / (c->high - c->low) * (c->height - MARGIN_TOP - MARGIN_BOTTOM);
}
/* 1, 2 or 5 times a power of ten, so that about TICKS of them fit */
static double tick_step(double range)
{
    double power = pow(10, floor(log10(range / TICKS))), ratio = range / TICKS / power;
    return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}
static void label(buf *to, double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", fabs(v) < 1e-12 ? 0 : v);
    buf_printf(to, text[0] == '-' ? "&#8722;%s" : "%s", text + (text[0] == '-'));
}
static void horizontal_ticks(chart *c)
{
    double step = tick_step(c->right - c->left);
    for (double x = ceil(c->left / step - 1e-9) * step; x <= c->right + step * 1e-9; x += step) {
        buf_printf(c->to, "<path class=\"tick\" d=\"M%.1f %d v4\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
                   across(c, x), c->height - MARGIN_BOTTOM, across(c, x), c->height - MARGIN_BOTTOM + 16);
        char name[32];
        if (c->name_tick)
            c->name_tick(c->ctx, x, name), page_text(c->to, name);
        else
            label(c->to, x);
        buf_text(c->to, "</text>");
    }
}
static void vertical_ticks(chart *c)
{
    double step = c->logarithmic ? fmax(1, ceil((c->high - c->low) / 6)) : tick_step(c->high - c->low);
    for (double y = ceil(c->low / step - 1e-9) * step; y <= c->high + step * 1e-9; y += step) {
        buf_printf(c->to, "<path class=\"grid\" d=\"M%d %.1f H%d\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                   MARGIN_LEFT, above(c, y), c->width - MARGIN_RIGHT, MARGIN_LEFT - 6, above(c, y) + 4);
        if (c->logarithmic && fabs(y) < 0.5)
            buf_text(c->to, "1");
        else if (c->logarithmic)
            buf_printf(c->to, "10<tspan dy=\"-5\" class=\"power\">%s%.0f</tspan>", y < 0 ? "&#8722;" : "", fabs(y));
        else
            label(c->to, y);
        buf_text(c->to, "</text>");
    }
}
void chart_begin(chart *c, const char *title, const char *x, const char *y)
{
    if (!c->width) c->width = 440, c->height = 290;
    buf_printf(c->to, "<svg %sviewBox=\"0 0 %d %d\" role=\"img\"><title>", c->place ? c->place : "", c->width,
               c->height);
    page_text(c->to, title);
    buf_text(c->to, "</title>");
    vertical_ticks(c), horizontal_ticks(c);
    buf_printf(c->to, "<path class=\"axis\" d=\"M%d %d V%d H%d\"/>", MARGIN_LEFT, MARGIN_TOP, c->height - MARGIN_BOTTOM,
               c->width - MARGIN_RIGHT);
    buf_printf(c->to, "<text class=\"name\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
               (MARGIN_LEFT + c->width - MARGIN_RIGHT) / 2, c->height - 7);
    page_text(c->to, x);
    buf_printf(c->to, "</text><text class=\"name\" transform=\"translate(11 %d) rotate(-90)\" text-anchor=\"middle\">",
               (MARGIN_TOP + c->height - MARGIN_BOTTOM) / 2);
    page_text(c->to, y);
    buf_text(c->to, "</text>");
}
void chart_end(chart *c) { buf_text(c->to, "</svg>\n"); }
static bool shown(const chart *c, double y) { return isfinite(y) && y >= c->low && y <= c->high; }
void chart_line(chart *c, const double *x, const double *y, int64_t n, int colour, bool dashed, bool dots)
{
    bool pen = false;
    buf_printf(c->to, "<path class=\"line c%d%s\" d=\"", colour % CHART_COLOURS, dashed ? " dashed" : "");
    for (int64_t i = 0; i < n; i++) {
        double v = c->logarithmic ? log10(y[i]) : y[i];
        if (!shown(c, v)) {
            pen = false;
            continue;
        }
        buf_printf(c->to, "%s%.1f %.1f", pen ? "L" : "M", across(c, x[i]), above(c, v));
        pen = true;
    }
    buf_text(c->to, "\"/>");
    if (dots) chart_dots(c, x, y, n, colour);
}
void chart_dots(chart *c, const double *x, const double *y, int64_t n, int colour)
{
    for (int64_t i = 0; i < n; i++)
        if (shown(c, c->logarithmic ? log10(y[i]) : y[i]))
            buf_printf(c->to, "<circle class=\"dot c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"/>", colour % CHART_COLOURS,
                       across(c, x[i]), above(c, c->logarithmic ? log10(y[i]) : y[i]));
}
void chart_band(chart *c, const double *x, const double *low, const double *high, int64_t n, int colour)
{
    buf_printf(c->to, "<path class=\"band c%d\" d=\"", colour % CHART_COLOURS);
    for (int64_t i = 0; i < 2 * n; i++) { /* there along the upper edge, back along the lower */
        int64_t k = i < n ? i : 2 * n - 1 - i;
        double y = fmin(fmax(i < n ? high[k] : low[k], c->low), c->high);
        buf_printf(c->to, "%s%.1f %.1f", i ? "L" : "M", across(c, x[k]), above(c, y));
    }
    buf_text(c->to, n ? "Z\"/>" : "\"/>");
}
void chart_level(chart *c, double y, const char *text)
{
    double v = c->logarithmic ? log10(y) : y;
    if (!shown(c, v)) return;
    buf_printf(c->to,
               "<path class=\"level\" d=\"M%d %.1f H%d\"/><text class=\"note\" x=\"%d\" y=\"%.1f\" "
               "text-anchor=\"end\">",
               MARGIN_LEFT, above(c, v), c->width - MARGIN_RIGHT, c->width - MARGIN_RIGHT - 2, above(c, v) + 13);
    page_text(c->to, text);
    buf_text(c->to, "</text>");
}
void chart_shade(chart *c, double from, double to)
{
    buf_printf(c->to, "<rect class=\"shade\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", across(c, from),
               MARGIN_TOP, across(c, to) - across(c, from), c->height - MARGIN_TOP - MARGIN_BOTTOM);
}
void chart_bars(chart *c, const int64_t *count, int n, int64_t most)
{
    for (int i = 0; i < n; i++) {
        double share = (double)count[i] / (double)most, x = c->left + (c->right - c->left) * i / n,
               next = c->left + (c->right - c->left) * (i + 1) / n;
        if (count[i])
            buf_printf(c->to, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                       across(c, x) + 0.5, above(c, share * c->high), across(c, next) - across(c, x) - 1,
                       above(c, 0) - above(c, share * c->high));
    }
}
void chart_key(buf *to, int colour, bool dashed, const char *text)
{
    buf_printf(to,
               "<li><svg class=\"key\" viewBox=\"0 0 30 10\" aria-hidden=\"true\"><path class=\"line c%d%s\" "
               "d=\"M1 5 H29\"/></svg>",
               colour % CHART_COLOURS, dashed ? " dashed" : "");
    page_text(to, text);
    buf_text(to, "</li>\n");
}
