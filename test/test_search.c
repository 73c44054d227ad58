/* What a search is made of: the text of a space, also a hostile one; trials as functions of the seed; the plan of
   successive halving and who goes on; mean and deviation. */
#include "task/repeat.h"
#include "task/search.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static space parsed(const char *text)
{
    space s;
    laco_error err;
    laco_status st = space_parse(&s, text, strlen(text), "s", &err);
    if (st) print_message("%s\n", err.msg);
    assert_int_equal(st, LACO_OK);
    return s;
}
/* The values of a trial, with | between. */
static const char *values(const space *s, bool grid, uint64_t seed, int64_t trial)
{
    static char text[2][256];
    static int turn;
    buf b = { 0 };
    for (int i = 0; i < s->rows; i++) {
        if (i) buf_text(&b, "|");
        space_value(s, i, grid, seed, trial, &b);
    }
    snprintf(text[turn ^= 1], sizeof *text, "%s", b.data);
    buf_free(&b);
    return text[turn];
}

static void a_grid_is_every_combination(void **state)
{
    (void)state;
    space s = parsed("# of a test\r\n\n  command train lm\r\nhidden\tchoice 8  16 \"32\"\n"
                     "model list \"embed 4; lstm 8; dense\" | embed 4; gru 8; dense\nepochs fixed 3");
    assert_string_equal(s.command, "train lm");
    assert_int_equal(s.rows, 3);
    assert_int_equal(space_combinations(&s), 6);
    assert_string_equal(values(&s, true, 1, 0), "8|embed 4; lstm 8; dense|3");
    assert_string_equal(values(&s, true, 1, 1), "8|embed 4; gru 8; dense|3");
    assert_string_equal(values(&s, true, 9, 2), "16|embed 4; lstm 8; dense|3");
    assert_string_equal(values(&s, true, 1, 5), "32|embed 4; gru 8; dense|3");
    assert_true(space_varies(space_find(&s, "hidden")) && !space_varies(space_find(&s, "epochs")));
    assert_null(space_find(&s, "lr"));
    space_free(&s);
}

static void drawn_values_are_functions_of_the_seed(void **state)
{
    (void)state;
    static const char text[] = "command train lm\nlr log 1e-4 1e-2\ndropout uniform 0.1 0.6\nbatch int 8 11\n"
                               "hidden log-int 4 512\nmode choice line stream\n";
    space s = parsed(text), again = parsed(text);
    double log_mean = 0;
    int seen[4] = { 0 }, small = 0, lines = 0;
    assert_int_equal(space_combinations(&s), 0);
    for (int64_t i = 0; i < 400; i++) {
        double lr, drop;
        int batch, hidden;
        char mode[16];
        const char *v = values(&s, false, 7, i);
        assert_string_equal(v, values(&again, false, 7, i));
        assert_int_equal(sscanf(v, "%lf|%lf|%d|%d|%15s", &lr, &drop, &batch, &hidden, mode), 5);
        assert_true(lr >= 1e-4 && lr <= 1e-2 && drop >= 0.1 && drop <= 0.6);
        assert_true(batch >= 8 && batch <= 11 && hidden >= 4 && hidden <= 512);
        log_mean += log10(lr) / 400, seen[batch - 8]++, small += hidden < 45, lines += !strcmp(mode, "line");
    }
    assert_true(fabs(log_mean + 3) < 0.1); /* the middle of the logarithms */
    for (int i = 0; i < 4; i++) assert_true(seen[i] > 60 && seen[i] < 140);
    assert_true(small > 150 && small < 250 && lines > 150 && lines < 250);
    assert_string_not_equal(values(&s, false, 7, 0), values(&s, false, 8, 0));
    space_free(&s), space_free(&again);
}
/* A row more at the end leaves what the others drew. */
static void rows_draw_apart(void **state)
{
    (void)state;
    space s = parsed("command train lm\nlr log 1e-4 1e-2\n"),
          more = parsed("command train lm\nlr log 1e-4 1e-2\nbatch int 1 9\n");
    buf a = { 0 }, b = { 0 };
    space_value(&s, 0, false, 3, 5, &a), space_value(&more, 0, false, 3, 5, &b);
    assert_string_equal(a.data, b.data);
    buf_free(&a), buf_free(&b), space_free(&s), space_free(&more);
}

