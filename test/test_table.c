/* Tables: what is read of CSV, TSV, JSON lines and text, whole and a piece at a time; what is refused, and where the
   sentence says that it is; numbers and times. */
#include "base/file.h"
#include "base/number.h"
#include "data/table_parts.h"
#include "pieces_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a table as text: names, then cells, in [] and lines; - is a cell that is not there ---- */
static void names_text(const table *t, buf *to)
{
    for (int k = 0; k < table_columns(t); k++) buf_printf(to, "[%s]", table_column_name(t, k));
    buf_text(to, "\n");
}
static void rows_text(const table *t, buf *to)
{
    for (int64_t r = 0; r < table_rows(t); r++) {
        for (int k = 0; k < table_columns(t); k++) {
            cell c = table_cell(t, r, k);
            buf_text(to, "["), c.at ? buf_add(to, c.at, c.n) : buf_text(to, "-"), buf_text(to, "]");
        }
        buf_printf(to, "%lld\n", (long long)table_line(t, r));
    }
}

static laco_status read_pieces(buf *rows, const char *text, size_t n, size_t piece, int64_t records, bool ready,
                               const table_options *o, laco_error *err)
{
    pieces p = { text, n, piece };
    table_reader *r;
    table *t;
    laco_status st = table_open_source(&r, next_piece, &p, "f", o, err);
    if (st) return st;
    while (!(st = table_next(r, records, ready, &t, err)) && t) {
        assert_true(table_rows(t) > 0 && table_rows(t) <= records);
        rows_text(t, rows), table_free(t);
    }
    table_close(r);
    return st;
}
/* All columns of a chunk of JSON lines are those met so far: rows end alike but for cells that are not there. */
static void without_absent(buf *b)
{
    char *to = b->data, *s = b->data;
    while (s && *s)
        if (!strncmp(s, "[-]", 3))
            s += 3;
        else
            *to++ = *s++;
    if (to) *to = 0;
}
static void same_in_pieces(const char *text, size_t n, const table_options *o, const char *whole)
{
    buf expected = { 0 };
    buf_text(&expected, whole);
    if (o->format == TABLE_JSONL) without_absent(&expected);
    for (size_t piece = 1; piece <= n; piece++)
        for (int ready = 0; ready < 2; ready++) {
            buf rows = { 0 };
            laco_error err = { 0 };
            laco_status st = read_pieces(&rows, text, n, piece, piece % 3 + 1, ready, o, &err);
            if (st) fail_msg("%s", err.msg);
            if (o->format == TABLE_JSONL) without_absent(&rows);
            assert_string_equal(rows.data ? rows.data : "", expected.data ? expected.data : "");
            buf_free(&rows);
        }
    buf_free(&expected);
}
static void check(const char *text, size_t n, const table_options *o, const char *names, const char *rows)
{
    table *t;
    laco_error err = { 0 };
    buf b = { 0 };
    char *exact = malloc(n);
    memcpy(exact, text, n);
    if (table_parse(&t, exact, n, "f", o, &err)) fail_msg("%s", err.msg);
    names_text(t, &b), assert_string_equal(b.data, names);
    b.len = 0, *b.data = 0;
    rows_text(t, &b), assert_string_equal(b.data, rows);
    table_free(t), buf_free(&b);
    same_in_pieces(exact, n, o, rows);
    free(exact);
}

#define COMMA                                                                                                          \
    {                                                                                                                  \
        .format = TABLE_CSV, .delimiter = ','                                                                          \
    }
