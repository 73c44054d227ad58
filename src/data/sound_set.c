#include "data/sound_set.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/pool.h"
#include "data/sound_label.h"
#include "data/tar.h"
#include <strings.h>

static const size_t sound_limit = (size_t)1 << 33;

/* What became of a sound: its features, or why it has none. */
typedef struct outcome {
    float *x;                      /* [frames][features] */
    int64_t frames, samples, rate; /* rate: that it came with */
    laco_status st;
    laco_error why;
} outcome;
typedef struct reader {
    series_set *s;       /* count, name and file from the beginning; the rest at the end */
    const char *folder;  /* that the names are in; NULL: the bytes are there */
    bytes_view *bytes;   /* [count] or NULL */
    bool *used;          /* [count] */
    outcome *outcome;    /* [count] */
    sound_settings want; /* with the rate that all must have */
    const char *rate_of; /* the sound that has it; NULL: it was asked for */
    sound_maker *maker;
    int64_t features;
} reader;

/* ---- which sounds ---- */
static bool name_of_sound(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (const char *const *e = sound_endings; dot && *e; e++)
        if (!strcasecmp(dot, *e)) return true;
    return false;
}
static laco_status add_sound(buf *names, buf *views, const char *name, bytes_view view, laco_error *err)
{
    char *copy = mem_text(name, strlen(name));
    view.name = copy;
    if (copy) buf_add(names, &copy, sizeof copy), buf_add(views, &view, sizeof view);
    return copy && !names->failed && !views->failed ? LACO_OK : fail_memory(err, names->len);
}
static laco_status list_folder(buf *names, buf *views, const char *folder, laco_error *err)
{
    char **all;
    size_t n;
    laco_status st = folder_files(folder, &all, &n, err);
    for (size_t i = 0; !st && i < n; i++)
        if (name_of_sound(all[i])) st = add_sound(names, views, all[i], (bytes_view){ 0 }, err);
    folder_names_free(all, n);
    return st;
}
static laco_status list_tar(buf *names, buf *views, bytes_view data, laco_error *err)
{
    tar t = { .bytes = data.at, .n = data.n, .file = data.name };
    bool more = true;
    laco_status st = LACO_OK;
    while (!st && !(st = tar_next(&t, &more, err)) && more)
        if (name_of_sound(t.name)) st = add_sound(names, views, t.name, (bytes_view){ t.data, NULL, t.size }, err);
    tar_close(&t);
    return st;
}
static laco_status list_sounds(reader *r, bytes_view data, laco_error *err)
{
    buf names = { 0 }, views = { 0 };
    series_set *s = r->s;
    laco_status st = !data.at                  ? list_folder(&names, &views, data.name, err)
                     : tar_is(data.at, data.n) ? list_tar(&names, &views, data, err)
                                               : add_sound(&names, &views, data.name, data, err);
    s->count = (int64_t)(names.len / sizeof *s->name), s->name = (char **)names.data;
    r->bytes = (bytes_view *)views.data, r->folder = data.at ? NULL : data.name;
    if (!st && !s->count)
        st = fail(err, LACO_EFORMAT, -1, "%s holds no sounds; names that end in .wav, .flac or .ogg are looked for",
                  data.name);
    return st;
}

/* ---- one sound ---- */
static laco_status decode(const reader *r, int64_t i, recording *out, laco_error *err)
{
    if (!r->folder) return sound_decode(out, r->bytes[i].at, r->bytes[i].n, r->s->name[i], err);
    char *path = folder_path(r->folder, r->s->name[i]), *bytes = NULL;
    size_t n = 0;
    laco_status st = path ? file_read(path, sound_limit, &bytes, &n, err) : fail_memory(err, strlen(r->folder));
    if (!st) st = sound_decode(out, bytes, n, path, err);
    mem_free(path), mem_free(bytes);
    return st;
}
static laco_status fit_rate(const reader *r, int64_t i, recording *x, laco_error *err)
{
    if (x->rate == r->want.rate) return LACO_OK;
    if (r->want.resample) return sound_resample(x, r->want.rate, err);
    return fail(err, LACO_EFORMAT, i,
                "%s has %lld samples a second, %s%s%lld%s; give one rate to all, or let --resample do it",
                r->s->name[i], (long long)x->rate, r->rate_of ? r->rate_of : "", r->rate_of ? " " : "",
                (long long)r->want.rate, r->rate_of ? "" : " are expected");
}
static laco_status make_features(const reader *r, const recording *x, outcome *o, laco_error *err)
{
    int64_t frames = sound_frames(r->maker, x->n), hop = sound_hop_size(r->maker);
    double *scratch = mem_new(sound_scratch(r->maker), sizeof *scratch);
    o->x = mem_new((size_t)(frames * r->features), sizeof *o->x);
    laco_status st = scratch && o->x ? LACO_OK : fail_memory(err, (size_t)(frames * r->features) * sizeof *o->x);
    for (int64_t t = 0; !st && t < frames; t++)
        sound_frame(r->maker, x->x + t * hop, x->n - t * hop, scratch, o->x + t * r->features);
    mem_free(scratch);
    o->frames = frames, o->samples = x->n;
    return st;
}
static void read_sound(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const reader *r = ctx;
    outcome *o = &r->outcome[i];
    recording x = { 0 };
    if (!r->used[i]) return;
    o->st = decode(r, i, &x, &o->why);
    o->rate = x.rate;
    if (!o->st) o->st = fit_rate(r, i, &x, &o->why);
    if (!o->st) o->st = make_features(r, &x, o, &o->why);
    mem_free(x.x);
}
/* Of the first sound that can be read. */
static void find_rate(reader *r)
{
    for (int64_t i = 0; !r->want.rate && i < r->s->count; i++) {
        recording x;
        if (!r->used[i] || decode(r, i, &x, NULL)) continue;
        r->want.rate = x.rate, r->rate_of = r->s->name[i];
        mem_free(x.x);
    }
}

