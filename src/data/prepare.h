/* What is made of sequences before a network or a task sees them: the same for training and for new data, and kept as
   JSON with the model. In this order:

       sound   the features of sound.h
       deltas  delta[t] = sum of k (x[t+k] - x[t-k]) for k = 1, 2 / 10, the ends repeated; of order 2: the delta of that
       scale   (x - mean) / deviation of each feature over its sequence, or over all sequences of its group; 1 for a
               deviation of 0; missing values stay missing
       stack   k steps become one of k times the features; the last is filled up with the last step */
#ifndef PREPARE_H
#define PREPARE_H
#include "base/json.h"
#include "data/series.h"
#include "data/sound.h"

typedef enum { SCALE_NONE, SCALE_SEQUENCE, SCALE_GROUP } prepare_scale;
extern const char *const prepare_scales[]; /* "none", "sequence", "group"; ends in NULL */

/* {0}: sequences stay as they are. */
typedef struct preparation {
    bool of_sound;
    sound_settings sound; /* for the reader, and what it made the features with */
    int64_t deltas;       /* 0, 1 or 2 */
    prepare_scale scale;
    int64_t stack; /* 0 or 1: steps stay as they are */
} preparation;
laco_status prepare_apply(const preparation *p, series_set *s, laco_error *err); /* on error the set is as it was */
void prepare_to_json(const preparation *p, json_out *o);                         /* an object */
laco_status prepare_from_json(preparation *p, const json *j, laco_error *err);
#endif
