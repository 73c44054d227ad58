#include "train/checkpoint.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/hash.h"
#include <stdio.h>

static const char format_name[] = "laco checkpoint", format_version[] = "1", run_name[] = "run.json";
enum { KEPT = 2, RUN_BYTES = 1 << 20 };

struct checkpoints {
    char *folder;
    folder_lock *lock;
};

void checkpoints_close(checkpoints *c)
{
    if (!c) return;
    folder_unlock(c->lock);
    mem_free(c->folder), mem_free(c);
}
static laco_status lock_folder(checkpoints **out, const char *folder, laco_error *err)
{
    checkpoints *c = mem_new(1, sizeof *c);
    if (!c || !(c->folder = mem_text(folder, strlen(folder)))) return mem_free(c), fail_memory(err, strlen(folder));
    laco_status st = folder_lock_take(&c->lock, folder, err);
    if (st) return checkpoints_close(c), st;
    *out = c;
    return LACO_OK;
}
static laco_status write_run(const checkpoints *c, const char *run, laco_error *err)
{
    file_writer *w;
    char *path = folder_path(c->folder, run_name);
    if (!path) return fail_memory(err, strlen(c->folder));
    laco_status st = file_create(&w, path, err);
    mem_free(path);
    if (st) return st;
    if ((st = file_write(w, run, strlen(run), err))) return file_abandon(w), st;
    return file_commit(w, err);
}
laco_status checkpoints_create(checkpoints **out, const char *folder, const char *run, laco_error *err)
{
    checkpoints *c = NULL;
    laco_status st = folder_make(folder, err);
    if (!st) st = lock_folder(&c, folder, err);
    if (!st && folder_has(folder, run_name))
        st = fail(err, LACO_EINVAL, -1,
                  "%s already holds a training run: `laco resume %s` continues it; for a new one give another folder",
                  folder, folder);
    if (!st) st = write_run(c, run, err);
    if (st) return checkpoints_close(c), st;
    *out = c;
    return LACO_OK;
}
laco_status checkpoints_read_run(json_doc **out, const char *folder, laco_error *err)
{
    char *text = NULL, *path = NULL;
    size_t n = 0;
    laco_status st = LACO_OK;
    *out = NULL;
    if (!folder_has(folder, run_name))
        return fail(err, LACO_EINVAL, -1,
                    "%s holds no training run: there is no %s in it; give the folder of --checkpoint", folder,
                    run_name);
    if (!(path = folder_path(folder, run_name))) return fail_memory(err, strlen(folder));
    if (!(st = file_read(path, RUN_BYTES, &text, &n, err)) && json_parse(out, text, n, err))
        st = fail(err, LACO_EFORMAT, -1, "%s is damaged; train anew into another folder", path);
    mem_free(path), mem_free(text);
    return st;
}
laco_status checkpoints_open(checkpoints **out, const char *folder, laco_error *err)
{
    return lock_folder(out, folder, err);
}

