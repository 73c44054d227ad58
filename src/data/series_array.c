/* Arrays as sets of sequences, with labels or targets from a second array. */
#include "base/number.h"
#include "data/array.h"
#include "data/readers.h"
#include <math.h>
#include <stdio.h>

static laco_status shape(series_set *s, int64_t *length, const array *a, const array *labels, laco_error *err)
{
    bool cases = a->rank == 2 && labels && labels->rank == 1;
    const int64_t *d = a->dim;
    s->count = 1, s->features = 1, *length = a->count;
    if (a->idx && a->rank == 1)
        return fail(err, LACO_EFORMAT, -1,
                    "%s holds one number a case, so labels and no sequences; give the file of "
                    "the images as data and this one as --labels",
                    a->name);
    if (a->rank > 3 && !a->idx)
        return fail(err, LACO_EFORMAT, -1,
                    "%s has %d dimensions; [steps], [steps][features] or "
                    "[sequences][steps][features] is read",
                    a->name, a->rank);
    if (a->idx || cases)
        s->count = d[0], *length = d[0] ? a->count / d[0] : 0;
    else if (a->rank == 2)
        *length = d[0], s->features = d[1];
    else if (a->rank == 3)
        s->count = d[0], *length = d[1], s->features = d[2];
    if (!a->count) return fail(err, LACO_EFORMAT, -1, "%s is an array without values", a->name);
    return LACO_OK;
}
static laco_status fill(series_set *s, int64_t length, const array *a, laco_error *err)
{
    int64_t n = s->count * length * s->features, from = s->first * length * s->features;
    s->x = mem_new((size_t)n, sizeof *s->x), s->start = mem_new((size_t)s->count + 1, sizeof *s->start);
    if (!s->x || !s->start) return fail_memory(err, (size_t)n * sizeof *s->x);
    for (int64_t i = 0; i <= s->count; i++) s->start[i] = i * length;
    double scale = a->idx && a->size == 1 && a->kind == 'u' ? 255 : 1;
    for (int64_t i = 0; i < n; i++) {
        s->x[i] = (float)(array_value(a, from + i) / scale);
        if (isinf(s->x[i]))
            return fail(err, LACO_EFORMAT, from + i, "%s: value %lld is infinite; NaN stands for a missing one",
                        a->name, (long long)(from + i + 1));
    }
    return LACO_OK;
}

/* ---- labels ---- */
static laco_status sequence_labels(series_set *s, const array *l, laco_error *err)
{
    char text[NUMBER_TEXT];
    s->label = mem_new((size_t)s->count, sizeof *s->label);
    if (!s->label) return fail_memory(err, (size_t)s->count * sizeof *s->label);
    for (int64_t i = 0; i < s->count; i++) {
        int n = snprintf(text, sizeof text, "%lld", (long long)array_value(l, s->first + i));
        if (!(s->label[i] = mem_text(text, (size_t)n))) return fail_memory(err, sizeof text);
    }
    return LACO_OK;
}
static laco_status sequence_targets(series_set *s, const array *l, laco_error *err)
{
    s->target = mem_new((size_t)s->count, sizeof *s->target);
    if (!s->target) return fail_memory(err, (size_t)s->count * sizeof *s->target);
    for (int64_t i = 0; i < s->count; i++)
        if (isinf(s->target[i] = array_value(l, s->first + i)))
            return fail(err, LACO_EFORMAT, s->first + i, "%s: value %lld is infinite; NaN stands for an unknown one",
                        l->name, (long long)(s->first + i + 1));
    return LACO_OK;
}
static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}
static laco_status step_labels(series_set *s, const array *l, laco_error *err)
{
    char text[NUMBER_TEXT];
    int64_t n = s->start[s->count], from = s->first * l->dim[1], kinds = 0, *value = mem_new((size_t)n, sizeof *value);
    s->step_label = mem_new((size_t)n, sizeof *s->step_label);
    for (int64_t i = 0; value && i < n; i++) value[i] = (int64_t)array_value(l, from + i);
    if (value) qsort(value, (size_t)n, sizeof *value, by_value);
    for (int64_t i = 0; value && i < n; i++)
        if (!i || value[i] != value[kinds - 1]) value[kinds++] = value[i];
    s->label_text = mem_new((size_t)kinds + 1, sizeof *s->label_text);
    bool ok = value && s->step_label && s->label_text;
    for (int64_t k = 0; ok && k < kinds; k++) {
        int bytes = snprintf(text, sizeof text, "%lld", (long long)value[k]);
        ok = (s->label_text[k] = mem_text(text, (size_t)bytes)) != NULL;
    }
    for (int64_t i = 0; ok && i < n; i++) {
        int64_t v = (int64_t)array_value(l, from + i);
        int64_t *at = bsearch(&v, value, (size_t)kinds, sizeof *value, by_value);
        s->step_label[i] = s->label_text[at - value];
    }
    mem_free(value);
    return ok ? LACO_OK : fail_memory(err, (size_t)n * sizeof *s->step_label);
}
static laco_status check_labels(const series_set *s, int64_t length, const array *a, const array *l, laco_error *err)
{
    bool each = l->rank == 1, steps = l->rank == 2;
    if ((!each && !steps) || l->dim[0] != s->count || (steps && (l->dim[1] != length || l->kind == 'f')))
        return fail(
            err, LACO_EFORMAT, -1,
            "%s does not fit %s: it should hold %lld numbers, one a sequence, or a whole number for each of the "
            "%lld steps of each",
            l->name, a->name, (long long)s->count, (long long)length);
    return LACO_OK;
}
static laco_status add_labels(series_set *s, const array *l, laco_error *err)
{
    if (l->rank == 2) return step_labels(s, l, err);
    return l->kind == 'f' ? sequence_targets(s, l, err) : sequence_labels(s, l, err);
}

/* Sequences from s->first on, s->count of them. */
static laco_status make_part(series_set *s, int64_t length, const array *a, const array *l, laco_error *err)
{
    laco_status st = fill(s, length, a, err);
    if (!st && l) st = add_labels(s, l, err);
    if (!st && !(s->file = mem_text(a->name, strlen(a->name)))) st = fail_memory(err, strlen(a->name));
    if (st) series_free(s);
    return st;
}
laco_status series_parse_array(const series_parts *to, bytes_view data, const bytes_view *labels, laco_error *err)
{
    array a, l;
    series_set all = { 0 };
    int64_t length = 0;
    laco_status st = array_parse(&a, data.at, data.n, data.name, err);
    if (!st && labels) st = array_parse(&l, labels->at, labels->n, labels->name, err);
    if (!st) st = shape(&all, &length, &a, labels ? &l : NULL, err);
    if (!st && labels) st = check_labels(&all, length, &a, &l, err);
    for (int64_t at = 0, n; !st && at < all.count; at += n) {
        series_set s = { .count = n = min64(to->most, all.count - at), .features = all.features, .first = at };
        st = make_part(&s, length, &a, labels ? &l : NULL, err);
        if (!st) st = to->take(to->ctx, &s, err);
    }
    return st;
}
