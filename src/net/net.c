#include "net/net.h"
#include <stdio.h>

/* ---- life ---- */
void net_free(net *n)
{
    if (!n) return;
    for (int i = 0; i < n->d.layers; i++) {
        if (n->kind[i]) n->kind[i]->free(n->layer[i]);
        mem_free(n->state[i][0]), mem_free(n->state[i][1]);
    }
    if (n->head) n->k->loss->softmax_free(n->head);
    mem_free(n->tensor), mem_free(n->w), mem_free(n->g), mem_free(n->tied), mem_free(n->d_rows[0]),
        mem_free(n->d_rows[1]), mem_free(n);
}

static bool is_tied(const net *n, int i) { return n->d.tied && i == n->d.layers - 1; }

/* Names and offsets of all tensors; a tied layer has only its bias. */
static laco_status list_tensors(net *n, laco_error *err)
{
    param_tensor t[2 * MAX_TENSORS];
    int count;
    if (!(n->tensor = mem_new((size_t)n->d.layers * 2 * MAX_TENSORS, sizeof *n->tensor))) return fail_memory(err, 0);
    for (int i = 0; i < n->d.layers; i++) {
        laco_status st = n->kind[i]->describe(&n->d.layer[i], t, &count, err);
        if (st) return st;
        n->base[i] = n->params, n->tensor_layer[i] = n->tensors;
        for (int k = is_tied(n, i); k < count; k++) {
            param_tensor *to = &n->tensor[n->tensors++];
            *to = t[k];
            snprintf(to->name, sizeof to->name, "layers.%d.%.40s", i, t[k].name);
            to->offset = n->params, n->params += t[k].size;
            if (n->params > (int64_t)1 << 40)
                return fail(err, LACO_EINVAL, -1, "the network has more than 2^40 parameters");
        }
    }
    n->tensor_layer[n->d.layers] = n->tensors;
    return LACO_OK;
}

laco_status net_new(net **out, const net_description *d, int64_t inputs, const kernels *k, pool *p, laco_error *err)
{
    net *n = mem_new(1, sizeof *n);
    if (!n) return fail_memory(err, sizeof *n);
    n->k = k, n->pool = p, n->d = *d, n->inputs = inputs;
    n->symbols = d->layer[0].symbols, n->outputs = d->layer[d->layers - 1].out;
    for (int i = 0; i < d->layers; i++) n->kind[i] = kernels_layer(k, d->layer[i].kind);
    laco_status st = list_tensors(n, err);
    if (!st && (!(n->w = mem_new((size_t)n->params, (size_t)k->real_size))))
        st = fail_memory(err, (size_t)n->params * (size_t)k->real_size);
    for (int i = 0; !st && i < d->layers; i++) st = n->kind[i]->make(&n->layer[i], &n->d.layer[i], p, err);
    if (st) return net_free(n), st;
    *out = n;
    return LACO_OK;
}

static void *real_at(const net *n, void *base, int64_t i) { return (char *)base + i * n->k->real_size; }
double net_get(const net *n, int64_t i)
{
    return n->k->real_size == 4 ? (double)((float *)n->w)[i] : ((double *)n->w)[i];
}
void net_set(net *n, int64_t i, double x)
{
    if (n->k->real_size == 4)
        ((float *)n->w)[i] = (float)x;
    else
        ((double *)n->w)[i] = x;
}
const param_tensor *net_find(const net *n, const char *name)
{
    for (int i = 0; i < n->tensors; i++)
        if (!strcmp(n->tensor[i].name, name)) return &n->tensor[i];
    return NULL;
}

