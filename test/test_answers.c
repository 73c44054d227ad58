/* Answers: quoting of CSV, JSON lines with groups, numbers that read back, files that are whole or not there. */
#include "base/number.h"
#include "base/rng.h"
#include "task/answers.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static buf out;
static options *o;
static void take(void *ctx, const char *bytes, size_t n) { (void)ctx, buf_add(&out, bytes, n); }
static const laco_watch watch = { sizeof watch, NULL, NULL, NULL, take };
static task_job job_of(const char *json, const char *path)
{
    int count;
    const laco_option *rows = laco_options(&count);
    options_free(o), o = NULL;
    assert_int_equal(options_new(&o, rows, count, "predict", NULL), LACO_OK);
    if (json) assert_int_equal(options_set(o, "json", json, NULL), LACO_OK);
    if (path) assert_int_equal(options_set(o, "out", path, NULL), LACO_OK);
    buf_free(&out);
    return (task_job){ .o = o, .watch = &watch };
}
static void put(answers *a, const char *s) { answers_text(a, s, strlen(s)); }
static laco_status three_rows(task_job *j, laco_status end)
{
    static const char *const parts[] = { "a,b", "c" };
    answers *a;
    laco_status st = answers_open(&a, j, NULL);
    if (st) return st;
    answers_column(a, "the \"class\""), answers_group(a, "p", parts, 2), answers_group(a, "rest", NULL, 2);
    put(a, "plain"), answers_number(a, 0.1), answers_number(a, NAN), answers_int(a, -3), answers_missing(a);
    assert_int_equal(answers_row(a, NULL), LACO_OK);
    put(a, "two\nlines, and \"quotes\""), answers_real(a, 0.1F), answers_real(a, INFINITY), put(a, " x"),
        put(a, "\xff");
    put(a, "one too many");
    assert_int_equal(answers_row(a, NULL), LACO_OK);
    put(a, "");
    assert_int_equal(answers_row(a, NULL), LACO_OK);
    assert_int_equal(answers_rows(a), 3);
    return answers_close(a, end, NULL);
}
static void csv_is_quoted(void **state)
{
    (void)state;
    task_job j = job_of(NULL, NULL);
    assert_int_equal(three_rows(&j, LACO_OK), LACO_OK);
    assert_string_equal(out.data, "\"the \"\"class\"\"\",\"p a,b\",p c,rest 1,rest 2\n"
                                  "plain,0.1,,-3,\n"
                                  "\"two\nlines, and \"\"quotes\"\"\",0.1,,\" x\",\xff\n"
                                  ",,,,\n");
}
static void json_has_groups(void **state)
{
    (void)state;
    task_job j = job_of("true", NULL);
    assert_int_equal(three_rows(&j, LACO_OK), LACO_OK);
    assert_string_equal(out.data,
                        "{\"the \\\"class\\\"\":\"plain\",\"p\":{\"a,b\":0.1,\"c\":null},\"rest\":[-3,null]}\n"
                        "{\"the \\\"class\\\"\":\"two\\nlines, and \\\"quotes\\\"\",\"p\":{\"a,b\":0.1,\"c\":null},"
                        "\"rest\":[\" x\",\"\xef\xbf\xbd\"]}\n"
                        "{\"the \\\"class\\\"\":\"\",\"p\":{\"a,b\":null,\"c\":null},\"rest\":[null,null]}\n");
}
static void a_single_empty_cell_is_a_record(void **state)
{
    (void)state;
    answers *a;
    task_job j = job_of(NULL, NULL);
    assert_int_equal(answers_open(&a, &j, NULL), LACO_OK);
    answers_column(a, "x"), put(a, ""), answers_row(a, NULL);
    assert_true(out.len == 0 && answers_pause(a, NULL) == LACO_OK);
    assert_string_equal(out.data, "x\n\"\"\n");
    assert_int_equal(answers_close(a, LACO_OK, NULL), LACO_OK);
    assert_int_equal(answers_open(&a, &j, NULL), LACO_OK); /* no row: the header alone */
    buf_free(&out), answers_column(a, "x");
    assert_int_equal(answers_close(a, LACO_OK, NULL), LACO_OK);
    assert_string_equal(out.data, "x\n");
    assert_int_equal(answers_close(NULL, LACO_EIO, NULL), LACO_EIO);
}
static void files_are_whole_or_not_there(void **state)
{
    (void)state;
    char path[] = "/tmp/laco-answers-XXXXXX", *bytes;
    size_t n;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "before", 6) == 6 && close(fd) == 0);
    task_job j = job_of(NULL, path);
    assert_int_equal(three_rows(&j, LACO_EFORMAT), LACO_EFORMAT);
    assert_int_equal(file_read(path, 100, &bytes, &n, NULL), LACO_OK);
    assert_string_equal(bytes, "before");
    mem_free(bytes);
    assert_int_equal(three_rows(&j, LACO_OK), LACO_OK);
    assert_int_equal(file_read(path, 1000, &bytes, &n, NULL), LACO_OK);
    assert_true(n > 80 && !strncmp(bytes, "\"the", 4) && out.len == 0);
    mem_free(bytes), file_remove(path);
    j = job_of(NULL, "/nowhere/x");
    assert_int_equal(three_rows(&j, LACO_OK), LACO_EIO);
}

/* All kinds of floats; those of every size read back to the same. */
static void floats_read_back(void **state)
{
    (void)state;
    char text[NUMBER_TEXT];
    static const struct {
        float x;
        const char *is;
    } rows[] = { { 0, "0" },
                 { 1, "1" },
                 { -0.5F, "-0.5" },
                 { 0.1F, "0.1" },
                 { 100000, "100000" },
                 { 1e6F, "1e+06" },
                 { 0.0001F, "0.0001" },
                 { 3e-5F, "3e-05" },
                 { 16777216, "16777216" },
                 { 999999, "999999" },
                 { 0.3333333F, "0.3333333" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(number_print_float(text, rows[i].x), rows[i].is);
    for (uint64_t i = 0; i < 20000; i++) {
        union {
            uint32_t bits;
            float x;
        } u;
        uint32_t block[4];
        rng_block(1, RNG_TEST, i, block), u.bits = block[0];
        if (i % 2) u.x = (float)rng_uniform(2, RNG_TEST, i);
        double back = NAN;
        if (!isfinite(u.x)) continue;
        assert_true(number_parse(number_print_float(text, u.x), &back));
        if ((float)back != u.x) fail_msg("%.9g became %s", (double)u.x, text);
        assert_true(strspn(text, "-0123456789.e+") == strlen(text) && strlen(text) <= 15);
    }
}

static int tear_down(void **state) { return (void)state, buf_free(&out), options_free(o), 0; }
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_is_quoted),
        cmocka_unit_test(json_has_groups),
        cmocka_unit_test(a_single_empty_cell_is_a_record),
        cmocka_unit_test(files_are_whole_or_not_there),
        cmocka_unit_test(floats_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
