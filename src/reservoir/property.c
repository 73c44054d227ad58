/* Runs of streams side by side, step by step, on a copy of the network in double that ends where its units are. */
#include "reservoir/property.h"
#include "base/rng.h"
#include "math/dot.h"
#include "reservoir/ridge.h"
#include <math.h>

typedef struct runs {
    const property_wish *w;
    net *n;
    net_state *s;
    int64_t streams, numbers, units; /* numbers: of the states of a stream */
    double *x, *y, *state;           /* [streams][inputs], [streams][units], [streams][numbers] */
} runs;
static void runs_free(runs *r)
{
    net_free(r->n), mem_free(r->s), mem_free(r->x), mem_free(r->y), mem_free(r->state);
    *r = (runs){ 0 };
}
static laco_status copy_network(runs *r, const net *from, laco_error *err)
{
    const kernels *k;
    net_description d = from->d;
    if (from->symbols || !net_steps(from))
        return fail(err, LACO_EINVAL, -1, "memory is measured on networks that read numbers, forwards in time");
    if (d.layers > 1) d.layers--, d.tied = false;
    laco_status st = kernels_choose(&k, REAL_DOUBLE, err);
    if (!st) st = net_new(&r->n, &d, from->inputs, k, from->pool, err);
    for (int64_t i = 0; !st && i < r->n->params; i++) net_set(r->n, i, net_get(from, i));
    return st ? st : net_load(r->n, false, true, err);
}
static laco_status runs_new(runs *r, const property_wish *w, int64_t streams, laco_error *err)
{
    *r = (runs){ .w = w, .streams = streams };
    laco_status st = copy_network(r, w->n, err);
    if (st) return runs_free(r), st;
    const size_t bytes = net_state_bytes(r->n, streams), n = (size_t)streams;
    r->numbers = net_state_numbers(r->n, 1), r->units = r->n->outputs;
    r->s = bytes ? mem_new(bytes, 1) : NULL, r->x = mem_new(n * (size_t)r->n->inputs, sizeof(double));
    r->y = mem_new(n * (size_t)r->units, sizeof(double)), r->state = mem_new(n * (size_t)r->numbers, sizeof(double));
    if (!r->s || !r->x || !r->y || !r->state) return runs_free(r), fail_memory(err, bytes);
    net_state_init(r->n, r->s, streams);
    return LACO_OK;
}
static void runs_clear(runs *r) { net_state_init(r->n, r->s, r->streams); }

/* ---- numbers that are drawn ---- uniform in +-1 */
enum { DRAWN_INPUT, DRAWN_STATE, DRAWN_DISTANCE };
static double drawn(const property_wish *w, int what, int64_t stream, int64_t at)
{
    return 2 * rng_uniform(w->seed + ((uint64_t)what << 48) + ((uint64_t)stream << 32), RNG_DATA, (uint64_t)at) - 1;
}
static double drawn_input(const runs *r, int64_t stream, int64_t t, int64_t i)
{
    return drawn(r->w, DRAWN_INPUT, stream, t * r->n->inputs + i);
}
double property_input(const property_wish *w, int64_t t, int64_t i)
{
    return drawn(w, DRAWN_INPUT, 0, t * w->n->inputs + i);
}
/* A step of all streams on one input. */
static laco_status step_alike(runs *r, int64_t t, laco_error *err)
{
    const int64_t I = r->n->inputs;
    if (r->w->stop && *r->w->stop) return fail(err, LACO_ESTOPPED, -1, "stopped while a reservoir was measured");
    for (int64_t b = 0; b < r->streams; b++)
        for (int64_t i = 0; i < I; i++)
            r->x[b * I + i] = r->w->input ? r->w->input[t * I + i] : property_input(r->w, t, i);
    net_step(r->n, r->s, 1, r->streams, r->x, r->y);
    return LACO_OK;
}
/* How far stream b is from the first. */
static double distance(const runs *r, int64_t b)
{
    double square = 0;
    for (int64_t i = 0; i < r->numbers; i++) {
        const double d = r->state[b * r->numbers + i] - r->state[i];
        square += d * d;
    }
    return sqrt(square);
}
static laco_status not_finite(int64_t t, laco_error *err)
{
    return fail(err, LACO_ENUMERIC, t,
                "the states of the network are not finite any more after step %lld; give a smaller radius, or tanh",
                (long long)t + 1);
}

