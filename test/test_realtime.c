/* What streaming promises to real-time threads: the same bits for any number of threads, one const model for all, no
   allocation and no system call, denormals that cost nothing, and ten million steps beside double precision. */
#include "base/pool.h"
#include "net/net.h"
#include "stream_kit.h"
#include <fenv.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/seccomp.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif
static int64_t allocations; /* by the library */
static void *counting_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    __atomic_add_fetch(&allocations, n > 0, __ATOMIC_RELAXED);
    if (n) return realloc(p, n);
    free(p);
    return NULL;
}

/* ---- threads ---- */
static const struct network large[] = {
    { "elman 256; dense 3", 40 },
    { "lstm 256; dense 3", 40 },
    { "lstm 256 peephole-full; dense 3", 40 },
    { "gru 256 x2; dense 3", 40 },
    { "gru-before 256; dense 3", 40 },
    { "mgu 256; dense 3", 40 },
    { "indrnn 256; dense 3", 40 },
    { "jordan 256; dense 3", 40 },
    { "lstm 256 norm project 65; dense 3", 40 },
    { "embed 64; gru 300; dense", 40 },
    { "window 9; dense 300; dense 3", 40 },
    { "lstm 16; dense 3", 40 },
    { "gru 5 residual; dense 2", 5 },
};
static void threads_give_the_same_bits(void **state)
{
    (void)state;
    static const char *const kinds[] = { "float", "bf16", "int8" };
    laco_threads *threads[3] = { NULL };
    laco_error e;
    for (size_t i = 0; i < COUNT(large) * COUNT(kinds); i++) {
        const struct network *w = &large[i / COUNT(kinds)];
        laco_model *m = make(w->text, w->inputs);
        must(laco_model_weights(m, kinds[i % COUNT(kinds)], &e), &e);
        for (int k = 1; k < 3; k++) must(laco_threads_new(&threads[k], m, 9, k + 1, &e), &e);
        for (int64_t S = 1; S <= 9; S += 4) {
            const int64_t T = MOST_STEPS, in = words_of(m), out = laco_model_outputs(m);
            fill(m, x, T * S * in, 11);
            for (int k = 0; k < 3; k++) {
                void *a = state_of(m, S);
                must(laco_state_threads(m, a, threads[k], &e), &e);
                step(m, a, 1, S, x, k ? z : y); /* a call of one step, and a call of many */
                step(m, a, T - 1, S, x + S * in, (k ? z : y) + S * out);
                if (k) assert_same(z, y, T * S * out, w->text);
                must(laco_state_threads(m, a, NULL, &e), &e);
                step(m, a, 1, S, x, z);
                free(a);
            }
        }
        laco_threads_free(threads[1]), laco_threads_free(threads[2]), laco_threads_free(NULL);
        laco_model_free(m);
    }
}

typedef struct sharer {
    const laco_model *m;
    const float *in;
    float *out;
    int64_t steps;
    laco_status st;
} sharer;
static void *share(void *arg)
{
    sharer *s = arg;
    size_t bytes = laco_state_size(s->m, 1);
    void *a = aligned_alloc(64, bytes);
    s->st = laco_state_init(s->m, a, bytes, 1, NULL);
    for (int64_t round = 0; !s->st && round < 50; round++)
        s->st = laco_steps(s->m, a, s->steps, 1, s->in, s->out, NULL);
    free(a);
    return NULL;
}
static void programs_share_a_model(const laco_model *m, const char *text)
{
    pthread_t thread[2];
    fill(m, x, MOST_STEPS * words_of(m), 12);
    sharer s[3];
    for (int i = 0; i < 3; i++) s[i] = (sharer){ m, x, i < 2 ? y + i * BLOCK / 2 : z, MOST_STEPS, LACO_EINVAL };
    share(&s[2]);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&thread[i], NULL, share, &s[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(s[i].st, LACO_OK);
    }
    for (int i = 0; i < 2; i++) assert_same(s[i].out, z, MOST_STEPS * laco_model_outputs(m), text);
}
static void two_threads_step_one_model(void **state)
{
    (void)state;
    each_network(programs_share_a_model);
}

