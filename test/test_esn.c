/* Echo state networks as a task: what is learnt, run, generated and refused; intrinsic plasticity; what a file says. */
#include "base/json.h"
#include "base/rng.h"
#include "reservoir/plasticity.h"
#include "task/esn.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#define MODEL "/tmp/test_esn.safetensors"
#define OPTIONS(...)                                                                                                   \
    (const char *const[]) { __VA_ARGS__, NULL }

static void take_out(void *ctx, const char *bytes, size_t n) { buf_add(ctx, bytes, n); }
/* out: what goes to standard output; result: the figures; either may be NULL. */
static laco_status run(const char *command, const char *data, const char *const *option, buf *out, buf *result,
                       laco_error *err)
{
    const laco_watch watch = { .size = sizeof watch, .ctx = out, .out = out ? take_out : NULL };
    laco_job *j;
    laco_status st = laco_job_new(&j, command, err);
    if (!st) st = laco_job_text(j, "data", data, strlen(data), err);
    if (!st && strcmp(command, "esn train")) st = laco_job_set(j, "model-file", MODEL, err);
    if (!st && !strcmp(command, "esn train")) st = laco_job_set(j, "out", MODEL, err);
    if (!st) st = laco_job_set(j, "format", "csv", err);
    for (; !st && *option; option += 2) st = laco_job_set(j, option[0], option[1], err);
    if (!st) st = laco_job_run(j, &watch, err);
    if (!st && result) buf_text(result, laco_job_result(j));
    laco_job_free(j);
    return st;
}
/* A figure of the result, or a member of one of its parts. */
static double figure(const char *command, const char *data, const char *const *option, const char *part,
                     const char *key)
{
    buf result = { 0 };
    json_doc *doc;
    laco_error err = { 0 };
    if (run(command, data, option, NULL, &result, &err)) fail_msg("%s: %s", command, err.msg);
    assert_int_equal(json_parse(&doc, result.data, result.len, NULL), LACO_OK);
    const json *of = part ? json_get(json_root(doc), part) : json_root(doc), *x = of ? json_get(of, key) : NULL;
    const double v = x ? x->number : NAN;
    json_free(doc), buf_free(&result);
    return v;
}
static void refuse(const char *command, const char *data, const char *const *option, const char *message)
{
    laco_error err = { 0 };
    assert_true(run(command, data, option, NULL, NULL, &err) != LACO_OK);
    if (!strstr(err.msg, message)) fail_msg("\"%s\" has not \"%s\"", err.msg, message);
}
static void waves(buf *to, int64_t n)
{
    buf_text(to, "y\n");
    for (int64_t t = 0; t < n; t++) buf_printf(to, "%.9f\n", sin(0.2 * (double)t));
}
/* y(t) = 0.5 u(t) - 0.3 u(t - 2), u drawn. */
static void filtered(buf *to, int64_t n, bool id)
{
    double u[3] = { 0 };
    buf_printf(to, "%su,y\n", id ? "id," : "");
    for (int64_t t = 0; t < n; t++) {
        u[t % 3] = 2 * rng_uniform(7, RNG_SAMPLE, (uint64_t)t) - 1;
        buf_printf(to, "%s%.9f,%.9f\n", id ? "a," : "", u[t % 3], 3 + 0.5 * u[t % 3] - 0.3 * u[(t + 1) % 3]);
    }
}

