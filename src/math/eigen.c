/* Krylov-Schur: A V = V T + v b^H with V orthonormal, T upper triangular, rows of b small where eigenvalues have
   converged. In complex arithmetic, where two neighbours in a Schur form change places by one rotation: the basis is
   extended to `most` vectors by Arnoldi's method, T is brought to Schur form with the largest eigenvalues first, and the
   first half is kept (Stewart 2002, "A Krylov-Schur algorithm for large eigenproblems"). */
#include "math/eigen.h"
#include "base/rng.h"
#include "math/spectrum.h"
#include <complex.h>
#include <math.h>

typedef double complex cplx;
enum { DENSE = 96, BASIS = 64, KEPT = 28, CYCLES = 400, SETTLED = 8, LANCZOS = 300 };
#define RESIDUAL 1e-11 /* of an eigenvalue, relative to it */
#define STEADY 1e-10   /* a radius that changes by no more in SETTLED cycles is taken, as on a circle of eigenvalues */

/* ---- small complex matrices ---- row by row, BASIS + 1 wide */
enum { LD = BASIS + 1 };
typedef struct rotation {
    double c;
    cplx s;
} rotation;
/* [c s; -conj(s) c] (f, g) = (r, 0) */
static rotation rotation_of(cplx f, cplx g)
{
    const double size = hypot(cabs(f), cabs(g));
    if (cabs(g) == 0) return (rotation){ 1, 0 };
    if (cabs(f) == 0) return (rotation){ 0, conj(g) / cabs(g) };
    return (rotation){ cabs(f) / size, f / cabs(f) * conj(g) / size };
}
static void rotate_rows(cplx *a, int r, int from, int to, rotation q)
{
    for (int j = from; j < to; j++) {
        const cplx x = a[r * LD + j], y = a[(r + 1) * LD + j];
        a[r * LD + j] = q.c * x + q.s * y, a[(r + 1) * LD + j] = q.c * y - conj(q.s) * x;
    }
}
static void rotate_columns(cplx *a, int c, int rows, rotation q)
{
    for (int i = 0; i < rows; i++) {
        const cplx x = a[i * LD + c], y = a[i * LD + c + 1];
        a[i * LD + c] = q.c * x + conj(q.s) * y, a[i * LD + c + 1] = q.c * y - q.s * x;
    }
}
/* t[m][m] to upper Hessenberg form by Householder reflections, gathered in q. */
static void hessenberg(cplx *t, cplx *q, int m)
{
    cplx v[BASIS];
    for (int k = 0; k + 2 < m; k++) {
        double size = 0;
        for (int i = k + 1; i < m; i++) v[i] = t[i * LD + k], size += creal(v[i] * conj(v[i]));
        size = sqrt(size);
        if (size == 0) continue;
        v[k + 1] += cabs(v[k + 1]) > 0 ? size * v[k + 1] / cabs(v[k + 1]) : size;
        double square = 0;
        for (int i = k + 1; i < m; i++) square += creal(v[i] * conj(v[i]));
        for (int j = 0; j < m; j++) {
            cplx sum = 0;
            for (int i = k + 1; i < m; i++) sum += conj(v[i]) * t[i * LD + j];
            for (int i = k + 1; i < m; i++) t[i * LD + j] -= 2 / square * sum * v[i];
        }
        cplx *both[] = { t, q };
        for (int a = 0; a < 2; a++)
            for (int i = 0; i < m; i++) {
                cplx sum = 0;
                for (int j = k + 1; j < m; j++) sum += both[a][i * LD + j] * v[j];
                for (int j = k + 1; j < m; j++) both[a][i * LD + j] -= 2 / square * sum * conj(v[j]);
            }
    }
}
/* The eigenvalue of the last two rows up to `end` that is nearer to the last number (Wilkinson). */
static cplx shift_of(const cplx *t, int end)
{
    const cplx a = t[(end - 1) * LD + end - 1], b = t[(end - 1) * LD + end], c = t[end * LD + end - 1], d = t[end * LD + end],
               half = (a - d) / 2, root = csqrt(half * half + b * c), first = d - b * c / (half + root),
               second = d - b * c / (half - root);
    if (cabs(half + root) == 0 && cabs(half - root) == 0) return d;
    return cabs(half + root) >= cabs(half - root) ? first : second;
}
/* t[m][m] = q s q^H with s upper triangular, in place; q[m][m] is set. False: no convergence. */
static bool schur(cplx *t, cplx *q, int m)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++) q[i * LD + j] = i == j;
    hessenberg(t, q, m);
    for (int end = m - 1, tries = 0; end > 0;) {
        int start = end;
        while (start > 0) {
            const double around = cabs(t[(start - 1) * LD + start - 1]) + cabs(t[start * LD + start]);
            if (cabs(t[start * LD + start - 1]) <= 1e-16 * around || cabs(t[start * LD + start - 1]) < 1e-300) break;
            start--;
        }
        if (start == end) {
            t[end * LD + end - 1] = 0, end--, tries = 0;
            continue;
        }
        if (start) t[start * LD + start - 1] = 0;
        if (++tries > 60) return false;
        const cplx shift = tries % 10 ? shift_of(t, end) : cabs(t[end * LD + end - 1]) + t[end * LD + end];
        rotation g[BASIS];
        for (int i = start; i <= end; i++) t[i * LD + i] -= shift;
        for (int i = start; i < end; i++) {
            g[i] = rotation_of(t[i * LD + i], t[(i + 1) * LD + i]);
            rotate_rows(t, i, i, m, g[i]);
        }
        for (int i = start; i < end; i++)
            rotate_columns(t, i, (i + 2 <= end ? i + 2 : end) + 1, g[i]), rotate_columns(q, i, m, g[i]);
        for (int i = start; i <= end; i++) t[i * LD + i] += shift;
    }
    return true;
}
/* Eigenvalues i and i + 1 change places. */
static void exchange(cplx *t, cplx *q, int m, int i)
{
    const cplx a = t[i * LD + i], b = t[(i + 1) * LD + i + 1];
    const rotation g = rotation_of(t[i * LD + i + 1], b - a);
    rotate_rows(t, i, i, m, g), rotate_columns(t, i, i + 2, g), rotate_columns(q, i, m, g);
    t[i * LD + i] = b, t[(i + 1) * LD + i + 1] = a, t[(i + 1) * LD + i] = 0;
}
static void largest_first(cplx *t, cplx *q, int m)
{
    for (int end = m - 1; end > 0; end--)
        for (int i = 0; i < end; i++)
            if (cabs(t[i * LD + i]) < cabs(t[(i + 1) * LD + i + 1]) * (1 - 1e-14)) exchange(t, q, m, i);
}

