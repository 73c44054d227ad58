/* Checkpoints of a fit: what goes into a file, when one is due, the text of run.json, and the way back. */
#include "base/hash.h"
#include "base/json_utf8.h"
#include "task/fit.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>

enum { PARTS = TRAIN_PARTS + 3 };

/* ---- when ---- "5m", "90s", "2h", or a number of updates */
static laco_status parse_every(fit *f, laco_error *err)
{
    const char *text = options_text(f->o, "every");
    char *end;
    double x = strtod(text, &end);
    double unit = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : 0;
    if (end == text || !(x > 0) || x > 1e15 || (*end && (!unit || end[1])) || (!*end && x != floor(x)))
        return fail(err, LACO_EINVAL, -1,
                    "--every %.40s: write a time such as 5m, 90s or 2h, or a whole number of updates", text);
    if (*end)
        f->every_seconds = x * unit;
    else
        f->every_updates = (int64_t)x;
    return LACO_OK;
}
bool fit_checkpoint_due(const fit *f)
{
    if (!f->to || trainer_counted(f->t)->pending) return false;
    if (f->every_updates) return trainer_counted(f->t)->updates - f->checked_update >= f->every_updates;
    return clock_seconds() - f->checked >= f->every_seconds;
}

/* ---- what ---- */
static st_tensor raw(const fit *f, const char *name, const void *data, int64_t n)
{
    return (st_tensor){ .name = name,
                        .dtype = f->m->net->k->real_size == 4 ? ST_F32 : ST_F64,
                        .rank = 1,
                        .shape = { n },
                        .data = data,
                        .bytes = (size_t)(n * f->m->net->k->real_size) };
}
static st_tensor bytes_of(const char *name, const void *data, size_t n)
{
    return (st_tensor){ .name = name, .dtype = ST_U8, .rank = 1, .shape = { (int64_t)n }, .data = data, .bytes = n };
}
void fit_checkpoint(fit *f, int64_t epoch_done, bool best)
{
    train_part part[TRAIN_PARTS];
    st_tensor t[PARTS];
    laco_error err;
    fit_counts c = f->c;
    fit_figures x = f->x;
    int n = 0;
    if (!f->to) return;
    c.trained = *trainer_counted(f->t), c.train_tokens = f->train.tokens;
    c.log_bytes = f->log ? log_position(f->log) : 0;
    x.train_loss = f->train.loss, x.elapsed = fit_elapsed(f);
    t[n++] = bytes_of("counts", &c, sizeof c), t[n++] = bytes_of("figures", &x, sizeof x);
    if (f->best) t[n++] = raw(f, "best", f->best, f->m->net->params);
    for (int i = 0, k = trainer_parts(f->t, part); i < k; i++) t[n++] = raw(f, part[i].name, part[i].data, part[i].n);
    laco_status st =
        checkpoints_write(f->to, &(checkpoint_kind){ .update = c.trained.updates, .epoch = epoch_done, .best = best },
                          t, (size_t)n, &err);
    f->checked = clock_seconds(), f->checked_update = c.trained.updates;
    if (st && !f->checkpoint_failed) task_note(f->j, "checkpoint not written, training goes on: %s", err.msg);
    f->checkpoint_failed = st != LACO_OK;
}

/* ---- run.json ---- */
static laco_status option_for_later(const char *name, const char *value, char type, char to[PATH_MAX], laco_error *err)
{
    char here[PATH_MAX];
    snprintf(to, PATH_MAX, "%s", value);
    if (type != 'p') return LACO_OK;
    if (!strcmp(value, "-"))
        return fail(err, LACO_EINVAL, -1,
                    "--checkpoint needs --%s from a file: standard input cannot be read again when the run goes on",
                    name);
    for (size_t i = 0, n = strlen(value), k; i < n; i += k)
        if (!(k = json_utf8_next(value + i, n - i, NULL)))
            return fail(err, LACO_EINVAL, -1,
                        "--checkpoint needs paths in UTF-8, which --%s is not; give it another name", name);
    if (value[0] == '/') return LACO_OK;
    if (!realpath(".", here) || snprintf(to, PATH_MAX, "%s/%s", here, value) >= PATH_MAX)
        return fail(err, LACO_EINVAL, -1, "--%s: the path from the root to %.200s is too long", name, value);
    return LACO_OK;
}
static laco_status run_text(const fit *f, buf *to, laco_error *err)
{
    json_out o = { .to = to };
    const char *name, *value;
    char later[PATH_MAX], hash[24];
    laco_status st = LACO_OK;
    for (int i = 0; i < TEXTS; i++)
        if (f->j->text[i]) return fail(err, LACO_EINVAL, -1, "--checkpoint needs its data from files, not from memory");
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)f->j->data_hash);
    json_begin(&o, '{');
    json_key(&o, "laco"), json_text(&o, laco_version());
    json_key(&o, "command"), json_text(&o, f->j->command);
    json_key(&o, "instruction_set"), json_text(&o, f->m->net->k->isa);
    json_key(&o, "data"), json_text(&o, hash);
    json_key(&o, "options"), json_begin(&o, '{');
    for (int i = 0; !st && options_at(f->o, i, &name, &value); i++) {
        if (!value) continue;
        st = option_for_later(name, value, options_type(f->o, name), later, err);
        json_key(&o, name), json_text(&o, later);
    }
    json_end(&o, '}'), json_end(&o, '}');
    return !st && to->failed ? fail_memory(err, to->len) : st;
}
static laco_status create(fit *f, laco_error *err)
{
    const char *folder = options_text(f->o, "checkpoint");
    buf text = { 0 };
    if (!folder) return LACO_OK;
    laco_status st = run_text(f, &text, err);
    if (!st) st = checkpoints_create(&f->to, folder, text.data, err);
    buf_free(&text);
    return st;
}

