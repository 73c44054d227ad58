/* Ways to the gradient: all exact ones against backpropagation through time, and what the others promise. */
#include "base/rng.h"
#include "gradient/newton.h"
#include "gradient/trial.h"
#include "net_kit.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const kernels *real64;
static pool *one;
static int set_up(void **state)
{
    laco_error err;
    (void)state;
    return kernels_choose(&real64, REAL_DOUBLE, &err) || pool_new(&one, 1, &err) ? -1 : 0;
}
static int tear_down(void **state)
{
    (void)state;
    pool_free(one);
    return 0;
}

/* ---- a network, sequences for it, and the gradients of them by a way ---- */
enum { T = 6, B = 4, INPUTS = 2, OUTPUTS = 2, MOST = 4096 };
typedef struct fixture {
    net *n;
    sweep *w;
    double x[T * B * INPUTS], y[T * B * OUTPUTS];
    sequences s;
    way_settings set;
} fixture;

static double number(int place, int64_t i, double spread)
{
    return spread * (2 * rng_uniform(5, RNG_TEST, (uint64_t)(place * MOST + i)) - 1);
}
static void make(fixture *f, const char *text)
{
    laco_error err;
    *f = (fixture){ .s = { T, B, f->x, f->y },
                    .set = { .batch = B, .every = 2, .back = 3, .population = 8, .sigma = 0.01, .seed = 3 } };
    f->n = net_of(text, INPUTS, OUTPUTS, real64, one);
    if (sweep_new(&f->w, f->n, &err) || sweep_reserve(f->w, T, B, &err))
        fail_msg("%s: %s", text, err.msg);
    assert_true(f->n->params < MOST);
    for (int64_t i = 0; i < f->n->params; i++) net_set(f->n, i, number(1, i, 0.7));
    for (int t = 0; t < f->n->tensors; t++)
        for (int64_t i = 0; f->n->tensor[t].role == INIT_ONE && i < f->n->tensor[t].size; i++)
            net_set(f->n, f->n->tensor[t].offset + i, 1 + number(2, i, 0.3));
    for (int i = 0; i < T * B * INPUTS; i++) f->x[i] = number(3, i, 1);
    for (int i = 0; i < T * B * OUTPUTS; i++) f->y[i] = i % 3 ? number(4, i, 1) : NAN;
    assert_int_equal(sweep_load(f->w, &err), LACO_OK);
}
static void drop(fixture *f) { sweep_free(f->w), net_free(f->n); }

static const way *find(const char *name)
{
    const way *w = ways;
    while (w->name && strcmp(w->name, name)) w++;
    assert_non_null(w->name);
    return w;
}
static void gradient(fixture *f, const char *name, double *to)
{
    const way *v = find(name);
    laco_error err;
    void *own = NULL;
    if (v->make && v->make(&own, f->w, &f->set, &err)) fail_msg("%s: %s", name, err.msg);
    memset(f->n->g, 0, (size_t)f->n->params * sizeof(double));
    v->run(&(way_call){ .w = f->w, .set = &f->set, .own = own, .s = &f->s });
    memcpy(to, f->n->g, (size_t)f->n->params * sizeof(double));
    if (v->free) v->free(own);
}
static double largest(const double *a, const double *b, int64_t n) /* difference, b NULL: number */
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(a[i] - (b ? b[i] : 0));
        if (!(d <= most)) most = d;
    }
    return most;
}
static void assert_same(const char *text, fixture *f, const char *name, double scale, double tolerance)
{
    static double exact[MOST], g[MOST];
    gradient(f, "bptt", exact), gradient(f, name, g);
    for (int64_t i = 0; i < f->n->params; i++) exact[i] *= scale;
    double d = largest(g, exact, f->n->params);
    if (!(d <= tolerance)) fail_msg("%s: %s differs from BPTT by %g", text, name, d);
    assert_true(largest(exact, NULL, f->n->params) > 0.01);
}

