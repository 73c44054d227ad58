/* `laco bench` with measurements far too short to mean anything: the report is well-formed, complete, and can be
   stopped; rows are parsed, measured and refused. And its table of figures, by its text. */
#include "base/json.h"
#include "check/bench.h"
#include "check/bench_lm.h"
#include "check/bench_memory.h"
#include "check/bench_read.h"
#include "check/bench_row.h"
#include "check/bench_work.h"
#include <math.h>
#include <setjmp.h>
#include <cmocka.h>

#define SECONDS 0.002

static void collect(void *ctx, const char *bytes, size_t n) { buf_add(ctx, bytes, n); }

static json_doc *report(const char *what, const char *row, int threads, int64_t repeat)
{
    buf text = { 0 };
    json_doc *doc = NULL;
    laco_error err = { 0 };
    const bench_wish w = { .what = what,
                           .row = row,
                           .seconds = SECONDS,
                           .threads = threads,
                           .repeat = repeat,
                           .json = true,
                           .out = collect,
                           .ctx = &text };
    assert_int_equal(bench_run(&w, &err), LACO_OK);
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
    json_doc *doc[] = { report("peak", NULL, 2, 0), report("stream", NULL, 2, 0) }, *esn = report("esn", NULL, 1, 0);
    (void)state;
    assert_int_equal(positive(json_root(esn), "esn", "steps"), 6);
    assert_int_equal(positive(json_root(esn), "esn", "limit_us"), 6);
    json_free(esn);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_int_equal(positive(json_root(doc[i >= 2]), row[i].what, row[i].key), row[i].rows);
    assert_null(json_get(json_root(doc[0]), "stream"));
    assert_int_equal(json_get(json_root(doc[0]), "threads")->i, 2);
    /* the larger of two layers cannot be the faster one: 1024 against 16 units */
    const json *s = json_get(json_root(doc[1]), "stream");
    assert_true(json_get(&s->item[6], "lstm_us")->number > 10 * json_get(&s->item[0], "lstm_us")->number);
    json_free(doc[0]), json_free(doc[1]);
}

/* What a row tells: its work exactly, the rest within what figures of one measurement must agree to. */
static void row_reports(void **state)
{
    static const struct {
        const char *row;
        int threads;
        double flops, weight_bytes, tokens;
    } row[] = {
        /* an LSTM multiplies 4H(I+H) numbers a step, an Elman cell H(I+H), a GRU 3H(I+H) */
        { "train lstm 16,32,4,8", 1, 6 * 4 * 32 * 48 * 4. * 8, 4 * 32 * 32 * 4. * 2 * 8, 32 },
        { "train elman 16,32,1,8", 2, 6 * 32 * 48 * 8., 32 * 32 * 4. * 2 * 8, 8 },
        { "infer gru 16,32,4,8", 1, 2 * 3 * 32 * 48 * 4. * 8, 3 * 32 * 32 * 4. * 8, 32 },
        { "stream lstm 16", 1, 2 * 4 * 16 * 32, 4 * 16 * 32 * 4, 1 },
        { "stream gru 16 float", 2, 2 * 3 * 16 * 32, 3 * 16 * 32 * 4, 1 },
    };
    static const char *const above_zero[] = { "us",          "gflops",      "peaks",         "peak_gflops",
                                              "read_gbytes", "roofline_us", "roofline_share" };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        json_doc *doc = report("row", row[i].row, row[i].threads, 0);
        for (size_t k = 0; k < sizeof above_zero / sizeof *above_zero; k++)
            assert_int_equal(positive(json_root(doc), "rows", above_zero[k]), 1);
        const json *r = json_get(json_root(doc), "rows")->item;
        double us = json_get(r, "us")->number;
        assert_string_equal(json_get(r, "name")->text, row[i].row);
        assert_int_equal(json_get(r, "threads")->i, row[i].threads);
        assert_float_equal(json_get(r, "gflops")->number * us * 1e3, row[i].flops, row[i].flops * 1e-9);
        assert_float_equal(json_get(r, "weight_bytes")->number, row[i].weight_bytes, 0);
        assert_float_equal(json_get(r, "tokens_per_second")->number * us * 1e-6, row[i].tokens, 1e-6);
        assert_true(json_get(r, "memory_bytes")->number >= 0);
        assert_float_equal(json_get(r, "roofline_share")->number * us, json_get(r, "roofline_us")->number, us * 1e-9);
        json_free(doc);
    }
}
/* --repeat: nothing is measured, so nothing is told. */
static void row_repeats(void **state)
{
    (void)state;
    json_doc *doc = report("row", "stream gru 16", 1, 3);
    assert_null(json_get(json_root(doc), "rows"));
    assert_non_null(json_get(json_root(doc), "isa"));
    json_free(doc);
}

