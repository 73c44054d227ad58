/* Arrays of numbers as files hold them: .npy (NumPy format versions 1.0, 2.0 and 3.0) and idx (of MNIST).

   .npy  "\x93NUMPY" major minor, the length of the head (2 bytes, from 2.0 on 4, little-endian), the head: a Python
         dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, then the values.
   idx   0 0 type dimensions, each dimension in 4 bytes, then the values; all big-endian. Type 08 is unsigned byte,
         09 signed byte, 0B short, 0C int, 0D float, 0E double. */
#ifndef ARRAY_H
#define ARRAY_H
#include "base/base.h"

enum { ARRAY_RANK = 8 };
typedef struct array {
    const char *name;  /* of the file, for messages */
    char kind;         /* 'f' floating, 'i' signed, 'u' unsigned, 'b' truth */
    int size;          /* bytes of a value */
    bool big, fortran; /* big-endian; the first dimension runs fastest */
    bool idx;
    int rank;
    int64_t dim[ARRAY_RANK], count; /* count: their product */
    const unsigned char *at;
} array;
/* A view of bytes, which stay with the caller. LACO_EFORMAT: not one of the two, damaged, or of other numbers. */
laco_status array_parse(array *out, const char *bytes, size_t n, const char *name, laco_error *err);
bool array_is(const char *bytes, size_t n);    /* do the first bytes say so? */
double array_value(const array *a, int64_t i); /* i counts as C does: the last dimension fastest */
#endif
