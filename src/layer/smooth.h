/* What the layers smooth and restore share: for each row the level and the seasons of the steps ahead, which one takes
   out of the numbers and the other puts back, and on the way back their gradient. */
#ifndef SMOOTH_H
#define SMOOTH_H
#include "layer/layer_kernel.h"

typedef struct smooth_ahead {
    int64_t steps, ld, cap;
    real *value, *d; /* [R][ld]; of training */
} smooth_ahead;
/* Of a layer of kind "smooth". */
smooth_ahead *N(smooth_ahead_of)(layer *l);
/* to[steps]: what it would put there after the step that left stream i in these states. */
void N(smooth_state_ahead)(const layer *l, const void *states, int64_t i, real *to);
#endif
