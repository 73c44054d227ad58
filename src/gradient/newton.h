/* Hessian-free optimisation (Martens 2010; Martens & Sutskever 2011, "Learning recurrent neural networks with
   Hessian-free optimization"): a step minimises the quadratic model

       q(p) = g p + 1/2 p (G + lambda I + lambda mu S) p

   by conjugate gradients. G = J' H J is the Gauss-Newton matrix of the loss, J the derivative of the outputs by the
   weights and H = 2 scale I that of the squared loss by the outputs; S is the same with the outputs of the recurrent
   layers at every step (structural damping: steps that upset the states are small). Products with them are exact: J v
   forwards in dual numbers (tangent.h), J' u by the layers' own way back.

   lambda follows Levenberg and Marquardt: the smaller, the better the model foresees the loss. */
#ifndef NEWTON_H
#define NEWTON_H
#include "gradient/tangent.h"
#include "gradient/way.h"

/* ---- products ---- */
typedef struct curvature {
    sweep *w;
    tangent *t;
    const sequences *s;
    double scale, structural; /* of the loss; lambda mu */
    double *states;           /* [layers] rows of what the structural part adds, at states_at */
    int64_t states_at[MAX_LAYERS];
} curvature;
laco_status curvature_new(curvature *c, sweep *w, int64_t rows, laco_error *err); /* rows: T B */
void curvature_free(curvature *c);
/* to = (G + structural S) v; n->g is overwritten. */
void curvature_product(curvature *c, const double *v, double *to);

/* ---- the way ---- */
laco_status newton_make(void **own, sweep *w, const way_settings *s, laco_error *err);
void newton_free(void *own);
void newton_run(const way_call *c);
#endif
