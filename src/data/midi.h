/* Standard MIDI files as piano rolls, and back (Standard MIDI Files 1.0, format 0: one track, format 1: several that
   sound together).

   Read are the notes of all tracks and channels but the drums of channel 10, from note on to note off, in steps of a
   given share of a quarter note: a key sounds from the step nearest to its beginning to the one nearest to its end, at
   least one. Pedals, instruments, loudness and changes of tempo are left out, as are keys that a piano does not have.
   Written is one track, 480 ticks a quarter; a key that sounds in steps one after the other is held. */
#ifndef MIDI_H
#define MIDI_H
#include "data/rolls.h"

typedef struct midi_roll {
    float *step; /* [steps][ROLL_KEYS] 1: the key sounds; freed with mem_free */
    int64_t steps;
    int64_t notes, left_out; /* in steps; of keys out of the range */
    double tempo;            /* quarters a minute at the beginning; 120 when the file does not say */
} midi_roll;
enum { MIDI_MOST_STEPS = 1 << 20 };
laco_status midi_parse(midi_roll *out, const char *bytes, size_t n, double quarters, const char *name, laco_error *err);
/* quarters: of a step; from 1/480 to 64. tempo: quarters a minute, from 4 on. */
void midi_write(buf *to, const float *step, int64_t steps, double quarters, double tempo);
bool midi_is(const char *bytes, size_t n); /* by its first bytes */
bool midi_is_name(const char *path);       /* by its end: .mid or .midi, in capitals or not */

/* One file as the one sequence of a part. */
laco_status midi_rolls(rolls *part, const char *bytes, size_t n, double quarters, const char *name, laco_error *err);
/* All .mid and .midi files of a folder, a sequence each, in order of their names. Those below the folders train, valid
   and test are these parts; where no file is, of every ten the last is for test and the one before for validation (of
   fewer than ten the last two; of fewer than three none). */
typedef struct midi_folder {
    double quarters;
    bool skip_bad; /* files that cannot be read are told of, counted and left out */
    void (*tell)(void *ctx, const char *name, const char *why); /* with skip_bad; or NULL */
    void *ctx;
    int64_t files, bad, left_out; /* set: read; not read; keys out of the range */
    uint64_t hash;                /* set: of all the bytes */
} midi_folder;
bool midi_is_folder(const char *path); /* there are some in it */
laco_status midi_read_folder(rolls part[ROLL_PARTS], const char *path, midi_folder *f, laco_error *err);
#endif
