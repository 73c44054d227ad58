/* Krylov-Schur: A V = V B + v b^T with V orthonormal and real. The basis is extended to BASIS vectors by Arnoldi's
   method; the Schur form of the small B, complex, where two neighbours change places by one rotation, is ordered with
   the largest eigenvalues first; the space of its first vectors and of their conjugates is real, and is kept (Stewart
   2002, "A Krylov-Schur algorithm for large eigenproblems"). An eigenvalue is known to about the part of b on it. */
#include "math/eigen.h"
#include "base/rng.h"
#include "math/spectrum.h"
#include <complex.h>
#include <math.h>

typedef double complex cplx;
enum { DENSE = 96, BASIS = 80, KEPT = 32, MOST_KEPT = 2 * KEPT, CYCLES = 400, SETTLED = 8, AROUND = 8, LANCZOS = 300 };
#define RESIDUAL 1e-10 /* of an eigenvalue, relative to it */
#define ROUGHLY 1e-4   /* the same of the AROUND first ones */
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
    const cplx a = t[(end - 1) * LD + end - 1], b = t[(end - 1) * LD + end], c = t[end * LD + end - 1],
               d = t[end * LD + end], half = (a - d) / 2, root = csqrt(half * half + b * c),
               first = d - b * c / (half + root), second = d - b * c / (half - root);
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

/* ---- the large side ---- everything real: with q the space of conj(q) is kept */
typedef struct krylov {
    int64_t n;
    eigen_apply *apply;
    void *ctx;
    double *v, *b; /* [LD][n]; b [LD][LD] with A v_j = sum_i b_ij v_i */
    cplx *t, *q;   /* [LD][LD] the Schur form of b and its vectors */
    double *z;     /* [LD][LD] what is kept: orthonormal columns */
} krylov;
static double *vector(const krylov *k, int i) { return k->v + (int64_t)i * k->n; }
static double dot(int64_t n, const double *a, const double *b)
{
    double s[8] = { 0 };
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) s[k] += a[i + k] * b[i + k];
    for (; i < n; i++) s[0] += a[i] * b[i];
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}
static void subtract(int64_t n, double *a, double x, const double *b)
{
    for (int64_t i = 0; i < n; i++) a[i] -= x * b[i];
}
/* x to length 1; returns what it was. */
static double scaled(double *x, int64_t n)
{
    const double size = sqrt(dot(n, x, x));
    for (int64_t i = 0; size > 0 && i < n; i++) x[i] /= size;
    return size;
}
/* Vector j + 1 from A v_j, and column j of b. False: v_0 .. v_j are closed under A. */
static bool extend(krylov *k, int j)
{
    double *w = vector(k, j + 1);
    k->apply(k->ctx, vector(k, j), w);
    const double before = sqrt(dot(k->n, w, w));
    for (int round = 0; round < 2; round++)
        for (int i = 0; i <= j; i++) {
            const double h = dot(k->n, vector(k, i), w);
            k->b[i * LD + j] += h, subtract(k->n, w, h, vector(k, i));
        }
    const double after = scaled(w, k->n);
    k->b[(j + 1) * LD + j] = after;
    return after > 1e-13 * before;
}
/* Orthonormal columns z of the space of the first columns of q, their real and imaginary parts; returns how many. */
static int real_columns(krylov *k, int m, int kept)
{
    int count = 0;
    for (int c = 0; c < 2 * kept && count < MOST_KEPT; c++) {
        double x[LD];
        for (int r = 0; r < m; r++) x[r] = c % 2 ? cimag(k->q[r * LD + c / 2]) : creal(k->q[r * LD + c / 2]);
        for (int round = 0; round < 2; round++)
            for (int i = 0; i < count; i++) {
                double h = 0;
                for (int r = 0; r < m; r++) h += k->z[r * LD + i] * x[r];
                for (int r = 0; r < m; r++) x[r] -= h * k->z[r * LD + i];
            }
        if (scaled(x, m) < 1e-9) continue;
        for (int r = 0; r < m; r++) k->z[r * LD + count] = x[r];
        count++;
    }
    return count;
}
/* v z, a few places of all vectors at a time; the vector behind the m follows. */
static void mix(krylov *k, int m, int kept)
{
    enum { PLACES = 32 };
    double sum[MOST_KEPT][PLACES];
    for (int64_t at = 0; at < k->n; at += PLACES) {
        const int places = (int)min64(PLACES, k->n - at);
        memset(sum, 0, sizeof sum);
        for (int r = 0; r < m; r++)
            for (int c = 0; c < kept; c++)
                for (int i = 0; i < places; i++) sum[c][i] += k->z[r * LD + c] * vector(k, r)[at + i];
        for (int c = 0; c < kept; c++) memcpy(vector(k, c) + at, sum[c], (size_t)places * sizeof(double));
    }
    memcpy(vector(k, kept), vector(k, m), (size_t)k->n * sizeof(double));
}
/* b becomes z^T b z, with what stands behind the m below it. */
static void project(krylov *k, int m, int kept, double behind)
{
    double *bz = k->b + LD * LD, *to = bz + LD * LD;
    memset(bz, 0, 2 * LD * LD * sizeof *bz);
    for (int i = 0; i < m; i++)
        for (int r = 0; r < m; r++)
            for (int c = 0; c < kept; c++) bz[i * LD + c] += k->b[i * LD + r] * k->z[r * LD + c];
    for (int r = 0; r < m; r++)
        for (int i = 0; i < kept; i++)
            for (int c = 0; c < kept; c++) to[i * LD + c] += k->z[r * LD + i] * bz[r * LD + c];
    for (int c = 0; c < kept; c++) to[kept * LD + c] = behind * k->z[(m - 1) * LD + c];
    memcpy(k->b, to, LD * LD * sizeof *to);
}
/* The first eigenvalue is known, and those behind it well enough: one further out would have shown among them. */
static bool settled(const krylov *k, int m, double behind, double radius)
{
    for (int i = 0; i < min64(m, AROUND); i++)
        if (behind * cabs(k->q[(m - 1) * LD + i]) > (i ? ROUGHLY : RESIDUAL) * radius) return false;
    return true;
}
static laco_status iterate(krylov *k, double *radius, laco_error *err)
{
    double last = 0;
    int kept = 0, steady = 0;
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        int m = kept;
        bool closed = false;
        while (m < BASIS && !closed) closed = !extend(k, m++);
        const double behind = k->b[m * LD + m - 1];
        for (int i = 0; i < m * LD; i++) k->t[i] = k->b[i];
        if (!schur(k->t, k->q, m)) break;
        largest_first(k->t, k->q, m);
        *radius = cabs(k->t[0]);
        if (closed || settled(k, m, behind, *radius)) return LACO_OK;
        steady = fabs(*radius - last) <= STEADY * *radius ? steady + 1 : 0, last = *radius;
        if (steady == SETTLED) return LACO_OK;
        kept = real_columns(k, m, KEPT), mix(k, m, kept), project(k, m, kept, behind);
    }
    return fail(err, LACO_ENUMERIC, -1,
                "the spectral radius of a matrix of %lld rows was not found: the iteration does not converge",
                (long long)k->n);
}
/* A matrix whose powers vanish leaves exact zeros behind, more with every power. */
static bool vanishes(int64_t n, eigen_apply *apply, void *ctx, double *x, double *y)
{
    int64_t zeros = 0, powers = 0;
    for (int64_t i = 0; i < n; i++) x[i] = 1 + rng_uniform(1, RNG_TEST, (uint64_t)i);
    while (powers < n) {
        int64_t now = 0;
        for (int j = 0; j < 16; j++, powers++) apply(ctx, x, y), scaled(y, n), memcpy(x, y, (size_t)n * sizeof *x);
        for (int64_t i = 0; i < n; i++) now += x[i] == 0;
        if (now == n) return true;
        if (now <= zeros) return false;
        zeros = now;
    }
    return false;
}
/* Every power of a vector grows by the same factor, which is *radius: A turns, as permutations do, whose eigenvalues
   all lie on a circle where none is outermost. */
