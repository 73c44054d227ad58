/* Text as symbols: vocabularies and codes written out by hand, round trips, every message, JSON both ways, and the
   counts of the Penn Treebank (LACO_DATA). */
#include "base/file.h"
#include "base/json_utf8.h"
#include "base/rng.h"
#include "data/text.h"
#include "data/utf8.h"
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))
#define SPAN(s) s, sizeof(s) - 1   /* a literal and its length: it may hold a 0 */

static vocab *built(vocab_options o, const char *text, size_t n)
{
    laco_error err;
    vocab *v = NULL;
    if (vocab_build(&v, &o, text, n, "a.txt", &err)) fail_msg("%s", err.msg);
    return v;
}

/* The symbols behind each other with a bar between them. */
static void assert_symbols(const vocab *v, const char *expected)
{
    buf b = {0};
    for (int32_t i = 0; i < vocab_size(v); i++) {
        size_t len;
        const char *s = vocab_symbol(v, i, &len);
        if (i > 0) buf_text(&b, "|");
        buf_add(&b, s, len);
    }
    assert_string_equal(b.data, expected);
    buf_free(&b);
}

/* One digit for each symbol of the text. */
static void assert_code(const vocab *v, const char *text, size_t n, bool whole_lines, const char *expected)
{
    laco_error err;
    int32_t *ids;
    int64_t count, skipped;
    char digits[40] = "";
    if (vocab_encode(v, text, n, "b.txt", whole_lines, false, &ids, &count, &skipped, &err)) fail_msg("%s", err.msg);
    assert_true(count < COUNT(digits));
    for (int64_t i = 0; i < count; i++) digits[i] = (char)('0' + ids[i]);
    assert_string_equal(digits, expected);
    assert_int_equal(skipped, 0);
    mem_free(ids);
}

static void by_hand(void **state)
{
    (void)state;
    static const struct {
        vocab_options o;
        const char *text;
        size_t n;
        const char *symbols, *code;
        int eos, unk;
    } cases[] = {
        {{UNIT_BYTE, false, 0, 0}, SPAN("ba\nab"), "\n|a|b", "21012", 0, -1},
        {{UNIT_BYTE, false, 1, 0}, SPAN("\xFF\x80\r\xFF"), "\r|\x80|\xFF", "2102", -1, -1},
        {{UNIT_CHAR, false, 0, 0}, SPAN("z\xC3\xA9\xF0\x9F\x98\x80" "A\r\n\xEF\xBF\xBD"),
         "\n|\r|A|z|\xC3\xA9|\xEF\xBF\xBD|\xF0\x9F\x98\x80", "3462105", 0, -1},
        {{UNIT_CHAR, true, 0, 0}, SPAN("AbaB"), "a|b", "0101", -1, -1},
        {{UNIT_WORD, false, 0, 0}, SPAN("b a b\r\n\tc  a b\n\n"), "<eos>|b|a|c|<unk>", "1210321" "00", 0, 4},
        {{UNIT_WORD, false, 0, 0}, SPAN("a <unk>\v<unk>\fa\na"), "a|<eos>|<unk>", "0220101", 1, 2},
        {{UNIT_WORD, true, 0, 0}, SPAN("The the THE end"), "the|<eos>|end|<unk>", "00021", 1, 3},
        {{UNIT_WORD, false, 2, 0}, SPAN("a b b c\nd"), "<unk>|<eos>|b", "0220101", 1, 0},
        {{UNIT_WORD, false, 0, 4}, SPAN("x y y z z w\n"), "<unk>|y|z|<eos>", "0112203", 3, 0},
        {{UNIT_WORD, false, 0, 0}, SPAN("<eos> a"), "<eos>|a|<unk>", "010", 0, 2},
        {{UNIT_WORD, false, 0, 0}, SPAN("cpqe ohok"), "<eos>|cpqe|ohok|<unk>", "120", 0, 3},   /* one hash for both */
    };
    for (int i = 0; i < COUNT(cases); i++) {
        vocab *v = built(cases[i].o, cases[i].text, cases[i].n);
        assert_symbols(v, cases[i].symbols);
        assert_code(v, cases[i].text, cases[i].n, true, cases[i].code);
        assert_int_equal(vocab_eos(v), cases[i].eos);
        assert_int_equal(vocab_unk(v), cases[i].unk);
        assert_int_equal(vocab_unit(v), cases[i].o.unit);
        vocab_free(v);
    }
    vocab_free(NULL);
}

