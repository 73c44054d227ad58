#include "reservoir/property.h"
#include "base/rng.h"
#include "layer/reservoir.h"
#include "math/act.h"
#include "math/eigen.h"
#include "reservoir/echo.h"
#include "math/spectrum.h"
#include <math.h>

/* ---- conditions ---- of A = (1 - a) I + a W */
typedef struct leaky {
    const double *w, *leak;
    const int32_t *column;
    int64_t n, k;
    bool absolute;
} leaky;
static void apply(void *ctx, const double *x, double *y)
{
    const leaky *l = ctx;
    for (int64_t i = 0; i < l->n; i++) {
        const double *w = l->w + i * l->k;
        const int32_t *c = l->column + i * l->k;
        double sum = 0;
        for (int64_t k = 0; k < l->k; k++) sum += (l->absolute ? fabs(w[k]) : w[k]) * x[c[k]];
        y[i] = (1 - l->leak[i]) * x[i] + l->leak[i] * sum;
    }
}
static void apply_transposed(void *ctx, const double *x, double *y)
{
    const leaky *l = ctx;
    for (int64_t i = 0; i < l->n; i++) y[i] = (1 - l->leak[i]) * x[i];
    for (int64_t i = 0; i < l->n; i++)
        for (int64_t k = 0; k < l->k; k++) y[l->column[i * l->k + k]] += l->leak[i] * l->w[i * l->k + k] * x[i];
}
laco_status property_echo(const net *n, int which, echo_conditions *out, laco_error *err)
{
    const layer_spec *s = &n->d.layer[which];
    const int64_t N = s->units, K = reservoir_degree(s), from = n->base[which] + N * s->in;
    *out = (echo_conditions){ 0 };
    double *w = mem_new((size_t)(N * K + N), sizeof *w);
    int32_t *column = reservoir_columns(s);
    laco_status st = w && column ? LACO_OK : fail_memory(err, (size_t)(N * K) * sizeof *w);
    if (!st) {
        for (int64_t i = 0; i < N * K; i++) w[i] = net_get(n, from + i);
        for (int64_t i = 0; i < N; i++) w[N * K + i] = net_get(n, from + N * K + N + i);
        leaky l = { .w = w, .leak = w + N * K, .column = column, .n = N, .k = K };
        st = reservoir_radius(s, w, NULL, &out->radius, err);
        if (!st) st = reservoir_radius(s, w, l.leak, &out->effective, err);
        if (!st) st = eigen_norm(&out->norm, N, apply, apply_transposed, &l, err);
        l.absolute = true;
        if (!st) st = eigen_radius(&out->absolute, N, apply, &l, err);
    }
    out->necessary = out->effective < 1, out->sufficient = out->norm < 1 || out->absolute < 1;
    mem_free(w), mem_free(column);
    return st;
}

