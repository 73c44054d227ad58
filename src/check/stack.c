#include "check/stack.h"

/* ---- numbers of either real type ---- */
static void put_real(const stack *s, void *base, int64_t i, double x)
{
    if (s->k->real_size == 4) ((float *)base)[i] = (float)x;
    else ((double *)base)[i] = x;
}
static double get_real(const stack *s, const void *base, int64_t i)
{
    return s->k->real_size == 4 ? (double)((const float *)base)[i] : ((const double *)base)[i];
}
static void put_reals(const stack *s, void *base, const double *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) put_real(s, base, i, from[i]);
}
static void get_reals(const stack *s, double *to, const void *base, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = get_real(s, base, i);
}

/* ---- making ---- */
laco_status stack_describe(stack *s, const kernels *k, const layer_spec *specs, int layers, int64_t in, laco_error *err)
{
    *s = (stack){ .k = k, .layers = layers, .in = in, .out = in };
    for (int l = 0; l < layers; l++) {
        stack_layer *q = &s->layer[l];
        q->spec = specs[l], q->spec.in = s->out, q->kind = kernels_layer(k, specs[l].kind);
        laco_status st = q->kind->describe(&q->spec, q->tensor, &q->tensors, err);
        if (st) return st;
        for (int t = 0; t < q->tensors; t++) q->params += q->tensor[t].size;
        s->out = q->spec.out;
    }
    s->dirs = specs[0].bidirectional ? 2 : 1;
    return LACO_OK;
}

/* Longest first, rows of one length in the order given. */
static void sort_rows(stack *s)
{
    int64_t n = 0;
    for (int64_t t = s->T; t >= 0; t--)
        for (int64_t b = 0; b < s->B; b++)
            if (s->length[b] == t) s->order[n++] = b;
    for (int64_t t = 0; t < s->T; t++) {
        for (int64_t b = 0; b < s->B; b++) s->active[t] += s->length[b] > t;
        s->off[t + 1] = s->off[t] + s->active[t];
    }
    s->pass.b = (ragged){ s->T, s->B, s->off[s->T], s->active, s->off };
    s->pass.train = true, s->pass.seed = 3, s->pass.update = 17, s->pass.token_scale = 0.7;
}

/* Rows as the layers want them: whole cache lines, and a little behind the last. */
static int64_t row_reals(int64_t n) { return ceil_div(n, 16) * 16; }
static void *new_reals(const stack *s, int64_t rows, int64_t ld)
{
    return mem_new((size_t)(rows * ld + 64), (size_t)s->k->real_size);
}

static laco_status make_layer(stack *s, stack_layer *q, laco_error *err)
{
    int64_t rows = s->pass.b.R;
    laco_status st = q->kind->make(&q->layer, &q->spec, s->pool, err);
    if (!st) st = q->kind->reserve(q->layer, rows, s->B, true, err);
    if (st) return st;
    q->stride = q->kind->state_stride(q->layer), q->lddx = row_reals(q->spec.in);
    double **state[] = { &q->s0, &q->sn, &q->dsn, &q->ds0 };
    void **real_state[] = { &q->real_s0, &q->real_sn };
    bool ok = (q->w = mem_new((size_t)q->params, sizeof(double))) != NULL;
    ok &= (q->g = mem_new((size_t)q->params, sizeof(double))) != NULL;
    for (int i = 0; i < 4; i++) ok &= (*state[i] = mem_new((size_t)(q->stride * s->B), sizeof(double))) != NULL;
    for (int i = 0; i < 2; i++) ok &= (*real_state[i] = new_reals(s, s->B, q->stride)) != NULL;
    ok &= (q->y = mem_new((size_t)(s->T * s->B), (size_t)q->spec.out * sizeof(double))) != NULL;
    ok &= (q->h = mem_new((size_t)(s->T * s->B), (size_t)q->spec.out * sizeof(double))) != NULL;
    ok &= (q->real_w = new_reals(s, 1, q->params)) != NULL;
    ok &= (q->real_g = new_reals(s, 1, q->params)) != NULL;
    ok &= (q->real_dx = new_reals(s, rows, q->lddx)) != NULL;
    return ok ? LACO_OK : fail_memory(err, (size_t)q->params * sizeof(double));
}

