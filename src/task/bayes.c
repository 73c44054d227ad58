/* Counts stand in a table of open addressing with linear probing: keys beside rows of counts, one for each class. In a
   model the grams are written in the order of their keys, each as the distance from the key before and its counts:
   numbers in digits of a base of 32, the lowest first, each digit but the last with 32 added, as one of 64 characters.
 */
#include "task/bayes.h"
#include "base/hash.h"
#include "base/json_utf8.h"
#include "data/words.h"
#include <math.h>

#define KEY_MASK ((UINT64_C(1) << 48) - 1)
enum {
    LONGEST = 4,
    COUNTED_GRAMS = 1 << 23,
    COUNTED = 1 << 26
}; /* characters in a row; while counting: grams, counts */
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const struct {
    const char *name, *about;
} kinds[] = { [GRAMS_WORDS] = { "words", "naive Bayes, words and pairs" },
              [GRAMS_CHARACTERS] = { "characters", "naive Bayes, 1 to 4 characters" },
              [GRAMS_PLACES] = { "places", "naive Bayes, characters by place" } };

struct bayes {
    gram_kind kind;
    int32_t classes;
    int64_t *lines; /* [classes] */
    uint64_t *key;  /* [slots] 0: free */
    int32_t *count; /* [slots][classes] */
    float *log_p;   /* [slots][classes] once ready */
    double *prior;  /* [classes] once ready */
    size_t slots;   /* a power of two */
    int64_t grams;
    uint64_t *found; /* grams of a line */
    size_t found_room;
};

const char *bayes_about(const bayes *b) { return kinds[b->kind].about; }
int64_t bayes_grams(const bayes *b) { return b->grams; }
int32_t bayes_classes(const bayes *b) { return b->classes; }
void bayes_free(bayes *b)
{
    if (!b) return;
    mem_free(b->lines), mem_free(b->key), mem_free(b->count), mem_free(b->log_p), mem_free(b->prior),
        mem_free(b->found);
    mem_free(b);
}
static size_t count_bytes(const bayes *b) { return (size_t)b->classes * sizeof *b->count; }
static size_t slot_of(const bayes *b, uint64_t key)
{
    size_t i = (key * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & (b->slots - 1);
    while (b->key[i] && b->key[i] != key) i = (i + 1) & (b->slots - 1);
    return i;
}
/* The counts of a gram, which is added when it is new; an empty table of so many slots takes those of the old one. */
static laco_status set_slots(bayes *b, size_t slots, int32_t at_least, laco_error *err)
{
    bayes old = *b;
    b->slots = slots, b->grams = 0;
    b->key = mem_new(slots, sizeof *b->key), b->count = mem_new(slots, count_bytes(b));
    if (!b->key || !b->count) {
        mem_free(b->key), mem_free(b->count);
        *b = old;
        return fail_memory(err, slots * (count_bytes(b) + sizeof *b->key));
    }
    for (size_t i = 0; i < old.slots; i++) {
        int64_t all = 0;
        for (int32_t c = 0; old.key[i] && c < b->classes; c++) all += old.count[i * (size_t)b->classes + (size_t)c];
        if (!old.key[i] || all < at_least) continue;
        size_t to = slot_of(b, old.key[i]);
        b->key[to] = old.key[i], b->grams++;
        memcpy(b->count + to * (size_t)b->classes, old.count + i * (size_t)b->classes, count_bytes(b));
    }
    mem_free(old.key), mem_free(old.count);
    return LACO_OK;
}
static laco_status counts_of(bayes *b, uint64_t key, int32_t **counts, laco_error *err)
{
    *counts = NULL;
    size_t i = slot_of(b, key);
    if (!b->key[i] && (size_t)b->grams * 2 >= b->slots) {
        if (b->grams >= min64(COUNTED_GRAMS, COUNTED / b->classes)) return LACO_OK; /* what comes so late is rare */
        laco_status st = set_slots(b, 2 * b->slots, 0, err);
        if (st) return st;
        i = slot_of(b, key);
    }
    if (!b->key[i]) b->key[i] = key, b->grams++;
    *counts = b->count + i * (size_t)b->classes;
    return LACO_OK;
}
laco_status bayes_new(bayes **out, gram_kind kind, int32_t classes, laco_error *err)
{
    bayes *b = mem_new(1, sizeof *b);
    if (!b) return fail_memory(err, sizeof *b);
    b->kind = kind, b->classes = classes;
    b->lines = mem_new((size_t)classes, sizeof *b->lines), b->prior = mem_new((size_t)classes, sizeof *b->prior);
    laco_status st = b->lines && b->prior ? LACO_OK : fail_memory(err, (size_t)classes * 16);
    if (!st) st = set_slots(b, 64, 0, err);
    if (st) return bayes_free(b), st;
    *out = b;
    return LACO_OK;
}

/* ---- grams of a line ---- */
static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}
static uint64_t key_of(uint64_t seed, const char *bytes, size_t n)
{
    uint64_t key = hash_bytes(seed, bytes, n) & KEY_MASK;
    return key ? key : 1;
}
static int64_t words_of(bayes *b, const char *line, size_t n)
{
    const char *word;
    size_t length, at = 0;
    int64_t found = 0;
    for (uint64_t before = 0; words_next(line, n, &at, &word, &length); before = hash_bytes(0, word, length)) {
        b->found[found++] = key_of(0, word, length);
        if (before) b->found[found++] = key_of(before, word, length);
    }
    return found;
}
static int64_t characters_of(bayes *b, const char *line, size_t n)
{
    size_t start[LONGEST] = { 0 };
    int64_t found = 0, chars = 0;
    for (size_t i = 0, bytes; i < n && line[i] != '\n'; i += bytes, chars++) {
        if (!(bytes = json_utf8_next(line + i, n - i, NULL))) bytes = 1;
        start[chars % LONGEST] = i;
        if (b->kind == GRAMS_PLACES)
            b->found[found++] = key_of((uint64_t)chars + 1, line + i, bytes);
        else
            for (int64_t k = 0; k < LONGEST && k <= chars; k++) {
                size_t from = start[(chars - k) % LONGEST];
                b->found[found++] = key_of(0, line + from, i + bytes - from);
            }
    }
    return found;
}
/* The different grams of a line, in order. */
static laco_status find_grams(bayes *b, const char *line, size_t n, int64_t *count, laco_error *err)
{
    size_t room = LONGEST * n + 1;
    if (room > b->found_room) {
        mem_free(b->found);
        b->found = mem_new(2 * room, sizeof *b->found), b->found_room = b->found ? 2 * room : 0;
        if (!b->found) return fail_memory(err, 2 * room * sizeof *b->found);
    }
    int64_t found = b->kind == GRAMS_WORDS ? words_of(b, line, n) : characters_of(b, line, n);
    qsort(b->found, (size_t)found, sizeof *b->found, by_key);
    *count = 0;
    for (int64_t i = 0; i < found; i++)
        if (!i || b->found[i] != b->found[i - 1]) b->found[(*count)++] = b->found[i];
    return LACO_OK;
}

