/* crf: the last layer of a network that chooses classes for a whole sequence. It passes its input on, the score of
   every class at every step; its parameters are the scores of pairs of classes, transitions [from][to], and of the
   first and the last class, start [K] and end [K]. What they are for is done by the loss and by the search for the best
   path (src/loss/crf.kernel.c), which need the sequence as a whole: the layer cannot step. */
#include "layer/layer_kernel.h"

struct layer {
    layer_head h;
    const real *x; /* to ldx: of the tape */
    int64_t ldx;
    const ragged *b; /* of the call in progress, as the following */
    const real *dy;
    real *dx;
    int64_t lddy, lddx;
};

static laco_status crf_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    static const char *const names[] = { "transitions", "start", "end" };
    if (s->symbols) return fail(err, LACO_EINVAL, -1, "crf needs the scores of classes: put dense before it");
    if (s->in > 1 << 15)
        return fail(err, LACO_EINVAL, -1, "crf of %lld classes; up to %d are possible", (long long)s->in, 1 << 15);
    s->out = s->in;
    for (int i = 0; i < 3; i++)
        t[i] = (param_tensor){ .rank = i ? 1 : 2,
                               .shape = { s->in, i ? 0 : s->in },
                               .size = i ? s->in : s->in * s->in,
                               .offset = i ? s->in * (s->in + i - 1) : 0,
                               .role = INIT_ZERO,
                               .gates = 1,
                               .forget_block = -1 };
    for (int i = 0; i < 3; i++) strcpy(t[i].name, names[i]);
    *count = 3;
    return LACO_OK;
}
static laco_status crf_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p;
    *out = l;
    return LACO_OK;
}
static void crf_free(layer *l) { mem_free(l); }
static void crf_load(layer *l, const void *w, bool train) { (void)train, l->h.w = w; }
static size_t crf_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    return (void)l, (void)rows, (void)batch, (void)train, (void)tapes, 0;
}
static laco_status crf_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    return (void)l, (void)rows, (void)batch, (void)train, (void)err, LACO_OK;
}
static int crf_tape(layer *l, tape_part parts[TAPE_PARTS]) { return parts[0] = TAPE_FIELDS(l, x, ldx), 1; }
static void crf_release(layer *l) { (void)l; }
static void crf_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    (void)p, (void)initial, (void) final;
    l->x = x, l->ldx = ldx;
}
static const void *crf_output(const layer *l, int64_t *ld) { return *ld = l->ldx, l->x; }
static void crf_copy_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->b->R, (i + 1) * ROWS_PER_TASK); r++)
        memcpy(l->dx + r * l->lddx, l->dy + r * l->lddy, (size_t)l->h.s.in * sizeof(real));
}
static void crf_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                         int64_t lddx)
{
    (void)carry, (void)dparams;
    l->b = &p->b, l->dy = dy, l->lddy = ldy, l->dx = dx, l->lddx = lddx;
    if (dx) pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), crf_copy_task, l);
}
static int64_t crf_scratch(const layer *l, int64_t m) { return (void)l, (void)m, -1; }
static void crf_step(const layer *l, const step_call *c) { (void)l, (void)c; }
extern const layer_kind N(crf_layer);
const layer_kind N(crf_layer) = { "crf",        "scores of classes that follow each other: the last layer of a tagger",
                                  crf_describe, crf_make,
                                  crf_free,     no_weights,
                                  crf_load,     crf_bytes,
                                  crf_reserve,  crf_tape,
                                  crf_release,  crf_forward,
                                  crf_output,   crf_backward,
                                  no_state,     no_states,
                                  no_init,      crf_scratch,
                                  no_scratch,   crf_step,
                                  no_state,     no_inside };
