/* Stretches of sounds that have a label: the words of an utterance, who speaks, events. A table with a row for each:
   the sound, where the stretch starts and ends in seconds, the label. Columns are found by their names: start, onset or
   begin; end or offset; label, event_label or what is asked for; the sound by what the cells name. A row without start,
   end and label says that a sound is there, without stretches.

   A step has the label of the stretch start <= m < end that its middle m lies in, else the label of the rest. */
#ifndef SOUND_SEGMENT_H
#define SOUND_SEGMENT_H
#include "data/intern.h"
#include "data/readers.h"

typedef struct sound_segment {
    int64_t sound;
    double start, end;
    int32_t label;
    int64_t line; /* of the table */
} sound_segment;
typedef struct sound_segments {
    sound_segment *row; /* [n] in the order of sounds, then of time; none overlap */
    int64_t n;
    int64_t *first;     /* [sounds + 1] rows of each */
    intern *label;      /* 0: of the rest */
} sound_segments;
/* By o->labels and o->label; rest: the label of the rest. used[i]: does the table name sound i of s? */
laco_status sound_segments_read(sound_segments *out, const series_set *s, bool *used, const series_options *o,
                                laco_error *err);
void sound_segments_free(sound_segments *g);
bool sound_segments_are(const char *path); /* is it a table with columns of start and end? */
/* The label of a step of a sound whose middle is at so many seconds. */
int32_t sound_segment_at(const sound_segments *g, int64_t sound, double seconds);
#endif