/* Runs of one id come whole, whatever the pieces and the records asked for; bad records are told once. */
static void count_bad(void *ctx, const char *text, size_t n, int64_t line, const char *why)
{
    (void)text, (void)n, (void)line, (void)why;
    ++*(int *)ctx;
}
static void runs(void **state)
{
    (void)state;
    buf text = { 0 }, want = { 0 };
    static const int lengths[] = { 1, 3, 1, 40, 2, 2, 700, 1 };
    buf_text(&text, "id,x\n");
    for (int k = 0, n = 0; k < 8; k++)
        for (int i = 0; i < lengths[k]; i++, n++) {
            buf_printf(&text, k == 4 ? "\"%c\"\"\",%d\n" : "%c,%d\n", 'a' + k % 7, n), buf_printf(&want, "%d ", n);
            if (n % 50 == 7) buf_text(&text, "bad\n");
        }
    for (size_t piece = 1; piece < 9000; piece = piece * 5 + 1)
        for (int64_t records = 1; records < 2000; records = 3 * records + 1) {
            pieces p = { text.data, text.len, piece };
            int bad = 0, chunks = 0;
            table_options o = { .format = TABLE_CSV, .delimiter = ',', .skip_bad = true, .bad = count_bad, .ctx = &bad };
            table_reader *r;
            table *t;
            laco_error err;
            buf got = { 0 };
            char last = 0;
            assert_int_equal(table_open_source(&r, next_piece, &p, "runs", &o, &err), LACO_OK);
            for (; !table_next_runs(r, "id", records, &t, &err) && t; chunks++, table_free(t)) {
                assert_true(table_cell(t, 0, 0).at[0] != last); /* the run before is over */
                for (int64_t i = 0; i < table_rows(t); i++)
                    buf_printf(&got, "%.*s ", (int)table_cell(t, i, 1).n, table_cell(t, i, 1).at);
                last = table_cell(t, table_rows(t) - 1, 0).at[0];
            }
            assert_string_equal(got.data, want.data);
            assert_true(bad == 15 && table_skipped(r) == 15 && chunks <= 8 && (records > 1 || chunks > 4));
            buf_free(&got), table_close(r);
        }
    table_reader *r;
    table *t;
    laco_error err;
    assert_int_equal(table_open_bytes(&r, text.data, text.len, "runs", &(table_options){ .skip_bad = true }, &err), LACO_OK);
    assert_int_equal(table_next_runs(r, "name", 5, &t, &err), LACO_EINVAL);
    assert_null(t);
    table_close(r), buf_free(&text), buf_free(&want);
}
static void csv(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names, *rows;
        table_options o;
    } rows[] = {
        { "a,b\n1,2\n3,4", "[a][b]\n", "[1][2]2\n[3][4]3\n", COMMA },
        { "a,b\r\n1,2\r\n3,4\r\n", "[a][b]\n", "[1][2]2\n[3][4]3\n", COMMA },
        { "\xEF\xBB\xBF"
          "a,b\n1,2\n",
          "[a][b]\n", "[1][2]2\n", COMMA },
        { "a,b\n\"x,\ny\",\"q\"\"r\"\n\"\",\"\"\"\"\n", "[a][b]\n", "[x,\ny][q\"r]2\n[][\"]4\n", COMMA },
        { "a,b\r\n\"1\",\"2\"\r\n3,\"4\"", "[a][b]\n", "[1][2]2\n[3][4]3\n", COMMA },
        { "a,b\n1,\n,\n,2\n", "[a][b]\n", "[1][]2\n[][]3\n[][2]4\n", COMMA },
        { "a,b\n\n1,2\n\r\n\n3,4\n\n", "[a][b]\n", "[1][2]3\n[3][4]6\n", COMMA },
        { "a\n1\n\n2\n", "[a]\n", "[1]2\n[2]4\n", COMMA },
        { "a,b\n5\" pipe,x\"y\"\n", "[a][b]\n", "[5\" pipe][x\"y\"]2\n", COMMA },
        { "\"a b\", c \nx, y \n", "[a b][c]\n", "[x][ y ]2\n", COMMA },
        { "a,,a\nx,2,3\n", "[a][2][a]\n", "[x][2][3]2\n", COMMA },
        { "1,2\n3,4\n", "[1][2]\n", "[1][2]1\n[3][4]2\n", COMMA },
        { "2016-07-01 00:00:00,NA\n3,4\n", "[1][2]\n", "[2016-07-01 00:00:00][NA]1\n[3][4]2\n", COMMA },
        { "x,y\n", "[x][y]\n", "", COMMA },
        { "x,y", "[x][y]\n", "", COMMA },
        { "x,y\n1,2\n",
          "[1][2]\n",
          "[x][y]1\n[1][2]2\n",
          { .format = TABLE_CSV, .delimiter = ',', .no_header = true } },
        { "a;b\n1,5;\"2;5\"\n", "[a][b]\n", "[1,5][2;5]2\n", { .format = TABLE_CSV } },
        { "a|b\n1|2\n", "[a][b]\n", "[1][2]2\n", { .format = TABLE_CSV } },
        { "a\tb\n1\t2\n", "[a][b]\n", "[1][2]2\n", { .format = TABLE_CSV } },
        { "1 2  3 \n 4\t5 6\n\n  \n7 8 9",
          "[1][2][3]\n",
          "[1][2][3]1\n[4][5][6]2\n[7][8][9]5\n",
          { .format = TABLE_CSV } },
        { "a b\r\n\"x y\" 2 \r\n", "[a][b]\n", "[x y][2]2\n", { .format = TABLE_CSV, .delimiter = ' ' } },
        { "a\tb\n\"x\ty\"\t\"z\n\"\n", "[a][b]\n", "[x\ty][z\n]2\n", { .format = TABLE_TSV } },
        { "a\tb\n\"x,\" y\tz\n\"\tw\n\"q\"\"r\"\t\"s\n",
          "[a][b]\n",
          "[\"x,\" y][z]2\n[\"][w]3\n[q\"r][\"s]4\n",
          { .format = TABLE_TSV } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(rows[i].text, strlen(rows[i].text), &rows[i].o, rows[i].names, rows[i].rows);
}
static void json_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names, *rows;
    } rows[] = {
        { "{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"a\":-2.5e3}\n", "[a][b]\n", "[1][x]1\n[-2.5e3][y]2\n" },
        { "{\"a\":true,\"b\":false,\"c\":null}\n{\"a\":\"true\"}", "[a][b][c]\n", "[1][0][-]1\n[true][-][-]2\n" },
        { "{}\n\n  { \"a\" : [1, {\"x\":[]}] , \"b\":{\"y\":\"]}\"} } \r\n", "[a][b]\n",
          "[-][-]1\n[[1, {\"x\":[]}]][{\"y\":\"]}\"}]3\n" },
        { "{\"k\\u0065y\\n\":\"\\u00e9\\ud83d\\ude00\\\\\\\"\\/\\b\\f\\n\\r\\t\"}\n{\"key\\n\":\"\"}", "[key\n]\n",
          "[\xC3\xA9\xF0\x9F\x98\x80\\\"/\b\f\n\r\t]1\n[]2\n" },
        { "{\"a\":1}\n{\"b\":2}\n{\"c\":3,\"a\":4}\n", "[a][b][c]\n", "[1][-][-]1\n[-][2][-]2\n[4][-][3]3\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(rows[i].text, strlen(rows[i].text), &(table_options){ .format = TABLE_JSONL }, rows[i].names,
              rows[i].rows);
}
static void plain_text(void **state)
{
    (void)state;
    check("one, two\n\n \"three\r\nend", 22, &(table_options){ .format = TABLE_TEXT }, "[text]\n",
          "[one, two]1\n[]2\n[ \"three]3\n[end]4\n");
    check("x\n", 2, &(table_options){ .format = TABLE_TEXT }, "[text]\n", "[x]1\n");
}

