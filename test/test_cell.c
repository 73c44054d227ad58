/* Every cell with every word of its list, in many mixes: gradients against differences, float against double, and the
   ways to run a sequence against each other. */
#include "base/rng.h"
#include "check/gradient.h"
#include "net/net.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Failures are gathered, so that one run shows all of them. */
static int failures;
static void failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void failed(const char *format, ...)
{
    va_list a;
    char text[500];
    va_start(a, format);
    vsnprintf(text, sizeof text, format, a);
    va_end(a);
    if (failures++ < 40) print_message("%s\n", text);
}
static void judge(void) /* at the end of each test */
{
    int n = failures;
    failures = 0;
    if (n) fail_msg("%d differences", n);
}

/* ---- the configurations ---- */
enum { MAX_CONFIGS = 1024, MAX_TEXT = 160 };
static char configs[MAX_CONFIGS][MAX_TEXT]; /* "lstm peephole clip 0.4": the size is put in behind the name */
static int config_count;
static const kernels *real64, *real32;
static pool *pools[4];

static void add_config(const char *cell, const char *words, const char *more)
{
    assert_true(config_count < MAX_CONFIGS);
    snprintf(configs[config_count++], MAX_TEXT, "%s %s%s%s", cell, words, *words && *more ? " " : "", more);
}
static const char *const modifiers[] = { "", "clip 0.4", "bidirectional", "reverse", "residual", "learned-state",
    "bias-none", "bias-one", "bias-two clip 1.5 bidirectional learned-state" };
static const char *const projections[] = { "project 3", "project 3 bidirectional clip 0.5",
                                           "project 7 reverse bias-none" };
enum { MODIFIERS = sizeof modifiers / sizeof *modifiers, PROJECTIONS = sizeof projections / sizeof *projections };

static void add_modified(const cell_info *c, const char *words)
{
    for (int m = 0; m < MODIFIERS; m++) add_config(c->name, words, modifiers[m]);
    for (int m = 0; c->projects && m < PROJECTIONS; m++) add_config(c->name, words, projections[m]);
}
static bool exclude(const cell_word *a, const cell_word *b)
{
    return (a->excludes & b->bit) || (b->excludes & a->bit);
}
/* All pairs and triples of words that go together, modifiers in turn. */
static void add_mixes(const cell_info *c)
{
    char words[MAX_TEXT];
    int turn = 0;
    for (const cell_word *a = c->words; a && a->word; a++)
        for (const cell_word *b = a + 1; b->word; b++) {
            if (exclude(a, b)) continue;
            snprintf(words, sizeof words, "%s %s", a->word, b->word);
            add_config(c->name, words, modifiers[turn % MODIFIERS]);
            if (c->projects) add_config(c->name, words, projections[turn++ % PROJECTIONS]);
            for (const cell_word *d = b + 1; d->word; d++) {
                if (exclude(a, d) || exclude(b, d)) continue;
                snprintf(words, sizeof words, "%s %s %s", a->word, b->word, d->word);
                add_config(c->name, words, modifiers[turn++ % MODIFIERS]);
            }
        }
}
static const char *const special[] = {
    "no-input-gate no-forget no-output-gate",
    "no-input-gate no-forget no-output-gate gate-recurrence",
    "no-input-gate no-forget no-output-gate peephole-full",
    "no-input-gate no-forget no-output-gate peephole norm",
    "peephole-full gate-recurrence norm project 3 bidirectional",
    "peephole-full gate-recurrence norm-gates coupled clip 0.7",
    "peephole gate-recurrence no-output-gate norm learned-state",
    "coupled linear-input linear-output project 3",
};
static int set_up(void **state)
{
    laco_error err;
    (void)state;
    if (kernels_choose(&real64, REAL_DOUBLE, &err) || kernels_choose(&real32, REAL_FLOAT, &err)) return -1;
    for (int i = 1; i <= 3; i++) {
        if (pool_new(&pools[i], i, &err)) return -1;
        pool_always_share(pools[i], true); /* also what a single thread would do faster */
    }
    for (int i = 0; real64->recur->cell(i); i++) {
        const cell_info *c = real64->recur->cell(i);
        add_modified(c, "");
        for (const cell_word *w = c->words; w && w->word; w++) add_modified(c, w->word);
        for (const cell_alias *a = c->aliases; a && a->word; a++) add_config(c->name, a->word, "");
        add_mixes(c);
    }
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) add_config("lstm", special[i], "");
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++) pool_free(pools[i]);
    return 0;
}

