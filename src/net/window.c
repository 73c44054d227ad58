#include "net/window.h"
#include "net/chain.h"
#include "net/recompute.h"
#include <math.h>

enum { WHOLE_STEPS = 256, SEGMENT_STEPS = 64, SEGMENT_ROWS = 512 }; /* a window not parted; least of a segment */

struct net_window {
    window_plan p;
    pass *segment; /* [segments] of the window in progress */
    int64_t *off;  /* [steps + segments] of all segments, each beginning at 0 */
    char *state;   /* [2 + states] sets: two written in turn, then the kept ones */
    char *carry;   /* one set */
    int64_t *kept; /* [states + 1] at which block the window, and each kept set, begins */
    char **tape;   /* [tapes] contents of the parts of the layers, but for the tape in place */
    int64_t in_place;
};

/* Numbers of a row of output gradients: whole cache lines. */
static int64_t output_stride(const net *n)
{
    int64_t line = 64 / n->k->real_size;
    return ceil_div(n->outputs, line) * line;
}
static size_t net_loss_bytes(const net *n, loss_kind kind, int64_t rows)
{
    if (kind == LOSS_SOFTMAX) return 0;
    size_t chain = kind == LOSS_CRF ? net_chain_bytes(n, rows) : 0;
    return chain + (size_t)((rows + 1) * output_stride(n)) * (size_t)n->k->real_size + (size_t)rows * sizeof(double);
}
laco_status net_reserve_loss(net *n, loss_kind kind, int64_t rows, laco_error *err)
{
    const layer_spec *last = &n->d.layer[n->d.layers - 1];
    if (kind == LOSS_SOFTMAX)
        return n->head ? LACO_OK : n->k->loss->softmax_new(&n->head, n->outputs, last->in, n->pool, err);
    laco_status st = kind == LOSS_CRF ? net_reserve_chain(n, rows, err) : LACO_OK;
    if (st || rows <= n->cap_out) return st;
    mem_free(n->d_out), mem_free(n->row_loss);
    n->cap_out = 0, n->ld_out = output_stride(n);
    n->d_out = mem_new((size_t)((rows + 1) * n->ld_out), (size_t)n->k->real_size);
    n->row_loss = mem_new((size_t)rows, sizeof *n->row_loss);
    if (!n->d_out || !n->row_loss) return fail_memory(err, net_loss_bytes(n, kind, rows));
    n->cap_out = rows;
    return LACO_OK;
}
int64_t net_targets(const net *n, loss_kind kind, const loss_options *o)
{
    return n->outputs / loss_parts(n->k->loss->row(kind), o);
}
bool loss_has_classes(const net *n, loss_kind kind) { return n->k->loss->row(kind)->of == LOSS_OF_CLASSES; }
laco_status net_load_loss(net *n, loss_kind kind, bool train, laco_error *err)
{
    return net_load(n, train, kind != LOSS_SOFTMAX, err);
}

/* ---- sets of states ---- */
static int64_t state_bytes(const net *n, int i, int64_t batch) { return ceil_div(n->state_row[i] * batch, 64) * 64; }
static int64_t set_bytes(const net *n, int64_t batch)
{
    int64_t sum = 0;
    for (int i = 0; i < n->d.layers; i++) sum += state_bytes(n, i, batch);
    return sum;
}
typedef struct state_set {
    void *of[MAX_LAYERS];
} state_set;
static state_set set_at(const net *n, char *at)
{
    state_set s;
    for (int i = 0; i < n->d.layers; i++) s.of[i] = at, at += state_bytes(n, i, n->window->p.batch);
    return s;
}
static state_set in_turn(const net *n, int64_t turn)
{
    return set_at(n, n->window->state + (turn & 1) * set_bytes(n, n->window->p.batch));
}
static state_set kept_set(const net *n, int64_t i)
{
    return set_at(n, n->window->state + (2 + i) * set_bytes(n, n->window->p.batch));
}
static state_set initial_set(const net *n)
{
    state_set s = { { NULL } };
    for (int i = 0; n->carried && i < n->d.layers; i++) s.of[i] = n->state[i][0];
    return s;
}
static state_set final_set(const net *n)
{
    state_set s;
    for (int i = 0; i < n->d.layers; i++) s.of[i] = n->state[i][1];
    return s;
}

