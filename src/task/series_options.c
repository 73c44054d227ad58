#include "task/series_options.h"
#include "base/file.h"
#include "base/pool.h"
#include "task/table_options.h"

laco_status task_preparation(preparation *p, const options *o, laco_error *err)
{
    const char *scale = options_text(o, "scale");
    *p = (preparation){ 0 };
    for (int k = 0; prepare_scales[k]; k++)
        if (!strcmp(prepare_scales[k], scale)) p->scale = (prepare_scale)k;
    p->deltas = options_int(o, "deltas"), p->stack = options_type(o, "stack") ? options_int(o, "stack") : 1;
    p->sound = (sound_settings){ .resample = options_flag(o, "resample"), .frame = options_real(o, "frame") };
    p->sound.hop = options_real(o, "hop"), p->sound.emphasis = options_real(o, "emphasis");
    p->sound.mels = options_int(o, "mels"), p->sound.mfcc = options_int(o, "mfcc");
    p->sound.low = options_real(o, "low"), p->sound.high = options_real(o, "high");
    return sound_settings_check(&p->sound, err);
}

/* Sounds that are left out: their names and why, in the file of --skip-bad. */
typedef struct bad_sounds {
    file_log *log;
    int64_t n;
    laco_status status; /* of writing them */
    laco_error err;
} bad_sounds;
static void keep_bad_sound(void *ctx, const char *file, const char *why)
{
    bad_sounds *b = ctx;
    buf line = { 0 };
    b->n++, buf_printf(&line, "%s\t%s", file, why);
    if (!b->status)
        b->status = line.failed ? fail_memory(&b->err, line.len) : file_log_line(b->log, line.data, &b->err);
    buf_free(&line);
}
laco_status task_read_series(const char *path, series_options o, const series_parts *to, task_job *j, laco_error *err)
{
    bad_sounds bad = { 0 };
    laco_status st = pool_new(&o.pool, (int)options_int(j->o, "threads"), err);
    if (st) return st;
    o.skip_bad = options_text(j->o, "skip-bad") != NULL, o.bad = keep_bad_sound, o.ctx = &bad;
    st = task_open_bad(&bad.log, j, err);
    if (!st) st = series_read_parts(path, &o, to, err);
    task_close_bad(bad.log, j);
    if (bad.n)
        task_note(j, "left out  %lld sound%s that cannot be read, named in %s", (long long)bad.n, bad.n == 1 ? "" : "s",
                  options_text(j->o, "skip-bad"));
    if (!st && bad.status) st = fail(err, bad.status, bad.err.at, "%s", bad.err.msg);
    pool_free(o.pool);
    return st;
}