/* ---- forgetting ---- */
enum { STARTS = 8 };
#define FORGOTTEN 1e-6
laco_status property_forgetting(const property_wish *w, int64_t *steps, laco_error *err)
{
    runs r;
    double begin[STARTS];
    int64_t last = 0; /* the steps until which they differ */
    *steps = -1;
    laco_status st = runs_new(&r, w, STARTS, err);
    if (st) return st;
    for (int64_t b = 0; b < STARTS; b++)
        for (int64_t i = 0; i < r.numbers; i++) r.state[b * r.numbers + i] = drawn(w, DRAWN_STATE, b, i);
    for (int64_t b = 1; b < STARTS; b++) begin[b] = distance(&r, b);
    net_state_put(r.n, r.s, r.state);
    for (int64_t t = 0; !st && t < w->steps; t++) {
        if ((st = step_alike(&r, t, err))) break;
        net_state_get(r.n, r.s, r.state);
        for (int64_t b = 1; b < STARTS; b++) {
            const double d = distance(&r, b);
            if (!isfinite(d)) st = not_finite(t, err);
            if (!(d < FORGOTTEN * begin[b])) last = t + 1;
        }
    }
    if (!st && (last < w->steps || !r.numbers)) *steps = r.numbers ? last + 1 : 0;
    runs_free(&r);
    return st;
}

/* ---- the largest Lyapunov exponent ---- */
#define APART 1e-8
/* Stream 1 to the distance APART from stream 0; of a first time, in a direction that is drawn. */
static void bring_near(runs *r, double now)
{
    double *a = r->state, *b = a + r->numbers;
    for (int64_t i = 0; i < r->numbers; i++) {
        const double way =
            now > 0 ? (b[i] - a[i]) / now : drawn(r->w, DRAWN_DISTANCE, 0, i) / sqrt((double)r->numbers / 3);
        b[i] = a[i] + APART * way;
    }
    net_state_put(r->n, r->s, r->state);
}
laco_status property_lyapunov(const property_wish *w, double *exponent, laco_error *err)
{
    runs r;
    double sum = 0, before = 0;
    const int64_t counted = w->washout + (w->steps - w->washout) / 10; /* before it the distance finds its direction */
    *exponent = NAN;
    laco_status st = runs_new(&r, w, 2, err);
    if (st) return st;
    if (w->steps <= counted || !r.numbers)
        st =
            fail(err, LACO_EINVAL, -1, "%lld steps are too few behind a washout of %lld to measure a Lyapunov exponent",
                 (long long)w->steps, (long long)w->washout);
    for (int64_t t = 0; !st && t < w->steps; t++) {
        if (t >= w->washout) {
            if (t == w->washout) net_state_get(r.n, r.s, r.state), before = 0;
            bring_near(&r, before), before = distance(&r, 1);
        }
        const double was = before;
        if ((st = step_alike(&r, t, err)) || t < w->washout) continue;
        net_state_get(r.n, r.s, r.state), before = distance(&r, 1);
        if (!isfinite(before)) st = not_finite(t, err);
        if (t >= counted) sum += log(before / was);
        if (before == 0) {
            sum = -INFINITY;
            break;
        }
    }
    if (!st) *exponent = sum / (double)(w->steps - counted);
    runs_free(&r);
    return st;
}

