/* The golden cases of echo state networks: states of a dense leaky reservoir, ridge regression on [1, u, x] with the bias
   penalised and free, what it answers, and its error. The states of a float build are too coarse for the weights: those
   are compared in double alone. */
#include "check/golden_esn.h"
#include "check/golden_fetch.h"
#include "reservoir/echo.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct esn_case {
    safetensors *file;
    const kernels *k;
    pool *pool;
    laco_error *err;
    int64_t T, I, N, O, washout;
    double leak, lambda, *u, *y, *w, *x;
    echo e;
} esn_case;

bool golden_is_esn(const safetensors *file) { return st_find(file, "W_out_free_bias") && st_find(file, "W_in"); }

static double number(const esn_case *g, const char *key)
{
    const char *text = st_metadata(g->file, key);
    return text ? strtod(text, NULL) : NAN;
}
static laco_status read_sizes(esn_case *g)
{
    const st_tensor *u = st_find(g->file, "input"), *w = st_find(g->file, "W"), *y = st_find(g->file, "target");
    if (!u || u->rank != 2 || !w || w->rank != 2 || !y || y->rank != 2 || u->shape[0] != y->shape[0] || w->shape[0] > 1 << 10 || !w->shape[0])
        return fail(g->err, LACO_EFORMAT, -1, "\"input\" must be [T][I], \"W\" [N][N] and \"target\" [T][O]");
    g->T = u->shape[0], g->I = u->shape[1], g->N = w->shape[0], g->O = y->shape[1];
    g->leak = number(g, "leak"), g->lambda = number(g, "ridge");
    const double washout = number(g, "washout");
    if (!(g->leak > 0 && g->leak <= 1 && g->lambda >= 0 && washout >= 0 && washout < (double)g->T))
        return fail(g->err, LACO_EFORMAT, -1, "leak, ridge or washout of the case is missing");
    return g->washout = (int64_t)washout, LACO_OK;
}
/* W_in of the case is [N][1 + I]: the first column is the bias. */
static laco_status make(esn_case *g)
{
    char text[128];
    double *w = golden_fetch(g->file, "W", g->N * g->N, g->err),
           *in = golden_fetch(g->file, "W_in", g->N * (g->I + 1), g->err);
    snprintf(text, sizeof text, "reservoir %lld density 1 radius 0 leak %.17g direct; dense", (long long)g->N, g->leak);
    laco_status st = w && in ? echo_new(&g->e, text, g->I, g->O, 1, g->k, g->pool, g->err) : LACO_EFORMAT;
    for (int64_t i = 0; !st && i < g->N * g->I; i++) net_set(g->e.n, i, in[i / g->I * (g->I + 1) + 1 + i % g->I]);
    for (int64_t i = 0; !st && i < g->N * g->N; i++) net_set(g->e.n, g->N * g->I + i, w[i]);
    for (int64_t i = 0; !st && i < g->N; i++) net_set(g->e.n, g->N * (g->I + g->N) + i, in[i * (g->I + 1)]);
    mem_free(w), mem_free(in);
    return st;
}
static laco_status same(const esn_case *g, const char *name, const double *x, int64_t n, double tolerance)
{
    double *want = golden_fetch(g->file, name, n, g->err), most = 1;
    if (!want) return LACO_EFORMAT;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(want[i]));
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i < n; i++)
        if (!(fabs(x[i] - want[i]) <= tolerance * most))
            st = fail(g->err, LACO_ENUMERIC, i, "%s[%lld] is %.15g, not %.15g", name, (long long)i, x[i], want[i]);
    mem_free(want);
    return st;
}
/* w [O][N + I] and b as rows of [1, u, x] */
static void in_order(const esn_case *g, const double *w, const double *b, double *to)
{
    const int64_t F = g->N + g->I;
    for (int64_t k = 0; k < g->O; k++, to += F + 1) {
        to[0] = b[k];
        memcpy(to + 1, w + k * F + g->N, (size_t)g->I * sizeof *to), memcpy(to + 1 + g->I, w + k * F, (size_t)g->N * sizeof *to);
    }
}
static laco_status compare_readout(esn_case *g, int bias, const char *weights, const char *answers)
{
    const int64_t F = g->N + g->I, rows = g->T - g->washout;
    const bool exact = g->k->real_size == sizeof(double);
    ridge *r = NULL;
    ridge_result out;
    double *w = mem_new((size_t)(g->O * (F + 1) * 2 + g->O + g->T * g->O), sizeof *w), *b = w + g->O * F, *ordered = b + g->O,
           *answer = ordered + g->O * (F + 1), mse[64] = { 0 };
    laco_status st = w ? ridge_new(&r, F, g->O, bias, g->k, g->pool, g->err) : fail_memory(g->err, (size_t)F);
    if (!st) st = echo_gather(&g->e, g->T, g->u, g->y, g->washout, r, g->err);
    if (!st) st = ridge_solve(r, g->lambda, w, b, &out, g->err);
    if (!st) in_order(g, w, b, ordered);
    if (!st && exact) st = same(g, weights, ordered, g->O * (F + 1), 1e-8);
    if (!st) echo_set(&g->e, w, b), st = echo_ready(&g->e, g->err);
    for (int64_t t = 0; !st && t < g->T; t++) {
        echo_step(&g->e, g->u + t * g->I, answer + t * g->O);
        for (int64_t k = 0; t >= g->washout && k < g->O; k++) {
            const double e = answer[t * g->O + k] - g->y[t * g->O + k];
            mse[k] += e * e / (double)rows;
        }
    }
    if (!st) st = same(g, answers, answer + g->washout * g->O, rows * g->O, exact ? 1e-9 : 1e-3);
    if (!st && bias == RIDGE_BIAS) st = same(g, "mse", mse, g->O, exact ? 1e-10 : 1e-3);
    ridge_free(r), mem_free(w);
    return st;
}
static laco_status compare(esn_case *g)
{
    const int64_t F = g->N + g->I;
    g->x = mem_new((size_t)(g->T * F), sizeof *g->x);
    double *states = mem_new((size_t)(g->T * g->N), sizeof *states);
    laco_status st = g->x && states ? echo_units(&g->e, g->T, g->u, g->x, g->err) : fail_memory(g->err, (size_t)(g->T * F) * 8);
    for (int64_t t = 0; !st && t < g->T; t++) memcpy(states + t * g->N, g->x + t * F, (size_t)g->N * sizeof *states);
    if (!st) st = same(g, "states", states, g->T * g->N, g->k->real_size == sizeof(double) ? 1e-12 : 1e-5);
    if (!st) st = compare_readout(g, RIDGE_BIAS, "W_out", "prediction");
    if (!st) st = compare_readout(g, RIDGE_FREE_BIAS, "W_out_free_bias", "prediction_free_bias");
    mem_free(g->x), mem_free(states);
    return st;
}
laco_status golden_esn(safetensors *file, const kernels *k, pool *p, laco_error *err)
{
    esn_case g = { .file = file, .k = k, .pool = p, .err = err };
    laco_status st = read_sizes(&g);
    if (!st && g.O > 64) st = fail(err, LACO_EFORMAT, -1, "more than 64 targets");
    if (!st && (!(g.u = golden_fetch(g.file, "input", g.T * g.I, err)) ||
                !(g.y = golden_fetch(g.file, "target", g.T * g.O, err))))
        st = LACO_EFORMAT;
    if (!st) st = make(&g);
    if (!st) st = compare(&g);
    echo_free(&g.e), mem_free(g.u), mem_free(g.y);
    return st;
}
