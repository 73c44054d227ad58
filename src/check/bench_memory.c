#include "check/bench_memory.h"
#include "base/rng.h"

enum { STEPS = 10000, BATCH = 8, SYMBOLS = 64, ROWS = STEPS * BATCH };

void long_work_free(void *state)
{
    long_work *w = state;
    if (!w) return;
    net_free(w->net), mem_free(w->ids), mem_free(w->active), mem_free(w->off), mem_free(w);
}
static laco_status make_window(long_work *w, laco_error *err)
{
    w->ids = mem_new(ROWS + BATCH, sizeof *w->ids);
    w->active = mem_new(STEPS, sizeof *w->active), w->off = mem_new(STEPS + 1, sizeof *w->off);
    if (!w->ids || !w->active || !w->off) return fail_memory(err, ROWS * sizeof *w->ids);
    for (int64_t i = 0; i < ROWS + BATCH; i++) w->ids[i] = (int32_t)(rng_uniform(1, RNG_TEST, (uint64_t)i) * SYMBOLS);
    for (int64_t t = 0; t < STEPS; t++) w->active[t] = BATCH, w->off[t + 1] = (t + 1) * BATCH;
    w->p = (pass){ .b = { STEPS, BATCH, ROWS, w->active, w->off }, .train = true };
    return LACO_OK;
}
laco_status long_work_new(long_work **out, size_t memory, const kernels *k, pool *p, laco_error *err)
{
    net_description d;
    laco_status st = describe_parse(&d, "embed 32; lstm 128; dense", SYMBOLS, SYMBOLS, k, err);
    if (st) return st;
    long_work *w = mem_new(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w);
    st = net_new(&w->net, &d, SYMBOLS, k, p, err);
    if (!st) st = net_init(w->net, "default", 1, 1, err);
    if (!st) st = make_window(w, err);
    if (!st) st = net_plan_window(w->net, LOSS_SOFTMAX, STEPS, BATCH, memory, &w->plan, err);
    if (!st) st = net_reserve_window(w->net, &w->plan, err);
    if (!st) st = net_load_loss(w->net, LOSS_SOFTMAX, true, err);
    if (st) return long_work_free(w), st;
    *out = w;
    return LACO_OK;
}
void long_work_run(void *state)
{
    long_work *w = state;
    const net_loss loss = { .kind = LOSS_SOFTMAX, .classes = w->ids + BATCH, .scale = 1.0 / ROWS };
    net_learn(w->net, &w->p, w->ids, 1, &loss);
}
double long_work_flops(const long_work *w) { return 6.0 * (double)net_work(w->net) * ROWS; }
