/* The page: one file, no script, nothing fetched. Colours come from the style sheet, light or dark as the reader's
   system is; every line also differs by its dashes or its place in the legend. */
#include "task/diagnose.h"
#include <math.h>
#include <stdio.h>

static const char style[] =
    ":root{--paper:#fff;--ink:#1c2227;--soft:#5b6670;--rule:#d5dade;--bar:#4878a8;--shade:#f3e3cf;--c0:#1f6fb4;"
    "--c1:#c2500a;--c2:#1e8449;--c3:#8e44ad;--c4:#946c00;--c5:#b8336a;--c6:#0e7c86;--c7:#5d5d5d}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#14181b;--ink:#e4e8eb;--soft:#9ba7b1;--rule:#333c43;"
    "--bar:#6ea3d6;--shade:#3a2f22;--c0:#6fb3ee;--c1:#ff9d5c;--c2:#6fd08c;--c3:#cf9bee;--c4:#e0bb4f;--c5:#f28fb8;"
    "--c6:#5cc9d3;--c7:#b5b5b5}}\n"
    "body{margin:0 auto;padding:1rem;max-width:70rem;background:var(--paper);color:var(--ink);font:16px/1.5 "
    "system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;margin:.3em 0}h2{font-size:1.2rem;margin:2.2em 0 .3em;border-top:1px solid "
    "var(--rule);padding-top:1em}h3{font-size:1rem;margin:0 0 .3em}p{max-width:46rem;margin:.5em 0}\n"
    "code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}\n"
    "figure{margin:0;min-width:0}figcaption{font-size:.88rem;color:var(--soft);max-width:40rem}\n"
    ".pair{display:grid;gap:1.5rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));margin:1rem "
    "0}.pair>*{max-width:36rem}\n"
    ".small{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));margin:1rem 0}\n"
    "svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--soft)}svg "
    ".name{fill:var(--ink)}svg .note{font-style:italic}svg .power{font-size:9px}\n"
    ".grid{stroke:var(--rule);fill:none}.axis,.tick{stroke:var(--soft);fill:none}.level{stroke:var(--soft);stroke-"
    "dasharray:2 3;fill:none}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.dashed{stroke-dasharray:6 3}"
    ".bar{fill:var(--bar)}.shade{fill:var(--shade)}\n"
    ".c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}.c4{stroke:var(--c4)}"
    ".c5{stroke:var(--c5)}.c6{stroke:var(--c6)}.c7{stroke:var(--c7)}.dot{fill:var(--paper)}\n"
    "ul.legend{list-style:none;margin:.3em 0;padding:0;display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;font-size:.88rem}"
    "ul.legend li{display:flex;align-items:center;gap:.4rem}svg.key{width:30px;height:10px;flex:none}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3em .8em .3em 0;text-align:right;vertical-align:bottom;border-bottom:1px solid "
    "var(--rule)}th:first-child,td:first-child{text-align:left}th{font-weight:600}\n";

static const char *file_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
static void layer_name(const diag_model *d, int k, int models, char *to, size_t n)
{
    const diag_layer *l = &d->layer[k];
    if (models > 1)
        snprintf(to, n, "%.60s: layers.%d (%s)", file_of(d->path), l->index, l->cell);
    else
        snprintf(to, n, "layers.%d (%s)", l->index, l->cell);
}
/* The colour of layer k of model i: no two alike while they last. */
static int colour_of(const diag_model *d, int i, int k) { return (i ? d[0].layers : 0) + k; }

