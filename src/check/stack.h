/* Recurrent layers on top of each other, run forward and backward over one batch, with everything in double at the
   border: what the self test and the tests of the cells feed and compare. Rows come in any order of their lengths; the
   batch that the layers see is sorted and ragged. Slow and simple on purpose. */
#ifndef STACK_H
#define STACK_H
#include "net/kernels.h"

enum { STACK_LAYERS = 8 };
typedef struct stack_layer {
    layer_spec spec;
    const layer_kind *kind;
    layer *layer;
    int tensors;
    param_tensor tensor[2 * MAX_TENSORS + 2];
    int64_t params, stride;      /* reals of a row of state, all directions */
    double *w, *g;               /* [params] */
    double *s0, *sn, *dsn, *ds0; /* initial and final states and their gradients; see stack_state */
    double *y, *h;               /* [T][B][out], as the stack's; h: without the input of a residual layer */
    void *real_w, *real_g, *real_s0, *real_sn, *real_dx;
    int64_t lddx;                /* of real_dx, and of the layer's x below it */
} stack_layer;
typedef struct stack {
    const kernels *k;
    pool *pool;
    int layers, dirs, states;
    stack_layer layer[STACK_LAYERS];
    int64_t at[MAX_STATES], width[MAX_STATES]; /* of one direction */
    int64_t T, B, in, out;
    int64_t *length, *order, *active, *off;    /* length [B] as given; order: row of the sorted batch -> row as given */
    pass pass;
    double *x, *y, *dy, *dx; /* [T][B][in], [T][B][out]; past a row's length y and dx are 0, x and dy are not read */
    void *real_x, *real_dy;
    bool no_initial;         /* the layers get no initial state: theirs is zero, or learned */
} stack;

/* What the layers of specs hold, for the caller to check before memory is taken; fills layer[].tensor and .params. */
laco_status stack_describe(stack *s, const kernels *k, const layer_spec *specs, int layers, int64_t in,
                           laco_error *err);
/* After stack_describe. lengths: [B] from 0 to T, NULL: T each. On error the caller still calls stack_free. */
laco_status stack_make(stack *s, pool *p, int64_t T, int64_t B, const int64_t *lengths, laco_error *err);
void stack_free(stack *s);

/* Where number i of state k of row b (as given) and direction d lies in s0, sn, dsn, ds0 of any layer. */
int64_t stack_state(const stack *s, int d, int k, int64_t b, int64_t i);
void stack_forward(stack *s);  /* w, x, s0 -> y, sn */
void stack_backward(stack *s); /* after forward: dy, dsn -> g, dx, ds0 */
/* Sum of y dy and sn dsn, and the penalties of the layers: the loss whose gradients backward makes. */
double stack_loss(const stack *s);
#endif
