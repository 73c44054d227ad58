/* Names of columns: in order, and found by hash. Several may have one name (CSV): the first is found. */
#include "base/hash.h"
#include "data/table_parts.h"

static int *slot_of(const columns *c, const char *name, size_t n)
{
    size_t mask = (size_t)c->slots - 1, i = hash_bytes(0, name, n) & mask;
    for (; c->slot[i] >= 0; i = (i + 1) & mask) {
        int k = c->slot[i];
        if (c->length[k] == n && memcmp(c->name[k], name, n) == 0) break;
    }
    return &c->slot[i];
}
int columns_find(const columns *c, const char *name, size_t n) { return c->slots ? *slot_of(c, name, n) : -1; }

static void fill_slots(columns *c)
{
    for (int i = 0; i < c->slots; i++) c->slot[i] = -1;
    for (int k = 0; k < c->count; k++) {
        int *slot = slot_of(c, c->name[k], c->length[k]);
        if (*slot < 0) *slot = k;
    }
}
/* Twice as many names; at most half of the slots are taken. */
static bool grow(columns *c)
{
    enum { FIRST = 16 };
    size_t was = (size_t)c->room, room = was ? 2 * was : FIRST;
    int *slot = mem_new(2 * room, sizeof *slot);
    char **name = mem_resize(c->name, was * sizeof *name, room * sizeof *name);
    if (name) c->name = name;
    size_t *length = mem_resize(c->length, was * sizeof *length, room * sizeof *length);
    if (length) c->length = length;
    if (!slot || !name || !length) return mem_free(slot), false;
    mem_free(c->slot);
    c->slot = slot, c->slots = (int)(2 * room), c->room = (int)room;
    fill_slots(c);
    return true;
}
bool columns_add(columns *c, const char *name, size_t n)
{
    if (c->count == c->room && !grow(c)) return false;
    if (!(c->name[c->count] = mem_text(name, n))) return false;
    c->length[c->count] = n;
    int *slot = slot_of(c, name, n);
    if (*slot < 0) *slot = c->count;
    c->count++;
    return true;
}
void columns_cut(columns *c, int count)
{
    if (c->count <= count) return;
    while (c->count > count) mem_free(c->name[--c->count]);
    fill_slots(c);
}
void columns_free(columns *c)
{
    columns_cut(c, 0);
    mem_free(c->name), mem_free(c->length), mem_free(c->slot);
    *c = (columns){ 0 };
}
