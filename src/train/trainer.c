#include "train/trainer.h"
#include <math.h>

struct trainer {
    net *n;
    train_settings s;
    train_counts c;
    void *moments; /* [slots][params] of the optimizer */
    double *partial;
    int32_t *ids, *target; /* [steps * batch] of the window: symbols; classes */
    void *x;               /* [steps * batch][ldx] inputs that are numbers */
    float *y;              /* [steps * batch][outputs] right answers that are numbers */
    int64_t ldx;
    int64_t *active, *off; /* [steps], [steps + 1] */
    ragged r;
    train_batch b;
    int64_t at, counted; /* first step of the next window; steps of this one that count */
};

static const optim_row *row_of(const net *n, const train_settings *s) { return n->k->optim->row(s->optimizer); }
static int64_t moments_of(const net *n, const train_settings *s) { return n->params * row_of(n, s)->slots; }
/* Rows of whole cache lines, and room for a read a little past the last. */
static int64_t input_stride(const net *n) { return ceil_div(n->inputs, 16) * 16; }
static size_t window_bytes(const net *n, const train_settings *s, int64_t rows)
{
    size_t bytes = 0;
    if (n->symbols) bytes += (size_t)rows * sizeof(int32_t);
    if (!n->symbols) bytes += (size_t)(rows * input_stride(n) + 64) * (size_t)n->k->real_size;
    if (s->loss == LOSS_SOFTMAX) return bytes + (size_t)rows * sizeof(int32_t);
    return bytes + (size_t)(rows * n->outputs) * sizeof(float);
}
size_t trainer_bytes(const net *n, const train_settings *s)
{
    int64_t rows = s->steps * s->batch;
    return net_bytes(n, rows, s->batch, true) + window_bytes(n, s, rows) + net_loss_bytes(n, s->loss, rows);
}

void trainer_free(trainer *t)
{
    if (!t) return;
    void *all[] = { t->moments, t->partial, t->ids, t->target, t->x, t->y, t->active, t->off };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    mem_free(t);
}

static laco_status check_network(const net *n, const train_settings *s, laco_error *err)
{
    const layer_spec *last = &n->d.layer[n->d.layers - 1];
    if (s->loss != LOSS_SOFTMAX || (!strcmp(last->kind, "dense") && !last->act && n->d.layers > 1)) return LACO_OK;
    return fail(err, LACO_EINVAL, -1,
                "a network that chooses among symbols or classes must end in a linear dense "
                "layer: \"; dense\"");
}
static laco_status take_memory(trainer *t, laco_error *err)
{
    net *n = t->n;
    const train_settings *s = &t->s;
    int64_t rows = s->steps * s->batch;
    t->ldx = n->symbols ? 1 : input_stride(n);
    bool ok = (t->moments = mem_new((size_t)moments_of(n, s), (size_t)n->k->real_size)) != NULL;
    ok &= (t->partial = mem_new((size_t)optim_partials(n->params), sizeof(double))) != NULL;
    ok &= (t->active = mem_new((size_t)s->steps, sizeof *t->active)) != NULL;
    ok &= (t->off = mem_new((size_t)s->steps + 1, sizeof *t->off)) != NULL;
    if (n->symbols)
        ok &= (t->ids = mem_new((size_t)rows, sizeof *t->ids)) != NULL;
    else
        ok &= (t->x = mem_new((size_t)(rows * t->ldx + 64), (size_t)n->k->real_size)) != NULL;
    if (s->loss == LOSS_SOFTMAX)
        ok &= (t->target = mem_new((size_t)rows, sizeof *t->target)) != NULL;
    else
        ok &= (t->y = mem_new((size_t)(rows * n->outputs), sizeof *t->y)) != NULL;
    return ok ? LACO_OK
              : fail_memory(err, window_bytes(n, s, rows) + (size_t)moments_of(n, s) * (size_t)n->k->real_size);
}
laco_status trainer_new(trainer **out, net *n, const train_settings *s, laco_error *err)
{
    laco_status st = check_network(n, s, err);
    if (st) return st;
    trainer *t = mem_new(1, sizeof *t);
    if (!t) return fail_memory(err, sizeof *t);
    t->n = n, t->s = *s;
    t->s.accumulate = max64(1, s->accumulate);
    st = net_reserve(n, s->steps * s->batch, s->batch, true, err);
    if (!st) st = net_reserve_loss(n, s->loss, s->steps * s->batch, err);
    if (!st) st = take_memory(t, err);
    if (st) return trainer_free(t), st;
    *out = t;
    return LACO_OK;
}

