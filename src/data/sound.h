/* Features of sound: what a network reads in place of samples. The equations are at the head of sound.c. */
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
extern const char *const sound_endings[]; /* of the names of files of sound: ".wav", ".flac", ...; ends in NULL */
#endif
