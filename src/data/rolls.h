/* Piano rolls: polyphonic music as the set of keys that sound at every time step.

   The file is JSON, as the sets of Boulanger-Lewandowski, Bengio & Vincent 2012 are passed on:

       { "train": [ [ [60, 64, 67], [], ... ], ... ], "valid": [ ... ], "test": [ ... ] }

   a part is a list of sequences, a sequence a list of steps, a step the list of the MIDI notes that sound, 21 to 108;
   -1 stands for a voice that is silent. "valid" and "test" may be missing.

   In memory every sequence begins with a step of silence, so that with y = step + ROLL_KEYS the row
   (start[i], start[i+1] - start[i] - 1) reads silence and then every step but the last, and answers every step. */
#ifndef ROLLS_H
#define ROLLS_H
#include "base/base.h"

enum { ROLL_LOW = 21, ROLL_KEYS = 88 };
enum { ROLL_TRAIN, ROLL_VALID, ROLL_TEST, ROLL_PARTS };

typedef struct rolls {
    float *step;    /* [start[count]][ROLL_KEYS] 1: the key sounds */
    int64_t *start; /* [count + 1] */
    int64_t count;  /* sequences; 0: the part is missing */
    int64_t steps;  /* without the silent ones that were put in front */
} rolls;
laco_status rolls_parse(rolls part[ROLL_PARTS], const char *bytes, size_t n, const char *name, laco_error *err);
void rolls_free(rolls *r);
#endif
