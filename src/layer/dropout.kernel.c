/* dropout P: in training every number is set to 0 with probability P and the rest is multiplied by 1/(1-P) (Srivastava
   et al. 2014; between recurrent layers, Zaremba et al. 2014). Otherwise the layer passes its input on.
   Whether a number is dropped is a function of (seed, layer, update, its place): 16 random bits each. */
#include "base/rng.h"
#include "layer/layer_kernel.h"

struct layer {
    layer_head h;
    const pass *p;
    const real *x, *dy;
    real *dx;
    uint8_t *keep; /* [R][in] */
    int64_t ldx, lddy, lddx, cap_keep;
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
    if (l) mem_free(l->h.y), mem_free(l->keep);
    mem_free(l);
}
static void dropout_load(layer *l, const void *w, bool train) { (void)l, (void)w, (void)train; }
static size_t dropout_bytes(const layer *l, int64_t rows, int64_t batch, bool train)
{
    (void)batch;
    return train && l->h.s.rate > 0 ? rows_bytes(rows, l->h.ldy) + (size_t)(rows * l->h.s.in) : 0;
}
static laco_status dropout_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    (void)batch;
    if (!train || l->h.s.rate <= 0 || rows <= l->cap_keep) return LACO_OK;
    mem_free(l->keep);
    l->cap_keep = 0;
    if (!(l->keep = mem_new((size_t)rows, (size_t)l->h.s.in))) return fail_memory(err, (size_t)(rows * l->h.s.in));
    l->cap_keep = rows;
    return reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
}
/* One row: eight numbers from each block of random bits. */
static void drop_row(layer *l, int64_t r)
{
    const uint32_t limit = (uint32_t)(l->h.s.rate * 65536 + 0.5);
    const real scale = (real)(1 / (1 - limit / 65536.0));
    const int64_t n = l->h.s.in, blocks = ceil_div(n, 8);
    const uint64_t purpose = RNG_DROPOUT | (uint64_t)l->h.s.index << 8 | l->p->update << 24;
    uint8_t *keep = l->keep + r * n;
    for (int64_t i = 0; i < blocks; i++) {
        uint32_t bits[4];
        rng_block(l->p->seed, purpose, (uint64_t)((l->p->first_row + r) * blocks + i), bits);
        for (int64_t j = 0; j < min64(8, n - i * 8); j++)
            keep[i * 8 + j] = (bits[j / 2] >> j % 2 * 16 & 0xffff) >= limit;
    }
    for (int64_t j = 0; j < n; j++) l->h.y[r * l->h.ldy + j] = keep[j] ? l->x[r * l->ldx + j] * scale : 0;
}
static void drop_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->p->b.R, (i + 1) * ROWS_PER_TASK); r++) drop_row(l, r);
}
static void dropout_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    (void)initial, (void) final;
    l->p = p, l->x = x, l->ldx = ldx, l->passed = !p->train || l->h.s.rate <= 0;
    if (!l->passed) pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), drop_task, l);
}
static const void *dropout_output(const layer *l, int64_t *ld)
{
    *ld = l->passed ? l->ldx : l->h.ldy;
    return l->passed ? l->x : l->h.y;
}
static void dropout_back_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    const uint32_t limit = (uint32_t)(l->h.s.rate * 65536 + 0.5);
    const real scale = l->passed ? 1 : (real)(1 / (1 - limit / 65536.0));
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->p->b.R, (i + 1) * ROWS_PER_TASK); r++)
        for (int64_t j = 0; j < l->h.s.in; j++)
            l->dx[r * l->lddx + j] = l->passed || l->keep[r * l->h.s.in + j] ? l->dy[r * l->lddy + j] * scale : 0;
}
static void dropout_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                             int64_t lddx)
{
    (void)carry, (void)dparams;
    l->p = p, l->dy = dy, l->lddy = ldy, l->dx = dx, l->lddx = lddx;
    if (dx) pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), dropout_back_task, l);
}
static void dropout_step(const layer *l, const step_call *c)
{
    for (int64_t i = 0; first_member(c) && i < c->m; i++)
        memcpy(row_out(c, i), row_in(c, i), (size_t)l->h.s.in * sizeof(real));
}
extern const layer_kind N(dropout_layer);
const layer_kind N(dropout_layer) = { "dropout",        "sets numbers to 0 at random while training",
                                      dropout_describe, dropout_make,
                                      dropout_free,     no_weights,       dropout_load,
                                      dropout_bytes,    dropout_reserve,
                                      dropout_forward,  dropout_output,
                                      dropout_backward, no_state,
                                      no_states,        no_init,
                                      no_scratch,       no_scratch,       dropout_step,
                                      no_state };
