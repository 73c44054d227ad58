/* Forward, the cause is what comes first in time, and at one step in the lowest layer; backward it is the last step,
   and there the highest layer. A network that looks ahead has no such order in time: there the layer decides. */
#include "net/inspect.h"
#include "net/walk.h"
#include <math.h>
#include <stdio.h>

typedef struct search {
    net_walk *w;
    net *n;
    bool back, timed;
    bool found;
    net_place *out;
} search;

/* A place of the part in hand: kept when it is the first, or nearer to the cause than the one so far. */
static void propose(search *s, net_place p)
{
    p.step += s->w->first, p.steps = s->w->p->b.T, p.rows = s->w->p->b.B;
    if (s->found && (!s->timed || (s->back ? p.step <= s->out->step : p.step >= s->out->step))) return;
    s->found = true, *s->out = p;
}
static int64_t bad_number(const net *n, const void *base, int64_t from, int64_t count, double *value)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(*value = net_real(n, base, from + i))) return i;
    return -1;
}
static int64_t step_at(const search *s, int64_t i) /* the i-th step to look at */
{
    return s->back ? s->w->part.b.T - 1 - i : i;
}
/* Rows [R][ld] of the part in hand. */
static void search_rows(search *s, place_kind kind, int at, const void *base, int64_t ld, int64_t width)
{
    const ragged *b = &s->w->part.b;
    for (int64_t i = 0; i < b->T; i++)
        for (int64_t t = step_at(s, i), r = 0; r < b->active[t]; r++) {
            double value;
            int64_t unit = bad_number(s->n, base, (b->off[t] + r) * ld, width, &value);
            if (unit < 0) continue;
            propose(s, (net_place){ .kind = kind, .layer = at, .step = t, .row = r, .unit = unit, .value = value });
            return;
        }
}
static bool search_part(search *s, const recur *r, const recur_part *part, int at, int direction, int64_t t,
                        int64_t row, double *values)
{
    s->n->k->recur->look(r, part, t, row, values);
    for (int64_t u = 0; u < part->width; u++) {
        if (isfinite(values[u])) continue;
        net_place p = { .kind = s->back ? PLACE_VALUE_GRADIENT : PLACE_VALUE,
                        .layer = at,
                        .reverse = direction,
                        .step = t,
                        .row = row,
                        .unit = u,
                        .value = values[u] };
        snprintf(p.name, sizeof p.name, "%s", part->name);
        propose(s, p);
        return true;
    }
    return false;
}
/* Gates and states of a recurrent layer; on the way back the gates alone, which then hold gradients. */
static void search_values(search *s, int at, double *values)
{
    recur_part part[MAX_PARTS];
    const ragged *b = &s->w->part.b;
    for (int d = 0; d < 2; d++) {
        const recur *r = s->n->kind[at]->inside(s->n->layer[at], d);
        int count = r ? s->n->k->recur->parts(r, part) : 0;
        for (int64_t i = 0; i < (count ? b->T : 0); i++)
            for (int64_t t = step_at(s, i), row = 0; row < b->active[t]; row++)
                for (int k = 0; k < count; k++)
                    if (!(s->back && part[k].slot < 0) && search_part(s, r, &part[k], at, d, t, row, values)) return;
    }
}
static void search_parameters(search *s, const void *base, place_kind kind)
{
    const net *n = s->n;
    for (int k = 0; k < n->tensors && !s->found; k++) {
        int i = kind == PLACE_PARAMETER ? k : n->tensors - 1 - k, at = 0;
        const param_tensor *t = &n->tensor[i];
        double value;
        int64_t unit = bad_number(n, base, t->offset, t->size, &value);
        if (unit < 0) continue;
        while (n->tensor_layer[at + 1] <= i) at++;
        *s->out = (net_place){ .kind = kind, .layer = at, .step = -1, .row = -1, .unit = unit, .value = value };
        snprintf(s->out->name, sizeof s->out->name, "%s", t->name);
        s->found = true;
    }
}
static void search_forward(search *s, double *values)
{
    net *n = s->n;
    for (int64_t part = 0; part < s->w->parts && !s->found; part++) {
        walk_forward(s->w, part);
        if (!n->symbols) {
            const char *x = (const char *)s->w->x + s->w->p->b.off[s->w->first] * s->w->ldx * n->k->real_size;
            search_rows(s, PLACE_INPUT, -1, x, s->w->ldx, n->inputs);
        }
        for (int i = 0; i < n->d.layers; i++) {
            int64_t ld;
            const void *y = n->kind[i]->output(n->layer[i], &ld);
            search_values(s, i, values);
            search_rows(s, PLACE_OUTPUT, i, y, ld, n->d.layer[i].out);
        }
    }
}
static void search_loss(search *s)
{
    const ragged *b = &s->w->part.b;
    walk_loss(s->w, true);
    for (int64_t i = 0; i < b->T; i++)
        for (int64_t t = step_at(s, i), r = 0; r < b->active[t]; r++) {
            double value = s->w->row_loss[b->off[t] + r];
            if (!isfinite(value)) propose(s, (net_place){ PLACE_LOSS, -1, "", false, t, r, -1, 0, 0, value });
        }
}
static void search_backward(search *s, double *values)
{
    net *n = s->n;
    s->back = true;
    for (int64_t part = s->w->parts - 1; part >= 0 && !s->found; part--) {
        walk_forward(s->w, part);
        search_loss(s);
        for (int i = n->d.layers - 1; i >= 0; i--) {
            search_rows(s, PLACE_OUTPUT_GRADIENT, i, s->w->d, s->w->ldd, n->d.layer[i].out);
            walk_back(s->w, i);
            search_values(s, i, values);
        }
    }
    if (!s->found) search_parameters(s, n->g, PLACE_PARAMETER_GRADIENT);
}
bool net_locate(net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss, net_place *out)
{
    static const net_loss none = { .kind = LOSS_SOFTMAX };
    size_t size = (size_t)(n->params * n->k->real_size);
    search s = { .n = n, .out = out, .timed = net_steps(n) };
    void *kept = mem_new(size, 1);
    int64_t most = 1;
    for (int i = 0; i < n->d.layers; i++) most = max64(most, max64(n->d.layer[i].cell.hidden, n->d.layer[i].out));
    double *values = mem_new((size_t)most, sizeof *values);
    laco_status st = kept && values ? net_load(n, true, true, NULL) : LACO_ENOMEM;
    if (!st) st = walk_new(&s.w, n, p, x, ldx, loss ? loss : &none, 0, NULL);
    if (!st) {
        memcpy(kept, n->g, size), memset(n->g, 0, size);
        search_parameters(&s, n->w, PLACE_PARAMETER);
        if (!s.found) search_forward(&s, values);
        if (!s.found && loss) search_backward(&s, values);
        memcpy(n->g, kept, size);
    }
    walk_free(s.w), mem_free(kept), mem_free(values);
    return s.found;
}

