/* Series from tables: long ones, a row a step with its time, and wide ones, a row a series (M4). */
#include "task/forecast.h"
#include "task/table_options.h"
#include <math.h>
#include <stdio.h>

/* ---- lists of names ---- */
void name_list_free(name_list *l)
{
    for (int64_t i = 0; l->name && i < l->n; i++) mem_free(l->name[i]);
    mem_free(l->name);
    *l = (name_list){ 0 };
}
static laco_status add_name(name_list *l, const char *text, size_t n, laco_error *err)
{
    size_t size = (size_t)l->n * sizeof *l->name;
    char **more = mem_resize(l->name, size, size + sizeof *more), *copy = mem_text(text, n);
    if (more) l->name = more;
    if (!more || !copy) return mem_free(copy), fail_memory(err, size + n);
    l->name[l->n++] = copy;
    return LACO_OK;
}
laco_status name_list_split(name_list *out, const char *text, laco_error *err)
{
    laco_status st = LACO_OK;
    *out = (name_list){ 0 };
    while (!st && text && *text) {
        size_t n = strcspn(text, ",");
        st = n ? add_name(out, text, n, err)
               : fail(err, LACO_EINVAL, -1, "a list of columns has nothing between two commas");
        text += n + (text[n] == ',');
    }
    return st;
}
laco_status name_list_copy(name_list *out, const name_list *from, laco_error *err)
{
    laco_status st = LACO_OK;
    *out = (name_list){ 0 };
    for (int64_t i = 0; !st && i < from->n; i++) st = add_name(out, from->name[i], strlen(from->name[i]), err);
    return st;
}
void forecast_columns_free(forecast_columns *c)
{
    mem_free(c->time), mem_free(c->id);
    name_list_free(&c->target), name_list_free(&c->past), name_list_free(&c->future), name_list_free(&c->statics);
    *c = (forecast_columns){ 0 };
}
static void free_texts(char **text, int64_t n)
{
    for (int64_t i = 0; text && i < n; i++) mem_free(text[i]);
    mem_free(text);
}
void forecast_data_free(forecast_data *d)
{
    name_list_free(&d->target), name_list_free(&d->past_name), name_list_free(&d->future_name);
    name_list_free(&d->static_name), free_texts(d->name, d->count), free_texts(d->static_x, d->count * d->statics);
    mem_free(d->start), mem_free(d->known), mem_free(d->y), mem_free(d->time), mem_free(d->past_x);
    mem_free(d->future_x), mem_free(d->line), mem_free(d->file);
    *d = (forecast_data){ 0 };
}
/* Room for so many series and steps; values are missing until they are set. */
static laco_status take_room(forecast_data *d, int64_t count, int64_t steps, bool times, laco_error *err)
{
    const size_t n = (size_t)steps, of = sizeof(double);
    size_t y, past, future;
    if (mul_overflows(n, (size_t)d->targets * of, &y) || mul_overflows(n, (size_t)d->past * of, &past) ||
        mul_overflows(n, (size_t)d->future * of, &future))
        return fail_memory(err, SIZE_MAX);
    d->count = count;
    d->name = mem_new((size_t)count, sizeof *d->name), d->start = mem_new((size_t)count + 1, sizeof *d->start);
    d->known = mem_new((size_t)count, sizeof *d->known), d->line = mem_new(n, sizeof *d->line);
    d->static_x = mem_new((size_t)(count * d->statics), sizeof *d->static_x);
    d->y = mem_new(y, 1), d->past_x = mem_new(past, 1), d->future_x = mem_new(future, 1);
    if (times) d->time = mem_new(n, of);
    if (!d->name || !d->start || !d->known || !d->line || !d->static_x || !d->y || !d->past_x || !d->future_x ||
        (times && !d->time))
        return fail_memory(err, y + past + future);
    for (int64_t i = 0; i < steps * d->targets; i++) d->y[i] = NAN;
    for (int64_t i = 0; i < steps * d->past; i++) d->past_x[i] = NAN;
    for (int64_t i = 0; i < steps * d->future; i++) d->future_x[i] = NAN;
    return LACO_OK;
}

