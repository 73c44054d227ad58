/* Streaming, as laco.h describes it, for every cell and layer: streams side by side, forks, saved states, narrow
   weights, every wrong call, and the job. What is promised to real-time threads is in test_realtime.c. */
#include "base/base.h"
#include "stream_kit.h"
#include <unistd.h>

/* ---- streams side by side ---- */
static void check_many(const laco_model *m, const char *text)
{
    static const int64_t streams[] = { 2, 3, 5, 8, 13, MOST_STREAMS };
    const int64_t T = 7, in = words_of(m), out = laco_model_outputs(m);
    for (size_t k = 0; k < COUNT(streams); k++) {
        const int64_t S = streams[k];
        void *many = state_of(m, S);
        fill(m, x, T * S * in, 1);
        step(m, many, T, S, x, y);
        for (int64_t s = 0; s < S; s++) {
            void *one = state_of(m, 1);
            for (int64_t t = 0; t < T; t++) {
                step(m, one, 1, 1, x + (t * S + s) * in, z);
                assert_near(y + (t * S + s) * out, z, out, 1e-6, text);
            }
            free(one);
        }
        free(many);
    }
}
static void many_streams_are_single_ones(void **state)
{
    (void)state;
    each_network(check_many);
}

static void check_blocks(const laco_model *m, const char *text)
{
    const int64_t in = words_of(m), out = laco_model_outputs(m);
    for (int64_t S = 1; S <= 3; S += 2) {
        void *a = state_of(m, S), *b = state_of(m, S);
        laco_error e;
        fill(m, x, MOST_STEPS * S * in, 2);
        step(m, a, MOST_STEPS, S, x, y);
        for (int64_t t = 0; t < MOST_STEPS; t++) {
            const float *from = x + t * S * in;
            int32_t symbol;
            memcpy(&symbol, from, 4);
            if (S > 1)
                step(m, b, 1, S, from, z + t * S * out);
            else if (has_symbols(m))
                must(laco_step_symbol(m, b, symbol, z + t * out, &e), &e);
            else
                must(laco_step(m, b, from, z + t * out, &e), &e);
        }
        assert_same(y, z, MOST_STEPS * S * out, text);
        step(m, a, 0, S, x, y); /* no step changes nothing */
        step(m, a, 3, S, x, y), step(m, b, 3, S, x, z);
        assert_same(y, z, 3 * S * out, text);
        free(a), free(b);
    }
}
static void blocks_are_steps(void **state)
{
    (void)state;
    each_network(check_blocks);
}

static bool remembers(const char *text) /* does its output depend on inputs before the last? */
{
    return strcmp(text, "embed 4") && strcmp(text, "dense 5 relu");
}
static void check_fork(const laco_model *m, const char *text)
{
    const int64_t S = 3, T = 6, in = words_of(m), out = laco_model_outputs(m);
    void *a = state_of(m, S), *b = state_of(m, S), *alone = state_of(m, S);
    float *other = x + BLOCK / 2, *later = z + BLOCK / 2;
    laco_error e;
    for (int64_t before = 1; before < 4; before++) { /* even and odd */
        fill(m, x, T * S * in, 3), fill(m, other, T * S * in, 4);
        step(m, a, before, S, x, y), step(m, alone, before, S, x, y);
        must(laco_state_copy(m, b, a, &e), &e);
        step(m, b, T, S, other, later); /* the copy goes another way */
        step(m, a, T, S, x, y), step(m, alone, T, S, x, z);
        assert_same(y, z, T * S * out, text); /* which the first does not feel */
        assert_true(memcmp(later, y, (size_t)(T * S * out) * 4) != 0);
        must(laco_state_copy(m, b, a, &e), &e);
        step(m, a, T, S, x, y), step(m, b, T, S, x, later), step(m, alone, T, S, x, z);
        assert_same(later, y, T * S * out, text);
        must(laco_state_copy(m, a, a, &e), &e);
    }
    free(a), free(b), free(alone);
}
static void forks_differ_by_their_input(void **state)
{
    (void)state;
    each_network(check_fork);
}

