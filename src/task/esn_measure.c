/* How well an echo state network does that was just trained: on the steps to train on, to validate on and to test, and
   in free runs, beside the last value and a ridge regression on the last values and the inputs.

       NRMSE = sqrt(sum |y - answer|^2 / sum |y - mean of y|^2), over the steps of the part and all targets, scaled */
#include "task/esn_train.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_LAGS_AR = 32, MOST_LINEAR = 512, ORIGINS = 60 };

/* ---- errors ---- */
static void add_error(esn_error *to, const esn_error *e)
{
    to->square += e->square, to->variance += e->variance, to->n += e->n;
}
/* Steps of a part of series i, by where their targets lie. */
static void bounds(const training *r, int64_t i, int part, int64_t *from, int64_t *to)
{
    const int64_t h = r->f.horizon - 1, n = r->s[i].n, end[] = { 0, r->train[i] - h, r->valid[i] - h, n - h };
    *to = max64(0, end[part + 1]), *from = min64(*to, max64(r->f.washout, end[part]));
}
static void judge(training *r, predictor *to, int64_t i, const double *answer)
{
    const int64_t D = r->f.targets;
    for (int part = PART_TRAIN; part <= PART_TEST; part++) {
        int64_t from, end;
        bounds(r, i, part, &from, &end);
        esn_error e = esn_error_of(answer + from * D, r->s[i].ahead + from * D, end - from, D);
        add_error(&to->part[part], &e);
    }
}
/* Where the k-th run of `ahead` steps begins: in the test, or where there is none in the part to validate on; while a
   ridge is chosen never in the test, and where there is no other, in the last third of what is trained on. -1: there is
   none. */
