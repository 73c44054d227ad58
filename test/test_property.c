/* What is measured of reservoirs where the answer is known. */
#include "layer/reservoir.h"
#include "net_kit.h"
#include "reservoir/property.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static pool *threads;
static net *network(const char *words, int64_t inputs)
{
    const kernels *k;
    assert_int_equal(kernels_choose(&k, REAL_DOUBLE, NULL), LACO_OK);
    net *n = net_of(words, inputs, 1, k, threads);
    assert_int_equal(net_init(n, "default", 1, 3, NULL), LACO_OK);
    return n;
}
static bool near(double a, double b, double most) { return fabs(a - b) <= most; }
/* The input goes into the first unit alone. */
static void only_first(net *n)
{
    for (int64_t i = 0; i < n->d.layer[0].units; i++) net_set(n, n->base[0] + i, i == 0);
}

/* A delay line of n units holds the last n inputs, of which the state after u(t) holds u(t) .. u(t - n + 1): u(t-1) on,
   n - 1 of them. */
static void memory_of_a_delay_line(void **unused)
{
    (void)unused;
    net *n = network("reservoir 20 delay-line linear radius 1; dense", 1);
    double curve[30], capacity;
    laco_error err = { 0 };
    const property_wish w = { .n = n, .steps = 3000, .washout = 50, .seed = 1 };
    only_first(n);
    assert_int_equal(property_memory(&w, 30, curve, &capacity, &err), LACO_OK);
    for (int k = 0; k < 30; k++) assert_true(k < 19 ? near(curve[k], 1, 1e-9) : curve[k] < 0.02);
    assert_true(capacity >= 19 && capacity < 19.1);
    net_free(n);
}
/* Jaeger's bound is the number of units; a cycle of linear units comes near it (Rodan & Tino 2011). */
static void memory_of_a_cycle(void **unused)
{
    (void)unused;
    net *n = network("reservoir 50 cycle linear radius 0.9 input-scale 0.1; dense", 1);
    double capacity;
    laco_error err = { 0 };
    const property_wish w = { .n = n, .steps = 6000, .washout = 200, .seed = 2 };
    assert_int_equal(property_memory(&w, 100, NULL, &capacity, &err), LACO_OK);
    assert_true(capacity >= 0.95 * 50 && capacity <= 50);
    net_free(n);
    n = network("reservoir 5; dense", 1);
    const property_wish few = { .n = n, .steps = 60, .washout = 50, .seed = 2 };
    assert_int_equal(property_memory(&few, 20, NULL, &capacity, &err), LACO_EINVAL);
    net_free(n);
}
static void lyapunov_of(const char *words, double expected, double most)
{
    net *n = network(words, 1);
    double exponent;
    laco_error err = { 0 };
    const property_wish w = { .n = n, .steps = 600, .washout = 50, .seed = 1 };
    if (property_lyapunov(&w, &exponent, &err)) fail_msg("%s", err.msg);
    if (!(exponent == expected || near(exponent, expected, most))) fail_msg("%s: %g", words, exponent);
    net_free(n);
}
static void lyapunov(void **unused)
{
    (void)unused;
    lyapunov_of("reservoir 30 cycle linear radius 0.8; dense", log(0.8), 1e-6);
    lyapunov_of("reservoir 30 cycle linear radius 1.005; dense", log(1.005), 1e-6);
    lyapunov_of("reservoir 40 density 1 linear radius 0.9; dense", log(0.9), 0.02);
    lyapunov_of("reservoir 30 delay-line linear radius 1; dense", -INFINITY, 0);
    lyapunov_of("reservoir 10 linear radius 0 leak 0.25; dense", log(0.75), 1e-6);
    net *n = network("reservoir 100 radius 3 input-scale 0.1; dense", 1); /* chaos */
    double exponent;
    const property_wish w = { .n = n, .steps = 600, .washout = 50, .seed = 1 };
    assert_int_equal(property_lyapunov(&w, &exponent, NULL), LACO_OK);
    assert_true(exponent > 0.05);
    net_free(n);
}
/* x' = a x: the steps after which a^t < 1e-6 */
static void forgetting(void **unused)
{
    (void)unused;
    static const double factor[] = { 0.5, 0.9, 0.97 };
    laco_error err = { 0 };
    int64_t steps;
    for (int i = 0; i < 3; i++) {
        char words[80];
        snprintf(words, sizeof words, "reservoir 10 linear radius 0 leak %g; dense", 1 - factor[i]);
        net *n = network(words, 2);
        property_wish w = { .n = n, .steps = 1000, .seed = 5 };
        assert_int_equal(property_forgetting(&w, &steps, &err), LACO_OK);
        assert_true(llabs(steps - (int64_t)ceil(log(1e-6) / log(factor[i]))) <= 1); /* at the edge rounding decides */
        w.steps = 15;
        assert_int_equal(property_forgetting(&w, &steps, &err), LACO_OK);
        assert_int_equal(steps, -1);
        net_free(n);
    }
    net *n = network("reservoir 50 radius 1.5 input-scale 0.01; dense", 1);
    double zero[400] = { 0 }, strong[400];
    for (int t = 0; t < 400; t++) strong[t] = t % 2 ? 3000 : -3000; /* all units are driven into saturation */
    property_wish w = { .n = n, .steps = 400, .seed = 5, .input = zero };
    assert_int_equal(property_forgetting(&w, &steps, &err), LACO_OK);
    assert_int_equal(steps, -1);
    w.input = strong;
    assert_int_equal(property_forgetting(&w, &steps, &err), LACO_OK);
    assert_true(steps > 0 && steps < 100);
    net_free(n);
}
/* W = 0: states tell the last input alone, or with leaks of their own what every leak keeps. */
static void ranks(void **unused)
{
    (void)unused;
    int64_t kernel, general, of;
    laco_error err = { 0 };
    net *n = network("reservoir 30 linear radius 0; dense", 2);
    property_wish w = { .n = n, .seed = 5 };
    assert_int_equal(property_ranks(&w, &kernel, &general, &of, &err), LACO_OK);
    assert_int_equal(kernel, 2), assert_int_equal(general, 1), assert_int_equal(of, 30);
    net_free(n);
    n = network("reservoir 20 cycle linear radius 0.99; dense", 1), w.n = n; /* a^50 is far above 1e-6 */
    assert_int_equal(property_ranks(&w, &kernel, &general, &of, &err), LACO_OK);
    assert_int_equal(kernel, 20), assert_int_equal(general, 20);
    net_free(n);
    n = network("reservoir 60 radius 0.8; dense", 1), w.n = n;
    assert_int_equal(property_ranks(&w, &kernel, &general, &of, &err), LACO_OK);
    assert_int_equal(kernel, 60), assert_true(general <= 3);
    net_free(n);
}
static echo_conditions conditions(const char *words)
{
    net *n = network(words, 1);
    echo_conditions c;
    laco_error err = { 0 };
    if (property_echo(n, 0, &c, &err)) fail_msg("%s", err.msg);
    assert_int_equal(property_echo(n, n->d.layers - 1, &(echo_conditions){ 0 }, &err), LACO_EINVAL); /* dense */
    net_free(n);
    return c;
}
static void echo_state(void **unused)
{
    (void)unused;
    echo_conditions c = conditions("reservoir 12 cycle radius 0.8 leak 0.5; dense");
    assert_true(near(c.radius, 0.8, 1e-12) && near(c.effective, 0.9, 1e-12) && near(c.norm, 0.8, 1e-8));
    assert_true(near(c.contracts, 0.9, 1e-8) && near(c.absolute, 0.9, 1e-12) && c.at_zero && c.necessary &&
                c.sufficient);
    c = conditions("reservoir 200 density 0.1 radius 0.9; dense"); /* nothing but the necessary condition */
    assert_true(near(c.radius, 0.9, 1e-7) && c.norm > 1 && c.absolute > 1 && c.necessary && !c.sufficient);
    c = conditions("reservoir 200 density 0.1 radius 0.9 linear; dense");
    assert_true(c.necessary && c.sufficient && c.linear);
    c = conditions("reservoir 200 density 0.1 radius 1.2 bias-scale 0.5 sigmoid; dense"); /* slopes of at most 1/4 */
    assert_true(c.norm > 2 && near(c.contracts, c.norm / 4, 1e-8) && c.sufficient && !c.at_zero);
    c = conditions("reservoir 100 delay-line radius 2 leak 0.5; dense"); /* a triangle: no rounding makes it a disc */
    assert_true(c.radius == 0 && near(c.effective, 0.5, 1e-15) && near(c.absolute, 0.5, 1e-15) && c.sufficient);
    c = conditions("reservoir 100 ring radius 0.7; dense");
    assert_true(near(c.radius, 0.7, 1e-10) && near(c.absolute, 0.7, 1e-10) && c.norm > 0.8);
    c = conditions("reservoir 300 groups 3 density 0.2 radius 0.6 leak 0.1 1; dense");
    assert_true(near(c.radius, 0.6, 1e-7) && c.effective > 0.6 && c.effective <= 0.96 + 1e-6);
}
/* Leaks of a ring that differ: the radius of a matrix is that of all its eigenvalues, whatever the units' order. */
static void ring_with_leaks(void **unused)
{
    (void)unused;
    echo_conditions one = conditions("reservoir 150 cycle radius 0.9 leak 0.3 0.300001; dense"),
                    same = conditions("reservoir 150 cycle radius 0.9 leak 0.3; dense");
    assert_true(near(one.effective, same.effective, 1e-5) && near(same.effective, 0.97, 1e-12));
}
static int begin(void **unused)
{
    (void)unused;
    return pool_new(&threads, 1, NULL) != LACO_OK;
}
static int end(void **unused)
{
    (void)unused;
    pool_free(threads);
    return 0;
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(memory_of_a_delay_line),
                                        cmocka_unit_test(memory_of_a_cycle),
                                        cmocka_unit_test(lyapunov),
                                        cmocka_unit_test(forgetting),
                                        cmocka_unit_test(ranks),
                                        cmocka_unit_test(echo_state),
                                        cmocka_unit_test(ring_with_leaks) };
    return cmocka_run_group_tests(tests, begin, end);
}
