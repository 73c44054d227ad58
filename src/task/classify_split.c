/* Which examples are for what. --folds K: every K-th example, beginning with that of the fold, is the test; --group:
   the examples of one group are. Of what remains, unless --valid is given, a share is taken for validation, from every
   class alike: the first of each class in an order drawn from the seed. */
#include "base/rng.h"
#include "task/classify.h"
#include "task/repeat.h"
#include <math.h>
#include <stdio.h>

static const char *label_of(const examples *e, const example *r)
{
    return r->label < 0 ? NULL : intern_text(e->label, r->label);
}
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* ---- test: a fold or a group ---- */
static laco_status take_fold(examples *e, const task_job *j, laco_error *err)
{
    int64_t folds = options_int(j->o, "folds"), fold, k = 0;
    if (!folds) return LACO_OK;
    laco_status st = task_fold(j->o, e->count, "examples", &fold, err);
    for (int64_t i = 0; !st && i < e->count; i++)
        if (e->row[i].part == PART_TRAIN && k++ % folds == fold) e->row[i].part = PART_TEST;
    return st;
}
static laco_status take_group(examples *e, const reading *f, task_job *j, laco_error *err)
{
    int32_t n = intern_count(e->group);
    int64_t fold = max64(1, options_int(j->o, "fold"));
    const char **names = mem_new((size_t)max64(1, n), sizeof *names);
    if (!names) return fail_memory(err, (size_t)n * sizeof *names);
    for (int32_t k = 0; k < n; k++) names[k] = intern_text(e->group, k);
    qsort(names, (size_t)n, sizeof *names, by_text);
    laco_status st = LACO_OK;
    j->groups = n;
    if (n < 2)
        st =
            fail(err, LACO_EINVAL, -1, "--group %s: there are %d groups; one is left out in turn, so there must be two",
                 f->column[COL_GROUP], n);
    else if (fold > n)
        st = fail(err, LACO_EINVAL, -1, "--fold %lld: --group %s has %d groups", (long long)fold, f->column[COL_GROUP],
                  n);
    else
        snprintf(j->part, sizeof j->part, "%s", names[fold - 1]);
    for (int64_t i = 0; !st && i < e->count; i++)
        if (e->row[i].part == PART_TRAIN && e->row[i].group >= 0 &&
            !strcmp(intern_text(e->group, e->row[i].group), names[fold - 1]))
            e->row[i].part = PART_TEST;
    mem_free(names);
    return st;
}

/* ---- validation ---- */
typedef struct drawn_row {
    int32_t class;
    double at; /* in the order that is drawn */
    int64_t i;
} drawn_row;
static int by_class(const void *a, const void *b)
{
    const drawn_row *x = a, *y = b;
    if (x->class != y->class) return x->class < y->class ? -1 : 1;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}
static laco_status split_off(examples *e, const reading *f, const task_job *j, laco_error *err)
{
    double share = options_real(j->o, "split");
    uint64_t seed = (uint64_t)options_int(j->o, "seed");
    drawn_row *d = mem_new((size_t)e->count, sizeof *d);
    int64_t n = 0;
    if (!d) return fail_memory(err, (size_t)e->count * sizeof *d);
    for (int64_t i = 0; i < e->count; i++)
        if (e->row[i].part == PART_TRAIN)
            d[n++] = (drawn_row){ f->answer == ANSWER_CLASS ? e->row[i].label : 0,
                                  rng_uniform(seed, RNG_SPLIT, (uint64_t)i), i };
    qsort(d, (size_t)n, sizeof *d, by_class);
    double owed = 0; /* what classes too small for a whole example owe to those that follow */
    for (int64_t i = 0, k; i < n; i = k) {
        for (k = i; k < n && d[k].class == d[i].class; k++)
            ;
        owed += share * (double)(k - i);
        int64_t take = min64((int64_t)floor(owed + 0.5), k - i - 1); /* one at least stays for training */
        for (int64_t t = 0; t < take; t++) e->row[d[i + t].i].part = PART_VALID;
        owed -= (double)max64(0, take);
    }
    mem_free(d);
    return LACO_OK;
}

