/* laco anomaly: how little each value was to be expected.

   A forecast model says of every step, from the steps before it, what the next value will be; the score of the value
   that comes is

       of a distribution (gaussian, student-t, negative-binomial)    -log of its density there
       of quantiles     |value - median| / half the width between the outer levels
       of a number      |value - forecast| / deviation of the series

   in the units the network reads (after --log, differences of the scale), the mean over the targets. A step is an
   anomaly when its score is above a threshold: the quantile --quantile of the scores over a stretch without anomalies
   (--clean), given (--threshold), or as the model file has it (--store).

   Steps with less than half a window before them have no score: training does not ask for these either.

   Rows are read as they come and answered in their order, in memory of the steps that the model looks back over. */
#include "task/anomaly.h"
#include "base/number.h"
#include "task/answers.h"
#include "task/table_options.h"
#include <math.h>
#include <stdio.h>

enum { CHUNK = 1024 }; /* records, at most */
typedef struct scored {
    int64_t series, step, line;
} scored;
typedef struct judge {
    task_job *j;
    const options *o;
    laco_model *m;
    forecast_front f;
    forecast_tail t;
    forecast_levels levels;
    line *line; /* [series] of the chunk */
    origin *origin;
    double *point, *score; /* [steps][targets] of the chunk; [steps], NaN: there is none */
    scored *order;         /* [steps] those that are new, in the order of the file */
    int64_t origins, news, lines;
    double *clean; /* scores of the clean stretch, while it is read */
    int64_t cleans, room, steps, anomalies;
    bool learning;
    double threshold; /* NaN: none yet */
    answers *out;
} judge;

/* ---- scores ---- */
static double score_of(const line *l, const head *h, int64_t d, double v)
{
    const double middle = head_quantile(h, 0.5), apart = fabs(v - middle);
    if (h->kind == LOSS_GAUSSIAN || h->kind == LOSS_STUDENT_T || h->kind == LOSS_NEGATIVE_BINOMIAL)
        return head_surprise(h, v);
    if (h->kind != LOSS_PINBALL || h->options->levels < 2) return apart / l->deviation[d];
    const loss_options *o = h->options;
    const double width = head_quantile(h, o->level[o->levels - 1]) - head_quantile(h, o->level[0]);
    return apart / fmax(width / 2, 1e-6 * l->deviation[d]);
}
static laco_status take_first(void *ctx, const origin *o, int64_t d, const head *h, laco_error *err)
{
    judge *r = ctx;
    const line *l = &r->line[o->series];
    const int64_t D = r->f.targets, at = r->t.d.start[o->series] + o->end + 1;
    const double v = line_at(l, o->end + 1, d), score = isnan(v) ? NAN : score_of(l, h, d, v);
    (void)err;
    r->point[at * D + d] = line_back(l, o->end + 1, d, head_quantile(h, 0.5));
    if (isnan(score)) return LACO_OK;
    int64_t there = 0; /* targets of this step up to this one that have a value */
    for (int64_t k = 0; k <= d; k++) there += !isnan(line_at(l, o->end + 1, k));
    r->score[at] = there == 1 ? score : r->score[at] + (score - r->score[at]) / (double)there;
    return LACO_OK;
}