static void other_texts(void **state)
{
    (void)state;
    vocab *v = built((vocab_options){.unit = UNIT_WORD}, SPAN("a b a\n"));   /* a <eos> b <unk> */
    assert_code(v, SPAN("b c\na"), false, "2310");
    assert_code(v, SPAN("b c\na"), true, "23101");
    assert_code(v, SPAN("b \n"), true, "21");
    assert_code(v, SPAN("b \n "), true, "21");
    assert_code(v, SPAN(" "), true, "");
    assert_code(v, NULL, 0, true, "");
    size_t len = 7;
    assert_null(vocab_symbol(v, 4, &len));
    assert_int_equal(len, 0);
    assert_null(vocab_symbol(v, -1, &len));
    vocab_free(v);

    v = built((vocab_options){.unit = UNIT_CHAR, .max_size = 2}, SPAN("abcbcb"));   /* the two most frequent */
    assert_symbols(v, "b|c");
    int32_t *ids;
    int64_t count, skipped;
    laco_error err;
    assert_int_equal(vocab_encode(v, SPAN("abxc\xC3\xA9"), "b", true, true, &ids, &count, &skipped, &err), LACO_OK);
    assert_int_equal(count, 2);
    assert_int_equal(skipped, 3);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], 1);
    mem_free(ids);
    vocab_free(v);
}

/* decode(encode(text)) is `back`: the text itself but for the blanks between words. */
static void round_trips(void **state)
{
    (void)state;
    static const struct {
        text_unit unit;
        const char *text;
        size_t n;
        const char *back;
        size_t m;
    } cases[] = {
        {UNIT_BYTE, SPAN("a\0b\xFF\r\n\n"), SPAN("a\0b\xFF\r\n\n")},
        {UNIT_CHAR, SPAN("\xE2\x82\xAC 5\r\nol\xC3\xA1\n"), SPAN("\xE2\x82\xAC 5\r\nol\xC3\xA1\n")},
        {UNIT_WORD, SPAN("  one  two\r\n\nthree\tone \n four"), SPAN("one two\n\nthree one\nfour")},
        {UNIT_WORD, SPAN("\n\na b\n"), SPAN("\n\na b\n")},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        vocab *v = built((vocab_options){.unit = cases[i].unit}, cases[i].text, cases[i].n);
        int32_t *ids;
        int64_t count, skipped;
        assert_int_equal(
            vocab_encode(v, cases[i].text, cases[i].n, "b", false, false, &ids, &count, &skipped, NULL), LACO_OK);
        buf b = {0};
        bool line_start = true;
        for (int64_t k = 0; k < count; k++) vocab_decode(v, ids[k], &line_start, &b);
        assert_int_equal(b.len, cases[i].m);
        assert_memory_equal(b.data, cases[i].back, cases[i].m);
        assert_int_equal(line_start, cases[i].back[cases[i].m - 1] == '\n');
        vocab_decode(v, vocab_size(v), &line_start, &b);   /* no such symbol: nothing is added */
        assert_int_equal(b.len, cases[i].m);
        mem_free(ids);
        buf_free(&b);
        vocab_free(v);
    }
}

