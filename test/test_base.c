/* Errors, memory, strings, names and random numbers. */
#include "base/base.h"
#include "base/number.h"
#include "base/rng.h"
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#undef fail /* cmocka has a macro of this name */

static void fail_fills_the_error(void **state)
{
    (void)state;
    laco_error e = { .at = 7 };
    assert_int_equal(fail(&e, LACO_EIO, 12, "file %s, line %d", "x", 3), LACO_EIO);
    assert_int_equal(e.code, LACO_EIO);
    assert_int_equal(e.at, 12);
    assert_string_equal(e.msg, "file x, line 3");
    assert_int_equal(fail(NULL, LACO_EINVAL, 0, "nobody reads this"), LACO_EINVAL);
    assert_int_equal(fail(&e, LACO_EFORMAT, -1, "again: %s", e.msg), LACO_EFORMAT); /* its own text as argument */
    assert_string_equal(e.msg, "again: file x, line 3");
    assert_int_equal(fail_memory(&e, 12345), LACO_ENOMEM);
    assert_non_null(strstr(e.msg, "12345 bytes"));
}

static void fail_keeps_to_one_short_line(void **state)
{
    (void)state;
    laco_error e;
    fail(&e, LACO_EIO, -1, "a\nb\r\tc\x7f\x1b[31m");
    assert_string_equal(e.msg, "a b  c  [31m");
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    fail(&e, LACO_EIO, -1, "%s", longer);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    for (int cut = 1; cut <= 3; cut++) { /* a character of four bytes, of which `cut` fit: it must go whole */
        memset(longer, 'x', sizeof longer - 1);
        memcpy(longer + sizeof e.msg - 1 - cut, "\xF0\x9F\x98\x80", 4);
        fail(&e, LACO_EIO, -1, "%s", longer);
        assert_int_equal(strlen(e.msg), sizeof e.msg - 1 - (size_t)cut);
        assert_int_equal(e.msg[strlen(e.msg) - 1], 'x');
    }
    memcpy(longer + sizeof e.msg - 1 - 4, "\xF0\x9F\x98\x80", 4);
    fail(&e, LACO_EIO, -1, "%s", longer);
    assert_string_equal(e.msg + sizeof e.msg - 5, "\xF0\x9F\x98\x80");
}

static bool all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

static void check_blocks(void)
{
    static const struct {
        size_t n, size, align;
    } cases[] = { { 0, 8, 64 },           { 1, 1, 64 }, { 63, 1, 64 }, { 100, 7, 64 }, { 1 << 20, 4, 2 << 20 },
                  { 5000001, 1, 2 << 20 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t bytes = cases[i].n * cases[i].size;
        unsigned char *p = mem_new(cases[i].n, cases[i].size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % cases[i].align, 0);
        assert_true(all_zero(p, bytes));
        memset(p, 0xAB, bytes);
        unsigned char *q = mem_resize(p, bytes, bytes + 1000);
        assert_non_null(q);
        assert_int_equal((uintptr_t)q % 64, 0);
        for (size_t k = 0; k < bytes; k++) assert_int_equal(q[k], 0xAB);
        assert_true(all_zero(q + bytes, 1000));
        q = mem_resize(q, bytes + 1000, bytes / 2);
        for (size_t k = 0; k < bytes / 2; k++) assert_int_equal(q[k], 0xAB);
        mem_free(q);
    }
    mem_free(NULL);
    char *text = mem_text("abcdef", 3);
    assert_string_equal(text, "abc");
    mem_free(text);
}

static void memory_is_aligned_and_zeroed(void **state)
{
    (void)state;
    check_blocks();
}

static void memory_overflow_is_refused(void **state)
{
    (void)state;
    size_t product;
    assert_false(mul_overflows(SIZE_MAX / 2, 2, &product));
    assert_int_equal(product, SIZE_MAX - 1);
    assert_true(mul_overflows(SIZE_MAX / 2 + 1, 2, &product));
    assert_null(mem_new(SIZE_MAX / 2 + 1, 2));
    assert_null(mem_new(SIZE_MAX / 4 + 2, 4)); /* wraps to 4 */
    assert_null(mem_text("x", SIZE_MAX));
}

typedef struct hook {
    int calls, live, fail_at; /* the call that gets no memory; 0: none */
    size_t largest;
} hook;

/* Aligned to 16 and to nothing more, with old bytes in it. */
static void *hook_resize(void *ctx, void *p, size_t n)
{
    hook *h = ctx;
    if (n == 0) {
        h->live--;
        free((char *)p - 16);
        return NULL;
    }
    if (++h->calls == h->fail_at) return NULL;
    char *q = aligned_alloc(32, (n + 16 + 31) / 32 * 32);
    if (!q) return NULL;
    memset(q, 0x5A, n + 16);
    h->live++;
    if (n > h->largest) h->largest = n;
    return q + 16;
}

static void memory_goes_through_the_hook(void **state)
{
    (void)state;
    hook h = { 0 };
    laco_set_allocator(hook_resize, &h);
    check_blocks();
    assert_null(mem_new(SIZE_MAX - 20, 1));
    int calls = h.calls;
    h.fail_at = calls + 2;
    char *p = mem_new(10, 1);
    p[9] = 'k';
    assert_null(mem_resize(p, 10, 20)); /* the block stays */
    assert_int_equal(p[9], 'k');
    mem_free(p);
    laco_set_allocator(NULL, NULL);
    assert_true(calls > 10);
    assert_true(h.largest >= 5000001);
    assert_int_equal(h.live, 0);
    p = mem_new(10, 1);
    mem_free(p);
    assert_int_equal(h.calls, calls + 2);
}

static void buf_grows(void **state)
{
    (void)state;
    buf b = { 0 };
    buf_text(&b, "");
    assert_string_equal(b.data, "");
    for (int i = 0; i < 1000; i++) buf_printf(&b, "%d,", i);
    buf_add(&b, "\0z", 2);
    assert_false(b.failed);
    assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4 + 2);
    assert_memory_equal(b.data, "0,1,2,", 6);
    assert_memory_equal(b.data + b.len - 6, "999,\0z", 7);
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
}