static void say_time(const net_place *p, char *to, size_t size)
{
    if (p->step < 0)
        to[0] = 0;
    else
        snprintf(to, size, ", step %lld of %lld, row %lld of %lld", (long long)p->step + 1, (long long)p->steps,
                 (long long)p->row + 1, (long long)p->rows);
}
void net_place_say(const net *n, const net_place *p, char *to, size_t size)
{
    char time[96], where[128] = "", number[32];
    const char *value = isnan(p->value) ? "not a number" : "infinite";
    say_time(p, time, sizeof time);
    if (p->layer >= 0) {
        const layer_spec *s = &n->d.layer[p->layer];
        snprintf(where, sizeof where, "layers.%d (%s%s)", p->layer, s->cell.cell ? s->cell.cell : s->kind,
                 p->reverse ? ", reverse direction" : "");
    }
    snprintf(number, sizeof number, "%lld", (long long)p->unit + 1);
    switch (p->kind) {
    case PLACE_PARAMETER:
        snprintf(to, size, "number %s of the weights %s is %s", number, p->name, value);
        break;
    case PLACE_INPUT:
        snprintf(to, size, "input %s of the data is %s%s", number, value, time);
        break;
    case PLACE_VALUE:
        snprintf(to, size, "%s: the %s of unit %s is %s%s", where, p->name, number, value, time);
        break;
    case PLACE_OUTPUT:
        snprintf(to, size, "%s: output %s is %s%s", where, number, value, time);
        break;
    case PLACE_LOSS:
        snprintf(to, size, "the loss is %s%s, though the outputs are finite", value, time);
        break;
    case PLACE_OUTPUT_GRADIENT:
        snprintf(to, size, "%s: the gradient of output %s is %s%s", where, number, value, time);
        break;
    case PLACE_VALUE_GRADIENT:
        snprintf(to, size, "%s: the gradient of the %s of unit %s is %s%s", where, p->name, number, value, time);
        break;
    case PLACE_PARAMETER_GRADIENT:
        snprintf(to, size, "number %s of the gradient of %s is %s", number, p->name, value);
        break;
    }
}