/* ---- the large side ---- vectors of n real and n imaginary parts */
typedef struct krylov {
    int64_t n;
    eigen_apply *apply;
    void *ctx;
    double *v;     /* [LD][2][n] */
    cplx *t, *q;   /* [LD][LD] */
    double *mixed; /* [LD][2] of one place of all vectors */
} krylov;
static double *vector(const krylov *k, int i) { return k->v + (int64_t)i * 2 * k->n; }
static cplx inner(const krylov *k, const double *a, const double *b) /* a^H b */
{
    double re = 0, im = 0;
    for (int64_t i = 0; i < k->n; i++) re += a[i] * b[i] + a[k->n + i] * b[k->n + i];
    for (int64_t i = 0; i < k->n; i++) im += a[i] * b[k->n + i] - a[k->n + i] * b[i];
    return re + im * I;
}
static void subtract(const krylov *k, double *a, cplx x, const double *b) /* a -= x b */
{
    const double re = creal(x), im = cimag(x);
    for (int64_t i = 0; i < k->n; i++) {
        a[i] -= re * b[i] - im * b[k->n + i];
        a[k->n + i] -= re * b[k->n + i] + im * b[i];
    }
}
/* Vector j + 1 from A v_j, and column j of t. False: v_0 .. v_j are closed under A. */
static bool extend(krylov *k, int j)
{
    double *w = vector(k, j + 1), before, after;
    k->apply(k->ctx, vector(k, j), w), k->apply(k->ctx, vector(k, j) + k->n, w + k->n);
    before = sqrt(creal(inner(k, w, w)));
    for (int round = 0; round < 2; round++)
        for (int i = 0; i <= j; i++) {
            const cplx h = inner(k, vector(k, i), w);
            k->t[i * LD + j] += h, subtract(k, w, h, vector(k, i));
        }
    after = sqrt(creal(inner(k, w, w)));
    k->t[(j + 1) * LD + j] = after;
    if (!(after > 1e-13 * before)) return false;
    for (int64_t i = 0; i < 2 * k->n; i++) w[i] /= after;
    return true;
}
/* The first `kept` vectors become those that q makes of all m; the one behind them follows. */
static void mix(krylov *k, int m, int kept)
{
    for (int64_t i = 0; i < 2 * k->n; i += 1) {
        if (i == k->n) break;
        for (int c = 0; c < kept; c++) {
            cplx sum = 0;
            for (int r = 0; r < m; r++) sum += (vector(k, r)[i] + vector(k, r)[k->n + i] * I) * k->q[r * LD + c];
            k->mixed[2 * c] = creal(sum), k->mixed[2 * c + 1] = cimag(sum);
        }
        for (int c = 0; c < kept; c++) vector(k, c)[i] = k->mixed[2 * c], vector(k, c)[k->n + i] = k->mixed[2 * c + 1];
    }
    memcpy(vector(k, kept), vector(k, m), (size_t)(2 * k->n) * sizeof(double));
}
static laco_status iterate(krylov *k, double *radius, laco_error *err)
{
    double last = 0;
    int kept = 0, steady = 0;
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        int m = kept;
        bool closed = false;
        while (m < BASIS && !closed) closed = !extend(k, m++);
        cplx spike[LD];
        const cplx after = k->t[m * LD + m - 1];
        if (!schur(k->t, k->q, m)) break;
        largest_first(k->t, k->q, m);
        *radius = cabs(k->t[0]);
        for (int i = 0; i < m; i++) spike[i] = after * k->q[(m - 1) * LD + i];
        if (closed || cabs(spike[0]) <= RESIDUAL * *radius) return LACO_OK;
        steady = fabs(*radius - last) <= STEADY * *radius ? steady + 1 : 0, last = *radius;
        if (steady == SETTLED) return LACO_OK;
        kept = KEPT, mix(k, m, kept);
        for (int i = 0; i < LD; i++)
            for (int j = 0; j < LD; j++)
                if (i > kept || j >= kept) k->t[i * LD + j] = 0;
        for (int j = 0; j < kept; j++) k->t[kept * LD + j] = spike[j];
    }
    return fail(err, LACO_ENUMERIC, -1, "the spectral radius of a matrix of %lld rows was not found: the iteration does not converge",
                (long long)k->n);
}
/* A matrix whose powers vanish leaves exact zeros behind, more with every power. */
static bool vanishes(int64_t n, eigen_apply *apply, void *ctx, double *x, double *y)
{
    int64_t zeros = 0, powers = 0;
    for (int64_t i = 0; i < n; i++) x[i] = 1 + rng_uniform(1, RNG_TEST, (uint64_t)i);
    while (powers < n) {
        int64_t now = 0;
        for (int j = 0; j < 16; j++, powers++) apply(ctx, x, y), memcpy(x, y, (size_t)n * sizeof *x);
        for (int64_t i = 0; i < n; i++) now += x[i] == 0;
        if (now == n) return true;
        if (now <= zeros) return false;
        zeros = now;
        double size = 0;
        for (int64_t i = 0; i < n; i++) size = fmax(size, fabs(x[i]));
        for (int64_t i = 0; i < n; i++) x[i] /= size;
    }
    return false;
}
static laco_status dense_radius(double *radius, int64_t n, eigen_apply *apply, void *ctx, laco_error *err)
{
    double *a = mem_new((size_t)(n * n + 4 * n), sizeof *a);
    if (!a) return fail_memory(err, (size_t)(n * n) * sizeof *a);
    double *x = a + n * n, *y = x + n, *re = y + n, *im = re + n;
    for (int64_t j = 0; j < n; j++) {
        x[j] = 1, apply(ctx, x, y), x[j] = 0;
        for (int64_t i = 0; i < n; i++) a[i * n + j] = y[i];
    }
    bool ok = eigenvalues(n, a, re, im);
    *radius = 0;
    for (int64_t i = 0; ok && i < n; i++) *radius = fmax(*radius, hypot(re[i], im[i]));
    mem_free(a);
    return ok ? LACO_OK : fail(err, LACO_ENUMERIC, -1, "the eigenvalues of a matrix of %lld rows were not found", (long long)n);
}
laco_status eigen_radius(double *radius, int64_t n, eigen_apply *apply, void *ctx, laco_error *err)
{
    krylov k = { .n = n, .apply = apply, .ctx = ctx };
    laco_status st = LACO_OK;
    k.v = mem_new((size_t)(LD * 2 * n), sizeof *k.v);
    k.t = mem_new(2 * LD * LD, sizeof *k.t), k.q = k.t ? k.t + LD * LD : NULL, k.mixed = mem_new(2 * LD, sizeof *k.mixed);
    *radius = 0;
    if (!k.v || !k.t || !k.mixed) st = fail_memory(err, (size_t)(LD * 2 * n) * sizeof *k.v);
    if (!st && !vanishes(n, apply, ctx, k.v, k.v + n)) {
        if (n <= DENSE)
            st = dense_radius(radius, n, apply, ctx, err);
        else {
            double size = 0;
            memset(k.v, 0, (size_t)(2 * n) * sizeof *k.v);
            for (int64_t i = 0; i < n; i++) k.v[i] = rng_normal(1, RNG_TEST, (uint64_t)i), size += k.v[i] * k.v[i];
            for (int64_t i = 0; i < n; i++) k.v[i] /= sqrt(size);
            st = iterate(&k, radius, err);
        }
    }
    mem_free(k.v), mem_free(k.t), mem_free(k.mixed);
    return st;
}

