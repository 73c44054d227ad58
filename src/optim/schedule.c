#include "optim/schedule.h"
#include <math.h>

static double constant_factor(const schedule *s, const schedule_point *at) { return (void)s, (void)at, 1; }
static double step_factor(const schedule *s, const schedule_point *at)
{
    return pow(s->decay, (double)max64(0, at->epoch + 1 - s->decay_start));
}
static double share_of(const schedule_point *at) { return fmin(1, fmax(0, at->share)); }
static double exponential_factor(const schedule *s, const schedule_point *at) { return pow(s->final, share_of(at)); }
static double inverse_sqrt_factor(const schedule *s, const schedule_point *at)
{
    double warm = (double)max64(1, s->warmup);
    return sqrt(warm / fmax(warm, (double)at->update + 1));
}
static double cosine_at(double final, double share)
{
    return final + (1 - final) * 0.5 * (1 + cos(3.14159265358979323846 * share));
}
static double cosine_factor(const schedule *s, const schedule_point *at) { return cosine_at(s->final, share_of(at)); }
static double restarts_factor(const schedule *s, const schedule_point *at)
{
    double all = 0, length = 1;
    for (int64_t i = 0; i < s->periods; i++) all += length, length *= s->period_factor;
    double place = share_of(at) * all; /* in lengths of the first period */
    length = 1;
    for (int64_t i = 1; i < s->periods && place >= length; i++) place -= length, length *= s->period_factor;
    return cosine_at(s->final, fmin(1, place / length));
}
static double one_cycle_factor(const schedule *s, const schedule_point *at)
{
    const double slope = 0.45, low = 0.1;
    double p = share_of(at);
    if (p < 2 * slope) return 1 - (1 - low) * fabs(p - slope) / slope;
    return low + (s->final - low) * (p - 2 * slope) / (1 - 2 * slope);
}
static double plateau_factor(const schedule *s, const schedule_point *at)
{
    return pow(s->decay, (double)at->plateaus);
}

static const struct {
    const char *name, *about;
    double (*factor)(const schedule *, const schedule_point *);
} rows[] = {
    { "constant", "the learning rate stays as it is", constant_factor },
    { "step", "multiplied by --decay after every epoch from --decay-start on (Zaremba et al. 2014)", step_factor },
    { "exponential", "falls by the same factor in equal times, to --lr-final of it", exponential_factor },
    { "inverse-sqrt", "falls with the root of the updates beyond --warmup (Vaswani et al. 2017)", inverse_sqrt_factor },
    { "cosine", "falls along a cosine to --lr-final of it (Loshchilov & Hutter 2017)", cosine_factor },
    { "cosine-restarts", "cosine in --periods parts, each --period-factor times as long as the one before (the same)",
      restarts_factor },
    { "one-cycle",
      "rises from a tenth and falls back, 45 % of the training each, then to --lr-final (Smith & Topin 2018)",
      one_cycle_factor },
    { "plateau", "multiplied by --decay when validation does not improve for --plateau-patience evaluations",
      plateau_factor },
};
enum { ROWS = sizeof rows / sizeof *rows };

const char *schedule_name(int i) { return i >= 0 && i < ROWS ? rows[i].name : NULL; }
const char *schedule_about(int i) { return i >= 0 && i < ROWS ? rows[i].about : NULL; }
laco_status schedule_named(int *row, const char *name, laco_error *err)
{
    for (int i = 0; i < ROWS; i++)
        if (!strcmp(rows[i].name, name)) return *row = i, LACO_OK;
    return fail(err, LACO_EINVAL, -1, "unknown schedule \"%s\"; `laco help schedules` lists them", name);
}
double schedule_lr(const schedule *s, const schedule_point *at)
{
    double warm = at->update < s->warmup ? (double)(at->update + 1) / (double)s->warmup : 1;
    return s->lr * warm * rows[s->row].factor(s, at);
}
bool schedule_waited(const schedule *s, int64_t stale) { return stale % max64(1, s->plateau_patience) == 0; }
