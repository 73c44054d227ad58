/* Two walks over the data, a step at a time: the first finds the bounds of every value and takes the Jacobians along
   the first sequence, the second counts the histograms. Then the gradient against time lag. All in double, so that a
   gradient that falls by ten orders of magnitude is still a number. */
#include "net/walk.h"
#include "task/diagnose.h"
#include <math.h>

typedef struct measure {
    diag_model *d;
    net *n;
    pass p;
    int64_t *active, *off;
    net_walk *w;
    jacobian *jacobian[MAX_LAYERS]; /* by d->layer; NULL: too large, or of no use */
    double *unit_low[MAX_LAYERS], *unit_high[MAX_LAYERS], *values, *matrix;
    int places[MAX_LAYERS];
} measure;

static laco_status copy_network(measure *g, laco_error *err)
{
    const net *from = g->d->m->net;
    net_description d;
    const kernels *k;
    laco_status st = kernels_choose(&k, REAL_DOUBLE, err);
    if (!st) st = describe_parse(&d, g->d->m->description, from->inputs, from->outputs, k, err);
    if (!st) st = net_new(&g->n, &d, from->inputs, k, g->d->m->pool, err);
    for (int64_t i = 0; !st && i < from->params; i++) net_set(g->n, i, net_get(from, i));
    for (int64_t i = 0; !st && i < from->params; i++)
        if (!isfinite(net_get(from, i)))
            st = fail(err, LACO_ENUMERIC, -1, "%s: its weights are not finite; nothing can be measured", g->d->path);
    return st;
}
static laco_status make_window(measure *g, laco_error *err)
{
    const diag_data *a = &g->d->data;
    g->active = mem_new((size_t)a->T, sizeof *g->active), g->off = mem_new((size_t)a->T + 1, sizeof *g->off);
    if (!g->active || !g->off) return fail_memory(err, (size_t)a->T * sizeof *g->off);
    for (int64_t t = 0; t < a->T; t++) g->active[t] = a->B, g->off[t + 1] = (t + 1) * a->B;
    g->p.b = (ragged){ a->T, a->B, a->T * a->B, g->active, g->off };
    g->p.target = a->y, g->p.targets = g->n->outputs;
    return net_reserve(g->n, a->B, a->B, true, err);
}
/* How many Jacobians of N numbers are taken: the larger, the fewer. */
static int places_for(int64_t N) { return N <= 128 ? DIAG_PLACES : N <= 256 ? 10 : 5; }

static laco_status list_layers(measure *g, laco_error *err)
{
    net *n = g->n;
    diag_model *d = g->d;
    int64_t most = 1, N = 0;
    for (int i = 0; i < n->d.layers; i++) {
        const recur *r = n->kind[i]->inside(n->layer[i], 0);
        if (!r) continue;
        int k = d->layers++;
        diag_layer *l = &d->layer[k];
        recur_part part[MAX_PARTS];
        int64_t at[MAX_STATES], width[MAX_STATES];
        *l = (diag_layer){ .index = i, .cell = n->d.layer[i].cell.cell, .units = n->d.layer[i].out };
        for (int s = n->kind[i]->states(n->layer[i], at, width); s-- > 0;) l->states += width[s];
        l->parts = n->k->recur->parts(r, part);
        for (int q = 0; q < l->parts; q++) {
            l->part[q] = (diag_part){ .name = part[q].name, .range = part[q].range };
            l->part[q].seen_low = INFINITY, l->part[q].seen_high = -INFINITY;
            most = max64(most, part[q].width);
        }
        g->unit_low[k] = mem_new((size_t)l->units, sizeof(double));
        g->unit_high[k] = mem_new((size_t)l->units, sizeof(double));
        if (!g->unit_low[k] || !g->unit_high[k]) return fail_memory(err, (size_t)l->units * sizeof(double));
        for (int64_t u = 0; u < l->units; u++) g->unit_low[k][u] = INFINITY, g->unit_high[k][u] = -INFINITY;
        g->places[k] = places_for(l->states);
        if (jacobian_new(&g->jacobian[k], n, i, NULL)) continue; /* too large: its figures are left out */
        N = max64(N, l->states);
    }
    if (!d->layers) return fail(err, LACO_EINVAL, -1, "%s has no recurrent layer to look at", d->path);
    g->values = mem_new((size_t)most, sizeof *g->values), g->matrix = mem_new((size_t)(N * N), sizeof *g->matrix);
    return g->values && g->matrix ? LACO_OK : fail_memory(err, (size_t)(N * N) * sizeof(double));
}

