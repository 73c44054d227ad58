/* The tensors of a golden case. */
#ifndef GOLDEN_FETCH_H
#define GOLDEN_FETCH_H
#include "format/safetensors.h"
/* n numbers in double, freed by mem_free; NULL, with an error, when the file has not just so many of that name. */
double *golden_fetch(const safetensors *file, const char *name, int64_t n, laco_error *err);
#endif
