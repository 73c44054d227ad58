/* laco explain of a forecast: what each step that is read, and each column, contributed to the forecast of one step.

   s is the forecast of one target, one step of the horizon behind the end of a series, in the units of the file: the
   median, of counts the mean. Where the network answers the z of a value v = a z + b (src/task/forecast_line.c), a and
   b are held as they are, as are the index of the season and the logarithm's way back: what is explained is what the
   network makes of what it reads, and a 0 that it reads is the mean, or the level, that z is counted from.

   Of the strategy decoder the steps to come are steps too, with what is known of them. Of recursive its own medians
   that it reads on the way are steps, and held as they are.

   Features are the columns: a target (with the number that says where it is missing, and its difference), each lag of
   it, each calendar, each covariate; all numbers that a step reads of one are taken together. */
#include "base/number.h"
#include "task/explain.h"
#include "task/forecast_use.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

typedef struct forecast_explanation {
    forecast_use u;
    int64_t h, target; /* the step of the horizon, from 1; which of the targets */
    int32_t *feature;  /* [inputs] which of the names */
    name_list features;
    int64_t numbers; /* inputs that have been given a feature */
    explain_sheet *sheet;
    float *x, *y; /* [steps][inputs] of a series; [outputs] */
    line path;    /* of recursive: the series, and its own answers */
} forecast_explanation;

/* ---- features ---- in the order of line_inputs */
static laco_status add_feature(forecast_explanation *x, const char *name, int64_t lag, laco_error *err)
{
    char text[128];
    int n = lag ? snprintf(text, sizeof text, "%.80s lag %lld", name, (long long)lag)
                : snprintf(text, sizeof text, "%.100s", name);
    char *copy = mem_text(text, (size_t)n);
    if (!copy) return fail_memory(err, (size_t)n);
    x->features.name[x->features.n++] = copy;
    return LACO_OK;
}
static void put_numbers(forecast_explanation *x, int64_t n, int64_t feature)
{
    for (; n > 0; n--) x->feature[x->numbers++] = (int32_t)feature;
}
static laco_status add_covariates(forecast_explanation *x, const name_list *names, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t k = 0; !st && k < names->n; k++) st = add_feature(x, names->name[k], 0, err);
    return st;
}
static void put_covariates(forecast_explanation *x, const covariate *c, int64_t n, int64_t first)
{
    for (int64_t k = 0; k < n; k++) put_numbers(x, c[k].values.n ? c[k].values.n : 1 + c[k].masked, first + k);
}
static laco_status make_features(forecast_explanation *x, laco_error *err)
{
    const forecast_front *f = &x->u.f;
    const forecast_columns *c = &f->columns;
    const int64_t D = f->targets, ahead = forecast_ahead(f), inputs = forecast_inputs(f);
    char *const *target = x->u.d.target.name;
    laco_status st = LACO_OK;
    x->feature = mem_new((size_t)inputs, sizeof *x->feature);
    x->features.name = mem_new((size_t)inputs, sizeof *x->features.name);
    if (!x->feature || !x->features.name) return fail_memory(err, (size_t)inputs * sizeof *x->features.name);
    for (int64_t d = 0; !st && d < D; d++)
        st = add_feature(x, target[d], 0, err), put_numbers(x, 1 + f->masked + (f->difference > 0), d);
    if (!st && f->way == WAY_DECODER) put_numbers(x, 1, x->features.n), st = add_feature(x, "to answer", 0, err);
    for (int64_t i = 0; !st && i < f->lags; i++) {
        const int64_t first = x->features.n;
        for (int64_t d = 0; !st && d < D; d++) st = add_feature(x, target[d], f->lag[i], err);
        for (int64_t k = 0; k < ahead * D; k++) put_numbers(x, 1, first + k % D);
    }
    for (int k = 0; !st && k < CALENDARS; k++)
        if (f->calendar >> k & 1) put_numbers(x, 2, x->features.n), st = add_feature(x, calendar_names[k], 0, err);
    put_covariates(x, f->past, c->past.n, x->features.n);
    if (!st) st = add_covariates(x, &c->past, err);
    for (int64_t h = 0; h < ahead; h++) put_covariates(x, f->future, c->future.n, x->features.n);
    if (!st) st = add_covariates(x, &c->future, err);
    put_covariates(x, f->statics, c->statics.n, x->features.n);
    return st ? st : add_covariates(x, &c->statics, err);
}

