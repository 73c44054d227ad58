/* Rows are gathered in a block [ROWS][x, 1, y]; its products with itself are added to the upper triangle of a matrix of
   square tiles, one task a tile. One lambda: A = U^T U by tiles, on a copy. Many: eigenvalues (math/symmetric.h). With
   A = V D V^T, z = V^T X^T y and a ridge l:

       w = V z / (D + l)      |residual|^2 = y^T y - sum z^2 / (D + l) - l sum z^2 / (D + l)^2      trace = sum D / (D + l)

   A free bias is taken out of the sums: those of x - mean(x), y - mean(y). */
#include "reservoir/ridge.h"
#include "math/symmetric.h"
#include <float.h>
#include <math.h>

enum { TILE = 48, TILE_SIZE = TILE * TILE, ROWS = 512 };
struct ridge {
    const kernels *k;         /* of the reals of the rows */
    const measure_ops *ops;   /* in double */
    pool *pool;
    int64_t features, targets, rows, waiting, D, tiles; /* D: features, 1, targets; tiles to a side */
    int bias;
    double *block, *gram, *scratch; /* [tiles][ROWS][TILE], [tile i <= j][TILE][TILE], of each thread */
    int64_t scratch_size;
    double *factor, *panel;   /* a copy, of the tiles of x and 1; minus a row of tiles */
    int64_t row, N, side;     /* of the factorisation: where it is, numbers, tiles to a side */
};

static int64_t tile_at(const ridge *r, int64_t i, int64_t j) { return (i * r->tiles - i * (i - 1) / 2 + j - i) * TILE_SIZE; }
/* of the sums, i <= j or not */
static double sum_at(const ridge *r, int64_t i, int64_t j)
{
    const int64_t a = min64(i, j), b = max64(i, j);
    return r->gram[tile_at(r, a / TILE, b / TILE) + a % TILE * TILE + b % TILE];
}
void ridge_free(ridge *r)
{
    if (!r) return;
    mem_free(r->block), mem_free(r->gram), mem_free(r->scratch), mem_free(r->factor), mem_free(r->panel), mem_free(r);
}
laco_status ridge_new(ridge **out, int64_t features, int64_t targets, int bias, const kernels *k, pool *p,
                      laco_error *err)
{
    const kernels *doubles;
    laco_status st = kernels_choose(&doubles, REAL_DOUBLE, err);
    if (st) return st;
    ridge *r = *out = mem_new(1, sizeof *r);
    if (!r) return fail_memory(err, sizeof *r);
    *r = (ridge){ .k = k, .ops = doubles->measure, .pool = p, .features = features, .targets = targets, .bias = bias };
    r->D = features + 1 + targets, r->tiles = ceil_div(r->D, TILE);
    r->scratch_size = r->ops->packed_size(TILE, ROWS);
    const size_t tiles = (size_t)(r->tiles * (r->tiles + 1) / 2);
    r->gram = mem_new(tiles * TILE_SIZE, sizeof(double));
    r->block = mem_new((size_t)(ROWS * r->tiles * TILE), sizeof(double));
    r->scratch = mem_new((size_t)(pool_threads(p) * r->scratch_size), sizeof(double));
    if (r->gram && r->block && r->scratch) return LACO_OK;
    ridge_free(r), *out = NULL;
    return fail_memory(err, tiles * TILE_SIZE * sizeof(double));
}
void ridge_clear(ridge *r)
{
    r->rows = r->waiting = 0;
    memset(r->gram, 0, (size_t)(r->tiles * (r->tiles + 1) / 2) * TILE_SIZE * sizeof(double));
}
int64_t ridge_rows(const ridge *r) { return r->rows; }

