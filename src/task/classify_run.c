/* The network over examples: batches of sequences of like length, longest first, in windows of time between which the
   states are carried. A network that reads backwards gets every sequence whole, as many at once as WHOLE_STEPS allow.
 */
#include "task/classify.h"
#include "task/lm.h"

enum { WHOLE_STEPS = 1 << 15 };

bool runner_backwards(const net *n)
{
    for (int i = 0; i < n->d.layers; i++)
        if (n->d.layer[i].bidirectional || n->d.layer[i].cell.reverse) return true;
    return false;
}
void runner_free(runner *r)
{
    mem_free(r->x), mem_free(r->ids), mem_free(r->active), mem_free(r->off);
    *r = (runner){ 0 };
}
void runner_init(runner *r, net *n, int64_t batch, int64_t steps)
{
    *r = (runner){ .n = n, .batch = batch, .steps = runner_backwards(n) ? 0 : steps };
    r->ldx = n->symbols ? 1 : ceil_div(n->inputs, 16) * 16;
}
/* Memory for a window of so many steps of so many rows. */
static laco_status reserve(runner *r, int64_t steps, int64_t batch, laco_error *err)
{
    int64_t rows = steps * batch;
    if (rows <= r->reserved) return LACO_OK;
    mem_free(r->x), mem_free(r->ids), mem_free(r->active), mem_free(r->off);
    size_t numbers = r->n->symbols ? 0 : (size_t)(rows * r->ldx + 64);
    r->x = mem_new(numbers, sizeof *r->x), r->ids = mem_new(r->n->symbols ? (size_t)rows : 0, sizeof *r->ids);
    r->active = mem_new((size_t)rows, sizeof *r->active), r->off = mem_new((size_t)rows + 1, sizeof *r->off);
    r->reserved = 0;
    if (!r->x || !r->ids || !r->active || !r->off) return fail_memory(err, numbers * sizeof *r->x);
    laco_status st = net_reserve(r->n, rows, batch, false, err);
    if (!st) r->reserved = rows;
    return st;
}
/* Steps `at` and on of B sequences. */
static ragged lay_out(runner *r, const examples *e, const text_row *row, int64_t B, int64_t at, int64_t steps)
{
    ragged q = { .B = B, .active = r->active, .off = r->off };
    int64_t active = B, inputs = r->n->inputs;
    for (r->off[0] = 0; q.T < steps; q.T++) {
        while (active && row[active - 1].length <= at + q.T) active--;
        if (!active) break;
        for (int64_t b = 0; b < active; b++) {
            int64_t to = r->off[q.T] + b, from = row[b].start + at + q.T;
            if (r->n->symbols)
                r->ids[to] = e->ids[from];
            else
                memcpy(r->x + to * r->ldx, e->x + from * inputs, (size_t)inputs * sizeof *r->x);
        }
        r->active[q.T] = active, r->off[q.T + 1] = r->off[q.T] + active;
    }
    q.R = r->off[q.T];
    return q;
}
/* What is asked for from a window. quiet of a row: its example. */
static void hand_out(const runner *r, const ragged *q, const text_row *row, int64_t at, bool every, runner_take *take,
                     void *ctx)
{
    int64_t ld;
    const float *y = net_output(r->n, r->n->d.layers, &ld);
    for (int64_t t = 0; t < q->T; t++)
        for (int64_t b = 0; b < q->active[t]; b++)
            if (every || at + t + 1 == row[b].length) take(ctx, row[b].quiet, at + t, y + (q->off[t] + b) * ld);
}
static laco_status run_batch(runner *r, const examples *e, const text_row *row, int64_t B, bool every,
                             runner_take *take, void *ctx, laco_error *err)
{
    int64_t steps = r->steps ? r->steps : row[0].length;
    laco_status st = reserve(r, steps, B, err);
    if (st) return st;
    net_reset(r->n);
    for (int64_t at = 0; at < row[0].length; at += steps) {
        pass p = { .b = lay_out(r, e, row, B, at, steps) };
        if (at) net_carry(r->n);
        net_forward(r->n, &p, r->n->symbols ? (const void *)r->ids : r->x, r->ldx, r->n->d.layers);
        hand_out(r, &p.b, row, at, every, take, ctx);
    }
    return LACO_OK;
}
laco_status runner_run(runner *r, const examples *e, int part, bool every, const volatile int *stop, runner_take *take,
                       void *ctx, laco_error *err)
{
    int64_t n = 0, B;
    text_row *row = mem_new((size_t)e->count, sizeof *row);
    if (!row) return fail_memory(err, (size_t)e->count * sizeof *row);
    for (int64_t i = 0; i < e->count; i++)
        if ((part < 0 || e->row[i].part == part) && e->row[i].length)
            row[n++] = (text_row){ e->row[i].start, e->row[i].length, i };
    lm_sort_rows(row, n);
    laco_status st = n ? net_load(r->n, false, true, err) : LACO_OK;
    for (int64_t i = 0; !st && i < n && !*stop; i += B) {
        B = min64(n - i, r->batch);
        if (!r->steps) B = min64(B, max64(1, WHOLE_STEPS / row[i].length));
        st = run_batch(r, e, row + i, B, every, take, ctx, err);
    }
    mem_free(row);
    return st;
}

/* ---- answers of all examples ---- */
laco_status verdicts_new(verdicts *v, const examples *e, const reading *f, bool every, laco_error *err)
{
    *v = (verdicts){ .width = reading_outputs(f), .every = every };
    size_t n = (size_t)((every ? e->positions : e->count) * v->width);
    return (v->p = mem_new(n, sizeof *v->p)) ? LACO_OK : fail_memory(err, n * sizeof *v->p);
}
typedef struct collector {
    verdicts *v;
    const examples *e;
    const reading *f;
} collector;
static void collect(void *ctx, int64_t number, int64_t step, const float *y)
{
    const collector *c = ctx;
    reading_answer(c->f, y, c->v->p + (c->v->every ? c->e->row[number].start + step : number) * c->v->width);
}
laco_status verdicts_run(verdicts *v, runner *r, const examples *e, const reading *f, int part,
                         const volatile int *stop, laco_error *err)
{
    collector c = { v, e, f };
    return runner_run(r, e, part, v->every, stop, collect, &c, err);
}
