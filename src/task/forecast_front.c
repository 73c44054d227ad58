/* What a forecast model reads and answers: from options and data, to the metadata "front" of the model, and back. */
#include "base/number.h"
#include "task/forecast.h"
#include <math.h>
#include <stdio.h>

static const char *const way_names[] = { "direct", "recursive", "decoder", NULL };
static const char *const scale_names[] = { "none", "series", "mean", "window", "level", "revin", NULL };
static int find_text(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (name && !strcmp(names[i], name)) return i;
    return -1;
}

/* ---- life ---- */
static void covariates_free(covariate *c, int64_t n)
{
    for (int64_t i = 0; c && i < n; i++) name_list_free(&c[i].values);
    mem_free(c);
}
void forecast_free(forecast_front *f)
{
    covariates_free(f->past, f->columns.past.n), covariates_free(f->future, f->columns.future.n);
    covariates_free(f->statics, f->columns.statics.n);
    for (int64_t i = 0; f->series && i < f->known; i++)
        mem_free(f->series[i].name), mem_free(f->series[i].mean), mem_free(f->series[i].deviation);
    mem_free(f->series), forecast_columns_free(&f->columns);
    *f = (forecast_front){ 0 };
}

/* ---- options ---- */
static laco_status copy_text(char **to, const char *from, laco_error *err)
{
    *to = from ? mem_text(from, strlen(from)) : NULL;
    return from && !*to ? fail_memory(err, strlen(from)) : LACO_OK;
}
laco_status forecast_columns_of(forecast_columns *c, const options *o, laco_error *err)
{
    static const char *const gaps[] = { "error", "mask", "ignore", NULL };
    const char *target = options_text(o, "target");
    *c = (forecast_columns){ .wide = options_flag(o, "wide"), .sort = options_flag(o, "sort") };
    c->independent = options_flag(o, "independent");
    c->gaps = find_text(gaps, options_text(o, "gaps"));
    laco_status st = copy_text(&c->time, options_text(o, "time"), err);
    if (!st) st = copy_text(&c->id, options_text(o, "id"), err);
    if (!st && target && strcmp(target, "all")) st = name_list_split(&c->target, target, err);
    if (!st) st = name_list_split(&c->past, options_text(o, "past"), err);
    if (!st) st = name_list_split(&c->future, options_text(o, "future"), err);
    if (!st) st = name_list_split(&c->statics, options_text(o, "static"), err);
    if (!st && !c->wide && !target)
        st = fail(err, LACO_EINVAL, -1, "--target is missing: the column to forecast, several with commas, or all; with "
                  "--wide every row is a series");
    return st;
}
/* "24,168" */
static laco_status parse_numbers(const char *option, const char *text, double least, double most, double *to, int64_t room,
                                 int64_t *n, laco_error *err)
{
    name_list parts;
    laco_status st = name_list_split(&parts, text, err);
    for (int64_t i = 0; !st && i < parts.n; i++)
        if (i >= room || !number_parse(parts.name[i], &to[i]) || !(to[i] >= least && to[i] <= most))
            st = fail(err, LACO_EINVAL, -1, "--%s %.60s: up to %lld numbers from %.10g to %.10g with commas between them",
                      option, text, (long long)room, least, most);
    *n = parts.n;
    name_list_free(&parts);
    return st;
}
static laco_status parse_lags(forecast_front *f, const char *text, laco_error *err)
{
    double lag[MOST_LAGS];
    laco_status st = parse_numbers("lags", text, 1, 1e6, lag, MOST_LAGS, &f->lags, err);
    for (int64_t i = 0; !st && i < f->lags; i++)
        if ((double)(f->lag[i] = (int64_t)lag[i]) != lag[i])
            st = fail(err, LACO_EINVAL, -1, "--lags %.60s: whole numbers of steps", text);
    return st;
}
static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static laco_status parse_loss(forecast_front *f, const options *o, const kernels *k, laco_error *err)
{
    int64_t n = 0;
    int kind = loss_find(k->loss, options_text(o, "loss"));
    if (kind < 0) return fail(err, LACO_EINVAL, -1, "unknown --loss \"%.40s\"", options_text(o, "loss"));
    f->loss = kind;
    if (f->loss != LOSS_PINBALL) return LACO_OK;
    laco_status st = parse_numbers("quantiles", options_text(o, "quantiles"), 0.001, 0.999, f->loss_options.level, LOSS_LEVELS,
                                   &n, err);
    if (st) return st;
    f->loss_options.levels = (int)n;
    qsort(f->loss_options.level, (size_t)n, sizeof(double), rising);
    for (int64_t i = 1; i < n; i++)
        if (f->loss_options.level[i] == f->loss_options.level[i - 1])
            return fail(err, LACO_EINVAL, -1, "--quantiles names %.10g twice", f->loss_options.level[i]);
    return LACO_OK;
}
static laco_status parse_calendar(forecast_front *f, const options *o, const forecast_data *d, laco_error *err)
{
    const char *text = options_text(o, "calendar");
    name_list names;
    int64_t steps = 0;
    for (int64_t i = 0; i < d->count; i++) steps = max64(steps, d->known[i]);
    if (!strcmp(text, "auto")) return f->calendar = d->time ? time_calendar_auto(d->step, steps) : 0, LACO_OK;
    if (!strcmp(text, "none")) return LACO_OK;
    if (!d->time) return fail(err, LACO_EINVAL, -1, "--calendar %.40s: there are no times; name their column with --time", text);
    laco_status st = name_list_split(&names, text, err);
    for (int64_t i = 0; !st && i < names.n; i++) {
        int k = find_text(calendar_names, names.name[i]);
        if (k < 0)
            st = fail(err, LACO_EINVAL, -1, "--calendar %.40s: auto, none, or some of hour,weekday,monthday,year", text);
        else
            f->calendar |= 1 << k;
    }
    name_list_free(&names);
    return st;
}
/* A number of steps, or the season by its name. */
static laco_status parse_steps(const char *option, const char *text, int64_t season, int64_t *to, laco_error *err)
{
    double x = 0;
    *to = 0;
    if (!text || !strcmp(text, "none")) return LACO_OK;
    if (!strcmp(text, "season")) return *to = season, LACO_OK;
    if (!number_parse(text, &x) || x != floor(x) || x < 1 || x > 1e6)
        return fail(err, LACO_EINVAL, -1, "--%s %.40s: none, season, or a number of steps from 1", option, text);
    return *to = (int64_t)x, LACO_OK;
}
static int64_t longest(const forecast_data *d)
{
    int64_t n = 0;
    for (int64_t i = 0; i < d->count; i++) n = max64(n, d->known[i]);
    return n;
}
static laco_status check_front(const forecast_front *f, laco_error *err)
{
    if (f->deseasonalise == 1 || (f->season < 2 && f->deseasonalise == f->season && f->deseasonalise))
        return fail(err, LACO_EINVAL, -1, "--deseasonalise needs a season of at least 2 steps; give --season");
    if (f->loss == LOSS_NEGATIVE_BINOMIAL && (f->log || f->difference || f->deseasonalise))
        return fail(err, LACO_EINVAL, -1, "--loss negative-binomial is of counts as they are: leave out --logarithm, --difference and "
                    "--deseasonalise");
    if (f->loss == LOSS_NEGATIVE_BINOMIAL && f->scale != SCALE_NONE && f->scale != SCALE_MEAN)
        return fail(err, LACO_EINVAL, -1, "--loss negative-binomial takes --scale none or mean");
    if (f->targets > MOST_TARGETS)
        return fail(err, LACO_EINVAL, -1, "%lld targets: up to %d can be forecast together", (long long)f->targets, MOST_TARGETS);
    if (f->way == WAY_RECURSIVE && f->scale == SCALE_REVIN)
        return fail(err, LACO_EINVAL, -1, "--scale revin is of the steps that a row reads, to which --strategy recursive adds: take "
                    "direct or decoder");
    if (f->way == WAY_DECODER && f->scale != SCALE_NONE && f->scale != SCALE_SERIES && f->scale != SCALE_MEAN &&
        f->scale != SCALE_REVIN)
        return fail(err, LACO_EINVAL, -1, "--strategy decoder takes --scale none, series, mean or revin, which stay the same "
                    "through the steps of a row");
    return LACO_OK;
}
laco_status forecast_make(forecast_front *f, const options *o, const forecast_data *d, const kernels *k, laco_error *err)
{
    f->step = d->step, f->targets = d->targets, f->horizon = options_int(o, "horizon");
    f->way = find_text(way_names, options_text(o, "strategy")), f->scale = find_text(scale_names, options_text(o, "scale"));
    f->log = options_flag(o, "logarithm"), f->season = options_int(o, "season");
    if (f->horizon < 1) return fail(err, LACO_EINVAL, -1, "--horizon is missing: how many steps to forecast");
    if (!f->season) f->season = time_season(d->step);
    int64_t window = options_int(o, "window"), span = options_int(o, "span"), most = longest(d);
    f->window = min64(most, window ? window : min64(512, max64(24, max64(2 * f->horizon, 3 * f->season))));
    f->span = span ? span : f->season > 1 ? f->season : min64(f->window, max64(8, f->horizon));
    laco_status st = parse_loss(f, o, k, err);
    if (!st) st = parse_lags(f, options_text(o, "lags"), err);
    if (!st) st = parse_steps("difference", options_text(o, "difference"), f->season, &f->difference, err);
    if (!st) st = parse_steps("deseasonalise", options_text(o, "deseasonalise"), f->season, &f->deseasonalise, err);
    if (!st) st = parse_calendar(f, o, d, err);
    if (!st && !f->columns.wide && !f->columns.independent && !f->columns.target.n) st = name_list_copy(&f->columns.target, &d->target, err);
    if (!st && forecast_is_smooth(o)) st = forecast_smooth_make(f, o, d, err);
    return st ? st : check_front(f, err);
}

