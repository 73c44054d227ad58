/* Baselines beside every language model, on the same symbols.

   uniform    log V
   unigram    interpolated with uniform (so an unseen symbol has a probability)
   n-gram     interpolated modified Kneser-Ney, n = 2..5 (Chen & Goodman 1998), discounts from counts of counts, lowest
              order interpolated with uniform. Memory is bounded by the training text; counting is by sorting. */
#ifndef NGRAM_H
#define NGRAM_H
#include "base/base.h"
enum { NGRAM_MAX = 5 };
typedef struct ngram ngram;
/* order 1..NGRAM_MAX; `stop` (may be NULL) is polled: the work ends early with LACO_ESTOPPED. */
laco_status ngram_train(ngram **out, const int32_t *ids, int64_t n, int32_t vocabulary, int order,
                        const volatile int *stop, laco_error *err);
/* Mean negative log-probability in nats per symbol of ids, each predicted from the order-1 symbols before it
   (`before` symbols in front of ids[0] are context that exists in memory: ids[-before] ..). */
double ngram_loss(const ngram *g, const int32_t *ids, int64_t n, int64_t before);
double ngram_probability(const ngram *g, const int32_t *context, int len, int32_t next);   /* sums to 1 over next */
void ngram_free(ngram *g);
#endif
