#include "check/gradient.h"
#include "base/rng.h"
#include <math.h>
#include <stdio.h>

/* ---- numbers ---- */
static void fill(double *to, int64_t n, uint64_t seed, uint64_t place, double middle, double spread)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = middle + spread * (2 * rng_uniform(seed, RNG_TEST, place << 32 | (uint64_t)i) - 1);
}
void gradient_fill(stack *s, uint64_t seed)
{
    uint64_t place = 1;
    fill(s->x, s->T * s->B * s->in, seed, place++, 0, 1);
    fill(s->dy, s->T * s->B * s->out, seed, place++, 0, 1);
    for (int l = 0; l < s->layers; l++) {
        stack_layer *q = &s->layer[l];
        for (int t = 0; t < q->tensors; t++)
            fill(q->w + q->tensor[t].offset, q->tensor[t].size, seed, place++, q->tensor[t].role == INIT_ONE, 0.6);
        for (int d = 0; d < s->dirs; d++)
            for (int k = 0; k < s->states; k++)
                for (int64_t b = 0; b < s->B; b++) {
                    fill(q->s0 + stack_state(s, d, k, b, 0), s->width[k], seed, place++, 0, 0.7);
                    fill(q->dsn + stack_state(s, d, k, b, 0), s->width[k], seed, place++, 0, 1);
                }
    }
}

/* ---- differences ---- */
static double loss_at(stack *s, double *x, double value)
{
    double old = *x;
    *x = value;
    stack_forward(s);
    *x = old;
    return stack_loss(s);
}
/* How far made is from a difference of step h, in units of what such a difference can tell. */
static double distance(stack *s, double *x, double made, double h, double unit, double *difference)
{
    const double at = *x;
    double near = loss_at(s, x, at + h) - loss_at(s, x, at - h);
    double far = loss_at(s, x, at + 2 * h) - loss_at(s, x, at - 2 * h);
    *difference = (8 * near - far) / (12 * h);
    return fabs(made - *difference) / unit;
}
static void compare(stack *s, const char *name, double *x, const double *made, int64_t n, gradient_worst *worst)
{
    double largest = 1, d;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(made[i]));
    for (int64_t i = 0; i < n; i++) {
        double error = distance(s, x + i, made[i], 4e-5, 1e-8 * largest, &d);
        if (error > 1) error = distance(s, x + i, made[i], 1e-7, 1e-6 * largest, &d); /* past a kink of relu or clip */
        if (error <= worst->error || isnan(worst->error)) continue; /* a NaN goes on, and stays the worst */
        *worst = (gradient_worst){ .index = i, .made = made[i], .difference = d, .error = error };
        snprintf(worst->name, sizeof worst->name, "%s", name);
    }
}

static void compare_states(stack *s, int l, gradient_worst *worst)
{
    char name[96];
    for (int d = 0; d < s->dirs && !s->no_initial; d++)
        for (int k = 0; k < s->states; k++)
            for (int64_t b = 0; b < s->B; b++) {
                int64_t at = stack_state(s, d, k, b, 0);
                snprintf(name, sizeof name, "layer %d direction %d state %d row %d", l, d, k, (int)b);
                compare(s, name, s->layer[l].s0 + at, s->layer[l].ds0 + at, s->width[k], worst);
            }
}
void gradient_check(stack *s, gradient_worst *worst)
{
    char name[96];
    *worst = (gradient_worst){ .error = 0 };
    stack_forward(s);
    stack_backward(s);
    compare(s, "input", s->x, s->dx, s->T * s->B * s->in, worst);
    for (int l = 0; l < s->layers; l++) {
        stack_layer *q = &s->layer[l];
        for (int t = 0; t < q->tensors; t++) {
            const param_tensor *p = &q->tensor[t];
            snprintf(name, sizeof name, "layer %d %s", l, p->name);
            compare(s, name, q->w + p->offset, q->g + p->offset, p->size, worst);
        }
        compare_states(s, l, worst);
    }
}