/* ---- what is learned from the training part ---- */
static laco_status learn_covariates(covariate **out, int64_t n, const double *x, const forecast_data *d,
                                    const int64_t *train, laco_error *err)
{
    covariate *c = *out = mem_new((size_t)n, sizeof *c);
    if (!c) return fail_memory(err, (size_t)n * sizeof *c);
    for (int64_t k = 0; k < n; k++) {
        double sum = 0, squares = 0, count = 0;
        for (int64_t i = 0; i < d->count; i++)
            for (int64_t t = d->start[i]; t < d->start[i] + train[i]; t++) {
                double v = x[t * n + k];
                if (isnan(v)) continue;
                count++;
                double off = v - sum; /* Welford: sum is the mean so far */
                sum += off / count, squares += off * (v - sum);
            }
        c[k].mean = sum, c[k].deviation = squares > 0 ? sqrt(squares / count) : 1;
        for (int64_t t = 0; t < d->start[d->count]; t++) c[k].masked |= isnan(x[t * n + k]);
    }
    return LACO_OK;
}
static laco_status learn_static(covariate *c, const forecast_data *d, int64_t k, laco_error *err)
{
    bool numbers = true;
    double sum = 0, squares = 0, v;
    laco_status st = LACO_OK;
    for (int64_t i = 0; i < d->count; i++) numbers &= number_parse(d->static_x[i * d->statics + k], &v);
    for (int64_t i = 0; numbers && i < d->count; i++) {
        number_parse(d->static_x[i * d->statics + k], &v);
        double off = v - sum;
        sum += off / (double)(i + 1), squares += off * (v - sum);
    }
    c->mean = sum, c->deviation = squares > 0 ? sqrt(squares / (double)d->count) : 1;
    for (int64_t i = 0; !st && !numbers && i < d->count; i++) {
        const char *text = d->static_x[i * d->statics + k];
        bool there = false;
        for (int64_t j = 0; j < c->values.n && !there; j++) there = !strcmp(c->values.name[j], text);
        if (there) continue;
        if (c->values.n == 4096)
            return fail(err, LACO_EINVAL, -1, "the static column \"%s\" has more than 4096 different words", d->static_name.name[k]);
        name_list one = { (char **)&text, 1 }, copy;
        st = name_list_copy(&copy, &one, err);
        size_t size = (size_t)c->values.n * sizeof(char *);
        char **more = st ? NULL : mem_resize(c->values.name, size, size + sizeof *more);
        if (!st && !more) name_list_free(&copy), st = fail_memory(err, size);
        if (more) c->values.name = more, more[c->values.n++] = copy.name[0], mem_free(copy.name);
    }
    return st;
}
static laco_status learn_series(forecast_front *f, const forecast_data *d, const int64_t *train, laco_error *err)
{
    const size_t D = (size_t)d->targets;
    f->known = d->count;
    if (!(f->series = mem_new((size_t)d->count, sizeof *f->series))) return fail_memory(err, (size_t)d->count);
    for (int64_t i = 0; i < d->count; i++) {
        known_series *s = &f->series[i];
        s->mean = mem_new(D, sizeof(double)), s->deviation = mem_new(D, sizeof(double));
        laco_status st = copy_text(&s->name, d->name[i], err);
        if (st || !s->mean || !s->deviation) return st ? st : fail_memory(err, D * sizeof(double));
        line l;
        if ((st = line_make(&l, f, d, i, train[i], err))) return st;
        memcpy(s->mean, l.mean, D * sizeof(double)), memcpy(s->deviation, l.deviation, D * sizeof(double));
        line_free(&l);
    }
    return LACO_OK;
}
laco_status forecast_learn(forecast_front *f, const forecast_data *d, const int64_t *train, laco_error *err)
{
    for (int64_t t = 0; t < d->start[d->count] * d->targets; t++) f->masked |= isnan(d->y[t]);
    laco_status st = learn_covariates(&f->past, d->past, d->past_x, d, train, err);
    if (!st) st = learn_covariates(&f->future, d->future, d->future_x, d, train, err);
    if (!st && !(f->statics = mem_new((size_t)d->statics, sizeof *f->statics))) st = fail_memory(err, (size_t)d->statics);
    for (int64_t k = 0; !st && k < d->statics; k++) st = learn_static(&f->statics[k], d, k, err);
    return st ? st : learn_series(f, d, train, err);
}

