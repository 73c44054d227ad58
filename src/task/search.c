#include "task/search.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/process.h"
#include "task/repeat.h"
#include <math.h>
#include <stdio.h>

static const double look_again = 0.1; /* seconds between two looks at what others do */
static const char best_name[] = "best.safetensors";

/* ---- the plan ---- */
void search_plan(search_rung *rung, int rungs, int64_t trials, int64_t epochs, double eta)
{
    for (int k = 0; k < rungs; k++) {
        double n = floor((double)trials / pow(eta, k) * (1 + 1e-12));
        double e = floor((double)epochs / pow(eta, rungs - 1 - k) + 0.5);
        rung[k] = (search_rung){ max64(1, (int64_t)n), max64(1, (int64_t)e) };
    }
}
search_result *search_at(const search *q, int rung, int64_t trial) { return &q->result[rung * q->trials + trial]; }

static int by_score(const void *a, const void *b)
{
    const search_place *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return x->trial < y->trial ? -1 : x->trial > y->trial;
}
int64_t search_members(const search *q, int rung)
{
    int64_t n = q->trials;
    for (int64_t i = 0; i < n; i++) q->member[i].trial = i;
    for (int k = 0; k < rung; k++) {
        int64_t left = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t trial = q->member[i].trial;
            const search_result *r = search_at(q, k, trial);
            if (r->done && !r->failed) q->member[left++] = (search_place){ trial, r->score };
        }
        qsort(q->member, (size_t)left, sizeof *q->member, by_score);
        n = min64(left, q->rung[k + 1].trials);
    }
    return n;
}
/* Epochs that a rung adds; without halving every trial weighs the same. */
static double weight(const search *q, int rung)
{
    if (q->rungs == 1) return 1;
    return (double)(q->rung[rung].epochs - (rung ? q->rung[rung - 1].epochs : 0));
}
static double share_done(const search *q)
{
    double done = 0, all = 0;
    for (int k = 0; k < q->rungs; k++) {
        all += weight(q, k) * (double)q->rung[k].trials;
        for (int64_t i = 0; i < q->trials; i++) done += search_at(q, k, i)->done ? weight(q, k) : 0;
    }
    return done / all;
}
static double share_of(const search *q, int rung)
{
    double all = 0;
    for (int k = 0; k < q->rungs; k++) all += weight(q, k) * (double)q->rung[k].trials;
    return weight(q, rung) / all;
}

