#include "data/sound.h"
#include "math/fft.h"
#include <math.h>

static const double least_energy = 1e-8;

laco_status sound_settings_check(const sound_settings *s, laco_error *err)
{
    int64_t mels = s->mels ? s->mels : SOUND_BANDS;
    double frame = s->frame > 0 ? s->frame : SOUND_FRAME, hop = s->hop > 0 ? s->hop : SOUND_HOP;
    if (!(frame >= 1 && frame <= 10000 && hop >= 0.1 && hop <= 10000))
        return fail(err, LACO_EINVAL, -1,
                    "a frame of sound takes 1 to 10000 ms, and begins 0.1 to 10000 ms behind the last");
    if (mels < 1 || mels > SOUND_MOST_BANDS || s->mfcc < 0 || s->mfcc > mels)
        return fail(err, LACO_EINVAL, -1, "there are 1 to %d mel bands, and at most as many coefficients as bands",
                    SOUND_MOST_BANDS);
    if (!(s->low >= 0 && s->high >= 0 && (s->high > s->low || s->high == 0) && s->emphasis >= 0 && s->emphasis <= 1))
        return fail(err, LACO_EINVAL, -1,
                    "the bands of sound begin at 0 Hz or more and end above that, and the emphasis is from 0 to 1");
    return LACO_OK;
}
static int64_t frame_samples(const sound_settings *s)
{
    return llround((s->frame > 0 ? s->frame : SOUND_FRAME) * (double)s->rate / 1000);
}
static int64_t hop_samples(const sound_settings *s)
{
    return max64(1, llround((s->hop > 0 ? s->hop : SOUND_HOP) * (double)s->rate / 1000));
}
void sound_times(const sound_settings *s, double *hop, double *middle)
{
    double rate = (double)max64(1, s->rate);
    *hop = (double)hop_samples(s) / rate, *middle = 0.5 * (double)frame_samples(s) / rate;
}
int64_t sound_feature_count(const sound_settings *s) { return s->mfcc ? s->mfcc : s->mels ? s->mels : SOUND_BANDS; }

/* Weights of a band: weight[0 .. count) for the bins from `first` on. */
typedef struct band {
    int64_t first, count;
    double *weight;
} band;
struct sound_maker {
    sound_settings s;
    int64_t frame, hop, size, bands; /* samples, samples, points of the transform */
    fft *f;
    double *window; /* [frame] */
    band *band;     /* [bands] */
    double *cosine; /* [mfcc][bands] or NULL */
};
void sound_maker_free(sound_maker *m)
{
    if (!m) return;
    for (int64_t b = 0; m->band && b < m->bands; b++) mem_free(m->band[b].weight);
    mem_free(m->window), mem_free(m->band), mem_free(m->cosine), fft_free(m->f), mem_free(m);
}
int64_t sound_frame_size(const sound_maker *m) { return m->frame; }
int64_t sound_hop_size(const sound_maker *m) { return m->hop; }
int64_t sound_frames(const sound_maker *m, int64_t samples)
{
    return samples <= 0 ? 0 : samples <= m->frame ? 1 : 1 + (samples - m->frame) / m->hop;
}

