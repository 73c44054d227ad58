/* laco explain of a tagger: what each step contributed to the class of one of them.

   s is the log of the probability of the class at the step: softmax, or behind crf the marginal probability given the
   whole sentence, the sum over all paths through the class. With a scheme of spans classes are those of iobes, which
   the network chooses from. A word is one step, with its characters and its features; hidden, it is a word that is not
   known, without characters and with features that are not known. */
#include "task/explain.h"
#include "task/tag.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

enum { BATCH = 32 };
typedef struct tag_explanation {
    task_job *j;
    laco_model *m;
    table_input in;
    tag_front f;
    tag_types t;
    tag_data d;
    tag_runner run;
    int32_t *said, *tag_of; /* [words]; [classes] which of `tag` */
    double *p;              /* [words][classes] */
    intern *tag;            /* as answers name them */
    int32_t hidden;         /* the type in the place of a hidden word */
    explain_sheet *sheet;
    const char **symbol; /* [words of the longest sentence] */
} tag_explanation;

/* ---- what is read ---- */
static laco_status open_words(tag_explanation *x, conll **c, laco_error *err)
{
    const options *o = x->j->o;
    const char *text = options_text(o, "text"), *data = options_text(o, "data");
    const tag_source source = { .j = x->j, .in = &x->in, .text = text != NULL, .untagged = true };
    conll_options co = tag_conll(&x->f, &source);
    co.hint = "a plain sentence is given with --text";
    if (text) return conll_open_bytes(c, text, strlen(text), "--text", &co, err);
    if (x->j->text[TEXT_DATA])
        return conll_open_bytes(c, x->j->text[TEXT_DATA], x->j->length[TEXT_DATA], "data", &co, err);
    if (data) return conll_open(c, data, &co, err);
    return fail(err, LACO_EINVAL, -1, "--data or --text is missing: the sentences to explain");
}
static laco_status read_words(tag_explanation *x, laco_error *err)
{
    conll *c = NULL;
    conll_sentence one = { 0 };
    const int64_t most = options_int(x->j->o, "examples");
    laco_status st = open_words(x, &c, err);
    while (!st && x->d.sentences < most && !(st = conll_next(c, &one, err)) && one.words) {
        for (int64_t i = 0; i < one.words; i++) one.cell[i * one.columns + CONLL_TAG].n = 0;
        st = tag_add_sentence(&x->d, &x->f, &x->t, &one, NULL, err);
    }
    if (!st && !x->d.words)
        st = fail(err, LACO_EFORMAT, -1, "%s holds no sentences", options_text(x->j->o, "text") ? "--text" : "--data");
    if (!st) st = intern_add(x->t.key, "", 0, &x->hidden, err);
    if (!st) st = tag_types_build(&x->t, &x->f, 0, err);
    for (int64_t k = 0; !st && k < x->t.lex.features; k++) x->t.feature[x->hidden * x->t.lex.features + k] = 0;
    conll_close(c), conll_sentence_free(&one);
    return st;
}
static laco_status read_numbers(tag_explanation *x, laco_error *err)
{
    const tag_source source = { .j = x->j, .in = &x->in, .untagged = true };
    if (options_text(x->j->o, "text"))
        return fail(err, LACO_EINVAL, -1, "--text: this model reads numbers; give --data");
    laco_status st = tag_data_read(&x->d, &x->f, &x->t, TEXT_DATA, &source, false, NULL, err);
    if (!st && !x->d.words) st = fail(err, LACO_EINVAL, -1, "--data is missing: the series to explain");
    return st;
}
static laco_status read_all(tag_explanation *x, laco_error *err)
{
    const int64_t K = x->m->net->outputs;
    int64_t longest = 0;
    laco_status st = x->f.numbers ? read_numbers(x, err) : read_words(x, err);
    if (st) return st;
    for (int64_t k = 0; k < x->d.sentences; k++) longest = max64(longest, x->d.start[k + 1] - x->d.start[k]);
    x->said = mem_new((size_t)x->d.words, sizeof *x->said), x->p = mem_new((size_t)(x->d.words * K), sizeof *x->p);
    x->symbol = mem_new((size_t)longest, sizeof *x->symbol);
    if (!x->said || !x->p || !x->symbol) return fail_memory(err, (size_t)(x->d.words * K) * sizeof *x->p);
    tag_runner_init(&x->run, x->m->net, x->f.numbers ? NULL : &x->t.lex, BATCH);
    st = tag_run(&x->run, &x->d, x->said, x->p, NULL, x->j->stop, err);
    if (!st && *x->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before all was explained");
    return st;
}

/* ---- what is asked ---- */
static const double *classes_of(const tag_explanation *x, int64_t word) { return x->p + word * x->m->net->outputs; }
/* The step of --at in a sentence of n from word `first` on, or the one whose class is least certain. */
static laco_status choose_step(const tag_explanation *x, int64_t k, int64_t *step, laco_error *err)
{
    const int64_t at = options_int(x->j->o, "at"), first = x->d.start[k], n = x->d.start[k + 1] - first;
    *step = max64(0, at - 1);
    if (at > n)
        return fail(err, LACO_EINVAL, -1, "--at %lld: %s %lld of the data ends with %s %lld", (long long)at,
                    x->f.numbers ? "series" : "sentence", (long long)k + 1, x->f.numbers ? "step" : "word",
                    (long long)n);
    for (int64_t i = 1; !at && i < n; i++)
        if (classes_of(x, first + i)[x->said[first + i]] < classes_of(x, first + *step)[x->said[first + *step]])
            *step = i;
    return LACO_OK;
}
/* Of the classes that the tag of --answer stands for the most probable; or the one that the network says. */
static laco_status choose_class(const tag_explanation *x, int64_t word, int64_t *class, laco_error *err)
{
    const char *name = options_text(x->j->o, "answer");
    const int32_t tag = name ? intern_find(x->tag, name, strlen(name)) : -1;
    *class = !name ? x->said[word] : tag < 0 ? intern_find(x->f.class, name, strlen(name)) : -1;
    for (int32_t k = 0; tag >= 0 && k < x->m->net->outputs; k++)
        if (x->tag_of[k] == tag && (*class < 0 || classes_of(x, word)[k] > classes_of(x, word)[*class])) *class = k;
    if (*class >= 0) return LACO_OK;
    return fail(err, LACO_EINVAL, -1, "--answer %.60s: the model has no such tag; it has %d, such as %.60s", name,
                (int)intern_count(x->tag), intern_text(x->tag, 0));
}

/* ---- one sentence ---- */
static laco_status name_words(const tag_explanation *x, int64_t k, buf *text, laco_error *err)
{
    const int32_t *type = x->d.type + x->d.start[k];
    const int64_t n = x->d.start[k + 1] - x->d.start[k];
    for (int round = 0; round < 2; round++) /* its memory moves while it grows */
        for (int64_t i = 0, at = 0; i < n && !text->failed; i++) {
            const char *word = intern_text(x->t.key, type[i]);
            size_t bytes = strcspn(word, "\t");
            if (round) x->symbol[i] = text->data + at, at += (int64_t)bytes + 1 + (i > 0);
            if (!round && i) buf_text(text, " ");
            if (!round) buf_add(text, word, bytes), buf_add(text, "", 1);
        }
    return text->failed ? fail_memory(err, text->len) : LACO_OK;
}
static laco_status explain_sentence(tag_explanation *x, int64_t k, laco_error *err)
{
    const int64_t first = x->d.start[k], n = x->d.start[k + 1] - first;
    buf words = { 0 }, answer = { 0 };
    explained e = { 0 };
    explain_question q = { .says = SAYS_CLASS, .unknown = x->f.numbers ? -1 : x->hidden, .lexicon = x->run.lex };
    const void *in = x->f.numbers ? (const void *)(x->d.x + first * x->f.inputs) : x->d.type + first;
    laco_status st = choose_step(x, k, &q.step, err);
    if (!st) st = choose_class(x, first + q.step, &q.output, err);
    if (!st && !x->f.numbers) st = name_words(x, k, &words, err);
    if (!st) st = explain_sequence(&e, x->m->net, in, n, &q, x->j->stop, err);
    if (!st) {
        const char *class = intern_text(x->f.class, (int32_t)q.output);
        if (x->f.numbers)
            buf_printf(&answer, "step %lld: %.100s", (long long)q.step + 1, class);
        else
            buf_printf(&answer, "%.100s (word %lld): %.100s", x->symbol[q.step] + (q.step > 0), (long long)q.step + 1,
                       class);
        st = answer.failed ? fail_memory(err, answer.len) : LACO_OK;
    }
    if (!st)
        st = explain_put(x->sheet,
                         &(explain_case){ .of = &e,
                                          .answer = answer.data,
                                          .probability = exp(e.value),
                                          .symbol = x->f.numbers ? NULL : x->symbol },
                         err);
    explained_free(&e), buf_free(&words), buf_free(&answer);
    return st;
}
static laco_status explain_all(tag_explanation *x, laco_error *err)
{
    const int64_t n = min64(x->d.sentences, options_int(x->j->o, "examples"));
    const char *const *names = (const char *const *)x->f.input;
    laco_status st = explain_open(&x->sheet, x->j, !x->f.numbers, names, x->f.numbers ? x->f.inputs : 0, err);
    for (int64_t k = 0; !st && k < n; k++) st = explain_sentence(x, k, err);
    return explain_close(x->sheet, st, err);
}
laco_status tag_explain(task_job *j, laco_model *m, laco_error *err)
{
    tag_explanation x = { .j = j, .m = m };
    laco_status st = tag_front_load(&x.f, m, options_text(j->o, "model-file"), err);
    if (!st) st = tag_types_new(&x.t, err);
    if (!st) st = table_input_open(&x.in, j, err);
    if (!st) st = intern_new(&x.tag, err);
    if (!st && !(x.tag_of = mem_new((size_t)intern_count(x.f.class), sizeof *x.tag_of)))
        st = fail_memory(err, (size_t)intern_count(x.f.class) * sizeof *x.tag_of);
    if (!st) st = tag_of_classes(&x.f, x.tag, x.tag_of, err);
    if (!st) st = read_all(&x, err);
    if (!st) st = explain_all(&x, err);
    laco_status closed = table_input_close(&x.in, st ? NULL : err);
    tag_runner_free(&x.run), tag_data_free(&x.d), tag_types_free(&x.t), tag_front_free(&x.f), intern_free(x.tag);
    mem_free(x.said), mem_free(x.tag_of), mem_free(x.p), mem_free(x.symbol);
    return st ? st : closed;
}
