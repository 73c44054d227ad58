/* laco explain of models of train classify against differences of laco predict, through laco_job_* and small data. */
#include "base/json.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static char model[64];
typedef struct option_pair {
    const char *name, *value;
} option_pair;
static void on_out(void *ctx, const char *bytes, size_t n) { buf_add(ctx, bytes, n); }
/* Output, or the figures where there is none; freed with buf_free. Options end in a NULL name. */
static buf run(const char *command, const char *data, const option_pair *o)
{
    laco_job *job;
    laco_error err = { 0 };
    buf out = { 0 };
    laco_watch watch = { .size = sizeof watch, .ctx = &out, .out = on_out };
    assert_int_equal(laco_job_new(&job, command, &err), LACO_OK);
    if (data) assert_int_equal(laco_job_text(job, "data", data, strlen(data), &err), LACO_OK);
    for (; o->name; o++) assert_int_equal(laco_job_set(job, o->name, o->value, &err), LACO_OK);
    if (laco_job_run(job, &watch, &err)) fail_msg("%s: %s", command, err.msg);
    if (!out.len) buf_text(&out, laco_job_result(job));
    laco_job_free(job);
    return out;
}
/* The number in a column of the first record of an answer. */
static double answer(const char *data, int column)
{
    const option_pair o[] = { { "model-file", model }, { "threads", "1" }, { NULL, NULL } };
    buf out = run("predict", data, o);
    const char *at = strchr(out.data, '\n') + 1;
    for (int i = 0; i < column; i++) at = strchr(at, ',') + 1;
    double x = strtod(at, NULL);
    buf_free(&out);
    return x;
}
static json_doc *explain(const char *data)
{
    const option_pair o[] = { { "model-file", model }, { "json", NULL }, { "threads", "1" }, { NULL, NULL } };
    json_doc *d;
    buf out = run("explain", data, o);
    assert_int_equal(json_parse(&d, out.data, out.len, NULL), LACO_OK);
    buf_free(&out);
    return d;
}
static const json *steps_of(const json_doc *d)
{
    const json *list = json_get(json_root(d), "examples");
    assert_true(list && list->kind == JSON_ARRAY && list->len >= 1);
    return json_get(&list->item[0], "steps");
}

/* ---- numbers ---- the target of a series is half the sum of its values, and a little of their squares */
enum { SERIES = 40, STEPS = 5 };
static double value_at(int i, int t) { return sin(1.7 * i + 0.9 * t) + 0.1 * i; }
static void write_series(buf *to, int from, int count, int changed, double by)
{
    buf_text(to, "id,x,y\n");
    for (int i = from; i < from + count; i++) {
        double y = 0;
        for (int t = 0; t < STEPS; t++) y += 0.5 * value_at(i, t) + 0.1 * value_at(i, t) * value_at(i, t);
        for (int t = 0; t < STEPS; t++) buf_printf(to, "%d,%.9g,%.9g\n", i, value_at(i, t) + (t == changed ? by : 0), y);
    }
}
static double number_of(int i, int changed, double by)
{
    buf data = { 0 };
    write_series(&data, i, 1, changed, by);
    double y = answer(data.data, 1);
    buf_free(&data);
    return y;
}
static void test_numbers(void **state)
{
    const option_pair o[] = { { "out", model }, { "id", "id" }, { "target", "y" }, { "split", "0" }, { "threads", "1" },
                              { "model", "gru 6 bidirectional; pool mean; dense" }, { "epochs", "20" }, { "lr", "0.02" },
                              { "batch", "8" }, { NULL, NULL } };
    const double h = 0.02;
    buf data = { 0 }, one = { 0 };
    double mean = 0;
    (void)state;
    write_series(&data, 0, SERIES, -1, 0), write_series(&one, 3, 1, -1, 0);
    for (int i = 0; i < SERIES * STEPS; i++) mean += value_at(i / STEPS, i % STEPS) / (SERIES * STEPS);
    buf trained = run("train classify", data.data, o);
    buf_free(&trained);
    json_doc *d = explain(one.data);
    const json *steps = steps_of(d);
    assert_int_equal(steps->len, STEPS);
    for (int t = 0; t < STEPS; t++) {
        double away = value_at(3, t) - mean, slope = (number_of(3, t, h) - number_of(3, t, -h)) / (2 * h);
        double without = number_of(3, -1, 0) - number_of(3, t, -away);
        assert_true(fabs(json_get(&steps->item[t], "gradient")->number - away * slope) < 1e-3);
        assert_true(fabs(json_get(&steps->item[t], "occlusion")->number - without) < 1e-4);
        assert_true(fabs(slope) > 0.01); /* there is something to see */
    }
    json_free(d), buf_free(&data), buf_free(&one);
}

/* ---- words ---- */
static void test_words(void **state)
{
    static const char *const left[] = { "is very good\n", "it very good\n", "it is good\n", "it is very\n" };
    const option_pair o[] = { { "out", model }, { "text", "t" }, { "label", "l" }, { "split", "0" }, { "threads", "1" },
                              { "model", "embed 4; lstm 4; dense" }, { "epochs", "10" }, { "lr", "0.02" },
                              { "batch", "8" }, { NULL, NULL } };
    buf data = { 0 };
    (void)state;
    buf_text(&data, "t,l\n");
    for (int i = 0; i < 60; i++)
        buf_printf(&data, "%s %s %s,%d\n", i % 5 ? "it is" : "we find", i % 3 ? "very" : "rather", i % 2 ? "good" : "bad", i % 2);
    buf trained = run("train classify", data.data, o);
    buf_free(&trained);
    json_doc *d = explain("it is very good\n");
    const json *steps = steps_of(d), *whole = json_get(json_root(d), "examples");
    assert_string_equal(json_get(&whole->item[0], "class")->text, "1");
    assert_int_equal(steps->len, 5);
    assert_string_equal(json_get(&steps->item[3], "step")->text, "good");
    double p = answer("it is very good\n", 1), sum = 0;
    assert_true(fabs(p - json_get(&whole->item[0], "probability")->number) < 1e-5);
    for (int t = 0; t < 4; t++) {
        buf out = run("predict", left[t],
                      (const option_pair[]){ { "model-file", model }, { "probabilities", NULL }, { NULL, NULL } });
        double rest = strtod(strrchr(out.data, ',') + 1, NULL); /* of class 1, the last */
        assert_true(fabs(json_get(&steps->item[t], "occlusion")->number - log(p / rest)) < 1e-3);
        sum += json_get(&steps->item[t], "gradient")->number;
        buf_free(&out);
    }
    assert_true(json_get(&steps->item[3], "occlusion")->number > 0.1 && sum != 0);
    json_free(d), buf_free(&data);
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_numbers), cmocka_unit_test(test_words) };
    snprintf(model, sizeof model, "/tmp/test_classify_%d.safetensors", (int)getpid());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(model);
    return failed;
}
