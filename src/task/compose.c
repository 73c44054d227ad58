/* laco train compose: which keys sound next, from piano rolls (src/data/rolls.h).

   The network reads the 88 keys of a step as numbers 0 and 1 and answers with 88 probabilities for the next one, of
   keys that are independent (--head bernoulli) or each given those below it (--head nade, src/layer/nade.kernel.c); the
   first step is predicted from silence. The figure is the mean negative log- likelihood per time step, the sum over the
   keys, in nats (Boulanger-Lewandowski, Bengio & Vincent 2012). Beside it stand two baselines that only count: how
   often a key sounds, and that from whether it sounded in the step before. */
#include "task/compose.h"
#include "base/number.h"
#include "task/fit.h"
#include "task/repeat.h"
#include <math.h>
#include <stdio.h>

typedef struct compose_run {
    task_job *j;
    const options *o;
    compose_data d;
    laco_model *m;
    fit fit;
    int64_t drawn; /* the epoch that d.set[ROLL_TRAIN].drawn is in the order of; -1: none */
} compose_run;

/* ---- data ---- */
/* With --folds every K-th training sequence is for validation, beginning with the one of the fold. */
static laco_status choose_rows(compose_run *r, laco_error *err)
{
    int64_t folds = options_int(r->o, "folds"), fold;
    const rolls *train = &r->d.part[ROLL_TRAIN], *valid = folds ? train : &r->d.part[ROLL_VALID];
    laco_status st = task_fold(r->o, train->count, "training sequences", &fold, err);
    if (!st) st = compose_rows(&r->d.set[ROLL_TRAIN], train, folds, fold, false, err);
    if (!st) st = compose_rows(&r->d.set[ROLL_VALID], valid, folds, fold, true, err);
    if (!st) st = compose_rows(&r->d.set[ROLL_TEST], &r->d.part[ROLL_TEST], 0, 0, true, err);
    return st;
}
static laco_status read_rolls(compose_run *r, laco_error *err)
{
    char a[32], b[32], c[32];
    laco_status st = compose_read(r->d.part, r->j, compose_step(NULL, r->o), err);
    if (!st) st = choose_rows(r, err);
    if (!st)
        task_note(r->j, "rolls     %s steps of %lld sequences; validation %s; test %s",
                  task_count(r->d.set[ROLL_TRAIN].steps, a), (long long)r->d.set[ROLL_TRAIN].n,
                  task_count(r->d.set[ROLL_VALID].steps, b), task_count(r->d.set[ROLL_TEST].steps, c));
    return st;
}

/* ---- network ---- */
static void shorthand(const compose_run *r, buf *out)
{
    double drop = options_real(r->o, "dropout");
    fit_recurrent(r->o, 128, false, "", out);
    if (drop > 0) buf_printf(out, "dropout %g; ", drop);
    int64_t chain = options_int(r->o, "chain");
    if (!strcmp(options_text(r->o, "head"), "nade"))
        buf_printf(out, "dense %lld; nade %lld", (long long)(ROLL_KEYS + chain), (long long)chain);
    else
        buf_text(out, "dense");
}
static laco_status make_network(compose_run *r, laco_error *err)
{
    buf text = { 0 };
    if (options_text(r->o, "model"))
        buf_text(&text, options_text(r->o, "model"));
    else
        shorthand(r, &text);
    laco_status st = text.failed
                         ? fail_memory(err, text.len)
                         : model_new(&r->m, text.data, ROLL_KEYS, ROLL_KEYS, (int)options_int(r->o, "threads"), err);
    buf_free(&text);
    if (!st && r->m->net->symbols)
        st = fail(err, LACO_EINVAL, -1, "piano rolls are numbers, not symbols: take \"embed\" out of the network");
    if (!st) st = lm_refuse_future(r->m, err);
    if (!st) st = model_set(r->m, "task", "compose", err);
    if (!st) st = model_set(r->m, "step", number_print((char[NUMBER_TEXT]){ 0 }, compose_step(NULL, r->o)), err);
    return st ? st : fit_weights(r->m->net, r->o, options_real(r->o, "forget-bias"), err);
}

