/* One golden case: a .safetensors file with the inputs, weights, outputs and gradients of a recurrent network that
   other programs computed. */
#ifndef GOLDEN_H
#define GOLDEN_H
#include "net/kernels.h"
typedef enum { GOLDEN_PASSED, GOLDEN_FAILED, GOLDEN_SKIPPED } golden_result;
/* reason: what differs, what is wrong with the file, or why it is skipped; "" when it passed. */
golden_result golden_run(const char *path, const kernels *k, pool *p, char *reason, size_t size);
#endif
