/* The front of a tagger: how words are looked up, which there are, their letters and features; the tags, and the
   classes of the network. Kept in the model as the metadata "front" (JSON) and "classes". */
#include "base/json.h"
#include "base/json_utf8.h"
#include "data/utf8.h"
#include "task/tag.h"

laco_status tag_front_new(tag_front *f, laco_error *err)
{
    *f = (tag_front){ .lower = true, .shape = true };
    laco_status st = intern_new(&f->word, err);
    if (!st) st = intern_new(&f->tag, err);
    if (!st) st = intern_new(&f->class, err);
    for (int k = 0; !st && k < MOST_FEATURES; k++) st = intern_new(&f->feature[k].value, err);
    return st;
}
void tag_front_free(tag_front *f)
{
    for (int64_t i = 0; f->input && i < f->inputs; i++) mem_free(f->input[i]);
    for (int k = 0; k < MOST_FEATURES; k++) intern_free(f->feature[k].value);
    intern_free(f->word), intern_free(f->tag), intern_free(f->class);
    void *all[] = { f->words_column, f->tags_column, f->features_column, f->letter, f->input,
                    f->id_column,    f->mean,        f->deviation,       f->rest };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    *f = (tag_front){ 0 };
}

/* ---- words ---- */
laco_status tag_word_key(const tag_front *f, const char *word, size_t n, buf *to, laco_error *err)
{
    to->len = 0;
    if (!f->lower || utf8_check(word, n) != n) {
        buf_add(to, word, n);
        return to->failed ? fail_memory(err, n) : LACO_OK;
    }
    char *lower = mem_new(2 * n + 1, 1);
    if (!lower) return fail_memory(err, 2 * n);
    size_t used = utf8_lower(lower, word, n);
    for (size_t i = 0; i < used; i++)
        if (lower[i] >= '1' && lower[i] <= '9') lower[i] = '0';
    buf_add(to, lower, used);
    mem_free(lower);
    return to->failed ? fail_memory(err, used) : LACO_OK;
}
static bool is_upper(const char *c, size_t n) /* its lower case is another one */
{
    char lower[8];
    size_t used = utf8_lower(lower, c, n);
    return used != n || memcmp(lower, c, n);
}
const char *tag_shape(const char *word, size_t n)
{
    int64_t upper = 0, lower = 0, digit = 0, mark = 0, count = 0;
    bool first = false;
    for (size_t at = 0, bytes; at < n; at += bytes, count++) {
        uint32_t code;
        bytes = json_utf8_next(word + at, n - at, &code);
        if (!bytes)
            bytes = 1, mark++;
        else if (code >= '0' && code <= '9')
            digit++;
        else if (code < 0x80 && !((code | 32) >= 'a' && (code | 32) <= 'z'))
            mark++;
        else if (is_upper(word + at, bytes))
            upper++, first |= !count;
        else
            lower++;
    }
    int64_t letters = upper + lower;
    if (!letters) return digit ? mark ? "number" : "digits" : "mark";
    if (digit) return upper ? "Code0" : "code0";
    if (!upper) return mark ? "low-er" : "lower";
    if (!lower) return letters > 1 ? "UPPER" : "U";
    return upper == 1 && first ? mark ? "Tit-le" : "Title" : "MiXed";
}

