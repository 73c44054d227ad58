#include "net/chain.h"
#include "net/walk.h"

double net_real(const net *n, const void *base, int64_t i)
{
    return n->k->real_size == 4 ? (double)((const float *)base)[i] : ((const double *)base)[i];
}
static int64_t state_bytes(const net *n, int i, int64_t B) { return n->state_row[i] * B; }

enum { MOST_OUTPUTS = 1 << 24 }; /* numbers of the outputs of a part: they exist here, even with a softmax */
static int64_t fitting_chunk(const net *n, const pass *p)
{
    int64_t rows = min64(n->cap_rows, MOST_OUTPUTS / n->outputs);
    return max64(1, min64(p->b.T, rows / max64(1, p->b.B)));
}
static laco_status take_memory(net_walk *w, laco_error *err)
{
    net *n = w->n;
    int64_t B = w->p->b.B, rows = w->chunk * B, size = n->k->real_size, last = n->d.layers - 1;
    bool ok = (w->off = mem_new((size_t)w->chunk + 1, sizeof *w->off)) != NULL;
    w->lddy = ceil_div(n->outputs * size, 64) * 64 / size;
    ok &= (w->dy = mem_new((size_t)((rows + 1) * w->lddy), (size_t)size)) != NULL;
    ok &= (w->row_loss = mem_new((size_t)rows, sizeof *w->row_loss)) != NULL;
    if (n->d.tied) ok &= (w->tied = mem_new((size_t)((n->d.layer[last].in + 1) * n->outputs), (size_t)size)) != NULL;
    for (int i = 0; ok && i < n->d.layers; i++) {
        ok &= (w->state[i] = mem_new((size_t)(w->parts + 1), (size_t)state_bytes(n, i, B))) != NULL;
        ok &= (w->carry[i] = mem_new((size_t)state_bytes(n, i, B), 1)) != NULL;
    }
    return ok ? LACO_OK : fail_memory(err, (size_t)(rows * w->lddy * size));
}
laco_status walk_new(net_walk **out, net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss,
                     int64_t chunk, laco_error *err)
{
    net_walk *w = mem_new(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w);
    *w = (net_walk){ .n = n, .p = p, .x = x, .ldx = ldx, .loss = loss };
    w->chunk = !net_steps(n) ? p->b.T : chunk ? chunk : fitting_chunk(n, p);
    w->parts = ceil_div(p->b.T, max64(1, w->chunk));
    laco_status st = take_memory(w, err);
    if (st) return walk_free(w), st;
    *out = w;
    return LACO_OK;
}
void walk_free(net_walk *w)
{
    if (!w) return;
    for (int i = 0; i < MAX_LAYERS; i++) mem_free(w->state[i]), mem_free(w->carry[i]);
    mem_free(w->off), mem_free(w->dy), mem_free(w->tied), mem_free(w->row_loss), mem_free(w);
}

void walk_forward(net_walk *w, int64_t part)
{
    net *n = w->n;
    const ragged *b = &w->p->b;
    w->first = part * w->chunk, w->part = *w->p, w->part.classes = NULL; /* all rows are looked at */
    ragged *r = &w->part.b;
    *r = (ragged){ .T = min64(w->chunk, b->T - w->first), .B = b->active[w->first], .active = b->active + w->first };
    for (int64_t t = 0; t <= r->T; t++) w->off[t] = b->off[w->first + t] - b->off[w->first];
    r->off = w->off, r->R = w->off[r->T];
    if (part == 0) r->B = b->B;
    if (w->part.target) w->part.target += b->off[w->first] * w->part.targets;
    w->part.first_row += b->off[w->first], w->part.first_step += w->first;
    w->part.steps = max64(w->p->steps, w->p->first_step + b->T);
    int64_t one = n->symbols ? (int64_t)sizeof(int32_t) : w->ldx * n->k->real_size;
    const void *x = (const char *)w->x + b->off[w->first] * one;
    int64_t ldx = w->ldx;
    for (int i = 0; i < n->d.layers; i++) {
        char *before = w->state[i] + part * state_bytes(n, i, b->B);
        void *given = part ? before : n->carried ? n->state[i][0] : NULL;
        n->kind[i]->forward(n->layer[i], &w->part, x, ldx, given, before + state_bytes(n, i, b->B));
        x = n->kind[i]->output(n->layer[i], &ldx);
    }
}
/* Of whole sequences: what a sequence loses is put at its first step. */
static double chain_loss(net_walk *w, const net_loss *l)
{
    memset(w->row_loss, 0, (size_t)w->part.b.R * sizeof *w->row_loss);
    return net_chain_loss(w->n, &w->part, l->classes, l->scale, w->dy, w->lddy, w->row_loss);
}
double walk_loss(net_walk *w, bool counts)
{
    net *n = w->n;
    const net_loss *l = w->loss;
    int64_t first = w->p->b.off[w->first], size = n->k->real_size;
    output_rows rows = { .R = w->part.b.R,
                         .outputs = n->outputs,
                         .scale = l->scale,
                         .smoothing = l->smoothing,
                         .class_weight = l->class_weight,
                         .unit = l->unit ? l->unit + first : NULL,
                         .options = l->options,
                         .dy = w->dy,
                         .lddy = w->lddy,
                         .row_loss = w->row_loss };
    w->d = w->dy, w->ldd = w->lddy;
    if (!counts) return memset(w->dy, 0, (size_t)(rows.R * w->lddy * size)), 0;
    if (l->kind == LOSS_CRF) return chain_loss(w, l);
    rows.y = net_output(n, n->d.layers, &rows.ldy);
    if (l->kind == LOSS_SOFTMAX)
        rows.class = l->classes + first;
    else
        rows.target = l->y + first * net_targets(n, l->kind, l->options);
    return n->k->loss->run(l->kind, n->pool, &rows);
}
void walk_back(net_walk *w, int i)
{
    net *n = w->n;
    bool tied = n->d.tied && i == n->d.layers - 1;
    void *to = i ? n->d_rows[i % 2] : NULL, *dw = (char *)n->g + n->base[i] * n->k->real_size;
    n->kind[i]->backward(n->layer[i], &w->part, w->d, w->ldd, w->carry[i], tied ? w->tied : dw, to, n->ld_d);
    w->d = to, w->ldd = n->ld_d;
}