/* ---- one trial ---- */
static laco_status set_number(options *o, const char *name, int64_t x, laco_error *err)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)x);
    return options_set(o, name, text, err);
}
static laco_status set_path(options *o, const char *name, const char *folder, const char *file, laco_error *err)
{
    char *path = folder_path(folder, file);
    laco_status st = path ? options_set(o, name, path, err) : fail_memory(err, strlen(folder));
    mem_free(path);
    return st;
}
/* From the space, from the command line of the search, and what the search sees to itself. */
static laco_status options_of(const search *q, int rung, int64_t trial, const char *folder, options **out,
                              laco_error *err)
{
    static const char *const passed[] = { "data", "valid", "test", "epochs", "threads", "repeat", "folds" };
    int count;
    const laco_option *rows = laco_options(&count);
    laco_status st = options_new(out, rows, count, q->s.command, err);
    if (!st) st = set_number(*out, "seed", (int64_t)q->seed, err);
    for (int i = 0; !st && i < q->s.rows; i++) {
        buf value = { 0 };
        space_value(&q->s, i, q->grid, q->seed, trial, &value);
        st = value.failed ? fail_memory(err, value.len) : options_set(*out, q->s.row[i].name, value.data, err);
        buf_free(&value);
    }
    for (size_t i = 0; !st && i < sizeof passed / sizeof *passed; i++)
        if (options_given(q->o, passed[i])) st = options_set(*out, passed[i], options_text(q->o, passed[i]), err);
    if (!st && options_int(q->o, "jobs") > 1 && !options_given(*out, "threads"))
        st = options_set(*out, "threads", "1", err);
    if (!st && q->rungs > 1) st = set_number(*out, "epochs", q->rung[rung].epochs, err);
    if (!st && q->rungs > 1) st = set_path(*out, "checkpoint", folder, "runs", err);
    return st ? st : set_path(*out, "out", folder, "model.safetensors", err);
}
static laco_status train_trial(search *q, int rung, int64_t trial, const char *folder, part_watch *watch,
                               search_result *r, buf *figures, laco_error *failure, laco_error *err)
{
    task_job one = *q->j;
    options *o = NULL;
    double began = clock_seconds();
    laco_status st = options_of(q, rung, trial, folder, &o, err);
    one.o = o, one.command = q->s.command, one.result = figures, one.watch = watch ? &watch->watch : NULL;
    one.score = NAN, one.shown = 0, one.data_hash = 0, one.resume = NULL;
    if (!st) st = repeat_run(q->run, &one, err);
    if (st == LACO_ENUMERIC) *failure = *err, st = LACO_OK, r->failed = true;
    r->done = true, r->seconds = clock_seconds() - began, r->score = r->failed ? NAN : one.score;
    r->failed |= !isfinite(r->score);
    if (!st && figures->failed) st = fail_memory(err, figures->len);
    options_free(o);
    return st;
}
/* One process at a time: the line, and the model when it is the best. */
static laco_status keep(search *q, int rung, int64_t trial, const char *folder, const search_result *r,
                        const buf *figures, const char *failure, laco_error *err)
{
    folder_lock *lock = NULL;
    bool held = true;
    laco_status st = LACO_OK;
    while (!st && held) {
        st = folder_lock_try(&lock, q->folder, &held, err);
        if (held) process_sleep(look_again / 10);
    }
    if (!st) st = search_read(q, err);
    if (!st && rung + 1 == q->rungs &&
        search_would_lead(q, trial, r)) { /* first: a line says that the model is there */
        char *from = folder_path(folder, "model.safetensors"), *to = folder_path(q->folder, best_name);
        st = from && to ? file_rename(from, to, err) : fail_memory(err, strlen(folder));
        mem_free(from), mem_free(to);
    }
    if (!st) st = search_append(q, rung, trial, r, figures, failure, err);
    if (!st) st = search_read(q, err);
    folder_unlock(lock);
    return st;
}
static laco_status do_trial(search *q, int rung, int64_t trial, const char *folder, part_watch *watch, laco_error *err)
{
    search_result r = { 0 };
    buf figures = { 0 }, words = { 0 };
    laco_error why, failure = { 0 };
    if (watch) watch->before = share_done(q), watch->share = share_of(q, rung);
    laco_status st = train_trial(q, rung, trial, folder, watch, &r, &figures, &failure, &why);
    bool stopped = *q->j->stop; /* what was cut short is no result */
    if (st && !stopped) {
        search_words(q, trial, &words);
        fail(err, st, why.at, "trial %lld%s%s: %s", (long long)trial + 1, words.len ? ", " : "",
             words.len ? words.data : "", why.msg);
    }
    if (!st && !stopped) st = keep(q, rung, trial, folder, &r, &figures, r.failed ? failure.msg : NULL, err);
    buf_free(&figures), buf_free(&words);
    return stopped ? LACO_OK : st;
}
/* The folder of a trial is taken by one process; afterwards it is only kept for the rungs to come. */
static laco_status try_trial(search *q, int rung, int64_t trial, part_watch *watch, bool *did, laco_error *err)
{
    folder_lock *lock = NULL;
    bool held = false;
    char name[32];
    snprintf(name, sizeof name, "trial-%04lld", (long long)trial + 1);
    char *folder = folder_path(q->folder, name);
    laco_status st = folder ? folder_make(folder, err) : fail_memory(err, strlen(q->folder));
    if (!st) st = folder_lock_try(&lock, folder, &held, err);
    if (!st && !held) st = search_read(q, err); /* it may have been done just now */
    const search_result *r = search_at(q, rung, trial);
    if (!st && !held && !r->done) *did = true, st = do_trial(q, rung, trial, folder, watch, err);
    bool over = r->done && (r->failed || rung + 1 == q->rungs);
    if (!held && !st && over) folder_delete(folder);
    folder_unlock(lock), mem_free(folder);
    return st;
}

