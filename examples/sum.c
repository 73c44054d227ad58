/* A sum, by a network of one unit.

   The smallest thing that a recurrent network can do and no other network can: add up a sequence of any length. One
   linear unit feeds its output back to itself:

       h' = w x + u h        with w = 1 and u = 1:   h' = x + h

   The weight u is the memory. With u = 0 the unit would forget everything at every step; with u = 0.5 old numbers
   would fade to a half, a quarter, an eighth.

       cc sum.c $(pkg-config --cflags --libs laco) -o sum */
#include <laco.h>
#include <stdio.h>
#include <stdlib.h>

static void check(laco_status status, const laco_error *err)
{
    if (status == LACO_OK) return;
    fprintf(stderr, "sum: %s\n", err->msg);
    exit(1);
}

static void set(laco_model *m, const char *name, float weight)
{
    laco_error err;
    laco_tensor t;
    check(laco_model_find(m, name, &t, &err), &err);
    t.data[0] = weight;
}

int main(void)
{
    laco_error err;
    laco_model *m;
    check(laco_model_new(&m, "elman 1 linear bias-none", 1, 0, &err), &err); /* one unit, one input */
    set(m, "layers.0.weight_ih", 1);                                         /* w: the input counts as it is */
    set(m, "layers.0.weight_hh", 1);                                         /* u: all that was before is kept */
    check(laco_model_ready(m, &err), &err);

    /* The state of a stream lies in memory of ours, so one model serves any number of streams. */
    size_t bytes = laco_state_size(m, 1);
    void *state = aligned_alloc(64, bytes);
    if (!state) return 1;
    check(laco_state_init(m, state, bytes, 1, &err), &err);

    static const float in[] = { 3, 1, 4, -1, 5, -9, 2, 6 };
    float sum, expected = 0;
    printf("input  sum\n");
    for (size_t t = 0; t < sizeof in / sizeof in[0]; t++) {
        check(laco_step(m, state, &in[t], &sum, &err), &err);
        printf("%5g  %3g\n", in[t], sum);
        expected += in[t];
        if (sum != expected) return 1;
    }
    free(state);
    laco_model_free(m);
    return 0;
}