/* ---- tables ---- */
static double mel(double hertz) { return 2595 * log10(1 + hertz / 700); }
static double bin_weight(const sound_maker *m, int64_t k, int64_t b)
{
    double high = m->s.high > 0 ? m->s.high : (double)m->s.rate / 2, low = mel(m->s.low);
    double place = (mel((double)(k * m->s.rate) / (double)m->size) - low) / (mel(high) - low) * (double)(m->bands + 1);
    return 1 - fabs(place - (double)(b + 1));
}
static laco_status make_band(sound_maker *m, int64_t b, laco_error *err)
{
    band *to = &m->band[b];
    int64_t first = 0, end;
    while (first <= m->size / 2 && bin_weight(m, first, b) <= 0) first++;
    for (end = first; end <= m->size / 2 && bin_weight(m, end, b) > 0;) end++;
    if (first == end)
        return fail(err, LACO_EINVAL, -1,
                    "%lld mel bands are too narrow for frames of %lld samples; take fewer bands or longer frames",
                    (long long)m->bands, (long long)m->frame);
    *to = (band){ first, end - first, mem_new((size_t)(end - first), sizeof *to->weight) };
    if (!to->weight) return fail_memory(err, (size_t)to->count * sizeof *to->weight);
    for (int64_t k = 0; k < to->count; k++) to->weight[k] = bin_weight(m, first + k, b);
    return LACO_OK;
}
static void make_cosines(sound_maker *m)
{
    for (int64_t j = 0; j < m->s.mfcc; j++)
        for (int64_t b = 0; b < m->bands; b++)
            m->cosine[j * m->bands + b] =
                sqrt((j ? 2.0 : 1.0) / (double)m->bands) * cos(M_PI * (double)j * ((double)b + 0.5) / (double)m->bands);
}
static laco_status measure(sound_maker *m, laco_error *err)
{
    sound_settings *s = &m->s;
    laco_status st = sound_settings_check(s, err);
    if (st) return st;
    if (s->rate < SOUND_LEAST_RATE || s->rate > SOUND_MOST_RATE)
        return fail(err, LACO_EINVAL, -1, "%lld samples a second; %d to %d are read", (long long)s->rate,
                    SOUND_LEAST_RATE, SOUND_MOST_RATE);
    if (s->high > (double)s->rate / 2 || s->low >= (double)s->rate / 2)
        return fail(err, LACO_EINVAL, -1, "the bands of sound must end at %g Hz, half the rate, or below",
                    (double)s->rate / 2);
    m->bands = s->mels ? s->mels : SOUND_BANDS;
    m->frame = frame_samples(s), m->hop = hop_samples(s);
    if (m->frame < 4) return fail(err, LACO_EINVAL, -1, "a frame of sound must hold 4 samples or more; make it longer");
    for (m->size = 4; m->size < m->frame;) m->size *= 2;
    return LACO_OK;
}
laco_status sound_maker_new(sound_maker **out, const sound_settings *s, laco_error *err)
{
    sound_maker *m = mem_new(1, sizeof *m);
    *out = NULL;
    if (!m) return fail_memory(err, sizeof *m);
    m->s = *s;
    laco_status st = measure(m, err);
    if (!st) st = fft_new(&m->f, m->size, err);
    if (st) return sound_maker_free(m), st;
    m->window = mem_new((size_t)m->frame, sizeof *m->window), m->band = mem_new((size_t)m->bands, sizeof *m->band);
    m->cosine = mem_new((size_t)(s->mfcc * m->bands), sizeof *m->cosine);
    if (!m->window || !m->band || !m->cosine) st = fail_memory(err, (size_t)m->frame * sizeof *m->window);
    for (int64_t b = 0; !st && b < m->bands; b++) st = make_band(m, b, err);
    if (st) return sound_maker_free(m), st;
    for (int64_t t = 0; t < m->frame; t++) m->window[t] = (1 - cos(2 * M_PI * (double)t / (double)m->frame)) / 2;
    make_cosines(m);
    *out = m;
    return LACO_OK;
}

/* ---- a frame ---- scratch: the frame [size], its transform [size + 2], the bands [bands] */
size_t sound_scratch(const sound_maker *m) { return (size_t)(2 * m->size + 2 + m->bands); }
void sound_frame(const sound_maker *m, const float *x, int64_t n, double *scratch, float *features)
{
    double *y = scratch, *Y = y + m->size, *log_energy = Y + m->size + 2;
    n = min64(n, m->frame);
    for (int64_t t = 0; t < n; t++) y[t] = (x[t] - m->s.emphasis * x[t ? t - 1 : 0]) * m->window[t];
    for (int64_t t = n; t < m->size; t++) y[t] = 0;
    fft_real(m->f, y, Y);
    for (int64_t b = 0; b < m->bands; b++) {
        double sum = 0;
        const double *z = Y + 2 * m->band[b].first;
        for (int64_t k = 0; k < m->band[b].count; k++)
            sum += m->band[b].weight[k] * (z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1]);
        log_energy[b] = log(sum > least_energy ? sum : least_energy);
    }
    for (int64_t b = 0; !m->s.mfcc && b < m->bands; b++) features[b] = (float)log_energy[b];
    for (int64_t j = 0; j < m->s.mfcc; j++) {
        double sum = 0;
        for (int64_t b = 0; b < m->bands; b++) sum += m->cosine[j * m->bands + b] * log_energy[b];
        features[j] = (float)sum;
    }
}
