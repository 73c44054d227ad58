/* Tags of spans, as conlleval reads them: sequences in order and odd ones; counts by hand and against a second way of
   counting; which scheme writes what; from tags to classes and back; the baseline; the shape of words. */
#include "base/rng.h"
#include "task/tag.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { MOST = 64 };
#define TEN "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
/* A line of tags as an array; the copy is kept in `room`. */
static int64_t tags_of(const char *line, char room[1024], const char *out[MOST])
{
    int64_t n = 0;
    snprintf(room, 1024, "%s", line);
    for (char *p = strtok(room, " "); p; p = strtok(NULL, " ")) out[n++] = p;
    return n;
}
static void spans(void **state)
{
    static const struct {
        const char *tags, *want;
    } cases[] = {
        { "O B-P I-P O B-L", "1-3P 4-5L" },
        { "I-P I-P O I-L", "0-2P 3-4L" }, /* begins with I: a span all the same */
        { "B-P I-L I-L O", "0-1P 1-3L" }, /* the type changes inside */
        { "B-P B-P I-P", "0-1P 1-3P" },
        { "I-P B-P I-L B-L", "0-1P 1-2P 2-3L 3-4L" },
        { "B-P I-P E-P S-L S-L O", "0-3P 3-4L 4-5L" },
        { "E-P E-P I-P", "0-1P 1-2P 2-3P" },
        { "S-P I-P", "0-1P 1-2P" },
        { "B I O I", "0-2 3-4" }, /* without types */
        { "B-a-b I-a-b I-a", "0-2a-b 2-3a" },
        { "O O", "" },
        { "", "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[1024], made[256] = "";
        const char *tag[MOST];
        tag_span span[MOST];
        int64_t n = tags_of(cases[i].tags, room, tag), count = spans_of(tag, n, span);
        for (int64_t k = 0; k < count; k++)
            snprintf(made + strlen(made), sizeof made - strlen(made), "%s%lld-%lld%s", k ? " " : "",
                     (long long)span[k].from, (long long)span[k].end, span[k].type);
        if (strcmp(made, cases[i].want)) fail_msg("%s: %s", cases[i].tags, made);
    }
}
/* right, said and real spans, and right words, as conlleval prints them for these. */
static void counts(void **state)
{
    static const struct {
        const char *real, *said;
        int64_t right, guessed, spans, words;
    } cases[] = {
        { "B-P I-P O B-L", "B-P I-P O B-L", 2, 2, 2, 4 },
        { "B-P I-P O B-L", "B-P O O B-L", 1, 2, 2, 3 },
        { "B-P I-P O B-L", "I-P I-P O I-L", 2, 2, 2, 2 }, /* I where a span begins: the span is right, its tag is not */
        { "B-P I-P I-P", "B-P I-P I-L", 0, 2, 1, 2 },
        { "B-P I-P I-P", "B-P B-P I-P", 0, 2, 1, 2 },
        { "B-P B-P", "B-P I-P", 0, 1, 2, 1 },
        { "O O B-P", "O B-P I-P", 0, 1, 1, 1 },
        { "I-P I-P B-P", "I-P I-P I-P", 0, 1, 2, 2 },
        { "B-P I-L O", "B-P I-L O", 2, 2, 2, 3 }, /* an odd sequence on both sides */
        { "B-P I-P", "B-L I-L", 0, 1, 1, 0 },
        { "O O", "O O", 0, 0, 0, 2 },
        { "B I O", "B I I", 0, 1, 1, 2 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char a[1024], b[1024];
        const char *real[MOST], *said[MOST];
        bool unknown[MOST] = { false };
        tag_counts c;
        int64_t n = tags_of(cases[i].real, a, real);
        assert_int_equal(tags_of(cases[i].said, b, said), n);
        assert_int_equal(tag_counts_new(&c, true, NULL), LACO_OK);
        assert_int_equal(tag_count(&c, real, said, unknown, n, NULL), LACO_OK);
        if (c.all.right != cases[i].right || c.all.said != cases[i].guessed || c.all.real != cases[i].spans ||
            c.right[WORDS_KNOWN] != cases[i].words)
            fail_msg("%s, %s: %lld of %lld said, %lld real, %lld words", cases[i].real, cases[i].said,
                     (long long)c.all.right, (long long)c.all.said, (long long)c.all.real,
                     (long long)c.right[WORDS_KNOWN]);
        span_counts sum = { 0 };
        for (int32_t k = 0; k < intern_count(c.types); k++)
            sum.right += c.type[k].right, sum.said += c.type[k].said, sum.real += c.type[k].real;
        assert_memory_equal(&sum, &c.all, sizeof sum);
        tag_counts_free(&c);
    }
}
/* Random sequences: a span is right when it is among the spans of both, which is another way to count. */
static void counts_at_random(void **state)
{
    static const char *const names[] = { "O", "B-P", "I-P", "B-L", "I-L", "I-L", "O" };
    (void)state;
    for (uint64_t round = 0; round < 500; round++) {
        const char *tag[2][12];
        tag_span span[2][12];
        bool unknown[12];
        int64_t count[2], right = 0, n = 12;
        tag_counts c;
        for (int s = 0; s < 2; s++)
            for (int64_t i = 0; i < n; i++)
                tag[s][i] = names[(int)(rng_uniform(1, RNG_TEST, round * 100 + (uint64_t)(s * 20 + i)) * 7)],
                unknown[i] = i % 3 == 0;
        for (int64_t i = 0; i < n; i++)
            if (rng_uniform(2, RNG_TEST, round * 100 + (uint64_t)i) < 0.6) tag[1][i] = tag[0][i];
        for (int s = 0; s < 2; s++) count[s] = spans_of(tag[s], n, span[s]);
        for (int64_t i = 0; i < count[0]; i++)
            for (int64_t k = 0; k < count[1]; k++)
                right += span[0][i].from == span[1][k].from && span[0][i].end == span[1][k].end &&
                         !strcmp(span[0][i].type, span[1][k].type);
        assert_int_equal(tag_counts_new(&c, true, NULL), LACO_OK);
        assert_int_equal(tag_count(&c, tag[0], tag[1], unknown, n, NULL), LACO_OK);
        assert_true(c.all.right == right && c.all.real == count[0] && c.all.said == count[1]);
        assert_true(c.words[WORDS_UNKNOWN] == 4 && c.words[WORDS_KNOWN] == 8);
        tag_counts_free(&c);
    }
}
static void figures_of_counts(void **state)
{
    const span_counts c = { 3, 4, 6 }, none = { 0 };
    (void)state;
    assert_true(fabs(span_precision(c) - 0.75) < 1e-15 && span_recall(c) == 0.5 && fabs(span_f1(c) - 0.6) < 1e-15);
    assert_true(span_precision(none) == 0 && span_f1(none) == 0);
}

/* ---- schemes ---- */
static void schemes(void **state)
{
    static const struct {
        const char *tags;
        tag_scheme scheme;
        int64_t odd;
    } cases[] = {
        { "O B-P I-P O B-L B-L", SCHEME_IOB2, -1 },
        { "O I-P I-P O I-L B-L", SCHEME_IOB, -1 },
        { "O B-P E-P S-L O", SCHEME_IOBES, -1 },
        { "NOUN VERB O", SCHEME_NONE, -1 },
        { "O O", SCHEME_NONE, -1 },
        { "B I O B", SCHEME_IOB2, -1 },
        { "B-P I-P O B-L I-L O I-P", SCHEME_IOB2, 6 }, /* the I that begins a span is odd in iob2 */
        { "S-P B-P O", SCHEME_IOBES, 1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[1024];
        const char *tag[MOST];
        int64_t start[2] = { 0 }, odd;
        start[1] = tags_of(cases[i].tags, room, tag);
        tag_scheme s = scheme_guess(tag, start, 1, &odd);
        if (s != cases[i].scheme || odd != cases[i].odd)
            fail_msg("%s: %s, odd at %lld", cases[i].tags, scheme_names[s], (long long)odd);
    }
}
/* Classes are iobes whatever the file writes, and what is said comes back in the scheme of the file. */
static void there_and_back(void **state)
{
    static const struct {
        tag_scheme scheme;
        const char *tags, *classes;
    } cases[] = {
        { SCHEME_IOB2, "O B-P I-P I-P B-P O B-L", "O B-P I-P E-P S-P O S-L" },
        { SCHEME_IOB2, "O B-" LONG "P I-" LONG "P B-" LONG "L", "O B-" LONG "P E-" LONG "P S-" LONG "L" },
        { SCHEME_IOB, "O I-P I-P I-P B-P O I-L", "O B-P I-P E-P S-P O S-L" },
        { SCHEME_IOBES, "O B-P I-P E-P S-P O S-L", "O B-P I-P E-P S-P O S-L" },
        { SCHEME_IOB2, "B I O B", "B E O S" },
        { SCHEME_NONE, "NOUN O B-P", "NOUN O B-P" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char a[1024], b[1024];
        const char *tag[MOST], *class[MOST], *back[MOST];
        int64_t n = tags_of(cases[i].tags, a, tag), start[2] = { 0, n };
        int32_t number[MOST], made[MOST];
        tag_front f;
        tag_data d = { .sentences = 1, .words = n, .start = start, .tag = number, .class = made };
        assert_int_equal(tag_front_new(&f, NULL), LACO_OK);
        f.scheme = cases[i].scheme;
        for (int64_t k = 0; k < n; k++)
            assert_int_equal(intern_add(f.tag, tag[k], strlen(tag[k]), &number[k], NULL), LACO_OK);
        assert_int_equal(tag_classes(&f, &d, true, NULL), LACO_OK);
        assert_int_equal(tags_of(cases[i].classes, b, class), n);
        for (int64_t k = 0; k < n; k++) assert_string_equal(intern_text(f.class, made[k]), class[k]);
        assert_int_equal(tag_names(&f, made, n, back, NULL), LACO_OK);
        for (int64_t k = 0; k < n; k++) assert_string_equal(back[k], tag[k]);
        number[1] = -1; /* a tag that is missing is no class */
        assert_int_equal(tag_classes(&f, &d, false, NULL), LACO_OK);
        assert_int_equal(made[1], -1);
        tag_front_free(&f);
    }
}
/* Answers name tags of the file, whose probability is that of all their classes. */
static void classes_of_tags(void **state)
{
    static const struct {
        tag_scheme scheme;
        const char *classes, *tags;
    } cases[] = {
        { SCHEME_IOB2, "O B-P I-P E-P S-P S-L E-L", "O B-P I-P I-P B-P B-L I-L" },
        { SCHEME_IOB, "O B-P I-P E-P S-P S-L", "O I-P I-P I-P I-P I-L" },
        { SCHEME_IOBES, "O B-P E-P S-L", "O B-P E-P S-L" },
        { SCHEME_NONE, "NOUN S-P", "NOUN S-P" },
        { SCHEME_IOB2, "O S E", "O B I" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char a[1024], b[1024];
        const char *class[MOST], *tag[MOST];
        int64_t n = tags_of(cases[i].classes, a, class);
        int32_t of[MOST], number;
        tag_front f;
        intern *to;
        assert_int_equal(tags_of(cases[i].tags, b, tag), n);
        assert_int_equal(tag_front_new(&f, NULL), LACO_OK);
        assert_int_equal(intern_new(&to, NULL), LACO_OK);
        f.scheme = cases[i].scheme;
        for (int64_t k = 0; k < n; k++)
            assert_int_equal(intern_add(f.class, class[k], strlen(class[k]), &number, NULL), LACO_OK);
        assert_int_equal(tag_of_classes(&f, to, of, NULL), LACO_OK);
        for (int64_t k = 0; k < n; k++) assert_string_equal(intern_text(to, of[k]), tag[k]);
        intern_free(to), tag_front_free(&f);
    }
}
static void what_may_follow(void **state)
{
    (void)state;
    assert_true(iobes_follows("O", "B-P") && iobes_follows("E-P", "S-L") && iobes_follows("B-P", "E-P"));
    assert_true(iobes_follows("I-P", "I-P") && iobes_follows(NULL, "O") && iobes_follows("S-P", NULL));
    assert_false(iobes_follows("O", "I-P") || iobes_follows("B-P", "O") || iobes_follows("B-P", "I-L"));
    assert_false(iobes_follows("E-P", "E-P") || iobes_follows(NULL, "E-P") || iobes_follows("B-P", NULL));
    assert_false(iobes_follows("I-P", "B-P"));
}

/* ---- words ---- */
static void words(void **state)
{
    static const struct {
        const char *word, *shape, *key;
    } cases[] = {
        { "casa", "lower", "casa" },
        { "Casa", "Title", "casa" },
        { "É", "U", "é" },
        { "STF", "UPPER", "stf" },
        { "mAc", "MiXed", "mac" },
        { "guarda-chuva", "low-er", "guarda-chuva" },
        { "Guarda-chuva", "Tit-le", "guarda-chuva" },
        { "1998", "digits", "0000" },
        { "12,5%", "number", "00,0%" },
        { "R$", "U", "r$" },
        { "...", "mark", "..." },
        { "b2b", "code0", "b0b" },
        { "F-16", "Code0", "f-00" },
        { "\xff\xfe", "mark", "\xff\xfe" },
    };
    tag_front f;
    buf key = { 0 };
    (void)state;
    assert_int_equal(tag_front_new(&f, NULL), LACO_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *w = cases[i].word;
        if (strcmp(tag_shape(w, strlen(w)), cases[i].shape)) fail_msg("%s: %s", w, tag_shape(w, strlen(w)));
        assert_int_equal(tag_word_key(&f, w, strlen(w), &key, NULL), LACO_OK);
        if (strcmp(key.data, cases[i].key)) fail_msg("%s: %s", w, key.data);
    }
    buf_free(&key), tag_front_free(&f);
}
static void add_text(const char *text, tag_data *d, tag_front *f, tag_types *t)
{
    const conll_options o = { .words = NULL };
    conll_sentence s = { 0 };
    conll *c;
    assert_int_equal(conll_open_bytes(&c, text, strlen(text), "x", &o, NULL), LACO_OK);
    while (!conll_next(c, &s, NULL) && s.words) assert_int_equal(tag_add_sentence(d, f, t, &s, NULL, NULL), LACO_OK);
    conll_close(c), conll_sentence_free(&s);
}
/* Known words have their most frequent tag, others that of the longest ending; the same after a way through a model. */
static void baseline(void **state)
{
    static const struct {
        const char *word, *tag;
        bool unknown;
    } cases[] = { { "casa", "N", false }, { "o", "D", false },          { "falaram", "V", true },
                  { "Falou", "V", true }, { "rapidamente", "A", true }, { "xyz", "N", true } };
    tag_front f;
    tag_types t;
    tag_data d = { 0 };
    tag_base *b, *again;
    laco_model *m;
    (void)state;
    assert_int_equal(tag_front_new(&f, NULL), LACO_OK);
    assert_int_equal(tag_types_new(&t, NULL), LACO_OK);
    add_text("o D\ncasa N\n\no D\ncasa V\ncasa N\ncasa N\no N\ncantaram V\nlentamente A\nfalou V\nmesa N\n", &d, &f,
             &t);
    assert_int_equal(tag_base_new(&b, &f, &t, &d, NULL), LACO_OK);
    assert_int_equal(model_new(&m, "dense 2", 2, 2, 1, NULL), LACO_OK);
    assert_int_equal(tag_base_save(b, m, NULL), LACO_OK);
    assert_int_equal(tag_base_load(&again, m, NULL), LACO_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < 2; k++) {
            int32_t type;
            bool unknown;
            assert_int_equal(intern_add(t.key, cases[i].word, strlen(cases[i].word), &type, NULL), LACO_OK);
            int32_t tag = tag_base_of(k ? again : b, &t, type, &unknown);
            if (strcmp(intern_text(f.tag, tag), cases[i].tag) || unknown != cases[i].unknown)
                fail_msg("%s: %s", cases[i].word, intern_text(f.tag, tag));
        }
    tag_base_free(b), tag_base_free(again), laco_model_free(m);
    tag_data_free(&d), tag_types_free(&t), tag_front_free(&f);
}
/* Rare words, letters and values that were not seen are number 0; long words are their beginning and their end. */
static void lexicon_of_types(void **state)
{
    tag_front f;
    tag_types t;
    tag_data d = { 0 };
    char longest[400] = "";
    (void)state;
    assert_int_equal(tag_front_new(&f, NULL), LACO_OK);
    assert_int_equal(tag_types_new(&t, NULL), LACO_OK);
    add_text("A D\nab N\n\na D\nab N\ncab V\nzz X\n", &d, &f, &t);
    assert_true(d.sentences == 2 && d.words == 6 && d.start[1] == 2 && d.line[1] == 4);
    assert_int_equal(tag_types_count(&t, &d, NULL), LACO_OK);
    assert_int_equal(tag_front_learn(&f, &t, 2, NULL), LACO_OK);
    assert_int_equal(intern_count(f.word), 3); /* <unk>, a, ab */
    assert_int_equal(f.letters, 3);            /* a, b, z: of two letters each */
    for (int i = 0; i < 50; i++) strcat(longest, "ab");
    int32_t type;
    assert_int_equal(intern_add(t.key, longest, 100, &type, NULL), LACO_OK);
    assert_int_equal(tag_types_build(&t, &f, 1, NULL), LACO_OK);
    const lexicon *l = &t.lex;
    const int32_t a = l->chars[l->first[2]], b = l->chars[l->first[1] + 1];
    assert_true(a == 1 && b == 2 && l->features == 1);
    assert_int_equal(l->word[0], l->word[2]); /* A and a, two words but one vector; seen once each */
    assert_true(fabsf(l->forget[0] - 0.5f) < 1e-6f && fabsf(l->forget[1] - 1.0f / 3) < 1e-6f && l->forget[type] == 0);
    assert_true(l->word[3] == 0 && l->word[type] == 0);
    assert_true(l->feature[0] != l->feature[2]); /* U and lower */
    assert_true(l->first[type + 1] - l->first[type] == MOST_CHARS);
    for (int64_t i = 0; i < MOST_CHARS; i++) assert_true(l->chars[l->first[type] + i] == (i % 2 ? b : a));
    tag_data_free(&d), tag_types_free(&t), tag_front_free(&f);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans),
        cmocka_unit_test(counts),
        cmocka_unit_test(counts_at_random),
        cmocka_unit_test(figures_of_counts),
        cmocka_unit_test(schemes),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_may_follow),
        cmocka_unit_test(classes_of_tags),
        cmocka_unit_test(words),
        cmocka_unit_test(baseline),
        cmocka_unit_test(lexicon_of_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
