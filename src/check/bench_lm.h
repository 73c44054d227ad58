/* One step of training a language model, as `laco bench` and its peers measure it: embedding, two LSTM layers, softmax,
   Adam, on symbols drawn evenly. */
#ifndef BENCH_LM_H
#define BENCH_LM_H
#include "train/trainer.h"

typedef struct lm_work {
    net *net;
    trainer *t;
    int32_t *ids;
    text_row *row;
    train_batch text;
    int64_t tokens;     /* of one step */
    laco_status status; /* of the steps so far */
} lm_work;
const char *const *lm_work_names(void); /* char, word; tiny to count instructions; NULL-terminated */
laco_status lm_work_new(lm_work **out, const char *name, const kernels *k, pool *p, laco_error *err);
void lm_work_run(void *lm_work);
void lm_work_free(void *lm_work);
double lm_work_flops(const lm_work *w);
#endif
