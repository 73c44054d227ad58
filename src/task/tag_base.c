/* The baseline of a tagger: a word that was in the training data has its most frequent tag there; another one that of
   the words with the same ending, of up to 5 letters, the longest that is known; numbers the most frequent tag of all.
   Of equally frequent tags the first that was met.

   Endings are those of words in lower case, counted once for every time a word was seen. Ties and all else depend on
   the training data alone. */
#include "base/json.h"
#include "data/utf8.h"
#include "task/tag.h"

enum { MOST_ENDING = 5 };
typedef struct best_tag {
    int64_t count;
    int32_t tag;
} best_tag;
typedef struct tag_table { /* of strings, how often each had which tag */
    intern *text, *pair;   /* pair: text and number of the tag */
    int64_t *count;        /* [pairs] */
    best_tag *best;        /* [texts] */
    int64_t pair_room, text_room;
} tag_table;
struct tag_base {
    tag_table word, ending;
    intern *tag;
    int32_t usual;
};

static laco_status table_new(tag_table *t, laco_error *err)
{
    laco_status st = intern_new(&t->text, err);
    return st ? st : intern_new(&t->pair, err);
}
static void table_end(tag_table *t)
{
    intern_free(t->text), intern_free(t->pair), mem_free(t->count), mem_free(t->best);
    *t = (tag_table){ 0 };
}
static laco_status make_room(void *array, size_t size, int64_t *room, int64_t wanted, laco_error *err)
{
    void **at = array;
    if (wanted < *room) return LACO_OK;
    int64_t more = 2 * wanted + 256;
    void *bigger = mem_resize(*at, (size_t)*room * size, (size_t)more * size);
    if (!bigger) return fail_memory(err, (size_t)more * size);
    *at = bigger, *room = more;
    return LACO_OK;
}
static laco_status table_count(tag_table *t, const char *text, size_t n, int32_t tag, laco_error *err)
{
    char key[sizeof tag + 256];
    int32_t number, pair;
    n = (size_t)min64((int64_t)n, 256);
    memcpy(key, &tag, sizeof tag), memcpy(key + sizeof tag, text, n);
    laco_status st = intern_add(t->text, text, n, &number, err);
    if (!st) st = intern_add(t->pair, key, n + sizeof tag, &pair, err);
    if (!st) st = make_room(&t->count, sizeof *t->count, &t->pair_room, pair, err);
    if (!st) st = make_room(&t->best, sizeof *t->best, &t->text_room, number, err);
    if (st) return st;
    int64_t count = ++t->count[pair];
    best_tag *b = &t->best[number];
    if (count > b->count) *b = (best_tag){ count, tag };
    return LACO_OK;
}
static int32_t table_tag(const tag_table *t, const char *text, size_t n)
{
    int32_t number = intern_find(t->text, text, (size_t)min64((int64_t)n, 256));
    return number < 0 ? -1 : t->best[number].tag;
}
/* Where the last k letters of n bytes begin; n when there are not so many in front of them. */
static size_t ending_at(const char *word, size_t n, int k)
{
    size_t at = n;
    for (; k && at; k--)
        for (at--; at && ((unsigned char)word[at] & 0xc0) == 0x80; at--) {
        }
    return k ? n : at;
}
static size_t lower_word(const char *word, size_t n, char to[513])
{
    n = (size_t)min64((int64_t)n, 256);
    if (utf8_check(word, n) == n) return utf8_lower(to, word, n);
    memcpy(to, word, n);
    return n;
}
void tag_base_free(tag_base *b)
{
    if (!b) return;
    table_end(&b->word), table_end(&b->ending), intern_free(b->tag), mem_free(b);
}
static laco_status new_base(tag_base **out, laco_error *err)
{
    tag_base *b = *out = mem_new(1, sizeof *b);
    if (!b) return fail_memory(err, sizeof *b);
    laco_status st = table_new(&b->word, err);
    if (!st) st = table_new(&b->ending, err);
    return st ? st : intern_new(&b->tag, err);
}
static laco_status count_word(tag_base *b, const char *word, size_t n, int32_t tag, laco_error *err)
{
    char lower[513];
    size_t used = lower_word(word, n, lower), at;
    laco_status st = table_count(&b->word, word, n, tag, err);
    for (int k = 1; !st && k <= MOST_ENDING && (at = ending_at(lower, used, k)) < used; k++)
        st = table_count(&b->ending, lower + at, used - at, tag, err);
    return st;
}
laco_status tag_base_new(tag_base **out, const tag_front *f, const tag_types *t, const tag_data *train, laco_error *err)
{
    laco_status st = new_base(out, err);
    int32_t number;
    for (int32_t k = 0; !st && k < intern_count(f->tag); k++) {
        const char *name = intern_text(f->tag, k);
        st = intern_add((*out)->tag, name, strlen(name), &number, err);
    }
    int64_t *count = mem_new((size_t)intern_count(f->tag), sizeof *count), most = 0;
    if (!st && !count) st = fail_memory(err, (size_t)intern_count(f->tag) * 8);
    for (int64_t i = 0; !st && i < train->words; i++) {
        int32_t tag = train->tag[i];
        if (tag < 0) continue;
        if (++count[tag] > most) most = count[tag], (*out)->usual = tag;
        if (!train->type) continue;
        const char *word = intern_text(t->key, train->type[i]);
        st = count_word(*out, word, strcspn(word, "\t"), tag, err);
    }
    mem_free(count);
    if (st) tag_base_free(*out), *out = NULL;
    return st;
}
int32_t tag_base_of(const tag_base *b, const tag_types *t, int32_t type, bool *unknown)
{
    const char *word = intern_text(t->key, type);
    size_t n = strcspn(word, "\t");
    char lower[513];
    int32_t tag = table_tag(&b->word, word, n);
    *unknown = tag < 0;
    if (tag >= 0) return tag;
    size_t used = lower_word(word, n, lower);
    if ((tag = table_tag(&b->word, lower, used)) >= 0) return tag;
    for (int k = MOST_ENDING; tag < 0 && k; k--) {
        size_t at = ending_at(lower, used, k);
        if (at < used) tag = table_tag(&b->ending, lower + at, used - at);
    }
    return tag < 0 ? b->usual : tag;
}
laco_status tag_base_judge(tag_counts *c, const tag_base *b, const tag_front *f, const tag_types *t, const tag_data *d,
                           laco_error *err)
{
    int64_t longest = 1;
    for (int64_t k = 0; k < d->sentences; k++) longest = max64(longest, d->start[k + 1] - d->start[k]);
    const char **real = mem_new((size_t)longest, sizeof *real), **said = mem_new((size_t)longest, sizeof *said);
    bool *unknown = mem_new((size_t)longest, sizeof *unknown);
    laco_status st = real && said && unknown ? LACO_OK : fail_memory(err, (size_t)longest * 16);
    for (int64_t k = 0; !st && k < d->sentences; k++) {
        int64_t from = d->start[k], n = d->start[k + 1] - from;
        for (int64_t i = 0; i < n; i++) {
            int32_t tag = d->type ? tag_base_of(b, t, d->type[from + i], &unknown[i]) : b->usual;
            said[i] = intern_text(b->tag, tag);
            real[i] = d->tag[from + i] < 0 ? NULL : intern_text(f->tag, d->tag[from + i]);
        }
        st = tag_count(c, real, said, unknown, n, err);
    }
    mem_free(real), mem_free(said), mem_free(unknown);
    return st;
}

