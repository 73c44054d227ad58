/* Optimizers against plain restatements in double, over 20 updates with weight decay and clipped gradients; what help
   says of their defaults; norms and bounds of gradients; averages of weights; noise and dropped weights number by
   number, and their statistics; rates of the schedules at chosen points; everything in float and double, for any number
   of threads. */
#include "base/rng.h"
#include "kernel_kit.h"
#include "optim/schedule.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void fill(int r, void *x, int64_t n, uint64_t place, double spread)
{
    for (int64_t i = 0; i < n; i++)
        put(r, x, i, spread * (2 * rng_uniform(5, RNG_TEST, place << 32 | (uint64_t)i) - 1));
}
enum { NUMBERS = 2 * OPTIM_BLOCK + 37, SOME = 1000, UPDATES = 20, SLOTS = 3 };

/* ---- the equations of optim.h once more ---- a weight with all that an optimizer may keep of it */
typedef struct plain {
    double w, v, m, s, most, sum, step, before;
} plain;
static double signum(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
static void momentum_plain(plain *p, double g, const optim_step *s)
{
    p->v = s->momentum * p->v + g, p->w -= s->lr * p->v;
}
static void sgd_plain(plain *p, double g, const optim_step *s) { p->w -= s->lr * g; }
static void nesterov_plain(plain *p, double g, const optim_step *s)
{
    p->v = s->momentum * p->v + g, p->w -= s->lr * (g + s->momentum * p->v);
}
static void moments(plain *p, double g, const optim_step *s)
{
    p->m = s->beta1 * p->m + (1 - s->beta1) * g, p->s = s->beta2 * p->s + (1 - s->beta2) * g * g;
}
static double corrected(double beta, int64_t t) { return 1 - pow(beta, (double)t); }
static void rmsprop_plain(plain *p, double g, const optim_step *s)
{
    moments(p, g, s), p->w -= s->lr * g / (sqrt(p->s) + s->eps);
}
static void adam_plain(plain *p, double g, const optim_step *s)
{
    moments(p, g, s);
    p->w -= s->lr * p->m / corrected(s->beta1, s->update) / (sqrt(p->s / corrected(s->beta2, s->update)) + s->eps);
}
static void amsgrad_plain(plain *p, double g, const optim_step *s)
{
    moments(p, g, s), p->most = fmax(p->most, p->s);
    p->w -= s->lr * p->m / corrected(s->beta1, s->update) / (sqrt(p->most / corrected(s->beta2, s->update)) + s->eps);
}
static void nadam_plain(plain *p, double g, const optim_step *s)
{
    moments(p, g, s);
    double m =
        s->beta1 * p->m / corrected(s->beta1, s->update + 1) + (1 - s->beta1) * g / corrected(s->beta1, s->update);
    p->w -= s->lr * m / (sqrt(p->s / corrected(s->beta2, s->update)) + s->eps);
}
static void lion_plain(plain *p, double g, const optim_step *s)
{
    p->w -= s->lr * signum(s->beta1 * p->m + (1 - s->beta1) * g), p->m = s->beta2 * p->m + (1 - s->beta2) * g;
}
static void adagrad_plain(plain *p, double g, const optim_step *s)
{
    p->sum += g * g, p->w -= s->lr * g / (sqrt(p->sum) + s->eps);
}
static void adadelta_plain(plain *p, double g, const optim_step *s)
{
    moments(p, g, s);
    double d = sqrt(p->sum + s->eps) / sqrt(p->s + s->eps) * g;
    p->sum = s->beta2 * p->sum + (1 - s->beta2) * d * d, p->w -= s->lr * d;
}
static void graves_plain(plain *p, double g, const optim_step *s)
{
    p->s = s->beta2 * p->s + (1 - s->beta2) * g * g, p->m = s->beta2 * p->m + (1 - s->beta2) * g;
    p->v = s->momentum * p->v - s->lr * g / sqrt(p->s - p->m * p->m + s->eps), p->w += p->v;
}
static void rprop_plain(plain *p, double g, const optim_step *s)
{
    if (s->update == 1) p->step = s->lr;
    if (g * p->before > 0)
        p->step = fmin(1.2 * p->step, 50);
    else if (g * p->before < 0)
        p->step = fmax(0.5 * p->step, 1e-6), g = 0;
    p->w -= signum(g) * p->step, p->before = g;
}
static const struct {
    const char *name;
    void (*update)(plain *, double g, const optim_step *);
    bool decoupled; /* weight decay */
    bool jumps;     /* where a sign turns, float may differ from double */
} restated[] = {
    { "sgd", sgd_plain, false, false },           { "momentum", momentum_plain, false, false },
    { "nesterov", nesterov_plain, false, false }, { "rmsprop", rmsprop_plain, false, false },
    { "adam", adam_plain, false, false },         { "adamw", adam_plain, true, false },
    { "amsgrad", amsgrad_plain, false, false },   { "nadam", nadam_plain, false, false },
    { "lion", lion_plain, true, true },           { "adagrad", adagrad_plain, false, false },
    { "adadelta", adadelta_plain, false, false }, { "rmsprop-graves", graves_plain, false, false },
    { "rprop", rprop_plain, false, true },
};
enum { RESTATED = sizeof restated / sizeof *restated };
static void update_plain(int k, plain *p, double gradient, const optim_step *s)
{
    double g = s->gradient_scale * gradient, decay = s->lr * s->weight_decay * p->w;
    restated[k].update(p, restated[k].decoupled ? g : g + s->weight_decay * p->w, s);
    if (restated[k].decoupled) p->w -= decay;
}
static int restatement_of(const char *name)
{
    for (int k = 0; k < RESTATED; k++)
        if (!strcmp(restated[k].name, name)) return k;
    fail_msg("no restatement of optimizer %s", name);
    return -1;
}

/* ---- optimizers ---- */
static optim_step step_of(const optim_row *o, int64_t update)
{
    return (optim_step){ .lr = 0.01 + 0.001 * (double)update, /* a schedule */
                         .momentum = o->momentum,
                         .beta1 = o->beta1,
                         .beta2 = o->beta2,
                         .eps = o->eps,
                         .weight_decay = 0.02,
                         .gradient_scale = 0.7,
                         .update = update };
}
/* Gradients small and large, some of them 0. */
static void fill_gradient(int r, void *g, int64_t n, int64_t update)
{
    fill(r, g, n, (uint64_t)update + 1, 1);
    for (int64_t i = 0; i < n; i++) put(r, g, i, i % 11 == 3 ? 0 : at(r, g, i) * (i % 7 ? 1 : 1e-3));
}
static void *run_updates(int r, int row, int threads, int64_t n)
{
    void *w = new_reals(r, n), *g = new_reals(r, n), *state = new_reals(r, SLOTS * n);
    fill(r, w, n, 1, 1);
    for (int64_t t = 1; t <= UPDATES; t++) {
        optim_step s = step_of(real[r]->optim->row(row), t);
        fill_gradient(r, g, n, t);
        real[r]->optim->update(row, pools[threads], n, w, g, state, &s);
    }
    mem_free(g), mem_free(state);
    return w;
}
static void check_optimizer(int r, int row)
{
    const optim_row *o = real[r]->optim->row(row);
    const int k = restatement_of(o->name);
    int far = 0;
    void *w = run_updates(r, row, 1, SOME), *g = new_reals(r, SOME), *first = new_reals(r, SOME);
    plain *p = mem_new(SOME, sizeof *p);
    fill(r, first, SOME, 1, 1);
    for (int64_t i = 0; i < SOME; i++) p[i].w = at(r, first, i);
    for (int64_t t = 1; t <= UPDATES; t++) {
        optim_step s = step_of(o, t);
        fill_gradient(r, g, SOME, t);
        for (int64_t i = 0; i < SOME; i++) update_plain(k, &p[i], at(r, g, i), &s);
    }
    for (int64_t i = 0; i < SOME; i++) {
        double off = fabs(at(r, w, i) - p[i].w);
        if (off <= (r == REAL_FLOAT ? 2e-5 : 1e-13)) continue;
        if (!(r == REAL_FLOAT && restated[k].jumps && ++far <= 2 && off < 1))
            fail_msg("%s: w[%lld] is %.17g, not %.17g", o->name, (long long)i, at(r, w, i), p[i].w);
    }
    mem_free(w), mem_free(g), mem_free(first), mem_free(p);
}
static void test_optimizers(void **state)
{
    (void)state;
    for (int r = 0; r < 2; r++) {
        int row = 0;
        for (; real[r]->optim->row(row); row++) check_optimizer(r, row);
        assert_int_equal(row, RESTATED);
    }
}
static void test_optimizer_threads(void **state)
{
    (void)state;
    for (int row = 0; real[0]->optim->row(row); row++) {
        void *w[4];
        for (int t = 1; t <= 3; t++) {
            w[t] = run_updates(REAL_FLOAT, row, t, NUMBERS);
            assert_memory_equal(w[t], w[1], NUMBERS * sizeof(float));
        }
        for (int t = 1; t <= 3; t++) mem_free(w[t]);
    }
}
/* Help tells the defaults, and those alone that the optimizer uses. */
static void test_optimizer_rows(void **state)
{
    const optim_row *o;
    (void)state;
    for (int row = 0; (o = real[0]->optim->row(row)); row++) {
        const struct {
            const char *option;
            double x;
        } told[] = { { "--lr", o->lr },
                     { "--momentum", o->momentum },
                     { "--beta1", o->beta1 },
                     { "--beta2", o->beta2 },
                     { "--eps", o->eps } };
        for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
            char text[64];
            snprintf(text, sizeof text, "%s %g", told[i].option, told[i].x);
            if (!strstr(o->about, told[i].x != 0 ? text : told[i].option) == (told[i].x != 0))
                fail_msg("%s: \"%s\" about %s", o->name, o->about, text);
        }
        assert_true(o->lr > 0 && o->slots >= 0 && o->slots <= SLOTS);
        assert_true(o->full_batch == !strcmp(o->name, "rprop"));
    }
}
/* An option offers the rows of its kind, in their order. */
static void check_choices(const char *option, const char *const *names)
{
    buf text = { 0 };
    int count;
    const laco_option *o = laco_options(&count);
    for (int i = 0; names[i]; i++) buf_printf(&text, "%s%s", i ? "|" : "", names[i]);
    for (int i = 0; i < count; i++)
        if (!strcmp(o[i].name, option) && !strcmp(o[i].command, "train")) assert_string_equal(o[i].choices, text.data);
    buf_free(&text);
}
static void test_choices(void **state)
{
    (void)state;
    check_choices("optimizer", laco_names("optimizer"));
    check_choices("schedule", laco_names("schedule"));
}
/* Where gradients stay the same, rounding makes their variance negative: no NaN comes of it. */
static void test_graves_variance(void **state)
{
    enum { N = 64 };
    float w[N] = { 0 }, g[N], buffers[SLOTS * N] = { 0 };
    int row = 0;
    (void)state;
    while (strcmp(real[0]->optim->row(row)->name, "rmsprop-graves")) row++;
    for (int64_t t = 1; t <= 500; t++) {
        for (int i = 0; i < N; i++) g[i] = (float)(1e4 * (1 + 0.37 * i) * (t < 20 ? 10 : 1));
        optim_step s = step_of(real[0]->optim->row(row), t);
        s.weight_decay = 0;
        real[0]->optim->update(row, pools[1], N, w, g, buffers, &s);
    }
    for (int i = 0; i < N; i++) assert_true(isfinite(w[i]));
}