/* ---- denormals ---- */
static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
/* The best of many calls of MOST_STEPS steps with every input the same number. */
static double step_seconds(const laco_model *m, float input)
{
    void *a = state_of(m, 1);
    double best = INFINITY;
    for (int64_t i = 0; i < MOST_STEPS * laco_model_inputs(m); i++) x[i] = input;
    for (int round = 0; round < 60; round++) {
        double start = seconds_now();
        step(m, a, MOST_STEPS, 1, x, y);
        best = fmin(best, seconds_now() - start);
    }
    free(a);
    return best;
}
static void denormals_cost_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = { "elman 90 linear bias-none", "indrnn 90 bias-none", "dense 90 no-bias" };
    const float small = 1e-40f; /* times weights below 1: a denormal, and so is all that comes of it */
    for (size_t i = 0; i < COUNT(texts); i++) {
        laco_model *m;
        laco_error e;
        must(laco_model_new(&m, texts[i], 90, 5, &e), &e), must(laco_model_ready(m, &e), &e);
        double usual = step_seconds(m, 0.01f), tiny = step_seconds(m, small);
        if (!SANITIZED && !(tiny <= 3 * usual)) fail_msg("%s: %.3g s, with denormals %.3g s", texts[i], usual, tiny);
        assert_true(largest(y, 90) == 0); /* they count as zero */
        laco_model_free(m);
    }
}
static bool keeps_denormals(void)
{
    volatile float tiny = 1e-40f, half = 0.5f;
    return tiny * half > 0;
}
static void mode_of_the_caller_stays(void **state)
{
    (void)state;
    laco_model *m = make("lstm 20; dense 2", 3);
    laco_threads *t;
    laco_error e;
    must(laco_threads_new(&t, m, 1, 2, &e), &e);
    for (int threaded = 0; threaded < 2; threaded++) {
        void *a = state_of(m, 1);
        must(laco_state_threads(m, a, threaded ? t : NULL, &e), &e);
        assert_true(keeps_denormals());
        fesetround(FE_UPWARD);
        fill(m, x, 3 * MOST_STEPS, 15);
        step(m, a, MOST_STEPS, 1, x, y);
        int round = fegetround();
        fesetround(FE_TONEAREST);
        assert_int_equal(round, FE_UPWARD);
        assert_true(keeps_denormals());
        assert_int_equal(laco_step(m, a, NULL, y, NULL), LACO_EINVAL);
        assert_true(keeps_denormals());
        uint64_t mode = flush_denormals(); /* a caller that flushes goes on to */
        step(m, a, MOST_STEPS, 1, x, y);
        bool kept = keeps_denormals();
        restore_denormals(mode);
        assert_false(kept);
        free(a);
    }
    laco_threads_free(t), laco_model_free(m);
}

/* ---- no allocation, no system call ---- */
/* Everything of the interface that promises it, a thousand steps, and an error. False when something failed. */
static bool use_all(const laco_model *m, void *a, void *b, unsigned char *bytes, size_t n)
{
    laco_error e;
    const size_t size = laco_state_size(m, 2);
    int32_t symbol = 0;
    bool good = !laco_state_init(m, a, size, 2, &e) && !laco_state_init(m, b, size, 2, &e);
    for (int i = 0; i < 1000; i++) {
        good &= !laco_steps(m, a, 2, 2, x, y, &e);
        good &= has_symbols(m) ? !laco_step_symbol(m, a, symbol, y, &e) : !laco_step(m, a, x, y, &e);
        good &= !laco_state_copy(m, b, a, &e) && !laco_state_reset(m, a, i % 2, &e);
        good &= !laco_state_save(m, b, bytes, n, &e) && !laco_state_restore(m, a, bytes, n, &e);
        good &= laco_steps(m, a, 1, 3, x, y, &e) == LACO_EINVAL && laco_state_saved_size(m, 2) == n;
        good &= !laco_state_threads(m, a, NULL, &e);
    }
    return good;
}
#ifdef __linux__
/* In a child that the system kills at any call but read, write and exit. */
static int locked_up(const laco_model *m, void *a, void *b, unsigned char *bytes, size_t n, bool cheat)
{
    int status = -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)) _exit(9);
        if (cheat) (void)syscall(SYS_getppid);
        syscall(SYS_exit, use_all(m, a, b, bytes, n) ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}