/* ---- batches and measuring ---- */
static laco_status next_batch(void *ctx, int64_t epoch, int64_t k, train_batch *out, laco_error *err)
{
    compose_run *r = ctx;
    roll_rows *q = &r->d.set[ROLL_TRAIN];
    int64_t batch = r->fit.s.batch, from = k * batch;
    (void)err;
    if (r->drawn != epoch) {
        memcpy(q->drawn, q->row, (size_t)q->n * sizeof *q->row);
        lm_draw_rows(q->drawn, q->n, batch, r->fit.s.seed, epoch), r->drawn = epoch;
    }
    if (from < q->n) *out = compose_batch(q, q->drawn + from, min64(batch, q->n - from));
    return LACO_OK;
}
static laco_status measure_part(compose_run *r, int part, lm_loss *out, laco_error *err)
{
    return compose_measure(r->fit.t, &r->d.set[part], r->fit.s.batch, r->j, out, err);
}
static laco_status validate(void *ctx, fit_score *out, laco_error *err)
{
    lm_loss l;
    laco_status st = measure_part(ctx, ROLL_VALID, &l, err);
    out->loss = l.sum, out->tokens = l.tokens;
    return st;
}
static void say(void *ctx, const fit_score *s, char *to, size_t n)
{
    (void)ctx;
    snprintf(to, n, "%.4f", fit_loss(s));
}
static void score_json(void *ctx, json_out *o, const char *key, const fit_score *s)
{
    (void)ctx;
    compose_loss_json(o, key, (lm_loss){ s->loss, s->tokens });
}
static void figures(void *ctx, json_out *o)
{
    const compose_run *r = ctx;
    if (r->d.loss[ROLL_TEST].tokens) compose_loss_json(o, "test", r->d.loss[ROLL_TEST]);
}
static const fit_task compose_task = {
    .batch = next_batch, .measure = validate, .say = say, .score_json = score_json, .figures = figures
};

/* ---- the report ---- */
static void note_line(void *ctx, const char *text) { task_note(ctx, "%s", text); }
static void report(const compose_run *r)
{
    if (r->d.set[ROLL_VALID].n || r->d.set[ROLL_TEST].n) compose_report(&r->d, ROLL_VALID, true, note_line, r->j);
    task_note(r->j, "model     %s (epoch %lld)", options_text(r->o, "out"), (long long)r->fit.c.best_epoch);
}
static void result_json(const compose_run *r)
{
    json_out o = { .to = r->j->result };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "compose");
    json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    fit_json(&r->fit, &o);
    compose_json(&r->d, &o);
    json_end(&o, '}');
}

static laco_status prepare(compose_run *r, laco_error *err)
{
    const char *out = options_text(r->o, "out");
    if (!out) return fail(err, LACO_EINVAL, -1, "--out is missing: where the model goes, such as model.safetensors");
    if (options_given(r->o, "chain") && strcmp(options_text(r->o, "head"), "nade"))
        return fail(err, LACO_EINVAL, -1, "--chain is the width of --head nade, which was not asked for");
    laco_status st = task_refuse_overwriting(r->j, "out", err);
    if (!st) st = task_refuse_overwriting(r->j, "log", err);
    if (!st) st = file_check_writable(out, err);
    if (!st) st = read_rolls(r, err);
    if (!st) st = make_network(r, err);
    if (!st) st = fit_settings(&r->fit, r->o, r->m->net->k, err);
    if (st) return st;
    const roll_rows *q = &r->d.set[ROLL_TRAIN];
    train_settings *s = &r->fit.s;
    s->loss = LOSS_BERNOULLI, s->batch = min64(s->batch, q->n), s->steps = min64(s->steps, q->longest);
    return fit_open(&r->fit, r->j, &compose_task, r, r->m, q->steps, err);
}
static laco_status finish(compose_run *r, laco_error *err)
{
    fit_score best = fit_best(&r->fit);
    laco_status st = measure_part(r, ROLL_TEST, &r->d.loss[ROLL_TEST], err);
    if (*r->j->stop) r->d.loss[ROLL_TEST] = (lm_loss){ 0 };
    r->d.loss[ROLL_VALID] = (lm_loss){ best.loss, best.tokens };
    r->d.loss[ROLL_TRAIN] = (lm_loss){ r->fit.train.loss, r->fit.train.tokens };
    if (!st) st = fit_save(&r->fit, err);
    if (!st) compose_baselines(&r->d), report(r), result_json(r);
    return st;
}
laco_status compose_train(task_job *j, laco_error *err)
{
    compose_run r = { .j = j, .o = j->o, .drawn = -1 };
    laco_status st = prepare(&r, err);
    if (!st) st = fit_run(&r.fit, err);
    if (!st) st = finish(&r, err);
    fit_close(&r.fit), laco_model_free(r.m);
    compose_data_free(&r.d);
    return st;
}