/* ---- the way back ---- */
static void note_damaged(void *ctx, const char *sentence)
{
    task_note(((fit *)ctx)->j, "damaged   %s; the checkpoint before it is taken", sentence);
}
static laco_status check_run(fit *f, laco_error *err)
{
    json_doc *d = NULL;
    char hash[24];
    laco_status st = checkpoints_read_run(&d, f->j->resume, err);
    if (st) return st;
    const json *data = json_get(json_root(d), "data"), *isa = json_get(json_root(d), "instruction_set");
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)f->j->data_hash);
    if (!data || data->kind != JSON_STRING || strcmp(data->text, hash))
        st = fail(err, LACO_EINVAL, -1,
                  "the data is not what the run in %s began with: put the files back as they were, or train anew",
                  f->j->resume);
    else if (isa && isa->kind == JSON_STRING && strcmp(isa->text, f->m->net->k->isa))
        task_note(f->j, "note      the run began on %.20s, here it is %s: the same numbers, rounded otherwise",
                  isa->text, f->m->net->k->isa);
    json_free(d);
    return st;
}
static laco_status take_part(const fit *f, const char *name, void *to, int64_t n, laco_error *err)
{
    return checkpoint_get(f->from, name, to, (size_t)(n * f->m->net->k->real_size), err);
}
/* Counts are never negative: a file that says otherwise was not written here. */
static laco_status check_counts(const fit_counts *c, laco_error *err)
{
    const int64_t *here = (const int64_t *)c, *there = (const int64_t *)&c->trained;
    bool good = isfinite(c->trained.rate_factor) && c->validated < INT64_MAX / 2 && c->epoch < INT64_MAX / 2;
    for (size_t i = 0; i < offsetof(fit_counts, trained) / sizeof *here; i++) good &= here[i] >= 0;
    for (size_t i = 0; i < offsetof(train_counts, rate_factor) / sizeof *there; i++) good &= there[i] >= 0;
    return good ? LACO_OK : fail(err, LACO_EFORMAT, -1, "the checkpoint counts what cannot be; train anew");
}
static laco_status restore(fit *f, laco_error *err)
{
    train_part part[TRAIN_PARTS];
    int64_t params = f->m->net->params;
    char shown[32];
    laco_status st = checkpoint_get(f->from, "counts", &f->c, sizeof f->c, err);
    if (!st) st = check_counts(&f->c, err);
    if (!st) st = checkpoint_get(f->from, "figures", &f->x, sizeof f->x, err);
    if (!st && st_find(f->from, "best")) {
        f->best = mem_new((size_t)params, (size_t)f->m->net->k->real_size);
        st = f->best ? take_part(f, "best", f->best, params, err) : fail_memory(err, (size_t)params * 4);
    }
    if (!st) trainer_count(f->t, &f->c.trained);
    for (int i = 0, n = trainer_parts(f->t, part); !st && i < n; i++)
        st = take_part(f, part[i].name, part[i].data, part[i].n, err);
    if (st) return st;
    f->train = (fit_score){ .loss = f->x.train_loss, .tokens = f->c.train_tokens };
    f->checked_update = f->c.trained.updates, f->unsaved = f->best != NULL;
    task_note(f->j, "resumed   at update %s, epoch %.2f", task_count(f->c.trained.updates, shown),
              (double)f->c.epoch + (double)f->c.done / (double)f->tokens);
    return LACO_OK;
}
laco_status fit_checkpoint_open(fit *f, laco_error *err)
{
    laco_status st = parse_every(f, err);
    if (st || !f->j->resume) return st ? st : create(f, err);
    st = checkpoints_open(&f->to, f->j->resume, err);
    if (!st) st = check_run(f, err);
    if (!st) st = checkpoints_newest(f->to, &f->from, note_damaged, f, err);
    if (!st && !f->from) task_note(f->j, "resumed   at the beginning: there is no checkpoint yet");
    return st || !f->from ? st : restore(f, err);
}
laco_status fit_resume_batch(fit *f, laco_error *err)
{
    train_part part[TRAIN_PARTS];
    laco_status st = LACO_OK;
    trainer_seek(f->t, f->c.step), trainer_count(f->t, &f->c.trained);
    for (int i = 0, n = trainer_parts(f->t, part); !st && i < n; i++)
        st = take_part(f, part[i].name, part[i].data, part[i].n, err);
    st_free(f->from), f->from = NULL;
    return st;
}
