/* Using a model of laco train classify: predict and eval. Texts and sets of series are read a part at a time, so that a
   stream of any length is answered in the memory of a few hundred records; tables of series are read whole. */
#include "task/answers.h"
#include "task/classify.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

enum { CHUNK = 512, BATCH = 64, WINDOW = 256 };
typedef struct class_use {
    task_job *j;
    laco_model *m;
    reading f;
    mixture mix;
    examples e;
    runner runner;
    verdicts counted; /* what naive Bayes says */
    int64_t told;     /* examples that were answered */
} class_use;

static laco_status open_use(class_use *u, task_job *j, laco_model *m, laco_error *err)
{
    *u = (class_use){ .j = j, .m = m };
    laco_status st = reading_load(&u->f, m, options_text(j->o, "model-file"), err);
    if (!st) st = mixture_load(&u->mix, &u->f, m, err);
    if (!st) st = examples_new(&u->e, err);
    runner_init(&u->runner, m->net, BATCH, WINDOW);
    return st;
}
static void close_use(class_use *u)
{
    runner_free(&u->runner), mem_free(u->counted.p), examples_free(&u->e), bayes_free(u->mix.b), reading_free(&u->f);
}
static laco_status add_bayes(class_use *u, verdicts *v, laco_error *err)
{
    mem_free(u->counted.p);
    laco_status st = verdicts_new(&u->counted, &u->e, &u->f, false, err);
    if (!st) st = bayes_verdicts(&u->counted, u->mix.b, &u->e, -1, err);
    if (!st) mixture_apply(&u->mix, v, &u->counted, u->e.count);
    return st;
}
/* What the network, and naive Bayes beside it, answer to the examples that were read. */
static laco_status answer(class_use *u, verdicts *v, bool every, laco_error *err)
{
    laco_status st = reading_apply(&u->f, &u->e, u->j, err);
    if (!st) st = verdicts_new(v, &u->e, &u->f, every, err);
    if (!st) st = verdicts_run(v, &u->runner, &u->e, &u->f, -1, u->j->stop, err);
    if (!st && u->mix.on && !every) st = add_bayes(u, v, err);
    if (!st && *u->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before all examples were answered");
    return st;
}

/* ---- predict ---- */
typedef struct sheet {
    answers *to;
    bool every, names;
    int64_t top; /* likeliest answers; 0: one, without the word */
    bool probabilities;
    const char *title;
    int32_t *order; /* [classes] */
} sheet;
static laco_status open_sheet(sheet *s, class_use *u, laco_error *err)
{
    const reading *f = &u->f;
    const options *o = u->j->o;
    char name[96];
    const char *column = f->column[f->answer == ANSWER_NUMBER ? COL_TARGET : COL_LABEL];
    s->title = column ? column : f->remaining ? "remaining" : f->answer == ANSWER_NUMBER ? "number" : "class";
    s->every = options_flag(o, "every-step"), s->probabilities = options_flag(o, "probabilities");
    s->top = f->answer == ANSWER_CLASS ? min64(options_int(o, "top-k"), f->classes) : 0;
    if (s->every && runner_backwards(u->m->net))
        return fail(err, LACO_EINVAL, -1,
                    "--every-step: this network reads from the end too, so it has no answer before the end");
    if (s->every && u->mix.on)
        task_note(u->j, "--every-step: the answers are those of the network alone, without naive Bayes");
    if (!(s->order = mem_new((size_t)max64(1, f->classes), sizeof *s->order)))
        return fail_memory(err, (size_t)f->classes * 4);
    laco_status st = answers_open(&s->to, u->j, err);
    if (st) return st;
    if (s->names) answers_column(s->to, f->column[COL_ID] ? f->column[COL_ID] : "name");
    if (s->every && !s->names) answers_column(s->to, "example");
    if (s->every) answers_column(s->to, "step");
    for (int64_t k = 1; k <= max64(1, s->top); k++) {
        snprintf(name, sizeof name, s->top ? "%.60s %lld" : "%.60s", s->title, (long long)k);
        answers_column(s->to, name);
        snprintf(name, sizeof name, s->top ? "probability %lld" : "probability", (long long)k);
        if (f->answer == ANSWER_CLASS) answers_column(s->to, name);
    }
    if (s->probabilities && f->classes)
        answers_group(s->to, "probabilities", (const char *const *)f->class, f->classes);
    return LACO_OK;
}
static void put_labels(const sheet *s, const reading *f, const double *p)
{
    buf text = { 0 };
    for (int32_t k = 0; k < f->classes; k++)
        if (p[k] > 0.5) buf_printf(&text, "%s%s", text.len ? f->separator : "", f->class[k]);
    answers_text(s->to, text.data ? text.data : "", text.len), buf_free(&text);
}
static laco_status put_row(const sheet *s, const class_use *u, const example *r, int64_t number, int64_t step,
                           const double *p, laco_error *err)
{
    const reading *f = &u->f;
    const char *name = r->name < 0 ? "" : intern_text(u->e.name, r->name);
    if (s->names) answers_text(s->to, name, strlen(name));
    if (s->every && !s->names) answers_int(s->to, number + 1);
    if (s->every) answers_int(s->to, step + 1);
    if (f->answer == ANSWER_NUMBER) answers_real(s->to, (float)*p);
    if (f->answer == ANSWER_LABELS) put_labels(s, f, p);
    if (f->answer == ANSWER_CLASS) answers_rank(p, f->classes, max64(1, s->top), s->order);
    for (int64_t k = 0; f->answer == ANSWER_CLASS && k < max64(1, s->top); k++) {
        const char *class = f->class[s->order[k]];
        answers_text(s->to, class, strlen(class)), answers_real(s->to, (float)p[s->order[k]]);
    }
    for (int32_t k = 0; s->probabilities && k < f->classes; k++) answers_real(s->to, (float)p[k]);
    return answers_row(s->to, err);
}
/* The examples read last, in their order. */
static laco_status put_answers(const sheet *s, class_use *u, laco_error *err)
{
    verdicts v = { 0 };
    bool every = s->every || u->f.every; /* a number at every step is asked at the last one */
    laco_status st = answer(u, &v, every, err);
    for (int64_t i = 0; !st && i < u->e.count; i++) {
        const example *r = &u->e.row[i];
        int64_t number = u->told++, last = r->length - 1;
        if (!r->length)
            st = fail(err, LACO_EFORMAT, r->line, "example %lld has no steps: there is nothing to answer",
                      (long long)number + 1);
        for (int64_t t = s->every ? 0 : last; !st && t <= last; t++)
            st = put_row(s, u, r, number, t, v.p + (every ? r->start + t : i) * v.width, err);
    }
    mem_free(v.p);
    return st;
}
static laco_status predict_texts(class_use *u, sheet *s, laco_error *err)
{
    table_input in;
    table_reader *reader = NULL;
    table *t = NULL;
    text_columns c;
    laco_status st = reading_tables(&in, &u->f, u->j, err);
    if (!st) st = task_open_table(&in, TEXT_DATA, &reader, err);
    if (!st) st = open_sheet(s, u, err);
    for (bool first = true; !st && !(st = table_next(reader, CHUNK, true, &t, err)) && t;
         first = false, table_free(t)) {
        if (first) st = examples_text_column(&c, &u->f, t, err);
        examples_clear(&u->e);
        if (!st) st = examples_add_table(&u->e, &u->f, &c, t, PART_TEST, err);
        if (!st) st = put_answers(s, u, err);
        if (!st) st = answers_pause(s->to, err);
    }
    table_close(reader);
    laco_status closed = table_input_close(&in, st ? NULL : err);
    return st ? st : closed;
}
typedef struct series_use {
    class_use *u;
    sheet *s;
} series_use;
static laco_status answer_part(void *ctx, laco_error *err)
{
    const series_use *p = ctx;
    examples *e = &p->u->e;
    laco_status st = LACO_OK;
    if (!p->s->to) {
        for (int64_t i = 0; i < e->count; i++) p->s->names |= e->row[i].name >= 0;
        st = open_sheet(p->s, p->u, err);
    }
    if (!st) st = put_answers(p->s, p->u, err);
    return st ? st : answers_pause(p->s->to, err);
}
static laco_status predict_series(class_use *u, sheet *s, laco_error *err)
{
    return examples_each(&u->e, &u->f, CHUNK, answer_part, &(series_use){ u, s }, u->j, err);
}
laco_status classify_predict(task_job *j, laco_model *m, laco_error *err)
{
    class_use u;
    sheet s = { 0 };
    laco_status st = open_use(&u, j, m, err);
    u.e.unanswered = true;
    if (!st) st = u.f.numbers ? predict_series(&u, &s, err) : predict_texts(&u, &s, err);
    st = answers_close(s.to, st, err);
    mem_free(s.order), close_use(&u);
    return st;
}

/* ---- eval ---- */
static laco_status judge(class_use *u, report *r, int64_t *unseen, laco_error *err)
{
    verdicts v = { 0 };
    laco_status st = examples_classes(&u->e, &u->f, unseen, err);
    if (!st) st = answer(u, &v, u->f.every, err);
    if (!st) st = report_baselines(r, &u->e, &u->f, u->mix.b, &u->counted, false, u->j, err);
    if (!st) st = report_add(r, "this model", false, &v, &u->e, &u->f, err);
    mem_free(v.p);
    return st;
}
static void result_json(const class_use *u, const report *r)
{
    json_out o = { .to = u->j->result };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "classify");
    report_json(r, &u->f, &o);
    json_end(&o, '}');
}
laco_status classify_eval(task_job *j, laco_model *m, laco_error *err)
{
    class_use u;
    report r = { 0 };
    int64_t unseen = 0;
    const char *path = j->text[TEXT_DATA] ? "data" : options_text(j->o, "data");
    laco_status st = open_use(&u, j, m, err);
    if (!st && !path) st = fail(err, LACO_EINVAL, -1, "--data is missing: the examples to judge");
    if (!st) st = examples_read(&u.e, &u.f, TEXT_DATA, options_text(j->o, "labels"), PART_TEST, j, err);
    if (!st) st = judge(&u, &r, &unseen, err);
    if (!st && !r.row[r.rows - 1].of[PART_TEST].n)
        st = fail(err, LACO_EINVAL, -1, "%s: no example has an answer that the model knows; see laco info", path);
    if (!st && unseen)
        task_note(j, "unseen    %lld examples have a class that training lacked: they are left out", (long long)unseen);
    if (!st) result_json(&u, &r);
    if (!st && !options_flag(j->o, "json")) report_out(&r, &u.f, j);
    report_free(&r), close_use(&u);
    return st;
}