/* Lengths of a ragged batch lie evenly in 1 .. T, the longest first; its work is that of its tokens. */
static void ragged_batches(void **state)
{
    enum { B = 64, T = 40 };
    const cell_spec spec = { .cell = "gru", .inputs = 5, .hidden = 7, .biases = -1 };
    const kernels *k;
    pool *p;
    (void)state;
    assert_int_equal(kernels_choose(&k, REAL_FLOAT, NULL), LACO_OK);
    assert_int_equal(pool_new(&p, 1, NULL), LACO_OK);
    double work[2];
    for (int uneven = 0; uneven < 2; uneven++) {
        const batch_shape shape = { .B = B, .T = T, .ragged = uneven };
        training *t = NULL;
        assert_int_equal(training_new(&t, k->recur, &spec, &shape, p, NULL), LACO_OK);
        assert_int_equal(t->b.active[0], B);
        for (int64_t i = 1; i < t->b.T; i++)
            assert_true(t->b.active[i] <= t->b.active[i - 1] && t->b.active[i] >= 1 && (uneven || t->b.active[i] == B));
        assert_int_equal(t->b.off[t->b.T], t->b.R);
        if (uneven)
            assert_in_range(t->b.R, B * T * 4 / 10, B * T * 6 / 10);
        else
            assert_int_equal(t->b.R, B * T);
        training_run(t);
        work[uneven] = training_work(t) / (double)t->b.R;
        training_free(t);
    }
    assert_float_equal(work[0], work[1], 0);
    assert_float_equal(work[0], 6 * 3 * 7 * (5 + 7), 0);
    pool_free(p);
}

/* The steps of a language model are real ones: they go on, past the end of the text, without a failure. */
static void language_models(void **state)
{
    const kernels *k;
    pool *p;
    lm_work *w = NULL;
    (void)state;
    assert_int_equal(kernels_choose(&k, REAL_FLOAT, NULL), LACO_OK);
    assert_int_equal(pool_new(&p, 2, NULL), LACO_OK);
    assert_int_equal(lm_work_new(&w, "word", k, p, NULL), LACO_OK);
    assert_int_equal(w->tokens, 20 * 35);
    assert_float_equal(lm_work_flops(w), 6. * 700 * (2 * 4 * 200 * 400 + 200 * 10000), 0);
    for (int i = 1; i <= 9; i++) { /* the text has 8 windows */
        lm_work_run(w);
        assert_int_equal(w->status, LACO_OK);
        assert_int_equal(trainer_counted(w->t)->updates, i);
        assert_int_equal(trainer_ragged(w->t)->R, w->tokens);
    }
    for (int64_t i = 0; i < 20 * 35 * 8 + 1; i++) assert_in_range(w->ids[i], 0, 9999);
    lm_work_free(w), pool_free(p);
}

/* Nothing reads faster than a hundred vectors a nanosecond, nor slower than a byte in ten. */
static void bandwidths(void **state)
{
    const kernels *k;
    (void)state;
    for (int i = 0; (k = kernels_at(i, REAL_FLOAT)); i++) {
        double rate = read_bandwidth(k->isa, 16 << 10, 1e-3);
        assert_true(rate > 1e8 && rate < 6.4e12);
    }
    assert_true(read_bandwidth("portable", 1, 1e-4) > 0);
}

