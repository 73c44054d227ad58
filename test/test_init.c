/* Initialisers: the biases of gates by chrono, and that all others of it are those of uniform. */
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static net *make(const char *text, const char *init, double forget_bias, pool *one)
{
    laco_error err;
    const kernels *k;
    assert_int_equal(kernels_choose(&k, REAL_DOUBLE, &err), LACO_OK);
    net *n = net_of(text, 3, 1, k, one);
    assert_int_equal(net_init(n, init, forget_bias, 5, &err), LACO_OK);
    return n;
}
/* Time scales exp(bias) are uniform between 1 and 100, input gates the opposite. */
static void chrono(void **state)
{
    (void)state;
    enum { UNITS = 400 };
    pool *one;
    laco_error err;
    assert_int_equal(pool_new(&one, 1, &err), LACO_OK);
    net *n = make("lstm 400; dense", "chrono", log(100), one), *u = make("lstm 400; dense", "uniform", 0, one);
    const param_tensor *t = net_find(n, "layers.0.bias_ih");
    double sum = 0, squares = 0;
    assert_non_null(t);
    for (int64_t i = 0; i < UNITS; i++) {
        double input = net_get(n, t->offset + i), forget = net_get(n, t->offset + UNITS + i), steps = exp(forget);
        assert_true(input == -forget && forget >= 0 && forget <= log(100));
        sum += steps / UNITS, squares += steps * steps / UNITS;
    }
    assert_true(fabs(sum - 50.5) < 5 && fabs(sqrt(squares - sum * sum) - 99 / sqrt(12)) < 3);
    for (int64_t i = 0; i < n->params; i++)
        if (i < t->offset || i >= t->offset + 2 * UNITS) assert_true(net_get(n, i) == net_get(u, i));
    net_free(n), net_free(u);
    n = make("lstm 4 no-input-gate; dense", "chrono", 3, one),
    u = make("lstm 4 no-input-gate; dense", "uniform", 0, one);
    t = net_find(n, "layers.0.bias_ih"); /* f, g, o: there is no input gate to close */
    for (int64_t i = 0; i < n->params; i++)
        assert_true((net_get(n, i) == net_get(u, i)) == (i < t->offset || i >= t->offset + 4));
    net_free(n), net_free(u);
    pool_free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(chrono) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