static void buf_without_memory_stays_as_it_was(void **state)
{
    (void)state;
    hook h = { .fail_at = 2 };
    laco_set_allocator(hook_resize, &h);
    buf b = { 0 };
    buf_text(&b, "kept");
    for (int i = 0; i < 100; i++) buf_printf(&b, "%s", "xxxxxxxxxx");
    size_t len = b.len;
    buf_text(&b, "y");
    assert_true(b.failed);
    assert_int_equal(b.len, len);
    assert_int_equal(len, 4 + 50);
    assert_int_equal(strlen(b.data), len);
    buf_free(&b);
    laco_set_allocator(NULL, NULL);
    assert_int_equal(h.live, 0);
}

static void nearest_names(void **state)
{
    (void)state;
    static const char *const names[] = { "epochs", "lr", "hidden", "temperature", "seed", "layers", NULL };
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        { "epoch", "epochs" },
        { "epohcs", "epochs" },
        { "hiden", "hidden" },
        { "Layers", "layers" },
        { "rl", "lr" },
        { "sed", "seed" },
        { "temp", "temperature" },
        { "temperatuer", "temperature" },
        { "zzzzzz", NULL },
        { "", NULL },
        { "x", NULL },
        { "learning-rate", NULL },
        { "epochs", "epochs" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = nearest_name(cases[i].word, names);
        if (cases[i].nearest)
            assert_string_equal(got ? got : "nothing", cases[i].nearest);
        else
            assert_null(got);
    }
    char longer[1000];
    memset(longer, 'e', sizeof longer);
    longer[999] = 0;
    const char *const long_names[] = { longer, "e", NULL };
    assert_null(nearest_name(longer, long_names));
    assert_null(nearest_name("epochs", &names[6]));
}

