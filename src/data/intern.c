/* Open addressing with linear probing, at most half full; a slot is the number of a string, from 1 on. */
#include "data/intern.h"
#include "base/hash.h"

enum { INTERN_LIMIT = 1 << 26 };
struct intern {
    char **text;
    uint64_t *hash;
    size_t *length;
    int32_t *slot;
    size_t count, room, slots; /* slots: a power of two, 0 at first */
};

laco_status intern_new(intern **out, laco_error *err)
{
    *out = mem_new(1, sizeof **out);
    return *out ? LACO_OK : fail_memory(err, sizeof **out);
}
void intern_free(intern *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->count; i++) mem_free(s->text[i]);
    mem_free(s->text), mem_free(s->hash), mem_free(s->length), mem_free(s->slot), mem_free(s);
}
int32_t intern_count(const intern *s) { return (int32_t)s->count; }
laco_status intern_forget(intern **s, int32_t most, laco_error *err)
{
    if (intern_count(*s) <= most) return LACO_OK;
    intern_free(*s);
    return intern_new(s, err);
}
const char *intern_text(const intern *s, int32_t number) { return s->text[number]; }

/* Where such a string stands, or the free slot where it belongs. */
static size_t slot_of(const intern *s, uint64_t hash, const char *bytes, size_t n)
{
    size_t i = hash & (s->slots - 1);
    for (; s->slot[i]; i = (i + 1) & (s->slots - 1)) {
        size_t k = (size_t)s->slot[i] - 1;
        if (s->hash[k] == hash && s->length[k] == n && !memcmp(s->text[k], bytes, n)) break;
    }
    return i;
}
int32_t intern_find(const intern *s, const char *bytes, size_t n)
{
    return s->slots ? s->slot[slot_of(s, hash_bytes(0, bytes, n), bytes, n)] - 1 : -1;
}
static laco_status grow(intern *s, laco_error *err)
{
    size_t room = s->room ? 2 * s->room : 64, slots = 2 * room;
    int32_t *slot = mem_new(slots, sizeof *slot);
    char **text = mem_resize(s->text, s->room * sizeof *text, room * sizeof *text);
    if (text) s->text = text;
    uint64_t *hash = mem_resize(s->hash, s->room * sizeof *hash, room * sizeof *hash);
    if (hash) s->hash = hash;
    size_t *length = mem_resize(s->length, s->room * sizeof *length, room * sizeof *length);
    if (length) s->length = length;
    if (!slot || !text || !hash || !length) return mem_free(slot), fail_memory(err, room * 32);
    mem_free(s->slot);
    s->slot = slot, s->slots = slots, s->room = room;
    for (size_t k = 0; k < s->count; k++) slot[slot_of(s, s->hash[k], s->text[k], s->length[k])] = (int32_t)k + 1;
    return LACO_OK;
}
laco_status intern_add(intern *s, const char *bytes, size_t n, int32_t *number, laco_error *err)
{
    uint64_t hash = hash_bytes(0, bytes, n);
    if ((*number = intern_find(s, bytes, n)) >= 0) return LACO_OK;
    if (s->count >= INTERN_LIMIT) return fail(err, LACO_EUNSUPPORTED, -1, "more than %d different names", INTERN_LIMIT);
    laco_status st = s->count == s->room ? grow(s, err) : LACO_OK;
    if (st) return st;
    if (!(s->text[s->count] = mem_text(bytes, n))) return fail_memory(err, n);
    s->hash[s->count] = hash, s->length[s->count] = n;
    *number = (int32_t)s->count++;
    s->slot[slot_of(s, hash, bytes, n)] = *number + 1;
    return LACO_OK;
}
