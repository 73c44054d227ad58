/* Fitting a network: the loop that every training task shares. Epochs of batches in windows; after each epoch the
   measurement on validation data; the model file, which always holds the best so far; checkpoints, from which a run
   goes on as if it had never been stopped.

   A task hands in its batches by number, so that the place of a run in its data is three integers (epoch, batch, step).
 */
#ifndef FIT_H
#define FIT_H
#include "base/json.h"
#include "format/model.h"
#include "task/task.h"
#include "train/checkpoint.h"
#include "train/log.h"
#include "train/trainer.h"

enum { FIT_METRICS = 4, FIT_LATELY = 33 };
/* What was measured over some data. */
typedef struct fit_score {
    double loss; /* sum over the tokens (or steps) that counted */
    int64_t tokens;
    double metric[FIT_METRICS]; /* in the order of the task's rows */
} fit_score;
double fit_loss(const fit_score *s); /* mean; NaN without tokens */

typedef struct fit_metric {
    const char *name, *about;
    bool higher; /* is better */
} fit_metric;

typedef struct fit_task {
    const fit_metric *metric; /* up to FIT_METRICS, ends in a NULL name; or NULL. "loss" is always there */
    /* The k-th batch of an epoch, a function of the seed, epoch and k alone; out->B 0: the epoch is over. */
    laco_status (*batch)(void *ctx, int64_t epoch, int64_t k, train_batch *out, laco_error *err);
    /* On validation data, after a trainer_load; out->tokens 0: there are none. NULL: nothing is measured. */
    laco_status (*measure)(void *ctx, fit_score *out, laco_error *err);
    void (*say)(void *ctx, const fit_score *s, char *to, size_t n); /* a score in words */
    void (*score_json)(void *ctx, json_out *o, const char *key, const fit_score *s);
    void (*figures)(void *ctx, json_out *o);           /* more members for the metadata "training"; NULL: none */
    bool (*solved)(void *ctx, const fit_score *valid); /* training may end; NULL: never */
} fit_task;

/* Where a run stands, in whole numbers and in others: what a checkpoint keeps beside the trainer. */
typedef struct fit_counts {
    int64_t epoch, batch, step; /* the next window: epochs done, batch of this epoch, step of that batch */
    int64_t done;               /* tokens of this epoch */
    int64_t train_tokens, best_epoch, best_tokens, best_updates, best_clipped;
    int64_t stale, plateaus, solved, rollbacks, validated, log_bytes;
    train_counts trained;
} fit_counts;
typedef struct fit_figures {
    double train_loss, elapsed; /* sum of this epoch; seconds so far */
    double best_loss, best_metric[FIT_METRICS];
    double lately[FIT_LATELY]; /* the last validations, in a ring; the k-th in place k % FIT_LATELY */
    double before;             /* the best of those before the last --average-after */
} fit_figures;

typedef struct fit {
    /* set by fit_settings; a task may lower steps and batch to what its data can fill */
    train_settings s;
    int64_t windows; /* of an epoch, set by a task that knows; 0: as many as its tokens fill */
    int64_t epochs, patience_to_average;
    bool solves; /* --readout ridge: the last layer is solved, not trained */
    /* set by fit_open */
    task_job *j;
    const options *o;
    const fit_task *task;
    void *ctx;
    laco_model *m;
    trainer *t;
    int64_t tokens; /* of an epoch, about */
    /* of the run */
    fit_counts c;
    fit_figures x;
    fit_score train; /* of the epoch */
    void *best;      /* weights of the best validation; NULL: none yet */
    checkpoints *to;
    train_log *log;
    int64_t log_every;
    int judge;                                  /* the metric that says what is best; -1: the loss */
    bool rolls_back;                            /* a loss that is not finite: back to the best */
    double worse;                               /* so is a validation that is worse by this share; 0: off */
    int64_t seen, seen_before;                  /* tokens of this process; before this epoch */
    double began, limit, epoch_began, training; /* seconds: clock, of --minutes, clock, of the epochs before */
    double saved, noted, checked;               /* when the model, a note, a checkpoint was last written */
    double every_seconds;
    int64_t every_updates, checked_update;
    safetensors *from; /* the checkpoint that is being resumed, until its batch goes on; NULL: none */
    bool unsaved, checkpoint_failed, nothing_left; /* to train: what was is judged once more */
} fit;

/* The settings of training that options say. The network is not known yet: ops are those of its kernels. */
laco_status fit_settings(fit *f, const options *o, const kernels *k, laco_error *err);
/* "lstm 64; dropout 0.2; lstm 64; " as --cell, --hidden (0: `hidden`), --layers and --dropout say; with `below` also
   dropout in front of the first. direction: "" or " bidirectional". */
void fit_recurrent(const options *o, int64_t hidden, bool below, const char *direction, buf *out);
/* A new network as options say: --precision, weights drawn by --init and --seed, forget gates from `forget_bias`. */
laco_status fit_weights(net *n, const options *o, double forget_bias, laco_error *err);
/* Trainer, log, checkpoints; with j->resume the state of the run there. tokens: of an epoch, about. */
laco_status fit_open(fit *f, task_job *j, const fit_task *task, void *ctx, laco_model *m, int64_t tokens,
                     laco_error *err);
/* Trains until the epochs, the time, the patience or a stop end it; then the network has the best weights. Afterwards
   fit_save writes the model (again), with the figures that came after training. */
laco_status fit_run(fit *f, laco_error *err);
laco_status fit_save(fit *f, laco_error *err);
void fit_close(fit *f);
fit_score fit_best(const fit *f);
double fit_elapsed(const fit *f); /* seconds of all parts of the run */
/* Metadata and figures that all tasks print: members of the result. */
void fit_json(const fit *f, json_out *o);

/* ---- src/task/fit_readout.c ---- */
laco_status fit_readout(fit *f, laco_error *err); /* in place of an epoch */

/* ---- src/task/fit_log.c ---- */
laco_status fit_log_open(fit *f, laco_error *err);
laco_status fit_log_epoch(fit *f, const fit_score *valid, laco_error *err);
laco_status fit_log_window(fit *f, const window_result *w, laco_error *err);

/* ---- src/task/fit_checkpoint.c ---- */
laco_status fit_checkpoint_open(fit *f, laco_error *err);   /* the folder: a new run, or the state of the one resumed */
void fit_checkpoint(fit *f, int64_t epoch_done, bool best); /* writes one; a failure is told and the run goes on */
bool fit_checkpoint_due(const fit *f);
laco_status fit_resume_batch(fit *f, laco_error *err); /* after trainer_begin: the batch that was stopped goes on */
#endif
