/* laco esn train: an echo state network of one or many series.

   read  ->  the first part of every series to train on, the rest held out  ->  scales  ->  reservoir, drawn from the
   seed
   ->  readout: ridge regression (src/reservoir/ridge.h), or learnt from step to step (src/reservoir/online.h)
   ->  errors on both parts beside persistence and a linear autoregression  ->  file

   force: the network reads its own answers while the readout learns by recursive least squares (Sussillo & Abbott
   2009). */
#include "base/number.h"
#include "base/rng.h"
#include "reservoir/plasticity.h"
#include "reservoir/property.h"
#include "task/esn_train.h"
#include <math.h>
#include <stdio.h>

enum { MOST_RIDGES = 64, GRID = 15 };

laco_status esn_go_on(training *r, int64_t steps, laco_error *err)
{
    r->done += steps;
    if (*r->j->stop) return fail(err, LACO_ESTOPPED, -1, "stopped");
    if ((r->done & 255) < steps && task_wants_progress(r->j)) {
        const laco_progress p = {
            .phase = r->phase, .done = r->done, .total = r->total, .loss = NAN, .valid_loss = NAN, .left = -1
        };
        task_progress(r->j, &p);
    }
    return LACO_OK;
}
int64_t esn_learnable(const training *r, int64_t i) { return max64(0, r->train[i] - (r->f.horizon - 1)); }

