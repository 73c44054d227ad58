/* Any bytes as a sound (WAV, FLAC, whatever libsndfile knows); its features, at a rate and in a way that its last byte
   chooses. What is accepted must hold together. */
#include "data/sound_set.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static void check_set(bytes_view bytes, const sound_settings *want)
{
    series_set s;
    laco_error err;
    sound_settings settings = *want;
    const series_parts to = series_whole(&s);
    laco_status st = sound_set_read(&to, bytes, &(series_options){ .sound = &settings }, &err);
    if (st) {
        require(err.code == st && !s.x && !s.start);
        return;
    }
    require(s.count == 1 && s.features == sound_feature_count(want) && s.start[1] >= 1 && settings.rate > 0);
    for (int64_t i = 0; i < s.start[1] * s.features; i++) require(isfinite(s.x[i]));
    series_free(&s);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int rates[] = { 0, 100, 8000, 44100 };
    const int way = size ? data[size - 1] : 0;
    const bytes_view bytes = { (const char *)data, "sound", size };
    recording r;
    laco_error err;
    laco_status st = sound_decode(&r, bytes.at, size, "sound", &err);
    require(st ? err.code == st && !r.x : r.n > 0 && r.rate >= SOUND_LEAST_RATE && r.rate <= SOUND_MOST_RATE);
    for (int64_t i = 0; !st && i < r.n; i++) require(isfinite(r.x[i]));
    const bool small = !st && r.n < 100000 && r.rate > 1000; /* or a second of it would be very many */
    mem_free(r.x);
    if (small)
        check_set(bytes, &(sound_settings){ .rate = rates[way & 3], .resample = way & 4, .mels = 1 + (way >> 3 & 7), .mfcc = way >> 6 & 1,
                                            .low = way >> 7 ? 50 : 0, .emphasis = way >> 7 });
    return 0;
}