/* ---- the forecast as a function of the outputs ---- */
typedef struct saying {
    const forecast_front *f;
    const line *l;
    int64_t end, h, d, j; /* the h-th step behind end; of the targets of a row it is number j */
} saying;
/* What the mean of a head grows by with each of its outputs: [outputs of a target], at y. */
static int mean_slopes(const saying *q, const float *y, double scale, double slope[LOSS_LEVELS])
{
    const int64_t targets = forecast_targets(q->f);
    const int levels = q->f->loss == LOSS_PINBALL ? (int)max64(1, q->f->loss_options.levels) : 1;
    head one = { .kind = q->f->loss, .options = &q->f->loss_options };
    slope[0] = scale;
    if (q->f->loss == LOSS_NEGATIVE_BINOMIAL) slope[0] = scale / (1 + exp(-(double)y[q->j]));
    for (int p = 0; q->f->loss == LOSS_PINBALL && p < levels;
         p++) { /* the mean is linear in the levels in their order */
        int rank = 0;
        for (int i = 0; i < levels; i++) {
            float other = y[i * targets + q->j], own = y[p * targets + q->j];
            rank += other < own || (other == own && i < p);
        }
        one.part[rank] = 1, slope[p] = scale * head_mean(&one), one.part[rank] = 0;
    }
    return levels;
}
static double forecast_says(const void *ctx, const float *y, float *dy)
{
    const saying *q = ctx;
    const int64_t t = q->end + q->h, targets = forecast_targets(q->f);
    double scale, shift, slope[LOSS_LEVELS];
    head at;
    line_scale(q->l, q->end, q->end, q->h, q->d, &scale, &shift);
    head_read(&at, q->f->loss, &q->f->loss_options, y, targets, q->j, scale);
    head_scale_by(&at, scale, shift);
    const double s = line_back(q->l, t, q->d, head_mean(&at));
    if (!dy) return s;
    const double back = q->f->log ? s : line_back(q->l, t, q->d, 1) - line_back(q->l, t, q->d, 0);
    for (int p = mean_slopes(q, y, scale, slope) - 1; p >= 0; p--) dy[p * targets + q->j] = (float)(back * slope[p]);
    return s;
}

/* ---- what is read ---- */
static laco_status walk_on(forecast_explanation *x, int64_t *T, const explain_question *q, laco_error *err)
{
    const forecast_front *f = &x->u.f;
    net *n = x->u.m->net;
    explain_question last = *q;
    double v[MOST_TARGETS], scale, shift;
    laco_status st = LACO_OK;
    for (int64_t h = 1; !st && h < x->h; h++, ++*T) {
        last.step = *T - 1;
        if ((st = explain_outputs(x->y, n, x->x, *T, &last, err))) break;
        for (int64_t d = 0; d < f->targets; d++) {
            head at;
            line_scale(&x->path, x->path.n - 1, x->path.n - 1, 1, d, &scale, &shift);
            head_read(&at, f->loss, &f->loss_options, x->y, f->targets, d, scale);
            head_scale_by(&at, scale, shift), v[d] = head_quantile(&at, 0.5);
        }
        line_add(&x->path, v);
        line_inputs(&x->path, x->path.n - 1, x->path.n - 1, x->x + *T * n->inputs);
    }
    return st;
}
static laco_status read_series(forecast_explanation *x, const origin *o, int64_t T, laco_error *err)
{
    const net *n = x->u.m->net;
    const line *l = &x->u.line[o->series];
    const int64_t more = x->u.f.way == WAY_DECODER ? x->h : 0;
    mem_free(x->x);
    if (!(x->x = mem_new((size_t)((T + x->h) * n->inputs), sizeof *x->x)))
        return fail_memory(err, (size_t)((T + x->h) * n->inputs) * sizeof *x->x);
    for (int64_t t = 0; t < T + more; t++) line_inputs(l, o->end - T + 1 + t, o->end, x->x + t * n->inputs);
    line_free(&x->path);
    return x->u.f.way == WAY_RECURSIVE ? line_copy(&x->path, l, o->end + 1, x->h, err) : LACO_OK;
}

