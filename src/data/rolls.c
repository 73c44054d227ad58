#include "data/rolls.h"
#include "base/json.h"
#include <math.h>
#include <stdio.h>

static const char *const part_names[ROLL_PARTS] = { "train", "valid", "test" };

void rolls_free(rolls *r)
{
    mem_free(r->step), mem_free(r->start);
    *r = (rolls){ 0 };
}

/* Where a reader stands, for the sentence of an error; counted from 0, -1: above that level. */
typedef struct place {
    const char *file, *part;
    int64_t sequence, step;
} place;
static laco_status bad(const place *p, const char *what, laco_error *err)
{
    char at[96] = "";
    if (p->step >= 0)
        snprintf(at, sizeof at, ", sequence %lld, step %lld", (long long)p->sequence + 1, (long long)p->step + 1);
    else if (p->sequence >= 0)
        snprintf(at, sizeof at, ", sequence %lld", (long long)p->sequence + 1);
    return fail(err, LACO_EFORMAT, p->sequence, "%s: \"%s\"%s: %s", p->file, p->part, at, what);
}
static laco_status read_step(float *keys, const json *notes, const place *p, laco_error *err)
{
    if (notes->kind != JSON_ARRAY) return bad(p, "a step must be the list of the notes that sound", err);
    for (size_t i = 0; i < notes->len; i++) {
        const json *note = &notes->item[i];
        double key = note->kind == JSON_NUMBER ? note->number : NAN; /* files with 60.0 for 60 exist */
        if (key == -1) continue;
        if (!(key >= ROLL_LOW && key < ROLL_LOW + ROLL_KEYS) || key != floor(key))
            return bad(p, "a note must be a MIDI number from 21 to 108, or -1 for silence", err);
        keys[(int)key - ROLL_LOW] = 1;
    }
    return LACO_OK;
}
/* Counts first, so that nothing grows while it is filled. */
static laco_status measure(rolls *r, const json *part, place *p, laco_error *err)
{
    for (size_t i = 0; i < part->len; i++) {
        const json *sequence = &part->item[i];
        p->sequence = (int64_t)i;
        if (sequence->kind != JSON_ARRAY) return bad(p, "a sequence must be a list of steps", err);
        if (!sequence->len) return bad(p, "it has no steps; take it out", err);
        r->steps += (int64_t)sequence->len;
    }
    r->count = (int64_t)part->len;
    return LACO_OK;
}
static laco_status fill(rolls *r, const json *part, place *p, laco_error *err)
{
    int64_t at = 0;
    for (p->sequence = 0; p->sequence < r->count; p->sequence++) {
        const json *sequence = &part->item[p->sequence];
        r->start[p->sequence] = at++;
        for (p->step = 0; p->step < (int64_t)sequence->len; p->step++, at++) {
            laco_status st = read_step(r->step + at * ROLL_KEYS, &sequence->item[p->step], p, err);
            if (st) return st;
        }
    }
    r->start[r->count] = at;
    return LACO_OK;
}
static laco_status read_part(rolls *r, const json *part, place *p, laco_error *err)
{
    if (part->kind != JSON_ARRAY) return bad(p, "it must be a list of sequences", err);
    laco_status st = measure(r, part, p, err);
    if (st) return st;
    size_t positions = (size_t)(r->steps + r->count);
    r->step = mem_new(positions, ROLL_KEYS * sizeof *r->step), r->start = mem_new(part->len + 1, sizeof *r->start);
    if (!r->step || !r->start) return fail_memory(err, positions * ROLL_KEYS * sizeof *r->step);
    return fill(r, part, p, err);
}
laco_status rolls_parse(rolls part[ROLL_PARTS], const char *bytes, size_t n, const char *name, laco_error *err)
{
    json_doc *d;
    laco_error why;
    for (int i = 0; i < ROLL_PARTS; i++) part[i] = (rolls){ 0 };
    laco_status st = json_parse(&d, bytes, n, &why);
    if (st) return fail(err, st, why.at, "%s: %s", name, why.msg);
    for (int i = 0; !st && i < ROLL_PARTS; i++) {
        const json *p = json_get(json_root(d), part_names[i]);
        if (p) st = read_part(&part[i], p, &(place){ name, part_names[i], -1, -1 }, err);
    }
    if (!st && !part[ROLL_TRAIN].count)
        st = fail(err, LACO_EFORMAT, -1,
                  "%s holds no piano rolls: {\"train\": [sequences of steps of MIDI notes], \"valid\": ..., "
                  "\"test\": ...} is expected",
                  name);
    json_free(d);
    for (int i = 0; st && i < ROLL_PARTS; i++) rolls_free(&part[i]);
    return st;
}