/* ---- figure 1: the gradient against lag ---- */
static void lag_chart(const diag_model *d, int models, int s, buf *out)
{
    chart c = { .to = out, .logarithmic = true, .high = 0.3, .right = 1, .low = 0 };
    for (int i = 0; i < models; i++)
        for (int k = 0; k < d[i].layers; k++) {
            const double *norm = d[i].layer[k].norm[s];
            c.right = fmax(c.right, (double)d[i].shown - 1);
            for (int64_t t = 0; t < d[i].shown; t++) {
                if (!(norm[t] > 0)) continue;
                c.high = fmax(c.high, log10(norm[t] / norm[1]) + 0.1), c.low = fmin(c.low, log10(norm[t] / norm[1]));
            }
        }
    c.low = fmax(floor(c.low), ceil(c.high) - 20);
    if (c.low > -1) c.low = -1;
    chart_begin(&c, "Norm of the loss gradient against time lag", "time lag k (steps back from the loss)",
                "gradient norm, relative to k = 1");
    chart_level(&c, exp(-1), "1/e");
    for (int i = 0; i < models; i++)
        for (int k = 0; k < d[i].layers; k++) {
            const double *norm = d[i].layer[k].norm[s];
            double *x = mem_new((size_t)d[i].shown * 2, sizeof *x), *y = x ? x + d[i].shown : NULL;
            if (!x) {
                out->failed = true;
                return;
            }
            for (int64_t t = 0; t < d[i].shown; t++) x[t] = (double)t, y[t] = norm[t] / norm[1];
            chart_line(&c, x, y, d[i].shown, colour_of(d, i, k), i, false);
            mem_free(x);
        }
    chart_end(&c);
}
static void legend(const diag_model *d, int models, int only, buf *out)
{
    char text[160];
    buf_text(out, "<ul class=\"legend\">\n");
    for (int i = 0; i < models; i++)
        for (int k = 0; k < d[i].layers; k++) {
            if (only >= 0 && i != only) continue;
            layer_name(&d[i], k, only >= 0 ? 1 : models, text, sizeof text);
            chart_key(out, colour_of(d, i, k), i && only < 0, text);
        }
    buf_text(out, "</ul>\n");
}
static void lag_figures(const diag_model *d, int models, buf *out)
{
    static const char *const captions[LAG_PARTS] = {
        "How much the loss of the last step depends on the hidden state k steps earlier: |dL/dh<sub>T&minus;k</sub>|, "
        "root mean square over the sequences, relative to its value at k = 1. A straight line that falls is a "
        "gradient that vanishes by the same factor at every step; a line that stays level carries errors far back; one "
        "that rises explodes.",
        "The same for all states of a cell together, the cell state of an LSTM among them. For a cell whose only state "
        "is the hidden state the two figures are alike."
    };
    static const char *const titles[LAG_PARTS] = { "Hidden state", "All states" };
    bool more = false;
    for (int i = 0; i < models; i++)
        for (int k = 0; k < d[i].layers; k++) more |= d[i].layer[k].states > d[i].layer[k].units;
    buf_text(out, "<h2>The gradient against time lag</h2>\n<div class=\"pair\">\n");
    for (int s = 0; s < (more ? LAG_PARTS : 1); s++) {
        buf_printf(out, "<figure><h3>%s</h3>\n", titles[s]);
        lag_chart(d, models, s, out), legend(d, models, -1, out);
        buf_printf(out, "<figcaption>%s</figcaption></figure>\n", captions[s]);
    }
    buf_text(out, "</div>\n");
}

/* ---- the table ---- */
static void table_row(const diag_model *d, int k, int models, buf *out)
{
    const diag_layer *l = &d->layer[k];
    char name[160];
    layer_name(d, k, models, name, sizeof name);
    buf_text(out, "<tr><td>"), page_text(out, name);
    buf_printf(out, "</td><td>%lld</td>", (long long)l->units);
    if (l->memory[LAG_ALL] < 0)
        buf_printf(out, "<td>over %lld</td>", (long long)d->shown - 2);
    else
        buf_printf(out, "<td>%lld</td>", (long long)l->memory[LAG_ALL]);
    buf_printf(out, "<td>%.1f</td><td>%.4f</td>", l->mean_lag[LAG_ALL], exp(l->slope[LAG_ALL]));
    if (l->places)
        buf_printf(out, "<td>%.3f</td><td>%.3f</td>", diag_middle(l->radius, l->places),
                   diag_middle(l->largest, l->places));
    else
        buf_text(out, "<td>too large</td><td>too large</td>");
    buf_printf(out, "<td>%lld (%.0f&nbsp;%%)</td></tr>\n", (long long)l->dead,
               100 * (double)l->dead / (double)l->units);
}
static void table(const diag_model *d, int models, buf *out)
{
    buf_text(out,
             "<h2>In figures</h2>\n<div class=\"wide\"><table><thead><tr><th>layer</th><th>units</th><th>effective "
             "memory (steps)</th><th>mean lag (steps)</th><th>factor per step</th><th>spectral radius</th>"
             "<th>largest singular value</th><th>dead units</th></tr></thead><tbody>\n");
    for (int i = 0; i < models; i++)
        for (int k = 0; k < d[i].layers; k++) table_row(&d[i], k, models, out);
    buf_text(out,
             "</tbody></table></div>\n<p>Effective memory: the steps after which the gradient norm of all states stays "
             "below 1/e of its value at lag 1, counted from there: at lag 0 the loss reads the state past all "
             "recurrence. Mean lag: the lag, counted likewise, averaged with that norm as weight. Factor per step: "
             "e to the slope of a straight line through the logarithm of the norm at lags "
             "1 and above; below 1 the gradient vanishes, above 1 it explodes. Spectral radius and largest singular "
             "value: medians over the steps of the figures below. A unit is dead when its hidden state stays within "
             "0.02 over all that was looked at.</p>\n");
}

