/* Naive Bayes against probabilities worked out by hand, lines of words, different strings, and baselines on statistics.
 */
#include "data/intern.h"
#include "data/words.h"
#include "task/bayes.h"
#include "task/summary.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define near(x, y) assert_true(fabs((x) - (y)) < 1e-6)
static void count(bayes *b, const char *line, int32_t class)
{
    assert_int_equal(bayes_count(b, line, strlen(line), class, NULL), LACO_OK);
}
static double log_odds(bayes *b, const char *line)
{
    double p[2];
    assert_int_equal(bayes_score(b, line, strlen(line), p, NULL), LACO_OK);
    near(exp(p[0]) + exp(p[1]), 1);
    return p[1] - p[0];
}
/* Class 0: "a b", class 1: "a c" twice. Grams: a b c ab ac: 5, each once in a line however often it stands there. */
static bayes *three_lines(gram_kind kind)
{
    bayes *b;
    assert_int_equal(bayes_new(&b, kind, 2, NULL), LACO_OK);
    count(b, "a b\n", 0), count(b, "a c\n", 1), count(b, "a c\n", 1);
    assert_int_equal(bayes_ready(b, NULL), LACO_OK);
    return b;
}
static void test_words(void **state)
{
    (void)state;
    bayes *b = three_lines(GRAMS_WORDS);
    assert_int_equal(bayes_grams(b), 5);
    /* 3 grams of class 0, 6 of class 1: (n + 1) / (3 + 5), (n + 1) / (6 + 5); classes (1 + 1) / 5, (2 + 1) / 5 */
    double prior = log(3.0 / 2), total = log(8.0 / 11);
    near(log_odds(b, "unknown words\n"), prior);
    near(log_odds(b, "a a a\n"), prior + log(3.0 / 2) + total);
    near(log_odds(b, "a c\n"), prior + 3 * total + log(3.0 / 2) + log(3) + log(3));
    near(log_odds(b, "c b"), prior + 2 * total + log(3) + log(1.0 / 2));
    bayes_free(b);
}
static void test_places(void **state)
{
    bayes *b;
    (void)state;
    assert_int_equal(bayes_new(&b, GRAMS_PLACES, 2, NULL), LACO_OK);
    count(b, "ab\n", 0), count(b, "ba\n", 1);
    assert_int_equal(bayes_ready(b, NULL), LACO_OK);
    assert_int_equal(bayes_grams(b), 4);
    near(log_odds(b, "ba\n"), 2 * log(2)), near(log_odds(b, "ab"), -2 * log(2)), near(log_odds(b, "aa\n"), 0);
    bayes_free(b);
    assert_int_equal(bayes_new(&b, GRAMS_CHARACTERS, 2, NULL), LACO_OK);
    count(b,
          "a\xc3\xa9"
          "b\n",
          0),
        count(b, "x\n", 1);
    assert_int_equal(bayes_ready(b, NULL), LACO_OK);
    assert_int_equal(bayes_grams(b), 7); /* of three characters 3 + 2 + 1, and x */
    bayes_free(b);
}
/* What is written reads back to the same answers; damage is an error. */
static void test_kept(void **state)
{
    (void)state;
    buf text = { 0 };
    json_out o = { .to = &text };
    json_doc *d;
    bayes *b = three_lines(GRAMS_WORDS), *again;
    bayes_json(b, &o);
    assert_false(text.failed);
    assert_int_equal(json_parse(&d, text.data, text.len, NULL), LACO_OK);
    assert_int_equal(bayes_parse(&again, json_root(d), NULL), LACO_OK);
    assert_int_equal(bayes_grams(again), 5);
    assert_true(log_odds(b, "a c b\n") == log_odds(again, "a c b\n"));
    bayes_free(again), json_free(d);
    static const char *const wrong[] = { "{\"kind\":\"words\",\"lines\":[1,1],\"grams\":\"AAA\"}", /* a key of 0 */
                                         "{\"kind\":\"words\",\"lines\":[1,1],\"grams\":\"BA\"}",  /* a count lacks */
                                         "{\"kind\":\"words\",\"lines\":[1,1],\"grams\":\"B*A\"}",
                                         "{\"kind\":\"words\",\"lines\":[1,1],\"grams\":\"gggggggggggggA\"}",
                                         "{\"kind\":\"words\",\"lines\":[],\"grams\":\"\"}",
                                         "{\"lines\":[1]}" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(json_parse(&d, wrong[i], strlen(wrong[i]), NULL), LACO_OK);
        assert_int_equal(bayes_parse(&again, json_root(d), NULL), LACO_EFORMAT);
        json_free(d);
    }
    bayes_free(b), buf_free(&text);
}
/* More grams than are kept: the rarest go. */
static void test_rare(void **state)
{
    bayes *b;
    char line[64];
    (void)state;
    assert_int_equal(bayes_new(&b, GRAMS_WORDS, 4096, NULL), LACO_OK); /* 1024 are kept */
    for (int i = 0; i < 3000; i++) {
        snprintf(line, sizeof line, "often\nw%d", i);
        count(b, line, i % 2);
        snprintf(line, sizeof line, "w%d\n", i);
        count(b, line, i % 2);
    }
    assert_int_equal(bayes_ready(b, NULL), LACO_OK);
    assert_int_equal(bayes_grams(b), 1);
    bayes_free(b);
}

