/* Data sets of a tagger: sentences in columns, as types of words; or series from a table, rows of numbers. */
#include "data/readers.h"
#include "task/series_options.h"
#include "task/tag.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

void tag_data_free(tag_data *d)
{
    void *all[] = { d->file, d->start, d->line, d->type, d->x, d->tag, d->class };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    *d = (tag_data){ 0 };
}
void tag_data_clear(tag_data *d) { d->sentences = d->words = 0; }

static laco_status grow(void *array, size_t size, int64_t from, int64_t to, laco_error *err)
{
    void **at = array, *bigger = mem_resize(*at, (size_t)from * size, (size_t)to * size);
    if (!bigger) return fail_memory(err, (size_t)to * size);
    *at = bigger;
    return LACO_OK;
}
/* Room for a sentence of n words more. inputs: numbers of a step, 0: types. */
static laco_status make_room(tag_data *d, int64_t n, int64_t inputs, laco_error *err)
{
    laco_status st = LACO_OK;
    int64_t room = d->words + n > d->room ? 2 * (d->words + n) + 64 : d->room;
    if (room > d->room) {
        if (inputs)
            st = grow(&d->x, sizeof *d->x * (size_t)inputs, d->room, room, err);
        else
            st = grow(&d->type, sizeof *d->type, d->room, room, err);
        if (!st) st = grow(&d->tag, sizeof *d->tag, d->room, room, err);
        if (!st) st = grow(&d->class, sizeof *d->class, d->room, room, err);
        if (!st) d->room = room;
    }
    if (st || d->sentences < d->sentence_room) return st;
    room = 2 * d->sentence_room + 64;
    st = grow(&d->start, sizeof *d->start, d->sentence_room ? d->sentence_room + 1 : 0, room + 1, err);
    if (!st) st = grow(&d->line, sizeof *d->line, d->sentence_room, room, err);
    if (!st) d->sentence_room = room;
    return st;
}
static void end_sentence(tag_data *d, int64_t line)
{
    d->line[d->sentences++] = line, d->start[d->sentences] = d->words;
}
/* The number of a tag; -1 where it is missing. unseen counts those that no sentence before had, and none in training.
 */
static laco_status tag_number(tag_front *f, const char *text, size_t n, int64_t *unseen, int32_t *out, laco_error *err)
{
    *out = -1;
    if (!n) return LACO_OK;
    if (unseen && intern_find(f->tag, text, n) < 0) ++*unseen;
    return intern_add(f->tag, text, n, out, err);
}

/* ---- splitting ---- */
static laco_status copy_sentence(tag_data *to, const tag_data *from, int64_t k, int64_t inputs, laco_error *err)
{
    int64_t at = from->start[k], n = from->start[k + 1] - at;
    laco_status st = make_room(to, n, inputs, err);
    if (st) return st;
    if (from->type) memcpy(to->type + to->words, from->type + at, (size_t)n * sizeof *to->type);
    if (from->x) memcpy(to->x + to->words * inputs, from->x + at * inputs, (size_t)(n * inputs) * sizeof *to->x);
    memcpy(to->tag + to->words, from->tag + at, (size_t)n * sizeof *to->tag);
    to->words += n;
    end_sentence(to, from->line[k]);
    return LACO_OK;
}
laco_status tag_data_split(tag_data *d, tag_data *other, int64_t folds, int64_t at, int64_t inputs, laco_error *err)
{
    tag_data kept = { 0 };
    laco_status st = LACO_OK;
    for (int64_t k = 0; !st && k < d->sentences; k++)
        st = copy_sentence((folds ? k % folds == at : k >= at) ? other : &kept, d, k, inputs, err);
    if (!st &&
        (!(kept.file = mem_text(d->file, strlen(d->file))) || !(other->file = mem_text(d->file, strlen(d->file)))))
        st = fail_memory(err, strlen(d->file));
    if (st) return tag_data_free(&kept), st;
    tag_data_free(d), *d = kept;
    return LACO_OK;
}

