/* A layer: one row of list.h and one file. It maps the rows of a ragged batch (src/cell/recur.h) from `in` to `out`
   numbers, and back. Arrays are of the real type of the kernels, rows at the stride given beside them. */
#ifndef LAYER_H
#define LAYER_H
#include "cell/recur.h"
#include "layer/lexicon.h"

struct layer;
typedef struct layer_spec {
    const char *kind;
    int64_t in, out;
    bool symbols;   /* in is a number of symbols: rows are int32, one each */
    cell_spec cell; /* recurrent; cell.reverse: that direction alone */
    bool bidirectional, residual, learned_state;
    int64_t dilation; /* recurrent: the state of a step comes from so many before; 0: 1 */
    double weight_drop;                  /* of weight_hh: by who trains */
    double activation_reg, temporal_reg; /* penalties on what the cell makes */
    int act;       /* dense */
    bool bias;     /* dense */
    int64_t steps; /* window, smooth: of the past; restore: ahead */
    int64_t season[2], series; /* smooth: steps of its seasons, 0 or 1: none; how many series have parameters */
    struct layer *first;       /* restore: the layer smooth, which is made before it */
    double rate;   /* dropout, embed */
    bool variational; /* dropout: a mask for all steps of a sequence */
    int pool;         /* pool: POOL_LAST, … */
    int64_t size;     /* pool: width of the hidden layer of attention; 0: of the input; nade: units; tokens: of a word */
    /* tokens: width of a character and how many there are, 0: none (the cell reads them); the same of features */
    int64_t chars, alphabet, feature_size[MOST_FEATURES], feature_count[MOST_FEATURES];
    int features;
    bool by_last;     /* pool: the last output weighs the steps */
    int64_t ahead;    /* pool: numbers of its input that were made forwards; the rest was made against time */
    bool read_in_part; /* by a softmax loss, which needs no row whose class is -1 (pass.classes) */
    /* reservoir (layer/reservoir.h): of its size s->out or, with direct, what is before the input in its output */
    int64_t units, groups, drawing; /* drawing: the seed of its topology */
    int topology, weights;
    double density, radius, leak[2], input_scale, bias_scale, noise;
    bool direct, trained;
    int index; /* place in the network: part of the counter of random numbers */
} layer_spec;

enum { POOL_LAST, POOL_MEAN, POOL_MAX, POOL_TIME, POOL_FEATURE, POOL_TIME_FEATURE, POOLS };

typedef struct layer layer;
/* One step of m streams. Every member of the team calls; none is behind the step when the last returns. */
typedef struct step_call {
    int64_t m, ldx, ldy;
    const void *x; /* [m][ldx] reals, or [m] symbols */
    void *y;       /* [m][ldy] */
    const void *s; /* states before and after, [m][state_stride] */
    void *sn;
    void *scratch, *own;
    const void *first; /* the states of the first layer after the step, for those that work on them (restore) */
    team *t;
} step_call;

enum { TAPE_PARTS = 4 };
typedef struct layer_kind {
    const char *name, *about;
    laco_status (*describe)(layer_spec *s, param_tensor *tensors, int *count, laco_error *err); /* sets s->out */
    laco_status (*make)(layer **out, const layer_spec *s, pool *p, laco_error *err);
    void (*free)(layer *l);
    laco_status (*weights)(layer *l, weights_kind kind, laco_error *err); /* what load packs; before reserve */
    void (*load)(layer *l, const void *params, bool train);
    size_t (*bytes)(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes);
    laco_status (*reserve)(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err); /* the tape in place */
    int (*tape)(layer *l, tape_part parts[TAPE_PARTS]);                                         /* how many */
    void (*release)(layer *l); /* frees the buffers of the tape in place */
    /* initial and final states: [B][state_stride] reals, NULL: zeros (or learned), not wanted */
    void (*forward)(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final);
    const void *(*output)(const layer *l, int64_t *ld);
    /* dparams is added to; dx is set, when not NULL; carry in d final, out d initial, [B][state_stride] */
    void (*backward)(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                     int64_t lddx);
    int64_t (*state_stride)(const layer *l); /* reals per row */
    /* Where state k lies in a row, and how many numbers it is; returns how many there are. With dilation: in each of as
       many equal parts of a row. */
    int (*states)(const layer *l, int64_t *at, int64_t *width);
    void (*step_init)(const layer *l, void *row);       /* the state of one stream before its first step */
    int64_t (*step_scratch)(const layer *l, int64_t m); /* reals for all; -1: cannot step */
    int64_t (*step_own)(const layer *l, int64_t m);     /* reals for each member of the team */
    void (*step)(const layer *l, const step_call *c);
    int64_t (*work)(const layer *l); /* multiply-adds of one row of one step */
    /* the cells of a recurrent layer, to look at; NULL with dilation, and of other layers */
    const recur *(*inside)(const layer *l, int direction);
} layer_kind;
#endif