/* ---- learning and judging ---- */
laco_status bayes_count(bayes *b, const char *line, size_t n, int32_t class, laco_error *err)
{
    int64_t grams;
    laco_status st = find_grams(b, line, n, &grams, err);
    b->lines[class] += !st;
    for (int64_t i = 0; !st && i < grams; i++) {
        int32_t *counts;
        st = counts_of(b, b->found[i], &counts, err);
        if (counts) counts[class]++;
    }
    return st;
}
/* The frequency from which on there are few enough. */
static int32_t least_frequency(const bayes *b, int64_t most)
{
    int64_t of[64] = { 0 }, left = b->grams; /* grams of each frequency */
    for (size_t i = 0; i < b->slots; i++) {
        int64_t all = 0;
        for (int32_t c = 0; b->key[i] && c < b->classes; c++) all += b->count[i * (size_t)b->classes + (size_t)c];
        if (b->key[i]) of[min64(63, all)]++;
    }
    int32_t least = 0;
    while (left > most && least < 63) left -= of[least++];
    return least;
}
laco_status bayes_ready(bayes *b, laco_error *err)
{
    size_t K = (size_t)b->classes;
    int64_t most = max64(1024, min64(BAYES_GRAMS, BAYES_COUNTS / b->classes));
    laco_status st = b->grams > most ? set_slots(b, b->slots, least_frequency(b, most), err) : LACO_OK;
    double *all = mem_new(K, sizeof *all), lines = 0;
    b->log_p = st ? NULL : mem_new(b->slots * K, sizeof *b->log_p);
    if (!st && (!all || !b->log_p)) st = fail_memory(err, b->slots * K * sizeof *b->log_p);
    for (size_t i = 0; !st && i < b->slots; i++)
        for (size_t c = 0; c < K; c++) all[c] += b->count[i * K + c];
    for (size_t c = 0; c < K; c++) lines += (double)b->lines[c];
    for (size_t c = 0; c < K; c++) b->prior[c] = log(((double)b->lines[c] + 1) / (lines + (double)K));
    for (size_t i = 0; !st && i < b->slots; i++)
        for (size_t c = 0; b->key[i] && c < K; c++)
            b->log_p[i * K + c] = (float)log((b->count[i * K + c] + 1.0) / (all[c] + (double)b->grams));
    mem_free(all);
    return st;
}
laco_status bayes_score(bayes *b, const char *line, size_t n, double *log_p, laco_error *err)
{
    size_t K = (size_t)b->classes;
    int64_t grams;
    laco_status st = find_grams(b, line, n, &grams, err);
    if (st) return st;
    memcpy(log_p, b->prior, K * sizeof *log_p);
    for (int64_t i = 0; i < grams; i++) {
        size_t at = slot_of(b, b->found[i]);
        for (size_t c = 0; b->key[at] && c < K; c++) log_p[c] += b->log_p[at * K + c];
    }
    double top = log_p[0], sum = 0;
    for (size_t c = 1; c < K; c++) top = fmax(top, log_p[c]);
    for (size_t c = 0; c < K; c++) sum += exp(log_p[c] - top);
    for (size_t c = 0; c < K; c++) log_p[c] -= top + log(sum);
    return LACO_OK;
}