/* ---- norm and bounds ---- */
static void test_norm_and_clip(void **state)
{
    static const int64_t sizes[] = { 1, 7, 8, OPTIM_BLOCK - 1, OPTIM_BLOCK, NUMBERS };
    (void)state;
    for (int r = 0; r < 2; r++)
        for (int k = 0; k < 6; k++) {
            int64_t n = sizes[k];
            void *g = new_reals(r, n);
            double *partial = mem_new((size_t)optim_partials(n), 8), want = 0, norm[4];
            fill(r, g, n, 3, 1);
            for (int64_t i = 0; i < n; i++) want += at(r, g, i) * at(r, g, i);
            for (int t = 1; t <= 3; t++) norm[t] = real[r]->optim->norm(pools[t], n, g, partial);
            assert_true(fabs(norm[1] - sqrt(want)) <= 1e-12 * sqrt(want));
            assert_true(norm[1] == norm[2] && norm[1] == norm[3]);
            real[r]->optim->clip_value(pools[2], n, g, 0.3);
            void *old = new_reals(r, n);
            fill(r, old, n, 3, 1);
            for (int64_t i = 0; i < n; i++) {
                double limit = r == REAL_FLOAT ? (double)0.3f : 0.3;
                assert_true(at(r, g, i) == fmax(-limit, fmin(limit, at(r, old, i))));
            }
            mem_free(g), mem_free(old), mem_free(partial);
        }
}

