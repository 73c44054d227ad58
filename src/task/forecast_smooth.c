/* --model es-rnn: the hybrid of exponential smoothing and recurrent layers that won the M4 competition (Smyl 2020),
   with one difference: it is linear in the logarithms of values (of series that are not positive, in the values by
   their deviation), where the original divides.

       smooth M [M2] series S window W; CELL H [dilation D] …; dense; restore HORIZON

   Level and seasons of every series are parameters of the network (src/layer/smooth.kernel.c); recurrent layers after
   the first look back 4 steps, then one season, then two (dilated: Chang et al. 2017), the second of each pair around a
   shortcut. A row is a whole series, from its beginning. What is learned begins where a decomposition of the first
   four long seasons puts it:

       trend    centred mean over the longest season
       season   mean of value - trend at each of its phases; of a second season, of what the first one leaves
       level    mean of value - seasons over the first season */
#include "task/forecast.h"
#include "net/net.h"
#include <math.h>

enum { HOURS_OF_A_DAY = 24, HOURS_OF_A_WEEK = 168, SEASONS = 2, FIRST_SEASONS = 4, MOST_WINDOW = 512 };

bool forecast_is_smooth(const options *o)
{
    const char *model = options_text(o, "model");
    return model && !strcmp(model, "es-rnn");
}
laco_status forecast_smooth_make(forecast_front *f, const options *o, const forecast_data *d, laco_error *err)
{
    bool positive = true;
    int64_t longest = 0;
    if (f->targets != 1 || f->way != WAY_DIRECT || d->past || d->future || d->statics || f->lags || f->difference ||
        f->deseasonalise)
        return fail(
            err, LACO_EINVAL, -1,
            "--model es-rnn smooths each series by itself: it takes one target, --strategy direct, and no other "
            "columns, lags, --difference or --deseasonalise");
    if (f->loss != LOSS_PINBALL && f->loss != LOSS_SQUARED && f->loss != LOSS_ABSOLUTE && f->loss != LOSS_HUBER)
        return fail(err, LACO_EINVAL, -1,
                    "--model es-rnn answers numbers or quantiles: --loss absolute, squared, huber or pinball");
    for (int64_t i = 0; i < d->start[d->count]; i++) positive &= !(d->y[i] <= 0);
    for (int64_t i = 0; i < d->count; i++) longest = max64(longest, d->known[i]);
    f->smooth = true, f->log = positive, f->scale = positive ? SCALE_NONE : SCALE_SERIES, f->calendar = 0;
    f->window = FORECAST_WHOLE;
    f->second_season = options_int(o, "second-season");
    if (!f->second_season && f->season == HOURS_OF_A_DAY && longest >= 3 * HOURS_OF_A_WEEK)
        f->second_season = HOURS_OF_A_WEEK;
    return LACO_OK;
}
static int64_t longest_season(const forecast_front *f) { return max64(f->season, f->second_season); }
int64_t forecast_smooth_quiet(const forecast_front *f, int64_t n) { return min64(longest_season(f), n / 2); }
void forecast_smooth_text(const forecast_front *f, const options *o, buf *out)
{
    const int64_t layers = max64(1, options_int(o, "layers")), dilation[] = { 1, 4, f->season, 2 * f->season };
    const int64_t window = min64(MOST_WINDOW, max64(longest_season(f), 4));
    const double drop = options_real(o, "dropout");
    buf_printf(out, "smooth %lld", (long long)max64(1, f->season));
    if (f->second_season > 1) buf_printf(out, " %lld", (long long)f->second_season);
    buf_printf(out, " series %lld window %lld; ", (long long)f->known, (long long)window);
    for (int64_t i = 0; i < layers; i++) {
        if (i && drop > 0) buf_printf(out, "dropout %g; ", drop);
        buf_printf(out, "%s %lld", options_text(o, "cell"), (long long)options_int(o, "hidden"));
        if (dilation[i % 4] > 1) buf_printf(out, " dilation %lld", (long long)dilation[i % 4]);
        buf_printf(out, "%s; ", i % 2 ? " residual" : "");
    }
    buf_printf(out, "dense; restore %lld", (long long)f->horizon);
}