/* ---- columns of a long table ---- */
typedef struct long_table {
    const table *t;
    int time, id; /* -1: none */
    int *target, *past, *future, *statics;
    int64_t rows;
    double *when;    /* [rows] */
    int64_t *series; /* [rows] */
    int64_t *order;  /* [rows] by series, then by time */
    int64_t *place;  /* [rows] step within its series, in the order of `order` */
} long_table;

static laco_status find_columns(const table *t, const name_list *names, int **out, laco_error *err)
{
    laco_status st = LACO_OK;
    if (!(*out = mem_new((size_t)names->n, sizeof **out))) return fail_memory(err, (size_t)names->n);
    for (int64_t i = 0; !st && i < names->n; i++) st = table_find(t, names->name[i], &(*out)[i], err);
    return st;
}
static bool is_among(const int *columns, int64_t n, int c)
{
    for (int64_t i = 0; i < n; i++)
        if (columns[i] == c) return true;
    return false;
}
/* --target all: every column of numbers that is nothing else. */
static laco_status all_targets(const long_table *q, const forecast_columns *c, name_list *out, laco_error *err)
{
    laco_status st = LACO_OK;
    *out = (name_list){ 0 };
    for (int k = 0; !st && k < table_columns(q->t); k++) {
        bool other = k == q->time || k == q->id || is_among(q->past, c->past.n, k) ||
                     is_among(q->future, c->future.n, k) || is_among(q->statics, c->statics.n, k);
        const char *name = table_column_name(q->t, k);
        if (!other && table_column_type(q->t, k) == COLUMN_NUMBER) st = add_name(out, name, strlen(name), err);
    }
    if (!st && !out->n)
        st = fail(err, LACO_EFORMAT, -1, "%s has no column of numbers to forecast", table_file(q->t));
    return st;
}
static laco_status choose_columns(long_table *q, forecast_data *d, const forecast_columns *c, laco_error *err)
{
    laco_status st = LACO_OK;
    q->time = q->id = -1;
    if (c->time) st = table_find(q->t, c->time, &q->time, err);
    if (!st && c->id) st = table_find(q->t, c->id, &q->id, err);
    if (!st) st = find_columns(q->t, &c->past, &q->past, err);
    if (!st) st = find_columns(q->t, &c->future, &q->future, err);
    if (!st) st = find_columns(q->t, &c->statics, &q->statics, err);
    if (!st) st = c->target.n ? name_list_copy(&d->target, &c->target, err) : all_targets(q, c, &d->target, err);
    if (!st) st = find_columns(q->t, &d->target, &q->target, err);
    if (!st) st = name_list_copy(&d->past_name, &c->past, err);
    if (!st) st = name_list_copy(&d->future_name, &c->future, err);
    if (!st) st = name_list_copy(&d->static_name, &c->statics, err);
    d->targets = d->target.n, d->past = c->past.n, d->future = c->future.n, d->statics = c->statics.n;
    return st;
}

/* ---- which series ---- a hash table of first rows, open addressing */
static uint64_t hash_cell(cell c)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < c.n; i++) h = (h ^ (unsigned char)c.at[i]) * 1099511628211u;
    return h;
}
static bool same_cell(cell a, cell b) { return a.n == b.n && (!a.n || !memcmp(a.at, b.at, a.n)); }
static laco_status number_series(long_table *q, int64_t *count, laco_error *err)
{
    size_t size = 16;
    while (size < (size_t)q->rows * 2) size *= 2;
    int64_t *first = mem_new(size, sizeof *first); /* 1 + row */
    if (!first) return fail_memory(err, size * sizeof *first);
    laco_status st = LACO_OK;
    for (int64_t r = 0; !st && r < q->rows; r++) {
        cell c = table_cell(q->t, r, q->id);
        size_t at = hash_cell(c) & (size - 1);
        if (cell_missing(c))
            st = fail(err, LACO_EFORMAT, table_line(q->t, r), "%s line %lld: the id is missing: which series is it of?",
                      table_file(q->t), (long long)table_line(q->t, r));
        while (first[at] && !same_cell(c, table_cell(q->t, first[at] - 1, q->id))) at = (at + 1) & (size - 1);
        if (!first[at]) first[at] = r + 1, q->series[r] = (*count)++;
        q->series[r] = q->series[first[at] - 1];
    }
    mem_free(first);
    return st;
}

