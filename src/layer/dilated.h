/* dilation D (Chang et al. 2017, "Dilated recurrent neural networks"): the state of step t comes from step t - D. A row
   is D sequences that take turns, its phases: they go through the cell as rows of their own of a batch of T / D steps,
   so that every cell, direction and regulariser of a step works as it is, and more rows share each product.

   Step t of row b is step t / D of phase t % D. What a step of the narrow batch holds are the rows of D steps, in the
   order of the lengths of the phases; `at` leads back.

   State of a row: D states in turn. Forwards, state j is what the step j behind the row's last needs (before it begins:
   step j); against time, what step j before its first needs (before that: step j from its end). */
#ifndef DILATED_H
#define DILATED_H
#include "layer/layer_kernel.h"

typedef struct dilated {
    int64_t *memory, cap;                               /* the arrays that follow */
    int64_t *active, *off, *at, *place, *length, *next; /* [T'], [T'+1], [R], [B][D], [B], [T'+1] */
    real *x;                                            /* [R][ldx] inputs in the order of the narrow batch */
    int64_t cap_x;
    pass p; /* of the narrow batch */
} dilated;

/* Numbers of the arrays for so many rows of a window. */
static int64_t dilated_numbers(int64_t D, int64_t rows, int64_t batch) { return 4 * (rows + 1) + (D + 1) * batch; }
static size_t dilated_bytes(int64_t D, int64_t rows, int64_t batch, int64_t ldx)
{
    return (size_t)dilated_numbers(D, rows, batch) * sizeof(int64_t) + rows_bytes(rows, ldx);
}
static laco_status dilated_reserve(dilated *d, int64_t D, int64_t rows, int64_t batch, int64_t ldx, laco_error *err)
{
    int64_t n = dilated_numbers(D, rows, batch);
    if (n > d->cap) {
        mem_free(d->memory), d->cap = 0;
        if (!(d->memory = mem_new((size_t)n, sizeof *d->memory))) return fail_memory(err, (size_t)n * sizeof(int64_t));
        d->cap = n;
    }
    return reserve_rows(&d->x, &d->cap_x, rows, ldx, err);
}
static void dilated_release(dilated *d)
{
    mem_free(d->memory), d->memory = NULL, d->cap = 0;
    release_rows(&d->x, &d->cap_x);
}
/* The narrow batch of p. */
static void dilated_lay(dilated *d, int64_t D, const pass *p)
{
    const ragged *b = &p->b;
    int64_t T = ceil_div(b->T, D);
    d->active = d->memory, d->off = d->active + T, d->next = d->off + T + 1, d->at = d->next + T + 1;
    d->place = d->at + b->R, d->length = d->place + b->B * D;
    for (int64_t t = 0, k = b->B; t <= b->T; t++)
        for (int64_t active = t < b->T ? b->active[t] : 0; k > active; k--) d->length[k - 1] = t;
    for (int64_t t = 0; t < T; t++)
        d->off[t] = b->off[t * D], d->active[t] = b->off[min64(b->T, (t + 1) * D)] - d->off[t];
    d->off[T] = b->R;
    for (int64_t t = 0; t <= T; t++) d->next[t] = t < T ? d->active[t] : 0; /* as many phases are longer than t */
    for (int64_t phase = 0; phase < D; phase++)
        for (int64_t row = 0; row < b->B; row++)
            d->place[row * D + phase] = d->next[max64(0, ceil_div(d->length[row] - phase, D))]++;
    for (int64_t t = 0; t < b->T; t++)
        for (int64_t row = 0; row < b->active[t]; row++)
            d->at[d->off[t / D] + d->place[row * D + t % D]] = b->off[t] + row;
    d->p = *p;
    d->p.b = (ragged){ T, b->B * D, b->R, d->active, d->off };
}
/* The row of the narrow batch that state j of row b belongs to: before the window (in the order of its direction), or
   behind it. */
static int64_t dilated_state(const dilated *d, int64_t D, int64_t b, int64_t j, bool reverse, bool behind)
{
    int64_t length = d->length[b];
    int64_t step = reverse ? (behind ? -1 - j : length - 1 - j) : behind ? length + j : j;
    return d->place[b * D + (step % D + D) % D];
}
/* States of B rows, D each, to rows of the narrow batch, or back from there. */
static void dilated_states(const dilated *d, int64_t D, int64_t B, bool reverse, bool behind, int64_t ls, real *wide,
                           real *narrow, bool back)
{
    for (int64_t b = 0; b < B; b++)
        for (int64_t j = 0; j < D; j++) {
            real *one = wide + (b * D + j) * ls, *other = narrow + dilated_state(d, D, b, j, reverse, behind) * ls;
            memcpy(back ? one : other, back ? other : one, (size_t)ls * sizeof(real));
        }
}
#endif
