/* laco esn train: an echo state network of one or many series.

   read  ->  the first part of every series to train on, the rest held out  ->  scales  ->  reservoir, drawn from the seed
   ->  readout: ridge regression (src/reservoir/ridge.h), or learnt from step to step (src/reservoir/online.h)
   ->  errors on both parts beside persistence and a linear autoregression  ->  file

   force: the network reads its own answers while the readout learns by recursive least squares (Sussillo & Abbott 2009). */
#include "base/number.h"
#include "base/rng.h"
#include "reservoir/plasticity.h"
#include "reservoir/property.h"
#include "task/esn.h"
#include <math.h>
#include <stdio.h>

enum { MOST_RIDGES = 64, MOST_LAGS_AR = 32, GRID = 15, ORIGINS = 60 };
typedef enum { READOUT_RIDGE, READOUT_RLS, READOUT_LMS, READOUT_FORCE } readout;
typedef struct errors { /* of one predictor: on the two parts, and `ahead` steps ahead */
    esn_error train, held, ahead;
} errors;
typedef struct training {
    task_job *j;
    const options *o;
    esn_front f;
    forecast_data d;
    esn_series *s;       /* [series] */
    int64_t *train;      /* [series] steps to train on */
    int64_t ahead, rows; /* rows that the readout was solved from */
    readout how;
    echo e;
    pool *pool;
    laco_model *m;
    double *w, *b;       /* of the readout */
    ridge_result solved;
    errors network, persistence, linear;
    int64_t lags, forgets; /* of the autoregression; steps that the states remember, -1: longer than the data */
    bool choosing;         /* a ridge, by free runs */
    double seconds, rate;  /* of gathering and solving; steps a second */
} training;

/* ---- data ---- */
static laco_status cut(training *r, laco_error *err)
{
    const double split = options_real(r->o, "split");
    int64_t enough = 0;
    if (!(r->train = mem_new((size_t)r->d.count, sizeof *r->train))) return fail_memory(err, (size_t)r->d.count * 8);
    for (int64_t i = 0; i < r->d.count; i++) {
        const int64_t n = r->d.known[i];
        r->train[i] = n - (int64_t)floor(split * (double)n + 0.5);
        enough += r->train[i] >= r->f.washout + r->f.horizon + 2;
    }
    if (enough) return LACO_OK;
    return fail(err, LACO_EINVAL, -1, "%.200s: no series has more than --washout %lld steps to train on (the longest part is %lld steps); "
                "give a smaller --washout or more data", r->d.file, (long long)r->f.washout, (long long)r->train[0]);
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
            return fail(err, LACO_EINVAL, -1, "%.200s: the column \"%.60s\" has no values to train on", r->d.file, name);
        if (k < D && !(*deviation > 1e-12 * fabs(*mean)))
            return fail(err, LACO_EINVAL, -1, "%.200s: the column \"%.60s\" is constant: there is nothing to learn", r->d.file, name);
        if (none || !(*deviation > 0)) *deviation = 1;
        if (none) *mean = 0;
    }
    return LACO_OK;
}
static laco_status prepare_data(training *r, laco_error *err)
{
    esn_front *f = &r->f;
    char steps[32];
    laco_status st = esn_columns_of(&f->columns, r->o, err);
    if (!st) st = esn_read(&r->d, r->j, TEXT_DATA, f, err);
    if (!st && !r->d.count) st = fail(err, LACO_EINVAL, -1, "--data is missing: the table of the series to learn");
    if (st) return st;
    f->targets = r->d.targets, f->drivers = r->d.future, f->horizon = options_int(r->o, "horizon");
    f->washout = options_int(r->o, "washout"), f->own = !f->drivers || options_flag(r->o, "feedback");
    name_list_free(&f->columns.target);
    if (!(st = name_list_copy(&f->columns.target, &r->d.target, err))) st = esn_front_new(f, err);
    if (!st) st = cut(r, err);
    if (!st) st = scale(r, err);
    if (!st && !(r->s = mem_new((size_t)r->d.count, sizeof *r->s))) st = fail_memory(err, (size_t)r->d.count * sizeof *r->s);
    for (int64_t i = 0; !st && i < r->d.count; i++) st = esn_series_of(&r->s[i], f, &r->d, i, err);
    int64_t all = 0, train = 0;
    for (int64_t i = 0; i < r->d.count; i++) all += r->d.known[i], train += r->train ? r->train[i] : 0;
    if (!st)
        task_note(r->j, "series    %lld of %s steps, %lld to train on; %lld target%s, %lld driver%s", (long long)r->d.count,
                  task_count(all, steps), (long long)train, (long long)f->targets, f->targets == 1 ? "" : "s", (long long)f->drivers,
                  f->drivers == 1 ? "" : "s");
    return st;
}

