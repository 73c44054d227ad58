/* Any bytes to the reader of models; one that it accepts must run and step. */
#include "format/model.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "fuzz_model: %s\n", what);
    abort();
}

static void run(const laco_model *m)
{
    enum { T = 3 };
    size_t in = m->net->symbols ? 1 : (size_t)m->net->inputs, out = (size_t)m->net->outputs;
    float *x = mem_new(in, T * sizeof(float)), *y = mem_new(out, T * sizeof(float)); /* zeros, or symbol 0 */
    void *state = mem_new(laco_state_size(m, 1), 1);
    laco_error e;
    if (x && y && state) {
        must(laco_model_run(m, x, NULL, T, 1, y, &e) == LACO_OK, "a model that cannot run");
        must(laco_state_init(m, state, laco_state_size(m, 1), 1, &e) == (m->steps ? LACO_OK : LACO_EINVAL), "no state");
        laco_status st = m->net->symbols ? laco_step_symbol(m, state, 0, y, &e) : laco_step(m, state, x, y, &e);
        must(st == (m->steps ? LACO_OK : LACO_EINVAL), "a model that cannot step");
    }
    mem_free(x), mem_free(y), mem_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    laco_model *m;
    laco_error e = { .msg = "" };
    buf text = { 0 };
    laco_status st = model_parse(&m, bytes, n, 1, &e);
    if (st) {
        must(e.code == st && e.msg[0] && !m, "an error without a message");
        return 0;
    }
    run(m);
    must(model_describe(m, 1, 1, true, &text, &e) == LACO_OK, "a model that cannot be described");
    buf_free(&text);
    laco_model_free(m);
    return 0;
}