/* ---- guesses ---- */
static void guesses(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *names;
        table_format format;
    } rows[] = {
        { "f.csv", "a,b\n1,2\n", "[a][b]\n", TABLE_CSV },
        { "f.CSV.gz", "one\ntwo\n", "[one]\n", TABLE_CSV },
        { "f.tsv", "a,b\tc\n1\t2\n", "[a,b][c]\n", TABLE_TSV },
        { "f.jsonl", "{\"x\":1}\n", "[x]\n", TABLE_JSONL },
        { "f", " {\"x\":1}\n", "[x]\n", TABLE_JSONL },
        { "f", "a,b\n1,2\n", "[a][b]\n", TABLE_CSV },
        { "f", "a;b\n1,5;2,5\n", "[a][b]\n", TABLE_CSV },
        { "f.txt", "a\tb\n1\t2\n", "[a][b]\n", TABLE_TSV },
        { "f.txt", "1 2 3\n4 5 6\n", "[1][2][3]\n", TABLE_CSV },
        { "f.txt", "x y z\n4 5 6\n", "[x][y][z]\n", TABLE_CSV },
        { "f.txt", "86\n141\n", "[1]\n", TABLE_CSV },
        { "f.txt", "a cat sat\non the mat\n", "[text]\n", TABLE_TEXT },
        { "f.txt", "well, yes\nno\nso, so, so\n", "[text]\n", TABLE_TEXT },
        { "f.csv", "a,b\n1,2\n1,2,3\n", NULL, TABLE_CSV },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        table *t;
        buf b = { 0 };
        laco_error err;
        laco_status st = table_parse(&t, rows[i].text, strlen(rows[i].text), rows[i].name, NULL, &err);
        if (!rows[i].names) {
            assert_int_equal(st, LACO_EFORMAT);
            continue;
        }
        assert_int_equal(st, LACO_OK);
        names_text(t, &b);
        assert_string_equal(b.data, rows[i].names);
        assert_int_equal(t->format, rows[i].format);
        buf_free(&b), table_free(t);
    }
}

