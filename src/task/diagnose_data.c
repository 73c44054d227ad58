/* Sequences to look at, all of one length: passages of a text, evenly spaced; lines, from their beginning; sequences of
   numbers, up to their end, since that is where long-memory tasks are asked. */
#include "data/rolls.h"
#include "data/synthetic.h"
#include "task/diagnose.h"
#include "task/lm.h"
#include <math.h>
#include <stdio.h>

void diag_data_free(diag_data *d)
{
    mem_free(d->ids), mem_free(d->x), mem_free(d->classes), mem_free(d->y);
    d->ids = NULL, d->x = NULL, d->classes = NULL, d->y = NULL;
}
enum { MOST_WARM = 50, FEWEST_STEPS = 3 };
static int64_t steps_wanted(const task_job *j, int64_t most)
{
    int64_t steps = options_int(j->o, "steps");
    return min64(steps ? max64(steps, FEWEST_STEPS) : 200, most);
}

/* ---- text ---- */
/* Fills the sequences from the places of their first targets. */
static laco_status fill_text(diag_data *d, const lm_text *t, const int64_t *start, laco_error *err)
{
    size_t n = (size_t)(d->T * d->B);
    d->ids = mem_new(n, sizeof *d->ids), d->classes = mem_new(n, sizeof *d->classes);
    if (!d->ids || !d->classes) return fail_memory(err, n * sizeof *d->ids);
    for (int64_t i = 0; i < d->T; i++)
        for (int64_t b = 0; b < d->B; b++) {
            d->ids[i * d->B + b] = t->ids[start[b] + i - 1];
            d->classes[i * d->B + b] = t->ids[start[b] + i];
        }
    d->loss = LOSS_SOFTMAX;
    return LACO_OK;
}
static laco_status passages(diag_data *d, const lm_text *t, task_job *j, int64_t *start, laco_error *err)
{
    int64_t n = t->n - 1, steps = steps_wanted(j, n);
    d->warm = min64(min64(MOST_WARM, steps), n - steps), d->T = d->warm + steps;
    d->B = min64(options_int(j->o, "batch"), n - d->T + 1);
    if (d->T < FEWEST_STEPS) return fail(err, LACO_EINVAL, -1, "%s is too short to look along time", t->name);
    for (int64_t b = 0; b < d->B; b++) start[b] = 1 + (d->B > 1 ? (n - d->T) * b / (d->B - 1) : 0);
    return LACO_OK;
}
static laco_status lines(diag_data *d, const lm_text *t, int32_t eos, task_job *j, int64_t *start, laco_error *err)
{
    text_row *row = NULL;
    int64_t n = 0;
    laco_status st = lm_lines(t, eos, &row, &n, err);
    if (st) return st;
    lm_sort_rows(row, n);
    d->B = min64(options_int(j->o, "batch"), n);
    d->T = steps_wanted(j, row[d->B - 1].length);
    for (int64_t b = 0; b < d->B; b++) start[b] = row[b].start;
    mem_free(row);
    if (d->T < FEWEST_STEPS)
        return fail(err, LACO_EINVAL, -1, "%s: its lines are too short to look along time", t->name);
    return LACO_OK;
}
static const char *const units[] = { "bytes", "characters", "words" }; /* in the order of text_unit */

static laco_status text_data(diag_data *d, const laco_model *m, task_job *j, laco_error *err)
{
    const char *voc = model_get(m, "vocabulary"), *mode = model_get(m, "mode"), *name = NULL;
    vocab *v = NULL;
    lm_text t = { 0 };
    char *bytes = NULL;
    size_t n = 0;
    bool by_line = mode && !strcmp(mode, "line");
    int64_t *start = mem_new((size_t)options_int(j->o, "batch"), sizeof *start);
    laco_status st = start ? LACO_OK : fail_memory(err, sizeof *start);
    if (!st && !voc) st = fail(err, LACO_EFORMAT, -1, "the model has no vocabulary: its file is damaged");
    if (!st) st = vocab_from_json(&v, voc, strlen(voc), err);
    if (!st && (vocab_size(v) != m->net->inputs || vocab_size(v) != m->net->outputs))
        st = fail(err, LACO_EFORMAT, -1, "the vocabulary has %d symbols, the network %lld outputs", vocab_size(v),
                  (long long)m->net->outputs);
    if (!st) st = task_read(j, TEXT_DATA, &bytes, &n, &name, err);
    if (!st && !bytes) st = fail(err, LACO_EINVAL, -1, "--data is missing: a text to look at");
    if (!st) st = lm_encode(&t, v, bytes, n, name, true, &d->skipped, err);
    if (!st) st = by_line ? lines(d, &t, vocab_eos(v), j, start, err) : passages(d, &t, j, start, err);
    if (!st) st = fill_text(d, &t, start, err);
    if (!st)
        snprintf(d->about, sizeof d->about, "%lld %s of %lld %s of %.100s", (long long)d->B,
                 by_line ? "lines" : "passages", (long long)(d->T - d->warm), units[vocab_unit(v)], name);
    mem_free(bytes), mem_free(start), lm_text_free(&t), vocab_free(v);
    return st;
}

