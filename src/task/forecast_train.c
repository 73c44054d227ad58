/* laco train forecast: the next steps of one or many series, from tables.

   read  ->  parts of every series: train, validation, test, one after the other in time  ->  front  ->  the loop of
   fit.h over rows of series  ->  answers from the origins of the test part beside those of methods without a network.

   A row of training is a stretch of a series that ends at an origin. direct, recursive: the later half of its steps
   count, what comes before is context, and rows follow each other so that every step counts once an epoch, each epoch
   cut at other places. decoder, revin: a row for every origin taken, of which the steps to answer, or the last one,
   count. */
#include "base/rng.h"
#include "task/fit.h"
#include "task/forecast.h"
#include "task/lm.h"
#include "task/repeat.h"
#include <math.h>
#include <stdio.h>

typedef struct row_set {
    text_row *row, *drawn; /* start: of the data, from the beginning of all series */
    int64_t n, room, counted, longest, drawn_epoch;
} row_set;
typedef struct forecast_run {
    task_job *j;
    const options *o;
    forecast_data d;
    forecast_front f;
    line *line;                  /* [series] */
    int64_t *train, *valid, *test; /* [series] where the parts end; nothing in the last two: they are as before them */
    origin *origin;              /* of the test part */
    int64_t origins, stride;
    int64_t apart;               /* steps from one origin of training to the next */
    row_set rows;
    laco_model *m;
    fit fit;
    float *x, *y, *unit;         /* of a batch */
    int64_t room;                /* steps of it */
    text_row *placed;            /* its rows */
    forecast_levels levels;
    evaluation e;
    forecast_plot *plot;
    buf table; /* of --forecasts */
} forecast_run;

/* ---- parts ---- */
static laco_status split_rows(forecast_run *r, const char *text, laco_error *err)
{
    long long a, b, c;
    int used = 0;
    if (sscanf(text, "%lld,%lld,%lld%n", &a, &b, &c, &used) != 3 || text[used] || a < 2 || b < 0 || c < 0 || a > 1e12 ||
        b > 1e12 || c > 1e12)
        return fail(err, LACO_EINVAL, -1, "--split-rows %.60s: three numbers of steps, for training, validation and test, such as "
                    "8640,2880,2880", text);
    for (int64_t i = 0; i < r->d.count; i++) {
        if (a + b + c > r->d.known[i])
            return fail(err, LACO_EINVAL, -1, "--split-rows %.60s: series %s%.60s has %lld steps", text,
                        r->d.name[i] ? "" : "1", r->d.name[i] ? r->d.name[i] : "", (long long)r->d.known[i]);
        r->train[i] = a, r->valid[i] = a + b, r->test[i] = a + b + c;
    }
    return LACO_OK;
}
/* appended: steps of each series that --test brought. */
static laco_status split_ends(forecast_run *r, const int64_t *appended, laco_error *err)
{
    const int64_t H = r->f.horizon, origins = options_int(r->o, "backtest");
    int64_t untested = 0;
    for (int64_t i = 0; i < r->d.count; i++) {
        int64_t n = r->d.known[i], test = appended ? appended[i] : origins * H, valid = max64(1, origins) * H;
        if (n - (appended ? test : 0) < H + 2)
            return fail(err, LACO_EINVAL, -1, "--horizon %lld: the series %s%.60s has only %lld values%s; leave it out, or "
                        "forecast fewer steps", (long long)H, r->d.name[i] ? "" : "1", r->d.name[i] ? r->d.name[i] : "",
                        (long long)(n - (appended ? test : 0)), n == 0 ? ": all are missing" : "");
        if (!appended && n - test - valid < H + 2) test = 0;
        if (n - test - valid < 2) valid = 0;
        untested += !test && (appended || origins);
        r->train[i] = n - test - valid, r->valid[i] = n - test, r->test[i] = n;
    }
    if (untested == r->d.count && !appended)
        return fail(err, LACO_EINVAL, -1, "no series is long enough for a test part of --backtest %lld times %lld steps, as many "
                    "for validation, and %lld to learn from; give --backtest 0, or a shorter --horizon", (long long)origins,
                    (long long)H, (long long)H + 2);
    if (untested)
        task_note(r->j, "parts     %lld series are too short for a test part: they are trained on alone", (long long)untested);
    return LACO_OK;
}
static laco_status list_origins(forecast_run *r, laco_error *err)
{
    const int64_t H = r->f.horizon;
    for (int round = 0; round < 2; round++) {
        int64_t n = 0;
        for (int64_t i = 0; i < r->d.count; i++)
            for (int64_t end = r->valid[i] - 1; end + H < r->test[i]; end += r->stride, n++)
                if (round) r->origin[n] = (origin){ i, end };
        r->origins = n;
        if (!round && !(r->origin = mem_new((size_t)n, sizeof *r->origin))) return fail_memory(err, (size_t)n * sizeof *r->origin);
    }
    return LACO_OK;
}
static laco_status split(forecast_run *r, const int64_t *appended, laco_error *err)
{
    const char *rows = options_text(r->o, "split-rows");
    const size_t n = (size_t)r->d.count;
    r->train = mem_new(n, sizeof *r->train), r->valid = mem_new(n, sizeof *r->valid), r->test = mem_new(n, sizeof *r->test);
    if (!r->train || !r->valid || !r->test) return fail_memory(err, 3 * n * sizeof *r->train);
    if (rows && appended) return fail(err, LACO_EINVAL, -1, "--split-rows and --test each say what is tested; give one of them");
    int64_t stride = options_int(r->o, "test-stride");
    r->stride = stride ? stride : rows ? 1 : r->f.horizon;
    laco_status st = rows ? split_rows(r, rows, err) : split_ends(r, appended, err);
    return st ? st : list_origins(r, err);
}

