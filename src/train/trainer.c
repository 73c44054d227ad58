#include "train/trainer.h"
#include <math.h>

struct trainer {
    net *n;
    train_settings s;
    int64_t updates;
    void *moments; /* [slots][params] of the optimizer */
    double *partial;
    int32_t *ids, *target; /* [steps * batch] of the window */
    int64_t *active, *off; /* [steps], [steps + 1] */
    ragged r;
    text_batch b;
    int64_t at, counted; /* first step of the next window; tokens of this one that count */
};

static const optim_row *row_of(const net *n, const train_settings *s) { return n->k->optim->row(s->optimizer); }

size_t trainer_bytes(const net *n, const train_settings *s)
{
    int64_t rows = s->steps * s->batch;
    return net_bytes(n, rows, s->batch, true) + (size_t)rows * 2 * sizeof(int32_t);
}

void trainer_free(trainer *t)
{
    if (!t) return;
    mem_free(t->moments), mem_free(t->partial), mem_free(t->ids), mem_free(t->target), mem_free(t->active),
        mem_free(t->off), mem_free(t);
}

laco_status trainer_new(trainer **out, net *n, const train_settings *s, laco_error *err)
{
    const int last = n->d.layers - 1;
    int64_t rows = s->steps * s->batch;
    trainer *t = mem_new(1, sizeof *t);
    if (!t) return fail_memory(err, sizeof *t);
    if (strcmp(n->d.layer[last].kind, "dense") || n->d.layer[last].act || last == 0)
        return trainer_free(t),
               fail(err, LACO_EINVAL, -1, "a network over symbols must end in a linear dense layer: \"; dense\"");
    t->n = n, t->s = *s;
    laco_status st = net_reserve(n, rows, s->batch, true, err);
    if (!st && !n->head) st = n->k->loss->softmax_new(&n->head, n->outputs, n->d.layer[last].in, n->pool, err);
    t->moments = mem_new((size_t)(n->params * row_of(n, s)->slots), (size_t)n->k->real_size);
    t->partial = mem_new((size_t)optim_partials(n->params), sizeof(double));
    t->ids = mem_new((size_t)rows, sizeof *t->ids), t->target = mem_new((size_t)rows, sizeof *t->target);
    t->active = mem_new((size_t)s->steps, sizeof *t->active), t->off = mem_new((size_t)s->steps + 1, sizeof *t->off);
    if (!st && (!t->moments || !t->partial || !t->ids || !t->target || !t->active || !t->off))
        st = fail_memory(err, (size_t)n->params * 8);
    if (st) return trainer_free(t), st;
    *out = t;
    return LACO_OK;
}

void trainer_begin(trainer *t, const text_batch *b) { t->b = *b, t->at = 0, net_reset(t->n); }
bool trainer_more(const trainer *t) { return t->b.B && t->at < t->b.row[0].length; }

static int32_t symbol_at(const text_batch *b, int64_t i)
{
    return b->ids[b->circular ? b->first + (i - b->first) % b->circular : i];
}

/* Lays out the next window: symbols, targets, active rows. */
static pass next_window(trainer *t, bool train)
{
    const text_batch *b = &t->b;
    int64_t active = b->B;
    t->r = (ragged){ .B = b->B, .active = t->active, .off = t->off };
    t->counted = 0, t->off[0] = 0;
    for (int64_t i = 0; i < t->s.steps; i++) {
        while (active && b->row[active - 1].length <= t->at + i) active--;
        if (!active) break;
        for (int64_t r = 0; r < active; r++) {
            int64_t p = b->row[r].start + t->at + i, to = t->off[i] + r;
            bool counts = t->at + i >= b->row[r].quiet;
            t->ids[to] = symbol_at(b, p - 1), t->target[to] = counts ? symbol_at(b, p) : -1, t->counted += counts;
        }
        t->active[i] = active, t->off[i + 1] = t->off[i] + active, t->r.T = i + 1;
    }
    t->r.R = t->off[t->r.T];
    if (t->at) net_carry(t->n);
    t->at += t->r.T;
    return (pass){ .b = t->r, .train = train, .update = (uint64_t)t->updates, .seed = t->s.seed };
}

static laco_status apply_gradient(trainer *t, schedule_point at, window_result *out, laco_error *err)
{
    net *n = t->n;
    optim_step s = t->s.optim;
    if (t->s.clip_value > 0) n->k->optim->clip_value(n->pool, n->params, n->g, t->s.clip_value);
    out->norm = n->k->optim->norm(n->pool, n->params, n->g, t->partial);
    if (!isfinite(out->norm) || !isfinite(out->loss))
        return fail(err, LACO_ENUMERIC, t->updates,
                    "the %s is not finite at update %lld; use a smaller --lr or set --clip",
                    isfinite(out->loss) ? "gradient" : "loss", (long long)t->updates + 1);
    at.update = t->updates;
    s.lr = out->lr = schedule_lr(&t->s.schedule, &at), s.update = ++t->updates;
    s.gradient_scale = t->s.clip > 0 && out->norm > t->s.clip ? t->s.clip / out->norm : 1;
    n->k->optim->update(t->s.optimizer, n->pool, n->params, n->w, n->g, t->moments, &s);
    return LACO_OK;
}

laco_status trainer_window(trainer *t, schedule_point at, window_result *out, laco_error *err)
{
    net *n = t->n;
    pass p = next_window(t, true);
    double scale = t->s.per_sequence ? 1.0 / (double)t->b.B : 1.0 / (double)max64(1, t->counted);
    laco_status st = net_load(n, true, false, err);
    if (st) return st;
    memset(n->g, 0, (size_t)n->params * (size_t)n->k->real_size);
    net_forward(n, &p, t->ids, 0, n->d.layers - 1);
    out->loss = net_softmax(n, &p, t->target, scale, NULL), out->tokens = t->counted;
    return apply_gradient(t, at, out, err);
}

void trainer_measure_window(trainer *t, window_result *out, double *log_prob)
{
    pass p = next_window(t, false);
    net_forward(t->n, &p, t->ids, 0, t->n->d.layers - 1);
    *out = (window_result){ .loss = net_softmax(t->n, &p, t->target, 0, log_prob), .tokens = t->counted };
}

const ragged *trainer_ragged(const trainer *t) { return &t->r; }
int64_t trainer_position(const trainer *t) { return t->at - t->r.T; }
int64_t trainer_updates(const trainer *t) { return t->updates; }
net *trainer_net(const trainer *t) { return t->n; }
