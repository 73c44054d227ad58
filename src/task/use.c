#include "task/use.h"
#include <stddef.h>

const use_task use_tasks[] = {
    { .name = "lm", .eval = lm_eval, .explain = lm_explain, .sample = lm_sample, .score = lm_score },
    { .name = "classify", .predict = classify_predict, .eval = classify_eval, .explain = classify_explain },
    { .name = "forecast",
      .predict = forecast_predict,
      .eval = forecast_eval,
      .explain = forecast_explain,
      .anomaly = forecast_anomaly },
    { .name = "tag", .predict = tag_predict, .eval = tag_eval, .explain = tag_explain },
    { .name = "compose", .eval = compose_eval, .explain = compose_explain, .sample = compose_sample },
    { .name = "esn", .predict = esn_predict, .eval = esn_eval },
   { .name = NULL },
};

/* use: the place of the function in a row. */
static use_fn *use_of(const use_task *row, size_t use) { return *(use_fn *const *)((const char *)row + use); }
/* "lm, classify": the tasks that have this use. */
static void list_tasks(size_t use, char *to, size_t n)
{
    buf names = { 0 };
    for (const use_task *t = use_tasks; t->name; t++)
        if (use_of(t, use)) buf_printf(&names, "%s%s", names.len ? ", " : "", t->name);
    size_t len = names.data ? min64((int64_t)names.len, (int64_t)n - 1) : 0;
    if (len) memcpy(to, names.data, len);
    to[len] = 0, buf_free(&names);
}
static laco_status refuse(const char *command, const char *path, const char *task, size_t use, laco_error *err)
{
    char names[256];
    list_tasks(use, names, sizeof names);
    if (!*names)
        return fail(err, LACO_EUNSUPPORTED, -1, "laco %s: there is no task yet whose models it takes", command);
    if (!task)
        return fail(err, LACO_EINVAL, -1, "%s does not say which task it was trained for; laco %s takes models of: %s",
                    path, command, names);
    return fail(err, LACO_EINVAL, -1, "%s is a model of the task \"%.40s\"; laco %s takes models of: %s", path, task,
                command, names);
}
static laco_status run_use(task_job *j, size_t use, laco_error *err)
{
    const char *path = options_text(j->o, "model-file");
    laco_model *m = NULL;
    if (!path) return fail(err, LACO_EINVAL, -1, "name a model file, made by laco train");
    laco_status st = model_load(&m, path, (int)options_int(j->o, "threads"), err);
    if (st) return st;
    const char *task = model_get(m, "task");
    const use_task *row = use_tasks;
    while (row->name && (!task || strcmp(row->name, task))) row++;
    use_fn *f = row->name ? use_of(row, use) : NULL;
    st = f ? f(j, m, err) : refuse(j->command, path, task, use, err);
    laco_model_free(m);
    return st;
}
laco_status predict_run(task_job *j, laco_error *err) { return run_use(j, offsetof(use_task, predict), err); }
laco_status eval_run(task_job *j, laco_error *err) { return run_use(j, offsetof(use_task, eval), err); }
laco_status explain_run(task_job *j, laco_error *err) { return run_use(j, offsetof(use_task, explain), err); }
laco_status sample_run(task_job *j, laco_error *err) { return run_use(j, offsetof(use_task, sample), err); }
laco_status score_run(task_job *j, laco_error *err) { return run_use(j, offsetof(use_task, score), err); }
laco_status anomaly_run(task_job *j, laco_error *err) { return run_use(j, offsetof(use_task, anomaly), err); }