static laco_status find_states(stack *s, laco_error *err)
{
    recur *r = NULL;
    cell_spec c = s->layer[0].spec.cell;
    c.inputs = s->in;
    laco_status st = s->k->recur->make(&r, &c, s->pool, err);
    if (st) return st;
    s->states = s->k->recur->states(r, s->at, s->width);
    s->k->recur->free(r);
    return LACO_OK;
}

laco_status stack_make(stack *s, pool *p, int64_t T, int64_t B, const int64_t *lengths, laco_error *err)
{
    s->pool = p, s->T = T, s->B = B;
    int64_t **counts[] = { &s->length, &s->order, &s->active, &s->off };
    bool ok = true;
    for (int i = 0; i < 4; i++) ok &= (*counts[i] = mem_new((size_t)(i < 2 ? B : T + 1), sizeof(int64_t))) != NULL;
    double **rows[] = { &s->x, &s->dx, &s->y, &s->dy };
    for (int i = 0; i < 4; i++)
        ok &= (*rows[i] = mem_new((size_t)(T * B), (size_t)(i < 2 ? s->in : s->out) * sizeof(double))) != NULL;
    if (!ok) return fail_memory(err, (size_t)(T * B * (s->in + s->out)) * sizeof(double));
    for (int64_t b = 0; b < B; b++) s->length[b] = lengths ? lengths[b] : T;
    sort_rows(s);
    s->real_x = new_reals(s, s->pass.b.R, row_reals(s->in)), s->real_dy = new_reals(s, s->pass.b.R, row_reals(s->out));
    if (!s->real_x || !s->real_dy) return fail_memory(err, 0);
    laco_status st = find_states(s, err);
    for (int l = 0; !st && l < s->layers; l++) st = make_layer(s, &s->layer[l], err);
    return st;
}

void stack_free(stack *s)
{
    for (int l = 0; l < s->layers; l++) {
        stack_layer *q = &s->layer[l];
        void *all[] = { q->y, q->h, q->w, q->g, q->s0, q->sn, q->dsn, q->ds0, q->real_w, q->real_g, q->real_s0, q->real_sn,
            q->real_dx };
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
        if (q->kind) q->kind->free(q->layer);
    }
    void *all[] = { s->length, s->order, s->active, s->off, s->x, s->y, s->dy, s->dx, s->real_x, s->real_dy };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    *s = (stack){ 0 };
}

/* ---- running ---- */
int64_t stack_state(const stack *s, int d, int k, int64_t b, int64_t i)
{
    return (d * s->B + b) * (s->layer[0].stride / s->dirs) + s->at[k] + i;
}
/* States from the order given to that of the batch, or back. */
static void states_in(const stack *s, void *to, const double *from)
{
    int64_t n = s->layer[0].stride / s->dirs;
    for (int64_t r = 0; r < s->dirs * s->B; r++)
        for (int64_t i = 0; i < n; i++)
            put_real(s, to, r * n + i, from[(r / s->B * s->B + s->order[r % s->B]) * n + i]);
}
static void states_out(const stack *s, double *to, const void *from)
{
    int64_t n = s->layer[0].stride / s->dirs;
    for (int64_t r = 0; r < s->dirs * s->B; r++)
        for (int64_t i = 0; i < n; i++)
            to[(r / s->B * s->B + s->order[r % s->B]) * n + i] = get_real(s, from, r * n + i);
}
static void rows_in(const stack *s, void *to, int64_t ld, const double *from, int64_t width)
{
    for (int64_t t = 0; t < s->T; t++)
        for (int64_t b = 0; b < s->active[t]; b++)
            for (int64_t i = 0; i < width; i++)
                put_real(s, to, (s->off[t] + b) * ld + i, from[(t * s->B + s->order[b]) * width + i]);
}
static void rows_out(const stack *s, double *to, const void *from, int64_t ld, int64_t width)
{
    memset(to, 0, (size_t)(s->T * s->B * width) * sizeof *to);
    for (int64_t t = 0; t < s->T; t++)
        for (int64_t b = 0; b < s->active[t]; b++)
            for (int64_t i = 0; i < width; i++)
                to[(t * s->B + s->order[b]) * width + i] = get_real(s, from, (s->off[t] + b) * ld + i);
}

