/* laco data of sentences in columns: how many and how long, their words and tags, the spans that the tags stand for;
   with
   --test what the other file has that this one has not, and the sentences that are in both. */
#include "base/hash.h"
#include "task/data_kinds.h"
#include "task/tag.h"
#include <stdio.h>

bool recognises_conll(const char *path, bool folder, const char *head, size_t n)
{
    static const char *const ends[] = { ".conll", ".conllu", ".iob", ".iob2", ".iobes" };
    (void)head, (void)n;
    for (size_t i = 0; !folder && i < sizeof ends / sizeof *ends; i++)
        if (path_ends_in(path, ends[i])) return true;
    return false;
}

typedef struct look {
    task_job *j;
    table_input in;
    tag_front f;
    tag_types t;
    tag_data d[2];     /* --data, --test */
    const char **tag;  /* [words] of --data; a missing one is O */
    int32_t different; /* words of --data */
    int64_t in_both, new_tags, new_words;
} look;
typedef struct named_count {
    const char *name;
    int64_t count;
} named_count;
static int most_first(const void *a, const void *b)
{
    const named_count *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* ---- what is there ---- */
static laco_status count_names(const int32_t *number, int64_t n, const intern *names, named_count **out,
                               laco_error *err)
{
    int32_t K = intern_count(names);
    named_count *all = *out = mem_new((size_t)max64(1, K), sizeof *all);
    if (!all) return fail_memory(err, (size_t)K * sizeof *all);
    for (int32_t k = 0; k < K; k++) all[k].name = intern_text(names, k);
    for (int64_t i = 0; i < n; i++)
        if (number[i] >= 0) all[number[i]].count++;
    qsort(all, (size_t)K, sizeof *all, most_first);
    return LACO_OK;
}
static uint64_t hash_sentence(const tag_data *d, int64_t k)
{
    return hash_bytes(1, d->type + d->start[k], (size_t)(d->start[k + 1] - d->start[k]) * sizeof *d->type);
}
static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}
/* Sentences of at least five words of --test that --data has too, word by word. */
enum { TELLING_WORDS = 5 };
static laco_status compare_sentences(look *l, laco_error *err)
{
    const tag_data *d = &l->d[0], *test = &l->d[1];
    uint64_t *hash = mem_new((size_t)d->sentences, sizeof *hash);
    if (!hash) return fail_memory(err, (size_t)d->sentences * sizeof *hash);
    for (int64_t k = 0; k < d->sentences; k++) hash[k] = hash_sentence(d, k);
    qsort(hash, (size_t)d->sentences, sizeof *hash, by_hash);
    for (int64_t k = 0; k < test->sentences; k++) {
        uint64_t h = hash_sentence(test, k);
        if (test->start[k + 1] - test->start[k] < TELLING_WORDS) continue;
        l->in_both += bsearch(&h, hash, (size_t)d->sentences, sizeof *hash, by_hash) != NULL;
    }
    mem_free(hash);
    return LACO_OK;
}
static laco_status read_all(look *l, laco_error *err)
{
    const tag_source s = { .j = l->j, .in = &l->in, .untagged = true };
    laco_status st = tag_front_new(&l->f, err);
    if (!st) st = tag_types_new(&l->t, err);
    if (!st) st = table_input_open(&l->in, l->j, err);
    if (!st) st = tag_data_read(&l->d[0], &l->f, &l->t, TEXT_DATA, &s, true, NULL, err);
    if (!st) l->different = intern_count(l->t.key);
    if (!st) st = tag_data_read(&l->d[1], &l->f, &l->t, TEXT_TEST, &s, false, &l->new_tags, err);
    if (st) return st;
    for (int64_t i = 0; i < l->d[1].words; i++) l->new_words += l->d[1].type[i] >= l->different;
    if (!(l->tag = mem_new((size_t)l->d[0].words, sizeof *l->tag)))
        return fail_memory(err, (size_t)l->d[0].words * sizeof *l->tag);
    for (int64_t i = 0; i < l->d[0].words; i++)
        l->tag[i] = l->d[0].tag[i] < 0 ? "O" : intern_text(l->f.tag, l->d[0].tag[i]);
    return l->d[1].words ? compare_sentences(l, err) : LACO_OK;
}
/* How many spans of each type. */
static laco_status count_spans(const look *l, intern *types, named_count **out, int64_t *total, laco_error *err)
{
    const tag_data *d = &l->d[0];
    int64_t n = 0;
    tag_span *span = mem_new((size_t)d->words + 1, sizeof *span);
    int32_t *number = mem_new((size_t)d->words + 1, sizeof *number);
    laco_status st = span && number ? LACO_OK : fail_memory(err, (size_t)d->words * sizeof *span);
    for (int64_t k = 0; !st && k < d->sentences; k++) {
        int64_t count = spans_of(l->tag + d->start[k], d->start[k + 1] - d->start[k], span);
        for (int64_t i = 0; !st && i < count; i++)
            st = intern_add(types, span[i].type, strlen(span[i].type), &number[n++], err);
    }
    *total = n;
    if (!st) st = count_names(number, n, types, out, err);
    mem_free(span), mem_free(number);
    return st;
}