/* ---- training ---- */
static void readouts_learn_a_filter(void **state)
{
    (void)state;
    buf data = { 0 };
    filtered(&data, 1500, false);
#define FILTER "input", "u", "target", "y", "model", "reservoir 20 linear radius 0.5; dense", "washout", "20"
    const double by_ridge = figure("esn train", data.data, OPTIONS(FILTER, "ridge", "1e-9"), "valid", "nrmse"),
                 by_rls = figure("esn train", data.data, OPTIONS(FILTER, "readout", "rls", "ridge", "1e-6"), "valid",
                                 "nrmse"),
                 by_lms = figure("esn train", data.data, OPTIONS(FILTER, "readout", "lms", "learn-rate", "0.5"),
                                 "valid", "nrmse"),
                 single = figure("esn train", data.data, OPTIONS(FILTER, "precision", "float"), "valid", "nrmse"),
                 linear = figure("esn train", data.data, OPTIONS(FILTER), "valid", "linear_nrmse");
    if (!(by_ridge < 1e-5 && by_rls < 1e-4 && by_lms < 0.3 && single < 1e-3 && linear < 1e-5))
        fail_msg("%g %g %g %g %g", by_ridge, by_rls, by_lms, single, linear);
    buf_free(&data), unlink(MODEL);
}
static void parts_are_cut(void **state)
{
    (void)state;
    buf data = { 0 };
    filtered(&data, 1000, false);
#define SMALL "input", "u", "target", "y", "size", "10", "washout", "50"
    assert_true(figure("esn train", data.data, OPTIONS(SMALL, "split", "0.3", "test-split", "0.1"), NULL, "rows") ==
                550);
    assert_true(figure("esn train", data.data, OPTIONS(SMALL, "train-steps", "200", "horizon", "3"), NULL, "rows") ==
                148);
    assert_true(isnan(figure("esn train", data.data, OPTIONS(SMALL), "test", "nrmse")));
    assert_true(figure("esn train", data.data, OPTIONS(SMALL, "test-split", "0.1"), "test", "nrmse") > 0);
    const double chosen = figure("esn train", data.data, OPTIONS(SMALL, "ridge", "1e-8,1e6", "choose", "valid"), NULL,
                                 "ridge"),
                 by_gcv = figure("esn train", data.data, OPTIONS(SMALL, "ridge", "1e6,1e-8", "choose", "gcv"), NULL,
                                 "ridge");
    assert_true(chosen == 1e-8 && by_gcv == 1e-8);
    buf_free(&data), unlink(MODEL);
}
static void threads_change_nothing(void **state)
{
    (void)state;
    buf data = { 0 }, one = { 0 }, two = { 0 };
    filtered(&data, 600, false);
    assert_int_equal(run("esn train", data.data, OPTIONS(SMALL, "size", "70", "threads", "1"), NULL, NULL, NULL),
                     LACO_OK);
    assert_int_equal(run("esn run", data.data, OPTIONS("threads", "1"), &one, NULL, NULL), LACO_OK);
    assert_int_equal(run("esn train", data.data, OPTIONS(SMALL, "size", "70", "threads", "2"), NULL, NULL, NULL),
                     LACO_OK);
    assert_int_equal(run("esn run", data.data, OPTIONS("threads", "2"), &two, NULL, NULL), LACO_OK);
    assert_true(one.len > 10000 && one.len == two.len);
    assert_memory_equal(one.data, two.data, one.len);
    buf_free(&data), buf_free(&one), buf_free(&two), unlink(MODEL);
}