/* ---- the largest singular value ---- Lanczos on A^T A with full reorthogonalisation */
/* The largest eigenvalue of the symmetric tridiagonal matrix of m rows, by bisection on the count of Sturm. */
static double largest_of(const double *diagonal, const double *beside, int m)
{
    double low = 0, high = 0;
    for (int i = 0; i < m; i++) high = fmax(high, diagonal[i] + (i ? beside[i - 1] : 0) + (i + 1 < m ? beside[i] : 0));
    while (high - low > 1e-15 * high) {
        const double x = (low + high) / 2;
        double d = 1;
        bool above = false;
        if (x == low || x == high) break;
        for (int i = 0; i < m && !above; i++) {
            d = diagonal[i] - x - (i ? beside[i - 1] * beside[i - 1] / d : 0);
            if (d == 0) d = -1e-300;
            above = d > 0;
        }
        if (above)
            low = x;
        else
            high = x;
    }
    return high;
}
static double scaled(double *x, int64_t n)
{
    double size = 0;
    for (int64_t i = 0; i < n; i++) size += x[i] * x[i];
    size = sqrt(size);
    for (int64_t i = 0; size > 0 && i < n; i++) x[i] /= size;
    return size;
}
laco_status eigen_norm(double *norm, int64_t n, eigen_apply *apply, eigen_apply *transposed, void *ctx, laco_error *err)
{
    const int most = (int)min64(n, LANCZOS);
    double diagonal[LANCZOS], beside[LANCZOS], *v = mem_new((size_t)((most + 2) * n), sizeof *v), last = 0;
    if (!v) return fail_memory(err, (size_t)((most + 2) * n) * sizeof *v);
    double *y = v + (int64_t)(most + 1) * n;
    for (int64_t i = 0; i < n; i++) v[i] = rng_normal(1, RNG_TEST, (uint64_t)i);
    *norm = 0, scaled(v, n);
    for (int j = 0; j < most; j++) {
        double *w = v + (int64_t)(j + 1) * n;
        apply(ctx, w - n, y), transposed(ctx, y, w);
        for (int round = 0; round < 2; round++)
            for (int i = j; i >= 0; i--) {
                const double *q = v + (int64_t)i * n;
                double h = 0;
                for (int64_t k = 0; k < n; k++) h += q[k] * w[k];
                for (int64_t k = 0; k < n; k++) w[k] -= h * q[k];
                if (i == j) diagonal[j] = (round ? diagonal[j] : 0) + h;
            }
        beside[j] = scaled(w, n);
        *norm = sqrt(fmax(0, largest_of(diagonal, beside, j + 1)));
        if (!(beside[j] > 1e-14 * *norm * *norm) || (j > 8 && *norm - last <= 1e-13 * *norm)) break;
        last = *norm;
    }
    mem_free(v);
    return LACO_OK;
}
