/* Two running totals compared, by a network of two units.

   Two numbers arrive at every step. Is the total of the first so far larger than the total of the second? One linear
   unit keeps the difference of the totals, one sigmoid unit makes an answer of it:

       h' = x1 - x2 + h                 the memory: a total, as in sum.c
       y  = 1 / (1 + exp(-10 h'))       the answer: 1 yes, 0 no, 0.5 for equal totals

   A sigmoid of a small number is undecided; the weight 10 makes it sure as soon as the totals differ by 1.

       cc compare.c $(pkg-config --cflags --libs laco) -o compare */
#include <laco.h>
#include <stdio.h>
#include <stdlib.h>

static void check(laco_status status, const laco_error *err)
{
    if (status == LACO_OK) return;
    fprintf(stderr, "compare: %s\n", err->msg);
    exit(1);
}

static float *weights(laco_model *m, const char *name)
{
    laco_error err;
    laco_tensor t;
    check(laco_model_find(m, name, &t, &err), &err);
    return t.data;
}

/* 1: the first is larger, -1: the second, 0: neither */
static int answer(float y) { return y > 0.75f ? 1 : y < 0.25f ? -1 : 0; }
static int truth(float first, float second) { return (first > second) - (first < second); }

int main(void)
{
    laco_error err;
    laco_model *m;
    check(laco_model_new(&m, "elman 1 linear bias-none; dense 1 sigmoid", 2, 0, &err), &err);
    float *in = weights(m, "layers.0.weight_ih"); /* one row for the unit, one column for each input */
    in[0] = 1, in[1] = -1;
    *weights(m, "layers.0.weight_hh") = 1;
    *weights(m, "layers.1.weight") = 10;
    *weights(m, "layers.1.bias") = 0;
    check(laco_model_ready(m, &err), &err);
    size_t bytes = laco_state_size(m, 1);
    void *state = aligned_alloc(64, bytes);
    if (!state) return 1;
    check(laco_state_init(m, state, bytes, 1, &err), &err);

    static const float pairs[][2] = { { 2, 1 }, { 0, 3 }, { 4, 1 }, { 1, 1 }, { 0, 1 }, { 2, 3 }, { 7, 1 } };
    float y, total[2] = { 0, 0 };
    static const char *const names[] = { "second", "equal", "first" };
    printf("inputs  totals   answer\n");
    for (size_t t = 0; t < sizeof pairs / sizeof pairs[0]; t++) {
        check(laco_step(m, state, pairs[t], &y, &err), &err);
        total[0] += pairs[t][0], total[1] += pairs[t][1];
        printf("%3g %2g %4g %2g   %.3f %s\n", pairs[t][0], pairs[t][1], total[0], total[1], y, names[answer(y) + 1]);
        if (answer(y) != truth(total[0], total[1])) return 1;
    }
    free(state);
    laco_model_free(m);
    return 0;
}
