#include "layer/reservoir.h"
#include "base/rng.h"
#include "math/eigen.h"
#include <math.h>

#define REWIRED 0.1

static int64_t group_begin(const layer_spec *s, int64_t g) { return g * s->units / s->groups; }
static int64_t group_of(const layer_spec *s, int64_t unit)
{
    int64_t g = unit * s->groups / s->units;
    while (group_begin(s, g) > unit) g--;
    while (group_begin(s, g + 1) <= unit) g++;
    return g;
}
static bool one_before(const layer_spec *s)
{
    return s->topology == RESERVOIR_RING || s->topology == RESERVOIR_CYCLE || s->topology == RESERVOIR_DELAY_LINE;
}
int64_t reservoir_degree(const layer_spec *s)
{
    const int64_t smallest = s->units / s->groups;
    if (one_before(s)) return 1;
    return min64(smallest, max64(1, (int64_t)floor(s->density * (double)smallest + 0.5)));
}

/* ---- which units read which ---- a function of the seed and the unit alone */
static double draw(const layer_spec *s, int64_t unit, int64_t k)
{
    return rng_uniform((uint64_t)s->drawing, RNG_TOPOLOGY, (uint64_t)unit << 24 | (uint64_t)k);
}
/* k of n numbers, all sets alike (Floyd; Bentley & Floyd 1987), marked in set[n]; unit: counts draws apart. */
static void draw_set(const layer_spec *s, int64_t unit, int64_t n, int64_t k, unsigned char *set)
{
    memset(set, 0, (size_t)n);
    for (int64_t j = n - k; j < n; j++) {
        int64_t t = (int64_t)(draw(s, unit, j) * (double)(j + 1));
        set[set[t] ? j : t] = 1;
    }
}
static void list_set(const unsigned char *set, int64_t n, int64_t first, int32_t *to)
{
    for (int64_t c = 0; c < n; c++)
        if (set[c]) *to++ = (int32_t)(first + c);
}
/* The K nearest on the ring of the group, each replaced with probability REWIRED by a unit not read yet. */
static void draw_neighbours(const layer_spec *s, int64_t unit, int64_t first, int64_t n, int64_t k, unsigned char *set)
{
    memset(set, 0, (size_t)n);
    for (int64_t j = 0; j < k; j++) {
        int64_t away = j / 2 + 1, c = (unit - first + n + (j % 2 ? away : -away) % n) % n;
        for (int64_t tries = 0; draw(s, unit, 2 * j) < REWIRED && tries < n; tries++) {
            int64_t other = (int64_t)(draw(s, unit, 2 * j + 1) * (double)n);
            c = (other + tries) % n;
            if (!set[c]) break;
        }
        while (set[c]) c = (c + 1) % n;
        set[c] = 1;
    }
}
static void list_columns(const layer_spec *s, int32_t *column, unsigned char *set)
{
    const int64_t N = s->units, K = reservoir_degree(s);
    for (int64_t i = 0; i < N; i++) {
        const int64_t g = group_of(s, i), first = group_begin(s, g), n = group_begin(s, g + 1) - first;
        int32_t *to = column + i * K;
        if (one_before(s))
            *to = (int32_t)(i > first ? i - 1 : first + n - 1);
        else if (s->topology == RESERVOIR_SMALL_WORLD)
            draw_neighbours(s, i, first, n, K, set), list_set(set, n, first, to);
        else if (s->topology == RESERVOIR_BLOCKS) {
            const int64_t lane = (i - first) % RESERVOIR_NEIGHBOURS, places = n - min64(n, RESERVOIR_NEIGHBOURS) + 1;
            draw_set(s, i - lane, places, K, set), list_set(set, places, first + lane, to);
        } else
            draw_set(s, i, n, K, set), list_set(set, n, first, to);
    }
}
int32_t *reservoir_columns(const layer_spec *s)
{
    int32_t *column = mem_new((size_t)(s->units * reservoir_degree(s)), sizeof *column);
    unsigned char *set = mem_new((size_t)s->units, 1);
    if (column && set)
        list_columns(s, column, set);
    else
        mem_free(column), column = NULL;
    mem_free(set);
    return column;
}

