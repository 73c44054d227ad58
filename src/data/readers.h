/* Readers of sets of sequences. The form is seen from the first bytes, or from the name where they do not tell. */
#ifndef READERS_H
#define READERS_H
#include "data/series.h"
#include "data/sound.h"

struct pool;
typedef struct series_options {
    /* Of .npy and idx the file of the labels or targets, NULL: none, or found beside idx. Of sounds a table with a row
       for a sound: its columns are the file and what is named below. */
    const char *labels;
    const char *label, *group, *target; /* columns of the table; NULL: "label" and "group" where they are; no target */
    /* What the names of sounds say, such as "{label}_{group}_*.wav"; with / also the folders. NULL: without a table the
       folder that a sound is in is its label. */
    const char *pattern;
    const char *rest;      /* labels has the stretches of sounds instead (sound_segment.h); steps outside have this one */
    sound_settings *sound; /* asked for, and the rate as it turned out; NULL: as sound.h says */
    struct pool *pool;     /* sounds are read side by side; NULL: one after the other */
    bool skip_bad;         /* sounds that cannot be read are left out, not an error */
    void (*bad)(void *ctx, const char *file, const char *why); /* with skip_bad; or NULL */
    void *ctx;
} series_options;

/* Any of the forms below, .gz of each, or sounds: a folder of them with all its folders, a .tar or .tar.gz of them, or
   one. The name or the bytes say which. */
laco_status series_read(series_set *out, const char *path, const series_options *o, laco_error *err);
/* The same as sets of at most `most` sequences, in their order, one in memory at a time: of the bytes of a file that is
   not a folder of sounds all are. take owns the set that it is given, also when it fails. */
typedef laco_status series_take(void *ctx, series_set *s, laco_error *err);
typedef struct series_parts {
    int64_t most;
    series_take *take;
    void *ctx;
} series_parts;
laco_status series_read_parts(const char *path, const series_options *o, const series_parts *to, laco_error *err);
/* All at once: the one part goes to *out. */
series_parts series_whole(series_set *out);
/* Would series_read know the form? By the name alone: .ts, .npy, idx..-ubyte, .tar, sounds, each also with .gz, or a
   folder. */
bool series_known(const char *path);
bool series_of_sound(const char *path); /* by the name, or a folder */

/* The same from memory. .ts of the UEA & UCR archives: lines of # and @ first, then after @data a case a line,
   channel:channel:label, the values of a channel between commas, ? where one is missing. */
laco_status series_parse_ts(const series_parts *to, const char *bytes, size_t n, const char *name, laco_error *err);
/* Arrays of .npy (numpy) or idx (MNIST); labels may be NULL. An array [T] is one sequence of a feature, [T][F] one of F
   features, [N][T][F] N sequences; with labels for the first dimension of [N][T], it is N sequences of one feature. Of
   idx all dimensions but the first are steps: an image of 28 x 28 is a sequence of 784; bytes are scaled to 0 .. 1. */
typedef struct bytes_view {
    const char *at, *name;
    size_t n;
} bytes_view;
laco_status series_parse_array(const series_parts *to, bytes_view data, const bytes_view *labels, laco_error *err);
#endif
