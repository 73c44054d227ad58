#include "base/file.h"
#include "base/folder.h"
#include "base/hash.h"
#include "data/midi.h"
#include <strings.h>

static const size_t read_limit = (size_t)1 << 28;
typedef struct piece {
    midi_roll roll;
    int part;
} piece;

/* Silence, then the steps, of every piece of a part. */
static laco_status join(rolls *to, const piece *p, size_t n, int part, laco_error *err)
{
    *to = (rolls){ 0 };
    for (size_t i = 0; i < n; i++)
        if (p[i].part == part) to->count++, to->steps += p[i].roll.steps;
    if (!to->count) return LACO_OK;
    size_t positions = (size_t)(to->steps + to->count);
    to->step = mem_new(positions, ROLL_KEYS * sizeof *to->step);
    to->start = mem_new((size_t)to->count + 1, sizeof *to->start);
    if (!to->step || !to->start) return fail_memory(err, positions * ROLL_KEYS * sizeof *to->step);
    int64_t at = 0, k = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i].part != part) continue;
        to->start[k++] = at++;
        memcpy(to->step + at * ROLL_KEYS, p[i].roll.step, (size_t)p[i].roll.steps * ROLL_KEYS * sizeof *to->step);
        at += p[i].roll.steps;
    }
    to->start[k] = at;
    return LACO_OK;
}
laco_status midi_rolls(rolls *part, const char *bytes, size_t n, double quarters, const char *name, laco_error *err)
{
    piece p = { .part = ROLL_TRAIN };
    *part = (rolls){ 0 };
    laco_status st = midi_parse(&p.roll, bytes, n, quarters, name, err);
    if (!st) st = join(part, &p, 1, ROLL_TRAIN, err);
    mem_free(p.roll.step);
    if (st) rolls_free(part);
    return st;
}

/* ---- which file is of which part ---- */
static bool ends_as_midi(const char *name, size_t n)
{
    return (n > 4 && !strncasecmp(name + n - 4, ".mid", 4)) || (n > 5 && !strncasecmp(name + n - 5, ".midi", 5));
}
bool midi_is_name(const char *path) { return ends_as_midi(path, strlen(path)); }
static bool is_midi_name(const char *name) /* of a file that is read, also .gz */
{
    size_t n = strlen(name);
    return ends_as_midi(name, n > 3 && !strcasecmp(name + n - 3, ".gz") ? n - 3 : n);
}
bool midi_is_folder(const char *path)
{
    char **names;
    size_t n = 0;
    bool any = false;
    if (folder_files(path, &names, &n, NULL)) return false;
    for (size_t i = 0; i < n; i++) any |= is_midi_name(names[i]);
    folder_names_free(names, n);
    return any;
}
static int part_by_folder(const char *name) /* -1: none of them */
{
    static const char *const folders[ROLL_PARTS] = { "train/", "valid/", "test/" };
    for (int i = 0; i < ROLL_PARTS; i++)
        if (!strncmp(name, folders[i], strlen(folders[i]))) return i;
    return -1;
}
static int part_by_place(int64_t i, int64_t n)
{
    int64_t from_last = n < 10 ? n - 1 - i : 9 - i % 10;
    return n < 3 || from_last > 1 ? ROLL_TRAIN : from_last ? ROLL_VALID : ROLL_TEST;
}
static laco_status read_piece(piece *to, const char *folder, const char *name, midi_folder *f, laco_error *err)
{
    char *path = folder_path(folder, name), *bytes = NULL;
    size_t n = 0;
    if (!path) return fail_memory(err, strlen(folder) + strlen(name));
    laco_status st = file_read(path, read_limit, &bytes, &n, err);
    if (!st) f->hash = hash_bytes(f->hash, bytes, n);
    if (!st) st = midi_parse(&to->roll, bytes, n, f->quarters, path, err);
    f->left_out += to->roll.left_out;
    mem_free(bytes), mem_free(path);
    return st;
}
static laco_status read_pieces(piece *p, size_t *count, const char *path, char **names, size_t n, midi_folder *f,
                               laco_error *err)
{
    int64_t files = 0, k = 0;
    bool sorted = false; /* in folders by part */
    for (size_t i = 0; i < n; i++)
        if (is_midi_name(names[i])) files++, sorted |= part_by_folder(names[i]) >= 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_midi_name(names[i])) continue;
        int part = sorted ? part_by_folder(names[i]) : part_by_place(k++, files);
        if (part < 0) continue;
        laco_error why = { .msg = "" };
        laco_status st = read_piece(&p[*count], path, names[i], f, &why);
        if (st && (!f->skip_bad || st == LACO_ENOMEM)) return fail(err, st, why.at, "%s", why.msg);
        if (st && f->tell) f->tell(f->ctx, names[i], why.msg);
        if (st)
            f->bad++;
        else
            p[(*count)++].part = part, f->files++;
    }
    return LACO_OK;
}
laco_status midi_read_folder(rolls part[ROLL_PARTS], const char *path, midi_folder *f, laco_error *err)
{
    char **names = NULL;
    size_t n = 0, count = 0;
    f->files = f->bad = f->left_out = 0, f->hash = 0;
    for (int i = 0; i < ROLL_PARTS; i++) part[i] = (rolls){ 0 };
    laco_status st = folder_files(path, &names, &n, err);
    if (st) return st;
    piece *p = mem_new(n, sizeof *p);
    if (!p) st = fail_memory(err, n * sizeof *p);
    if (!st) st = read_pieces(p, &count, path, names, n, f, err);
    for (int i = 0; !st && i < ROLL_PARTS; i++) st = join(&part[i], p, count, i, err);
    if (!st && !part[ROLL_TRAIN].count)
        st = fail(err, LACO_EFORMAT, -1, "%s has no MIDI files (.mid, .midi) to learn from%s", path,
                  f->bad ? " that could be read" : "");
    for (size_t i = 0; i < count; i++) mem_free(p[i].roll.step);
    mem_free(p), folder_names_free(names, n);
    for (int i = 0; st && i < ROLL_PARTS; i++) rolls_free(&part[i]);
    return st;
}