/* ---- classes ---- */
/* Every one of "a, b" between separators, without the blanks around it. */
static bool next_label(const char **at, const char *separator, const char **label, size_t *n)
{
    const char *s = *at, *end;
    if (!s || !*s) return false;
    end = strstr(s, separator);
    *at = end ? end + strlen(separator) : NULL;
    if (!end) end = s + strlen(s);
    while (s < end && *s == ' ') s++;
    while (end > s && end[-1] == ' ') end--;
    *label = s, *n = (size_t)(end - s);
    return true;
}
static laco_status collect(intern *to, const examples *e, const reading *f, laco_error *err)
{
    laco_status st = LACO_OK;
    int32_t number;
    for (int64_t i = 0; !st && i < e->count; i++) {
        const char *text = label_of(e, &e->row[i]), *label;
        size_t n;
        if (e->row[i].part != PART_TRAIN || !text) continue;
        if (f->answer == ANSWER_CLASS) st = intern_add(to, text, strlen(text), &number, err);
        while (!st && f->answer == ANSWER_LABELS && next_label(&text, f->separator, &label, &n))
            if (n) st = intern_add(to, label, n, &number, err);
    }
    return st;
}
static laco_status learn_classes(reading *f, const examples *e, laco_error *err)
{
    intern *names;
    laco_status st = intern_new(&names, err);
    if (!st) st = collect(names, e, f, err);
    int32_t n = st ? 0 : intern_count(names), least = f->answer == ANSWER_CLASS ? 2 : 1;
    if (!st && n < least)
        st = fail(err, LACO_EINVAL, -1,
                  n ? "there is one class alone, \"%.60s\": nothing to tell apart"
                    : "no example has an answer: name its column with --label",
                  n ? intern_text(names, 0) : "");
    if (!st && !(f->class = mem_new((size_t)n, sizeof *f->class))) st = fail_memory(err, (size_t)n * sizeof *f->class);
    for (int32_t k = 0; !st && k < n; k++, f->classes++) {
        const char *name = intern_text(names, k);
        if (!(f->class[k] = mem_text(name, strlen(name)))) st = fail_memory(err, strlen(name));
    }
    if (!st) qsort(f->class, (size_t)n, sizeof *f->class, by_text);
    intern_free(names);
    return st;
}
laco_status examples_classes(examples *e, const reading *f, int64_t *unseen, laco_error *err)
{
    int32_t n = intern_count(e->label), *class = mem_new((size_t)max64(1, n), sizeof *class);
    if (!class) return fail_memory(err, (size_t)n * sizeof *class);
    for (int32_t k = 0; k < n; k++) class[k] = reading_class(f, intern_text(e->label, k));
    *unseen = 0;
    for (int64_t i = 0; i < e->count; i++) {
        example *r = &e->row[i];
        r->right = r->label < 0 || f->answer != ANSWER_CLASS ? -1 : class[r->label];
        *unseen += f->answer == ANSWER_CLASS && r->label >= 0 && r->right < 0;
    }
    mem_free(class);
    return LACO_OK;
}
laco_status examples_labels(float **out, const examples *e, const reading *f, laco_error *err)
{
    float *y = *out = mem_new((size_t)e->count, (size_t)f->classes * sizeof *y);
    buf name = { 0 };
    if (!y) return fail_memory(err, (size_t)e->count * (size_t)f->classes * sizeof *y);
    for (int64_t i = 0; i < e->count; i++, y += f->classes) {
        const char *text = label_of(e, &e->row[i]), *label;
        size_t n;
        for (int32_t k = 0; !text && k < f->classes; k++) y[k] = -1;
        while (next_label(&text, f->separator, &label, &n)) {
            name.len = 0, buf_add(&name, label, n);
            int32_t k = n ? reading_class(f, name.data) : -1;
            if (k >= 0) y[k] = 1;
        }
    }
    buf_free(&name);
    return LACO_OK;
}