/* ---- stacks of a configuration ---- */
typedef struct shape {
    int64_t inputs, hidden, T, B;
    const int64_t *lengths;
} shape;
/* "lstm peephole" of H units as layer_spec; where the layer is residual, inputs become what it makes. */
static layer_spec parse(const char *config, const kernels *k, shape *sh)
{
    char text[2 * MAX_TEXT];
    net_description d;
    laco_error err;
    int n = (int)strcspn(config, " ");
    snprintf(text, sizeof text, "%.*s %lld%s", n, config, (long long)sh->hidden, config + n);
    if (strstr(config, "residual")) sh->inputs = sh->hidden * (strstr(config, "bidirectional") ? 2 : 1);
    if (describe_parse(&d, text, sh->inputs, 0, k, &err)) fail_msg("%s: %s", text, err.msg);
    return d.layer[0];
}
static void make(stack *s, const char *config, const kernels *k, pool *p, shape sh)
{
    laco_error err;
    layer_spec spec = parse(config, k, &sh);
    if (stack_describe(s, k, &spec, 1, sh.inputs, &err) || stack_make(s, p, sh.T, sh.B, sh.lengths, &err))
        fail_msg("%s: %s", config, err.msg);
    s->no_initial = spec.learned_state;
    gradient_fill(s, 7);
}
static void run_both(stack *s)
{
    stack_forward(s);
    stack_backward(s);
}

/* What a run made, as one list of arrays. */
enum { RESULTS = 5 };
static const char *const result_name[RESULTS] = { "output", "final state", "d input", "d initial state", "d weights" };
static const double *result(const stack *s, int i, int64_t *n)
{
    const stack_layer *q = &s->layer[0];
    const double *of[RESULTS] = { s->y, q->sn, s->dx, q->ds0, q->g };
    int64_t size[RESULTS] = { s->T * s->B * s->out, q->stride * s->B, s->T * s->B * s->in, q->stride * s->B,
                              q->params };
    *n = size[i];
    return of[i];
}
static void assert_near(const char *config, const char *what, const double *a, const double *b, int64_t n,
                        double tolerance)
{
    double largest = 1;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(b[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= tolerance * largest)) {
            failed("%s: %s[%lld] is %.17g, not %.17g", config, what, (long long)i, a[i], b[i]);
            return;
        }
}
/* States have padding between them, which means nothing: only the units are compared. */
static void assert_same_states(const char *config, const char *what, const stack *s, const double *a, const double *b,
                               double tolerance)
{
    for (int d = 0; d < s->dirs; d++)
        for (int k = 0; k < s->states; k++)
            for (int64_t r = 0; r < s->B; r++)
                assert_near(config, what, a + stack_state(s, d, k, r, 0), b + stack_state(s, d, k, r, 0), s->width[k],
                            tolerance);
}
static void assert_same_run(const char *config, const stack *a, const stack *b, double tolerance)
{
    for (int i = 0; i < RESULTS; i++) {
        int64_t n;
        const double *x = result(a, i, &n), *y = result(b, i, &n);
        if (strstr(result_name[i], "state")) continue;
        assert_near(config, result_name[i], x, y, n, tolerance);
    }
}

/* ---- gradients ---- */
static const int64_t few_lengths[] = { 3, 0, 1, 4 };
static const shape few = { 3, 5, 4, 4, few_lengths };
static void test_gradients(void **state)
{
    (void)state;
    for (int c = 0; c < config_count; c++) {
        gradient_worst worst;
        stack s;
        make(&s, configs[c], real64, pools[1], few);
        gradient_check(&s, &worst);
        if (!(worst.error <= 1))
            failed("%s: gradient of %s[%lld] is %.17g, by differences %.17g", configs[c], worst.name,
                     (long long)worst.index, worst.made, worst.difference);
        stack_free(&s);
    }
    judge();
}

