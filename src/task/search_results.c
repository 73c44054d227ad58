/* The results of a search: the lines of results.jsonl, and the table. */
#include "task/search.h"
#include "base/folder.h"
#include "base/json.h"
#include <math.h>
#include <stdio.h>

/* ---- lines ----
   {"trial": 3, "rung": 1, "epochs": 9, "options": {"lr": "0.01"}, "score": 1.23, "seconds": 4.5, "result": {...}} */
static const char *const part_names[] = { "valid", "test" };

static void options_json(const search *q, int64_t trial, json_out *o)
{
    json_key(o, "options"), json_begin(o, '{');
    for (int i = 0; i < q->s.rows; i++) {
        buf value = { 0 };
        space_value(&q->s, i, q->grid, q->seed, trial, &value);
        json_key(o, q->s.row[i].name), json_text(o, value.data ? value.data : "");
        o->to->failed |= value.failed;
        buf_free(&value);
    }
    json_end(o, '}');
}
laco_status search_append(const search *q, int rung, int64_t trial, const search_result *r, const buf *figures,
                          const char *failure, laco_error *err)
{
    buf line = { 0 };
    json_out o = { .to = &line };
    file_log *log = NULL;
    json_begin(&o, '{');
    json_key(&o, "trial"), json_int(&o, trial + 1);
    json_key(&o, "rung"), json_int(&o, rung + 1);
    if (q->rungs > 1) json_key(&o, "epochs"), json_int(&o, q->rung[rung].epochs);
    options_json(q, trial, &o);
    json_key(&o, "score"), json_number(&o, r->score);
    json_key(&o, "seconds"), json_number(&o, r->seconds);
    if (failure) json_key(&o, "failure"), json_text(&o, failure);
    if (!failure) json_key(&o, "result"), json_raw(&o, figures->data, figures->len);
    json_end(&o, '}');
    laco_status st = line.failed ? fail_memory(err, line.len) : file_log_open(&log, q->results, err);
    if (!st) st = file_log_line(log, line.data, err);
    file_log_close(log), buf_free(&line);
    return st;
}

static double number_at(const json *object, const char *key)
{
    const json *v = json_get(object, key);
    return v && v->kind == JSON_NUMBER ? v->number : NAN;
}
static int64_t whole_at(const json *object, const char *key)
{
    const json *v = json_get(object, key);
    return v && v->kind == JSON_NUMBER && v->integer ? v->i : 0;
}
/* The loss of a part of the result, under the name that its task gives it, or the first figure there. */
static const json *main_figure(const json *part)
{
    static const char *const names[] = { "nats", "loss" };
    if (!part || part->kind != JSON_OBJECT || !part->len) return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_get(part, names[i])) return json_get(part, names[i]);
    return &part->item[0];
}
static search_figure figure_of(search *q, const json *result, const char *part)
{
    const json *f = main_figure(json_get(result, part));
    if (!f) return (search_figure){ NAN, NAN };
    if (!q->figure) q->figure = mem_text(f->key, f->key_len);
    return (search_figure){ number_at(f, "mean"), number_at(f, "deviation") };
}
/* A line that is torn, or of no trial of this search, is none: the trial is done again. */
static void take_line(search *q, const char *line, size_t n)
{
    json_doc *d;
    if (json_parse(&d, line, n, NULL)) return;
    const json *root = json_root(d), *result = json_get(root, "result");
    int64_t trial = whole_at(root, "trial") - 1, rung = whole_at(root, "rung") - 1;
    if (trial >= 0 && trial < q->trials && rung >= 0 && rung < q->rungs) {
        search_result *r = search_at(q, (int)rung, trial);
        r->done = true, r->score = number_at(root, "score"), r->seconds = number_at(root, "seconds");
        r->failed = !isfinite(r->score);
        r->valid = figure_of(q, result, part_names[0]), r->test = figure_of(q, result, part_names[1]);
    }
    json_free(d);
}
laco_status search_read(search *q, laco_error *err)
{
    char *bytes;
    size_t n;
    if (!folder_has(q->folder, "results.jsonl")) return LACO_OK;
    laco_status st = file_read(q->results, (size_t)1 << 30, &bytes, &n, err);
    if (st) return st;
    for (const char *end; q->read < n && (end = memchr(bytes + q->read, '\n', n - q->read));) {
        take_line(q, bytes + q->read, (size_t)(end - bytes) - q->read);
        q->read = (size_t)(end - bytes) + 1;
    }
    mem_free(bytes);
    return LACO_OK;
}
int64_t search_best(const search *q)
{
    int64_t best = -1;
    for (int64_t i = 0; i < q->trials; i++) {
        const search_result *r = search_at(q, q->rungs - 1, i);
        if (r->done && !r->failed && (best < 0 || r->score < search_at(q, q->rungs - 1, best)->score)) best = i;
    }
    return best;
}

