/* Training one window at a time: the gradients of windows in time, clipping, optimizer, learning-rate schedule; and
   measuring.

   A batch is B rows over flat arrays, each with its own start and length; it is walked in windows of `steps`, the
   states carried from one window to the next (truncated backpropagation through time, Williams & Peng 1990). Streams of
   a long text, lines of their own and sequences of numbers are the same thing with other starts and lengths. */
#ifndef TRAINER_H
#define TRAINER_H
#include "net/window.h"
#include "optim/schedule.h"

/* The first `quiet` steps of a row are context: they do not count. */
typedef struct text_row {
    int64_t start, length, quiet;
} text_row;
typedef struct train_batch {
    /* a text: row b predicts ids[start .. start+length) each from the symbols before it; ids[start-1] must exist.
       circular > 0: positions are taken modulo that, from ids[first] on. With classes or y: it reads ids[start ..
       start+length) themselves and is told at every step what to answer */
    const int32_t *ids;
    int64_t circular, first;
    /* or numbers: row b reads x[start .. start+length) and is told, at every step, the class or the numbers to answer
     */
    const float *x;         /* [positions][inputs] */
    const int32_t *classes; /* [positions] with softmax; -1: the step does not count; NULL: the next symbol */
    const float *y;         /* [positions][targets] with the other losses; NaN: does not count */
    const struct lexicon *lexicon; /* of ids that are types (layer/lexicon.h), or NULL */
    const float *unit;      /* [positions] of targets that are counts: what their mean is counted in; NULL: 1 */
    const text_row *row;    /* [B] longest first */
    int64_t B;
    /* says what stands at a position, for messages: "line 7 of book.txt"; NULL: its number is told */
    void (*where)(void *ctx, int64_t position, char *to, size_t size);
    void *ctx;
} train_batch;

typedef struct train_settings {
    int64_t steps, batch; /* window; most rows of a batch */
    int64_t advance;      /* steps to the next window, up to `steps`; 0: as many. Fewer: the windows overlap, and only
                             the steps that no window before has judged count (BPTT(h; h') of Williams & Peng 1990) */
    int64_t accumulate;   /* windows of an update; 0: one */
    loss_kind loss;
    loss_options loss_options;
    int optimizer;
    optim_step optim; /* lr, gradient_scale and update are set by the trainer */
    schedule schedule;
    double clip, clip_value; /* 0: off */
    double weight_noise;     /* deviation of what is added to the weights that a window sees (Graves 2011) */
    double gradient_noise;   /* eta: N(0, eta / (1 + updates)^0.55) is added to gradients (Neelakantan et al. 2015) */
    double average;          /* decay of the moving average of weights that is measured and kept; 0: none */
    bool average_waits;      /* until trainer_average is called */
    double smoothing;        /* of labels */
    const double *class_weight; /* [classes] of the loss of a step, by its class, where there are classes; NULL: 1 */
    bool skip_nan;           /* an update that is not finite is left out; else it is an error */
    double outlier;          /* an update is left out whose loss or norm is so many deviations above the mean; 0: off */
    size_t memory;           /* most bytes for weights, gradients, optimizer and a window; 0: no bound */
    uint64_t seed;
    bool per_sequence; /* the loss of a window is summed over time and averaged over rows, not over tokens */
} train_settings;

/* Mean and variance of the recent past, with weights that fall by 1/100 an update. */
typedef struct train_drift {
    double mean, variance;
    int64_t seen;
} train_drift;
/* What training has counted so far: a part of every checkpoint. */
typedef struct train_counts {
    int64_t windows, pending;     /* walked; of them since the last update */
    int64_t waiting_tokens;       /* steps of the windows that wait */
    int64_t updates, clipped;     /* of the weights; of them with a gradient that was cut to --clip */
    int64_t not_finite, outliers; /* updates that were left out */
    int64_t fresh;                /* the next window does not begin where the last one ended: that is not finite */
    int64_t averaging, averaged;  /* whether the average goes on; weights in it */
    double rate_factor;           /* of the learning rate, beside its schedule */
    double waiting_loss;          /* of the windows that wait */
    train_drift loss, norm;       /* of the mean loss and of the logarithm of the norm */
} train_counts;

typedef struct trainer trainer;
laco_status trainer_new(trainer **out, net *n, const train_settings *s, laco_error *err);
void trainer_free(trainer *t);
typedef struct train_memory {
    size_t weights, window; /* bytes of weights, gradients, optimizer; of activations and buffers */
    window_plan plan;
} train_memory;
laco_status trainer_memory(const net *n, const train_settings *s, train_memory *out, laco_error *err);
/* One window of a batch. */
typedef struct window_result {
    double loss;     /* sum over the steps that counted */
    int64_t tokens;  /* steps that counted */
    double norm, lr; /* of the gradient before clipping, when the weights were updated */
    enum { NOT_YET, UPDATED, NOT_FINITE, OUTLIER } update; /* whether the weights were changed; why they were not */
} window_result;
void trainer_begin(trainer *t, const train_batch *b); /* the next window starts the batch */
bool trainer_more(const trainer *t);
/* One window, and an update when it completes one. LACO_ENUMERIC: it is not finite and was left out. */
laco_status trainer_window(trainer *t, schedule_point at, window_result *out, laco_error *err);
/* Where the last update that was not finite began to be so: layer, gate, step, row, place in the data. The first is
   looked for, and every one that is an error. */
const char *trainer_trouble(const trainer *t);
/* The update of the windows that still wait for one. */
laco_status trainer_flush(trainer *t, schedule_point at, window_result *out, laco_error *err);
void trainer_average(trainer *t); /* the average begins now (NT-ASGD: Merity et al. 2017) */
/* The averaged weights in place of those that are trained, or those again. Without an average nothing happens. */
void trainer_show_average(trainer *t, bool on);
laco_status trainer_load(trainer *t, laco_error *err);                         /* the weights, before measuring */
void trainer_measure_window(trainer *t, window_result *out, double *log_prob); /* [rows of the window] or NULL */
/* What the last layer reads in the next window, [rows][ld], and what is asked for there: classes [rows], -1: not counted,
   or y [rows][targets], NaN: not counted. After trainer_load. */
typedef struct window_units {
    int64_t rows, ld, targets;
    const void *units;
    const int32_t *classes;
    const float *y;
} window_units;
window_units trainer_units_window(trainer *t);
/* Rows and steps of the window just done: row r belongs to the batch's row r - off[step]. */
const ragged *trainer_ragged(const trainer *t);
int64_t trainer_position(const trainer *t); /* first step of the window just done */
const train_counts *trainer_counted(const trainer *t);

/* ---- what a checkpoint keeps of a trainer ---- numbers in memory of the trainer, to be read or set in place */
typedef struct train_part {
    const char *name;
    void *data;
    int64_t n; /* numbers of the real type of the network */
} train_part;
enum { TRAIN_PARTS = 6 + MAX_LAYERS };
/* The weights, the state of the optimizer, the gradient of windows that wait for their update and, inside a batch, the
 * states of its rows before the next window. */
int trainer_parts(trainer *t, train_part parts[TRAIN_PARTS]);
/* After weights were put in place by hand: the optimizer begins anew, at `factor` of the learning rate. */
void trainer_restart(trainer *t, double factor);
void trainer_count(trainer *t, const train_counts *c); /* what was counted before */
void trainer_seek(trainer *t, int64_t step);           /* after trainer_begin: the next window begins there */
int64_t trainer_next(const trainer *t);                /* first step of the next window */
#endif