/* Units and inputs that fill vectors and panels partly, more rows than a shard: each array in a random direction. */
static const int64_t many_lengths[] = { 0, 6, 1, 3, 3, 5, 2, 6, 1, 4, 0, 2, 6, 5, 4, 1, 2, 3, 6 };
static const shape many = { 21, 37, 6, sizeof many_lengths / sizeof *many_lengths, many_lengths };
static double loss_along(stack *s, double *x, const double *direction, int64_t n, double step)
{
    for (int64_t i = 0; i < n; i++) x[i] += step * direction[i];
    stack_forward(s);
    for (int64_t i = 0; i < n; i++) x[i] -= step * direction[i];
    return stack_loss(s);
}
static double slope_along(stack *s, double *x, const double *direction, int64_t n, double h)
{
    double near = loss_along(s, x, direction, n, h) - loss_along(s, x, direction, n, -h);
    double far = loss_along(s, x, direction, n, 2 * h) - loss_along(s, x, direction, n, -2 * h);
    return (8 * near - far) / (12 * h);
}
static void check_along(const char *config, const char *name, stack *s, double *x, const double *made, int64_t n)
{
    double *direction = test_malloc((size_t)n * sizeof *direction), want = 0, size = 1;
    for (int64_t i = 0; i < n; i++) {
        direction[i] = rng_normal(3, RNG_TEST, (uint64_t)i);
        want += made[i] * direction[i], size += fabs(made[i] * direction[i]);
    }
    double got = slope_along(s, x, direction, n, 2e-5 / sqrt((double)n));
    if (!(fabs(got - want) <= 1e-7 * size)) { /* a kink of relu or clip may be near: a smaller step, a coarser result */
        got = slope_along(s, x, direction, n, 1e-8 / sqrt((double)n));
        if (!(fabs(got - want) <= 1e-5 * size))
            failed("%s: gradient of %s is %.12g, by differences %.12g", config, name, want, got);
    }
    test_free(direction);
}
static void test_large_gradients(void **state)
{
    (void)state;
    for (int c = 0; c < config_count; c++) {
        stack s;
        make(&s, configs[c], real64, pools[1], many);
        run_both(&s);
        check_along(configs[c], "input", &s, s.x, s.dx, s.T * s.B * s.in);
        for (int t = 0; t < s.layer[0].tensors; t++) {
            const param_tensor *p = &s.layer[0].tensor[t];
            check_along(configs[c], p->name, &s, s.layer[0].w + p->offset, s.layer[0].g + p->offset, p->size);
        }
        for (int k = 0; k < s.states && !s.no_initial; k++) {
            int64_t at = stack_state(&s, s.dirs - 1, k, 1, 0);
            check_along(configs[c], "initial state", &s, s.layer[0].s0 + at, s.layer[0].ds0 + at, s.width[k]);
        }
        stack_free(&s);
    }
    judge();
}

/* ---- precision and threads ---- */
/* The single states are at other places in the two precisions, as vectors hold other numbers of units. */
static void copy_states(stack *to, const stack *from)
{
    for (int d = 0; d < to->dirs; d++)
        for (int k = 0; k < to->states; k++)
            for (int64_t b = 0; b < to->B; b++)
                for (int64_t i = 0; i < to->width[k]; i++) {
                    int64_t a = stack_state(to, d, k, b, i), o = stack_state(from, d, k, b, i);
                    to->layer[0].s0[a] = from->layer[0].s0[o], to->layer[0].dsn[a] = from->layer[0].dsn[o];
                }
}
static void test_float(void **state)
{
    (void)state;
    for (int c = 0; c < config_count; c++) {
        stack a, b;
        make(&a, configs[c], real32, pools[1], many);
        make(&b, configs[c], real64, pools[1], many);
        copy_states(&a, &b);
        run_both(&a), run_both(&b);
        assert_same_run(configs[c], &a, &b, strstr(configs[c], "norm") ? 2e-4 : 5e-5);
        stack_free(&a), stack_free(&b);
    }
    judge();
}
static void test_threads(void **state)
{
    (void)state;
    for (int c = 0; c < config_count; c++) {
        stack s[4];
        for (int i = 1; i <= 3; i++) {
            make(&s[i], configs[c], real32, pools[i], many);
            run_both(&s[i]);
            for (int k = 0; i > 1 && k < RESULTS; k++) {
                int64_t n;
                const double *x = result(&s[i], k, &n), *y = result(&s[1], k, &n);
                if (memcmp(x, y, (size_t)n * sizeof *x))
                    failed("%s: %s differs with %d threads", configs[c], result_name[k], i);
            }
        }
        for (int i = 1; i <= 3; i++) stack_free(&s[i]);
    }
    judge();
}

