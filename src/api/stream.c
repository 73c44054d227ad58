/* Streaming: the functions of laco.h that step. Everything is checked here, so that a wrong pointer, a state of another
   model or too small a buffer is an error value; then src/net does the work. A step reads the packed weights of the
   model and writes nothing but the caller's state and output.

   Saved states: "LACS", version (uint32 1), fingerprint of the description (uint64), streams (int64), numbers of one
   stream (int64), then the numbers as float32, stream by stream; all little-endian. */
#include "api/api.h"

struct laco_threads {
    pool *pool;
    uint64_t network; /* fingerprint */
    int64_t streams;
    char *memory; /* of the threads beyond the first */
};
enum { SAVED_VERSION = 1, SAVED_HEAD = 32 };

laco_status laco_model_ready(laco_model *m, laco_error *err)
{
    return m ? model_ready(m, err) : null_argument(err, "laco_model_ready", "m");
}
laco_status laco_model_weights(laco_model *m, const char *kind, laco_error *err)
{
    if (!m || !kind) return null_argument(err, "laco_model_weights", m ? "kind" : "m");
    return model_weights(m, kind, err);
}

/* ---- checks ---- */
static laco_status check_model(const laco_model *m, const void *state, const char *function, laco_error *err)
{
    if (!m || !state) return null_argument(err, function, m ? "state" : "m");
    if (!m->steps)
        return fail(err, LACO_EINVAL, -1,
                    "%s: this network reads sequences backwards and cannot step; use laco_model_run", function);
    if ((uintptr_t)state % 64)
        return fail(err, LACO_EINVAL, -1, "%s: the state must lie at a multiple of 64 bytes; use aligned_alloc",
                    function);
    return LACO_OK;
}
static laco_status check_state(const laco_model *m, const void *state, const char *function, laco_error *err)
{
    laco_status st = check_model(m, state, function, err);
    if (st || net_state_fits(m->net, state)) return st;
    return fail(err, LACO_EINVAL, -1,
                "%s: the state is not one of this model; laco_state_init makes one for its description", function);
}
static laco_status check_step(const laco_model *m, const void *state, const void *in, const float *out, int64_t streams,
                              const char *function, laco_error *err)
{
    laco_status st = check_state(m, state, function, err);
    if (st) return st;
    if (!in || !out) return null_argument(err, function, in ? "out" : "in");
    if (streams < 1 || streams > ((const net_state *)state)->streams)
        return fail(err, LACO_EINVAL, -1, "%s: %lld streams, but the state holds %lld", function, (long long)streams,
                    (long long)((const net_state *)state)->streams);
    if (m->ready) return LACO_OK;
    return fail(err, LACO_EINVAL, -1,
                "%s: the weights are not packed; call laco_model_ready once, after the last laco_model_find or "
                "laco_model_tensor",
                function);
}
static laco_status check_symbols(const laco_model *m, const int32_t *symbol, int64_t n, const char *function,
                                 laco_error *err)
{
    for (int64_t i = 0; i < n; i++)
        if (symbol[i] < 0 || symbol[i] >= m->net->inputs)
            return fail(err, LACO_EINVAL, i, "%s: symbol %d, but the network knows 0 to %lld", function, (int)symbol[i],
                        (long long)m->net->inputs - 1);
    return LACO_OK;
}
static laco_status wrong_input(bool symbols, const char *function, laco_error *err)
{
    return fail(err, LACO_EINVAL, -1, "%s: this network reads %s; call %s", function, symbols ? "symbols" : "numbers",
                symbols ? "laco_step_symbol" : "laco_step");
}

