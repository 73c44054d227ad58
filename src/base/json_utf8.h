/* One UTF-8 character at a time, for the reader and the writer of JSON. */
#ifndef JSON_UTF8_H
#define JSON_UTF8_H
#include "base.h"
/* Bytes of the character at s (1 to 4) and its code point; 0 when the n bytes do not begin with a valid character:
   cut short, overlong, a surrogate, above U+10FFFF. code may be NULL. */
size_t json_utf8_next(const char *s, size_t n, uint32_t *code);
size_t json_utf8_put(uint32_t code, char out[4]); /* bytes written; code must be valid */
#endif