/* ---- tapes ---- */
enum { MAX_TAPE_PARTS = MAX_LAYERS * TAPE_PARTS };
static int list_parts(const net *n, tape_part all[MAX_TAPE_PARTS])
{
    int count = 0;
    for (int i = 0; i < n->d.layers; i++) count += n->kind[i]->tape(n->layer[i], all + count);
    return count;
}
static size_t parts_bytes(const net *n)
{
    tape_part all[MAX_TAPE_PARTS];
    size_t sum = 0;
    for (int i = 0, count = list_parts(n, all); i < count; i++) sum += all[i].size;
    return sum;
}
static void use_tape(net *n, int64_t i)
{
    struct net_window *w = n->window;
    tape_part all[MAX_TAPE_PARTS];
    if (i == w->in_place) return;
    char *from = w->tape[i], *to = w->tape[w->in_place];
    for (int k = 0, count = list_parts(n, all); k < count; from += all[k].size, to += all[k++].size)
        memcpy(to, all[k].at, all[k].size), memcpy(all[k].at, from, all[k].size);
    w->in_place = i;
}
static void release_tape(net *n)
{
    for (int i = 0; i < n->d.layers; i++) n->kind[i]->release(n->layer[i]);
}

/* ---- the plan ---- */
/* Blocks are what goes back at a time: the segments one by one, but the last `tapes` of them together. */
static int64_t blocks_of(int64_t segments, int64_t tapes) { return max64(1, segments - tapes + 1); }
static int64_t first_of(int64_t b, int64_t blocks, int64_t segments) { return b < blocks ? b : segments; }
static laco_status count_forward(window_plan *p, laco_error *err)
{
    int64_t blocks = blocks_of(p->segments, p->tapes), sum = p->segments;
    recompute s = { .end = blocks, .room = p->states };
    if (!(s.kept = mem_new((size_t)p->states + 1, sizeof *s.kept))) return fail_memory(err, (size_t)p->states * 8);
    for (recompute_move m; recompute_next(&s, &m);)
        sum += first_of(m.to, blocks, p->segments) - first_of(m.from, blocks, p->segments);
    p->forward = (double)sum / (double)p->segments;
    mem_free(s.kept);
    return LACO_OK;
}

/* ---- the plan ---- */
static int64_t segment_steps(const net *n, int64_t steps, int64_t batch)
{
    if (steps <= WHOLE_STEPS || !net_steps(n)) return steps;
    int64_t root = (int64_t)ceil(sqrt((double)steps)), least = max64(SEGMENT_STEPS, ceil_div(SEGMENT_ROWS, batch));
    return ceil_div(steps, ceil_div(steps, max64(root, least))); /* segments of about the same length */
}
static size_t plan_bytes(const net *n, const window_plan *p)
{
    int64_t rows = p->segment * p->batch;
    size_t sum = net_bytes_taped(n, rows, p->batch, true, p->tapes) + net_loss_bytes(n, p->loss, rows);
    if (p->segments == 1) return sum;
    return sum + sizeof(struct net_window) + (size_t)((p->states + 3) * set_bytes(n, p->batch)) +
           (size_t)p->segments * sizeof(pass) + (size_t)(p->steps + p->segments + p->states + 1) * sizeof(int64_t) +
           (size_t)p->tapes * (sizeof(char *) + parts_bytes(n));
}
laco_status net_plan_window(const net *n, loss_kind loss, int64_t steps, int64_t batch, size_t memory, window_plan *out,
                            laco_error *err)
{
    window_plan p = { .loss = loss, .steps = steps, .batch = batch, .segment = segment_steps(n, steps, batch) };
    p.tapes = p.segments = ceil_div(steps, p.segment);
    for (;; p.tapes--) {
        p.states = blocks_of(p.segments, p.tapes) - 1, p.bytes = plan_bytes(n, &p);
        if (!memory || p.bytes <= memory || p.tapes == 1) break;
    }
    if (memory && p.bytes > memory) { /* a tape, and as many states as there is room for */
        size_t one = (size_t)set_bytes(n, batch) + sizeof(int64_t), states = (size_t)p.states;
        size_t least = p.bytes - states * one;
        p.states = least > memory ? 0 : (int64_t)((memory - least) / one), p.bytes = least + (size_t)p.states * one;
    }
    laco_status st = count_forward(&p, err);
    if (!st) *out = p;
    return st;
}

