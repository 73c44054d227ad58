/* laco train classify: one answer for every sequence.

   read, split  ->  what the network reads  ->  the loop of fit.h over batches in which the last step of a sequence
   alone is asked (or every step, of numbers)  ->  naive Bayes beside the network of a text  ->  baselines and the
   report. */
#include "task/classify.h"
#include "data/augment.h"
#include "task/fit.h"
#include "task/lm.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

typedef struct class_run {
    task_job *j;
    const options *o;
    examples e;
    reading f;
    laco_model *m;
    fit fit;
    augment augment;
    runner runner;
    verdicts said, counted; /* answers of the network, of naive Bayes */
    mixture mix;
    report report;
    fit_task task;
    fit_metric metric[FIT_METRICS + 1];
    float *label;          /* [count][classes] of several labels */
    double *weight;        /* [classes] of the loss, or NULL */
    text_row *row, *drawn; /* training examples, in the order of an epoch; `quiet` is the number of the example */
    int64_t rows, epoch, longest, answers;
    /* memory of a batch: its rows and their examples, positions */
    text_row *batch;
    int64_t *of;
    int32_t *ids, *classes;
    float *x, *y;
    int64_t room;
    figures valid;
} class_run;

/* ---- data ---- */
static laco_status augment_options(class_run *r, laco_error *err)
{
    const preparation *p = &r->f.prepare;
    augment *a = &r->augment;
    a->shift = options_real(r->o, "augment-shift"), a->mask = options_real(r->o, "augment-mask");
    a->stretch = options_real(r->o, "augment-stretch");
    a->seed = (uint64_t)options_int(r->o, "seed");
    a->bands = r->f.numbers ? r->f.features / ((1 + p->deltas) * max64(1, p->stack)) : 1;
    if (augment_on(a) && (!r->f.numbers || r->f.inputs != r->f.features))
        return fail(err, LACO_EINVAL, -1, "--augment-shift, -mask and -stretch change series without missing values");
    if (a->stretch > 0 && r->f.every)
        return fail(err, LACO_EINVAL, -1, "--augment-stretch is for one answer a series, not one a step");
    if (a->shift > 0 && (!p->of_sound || p->sound.mfcc))
        return fail(err, LACO_EINVAL, -1, "--augment-shift moves mel bands: it is for sound without --mfcc");
    return LACO_OK;
}
static laco_status read_all(class_run *r, laco_error *err)
{
    static const struct {
        const char *data, *labels;
    } parts[PARTS] /* in the order of the texts of a job */ = { { "data", "labels" },
                                                                { "valid", "valid-labels" },
                                                                { "test", "test-labels" } };
    if (!r->j->text[TEXT_DATA] && !options_text(r->o, "data"))
        return fail(err, LACO_EINVAL, -1, "--data is missing: the examples to learn from");
    laco_status st = examples_new(&r->e, err);
    for (int part = 0; !st && part < PARTS; part++)
        if (r->j->text[part] || options_text(r->o, parts[part].data))
            st = examples_read(&r->e, &r->f, part, options_text(r->o, parts[part].labels), part, r->j, err);
    if (!st) st = examples_split(&r->e, &r->f, r->j, err);
    if (!st) st = reading_learn(&r->f, &r->e, r->o, r->j, err);
    if (!st) st = reading_apply(&r->f, &r->e, r->j, err);
    if (!st) st = augment_options(r, err);
    if (!st && r->f.answer == ANSWER_LABELS) st = examples_labels(&r->label, &r->e, &r->f, err);
    return st;
}
static laco_status list_rows(class_run *r, laco_error *err)
{
    size_t n = (size_t)r->e.count;
    r->row = mem_new(n, sizeof *r->row), r->drawn = mem_new(n, sizeof *r->drawn), r->epoch = -1;
    if (!r->row || !r->drawn) return fail_memory(err, n * sizeof *r->row);
    for (int64_t i = 0; i < r->e.count; i++) {
        const example *x = &r->e.row[i];
        if (x->part != PART_TRAIN || !x->length) continue;
        r->row[r->rows++] = (text_row){ x->start, x->length, i };
        r->longest = max64(r->longest, x->length), r->answers += r->f.every ? x->length : 1;
    }
    return LACO_OK;
}
static void note_data(const class_run *r)
{
    char a[32], b[32];
    int64_t steps = 0;
    for (int64_t i = 0; i < r->rows; i++) steps += r->row[i].length;
    if (r->f.numbers)
        task_note(r->j, "series    %s steps of %lld features, %s at most in one", task_count(steps, a),
                  (long long)r->f.features, task_count(r->longest, b));
    else
        task_note(r->j, "text      %s symbols, %d different, %s at most in one", task_count(steps, a),
                  vocab_size(r->f.v), task_count(r->longest, b));
}