/* ---- memory capacity ---- */
typedef struct recall {
    runs r;
    ridge *q;
    int64_t longest, T, from, cut;            /* rows from .. cut are fitted, cut .. T are measured */
    double *past;                             /* [T] backwards: u(t-1), u(t-2) … from past + T - t on */
    double *w, *across, *b;                   /* [longest][units], turned [units][longest], [longest] */
    double *a, *sum_a, *sum_y, *aa, *yy, *ay; /* [longest] */
} recall;
static laco_status recall_new(recall *m, const property_wish *w, int64_t longest, laco_error *err)
{
    const kernels *k;
    *m = (recall){ .longest = longest, .T = w->steps, .from = max64(w->washout, longest) };
    m->cut = m->from + 2 * (m->T - m->from) / 3;
    if (longest < 1 || m->T - m->cut < 10)
        return fail(err, LACO_EINVAL, -1,
                    "%lld steps are too few to measure a memory of %lld steps behind a washout of %lld",
                    (long long)m->T, (long long)longest, (long long)w->washout);
    laco_status st = runs_new(&m->r, w, 1, err);
    if (!st) st = kernels_choose(&k, REAL_DOUBLE, err);
    if (!st) st = ridge_new(&m->q, m->r.units, longest, RIDGE_FREE_BIAS, k, w->n->pool, err);
    const size_t each = (size_t)longest, all = each * (size_t)max64(1, m->r.units);
    if (!st && (!(m->past = mem_new((size_t)m->T, sizeof(double))) || !(m->w = mem_new(2 * all, sizeof(double))) ||
                !(m->b = mem_new(7 * each, sizeof(double)))))
        st = fail_memory(err, 2 * all * sizeof(double));
    if (!st) m->across = m->w + all;
    double **rows[] = { &m->a, &m->sum_a, &m->sum_y, &m->aa, &m->yy, &m->ay };
    for (size_t i = 0; !st && i < 6; i++) *rows[i] = m->b + (i + 1) * each;
    return st;
}
/* What is recalled at a step that is measured, and its sums. */
static void recalled(recall *m, const double *y)
{
    memcpy(m->a, m->b, (size_t)m->longest * sizeof *m->a);
    for (int64_t i = 0; i < m->r.units; i++) {
        const double x = m->r.y[i], *across = m->across + i * m->longest;
        for (int64_t k = 0; k < m->longest; k++) m->a[k] += x * across[k];
    }
    for (int64_t k = 0; k < m->longest; k++) {
        m->sum_a[k] += m->a[k], m->sum_y[k] += y[k];
        m->aa[k] += m->a[k] * m->a[k], m->yy[k] += y[k] * y[k], m->ay[k] += m->a[k] * y[k];
    }
}
static laco_status recall_run(recall *m, laco_error *err)
{
    ridge_result solved;
    double square = 0;
    laco_status st = LACO_OK;
    for (int64_t t = 0; !st && t < m->T; t++) {
        if (t == m->cut) {
            st = ridge_solve(m->q, 1e-14 * square, m->w, m->b, &solved, err);
            for (int64_t k = 0; k < m->longest; k++)
                for (int64_t i = 0; i < m->r.units; i++) m->across[i * m->longest + k] = m->w[k * m->r.units + i];
        }
        if (!st) st = step_alike(&m->r, t, err);
        m->past[m->T - 1 - t] = m->r.x[0];
        if (st || t < m->from) continue;
        double now = 0;
        for (int64_t i = 0; i < m->r.units; i++) now += m->r.y[i] * m->r.y[i];
        if (!isfinite(now)) st = not_finite(t, err);
        if (!st && t < m->cut)
            square += now, ridge_add(m->q, 1, m->r.y, m->r.units, m->past + m->T - t, m->longest);
        else if (!st)
            recalled(m, m->past + m->T - t);
    }
    return st;
}
laco_status property_memory(const property_wish *w, int64_t longest, double *curve, double *capacity, laco_error *err)
{
    recall m;
    property_wish own = *w;
    own.input = NULL, *capacity = 0;
    laco_status st = recall_new(&m, &own, longest, err);
    if (!st) st = recall_run(&m, err);
    const double n = (double)(m.T - m.cut);
    for (int64_t k = 0; !st && k < longest; k++) {
        const double a = m.aa[k] - m.sum_a[k] * m.sum_a[k] / n, y = m.yy[k] - m.sum_y[k] * m.sum_y[k] / n,
                     ay = m.ay[k] - m.sum_a[k] * m.sum_y[k] / n,
                     squared = a > 0 && y > 0 && ay > 0 ? ay * ay / (a * y) : 0;
        *capacity += squared;
        if (curve) curve[k] = squared;
    }
    ridge_free(m.q), runs_free(&m.r), mem_free(m.past), mem_free(m.w), mem_free(m.b);
    return st;
}