/* ---- times ---- */
static laco_status read_times(long_table *q, laco_error *err)
{
    for (int64_t r = 0; r < q->rows; r++) {
        cell c = table_cell(q->t, r, q->time);
        long long here = table_line(q->t, r);
        if (!cell_time(c, &q->when[r]) || !(fabs(q->when[r]) < 1e19))
            return fail(err, LACO_EFORMAT, here,
                        "%s line %lld: \"%.*s\" in the column \"%s\" is no time; write it as 2016-07-01 00:00:00, "
                        "2016-07-01 or a number",
                        table_file(q->t), here, (int)min64((int64_t)c.n, 40), c.at ? c.at : "",
                        table_column_name(q->t, q->time));
    }
    return LACO_OK;
}
typedef struct dated {
    double when;
    int64_t row;
} dated;
static int earlier(const void *a, const void *b)
{
    const dated *x = a, *y = b;
    if (x->when != y->when) return x->when < y->when ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}
/* Rows by series, in the order of the file; counting sort. start: [count + 1] of rows. */
static laco_status group_rows(long_table *q, int64_t count, int64_t **start, laco_error *err)
{
    int64_t *s = *start = mem_new((size_t)count + 2, sizeof *s);
    if (!s) return fail_memory(err, (size_t)count * sizeof *s);
    for (int64_t r = 0; r < q->rows; r++) s[q->series[r] + 2]++;
    for (int64_t i = 2; i <= count + 1; i++) s[i] += s[i - 1];
    for (int64_t r = 0; r < q->rows; r++) q->order[s[q->series[r] + 1]++] = r;
    return LACO_OK;
}
static laco_status sort_times(long_table *q, int64_t from, int64_t to, laco_error *err)
{
    dated *d = mem_new((size_t)(to - from), sizeof *d);
    if (!d) return fail_memory(err, (size_t)(to - from) * sizeof *d);
    for (int64_t i = from; i < to; i++) d[i - from] = (dated){ q->when[q->order[i]], q->order[i] };
    qsort(d, (size_t)(to - from), sizeof *d, earlier);
    for (int64_t i = from; i < to; i++) q->order[i] = d[i - from].row;
    mem_free(d);
    return LACO_OK;
}
static void say_series(const long_table *q, int64_t row, char to[64])
{
    to[0] = 0;
    if (q->id < 0) return;
    cell c = table_cell(q->t, row, q->id);
    snprintf(to, 64, " of series \"%.*s\"", (int)min64((int64_t)c.n, 40), c.at);
}
static laco_status check_order(long_table *q, int64_t from, int64_t to, bool sort, laco_error *err)
{
    char of[64];
    for (int64_t i = from + 1; i < to; i++) {
        int64_t a = q->order[i - 1], b = q->order[i];
        long long here = table_line(q->t, b), before = table_line(q->t, a);
        if (q->when[b] > q->when[a]) continue;
        say_series(q, b, of);
        if (q->when[b] == q->when[a])
            return fail(err, LACO_EFORMAT, here,
                        "%s line %lld: its time%s stands on line %lld already; keep one of them%s", table_file(q->t),
                        here, of, before, q->id < 0 ? ", or name the column that tells series apart with --id" : "");
        if (sort) {
            laco_status st = sort_times(q, from, to, err);
            return st ? st : check_order(q, from, to, false, err);
        }
        return fail(err, LACO_EFORMAT, here, "%s line %lld: its time%s is before that of line %lld; --sort puts them in "
                    "order", table_file(q->t), here, of, before);
    }
    return LACO_OK;
}
/* The step of all series: the median of the differences of their times. */
static laco_status find_step(const long_table *q, time_step *out, laco_error *err)
{
    double *when = mem_new((size_t)q->rows * 2, sizeof *when);
    int64_t n = 0;
    if (!when) return fail_memory(err, (size_t)q->rows * 2 * sizeof *when);
    for (int64_t i = 0; i < q->rows; i++) {
        if (i && q->series[q->order[i]] != q->series[q->order[i - 1]]) when[n++] = NAN; /* no difference */
        when[n++] = q->when[q->order[i]];
    }
    bool numbers = table_column_type(q->t, q->time) == COLUMN_NUMBER;
    laco_status st = time_step_of(when, n, numbers, out, err);
    mem_free(when);
    return st;
}
/* The place of each row on the grid of its series. */
static laco_status place_rows(long_table *q, int64_t from, int64_t to, time_step step, int gaps, laco_error *err)
{
    char of[64], at[32];
    for (int64_t i = from; i < to; i++) {
        int64_t row = q->order[i], steps = i - from;
        q->place[i] = steps;
        if (q->time < 0 || gaps == GAPS_IGNORE || i == from) continue;
        long long here = table_line(q->t, row);
        say_series(q, row, of);
        time_text(step.months ? 0 : step.seconds, (time_step){ 0 }, at);
        if (!time_steps_between(q->when[q->order[from]], q->when[row], step, &steps))
            return fail(err, LACO_EFORMAT, here,
                        "%s line %lld: the time%s does not lie on the grid of the others, a step of %s %s; --gaps ignore "
                        "takes rows as steps whatever their times", table_file(q->t), here, of,
                        step.months ? "some" : at, step.months ? "months" : "seconds");
        if (steps > q->place[i - 1] + 1 && gaps == GAPS_ERROR)
            return fail(err, LACO_EFORMAT, here,
                        "%s line %lld: %lld steps%s are missing before it; --gaps mask takes them as missing values, --gaps "
                        "ignore as not there", table_file(q->t), here, (long long)(steps - q->place[i - 1] - 1), of);
        if (steps <= q->place[i - 1])
            return fail(err, LACO_EFORMAT, here, "%s line %lld: two rows%s fall on one step", table_file(q->t), here, of);
        q->place[i] = steps;
    }
    return LACO_OK;
}