/* ---- a chunk ---- */
static int by_line(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    if (x->series != y->series) return x->series < y->series ? -1 : 1;
    return x->step < y->step ? -1 : x->step > y->step;
}
static void free_chunk(judge *r)
{
    for (int64_t i = 0; i < r->lines; i++) line_free(&r->line[i]);
    mem_free(r->line), mem_free(r->origin), mem_free(r->point), mem_free(r->score), mem_free(r->order);
    r->line = NULL, r->origin = NULL, r->point = r->score = NULL, r->order = NULL, r->lines = 0;
}
static laco_status make_line(judge *r, int64_t i, laco_error *err)
{
    const forecast_data *d = &r->t.d;
    const char *name = d->name[i];
    laco_status st = line_make(&r->line[i], &r->f, d, i, d->known[i], err);
    if (st) return st;
    r->lines++;
    if (line_adopt(&r->line[i]) || r->f.scale == SCALE_NONE || r->f.scale >= SCALE_WINDOW) return LACO_OK;
    return fail(
        err, LACO_EINVAL, -1,
        "%s: the model does not know the series %.60s, and measures values by what it knows of each; train it with "
        "--scale window or level",
        d->file, name ? name : "(without a name)");
}
static laco_status open_chunk(judge *r, laco_error *err)
{
    const forecast_data *d = &r->t.d;
    const size_t n = (size_t)d->start[d->count], D = (size_t)d->targets;
    laco_status st = LACO_OK;
    r->line = mem_new((size_t)d->count, sizeof *r->line), r->origin = mem_new(n, sizeof *r->origin);
    r->point = mem_new(n * D, sizeof *r->point), r->score = mem_new(n, sizeof *r->score);
    r->order = mem_new(n, sizeof *r->order), r->origins = r->news = r->lines = 0;
    if (!r->line || !r->origin || !r->point || !r->score || !r->order) return fail_memory(err, n * D * sizeof(double));
    for (size_t i = 0; i < n; i++) r->score[i] = NAN;
    for (size_t i = 0; i < n * D; i++) r->point[i] = NAN;
    for (int64_t i = 0; !st && i < d->count; i++) {
        st = make_line(r, i, err);
        for (int64_t t = r->t.fresh[i]; t < d->start[i + 1] - d->start[i]; t++) {
            if (t >= max64(1, r->f.window / 2) && t < d->known[i]) r->origin[r->origins++] = (origin){ i, t - 1 };
            if (d->line[d->start[i] + t]) r->order[r->news++] = (scored){ i, t, d->line[d->start[i] + t] };
        }
    }
    if (r->news) qsort(r->order, (size_t)r->news, sizeof *r->order, by_line);
    return st;
}
static laco_status write_step(judge *r, const scored *s, laco_error *err)
{
    const forecast_data *d = &r->t.d;
    const int64_t at = d->start[s->series] + s->step, D = d->targets;
    char time[32];
    if (d->name[s->series]) answers_text(r->out, d->name[s->series], strlen(d->name[s->series]));
    if (d->time)
        time_text(d->time[at], r->f.step, time), answers_text(r->out, time, strlen(time));
    else
        answers_int(r->out, r->f.columns.wide ? s->step + 1 : s->line);
    for (int64_t k = 0; k < D; k++)
        answers_number(r->out, d->y[at * D + k]), answers_number(r->out, r->point[at * D + k]);
    answers_number(r->out, r->score[at]);
    const bool judged = !isnan(r->score[at]), anomaly = judged && r->score[at] > r->threshold;
    if (judged)
        answers_int(r->out, anomaly);
    else
        answers_missing(r->out);
    r->steps += judged, r->anomalies += anomaly;
    return answers_row(r->out, err);
}
static void declare_columns(judge *r)
{
    const forecast_data *d = &r->t.d;
    const char *id = r->f.columns.id ? r->f.columns.id : "id";
    if (d->count && d->name[0]) answers_column(r->out, id);
    answers_column(r->out, d->time ? r->f.columns.time : r->f.columns.wide ? "step" : "line");
    for (int64_t k = 0; k < d->targets; k++) {
        buf name = { 0 };
        buf_printf(&name, "%s forecast", d->target.name[k]);
        answers_column(r->out, d->target.name[k]), answers_column(r->out, name.failed ? "forecast" : name.data);
        buf_free(&name);
    }
    answers_column(r->out, "score"), answers_column(r->out, "anomaly");
}
static laco_status keep_scores(judge *r, laco_error *err)
{
    for (int64_t i = 0; i < r->news; i++) {
        const double score = r->score[r->t.d.start[r->order[i].series] + r->order[i].step];
        if (r->cleans == r->room) {
            int64_t more = max64(1024, 2 * r->room);
            double *to = mem_resize(r->clean, (size_t)r->room * sizeof *to, (size_t)more * sizeof *to);
            if (!to) return fail_memory(err, (size_t)more * sizeof *to);
            r->clean = to, r->room = more;
        }
        if (!isnan(score)) r->clean[r->cleans++] = score;
    }
    return LACO_OK;
}
static laco_status write_scores(judge *r, bool first, laco_error *err)
{
    laco_status st = LACO_OK;
    if (first) declare_columns(r);
    for (int64_t i = 0; !st && i < r->news; i++) st = write_step(r, &r->order[i], err);
    return st ? st : answers_pause(r->out, err);
}
static laco_status judge_chunk(judge *r, const table *chunk, bool first, const table_input *in, laco_error *err)
{
    forecast_data more;
    int64_t far = max64(r->f.span, r->f.difference);
    for (int64_t i = 0; i < r->f.lags; i++) far = max64(far, r->f.lag[i] + r->f.horizon);
    laco_status st = forecast_from_table(&more, chunk, &r->f.columns, in->o.decimal_comma, err);
    if (st) return st;
    if (more.targets != r->f.targets || more.past != r->f.columns.past.n || more.statics != r->f.columns.statics.n)
        st = fail(err, LACO_EINVAL, -1, "%s has other columns than the data the model was trained on", more.file);
    if (!st) st = forecast_tail_add(&r->t, &r->f, &more, r->f.window + far + 1, err);
    forecast_data_free(&more);
    if (!st) st = open_chunk(r, err);
    const answer_wish w = { .f = &r->f,
                            .n = r->m->net,
                            .line = r->line,
                            .origin = r->origin,
                            .origins = r->origins,
                            .paths = 1,
                            .levels = &r->levels,
                            .stop = r->j->stop,
                            .first = take_first,
                            .ctx = r };
    if (!st) st = forecast_answer(&w, err);
    if (!st) st = r->learning ? keep_scores(r, err) : write_scores(r, first, err);
    free_chunk(r);
    return st;
}
static laco_status judge_table(judge *r, table_reader *reader, const table_input *in, laco_error *err)
{
    const bool whole = r->f.columns.wide; /* a row is a series: no part of it can be judged before it is there */
    laco_status st = LACO_OK;
    forecast_tail_free(&r->t);
    for (bool first = true; !st && !*r->j->stop; first = false) {
        table *chunk;
        st = table_next(reader, whole ? INT64_MAX : CHUNK, !whole, &chunk, err);
        if (st || !chunk) break;
        st = judge_chunk(r, chunk, first, in, err);
        table_free(chunk);
    }
    return st;
}