/* ---- memory ---- */
laco_status net_load(net *n, bool train, bool run, laco_error *err)
{
    int last = n->d.layers - 1;
    for (int i = 0; i < last; i++) n->kind[i]->load(n->layer[i], real_at(n, n->w, n->base[i]), train);
    if (!run) return LACO_OK;
    void *w = real_at(n, n->w, n->base[last]);
    if (n->d.tied) {
        size_t table = (size_t)(n->inputs * n->d.layer[last].in * n->k->real_size),
               bias = (size_t)((n->params - n->base[last]) * n->k->real_size);
        if (!n->tied && !(n->tied = mem_new(table + bias, 1))) return fail_memory(err, table + bias);
        memcpy(n->tied, n->w, table), memcpy((char *)n->tied + table, w, bias);
        w = n->tied;
    }
    n->kind[last]->load(n->layer[last], w, train);
    return LACO_OK;
}

static int64_t widest(const net *n)
{
    int64_t w = n->symbols ? 1 : n->inputs;
    for (int i = 0; i < n->d.layers; i++) w = max64(w, n->d.layer[i].out);
    return w + 64;
}
static int64_t between(const net *n) /* reals of a row of gradients between layers, whole cache lines */
{
    int64_t w = 1;
    for (int i = 0; i + 1 < n->d.layers; i++) w = max64(w, n->d.layer[i].out);
    int64_t lines = ceil_div(w * n->k->real_size, 64) | 1;
    return lines * 64 / n->k->real_size;
}
static size_t state_bytes(const net *n, int i, int64_t batch)
{
    return (size_t)(n->kind[i]->state_stride(n->layer[i]) * batch * n->k->real_size);
}

size_t net_bytes(const net *n, int64_t rows, int64_t batch, bool train)
{
    size_t sum = train ? 2 * (size_t)((rows + 1) * between(n) * n->k->real_size) : 0;
    for (int i = 0; i < n->d.layers; i++)
        sum += n->kind[i]->bytes(n->layer[i], rows, batch, train) + 2 * state_bytes(n, i, batch);
    return sum;
}
laco_status net_reserve(net *n, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    if (rows <= n->cap_rows && batch <= n->cap_batch && (n->cap_train || !train)) return LACO_OK;
    rows = max64(rows, n->cap_rows), batch = max64(batch, n->cap_batch), train |= n->cap_train;
    n->cap_rows = n->cap_batch = 0, n->carried = false;
    for (int i = 0; i < n->d.layers; i++) {
        laco_status st = n->kind[i]->reserve(n->layer[i], rows, batch, train, err);
        if (st) return st;
        for (int k = 0; k < 2; k++) {
            mem_free(n->state[i][k]);
            if (!(n->state[i][k] = mem_new(state_bytes(n, i, batch), 1)))
                return fail_memory(err, state_bytes(n, i, batch));
        }
    }
    n->ld_d = between(n);
    for (int k = 0; train && k < 2; k++) {
        mem_free(n->d_rows[k]);
        if (!(n->d_rows[k] = mem_new((size_t)((rows + 1) * n->ld_d), (size_t)n->k->real_size)))
            return fail_memory(err, (size_t)(rows * n->ld_d * n->k->real_size));
    }
    if (train && !n->g && !(n->g = mem_new((size_t)n->params, (size_t)n->k->real_size)))
        return fail_memory(err, (size_t)(n->params * n->k->real_size));
    n->cap_rows = rows, n->cap_batch = batch, n->cap_train = train;
    return LACO_OK;
}
int64_t net_work(const net *n)
{
    int64_t sum = 0;
    for (int i = 0; i < n->d.layers; i++) sum += n->kind[i]->work(n->layer[i]);
    return sum;
}

/* ---- passes ---- */
void net_reset(net *n) { n->carried = false; }
void net_carry(net *n)
{
    for (int i = 0; i < n->d.layers; i++) {
        void *final = n->state[i][1];
        n->state[i][1] = n->state[i][0], n->state[i][0] = final;
    }
    n->carried = true;
}
void net_forward(net *n, const pass *p, const void *x, int64_t ldx, int layers)
{
    for (int i = 0; i < layers; i++) {
        n->kind[i]->forward(n->layer[i], p, x, ldx, n->carried ? n->state[i][0] : NULL, n->state[i][1]);
        x = n->kind[i]->output(n->layer[i], &ldx);
    }
}
const void *net_output(const net *n, int layers, int64_t *ld)
{
    return n->kind[layers - 1]->output(n->layer[layers - 1], ld);
}