/* ---- a step ---- */
static void see(diag_part *q, const double *values, int64_t width)
{
    for (int64_t u = 0; u < width; u++) {
        double v = values[u];
        q->seen_low = fmin(q->seen_low, v), q->seen_high = fmax(q->seen_high, v), q->mean += v, q->values++;
    }
}
static void see_units(measure *g, int k)
{
    for (int64_t u = 0; u < g->d->layer[k].units; u++) {
        g->unit_low[k][u] = fmin(g->unit_low[k][u], g->values[u]);
        g->unit_high[k][u] = fmax(g->unit_high[k][u], g->values[u]);
    }
}
static void count(diag_part *q, const double *values, int64_t width)
{
    for (int64_t u = 0; u < width; u++) {
        double v = values[u], place = (v - q->low) / (q->high - q->low) * DIAG_BINS;
        q->bin[place >= DIAG_BINS - 1 ? DIAG_BINS - 1 : place > 0 ? (int)place : 0]++;
        q->saturated_low += v < (q->range == RANGE_SIGMOID ? SATURATED_LOW : -SATURATED_HIGH);
        q->saturated_high += v > SATURATED_HIGH;
    }
}
static void look_at_step(measure *g, bool counting)
{
    const net *n = g->n;
    for (int k = 0; k < g->d->layers; k++) {
        diag_layer *l = &g->d->layer[k];
        const recur *r = n->kind[l->index]->inside(n->layer[l->index], 0);
        recur_part part[MAX_PARTS];
        n->k->recur->parts(r, part);
        for (int q = 0; q < l->parts; q++)
            for (int64_t b = 0; b < g->d->data.B; b++) {
                n->k->recur->look(r, &part[q], 0, b, g->values);
                if (counting)
                    count(&l->part[q], g->values, part[q].width);
                else
                    see(&l->part[q], g->values, part[q].width);
                if (!counting && part[q].state == 0) see_units(g, k);
            }
    }
}
/* The Jacobians of this step in the first sequence, where it is one of the places: spread over what is looked at. */
static laco_status take_jacobians(measure *g, int64_t t, laco_error *err)
{
    const net *n = g->n;
    const diag_data *a = &g->d->data;
    for (int k = 0; k < g->d->layers; k++) {
        diag_layer *l = &g->d->layer[k];
        int64_t from = max64(1, a->warm), steps = a->T - from, ld;
        if (!g->jacobian[k] || l->places >= g->places[k]) continue;
        if (t < from + l->places * steps / g->places[k]) continue;
        const void *x = l->index ? net_output(n, l->index, &ld) : (const double *)g->w->x + t * a->B * g->w->ldx;
        spectrum s;
        jacobian_at(g->jacobian[k], x, g->w->state[l->index] + t * n->state_row[l->index] * a->B, g->matrix, NULL);
        laco_status st = spectrum_of(&s, l->states, g->matrix, err);
        if (st) return st;
        l->step[l->places] = t - a->warm + 1, l->radius[l->places] = s.radius, l->largest[l->places++] = s.norm;
        l->singulars = s.n;
        for (int64_t i = 0; i < s.n; i++) l->singular[i] += s.singular[i];
    }
    return LACO_OK;
}
static laco_status walk_once(measure *g, bool counting, laco_error *err)
{
    const diag_data *a = &g->d->data;
    laco_status st = LACO_OK;
    for (int64_t t = 0; !st && t < a->T; t++) {
        walk_forward(g->w, t);
        if (t >= a->warm) look_at_step(g, counting);
        if (!counting && t > 0) st = take_jacobians(g, t, err);
    }
    return st;
}
/* After the first walk: the edges of the histograms, and what the sums become. */
static void set_bounds(measure *g)
{
    for (int k = 0; k < g->d->layers; k++) {
        diag_layer *l = &g->d->layer[k];
        for (int64_t u = 0; u < l->units; u++) l->dead += g->unit_high[k][u] - g->unit_low[k][u] < DEAD_RANGE;
        for (int64_t i = 0; i < l->singulars; i++) l->singular[i] /= l->places;
        for (int q = 0; q < l->parts; q++) {
            diag_part *p = &l->part[q];
            p->mean /= (double)p->values;
            p->low = p->range == RANGE_SIGMOID ? 0 : p->range == RANGE_TANH ? -1 : p->seen_low;
            p->high = p->range != RANGE_OPEN ? 1 : p->seen_high;
            if (!(p->high > p->low)) p->low -= 0.5, p->high += 0.5;
        }
    }
}
static void set_shares(diag_model *d)
{
    for (int k = 0; k < d->layers; k++)
        for (int q = 0; q < d->layer[k].parts; q++) {
            diag_part *p = &d->layer[k].part[q];
            p->saturated_low = p->range == RANGE_OPEN ? NAN : p->saturated_low / (double)p->values;
            p->saturated_high = p->range == RANGE_OPEN ? NAN : p->saturated_high / (double)p->values;
        }
}