/* ---- runs ---- on the states of streams, one or two */
typedef struct runs {
    const net *n;
    net_state *s;
    int64_t numbers; /* of the states of a stream */
    char *x, *y;
    double *state;   /* [numbers] of a stream, in double */
} runs;
static void put(const net *n, char *to, int64_t at, double x)
{
    if (n->k->real_size == sizeof(double))
        ((double *)to)[at] = x;
    else
        ((float *)to)[at] = (float)x;
}
static double get(const net *n, const char *from, int64_t at)
{
    return n->k->real_size == sizeof(double) ? ((const double *)from)[at] : (double)((const float *)from)[at];
}
static void runs_free(runs *r) { mem_free(r->s), mem_free(r->x), mem_free(r->y), mem_free(r->state); }
static laco_status runs_new(runs *r, const net *n, int64_t streams, laco_error *err)
{
    *r = (runs){ .n = n, .numbers = net_state_numbers(n, streams) };
    const size_t size = (size_t)n->k->real_size;
    r->s = mem_new(1, net_state_bytes(n, streams)), r->x = mem_new((size_t)(streams * n->inputs + 64), size);
    r->y = mem_new((size_t)(streams * n->outputs + r->numbers + 64), size), r->state = mem_new((size_t)r->numbers, sizeof(double));
    if (!r->s || !r->x || !r->y || !r->state) return runs_free(r), fail_memory(err, net_state_bytes(n, streams));
    net_state_init(n, r->s, streams);
    return LACO_OK;
}
static double drawn(const property_wish *w, int64_t t, int64_t i) { return 2 * rng_uniform(w->seed, RNG_DATA, (uint64_t)(t << 20 | i)) - 1; }
static double input_at(const property_wish *w, int64_t t, int64_t i) { return w->input ? w->input[t * w->n->inputs + i] : drawn(w, t, i); }
static void run_step(runs *r, const property_wish *w, int64_t t, int64_t streams)
{
    const int64_t I = r->n->inputs;
    for (int64_t b = 0; b < streams; b++)
        for (int64_t i = 0; i < I; i++) put(r->n, r->x, b * I + i, input_at(w, t, i));
    net_step(r->n, r->s, 1, streams, r->x, r->y);
}
/* The states as numbers: r->y is room. */
static void states(runs *r)
{
    char *room = r->y + (size_t)r->n->outputs * 2 * (size_t)r->n->k->real_size;
    net_state_get(r->n, r->s, room);
    for (int64_t i = 0; i < r->numbers; i++) r->state[i] = get(r->n, room, i);
}
static void set_states(runs *r)
{
    char *room = r->y + (size_t)r->n->outputs * 2 * (size_t)r->n->k->real_size;
    for (int64_t i = 0; i < r->numbers; i++) put(r->n, room, i, r->state[i]);
    net_state_put(r->n, r->s, room);
}
static laco_status stopped(const property_wish *w, laco_error *err)
{
    return w->stop && *w->stop ? fail(err, LACO_ESTOPPED, -1, "stopped") : LACO_OK;
}
laco_status property_forgetting(const property_wish *w, int64_t *steps, laco_error *err)
{
    runs a, b = { 0 };
    *steps = -1;
    laco_status st = runs_new(&a, w->n, 1, err);
    if (!st && (st = runs_new(&b, w->n, 1, err))) runs_free(&a);
    if (st) return st;
    double begin = 0;
    for (int64_t i = 0; i < a.numbers; i++) {
        a.state[i] = drawn(w, 1 << 20, i), b.state[i] = drawn(w, 2 << 20, i);
        begin += (a.state[i] - b.state[i]) * (a.state[i] - b.state[i]);
    }
    set_states(&a), set_states(&b);
    for (int64_t t = 0; !st && *steps < 0 && t < w->steps; t++) {
        double apart = 0;
        run_step(&a, w, t, 1), run_step(&b, w, t, 1), states(&a), states(&b);
        for (int64_t i = 0; i < a.numbers; i++) apart += (a.state[i] - b.state[i]) * (a.state[i] - b.state[i]);
        if (apart < 1e-12 * begin) *steps = t + 1;
        st = stopped(w, err);
    }
    runs_free(&a), runs_free(&b);
    return st;
}
/* Two runs a small distance apart, brought back to it after every step; the mean logarithm of what it grows by. */
laco_status property_lyapunov(const property_wish *w, double *exponent, laco_error *err)
{
    const double apart = w->n->k->real_size == sizeof(double) ? 1e-8 : 1e-3;
    runs a, b = { 0 };
    laco_status st = runs_new(&a, w->n, 1, err);
    if (!st && (st = runs_new(&b, w->n, 1, err))) runs_free(&a);
    if (st) return st;
    double sum = 0, n = 0;
    for (int64_t t = 0; !st && t < w->steps; t++) {
        if (t == w->washout) {
            states(&a);
            for (int64_t i = 0; i < a.numbers; i++)
                b.state[i] = a.state[i] + apart / sqrt((double)a.numbers) * (drawn(w, 3 << 20, i) < 0 ? -1 : 1);
            set_states(&b);
        }
        run_step(&a, w, t, 1);
        if (t >= w->washout) {
            double square = 0;
            run_step(&b, w, t, 1), states(&a), states(&b);
            for (int64_t i = 0; i < a.numbers; i++) square += (a.state[i] - b.state[i]) * (a.state[i] - b.state[i]);
            const double now = sqrt(square);
            if (now == 0) {
                sum = -INFINITY, n = 1;
                break;
            }
            if (t >= w->washout + (w->steps - w->washout) / 10) sum += log(now / apart), n++;
            for (int64_t i = 0; i < a.numbers; i++) b.state[i] = a.state[i] + (b.state[i] - a.state[i]) * (apart / now);
            set_states(&b);
        }
        st = stopped(w, err);
    }
    *exponent = n > 0 ? sum / n : NAN;
    runs_free(&a), runs_free(&b);
    return st;
}

