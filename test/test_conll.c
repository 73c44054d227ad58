/* Sentences in columns: CoNLL-U with ranges, empty nodes and comments, plain columns, what a # is, ends of lines,
   columns by name and number, bad lines, plain text; word vectors from text. */
#include "data/conll.h"
#include "data/vectors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

/* "word/tag/other word/tag/other | next sentence": what is read. */
static laco_status shown(const char *text, const conll_options *o, char *to, size_t size, laco_error *err)
{
    conll *c;
    conll_sentence s = { 0 };
    size_t used = 0;
    to[0] = 0;
    laco_status st = conll_open_bytes(&c, text, strlen(text), "x.conll", o, err);
    if (st) return st;
    for (int k = 0; !(st = conll_next(c, &s, err)) && s.words; k++) {
        used += (size_t)snprintf(to + used, size - used, "%s", k ? " | " : "");
        for (int64_t i = 0; i < s.words; i++)
            for (int64_t j = 0; j < s.columns; j++) {
                conll_part p = s.cell[i * s.columns + j];
                used += (size_t)snprintf(to + used, size - used, "%s%.*s",
                                         j   ? "/"
                                         : i ? " "
                                             : "",
                                         (int)p.n, s.text + p.at);
            }
    }
    conll_sentence_free(&s), conll_close(c);
    return st;
}
#define U(id, form, upos) id "\t" form "\tl\t" upos "\tx\tf=" id "\t0\troot\t_\t_\n"

