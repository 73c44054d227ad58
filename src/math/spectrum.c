/* Eigenvalues: elimination to upper Hessenberg form with pivoting, then the QR algorithm with Francis' implicit double
   shift and deflation (Golub & Van Loan, Matrix Computations, 7.4 and 7.5). Singular values: one-sided Jacobi rotations
   of pairs of columns until all are orthogonal (Hestenes 1958); their lengths are the values. Large matrices: Arnoldi's
   method with two rounds of orthogonalisation, for A and for A^T A, whose Hessenberg matrices are small. */
#include "math/spectrum.h"
#include "math/dot.h"
#include <float.h>
#include <math.h>

static void swap(double *a, double *b)
{
    double t = *a;
    *a = *b, *b = t;
}
static void to_hessenberg(int64_t n, double *a)
{
    for (int64_t m = 1; m < n - 1; m++) {
        int64_t pivot = m;
        for (int64_t i = m + 1; i < n; i++)
            if (fabs(a[i * n + m - 1]) > fabs(a[pivot * n + m - 1])) pivot = i;
        double x = a[pivot * n + m - 1];
        if (x == 0) continue;
        if (pivot != m) {
            for (int64_t j = m - 1; j < n; j++) swap(&a[pivot * n + j], &a[m * n + j]);
            for (int64_t i = 0; i < n; i++) swap(&a[i * n + pivot], &a[i * n + m]);
        }
        for (int64_t i = m + 1; i < n; i++) {
            double y = a[i * n + m - 1] / x;
            a[i * n + m - 1] = 0;
            if (y == 0) continue;
            for (int64_t j = m; j < n; j++) a[i * n + j] -= y * a[m * n + j];
            for (int64_t k = 0; k < n; k++) a[k * n + m] += y * a[k * n + i];
        }
    }
}

/* The reflection that turns (x, y, z) into a multiple of (1, 0, 0): v with v[0] = 1, and its factor. */
static double reflector(double x, double y, double z, double v[3])
{
    double norm = sqrt(x * x + y * y + z * z);
    v[0] = 1, v[1] = v[2] = 0;
    if (norm == 0) return 0;
    double first = x + copysign(norm, x);
    v[1] = y / first, v[2] = z / first;
    return 2 / (1 + v[1] * v[1] + v[2] * v[2]);
}
/* One double-shift sweep over rows and columns low..high of the Hessenberg matrix a; s, p: sum and product of the
   shifts. Only the block itself is kept up to date: eigenvalues need no more. */
