/* pool WORD: at every step the pool of the steps so far of its input, so that the last step of a sequence holds the
   pool of all of it, and every step before an early answer.

   last | mean | max       of each number
   attention [N]           mean over time with weights that are learned; N: the width of its hidden layer
   feature-attention [N]   the same over features
   time-feature-attention  both side by side (Xie et al. 2019, "Speech emotion classification using attention-based
   LSTM") by-last               of the attentions over time: the latest output weighs the steps before (their LSTM-T,
   -TF)

   The equations are at the head of pooling.h. Rows of the batch are shared among the threads; each is walked from its
   first step to its last, and back. State of a row: those of the parts side by side. */
#include "layer/pooling.h"
#include "math/activation.h"

enum { PARTS = 2, ROWS_TOGETHER = 4 };
struct layer {
    layer_head h;
    part part[PARTS];
    int parts;
    int64_t stride;
    const real *x; /* to p: of the tape */
    int64_t ldx;
    const pass *p;
    real *state, *du[PARTS], *scratch; /* [B][stride], [R][ldu], [thread][KC * PANEL] */
    int64_t cap_batch, cap_du[PARTS];
    sweep s; /* in progress, of the part in hand */
    const part *q;
    real *dw;
};

static bool has_attention(const layer_spec *s) { return s->pool >= POOL_TIME; }
/* All that is known before memory is taken: what the parts are, their columns, states and parameters. */
static int lay_out(const layer_spec *s, part q[PARTS])
{
    static const part_method *const methods[][PARTS] = {
        [POOL_LAST] = { &last_method },       [POOL_MEAN] = { &mean_method },
        [POOL_MAX] = { &max_method },         [POOL_TIME] = { &time_method },
        [POOL_FEATURE] = { &feature_method }, [POOL_TIME_FEATURE] = { &time_method, &feature_method },
    };
    int64_t at = 0, state = 0, n = s->in;
    int i = 0;
    for (; i < PARTS && methods[s->pool][i]; i++) {
        part *p = q + i;
        *p =
            (part){ .is = methods[s->pool][i], .n = n, .column = i * n, .state = state, .size = s->size ? s->size : n };
        if (p->is == &time_method && s->by_last) p->is = &latest_method, p->size = n;
        if (p->is == &last_method) p->size = s->ahead;
        p->states = p->is == &last_method && p->size == n ? 0 : p->is->states;
        for (int k = 0; k < p->states; k++) p->width[k] = k ? 1 : p->is == &last_method ? n - p->size : n;
        for (int k = 0; k < p->states; k++) state += p->width[k];
        p->w = at, at += p->is->hidden || p->is->latest ? p->size * n : 0;
        p->bias = at, at += p->is->hidden ? p->size : 0;
        p->v = at, at += p->is->hidden ? p->size * (p->is->scores ? n : 1) : 0;
        p->ldu = row_stride(p->size), p->lde = row_stride(n);
    }
    return i;
}
static void add_tensor(param_tensor *t, int *count, const part *q, const char *name, init_role role, int64_t at,
                       int64_t rows, int64_t cols)
{
    param_tensor *to = t + (*count)++;
    *to = (param_tensor){ .rank = cols ? 2 : 1,
                          .shape = { rows, cols },
                          .size = rows * (cols ? cols : 1),
                          .offset = at,
                          .role = role,
                          .gates = 1,
                          .forget_block = -1 };
    strcpy(to->name, q->is->scores ? "feature_" : "time_");
    strncat(to->name, name, sizeof to->name - 16);
}
static laco_status pooling_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    part q[PARTS];
    if (s->symbols) return fail(err, LACO_EINVAL, -1, "pool needs numbers: put embed before it");
    int parts = lay_out(s, q);
    s->out = parts * s->in, *count = 0;
    for (int i = 0; i < parts; i++) {
        const part *p = q + i;
        if (p->is->hidden || p->is->latest) add_tensor(t, count, p, "weight", INIT_INPUT, p->w, p->size, p->n);
        if (!p->is->hidden) continue;
        add_tensor(t, count, p, "bias", INIT_BIAS, p->bias, p->size, 0);
        if (p->is->scores)
            add_tensor(t, count, p, "score", INIT_INPUT, p->v, p->n, p->size);
        else
            add_tensor(t, count, p, "score", INIT_PEEPHOLE, p->v, p->size, 0);
    }
    return LACO_OK;
}
/* ---- life ---- */
static bool passes(const layer *l) { return l->h.s.pool == POOL_LAST && !l->stride; }
static void pooling_free(layer *l)
{
    if (!l) return;
    for (int i = 0; i < PARTS; i++) {
        part *q = &l->part[i];
        matrix_free(&q->W), matrix_free(&q->V);
        mem_free(q->u), mem_free(q->e), mem_free(q->note), mem_free(l->du[i]);
    }
    mem_free(l->h.y), mem_free(l->state), mem_free(l->scratch), mem_free(l);
}
static laco_status pooling_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->out), l->parts = lay_out(s, l->part);
    bool ok = !has_attention(s) || (l->scratch = mem_new((size_t)pool_threads(p) * KC * PANEL, sizeof(real)));
    for (int i = 0; i < l->parts; i++) {
        part *q = &l->part[i];
        for (int k = 0; k < q->states; k++) l->stride += q->width[k];
        if (q->is->hidden || q->is->latest) ok = ok && matrix_new(&q->W, q->size, q->n);
        if (q->is->scores) ok = ok && matrix_new(&q->V, q->n, q->size);
    }
    if (!ok) return pooling_free(l), fail_memory(err, (size_t)(s->in * s->in) * sizeof(real));
    *out = l;
    return LACO_OK;
}
static void pack_task(void *ctx, int64_t i, int thread)
{
    const layer *l = ctx;
    int64_t first = l->q->is->hidden || l->q->is->latest ? matrix_packs(&l->q->W, true) : 0;
    (void)thread;
    if (i < first)
        matrix_pack(&l->q->W, l->q->params + l->q->w, i);
    else
        matrix_pack(&l->q->V, l->q->params + l->q->v, i - first);
}
static void pooling_load(layer *l, const void *w, bool train)
{
    (void)train;
    l->h.w = w;
    for (int i = 0; i < l->parts; i++) {
        part *q = &l->part[i];
        q->params = w, l->q = q;
        int64_t tasks = (q->is->hidden || q->is->latest ? matrix_packs(&q->W, true) : 0) +
                        (q->is->scores ? matrix_packs(&q->V, true) : 0);
        if (tasks) pool_run(l->h.pool, tasks, pack_task, l);
    }
}

