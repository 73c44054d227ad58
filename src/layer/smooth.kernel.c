/* smooth M [M2] [series S] [window W]: exponential smoothing of every series with parameters of its own, learned with
   the network that reads what is left (the ES-RNN: Smyl 2020, "A hybrid method of exponential smoothing and recurrent
   neural networks for time series forecasting"), additive, so that of logarithms it is the multiplicative method of
   Holt & Winters, with up to two seasons (Taylor 2003) of M and M2 steps; a season of 1 step is none.

   Input: a number y (NaN: missing) and which of the S series it is of. A sequence begins where its series does.
   At step n, from the level l and the seasons s, u that step n - M, n - M2 left:

       e = y - l - s[n] - u[n]                      a = sigmoid(G r0): how fast the level follows
       l += a e      e' = (1 - a) e                 c, d = sigmoid(G r1), sigmoid(G r2): the same for the seasons
       s[n] += c e'      u[n] += d e'               a missing y changes nothing

   Output: the last W numbers without level and seasons as they are now, newest first, 0 for those that are missing:

       x[k] = y[n-k] - l - s[n-k] - u[n-k]

   and for the layer restore, at the end of the network, l + s[n+h] + u[n+h] of the steps h ahead.
   Parameters of each series: rates [1 + seasons], the level before the first step, the first seasons. All of it is
   linear but for the rates, so the way back needs no more than the e of each step.

   State of a row: the level, whether anything was read, the phase of the next step in each season, the seasons by
   phase, the last W numbers newest first. */
#include "layer/smooth.h"
#include <math.h>

enum { SEASONS = 2 };
static const real rate_gain = 8; /* G: the rates have further to go than weights have */

struct layer {
    layer_head h;
    smooth_ahead ahead;
    int64_t season[SEASONS], rates, stride, params_row; /* states and parameters of a series */
    const pass *p;                                      /* to cap_kept: of the tape */
    const real *x, *initial;
    int64_t ldx;
    real *error, *kept; /* [R] e; [B][stride] where the window began, if not at the beginning of the series */
    int64_t cap_error, cap_kept;
    real *work, *gradient; /* [B][stride] states, or their gradients; [B][params_row] */
    int64_t cap_batch;
    real *final, *carry, *dx;
    const real *dy;
    int64_t lddy, lddx;
};
/* of a row of states, or of their gradients */
enum { LEVEL, READ, PHASE, FIRST_SEASON = PHASE + SEASONS };
smooth_ahead *N(smooth_ahead_of)(layer *l) { return &l->ahead; }