/* ---- windows ---- */
void trainer_begin(trainer *t, const train_batch *b) { t->b = *b, t->at = 0, net_reset(t->n); }
bool trainer_more(const trainer *t) { return t->b.B && t->at < t->b.row[0].length; }

static int32_t symbol_at(const train_batch *b, int64_t i)
{
    return b->ids[b->circular ? b->first + (i - b->first) % b->circular : i];
}
static void put_input(trainer *t, int64_t to, int64_t position)
{
    const float *from = t->b.x + position * t->n->inputs;
    if (t->n->k->real_size == sizeof(float))
        memcpy((float *)t->x + to * t->ldx, from, (size_t)t->n->inputs * sizeof(float));
    else
        for (int64_t i = 0; i < t->n->inputs; i++) ((double *)t->x)[to * t->ldx + i] = from[i];
}
/* The right numbers of a step; true when one of them counts. */
static bool put_answer(trainer *t, int64_t to, int64_t position, bool counts)
{
    float *y = t->y + to * t->n->outputs;
    bool any = false;
    for (int64_t i = 0; i < t->n->outputs; i++) {
        y[i] = counts ? t->b.y[position * t->n->outputs + i] : NAN;
        any |= !isnan(y[i]);
    }
    return any;
}
/* Step i of a row as row `to` of the window. */
static void put_step(trainer *t, int64_t to, const text_row *row, int64_t i)
{
    const train_batch *b = &t->b;
    int64_t p = row->start + i;
    bool counts = i >= row->quiet;
    if (b->ids)
        t->ids[to] = symbol_at(b, p - 1);
    else
        put_input(t, to, p);
    if (t->y) {
        t->counted += put_answer(t, to, p, counts);
        return;
    }
    t->target[to] = !counts ? -1 : b->ids ? symbol_at(b, p) : b->classes[p];
    t->counted += t->target[to] >= 0;
}
/* Lays out the next window: inputs, right answers, active rows. */
static pass next_window(trainer *t, bool train)
{
    const train_batch *b = &t->b;
    int64_t active = b->B;
    t->r = (ragged){ .B = b->B, .active = t->active, .off = t->off };
    t->counted = 0, t->off[0] = 0;
    for (int64_t i = 0; i < t->s.steps; i++) {
        while (active && b->row[active - 1].length <= t->at + i) active--;
        if (!active) break;
        for (int64_t r = 0; r < active; r++) put_step(t, t->off[i] + r, &b->row[r], t->at + i);
        t->active[i] = active, t->off[i + 1] = t->off[i] + active, t->r.T = i + 1;
    }
    t->r.R = t->off[t->r.T];
    if (t->at) net_carry(t->n);
    t->at += t->r.T;
    return (pass){ .b = t->r, .train = train, .update = (uint64_t)t->c.windows, .seed = t->s.seed };
}
static const void *inputs_of(const trainer *t) { return t->n->symbols ? (const void *)t->ids : t->x; }

