/* Sets of sounds: a folder with all folders below, a tar archive, or one file. */
#ifndef SOUND_SET_H
#define SOUND_SET_H
#include "data/readers.h"

/* The features of every sound as a sequence, sounds side by side on the threads of o->pool. data.at NULL: data.name is
   a folder; else a tar archive, or the bytes of a sound. */
laco_status sound_set_read(const series_parts *to, bytes_view data, const series_options *o, laco_error *err);
#endif
