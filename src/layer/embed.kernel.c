/* embed N: a table [symbols][N]; the output of a symbol is its row. The product with a one-hot vector is never made.
   Gradient: dE[symbol of row r] += dy[r], rows in order; tasks own column ranges, so that the order never changes.
   dropout P: in each update of training a symbol is dropped with probability P, wherever it stands: its vector is 0;
   the rest is multiplied by 1/(1-P) (Gal & Ghahramani 2016; Merity et al. 2017). A function of (seed, layer, update,
   symbol). */
#include "layer/layer_kernel.h"
#include "math/mask.h"

struct layer {
    layer_head h;
    const pass *p; /* to keep: of the tape */
    const int32_t *ids;
    int64_t R, cap_keep;
    real *keep; /* [R] factor of the symbol of each row, with dropout */
    const real *dy;
    real *dw;
    int64_t lddy;
};
enum { COLUMNS_PER_TASK = 64 };

static laco_status embed_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    if (!s->symbols) return fail(err, LACO_EINVAL, -1, "embed must be the first layer, and its input symbols");
    if (!(s->rate >= 0 && s->rate < 1)) return fail(err, LACO_EINVAL, -1, "dropout must be from 0 to below 1");
    t[0] = (param_tensor){ .name = "weight",
                           .rank = 2,
                           .shape = { s->in, s->out },
                           .size = s->in * s->out,
                           .role = INIT_INPUT,
                           .gates = 1,
                           .forget_block = -1 };
    *count = 1;
    return LACO_OK;
}
static laco_status embed_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->out);
    *out = l;
    return LACO_OK;
}
static void embed_free(layer *l)
{
    if (l) mem_free(l->h.y), mem_free(l->keep);
    mem_free(l);
}
static void embed_load(layer *l, const void *w, bool train) { (void)train, l->h.w = w; }
static size_t embed_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    (void)batch;
    return (rows_bytes(rows, l->h.ldy) + (train && l->h.s.rate > 0 ? rows_bytes(rows, 1) : 0)) * (size_t)tapes;
}
static laco_status embed_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    (void)batch;
    laco_status st = LACO_OK;
    if (train && l->h.s.rate > 0) st = reserve_rows(&l->keep, &l->cap_keep, rows, 1, err);
    return st ? st : reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
}
static bool drops(const layer *l) { return l->p->train && l->h.s.rate > 0; }
static mask symbol_mask(const layer *l)
{
    return mask_dropout(l->p->seed, mask_purpose(RNG_EMBED, l->h.s.index, l->p->update), l->h.s.rate);
}
static real symbol_factor(const mask *m, int32_t id)
{
    real f[MASK_GROUP];
    mask_group(m, 0, 1, id / MASK_GROUP, f);
    return f[id % MASK_GROUP];
}
static int embed_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    return parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, p, keep), 2;
}
static void embed_release(layer *l)
{
    release_rows(&l->h.y, &l->h.cap_rows), release_rows(&l->keep, &l->cap_keep);
}
static void gather_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    const mask m = symbol_mask(l);
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->R, (i + 1) * ROWS_PER_TASK); r++) {
        const real *from = l->h.w + l->ids[r] * l->h.s.out;
        real *to = l->h.y + r * l->h.ldy;
        if (!drops(l)) {
            memcpy(to, from, (size_t)l->h.s.out * sizeof(real));
            continue;
        }
        real keep = l->keep[r] = symbol_factor(&m, l->ids[r]);
        for (int64_t j = 0; j < l->h.s.out; j++) to[j] = from[j] * keep;
    }
}
static void embed_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    (void)ldx, (void)initial, (void) final;
    l->p = p, l->ids = x, l->R = p->b.R;
    pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), gather_task, l);
}
static const void *embed_output(const layer *l, int64_t *ld) { return *ld = l->h.ldy, l->h.y; }
static void scatter_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    int64_t c = i * COLUMNS_PER_TASK, n = min64(COLUMNS_PER_TASK, l->h.s.out - c);
    bool dropped = drops(l);
    (void)thread;
    for (int64_t r = 0; r < l->R; r++) {
        real *to = l->dw + l->ids[r] * l->h.s.out + c;
        const real *from = l->dy + r * l->lddy + c;
        real keep = dropped ? l->keep[r] : 1;
        for (int64_t j = 0; j < n; j++) to[j] += from[j] * keep;
    }
}
static void embed_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                           int64_t lddx)
{
    (void)carry, (void)dx, (void)lddx;
    l->p = p, l->dy = dy, l->lddy = ldy, l->dw = dparams;
    pool_run(l->h.pool, ceil_div(l->h.s.out, COLUMNS_PER_TASK), scatter_task, l);
}
static void embed_step(const layer *l, const step_call *c)
{
    for (int64_t i = 0; first_member(c) && i < c->m; i++)
        memcpy(row_out(c, i), l->h.w + ((const int32_t *)c->x)[i] * l->h.s.out, (size_t)l->h.s.out * sizeof(real));
}
extern const layer_kind N(embed_layer);
const layer_kind N(embed_layer) = { "embed",        "a learned vector for every symbol, found by look-up",
                                    embed_describe, embed_make,
                                    embed_free,     no_weights,
                                    embed_load,     embed_bytes,
                                    embed_reserve,  embed_tape,
                                    embed_release,  embed_forward,
                                    embed_output,   embed_backward,
                                    no_state,       no_states,
                                    no_init,        no_scratch,
                                    no_scratch,     embed_step,
                                    no_state,       no_inside };
