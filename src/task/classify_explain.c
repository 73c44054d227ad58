/* laco explain of a classifier: what each step contributed to the likeliest class, or that of --answer (or, of numbers,
   to the answer). */
#include "base/number.h"
#include "task/classify.h"
#include "task/explain.h"
#include "task/use.h"
#include <math.h>

typedef struct class_explain {
    task_job *j;
    laco_model *m;
    reading f;
    examples e;
    runner runner;
    verdicts v;
    explain_sheet *sheet;
    int32_t class; /* of --answer; -1: the likeliest */
} class_explain;

/* ---- what is read ---- */
static laco_status read_given_text(class_explain *c, const char *text, laco_error *err)
{
    table *t;
    if (c->f.numbers) return fail(err, LACO_EINVAL, -1, "--text: this model reads numbers; give --data");
    laco_status st = table_parse(&t, text, strlen(text), "--text", &(table_options){ .format = TABLE_TEXT }, err);
    if (st) return st;
    text_columns columns = { 0 };
    for (int i = 0; i < COLS; i++) columns.column[i] = i == COL_TEXT ? 0 : -1;
    st = examples_add_table(&c->e, &c->f, &columns, t, PART_TEST, err);
    if (!st && !c->e.count) st = fail(err, LACO_EINVAL, -1, "--text is empty");
    table_free(t);
    return st;
}
/* The first --examples of a table of texts, or all of what must be read whole. */
static laco_status read_texts(class_explain *c, laco_error *err)
{
    table_input in;
    table_reader *reader = NULL;
    table *t = NULL;
    text_columns columns;
    laco_status st = reading_tables(&in, &c->f, c->j, err);
    if (!st) st = task_open_table(&in, TEXT_DATA, &reader, err);
    if (!st) st = table_next(reader, options_int(c->j->o, "examples"), false, &t, err);
    if (!st && !t) st = fail(err, LACO_EFORMAT, -1, "%s holds no examples", options_text(c->j->o, "data"));
    if (!st) st = examples_text_column(&columns, &c->f, t, err);
    if (!st) st = examples_add_table(&c->e, &c->f, &columns, t, PART_TEST, err);
    table_free(t), table_close(reader);
    laco_status closed = table_input_close(&in, st ? NULL : err);
    return st ? st : closed;
}
static laco_status read_examples(class_explain *c, laco_error *err)
{
    const char *text = options_text(c->j->o, "text");
    if (text) return read_given_text(c, text, err);
    if (!c->j->text[TEXT_DATA] && !options_text(c->j->o, "data"))
        return fail(err, LACO_EINVAL, -1, "--data or --text is missing: what to explain");
    return c->f.numbers ? examples_read(&c->e, &c->f, TEXT_DATA, NULL, PART_TEST, c->j, err) : read_texts(c, err);
}

/* ---- the text of each step ---- */
typedef struct symbols {
    buf text;
    const char **at; /* [steps] */
} symbols;
/* The words of the line as it was read, unknown ones too, when there is one for every symbol but that of the end. */
static bool words_of_line(const class_explain *c, const example *r, buf *to, size_t *start)
{
    static const char blanks[] = " \t\r\n";
    const char *at = c->e.text.data + r->text, *end = at + r->bytes;
    int64_t t = 0, words = r->length - (r->length && c->e.ids[r->start + r->length - 1] == vocab_eos(c->f.v));
    if (c->f.unit != UNIT_WORD || c->f.spell) return false;
    for (;;) {
        const char *word;
        while (at < end && strchr(blanks, *at)) at++;
        for (word = at; at < end && !strchr(blanks, *at);) at++;
        if (at == word) break;
        if (t == words) return false;
        start[t++] = to->len, buf_text(to, t > 1 ? " " : "");
        buf_add(to, word, (size_t)(at - word)), buf_add(to, "", 1);
    }
    bool all = t == words;
    for (; t < r->length; t++) start[t] = to->len, buf_add(to, " <eos>", 7);
    return all && !to->failed;
}
static laco_status symbols_of(symbols *s, const class_explain *c, const example *r, laco_error *err)
{
    bool start = true;
    size_t *from = mem_new((size_t)r->length + 1, sizeof *from);
    *s = (symbols){ .at = mem_new((size_t)r->length + 1, sizeof *s->at) };
    if (!from || !s->at) return mem_free(from), fail_memory(err, (size_t)r->length * sizeof *from);
    if (!words_of_line(c, r, &s->text, from))
        for (int64_t t = s->text.len = 0; t < r->length; t++)
            from[t] = s->text.len, explain_symbol(c->f.v, c->e.ids[r->start + t], &start, &s->text);
    for (int64_t t = 0; t < r->length && s->text.data; t++) s->at[t] = s->text.data + from[t];
    mem_free(from);
    return s->text.failed ? fail_memory(err, s->text.len) : LACO_OK;
}
static void symbols_free(symbols *s) { buf_free(&s->text), mem_free(s->at); }