/* ---- states ---- */
size_t laco_state_size(const laco_model *m, int64_t streams)
{
    return m && m->steps ? net_state_bytes(m->net, streams) : 0;
}
laco_status laco_state_init(const laco_model *m, void *state, size_t bytes, int64_t streams, laco_error *err)
{
    laco_status st = check_model(m, state, "laco_state_init", err);
    if (st) return st;
    size_t needed = laco_state_size(m, streams);
    if (!needed)
        return fail(err, LACO_EINVAL, -1,
                    "laco_state_init: %lld streams; there must be at least one, and not more "
                    "than memory could hold",
                    (long long)streams);
    if (bytes < needed)
        return fail(err, LACO_EINVAL, -1,
                    "laco_state_init: %zu bytes are too few for %lld streams, which need %zu: "
                    "laco_state_size tells",
                    bytes, (long long)streams, needed);
    net_state_init(m->net, state, streams);
    return LACO_OK;
}
laco_status laco_state_reset(const laco_model *m, void *state, int64_t stream, laco_error *err)
{
    laco_status st = check_state(m, state, "laco_state_reset", err);
    if (st) return st;
    int64_t streams = ((net_state *)state)->streams;
    if (stream < 0 || stream >= streams)
        return fail(err, LACO_EINVAL, -1, "laco_state_reset: stream %lld, but the state holds 0 to %lld",
                    (long long)stream, (long long)streams - 1);
    net_state_reset(m->net, state, stream);
    return LACO_OK;
}
laco_status laco_state_copy(const laco_model *m, void *to, const void *from, laco_error *err)
{
    laco_status st = check_state(m, from, "laco_state_copy", err);
    if (!st) st = check_state(m, to, "laco_state_copy", err);
    if (st) return st;
    net_state *a = to;
    const net_state *b = from;
    if (a->streams != b->streams)
        return fail(err, LACO_EINVAL, -1, "laco_state_copy: the states hold %lld and %lld streams; they must be alike",
                    (long long)a->streams, (long long)b->streams);
    if (a != b) net_state_copy(a, b);
    return LACO_OK;
}

/* ---- saved states ---- */
static void put_number(unsigned char *to, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++) to[i] = (unsigned char)(x >> 8 * i);
}
static uint64_t get_number(const unsigned char *from, int bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++) x |= (uint64_t)from[i] << 8 * i;
    return x;
}
size_t laco_state_saved_size(const laco_model *m, int64_t streams)
{
    if (!laco_state_size(m, streams)) return 0;
    return SAVED_HEAD + (size_t)net_state_numbers(m->net, streams) * sizeof(float);
}
laco_status laco_state_save(const laco_model *m, const void *state, void *to, size_t bytes, laco_error *err)
{
    laco_status st = check_state(m, state, "laco_state_save", err);
    if (st) return st;
    if (!to) return null_argument(err, "laco_state_save", "to");
    const net_state *s = state;
    size_t needed = laco_state_saved_size(m, s->streams);
    if (bytes < needed)
        return fail(err, LACO_EINVAL, -1,
                    "laco_state_save: %zu bytes are too few, %zu are needed: "
                    "laco_state_saved_size tells",
                    bytes, needed);
    unsigned char *head = to;
    memcpy(head, "LACS", 4), put_number(head + 4, SAVED_VERSION, 4), put_number(head + 8, m->net->fingerprint, 8);
    put_number(head + 16, (uint64_t)s->streams, 8), put_number(head + 24, (uint64_t)net_state_numbers(m->net, 1), 8);
    net_state_get(m->net, s, head + SAVED_HEAD);
    return LACO_OK;
}
laco_status laco_state_restore(const laco_model *m, void *state, const void *from, size_t bytes, laco_error *err)
{
    laco_status st = check_state(m, state, "laco_state_restore", err);
    if (st) return st;
    if (!from) return null_argument(err, "laco_state_restore", "from");
    const unsigned char *head = from;
    net_state *s = state;
    if (bytes < SAVED_HEAD || memcmp(head, "LACS", 4) || get_number(head + 4, 4) != SAVED_VERSION)
        return fail(err, LACO_EFORMAT, 0, "laco_state_restore: these %zu bytes are not a saved state", bytes);
    if (get_number(head + 8, 8) != m->net->fingerprint ||
        get_number(head + 24, 8) != (uint64_t)net_state_numbers(m->net, 1))
        return fail(err, LACO_EFORMAT, 8, "laco_state_restore: the state was saved with another model than \"%.200s\"",
                    m->description);
    if (get_number(head + 16, 8) != (uint64_t)s->streams)
        return fail(err, LACO_EFORMAT, 16, "laco_state_restore: saved streams: %llu, but the state holds %lld",
                    (unsigned long long)get_number(head + 16, 8), (long long)s->streams);
    if (bytes != laco_state_saved_size(m, s->streams))
        return fail(err, LACO_EFORMAT, -1, "laco_state_restore: %zu bytes, but the saved state has %zu", bytes,
                    laco_state_saved_size(m, s->streams));
    net_state_put(m->net, s, head + SAVED_HEAD);
    return LACO_OK;
}