/* ---- what is wrong ---- */
typedef struct bad_list {
    buf text;
} bad_list;
static void keep(void *ctx, const char *text, size_t n, int64_t line, const char *why)
{
    bad_list *l = ctx;
    assert_true(strlen(why) > 0);
    buf_printf(&l->text, "%lld:%.*s|", (long long)line, (int)n, text);
}
static void bad_records(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        table_format format;
        const char *message, *bad, *rows; /* the sentence; what is left out with skip_bad, what remains */
    } rows[] = {
#define ROW(text) text, sizeof text - 1
        { ROW("a,b\n1\n2,3\n"), TABLE_CSV, "f, line 2: 1 cell where the header has 2", "2:1|", "[2][3]3\n" },
        { ROW("a,b\n1,2\n2,3,4\r\n5,6"), TABLE_CSV, "f, line 3: 3 cells where the header has 2", "3:2,3,4|",
          "[1][2]2\n[5][6]4\n" },
        { ROW("a,b\n\"1\n\",2\n1,2,3\n"), TABLE_CSV, "f, line 4: 3 cells", "4:1,2,3|", "[1\n][2]2\n" },
        { ROW("a,b\n\"x\"y,1\n2,3\n"), TABLE_CSV, "f, line 2: there is text behind the quote that closes cell 1",
          "2:\"x\"y,1|", "[2][3]3\n" },
        { ROW("a,b\n1,\"x\n2,3\n"), TABLE_CSV, "f, line 2: the quote that opens cell 2 is never closed", "2:1,\"x|",
          "[2][3]3\n" },
        { ROW("a,b\n1,\"x"), TABLE_CSV, "f, line 2: the quote that opens cell 2 is never closed", "2:1,\"x|", "" },
        { ROW("a,b\n1,\"x\"\r,\n2,3\n"), TABLE_CSV, "f, line 2: there is text behind the quote that closes cell 2",
          "2:1,\"x\"\r,|", "[2][3]3\n" },
        { ROW("1,2\n3\n"), TABLE_CSV, "f, line 2: 1 cell where the first record has 2", "2:3|", "[1][2]1\n" },
        { ROW("a,b\n1,\0\n2,3\n"), TABLE_CSV, "f, line 2: byte 3 is NUL", "2:1,", "[2][3]3\n" },
        { ROW("a,b\nx,\xE9t\xE9\n2,3\n"), TABLE_CSV, "f, line 2: byte 3 is not UTF-8", "2:x,\xE9t\xE9|", "[2][3]3\n" },
        { ROW("x\ny\xC3\nz\n"), TABLE_TEXT, "f, line 2: byte 2 is not UTF-8", "2:y\xC3|", "[x]1\n[z]3\n" },
        { ROW("x\n\0\n"), TABLE_TEXT, "f, line 2: byte 1 is NUL", "2:|", "[x]1\n" },
        { ROW("{\"a\":1}\n{\"a\":}\n{\"a\":2}\n"), TABLE_JSONL,
          "f, line 2: not valid JSON at byte 6 of the line: a value was expected", "2:{\"a\":}|", "[1]1\n[2]3\n" },
        { ROW("{\"a\":1}\n[1]\n"), TABLE_JSONL,
          "f, line 2: not valid JSON at byte 1 of the line: a record must be an object; of an array", "2:[1]|",
          "[1]1\n" },
        { ROW("{\"a\":1}\n7\n"), TABLE_JSONL,
          "f, line 2: not valid JSON at byte 1 of the line: a record must be an object {", "2:7|", "[1]1\n" },
        { ROW("{\"a\":1}\n{\"a\":1,\"b\":2,\"a\":3}\n"), TABLE_JSONL,
          "f, line 2: not valid JSON at byte 18 of the line: a key that is there twice", "2:{\"a\":1,\"b\":2,\"a\":3}|",
          "[1]1\n" },
        { ROW("{\"a\":1}\n{\"a\":null,\"a\":3}\n"), TABLE_JSONL, "f, line 2: not valid JSON at byte 15",
          "2:{\"a\":null,\"a\":3}|", "[1]1\n" },
        { ROW("{\"a\":1}\n{\"a\":1} x\n"), TABLE_JSONL,
          "f, line 2: not valid JSON at byte 9 of the line: there is more behind", "2:{\"a\":1} x|", "[1]1\n" },
        { ROW("{\"a\":1}\n{\"b\":01}\n"), TABLE_JSONL, "f, line 2: not valid JSON at byte 6 of the line: a value",
          "2:{\"b\":01}|", "[1]1\n" },
        { ROW("{\"a\":1}\n{\"b\":1.}\n{\"b\":1e}\n{\"b\":-}\n{\"b\":.5}\n"), TABLE_JSONL,
          "f, line 2: not valid JSON at byte 8 of the line: digits",
          "2:{\"b\":1.}|3:{\"b\":1e}|4:{\"b\":-}|5:{\"b\":.5}|", "[1]1\n" },
        { ROW("{\"a\":1}\n{\"b\":\"\\x\"}\n{\"b\":\"\\ud800\"}\n{\"b\":\"\\u12\"}\n{\"b\":\"\t\"}\n{\"b\":\"}\n{\"b\n"),
          TABLE_JSONL, "f, line 2: not valid JSON at byte 7 of the line: an escape",
          "2:{\"b\":\"\\x\"}|3:{\"b\":\"\\ud800\"}|4:{\"b\":\"\\u12\"}|5:{\"b\":\"\t\"}|6:{\"b\":\"}|7:{\"b|",
          "[1]1\n" },
        { ROW("{\"a\":1}\n{\"b\":[1,]}\n{\"b\":{\"x\"}}\n{\"b\":{1:2}}\n{\"b\":[1 2]}\n{\"b\" "
              "1}\n{b:1}\n{\"b\":tru}\n{\"b\":1,}\n{\"b\":1\n"),
          TABLE_JSONL, "f, line 2: not valid JSON at byte 9 of the line: a value",
          "2:{\"b\":[1,]}|3:{\"b\":{\"x\"}}|4:{\"b\":{1:2}}|5:{\"b\":[1 2]}|6:{\"b\" "
          "1}|7:{b:1}|8:{\"b\":tru}|9:{\"b\":1,}|10:{\"b\":1|",
          "[1]1\n" },
        { ROW("{\"a\":1}\n{\"b\":\"\xFF\"}\n"), TABLE_JSONL, "f, line 2: byte 7 is not UTF-8", "2:{\"b\":\"\xFF\"}|",
          "[1]1\n" },
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        table_options o = { .format = rows[i].format, .delimiter = ',' };
        table *t;
        laco_error err;
        assert_int_equal(table_parse(&t, rows[i].text, rows[i].n, "f", &o, &err), LACO_EFORMAT);
        assert_null(t);
        if (strncmp(err.msg, rows[i].message, strlen(rows[i].message))) fail_msg("%s", err.msg);
        assert_non_null(strstr(err.msg, "--skip-bad"));
        for (size_t piece = 1; piece <= rows[i].n; piece++) {
            bad_list list = { { 0 } };
            buf left = { 0 };
            o.skip_bad = true, o.bad = keep, o.ctx = &list;
            assert_int_equal(read_pieces(&left, rows[i].text, rows[i].n, piece, 5, piece % 2, &o, &err), LACO_OK);
            if (!strstr(rows[i].bad, "1,") || strlen(rows[i].bad) > 4) assert_string_equal(list.text.data, rows[i].bad);
            assert_string_equal(left.data ? left.data : "", rows[i].rows);
            buf_free(&left), buf_free(&list.text);
        }
    }
}
static void unreadable(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        const char *message;
    } rows[] = {
#define ROW(text) text, sizeof text - 1
        { ROW(""), "f.csv is empty" },
        { ROW("\xEF\xBB\xBF"), "f.csv is empty" },
        { ROW("\n\n \r\n"), "f.csv" },
        { ROW("\xFF\xFE"
              "a\0,\0"),
          "f.csv is UTF-16" },
        { ROW("PK\3\4xxxx"), "f.csv is a zip file or a spreadsheet" },
        { ROW("\"a\"b,c\n1,2\n"), "f.csv, line 1: there is text behind the quote" },
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        table *t;
        laco_error err = { 0 };
        laco_status st = table_parse(&t, rows[i].text, rows[i].n, "f.csv", &(table_options){ .skip_bad = true }, &err);
        if (i == 2 && !st) { /* a line of one blank is a record of one cell */
            table_free(t);
            continue;
        }
        assert_int_equal(st, LACO_EFORMAT);
        if (strncmp(err.msg, rows[i].message, strlen(rows[i].message))) fail_msg("%s", err.msg);
    }
}