/* ---- tags ---- */
static laco_status add_tag(intern *to, char letter, const char *type, bool add, int32_t *out, laco_error *err)
{
    buf name = { 0 };
    buf_printf(&name, "%c%s%s", letter, *type ? "-" : "", type);
    laco_status st = name.failed ? fail_memory(err, strlen(type)) : LACO_OK;
    if (!st && add) st = intern_add(to, name.data, name.len, out, err);
    if (!st && !add) *out = intern_find(to, name.data, name.len);
    buf_free(&name);
    return st;
}
static laco_status sentence_classes(const tag_front *f, tag_data *d, int64_t from, int64_t n, const char **name,
                                    tag_span *span, bool add, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t i = 0; i < n; i++) name[i] = d->tag[from + i] < 0 ? "O" : intern_text(f->tag, d->tag[from + i]);
    int64_t spans = spans_of(name, n, span), k = 0;
    for (int64_t i = 0; !st && i < n; i++) {
        while (k < spans && span[k].end <= i) k++;
        bool inside = k < spans && span[k].from <= i;
        char letter = inside ? scheme_letter(SCHEME_IOBES, &span[k], i, false) : 'O';
        st = add_tag(f->class, letter, inside ? span[k].type : "", add, &d->class[from + i], err);
        if (d->tag[from + i] < 0) d->class[from + i] = -1;
    }
    return st;
}
laco_status tag_classes(const tag_front *f, tag_data *d, bool add, laco_error *err)
{
    int64_t longest = 1;
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i < d->words && f->scheme == SCHEME_NONE; i++) {
        const char *name = d->tag[i] < 0 ? NULL : intern_text(f->tag, d->tag[i]);
        if (name && add) st = intern_add(f->class, name, strlen(name), &d->class[i], err);
        if (!name || !add) d->class[i] = name ? intern_find(f->class, name, strlen(name)) : -1;
    }
    if (st || f->scheme == SCHEME_NONE) return st;
    for (int64_t k = 0; k < d->sentences; k++) longest = max64(longest, d->start[k + 1] - d->start[k]);
    const char **name = mem_new((size_t)longest, sizeof *name);
    tag_span *span = mem_new((size_t)longest, sizeof *span);
    if (!name || !span) st = fail_memory(err, (size_t)longest * sizeof *span);
    for (int64_t k = 0; !st && k < d->sentences; k++)
        st = sentence_classes(f, d, d->start[k], d->start[k + 1] - d->start[k], name, span, add, err);
    mem_free(name), mem_free(span);
    return st;
}
laco_status tag_names(tag_front *f, const int32_t *class, int64_t n, const char **out, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t i = 0; i < n; i++) out[i] = intern_text(f->class, class[i]);
    if (f->scheme == SCHEME_NONE || f->scheme == SCHEME_IOBES) return LACO_OK;
    tag_span *span = mem_new((size_t)n + 1, sizeof *span);
    if (!span) return fail_memory(err, (size_t)n * sizeof *span);
    int64_t spans = spans_of(out, n, span), k = 0;
    for (int64_t i = 0; !st && i < n; i++) {
        while (k < spans && span[k].end <= i) k++;
        if (k == spans || span[k].from > i) continue; /* O stays O */
        bool after = k && span[k - 1].end == span[k].from && !strcmp(span[k - 1].type, span[k].type);
        int32_t tag;
        st = add_tag(f->tag, scheme_letter(f->scheme, &span[k], i, after), span[k].type, true, &tag, err);
        if (!st) out[i] = intern_text(f->tag, tag);
    }
    mem_free(span);
    return st;
}
laco_status tag_of_classes(const tag_front *f, intern *to, int32_t *of, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int32_t k = 0; !st && k < intern_count(f->class); k++) {
        const char *name = intern_text(f->class, k);
        tag_mark mark = tag_read(name);
        const tag_span two = { 0, 2, mark.type };
        bool goes_on = mark.letter == 'I' || mark.letter == 'E';
        bool same = f->scheme == SCHEME_NONE || f->scheme == SCHEME_IOBES || mark.letter == 'O';
        st = same ? intern_add(to, name, strlen(name), &of[k], err)
                  : add_tag(to, scheme_letter(f->scheme, &two, goes_on, false), mark.type, true, &of[k], err);
    }
    return st;
}