/* ---- sizes ---- */
int64_t forecast_ahead(const forecast_front *f) { return f->way == WAY_DIRECT ? f->horizon : 1; }
int64_t forecast_targets(const forecast_front *f) { return forecast_ahead(f) * f->targets; }
static int64_t covariate_inputs(const covariate *c, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += c[i].values.n ? c[i].values.n : 1 + c[i].masked;
    return sum;
}
int64_t forecast_inputs(const forecast_front *f)
{
    if (f->smooth) return 2;
    int64_t calendars = 0, each = f->targets * (1 + f->masked + (f->difference > 0)) + (f->way == WAY_DECODER);
    for (int k = 0; k < CALENDARS; k++) calendars += 2 * (f->calendar >> k & 1);
    return each + f->lags * forecast_targets(f) + calendars + covariate_inputs(f->past, f->columns.past.n) +
           forecast_ahead(f) * covariate_inputs(f->future, f->columns.future.n) +
           covariate_inputs(f->statics, f->columns.statics.n);
}
void forecast_levels_of(const forecast_front *f, double interval, forecast_levels *out)
{
    *out = (forecast_levels){ 0 };
    if (f->loss == LOSS_SQUARED || f->loss == LOSS_ABSOLUTE || f->loss == LOSS_HUBER) return;
    if (f->loss == LOSS_PINBALL) {
        out->n = f->loss_options.levels;
        memcpy(out->level, f->loss_options.level, sizeof out->level);
        return;
    }
    for (int k = 1; k < 20; k++) out->level[out->n++] = k / 20.0;
    for (int side = 0; side < 2; side++) {
        double level = side ? (1 + interval) / 2 : (1 - interval) / 2;
        bool there = false;
        for (int64_t k = 0; k < out->n; k++) there |= fabs(out->level[k] - level) < 1e-9;
        if (!there) out->level[out->n++] = level;
    }
    qsort(out->level, (size_t)out->n, sizeof(double), rising);
}

