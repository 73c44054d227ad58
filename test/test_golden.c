/* The golden cases: what other programs computed, in double and in float, with every instruction set of this machine.
 */
#include "base/pool.h"
#include "check/golden.h"
#include "check/selftest.h"
#include "format/safetensors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    if (strncmp(text, "skipped", 7)) print_message("%s\n", text);
}
/* Every case of a folder passes on every instruction set, with one thread and with two. */
static void folder_passes(const char *dir, int least)
{
    char old[32] = "";
    laco_error err;
    if (getenv("LACO_ISA")) snprintf(old, sizeof old, "%s", getenv("LACO_ISA"));
    for (int i = 0; kernels_at(i, REAL_FLOAT); i++)
        for (int threads = 1; threads <= 2; threads++) {
            int counts[3];
            setenv("LACO_ISA", kernels_at(i, REAL_FLOAT)->isa, 1);
            print_message("%s, %d threads\n", getenv("LACO_ISA"), threads);
            if (selftest_run(dir, threads, print_line, NULL, NULL, counts, &err)) fail_msg("%s", err.msg);
            assert_int_equal(counts[1], 0);
            assert_true(counts[0] >= least);
        }
    if (*old) setenv("LACO_ISA", old, 1);
    else unsetenv("LACO_ISA");
}
static void test_torch(void **state) { (void)state, folder_passes("test/golden/torch", 84); }
static void test_variants(void **state) { (void)state, folder_passes("test/golden/variants", 68); }
static void test_elsewhere(void **state)
{
    static const char *const folders[] = { "torch", "variants" };
    const char *root = getenv("LACO_GOLDEN");
    (void)state;
    if (!root) {
        print_message("LACO_GOLDEN is not set\n");
        skip();
    }
    for (int i = 0; i < 2; i++) {
        char dir[1024];
        snprintf(dir, sizeof dir, "%s/%s", root, folders[i]);
        if (!access(dir, R_OK)) folder_passes(dir, 1);
    }
}

static void test_builtin(void **state)
{
    int counts[3];
    laco_error err;
    (void)state;
    if (selftest_run(NULL, 1, print_line, NULL, NULL, counts, &err)) fail_msg("%s", err.msg);
    assert_int_equal(counts[1], 0);
    assert_true(counts[0] >= 7);
}

/* ---- damaged files ---- */
enum { MOST = 64 };
typedef struct damage {
    const char *name, *source, *drop, *change, *to,
        *reason; /* leave out a tensor; a pair of metadata set to another value */
} damage;
static const damage damages[] = {
    { "no weight", "torch/gru_l1_uni_bias_full_i4h7t11b1", "weight_ih_l0", NULL, NULL, "\"weight_ih_l0\" is missing" },
    { "no output", "torch/gru_l1_uni_bias_full_i4h7t11b1", "output", NULL, NULL, "\"output\" is missing" },
    { "no state", "torch/lstm_l1_uni_nobias_full_i5h7t1b2", "c0", NULL, NULL, "\"c0\" is missing" },
    { "no gradient", "torch/lstm_l1_uni_nobias_full_i5h7t1b2", "grad.input", NULL, NULL, "\"grad.input\" is missing" },
    { "no loss", "torch/lstm_l1_uni_nobias_full_i5h7t1b2", "loss", NULL, NULL, "\"loss\" is missing" },
    { "other size", "torch/gru_l1_uni_bias_full_i4h7t11b1", NULL, "hidden_size", "8", "has not" },
    { "huge size", "torch/gru_l1_uni_bias_full_i4h7t11b1", NULL, "hidden_size", "99999999999999999999", "from 1 to" },
    { "huge batch", "torch/gru_l1_uni_bias_full_i4h7t11b1", NULL, "batch", "1048576", "has not" },
    { "no number", "torch/gru_l1_uni_bias_full_i4h7t11b1", NULL, "seq_len", "x", "not a number" },
    { "too many layers", "torch/gru_l1_uni_bias_full_i4h7t11b1", NULL, "num_layers", "9", "from 1 to 8" },
    { "more layers", "torch/gru_l1_uni_bias_full_i4h7t11b1", NULL, "num_layers", "2", "weight_ih_l1" },
    { "shorter", "torch/gru_l1_uni_bias_packed_sorted_i4h8t12b3", NULL, "seq_len", "4", "has not" },
    { "projected GRU", "torch/gru_l1_uni_bias_full_i4h7t11b1", NULL, "proj_size", "3", "no projection" },
    { "another cell", "torch/rnn_tanh_l1_uni_bias_full_i4h7t10b1", NULL, "kind", "RNN_RELU", "is " },
    { "another variant", "variants/greff_niaf_0", NULL, "variant", "NOAF", "is " },
};
static void test_damaged(void **state)
{
    const char *path = "test_golden_damaged.safetensors";
    const kernels *k = NULL;
    pool *p = NULL;
    laco_error err;
    (void)state;
    assert_int_equal(kernels_choose(&k, REAL_DOUBLE, &err), LACO_OK);
    assert_int_equal(pool_new(&p, 1, &err), LACO_OK);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const damage *d = &damages[i];
        safetensors *s = NULL;
        st_tensor kept[MOST];
        const char *keys[MOST], *values[MOST];
        size_t n = 0, pairs;
        char source[256], reason[500];
        snprintf(source, sizeof source, "test/golden/%s.safetensors", d->source);
        if (st_load(&s, source, &err)) fail_msg("%s", err.msg);
        for (size_t t = 0; t < st_count(s); t++)
            if (!d->drop || strcmp(st_at(s, t)->name, d->drop)) kept[n++] = *st_at(s, t);
        for (pairs = 0; pairs < st_metadata_count(s); pairs++) {
            st_metadata_at(s, pairs, &keys[pairs], &values[pairs]);
            if (d->change && !strcmp(keys[pairs], d->change)) values[pairs] = d->to;
        }
        if (st_save(path, kept, n, keys, values, pairs, &err)) fail_msg("%s", err.msg);
        st_free(s);
        assert_int_equal(golden_run(path, k, p, reason, sizeof reason), GOLDEN_FAILED);
        if (!strstr(reason, d->reason)) fail_msg("%s: \"%s\" does not say \"%s\"", d->name, reason, d->reason);
    }
    unlink(path);
    pool_free(p);
}
/* Files that are no safetensors at all fail with the reader's reason, folders that are none with a sentence. */
static void test_unreadable(void **state)
{
    int counts[3];
    laco_error err;
    (void)state;
    assert_int_equal(selftest_run("test/golden/nowhere", 1, NULL, NULL, NULL, counts, &err), LACO_EIO);
    assert_non_null(strstr(err.msg, "test/golden/nowhere"));
    assert_int_equal(selftest_run("src/check", 1, NULL, NULL, NULL, counts, &err), LACO_EINVAL);
    assert_int_equal(selftest_run("test/golden/safetensors-edge", 1, NULL, NULL, NULL, counts, &err), LACO_OK);
    assert_int_equal(counts[0], 0);
    assert_true(counts[1] >= 20);
    assert_true(counts[2] >= 5);
}
static void test_stop(void **state)
{
    int counts[3];
    volatile int stop = 1;
    laco_error err;
    (void)state;
    assert_int_equal(selftest_run("test/golden/torch", 1, NULL, NULL, &stop, counts, &err), LACO_ESTOPPED);
    assert_int_equal(counts[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torch), cmocka_unit_test(test_variants), cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_builtin), cmocka_unit_test(test_damaged), cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
