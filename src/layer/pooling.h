/* The parts of a pooling layer (pool.kernel.c): what each kind of pool does with one step of one row, forwards and
   back.

   A part reads row r = off[t] + b of x, brings the state of row b from before the step to behind it, and writes its
   columns of y. Back, d holds the gradient of the state behind the step and leaves that of the state before it.

       mean    y_t = y_t-1 + (x_t - y_t-1) / n                  n = t + 1, the steps so far
               dy_t-1 += (1 - 1/n) dy_t                         dx_t = dy_t / n
       max     y_t = max(y_t-1, x_t)                            the gradient goes to the step that first was as high
       last    the numbers made forwards as they are; those made against time of step 0 alone, which have seen the rest
       time    a_t = v . tanh(W x_t + b)   m_t = max(m_t-1, a_t)   Z_t = e^(m_t-1 - m_t) Z_t-1 + e^(a_t - m_t)
               y_t = y_t-1 + B_t (x_t - y_t-1)                  B_t = e^(a_t - m_t) / Z_t
               so y_t is the sum of softmax(a_0 .. a_t)_k x_k (additive attention: Bahdanau et al. 2015; over the steps
   of a sequence: Yang et al. 2016). With h_t, the sum over s >= t of y_s . dy_s (Z_t / Z_s): dy_t-1 += (1 - B_t) dy_t
   h_t-1 += (1 - B_t) h_t     dx_t = B_t dy_t     da_t = B_t (x_t . dy_t - h_t) h is in the gradient of the states in
   the place of Z, and that of m is 0: a scale, free to choose latest  a_tk = x_t . W x_k for k <= t,  y_t = the sum of
   softmax(a_t)_k x_k: the latest output asks (Xie et al. 2019, LSTM-T). All steps before take part, so there is no
   state: it sees the window alone. A row that is not read, or whose dy is 0, costs nothing feature w_t = softmax(V
   tanh(W x_t + b)) over the N features;  y_t is the mean of N w_t * x_t over the steps so far. Xie et al. 2019, LSTM-F,
   take the sum of w_t * x_t: this is N / n times theirs, of one size whatever the length, and without b */
#ifndef POOLING_H
#define POOLING_H
#include "layer/matrix.h"
#include <math.h>

enum { NOTES = 2, PART_STATES = 3 }; /* numbers that a step of a row leaves for the way back; states of a part */
#define LEAST ((real)-1e30)          /* below every number: nothing was seen */

typedef struct part part;
/* One way through rows of a batch, or one step of streams. */
typedef struct sweep {
    const part *q;
    ragged b;
    const real *x;
    real *y; /* at the columns of the part */
    int64_t ldx, ldy;
    real *state; /* [B][stride] in place: states, or their gradients */
    int64_t stride;
    real *u, *e, *note;     /* [R][ldu], [R][lde], [R][NOTES]: see part */
    const int32_t *classes; /* [R] -1: y is not read; NULL: all is */
    const real *dy;
    real *dx, *du;
    int64_t lddy, lddx;
    bool add; /* dx is added to */
} sweep;
typedef void row_fn(const sweep *s, int64_t t, int64_t b);
typedef struct part_method {
    row_fn *forward, *back;
    int states;          /* the first as wide as y, the others one number each */
    bool hidden, scores; /* has u = tanh(W x + b); e = V u */
    bool latest;         /* u = W x, and all steps before take part */
} part_method;
struct part {
    const part_method *is;
    int64_t n, column, state,
        size; /* numbers of a step; where its columns and states begin; of u, or of last: made ahead */
    int64_t states, width[PART_STATES];
    matrix W, V;
    int64_t w, bias, v; /* where its parameters lie */
    int64_t ldu, lde;
    const real *params;
    /* of the tape */
    real *u, *e, *note; /* max: e [B][n] is y before the first step */
    int64_t cap_u, cap_e, cap_note;
};