/* ---- memory ---- */
static bool keeps_u(const part *q) { return q->is->hidden || q->is->latest; }
static int64_t rows_of_e(const part *q, int64_t rows, int64_t batch)
{
    return q->is->scores ? rows : q->is == &max_method ? batch : 0;
}
static size_t pooling_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    if (passes(l)) return 0;
    size_t tape = rows_bytes(rows, l->h.ldy), rest = rows_bytes(batch, l->stride);
    for (int i = 0; i < l->parts; i++) {
        const part *q = &l->part[i];
        tape += rows_bytes(rows, NOTES);
        if (keeps_u(q)) tape += rows_bytes(rows, q->ldu);
        if (rows_of_e(q, rows, batch)) tape += rows_bytes(rows_of_e(q, rows, batch), q->lde);
        if (keeps_u(q) && train) rest += rows_bytes(rows, q->ldu);
    }
    return tape * (size_t)tapes + rest;
}
static laco_status pooling_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    if (passes(l)) return LACO_OK;
    laco_status st = reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
    if (!st) st = reserve_rows(&l->state, &l->cap_batch, batch, l->stride, err);
    for (int i = 0; !st && i < l->parts; i++) {
        part *q = &l->part[i];
        st = reserve_rows(&q->note, &q->cap_note, rows, NOTES, err);
        if (!st && keeps_u(q)) st = reserve_rows(&q->u, &q->cap_u, rows, q->ldu, err);
        if (!st) st = reserve_rows(&q->e, &q->cap_e, rows_of_e(q, rows, batch), q->lde, err);
        if (!st && keeps_u(q) && train) st = reserve_rows(&l->du[i], &l->cap_du[i], rows, q->ldu, err);
    }
    return st;
}
static int pooling_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, x, p);
    for (int i = 0; i < l->parts; i++) parts[2 + i] = TAPE_FIELDS(&l->part[i], u, cap_note);
    return 2 + l->parts;
}
static void pooling_release(layer *l)
{
    release_rows(&l->h.y, &l->h.cap_rows);
    for (int i = 0; i < l->parts; i++) {
        part *q = &l->part[i];
        release_rows(&q->u, &q->cap_u), release_rows(&q->e, &q->cap_e), release_rows(&q->note, &q->cap_note);
    }
}