static void check_reset(const laco_model *m, const char *text)
{
    const int64_t S = 4, T = 5, in = words_of(m), out = laco_model_outputs(m);
    void *a = state_of(m, S), *b = state_of(m, S), *fresh = state_of(m, S);
    laco_error e;
    fill(m, x, T * S * in, 5);
    step(m, a, T, S, x, y), step(m, b, T, S, x, y);
    must(laco_state_reset(m, a, 2, &e), &e);
    step(m, a, T, S, x, y), step(m, b, T, S, x, z);
    float *begun = z + BLOCK / 2;
    step(m, fresh, T, S, x, begun);
    for (int64_t t = 0; t < T; t++)
        for (int64_t s = 0; s < S; s++) {
            int64_t at = (t * S + s) * out;
            assert_same(y + at, (s == 2 ? begun : z) + at, out, text);
        }
    if (remembers(text)) assert_true(memcmp(y, begun, (size_t)(T * S * out) * 4) != 0);
    free(a), free(b), free(fresh);
}
static void reset_of_one_stream(void **state)
{
    (void)state;
    each_network(check_reset);
}

/* A stream that was fed what is no number spoils neither the others nor, once reset, itself. */
static void check_no_number(const laco_model *m, const char *text)
{
    const int64_t S = 3, T = 4, in = words_of(m), out = laco_model_outputs(m);
    static const char *const kinds[] = { "float", "bf16", "int8" };
    laco_error e;
    if (has_symbols(m)) return;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        laco_model *copy = make(text, in);
        must(laco_model_weights(copy, kinds[k], &e), &e);
        void *a = state_of(copy, S), *b = state_of(copy, S), *fresh = state_of(copy, S);
        fill(m, x, T * S * in, 18);
        step(copy, b, T, S, x, z);
        for (int64_t i = 0; i < in; i++) x[(S + 1) * in + i] = i % 2 ? NAN : INFINITY; /* step 1, stream 1 */
        step(copy, a, T, S, x, y);
        for (int64_t t = 0; t < T; t++)
            for (int64_t s = 0; s < S; s += 2) assert_same(y + (t * S + s) * out, z + (t * S + s) * out, out, text);
        must(laco_state_reset(copy, a, 1, &e), &e);
        fill(m, x, T * S * in, 18);
        step(copy, a, T, S, x, y), step(copy, fresh, T, S, x, z);
        for (int64_t t = 0; t < T; t++) assert_same(y + (t * S + 1) * out, z + (t * S + 1) * out, out, text);
        free(a), free(b), free(fresh), laco_model_free(copy);
    }
}
static void no_number_stays_in_its_stream(void **state)
{
    (void)state;
    each_network(check_no_number);
}

static void check_fewer(const laco_model *m, const char *text)
{
    const int64_t S = 5, few = 3, in = words_of(m), out = laco_model_outputs(m);
    for (int64_t T = 1; T < 5; T++) {
        void *a = state_of(m, S), *b = state_of(m, S), *c = state_of(m, few);
        size_t n;
        fill(m, x, MOST_STEPS * S * in, 6);
        step(m, a, 3, S, x, y), step(m, b, 3, S, x, y);
        unsigned char *before = saved(m, a, S, &n);
        step(m, a, T, few, x, y);
        unsigned char *after = saved(m, a, S, &n);
        size_t one = (n - 32) / (size_t)S; /* bytes of a stream behind the head */
        assert_memory_equal(before + 32 + few * (int64_t)one, after + 32 + few * (int64_t)one,
                            (S - few) * (int64_t)one);
        step(m, a, 2, S, x, y), step(m, b, 2, S, x, z);
        for (int64_t t = 0; t < 2; t++) /* the others go on as if nothing had been */
            assert_same(y + (t * S + few) * out, z + (t * S + few) * out, (S - few) * out, text);
        for (int64_t t = 0; t < 3; t++) step(m, c, 1, few, x + t * S * in, z);
        step(m, c, T, few, x, z); /* and the few as if they had been alone */
        for (int64_t t = 0; t < 2; t++) {
            step(m, c, 1, few, x + t * S * in, z);
            assert_near(y + t * S * out, z, few * out, 1e-6, text);
        }
        test_free(before), test_free(after), free(a), free(b), free(c);
    }
}
static void fewer_streams_leave_the_others(void **state)
{
    (void)state;
    each_network(check_fewer);
}