static void sum_task(void *ctx, int64_t task, int thread)
{
    ridge *r = ctx;
    int64_t i = 0;
    while (task >= r->tiles - i) task -= r->tiles - i, i++;
    const int64_t j = i + task;
    r->ops->gemm_across(TILE, TILE, r->waiting, r->block + i * ROWS * TILE, TILE, r->block + j * ROWS * TILE, TILE, r->gram + tile_at(r, i, j), TILE, r->scratch + thread * r->scratch_size);
}
static void flush(ridge *r)
{
    if (r->waiting) pool_run(r->pool, r->tiles * (r->tiles + 1) / 2, sum_task, r);
    r->waiting = 0;
}
/* n numbers to columns `at` and on of the row that waits. */
static void take(const ridge *r, const void *from, int64_t n, int64_t at)
{
    const float *f = from;
    const double *d = from;
    for (int64_t i = 0; i < n;) {
        const int64_t tile = (at + i) / TILE, first = (at + i) % TILE, m = min64(TILE - first, n - i);
        double *to = r->block + (tile * ROWS + r->waiting) * TILE + first;
        if (r->k->real_size == sizeof(double))
            memcpy(to, d + i, (size_t)m * sizeof *to);
        else
            for (int64_t k = 0; k < m; k++) to[k] = (double)f[i + k];
        i += m;
    }
}
void ridge_add(ridge *r, int64_t rows, const void *x, int64_t ldx, const void *y, int64_t ldy)
{
    const int64_t size = r->k->real_size, one = r->features;
    for (int64_t i = 0; i < rows; i++) {
        take(r, (const char *)x + i * ldx * size, r->features, 0);
        r->block[(one / TILE * ROWS + r->waiting) * TILE + one % TILE] = r->bias != RIDGE_NO_BIAS;
        take(r, (const char *)y + i * ldy * size, r->targets, one + 1);
        if (++r->waiting == ROWS) flush(r);
    }
    r->rows += rows;
}

