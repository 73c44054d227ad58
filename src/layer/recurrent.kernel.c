/* A recurrent layer: a cell over time (src/cell), in one direction or in both side by side, with an optional residual
   connection (y = output + x) and an optional learned initial state.

   Penalties on h, what the cell makes in both directions (Merity et al. 2017, "Regularizing and optimizing LSTM
   language models"): while training the loss is taken to hold, and backward adds the gradient of,
       activation-reg A    A mean(h^2)                temporal-reg B    B mean((h_t - h_t-1)^2)
   with pass.token_scale, what the loss of one row counts in the whole, in place of 1 / rows of a mean:
   A token_scale / width sum(h^2). Where the loss is a mean over the rows of a window that is the paper's. Differences
   reach over the parts of a window that is walked in parts: `edge` keeps h of the first step of the part behind.

   State: [direction][B][phase][stride of the cell]; phases: of dilation (dilated.h), else one. */
#include "layer/dilated.h"
extern const recur_ops N(recur_ops);
#define ops N(recur_ops)

enum { MOST_DILATION = 1024 };
struct layer {
    layer_head h;
    recur *dir[2];
    int dirs, states;
    bool own_output;       /* y is assembled; else it is the cell's own buffer */
    int64_t P, ls, ld_dir; /* width and state stride of one direction; stride of its part of dy */
    int64_t at[MAX_STATES], width[MAX_STATES], tensors_size; /* parameters of one direction, without initial state */
    int64_t initial_size, D, ldx_part;
    real *dy_part, *carry, *initial; /* [R][ld_dir]; [dirs][B][D][ls] twice */
    real *dx_part;                   /* [R][ldx_part] of the narrow batch, with dilation */
    real *edge;                      /* [B][ld_dir] of one direction; see above */
    int64_t cap_part, cap_dx, cap_batch, cap_edge, edge_rows, next_edge_rows;
    const pass *p; /* to from_learned: of the tape. With dilation: of the narrow batch */
    dilated narrow;
    const real *x;
    int64_t ldx;
    bool started;      /* the last forward began from given or learned states, not from zeros */
    bool from_learned; /* from the learned state */
    const real *dy;
    real *dx;
    int64_t lddy, lddx;
    int part;
};

