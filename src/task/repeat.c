#include "task/repeat.h"
#include "base/folder.h"
#include "base/json.h"
#include "train/checkpoint.h"
#include <math.h>
#include <stdio.h>

void mean_deviation(const double *x, int64_t n, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    *mean = n ? sum / (double)n : NAN;
    for (int64_t i = 0; i < n; i++) squares += (x[i] - *mean) * (x[i] - *mean);
    *deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
}

/* ---- seeds and folds ---- */
static int64_t folds_of(const options *o) { return options_int(o, "fold") ? 1 : max64(1, options_int(o, "folds")); }
/* One of the groups of --group is left out in turn: how many there are the first run tells. */
static bool by_group(const options *o)
{
    return options_type(o, "fold") && options_text(o, "group") && !options_int(o, "fold");
}
bool repeat_wanted(const task_job *j)
{
    return (!strncmp(j->command, "train ", 6) || !strcmp(j->command, "esn train")) &&
           (options_int(j->o, "repeat") > 1 || folds_of(j->o) > 1 || by_group(j->o));
}
laco_status task_fold(const options *o, int64_t count, const char *things, int64_t *fold, laco_error *err)
{
    long long folds = options_int(o, "folds"), chosen = options_int(o, "fold");
    *fold = max64(0, chosen - 1);
    if (chosen > folds) return fail(err, LACO_EINVAL, -1, "--fold %lld: there are --folds %lld", chosen, folds);
    if (folds == 1) return fail(err, LACO_EINVAL, -1, "--folds 1 leaves nothing to train on; give at least 2");
    if (folds > count)
        return fail(err, LACO_EINVAL, -1, "--folds %lld: there are only %lld %s", folds, (long long)count, things);
    return LACO_OK;
}

/* ---- progress ---- */
static void show_part(void *ctx, const laco_progress *p)
{
    part_watch *w = ctx;
    laco_progress all = *p;
    if (strcmp(p->phase, "train") || p->left < 0) return;
    double done = w->before + w->share * p->elapsed / fmax(p->elapsed + p->left, 1e-9), here = done - w->began_at;
    all.elapsed = clock_seconds() - w->began;
    all.left = here > 0 ? all.elapsed * (1 - done) / here : -1;
    if (w->phase) all.phase = w->phase, all.total = 1000, all.done = (int64_t)(1000 * done);
    task_progress(w->whole, &all);
}
void part_watch_init(part_watch *w, task_job *whole, double began_at)
{
    *w = (part_watch){ .whole = whole, .began = clock_seconds(), .began_at = began_at, .before = began_at };
    w->watch = (laco_watch){ .size = sizeof w->watch, .ctx = w, .progress = show_part };
}

/* ---- one run ---- */
typedef struct outcome {
    int64_t seed, fold; /* fold: from 1 on; 0: none */
    char part[64];      /* the name of the group that was left out */
    double score;
    buf text; /* the result of the task */
    json_doc *result;
} outcome;
typedef struct repeated {
    task_fn *run;
    task_job *j;
    int64_t folds, n, done, best; /* runs; done; which of them has the model of --out, -1: none */
    bool by_group;
    outcome *of;
    buf out; /* where a run leaves its model */
    part_watch watch;
} repeated;

