/* `laco bench` with measurements far too short to mean anything: the report is well-formed, complete, and can be
   stopped. And its table of figures, by its text. */
#include "base/json.h"
#include "check/bench.h"
#include "check/bench_table.h"
#include <math.h>
#include <setjmp.h>
#include <cmocka.h>

#define SECONDS 0.002

static void collect(void *ctx, const char *bytes, size_t n) { buf_add(ctx, bytes, n); }

static json_doc *report(const char *what, const volatile int *stop)
{
    buf text = { 0 };
    json_doc *doc = NULL;
    laco_error err = { 0 };
    assert_int_equal(bench_run(what, SECONDS, 2, true, collect, &text, stop, &err), LACO_OK);
    assert_int_equal(json_parse(&doc, text.data, text.len, &err), LACO_OK);
    buf_free(&text);
    return doc;
}
/* Member `key` of every row of a table is a number above 0; returns the rows. */
static size_t positive(const json *root, const char *name, const char *key)
{
    const json *rows = json_get(root, name);
    assert_non_null(rows);
    assert_int_equal(rows->kind, JSON_ARRAY);
    for (size_t i = 0; i < rows->len; i++) {
        const json *x = json_get(&rows->item[i], key);
        assert_non_null(x);
        assert_int_equal(x->kind, JSON_NUMBER);
        assert_true(x->number > 0);
    }
    return rows->len;
}

static void json_reports(void **state)
{
    static const struct {
        const char *what, *key;
        size_t rows;
    } row[] = {
        { "peak", "gflops", 6 },    { "peak", "peaks", 6 },        { "stream", "hidden", 7 },
        { "stream", "lstm_us", 7 }, { "stream", "gru_gbytes", 7 }, { "stream", "elman_us", 7 },
    };
    json_doc *doc[] = { report("peak", NULL), report("stream", NULL) };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_int_equal(positive(json_root(doc[i >= 2]), row[i].what, row[i].key), row[i].rows);
    assert_null(json_get(json_root(doc[0]), "stream"));
    assert_int_equal(json_get(json_root(doc[0]), "threads")->i, 2);
    /* the larger of two layers cannot be the faster one: 1024 against 16 units */
    const json *s = json_get(json_root(doc[1]), "stream");
    assert_true(json_get(&s->item[6], "lstm_us")->number > 10 * json_get(&s->item[0], "lstm_us")->number);
    json_free(doc[0]), json_free(doc[1]);
}

static void markdown_report(void **state)
{
    buf text = { 0 };
    laco_error err;
    (void)state;
    assert_int_equal(bench_run("peak", SECONDS, 1, false, collect, &text, NULL, &err), LACO_OK);
    assert_ptr_equal(strstr(text.data, "## The processor\n\n|"), text.data);
    assert_non_null(strstr(text.data, "multiply-add, 1 thread "));
    assert_null(strstr(text.data, "2 threads"));
    assert_int_equal(bench_run("peak", SECONDS, 1, false, NULL, NULL, NULL, NULL), LACO_OK);
    buf_free(&text);
}

static void refusals(void **state)
{
    static const struct {
        const char *what;
        int threads, stop;
        laco_status st;
        const char *says;
    } row[] = {
        { "peek", 1, 0, LACO_EINVAL, "cannot measure \"peek\"" },
        { "peak", -1, 0, LACO_EINVAL, "-1 threads" },
        { "peak", 1, 1, LACO_ESTOPPED, "stopped" },
        { "all", 1, 1, LACO_ESTOPPED, "stopped" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        buf text = { 0 };
        laco_error err = { 0 };
        const volatile int stop = row[i].stop;
        laco_status st = bench_run(row[i].what, SECONDS, row[i].threads, true, collect, &text, &stop, &err);
        assert_int_equal(st, row[i].st);
        assert_int_equal(err.code, row[i].st);
        assert_non_null(strstr(err.msg, row[i].says));
        assert_int_equal(text.len, 0);
        buf_free(&text);
    }
}

static const table_column columns[] = { { "name", "cell", TABLE_TEXT }, { "x", "GFLOP/s", 1 }, { NULL, NULL, 0 } };

static void table_texts(void **state)
{
    table t = { 0 };
    buf text = { 0 };
    json_out j = { .to = &text };
    (void)state;
    table_start(&t, "speed", "Speed", columns);
    table_text(&t, "lstm"), table_number(&t, 12.34), table_text(&t, "gru-before"), table_number(&t, NAN);
    table_markdown(&t, &text);
    assert_string_equal(text.data, "## Speed\n\n"
                                   "| cell       | GFLOP/s |\n"
                                   "|------------|--------:|\n"
                                   "| lstm       |    12.3 |\n"
                                   "| gru-before |       - |\n\n");
    text.len = 0;
    json_begin(&j, '{'), table_json(&t, &j), json_end(&j, '}');
    assert_string_equal(text.data,
                        "{\"speed\":[{\"name\":\"lstm\",\"x\":12.34},{\"name\":\"gru-before\",\"x\":null}]}");
    assert_false(t.failed);
    table_free(&t), buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_texts),
        cmocka_unit_test(refusals),
        cmocka_unit_test(markdown_report),
        cmocka_unit_test(json_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
