/* Word vectors in a text file, as word2vec, GloVe and fastText write them: a word and its numbers on each line, between
   blanks; a first line of two whole numbers (how many, how long) may stand in front. Plain or gzip. */
#ifndef VECTORS_H
#define VECTORS_H
#include "base/base.h"

/* For every word in the order of the file; x [n] is valid until it returns. */
typedef laco_status vector_take(void *ctx, const char *word, size_t bytes, const float *x, int64_t n, laco_error *err);
/* *length: numbers of a vector, of the first line; 0 before. A line that differs, or holds no number where one must be:
   LACO_EFORMAT with file, line and column. */
laco_status vectors_read(const char *path, int64_t *length, vector_take *take, void *ctx, laco_error *err);
laco_status vectors_parse(const char *bytes, size_t n, const char *name, int64_t *length, vector_take *take, void *ctx,
                          laco_error *err);
#endif