/* ---- the network ---- */
static void words(const options *o, buf *to)
{
    static const char *const numbers[] = { "density", "radius", "bias-scale", "noise" };
    for (int i = 0; i < 4; i++)
        if (options_given(o, numbers[i])) buf_printf(to, " %s %.17g", numbers[i], options_real(o, numbers[i]));
    const char *leak = options_text(o, "leak"), *weights = options_text(o, "weights"), *act = options_text(o, "activation"),
               *topology = options_text(o, "topology");
    if (leak) buf_printf(to, " leak %s", leak);
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
    if (!text) return LACO_OK;
    if (!t || strcmp(n->d.layer[0].kind, "reservoir"))
        return fail(err, LACO_EINVAL, -1, "--input-scale: the network does not begin with a reservoir; say it in --model");
    for (const char *p = text; *p && count < MOST_TARGETS; count++) {
        char one[64];
        size_t len = strcspn(p, ",");
        snprintf(one, sizeof one, "%.*s", (int)min64((int64_t)len, 63), p);
        if (!number_parse(one, &scale[count]) || !(fabs(scale[count]) <= 1e6))
            return fail(err, LACO_EINVAL, -1, "--input-scale %.60s: a number, or one for each input with commas between", text);
        p += len + (p[len] == ',');
    }
    if (count != 1 && count != n->inputs)
        return fail(err, LACO_EINVAL, -1, "--input-scale %.60s: one number, or %lld, one for each input (drivers first, then what was before)", text,
                    (long long)n->inputs);
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
        st = echo_new(&r->e, text.data, esn_inputs(&r->f), r->f.targets, (uint64_t)options_int(r->o, "seed"), k, r->pool, err);
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
    const plasticity p = { .epochs = options_int(r->o, "plasticity"), .mean = options_real(r->o, "plasticity-mean"),
                           .deviation = options_real(r->o, "plasticity-deviation"), .rate = options_real(r->o, "plasticity-rate") };
    laco_status st = LACO_OK;
    if (!p.epochs) return LACO_OK;
    int64_t longest = 0;
    for (int64_t i = 1; i < r->d.count; i++)
        if (r->train[i] > r->train[longest]) longest = i;
    st = plasticity_run(r->e.n, &p, r->train[longest], r->s[longest].u, r->j->stop, err);
    if (!st) task_note(r->j, "adapted   gains and biases of the units, %lld times through %lld steps", (long long)p.epochs, (long long)r->train[longest]);
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
static laco_status errors_ahead(training *r, int64_t i, laco_error *err);
/* Of several ridges the one whose free runs over the last third of the steps to train on miss least. */
static laco_status choose_by_running(training *r, ridge *q, const double *lambda, int n, laco_error *err)
{
    double least = INFINITY;
    int best = 0;
    laco_status st = LACO_OK;
    r->choosing = true;
    for (int i = 0; !st && i <= n; i++) { /* the best once more */
        const int at = i < n ? i : best;
        st = ridge_solve(q, lambda[at], r->w, r->b, &r->solved, err);
        if (!st) echo_set(&r->e, r->w, r->b), st = echo_ready(&r->e, err);
        r->network.ahead = (esn_error){ 0 };
        for (int64_t k = 0; !st && i < n && k < r->d.count; k++) st = errors_ahead(r, k, err);
        const double e = esn_nrmse(&r->network.ahead);
        if (i < n && e < least) least = e, best = i;
    }
    r->choosing = false, r->network.ahead = (esn_error){ 0 };
    return st;
}
static int64_t learnable(const training *r, int64_t i) { return max64(0, r->train[i] - (r->f.horizon - 1)); }
static laco_status by_ridge(training *r, laco_error *err)
{
    double lambda[MOST_RIDGES];
    ridge_result all[MOST_RIDGES];
    ridge *q = NULL;
    int best = 0, n = list_ridges(r->o, lambda, err);
    if (!n) return LACO_EINVAL;
    laco_status st = ridge_new(&q, r->e.units, r->f.targets, RIDGE_FREE_BIAS, r->e.n->k, r->pool, err);
    double begin = clock_seconds();
    int64_t steps = 0;
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        st = echo_gather(&r->e, learnable(r, i), r->s[i].u, r->s[i].ahead, r->f.washout, q, err);
        steps += learnable(r, i);
        if (!st && *r->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before the readout was solved");
    }
    r->rate = (double)steps / fmax(1e-9, clock_seconds() - begin);
    if (!st && !(r->rows = ridge_rows(q)))
        st = fail(err, LACO_EINVAL, -1, "%.200s: no step behind the washout has a target", r->d.file);
    if (!st && n == 1 && lambda[0] == 0 && r->rows < r->e.units)
        st = fail(err, LACO_EINVAL, -1, "--ridge 0: %lld steps do not determine %lld weights; give a --ridge above 0, more steps or a smaller --size",
                  (long long)r->rows, (long long)r->e.units);
    if (!st && n > 1 && r->ahead) st = choose_by_running(r, q, lambda, n, err);
    if (!st && n == 1) st = ridge_solve(q, lambda[0], r->w, r->b, &r->solved, err);
    if (!st && n > 1 && !r->ahead && !(st = ridge_choose(q, lambda, n, all, &best, r->w, r->b, err))) r->solved = all[best];
    r->seconds = clock_seconds() - begin;
    ridge_free(q);
    if (st) return st;
    if (n > 1)
        task_note(r->j, "readout   ridge %g of %d by %s, %lld rows, condition %.1e", r->solved.lambda, n,
                  r->ahead ? "free runs" : "generalised cross-validation", (long long)r->rows, r->solved.condition);
    else
        task_note(r->j, "readout   ridge %g, %lld rows, condition %.1e", r->solved.lambda, (long long)r->rows, r->solved.condition);
    if (r->solved.fell_back)
        task_note(r->j, "readout   the normal equations are singular to working precision: solved by eigenvalues, of which %lld of %lld are used; a larger --ridge is safer",
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
        return fail(err, LACO_EINVAL, -1, "--readout force needs a network that reads its own answers: no --input, or --feedback, and --horizon 1");
    if (r->how != READOUT_LMS && !(lambda[0] > 0)) return fail(err, LACO_EINVAL, -1, "--readout %s: --ridge must be above 0", options_text(r->o, "readout"));
    const online_settings set = { .rule = r->how == READOUT_LMS ? ONLINE_NLMS : ONLINE_RLS, .features = r->e.units, .targets = D,
                                  .bias = true, .lambda = lambda[0], .forget = options_real(r->o, "forget"), .rate = options_real(r->o, "learn-rate") };
    online *q = NULL;
    double *units = mem_new((size_t)r->e.units, sizeof *units), *u = mem_new((size_t)esn_inputs(&r->f), sizeof *u),
           *answer = mem_new((size_t)D, sizeof *answer);
    laco_status st = units && u && answer ? online_new(&q, &set, err) : fail_memory(err, (size_t)r->e.units * sizeof *units);
    double begin = clock_seconds();
    int64_t steps = 0;
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        st = echo_units_begin(&r->e, err);
        for (int64_t t = 0; !st && t < learnable(r, i); t++, steps++) {
            memcpy(u, r->s[i].u + t * esn_inputs(&r->f), (size_t)esn_inputs(&r->f) * sizeof *u);
            if (r->how == READOUT_FORCE && t > r->f.washout) memcpy(u + E, answer, (size_t)D * sizeof *u);
            echo_units_step(&r->e, u, units);
            online_answer(q, units, answer);
            if (t >= r->f.washout) online_learn(q, units, r->s[i].ahead + t * D, NULL), r->rows++;
            if (*r->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before the readout was learnt");
        }
    }
    r->seconds = clock_seconds() - begin, r->rate = (double)steps / fmax(1e-9, r->seconds);
    if (!st) online_weights(q, r->w, r->b), r->solved = (ridge_result){ .lambda = lambda[0], .gcv = NAN };
    if (!st) task_note(r->j, "readout   %s, %lld steps", options_text(r->o, "readout"), (long long)r->rows);
    for (int64_t k = 0; !st && k < D * r->e.units; k++)
        if (!isfinite(r->w[k])) st = fail(err, LACO_ENUMERIC, -1, "the readout runs away while it learns; give a smaller --learn-rate or a larger --ridge");
    online_free(q), mem_free(units), mem_free(u), mem_free(answer);
    return st;
}

/* ---- errors ---- */
static void add_error(esn_error *to, const esn_error *e) { to->square += e->square, to->variance += e->variance, to->n += e->n; }
static void judge(training *r, errors *to, int64_t i, const double *answer)
{
    const int64_t D = r->f.targets, from = min64(r->f.washout, r->train[i]), at = r->train[i], n = r->s[i].n;
    esn_error train = esn_error_of(answer + from * D, r->s[i].ahead + from * D, learnable(r, i) > from ? learnable(r, i) - from : 0, D),
              held = esn_error_of(answer + at * D, r->s[i].ahead + at * D, n - at, D);
    add_error(&to->train, &train), add_error(&to->held, &held);
}
/* Where the k-th run of `ahead` steps begins: in the part held out, or where that is empty or a ridge is chosen in the
   last third of what is trained on; -1: there is none. */
static int64_t origin_of(const training *r, int64_t i, int64_t k)
{
    const bool inside = r->choosing || r->train[i] == r->d.known[i];
    const int64_t last = (inside ? r->train[i] : r->d.known[i]) - r->ahead,
                  first = inside ? max64(r->f.washout + 1, r->train[i] - r->train[i] / 3) : r->train[i];
    const int64_t apart = max64(1, (last - first) / ORIGINS), at = first + k * apart;
    return at <= last && k < ORIGINS ? at : -1;
}
static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
/* What the answers miss in training: its deviation, and what a thousandth of it exceeds. */
static laco_status residuals(training *r, double *const *answer, laco_error *err)
{
    const int64_t D = r->f.targets;
    int64_t room = 0;
    for (int64_t i = 0; i < r->d.count; i++) room += r->train[i];
    double *x = mem_new((size_t)room, sizeof *x);
    if (!x) return fail_memory(err, (size_t)room * sizeof *x);
    for (int64_t k = 0; k < D; k++) {
        int64_t n = 0;
        double square = 0;
        for (int64_t i = 0; i < r->d.count; i++)
            for (int64_t t = r->f.washout; t < learnable(r, i); t++) {
                const double e = answer[i][t * D + k] - r->s[i].ahead[t * D + k];
                if (isfinite(e)) x[n++] = fabs(e), square += e * e;
            }
        r->f.residual[k] = n ? sqrt(square / (double)n) : 0;
        qsort(x, (size_t)n, sizeof *x, compare);
        r->f.flag[k] = n && r->f.residual[k] > 0 ? x[(int64_t)(0.999 * (double)(n - 1))] / r->f.residual[k] : 0;
    }
    mem_free(x);
    return LACO_OK;
}
static laco_status errors_ahead(training *r, int64_t i, laco_error *err)
{
    const int64_t D = r->f.targets;
    const size_t bytes = echo_state_bytes(&r->e);
    void *kept = mem_new(1, bytes);
    double *answer = mem_new((size_t)((r->s[i].n + r->ahead) * D), sizeof *answer);
    double *said = mem_new((size_t)(2 * ORIGINS * D), sizeof *said), *came = said ? said + ORIGINS * D : NULL;
    laco_status st = kept && answer && said ? LACO_OK : fail_memory(err, bytes);
    int64_t at = 0, n = 0;
    echo_reset(&r->e);
    for (int64_t k = 0, to; !st && (to = origin_of(r, i, k)) >= 0; k++, n++) {
        st = esn_follow(&r->e, &r->f, &r->s[i], at, to, to, answer, r->j->stop, err), at = to;
        if (st) break;
        echo_keep(&r->e, kept);
        laco_status ran = esn_follow(&r->e, &r->f, &r->s[i], to, to + r->ahead, to, answer, r->j->stop, err);
        if (ran == LACO_ESTOPPED) st = ran;
        for (int64_t d = 0; d < D; d++) {
            said[n * D + d] = ran ? 1e6 : answer[(r->ahead - 1) * D + d];
            came[n * D + d] = r->s[i].y[(to + r->ahead - 1) * D + d];
        }
        echo_back(&r->e, kept);
    }
    esn_error e = esn_error_of(said, came, n, D);
    if (!st) add_error(&r->network.ahead, &e);
    mem_free(kept), mem_free(answer), mem_free(said);
    return st;
}
static laco_status measure_network(training *r, laco_error *err)
{
    const int64_t D = r->f.targets;
    double **answer = mem_new((size_t)r->d.count, sizeof *answer);
    laco_status st = answer ? LACO_OK : fail_memory(err, (size_t)r->d.count * sizeof *answer);
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        if (!(answer[i] = mem_new((size_t)(r->s[i].n * D), sizeof(double)))) st = fail_memory(err, (size_t)r->s[i].n * sizeof(double));
        if (!st) echo_reset(&r->e), st = esn_follow(&r->e, &r->f, &r->s[i], 0, r->s[i].n, r->s[i].n, answer[i], r->j->stop, err);
        if (!st) judge(r, &r->network, i, answer[i]);
        if (!st && !i) st = esn_plot(r->j, "svg", r->s[i].ahead + (r->train[i] < r->s[i].n ? r->train[i] : 0) * D, answer[i] + (r->train[i] < r->s[i].n ? r->train[i] : 0) * D,
                                     r->s[i].n - (r->train[i] < r->s[i].n ? r->train[i] : 0), D, r->train[i], err);
    }
    if (!st) st = residuals(r, answer, err);
    for (int64_t i = 0; !st && r->ahead && i < r->d.count; i++) st = errors_ahead(r, i, err);
    for (int64_t i = 0; answer && i < r->d.count; i++) mem_free(answer[i]);
    mem_free(answer);
    return st;
}

/* ---- what needs no network ---- y(t-1) as it is, and a ridge regression on the last values and the drivers */
static double before(const esn_series *s, int64_t t, int64_t k, int64_t D) /* the last value known before t */
{
    for (int64_t i = t - 1; i >= 0 && i >= t - 16; i--)
        if (isfinite(s->y[i * D + k])) return s->y[i * D + k];
    return 0;
}
static void lag_row(const training *r, int64_t i, int64_t t, double *x)
{
    const int64_t D = r->f.targets, E = r->f.drivers;
    for (int64_t l = 0; l < r->lags; l++)
        for (int64_t k = 0; k < D; k++) x[l * D + k] = before(&r->s[i], t - l, k, D);
    memcpy(x + r->lags * D, r->s[i].u + t * esn_inputs(&r->f), (size_t)E * sizeof *x);
}
static void linear_answer(const double *w, const double *b, const double *x, int64_t n, int64_t D, double *y)
{
    for (int64_t k = 0; k < D; k++) {
        y[k] = b[k];
        for (int64_t i = 0; i < n; i++) y[k] += w[k * n + i] * x[i];
    }
}
static laco_status fit_linear(training *r, ridge *q, double *x, double *w, double *b, laco_error *err)
{
    static const double lambda[] = { 1e-6, 1e-3, 1e-1, 1, 10, 100 };
    ridge_result result[6];
    int best;
    const int64_t D = r->f.targets;
    for (int64_t i = 0; i < r->d.count; i++)
        for (int64_t t = r->lags; t < learnable(r, i); t++) {
            bool known = true;
            for (int64_t k = 0; k < D; k++) known &= isfinite(r->s[i].ahead[t * D + k]) != 0;
            if (!known) continue;
            lag_row(r, i, t, x), ridge_add(q, 1, x, r->lags * D + r->f.drivers, r->s[i].ahead + t * D, D);
        }
    return ridge_rows(q) > r->lags ? ridge_choose(q, lambda, 6, result, &best, w, b, err) : LACO_OK;
}
static void ahead_linear(training *r, int64_t i, const double *w, const double *b, double *x)
{
    const int64_t D = r->f.targets, n = r->lags * D;
    double said[ORIGINS * 8], came[ORIGINS * 8], flat[ORIGINS * 8], y[8];
    int64_t count = 0;
    if (D > 8) return;
    for (int64_t k = 0, at; (at = origin_of(r, i, k)) >= 0; k++, count++) {
        lag_row(r, i, at, x);
        for (int64_t d = 0; d < D; d++) flat[count * D + d] = x[d], came[count * D + d] = r->s[i].y[(at + r->ahead - 1) * D + d];
        for (int64_t h = 0; h < r->ahead; h++) {
            linear_answer(w, b, x, n, D, y);
            memmove(x + D, x, (size_t)(n - D) * sizeof *x), memcpy(x, y, (size_t)D * sizeof *x);
        }
        memcpy(said + count * D, y, (size_t)D * sizeof *y);
    }
    esn_error e = esn_error_of(said, came, count, D), p = esn_error_of(flat, came, count, D);
    add_error(&r->linear.ahead, &e), add_error(&r->persistence.ahead, &p);
}
static laco_status measure_others(training *r, laco_error *err)
{
    const int64_t D = r->f.targets;
    int64_t shortest = INT64_MAX;
    const kernels *k;
    ridge *q = NULL;
    for (int64_t i = 0; i < r->d.count; i++) shortest = min64(shortest, r->train[i]);
    r->lags = max64(1, min64(MOST_LAGS_AR, shortest / 10));
    const int64_t n = r->lags * D + r->f.drivers;
    double *x = mem_new((size_t)(n + D), sizeof *x), *w = mem_new((size_t)(n * D), sizeof *w), *b = mem_new((size_t)D, sizeof *b);
    laco_status st = x && w && b ? kernels_choose(&k, REAL_DOUBLE, err) : fail_memory(err, (size_t)(n * D) * sizeof *w);
    if (!st) st = ridge_new(&q, n, D, RIDGE_FREE_BIAS, k, r->pool, err);
    if (!st) st = fit_linear(r, q, x, w, b, err);
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        double *answer = mem_new((size_t)(2 * r->s[i].n * D), sizeof *answer), *flat = answer ? answer + r->s[i].n * D : NULL;
        if (!answer) st = fail_memory(err, (size_t)r->s[i].n * sizeof *answer);
        for (int64_t t = 0; !st && t < r->s[i].n; t++) {
            lag_row(r, i, t, x), linear_answer(w, b, x, n, D, answer + t * D);
            for (int64_t d = 0; d < D; d++) flat[t * D + d] = before(&r->s[i], t, d, D);
        }
        if (!st) judge(r, &r->linear, i, answer), judge(r, &r->persistence, i, flat);
        if (!st && r->ahead && !r->f.drivers && r->f.horizon == 1) ahead_linear(r, i, w, b, x);
        mem_free(answer);
    }
    ridge_free(q), mem_free(x), mem_free(w), mem_free(b);
    return st;
}