/* ---- memory capacity ---- */
laco_status property_memory(const property_wish *w, int64_t longest, double *curve, double *capacity, laco_error *err)
{
    echo e = { 0 };
    ridge *q = NULL;
    pool *p = NULL;
    ridge_result r;
    const int64_t T = w->steps;
    *capacity = 0;
    laco_status st = pool_new(&p, 1, err);
    const kernels *doubles;
    if (!st) st = kernels_choose(&doubles, REAL_DOUBLE, err);
    if (!st) st = echo_of(&e, w->n, doubles, p, err);
    const int64_t I = e.inputs, units = e.units;
    double *u = mem_new((size_t)(T * max64(1, I)), sizeof *u), *y = mem_new((size_t)(T * longest), sizeof *y),
           *x = mem_new((size_t)((T + longest) * max64(1, units)), sizeof *x), *b = mem_new((size_t)longest, sizeof *b);
    if (!st && (!u || !y || !x || !b)) st = fail_memory(err, (size_t)(T * (units + longest)) * sizeof *x);
    if (!st) {
        for (int64_t t = 0; t < T; t++)
            for (int64_t i = 0; i < I; i++) u[t * I + i] = i ? 0 : drawn(w, t, 0);
        for (int64_t t = 0; t < T; t++)
            for (int64_t k = 0; k < longest; k++) y[t * longest + k] = t > k ? u[(t - k - 1) * I] : 0;
        st = echo_units(&e, T, u, x, err);
    }
    if (!st) st = ridge_new(&q, units, longest, RIDGE_FREE_BIAS, e.n->k, p, err);
    if (!st) {
        double *weights = x + T * units, variance[2] = { 0 };
        ridge_add(q, T - w->washout, x + w->washout * units, units, y + w->washout * longest, longest);
        st = ridge_solve(q, 1e-9 * (double)T, weights, b, &r, err);
        for (int64_t k = 0; !st && k < longest; k++) {
            double sy = 0, sa = 0, yy = 0, aa = 0, ya = 0, n = (double)(T - w->washout);
            for (int64_t t = w->washout; t < T; t++) {
                double a = b[k];
                for (int64_t i = 0; i < units; i++) a += weights[k * units + i] * x[t * units + i];
                const double v = y[t * longest + k];
                sy += v, sa += a, yy += v * v, aa += a * a, ya += v * a;
            }
            variance[0] = yy - sy * sy / n, variance[1] = aa - sa * sa / n;
            const double c = ya - sy * sa / n, one = variance[0] > 0 && variance[1] > 0 ? c * c / variance[0] / variance[1] : 0;
            *capacity += one;
            if (curve) curve[k] = one;
        }
    }
    ridge_free(q), echo_free(&e), pool_free(p), mem_free(u), mem_free(y), mem_free(x), mem_free(b);
    return st;
}

/* ---- ranks ---- of the states after as many streams as there are units */
enum { STREAM = 60, ALIKE = 10, MOST_RANK = 400 };
static laco_status rank_of(const property_wish *w, bool alike, int64_t *rank, laco_error *err)
{
    runs r;
    laco_status st = runs_new(&r, w->n, 1, err);
    if (st) return st;
    const int64_t m = min64(r.numbers, MOST_RANK), n = r.numbers;
    double *a = mem_new((size_t)(m * n + m * m + m), sizeof *a), *square = a ? a + m * n : NULL, *s = a ? square + m * m : NULL;
    if (!a) return runs_free(&r), fail_memory(err, (size_t)(m * n) * sizeof *a);
    for (int64_t i = 0; !st && i < m; i++) {
        net_state_init(w->n, r.s, 1);
        for (int64_t t = 0; t < STREAM; t++) {
            const bool same = alike && t >= STREAM - ALIKE;
            property_wish one = *w;
            one.input = NULL, one.seed = w->seed + (same ? 0 : (uint64_t)(i + 1) << 32);
            run_step(&r, &one, t, 1);
        }
        states(&r), memcpy(a + i * n, r.state, (size_t)n * sizeof *a), st = stopped(w, err);
    }
    for (int64_t i = 0; !st && i < m; i++)
        for (int64_t j = 0; j < m; j++) {
            square[i * m + j] = 0;
            for (int64_t k = 0; k < n; k++) square[i * m + j] += a[i * n + k] * a[j * n + k];
        }
    if (!st) singular_values(m, square, s);
    *rank = 0;
    for (int64_t i = 0; !st && i < m; i++) *rank += s[i] > 1e-12 * s[0];
    mem_free(a), runs_free(&r);
    return st;
}
laco_status property_ranks(const property_wish *w, int64_t *kernel, int64_t *generalisation, laco_error *err)
{
    laco_status st = rank_of(w, false, kernel, err);
    return st ? st : rank_of(w, true, generalisation, err);
}
