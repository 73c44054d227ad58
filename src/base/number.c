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

/* The float that digits * 10^-scale reads back to, 0 <= scale <= 22: the quotient of two exact numbers is rounded once;
   rounding it again is the same as rounding the decimal but where it lies in the very middle of two floats. */
static bool float_reads_back(int64_t digits, double power, float x)
{
    union {
        double d;
        uint64_t bits;
    } q = { .d = (double)digits / power };
    return (q.bits & 0x1fffffff) != 0x10000000 && (float)q.d == x;
}
/* 0.0001 <= x < 1000000: whole digits, a point, and the rest without zeros at its end. */
static bool print_common_float(char *text, float x)
{
    static const double power[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12 };
    int scale = 5; /* of 6 digits */
    for (double y = x; y < 1; y *= 10) scale++;
    for (double y = x; y >= 10; y /= 10) scale--;
    for (int last = scale + 3; scale <= last; scale++) {
        int64_t digits = (int64_t)((double)x * power[scale] + 0.5);
        if (!float_reads_back(digits, power[scale], x)) continue;
        for (; scale && digits % 10 == 0; scale--) digits /= 10;
        int64_t unit = (int64_t)power[scale];
        int n = 0;
        char whole[NUMBER_TEXT];
        for (int64_t w = digits / unit; w || !n; w /= 10) whole[n++] = (char)('0' + w % 10);
        while (n) *text++ = whole[--n];
        if (scale) *text++ = '.';
        for (int64_t part = digits % unit; scale; part %= unit) unit /= 10, scale--, *text++ = (char)('0' + part / unit);
        *text = 0;
        return true;
    }
    return false;
}
const char *number_print_float(char text[NUMBER_TEXT], float x)
{
    float size = fabsf(x);
    text[0] = '-';
    if (size >= 1e-4F && size < 1e6F && print_common_float(text + (x < 0), size)) return text;
    for (int digits = 6; digits <= 9; digits++) {
        double back = 0;
        snprintf(text, NUMBER_TEXT, "%.*g", digits, (double)x);
        number_point(text);
        if (number_parse(text, &back) && (float)back == x) break;
    }
    return text;
}
