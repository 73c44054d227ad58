/* Parts, classes and what the network reads of examples; naive Bayes beside a network. test/cli/classify.case has the
   command. */
#include "task/classify.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

typedef struct option_pair {
    const char *name, *value;
} option_pair;
typedef struct thing {
    options *o;
    task_job j;
    reading f;
    examples e;
} thing;
/* A table read as train classify does, up to its parts. */
static laco_status begin(thing *q, const char *data, const option_pair *given, laco_error *err)
{
    static const int never = 0;
    int count;
    const laco_option *rows = laco_options(&count);
    *q = (thing){ 0 };
    assert_int_equal(options_new(&q->o, rows, count, "train classify", NULL), LACO_OK);
    for (; given->name; given++) assert_int_equal(options_set(q->o, given->name, given->value, NULL), LACO_OK);
    q->j = (task_job){ .o = q->o, .stop = &never, .command = "train classify" };
    q->j.text[TEXT_DATA] = (char *)data, q->j.length[TEXT_DATA] = strlen(data);
    assert_int_equal(reading_options(&q->f, q->o, NULL), LACO_OK);
    assert_int_equal(examples_new(&q->e, NULL), LACO_OK);
    assert_int_equal(examples_read(&q->e, &q->f, TEXT_DATA, NULL, PART_TRAIN, &q->j, NULL), LACO_OK);
    return examples_split(&q->e, &q->f, &q->j, err);
}
static void end(thing *q) { examples_free(&q->e), reading_free(&q->f), options_free(q->o); }
static int64_t count_of(const thing *q, int part, int32_t class)
{
    int64_t n = 0;
    for (int64_t i = 0; i < q->e.count; i++) n += q->e.row[i].part == part && (class < 0 || q->e.row[i].right == class);
    return n;
}
/* 60 of class a, 30 of b, 1 of c, one without an answer, from three groups. */
static void write_table(buf *to)
{
    buf_text(to, "t,l,g\n");
    for (int i = 0; i < 90; i++)
        buf_printf(to, "text %d,%s,%s\n", i, i % 3 ? "a" : "b", i % 2 ? "x" : i % 4 ? "y" : "z");
    buf_text(to, "alone,c,x\nlost,,x\n");
}
static void test_split(void **state)
{
    const option_pair o[] = { { "text", "t" }, { "label", "l" }, { "split", "0.2" }, { NULL, NULL } };
    buf data = { 0 };
    thing q;
    (void)state;
    write_table(&data);
    assert_int_equal(begin(&q, data.data, o, NULL), LACO_OK);
    assert_int_equal(q.f.classes, 3);
    assert_string_equal(q.f.class[1], "b");
    assert_int_equal(count_of(&q, PART_VALID, 0), 12), assert_int_equal(count_of(&q, PART_TRAIN, 0), 48);
    assert_int_equal(count_of(&q, PART_VALID, 1), 6), assert_int_equal(count_of(&q, PART_TRAIN, 1), 24);
    assert_int_equal(count_of(&q, PART_TRAIN, 2), 1); /* the only one of its class stays */
    assert_int_equal(count_of(&q, PART_NONE, -1), 1), assert_int_equal(count_of(&q, PART_TEST, -1), 0);
    assert_true(fabs(q.f.prior[0] - 48.0 / 73) < 1e-12);
    end(&q), buf_free(&data);
}
static void test_folds(void **state)
{
    option_pair o[] = { { "text", "t" }, { "label", "l" }, { "folds", "7" }, { "fold", "3" }, { NULL, NULL } };
    const option_pair by_group[] = {
        { "text", "t" }, { "label", "l" }, { "group", "g" }, { "fold", "2" }, { NULL, NULL }
    };
    buf data = { 0 };
    thing q;
    (void)state;
    write_table(&data);
    assert_int_equal(begin(&q, data.data, o, NULL), LACO_OK);
    for (int64_t i = 0; i < 91; i++) assert_true((q.e.row[i].part == PART_TEST) == (i % 7 == 2));
    end(&q);
    assert_int_equal(begin(&q, data.data, by_group, NULL), LACO_OK);
    assert_int_equal(q.j.groups, 3);
    assert_string_equal(q.j.part, "y");
    for (int64_t i = 0; i < 90; i++) assert_true((q.e.row[i].part == PART_TEST) == (i % 4 == 2));
    end(&q);
    laco_error err;
    o[3].value = "8";
    assert_int_equal(begin(&q, data.data, o, &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "--fold 8"));
    end(&q), buf_free(&data);
}
/* What a model keeps reads as what was trained: rare words spelled, long texts cut, unknown characters left out. */
static void test_reading(void **state)
{
    const option_pair o[] = { { "text", "t" },   { "label", "l" },     { "split", "0" },      { "unit", "both" },
                              { "lower", NULL }, { "min-count", "2" }, { "max-length", "6" }, { NULL, NULL } };
    laco_model *m;
    reading again;
    thing q;
    (void)state;
    assert_int_equal(begin(&q, "t,l\nThe cat sat,a\nthe the ace,b\n", o, NULL), LACO_OK);
    assert_int_equal(reading_learn(&q.f, &q.e, q.o, &q.j, NULL), LACO_OK);
    assert_int_equal(reading_apply(&q.f, &q.e, &q.j, NULL), LACO_OK);
    /* the @@c @@a @@t @@s @@a of the first, cut; the the @@a @@c <unk>: e is rare, and no word */
    static const char *const want[] = { "the", "@@c", "@@a", "@@t", "<unk>", "@@a",
                                        "the", "the", "@@a", "@@c", "<unk>", "<eos>" };
    assert_int_equal(q.e.positions, 12);
    assert_int_equal(q.e.row[1].start, 6);
    for (int i = 0; i < 12; i++) {
        size_t n;
        const char *s = vocab_symbol(q.f.v, q.e.ids[i], &n);
        assert_int_equal(n, strlen(want[i]));
        assert_memory_equal(s, want[i], n);
    }
    assert_int_equal(model_new(&m, "embed 2; lstm 2; dense", vocab_size(q.f.v), 2, 1, NULL), LACO_OK);
    assert_int_equal(reading_save(&q.f, m, NULL), LACO_OK);
    assert_int_equal(reading_load(&again, m, "model", NULL), LACO_OK);
    assert_int_equal(reading_apply(&again, &q.e, &q.j, NULL), LACO_OK);
    assert_int_equal(q.e.positions, 12);
    assert_string_equal(again.class[1], "b");
    assert_true(again.max_length == 6 && again.spell && again.line.lower);
    reading_free(&again);
    assert_int_equal(model_set(m, "classes", "[\"b\",\"a\"]", NULL), LACO_OK);
    laco_error err;
    assert_int_equal(reading_load(&again, m, "x.safetensors", &err), LACO_EFORMAT);
    assert_string_equal(err.msg, "x.safetensors: its classes are not in order");
    laco_model_free(m), end(&q);
}
/* Numbers are scaled; what is missing is 0 and marked; a constant says nothing. */
static void test_numbers(void **state)
{
    const option_pair o[] = { { "id", "id" }, { "target", "y" }, { "split", "0" }, { NULL, NULL } };
    thing q;
    (void)state;
    assert_int_equal(begin(&q, "id,a,b,y\n1,1,5,2\n1,,5,3\n2,3,5,4\n2,5,5,5\n", o, NULL), LACO_OK);
    assert_true(q.f.every); /* y changes inside a series */
    assert_int_equal(reading_learn(&q.f, &q.e, q.o, &q.j, NULL), LACO_OK);
    assert_int_equal(q.f.features, 2), assert_int_equal(q.f.inputs, 3);
    assert_int_equal(reading_apply(&q.f, &q.e, &q.j, NULL), LACO_OK);
    const double d = sqrt(8.0 / 3);
    const double want[] = { -2 / d, 0, 0, 0, 0, 1, 0, 0, 0, 2 / d, 0, 0 };
    for (int i = 0; i < 12; i++) assert_true(fabs(q.e.x[i] - want[i]) < 1e-6);
    assert_true(fabs(q.f.y_mean - 3.5) < 1e-12 && fabs(q.f.y_scale - sqrt(1.25)) < 1e-12);
    end(&q);
}
/* The weights of the least loss: what knows nothing has none; what is too sure is made less so. */
static void test_mixture(void **state)
{
    enum { N = 400 };
    static double network[N][2], counted[N][2];
    static example row[N];
    examples e = { .row = row, .count = N };
    verdicts a = { .width = 2, .p = network[0] }, b = { .width = 2, .p = counted[0] };
    mixture m = { 0 };
    (void)state;
    for (int i = 0; i < N; i++) { /* naive Bayes says 0.99 and is right in three of four */
        row[i] = (example){ .part = PART_VALID, .right = i % 2 };
        int said = i / 2 % 4 ? i % 2 : !(i % 2);
        counted[i][said] = 0.99, counted[i][!said] = 0.01;
        network[i][0] = network[i][1] = 0.5;
    }
    assert_int_equal(mixture_learn(&m, &e, &a, &b, NULL), LACO_OK);
    assert_true(m.on);
    mixture_apply(&m, &a, &b, N);
    double p = network[2][0];            /* said 0.99 for it */
    assert_true(fabs(p - 0.75) < 0.002); /* but for the penalty */
    assert_true(fabs(network[2][0] + network[2][1] - 1) < 1e-12);
    for (int i = 0; i < N; i++) counted[i][0] = counted[i][1] = 0.5;
    m = (mixture){ 0 };
    assert_int_equal(mixture_learn(&m, &e, &a, &b, NULL), LACO_OK);
    assert_false(m.on && m.bayes > 1e-6);
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_split), cmocka_unit_test(test_folds),
                                        cmocka_unit_test(test_reading), cmocka_unit_test(test_numbers),
                                        cmocka_unit_test(test_mixture) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