/* Two kinds of words and enough of them that the table grows ten times. */
static void many_words(void **state)
{
    (void)state;
    enum { WORDS = 30000 };
    buf text = {0};
    for (int i = 0; i < WORDS; i++) buf_printf(&text, "w%05d %s\n", i * 7919 % WORDS, i % 2 ? "odd" : "even");
    vocab *v = built((vocab_options){.unit = UNIT_WORD}, text.data, text.len);
    assert_int_equal(vocab_size(v), WORDS + 4);
    static const char *const first[] = {"<eos>", "even", "odd", "w00000", "w00001"};
    size_t len;
    for (int i = 0; i < COUNT(first); i++) assert_memory_equal(vocab_symbol(v, i, &len), first[i], strlen(first[i]));
    int32_t *ids;
    int64_t count, skipped;
    assert_int_equal(vocab_encode(v, text.data, text.len, "b", true, false, &ids, &count, &skipped, NULL), LACO_OK);
    assert_int_equal(count, 3 * WORDS);
    for (int i = 0; i < WORDS; i++) {
        assert_int_equal(ids[3 * i], 3 + i * 7919 % WORDS);
        assert_int_equal(ids[3 * i + 1], 1 + i % 2);
        assert_int_equal(ids[3 * i + 2], 0);
    }
    mem_free(ids);
    buf_free(&text);
    vocab_free(v);
}

