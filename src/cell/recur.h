/* One recurrent layer in one direction, over ragged batches: what networks see of the cells.

   A ragged batch holds its rows (sequences) sorted by length, longest first; active[t] rows take part in step t and
   their data lie at rows off[t] .. off[t+1]-1 of every [R] array. There is no padding in time. */
#ifndef RECUR_H
#define RECUR_H
#include "base/base.h"
#include "base/pool.h"
#include "math/weights.h"

enum { MAX_SECTIONS = 4, MAX_SLOTS = 16, MAX_STATES = 5, MAX_CELL_PARAMS = 24, MAX_TENSORS = 20, MAX_SHARED = 4 };

typedef struct ragged {
    int64_t T, B, R;       /* steps, rows, sum of active */
    const int64_t *active; /* [T] falling, at most B */
    const int64_t *off;    /* [T+1] */
} ragged;

/* What the network hands to every pass of a window. Random numbers are functions of the seed, the update, and the place
   of a row (or a step) in the whole window: the first ones of a part that is walked on its own count those before it. */
typedef struct pass {
    ragged b;
    bool train;
    uint64_t update; /* number of the update */
    uint64_t seed;   /* of the run */
    int64_t first_row, first_step, steps; /* steps: of the whole window; 0: there is no more than this part */
    double token_scale;                   /* what the loss of a row counts in the whole: 1 / rows for a mean */
    const struct lexicon *lexicon;        /* what stands behind symbols (layer/lexicon.h); NULL: nothing */
    const int32_t *classes; /* [R] of a softmax loss: -1: the row does not count; NULL: all may */
    const float *target;    /* [R][targets] the numbers that another loss asks for, for layers that look; NULL: unknown */
    int64_t targets;
} pass;
/* A tape is what forward leaves behind for backward: buffers, and numbers about the batch. It lies in parts of a layer's
   own memory; a network with several tapes exchanges the contents of these parts. */
typedef struct tape_part {
    void *at;
    size_t size;
} tape_part;
#define TAPE_FIELDS(l, first, last)                                                                                    \
    (tape_part) { &(l)->first, (size_t)((char *)(&(l)->last + 1) - (char *)&(l)->first) }

/* How a tensor is drawn by an initialiser (src/net/init.c). */
typedef enum { INIT_INPUT, INIT_RECURRENT, INIT_BIAS, INIT_PEEPHOLE, INIT_ONE, INIT_ZERO, INIT_RESERVOIR } init_role;
typedef struct param_tensor {
    char name[64]; /* within its layer: "weight_ih", … */
    int rank;
    int64_t shape[4], size, offset; /* offset into the parameters of the layer, in reals */
    init_role role;
    int gates;        /* row blocks: each is drawn as a matrix of its own */
    int forget_block; /* block of the forget gate in a bias, -1: none */
    bool fixed;       /* never learns: its gradient is 0, and no optimizer, decay, noise or average touches it */
} param_tensor;

/* What a description says about a cell. */
typedef struct cell_spec {
    const char *cell;
    int64_t inputs, hidden, project; /* project 0: none */
    unsigned words;                  /* bits of the cell's words (rows of cell_info.words) */
    int biases;                      /* 0 none, 1 as in the papers, 2 as in PyTorch; -1: the cell's default */
    double clip;                     /* bounds gate pre-activations to +-clip; 0: none */
    bool reverse;                    /* from each row's last step to its first */
    /* regularisers: probabilities, 0: none. See recur_masks.h */
    double variational, recurrent_dropout, zoneout[2]; /* zoneout of the cell state, and of the state that is the output */
    int place; /* of the layer and direction in the network: part of the counters of random numbers, below 2^8 */
} cell_spec;
typedef struct cell_word {
    const char *word;
    unsigned bit, excludes;
    const char *about;
} cell_word;
typedef struct cell_alias {
    const char *word, *means, *about; /* "greff-cifg": "peephole coupled" */
} cell_alias;
typedef struct cell_info {
    const char *name, *about;
    const cell_word *words;    /* ends in NULL word; or NULL */
    const cell_alias *aliases; /* ends in NULL word; or NULL */
    bool projects;             /* can `project` */
    int biases;                /* default */
} cell_info;