/* ---- averages ---- */
static void test_average(void **state)
{
    static const double decays[] = { 0, 0.9, 0.99, 1 };
    enum { ROUNDS = 150 };
    (void)state;
    for (int k = 0; k < 4; k++) {
        double w[4] = { 0 }, mean[4] = { 0 }, weight[ROUNDS + 1];
        float same[4] = { 0.3f, -5, 0, 7 }, still[4] = { 0 };
        for (int64_t t = 1; t <= ROUNDS; t++) {
            for (int i = 0; i < 4; i++) w[i] = rng_uniform(3, RNG_TEST, (uint64_t)(4 * t + i));
            double share = average_share(decays[k], t);
            real[1]->optim->average(pools[2], 4, mean, w, share);
            real[0]->optim->average(pools[2], 4, still, same, share);
            for (int64_t i = 1; i < t; i++) weight[i] *= 1 - share;
            weight[t] = share;
        }
        double sum = 0, want = 0;
        for (int64_t t = 1; t <= ROUNDS; t++) {
            sum += weight[t], want += weight[t] * rng_uniform(3, RNG_TEST, (uint64_t)(4 * t + 2));
            if (decays[k] == 1) assert_true(fabs(weight[t] - 1.0 / ROUNDS) < 1e-12);
        }
        assert_true(fabs(sum - 1) < 1e-12); /* not biased towards the zeros it began with */
        assert_true(fabs(mean[2] - want) < 1e-12);
        assert_memory_equal(still, same, sizeof same);
        if (decays[k] == 0.9) assert_true(fabs(weight[ROUNDS - 3] - 0.1 * 0.9 * 0.9 * 0.9) < 1e-12);
        if (decays[k] == 0) assert_true(mean[1] == w[1]);
    }
    assert_true(average_share(0.99, 4) == 0.25 && fabs(average_share(0.99, 400) - 0.01) < 1e-12);
}

