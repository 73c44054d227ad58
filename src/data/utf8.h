/* Whole texts of UTF-8: checking and lower case. Single characters: base/json_utf8.h. */
#ifndef UTF8_H
#define UTF8_H
#include "base/base.h"
size_t utf8_check(const char *s, size_t n);   /* offset of the first byte that is not UTF-8; n when all is well */
/* Lower case of valid text, code point by code point; out holds 2 n bytes. Returns the bytes written. */
size_t utf8_lower(char *out, const char *s, size_t n);
#endif