/* ---- the exact gradient itself, against differences of the loss ---- */
static double loss(fixture *f)
{
    part all = whole(&f->s);
    sweep_load(f->w, NULL);
    return sweep_forward(f->w, &f->s, &all, 1.0 / B, NULL, NULL);
}
static void test_bptt(void **state)
{
    static double g[MOST];
    fixture f;
    (void)state;
    make(&f, "lstm 3 peephole; gru 2; dense");
    gradient(&f, "bptt", g);
    for (int64_t i = 0; i < f.n->params; i++) {
        double at = net_get(f.n, i), up, down;
        net_set(f.n, i, at + 1e-5), up = loss(&f);
        net_set(f.n, i, at - 1e-5), down = loss(&f);
        net_set(f.n, i, at);
        assert_true(fabs((up - down) / 2e-5 - g[i]) < 1e-8);
    }
    drop(&f);
}

/* ---- RTRL ---- every cell with every word, stacks, and the modifiers of layers */
static const char *const stacks[] = {
    "lstm 3 peephole; gru 2; dense",
    "elman 3 x2; dense",
    "elman 3 learned-state; lstm 2 learned-state; dense",
    "elman 4; elman 4 residual; dense tanh",
    "lstm 5 project 3; jordan 4 project 2 sigmoid-output; dense 3 tanh; dense",
    "lstm 3 peephole-full gate-recurrence norm project 2; dense",
    "lstm 3 clip 0.3; dense",
    "window 3; gru 3; dense",
    "gru 3; dropout 0; dense",
};
static void check_rtrl(const char *text)
{
    fixture f;
    make(&f, text);
    assert_same(text, &f, "rtrl", 1, 1e-9);
    drop(&f);
}
static void each_network(void (*check)(const char *text))
{
    char text[160];
    for (int i = 0; real64->recur->cell(i); i++) {
        const cell_info *c = real64->recur->cell(i);
        snprintf(text, sizeof text, "%s 3; dense", c->name);
        check(text);
        for (const cell_word *w = c->words; w && w->word; w++) {
            snprintf(text, sizeof text, "%s 3 %s; dense", c->name, w->word);
            check(text);
        }
    }
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++) check(stacks[i]);
}
static void test_rtrl(void **state)
{
    (void)state;
    each_network(check_rtrl);
}
static void refused(const char *text, const char *name, const char *says)
{
    fixture f;
    laco_error err = { 0 };
    void *own = NULL;
    make(&f, text);
    assert_int_equal(find(name)->make(&own, f.w, &f.set, &err), LACO_EINVAL);
    if (!strstr(err.msg, says)) fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
    drop(&f);
}
static void test_refusals(void **state)
{
    (void)state;
    refused("gru 3 bidirectional; dense", "rtrl", "leave bidirectional");
    refused("gru 3 reverse; dense", "truncated", "leave bidirectional");
    refused("gru 3; window 2; dense", "rtrl", "put it first");
}

/* ---- truncation ---- */
static void test_truncated(void **state)
{
    static double g[MOST], exact[MOST];
    fixture f;
    (void)state;
    make(&f, "lstm 3; gru 3 learned-state; dense");
    for (int64_t every = 1; every <= T + 1; every++)
        for (int64_t back = T; back <= T + 1; back++) {
            f.set.every = every, f.set.back = back;
            assert_same("back over all steps", &f, "truncated", 1, 1e-12);
        }
    /* a loss of the last step alone, back over two: the network begins two steps before it, with the state met there */
    for (int i = 0; i < (T - 1) * B * OUTPUTS; i++) f.y[i] = NAN;
    f.set.every = 1, f.set.back = 2;
    gradient(&f, "truncated", g);
    double *s = mem_new((size_t)(B * f.w->states), sizeof(double));
    memset(f.n->g, 0, (size_t)f.n->params * sizeof(double));
    sweep_forward(f.w, &f.s, &(part){ .rows = B, .steps = T - 2 }, 0, NULL, s);
    sweep_forward(f.w, &f.s, &(part){ .rows = B, .step = T - 2, .steps = 2 }, 1.0 / B, s, NULL);
    sweep_backward(f.w, true, NULL, NULL);
    assert_true(largest(g, f.n->g, f.n->params) < 1e-12);
    gradient(&f, "bptt", exact);
    assert_true(largest(g, exact, f.n->params) > 1e-3);
    mem_free(s), drop(&f);
}