/* ---- saved states ---- */
static void check_saved(const laco_model *m, const char *text)
{
    const int64_t S = 3, T = 4, in = words_of(m), out = laco_model_outputs(m);
    laco_error e;
    for (int64_t before = 0; before < 3; before++) {
        void *a = state_of(m, S), *b = state_of(m, S);
        size_t n, again;
        fill(m, x, T * S * in, 8);
        step(m, a, before, S, x, y), step(m, b, 1, S, x, y);
        unsigned char *bytes = saved(m, a, S, &n);
        must(laco_state_restore(m, b, bytes, n, &e), &e);
        unsigned char *twice = saved(m, b, S, &again);
        assert_int_equal(n, again);
        assert_memory_equal(bytes, twice, n);
        step(m, a, T, S, x, y), step(m, b, T, S, x, z);
        assert_same(y, z, T * S * out, text);
        test_free(bytes), test_free(twice), free(a), free(b);
    }
}
static void saved_states_go_on(void **state)
{
    (void)state;
    each_network(check_saved);
}

static void other_instruction_set(void **state)
{
    (void)state;
    const char *before = getenv("LACO_ISA");
    char kept[32] = "";
    laco_error e;
    if (before) snprintf(kept, sizeof kept, "%s", before);
    for (size_t i = 0; i < COUNT(networks); i++) {
        laco_model *m = make(networks[i].text, networks[i].inputs);
        setenv("LACO_ISA", "portable", 1);
        laco_model *p = make(networks[i].text, networks[i].inputs);
        kept[0] ? setenv("LACO_ISA", kept, 1) : unsetenv("LACO_ISA");
        const int64_t S = 2, T = 6, in = words_of(m), out = laco_model_outputs(m);
        void *a = state_of(m, S), *b = state_of(p, S);
        size_t n;
        fill(m, x, T * S * in, 9);
        step(m, a, T, S, x, y);
        unsigned char *bytes = saved(m, a, S, &n);
        assert_int_equal(laco_state_saved_size(p, S), n);
        must(laco_state_restore(p, b, bytes, n, &e), &e);
        step(m, a, T, S, x, y), step(p, b, T, S, x, z);
        assert_near(z, y, T * S * out, 1e-5, networks[i].text);
        test_free(bytes), free(a), free(b), laco_model_free(m), laco_model_free(p);
    }
}

