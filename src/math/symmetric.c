#include "math/symmetric.h"
#include <float.h>
#include <math.h>

typedef struct turn { /* of rows i and i + 1 */
    double c, s;
    int64_t i;
} turn;
struct symmetric {
    int64_t n, turns, room;
    double *a; /* column k below k + 1: the k-th reflection 1 - beta v v^T, v of n */
    double *value, *beside, *beta, *work;
    turn *turn;
    pool *pool;
    /* of the reflection in progress */
    const double *v;
    double *p, *last_v, *last_w; /* A v; what the reflection before takes away, NULL: nothing */
    int64_t from;
};

/* Rows of the part of A below and right of `from`: takes v w^T + w v^T of the last reflection away, and makes A v. */
enum { ROWS = 32 };
static void rows_task(void *ctx, int64_t task, int thread)
{
    symmetric *s = ctx;
    const int64_t n = s->n, from = s->from;
    const double *v = s->v, *lv = s->last_v, *lw = s->last_w;
    (void)thread;
    for (int64_t i = from + task * ROWS; i < min64(n, from + (task + 1) * ROWS); i++) {
        double *row = s->a + i * n, sum[8] = { 0 };
        const double x = lv[i], y = lw[i];
        int64_t j = from;
        for (; j + 8 <= n; j += 8)
            for (int k = 0; k < 8; k++) row[j + k] -= x * lw[j + k] + y * lv[j + k], sum[k] += row[j + k] * v[j + k];
        for (; j < n; j++) row[j] -= x * lw[j] + y * lv[j], sum[0] += row[j] * v[j];
        s->p[i] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    }
}
/* The reflection that makes x[1 .. n) zero but for its first: v, of size about 1, in place, beta; returns what becomes of
   the first. */
