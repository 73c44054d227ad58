#include "task/drawn.h"
#include "task/lm.h"

void drawn_free(drawn *q)
{
    mem_free(q->x), mem_free(q->y), mem_free(q->classes), mem_free(q->out), mem_free(q->row), mem_free(q->sorted);
    *q = (drawn){ 0 };
}
/* Room for so many; what was there is lost. */
static laco_status make_room(drawn *q, const synth *s, int64_t positions, int64_t rows, laco_error *err)
{
    if (positions <= q->positions && rows <= q->rows) return LACO_OK;
    positions = max64(positions, q->positions), rows = max64(rows, q->rows);
    drawn_free(q);
    size_t n = (size_t)positions, outputs = n * (size_t)s->outputs;
    q->x = mem_new(n * (size_t)s->inputs, sizeof *q->x), q->y = mem_new(outputs, sizeof *q->y);
    q->classes = mem_new(n, sizeof *q->classes), q->out = mem_new(outputs, sizeof *q->out);
    q->row = mem_new((size_t)rows, sizeof *q->row), q->sorted = mem_new((size_t)rows, sizeof *q->sorted);
    if (!q->x || !q->y || !q->classes || !q->out || !q->row || !q->sorted)
        return fail_memory(err, (outputs + n * (size_t)s->inputs) * sizeof(float));
    q->positions = positions, q->rows = rows;
    return LACO_OK;
}
static synth_target targets_at(const drawn *q, const synth *s, int64_t start)
{
    if (s->task->loss == SYNTH_CLASSES) return (synth_target){ .classes = q->classes + start };
    return (synth_target){ .y = q->y + start * s->outputs };
}
laco_status drawn_make(drawn *q, const synth *s, synth_set set, int64_t first, int64_t count, laco_error *err)
{
    int64_t positions = 0;
    for (int64_t i = 0; i < count; i++) positions += synth_length(s, set, first + i);
    laco_status st = make_room(q, s, positions, count, err);
    if (st) return st;
    q->count = count, positions = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t T = synth_length(s, set, first + i);
        synth_make(s, set, first + i, T, q->x + positions * s->inputs, targets_at(q, s, positions));
        q->row[i] = q->sorted[i] = (text_row){ .start = positions, .length = T };
        positions += T;
    }
    lm_sort_rows(q->sorted, count);
    return LACO_OK;
}
train_batch drawn_batch(const drawn *q, const synth *s)
{
    bool classes = s->task->loss == SYNTH_CLASSES;
    return (train_batch){
        .x = q->x, .classes = classes ? q->classes : NULL, .y = classes ? NULL : q->y, .row = q->sorted, .B = q->count
    };
}

laco_status answers_new(answers *a, net *n, int64_t batch, int64_t steps, laco_error *err)
{
    *a = (answers){ .n = n, .batch = batch, .steps = steps, .ldx = ceil_div(n->inputs, 16) * 16 };
    size_t numbers = (size_t)(batch * steps * a->ldx + 64);
    a->x = mem_new(numbers, sizeof *a->x);
    a->active = mem_new((size_t)steps, sizeof *a->active), a->off = mem_new((size_t)steps + 1, sizeof *a->off);
    if (!a->x || !a->active || !a->off) return answers_free(a), fail_memory(err, numbers * sizeof *a->x);
    return net_reserve(n, batch * steps, batch, false, err);
}
void answers_free(answers *a)
{
    mem_free(a->x), mem_free(a->active), mem_free(a->off);
    *a = (answers){ 0 };
}
/* Steps `at` and on of the sequences, as many as a window holds. */
static ragged lay_out(answers *a, const drawn *q, int64_t at)
{
    ragged r = { .B = q->count, .active = a->active, .off = a->off };
    int64_t active = q->count, inputs = a->n->inputs;
    for (a->off[0] = 0; r.T < a->steps; r.T++) {
        while (active && q->sorted[active - 1].length <= at + r.T) active--;
        if (!active) break;
        for (int64_t b = 0; b < active; b++)
            memcpy(a->x + (a->off[r.T] + b) * a->ldx, q->x + (q->sorted[b].start + at + r.T) * inputs,
                   (size_t)inputs * sizeof *a->x);
        a->active[r.T] = active, a->off[r.T + 1] = a->off[r.T] + active;
    }
    r.R = a->off[r.T];
    return r;
}
static void collect(const answers *a, drawn *q, const ragged *r, int64_t at)
{
    int64_t ld, outputs = a->n->outputs;
    const float *y = net_output(a->n, a->n->d.layers, &ld);
    for (int64_t t = 0; t < r->T; t++)
        for (int64_t b = 0; b < r->active[t]; b++)
            memcpy(q->out + (q->sorted[b].start + at + t) * outputs, y + (r->off[t] + b) * ld,
                   (size_t)outputs * sizeof *y);
}
/* Runs the sequences drawn last, at most `batch`, and judges them. */
static void answers_judge(answers *a, drawn *q, const synth *s, synth_score *to)
{
    net_reset(a->n);
    for (int64_t at = 0; at < q->sorted[0].length; at += a->steps) {
        pass p = { .b = lay_out(a, q, at) };
        if (at) net_carry(a->n);
        net_forward(a->n, &p, a->x, a->ldx, a->n->d.layers);
        collect(a, q, &p.b, at);
    }
    for (int64_t i = 0; i < q->count; i++) {
        int64_t start = q->row[i].start;
        synth_judge(s, q->row[i].length, q->x + start * s->inputs, targets_at(q, s, start), q->out + start * s->outputs,
                    s->outputs, to);
    }
}
laco_status answers_measure(answers *a, drawn *q, const synth *s, synth_set set, const volatile int *stop,
                            synth_score *to, laco_error *err)
{
    int64_t count = synth_count(s, set);
    laco_status st = net_load(a->n, false, true, err);
    *to = (synth_score){ 0 };
    for (int64_t i = 0; !st && i < count && !*stop; i += a->batch) {
        if (s->task->figure == FIGURE_REACH && to->reach < to->sequences) break; /* the first wrong one is found */
        st = drawn_make(q, s, set, i, min64(a->batch, count - i), err);
        if (!st) answers_judge(a, q, s, to);
    }
    return st;
}
