/* The kernels of one instruction set and real type, as one row for kernels.c. */
#include "math/simd.h"
#include "net/kernels.h"

#define LAYER(name) extern const layer_kind N(name##_layer);
#include "layer/list.h"
#undef LAYER
#define LAYER(name) &N(name##_layer),
static const layer_kind *const layers[] = {
#include "layer/list.h"
    NULL
};
extern const recur_ops N(recur_ops);
extern const loss_ops N(loss_ops);
extern const optim_ops N(optim_ops);
extern const measure_ops N(measure_ops);
extern const crf_ops N(crf_ops);
extern const kernels N(kernels);
const kernels N(kernels) = { STRING(ISA),  sizeof(real),  &N(recur_ops),  layers,
                             &N(loss_ops), &N(optim_ops), &N(measure_ops), &N(crf_ops) };
