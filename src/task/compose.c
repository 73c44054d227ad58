/* laco train compose: which keys sound next, from piano rolls (src/data/rolls.h).

   The network reads the 88 keys of a step as numbers 0 and 1 and answers with 88 independent probabilities for the next
   one (a Bernoulli distribution each); the first step is predicted from silence. The figure is the mean negative log-
   likelihood per time step, the sum over the keys, in nats (Boulanger-Lewandowski, Bengio & Vincent 2012). Beside it
   stand two baselines that only count: how often a key sounds, and that from whether it sounded in the step before. */
#include "data/rolls.h"
#include "task/fit.h"
#include "task/lm.h"
#include "task/repeat.h"
#include <math.h>
#include <stdio.h>

/* Sequences that are trained on, or measured: rows over the steps of a part. */
typedef struct roll_rows {
    const float *x;
    text_row *row, *drawn; /* longest first; in the order of an epoch */
    int64_t n, steps, longest;
} roll_rows;
enum { COUNT_FREQUENCY, COUNT_MARKOV, COUNTS };
static const char *const count_names[COUNTS] = { "frequency of keys", "from the step before" };

typedef struct compose_run {
    task_job *j;
    const options *o;
    rolls part[ROLL_PARTS];
    roll_rows set[ROLL_PARTS];
    laco_model *m;
    fit fit;
    int64_t drawn;            /* the epoch that set[ROLL_TRAIN].drawn is in the order of; -1: none */
    lm_loss loss[ROLL_PARTS]; /* of the test part */
    lm_loss baseline[COUNTS][ROLL_PARTS];
} compose_run;

/* ---- data ---- */
static laco_status rows_of(roll_rows *to, const rolls *r, int64_t folds, int64_t fold, bool inside, laco_error *err)
{
    to->x = r->step, to->row = mem_new((size_t)r->count, sizeof *to->row);
    to->drawn = mem_new((size_t)r->count, sizeof *to->drawn);
    if (!to->row || !to->drawn) return fail_memory(err, (size_t)r->count * sizeof *to->row);
    for (int64_t i = 0; i < r->count; i++) {
        int64_t length = r->start[i + 1] - r->start[i] - 1;
        if (folds && (i % folds == fold) != inside) continue;
        to->row[to->n++] = (text_row){ r->start[i], length, 0 };
        to->steps += length, to->longest = max64(to->longest, length);
    }
    lm_sort_rows(to->row, to->n);
    return LACO_OK;
}
/* With --folds every K-th training sequence is for validation, beginning with the one of the fold. */
static laco_status choose_rows(compose_run *r, laco_error *err)
{
    int64_t folds = options_int(r->o, "folds"), fold;
    const rolls *train = &r->part[ROLL_TRAIN], *valid = folds ? train : &r->part[ROLL_VALID];
    laco_status st = task_fold(r->o, train->count, "training sequences", &fold, err);
    if (!st) st = rows_of(&r->set[ROLL_TRAIN], train, folds, fold, false, err);
    if (!st) st = rows_of(&r->set[ROLL_VALID], valid, folds, fold, true, err);
    if (!st) st = rows_of(&r->set[ROLL_TEST], &r->part[ROLL_TEST], 0, 0, true, err);
    return st;
}
static laco_status read_rolls(compose_run *r, laco_error *err)
{
    char *bytes, a[32], b[32], c[32];
    size_t n;
    const char *name;
    laco_status st = task_read(r->j, TEXT_DATA, &bytes, &n, &name, err);
    if (st) return st;
    if (!bytes) return fail(err, LACO_EINVAL, -1, "--data is missing: the piano rolls to learn, a JSON file");
    st = rolls_parse(r->part, bytes, n, name, err);
    mem_free(bytes);
    if (!st) st = choose_rows(r, err);
    if (!st)
        task_note(r->j, "rolls     %s steps of %lld sequences; validation %s; test %s",
                  task_count(r->set[ROLL_TRAIN].steps, a), (long long)r->set[ROLL_TRAIN].n,
                  task_count(r->set[ROLL_VALID].steps, b), task_count(r->set[ROLL_TEST].steps, c));
    return st;
}

