#include "train/trainer.h"
#include "net/chain.h"
#include "net/inspect.h"
#include <math.h>
#include <stdio.h>

struct trainer {
    net *n;
    train_settings s;
    train_counts c;
    void *moments; /* [slots][params] of the optimizer */
    void *average; /* [params] or NULL */
    void *seen;    /* [params] what windows see in place of the weights; NULL: the weights */
    void *kept;    /* the weights, while something else is in their place */
    double *partial;
    char *fixed; /* the tensors that never learn, one after the other, while others are updated */
    int32_t *ids, *target; /* [steps * batch] of the window: symbols; classes */
    void *x;               /* [steps * batch][ldx] inputs that are numbers */
    float *y, *unit;       /* [steps * batch][targets] right answers that are numbers; [steps * batch] their units */
    int64_t ldx, targets;
    int64_t *active, *off; /* [steps], [steps + 1] */
    ragged r;
    train_batch b;
    pass last; /* the window just done */
    char trouble[400];
    int64_t from, at, counted; /* first step of this window, of the next; steps of this one that count */
};

static const optim_row *row_of(const net *n, const train_settings *s) { return n->k->optim->row(s->optimizer); }
static int64_t moments_of(const net *n, const train_settings *s) { return n->params * row_of(n, s)->slots; }
/* Rows of whole cache lines, and room for a read a little past the last. */
static int64_t input_stride(const net *n) { return ceil_div(n->inputs, 16) * 16; }
static size_t window_bytes(const net *n, const train_settings *s, int64_t rows)
{
    size_t bytes = (size_t)(2 * s->steps + 1) * sizeof(int64_t);
    if (n->symbols) bytes += (size_t)rows * sizeof(int32_t);
    if (!n->symbols) bytes += (size_t)(rows * input_stride(n) + 64) * (size_t)n->k->real_size;
    if (loss_has_classes(n, s->loss)) return bytes + (size_t)rows * sizeof(int32_t);
    return bytes + (size_t)(rows * (net_targets(n, s->loss, &s->loss_options) + 1)) * sizeof(float);
}
/* Whether windows see other weights than those that are trained. */
static bool changes_weights(const net *n, const train_settings *s)
{
    bool any = s->weight_noise > 0;
    for (int i = 0; i < n->d.layers; i++) any |= n->d.layer[i].weight_drop > 0;
    return any;
}
static laco_status too_little(const net *n, const train_settings *s, const train_memory *m, laco_error *err)
{
    const double mb = 1.0 / (1 << 20);
    const char *whole = !net_steps(n)           ? ", held whole because the network reads backwards"
                        : m->plan.segments == 1 ? ", held whole"
                                                : "";
    return fail(
        err, LACO_EINVAL, -1,
        "--memory %.1f MB is too little: %.1f MB are needed, %.1f for weights, gradients and optimizer, %.1f for a "
        "window of %lld x %lld tokens%s; give more, or lower --batch or --steps",
        (double)s->memory * mb, (double)(m->weights + m->window) * mb, (double)m->weights * mb, (double)m->window * mb,
        (long long)s->batch, (long long)s->steps, whole);
}
laco_status trainer_memory(const net *n, const train_settings *s, train_memory *out, laco_error *err)
{
    size_t buffers = window_bytes(n, s, s->steps * s->batch);
    int64_t copies = 2 + (s->average > 0) + changes_weights(n, s);
    out->weights = (size_t)(copies * n->params + moments_of(n, s)) * (size_t)n->k->real_size;
    size_t other = out->weights + buffers, left = s->memory > other ? s->memory - other : 1;
    laco_status st = net_plan_window(n, s->loss, s->steps, s->batch, s->memory ? left : 0, &out->plan, err);
    out->window = buffers + out->plan.bytes;
    return !st && s->memory && out->plan.bytes > left ? too_little(n, s, out, err) : st;
}

void trainer_free(trainer *t)
{
    if (!t) return;
    trainer_show_average(t, false);
    void *all[] = { t->fixed,   t->moments, t->average, t->seen, t->partial, t->ids, t->target,
                    t->x,       t->y,       t->unit, t->active,  t->off };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    mem_free(t);
}

