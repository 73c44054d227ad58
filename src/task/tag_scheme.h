/* Tags of spans: how a name of several words is written as a tag for each word, and what conlleval reads from it.

       iob     I-T inside, B-T only where a span follows another one of its type (Ramshaw & Marcus 1995)
       iob2    every span begins with B-T, then I-T
       iobes   B-T, I-T, E-T the last; S-T a span of one word
       none    tags are no spans

   O is outside. A tag is the letter, and behind the first hyphen the type, which may be missing.

   Where a span begins and ends is decided as conlleval does (Tjong Kim Sang, for the shared task of CoNLL-2000), also
   in odd sequences: a span begins at B, at S, at I or E behind O (or behind E or S), and wherever the type changes; it
   ends in front of such a place, in front of O, and behind E and S. */
#ifndef TAG_SCHEME_H
#define TAG_SCHEME_H
#include "base/base.h"

typedef enum { SCHEME_NONE, SCHEME_IOB, SCHEME_IOB2, SCHEME_IOBES, SCHEMES } tag_scheme;
extern const char *const scheme_names[SCHEMES + 1]; /* ends in NULL */

typedef struct tag_mark {
    char letter;      /* B I E S O, or another one */
    const char *type; /* behind the hyphen; "" */
} tag_mark;
tag_mark tag_read(const char *tag);
bool tag_is_mark(const char *tag);                /* one of O, B, I, E, S, with a type or without */
bool span_begins(tag_mark before, tag_mark here); /* before: {'O', ""} in front of the first word */
bool span_ends(tag_mark before, tag_mark here);   /* that of the word before */

/* Which scheme writes all of these sentences (start [n + 1]); SCHEME_NONE when some tag is no mark or all are O. When
   no scheme writes all, the one that writes most, and *odd is the first word that breaks it, else -1. */
tag_scheme scheme_guess(const char *const *tag, const int64_t *start, int64_t n, int64_t *odd);
/* The first word of a sentence whose tag the scheme would not write there; -1: none. */
int64_t scheme_breaks(tag_scheme s, const char *const *tag, int64_t n);

typedef struct tag_span {
    int64_t from, end;
    const char *type;
} tag_span;
/* The spans of a sentence, at most n; returns how many. */
int64_t spans_of(const char *const *tag, int64_t n, tag_span *out);
/* The letter of word i of a span in a scheme. after: another span of the same type ends in front of it (iob). */
char scheme_letter(tag_scheme s, const tag_span *q, int64_t i, bool after);
/* May `to` follow `from` in iobes? NULL: the beginning, the end. */
bool iobes_follows(const char *from, const char *to);
#endif
