/* What tests of layers that look far back share: a ragged batch of up to T steps with inputs and targets, networks that
   read it, what they answer, a gradient over a window. */
#ifndef RAGGED_KIT_H
#define RAGGED_KIT_H
#include "base/rng.h"
#include "kernel_kit.h"
#include "net/window.h"
#include "net_kit.h"

enum { T = 300, B = 5, IN = 3, LD = 16, OUT = 14 /* at most */ };
static int64_t active[T], off[T + 1];
static double x[T * B * LD];
static float xf[T * B * LD], y[T * B * OUT];
static ragged rag;
static int64_t length(int64_t steps, int64_t b) { return b == B - 1 ? 0 : b == B - 2 ? 2 : steps - b * steps / 4; }
static void fill(int64_t steps)
{
    for (int64_t t = 0; t < steps; t++) {
        active[t] = 0;
        for (int64_t b = 0; b < B; b++) active[t] += length(steps, b) > t;
        off[t + 1] = off[t] + active[t];
    }
    rag = (ragged){ steps, B, off[steps], active, off };
    for (int64_t i = 0; i < rag.R * LD; i++) xf[i] = (float)rng_normal(3, RNG_TEST, (uint64_t)i), x[i] = (double)xf[i];
    for (int64_t i = 0; i < rag.R * OUT; i++) y[i] = (float)rng_normal(4, RNG_TEST, (uint64_t)i);
}
static net *make_of(const char *text, int64_t inputs, int r, pool *p)
{
    return net_drawn(text, inputs, T * B, B, real[r], p);
}
static double output_at(const net *n, int r, int64_t row, int64_t j)
{
    int64_t ld;
    const void *out = net_output(n, n->d.layers, &ld);
    return at(r, out, row * ld + j);
}
/* The loss over the batch, whole or by a plan; the gradients are in n->g. */
static double learn(net *n, int r, const window_plan *plan)
{
    const net_loss loss = { .kind = LOSS_SQUARED, .y = y, .scale = 1 };
    const pass p = { .b = rag, .train = true, .seed = 5, .update = 2 };
    laco_error err;
    if ((plan ? net_reserve_window(n, plan, &err) : net_reserve_loss(n, LOSS_SQUARED, T * B, &err)))
        fail_msg("%s", err.msg);
    assert_int_equal(net_load_loss(n, LOSS_SQUARED, true, NULL), LACO_OK);
    memset(n->g, 0, (size_t)(n->params * n->k->real_size));
    net_reset(n);
    return net_learn(n, &p, r == REAL_FLOAT ? (const void *)xf : x, LD, &loss);
}
#endif