static void damaged_states_are_refused(void **state)
{
    (void)state;
    laco_error e;
    for (size_t i = 0; i < COUNT(networks); i += 5) {
        laco_model *m = make(networks[i].text, networks[i].inputs);
        void *a = state_of(m, 2);
        size_t n, size = laco_state_size(m, 2);
        fill(m, x, 10 * words_of(m), 10);
        step(m, a, 5, 2, x, y);
        unsigned char *bytes = saved(m, a, 2, &n), *whole = test_malloc(size);
        memcpy(whole, a, size);
        for (size_t k = 0; k < n; k++) {
            unsigned char *cut = test_malloc(k + !k); /* of its own, so that a byte read behind it is seen */
            memcpy(cut, bytes, k);
            assert_int_equal(laco_state_restore(m, a, cut, k, &e), LACO_EFORMAT);
            test_free(cut);
        }
        assert_int_equal(laco_state_restore(m, a, bytes, n + 1, &e), LACO_EFORMAT);
        for (size_t bit = 0; bit < 32 * 8; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            assert_int_equal(laco_state_restore(m, a, bytes, n, &e), LACO_EFORMAT);
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        assert_memory_equal(whole, a, size);
        must(laco_state_restore(m, a, bytes, n, &e), &e);
        test_free(bytes), test_free(whole), free(a), laco_model_free(m);
    }
}

/* ---- narrow weights ---- bf16 has 8 bits of mantissa, so a weight is off by 2^-9 at most; int8 by 1/254 of the
   largest of its row, and so is what it is multiplied with. Over sums of some tens of terms of either sign, with
   saturating units behind them, outputs are off by a few such steps of the largest output. Networks whose outputs are
   not bounded by a saturating unit add errors up over the steps, and are left out here. */
static const struct network narrow[] = {
    { "lstm 32; dense 3", 16 },
    { "lstm 40 peephole; dense 3", 5 },
    { "gru 32 x2; dense 3", 16 },
    { "gru-before 33; dense 3", 7 },
    { "mgu 48; dense 3", 16 },
    { "elman 37; dense 3", 16 },
    { "jordan 32 tanh-output; dense 3", 8 },
    { "lstm 32 norm; dense 3", 8 },
    { "lstm 40 project 16; dense 3", 8 },
    { "window 4; dense 40 tanh; dense 3", 8 },
    { "embed 24; gru 32; dense", 20 },
    { "embed 24; lstm 24; dense 20 tied", 20 },
};
static void narrow_weights(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        double tolerance;
    } kinds[] = { { "bf16", 0.02 }, { "int8", 0.06 } };
    laco_error e;
    for (size_t i = 0; i < COUNT(narrow); i++) {
        laco_model *m = make(narrow[i].text, narrow[i].inputs);
        const int64_t S = 2, T = MOST_STEPS, in = words_of(m), n = T * S * laco_model_outputs(m);
        void *a = state_of(m, S);
        fill(m, x, T * S * in, 13);
        step(m, a, T, S, x, y);
        for (size_t k = 0; k < COUNT(kinds); k++) {
            double off = 0;
            must(laco_model_weights(m, kinds[k].kind, &e), &e);
            free(a), a = state_of(m, S);
            step(m, a, T, S, x, z);
            for (int64_t j = 0; j < n; j++) off = fmax(off, fabs((double)z[j] - y[j]));
            if (!(off > 1e-6 && off <= kinds[k].tolerance * fmax(1, largest(y, n))))
                fail_msg("%s as %s is off by %.3g of %.3g", narrow[i].text, kinds[k].kind, off, largest(y, n));
        }
        assert_int_equal(laco_model_weights(m, "int4", &e), LACO_EINVAL);
        assert_non_null(strstr(e.msg, "int4"));
        must(laco_model_weights(m, "float", &e), &e);
        free(a), a = state_of(m, S);
        step(m, a, T, S, x, z);
        assert_same(z, y, n, narrow[i].text);
        free(a), laco_model_free(m);
    }
}

/* ---- wrong calls ---- */
#define REFUSED(call, status, part)                                                                                    \
    do {                                                                                                               \
        laco_error e_ = { .msg = "" };                                                                                 \
        laco_error *err = &e_;                                                                                         \
        assert_int_equal(call, status);                                                                                \
        if (!strstr(e_.msg, part)) fail_msg("\"%s\" lacks \"%s\"", e_.msg, part);                                      \
        assert_int_equal(e_.code, status);                                                                             \
        err = NULL; /* and again without a place for the sentence */                                                   \
        assert_int_equal(call, status);                                                                                \
    } while (0)