/* ---- network ---- */
static void shorthand(const compose_run *r, buf *out)
{
    double drop = options_real(r->o, "dropout");
    int64_t hidden = options_int(r->o, "hidden"), layers = options_int(r->o, "layers");
    for (int64_t i = 0; i < max64(1, layers); i++) {
        if (i && drop > 0) buf_printf(out, "dropout %g; ", drop);
        buf_printf(out, "%s %lld; ", options_text(r->o, "cell"), (long long)(hidden ? hidden : 128));
    }
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
    weights_kind kind = WEIGHTS_FLOAT;
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
    if (!st) st = weights_parse(options_text(r->o, "precision"), &kind, err);
    if (!st) st = net_weights(r->m->net, kind, err);
    uint64_t seed = (uint64_t)options_int(r->o, "seed");
    if (!st) st = net_init(r->m->net, options_text(r->o, "init"), options_real(r->o, "forget-bias"), seed, err);
    return st;
}

/* ---- batches and measuring ---- */
static train_batch batch_of(const roll_rows *q, const text_row *row, int64_t n)
{
    return (train_batch){ .x = q->x, .y = q->x + ROLL_KEYS, .row = row, .B = n };
}
static laco_status next_batch(void *ctx, int64_t epoch, int64_t k, train_batch *out, laco_error *err)
{
    compose_run *r = ctx;
    roll_rows *q = &r->set[ROLL_TRAIN];
    int64_t batch = r->fit.s.batch, from = k * batch;
    (void)err;
    if (r->drawn != epoch) {
        memcpy(q->drawn, q->row, (size_t)q->n * sizeof *q->row);
        lm_draw_rows(q->drawn, q->n, batch, r->fit.s.seed, epoch), r->drawn = epoch;
    }
    if (from < q->n) *out = batch_of(q, q->drawn + from, min64(batch, q->n - from));
    return LACO_OK;
}
static laco_status measure_part(compose_run *r, int part, lm_loss *out, laco_error *err)
{
    const roll_rows *q = &r->set[part];
    train_batch all = batch_of(q, q->row, q->n);
    laco_status st = q->n ? trainer_load(r->fit.t, err) : LACO_OK;
    *out = (lm_loss){ 0 };
    if (!st && q->n) lm_measure_rows(r->fit.t, &all, r->fit.s.batch, q->steps, r->j, out);
    return st;
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
static void loss_json(json_out *o, const char *key, lm_loss l)
{
    json_key(o, key), json_begin(o, '{');
    json_key(o, "nats"), json_number(o, lm_mean(l));
    json_key(o, "steps"), json_int(o, l.tokens);
    json_end(o, '}');
}
static void score_json(void *ctx, json_out *o, const char *key, const fit_score *s)
{
    (void)ctx;
    loss_json(o, key, (lm_loss){ s->loss, s->tokens });
}
static void figures(void *ctx, json_out *o)
{
    const compose_run *r = ctx;
    if (r->loss[ROLL_TEST].tokens) loss_json(o, "test", r->loss[ROLL_TEST]);
}
static const fit_task compose_task = {
    .batch = next_batch, .measure = validate, .say = say, .score_json = score_json, .figures = figures
};

/* ---- baselines ---- a key sounds with probability (times it did + 1/2) / (times + 1) */
typedef struct key_counts {
    double on[2][ROLL_KEYS], all[2][ROLL_KEYS]; /* by whether the key sounded before */
} key_counts;
static int state_before(int kind, float x) { return kind == COUNT_MARKOV && x > 0; }
static void count_keys(key_counts *c, const roll_rows *q, int kind)
{
    for (int64_t i = 0; i < q->n; i++)
        for (int64_t t = 0; t < q->row[i].length; t++) {
            const float *x = q->x + (q->row[i].start + t) * ROLL_KEYS, *y = x + ROLL_KEYS;
            for (int k = 0; k < ROLL_KEYS; k++) {
                int before = state_before(kind, x[k]);
                c->on[before][k] += y[k], c->all[before][k]++;
            }
        }
}
static lm_loss count_loss(const key_counts *c, const roll_rows *q, int kind)
{
    lm_loss l = { .tokens = q->steps };
    key_counts log_p = { 0 }; /* of a key that sounds, and of one that does not */
    for (int before = 0; before < 2; before++)
        for (int k = 0; k < ROLL_KEYS; k++) {
            double p = (c->on[before][k] + 0.5) / (c->all[before][k] + 1);
            log_p.on[before][k] = log(p), log_p.all[before][k] = log1p(-p);
        }
    for (int64_t i = 0; i < q->n; i++)
        for (int64_t t = 0; t < q->row[i].length; t++) {
            const float *x = q->x + (q->row[i].start + t) * ROLL_KEYS, *y = x + ROLL_KEYS;
            for (int k = 0; k < ROLL_KEYS; k++) {
                int before = state_before(kind, x[k]);
                l.sum -= y[k] > 0 ? log_p.on[before][k] : log_p.all[before][k];
            }
        }
    return l;
}
static void measure_baselines(compose_run *r)
{
    for (int kind = 0; kind < COUNTS; kind++) {
        key_counts c = { 0 };
        count_keys(&c, &r->set[ROLL_TRAIN], kind);
        for (int part = ROLL_VALID; part < ROLL_PARTS; part++)
            r->baseline[kind][part] = count_loss(&c, &r->set[part], kind);
    }
}

/* ---- the report ---- */
static void note_row(const compose_run *r, const char *name, const lm_loss *by_part)
{
    char v[32] = "", t[32] = "";
    if (by_part[ROLL_VALID].tokens) snprintf(v, sizeof v, "%.4f", lm_mean(by_part[ROLL_VALID]));
    if (by_part[ROLL_TEST].tokens) snprintf(t, sizeof t, "%.4f", lm_mean(by_part[ROLL_TEST]));
    task_note(r->j, "  %-22s %-12s%s", name, v, t);
}
static void report(const compose_run *r)
{
    task_note(r->j, "  %-22s %-12s%s", "nats per time step", r->set[ROLL_VALID].n ? "validation" : "",
              r->set[ROLL_TEST].n ? "test" : "");
    for (int kind = 0; kind < COUNTS; kind++) note_row(r, count_names[kind], r->baseline[kind]);
    note_row(r, "this network", r->loss);
    task_note(r->j, "model     %s (epoch %lld)", options_text(r->o, "out"), (long long)r->fit.c.best_epoch);
}
static void result_json(const compose_run *r)
{
    static const char *const keys[ROLL_PARTS] = { "train", "valid", "test" };
    json_out o = { .to = r->j->result };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "compose");
    json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    fit_json(&r->fit, &o);
    for (int i = 0; i < ROLL_PARTS; i++)
        if (r->loss[i].tokens) loss_json(&o, keys[i], r->loss[i]);
    json_key(&o, "baselines"), json_begin(&o, '{');
    for (int kind = 0; kind < COUNTS; kind++) {
        json_key(&o, count_names[kind]), json_begin(&o, '{');
        for (int i = ROLL_VALID; i < ROLL_PARTS; i++)
            if (r->baseline[kind][i].tokens) loss_json(&o, keys[i], r->baseline[kind][i]);
        json_end(&o, '}');
    }
    json_end(&o, '}'), json_end(&o, '}');
}

