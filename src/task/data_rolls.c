/* laco data of polyphonic music: piano rolls, a MIDI file, or a folder of MIDI files; sequences that are in the
   training part and in another one give answers away. */
#include "base/folder.h"
#include "base/hash.h"
#include "task/compose.h"
#include "task/data_kinds.h"

static const char *const part_names[ROLL_PARTS] = { "train", "valid", "test" };

/* ---- which files ---- */
static size_t skip_blanks(const char *s, size_t n, size_t at)
{
    while (at < n && (s[at] == ' ' || s[at] == '\n' || s[at] == '\r' || s[at] == '\t')) at++;
    return at;
}
/* At s + at one of these bytes behind blanks; 0: it is not there, else what is behind it. */
static size_t take(const char *s, size_t n, size_t at, const char *word)
{
    size_t m = strlen(word);
    at = skip_blanks(s, n, at);
    return n - at >= m && !memcmp(s + at, word, m) ? at + m : 0;
}
bool recognises_rolls(const char *path, bool folder, const char *head, size_t n)
{
    static const char *const keys[ROLL_PARTS] = { "\"train\"", "\"valid\"", "\"test\"" };
    if (folder) return midi_is_folder(path);
    size_t at = head && !midi_is(head, n) ? take(head, n, 0, "{") : 0, behind = 0;
    for (int i = 0; at && !behind && i < ROLL_PARTS; i++) behind = take(head, n, at, keys[i]);
    if (behind) behind = take(head, n, behind, ":");
    return (head && midi_is(head, n)) || (behind && take(head, n, behind, "["));
}

/* ---- what is there ---- */
typedef struct facts {
    const rolls *part; /* [ROLL_PARTS] */
    length_summary length;
    int64_t steps, notes, most, silent, again; /* again: sequences of valid and test that train has too */
    bool sounds[ROLL_KEYS];
} facts;
static void count_step(facts *f, const float *step)
{
    int64_t notes = 0;
    for (int k = 0; k < ROLL_KEYS; k++)
        if (step[k] > 0) notes++, f->sounds[k] = true;
    f->notes += notes, f->most = max64(f->most, notes), f->silent += !notes, f->steps++;
}
static int64_t length_of(const rolls *r, int64_t i) { return r->start[i + 1] - r->start[i] - 1; }
static uint64_t hash_of(const rolls *r, int64_t i)
{
    return hash_bytes(1, r->step + (r->start[i] + 1) * ROLL_KEYS,
                      (size_t)(length_of(r, i) * ROLL_KEYS) * sizeof *r->step);
}
static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}
static laco_status find_again(facts *f, laco_error *err)
{
    const rolls *train = &f->part[ROLL_TRAIN];
    uint64_t *hash = mem_new((size_t)train->count, sizeof *hash);
    if (!hash) return fail_memory(err, (size_t)train->count * sizeof *hash);
    for (int64_t i = 0; i < train->count; i++) hash[i] = hash_of(train, i);
    if (train->count) qsort(hash, (size_t)train->count, sizeof *hash, by_hash);
    for (int p = ROLL_VALID; p < ROLL_PARTS; p++)
        for (int64_t i = 0; train->count && i < f->part[p].count; i++) {
            uint64_t h = hash_of(&f->part[p], i);
            f->again += bsearch(&h, hash, (size_t)train->count, sizeof *hash, by_hash) != NULL;
        }
    mem_free(hash);
    return LACO_OK;
}
static laco_status find_facts(facts *f, laco_error *err)
{
    int64_t count = 0, n = 0;
    for (int p = 0; p < ROLL_PARTS; p++) count += f->part[p].count;
    int64_t *length = mem_new((size_t)count, sizeof *length);
    if (!length) return fail_memory(err, (size_t)count * sizeof *length);
    for (int p = 0; p < ROLL_PARTS; p++)
        for (int64_t i = 0; i < f->part[p].count; i++) {
            const float *step = f->part[p].step + (f->part[p].start[i] + 1) * ROLL_KEYS;
            length[n++] = length_of(&f->part[p], i);
            for (int64_t t = 0; t < length_of(&f->part[p], i); t++) count_step(f, step + t * ROLL_KEYS);
        }
    f->length = summarise_lengths(length, n);
    mem_free(length);
    return find_again(f, err);
}

/* ---- said ---- */
/* The keys that sound: how many, the lowest and the highest; none: 0. */
static int range_of(const facts *f, int *low, int *high)
{
    int keys = 0;
    *low = *high = 0;
    for (int k = 0; k < ROLL_KEYS; k++) {
        if (!f->sounds[k]) continue;
        if (!keys++) *low = ROLL_LOW + k;
        *high = ROLL_LOW + k;
    }
    return keys;
}
static void facts_text(const facts *f, buf *to)
{
    char a[32], b[32];
    int low, high, keys = range_of(f, &low, &high);
    buf_text(to, "rolls     ");
    for (int p = 0, n = 0; p < ROLL_PARTS; p++)
        if (f->part[p].count)
            buf_printf(to, "%s%s %s sequences of %s steps", n++ ? ", " : "", part_names[p],
                       task_count(f->part[p].count, a), task_count(f->part[p].steps, b));
    buf_text(to, "\n");
    lengths_text(to, "lengths", "steps", &f->length);
    buf_printf(to, "notes     %.2f a step, at most %s; %s steps are silent\n", (double)f->notes / (double)f->steps,
               task_count(f->most, a), task_count(f->silent, b));
    if (keys) buf_printf(to, "keys      %d to %d, %d different\n", low, high, keys);
    if (f->again)
        buf_printf(to, "warning   %s sequences of valid and test are in train too, step by step\n",
                   task_count(f->again, a));
}
static void facts_json(const facts *f, json_out *o)
{
    int low, high, keys = range_of(f, &low, &high);
    json_begin(o, '{');
    json_key(o, "kind"), json_text(o, "rolls");
    for (int p = 0; p < ROLL_PARTS; p++) {
        json_key(o, part_names[p]), json_begin(o, '{');
        json_key(o, "sequences"), json_int(o, f->part[p].count);
        json_key(o, "steps"), json_int(o, f->part[p].steps);
        json_end(o, '}');
    }
    lengths_json(o, "lengths", &f->length);
    json_key(o, "notes"), json_int(o, f->notes);
    json_key(o, "most_notes"), json_int(o, f->most);
    json_key(o, "silent"), json_int(o, f->silent);
    json_key(o, "keys"), json_int(o, keys);
    json_key(o, "lowest"), json_int(o, low);
    json_key(o, "highest"), json_int(o, high);
    json_key(o, "in_both"), json_int(o, f->again);
    json_end(o, '}');
}
laco_status describe_rolls(task_job *j, const char *path, laco_error *err)
{
    rolls part[ROLL_PARTS] = { 0 };
    facts f = { .part = part };
    buf text = { 0 };
    (void)path;
    if (options_text(j->o, "test"))
        return fail(err, LACO_EINVAL, -1,
                    "--test is not for music: its training, validation and test parts lie together");
    laco_status st = compose_read(part, j, 1, err);
    if (!st) st = find_facts(&f, err);
    if (!st && options_flag(j->o, "json"))
        facts_json(&f, &(json_out){ .to = j->result });
    else if (!st)
        facts_text(&f, &text), task_out_buf(j, &text);
    buf_free(&text);
    for (int p = 0; p < ROLL_PARTS; p++) rolls_free(&part[p]);
    return st;
}