/* ---- data ---- */
/* --data to train on, then its shares for validation and test; --valid and --test stand behind it. */
static int64_t share(const options *o, const char *option, int64_t n)
{
    return (int64_t)floor(options_real(o, option) * (double)n + 0.5);
}
static laco_status cut(training *r, const int64_t *own, const int64_t *with_valid, laco_error *err)
{
    const int64_t given = options_int(r->o, "train-steps");
    const bool valid = with_valid != own, test = options_text(r->o, "test") != NULL;
    int64_t enough = 0, longest = 0;
    for (int64_t i = 0; i < r->d.count; i++) {
        const int64_t n = own[i], tested = test ? 0 : share(r->o, "test-split", n);
        r->valid[i] = valid ? with_valid[i] : n - tested;
        r->train[i] = valid ? n : given ? min64(given, r->valid[i]) : max64(0, r->valid[i] - share(r->o, "split", n));
        enough += r->train[i] >= r->f.washout + r->f.horizon + 2, longest = max64(longest, r->train[i]);
    }
    if (enough) return LACO_OK;
    return fail(err, LACO_EINVAL, -1,
                "%.200s: the longest series has %lld steps to train on, which are too few behind a "
                "--washout of %lld; give a smaller one, or more data",
                r->d.file, (long long)longest, (long long)r->f.washout);
}
/* --valid and --test are what comes after --data. */
static laco_status append(training *r, int which, int64_t *known, laco_error *err)
{
    forecast_data more;
    esn_front f = r->f;
    f.columns.target = r->d.target;
    laco_status st = esn_read(&more, r->j, which, &f, err);
    if (!st && more.count) st = forecast_append(&r->d, &more, err);
    if (!st) forecast_data_free(&more);
    for (int64_t i = 0; !st && i < r->d.count; i++) known[i] = r->d.known[i];
    return st;
}
static laco_status read_parts(training *r, laco_error *err)
{
    laco_status st = esn_read(&r->d, r->j, TEXT_DATA, &r->f, err);
    if (!st && !r->d.count) st = fail(err, LACO_EINVAL, -1, "--data is missing: the table of the series to learn");
    if (st) return st;
    const size_t n = (size_t)r->d.count;
    int64_t *own = mem_new(3 * n, sizeof *own), *both = own ? own + n : NULL;
    r->train = mem_new(n, sizeof *r->train), r->valid = mem_new(n, sizeof *r->valid);
    if (!own || !r->train || !r->valid) st = fail_memory(err, 5 * n * sizeof *own);
    if (!st) memcpy(own, r->d.known, n * sizeof *own);
    const bool valid = options_text(r->o, "valid") || r->j->text[TEXT_VALID],
               test = options_text(r->o, "test") || r->j->text[TEXT_TEST];
    if (!st && valid) st = append(r, TEXT_VALID, both, err);
    if (!st && test) st = append(r, TEXT_TEST, both + n, err);
    if (!st) st = cut(r, own, valid ? both : own, err);
    return mem_free(own), st;
}
/* Mean and deviation of column k of the parts to train on: targets, then drivers. */
static void moments(const training *r, int64_t k, double *mean, double *deviation, int64_t *n)
{
    const int64_t D = r->f.targets, E = r->f.drivers;
    double sum = 0, square = 0;
    *n = 0;
    for (int round = 0; round < 2; round++) {
        for (int64_t i = 0; i < r->d.count; i++)
            for (int64_t t = 0; t < r->train[i]; t++) {
                const int64_t at = r->d.start[i] + t;
                const double v = k < D ? r->d.y[at * D + k] : r->d.future_x[at * E + k - D];
                if (!isfinite(v)) continue;
                if (round)
                    square += (v - *mean) * (v - *mean);
                else
                    sum += v, ++*n;
            }
        *mean = *n ? sum / (double)*n : 0;
    }
    *deviation = *n ? sqrt(square / (double)*n) : 0;
}
static laco_status scale(training *r, laco_error *err)
{
    const int64_t D = r->f.targets;
    const bool none = !strcmp(options_text(r->o, "scale"), "none");
    for (int64_t k = 0; k < D + r->f.drivers; k++) {
        int64_t n;
        double *mean = &r->f.mean[k], *deviation = &r->f.deviation[k];
        const char *name = k < D ? r->d.target.name[k] : r->d.future_name.name[k - D];
        moments(r, k, mean, deviation, &n);
        if (!n)
            return fail(err, LACO_EINVAL, -1, "%.200s: the column \"%.60s\" has no values to train on", r->d.file,
                        name);
        if (k < D && !(*deviation > 1e-12 * fabs(*mean)))
            return fail(err, LACO_EINVAL, -1, "%.200s: the column \"%.60s\" is constant: there is nothing to learn",
                        r->d.file, name);
        if (none || !(*deviation > 0)) *deviation = 1;
        if (none) *mean = 0;
    }
    return LACO_OK;
}
static laco_status prepare_data(training *r, laco_error *err)
{
    esn_front *f = &r->f;
    char steps[32];
    f->washout = options_int(r->o, "washout"), f->horizon = options_int(r->o, "horizon");
    laco_status st = esn_columns_of(&f->columns, r->o, err);
    if (!st) st = read_parts(r, err);
    if (st) return st;
    f->targets = r->d.targets, f->drivers = r->d.future, f->own = !f->drivers || options_flag(r->o, "feedback");
    name_list_free(&f->columns.target);
    if (!(st = name_list_copy(&f->columns.target, &r->d.target, err))) st = esn_front_new(f, err);
    if (!st) st = scale(r, err);
    if (!st && !(r->s = mem_new((size_t)r->d.count, sizeof *r->s)))
        st = fail_memory(err, (size_t)r->d.count * sizeof *r->s);
    for (int64_t i = 0; !st && i < r->d.count; i++) st = esn_series_of(&r->s[i], f, &r->d, i, err);
    int64_t all = 0, train = 0, valid = 0;
    for (int64_t i = 0; i < r->d.count; i++)
        all += r->d.known[i], train += r->train[i], valid += r->valid[i] - r->train[i];
    if (!st)
        task_note(
            r->j,
            "series    %lld of %s steps: %lld to train on, validation %lld, test %lld; %lld target%s, %lld input%s",
            (long long)r->d.count, task_count(all, steps), (long long)train, (long long)valid,
            (long long)(all - train - valid), (long long)f->targets, f->targets == 1 ? "" : "s", (long long)f->drivers,
            f->drivers == 1 ? "" : "s");
    return st;
}