/* A record longer than may be is left out in little memory, or an error. */
typedef struct endless {
    int64_t left; /* bytes of one long line, then "\n5,6\n" */
    const char *end;
} endless;
static laco_status long_line(void *ctx, char *to, size_t room, size_t *got, laco_error *err)
{
    endless *e = ctx;
    (void)err;
    if (e->left) {
        *got = (size_t)min64((int64_t)room, e->left);
        memset(to, 'x', *got), e->left -= (int64_t)*got;
    } else
        memcpy(to, e->end, *got = strlen(e->end)), e->end = "";
    return LACO_OK;
}
static void endless_lines(void **state)
{
    (void)state;
    for (int skip = 0; skip < 2; skip++) {
        endless e = { (int64_t)RECORD_LIMIT * 2, "\n5,6\n" };
        table_options o = { .format = TABLE_CSV, .delimiter = ',', .no_header = true, .skip_bad = skip };
        table_reader *r;
        laco_error err;
        laco_status st = table_open_source(&r, long_line, &e, "f", &o, &err);
        assert_int_equal(st, LACO_EFORMAT); /* the first record is no record to go by */
        assert_non_null(strstr(err.msg, "f, line 1: a record longer than 64 MiB begins there"));
        e = (endless){ (int64_t)RECORD_LIMIT * 2, "\n5,6\n" };
        o.format = TABLE_TEXT;
        assert_int_equal(table_open_source(&r, long_line, &e, "f", &o, &err), LACO_OK);
        table *t;
        st = table_next(r, 10, false, &t, &err);
        assert_int_equal(st, skip ? LACO_OK : LACO_EFORMAT);
        if (skip) {
            assert_true(table_rows(t) == 1 && table_line(t, 0) == 2 && cell_is(table_cell(t, 0, 0), "5,6"));
            assert_int_equal(table_skipped(r), 1);
            table_free(t);
        }
        table_close(r);
    }
}