void stack_forward(stack *s)
{
    const void *x = s->real_x;
    int64_t ld = row_reals(s->in);
    rows_in(s, s->real_x, ld, s->x, s->in);
    for (int l = 0; l < s->layers; l++) {
        stack_layer *q = &s->layer[l];
        put_reals(s, q->real_w, q->w, q->params);
        q->kind->load(q->layer, q->real_w, true);
        states_in(s, q->real_s0, q->s0);
        q->kind->forward(q->layer, &s->pass, x, ld, s->no_initial ? NULL : q->real_s0, q->real_sn);
        states_out(s, q->sn, q->real_sn);
        x = q->kind->output(q->layer, &ld);
        rows_out(s, q->y, x, ld, q->spec.out);
        const double *in = l ? s->layer[l - 1].y : s->x;
        for (int64_t i = 0; i < s->T * s->B * q->spec.out; i++) q->h[i] = q->y[i] - (q->spec.residual ? in[i] : 0);
    }
    memcpy(s->y, s->layer[s->layers - 1].y, (size_t)(s->T * s->B * s->out) * sizeof *s->y);
}
void stack_backward(stack *s)
{
    const void *dy = s->real_dy;
    int64_t ld = row_reals(s->out);
    rows_in(s, s->real_dy, ld, s->dy, s->out);
    for (int l = s->layers - 1; l >= 0; l--) {
        stack_layer *q = &s->layer[l];
        memset(q->real_g, 0, (size_t)(q->params * s->k->real_size));
        states_in(s, q->real_sn, q->dsn);
        q->kind->backward(q->layer, &s->pass, dy, ld, q->real_sn, q->real_g, q->real_dx, q->lddx);
        get_reals(s, q->g, q->real_g, q->params);
        states_out(s, q->ds0, q->real_sn);
        dy = q->real_dx, ld = q->lddx;
    }
    rows_out(s, s->dx, dy, ld, s->in);
}

static double penalties(const stack *s, int l)
{
    const layer_spec *q = &s->layer[l].spec;
    double size = 0, change = 0;
    for (int64_t b = 0; b < s->B; b++)
        for (int64_t t = 0; t < s->length[b]; t++)
            for (int64_t i = 0; i < q->out; i++) {
                const double *h = s->layer[l].h + (t * s->B + b) * q->out + i, d = t ? h[0] - h[-s->B * q->out] : 0;
                size += h[0] * h[0], change += d * d;
            }
    return s->pass.token_scale / (double)q->out * (q->activation_reg * size + q->temporal_reg * change);
}
double stack_loss(const stack *s)
{
    double sum = 0;
    for (int l = 0; l < s->layers; l++) sum += penalties(s, l);
    for (int64_t t = 0; t < s->T; t++)
        for (int64_t b = 0; b < s->B; b++)
            for (int64_t i = 0; t < s->length[b] && i < s->out; i++)
                sum += s->y[(t * s->B + b) * s->out + i] * s->dy[(t * s->B + b) * s->out + i];
    for (int l = 0; l < s->layers; l++)
        for (int d = 0; d < s->dirs; d++)
            for (int k = 0; k < s->states; k++)
                for (int64_t b = 0; b < s->B; b++)
                    for (int64_t i = 0; i < s->width[k]; i++) {
                        int64_t at = stack_state(s, d, k, b, i);
                        sum += s->layer[l].sn[at] * s->layer[l].dsn[at];
                    }
    return sum;
}