/* ---- the network ---- */
static void words(const options *o, buf *to)
{
    static const char *const numbers[] = { "density", "radius", "bias-scale", "noise" };
    for (int i = 0; i < 4; i++)
        buf_printf(to, " %s %.17g", numbers[i], options_real(o, numbers[i]));
    const char *leak = options_text(o, "leak"), *weights = options_text(o, "weights"),
               *act = options_text(o, "activation"), *topology = options_text(o, "topology");
    buf_printf(to, " leak %s", leak);
    if (options_int(o, "groups") > 1) buf_printf(to, " groups %lld", (long long)options_int(o, "groups"));
    if (strcmp(topology, "random")) buf_printf(to, " %s", topology);
    if (strcmp(weights, "uniform")) buf_printf(to, " %s", weights);
    if (strcmp(act, "tanh")) buf_printf(to, " %s", act);
    if (options_int(o, "seed") > 1) buf_printf(to, " seed %lld", (long long)options_int(o, "seed") % (1 << 20) + 1);
}
static void describe(const options *o, buf *to)
{
    const char *model = options_text(o, "model");
    const int64_t layers = options_int(o, "layers");
    if (model) {
        buf_text(to, model);
        return;
    }
    for (int64_t i = 0; i < layers; i++) {
        buf_printf(to, "reservoir %lld", (long long)options_int(o, "size"));
        words(o, to);
        if (i + 1 < layers || !options_flag(o, "no-direct")) buf_text(to, " direct");
        buf_text(to, "; ");
    }
    buf_text(to, "dense");
}
/* --input-scale: a number for all inputs of the first reservoir, or one each. */
static laco_status scale_inputs(training *r, laco_error *err)
{
    const char *text = options_text(r->o, "input-scale");
    net *n = r->e.n;
    const param_tensor *t = net_find(n, "layers.0.weight_ih");
    double scale[MOST_TARGETS];
    int64_t count = 0;
    if (options_text(r->o, "model") && !options_given(r->o, "input-scale")) return LACO_OK;
    if (!t || strcmp(n->d.layer[0].kind, "reservoir"))
        return fail(err, LACO_EINVAL, -1,
                    "--input-scale: the network does not begin with a reservoir; say it in --model");
    for (const char *p = text; *p && count < MOST_TARGETS; count++) {
        char one[64];
        size_t len = strcspn(p, ",");
        snprintf(one, sizeof one, "%.*s", (int)min64((int64_t)len, 63), p);
        if (!number_parse(one, &scale[count]) || !(fabs(scale[count]) <= 1e6))
            return fail(err, LACO_EINVAL, -1,
                        "--input-scale %.60s: a number, or one for each input with commas between", text);
        p += len + (p[len] == ',');
    }
    if (count != 1 && count != n->inputs)
        return fail(err, LACO_EINVAL, -1,
                    "--input-scale %.60s: give one number, or one for each of the %lld inputs (drivers first, then "
                    "what was before)",
                    text, (long long)n->inputs);
    for (int64_t i = 0; i < t->size; i++)
        net_set(n, t->offset + i, net_get(n, t->offset + i) * scale[count == 1 ? 0 : i % n->inputs]);
    return LACO_OK;
}
static laco_status prepare_network(training *r, laco_error *err)
{
    buf text = { 0 }, canonical = { 0 };
    const kernels *k;
    laco_status st = esn_kernels(&k, r->o, err);
    if (!st) st = pool_new(&r->pool, (int)options_int(r->o, "threads"), err);
    describe(r->o, &text);
    if (!st && text.failed) st = fail_memory(err, text.len);
    if (!st)
        st = echo_new(&r->e, text.data, esn_inputs(&r->f), r->f.targets, (uint64_t)options_int(r->o, "seed"), k,
                      r->pool, err);
    if (!st) st = scale_inputs(r, err);
    if (!st) describe_print(&r->e.n->d, r->e.n->k, &canonical);
    if (!st) task_note(r->j, "network   %s", canonical.data);
    const size_t n = (size_t)(r->f.targets * (st ? 1 : r->e.units));
    if (!st && (!(r->w = mem_new(n, sizeof(double))) || !(r->b = mem_new((size_t)r->f.targets, sizeof(double)))))
        st = fail_memory(err, n * sizeof(double));
    buf_free(&text), buf_free(&canonical);
    return st;
}
static laco_status adapt_units(training *r, laco_error *err)
{
    const plasticity p = { .epochs = options_int(r->o, "plasticity"),
                           .mean = options_real(r->o, "plasticity-mean"),
                           .deviation = options_real(r->o, "plasticity-deviation"),
                           .rate = options_real(r->o, "plasticity-rate") };
    laco_status st = LACO_OK;
    if (!p.epochs) return LACO_OK;
    int64_t longest = 0;
    for (int64_t i = 1; i < r->d.count; i++)
        if (r->train[i] > r->train[longest]) longest = i;
    st = plasticity_run(r->e.n, &p, r->train[longest], r->s[longest].u, r->j->stop, err);
    if (!st)
        task_note(r->j, "adapted   gains and biases of the units, %lld times through %lld steps", (long long)p.epochs,
                  (long long)r->train[longest]);
    return st;
}