/* ---- words ---- */
conll_options tag_conll(const tag_front *f, const tag_source *s)
{
    return (conll_options){ .words = f->words_column,
                            .tags = f->tags_column,
                            .others = f->features_column,
                            .untagged = s->untagged,
                            .text = s->text,
                            .skip_bad = s->in->o.skip_bad,
                            .bad = s->in->o.bad,
                            .ctx = s->in->o.ctx };
}
laco_status tag_add_sentence(tag_data *d, tag_front *f, tag_types *t, const conll_sentence *s, int64_t *unseen,
                             laco_error *err)
{
    buf key = { 0 };
    laco_status st = make_room(d, s->words, 0, err);
    for (int64_t i = 0; !st && i < s->words; i++) {
        const conll_part *part = s->cell + i * s->columns;
        key.len = 0, buf_add(&key, s->text + part->at, (size_t)part->n);
        for (int64_t k = CONLL_TAG + 1; k < s->columns; k++) {
            buf_text(&key, "\t");
            if (part[k].n) buf_add(&key, s->text + part[k].at, (size_t)part[k].n);
        }
        if (key.failed) st = fail_memory(err, key.len);
        if (!st) st = intern_add(t->key, key.data, key.len, &d->type[d->words], err);
        if (!st)
            st = tag_number(f, s->text + part[CONLL_TAG].at, (size_t)part[CONLL_TAG].n, unseen, &d->tag[d->words], err);
        d->words++;
    }
    if (!st) end_sentence(d, s->line[0].number);
    buf_free(&key);
    return st;
}
static laco_status read_words(tag_data *d, tag_front *f, tag_types *t, int which, const tag_source *s, int64_t *unseen,
                              laco_error *err)
{
    const conll_options o = tag_conll(f, s);
    conll *c = NULL;
    conll_sentence one = { 0 };
    char *bytes;
    size_t n;
    const char *name;
    laco_status st = task_read(s->j, which, &bytes, &n, &name, err);
    if (st || !bytes) return st;
    if (!(d->file = mem_text(name, strlen(name)))) st = fail_memory(err, strlen(name));
    if (!st) st = conll_open_bytes(&c, bytes, n, name, &o, err);
    mem_free(bytes);
    while (!st && !(st = conll_next(c, &one, err)) && one.words) st = tag_add_sentence(d, f, t, &one, unseen, err);
    if (!st && !d->words)
        st = fail(err, LACO_EFORMAT, -1, "%s has no sentences%s", name, conll_skipped(c) ? " that could be read" : "");
    conll_close(c), conll_sentence_free(&one);
    return st;
}

/* ---- numbers ---- */
bool tag_is_table(const char *path)
{
    static const char *const ends[] = { ".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz" };
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t m = strlen(ends[i]);
        if (n > m && !strcmp(path + n - m, ends[i])) return true;
    }
    return false;
}
/* Every column of numbers but those of tags and series is an input; the others are named. */
static laco_status learn_inputs(tag_front *f, const table *t, int tags, int id, const task_job *j, laco_error *err)
{
    int n = table_columns(t);
    if (!(f->input = mem_new((size_t)n, sizeof *f->input))) return fail_memory(err, (size_t)n * sizeof *f->input);
    for (int k = 0; k < n; k++) {
        const char *name = table_column_name(t, k);
        if (k == tags || k == id) continue;
        if (table_column_type(t, k) != COLUMN_NUMBER) {
            task_note(j, "note      column \"%.100s\" of %s is not of finite numbers: it is left out", name, table_file(t));
            continue;
        }
        if (!(f->input[f->inputs++] = mem_text(name, strlen(name)))) return fail_memory(err, strlen(name));
    }
    if (!f->inputs) return fail(err, LACO_EFORMAT, -1, "%s has no columns of numbers beside its tags", table_file(t));
    f->mean = mem_new((size_t)f->inputs, sizeof *f->mean);
    f->deviation = mem_new((size_t)f->inputs, sizeof *f->deviation);
    return f->mean && f->deviation ? LACO_OK : fail_memory(err, (size_t)f->inputs * 16);
}
static laco_status learn_scale(tag_front *f, const double *x, int64_t n, int64_t k, laco_error *err)
{
    double sum = 0, squares = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(x[i])) sum += x[i], count++;
    f->mean[k] = count ? sum / (double)count : 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(x[i])) squares += (x[i] - f->mean[k]) * (x[i] - f->mean[k]);
    f->deviation[k] = count && squares > 0 ? sqrt(squares / (double)count) : 1;
    if (isfinite(f->mean[k]) && isfinite(f->deviation[k])) return LACO_OK;
    return fail(err, LACO_EFORMAT, -1, "column \"%.40s\" holds an infinite number, or one so large that its square is; give it in "
                "another unit", f->input[k]);
}
/* A missing number reads as the mean. */
static laco_status put_input(tag_data *d, const tag_front *f, const double *x, int64_t n, int64_t k, laco_error *err)
{
    double scale = f->deviation[k] > 0 ? f->deviation[k] : 1;
    for (int64_t i = 0; i < n; i++) {
        double z = isnan(x[i]) ? 0 : (x[i] - f->mean[k]) / scale;
        if (!(fabs(z) <= FLT_MAX))
            return fail(err, LACO_EFORMAT, -1, "%s: %g in column \"%.40s\" is too far from the training data, whose mean is %g",
                        d->file ? d->file : "--data", x[i], f->input[k], f->mean[k]);
        d->x[i * f->inputs + k] = (float)z;
    }
    return LACO_OK;
}
static laco_status take_input(tag_data *d, tag_front *f, const table *t, int64_t k, bool learn, laco_error *err)
{
    int column;
    double *x = NULL;
    laco_status st = table_find(t, f->input[k], &column, err);
    if (!st) st = table_numbers(t, column, &x, err);
    if (st) return st;
    if (learn) st = learn_scale(f, x, table_rows(t), k, err);
    if (!st) st = put_input(d, f, x, table_rows(t), k, err);
    mem_free(x);
    return st;
}
static bool same_cell(cell a, cell b) { return a.n == b.n && !memcmp(a.at ? a.at : "", b.at ? b.at : "", a.n); }
/* The rows of a series lie together; one that comes back later, or is among ids already, is an error, for its steps
   would be apart. */