/* ---- JSON ---- */
static void text_or_null(json_out *o, const char *key, const char *text)
{
    json_key(o, key);
    if (text)
        json_text(o, text);
    else
        json_raw(o, "null", 4);
}
static void names_json(json_out *o, const char *key, const name_list *l)
{
    json_key(o, key), json_begin(o, '[');
    for (int64_t i = 0; i < l->n; i++) json_text(o, l->name[i]);
    json_end(o, ']');
}
static void numbers_json(json_out *o, const char *key, const double *x, int64_t n)
{
    json_key(o, key), json_begin(o, '[');
    for (int64_t i = 0; i < n; i++) json_number(o, x[i]);
    json_end(o, ']');
}
static void covariates_json(json_out *o, const char *key, const name_list *names, const covariate *c)
{
    json_key(o, key), json_begin(o, '[');
    for (int64_t i = 0; i < names->n; i++) {
        json_begin(o, '{');
        json_key(o, "name"), json_text(o, names->name[i]);
        if (c[i].values.n) {
            names_json(o, "values", &c[i].values);
        } else {
            json_key(o, "mean"), json_number(o, c[i].mean);
            json_key(o, "deviation"), json_number(o, c[i].deviation);
            json_key(o, "masked"), json_bool(o, c[i].masked);
        }
        json_end(o, '}');
    }
    json_end(o, ']');
}
static void calibration_json(json_out *o, const calibration *c)
{
    json_key(o, "calibration"), json_begin(o, '{');
    numbers_json(o, "coverage", c->coverage, c->pairs);
    json_key(o, "by"), json_begin(o, '[');
    for (int64_t g = 0; g < c->groups; g++) {
        json_begin(o, '[');
        for (int64_t p = 0; p < c->pairs; p++) json_number(o, c->by[g][p]);
        json_end(o, ']');
    }
    json_end(o, ']'), json_end(o, '}');
}
static const char *const loss_names[] = {
#define LOSS(KIND, function, name, ...) name,
#include "loss/list.h"
#undef LOSS
    NULL
};
static const struct {
    const char *key;
    size_t at;
} counts[] = { { "targets", offsetof(forecast_front, targets) },
               { "horizon", offsetof(forecast_front, horizon) },
               { "window", offsetof(forecast_front, window) },
               { "season", offsetof(forecast_front, season) },
               { "span", offsetof(forecast_front, span) },
               { "difference", offsetof(forecast_front, difference) },
               { "deseasonalise", offsetof(forecast_front, deseasonalise) } };
