/* Language models: what training, sampling, evaluation and scoring share. */
#ifndef LM_H
#define LM_H
#include "data/text.h"
#include "format/model.h"
#include "base/json.h"
#include "task/task.h"
#include "train/trainer.h"

/* Symbols of a text. ids[0] is the beginning: <eos>, or a line break, where the unit has one, so that the first symbol
   is predicted too; otherwise it is the first symbol of the text. */
typedef struct lm_text {
    int32_t *ids;
    int64_t n;
    const char *name;
} lm_text;
void lm_text_free(lm_text *t);
laco_status lm_encode(lm_text *out, const vocab *v, const char *bytes, size_t n, const char *name, bool skip,
                      int64_t *skipped, laco_error *err);

typedef struct lm_loss {
    double sum; /* -log p, nats */
    int64_t tokens;
} lm_loss;
double lm_mean(lm_loss l);
void lm_loss_json(json_out *o, const char *key, lm_loss l); /* {"nats", "bits", "perplexity", "tokens"} */

/* Rows of lines: each ends with the symbol `eos`. Returned rows are in the order of the text; freed with mem_free. */
laco_status lm_lines(const lm_text *t, int32_t eos, text_row **rows, int64_t *count, laco_error *err);
/* The rows of a batch longest first; equal lengths keep their order. */
void lm_sort_rows(text_row *rows, int64_t n);
/* The rows in the order of an epoch, a function of seed and epoch (Fisher-Yates), each batch sorted. */
void lm_draw_rows(text_row *rows, int64_t n, int64_t batch, uint64_t seed, int64_t epoch);

laco_status lm_refuse_future(const laco_model *m, laco_error *err);

/* No larger a batch and window than a text of n symbols can fill. */
void lm_fit_window(train_settings *s, int64_t n, bool lines);

/* Loss of rows that stand alone, all->row[0 .. all->B), longest first, in batches; adds to *out. After trainer_load. */
void lm_measure_rows(trainer *t, const train_batch *all, int64_t batch, int64_t tokens, task_job *j, lm_loss *out);

enum { LM_CONTEXT = 512 }; /* symbols before each stream of a measurement that do not count */
/* Loss of a text: as streams with LM_CONTEXT symbols of context each, or line by line. */
laco_status lm_measure(trainer *t, const lm_text *text, const train_settings *s, bool lines, int32_t eos, task_job *j,
                       lm_loss *out, laco_error *err);

/* A trained model with its vocabulary. */
typedef struct lm {
    laco_model *m;
    vocab *v;
    bool lines; /* trained line by line */
} lm;
laco_status lm_open(lm *out, laco_model *m, const task_job *j, laco_error *err); /* the model stays the caller's */
void lm_close(lm *l);
#endif
