/* Numbers as text. The C library reads and writes the decimal point of the host program's locale; here it is '.'. */
#include "number.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>

/* What a text spells: (-1)^minus * digits * 10^exponent. */
typedef struct decimal {
    uint64_t digits;
    int exponent;
    bool minus, rounded; /* rounded: there are more digits than fit */
} decimal;
enum { DECIMAL_EXPONENT = 100000, DECIMAL_SHORT = 512 };

static bool number_digit(char c) { return c >= '0' && c <= '9'; }

/* Digits from s on; returns their end. Those that do not fit into 64 bits are left out. */
static const char *number_digits(decimal *d, const char *s, const char *end, bool fraction)
{
    for (; s < end && number_digit(*s); s++) {
        if (d->digits >= UINT64_MAX / 10 - 1) {
            d->rounded = true;
            continue;
        }
        d->digits = d->digits * 10 + (uint64_t)(*s - '0');
        d->exponent -= fraction;
    }
    return s;
}
static const char *number_exponent(decimal *d, const char *s, const char *end)
{
    int e = 0;
    bool minus = s < end && *s == '-';
    if (s < end && (*s == '-' || *s == '+')) s++;
    if (s == end) return NULL;
    for (; s < end && number_digit(*s); s++)
        if (e < DECIMAL_EXPONENT) e = e * 10 + (*s - '0');
    d->exponent += minus ? -e : e;
    return s;
}
static bool number_scan(decimal *d, const char *s, size_t n, char point)
{
    const char *end = s + n;
    if (s < end && (*s == '-' || *s == '+')) d->minus = *s++ == '-';
    const char *whole = s;
    s = number_digits(d, s, end, false);
    bool digits = s > whole;
    if (s < end && *s == point) {
        const char *fraction = s + 1;
        s = number_digits(d, fraction, end, true);
        digits |= s > fraction;
    }
    if (!digits) return false;
    if (s < end && (*s == 'e' || *s == 'E')) s = number_exponent(d, s + 1, end);
    return s == end;
}

/* digits * 10^exponent, rounded once, when the power fits into 64 bits. Of a quotient of 128 by 64 bits at least 63 are
   known, and whether there are more: more than a double keeps. */
static bool number_exact(const decimal *d, double *x)
{
    typedef unsigned __int128 wide;
    enum { LARGEST = 19, WORD = 64 };
    static const uint64_t power[LARGEST + 1] = { 1u,
                                                 10u,
                                                 100u,
                                                 1000u,
                                                 10000u,
                                                 100000u,
                                                 1000000u,
                                                 10000000u,
                                                 100000000u,
                                                 1000000000u,
                                                 10000000000u,
                                                 100000000000u,
                                                 1000000000000u,
                                                 10000000000000u,
                                                 100000000000000u,
                                                 1000000000000000u,
                                                 10000000000000000u,
                                                 100000000000000000u,
                                                 1000000000000000000u,
                                                 10000000000000000000u };
    int e = d->exponent;
    if (d->rounded || e < -LARGEST || e > LARGEST) return false;
    if (!d->digits || !e)
        *x = (double)d->digits;
    else if (d->digits <= 1ull << 53 && abs(e) <= 15) /* both are exact: one operation rounds once */
        *x = e < 0 ? (double)d->digits / (double)power[-e] : (double)d->digits * (double)power[e];
    else if (e > 0)
        *x = (double)((wide)d->digits * power[e]);
    else {
        int shift = WORD + __builtin_clzll(d->digits);
        wide top = (wide)d->digits << shift, quotient = top / power[-e];
        *x = ldexp((double)(quotient | (quotient * power[-e] != top)), -shift);
    }
    if (d->minus) *x = -*x;
    return true;
}

/* The C library's conversion, for the rare others. */
static bool number_hard(const char *s, size_t n, char point, double *x)
{
    char near[DECIMAL_SHORT], *far = n < sizeof near ? NULL : mem_text(s, n), *text = far ? far : near;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    bool ok = plain && (far || n < sizeof near);
    if (ok) {
        if (!far) memcpy(near, s, n), near[n] = 0;
        char *comma = strchr(text, point);
        if (comma) *comma = '.';
        *x = strtod_l(text, NULL, plain);
    }
    if (plain) freelocale(plain);
    mem_free(far);
    return ok && isfinite(*x);
}

bool number_read(const char *s, size_t n, bool comma, double *x)
{
    decimal d = { 0 };
    char point = comma ? ',' : '.';
    return number_scan(&d, s, n, point) && (number_exact(&d, x) || number_hard(s, n, point, x));
}

bool number_parse(const char *s, double *x) { return number_read(s, strlen(s), false, x); }

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
