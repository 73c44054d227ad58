/* Polyphonic music: what training, measuring and sampling share. */
#ifndef COMPOSE_H
#define COMPOSE_H
#include "data/midi.h"
#include "task/lm.h"

/* Sequences that are trained on, or measured: rows over the steps of a part. */
typedef struct roll_rows {
    const float *x;
    text_row *row, *drawn; /* longest first; in the order of an epoch */
    int64_t n, steps, longest;
} roll_rows;
enum { COUNT_FREQUENCY, COUNT_MARKOV, COUNTS };
typedef struct compose_data {
    rolls part[ROLL_PARTS];
    roll_rows set[ROLL_PARTS];
    lm_loss loss[ROLL_PARTS], baseline[COUNTS][ROLL_PARTS];
} compose_data;

/* The parts of --data: piano rolls in JSON, a MIDI file (all of it ROLL_TRAIN), or a folder of MIDI files. quarters: of
   a step, for MIDI. */
laco_status compose_read(rolls part[ROLL_PARTS], task_job *j, double quarters, laco_error *err);
laco_status compose_parse(rolls part[ROLL_PARTS], const char *bytes, size_t n, double quarters, const char *name,
                          laco_error *err);
/* The rows of a part; with folds those of sequences i with (i % folds == fold) == inside. */
laco_status compose_rows(roll_rows *to, const rolls *r, int64_t folds, int64_t fold, bool inside, laco_error *err);
void compose_data_free(compose_data *d);
train_batch compose_batch(const roll_rows *q, const text_row *row, int64_t n);
laco_status compose_measure(trainer *t, const roll_rows *q, int64_t batch, task_job *j, lm_loss *out, laco_error *err);

/* Baselines that count the training part, over the others. */
void compose_baselines(compose_data *d);
/* One line a method, a column for every part from `first` on that has sequences. */
void compose_report(const compose_data *d, int first, bool baselines, void (*line)(void *ctx, const char *text),
                    void *ctx);
void compose_loss_json(json_out *o, const char *key, lm_loss l);
void compose_json(const compose_data *d, json_out *o); /* losses of the parts, and of the baselines */

/* Steps in quarters, of the model or as --step says. */
double compose_step(const laco_model *m, const options *o);
laco_status compose_check(const laco_model *m, const char *path, laco_error *err); /* it reads and answers keys */
#endif