/* ---- sizes ---- */
static int seasons_of(const layer_spec *s) { return (s->season[0] > 1) + (s->season[1] > 1); }
static void add_tensor(param_tensor *t, int *count, int64_t *offset, const char *name, int64_t series, int64_t n)
{
    t[*count] = (param_tensor){ .rank = 2,
                                .shape = { series, n },
                                .size = series * n,
                                .offset = *offset,
                                .role = INIT_ZERO,
                                .gates = 1,
                                .forget_block = -1 };
    strcpy(t[(*count)++].name, name);
    *offset += series * n;
}
static laco_status smooth_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    int64_t offset = 0;
    if (s->index || s->symbols || s->in != 2)
        return fail(err, LACO_EINVAL, -1,
                    "smooth must be the first layer, and read a number and which series it is of: 2 inputs, not %lld",
                    (long long)s->in);
    if (s->season[0] > 8784 || s->season[1] > 8784 || s->series > 1 << 24 || s->steps > 4096)
        return fail(err, LACO_EINVAL, -1,
                    "smooth: seasons up to 8784 steps, up to 16777216 series and a window up to 4096 are possible");
    s->out = s->steps, *count = 0;
    add_tensor(t, count, &offset, "rates", s->series, 1 + seasons_of(s));
    add_tensor(t, count, &offset, "level", s->series, 1);
    if (s->season[0] > 1) add_tensor(t, count, &offset, "season", s->series, s->season[0]);
    if (s->season[1] > 1) add_tensor(t, count, &offset, "season_two", s->series, s->season[1]);
    return LACO_OK;
}
static laco_status smooth_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->out), l->rates = 1 + seasons_of(s);
    l->params_row = l->rates + 1, l->stride = FIRST_SEASON + s->steps;
    for (int k = 0; k < SEASONS; k++) {
        l->season[k] = max64(1, s->season[k]), l->stride += l->season[k];
        if (l->season[k] > 1) l->params_row += l->season[k];
    }
    *out = l;
    return LACO_OK;
}
static void smooth_free(layer *l)
{
    if (!l) return;
    mem_free(l->h.y), mem_free(l->error), mem_free(l->kept), mem_free(l->work), mem_free(l->gradient);
    mem_free(l->ahead.value), mem_free(l->ahead.d), mem_free(l);
}
static void smooth_load(layer *l, const void *w, bool train) { (void)train, l->h.w = w; }
static size_t smooth_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    size_t tape = rows_bytes(rows, l->h.ldy) + rows_bytes(rows, 1) + rows_bytes(batch, l->stride);
    return tape * (size_t)tapes + rows_bytes(rows, l->ahead.ld) * (train ? 2 : 1) +
           (size_t)(batch * (l->stride + l->params_row)) * sizeof(real);
}
static laco_status reserve_batch(layer *l, int64_t batch, laco_error *err)
{
    if (batch <= l->cap_batch) return LACO_OK;
    mem_free(l->work), mem_free(l->gradient), l->cap_batch = 0;
    l->work = mem_new((size_t)(batch * l->stride), sizeof(real));
    l->gradient = mem_new((size_t)(batch * l->params_row), sizeof(real));
    if (!l->work || !l->gradient) return fail_memory(err, (size_t)(batch * l->stride) * sizeof(real));
    l->cap_batch = batch;
    return LACO_OK;
}
static laco_status smooth_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    int64_t ahead = l->ahead.cap, back = l->ahead.d ? ahead : 0;
    laco_status st = reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
    if (!st) st = reserve_rows(&l->error, &l->cap_error, rows, 1, err);
    if (!st) st = reserve_rows(&l->kept, &l->cap_kept, batch, l->stride, err);
    if (!st) st = reserve_batch(l, batch, err);
    if (!st) st = reserve_rows(&l->ahead.value, &ahead, rows, l->ahead.ld, err);
    if (!st && train) st = reserve_rows(&l->ahead.d, &back, ahead, l->ahead.ld, err);
    l->ahead.cap = st ? 0 : ahead;
    return st;
}
static int smooth_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    return parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, p, cap_kept), 2;
}
static void smooth_release(layer *l)
{
    release_rows(&l->h.y, &l->h.cap_rows), release_rows(&l->error, &l->cap_error);
    release_rows(&l->kept, &l->cap_kept);
}