/* ---- noise and dropped weights ---- the words of a place: blocks of 16 counters side by side */
static uint32_t word_at(const optim_draw *d, int64_t chunk, int word, int lane)
{
    uint32_t w[4];
    rng_block(d->seed, d->purpose | d->update << 24, (uint64_t)(chunk * 16 + lane), w);
    return w[word];
}
static double plain_normal(const optim_draw *d, int64_t i)
{
    int64_t k = i % 64, pair = k / 32, lane = k % 16;
    uint32_t a = word_at(d, i / 64, (int)(2 * pair), (int)lane), b = word_at(d, i / 64, (int)(2 * pair + 1), (int)lane);
    double u = ((a >> 8 & 0xfffffe) + 1) * 0x1p-24, t = (((b >> 8 & 0xfffffe) + 1) * 0x1p-24 - 0.5) * acos(-1) / 2;
    double r = sqrt(-2 * log(u)) * (b & 2 ? 1 : -1);
    bool sine = (k / 16 % 2 == 1) != (b & 1);
    return r * (sine ? sin(t) : cos(t));
}
static bool plain_keeps(const optim_draw *d, int64_t i, double rate)
{
    int64_t k = i % 128;
    return (word_at(d, i / 128, (int)(k / 32), (int)(k % 16)) >> (k / 16 % 2 * 16) & 0xffff) >= rate * 65536;
}
static const optim_draw draws[] = { { 1, RNG_WEIGHT_NOISE, 0 },
                                    { UINT64_C(0x123456789abcdef), RNG_WEIGHT_DROP, (UINT64_C(1) << 40) - 3 } };
