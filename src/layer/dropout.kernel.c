/* dropout P: in training every number is set to 0 with probability P and the rest is multiplied by 1/(1-P) (Srivastava
   et al. 2014; between recurrent layers, Zaremba et al. 2014). `variational`: one mask for all steps of a sequence (Gal
   & Ghahramani 2016, "A theoretically grounded application of dropout in recurrent neural networks"). Otherwise the
   layer passes its input on. A mask is a function of (seed, layer, update, row) with the row of the window, or of the
   batch (variational): it is made again on the way back, and nothing of it is kept. */
#include "layer/layer_kernel.h"
#include "math/mask.h"

struct layer {
    layer_head h;
    const pass *p; /* to passed: of the tape */
    const real *x;
    real *y; /* y = mask x: forward, or backward with gradients in their place */
    int64_t ldx, ldy;
    bool passed; /* the last forward dropped nothing */
};

static laco_status dropout_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    (void)t;
    if (s->symbols) return fail(err, LACO_EINVAL, -1, "dropout needs numbers: put embed before it");
    if (!(s->rate >= 0 && s->rate < 1)) return fail(err, LACO_EINVAL, -1, "dropout must be from 0 to below 1");
    s->out = s->in;
    *count = 0;
    return LACO_OK;
}
static laco_status dropout_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->in);
    *out = l;
    return LACO_OK;
}
static void dropout_free(layer *l)
{
    if (l) mem_free(l->h.y);
    mem_free(l);
}
static void dropout_load(layer *l, const void *w, bool train) { (void)l, (void)w, (void)train; }
static size_t dropout_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    (void)batch;
    return train && l->h.s.rate > 0 ? rows_bytes(rows, l->h.ldy) * (size_t)tapes : 0;
}
static laco_status dropout_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    (void)batch;
    if (!train || l->h.s.rate <= 0) return LACO_OK;
    return reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
}
static int dropout_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    return parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, p, passed), 2;
}
static void dropout_release(layer *l) { release_rows(&l->h.y, &l->h.cap_rows); }
/* The rows of one step. */
static void drop_task(void *ctx, int64_t t, int thread)
{
    layer *l = ctx;
    const layer_spec *s = &l->h.s;
    const pass *p = l->p;
    const mask m = mask_dropout(
        p->seed, mask_purpose(s->variational ? RNG_VARIATIONAL : RNG_DROPOUT, s->index, p->update), s->rate);
    real keep[MASK_GROUP];
    (void)thread;
    for (int64_t b = 0; b < p->b.active[t]; b++) {
        int64_t row = p->b.off[t] + b;
        const real *x = l->x + row * l->ldx;
        real *y = l->y + row * l->ldy;
        for (int64_t g = 0, j = 0; j < s->in; g++, j += MASK_GROUP) {
            mask_group(&m, s->variational ? b : p->first_row + row, s->in, g, keep);
            for (int64_t i = 0; i < min64(MASK_GROUP, s->in - j); i++) y[j + i] = x[j + i] * keep[i];
        }
    }
}
static void drop_rows(layer *l, const pass *p, const real *x, int64_t ldx, real *y, int64_t ldy)
{
    l->p = p, l->x = x, l->ldx = ldx, l->y = y, l->ldy = ldy;
    pool_run(l->h.pool, p->b.T, drop_task, l);
}
static void dropout_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    (void)initial, (void) final;
    l->passed = !p->train || l->h.s.rate <= 0;
    l->x = x, l->ldx = ldx;
    if (!l->passed) drop_rows(l, p, x, ldx, l->h.y, l->h.ldy);
}
static const void *dropout_output(const layer *l, int64_t *ld)
{
    *ld = l->passed ? l->ldx : l->h.ldy;
    return l->passed ? l->x : l->h.y;
}
static void copy_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->p->b.R, (i + 1) * ROWS_PER_TASK); r++)
        memcpy(l->y + r * l->ldy, l->x + r * l->ldx, (size_t)l->h.s.in * sizeof(real));
}
static void dropout_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                             int64_t lddx)
{
    (void)carry, (void)dparams;
    if (!dx) return;
    if (!l->passed) {
        drop_rows(l, p, dy, ldy, dx, lddx);
        return;
    }
    l->p = p, l->x = dy, l->ldx = ldy, l->y = dx, l->ldy = lddx;
    pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), copy_task, l);
}
static void dropout_step(const layer *l, const step_call *c)
{
    for (int64_t i = 0; first_member(c) && i < c->m; i++)
        memcpy(row_out(c, i), row_in(c, i), (size_t)l->h.s.in * sizeof(real));
}
extern const layer_kind N(dropout_layer);
const layer_kind N(dropout_layer) = { "dropout",        "sets numbers to 0 at random while training",
                                      dropout_describe, dropout_make,
                                      dropout_free,     no_weights,
                                      dropout_load,     dropout_bytes,
                                      dropout_reserve,  dropout_tape,
                                      dropout_release,  dropout_forward,
                                      dropout_output,   dropout_backward,
                                      no_state,         no_states,
                                      no_init,          no_scratch,
                                      no_scratch,       dropout_step,
                                      no_state,         no_inside };