/* ---- a row ---- */
typedef struct series {
    real *level, *season[SEASONS], *past; /* of a row of states, or of their gradients */
    real rate[1 + SEASONS];               /* 0: of a season that is none */
} series;
/* Whose parameters a row of the batch has, its first input says; what cannot be a series is the first. */
static int64_t series_of_input(const layer *l, real which)
{
    return which >= 0 && which < (real)l->h.s.series ? (int64_t)which : 0;
}
static int64_t series_at(const layer *l, int64_t b) { return series_of_input(l, l->x[b * l->ldx + 1]); }
static const real *params_of(const layer *l, int64_t which, int part, int64_t width)
{
    int64_t at = 0;
    const int64_t widths[] = { l->rates, 1, l->season[0] > 1 ? l->season[0] : 0 };
    for (int i = 0; i < part; i++) at += widths[i] * l->h.s.series;
    return l->h.w + at + which * width;
}
static series series_of(const layer *l, real *state, int64_t which)
{
    series q = { .level = state + LEVEL };
    const real *raw = params_of(l, which, 0, l->rates);
    real *at = state + FIRST_SEASON;
    for (int k = 0, r = 1; k < SEASONS; at += l->season[k++]) {
        q.season[k] = at;
        if (l->season[k] > 1) q.rate[1 + k] = 1 / (1 + (real)exp((double)(-rate_gain * raw[r++])));
    }
    q.rate[0] = 1 / (1 + (real)exp((double)(-rate_gain * raw[0]))), q.past = at;
    return q;
}
/* The state before the first step of a series. */
static void first_state(const layer *l, int64_t which, real *state)
{
    memset(state, 0, (size_t)l->stride * sizeof(real));
    state[LEVEL] = *params_of(l, which, 1, 1);
    real *to = state + FIRST_SEASON;
    for (int k = 0; k < SEASONS; to += l->season[k++])
        if (l->season[k] > 1) memcpy(to, params_of(l, which, 2 + k, l->season[k]), (size_t)l->season[k] * sizeof(real));
    for (int64_t k = 0; k < l->h.s.steps; k++) to[k] = (real)NAN;
}
/* The state of row b where this window begins; NULL: at the beginning of its series. */
static const real *state_before(const layer *l, int64_t b)
{
    const real *state = l->initial ? l->initial + b * l->stride : NULL;
    return state && state[READ] > 0 ? state : NULL;
}
static void take_step(const layer *l, const series *q, const int64_t *phase, real y, real *error)
{
    real *s = q->season[0] + phase[0], *u = q->season[1] + phase[1];
    memmove(q->past + 1, q->past, (size_t)(l->h.s.steps - 1) * sizeof(real)), q->past[0] = y;
    *error = isfinite(y) ? y - *q->level - *s - *u : 0;
    const real rest = (1 - q->rate[0]) * *error;
    *q->level += q->rate[0] * *error, *s += q->rate[1] * rest, *u += q->rate[2] * rest;
}
static int64_t before(int64_t phase, int64_t season) { return phase ? phase - 1 : season - 1; }
static int64_t after(int64_t phase, int64_t season) { return phase + 1 < season ? phase + 1 : 0; }
static void move_on(const layer *l, real *state, int64_t *phase)
{
    state[READ] = 1;
    for (int k = 0; k < SEASONS; k++) state[PHASE + k] = (real)(phase[k] = after(phase[k], l->season[k]));
}
static void put_window(const layer *l, const series *q, const int64_t *phase, real *to)
{
    const real *s = q->season[0], *u = q->season[1];
    int64_t i = phase[0], j = phase[1];
    for (int64_t k = 0; k < l->h.s.steps; k++, i = before(i, l->season[0]), j = before(j, l->season[1]))
        to[k] = isfinite(q->past[k]) ? q->past[k] - *q->level - s[i] - u[j] : 0;
}
static void put_ahead(const layer *l, const series *q, const int64_t *phase, real *to)
{
    int64_t i = phase[0], j = phase[1];
    for (int64_t h = 0; h < l->ahead.steps; h++) {
        i = after(i, l->season[0]), j = after(j, l->season[1]);
        to[h] = *q->level + q->season[0][i] + q->season[1][j];
    }
}
static void smooth_row(void *ctx, int64_t b, int thread)
{
    layer *l = ctx;
    const ragged *g = &l->p->b;
    real *state = l->work + b * l->stride;
    (void)thread;
    if (!g->T || g->active[0] <= b) return;
    const int64_t which = series_at(l, b);
    if (state_before(l, b))
        memcpy(state, state_before(l, b), (size_t)l->stride * sizeof(real));
    else
        first_state(l, which, state);
    const series q = series_of(l, state, which);
    int64_t phase[SEASONS] = { (int64_t)state[PHASE], (int64_t)state[PHASE + 1] };
    for (int64_t t = 0; t < g->T && b < g->active[t]; t++) {
        const int64_t row = g->off[t] + b;
        take_step(l, &q, phase, l->x[row * l->ldx], l->error + row);
        put_window(l, &q, phase, l->h.y + row * l->h.ldy), put_ahead(l, &q, phase, l->ahead.value + row * l->ahead.ld);
        move_on(l, state, phase);
    }
    if (l->final) memcpy(l->final + b * l->stride, state, (size_t)l->stride * sizeof(real));
}
static void smooth_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    l->p = p, l->x = x, l->ldx = ldx, l->initial = initial ? l->kept : NULL, l->final = final;
    if (initial) memcpy(l->kept, initial, (size_t)(p->b.B * l->stride) * sizeof(real));
    pool_run(l->h.pool, p->b.B, smooth_row, l);
}
static const void *smooth_output(const layer *l, int64_t *ld) { return *ld = l->h.ldy, l->h.y; }

