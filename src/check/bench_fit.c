#include "check/bench_fit.h"
#include "base/rng.h"
#include <stdio.h>

enum { SIZE = 256, ROWS = 32, STEPS = 64, WINDOWS = 4 /* of data for each row; then it starts again */ };
static const fit_row rows[] = {
    { .name = "" },
    { "dropout 0.3", .behind = "; dropout 0.3" },
    { "dropout 0.3 variational", .behind = "; dropout 0.3 variational" },
    { "variational 0.3", .words = "variational 0.3" },
    { "recurrent-dropout 0.3", .words = "recurrent-dropout 0.3" },
    { "zoneout 0.1", .words = "zoneout 0.1" },
    { "activation-reg 2", .words = "activation-reg 2" },
    { "temporal-reg 1", .words = "temporal-reg 1" },
    { "weight-drop 0.5", .words = "weight-drop 0.5" },
    { "weight noise", .weight_noise = 0.01 },
    { "gradient noise", .gradient_noise = 0.01 },
    { "weight decay", .weight_decay = 1e-4 },
    { .name = "", .text = true },
    { "embed dropout 0.1", .text = true, .embed = " dropout 0.1" },
    { "label smoothing 0.1", .text = true, .smoothing = 0.1 },
    { .name = NULL },
};
const fit_row *fit_rows(void) { return rows; }

void fit_work_free(void *state)
{
    fit_work *w = state;
    if (!w) return;
    trainer_free(w->t), net_free(w->net);
    mem_free(w->ids), mem_free(w->x), mem_free(w->y), mem_free(w->row), mem_free(w);
}
static laco_status make_data(fit_work *w, bool text, laco_error *err)
{
    const int64_t length = STEPS * WINDOWS, n = ROWS * length + 1;
    w->row = mem_new(ROWS, sizeof *w->row);
    if (text)
        w->ids = mem_new((size_t)n, sizeof *w->ids);
    else
        w->x = mem_new((size_t)n, SIZE * sizeof(float)), w->y = mem_new((size_t)n, SIZE * sizeof(float));
    if (!w->row || (text ? !w->ids : !w->x || !w->y)) return fail_memory(err, (size_t)n * SIZE * sizeof(float));
    for (int64_t i = 0; text && i < n; i++) w->ids[i] = (int32_t)(rng_uniform(1, RNG_TEST, (uint64_t)i) * SIZE);
    for (int64_t i = 0; !text && i < n * SIZE; i++)
        w->x[i] = i < 4099 ? (float)rng_uniform(1, RNG_TEST, (uint64_t)i) - 0.5f : w->x[i - 4099], w->y[i] = -w->x[i];
    for (int64_t b = 0; b < ROWS; b++) w->row[b] = (text_row){ .start = 1 + b * length, .length = length };
    w->batch = (train_batch){ .ids = w->ids, .x = w->x, .y = w->y, .row = w->row, .B = ROWS };
    return LACO_OK;
}
static laco_status make_trainer(fit_work *w, const fit_row *r, laco_error *err)
{
    train_settings s = { .steps = STEPS,
                         .batch = ROWS,
                         .loss = r->text ? LOSS_SOFTMAX : LOSS_SQUARED,
                         .optim.weight_decay = r->weight_decay,
                         .schedule.lr = 1e-3,
                         .weight_noise = r->weight_noise,
                         .gradient_noise = r->gradient_noise,
                         .smoothing = r->smoothing };
    const optim_row *row;
    while ((row = w->net->k->optim->row(s.optimizer)) && strcmp(row->name, "sgd")) s.optimizer++;
    laco_status st = schedule_named(&s.schedule.row, "constant", err);
    if (!st) st = trainer_new(&w->t, w->net, &s, err);
    if (!st) trainer_begin(w->t, &w->batch);
    return st;
}
laco_status fit_work_new(fit_work **out, const fit_row *r, const char *cell, const kernels *k, pool *p, laco_error *err)
{
    char text[200];
    const char *embed = r->embed ? r->embed : "", *words = r->words ? r->words : "",
               *behind = r->behind ? r->behind : "";
    if (r->text)
        snprintf(text, sizeof text, "embed %d%s; %s %d %s%s; dense", SIZE, embed, cell, SIZE, words, behind);
    else
        snprintf(text, sizeof text, "%s %d %s%s", cell, SIZE, words, behind);
    net_description *d = mem_new(1, sizeof *d);
    if (!d) return fail_memory(err, sizeof *d);
    laco_status st = describe_parse(d, text, SIZE, SIZE, k, err);
    fit_work *w = st ? NULL : mem_new(1, sizeof *w);
    if (!st && !w) st = fail_memory(err, sizeof *w);
    if (!st) st = net_new(&w->net, d, SIZE, k, p, err);
    mem_free(d);
    if (!st) st = net_init(w->net, "default", 1, 1, err);
    if (!st) st = make_data(w, r->text, err);
    if (!st) st = make_trainer(w, r, err);
    if (st) return fit_work_free(w), st;
    *out = w;
    return LACO_OK;
}
void fit_work_run(void *state)
{
    fit_work *w = state;
    window_result r;
    if (!trainer_more(w->t)) trainer_begin(w->t, &w->batch);
    laco_status st = trainer_window(w->t, (schedule_point){ 0 }, &r, NULL);
    if (st) w->status = st;
}