/* ---- told ---- */
enum { SHOWN = 20 };
static void list_text(buf *to, const named_count *all, int32_t n)
{
    char a[32];
    for (int32_t k = 0; k < min64(n, SHOWN); k++)
        buf_printf(to, "%s%s %s", k ? ", " : "", *all[k].name ? all[k].name : "(no type)", task_count(all[k].count, a));
    buf_text(to, n > SHOWN ? ", …\n" : "\n");
}
static void list_json(json_out *o, const char *key, const named_count *all, int32_t n)
{
    json_key(o, key), json_begin(o, '{');
    for (int32_t k = 0; k < n; k++) json_key(o, all[k].name), json_int(o, all[k].count);
    json_end(o, '}');
}
typedef struct told {
    named_count *word, *tag, *span;
    int32_t tags, spans;
    int64_t span_count, once, odd;
    tag_scheme scheme;
    length_summary length;
} told;
static void tell_text(const look *l, const told *q)
{
    const tag_data *d = &l->d[0];
    char a[32], b[32];
    buf to = { 0 };
    buf_printf(&to, "sentences %s of %s words\n", task_count(d->sentences, a), task_count(d->words, b));
    lengths_text(&to, "lengths", "words", &q->length);
    buf_printf(&to, "words     %s different, %s of them once\n", task_count(l->different, a), task_count(q->once, b));
    buf_printf(&to, "tags      %d: ", q->tags), list_text(&to, q->tag, q->tags);
    if (q->scheme)
        buf_printf(&to, "spans     %s in %s: ", task_count(q->span_count, a), scheme_names[q->scheme]),
            list_text(&to, q->span, q->spans);
    if (q->odd >= 0) {
        int64_t k = 0;
        while (d->start[k + 1] <= q->odd) k++;
        buf_printf(&to, "warning   \"%s\", word %lld of the sentence at line %lld, is not as %s writes it\n",
                   l->tag[q->odd], (long long)(q->odd - d->start[k]) + 1, (long long)d->line[k],
                   scheme_names[q->scheme]);
    }
    if (l->d[1].words) {
        buf_printf(&to, "test      %s sentences of %s words", task_count(l->d[1].sentences, a),
                   task_count(l->d[1].words, b));
        buf_printf(&to, ", %.1f %% of them not in --data\n", 100 * (double)l->new_words / (double)l->d[1].words);
        if (l->new_tags) buf_printf(&to, "warning   %s tags of --test are not in --data\n", task_count(l->new_tags, a));
        if (l->in_both)
            buf_printf(&to, "warning   %s sentences of five or more words are in --data and in --test\n",
                       task_count(l->in_both, a));
    }
    task_out_buf(l->j, &to), buf_free(&to);
}
static void tell_json(const look *l, const told *q)
{
    json_out o = { .to = l->j->result };
    json_begin(&o, '{');
    json_key(&o, "kind"), json_text(&o, "conll");
    json_key(&o, "sentences"), json_int(&o, l->d[0].sentences);
    json_key(&o, "words"), json_int(&o, l->d[0].words);
    lengths_json(&o, "lengths", &q->length);
    json_key(&o, "different_words"), json_int(&o, l->different);
    json_key(&o, "words_once"), json_int(&o, q->once);
    list_json(&o, "tags", q->tag, q->tags);
    json_key(&o, "scheme"), json_text(&o, scheme_names[q->scheme]);
    if (q->scheme) list_json(&o, "spans", q->span, q->spans);
    if (l->d[1].words) {
        json_key(&o, "test"), json_begin(&o, '{');
        json_key(&o, "sentences"), json_int(&o, l->d[1].sentences);
        json_key(&o, "words"), json_int(&o, l->d[1].words);
        json_key(&o, "new_words"), json_int(&o, l->new_words);
        json_key(&o, "new_tags"), json_int(&o, l->new_tags);
        json_key(&o, "in_both"), json_int(&o, l->in_both);
        json_end(&o, '}');
    }
    json_end(&o, '}');
}
static laco_status tell(look *l, laco_error *err)
{
    tag_data *d = &l->d[0];
    told q = { .odd = -1 };
    intern *types = NULL;
    int64_t *length = mem_new((size_t)d->sentences, sizeof *length);
    laco_status st = length ? intern_new(&types, err) : fail_memory(err, (size_t)d->sentences * sizeof *length);
    for (int64_t k = 0; !st && k < d->sentences; k++) length[k] = d->start[k + 1] - d->start[k];
    if (!st) st = count_names(d->type, d->words, l->t.key, &q.word, err);
    if (!st) st = count_names(d->tag, d->words, l->f.tag, &q.tag, err);
    if (!st) {
        while (q.tags < intern_count(l->f.tag) && q.tag[q.tags].count) q.tags++; /* the rest are those of --test */
        q.length = summarise_lengths(length, d->sentences);
        q.scheme = scheme_guess(l->tag, d->start, d->sentences, &q.odd);
        for (int32_t k = 0; k < intern_count(l->t.key); k++) q.once += q.word[k].count == 1;
        if (q.scheme) st = count_spans(l, types, &q.span, &q.span_count, err), q.spans = intern_count(types);
    }
    if (!st && options_flag(l->j->o, "json"))
        tell_json(l, &q);
    else if (!st)
        tell_text(l, &q);
    mem_free(length), mem_free(q.word), mem_free(q.tag), mem_free(q.span), intern_free(types);
    return st;
}
laco_status describe_conll(task_job *j, const char *path, laco_error *err)
{
    look l = { .j = j };
    (void)path;
    laco_status st = read_all(&l, err);
    if (!st) st = tell(&l, err);
    laco_status closed = table_input_close(&l.in, st ? NULL : err);
    mem_free(l.tag), tag_data_free(&l.d[0]), tag_data_free(&l.d[1]), tag_types_free(&l.t), tag_front_free(&l.f);
    return st ? st : closed;
}
