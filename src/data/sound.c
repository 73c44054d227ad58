#include "data/sound.h"
#include <math.h>

const char *const sound_endings[] = { ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3",
                                      ".aif", ".aiff", ".au",  ".caf", ".w64",  NULL };

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
                    "the bands of sound begin at 0 Hz or more and end above that, and the emphasis is "
                    "from 0 to 1");
    return LACO_OK;
}
int64_t sound_feature_count(const sound_settings *s) { return s->mfcc ? s->mfcc : s->mels ? s->mels : SOUND_BANDS; }
