#include "task/explain.h"
#include <math.h>

enum { STRETCHES = 256, ROWS_AT_ONCE = 1 << 15, ROWS_MOST = 64, ROOM = 64 };
typedef struct asking {
    net *n;
    const void *x;
    int64_t T, F, ldx, ldy; /* F: numbers of a step, 1 of symbols */
    const explain_question *q;
    void *rows; /* [T * B] of a batch, time-major */
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
    for (int64_t t = 0; t < T; t++) a->active[t] = B, a->off[t + 1] = (t + 1) * B;
    return (pass){ .b = { T, B, T * B, a->active, a->off } };
}
static const float *forward(const asking *a, const pass *p, int64_t *ld)
{
    net_reset(a->n);
    net_forward(a->n, p, a->rows, a->ldx, a->layers);
    return net_output(a->n, a->layers, ld);
}
/* s of B variants of T steps each, asked after step[b]. */
static void ask(const asking *a, int64_t T, int64_t B, const int64_t *step, double *s)
{
    int64_t ld;
    const pass p = lay_out(a, T, B);
    const float *y = forward(a, &p, &ld);
    for (int64_t b = 0; b < B; b++)
        s[b] = says(a->q, y + (step[b] * B + b) * ld, a->n->d.layer[a->layers - 1].out, NULL);
}

/* ---- gradient ---- */
static laco_status by_gradient(const asking *a, explained *e, laco_error *err)
{
    net *n = a->n;
    int64_t ld, ldx = a->ldx, outputs = n->d.layer[a->layers - 1].out, ldy = ceil_div(outputs, 16) * 16;
    float *dy = mem_new((size_t)(a->T * ldy + ROOM), sizeof *dy);
    float *dx = mem_new(n->symbols ? 0 : (size_t)(a->T * ldx + ROOM), sizeof *dx);
    if (!dy || !dx) return mem_free(dy), mem_free(dx), fail_memory(err, (size_t)(a->T * (ldy + ldx)) * sizeof *dy);
    const pass p = lay_out(a, a->T, 1);
    for (int64_t t = 0; t < a->T; t++) put_step(a, t, 1, 0, t);
    const float *y = forward(a, &p, &ld);
    e->value = says(a->q, y + a->q->step * ld, outputs, dy + a->q->step * ldy);
    memset(n->g, 0, (size_t)n->params * sizeof(float));
    net_backward(n, &p, dy, ldy, a->layers, n->symbols ? NULL : dx, ldx);
    /* of symbols: the vectors behind the first layer, and their gradient, which the second has left */
    const float *x = n->symbols ? net_output(n, 1, &ldx) : (const float *)a->rows, *d = n->symbols ? n->d_rows[1] : dx;
    const int64_t width = n->symbols ? n->d.layer[0].out : a->F, ldd = n->symbols ? n->ld_d : ldx;
    for (int64_t t = 0; t < a->T; t++)
        for (int64_t k = 0; k < width; k++)
            e->gradient[n->symbols ? t : t * a->F + k] += (double)x[t * ldx + k] * d[t * ldd + k];
    mem_free(dy), mem_free(dx);
    return LACO_OK;
}

/* ---- occlusion ---- */
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
                e->occlusion[t] = !steps ? NAN : (e->value - s[b]) / (double)length;
        from += B * length;
    }
}
static void hide_features(const asking *a, explained *e, const volatile int *stop)
{
    double s[ROWS_MOST];
    int64_t step[ROWS_MOST];
    for (int b = 0; b < ROWS_MOST; b++) step[b] = a->q->step;
    for (int64_t from = 0; !a->n->symbols && from < a->F && !*stop; from += a->B) {
        int64_t B = min64(a->B, a->F - from);
        for (int64_t b = 0; b < B; b++)
            for (int64_t t = 0; t < a->T; t++) put_step(a, t, B, b, t), ((float *)row_at(a, t, B, b))[from + b] = 0;
        ask(a, a->T, B, step, s);
        for (int64_t b = 0; b < B; b++) e->hidden[from + b] = e->value - s[b];
    }
}

/* ---- both ---- */
static laco_status take_memory(asking *a, explained *e, laco_error *err)
{
    const size_t rows = (size_t)(a->T * a->B);
    e->steps = a->T, e->features = a->n->symbols ? 0 : a->F;
    e->gradient = mem_new((size_t)(a->T * a->F), sizeof *e->gradient);
    e->occlusion = mem_new((size_t)a->T, sizeof *e->occlusion);
    e->hidden = mem_new((size_t)e->features, sizeof *e->hidden);
    a->rows = mem_new(rows * row_bytes(a) + ROOM * sizeof(float), 1);
    a->active = mem_new((size_t)a->T, sizeof *a->active), a->off = mem_new((size_t)a->T + 1, sizeof *a->off);
    if (e->gradient && e->occlusion && e->hidden && a->rows && a->active && a->off) return LACO_OK;
    return fail_memory(err, rows * row_bytes(a) + (size_t)(a->T * a->F) * sizeof *e->gradient);
}
laco_status explain_sequence(explained *out, net *n, const void *x, int64_t T, const explain_question *q,
                             const volatile int *stop, laco_error *err)
{
    asking a = { .n = n, .x = x, .T = T, .q = q, .layers = q->layers ? q->layers : n->d.layers };
    a.F = n->symbols ? 1 : n->inputs, a.ldx = n->symbols ? 1 : ceil_div(n->inputs, 16) * 16;
    a.B = max64(1, min64(ROWS_MOST, ROWS_AT_ONCE / max64(1, T)));
    *out = (explained){ 0 };
    if (n->symbols && a.layers < 2) return fail(err, LACO_EINVAL, -1, "a network of one layer has nothing to explain");
    if (T < 1) return fail(err, LACO_EINVAL, -1, "a sequence without steps has nothing to explain");
    laco_status st = take_memory(&a, out, err);
    if (!st) st = net_reserve(n, T * a.B, a.B, true, err);
    if (!st) st = net_load(n, true, true, err);
    if (!st) st = by_gradient(&a, out, err);
    if (!st) by_occlusion(&a, out, stop), hide_features(&a, out, stop);
    if (!st && *stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before all was explained");
    mem_free(a.rows), mem_free(a.active), mem_free(a.off);
    if (st) explained_free(out);
    return st;
}
