#include "data/series.h"
#include <math.h>

void series_texts_free(char **texts, int64_t n)
{
    for (int64_t i = 0; texts && i < n; i++) mem_free(texts[i]);
    mem_free(texts);
}
char **series_texts(char *const *from, int64_t n, bool *ok)
{
    if (!from) return NULL;
    char **to = mem_new((size_t)n, sizeof *to);
    *ok = *ok && to;
    for (int64_t i = 0; to && i < n; i++)
        if (from[i] && !(to[i] = mem_text(from[i], strlen(from[i])))) *ok = false;
    if (*ok) return to;
    return series_texts_free(to, n), NULL;
}
static int64_t count_to_null(char *const *texts)
{
    int64_t n = 0;
    while (texts && texts[n]) n++;
    return n;
}

void series_free(series_set *s)
{
    mem_free(s->x), mem_free(s->start), mem_free(s->target), mem_free(s->step_label), mem_free(s->rates),
        mem_free(s->file);
    series_texts_free(s->feature, s->features);
    series_texts_free(s->name, s->count);
    series_texts_free(s->group, s->count);
    series_texts_free(s->label, s->count);
    series_texts_free(s->label_text, count_to_null(s->label_text));
    *s = (series_set){ 0 };
}
int64_t series_missing(const series_set *s)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->start[s->count] * s->features; i++) n += isnan(s->x[i]) != 0;
    return n;
}

/* ---- subsets ---- */
static char **pick_texts(char *const *from, const int64_t *index, int64_t n, bool *ok)
{
    if (!from) return NULL;
    char **picked = mem_new((size_t)n, sizeof *picked);
    for (int64_t i = 0; picked && i < n; i++) picked[i] = from[index[i]];
    if (!picked) *ok = false;
    char **copy = series_texts(picked, n, ok);
    mem_free(picked);
    return copy;
}
/* The step labels of the copy point into its own label_text. */
static void copy_step_labels(series_set *out, const series_set *s, int64_t to, int64_t from, int64_t steps)
{
    for (int64_t t = 0; t < steps; t++) {
        const char *text = s->step_label[from + t];
        for (int64_t k = 0; text && s->label_text[k]; k++)
            if (s->label_text[k] == text) out->step_label[to + t] = out->label_text[k];
    }
}
static void copy_steps(series_set *out, const series_set *s, const int64_t *index)
{
    size_t step = (size_t)s->features * sizeof *s->x;
    for (int64_t i = 0; i < out->count; i++) {
        int64_t from = s->start[index[i]], steps = series_length(s, index[i]), to = out->start[i];
        if (steps) memcpy(out->x + to * s->features, s->x + from * s->features, (size_t)steps * step);
        if (s->step_label) copy_step_labels(out, s, to, from, steps);
        if (s->target) out->target[i] = s->target[index[i]];
        if (s->rates) out->rates[i] = s->rates[index[i]];
        out->start[i + 1] = to + steps;
    }
}
laco_status series_subset(series_set *out, const series_set *s, const int64_t *index, int64_t n, laco_error *err)
{
    int64_t steps = 0;
    bool ok = true;
    for (int64_t i = 0; i < n; i++) steps += series_length(s, index[i]);
    size_t values = (size_t)steps * (size_t)s->features;
    *out = (series_set){ .count = n, .features = s->features, .rate = s->rate, .seconds = s->seconds };
    out->x = mem_new(values, sizeof *out->x), out->start = mem_new((size_t)n + 1, sizeof *out->start);
    if (s->target) ok = (out->target = mem_new((size_t)n, sizeof *out->target)) != NULL;
    if (s->rates) ok = (out->rates = mem_new((size_t)n, sizeof *out->rates)) != NULL && ok;
    if (s->step_label) ok = (out->step_label = mem_new((size_t)steps, sizeof *out->step_label)) != NULL && ok;
    if (s->label_text) out->label_text = series_texts(s->label_text, count_to_null(s->label_text) + 1, &ok);
    out->feature = series_texts(s->feature, s->features, &ok);
    out->name = pick_texts(s->name, index, n, &ok);
    out->group = pick_texts(s->group, index, n, &ok);
    out->label = pick_texts(s->label, index, n, &ok);
    if (s->file) ok = (out->file = mem_text(s->file, strlen(s->file))) != NULL && ok;
    if (!ok || !out->x || !out->start) return series_free(out), fail_memory(err, values * sizeof *out->x);
    copy_steps(out, s, index);
    return LACO_OK;
}