static void bad_spaces_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        int64_t line;
    } rows[] = {
        { "", "must name the training command", -1 },
        { "lr log 1e-4 1e-2", "must name the training command", -1 },
        { "command sample", "must name the training command", -1 },
        { "command train lm\ncommand train lm", "command already", 2 },
        { "command train lm\nlr", "one of fixed, choice", 2 },
        { "command train lm\nlr normal 0 1", "one of fixed, choice", 2 },
        { "command train lm\n\nlr log 0 1", "two numbers above 0", 3 },
        { "command train lm\nlr log 1e-2", "two numbers", 2 },
        { "command train lm\nlr log 1e-4 1e-2 1e-1", "two numbers", 2 },
        { "command train lm\nlr log 1e-2 1e-4", "larger than the first", 2 },
        { "command train lm\nlr uniform 0 1e9", "--lr", 2 },
        { "command train lm\nlr uniform nan inf", "two numbers", 2 },
        { "command train lm\nbatch int 1.5 3", "whole numbers", 2 },
        { "command train lm\nbatch int 0 3", "--batch", 2 },
        { "command train lm\nhidden choice", "a value is missing", 2 },
        { "command train lm\nhidden choice 8 x", "not a whole number", 2 },
        { "command train lm\nmodel list a | | b", "empty value", 2 },
        { "command train lm\nmodel list a |", "empty value", 2 },
        { "command train lm\nhiden choice 8", "did you mean", 2 },
        { "command train lm\nhidden choice 8\nhidden choice 9", "a row already", 3 },
        { "command train lm\nout fixed x", "search itself", 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        space s;
        laco_error err = { .at = -2 };
        laco_status st = space_parse(&s, rows[i].text, strlen(rows[i].text), "s", &err);
        if (st == LACO_OK || !strstr(err.msg, rows[i].says)) fail_msg("row %zu: %s", i, err.msg);
        assert_int_equal(err.at, rows[i].line);
        assert_int_equal(s.rows, 0);
    }
}
static void any_bytes_are_read_to_an_end(void **state)
{
    (void)state;
    static const char pieces[] = "command train lm\nlr log hidden choice list | \" 1 2 \t\r\n\0#";
    char text[64];
    uint32_t x = 1;
    for (int i = 0; i < 3000; i++) {
        space s;
        laco_error err;
        size_t n = (size_t)(i % (int)sizeof text);
        bool begun = i & 1;
        for (size_t k = 0; k < n; k++) x = x * 1664525 + 1013904223, text[k] = pieces[(x >> 8) % sizeof pieces];
        if (begun && n > 17) memcpy(text, "command train lm\n", 17);
        if (!space_parse(&s, text, n, "s", &err)) space_free(&s);
    }
    char many[4096] = "command train lm\n";
    for (int i = 0; i < SPACE_ROWS + 1; i++) snprintf(many + strlen(many), 16, "row%d fixed 1\n", i);
    space s;
    laco_error err;
    assert_int_equal(space_parse(&s, many, strlen(many), "s", &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "too many rows"));
}

static void halving_plans(void **state)
{
    (void)state;
    search_rung r[4];
    search_plan(r, 3, 27, 9, 3);
    static const search_rung want[] = { { 27, 1 }, { 9, 3 }, { 3, 9 } };
    for (int i = 0; i < 3; i++) assert_true(r[i].trials == want[i].trials && r[i].epochs == want[i].epochs);
    search_plan(r, 4, 5, 20, 2);
    static const search_rung other[] = { { 5, 3 }, { 2, 5 }, { 1, 10 }, { 1, 20 } };
    for (int i = 0; i < 4; i++) assert_true(r[i].trials == other[i].trials && r[i].epochs == other[i].epochs);
}
static void the_best_go_on(void **state)
{
    (void)state;
    search_result of[2 * 6] = { 0 };
    search_place member[6];
    search q = { .trials = 6, .rungs = 2, .result = of, .member = member };
    static const double scores[] = { 3, 1, 2, 1, NAN, 0.5 };
    search_plan(q.rung, 2, 6, 4, 2);
    assert_int_equal(search_members(&q, 0), 6);
    assert_int_equal(search_best(&q), -1);
    for (int i = 0; i < 6; i++)
        *search_at(&q, 0, i) = (search_result){ .done = true, .failed = i == 4 || i == 5, .score = scores[i] };
    assert_int_equal(search_members(&q, 1), 3);
    assert_int_equal(member[0].trial, 1); /* equal scores: the earlier first */
    assert_int_equal(member[1].trial, 3);
    assert_int_equal(member[2].trial, 2);
    *search_at(&q, 1, 3) = (search_result){ .done = true, .score = 0.2 };
    *search_at(&q, 1, 1) = (search_result){ .done = true, .score = 0.3 };
    assert_int_equal(search_best(&q), 3);
}

static void mean_and_deviation(void **state)
{
    (void)state;
    static const double x[] = { 2, 4, 4, 4, 5, 5, 7, 9 };
    double mean, deviation;
    mean_deviation(x, 8, &mean, &deviation);
    assert_float_equal(mean, 5, 1e-12);
    assert_float_equal(deviation, sqrt(32.0 / 7), 1e-12);
    mean_deviation(x, 1, &mean, &deviation);
    assert_true(mean == 2 && deviation == 0);
    mean_deviation(x, 0, &mean, &deviation);
    assert_true(isnan(mean));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_is_every_combination),
        cmocka_unit_test(drawn_values_are_functions_of_the_seed),
        cmocka_unit_test(rows_draw_apart),
        cmocka_unit_test(bad_spaces_are_refused),
        cmocka_unit_test(any_bytes_are_read_to_an_end),
        cmocka_unit_test(halving_plans),
        cmocka_unit_test(the_best_go_on),
        cmocka_unit_test(mean_and_deviation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