bool search_would_lead(const search *q, int64_t trial, const search_result *r)
{
    int64_t best = search_best(q);
    if (r->failed || best < 0) return !r->failed;
    double then = search_at(q, q->rungs - 1, best)->score;
    return r->score < then || (r->score == then && trial < best);
}

/* ---- for a person ---- */
void search_words(const search *q, int64_t trial, buf *to)
{
    bool any = false;
    for (int i = 0; i < q->s.rows; i++) {
        if (!space_varies(&q->s.row[i])) continue;
        buf_printf(to, "%s%s ", any ? ", " : "", q->s.row[i].name);
        space_value(&q->s, i, q->grid, q->seed, trial, to), any = true;
    }
}
/* As a shell reads it. */
static void add_quoted(buf *to, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/=:+-,@%";
    if (*text && strspn(text, plain) == strlen(text)) {
        buf_text(to, text);
        return;
    }
    buf_text(to, "'");
    for (; *text; text++)
        if (*text == '\'')
            buf_text(to, "'\\''");
        else
            buf_add(to, text, 1);
    buf_text(to, "'");
}
static void add_option(buf *to, const char *name, const char *value)
{
    buf_printf(to, " --%s ", name);
    add_quoted(to, value);
}
static void search_command_line(const search *q, int64_t trial, buf *to)
{
    static const char *const passed[] = { "data", "valid", "test", "epochs", "repeat", "folds" };
    char number[32];
    buf_printf(to, "laco %s", q->s.command);
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        if (options_given(q->o, passed[i])) add_option(to, passed[i], options_text(q->o, passed[i]));
    for (int i = 0; i < q->s.rows; i++) {
        buf value = { 0 };
        if (options_given(q->o, q->s.row[i].name)) continue;
        space_value(&q->s, i, q->grid, q->seed, trial, &value);
        if (value.data) add_option(to, q->s.row[i].name, value.data);
        to->failed |= value.failed;
        buf_free(&value);
    }
    snprintf(number, sizeof number, "%lld", (long long)q->seed);
    if (!space_find(&q->s, "seed")) add_option(to, "seed", number);
    buf_text(to, " --out model.safetensors");
}
static void figure_text(search_figure f, char to[40])
{
    to[0] = 0;
    if (isfinite(f.mean) && f.deviation > 0)
        snprintf(to, 40, "%.4f +- %.4f", f.mean, f.deviation);
    else if (isfinite(f.mean))
        snprintf(to, 40, "%.4f", f.mean);
}
void search_tell_new(search *q)
{
    for (int rung = 0; rung < q->rungs; rung++)
        for (int64_t i = 0; i < q->trials; i++) {
            search_result *r = search_at(q, rung, i);
            char valid[40], at[16] = "";
            buf words = { 0 };
            if (!r->done || r->told) continue;
            r->told = true;
            figure_text(r->valid, valid);
            if (q->rungs > 1) snprintf(at, sizeof at, "/%d", rung + 1);
            search_words(q, i, &words);
            task_note(q->j, "trial %4lld%-3s %-19s %4.0f s  %s", (long long)i + 1, at, r->failed ? "failed" : valid,
                      r->seconds, words.data ? words.data : "");
            buf_free(&words);
        }
}