/* ---- one sequence at a time ---- */
static int updates;
static void count_update(void *ctx)
{
    fixture *f = ctx;
    updates++;
    memset(f->n->g, 0, (size_t)f->n->params * sizeof(double));
}
static void test_online(void **state)
{
    static const struct {
        const char *name;
        int updates;
    } row[] = { { "bptt", 1 },     { "truncated", T / 2 }, { "online", B },
                { "averaged", B }, { "rtrl", 1 },          { "evolution", 1 } };
    fixture f;
    (void)state;
    make(&f, "elman 3; dense");
    assert_same("online", &f, "online", 1, 1e-12);
    assert_same("averaged", &f, "averaged", 1.0 / T, 1e-12);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const way *v = find(row[i].name);
        void *own = NULL;
        if (v->make) assert_int_equal(v->make(&own, f.w, &f.set, NULL), LACO_OK);
        updates = 0;
        v->run(&(way_call){ .w = f.w, .set = &f.set, .own = own, .s = &f.s, .ready = count_update, .ctx = &f });
        assert_int_equal(updates, row[i].updates);
        if (v->free) v->free(own);
    }
    drop(&f);
}
/* The mean of the weights that the unrolled copies would go to, each by its own gradient. */
static void test_copies(void **state)
{
    static double g[MOST], copies[MOST], *one_step;
    fixture f;
    const double lr = 0.1;
    (void)state;
    make(&f, "elman 3; dense");
    gradient(&f, "averaged", g);
    const int64_t S = f.w->states, N = f.n->params;
    double *s = mem_new((size_t)((T + 1) * B * S), sizeof(double)), *d = mem_new((size_t)(B * S), sizeof(double));
    for (int t = 0; t < T; t++) /* the states in front of every step, then backwards step by step */
        sweep_forward(f.w, &f.s, &(part){ .rows = B, .step = t, .steps = 1 }, 0, t ? s + t * B * S : NULL,
                      s + (t + 1) * B * S);
    for (int t = T - 1; t >= 0; t--) {
        memset(f.n->g, 0, (size_t)N * sizeof(double));
        sweep_forward(f.w, &f.s, &(part){ .rows = B, .step = t, .steps = 1 }, 1.0 / B, t ? s + t * B * S : NULL, NULL);
        sweep_backward(f.w, true, d, d);
        one_step = f.n->g;
        for (int64_t i = 0; i < N; i++) copies[i] += (net_get(f.n, i) - lr * one_step[i]) / T;
    }
    for (int64_t i = 0; i < N; i++) assert_true(fabs(copies[i] - (net_get(f.n, i) - lr * g[i])) < 1e-12);
    mem_free(s), mem_free(d), drop(&f);
}

/* ---- evolution ---- */
static double cosine(const double *a, const double *b, int64_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return ab / sqrt(aa * bb);
}
/* With M pairs the estimate of a linear loss in N weights has cosine about sqrt(M / (M + N)): 0.98 here. */
static void test_evolution(void **state)
{
    static double exact[MOST], g[MOST], again[MOST];
    fixture f;
    (void)state;
    make(&f, "elman 2; dense");
    f.set.population = 800;
    gradient(&f, "bptt", exact), gradient(&f, "evolution", g), gradient(&f, "evolution", again);
    assert_true(cosine(exact, g, f.n->params) > 0.9);
    assert_memory_equal(g, again, (size_t)f.n->params * sizeof(double));
    f.set.seed++;
    gradient(&f, "evolution", again);
    assert_memory_not_equal(g, again, (size_t)f.n->params * sizeof(double));
    drop(&f);
}