/* ---- forward ---- */
/* What products make of m rows: u, and e. */
static void part_products(const part *q, int64_t m, const real *x, int64_t ldx, real *u, real *e)
{
    matrix_rows(&q->W, m, x, ldx, u, q->ldu);
    if (q->is->latest) return;
    const real *bias = q->params + q->bias;
    for (int64_t r = 0; r < m; r++)
        for (int64_t j = 0; j < q->size; j += LANES) {
            real *to = u + r * q->ldu + j;
            int64_t w = min64(LANES, q->size - j);
            vec z = splat(0);
            memcpy(&z, to, (size_t)w * sizeof(real));
            for (int64_t i = 0; i < w; i++) z[i] += bias[j + i];
            z = vtanh(z);
            memcpy(to, &z, (size_t)w * sizeof(real));
        }
    if (q->is->scores) matrix_rows(&q->V, m, u, q->ldu, e, q->lde);
}
static void products_task(void *ctx, int64_t i, int thread)
{
    const sweep *s = ctx;
    int64_t r = i * ROWS_PER_TASK;
    (void)thread;
    part_products(s->q, min64(ROWS_PER_TASK, s->b.R - r), x_of(s, r), s->ldx, s->u + r * s->q->ldu,
                  s->e + (s->q->is->scores ? r * s->q->lde : 0));
}
static void forward_task(void *ctx, int64_t i, int thread)
{
    const sweep *s = ctx;
    int64_t from = i * ROWS_TOGETHER;
    (void)thread;
    for (int64_t t = 0; t < s->b.T && s->b.active[t] > from; t++)
        for (int64_t b = from; b < min64(s->b.active[t], from + ROWS_TOGETHER); b++) s->q->is->forward(s, t, b);
}
static void pooling_step_init(const layer *l, void *row)
{
    real *to = row;
    memset(to, 0, (size_t)l->stride * sizeof(real));
    for (int i = 0; i < l->parts; i++) {
        const part *q = &l->part[i];
        if (q->is == &time_method) to[q->state + q->n] = LEAST;
        for (int64_t j = 0; q->is == &max_method && j < q->n; j++) to[q->state + j] = LEAST;
    }
}
static sweep sweep_of(const layer *l, int i, const pass *p, const real *x, int64_t ldx, real *state)
{
    const part *q = &l->part[i];
    return (sweep){ .q = q,
                    .b = p->b,
                    .x = x,
                    .ldx = ldx,
                    .y = l->h.y + q->column,
                    .ldy = l->h.ldy,
                    .state = state,
                    .stride = l->stride,
                    .u = q->u,
                    .e = q->e,
                    .note = q->note,
                    .classes = l->h.s.read_in_part ? p->classes : NULL };
}
static void pooling_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    size_t bytes = (size_t)(p->b.B * l->stride) * sizeof(real);
    real *state = final ? final : l->state;
    l->x = x, l->ldx = ldx, l->p = p;
    if (passes(l)) return;
    if (initial) memcpy(state, initial, bytes);
    for (int64_t b = 0; !initial && b < p->b.B; b++) pooling_step_init(l, state + b * l->stride);
    for (int i = 0; i < l->parts; i++) {
        l->s = sweep_of(l, i, p, x, ldx, state);
        if (keeps_u(l->s.q)) pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), products_task, &l->s);
        pool_run(l->h.pool, ceil_div(p->b.B, ROWS_TOGETHER), forward_task, &l->s);
    }
}
static const void *pooling_output(const layer *l, int64_t *ld)
{
    *ld = passes(l) ? l->ldx : l->h.ldy;
    return passes(l) ? l->x : l->h.y;
}