static laco_status check_network(const net *n, const train_settings *s, laco_error *err)
{
    const layer_spec *last = &n->d.layer[n->d.layers - 1];
    const loss_row *loss = n->k->loss->row((int)s->loss);
    const int64_t parts = loss_parts(loss, &s->loss_options);
    if (n->outputs % parts)
        return fail(err, LACO_EINVAL, -1,
                    "the %s loss reads %lld outputs for each target: %lld outputs do not divide so", loss->name,
                    (long long)parts, (long long)n->outputs);
    if ((s->loss == LOSS_CRF) != net_is_chain(n))
        return fail(err, LACO_EINVAL, -1, "this task needs a network that ends %s",
                    s->loss == LOSS_CRF ? "in crf: \"; dense; crf\"" : "without crf");
    if (s->loss == LOSS_CRF && s->smoothing > 0)
        return fail(err, LACO_EINVAL, -1, "--label-smoothing is for a network that chooses each class on its own, not for "
                    "one that ends in crf");
    if (s->loss != LOSS_SOFTMAX || (!strcmp(last->kind, "dense") && !last->act && n->d.layers > 1)) return LACO_OK;
    return fail(err, LACO_EINVAL, -1,
                "a network that chooses among symbols or classes must end in a linear dense "
                "layer: \"; dense\"");
}
/* Takes the tensors that never learn from `from`, or puts them back into `to`. */
static size_t fixed_of(const net *n, char *kept, const char *from, char *to)
{
    const size_t size = (size_t)n->k->real_size;
    size_t at = 0;
    for (int i = 0; i < n->tensors; i++) {
        const param_tensor *q = &n->tensor[i];
        const size_t bytes = (size_t)q->size * size, place = (size_t)q->offset * size;
        if (!q->fixed) continue;
        if (from) memcpy(kept + at, from + place, bytes);
        if (to) memcpy(to + place, kept + at, bytes);
        at += bytes;
    }
    return at;
}
static laco_status take_memory(trainer *t, laco_error *err)
{
    net *n = t->n;
    const train_settings *s = &t->s;
    int64_t rows = s->steps * s->batch;
    t->ldx = n->symbols ? 1 : input_stride(n), t->targets = net_targets(n, s->loss, &s->loss_options);
    bool ok = (t->moments = mem_new((size_t)moments_of(n, s), (size_t)n->k->real_size)) != NULL;
    if (s->average > 0) ok &= (t->average = mem_new((size_t)n->params, (size_t)n->k->real_size)) != NULL;
    if (changes_weights(n, s)) ok &= (t->seen = mem_new((size_t)n->params, (size_t)n->k->real_size)) != NULL;
    ok &= (t->fixed = mem_new(fixed_of(n, NULL, NULL, NULL), 1)) != NULL;
    ok &= (t->partial = mem_new((size_t)optim_partials(n->params), sizeof(double))) != NULL;
    ok &= (t->active = mem_new((size_t)s->steps, sizeof *t->active)) != NULL;
    ok &= (t->off = mem_new((size_t)s->steps + 1, sizeof *t->off)) != NULL;
    if (n->symbols)
        ok &= (t->ids = mem_new((size_t)rows, sizeof *t->ids)) != NULL;
    else
        ok &= (t->x = mem_new((size_t)(rows * t->ldx + 64), (size_t)n->k->real_size)) != NULL;
    if (loss_has_classes(n, s->loss))
        ok &= (t->target = mem_new((size_t)rows, sizeof *t->target)) != NULL;
    else
        ok &= (t->y = mem_new((size_t)(rows * t->targets), sizeof *t->y)) != NULL &&
              (t->unit = mem_new((size_t)rows, sizeof *t->unit)) != NULL;
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
    t->s.accumulate = max64(1, s->accumulate), t->c.rate_factor = 1;
    t->c.averaging = s->average > 0 && !s->average_waits;
    t->s.advance = s->advance > 0 && s->advance < s->steps ? s->advance : s->steps;
    train_memory memory;
    st = trainer_memory(n, s, &memory, err);
    if (!st) st = net_reserve_window(n, &memory.plan, err);
    if (!st) st = take_memory(t, err);
    if (st) return trainer_free(t), st;
    *out = t;
    return LACO_OK;
}

