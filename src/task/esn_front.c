#include "task/esn.h"
#include <math.h>

void esn_front_free(esn_front *f)
{
    forecast_columns_free(&f->columns);
    mem_free(f->mean), mem_free(f->deviation), mem_free(f->residual), mem_free(f->flag);
    *f = (esn_front){ 0 };
}
laco_status esn_front_new(esn_front *f, laco_error *err)
{
    const size_t n = (size_t)(f->targets + f->drivers);
    f->mean = mem_new(n, sizeof(double)), f->deviation = mem_new(n, sizeof(double));
    f->residual = mem_new(n, sizeof(double)), f->flag = mem_new(n, sizeof(double));
    return f->mean && f->deviation && f->residual && f->flag ? LACO_OK : fail_memory(err, 4 * n * sizeof(double));
}
laco_status esn_kernels(const kernels **out, const options *o, laco_error *err)
{
    const bool single = options_type(o, "precision") && !strcmp(options_text(o, "precision"), "float");
    return kernels_choose(out, single ? REAL_FLOAT : REAL_DOUBLE, err);
}
int64_t esn_inputs(const esn_front *f) { return f->drivers + (f->own ? f->targets : 0); }

/* ---- JSON ---- the metadata "front" */
static void numbers_json(json_out *o, const char *key, const double *x, int64_t n)
{
    json_key(o, key), json_begin(o, '[');
    for (int64_t i = 0; i < n; i++) json_number(o, x[i]);
    json_end(o, ']');
}
static void names_json(json_out *o, const char *key, const name_list *l)
{
    json_key(o, key), json_begin(o, '[');
    for (int64_t i = 0; i < l->n; i++) json_text(o, l->name[i]);
    json_end(o, ']');
}
laco_status esn_to_json(const esn_front *f, buf *out, laco_error *err)
{
    json_out o = { .to = out };
    json_begin(&o, '{');
    names_json(&o, "target", &f->columns.target), names_json(&o, "input", &f->columns.future);
    if (f->columns.time) json_key(&o, "time"), json_text(&o, f->columns.time);
    if (f->columns.id) json_key(&o, "id"), json_text(&o, f->columns.id);
    json_key(&o, "horizon"), json_int(&o, f->horizon), json_key(&o, "washout"), json_int(&o, f->washout);
    json_key(&o, "own"), json_bool(&o, f->own);
    numbers_json(&o, "mean", f->mean, f->targets + f->drivers);
    numbers_json(&o, "deviation", f->deviation, f->targets + f->drivers);
    numbers_json(&o, "residual", f->residual, f->targets), numbers_json(&o, "flag", f->flag, f->targets);
    json_end(&o, '}');
    return out->failed ? fail_memory(err, out->len) : LACO_OK;
}
/* A file may say anything. */
static bool take_names(const json *root, const char *key, name_list *l)
{
    const json *list = json_get(root, key);
    if (!list || list->kind != JSON_ARRAY || list->len > MOST_TARGETS) return false;
    if (!(l->name = mem_new(list->len + 1, sizeof *l->name))) return false;
    for (size_t i = 0; i < list->len; i++) {
        if (list->item[i].kind != JSON_STRING || !(l->name[i] = mem_text(list->item[i].text, list->item[i].len)))
            return false;
        l->n++;
    }
    return true;
}
static bool take_text(const json *root, const char *key, char **to)
{
    const json *x = json_get(root, key);
    return !x || (x->kind == JSON_STRING && (*to = mem_text(x->text, x->len)));
}
static bool take_numbers(const json *root, const char *key, double *to, int64_t n, bool positive)
{
    const json *x = json_get(root, key);
    bool ok = x && x->kind == JSON_ARRAY && (int64_t)x->len == n;
    for (int64_t i = 0; ok && i < n; i++) {
        to[i] = x->item[i].number;
        ok = x->item[i].kind == JSON_NUMBER && isfinite(to[i]) && (!positive || to[i] > 0);
    }
    return ok;
}
static bool take_count(const json *root, const char *key, int64_t low, int64_t *to)
{
    const json *x = json_get(root, key);
    return x && x->kind == JSON_NUMBER && x->integer && x->i >= low && x->i <= 1 << 24 && (*to = x->i, true);
}
static bool take_front(const json *root, esn_front *f, laco_error *err)
{
    const json *own = json_get(root, "own");
    bool ok = take_names(root, "target", &f->columns.target) && take_names(root, "input", &f->columns.future) &&
              take_text(root, "time", &f->columns.time) && take_text(root, "id", &f->columns.id) &&
              take_count(root, "horizon", 1, &f->horizon) && take_count(root, "washout", 0, &f->washout) && own &&
              (own->kind == JSON_TRUE || own->kind == JSON_FALSE);
    if (!ok) return false;
    f->saved = true, f->own = own->kind == JSON_TRUE, f->targets = f->columns.target.n,
    f->drivers = f->columns.future.n;
    return f->targets > 0 && !esn_front_new(f, err) &&
           take_numbers(root, "mean", f->mean, f->targets + f->drivers, false) &&
           take_numbers(root, "deviation", f->deviation, f->targets + f->drivers, true) &&
           take_numbers(root, "residual", f->residual, f->targets, false) &&
           take_numbers(root, "flag", f->flag, f->targets, false);
}
laco_status esn_from_model(esn_front *f, const laco_model *m, laco_error *err)
{
    const char *text = model_get(m, "front"), *task = model_get(m, "task");
    json_doc *doc = NULL;
    *f = (esn_front){ 0 };
    if (!text || !task || strcmp(task, "esn"))
        return fail(err, LACO_EINVAL, -1, "this is not a model of laco esn train: its task is \"%.40s\"",
                    task ? task : "unknown");
    laco_status st = json_parse(&doc, text, strlen(text), err);
    if (!st &&
        (!take_front(json_root(doc), f, err) || esn_inputs(f) != m->net->inputs || f->targets != m->net->outputs))
        st = fail(err, LACO_EFORMAT, -1, "the model's \"front\" is damaged, or of another network");
    json_free(doc), f->columns.gaps = GAPS_MASK;
    if (st) esn_front_free(f);
    return st;
}