enum { COUNTS = sizeof counts / sizeof *counts, LEAST_ONE = 5 };

laco_status forecast_to_json(const forecast_front *f, buf *out, laco_error *err)
{
    json_out o = { .to = out };
    double lag[MOST_LAGS];
    for (int64_t i = 0; i < f->lags; i++) lag[i] = (double)f->lag[i];
    json_begin(&o, '{');
    json_key(&o, "wide"), json_bool(&o, f->columns.wide);
    text_or_null(&o, "time", f->columns.time), text_or_null(&o, "id", f->columns.id);
    names_json(&o, "target", &f->columns.target);
    covariates_json(&o, "past", &f->columns.past, f->past);
    covariates_json(&o, "future", &f->columns.future, f->future);
    covariates_json(&o, "static", &f->columns.statics, f->statics);
    json_key(&o, "sort"), json_bool(&o, f->columns.sort);
    json_key(&o, "independent"), json_bool(&o, f->columns.independent);
    json_key(&o, "gaps"), json_int(&o, f->columns.gaps);
    json_key(&o, "seconds"), json_number(&o, f->step.seconds);
    json_key(&o, "months"), json_int(&o, f->step.months);
    json_key(&o, "strategy"), json_text(&o, way_names[f->way]);
    json_key(&o, "scale"), json_text(&o, scale_names[f->scale]);
    json_key(&o, "loss"), json_text(&o, loss_names[f->loss]);
    numbers_json(&o, "quantiles", f->loss_options.level, f->loss_options.levels);
    for (int k = 0; k < COUNTS; k++) json_key(&o, counts[k].key), json_int(&o, *(const int64_t *)((const char *)f + counts[k].at));
    numbers_json(&o, "lags", lag, f->lags);
    json_key(&o, "log"), json_bool(&o, f->log);
    json_key(&o, "masked"), json_bool(&o, f->masked);
    json_key(&o, "smooth"), json_bool(&o, f->smooth);
    json_key(&o, "calendar"), json_int(&o, f->calendar);
    if (f->calibration.groups) calibration_json(&o, &f->calibration);
    json_key(&o, "series"), json_begin(&o, '[');
    for (int64_t i = 0; i < f->known; i++) {
        json_begin(&o, '{');
        text_or_null(&o, "name", f->series[i].name);
        numbers_json(&o, "mean", f->series[i].mean, f->targets);
        numbers_json(&o, "deviation", f->series[i].deviation, f->targets);
        json_end(&o, '}');
    }
    json_end(&o, ']'), json_end(&o, '}');
    return out->failed ? fail_memory(err, out->len) : LACO_OK;
}

