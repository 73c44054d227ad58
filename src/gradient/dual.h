/* Dual numbers: a value and its derivative in one direction, a + a' e with e^2 = 0. What is computed with them carries
   its exact derivative along, forwards (Wengert 1964, "A simple automatic derivative evaluation program"). Sums and
   differences are those of vectors. */
#ifndef DUAL_H
#define DUAL_H
#include <math.h>

typedef double dual __attribute__((vector_size(2 * sizeof(double)))); /* value, derivative */

static inline dual dual_number(double x) { return (dual){ x, 0 }; }
static inline dual dual_times(dual a, dual b) { return (dual){ a[0] * b[0], a[0] * b[1] + a[1] * b[0] }; }
/* f(a), where f has value y and derivative d there */
static inline dual dual_chain(dual a, double y, double d) { return (dual){ y, d * a[1] }; }
static inline dual dual_tanh(dual a)
{
    double y = tanh(a[0]);
    return dual_chain(a, y, 1 - y * y);
}
static inline dual dual_sigmoid(dual a)
{
    double y = 1 / (1 + exp(-a[0]));
    return dual_chain(a, y, y * (1 - y));
}
static inline dual dual_relu(dual a) { return a[0] > 0 ? a : dual_number(0); }
static inline dual dual_inverse_root(dual a)
{
    double y = 1 / sqrt(a[0]);
    return dual_chain(a, y, -0.5 * y / a[0]);
}
#endif