static void refused_texts(void **state)
{
    (void)state;
    static const struct {
        vocab_options o;
        const char *text;
        size_t n;
        int code;
        int64_t at;
        const char *says;
    } cases[] = {
        {{UNIT_BYTE, false, 0, 0}, SPAN(""), LACO_EINVAL, -1, "a.txt is empty: give a text"},
        {{UNIT_BYTE, false, 0, 0}, SPAN("aaa"), LACO_EINVAL, -1, "nothing to learn; give a text of different bytes"},
        {{UNIT_CHAR, false, 0, 0}, SPAN("\xC3\xA9\xC3\xA9"), LACO_EINVAL, -1, "one symbol only, over and over"},
        {{UNIT_CHAR, true, 0, 0}, SPAN("aAa"), LACO_EINVAL, -1, "one symbol only"},
        {{UNIT_WORD, false, 0, 0}, SPAN(" \n\t\n"), LACO_EINVAL, -1, "a.txt has no words: there is nothing to learn"},
        {{UNIT_WORD, false, 9, 0}, SPAN("a b b\n"), LACO_EINVAL, -1, "only 2 of the different words of a.txt stay"},
        {{UNIT_WORD, false, 0, 2}, SPAN("a b b\n"), LACO_EINVAL, -1, "the vocabulary size at least 3"},
        {{UNIT_CHAR, false, 0, 1}, SPAN("ab"), LACO_EINVAL, -1, "the vocabulary size at least 2"},
        {{UNIT_CHAR, false, 0, 4}, SPAN("abc"), LACO_EINVAL, -1, "--vocab-size 4 is more than the 3 different char"},
        {{UNIT_BYTE, false, 0, 257}, SPAN("abc"), LACO_EINVAL, -1, "than the 3 different bytes of a.txt: make it"},
        {{UNIT_WORD, false, 0, 5}, SPAN("a b\n"), LACO_EINVAL, -1, "4 different words of a.txt (<eos> and <unk> incl"},
        {{UNIT_WORD, false, -1, 0}, SPAN("a b\n"), LACO_EINVAL, -1, "must not be negative"},
        {{UNIT_WORD, false, 0, -1}, SPAN("a b\n"), LACO_EINVAL, -1, "must not be negative"},
        {{UNIT_CHAR, false, 2, 0}, SPAN("a b\n"), LACO_EINVAL, -1, "for words only: use --unit word"},
        {{UNIT_BYTE, true, 0, 0}, SPAN("a b\n"), LACO_EINVAL, -1, "bytes have no lower case"},
        {{UNIT_CHAR, false, 0, 0}, SPAN("a\nb\nc\xE9 d"), LACO_EFORMAT, 3,
         "a.txt is not UTF-8: line 3, byte 6 of the file is 0xE9; convert it with iconv, or use --unit byte"},
        {{UNIT_WORD, false, 0, 0}, SPAN("0123456789\xFF"), LACO_EFORMAT, 1, "line 1, byte 11 of the file is 0xFF"},
        {{UNIT_CHAR, false, 0, 0}, SPAN("a\nb\0c\xFF"), LACO_EFORMAT, 2,
         "a.txt is not a text: line 2, byte 4 of the file is 0; give a text, or use --unit byte"},
        {{UNIT_WORD, false, 0, 0}, SPAN("\0"), LACO_EFORMAT, 1, "line 1, byte 1 of the file is 0"},
        {{UNIT_WORD, false, 0, 0}, SPAN("\xC3\0"), LACO_EFORMAT, 1, "is not UTF-8: line 1, byte 1"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        laco_error err = {0};
        vocab *v = (vocab *)&err;
        assert_int_equal(vocab_build(&v, &cases[i].o, cases[i].text, cases[i].n, "a.txt", &err), cases[i].code);
        assert_null(v);
        assert_int_equal(err.at, cases[i].at);
        if (!strstr(err.msg, cases[i].says)) fail_msg("case %d: %s", i, err.msg);
    }
}

static void refused_codes(void **state)
{
    (void)state;
    static const struct {
        text_unit unit;
        const char *text;
        size_t n;
        int code;
        int64_t at;
        const char *says;
    } cases[] = {
        {UNIT_BYTE, SPAN("ab\n\na\xE9"), LACO_EINVAL, 3, "b.txt, line 3: the byte 0xE9 is not in the vocabulary"},
        {UNIT_BYTE, SPAN("x"), LACO_EINVAL, 1, "the byte 0x78 'x' is not in the vocabulary: take it out"},
        {UNIT_CHAR, SPAN("a\n\xE2\x82\xAC"), LACO_EINVAL, 2, "line 2: the character U+20AC '\xE2\x82\xAC' is not in"},
        {UNIT_CHAR, SPAN("\x1B"), LACO_EINVAL, 1, "the character U+001B is not in"},
        {UNIT_CHAR, SPAN("a\n\xFF"), LACO_EFORMAT, 2, "b.txt is not UTF-8: line 2, byte 3"},
        {UNIT_WORD, SPAN("a\n\n\0"), LACO_EFORMAT, 3, "b.txt is not a text: line 3, byte 4"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        vocab *v = built((vocab_options){.unit = cases[i].unit}, SPAN("ab\n"));
        laco_error err = {0};
        int32_t one = 0, *ids = &one;
        int64_t count = 9, skipped = 9;
        assert_int_equal(vocab_encode(v, cases[i].text, cases[i].n, "b.txt", true, false, &ids, &count, &skipped, &err),
                         cases[i].code);
        assert_null(ids);
        assert_int_equal(count, 0);
        assert_int_equal(err.at, cases[i].at);
        if (!strstr(err.msg, cases[i].says)) fail_msg("case %d: %s", i, err.msg);
        vocab_free(v);
    }
}

static void units_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"byte", "char", "word"};
    laco_error err;
    text_unit u;
    for (int i = 0; i < COUNT(names); i++) {
        assert_int_equal(text_unit_named(&u, names[i], &err), LACO_OK);
        assert_int_equal(u, i);
        assert_string_equal(text_unit_name(u), names[i]);
    }
    assert_int_equal(text_unit_named(&u, "wrd", &err), LACO_EINVAL);
    assert_string_equal(err.msg, "unknown unit \"wrd\" (did you mean word?): it must be byte, char or word");
    assert_int_equal(text_unit_named(&u, "", &err), LACO_EINVAL);
    assert_int_equal(text_unit_named(&u, "paragraphs", &err), LACO_EINVAL);
    assert_string_equal(err.msg, "unknown unit \"paragraphs\": it must be byte, char or word");
}