/* ---- from JSON ---- a file may say anything: whatever is not as it was written is damage */
typedef struct front_reader {
    const json *root;
    bool bad;
    laco_error *err;
    laco_status st; /* of memory */
} front_reader;
static const json *member(front_reader *r, const json *of, const char *key, json_kind kind)
{
    const json *v = json_get(of, key);
    if (v && v->kind == kind) return v;
    return r->bad = true, NULL;
}
static double take_number(front_reader *r, const json *of, const char *key, double least, double most)
{
    const json *v = member(r, of, key, JSON_NUMBER);
    if (v && v->number >= least && v->number <= most) return v->number;
    return r->bad = true, least;
}
static int64_t take_count(front_reader *r, const json *of, const char *key, int64_t least, int64_t most)
{
    double x = take_number(r, of, key, (double)least, (double)most);
    if (x != floor(x)) r->bad = true;
    return (int64_t)x;
}
static bool take_bool(front_reader *r, const json *of, const char *key)
{
    const json *v = json_get(of, key);
    if (!v || (v->kind != JSON_TRUE && v->kind != JSON_FALSE)) r->bad = true;
    return v && v->kind == JSON_TRUE;
}
static char *take_text(front_reader *r, const json *of, const char *key)
{
    const json *v = json_get(of, key);
    if (!v || (v->kind != JSON_STRING && v->kind != JSON_NULL)) r->bad = true;
    if (!v || v->kind != JSON_STRING) return NULL;
    char *copy = mem_text(v->text, v->len);
    if (!copy) r->st = fail_memory(r->err, v->len);
    return copy;
}
static int take_name(front_reader *r, const char *key, const char *const *names)
{
    const json *v = member(r, r->root, key, JSON_STRING);
    int i = v ? find_text(names, v->text) : 0;
    if (i < 0) r->bad = true;
    return i < 0 ? 0 : i;
}
static void take_names(front_reader *r, const json *of, const char *key, name_list *to)
{
    const json *list = member(r, of, key, JSON_ARRAY);
    *to = (name_list){ 0 };
    if (!list || r->bad) return;
    to->name = mem_new(list->len, sizeof *to->name);
    if (!to->name) r->st = fail_memory(r->err, list->len * sizeof *to->name);
    for (size_t i = 0; !r->st && i < list->len; i++) {
        const json *v = &list->item[i];
        if (v->kind != JSON_STRING) r->bad = true;
        char *copy = mem_text(v->kind == JSON_STRING ? v->text : "", v->kind == JSON_STRING ? v->len : 0);
        if (copy)
            to->name[to->n++] = copy;
        else
            r->st = fail_memory(r->err, v->len);
    }
}
static int64_t take_numbers(front_reader *r, const json *of, const char *key, double *to, int64_t room)
{
    const json *list = member(r, of, key, JSON_ARRAY);
    if (!list || (int64_t)list->len > room) return r->bad = true, 0;
    for (size_t i = 0; i < list->len; i++) {
        if (list->item[i].kind != JSON_NUMBER) r->bad = true;
        to[i] = list->item[i].number;
    }
    return (int64_t)list->len;
}
static covariate *take_covariates(front_reader *r, const char *key, name_list *names)
{
    const json *list = member(r, r->root, key, JSON_ARRAY);
    size_t n = list ? list->len : 0;
    covariate *c = mem_new(n, sizeof *c);
    names->name = mem_new(n, sizeof *names->name);
    if (!c || !names->name) return r->st = fail_memory(r->err, n * sizeof *c), c;
    for (; names->n < (int64_t)n && !r->bad && !r->st; names->n++) {
        const json *v = &list->item[names->n];
        covariate *to = &c[names->n];
        char *name = take_text(r, v, "name");
        names->name[names->n] = name ? name : (r->bad = true, mem_text("", 0));
        if (json_get(v, "values")) {
            take_names(r, v, "values", &to->values);
        } else {
            to->mean = take_number(r, v, "mean", -1e300, 1e300);
            to->deviation = take_number(r, v, "deviation", 1e-300, 1e300);
            to->masked = take_bool(r, v, "masked");
        }
    }
    return c;
}
static void take_series(front_reader *r, forecast_front *f)
{
    const json *list = member(r, r->root, "series", JSON_ARRAY);
    if (r->bad || r->st) return;
    if (!(f->series = mem_new(list->len, sizeof *f->series))) r->st = fail_memory(r->err, list->len);
    for (; !r->st && !r->bad && f->known < (int64_t)list->len; f->known++) {
        known_series *s = &f->series[f->known];
        const json *v = &list->item[f->known];
        s->name = take_text(r, v, "name");
        s->mean = mem_new((size_t)f->targets, sizeof(double)), s->deviation = mem_new((size_t)f->targets, sizeof(double));
        if (!s->mean || !s->deviation) r->st = fail_memory(r->err, (size_t)f->targets * sizeof(double));
        else if (take_numbers(r, v, "mean", s->mean, f->targets) != f->targets ||
                 take_numbers(r, v, "deviation", s->deviation, f->targets) != f->targets)
            r->bad = true;
    }
}
static void take_calibration(front_reader *r, calibration *c, int64_t horizon)
{
    const json *from = json_get(r->root, "calibration");
    if (!from || r->bad || r->st) return; /* models without one are as good */
    const json *by = member(r, from, "by", JSON_ARRAY);
    c->pairs = take_numbers(r, from, "coverage", c->coverage, CALIBRATION_PAIRS);
    for (int64_t p = 0; p < c->pairs; p++)
        r->bad |= !(c->coverage[p] > (p ? c->coverage[p - 1] : 0) && c->coverage[p] < 1);
    if (!by || !by->len || by->len > CALIBRATION_GROUPS || (int64_t)by->len > horizon || !c->pairs) r->bad = true;
    for (; !r->bad && c->groups < (int64_t)by->len; c->groups++) {
        const json *list = &by->item[c->groups];
        if (list->kind != JSON_ARRAY || (int64_t)list->len != c->pairs) r->bad = true;
        for (int64_t p = 0; !r->bad && p < c->pairs; p++) {
            double x = list->item[p].kind == JSON_NUMBER ? list->item[p].number : NAN;
            r->bad |= !(x >= -0.5 && isfinite(x)), c->by[c->groups][p] = x;
        }
    }
}
static void take_front(front_reader *r, forecast_front *f)
{
    double lag[MOST_LAGS];
    f->columns.wide = take_bool(r, r->root, "wide"), f->columns.sort = take_bool(r, r->root, "sort");
    f->columns.independent = take_bool(r, r->root, "independent");
    f->columns.gaps = (int)take_count(r, r->root, "gaps", 0, GAPS_IGNORE);
    f->columns.time = take_text(r, r->root, "time"), f->columns.id = take_text(r, r->root, "id");
    take_names(r, r->root, "target", &f->columns.target);
    f->past = take_covariates(r, "past", &f->columns.past);
    f->future = take_covariates(r, "future", &f->columns.future);
    f->statics = take_covariates(r, "static", &f->columns.statics);
    f->step = (time_step){ .seconds = take_number(r, r->root, "seconds", 0, 1e15), .months = (int)take_count(r, r->root, "months", 0, 12) };
    f->way = take_name(r, "strategy", way_names), f->scale = take_name(r, "scale", scale_names);
    f->loss = take_name(r, "loss", loss_names);
    f->loss_options.levels = (int)take_numbers(r, r->root, "quantiles", f->loss_options.level, LOSS_LEVELS);
    for (int k = 0; k < COUNTS; k++)
        *(int64_t *)((char *)f + counts[k].at) = take_count(r, r->root, counts[k].key, k < LEAST_ONE, 1 << 24);
    f->lags = take_numbers(r, r->root, "lags", lag, MOST_LAGS);
    for (int64_t i = 0; i < f->lags; i++) r->bad |= !(lag[i] >= 1 && lag[i] <= 1e6), f->lag[i] = r->bad ? 1 : (int64_t)lag[i];
    f->log = take_bool(r, r->root, "log"), f->masked = take_bool(r, r->root, "masked");
    f->smooth = take_bool(r, r->root, "smooth");
    f->calendar = (int)take_count(r, r->root, "calendar", 0, (1 << CALENDARS) - 1);
    for (int k = 0; k < f->loss_options.levels; k++)
        r->bad |= !(f->loss_options.level[k] > 0 && f->loss_options.level[k] < 1);
    r->bad |= (f->loss == LOSS_PINBALL) != (f->loss_options.levels > 0) || f->loss == LOSS_SOFTMAX || f->loss == LOSS_BERNOULLI;
    r->bad |= f->columns.wide || f->columns.independent ? f->targets != 1 : f->targets != f->columns.target.n;
    take_calibration(r, &f->calibration, f->horizon);
    take_series(r, f);
}
laco_status forecast_from_model(forecast_front *f, const laco_model *m, laco_error *err)
{
    const char *text = model_get(m, "front");
    json_doc *doc = NULL;
    *f = (forecast_front){ 0 };
    if (!text) return fail(err, LACO_EFORMAT, -1, "the model does not say how its inputs are made (\"front\")");
    laco_status st = json_parse(&doc, text, strlen(text), err);
    if (st) return st;
    front_reader r = { .root = json_root(doc), .err = err };
    take_front(&r, f);
    json_free(doc);
    const loss_row *row = r.bad ? NULL : m->net->k->loss->row(f->loss);
    if (r.st) st = r.st;
    else if (!row || forecast_inputs(f) != m->net->inputs ||
             forecast_targets(f) * loss_parts(row, &f->loss_options) != m->net->outputs)
        st = fail(err, LACO_EFORMAT, -1, "the model's \"front\" is damaged, or of another network");
    if (st) forecast_free(f);
    return st;
}