/* ---- the readout ---- */
static int list_ridges(const options *o, double *to, laco_error *err)
{
    const char *text = options_text(o, "ridge");
    int n = 0;
    if (!text)
        for (; n < GRID; n++) to[n] = pow(10, n - 12);
    for (const char *p = text; p && *p && n < MOST_RIDGES; n++) {
        char one[64];
        size_t len = strcspn(p, ",");
        snprintf(one, sizeof one, "%.*s", (int)min64((int64_t)len, 63), p);
        if (!number_parse(one, &to[n]) || !(to[n] >= 0)) {
            fail(err, LACO_EINVAL, -1, "--ridge %.60s: a number from 0 on, or several with commas between", text);
            return 0;
        }
        p += len + (p[len] == ',');
    }
    if (!n) fail(err, LACO_EINVAL, -1, "--ridge is empty");
    return n;
}
/* Of several ridges the one with the smallest error on a part. */
static laco_status choose_by_running(training *r, ridge *q, const double *lambda, int n, int part, laco_error *err)
{
    double least = INFINITY, e;
    int best = 0;
    laco_status st = LACO_OK;
    r->choosing = true, r->phase = "choose", r->done = 0, r->total *= n;
    for (int i = 0; !st && i <= n; i++) { /* the best once more */
        st = ridge_solve(q, lambda[i < n ? i : best], r->w, r->b, &r->solved, err);
        if (!st) echo_set(&r->e, r->w, r->b), st = echo_ready(&r->e, err);
        if (!st && i < n) st = esn_measure_part(r, part, &e, err);
        if (!st && i < n && e < least) least = e, best = i;
    }
    r->choosing = false;
    return st;
}
static laco_status gather(training *r, ridge *q, laco_error *err)
{
    const double begin = clock_seconds();
    laco_status st = LACO_OK;
    int64_t steps = 0;
    r->phase = "states", r->done = 0, r->e.going = (echo_going *)esn_go_on, r->e.ctx = r;
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        st = echo_gather(&r->e, esn_learnable(r, i), r->s[i].u, r->s[i].ahead, r->f.washout, q, err);
        steps += esn_learnable(r, i);
    }
    r->rate = (double)steps / fmax(1e-9, clock_seconds() - begin);
    if (!st && !(r->rows = ridge_rows(q)))
        st = fail(err, LACO_EINVAL, -1, "%.200s: no step behind the washout has a target", r->d.file);
    return st;
}
enum { BY_NOTHING, BY_GCV, BY_VALID, BY_RUNS };
static laco_status judge_of(const training *r, int n, int *by, laco_error *err)
{
    const char *choose = options_text(r->o, "choose");
    int64_t valid = 0;
    for (int64_t i = 0; i < r->d.count; i++) valid += r->valid[i] - r->train[i];
    const bool free_to = !strcmp(choose, "auto");
    *by = n == 1                                            ? BY_NOTHING
          : !strcmp(choose, "runs") || (free_to && r->ahead) ? BY_RUNS
          : !strcmp(choose, "valid") || (free_to && valid)   ? BY_VALID
                                                            : BY_GCV;
    if (*by == BY_VALID && !valid)
        return fail(err, LACO_EINVAL, -1, "--choose valid: there are no steps to validate on; give --split or --valid");
    if (*by == BY_RUNS && !r->ahead)
        return fail(err, LACO_EINVAL, -1, "--choose runs: --ahead says how many steps they have");
    return LACO_OK;
}
static laco_status by_ridge(training *r, laco_error *err)
{
    static const char *const words[] = { "", "generalised cross-validation", "validation", "free runs" };
    double lambda[MOST_RIDGES];
    ridge_result all[MOST_RIDGES];
    ridge *q = NULL;
    int best = 0, by, n = list_ridges(r->o, lambda, err);
    if (!n) return LACO_EINVAL;
    laco_status st = judge_of(r, n, &by, err);
    if (!st) st = ridge_new(&q, r->e.units, r->f.targets, RIDGE_FREE_BIAS, r->e.n->k, r->pool, err);
    const double begin = clock_seconds();
    if (!st) st = gather(r, q, err);
    for (int i = 0; !st && i < n; i++)
        if (lambda[i] == 0 && r->rows < r->e.units)
            st = fail(err, LACO_EINVAL, -1,
                      "--ridge 0: %lld steps do not determine %lld weights; give a --ridge above 0, more "
                      "steps or a smaller --size",
                      (long long)r->rows, (long long)r->e.units);
    if (!st && by == BY_NOTHING) st = ridge_solve(q, lambda[0], r->w, r->b, &r->solved, err);
    if (!st && by == BY_GCV && !(st = ridge_choose(q, lambda, n, all, &best, r->w, r->b, err))) r->solved = all[best];
    if (!st && by > BY_GCV) st = choose_by_running(r, q, lambda, n, by == BY_VALID ? PART_VALID : PART_AHEAD, err);
    r->seconds = clock_seconds() - begin;
    ridge_free(q);
    if (st) return st;
    char chosen[64] = "", gcv[48] = "";
    if (n > 1) snprintf(chosen, sizeof chosen, " of %d by %s", n, words[by]);
    if (by == BY_GCV) snprintf(gcv, sizeof gcv, " (%.3g)", r->solved.gcv);
    task_note(r->j, "readout   ridge %g%s%s, %lld rows, condition %.1e", r->solved.lambda, chosen, gcv,
              (long long)r->rows, r->solved.condition);
    if (r->solved.fell_back)
        task_note(
            r->j,
            "readout   the normal equations are singular to working precision: solved by eigenvalues, of which %lld "
            "of %lld are used; a larger --ridge is safer",
            (long long)r->solved.rank, (long long)r->e.units);
    return LACO_OK;
}
/* rls, lms, force: step by step through the parts to train on. */
static laco_status by_steps(training *r, laco_error *err)
{
    const int64_t D = r->f.targets, E = r->f.drivers;
    double lambda[MOST_RIDGES] = { 1 };
    if (options_text(r->o, "ridge") && !list_ridges(r->o, lambda, err)) return LACO_EINVAL;
    if (r->how == READOUT_FORCE && (!r->f.own || r->f.horizon > 1))
        return fail(
            err, LACO_EINVAL, -1,
            "--readout force needs a network that reads its own answers: no --input, or --feedback, and --horizon 1");
    if (r->how != READOUT_LMS && !(lambda[0] > 0))
        return fail(err, LACO_EINVAL, -1, "--readout %s: --ridge must be above 0", options_text(r->o, "readout"));
    const online_settings set = { .rule = r->how == READOUT_LMS ? ONLINE_NLMS : ONLINE_RLS,
                                  .features = r->e.units,
                                  .targets = D,
                                  .bias = true,
                                  .lambda = lambda[0],
                                  .forget = options_real(r->o, "forget"),
                                  .rate = options_real(r->o, "learn-rate") };
    online *q = NULL;
    double *units = mem_new((size_t)r->e.units, sizeof *units), *u = mem_new((size_t)esn_inputs(&r->f), sizeof *u),
           *answer = mem_new((size_t)(2 * D), sizeof *answer), *error = answer ? answer + D : NULL;
    laco_status st =
        units && u && answer ? online_new(&q, &set, err) : fail_memory(err, (size_t)r->e.units * sizeof *units);
    const double begin = clock_seconds();
    int64_t steps = 0;
    double square = 0;
    r->phase = "learn", r->done = 0;
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        st = echo_units_begin(&r->e, err);
        for (int64_t t = 0; !st && t < esn_learnable(r, i); t++, steps++) {
            memcpy(u, r->s[i].u + t * esn_inputs(&r->f), (size_t)esn_inputs(&r->f) * sizeof *u);
            if (r->how == READOUT_FORCE && t > r->f.washout) memcpy(u + E, answer, (size_t)D * sizeof *u);
            echo_units_step(&r->e, u, units);
            online_answer(q, units, answer);
            if (t >= r->f.washout) {
                online_learn(q, units, r->s[i].ahead + t * D, error), r->rows++;
                for (int64_t k = 0; k < D; k++)
                    if (isfinite(error[k])) square += error[k] * error[k];
            }
            st = esn_go_on(r, 1, err);
        }
    }
    r->seconds = clock_seconds() - begin, r->rate = (double)steps / fmax(1e-9, r->seconds);
    if (!st) online_weights(q, r->w, r->b), r->solved = (ridge_result){ .lambda = lambda[0], .gcv = NAN };
    if (!st)
        task_note(r->j, "readout   %s, %lld steps, on which it missed by %.3g deviations while it learnt",
                  options_text(r->o, "readout"), (long long)r->rows, sqrt(square / (double)max64(1, r->rows * D)));
    for (int64_t k = 0; !st && k < D * r->e.units; k++)
        if (!isfinite(r->w[k]))
            st = fail(err, LACO_ENUMERIC, -1,
                      "the readout runs away while it learns; give a smaller --learn-rate or a larger --ridge");
    online_free(q), mem_free(units), mem_free(u), mem_free(answer);
    return st;
}

