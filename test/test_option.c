/* Options: types, bounds, defaults, messages. */
#include "base/option.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const laco_option rows[] = {
    { "data", "train eval", "Data", 'p', NULL, 0, 0, NULL, NULL, "A text." },
    { "unit", "train", "Data", 'e', "char", 0, 0, "byte|char|word", NULL, "What a step reads." },
    { "epochs", "train", "Training", 'i', "10", 1, 1e15, NULL, "epochs", "How often." },
    { "offset", "train", "Training", 'i', NULL, -INFINITY, INFINITY, NULL, NULL, "Any whole number." },
    { "lr", "train", "Training", 'f', "0.002", 0, 1, NULL, NULL, "Step size." },
    { "clip", "train", "Training", 'f', NULL, 0, INFINITY, NULL, NULL, "Largest gradient." },
    { "below", "train", "Training", 'f', NULL, -INFINITY, 0.1, NULL, NULL, "At most a tenth." },
    { "lower", "train", "Data", 'b', NULL, 0, 0, NULL, NULL, "Lower case." },
    { "tied", "train", "Data", 'b', "true", 0, 0, NULL, NULL, "Shares weights." },
    { "name", "train sample", "Data", 's', NULL, 0, 0, NULL, NULL, "A text." },
    { "temperature", "sample", "Sampling", 'f', "1", 0, 10, NULL, NULL, "Spread." },
    { "lr", "eval", "Training", 'f', "0.5", 0, 1, NULL, NULL, "Another default for another command." },
    { "lr", "train eval", "Training", 'f', "0.25", 0, 1, NULL, NULL,
      "Never reached: the first row that fits is meant." },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static options *train(void)
{
    options *o;
    laco_error e;
    assert_int_equal(options_new(&o, rows, ROWS, "train lm", &e), LACO_OK);
    return o;
}

static void defaults_hold(void **state)
{
    (void)state;
    options *o = train();
    assert_int_equal(options_int(o, "epochs"), 10);
    assert_true(options_real(o, "lr") == 0.002);
    assert_string_equal(options_text(o, "lr"), "0.002");
    assert_string_equal(options_text(o, "unit"), "char");
    assert_null(options_text(o, "data"));
    assert_true(isnan(options_real(o, "clip")));
    assert_int_equal(options_int(o, "offset"), 0);
    assert_false(options_flag(o, "lower"));
    assert_true(options_flag(o, "tied"));
    assert_false(options_given(o, "lr"));
    assert_null(options_text(o, "temperature")); /* of another command */
    assert_true(isnan(options_real(o, "nothing")));
    assert_false(options_flag(o, "nothing") || options_given(o, "nothing") || options_int(o, "nothing"));
    options_free(o);
    assert_int_equal(options_new(&o, rows, ROWS, "eval", NULL), LACO_OK);
    assert_true(options_real(o, "lr") == 0.5);
    options_free(o);
    options_free(NULL);
}

static void good_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        int64_t i;
        double x;
    } numbers[] = {
        { "epochs", "1", 1, 1 },
        { "epochs", "007", 7, 7 },
        { "epochs", "+5", 5, 5 },
        { "epochs", "1e3", 1000, 1000 },
        { "epochs", "1.5e3", 1500, 1500 },
        { "epochs", "2.0", 2, 2 },
        { "epochs", "1000000000000000", 1000000000000000, 1e15 },
        { "offset", "-9223372036854775808", INT64_MIN, -0x1p63 },
        { "offset", "9007199254740993", 9007199254740993, 0x1p53 },
        { "lr", "0", 0, 0 },
        { "lr", "1", 0, 1 },
        { "lr", "1e-3", 0, 0.001 },
        { "lr", ".5", 0, 0.5 },
        { "clip", "1e300", 0, 1e300 },
        { "below", "-7", 0, -7 },
    };
    options *o = train();
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
        laco_error e;
        assert_int_equal(options_set(o, numbers[k].name, numbers[k].value, &e), LACO_OK);
        assert_true(options_given(o, numbers[k].name));
        assert_string_equal(options_text(o, numbers[k].name), numbers[k].value);
        assert_int_equal(options_int(o, numbers[k].name), numbers[k].i);
        assert_true(options_real(o, numbers[k].name) == numbers[k].x);
    }
    static const char *const flags[] = { "0", "1", "false", "true", "no", "yes", "off", "on" };
    for (int k = 0; k < 8; k++) {
        assert_int_equal(options_set(o, "lower", flags[k], NULL), LACO_OK);
        assert_int_equal(options_flag(o, "lower"), k % 2);
    }
    assert_int_equal(options_set(o, "tied", "off", NULL), LACO_OK);
    assert_int_equal(options_set(o, "tied", NULL, NULL), LACO_OK); /* --tied alone */
    assert_true(options_flag(o, "tied"));
    assert_int_equal(options_set(o, "unit", "byte", NULL), LACO_OK);
    assert_int_equal(options_set(o, "unit", "word", NULL), LACO_OK); /* the last one wins */
    assert_string_equal(options_text(o, "unit"), "word");
    char path[] = "a path";
    assert_int_equal(options_set(o, "data", path, NULL), LACO_OK);
    path[0] = 'X'; /* it was copied */
    assert_string_equal(options_text(o, "data"), "a path");
    assert_int_equal(options_set(o, "name", "", NULL), LACO_OK);
    assert_string_equal(options_text(o, "name"), "");
    assert_true(options_given(o, "name"));
    options_free(o);
}

