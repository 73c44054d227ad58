#include "check/bench_step.h"
#include "base/rng.h"
#include "format/model.h"
#include <stdio.h>

static const struct {
    const char *name;
    double bytes;
} kinds[] = { { "", 4 }, { "float", 4 }, { "bf16", 2 }, { "int8", 1 } };
enum { KINDS = sizeof kinds / sizeof *kinds };

void step_work_free(void *state)
{
    step_work *w = state;
    if (!w) return;
    laco_model_free(w->model), laco_threads_free(w->threads);
    mem_free(w->state), mem_free(w->in), mem_free(w->out), mem_free(w);
}
static laco_status make_model(step_work *w, const char *cell, int64_t H, int kind, laco_error *err)
{
    char description[64];
    snprintf(description, sizeof description, "%s %lld", cell, (long long)H);
    laco_status st = laco_model_new(&w->model, description, H, 1, err);
    if (st) return st;
    w->products = (double)net_work(w->model->net), w->weight_bytes = w->products * kinds[kind].bytes;
    return *kinds[kind].name ? laco_model_weights(w->model, kinds[kind].name, err) : laco_model_ready(w->model, err);
}
static laco_status make_state(step_work *w, int64_t H, int threads, laco_error *err)
{
    size_t bytes = laco_state_size(w->model, 1);
    w->state = mem_new(bytes, 1);
    w->in = mem_new((size_t)H, sizeof *w->in), w->out = mem_new((size_t)H, sizeof *w->out);
    if (!w->state || !w->in || !w->out) return fail_memory(err, bytes + 2 * (size_t)H * sizeof *w->in);
    for (int64_t i = 0; i < H; i++) w->in[i] = (float)rng_uniform(1, RNG_TEST, (uint64_t)i) - 0.5f;
    laco_status st = laco_state_init(w->model, w->state, bytes, 1, err);
    if (st || threads == 1) return st;
    st = laco_threads_new(&w->threads, w->model, 1, threads, err);
    return st ? st : laco_state_threads(w->model, w->state, w->threads, err);
}
laco_status step_work_new(step_work **out, const char *cell, int64_t H, const char *weights, int threads,
                          laco_error *err)
{
    int kind = 0;
    while (kind < KINDS && strcmp(kinds[kind].name, weights)) kind++;
    if (kind == KINDS)
        return fail(err, LACO_EINVAL, -1, "no weights \"%.20s\"; there is float, bf16 and int8", weights);
    step_work *w = mem_new(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w);
    laco_status st = make_model(w, cell, H, kind, err);
    if (!st) st = make_state(w, H, threads, err);
    if (st) return step_work_free(w), st;
    *out = w;
    return LACO_OK;
}
void step_work_run(void *state)
{
    step_work *w = state;
    laco_status st = laco_step(w->model, w->state, w->in, w->out, NULL);
    if (st) w->status = st;
}