static void francis(int64_t n, double *a, int64_t low, int64_t high, double s, double p)
{
#define A(i, j) a[(i)*n + (j)]
    double v[3];
    double x = A(low, low) * A(low, low) + A(low, low + 1) * A(low + 1, low) - s * A(low, low) + p,
           y = A(low + 1, low) * (A(low, low) + A(low + 1, low + 1) - s),
           z = low + 2 <= high ? A(low + 1, low) * A(low + 2, low + 1) : 0;
    for (int64_t k = low; k < high; k++) {
        int64_t size = min64(3, high - k + 1);
        double b = reflector(x, y, size == 3 ? z : 0, v);
        for (int64_t j = max64(low, k - 1); j <= high; j++) {
            double sum = 0;
            for (int64_t i = 0; i < size; i++) sum += v[i] * A(k + i, j);
            for (int64_t i = 0; i < size; i++) A(k + i, j) -= b * sum * v[i];
        }
        for (int64_t i = low; i <= min64(high, k + 3); i++) {
            double sum = 0;
            for (int64_t j = 0; j < size; j++) sum += v[j] * A(i, k + j);
            for (int64_t j = 0; j < size; j++) A(i, k + j) -= b * sum * v[j];
        }
        if (k > low) A(k + 1, k - 1) = 0;
        if (k > low && size == 3) A(k + 2, k - 1) = 0;
        if (k + 1 > high) break;
        x = A(k + 1, k), y = k + 2 <= high ? A(k + 2, k) : 0, z = k + 3 <= high ? A(k + 3, k) : 0;
    }
}
/* The two eigenvalues of the block whose last row is `high`. */
static void two_values(int64_t n, const double *a, int64_t high, double *re, double *im)
{
    double p = A(high - 1, high - 1), q = A(high, high), half = (p - q) / 2,
           d = half * half + A(high - 1, high) * A(high, high - 1), root = sqrt(fabs(d));
    for (int i = 0; i < 2; i++) re[high - i] = (p + q) / 2, im[high - i] = 0;
    if (d < 0) {
        im[high - 1] = root, im[high] = -root;
        return;
    }
    double far = half + copysign(root, half); /* the one without cancellation, as q + far */
    re[high - 1] = q + far, re[high] = far == 0 ? q : q - A(high - 1, high) * A(high, high - 1) / far;
}
enum { MAX_SWEEPS = 60, ODD_SHIFT = 10 };
static bool hessenberg_values(int64_t n, double *a, double *re, double *im)
{
    int sweeps = 0;
    for (int64_t high = n - 1; high >= 0;) {
        int64_t low = high;
        for (; low > 0; low--) {
            double near = fabs(A(low, low)) + fabs(A(low - 1, low - 1));
            if (fabs(A(low, low - 1)) <= DBL_EPSILON * near || fabs(A(low, low - 1)) < DBL_MIN) break;
        }
        if (low == high) {
            re[high] = A(high, high), im[high] = 0, high--, sweeps = 0;
            continue;
        }
        if (low == high - 1) {
            two_values(n, a, high, re, im), high -= 2, sweeps = 0;
            continue;
        }
        if (sweeps++ >= MAX_SWEEPS) return false;
        double s = A(high, high) + A(high - 1, high - 1),
               p = A(high, high) * A(high - 1, high - 1) - A(high, high - 1) * A(high - 1, high);
        if (sweeps % ODD_SHIFT == 0) { /* breaks the symmetry that the usual shifts may be caught in */
            double w = fabs(A(high, high - 1)) + fabs(A(high - 1, high - 2));
            s = 1.5 * w, p = w * w;
        }
        francis(n, a, low, high, s, p);
    }
    return true;
#undef A
}
bool eigenvalues(int64_t n, double *a, double *re, double *im)
{
    for (int64_t i = 0; i < n * n; i++)
        if (!isfinite(a[i])) return false;
    to_hessenberg(n, a);
    return hessenberg_values(n, a, re, im);
}

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}
/* Rows are rotated in place of columns: the singular values of a and of its transpose are the same. */
void singular_values(int64_t n, double *a, double *s)
{
    bool turned = true;
    for (int sweep = 0; turned && sweep < MAX_SWEEPS; sweep++) {
        turned = false;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i + 1; j < n; j++) {
                double *x = a + i * n, *y = a + j * n, xx = dot(n, x, x), yy = dot(n, y, y), xy = dot(n, x, y);
                if (!(fabs(xy) > 4 * DBL_EPSILON * sqrt(xx * yy)) || xy == 0) continue;
                double zeta = (yy - xx) / (2 * xy), t = copysign(1, zeta) / (fabs(zeta) + hypot(1, zeta)),
                       c = 1 / sqrt(1 + t * t), d = c * t;
                for (int64_t k = 0; k < n; k++) {
                    double old = x[k];
                    x[k] = c * old - d * y[k], y[k] = d * old + c * y[k];
                }
                turned = true;
            }
    }
    for (int64_t i = 0; i < n; i++) s[i] = sqrt(dot(n, a + i * n, a + i * n));
    qsort(s, (size_t)n, sizeof *s, falling);
}

