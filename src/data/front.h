/* The front of a network: how its inputs are made of sequences as they were read. It is fitted to the training set,
   kept as JSON in the metadata of the model ("front"), and made again from there for new data.

   In this order: deltas, scaling, missing values, steps laid side by side, a permutation of the steps:

       delta[t]   = sum of k (x[t+k] - x[t-k]) for k = 1, 2 / 10, the ends repeated; of order 2: the delta of the delta
       scaled     = (x - mean) / deviation of a feature, over the training set, the sequence, or all sequences of its
   group; 1 for a deviation of 0 missing    = 0 in place of NaN, and behind all features the same number of marks, 1: it
   was missing; marks are there when the training set has missing values, else a missing value is an error stack      =
   k steps become one of k times the features; the last is filled up with the last step permute    = the steps in an
   order drawn from a seed; all sequences have one length then */
#ifndef FRONT_H
#define FRONT_H
#include "base/json.h"
#include "data/series.h"
#include "data/sound.h"

typedef enum { SCALE_NONE, SCALE_SET, SCALE_SEQUENCE, SCALE_GROUP } front_scale;
extern const char *const front_scales[]; /* "none", "set", "sequence", "group"; ends in NULL */

typedef struct front {
    bool of_sound;
    sound_settings sound; /* what the features were made with */
    int64_t features;     /* of a step as it was read */
    int64_t deltas;       /* 0, 1 or 2 */
    front_scale scale;
    double *mean, *deviation; /* [features * (1 + deltas)] of SCALE_SET; else NULL */
    bool marks;               /* missing values are marked */
    int64_t stack;            /* 1: steps stay as they are */
    uint64_t permute;         /* the seed; 0: steps stay in order */
    int64_t length;           /* of every sequence when permuted, after stacking */
} front;
void front_free(front *f); /* its contents; {0} is fine */

/* With deltas, scale, stack, permute and sound set: the rest from a training set as it was read. */
laco_status front_fit(front *f, const series_set *s, laco_error *err);
/* The set as it was read becomes the inputs of a network; on error it is as it was. */
laco_status front_apply(const front *f, series_set *s, laco_error *err);
int64_t front_inputs(const front *f); /* features of an input: what follows from the above */

void front_to_json(const front *f, json_out *o); /* an object */
laco_status front_from_json(front *f, const json *j, laco_error *err);
#endif
