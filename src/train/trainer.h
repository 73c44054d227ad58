/* Training on symbols: gradients of windows in time, clipping, optimizer, learning-rate schedule, and measuring.

   A batch is B rows of a text, each with its own start and length; it is walked in windows of `steps`, the states
   carried from one window to the next (truncated backpropagation through time, Williams & Peng 1990). Streams of a long
   text and lines of their own are the same thing with other starts and lengths. */
#ifndef TRAINER_H
#define TRAINER_H
#include "net/net.h"
#include "optim/schedule.h"

/* Row b predicts ids[start .. start+length) each from the symbols before it; ids[start-1] must exist. The first `quiet`
   symbols are context: they do not count. circular > 0: positions are taken modulo that. */
typedef struct text_row {
    int64_t start, length, quiet;
} text_row;
typedef struct text_batch {
    const int32_t *ids;
    const text_row *row;        /* [B] longest first */
    int64_t B, circular, first; /* first: ids[first] is the beginning of the circle */
} text_batch;

typedef struct train_settings {
    int64_t steps, batch; /* window; most rows of a batch */
    int optimizer;
    optim_step optim; /* lr, gradient_scale and update are set by the trainer */
    schedule schedule;
    double clip, clip_value; /* 0: off */
    uint64_t seed;
    bool per_sequence;       /* the loss of a window is summed over time and averaged over rows, not over tokens */
} train_settings;

typedef struct trainer trainer;
laco_status trainer_new(trainer **out, net *n, const train_settings *s, laco_error *err);
void trainer_free(trainer *t);
size_t trainer_bytes(const net *n, const train_settings *s); /* activations and buffers, beside weights */
/* One window of a batch. */
typedef struct window_result {
    double loss;     /* sum of -log p */
    int64_t tokens;  /* that counted */
    double norm, lr; /* of the gradient before clipping */
} window_result;
void trainer_begin(trainer *t, const text_batch *b); /* the next window starts the batch */
bool trainer_more(const trainer *t);
laco_status trainer_window(trainer *t, schedule_point at, window_result *out, laco_error *err); /* and one update */
void trainer_measure_window(trainer *t, window_result *out, double *log_prob); /* [rows of the window] or NULL */
/* Rows and steps of the window just done: row r belongs to the batch's row r - off[step]. */
const ragged *trainer_ragged(const trainer *t);
int64_t trainer_position(const trainer *t); /* first step of the window just done */
int64_t trainer_updates(const trainer *t);
net *trainer_net(const trainer *t);
#endif