/* ---- the way back ---- of a row, from its last step to its first */
static void back_ahead(const layer *l, const series *d, const int64_t *phase, const real *dy)
{
    int64_t i = phase[0], j = phase[1];
    for (int64_t h = 0; h < l->ahead.steps; h++) {
        i = after(i, l->season[0]), j = after(j, l->season[1]);
        *d->level += dy[h], d->season[0][i] += dy[h], d->season[1][j] += dy[h];
    }
}
/* y: of step k of the window, NULL before the row's first step, where past numbers are no more of this window */
static real number_at(const layer *l, int64_t b, int64_t t)
{
    if (t >= 0) return l->x[(l->p->b.off[t] + b) * l->ldx];
    const real *state = state_before(l, b);
    return state && -t <= l->h.s.steps ? state[l->stride - l->h.s.steps - t - 1] : (real)NAN;
}
/* The gradient of the number at step t of the row: of an input, or of what the window before left. */
static void add_number(const layer *l, const series *d, int64_t b, int64_t t, real g)
{
    if (t < 0)
        d->past[-t - 1] += g;
    else if (l->dx)
        l->dx[(l->p->b.off[t] + b) * l->lddx] += g;
}
static void back_window(const layer *l, const series *d, const int64_t *phase, const real *dy, int64_t b, int64_t t)
{
    int64_t i = phase[0], j = phase[1];
    for (int64_t k = 0; k < l->h.s.steps; k++, i = before(i, l->season[0]), j = before(j, l->season[1])) {
        const real g = isfinite(number_at(l, b, t - k)) ? dy[k] : 0;
        *d->level -= g, d->season[0][i] -= g, d->season[1][j] -= g;
        if (g != 0) add_number(l, d, b, t - k, g);
    }
}
/* What later windows ask of the last numbers of this one, T steps long: d->past becomes that of the numbers before it.
 */