static laco_status recurrent_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    if (s->symbols) return fail(err, LACO_EINVAL, -1, "%s needs numbers: put embed before it", s->cell.cell);
    cell_spec c = s->cell;
    if (s->dilation > MOST_DILATION)
        return fail(err, LACO_EINVAL, -1, "dilation %lld: up to %d are possible", (long long)s->dilation,
                    MOST_DILATION);
    if (s->dilation > 1 && (s->temporal_reg > 0 || c.variational > 0))
        return fail(err, LACO_EINVAL, -1, "dilation does not go with temporal-reg or variational: leave one out");
    int n = 0, dirs = s->bidirectional ? 2 : 1;
    int64_t offset = 0;
    c.inputs = s->in;
    *count = 0;
    for (int d = 0; d < dirs; d++) {
        laco_status st = ops.describe(&c, t + *count, &n, err);
        if (st) return st;
        for (param_tensor *q = t + *count; q < t + *count + n; q++) {
            if (d) strncat(q->name, "_reverse", sizeof q->name - strlen(q->name) - 1);
            q->offset += offset;
        }
        *count += n, offset = t[*count - 1].offset + t[*count - 1].size;
        if (s->learned_state) {
            int64_t sum = ops.state_size(&c);
            t[*count] = (param_tensor){ .name = "initial_state",
                                        .rank = 1,
                                        .shape = { sum },
                                        .size = sum,
                                        .offset = offset,
                                        .role = INIT_ZERO,
                                        .gates = 1,
                                        .forget_block = -1 };
            if (d) strcpy(t[*count].name, "initial_state_reverse");
            *count += 1, offset += sum;
        }
    }
    bool projected = c.project || !strcmp(c.cell, "jordan");
    s->out = dirs * (projected && c.project ? c.project : c.hidden);
    if (s->residual && s->out != s->in)
        return fail(err, LACO_EINVAL, -1, "residual: the layer makes %lld numbers of %lld; they must be as many",
                    (long long)s->out, (long long)s->in);
    return LACO_OK;
}
static void recurrent_free(layer *l)
{
    if (!l) return;
    ops.free(l->dir[0]), ops.free(l->dir[1]);
    mem_free(l->h.y), mem_free(l->dy_part), mem_free(l->carry), mem_free(l->initial), mem_free(l->edge);
    mem_free(l->dx_part), dilated_release(&l->narrow), mem_free(l);
}
static laco_status recurrent_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->out), l->dirs = s->bidirectional ? 2 : 1;
    l->D = max64(1, s->dilation), l->ldx_part = row_stride(s->in);
    l->own_output = l->dirs == 2 || s->residual || s->cell.reverse || l->D > 1;
    for (int d = 0; d < l->dirs; d++) {
        cell_spec c = s->cell;
        param_tensor t[MAX_TENSORS];
        int n = 0;
        c.inputs = s->in, c.reverse = d ? true : s->cell.reverse, c.place = 2 * s->index + d;
        laco_status st = ops.describe(&c, t, &n, err);
        if (!st) st = ops.make(&l->dir[d], &c, p, err);
        if (st) return recurrent_free(l), st;
        l->tensors_size = t[n - 1].offset + t[n - 1].size;
    }
    l->P = ops.out_width(l->dir[0]), l->ls = ops.state_stride(l->dir[0]), l->ld_dir = row_stride(l->P);
    l->states = ops.states(l->dir[0], l->at, l->width);
    for (int k = 0; s->learned_state && k < l->states; k++) l->initial_size += l->width[k];
    *out = l;
    return LACO_OK;
}
static laco_status recurrent_weights(layer *l, weights_kind kind, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int d = 0; !st && d < l->dirs; d++) st = ops.weights(l->dir[d], kind, err);
    return st;
}
static void recurrent_load(layer *l, const void *w, bool train)
{
    l->h.w = w;
    for (int d = 0; d < l->dirs; d++) ops.load(l->dir[d], l->h.w + d * (l->tensors_size + l->initial_size), train);
}
static bool has_penalty(const layer *l) { return l->h.s.activation_reg > 0 || l->h.s.temporal_reg > 0; }
static bool copies_dy(const layer *l) { return l->dirs == 2 || has_penalty(l) || l->D > 1; }
static int64_t states_size(const layer *l, int64_t batch) { return batch * l->D * l->ls; } /* of a direction */
static size_t recurrent_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    size_t n = (size_t)(l->dirs * states_size(l, batch)) * sizeof(real) * (train ? 2 : 1);
    for (int d = 0; d < l->dirs; d++) n += ops.bytes(l->dir[d], rows, batch * l->D, train, tapes);
    if (l->D > 1) n += dilated_bytes(l->D, rows, batch, l->ldx_part) * (size_t)tapes;
    if (l->D > 1 && train) n += rows_bytes(rows, l->ldx_part);
    if (l->own_output) n += rows_bytes(rows, l->h.ldy) * (size_t)tapes;
    if (train && copies_dy(l)) n += rows_bytes(rows, l->ld_dir);
    if (train && l->h.s.temporal_reg > 0) n += rows_bytes(batch, l->ld_dir);
    return n;
}
static laco_status recurrent_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int d = 0; !st && d < l->dirs; d++) st = ops.reserve(l->dir[d], rows, batch * l->D, train, err);
    if (!st && l->D > 1) st = dilated_reserve(&l->narrow, l->D, rows, batch, l->ldx_part, err);
    if (!st && l->D > 1 && train) st = reserve_rows(&l->dx_part, &l->cap_dx, rows, l->ldx_part, err);
    if (!st && l->own_output) st = reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
    if (!st && train && copies_dy(l)) st = reserve_rows(&l->dy_part, &l->cap_part, rows, l->ld_dir, err);
    if (!st && train && l->h.s.temporal_reg > 0) st = reserve_rows(&l->edge, &l->cap_edge, batch, l->ld_dir, err);
    if (st || batch <= l->cap_batch) return st;
    mem_free(l->carry), mem_free(l->initial);
    l->carry = mem_new((size_t)(l->dirs * states_size(l, batch)), sizeof(real));
    l->initial = mem_new((size_t)(l->dirs * states_size(l, batch)), sizeof(real));
    l->cap_batch = l->carry && l->initial ? batch : 0;
    return l->cap_batch ? LACO_OK : fail_memory(err, (size_t)(l->dirs * states_size(l, batch)) * sizeof(real));
}
static int recurrent_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, p, from_learned);
    for (int d = 0; d < l->dirs; d++) parts[2 + d] = ops.tape(l->dir[d]);
    return 2 + l->dirs;
}
static void recurrent_release(layer *l)
{
    release_rows(&l->h.y, &l->h.cap_rows);
    for (int d = 0; d < l->dirs; d++) ops.release(l->dir[d]);
    dilated_release(&l->narrow);
}