static laco_status prepare(compose_run *r, laco_error *err)
{
    const char *out = options_text(r->o, "out");
    if (!out) return fail(err, LACO_EINVAL, -1, "--out is missing: where the model goes, such as model.safetensors");
    laco_status st = task_refuse_overwriting(r->j, "out", err);
    if (!st) st = task_refuse_overwriting(r->j, "log", err);
    if (!st) st = file_check_writable(out, err);
    if (!st) st = read_rolls(r, err);
    if (!st) st = make_network(r, err);
    if (!st) st = fit_settings(&r->fit, r->o, r->m->net->k, err);
    if (st) return st;
    const roll_rows *q = &r->set[ROLL_TRAIN];
    train_settings *s = &r->fit.s;
    s->loss = LOSS_BERNOULLI, s->batch = min64(s->batch, q->n), s->steps = min64(s->steps, q->longest);
    return fit_open(&r->fit, r->j, &compose_task, r, r->m, q->steps, err);
}
static laco_status finish(compose_run *r, laco_error *err)
{
    fit_score best = fit_best(&r->fit);
    laco_status st = measure_part(r, ROLL_TEST, &r->loss[ROLL_TEST], err);
    if (*r->j->stop) r->loss[ROLL_TEST] = (lm_loss){ 0 };
    r->loss[ROLL_VALID] = (lm_loss){ best.loss, best.tokens };
    r->loss[ROLL_TRAIN] = (lm_loss){ r->fit.train.loss, r->fit.train.tokens };
    if (!st) st = fit_save(&r->fit, err);
    if (!st) measure_baselines(r), report(r), result_json(r);
    return st;
}
laco_status compose_train(task_job *j, laco_error *err)
{
    compose_run r = { .j = j, .o = j->o, .drawn = -1 };
    laco_status st = prepare(&r, err);
    if (!st) st = fit_run(&r.fit, err);
    if (!st) st = finish(&r, err);
    fit_close(&r.fit), laco_model_free(r.m);
    for (int i = 0; i < ROLL_PARTS; i++) mem_free(r.set[i].row), mem_free(r.set[i].drawn), rolls_free(&r.part[i]);
    return st;
}