/* ---- where it begins ---- */
typedef struct first_look {
    double *season[SEASONS]; /* [m] */
    double *rest;            /* [n] of the value */
    int64_t m[SEASONS], n;
    const line *l;
} first_look;
static double value(const first_look *q, int64_t t)
{
    double a, b;
    line_scale(q->l, t, t, 1, 0, &a, &b);
    return (line_at(q->l, t, 0) - b) / a;
}
static void take_trend(first_look *q, int64_t m)
{
    for (int64_t t = 0; t < q->n; t++) {
        int64_t from = max64(0, min64(t - m / 2, q->n - m)), to = min64(q->n, from + m), count = 0;
        double sum = 0;
        for (int64_t s = from; s < to; s++)
            if (!isnan(value(q, s))) sum += value(q, s), count++;
        q->rest[t] = count ? value(q, t) - sum / (double)count : NAN;
    }
}
static void take_season(first_look *q, int k)
{
    const int64_t m = q->m[k];
    for (int64_t p = 0; p < m; p++) {
        double sum = 0, count = 0;
        for (int64_t t = p; t < q->n; t += m)
            if (!isnan(q->rest[t])) sum += q->rest[t], count++;
        q->season[k][p] = count > 0 && m > 1 ? sum / count : 0;
    }
    for (int64_t t = 0; t < q->n; t++) q->rest[t] -= q->season[k][t % m];
}
static double first_level(const first_look *q)
{
    double sum = 0, count = 0;
    for (int64_t t = 0, end = max64(q->m[0], 4); t < q->n && (t < end || count < 1); t++) {
        double x = value(q, t) - q->season[0][t % q->m[0]] - q->season[1][t % q->m[1]];
        if (!isnan(x)) sum += x, count++;
    }
    return count > 0 ? sum / count : 0;
}
static void put(net *n, const char *name, int64_t series, const double *x, int64_t width)
{
    const param_tensor *t = net_find(n, name);
    for (int64_t i = 0; t && i < width && width == t->size / t->shape[0]; i++)
        net_set(n, t->offset + series * width + i, x[i]);
}
laco_status forecast_smooth_begin(net *n, const forecast_front *f, const line *lines, const int64_t *train,
                                  laco_error *err)
{
    const double rate = 0.3, slow = 0.1, gain = 8; /* of the level, of the seasons; rate_gain of the layer */
    const double rates[1 + SEASONS] = { log(rate / (1 - rate)) / gain, log(slow / (1 - slow)) / gain,
                                        log(slow / (1 - slow)) / gain };
    const int64_t m[SEASONS] = { max64(1, f->season), max64(1, f->second_season) }, most = max64(m[0], m[1]);
    double *room = mem_new((size_t)(m[0] + m[1] + FIRST_SEASONS * most), sizeof *room);
    if (!room) return fail_memory(err, (size_t)most * sizeof *room);
    for (int64_t i = 0; i < f->known; i++) {
        first_look q = {
            .season = { room, room + m[0] }, .rest = room + m[0] + m[1], .m = { m[0], m[1] }, .l = &lines[i]
        };
        q.n = min64(train[i], FIRST_SEASONS * most);
        if (q.n >= most) q.n -= q.n % most;
        take_trend(&q, min64(most, q.n)), take_season(&q, 0), take_season(&q, 1);
        const double level = first_level(&q);
        put(n, "layers.0.rates", i, rates, 1 + (m[0] > 1) + (m[1] > 1)), put(n, "layers.0.level", i, &level, 1);
        if (m[0] > 1) put(n, "layers.0.season", i, q.season[0], m[0]);
        if (m[1] > 1) put(n, "layers.0.season_two", i, q.season[1], m[1]);
    }
    mem_free(room);
    return LACO_OK;
}
