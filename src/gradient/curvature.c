/* The products of newton.h with vectors: J v in dual numbers, then back through the layers. */
#include "gradient/newton.h"

void curvature_free(curvature *c) { tangent_free(c->t), mem_free(c->states), *c = (curvature){ 0 }; }
laco_status curvature_new(curvature *c, sweep *w, int64_t rows, laco_error *err)
{
    int64_t n = 0;
    *c = (curvature){ .w = w };
    for (int i = 0; i < w->n->d.layers; i++) {
        c->states_at[i] = n;
        if (w->n->d.layer[i].cell.cell) n += rows * w->n->d.layer[i].out;
    }
    laco_status st = tangent_new(&c->t, w->n, rows, err);
    if (!st && !(c->states = mem_new((size_t)n, sizeof(double)))) st = fail_memory(err, (size_t)n * sizeof(double));
    if (st) curvature_free(c);
    return st;
}

/* dy = 2 scale J v where the output counts */
static void seed_outputs(curvature *c)
{
    const net *n = c->w->n;
    const dual *y = tangent_output(c->t, n->d.layers - 1);
    for (int64_t r = 0; r < c->s->T * c->s->B; r++)
        for (int64_t i = 0; i < n->outputs; i++) {
            int64_t at = r * n->outputs + i;
            c->w->dy[r * c->w->ldy + i] = isnan(c->s->y[at]) ? 0 : 2 * c->scale * y[at][1];
        }
}
/* What every state adds on the way back. */
static void seed_states(curvature *c)
{
    const net *n = c->w->n;
    for (int l = 0; l < n->d.layers; l++) {
        const layer_spec *s = &n->d.layer[l];
        const dual *y = tangent_output(c->t, l);
        if (!s->cell.cell || c->structural <= 0) continue;
        double *to = c->states + c->states_at[l];
        for (int64_t i = 0; i < c->s->T * c->s->B * s->out; i++) to[i] = 2 * c->scale * c->structural * y[i][1];
        c->w->add[l] = to, c->w->add_ld[l] = s->out;
    }
}
void curvature_product(curvature *c, const double *v, double *to)
{
    net *n = c->w->n;
    part all = whole(c->s);
    tangent_run(c->t, c->s, v);
    c->w->work += 3 * (double)(net_work(n) * c->s->T * c->s->B);
    sweep_forward(c->w, c->s, &all, 0, NULL, NULL);
    seed_outputs(c), seed_states(c);
    memset(n->g, 0, (size_t)n->params * sizeof(double));
    sweep_backward(c->w, true, NULL, NULL);
    memset(c->w->add, 0, sizeof c->w->add);
    memcpy(to, n->g, (size_t)n->params * sizeof(double));
}