/* ---- network ---- */
static void shorthand(const class_run *r, buf *out)
{
    double drop = options_real(r->o, "dropout");
    int64_t embed = options_int(r->o, "embed");
    const char *pooled = options_text(r->o, "pool");
    bool both = options_flag(r->o, "bidirectional");
    if (!embed) embed = r->f.unit == UNIT_WORD ? 64 : 32;
    if (!r->f.numbers) buf_printf(out, "embed %lld; ", (long long)embed);
    fit_recurrent(r->o, 64, !r->f.numbers, both ? " bidirectional" : "", out);
    if (both || strcmp(pooled, "last")) buf_printf(out, "pool %s; ", pooled);
    if (drop > 0) buf_printf(out, "dropout %g; ", drop);
    buf_text(out, "dense");
}
static laco_status check_network(const class_run *r, laco_error *err)
{
    if (r->f.numbers && r->m->net->symbols)
        return fail(err, LACO_EINVAL, -1, "these series are numbers, not symbols: take \"embed\" out of the network");
    if (!r->f.numbers && !r->m->net->symbols)
        return fail(err, LACO_EINVAL, -1,
                    "a network that reads text begins with embed, as in \"embed 64; lstm 64; dense\"");
    return LACO_OK;
}
static laco_status make_network(class_run *r, laco_error *err)
{
    buf text = { 0 };
    int64_t inputs = r->f.numbers ? r->f.inputs : vocab_size(r->f.v);
    if (options_text(r->o, "model"))
        buf_text(&text, options_text(r->o, "model"));
    else
        shorthand(r, &text);
    laco_status st = text.failed ? fail_memory(err, text.len)
                                 : model_new(&r->m, text.data, inputs, reading_outputs(&r->f),
                                             (int)options_int(r->o, "threads"), err);
    buf_free(&text);
    if (!st) st = check_network(r, err);
    if (!st) st = reading_save(&r->f, r->m, err);
    return st ? st : fit_weights(r->m->net, r->o, options_real(r->o, "forget-bias"), err);
}

