/* laco esn info: whether the reservoirs of a model forget how they began, what they remember, and how rich they are. */
#include "layer/reservoir.h"
#include "math/spectrum.h"
#include "reservoir/property.h"
#include "task/esn.h"
#include <math.h>
#include <stdio.h>

enum { LARGEST_SPECTRUM = 2000, SQUARE = 460 };
typedef struct look {
    task_job *j;
    laco_model *m;
    esn_front f;
    forecast_data d;
    esn_series s;
    echo e;
    pool *pool;
    buf text;
    json_out o;
} look;

static void say_echo(look *l, int which, const echo_conditions *c)
{
    const layer_spec *s = &l->e.n->d.layer[which];
    buf_printf(&l->text, "layer %d, reservoir of %lld units, %lld connections each\n", which + 1, (long long)s->units, (long long)reservoir_degree(s));
    buf_printf(&l->text, "  spectral radius of W                    %12.6g\n", c->radius);
    buf_printf(&l->text, "  of A = (1 - a) + a W                    %12.6g   %s\n", c->effective, c->necessary ? "below 1: necessary where input may be zero, holds" : "not below 1: with zero input the states do not fade");
    buf_printf(&l->text, "  largest singular value of A             %12.6g   %s\n", c->norm, c->norm < 1 ? "below 1: sufficient (Jaeger 2001)" : "not below 1: says nothing");
    buf_printf(&l->text, "  spectral radius of |A|                  %12.6g   %s\n", c->absolute, c->absolute < 1 ? "below 1: sufficient (Yildiz et al. 2012)" : "not below 1: says nothing");
    buf_printf(&l->text, "  echo state property                     %s\n", c->sufficient ? "holds for every input" : c->necessary ? "depends on the input: see below" : "is lost where the input stays near zero; a strong input may restore it");
    json_begin(&l->o, '{'), json_key(&l->o, "layer"), json_int(&l->o, which), json_key(&l->o, "units"), json_int(&l->o, s->units);
    json_key(&l->o, "radius"), json_number(&l->o, c->radius), json_key(&l->o, "effective_radius"), json_number(&l->o, c->effective);
    json_key(&l->o, "norm"), json_number(&l->o, c->norm), json_key(&l->o, "absolute_radius"), json_number(&l->o, c->absolute);
    json_key(&l->o, "necessary"), json_bool(&l->o, c->necessary), json_key(&l->o, "sufficient"), json_bool(&l->o, c->sufficient);
    json_end(&l->o, '}');
}
static laco_status say_runs(look *l, laco_error *err)
{
    const options *o = l->j->o;
    const property_wish w = { .n = l->e.n, .input = l->s.u, .steps = l->s.u ? min64(l->s.n, options_int(o, "steps")) : options_int(o, "steps"),
                              .washout = options_int(o, "washout"), .seed = (uint64_t)options_int(o, "seed"), .stop = l->j->stop };
    int64_t forgets = -1, kernel = 0, general = 0;
    double exponent = NAN;
    if (w.steps < w.washout + 20)
        return fail(err, LACO_EINVAL, -1, "%lld steps are too few behind a washout of %lld", (long long)w.steps, (long long)w.washout);
    laco_status st = property_forgetting(&w, &forgets, err);
    if (!st) st = property_lyapunov(&w, &exponent, err);
    if (!st) st = property_ranks(&w, &kernel, &general, NULL, err);
    if (st) return st;
    buf_printf(&l->text, "%s\n", l->s.u ? "on the series of --data" : "on random input, uniform in +-1");
    if (forgets >= 0)
        buf_printf(&l->text, "  two runs differ by less than a millionth after    %lld steps\n", (long long)forgets);
    else
        buf_printf(&l->text, "  two runs do not come together in %lld steps: the echo state property is lost; take a smaller radius\n", (long long)w.steps);
    buf_printf(&l->text, "  largest Lyapunov exponent, a step       %12.4g   %s\n", exponent, exponent < 0 ? "below 0: small differences fade" : "not below 0: small differences grow");
    buf_printf(&l->text, "  kernel rank                             %12lld   of states after streams that differ\n", (long long)kernel);
    buf_printf(&l->text, "  generalisation rank                     %12lld   of states after streams that end alike\n", (long long)general);
    json_key(&l->o, "forgets"), json_int(&l->o, forgets), json_key(&l->o, "lyapunov"), json_number(&l->o, exponent);
    json_key(&l->o, "kernel_rank"), json_int(&l->o, kernel), json_key(&l->o, "generalisation_rank"), json_int(&l->o, general);
    return LACO_OK;
}
static laco_status say_memory(look *l, laco_error *err)
{
    const options *o = l->j->o;
    const int64_t longest = options_int(o, "memory");
    const property_wish w = { .n = l->e.n, .steps = max64(options_int(o, "steps"), 4 * l->e.units + 500), .washout = options_int(o, "washout"),
                              .seed = (uint64_t)options_int(o, "seed"), .stop = l->j->stop };
    double *curve = mem_new((size_t)max64(1, longest), sizeof *curve), capacity;
    laco_status st = curve ? LACO_OK : fail_memory(err, (size_t)longest * sizeof *curve);
    if (!st && longest) st = property_memory(&w, longest, curve, &capacity, err);
    if (!st && longest) {
        int64_t half = 0;
        while (half < longest && curve[half] >= 0.5) half++;
        buf_printf(&l->text, "  memory capacity                         %12.4g   of random input 1 to %lld steps before; half of it is known for %lld steps\n", capacity,
                   (long long)longest, (long long)half);
        json_key(&l->o, "memory_capacity"), json_number(&l->o, capacity), json_key(&l->o, "memory"), json_begin(&l->o, '[');
        for (int64_t k = 0; k < longest; k++) json_number(&l->o, curve[k]);
        json_end(&l->o, ']');
    }
    mem_free(curve);
    return st;
}
/* The eigenvalues of W of the first reservoir and the unit circle. */
static laco_status spectrum_svg(look *l, laco_error *err)
{
    const char *path = options_text(l->j->o, "svg");
    const net *n = l->e.n;
    const layer_spec *s = &n->d.layer[0];
    if (!path) return LACO_OK;
    if (strcmp(s->kind, "reservoir") || s->units > LARGEST_SPECTRUM)
        return fail(err, LACO_EINVAL, -1, "--svg: the first layer must be a reservoir of up to %d units", LARGEST_SPECTRUM);
    const int64_t N = s->units, K = reservoir_degree(s), from = n->base[0] + N * s->in;
    double *a = mem_new((size_t)(N * N + 2 * N), sizeof *a), *re = a ? a + N * N : NULL, most = 1;
    int32_t *column = reservoir_columns(s);
    buf out = { 0 };
    file_writer *w = NULL;
    laco_status st = a && column ? LACO_OK : fail_memory(err, (size_t)(N * N) * sizeof *a);
    for (int64_t i = 0; !st && i < N * K; i++) a[i / K * N + column[i]] += net_get(n, from + i);
    if (!st && !eigenvalues(N, a, re, re + N)) st = fail(err, LACO_ENUMERIC, -1, "the eigenvalues of W were not found");
    for (int64_t i = 0; !st && i < N; i++) most = fmax(most, hypot(re[i], re[N + i]));
    const double scale = SQUARE / 2 / (1.1 * most), middle = SQUARE / 2 + 20;
    buf_printf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\"><style>text{font:12px sans-serif;fill:#555}</style>"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/><circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"none\" stroke=\"#999\"/>"
               "<path d=\"M20 %.1fh%dM%.1f 20v%d\" stroke=\"#ddd\"/><text x=\"24\" y=\"16\">eigenvalues of W and the unit circle</text>\n",
               SQUARE + 40, SQUARE + 40, middle, middle, scale, middle, SQUARE, middle, SQUARE);
    for (int64_t i = 0; !st && i < N; i++)
        buf_printf(&out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.6\" fill=\"#0b62c4\"/>", middle + scale * re[i], middle - scale * re[N + i]);
    buf_text(&out, "</svg>\n");
    if (!st && out.failed) st = fail_memory(err, out.len);
    if (!st) st = task_refuse_overwriting(l->j, "svg", err);
    if (!st) st = file_create(&w, path, err);
    if (!st && (st = file_write(w, out.data, out.len, err))) file_abandon(w), w = NULL;
    if (!st) st = file_commit(w, err);
    mem_free(a), mem_free(column), buf_free(&out);
    return st;
}
static laco_status begin(look *l, laco_error *err)
{
    const char *path = options_text(l->j->o, "model-file"), *words = options_text(l->j->o, "model");
    const kernels *k;
    laco_status st = esn_kernels(&k, l->j->o, err);
    if (!st) st = pool_new(&l->pool, (int)options_int(l->j->o, "threads"), err);
    if (!*path && !words) return fail(err, LACO_EINVAL, -1, "name a model file, or describe a network with --model \"reservoir 500; dense\"");
    if (!st && words) st = echo_new(&l->e, words, 1, 1, (uint64_t)options_int(l->j->o, "seed"), k, l->pool, err);
    if (!st && words) return echo_ready(&l->e, err);
    if (!st) st = model_load(&l->m, path, 1, err);
    if (!st) st = echo_of(&l->e, l->m->net, k, l->pool, err);
    if (st || !options_text(l->j->o, "data")) return st;
    st = esn_from_model(&l->f, l->m, err);
    if (!st) st = esn_read(&l->d, l->j, TEXT_DATA, &l->f, err);
    return st ? st : esn_series_of(&l->s, &l->f, &l->d, 0, err);
}
laco_status esn_info(task_job *j, laco_error *err)
{
    look l = { .j = j, .o = { .to = j->result } };
    laco_status st = begin(&l, err);
    json_begin(&l.o, '{'), json_key(&l.o, "reservoirs"), json_begin(&l.o, '[');
    for (int i = 0; !st && i < l.e.n->d.layers; i++) {
        echo_conditions c;
        if (strcmp(l.e.n->d.layer[i].kind, "reservoir")) continue;
        if (!(st = property_echo(l.e.n, i, &c, err))) say_echo(&l, i, &c);
    }
    json_end(&l.o, ']');
    if (!st) st = say_runs(&l, err);
    if (!st) st = say_memory(&l, err);
    if (!st) st = spectrum_svg(&l, err);
    json_end(&l.o, '}');
    if (!st && l.text.failed) st = fail_memory(err, l.text.len);
    if (!st && !options_flag(j->o, "json")) task_out_buf(j, &l.text);
    echo_free(&l.e), laco_model_free(l.m), pool_free(l.pool), esn_series_free(&l.s), forecast_data_free(&l.d), esn_front_free(&l.f);
    buf_free(&l.text);
    return st;
}
