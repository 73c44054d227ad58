/* Layer normalisation inside a cell (Ba, Kiros & Hinton 2016): x^ = (x - mean) / sqrt(variance + eps) over the units of
   a row, biased variance, eps = 1e-5 inside the root. Gains and biases belong to the cell.

   NORM_ALL   one mean and variance over all gates
   NORM_GATE  one for each gate

   Backward, with d^ = dL/dx^:  dL/dx = (d^ - mean(d^) - x^ mean(d^ x^)) / deviation
   Stats of a row: 1/deviation of the input product per gate [4], of the recurrent product [4], then mean and
   1/deviation of the cell state. */
#ifndef NORM_H
#define NORM_H
#include "cell/cell.h"
#include <math.h>
enum { NORM_STATS = 12, NORM_OF_X = 0, NORM_OF_H = 4, NORM_OF_C = 8 };
#define NORM_EPS ((real)1e-5)

/* The slots first .. first+count-1 of a section of `slots` slots, over all unit blocks. */
typedef struct norm_span {
    int64_t units, blocks;
    int slots, first, count;
} norm_span;
#define EACH_VECTOR(n)                                                                                                 \
    for (int64_t u = 0; u < (n).blocks; u++)                                                                           \
        for (int j = (n).first; j < (n).first + (n).count; j++)

/* x where the lane is a unit, 0 in the padding behind the last unit */
INLINE vec real_units(const norm_span *n, int64_t u, vec x)
{
    int64_t lanes = n->units - u * LANES;
    if (lanes >= LANES) return x;
    for (int64_t l = lanes; l < LANES; l++) x[l] = 0;
    return x;
}
INLINE real *span_at(const norm_span *n, real *x, int64_t u, int j) { return x + (u * n->slots + j) * LANES; }

static void norm_moments(const norm_span *n, real *x, real *mean, real *inverse)
{
    real size = (real)(n->units * n->count);
    vec sum = splat(0), square = splat(0);
    EACH_VECTOR (*n) sum += real_units(n, u, load(span_at(n, x, u, j)));
    *mean = lane_sum(sum) / size;
    EACH_VECTOR (*n) {
        vec d = real_units(n, u, load(span_at(n, x, u, j)) - *mean);
        square += d * d;
    }
    *inverse = 1 / (real)sqrt(lane_sum(square) / size + NORM_EPS);
}

static void norm_span_forward(const norm_span *n, real *x, real *inverse)
{
    real mean;
    norm_moments(n, x, &mean, inverse);
    EACH_VECTOR (*n) store(span_at(n, x, u, j), real_units(n, u, (load(span_at(n, x, u, j)) - mean) * *inverse));
}
/* hat holds x^ and receives dL/dx; d holds dL/d(gain x^ + …), gain the vectors of parameters per unit block. */
static void norm_span_backward(const norm_span *n, real *hat, const real *d, int d_slots, const vec *gain, int params,
                               real inverse)
{
    real size = (real)(n->units * n->count);
    vec sum = splat(0), dot = splat(0);
#define D_HAT real_units(n, u, load(d + (u * d_slots + j) * LANES) * gain[u * params + j])
    EACH_VECTOR (*n) {
        vec g = D_HAT;
        sum += g, dot += g * load(span_at(n, hat, u, j));
    }
    real m1 = lane_sum(sum) / size, m2 = lane_sum(dot) / size;
    EACH_VECTOR (*n) {
        vec x = load(span_at(n, hat, u, j));
        store(span_at(n, hat, u, j), real_units(n, u, (D_HAT - m1 - x * m2) * inverse));
    }
#undef D_HAT
}

/* A section of n gates in one row, forward and backward. */
static void norm_gates_forward(int kind, int64_t units, int n, real *x, real *stats)
{
    int step = kind == NORM_ALL ? n : 1;
    for (int j = 0; j < n; j += step) {
        norm_span span = { units, ceil_div(units, LANES), n, j, step };
        norm_span_forward(&span, x, stats + j);
    }
}
static void norm_gates_backward(int kind, int64_t units, int n, real *hat, const real *d, const vec *gain, int params,
                                const real *stats)
{
    int step = kind == NORM_ALL ? n : 1;
    for (int j = 0; j < n; j += step) {
        norm_span span = { units, ceil_div(units, LANES), n, j, step };
        norm_span_backward(&span, hat, d, n + 1, gain, params, stats[j]);
    }
}
/* The cell state of one row: its moments; and dL/dc^ in slot n of the section of gates becomes dL/dc. */
static void norm_cell_forward(int64_t units, const real *c, real *stats)
{
    norm_span span = { units, ceil_div(units, LANES), 1, 0, 1 };
    norm_moments(&span, (real *)c, &stats[0], &stats[1]);
}
static void norm_cell_backward(int64_t units, int n, const real *c, real *gates, const real *stats)
{
    norm_span s = { units, ceil_div(units, LANES), n + 1, n, 1 };
    real size = (real)units;
    vec sum = splat(0), dot = splat(0);
#define C_HAT ((load(c + u * LANES) - stats[0]) * stats[1])
    EACH_VECTOR (s) {
        vec d = real_units(&s, u, load(span_at(&s, gates, u, j)));
        sum += d, dot += d * C_HAT;
    }
    real m1 = lane_sum(sum) / size, m2 = lane_sum(dot) / size;
    EACH_VECTOR (s) {
        vec d = load(span_at(&s, gates, u, j));
        store(span_at(&s, gates, u, j), real_units(&s, u, (d - m1 - C_HAT * m2) * stats[1]));
    }
#undef C_HAT
}
#endif
