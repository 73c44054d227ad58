/* --readout ridge: the last layer of a network whose other layers do not learn, solved in one pass over the examples by
   ridge regression (src/reservoir/ridge.h), the ridge chosen by generalised cross-validation: numbers as they are, classes
   as 1 of the class and 0 of the others (Lukosevicius 2012, "A practical guide to applying echo state networks"). Scores
   of classes are then divided by the mean squared error that
   cross-validation expects, so that their softmax is about as sure as it is right. */
#include "reservoir/ridge.h"
#include "task/fit.h"
#include <math.h>

enum { RIDGES = 15 };
typedef struct solving {
    fit *f;
    net *n;
    ridge *q;
    void *row; /* [outputs] of the real type */
    double *w, *b;
} solving;

static laco_status check(const fit *f, laco_error *err)
{
    const net *n = f->m->net;
    const int last = n->d.layers - 1;
    const loss_kind loss = f->s.loss;
    if (loss != LOSS_SOFTMAX && net_targets(n, loss, &f->s.loss_options) != n->outputs)
        return fail(err, LACO_EINVAL, -1, "--readout ridge answers classes or numbers: take a --loss of one number each");
    if (last < 1 || strcmp(n->d.layer[last].kind, "dense") || n->d.layer[last].act || !n->d.layer[last].bias || n->d.tied)
        return fail(err, LACO_EINVAL, -1, "--readout ridge: the network must end in \"; dense\"");
    for (int i = 0; i < n->tensor_layer[last]; i++)
        if (!n->tensor[i].fixed)
            return fail(err, LACO_EINVAL, -1,
                        "--readout ridge solves the last layer alone, but %.60s has to be trained: take \"reservoir 500\" in its place, or "
                        "leave --readout out", n->tensor[i].name);
    return LACO_OK;
}
static void put(const solving *s, int64_t i, double x)
{
    if (s->n->k->real_size == sizeof(double))
        ((double *)s->row)[i] = x;
    else
        ((float *)s->row)[i] = (float)x;
}
static void add_window(const solving *s, const window_units *u)
{
    const int64_t O = s->n->outputs;
    for (int64_t r = 0; r < u->rows; r++) {
        bool counts = !u->classes || u->classes[r] >= 0;
        for (int64_t k = 0; k < O; k++) {
            const double y = u->classes ? u->classes[r] == k : (double)u->y[r * u->targets + k];
            counts &= isfinite(y) != 0, put(s, k, y);
        }
        if (counts) ridge_add(s->q, 1, (const char *)u->units + r * u->ld * s->n->k->real_size, u->ld, s->row, O);
    }
}
/* Every batch of the first epoch: into the sums, or measured. */
static laco_status walk(solving *s, bool measured, laco_error *err)
{
    fit *f = s->f;
    laco_status st = trainer_load(f->t, err);
    for (int64_t k = 0; !st; k++) {
        train_batch b = { 0 };
        window_result w;
        st = f->task->batch(f->ctx, 0, k, &b, err);
        if (st || !b.B) return st;
        for (trainer_begin(f->t, &b); trainer_more(f->t);) {
            if (!measured) {
                const window_units u = trainer_units_window(f->t);
                add_window(s, &u);
                continue;
            }
            trainer_measure_window(f->t, &w, NULL);
            f->train.loss += w.loss, f->train.tokens += w.tokens;
        }
        if (*f->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before the readout was solved: no model was written");
    }
    return st;
}
static laco_status solve(solving *s, laco_error *err)
{
    double lambda[RIDGES];
    ridge_result result[RIDGES];
    int best;
    const int64_t base = s->n->base[s->n->d.layers - 1], units = s->n->d.layer[s->n->d.layers - 1].in, O = s->n->outputs;
    for (int i = 0; i < RIDGES; i++) lambda[i] = pow(10, i - 10);
    laco_status st = ridge_choose(s->q, lambda, RIDGES, result, &best, s->w, s->b, err);
    const double scale = !st && s->f->s.loss == LOSS_SOFTMAX ? 1 / fmax(1e-3, result[best].gcv) : 1;
    for (int64_t i = 0; !st && i < O * units; i++) net_set(s->n, base + i, scale * s->w[i]);
    for (int64_t k = 0; !st && k < O; k++) net_set(s->n, base + O * units + k, scale * s->b[k]);
    if (!st)
        task_note(s->f->j, "readout   ridge %g of %d by generalised cross-validation, %lld rows", lambda[best], RIDGES, (long long)ridge_rows(s->q));
    return st;
}
laco_status fit_readout(fit *f, laco_error *err)
{
    solving s = { .f = f, .n = f->m->net };
    laco_status st = check(f, err);
    if (st) return st;
    const int64_t units = s.n->d.layer[s.n->d.layers - 1].in, O = s.n->outputs;
    s.row = mem_new((size_t)O, sizeof(double)), s.w = mem_new((size_t)(O * units), sizeof(double)), s.b = mem_new((size_t)O, sizeof(double));
    if (!s.row || !s.w || !s.b) st = fail_memory(err, (size_t)(O * units) * sizeof(double));
    if (!st) st = ridge_new(&s.q, units, O, RIDGE_FREE_BIAS, s.n->k, s.n->pool, err);
    if (!st) st = walk(&s, false, err);
    if (!st) st = solve(&s, err);
    if (!st) st = walk(&s, true, err);
    f->c.done = f->seen = f->train.tokens;
    ridge_free(s.q), mem_free(s.row), mem_free(s.w), mem_free(s.b);
    return st;
}