/* ---- values ---- */
static laco_status read_columns(const long_table *q, const int *column, int64_t n, double *to, const int64_t *where,
                                bool all_missing_fails, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t k = 0; !st && k < n; k++) {
        double *x = NULL;
        int64_t there = 0;
        st = table_numbers(q->t, column[k], &x, err);
        for (int64_t i = 0; !st && i < q->rows; i++)
            to[where[i] * n + k] = x[q->order[i]], there += !isnan(x[q->order[i]]);
        if (!st && !there && all_missing_fails)
            st = fail(err, LACO_EFORMAT, -1, "%s: all values of the column \"%s\" are missing", table_file(q->t),
                      table_column_name(q->t, column[k]));
        mem_free(x);
    }
    return st;
}
static laco_status read_statics(const long_table *q, forecast_data *d, const int64_t *from, laco_error *err)
{
    for (int64_t i = 0; i < d->count; i++)
        for (int64_t k = 0; k < d->statics; k++) {
            cell c = table_cell(q->t, q->order[from[i]], q->statics[k]);
            for (int64_t r = from[i] + 1; r < from[i + 1]; r++)
                if (!same_cell(c, table_cell(q->t, q->order[r], q->statics[k])))
                    return fail(err, LACO_EFORMAT, table_line(q->t, q->order[r]),
                                "%s line %lld: the static column \"%s\" changes within a series; name it in --past or "
                                "--future", table_file(q->t), (long long)table_line(q->t, q->order[r]),
                                d->static_name.name[k]);
            char *copy = mem_text(c.at ? c.at : "", c.n);
            if (!copy) return fail_memory(err, c.n);
            d->static_x[i * d->statics + k] = copy;
        }
    return LACO_OK;
}
/* Steps up to the last with a value; what comes behind has only covariates. */
static void count_known(forecast_data *d)
{
    for (int64_t i = 0; i < d->count; i++) {
        int64_t n = d->start[i + 1] - d->start[i];
        const double *y = d->y + d->start[i] * d->targets;
        for (bool any = false; n > 0; n -= !any) {
            for (int64_t k = 0; k < d->targets; k++) any |= !isnan(y[(n - 1) * d->targets + k]);
            if (any) break;
        }
        d->known[i] = n;
    }
}
static laco_status fill_long(forecast_data *d, const long_table *q, const int64_t *from, bool all, laco_error *err)
{
    int64_t *where = mem_new((size_t)q->rows, sizeof *where), at = 0;
    if (!where) return fail_memory(err, (size_t)q->rows * sizeof *where);
    laco_status st = LACO_OK;
    for (int64_t i = 0; i < d->count; i++) {
        d->start[i] = at;
        for (int64_t r = from[i]; r < from[i + 1]; r++) {
            where[r] = at + q->place[r], d->line[where[r]] = table_line(q->t, q->order[r]);
            if (d->time) d->time[where[r]] = q->when[q->order[r]];
        }
        at += from[i + 1] > from[i] ? q->place[from[i + 1] - 1] + 1 : 0;
        for (int64_t t = d->start[i] + 1; t < at; t++)
            if (!d->line[t]) {
                d->masked++;
                if (d->time) d->time[t] = time_after(d->time[d->start[i]], d->step, t - d->start[i]);
            }
        if (q->id >= 0) {
            cell c = table_cell(q->t, q->order[from[i]], q->id);
            if (!(d->name[i] = mem_text(c.at, c.n))) st = fail_memory(err, c.n);
        }
    }
    d->start[d->count] = at;
    if (!st) st = read_columns(q, q->target, d->targets, d->y, where, all, err);
    if (!st) st = read_columns(q, q->past, d->past, d->past_x, where, all, err);
    if (!st) st = read_columns(q, q->future, d->future, d->future_x, where, all, err);
    if (!st) st = read_statics(q, d, from, err);
    mem_free(where);
    return st;
}
static laco_status read_long(forecast_data *d, const table *t, const forecast_columns *c, laco_error *err)
{
    long_table q = { .t = t, .rows = table_rows(t) };
    int64_t count = 1, *from = NULL, steps = 0;
    size_t n = (size_t)q.rows;
    laco_status st = choose_columns(&q, d, c, err);
    if (!st && !q.rows) st = fail(err, LACO_EFORMAT, -1, "%s has no rows", table_file(t));
    q.when = mem_new(n, sizeof *q.when), q.series = mem_new(n, sizeof *q.series);
    q.order = mem_new(n, sizeof *q.order), q.place = mem_new(n, sizeof *q.place);
    if (!st && (!q.when || !q.series || !q.order || !q.place)) st = fail_memory(err, 4 * n * sizeof *q.order);
    if (!st && q.id >= 0) count = 0, st = number_series(&q, &count, err);
    if (!st && q.time >= 0) st = read_times(&q, err);
    if (!st) st = group_rows(&q, count, &from, err);
    for (int64_t i = 0; !st && q.time >= 0 && i < count; i++) st = check_order(&q, from[i], from[i + 1], c->sort, err);
    d->step = c->step, d->step.numbers = q.time >= 0 && table_column_type(t, q.time) == COLUMN_NUMBER;
    if (!st && q.time >= 0 && !c->step.months && !(c->step.seconds > 0)) st = find_step(&q, &d->step, err);
    for (int64_t i = 0; !st && i < count; i++) st = place_rows(&q, from[i], from[i + 1], d->step, c->gaps, err);
    for (int64_t i = 0; !st && i < count; i++) {
        int64_t last = q.place[from[i + 1] - 1];
        if (steps + last > 100 * q.rows + 1000000) /* a time that is a slip of the pen must not ask for all memory */
            st = fail(err, LACO_EFORMAT, table_line(t, q.order[from[i + 1] - 1]),
                      "%s line %lld: its time is %lld steps behind the first of its series, where there are %lld rows",
                      table_file(t), (long long)table_line(t, q.order[from[i + 1] - 1]), (long long)last, (long long)q.rows);
        steps += last + 1;
    }
    if (!st) st = take_room(d, count, steps, q.time >= 0, err);
    if (!st) st = fill_long(d, &q, from, !c->part, err);
    mem_free(q.target), mem_free(q.past), mem_free(q.future), mem_free(q.statics), mem_free(q.when);
    mem_free(q.series), mem_free(q.order), mem_free(q.place), mem_free(from);
    return st;
}