/* ---- the threshold ---- */
static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static laco_status learn_threshold(judge *r, laco_error *err)
{
    const char *path = options_text(r->o, "clean");
    const double quantile = options_real(r->o, "quantile");
    table_reader *reader = NULL;
    table_input in;
    char count[32];
    laco_status st = table_input_open(&in, r->j, err), closed;
    if (st) return st;
    r->learning = true, st = table_open(&reader, path, &in.o, err);
    if (!st) st = judge_table(r, reader, &in, err);
    table_close(reader), closed = table_input_close(&in, st ? NULL : err), r->learning = false;
    if (st || closed) return st ? st : closed;
    if (!r->cleans)
        return fail(err, LACO_EFORMAT, -1, "%s: no step has a score: a series of one value is too short", path);
    qsort(r->clean, (size_t)r->cleans, sizeof *r->clean, rising);
    int64_t at = (int64_t)ceil(quantile * (double)r->cleans) - 1;
    r->threshold = r->clean[max64(0, min64(at, r->cleans - 1))];
    task_note(r->j, "threshold %.6g, the %g quantile of %s clean steps%s", r->threshold, quantile,
              task_count(r->cleans, count),
              (double)r->cleans * (1 - quantile) < 1 ? ": so few that it is the highest of them" : "");
    return LACO_OK;
}
static laco_status store_threshold(judge *r, laco_error *err)
{
    buf text = { 0 };
    json_out o = { .to = &text };
    json_begin(&o, '{');
    json_key(&o, "threshold"), json_number(&o, r->threshold);
    if (r->cleans) json_key(&o, "quantile"), json_number(&o, options_real(r->o, "quantile"));
    if (r->cleans) json_key(&o, "steps"), json_int(&o, r->cleans);
    json_end(&o, '}');
    laco_status st = text.failed ? fail_memory(err, text.len) : model_set(r->m, "anomaly", text.data, err);
    if (!st) st = model_save(r->m, options_text(r->o, "model-file"), err);
    buf_free(&text);
    return st;
}
static laco_status stored_threshold(judge *r, laco_error *err)
{
    const char *text = model_get(r->m, "anomaly");
    json_doc *doc = NULL;
    if (!text)
        return fail(
            err, LACO_EINVAL, -1,
            "there is no threshold: give --clean, data without anomalies, or --threshold; --store keeps it in the "
            "model");
    laco_status st = json_parse(&doc, text, strlen(text), err);
    if (st) return st;
    const json *t = json_get(json_root(doc), "threshold");
    r->threshold = t && t->kind == JSON_NUMBER ? t->number : NAN;
    json_free(doc);
    return isnan(r->threshold) ? fail(err, LACO_EFORMAT, -1, "the model's \"anomaly\" is damaged") : LACO_OK;
}
static laco_status find_threshold(judge *r, laco_error *err)
{
    const char *given = options_text(r->o, "threshold");
    if (given && options_text(r->o, "clean"))
        return fail(err, LACO_EINVAL, -1, "--threshold and --clean each say what is an anomaly; give one of them");
    if (given && !number_parse(given, &r->threshold))
        return fail(err, LACO_EINVAL, -1, "--threshold %.40s: a number", given);
    laco_status st = given ? LACO_OK : options_text(r->o, "clean") ? learn_threshold(r, err) : stored_threshold(r, err);
    return !st && options_flag(r->o, "store") ? store_threshold(r, err) : st;
}

