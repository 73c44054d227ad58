/* laco predict and laco eval of forecast models; what laco explain reads of them. */
#include "data/intern.h"
#include "task/forecast_use.h"
#include "task/table_options.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

static laco_status open_model(forecast_use *u, laco_error *err)
{
    laco_status st = forecast_from_model(&u->f, u->m, err);
    return st ? st : net_load(u->m->net, false, true, err);
}
/* Does the model fit the series that were read? */
static laco_status open_data(forecast_use *u, laco_error *err)
{
    if (!u->d.count) return fail(err, LACO_EINVAL, -1, "--data is missing: the series to go on with");
    if (u->d.targets != u->f.targets || u->d.past != u->f.columns.past.n || u->d.statics != u->f.columns.statics.n)
        return fail(err, LACO_EINVAL, -1, "%s has other columns than the data the model was trained on", u->d.file);
    bool numbers = u->d.step.numbers;
    if (u->d.time && !u->d.step.months && !(u->d.step.seconds > 0)) /* a single row */
        u->d.step = u->f.step, u->d.step.numbers = numbers;
    if (u->d.time && u->f.columns.gaps != GAPS_IGNORE &&
        (u->d.step.months != u->f.step.months || fabs(u->d.step.seconds - u->f.step.seconds) > 1e-6 * u->f.step.seconds))
        return fail(err, LACO_EINVAL, -1, "%s has another step from time to time than the data the model was trained on",
                    u->d.file);
    u->line = mem_new((size_t)u->d.count, sizeof *u->line);
    return u->line ? LACO_OK : fail_memory(err, (size_t)u->d.count * sizeof *u->line);
}
laco_status forecast_use_open(forecast_use *u, laco_error *err)
{
    laco_status st = open_model(u, err);
    if (!st) st = forecast_read(&u->d, u->j, TEXT_DATA, &u->f.columns, err);
    return st ? st : open_data(u, err);
}
/* The scales of series that the model knows are those it was trained with; of others those of their own first `known`
   steps. */
static laco_status make_lines(forecast_use *u, const int64_t *known, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i < u->d.count; i++) {
        st = line_make(&u->line[i], &u->f, &u->d, i, known[i], err);
        if (!st && !line_adopt(&u->line[i]) && u->f.smooth)
            st = fail(err, LACO_EINVAL, -1,
                      "%s: the model does not know the series %.60s; es-rnn has parameters for each series that it was "
                      "trained on, and no others", u->d.file, u->d.name[i] ? u->d.name[i] : "(without a name)");
    }
    return st;
}
/* Covariates that are known before must be there for the horizon. */
static laco_status check_future(const forecast_use *u, laco_error *err)
{
    const forecast_data *d = &u->d;
    for (int64_t i = 0; d->future && i < d->count; i++)
        if (d->start[i + 1] - d->start[i] < d->known[i] + u->f.horizon)
            return fail(err, LACO_EINVAL, -1, "%s: the columns of --future must go on for %lld steps behind the last value of "
                        "series %s%.60s, in rows without a target; there are %lld", d->file, (long long)u->f.horizon,
                        d->name[i] ? "" : "1", d->name[i] ? d->name[i] : "",
                        (long long)(d->start[i + 1] - d->start[i] - d->known[i]));
    return LACO_OK;
}
laco_status forecast_use_ends(forecast_use *u, laco_error *err)
{
    laco_status st = check_future(u, err);
    if (!st) st = make_lines(u, u->d.known, err);
    if (!st && !(u->origin = mem_new((size_t)u->d.count, sizeof *u->origin))) st = fail_memory(err, (size_t)u->d.count);
    for (int64_t i = 0; !st && i < u->d.count; i++) {
        if (!u->d.known[i])
            st = fail(err, LACO_EFORMAT, -1, "%s: the series %s%.60s has no value", u->d.file, u->d.name[i] ? "" : "1",
                      u->d.name[i] ? u->d.name[i] : "");
        else
            u->origin[u->origins++] = (origin){ i, u->d.known[i] - 1 };
    }
    return st;
}
static void close_data(forecast_use *u)
{
    for (int64_t i = 0; u->line && i < u->d.count; i++) line_free(&u->line[i]);
    mem_free(u->line), mem_free(u->origin), forecast_data_free(&u->d);
    u->line = NULL, u->origin = NULL, u->origins = 0;
}
void forecast_use_close(forecast_use *u)
{
    close_data(u), evaluation_close(&u->e), plot_free(u->plot), forecast_free(&u->f);
}
static answer_wish wish_of(forecast_use *u, answer_fn *answer)
{
    return (answer_wish){ .f = &u->f,
                          .n = u->m->net,
                          .line = u->line,
                          .origin = u->origin,
                          .origins = u->origins,
                          .paths = u->levels.n ? options_int(u->j->o, "paths") : 1,
                          .seed = 1,
                          .levels = &u->levels,
                          .stop = u->j->stop,
                          .answer = answer,
                          .ctx = u };
}