/* ---- one lambda: A = U^T U ---- */
static double *factor_tile(const ridge *r, int64_t i, int64_t j)
{
    return r->factor + (i * r->side - i * (i - 1) / 2 + j - i) * TILE_SIZE;
}
/* Of x and, where it is a feature, 1; what lies beyond is the identity. */
static laco_status copy_sums(ridge *r, double lambda, laco_error *err)
{
    r->N = r->features + (r->bias != RIDGE_NO_BIAS), r->side = ceil_div(r->N, TILE);
    const size_t tiles = (size_t)(r->side * (r->side + 1) / 2);
    if (!r->factor) r->factor = mem_new(tiles * TILE_SIZE, sizeof(double));
    if (!r->panel) r->panel = mem_new((size_t)(r->side * TILE_SIZE), sizeof(double));
    if (!r->factor || !r->panel) return fail_memory(err, tiles * TILE_SIZE * sizeof(double));
    for (int64_t i = 0; i < r->side; i++)
        for (int64_t j = i; j < r->side; j++)
            memcpy(factor_tile(r, i, j), r->gram + tile_at(r, i, j), TILE_SIZE * sizeof(double));
    for (int64_t i = 0; i < r->side * TILE; i++)
        for (int64_t j = max64(i, r->N); j < r->side * TILE; j++)
            factor_tile(r, i / TILE, j / TILE)[i % TILE * TILE + j % TILE] = i == j;
    for (int64_t i = 0; i < r->N; i++)
        if (i < r->features || r->bias == RIDGE_BIAS) factor_tile(r, i / TILE, i / TILE)[i % TILE * (TILE + 1)] += lambda;
    return LACO_OK;
}
static bool factor_corner(double *a)
{
    for (int64_t k = 0; k < TILE; k++) {
        if (!(a[k * TILE + k] > 0) || !isfinite(a[k * TILE + k])) return false;
        const double root = sqrt(a[k * TILE + k]);
        for (int64_t j = k; j < TILE; j++) a[k * TILE + j] /= root;
        for (int64_t i = k + 1; i < TILE; i++)
            for (int64_t j = i; j < TILE; j++) a[i * TILE + j] -= a[k * TILE + i] * a[k * TILE + j];
    }
    return true;
}
/* The tiles beside a corner, and minus them. */
static void beside_task(void *ctx, int64_t task, int thread)
{
    ridge *r = ctx;
    const double *u = factor_tile(r, r->row, r->row);
    double *a = factor_tile(r, r->row, r->row + 1 + task), *minus = r->panel + task * TILE_SIZE;
    (void)thread;
    for (int64_t k = 0; k < TILE; k++) {
        for (int64_t j = 0; j < TILE; j++) a[k * TILE + j] /= u[k * TILE + k];
        for (int64_t i = k + 1; i < TILE; i++)
            for (int64_t j = 0; j < TILE; j++) a[i * TILE + j] -= u[k * TILE + i] * a[k * TILE + j];
    }
    for (int64_t i = 0; i < TILE_SIZE; i++) minus[i] = -a[i];
}
static void below_task(void *ctx, int64_t task, int thread)
{
    ridge *r = ctx;
    int64_t i = 0;
    const int64_t left = r->side - r->row - 1;
    while (task >= left - i) task -= left - i, i++;
    const int64_t a = r->row + 1 + i, b = a + task;
    r->ops->gemm_across(TILE, TILE, TILE, r->panel + i * TILE_SIZE, TILE, factor_tile(r, r->row, b), TILE,
                        factor_tile(r, a, b), TILE, r->scratch + thread * r->scratch_size);
}
static bool factorise(ridge *r)
{
    for (r->row = 0; r->row < r->side; r->row++) {
        const int64_t left = r->side - r->row - 1;
        if (!factor_corner(factor_tile(r, r->row, r->row))) return false;
        pool_run(r->pool, left, beside_task, r);
        pool_run(r->pool, left * (left + 1) / 2, below_task, r);
    }
    return true;
}
/* An estimate from below: of the largest and smallest number on the diagonal of U. */
static double condition_of(const ridge *r)
{
    double least = INFINITY, most = 0;
    for (int64_t i = 0; i < r->N; i++) {
        const double u = factor_tile(r, i / TILE, i / TILE)[i % TILE * (TILE + 1)];
        least = fmin(least, u), most = fmax(most, u);
    }
    return most / least * (most / least);
}
/* x = A^-1 x, x [side TILE] with zeros behind N */
static void solve(const ridge *r, double *x)
{
    for (int64_t k = 0; k < r->side * TILE; k++) {
        const double *u = factor_tile(r, k / TILE, k / TILE) + k % TILE * TILE;
        x[k] /= u[k % TILE];
        for (int64_t j = k % TILE + 1; j < TILE; j++) x[k / TILE * TILE + j] -= u[j] * x[k];
        for (int64_t b = k / TILE + 1; b < r->side; b++) {
            const double *row = factor_tile(r, k / TILE, b) + k % TILE * TILE;
            for (int64_t j = 0; j < TILE; j++) x[b * TILE + j] -= row[j] * x[k];
        }
    }
    for (int64_t k = r->side * TILE - 1; k >= 0; k--) {
        const double *u = factor_tile(r, k / TILE, k / TILE) + k % TILE * TILE;
        double sum = x[k];
        for (int64_t j = k % TILE + 1; j < TILE; j++) sum -= u[j] * x[k / TILE * TILE + j];
        for (int64_t b = k / TILE + 1; b < r->side; b++) {
            const double *row = factor_tile(r, k / TILE, b) + k % TILE * TILE;
            for (int64_t j = 0; j < TILE; j++) sum -= row[j] * x[b * TILE + j];
        }
        x[k] = sum / u[k % TILE];
    }
}
/* The mean squared error of weights over the rows, from the sums: y^T y - 2 w X^T y + w A w by what solve leaves. */
static double error_of(const ridge *r, int64_t target, const double *x, double lambda)
{
    const int64_t y = r->features + 1 + target;
    double sum = sum_at(r, y, y);
    for (int64_t i = 0; i < r->N; i++) {
        const bool penalised = i < r->features || r->bias == RIDGE_BIAS;
        sum -= x[i] * (sum_at(r, i, y) + (penalised ? lambda * x[i] : 0));
    }
    return fmax(0, sum) / (double)r->rows;
}