/* ---- windows ---- */
void trainer_begin(trainer *t, const train_batch *b)
{
    t->b = *b, t->from = t->at = 0, t->c.fresh = false;
    net_reset(t->n);
}
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
    float *y = t->y + to * t->targets;
    bool any = false;
    t->unit[to] = t->b.unit ? t->b.unit[position] : 1;
    for (int64_t i = 0; i < t->targets; i++) {
        y[i] = counts ? t->b.y[position * t->targets + i] : NAN;
        any |= !isnan(y[i]);
    }
    return any;
}
/* Step i of a row as row `to` of the window; it counts from `first` on. */
static void put_step(trainer *t, int64_t to, const text_row *row, int64_t i, int64_t first)
{
    const train_batch *b = &t->b;
    int64_t p = row->start + i;
    bool counts = i >= row->quiet && i >= first;
    if (b->ids)
        t->ids[to] = symbol_at(b, p - !(b->classes || b->y));
    else
        put_input(t, to, p);
    if (t->y) {
        t->counted += put_answer(t, to, p, counts);
        return;
    }
    t->target[to] = !counts ? -1 : b->classes ? b->classes[p] : symbol_at(b, p);
    t->counted += t->target[to] >= 0;
}
/* Lays out the next window: inputs, right answers, active rows. */
static pass next_window(trainer *t, bool train)
{
    const train_batch *b = &t->b;
    int64_t active = b->B, ahead = train ? t->s.advance : t->s.steps, first = t->at ? t->at + t->s.steps - ahead : 0;
    if (t->c.fresh)
        net_reset(t->n);
    else if (t->at)
        net_carry(t->n);
    t->r = (ragged){ .B = b->B, .active = t->active, .off = t->off };
    t->from = t->at, t->counted = 0, t->off[0] = 0, t->c.fresh = false;
    for (int64_t i = 0; i < t->s.steps; i++) {
        while (active && b->row[active - 1].length <= t->from + i) active--;
        if (!active) break;
        for (int64_t r = 0; r < active; r++) put_step(t, t->off[i] + r, &b->row[r], t->from + i, first);
        t->active[i] = active, t->off[i + 1] = t->off[i] + active, t->r.T = i + 1;
    }
    t->r.R = t->off[t->r.T];
    t->at += t->from + t->r.T < b->row[0].length ? ahead : t->r.T;
    return (pass){ .b = t->r,
                   .train = train,
                   .update = (uint64_t)t->c.windows,
                   .lexicon = t->b.lexicon,
                   .seed = t->s.seed,
                   .classes = t->counted < t->r.R ? t->target : NULL,
                   .target = t->y,
                   .targets = t->targets };
}
/* Windows that overlap: the states where the next one begins, with the weights of this one. */
static void walk_ahead(trainer *t, const pass *p, const void *x)
{
    pass part = *p;
    if (t->at - t->from == t->r.T) return;
    part.b.T = t->at - t->from, part.b.R = t->off[part.b.T];
    net_pass(t->n, &part, x, t->ldx);
}
static const void *inputs_of(const trainer *t) { return t->n->symbols ? (const void *)t->ids : t->x; }

/* ---- weights that are not the weights ---- */
static optim_draw draw_of(const trainer *t, enum rng_purpose purpose)
{
    return (optim_draw){ t->s.seed, purpose, (uint64_t)(t->c.updates + t->c.not_finite + t->c.outliers) };
}
/* Weight drop: recurrent matrices, or what reaches them of the gradient, are zero at places drawn for the update. */
static void drop_recurrent(trainer *t, void *to)
{
    net *n = t->n;
    const optim_draw draw = draw_of(t, RNG_WEIGHT_DROP);
    optim_range ranges[2 * MAX_TENSORS];
    for (int i = 0; i < n->d.layers; i++) {
        int64_t count = 0;
        if (n->d.layer[i].weight_drop <= 0) continue;
        for (int k = n->tensor_layer[i]; k < n->tensor_layer[i + 1]; k++)
            if (n->tensor[k].role == INIT_RECURRENT)
                ranges[count++] = (optim_range){ n->tensor[k].offset, n->tensor[k].size };
        n->k->optim->drop(n->pool, count, ranges, to, to, n->d.layer[i].weight_drop, &draw);
    }
}
static void see_others(trainer *t)
{
    net *n = t->n;
    const optim_draw noise = draw_of(t, RNG_WEIGHT_NOISE);
    if (!t->seen) return;
    if (!t->c.pending && t->s.weight_noise > 0)
        n->k->optim->add_normal(n->pool, n->params, t->seen, n->w, t->s.weight_noise, &noise),
            fixed_of(n, t->fixed, n->w, t->seen);
    else if (!t->c.pending)
        memcpy(t->seen, n->w, (size_t)(n->params * n->k->real_size));
    if (!t->c.pending) drop_recurrent(t, t->seen);
    t->kept = n->w, n->w = t->seen;
}
static void see_own(trainer *t)
{
    if (t->kept) t->n->w = t->kept, t->kept = NULL;
}
void trainer_average(trainer *t) { t->c.averaging = t->average != NULL; }
void trainer_show_average(trainer *t, bool on)
{
    if (!on)
        see_own(t);
    else if (t->c.averaged && !t->kept)
        t->kept = t->n->w, t->n->w = t->average;
}