/* ---- in a model ---- */
static void put_digits(buf *to, uint64_t x)
{
    for (; x >= 32; x >>= 5) buf_add(to, &digits[(x & 31) + 32], 1);
    buf_add(to, &digits[x], 1);
}
static bool take_digits(const char **at, const char *end, uint64_t *x)
{
    *x = 0;
    for (int shift = 0; *at < end && shift < 60; shift += 5) {
        const char *d = memchr(digits, *(*at)++, 64);
        if (!d) return false;
        *x |= (uint64_t)((d - digits) & 31) << shift;
        if (d - digits < 32) return true;
    }
    return false;
}
static void put_grams(const bayes *b, buf *to)
{
    size_t K = (size_t)b->classes, n = 0;
    uint64_t *key = mem_new((size_t)b->grams, sizeof *key), before = 0;
    if (!key) {
        to->failed = true;
        return;
    }
    for (size_t i = 0; i < b->slots; i++)
        if (b->key[i]) key[n++] = b->key[i];
    qsort(key, n, sizeof *key, by_key);
    for (size_t i = 0; i < n; before = key[i++]) {
        put_digits(to, key[i] - before);
        const int32_t *count = b->count + slot_of(b, key[i]) * K;
        for (size_t c = 0; c < K; c++) put_digits(to, (uint64_t)count[c]);
    }
    mem_free(key);
}
void bayes_json(const bayes *b, json_out *o)
{
    buf grams = { 0 };
    put_grams(b, &grams);
    o->to->failed |= grams.failed;
    json_begin(o, '{');
    json_key(o, "kind"), json_text(o, kinds[b->kind].name);
    json_key(o, "lines"), json_begin(o, '[');
    for (int32_t c = 0; c < b->classes; c++) json_int(o, b->lines[c]);
    json_end(o, ']');
    json_key(o, "grams"), json_string(o, grams.data, grams.len);
    json_end(o, '}');
    buf_free(&grams);
}
static laco_status take_grams(bayes *b, const json *v, laco_error *err)
{
    const char *at = v->text, *end = v->text + v->len;
    uint64_t key = 0, x;
    laco_status st = LACO_OK;
    while (!st && at < end) {
        int32_t *counts;
        bool good = take_digits(&at, end, &x) && x && x <= KEY_MASK - key;
        if (good) st = counts_of(b, key += x, &counts, err);
        for (int32_t c = 0; !st && good && c < b->classes; c++) {
            good = take_digits(&at, end, &x) && x <= INT32_MAX;
            if (good && counts) counts[c] = (int32_t)x;
        }
        if (!st && !good) st = fail(err, LACO_EFORMAT, -1, "the counts of naive Bayes are damaged");
    }
    return st;
}
laco_status bayes_parse(bayes **out, const json *v, laco_error *err)
{
    const json *name = json_get(v, "kind"), *lines = json_get(v, "lines"), *grams = json_get(v, "grams");
    gram_kind kind = GRAMS_WORDS;
    if (!name || name->kind != JSON_STRING || !lines || lines->kind != JSON_ARRAY || !lines->len ||
        lines->len > INT16_MAX || !grams || grams->kind != JSON_STRING)
        return fail(err, LACO_EFORMAT, -1, "the counts of naive Bayes are damaged");
    while (kind < GRAMS_PLACES && strcmp(kinds[kind].name, name->text)) kind++;
    bayes *b;
    laco_status st = bayes_new(&b, kind, (int32_t)lines->len, err);
    if (st) return st;
    for (size_t c = 0; c < lines->len; c++) b->lines[c] = lines->item[c].integer ? max64(0, lines->item[c].i) : 0;
    st = take_grams(b, grams, err);
    if (!st) st = bayes_ready(b, err);
    if (st) return bayes_free(b), st;
    *out = b;
    return LACO_OK;
}
