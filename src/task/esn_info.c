#include "task/esn_info.h"
#include "layer/reservoir.h"
#include <math.h>
#include <stdio.h>

enum { MOST_BY_ITSELF = 1000, ROWS_A_UNIT = 12, FEWEST = 20 };

/* ---- what is measured ---- */
static laco_status begin(info *a, laco_error *err)
{
    const options *o = a->j->o;
    const char *path = options_text(o, "model-file"), *words = options_text(o, "model");
    const kernels *k;
    laco_status st = esn_kernels(&k, o, err);
    if (!st) st = pool_new(&a->pool, (int)options_int(o, "threads"), err);
    if (!st && !*path && !words)
        st = fail(err, LACO_EINVAL, -1,
                  "name a model file, or describe a network with --model \"reservoir 500; dense\"");
    if (!st && !*path && options_text(o, "data"))
        st = fail(err, LACO_EINVAL, -1,
                  "--data needs a model file, which says what columns the network reads; make one with laco esn train");
    if (!st && *path) st = model_load(&a->m, path, 1, err);
    if (!st && *path) st = echo_of(&a->e, a->m->net, k, a->pool, err);
    if (!st && !*path) st = echo_new(&a->e, words, 1, 1, (uint64_t)options_int(o, "seed"), k, a->pool, err);
    return st ? st : echo_ready(&a->e, err);
}
static laco_status take_series(info *a, laco_error *err)
{
    const options *o = a->j->o;
    a->w = (property_wish){ .n = a->e.n,
                            .steps = options_int(o, "steps"),
                            .washout = options_int(o, "washout"),
                            .seed = (uint64_t)options_int(o, "seed"),
                            .stop = a->j->stop };
    laco_status st = LACO_OK;
    if (options_text(o, "data")) {
        int64_t longest = 0;
        st = esn_from_model(&a->f, a->m, err);
        if (!st) st = esn_read(&a->d, a->j, TEXT_DATA, &a->f, err);
        for (int64_t i = 1; !st && i < a->d.count; i++)
            if (a->d.known[i] > a->d.known[longest]) longest = i;
        if (!st) st = esn_series_of(&a->s, &a->f, &a->d, longest, err);
        a->w.input = a->s.u, a->w.steps = min64(a->w.steps, a->s.n);
    }
    if (!st && a->w.steps < a->w.washout + FEWEST)
        st = fail(err, LACO_EINVAL, -1, "%lld steps are too few behind a washout of %lld; give a smaller --washout%s",
                  (long long)a->w.steps, (long long)a->w.washout, a->s.u ? " or a longer series" : " or more --steps");
    return st;
}
static laco_status measure_memory(info *a, laco_error *err)
{
    const int64_t longest = options_int(a->j->o, "memory");
    if (a->e.units > MOST_BY_ITSELF && !options_given(a->j->o, "memory")) return LACO_OK;
    if (!longest) return LACO_OK;
    property_wish w = a->w;
    w.steps = max64(w.steps, max64(w.washout, longest) + ROWS_A_UNIT * a->e.units);
    if (!(a->curve = mem_new((size_t)longest, sizeof *a->curve)))
        return fail_memory(err, (size_t)longest * sizeof *a->curve);
    a->longest = longest;
    return property_memory(&w, longest, a->curve, &a->capacity, err);
}
static laco_status measure(info *a, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int i = 0; !st && i < a->e.n->d.layers; i++) {
        if (strcmp(a->e.n->d.layer[i].kind, "reservoir")) continue;
        info_layer *l = &a->layer[a->layers++];
        l->which = i, st = property_echo(a->e.n, i, &l->c, err);
    }
    if (!st) st = property_forgetting(&a->w, &a->forgets, err);
    if (!st) st = property_lyapunov(&a->w, &a->lyapunov, err);
    if (!st) st = property_ranks(&a->w, &a->kernel, &a->generalisation, &a->streams, err);
    return st ? st : measure_memory(a, err);
}

