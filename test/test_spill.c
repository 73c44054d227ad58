/* Blocks above the limit of LACO_SPILL lie in files, which nobody sees; memory they are like any other. */
#include "base/base.h"
#include "base/spill.h"
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail

static const size_t MB = 1 << 20;
static char folder[] = "/tmp/laco-spill-XXXXXX";
static int set_up(void **state)
{
    (void)state;
    return !mkdtemp(folder) || setenv("TMPDIR", folder, 1) || setenv("LACO_SPILL", "1M", 1);
}
static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder); /* which is empty */
}
static bool all_zero(const char *p, size_t n)
{
    return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

static void small_blocks_stay_in_memory(void **state)
{
    (void)state;
    char *p = mem_new(MB, 1);
    assert_non_null(p);
    assert_int_equal(spill_held(), 0);
    mem_free(p);
}
static void large_blocks_are_like_any_other(void **state)
{
    (void)state;
    char *p = mem_new(3, MB), *q = mem_new(MB + 1, 1);
    assert_non_null(p), assert_non_null(q);
    assert_int_equal(spill_held(), 4 * MB + 1);
    assert_true(all_zero(p, 3 * MB)), assert_true(all_zero(q, MB + 1));
    memset(p, 'p', 3 * MB), memset(q, 'q', MB + 1);
    assert_true(p[3 * MB - 1] == 'p' && q[0] == 'q');
    mem_free(p);
    assert_int_equal(spill_held(), MB + 1);
    mem_free(q);
    assert_int_equal(spill_held(), 0);
}
/* Out of memory into a file, larger, smaller, larger, and back into memory. */
static void resizing_keeps_what_was_there(void **state)
{
    (void)state;
    static const size_t sizes[] = { 5000, 2 << 20, 7 << 20, (3 << 20) + 17, 9 << 20, 100 };
    char *p = mem_new(sizes[0], 1);
    memset(p, 'x', sizes[0]);
    for (int i = 1; i < 6; i++) {
        size_t kept = min64((int64_t)sizes[i - 1], (int64_t)sizes[i]);
        p = mem_resize(p, sizes[i - 1], sizes[i]);
        assert_non_null(p);
        for (size_t k = 0; k < kept; k++) assert_int_equal(p[k], 'x');
        assert_true(all_zero(p + kept, sizes[i] - kept));
        assert_int_equal(spill_held(), sizes[i] > MB ? sizes[i] : 0);
        memset(p, 'x', sizes[i]);
    }
    mem_free(p);
}
static void grown_strings(void **state)
{
    (void)state;
    buf b = { 0 };
    for (int i = 0; i < 500000; i++) buf_printf(&b, "%07d\n", i);
    assert_false(b.failed);
    assert_true(spill_held() > 4 * MB - 1);
    for (int i = 0; i < 500000; i += 997) assert_int_equal(atoi(b.data + 8 * i), i);
    buf_free(&b);
    assert_int_equal(spill_held(), 0);
}
static void without_room_on_disk_memory_is_taken(void **state)
{
    (void)state;
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before), small = before, small.rlim_cur = MB;
    signal(SIGXFSZ, SIG_IGN), setrlimit(RLIMIT_FSIZE, &small);
    char *p = mem_new(2, MB);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_non_null(p);
    assert_int_equal(spill_held(), 0);
    assert_true(all_zero(p, 2 * MB));
    setenv("TMPDIR", "/nowhere/at/all", 1);
    char *q = mem_new(2, MB);
    setenv("TMPDIR", folder, 1);
    assert_non_null(q);
    assert_int_equal(spill_held(), 0);
    mem_free(p), mem_free(q);
}
static void more_blocks_than_there_are_places(void **state)
{
    (void)state;
    enum { MANY = 260 };
    char *p[MANY];
    for (int i = 0; i < MANY; i++) assert_non_null(p[i] = mem_new(MB + 4096, 1)), p[i][MB] = (char)i;
    assert_int_equal(spill_held(), 256 * (MB + 4096));
    for (int i = 0; i < MANY; i++) assert_int_equal(p[i][MB], (char)i), mem_free(p[i]);
    assert_int_equal(spill_held(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_blocks_stay_in_memory),
        cmocka_unit_test(large_blocks_are_like_any_other),
        cmocka_unit_test(resizing_keeps_what_was_there),
        cmocka_unit_test(grown_strings),
        cmocka_unit_test(without_room_on_disk_memory_is_taken),
        cmocka_unit_test(more_blocks_than_there_are_places),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