static void line_is(const char *text, bool split, bool lower, const char *want)
{
    buf to = { 0 };
    buf_text(&to, "before\n");
    assert_int_equal(words_line(&to, text, strlen(text), &(line_options){ lower, split }, NULL), LACO_OK);
    assert_string_equal(to.data + 7, want);
    buf_free(&to);
}
static void test_lines(void **state)
{
    (void)state;
    line_is("  Don't, stop!!! (now)\n at 3.14 or 12:30...  ", true, true,
            "don't , stop !!! ( now ) at 3.14 or 12:30 ...\n");
    line_is("well-known \xe2\x80\x9cquote\xe2\x80\x9d -x it\xe2\x80\x99s", true, false,
            "well-known \xe2\x80\x9c quote \xe2\x80\x9d - x it\xe2\x80\x99s\n");
    line_is("a\r\nb\n\nc  d\t", false, false, "a b  c  d\n");
    line_is("", true, true, "\n"), line_is(" \n ", false, false, "\n");
    line_is("\xff ok", true, true, "\xff ok\n"); /* not UTF-8: as it is */
}
static void test_intern(void **state)
{
    intern *s;
    int32_t k;
    char name[16];
    (void)state;
    assert_int_equal(intern_new(&s, NULL), LACO_OK);
    assert_int_equal(intern_find(s, "x", 1), -1);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 1000; i++) {
            snprintf(name, sizeof name, "name %d", i);
            assert_int_equal(intern_add(s, name, strlen(name), &k, NULL), LACO_OK);
            assert_int_equal(k, i);
        }
    assert_int_equal(intern_count(s), 1000);
    assert_string_equal(intern_text(s, 17), "name 17");
    assert_int_equal(intern_find(s, "name 999", 8), 999);
    intern_free(s);
}

static void test_summary(void **state)
{
    static const float x[] = { 1, 10, 3, 10, 2, 10 }; /* two features, three steps */
    double all[3 * 13], last[13];
    (void)state;
    assert_int_equal(summary_size(2), 13);
    summary_of(x, 3, 2, true, all), summary_of(x, 3, 2, false, last);
    static const double want[] = { 2, 0, 1, 3, 1, 2, 10, 0, 10, 10, 10, 10, 3 };
    for (int i = 0; i < 13; i++) near(last[i], i == 1 ? sqrt(2.0 / 3) : want[i]), near(all[26 + i], last[i]);
    near(all[0], 1), near(all[1], 0), near(all[12], 1), near(all[13], 2), near(all[14], 1), near(all[16], 3);
}
/* y = 2 a - b + 5 is found but for the penalty; a feature that is always the same does no harm. */
static void test_ridge(void **state)
{
    enum { N = 50 };
    double x[N * 3], y[N], w[4], said;
    summary_scale s;
    (void)state;
    for (int i = 0; i < N; i++) {
        double a = sin(i), b = cos(3 * i);
        x[3 * i] = a, x[3 * i + 1] = b, x[3 * i + 2] = 7, y[i] = 2 * a - b + 5;
    }
    assert_int_equal(summary_learn(&s, x, N, 3, NULL), LACO_OK);
    assert_int_equal(ridge_learn(w, x, N, 3, y, 1, NULL), LACO_OK);
    for (int i = 0; i < N; i++) {
        ridge_answer(w, x + 3 * i, 3, 1, &said);
        assert_true(fabs(said - y[i]) < 0.01);
        assert_int_equal(nearest_row(x + 3 * i, x, N, 3), i);
    }
    assert_true(w[2] == 0);
    summary_free(&s);
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_words),   cmocka_unit_test(test_places),
                                        cmocka_unit_test(test_kept),    cmocka_unit_test(test_rare),
                                        cmocka_unit_test(test_lines),   cmocka_unit_test(test_intern),
                                        cmocka_unit_test(test_summary), cmocka_unit_test(test_ridge) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
