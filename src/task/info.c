/* laco info: what a model file holds. */
#include "format/model.h"
#include "task/task.h"

laco_status model_info(task_job *j, laco_error *err)
{
    const char *path = options_text(j->o, "model-file");
    laco_model *m = NULL;
    buf text = { 0 };
    if (!path) return fail(err, LACO_EINVAL, -1, "name a model file");
    laco_status st = model_load(&m, path, 1, err);
    int64_t batch = options_int(j->o, "batch"), steps = options_int(j->o, "steps");
    if (!st) st = model_describe(m, batch, steps, true, j->result, err);
    if (!st && !options_flag(j->o, "json")) {
        st = model_describe(m, batch, steps, false, &text, err);
        if (!st) task_out_buf(j, &text);
    }
    buf_free(&text), laco_model_free(m);
    return st;
}