/* ---- the gradient ---- */
static laco_status measure_lags(measure *g, const net_loss *loss, laco_error *err)
{
    diag_model *d = g->d;
    laco_status st = net_lags_of(&d->lags, g->n, &g->p, g->w->x, g->w->ldx, loss, err);
    if (st) return st;
    d->shown = d->data.T - d->data.warm;
    for (int k = 0; k < d->layers; k++)
        for (int s = 0; s < LAG_PARTS; s++) {
            diag_layer *l = &d->layer[k];
            const double *norm = l->norm[s] = d->lags.norm[l->index][s];
            if (!(norm[0] > 0) || !(norm[1] > 0))
                return fail(
                    err, LACO_EINVAL, -1,
                    "the last step of the data has no target that depends on layers.%d, so there is no gradient "
                    "to follow; set another number of --steps",
                    l->index);
            l->slope[s] = lag_slope(norm, d->shown), l->memory[s] = lag_memory(norm, d->shown);
            l->mean_lag[s] = lag_mean(norm, d->shown);
        }
    return LACO_OK;
}
static void read_training(diag_model *d)
{
    const char *text = model_get(d->m, "training");
    json_doc *doc = NULL;
    d->updates = d->clipped = -1;
    if (!text || json_parse(&doc, text, strlen(text), NULL)) return;
    const json *updates = json_get(json_root(doc), "updates"), *clipped = json_get(json_root(doc), "clipped");
    if (updates && clipped && updates->integer && clipped->integer) d->updates = updates->i, d->clipped = clipped->i;
    json_free(doc);
}
laco_status diag_measure(diag_model *d, task_job *j, laco_error *err)
{
    measure g = { .d = d };
    const diag_data *a = &d->data;
    net_loss loss = { .kind = a->loss, .classes = a->classes, .y = a->y, .scale = 1 };
    read_training(d);
    laco_status st = copy_network(&g, err);
    if (!st) st = make_window(&g, err);
    if (!st && !net_steps(g.n))
        st = fail(err, LACO_EINVAL, -1, "%s has a layer that reads against time: its gradient has no lag", d->path);
    if (!st) st = list_layers(&g, err);
    if (!st) st = net_load(g.n, true, true, err);
    if (!st) {
        const void *x = a->ids ? (const void *)a->ids : a->x;
        st = walk_new(&g.w, g.n, &g.p, x, a->ids ? 1 : g.n->inputs, &loss, 1, err);
    }
    if (!st) st = walk_once(&g, false, err);
    if (!st && *j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before all was measured");
    if (!st) set_bounds(&g), st = walk_once(&g, true, err);
    if (!st) set_shares(d), st = measure_lags(&g, &loss, err);
    for (int k = 0; k < MAX_LAYERS; k++)
        jacobian_free(g.jacobian[k]), mem_free(g.unit_low[k]), mem_free(g.unit_high[k]);
    walk_free(g.w), net_free(g.n);
    mem_free(g.active), mem_free(g.off), mem_free(g.values), mem_free(g.matrix);
    return st;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
double diag_middle(const double *values, int n)
{
    double sorted[DIAG_PLACES];
    if (n < 1) return NAN;
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, rising);
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}
