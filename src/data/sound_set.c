/* Sounds are listed first, with what their names tell; then read part by part. */
#include "data/sound_set.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/pool.h"
#include "data/sound_label.h"
#include "data/sound_segment.h"
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
    series_set all;      /* names and what is known by them; no sequences */
    const char *folder;  /* that the names are in; NULL: the bytes are there */
    bytes_view *bytes;   /* [count] or NULL */
    bool *used;          /* [count] */
    int64_t first;       /* sound of the part */
    outcome *outcome;    /* [most] of the part */
    sound_settings want; /* with the rate that all must have */
    const char *rate_of; /* the sound that has it; NULL: it was asked for */
    sound_maker *maker;
    int64_t features;
    sound_segments labels; /* of steps; label NULL: none */
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
    series_set *s = &r->all;
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
    if (!r->folder) return sound_decode(out, r->bytes[i].at, r->bytes[i].n, r->all.name[i], err);
    char *path = folder_path(r->folder, r->all.name[i]), *bytes = NULL;
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
                r->all.name[i], (long long)x->rate, r->rate_of ? r->rate_of : "", r->rate_of ? " " : "",
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
static void read_sound(void *ctx, int64_t k, int thread)
{
    (void)thread;
    const reader *r = ctx;
    outcome *o = &r->outcome[k];
    int64_t i = r->first + k;
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
    for (int64_t i = 0; !r->want.rate && i < r->all.count; i++) {
        recording x;
        if (!r->used[i] || decode(r, i, &x, NULL)) continue;
        r->want.rate = x.rate, r->rate_of = r->all.name[i];
        mem_free(x.x);
    }
}

/* ---- a part of them ---- */
/* A sound that cannot be read is an error, or left out and told. */
static laco_status judge(reader *r, int64_t n, const series_options *o, laco_error *err)
{
    for (int64_t k = 0; k < n; k++) {
        outcome *x = &r->outcome[k];
        if (!r->used[r->first + k] || !x->st) continue;
        if (!o->skip_bad || x->st == LACO_ENOMEM || x->st == LACO_EUNSUPPORTED) {
            if (err) *err = x->why;
            return x->st;
        }
        if (o->bad) o->bad(o->ctx, r->all.name[r->first + k], x->why.msg);
        r->used[r->first + k] = false;
    }
    return LACO_OK;
}
static void move_text(char **to, int64_t k, char **from, int64_t i)
{
    if (to) to[k] = from[i], from[i] = NULL;
}
static bool new_step_labels(series_set *s, const intern *labels, int64_t steps)
{
    int32_t n = intern_count(labels);
    s->step_label = mem_new((size_t)steps, sizeof *s->step_label);
    s->label_text = mem_new((size_t)n + 1, sizeof *s->label_text);
    bool ok = s->step_label && s->label_text;
    for (int32_t k = 0; ok && k < n; k++) {
        const char *text = intern_text(labels, k);
        ok = (s->label_text[k] = mem_text(text, strlen(text))) != NULL;
    }
    return ok;
}
/* Room for the sounds of the part that are used, and what is known of them. */
static laco_status new_part(reader *r, int64_t n, series_set *s, laco_error *err)
{
    const series_set *all = &r->all;
    int64_t steps = 0, used = 0;
    for (int64_t k = 0; k < n; k++)
        if (r->used[r->first + k]) used++, steps += r->outcome[k].frames;
    *s = (series_set){ .count = used, .features = r->features, .rate = r->want.rate };
    s->start = mem_new((size_t)used + 1, sizeof *s->start), s->rates = mem_new((size_t)used, sizeof *s->rates);
    s->x = mem_new((size_t)(steps * r->features), sizeof *s->x), s->name = mem_new((size_t)used, sizeof *s->name);
    bool ok = s->start && s->rates && s->x && s->name && (s->file = mem_text(all->file, strlen(all->file)));
    if (all->label) ok = (s->label = mem_new((size_t)used, sizeof *s->label)) != NULL && ok;
    if (all->group) ok = (s->group = mem_new((size_t)used, sizeof *s->group)) != NULL && ok;
    if (r->labels.label) ok = new_step_labels(s, r->labels.label, steps) && ok;
    if (all->target) ok = (s->target = mem_new((size_t)used, sizeof *s->target)) != NULL && ok;
    return ok ? LACO_OK : fail_memory(err, (size_t)(steps * r->features) * sizeof *s->x);
}
static void label_steps(const reader *r, int64_t sound, char **label, int64_t steps, char *const *text)
{
    double hop, middle;
    sound_times(&r->want, &hop, &middle);
    for (int64_t t = 0; t < steps; t++) label[t] = text[sound_segment_at(&r->labels, sound, middle + (double)t * hop)];
}
static void fill_part(reader *r, int64_t n, series_set *s)
{
    int64_t to = 0, samples = 0;
    for (int64_t k = 0; k < n; k++) {
        outcome *o = &r->outcome[k];
        int64_t i = r->first + k, start = s->start[to];
        if (!r->used[i]) continue;
        memcpy(s->x + start * s->features, o->x, (size_t)(o->frames * s->features) * sizeof *s->x);
        s->start[to + 1] = start + o->frames, samples += o->samples, s->rates[to] = o->rate;
        move_text(s->name, to, r->all.name, i), move_text(s->label, to, r->all.label, i);
        move_text(s->group, to, r->all.group, i);
        if (s->step_label) label_steps(r, i, s->step_label + start, o->frames, s->label_text);
        if (s->target) s->target[to] = r->all.target[i];
        to++;
    }
    s->seconds = s->rate ? (double)samples / (double)s->rate : 0;
}
static void free_outcomes(reader *r, int64_t n)
{
    for (int64_t k = 0; k < n; k++) mem_free(r->outcome[k].x), r->outcome[k] = (outcome){ 0 };
}
/* n sounds from r->first on. */
static laco_status read_part(reader *r, int64_t n, const series_options *o, series_set *s, laco_error *err)
{
    *s = (series_set){ 0 };
    if (o->pool)
        pool_run(o->pool, n, read_sound, r);
    else { /* the same bits as on the threads of a pool */
        uint64_t mode = flush_denormals();
        for (int64_t k = 0; k < n; k++) read_sound(r, k, 0);
        restore_denormals(mode);
    }
    laco_status st = judge(r, n, o, err);
    if (!st && !(st = new_part(r, n, s, err))) fill_part(r, n, s);
    if (st) series_free(s);
    return free_outcomes(r, n), st;
}