/* ---- reading ---- */
static laco_status read_test(forecast_run *r, int64_t **appended, laco_error *err)
{
    forecast_data more;
    laco_status st = forecast_read(&more, r->j, TEXT_TEST, &r->f.columns, err);
    if (st || !more.count) return st;
    int64_t *n = *appended = mem_new((size_t)r->d.count, sizeof **appended);
    if (!n) st = fail_memory(err, (size_t)r->d.count * sizeof *n);
    for (int64_t i = 0; !st && i < r->d.count; i++) n[i] = -r->d.known[i];
    if (!st) st = forecast_append(&r->d, &more, err);
    for (int64_t i = 0; !st && i < r->d.count; i++) n[i] += r->d.known[i];
    forecast_data_free(&more);
    return st;
}
static void note_data(const forecast_run *r)
{
    const forecast_data *d = &r->d;
    char steps[32], from[32], to[32], masked[32];
    int64_t all = 0, missing = 0;
    for (int64_t i = 0; i < d->count; i++) all += d->known[i];
    for (int64_t t = 0; t < d->start[d->count] * d->targets; t++) missing += isnan(d->y[t]);
    buf text = { 0 };
    buf_printf(&text, "series    %lld of %s steps, %lld target%s", (long long)d->count, task_count(all, steps),
               (long long)d->targets, d->targets == 1 ? "" : "s");
    if (d->time) {
        time_text(d->time[0], d->step, from), time_text(d->time[d->known[0] ? d->known[0] - 1 : 0], d->step, to);
        buf_printf(&text, ", %s to %s%s, ", from, to, d->count > 1 ? " (the first)" : "");
        if (d->step.months)
            buf_printf(&text, "a step of %d month%s", d->step.months, d->step.months == 1 ? "" : "s");
        else
            buf_printf(&text, "a step of %g s", d->step.seconds);
    }
    buf_printf(&text, "; season %lld", (long long)r->f.season);
    if (!text.failed) task_note(r->j, "%s", text.data);
    buf_free(&text);
    if (missing)
        task_note(r->j, "missing   %s values are masked%s", task_count(missing, masked),
                  d->masked ? ", those of gaps in the times among them" : "");
}
static void note_parts(const forecast_run *r)
{
    int64_t a = 0, b = 0, c = 0, shorter = 0;
    char x[32], y[32], z[32], w[32];
    for (int64_t i = 0; i < r->d.count; i++) {
        a += r->train[i], b += r->valid[i] - r->train[i], c += r->test[i] - r->valid[i];
        shorter += r->train[i] < r->f.window;
    }
    task_note(r->j, "parts     %s steps to train, %s validation, %s test from %s origins", task_count(a, x),
              task_count(b, y), task_count(c, z), task_count(r->origins, w));
    if (r->f.smooth) {
        task_note(r->j, "es-rnn    of %s, seasons %lld and %lld", r->f.log ? "logarithms" : "values by their deviation",
                  (long long)max64(1, r->f.season), (long long)max64(1, r->f.second_season));
        return;
    }
    task_note(r->j, "window    %lld steps", (long long)r->f.window);
    if (shorter)
        task_note(r->j, "window    %lld series are shorter than it: they are read from their beginning", (long long)shorter);
}
static laco_status read_series(forecast_run *r, laco_error *err)
{
    int64_t *appended = NULL;
    const kernels *k;
    laco_status st = forecast_columns_of(&r->f.columns, r->o, err);
    if (!st) st = forecast_read(&r->d, r->j, TEXT_DATA, &r->f.columns, err);
    if (!st && !r->d.count) st = fail(err, LACO_EINVAL, -1, "--data is missing: the table of the series to learn");
    if (!st) st = read_test(r, &appended, err);
    if (!st) st = kernels_choose(&k, REAL_FLOAT, err);
    if (!st) st = forecast_make(&r->f, r->o, &r->d, k, err);
    if (!st) note_data(r), st = split(r, appended, err);
    if (!st) note_parts(r), st = forecast_learn(&r->f, &r->d, r->train, err);
    mem_free(appended);
    return st;
}
static laco_status make_lines(forecast_run *r, laco_error *err)
{
    laco_status st = LACO_OK;
    if (!(r->line = mem_new((size_t)r->d.count, sizeof *r->line))) return fail_memory(err, (size_t)r->d.count * sizeof *r->line);
    for (int64_t i = 0; !st && i < r->d.count; i++) st = line_make(&r->line[i], &r->f, &r->d, i, r->train[i], err);
    return st;
}

