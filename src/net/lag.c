#include "net/inspect.h"
#include "net/walk.h"
#include <math.h>

void net_lags_free(net_lags *l)
{
    for (int i = 0; i < MAX_LAYERS; i++)
        for (int k = 0; k < LAG_PARTS; k++) mem_free(l->norm[i][k]), l->norm[i][k] = NULL;
}
/* Sums of squares over the rows of dL/ds: what comes from the steps after is in the carry, what comes from the layer
   above is the gradient of the output, which is the hidden state. */
static void measure(const net_walk *w, int i, double norm[LAG_PARTS])
{
    const net *n = w->n;
    int64_t at[MAX_STATES], width[MAX_STATES], stride = n->kind[i]->state_stride(n->layer[i]);
    int states = n->kind[i]->states(n->layer[i], at, width);
    double sum[LAG_PARTS] = { 0 };
    for (int64_t b = 0; b < w->part.b.B; b++)
        for (int k = 0; k < states; k++)
            for (int64_t u = 0; u < width[k]; u++) {
                double d = net_real(n, w->carry[i], b * stride + at[k] + u);
                if (k == 0) d += net_real(n, w->d, b * w->ldd + u);
                sum[LAG_ALL] += d * d;
                if (k == 0) sum[LAG_HIDDEN] += d * d;
            }
    for (int k = 0; k < LAG_PARTS; k++) norm[k] = sqrt(sum[k] / (double)w->part.b.B);
}
static bool is_recurrent(const net *n, int i) { return n->kind[i]->inside(n->layer[i], 0) != NULL; }

laco_status net_lags_of(net_lags *out, net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss,
                        laco_error *err)
{
    int64_t T = p->b.T;
    net_walk *w = NULL;
    *out = (net_lags){ .lags = T };
    if (!net_steps(n))
        return fail(err, LACO_EINVAL, -1, "a layer of this network reads against time: its gradient has no lag");
    if (T < 1 || p->b.active[T - 1] < p->b.B)
        return fail(err, LACO_EINVAL, -1, "the rows of a window must be of one length to be compared by lag");
    laco_status st = net_load(n, true, true, err);
    if (!st) st = walk_new(&w, n, p, x, ldx, loss, 1, err);
    for (int i = 0; i < n->d.layers; i++)
        for (int k = 0; !st && is_recurrent(n, i) && k < LAG_PARTS; k++)
            if (!(out->norm[i][k] = mem_new((size_t)T, sizeof(double)))) st = fail_memory(err, (size_t)T * 8);
    for (int64_t t = 0; !st && t < T; t++) walk_forward(w, t);
    for (int64_t t = T - 1; !st && t >= 0; t--) {
        if (t < T - 1) walk_forward(w, t);
        walk_loss(w, t == T - 1);
        for (int i = n->d.layers - 1; i >= 0; i--) {
            double norm[LAG_PARTS];
            if (is_recurrent(n, i)) measure(w, i, norm);
            for (int k = 0; is_recurrent(n, i) && k < LAG_PARTS; k++) out->norm[i][k][T - 1 - t] = norm[k];
            walk_back(w, i);
        }
    }
    walk_free(w);
    if (st) net_lags_free(out);
    return st;
}

double lag_slope(const double *norm, int64_t lags)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (int64_t k = 1; k < lags; k++) {
        if (!(norm[k] > 0) || !isfinite(norm[k])) continue;
        double l = log(norm[k]), t = (double)k;
        n++, x += t, y += l, xx += t * t, xy += t * l;
    }
    return n < 2 ? NAN : (n * xy - x * y) / (n * xx - x * x);
}
int64_t lag_memory(const double *norm, int64_t lags)
{
    int64_t k = lags;
    while (k > 1 && norm[k - 1] < norm[1] * exp(-1)) k--;
    return k < lags ? k - 1 : -1;
}
double lag_mean(const double *norm, int64_t lags)
{
    double sum = 0, moment = 0;
    for (int64_t k = 1; k < lags; k++) sum += norm[k], moment += (double)(k - 1) * norm[k];
    return moment / sum;
}