/* ---- the end ---- */
static void put_error(buf *to, const esn_error *e)
{
    if (e->n > 0)
        buf_printf(to, "  %12.4g", esn_nrmse(e));
    else
        buf_text(to, "             -");
}
static void report(const training *r)
{
    const errors *all[] = { &r->persistence, &r->linear, &r->network };
    char linear[48];
    buf to = { 0 };
    snprintf(linear, sizeof linear, "linear, %lld lags", (long long)r->lags);
    const char *names[] = { "the last value", linear, "this network" };
    buf_printf(&to, "%-20s  %12s  %12s", "NRMSE", "train", "held out");
    if (r->ahead) buf_printf(&to, "  %6lld ahead", (long long)r->ahead);
    buf_text(&to, "\n");
    for (int i = 0; i < 3; i++) {
        buf_printf(&to, "%-20s", names[i]), put_error(&to, &all[i]->train), put_error(&to, &all[i]->held);
        if (r->ahead) put_error(&to, &all[i]->ahead);
        buf_text(&to, "\n");
    }
    if (!options_flag(r->o, "json")) task_out_buf(r->j, &to);
    buf_free(&to);
}
static void json_errors(json_out *o, const training *r, const esn_error *part[3], const char *key)
{
    static const char *const names[] = { "persistence_nrmse", "linear_nrmse", "nrmse" };
    if (!part[2]->n) return;
    json_key(o, key), json_begin(o, '{');
    json_key(o, "rmse"), json_number(o, sqrt(part[2]->square / part[2]->n) * (r->f.targets == 1 ? r->f.deviation[0] : 1));
    for (int i = 2; i >= 0; i--)
        if (part[i]->n > 0) json_key(o, names[i]), json_number(o, esn_nrmse(part[i]));
    json_end(o, '}');
}
static void result_json(training *r)
{
    json_out o = { .to = r->j->result };
    const esn_error *train[] = { &r->persistence.train, &r->linear.train, &r->network.train },
                    *held[] = { &r->persistence.held, &r->linear.held, &r->network.held },
                    *ahead[] = { &r->persistence.ahead, &r->linear.ahead, &r->network.ahead };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "esn");
    if (options_text(r->o, "out")) json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    json_key(&o, "ridge"), json_number(&o, r->solved.lambda);
    json_key(&o, "rows"), json_int(&o, r->rows);
    json_key(&o, "condition"), json_number(&o, r->solved.condition);
    json_key(&o, "fell_back"), json_bool(&o, r->solved.fell_back);
    json_key(&o, "forgets"), json_int(&o, r->forgets);
    json_key(&o, "steps_per_second"), json_number(&o, r->rate);
    json_errors(&o, r, train, "train"), json_errors(&o, r, held, "valid"), json_errors(&o, r, ahead, "ahead");
    json_end(&o, '}');
    const esn_error *e = r->network.held.n > 0 ? &r->network.held : &r->network.train;
    r->j->score = esn_nrmse(e);
}
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
    const property_wish w = { .n = r->e.n, .input = r->s[longest].u, .steps = min64(r->train[longest], 5000), .seed = 1, .stop = r->j->stop };
    laco_status st = property_forgetting(&w, &r->forgets, err);
    if (!st && r->forgets < 0)
        task_note(r->j, "warning   the echo state property is lost on this series: two runs from different states do not come together in "
                  "%lld steps; give a smaller --radius", (long long)w.steps);
    else if (!st && r->forgets > r->f.washout)
        task_note(r->j, "washout   the states remember how they began for %lld steps, longer than --washout %lld", (long long)r->forgets, (long long)r->f.washout);
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
        st = fail(err, LACO_EINVAL, -1, "--ahead needs a network that reads its own answers: no --input, or --feedback, and --horizon 1");
    if (!st) st = prepare_network(r, err);
    if (!st) st = adapt_units(r, err);
    if (!st) st = r->how == READOUT_RIDGE ? by_ridge(r, err) : by_steps(r, err);
    if (!st) echo_set(&r->e, r->w, r->b), st = echo_ready(&r->e, err);
    if (!st) st = look_at_memory(r, err);
    if (!st) st = measure_network(r, err);
    if (!st) st = measure_others(r, err);
    if (st) return st;
    task_note(r->j, "time      %.2f s, %.0f steps/s", r->seconds, r->rate);
    if (!(st = save(r, err))) report(r), result_json(r);
    return st;
}
laco_status esn_train(task_job *j, laco_error *err)
{
    training r = { .j = j, .o = j->o };
    laco_status st = train(&r, err);
    for (int64_t i = 0; r.s && i < r.d.count; i++) esn_series_free(&r.s[i]);
    mem_free(r.s), mem_free(r.train), mem_free(r.w), mem_free(r.b);
    echo_free(&r.e), laco_model_free(r.m), pool_free(r.pool), forecast_data_free(&r.d), esn_front_free(&r.f);
    return st;
}