/* ---- batches ---- copied side by side, with an answer at the last step, or at all of them */
static void say_where(void *ctx, int64_t position, char *to, size_t size)
{
    const class_run *r = ctx;
    for (int64_t b = 0; b < r->fit.s.batch; b++) {
        const text_row *row = &r->batch[b];
        if (position < row->start || position >= row->start + row->length) continue;
        const example *x = &r->e.row[r->of[b]];
        snprintf(to, size, "step %lld of the example in line %lld", (long long)(position - row->start + 1),
                 (long long)x->line);
        return;
    }
    snprintf(to, size, "step %lld", (long long)position);
}
static laco_status batch_room(class_run *r, int64_t positions, laco_error *err)
{
    size_t n = (size_t)positions, outputs = (size_t)reading_outputs(&r->f);
    if (positions <= r->room) return LACO_OK;
    mem_free(r->ids), mem_free(r->x), mem_free(r->classes), mem_free(r->y);
    r->ids = mem_new(r->f.numbers ? 0 : n, sizeof *r->ids);
    r->x = mem_new(r->f.numbers ? n : 0, (size_t)r->f.inputs * sizeof *r->x);
    r->classes = mem_new(n, sizeof *r->classes);
    r->y = mem_new(r->f.answer == ANSWER_CLASS ? 0 : n * outputs, sizeof *r->y);
    r->room = r->ids && r->x && r->classes && r->y ? positions : 0;
    return r->room ? LACO_OK : fail_memory(err, n * ((size_t)r->f.inputs + outputs + 2) * sizeof *r->x);
}
static void put_answers(class_run *r, const text_row *from, int64_t at, int64_t steps)
{
    const example *x = &r->e.row[from->quiet];
    int64_t outputs = reading_outputs(&r->f);
    for (int64_t t = 0; t < steps; t++) {
        bool last = t + 1 == steps;
        float *y = r->y + (at + t) * outputs;
        if (r->f.answer == ANSWER_CLASS)
            r->classes[at + t] = last ? x->right : -1;
        else if (r->f.answer == ANSWER_LABELS)
            for (int64_t k = 0; k < outputs; k++) y[k] = last ? r->label[from->quiet * outputs + k] : NAN;
        else {
            double right = r->f.every ? r->e.y[from->start + t] : last ? x->number : NAN;
            *y = (float)((right - r->f.y_mean) / r->f.y_scale);
        }
    }
}
/* Examples of numbers are changed anew in every epoch. */
static uint64_t draw_of(const class_run *r, const text_row *from)
{
    return (uint64_t)r->epoch << 32 | (uint64_t)from->quiet;
}
static int64_t steps_of(const class_run *r, const text_row *from)
{
    return augment_on(&r->augment) ? augment_steps(&r->augment, draw_of(r, from), from->length) : from->length;
}
static void lay_out_numbers(class_run *r, const text_row *from, int64_t at)
{
    const float *x = r->e.x + from->start * r->f.inputs;
    float *to = r->x + at * r->f.inputs;
    if (augment_on(&r->augment))
        augment_apply(&r->augment, draw_of(r, from), x, from->length, r->f.inputs, to);
    else
        memcpy(to, x, (size_t)(from->length * r->f.inputs) * sizeof *x);
}
static laco_status lay_out_batch(class_run *r, const text_row *from, int64_t n, laco_error *err)
{
    int64_t positions = 0, at = 0;
    for (int64_t b = 0; b < n; b++) positions += steps_of(r, &from[b]);
    laco_status st = batch_room(r, positions, err);
    for (int64_t b = 0; !st && b < n; at += r->batch[b++].length) {
        r->batch[b] = (text_row){ at, steps_of(r, &from[b]), 0 }, r->of[b] = from[b].quiet;
        if (r->f.numbers)
            lay_out_numbers(r, &from[b], at);
        else
            memcpy(r->ids + at, r->e.ids + from[b].start, (size_t)from[b].length * sizeof *r->ids);
        put_answers(r, &from[b], at, r->batch[b].length);
    }
    return st;
}
static laco_status next_batch(void *ctx, int64_t epoch, int64_t k, train_batch *out, laco_error *err)
{
    class_run *r = ctx;
    int64_t size = r->fit.s.batch, from = k * size, n = min64(size, r->rows - from);
    if (r->epoch != epoch) {
        memcpy(r->drawn, r->row, (size_t)r->rows * sizeof *r->row);
        lm_draw_rows(r->drawn, r->rows, size, r->fit.s.seed, epoch), r->epoch = epoch;
    }
    if (n <= 0) return LACO_OK;
    laco_status st = lay_out_batch(r, r->drawn + from, n, err);
    bool classes = r->f.answer == ANSWER_CLASS;
    *out = (train_batch){ .ids = r->f.numbers ? NULL : r->ids,
                          .x = r->f.numbers ? r->x : NULL,
                          .classes = classes ? r->classes : NULL,
                          .y = classes ? NULL : r->y,
                          .row = r->batch,
                          .B = n,
                          .where = say_where,
                          .ctx = r };
    return st;
}