static void begin_numbers(const layer *l, const series *d, int64_t b, int64_t T)
{
    const int64_t W = l->h.s.steps;
    for (int64_t t = 0; l->dx && t < T; t++)
        for (int k = 0; k < 2; k++) l->dx[(l->p->b.off[t] + b) * l->lddx + k] = 0;
    for (int64_t k = 0; k < min64(W, T); k++) add_number(l, d, b, T - 1 - k, d->past[k]);
    for (int64_t k = 0; k < W; k++) d->past[k] = k + T < W ? d->past[k + T] : 0;
}
/* da: of the rates; returns that of the number */
static real back_step(const series *d, const int64_t *phase, real error, real *da)
{
    real *s = d->season[0] + phase[0], *u = d->season[1] + phase[1];
    const real rest = (1 - d->rate[0]) * error, drest = d->rate[1] * *s + d->rate[2] * *u;
    da[0] += error * (*d->level - drest), da[1] += rest * *s, da[2] += rest * *u;
    const real de = d->rate[0] * *d->level + (1 - d->rate[0]) * drest;
    *d->level -= de, *s -= de, *u -= de;
    return de;
}
static void smooth_back_row(void *ctx, int64_t b, int thread)
{
    layer *l = ctx;
    const ragged *g = &l->p->b;
    real *state = l->work + b * l->stride, *to = l->gradient + b * l->params_row, da[1 + SEASONS] = { 0 };
    int64_t T = 0;
    (void)thread;
    memset(state, 0, (size_t)l->stride * sizeof(real)), memset(to, 0, (size_t)l->params_row * sizeof(real));
    if (l->carry) memcpy(state, l->carry + b * l->stride, (size_t)l->stride * sizeof(real));
    while (T < g->T && g->active[T] > b) T++;
    if (!T) return;
    const real *from = state_before(l, b);
    const series d = series_of(l, state, series_at(l, b));
    int64_t phase[SEASONS];
    begin_numbers(l, &d, b, T);
    for (int k = 0; k < SEASONS; k++) phase[k] = (T + (from ? (int64_t)from[PHASE + k] : 0)) % l->season[k];
    for (int64_t t = T - 1; t >= 0; t--) {
        const int64_t row = g->off[t] + b;
        for (int k = 0; k < SEASONS; k++) phase[k] = before(phase[k], l->season[k]);
        if (l->ahead.steps) back_ahead(l, &d, phase, l->ahead.d + row * l->ahead.ld);
        back_window(l, &d, phase, l->dy + row * l->lddy, b, t);
        if (isfinite(number_at(l, b, t))) add_number(l, &d, b, t, back_step(&d, phase, l->error[row], da));
    }
    for (int k = 0, r = 0; k <= SEASONS; k++)
        if (!k || l->season[k - 1] > 1) to[r++] = rate_gain * d.rate[k] * (1 - d.rate[k]) * da[k];
    if (l->carry) memcpy(l->carry + b * l->stride, state, (size_t)l->stride * sizeof(real));
    if (from) return; /* its first level and seasons are those of the window before */
    to += l->rates, *to++ = state[LEVEL];
    for (int k = 0; k < SEASONS; k++) {
        const int64_t n = l->season[k] > 1 ? l->season[k] : 0;
        memcpy(to, d.season[k], (size_t)n * sizeof(real)), to += n;
    }
}
static const real *add_to(real *to, const real *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] += from[i];
    return from + n;
}
static void smooth_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                            int64_t lddx)
{
    l->p = p, l->dy = dy, l->lddy = ldy, l->carry = carry, l->dx = dx, l->lddx = lddx;
    pool_run(l->h.pool, p->b.B, smooth_back_row, l);
    real *to = dparams;
    for (int64_t b = 0; b < p->b.B && p->b.T && b < p->b.active[0]; b++) {
        const int64_t which = series_at(l, b);
        const real *from =
            add_to(to + (params_of(l, which, 0, l->rates) - l->h.w), l->gradient + b * l->params_row, l->rates);
        from = add_to(to + (params_of(l, which, 1, 1) - l->h.w), from, 1);
        for (int k = 0; k < SEASONS; k++)
            if (l->season[k] > 1)
                from = add_to(to + (params_of(l, which, 2 + k, l->season[k]) - l->h.w), from, l->season[k]);
    }
}
static int64_t smooth_state(const layer *l) { return l->stride; }
static int smooth_states(const layer *l, int64_t *at, int64_t *width) { return *at = 0, *width = l->stride, 1; }
static void smooth_init(const layer *l, void *row) { memset(row, 0, (size_t)l->stride * sizeof(real)); }
static void smooth_step(const layer *l, const step_call *c)
{
    for (int64_t i = 0; first_member(c) && i < c->m; i++) {
        real *state = (real *)c->sn + i * l->stride, error;
        const real *x = row_in(c, i);
        const int64_t which = series_of_input(l, x[1]);
        memcpy(state, (const real *)c->s + i * l->stride, (size_t)l->stride * sizeof(real));
        if (!(state[READ] > 0)) first_state(l, which, state);
        const series q = series_of(l, state, which);
        int64_t phase[SEASONS] = { (int64_t)state[PHASE], (int64_t)state[PHASE + 1] };
        take_step(l, &q, phase, x[0], &error), put_window(l, &q, phase, row_out(c, i)), move_on(l, state, phase);
    }
}
void N(smooth_state_ahead)(const layer *l, const void *states, int64_t i, real *to)
{
    real *state = (real *)states + i * l->stride;
    const int64_t phase[SEASONS] = { before((int64_t)state[PHASE], l->season[0]),
                                     before((int64_t)state[PHASE + 1], l->season[1]) };
    const series q = series_of(l, state, 0);
    put_ahead(l, &q, phase, to);
}
static int64_t smooth_work(const layer *l) { return 2 * l->h.s.steps + l->ahead.steps; }
extern const layer_kind N(smooth_layer);
const layer_kind
    N(smooth_layer) = { "smooth",        "exponential smoothing of each series, learned with the network (ES-RNN)",
                        smooth_describe, smooth_make,
                        smooth_free,     no_weights,
                        smooth_load,     smooth_bytes,
                        smooth_reserve,  smooth_tape,
                        smooth_release,  smooth_forward,
                        smooth_output,   smooth_backward,
                        smooth_state,    smooth_states,
                        smooth_init,     no_scratch,
                        no_scratch,      smooth_step,
                        smooth_work,     no_inside };
