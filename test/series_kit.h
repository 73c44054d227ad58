/* Sets that are read in parts hold what they hold when read at once. */
#ifndef SERIES_KIT_H
#define SERIES_KIT_H
#include "data/readers.h"

typedef laco_status kit_reads(const series_parts *to, const void *what, laco_error *err);
typedef struct kit_parts {
    const series_set *whole;
    int64_t at, most;
} kit_parts;
static void same_text(char *const *a, int64_t i, char *const *b, int64_t k)
{
    assert_int_equal(!a, !b);
    if (!a) return;
    assert_int_equal(!a[i], !b[k]);
    if (a[i]) assert_string_equal(a[i], b[k]);
}
static laco_status compare_part(void *ctx, series_set *s, laco_error *err)
{
    (void)err;
    kit_parts *p = ctx;
    const series_set *w = p->whole;
    assert_true(s->count > 0 && s->count <= p->most && s->features == w->features && s->first == p->at);
    assert_string_equal(s->file, w->file);
    for (int64_t i = 0; i < s->count; i++) {
        int64_t k = p->at + i, n = series_length(s, i);
        assert_int_equal(n, series_length(w, k));
        assert_memory_equal(s->x + s->start[i] * s->features, w->x + w->start[k] * w->features,
                            (size_t)(n * s->features) * sizeof *s->x);
        same_text(s->name, i, w->name, k), same_text(s->label, i, w->label, k), same_text(s->group, i, w->group, k);
        if (w->target) assert_true(s->target[i] == w->target[k] || w->target[k] != w->target[k]);
        for (int64_t t = 0; t < n; t++) same_text(s->step_label, s->start[i] + t, w->step_label, w->start[k] + t);
    }
    p->at += s->count;
    return series_free(s), LACO_OK;
}
static void same_in_parts(kit_reads *read, const void *what)
{
    series_set whole;
    const series_parts all = series_whole(&whole);
    assert_int_equal(read(&all, what, NULL), LACO_OK);
    for (int64_t most = 1; most <= whole.count + 1; most++) {
        kit_parts p = { &whole, 0, most };
        assert_int_equal(read(&(series_parts){ most, compare_part, &p }, what, NULL), LACO_OK);
        assert_int_equal(p.at, whole.count);
    }
    series_free(&whole);
}
#endif
