/* Polyphonic music: reading it, its rows, and two baselines that only count: how often a key sounds, and that from
   whether it sounded in the step before. */
#include "task/compose.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/number.h"
#include <math.h>
#include <stdio.h>

static const char *const count_names[COUNTS] = { "frequency of keys", "from the step before" };
static const char *const part_keys[ROLL_PARTS] = { "train", "valid", "test" };

/* ---- reading ---- */
laco_status compose_parse(rolls part[ROLL_PARTS], const char *bytes, size_t n, double quarters, const char *name,
                          laco_error *err)
{
    for (int i = 0; i < ROLL_PARTS; i++) part[i] = (rolls){ 0 };
    if (!midi_is(bytes, n)) return rolls_parse(part, bytes, n, name, err);
    return midi_rolls(&part[ROLL_TRAIN], bytes, n, quarters, name, err);
}
typedef struct bad_files {
    file_log *log;
    laco_error err;
    laco_status status;
} bad_files;
static void keep_name(void *ctx, const char *name, const char *why)
{
    bad_files *b = ctx;
    buf line = { 0 };
    buf_printf(&line, "%s\t%s", name, why);
    if (!b->status)
        b->status = line.failed ? fail_memory(&b->err, line.len) : file_log_line(b->log, line.data, &b->err);
    buf_free(&line);
}
static laco_status read_folder(rolls part[ROLL_PARTS], task_job *j, const char *path, double quarters, laco_error *err)
{
    bad_files bad = { 0 };
    const char *to = options_text(j->o, "skip-bad");
    midi_folder f = { .quarters = quarters, .skip_bad = to != NULL, .tell = keep_name, .ctx = &bad };
    laco_status st = task_refuse_overwriting(j, "skip-bad", err);
    if (!st && to) st = file_log_open_at(&bad.log, to, 0, err);
    if (!st) st = midi_read_folder(part, path, &f, err);
    file_log_close(bad.log);
    if (!st && bad.status) st = fail(err, bad.status, bad.err.at, "%s", bad.err.msg);
    j->data_hash = hash_bytes(j->data_hash, &f.hash, sizeof f.hash);
    if (!st && f.bad) task_note(j, "left out  %lld MIDI files that cannot be read, named in %s", (long long)f.bad, to);
    if (!st && f.left_out) task_note(j, "left out  %lld notes that a piano does not have", (long long)f.left_out);
    return st;
}
laco_status compose_read(rolls part[ROLL_PARTS], task_job *j, double quarters, laco_error *err)
{
    char *bytes;
    size_t n;
    const char *name = options_text(j->o, "data");
    if (!j->text[TEXT_DATA] && name && folder_is(name)) return read_folder(part, j, name, quarters, err);
    if (options_type(j->o, "skip-bad") && options_given(j->o, "skip-bad"))
        return fail(err, LACO_EINVAL, -1, "--skip-bad leaves out files of a folder of MIDI; --data is one file");
    laco_status st = task_read(j, TEXT_DATA, &bytes, &n, &name, err);
    if (st) return st;
    if (!bytes)
        return fail(err, LACO_EINVAL, -1,
                    "--data is missing: piano rolls in a JSON file, MIDI, or a folder of MIDI files");
    st = compose_parse(part, bytes, n, quarters, name, err);
    mem_free(bytes);
    return st;
}
laco_status compose_rows(roll_rows *to, const rolls *r, int64_t folds, int64_t fold, bool inside, laco_error *err)
{
    to->x = r->step, to->row = mem_new((size_t)r->count, sizeof *to->row);
    to->drawn = mem_new((size_t)r->count, sizeof *to->drawn);
    if (!to->row || !to->drawn) return fail_memory(err, (size_t)r->count * sizeof *to->row);
    for (int64_t i = 0; i < r->count; i++) {
        int64_t length = r->start[i + 1] - r->start[i] - 1;
        if (folds && (i % folds == fold) != inside) continue;
        to->row[to->n++] = (text_row){ r->start[i], length, 0 };
        to->steps += length, to->longest = max64(to->longest, length);
    }
    lm_sort_rows(to->row, to->n);
    return LACO_OK;
}
void compose_data_free(compose_data *d)
{
    for (int i = 0; i < ROLL_PARTS; i++) mem_free(d->set[i].row), mem_free(d->set[i].drawn), rolls_free(&d->part[i]);
}
double compose_step(const laco_model *m, const options *o)
{
    const char *step = m ? model_get(m, "step") : NULL;
    double quarters = 1;
    if (step && !number_parse(step, &quarters)) quarters = 1;
    if (!m || options_given(o, "step")) quarters = options_real(o, "step");
    return quarters >= 1.0 / 480 && quarters <= 64 ? quarters : 1;
}
laco_status compose_check(const laco_model *m, const char *path, laco_error *err)
{
    if (!m->net->symbols && m->net->inputs == ROLL_KEYS && m->net->outputs == ROLL_KEYS) return LACO_OK;
    return fail(err, LACO_EFORMAT, -1, "%s: its network does not read and answer %d keys", path, ROLL_KEYS);
}

