/* dense N: y = f(W x + b), W [N][in], f linear, tanh, sigmoid or relu.
   dz = dy f'(y);  dW = dz^T x;  db = column sums of dz;  dx = dz W */
#include "layer/matrix.h"
#include "math/activation.h"
#include "math/narrow.h"

struct layer {
    layer_head h;
    matrix m;
    char *narrow; /* [panels of W][panel_bytes] for streaming, when the weights are not float */
    size_t panel_bytes;
    weights_kind kind;
    real *dz; /* [R][ldy], when f is not linear */
    int64_t cap_dz, row_block;
    const real *x; /* to ldx: of the tape */
    int64_t R, ldx;
    const real *dz_in;
    real *dw, *dx;
    int64_t lddz, lddx;
    real *scratch; /* [thread][KC * PANEL] */
};

static laco_status dense_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    if (s->symbols) return fail(err, LACO_EINVAL, -1, "dense needs numbers: put embed before it");
    t[0] = (param_tensor){ .name = "weight",
                           .rank = 2,
                           .shape = { s->out, s->in },
                           .size = s->out * s->in,
                           .role = INIT_INPUT,
                           .gates = 1,
                           .forget_block = -1 };
    t[1] = (param_tensor){ .name = "bias",
                           .rank = 1,
                           .shape = { s->out },
                           .size = s->out,
                           .offset = s->out * s->in,
                           .role = INIT_BIAS,
                           .gates = 1,
                           .forget_block = -1 };
    *count = s->bias ? 2 : 1;
    return LACO_OK;
}
static void dense_free(layer *l)
{
    if (l) mem_free(l->h.y), matrix_free(&l->m), mem_free(l->dz), mem_free(l->scratch), mem_free(l->narrow);
    mem_free(l);
}
static laco_status dense_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->out);
    l->scratch = mem_new((size_t)pool_threads(p) * KC * PANEL, sizeof(real));
    if (!matrix_new(&l->m, s->out, s->in) || !l->scratch)
        return dense_free(l), fail_memory(err, (size_t)(s->out * s->in) * sizeof(real));
    *out = l;
    return LACO_OK;
}
static void dense_pack_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    matrix_pack(&l->m, l->h.w, i);
    if (l->narrow && i < ceil_div(l->h.s.out, PANEL))
        narrow_pack(l->kind, l->h.s.in, (real *)(l->m.W + i * l->h.s.in * NV), l->narrow + (size_t)i * l->panel_bytes);
}
static laco_status dense_weights(layer *l, weights_kind kind, laco_error *err)
{
    size_t panels = (size_t)ceil_div(l->h.s.out, PANEL);
    mem_free(l->narrow), l->narrow = NULL;
    l->kind = kind, l->panel_bytes = narrow_panel_bytes(kind, l->h.s.in);
    if (kind == WEIGHTS_FLOAT || (l->narrow = mem_new(panels, l->panel_bytes))) return LACO_OK;
    return fail_memory(err, panels * l->panel_bytes);
}
static void dense_load(layer *l, const void *w, bool train)
{
    l->h.w = w;
    pool_run(l->h.pool, matrix_packs(&l->m, train), dense_pack_task, l);
}
static size_t dense_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    (void)batch;
    return rows_bytes(rows, l->h.ldy) * (size_t)(tapes + (train && l->h.s.act != ACT_LINEAR));
}
static laco_status dense_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    (void)batch;
    laco_status st = reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
    return st || !train || l->h.s.act == ACT_LINEAR ? st : reserve_rows(&l->dz, &l->cap_dz, rows, l->h.ldy, err);
}
static int dense_tape(layer *l, tape_part parts[TAPE_PARTS])
{
    return parts[0] = TAPE_HEAD(l), parts[1] = TAPE_FIELDS(l, x, ldx), 2;
}
static void dense_release(layer *l) { release_rows(&l->h.y, &l->h.cap_rows); }
/* y = f(y + bias) in m rows, columns from `from` to `end` */
static void dense_finish(const layer *l, int64_t m, real *y, int64_t ldy, int64_t from, int64_t end)
{
    const real *bias = l->h.w + l->h.s.out * l->h.s.in;
    for (int64_t r = 0; r < m; r++)
        for (int64_t j = from; j < end; j += LANES) {
            real *to = y + r * ldy + j;
            int64_t n = min64(LANES, end - j);
            vec v = splat(0);
            memcpy(&v, to, (size_t)n * sizeof(real));
            for (int64_t i = 0; l->h.s.bias && i < n; i++) v[i] += bias[j + i];
            v = activate(l->h.s.act, v);
            memcpy(to, &v, (size_t)n * sizeof(real));
        }
}
/* The panels of outputs from `from` to `to`. */
static void dense_rows(const layer *l, int64_t m, const real *x, int64_t ldx, real *y, int64_t ldy, int64_t from,
                       int64_t to)
{
    gemm_groups(&(row_group){ m, x, y }, 1, l->h.s.out, l->h.s.in, ldx, l->m.W, ldy, false, from, to);
    dense_finish(l, m, y, ldy, from * PANEL, min64(l->h.s.out, to * PANEL));
}
static void dense_forward_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    int64_t r = i * ROWS_PER_TASK;
    (void)thread;
    dense_rows(l, min64(ROWS_PER_TASK, l->R - r), l->x + r * l->ldx, l->ldx, l->h.y + r * l->h.ldy, l->h.ldy, 0,
               ceil_div(l->h.s.out, PANEL));
}
static void dense_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    (void)initial, (void) final;
    l->x = x, l->ldx = ldx, l->R = p->b.R;
    pool_run(l->h.pool, ceil_div(l->R, ROWS_PER_TASK), dense_forward_task, l);
}
static const void *dense_output(const layer *l, int64_t *ld) { return *ld = l->h.ldy, l->h.y; }