/* ---- the table ---- */
typedef struct place {
    int64_t trial;
    int rung; /* the highest that it reached */
    double by;
} place;
static int higher_rung_first(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->rung != y->rung) return x->rung > y->rung ? -1 : 1;
    if (isnan(x->by) || isnan(y->by)) return isnan(x->by) - isnan(y->by);
    if (x->by != y->by) return x->by < y->by ? -1 : 1;
    return x->trial < y->trial ? -1 : x->trial > y->trial;
}
/* Trials that have a result, in order; NULL: no memory. */
static place *ranking(const search *q, int64_t *n)
{
    bool by_test = !strcmp(options_text(q->o, "rank"), "test");
    place *p = mem_new((size_t)q->trials, sizeof *p);
    *n = 0;
    for (int64_t i = 0; p && i < q->trials; i++) {
        int rung = q->rungs - 1;
        while (rung >= 0 && !search_at(q, rung, i)->done) rung--;
        if (rung < 0) continue;
        const search_result *r = search_at(q, rung, i);
        p[(*n)++] = (place){ i, rung, by_test ? r->test.mean : r->score };
    }
    if (p) qsort(p, (size_t)*n, sizeof *p, higher_rung_first);
    return p;
}
static void table_row(const search *q, const place *p, int64_t rank)
{
    const search_result *r = search_at(q, p->rung, p->trial);
    char valid[40], test[40], epochs[24] = "";
    buf words = { 0 };
    figure_text(r->valid, valid), figure_text(r->test, test);
    if (q->rungs > 1) snprintf(epochs, sizeof epochs, "%6lld ", (long long)q->rung[p->rung].epochs);
    search_words(q, p->trial, &words);
    task_note(q->j, "%4lld %5lld %s %-19s %-19s %7.1f  %s", (long long)rank, (long long)p->trial + 1, epochs,
              r->failed ? "failed" : valid, test, r->seconds, words.data ? words.data : "");
    buf_free(&words);
}
void search_table(const search *q)
{
    int64_t n, best = search_best(q);
    place *p = ranking(q, &n);
    buf line = { 0 };
    if (!p) return;
    task_note(q->j, "rank trial %s %-19s %-19s %7s", q->rungs > 1 ? "epochs " : "", "validation", "test", "seconds");
    for (int64_t i = 0; i < n; i++) table_row(q, &p[i], i + 1);
    if (q->figure) task_note(q->j, "%s; mean +- deviation where there are several runs", q->figure);
    if (best >= 0) search_command_line(q, best, &line);
    if (line.data && !line.failed)
        task_note(q->j, "model     %s/best.safetensors, trial %lld, made by", q->folder, (long long)best + 1),
            task_note(q->j, "%s", line.data);
    buf_free(&line), mem_free(p);
}
static void figure_json(json_out *o, const char *part, search_figure f)
{
    if (!isfinite(f.mean)) return;
    json_key(o, part), json_begin(o, '{');
    json_key(o, "mean"), json_number(o, f.mean);
    json_key(o, "deviation"), json_number(o, f.deviation);
    json_end(o, '}');
}
void search_json(const search *q, buf *to)
{
    json_out o = { .to = to };
    int64_t n, best = search_best(q);
    place *p = ranking(q, &n);
    buf line = { 0 };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "search");
    json_key(&o, "command"), json_text(&o, q->s.command);
    if (q->figure) json_key(&o, "figure"), json_text(&o, q->figure);
    json_key(&o, "trials"), json_begin(&o, '[');
    for (int64_t i = 0; p && i < n; i++) {
        const search_result *r = search_at(q, p[i].rung, p[i].trial);
        json_begin(&o, '{');
        json_key(&o, "trial"), json_int(&o, p[i].trial + 1);
        json_key(&o, "rung"), json_int(&o, p[i].rung + 1);
        json_key(&o, "score"), json_number(&o, r->score);
        figure_json(&o, part_names[0], r->valid), figure_json(&o, part_names[1], r->test);
        json_key(&o, "seconds"), json_number(&o, r->seconds);
        options_json(q, p[i].trial, &o);
        json_end(&o, '}');
    }
    json_end(&o, ']');
    if (best >= 0) {
        search_command_line(q, best, &line);
        json_key(&o, "best"), json_begin(&o, '{');
        json_key(&o, "trial"), json_int(&o, best + 1);
        json_key(&o, "command"), json_text(&o, line.data ? line.data : "");
        json_end(&o, '}');
    }
    json_end(&o, '}');
    to->failed |= !p || line.failed;
    buf_free(&line), mem_free(p);
}