/* ---- weights ---- */
static double draw_weight(int kind, uint64_t seed, int64_t i)
{
    if (kind == RESERVOIR_NORMAL) return rng_normal(seed, RNG_RESERVOIR, (uint64_t)i);
    const double u = 2 * rng_uniform(seed, RNG_RESERVOIR, (uint64_t)i) - 1;
    return kind == RESERVOIR_BERNOULLI ? (u < 0 ? -1 : 1) : u;
}
typedef struct part { /* of W: the units of a group */
    const double *w, *leak;
    const int32_t *column;
    int64_t first, n, K;
} part;
static void apply(void *ctx, const double *x, double *y)
{
    const part *p = ctx;
    for (int64_t i = 0; i < p->n; i++) {
        const int64_t unit = p->first + i;
        const double *w = p->w + unit * p->K, a = p->leak ? p->leak[unit] : 1;
        const int32_t *c = p->column + unit * p->K;
        double sum = 0;
        for (int64_t k = 0; k < p->K; k++) sum += w[k] * x[c[k] - p->first];
        y[i] = (1 - a) * x[i] + a * sum;
    }
}
static laco_status scale_group(const layer_spec *s, double *w, const int32_t *column, int64_t g, laco_error *err)
{
    part p = { .w = w, .column = column, .first = group_begin(s, g), .K = reservoir_degree(s) };
    p.n = group_begin(s, g + 1) - p.first;
    double radius, *from = w + p.first * p.K;
    laco_status st = eigen_radius(&radius, p.n, apply, &p, err);
    if (st) return st;
    if (!(radius > 0) && s->radius > 0)
        return fail(err, LACO_ENUMERIC, -1,
                    "reservoir: the weights drawn between %lld units have the spectral radius 0, which cannot be scaled to %g; "
                    "give another seed or a larger density",
                    (long long)p.n, s->radius);
    for (int64_t i = 0; i < p.n * p.K; i++) from[i] *= s->radius > 0 ? s->radius / radius : 0;
    return LACO_OK;
}
/* |w1 w2 … wn|^(1/n) is the size of all eigenvalues of a ring. */
static void scale_ring(const layer_spec *s, double *w, int64_t g)
{
    const int64_t first = group_begin(s, g), end = group_begin(s, g + 1);
    double sum = 0;
    for (int64_t i = first; i < end; i++) sum += log(fabs(w[i]));
    const double scale = s->radius / exp(sum / (double)(end - first));
    for (int64_t i = first; i < end; i++) w[i] *= scale;
}
static laco_status draw_hidden(const layer_spec *s, uint64_t seed, int64_t at, double *w, laco_error *err)
{
    const int64_t N = s->units, K = reservoir_degree(s);
    int32_t *column = reservoir_columns(s);
    laco_status st = LACO_OK;
    if (!column) return fail_memory(err, (size_t)(N * K) * sizeof *column);
    for (int64_t i = 0; i < N * K; i++)
        w[i] = one_before(s) && s->topology != RESERVOIR_RING ? s->radius : draw_weight(s->weights, seed, at + i);
    for (int64_t g = 0; !st && g < s->groups; g++)
        if (s->topology == RESERVOIR_DELAY_LINE)
            w[group_begin(s, g)] = 0;
        else if (s->topology == RESERVOIR_RING)
            scale_ring(s, w, g);
        else if (s->topology != RESERVOIR_CYCLE)
            st = scale_group(s, w, column, g, err);
    mem_free(column);
    return st;
}
laco_status reservoir_draw(const layer_spec *s, uint64_t seed, double *to, laco_error *err)
{
    const int64_t N = s->units, K = reservoir_degree(s), in = N * s->in;
    const int signs = s->topology == RESERVOIR_CYCLE || s->topology == RESERVOIR_DELAY_LINE ? RESERVOIR_BERNOULLI : s->weights;
    double *hidden = to + in, *bias = hidden + N * K, *leak = bias + N;
    seed += (uint64_t)s->index << 48;
    for (int64_t i = 0; i < in; i++) to[i] = s->input_scale * draw_weight(signs, seed, i);
    for (int64_t i = 0; i < N; i++) bias[i] = s->bias_scale * draw_weight(s->weights, seed, in + N * K + i);
    for (int64_t i = 0; i < N; i++) {
        const double last = (double)((s->groups > 1 ? s->groups : N) - 1),
                     at = (double)(s->groups > 1 ? group_of(s, i) : i);
        leak[i] = last > 0 ? s->leak[0] * pow(s->leak[1] / s->leak[0], at / last) : s->leak[0];
    }
    return draw_hidden(s, seed, in, hidden, err);
}
/* Of a group whose units read one each, round a ring: diag(1 - a) and the numbers a w beside it, which a diagonal
   similarity brings to one size, their geometric mean. A zero among them leaves a triangle. */
static laco_status ring_radius(const part *p, double *radius, laco_error *err)
{
    const double *w = p->w + p->first, *leak = p->leak ? p->leak + p->first : NULL;
    double sum = 0, slowest = 0, *level = NULL;
    bool alike = true, negative = false;
    for (int64_t i = 0; i < p->n; i++) {
        const double a = leak ? leak[i] : 1, beside = a * w[i];
        sum += log(fabs(beside)), negative ^= beside < 0;
        slowest = fmax(slowest, 1 - a), alike &= a == (leak ? leak[0] : 1);
    }
    const double size = exp(sum / (double)p->n), angle = negative ? M_PI / (double)p->n : 0;
    *radius = slowest;
    if (!(size > 0)) return LACO_OK;
    if (alike) { /* the eigenvalue with the largest real part; the others are as many n-th parts of a turn further */
        *radius = hypot(slowest + size * cos(angle), size * sin(angle));
        return LACO_OK;
    }
    int32_t *column = mem_new((size_t)p->n, sizeof *column);
    laco_status st = column && (level = mem_new((size_t)p->n, sizeof *level)) ? LACO_OK : fail_memory(err, (size_t)p->n * 12);
    for (int64_t i = 0; !st && i < p->n; i++) {
        column[i] = (int32_t)(i ? i - 1 : p->n - 1);
        level[i] = (i || !negative ? size : -size) / leak[i];
    }
    part q = { .w = level, .leak = leak, .column = column, .n = p->n, .K = 1 };
    if (!st) st = eigen_radius(radius, p->n, apply, &q, err);
    mem_free(column), mem_free(level);
    return st;
}
laco_status reservoir_radius(const layer_spec *s, const double *weight_hh, const double *leak, double *radius,
                             laco_error *err)
{
    int32_t *column = reservoir_columns(s);
    laco_status st = LACO_OK;
    if (!column) return fail_memory(err, (size_t)s->units * sizeof *column);
    part p = { .w = weight_hh, .leak = leak, .column = column, .n = s->units, .K = reservoir_degree(s) };
    *radius = 0;
    for (int64_t g = 0; one_before(s) && !st && g < s->groups; g++) {
        double of_group = 0;
        p.first = group_begin(s, g), p.n = group_begin(s, g + 1) - p.first;
        st = ring_radius(&p, &of_group, err), *radius = fmax(*radius, of_group);
    }
    if (!one_before(s)) st = eigen_radius(radius, p.n, apply, &p, err);
    mem_free(column);
    return st;
}
