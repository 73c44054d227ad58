#include "reservoir/plasticity.h"
#include "layer/reservoir.h"
#include "math/act.h"
#include <math.h>

typedef struct adapting {
    const layer_spec *s;
    int64_t N, K, I;
    double *w_in, *w, *bias, *leak; /* as drawn */
    double *gain, *shift, *x, *z;   /* [N] */
    int32_t *column;
} adapting;

static void step(adapting *a, const plasticity *p, const double *u)
{
    const double m = p->mean, s2 = p->deviation * p->deviation;
    for (int64_t i = 0; i < a->N; i++) {
        double z = a->bias[i];
        for (int64_t j = 0; j < a->I; j++) z += a->w_in[i * a->I + j] * u[j];
        for (int64_t k = 0; k < a->K; k++) z += a->w[i * a->K + k] * a->x[a->column[i * a->K + k]];
        a->z[i] = z;
    }
    for (int64_t i = 0; i < a->N; i++) {
        const double y = tanh(a->gain[i] * a->z[i] + a->shift[i]),
                     db = -p->rate * (-m / s2 + y / s2 * (2 * s2 + 1 - y * y + m * y));
        a->x[i] += a->leak[i] * (y - a->x[i]);
        a->shift[i] += db, a->gain[i] += p->rate / a->gain[i] + db * a->z[i];
    }
}
static laco_status adapt(adapting *a, const plasticity *p, int64_t steps, const double *u, const volatile int *stop,
                         laco_error *err)
{
    for (int64_t i = 0; i < a->N; i++) a->gain[i] = 1;
    for (int64_t e = 0; e < p->epochs; e++) {
        memset(a->x, 0, (size_t)a->N * sizeof *a->x);
        for (int64_t t = 0; t < steps; t++) {
            step(a, p, u + t * a->I);
            if (stop && *stop) return fail(err, LACO_ESTOPPED, -1, "stopped while the units adapted");
        }
    }
    for (int64_t i = 0; i < a->N; i++)
        if (!isfinite(a->gain[i]) || !isfinite(a->shift[i]))
            return fail(err, LACO_ENUMERIC, i, "the gain of a unit runs away: give a smaller --plasticity-rate");
    return LACO_OK;
}
laco_status plasticity_run(net *n, const plasticity *p, int64_t steps, const double *u, const volatile int *stop,
                           laco_error *err)
{
    adapting a = { .s = &n->d.layer[0] };
    if (strcmp(a.s->kind, "reservoir") || a.s->act != ACT_TANH)
        return fail(err, LACO_EINVAL, -1,
                    "intrinsic plasticity needs a network that begins with a reservoir of tanh units");
    a.N = a.s->units, a.K = reservoir_degree(a.s), a.I = a.s->in;
    const int64_t in = a.N * a.I, hidden = a.N * a.K;
    a.w_in = mem_new((size_t)(in + hidden + 6 * a.N), sizeof *a.w_in), a.column = reservoir_columns(a.s);
    laco_status st = a.w_in && a.column ? LACO_OK : fail_memory(err, (size_t)(in + hidden) * sizeof *a.w_in);
    if (!st) {
        for (int64_t i = 0; i < in + hidden + 2 * a.N; i++) a.w_in[i] = net_get(n, i);
        a.w = a.w_in + in, a.bias = a.w + hidden, a.leak = a.bias + a.N, a.gain = a.leak + a.N, a.shift = a.gain + a.N;
        a.x = a.shift + a.N, a.z = a.x + a.N;
        st = adapt(&a, p, steps, u, stop, err);
    }
    for (int64_t i = 0; !st && i < in; i++) net_set(n, i, a.gain[i / a.I] * a.w_in[i]);
    for (int64_t i = 0; !st && i < hidden; i++) net_set(n, in + i, a.gain[i / a.K] * a.w[i]);
    for (int64_t i = 0; !st && i < a.N; i++) net_set(n, in + hidden + i, a.gain[i] * a.bias[i] + a.shift[i]);
    mem_free(a.w_in), mem_free(a.column);
    return st;
}