void net_backward(net *n, const pass *p, const void *dy, int64_t ldy, int layers, void *dx, int64_t lddx)
{
    for (int i = layers - 1; i >= 0; i--) {
        void *to = i ? n->d_rows[i % 2] : dx;
        int64_t ld = i ? n->ld_d : lddx;
        n->kind[i]->backward(n->layer[i], p, dy, ldy, NULL, real_at(n, n->g, n->base[i]), to, ld);
        dy = to, ldy = ld;
    }
}

double net_softmax(net *n, const pass *p, const int32_t *target, double scale, double *log_prob)
{
    int last = n->d.layers - 1;
    const layer_spec *s = &n->d.layer[last];
    int64_t ld, weight = n->d.tied ? 0 : n->base[last],
                bias = n->d.tied ? n->base[last] : n->base[last] + s->in * s->out;
    const void *h = net_output(n, last, &ld);
    void *dh = n->d_rows[last % 2];
    softmax_rows rows = { .weight = real_at(n, n->w, weight),
                          .bias = s->bias ? real_at(n, n->w, bias) : NULL,
                          .h = h,
                          .ldh = ld,
                          .R = p->b.R,
                          .target = target,
                          .scale = scale,
                          .log_prob = log_prob };
    if (p->train) {
        rows.dweight = real_at(n, n->g, weight), rows.dbias = s->bias ? real_at(n, n->g, bias) : NULL;
        rows.dh = last ? dh : NULL, rows.lddh = n->ld_d;
    }
    double loss = n->k->loss->softmax_run(n->head, &rows);
    if (p->train) net_backward(n, p, dh, n->ld_d, last, NULL, 0);
    return loss;
}

/* ---- streaming ---- memory: states of the layers, then two rows of numbers and the largest scratch */
bool net_steps(const net *n)
{
    for (int i = 0; i < n->d.layers; i++)
        if (n->kind[i]->step_scratch(n->layer[i]) < 0) return false;
    return true;
}
static int64_t line_up(const net *n, int64_t reals) { return ceil_div(reals * n->k->real_size, 64) * 64; }
size_t net_state_kept(const net *n)
{
    size_t sum = 0;
    for (int i = 0; i < n->d.layers; i++) sum += (size_t)line_up(n, n->kind[i]->state_stride(n->layer[i]));
    return sum;
}
size_t net_state_bytes(const net *n)
{
    int64_t scratch = 0;
    for (int i = 0; i < n->d.layers; i++) scratch = max64(scratch, n->kind[i]->step_scratch(n->layer[i]));
    return net_state_kept(n) + 2 * (size_t)line_up(n, widest(n)) + (size_t)line_up(n, scratch);
}
void net_state_init(const net *n, void *state)
{
    char *at = state;
    memset(state, 0, net_state_bytes(n));
    for (int i = 0; i < n->d.layers; i++) {
        n->kind[i]->step_init(n->layer[i], at);
        at += line_up(n, n->kind[i]->state_stride(n->layer[i]));
    }
}
void net_step(const net *n, void *state, const void *x, void *y)
{
    char *at = state, *rows = at + net_state_kept(n);
    char *row[2] = { rows, rows + line_up(n, widest(n)) }, *scratch = row[1] + line_up(n, widest(n));
    for (int i = 0; i < n->d.layers; i++) {
        void *to = i + 1 == n->d.layers ? y : row[i % 2];
        n->kind[i]->step(n->layer[i], x, to, at, scratch);
        at += line_up(n, n->kind[i]->state_stride(n->layer[i]));
        x = to;
    }
}