/* ---- data ---- */
laco_status esn_columns_of(forecast_columns *c, const options *o, laco_error *err)
{
    const char *target = options_text(o, "target"), *time = options_text(o, "time"), *id = options_text(o, "id");
    *c = (forecast_columns){ .gaps = GAPS_MASK };
    laco_status st = target ? name_list_split(&c->target, target, err) : LACO_OK;
    if (!st) st = name_list_split(&c->future, options_text(o, "input"), err);
    if (!st && time && !(c->time = mem_text(time, strlen(time)))) st = fail_memory(err, strlen(time));
    if (!st && id && !(c->id = mem_text(id, strlen(id)))) st = fail_memory(err, strlen(id));
    for (int64_t i = 0; !st && i < c->target.n; i++)
        for (int64_t k = 0; !st && k < c->future.n; k++)
            if (!strcmp(c->target.name[i], c->future.name[k]))
                st = fail(err, LACO_EINVAL, -1,
                          "the column \"%.60s\" is both --target and --input, so its answer would be read; without --input a "
                          "series is predicted from its own past", c->target.name[i]);
    return st;
}
laco_status esn_check(const forecast_data *d, laco_error *err)
{
    for (int64_t i = 0; d->count && i < d->start[d->count] * d->targets; i++)
        if (isinf(d->y[i]))
            return fail(err, LACO_EFORMAT, d->line[i / d->targets],
                        "%.200s, line %lld: an infinite value; leave it empty where it is not known", d->file,
                        (long long)d->line[i / d->targets]);
    return LACO_OK;
}
void esn_by_place(esn_front *f, const table *t)
{
    int column;
    char *name;
    if (!f->saved && !f->columns.target.n && !f->columns.future.n && table_columns(t) == 1)
        (void)name_list_split(&f->columns.target, table_column_name(t, 0), NULL);
    if (!f->saved || f->targets != 1 || f->drivers || table_columns(t) != 1) return;
    if (!table_find(t, f->columns.target.name[0], &column, NULL) || !(name = mem_text("1", 1))) return;
    mem_free(f->columns.target.name[0]), f->columns.target.name[0] = name;
}
laco_status esn_open(table_input *in, task_job *j, const esn_front *f, laco_error *err)
{
    const name_list *l = &f->columns.target;
    laco_status st = table_input_open(in, j, err);
    if (!st && l->n == 1 && !(in->o.column = mem_text(l->name[0], strlen(l->name[0])))) st = fail_memory(err, 1);
    return st;
}
laco_status esn_close(table_input *in, laco_status st, laco_error *err)
{
    mem_free((char *)in->o.column);
    const laco_status closed = table_input_close(in, st ? NULL : err);
    return st ? st : closed;
}
laco_status esn_read(forecast_data *d, task_job *j, int which, esn_front *f, laco_error *err)
{
    table_input in;
    table *t = NULL;
    *d = (forecast_data){ 0 };
    laco_status st = esn_open(&in, j, f, err);
    if (st) return st;
    st = task_read_table(&in, which, &t, err);
    if (!st && t) esn_by_place(f, t), st = forecast_from_table(d, t, &f->columns, in.o.decimal_comma, err);
    if (!st) st = esn_check(d, err);
    table_free(t), st = esn_close(&in, st, err);
    if (st) forecast_data_free(d);
    return st;
}