/* ---- all of them ---- */
static laco_status prepare(reader *r, int64_t most, const series_options *o, laco_error *err)
{
    r->used = mem_new((size_t)r->all.count, sizeof *r->used), r->outcome = mem_new((size_t)most, sizeof *r->outcome);
    if (!r->used || !r->outcome) return fail_memory(err, (size_t)r->all.count * sizeof *r->outcome);
    bool stretches = o->rest && o->labels;
    laco_status st =
        stretches ? sound_segments_read(&r->labels, &r->all, r->used, o, err) : sound_label(&r->all, r->used, o, err);
    if (st) return st;
    find_rate(r);
    if (r->want.rate && (st = sound_maker_new(&r->maker, &r->want, err))) return st;
    if (o->sound) o->sound->rate = r->want.rate;
    r->features = sound_feature_count(&r->want);
    return LACO_OK;
}
laco_status sound_set_read(const series_parts *to, bytes_view data, const series_options *o, laco_error *err)
{
    reader r = { .all.file = mem_text(data.name, strlen(data.name)),
                 .want = o->sound ? *o->sound : (sound_settings){ 0 } };
    laco_status st = r.all.file ? list_sounds(&r, data, err) : fail_memory(err, strlen(data.name));
    int64_t most = min64(to->most, r.all.count), read = 0;
    if (!st) st = prepare(&r, most, o, err);
    for (series_set s; !st && r.first < r.all.count; r.first += most) {
        st = read_part(&r, min64(most, r.all.count - r.first), o, &s, err);
        s.first = read;
        if (!st) read += s.count, st = s.count ? to->take(to->ctx, &s, err) : (series_free(&s), LACO_OK);
    }
    if (!st && !read) st = fail(err, LACO_EFORMAT, -1, "%s: no sound of it could be read", data.name);
    mem_free(r.bytes), mem_free(r.used), mem_free(r.outcome), sound_maker_free(r.maker), series_free(&r.all);
    sound_segments_free(&r.labels);
    return st;
}
