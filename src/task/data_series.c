/* What sets of sequences hold: .ts, .npy, idx, sounds. */
#include "base/hash.h"
#include "base/pool.h"
#include "data/array.h"
#include "data/readers.h"
#include "data/sound_segment.h"
#include "data/tar.h"
#include "task/data_kinds.h"

bool recognises_series(const char *path, bool folder, const char *head, size_t n)
{
    if (folder || series_known(path)) return true;
    return head && (array_is(head, n) || tar_is(head, n) || sound_is(head, n));
}

/* ---- counts of names ---- */
typedef struct counted {
    const char *name;
    int64_t n;
} counted;
static int by_name(const void *a, const void *b)
{
    return strcmp(((const counted *)a)->name, ((const counted *)b)->name);
}
static int by_count(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : by_name(a, b);
}
/* The distinct names, the most frequent first; entries NULL are not counted. *out is freed with mem_free. */
static laco_status count_names(counted **out, int64_t *kinds, char *const *names, int64_t n, laco_error *err)
{
    counted *c = *out = mem_new((size_t)(names ? n : 0), sizeof *c);
    int64_t known = 0;
    *kinds = 0;
    if (!c) return fail_memory(err, (size_t)n * sizeof *c);
    for (int64_t i = 0; names && i < n; i++)
        if (names[i]) c[known++] = (counted){ names[i], 1 };
    if (known) qsort(c, (size_t)known, sizeof *c, by_name);
    for (int64_t i = 0; i < known; i++)
        if (*kinds && !strcmp(c[*kinds - 1].name, c[i].name))
            c[*kinds - 1].n++;
        else
            c[(*kinds)++] = c[i];
    if (*kinds) qsort(c, (size_t)*kinds, sizeof *c, by_count);
    return LACO_OK;
}
enum { SHOWN = 12 };
static void counts_text(buf *to, const char *what, const counted *c, int64_t kinds)
{
    char count[32];
    if (!kinds) return;
    buf_printf(to, "%-9s %s: ", what, task_count(kinds, count));
    for (int64_t k = 0; k < kinds && k < SHOWN; k++)
        buf_printf(to, "%s%s %s", k ? ", " : "", c[k].name, task_count(c[k].n, count));
    buf_printf(to, "%s\n", kinds > SHOWN ? ", ..." : "");
}
static void counts_json(json_out *o, const char *key, const counted *c, int64_t kinds)
{
    if (!kinds) return;
    json_key(o, key), json_begin(o, '{');
    for (int64_t k = 0; k < kinds; k++) json_key(o, c[k].name), json_int(o, c[k].n);
    json_end(o, '}');
}

/* ---- what is there ---- */
typedef struct facts {
    const series_set *s;
    length_summary length;
    int64_t missing, unlabelled, again; /* again: sequences that are there before, value by value */
    int64_t labels, groups, rates, classes;
    counted *label, *group, *rate, *class; /* class: of steps */
    char **rate_name;
} facts;
static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}
static laco_status find_again(facts *f, laco_error *err)
{
    const series_set *s = f->s;
    uint64_t *h = mem_new((size_t)s->count, sizeof *h);
    if (!h) return fail_memory(err, (size_t)s->count * sizeof *h);
    for (int64_t i = 0; i < s->count; i++)
        h[i] =
            hash_bytes(1, s->x + s->start[i] * s->features, (size_t)(series_length(s, i) * s->features) * sizeof *s->x);
    if (s->count) qsort(h, (size_t)s->count, sizeof *h, by_hash);
    for (int64_t i = 1; i < s->count; i++) f->again += h[i] == h[i - 1];
    mem_free(h);
    return LACO_OK;
}
static laco_status find_lengths(facts *f, laco_error *err)
{
    const series_set *s = f->s;
    int64_t *length = mem_new((size_t)s->count, sizeof *length);
    if (!length) return fail_memory(err, (size_t)s->count * sizeof *length);
    for (int64_t i = 0; i < s->count; i++) length[i] = series_length(s, i);
    f->length = summarise_lengths(length, s->count);
    mem_free(length);
    return LACO_OK;
}
static laco_status find_rates(facts *f, laco_error *err)
{
    const series_set *s = f->s;
    if (!s->rates) return LACO_OK;
    if (!(f->rate_name = mem_new((size_t)s->count, sizeof *f->rate_name)))
        return fail_memory(err, (size_t)s->count * 8);
    for (int64_t i = 0; i < s->count; i++) {
        char text[32];
        task_count(s->rates[i], text);
        if (!(f->rate_name[i] = mem_text(text, strlen(text)))) return fail_memory(err, sizeof text);
    }
    return count_names(&f->rate, &f->rates, f->rate_name, s->count, err);
}
static laco_status find_facts(facts *f, laco_error *err)
{
    const series_set *s = f->s;
    f->missing = series_missing(s);
    for (int64_t i = 0; s->label && i < s->count; i++) f->unlabelled += !s->label[i];
    laco_status st = find_lengths(f, err);
    if (!st) st = count_names(&f->label, &f->labels, s->label, s->count, err);
    if (!st) st = count_names(&f->group, &f->groups, s->group, s->count, err);
    if (!st) st = count_names(&f->class, &f->classes, s->step_label, s->start[s->count], err);
    if (!st) st = find_rates(f, err);
    return st ? st : find_again(f, err);
}
static void free_facts(facts *f)
{
    series_texts_free(f->rate_name, f->s->count);
    mem_free(f->label), mem_free(f->group), mem_free(f->rate), mem_free(f->class);
}