/* ---- memory ---- */
void net_window_free(net *n)
{
    struct net_window *w = n->window;
    if (!w) return;
    for (int64_t i = 1; w->tape && i < w->p.tapes && w->tape[i]; i++) use_tape(n, i), release_tape(n);
    if (w->in_place) use_tape(n, 0);
    for (int64_t i = 0; w->tape && i < w->p.tapes; i++) mem_free(w->tape[i]);
    mem_free(w->segment), mem_free(w->off), mem_free(w->state), mem_free(w->carry), mem_free(w->kept);
    mem_free(w->tape), mem_free(w), n->window = NULL;
}
static bool take_window(net *n, const window_plan *p)
{
    struct net_window *w = n->window = mem_new(1, sizeof *w);
    size_t set = (size_t)set_bytes(n, p->batch);
    if (!w) return false;
    w->p = *p;
    bool ok = (w->segment = mem_new((size_t)p->segments, sizeof *w->segment)) != NULL;
    ok &= (w->off = mem_new((size_t)(p->steps + p->segments), sizeof *w->off)) != NULL;
    ok &= (w->state = mem_new((size_t)p->states + 2, set)) != NULL;
    ok &= (w->carry = mem_new(1, set)) != NULL;
    ok &= (w->kept = mem_new((size_t)p->states + 1, sizeof *w->kept)) != NULL;
    ok &= (w->tape = mem_new((size_t)p->tapes, sizeof *w->tape)) != NULL;
    for (int64_t i = 0; ok && i < p->tapes; i++) ok &= (w->tape[i] = mem_new(1, parts_bytes(n))) != NULL;
    return ok;
}
laco_status net_reserve_window(net *n, const window_plan *p, laco_error *err)
{
    int64_t rows = p->segment * p->batch;
    net_window_free(n);
    laco_status st = net_reserve(n, rows, p->batch, true, err);
    if (!st) st = net_reserve_loss(n, p->loss, rows, err);
    if (st || p->segments == 1) return st;
    if (!take_window(n, p)) st = fail_memory(err, p->bytes);
    for (int64_t k = 1; !st && k < p->tapes; k++) {
        use_tape(n, k);
        for (int i = 0; !st && i < n->d.layers; i++) st = n->kind[i]->reserve(n->layer[i], rows, p->batch, true, err);
    }
    if (st)
        net_window_free(n);
    else
        use_tape(n, 0);
    return st;
}

/* ---- the walk ---- */
typedef struct walk {
    net *n;
    const void *x;
    int64_t ldx, segments, blocks;
    const pass *segment; /* [segments] */
    const net_loss *loss;
    int64_t first_row; /* of the window */
    double sum;
} walk;

static void cut(struct net_window *w, const pass *p, int64_t segments)
{
    int64_t *off = w->off;
    for (int64_t k = 0; k < segments; k++) {
        int64_t t = k * w->p.segment, T = min64(w->p.segment, p->b.T - t), row = p->b.off[t];
        for (int64_t i = 0; i <= T; i++) off[i] = p->b.off[t + i] - row;
        pass *s = &w->segment[k];
        *s = *p;
        s->b = (ragged){ T, p->b.B, off[T], p->b.active + t, off };
        s->classes = p->classes ? p->classes + row : NULL;
        s->target = p->target ? p->target + row * p->targets : NULL;
        s->first_row += row, s->first_step += t, s->steps = max64(p->steps, p->first_step + p->b.T);
        off += T + 1;
    }
}
static int64_t row_of(const walk *w, int64_t k) { return w->segment[k].first_row - w->first_row; }
static int layers_of(const walk *w) { return w->n->d.layers - (!w->loss || w->loss->kind == LOSS_SOFTMAX); }
static void segment_forward(walk *w, int64_t k, const state_set *from, const state_set *to)
{
    const net *n = w->n;
    size_t row = n->symbols ? sizeof(int32_t) : (size_t)(w->ldx * n->k->real_size);
    const char *x = (const char *)w->x + (size_t)row_of(w, k) * row;
    net_forward_between(w->n, &w->segment[k], x, w->ldx, layers_of(w), from->of, to->of);
}
/* A loss on the outputs of the last layer. */
static double output_loss(walk *w, int64_t k)
{
    net *n = w->n;
    const int64_t row = row_of(w, k);
    const pass *p = &w->segment[k];
    if (w->loss->kind == LOSS_CRF)
        return net_chain_loss(n, p, w->loss->classes + row, w->loss->scale, p->train ? n->d_out : NULL, n->ld_out, NULL);
    output_rows rows = { .R = p->b.R,
                         .outputs = n->outputs,
                         .target = w->loss->y + row * net_targets(n, w->loss->kind, w->loss->options),
                         .unit = w->loss->unit ? w->loss->unit + row : NULL,
                         .options = w->loss->options,
                         .scale = w->loss->scale,
                         .dy = p->train ? n->d_out : NULL,
                         .lddy = n->ld_out,
                         .row_loss = n->row_loss };
    rows.y = net_output(n, n->d.layers, &rows.ldy);
    return n->k->loss->run(w->loss->kind, n->pool, &rows);
}
/* After the segment went forward: its loss, and back. */
static void segment_loss(walk *w, int64_t k)
{
    const net_loss *l = w->loss;
    int64_t row = row_of(w, k);
    if (l->kind != LOSS_SOFTMAX) {
        w->sum += output_loss(w, k);
        return;
    }
    const softmax_rows rows = { .target = l->classes + row,
                                .scale = l->scale,
                                .smoothing = l->smoothing,
                                .class_weight = l->class_weight,
                                .log_prob = l->log_prob ? l->log_prob + row : NULL };
    w->sum += net_softmax_rows(w->n, &w->segment[k], rows);
}
static void segment_back(walk *w, int64_t k, const state_set *carry)
{
    net *n = w->n;
    bool fused = w->loss->kind == LOSS_SOFTMAX;
    net_backward_between(n, &w->segment[k], fused ? n->d_rows[layers_of(w) % 2] : n->d_out,
                         fused ? n->ld_d : n->ld_out, layers_of(w), NULL, 0, carry->of);
}

