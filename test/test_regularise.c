/* Regularisers inside layers and cells: what their masks look like, and gradients with fixed masks. */
#include "base/rng.h"
#include "check/gradient.h"
#include "net/net.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const kernels *real64, *real32;
static pool *pools[4];
static int set_up(void **state)
{
    (void)state;
    if (kernels_choose(&real64, REAL_DOUBLE, NULL) || kernels_choose(&real32, REAL_FLOAT, NULL)) return -1;
    for (int i = 1; i <= 3; i++) {
        if (pool_new(&pools[i], i, NULL)) return -1;
        pool_always_share(pools[i], true);
    }
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++) pool_free(pools[i]);
    return 0;
}

/* ---- layers over a ragged batch ---- */
enum { STEPS = 9, ROWS = 50, WIDTH = 150, LD = 160 };
static int64_t active[STEPS], off[STEPS + 1];
static const ragged *batch(void)
{
    static ragged b;
    for (int64_t t = 0; t < STEPS; t++) active[t] = ROWS - t * t / 4, off[t + 1] = off[t] + active[t];
    b = (ragged){ STEPS, ROWS, off[STEPS], active, off };
    return &b;
}
/* Far from what n draws of probability p give. */
static bool unlikely(double hits, double n, double p) { return fabs(hits - n * p) > 5 * sqrt(n * p * (1 - p)); }

static float in[STEPS * ROWS * LD], out[STEPS * ROWS * LD], again[STEPS * ROWS * LD], back[STEPS * ROWS * LD];
static void drop(float *y, float *dx, bool variational, double rate, const pass *p, int threads)
{
    const layer_kind *kind = kernels_layer(real32, "dropout");
    layer_spec s = { .kind = "dropout", .in = WIDTH, .rate = rate, .variational = variational, .index = 3 };
    param_tensor t[1];
    layer *l = NULL;
    int count;
    int64_t ld;
    if (kind->describe(&s, t, &count, NULL) || kind->make(&l, &s, pools[threads], NULL) ||
        kind->reserve(l, p->b.R, p->b.B, true, NULL))
        fail_msg("dropout cannot be made");
    kind->forward(l, p, in, LD, NULL, NULL);
    const float *from = kind->output(l, &ld);
    for (int64_t r = 0; r < p->b.R; r++) memcpy(y + r * LD, from + r * ld, WIDTH * sizeof *y);
    if (dx) kind->backward(l, p, in, LD, NULL, NULL, dx, LD);
    kind->free(l);
}
static bool same(const float *a, const float *b)
{
    bool equal = true;
    for (int64_t r = 0; r < off[STEPS]; r++) equal &= !memcmp(a + r * LD, b + r * LD, WIDTH * sizeof *a);
    return equal;
}
/* One mask for all steps, another for each row, unit, update and seed. */
static void test_variational_layer(void **state)
{
    pass p = { .b = *batch(), .train = true, .update = 5, .seed = 11 };
    double dropped = 0, alike = 0;
    (void)state;
    for (int i = 0; i < STEPS * ROWS * LD; i++) in[i] = 1;
    drop(out, back, true, 0.3, &p, 1), drop(again, NULL, true, 0.3, &p, 3);
    assert_true(same(out, again) && same(out, back));
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t b = 0; b < active[t]; b++)
            assert_memory_equal(out + (off[t] + b) * LD, out + b * LD, WIDTH * sizeof *out);
    for (int64_t b = 0; b < ROWS; b++)
        for (int64_t j = 0; j < WIDTH; j++) {
            float x = out[b * LD + j];
            assert_true(x == 0 || fabs((double)x - 1 / 0.7) < 1e-4);
            dropped += x == 0, alike += x == 0 && out[(b + 1) % ROWS * LD + j] == 0;
        }
    assert_false(unlikely(dropped, ROWS * WIDTH, 0.3) || unlikely(alike, ROWS * WIDTH, 0.09));
    drop(again, NULL, false, 0.3, &p, 1); /* without the word every step has a mask of its own */
    alike = 0;
    for (int64_t b = 0; b < active[1]; b++)
        for (int64_t j = 0; j < WIDTH; j++) alike += again[b * LD + j] == 0 && again[(off[1] + b) * LD + j] == 0;
    assert_false(unlikely(alike, (double)active[1] * WIDTH, 0.09));
    p.update = 6, drop(again, NULL, true, 0.3, &p, 1);
    assert_false(same(out, again));
    p.update = 5, p.seed = 12, drop(again, NULL, true, 0.3, &p, 1);
    assert_false(same(out, again));
    p.train = false, drop(again, back, true, 0.3, &p, 1);
    assert_true(same(in, again) && same(in, back));
}
/* A window walked in two parts has the masks of the whole one. */
static void test_parts(void **state)
{
    const pass whole = { .b = *batch(), .train = true, .update = 5, .seed = 11 };
    const int64_t first = 4, rows = off[first];
    int64_t part_off[STEPS + 1];
    (void)state;
    for (int64_t t = first; t <= STEPS; t++) part_off[t - first] = off[t] - rows;
    const pass part = { .b = { STEPS - first, active[first], off[STEPS] - rows, active + first, part_off },
                        .train = true,
                        .update = 5,
                        .seed = 11,
                        .first_row = rows,
                        .first_step = first };
    for (int variational = 0; variational < 2; variational++) {
        drop(out, NULL, variational, 0.3, &whole, 1), drop(again, NULL, variational, 0.3, &part, 1);
        for (int64_t r = 0; r < part.b.R; r++)
            assert_memory_equal(out + (rows + r) * LD, again + r * LD, WIDTH * sizeof *out);
    }
}

