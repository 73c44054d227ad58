#include "gradient/sweep.h"
#include <math.h>

void sweep_free(sweep *w)
{
    if (!w) return;
    for (int i = 0; i < MAX_LAYERS; i++) mem_free(w->state[i]), mem_free(w->carry[i]);
    mem_free(w->active), mem_free(w->off), mem_free(w->x), mem_free(w->dy), mem_free(w->d[0]), mem_free(w->d[1]);
    mem_free(w);
}
/* What is drawn anew at every pass, or adds to the gradient beside the loss. */
static bool regularised(const layer_spec *s)
{
    const cell_spec *c = &s->cell;
    return s->rate > 0 || s->weight_drop > 0 || s->activation_reg > 0 || s->temporal_reg > 0 || c->variational > 0 ||
           c->recurrent_dropout > 0 || c->zoneout[0] > 0 || c->zoneout[1] > 0;
}
laco_status sweep_new(sweep **out, net *n, laco_error *err)
{
    if (n->k->real_size != sizeof(double) || n->symbols)
        return fail(err, LACO_EINVAL, -1, "this needs a network for numbers, in double, without embed");
    for (int i = 0; i < n->d.layers; i++)
        if (regularised(&n->d.layer[i]))
            return fail(err, LACO_EINVAL, -1,
                        "ways to the gradient are compared on one and the same function: leave dropout and other "
                        "regularisers out of the network");
    sweep *w = mem_new(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w);
    w->n = n, w->states = net_state_numbers(n, 1);
    w->ldx = ceil_div(n->inputs, 16) * 16, w->ldy = ceil_div(max64(n->wide, n->inputs), 16) * 16;
    *out = w;
    return LACO_OK;
}

static double *new_rows(int64_t rows, int64_t ld) { return mem_new((size_t)(rows * ld + 64), sizeof(double)); }
laco_status sweep_reserve(sweep *w, int64_t steps, int64_t batch, laco_error *err)
{
    int64_t rows = steps * batch;
    if (rows <= w->cap_rows && batch <= w->cap_batch && steps <= w->cap_rows) return LACO_OK;
    rows = max64(rows, w->cap_rows), batch = max64(batch, w->cap_batch);
    w->cap_rows = 0;
    laco_status st = net_reserve(w->n, rows, batch, true, err);
    if (st) return st;
    mem_free(w->active), mem_free(w->off), mem_free(w->x), mem_free(w->dy), mem_free(w->d[0]), mem_free(w->d[1]);
    bool ok = (w->active = mem_new((size_t)rows + 1, sizeof(int64_t))) != NULL;
    ok &= (w->off = mem_new((size_t)rows + 1, sizeof(int64_t))) != NULL;
    ok &= (w->x = new_rows(rows, w->ldx)) != NULL;
    double **wide[] = { &w->dy, &w->d[0], &w->d[1] };
    for (int i = 0; i < 3; i++) ok &= (*wide[i] = new_rows(rows, w->ldy)) != NULL;
    for (int i = 0; i < w->n->d.layers; i++) {
        int64_t stride = w->n->state_row[i] / (int64_t)sizeof(double);
        mem_free(w->state[i]), mem_free(w->carry[i]);
        ok &= (w->state[i] = new_rows(batch, stride)) != NULL;
        ok &= (w->carry[i] = new_rows(batch, stride)) != NULL;
    }
    if (!ok) return fail_memory(err, (size_t)(rows * w->ldy) * sizeof(double));
    w->cap_rows = rows, w->cap_batch = batch;
    return LACO_OK;
}
laco_status sweep_load(sweep *w, laco_error *err) { return net_load(w->n, true, true, err); }

/* ---- states between vectors and the rows of the layers ---- */
static void states_in(const sweep *w, double *const to[], const double *from, int64_t rows)
{
    int64_t at[MAX_STATES], width[MAX_STATES], place = 0;
    for (int i = 0; i < w->n->d.layers; i++) {
        int64_t stride = w->n->state_row[i] / (int64_t)sizeof(double);
        int parts = w->n->kind[i]->states(w->n->layer[i], at, width);
        memset(to[i], 0, (size_t)(rows * stride) * sizeof(double));
        for (int64_t j = 0, turns = net_turns(w->n, i); from && j < turns; j++)
            for (int k = 0; k < parts; place += width[k++])
                for (int64_t b = 0; b < rows; b++)
                    memcpy(to[i] + b * stride + j * stride / turns + at[k], from + b * w->states + place,
                           (size_t)width[k] * sizeof(double));
    }
}
static void states_out(const sweep *w, double *to, double *const from[], int64_t rows)
{
    int64_t at[MAX_STATES], width[MAX_STATES], place = 0;
    for (int i = 0; i < w->n->d.layers; i++) {
        int64_t stride = w->n->state_row[i] / (int64_t)sizeof(double);
        int parts = w->n->kind[i]->states(w->n->layer[i], at, width);
        for (int64_t j = 0, turns = net_turns(w->n, i); j < turns; j++)
            for (int k = 0; k < parts; place += width[k++])
                for (int64_t b = 0; b < rows; b++)
                    memcpy(to + b * w->states + place, from[i] + b * stride + j * stride / turns + at[k],
                           (size_t)width[k] * sizeof(double));
    }
}