/* ---- numbers and times ---- */
static void numbers(void **state)
{
    (void)state;
    static const char text[] = "x;y;z;w\n1,5; 2 ;NA;2016-07-01\n-1e3;;?;2016-07-02\n3;null;;2016-07-03T12:00\n";
    table *t;
    laco_error err;
    double *x;
    assert_int_equal(table_parse(&t, text, strlen(text), "f.csv", &(table_options){ .decimal_comma = true }, &err),
                     LACO_OK);
    assert_int_equal(table_numbers(t, 0, &x, &err), LACO_OK);
    assert_true(x[0] == 1.5 && x[1] == -1000 && x[2] == 3), mem_free(x);
    assert_int_equal(table_numbers(t, 1, &x, &err), LACO_OK);
    assert_true(x[0] == 2 && isnan(x[1]) && isnan(x[2])), mem_free(x);
    assert_int_equal(table_numbers(t, 3, &x, &err), LACO_EFORMAT);
    assert_string_equal(err.msg,
                        "f.csv, line 2, column \"w\": \"2016-07-01\" is not a finite number; correct it, or leave it "
                        "empty if it is not known");
    assert_int_equal(table_column_type(t, 0), COLUMN_NUMBER);
    assert_int_equal(table_column_type(t, 2), COLUMN_EMPTY);
    assert_int_equal(table_column_type(t, 3), COLUMN_TIME);
    table_free(t);
    assert_int_equal(table_parse(&t, "x;y\n1,5;inf\n", 12, "f.csv", NULL, &err), LACO_OK);
    assert_int_equal(table_numbers(t, 0, &x, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "--decimal-comma"));
    assert_int_equal(table_numbers(t, 1, &x, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "\"inf\" is not a finite number"));
    assert_int_equal(table_column_type(t, 0), COLUMN_TEXT);
    table_free(t);
}
static cell of(const char *text) { return (cell){ text, strlen(text) }; }
static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
    } good[] = {
        { "1970-01-01", 0 },
        { "1970-01", 0 },
        { "1970/01/02", 86400 },
        { "1969-12-31 23:59:59", -1 },
        { "2016-07-01 00:00:00", 1467331200 },
        { "2016-07-01T02:00:00+02:00", 1467331200 },
        { "2016-06-30T22:30Z", 1467325800 },
        { "2016-07-01T00:00:00.25", 1467331200.25 },
        { "2000-02-29", 951782400 },
        { "0000-03-01", -62162035200.0 },
        { "9999-12-31", 253402214400.0 },
        { " 2016-07-01 24:00 ", 1467417600 },
        { "17.5", 17.5 },
    };
    static const char *const bad[] = { "",
                                       "x",
                                       "2016-13-01",
                                       "2016-02-30",
                                       "1900-02-29",
                                       "2016-07-01 25:00",
                                       "2016-07-01 24:01",
                                       "2016-7-1",
                                       "2016-07-01 00:00:61",
                                       "2016-07-01x",
                                       "2016-07-01 10:00+",
                                       "1-01",
                                       "2016-07/01" };
    double x;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!cell_time(of(good[i].text), &x)) fail_msg("%s", good[i].text);
        assert_true(x == good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cell_time(of(bad[i]), &x)) fail_msg("%s", bad[i]);
}
/* Every number is that of the C library, to the last bit. */
static void numbers_are_exact(void **state)
{
    (void)state;
    static const char *const rows[] = { "9007199254740993",
                                        "9007199254740992.5",
                                        "1844674407370955161",
                                        "18446744073709551615",
                                        "0.1",
                                        "3.141592653589793238",
                                        "1.220639965678425032e-01",
                                        "1e22",
                                        "1e23",
                                        "123456789012345678e19",
                                        "4.9e-324",
                                        "2.2250738585072011e-308",
                                        "1.7976931348623157e308",
                                        "8.5e-19",
                                        "0.0000000000000000001",
                                        "1000000000000000000000000",
                                        "30.5310001373291",
                                        "00000000000000000000000000.5" };
    uint64_t draw = 1;
    double x;
    char text[64];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(number_read(rows[i], strlen(rows[i]), false, &x));
        if (x != strtod(rows[i], NULL)) fail_msg("%s: %.17g", rows[i], x);
    }
    for (int i = 0; i < 200000; i++) {
        draw = draw * 6364136223846793005u + 1442695040888963407u;
        int digits = (int)(draw >> 60) + 4, e = (int)(draw >> 33 & 63) - 32;
        uint64_t m = (draw ^ draw >> 29) * 0x9E3779B97F4A7C15u;
        int n = snprintf(text, sizeof text, "%.*g", digits, (double)m * pow(10, e));
        assert_true(number_read(text, (size_t)n, false, &x));
        if (x != strtod(text, NULL)) fail_msg("%s: %.17g", text, x);
    }
    assert_true(number_read("-1,25", 5, true, &x) && x == -1.25);
    assert_true(number_read("1,2345678901234567890123", 24, true, &x) && x == 1.2345678901234567890123);
    assert_false(number_read("1.25", 4, true, &x));
    char long_one[2000];
    memset(long_one, '7', sizeof long_one), long_one[0] = '0', long_one[1] = '.';
    assert_true(number_read(long_one, sizeof long_one, false, &x) && fabs(x - 7.0 / 9) < 1e-15);
}
static void columns_by_name(void **state)
{
    (void)state;
    static const char text[] = "date,value,value,3\nx,y,z,w\n";
    table *t;
    laco_error err;
    int k = -1;
    assert_int_equal(table_parse(&t, text, strlen(text), "f.csv", NULL, &err), LACO_OK);
    assert_true(!table_find(t, "date", &k, &err) && k == 0);
    assert_true(!table_find(t, "2", &k, &err) && k == 1);
    assert_true(!table_find(t, "3", &k, &err) && k == 3); /* a name comes before a number */
    assert_int_equal(table_find(t, "value", &k, &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "two columns \"value\", 2 and 3"));
    assert_int_equal(table_find(t, "dat", &k, &err), LACO_EINVAL);
    assert_string_equal(err.msg, "f.csv has no column \"dat\"; did you mean \"date\"?");
    assert_int_equal(table_find(t, "9", &k, &err), LACO_EINVAL);
    assert_int_equal(table_find(t, "colour", &k, &err), LACO_EINVAL);
    assert_string_equal(err.msg, "f.csv has no column \"colour\"; its columns are date, value, value, 3");
    assert_true(!strcmp(table_file(t), "f.csv"));
    table_free(t);
}
static void missing_cells(void **state)
{
    (void)state;
    static const char *const yes[] = { "", "  ", "NA", "N/A", "NaN", "nan", "null", "NULL", "?", " NA " },
                             *const no[] = { "0", "na", "none", "-", "NAN A" };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) assert_true(cell_missing(of(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) assert_false(cell_missing(of(no[i])));
    assert_true(cell_missing((cell){ 0 }));
    assert_true(cell_is(of("ab"), "ab") && !cell_is(of("ab"), "abc") && !cell_is(of("abc"), "ab") &&
                !cell_is((cell){ 0 }, ""));
}

/* ---- files ---- plain, gzip and a pipe give the same */
static void files(void **state)
{
    (void)state;
    char folder[] = "/tmp/laco-table-XXXXXX", here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    FILE *f = fopen("f.csv", "w");
    assert_non_null(f);
    fprintf(f, "id,text\n");
    for (int i = 0; i < 60000; i++) fprintf(f, "%d,\"the %d, %s\"\n", i, i * 7, i % 3 ? "cat" : "dog\nand mouse");
    fclose(f);
    bool gzip = system("gzip -k f.csv") == 0;
    laco_error err;
    for (int k = 0; k < 1 + gzip; k++) {
        table *whole, *part;
        table_reader *r;
        const char *path = k ? "f.csv.gz" : "f.csv";
        assert_int_equal(table_read(&whole, path, NULL, &err), LACO_OK);
        if (k && table_rows(whole) == 0) continue;
        assert_int_equal(table_rows(whole), 60000);
        assert_int_equal(table_open(&r, path, NULL, &err), LACO_OK);
        int64_t row = 0, chunks = 0;
        while (!table_next(r, 7000, false, &part, &err) && part) {
            for (int64_t i = 0; i < table_rows(part); i++, row++) {
                cell a = table_cell(whole, row, 1), b = table_cell(part, i, 1);
                assert_true(a.n == b.n && !memcmp(a.at, b.at, a.n));
                assert_int_equal(table_line(whole, row), table_line(part, i));
            }
            chunks++, table_free(part);
        }
        assert_true(row == 60000 && chunks >= 9);
        table_close(r), table_free(whole);
    }
    table *t;
    assert_int_equal(table_read(&t, "none.csv", NULL, &err), LACO_EIO);
    assert_string_equal(err.msg, "cannot open none.csv: No such file or directory; check the path");
    assert_int_equal(table_read(&t, ".", NULL, &err), LACO_EIO);
    remove("f.csv"), remove("f.csv.gz");
    assert_int_equal(chdir(here), 0);
    rmdir(folder);
}

/* ---- no memory: every block that is asked for may be the one that is not there ---- */
static int64_t blocks_left = -1;
static void *limited(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (!n) return free(p), NULL;
    return blocks_left < 0 || blocks_left-- > 0 ? malloc(n) : NULL;
}
static void without_memory(void **state)
{
    (void)state;
    static const char *const rows[] = { "a,b\n\"x\"\"\",2\n3,4\n", "{\"a\":\"\\n\",\"b\":[1]}\n{\"c\":1}\n",
                                        "some text\nmore\n" };
    laco_set_allocator(limited, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        laco_status st = LACO_ENOMEM;
        for (int64_t blocks = 0; st; blocks++) {
            table *t = NULL;
            laco_error err = { 0 };
            blocks_left = blocks;
            st = table_parse(&t, rows[i], strlen(rows[i]), "f", NULL, &err);
            blocks_left = -1;
            assert_true(st == LACO_OK || (st == LACO_ENOMEM && err.code == st && !t));
            table_free(t);
            assert_true(blocks < 100);
        }
    }
    laco_set_allocator(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory),    cmocka_unit_test(csv),
        cmocka_unit_test(runs),
        cmocka_unit_test(json_lines),        cmocka_unit_test(plain_text),
        cmocka_unit_test(guesses),           cmocka_unit_test(bad_records),
        cmocka_unit_test(unreadable),        cmocka_unit_test(endless_lines),
        cmocka_unit_test(numbers),           cmocka_unit_test(times),
        cmocka_unit_test(numbers_are_exact), cmocka_unit_test(columns_by_name),
        cmocka_unit_test(missing_cells),     cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