/* ---- backward ---- */
static void back_task(void *ctx, int64_t i, int thread)
{
    const sweep *s = ctx;
    const part *q = s->q;
    int64_t from = i * ROWS_TOGETHER, T = s->b.T;
    (void)thread;
    for (int64_t t = 0; q->is->latest && t < T; t++)
        for (int64_t b = from; b < min64(s->b.active[t], from + ROWS_TOGETHER); b++) {
            int64_t r = row_of(s, t, b);
            memset(s->du + r * q->ldu, 0, (size_t)q->size * sizeof(real));
            if (s->dx) memset(dx_of(s, r), 0, (size_t)q->n * sizeof(real));
        }
    for (int64_t t = T - 1; t >= 0; t--)
        for (int64_t b = from; b < min64(s->b.active[t], from + ROWS_TOGETHER); b++) q->is->back(s, t, b);
}
/* du: the gradient of W x + b. */
static void hidden_task(void *ctx, int64_t i, int thread)
{
    const sweep *s = ctx;
    const part *q = s->q;
    int64_t from = i * ROWS_PER_TASK, m = min64(ROWS_PER_TASK, s->b.R - from);
    (void)thread;
    if (q->is->scores) matrix_back(&q->V, m, s->e + from * q->lde, q->lde, s->du + from * q->ldu, q->ldu, false);
    for (int64_t r = from; r < from + m; r++) {
        real *du = s->du + r * q->ldu;
        const real *u = s->u + r * q->ldu;
        if (!q->is->scores) put_scaled(q->size, note_of(s, r)[1], q->params + q->v, du, false);
        for (int64_t j = 0; j < q->size; j++) du[j] *= 1 - u[j] * u[j];
    }
}
/* Panels of the gradient of W, then of V, then blocks of rows of dx, then the vectors. */
static void weights_task(void *ctx, int64_t i, int thread)
{
    const layer *l = ctx;
    const sweep *s = &l->s;
    const part *q = s->q;
    vec *block = (vec *)(l->scratch + thread * KC * PANEL);
    int64_t R = s->b.R, of_w = ceil_div(q->n, PANEL), of_v = q->is->scores ? ceil_div(q->size, PANEL) : 0,
            blocks = s->dx ? ceil_div(R, ROWS_PER_TASK) : 0;
    if (i < of_w)
        matrix_gradient(&q->W, i, R, s->x, s->ldx, s->du, q->ldu, l->dw + q->w, block);
    else if ((i -= of_w) < of_v)
        matrix_gradient(&q->V, i, R, s->u, q->ldu, s->e, q->lde, l->dw + q->v, block);
    else if ((i -= of_v) < blocks) {
        int64_t r = i * ROWS_PER_TASK;
        matrix_back(&q->W, min64(ROWS_PER_TASK, R - r), s->du + r * q->ldu, q->ldu, dx_of(s, r), s->lddx, true);
    } else {
        bias_gradient(R, q->size, s->du, q->ldu, l->dw + q->bias);
        for (int64_t r = 0; r < R && !q->is->scores; r++)
            put_scaled(q->size, note_of(s, r)[1], s->u + r * q->ldu, l->dw + q->v, true);
    }
}
static void part_backward(layer *l)
{
    const part *q = l->s.q;
    int64_t R = l->s.b.R, blocks = ceil_div(R, ROWS_PER_TASK);
    pool_run(l->h.pool, ceil_div(l->s.b.B, ROWS_TOGETHER), back_task, &l->s);
    if (!keeps_u(q)) return;
    if (q->is->hidden) pool_run(l->h.pool, blocks, hidden_task, &l->s);
    pool_run(l->h.pool,
             ceil_div(q->n, PANEL) + (q->is->scores ? ceil_div(q->size, PANEL) : 0) + (l->s.dx ? blocks : 0) +
                 q->is->hidden,
             weights_task, l);
}
static void pass_task(void *ctx, int64_t i, int thread)
{
    const sweep *s = ctx;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(s->b.R, (i + 1) * ROWS_PER_TASK); r++)
        if (is_read(s, r))
            memcpy(dx_of(s, r), dy_of(s, r), (size_t)s->q->n * sizeof(real));
        else
            memset(dx_of(s, r), 0, (size_t)s->q->n * sizeof(real));
}
static void pooling_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                             int64_t lddx)
{
    if (!carry && !passes(l)) carry = memset(l->state, 0, (size_t)(p->b.B * l->stride) * sizeof(real));
    l->dw = dparams;
    for (int i = 0; i < l->parts; i++) {
        l->s = sweep_of(l, i, p, l->x, l->ldx, carry);
        l->s.dy = (const real *)dy + l->part[i].column, l->s.lddy = ldy, l->s.dx = dx, l->s.lddx = lddx;
        l->s.du = l->du[i], l->s.add = i > 0;
        if (!passes(l))
            part_backward(l);
        else if (dx)
            pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), pass_task, &l->s);
    }
}