static bool among(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name)) names++;
    return *names != NULL;
}
/* log.csv as log-2.csv for the second run: each has a log of its own. */
static laco_status set_log(const repeated *r, int64_t i, options *o, laco_error *err)
{
    const char *log = options_text(r->j->o, "log");
    buf path = { 0 };
    if (!log) return LACO_OK;
    size_t whole = strlen(log), bare = whole;
    while (bare > 1 && log[bare - 1] == '/') bare--;
    if (bare < whole) buf_printf(&path, "%.*s-%lld/", (int)bare, log, (long long)i + 1); /* a folder */
    const char *slash = strrchr(log, '/'), *name = slash ? slash + 1 : log, *dot = strrchr(name, '.');
    size_t stem = dot && dot != name ? (size_t)(dot - log) : strlen(log);
    if (bare == whole) buf_printf(&path, "%.*s-%lld%s", (int)stem, log, (long long)i + 1, log + stem);
    laco_status st = path.failed ? fail_memory(err, path.len) : options_set(o, "log", path.data, err);
    buf_free(&path);
    return st;
}
/* The options of a run: those of the job but what the driver sees to. */
static laco_status options_of(const repeated *r, int64_t i, const char *folder, options **out, laco_error *err)
{
    static const char *const own[] = { "repeat", "seed", "fold", "out", "checkpoint", "log", NULL };
    const outcome *run = &r->of[i];
    int count;
    const laco_option *rows = laco_options(&count);
    const char *name, *value;
    char number[32];
    laco_status st = options_new(out, rows, count, r->j->command, err);
    for (int k = 0; !st && options_at(r->j->o, k, &name, &value); k++)
        if (value && !among(name, own)) st = options_set(*out, name, value, err);
    snprintf(number, sizeof number, "%lld", (long long)run->seed);
    if (!st) st = options_set(*out, "seed", number, err);
    snprintf(number, sizeof number, "%lld", (long long)run->fold);
    if (!st && run->fold) st = options_set(*out, "fold", number, err);
    if (!st) st = options_set(*out, "out", r->out.data, err);
    if (!st) st = set_log(r, i, *out, err);
    return st || !folder ? st : options_set(*out, "checkpoint", folder, err);
}
/* What runs in a folder must be this run; it may last longer. Paths may be written in another way. */
static laco_status check_same(const options *o, const char *folder, laco_error *err)
{
    static const char *const free_to_change[] = { "epochs", "minutes", "patience", "threads", "lr",
                                                  "memory", "every",   "json",     "quiet",   NULL };
    json_doc *d;
    const char *name, *value;
    laco_status st = checkpoints_read_run(&d, folder, err);
    if (st) return st;
    const json *there = json_get(json_root(d), "options");
    for (int i = 0; !st && options_at(o, i, &name, &value); i++) {
        if (options_type(o, name) == 'p' || among(name, free_to_change)) continue;
        const json *was = json_get(there, name);
        value = options_given(o, name) ? options_text(o, name) : NULL; /* a later row of the same name has none */
        bool same = !was == !value && (!was || (was->kind == JSON_STRING && !strcmp(was->text, value)));
        if (!same)
            st = fail(err, LACO_EINVAL, -1, "the run in %s was begun with another --%s: give that, or another folder",
                      folder, name);
    }
    json_free(d);
    return st;
}
/* The folder of a run's checkpoints, NULL: none; *goes_on: it has begun already. */
static laco_status folder_of(const repeated *r, int64_t i, char **folder, bool *goes_on, laco_error *err)
{
    const char *all = options_text(r->j->o, "checkpoint");
    char name[32];
    *folder = NULL, *goes_on = false;
    if (!all) return LACO_OK;
    snprintf(name, sizeof name, "run-%lld", (long long)i + 1);
    laco_status st = folder_make(all, err);
    if (!st && !(*folder = folder_path(all, name))) st = fail_memory(err, strlen(all));
    if (!st) *goes_on = folder_has(*folder, "run.json");
    return st;
}
static laco_status do_run(const repeated *r, outcome *run, int64_t i, int64_t *groups, laco_error *err)
{
    task_job one = *r->j;
    options *o = NULL;
    char *folder;
    bool goes_on;
    laco_status st = folder_of(r, i, &folder, &goes_on, err);
    if (!st) st = options_of(r, i, folder, &o, err);
    if (!st && goes_on) st = check_same(o, folder, err);
    one.o = o, one.result = &run->text, one.watch = &r->watch.watch, one.resume = goes_on ? folder : NULL;
    one.score = NAN, one.data_hash = 0, one.shown = 0, one.groups = 0, one.part[0] = 0;
    if (!st) st = r->run(&one, err);
    if (!st && run->text.failed) st = fail_memory(err, run->text.len);
    if (!st) st = json_parse(&run->result, run->text.data, run->text.len, err);
    run->score = one.score, *groups = one.groups;
    memcpy(run->part, one.part, sizeof run->part);
    options_free(o), mem_free(folder);
    return st;
}
static laco_status keep_better(repeated *r, int64_t i, laco_error *err)
{
    if (r->best >= 0 && !isnan(r->of[r->best].score) && !(r->of[i].score < r->of[r->best].score))
        return file_remove(r->out.data), LACO_OK;
    r->best = i;
    return file_rename(r->out.data, options_text(r->j->o, "out"), err);
}

