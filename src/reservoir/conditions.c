#include "layer/reservoir.h"
#include "math/act.h"
#include "math/eigen.h"
#include "reservoir/property.h"
#include <math.h>

/* slope a_i w_ik, a NULL: 1; leaky: 1 - a_i on the diagonal as well */
typedef struct matrix {
    const double *w, *leak;
    const int32_t *column;
    int64_t N, K;
    double slope;
    bool absolute, leaky;
} matrix;
static double weight(const matrix *m, int64_t i, int64_t k)
{
    const double w = m->w[i * m->K + k] * m->slope * (m->leak ? m->leak[i] : 1);
    return m->absolute ? fabs(w) : w;
}
static void apply(void *ctx, const double *x, double *y)
{
    const matrix *m = ctx;
    for (int64_t i = 0; i < m->N; i++) {
        double sum = m->leaky ? (1 - m->leak[i]) * x[i] : 0;
        for (int64_t k = 0; k < m->K; k++) sum += weight(m, i, k) * x[m->column[i * m->K + k]];
        y[i] = sum;
    }
}
static void apply_transposed(void *ctx, const double *x, double *y)
{
    const matrix *m = ctx;
    for (int64_t i = 0; i < m->N; i++) y[i] = m->leaky ? (1 - m->leak[i]) * x[i] : 0;
    for (int64_t i = 0; i < m->N; i++)
        for (int64_t k = 0; k < m->K; k++) y[m->column[i * m->K + k]] += weight(m, i, k) * x[i];
}
static laco_status measure(const layer_spec *s, const matrix *given, echo_conditions *out, laco_error *err)
{
    const int64_t N = given->N;
    double slowest = 0;
    for (int64_t i = 0; i < N; i++) slowest = fmax(slowest, 1 - given->leak[i]);
    matrix m = *given;
    laco_status st = reservoir_radius(s, m.w, NULL, &out->radius, err);
    if (!st) st = reservoir_radius(s, m.w, m.leak, &out->effective, err);
    m.leak = NULL;
    if (!st) st = eigen_norm(&out->norm, N, apply, apply_transposed, &m, err);
    m.leak = given->leak, m.slope = s->act == ACT_SIGMOID ? 0.25 : 1;
    if (!st) st = eigen_norm(&out->contracts, N, apply, apply_transposed, &m, err);
    out->contracts += slowest;
    m.absolute = m.leaky = true;
    return st ? st : eigen_radius(&out->absolute, N, apply, &m, err);
}
laco_status property_echo(const net *n, int which, echo_conditions *out, laco_error *err)
{
    const layer_spec *s = &n->d.layer[which];
    *out = (echo_conditions){ 0 };
    if (strcmp(s->kind, "reservoir"))
        return fail(err, LACO_EINVAL, -1, "layer %d is of kind %s, not a reservoir", which, s->kind);
    const int64_t N = s->units, K = reservoir_degree(s), first = n->base[which] + N * s->in;
    double *w = mem_new((size_t)(N * K + 2 * N), sizeof *w), *bias = w ? w + N * K : NULL;
    int32_t *column = reservoir_columns(s);
    laco_status st = w && column ? LACO_OK : fail_memory(err, (size_t)(N * (K + 2)) * sizeof *w);
    if (!st) {
        for (int64_t i = 0; i < N * K + 2 * N; i++) w[i] = net_get(n, first + i);
        out->at_zero = s->act == ACT_TANH || s->act == ACT_LINEAR;
        for (int64_t i = 0; i < N; i++) out->at_zero &= bias[i] == 0;
        out->linear = s->act == ACT_LINEAR;
        const matrix m = { .w = w, .leak = bias + N, .column = column, .N = N, .K = K, .slope = 1 };
        st = measure(s, &m, out, err);
    }
    out->necessary = out->effective < 1;
    out->sufficient = out->contracts < 1 || out->absolute < 1 || (out->linear && out->necessary);
    mem_free(w), mem_free(column);
    return st;
}