/* Forward through the segments from..end from state s; the last one's goes to `last`. Returns the state there. */
static state_set pass_on(walk *w, int64_t from, int64_t end, state_set s, const state_set *last)
{
    use_tape(w->n, 0);
    for (int64_t k = from; k < end; k++) {
        state_set to = k + 1 < end ? in_turn(w->n, k) : *last;
        segment_forward(w, k, &s, &to);
        s = to;
    }
    return s;
}
/* Makes the tapes of the segments from..end from state s, and goes back through them. */
static void back_through(walk *w, int64_t from, int64_t end, state_set s, const state_set *carry)
{
    for (int64_t k = from; k < end; k++) {
        state_set to = k + 1 == w->segments ? final_set(w->n) : in_turn(w->n, k);
        use_tape(w->n, k - from);
        segment_forward(w, k, &s, &to);
        s = to;
    }
    for (int64_t k = end - 1; k >= from; k--) {
        use_tape(w->n, k - from);
        segment_loss(w, k);
        segment_back(w, k, carry);
    }
}
static int64_t first_segment(const walk *w, int64_t block)
{
    return first_of(block, w->blocks, w->segments);
}
static void learn_segments(walk *w)
{
    struct net_window *own = w->n->window;
    recompute left = { .end = w->blocks, .room = own->p.states, .kept = own->kept };
    state_set carry = set_at(w->n, own->carry);
    memset(own->carry, 0, (size_t)set_bytes(w->n, own->p.batch));
    own->kept[0] = 0;
    for (recompute_move m; recompute_next(&left, &m);) {
        int64_t from = first_segment(w, m.from), to = first_segment(w, m.to);
        state_set s = m.start ? kept_set(w->n, m.start - 1) : initial_set(w->n);
        state_set at = m.keep ? kept_set(w->n, m.start) : in_turn(w->n, to - 1);
        s = pass_on(w, from, to, s, &at);
        if (!m.keep) back_through(w, to, first_segment(w, m.to + 1), s, &carry);
    }
    use_tape(w->n, 0);
}
/* Forward alone, and the loss where there is one. */
static void measure_segments(walk *w)
{
    state_set s = initial_set(w->n);
    for (int64_t k = 0; k < w->segments; k++) {
        state_set to = k + 1 < w->segments ? in_turn(w->n, k) : final_set(w->n);
        segment_forward(w, k, &s, &to);
        if (w->loss) segment_loss(w, k);
        s = to;
    }
}
/* The window as one segment, or cut into those of the plan. */
static walk begin(net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss)
{
    struct net_window *own = n->window;
    walk w = { .n = n, .x = x, .ldx = ldx, .loss = loss, .first_row = p->first_row, .segment = p, .segments = 1 };
    if (!own || p->b.T <= own->p.segment) return w;
    w.segments = ceil_div(p->b.T, own->p.segment), w.blocks = blocks_of(w.segments, own->p.tapes);
    cut(own, p, w.segments), w.segment = own->segment;
    return w;
}
double net_learn(net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss)
{
    walk w = begin(n, p, x, ldx, loss);
    if (p->train && w.segments > 1)
        learn_segments(&w);
    else
        measure_segments(&w);
    if (p->train && w.segments == 1) segment_back(&w, 0, &(state_set){ { NULL } });
    return w.sum;
}
void net_pass(net *n, const pass *p, const void *x, int64_t ldx)
{
    walk w = begin(n, p, x, ldx, NULL);
    measure_segments(&w);
}