/* ---- the work of a process ---- */
static void remove_losers(const search *q, int rung, int64_t members)
{
    char name[32];
    for (int64_t i = 0; i < q->trials; i++) {
        bool stays = false;
        for (int64_t k = 0; k < members; k++) stays |= q->member[k].trial == i;
        if (stays || !search_at(q, rung - 1, i)->done) continue;
        snprintf(name, sizeof name, "trial-%04lld", (long long)i + 1);
        char *folder = folder_path(q->folder, name);
        if (folder) folder_delete(folder);
        mem_free(folder);
    }
}
static laco_status work_rung(search *q, int rung, part_watch *watch, laco_error *err)
{
    laco_status st = LACO_OK;
    for (bool open = true, first = true; !st && open && !*q->j->stop; first = false) {
        if ((st = search_read(q, err))) break;
        int64_t n = search_members(q, rung);
        if (first && rung) remove_losers(q, rung, n);
        bool did = open = false;
        for (int64_t i = 0; !st && i < n && !did; i++) {
            if (search_at(q, rung, q->member[i].trial)->done) continue;
            open = true;
            st = try_trial(q, rung, q->member[i].trial, watch, &did, err);
        }
        if (watch) search_tell_new(q);
        if (open && !did && !st) process_sleep(look_again); /* others are at the rest */
    }
    return st;
}
static laco_status work(search *q, part_watch *watch, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int rung = 0; !st && rung < q->rungs && !*q->j->stop; rung++) st = work_rung(q, rung, watch, err);
    return st;
}
static laco_status work_apart(void *ctx, int k, laco_error *err)
{
    (void)k;
    return work(ctx, NULL, err);
}
static laco_status work_together(search *q, int jobs, laco_error *err)
{
    processes *p;
    double began = clock_seconds(), at = share_done(q);
    laco_status st = processes_start(&p, jobs, work_apart, q, err);
    if (st) return st;
    for (bool asked = false; processes_running(p);) {
        if (*q->j->stop && !asked) processes_stop(p), asked = true;
        process_sleep(look_again);
        if (search_read(q, NULL)) continue;
        search_tell_new(q);
        double done = share_done(q), elapsed = clock_seconds() - began, here = done - at;
        if (task_wants_progress(q->j))
            task_progress(q->j, &(laco_progress){ .phase = "search",
                                                  .done = (int64_t)(1000 * done),
                                                  .total = 1000,
                                                  .loss = NAN,
                                                  .valid_loss = NAN,
                                                  .elapsed = elapsed,
                                                  .left = here > 0 ? elapsed * (1 - done) / here : -1 });
    }
    if (!*q->j->stop) st = processes_result(p, err);
    processes_free(p);
    if (!st) st = search_read(q, err);
    search_tell_new(q);
    return st;
}