/* ---- from the training data ---- */
typedef struct counted {
    const char *text;
    int64_t count;
} counted;
static int by_count(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return strcmp(x->text, y->text);
}
/* Words in the order of falling count. */
static laco_status learn_words(tag_front *f, const tag_types *t, int64_t min_count, laco_error *err)
{
    intern *all = NULL;
    int64_t *count = mem_new((size_t)intern_count(t->key), sizeof *count);
    buf key = { 0 };
    int32_t k;
    laco_status st = count ? intern_new(&all, err) : fail_memory(err, (size_t)intern_count(t->key) * 8);
    if (!st) st = intern_add(f->word, "<unk>", 5, &k, err);
    for (int32_t i = 0; !st && i < intern_count(t->key); i++) {
        const char *word = intern_text(t->key, i);
        st = tag_word_key(f, word, strcspn(word, "\t"), &key, err);
        if (!st && !(st = intern_add(all, key.data, key.len, &k, err))) count[k] += t->count[i];
    }
    int32_t n = all ? intern_count(all) : 0;
    counted *row = mem_new((size_t)n, sizeof *row);
    if (!st && !row) st = fail_memory(err, (size_t)n * sizeof *row);
    for (int32_t i = 0; !st && i < n; i++) row[i] = (counted){ intern_text(all, i), count[i] };
    if (!st) qsort(row, (size_t)n, sizeof *row, by_count);
    for (int32_t i = 0; !st && i < n && row[i].count >= min_count; i++)
        st = intern_add(f->word, row[i].text, strlen(row[i].text), &k, err);
    mem_free(row), mem_free(count), intern_free(all), buf_free(&key);
    return st;
}
/* The values of feature k in the key of a type; the last one is the shape. */
static const char *feature_value(const tag_front *f, const char *key, int k, size_t *n)
{
    const char *p = key;
    if (f->shape && k == f->features - 1) {
        const char *shape = tag_shape(key, strcspn(key, "\t"));
        return *n = strlen(shape), shape;
    }
    for (int i = 0; i <= k; i++) p += strcspn(p, "\t"), p += *p == '\t';
    return *n = strcspn(p, "\t"), p;
}
static laco_status learn_features(tag_front *f, const tag_types *t, laco_error *err)
{
    laco_status st = LACO_OK;
    int32_t number;
    f->features = f->shape;
    for (const char *p = f->features_column; p && *p; p += strcspn(p, ","), p += *p == ',') f->features++;
    if (f->features > MOST_FEATURES)
        return fail(err, LACO_EINVAL, -1, "--features: at most %d columns", MOST_FEATURES - f->shape);
    for (int k = 0; !st && k < f->features; k++) {
        st = intern_add(f->feature[k].value, "<unk>", 5, &number, err);
        for (int32_t i = 0; !st && i < intern_count(t->key); i++) {
            size_t n;
            const char *value = feature_value(f, intern_text(t->key, i), k, &n);
            if (t->count[i]) st = intern_add(f->feature[k].value, value, n, &number, err);
        }
    }
    return st;
}
static uint32_t next_letter(const char *word, size_t n, size_t *at)
{
    uint32_t code;
    size_t bytes = json_utf8_next(word + *at, n - *at, &code);
    *at += bytes ? bytes : 1;
    return bytes ? code : 0xfffd;
}
static int by_code(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}
/* Letters of at least two types: the vector of those that are not known is learned from the rest. */
static laco_status learn_letters(tag_front *f, const tag_types *t, laco_error *err)
{
    size_t total = 0, n = 0;
    for (int32_t i = 0; i < intern_count(t->key); i++) total += strlen(intern_text(t->key, i));
    uint32_t *all = mem_new(total, sizeof *all);
    f->letter = mem_new(total, sizeof *f->letter);
    if (!all || !f->letter) return mem_free(all), fail_memory(err, total * sizeof *all);
    for (int32_t i = 0; i < intern_count(t->key); i++) {
        const char *word = intern_text(t->key, i);
        size_t bytes = strcspn(word, "\t");
        for (size_t at = 0; t->count[i] && at < bytes;) all[n++] = next_letter(word, bytes, &at);
    }
    qsort(all, n, sizeof *all, by_code);
    for (size_t i = 1; i < n; i++)
        if (all[i] == all[i - 1] && (!f->letters || f->letter[f->letters - 1] != all[i]))
            f->letter[f->letters++] = all[i];
    mem_free(all);
    return LACO_OK;
}
laco_status tag_front_learn(tag_front *f, const tag_types *t, int64_t min_count, laco_error *err)
{
    laco_status st = learn_words(f, t, min_count, err);
    if (!st) st = learn_features(f, t, err);
    return st ? st : learn_letters(f, t, err);
}

