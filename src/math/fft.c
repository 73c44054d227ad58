#include "math/fft.h"
#include <math.h>

struct fft {
    int64_t n, half;
    double *turn;      /* [half][2] cos and sin of -2 pi k / n */
    int64_t *reversed; /* [half] the bits of k, backwards */
};

void fft_free(fft *f)
{
    if (!f) return;
    mem_free(f->turn), mem_free(f->reversed), mem_free(f);
}
laco_status fft_new(fft **out, int64_t n, laco_error *err)
{
    *out = NULL;
    if (n < 4 || n > 1 << 24 || (n & (n - 1)))
        return fail(err, LACO_EINVAL, -1, "a transform takes a power of 2 from 4 to 2^24, not %lld", (long long)n);
    fft *f = mem_new(1, sizeof *f);
    if (!f) return fail_memory(err, sizeof *f);
    f->n = n, f->half = n / 2;
    f->turn = mem_new((size_t)n, sizeof *f->turn), f->reversed = mem_new((size_t)f->half, sizeof *f->reversed);
    if (!f->turn || !f->reversed) return fft_free(f), fail_memory(err, 2 * (size_t)n * sizeof *f->turn);
    for (int64_t k = 0; k < f->half; k++) {
        double angle = -2 * M_PI * (double)k / (double)n;
        f->turn[2 * k] = cos(angle), f->turn[2 * k + 1] = sin(angle);
        f->reversed[k] = f->reversed[k / 2] / 2 + (k & 1 ? f->half / 2 : 0);
    }
    *out = f;
    return LACO_OK;
}

/* One butterfly: (a, b) becomes (a + w b, a - w b). */
static inline void butterfly(double *a, double *b, const double *w)
{
    double re = w[0] * b[0] - w[1] * b[1], im = w[0] * b[1] + w[1] * b[0];
    b[0] = a[0] - re, b[1] = a[1] - im;
    a[0] += re, a[1] += im;
}
static void transform_half(const fft *f, double *z)
{
    for (int64_t size = 2; size <= f->half; size *= 2)
        for (int64_t begin = 0; begin < f->half; begin += size)
            for (int64_t k = 0; k < size / 2; k++)
                butterfly(z + 2 * (begin + k), z + 2 * (begin + k + size / 2), f->turn + 2 * (k * (f->n / size)));
}
/* X[k] and X[m] from Z[k] and Z[m]. */
static inline void untangle(double *a, double *b, const double *w)
{
    double even[2] = { (a[0] + b[0]) / 2, (a[1] - b[1]) / 2 };
    double odd[2] = { (a[1] + b[1]) / 2, (b[0] - a[0]) / 2 };
    double turned[2] = { w[0] * odd[0] - w[1] * odd[1], w[0] * odd[1] + w[1] * odd[0] };
    a[0] = even[0] + turned[0], a[1] = even[1] + turned[1];
    b[0] = even[0] - turned[0], b[1] = turned[1] - even[1];
}
void fft_real(const fft *f, const double *x, double *X)
{
    int64_t half = f->half;
    for (int64_t k = 0; k < half; k++) memcpy(X + 2 * f->reversed[k], x + 2 * k, 2 * sizeof *x);
    transform_half(f, X);
    double re = X[0], im = X[1];
    X[0] = re + im, X[1] = 0;
    X[2 * half] = re - im, X[2 * half + 1] = 0;
    for (int64_t k = 1; k <= half / 2; k++) untangle(X + 2 * k, X + 2 * (half - k), f->turn + 2 * k);
}