/* ---- numbers ---- */
static laco_status take_numbers(diag_data *d, const laco_model *m, laco_error *err)
{
    size_t n = (size_t)(d->T * d->B), in = (size_t)m->net->inputs, out = (size_t)m->net->outputs;
    d->x = mem_new(n * in, sizeof *d->x);
    if (d->loss == LOSS_SOFTMAX)
        d->classes = mem_new(n, sizeof *d->classes);
    else
        d->y = mem_new(n * out, sizeof *d->y);
    return d->x && (d->classes || d->y) ? LACO_OK : fail_memory(err, n * in * sizeof *d->x);
}
/* The last T steps of a sequence of `length` become row b. */
static void put_row(diag_data *d, const laco_model *m, int64_t b, int64_t length, const float *x, const float *y,
                    const int32_t *classes)
{
    int64_t in = m->net->inputs, out = m->net->outputs, from = length - d->T;
    for (int64_t t = 0; t < d->T; t++) {
        for (int64_t i = 0; i < in; i++) d->x[(t * d->B + b) * in + i] = (double)x[(from + t) * in + i];
        if (d->classes)
            d->classes[t * d->B + b] = classes[from + t];
        else
            memcpy(d->y + (t * d->B + b) * out, y + (from + t) * out, (size_t)out * sizeof *y);
    }
}
static int shorter(const void *a, const void *b)
{
    const text_row *x = a, *y = b;
    if (x->length != y->length) return x->length < y->length ? 1 : -1;
    return x->start < y->start ? -1 : x->start > y->start;
}
/* The longest B of the rows, and as many steps as the shortest of them has. */
static void choose_longest(diag_data *d, text_row *row, int64_t n, const task_job *j)
{
    qsort(row, (size_t)n, sizeof *row, shorter);
    d->B = min64(options_int(j->o, "batch"), n), d->T = row[d->B - 1].length;
}
static laco_status enough_steps(const diag_data *d, laco_error *err)
{
    return d->T >= FEWEST_STEPS ? LACO_OK
                                : fail(err, LACO_EINVAL, -1, "the sequences are too short to look along time");
}
static laco_status fill_synthetic(diag_data *d, const laco_model *m, const synth *s, const text_row *row,
                                  laco_error *err)
{
    size_t in = (size_t)(row[0].length * s->inputs), out = (size_t)(row[0].length * s->outputs);
    float *x = mem_new(in, sizeof *x), *y = mem_new(out, sizeof *y);
    int32_t *classes = mem_new((size_t)row[0].length, sizeof *classes);
    laco_status st = x && y && classes ? take_numbers(d, m, err) : fail_memory(err, in * sizeof *x);
    for (int64_t b = 0; !st && b < d->B; b++) {
        memset(x, 0, in * sizeof *x);
        for (size_t i = 0; i < out; i++) y[i] = NAN;
        for (int64_t t = 0; t < row[0].length; t++) classes[t] = -1;
        synth_make(s, SYNTH_TEST, row[b].start, row[b].length, x, (synth_target){ y, classes });
        put_row(d, m, b, row[b].length, x, y, classes);
    }
    mem_free(x), mem_free(y), mem_free(classes);
    return st;
}
enum { MOST_DRAWN = 1000 }; /* sequences that the longest are chosen among */
static laco_status synthetic_data(diag_data *d, const laco_model *m, task_job *j, laco_error *err)
{
    const char *words = model_get(m, "synthetic");
    synth *s = NULL;
    text_row row[MOST_DRAWN];
    laco_status st = words ? synth_parse(&s, words, err)
                           : fail(err, LACO_EFORMAT, -1, "the model does not say its task: its file is damaged");
    if (!st && (s->inputs != m->net->inputs || s->outputs != m->net->outputs))
        st = fail(err, LACO_EFORMAT, -1, "the task has %lld inputs and %lld outputs, the network others",
                  (long long)s->inputs, (long long)s->outputs);
    if (st) return synth_free(s), st;
    int64_t n = max64(1, min64(MOST_DRAWN, synth_count(s, SYNTH_TEST)));
    for (int64_t i = 0; i < n; i++) row[i] = (text_row){ i, synth_length(s, SYNTH_TEST, i), 0 };
    choose_longest(d, row, n, j);
    if (options_int(j->o, "steps")) d->T = min64(d->T, max64(FEWEST_STEPS, options_int(j->o, "steps")));
    d->loss = s->task->loss == SYNTH_CLASSES   ? LOSS_SOFTMAX
              : s->task->loss == SYNTH_SQUARED ? LOSS_SQUARED
                                               : LOSS_BERNOULLI;
    st = enough_steps(d, err);
    if (!st) st = fill_synthetic(d, m, s, row, err);
    snprintf(d->about, sizeof d->about, "%lld sequences of %lld steps, %.100s", (long long)d->B, (long long)d->T,
             words);
    synth_free(s);
    return st;
}
static laco_status fill_rolls(diag_data *d, const laco_model *m, const rolls *r, task_job *j, laco_error *err)
{
    text_row *row = mem_new((size_t)r->count, sizeof *row);
    if (!row) return fail_memory(err, (size_t)r->count * sizeof *row);
    for (int64_t i = 0; i < r->count; i++) row[i] = (text_row){ r->start[i], r->start[i + 1] - r->start[i] - 1, 0 };
    choose_longest(d, row, r->count, j);
    d->T = steps_wanted(j, d->T), d->loss = LOSS_BERNOULLI;
    laco_status st = enough_steps(d, err);
    if (!st) st = take_numbers(d, m, err);
    for (int64_t b = 0; !st && b < d->B; b++) {
        const float *x = r->step + row[b].start * ROLL_KEYS;
        put_row(d, m, b, row[b].length, x, x + ROLL_KEYS, NULL);
    }
    mem_free(row);
    return st;
}
static laco_status rolls_data(diag_data *d, const laco_model *m, task_job *j, laco_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    const char *name = NULL;
    rolls part[ROLL_PARTS] = { 0 };
    laco_status st = task_read(j, TEXT_DATA, &bytes, &n, &name, err);
    if (!st && !bytes) st = fail(err, LACO_EINVAL, -1, "--data is missing: piano rolls to look at");
    if (!st && (m->net->inputs != ROLL_KEYS || m->net->outputs != ROLL_KEYS))
        st = fail(err, LACO_EFORMAT, -1, "the network does not read %d keys", ROLL_KEYS);
    if (!st) st = rolls_parse(part, bytes, n, name, err);
    if (!st) st = fill_rolls(d, m, &part[part[ROLL_TEST].count ? ROLL_TEST : ROLL_TRAIN], j, err);
    if (!st)
        snprintf(d->about, sizeof d->about, "%lld pieces, %lld steps of each, of %.100s", (long long)d->B,
                 (long long)d->T, name);
    for (int i = 0; i < ROLL_PARTS; i++) rolls_free(&part[i]);
    mem_free(bytes);
    return st;
}

static const struct {
    const char *task;
    bool symbols;
    laco_status (*make)(diag_data *d, const laco_model *m, task_job *j, laco_error *err);
} sources[] = { { "lm", true, text_data }, { "synthetic", false, synthetic_data }, { "compose", false, rolls_data } };

laco_status diag_data_make(diag_data *out, const laco_model *m, task_job *j, laco_error *err)
{
    const char *task = model_get(m, "task");
    *out = (diag_data){ 0 };
    for (size_t i = 0; task && i < sizeof sources / sizeof *sources; i++)
        if (!strcmp(task, sources[i].task) && m->net->symbols == sources[i].symbols) {
            laco_status st = sources[i].make(out, m, j, err);
            if (st) diag_data_free(out);
            return st;
        }
    return fail(err, LACO_EINVAL, -1, "only models of laco train can be diagnosed, which say what data they read");
}