/* ---- the same sequences in other ways ---- */
static bool one_direction(const char *config) { return !strstr(config, "bidirectional") && !strstr(config, "reverse"); }

/* Row b of a batch as a batch of its own, of its own length. */
static void make_alone(stack *to, const stack *all, const char *config, int64_t b)
{
    shape one = { all->in, all->layer[0].spec.cell.hidden, all->length[b], 1, NULL };
    int64_t n = all->layer[0].stride / all->dirs;
    make(to, config, all->k, all->pool, one);
    memcpy(to->layer[0].w, all->layer[0].w, (size_t)all->layer[0].params * sizeof(double));
    for (int64_t t = 0; t < to->T; t++) {
        memcpy(to->x + t * to->in, all->x + (t * all->B + b) * all->in, (size_t)to->in * sizeof(double));
        memcpy(to->dy + t * to->out, all->dy + (t * all->B + b) * all->out, (size_t)to->out * sizeof(double));
    }
    for (int d = 0; d < to->dirs; d++) {
        memcpy(to->layer[0].s0 + d * n, all->layer[0].s0 + (d * all->B + b) * n, (size_t)n * sizeof(double));
        memcpy(to->layer[0].dsn + d * n, all->layer[0].dsn + (d * all->B + b) * n, (size_t)n * sizeof(double));
    }
}
static void compare_alone(const stack *one, const stack *all, const char *config, int64_t b)
{
    for (int64_t t = 0; t < one->T; t++) {
        assert_near(config, "output of a row", all->y + (t * all->B + b) * all->out, one->y + t * one->out, one->out,
                    1e-12);
        assert_near(config, "d input of a row", all->dx + (t * all->B + b) * all->in, one->dx + t * one->in, one->in,
                    1e-11);
    }
    for (int d = 0; d < one->dirs; d++)
        for (int k = 0; k < one->states; k++) {
            int64_t i = stack_state(one, d, k, 0, 0), j = stack_state(all, d, k, b, 0);
            assert_near(config, "final state of a row", all->layer[0].sn + j, one->layer[0].sn + i, one->width[k],
                        1e-12);
            assert_near(config, "d initial state of a row", all->layer[0].ds0 + j, one->layer[0].ds0 + i, one->width[k],
                        1e-11);
        }
}
static void test_rows_alone(void **state)
{
    (void)state;
    for (int c = 0; c < config_count; c++) {
        stack all;
        make(&all, configs[c], real64, pools[2], many);
        run_both(&all);
        double *sum = test_calloc((size_t)all.layer[0].params, sizeof *sum);
        for (int64_t b = 0; b < all.B; b++) {
            stack one;
            make_alone(&one, &all, configs[c], b);
            run_both(&one);
            compare_alone(&one, &all, configs[c], b);
            for (int64_t i = 0; i < one.layer[0].params; i++) sum[i] += one.layer[0].g[i];
            stack_free(&one);
        }
        assert_near(configs[c], "sum of d weights of rows", sum, all.layer[0].g, all.layer[0].params, 1e-11);
        for (int64_t t = 0; t < all.T; t++) /* rows that are over make nothing */
            for (int64_t b = 0; b < all.B; b++)
                for (int64_t i = 0; t >= all.length[b] && i < all.out; i++)
                    assert_true(all.y[(t * all.B + b) * all.out + i] == 0);
        test_free(sum), stack_free(&all);
    }
    judge();
}