/* ---- network ---- */
static void shorthand(const forecast_run *r, buf *out)
{
    double drop = options_real(r->o, "dropout");
    fit_recurrent(r->o, 64, false, "", out);
    if (drop > 0) buf_printf(out, "dropout %g; ", drop);
    buf_text(out, "dense");
}
static laco_status set_metadata(forecast_run *r, laco_error *err)
{
    buf front = { 0 };
    laco_status st = forecast_to_json(&r->f, &front, err);
    if (!st) st = model_set(r->m, "task", "forecast", err);
    if (!st) st = model_set(r->m, "front", front.data, err);
    buf_free(&front);
    return st;
}
static laco_status network_of(const forecast_run *r, const char *text, laco_model **out, laco_error *err)
{
    const kernels *k;
    laco_status st = kernels_choose(&k, REAL_FLOAT, err);
    if (st) return st;
    int64_t outputs = forecast_targets(&r->f) * loss_parts(k->loss->row(r->f.loss), &r->f.loss_options);
    st = model_new(out, text, forecast_inputs(&r->f), outputs, (int)options_int(r->o, "threads"), err);
    if (!st && (*out)->net->symbols)
        st = fail(err, LACO_EINVAL, -1, "series are numbers, not symbols: take \"embed\" out of the network");
    return st ? st : lm_refuse_future(*out, err);
}
/* Before hours of training: is that of --beside a network? */
static laco_status check_beside(const forecast_run *r, laco_error *err)
{
    const char *text = options_text(r->o, "beside");
    laco_model *m = NULL;
    laco_error why;
    laco_status st = text ? network_of(r, text, &m, &why) : LACO_OK;
    laco_model_free(m);
    return st ? fail(err, st, -1, "--beside: %s", why.msg) : LACO_OK;
}
static laco_status make_network(forecast_run *r, laco_error *err)
{
    buf text = { 0 };
    if (r->f.smooth)
        forecast_smooth_text(&r->f, r->o, &text);
    else if (options_text(r->o, "model"))
        buf_text(&text, options_text(r->o, "model"));
    else
        shorthand(r, &text);
    laco_status st = text.failed ? fail_memory(err, text.len) : network_of(r, text.data, &r->m, err);
    buf_free(&text);
    if (!st) st = check_beside(r, err);
    if (!st) st = set_metadata(r, err);
    if (!st) st = fit_weights(r->m->net, r->o, options_real(r->o, "forget-bias"), err);
    if (!st && r->f.smooth) st = forecast_smooth_begin(r->m->net, &r->f, r->line, r->train, err);
    return st;
}