/* ---- Hessian-free ---- */
static void outputs_at(fixture *f, const double *w, const double *v, double h, double *to)
{
    int64_t ld;
    for (int64_t i = 0; i < f->n->params; i++) net_set(f->n, i, w[i] + h * v[i]);
    loss(f);
    const double *y = net_output(f->n, f->n->d.layers, &ld);
    for (int r = 0; r < T * B; r++) memcpy(to + r * OUTPUTS, y + r * ld, OUTPUTS * sizeof(double));
}
/* Values are those of the layers, derivatives those of fourth-order central differences. */
static void check_tangent(const char *text)
{
    static double w[MOST], v[MOST], y[5][T * B * OUTPUTS];
    const double h = 1e-4;
    fixture f;
    tangent *t = NULL;
    laco_error err;
    make(&f, text);
    if (tangent_new(&t, f.n, T * B, &err)) fail_msg("%s: %s", text, err.msg);
    for (int64_t i = 0; i < f.n->params; i++) w[i] = net_get(f.n, i), v[i] = number(6, i, 1);
    for (int k = -2; k <= 2; k++) outputs_at(&f, w, v, k * h, y[k + 2]);
    for (int64_t i = 0; i < f.n->params; i++) net_set(f.n, i, w[i]);
    tangent_run(t, &f.s, v);
    const dual *made = tangent_output(t, f.n->d.layers - 1);
    for (int i = 0; i < T * B * OUTPUTS; i++) {
        double difference = (8 * (y[3][i] - y[1][i]) - (y[4][i] - y[0][i])) / (12 * h);
        if (!(fabs(made[i][0] - y[2][i]) < 1e-12)) fail_msg("%s: value %d is %g off", text, i, made[i][0] - y[2][i]);
        if (!(fabs(made[i][1] - difference) < 1e-7))
            fail_msg("%s: derivative %d is %g, not %g", text, i, made[i][1], difference);
    }
    tangent_free(t), drop(&f);
}
static void test_tangent(void **state)
{
    (void)state;
    each_network(check_tangent);
    check_tangent("dense 6 sigmoid; gru 3 bidirectional residual; lstm 2 reverse; dense");
    check_tangent("lstm 4 coupled norm-gates peephole project 2 clip 2; gru 3 bias-two learned-state; dense tanh");
    check_tangent("lstm 3 no-input-gate no-forget gate-recurrence peephole-full; elman 3 project 2 clip 0.5; dense");
    check_tangent(
        "gru-before 3 bias-two; mgu 3 bias-none; indrnn 2 bias-none; jordan 3 tanh-output relu; dense no-bias");
}
static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}
static void test_products(void **state)
{
    static double v[MOST], u[MOST], Gv[MOST], Gu[MOST], up[MOST], down[MOST];
    static const double structural[] = { 0, 0.3 };
    fixture f;
    curvature c;
    (void)state;
    make(&f, "lstm 3 peephole; gru 3; dense");
    const int64_t N = f.n->params;
    assert_int_equal(curvature_new(&c, f.w, T * B, NULL), LACO_OK);
    c.s = &f.s, c.scale = 1.0 / B;
    for (int64_t i = 0; i < N; i++) v[i] = number(7, i, 1), u[i] = number(8, i, 1);
    double plain = 0, states = 0; /* v G v, and the same with a share of the states' changes */
    for (int k = 0; k < 2; k++) {
        c.structural = structural[k];
        curvature_product(&c, v, Gv), curvature_product(&c, u, Gu);
        assert_true(fabs(dot(u, Gv, N) - dot(v, Gu, N)) < 1e-12 * fabs(dot(u, Gv, N)) + 1e-13);
        assert_true(dot(v, Gv, N) > 0.01 && dot(u, Gu, N) > 0.01);
        plain = k ? plain : dot(v, Gv, N), states = dot(v, Gv, N);
    }
    double moved = 0;
    tangent_run(c.t, &f.s, v);
    for (int i = 0; i < T * B * 3; i++)
        for (int l = 0; l < 2; l++) moved += tangent_output(c.t, l)[i][1] * tangent_output(c.t, l)[i][1];
    assert_true(fabs(states - plain - structural[1] * 2 * c.scale * moved) < 1e-12 * states);
    /* where the outputs are the targets the Hessian is G: differences of the gradient */
    int64_t ld;
    loss(&f);
    const double *y = net_output(f.n, f.n->d.layers, &ld);
    for (int i = 0; i < T * B * OUTPUTS; i++)
        if (!isnan(f.y[i])) f.y[i] = y[i / OUTPUTS * ld + i % OUTPUTS];
    c.structural = 0;
    curvature_product(&c, v, Gv);
    const double h = 1e-5;
    for (int64_t i = 0; i < N; i++) net_set(f.n, i, net_get(f.n, i) + h * v[i]);
    sweep_load(f.w, NULL), gradient(&f, "bptt", up);
    for (int64_t i = 0; i < N; i++) net_set(f.n, i, net_get(f.n, i) - 2 * h * v[i]);
    sweep_load(f.w, NULL), gradient(&f, "bptt", down);
    for (int64_t i = 0; i < N; i++) assert_true(fabs((up[i] - down[i]) / (2 * h) - Gv[i]) < 1e-7);
    curvature_free(&c), drop(&f);
}
/* A network that is linear in its weights is done in one step; others fall at every step. */
static void nothing(void *ctx) { (void)ctx; }
static double after_steps(const char *text, int steps, double damping, int64_t iterations)
{
    fixture f;
    void *own = NULL;
    const way *v = find("hessian-free");
    make(&f, text);
    f.set.cg = iterations, f.set.damping = damping;
    assert_int_equal(v->make(&own, f.w, &f.set, NULL), LACO_OK);
    double before = loss(&f), now;
    for (int i = 0; i < steps; i++, before = now) {
        v->run(&(way_call){ .w = f.w, .set = &f.set, .own = own, .s = &f.s, .ready = nothing });
        now = loss(&f);
        assert_true(now <= before);
    }
    v->free(own), drop(&f);
    return before;
}
static void test_newton(void **state)
{
    (void)state;
    /* conjugate gradients end after as many iterations as there are weights */
    double one_step = after_steps("window 2; dense", 1, 1e-9, 10), ten = after_steps("window 2; dense", 10, 1e-9, 100);
    assert_true(one_step - ten < 1e-4 * ten);
    assert_true(after_steps("elman 4; dense", 30, 1, 100) < 0.3 * after_steps("elman 4; dense", 0, 1, 1));
}

