/* Intervals that hold what they say: split conformal calibration of quantiles (Romano, Patterson & Candes 2019).

   A network is surer of itself than it may be: what it was trained on it knows. So its intervals are measured on values
   that it was not trained on, those of the validation part. Of an interval [lo, hi] that should hold a share p of values,
   a value y has the score

       e = max(lo - y, y - hi) / (hi - lo)          below 0 inside, above 0 outside

   by the width, so that series of any size and steps of any horizon share one correction. With c the k-th smallest of n
   scores, k = ceil((n + 1) p), the interval [lo - c (hi - lo), hi + c (hi - lo)] holds a share of at least p of values that
   come as those of the validation part came. c >= -1/2, so an interval never turns over. Of models of logarithms all of it
   is done with logarithms. Levels a and 1 - a are an interval with p = 1 - 2a; a level without its mirror stays. The
   horizon is cut into groups of steps, as many as there are values for, each with a correction of its own. */
#include "task/forecast.h"
#include <math.h>

enum { VALUES_A_GROUP = 1000 };

static int64_t group_of(const calibration *c, int64_t h, int64_t horizon) { return h * c->groups / horizon; }
static int64_t first_of(const calibration *c, int64_t g, int64_t horizon) { return ceil_div(g * horizon, c->groups); }
static double unit_of(const forecast_front *f, double v) { return f->log ? log(v) : v; }
static int64_t mirror_of(const forecast_levels *l, int64_t k)
{
    for (int64_t i = k + 1; i < l->n; i++)
        if (fabs(l->level[k] + l->level[i] - 1) < 1e-9) return i;
    return -1;
}

/* ---- learning ---- */
typedef struct scores {
    const answer_wish *w;
    const forecast_data *d;
    calibration *c;
    int64_t low[CALIBRATION_PAIRS], high[CALIBRATION_PAIRS]; /* levels of a pair */
    int64_t room, used[CALIBRATION_GROUPS];                  /* of a pair, of a group of it */
    double *score;                                           /* [pairs][room], group after group */
} scores;

static void list_pairs(scores *s)
{
    const forecast_levels *l = s->w->levels;
    for (int64_t k = l->n - 1; k >= 0; k--) { /* inner ones first: coverage rises */
        int64_t other = l->level[k] < 0.5 ? mirror_of(l, k) : -1;
        if (other < 0 || s->c->pairs == CALIBRATION_PAIRS) continue;
        s->low[s->c->pairs] = k, s->high[s->c->pairs] = other;
        s->c->coverage[s->c->pairs++] = 1 - 2 * l->level[k];
    }
}
static double score_of(double lo, double hi, double y)
{
    if (hi > lo) return fmax(lo - y, y - hi) / (hi - lo);
    return y >= lo && y <= hi ? -0.5 : INFINITY;
}
static laco_status take_scores(void *ctx, const origin *o, const double *answer, laco_error *err)
{
    scores *s = ctx;
    const forecast_front *f = s->w->f;
    const int64_t D = f->targets, H = f->horizon, each = 1 + s->w->levels->n;
    (void)err;
    for (int64_t h = 0; h < H; h++)
        for (int64_t k = 0; k < D; k++) {
            int64_t t = o->end + 1 + h, g = group_of(s->c, h, H);
            double y = t < s->d->known[o->series] ? unit_of(f, s->d->y[(s->d->start[o->series] + t) * D + k]) : NAN;
            const double *q = answer + (h * D + k) * each + 1;
            if (!isfinite(y)) continue;
            double *to = s->score + s->w->origins * D * first_of(s->c, g, H) + s->used[g]++;
            for (int64_t p = 0; p < s->c->pairs; p++)
                to[p * s->room] = score_of(unit_of(f, q[s->low[p]]), unit_of(f, q[s->high[p]]), y);
        }
    return LACO_OK;
}
static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
/* The correction of a pair in a group of n scores; values of intervals without width may be infinitely far. */
static double correction(double *score, int64_t n, double p)
{
    int64_t k = min64(n, (int64_t)ceil((double)(n + 1) * p - 1e-9)) - 1;
    qsort(score, (size_t)n, sizeof *score, rising);
    while (k > 0 && isinf(score[k])) k--;
    return n && isfinite(score[k]) ? score[k] : 0;
}
static void close_scores(scores *s)
{
    const int64_t H = s->w->f->horizon;
    for (int64_t g = 0; g < s->c->groups; g++)
        for (int64_t p = 0; p < s->c->pairs; p++) {
            double *from = s->score + p * s->room + s->w->origins * s->w->f->targets * first_of(s->c, g, H);
            for (int64_t i = 0; i < s->used[g]; i++) s->c->values += p == 0, s->c->held[p] += from[i] <= 0;
            s->c->by[g][p] = correction(from, s->used[g], s->c->coverage[p]);
        }
}
laco_status calibration_learn(calibration *c, const answer_wish *wish, const forecast_data *d, laco_error *err)
{
    answer_wish w = *wish;
    scores s = { .w = &w, .d = d, .c = c };
    *c = (calibration){ 0 };
    list_pairs(&s);
    s.room = w.origins * w.f->horizon * w.f->targets;
    if (!s.room || !c->pairs) return LACO_OK;
    c->groups = max64(1, min64(min64(CALIBRATION_GROUPS, w.f->horizon), s.room / VALUES_A_GROUP));
    if (!(s.score = mem_new((size_t)s.room * (size_t)c->pairs, sizeof *s.score))) return fail_memory(err, (size_t)s.room * sizeof *s.score);
    w.answer = take_scores, w.ctx = &s;
    laco_status st = forecast_answer(&w, err);
    if (!st) close_scores(&s);
    if (st || !c->values) *c = (calibration){ 0 };
    mem_free(s.score);
    return st;
}

/* ---- using ---- */
/* Between the coverages that were measured lie straight lines, beyond them it is as at the next. */
static double correction_at(const calibration *c, int64_t g, double coverage)
{
    int64_t p = 0;
    while (p < c->pairs && c->coverage[p] < coverage - 1e-9) p++;
    if (p == c->pairs) return c->by[g][p - 1];
    if (p == 0 || c->coverage[p] < coverage + 1e-9) return c->by[g][p];
    double share = (coverage - c->coverage[p - 1]) / (c->coverage[p] - c->coverage[p - 1]);
    return c->by[g][p - 1] + share * (c->by[g][p] - c->by[g][p - 1]);
}
static void move_pair(const forecast_front *f, double by, double median, double *lo, double *hi)
{
    double a = unit_of(f, *lo), b = unit_of(f, *hi), more = by * (b - a);
    if (!isfinite(more)) return;
    *lo = fmin(median, f->log ? exp(a - more) : a - more), *hi = fmax(median, f->log ? exp(b + more) : b + more);
}
void calibration_apply(const forecast_front *f, const forecast_levels *l, double *answer)
{
    const calibration *c = &f->calibration;
    for (int64_t i = 0; c->groups && i < f->horizon * f->targets; i++) {
        double median = answer[i * (1 + l->n)], *q = answer + i * (1 + l->n) + 1;
        for (int64_t k = 0; k < l->n && l->level[k] < 0.5; k++) {
            int64_t other = mirror_of(l, k);
            if (other < 0) continue;
            double by = correction_at(c, group_of(c, i / f->targets, f->horizon), 1 - 2 * l->level[k]);
            move_pair(f, by, median, &q[k], &q[other]);
        }
        qsort(q, (size_t)l->n, sizeof *q, rising); /* pairs that were moved past each other */
    }
}
