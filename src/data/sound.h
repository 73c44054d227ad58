/* Features of sound: what a network reads in place of samples.

   A frame of N samples begins every hop samples; a sound shorter than a frame is filled up with zeros. From a frame x:

       y[t] = (x[t] - emphasis x[t-1]) w[t],   x[-1] = x[0],   w[t] = (1 - cos(2 pi t / N)) / 2         (Hann)
       P[k] = |Y[k]|^2 of the Fourier transform of y, zeros behind it up to a power of 2
       E[b] = sum over k of P[k] max(0, 1 - |m(k) - (b + 1)|),   b = 0 .. bands - 1
       m(k) = (mel(frequency of k) - mel(low)) / (mel(high) - mel(low)) (bands + 1),   mel(f) = 2595 log10(1 + f / 700)
       log-mel:  L[b] = log max(E[b], 1e-8)
       MFCC:     c[j] = s(j) sum over b of L[b] cos(pi j (b + 1/2) / bands),   s(0) = sqrt(1 / bands), else sqrt(2 /
   bands)

   so triangles of one width on the mel scale (Davis & Mermelstein 1980), and the orthonormal DCT-II. */
#ifndef SOUND_H
#define SOUND_H
#include "base/base.h"

enum { SOUND_FRAME = 25, SOUND_HOP = 10, SOUND_BANDS = 40 }; /* ms, ms, mel bands: the defaults */
enum { SOUND_LEAST_RATE = 100, SOUND_MOST_RATE = 384000, SOUND_MOST_BANDS = 1024 };
typedef struct sound_settings {
    int64_t rate;      /* samples per second of every sound; 0: as the first one has */
    bool resample;     /* sounds of other rates are brought to it; else they are errors */
    double frame, hop; /* ms; 0: 25 and 10 */
    int64_t mels;      /* bands; 0: 40 */
    int64_t mfcc;      /* cepstral coefficients made of the bands; 0: the logarithms of the bands themselves */
    double low, high;  /* Hz, where the bands begin and end; high 0: half the rate */
    double emphasis;   /* x[t] - emphasis x[t - 1] first; 0: none, 0.97 is usual */
} sound_settings;
laco_status sound_settings_check(const sound_settings *s, laco_error *err); /* all but the rate */
int64_t sound_feature_count(const sound_settings *s);

typedef struct sound_maker sound_maker; /* several threads may share one */
laco_status sound_maker_new(sound_maker **out, const sound_settings *s, laco_error *err); /* the rate is set */
void sound_maker_free(sound_maker *m);
int64_t sound_frame_size(const sound_maker *m), sound_hop_size(const sound_maker *m); /* samples */
int64_t sound_frames(const sound_maker *m, int64_t samples);                          /* 0 for none, else at least 1 */
size_t sound_scratch(const sound_maker *m);                                           /* doubles of scratch memory */
/* Seconds from step to step, and of the middle of the first; the rate is set. */
void sound_times(const sound_settings *s, double *hop, double *middle);
/* The features of the frame that begins at x, of which n samples are there. */
void sound_frame(const sound_maker *m, const float *x, int64_t n, double *scratch, float *features);

/* ---- files of sound, through libsndfile ---- */
typedef struct recording {
    float *x;  /* [n] -1 .. 1, the mean of the channels; freed with mem_free */
    int64_t n; /* samples, at least 1 */
    int64_t rate;
} recording;
laco_status sound_decode(recording *out, const char *bytes, size_t n, const char *name, laco_error *err);
bool sound_is(const char *bytes, size_t n); /* do the first bytes say so? */
/* At another rate: each new sample is a sum of old ones, weighted by a sinc below half of the lower rate under a Hann
   window of 16 zeros to each side. */
laco_status sound_resample(recording *s, int64_t rate, laco_error *err);
extern const char *const sound_endings[]; /* of the names of files of sound: ".wav", ".flac", ...; ends in NULL */
#endif