/* ---- a series ---- */
void esn_series_free(esn_series *s)
{
    mem_free(s->u), mem_free(s->y), mem_free(s->ahead);
    *s = (esn_series){ 0 };
}
laco_status esn_series_of(esn_series *s, const esn_front *f, const forecast_data *d, int64_t series, laco_error *err)
{
    const int64_t n = d->start[series + 1] - d->start[series], D = f->targets, E = f->drivers;
    *s = (esn_series){ .n = n };
    s->u = mem_new((size_t)(n * esn_inputs(f)), sizeof(double));
    s->y = mem_new((size_t)(n * D), sizeof(double)), s->ahead = mem_new((size_t)(n * D), sizeof(double));
    double *held = mem_new((size_t)(D + E), sizeof *held);
    if (!s->u || !s->y || !s->ahead || !held)
        return mem_free(held), esn_series_free(s), fail_memory(err, (size_t)n * sizeof(double));
    const double *y = d->y + d->start[series] * D, *x = E ? d->future_x + d->start[series] * E : NULL;
    for (int64_t t = 0; t < n; t++)
        for (int64_t k = 0; k < D; k++) {
            const int64_t ahead = t + f->horizon - 1;
            s->y[t * D + k] = t < d->known[series] ? (y[t * D + k] - f->mean[k]) / f->deviation[k] : NAN;
            s->ahead[t * D + k] = ahead < d->known[series] ? (y[ahead * D + k] - f->mean[k]) / f->deviation[k] : NAN;
        }
    for (int64_t t = 0; t < n; t++) {
        double *u = s->u + t * esn_inputs(f);
        for (int64_t k = 0; k < E; k++) {
            const double v = (x[t * E + k] - f->mean[D + k]) / f->deviation[D + k];
            u[k] = held[D + k] = isfinite(v) ? v : held[D + k];
        }
        for (int64_t k = 0; f->own && k < D; k++) {
            const double v = t ? s->y[(t - 1) * D + k] : 0;
            u[E + k] = held[k] = isfinite(v) ? v : held[k];
        }
    }
    mem_free(held);
    return LACO_OK;
}
void esn_inputs_at(const esn_front *f, const esn_series *s, int64_t t, const double *before, double *u)
{
    const int64_t D = f->targets, E = f->drivers;
    memcpy(u, s->u + t * esn_inputs(f), (size_t)esn_inputs(f) * sizeof *u);
    for (int64_t k = 0; before && f->own && t && k < D; k++)
        if (!isfinite(s->y[(t - 1) * D + k]) && f->horizon == 1) u[E + k] = before[k];
}
laco_status esn_follow(echo *e, const esn_front *f, const esn_series *s, int64_t from, int64_t to, int64_t free_from,
                       double *answer, const volatile int *stop, laco_error *err)
{
    const int64_t D = f->targets;
    double *u = mem_new((size_t)esn_inputs(f), sizeof *u);
    laco_status st = u ? LACO_OK : fail_memory(err, (size_t)esn_inputs(f) * sizeof *u);
    for (int64_t t = from; !st && t < to; t++) {
        const double *before = t > from ? answer + (t - from - 1) * D : NULL;
        esn_inputs_at(f, s, t, before, u);
        if (before && t > free_from) memcpy(u + f->drivers, before, (size_t)D * sizeof *u);
        echo_step(e, u, answer + (t - from) * D);
        for (int64_t k = 0; k < D; k++)
            if (!(fabs(answer[(t - from) * D + k]) < 1e6))
                st = fail(
                    err, LACO_ENUMERIC, t,
                    "the network runs away at step %lld: its answers grow without bound; train with a larger --ridge, "
                    "with --noise, or with a smaller radius",
                    (long long)t + 1);
        if (stop && *stop && !st) st = fail(err, LACO_ESTOPPED, -1, "stopped");
    }
    mem_free(u);
    return st;
}