static void check_perturbations(int r, const optim_draw *d)
{
    const double tolerance = r == REAL_FLOAT ? 3e-6 : 1e-14, rate = 0.375;
    const optim_range whole = { 0, SOME };
    void *from = new_reals(r, SOME), *to = new_reals(r, SOME);
    fill(r, from, SOME, 1, 1);
    real[r]->optim->add_normal(pools[2], SOME, to, from, 0.5, d);
    for (int64_t i = 0; i < SOME; i++)
        if (!(fabs(at(r, to, i) - at(r, from, i) - 0.5 * plain_normal(d, i)) <= tolerance))
            fail_msg("normal number %d is %.17g, not %.17g", (int)i, 2 * (at(r, to, i) - at(r, from, i)),
                     plain_normal(d, i));
    real[r]->optim->drop(pools[2], 1, &whole, to, from, rate, d);
    for (int64_t i = 0; i < SOME; i++)
        assert_true(fabs(at(r, to, i) - at(r, from, i) / (1 - rate) * plain_keeps(d, i, rate)) <= tolerance);
    mem_free(from), mem_free(to);
}
static void test_perturbations(void **state)
{
    static const char *const isas[] = { "portable", "avx2", NULL }; /* NULL: the best */
    (void)state;
    const char *before = getenv("LACO_ISA");
    for (int k = 0; k < 3; k++) {
        const kernels *const best[2] = { real[0], real[1] };
        for (int r = 0; isas[k] && r < 2; r++) {
            setenv("LACO_ISA", isas[k], 1);
            if (kernels_choose(&real[r], r, NULL)) real[r] = best[r]; /* of another processor */
        }
        for (int r = 0; r < 2; r++) check_perturbations(r, &draws[0]), check_perturbations(r, &draws[1]);
        real[0] = best[0], real[1] = best[1];
    }
    if (before)
        setenv("LACO_ISA", before, 1);
    else
        unsetenv("LACO_ISA");
}
static void test_normal_statistics(void **state)
{
    enum { N = 1 << 20, CLASSES = 12, SEED = 2 };
    float *x = mem_new(N, sizeof *x);
    double moment[5] = { 0 }, lag[3] = { 0 }, share[CLASSES] = { 0 }, chi = 0;
    static const int lags[] = { 1, 16, 32 };
    (void)state;
    real[0]->optim->add_normal(pools[3], N, x, x, 1, &(optim_draw){ SEED, RNG_WEIGHT_NOISE, 0 });
    for (int i = 0; i < N; i++) {
        double v = (double)x[i];
        for (int k = 1; k <= 4; k++) moment[k] += pow(v, k) / N;
        for (int k = 0; k < 3 && i >= lags[k]; k++) lag[k] += v * (double)x[i - lags[k]] / N;
        share[(int)fmin(CLASSES - 1, fmax(0, floor((v + 3) * 2)))] += 1.0 / N;
        assert_true(fabs(v) < 5.8);
    }
    assert_true(fabs(moment[1]) < 0.004 && fabs(moment[2] - 1) < 0.006);
    assert_true(fabs(moment[3]) < 0.012 && fabs(moment[4] - 3) < 0.04);
    for (int k = 0; k < 3; k++) assert_true(fabs(lag[k]) < 0.004);
    for (int k = 0; k < CLASSES; k++) {
        double from = k ? erfc(-(k / 2.0 - 3) / sqrt(2)) / 2 : 0;
        double to = k + 1 < CLASSES ? erfc(-((k + 1) / 2.0 - 3) / sqrt(2)) / 2 : 1;
        chi += N * (share[k] - (to - from)) * (share[k] - (to - from)) / (to - from);
    }
    assert_true(chi < 31.3); /* 11 degrees of freedom; one seed of 1000 fails */
    mem_free(x);
}
/* The same for any number of threads and in place, and every update its own. */
static void test_normal_repeats(void **state)
{
    float *w = new_reals(0, NUMBERS), *a = new_reals(0, NUMBERS), *b = new_reals(0, NUMBERS);
    (void)state;
    fill(0, w, NUMBERS, 1, 1);
    optim_draw d = draws[1];
    real[0]->optim->add_normal(pools[1], NUMBERS, a, w, 0.1, &d);
    for (int t = 1; t <= 3; t++) {
        memcpy(b, w, NUMBERS * sizeof(float));
        real[0]->optim->add_normal(pools[t], NUMBERS, b, b, 0.1, &d);
        assert_memory_equal(a, b, NUMBERS * sizeof(float));
    }
    for (int k = 0; k < 3; k++) {
        optim_draw other = d;
        if (k == 0) other.update++;
        if (k == 1) other.purpose = RNG_GRADIENT_NOISE;
        if (k == 2) other.seed++;
        int64_t same = 0;
        real[0]->optim->add_normal(pools[2], NUMBERS, b, w, 0.1, &other);
        for (int64_t i = 0; i < NUMBERS; i++) same += a[i] == b[i];
        assert_true(same < 10);
    }
    real[0]->optim->add_normal(pools[2], NUMBERS, b, w, 0, &d);
    assert_memory_equal(b, w, NUMBERS * sizeof(float));
    mem_free(w), mem_free(a), mem_free(b);
}
/* Ranges: what lies between stays; the places that are dropped do not depend on how the array is cut. */
static void test_drop_ranges(void **state)
{
    static const optim_range ranges[] = { { 5, 0 }, { 7, 130 }, { 1000, OPTIM_BLOCK }, { 2 * OPTIM_BLOCK - 1, 30 } };
    const optim_range whole = { 0, NUMBERS };
    (void)state;
    for (int r = 0; r < 2; r++) {
        void *w = new_reals(r, NUMBERS), *all = new_reals(r, NUMBERS);
        int64_t dropped = 0, inside = 0;
        fill(r, w, NUMBERS, 1, 1);
        real[r]->optim->drop(pools[1], 1, &whole, all, w, 0.5, &draws[0]);
        for (int64_t i = 0; i < NUMBERS; i++) dropped += at(r, all, i) == 0;
        assert_true(fabs((double)dropped / NUMBERS - 0.5) < 4 * 0.5 / sqrt(NUMBERS));
        for (int t = 1; t <= 3; t++) {
            void *part = new_reals(r, NUMBERS);
            fill(r, part, NUMBERS, 1, 1);
            real[r]->optim->drop(pools[t], 4, ranges, part, part, 0.5, &draws[0]);
            for (int64_t i = 0; i < NUMBERS; i++) {
                bool in = false;
                for (int k = 0; k < 4; k++) in = in || (i >= ranges[k].offset && i < ranges[k].offset + ranges[k].size);
                assert_true(at(r, part, i) == at(r, in ? all : w, i)), inside += in;
            }
            mem_free(part);
        }
        assert_int_equal(inside, 3 * (130 + OPTIM_BLOCK + 30));
        real[r]->optim->drop(pools[1], 1, &whole, all, w, 0, &draws[0]);
        assert_memory_equal(all, w, (size_t)(NUMBERS * real[r]->real_size));
        mem_free(w), mem_free(all);
    }
}