/* ---- rows ---- */
static bool by_origin(const forecast_run *r) { return r->f.way == WAY_DECODER || r->f.scale == SCALE_REVIN; }
static int64_t behind(const forecast_run *r) { return r->f.way == WAY_DECODER ? r->f.horizon : 0; }
static laco_status add_row(row_set *s, text_row row, laco_error *err)
{
    if (s->n == s->room) {
        size_t old = (size_t)s->room * sizeof row, more = max64(64, 2 * s->room) * sizeof row;
        text_row *to = mem_resize(s->row, old, more);
        if (!to) return fail_memory(err, more);
        s->row = to, s->room = (int64_t)(more / sizeof row);
    }
    s->row[s->n++] = row;
    s->counted += row.length - row.quiet, s->longest = max64(s->longest, row.length);
    return LACO_OK;
}
/* Rows whose counted steps are the origins lo .. hi of a series, from the last on; the first has `shift` steps fewer. */
static laco_status cut_series(const forecast_run *r, row_set *s, int64_t i, int64_t lo, int64_t hi, int64_t shift,
                              laco_error *err)
{
    laco_status st = LACO_OK;
    const int64_t apart = r->apart, L = r->f.window, first = r->d.start[i];
    for (int64_t end = by_origin(r) ? hi - shift : hi, next; !st && end >= lo; end = next) {
        int64_t counted = end == hi && shift && !by_origin(r) ? shift : apart;
        next = end - counted, counted = by_origin(r) ? 1 : min64(counted, end - lo + 1);
        int64_t length = min64(end + 1, max64(L, by_origin(r) ? L : counted + L / 2));
        text_row row = { first + end + 1 - length, length + behind(r), by_origin(r) ? length - 1 : length - counted };
        if (behind(r)) row.quiet = length;
        st = add_row(s, row, err);
    }
    return st;
}
static laco_status training_rows(const forecast_run *r, row_set *s, int64_t epoch, laco_error *err)
{
    laco_status st = LACO_OK;
    s->n = s->counted = 0;
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        int64_t n = r->train[i], hi = by_origin(r) ? max64(0, n - 1 - r->f.horizon) : n - 2;
        int64_t lo = min64(r->f.window / 2, hi / 2);
        if (r->f.smooth) {
            if (hi >= 0) st = add_row(s, (text_row){ r->d.start[i], hi + 1, forecast_smooth_quiet(&r->f, hi + 1) }, err);
            continue;
        }
        double u = rng_uniform(r->fit.s.seed, RNG_DATA, (uint64_t)epoch << 32 | (uint64_t)i);
        st = cut_series(r, s, i, lo, hi, min64((int64_t)(u * (double)r->apart), hi - lo), err);
    }
    return st;
}
static laco_status validation_rows(const forecast_run *r, row_set *s, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i < r->d.count; i++) {
        int64_t hi = r->valid[i] - 1 - (by_origin(r) ? r->f.horizon : 1);
        if (r->valid[i] > r->train[i]) st = cut_series(r, s, i, r->train[i] - 1, hi, 0, err);
    }
    return st;
}
static int64_t series_at(const forecast_data *d, int64_t step)
{
    int64_t low = 0, high = d->count;
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (d->start[middle] <= step) low = middle;
        else high = middle;
    }
    while (d->start[low + 1] <= step) low++; /* series without steps */
    return low;
}

