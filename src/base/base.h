/* Errors, memory, strings: what every file of the library stands on. */
#ifndef BASE_H
#define BASE_H
#include "laco.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Sets *err (when not NULL) and returns code: `return fail(err, LACO_EIO, -1, "…")`. The sentence says what to do. */
laco_status fail(laco_error *err, laco_status code, int64_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
laco_status fail_memory(laco_error *err, size_t bytes);   /* LACO_ENOMEM with the size in the sentence */

/* n elements of `size` bytes, zeroed, aligned to 64 (to 2 MiB with huge pages advised when large); NULL on overflow
   or no memory, never NULL for n = 0. mem_free takes NULL. All memory of the library comes from here. */
void *mem_new(size_t n, size_t size);
void *mem_resize(void *p, size_t old_bytes, size_t new_bytes);   /* contents kept, the rest zeroed; NULL leaves p */
void mem_free(void *p);
char *mem_text(const char *s, size_t n);                         /* a terminated copy of n bytes */
bool mul_overflows(size_t a, size_t b, size_t *product);

/* A growing string. When memory runs out it becomes `failed` and stays as it was: check once at the end. */
typedef struct buf {
    char *data;   /* always terminated once anything was added; NULL before */
    size_t len, cap;
    bool failed;
} buf;
void buf_add(buf *b, const void *bytes, size_t n);
void buf_text(buf *b, const char *s);
void buf_printf(buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_free(buf *b);

static inline int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t ceil_div(int64_t n, int64_t q) { return (n + q - 1) / q; }

/* The name of `names` (NULL-terminated) nearest to `word` by edit distance, or NULL when none is near. */
const char *nearest_name(const char *word, const char *const *names);
#endif
