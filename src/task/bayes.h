/* Naive Bayes on what occurs in a line of text, whether once or often (presence): words and pairs of neighbours, or
   characters up to four in a row, or for lines of one length the character at each place.

       log p(c) + sum over the grams of the line of log (n_cg + 1) / (sum_g n_cg + G)

   n_cg: training lines of class c that have gram g; G: grams; p(c) = (lines of c + 1) / (lines + classes). Grams that
   training has not seen say nothing. A gram is known by 48 bits of a hash. At most BAYES_GRAMS are kept, fewer with
   many classes: when there are more, the rarest are dropped, all of one frequency together. */
#ifndef BAYES_H
#define BAYES_H
#include "base/json.h"

typedef enum { GRAMS_WORDS, GRAMS_CHARACTERS, GRAMS_PLACES } gram_kind;
enum { BAYES_GRAMS = 1 << 18, BAYES_COUNTS = 1 << 22 }; /* kept; times classes */

typedef struct bayes bayes;
laco_status bayes_new(bayes **out, gram_kind kind, int32_t classes, laco_error *err);
laco_status bayes_count(bayes *b, const char *line, size_t n, int32_t class, laco_error *err);
laco_status bayes_ready(bayes *b, laco_error *err); /* after the last count, before the first score */
/* log_p [classes]: of the posterior. */
laco_status bayes_score(bayes *b, const char *line, size_t n, double *log_p, laco_error *err);
const char *bayes_about(const bayes *b); /* "naive Bayes, words and pairs" */
int64_t bayes_grams(const bayes *b);
int32_t bayes_classes(const bayes *b);
void bayes_json(const bayes *b, json_out *o); /* an object */
laco_status bayes_parse(bayes **out, const json *v, laco_error *err);
void bayes_free(bayes *b);
#endif
