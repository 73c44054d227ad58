/* laco eval of a model of music: the mean negative log-likelihood of a time step, over every part of --data. */
#include "task/compose.h"
#include "task/use.h"

static laco_status read_all(compose_data *d, task_job *j, const laco_model *m, laco_error *err)
{
    laco_status st = compose_read(d->part, j, compose_step(m, j->o), err);
    for (int i = 0; !st && i < ROLL_PARTS; i++) st = compose_rows(&d->set[i], &d->part[i], 0, 0, true, err);
    return st;
}
static laco_status measure_all(compose_data *d, task_job *j, laco_model *m, laco_error *err)
{
    int64_t longest = 1;
    trainer *t = NULL;
    for (int i = 0; i < ROLL_PARTS; i++) longest = max64(longest, d->set[i].longest);
    train_settings s = { .steps = min64(longest, options_int(j->o, "steps")),
                         .batch = options_int(j->o, "batch"),
                         .loss = LOSS_BERNOULLI };
    laco_status st = trainer_new(&t, m->net, &s, err);
    for (int i = 0; !st && i < ROLL_PARTS; i++) st = compose_measure(t, &d->set[i], s.batch, j, &d->loss[i], err);
    if (!st && *j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before all was measured");
    trainer_free(t);
    return st;
}
static void line_to_buf(void *ctx, const char *text) { buf_printf(ctx, "%s\n", text); }
laco_status compose_eval(task_job *j, laco_model *m, laco_error *err)
{
    compose_data d = { 0 };
    laco_status st = compose_check(m, options_text(j->o, "model-file"), err);
    if (!st) st = read_all(&d, j, m, err);
    if (!st) st = measure_all(&d, j, m, err);
    if (!st) {
        buf text = { 0 };
        json_out o = { .to = j->result };
        compose_baselines(&d);
        json_begin(&o, '{'), json_key(&o, "task"), json_text(&o, "compose");
        compose_json(&d, &o), json_end(&o, '}');
        compose_report(&d, ROLL_TRAIN, d.set[ROLL_VALID].n || d.set[ROLL_TEST].n, line_to_buf, &text);
        if (!options_flag(j->o, "json")) task_out_buf(j, &text);
        buf_free(&text);
    }
    compose_data_free(&d);
    return st;
}
