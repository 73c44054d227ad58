#include "layer/reservoir.h"
#include "math/act.h"
#include "math/eigen.h"
#include "reservoir/property.h"
#include <math.h>

/* slope a_i w_ik, a NULL: 1 */
typedef struct matrix {
    const double *w, *leak;
    const int32_t *column;
    int64_t N, K;
    double slope;
} matrix;
static void apply(void *ctx, const double *x, double *y)
{
    const matrix *m = ctx;
    for (int64_t i = 0; i < m->N; i++) {
        double sum = 0;
        for (int64_t k = i * m->K; k < (i + 1) * m->K; k++) sum += m->w[k] * x[m->column[k]];
        y[i] = m->slope * (m->leak ? m->leak[i] : 1) * sum;
    }
}
static void apply_transposed(void *ctx, const double *x, double *y)
{
    const matrix *m = ctx;
    memset(y, 0, (size_t)m->N * sizeof *y);
    for (int64_t i = 0; i < m->N; i++) {
        const double scaled = m->slope * (m->leak ? m->leak[i] : 1) * x[i];
        for (int64_t k = i * m->K; k < (i + 1) * m->K; k++) y[m->column[k]] += m->w[k] * scaled;
    }
}
/* w is not as it was afterwards. */
static laco_status measure(const layer_spec *s, double *w, const double *leak, const int32_t *column,
                           echo_conditions *out, laco_error *err)
{
    matrix m = { .w = w, .column = column, .N = s->units, .K = reservoir_degree(s), .slope = 1 };
    double slowest = 0;
    for (int64_t i = 0; i < m.N; i++) slowest = fmax(slowest, 1 - leak[i]);
    laco_status st = reservoir_radius(s, w, NULL, &out->radius, err);
    if (!st) st = reservoir_radius(s, w, leak, &out->effective, err);
    if (!st) st = eigen_norm(&out->norm, m.N, apply, apply_transposed, &m, err);
    m.leak = leak, m.slope = s->act == ACT_SIGMOID ? 0.25 : 1;
    if (!st) st = eigen_norm(&out->contracts, m.N, apply, apply_transposed, &m, err);
    out->contracts += slowest;
    for (int64_t k = 0; k < m.N * m.K; k++) w[k] = m.slope * fabs(w[k]);
    return st ? st : reservoir_radius(s, w, leak, &out->absolute, err);
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
        st = measure(s, w, bias + N, column, out, err);
    }
    out->necessary = out->effective < 1;
    out->sufficient = out->contracts < 1 || out->absolute < 1 || (out->linear && out->necessary);
    mem_free(w), mem_free(column);
    return st;
}