static double reflection(int64_t n, double *x, double *beta)
{
    double square = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(x[i]));
    *beta = 0;
    if (n < 2 || largest == 0) return n ? x[0] : 0;
    for (int64_t i = 0; i < n; i++) x[i] /= largest, square += x[i] * x[i];
    const double to = x[0] > 0 ? -sqrt(square) : sqrt(square);
    double v2 = 0;
    x[0] -= to;
    for (int64_t i = 0; i < n; i++) v2 += x[i] * x[i];
    *beta = 2 / v2;
    return largest * to;
}
static laco_status tridiagonal(symmetric *s, const volatile int *stop, laco_error *err)
{
    const int64_t n = s->n;
    double *a = s->a, *v = s->work, *w = v + n, *p = w + n, *column = p + n;
    memset(v, 0, (size_t)(2 * n) * sizeof *v);
    s->p = p, s->last_v = v, s->last_w = w;
    for (int64_t k = 0; k + 1 < n; k++) {
        const int64_t m = n - k - 1;
        if (stop && *stop) return fail(err, LACO_ESTOPPED, -1, "stopped");
        for (int64_t i = k; i < n; i++) column[i] = a[i * n + k] - v[i] * w[k] - w[i] * v[k];
        s->value[k] = column[k];
        s->beside[k] = reflection(m, column + k + 1, &s->beta[k]);
        s->from = k + 1, s->v = column;
        pool_run(s->pool, ceil_div(m, ROWS), rows_task, s);
        double half = 0;
        for (int64_t i = k + 1; i < n; i++) half += column[i] * p[i];
        half *= s->beta[k] * s->beta[k] / 2;
        for (int64_t i = k + 1; i < n; i++) w[i] = s->beta[k] * p[i] - half * column[i], v[i] = column[i];
        for (int64_t i = k + 1; i < n; i++) a[k * n + i] = column[i]; /* row k is not read any more */
    }
    s->value[n - 1] = a[n * n - 1] - 2 * v[n - 1] * w[n - 1];
    s->beside[n - 1] = 0;
    return LACO_OK;
}
static laco_status keep_turn(symmetric *s, double c, double sine, int64_t i, laco_error *err)
{
    if (s->turns == s->room) {
        const int64_t room = s->room ? 2 * s->room : 4 * s->n + 16;
        turn *more = mem_new((size_t)room, sizeof *more);
        if (!more) return fail_memory(err, (size_t)room * sizeof *more);
        if (s->turns) memcpy(more, s->turn, (size_t)s->turns * sizeof *more);
        mem_free(s->turn), s->turn = more, s->room = room;
    }
    s->turn[s->turns++] = (turn){ c, sine, i };
    return LACO_OK;
}
/* One sweep of implicit QL from row m up to row l with the shift of Wilkinson. */
static laco_status sweep(symmetric *s, int64_t l, int64_t m, laco_error *err)
{
    double *d = s->value, *e = s->beside, g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1), p = 0, c = 1, sine = 1;
    g = d[m] - d[l] + e[l] / (g + (g >= 0 ? fabs(r) : -fabs(r)));
    int64_t i;
    for (i = m - 1; i >= l; i--) {
        const double f = sine * e[i], b = c * e[i];
        e[i + 1] = r = hypot(f, g);
        if (r == 0) {
            d[i + 1] -= p, e[m] = 0;
            return LACO_OK;
        }
        sine = f / r, c = g / r, g = d[i + 1] - p, r = (d[i] - g) * sine + 2 * c * b, p = sine * r;
        d[i + 1] = g + p, g = c * r - b;
        laco_status st = keep_turn(s, c, sine, i, err);
        if (st) return st;
    }
    d[l] -= p, e[l] = g, e[m] = 0;
    return LACO_OK;
}
static laco_status diagonal(symmetric *s, laco_error *err)
{
    const int64_t n = s->n;
    double norm = 0;
    for (int64_t i = 0; i < n; i++) norm = fmax(norm, fabs(s->value[i]) + fabs(s->beside[i]));
    for (int64_t l = 0; l < n; l++)
        for (int tries = 0;; tries++) {
            int64_t m = l;
            for (; m + 1 < n; m++)
                if (fabs(s->beside[m]) <= DBL_EPSILON / 2 * norm) break;
            if (m == l) break;
            if (tries > 60 || !isfinite(s->value[l]))
                return fail(err, LACO_ENUMERIC, -1, "the eigenvalues of a symmetric matrix of %lld rows were not found",
                            (long long)n);
            laco_status st = sweep(s, l, m, err);
            if (st) return st;
        }
    return LACO_OK;
}
laco_status symmetric_new(symmetric **out, int64_t n, double *a, pool *p, const volatile int *stop, laco_error *err)
{
    symmetric *s = *out = mem_new(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s);
    s->n = n, s->a = a, s->pool = p;
    s->value = mem_new((size_t)n, sizeof(double)), s->beside = mem_new((size_t)n, sizeof(double));
    s->beta = mem_new((size_t)n, sizeof(double)), s->work = mem_new((size_t)(4 * n), sizeof(double));
    laco_status st = s->value && s->beside && s->beta && s->work ? tridiagonal(s, stop, err)
                                                                 : fail_memory(err, (size_t)n * sizeof(double));
    if (!st) st = diagonal(s, err);
    if (st) symmetric_free(s), *out = NULL;
    return st;
}
void symmetric_free(symmetric *s)
{
    if (s) mem_free(s->value), mem_free(s->beside), mem_free(s->beta), mem_free(s->work), mem_free(s->turn);
    mem_free(s);
}
const double *symmetric_values(const symmetric *s) { return s->value; }
static void reflect(const symmetric *s, int64_t k, double *x)
{
    const double *v = s->a + k * s->n;
    double sum = 0;
    for (int64_t i = k + 1; i < s->n; i++) sum += v[i] * x[i];
    sum *= s->beta[k];
    for (int64_t i = k + 1; i < s->n; i++) x[i] -= sum * v[i];
}
void symmetric_to(const symmetric *s, double *x)
{
    for (int64_t k = 0; k + 1 < s->n; k++) reflect(s, k, x);
    for (int64_t t = 0; t < s->turns; t++) {
        const turn *q = &s->turn[t];
        const double f = x[q->i + 1], g = x[q->i];
        x[q->i + 1] = q->s * g + q->c * f, x[q->i] = q->c * g - q->s * f;
    }
}
void symmetric_from(const symmetric *s, double *x)
{
    for (int64_t t = s->turns - 1; t >= 0; t--) {
        const turn *q = &s->turn[t];
        const double f = x[q->i + 1], g = x[q->i];
        x[q->i + 1] = q->c * f - q->s * g, x[q->i] = q->s * f + q->c * g;
    }
    for (int64_t k = s->n - 2; k >= 0; k--) reflect(s, k, x);
}