/* ---- the end ---- */
static laco_status save(training *r, laco_error *err)
{
    buf text = { 0 }, front = { 0 };
    describe_print(&r->e.n->d, r->e.n->k, &text);
    laco_status st = text.failed ? fail_memory(err, text.len) : LACO_OK;
    if (!st) st = model_new(&r->m, text.data, r->e.inputs, r->e.targets, (int)options_int(r->o, "threads"), err);
    for (int64_t i = 0; !st && i < r->e.n->params; i++) net_set(r->m->net, i, net_get(r->e.n, i));
    if (!st) st = esn_to_json(&r->f, &front, err);
    if (!st) st = model_set(r->m, "task", "esn", err);
    if (!st) st = model_set(r->m, "front", front.data, err);
    if (!st) st = model_ready(r->m, err);
    if (!st && options_text(r->o, "out")) st = model_save(r->m, options_text(r->o, "out"), err);
    if (!st && options_text(r->o, "out")) task_note(r->j, "model     %s", options_text(r->o, "out"));
    buf_free(&text), buf_free(&front);
    return st;
}
/* Warns when two runs on the data do not come together. */
static laco_status look_at_memory(training *r, laco_error *err)
{
    int64_t longest = 0;
    for (int64_t i = 1; i < r->d.count; i++)
        if (r->train[i] > r->train[longest]) longest = i;
    const property_wish w = {
        .n = r->e.n, .input = r->s[longest].u, .steps = min64(r->train[longest], 5000), .seed = 1, .stop = r->j->stop
    };
    laco_status st = property_forgetting(&w, &r->forgets, err);
    if (!st && r->forgets < 0)
        task_note(r->j,
                  "warning   the echo state property is lost on this series: two runs from different states do not "
                  "come together in "
                  "%lld steps; give a smaller --radius",
                  (long long)w.steps);
    else if (!st && r->forgets > r->f.washout)
        task_note(r->j, "washout   the states remember how they began for %lld steps, longer than --washout %lld",
                  (long long)r->forgets, (long long)r->f.washout);
    else if (!st)
        task_note(r->j, "memory    how the states began is forgotten after %lld steps", (long long)r->forgets);
    return st;
}
static laco_status train(training *r, laco_error *err)
{
    static const char *const hows[] = { "ridge", "rls", "lms", "force" };
    for (int i = 0; i < 4; i++)
        if (!strcmp(options_text(r->o, "readout"), hows[i])) r->how = i;
    r->ahead = options_int(r->o, "ahead");
    laco_status st = task_refuse_overwriting(r->j, "out", err);
    if (!st) st = prepare_data(r, err);
    if (!st && r->ahead && (!r->f.own || r->f.horizon > 1))
        st = fail(err, LACO_EINVAL, -1,
                  "--ahead needs a network that reads its own answers: no --input, or --feedback, and --horizon 1");
    for (int64_t i = 0; !st && i < r->d.count; i++) r->total += esn_learnable(r, i);
    if (!st) st = prepare_network(r, err);
    if (!st) st = adapt_units(r, err);
    if (!st) st = r->how == READOUT_RIDGE ? by_ridge(r, err) : by_steps(r, err);
    if (!st) echo_set(&r->e, r->w, r->b), st = echo_ready(&r->e, err);
    if (!st) st = look_at_memory(r, err);
    if (!st) st = esn_measure_network(r, err);
    if (!st) st = esn_measure_others(r, err);
    if (st) return st;
    task_note(r->j, "time      %.2f s, %.0f steps/s", r->seconds, r->rate);
    if (!(st = save(r, err))) esn_report(r), esn_result_json(r);
    return st;
}
laco_status esn_train(task_job *j, laco_error *err)
{
    training r = { .j = j, .o = j->o };
    laco_status st = train(&r, err);
    for (int64_t i = 0; r.s && i < r.d.count; i++) esn_series_free(&r.s[i]);
    mem_free(r.s), mem_free(r.train), mem_free(r.valid), mem_free(r.w), mem_free(r.b);
    echo_free(&r.e), laco_model_free(r.m), pool_free(r.pool), forecast_data_free(&r.d), esn_front_free(&r.f);
    return st;
}