/* ---- trials ---- */
static const sequences *same_batch(void *ctx, int64_t index, int64_t count)
{
    fixture *f = ctx;
    (void)index, (void)count;
    return &f->s;
}
static void test_trial(void **state)
{
    static trial t;
    static double start[MOST];
    volatile int stop = 0;
    fixture f;
    (void)state;
    make(&f, "gru 3; dense");
    memcpy(start, f.n->w, (size_t)f.n->params * sizeof(double));
    double before = loss(&f);
    trial_rules r = { .w = f.w,
                      .set = f.set,
                      .start = start,
                      .optimizer = "sgd",
                      .lr = 0.1,
                      .seconds = 100,
                      .updates = 20,
                      .valid = &f.s,
                      .batch = same_batch,
                      .ctx = &f,
                      .stop = &stop };
    assert_int_equal(trial_run(&t, find("averaged"), &r, NULL), LACO_OK);
    const trial_point *end = &t.point[t.points - 1];
    assert_true(t.angle < 1e-4 && fabs(t.difference - (1 - 1.0 / T)) < 1e-12);
    assert_true(t.point[0].error == before && t.point[0].work == 0 && end->error < before);
    assert_int_equal(end->updates, 20), assert_int_equal(end->sequences, 5 * B);
    assert_true(end->work == 20.0 * T * 3 * (double)net_work(f.n));
    assert_true(trial_error_at(&t, end->work, false) == end->error && isnan(trial_error_at(&t, 2 * end->work, false)));
    assert_true(trial_error_at(&t, 0, false) == before);
    r.optimizer = "sdg";
    assert_int_equal(trial_run(&t, find("bptt"), &r, NULL), LACO_EINVAL);
    r.optimizer = "sgd", stop = 1;
    assert_int_equal(trial_run(&t, find("rtrl"), &r, NULL), LACO_OK);
    assert_true(t.points == 1 && isnan(t.angle));
    drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bptt),      cmocka_unit_test(test_rtrl),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_online),  cmocka_unit_test(test_copies),
        cmocka_unit_test(test_evolution), cmocka_unit_test(test_tangent), cmocka_unit_test(test_products),
        cmocka_unit_test(test_newton),    cmocka_unit_test(test_trial),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