/* ---- types ---- */
laco_status tag_types_new(tag_types *t, laco_error *err)
{
    *t = (tag_types){ 0 };
    return intern_new(&t->key, err);
}
void tag_types_free(tag_types *t)
{
    intern_free(t->key);
    void *all[] = { t->count, t->word, t->chars, t->feature, t->first, t->forget };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    *t = (tag_types){ 0 };
}
laco_status tag_types_count(tag_types *t, const tag_data *train, laco_error *err)
{
    mem_free(t->count);
    if (!(t->count = mem_new((size_t)intern_count(t->key), sizeof *t->count)))
        return fail_memory(err, (size_t)intern_count(t->key) * sizeof *t->count);
    t->counted = intern_count(t->key);
    for (int64_t i = 0; i < train->words; i++) t->count[train->type[i]]++;
    return LACO_OK;
}
static int32_t letter_number(const tag_front *f, uint32_t code)
{
    int64_t low = 0, high = f->letters;
    while (low < high) {
        int64_t i = (low + high) / 2;
        if (f->letter[i] < code)
            low = i + 1;
        else
            high = i;
    }
    return low < f->letters && f->letter[low] == code ? (int32_t)low + 1 : 0;
}
/* Its first and its last letters, where it has more than are read. */
static laco_status add_letters(tag_types *t, const tag_front *f, const char *word, size_t n, laco_error *err)
{
    int32_t all[2 * MOST_CHARS];
    int64_t count = 0, half = MOST_CHARS / 2;
    for (size_t at = 0; at < n; count++) {
        int32_t letter = letter_number(f, next_letter(word, n, &at));
        if (count < MOST_CHARS) all[count] = letter;
        if (count >= half) all[MOST_CHARS + (count - half) % half] = letter;
    }
    if (count > MOST_CHARS) /* the ring of the last ones, from its oldest on */
        for (int64_t i = 0; i < half; i++) all[half + i] = all[MOST_CHARS + (count - half + i) % half];
    count = min64(count, MOST_CHARS);
    if (t->chars_used + count > t->chars_room) {
        int64_t room = 2 * t->chars_room + 4096;
        int32_t *chars = mem_resize(t->chars, (size_t)t->chars_room * sizeof *chars, (size_t)room * sizeof *chars);
        if (!chars) return fail_memory(err, (size_t)room * sizeof *chars);
        t->chars = chars, t->chars_room = room;
    }
    memcpy(t->chars + t->chars_used, all, (size_t)count * sizeof *all);
    t->chars_used += count;
    return LACO_OK;
}
static laco_status grow(void *array, size_t size, int64_t from, int64_t to, laco_error *err)
{
    void **at = array, *bigger = mem_resize(*at, (size_t)from * size, (size_t)to * size);
    if (!bigger) return fail_memory(err, (size_t)to * size);
    *at = bigger;
    return LACO_OK;
}
static laco_status build_type(tag_types *t, const tag_front *f, int64_t i, double forget, buf *key, laco_error *err)
{
    const char *text = intern_text(t->key, (int32_t)i);
    size_t n = strcspn(text, "\t");
    laco_status st = tag_word_key(f, text, n, key, err);
    if (st) return st;
    t->word[i] = (int32_t)max64(0, intern_find(f->word, key->data, key->len));
    t->forget[i] = (float)(i < t->counted && t->count[i] && forget > 0 ? forget / (forget + (double)t->count[i]) : 0);
    for (int k = 0; k < f->features; k++) {
        size_t bytes;
        const char *value = feature_value(f, text, k, &bytes);
        t->feature[i * f->features + k] = (int32_t)max64(0, intern_find(f->feature[k].value, value, bytes));
    }
    st = add_letters(t, f, text, n, err);
    t->first[i + 1] = t->chars_used;
    return st;
}
laco_status tag_types_build(tag_types *t, const tag_front *f, double forget, laco_error *err)
{
    int64_t n = intern_count(t->key);
    laco_status st = grow(&t->word, sizeof *t->word, t->built, n, err);
    if (!st) st = grow(&t->forget, sizeof *t->forget, t->built, n, err);
    if (!st) st = grow(&t->feature, sizeof *t->feature, t->built * f->features, n * f->features, err);
    if (!st) st = grow(&t->first, sizeof *t->first, t->built ? t->built + 1 : 0, n + 1, err);
    buf key = { 0 };
    for (; !st && t->built < n; t->built++) st = build_type(t, f, t->built, forget, &key, err);
    buf_free(&key);
    t->lex = (lexicon){ t->word, forget > 0 ? t->forget : NULL, t->chars, t->first, t->feature, f->features };
    return st;
}