/* ---- running ---- */
/* In parts as they come, and whole: the same answers. */
static void parts_of_a_stream_are_one(void **state)
{
    (void)state;
    buf data = { 0 }, named = { 0 };
    filtered(&data, 9000, false), filtered(&named, 9000, true);
    assert_int_equal(run("esn train", named.data, OPTIONS(SMALL, "id", "id"), NULL, NULL, NULL), LACO_OK);
    const double whole = figure("esn run", named.data, OPTIONS("json", "1"), NULL, "nrmse");
    assert_int_equal(run("esn train", data.data, OPTIONS(SMALL), NULL, NULL, NULL), LACO_OK);
    const double parts = figure("esn run", data.data, OPTIONS("json", "1"), NULL, "nrmse");
    if (whole != parts) fail_msg("%.17g %.17g", whole, parts);
    assert_true(figure("esn run", data.data, OPTIONS("json", "1"), NULL, "values") == 8950);
    buf_free(&data), buf_free(&named), unlink(MODEL);
}
/* Cell k of a line, counted from 0. */
static double cell_of(const buf *csv, int64_t row, int k)
{
    const char *p = csv->data;
    for (int64_t i = 0; i < row; i++) p = strchr(p, '\n') + 1;
    for (; k; k--) p = strchr(p, ',') + 1;
    return *p == ',' || *p == '\n' ? NAN : atof(p);
}
static void horizons_reach_beyond_the_end(void **state)
{
    (void)state;
    buf data = { 0 }, out = { 0 };
    waves(&data, 500);
    assert_int_equal(
        run("esn train", data.data, OPTIONS("size", "40", "horizon", "5", "washout", "50"), NULL, NULL, NULL), LACO_OK);
    assert_int_equal(run("esn run", data.data, OPTIONS("quiet", "1"), &out, NULL, NULL), LACO_OK);
    int64_t lines = 0;
    for (size_t i = 0; i < out.len; i++) lines += out.data[i] == '\n';
    assert_int_equal(lines, 1 + 500 + 5);
    assert_true(isnan(cell_of(&out, 4, 2)) && isfinite(cell_of(&out, 5, 2))); /* for step 5 it is asked first */
    for (int64_t s = 300; s <= 505; s++) {
        assert_true(cell_of(&out, s, 0) == (double)s);
        const double truth = sin(0.2 * (double)(s - 1)), answer = cell_of(&out, s, 2);
        if (!(fabs(answer - truth) < 1e-3)) fail_msg("step %lld: %g, not %g", (long long)s, answer, truth);
        assert_true(isnan(cell_of(&out, s, 1)) == (s > 500));
    }
    buf_free(&data), buf_free(&out), unlink(MODEL);
}
/* What is missing, and what is odd. */
static void gaps_and_what_is_odd(void **state)
{
    (void)state;
    buf data = { 0 }, holes = { 0 }, out = { 0 };
    waves(&data, 1200), buf_text(&holes, "y\n");
    for (int64_t t = 0; t < 600; t++) {
        const double y = sin(0.2 * (double)t);
        if (t >= 300 && t < 310)
            buf_text(&holes, "NA\n");
        else
            buf_printf(&holes, "%.9f\n", t == 450 ? y + 1 : y);
    }
    assert_int_equal(
        run("esn train", data.data, OPTIONS("size", "60", "washout", "50", "ridge", "1e-6"), NULL, NULL, NULL),
        LACO_OK);
    assert_int_equal(run("esn run", holes.data, OPTIONS("quiet", "1"), &out, NULL, NULL), LACO_OK);
    for (int64_t s = 301; s <= 310; s++) {
        if (!(fabs(cell_of(&out, s, 2) - sin(0.2 * (double)(s - 1))) < 0.02))
            fail_msg("step %lld: %g", (long long)s, cell_of(&out, s, 2));
        assert_true(isnan(cell_of(&out, s, 1)) && isnan(cell_of(&out, s, 3)));
    }
    assert_true(cell_of(&out, 451, 4) == 1 && cell_of(&out, 451, 3) > 100 && cell_of(&out, 290, 4) == 0);
    buf_free(&data), buf_free(&holes), buf_free(&out), unlink(MODEL);
}
/* The filter changes; a readout that goes on learning follows. */
static void adapting_follows(void **state)
{
    (void)state;
    buf data = { 0 }, other = { 0 };
    filtered(&data, 1000, false), buf_text(&other, "u,y\n");
    for (int64_t t = 0; t < 1000; t++) {
        const double u = 2 * rng_uniform(9, RNG_SAMPLE, (uint64_t)t) - 1;
        buf_printf(&other, "%.9f,%.9f\n", u, 3 - 0.5 * u);
    }
    assert_int_equal(run("esn train", data.data, OPTIONS(FILTER), NULL, NULL, NULL), LACO_OK);
    const double fixed = figure("esn run", other.data, OPTIONS("json", "1"), NULL, "nrmse"),
                 rls = figure("esn run", other.data, OPTIONS("json", "1", "adapt", "rls", "adapt-ridge", "0.01"), NULL,
                              "nrmse"),
                 lms = figure("esn run", other.data, OPTIONS("json", "1", "adapt", "lms"), NULL, "nrmse");
    if (!(fixed > 1 && rls < 0.2 && lms < 0.7 * fixed)) fail_msg("%g %g %g", fixed, rls, lms);
    buf_free(&data), buf_free(&other), unlink(MODEL);
}
static void free_runs_go_on(void **state)
{
    (void)state;
    buf data = { 0 };
    waves(&data, 1200);
    const char *const words = "reservoir 60 radius 0.8 bias-scale 0.3; dense";
    assert_int_equal(run("esn train", data.data, OPTIONS("model", words, "ridge", "1e-7"), NULL, NULL, NULL), LACO_OK);
    const double after =
        figure("esn generate", data.data, OPTIONS("prime", "800", "steps", "200", "json", "1"), "error", "20");
    if (!(after < 0.01)) fail_msg("%g", after);
    assert_int_equal(run("esn train", data.data,
                         OPTIONS("model", "reservoir 100 radius 1.5 leak 0.3; dense", "readout", "force"), NULL, NULL,
                         NULL),
                     LACO_OK);
    const double force =
        figure("esn generate", data.data, OPTIONS("prime", "960", "steps", "100", "json", "1"), "error", "50");
    if (!(force < 0.1)) fail_msg("force: %g", force);
    buf_free(&data), unlink(MODEL);
}