/* ---- wide tables ---- */
/* The column of names: that of --id, else the first where it holds words. -1: none. */
static laco_status wide_id(const table *t, const forecast_columns *c, int *id, laco_error *err)
{
    *id = table_columns(t) && table_column_type(t, 0) == COLUMN_TEXT ? 0 : -1;
    return c->id ? table_find(t, c->id, id, err) : LACO_OK;
}
static int last_value(const table *t, int64_t row, int id)
{
    int k = table_columns(t) - 1;
    while (k >= 0 && (k == id || cell_missing(table_cell(t, row, k)))) k--;
    return k;
}
static laco_status wide_values(forecast_data *d, const table *t, int64_t row, int id, bool comma, laco_error *err)
{
    int last = last_value(t, row, id);
    int64_t at = d->start[row];
    for (int k = 0; k <= last; k++) {
        cell c = table_cell(t, row, k);
        if (k == id) continue;
        d->line[at] = table_line(t, row);
        if (!cell_number(c, comma, &d->y[at]) || isinf(d->y[at]))
            return fail(err, LACO_EFORMAT, table_line(t, row), "%s line %lld, column \"%s\": \"%.*s\" is no number",
                        table_file(t), (long long)table_line(t, row), table_column_name(t, k),
                        (int)min64((int64_t)c.n, 40), c.at ? c.at : "");
        at++;
    }
    return LACO_OK;
}
static laco_status read_wide(forecast_data *d, const table *t, const forecast_columns *c, bool comma, laco_error *err)
{
    int id;
    int64_t rows = table_rows(t), steps = 0;
    if (c->time || c->past.n || c->future.n || c->statics.n || c->target.n)
        return fail(err, LACO_EINVAL, -1, "--wide: a row is a series of values; it has no columns for --time, --target, "
                    "--past, --future or --static");
    laco_status st = wide_id(t, c, &id, err);
    if (!st && !rows) st = fail(err, LACO_EFORMAT, -1, "%s has no rows", table_file(t));
    for (int64_t r = 0; !st && r < rows; r++) {
        int last = last_value(t, r, id);
        steps += last + 1 - (id >= 0 && last > id);
    }
    d->targets = 1;
    if (!st) st = add_name(&d->target, "value", 5, err);
    if (!st) st = take_room(d, rows, steps, false, err);
    for (int64_t r = 0; !st && r < rows; r++) {
        int last = last_value(t, r, id);
        cell c0 = id >= 0 ? table_cell(t, r, id) : (cell){ 0 };
        d->start[r + 1] = d->start[r] + last + 1 - (id >= 0 && last > id);
        if (id >= 0 && !(d->name[r] = mem_text(c0.at ? c0.at : "", c0.n))) st = fail_memory(err, c0.n);
        if (!st) st = wide_values(d, t, r, id, comma, err);
    }
    return st;
}

