/* Numbers as text, the same in every locale. */
#ifndef NUMBER_H
#define NUMBER_H
#include "base.h"
enum { NUMBER_TEXT = 32 };
/* The whole of s is one finite decimal number: no blanks, no hexadecimal, no "inf". */
bool number_parse(const char *s, double *x);
/* The same of n bytes that need no terminator; comma: the decimal point is a comma. Correctly rounded. */
bool number_read(const char *s, size_t n, bool comma, double *x);
/* The shortest of 15, 16 or 17 digits that reads back to the same double; returns text. x is finite. */
const char *number_print(char text[NUMBER_TEXT], double x);
/* The shortest of 6 to 9 digits that reads back to the same float. */
const char *number_print_float(char text[NUMBER_TEXT], float x);
#endif