/* ---- said ---- */
static void facts_text(const facts *f, buf *to)
{
    const series_set *s = f->s;
    char a[32], b[32];
    buf_printf(to, "%-9s %s%s of %s features\n", s->rate ? "sounds" : "series", task_count(s->count, a),
               s->rate ? ", each a sequence" : "", task_count(s->features, b));
    lengths_text(to, "lengths", "steps", &f->length);
    counts_text(to, "labels", f->label, f->labels);
    counts_text(to, "classes", f->class, f->classes);
    if (f->unlabelled) buf_printf(to, "unknown   %s have no label\n", task_count(f->unlabelled, a));
    counts_text(to, "groups", f->group, f->groups);
    counts_text(to, "rates", f->rate, f->rates);
    if (s->rate) buf_printf(to, "time      %.1f seconds, features 100 times a second\n", s->seconds);
    if (f->missing)
        buf_printf(to, "missing   %s of %s values\n", task_count(f->missing, a),
                   task_count(s->start[s->count] * s->features, b));
    if (f->again)
        buf_printf(to, "warning   %s sequences are there more than once, value by value; keep them out of tests\n",
                   task_count(f->again, a));
    if (f->rates > 1)
        buf_printf(to, "warning   sounds have different rates; --resample of train brings them to that of the first\n");
}
static void facts_json(const facts *f, json_out *o)
{
    const series_set *s = f->s;
    json_begin(o, '{');
    json_key(o, "kind"), json_text(o, s->rate ? "sounds" : "series");
    json_key(o, "sequences"), json_int(o, s->count);
    json_key(o, "features"), json_int(o, s->features);
    lengths_json(o, "lengths", &f->length);
    json_key(o, "missing"), json_int(o, f->missing);
    json_key(o, "repeated"), json_int(o, f->again);
    if (s->label) json_key(o, "unlabelled"), json_int(o, f->unlabelled);
    counts_json(o, "labels", f->label, f->labels);
    counts_json(o, "classes", f->class, f->classes);
    counts_json(o, "groups", f->group, f->groups);
    counts_json(o, "rates", f->rate, f->rates);
    if (s->rate) json_key(o, "seconds"), json_number(o, s->seconds);
    json_end(o, '}');
}
laco_status describe_series(task_job *j, const char *path, laco_error *err)
{
    series_set s;
    pool *threads;
    sound_settings sound = { .resample = true }; /* rates may differ: they are told */
    laco_status st = pool_new(&threads, (int)options_int(j->o, "threads"), err);
    if (st) return st;
    series_options o = { .labels = options_text(j->o, "labels"),
                         .label = options_text(j->o, "label"),
                         .group = options_text(j->o, "group"),
                         .pattern = options_text(j->o, "pattern"),
                         .sound = &sound,
                         .pool = threads };
    if (o.labels && series_of_sound(path) && sound_segments_are(o.labels)) o.rest = "none";
    st = series_read(&s, path, &o, err);
    facts f = { .s = &s };
    buf text = { 0 };
    if (!st) st = find_facts(&f, err);
    if (!st && options_flag(j->o, "json"))
        facts_json(&f, &(json_out){ .to = j->result });
    else if (!st)
        facts_text(&f, &text), task_out_buf(j, &text);
    buf_free(&text), free_facts(&f), series_free(&s), pool_free(threads);
    return st;
}