/* ---- updates ---- */
static laco_status update_weights(trainer *t, schedule_point at, window_result *out, laco_error *err)
{
    net *n = t->n;
    const optim_ops *ops = n->k->optim;
    optim_step s = t->s.optim;
    double windows = (double)t->c.pending;
    if (t->s.clip_value > 0) ops->clip_value(n->pool, n->params, n->g, t->s.clip_value * windows);
    out->norm = ops->norm(n->pool, n->params, n->g, t->partial) / windows;
    if (!isfinite(out->norm) || !isfinite(out->loss))
        return fail(err, LACO_ENUMERIC, t->c.updates,
                    "the %s is not finite at update %lld; use a smaller --lr or set --clip",
                    isfinite(out->loss) ? "gradient" : "loss", (long long)t->c.updates + 1);
    bool cut = t->s.clip > 0 && out->norm > t->s.clip;
    at.update = t->c.updates;
    s.lr = out->lr = schedule_lr(&t->s.schedule, &at), s.update = ++t->c.updates;
    s.gradient_scale = (cut ? t->s.clip / out->norm : 1) / windows;
    ops->update(t->s.optimizer, n->pool, n->params, n->w, n->g, t->moments, &s);
    t->c.clipped += cut, t->c.pending = 0, out->updated = true;
    return LACO_OK;
}
laco_status trainer_flush(trainer *t, schedule_point at, window_result *out, laco_error *err)
{
    *out = (window_result){ 0 };
    return t->c.pending ? update_weights(t, at, out, err) : LACO_OK;
}
laco_status trainer_window(trainer *t, schedule_point at, window_result *out, laco_error *err)
{
    net *n = t->n;
    pass p = next_window(t, true);
    laco_status st = net_load_loss(n, t->s.loss, true, err);
    if (st) return st;
    if (!t->c.pending) memset(n->g, 0, (size_t)n->params * (size_t)n->k->real_size);
    net_loss loss = { .kind = t->s.loss, .classes = t->target, .y = t->y };
    loss.scale = t->s.per_sequence ? 1.0 / (double)t->b.B : 1.0 / (double)max64(1, t->counted);
    *out = (window_result){ .loss = net_learn(n, &p, inputs_of(t), t->ldx, &loss), .tokens = t->counted };
    t->c.windows++, t->c.pending++;
    return t->c.pending < t->s.accumulate ? LACO_OK : update_weights(t, at, out, err);
}

laco_status trainer_load(trainer *t, laco_error *err) { return net_load_loss(t->n, t->s.loss, false, err); }
void trainer_measure_window(trainer *t, window_result *out, double *log_prob)
{
    pass p = next_window(t, false);
    net_loss loss = { .kind = t->s.loss, .classes = t->target, .y = t->y, .log_prob = log_prob };
    *out = (window_result){ .loss = net_learn(t->n, &p, inputs_of(t), t->ldx, &loss), .tokens = t->counted };
}

const ragged *trainer_ragged(const trainer *t) { return &t->r; }
int64_t trainer_position(const trainer *t) { return t->at - t->r.T; }
int64_t trainer_next(const trainer *t) { return t->at; }
const train_counts *trainer_counted(const trainer *t) { return &t->c; }
net *trainer_net(const trainer *t) { return t->n; }

/* ---- checkpoints ---- */
static const char *const state_names[] = {
#define TEN(a) a "0", a "1", a "2", a "3", a "4", a "5", a "6", a "7", a "8", a "9"
    TEN("state."), TEN("state.1"), TEN("state.2"), TEN("state.3"), TEN("state.4"), TEN("state.5"), TEN("state.6")
#undef TEN
};
int trainer_parts(trainer *t, train_part parts[TRAIN_PARTS])
{
    net *n = t->n;
    int count = 0;
    parts[count++] = (train_part){ "weights", n->w, n->params };
    if (moments_of(n, &t->s)) parts[count++] = (train_part){ "moments", t->moments, moments_of(n, &t->s) };
    if (!t->at || !trainer_more(t)) return count;
    for (int i = 0; i < n->d.layers; i++) {
        int64_t reals = n->state_row[i] / n->k->real_size * t->b.B;
        if (reals) parts[count++] = (train_part){ state_names[i], n->state[i][1], reals };
    }
    return count;
}
void trainer_count(trainer *t, const train_counts *c) { t->c = *c; }
void trainer_seek(trainer *t, int64_t step) { t->at = step; }