/* ---- plasticity ---- */
static double deviation_of(echo *e, int64_t steps, const double *u)
{
    double *x = mem_new((size_t)(steps * e->units), sizeof *x), sum = 0;
    assert_int_equal(echo_units(e, steps, u, x, NULL), LACO_OK);
    for (int64_t i = 100 * e->units; i < steps * e->units; i++) sum += x[i] * x[i];
    sum /= (double)((steps - 100) * e->units), mem_free(x);
    return sqrt(sum);
}
static void plasticity_shapes_the_units(void **state)
{
    (void)state;
    enum { STEPS = 1000 };
    const kernels *k;
    pool *p;
    echo e;
    double u[STEPS];
    const plasticity way = { .epochs = 10, .deviation = 0.2, .rate = 0.002 };
    for (int t = 0; t < STEPS; t++) u[t] = rng_normal(3, RNG_SAMPLE, (uint64_t)t);
    assert_int_equal(pool_new(&p, 1, NULL), LACO_OK);
    assert_int_equal(kernels_choose(&k, REAL_DOUBLE, NULL), LACO_OK);
    assert_int_equal(echo_new(&e, "reservoir 40 radius 0.9; dense", 1, 1, 1, k, p, NULL), LACO_OK);
    const double before = deviation_of(&e, STEPS, u);
    assert_int_equal(plasticity_run(e.n, &way, STEPS, u, NULL, NULL), LACO_OK);
    const double after = deviation_of(&e, STEPS, u);
    if (!(before > 0.3 && fabs(after - 0.2) < 0.03)) fail_msg("%g, then %g", before, after);
    echo_free(&e);
    laco_error err = { 0 };
    assert_int_equal(echo_new(&e, "elman 4; dense", 1, 1, 1, k, p, NULL), LACO_OK);
    assert_true(plasticity_run(e.n, &way, STEPS, u, NULL, &err) == LACO_EINVAL && strstr(err.msg, "reservoir of tanh"));
    echo_free(&e), pool_free(p);
}

/* ---- bad input ---- */
static void what_cannot_be_learnt_is_said(void **state)
{
    (void)state;
    buf data = { 0 };
    waves(&data, 400);
    refuse("esn train", "y\n1\n2\n3\n", OPTIONS("size", "5"), "too few behind a --washout of 100");
    refuse("esn train", "y\n3\n3\n3\n3\n3\n3\n3\n3\n3\n", OPTIONS("washout", "1"), "is constant");
    refuse("esn train", "y\n1\n2\n1e999\n4\n", OPTIONS("washout", "0"), "line 4, column \"y\"");
    refuse("esn train", data.data, OPTIONS("target", "Y"), "column");
    refuse("esn train", data.data, OPTIONS("size", "300", "ridge", "0"), "do not determine 301 weights");
    refuse("esn train", data.data, OPTIONS("size", "10", "ridge", "1,-2"), "--ridge 1,-2");
    refuse("esn train", data.data, OPTIONS("size", "10", "input-scale", "1,2"), "--input-scale 1,2");
    refuse("esn train", data.data, OPTIONS("model", "lstm 4 bidirectional; dense"), "forwards in time");
    refuse("esn train", data.data, OPTIONS("model", "reservoir 4; dense relu"), "linear readout");
    refuse("esn train", data.data, OPTIONS("size", "10", "choose", "valid", "split", "0"), "no steps to validate on");
    refuse("esn train", data.data, OPTIONS("size", "10", "horizon", "2", "ahead", "5"), "--ahead");
    refuse("esn train", data.data, OPTIONS("size", "10", "horizon", "2", "readout", "force"), "reads its own answers");
    assert_int_equal(run("esn train", data.data, OPTIONS("size", "10", "horizon", "2"), NULL, NULL, NULL), LACO_OK);
    refuse("esn generate", data.data, OPTIONS("steps", "5"), "does not read its own answers");
    refuse("esn run", "x,z\n1,2\n", OPTIONS("quiet", "1"), "no column \"y\"");
    assert_int_equal(run("esn train", data.data, OPTIONS("size", "10"), NULL, NULL, NULL), LACO_OK);
    refuse("esn generate", data.data, OPTIONS("prime", "500"), "has 400 steps");
    /* a readout that amplifies */
    laco_model *m;

    assert_int_equal(model_load(&m, MODEL, 1, NULL), LACO_OK);

    for (int64_t i = m->net->base[1]; i < m->net->params; i++) net_set(m->net, i, 9);
    assert_int_equal(model_save(m, MODEL, NULL), LACO_OK);
    laco_model_free(m);
    refuse("esn generate", data.data, OPTIONS("steps", "500", "prime", "50"), "diverges at step ");
    buf_free(&data), unlink(MODEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readouts_learn_a_filter),
        cmocka_unit_test(parts_are_cut),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(parts_of_a_stream_are_one),
        cmocka_unit_test(horizons_reach_beyond_the_end),
        cmocka_unit_test(gaps_and_what_is_odd),
        cmocka_unit_test(adapting_follows),
        cmocka_unit_test(free_runs_go_on),
        cmocka_unit_test(plasticity_shapes_the_units),
        cmocka_unit_test(what_cannot_be_learnt_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
