/* A record of text as one line of words or characters: what is between its ends, line breaks turned into blanks.

   With `split` every run of blanks becomes one, and punctuation stands apart from words: a run of one mark is a word of
   its own. Apostrophes and hyphens between letters or digits stay inside (don't, well-known), and so do points, commas
   and colons between digits (3.14, 12:30). */
#ifndef WORDS_H
#define WORDS_H
#include "base/base.h"

typedef struct line_options {
    bool lower, split;
} line_options;
/* Appends the line and its line break. Bytes that are not UTF-8 are kept as they are. */
laco_status words_line(buf *to, const char *text, size_t n, const line_options *o, laco_error *err);

/* The next run of bytes that are not blanks, from *at on; false at the end or at a line break. */
bool words_next(const char *line, size_t n, size_t *at, const char **word, size_t *length);
#endif
