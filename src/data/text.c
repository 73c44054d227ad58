/* Text as symbols. Every unit is cut into spans of bytes by one reader, and one hash table numbers the different spans:
   building counts them, encoding looks them up. Nothing but the reader knows the units apart.

   The table is open addressing with linear probing, at most half full; a slot keeps 32 bits of the hash beside the
   number, so that a span is compared only when it is very likely the same. Hash: FNV-1a, 64 bits folded to 32
   (Fowler, Noll, Vo). */
#include "data/text.h"
#include "base/json.h"
#include "base/json_utf8.h"
#include "data/utf8.h"
#include <stdio.h>

enum { TABLE_LIMIT = 1 << 24 };   /* different symbols; about 1 GB of table */

typedef struct span {
    const char *p;
    size_t len;
} span;

typedef struct entry {
    span text;
    int64_t count;
} entry;

typedef struct slot {
    uint32_t hash;
    int32_t number;   /* of an entry, from 1; 0: free */
} slot;

typedef struct table {
    slot *slot;
    size_t slots;     /* a power of two */
    entry *entry;
    int32_t entries, room;
} table;

struct vocab {
    text_unit unit;
    bool lower;
    int32_t eos, unk;
    char *bytes;      /* of all symbols, one behind the other; the entries of `symbols` point in here */
    table symbols;    /* an entry's number is the symbol */
};

static const span EOS = {"<eos>", 5}, UNK = {"<unk>", 5}, NEWLINE = {"\n", 1};

static const char *const UNIT_NAMES[] = {"byte", "char", "word", NULL};
static const char *const SYMBOLS_ARE[] = {"bytes", "characters", "words"};