/* ---- states and streaming ---- */
static int64_t pooling_state(const layer *l) { return l->stride; }
static int pooling_states(const layer *l, int64_t *at, int64_t *width)
{
    int count = 0;
    for (int i = 0; i < l->parts; i++)
        for (int64_t k = 0, from = l->part[i].state; k < l->part[i].states; from += l->part[i].width[k++])
            at[count] = from, width[count++] = l->part[i].width[k];
    return count;
}
static int64_t part_scratch(const part *q, int64_t m)
{
    return m * ((keeps_u(q) ? q->ldu : 0) + q->lde + NOTES) + PANEL;
}
static int64_t pooling_scratch(const layer *l, int64_t m)
{
    int64_t most = 0;
    for (int i = 0; i < l->parts; i++) most = max64(most, part_scratch(&l->part[i], m));
    return l->h.s.by_last || l->h.s.ahead < l->h.s.in ? -1 : most;
}
static void part_step(const layer *l, int i, const step_call *c)
{
    const part *q = &l->part[i];
    const pass p = { .b = { 1, c->m, c->m, (const int64_t[]){ c->m }, (const int64_t[]){ 0, c->m } } };
    sweep s = sweep_of(l, i, &p, c->x, c->ldx, c->sn);
    s.y = (real *)c->y + q->column, s.ldy = c->ldy;
    s.u = c->scratch, s.e = s.u + (keeps_u(q) ? c->m * q->ldu : 0), s.note = s.e + c->m * q->lde + PANEL / 2;
    for (int64_t k = 0; keeps_u(q) && k < ceil_div(c->m, ROWS_PER_TASK); k++) products_task(&s, k, 0);
    for (int64_t k = 0; k < ceil_div(c->m, ROWS_TOGETHER); k++) forward_task(&s, k, 0);
}
static void pooling_step(const layer *l, const step_call *c)
{
    if (!first_member(c)) return;
    if (l->stride) memcpy(c->sn, c->s, (size_t)(c->m * l->stride) * sizeof(real));
    for (int i = 0; !passes(l) && i < l->parts; i++) part_step(l, i, c);
    for (int64_t i = 0; passes(l) && i < c->m; i++)
        memcpy(row_out(c, i), row_in(c, i), (size_t)l->h.s.in * sizeof(real));
}
static int64_t pooling_work(const layer *l)
{
    int64_t sum = 0;
    for (int i = 0; i < l->parts; i++) {
        const part *q = &l->part[i];
        sum += keeps_u(q) ? q->size * q->n : 0;
        sum += q->is->scores ? q->size * q->n : 0;
    }
    return sum;
}
extern const layer_kind N(pool_layer);
const layer_kind N(pool_layer) = { "pool",
                                   "last, mean, max or attention over the steps so far: `pool mean`",
                                   pooling_describe,
                                   pooling_make,
                                   pooling_free,
                                   no_weights,
                                   pooling_load,
                                   pooling_bytes,
                                   pooling_reserve,
                                   pooling_tape,
                                   pooling_release,
                                   pooling_forward,
                                   pooling_output,
                                   pooling_backward,
                                   pooling_state,
                                   pooling_states,
                                   pooling_step_init,
                                   pooling_scratch,
                                   no_scratch,
                                   pooling_step,
                                   pooling_work,
                                   no_inside };