static void columns(void **state)
{
    static const struct {
        const char *text, *words, *tags, *others, *want;
    } cases[] = {
        { "a X\nb Y\n\nc Z", NULL, NULL, NULL, "a/X b/Y | c/Z" },
        { "a\tX\r\nb\tY\r\n\r\n\r\nc\tZ\r\n\r\n", NULL, NULL, NULL, "a/X b/Y | c/Z" },
        { "\xef\xbb\xbf"
          "a X\n",
          NULL, NULL, NULL, "a/X" },
        { "a  pos   X\nb\tpos\tY\n", NULL, NULL, NULL,
          "a/X b/Y" }, /* blanks of any kind, where the first word has no tab */
        { "a p X\nb q Y\n", "1", "3", "2", "a/X/p b/Y/q" },
        { "a p X\nb q Y\n", "2", "1", "3,2", "p/a/X/p q/b/Y/q" },
        { "# c 1\n\na X\n# Y\n", NULL, NULL, NULL, "a/X #/Y" }, /* inside a sentence it is a word */
        { "a X\n\n# comment of words\nb Y\n", NULL, NULL, NULL, "a/X | b/Y" },
        { "a X\n\n# Y\nb Z\n", NULL, NULL, NULL, "a/X | #/Y b/Z" }, /* as many columns as words have */
        { "# sent_id = 1\n" U("1-2", "do", "_") U("1", "de", "ADP") U("1.1", "x", "X")
              U("2", "o", "DET") "\n# a b\n" U("1", "sim", "_"),
          NULL, NULL, NULL, "de/ADP o/DET | sim/" },
        { U("1", "de", "ADP"), "LEMMA", "DEPREL", "FEATS,UPOS", "l/root/f=1/ADP" },
        { "", NULL, NULL, NULL, "" },
        { "\n\n  \n", NULL, NULL, NULL, "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const conll_options o = { .words = cases[i].words, .tags = cases[i].tags, .others = cases[i].others };
        laco_error err = { 0 };
        char made[512];
        laco_status st = shown(cases[i].text, &o, made, sizeof made, &err);
        if (st || strcmp(made, cases[i].want)) fail_msg("case %zu: \"%s\" %s", i, made, st ? err.msg : "");
    }
}
static void refused(void **state)
{
    static const struct {
        const char *text, *words, *tags, *others, *want;
        int64_t line;
        laco_status code;
    } cases[] = {
        { "a X\nb\n", NULL, NULL, NULL, "line 2 has 1 columns, the lines before it have 2", 2, LACO_EFORMAT },
        { "a X\n\nb Y Z\n", NULL, NULL, NULL, "line 3 has 3 columns", 3, LACO_EFORMAT },
        { "a\n", NULL, NULL, NULL, "line 1 has 1 columns, there is none with the number 2", 1, LACO_EFORMAT },
        { "a X\n", NULL, "3", NULL, "none with the number 3", 1, LACO_EFORMAT },
        { "a X\n", NULL, "UPOS", NULL, "UPOS is one of CoNLL-U, which this is not", -1, LACO_EINVAL },
        { "a X\n", NULL, "upos", NULL, "\"upos\" is no column", -1, LACO_EINVAL },
        { "a X\n", NULL, "0", NULL, "\"0\" is no column", -1, LACO_EINVAL },
        { "a\tX\n\tY\n", NULL, NULL, NULL, "line 2 has an empty word", 2, LACO_EFORMAT },
        { "a\tX\nb\t\n", NULL, NULL, NULL, "line 2 has an empty tag", 2, LACO_EFORMAT },
        { U("1", "de", "ADP") U("x", "o", "DET"), NULL, NULL, NULL, "line 2 begins with \"x\"", 2, LACO_EFORMAT },
        { "a X\n", "4294967297", NULL, NULL, "\"4294967297\" is no column", -1, LACO_EINVAL },
        { "a X\n", "99999999999999999999", NULL, NULL, "is no column", -1, LACO_EINVAL },
        { "a p X\n", NULL, NULL, "2,3", "column 3 holds the tags, which are asked for", -1, LACO_EINVAL },
        { "a X\n", "2", "2", NULL, "column 2 holds the tags", -1, LACO_EINVAL },
        { "a X\nb \xe9\n", NULL, NULL, NULL, "byte 3 of line 2 is not UTF-8; turn the file into UTF-8", 2, LACO_EFORMAT },
        { "a X\n", NULL, NULL, "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "more than 16 columns", -1, LACO_EINVAL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const conll_options o = { .words = cases[i].words, .tags = cases[i].tags, .others = cases[i].others };
        laco_error err = { 0 };
        char made[512];
        laco_status st = shown(cases[i].text, &o, made, sizeof made, &err);
        if (st != cases[i].code || !strstr(err.msg, cases[i].want) || err.at != cases[i].line)
            fail_msg("case %zu: %d \"%s\" at %lld", i, st, st ? err.msg : made, (long long)err.at);
    }
}
typedef struct told {
    char text[256];
    int64_t line, times;
} told;
static void tell(void *ctx, const char *sentence, size_t n, int64_t line, const char *why)
{
    told *t = ctx;
    snprintf(t->text, sizeof t->text, "%.*s(%s)", (int)n, sentence, why), t->line = line, t->times++;
}
static void left_out(void **state)
{
    told t = { .times = 0 };
    const conll_options o = { .skip_bad = true, .bad = tell, .ctx = &t };
    laco_error err;
    char made[512];
    (void)state;
    assert_int_equal(shown("a X\nb Y\n\nc Z\nbad\nd X\n\ne Y\n\nbad\n", &o, made, sizeof made, &err), LACO_OK);
    assert_string_equal(made, "a/X b/Y | e/Y");
    assert_true(t.times == 2 && t.line == 10);
    assert_string_equal(t.text, "bad\n(x.conll: line 10 has 1 columns, the lines before it have 2)");
    assert_int_equal(shown("a X\n\nb \xff\nc X\n\nd X\n", &o, made, sizeof made, &err), LACO_OK);
    assert_string_equal(made, "a/X | d/X");
    assert_true(t.times == 3 && t.line == 3);
    const conll_options text = { .skip_bad = true, .untagged = true, .text = true, .bad = tell, .ctx = &t };
    assert_int_equal(shown("a b\n\xff\nc\n", &text, made, sizeof made, &err), LACO_OK);
    assert_string_equal(made, "a/ b/ | c/");
    assert_true(t.times == 4 && t.line == 2);
    assert_string_equal(t.text, "\xff\n(x.conll: byte 1 of line 2 is not UTF-8; turn the file into UTF-8, with iconv for one)");
}
/* NUL ends a text in C: what is behind it would be lost. */
static void nul(void **state)
{
    static const char bytes[] = "a X\nb\0c X\n";
    const conll_options o = { .hint = "say so" };
    conll_sentence s = { 0 };
    laco_error err = { 0 };
    conll *c;
    (void)state;
    assert_int_equal(conll_open_bytes(&c, bytes, sizeof bytes - 1, "x.conll", &o, &err), LACO_OK);
    assert_int_equal(conll_next(c, &s, &err), LACO_EFORMAT);
    assert_string_equal(err.msg, "x.conll: byte 2 of line 2 is NUL, which text has not");
    conll_sentence_free(&s), conll_close(c);
    assert_int_equal(conll_open_bytes(&c, "a X\nb\n", 6, "x.conll", &o, &err), LACO_OK);
    assert_int_equal(conll_next(c, &s, &err), LACO_EFORMAT);
    assert_string_equal(err.msg, "x.conll: line 2 has 1 columns, the lines before it have 2; say so");
    conll_sentence_free(&s), conll_close(c);
}
static void untagged_and_text(void **state)
{
    laco_error err;
    char made[512];
    (void)state;
    conll_options o = { .untagged = true };
    assert_int_equal(shown("a\nb\n\nc\n", &o, made, sizeof made, &err), LACO_OK);
    assert_string_equal(made, "a/ b/ | c/");
    o.text = true;
    assert_int_equal(shown("O João, \"bem\" disse.\n\n   \nSim!\n", &o, made, sizeof made, &err), LACO_OK);
    assert_string_equal(made, "O/ João/ ,/ \"/ bem/ \"/ disse/ ./ | Sim/ !/");
}
/* Lines as they were, with the numbers that they have in the file; a file gives what its bytes give. */
static void lines_of_a_file(void **state)
{
    const char *path = "test_conll.tmp",
               *text = "# one\n" U("1-2", "do", "_") U("1", "de", "ADP") U("2", "o", "DET") "\n\n" U("1", "x", "X");
    const conll_options o = { .words = NULL };
    conll_sentence s = { 0 };
    conll *c;
    FILE *f = fopen(path, "w");
    (void)state;
    assert_non_null(f);
    assert_true(fwrite(text, 1, strlen(text), f) == strlen(text));
    fclose(f);
    assert_int_equal(conll_open(&c, path, &o, NULL), LACO_OK);
    assert_int_equal(conll_next(c, &s, NULL), LACO_OK);
    assert_true(s.lines == 4 && s.words == 2 && conll_is_u(c));
    assert_true(s.line[0].word == -1 && s.line[1].word == -1 && s.line[2].word == 0 && s.line[3].word == 1);
    assert_true(s.line[0].number == 1 && s.line[3].number == 4 && s.line[0].whole.n == 5);
    assert_memory_equal(s.text + s.line[1].whole.at, "1-2\tdo", 6);
    assert_int_equal(conll_next(c, &s, NULL), LACO_OK);
    assert_true(s.words == 1 && s.line[0].number == 7);
    assert_int_equal(conll_next(c, &s, NULL), LACO_OK);
    assert_true(s.words == 0);
    conll_sentence_free(&s), conll_close(c);
    unlink(path);
}

/* ---- vectors ---- */
typedef struct heard {
    char text[256];
} heard;
static laco_status hear(void *ctx, const char *word, size_t bytes, const float *x, int64_t n, laco_error *err)
{
    heard *h = ctx;
    size_t used = strlen(h->text);
    (void)err;
    snprintf(h->text + used, sizeof h->text - used, "%.*s %g %g;", (int)bytes, word, (double)x[0], (double)x[n - 1]);
    return LACO_OK;
}
static void vectors(void **state)
{
    static const struct {
        const char *text, *want, *reason;
        int64_t line;
    } cases[] = {
        { "de 1 2\nque -0.5 1e-3\n", "de 1 2;que -0.5 0.001;", NULL, 0 },
        { "2 3\nde 1 2 3\r\n\n\xc3\xa9 4 5 6", "de 1 3;\xc3\xa9 4 6;", NULL, 0 },
        { "de 1 2\nque 1\n", "de 1 2;", "line 2 has 1 numbers behind its word, the first has 2", 2 },
        { "de 1 2\nque 1 x2\n", "de 1 2;", "line 2, column 3: \"x2\" is no number", 2 },
        { "de 1 nan\n", "", "column 3: \"nan\"", 1 },
        { "de\n", "", "has 0 numbers", 1 },
        { "\n", "", "has no vectors", -1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heard h = { "" };
        laco_error err = { 0 };
        int64_t length;
        laco_status st = vectors_parse(cases[i].text, strlen(cases[i].text), "v.txt", &length, hear, &h, &err);
        if (strcmp(h.text, cases[i].want)) fail_msg("case %zu: %s", i, h.text);
        if ((st != LACO_OK) != (cases[i].reason != NULL)) fail_msg("case %zu: %d %s", i, st, st ? err.msg : "");
        if (st && (!strstr(err.msg, cases[i].reason) || err.at != cases[i].line))
            fail_msg("case %zu: \"%s\" at %lld", i, err.msg, (long long)err.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(columns),         cmocka_unit_test(refused),
                                        cmocka_unit_test(left_out),        cmocka_unit_test(untagged_and_text),
                                        cmocka_unit_test(lines_of_a_file), cmocka_unit_test(vectors),
                                        cmocka_unit_test(nul) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