static void json_both_ways(void **state)
{
    (void)state;
    static const struct {
        vocab_options o;
        const char *text;
        size_t n;
        const char *json;
    } cases[] = {
        {{UNIT_BYTE, false, 0, 0}, SPAN("a\xFF\n\0"), "{\"unit\":\"byte\",\"lower\":false,\"symbols\":[0,10,97,255]}"},
        {{UNIT_CHAR, true, 0, 0}, SPAN("A\"\xC3\xA9\n"),
         "{\"unit\":\"char\",\"lower\":true,\"symbols\":[\"\\n\",\"\\\"\",\"a\",\"\xC3\xA9\"]}"},
        {{UNIT_WORD, false, 0, 0}, SPAN("b b\\ b"),
         "{\"unit\":\"word\",\"lower\":false,\"symbols\":[\"b\",\"<eos>\",\"b\\\\\",\"<unk>\"]}"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        vocab *v = built(cases[i].o, cases[i].text, cases[i].n), *w;
        buf first = {0}, again = {0};
        laco_error err;
        assert_int_equal(vocab_to_json(v, &first, &err), LACO_OK);
        assert_string_equal(first.data, cases[i].json);
        assert_int_equal(vocab_from_json(&w, first.data, first.len, &err), LACO_OK);
        assert_int_equal(vocab_to_json(w, &again, &err), LACO_OK);
        assert_string_equal(again.data, cases[i].json);
        assert_int_equal(vocab_eos(w), vocab_eos(v));
        assert_int_equal(vocab_unk(w), vocab_unk(v));
        assert_int_equal(vocab_unit(w), cases[i].o.unit);
        buf_free(&first);
        buf_free(&again);
        vocab_free(v);
        vocab_free(w);
    }
}

#define VOCAB(unit, lower, symbols) "{\"unit\":\"" unit "\",\"lower\":" lower ",\"symbols\":" symbols "}"

static void refused_json(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"[1", "JSON"},
        {"[]", "the vocabulary is not {"},
        {"{\"unit\":\"byte\",\"lower\":false}", "the vocabulary is not {"},
        {"{\"unit\":1,\"lower\":false,\"symbols\":[1,2]}", "the vocabulary is not {"},
        {"{\"unit\":\"byte\",\"lower\":0,\"symbols\":[1,2]}", "the vocabulary is not {"},
        {"{\"unit\":\"byte\",\"lower\":false,\"symbols\":{}}", "the vocabulary is not {"},
        {"{\"unit\":\"byte\",\"lower\":false,\"symbols\":[1,2],\"more\":1}", "and nothing else: make it anew"},
        {VOCAB("line", "false", "[1,2]"), "the unit \"line\", not byte, char or word"},
        {VOCAB("byte", "true", "[1,2]"), "of bytes is said to be lower-cased"},
        {VOCAB("byte", "false", "[1]"), "has 1 symbols, not 2 to"},
        {VOCAB("byte", "false", "[1,256]"), "symbol 1 of the vocabulary is not a byte"},
        {VOCAB("byte", "false", "[-1,2]"), "symbol 0 of the vocabulary is not a byte"},
        {VOCAB("byte", "false", "[1,2.5]"), "symbol 1 of the vocabulary is not a byte"},
        {VOCAB("byte", "false", "[\"a\",2]"), "symbol 0 of the vocabulary is not a byte"},
        {VOCAB("byte", "false", "[1,2,1]"), "has symbol 0 twice, again as 2"},
        {VOCAB("char", "false", "[\"a\",\"bc\"]"), "symbol 1 of the vocabulary is not a char"},
        {VOCAB("char", "false", "[\"a\",\"\"]"), "symbol 1 of the vocabulary is not a char"},
        {VOCAB("char", "false", "[\"a\",7]"), "symbol 1 of the vocabulary is not a char"},
        {VOCAB("char", "false", "[\"\\u0000\",\"b\"]"), "symbol 0 of the vocabulary is not a char"},
        {VOCAB("word", "false", "[\"<eos>\",\"a\"]"), "has 2 symbols, not 3 to"},
        {VOCAB("word", "false", "[\"<eos>\",\"a\",\"b\"]"), "lacks <eos> or <unk>"},
        {VOCAB("word", "false", "[\"<unk>\",\"a\",\"b\"]"), "lacks <eos> or <unk>"},
        {VOCAB("word", "false", "[\"<unk>\",\"<eos>\",\"b c\"]"), "symbol 2 of the vocabulary is not a word"},
        {VOCAB("word", "false", "[\"<unk>\",\"<eos>\",\" b\"]"), "symbol 2 of the vocabulary is not a word"},
        {VOCAB("word", "false", "[\"<unk>\",\"<eos>\",\"\\n\"]"), "symbol 2 of the vocabulary is not a word"},
        {VOCAB("word", "false", "[\"<unk>\",\"<eos>\",\"\\nfour\"]"), "symbol 2 of the vocabulary is not a word"},
        {VOCAB("word", "false", "[\"<unk>\",\"<eos>\",\"\"]"), "symbol 2 of the vocabulary is not a word"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        laco_error err = {0};
        vocab *v = (vocab *)&err;
        assert_int_equal(vocab_from_json(&v, cases[i].json, strlen(cases[i].json), &err), LACO_EFORMAT);
        assert_null(v);
        if (!strstr(err.msg, cases[i].says)) fail_msg("case %d: %s", i, err.msg);
    }
}

