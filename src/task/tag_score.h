/* Figures of tags as conlleval counts them: words whose tag is right; spans that are right when beginning, end and type
   are; precision, recall and F1 of spans, for all and by type. Known and unknown words apart. */
#ifndef TAG_SCORE_H
#define TAG_SCORE_H
#include "base/json.h"
#include "data/intern.h"

typedef struct span_counts {
    int64_t right, said, real; /* spans: both, said by the tagger, in the data */
} span_counts;
double span_precision(span_counts c); /* 0 where nothing was said */
double span_recall(span_counts c);
double span_f1(span_counts c);

enum { WORDS_KNOWN, WORDS_UNKNOWN, WORD_KINDS };
typedef struct tag_counts {
    bool spans;
    int64_t words[WORD_KINDS], right[WORD_KINDS];
    span_counts all;
    span_counts *type; /* [types] in the order of the names */
    intern *types;
    int64_t type_room;
} tag_counts;
laco_status tag_counts_new(tag_counts *c, bool spans, laco_error *err);
void tag_counts_free(tag_counts *c); /* its contents */
/* A sentence: what is right (NULL: not known, left out of the words; for spans O), what was said; unknown[i]: the word
   was not in the training data. */
laco_status tag_count(tag_counts *c, const char *const *real, const char *const *said, const bool *unknown, int64_t n,
                      laco_error *err);
double tag_accuracy(const tag_counts *c);
double tag_accuracy_of(const tag_counts *c, int kind);  /* NaN: there are no such words */
void tag_counts_json(const tag_counts *c, json_out *o); /* members of an object */
#endif
