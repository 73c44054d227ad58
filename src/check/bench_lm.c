#include "check/bench_lm.h"
#include "base/rng.h"

enum { WINDOWS = 8 /* of text for each row; then it starts again */ };
static const struct model {
    const char *description;
    int64_t symbols, batch, steps;
} models[] = {
    { "embed 64; lstm 256 x2; dense", 65, 64, 64 },
    { "embed 200; lstm 200 x2; dense", 10000, 20, 35 },
    { "embed 16; lstm 32 x2; dense", 65, 8, 8 },
};
const char *const *lm_work_names(void)
{
    static const char *const names[] = { "char", "word", "tiny", NULL };
    return names;
}

void lm_work_free(void *state)
{
    lm_work *w = state;
    if (!w) return;
    trainer_free(w->t), net_free(w->net), mem_free(w->ids), mem_free(w->row), mem_free(w);
}

static laco_status make_text(lm_work *w, const struct model *m, laco_error *err)
{
    int64_t length = m->steps * WINDOWS, n = m->batch * length + 1;
    w->ids = mem_new((size_t)n, sizeof *w->ids), w->row = mem_new((size_t)m->batch, sizeof *w->row);
    if (!w->ids || !w->row) return fail_memory(err, (size_t)n * sizeof *w->ids);
    for (int64_t i = 0; i < n; i++) w->ids[i] = (int32_t)(rng_uniform(1, RNG_TEST, (uint64_t)i) * (double)m->symbols);
    for (int64_t b = 0; b < m->batch; b++) w->row[b] = (text_row){ .start = 1 + b * length, .length = length };
    w->text = (train_batch){ .ids = w->ids, .row = w->row, .B = m->batch };
    return LACO_OK;
}
static laco_status make_trainer(lm_work *w, const struct model *m, laco_error *err)
{
    train_settings s = { .steps = m->steps,
                         .batch = m->batch,
                         .optim = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 },
                         .schedule = { .lr = 1e-3 } };
    const optim_row *row;
    while ((row = w->net->k->optim->row(s.optimizer)) && strcmp(row->name, "adam")) s.optimizer++;
    laco_status st = schedule_named(&s.schedule.row, "constant", err);
    if (!st) st = trainer_new(&w->t, w->net, &s, err);
    if (!st) trainer_begin(w->t, &w->text);
    return st;
}
laco_status lm_work_new(lm_work **out, const char *name, const kernels *k, pool *p, laco_error *err)
{
    net_description d;
    const char *const *names = lm_work_names();
    size_t i = 0;
    while (names[i] && strcmp(names[i], name)) i++;
    if (!names[i]) return fail(err, LACO_EINVAL, -1, "no language model \"%.40s\"; there is char, word and tiny", name);
    const struct model *m = &models[i];
    laco_status st = describe_parse(&d, m->description, m->symbols, m->symbols, k, err);
    if (st) return st;
    lm_work *w = mem_new(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w);
    w->tokens = m->batch * m->steps;
    st = net_new(&w->net, &d, m->symbols, k, p, err);
    if (!st) st = net_init(w->net, "default", 1, 1, err);
    if (!st) st = make_text(w, m, err);
    if (!st) st = make_trainer(w, m, err);
    if (st) return lm_work_free(w), st;
    *out = w;
    return LACO_OK;
}
void lm_work_run(void *state)
{
    lm_work *w = state;
    window_result r;
    if (!trainer_more(w->t)) trainer_begin(w->t, &w->text);
    laco_status st = trainer_window(w->t, (schedule_point){ 0 }, &r, NULL);
    if (st) w->status = st;
}
double lm_work_flops(const lm_work *w) { return 6.0 * (double)net_work(w->net) * (double)w->tokens; }
