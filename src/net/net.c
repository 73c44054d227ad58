#include "net/window.h"
#include <stdio.h>

/* ---- life ---- */
void net_free(net *n)
{
    if (!n) return;
    net_window_free(n);
    for (int i = 0; i < n->d.layers; i++) {
        if (n->kind[i]) n->kind[i]->free(n->layer[i]);
        mem_free(n->state[i][0]), mem_free(n->state[i][1]);
    }
    if (n->head) n->k->loss->softmax_free(n->head);
    n->k->crf->free(n->chain), mem_free(n->chain_loss);
    mem_free(n->d_out), mem_free(n->row_loss);
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

static uint64_t hashed(uint64_t h, const void *bytes, size_t n) /* FNV-1a */
{
    for (size_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return h;
}
/* Of what decides how states are used: kinds and sizes of the layers, cells and their words. */
static uint64_t fingerprint(const net *n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (int i = 0; i < n->d.layers; i++) {
        const layer_spec *s = &n->d.layer[i];
        const int64_t size[] = { s->in,         s->out,   s->symbols,  s->cell.hidden, s->cell.project,
                                 s->cell.words, s->steps, s->residual, s->act,         s->learned_state,
                                 s->pool,       s->size,  s->by_last,  s->ahead,        s->dilation,
                                 s->season[0],  s->season[1], s->series };
        h = hashed(hashed(h, s->kind, strlen(s->kind)), size, sizeof size);
        if (s->cell.cell) h = hashed(h, s->cell.cell, strlen(s->cell.cell));
        h = hashed(h, s->cell.zoneout, sizeof s->cell.zoneout);
    }
    return h;
}

laco_status net_new(net **out, const net_description *d, int64_t inputs, const kernels *k, pool *p, laco_error *err)
{
    net *n = mem_new(1, sizeof *n);
    if (!n) return fail_memory(err, sizeof *n);
    n->k = k, n->pool = p, n->d = *d, n->inputs = inputs;
    n->symbols = d->layer[0].symbols, n->outputs = d->layer[d->layers - 1].out;
    for (int i = 0; i < d->layers; i++) n->kind[i] = kernels_layer(k, d->layer[i].kind);
    n->fingerprint = fingerprint(n);
    laco_status st = list_tensors(n, err);
    if (!st && (!(n->w = mem_new((size_t)n->params, (size_t)k->real_size))))
        st = fail_memory(err, (size_t)n->params * (size_t)k->real_size);
    for (int i = 0; !st && i < d->layers; i++) {
        n->d.layer[i].first = n->layer[0];
        st = n->kind[i]->make(&n->layer[i], &n->d.layer[i], p, err);
    }
    if (st) return net_free(n), st;
    for (int i = 0; i < d->layers; i++)
        n->state_row[i] = n->kind[i]->state_stride(n->layer[i]) * k->real_size,
        n->wide = max64(n->wide, d->layer[i].out);
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
laco_status net_weights(net *n, weights_kind kind, laco_error *err)
{
    laco_status st = LACO_OK;
    n->cap_rows = n->cap_batch = 0;
    for (int i = 0; !st && i < n->d.layers; i++) st = n->kind[i]->weights(n->layer[i], kind, err);
    return st;
}
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
    return net_bytes_taped(n, rows, batch, train, 1);
}
size_t net_bytes_taped(const net *n, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    size_t sum = train ? 2 * (size_t)((rows + 1) * between(n) * n->k->real_size) : 0;
    for (int i = 0; i < n->d.layers; i++)
        sum += n->kind[i]->bytes(n->layer[i], rows, batch, train, tapes) + 2 * state_bytes(n, i, batch);
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
void net_forward_between(net *n, const pass *p, const void *x, int64_t ldx, int layers, void *const *initial,
                         void *const *final)
{
    for (int i = 0; i < layers; i++) {
        n->kind[i]->forward(n->layer[i], p, x, ldx, initial[i], final[i]);
        x = n->kind[i]->output(n->layer[i], &ldx);
    }
}
void net_forward(net *n, const pass *p, const void *x, int64_t ldx, int layers)
{
    void *initial[MAX_LAYERS], *final[MAX_LAYERS];
    for (int i = 0; i < layers; i++) initial[i] = n->carried ? n->state[i][0] : NULL, final[i] = n->state[i][1];
    net_forward_between(n, p, x, ldx, layers, initial, final);
}
const void *net_output(const net *n, int layers, int64_t *ld)
{
    return n->kind[layers - 1]->output(n->layer[layers - 1], ld);
}

void net_backward(net *n, const pass *p, const void *dy, int64_t ldy, int layers, void *dx, int64_t lddx)
{
    net_backward_between(n, p, dy, ldy, layers, dx, lddx, (void *[MAX_LAYERS]){ NULL });
}
void net_backward_between(net *n, const pass *p, const void *dy, int64_t ldy, int layers, void *dx, int64_t lddx,
                          void *const *carry)
{
    for (int i = layers - 1; i >= 0; i--) {
        void *to = i ? n->d_rows[i % 2] : dx;
        int64_t ld = i ? n->ld_d : lddx;
        n->kind[i]->backward(n->layer[i], p, dy, ldy, carry[i], real_at(n, n->g, n->base[i]), to, ld);
        dy = to, ldy = ld;
    }
}

double net_softmax_rows(net *n, const pass *p, softmax_rows rows)
{
    int last = n->d.layers - 1;
    const layer_spec *s = &n->d.layer[last];
    int64_t ld, weight = n->d.tied ? 0 : n->base[last],
                bias = n->d.tied ? n->base[last] : n->base[last] + s->in * s->out;
    rows.weight = real_at(n, n->w, weight), rows.bias = s->bias ? real_at(n, n->w, bias) : NULL;
    rows.h = net_output(n, last, &ld), rows.ldh = ld, rows.R = p->b.R;
    if (p->train) {
        rows.dweight = real_at(n, n->g, weight), rows.dbias = s->bias ? real_at(n, n->g, bias) : NULL;
        rows.dh = last ? n->d_rows[last % 2] : NULL, rows.lddh = n->ld_d;
        rows.partly = p->classes && last && !strcmp(n->d.layer[last - 1].kind, "pool"); /* which does not read them */
    }
    return n->k->loss->softmax_run(n->head, &rows);
}
double net_softmax(net *n, const pass *p, const int32_t *target, double scale, double smoothing, double *log_prob)
{
    int last = n->d.layers - 1;
    const softmax_rows rows = { .target = target, .scale = scale, .smoothing = smoothing, .log_prob = log_prob };
    double loss = net_softmax_rows(n, p, rows);
    if (p->train) net_backward(n, p, n->d_rows[last % 2], n->ld_d, last, NULL, 0);
    return loss;
}

/* ---- streaming ---- memory: the head; for every layer two buffers of states [streams][stride], one read and one
   written in turn; two rows of numbers per stream, between layers; the largest scratch */
bool net_steps(const net *n)
{
    for (int i = 0; i < n->d.layers; i++)
        if (n->kind[i]->step_scratch(n->layer[i], 1) < 0) return false;
    return true;
}
static int64_t whole_lines(const net *n, int64_t reals) { return ceil_div(reals * n->k->real_size, 64) * 64; }
static int64_t states_of(const net *n, int i, int64_t streams) /* bytes of one of the buffers of a layer */
{
    return ceil_div(n->state_row[i] * streams, 64) * 64;
}
static int64_t all_states(const net *n, int64_t streams)
{
    int64_t sum = 0;
    for (int i = 0; i < n->d.layers; i++) sum += 2 * states_of(n, i, streams);
    return sum;
}
static int64_t step_scratch(const net *n, int64_t streams)
{
    int64_t most = 0;
    for (int i = 0; i < n->d.layers; i++) most = max64(most, n->kind[i]->step_scratch(n->layer[i], streams));
    return whole_lines(n, most);
}
size_t net_state_bytes(const net *n, int64_t streams)
{
    int64_t most = ((int64_t)1 << 40) / (n->wide + net_state_numbers(n, 1) + 64);
    if (streams < 1 || streams > most) return 0;
    return sizeof(net_state) +
           (size_t)(all_states(n, streams) + 2 * whole_lines(n, n->wide * streams) + step_scratch(n, streams)) +
           net_helper_bytes(n, streams);
}
size_t net_helper_bytes(const net *n, int64_t streams)
{
    int64_t most = 0;
    for (int i = 0; i < n->d.layers; i++) most = max64(most, n->kind[i]->step_own(n->layer[i], streams));
    return (size_t)whole_lines(n, most);
}

void net_state_init(const net *n, net_state *s, int64_t streams)
{
    *s = (net_state){ .magic = STATE_MAGIC, .network = n->fingerprint, .k = n->k, .streams = streams };
    s->between = all_states(n, streams), s->wide = whole_lines(n, n->wide * streams);
    s->scratch = step_scratch(n, streams), s->own = (int64_t)net_helper_bytes(n, streams);
    memset(s->rest, 0, net_state_bytes(n, streams) - sizeof *s);
    for (int64_t i = 0; i < streams; i++) net_state_reset(n, s, i);
}
bool net_state_fits(const net *n, const net_state *s)
{
    return s->magic == STATE_MAGIC && s->network == n->fingerprint && s->k == n->k;
}
void net_state_copy(net_state *to, const net_state *from)
{
    memcpy(to->rest, from->rest, (size_t)from->between);
    to->turn = from->turn;
}
int64_t net_turns(const net *n, int i) { return max64(1, n->d.layer[i].dilation); }
/* The row of a stream in the buffer of a layer that the next step reads. */
static char *row_of(const net *n, const net_state *s, int i, char *at, int64_t stream)
{
    return at + (s->turn % 2) * states_of(n, i, s->streams) + stream * n->state_row[i];
}
void net_state_reset(const net *n, net_state *s, int64_t stream)
{
    char *at = s->rest;
    for (int i = 0; i < n->d.layers; at += 2 * states_of(n, i, s->streams), i++)
        n->kind[i]->step_init(n->layer[i], row_of(n, s, i, at, stream));
}
int64_t net_state_numbers(const net *n, int64_t streams)
{
    int64_t sum = 0, at[MAX_STATES], width[MAX_STATES];
    for (int i = 0; i < n->d.layers; i++)
        for (int k = n->kind[i]->states(n->layer[i], at, width); k-- > 0;) sum += width[k] * net_turns(n, i);
    return sum * streams;
}
/* All states of stream 0, then of stream 1, …: out of the buffers into `to`, or from `from` into them. */
static void move_states(const net *n, net_state *s, char *to, const char *from)
{
    size_t done = 0, size = (size_t)n->k->real_size;
    for (int64_t b = 0; b < s->streams; b++) {
        char *first = s->rest;
        for (int i = 0; i < n->d.layers; first += 2 * states_of(n, i, s->streams), i++) {
            int64_t at[MAX_STATES], width[MAX_STATES];
            int parts = n->kind[i]->states(n->layer[i], at, width);
            char *row = row_of(n, s, i, first, b);
            const int64_t turns = net_turns(n, i);
            for (int64_t j = 0; j < turns; j++, row += n->state_row[i] / turns)
                for (int k = 0; k < parts; done += (size_t)width[k] * size, k++)
                    to ? memcpy(to + done, row + (size_t)at[k] * size, (size_t)width[k] * size)
                       : memcpy(row + (size_t)at[k] * size, from + done, (size_t)width[k] * size);
        }
    }
}
void net_state_get(const net *n, const net_state *s, void *numbers) { move_states(n, (net_state *)s, numbers, NULL); }
void net_state_put(const net *n, net_state *s, const void *numbers) { move_states(n, s, NULL, numbers); }

/* Streams that do not take part keep their states, in the buffer that will be read next. */
static void keep_others(const net *n, net_state *s)
{
    char *at = s->rest;
    for (int i = 0; i < n->d.layers; at += 2 * states_of(n, i, s->streams), i++) {
        size_t row = (size_t)n->state_row[i], whole = (size_t)states_of(n, i, s->streams);
        char *from = at + (s->turn % 2) * whole, *to = at + (1 - s->turn % 2) * whole;
        memcpy(to + (size_t)s->m * row, from + (size_t)s->m * row, (size_t)(s->streams - s->m) * row);
    }
}
static void one_step(const net *n, net_state *s, unsigned turn, const void *x, void *y, team *t)
{
    char *at = s->rest, *rows = at + s->between;
    step_call c = { .m = s->m, .x = x, .ldx = n->symbols ? 1 : n->inputs, .scratch = rows + 2 * s->wide, .t = t };
    c.own = t->member ? s->helpers + (t->member - 1) * s->own : rows + 2 * s->wide + s->scratch;
    for (int i = 0; i < n->d.layers; i++) {
        int64_t size = states_of(n, i, s->streams);
        c.ldy = n->d.layer[i].out, c.y = i + 1 == n->d.layers ? y : rows + i % 2 * s->wide;
        c.s = at + turn % 2 * size, c.sn = at + (1 - turn % 2) * size;
        if (!i) c.first = c.sn;
        n->kind[i]->step(n->layer[i], &c);
        team_meet(t);
        at += 2 * size, c.x = c.y, c.ldx = c.ldy;
    }
}
static void all_steps(void *ctx, int64_t task, team *t, int thread)
{
    net_state *s = ctx;
    const net *n = s->n;
    size_t in = (size_t)s->m * (n->symbols ? sizeof(int32_t) : (size_t)(n->inputs * n->k->real_size)),
           out = (size_t)(s->m * n->outputs * n->k->real_size);
    (void)task, (void)thread;
    for (int64_t i = 0; i < s->steps; i++)
        one_step(n, s, s->turn + (unsigned)i, (const char *)s->x + (size_t)i * in, (char *)s->y + (size_t)i * out, t);
}
void net_step(const net *n, net_state *s, int64_t steps, int64_t m, const void *x, void *y)
{
    s->n = n, s->x = x, s->y = y, s->steps = steps, s->m = m;
    if (m < s->streams && steps % 2) keep_others(n, s);
    if (s->pool)
        pool_teams(s->pool, 1, all_steps, s);
    else {
        uint64_t mode = flush_denormals();
        all_steps(s, 0, &(team){ .members = 1 }, 0);
        restore_denormals(mode);
    }
    s->turn += (unsigned)steps;
}