/* ---- ranks ---- */
enum { RANK_NUMBERS = 1 << 22 }; /* of states at once */
#define RANK_LEAST 1e-6
/* Rows are made orthogonal, the largest of those that are left first (Gram & Schmidt with pivoting), until none is
   above RANK_LEAST of the first. a is destroyed; size [m]. */
static int64_t rank_of(int64_t m, int64_t n, double *a, double *size)
{
    double first = 0;
    for (int64_t rank = 0; rank < m; rank++) {
        int64_t best = rank;
        for (int64_t i = rank; i < m; i++) {
            size[i] = dot(n, a + i * n, a + i * n);
            if (size[i] > size[best]) best = i;
        }
        if (!rank) first = size[best];
        if (!(size[best] > RANK_LEAST * RANK_LEAST * first)) return rank;
        double *q = a + rank * n, *other = a + best * n;
        for (int64_t k = 0; k < n; k++) {
            const double x = q[k];
            q[k] = other[k] / sqrt(size[best]), other[k] = best == rank ? q[k] : x;
        }
        for (int64_t i = rank + 1; i < m; i++) {
            double *row = a + i * n;
            const double c = dot(n, q, row);
            for (int64_t k = 0; k < n; k++) row[k] -= c * q[k];
        }
    }
    return m;
}
static laco_status rank_after(runs *r, bool alike, double *size, int64_t *rank, laco_error *err)
{
    const int64_t I = r->n->inputs;
    runs_clear(r);
    for (int64_t t = 0; t < RANK_STEPS; t++) {
        if (r->w->stop && *r->w->stop) return fail(err, LACO_ESTOPPED, -1, "stopped while a reservoir was measured");
        for (int64_t b = 0; b < r->streams; b++)
            for (int64_t i = 0; i < I; i++)
                r->x[b * I + i] = drawn_input(r, alike && t >= RANK_STEPS - RANK_ALIKE ? 0 : b + 1, t, i);
        net_step(r->n, r->s, 1, r->streams, r->x, r->y);
    }
    for (int64_t i = 0; i < r->streams * r->units; i++)
        if (!isfinite(r->y[i])) return not_finite(RANK_STEPS - 1, err);
    *rank = rank_of(r->streams, r->units, r->y, size);
    return LACO_OK;
}
laco_status property_ranks(const property_wish *w, int64_t *kernel, int64_t *generalisation, int64_t *of,
                           laco_error *err)
{
    runs r;
    const net *n = w->n;
    const int64_t units = n->d.layers > 1 ? n->d.layer[n->d.layers - 1].in : n->outputs,
                  streams = max64(1, min64(min64(units, RANK_STREAMS), RANK_NUMBERS / max64(1, units)));
    laco_status st = runs_new(&r, w, streams, err);
    if (st) return st;
    double *size = mem_new((size_t)streams, sizeof *size);
    if (!size) st = fail_memory(err, (size_t)streams * sizeof *size);
    if (!st) st = rank_after(&r, false, size, kernel, err);
    if (!st) st = rank_after(&r, true, size, generalisation, err);
    if (of) *of = streams;
    mem_free(size), runs_free(&r);
    return st;
}