/* ---- every target a series ---- */
static void copy_steps(forecast_data *to, int64_t at, const forecast_data *from, int64_t begin, int64_t n);
static char *joined(const char *id, const char *target)
{
    buf name = { 0 };
    buf_printf(&name, "%s%s%s", id ? id : "", id ? " " : "", target);
    char *copy = name.failed ? NULL : mem_text(name.data, name.len);
    buf_free(&name);
    return copy;
}
static laco_status split_targets(forecast_data *d, laco_error *err)
{
    const int64_t D = d->targets;
    forecast_data all = { .targets = 1, .past = d->past, .future = d->future, .statics = d->statics, .step = d->step };
    int64_t at = 0, steps, i = 0;
    if (mul_overflows((size_t)d->start[d->count], (size_t)D, &(size_t){ 0 })) return fail_memory(err, SIZE_MAX);
    laco_status st = take_room(&all, d->count * D, d->start[d->count] * D, d->time != NULL, err);
    if (!st) st = add_name(&all.target, "value", 5, err);
    d->targets = 1; /* so that the steps are copied without the values, which stand apart */
    for (int64_t s = 0; !st && s < d->count; s++)
        for (int64_t k = 0; !st && k < D; k++, i++, at += steps) {
            steps = d->start[s + 1] - d->start[s], all.start[i] = at;
            copy_steps(&all, at, d, d->start[s], steps);
            for (int64_t t = 0; t < steps; t++) all.y[at + t] = d->y[(d->start[s] + t) * D + k];
            if (!(all.name[i] = joined(d->name[s], d->target.name[k]))) st = fail_memory(err, 1);
            for (int64_t c = 0; !st && c < d->statics; c++) {
                const char *text = d->static_x[s * d->statics + c];
                if (!(all.static_x[i * d->statics + c] = mem_text(text, strlen(text)))) st = fail_memory(err, 1);
            }
        }
    all.start[all.count] = at, all.masked = d->masked * D;
    if (st) return forecast_data_free(&all), st;
    all.past_name = d->past_name, all.future_name = d->future_name, all.static_name = d->static_name, all.file = d->file;
    d->past_name = d->future_name = d->static_name = (name_list){ 0 }, d->file = NULL;
    forecast_data_free(d);
    *d = all;
    return LACO_OK;
}

