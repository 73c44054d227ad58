/* Sequences of the tasks on numbers and on symbols without a grammar. x is [T][inputs]; see synthetic.h. */
#include "data/synthetic_make.h"
#include "base/rng.h"
#include <math.h>

/* A sequence owns 2^24 counters for each thing drawn; sets and sequences lie apart. */
synth_draw draw_begin(const synth *s, synth_set set, int64_t index, int what)
{
    return (synth_draw){ .seed = s->seed,
                         .counter = (uint64_t)set << 62 | (uint64_t)index << 25 | (uint64_t)what << 24 };
}
double draw_uniform(synth_draw *d) { return rng_uniform(d->seed, RNG_SYNTHETIC, d->counter++); }
double draw_normal(synth_draw *d, double deviation)
{
    return deviation * rng_normal(d->seed, RNG_SYNTHETIC, d->counter++);
}
int64_t draw_below(synth_draw *d, int64_t n) { return (int64_t)(draw_uniform(d) * (double)n); }

int64_t length_fixed(const synth *s, synth_set set, int64_t index)
{
    (void)set, (void)index;
    return s->size[0];
}
int64_t length_tenth(const synth *s, synth_set set, int64_t index)
{
    synth_draw d = draw_begin(s, set, index, DRAW_LENGTH);
    return s->size[0] + draw_below(&d, s->size[0] / 10 + 1);
}

/* Adding and multiplication: a value in [0,1) and a mark at each step; one mark in each half. The target of the last
   step is the sum or the product of the marked values. */
void make_marked(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    synth_draw d = draw_begin(s, set, index, DRAW_CONTENT);
    int64_t first = draw_below(&d, T / 2), second = T / 2 + draw_below(&d, T - T / 2);
    for (int64_t t = 0; t < T; t++) x[2 * t] = (float)draw_uniform(&d);
    x[2 * first + 1] = x[2 * second + 1] = 1;
    to.y[T - 1] = s->task->variant == MARKED_SUM ? x[2 * first] + x[2 * second] : x[2 * first] * x[2 * second];
}

/* Copy: `length` of `symbols` symbols, then blanks until `delay` steps later a mark asks for them; blanks are to be
   given until then. Inputs: the symbols, blank, mark; classes: the symbols, blank. */
void shape_copy(const synth *s, int64_t *inputs, int64_t *outputs)
{
    *inputs = s->size[2] + 2, *outputs = s->size[2] + 1;
}
int64_t length_copy(const synth *s, synth_set set, int64_t index)
{
    (void)set, (void)index;
    return s->size[0] + 2 * s->size[1];
}
void make_copy(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    synth_draw d = draw_begin(s, set, index, DRAW_CONTENT);
    int64_t length = s->size[1], blank = s->size[2], mark = blank + 1;
    for (int64_t t = 0; t < T; t++) {
        int64_t symbol = t < length ? draw_below(&d, blank) : t == T - length - 1 ? mark : blank;
        x[t * s->inputs + symbol] = 1;
        if (t < T - length) to.classes[t] = (int32_t)blank;
        if (t < length) to.classes[T - length + t] = (int32_t)symbol;
    }
}

/* Temporal order, three bits: E, then a, b, c or d at random, but X or Y at t1, t2 and t3; B at the end, where the
   class is the order of the X and Y. Inputs: E B a b c d X Y. At T = 100: t1 in 10..20, t2 in 33..43, t3 in 66..76. */
void make_order(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    static const int from[] = { 10, 33, 66 };
    enum { E, B, A, X = A + 4 };
    synth_draw d = draw_begin(s, set, index, DRAW_CONTENT);
    int64_t at[3], unit = s->size[0], class = 0;
    for (int i = 0; i < 3; i++) at[i] = from[i] * unit / 100 + draw_below(&d, unit / 10 + 1);
    for (int64_t t = 0; t < T; t++) {
        int64_t symbol = A + draw_below(&d, 4);
        for (int i = 0; i < 3; i++)
            if (t == at[i]) symbol = X + draw_below(&d, 2), class = 2 * class + symbol - X;
        x[t * s->inputs + (t == 0 ? E : t == T - 1 ? B : symbol)] = 1;
    }
    to.classes[T - 1] = (int32_t) class;
}

/* Parity: at every step, whether the number of ones so far is odd. */
void make_parity(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    synth_draw d = draw_begin(s, set, index, DRAW_CONTENT);
    bool odd = false;
    for (int64_t t = 0; t < T; t++) {
        bool one = draw_below(&d, 2);
        odd ^= one, x[t] = one, to.y[t] = odd;
    }
}

/* Flip-flop: on each of three channels a pulse of 1 or -1 now and then; each output holds the last pulse of its
   channel. Before the first one nothing is asked. */
void make_flip_flop(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    const int64_t channels = s->inputs;
    synth_draw d = draw_begin(s, set, index, DRAW_CONTENT);
    for (int64_t i = 0; i < T * channels; i++) {
        double u = draw_uniform(&d) * (double)s->size[1];
        if (u < 1) x[i] = u < 0.5 ? -1 : 1;
        if (x[i] != 0)
            to.y[i] = x[i];
        else if (i >= channels)
            to.y[i] = to.y[i - channels];
    }
}

/* Noise and signal on one channel: the first `signal` numbers are 1 or -1, the class, the others noise of variance 0.2.
   NOISY_SIGNAL: that noise on the signal too. NOISY_TARGET: targets 0.2 and 0.8 with noise of variance 0.1, in
   training. */
void make_noisy(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    synth_draw d = draw_begin(s, set, index, DRAW_CONTENT);
    bool one = draw_below(&d, 2);
    int variant = s->task->variant;
    for (int64_t t = 0; t < T; t++) {
        double noise = draw_normal(&d, sqrt(0.2));
        bool signal = t < s->size[1];
        x[t] = (float)((signal ? one ? 1 : -1 : 0) + (signal && variant != NOISY_SIGNAL ? 0 : noise));
    }
    double noise = draw_normal(&d, sqrt(0.1)), target = variant == NOISY_TARGET ? one ? 0.2 : 0.8 : one;
    to.y[T - 1] = (float)(variant == NOISY_TARGET && set == SYNTH_TRAIN ? target + noise : target);
}

/* Noise on other channels: b, then x or y, then at least `length` of `symbols` distractors, each further one with
   probability 9/10, then e, where the class is x or y. Inputs: the distractors, e, b, x, y. */
void shape_channels(const synth *s, int64_t *inputs, int64_t *outputs) { *inputs = s->size[1] + 4, *outputs = 2; }
int64_t length_channels(const synth *s, synth_set set, int64_t index)
{
    synth_draw d = draw_begin(s, set, index, DRAW_LENGTH);
    int64_t T = s->size[0] + 3, most = 3 * s->size[0] + 300;
    while (T < most && draw_uniform(&d) < 0.9) T++;
    return T;
}
void make_channels(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    synth_draw d = draw_begin(s, set, index, DRAW_CONTENT);
    int64_t p = s->size[1], class = draw_below(&d, 2);
    for (int64_t t = 0; t < T; t++) {
        int64_t symbol = t == 0 ? p + 1 : t == 1 ? p + 2 + class : t == T - 1 ? p : draw_below(&d, p);
        x[t * s->inputs + symbol] = 1;
    }
    to.classes[T - 1] = (int32_t) class;
}