/* ---- in the model ---- metadata "baseline": tags, words with theirs, endings with theirs */
static void put_table(json_out *o, const char *name, const tag_table *t)
{
    json_key(o, name), json_begin(o, '[');
    for (int part = 0; part < 2; part++) {
        json_begin(o, '[');
        for (int32_t i = 0; i < intern_count(t->text); i++) {
            if (part)
                json_int(o, t->best[i].tag);
            else
                json_text(o, intern_text(t->text, i));
        }
        json_end(o, ']');
    }
    json_end(o, ']');
}
laco_status tag_base_save(const tag_base *b, laco_model *m, laco_error *err)
{
    buf text = { 0 };
    json_out o = { .to = &text };
    json_begin(&o, '{');
    json_key(&o, "usual"), json_int(&o, b->usual);
    json_key(&o, "tags"), json_begin(&o, '[');
    for (int32_t i = 0; i < intern_count(b->tag); i++) json_text(&o, intern_text(b->tag, i));
    json_end(&o, ']');
    put_table(&o, "words", &b->word), put_table(&o, "endings", &b->ending);
    json_end(&o, '}');
    laco_status st = text.failed ? fail_memory(err, text.len) : model_set(m, "baseline", text.data, err);
    buf_free(&text);
    return st;
}
static bool get_tag(const json *j, int32_t tags, int32_t *out)
{
    if (!j || j->kind != JSON_NUMBER || !j->integer || j->i < 0 || j->i >= tags) return false;
    *out = (int32_t)j->i;
    return true;
}
static bool get_table(tag_table *t, const json *j, int32_t tags, laco_status *st, laco_error *err)
{
    if (!j || j->kind != JSON_ARRAY || j->len != 2 || j->item[0].kind != JSON_ARRAY || j->item[1].kind != JSON_ARRAY ||
        j->item[0].len != j->item[1].len)
        return false;
    for (size_t i = 0; !*st && i < j->item[0].len; i++) {
        const json *text = &j->item[0].item[i];
        int32_t tag;
        if (text->kind != JSON_STRING || !get_tag(&j->item[1].item[i], tags, &tag)) return false;
        *st = table_count(t, text->text, text->len, tag, err);
    }
    return true;
}
laco_status tag_base_load(tag_base **out, const laco_model *m, laco_error *err)
{
    const char *text = model_get(m, "baseline");
    json_doc *d = NULL;
    int32_t number;
    laco_status st = new_base(out, err);
    bool ok = true;
    if (!st && text) st = json_parse(&d, text, strlen(text), err);
    const json *root = d ? json_root(d) : NULL, *tags = root ? json_get(root, "tags") : NULL;
    if (!st && (!tags || tags->kind != JSON_ARRAY || !tags->len)) ok = false;
    for (size_t i = 0; ok && !st && i < tags->len; i++) {
        if (tags->item[i].kind != JSON_STRING) ok = false;
        if (ok) st = intern_add((*out)->tag, tags->item[i].text, tags->item[i].len, &number, err);
    }
    if (ok && !st) {
        int32_t n = intern_count((*out)->tag);
        ok = get_tag(json_get(root, "usual"), n, &(*out)->usual) &&
             get_table(&(*out)->word, json_get(root, "words"), n, &st, err) &&
             get_table(&(*out)->ending, json_get(root, "endings"), n, &st, err);
    }
    if (!st && !ok) st = fail(err, LACO_EFORMAT, -1, "the model's metadata \"baseline\" is damaged");
    json_free(d);
    if (st) tag_base_free(*out), *out = NULL;
    return st;
}
