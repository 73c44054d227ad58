/* laco_job: the commands as objects. */
#include "check/bench.h"
#include "check/selftest.h"
#include "task/repeat.h"
#include "task/search.h"
#include "task/task.h"
#include "train/checkpoint.h"
#include <stdio.h>

typedef struct command_row {
    const char *name;
    task_fn *run;
} command_row;

struct laco_job {
    const command_row *row;
    options *o;
    task_job task;
    volatile int stop;
    buf result;
};

static void check_line(void *ctx, const char *text) { task_out(ctx, text, strlen(text)), task_out(ctx, "\n", 1); }
laco_status run_selftest(task_job *j, laco_error *err)
{
    int n[3] = { 0 };
    bool as_json = options_flag(j->o, "json");
    char line[96];
    laco_status st = selftest_run(options_text(j->o, "golden"), (int)options_int(j->o, "threads"),
                                  as_json ? NULL : check_line, j, j->stop, n, err);
    if (st) return st;
    snprintf(line, sizeof line, "%d passed, %d failed, %d skipped", n[0], n[1], n[2]);
    if (!as_json) check_line(j, line);
    buf_printf(j->result, "{\"passed\":%d,\"failed\":%d,\"skipped\":%d}", n[0], n[1], n[2]);
    return n[1] ? fail(err, LACO_ENUMERIC, -1, "%d checks failed", n[1]) : LACO_OK;
}
static void bench_out(void *ctx, const char *bytes, size_t n) { task_out(ctx, bytes, n); }
laco_status run_bench(task_job *j, laco_error *err)
{
    const bench_wish w = { .what = options_text(j->o, "what"),
                           .row = options_text(j->o, "row"),
                           .seconds = options_real(j->o, "seconds"),
                           .repeat = options_int(j->o, "repeat"),
                           .threads = (int)options_int(j->o, "threads"),
                           .json = options_flag(j->o, "json"),
                           .out = bench_out,
                           .ctx = j,
                           .stop = j->stop };
    return bench_run(&w, err);
}

