/* Backpropagation through time: whole, truncated, and one sequence at a time.

   full         g = dL/dw, L the mean over the batch (Rumelhart, Hinton & Williams 1986; Werbos 1990)
   truncated    BPTT(k1, k2) of Williams & Peng 1990: every k1 steps the loss of these steps is carried back over the
                last k2; the weights may change in between. Where the k2 steps begin, the state is taken as it was met
   on the way; the k2 steps are run again with the weights of the moment. online       the gradient of one sequence, an
   update after each averaged     the same with the updates of the unrolled copies of a weight averaged: copy t of T
   goes its own way, w_t = w - lr dL/dw_t, and w becomes their mean, w - lr/T sum of dL/dw_t: the gradient divided by T
 */
#include "gradient/way.h"

void bptt_full(const way_call *c)
{
    part all = whole(c->s);
    sweep_forward(c->w, c->s, &all, 1 / (double)c->s->B, NULL, NULL);
    sweep_backward(c->w, true, NULL, NULL);
    way_ready(c);
}

static void one_by_one(const way_call *c, double scale)
{
    if (!c->ready) scale /= (double)c->s->B;
    for (int64_t b = 0; b < c->s->B && !way_stopped(c); b++) {
        part one = { .row = b, .rows = 1, .steps = c->s->T };
        sweep_forward(c->w, c->s, &one, scale, NULL, NULL);
        sweep_backward(c->w, true, NULL, NULL);
        way_ready(c);
    }
}
void bptt_online(const way_call *c) { one_by_one(c, 1); }
void bptt_averaged(const way_call *c) { one_by_one(c, 1 / (double)c->s->T); }

/* own: the states where the k2 steps begin. */
laco_status truncated_make(void **own, sweep *w, const way_settings *s, laco_error *err)
{
    size_t n = (size_t)(w->states * s->batch);
    if (!net_steps(w->n))
        return fail(err, LACO_EINVAL, -1,
                    "a truncated gradient needs states that go forwards: leave bidirectional and reverse out");
    return (*own = mem_new(n, sizeof(double))) ? LACO_OK : fail_memory(err, n * sizeof(double));
}
void bptt_truncated(const way_call *c)
{
    double *state = c->own;
    const int64_t T = c->s->T, B = c->s->B;
    int64_t at = 0; /* the step that state stands in front of */
    for (int64_t begin = 0; begin < T; begin += c->set->every) {
        int64_t end = min64(T, begin + c->set->every), from = max64(0, end - c->set->back);
        part between = { .rows = B, .step = at, .steps = from - at, .loss_from = T };
        part back = { .rows = B, .step = from, .steps = end - from, .loss_from = begin };
        if (from > at) sweep_forward(c->w, c->s, &between, 0, at ? state : NULL, state), at = from;
        if (!sweep_counts(c->w->n, c->s, &back)) continue;
        sweep_forward(c->w, c->s, &back, 1 / (double)B, from ? state : NULL, NULL);
        sweep_backward(c->w, true, NULL, NULL);
        way_ready(c);
    }
}