/* One row, step by step from a given state, in memory of the caller. */
static void step_through(const char *config, const kernels *k, const stack *s, double tolerance)
{
    laco_error err;
    net *n = NULL;
    net_description d = { .layers = 1, .layer = { s->layer[0].spec } };
    double row[256], want[256];
    if (net_new(&n, &d, s->in, k, s->pool, &err) || net_load(n, false, true, &err)) fail_msg("%s: %s", config, err.msg);
    for (int64_t i = 0; i < n->params; i++) net_set(n, i, s->layer[0].w[i]);
    if (net_load(n, false, true, &err)) fail_msg("%s", err.msg);
    if (!one_direction(config)) assert_false(net_steps(n));
    else {
        net_state *state = mem_new(net_state_bytes(n, 1), 1);
        float x32[256], y32[256];
        assert_true(net_steps(n));
        net_state_init(n, state, 1);
        for (int64_t i = 0; !s->no_initial && i < s->layer[0].stride; i++) {
            if (k->real_size == 4) ((float *)state->rest)[i] = (float)s->layer[0].s0[i];
            else ((double *)state->rest)[i] = s->layer[0].s0[i];
        }
        for (int64_t t = 0; t < s->T; t++) {
            for (int64_t i = 0; i < s->in; i++) x32[i] = (float)s->x[t * s->in + i];
            net_step(n, state, 1, 1, k->real_size == 4 ? (const void *)x32 : s->x + t * s->in,
                     k->real_size == 4 ? (void *)y32 : row);
            for (int64_t i = 0; i < s->out; i++) want[i] = s->y[t * s->out + i];
            for (int64_t i = 0; k->real_size == 4 && i < s->out; i++) row[i] = (double)y32[i];
            assert_near(config, "output of a step", row, want, s->out, tolerance);
        }
        mem_free(state);
    }
    net_free(n);
}
static void test_steps(void **state)
{
    const shape one = { 9, 37, 8, 1, NULL };
    (void)state;
    for (int c = 0; c < config_count; c++)
        for (int r = 0; r < 2; r++) {
            stack s;
            make(&s, configs[c], r ? real64 : real32, pools[1], one);
            stack_forward(&s);
            step_through(configs[c], r ? real64 : real32, &s, r ? 1e-12 : 1e-4);
            stack_free(&s);
        }
    judge();
}

/* Every row of x and dy turned round in time. */
static void turn(const stack *s, double *to, const double *from, int64_t width)
{
    memset(to, 0, (size_t)(s->T * s->B * width) * sizeof *to);
    for (int64_t b = 0; b < s->B; b++)
        for (int64_t t = 0; t < s->length[b]; t++)
            memcpy(to + (t * s->B + b) * width, from + ((s->length[b] - 1 - t) * s->B + b) * width,
                   (size_t)width * sizeof *to);
}
static void test_reverse(void **state)
{
    (void)state;
    for (int c = 0; c < config_count; c++) {
        char turned[2 * MAX_TEXT];
        stack a, b;
        if (!one_direction(configs[c])) continue;
        snprintf(turned, sizeof turned, "%.*s reverse", MAX_TEXT, configs[c]);
        make(&a, configs[c], real64, pools[1], many);
        make(&b, turned, real64, pools[1], many);
        turn(&a, b.x, a.x, a.in), turn(&a, b.dy, a.dy, a.out);
        run_both(&a), run_both(&b);
        double *y = test_malloc((size_t)(a.T * a.B * (a.out + a.in)) * sizeof *y), *dx = y + a.T * a.B * a.out;
        turn(&a, y, b.y, a.out), turn(&a, dx, b.dx, a.in);
        assert_near(turned, "output", y, a.y, a.T * a.B * a.out, 1e-12);
        assert_near(turned, "d input", dx, a.dx, a.T * a.B * a.in, 1e-11);
        assert_near(turned, "d weights", b.layer[0].g, a.layer[0].g, a.layer[0].params, 1e-11);
        assert_same_states(turned, "final state", &a, b.layer[0].sn, a.layer[0].sn, 1e-12);
        assert_same_states(turned, "d initial state", &a, b.layer[0].ds0, a.layer[0].ds0, 1e-11);
        test_free(y), stack_free(&a), stack_free(&b);
    }
    judge();
}

