/* Numbers as text. The C library reads and writes the decimal point of the host program's locale; here it is '.'. */
#include "number.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>

bool number_parse(const char *s, double *x)
{
    size_t n = strlen(s);
    if (n == 0 || strspn(s, "0123456789+-.eE") != n) return false;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain) return false;
    char *end;
    *x = strtod_l(s, &end, plain);
    freelocale(plain);
    return end == s + n && isfinite(*x);
}

/* Whatever stands between the digits as decimal point, of one byte or more, becomes '.'. */
static void number_point(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        bool plain = strchr("0123456789+-e", *from) != NULL;
        if (plain)
            *to++ = *from;
        else if (to[-1] != '.')
            *to++ = '.';
    }
    *to = 0;
}

const char *number_print(char text[NUMBER_TEXT], double x)
{
    for (int digits = 15; digits <= 17; digits++) {
        double back = 0;
        snprintf(text, NUMBER_TEXT, "%.*g", digits, x);
        number_point(text);
        if (number_parse(text, &back) && back == x) break;
    }
    return text;
}