/* ---- large matrices ---- */
/* y = A x, or A^T A x */
static void apply(int64_t n, const double *a, bool squared, const double *x, double *y, double *between)
{
    double *ax = squared ? between : y;
    for (int64_t i = 0; i < n; i++) ax[i] = dot(n, a + i * n, x);
    if (!squared) return;
    memset(y, 0, (size_t)n * sizeof *y);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) y[j] += a[i * n + j] * ax[i];
}
/* The Hessenberg matrix h [m][m] of A on the Krylov space of a fixed vector; returns the dimension reached. q: room for
   [m + 1][n] and n more. */
static int64_t arnoldi(int64_t n, const double *a, bool squared, int64_t m, double *h, double *q)
{
    double *between = q + (m + 1) * n;
    memset(h, 0, (size_t)(m * m) * sizeof *h);
    for (int64_t i = 0; i < n; i++) q[i] = cos((double)(i * i) + 1); /* no special direction */
    double norm = sqrt(dot(n, q, q));
    for (int64_t i = 0; i < n; i++) q[i] /= norm;
    for (int64_t k = 0; k < m; k++) {
        double *w = q + (k + 1) * n;
        apply(n, a, squared, q + k * n, w, between);
        double before = sqrt(dot(n, w, w));
        for (int64_t i = 0; i < 2 * (k + 1); i++) {
            int64_t r = i % (k + 1);
            double c = dot(n, w, q + r * n);
            h[r * m + k] += c;
            for (int64_t j = 0; j < n; j++) w[j] -= c * q[r * n + j];
        }
        norm = sqrt(dot(n, w, w));
        if (!(norm > 1e-13 * before)) return k + 1; /* the space is invariant: its values are exact */
        if (k + 1 < m) h[(k + 1) * m + k] = norm;
        for (int64_t j = 0; j < n; j++) w[j] /= norm;
    }
    return m;
}
static bool outermost(int64_t n, double *a, double *re, double *im, double *radius, double *angle)
{
    *radius = *angle = 0;
    if (!eigenvalues(n, a, re, im)) return false;
    for (int64_t i = 0; i < n; i++)
        if (hypot(re[i], im[i]) > *radius) *radius = hypot(re[i], im[i]), *angle = atan2(fabs(im[i]), re[i]);
    return true;
}
static bool large_spectrum(spectrum *out, int64_t n, const double *a, double *room)
{
    double h[2][KRYLOV * KRYLOV], re[KRYLOV], im[KRYLOV], square, none;
    for (int squared = 0; squared < 2; squared++) {
        int64_t m = arnoldi(n, a, squared, KRYLOV, h[0], room);
        for (int64_t i = 0; i < m; i++) memcpy(h[1] + i * m, h[0] + i * KRYLOV, (size_t)m * sizeof(double));
        if (!outermost(m, h[1], re, im, squared ? &square : &out->radius, squared ? &none : &out->angle)) return false;
    }
    out->norm = sqrt(square);
    return true;
}
laco_status spectrum_of(spectrum *out, int64_t n, const double *a, laco_error *err)
{
    size_t square = (size_t)(n * n), size = n <= SPECTRUM_EXACT ? square + 2 * (size_t)n : (size_t)(n * (KRYLOV + 2));
    double *room = mem_new(size, sizeof *room);
    if (!room) return fail_memory(err, size * sizeof *room);
    *out = (spectrum){ .n = n <= SPECTRUM_EXACT ? n : 0 };
    bool ok = true;
    for (size_t i = 0; i < square; i++) ok &= isfinite(a[i]);
    if (ok && !out->n)
        ok = large_spectrum(out, n, a, room);
    else if (ok) {
        memcpy(room, a, square * sizeof *a);
        ok = outermost(n, room, room + square, room + square + n, &out->radius, &out->angle);
        memcpy(room, a, square * sizeof *a);
        singular_values(n, room, out->singular), out->norm = n ? out->singular[0] : 0;
    }
    mem_free(room);
    return ok ? LACO_OK : fail(err, LACO_ENUMERIC, -1, "a Jacobian is not finite: no eigenvalues");
}
