/* The derivative of what every layer makes in the direction v of the weights, exactly and forwards: J v (the R-operator
   of Pearlmutter 1994, "Fast exact multiplication by the Hessian"). The cells are written once more here, plainly and
   in dual numbers; tests hold them against the layers. */
#ifndef TANGENT_H
#define TANGENT_H
#include "gradient/dual.h"
#include "gradient/sweep.h"

typedef struct tangent tangent;
/* For sequences of up to `rows` = T B steps. Refuses layers and words that it does not know. */
laco_status tangent_new(tangent **out, const net *n, int64_t rows, laco_error *err);
void tangent_free(tangent *t);
void tangent_run(tangent *t, const sequences *s, const double *v); /* at the weights of the network */
const dual *tangent_output(const tangent *t, int l);               /* of layer l, [T][B][out] of the last run */
#endif