/* The window of `laco bench long`, whole and in a tenth of the memory: the same gradients. */
static void long_windows(void **state)
{
    const kernels *k;
    pool *p;
    long_work *all = NULL, *tenth = NULL;
    laco_error err = { 0 };
    (void)state;
    assert_int_equal(kernels_choose(&k, REAL_FLOAT, &err), LACO_OK);
    assert_int_equal(pool_new(&p, 2, &err), LACO_OK);
    assert_int_equal(long_work_new(&all, 0, k, p, &err), LACO_OK);
    assert_int_equal(long_work_new(&tenth, all->plan.bytes / 10, k, p, &err), LACO_OK);
    assert_true(tenth->plan.bytes * 10 <= all->plan.bytes);
    assert_int_equal(all->plan.tapes, all->plan.segments);
    assert_true(tenth->plan.tapes < tenth->plan.segments && tenth->plan.forward < 2);
    assert_true(long_work_flops(all) > 6. * 80000 * 4 * 128 * 160);
    long_work_run(all), long_work_run(tenth);
    assert_memory_equal(all->net->g, tenth->net->g, (size_t)all->net->params * sizeof(float));
    long_work_free(all), long_work_free(tenth), pool_free(p);
}
static void markdown_report(void **state)
{
    buf text = { 0 };
    laco_error err;
    (void)state;
    bench_wish w = { .what = "peak", .seconds = SECONDS, .threads = 1, .out = collect, .ctx = &text };
    assert_int_equal(bench_run(&w, &err), LACO_OK);
    assert_ptr_equal(strstr(text.data, "## The processor\n\n|"), text.data);
    assert_non_null(strstr(text.data, "multiply-add, 1 thread "));
    assert_null(strstr(text.data, "2 threads"));
    w.out = NULL;
    assert_int_equal(bench_run(&w, NULL), LACO_OK);
    buf_free(&text);
}

