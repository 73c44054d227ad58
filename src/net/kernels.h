/* The compiled variants of the kernels, and the choice among them: once, by processor and operating system, capped by
   LACO_ISA=portable|avx2|avx512|neon. */
#ifndef KERNELS_H
#define KERNELS_H
#include "cell/recur.h"
#include "layer/layer.h"
#include "loss/crf.h"
#include "loss/loss.h"
#include "optim/optim.h"
#include "math/measure.h"

typedef struct kernels {
    const char *isa;
    int real_size; /* 4 or 8 bytes */
    const recur_ops *recur;
    const layer_kind *const *layers; /* NULL-terminated */
    const loss_ops *loss;
    const optim_ops *optim;
    const measure_ops *measure;
    const crf_ops *crf;
} kernels;
enum { REAL_FLOAT, REAL_DOUBLE };
/* LACO_EINVAL when LACO_ISA names none that is built; one above what the machine has falls to the best it has. */
laco_status kernels_choose(const kernels **out, int real, laco_error *err);
const kernels *kernels_at(int i,
                          int real); /* every variant that this machine can run, best first; NULL past the last */
const char *kernels_built(void);     /* "portable avx2 avx512" */
const layer_kind *kernels_layer(const kernels *k, const char *name);
#endif
