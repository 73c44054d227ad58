#include "task/diagnose.h"
#include <math.h>
#include <stdio.h>

static void note_model(const diag_model *d, const task_job *j)
{
    char n[32], memory[32], radius[48] = "";
    task_note(j, "model     %s: %s, %s parameters", d->path, d->m->description, task_count(d->m->net->params, n));
    task_note(j, "data      %s", d->data.about);
    if (d->data.skipped)
        task_note(j, "          %s symbols that the model does not know were left out", task_count(d->data.skipped, n));
    for (int k = 0; k < d->layers; k++) {
        const diag_layer *l = &d->layer[k];
        if (l->memory[LAG_ALL] < 0)
            snprintf(memory, sizeof memory, "over %lld", (long long)d->shown - 2);
        else
            snprintf(memory, sizeof memory, "%lld", (long long)l->memory[LAG_ALL]);
        if (l->places) snprintf(radius, sizeof radius, ", spectral radius %.3f", diag_middle(l->radius, l->places));
        task_note(j, "layers.%d  %s: memory %s steps, gradient x %.4f a step%s, %lld of %lld units dead", l->index,
                  l->cell, memory, exp(l->slope[LAG_ALL]), radius, (long long)l->dead, (long long)l->units);
    }
}
static laco_status write_whole(const char *path, const buf *b, laco_error *err)
{
    file_writer *w;
    laco_status st = file_create(&w, path, err);
    if (!st) {
        st = file_write(w, b->data, b->len, err);
        if (st) return file_abandon(w), st;
        st = file_commit(w, err);
    }
    return st;
}
static laco_status one_model(diag_model *d, const char *path, task_job *j, laco_error *err)
{
    d->path = path;
    laco_status st = model_load(&d->m, path, (int)options_int(j->o, "threads"), err);
    if (!st) st = diag_data_make(&d->data, d->m, j, err);
    if (!st) st = diag_measure(d, j, err);
    if (!st) note_model(d, j);
    return st;
}
static laco_status prepare(task_job *j, laco_error *err)
{
    static const char *const written[] = { "out", "out-json" };
    laco_status st = LACO_OK;
    if (!options_text(j->o, "model-file")) return fail(err, LACO_EINVAL, -1, "name a model file, made by `laco train`");
    for (int i = 0; !st && i < 2; i++) {
        const char *path = options_text(j->o, written[i]);
        if (!path) continue;
        st = task_refuse_overwriting(j, written[i], err);
        if (!st) st = file_check_writable(path, err);
    }
    return st;
}
laco_status diagnose(task_job *j, laco_error *err)
{
    const char *path[DIAG_MODELS] = { options_text(j->o, "model-file"), options_text(j->o, "against") },
               *page = options_text(j->o, "out"), *figures = options_text(j->o, "out-json");
    diag_model *d = mem_new(DIAG_MODELS, sizeof *d);
    buf html = { 0 };
    int models = path[1] ? 2 : 1;
    laco_status st = d ? prepare(j, err) : fail_memory(err, sizeof *d);
    for (int i = 0; !st && i < models; i++) st = one_model(&d[i], path[i], j, err);
    if (!st) diag_json(d, models, j->result);
    if (!st && j->result->failed) st = fail_memory(err, j->result->len);
    if (!st && figures) st = write_whole(figures, j->result, err);
    if (!st && page) st = diag_page(d, models, &html, err);
    if (!st && page) st = write_whole(page, &html, err);
    if (!st && page) task_note(j, "page      %s", page);
    for (int i = 0; d && i < models; i++)
        net_lags_free(&d[i].lags), diag_data_free(&d[i].data), laco_model_free(d[i].m);
    mem_free(d), buf_free(&html);
    return st;
}