static void refusals(void **state)
{
    static const struct {
        const char *what, *row;
        int threads, stop;
        laco_status st;
        const char *says;
    } row[] = {
        { "peek", NULL, 1, 0, LACO_EINVAL, "cannot measure \"peek\"" },
        { "peak", NULL, -1, 0, LACO_EINVAL, "-1 threads" },
        { "peak", NULL, 1, 1, LACO_ESTOPPED, "stopped" },
        { "all", NULL, 1, 1, LACO_ESTOPPED, "stopped" },
        { "row", "stream lstm 16", 1, 1, LACO_ESTOPPED, "stopped" },
        { "peak", "stream lstm 16", 1, 0, LACO_EINVAL, "belong to laco bench row" },
        { "row", NULL, 1, 0, LACO_EINVAL, "no row \"\"" },
        { "row", "", 1, 0, LACO_EINVAL, "a row is \"train CELL" },
        { "row", "walk lstm 16", 1, 0, LACO_EINVAL, "no row \"walk lstm 16\"" },
        { "row", "an-endless-kind-of-row lstm 16", 1, 0, LACO_EINVAL, "no row" },
        { "row", "stream", 1, 0, LACO_EINVAL, "\"stream CELL H [bf16|int8]\"" },
        { "row", "stream lstm", 1, 0, LACO_EINVAL, "\"stream CELL H [bf16|int8]\"" },
        { "row", "stream lstm 16,16", 1, 0, LACO_EINVAL, "\"stream CELL H [bf16|int8]\"" },
        { "row", "stream lstm 0", 1, 0, LACO_EINVAL, "sizes from 1 to 65536" },
        { "row", "stream lstm 65537", 1, 0, LACO_EINVAL, "sizes from 1 to 65536" },
        { "row", "stream lstm 99999999999999999999999", 1, 0, LACO_EINVAL, "sizes from 1 to 65536" },
        { "row", "stream lstm 16 ", 1, 0, LACO_EINVAL, "\"stream CELL H [bf16|int8]\"" },
        { "row", "stream lstm 16 int4", 1, 0, LACO_EINVAL, "no weights \"int4\"; there is float, bf16 and int8" },
        { "row", "stream lstm 16 int8 int8", 1, 0, LACO_EINVAL, "[bf16|int8]" },
        { "row", "stream lstm 16 a-long-kind-of-weights", 1, 0, LACO_EINVAL, "[bf16|int8]" },
        { "row", "infer lstm 4,4,4,4 int8", 1, 0, LACO_EINVAL, "\"infer CELL I,H,B,T\"" },
        { "row", "train lstm 4,4,4", 1, 0, LACO_EINVAL, "\"train CELL I,H,B,T\"" },
        { "row", "train lstm 4,4,4,", 1, 0, LACO_EINVAL, "\"train CELL I,H,B,T\"" },
        { "row", "train lstm 4;4,4,4", 1, 0, LACO_EINVAL, "\"train CELL I,H,B,T\"" },
        { "row", "train lstm 4,4,-4,4", 1, 0, LACO_EINVAL, "\"train CELL I,H,B,T\"" },
        { "row", "infer lstm 4,4,4,4,4", 1, 0, LACO_EINVAL, "\"infer CELL I,H,B,T\"" },
        { "row", "train lsmt 4,4,4,4", 1, 0, LACO_EINVAL, "no cell \"lsmt\"; did you mean \"lstm\"?" },
        { "row", "train a-cell-with-a-name-too-long 4,4,4,4", 1, 0, LACO_EINVAL, "is not of the form" },
        { "row", "lm text", 1, 0, LACO_EINVAL, "no language model \"text\"" },
        { "row", "lm char 16", 1, 0, LACO_EINVAL, "\"lm char|word|tiny\"" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        buf text = { 0 };
        laco_error err = { 0 };
        const volatile int stop = row[i].stop;
        const bench_wish w = { .what = row[i].what,
                               .row = row[i].row,
                               .seconds = SECONDS,
                               .threads = row[i].threads,
                               .json = true,
                               .out = collect,
                               .ctx = &text,
                               .stop = &stop };
        laco_status st = bench_run(&w, &err);
        assert_int_equal(st, row[i].st);
        assert_int_equal(err.code, row[i].st);
        assert_non_null(strstr(err.msg, row[i].says));
        assert_int_equal(text.len, 0);
        buf_free(&text);
    }
}

static const sheet_column columns[] = { { "name", "cell", SHEET_TEXT }, { "x", "GFLOP/s", 1 }, { NULL, NULL, 0 } };

static void sheet_texts(void **state)
{
    sheet t = { 0 };
    buf text = { 0 };
    json_out j = { .to = &text };
    (void)state;
    sheet_start(&t, "speed", "Speed", columns);
    sheet_text(&t, "lstm"), sheet_number(&t, 12.34), sheet_text(&t, "gru-before"), sheet_number(&t, NAN);
    sheet_markdown(&t, &text);
    assert_string_equal(text.data, "## Speed\n\n"
                                   "| cell       | GFLOP/s |\n"
                                   "|------------|--------:|\n"
                                   "| lstm       |    12.3 |\n"
                                   "| gru-before |       - |\n\n");
    text.len = 0;
    json_begin(&j, '{'), sheet_json(&t, &j), json_end(&j, '}');
    assert_string_equal(text.data,
                        "{\"speed\":[{\"name\":\"lstm\",\"x\":12.34},{\"name\":\"gru-before\",\"x\":null}]}");
    assert_false(t.failed);
    sheet_free(&t), buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sheet_texts),    cmocka_unit_test(refusals),        cmocka_unit_test(long_windows), cmocka_unit_test(markdown_report),
        cmocka_unit_test(json_reports),   cmocka_unit_test(row_reports),     cmocka_unit_test(row_repeats),
        cmocka_unit_test(ragged_batches), cmocka_unit_test(language_models), cmocka_unit_test(bandwidths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