INLINE int64_t row_of(const sweep *s, int64_t t, int64_t b) { return s->b.off[t] + b; }
INLINE real *state_of(const sweep *s, int64_t b) { return s->state + b * s->stride + s->q->state; }
INLINE bool is_read(const sweep *s, int64_t r) { return !s->classes || s->classes[r] >= 0; }
INLINE const real *x_of(const sweep *s, int64_t r) { return s->x + r * s->ldx; }
INLINE real *y_of(const sweep *s, int64_t r) { return s->y + r * s->ldy; }
INLINE const real *dy_of(const sweep *s, int64_t r) { return s->dy + r * s->lddy; }
INLINE real *dx_of(const sweep *s, int64_t r) { return s->dx ? s->dx + r * s->lddx : NULL; }
INLINE real *note_of(const sweep *s, int64_t r) { return s->note + r * NOTES; }
INLINE real exp_of(real x) { return (real)exp((double)x); }

static real dot(int64_t n, const real *a, const real *b)
{
    vec sum = splat(0);
    real rest = 0;
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) sum += load(a + j) * load(b + j);
    for (; j < n; j++) rest += a[j] * b[j];
    return lane_sum(sum) + rest;
}
/* y += f (x - y) */
static void approach(int64_t n, real f, const real *x, real *y)
{
    for (int64_t j = 0; j < n; j++) y[j] += f * (x[j] - y[j]);
}
static void put_scaled(int64_t n, real f, const real *x, real *y, bool add)
{
    for (int64_t j = 0; add && j < n; j++) y[j] += f * x[j];
    for (int64_t j = 0; !add && j < n; j++) y[j] = f * x[j];
}
static void add_row(int64_t n, const real *x, real *y)
{
    for (int64_t j = 0; j < n; j++) y[j] += x[j];
}
static void scale_row(int64_t n, real f, real *y)
{
    for (int64_t j = 0; j < n; j++) y[j] *= f;
}
static bool is_zero(int64_t n, const real *x)
{
    for (int64_t j = 0; j < n; j++)
        if (x[j] != 0) return false;
    return true;
}
static void show_state(const sweep *s, int64_t r, const real *state)
{
    if (is_read(s, r)) memcpy(y_of(s, r), state, (size_t)s->q->n * sizeof(real));
}

/* ---- mean ---- state: y, n */
static void mean_forward(const sweep *s, int64_t t, int64_t b)
{
    int64_t r = row_of(s, t, b), n = s->q->n;
    real *state = state_of(s, b), f = note_of(s, r)[0] = 1 / (state[n] += 1);
    approach(n, f, x_of(s, r), state);
    show_state(s, r, state);
}
static void mean_back(const sweep *s, int64_t t, int64_t b)
{
    int64_t r = row_of(s, t, b), n = s->q->n;
    real *d = state_of(s, b), f = note_of(s, r)[0], *dx = dx_of(s, r);
    if (is_read(s, r)) add_row(n, dy_of(s, r), d);
    if (dx) put_scaled(n, f, d, dx, s->add);
    scale_row(n, 1 - f, d);
}

/* ---- max ---- state: y. A number that is not one stays. */
static void max_forward(const sweep *s, int64_t t, int64_t b)
{
    int64_t r = row_of(s, t, b), n = s->q->n;
    real *state = state_of(s, b);
    const real *x = x_of(s, r);
    if (!t) memcpy(s->e + b * s->q->lde, state, (size_t)n * sizeof(real));
    for (int64_t j = 0; j < n; j++) state[j] = x[j] <= state[j] || state[j] != state[j] ? state[j] : x[j];
    memcpy(y_of(s, r), state, (size_t)n * sizeof(real));
}
static void max_back(const sweep *s, int64_t t, int64_t b)
{
    int64_t r = row_of(s, t, b), n = s->q->n;
    real *d = state_of(s, b), *dx = dx_of(s, r);
    const real *y = y_of(s, r), *before = t ? y_of(s, row_of(s, t - 1, b)) : s->e + b * s->q->lde;
    if (is_read(s, r)) add_row(n, dy_of(s, r), d);
    for (int64_t j = 0; j < n; j++) {
        bool here = y[j] != before[j];
        if (dx) dx[j] = here ? d[j] : 0;
        d[j] = here ? 0 : d[j];
    }
}