/* ---- batches ---- */
static laco_status take_batch(forecast_run *r, const text_row *row, int64_t B, laco_error *err)
{
    int64_t steps = 0;
    for (int64_t i = 0; i < B; i++) steps += row[i].length;
    if (steps <= r->room) return LACO_OK;
    mem_free(r->x), mem_free(r->y), mem_free(r->unit);
    size_t n = (size_t)steps, x = n * (size_t)r->m->net->inputs, y = n * (size_t)forecast_targets(&r->f);
    r->x = mem_new(x, sizeof *r->x), r->y = mem_new(y, sizeof *r->y), r->unit = mem_new(n, sizeof *r->unit), r->room = steps;
    if (!r->placed) r->placed = mem_new((size_t)options_int(r->o, "batch"), sizeof *r->placed);
    return r->x && r->y && r->unit && r->placed ? LACO_OK : (r->room = 0, fail_memory(err, (x + y) * sizeof *r->x));
}
/* valid: the targets may be of the validation part too. */
static laco_status lay_out(forecast_run *r, const text_row *row, int64_t B, const int64_t *stop, train_batch *out, laco_error *err)
{
    const int64_t I = r->m->net->inputs, A = forecast_targets(&r->f);
    int64_t at = 0;
    laco_status st = take_batch(r, row, B, err);
    if (st) return st;
    for (int64_t b = 0; b < B; b++) {
        int64_t i = series_at(&r->d, row[b].start), from = row[b].start - r->d.start[i];
        int64_t end = from + row[b].length - 1 - behind(r);
        r->placed[b] = (text_row){ at, row[b].length, row[b].quiet };
        for (int64_t s = 0; s < row[b].length; s++, at++) {
            line_inputs(&r->line[i], from + s, end, r->x + at * I);
            if (s >= row[b].quiet) line_targets(&r->line[i], from + s, end, stop[i], r->y + at * A, r->unit + at);
        }
    }
    *out = (train_batch){ .x = r->x, .y = r->y, .unit = r->unit, .row = r->placed, .B = B };
    return LACO_OK;
}
static laco_status next_batch(void *ctx, int64_t epoch, int64_t k, train_batch *out, laco_error *err)
{
    forecast_run *r = ctx;
    row_set *s = &r->rows;
    int64_t batch = r->fit.s.batch, from = k * batch;
    laco_status st = LACO_OK;
    if (s->drawn_epoch != epoch) {
        st = training_rows(r, s, epoch, err);
        if (!st) lm_draw_rows(s->row, s->n, batch, r->fit.s.seed, epoch), s->drawn_epoch = epoch;
    }
    return st || from >= s->n ? st : lay_out(r, s->row + from, min64(batch, s->n - from), r->train, out, err);
}
static laco_status validate(void *ctx, fit_score *out, laco_error *err)
{
    forecast_run *r = ctx;
    row_set s = { 0 };
    lm_loss l = { 0 };
    int64_t batch = r->fit.s.batch;
    laco_status st = validation_rows(r, &s, err);
    if (!st && s.n) st = trainer_load(r->fit.t, err);
    lm_sort_rows(s.row, s.n);
    for (int64_t i = 0; !st && i < s.n; i += batch) {
        train_batch b;
        st = lay_out(r, s.row + i, min64(batch, s.n - i), r->valid, &b, err);
        if (!st) lm_measure_rows(r->fit.t, &b, batch, s.counted, r->j, &l);
    }
    mem_free(s.row);
    out->loss = l.sum, out->tokens = l.tokens;
    return st;
}
static void say(void *ctx, const fit_score *s, char *to, size_t n)
{
    (void)ctx;
    snprintf(to, n, "%.4f", fit_loss(s));
}
static void score_json(void *ctx, json_out *o, const char *key, const fit_score *s)
{
    (void)ctx;
    json_key(o, key), json_begin(o, '{');
    json_key(o, "loss"), json_number(o, fit_loss(s));
    json_key(o, "steps"), json_int(o, s->tokens);
    json_end(o, '}');
}
static void test_json(const forecast_run *r, json_out *o)
{
    json_key(o, "test"), json_begin(o, '{');
    evaluation_figures(&r->e, METHOD_NETWORK, o);
    json_key(o, "origins"), json_int(o, r->origins);
    json_end(o, '}');
}
static void figures(void *ctx, json_out *o)
{
    const forecast_run *r = ctx;
    if (r->e.method[METHOD_NETWORK].mae.n) test_json(r, o);
}
static const fit_task forecast_task = {
    .batch = next_batch, .measure = validate, .say = say, .score_json = score_json, .figures = figures
};

