/* What is known of sounds by their names: labels, groups, numbers to answer. */
#ifndef SOUND_LABEL_H
#define SOUND_LABEL_H
#include "data/readers.h"

/* Fills label, group and target of a set whose names are there: from the table o->labels, whose columns are named by
   o->label, o->group and o->target and whose column of files is the one that names the most of them; else by
   o->pattern; else a sound's folder is its label where there are several. used[count]: is it to be read? With a table
   only what the table names is. */
laco_status sound_label(series_set *s, bool *used, const series_options *o, laco_error *err);
#endif
