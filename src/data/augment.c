#include "data/augment.h"
#include "base/rng.h"
#include <math.h>

enum { DRAW_SHIFT, DRAW_BANDS, DRAW_BANDS_AT, DRAW_STEPS, DRAW_STEPS_AT, DRAW_STRETCH, DRAWS = 8 };
static double drawn(const augment *a, uint64_t draw, int what)
{
    return rng_uniform(a->seed, RNG_AUGMENT, draw * DRAWS + (uint64_t)what);
}

static float between(const float *x, int64_t n, double at)
{
    at = at < 0 ? 0 : at > (double)(n - 1) ? (double)(n - 1) : at;
    int64_t i = (int64_t)at, next = min64(i + 1, n - 1);
    float part = (float)(at - (double)i);
    return x[i] + part * (x[next] - x[i]);
}
/* One step of bands; where it reads lies behind where it writes, whichever way it goes. */
static void shift_step(float *x, int64_t n, double by)
{
    if (by >= 0)
        for (int64_t b = 0; b < n; b++) x[b] = between(x, n, (double)b + by);
    else
        for (int64_t b = n - 1; b >= 0; b--) x[b] = between(x, n, (double)b + by);
}
/* A run of 0 .. share of n. */
static void draw_run(const augment *a, uint64_t draw, int what, int64_t n, int64_t *from, int64_t *to)
{
    int64_t length = (int64_t)(drawn(a, draw, what) * (a->mask * (double)n + 1));
    length = min64(length, n);
    *from = (int64_t)(drawn(a, draw, what + 1) * (double)(n - length + 1)), *to = *from + length;
}
static int64_t stretched(int64_t steps, double by) { return max64(1, (int64_t)((double)steps * (1 + by) + 0.5)); }
int64_t augment_steps(const augment *a, uint64_t draw, int64_t steps)
{
    return stretched(steps, a->stretch * (2 * drawn(a, draw, DRAW_STRETCH) - 1));
}
int64_t augment_most(const augment *a, int64_t steps) { return stretched(steps, a->stretch); }
static void stretch(const float *x, int64_t from, float *y, int64_t to, int64_t width)
{
    double speed = to > 1 ? (double)(from - 1) / (double)(to - 1) : 0;
    for (int64_t t = 0; t < to; t++) {
        double at = speed * (double)t;
        int64_t before = min64((int64_t)at, from - 1), after = min64(before + 1, from - 1);
        float part = (float)(at - (double)before);
        for (int64_t i = 0; i < width; i++) {
            float a = x[before * width + i];
            y[t * width + i] = a + part * (x[after * width + i] - a);
        }
    }
}
static void change_bands(const augment *a, uint64_t draw, float *x, int64_t steps, int64_t width)
{
    double by = a->shift * (2 * drawn(a, draw, DRAW_SHIFT) - 1);
    int64_t band, band_end, step, step_end, bands = a->bands;
    for (int64_t k = 0; a->shift > 0 && k < steps * width / bands; k++) shift_step(x + k * bands, bands, by);
    if (!(a->mask > 0)) return;
    draw_run(a, draw, DRAW_BANDS, bands, &band, &band_end);
    draw_run(a, draw, DRAW_STEPS, steps, &step, &step_end);
    for (int64_t k = 0; k < steps * width / bands; k++)
        memset(x + k * bands + band, 0, (size_t)(band_end - band) * sizeof *x);
    memset(x + step * width, 0, (size_t)((step_end - step) * width) * sizeof *x);
}
void augment_apply(const augment *a, uint64_t draw, const float *x, int64_t steps, int64_t width, float *y)
{
    int64_t to = augment_steps(a, draw, steps);
    if (to == steps)
        memcpy(y, x, (size_t)(steps * width) * sizeof *y);
    else
        stretch(x, steps, y, to, width);
    change_bands(a, draw, y, to, width);
}