/* ---- updates ---- */
enum { DRIFT_BEGINS = 100 }; /* updates before one can be an outlier */
static bool far_above(const train_drift *d, double x, double deviations)
{
    return d->seen >= DRIFT_BEGINS && x > d->mean + deviations * sqrt(d->variance);
}
static void drift(train_drift *d, double x)
{
    double part = fmax(0.01, 1.0 / (double)++d->seen), off = x - d->mean;
    d->mean += part * off, d->variance = (1 - part) * (d->variance + part * off * off);
}
/* Whether the gradient is to be followed; if not, it is counted and dropped. */
static int judge_gradient(trainer *t, const window_result *w)
{
    double sum = t->c.waiting_loss, loss = sum / (double)max64(1, t->c.waiting_tokens), size = log(w->norm + 1e-300);
    t->c.waiting_loss = 0, t->c.waiting_tokens = 0;
    if (!isfinite(w->norm) || !isfinite(sum)) return t->c.not_finite++, t->c.fresh = !isfinite(sum), NOT_FINITE;
    if (t->s.outlier <= 0) return UPDATED;
    if (far_above(&t->c.loss, loss, t->s.outlier) || far_above(&t->c.norm, size, t->s.outlier))
        return t->c.outliers++, OUTLIER;
    drift(&t->c.loss, loss), drift(&t->c.norm, size);
    return UPDATED;
}
static net_loss loss_of(const trainer *t)
{
    return (net_loss){ .kind = t->s.loss,
                       .classes = t->target,
                       .y = t->y,
                       .unit = t->unit,
                       .options = &t->s.loss_options,
                       .smoothing = t->s.smoothing,
                       .class_weight = t->s.class_weight,
                       .scale = 1.0 / (double)(t->s.per_sequence ? t->b.B : max64(1, t->counted)) };
}
static void locate(trainer *t)
{
    net_place place;
    const net_loss loss = loss_of(t);
    size_t size = sizeof t->trouble;
    t->trouble[0] = 0;
    if (t->seen) t->kept = t->n->w, t->n->w = t->seen;
    bool found = net_locate(t->n, &t->last, inputs_of(t), t->ldx, &loss, &place);
    see_own(t);
    if (!found) return;
    net_place_say(t->n, &place, t->trouble, size);
    if (place.step < 0 || place.row < 0) return;
    size_t n = strlen(t->trouble);
    int64_t position = t->b.row[place.row].start + t->from + place.step;
    n += (size_t)snprintf(t->trouble + n, size - n, ", ");
    if (n >= size) return;
    if (t->b.where)
        t->b.where(t->b.ctx, position, t->trouble + n, size - n);
    else
        snprintf(t->trouble + n, size - n, "position %lld of the data", (long long)position);
}
const char *trainer_trouble(const trainer *t) { return t->trouble; }
static laco_status update_weights(trainer *t, schedule_point at, window_result *out, laco_error *err)
{
    net *n = t->n;
    const optim_ops *ops = n->k->optim;
    optim_step s = t->s.optim;
    double windows = (double)t->c.pending;
    if (t->s.clip_value > 0) ops->clip_value(n->pool, n->params, n->g, t->s.clip_value * windows);
    if (t->seen) drop_recurrent(t, n->g);
    out->norm = ops->norm(n->pool, n->params, n->g, t->partial) / windows;
    out->update = judge_gradient(t, out), t->c.pending = 0;
    if (out->update == NOT_FINITE && (!t->s.skip_nan || t->c.not_finite == 1)) locate(t);
    if (out->update == NOT_FINITE && !t->s.skip_nan)
        return fail(err, LACO_ENUMERIC, t->c.updates,
                    "the %s is not finite at update %lld%s%s; use a smaller --lr or set --clip",
                    isfinite(out->loss) ? "gradient" : "loss", (long long)t->c.updates + 1, t->trouble[0] ? ": " : "",
                    t->trouble);
    if (out->update != UPDATED) return LACO_OK;
    bool cut = t->s.clip > 0 && out->norm > t->s.clip;
    at.update = t->c.updates;
    s.lr = out->lr = schedule_lr(&t->s.schedule, &at) * t->c.rate_factor, s.update = ++t->c.updates;
    s.gradient_scale = (cut ? t->s.clip / out->norm : 1) / windows;
    if (t->s.gradient_noise > 0) {
        const optim_draw noise = draw_of(t, RNG_GRADIENT_NOISE);
        double deviation = sqrt(t->s.gradient_noise / pow((double)t->c.updates, 0.55));
        ops->add_normal(n->pool, n->params, n->g, n->g, deviation / s.gradient_scale, &noise);
    }
    fixed_of(n, t->fixed, n->w, NULL);
    ops->update(t->s.optimizer, n->pool, n->params, n->w, n->g, t->moments, &s);
    fixed_of(n, t->fixed, NULL, n->w);
    if (t->c.averaging) {
        ops->average(n->pool, n->params, t->average, n->w, average_share(t->s.average, ++t->c.averaged));
        fixed_of(n, t->fixed, NULL, t->average); /* a mean of -0 would be 0 */
    }
    t->c.clipped += cut;
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
    see_others(t);
    laco_status st = net_load_loss(n, t->s.loss, true, err);
    if (st) return see_own(t), st;
    if (!t->c.pending) memset(n->g, 0, (size_t)n->params * (size_t)n->k->real_size);
    const net_loss loss = loss_of(t);
    t->last = p;
    *out = (window_result){ .loss = net_learn(n, &p, inputs_of(t), t->ldx, &loss), .tokens = t->counted };
    walk_ahead(t, &p, inputs_of(t));
    see_own(t);
    t->c.waiting_loss += out->loss, t->c.waiting_tokens += out->tokens;
    t->c.windows++, t->c.pending += t->counted > 0; /* without an answer there is nothing to follow */
    return !t->counted || t->c.pending < t->s.accumulate ? LACO_OK : update_weights(t, at, out, err);
}