laco_status text_unit_named(text_unit *out, const char *name, laco_error *err)
{
    for (int u = 0; UNIT_NAMES[u]; u++)
        if (strcmp(name, UNIT_NAMES[u]) == 0) {
            *out = (text_unit)u;
            return LACO_OK;
        }
    const char *near = nearest_name(name, UNIT_NAMES);
    return fail(err, LACO_EINVAL, -1, "unknown unit \"%.40s\"%s%s%s: it must be byte, char or word", name,
                near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

const char *text_unit_name(text_unit u) { return UNIT_NAMES[u]; }

/* ---- table ---- */

static uint32_t span_hash(span s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < s.len; i++) h = (h ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(h ^ h >> 32);
}

static int span_compare(span a, span b)
{
    int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The slot that holds s, or the free one where it belongs. */
static slot *table_slot(const table *t, span s, uint32_t hash)
{
    size_t mask = t->slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        slot *at = &t->slot[i];
        if (at->number == 0) return at;
        if (at->hash != hash) continue;
        span other = t->entry[at->number - 1].text;
        if (other.len == s.len && memcmp(other.p, s.p, s.len) == 0) return at;
    }
}

static int32_t table_find(const table *t, span s) { return table_slot(t, s, span_hash(s))->number - 1; }

/* Room for twice as many entries, and twice as many slots as that. */
static laco_status table_grow(table *t, laco_error *err)
{
    int32_t room = t->room ? 2 * t->room : 64;
    size_t slots = 2 * (size_t)room, mask = slots - 1;
    slot *wider = mem_new(slots, sizeof *wider);
    entry *more = wider ? mem_resize(t->entry, (size_t)t->room * sizeof *more, (size_t)room * sizeof *more) : NULL;
    if (!more) {
        mem_free(wider);
        return fail_memory(err, slots * sizeof *wider + (size_t)room * sizeof *more);
    }
    for (size_t old = 0; old < t->slots; old++) {
        if (t->slot[old].number == 0) continue;
        size_t i = t->slot[old].hash & mask;
        while (wider[i].number) i = (i + 1) & mask;
        wider[i] = t->slot[old];
    }
    mem_free(t->slot);
    *t = (table){.slot = wider, .slots = slots, .entry = more, .entries = t->entries, .room = room};
    return LACO_OK;
}

/* The number of s, which is added with count 0 when it is new. */
static laco_status table_add(table *t, span s, int32_t *number, laco_error *err)
{
    if (t->entries == t->room && t->room < TABLE_LIMIT) {
        laco_status status = table_grow(t, err);
        if (status != LACO_OK) return status;
    }
    uint32_t hash = span_hash(s);
    slot *at = table_slot(t, s, hash);
    if (at->number == 0) {
        if (t->entries == TABLE_LIMIT)
            return fail(err, LACO_EUNSUPPORTED, -1, "more than %d different words: use --unit char or --unit byte",
                        TABLE_LIMIT);
        t->entry[t->entries] = (entry){.text = s};
        *at = (slot){hash, ++t->entries};
    }
    *number = at->number - 1;
    return LACO_OK;
}

static void table_free(table *t) { mem_free(t->slot), mem_free(t->entry); }

/* ---- reading a text ---- */

/* A text that has been checked and, where asked, lower-cased. */
typedef struct checked {
    const char *p;
    size_t n;
    char *owned;   /* what p points into when it is not the caller's text */
} checked;

static int64_t line_of(const char *text, size_t at)
{
    int64_t line = 1;
    for (const char *p = text; (p = memchr(p, '\n', at - (size_t)(p - text))) != NULL; p++) line++;
    return line;
}

static laco_status text_check(checked *out, text_unit unit, bool lower, const char *text, size_t n, const char *name,
                              laco_error *err)
{
    *out = (checked){.p = n ? text : "", .n = n};
    if (unit == UNIT_BYTE || n == 0) return LACO_OK;
    const char *zero = memchr(text, 0, n);
    size_t at = zero ? (size_t)(zero - text) : n;
    size_t bad = utf8_check(text, at);
    if (bad < at)
        return fail(err, LACO_EFORMAT, line_of(text, bad),
                    "%s is not UTF-8: line %lld, byte %zu of the file is 0x%02X; convert it with iconv, or use "
                    "--unit byte", name, (long long)line_of(text, bad), bad + 1, (unsigned char)text[bad]);
    if (zero)
        return fail(err, LACO_EFORMAT, line_of(text, at),
                    "%s is not a text: line %lld, byte %zu of the file is 0; give a text, or use --unit byte", name,
                    (long long)line_of(text, at), at + 1);
    if (!lower) return LACO_OK;
    out->owned = mem_new(n, 2);
    if (!out->owned) return fail_memory(err, n > SIZE_MAX / 2 ? SIZE_MAX : 2 * n);
    out->p = out->owned;
    out->n = utf8_lower(out->owned, text, n);
    return LACO_OK;
}

typedef struct reader {
    const char *p, *end;
    text_unit unit;
    bool whole_lines;   /* a last line without line break ends in <eos> all the same */
    bool line_open;     /* words were read since the last <eos> */
} reader;

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n'); }

static bool reader_word(reader *r, span *s)
{
    while (r->p < r->end && is_blank(*r->p)) r->p++;
    if (r->p == r->end || *r->p == '\n') {
        bool more = r->p < r->end;
        if (!more && !(r->whole_lines && r->line_open)) return false;
        r->p += more;
        r->line_open = false;
        *s = EOS;
        return true;
    }
    s->p = r->p;
    while (r->p < r->end && !is_blank(*r->p) && *r->p != '\n') r->p++;
    s->len = (size_t)(r->p - s->p);
    r->line_open = true;
    return true;
}

/* The next symbol of a checked text; false at its end. */
static bool reader_next(reader *r, span *s)
{
    if (r->unit == UNIT_WORD) return reader_word(r, s);
    if (r->p == r->end) return false;
    s->p = r->p;
    s->len = r->unit == UNIT_BYTE ? 1 : json_utf8_next(r->p, (size_t)(r->end - r->p), NULL);
    r->p += s->len;
    return true;
}

/* ---- building ---- */

/* A vocabulary of these symbols, in this order; all different, or LACO_EFORMAT. The spans are copied. */
static laco_status vocab_new(vocab **out, text_unit unit, bool lower, const entry *symbols, int32_t n, laco_error *err)
{
    vocab *v = mem_new(1, sizeof *v);
    size_t bytes = 0;
    for (int32_t i = 0; i < n; i++) bytes += symbols[i].text.len;
    if (v) v->bytes = mem_new(bytes, 1);
    laco_status status = v && v->bytes ? LACO_OK : fail_memory(err, bytes);
    char *to = v ? v->bytes : NULL;
    for (int32_t i = 0, number; i < n && status == LACO_OK; i++) {
        span s = {to, symbols[i].text.len};
        memcpy(to, symbols[i].text.p, s.len);
        to += s.len;
        status = table_add(&v->symbols, s, &number, err);
        if (status == LACO_OK && number != i)
            status = fail(err, LACO_EFORMAT, -1, "the vocabulary has symbol %d twice, again as %d: make it anew",
                          (int)number, (int)i);
    }
    if (status != LACO_OK) {
        vocab_free(v);
        return status;
    }
    v->unit = unit, v->lower = lower;
    v->eos = table_find(&v->symbols, unit == UNIT_WORD ? EOS : NEWLINE);
    v->unk = unit == UNIT_WORD ? table_find(&v->symbols, UNK) : -1;
    *out = v;
    return LACO_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return span_compare(((const entry *)a)->text, ((const entry *)b)->text);
}

static int by_count(const void *a, const void *b)
{
    int64_t m = ((const entry *)a)->count, n = ((const entry *)b)->count;
    return m != n ? (m < n) - (m > n) : by_bytes(a, b);
}

static laco_status vocab_count(table *t, const checked *c, text_unit unit, laco_error *err)
{
    reader r = {.p = c->p, .end = c->p + c->n, .unit = unit, .whole_lines = true};
    int32_t number;
    for (span s; reader_next(&r, &s); t->entry[number].count++) {
        laco_status status = table_add(t, s, &number, err);
        if (status != LACO_OK) return status;
    }
    return LACO_OK;
}

/* Sorts the counted symbols and drops the rare ones; what is dropped of words counts as <unk>. Returns how many stay.
   <eos> and <unk>, entries 0 and 1 of words, always stay. */
static int32_t vocab_select(table *t, const vocab_options *o)
{
    entry *e = t->entry;
    int32_t fixed = o->unit == UNIT_WORD ? 2 : 0, kept = fixed;
    qsort(e + fixed, (size_t)(t->entries - fixed), sizeof *e, by_count);
    while (kept < t->entries && (o->max_size == 0 || kept < o->max_size) && e[kept].count >= o->min_count) kept++;
    for (int32_t i = kept; fixed && i < t->entries; i++) e[1].count += e[i].count;
    qsort(e, (size_t)kept, sizeof *e, o->unit == UNIT_WORD ? by_count : by_bytes);
    return kept;
}

static laco_status vocab_check_options(const vocab_options *o, laco_error *err)
{
    if (o->min_count < 0 || o->max_size < 0)
        return fail(err, LACO_EINVAL, -1, "the smallest count and the vocabulary size must not be negative");
    if (o->min_count > 1 && o->unit != UNIT_WORD)
        return fail(err, LACO_EINVAL, -1, "a smallest count is for words only: use --unit word, or leave it out");
    if (o->lower && o->unit == UNIT_BYTE)
        return fail(err, LACO_EINVAL, -1, "bytes have no lower case: use --unit char or word, or leave --lower out");
    return LACO_OK;
}

/* From a table of all that the text holds to the vocabulary. */
static laco_status vocab_finish(vocab **out, table *t, const vocab_options *o, const char *name, laco_error *err)
{
    const char *are = SYMBOLS_ARE[o->unit];
    int32_t least = o->unit == UNIT_WORD ? 3 : 2;   /* words: one beside <eos> and <unk> */
    if (t->entries < least)
        return fail(err, LACO_EINVAL, -1, "%s has %s: there is nothing to learn; give a text of different %s", name,
                    o->unit == UNIT_WORD ? "no words" : "one symbol only, over and over", are);
    if (o->max_size > t->entries)
        return fail(err, LACO_EINVAL, -1, "--vocab-size %lld is more than the %d different %s of %s%s: make it smaller",
                    (long long)o->max_size, (int)t->entries, are, name,
                    o->unit == UNIT_WORD ? " (<eos> and <unk> included)" : "");
    int32_t kept = vocab_select(t, o);
    if (kept < least)
        return fail(err, LACO_EINVAL, -1, "only %d of the different %s of %s stay: there is nothing to learn; make the "
                    "vocabulary size at least %d and the smallest count smaller", (int)kept, are, name, (int)least);
    return vocab_new(out, o->unit, o->lower, t->entry, kept, err);
}

laco_status vocab_build(vocab **out, const vocab_options *o, const char *text, size_t n, const char *name,
                        laco_error *err)
{
    *out = NULL;
    laco_status status = vocab_check_options(o, err);
    if (status != LACO_OK) return status;
    if (n == 0) return fail(err, LACO_EINVAL, -1, "%s is empty: give a text to learn from", name);
    checked c;
    status = text_check(&c, o->unit, o->lower, text, n, name, err);
    table t = {0};
    int32_t number;
    if (status == LACO_OK && o->unit == UNIT_WORD) {
        status = table_add(&t, EOS, &number, err);
        if (status == LACO_OK) status = table_add(&t, UNK, &number, err);
    }
    if (status == LACO_OK) status = vocab_count(&t, &c, o->unit, err);
    if (status == LACO_OK) status = vocab_finish(out, &t, o, name, err);
    table_free(&t);
    mem_free(c.owned);
    return status;
}

/* ---- JSON ---- */

laco_status vocab_to_json(const vocab *v, buf *out, laco_error *err)
{
    json_out j = {.to = out};
    json_begin(&j, '{');
    json_key(&j, "unit");
    json_text(&j, UNIT_NAMES[v->unit]);
    json_key(&j, "lower");
    json_bool(&j, v->lower);
    json_key(&j, "symbols");
    json_begin(&j, '[');
    for (int32_t i = 0; i < v->symbols.entries; i++) {
        span s = v->symbols.entry[i].text;
        if (v->unit == UNIT_BYTE) json_int(&j, (unsigned char)s.p[0]);
        else json_string(&j, s.p, s.len);
    }
    json_end(&j, ']');
    json_end(&j, '}');
    return out->failed ? fail_memory(err, out->len) : LACO_OK;
}

/* The bytes of one member of "symbols"; false when it is not a symbol of this unit. byte[b] is b. */
static bool symbol_from_json(span *s, text_unit unit, const json *j, const char *byte)
{
    if (unit == UNIT_BYTE) {
        if (j->kind != JSON_NUMBER || !j->integer || j->i < 0 || j->i > 255) return false;
        *s = (span){byte + j->i, 1};
        return true;
    }
    if (j->kind != JSON_STRING || memchr(j->text, 0, j->len) || utf8_check(j->text, j->len) < j->len) return false;
    reader r = {.p = j->text, .end = j->text + j->len, .unit = unit};
    return reader_next(&r, s) && s->p == j->text && s->len == j->len;
}

static laco_status symbols_from_json(vocab **out, text_unit unit, bool lower, const json *symbols, laco_error *err)
{
    int32_t least = unit == UNIT_WORD ? 3 : 2;
    if (symbols->len < (size_t)least || symbols->len > TABLE_LIMIT)
        return fail(err, LACO_EFORMAT, -1, "the vocabulary has %zu symbols, not %d to %d: make it anew", symbols->len,
                    (int)least, TABLE_LIMIT);
    char byte[256];
    for (int b = 0; b < 256; b++) byte[b] = (char)b;
    int32_t n = (int32_t)symbols->len;
    entry *e = mem_new((size_t)n, sizeof *e);
    if (!e) return fail_memory(err, (size_t)n * sizeof *e);
    laco_status status = LACO_OK;
    for (int32_t i = 0; i < n && status == LACO_OK; i++)
        if (!symbol_from_json(&e[i].text, unit, &symbols->item[i], byte))
            status = fail(err, LACO_EFORMAT, -1, "symbol %d of the vocabulary is not a %s: make it anew", (int)i,
                          UNIT_NAMES[unit]);
    if (status == LACO_OK) status = vocab_new(out, unit, lower, e, n, err);
    mem_free(e);
    if (status != LACO_OK || unit != UNIT_WORD || ((*out)->eos >= 0 && (*out)->unk >= 0)) return status;
    vocab_free(*out);
    *out = NULL;
    return fail(err, LACO_EFORMAT, -1, "the vocabulary of words lacks <eos> or <unk>: make it anew");
}

laco_status vocab_from_json(vocab **out, const char *text, size_t n, laco_error *err)
{
    *out = NULL;
    json_doc *doc;
    laco_status status = json_parse(&doc, text, n, err);
    if (status != LACO_OK) return status;
    const json *root = json_root(doc), *unit = json_get(root, "unit"), *lower = json_get(root, "lower");
    const json *symbols = json_get(root, "symbols");
    bool complete = unit && unit->kind == JSON_STRING && lower && symbols && symbols->kind == JSON_ARRAY &&
                    (lower->kind == JSON_TRUE || lower->kind == JSON_FALSE) && root->len == 3;
    text_unit u = UNIT_BYTE;
    if (!complete)
        status = fail(err, LACO_EFORMAT, -1, "the vocabulary is not {\"unit\": text, \"lower\": true or false, "
                      "\"symbols\": list} and nothing else: make it anew");
    else if (text_unit_named(&u, unit->text, NULL) != LACO_OK)
        status = fail(err, LACO_EFORMAT, -1, "the vocabulary has the unit \"%.40s\", not byte, char or word: make it "
                      "anew", unit->text);
    if (status == LACO_OK && u == UNIT_BYTE && lower->kind == JSON_TRUE)
        status = fail(err, LACO_EFORMAT, -1, "a vocabulary of bytes is said to be lower-cased: make it anew");
    if (status == LACO_OK) status = symbols_from_json(out, u, lower->kind == JSON_TRUE, symbols, err);
    json_free(doc);
    return status;
}

/* ---- using ---- */

int32_t vocab_size(const vocab *v) { return v->symbols.entries; }
text_unit vocab_unit(const vocab *v) { return v->unit; }
int32_t vocab_eos(const vocab *v) { return v->eos; }
int32_t vocab_unk(const vocab *v) { return v->unk; }

const char *vocab_symbol(const vocab *v, int32_t id, size_t *len)
{
    bool known = id >= 0 && id < v->symbols.entries;
    *len = known ? v->symbols.entry[id].text.len : 0;
    return known ? v->symbols.entry[id].text.p : NULL;
}

void vocab_decode(const vocab *v, int32_t id, bool *line_start, buf *out)
{
    span s;
    s.p = vocab_symbol(v, id, &s.len);
    if (!s.p) return;
    bool line_break = id == v->eos;
    if (v->unit == UNIT_WORD && line_break) s = NEWLINE;
    else if (v->unit == UNIT_WORD && !*line_start) buf_add(out, " ", 1);
    buf_add(out, s.p, s.len);
    *line_start = line_break;
}

/* What a text is turned into: grows as needed. */
typedef struct id_list {
    int32_t *id;
    size_t n, room;
} id_list;

static laco_status ids_add(id_list *l, int32_t id, laco_error *err)
{
    if (l->n == l->room) {
        size_t room = 2 * l->room + 16;
        int32_t *more = mem_resize(l->id, l->room * sizeof id, room * sizeof id);
        if (!more) return fail_memory(err, room * sizeof id);
        l->id = more, l->room = room;
    }
    l->id[l->n++] = id;
    return LACO_OK;
}

/* Only bytes and characters can be unknown: words have <unk>. */
static laco_status unknown_symbol(text_unit unit, span s, int64_t line, const char *name, laco_error *err)
{
    char label[32];
    uint32_t code = (unsigned char)s.p[0];
    if (unit == UNIT_CHAR) json_utf8_next(s.p, s.len, &code);
    bool shown = code > 0x20 && (code < 0x7F || (unit == UNIT_CHAR && code > 0xA0));
    snprintf(label, sizeof label, unit == UNIT_BYTE ? "byte 0x%02X" : "character U+%04X", (unsigned)code);
    return fail(err, LACO_EINVAL, line, "%s, line %lld: the %s%s%.*s%s is not in the vocabulary: take it out, or learn "
                "from a text that has it", name, (long long)line, label, shown ? " '" : "", shown ? (int)s.len : 0, s.p,
                shown ? "'" : "");
}

laco_status vocab_encode(const vocab *v, const char *text, size_t n, const char *name, bool whole_lines, bool skip,
                         int32_t **ids, int64_t *count, int64_t *skipped, laco_error *err)
{
    int64_t left_out = 0;
    *ids = NULL, *count = 0;
    checked c;
    laco_status status = text_check(&c, v->unit, v->lower, text, n, name, err);
    if (status != LACO_OK) return status;
    id_list list = {.room = v->unit == UNIT_WORD ? n / 4 : c.n};   /* words with their blanks: some 5 bytes each */
    list.id = mem_new(list.room, sizeof *list.id);
    if (!list.id) status = fail_memory(err, list.room * sizeof *list.id);
    reader r = {.p = c.p, .end = c.p + c.n, .unit = v->unit, .whole_lines = whole_lines};
    for (span s; status == LACO_OK && reader_next(&r, &s);) {
        int32_t id = table_find(&v->symbols, s);
        if (id < 0) id = v->unk;
        if (id >= 0) status = ids_add(&list, id, err);
        else if (skip) left_out++;
        else status = unknown_symbol(v->unit, s, line_of(c.p, (size_t)(s.p - c.p)), name, err);
    }
    mem_free(c.owned);
    if (skipped) *skipped = left_out;
    if (status == LACO_OK) *ids = list.id, *count = (int64_t)list.n;
    else mem_free(list.id);
    return status;
}

void vocab_free(vocab *v)
{
    if (!v) return;
    table_free(&v->symbols);
    mem_free(v->bytes);
    mem_free(v);
}