static task_fn run_resume, run_search;
static const command_row commands[] = {
    { "train lm", lm_train },
    { "train synthetic", synthetic_train },
    { "train classify", classify_train },
    { "train forecast", forecast_train },
    { "train tag", tag_train },
    { "train compose", compose_train },
    { "esn train", esn_train },
    { "esn run", esn_run_job },
    { "esn generate", esn_generate },
    { "esn info", esn_info },
    { "esn series", esn_series_job },
    { "esn bench", esn_bench },
    { "esn search", run_search },
    { "resume", run_resume },
    { "search", run_search },
    { "predict", predict_run },
    { "eval", eval_run },
    { "explain", explain_run },
    { "sample", sample_run },
    { "score", score_run },
    { "anomaly", anomaly_run },
    { "stream", run_stream },
    { "info", model_info },
    { "data", data_look },
    { "selftest", run_selftest },
    { "bench", run_bench },
    { "diagnose", diagnose },
    { "compare-gradients", compare_gradients },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* ---- resume ---- the command and the options of run.json (src/train/checkpoint.h), and those that may change */
static const char *const changeable[] = { "epochs", "minutes", "patience", "lr", "memory", "threads", "json", "quiet" };

static laco_status resumed_options(options **out, const command_row **row, const char *folder, laco_error *err)
{
    json_doc *d = NULL;
    int count;
    const laco_option *rows = laco_options(&count);
    laco_status st = checkpoints_read_run(&d, folder, err);
    if (st) return st;
    const json *command = json_get(json_root(d), "command"), *given = json_get(json_root(d), "options"),
               *version = json_get(json_root(d), "laco");
    for (int k = 0; command && command->kind == JSON_STRING && k < COMMANDS; k++)
        if (!strcmp(commands[k].name, command->text)) *row = &commands[k];
    if (!*row || !given || given->kind != JSON_OBJECT || !version || version->kind != JSON_STRING)
        st = fail(err, LACO_EFORMAT, -1, "%s/run.json does not describe a training run of laco", folder);
    else if (strcmp(version->text, laco_version()))
        st = fail(err, LACO_EUNSUPPORTED, -1,
                  "the run in %s was begun by laco %.40s, this is %s: go on with that version", folder, version->text,
                  laco_version());
    if (!st) st = options_new(out, rows, count, command->text, err);
    for (size_t i = 0; !st && i < given->len; i++)
        if (given->item[i].kind == JSON_STRING) st = options_set(*out, given->item[i].key, given->item[i].text, err);
    json_free(d);
    return st;
}
static laco_status run_resume(task_job *j, laco_error *err)
{
    const char *folder = options_text(j->o, "folder");
    const command_row *row = NULL;
    options *o = NULL;
    task_job again = *j;
    if (!folder) return fail(err, LACO_EINVAL, -1, "name the folder of checkpoints of the run that is to go on");
    laco_status st = resumed_options(&o, &row, folder, err);
    for (size_t i = 0; !st && i < sizeof changeable / sizeof *changeable; i++)
        if (options_given(j->o, changeable[i]))
            st = options_set(o, changeable[i], options_text(j->o, changeable[i]), err);
    again.o = o, again.resume = folder, again.command = row ? row->name : NULL;
    if (!st) st = row->run(&again, err);
    options_free(o);
    return st;
}

/* ---- search ---- over a training command */
static task_fn *training_command(const char *name)
{
    for (int k = 0; k < COMMANDS; k++)
        if (!strcmp(commands[k].name, name) && (!strncmp(name, "train ", 6) || !strcmp(name, "esn train"))) return commands[k].run;
    return NULL;
}
static laco_status run_search(task_job *j, laco_error *err) { return search_run(j, training_command, err); }

laco_status laco_job_new(laco_job **out, const char *command, laco_error *err)
{
    const char *names[COMMANDS + 1] = { NULL };
    int count = 0, i = 0;
    const laco_option *rows = laco_options(&count);
    if (!out || !command)
        return fail(err, LACO_EINVAL, -1, "laco_job_new needs a place for the job and the name of a command");
    for (int k = 0; k < COMMANDS; k++) names[k] = commands[k].name;
    while (i < COMMANDS && strcmp(commands[i].name, command)) i++;
    if (i == COMMANDS) {
        const char *near = nearest_name(command, names);
        return fail(err, LACO_EINVAL, -1, "unknown command \"%s\"%s%s%s", command, near ? "; did you mean \"" : "",
                    near ? near : "", near ? "\"?" : "");
    }
    laco_job *j = mem_new(1, sizeof *j);
    if (!j) return fail_memory(err, sizeof *j);
    laco_status st = options_new(&j->o, rows, count, command, err);
    if (st) return mem_free(j), st;
    j->row = &commands[i];
    *out = j;
    return LACO_OK;
}
laco_status laco_job_set(laco_job *j, const char *option, const char *value, laco_error *err)
{
    if (!j || !option) return fail(err, LACO_EINVAL, -1, "laco_job_set needs a job and the name of an option");
    return options_set(j->o, option, value, err);
}
laco_status laco_job_text(laco_job *j, const char *option, const char *bytes, size_t n, laco_error *err)
{
    static const char *const names[TEXTS] = { "data", "valid", "test" };
    for (int i = 0; j && option && (bytes || !n) && i < TEXTS; i++) {
        if (strcmp(names[i], option)) continue;
        char *copy = mem_text(bytes ? bytes : "", n);
        if (!copy) return fail_memory(err, n);
        mem_free(j->task.text[i]);
        j->task.text[i] = copy, j->task.length[i] = n;
        return LACO_OK;
    }
    return fail(err, LACO_EINVAL, -1, "laco_job_text needs a job, \"data\", \"valid\" or \"test\", and the bytes");
}
laco_status laco_job_run(laco_job *j, const laco_watch *watch, laco_error *err)
{
    if (!j) return fail(err, LACO_EINVAL, -1, "laco_job_run needs a job");
    buf_free(&j->result);
    j->task.o = j->o, j->task.watch = watch, j->task.stop = &j->stop, j->task.result = &j->result;
    j->task.command = j->row->name, j->task.data_hash = 0;
    laco_status st = repeat_wanted(&j->task) ? repeat_run(j->row->run, &j->task, err) : j->row->run(&j->task, err);
    j->stop = 0; /* not before the run: a signal may come first */
    return !st && j->result.failed ? fail_memory(err, j->result.len) : st;
}
void laco_job_stop(laco_job *j)
{
    if (j) j->stop = 1;
}
const char *laco_job_result(const laco_job *j) { return j && j->result.data && j->result.len ? j->result.data : "{}"; }
void laco_job_free(laco_job *j)
{
    if (!j) return;
    for (int i = 0; i < TEXTS; i++) mem_free(j->task.text[i]);
    options_free(j->o), buf_free(&j->result), mem_free(j);
}