/* ---- the end ---- */
/* A cell of CSV (RFC 4180). */
static void add_cell(buf *to, const char *text)
{
    bool plain = !strpbrk(text, ",\"\r\n");
    if (!plain) buf_text(to, "\"");
    for (; *text; text++) buf_add(to, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    if (!plain) buf_text(to, "\"");
}
static void add_to_table(forecast_run *r, const origin *o, const double *answer)
{
    const forecast_data *d = &r->d;
    const int64_t each = 1 + r->levels.n;
    char from[32], at[32];
    for (int64_t h = 1; h <= r->f.horizon; h++)
        for (int64_t k = 0; k < d->targets; k++) {
            double came = d->y[(d->start[o->series] + o->end + h) * d->targets + k];
            const double *a = answer + ((h - 1) * d->targets + k) * each;
            forecast_when(d, o, 0, from), forecast_when(d, o, h, at);
            add_cell(&r->table, d->name[o->series] ? d->name[o->series] : "");
            buf_printf(&r->table, ",%s,%s,", from, at), add_cell(&r->table, d->target.name[k]);
            if (isnan(came)) buf_text(&r->table, ",");
            else buf_printf(&r->table, ",%.10g", came);
            for (int64_t i = 0; i < each; i++) buf_printf(&r->table, ",%.7g", a[i]);
            buf_text(&r->table, "\n");
        }
}
static laco_status take_answer(void *ctx, const origin *o, const double *answer, laco_error *err)
{
    forecast_run *r = ctx;
    evaluation_add(&r->e, METHOD_NETWORK, o, answer, r->levels.n);
    if (options_text(r->o, "forecasts")) add_to_table(r, o, answer);
    return r->table.failed ? fail_memory(err, r->table.len) : plot_add(r->plot, o, answer, err);
}
static laco_status write_table(forecast_run *r, laco_error *err)
{
    const char *path = options_text(r->o, "forecasts");
    file_writer *w = NULL;
    buf first = { 0 };
    if (!path) return LACO_OK;
    buf_text(&first, "id,origin,time,target,came,forecast");
    for (int64_t k = 0; k < r->levels.n; k++) buf_printf(&first, ",%.4g", r->levels.level[k]);
    buf_text(&first, "\n");
    laco_status st = first.failed ? fail_memory(err, first.len) : file_create(&w, path, err);
    if (!st) st = file_write(w, first.data, first.len, err);
    if (!st) st = file_write(w, r->table.data, r->table.len, err);
    buf_free(&first);
    if (!st) return file_commit(w, err);
    return file_abandon(w), st;
}
/* ---- calibration ---- */
enum { ENOUGH_ORIGINS = 20, MOST_VALUES = 200000 }; /* of validation, to calibrate with */
/* Origins of the validation part, a horizon from each other; where they are very many, every `apart`-th. */
static laco_status calibration_origins(const forecast_run *r, origin **out, int64_t *n, laco_error *err)
{
    const int64_t H = r->f.horizon, most = max64(ENOUGH_ORIGINS, MOST_VALUES / (H * r->f.targets));
    int64_t all = 0, at = 0;
    for (int64_t i = 0; i < r->d.count; i++) all += (r->valid[i] - r->train[i]) / H;
    const int64_t apart = max64(1, ceil_div(all, most));
    if (!(*out = mem_new((size_t)(all / apart + 1), sizeof **out))) return fail_memory(err, (size_t)all * sizeof **out);
    for (int64_t i = 0; i < r->d.count; i++)
        for (int64_t end = r->train[i] - 1; end + H < r->valid[i]; end += H)
            if (at++ % apart == 0) (*out)[(*n)++] = (origin){ i, end };
    return LACO_OK;
}
static void note_calibration(const forecast_run *r)
{
    const calibration *c = &r->f.calibration;
    double interval = options_real(r->o, "interval"), least = INFINITY, most = -INFINITY;
    int64_t p = 0;
    char values[32];
    while (p + 1 < c->pairs && c->coverage[p] < interval - 1e-9) p++;
    for (int64_t g = 0; g < c->groups; g++)
        least = fmin(least, 1 + 2 * c->by[g][p]), most = fmax(most, 1 + 2 * c->by[g][p]);
    task_note(r->j, "intervals of %.4g %% held %.1f %% of %s validation values: %.2f to %.2f times as wide from now on",
              100 * c->coverage[p], 100 * (double)c->held[p] / (double)c->values, task_count(c->values, values), least, most);
}
static laco_status calibrate(forecast_run *r, answer_wish w, laco_error *err)
{
    const char *how = options_text(r->o, "calibrate");
    const bool must = !strcmp(how, "yes"), counts = r->f.loss == LOSS_NEGATIVE_BINOMIAL;
    calibration c = { 0 };
    origin *of = NULL;
    if (!strcmp(how, "no") || (!must && (counts || !r->levels.n))) return LACO_OK;
    if (counts || !r->levels.n)
        return fail(err, LACO_EINVAL, -1, "--calibrate yes: the network answers %s; take --loss pinball, gaussian or student-t, or leave "
                    "it out", counts ? "counts, whose intervals cannot be moved by less than 1" : "a number, without an interval");
    w.origins = 0;
    laco_status st = calibration_origins(r, &of, &w.origins, err);
    w.origin = of;
    if (!st && (w.origins >= ENOUGH_ORIGINS || must)) st = calibration_learn(&c, &w, &r->d, err);
    if (!st && must && !c.groups)
        st = fail(err, LACO_EINVAL, -1, "--calibrate yes: there are no validation values to measure intervals by%s; give a --backtest, "
                  "or leave it out", w.origins ? ", or no two levels that lie as far from 0.5" : "");
    if (!st && !must && w.origins < ENOUGH_ORIGINS)
        task_note(r->j, "intervals are not calibrated: %lld origins of validation are too few (%d; --backtest gives more, or "
                  "--calibrate yes)", (long long)w.origins, ENOUGH_ORIGINS);
    if (!st && c.groups && !*r->j->stop) r->f.calibration = c, note_calibration(r), st = set_metadata(r, err);
    mem_free(of);
    return st;
}
static laco_status test(forecast_run *r, laco_error *err)
{
    laco_status st = evaluation_open(&r->e, &r->f, &r->d, r->train, &r->levels, options_real(r->o, "interval"),
                                     options_flag(r->o, "standardised"), err);
    if (!st) st = plot_open(&r->plot, r->j, &r->f, &r->d, &r->levels, err);
    if (!st) st = trainer_load(r->fit.t, err);
    const answer_wish w = { .f = &r->f,
                            .n = r->m->net,
                            .line = r->line,
                            .origin = r->origin,
                            .origins = r->origins,
                            .paths = r->levels.n ? options_int(r->o, "paths") : 1,
                            .seed = r->fit.s.seed,
                            .levels = &r->levels,
                            .stop = r->j->stop,
                            .answer = take_answer,
                            .ctx = r };
    if (!st) st = calibrate(r, w, err);
    if (!st) st = forecast_answer(&w, err);
    if (!st) st = fit_save(&r->fit, err);
    if (!st) st = plot_write(r->plot, err);
    return st ? st : write_table(r, err);
}
static void result_json(const forecast_run *r)
{
    json_out o = { .to = r->j->result };
    fit_score best = fit_best(&r->fit);
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "forecast");
    json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    fit_json(&r->fit, &o);
    score_json(NULL, &o, "train", &r->fit.train);
    if (best.tokens) score_json(NULL, &o, "valid", &best);
    if (r->e.method[METHOD_NETWORK].mae.n) test_json(r, &o);
    json_key(&o, "baselines"), json_begin(&o, '{');
    evaluation_json(&r->e, &o);
    json_end(&o, '}'), json_end(&o, '}');
}