static void dense_dz_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->R, (i + 1) * ROWS_PER_TASK); r++)
        for (int64_t j = 0; j < l->h.s.out; j++)
            l->dz[r * l->h.ldy + j] =
                l->dz_in[r * l->lddz + j] * d_activate(l->h.s.act, splat(l->h.y[r * l->h.ldy + j]))[0];
}
/* Panels of the weight gradient, then blocks of rows of dx, then the bias. */
static void dense_back_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    int64_t in = l->h.s.in, out = l->h.s.out, panels = ceil_div(in, PANEL),
            blocks = l->dx ? ceil_div(l->R, ROWS_PER_TASK) : 0;
    if (i < panels)
        matrix_gradient(&l->m, i, l->R, l->x, l->ldx, l->dz_in, l->lddz, l->dw,
                        (vec *)(l->scratch + thread * KC * PANEL));
    else if ((i -= panels) < blocks) {
        int64_t r = i * ROWS_PER_TASK;
        matrix_back(&l->m, min64(ROWS_PER_TASK, l->R - r), l->dz_in + r * l->lddz, l->lddz, l->dx + r * l->lddx,
                    l->lddx, false);
    } else
        bias_gradient(l->R, out, l->dz_in, l->lddz, l->dw + out * in);
}
static void dense_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                           int64_t lddx)
{
    (void)carry;
    l->R = p->b.R, l->dz_in = dy, l->lddz = ldy, l->dw = dparams, l->dx = dx, l->lddx = lddx;
    if (l->h.s.act != ACT_LINEAR) {
        pool_run(l->h.pool, ceil_div(l->R, ROWS_PER_TASK), dense_dz_task, l);
        l->dz_in = l->dz, l->lddz = l->h.ldy;
    }
    pool_run(l->h.pool, ceil_div(l->h.s.in, PANEL) + (dx ? ceil_div(l->R, ROWS_PER_TASK) : 0) + l->h.s.bias,
             dense_back_task, l);
}
/* Room for rows of any kind, and one panel of outputs. */
static int64_t dense_own(const layer *l, int64_t m)
{
    int64_t bytes = 0;
    m = min64(m, ROW_BLOCK);
    for (int kind = WEIGHTS_BF16; kind <= WEIGHTS_INT8; kind++)
        bytes = max64(bytes, (int64_t)narrow_left_bytes(kind, m, l->h.s.in));
    return row_stride(m * PANEL) + row_stride(bytes / (int64_t)sizeof(real));
}
static void narrow_rows(const layer *l, int64_t m, const real *x, int64_t ldx, real *y, int64_t ldy, int64_t from,
                        int64_t to, real *memory)
{
    real *z = memory;
    void *left = memory + row_stride(m * PANEL);
    narrow_left(l->kind, m, l->h.s.in, x, ldx, left);
    for (int64_t p = from; p < to; p++) {
        narrow_product(l->kind, m, l->h.s.in, left, l->narrow + (size_t)p * l->panel_bytes, z, PANEL);
        for (int64_t i = 0; i < m; i++)
            memcpy(y + i * ldy + p * PANEL, z + i * PANEL, (size_t)min64(PANEL, l->h.s.out - p * PANEL) * sizeof(real));
    }
    dense_finish(l, m, y, ldy, from * PANEL, min64(l->h.s.out, to * PANEL));
}
static void dense_step(const layer *l, const step_call *c)
{
    int64_t from, to;
    team_share(c->t, ceil_div(l->h.s.out, PANEL), &from, &to);
    for (int64_t i = 0; i < c->m; i += ROW_BLOCK)
        if (l->narrow)
            narrow_rows(l, min64(ROW_BLOCK, c->m - i), row_in(c, i), c->ldx, row_out(c, i), c->ldy, from, to, c->own);
        else
            dense_rows(l, min64(ROW_BLOCK, c->m - i), row_in(c, i), c->ldx, row_out(c, i), c->ldy, from, to);
}
static int64_t dense_work(const layer *l) { return l->h.s.in * l->h.s.out; }
extern const layer_kind N(dense_layer);
const layer_kind N(dense_layer) = { "dense",        "a matrix, a bias and an activation",
                                    dense_describe, dense_make,
                                    dense_free,     dense_weights,
                                    dense_load,     dense_bytes,
                                    dense_reserve,  dense_tape,
                                    dense_release,  dense_forward,
                                    dense_output,   dense_backward,
                                    no_state,       no_states,
                                    no_init,        no_scratch,
                                    dense_own,      dense_step,
                                    dense_work,     no_inside };