/* The learned initial state of direction d, for one row. */
static void learned_row(const layer *l, int d, real *row)
{
    const real *w = l->h.w + d * (l->tensors_size + l->initial_size) + l->tensors_size;
    for (int k = 0; k < l->states; w += l->width[k++]) memcpy(row + l->at[k], w, (size_t)l->width[k] * sizeof(real));
}
static bool reads_back(const layer *l, int d) { return d ? true : l->h.s.cell.reverse; }
/* The states of B rows of the given batch and direction d, to or from those of the narrow one. */
static void turn_states(const layer *l, int d, int64_t B, bool behind, real *wide, real *narrow, bool back)
{
    dilated_states(&l->narrow, l->D, B, reads_back(l, d), behind, l->ls, wide, narrow, back);
}
static const real *initial_states(layer *l, int64_t B, const void *given)
{
    int64_t one = states_size(l, B);
    if (!given && !l->h.s.learned_state) return NULL;
    if (given && l->D == 1) return given;
    for (int d = 0; d < l->dirs; d++)
        if (given)
            turn_states(l, d, B, false, (real *)given + d * one, l->initial + d * one, false);
        else
            for (int64_t b = 0; b < B * l->D; b++) learned_row(l, d, l->initial + d * one + b * l->ls);
    return l->initial;
}
/* The row of the batch as given of row i of the one that the cells see. */
static int64_t given_row(const layer *l, int64_t i) { return l->D > 1 ? l->narrow.at[i] : i; }
static void gather_task(void *ctx, int64_t i, int thread)
{
    const layer *l = ctx;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->p->b.R, (i + 1) * ROWS_PER_TASK); r++)
        memcpy(l->narrow.x + r * l->ldx_part, l->x + given_row(l, r) * l->ldx, (size_t)l->h.s.in * sizeof(real));
}
static void scatter_task(void *ctx, int64_t i, int thread)
{
    const layer *l = ctx;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->p->b.R, (i + 1) * ROWS_PER_TASK); r++)
        memcpy(l->dx + given_row(l, r) * l->lddx, l->dx_part + r * l->ldx_part, (size_t)l->h.s.in * sizeof(real));
}
static void output_task(void *ctx, int64_t t, int thread)
{
    layer *l = ctx;
    (void)thread;
    for (int d = 0; d < l->dirs; d++) {
        int64_t ld;
        const real *from = ops.output(l->dir[d], t, &ld);
        for (int64_t b = 0; b < l->p->b.active[t]; b++) {
            int64_t row = given_row(l, l->p->b.off[t] + b);
            real *to = l->h.y + row * l->h.ldy + d * l->P;
            const real *x = l->x + row * l->ldx + d * l->P;
            for (int64_t j = 0; j < l->P; j++) to[j] = from[b * ld + j] + (l->h.s.residual ? x[j] : 0);
        }
    }
}
static void recurrent_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    const int64_t B = p->b.B, one = states_size(l, B);
    const bool narrow = l->D > 1;
    if (narrow) dilated_lay(&l->narrow, l->D, p), p = &l->narrow.p;
    const real *start = initial_states(l, B, initial);
    l->p = p, l->x = x, l->ldx = ldx, l->started = start, l->from_learned = l->h.s.learned_state && !initial;
    if (narrow) pool_run(l->h.pool, ceil_div(p->b.R, ROWS_PER_TASK), gather_task, l);
    for (int d = 0; d < l->dirs; d++) {
        const real *s = start ? start + d * one : NULL;
        real *to = final ? (real *) final + d * one : NULL;
        ops.forward(l->dir[d], p, narrow ? l->narrow.x : x, narrow ? l->ldx_part : ldx, s);
        if (final) ops.final(l->dir[d], s, narrow ? l->carry : to);
        if (final && narrow) turn_states(l, d, B, true, to, l->carry, true);
    }
    if (l->own_output) pool_run(l->h.pool, p->b.T, output_task, l);
}
static const void *recurrent_output(const layer *l, int64_t *ld)
{
    if (!l->own_output) return l->p->b.T ? ops.output(l->dir[0], 0, ld) : (*ld = l->ls, l->carry);
    *ld = l->h.ldy;
    return l->h.y;
}
/* ---- dy of one direction, with the gradient of the penalties ---- h of the row b one step on or back, or NULL */
static const real *h_before(const layer *l, int64_t t, int64_t b)
{
    int64_t ld;
    if (t) return (const real *)ops.output(l->dir[l->part], t - 1, &ld) + b * l->ls;
    if (!l->p->first_step || !l->started) return NULL;
    return (const real *)ops.output(l->dir[l->part], 0, &ld) +
           (b - l->p->b.B) * l->ls; /* initial states lie in front */
}
static const real *h_behind(const layer *l, int64_t t, int64_t b)
{
    int64_t ld;
    if (t + 1 == l->p->b.T) return b < l->edge_rows ? l->edge + b * l->ld_dir : NULL;
    return b < l->p->b.active[t + 1] ? (const real *)ops.output(l->dir[l->part], t + 1, &ld) + b * l->ls : NULL;
}
static void add_difference(int64_t n, real scale, const real *a, const real *b, real *to)
{
    for (int64_t j = 0; j < n; j++) to[j] += scale * (a[j] - b[j]);
}
static void add_penalties(const layer *l, int64_t t, int64_t b, real *to)
{
    const layer_spec *s = &l->h.s;
    const double scale = 2 * l->p->token_scale / (double)s->out;
    const real size = (real)(scale * s->activation_reg), change = (real)(scale * s->temporal_reg);
    int64_t ld;
    const real *h = (const real *)ops.output(l->dir[l->part], t, &ld) + b * l->ls;
    for (int64_t j = 0; j < l->P; j++) to[j] += size * h[j];
    if (s->temporal_reg <= 0) return;
    const real *before = h_before(l, t, b), *behind = h_behind(l, t, b);
    if (before) add_difference(l->P, change, h, before, to);
    if (behind) add_difference(l->P, change, h, behind, to);
}
static void part_task(void *ctx, int64_t t, int thread)
{
    layer *l = ctx;
    bool penalty = has_penalty(l) && l->p->train;
    (void)thread;
    for (int64_t b = 0; b < l->p->b.active[t]; b++) {
        int64_t r = l->p->b.off[t] + b;
        real *to = l->dy_part + r * l->ld_dir;
        memcpy(to, l->dy + given_row(l, r) * l->lddy + l->part * l->P, (size_t)l->P * sizeof(real));
        if (penalty) add_penalties(l, t, b, to);
    }
}
/* Where a window is walked in parts, the last comes first: h of its first step is what follows the part before it. */
static void begin_edge(layer *l)
{
    const pass *p = l->p;
    l->edge_rows = p->steps && p->first_step + p->b.T < p->steps ? l->next_edge_rows : 0;
}
static void keep_edge(layer *l)
{
    int64_t ld;
    l->next_edge_rows = l->h.s.temporal_reg > 0 && l->p->b.T ? l->p->b.active[0] : 0;
    for (int64_t b = 0; b < l->next_edge_rows; b++)
        memcpy(l->edge + b * l->ld_dir, (const real *)ops.output(l->dir[0], 0, &ld) + b * l->ls,
               (size_t)l->P * sizeof(real));
}
static void residual_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->p->b.R, (i + 1) * ROWS_PER_TASK); r++)
        for (int64_t j = 0; j < l->h.s.in; j++) l->dx[r * l->lddx + j] += l->dy[r * l->lddy + j];
}
static void learned_gradient(const layer *l, const real *carry, real *dw)
{
    for (int64_t b = 0; b < l->p->b.B; b++) {
        real *to = dw;
        for (int k = 0; k < l->states; to += l->width[k++])
            for (int64_t j = 0; j < l->width[k]; j++) to[j] += carry[b * l->ls + l->at[k] + j];
    }
}
static void recurrent_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams,
                               void *dx, int64_t lddx)
{
    const int64_t tasks = ceil_div(p->b.R, ROWS_PER_TASK), params = l->tensors_size + l->initial_size, B = p->b.B,
                  one = states_size(l, B);
    const bool copy = copies_dy(l), narrow = l->D > 1;
    real *states = carry && !narrow ? carry : l->carry, *to = dx && narrow ? l->dx_part : dx;
    if (!carry) memset(states, 0, (size_t)(l->dirs * one) * sizeof(real));
    l->p = narrow ? &l->narrow.p : p, l->dy = dy, l->lddy = ldy, l->dx = dx, l->lddx = lddx;
    begin_edge(l);
    for (int d = 0; d < l->dirs; d++) {
        real *c = states + d * one, *wide = carry ? (real *)carry + d * one : NULL, *dw = (real *)dparams + d * params;
        l->part = d;
        if (narrow && carry) turn_states(l, d, B, true, wide, c, false);
        if (copy) pool_run(l->h.pool, l->p->b.T, part_task, l);
        ops.backward(l->dir[d], copy ? l->dy_part : dy, copy ? l->ld_dir : ldy, c, dw, to, narrow ? l->ldx_part : lddx,
                     d > 0);
        if (l->from_learned) learned_gradient(l, c, dw + l->tensors_size);
        if (narrow && carry) turn_states(l, d, B, false, wide, c, true);
    }
    keep_edge(l);
    if (dx && narrow) pool_run(l->h.pool, tasks, scatter_task, l);
    if (dx && l->h.s.residual) pool_run(l->h.pool, tasks, residual_task, l);
}
static int64_t recurrent_state(const layer *l) { return l->dirs * l->D * l->ls; }
static int recurrent_states(const layer *l, int64_t *at, int64_t *width)
{
    memcpy(at, l->at, sizeof l->at), memcpy(width, l->width, sizeof l->width);
    return l->states;
}
static void recurrent_step_init(const layer *l, void *row)
{
    memset(row, 0, (size_t)states_size(l, 1) * sizeof(real));
    for (int64_t j = 0; l->h.s.learned_state && j < l->D; j++) learned_row(l, 0, (real *)row + j * l->ls);
}
static int64_t recurrent_scratch(const layer *l, int64_t m)
{
    if (l->dirs == 2 || l->h.s.cell.reverse) return -1;
    return ops.step_scratch(l->dir[0], m) + (l->D > 1 ? 2 * m * l->ls : 0);
}
static int64_t recurrent_own(const layer *l, int64_t m) { return ops.step_own(l->dir[0], m); }
/* The states of the streams take turns: the first is of this step, its new one becomes the last. */
static void first_states(const layer *l, const step_call *c, real *first)
{
    for (int64_t i = 0; first_member(c) && i < c->m; i++)
        memcpy(first + i * l->ls, (const real *)c->s + i * l->D * l->ls, (size_t)l->ls * sizeof(real));
    team_meet(c->t);
}
static void last_states(const layer *l, const step_call *c, const real *last)
{
    const int64_t others = (l->D - 1) * l->ls;
    for (int64_t i = 0; first_member(c) && i < c->m; i++) {
        real *to = (real *)c->sn + i * l->D * l->ls;
        memcpy(to, (const real *)c->s + i * l->D * l->ls + l->ls, (size_t)others * sizeof(real));
        memcpy(to + others, last + i * l->ls, (size_t)l->ls * sizeof(real));
    }
}
static void recurrent_step(const layer *l, const step_call *c)
{
    const bool narrow = l->D > 1;
    const int64_t rows = c->m * l->ls;
    const real *s = narrow ? c->scratch : c->s;
    real *sn = narrow ? (real *)c->scratch + rows : c->sn;
    int64_t from, to;
    if (narrow) first_states(l, c, c->scratch);
    ops.step(l->dir[0], c->m, c->x, c->ldx, s, sn, (real *)c->scratch + (narrow ? 2 * rows : 0), c->own, c->t);
    if (narrow) last_states(l, c, sn);
    team_share(c->t, l->P, &from, &to);
    for (int64_t i = 0; i < c->m; i++) {
        real *y = row_out(c, i);
        const real *h = sn + i * l->ls, *x = row_in(c, i);
        memcpy(y + from, h + from, (size_t)(to - from) * sizeof(real));
        for (int64_t j = from; l->h.s.residual && j < to; j++) y[j] += x[j];
    }
}
static int64_t recurrent_work(const layer *l) { return l->dirs * ops.work_per_row(l->dir[0]); }
static const recur *recurrent_inside(const layer *l, int direction)
{
    return direction < l->dirs && l->D == 1 ? l->dir[direction] : NULL;
}
extern const layer_kind N(recurrent_layer);
const layer_kind N(recurrent_layer) = { "recurrent",         "a cell over time: `lstm 256 x2`, see `laco help cells`",
                                        recurrent_describe,  recurrent_make,
                                        recurrent_free,      recurrent_weights,
                                        recurrent_load,      recurrent_bytes,
                                        recurrent_reserve,   recurrent_tape,
                                        recurrent_release,   recurrent_forward,
                                        recurrent_output,    recurrent_backward,
                                        recurrent_state,     recurrent_states,
                                        recurrent_step_init, recurrent_scratch,
                                        recurrent_own,       recurrent_step,
                                        recurrent_work,      recurrent_inside };