/* ---- schedules ---- */
#define STEP .lr = 1, .decay = 0.5, .decay_start = 4
#define PLATEAU .lr = 2, .decay = 0.5
#define COSINE .lr = 1, .final = 0.01
#define RESTARTS .lr = 2, .final = 0, .periods = 3, .period_factor = 2 /* parts of 1/7, 2/7, 4/7 */
static const struct {
    const char *name;
    schedule s;
    schedule_point at;
    double lr;
} rates[] = {
    { "constant", { .lr = 0.5 }, { .update = 7, .epoch = 3, .share = 0.7 }, 0.5 },
    { "constant", { .lr = 1, .warmup = 10 }, { .update = 0 }, 0.1 },
    { "constant", { .lr = 1, .warmup = 10 }, { .update = 9 }, 1 },
    { "constant", { .lr = 1, .warmup = 10 }, { .update = 10 }, 1 },
    { "step", { STEP }, { .epoch = 3 }, 1 },
    { "step", { STEP }, { .epoch = 4 }, 0.5 },
    { "step", { STEP }, { .epoch = 6 }, 0.125 },
    { "exponential", { .lr = 3, .final = 0.0625 }, { .share = 0 }, 3 },
    { "exponential", { .lr = 3, .final = 0.0625 }, { .share = 0.25 }, 1.5 },
    { "exponential", { .lr = 3, .final = 0.0625 }, { .share = 2 }, 0.1875 },
    { "inverse-sqrt", { .lr = 2, .warmup = 100 }, { .update = 24 }, 0.5 },
    { "inverse-sqrt", { .lr = 2, .warmup = 100 }, { .update = 99 }, 2 },
    { "inverse-sqrt", { .lr = 2, .warmup = 100 }, { .update = 399 }, 1 },
    { "inverse-sqrt", { .lr = 2 }, { .update = 0 }, 2 },
    { "inverse-sqrt", { .lr = 2 }, { .update = 3 }, 1 },
    { "plateau", { PLATEAU }, { .plateaus = 0 }, 2 },
    { "plateau", { PLATEAU }, { .plateaus = 3 }, 0.25 },
    { "cosine", { COSINE }, { .share = 0 }, 1 },
    { "cosine", { COSINE }, { .share = 0.5 }, 0.505 },
    { "cosine", { COSINE }, { .share = 1 }, 0.01 },
    { "cosine", { COSINE }, { .share = 1.5 }, 0.01 },
    { "cosine", { COSINE, .warmup = 4 }, { .share = 0.5, .update = 1 }, 0.2525 },
    { "cosine-restarts", { RESTARTS }, { .share = 0 }, 2 },
    { "cosine-restarts", { RESTARTS }, { .share = 0.5 / 7 }, 1 },
    { "cosine-restarts", { RESTARTS }, { .share = 1.000001 / 7 }, 2 },
    { "cosine-restarts", { RESTARTS }, { .share = 2.0 / 7 }, 1 },
    { "cosine-restarts", { RESTARTS }, { .share = 3.000001 / 7 }, 2 },
    { "cosine-restarts", { RESTARTS }, { .share = 4.0 / 7 }, 1 + 0.70710678118654752 },
    { "cosine-restarts", { RESTARTS }, { .share = 1 }, 0 },
    { "cosine-restarts", { COSINE, .periods = 1, .period_factor = 5 }, { .share = 0.5 }, 0.505 },
    { "one-cycle", { COSINE }, { .share = 0 }, 0.1 },
    { "one-cycle", { COSINE }, { .share = 0.225 }, 0.55 },
    { "one-cycle", { COSINE }, { .share = 0.45 }, 1 },
    { "one-cycle", { COSINE }, { .share = 0.675 }, 0.55 },
    { "one-cycle", { COSINE }, { .share = 0.9 }, 0.1 },
    { "one-cycle", { COSINE }, { .share = 0.95 }, 0.055 },
    { "one-cycle", { COSINE }, { .share = 1 }, 0.01 },
};
static void test_schedules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        schedule s = rates[i].s;
        assert_int_equal(schedule_named(&s.row, rates[i].name, NULL), LACO_OK);
        if (fabs(schedule_lr(&s, &rates[i].at) - rates[i].lr) > 1e-11)
            fail_msg("row %zu, %s: %g, not %g", i, rates[i].name, schedule_lr(&s, &rates[i].at), rates[i].lr);
    }
    int row;
    laco_error err;
    assert_int_equal(schedule_named(&row, "linaer", &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "help schedules"));
}
static void test_patience(void **state)
{
    const schedule s = { .plateau_patience = 3 };
    (void)state;
    for (int64_t stale = 1; stale <= 7; stale++) assert_true(schedule_waited(&s, stale) == (stale == 3 || stale == 6));
    assert_true(schedule_waited(&(schedule){ .plateau_patience = 1 }, 1));
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizers),        cmocka_unit_test(test_optimizer_threads),
        cmocka_unit_test(test_optimizer_rows),    cmocka_unit_test(test_graves_variance),
        cmocka_unit_test(test_choices),           cmocka_unit_test(test_norm_and_clip),
        cmocka_unit_test(test_average),           cmocka_unit_test(test_perturbations),
        cmocka_unit_test(test_normal_statistics), cmocka_unit_test(test_normal_repeats),
        cmocka_unit_test(test_drop_ranges),       cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_patience),
    };
    return cmocka_run_group_tests(tests, set_up_sharing, tear_down);
}
