/* The fixed weights of a reservoir: which units read which (a function of the description alone), and how they are
   drawn and scaled.

       x(t) = (1 - a) x(t-1) + a f(W_in u(t) + W x(t-1) + b)         (Jaeger 2001; leaky units: Jaeger et al. 2007)

   Every unit reads the same number K of units, so W is [N][K] and no index is kept in a file: reservoir_columns
   computes them again. Parameters of the layer, in this order:

       weight_ih [N][I]    weight_hh [N][K]    bias [N]    leak [N]

   K = N: W is dense, column k is unit k. */
#ifndef RESERVOIR_H
#define RESERVOIR_H
#include "layer/layer.h"

enum { RESERVOIR_RANDOM, RESERVOIR_BLOCKS, RESERVOIR_RING, RESERVOIR_CYCLE, RESERVOIR_DELAY_LINE, RESERVOIR_SMALL_WORLD,
       RESERVOIR_TOPOLOGIES };
enum { RESERVOIR_NEIGHBOURS = 16 }; /* of topology blocks */
enum { RESERVOIR_UNIFORM, RESERVOIR_NORMAL, RESERVOIR_BERNOULLI, RESERVOIR_WEIGHTS };

int64_t reservoir_degree(const layer_spec *s);                /* K */
/* [N][K], freed with mem_free; NULL: no memory. Of topology blocks, units 16 i .. 16 i + 15 of a group read units
   p .. p + 15 of it, K places p drawn for each i. */
int32_t *reservoir_columns(const layer_spec *s);
/* Draws all parameters of the layer: to[weight_ih, weight_hh, bias, leak]. LACO_ENUMERIC when the radius of W is zero
   and the description asks for another. */
laco_status reservoir_draw(const layer_spec *s, uint64_t seed, double *to, laco_error *err);
/* The largest absolute eigenvalue of (1 - leak) + leak W, W [N][K] as in the parameters; leak NULL: of W. */
laco_status reservoir_radius(const layer_spec *s, const double *weight_hh, const double *leak, double *radius,
                             laco_error *err);
#endif