/* ---- predict ---- */
static void declare_columns(const forecast_use *u, answers *a)
{
    const name_list *target = &u->d.target;
    char level[32];
    if (u->d.name[0]) answers_column(a, u->f.columns.id ? u->f.columns.id : "id");
    answers_column(a, u->d.time ? u->f.columns.time : "step");
    for (int64_t d = 0; d < u->d.targets; d++) {
        answers_column(a, target->name[d]);
        for (int64_t k = 0; k < u->levels.n; k++) {
            buf name = { 0 };
            snprintf(level, sizeof level, "%.4g", u->levels.level[k]);
            buf_printf(&name, "%s %s", target->name[d], level);
            if (!name.failed) answers_column(a, name.data);
            buf_free(&name);
        }
    }
}
static laco_status write_answer(void *ctx, const origin *o, const double *answer, laco_error *err)
{
    forecast_use *u = ctx;
    const forecast_data *d = &u->d;
    const int64_t each = 1 + u->levels.n;
    laco_status st = plot_add(u->plot, o, answer, err);
    char at[32];
    for (int64_t h = 1; !st && h <= u->f.horizon; h++) {
        if (d->name[o->series]) answers_text(u->out, d->name[o->series], strlen(d->name[o->series]));
        forecast_when(d, o, h, at);
        answers_text(u->out, at, strlen(at));
        for (int64_t i = 0; i < d->targets * each; i++) answers_number(u->out, answer[(h - 1) * d->targets * each + i]);
        st = answers_row(u->out, err);
    }
    return st ? st : answers_pause(u->out, err);
}
/* The series that were read: each goes on behind its last value. */
static laco_status answer_all(forecast_use *u, laco_error *err)
{
    laco_status st = forecast_use_ends(u, err);
    if (!st && !u->out) {
        st = plot_open(&u->plot, u->j, &u->f, &u->d, &u->levels, err);
        if (!st) st = answers_open(&u->out, u->j, err);
        if (!st) declare_columns(u, u->out);
    }
    const answer_wish w = wish_of(u, write_answer);
    return st ? st : forecast_answer(&w, err);
}
/* Does each series of t come for the first time, and in one piece? */
static laco_status check_runs(const forecast_use *u, const table *t, intern **seen, laco_error *err)
{
    const char *id = u->f.columns.id;
    bool again = u->d.count < table_runs(t, id);
    laco_status st = intern_forget(seen, RUN_NAMES, err);
    for (int64_t i = 0; !st && i < u->d.count; i++) {
        int32_t known = intern_count(*seen), number;
        const char *name = u->d.name[i] ? u->d.name[i] : "";
        st = intern_add(*seen, name, strlen(name), &number, err);
        again |= !st && number < known;
    }
    if (st || !again) return st;
    return fail(err, LACO_EFORMAT, table_line(t, 0),
                "%s: behind line %lld a series comes back that had ended; sort the table by \"%s\", or leave --sorted out",
                table_file(t), (long long)table_line(t, 0), id);
}
/* A table whose series lie together, some records at a time. */
static laco_status predict_runs(forecast_use *u, laco_error *err)
{
    forecast_columns *c = &u->f.columns;
    table_input in;
    table_reader *r = NULL;
    table *t = NULL;
    intern *seen = NULL;
    if (options_text(u->j->o, "svg"))
        return fail(err, LACO_EINVAL, -1, "--svg shows series of the whole table: leave --sorted out");
    c->part = true, c->step = u->f.step;
    laco_status st = table_input_open(&in, u->j, err);
    if (!st) st = task_open_table(&in, TEXT_DATA, &r, err);
    if (!st) st = intern_new(&seen, err);
    while (!st && r && !(st = table_next_runs(r, c->id, RUN_RECORDS, &t, err)) && t) {
        st = forecast_from_table(&u->d, t, c, in.o.decimal_comma, err);
        if (!st) st = open_data(u, err);
        if (!st) st = check_runs(u, t, &seen, err);
        table_free(t);
        if (!st) st = answer_all(u, err);
        close_data(u);
    }
    intern_free(seen), table_close(r);
    laco_status closed = table_input_close(&in, st ? NULL : err);
    return st ? st : closed;
}
laco_status forecast_predict(task_job *j, laco_model *m, laco_error *err)
{
    forecast_use u = { .j = j, .m = m };
    laco_status st = open_model(&u, err);
    if (!st) forecast_levels_of(&u.f, options_real(j->o, "interval"), &u.levels);
    if (!st && options_flag(j->o, "sorted") && u.f.columns.id)
        st = predict_runs(&u, err);
    else if (!st) {
        st = forecast_read(&u.d, j, TEXT_DATA, &u.f.columns, err);
        if (!st) st = open_data(&u, err);
        if (!st) st = answer_all(&u, err);
    }
    st = answers_close(u.out, st, err);
    if (!st) st = plot_write(u.plot, err);
    forecast_use_close(&u);
    return st;
}