/* A symbol is dropped wherever it stands, its gradient with it. */
enum { SYMBOLS = 700, SIZE = 70 };
static void test_embed_dropout(void **state)
{
    const layer_kind *kind = kernels_layer(real32, "embed");
    layer_spec s = { .kind = "embed", .in = SYMBOLS, .out = SIZE, .symbols = true, .rate = 0.2, .index = 0 };
    const pass p = { .b = *batch(), .train = true, .update = 5, .seed = 11 };
    static float table[SYMBOLS * SIZE], g[SYMBOLS * SIZE];
    static int32_t ids[STEPS * ROWS];
    double dropped = 0, seen = 0;
    param_tensor t[1];
    layer *l = NULL;
    int count;
    int64_t ld;
    (void)state;
    for (int i = 0; i < SYMBOLS * SIZE; i++) table[i] = 1 + (float)(i % 5), g[i] = 0;
    for (int i = 0; i < STEPS * ROWS; i++) ids[i] = i * 7 % SYMBOLS, in[i * LD] = 1;
    for (int i = 0; i < STEPS * ROWS * LD; i++) in[i] = 1;
    if (kind->describe(&s, t, &count, NULL) || kind->make(&l, &s, pools[2], NULL) ||
        kind->reserve(l, p.b.R, p.b.B, true, NULL))
        fail_msg("embed cannot be made");
    kind->load(l, table, true);
    kind->forward(l, &p, ids, 0, NULL, NULL);
    const float *y = kind->output(l, &ld);
    kind->backward(l, &p, in, LD, NULL, g, NULL, 0);
    for (int64_t r = 0; r < p.b.R; r++)
        for (int64_t j = 0; j < SIZE; j++) {
            float x = y[r * ld + j], want = table[ids[r] * SIZE + j];
            assert_true(x == 0 ? g[ids[r] * SIZE + j] == 0 : fabs((double)x - (double)want / 0.8) < 1e-3);
            if (x != 0) assert_true(fabs(remainder((double)g[ids[r] * SIZE + j], 1.25)) < 1e-3);
        }
    for (int32_t i = 0; i < SYMBOLS; i++)
        for (int64_t r = 0; r < p.b.R; r++)
            if (ids[r] == i) {
                seen++, dropped += y[r * ld] == 0;
                for (int64_t q = r; q < p.b.R; q++)
                    if (ids[q] == i) assert_memory_equal(y + q * ld, y + r * ld, SIZE * sizeof *y);
                break;
            }
    assert_false(unlikely(dropped, seen, 0.2));
    const pass measured = { .b = *batch(), .update = 5, .seed = 11 };
    kind->forward(l, &measured, ids, 0, NULL, NULL);
    y = kind->output(l, &ld);
    for (int64_t r = 0; r < p.b.R; r++) assert_memory_equal(y + r * ld, table + ids[r] * SIZE, SIZE * sizeof *y);
    kind->free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variational_layer),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_embed_dropout),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