/* ---- beginning and end ---- */
static laco_status read_space(search *q, buf *what, laco_error *err)
{
    const char *name = options_text(q->o, "space");
    char *bytes;
    size_t n;
    if (!name) return fail(err, LACO_EINVAL, -1, "name the file that says what is searched; doc/search.md shows one");
    laco_status st = file_read(name, 1 << 20, &bytes, &n, err);
    if (st) return st;
    st = space_parse(&q->s, bytes, n, name, err);
    json_out o = { .to = what };
    json_begin(&o, '{');
    json_key(&o, "space"), json_string(&o, bytes, n);
    mem_free(bytes);
    return st;
}
static laco_status count_trials(search *q, laco_error *err)
{
    int64_t given = options_int(q->o, "trials"), all = space_combinations(&q->s);
    q->grid = !given, q->trials = given ? given : all;
    if (!given && !all)
        return fail(err, LACO_EINVAL, -1,
                    "the space has ranges: say with --trials how many values are drawn from them");
    if (q->trials > SEARCH_TRIALS)
        return fail(err, LACO_EINVAL, -1, "the space has more than %d combinations: draw some of them with --trials",
                    SEARCH_TRIALS);
    return LACO_OK;
}
static laco_status make_plan(search *q, laco_error *err)
{
    const space_row *row = space_find(&q->s, "epochs");
    int64_t epochs = options_int(q->o, "epochs");
    options *o = NULL;
    int rungs = (int)options_int(q->o, "rungs");
    if (rungs > 1 && row && space_varies(row))
        return fail(err, LACO_EINVAL, row->line, "with --rungs the search sees to --epochs: give it one value");
    laco_status st = options_of(q, 0, 0, "", &o, err);
    if (!st && rungs > 1 && !options_int(o, "epochs"))
        st = fail(err, LACO_EINVAL, -1, "--rungs: %s has no epochs to begin with fewer of; leave it out", q->s.command);
    if (!st && !epochs) epochs = options_int(o, "epochs");
    options_free(o);
    q->rungs = rungs;
    search_plan(q->rung, q->rungs, q->trials, max64(1, epochs), options_real(q->o, "eta"));
    return st;
}
/* The text of search.json: with another one the folder is that of another search. */
static laco_status describe(search *q, buf *what, laco_error *err)
{
    static const char *const matters[] = {
        "data", "valid", "test", "seed", "epochs", "repeat", "folds", "rungs", "eta"
    };
    json_out o = { .to = what, .depth = 1, .comma = { true } };
    for (size_t i = 0; i < sizeof matters / sizeof *matters; i++)
        if (options_text(q->o, matters[i])) json_key(&o, matters[i]), json_text(&o, options_text(q->o, matters[i]));
    json_key(&o, "trials"), json_int(&o, q->rungs > 1 || q->grid ? q->trials : 0); /* more may be drawn later */
    json_end(&o, '}');
    return what->failed ? fail_memory(err, what->len) : LACO_OK;
}
static laco_status claim_folder(const search *q, const buf *what, laco_error *err)
{
    char *path = folder_path(q->folder, "search.json"), *there = NULL;
    size_t n = 0;
    file_writer *w;
    laco_status st = path ? LACO_OK : fail_memory(err, strlen(q->folder));
    if (!st && folder_has(q->folder, "search.json")) {
        st = file_read(path, 1 << 22, &there, &n, err);
        if (!st && (n != what->len || memcmp(there, what->data, n)))
            st = fail(err, LACO_EINVAL, -1, "%s holds another search; give another folder with --out", q->folder);
    } else if (!st && !(st = file_create(&w, path, err))) {
        st = file_write(w, what->data, what->len, err);
        if (st)
            file_abandon(w);
        else
            st = file_commit(w, err);
    }
    mem_free(path), mem_free(there);
    return st;
}
/* --out, or the name of the space with "-results" for its ending, in the current folder. */
static laco_status open_folder(search *q, const buf *what, laco_error *err)
{
    const char *out = options_text(q->o, "out"), *name = options_text(q->o, "space"), *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name, *dot = strrchr(base, '.');
    buf path = { 0 };
    if (out)
        buf_text(&path, out);
    else
        buf_printf(&path, "%.*s-results", (int)(dot && dot != base ? (size_t)(dot - base) : strlen(base)), base);
    if (path.failed) return fail_memory(err, path.len);
    q->folder = path.data;
    laco_status st = folder_make(q->folder, err);
    if (!st && !(q->results = folder_path(q->folder, "results.jsonl"))) st = fail_memory(err, path.len);
    if (!st) st = file_check_writable(q->results, err);
    return st ? st : claim_folder(q, what, err);
}
static laco_status prepare(search *q, search_command *command, laco_error *err)
{
    buf what = { 0 };
    laco_status st = read_space(q, &what, err);
    if (!st && !(q->run = command(q->s.command)))
        st = fail(err, LACO_EINVAL, -1, "the search knows no command \"%.60s\"", q->s.command);
    if (!st) st = count_trials(q, err);
    if (!st) st = make_plan(q, err);
    if (!st) st = describe(q, &what, err);
    if (!st) st = open_folder(q, &what, err);
    buf_free(&what);
    if (st) return st;
    size_t n = (size_t)(q->trials * q->rungs);
    q->result = mem_new(n, sizeof *q->result), q->member = mem_new((size_t)q->trials, sizeof *q->member);
    if (!q->result || !q->member) return fail_memory(err, n * sizeof *q->result);
    return search_read(q, err);
}
static void note_beginning(const search *q)
{
    int64_t done = 0;
    char had[64] = "";
    for (int64_t i = 0; i < q->trials * q->rungs; i++) done += q->result[i].done, q->result[i].told = q->result[i].done;
    if (done) snprintf(had, sizeof had, "; %lld results are there", (long long)done);
    task_note(q->j, "search    %s, %lld trials%s, results in %s%s", q->s.command, (long long)q->trials,
              q->grid ? ", all combinations" : "", q->folder, had);
    for (int k = 0; q->rungs > 1 && k < q->rungs; k++)
        task_note(q->j, "rung %d    %lld trials, %lld epochs", k + 1, (long long)q->rung[k].trials,
                  (long long)q->rung[k].epochs);
}
laco_status search_run(task_job *j, search_command *command, laco_error *err)
{
    search q = { .j = j, .o = j->o, .seed = (uint64_t)options_int(j->o, "seed") };
    int jobs = (int)options_int(j->o, "jobs");
    part_watch watch;
    laco_status st = prepare(&q, command, err);
    if (!st) {
        note_beginning(&q);
        part_watch_init(&watch, j, share_done(&q));
        watch.phase = "search";
        st = jobs > 1 ? work_together(&q, jobs, err) : work(&q, &watch, err);
    }
    if (!st && search_best(&q) < 0 && *j->stop)
        st = fail(err, LACO_ESTOPPED, -1, "stopped; the same command goes on with the results in %s", q.folder);
    else if (!st && search_best(&q) < 0)
        st = fail(err, LACO_ENUMERIC, -1, "no trial came to its end, see %s; search among smaller values of lr, or of radius",
                  q.results);
    if (!st) search_table(&q), search_json(&q, j->result);
    space_free(&q.s);
    mem_free(q.folder), mem_free(q.results), mem_free(q.result), mem_free(q.member), mem_free(q.figure);
    return st;
}