/* ---- one example ---- */
static laco_status explain_example(class_explain *c, int64_t number, laco_error *err)
{
    const reading *f = &c->f;
    const example *r = &c->e.row[number];
    const double *p = c->v.p + number * c->v.width;
    int32_t best = 0;
    char text[NUMBER_TEXT];
    explained e;
    symbols words = { 0 };
    for (int32_t k = 1; k < f->classes; k++)
        if (p[k] > p[best]) best = k;
    if (c->class >= 0) best = c->class;
    const bool value = f->answer == ANSWER_NUMBER;
    const explain_question q = { .says = value                        ? SAYS_VALUE
                                         : f->answer == ANSWER_LABELS ? SAYS_LABEL
                                                                      : SAYS_CLASS,
                                 .output = best,
                                 .step = r->length - 1,
                                 .scale = value ? f->y_scale : 1,
                                 .unknown = f->numbers ? -1 : vocab_unk(f->v) };
    const void *x = f->numbers ? (const void *)(c->e.x + r->start * f->inputs) : c->e.ids + r->start;
    laco_status st = explain_sequence(&e, c->m->net, x, r->length, &q, c->j->stop, err);
    if (st) return st;
    if (!f->numbers) st = symbols_of(&words, c, r, err);
    if (value) number_print_float(text, (float)*p);
    const explain_case shown = { .of = &e,
                                 .answer = value ? text : f->class[best],
                                 .probability = value ? NAN : p[best],
                                 .symbol = f->numbers ? NULL : words.at };
    if (!st) st = explain_put(c->sheet, &shown, err);
    symbols_free(&words), explained_free(&e);
    return st;
}
static laco_status explain_all(class_explain *c, laco_error *err)
{
    const reading *f = &c->f;
    const char *const *names = f->feature && f->inputs == f->features ? (const char *const *)f->feature : NULL;
    int64_t n = min64(c->e.count, options_int(c->j->o, "examples"));
    laco_status st = explain_open(&c->sheet, c->j, !f->numbers, names, f->numbers ? f->inputs : 0, err);
    for (int64_t i = 0; !st && i < n; i++)
        if (c->e.row[i].length) st = explain_example(c, i, err);
    return st;
}
static laco_status choose_class(class_explain *c, laco_error *err)
{
    const char *name = options_text(c->j->o, "answer");
    c->class = -1;
    if (options_int(c->j->o, "at"))
        return fail(err, LACO_EINVAL, -1, "--at: this model answers a sequence as a whole, not a step of it; leave it out");
    if (!name) return LACO_OK;
    if (c->f.answer == ANSWER_NUMBER)
        return fail(err, LACO_EINVAL, -1, "--answer: this model answers a number, the only one to explain; leave it out");
    for (int32_t k = 0; k < c->f.classes; k++)
        if (!strcmp(c->f.class[k], name)) return c->class = k, LACO_OK;
    return fail(err, LACO_EINVAL, -1, "--answer %.60s: the model has no such class; its first is %.60s", name, c->f.class[0]);
}
laco_status classify_explain(task_job *j, laco_model *m, laco_error *err)
{
    class_explain c = { .j = j, .m = m };
    laco_status st = reading_load(&c.f, m, options_text(j->o, "model-file"), err);
    if (!st) st = choose_class(&c, err);
    if (!st) st = examples_new(&c.e, err);
    runner_init(&c.runner, m->net, 64, 256);
    c.e.unanswered = true;
    if (!st && model_get(m, "bayes")) task_note(j, "the network alone is explained, without naive Bayes beside it");
    if (!st) st = read_examples(&c, err);
    if (!st) st = reading_apply(&c.f, &c.e, j, err);
    if (!st) st = verdicts_new(&c.v, &c.e, &c.f, false, err);
    if (!st) st = verdicts_run(&c.v, &c.runner, &c.e, &c.f, -1, j->stop, err);
    if (!st) st = explain_all(&c, err);
    st = explain_close(c.sheet, st, err);
    mem_free(c.v.p), runner_free(&c.runner), examples_free(&c.e), reading_free(&c.f);
    return st;
}