esn_error esn_error_of(const double *answer, const double *truth, int64_t steps, int64_t targets)
{
    esn_error e = { 0 };
    for (int64_t k = 0; k < targets; k++) {
        double mean = 0, n = 0;
        for (int64_t t = 0; t < steps; t++)
            if (isfinite(truth[t * targets + k])) mean += truth[t * targets + k], n++;
        mean = n > 0 ? mean / n : 0;
        for (int64_t t = 0; t < steps; t++) {
            const double y = truth[t * targets + k], d = answer[t * targets + k] - y;
            if (isfinite(y)) e.square += d * d, e.variance += (y - mean) * (y - mean), e.n++;
        }
    }
    return e;
}
double esn_nrmse(const esn_error *e) { return e->variance > 0 ? sqrt(e->square / e->variance) : NAN; }

/* ---- a model at work ---- */
laco_status esn_use_open(esn_use *r, task_job *j, laco_error *err)
{
    const char *path = options_text(j->o, "model-file");
    const kernels *k;
    *r = (esn_use){ .j = j };
    if (!path) return fail(err, LACO_EINVAL, -1, "name a model file, made by laco esn train");
    laco_status st = esn_kernels(&k, j->o, err);
    if (!st) st = pool_new(&r->pool, (int)options_int(j->o, "threads"), err);
    if (!st) st = model_load(&r->m, path, 1, err);
    if (!st) st = esn_from_model(&r->f, r->m, err);
    if (!st) st = echo_of(&r->e, r->m->net, k, r->pool, err);
    return st;
}
laco_status esn_use_close(esn_use *r, laco_status st, laco_error *err)
{
    st = answers_close(r->out, st, err);
    echo_free(&r->e), laco_model_free(r->m), pool_free(r->pool), esn_front_free(&r->f);
    return st;
}
double esn_back(const esn_front *f, int64_t k, double x) { return x * f->deviation[k] + f->mean[k]; }
laco_status esn_answers_open(esn_use *r, bool score, laco_error *err)
{
    const bool figures = !strncmp(r->j->command, "esn ", 4) && options_flag(r->j->o, "json");
    laco_status st = figures && !options_text(r->j->o, "out") ? LACO_OK : answers_open(&r->out, r->j, err);
    if (st || !r->out) return st;
    if (figures) answers_csv(r->out);
    if (r->f.columns.id) answers_column(r->out, r->f.columns.id);
    answers_column(r->out, r->f.columns.time ? r->f.columns.time : "step");
    for (int64_t k = 0; k < r->f.targets; k++) answers_column(r->out, r->f.columns.target.name[k]);
    for (int64_t k = 0; k < r->f.targets; k++) {
        buf name = { 0 };
        buf_printf(&name, "%s answer", r->f.columns.target.name[k]);
        if (!name.failed) answers_column(r->out, name.data);
        buf_free(&name);
    }
    if (score) answers_column(r->out, "score"), answers_column(r->out, "odd");
    return LACO_OK;
}
void esn_answers_when(esn_use *r, const char *when, int64_t step)
{
    if (when)
        answers_text(r->out, when, strlen(when));
    else
        answers_int(r->out, step + 1);
}
void esn_answers_values(esn_use *r, const double *x)
{
    for (int64_t k = 0; k < r->f.targets; k++) answers_number(r->out, esn_back(&r->f, k, x[k]));
}