static int64_t origin_of(const training *r, int64_t i, int64_t k)
{
    const int64_t n = r->d.known[i], train = r->train[i], valid = r->valid[i];
    int64_t first = valid < n ? valid : train, end = n;
    if (r->choosing) first = train, end = valid < n ? valid : train;
    if (first >= end) first = max64(r->f.washout + 1, train - train / 3), end = train;
    const int64_t last = end - r->ahead, apart = max64(1, (last - first) / ORIGINS), at = first + k * apart;
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
            for (int64_t t = r->f.washout; t < esn_learnable(r, i); t++) {
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
/* A run that grows without bound is the worst there is where a ridge is chosen; else it is counted apart. */
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
            came[n * D + d] = ran && !r->choosing ? NAN : r->s[i].y[(to + r->ahead - 1) * D + d];
        }
        r->free_runs += !r->choosing, r->diverged += ran && !r->choosing;
        echo_back(&r->e, kept);
    }
    esn_error e = esn_error_of(said, came, n, D);
    if (!st) add_error(&r->network.part[PART_AHEAD], &e);
    mem_free(kept), mem_free(answer), mem_free(said);
    return st;
}
static laco_status answers_of(training *r, int64_t i, double **out, laco_error *err)
{
    const size_t n = (size_t)(r->s[i].n * r->f.targets);
    double *answer = *out = mem_new(n, sizeof *answer);
    if (!answer) return fail_memory(err, n * sizeof *answer);
    echo_reset(&r->e);
    laco_status st = esn_follow(&r->e, &r->f, &r->s[i], 0, r->s[i].n, r->s[i].n, answer, r->j->stop, err);
    return st ? st : esn_go_on(r, r->s[i].n, err);
}
laco_status esn_measure_part(training *r, int part, double *nrmse, laco_error *err)
{
    laco_status st = LACO_OK;
    double *answer;
    r->network = (predictor){ 0 }, *nrmse = INFINITY;
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        if (part == PART_AHEAD) {
            st = errors_ahead(r, i, err);
            continue;
        }
        if (!(st = answers_of(r, i, &answer, err))) judge(r, &r->network, i, answer);
        mem_free(answer);
        if (st == LACO_ENUMERIC) return r->network = (predictor){ 0 }, LACO_OK; /* it runs away: not the one */
    }
    const double e = esn_nrmse(&r->network.part[part]);
    if (!st && isfinite(e)) *nrmse = e;
    r->network = (predictor){ 0 };
    return st;
}
/* The part that is drawn: the test, or that of validation, or all that was trained on. */
static laco_status draw(const training *r, const double *answer, laco_error *err)
{
    const int64_t D = r->f.targets, n = r->s[0].n;
    int64_t from = r->valid[0] < n ? r->valid[0] : r->train[0] < n ? r->train[0] : min64(n, r->f.washout);
    return esn_plot(r->j, &r->f, r->s[0].ahead + from * D, answer + from * D, n - from, from, err);
}
laco_status esn_measure_network(training *r, laco_error *err)
{
    double **answer = mem_new((size_t)r->d.count, sizeof *answer);
    laco_status st = answer ? LACO_OK : fail_memory(err, (size_t)r->d.count * sizeof *answer);
    r->phase = "measure", r->done = r->total = 0;
    for (int64_t i = 0; i < r->d.count; i++) r->total += r->s[i].n;
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        st = answers_of(r, i, &answer[i], err);
        if (!st) judge(r, &r->network, i, answer[i]);
    }
    if (!st) st = draw(r, answer[0], err);
    if (!st) st = residuals(r, answer, err);
    for (int64_t i = 0; !st && r->ahead && i < r->d.count; i++) st = errors_ahead(r, i, err);
    if (!st && r->diverged)
        task_note(r->j, "free runs %lld of %lld grow without bound and are not in the error; a larger --ridge, --noise or a smaller "
                  "--radius may help", (long long)r->diverged, (long long)r->free_runs);
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
/* What the linear model reads: the last values, where the network reads them too, and the inputs of now and before. */
static int64_t lag_width(const training *r) { return r->lags * esn_inputs(&r->f); }
static void lag_row(const training *r, int64_t i, int64_t t, double *x)
{
    const int64_t D = r->f.own ? r->f.targets : 0, E = r->f.drivers, I = esn_inputs(&r->f);
    for (int64_t l = 0; l < r->lags; l++) {
        for (int64_t k = 0; k < D; k++) x[l * D + k] = before(&r->s[i], t - l, k, D);
        for (int64_t k = 0; k < E; k++) x[r->lags * D + l * E + k] = t >= l ? r->s[i].u[(t - l) * I + k] : 0;
    }
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
        for (int64_t t = r->lags; t < esn_learnable(r, i); t++) {
            bool known = true;
            for (int64_t k = 0; k < D; k++) known &= isfinite(r->s[i].ahead[t * D + k]) != 0;
            if (!known) continue;
            lag_row(r, i, t, x), ridge_add(q, 1, x, lag_width(r), r->s[i].ahead + t * D, D);
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
        for (int64_t d = 0; d < D; d++)
            flat[count * D + d] = x[d], came[count * D + d] = r->s[i].y[(at + r->ahead - 1) * D + d];
        for (int64_t h = 0; h < r->ahead; h++) {
            linear_answer(w, b, x, n, D, y);
            memmove(x + D, x, (size_t)(n - D) * sizeof *x), memcpy(x, y, (size_t)D * sizeof *x);
        }
        memcpy(said + count * D, y, (size_t)D * sizeof *y);
    }
    esn_error e = esn_error_of(said, came, count, D), p = esn_error_of(flat, came, count, D);
    add_error(&r->linear.part[PART_AHEAD], &e), add_error(&r->persistence.part[PART_AHEAD], &p);
}
laco_status esn_measure_others(training *r, laco_error *err)
{
    const int64_t D = r->f.targets;
    int64_t shortest = INT64_MAX;
    const kernels *k;
    ridge *q = NULL;
    for (int64_t i = 0; i < r->d.count; i++) shortest = min64(shortest, r->train[i]);
    r->lags = max64(1, min64(min64(MOST_LAGS_AR, MOST_LINEAR / esn_inputs(&r->f)), shortest / 10));
    const int64_t n = lag_width(r);
    double *x = mem_new((size_t)(n + D), sizeof *x), *w = mem_new((size_t)(n * D), sizeof *w),
           *b = mem_new((size_t)D, sizeof *b);
    laco_status st = x && w && b ? kernels_choose(&k, REAL_DOUBLE, err) : fail_memory(err, (size_t)(n * D) * sizeof *w);
    if (!st) st = ridge_new(&q, n, D, RIDGE_FREE_BIAS, k, r->pool, err);
    if (!st) st = fit_linear(r, q, x, w, b, err);
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        double *answer = mem_new((size_t)(2 * r->s[i].n * D), sizeof *answer),
               *flat = answer ? answer + r->s[i].n * D : NULL;
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
static const char *const heads[PARTS] = { "train", "validation", "test", NULL };
/* NRMSE of every predictor and part, then, of one target, RMSE in the units of the file. */
static void put_errors(buf *to, const char *name, const predictor *p, const bool there[PARTS], double unit)
{
    buf_printf(to, "  %-20s", name);
    for (int part = 0; part < PARTS; part++) {
        const esn_error *e = &p->part[part];
        const double x = !(e->n > 0) ? NAN : unit > 0 ? unit * sqrt(e->square / e->n) : esn_nrmse(e);
        if (there[part] && isfinite(x)) buf_printf(to, "  %12.4g", x);
        if (there[part] && !isfinite(x)) buf_printf(to, "  %12s", "-");
    }
    buf_text(to, "\n");
}
static void put_head(buf *to, const training *r, const char *what, const bool there[PARTS])
{
    char ahead[32];
    snprintf(ahead, sizeof ahead, "%lld ahead", (long long)r->ahead);
    buf_printf(to, "%-22s", what);
    for (int part = 0; part < PARTS; part++)
        if (there[part]) buf_printf(to, "  %12s", part == PART_AHEAD ? ahead : heads[part]);
    buf_text(to, "\n");
}
void esn_report(const training *r)
{
    const predictor *all[] = { &r->persistence, &r->linear, &r->network };
    bool there[PARTS];
    char linear[48];
    buf to = { 0 };
    if (options_flag(r->o, "json")) return;
    snprintf(linear, sizeof linear, "linear, %lld lag%s", (long long)r->lags, r->lags == 1 ? "" : "s");
    const char *names[] = { "the last value", linear, "this network" };
    for (int part = 0; part < PARTS; part++) there[part] = r->network.part[part].n > 0;
    put_head(&to, r, "NRMSE", there);
    for (int i = 0; i < 3; i++) put_errors(&to, names[i], all[i], there, 0);
    if (r->f.targets == 1) put_head(&to, r, "RMSE", there);
    for (int i = 0; r->f.targets == 1 && i < 3; i++) put_errors(&to, names[i], all[i], there, r->f.deviation[0]);
    task_out_buf(r->j, &to), buf_free(&to);
}
static void json_errors(json_out *o, const training *r, int part, const char *key)
{
    static const char *const names[] = { "nrmse", "persistence_nrmse", "linear_nrmse" };
    const predictor *all[] = { &r->network, &r->persistence, &r->linear };
    const esn_error *e = &r->network.part[part];
    if (!(e->n > 0)) return;
    json_key(o, key), json_begin(o, '{');
    for (int i = 0; i < 3; i++) {
        const double x = esn_nrmse(&all[i]->part[part]);
        if (all[i]->part[part].n > 0 && isfinite(x)) json_key(o, names[i]), json_number(o, x);
    }
    if (r->f.targets == 1) json_key(o, "rmse"), json_number(o, sqrt(e->square / e->n) * r->f.deviation[0]);
    json_end(o, '}');
}
void esn_result_json(training *r)
{
    static const char *const keys[PARTS] = { "train", "valid", "test", "ahead" };
    json_out o = { .to = r->j->result };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "esn");
    if (options_text(r->o, "out")) json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    json_key(&o, "washout"), json_int(&o, r->f.washout);
    json_key(&o, "ridge"), json_number(&o, r->solved.lambda);
    if (r->how == READOUT_RIDGE) {
        if (isfinite(r->solved.gcv)) json_key(&o, "gcv"), json_number(&o, r->solved.gcv);
        json_key(&o, "condition"), json_number(&o, r->solved.condition);
        json_key(&o, "fell_back"), json_bool(&o, r->solved.fell_back);
    }
    json_key(&o, "rows"), json_int(&o, r->rows);
    json_key(&o, "forgets"), json_int(&o, r->forgets);
    json_key(&o, "steps_per_second"), json_number(&o, r->rate);
    for (int part = 0; part < PARTS; part++) json_errors(&o, r, part, keys[part]);
    json_end(&o, '}');
    const int part = r->network.part[PART_VALID].n > 0 ? PART_VALID : PART_TRAIN;
    r->j->score = esn_nrmse(&r->network.part[r->ahead && r->network.part[PART_AHEAD].n > 0 ? PART_AHEAD : part]);
}
