#include "task/tally.h"

static int64_t *slot_of(const tally *t, uint64_t hash)
{
    uint64_t mask = (uint64_t)t->slots - 1, i = hash & mask;
    while (t->slot[i] >= 0 && t->value[t->slot[i]].hash != hash) i = (i + 1) & mask;
    return &t->slot[i];
}
tally_value *tally_find(const tally *t, uint64_t hash)
{
    int64_t k = t->slots ? *slot_of(t, hash) : -1;
    return k < 0 ? NULL : &t->value[k];
}
/* Twice the room; at most half of the slots are taken. */
static bool grow(tally *t)
{
    enum { FIRST = 16 };
    int64_t room = t->room ? 2 * t->room : FIRST;
    int64_t *slot = mem_new((size_t)(2 * room), sizeof *slot);
    tally_value *value = mem_resize(t->value, (size_t)t->room * sizeof *value, (size_t)room * sizeof *value);
    if (value) t->value = value;
    if (!slot || !value) return mem_free(slot), false;
    mem_free(t->slot);
    t->slot = slot, t->slots = 2 * room, t->room = room;
    for (int64_t i = 0; i < t->slots; i++) slot[i] = -1;
    for (int64_t k = 0; k < t->n; k++) *slot_of(t, value[k].hash) = k;
    return true;
}
tally_value *tally_add(tally *t, uint64_t hash, const char *text, size_t n)
{
    tally_value *there = tally_find(t, hash);
    if (there) return there->count++, there;
    if (t->n == t->most) return t->full = true, NULL;
    char *copy = t->n < t->texts ? mem_text(text, n) : NULL;
    if ((t->n < t->texts && !copy) || (t->n == t->room && !grow(t))) return mem_free(copy), t->failed = true, NULL;
    *slot_of(t, hash) = t->n;
    t->value[t->n] = (tally_value){ hash, 1, -1, copy };
    return &t->value[t->n++];
}
void tally_free(tally *t)
{
    for (int64_t k = 0; k < t->n; k++) mem_free(t->value[k].text);
    mem_free(t->value), mem_free(t->slot);
    *t = (tally){ 0 };
}