/* ---- one series ---- */
static void name_answer(const forecast_explanation *x, const origin *o, double value, buf *to)
{
    char when[32], number[NUMBER_TEXT];
    const char *name = x->u.d.name[o->series];
    forecast_when(&x->u.d, o, x->h, when), number_print_float(number, (float)value);
    if (name) buf_printf(to, "%.60s: ", name);
    buf_printf(to, "%.60s at %s: %s", x->u.d.target.name[x->target], when, number);
}
static laco_status explain_series(forecast_explanation *x, const origin *o, laco_error *err)
{
    const forecast_front *f = &x->u.f;
    const bool recursive = f->way == WAY_RECURSIVE, direct = f->way == WAY_DIRECT;
    const int64_t read = min64(f->window, o->end + 1), ahead = recursive ? x->h - 1 : 0;
    const saying says = { .f = f,
                          .l = recursive ? &x->path : &x->u.line[o->series],
                          .end = o->end + ahead,
                          .h = x->h - ahead,
                          .d = x->target,
                          .j = direct ? (x->h - 1) * f->targets + x->target : x->target };
    explain_question q = { .says = SAYS_OWN,
                           .own = forecast_says,
                           .ctx = &says,
                           .unknown = -1,
                           .feature = x->feature,
                           .features = x->features.n };
    explained e = { 0 };
    buf answer = { 0 };
    int64_t T = read;
    laco_status st = read_series(x, o, T, err);
    if (!st && recursive) st = walk_on(x, &T, &q, err);
    if (f->way == WAY_DECODER) T += x->h;
    q.step = T - 1;
    if (!st) st = explain_sequence(&e, x->u.m->net, x->x, T, &q, x->u.j->stop, err);
    if (!st) name_answer(x, o, e.value, &answer);
    if (!st && answer.failed) st = fail_memory(err, answer.len);
    if (!st)
        st = explain_put(
            x->sheet,
            &(explain_case){ .of = &e, .answer = answer.data, .probability = NAN, .before = o->end + 1 - read }, err);
    explained_free(&e), buf_free(&answer);
    return st;
}
static laco_status choose(forecast_explanation *x, laco_error *err)
{
    const options *o = x->u.j->o;
    const char *name = options_text(o, "answer");
    const forecast_front *f = &x->u.f;
    x->h = max64(1, options_int(o, "at"));
    if (f->smooth)
        return fail(err, LACO_EUNSUPPORTED, -1,
                    "a model es-rnn divides each step by a level that it smooths out of all before: "
                    "there is no 0 to put in its place, and nothing to explain");
    if (x->h > f->horizon)
        return fail(err, LACO_EINVAL, -1, "--at %lld: the model forecasts %lld steps", (long long)x->h,
                    (long long)f->horizon);
    while (name && x->target < f->targets && strcmp(name, x->u.d.target.name[x->target])) x->target++;
    if (x->target < f->targets) return LACO_OK;
    return fail(err, LACO_EINVAL, -1, "--answer %.60s: the model has no such target; its first is %.60s", name,
                x->u.d.target.name[0]);
}
laco_status forecast_explain(task_job *j, laco_model *m, laco_error *err)
{
    forecast_explanation x = { .u = { .j = j, .m = m } };
    if (options_text(j->o, "text")) return fail(err, LACO_EINVAL, -1, "--text: this model reads numbers; give --data");
    laco_status st = forecast_use_open(&x.u, err);
    if (!st) st = choose(&x, err);
    if (!st) st = forecast_use_ends(&x.u, err);
    if (!st) st = make_features(&x, err);
    if (!st && !(x.y = mem_new((size_t)m->net->outputs, sizeof *x.y))) st = fail_memory(err, (size_t)m->net->outputs);
    if (!st) st = explain_open(&x.sheet, j, false, (const char *const *)x.features.name, x.features.n, err);
    for (int64_t i = 0; !st && i < min64(x.u.origins, options_int(j->o, "examples")); i++)
        st = explain_series(&x, &x.u.origin[i], err);
    st = explain_close(x.sheet, st, err);
    mem_free(x.feature), name_list_free(&x.features), mem_free(x.x), mem_free(x.y), line_free(&x.path);
    forecast_use_close(&x.u);
    return st;
}