static laco_status prepare(forecast_run *r, laco_error *err)
{
    const char *out = options_text(r->o, "out");
    if (!out) return fail(err, LACO_EINVAL, -1, "--out is missing: where the model goes, such as model.safetensors");
    laco_status st = task_refuse_overwriting(r->j, "out", err);
    if (!st) st = task_refuse_overwriting(r->j, "log", err);
    if (!st) st = task_refuse_overwriting(r->j, "svg", err);
    if (!st) st = task_refuse_overwriting(r->j, "forecasts", err);
    if (!st) st = file_check_writable(out, err);
    if (!st) st = read_series(r, err);
    if (!st) st = make_lines(r, err);
    if (!st) st = make_network(r, err);
    if (!st) st = fit_settings(&r->fit, r->o, r->m->net->k, err);
    if (st) return st;
    int64_t apart = options_int(r->o, "stride"), steps = options_int(r->o, "steps");
    r->apart = apart ? apart : by_origin(r) ? max64(1, r->f.horizon / 2) : max64(1, r->f.window / 2);
    forecast_levels_of(&r->f, options_real(r->o, "interval"), &r->levels);
    row_set valid = { 0 };
    r->rows.drawn_epoch = -1, st = training_rows(r, &r->rows, 0, err);
    if (!st) st = validation_rows(r, &valid, err);
    mem_free(valid.row);
    if (st) return st;
    if (!r->rows.n) return fail(err, LACO_EINVAL, -1, "the series leave nothing to train on");
    train_settings *s = &r->fit.s;
    int64_t longest = max64(r->rows.longest, valid.longest);
    s->loss = r->f.loss, s->loss_options = r->f.loss_options;
    s->batch = min64(s->batch, r->rows.n), s->steps = steps ? min64(steps, longest) : longest;
    if (!options_given(r->o, "clip")) s->clip *= (double)forecast_targets(&r->f); /* the loss is a sum over as many */
    return fit_open(&r->fit, r->j, &forecast_task, r, r->m, r->rows.counted, err);
}
static void close_run(forecast_run *r)
{
    fit_close(&r->fit), laco_model_free(r->m), evaluation_close(&r->e), plot_free(r->plot), buf_free(&r->table);
    for (int64_t i = 0; r->line && i < r->d.count; i++) line_free(&r->line[i]);
    mem_free(r->line), mem_free(r->train), mem_free(r->valid), mem_free(r->test), mem_free(r->origin);
    mem_free(r->rows.row), mem_free(r->rows.drawn), mem_free(r->x), mem_free(r->y), mem_free(r->unit);
    mem_free(r->placed), forecast_data_free(&r->d), forecast_free(&r->f);
}

