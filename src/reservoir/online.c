#include "reservoir/online.h"
#include <math.h>

struct online {
    online_settings s;
    int64_t n;               /* features, and 1 behind them */
    double *w, *p, *x, *k, *y; /* [targets][n], [n][n] of rls, [n], [n], [targets] */
};
void online_free(online *o)
{
    if (o) mem_free(o->w), mem_free(o->p), mem_free(o->x), mem_free(o->k), mem_free(o->y);
    mem_free(o);
}
laco_status online_new(online **out, const online_settings *s, laco_error *err)
{
    online *o = *out = mem_new(1, sizeof *o);
    if (!o) return fail_memory(err, sizeof *o);
    o->s = *s, o->n = s->features + s->bias;
    const size_t n = (size_t)o->n;
    o->w = mem_new((size_t)s->targets * n, sizeof(double)), o->x = mem_new(n, sizeof(double));
    o->k = mem_new(n, sizeof(double)), o->y = mem_new((size_t)s->targets, sizeof(double));
    if (s->rule == ONLINE_RLS) o->p = mem_new(n * n, sizeof(double));
    if (!o->w || !o->x || !o->k || !o->y || (s->rule == ONLINE_RLS && !o->p))
        return online_free(o), *out = NULL, fail_memory(err, n * n * sizeof(double));
    for (int64_t i = 0; o->p && i < o->n; i++) o->p[i * o->n + i] = 1 / s->lambda;
    return LACO_OK;
}
static double dot(const double *a, const double *b, int64_t n)
{
    double s[8] = { 0 };
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) s[k] += a[i + k] * b[i + k];
    for (; i < n; i++) s[0] += a[i] * b[i];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}
void online_answer(const online *o, const double *x, double *y)
{
    for (int64_t k = 0; k < o->s.targets; k++) {
        const double *w = o->w + k * o->n;
        y[k] = dot(w, x, o->s.features) + (o->s.bias ? w[o->s.features] : 0);
    }
}
/* k = P x / (mu + x^T P x), P = (P - k x^T P) / mu; P stays symmetric, number for number. */
static void gain_rls(online *o)
{
    const int64_t n = o->n;
    double *px = o->k;
    for (int64_t i = 0; i < n; i++) px[i] = dot(o->p + i * n, o->x, n);
    const double below = 1 / (o->s.forget + dot(px, o->x, n)), grow = 1 / o->s.forget;
    for (int64_t i = 0; i < n; i++) {
        double *row = o->p + i * n;
        for (int64_t j = 0; j < n; j++) row[j] = (row[j] - px[i] * px[j] * below) * grow;
    }
    for (int64_t i = 0; i < n; i++) px[i] *= below;
}
void online_learn(online *o, const double *x, const double *y, double *error)
{
    const int64_t n = o->n;
    bool any = false;
    online_answer(o, x, o->y);
    for (int64_t k = 0; k < o->s.targets; k++) {
        if (error) error[k] = y[k] - o->y[k];
        any |= isfinite(y[k]) != 0;
    }
    if (!any) return;
    memcpy(o->x, x, (size_t)o->s.features * sizeof *x);
    if (o->s.bias) o->x[o->s.features] = 1;
    if (o->s.rule == ONLINE_RLS)
        gain_rls(o);
    else {
        const double rate = o->s.rule == ONLINE_LMS ? o->s.rate : o->s.rate / (1e-8 + dot(o->x, o->x, n));
        for (int64_t i = 0; i < n; i++) o->k[i] = rate * o->x[i];
    }
    for (int64_t k = 0; k < o->s.targets; k++) {
        const double e = y[k] - o->y[k];
        for (int64_t i = 0; isfinite(e) && i < n; i++) o->w[k * n + i] += e * o->k[i];
    }
}
void online_weights(const online *o, double *w, double *b)
{
    for (int64_t k = 0; k < o->s.targets; k++) {
        memcpy(w + k * o->s.features, o->w + k * o->n, (size_t)o->s.features * sizeof *w);
        b[k] = o->s.bias ? o->w[k * o->n + o->s.features] : 0;
    }
}
void online_set(online *o, const double *w, const double *b)
{
    for (int64_t k = 0; k < o->s.targets; k++) {
        memcpy(o->w + k * o->n, w + k * o->s.features, (size_t)o->s.features * sizeof *w);
        if (o->s.bias) o->w[k * o->n + o->s.features] = b[k];
    }
}
