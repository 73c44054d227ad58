/* Sequences of a long-memory task laid out for a network, and what a network answers to them. */
#ifndef DRAWN_H
#define DRAWN_H
#include "data/synthetic.h"
#include "net/net.h"
#include "train/trainer.h"

typedef struct drawn {
    float *x, *y;     /* [positions][inputs], [positions][outputs], one sequence after the other */
    int32_t *classes; /* [positions] */
    float *out;       /* [positions][outputs] what a network answered */
    text_row *row;    /* [count] in the order of the set */
    text_row *sorted; /* longest first */
    int64_t count, positions, rows;
} drawn;
/* Sequences first .. first+count-1 of a set. */
laco_status drawn_make(drawn *q, const synth *s, synth_set set, int64_t first, int64_t count, laco_error *err);
void drawn_free(drawn *q);
train_batch drawn_batch(const drawn *q, const synth *s); /* the sequences that were drawn last */

/* A network that only runs: its memory and windows. */
typedef struct answers {
    net *n;
    int64_t batch, steps, ldx;
    float *x;              /* [steps * batch][ldx] of a window */
    int64_t *active, *off; /* [steps], [steps + 1] */
} answers;
laco_status answers_new(answers *a, net *n, int64_t batch, int64_t steps, laco_error *err);
void answers_free(answers *a);
/* All sequences of a set, in batches; ends early when *stop. */
laco_status answers_measure(answers *a, drawn *q, const synth *s, synth_set set, const volatile int *stop,
                            synth_score *to, laco_error *err);
#endif
