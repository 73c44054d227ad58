/* The texts of `laco demo` and its judgement of sentences. */
#include "../app/demo_text.c"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
    const char *text;
    int sentences, itself, run_on, fragment, other;
} judged[] = {
    { "", 0, 0, 0, 0, 0 },
    { "Doug saw Jane .", 1, 0, 0, 0, 0 },
    { "Doug saw Jane.Jane saw Spot.", 2, 0, 0, 0, 0 },
    { "Doug saw Jane . Jane saw", 1, 0, 0, 0, 0 }, /* the end of the text is no full stop */
    { "Doug saw Doug .", 1, 1, 0, 0, 0 },
    { "Jane saw Spot saw Doug .", 1, 0, 1, 0, 0 },
    { "Jane saw Spot saw Spot .", 1, 1, 0, 0, 0 }, /* itself goes before run-on */
    { "saw saw .", 1, 0, 1, 0, 0 },                /* run-on goes before fragment */
    { "Spot . Doug .", 2, 0, 0, 2, 0 },
    { ". saw . Jane saw .", 3, 0, 0, 3, 0 },
    { "Doug Jane saw Spot .", 1, 0, 0, 0, 1 },
    { "Doug saw Jane Spot .", 1, 0, 0, 0, 1 },
    { "Doug Jane Spot .", 1, 0, 0, 0, 1 },
    { "Doug saw saw .", 1, 0, 1, 0, 0 },
    { "Doug saw <unk> .", 1, 0, 0, 0, 1 },
    { "doug saw Jane .", 1, 0, 0, 0, 1 },
    { "Doug saw\nJane\t. <eos> Spot saw Doug .", 2, 0, 0, 0, 0 },
};

static void judges_sentences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof judged / sizeof judged[0]; i++) {
        demo_count c = demo_judge(judged[i].text, 100);
        assert_int_equal(c.sentences, judged[i].sentences);
        assert_int_equal(c.mistakes[DEMO_ITSELF], judged[i].itself);
        assert_int_equal(c.mistakes[DEMO_RUN_ON], judged[i].run_on);
        assert_int_equal(c.mistakes[DEMO_FRAGMENT], judged[i].fragment);
        assert_int_equal(c.mistakes[DEMO_OTHER], judged[i].other);
    }
}

static void stops_at_the_limit(void **state)
{
    (void)state;
    demo_count c = demo_judge("Doug . Jane . Spot .", 2);
    assert_int_equal(c.sentences, 2);
    assert_int_equal(c.mistakes[DEMO_FRAGMENT], 2);
    assert_int_equal(demo_beginning("Doug . Jane . Spot .", 2), strlen("Doug . Jane ."));
    assert_int_equal(demo_beginning("Doug . Jane", 5), strlen("Doug . Jane"));
}

/* All six ordered pairs, about equally often, and no mistake. */
static void book_is_right(void **state)
{
    (void)state;
    int pairs[NAMES][NAMES] = { { 0 } };
    char *book = demo_book(3000);
    assert_non_null(book);
    demo_count c = demo_judge(book, 1 << 30);
    assert_int_equal(c.sentences, 3000);
    for (int m = 0; m < DEMO_MISTAKES; m++) assert_int_equal(c.mistakes[m], 0);
    assert_null(strchr(book, '\n'));
    for (const char *p = book; *p;) {
        int who = next_word(&p);
        next_word(&p);
        int whom = next_word(&p);
        next_word(&p);
        p += strspn(p, " ");
        pairs[who][whom]++;
    }
    for (int i = 0; i < NAMES; i++)
        for (int j = 0; j < NAMES; j++) {
            if (i == j)
                assert_int_equal(pairs[i][j], 0);
            else
                assert_in_range(pairs[i][j], 420, 580);
        }
    free(book);
}

static void alphabet_goes_both_ways(void **state)
{
    (void)state;
    char *prime = demo_prime(true, 'd'), *back = demo_prime(false, 'w'), *text = demo_alphabet(50);
    const size_t whole = strlen("forward") + 26 * 2 + 25 * 5 + strlen(" . ");
    assert_string_equal(prime + whole + 1, "forward a then b then c then d then");
    assert_string_equal(back + whole, "backward z then y then x then w then");
    assert_memory_equal(prime + whole + 1 - 9, "then a . ", 9);
    assert_memory_equal(back, "forward a then b", 16);
    assert_non_null(text);
    int forwards = 0, backwards = 0;
    for (const char *p = text; (p = strstr(p, "forward a then b then")); p++) forwards++;
    for (const char *p = text; (p = strstr(p, "then c then b then a . ")); p++) backwards++;
    assert_int_equal(forwards + backwards, 50);
    assert_in_range(forwards, 15, 35);
    free(prime);
    free(back);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_sentences),
        cmocka_unit_test(stops_at_the_limit),
        cmocka_unit_test(book_is_right),
        cmocka_unit_test(alphabet_goes_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