/* ---- eval ---- */
static laco_status take_answer(void *ctx, const origin *o, const double *answer, laco_error *err)
{
    forecast_use *u = ctx;
    (void)err;
    evaluation_add(&u->e, METHOD_NETWORK, o, answer, u->levels.n);
    return LACO_OK;
}
static laco_status list_origins(forecast_use *u, int64_t *known, laco_error *err)
{
    const int64_t H = u->f.horizon, wanted = max64(1, options_int(u->j->o, "backtest"));
    int64_t most = u->d.count * wanted;
    if (!(u->origin = mem_new((size_t)most, sizeof *u->origin))) return fail_memory(err, (size_t)most * sizeof *u->origin);
    for (int64_t i = 0; i < u->d.count; i++) {
        known[i] = max64(1, u->d.known[i] - wanted * H);
        for (int64_t k = wanted; k > 0; k--)
            if (u->d.known[i] - k * H > 1) u->origin[u->origins++] = (origin){ i, u->d.known[i] - k * H - 1 };
    }
    if (!u->origins)
        return fail(err, LACO_EINVAL, -1, "%s: no series is longer than the horizon of %lld steps", u->d.file, (long long)H);
    return LACO_OK;
}
laco_status forecast_eval(task_job *j, laco_model *m, laco_error *err)
{
    forecast_use u = { .j = j, .m = m };
    laco_status st = forecast_use_open(&u, err);
    if (!st) forecast_levels_of(&u.f, options_real(j->o, "interval"), &u.levels);
    int64_t *known = mem_new((size_t)u.d.count, sizeof *known);
    if (!st && !known) st = fail_memory(err, (size_t)u.d.count);
    if (!st) st = list_origins(&u, known, err);
    if (!st) st = make_lines(&u, known, err);
    if (!st) st = evaluation_open(&u.e, &u.f, &u.d, known, &u.levels, options_real(j->o, "interval"),
                                  options_flag(j->o, "standardised"), err);
    const answer_wish w = wish_of(&u, take_answer);
    if (!st) st = forecast_answer(&w, err);
    if (!st) st = evaluation_baselines(&u.e, j, u.origin, u.origins, known, err);
    if (!st) {
        json_out o = { .to = j->result };
        evaluation_report(&u.e, j);
        json_begin(&o, '{');
        json_key(&o, "task"), json_text(&o, "forecast");
        json_key(&o, "origins"), json_int(&o, u.origins);
        json_key(&o, "test"), json_begin(&o, '{');
        evaluation_figures(&u.e, METHOD_NETWORK, &o);
        json_end(&o, '}');
        json_key(&o, "baselines"), json_begin(&o, '{');
        evaluation_json(&u.e, &o);
        json_end(&o, '}'), json_end(&o, '}');
    }
    mem_free(known), forecast_use_close(&u);
    return st;
}
