/* restore H: puts back what the layer smooth at the beginning of the network took out, at the steps 1 … H ahead:

       y[p H + h] = x[p H + h] + level + seasons of step h + 1 ahead             for each part p of the input

   so that the network answers in the units of the series, and the loss reaches the parameters of the smoothing both
   through what the network read and through what is put back. */
#include "layer/smooth.h"

struct layer {
    layer_head h;
    const layer *smooth; /* the first layer */
    smooth_ahead *ahead; /* of it */
    const pass *p;
    const real *x;
    int64_t ldx;
    real *dx;
    int64_t lddx;
};

static laco_status restore_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    (void)t;
    if (s->symbols || s->steps > 8784 || s->in % s->steps)
        return fail(err, LACO_EINVAL, -1,
                    "restore %lld: the layer before it makes %lld numbers; %lld are needed, or a multiple of that",
                    (long long)s->steps, (long long)s->in, (long long)s->steps);
    s->out = s->in, *count = 0;
    return LACO_OK;
}
static laco_status restore_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->out);
    l->smooth = s->first, l->ahead = N(smooth_ahead_of)(s->first);
    l->ahead->steps = s->steps, l->ahead->ld = row_stride(s->steps);
    *out = l;
    return LACO_OK;
}
static void restore_free(layer *l)
{
    if (l) mem_free(l->h.y);
    mem_free(l);
}
static void restore_load(layer *l, const void *w, bool train) { (void)l, (void)w, (void)train; }
static size_t restore_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    (void)batch, (void)train;
    return rows_bytes(rows, l->h.ldy) * (size_t)tapes;
}
static laco_status restore_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    (void)batch, (void)train;
    return reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
}
static int restore_tape(layer *l, tape_part parts[TAPE_PARTS]) { return parts[0] = TAPE_HEAD(l), 1; }
static void restore_release(layer *l) { release_rows(&l->h.y, &l->h.cap_rows); }
static void restore_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    const int64_t n = l->h.s.steps;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->p->b.R, (i + 1) * ROWS_PER_TASK); r++) {
        const real *ahead = l->ahead->value + r * l->ahead->ld;
        for (int64_t j = 0; j < l->h.s.in; j += n)
            for (int64_t h = 0; h < n; h++) l->h.y[r * l->h.ldy + j + h] = l->x[r * l->ldx + j + h] + ahead[h];
    }
}
static void restore_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    (void)initial, (void) final;
    l->p = p, l->x = x, l->ldx = ldx;
    pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), restore_task, l);
}
static const void *restore_output(const layer *l, int64_t *ld) { return *ld = l->h.ldy, l->h.y; }
static void restore_back_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    const int64_t n = l->h.s.steps;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->p->b.R, (i + 1) * ROWS_PER_TASK); r++) {
        const real *dy = l->x + r * l->ldx;
        real *d = l->ahead->d + r * l->ahead->ld;
        memcpy(d, dy, (size_t)n * sizeof(real));
        for (int64_t j = n; j < l->h.s.in; j += n)
            for (int64_t h = 0; h < n; h++) d[h] += dy[j + h];
        if (l->dx) memcpy(l->dx + r * l->lddx, dy, (size_t)l->h.s.in * sizeof(real));
    }
}
static void restore_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                             int64_t lddx)
{
    (void)carry, (void)dparams;
    l->p = p, l->x = dy, l->ldx = ldy, l->dx = dx, l->lddx = lddx;
    pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), restore_back_task, l);
}
static int64_t restore_own(const layer *l, int64_t m) { return (void)m, l->h.s.steps; }
static void restore_step(const layer *l, const step_call *c)
{
    const int64_t n = l->h.s.steps;
    real *ahead = c->own;
    for (int64_t i = 0; first_member(c) && i < c->m; i++) {
        N(smooth_state_ahead)(l->smooth, c->first, i, ahead);
        for (int64_t j = 0; j < l->h.s.in; j++) row_out(c, i)[j] = row_in(c, i)[j] + ahead[j % n];
    }
}
extern const layer_kind N(restore_layer);
const layer_kind N(restore_layer) = { "restore",        "puts back the level and the seasons that smooth took out",
                                      restore_describe, restore_make,
                                      restore_free,     no_weights,
                                      restore_load,     restore_bytes,
                                      restore_reserve,  restore_tape,
                                      restore_release,  restore_forward,
                                      restore_output,   restore_backward,
                                      no_state,         no_states,
                                      no_init,          no_scratch,
                                      restore_own,      restore_step,
                                      no_state,         no_inside };
