/* Sequences changed at random while training, each time anew, so that what does not matter is not learnt.

       shift    x[t][b] becomes x[t][b + d], d uniform in -shift .. shift bands, one for a sequence, between bands by a
                line, the ends repeated: on mel bands a longer or shorter throat (vocal tract length perturbation,
                Jaitly & Hinton 2013)
       mask     a run of bands and a run of steps become 0, the mean: each is uniform in 0 .. mask of all, its place too
                (SpecAugment, Park et al. 2019)
       stretch  n steps become n' = n (1 + d), d uniform in -stretch .. stretch: y[t] = x[t (n - 1) / (n' - 1)], between
                steps by a line: faster and slower speech (speed perturbation, Ko et al. 2015) */
#ifndef AUGMENT_H
#define AUGMENT_H
#include "base/base.h"

typedef struct augment {
    double shift;   /* bands */
    double mask;    /* share */
    double stretch; /* share, below 1 */
    int64_t bands;  /* features of a step that lie side by side; a step holds one or several times that */
    uint64_t seed;
} augment;
static inline bool augment_on(const augment *a) { return a->shift > 0 || a->mask > 0 || a->stretch > 0; }
/* How many steps a sequence of so many has after the draw, and at most: another draw, another change. */
int64_t augment_steps(const augment *a, uint64_t draw, int64_t steps);
int64_t augment_most(const augment *a, int64_t steps);
/* y [augment_steps][width] of x [steps][width]. */
void augment_apply(const augment *a, uint64_t draw, const float *x, int64_t steps, int64_t width, float *y);
#endif