/* ---- figures ---- the numbers of "valid" and "test" of every result, and what is said as true or false */
static const char *const parts[] = { "valid", "test", NULL };
static const char *const sizes[] = { "tokens", "steps", "sequences", NULL }; /* of the data: no news */
enum { FIGURES = 64, TEST_FIGURES = 2 };
typedef struct figure {
    const char *part, *name; /* part NULL: of the result itself */
    double mean, deviation;
} figure;
static double number_of(const json *v)
{
    if (!v) return NAN;
    return v->kind == JSON_NUMBER ? v->number : v->kind == JSON_TRUE ? 1 : v->kind == JSON_FALSE ? 0 : NAN;
}
static double value_of(const outcome *run, const figure *f)
{
    const json *root = json_root(run->result);
    return number_of(json_get(f->part ? json_get(root, f->part) : root, f->name));
}
static laco_status work_out(const repeated *r, figure *f, laco_error *err)
{
    int64_t n = 0;
    double *x = mem_new((size_t)r->done, sizeof *x);
    if (!x) return fail_memory(err, (size_t)r->done * sizeof *x);
    for (int64_t i = 0; i < r->done; i++)
        if (isfinite(x[n] = value_of(&r->of[i], f))) n++;
    mean_deviation(x, n, &f->mean, &f->deviation);
    mem_free(x);
    return LACO_OK;
}
static int list_figures(const repeated *r, figure to[FIGURES])
{
    const json *root = json_root(r->of[0].result);
    int n = 0;
    for (int p = 0; parts[p]; p++) {
        const json *part = json_get(root, parts[p]);
        for (size_t i = 0; part && part->kind == JSON_OBJECT && i < part->len && n < FIGURES; i++)
            if (!isnan(number_of(&part->item[i]))) to[n++] = (figure){ .part = parts[p], .name = part->item[i].key };
    }
    for (size_t i = 0; i < root->len && n < FIGURES; i++)
        if (root->item[i].kind == JSON_TRUE || root->item[i].kind == JSON_FALSE)
            to[n++] = (figure){ .name = root->item[i].key };
    return n;
}
static const figure *find_figure(const figure *f, int n, const char *part, const char *name)
{
    for (int i = 0; i < n; i++)
        if (f[i].part && !strcmp(f[i].part, part) && !strcmp(f[i].name, name)) return &f[i];
    return NULL;
}
static void figure_text(const figure *f, char *to, size_t size)
{
    to[0] = 0;
    if (f) snprintf(to, size, "%.4f +- %.4f", f->mean, f->deviation);
}
static void report(const repeated *r, const figure *f, int n)
{
    char left[64], right[64], runs[64];
    snprintf(runs, sizeof runs, "mean, deviation of %lld", (long long)r->done);
    task_note(r->j, "  %-24s %-24s%s", runs, "validation", "test");
    for (int i = 0; i < n; i++) {
        bool first = !f[i].part || !strcmp(f[i].part, parts[0]) || !find_figure(f, n, parts[0], f[i].name);
        if (!first || among(f[i].name, sizes)) continue;
        figure_text(f[i].part ? find_figure(f, n, parts[0], f[i].name) : &f[i], left, sizeof left);
        figure_text(f[i].part ? find_figure(f, n, parts[1], f[i].name) : NULL, right, sizeof right);
        task_note(r->j, "  %-24s %-24s%s", f[i].name, left, right);
    }
    task_note(r->j, "model     %s (seed %lld)", options_text(r->j->o, "out"), (long long)r->of[r->best].seed);
}
static void figure_json(json_out *o, const char *name, double mean, double deviation)
{
    json_key(o, name), json_begin(o, '{');
    json_key(o, "mean"), json_number(o, mean);
    json_key(o, "deviation"), json_number(o, deviation);
    json_end(o, '}');
}
static void figures_json(json_out *o, const figure *f, int n, const char *part)
{
    for (int i = 0; i < n; i++)
        if (part ? f[i].part && !strcmp(f[i].part, part) : !f[i].part)
            figure_json(o, f[i].name, f[i].mean, f[i].deviation);
}
static void result_json(const repeated *r, const figure *f, int n)
{
    json_out o = { .to = r->j->result };
    const char *task = strchr(r->j->command, ' ') + 1;
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, task);
    json_key(&o, "model"), json_text(&o, options_text(r->j->o, "out"));
    json_key(&o, "repeat"), json_int(&o, r->done);
    json_key(&o, "best_seed"), json_int(&o, r->of[r->best].seed);
    figures_json(&o, f, n, NULL);
    for (int p = 0; parts[p]; p++) {
        json_key(&o, parts[p]), json_begin(&o, '{');
        figures_json(&o, f, n, parts[p]);
        json_end(&o, '}');
    }
    json_key(&o, "runs"), json_begin(&o, '[');
    for (int64_t i = 0; i < r->done; i++) {
        json_begin(&o, '{');
        json_key(&o, "seed"), json_int(&o, r->of[i].seed);
        if (r->of[i].fold) json_key(&o, "fold"), json_int(&o, r->of[i].fold);
        if (r->of[i].part[0]) json_key(&o, "group"), json_text(&o, r->of[i].part);
        json_key(&o, "score"), json_number(&o, r->of[i].score);
        json_key(&o, "result"), json_raw(&o, r->of[i].text.data, r->of[i].text.len);
        json_end(&o, '}');
    }
    json_end(&o, ']'), json_end(&o, '}');
}
static laco_status finish(repeated *r, laco_error *err)
{
    figure f[FIGURES];
    int n = list_figures(r, f);
    laco_status st = LACO_OK;
    for (int i = 0; !st && i < n; i++) st = work_out(r, &f[i], err);
    if (st) return st;
    double sum = 0;
    for (int64_t i = 0; i < r->done; i++) sum += r->of[i].score;
    r->j->score = sum / (double)r->done;
    report(r, f, n), result_json(r, f, n);
    return LACO_OK;
}

