#include "optim/schedule.h"
#include <math.h>

static double constant_factor(const schedule *s, const schedule_point *at) { return (void)s, (void)at, 1; }
static double step_factor(const schedule *s, const schedule_point *at)
{
    return pow(s->decay, (double)max64(0, at->epoch + 1 - s->decay_start));
}
static double cosine_factor(const schedule *s, const schedule_point *at)
{
    (void)s;
    return 0.01 + 0.99 * 0.5 * (1 + cos(3.14159265358979323846 * fmin(1, at->share)));
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
    { "cosine", "falls along a cosine to 1 % at the end (Loshchilov & Hutter 2017)", cosine_factor },
    { "plateau", "multiplied by --decay when validation does not improve", plateau_factor },
};
enum { ROWS = sizeof rows / sizeof *rows };

const char *const *schedule_names(void)
{
    static const char *const names[ROWS + 1] = { "constant", "step", "cosine", "plateau", NULL };
    return names;
}
laco_status schedule_named(int *row, const char *name, laco_error *err)
{
    for (int i = 0; i < ROWS; i++)
        if (!strcmp(rows[i].name, name)) return *row = i, LACO_OK;
    return fail(err, LACO_EINVAL, -1, "unknown schedule \"%s\"; `laco help schedules` lists them", name);
}
const char *schedule_about(const char *name)
{
    int row = 0;
    return schedule_named(&row, name, NULL) ? NULL : rows[row].about;
}
double schedule_lr(const schedule *s, const schedule_point *at)
{
    double warm = at->update < s->warmup ? (double)(at->update + 1) / (double)s->warmup : 1;
    return s->lr * warm * rows[s->row].factor(s, at);
}