static void wrong_states(void **state)
{
    (void)state;
    laco_model *m = make("gru 6; dense 2", 3), *other = make("gru 7; dense 2", 3), *both = make("dense 3", 3);
    laco_model *two = NULL;
    laco_error e;
    must(laco_model_new(&two, "gru 4 bidirectional; dense 2", 3, 1, &e), &e), must(laco_model_ready(two, &e), &e);
    const size_t size = laco_state_size(m, 2);
    char *a = state_of(m, 2), *b = state_of(m, 3), *space = aligned_alloc(64, 1 << 16);
    float in[6] = { 0 }, out[6];
    memset(space, 0, 1 << 16);
    assert_int_equal(laco_state_size(NULL, 1), 0);
    assert_int_equal(laco_state_size(m, 0), 0);
    assert_int_equal(laco_state_size(m, -1), 0);
    assert_int_equal(laco_state_size(m, INT64_MAX), 0);
    assert_int_equal(laco_state_size(m, INT64_MAX / 64), 0);
    assert_int_equal(laco_state_saved_size(NULL, 1), 0);
    assert_int_equal(laco_state_saved_size(m, -5), 0);
    assert_int_equal(laco_state_size(two, 1), 0);
    assert_int_equal(laco_state_saved_size(two, 1), 0);
    REFUSED(laco_state_init(two, space, 1 << 16, 1, err), LACO_EINVAL, "laco_model_run");
    REFUSED(laco_step(two, space, in, out, err), LACO_EINVAL, "laco_model_run");
    REFUSED(laco_state_init(NULL, space, 1 << 16, 1, err), LACO_EINVAL, "m is NULL");
    REFUSED(laco_state_init(m, NULL, 1 << 16, 1, err), LACO_EINVAL, "state is NULL");
    REFUSED(laco_state_init(m, space + 8, size, 2, err), LACO_EINVAL, "multiple of 64");
    REFUSED(laco_state_init(m, space, size - 1, 2, err), LACO_EINVAL, "too few");
    REFUSED(laco_state_init(m, space, 1 << 16, 0, err), LACO_EINVAL, "at least one");
    REFUSED(laco_state_init(m, space, SIZE_MAX, INT64_MAX, err), LACO_EINVAL, "streams");
    for (int i = 0; i < 1 << 16; i++) assert_int_equal(space[i], 0);
    REFUSED(laco_step(m, space, in, out, err), LACO_EINVAL, "not one of this model"); /* never initialised */
    REFUSED(laco_step(other, a, in, out, err), LACO_EINVAL, "not one of this model");
    REFUSED(laco_step(both, a, in, out, err), LACO_EINVAL, "not one of this model");
    REFUSED(laco_state_reset(m, a, 2, err), LACO_EINVAL, "0 to 1");
    REFUSED(laco_state_reset(m, a, -1, err), LACO_EINVAL, "stream -1");
    REFUSED(laco_state_reset(other, a, 0, err), LACO_EINVAL, "not one of this model");
    REFUSED(laco_state_reset(m, NULL, 0, err), LACO_EINVAL, "NULL");
    REFUSED(laco_state_copy(m, b, a, err), LACO_EINVAL, "3 and 2");
    REFUSED(laco_state_copy(m, b, NULL, err), LACO_EINVAL, "NULL");
    REFUSED(laco_state_copy(m, NULL, a, err), LACO_EINVAL, "NULL");
    REFUSED(laco_state_copy(m, space, a, err), LACO_EINVAL, "not one of this model");
    REFUSED(laco_state_copy(other, a, a, err), LACO_EINVAL, "not one of this model");
    size_t n;
    unsigned char *bytes = saved(m, a, 2, &n);
    REFUSED(laco_state_save(m, a, bytes, n - 1, err), LACO_EINVAL, "too few");
    REFUSED(laco_state_save(m, a, NULL, n, err), LACO_EINVAL, "to is NULL");
    REFUSED(laco_state_save(m, NULL, bytes, n, err), LACO_EINVAL, "NULL");
    REFUSED(laco_state_save(other, a, bytes, n, err), LACO_EINVAL, "not one of this model");
    REFUSED(laco_state_restore(m, b, bytes, n, err), LACO_EFORMAT, "saved streams: 2");
    REFUSED(laco_state_restore(m, a, NULL, n, err), LACO_EINVAL, "from is NULL");
    REFUSED(laco_state_restore(other, a, bytes, n, err), LACO_EINVAL, "not one of this model");
    void *c = state_of(other, 2);
    REFUSED(laco_state_restore(other, c, bytes, n, err), LACO_EFORMAT, "another model");
    REFUSED(laco_state_threads(m, NULL, NULL, err), LACO_EINVAL, "NULL");
    REFUSED(laco_state_threads(m, c, NULL, err), LACO_EINVAL, "not one of this model");
    test_free(bytes), free(a), free(b), free(c), free(space);
    laco_model_free(m), laco_model_free(other), laco_model_free(both), laco_model_free(two);
}