/* Both directions at once are the two directions side by side. */
static void copy_direction(stack *one, const stack *both, int d)
{
    int64_t n = one->layer[0].params, w = one->out, ls = one->layer[0].stride;
    memcpy(one->layer[0].w, both->layer[0].w + d * n, (size_t)n * sizeof(double));
    memcpy(one->layer[0].s0, both->layer[0].s0 + d * one->B * ls, (size_t)(one->B * ls) * sizeof(double));
    memcpy(one->layer[0].dsn, both->layer[0].dsn + d * one->B * ls, (size_t)(one->B * ls) * sizeof(double));
    for (int64_t r = 0; r < one->T * one->B; r++)
        memcpy(one->dy + r * w, both->dy + r * both->out + d * w, (size_t)w * sizeof(double));
}
static void test_both_directions(void **state)
{
    (void)state;
    for (int c = 0; c < config_count; c++) {
        char text[3][2 * MAX_TEXT];
        stack s[3];
        if (!one_direction(configs[c]) || strstr(configs[c], "residual")) continue;
        snprintf(text[0], sizeof text[0], "%.*s", MAX_TEXT, configs[c]);
        snprintf(text[1], sizeof text[1], "%.*s reverse", MAX_TEXT, configs[c]);
        snprintf(text[2], sizeof text[2], "%.*s bidirectional", MAX_TEXT, configs[c]);
        for (int i = 0; i < 3; i++) make(&s[i], text[i], real64, pools[1], many);
        for (int i = 0; i < 2; i++) copy_direction(&s[i], &s[2], i);
        for (int i = 0; i < 3; i++) run_both(&s[i]);
        int64_t w = s[0].out, n = s[0].layer[0].params;
        for (int64_t r = 0; r < s[0].T * s[0].B; r++)
            for (int i = 0; i < 2; i++)
                assert_near(text[2], "output", s[2].y + r * 2 * w + i * w, s[i].y + r * w, w, 1e-12);
        for (int i = 0; i < 2; i++)
            assert_near(text[2], "d weights", s[2].layer[0].g + i * n, s[i].layer[0].g, n, 1e-11);
        for (int64_t i = 0; i < s[0].T * s[0].B * s[0].in; i++) s[0].dx[i] += s[1].dx[i];
        assert_near(text[2], "d input", s[2].dx, s[0].dx, s[0].T * s[0].B * s[0].in, 1e-11);
        for (int i = 0; i < 3; i++) stack_free(&s[i]);
    }
    judge();
}

/* Numbers far beyond what a step would reach: nothing overflows in the functions of the gates. */
static void test_large_numbers(void **state)
{
    (void)state;
    for (int c = 0; c < config_count; c++) {
        stack s;
        if (strstr(configs[c], "relu") || strstr(configs[c], "linear") || strstr(configs[c], "jordan") ||
            strstr(configs[c], "indrnn"))
            continue;
        make(&s, configs[c], real32, pools[1], many);
        for (int64_t i = 0; i < s.T * s.B * s.in; i++) s.x[i] *= 1e6;
        run_both(&s);
        for (int r = 0; r < RESULTS; r++) {
            int64_t n;
            const double *x = result(&s, r, &n);
            for (int64_t i = 0; i < n; i++)
                if (!isfinite(x[i])) failed("%s: %s[%lld] is %g", configs[c], result_name[r], (long long)i, x[i]);
        }
        stack_free(&s);
    }
    judge();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_large_gradients), cmocka_unit_test(test_float),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_rows_alone), cmocka_unit_test(test_steps),
        cmocka_unit_test(test_reverse), cmocka_unit_test(test_both_directions), cmocka_unit_test(test_large_numbers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
