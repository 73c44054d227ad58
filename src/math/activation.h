/* Activation functions by number, and their derivatives written in the value y. */
#ifndef ACTIVATION_H
#define ACTIVATION_H
#include "math/act.h"
#include "math/simd.h"

INLINE vec activate(int act, vec x)
{
    if (act == ACT_TANH) return vtanh(x);
    if (act == ACT_SIGMOID) return vsigmoid(x);
    return act == ACT_RELU ? vmax(splat(0), x) : x;
}
INLINE vec d_activate(int act, vec y)
{
    if (act == ACT_TANH) return dtanh(y);
    if (act == ACT_SIGMOID) return dsigmoid(y);
    return act == ACT_RELU ? select_vec((vec_int)(y > 0), splat(1), splat(0)) : splat(1);
}
#endif
