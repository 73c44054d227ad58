/* The losses of rows.kernel.c, for the table in softmax.kernel.c. */
#ifndef LOSS_KERNEL_H
#define LOSS_KERNEL_H
#include "loss/loss.h"
#include "math/simd.h"

double N(squared_rows)(pool *p, const output_rows *rows);
double N(bernoulli_rows)(pool *p, const output_rows *rows);
double N(categorical_rows)(pool *p, const output_rows *rows);
#endif