static void bad_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *message;
    } cases[] = {
        { "lr", "abc", "option --lr: \"abc\" is not a number" },
        { "lr", "", "option --lr: \"\" is not a number" },
        { "lr", "0.1x", "option --lr: \"0.1x\" is not a number" },
        { "lr", "nan", "option --lr: \"nan\" is not a number" },
        { "lr", "0x1p-3", "option --lr: \"0x1p-3\" is not a number" },
        { "clip", "inf", "option --clip: \"inf\" is not a number" },
        { "lr", "0,5", "option --lr: \"0,5\" is not a number" },
        { "lr", "5", "option --lr is 5 but must be from 0 to 1" },
        { "lr", "-1e-9", "option --lr is -1e-9 but must be from 0 to 1" },
        { "clip", "-1", "option --clip is -1 but must be at least 0" },
        { "below", "1", "option --below is 1 but must be at most 0.1" },
        { "lr", NULL, "option --lr needs a value" },
        { "epochs", "0", "option --epochs is 0 but must be from 1 to 1e+15" },
        { "epochs", "99999999999999999999", "option --epochs is 99999999999999999999 but must be from 1 to 1e+15" },
        { "epochs", "10k", "option --epochs: \"10k\" is not a whole number" },
        { "epochs", "1.5", "option --epochs: \"1.5\" is not a whole number" },
        { "epochs", " 5", "option --epochs: \" 5\" is not a whole number" },
        { "epochs", "1e-3", "option --epochs: \"1e-3\" is not a whole number" },
        { "offset", "9223372036854775808", "option --offset: 9223372036854775808 is too large for a whole number" },
        { "offset", "1e17", "option --offset: 1e17 is too large for a whole number" },
        { "lower", "maybe", "option --lower: \"maybe\" is neither true nor false" },
        { "lower", "", "option --lower: \"\" is neither true nor false" },
        { "unit", "bytes", "option --unit: \"bytes\" is not one of byte|char|word; did you mean \"byte\"?" },
        { "unit", "sentence", "option --unit: \"sentence\" is not one of byte|char|word" },
        { "unit", "byte|char", "option --unit: \"byte|char\" is not one of byte|char|word" },
        { "unit", "", "option --unit: \"\" is not one of byte|char|word" },
        { "data", "", "option --data needs a path, and it is empty" },
        { "epoch", "3", "unknown option \"--epoch\"; did you mean \"--epochs\"?" },
        { "zzz", "3", "unknown option \"--zzz\"; the help of train lm lists those there are" },
        { "", "3", "unknown option \"--\"; the help of train lm lists those there are" },
        { "temperature", "3", "option --temperature is not for train lm but for: sample" },
    };
    options *o = train();
    assert_int_equal(options_set(o, "lr", "0.25", NULL), LACO_OK);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        laco_error e;
        assert_int_equal(options_set(o, cases[k].name, cases[k].value, &e), LACO_EINVAL);
        assert_string_equal(e.msg, cases[k].message);
    }
    assert_true(options_real(o, "lr") == 0.25); /* what was refused changed nothing */
    assert_string_equal(options_text(o, "lr"), "0.25");
    assert_false(options_given(o, "epochs"));
    assert_int_equal(options_int(o, "epochs"), 10);
    assert_string_equal(options_text(o, "unit"), "char");
    options_free(o);
}

static void huge_values_give_short_messages(void **state)
{
    (void)state;
    static char huge[100000];
    laco_error e;
    options *o = train();
    memset(huge, '9', sizeof huge - 1);
    static const char *const names[] = { "lr", "epochs", "offset", "unit", "lower" };
    for (int k = 0; k < 5; k++) {
        assert_int_equal(options_set(o, names[k], huge, &e), LACO_EINVAL);
        assert_in_range(strlen(e.msg), 20, 300);
    }
    assert_int_equal(options_set(o, huge, "1", &e), LACO_EINVAL);
    assert_in_range(strlen(e.msg), 20, 300);
    assert_int_equal(options_set(o, "name", huge, &e), LACO_OK);
    options_free(o);
}

static void wrong_rows_are_noticed(void **state)
{
    (void)state;
    static const laco_option wrong[] = {
        { "lr", "train", "", 'f', "2", 0, 1, NULL, NULL, "" },
        { "n", "train", "", 'i', "x", 0, 1, NULL, NULL, "" },
        { "c", "train", "", 'e', "d", 0, 1, "a|b", NULL, "" },
        { "t", "train", "", 'z', "d", 0, 1, "a|b", NULL, "" },
    };
    options *o;
    laco_error e;
    for (int k = 0; k < 4; k++) {
        assert_int_equal(options_new(&o, &wrong[k], 1, "train", &e), LACO_EINVAL);
        assert_null(o);
        assert_non_null(strstr(e.msg, wrong[k].name));
    }
    assert_int_equal(options_new(&o, wrong, 4, "version", &e), LACO_OK); /* a command without options */
    assert_int_equal(options_set(o, "n", "1", &e), LACO_EINVAL);
    options_free(o);
    assert_int_equal(options_new(&o, wrong, 4, "tra", &e), LACO_OK); /* whole words only */
    assert_null(options_text(o, "n"));
    options_free(o);
    assert_int_equal(options_new(&o, wrong, 4, "", &e), LACO_OK);
    options_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(good_values),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(huge_values_give_short_messages),
        cmocka_unit_test(wrong_rows_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