static void wrong_steps(void **state)
{
    (void)state;
    laco_model *m = make("gru 6; dense 2", 3), *s = make("embed 4; gru 6; dense", 5), *raw;
    laco_error e;
    char *a = state_of(m, 2), *b = state_of(s, 2);
    float in[12] = { 0 }, out[12];
    int32_t symbols[] = { 0, 4, 1, 5 };
    REFUSED(laco_step(NULL, a, in, out, err), LACO_EINVAL, "m is NULL");
    REFUSED(laco_step(m, NULL, in, out, err), LACO_EINVAL, "state is NULL");
    REFUSED(laco_step(m, a, NULL, out, err), LACO_EINVAL, "in is NULL");
    REFUSED(laco_step(m, a, in, NULL, err), LACO_EINVAL, "out is NULL");
    REFUSED(laco_step(m, a + 4, in, out, err), LACO_EINVAL, "multiple of 64");
    REFUSED(laco_step(s, b, in, out, err), LACO_EINVAL, "laco_step_symbol");
    REFUSED(laco_step_symbol(m, a, 0, out, err), LACO_EINVAL, "laco_step");
    REFUSED(laco_step_symbol(s, b, -1, out, err), LACO_EINVAL, "symbol -1");
    REFUSED(laco_step_symbol(s, b, 5, out, err), LACO_EINVAL, "0 to 4");
    REFUSED(laco_step_symbol(s, b, INT32_MIN, out, err), LACO_EINVAL, "0 to 4");
    REFUSED(laco_step_symbol(s, b, 0, NULL, err), LACO_EINVAL, "NULL");
    REFUSED(laco_steps(m, a, 1, 3, in, out, err), LACO_EINVAL, "holds 2");
    REFUSED(laco_steps(m, a, 1, 0, in, out, err), LACO_EINVAL, "holds 2");
    REFUSED(laco_steps(m, a, 1, -1, in, out, err), LACO_EINVAL, "holds 2");
    REFUSED(laco_steps(m, a, -1, 1, in, out, err), LACO_EINVAL, "-1 steps");
    REFUSED(laco_steps(m, a, INT64_MAX, 2, in, out, err), LACO_EINVAL, "steps");
    REFUSED(laco_steps(m, a, INT64_MAX / 8, 2, in, out, err), LACO_EINVAL, "steps");
    REFUSED(laco_steps(s, b, 2, 2, symbols, out, err), LACO_EINVAL, "symbol 5");
    assert_int_equal(laco_steps(s, b, 2, 2, symbols, out, &e), LACO_EINVAL);
    assert_int_equal(e.at, 3);
    size_t n;
    unsigned char *now = saved(s, b, 2, &n), *fresh = saved(s, b, 2, &n);
    void *begun = state_of(s, 2);
    must(laco_state_save(s, begun, fresh, n, &e), &e);
    assert_memory_equal(now, fresh, n); /* no step was made of the good ones before the bad one */
    must(laco_model_new(&raw, "gru 6; dense 2", 3, 7, &e), &e);
    void *c = state_of(raw, 1);
    REFUSED(laco_step(raw, c, in, out, err), LACO_EINVAL, "laco_model_ready");
    must(laco_model_ready(raw, &e), &e), must(laco_step(raw, c, in, out, &e), &e);
    laco_tensor t;
    must(laco_model_tensor(raw, 0, &t, &e), &e);
    REFUSED(laco_step(raw, c, in, out, err), LACO_EINVAL, "laco_model_ready");
    REFUSED(laco_model_ready(NULL, err), LACO_EINVAL, "NULL");
    REFUSED(laco_model_weights(NULL, "float", err), LACO_EINVAL, "NULL");
    REFUSED(laco_model_weights(raw, NULL, err), LACO_EINVAL, "NULL");
    REFUSED(laco_model_weights(raw, "", err), LACO_EINVAL, "int8");
    test_free(now), test_free(fresh), free(a), free(b), free(c), free(begun);
    laco_model_free(m), laco_model_free(s), laco_model_free(raw);
}