/* ---- all runs ---- */
/* The first figures of the test part, " test accuracy 0.9120, f1 0.9084"; those of baselines stand behind them. */
static void test_text(const outcome *run, buf *to)
{
    const json *test = json_get(json_root(run->result), "test");
    for (size_t i = 0, shown = 0; test && test->kind == JSON_OBJECT && i < test->len && shown < TEST_FIGURES; i++) {
        const json *v = &test->item[i];
        if (v->kind != JSON_NUMBER || !strcmp(v->key, "loss") || among(v->key, sizes)) continue;
        buf_printf(to, "%s%s %.4f", shown++ ? ", " : "  test ", v->key, v->number);
    }
}
static void note_run(const repeated *r, int64_t i)
{
    const outcome *run = &r->of[i];
    char fold[96] = "";
    buf test = { 0 };
    if (run->part[0])
        snprintf(fold, sizeof fold, "  group %s", run->part);
    else if (run->fold)
        snprintf(fold, sizeof fold, "  fold %lld", (long long)run->fold);
    test_text(run, &test);
    task_note(r->j, "run %lld/%lld  seed %lld%s  score %.4f%s%s", (long long)i + 1, (long long)r->n,
              (long long)run->seed, fold, run->score, test.data ? test.data : "", r->best == i ? "  best" : "");
    buf_free(&test);
}
/* A run for every group and seed. */
static laco_status plan_groups(repeated *r, int64_t groups, laco_error *err)
{
    int64_t n = max64(1, groups) * options_int(r->j->o, "repeat");
    outcome *of = mem_resize(r->of, (size_t)r->n * sizeof *of, (size_t)n * sizeof *of);
    if (!of) return fail_memory(err, (size_t)n * sizeof *of);
    r->of = of, r->n = n, r->folds = max64(1, groups);
    return LACO_OK;
}
/* A run that was stopped counts only where there is no other. */
static laco_status next_run(repeated *r, int64_t first_seed, laco_error *err)
{
    int64_t i = r->done;
    outcome *run = &r->of[i];
    int64_t groups = 0;
    run->seed = first_seed + i / r->folds;
    run->fold = r->folds > 1 || r->by_group ? i % r->folds + 1 : options_int(r->j->o, "fold");
    r->watch.before = (double)i / (double)r->n, r->watch.share = 1 / (double)r->n;
    laco_status st = do_run(r, run, i, &groups, err);
    if (!st && r->by_group && !i) st = plan_groups(r, groups, err), run = r->of;
    if ((!st || st == LACO_ESTOPPED) && *r->j->stop && i) return file_remove(r->out.data), LACO_OK;
    if (!st) st = keep_better(r, i, err);
    if (st) return st;
    r->done++;
    note_run(r, i);
    return LACO_OK;
}
laco_status repeat_run(task_fn *run, task_job *j, laco_error *err)
{
    const char *out = options_text(j->o, "out");
    if (!out) return fail(err, LACO_EINVAL, -1, "--out is missing: where the model goes, such as model.safetensors");
    repeated r = { .run = run, .j = j, .folds = folds_of(j->o), .best = -1, .by_group = by_group(j->o) };
    r.n = r.folds * options_int(j->o, "repeat"), r.of = mem_new((size_t)r.n, sizeof *r.of);
    buf_printf(&r.out, "%s.run", out);
    laco_status st = task_refuse_overwriting(j, "out", err);
    if (!st && (!r.of || r.out.failed)) st = fail_memory(err, (size_t)r.n * sizeof *r.of);
    part_watch_init(&r.watch, j, 0);
    while (!st && r.done < r.n && !*j->stop) st = next_run(&r, options_int(j->o, "seed"), err);
    if (st && r.out.data) file_remove(r.out.data);
    if (!st && !r.done) st = fail(err, LACO_ESTOPPED, -1, "stopped before the first run: no model was written");
    if (!st) st = finish(&r, err);
    for (int64_t i = 0; r.of && i < r.n; i++) buf_free(&r.of[i].text), json_free(r.of[i].result);
    buf_free(&r.out), mem_free(r.of);
    return st;
}