/* ---- writing ---- */
static void checksum_text(const st_tensor *t, size_t count, char to[24])
{
    uint64_t h = 0;
    for (size_t i = 0; i < count; i++)
        h += hash_bytes(hash_bytes(0, t[i].name, strlen(t[i].name)), t[i].data, t[i].bytes);
    snprintf(to, 24, "%016llx", (unsigned long long)h);
}
static void remove_old(const checkpoints *c, const char *written)
{
    char **names;
    size_t n;
    if (folder_names(c->folder, "update-", ".safetensors", &names, &n, NULL)) return;
    size_t at = n; /* the one just written; what stands behind it is damaged: it was not gone on from */
    while (at-- > 0 && strcmp(names[at], written) > 0) folder_remove(c->folder, names[at]);
    for (size_t i = 0; at < n && i + KEPT < at + 1; i++) folder_remove(c->folder, names[i]);
    folder_names_free(names, n);
}
static laco_status save_as(const checkpoints *c, const char *name, const st_tensor *t, size_t count, laco_error *err)
{
    char sum[24];
    checksum_text(t, count, sum);
    const char *const keys[] = { "format", "format_version", "checksum" }, *const values[] = { format_name,
                                                                                               format_version, sum };
    char *path = folder_path(c->folder, name);
    if (!path) return fail_memory(err, strlen(c->folder));
    laco_status st = st_save(path, t, count, keys, values, 3, err);
    mem_free(path);
    return st;
}
laco_status checkpoints_write(checkpoints *c, const checkpoint_kind *kind, const st_tensor *t, size_t count,
                              laco_error *err)
{
    char name[64], other[64];
    snprintf(name, sizeof name, "update-%012lld.safetensors", (long long)kind->update);
    snprintf(other, sizeof other, "epoch-%08lld.safetensors", (long long)kind->epoch);
    const char *const more[] = { kind->epoch ? other : NULL, kind->best ? "best.safetensors" : NULL };
    laco_status st = save_as(c, name, t, count, err);
    if (st) return st;
    remove_old(c, name);
    for (int i = 0; !st && i < 2; i++) /* not every file system has second names: then it is written again */
        if (more[i] && folder_link(c->folder, name, more[i], NULL)) st = save_as(c, more[i], t, count, err);
    return st;
}

/* ---- reading ---- */
static laco_status load_whole(const char *path, safetensors **out, laco_error *err)
{
    safetensors *s = NULL;
    char sum[24];
    laco_status st = st_load(&s, path, err);
    if (st) return st;
    const char *format = st_metadata(s, "format"), *version = st_metadata(s, "format_version"),
               *stored = st_metadata(s, "checksum");
    st_tensor *t = mem_new(st_count(s) + 1, sizeof *t);
    if (!t) return st_free(s), fail_memory(err, st_count(s) * sizeof *t);
    for (size_t i = 0; i < st_count(s); i++) t[i] = *st_at(s, i);
    checksum_text(t, st_count(s), sum);
    mem_free(t);
    if (!format || strcmp(format, format_name))
        st = fail(err, LACO_EFORMAT, -1, "%s is not a checkpoint of laco", path);
    else if (!version || strcmp(version, format_version))
        st = fail(err, LACO_EFORMAT, -1, "%s has the checkpoint version %.20s, this laco reads %s", path,
                  version ? version : "?", format_version);
    else if (!stored || strcmp(stored, sum))
        st = fail(err, LACO_EFORMAT, -1, "%s is damaged: its checksum is not that of its numbers", path);
    if (st) return st_free(s), st;
    *out = s;
    return LACO_OK;
}
laco_status checkpoints_newest(checkpoints *c, safetensors **out, void (*damaged)(void *ctx, const char *sentence),
                               void *ctx, laco_error *err)
{
    static const char *const begins[] = { "update-", "epoch-", "best" };
    size_t seen = 0;
    *out = NULL;
    for (int k = 0; k < 3; k++) {
        char **names;
        size_t n;
        laco_status st = folder_names(c->folder, begins[k], ".safetensors", &names, &n, err);
        if (st) return st;
        for (size_t i = n; i-- > 0 && !*out; seen++) {
            laco_error why;
            char *path = folder_path(c->folder, names[i]);
            st = path ? load_whole(path, out, &why) : fail_memory(&why, strlen(c->folder));
            mem_free(path);
            if (st) damaged(ctx, why.msg);
        }
        folder_names_free(names, n);
        if (*out) return LACO_OK;
    }
    if (!seen) return LACO_OK;
    return fail(err, LACO_EFORMAT, -1, "no checkpoint in %s is whole; train anew into another folder", c->folder);
}
laco_status checkpoint_get(const safetensors *s, const char *name, void *to, size_t bytes, laco_error *err)
{
    const st_tensor *t = st_find(s, name);
    if (!t || t->bytes != bytes)
        return fail(err, LACO_EFORMAT, -1, "the checkpoint does not fit the run: \"%s\" has %zu bytes, not %zu", name,
                    t ? t->bytes : (size_t)0, bytes);
    memcpy(to, t->data, bytes);
    return LACO_OK;
}