/* What can be looked at by name: a gate or a state. Gates after a forward with memory for training; backward leaves in
   their place the gradients of their pre-activations. */
typedef enum { RANGE_SIGMOID, RANGE_TANH, RANGE_OPEN } value_range;
typedef struct recur_part {
    const char *name; /* "forget gate", "cell state" */
    value_range range;
    int slot, state; /* one of them; the other is -1 */
    int64_t width;
} recur_part;
enum { MAX_PARTS = MAX_SLOTS + MAX_STATES };

typedef struct recur recur;
typedef struct recur_ops {
    const cell_info *(*cell)(int i); /* the rows of the list of cells; NULL past the last */
    /* Describes the tensors of a cell; used before any memory is taken. */
    laco_status (*describe)(const cell_spec *spec, param_tensor *tensors, int *count, laco_error *err);
    int64_t (*state_size)(
        const cell_spec *spec); /* reals of one row of state without padding; of a spec that describes */
    laco_status (*make)(recur **out, const cell_spec *spec, pool *p, laco_error *err); /* weights' packed memory */
    void (*free)(recur *r);
    int64_t (*out_width)(const recur *r);                       /* project or hidden */
    int64_t (*state_stride)(const recur *r);                    /* reals of one row of state */
    int (*states)(const recur *r, int64_t *at, int64_t *width); /* where state k lies in such a row */
    int64_t (*work_per_row)(const recur *r);                    /* multiply-adds of one step of one row */
    laco_status (*weights)(recur *r, weights_kind kind, laco_error *err); /* what load packs; before reserve */
    void (*load)(recur *r, const void *params, bool train);               /* packs the weights */
    /* Memory for up to `rows` = R and `batch` = B; later batches of that size or less allocate nothing. */
    laco_status (*reserve)(recur *r, int64_t rows, int64_t batch, bool train, laco_error *err);
    /* what reserve takes, for so many tapes */
    size_t (*bytes)(const recur *r, int64_t rows, int64_t batch, bool train, int64_t tapes);
    tape_part (*tape)(recur *r);
    void (*release)(recur *r); /* frees the buffers of the tape in place */
    /* x [R][ldx]; initial [B][state_stride] or NULL for zeros. Afterwards output(t-block) and final are readable. */
    void (*forward)(recur *r, const pass *p, const void *x, int64_t ldx, const void *initial);
    /* y[R][*ld] of the last forward, rows in the order of off[] when the direction is forward. */
    const void *(*output)(const recur *r, int64_t t, int64_t *ld);
    /* [B][state_stride]; a row of length 0 gets its initial (NULL: zeros) */
    void (*final)(const recur *r, const void *initial, void *state);
    /* dy [R][ldy]; carry [B][state_stride]: in d final, out d initial state. dparams is added to; dx set (or, with
       add_dx, added to) when not NULL. Reads x again. Destroys the activations of forward. */
    void (*backward)(recur *r, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx, int64_t lddx,
                     bool add_dx);
    /* One step of m rows in memory of the caller: states s -> sn, [m][state_stride] each; scratch of step_scratch reals
       for all of the team, step_own reals for every member. */
    int64_t (*step_scratch)(const recur *r, int64_t m);
    int64_t (*step_own)(const recur *r, int64_t m);
    void (*step)(const recur *r, int64_t m, const void *x, int64_t ldx, const void *s, void *sn, void *scratch,
                 void *own, team *t);
    int (*parts)(const recur *r, recur_part out[MAX_PARTS]);
    /* The values of a part in one row at step t, a state after the step: out[width]. */
    void (*look)(const recur *r, const recur_part *p, int64_t t, int64_t row, double *out);
} recur_ops;
#endif
