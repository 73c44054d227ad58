/* Gradients of a stack of layers against differences of its loss. */
#ifndef GRADIENT_H
#define GRADIENT_H
#include "check/stack.h"
/* Fills weights, inputs, states and the weights of the loss with numbers from seed. */
void gradient_fill(stack *s, uint64_t seed);
typedef struct gradient_worst {
    char name[96];           /* "layer 0 weight_ih" */
    int64_t index;
    double made, difference; /* by backward; by differences */
    double error;            /* in units of what differences can tell: at most 1 when all is well, or a NaN */
} gradient_worst;
/* Runs forward and backward and compares every gradient with a fourth-order central difference; the worst of all. For
   stacks of kernels in double. */
void gradient_check(stack *s, gradient_worst *worst);
#endif
