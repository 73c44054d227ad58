/* How the weights of a product for few rows are kept in memory. Included from any file; src/math/narrow.h has the
   products. */
#ifndef WEIGHTS_H
#define WEIGHTS_H
typedef enum { WEIGHTS_FLOAT, WEIGHTS_BF16, WEIGHTS_INT8 } weights_kind;
#endif