laco_status trainer_load(trainer *t, laco_error *err) { return net_load_loss(t->n, t->s.loss, false, err); }
window_units trainer_units_window(trainer *t)
{
    const net *n = t->n;
    const bool classes = loss_has_classes(n, t->s.loss);
    pass p = next_window(t, false);
    window_units out = { .rows = p.b.R, .targets = t->targets, .classes = classes ? t->target : NULL, .y = classes ? NULL : t->y };
    net_forward(t->n, &p, inputs_of(t), t->ldx, n->d.layers - 1);
    out.units = net_output(n, n->d.layers - 1, &out.ld);
    return out;
}
void trainer_measure_window(trainer *t, window_result *out, double *log_prob)
{
    pass p = next_window(t, false);
    net_loss loss = loss_of(t);
    loss.scale = 0, loss.smoothing = 0, loss.log_prob = log_prob;
    *out = (window_result){ .loss = net_learn(t->n, &p, inputs_of(t), t->ldx, &loss), .tokens = t->counted };
}

const ragged *trainer_ragged(const trainer *t) { return &t->r; }
int64_t trainer_position(const trainer *t) { return t->from; }
int64_t trainer_next(const trainer *t) { return t->at; }
const train_counts *trainer_counted(const trainer *t) { return &t->c; }

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
    if (t->average) parts[count++] = (train_part){ "average", t->average, n->params };
    if (t->c.pending) parts[count++] = (train_part){ "gradient", n->g, n->params };
    if (t->c.pending && t->seen) parts[count++] = (train_part){ "seen", t->seen, n->params };
    if (!t->at || !trainer_more(t)) return count;
    for (int i = 0; i < n->d.layers; i++) {
        int64_t reals = n->state_row[i] / n->k->real_size * t->b.B;
        if (reals) parts[count++] = (train_part){ state_names[i], n->state[i][1], reals };
    }
    return count;
}
void trainer_restart(trainer *t, double factor)
{
    if (t->moments) memset(t->moments, 0, (size_t)(moments_of(t->n, &t->s) * t->n->k->real_size));
    t->c.rate_factor *= factor, t->c.pending = 0, t->c.fresh = true, t->c.averaged = 0;
}
void trainer_count(trainer *t, const train_counts *c) { t->c = *c; }
void trainer_seek(trainer *t, int64_t step) { t->at = step; }