/* ---- Jacobians of a model ---- */
static void along_chart(const diag_model *d, int models, int i, buf *out)
{
    chart c = { .to = out, .left = 1, .right = 2, .high = 1.1 };
    for (int k = 0; k < d[i].layers; k++)
        for (int p = 0; p < d[i].layer[k].places; p++) {
            c.right = fmax(c.right, (double)d[i].layer[k].step[p]);
            c.high = fmax(c.high, 1.08 * d[i].layer[k].largest[p]);
        }
    (void)models;
    chart_begin(&c, "Spectral radius and largest singular value along the sequence", "step of the first sequence",
                "spectral radius, largest singular value");
    chart_level(&c, 1, "");
    for (int k = 0; k < d[i].layers; k++) {
        const diag_layer *l = &d[i].layer[k];
        double x[DIAG_PLACES];
        for (int p = 0; p < l->places; p++) x[p] = (double)l->step[p];
        chart_line(&c, x, l->radius, l->places, colour_of(d, i, k), false, true);
        chart_line(&c, x, l->largest, l->places, colour_of(d, i, k), true, false);
    }
    chart_end(&c);
}
static void singular_chart(const diag_model *d, int i, buf *out)
{
    chart c = { .to = out, .right = 1, .high = 1.1 };
    for (int k = 0; k < d[i].layers; k++)
        if (d[i].layer[k].singulars) c.high = fmax(c.high, 1.08 * d[i].layer[k].singular[0]);
    chart_begin(&c, "Singular values of the recurrent Jacobian", "rank, from the largest (0) to the smallest (1)",
                "singular value");
    chart_level(&c, 1, "");
    for (int k = 0; k < d[i].layers; k++) {
        const diag_layer *l = &d[i].layer[k];
        double x[SPECTRUM_EXACT];
        for (int64_t p = 0; p < l->singulars; p++) x[p] = l->singulars > 1 ? (double)p / ((double)l->singulars - 1) : 0;
        chart_line(&c, x, l->singular, l->singulars, colour_of(d, i, k), false, false);
    }
    chart_end(&c);
}
static void jacobian_figures(const diag_model *d, int models, int i, buf *out)
{
    bool any = false, all = false;
    for (int k = 0; k < d[i].layers; k++) any |= d[i].layer[k].places > 0, all |= d[i].layer[k].singulars > 0;
    if (!any) return;
    buf_text(out, "<div class=\"pair\">\n<figure><h3>The recurrent Jacobian along the sequence</h3>\n");
    along_chart(d, models, i, out), legend(d, models, i, out);
    buf_text(out, "<figcaption>The Jacobian ds<sub>t</sub>/ds<sub>t&minus;1</sub> of all states of a layer. Line with "
                  "dots: its spectral radius, the largest absolute eigenvalue. Dashed: its largest singular value, the "
                  "most that one step can stretch a gradient. Where the singular value stays below 1 gradients must "
                  "vanish; only a spectral radius at or above 1 keeps them for long.</figcaption></figure>\n");
    if (all) {
        buf_text(out, "<figure><h3>All singular values</h3>\n");
        singular_chart(d, i, out), legend(d, models, i, out);
        buf_text(out,
                 "<figcaption>Singular values in falling order, each the mean over the same steps. Values near 1 are "
                 "directions in which a step hands the gradient on as it is; near 0 directions that it "
                 "forgets.</figcaption></figure>\n");
    }
    buf_text(out, "</div>\n");
}