/* ---- steps ---- */
laco_status laco_step(const laco_model *m, void *state, const float *in, float *out, laco_error *err)
{
    laco_status st = check_step(m, state, in, out, 1, "laco_step", err);
    if (st) return st;
    if (m->net->symbols) return wrong_input(true, "laco_step", err);
    net_step(m->net, state, 1, 1, in, out);
    return LACO_OK;
}
laco_status laco_step_symbol(const laco_model *m, void *state, int32_t symbol, float *out, laco_error *err)
{
    laco_status st = check_step(m, state, &symbol, out, 1, "laco_step_symbol", err);
    if (st) return st;
    if (!m->net->symbols) return wrong_input(false, "laco_step_symbol", err);
    if ((st = check_symbols(m, &symbol, 1, "laco_step_symbol", err))) return st;
    net_step(m->net, state, 1, 1, &symbol, out);
    return LACO_OK;
}
laco_status laco_steps(const laco_model *m, void *state, int64_t steps, int64_t streams, const void *in, float *out,
                       laco_error *err)
{
    size_t rows, bytes;
    laco_status st = check_step(m, state, in, out, streams, "laco_steps", err);
    if (st) return st;
    if (steps < 0 || mul_overflows((size_t)steps, (size_t)streams, &rows) ||
        mul_overflows(rows, 4 * (size_t)max64(m->net->inputs, m->net->outputs), &bytes) || bytes > PTRDIFF_MAX)
        return fail(err, LACO_EINVAL, -1, "laco_steps: %lld steps", (long long)steps);
    if (m->net->symbols && (st = check_symbols(m, in, (int64_t)rows, "laco_steps", err))) return st;
    net_step(m->net, state, steps, streams, in, out);
    return LACO_OK;
}

/* ---- threads ---- */
laco_status laco_threads_new(laco_threads **out, const laco_model *m, int64_t streams, int threads, laco_error *err)
{
    if (!out) return null_argument(err, "laco_threads_new", "out");
    *out = NULL;
    if (!m) return null_argument(err, "laco_threads_new", "m");
    if (!laco_state_size(m, streams))
        return fail(err, LACO_EINVAL, -1, "laco_threads_new: this network has no state of %lld streams",
                    (long long)streams);
    laco_threads *t = mem_new(1, sizeof *t);
    if (!t) return fail_memory(err, sizeof *t);
    laco_status st = pool_new(&t->pool, threads, err);
    if (st) return laco_threads_free(t), st;
    size_t helpers = (size_t)pool_threads(t->pool) - 1, bytes = net_helper_bytes(m->net, streams);
    t->streams = streams;
    if (helpers && bytes && !(t->memory = mem_new(helpers, bytes)))
        return laco_threads_free(t), fail_memory(err, helpers * bytes);
    t->network = m->net->fingerprint;
    *out = t;
    return LACO_OK;
}
void laco_threads_free(laco_threads *t)
{
    if (!t) return;
    pool_free(t->pool);
    mem_free(t->memory), mem_free(t);
}
laco_status laco_state_threads(const laco_model *m, void *state, laco_threads *t, laco_error *err)
{
    laco_status st = check_state(m, state, "laco_state_threads", err);
    if (st) return st;
    net_state *s = state;
    if (t && (t->network != m->net->fingerprint || t->streams < s->streams))
        return fail(err, LACO_EINVAL, -1,
                    "laco_state_threads: these threads were made for %lld streams of a network; "
                    "this is another, or has more",
                    (long long)t->streams);
    s->pool = t ? t->pool : NULL, s->helpers = t ? t->memory : NULL;
    return LACO_OK;
}