static void wrong_machines(void **state)
{
    (void)state;
    laco_threads *t = (laco_threads *)&t;
    laco_error e;
    laco_model *one = make("lstm 30; dense 2", 3), *other = make("gru 30; dense 2", 3);
    REFUSED(laco_threads_new(NULL, one, 1, 1, err), LACO_EINVAL, "NULL");
    REFUSED(laco_threads_new(&t, NULL, 1, 1, err), LACO_EINVAL, "NULL");
    assert_null(t);
    REFUSED(laco_threads_new(&t, one, 0, 1, err), LACO_EINVAL, "0 streams");
    REFUSED(laco_threads_new(&t, one, 1, -1, err), LACO_EINVAL, "threads");
    must(laco_threads_new(&t, one, 1, 2, &e), &e);
    void *two = state_of(one, 2), *foreign = state_of(other, 1);
    REFUSED(laco_state_threads(one, two, t, err), LACO_EINVAL, "1 streams");
    REFUSED(laco_state_threads(other, foreign, t, err), LACO_EINVAL, "another");
    free(two), free(foreign), laco_model_free(one), laco_model_free(other), laco_threads_free(t);
    static const int good[] = { 0, 1, 8 }; /* 8 are more than many a machine has cores */
    for (size_t i = 0; i < COUNT(good); i++) {
        laco_model *m = make("lstm 30; dense 2", 3);
        void *a = state_of(m, 1), *b = state_of(m, 1);
        must(laco_threads_new(&t, m, 1, good[i], &e), &e);
        must(laco_state_threads(m, a, t, &e), &e);
        fill(m, x, 3 * MOST_STEPS, 14);
        step(m, a, MOST_STEPS, 1, x, y), step(m, b, MOST_STEPS, 1, x, z);
        assert_same(y, z, 2 * MOST_STEPS, "threads");
        free(a), free(b), laco_model_free(m), laco_threads_free(t);
    }
    laco_model *m;
    const char *before = getenv("LACO_ISA");
    char kept[32] = "";
    if (before) snprintf(kept, sizeof kept, "%s", before);
#if defined(__x86_64__)
    setenv("LACO_ISA", "neon", 1);
#else
    setenv("LACO_ISA", "avx512", 1);
#endif
    REFUSED(laco_model_new(&m, "elman 3", 2, 1, err), LACO_EINVAL, "LACO_ISA=");
    assert_null(m);
    kept[0] ? setenv("LACO_ISA", kept, 1) : unsetenv("LACO_ISA");
}