/* ---- the job ---- */
static laco_status open_model(judge *r, laco_error *err)
{
    laco_status st = forecast_from_model(&r->f, r->m, err);
    if (st) return st;
    if (r->f.smooth || r->f.deseasonalise)
        return fail(
            err, LACO_EUNSUPPORTED, -1,
            "a model of %s reads each series from its beginning; anomalies in data that come as they are need one "
            "without",
            r->f.smooth ? "--model es-rnn" : "--deseasonalise");
    r->f.columns.part = true, r->f.columns.step = r->f.step;
    forecast_levels_of(&r->f, 0.8, &r->levels);
    return net_load(r->m->net, false, true, err);
}
static laco_status judge_data(judge *r, laco_error *err)
{
    table_reader *reader = NULL;
    table_input in;
    laco_status st = table_input_open(&in, r->j, err), closed;
    if (st) return st;
    st = task_open_table(&in, TEXT_DATA, &reader, err);
    if (!st) st = answers_open(&r->out, r->j, err);
    if (!st) st = answers_close(r->out, judge_table(r, reader, &in, err), err);
    table_close(reader), closed = table_input_close(&in, st ? NULL : err);
    return st ? st : closed;
}
static void report(const judge *r)
{
    char steps[32], anomalies[32];
    json_out o = { .to = r->j->result };
    task_note(r->j, "anomalies %s of %s steps, above %.6g", task_count(r->anomalies, anomalies),
              task_count(r->steps, steps), r->threshold);
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "anomaly");
    json_key(&o, "threshold"), json_number(&o, r->threshold);
    json_key(&o, "steps"), json_int(&o, r->steps);
    json_key(&o, "anomalies"), json_int(&o, r->anomalies);
    json_end(&o, '}');
}
laco_status forecast_anomaly(task_job *j, laco_model *m, laco_error *err)
{
    judge r = { .j = j, .o = j->o, .m = m, .threshold = NAN };
    const bool only_store = options_flag(j->o, "store") && !options_given(j->o, "data") && !j->text[TEXT_DATA];
    laco_status st = open_model(&r, err);
    if (!st) st = find_threshold(&r, err);
    if (!st && !only_store) st = judge_data(&r, err);
    if (!st && !only_store) report(&r);
    forecast_tail_free(&r.t), forecast_free(&r.f), mem_free(r.clean);
    return st;
}
