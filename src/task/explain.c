#include "task/explain.h"
#include "net/chain.h"
#include <math.h>

enum { STRETCHES = 256, ROWS_AT_ONCE = 1 << 15, ROWS_MOST = 64, ROOM = 64 };
typedef struct asking {
    net *n;
    const void *x;
    int64_t T, F, K, ldx; /* F: numbers of a step, 1 of symbols; K: features that they are of */
    const explain_question *q;
    void *rows;     /* [T * B] of a batch, time-major */
    float *target;  /* [T * B][outputs] of nade, or NULL */
    int32_t *class; /* [T * B] of crf, or NULL */
    int64_t *active, *off;
    int64_t B; /* sequences at once */
    int layers;
} asking;

void explained_free(explained *e)
{
    mem_free(e->gradient), mem_free(e->occlusion), mem_free(e->hidden);
    *e = (explained){ 0 };
}

/* ---- the question ---- */
/* s of a row of outputs; dy [outputs]: its gradient, or NULL */
static double says(const explain_question *q, const float *y, int64_t outputs, float *dy)
{
    double top = -INFINITY, sum = 0, scale = q->scale != 0 ? q->scale : 1;
    if (q->says == SAYS_OWN) return q->own(q->ctx, y, dy);
    const double own = y[q->output];
    if (q->says == SAYS_VALUE) {
        if (dy) dy[q->output] = (float)scale;
        return own * scale;
    }
    if (q->says == SAYS_LABEL) {
        if (dy) dy[q->output] = (float)(1 / (1 + exp(own)));
        return own > 0 ? -log1p(exp(-own)) : own - log1p(exp(own));
    }
    for (int64_t k = 0; k < outputs; k++) top = fmax(top, y[k]);
    for (int64_t k = 0; k < outputs; k++) sum += exp(y[k] - top);
    for (int64_t k = 0; dy && k < outputs; k++) dy[k] = (float)((k == q->output) - exp(y[k] - top) / sum);
    return own - top - log(sum);
}

/* ---- batches of variants ---- sequences of T steps side by side, each like the first but for what is hidden */
static size_t row_bytes(const asking *a) { return a->n->symbols ? sizeof(int32_t) : (size_t)a->ldx * sizeof(float); }
static char *row_at(const asking *a, int64_t t, int64_t B, int64_t b)
{
    return (char *)a->rows + (size_t)(t * B + b) * row_bytes(a);
}
static const char *step_at(const asking *a, int64_t t)
{
    return (const char *)a->x + (size_t)(t * a->F) * (a->n->symbols ? sizeof(int32_t) : sizeof(float));
}
static void put_step(const asking *a, int64_t t, int64_t B, int64_t b, int64_t from)
{
    memcpy(row_at(a, t, B, b), step_at(a, from), a->n->symbols ? sizeof(int32_t) : (size_t)a->F * sizeof(float));
}
static pass lay_out(const asking *a, int64_t T, int64_t B)
{
    const int64_t outputs = a->n->outputs;
    for (int64_t t = 0; t < T; t++) a->active[t] = B, a->off[t + 1] = (t + 1) * B;
    for (int64_t b = 0; a->target && b < B; b++) /* rows of other steps are not asked: whatever they are given */
        memcpy(a->target + (a->q->step * B + b) * outputs, a->q->target, (size_t)outputs * sizeof *a->target);
    return (pass){ .b = { T, B, T * B, a->active, a->off },
                   .lexicon = a->q->lexicon,
                   .target = a->target,
                   .targets = a->target ? outputs : 0 };
}
static const float *forward(const asking *a, const pass *p, int64_t *ld)
{
    net_reset(a->n);
    net_forward(a->n, p, a->rows, a->ldx, a->layers);
    return net_output(a->n, a->layers, ld);
}
static const float *forward_whole(const asking *a, const pass *p, int64_t *ld) /* the sequence as it is */
{
    for (int64_t t = 0; t < a->T; t++) put_step(a, t, 1, 0, t);
    return forward(a, p, ld);
}
static int64_t outputs_of(const asking *a) { return a->n->d.layer[a->layers - 1].out; }
/* Of a chain: -s of B variants; dy: the gradient of s. */
static void ask_chain(const asking *a, const pass *p, const int64_t *step, float *dy, int64_t ldy, double *loss)
{
    for (int64_t r = 0; r < p->b.R; r++) a->class[r] = -1;
    for (int64_t b = 0; b < p->b.B; b++) a->class[step[b] * p->b.B + b] = (int32_t)a->q->output;
    net_chain_loss(a->n, p, a->class, -1, dy, ldy, loss);
}
/* s of B variants of T steps each, asked after step[b]. */
static void ask(const asking *a, int64_t T, int64_t B, const int64_t *step, double *s)
{
    int64_t ld;
    const pass p = lay_out(a, T, B);
    const float *y = forward(a, &p, &ld);
    if (a->class) ask_chain(a, &p, step, NULL, 0, s);
    for (int64_t b = 0; b < B; b++)
        s[b] = a->class ? -s[b] : says(a->q, y + (step[b] * B + b) * ld, outputs_of(a), NULL);
}