static laco_status take_rows(tag_data *d, tag_front *f, const table *t, int tags, int id, intern *ids, int64_t *unseen,
                             laco_error *err)
{
    int64_t rows = table_rows(t);
    int32_t number;
    laco_status st = make_room(d, rows, f->inputs, err);
    for (int64_t i = 0; !st && i < rows; i++) {
        cell c = tags >= 0 ? table_cell(t, i, tags) : (cell){ NULL, 0 };
        bool ends = i + 1 == rows || (id >= 0 && !same_cell(table_cell(t, i, id), table_cell(t, i + 1, id)));
        st = tag_number(f, c.at, tags >= 0 && cell_missing(c) ? 0 : c.n, unseen, &d->tag[i], err);
        d->words = i + 1;
        if (st || !ends) continue;
        int64_t from = d->start ? d->start[d->sentences] : 0;
        if (id >= 0) {
            cell name = table_cell(t, i, id);
            int32_t known = intern_count(ids);
            st = intern_add(ids, name.at ? name.at : "", name.n, &number, err);
            if (!st && number < known)
                st = fail(err, LACO_EFORMAT, table_line(t, from),
                          "%s: line %lld: the rows of series \"%.*s\" do not lie together; sort the table by --id",
                          table_file(t), (long long)table_line(t, from), (int)min64((int64_t)name.n, 40), name.at);
        }
        if (!st) st = make_room(d, 0, f->inputs, err);
        if (!st) end_sentence(d, table_line(t, from));
    }
    return st;
}
laco_status tag_add_table(tag_data *d, tag_front *f, const table *t, intern *ids, const tag_source *s, bool learn,
                          int64_t *unseen, laco_error *err)
{
    int tags = -1, id = -1;
    laco_status st = LACO_OK;
    const char *name = table_file(t);
    if (!d->file && !(d->file = mem_text(name, strlen(name)))) st = fail_memory(err, strlen(name));
    if (!st && !table_rows(t)) st = fail(err, LACO_EFORMAT, -1, "%s has no rows", name);
    if (!st && f->tags_column && table_find(t, f->tags_column, &tags, s->untagged ? NULL : err)) {
        st = s->untagged ? LACO_OK : LACO_EINVAL, tags = -1;
    }
    if (!st && f->id_column) st = table_find(t, f->id_column, &id, err);
    if (!st && learn) st = learn_inputs(f, t, tags, id, s->j, err);
    if (!st) st = take_rows(d, f, t, tags, id, ids, unseen, err);
    for (int64_t k = 0; !st && k < f->inputs; k++) st = take_input(d, f, t, k, learn, err);
    return st;
}
static laco_status read_numbers(tag_data *d, tag_front *f, int which, const tag_source *s, bool learn, int64_t *unseen,
                                laco_error *err)
{
    table *t = NULL;
    intern *ids = NULL;
    laco_status st = task_read_table(s->in, which, &t, err);
    if (st || !t) return st;
    if (!(st = intern_new(&ids, err))) st = tag_add_table(d, f, t, ids, s, learn, unseen, err);
    intern_free(ids), table_free(t);
    return st;
}