/* ---- all of them ---- */
/* A sound that cannot be read is an error, or left out and told. */
static laco_status judge(reader *r, const series_options *o, laco_error *err)
{
    for (int64_t i = 0; i < r->s->count; i++) {
        outcome *x = &r->outcome[i];
        if (!r->used[i] || !x->st) continue;
        if (!o->skip_bad || x->st == LACO_ENOMEM || x->st == LACO_EUNSUPPORTED) {
            if (err) *err = x->why;
            return x->st;
        }
        if (o->bad) o->bad(o->ctx, r->s->name[i], x->why.msg);
        r->used[i] = false;
    }
    return LACO_OK;
}
static void keep_text(char **texts, int64_t to, int64_t from)
{
    if (!texts || to == from) return;
    texts[to] = texts[from], texts[from] = NULL;
}
/* Those that are used close up, in their order. */
static void close_up(reader *r)
{
    series_set *s = r->s;
    int64_t to = 0;
    for (int64_t i = 0; i < s->count; i++) {
        if (!r->used[i]) {
            mem_free(s->name[i]), s->name[i] = NULL;
            if (s->label) mem_free(s->label[i]), s->label[i] = NULL;
            if (s->group) mem_free(s->group[i]), s->group[i] = NULL;
            mem_free(r->outcome[i].x), r->outcome[i].x = NULL;
            continue;
        }
        keep_text(s->name, to, i), keep_text(s->label, to, i), keep_text(s->group, to, i);
        if (s->target) s->target[to] = s->target[i];
        outcome x = r->outcome[i];
        r->outcome[i].x = NULL, r->outcome[to++] = x;
    }
    s->count = to;
}
static laco_status gather(reader *r, laco_error *err)
{
    series_set *s = r->s;
    int64_t steps = 0, samples = 0;
    s->start = mem_new((size_t)s->count + 1, sizeof *s->start);
    s->rates = mem_new((size_t)s->count, sizeof *s->rates);
    if (!s->start || !s->rates) return fail_memory(err, (size_t)s->count * sizeof *s->start);
    for (int64_t i = 0; i < s->count; i++) {
        const outcome *o = &r->outcome[i];
        s->start[i + 1] = steps += o->frames, samples += o->samples, s->rates[i] = o->rate;
    }
    size_t values = (size_t)(steps * r->features);
    if (!(s->x = mem_new(values, sizeof *s->x))) return fail_memory(err, values * sizeof *s->x);
    for (int64_t i = 0; i < s->count; i++) {
        outcome *o = &r->outcome[i];
        memcpy(s->x + s->start[i] * r->features, o->x, (size_t)(o->frames * r->features) * sizeof *s->x);
        mem_free(o->x), o->x = NULL;
    }
    s->features = r->features, s->rate = r->want.rate, s->seconds = (double)samples / (double)r->want.rate;
    return s->count ? LACO_OK : fail(err, LACO_EFORMAT, -1, "%s: no sound of it could be read", s->file);
}
static laco_status read_all(reader *r, const series_options *o, laco_error *err)
{
    int64_t n = r->s->count;
    r->used = mem_new((size_t)n, sizeof *r->used), r->outcome = mem_new((size_t)n, sizeof *r->outcome);
    if (!r->used || !r->outcome) return fail_memory(err, (size_t)n * sizeof *r->outcome);
    laco_status st = sound_label(r->s, r->used, o, err);
    if (st) return st;
    find_rate(r);
    if (r->want.rate && (st = sound_maker_new(&r->maker, &r->want, err))) return st;
    r->features = sound_feature_count(&r->want);
    if (o->pool)
        pool_run(o->pool, n, read_sound, r);
    else { /* the same bits as on the threads of a pool */
        uint64_t mode = flush_denormals();
        for (int64_t i = 0; i < n; i++) read_sound(r, i, 0);
        restore_denormals(mode);
    }
    if ((st = judge(r, o, err))) return st;
    close_up(r);
    return gather(r, err);
}
laco_status sound_set_read(series_set *out, bytes_view data, const series_options *o, laco_error *err)
{
    *out = (series_set){ .file = mem_text(data.name, strlen(data.name)) };
    reader r = { .s = out, .want = o->sound ? *o->sound : (sound_settings){ 0 } };
    laco_status st = out->file ? list_sounds(&r, data, err) : fail_memory(err, strlen(data.name));
    if (!st) st = read_all(&r, o, err);
    for (int64_t i = 0; r.outcome && i < out->count; i++) mem_free(r.outcome[i].x);
    mem_free(r.bytes), mem_free(r.used), mem_free(r.outcome), sound_maker_free(r.maker);
    if (!st && o->sound) o->sound->rate = r.want.rate;
    if (st) series_free(out);
    return st;
}