/* ---- JSON ---- */
static void put_texts(json_out *o, const char *key, const intern *s)
{
    json_key(o, key), json_begin(o, '[');
    for (int32_t i = 0; i < intern_count(s); i++) json_text(o, intern_text(s, i));
    json_end(o, ']');
}
static void put_text(json_out *o, const char *key, const char *text)
{
    if (text) json_key(o, key), json_text(o, text);
}
static void put_numbers(json_out *o, const char *key, const double *x, int64_t n)
{
    json_key(o, key), json_begin(o, '[');
    for (int64_t i = 0; i < n; i++) json_number(o, x[i]);
    json_end(o, ']');
}
static void put_words(const tag_front *f, json_out *o)
{
    put_text(o, "words", f->words_column), put_text(o, "features", f->features_column);
    json_key(o, "lower"), json_bool(o, f->lower);
    json_key(o, "shape"), json_bool(o, f->shape);
    put_texts(o, "vocabulary", f->word);
    json_key(o, "letters"), json_begin(o, '[');
    for (int64_t i = 0; i < f->letters; i++) json_int(o, f->letter[i]);
    json_end(o, ']');
    json_key(o, "values"), json_begin(o, '[');
    for (int k = 0; k < f->features; k++) {
        json_begin(o, '{'), put_texts(o, "value", f->feature[k].value), json_end(o, '}');
    }
    json_end(o, ']');
}
static void put_inputs(const tag_front *f, json_out *o)
{
    put_text(o, "id", f->id_column), put_text(o, "rest", f->rest);
    json_key(o, "prepare"), prepare_to_json(&f->prepare, o);
    json_key(o, "inputs"), json_begin(o, '[');
    for (int64_t i = 0; i < f->inputs; i++) json_text(o, f->input[i]);
    json_end(o, ']');
    put_numbers(o, "mean", f->mean, f->inputs), put_numbers(o, "deviation", f->deviation, f->inputs);
}
laco_status tag_front_save(const tag_front *f, laco_model *m, laco_error *err)
{
    buf text = { 0 }, names = { 0 };
    json_out o = { .to = &text }, c = { .to = &names };
    json_begin(&o, '{');
    json_key(&o, "kind"), json_text(&o, f->numbers ? "numbers" : "words");
    put_text(&o, "tags", f->tags_column);
    if (f->numbers)
        put_inputs(f, &o);
    else
        put_words(f, &o);
    json_key(&o, "scheme"), json_text(&o, scheme_names[f->scheme]);
    json_end(&o, '}');
    json_begin(&c, '[');
    for (int32_t i = 0; i < intern_count(f->class); i++) json_text(&c, intern_text(f->class, i));
    json_end(&c, ']');
    laco_status st = text.failed || names.failed ? fail_memory(err, text.len) : model_set(m, "front", text.data, err);
    if (!st) st = model_set(m, "classes", names.data, err);
    if (!st) st = model_set(m, "task", "tag", err);
    buf_free(&text), buf_free(&names);
    return st;
}
static bool get_texts(intern *to, const json *list, laco_status *st, laco_error *err)
{
    int32_t number;
    if (!list || list->kind != JSON_ARRAY) return false;
    for (size_t i = 0; !*st && i < list->len; i++) {
        if (list->item[i].kind != JSON_STRING || strlen(list->item[i].text) != list->item[i].len) return false;
        *st = intern_add(to, list->item[i].text, list->item[i].len, &number, err);
        if (!*st && number != (int32_t)i) return false; /* twice */
    }
    return true;
}
static bool get_text(char **to, const json *j, laco_status *st, laco_error *err)
{
    if (!j) return true;
    if (j->kind != JSON_STRING) return false;
    if (!(*to = mem_text(j->text, j->len))) *st = fail_memory(err, j->len);
    return true;
}
static bool get_flag(bool *to, const json *j)
{
    if (!j || (j->kind != JSON_TRUE && j->kind != JSON_FALSE)) return false;
    *to = j->kind == JSON_TRUE;
    return true;
}
static bool get_words(tag_front *f, const json *root, laco_status *st, laco_error *err)
{
    const json *letters = json_get(root, "letters"), *values = json_get(root, "values");
    bool ok = get_text(&f->words_column, json_get(root, "words"), st, err) &&
              get_text(&f->features_column, json_get(root, "features"), st, err) &&
              get_flag(&f->lower, json_get(root, "lower")) && get_flag(&f->shape, json_get(root, "shape")) &&
              get_texts(f->word, json_get(root, "vocabulary"), st, err) && intern_count(f->word) && letters &&
              letters->kind == JSON_ARRAY && values && values->kind == JSON_ARRAY && values->len <= MOST_FEATURES;
    if (!ok || *st) return ok;
    if (!(f->letter = mem_new(letters->len, sizeof *f->letter))) return *st = fail_memory(err, letters->len), true;
    for (size_t i = 0; i < letters->len; i++, f->letters++) {
        const json *c = &letters->item[i];
        if (c->kind != JSON_NUMBER || !c->integer || c->i < 0 || c->i > 0x10ffff) return false;
        f->letter[i] = (uint32_t)c->i;
        if (i && f->letter[i] <= f->letter[i - 1]) return false;
    }
    for (f->features = 0; ok && f->features < (int)values->len; f->features++)
        ok = get_texts(f->feature[f->features].value, json_get(&values->item[f->features], "value"), st, err) &&
             intern_count(f->feature[f->features].value);
    int columns = f->shape;
    for (const char *p = f->features_column; p && *p; p += strcspn(p, ","), p += *p == ',') columns++;
    return ok && columns == f->features;
}
static bool get_numbers(double **to, const json *list, int64_t n, laco_status *st, laco_error *err)
{
    if (!list || list->kind != JSON_ARRAY || (int64_t)list->len != n) return false;
    if (!(*to = mem_new((size_t)n, sizeof **to))) return *st = fail_memory(err, (size_t)n * 8), true;
    for (int64_t i = 0; i < n; i++) {
        if (list->item[i].kind != JSON_NUMBER) return false;
        (*to)[i] = list->item[i].number;
    }
    return true;
}
static bool get_inputs(tag_front *f, const json *root, laco_status *st, laco_error *err)
{
    const json *names = json_get(root, "inputs"), *prepare = json_get(root, "prepare");
    laco_error why;
    if (prepare && prepare_from_json(&f->prepare, prepare, &why)) return false;
    if (!get_text(&f->id_column, json_get(root, "id"), st, err) ||
        !get_text(&f->rest, json_get(root, "rest"), st, err) || !names || names->kind != JSON_ARRAY || !names->len)
        return false;
    if (!(f->input = mem_new(names->len, sizeof *f->input))) return *st = fail_memory(err, names->len * 8), true;
    for (f->inputs = 0; !*st && f->inputs < (int64_t)names->len; f->inputs++)
        if (!get_text(&f->input[f->inputs], &names->item[f->inputs], st, err)) return false;
    return get_numbers(&f->mean, json_get(root, "mean"), f->inputs, st, err) &&
           get_numbers(&f->deviation, json_get(root, "deviation"), f->inputs, st, err);
}
static bool get_front(tag_front *f, const json *root, laco_status *st, laco_error *err)
{
    const json *kind = json_get(root, "kind"), *scheme = json_get(root, "scheme");
    if (!kind || kind->kind != JSON_STRING || !scheme || scheme->kind != JSON_STRING) return false;
    while (f->scheme < SCHEMES && strcmp(scheme_names[f->scheme], scheme->text)) f->scheme++;
    f->numbers = !strcmp(kind->text, "numbers");
    return f->scheme < SCHEMES && get_text(&f->tags_column, json_get(root, "tags"), st, err) &&
           (f->numbers ? get_inputs(f, root, st, err) : get_words(f, root, st, err));
}
/* Sizes of the network against what the front hands it. */
static bool fits_network(const tag_front *f, const net *n)
{
    const layer_spec *s = &n->d.layer[0];
    if (n->outputs != intern_count(f->class)) return false;
    if (f->numbers) return !n->symbols && n->inputs == f->inputs;
    bool ok = !strcmp(s->kind, "tokens") && n->inputs == intern_count(f->word) && s->features <= f->features &&
              (!s->chars || s->alphabet == f->letters + 1);
    for (int k = 0; ok && k < s->features; k++) ok = s->feature_count[k] == intern_count(f->feature[k].value);
    return ok;
}
laco_status tag_front_load(tag_front *f, const laco_model *m, const char *path, laco_error *err)
{
    const char *front = model_get(m, "front"), *classes = model_get(m, "classes");
    json_doc *d = NULL, *c = NULL;
    laco_status st = tag_front_new(f, err);
    if (!st && (!front || !classes)) st = fail(err, LACO_EFORMAT, -1, "%s lacks what a tagger keeps of its data", path);
    if (!st) st = json_parse(&d, front, strlen(front), err);
    if (!st) st = json_parse(&c, classes, strlen(classes), err);
    bool ok = !st && get_front(f, json_root(d), &st, err) && get_texts(f->class, json_root(c), &st, err);
    if (!st && (!ok || !fits_network(f, m->net)))
        st = fail(err, LACO_EFORMAT, -1, "%s is damaged: its metadata \"front\" and its network do not fit", path);
    json_free(d), json_free(c);
    return st;
}