/* ---- last ---- state: what step 0 made against time (the columns from q->size on), whether there was one */
static void last_forward(const sweep *s, int64_t t, int64_t b)
{
    int64_t r = row_of(s, t, b), ahead = s->q->size, n = s->q->n - ahead;
    real *state = state_of(s, b), *y = y_of(s, r);
    const real *x = x_of(s, r);
    if ((note_of(s, r)[0] = state[n] == 0)) memcpy(state, x + ahead, (size_t)n * sizeof(real)), state[n] = 1;
    memcpy(y, x, (size_t)ahead * sizeof(real));
    memcpy(y + ahead, state, (size_t)n * sizeof(real));
}
static void last_back(const sweep *s, int64_t t, int64_t b)
{
    int64_t r = row_of(s, t, b), ahead = s->q->size, n = s->q->n - ahead;
    real *d = state_of(s, b), *dx = dx_of(s, r), first = note_of(s, r)[0];
    if (dx) memset(dx, 0, (size_t)s->q->n * sizeof(real));
    if (dx && is_read(s, r)) memcpy(dx, dy_of(s, r), (size_t)ahead * sizeof(real));
    if (is_read(s, r)) add_row(n, dy_of(s, r) + ahead, d);
    if (dx && first != 0) memcpy(dx + ahead, d, (size_t)n * sizeof(real));
    if (first != 0) memset(d, 0, (size_t)n * sizeof(real));
}

/* ---- attention over time ---- state: y, m, Z; notes: B, da */
static void time_forward(const sweep *s, int64_t t, int64_t b)
{
    const part *q = s->q;
    int64_t r = row_of(s, t, b), n = q->n;
    real *state = state_of(s, b), *m = state + n, *z = m + 1;
    real a = dot(q->size, s->u + r * q->ldu, q->params + q->v), top = a > *m ? a : *m, w = exp_of(a - top);
    *z = exp_of(*m - top) * *z + w, *m = top;
    approach(n, note_of(s, r)[0] = w / *z, x_of(s, r), state);
    show_state(s, r, state);
}
static void time_back(const sweep *s, int64_t t, int64_t b)
{
    int64_t r = row_of(s, t, b), n = s->q->n;
    real *d = state_of(s, b), *h = d + n + 1, *note = note_of(s, r), *dx = dx_of(s, r);
    if (is_read(s, r)) add_row(n, dy_of(s, r), d), *h += dot(n, y_of(s, r), dy_of(s, r));
    if (dx) put_scaled(n, note[0], d, dx, s->add);
    note[1] = note[0] * (dot(n, x_of(s, r), d) - *h);
    scale_row(n, 1 - note[0], d), *h *= 1 - note[0];
}

