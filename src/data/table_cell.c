/* What a cell says: a number, a time, nothing. Blanks around it do not count. */
#include "base/number.h"
#include "data/table.h"
#include <math.h>

static bool is_blank(char c) { return c == ' ' || c == '\t'; }
static cell trimmed(cell c)
{
    while (c.n && is_blank(*c.at)) c.at++, c.n--;
    while (c.n && is_blank(c.at[c.n - 1])) c.n--;
    return c;
}

bool cell_is(cell c, const char *text) { return c.at && strlen(text) == c.n && memcmp(c.at, text, c.n) == 0; }

bool cell_missing(cell c)
{
    static const char *const words[] = { "NA", "N/A", "NaN", "nan", "null", "NULL", "?" };
    c = trimmed(c);
    if (c.n > 4) return false; /* the longest of the words */
    for (size_t i = 0; c.n && i < sizeof words / sizeof *words; i++)
        if (cell_is(c, words[i])) return true;
    return !c.n;
}

bool cell_number(cell c, bool decimal_comma, double *out)
{
    c = trimmed(c);
    if (c.n && number_read(c.at, c.n, decimal_comma, out)) return true;
    if (!cell_missing(c)) return false;
    *out = NAN;
    return true;
}

/* ---- times ---- YYYY-MM[-DD][(T| )hh[:mm[:ss[.f]]]][Z|(+|-)hh[[:]mm]], with - or / in the date */
typedef struct time_text {
    const char *at, *end;
} time_text;
static bool take(time_text *t, char c)
{
    if (t->at == t->end || *t->at != c) return false;
    t->at++;
    return true;
}
/* Exactly `digits` of them, from least to most. */
static bool take_number(time_text *t, int digits, int least, int most, int *out)
{
    int n = 0;
    if (t->end - t->at < digits) return false;
    for (int i = 0; i < digits; i++, t->at++) {
        if (*t->at < '0' || *t->at > '9') return false;
        n = n * 10 + (*t->at - '0');
    }
    *out = n;
    return n >= least && n <= most;
}
static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}
/* Days since 1970-01-01, in the Gregorian calendar without a beginning: years begin in March, so that the leap day is
   their last, and 400 years have 146097 days. */
static int64_t days_since(int year, int month, int day)
{
    int64_t y = year - (month < 3), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}
static bool take_date(time_text *t, double *seconds)
{
    int year, month, day = 1;
    if (!take_number(t, 4, 0, 9999, &year)) return false;
    char between = t->at < t->end && *t->at == '/' ? '/' : '-';
    if (!take(t, between) || !take_number(t, 2, 1, 12, &month)) return false;
    if (take(t, between) && !take_number(t, 2, 1, days_in(year, month), &day)) return false;
    *seconds = (double)days_since(year, month, day) * 86400;
    return true;
}
static bool take_clock(time_text *t, double *seconds)
{
    int hour, minute = 0, second = 0;
    double digit = 0.1;
    if (!take_number(t, 2, 0, 24, &hour)) return false;
    if (take(t, ':')) {
        if (!take_number(t, 2, 0, 59, &minute)) return false;
        if (take(t, ':') && !take_number(t, 2, 0, 60, &second)) return false;
        if (take(t, '.'))
            for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++, digit /= 10)
                *seconds += digit * (*t->at - '0');
    }
    *seconds += hour * 3600 + minute * 60 + second;
    return hour < 24 || (minute == 0 && second == 0);
}
static bool take_zone(time_text *t, double *seconds)
{
    int hour, minute = 0;
    if (t->at == t->end || take(t, 'Z')) return true;
    bool east = take(t, '+');
    if (!east && !take(t, '-')) return false;
    if (!take_number(t, 2, 0, 18, &hour)) return false;
    if ((take(t, ':') || t->at < t->end) && !take_number(t, 2, 0, 59, &minute)) return false;
    *seconds += (east ? -60 : 60) * (hour * 60 + minute);
    return true;
}
bool cell_time(cell c, double *out)
{
    c = trimmed(c);
    if (!c.n) return false;
    if (number_read(c.at, c.n, false, out)) return true;
    time_text t = { c.at, c.at + c.n };
    *out = 0;
    if (!take_date(&t, out)) return false;
    if (t.at == t.end) return true;
    if (!take(&t, 'T') && !take(&t, ' ')) return false;
    return take_clock(&t, out) && take_zone(&t, out) && t.at == t.end;
}