#endif
static void no_allocation(void **state)
{
    (void)state;
    static const char *const kinds[] = { "float", "bf16", "int8" };
    laco_error e;
    for (size_t i = 0; i < COUNT(networks) * COUNT(kinds); i++) {
        laco_model *m = make(networks[i / 3].text, networks[i / 3].inputs);
        must(laco_model_weights(m, kinds[i % 3], &e), &e);
        void *a = state_of(m, 2), *b = state_of(m, 2);
        size_t n;
        unsigned char *bytes = saved(m, a, 2, &n);
        fill(m, x, 4 * words_of(m), 16);
        int64_t before = allocations;
        assert_true(before > 0);
        assert_true(use_all(m, a, b, bytes, n));
        assert_int_equal(allocations, before);
        test_free(bytes), free(a), free(b), laco_model_free(m);
    }
}
static void no_system_call(void **state)
{
    (void)state;
#ifdef __linux__
    static const char *const kinds[] = { "float", "bf16", "int8" };
    laco_error e;
    for (size_t i = 0; !SANITIZED && i < COUNT(networks) * COUNT(kinds); i++) {
        laco_model *m = make(networks[i / 3].text, networks[i / 3].inputs);
        must(laco_model_weights(m, kinds[i % 3], &e), &e);
        void *a = state_of(m, 2), *b = state_of(m, 2);
        size_t n;
        unsigned char *bytes = saved(m, a, 2, &n);
        fill(m, x, 4 * words_of(m), 16);
        int caught = i ? 0 : locked_up(m, a, b, bytes, n, true), code = locked_up(m, a, b, bytes, n, false);
        test_free(bytes), free(a), free(b), laco_model_free(m);
        if (code == 9) {
            print_message("prctl does not let a process give up its system calls here\n");
            skip();
        }
        if (!i) assert_int_equal(caught, 100 + 9); /* that a call would be seen */
        if (code) fail_msg("%s, %s: ended with %d", networks[i / 3].text, kinds[i % 3], code);
    }
#endif
    if (!SANITIZED) return;
    print_message("a sanitizer makes system calls of its own\n");
    skip();
}

/* ---- ten million steps ---- */
typedef struct marathon {
    net *n[2]; /* float, double */
    net_state *s[2];
    pool *p;
} marathon;
static void marathon_begin(marathon *r, const char *text, int64_t inputs)
{
    laco_error e;
    must(pool_new(&r->p, 1, &e), &e);
    for (int real = REAL_FLOAT; real <= REAL_DOUBLE; real++) {
        const kernels *k;
        net_description d;
        int i = real == REAL_DOUBLE;
        must(kernels_choose(&k, real, &e), &e);
        must(describe_parse(&d, text, inputs, 0, k, &e), &e);
        must(net_new(&r->n[i], &d, inputs, k, r->p, &e), &e);
        must(net_init(r->n[i], "default", 1, 11, &e), &e);
        for (int64_t w = 0; i && w < r->n[1]->params; w++) net_set(r->n[1], w, net_get(r->n[0], w));
        must(net_load(r->n[i], false, true, &e), &e);
        r->s[i] = aligned_alloc(64, net_state_bytes(r->n[i], 1));
        net_state_init(r->n[i], r->s[i], 1);
    }
}
static void marathon_end(marathon *r)
{
    for (int i = 0; i < 2; i++) net_free(r->n[i]), free(r->s[i]);
    pool_free(r->p);
}
static void no_drift(void **state)
{
    (void)state;
    enum { STEPS = 1000, INPUTS = 2, OUT = 2 };
    static const char *const texts[] = { "lstm 8; dense 2", "gru 8; dense 2", "elman 8; dense 2", "indrnn 8; dense 2" };
    static float in[STEPS * INPUTS], out[STEPS * OUT];
    static double in_double[STEPS * INPUTS], out_double[STEPS * OUT];
    const int64_t blocks = SANITIZED ? 20 : 10000;
    for (size_t k = 0; k < COUNT(texts); k++) {
        marathon r = { 0 };
        double off = 0, most = 0;
        marathon_begin(&r, texts[k], INPUTS);
        for (int64_t b = 0; b < blocks; b++) {
            uint32_t four[4];
            for (int i = 0; i < STEPS * INPUTS; i++) {
                if (i % 4 == 0) rng_block(17, RNG_TEST, (uint64_t)(b * STEPS * INPUTS + i), four);
                in_double[i] = in[i] = (float)((int32_t)four[i % 4] >> 8) / 8388608;
            }
            net_step(r.n[0], r.s[0], STEPS, 1, in, out), net_step(r.n[1], r.s[1], STEPS, 1, in_double, out_double);
            for (int i = 0; i < STEPS * OUT; i++)
                off = fmax(off, fabs(out[i] - out_double[i])), most = fmax(most, fabs(out_double[i]));
        }
        assert_true(most > 0.1 && most < 100);
        if (!(off <= 1e-4)) fail_msg("%s: off by %.3g of %.3g", texts[k], off, most);
        marathon_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_give_the_same_bits),
        cmocka_unit_test(two_threads_step_one_model),
        cmocka_unit_test(denormals_cost_nothing),
        cmocka_unit_test(mode_of_the_caller_stays),
        cmocka_unit_test(no_allocation),
        cmocka_unit_test(no_system_call),
        cmocka_unit_test(no_drift),
    };
    laco_set_allocator(counting_resize, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