static void numbers_as_text(void **state)
{
    (void)state;
    static const char *const good[] = { "0", "-0", "1", "+5", ".5", "5.", "1e3", "1E-3", "-1.25e+2", "1e-400" };
    static const double value[] = { 0, -0.0, 1, 5, 0.5, 5, 1000, 0.001, -125, 0 };
    static const char *const bad[] = { "",   " 1",  "1 ",    "0x10", "inf",   "nan", "1e",
                                       "e5", "--1", "1.2.3", "1,5",  "1e999", "10k", "." };
    double x;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(number_parse(good[i], &x));
        assert_true(x == value[i] && signbit(x) == signbit(value[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(number_parse(bad[i], &x));
    static const struct {
        double x;
        const char *text;
    } print[] = { { 0.1, "0.1" },      { 1.0 / 3, "0.3333333333333333" },   { -0.0, "-0" },
                  { 1e300, "1e+300" }, { 5e-324, "4.94065645841247e-324" }, { 1000000, "1000000" } };
    char text[NUMBER_TEXT];
    for (size_t i = 0; i < sizeof print / sizeof print[0]; i++)
        assert_string_equal(number_print(text, print[i].x), print[i].text);
    for (uint64_t i = 0; i < 20000; i++) { /* any bits that are a finite double come back */
        uint32_t w[4];
        rng_block(1, RNG_TEST, i, w);
        memcpy(&x, w, sizeof x);
        if (!isfinite(x)) continue;
        double back = 0;
        assert_true(number_parse(number_print(text, x), &back));
        assert_memory_equal(&back, &x, sizeof x);
    }
}

static void numbers_ignore_the_locale(void **state)
{
    (void)state;
    static const char *const comma[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "pt_BR.UTF-8", "de_DE", NULL };
    const char *const *l = comma;
    while (*l && !setlocale(LC_ALL, *l)) l++;
    if (!*l) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    double x = 0;
    char text[NUMBER_TEXT];
    bool parsed = number_parse("1.5", &x);
    number_print(text, 2.25);
    setlocale(LC_ALL, "C");
    assert_true(parsed && x == 1.5);
    assert_string_equal(text, "2.25");
}

/* The known answers published with the generator (Random123, kat_vectors). */
static void philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed, purpose, counter;
        uint32_t out[4];
    } cases[] = {
        { 0, 0, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { UINT64_MAX, UINT64_MAX, UINT64_MAX, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { UINT64_C(0x299f31d0a4093822),
          UINT64_C(0x0370734413198a2e),
          UINT64_C(0x85a308d3243f6a88),
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t out[4];
        rng_block(cases[i].seed, cases[i].purpose, cases[i].counter, out);
        assert_memory_equal(out, cases[i].out, sizeof out);
    }
    assert_true(rng_uniform(0, 0, 0) == (double)(UINT64_C(0x6627e8d5e169c58d) >> 11) / 9007199254740992.0);
}

/* Sums of powers over n draws: moment k is within 5 standard errors of what it should be. */
static void check_moments(double (*draw)(uint64_t, uint64_t, uint64_t), const double expected[4],
                          const double spread[4])
{
    enum { N = 400000 };
    double sum[4] = { 0 };
    for (uint64_t i = 0; i < N; i++) {
        double x = draw(42, RNG_TEST, i);
        assert_true(isfinite(x));
        for (int k = 0; k < 4; k++) sum[k] += pow(x, k + 1);
    }
    for (int k = 0; k < 4; k++) assert_true(fabs(sum[k] / N - expected[k]) < 5 * spread[k] / sqrt(N));
}

static void random_moments(void **state)
{
    (void)state;
    /* the spread of x^k is sqrt(m(2k) - m(k)^2) */
    check_moments(rng_uniform, (double[]){ 1.0 / 2, 1.0 / 3, 1.0 / 4, 1.0 / 5 },
                  (double[]){ 0.2887, 0.2981, 0.2835, 0.2667 });
    check_moments(rng_normal, (double[]){ 0, 1, 0, 3 }, (double[]){ 1, 1.4142, 3.873, 9.798 });
    for (uint64_t i = 0; i < 100000; i++) {
        double u = rng_uniform(7, RNG_TEST, i);
        assert_true(u >= 0 && u < 1);
    }
}

static void random_numbers_depend_on_every_argument(void **state)
{
    (void)state;
    double x = rng_normal(1, RNG_WEIGHTS, 5);
    assert_true(x == rng_normal(1, RNG_WEIGHTS, 5));
    assert_true(x != rng_normal(2, RNG_WEIGHTS, 5));
    assert_true(x != rng_normal(UINT64_C(1) << 32 | 1, RNG_WEIGHTS, 5));
    assert_true(x != rng_normal(1, RNG_DROPOUT, 5));
    assert_true(x != rng_normal(1, RNG_WEIGHTS, 6));
    assert_true(x != rng_normal(1, RNG_WEIGHTS, UINT64_C(1) << 32 | 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_fills_the_error),
        cmocka_unit_test(fail_keeps_to_one_short_line),
        cmocka_unit_test(memory_is_aligned_and_zeroed),
        cmocka_unit_test(memory_overflow_is_refused),
        cmocka_unit_test(memory_goes_through_the_hook),
        cmocka_unit_test(buf_grows),
        cmocka_unit_test(buf_without_memory_stays_as_it_was),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(numbers_as_text),
        cmocka_unit_test(numbers_ignore_the_locale),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(random_moments),
        cmocka_unit_test(random_numbers_depend_on_every_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