/* ---- histograms of a model ---- */
static void histogram(const diag_layer *l, const diag_part *p, buf *out)
{
    chart c = { .to = out, .left = p->low, .right = p->high, .width = 270, .height = 175 };
    char title[128];
    int64_t most = 1;
    for (int i = 0; i < DIAG_BINS; i++) most = max64(most, p->bin[i]);
    c.high = 100 * (double)most / (double)p->values;
    snprintf(title, sizeof title, "layers.%d %s", l->index, p->name);
    buf_text(out, "<figure><h3>"), page_text(out, title), buf_text(out, "</h3>\n");
    chart_begin(&c, title, "value", "share (%)");
    if (p->range != RANGE_OPEN) {
        double low = p->range == RANGE_SIGMOID ? SATURATED_LOW : -SATURATED_HIGH;
        chart_shade(&c, p->low, low), chart_shade(&c, SATURATED_HIGH, p->high);
    }
    chart_bars(&c, p->bin, DIAG_BINS, most);
    chart_end(&c);
    if (p->range == RANGE_OPEN)
        buf_printf(out, "<figcaption>mean %.3g, from %.3g to %.3g</figcaption></figure>\n", p->mean, p->seen_low,
                   p->seen_high);
    else
        buf_printf(out,
                   "<figcaption>saturated %.1f&nbsp;%%: %.1f&nbsp;%% low, %.1f&nbsp;%% high; mean "
                   "%.2f</figcaption></figure>\n",
                   100 * (p->saturated_low + p->saturated_high), 100 * p->saturated_low, 100 * p->saturated_high,
                   p->mean);
}
static void histograms(const diag_model *d, buf *out)
{
    buf_text(out,
             "<h3>Gates and states</h3>\n<p>Every value over all units, steps and sequences. The shaded ends are "
             "where a gate counts as saturated: below 0.1 and above 0.9, or beyond &plusmn;0.9 for what lies between "
             "&minus;1 and 1. There its derivative is small, and little gradient passes through its argument. An "
             "open forget gate (near 1) is what keeps a cell state; a closed one (near 0) forgets.</p>\n"
             "<div class=\"small\">\n");
    for (int k = 0; k < d->layers; k++)
        for (int q = 0; q < d->layer[k].parts; q++) histogram(&d->layer[k], &d->layer[k].part[q], out);
    buf_text(out, "</div>\n");
}

static void model_head(const diag_model *d, buf *out)
{
    char n[32];
    buf_text(out, "<p><code>"), page_text(out, d->path), buf_text(out, "</code>: <code>");
    page_text(out, d->m->description);
    buf_printf(out, "</code>, %s parameters, on ", task_count(d->m->net->params, n));
    page_text(out, d->data.about), buf_text(out, ".");
    if (d->updates > 0) {
        buf_printf(out, " In training the gradient was clipped in %s of ", task_count(d->clipped, n));
        buf_printf(out, "%s updates (%.1f&nbsp;%%).", task_count(d->updates, n),
                   100 * (double)d->clipped / (double)d->updates);
    }
    buf_text(out, "</p>\n");
}
laco_status diag_page(const diag_model *d, int models, buf *out, laco_error *err)
{
    buf_text(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                  "content=\"width=device-width,initial-scale=1\"><title>laco diagnose: ");
    page_text(out, file_of(d[0].path));
    buf_printf(out, "</title><style>\n%s</style></head><body>\n<h1>What the gradients of ", style);
    for (int i = 0; i < models; i++) buf_text(out, i ? " and " : ""), page_text(out, file_of(d[i].path));
    buf_text(out, " do</h1>\n");
    for (int i = 0; i < models; i++) model_head(&d[i], out);
    lag_figures(d, models, out), table(d, models, out);
    for (int i = 0; i < models; i++) {
        buf_text(out, "<h2>Inside "), page_text(out, file_of(d[i].path)), buf_text(out, "</h2>\n");
        jacobian_figures(d, models, i, out), histograms(&d[i], out);
    }
    buf_text(out, "</body></html>\n");
    return out->failed ? fail_memory(err, out->len) : LACO_OK;
}