/* ---- many ---- */
/* A, or with a free bias that of x less its mean, as a square [features (+ bias)]. */
static double *square_sums(const ridge *r, int64_t n)
{
    double *a = mem_new((size_t)(n * n), sizeof *a);
    const int64_t one = r->features;
    const double rows = (double)r->rows;
    for (int64_t i = 0; a && i < n; i++)
        for (int64_t j = i; j < n; j++) {
            a[i * n + j] = sum_at(r, i, j);
            if (r->bias == RIDGE_FREE_BIAS) a[i * n + j] -= sum_at(r, i, one) * (sum_at(r, j, one) / rows);
            a[j * n + i] = a[i * n + j];
        }
    return a;
}
typedef struct spectral {
    symmetric *s;
    double *a, *z, *yy; /* z [targets][n], yy [targets] */
    int64_t n;
    double least;       /* eigenvalues below are taken for 0 */
} spectral;
static void spectral_free(spectral *q)
{
    symmetric_free(q->s), mem_free(q->a), mem_free(q->z), mem_free(q->yy);
}
static laco_status spectral_new(spectral *q, const ridge *r, laco_error *err)
{
    const int64_t one = r->features;
    *q = (spectral){ .n = r->features + (r->bias == RIDGE_BIAS) };
    q->a = square_sums(r, q->n), q->z = mem_new((size_t)(r->targets * q->n), sizeof *q->z);
    q->yy = mem_new((size_t)r->targets, sizeof *q->yy);
    if (!q->a || !q->z || !q->yy) return fail_memory(err, (size_t)(q->n * q->n) * sizeof *q->a);
    laco_status st = symmetric_new(&q->s, q->n, q->a, r->pool, NULL, err);
    if (st) return st;
    double most = 0;
    for (int64_t i = 0; i < q->n; i++) most = fmax(most, symmetric_values(q->s)[i]);
    q->least = most * DBL_EPSILON * 10;
    for (int64_t k = 0; k < r->targets; k++) {
        const int64_t y = r->features + 1 + k;
        const double mean = r->bias == RIDGE_FREE_BIAS ? sum_at(r, one, y) / (double)r->rows : 0;
        for (int64_t i = 0; i < q->n; i++)
            q->z[k * q->n + i] = sum_at(r, i, y) - (r->bias == RIDGE_FREE_BIAS ? sum_at(r, i, one) * mean : 0);
        q->yy[k] = sum_at(r, y, y) - mean * mean * (double)r->rows;
        symmetric_to(q->s, q->z + k * q->n);
    }
    return LACO_OK;
}
static ridge_result spectral_result(const spectral *q, const ridge *r, double lambda)
{
    const double *d = symmetric_values(q->s), rows = (double)r->rows;
    double trace = r->bias == RIDGE_FREE_BIAS, left = 0, least = INFINITY, most = 0;
    ridge_result out = { .lambda = lambda };
    for (int64_t i = 0; i < q->n; i++) {
        const bool counts = d[i] > q->least;
        if (counts) trace += d[i] / (d[i] + lambda);
        out.rank += counts, most = fmax(most, d[i] + lambda), least = fmin(least, fmax(d[i], 0) + lambda);
    }
    for (int64_t k = 0; k < r->targets; k++) {
        double sum = q->yy[k];
        for (int64_t i = 0; i < q->n; i++) {
            const double z = q->z[k * q->n + i], s = d[i] + lambda;
            if (d[i] > q->least) sum -= z * z / s + lambda * (z / s) * (z / s);
        }
        left += fmax(0, sum);
    }
    left /= (double)r->targets, out.mse = left / rows, out.condition = most / least, out.trace = trace;
    out.gcv = rows > trace ? rows * left / ((rows - trace) * (rows - trace)) : INFINITY;
    return out;
}
static laco_status spectral_weights(const spectral *q, const ridge *r, double lambda, double *w, double *b, laco_error *err)
{
    const double *d = symmetric_values(q->s);
    const int64_t one = r->features;
    double *x = mem_new((size_t)q->n, sizeof *x);
    if (!x) return fail_memory(err, (size_t)q->n * sizeof *x);
    for (int64_t k = 0; k < r->targets; k++) {
        for (int64_t i = 0; i < q->n; i++) x[i] = d[i] > q->least ? q->z[k * q->n + i] / (d[i] + lambda) : 0;
        symmetric_from(q->s, x);
        memcpy(w + k * r->features, x, (size_t)r->features * sizeof *w);
        if (!b) continue;
        b[k] = r->bias == RIDGE_BIAS ? x[one] : 0;
        if (r->bias != RIDGE_FREE_BIAS) continue;
        double sum = sum_at(r, one, one + 1 + k);
        for (int64_t i = 0; i < q->n; i++) sum -= x[i] * sum_at(r, i, one);
        b[k] = sum / (double)r->rows;
    }
    mem_free(x);
    return LACO_OK;
}

