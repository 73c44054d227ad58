/* laco explain of a language model: what each symbol of a text contributed to the likeliest next one, or that of
   --answer. */
#include "task/explain.h"
#include "task/lm.h"
#include "task/use.h"
#include <math.h>

enum { LOOKS_BACK = 512 }; /* symbols, the last of a text */
typedef struct lm_explanation {
    lm l;
    lm_text text;
    const int32_t *ids; /* what the network reads */
    int64_t n;
    buf symbols, answer;
    const char **symbol; /* [n] */
} lm_explanation;

static laco_status read_text(lm_explanation *x, task_job *j, laco_error *err)
{
    const char *given = options_text(j->o, "text"), *name = "--text";
    char *bytes = NULL;
    size_t n = given ? strlen(given) : 0;
    int64_t skipped = 0;
    laco_status st = given ? LACO_OK : task_read(j, TEXT_DATA, &bytes, &n, &name, err);
    if (!st && !given && !bytes) st = fail(err, LACO_EINVAL, -1, "--data or --text is missing: the text to explain");
    if (!st) st = lm_encode(&x->text, x->l.v, given ? given : bytes, n, name, true, &skipped, err);
    mem_free(bytes);
    x->n = min64(x->text.n, LOOKS_BACK), x->ids = x->text.ids + x->text.n - x->n;
    if (!st && skipped) task_note(j, "%lld symbols that the model does not know were left out", (long long)skipped);
    return st;
}
static laco_status name_symbols(lm_explanation *x, laco_error *err)
{
    bool start = true;
    size_t *from = mem_new((size_t)x->n, sizeof *from);
    x->symbol = mem_new((size_t)x->n, sizeof *x->symbol);
    if (!from || !x->symbol) return mem_free(from), fail_memory(err, (size_t)x->n * sizeof *from);
    for (int64_t i = 0; i < x->n; i++) from[i] = x->symbols.len, explain_symbol(x->l.v, x->ids[i], &start, &x->symbols);
    for (int64_t i = 0; !x->symbols.failed && i < x->n; i++) x->symbol[i] = x->symbols.data + from[i];
    mem_free(from);
    return x->symbols.failed ? fail_memory(err, x->symbols.len) : LACO_OK;
}
/* The symbol of --answer, or the likeliest; its probability comes out of the explanation. */
static laco_status choose_symbol(const lm_explanation *x, const task_job *j, explain_question *q, laco_error *err)
{
    net *n = x->l.m->net;
    const char *name = options_text(j->o, "answer");
    size_t len;
    if (name) {
        for (q->output = 0; q->output < vocab_size(x->l.v); q->output++) {
            const char *symbol = vocab_symbol(x->l.v, (int32_t)q->output, &len);
            if (len == strlen(name) && !memcmp(symbol, name, len)) return LACO_OK;
        }
        return fail(err, LACO_EINVAL, -1, "--answer %.60s: the model has no such symbol; it reads %ss", name,
                    text_unit_name(vocab_unit(x->l.v)));
    }
    float *y = mem_new((size_t)n->outputs, sizeof *y);
    laco_status st = y ? explain_outputs(y, n, x->ids, x->n, q, err) : fail_memory(err, (size_t)n->outputs * sizeof *y);
    for (int64_t k = 1; !st && k < n->outputs; k++)
        if (y[k] > y[q->output]) q->output = k;
    mem_free(y);
    return st;
}
laco_status lm_explain(task_job *j, laco_model *m, laco_error *err)
{
    lm_explanation x = { 0 };
    explain_sheet *sheet = NULL;
    explained e = { 0 };
    laco_status st = lm_open(&x.l, m, j, err);
    if (!st && !net_steps(m->net))
        st = fail(err, LACO_EUNSUPPORTED, -1, "this network reads both ways: it has no next symbol");
    if (!st && options_int(j->o, "at"))
        st = fail(err, LACO_EINVAL, -1, "--at: of a text the symbol behind its end is explained; leave it out");
    if (!st) st = read_text(&x, j, err);
    if (!st) st = name_symbols(&x, err);
    explain_question q = { .says = SAYS_CLASS, .step = x.n - 1, .unknown = st ? -1 : vocab_unk(x.l.v) };
    if (!st) st = choose_symbol(&x, j, &q, err);
    if (!st) st = explain_sequence(&e, m->net, x.ids, x.n, &q, j->stop, err);
    if (!st) explain_symbol(x.l.v, (int32_t)q.output, &(bool){ true }, &x.answer);
    if (!st && x.answer.failed) st = fail_memory(err, x.answer.len);
    if (!st) st = explain_open(&sheet, j, true, NULL, 0, err);
    if (!st)
        st = explain_put(
            sheet,
            &(explain_case){ .of = &e, .answer = x.answer.data, .probability = exp(e.value), .symbol = x.symbol }, err);
    st = explain_close(sheet, st, err);
    explained_free(&e), buf_free(&x.symbols), buf_free(&x.answer), mem_free(x.symbol);
    lm_text_free(&x.text), lm_close(&x.l);
    return st;
}