/* ---- gradient ---- */
static int64_t feature_of(const asking *a, int64_t k) { return a->q->feature ? a->q->feature[k] : k; }
static laco_status by_gradient(const asking *a, explained *e, laco_error *err)
{
    net *n = a->n;
    int64_t ld, ldx = a->ldx, outputs = outputs_of(a), ldy = ceil_div(outputs, 16) * 16;
    float *dy = mem_new((size_t)(a->T * ldy + ROOM), sizeof *dy);
    float *dx = mem_new(n->symbols ? 0 : (size_t)(a->T * ldx + ROOM), sizeof *dx);
    if (!dy || !dx) return mem_free(dy), mem_free(dx), fail_memory(err, (size_t)(a->T * (ldy + ldx)) * sizeof *dy);
    const pass p = lay_out(a, a->T, 1);
    const float *y = forward_whole(a, &p, &ld);
    memset(n->g, 0, (size_t)n->params * sizeof(float));
    if (a->class)
        ask_chain(a, &p, &a->q->step, dy, ldy, &e->value), e->value = -e->value;
    else
        e->value = says(a->q, y + a->q->step * ld, outputs, dy + a->q->step * ldy);
    net_backward(n, &p, dy, ldy, a->layers, n->symbols ? NULL : dx, ldx);
    /* of symbols: the vectors behind the first layer, and their gradient, which the second has left */
    const float *x = n->symbols ? net_output(n, 1, &ldx) : (const float *)a->rows, *d = n->symbols ? n->d_rows[1] : dx;
    const int64_t width = n->symbols ? n->d.layer[0].out : a->F, ldd = n->symbols ? n->ld_d : ldx;
    for (int64_t t = 0; t < a->T; t++)
        for (int64_t k = 0; k < width; k++) {
            int64_t feature = n->symbols ? 0 : feature_of(a, k);
            if (feature >= 0) e->gradient[t * a->K + feature] += (double)x[t * ldx + k] * d[t * ldd + k];
        }
    mem_free(dy), mem_free(dx);
    return LACO_OK;
}

/* ---- occlusion ---- */
/* What is lost where s is left; a difference that is no more than rounding of batches of another size is none. */
static double lost(const explained *e, double s)
{
    const double most = 1e-6 * (1 + fabs(e->value));
    return fabs(e->value - s) <= most ? 0 : e->value - s;
}
/* Variant b without the steps from..end; how many steps it then has. */
static int64_t hide_steps(const asking *a, int64_t B, int64_t b, int64_t from, int64_t end)
{
    int64_t to = 0;
    for (int64_t t = 0; t < a->T; t++) {
        bool hidden = t >= from && t < end;
        if (hidden && a->n->symbols && a->q->unknown < 0) continue;
        put_step(a, to, B, b, t);
        if (hidden && a->n->symbols) memcpy(row_at(a, to, B, b), &a->q->unknown, sizeof a->q->unknown);
        if (hidden && !a->n->symbols) memset(row_at(a, to, B, b), 0, row_bytes(a));
        to++;
    }
    return to;
}
/* Where the step of the question is in a variant without the steps from..end. */
static int64_t place_of(const asking *a, int64_t from, int64_t end)
{
    const bool left_out = a->n->symbols && a->q->unknown < 0;
    int64_t step = a->q->step, before = left_out ? max64(0, min64(end, step + 1) - from) : 0;
    return max64(0, step - before);
}
static void by_occlusion(const asking *a, explained *e, const volatile int *stop)
{
    const int64_t size = ceil_div(a->T, STRETCHES);
    double s[ROWS_MOST];
    int64_t step[ROWS_MOST];
    for (int64_t from = 0; from < a->T && !*stop;) {
        int64_t length = min64(size, a->T - from), B = max64(1, min64(a->B, (a->T - from) / length)), steps = 0;
        for (int64_t b = 0; b < B; b++) steps = hide_steps(a, B, b, from + b * length, from + (b + 1) * length);
        for (int64_t b = 0; b < B; b++) step[b] = place_of(a, from + b * length, from + (b + 1) * length);
        if (steps) ask(a, steps, B, step, s);
        for (int64_t b = 0; b < B; b++)
            for (int64_t t = from + b * length; t < from + (b + 1) * length; t++)
                e->occlusion[t] = !steps ? NAN : lost(e, s[b]) / (double)length;
        from += B * length;
    }
}
/* Variant b without a feature. */
static void hide_feature(const asking *a, int64_t B, int64_t b, int64_t feature)
{
    for (int64_t t = 0; t < a->T; t++) {
        put_step(a, t, B, b, t);
        for (int64_t k = 0; k < a->F; k++)
            if (feature_of(a, k) == feature) ((float *)row_at(a, t, B, b))[k] = 0;
    }
}
static void hide_features(const asking *a, explained *e, const volatile int *stop)
{
    double s[ROWS_MOST];
    int64_t step[ROWS_MOST];
    for (int b = 0; b < ROWS_MOST; b++) step[b] = a->q->step;
    for (int64_t from = 0; from < e->features && !*stop; from += a->B) {
        int64_t B = min64(a->B, e->features - from);
        for (int64_t b = 0; b < B; b++) hide_feature(a, B, b, from + b);
        ask(a, a->T, B, step, s);
        for (int64_t b = 0; b < B; b++) e->hidden[from + b] = lost(e, s[b]);
    }
}