/* ---- --beside ---- another network, trained on the same rows; of it only the scores are kept */
static laco_status options_beside(const forecast_run *r, const char *out, options **to, laco_error *err)
{
    static const char *const own[] = { "model", "beside",      "out",          "svg",   "forecasts",
                                       "log",   "tensorboard", "checkpoint",   "every", NULL };
    int count;
    const laco_option *rows = laco_options(&count);
    const char *name, *value;
    laco_status st = options_new(to, rows, count, r->j->command, err);
    for (int k = 0; !st && options_at(r->o, k, &name, &value); k++) {
        int i = 0;
        while (own[i] && strcmp(own[i], name)) i++;
        if (value && !own[i]) st = options_set(*to, name, value, err);
    }
    if (!st) st = options_set(*to, "model", options_text(r->o, "beside"), err);
    return st ? st : options_set(*to, "out", out, err);
}
static laco_status train_beside(forecast_run *r, const char *out, laco_error *err)
{
    const laco_watch watch = { .size = sizeof watch,
                               .progress = r->j->watch ? r->j->watch->progress : NULL,
                               .ctx = r->j->watch ? r->j->watch->ctx : NULL };
    buf result = { 0 };
    task_job job = *r->j;
    options *o = NULL;
    laco_status st = options_beside(r, out, &o, err);
    job.o = o, job.watch = &watch, job.result = &result, job.resume = NULL, job.data_hash = 0, job.shown = 0;
    forecast_run other = { .j = &job, .o = o };
    if (!st) st = prepare(&other, err);
    if (!st) task_note(r->j, "beside    %s", other.m->description);
    if (!st) st = fit_run(&other.fit, err);
    if (!st) st = test(&other, err);
    if (!st) r->e.method[METHOD_BESIDE] = other.e.method[METHOD_NETWORK];
    close_run(&other), options_free(o), buf_free(&result);
    return st;
}
static laco_status beside(forecast_run *r, laco_error *err)
{
    laco_error why;
    buf out = { 0 };
    if (!options_text(r->o, "beside") || *r->j->stop) return LACO_OK;
    buf_printf(&out, "%s.beside", options_text(r->o, "out"));
    laco_status st = out.failed ? fail_memory(err, out.len) : train_beside(r, out.data, &why);
    if (out.data) file_remove(out.data), buf_free(&out);
    return st ? fail(err, st, -1, "--beside: %s", why.msg) : LACO_OK;
}
static laco_status finish(forecast_run *r, laco_error *err)
{
    laco_status st = test(r, err);
    if (!st) st = evaluation_baselines(&r->e, r->j, r->origin, r->origins, r->train, err);
    if (!st) st = beside(r, err);
    if (st) return st;
    evaluation_report(&r->e, r->j);
    task_note(r->j, "model     %s (epoch %lld)", options_text(r->o, "out"), (long long)r->fit.c.best_epoch);
    result_json(r);
    return LACO_OK;
}
laco_status forecast_train(task_job *j, laco_error *err)
{
    forecast_run r = { .j = j, .o = j->o };
    laco_status st = prepare(&r, err);
    if (!st) st = fit_run(&r.fit, err);
    if (!st) st = finish(&r, err);
    close_run(&r);
    return st;
}