/* ---- passes ---- */
static void gather(sweep *w, const sequences *s, const part *p)
{
    int64_t in = w->n->inputs;
    for (int64_t t = 0; t < p->steps; t++) {
        const double *x = s->x + ((p->step + t) * s->B + p->row) * in;
        w->active[t] = p->rows, w->off[t] = t * p->rows;
        for (int64_t b = 0; b < p->rows; b++)
            memcpy(w->x + (t * p->rows + b) * w->ldx, x + b * in, (size_t)in * sizeof(double));
    }
    w->off[p->steps] = p->steps * p->rows;
    w->p = (pass){ .b = { p->steps, p->rows, p->steps * p->rows, w->active, w->off },
                   .train = true,
                   .first_row = p->row,
                   .first_step = p->step };
}
/* The targets of step t of the part, row by row; NULL before the loss begins. */
static const double *targets(const net *n, const sequences *s, const part *p, int64_t t)
{
    t += p->step;
    return t < p->loss_from ? NULL : s->y + (t * s->B + p->row) * n->outputs;
}
static double squared_loss(sweep *w, const sequences *s, const part *p, double scale)
{
    int64_t ld, out = w->n->outputs;
    const double *y = net_output(w->n, w->n->d.layers, &ld);
    double sum = 0;
    for (int64_t r = 0; r < p->steps * p->rows; r++) {
        const double *target = targets(w->n, s, p, r / p->rows);
        for (int64_t i = 0; i < out; i++) {
            double wanted = target ? target[r % p->rows * out + i] : NAN,
                   e = isnan(wanted) ? 0 : y[r * ld + i] - wanted;
            sum += e * e, w->dy[r * w->ldy + i] = 2 * scale * e;
        }
    }
    return scale * sum;
}
bool sweep_counts(const net *n, const sequences *s, const part *p)
{
    for (int64_t t = 0; t < p->steps; t++) {
        const double *target = targets(n, s, p, t);
        for (int64_t i = 0; target && i < p->rows * n->outputs; i++)
            if (!isnan(target[i])) return true;
    }
    return false;
}

double sweep_forward(sweep *w, const sequences *s, const part *p, double scale, const double *before, double *after)
{
    net *n = w->n;
    const void *x = w->x;
    int64_t ld = w->ldx;
    gather(w, s, p);
    if (before) states_in(w, w->carry, before, p->rows);
    for (int i = 0; i < n->d.layers; i++) {
        n->kind[i]->forward(n->layer[i], &w->p, x, ld, before ? w->carry[i] : NULL, w->state[i]);
        x = n->kind[i]->output(n->layer[i], &ld);
    }
    if (after) states_out(w, after, w->state, p->rows);
    w->work += (double)(net_work(n) * w->p.b.R);
    return squared_loss(w, s, p, scale);
}

/* The gradient of the output of layer i: what comes from above, and what the caller adds. */
static void add_rows(const sweep *w, int i, double *d, int64_t ld)
{
    for (int64_t r = 0; w->add[i] && r < w->p.b.R; r++)
        for (int64_t j = 0; j < w->n->d.layer[i].out; j++) d[r * ld + j] += w->add[i][r * w->add_ld[i] + j];
}
void sweep_backward(sweep *w, bool loss, const double *d_after, double *d_before)
{
    net *n = w->n;
    double *dy = w->dy;
    if (!loss) memset(dy, 0, (size_t)(w->p.b.R * w->ldy) * sizeof(double));
    states_in(w, w->state, d_after, w->p.b.B);
    for (int i = n->d.layers - 1; i >= 0; i--) {
        double *dx = i ? w->d[i % 2] : NULL;
        add_rows(w, i, dy, w->ldy);
        n->kind[i]->backward(n->layer[i], &w->p, dy, w->ldy, w->state[i], (double *)n->g + n->base[i], dx, w->ldy);
        dy = dx;
    }
    if (d_before) states_out(w, d_before, w->state, w->p.b.B);
    w->work += 2 * (double)(net_work(n) * w->p.b.R);
}
