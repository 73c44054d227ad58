/* window N: the inputs of the last N steps side by side, newest first: a network with this and no recurrent layer is
   the time-delay network that recurrent ones replaced. Before the first step of a sequence lie the rows of the state
   [N-1][in], newest first (zeros at the start).
   Gradient: dx[t] = sum over j of part j of dy[t + j]; beyond the end of a row from the gradient of its final state, and
   before its beginning to the gradient of its initial state. */
#include "layer/layer_kernel.h"

struct layer {
    layer_head h;
    const pass *p; /* to ldx: of the tape */
    const real *x, *initial;
    int64_t ldx;
    const real *dy;
    real *dx, *carry;
    int64_t lddy, lddx;
};

static laco_status window_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    (void)t;
    if (s->symbols) return fail(err, LACO_EINVAL, -1, "window needs numbers: put embed before it");
    if (s->steps < 1 || s->steps > 4096)
        return fail(err, LACO_EINVAL, -1, "window %lld: from 1 to 4096 steps", (long long)s->steps);
    s->out = s->in * s->steps;
    *count = 0;
    return LACO_OK;
}
static laco_status window_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->out);
    *out = l;
    return LACO_OK;
}
static void window_free(layer *l)
{
    if (l) mem_free(l->h.y);
    mem_free(l);
}
static void window_load(layer *l, const void *w, bool train) { (void)l, (void)w, (void)train; }
static size_t window_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    (void)batch, (void)train;
    return rows_bytes(rows, l->h.ldy) * (size_t)tapes;
}
static laco_status window_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    (void)batch, (void)train;
    return reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
}
static int window_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    return parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, p, ldx), 2;
}
static void window_release(layer *l) { release_rows(&l->h.y, &l->h.cap_rows); }
static int64_t window_state(const layer *l) { return (l->h.s.steps - 1) * l->h.s.in; }

/* Steps of row b. */
static int64_t window_length(const layer *l, int64_t b)
{
    int64_t T = 0;
    while (T < l->p->b.T && l->p->b.active[T] > b) T++;
    return T;
}
/* The input j steps before step t of row b. */
static const real *window_past(const layer *l, int64_t t, int64_t b, int64_t j)
{
    static const real none[1];
    if (t >= j) return l->x + (l->p->b.off[t - j] + b) * l->ldx;
    return l->initial ? l->initial + b * window_state(l) + (j - t - 1) * l->h.s.in : none;
}
static void window_task(void *ctx, int64_t t, int thread)
{
    layer *l = ctx;
    int64_t n = l->h.s.in;
    (void)thread;
    for (int64_t b = 0; b < l->p->b.active[t]; b++)
        for (int64_t j = 0; j < l->h.s.steps; j++) {
            real *to = l->h.y + (l->p->b.off[t] + b) * l->h.ldy + j * n;
            if (t < j && !l->initial)
                memset(to, 0, (size_t)n * sizeof(real));
            else
                memcpy(to, window_past(l, t, b, j), (size_t)n * sizeof(real));
        }
}
static void window_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    l->p = p, l->x = x, l->ldx = ldx, l->initial = initial;
    pool_run(l->h.pool, p->b.T, window_task, l);
    for (int64_t b = 0, n = l->h.s.in; final && b < p->b.B; b++) {
        int64_t T = window_length(l, b);
        for (int64_t j = 1; j < l->h.s.steps; j++) {
            real *to = (real *) final + b * window_state(l) + (j - 1) * n;
            if (T < j && !initial)
                memset(to, 0, (size_t)n * sizeof(real));
            else
                memcpy(to, window_past(l, T, b, j), (size_t)n * sizeof(real));
        }
    }
}
static const void *window_output(const layer *l, int64_t *ld) { return *ld = l->h.ldy, l->h.y; }
/* to += part j of dy[at + j] for the j from `first` on, as far as row b goes; returns the first j behind its end. */
static int64_t add_uses(const layer *l, int64_t b, int64_t at, int64_t first, real *to)
{
    const ragged *g = &l->p->b;
    int64_t n = l->h.s.in, j = first;
    for (; j < l->h.s.steps && at + j < g->T && b < g->active[at + j]; j++) {
        const real *from = l->dy + (g->off[at + j] + b) * l->lddy + j * n;
        for (int64_t i = 0; i < n; i++) to[i] += from[i];
    }
    return j;
}
static void window_back_task(void *ctx, int64_t t, int thread)
{
    layer *l = ctx;
    const ragged *g = &l->p->b;
    int64_t n = l->h.s.in;
    (void)thread;
    for (int64_t b = 0; b < g->active[t]; b++) {
        real *to = l->dx + (g->off[t] + b) * l->lddx;
        memset(to, 0, (size_t)n * sizeof(real));
        int64_t end = add_uses(l, b, t, 0, to);
        for (int64_t i = 0; l->carry && end < l->h.s.steps && i < n; i++)
            to[i] += l->carry[b * window_state(l) + (end - 1) * n + i];
    }
}
/* From the gradient of the final state of row b to that of its initial one, whose input j lies j + 1 steps before. */
static void window_carry_task(void *ctx, int64_t b, int thread)
{
    layer *l = ctx;
    int64_t n = l->h.s.in, T = window_length(l, b), past = l->h.s.steps - 1;
    real *state = l->carry + b * window_state(l);
    (void)thread;
    for (int64_t j = 0; T && j < past; j++) {
        real *to = state + j * n;
        if (T + j < past)
            memcpy(to, state + (T + j) * n, (size_t)n * sizeof(real));
        else
            memset(to, 0, (size_t)n * sizeof(real));
        add_uses(l, b, -1 - j, j + 1, to);
    }
}
static void window_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                            int64_t lddx)
{
    (void)dparams;
    l->p = p, l->dy = dy, l->lddy = ldy, l->dx = dx, l->lddx = lddx, l->carry = carry;
    if (dx) pool_run(l->h.pool, p->b.T, window_back_task, l);
    if (carry) pool_run(l->h.pool, p->b.B, window_carry_task, l);
}
static int window_states(const layer *l, int64_t *at, int64_t *width) { return *at = 0, *width = window_state(l), 1; }
static void window_step_init(const layer *l, void *row) { memset(row, 0, (size_t)window_state(l) * sizeof(real)); }
static void window_step(const layer *l, const step_call *c)
{
    int64_t n = l->h.s.in, past = window_state(l);
    for (int64_t i = 0; first_member(c) && i < c->m; i++) {
        memcpy(row_out(c, i), row_in(c, i), (size_t)n * sizeof(real));
        memcpy(row_out(c, i) + n, (const real *)c->s + i * past, (size_t)past * sizeof(real));
        memcpy((real *)c->sn + i * past, row_out(c, i), (size_t)past * sizeof(real));
    }
}
extern const layer_kind N(window_layer);
const layer_kind
    N(window_layer) = { "window",         "the inputs of the last N steps side by side: memory without recurrence",
                        window_describe,  window_make,
                        window_free,      no_weights,
                        window_load,      window_bytes,
                        window_reserve,   window_tape,
                        window_release,   window_forward,
                        window_output,    window_backward,
                        window_state,     window_states,
                        window_step_init, no_scratch,
                        no_scratch,       window_step,
                        no_state,         no_inside };