/* ---- laco stream ---- as a job; test/cli/stream.case has the command */
static void on_out(void *ctx, const char *bytes, size_t n) { buf_add(ctx, bytes, n); }
static laco_status run_job(const char *path, const char *format, const char *weights, const void *bytes, size_t n,
                           buf *out, char figures[1024], laco_error *e)
{
    laco_job *job;
    laco_watch watch = { .size = sizeof watch, .ctx = out, .out = on_out };
    must(laco_job_new(&job, "stream", e), e);
    must(laco_job_set(job, "model-file", path, e), e), must(laco_job_set(job, "format", format, e), e);
    must(laco_job_set(job, "streams", "2", e), e), must(laco_job_set(job, "weights", weights, e), e);
    must(laco_job_set(job, "block", "5", e), e), must(laco_job_set(job, "rate", "1e-3", e), e);
    must(laco_job_text(job, "data", bytes, n, e), e);
    laco_status st = laco_job_run(job, &watch, e);
    snprintf(figures, 1024, "%s", laco_job_result(job));
    laco_job_free(job);
    return st;
}
static void stream_as_a_job(void **state)
{
    (void)state;
    const char *folder = getenv("TMPDIR");
    char path[300], text[BLOCK / 16], figures[1024];
    size_t at = 0;
    laco_error e;
    laco_model *m = make("lstm 12; dense 3", 4);
    const int64_t S = 2, T = 17, in = 4, out = 3;
    snprintf(path, sizeof path, "%s/laco-stream-%ld", folder && *folder ? folder : "/tmp", (long)getpid());
    must(laco_model_save(m, path, &e), &e);
    fill(m, x, T * S * in, 19);
    for (int64_t i = 0; i < T * S * in; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.9g%c", (double)x[i], (i + 1) % (S * in) ? ',' : '\n');
    static const char *const kinds[] = { "float", "bf16", "int8" };
    for (size_t k = 0; k < COUNT(kinds); k++) {
        buf raw = { 0 }, lines = { 0 };
        must(laco_model_weights(m, kinds[k], &e), &e);
        void *a = state_of(m, S);
        step(m, a, T, S, x, y);
        must(run_job(path, "f32", kinds[k], x, (size_t)(T * S * in) * 4, &raw, figures, &e), &e);
        assert_int_equal(raw.len, T * S * out * 4);
        assert_memory_equal(raw.data, y, raw.len);
        must(run_job(path, "text", kinds[k], text, at, &lines, figures, &e), &e);
        char *p = lines.data;
        for (int64_t i = 0; i < T * S * out; i++) assert_true(strtof(p, &p) == y[i]);
        assert_string_equal(p, "\n");
        assert_non_null(strstr(figures, "\"task\":\"stream\",\"network\":\"lstm 12; dense 3\""));
        assert_non_null(strstr(figures, "\"streams\":2,\"block\":5,\"steps\":17,"));
        assert_non_null(strstr(figures, "\"rate\":0.001,")), assert_non_null(strstr(figures, "\"late\":0}"));
        free(a), buf_free(&raw), buf_free(&lines);
    }
    buf none = { 0 };
    assert_int_equal(run_job(path, "f32", "float", x, 35, &none, figures, &e), LACO_EFORMAT);
    assert_int_equal(e.at, 2); /* of 32 bytes each */
    unlink(path), buf_free(&none), laco_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_streams_are_single_ones),
        cmocka_unit_test(blocks_are_steps),
        cmocka_unit_test(forks_differ_by_their_input),
        cmocka_unit_test(reset_of_one_stream),
        cmocka_unit_test(no_number_stays_in_its_stream),
        cmocka_unit_test(fewer_streams_leave_the_others),
        cmocka_unit_test(saved_states_go_on),
        cmocka_unit_test(other_instruction_set),
        cmocka_unit_test(damaged_states_are_refused),
        cmocka_unit_test(narrow_weights),
        cmocka_unit_test(wrong_states),
        cmocka_unit_test(wrong_steps),
        cmocka_unit_test(wrong_machines),
        cmocka_unit_test(stream_as_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