/* ---- as text ---- */
static const char *verdict(const echo_conditions *c)
{
    if (c->linear)
        return c->necessary ? "holds for every input; the units are linear, and the radius with the leak is below 1"
                            : "lost for every input; the units are linear, and differences grow";
    if (c->contracts < 1) return "holds for every input; a step brings all states nearer to each other";
    if (c->absolute < 1) return "holds for every input; it would even with weights of one sign";
    if (c->at_zero && !c->necessary)
        return "lost where the input stays at zero; strong input may restore it: see below";
    return "not decided by the weights; it depends on the input: see below";
}
static void say_layer(const info *a, const info_layer *l, buf *to)
{
    const layer_spec *s = &a->e.n->d.layer[l->which];
    const echo_conditions *c = &l->c;
    buf_printf(to, "layer %d, a reservoir of %lld units that read %lld units each\n", l->which + 1, (long long)s->units,
               (long long)reservoir_degree(s));
    buf_printf(to, "  spectral radius of W              %10.6g\n", c->radius);
    buf_printf(to, "  spectral radius of (1-a) + a W    %10.6g   below 1 is necessary where the input may be zero\n",
               c->effective);
    buf_printf(to, "  largest singular value of W       %10.6g\n", c->norm);
    buf_printf(to, "  factor of contraction of a step   %10.6g   below 1 suffices (Jaeger 2001)\n", c->contracts);
    buf_printf(to, "  spectral radius of (1-a) + a |W|  %10.6g   below 1 suffices (Yildiz et al. 2012)\n", c->absolute);
    buf_printf(to, "  the echo state property: %s\n", verdict(c));
}
static void say_runs(const info *a, buf *to)
{
    const char *chaos = a->lyapunov < 0 ? "below 0: small differences fade"
                                        : "not below 0: small differences grow, the states are chaotic";
    if (a->s.u)
        buf_printf(to, "on %lld steps of %.200s\n", (long long)a->w.steps, a->d.file);
    else
        buf_printf(to, "on %lld steps of random input, uniform in +-1\n", (long long)a->w.steps);
    if (a->forgets >= 0)
        buf_printf(to,
                   "  forgetting time                   %10lld   steps until eight runs differ by less than a "
                   "millionth of how they began\n",
                   (long long)a->forgets);
    else
        buf_printf(
            to,
            "  forgetting time                         none   eight runs from different states do not come together\n");
    buf_printf(to, "  largest Lyapunov exponent         %10.4g   a step, %s\n", a->lyapunov, chaos);
    buf_printf(to, "  kernel rank                       %10lld   of %lld: how many streams the states tell apart\n",
               (long long)a->kernel, (long long)a->streams);
    buf_printf(to,
               "  generalisation rank               %10lld   the same of streams whose last %d inputs are alike: the "
               "fewer, the better\n",
               (long long)a->generalisation, RANK_ALIKE);
    if (!a->longest) return;
    int64_t half = 0;
    while (half < a->longest && a->curve[half] >= 0.5) half++;
    buf_printf(to,
               "  memory capacity                   %10.4g   of random inputs 1 to %lld steps before; half of their "
               "variance back to step %lld\n",
               a->capacity, (long long)a->longest, (long long)half);
}

/* ---- as JSON ---- */
static void layer_json(json_out *o, const info *a, const info_layer *l)
{
    const layer_spec *s = &a->e.n->d.layer[l->which];
    const struct {
        const char *key;
        double value;
    } number[] = { { "radius", l->c.radius },
                   { "effective_radius", l->c.effective },
                   { "norm", l->c.norm },
                   { "contraction", l->c.contracts },
                   { "absolute_radius", l->c.absolute } };
    json_begin(o, '{'), json_key(o, "layer"), json_int(o, l->which);
    json_key(o, "units"), json_int(o, s->units), json_key(o, "reads"), json_int(o, reservoir_degree(s));
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        json_key(o, number[i].key), json_number(o, number[i].value);
    json_key(o, "necessary"), json_bool(o, l->c.necessary), json_key(o, "sufficient"), json_bool(o, l->c.sufficient);
    json_key(o, "echo_state_property"), json_text(o, verdict(&l->c)), json_end(o, '}');
}
static void to_json(const info *a)
{
    json_out o = { .to = a->j->result };
    json_begin(&o, '{'), json_key(&o, "task"), json_text(&o, "esn info");
    json_key(&o, "reservoirs"), json_begin(&o, '[');
    for (int i = 0; i < a->layers; i++) layer_json(&o, a, &a->layer[i]);
    json_end(&o, ']'), json_key(&o, "input"), json_text(&o, a->s.u ? a->d.file : "random"), json_key(&o, "steps"),
        json_int(&o, a->w.steps);
    json_key(&o, "comes_together"), json_bool(&o, a->forgets >= 0);
    json_key(&o, "forgetting_time"), a->forgets < 0 ? json_number(&o, NAN) : json_int(&o, a->forgets);
    json_key(&o, "lyapunov"), json_number(&o, a->lyapunov);
    json_key(&o, "kernel_rank"), json_int(&o, a->kernel), json_key(&o, "generalisation_rank"),
        json_int(&o, a->generalisation);
    json_key(&o, "streams"), json_int(&o, a->streams);
    if (a->longest) {
        json_key(&o, "memory_capacity"), json_number(&o, a->capacity), json_key(&o, "memory_curve"),
            json_begin(&o, '[');
        for (int64_t k = 0; k < a->longest; k++) json_number(&o, a->curve[k]);
        json_end(&o, ']');
    }
    json_end(&o, '}');
}

laco_status esn_info(task_job *j, laco_error *err)
{
    info *a = mem_new(1, sizeof *a);
    buf text = { 0 };
    if (!a) return fail_memory(err, sizeof *a);
    a->j = j;
    laco_status st = begin(a, err);
    if (!st) st = take_series(a, err);
    if (!st) st = measure(a, err);
    if (!st && a->forgets < 0)
        task_note(j,
                  "warning   the echo state property is lost on this input: two runs from different states do not come "
                  "together in %lld steps; "
                  "take a smaller radius",
                  (long long)a->w.steps);
    if (!st) st = info_picture(a, err);
    for (int i = 0; !st && i < a->layers; i++) say_layer(a, &a->layer[i], &text);
    if (!st) say_runs(a, &text), to_json(a);
    if (!st && text.failed) st = fail_memory(err, text.len);
    if (!st && !options_flag(j->o, "json")) task_out_buf(j, &text);
    echo_free(&a->e), laco_model_free(a->m), pool_free(a->pool), esn_series_free(&a->s), forecast_data_free(&a->d),
        esn_front_free(&a->f);
    mem_free(a->curve), mem_free(a), buf_free(&text);
    return st;
}