/* ---- measuring ---- */
train_batch compose_batch(const roll_rows *q, const text_row *row, int64_t n)
{
    return (train_batch){ .x = q->x, .y = q->x + ROLL_KEYS, .row = row, .B = n };
}
laco_status compose_measure(trainer *t, const roll_rows *q, int64_t batch, task_job *j, lm_loss *out, laco_error *err)
{
    train_batch all = compose_batch(q, q->row, q->n);
    laco_status st = q->n ? trainer_load(t, err) : LACO_OK;
    *out = (lm_loss){ 0 };
    if (!st && q->n) lm_measure_rows(t, &all, batch, q->steps, j, out);
    return st;
}

/* ---- baselines ---- a key sounds with probability (times it did + 1/2) / (times + 1) */
typedef struct key_counts {
    double on[2][ROLL_KEYS], all[2][ROLL_KEYS]; /* by whether the key sounded before */
} key_counts;
static int state_before(int kind, float x) { return kind == COUNT_MARKOV && x > 0; }
static void count_keys(key_counts *c, const roll_rows *q, int kind)
{
    for (int64_t i = 0; i < q->n; i++)
        for (int64_t t = 0; t < q->row[i].length; t++) {
            const float *x = q->x + (q->row[i].start + t) * ROLL_KEYS, *y = x + ROLL_KEYS;
            for (int k = 0; k < ROLL_KEYS; k++) {
                int before = state_before(kind, x[k]);
                c->on[before][k] += y[k], c->all[before][k]++;
            }
        }
}
static lm_loss count_loss(const key_counts *c, const roll_rows *q, int kind)
{
    lm_loss l = { .tokens = q->steps };
    key_counts log_p = { 0 }; /* of a key that sounds, and of one that does not */
    for (int before = 0; before < 2; before++)
        for (int k = 0; k < ROLL_KEYS; k++) {
            double p = (c->on[before][k] + 0.5) / (c->all[before][k] + 1);
            log_p.on[before][k] = log(p), log_p.all[before][k] = log1p(-p);
        }
    for (int64_t i = 0; i < q->n; i++)
        for (int64_t t = 0; t < q->row[i].length; t++) {
            const float *x = q->x + (q->row[i].start + t) * ROLL_KEYS, *y = x + ROLL_KEYS;
            for (int k = 0; k < ROLL_KEYS; k++) {
                int before = state_before(kind, x[k]);
                l.sum -= y[k] > 0 ? log_p.on[before][k] : log_p.all[before][k];
            }
        }
    return l;
}
void compose_baselines(compose_data *d)
{
    for (int kind = 0; kind < COUNTS; kind++) {
        key_counts c = { 0 };
        count_keys(&c, &d->set[ROLL_TRAIN], kind);
        for (int part = ROLL_VALID; part < ROLL_PARTS; part++)
            d->baseline[kind][part] = count_loss(&c, &d->set[part], kind);
    }
}

/* ---- the report ---- */
static void note_row(const compose_data *d, int first, const char *name, const lm_loss *by_part,
                     void (*line)(void *ctx, const char *text), void *ctx)
{
    static const char *const titles[ROLL_PARTS] = { "train", "validation", "test" };
    char text[128];
    int n = snprintf(text, sizeof text, "  %-22s", name);
    for (int i = first; i < ROLL_PARTS; i++) {
        char cell[16] = "";
        if (!by_part)
            snprintf(cell, sizeof cell, "%s", d->set[i].n ? titles[i] : "");
        else if (by_part[i].tokens)
            snprintf(cell, sizeof cell, "%.4f", lm_mean(by_part[i]));
        n += snprintf(text + n, sizeof text - (size_t)n, i + 1 < ROLL_PARTS ? " %-12s" : "%s", cell);
    }
    while (n && text[n - 1] == ' ') text[--n] = 0;
    line(ctx, text);
}
void compose_report(const compose_data *d, int first, bool baselines, void (*line)(void *ctx, const char *text),
                    void *ctx)
{
    note_row(d, first, "nats per time step", NULL, line, ctx);
    for (int kind = 0; baselines && kind < COUNTS; kind++)
        note_row(d, first, count_names[kind], d->baseline[kind], line, ctx);
    note_row(d, first, "this network", d->loss, line, ctx);
}
void compose_loss_json(json_out *o, const char *key, lm_loss l)
{
    json_key(o, key), json_begin(o, '{');
    json_key(o, "nats"), json_number(o, lm_mean(l));
    json_key(o, "steps"), json_int(o, l.tokens);
    json_end(o, '}');
}
void compose_json(const compose_data *d, json_out *o)
{
    for (int i = 0; i < ROLL_PARTS; i++)
        if (d->loss[i].tokens) compose_loss_json(o, part_keys[i], d->loss[i]);
    json_key(o, "baselines"), json_begin(o, '{');
    for (int kind = 0; kind < COUNTS; kind++) {
        json_key(o, count_names[kind]), json_begin(o, '{');
        for (int i = ROLL_VALID; i < ROLL_PARTS; i++)
            if (d->baseline[kind][i].tokens) compose_loss_json(o, part_keys[i], d->baseline[kind][i]);
        json_end(o, '}');
    }
    json_end(o, '}');
}
