/* The discrete Fourier transform of n real numbers, n a power of 2 (Cooley & Tukey 1965), in double:

       X[k] = sum over t of x[t] exp(-2 pi i k t / n),   k = 0 .. n/2

   The numbers are taken as n/2 complex ones, z[t] = x[2t] + i x[2t+1], whose transform Z gives, with m = n/2 - k,

       X[k] = (Z[k] + conj Z[m]) / 2 - i exp(-2 pi i k / n) (Z[k] - conj Z[m]) / 2. */
#ifndef FFT_H
#define FFT_H
#include "base/base.h"

typedef struct fft fft;
laco_status fft_new(fft **out, int64_t n, laco_error *err); /* n a power of 2 from 4 to 2^24 */
/* X as n/2 + 1 pairs (real, imaginary); several threads may share f. */
void fft_real(const fft *f, const double *x, double *X);
void fft_free(fft *f);
#endif
