/* Series that come a part at a time, in memory of the steps that are still read: what is kept of each and what is new
   stand one behind the other, on the grid of the model's times. */
#include "task/anomaly.h"
#include <math.h>

static int64_t find(const forecast_data *d, const char *name, int64_t likely)
{
    for (int64_t k = 0; k < d->count; k++) {
        int64_t i = (k + likely) % d->count;
        if (name ? d->name[i] && !strcmp(d->name[i], name) : !d->name[i]) return i;
    }
    return -1;
}
static int64_t length(const forecast_data *d, int64_t i) { return d->start[i + 1] - d->start[i]; }

/* Steps that are missing between what was kept of series i and series k of what came. */
static laco_status gap_before(const forecast_front *f, const forecast_data *kept, int64_t i, const forecast_data *more,
                              int64_t k, int64_t *gap, laco_error *err)
{
    const int64_t at = more->line[more->start[k]];
    const char *name = more->name[k];
    int64_t steps = 1;
    *gap = 0;
    if (!kept->time || !length(kept, i) || f->columns.gaps == GAPS_IGNORE) return LACO_OK;
    if (!time_steps_between(kept->time[kept->start[i + 1] - 1], more->time[more->start[k]], f->step, &steps) ||
        steps < 1)
        return fail(
            err, LACO_EFORMAT, at,
            "%s line %lld: its time%s%.40s is not later than the one before it, or lies between two steps; times "
            "must rise by the step of the model",
            more->file, (long long)at, name ? " of series " : "", name ? name : "");
    if (steps > 1 && f->columns.gaps == GAPS_ERROR)
        return fail(
            err, LACO_EFORMAT, at,
            "%s line %lld: %lld steps%s%.40s are missing before it; a model that was trained with --gaps mask takes "
            "them as missing values",
            more->file, (long long)at, (long long)steps - 1, name ? " of series " : "", name ? name : "");
    return *gap = steps - 1, LACO_OK;
}
static void copy_steps(forecast_data *to, int64_t at, const forecast_data *from, int64_t begin, int64_t n)
{
    const size_t of = sizeof(double);
    if (n <= 0) return;
    memcpy(to->y + at * to->targets, from->y + begin * to->targets, (size_t)(n * to->targets) * of);
    memcpy(to->past_x + at * to->past, from->past_x + begin * to->past, (size_t)(n * to->past) * of);
    memcpy(to->future_x + at * to->future, from->future_x + begin * to->future, (size_t)(n * to->future) * of);
    memcpy(to->line + at, from->line + begin, (size_t)n * sizeof *to->line);
    if (to->time) memcpy(to->time + at, from->time + begin, (size_t)n * of);
}
static laco_status take_room(forecast_data *d, int64_t count, int64_t steps, bool times, laco_error *err)
{
    const size_t n = (size_t)steps, of = sizeof(double);
    d->start = mem_new((size_t)count + 1, sizeof *d->start), d->known = mem_new((size_t)count, sizeof *d->known);
    d->name = mem_new((size_t)count, sizeof *d->name), d->line = mem_new(n, sizeof *d->line);
    d->static_x = mem_new((size_t)(count * d->statics), sizeof *d->static_x);
    d->y = mem_new(n * (size_t)d->targets, of), d->past_x = mem_new(n * (size_t)d->past, of);
    d->future_x = mem_new(n * (size_t)d->future, of);
    if (times) d->time = mem_new(n, of);
    d->count = count;
    if (!d->start || !d->known || !d->name || !d->line || !d->static_x || !d->y || !d->past_x || !d->future_x ||
        (times && !d->time))
        return fail_memory(err, n * of);
    for (int64_t i = 0; i < steps * d->targets; i++) d->y[i] = NAN;
    for (int64_t i = 0; i < steps * d->past; i++) d->past_x[i] = NAN;
    for (int64_t i = 0; i < steps * d->future; i++) d->future_x[i] = NAN;
    return LACO_OK;
}
static laco_status take_names(forecast_data *d, int64_t at, const forecast_data *from, int64_t i, laco_error *err)
{
    const char *name = from->name[i];
    if (name && !(d->name[at] = mem_text(name, strlen(name)))) return fail_memory(err, strlen(name));
    for (int64_t k = 0; k < d->statics; k++) {
        const char *text = from->static_x[i * d->statics + k];
        if (!(d->static_x[at * d->statics + k] = mem_text(text, strlen(text)))) return fail_memory(err, strlen(text));
    }
    return LACO_OK;
}
/* Steps up to the last that has a value. */
static void count_known(forecast_data *d, int64_t i)
{
    int64_t n = length(d, i) * d->targets;
    while (n > 0 && isnan(d->y[d->start[i] * d->targets + n - 1])) n--;
    d->known[i] = ceil_div(n, max64(1, d->targets));
}
/* For each series of both, kept ones first: where it is in either, -1: not there. */
typedef struct pairing {
    int64_t *old, *new, *gap, count, steps;
} pairing;
static laco_status pair(pairing *p, const forecast_front *f, const forecast_data *kept, const forecast_data *more,
                        int64_t keep, laco_error *err)
{
    const size_t n = (size_t)(kept->count + more->count);
    laco_status st = LACO_OK;
    p->old = mem_new(n, sizeof *p->old), p->new = mem_new(n, sizeof *p->new), p->gap = mem_new(n, sizeof *p->gap);
    if (!p->old || !p->new || !p->gap) return fail_memory(err, 3 * n * sizeof *p->old);
    for (int64_t i = 0; i < kept->count; i++) p->old[i] = i, p->new[i] = -1;
    p->count = kept->count;
    for (int64_t k = 0; !st && k < more->count; k++) {
        int64_t i = kept->count ? find(kept, more->name[k], k) : -1;
        if (i < 0) i = p->count++, p->old[i] = -1;
        p->new[i] = k;
        if (p->old[i] >= 0 && length(more, k)) st = gap_before(f, kept, i, more, k, &p->gap[i], err);
        p->gap[i] = min64(p->gap[i], keep); /* what was before a longer gap is not read any more */
    }
    for (int64_t i = 0; i < p->count; i++)
        p->steps += (p->old[i] >= 0 ? min64(keep, length(kept, p->old[i])) : 0) + p->gap[i] +
                    (p->new[i] >= 0 ? length(more, p->new[i]) : 0);
    return st;
}
static laco_status join(forecast_data *d, int64_t *fresh, const pairing *p, const forecast_data *kept,
                        const forecast_data *more, int64_t keep, laco_error *err)
{
    laco_status st = LACO_OK;
    int64_t at = 0;
    for (int64_t i = 0; !st && i < p->count; i++) {
        int64_t old = p->old[i], new = p->new[i], stay = old >= 0 ? min64(keep, length(kept, old)) : 0;
        d->start[i] = at;
        if (stay) copy_steps(d, at, kept, kept->start[old + 1] - stay, stay), at += stay;
        for (int64_t g = 0; g < p->gap[i]; g++, at++)
            if (d->time) d->time[at] = time_after(more->time[more->start[new]], more->step, g - p->gap[i]);
        fresh[i] = at - d->start[i];
        if (new >= 0) copy_steps(d, at, more, more->start[new], length(more, new)), at += length(more, new);
        st = take_names(d, i, old >= 0 ? kept : more, old >= 0 ? old : new, err);
        d->start[i + 1] = at, count_known(d, i);
    }
    return st;
}
laco_status forecast_tail_add(forecast_tail *t, const forecast_front *f, const forecast_data *more, int64_t keep,
                              laco_error *err)
{
    forecast_tail to = { .d = { .targets = more->targets, .past = more->past, .future = more->future } };
    pairing p = { 0 };
    to.d.statics = more->statics, to.d.step = f->step;
    laco_status st = pair(&p, f, &t->d, more, keep, err);
    if (!st) st = take_room(&to.d, p.count, p.steps, more->time != NULL, err);
    if (!st && !(to.fresh = mem_new((size_t)p.count, sizeof *to.fresh))) st = fail_memory(err, (size_t)p.count);
    if (!st) st = join(&to.d, to.fresh, &p, &t->d, more, keep, err);
    if (!st) st = name_list_copy(&to.d.target, &more->target, err);
    if (!st && !(to.d.file = mem_text(more->file, strlen(more->file)))) st = fail_memory(err, 1);
    mem_free(p.old), mem_free(p.new), mem_free(p.gap);
    if (st) return forecast_tail_free(&to), st;
    forecast_tail_free(t), *t = to;
    return LACO_OK;
}
void forecast_tail_free(forecast_tail *t)
{
    forecast_data_free(&t->d), mem_free(t->fresh);
    *t = (forecast_tail){ 0 };
}