static void utf8_checking(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t n, good;   /* bytes before the first that is wrong */
    } cases[] = {
        {SPAN(""), 0},
        {SPAN("plain text of more than eight bytes"), 35},
        {SPAN("\x7F\xC2\x80\xDF\xBF"), 5},
        {SPAN("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"), 12},
        {SPAN("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), 8},
        {SPAN("a\x80"), 1},                              /* a continuation alone */
        {SPAN("ab\xC3"), 2},                             /* cut short */
        {SPAN("ab\xE2\x82"), 2},
        {SPAN("ab\xF0\x9F\x98"), 2},
        {SPAN("\xC3\x28"), 0},                           /* not continued */
        {SPAN("12345678\xC0\x80"), 8},                   /* overlong */
        {SPAN("1234567\xC1\xBF"), 7},
        {SPAN("\xE0\x9F\xBF"), 0},
        {SPAN("\xF0\x8F\xBF\xBF"), 0},
        {SPAN("\xED\xA0\x80"), 0},                       /* surrogates */
        {SPAN("\xED\xBF\xBF"), 0},
        {SPAN("\xF4\x90\x80\x80"), 0},                   /* above U+10FFFF */
        {SPAN("\xF5\x80\x80\x80"), 0},
        {SPAN("\xFE\xFF"), 0},
    };
    for (int i = 0; i < COUNT(cases); i++) assert_int_equal(utf8_check(cases[i].s, cases[i].n), cases[i].good);
    for (size_t at = 0; at < 16; at++) {   /* at every place of the words of eight bytes that are looked at together */
        char s[] = "sixteen letters.";
        s[at] = '\x80';
        assert_int_equal(utf8_check(s, 16), at);
    }
}

static void lower_case(void **state)
{
    (void)state;
    static const char text[] = "AZ az@[\xC3\x89\xC3\xA9\xCE\xA9\xC8\xBA";   /* É é Ω Ⱥ */
#ifdef HAVE_UTF8PROC
    static const char lower[] = "az az@[\xC3\xA9\xC3\xA9\xCF\x89\xE2\xB1\xA5";   /* ⱥ takes a byte more than Ⱥ */
#else
    static const char lower[] = "az az@[\xC3\x89\xC3\xA9\xCE\xA9\xC8\xBA";
#endif
    char out[2 * sizeof text];
    assert_int_equal(utf8_lower(out, SPAN(text)), sizeof lower - 1);
    assert_memory_equal(out, lower, sizeof lower - 1);
    for (uint32_t code = 1; code <= 0x10FFFF; code++) {   /* never longer than promised; lower case stays as it is */
        char s[4], once[8], twice[16];
        if (code >= 0xD800 && code <= 0xDFFF) continue;
        size_t n = json_utf8_put(code, s), m = utf8_lower(once, s, n);
        assert_true(m > 0 && m <= 2 * n && utf8_check(once, m) == m);
        assert_true(utf8_lower(twice, once, m) == m && memcmp(once, twice, m) == 0);
    }
}

/* ---- every allocation fails once ---- */

typedef struct ration {
    int left, live;
} ration;

static void *rationed(void *ctx, void *p, size_t n)
{
    ration *r = ctx;
    if (n == 0) {
        r->live -= p != NULL;
        free(p);
        return NULL;
    }
    if (r->left-- <= 0) return NULL;
    r->live++;
    return malloc(n);
}

/* Builds, encodes, writes and reads back. */
static laco_status whole_way(const char *text, size_t n, laco_error *err)
{
    vocab *v, *w = NULL;
    int32_t *ids = NULL;
    int64_t count, skipped;
    buf json = {0};
    laco_status status = vocab_build(&v, &(vocab_options){.unit = UNIT_WORD, .lower = true}, text, n, "a.txt", err);
    if (status == LACO_OK) status = vocab_encode(v, text, n, "a.txt", true, false, &ids, &count, &skipped, err);
    if (status == LACO_OK) status = vocab_to_json(v, &json, err);
    if (status == LACO_OK) status = vocab_from_json(&w, json.data, json.len, err);
    mem_free(ids);
    buf_free(&json);
    vocab_free(v);
    vocab_free(w);
    return status;
}

static void no_memory(void **state)
{
    (void)state;
    char text[1201];   /* 300 words, all different, so the table grows while building; short, so the codes grow too */
    for (int i = 0; i < 300; i++) snprintf(text + 4 * i, 5, "%03X%c", i, i % 2 ? '\n' : ' ');
    laco_status status = LACO_ENOMEM;
    int tries = 0;
    for (; status != LACO_OK; tries++) {
        ration r = {.left = tries};
        laco_error err = {0};
        laco_set_allocator(rationed, &r);
        status = whole_way(text, sizeof text - 1, &err);
        assert_int_equal(status, err.code);
        assert_true(status == LACO_OK || status == LACO_ENOMEM);
        assert_int_equal(r.live, 0);
    }
    laco_set_allocator(NULL, NULL);
    assert_true(tries > 15);
}

/* ---- real text ---- */

static void penn_treebank(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t tokens;
    } parts[] = {{"train", 929589}, {"valid", 73760}, {"test", 82430}};
    const char *folder = getenv("LACO_DATA");
    if (!folder) {
        print_message("LACO_DATA is not set: the Penn Treebank is not counted\n");
        skip();
    }
    vocab *v = NULL;
    for (int i = 0; i < COUNT(parts); i++) {
        char path[1000], *text;
        size_t n;
        int32_t *ids;
        int64_t count, skipped;
        laco_error err;
        snprintf(path, sizeof path, "%s/ptb/ptb.%s.txt", folder, parts[i].name);
        assert_int_equal(file_read(path, 1 << 30, &text, &n, &err), LACO_OK);
        if (i == 0) v = built((vocab_options){.unit = UNIT_WORD}, text, n);
        assert_int_equal(vocab_encode(v, text, n, path, true, false, &ids, &count, &skipped, &err), LACO_OK);
        assert_int_equal(count, parts[i].tokens);
        mem_free(ids);
        mem_free(text);
    }
    assert_int_equal(vocab_size(v), 10000);
    size_t len;
    assert_memory_equal(vocab_symbol(v, 0, &len), "the", 3);
    assert_int_equal(vocab_unk(v), 1);
    assert_int_equal(vocab_eos(v), 2);
    vocab_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),        cmocka_unit_test(other_texts),    cmocka_unit_test(round_trips),
        cmocka_unit_test(many_words),     cmocka_unit_test(refused_texts),  cmocka_unit_test(refused_codes),
        cmocka_unit_test(units_by_name),  cmocka_unit_test(json_both_ways), cmocka_unit_test(refused_json),
        cmocka_unit_test(utf8_checking),  cmocka_unit_test(lower_case),     cmocka_unit_test(no_memory),
        cmocka_unit_test(penn_treebank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
