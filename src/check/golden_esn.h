/* Golden cases of echo state networks, for golden.c. */
#ifndef GOLDEN_ESN_H
#define GOLDEN_ESN_H
#include "format/safetensors.h"
#include "net/kernels.h"
bool golden_is_esn(const safetensors *file);
laco_status golden_esn(safetensors *file, const kernels *k, pool *p, laco_error *err);
#endif
