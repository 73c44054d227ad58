/* One step of a cell in dual numbers; the equations are those at the head of the cell's file in src/cell. */
#ifndef TANGENT_CELL_H
#define TANGENT_CELL_H
#include "gradient/dual.h"
#include "net/net.h"

/* Words that change what a cell computes, by number. */
enum {
    WORD_RELU,
    WORD_SIGMOID,
    WORD_LINEAR,
    WORD_TANH,
    WORD_SIGMOID_OUT,
    WORD_TANH_OUT,
    WORD_PEEPHOLE,
    WORD_FULL,
    WORD_COUPLED,
    WORD_NO_FORGET,
    WORD_NO_INPUT,
    WORD_NO_OUTPUT,
    WORD_LINEAR_IN,
    WORD_LINEAR_OUT,
    WORD_GATE_REC,
    WORD_NORM,
    WORD_NORM_GATES,
    WORDS
};
/* Tensors of one direction, NULL: not there. */
enum {
    OF_INPUT,
    OF_STATE,
    BIAS_INPUT,
    BIAS_STATE,
    PROJECTION,
    BIAS_PROJECTION,
    OWN,
    PEEPHOLE,
    PEEPHOLE_FULL,
    OF_GATES,
    GAIN_INPUT,
    GAIN_STATE,
    NORM_BIAS_INPUT,
    NORM_BIAS_STATE,
    GAIN_CELL,
    NORM_BIAS_CELL,
    ATTENTION,
    ATTENTION_SCORE,
    INITIAL,
    TENSORS
};

typedef struct cell_view {
    int64_t in, H, P; /* inputs, units, outputs */
    double clip;
    bool word[WORDS];
    const dual *w[TENSORS];
    dual *a, *b, *m; /* room for the caller: [4][H] twice, [H] */
    void (*step)(const struct cell_view *c, const dual *x, const dual *s, dual *sn);
    int64_t states; /* numbers of a state: outputs first, the cell state last */
} cell_view;

/* Fills step and states; c has its sizes, words and tensors. */
laco_status cell_view_ready(cell_view *c, const char *cell, laco_error *err);
extern const char *const cell_word_names[WORDS], *const cell_tensor_names[TENSORS];

/* to [n] += W [n][k] x [k] */
static inline void add_matrix_product(dual *to, int64_t n, const dual *W, const dual *x, int64_t k)
{
    for (int64_t i = 0; W && i < n; i++) {
        dual sum = to[i];
        for (int64_t j = 0; j < k; j++) sum += dual_times(W[i * k + j], x[j]);
        to[i] = sum;
    }
}
static inline dual dual_activate(int act, dual a)
{
    return act == 1 ? dual_tanh(a) : act == 2 ? dual_sigmoid(a) : act == 3 ? dual_relu(a) : a;
}
#endif