/* ---- all of it ---- */
static bool has_answer(const examples *e, const reading *f, const example *r)
{
    if (f->answer != ANSWER_NUMBER) return r->label >= 0;
    for (int64_t t = 0; f->every && t < r->length; t++)
        if (!isnan(e->y[r->start + t])) return true;
    return !f->every && !isnan(r->number);
}
/* A number that changes inside a series is asked for at every step. */
static bool changes(const examples *e)
{
    for (int64_t i = 0; e->y && i < e->count; i++)
        for (int64_t t = 1; t < e->row[i].length; t++) {
            float a = e->y[e->row[i].start + t - 1], b = e->y[e->row[i].start + t];
            if (!isnan(a) && !isnan(b) && a != b) return true;
        }
    return false;
}
static laco_status learn_priors(reading *f, const examples *e, laco_error *err)
{
    float *known = NULL;
    double n = 0;
    if (!(f->prior = mem_new((size_t)f->classes, sizeof *f->prior))) return fail_memory(err, (size_t)f->classes * 8);
    laco_status st = f->answer == ANSWER_LABELS ? examples_labels(&known, e, f, err) : LACO_OK;
    for (int64_t i = 0; !st && i < e->count; i++) {
        if (e->row[i].part != PART_TRAIN) continue;
        n++;
        if (e->row[i].right >= 0) f->prior[e->row[i].right]++;
        for (int32_t k = 0; known && k < f->classes; k++) f->prior[k] += known[i * f->classes + k] > 0;
    }
    for (int32_t k = 0; k < f->classes; k++) f->prior[k] /= n;
    mem_free(known);
    return st;
}
static void note_classes(const examples *e, const reading *f, const task_job *j)
{
    int64_t once = 0, *count = mem_new((size_t)max64(1, f->classes), sizeof *count);
    int32_t which = 0;
    if (!count) return;
    for (int64_t i = 0; i < e->count; i++)
        if (e->row[i].part == PART_TRAIN && e->row[i].right >= 0) count[e->row[i].right]++;
    for (int32_t k = 0; k < f->classes; k++)
        if (count[k] == 1) once++, which = k;
    if (once && f->answer == ANSWER_CLASS)
        task_note(j, "classes   %lld with a single training example, such as \"%.40s\": hardly to be learnt",
                  (long long)once, f->class[which]);
    mem_free(count);
}
static laco_status check_parts(const examples *e, const reading *f, const task_job *j, laco_error *err)
{
    int64_t n[PARTS + 1] = { 0 };
    char a[32], b[32], c[32], classes[48] = "";
    for (int64_t i = 0; i < e->count; i++) n[e->row[i].part]++;
    if (!n[PART_TRAIN]) return fail(err, LACO_EINVAL, -1, "no example is left to train on");
    if (f->answer != ANSWER_NUMBER) snprintf(classes, sizeof classes, " of %d classes", f->classes);
    task_note(j, "examples  %s%s%s; validation %s; test %s", task_count(n[PART_TRAIN], a), classes,
              f->every ? ", a number to answer at every step" : "", task_count(n[PART_VALID], b),
              task_count(n[PART_TEST], c));
    if (j->part[0]) task_note(j, "test      the group %s", j->part);
    if (n[PART_NONE]) task_note(j, "left out  %s examples without an answer", task_count(n[PART_NONE], a));
    return LACO_OK;
}
laco_status examples_split(examples *e, reading *f, task_job *j, laco_error *err)
{
    bool valid = false;
    int64_t unseen = 0;
    laco_status st = LACO_OK;
    if (f->answer == ANSWER_NUMBER && f->numbers && changes(e)) f->every = true;
    for (int64_t i = 0; i < e->count; i++) {
        valid |= e->row[i].part == PART_VALID;
        if (!has_answer(e, f, &e->row[i]) || (f->numbers && !e->row[i].length)) e->row[i].part = PART_NONE;
    }
    if ((f->column[COL_GROUP] || options_int(j->o, "folds")) && (j->text[TEXT_TEST] || options_text(j->o, "test")))
        st = fail(err, LACO_EINVAL, -1, "--folds and --group take their test from --data: leave --test out");
    else if (f->column[COL_GROUP])
        st = take_group(e, f, j, err);
    else
        st = take_fold(e, j, err);
    if (!st && !valid) st = split_off(e, f, j, err);
    if (!st && f->answer != ANSWER_NUMBER) st = learn_classes(f, e, err);
    if (!st) st = check_parts(e, f, j, err);
    if (!st) st = examples_classes(e, f, &unseen, err);
    if (unseen)
        task_note(j, "unseen    %lld examples have a class that training lacks: they are left out", (long long)unseen);
    if (!st && f->classes) st = learn_priors(f, e, err);
    if (!st) note_classes(e, f, j);
    return st;
}