laco_status forecast_from_table(forecast_data *out, const table *t, const forecast_columns *c, bool decimal_comma,
                                laco_error *err)
{
    *out = (forecast_data){ 0 };
    laco_status st = c->wide ? read_wide(out, t, c, decimal_comma, err) : read_long(out, t, c, err);
    if (!st && !(out->file = mem_text(table_file(t), strlen(table_file(t))))) st = fail_memory(err, 1);
    if (st) return forecast_data_free(out), st;
    if (c->independent && (st = split_targets(out, err))) return forecast_data_free(out), st;
    count_known(out);
    return LACO_OK;
}
laco_status forecast_read(forecast_data *out, task_job *j, int which, const forecast_columns *c, laco_error *err)
{
    table_input in;
    table *t = NULL;
    *out = (forecast_data){ 0 };
    laco_status st = table_input_open(&in, j, err), closed;
    if (st) return st;
    st = task_read_table(&in, which, &t, err);
    if (!st && t) st = forecast_from_table(out, t, c, in.o.decimal_comma, err);
    table_free(t), closed = table_input_close(&in, st ? NULL : err);
    if (!st) st = closed;
    if (st) forecast_data_free(out);
    return st;
}

/* ---- what came after ---- */
/* Rows without names go by their place. */
static int64_t find_series(const forecast_data *d, const char *name, int64_t place)
{
    if (!name) return place < d->count && !d->name[place] ? place : -1;
    for (int64_t i = 0; i < d->count; i++)
        if (d->name[i] && !strcmp(d->name[i], name)) return i;
    return -1;
}
static laco_status check_names(const forecast_data *d, laco_error *err)
{
    for (int64_t i = 0; i < d->count; i++)
        if (find_series(d, d->name[i], i) != i)
            return fail(err, LACO_EFORMAT, -1, "%s: the series \"%.60s\" stands in it twice; what goes on with which?",
                        d->file, d->name[i]);
    return LACO_OK;
}
static void copy_steps(forecast_data *to, int64_t at, const forecast_data *from, int64_t begin, int64_t n)
{
    if (n <= 0) return;
    memcpy(to->y + at * to->targets, from->y + begin * to->targets, (size_t)(n * to->targets) * sizeof *to->y);
    if (to->past) memcpy(to->past_x + at * to->past, from->past_x + begin * to->past, (size_t)(n * to->past) * sizeof *to->y);
    if (to->future)
        memcpy(to->future_x + at * to->future, from->future_x + begin * to->future, (size_t)(n * to->future) * sizeof *to->y);
    memcpy(to->line + at, from->line + begin, (size_t)n * sizeof *to->line);
    if (to->time && from->time) memcpy(to->time + at, from->time + begin, (size_t)n * sizeof *to->time);
}
laco_status forecast_append(forecast_data *d, const forecast_data *more, laco_error *err)
{
    forecast_data both = { .targets = d->targets, .past = d->past, .future = d->future, .statics = d->statics };
    int64_t steps = more->start[more->count], at = 0;
    for (int64_t i = 0; i < d->count; i++) steps += d->known[i];
    laco_status st = more->targets != d->targets
                         ? fail(err, LACO_EINVAL, -1, "%s has %lld targets, %s has %lld", more->file,
                                (long long)more->targets, d->file, (long long)d->targets)
                         : check_names(d, err);
    if (!st) st = check_names(more, err);
    if (!st) st = take_room(&both, d->count, steps, d->time != NULL, err);
    for (int64_t i = 0; !st && i < more->count; i++) {
        int64_t there = find_series(d, more->name[i], i);
        int64_t step = 1, last = there >= 0 ? d->start[there] + d->known[there] - 1 : 0;
        if (there < 0)
            st = fail(err, LACO_EFORMAT, -1, "%s: its series \"%.60s\" is not in %s", more->file,
                      more->name[i] ? more->name[i] : "(without a name)", d->file);
        else if (d->time && more->time && last >= 0 &&
                 (!time_steps_between(d->time[last], more->time[more->start[i]], d->step, &step) || step != 1))
            st = fail(err, LACO_EFORMAT, more->line[more->start[i]],
                      "%s line %lld: a test series must begin one step behind the last of %s", more->file,
                      (long long)more->line[more->start[i]], d->file);
    }
    for (int64_t i = 0; !st && i < d->count; i++) {
        int64_t k = find_series(more, d->name[i], i);
        both.start[i] = at, copy_steps(&both, at, d, d->start[i], d->known[i]), at += d->known[i];
        if (k >= 0) copy_steps(&both, at, more, more->start[k], more->start[k + 1] - more->start[k]);
        if (k >= 0) at += more->start[k + 1] - more->start[k];
        both.name[i] = d->name[i], d->name[i] = NULL;
        for (int64_t s = 0; s < d->statics; s++)
            both.static_x[i * d->statics + s] = d->static_x[i * d->statics + s], d->static_x[i * d->statics + s] = NULL;
    }
    if (st) return forecast_data_free(&both), st;
    both.start[d->count] = at, both.step = d->step, both.masked = d->masked + more->masked;
    both.target = d->target, both.past_name = d->past_name, both.future_name = d->future_name;
    both.static_name = d->static_name, both.file = d->file;
    d->target = d->past_name = d->future_name = d->static_name = (name_list){ 0 }, d->file = NULL;
    forecast_data_free(d);
    *d = both;
    count_known(d);
    return LACO_OK;
}