static bool turns(int64_t n, eigen_apply *apply, void *ctx, double *x, double *y, double *radius)
{
    enum { POWERS = 24 };
    bool same = true;
    for (int64_t i = 0; i < n; i++) x[i] = rng_normal(2, RNG_TEST, (uint64_t)i);
    scaled(x, n);
    for (int j = 0; same && j < POWERS; j++) {
        apply(ctx, x, y);
        const double size = scaled(y, n);
        if (!j) *radius = size;
        same = fabs(size - *radius) <= 1e-13 * *radius, memcpy(x, y, (size_t)n * sizeof *x);
    }
    return same;
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
    return ok ? LACO_OK
              : fail(err, LACO_ENUMERIC, -1, "the eigenvalues of a matrix of %lld rows were not found", (long long)n);
}
laco_status eigen_radius(double *radius, int64_t n, eigen_apply *apply, void *ctx, laco_error *err)
{
    krylov k = { .n = n, .apply = apply, .ctx = ctx };
    laco_status st = LACO_OK;
    k.v = mem_new((size_t)(LD * n), sizeof *k.v);
    k.b = mem_new(4 * LD * LD, sizeof *k.b), k.t = mem_new(2 * LD * LD, sizeof *k.t);
    *radius = 0;
    if (!k.v || !k.b || !k.t)
        st = fail_memory(err, (size_t)(LD * n) * sizeof *k.v);
    else if (!vanishes(n, apply, ctx, k.v, k.v + n)) {
        k.z = k.b + 3 * LD * LD, k.q = k.t + LD * LD;
        if (n <= DENSE)
            st = dense_radius(radius, n, apply, ctx, err);
        else if (!turns(n, apply, ctx, k.v, k.v + n, radius)) {
            for (int64_t i = 0; i < n; i++) k.v[i] = rng_normal(1, RNG_TEST, (uint64_t)i);
            scaled(k.v, n), st = iterate(&k, radius, err);
        }
    }
    mem_free(k.v), mem_free(k.b), mem_free(k.t);
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
                const double h = dot(n, q, w);
                subtract(n, w, h, q);
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
