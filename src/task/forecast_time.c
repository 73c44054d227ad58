/* Times of series: seconds since 1970 without leap seconds, in the proleptic Gregorian calendar (days from dates as in
   Hinnant, "chrono-compatible low-level date algorithms"). */
#include "task/forecast.h"
#include <math.h>
#include <stdio.h>

enum { DAY = 86400 };
static const double pi = 3.14159265358979323846;

typedef struct date {
    int64_t year;
    int month, day; /* from 1 */
} date;
static int64_t days_of(date d)
{
    int64_t y = d.year - (d.month <= 2), era = (y >= 0 ? y : y - 399) / 400, in_era = y - era * 400;
    int64_t in_year = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}
static date date_of(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, in_era = z - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100), month = (5 * in_year + 2) / 153;
    date d = { .month = (int)(month < 10 ? month + 3 : month - 9), .day = (int)(in_year - (153 * month + 2) / 5 + 1) };
    d.year = year + era * 400 + (d.month <= 2);
    return d;
}
static int month_days(int64_t year, int month)
{
    date first = { year, month, 1 }, next = { year + month / 12, month % 12 + 1, 1 };
    return (int)(days_of(next) - days_of(first));
}
static int64_t day_of(double time) { return (int64_t)floor(time / DAY); }

/* ---- steps ---- */
static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
/* Months where all differences of one step have as many days as so many months can have. */
static int months_of(const double *sorted, int64_t n, double median)
{
    static const struct {
        int months, least, most; /* days */
    } rows[] = { { 1, 28, 31 }, { 3, 90, 92 }, { 12, 365, 366 } };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        bool fits = median >= rows[k].least * (double)DAY && median <= rows[k].most * (double)DAY;
        bool varies = n < 2 || sorted[0] != sorted[n - 1]; /* every 30 days is no month */
        if (fits && varies) return rows[k].months;
    }
    return 0;
}
laco_status time_step_of(const double *time, int64_t n, bool numbers, time_step *out, laco_error *err)
{
    *out = (time_step){ .numbers = numbers };
    if (n < 2) return LACO_OK;
    double *gap = mem_new((size_t)n - 1, sizeof *gap);
    int64_t count = 0;
    if (!gap) return fail_memory(err, (size_t)n * sizeof *gap);
    for (int64_t i = 1; i < n; i++)
        if (time[i] > time[i - 1]) gap[count++] = time[i] - time[i - 1];
    qsort(gap, (size_t)count, sizeof *gap, rising);
    if (count) out->seconds = gap[count / 2], out->months = numbers ? 0 : months_of(gap, count, out->seconds);
    if (out->months) out->seconds = 0;
    mem_free(gap);
    return LACO_OK;
}
double time_after(double time, time_step s, int64_t steps)
{
    if (!s.months) return time + s.seconds * (double)steps;
    int64_t day = day_of(time);
    date d = date_of(day);
    bool last = d.day == month_days(d.year, d.month); /* the end of a month stays the end */
    int64_t month = d.year * 12 + d.month - 1 + steps * s.months, year = month >= 0 ? month / 12 : (month - 11) / 12;
    date to = { year, (int)(month - year * 12) + 1, d.day };
    int most = month_days(to.year, to.month);
    if (last || to.day > most) to.day = most;
    return time + (double)(days_of(to) - day) * DAY;
}
bool time_steps_between(double from, double to, time_step s, int64_t *steps)
{
    if (s.months) {
        date a = date_of(day_of(from)), b = date_of(day_of(to));
        int64_t months = (b.year - a.year) * 12 + b.month - a.month;
        *steps = months / s.months;
        return months % s.months == 0 && fabs(time_after(from, s, *steps) - to) < 4.0 * DAY;
    }
    double n = s.seconds > 0 ? (to - from) / s.seconds : 0;
    if (!(fabs(n) < 1e15)) return false;
    *steps = (int64_t)llround(n);
    return fabs(n - (double)*steps) < 1e-3;
}
void time_text(double time, time_step s, char to[32])
{
    if (s.numbers || (!s.months && !(s.seconds > 0)) || !(fabs(time) < 2e11)) {
        snprintf(to, 32, "%.15g", time);
        return;
    }
    int64_t day = day_of(time), second = (int64_t)floor(time - (double)day * DAY + 0.5);
    if (second >= DAY) day++, second -= DAY;
    date d = date_of(day);
    bool whole = second == 0 && (s.months || fmod(s.seconds, DAY) == 0);
    int n = snprintf(to, 32, "%04lld-%02d-%02d", (long long)d.year, d.month, d.day);
    if (!whole && n > 0 && n < 20)
        snprintf(to + n, 32 - (size_t)n, " %02d:%02d:%02d", (int)(second / 3600), (int)(second / 60 % 60),
                 (int)(second % 60));
}

/* ---- the calendar ---- */
const char *const calendar_names[CALENDARS + 1] = { "hour", "weekday", "monthday", "year", NULL };

int time_calendar(double time, int calendars, float *to)
{
    int64_t day = day_of(time);
    date d = date_of(day), new_year = { d.year, 1, 1 }, next = { d.year + 1, 1, 1 };
    double share[CALENDARS] = { time / DAY - (double)day, (double)(((day + 3) % 7 + 7) % 7) / 7,
                                (double)(d.day - 1) / month_days(d.year, d.month),
                                (double)(day - days_of(new_year)) / (double)(days_of(next) - days_of(new_year)) };
    int n = 0;
    for (int k = 0; k < CALENDARS; k++)
        if (calendars >> k & 1) to[n++] = (float)sin(2 * pi * share[k]), to[n++] = (float)cos(2 * pi * share[k]);
    return n;
}
/* The place in the year only where several years can tell it from a trend. */
int time_calendar_auto(time_step s, int64_t steps)
{
    if (s.numbers) return 0;
    if (s.months) return s.months < 12 ? CALENDAR_YEAR : 0;
    double days = s.seconds * (double)steps / DAY;
    if (!(s.seconds > 0)) return 0;
    return (s.seconds < DAY ? CALENDAR_HOUR : 0) | (s.seconds <= DAY ? CALENDAR_WEEKDAY : 0) |
           (s.seconds <= 31 * DAY && days >= 2 * 365 ? CALENDAR_YEAR : 0);
}
int64_t time_season(time_step s)
{
    if (s.months) return s.months <= 12 ? 12 / s.months : 1;
    if (s.numbers || !(s.seconds > 0)) return 1;
    double in_day = DAY / s.seconds;
    if (s.seconds < DAY) return in_day == floor(in_day) && in_day <= 10000 ? (int64_t)in_day : 1;
    return s.seconds == DAY ? 7 : s.seconds == 7 * DAY ? 52 : 1;
}