static laco_status check(ridge *r, laco_error *err)
{
    flush(r);
    for (int64_t i = 0; i < r->D; i++)
        if (!isfinite(sum_at(r, i, i)))
            return fail(err, LACO_ENUMERIC, -1, "the readout cannot be solved: there are states or targets that are not finite");
    return r->rows ? LACO_OK : fail(err, LACO_EINVAL, -1, "the readout cannot be solved: there are no rows");
}
laco_status ridge_solve(ridge *r, double lambda, double *w, double *b, ridge_result *out, laco_error *err)
{
    laco_status st = check(r, err);
    *out = (ridge_result){ .lambda = lambda, .gcv = NAN };
    if (!st) st = copy_sums(r, lambda, err);
    if (st) return st;
    if (!factorise(r) || !((out->condition = condition_of(r)) < 0.1 / DBL_EPSILON)) {
        spectral q;
        st = spectral_new(&q, r, err);
        if (!st) *out = spectral_result(&q, r, lambda), out->fell_back = true, st = spectral_weights(&q, r, lambda, w, b, err);
        return spectral_free(&q), st;
    }
    double *x = mem_new((size_t)(r->side * TILE), sizeof *x);
    if (!x) return fail_memory(err, (size_t)(r->side * TILE) * sizeof *x);
    for (int64_t k = 0; k < r->targets; k++) {
        memset(x, 0, (size_t)(r->side * TILE) * sizeof *x);
        for (int64_t i = 0; i < r->N; i++) x[i] = sum_at(r, i, r->features + 1 + k);
        solve(r, x);
        memcpy(w + k * r->features, x, (size_t)r->features * sizeof *w);
        if (b) b[k] = r->bias != RIDGE_NO_BIAS ? x[r->features] : 0;
        out->mse += error_of(r, k, x, lambda) / (double)r->targets;
    }
    out->rank = r->N;
    mem_free(x);
    return LACO_OK;
}
laco_status ridge_choose(ridge *r, const double *lambda, int n, ridge_result *result, int *best, double *w, double *b,
                         laco_error *err)
{
    spectral q = { 0 };
    const double most = 0.9 * (double)r->rows;
    laco_status st = check(r, err);
    if (!st) st = spectral_new(&q, r, err);
    *best = 0;
    for (int i = 0; !st && i < n; i++) {
        result[i] = spectral_result(&q, r, lambda[i]);
        const bool loose = result[i].trace > most, was = result[*best].trace > most;
        if (loose == was ? result[i].gcv < result[*best].gcv : was) *best = i;
    }
    if (!st) st = spectral_weights(&q, r, lambda[*best], w, b, err);
    return spectral_free(&q), st;
}