/* ---- measuring ---- */
static laco_status measure(void *ctx, fit_score *out, laco_error *err)
{
    class_run *r = ctx;
    laco_status st = verdicts_run(&r->said, &r->runner, &r->e, &r->f, PART_VALID, r->j->stop, err);
    if (!st) st = figures_of(&r->valid, NULL, &r->said, &r->e, &r->f, PART_VALID, err);
    *out = (fit_score){ .loss = r->valid.loss * (double)r->valid.n, .tokens = r->valid.n };
    for (int i = 0; i < FIT_METRICS; i++) out->metric[i] = r->valid.value[i];
    if (!out->tokens) out->loss = 0;
    return st;
}
static figures figures_from(const fit_score *s)
{
    figures q = { .n = s->tokens, .loss = fit_loss(s) };
    for (int i = 0; i < FIT_METRICS; i++) q.value[i] = s->metric[i];
    return q;
}
static void say(void *ctx, const fit_score *s, char *to, size_t n)
{
    const figures q = figures_from(s);
    figures_say(&((class_run *)ctx)->f, &q, to, n);
}
static void score_json(void *ctx, json_out *o, const char *key, const fit_score *s)
{
    const class_run *r = ctx;
    json_key(o, key), json_begin(o, '{');
    json_key(o, "loss"), json_number(o, fit_loss(s));
    for (int i = 0; i < FIT_METRICS && figure_rows(&r->f)[i].key; i++)
        json_key(o, figure_rows(&r->f)[i].key), json_number(o, s->metric[i]);
    json_end(o, '}');
}
static void test_json(void *ctx, json_out *o)
{
    const class_run *r = ctx;
    const model_row *last = &r->report.row[max64(1, r->report.rows) - 1];
    if (!r->report.rows || !last->of[PART_TEST].n) return;
    json_key(o, "test"), json_begin(o, '{');
    figures_json(o, &r->f, &last->of[PART_TEST]);
    json_end(o, '}');
}

/* ---- all of it ---- */
/* --class-weights balanced: so that every class has the same part of the loss. */
static laco_status weigh_classes(class_run *r, laco_error *err)
{
    if (!strcmp(options_text(r->o, "class-weights"), "none")) return LACO_OK;
    if (r->f.answer != ANSWER_CLASS)
        return fail(err, LACO_EINVAL, -1,
                    "--class-weights balanced is for one class of several, not for labels or numbers");
    if (!(r->weight = mem_new((size_t)r->f.classes, sizeof *r->weight)))
        return fail_memory(err, (size_t)r->f.classes * 8);
    for (int32_t k = 0; k < r->f.classes; k++) r->weight[k] = 1 / (r->f.prior[k] * r->f.classes);
    r->fit.s.class_weight = r->weight;
    return LACO_OK;
}
static laco_status open_fit(class_run *r, laco_error *err)
{
    static const loss_kind losses[] = { LOSS_SOFTMAX, LOSS_BERNOULLI, LOSS_SQUARED };
    static const fit_task task = {
        .batch = next_batch, .measure = measure, .say = say, .score_json = score_json, .figures = test_json
    };
    laco_status st = fit_settings(&r->fit, r->o, r->m->net->k, err);
    if (st) return st;
    train_settings *s = &r->fit.s;
    s->loss = losses[r->f.answer], s->batch = min64(s->batch, r->rows);
    int64_t longest = augment_most(&r->augment, r->longest);
    s->steps = s->steps ? min64(s->steps, longest) : longest;
    r->batch = mem_new((size_t)s->batch, sizeof *r->batch), r->of = mem_new((size_t)s->batch, sizeof *r->of);
    if (!r->batch || !r->of) return fail_memory(err, (size_t)s->batch * sizeof *r->batch);
    for (int i = 0; i < FIT_METRICS && figure_rows(&r->f)[i].key; i++) {
        const figure_row *row = &figure_rows(&r->f)[i];
        r->metric[i] = (fit_metric){ row->key, row->title, row->higher };
    }
    if ((st = weigh_classes(r, err))) return st;
    r->task = task, r->task.metric = r->metric;
    r->fit.windows = ceil_div(r->rows, s->batch) * ceil_div(longest, s->steps);
    return fit_open(&r->fit, r->j, &r->task, r, r->m, r->answers, err);
}
static laco_status prepare(class_run *r, laco_error *err)
{
    const char *out = options_text(r->o, "out");
    if (!out) return fail(err, LACO_EINVAL, -1, "--out is missing: where the model goes, such as model.safetensors");
    laco_status st = task_refuse_overwriting(r->j, "out", err);
    if (!st) st = task_refuse_overwriting(r->j, "log", err);
    if (!st) st = file_check_writable(out, err);
    if (!st) st = reading_options(&r->f, r->o, err);
    if (!st) st = read_all(r, err);
    if (!st) st = list_rows(r, err);
    if (!st) note_data(r), st = make_network(r, err);
    if (!st) st = open_fit(r, err);
    if (!st) st = verdicts_new(&r->said, &r->e, &r->f, r->f.every, err);
    if (!st) runner_init(&r->runner, r->m->net, max64(64, r->fit.s.batch), min64(256, r->longest));
    return st;
}
/* What naive Bayes says: to the validation part from the training part, to the test part from both. With them the
   weights of both, which validation decides on. */
