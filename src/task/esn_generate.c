/* laco esn generate: the network is led through a series and then runs on its own answers; what came after, where it is
   known, is held against them. */
#include "base/rng.h"
#include "task/esn.h"
#include <math.h>
#include <stdio.h>

typedef struct freedom {
    esn_use at;
    forecast_data d;
    esn_series s;
    int64_t prime, steps;
    double *answer, *came; /* [prime + steps][targets]; [steps][targets], NaN: not known; scaled */
    double *u;
} freedom;

/* Errors at some steps of the run and over all: in deviations, the largest of the targets. */
static void compare(const freedom *g)
{
    static const int64_t at[] = { 1, 10, 20, 50, 84, 100, 200, 500, 1000 };
    const int64_t D = g->at.f.targets;
    const double *said = g->answer + g->prime * D;
    json_out o = { .to = g->at.j->result };
    json_begin(&o, '{'), json_key(&o, "task"), json_text(&o, "esn"), json_key(&o, "steps"), json_int(&o, g->steps);
    json_key(&o, "error"), json_begin(&o, '{');
    for (size_t i = 0; i < sizeof at / sizeof *at && at[i] <= g->steps; i++) {
        const int64_t row = (at[i] - 1) * D;
        double worst = 0;
        char key[32];
        for (int64_t k = 0; k < D; k++) worst = fmax(worst, fabs(said[row + k] - g->came[row + k]));
        if (!isfinite(g->came[row])) continue;
        snprintf(key, sizeof key, "%lld", (long long)at[i]);
        json_key(&o, key), json_number(&o, worst);
        task_note(g->at.j, "error     after %lld steps %.3g deviations", (long long)at[i], worst);
    }
    json_end(&o, '}');
    esn_error e = esn_error_of(said, g->came, g->steps, D);
    if (e.n > 0 && e.variance > 0) json_key(&o, "nrmse"), json_number(&o, esn_nrmse(&e));
    json_end(&o, '}');
}
static laco_status prepare(freedom *g, laco_error *err)
{
    const esn_front *f = &g->at.f;
    laco_status st = esn_read(&g->d, g->at.j, TEXT_DATA, &g->at.f, err);
    if (st) return st;
    if (!g->d.count) return fail(err, LACO_EINVAL, -1, "--data is missing: the table of the series to be led through");
    if (!f->own || f->horizon > 1)
        return fail(err, LACO_EINVAL, -1,
                    "this network does not read its own answers: train it without --input, or with "
                    "--feedback, and with --horizon 1");
    g->steps = options_int(g->at.j->o, "steps"), g->prime = options_int(g->at.j->o, "prime");
    if (!g->prime) g->prime = g->d.known[0];
    if (g->prime < 2 || g->prime > g->d.known[0])
        return fail(err, LACO_EINVAL, -1,
                    "--prime %lld: the series has %lld steps to be led through, of which at least 2 are needed",
                    (long long)g->prime, (long long)g->d.known[0]);
    if (f->drivers && g->prime + g->steps > g->d.start[1])
        return fail(err, LACO_EINVAL, -1, "--steps %lld: the inputs are known for %lld steps behind the first %lld",
                    (long long)g->steps, (long long)(g->d.start[1] - g->prime), (long long)g->prime);
    if ((st = esn_series_of(&g->s, f, &g->d, 0, err))) return st;
    const size_t all = (size_t)((g->prime + g->steps) * f->targets);
    g->answer = mem_new(all, sizeof *g->answer), g->u = mem_new((size_t)esn_inputs(f), sizeof *g->u);
    g->came = mem_new((size_t)(g->steps * f->targets), sizeof *g->came);
    return g->answer && g->u && g->came ? LACO_OK : fail_memory(err, all * sizeof *g->answer);
}
static laco_status step_free(freedom *g, int64_t h, double noise, uint64_t seed, laco_error *err)
{
    const esn_front *f = &g->at.f;
    const int64_t D = f->targets, E = f->drivers, t = g->prime + h;
    double *y = g->answer + t * D;
    if (E) memcpy(g->u, g->s.u + t * esn_inputs(f), (size_t)E * sizeof *g->u);
    for (int64_t k = 0; k < D; k++) {
        const double last = h ? NAN : g->s.y[(t - 1) * D + k];
        g->u[E + k] = isfinite(last) ? last : y[k - D];
    }
    echo_step(&g->at.e, g->u, y);
    for (int64_t k = 0; k < D; k++) {
        if (noise > 0) y[k] += noise * rng_normal(seed, RNG_SAMPLE, (uint64_t)(h * D + k));
        g->came[h * D + k] = t < g->d.known[0] ? g->s.y[t * D + k] : NAN;
        if (!(fabs(y[k]) < 1e6))
            return fail(err, LACO_ENUMERIC, h,
                        "the free run diverges at step %lld; train with a larger --ridge, with --noise, "
                        "or with a smaller --radius",
                        (long long)h + 1);
    }
    return *g->at.j->stop ? fail(err, LACO_ESTOPPED, -1, "stopped") : LACO_OK;
}
static laco_status write_rows(freedom *g, laco_error *err)
{
    const int64_t D = g->at.f.targets;
    const origin o = { .end = g->d.known[0] - 1 };
    const char *name = g->d.name[0] ? g->d.name[0] : "";
    char when[32];
    laco_status st = esn_answers_open(&g->at, false, err);
    for (int64_t h = 0; !st && g->at.out && h < g->steps; h++) {
        if (g->at.f.columns.id) answers_text(g->at.out, name, strlen(name));
        forecast_when(&g->d, &o, g->prime + h - o.end, when);
        esn_answers_when(&g->at, g->d.time ? when : NULL, g->prime + h);
        esn_answers_values(&g->at, g->came + h * D), esn_answers_values(&g->at, g->answer + (g->prime + h) * D);
        st = answers_row(g->at.out, err);
    }
    return st;
}
laco_status esn_generate(task_job *j, laco_error *err)
{
    freedom g = { 0 };
    const double noise = options_real(j->o, "noise");
    laco_status st = esn_use_open(&g.at, j, err);
    if (!st) st = prepare(&g, err);
    if (!st) echo_reset(&g.at.e), st = esn_follow(&g.at.e, &g.at.f, &g.s, 0, g.prime, g.prime, g.answer, j->stop, err);
    for (int64_t h = 0; !st && h < g.steps; h++) st = step_free(&g, h, noise, (uint64_t)options_int(j->o, "seed"), err);
    if (!st) st = write_rows(&g, err);
    if (!st) compare(&g);
    if (!st) st = esn_plot(j, &g.at.f, g.came, g.answer + g.prime * g.at.f.targets, g.steps, g.prime, err);
    mem_free(g.answer), mem_free(g.came), mem_free(g.u), esn_series_free(&g.s), forecast_data_free(&g.d);
    return esn_use_close(&g.at, st, err);
}
