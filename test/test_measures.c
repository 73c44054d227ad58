/* Figures of classifiers, labels and numbers against values worked out by hand. */
#include "task/measures.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define near(x, y) assert_true(fabs((x) - (y)) < 1e-12)

/* Five rows of three classes, and one that is not known:  right 0 0 1 1 2, said 0 1 1 1 0. */
static void test_classes(void **state)
{
    static const double p[] = { 0.7, 0.2, 0.1, 0.3, 0.5, 0.2, 0.1, 0.8, 0.1, 0.2, 0.6, 0.2, 0.5, 0.1, 0.4, 1, 0, 0 };
    static const int32_t right[] = { 0, 0, 1, 1, 2, -1 };
    static const int64_t want[] = { 1, 1, 0, 0, 2, 0, 1, 0, 0 };
    int64_t confusion[9];
    class_figures f;
    (void)state;
    assert_int_equal(measure_classes(&f, confusion, p, right, 6, 3, NULL), LACO_OK);
    assert_int_equal(f.n, 5);
    for (int i = 0; i < 9; i++) assert_int_equal(confusion[i], want[i]);
    near(f.accuracy, 3.0 / 5);
    near(f.recall, (0.5 + 1 + 0) / 3);
    near(f.f1, (2.0 * 1 / (2 + 2) + 2.0 * 2 / (2 + 3) + 0) / 3); /* said: 0 twice, 1 three times, 2 never */
    near(f.loss, -(log(0.7) + log(0.3) + log(0.8) + log(0.6) + log(0.4)) / 5);
    /* class 0: 0.7 0.3 against 0.1 0.2 0.5: 5 of 6 pairs; class 1: 0.8 0.6 against 0.2 0.5 0.1: all; class 2: 0.4: all
     */
    near(f.auc, (5.0 / 6 + 1 + 1) / 3);
    /* bins of width 1/15: 0.7 | 0.5 0.5 | 0.8 | 0.6 stand apart */
    near(f.calibration, (0.3 + 1.0 + 0.2 + 0.4) / 5);
}
/* A class that never occurs and is never said counts in no mean; without rows there are no figures. */
static void test_absent(void **state)
{
    static const double p[] = { 0.9, 0.1, 0, 0.2, 0.8, 0 };
    static const int32_t right[] = { 0, 1 }, none[] = { -1, -1 };
    class_figures f;
    (void)state;
    assert_int_equal(measure_classes(&f, NULL, p, right, 2, 3, NULL), LACO_OK);
    near(f.recall, 1), near(f.f1, 1), near(f.auc, 1);
    assert_int_equal(measure_classes(&f, NULL, p, none, 2, 3, NULL), LACO_OK);
    assert_int_equal(f.n, 0);
    assert_true(isnan(f.accuracy) && isnan(f.recall) && isnan(f.auc));
}
static void test_auc(void **state)
{
    static const double p[] = { 0.5, 0.5, 0.5, 0.1, 0.9, 7 };
    static const int8_t side[] = { 1, 0, 0, 0, 1, -1 }, one[] = { 1, 1, 1, 1, 1, 1 };
    double auc;
    (void)state;
    assert_int_equal(measure_auc(&auc, p, 1, side, 6, NULL), LACO_OK);
    near(auc, (2 * 0.5 + 1 + 3) / 6.0); /* 0.5 against 0.5 0.5 0.1, 0.9 against all */
    assert_int_equal(measure_auc(&auc, p, 1, one, 6, NULL), LACO_OK);
    assert_true(isnan(auc));
    assert_int_equal(measure_auc(&auc, p, 2, side, 3, NULL), LACO_OK); /* 0.5 | 0.5 0.9 */
    near(auc, 0.25);
}
static void test_labels(void **state)
{
    static const double p[] = { 0.9, 0.2, 0.6, 0.7, 0.4, 0.4 };
    static const float right[] = { 1, 0, 0, 1, 1, 0 };
    label_figures f;
    (void)state;
    assert_int_equal(measure_labels(&f, p, right, 3, 2, NULL), LACO_OK);
    assert_int_equal(f.n, 3);
    near(f.exact, 1.0 / 3);
    near(f.f1, (2.0 * 1 / 4 + 2.0 * 1 / 2) / 2); /* label 0: said 2, there 2, both 1; label 1: 1, 1, 1 */
    near(f.micro_f1, 2.0 * 2 / 6);
    near(f.auc, (0.5 + 1) / 2);
    near(f.loss, -(log(0.9) + log(0.8) + log(0.4) + log(0.7) + log(0.4) + log(0.6)) / 3);
}
static void test_numbers(void **state)
{
    static const double y[] = { 1, 4, 2, 9 }, t[] = { 2, 2, 2, NAN }, spread[] = { 0, 2, 4, NAN };
    (void)state;
    number_figures f = measure_numbers(y, t, 4);
    assert_int_equal(f.n, 3);
    near(f.rmse, sqrt(5.0 / 3)), near(f.mae, 1);
    near(f.late, exp(1.0 / 13) - 1 + exp(2.0 / 10) - 1); /* one too early, two too late */
    assert_true(isnan(f.r2));
    f = measure_numbers(y, spread, 4);
    near(f.r2, 1 - 9.0 / 8);
    f = measure_numbers(y, t + 3, 1);
    assert_int_equal(f.n, 0);
    assert_true(isnan(f.rmse) && isnan(f.late));
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_classes), cmocka_unit_test(test_absent),
                                        cmocka_unit_test(test_auc), cmocka_unit_test(test_labels),
                                        cmocka_unit_test(test_numbers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
