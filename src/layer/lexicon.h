/* What stands behind the symbols of the layer tokens: a symbol is a type, a word as it is written with what is known of
   it. Held by whoever makes the batches, handed in with every pass; it may be another one each time. */
#ifndef LEXICON_H
#define LEXICON_H
#include <stdint.h>

enum { MOST_CHARS = 64, MOST_FEATURES = 8 }; /* characters of a type that are read; columns of features */
typedef struct lexicon {
    const int32_t *word;  /* [types] 0: a word that is not known */
    const float *forget;  /* [types] how often in training the word is taken for word 0; NULL: never */
    const int32_t *chars; /* characters of type i: chars[first[i] .. first[i + 1]), at most MOST_CHARS */
    const int64_t *first;
    const int32_t *feature; /* [types][features] */
    int64_t features;
} lexicon;
#endif
