/* laco explain of a model of music: what each step of a piece contributed to the probability of a note at a later one.

   s is the log of the probability that the note sounds at the step, given all steps before it; behind nade also given
   the notes below it at the same step, as they are in the piece, or behind its end as the chain itself takes them. The
   network reads a step of silence first, step 0. Features are the notes that sound in what it reads; the others are 0
   and contribute nothing. */
#include "task/compose.h"
#include "base/number.h"
#include "task/explain.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

enum { LOOKS_BACK = 512 }; /* steps, the last before the one that is explained */
typedef struct compose_explanation {
    task_job *j;
    laco_model *m;
    rolls part[ROLL_PARTS];
    int64_t at;                 /* as --at says; 0: behind the last step */
    int32_t feature[ROLL_KEYS]; /* of each key, -1: it never sounds */
    char name[ROLL_KEYS][16];   /* of each feature */
    const char *names[ROLL_KEYS];
    int64_t features;
    explain_sheet *sheet;
} compose_explanation;
typedef struct excerpt {
    const float *x,
        *next;         /* steps that are read, the first of them silence or not; the one that is explained, or NULL */
    int64_t T, before; /* how many; what the first is numbered, less 1 */
} excerpt;

/* ---- what is read ---- */
static laco_status excerpt_of(const compose_explanation *c, const rolls *r, int64_t i, int64_t number, excerpt *out,
                              laco_error *err)
{
    const int64_t first = r->start[i], steps = r->start[i + 1] - first - 1; /* without the silence in front */
    const int64_t at = c->at ? c->at : steps + 1, T = min64(at, LOOKS_BACK);
    if (at > steps + 1)
        return fail(err, LACO_EINVAL, -1, "--at %lld: sequence %lld of the data ends with step %lld", (long long)at,
                    (long long)number, (long long)steps);
    *out = (excerpt){ .x = r->step + (first + at - T) * ROLL_KEYS, .T = T, .before = at - T - 1 };
    if (at <= steps) out->next = r->step + (first + at) * ROLL_KEYS;
    return LACO_OK;
}
typedef laco_status excerpt_fn(compose_explanation *c, const excerpt *x, laco_error *err);
/* The first sequences of the parts, in their order. */
static laco_status for_each(compose_explanation *c, excerpt_fn *f, laco_error *err)
{
    const int64_t most = options_int(c->j->o, "examples");
    int64_t number = 0;
    laco_status st = LACO_OK;
    for (int k = 0; !st && k < ROLL_PARTS; k++)
        for (int64_t i = 0; !st && i < c->part[k].count && number < most; i++) {
            excerpt x;
            st = excerpt_of(c, &c->part[k], i, ++number, &x, err);
            if (!st) st = f(c, &x, err);
        }
    return st ? st : number ? LACO_OK : fail(err, LACO_EFORMAT, -1, "--data holds no sequences");
}
static laco_status mark_keys(compose_explanation *c, const excerpt *x, laco_error *err)
{
    (void)err;
    for (int64_t k = 0; k < x->T * ROLL_KEYS; k++)
        if (x->x[k] > 0) c->feature[k % ROLL_KEYS] = 0;
    return LACO_OK;
}
static void name_features(compose_explanation *c)
{
    for (int k = 0; k < ROLL_KEYS; k++) {
        if (c->feature[k] < 0) continue;
        snprintf(c->name[c->features], sizeof c->name[0], "note %d", ROLL_LOW + k);
        c->names[c->features] = c->name[c->features], c->feature[k] = (int32_t)c->features++;
    }
}

/* ---- one sequence ---- */
/* The note of --answer, or the likeliest; behind nade *given [ROLL_KEYS] are the notes of the step. */
static laco_status choose_note(const compose_explanation *c, const excerpt *x, explain_question *q, float *given,
                               laco_error *err)
{
    const char *name = options_text(c->j->o, "answer");
    const net *n = c->m->net;
    float y[ROLL_KEYS];
    double note;
    laco_status st = LACO_OK;
    if (!strcmp(n->d.layer[n->d.layers - 1].kind, "nade")) {
        if (!x->next) st = explain_outputs(y, c->m->net, x->x, x->T, q, err);
        for (int k = 0; !st && k < ROLL_KEYS; k++) given[k] = x->next ? x->next[k] : y[k] > 0;
        q->target = given;
    }
    if (!st && name) {
        if (!number_parse(name, &note) || !(note >= ROLL_LOW && note < ROLL_LOW + ROLL_KEYS) || note != floor(note))
            return fail(err, LACO_EINVAL, -1, "--answer %.60s: a MIDI note from %d to %d is explained", name, ROLL_LOW,
                        ROLL_LOW + ROLL_KEYS - 1);
        q->output = (int64_t)note - ROLL_LOW;
    } else if (!st && !(st = explain_outputs(y, c->m->net, x->x, x->T, q, err))) {
        for (int64_t k = 1; k < ROLL_KEYS; k++)
            if (y[k] > y[q->output]) q->output = k;
    }
    return st;
}
static laco_status explain_one(compose_explanation *c, const excerpt *x, laco_error *err)
{
    char answer[64];
    float given[ROLL_KEYS];
    explained e = { 0 };
    explain_question q = {
        .says = SAYS_LABEL, .step = x->T - 1, .unknown = -1, .feature = c->feature, .features = c->features
    };
    laco_status st = choose_note(c, x, &q, given, err);
    if (!st) st = explain_sequence(&e, c->m->net, x->x, x->T, &q, c->j->stop, err);
    snprintf(answer, sizeof answer, "step %lld: note %d", (long long)(x->before + x->T + 1), ROLL_LOW + (int)q.output);
    if (!st)
        st = explain_put(
            c->sheet, &(explain_case){ .of = &e, .answer = answer, .probability = exp(e.value), .before = x->before },
            err);
    explained_free(&e);
    return st;
}
laco_status compose_explain(task_job *j, laco_model *m, laco_error *err)
{
    compose_explanation c = { .j = j, .m = m, .at = options_int(j->o, "at") };
    for (int k = 0; k < ROLL_KEYS; k++) c.feature[k] = -1;
    laco_status st = compose_check(m, options_text(j->o, "model-file"), err);
    if (!st && options_text(j->o, "text"))
        st = fail(err, LACO_EINVAL, -1, "--text: this model reads music; give --data");
    if (!st) st = compose_read(c.part, j, compose_step(m, j->o), err);
    if (!st) st = for_each(&c, mark_keys, err);
    if (!st) name_features(&c);
    if (!st) st = explain_open(&c.sheet, j, false, c.names, c.features, err);
    if (!st) st = for_each(&c, explain_one, err);
    st = explain_close(c.sheet, st, err);
    for (int i = 0; i < ROLL_PARTS; i++) rolls_free(&c.part[i]);
    return st;
}