/* ---- both ---- */
static void asking_free(asking *a)
{
    mem_free(a->rows), mem_free(a->active), mem_free(a->off), mem_free(a->target), mem_free(a->class);
}
static laco_status asking_open(asking *a, bool train, laco_error *err)
{
    net *n = a->n;
    const size_t rows = (size_t)(a->T * a->B),
                 each = row_bytes(a) + (size_t)(a->q->target ? n->outputs : 0) * sizeof(float);
    const bool chain = net_is_chain(n) && a->layers == n->d.layers;
    if (n->symbols && a->layers < 2) return fail(err, LACO_EINVAL, -1, "a network of one layer has nothing to explain");
    if (a->T < 1) return fail(err, LACO_EINVAL, -1, "a sequence without steps has nothing to explain");
    a->rows = mem_new(rows * row_bytes(a) + ROOM * sizeof(float), 1);
    a->active = mem_new((size_t)a->T, sizeof *a->active), a->off = mem_new((size_t)a->T + 1, sizeof *a->off);
    if (a->q->target) a->target = mem_new(rows * (size_t)n->outputs, sizeof *a->target);
    if (chain) a->class = mem_new(rows, sizeof *a->class);
    if (!a->rows || !a->active || !a->off || (a->q->target && !a->target) || (chain && !a->class))
        return fail_memory(err, rows * each);
    laco_status st = net_reserve(n, (int64_t)rows, a->B, train, err);
    if (!st && chain) st = net_reserve_chain(n, (int64_t)rows, err);
    return st ? st : net_load(n, train, true, err);
}
static asking asking_of(net *n, const void *x, int64_t T, const explain_question *q)
{
    asking a = { .n = n, .x = x, .T = T, .q = q, .layers = q->layers ? q->layers : n->d.layers, .B = 1 };
    a.F = n->symbols ? 1 : n->inputs, a.ldx = n->symbols ? 1 : ceil_div(n->inputs, 16) * 16;
    a.K = q->feature && !n->symbols ? q->features : a.F;
    return a;
}
static laco_status explained_new(explained *e, const asking *a, laco_error *err)
{
    *e = (explained){ .steps = a->T, .features = a->n->symbols ? 0 : a->K };
    e->gradient = mem_new((size_t)(a->T * a->K), sizeof *e->gradient);
    e->occlusion = mem_new((size_t)a->T, sizeof *e->occlusion);
    e->hidden = mem_new((size_t)e->features, sizeof *e->hidden);
    if (e->gradient && e->occlusion && e->hidden) return LACO_OK;
    return fail_memory(err, (size_t)(a->T * a->K) * sizeof *e->gradient);
}
laco_status explain_sequence(explained *out, net *n, const void *x, int64_t T, const explain_question *q,
                             const volatile int *stop, laco_error *err)
{
    asking a = asking_of(n, x, T, q);
    a.B = max64(1, min64(ROWS_MOST, ROWS_AT_ONCE / max64(1, T)));
    *out = (explained){ 0 };
    laco_status st = asking_open(&a, true, err);
    if (!st) st = explained_new(out, &a, err);
    if (!st) st = by_gradient(&a, out, err);
    if (!st) by_occlusion(&a, out, stop), hide_features(&a, out, stop);
    if (!st && *stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before all was explained");
    asking_free(&a);
    if (st) explained_free(out);
    return st;
}
laco_status explain_outputs(float *y, net *n, const void *x, int64_t T, const explain_question *q, laco_error *err)
{
    asking a = asking_of(n, x, T, q);
    int64_t ld;
    laco_status st = asking_open(&a, false, err);
    if (!st) {
        const pass p = lay_out(&a, T, 1);
        memcpy(y, forward_whole(&a, &p, &ld) + q->step * ld, (size_t)outputs_of(&a) * sizeof *y);
    }
    asking_free(&a);
    return st;
}
