/* Different strings, numbered in the order they are first met: labels, groups, names. */
#ifndef INTERN_H
#define INTERN_H
#include "base/base.h"

typedef struct intern intern;
laco_status intern_new(intern **out, laco_error *err);
/* The number of these bytes, which are copied when they are new. */
laco_status intern_add(intern *s, const char *bytes, size_t n, int32_t *number, laco_error *err);
int32_t intern_find(const intern *s, const char *bytes, size_t n); /* -1: not there */
int32_t intern_count(const intern *s);
laco_status intern_forget(intern **s, int32_t most, laco_error *err); /* all of them, where there are more than so many */
const char *intern_text(const intern *s, int32_t number); /* terminated; as long as the set */
void intern_free(intern *s);
#endif
