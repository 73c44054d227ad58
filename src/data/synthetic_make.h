/* What the rows of src/data/synthetic.c draw their sequences with. */
#ifndef SYNTHETIC_MAKE_H
#define SYNTHETIC_MAKE_H
#include "data/synthetic.h"

/* Random numbers of one sequence, one after the other. */
typedef struct synth_draw {
    uint64_t seed, counter;
} synth_draw;
enum { DRAW_LENGTH, DRAW_CONTENT }; /* the length of a sequence and what stands in it are drawn apart */
synth_draw draw_begin(const synth *s, synth_set set, int64_t index, int what);
double draw_uniform(synth_draw *d);
double draw_normal(synth_draw *d, double deviation);
int64_t draw_below(synth_draw *d, int64_t n); /* 0 .. n-1 */

int64_t length_fixed(const synth *s, synth_set set, int64_t index);
int64_t length_tenth(const synth *s, synth_set set, int64_t index); /* between T and T + T/10 */
int64_t length_copy(const synth *s, synth_set set, int64_t index);
int64_t length_channels(const synth *s, synth_set set, int64_t index);
int64_t length_grammar(const synth *s, synth_set set, int64_t index);
int64_t length_counting(const synth *s, synth_set set, int64_t index);

typedef void synth_maker(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to);
synth_maker make_marked, make_copy, make_order, make_parity, make_flip_flop, make_noisy, make_channels, make_grammar,
    make_counting;
void shape_copy(const synth *s, int64_t *inputs, int64_t *outputs);
void shape_channels(const synth *s, int64_t *inputs, int64_t *outputs);
void shape_counting(const synth *s, int64_t *inputs, int64_t *outputs);
uint32_t possible_grammar(const synth *s, int64_t T, const float *x);
laco_status grammar_ready(synth *s, laco_error *err); /* hashes the training set */
enum { NOISY_PLAIN, NOISY_SIGNAL, NOISY_TARGET };     /* variants of make_noisy */
enum { MARKED_SUM, MARKED_PRODUCT };                  /* of make_marked */
enum { GRAMMAR_PLAIN, GRAMMAR_EMBEDDED };             /* of make_grammar */
enum { COUNTING_AB = 2, COUNTING_ABC };               /* of make_counting: its letters */
#endif