static laco_status count_bayes(class_run *r, laco_error *err)
{
    if (r->f.numbers || r->f.answer != ANSWER_CLASS) return LACO_OK;
    laco_status st = verdicts_new(&r->counted, &r->e, &r->f, false, err);
    if (!st) st = mixture_count(&r->mix, &r->e, &r->f, false, err);
    if (!st) st = bayes_verdicts(&r->counted, r->mix.b, &r->e, PART_VALID, err);
    if (!st) st = mixture_learn(&r->mix, &r->e, &r->said, &r->counted, err);
    if (!st) st = mixture_count(&r->mix, &r->e, &r->f, true, err);
    return st ? st : bayes_verdicts(&r->counted, r->mix.b, &r->e, PART_TEST, err);
}
static laco_status add_bayes(class_run *r, laco_error *err)
{
    r->mix.on &= strcmp(options_text(r->o, "with-bayes"), "no") != 0;
    if (!r->mix.on) return LACO_OK;
    task_note(r->j, "beside    %s: log p = %.3f network + %.3f naive Bayes, as validation says", bayes_about(r->mix.b),
              r->mix.network, r->mix.bayes);
    mixture_apply(&r->mix, &r->said, &r->counted, r->e.count);
    laco_status st = mixture_save(&r->mix, r->m, err);
    return st ? st : report_add(&r->report, "with naive Bayes", false, &r->said, &r->e, &r->f, err);
}
static void result_json(const class_run *r)
{
    json_out o = { .to = r->j->result };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "classify");
    json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    if (r->j->part[0]) json_key(&o, "group"), json_text(&o, r->j->part);
    fit_json(&r->fit, &o);
    report_json(&r->report, &r->f, &o);
    json_end(&o, '}');
}
static laco_status finish(class_run *r, laco_error *err)
{
    static const int never = 0;
    laco_status st = LACO_OK;
    for (int part = PART_VALID; !st && part < PARTS; part++)
        st = verdicts_run(&r->said, &r->runner, &r->e, &r->f, part, &never, err);
    if (!st) st = count_bayes(r, err);
    if (!st) st = report_baselines(&r->report, &r->e, &r->f, r->mix.b, &r->counted, true, r->j, err);
    if (!st) st = report_add(&r->report, "this network", false, &r->said, &r->e, &r->f, err);
    if (!st) st = add_bayes(r, err);
    if (!st) st = fit_save(&r->fit, err);
    if (st) return st;
    report_note(&r->report, &r->f, r->j), result_json(r);
    task_note(r->j, "model     %s (epoch %lld)", options_text(r->o, "out"), (long long)r->fit.c.best_epoch);
    return LACO_OK;
}
static void free_run(class_run *r)
{
    void *all[] = { r->row, r->drawn, r->batch, r->of,     r->ids,       r->classes,
                    r->x,   r->y,     r->label, r->said.p, r->counted.p, r->weight };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    runner_free(&r->runner), laco_model_free(r->m), report_free(&r->report);
    bayes_free(r->mix.b), reading_free(&r->f), examples_free(&r->e);
}
laco_status classify_train(task_job *j, laco_error *err)
{
    class_run r = { .j = j, .o = j->o };
    laco_status st = prepare(&r, err);
    if (!st) st = fit_run(&r.fit, err);
    if (!st) st = finish(&r, err);
    fit_close(&r.fit), free_run(&r);
    return st;
}
