/* Golden cases of conditional random fields, for golden.c. */
#ifndef GOLDEN_CRF_H
#define GOLDEN_CRF_H
#include "format/safetensors.h"
#include "net/kernels.h"
bool golden_is_crf(const safetensors *file);
laco_status golden_crf(safetensors *file, const kernels *k, pool *p, laco_error *err);
#endif