/* ---- sets of series, with a label for every step ---- */
static laco_status name_inputs(tag_front *f, const series_set *s, laco_error *err)
{
    size_t n = (size_t)s->features;
    f->input = mem_new(n, sizeof *f->input), f->mean = mem_new(n, sizeof *f->mean);
    f->deviation = mem_new(n, sizeof *f->deviation);
    if (!f->input || !f->mean || !f->deviation) return fail_memory(err, n * sizeof *f->input);
    for (f->inputs = 0; f->inputs < s->features; f->inputs++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)f->inputs + 1);
        const char *name = s->feature && s->feature[f->inputs] ? s->feature[f->inputs] : number;
        if (!(f->input[f->inputs] = mem_text(name, strlen(name)))) return fail_memory(err, strlen(name));
    }
    return LACO_OK;
}
static laco_status take_series(tag_data *d, tag_front *f, const series_set *s, bool learn, int64_t *unseen,
                               laco_error *err)
{
    int64_t steps = s->start[s->count];
    double *x = mem_new((size_t)steps, sizeof *x);
    laco_status st = x ? make_room(d, steps, f->inputs, err) : fail_memory(err, (size_t)steps * sizeof *x);
    for (int64_t k = 0; !st && k < f->inputs; k++) {
        for (int64_t i = 0; i < steps; i++) x[i] = (double)s->x[i * f->inputs + k];
        if (learn) st = learn_scale(f, x, steps, k, err);
        if (!st) st = put_input(d, f, x, steps, k, err);
    }
    for (int64_t i = 0; !st && i < steps; i++) {
        const char *label = s->step_label ? s->step_label[i] : NULL;
        st = tag_number(f, label, label ? strlen(label) : 0, unseen, &d->tag[i], err);
    }
    for (int64_t k = 0; !st && k < s->count; k++) {
        d->words = s->start[k + 1];
        if (s->start[k + 1] > s->start[k] && !(st = make_room(d, 0, f->inputs, err))) end_sentence(d, k + 1);
    }
    mem_free(x);
    return st;
}
laco_status tag_add_series(tag_data *d, tag_front *f, series_set *s, bool learn, int64_t *unseen, laco_error *err)
{
    f->prepare.of_sound |= s->rate > 0;
    laco_status st = prepare_apply(&f->prepare, s, err);
    if (!st && learn) st = name_inputs(f, s, err);
    if (!st && s->features != f->inputs)
        st = fail(err, LACO_EFORMAT, -1, "%s has %lld features, the training data have %lld", s->file,
                  (long long)s->features, (long long)f->inputs);
    return st ? st : take_series(d, f, s, learn, unseen, err);
}
series_options tag_series_options(tag_front *f, const char *labels)
{
    return (series_options){ .labels = labels, .label = f->tags_column, .rest = f->rest, .sound = &f->prepare.sound };
}
static laco_status read_series(tag_data *d, tag_front *f, int which, const char *path, const tag_source *q, bool learn,
                               int64_t *unseen, laco_error *err)
{
    static const char *const names[TEXTS] = { "labels", "valid-labels", "test-labels" };
    const char *labels = options_type(q->j->o, names[which]) ? options_text(q->j->o, names[which]) : NULL;
    series_set s;
    const series_parts to = series_whole(&s);
    laco_status st = task_read_series(path, tag_series_options(f, labels), &to, q->j, err);
    if (!st && !(d->file = mem_text(path, strlen(path)))) st = fail_memory(err, strlen(path));
    if (!st && !s.step_label && !q->untagged)
        st = fail(err, LACO_EINVAL, -1,
                  "%s has no class for every step: give --%s, of series a .npy file of whole numbers, a row for each; of "
                  "sounds a table of stretches: sound, start, end, label",
                  path, names[which]);
    if (!st) st = tag_add_series(d, f, &s, learn, unseen, err);
    series_free(&s);
    return st;
}
laco_status tag_data_read(tag_data *d, tag_front *f, tag_types *t, int which, const tag_source *s, bool learn,
                          int64_t *unseen, laco_error *err)
{
    static const char *const names[TEXTS] = { "data", "valid", "test" };
    const char *path = s->j->text[which] ? NULL : options_text(s->j->o, names[which]);
    if (!f->numbers) return read_words(d, f, t, which, s, unseen, err);
    return path && series_known(path) ? read_series(d, f, which, path, s, learn, unseen, err)
                                      : read_numbers(d, f, which, s, learn, unseen, err);
}