/* ---- attention of the latest output ---- no state; notes of the steps up to t: their weights, of the row in hand */
static void latest_weights(const sweep *s, int64_t t, int64_t b)
{
    const part *q = s->q;
    const real *x = x_of(s, row_of(s, t, b));
    real top = LEAST, sum = 0;
    for (int64_t k = 0; k <= t; k++) {
        real a = note_of(s, row_of(s, k, b))[0] = dot(q->n, x, s->u + row_of(s, k, b) * q->ldu);
        top = a > top ? a : top;
    }
    for (int64_t k = 0; k <= t; k++) {
        real *a = note_of(s, row_of(s, k, b));
        sum += *a = exp_of(*a - top);
    }
    for (int64_t k = 0; k <= t; k++) note_of(s, row_of(s, k, b))[0] /= sum;
}
static void latest_forward(const sweep *s, int64_t t, int64_t b)
{
    int64_t r = row_of(s, t, b), n = s->q->n;
    real *y = y_of(s, r);
    if (!is_read(s, r)) return;
    latest_weights(s, t, b);
    memset(y, 0, (size_t)n * sizeof(real));
    for (int64_t k = 0; k <= t; k++) put_scaled(n, note_of(s, row_of(s, k, b))[0], x_of(s, row_of(s, k, b)), y, true);
}
static void latest_back(const sweep *s, int64_t t, int64_t b)
{
    const part *q = s->q;
    int64_t r = row_of(s, t, b), n = q->n;
    const real *dy = dy_of(s, r);
    if (!is_read(s, r) || is_zero(n, dy)) return;
    real through = dot(n, dy, y_of(s, r)), *to = dx_of(s, r);
    latest_weights(s, t, b);
    for (int64_t k = 0; k <= t; k++) {
        int64_t at = row_of(s, k, b);
        real w = note_of(s, at)[0], da = w * (dot(n, dy, x_of(s, at)) - through), *dx = dx_of(s, at);
        put_scaled(n, da, x_of(s, r), s->du + at * q->ldu, true);
        if (dx) put_scaled(n, w, dy, dx, true), put_scaled(n, da, s->u + at * q->ldu, to, true);
    }
}

/* ---- attention over features ---- state: y, n; e: the scores, then w, then the gradient of the scores */
static void softmax_row(int64_t n, real *e)
{
    real top = e[0], sum = 0;
    for (int64_t j = 1; j < n; j++) top = e[j] > top ? e[j] : top;
    for (int64_t j = 0; j < n; j += LANES) {
        vec p = splat(LEAST);
        int64_t w = min64(LANES, n - j);
        memcpy(&p, e + j, (size_t)w * sizeof(real));
        p = vexp(p - top);
        memcpy(e + j, &p, (size_t)w * sizeof(real));
        for (int64_t i = 0; i < w; i++) sum += p[i];
    }
    scale_row(n, 1 / sum, e);
}
static void feature_forward(const sweep *s, int64_t t, int64_t b)
{
    const part *q = s->q;
    int64_t r = row_of(s, t, b), n = q->n;
    real *state = state_of(s, b), *e = s->e + r * q->lde, f = note_of(s, r)[0] = 1 / (state[n] += 1);
    const real *x = x_of(s, r);
    softmax_row(n, e);
    for (int64_t j = 0; j < n; j++) state[j] += f * ((real)n * e[j] * x[j] - state[j]);
    show_state(s, r, state);
}
static void feature_back(const sweep *s, int64_t t, int64_t b)
{
    const part *q = s->q;
    int64_t r = row_of(s, t, b), n = q->n;
    real *d = state_of(s, b), *e = s->e + r * q->lde, f = note_of(s, r)[0], g = f * (real)n, sum = 0, *dx = dx_of(s, r);
    const real *x = x_of(s, r);
    if (is_read(s, r)) add_row(n, dy_of(s, r), d);
    for (int64_t j = 0; j < n; j++) {
        real de = g * d[j];
        if (dx) dx[j] = (s->add ? dx[j] : 0) + de * e[j];
        sum += e[j] * de * x[j];
    }
    for (int64_t j = 0; j < n; j++) e[j] *= g * d[j] * x[j] - sum;
    scale_row(n, 1 - f, d);
}

static const part_method mean_method = { mean_forward, mean_back, 2, false, false, false },
                         max_method = { max_forward, max_back, 1, false, false, false },
                         last_method = { last_forward, last_back, 2, false, false, false },
                         time_method = { time_forward, time_back, 3, true, false, false },
                         latest_method = { latest_forward, latest_back, 0, false, false, true },
                         feature_method = { feature_forward, feature_back, 2, true, true, false };
#endif
