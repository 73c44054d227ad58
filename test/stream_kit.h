/* What the tests of streaming share: networks of every kind, models, states, inputs, comparisons. */
#ifndef STREAM_KIT_H
#define STREAM_KIT_H
#include "base/rng.h"
#include "laco.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- models, states, inputs ---- */
static const struct network {
    const char *text;
    int64_t inputs;
} networks[] = {
    { "elman 5", 3 },
    { "elman 17 x2 relu; dense 2", 3 },
    { "elman 4 linear clip 0.5 bias-none", 2 },
    { "elman 6 sigmoid project 3 learned-state; dense 4 tanh", 2 },
    { "elman 33 residual; dense 1", 33 },
    { "jordan 5 tanh-output project 3; dense 2 relu no-bias", 3 },
    { "jordan 20; dense 2", 4 },
    { "lstm 9; dense 3", 4 },
    { "lstm 64; dense 3", 64 },
    { "lstm 7 peephole coupled bias-one; dense 3 sigmoid", 4 },
    { "lstm 6 peephole-full norm; dense 1", 4 },
    { "lstm 8 norm-gates project 3 residual; dense 2", 3 },
    { "lstm 5 gate-recurrence learned-state; dense 2", 3 },
    { "lstm 4 no-forget no-output-gate linear-input linear-output; dense 2", 3 },
    { "lstm 18 no-input-gate project 5; lstm 7; dense 2", 3 },
    { "gru 9 residual; dense 3", 9 },
    { "gru 40 x2 learned-state; dense 3", 6 },
    { "gru-before 9; dense 3", 4 },
    { "gru-before 34 learned-state; dense 3", 4 },
    { "mgu 5; dense 2", 2 },
    { "mgu 21 x2 residual; dense 2", 21 },
    { "indrnn 5 x2 tanh; dense 2", 2 },
    { "indrnn 19; dense 2", 2 },
    { "reservoir 50 density 0.1 leak 0.5 direct; dense 2", 3 },
    { "reservoir 40 blocks density 0.05; reservoir 20 density 1; dense 2", 12 },
    { "window 4; dense 6 tanh; dropout 0.25; dense 2", 3 },
    { "dense 30 tanh; window 3", 2 },
    { "dense 5 relu", 4 },
    { "dropout 0.5; gru 6", 3 },
    { "embed 6; lstm 6 x2; dropout 0.5; dense 11", 11 },
    { "embed 8; lstm 5 project 8; dense 11 tied", 11 },
    { "embed 8; gru 8; dense 11 tied no-bias", 11 },
    { "embed 3; window 3; elman 4; dense", 7 },
    { "embed 4", 5 },
};
enum { MOST_STREAMS = 20, MOST_STEPS = 32, WIDE = 96, BLOCK = MOST_STREAMS * MOST_STEPS * WIDE };
static float x[BLOCK], y[BLOCK], z[BLOCK];

static inline void must(laco_status st, const laco_error *e)
{
    if (st) print_error("%s\n", e->msg);
    assert_int_equal(st, LACO_OK);
}
static inline bool has_symbols(const laco_model *m) { return !strncmp(laco_model_description(m), "embed", 5); }
static inline laco_model *make(const char *text, int64_t inputs)
{
    laco_model *m;
    laco_error e;
    must(laco_model_new(&m, text, inputs, 7, &e), &e);
    for (int i = 0; i < laco_model_tensors(m); i++) { /* what is drawn alike (gains, zeros) differs too */
        laco_tensor t;
        int64_t n = 1;
        must(laco_model_tensor(m, i, &t, &e), &e);
        for (int k = 0; k < t.rank; k++) n *= t.shape[k];
        for (int64_t k = 0; k < n; k++)
            t.data[k] += (float)(0.2 * rng_uniform(3, RNG_TEST, (uint64_t)(i << 20 | k)) - 0.1);
    }
    must(laco_model_ready(m, &e), &e);
    assert_true(laco_model_inputs(m) <= WIDE && laco_model_outputs(m) <= WIDE);
    return m;
}
static inline int64_t words_of(const laco_model *m) { return has_symbols(m) ? 1 : laco_model_inputs(m); }
static inline void *state_of(const laco_model *m, int64_t streams)
{
    laco_error e;
    size_t bytes = laco_state_size(m, streams);
    assert_true(bytes > 0 && bytes % 64 == 0);
    void *state = aligned_alloc(64, bytes);
    assert_non_null(state);
    memset(state, 0xAA, bytes); /* nothing in it may count on zeros */
    must(laco_state_init(m, state, bytes, streams, &e), &e);
    return state;
}
/* Input number i of a series: a symbol or a real. */
static inline void fill(const laco_model *m, float *to, int64_t words, uint64_t series)
{
    for (int64_t i = 0; i < words; i++) {
        double u = rng_uniform(series, RNG_TEST, (uint64_t)i);
        int32_t symbol = (int32_t)(u * (double)laco_model_inputs(m));
        float real = (float)(2 * u - 1);
        has_symbols(m) ? memcpy(to + i, &symbol, 4) : memcpy(to + i, &real, 4);
    }
}
static inline void step(const laco_model *m, void *state, int64_t steps, int64_t streams, const float *in, float *out)
{
    laco_error e;
    must(laco_steps(m, state, steps, streams, in, out, &e), &e);
}
static inline void assert_near(const float *got, const float *want, int64_t n, double tolerance, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * fmax(1, fabs(want[i]))))
            fail_msg("%s: output %lld is %.9g, not %.9g", what, (long long)i, got[i], want[i]);
}
static inline void assert_same(const float *got, const float *want, int64_t n, const char *what)
{
    if (!memcmp(got, want, (size_t)n * sizeof *got)) return;
    assert_near(got, want, n, 0, what);
    fail_msg("%s: bits differ", what);
}
static inline double largest(const float *a, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(a[i]));
    return most;
}
/* A saved state, in test_malloc. */
static inline unsigned char *saved(const laco_model *m, const void *state, int64_t streams, size_t *bytes)
{
    laco_error e;
    *bytes = laco_state_saved_size(m, streams);
    assert_true(*bytes > 0);
    unsigned char *to = test_malloc(*bytes);
    must(laco_state_save(m, state, to, *bytes, &e), &e);
    return to;
}
static inline void each_network(void (*check)(const laco_model *m, const char *text))
{
    for (size_t i = 0; i < COUNT(networks); i++) {
        laco_model *m = make(networks[i].text, networks[i].inputs);
        check(m, networks[i].text);
        laco_model_free(m);
    }
}
#endif
