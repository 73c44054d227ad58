/* MIDI files: what is read of one written here byte by byte, that what is written reads back, where errors are, and
   folders with their parts. */
#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/rng.h"
#include "data/midi.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#define HEAD(format, division) "MThd\0\0\0\6\0" format "\0\1" division
#define TRACK(size) "MTrk\0\0\0" size

static bool sounds(const midi_roll *m, int64_t step, int key) { return m->step[step * ROLL_KEYS + key - ROLL_LOW] > 0; }
static int64_t keys_of(const midi_roll *m)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->steps * ROLL_KEYS; i++) n += m->step[i] > 0;
    return n;
}

/* Two tracks, 96 ticks a quarter: running status, note on of speed 0, system messages, programs, drums, a key below the
   piano, a chunk of another kind, a key struck again while it sounds, one that is never let go. */
static void tracks_sound_together(void **state)
{
    (void)state;
    static const char bytes[] =
        HEAD("\1", "\0\x60") TRACK("\x0b") "\0\xFF\x51\3\x0F\x42\x40\0\xFF\x2F\0" /* 60 a minute */
                                           "Xtra\0\0\0\3abc"                      //
        TRACK("\x30") "\0\xC0\5\0\x90\x3C\x40\0\x40\x40"                          /* 60 and 64 begin */
                      "\x60\x40\0\0\x3C\0"                              /* after a quarter both end, by speed 0 */
                      "\0\xF0\3\1\2\xF7\0\x99\x23\x40\0\x90\x14\x40"    /* a system message, a drum, key 20 */
                      "\x30\x43\x40\x60\x43\x40"                        /* 67 half a quarter later, and again */
                      "\x60\x80\x43\0\0\x90\x47\x40"                    /* ends; 71 begins and stays */
                      "\0\xFF\x2F\0"                                    //
        TRACK("\x0d") "\x81\x40\x90\x48\x40\x60\x80\x48\0\0\xFF\x2F\0"; /* 72 from the second quarter on */
    midi_roll m;
    laco_error err;
    if (midi_parse(&m, bytes, sizeof bytes - 1, 0.5, "m", &err)) fail_msg("%s", err.msg);
    assert_true(m.steps == 8 && m.notes == 6 && m.left_out == 1 && fabs(m.tempo - 60) < 1e-9);
    assert_true(sounds(&m, 0, 60) && sounds(&m, 1, 60) && !sounds(&m, 2, 60) && sounds(&m, 1, 64));
    assert_true(!sounds(&m, 2, 67) && sounds(&m, 3, 67) && sounds(&m, 4, 67) && sounds(&m, 6, 67) &&
                !sounds(&m, 7, 67));
    assert_true(sounds(&m, 7, 71) && sounds(&m, 4, 72) && sounds(&m, 5, 72) && !sounds(&m, 6, 72));
    assert_true(keys_of(&m) == 2 + 2 + 4 + 1 + 2);
    mem_free(m.step);
}
/* 25 frames a second of 40 ticks: a quarter of the 120 a minute is half a second. */
static void ticks_may_be_seconds(void **state)
{
    (void)state;
    static const char bytes[] = HEAD("\0", "\xE7\x28") TRACK("\x0d") "\0\x90\x3C\x40\x87\x68\x3C\0\0\xFF\x2F\0\0";
    midi_roll m;
    assert_int_equal(midi_parse(&m, bytes, sizeof bytes - 1, 1, "m", NULL), LACO_OK);
    assert_true(m.steps == 2 && keys_of(&m) == 2);
    mem_free(m.step);
}

/* Many tracks that hold the same key for long, the shorter ones first and last, take no longer than one. */
static void notes_overlap(void **state)
{
    enum { TRACKS = 20000, QUARTERS = 60000 };
    static const struct {
        char bytes[2];
        int64_t to;
    } wait[3] = { { "\x81\x70", 240 }, { "\x83\x60", 480 }, { "\x82\x68", 360 } }; /* ticks, 1 a quarter */
    buf b = { 0 };
    midi_roll m;
    (void)state;
    for (int k = 0; k < 3; k++) {
        static const char head[] = HEAD("\1", "\0\1");
        b.len = 0, buf_add(&b, head, sizeof head - 1);
        for (int i = 0; i < 3; i++) {
            buf_add(&b, TRACK("\x0d") "\0\x90\x3C\x40", 12), buf_add(&b, wait[(i + k) % 3].bytes, 2);
            buf_add(&b, "\x3C\0\0\xFF\x2F\0\0", 7);
        }
        assert_int_equal(midi_parse(&m, b.data, b.len, 1, "m", NULL), LACO_OK);
        assert_true(m.steps == 480 && keys_of(&m) == 480 && m.notes == 3);
        mem_free(m.step);
    }
    b.len = 0, buf_add(&b, HEAD("\1", "\0\1"), 14);
    for (int i = 0; i < TRACKS; i++)
        buf_add(&b, TRACK("\x0e") "\0\x90\x3C\x40\x83\xD4\x60\x3C\0\0\xFF\x2F\0\0", 22);
    double began = clock_seconds();
    assert_int_equal(midi_parse(&m, b.data, b.len, 1, "m", NULL), LACO_OK);
    assert_true(m.steps == QUARTERS && keys_of(&m) == QUARTERS && m.notes == TRACKS);
    assert_true(clock_seconds() - began < 1);
    mem_free(m.step), buf_free(&b);
}

static void written_bytes(void **state)
{
    (void)state;
    static const char bytes[] = "MThd\0\0\0\6\0\0\0\1\1\xE0MTrk\0\0\0\x1d\0\xFF\x51\3\x07\xA1\x20"
                                "\0\x90\x3C\x50\x83\x60\x90\x3C\0\0\x90\x3E\x50\x83\x60\x90\x3E\0\0\xFF\x2F\0";
    float step[2 * ROLL_KEYS] = { [60 - ROLL_LOW] = 1, [ROLL_KEYS + 62 - ROLL_LOW] = 1 };
    buf b = { 0 };
    midi_write(&b, step, 2, 1, 120);
    assert_int_equal(b.len, sizeof bytes - 1);
    assert_memory_equal(b.data, bytes, sizeof bytes - 1);
    buf_free(&b);
}
static void round_trip(const float *step, int64_t steps, double quarters)
{
    buf b = { 0 };
    midi_roll m;
    laco_error err;
    midi_write(&b, step, steps, quarters, 90);
    while (steps) { /* silence at the end is not music */
        bool silent = true;
        for (int k = 0; k < ROLL_KEYS; k++) silent &= step[(steps - 1) * ROLL_KEYS + k] == 0;
        if (!silent) break;
        steps--;
    }
    laco_status st = midi_parse(&m, b.data, b.len, quarters, "m", &err);
    if (!steps) assert_int_equal(st, LACO_EFORMAT);
    if (steps && st) fail_msg("%s", err.msg);
    if (steps && (m.steps != steps || memcmp(m.step, step, (size_t)(steps * ROLL_KEYS) * sizeof *step)))
        fail_msg("%lld steps of %g quarters came back as others", (long long)steps, quarters);
    mem_free(m.step), buf_free(&b);
}
static void what_is_written_reads_back(void **state)
{
    (void)state;
    enum { STEPS = 50 };
    static const double quarters[] = { 1, 0.25, 1.0 / 3, 0.5, 0.7, 4 };
    static float step[STEPS * ROLL_KEYS];
    for (uint64_t i = 0; i < sizeof quarters / sizeof *quarters; i++) {
        for (uint64_t k = 0; k < STEPS * ROLL_KEYS; k++) step[k] = rng_uniform(i, RNG_TEST, k) < 0.2 ? 1 : 0;
        round_trip(step, STEPS, quarters[i]);
    }
    memset(step, 0, sizeof step);
    round_trip(step, STEPS, 1);
    step[40 * ROLL_KEYS] = step[ROLL_KEYS - 1] = 1; /* the lowest and the highest key */
    round_trip(step, STEPS, 0.25);
}
static void chorales_read_back(void **state)
{
    (void)state;
    char path[512], *bytes;
    size_t n;
    rolls part[ROLL_PARTS];
    const char *data = getenv("LACO_DATA");
    if (!data) skip();
    snprintf(path, sizeof path, "%s/polyphonic/jsb-chorales-quarter.json", data);
    if (file_read(path, (size_t)1 << 30, &bytes, &n, NULL)) skip();
    assert_int_equal(rolls_parse(part, bytes, n, path, NULL), LACO_OK);
    const rolls *r = &part[ROLL_TEST];
    for (int64_t i = 0; i < r->count; i++)
        round_trip(r->step + (r->start[i] + 1) * ROLL_KEYS, r->start[i + 1] - r->start[i] - 1, 0.25);
    for (int i = 0; i < ROLL_PARTS; i++) rolls_free(&part[i]);
    mem_free(bytes);
}

static void errors_name_the_place(void **state)
{
    (void)state;
#define ROW(bytes, says)                                                                                               \
    {                                                                                                                  \
        bytes, sizeof bytes - 1, says                                                                                  \
    }
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } rows[] = {
        ROW("", "m, byte 0: not a MIDI file"),
        ROW("RIFF....", "m, byte 0: not a MIDI file"),
        ROW("MThd\0\0\0", "m, byte 0: the file ends in its header"),
        ROW("MThd\0\0\0\2\0\0", "m, byte 8: the header is shorter"),
        ROW(HEAD("\2", "\0\x60"), "m: a MIDI file of format 2"),
        ROW(HEAD("\0", "\0\0"), "m, byte 8: a division of 0"),
        ROW(HEAD("\0", "\xE7\0"), "m, byte 8: a division of 0"),
        ROW(HEAD("\0", "\0\x60"), "m has no notes"),
        ROW(HEAD("\0", "\0\x60") "MTrk\0\0\1\0", "m, byte 14: the chunk is longer than the file"),
        ROW(HEAD("\0", "\0\x60") TRACK("\2") "\0\x90", "m, byte 24: the track ends"),
        ROW(HEAD("\0", "\0\x60") TRACK("\1") "\x80", "m, byte 23: the track ends"),
        ROW(HEAD("\0", "\0\x60") TRACK("\5") "\xFF\xFF\xFF\xFF\x7F", "m, byte 26: a number of more than four bytes"),
        ROW(HEAD("\0", "\0\x60") TRACK("\4") "\0\x3C\x40\0", "m, byte 22: no event begins"),
        ROW(HEAD("\0", "\0\x60") TRACK("\4") "\0\xF1\x40\0", "m, byte 23: no event begins"),
        ROW(HEAD("\0", "\0\x60") TRACK("\4") "\0\x90\x80\0", "m, byte 26: a note above 127"),
        ROW(HEAD("\0", "\0\x60") TRACK("\5") "\0\xFF\1\x7F"
                                             "a",
            "m, byte 26: the track ends"),
        ROW(HEAD("\0", "\0\1") TRACK("\x0a") "\0\x90\x3C\x40\xFF\xFF\xFF\x7F\x3C\0",
            "m: 268435455 steps of 1 quarters"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        midi_roll m;
        laco_error err = { .msg = "" };
        laco_status st = midi_parse(&m, rows[i].bytes, rows[i].n, 1, "m", &err);
        if (!st || strncmp(err.msg, rows[i].says, strlen(rows[i].says)))
            fail_msg("row %zu: %d \"%s\", not \"%s\"", i, st, err.msg, rows[i].says);
        assert_null(m.step);
    }
}

/* ---- folders ---- */
static void put_file(const char *folder, const char *name, int64_t steps)
{
    char *path = folder_path(folder, name);
    float *step = mem_new((size_t)steps, ROLL_KEYS * sizeof *step);
    file_writer *w;
    buf b = { 0 };
    for (int64_t t = 0; t < steps; t++) step[t * ROLL_KEYS + 39] = 1;
    midi_write(&b, step, steps, 1, 120);
    assert_int_equal(file_create(&w, path, NULL), LACO_OK);
    assert_int_equal(file_write(w, b.data, b.len, NULL), LACO_OK);
    assert_int_equal(file_commit(w, NULL), LACO_OK);
    buf_free(&b), mem_free(step), mem_free(path);
}
static void expect(const char *folder, int64_t train, int64_t valid, int64_t test)
{
    const int64_t steps[ROLL_PARTS] = { train, valid, test };
    rolls part[ROLL_PARTS];
    midi_folder f = { .quarters = 1 };
    laco_error err;
    if (midi_read_folder(part, folder, &f, &err)) fail_msg("%s", err.msg);
    for (int i = 0; i < ROLL_PARTS; i++) {
        if (part[i].steps != steps[i]) fail_msg("%s, part %d: %lld steps", folder, i, (long long)part[i].steps);
        if (part[i].count) assert_true(part[i].start[part[i].count] == part[i].steps + part[i].count);
        if (part[i].count) assert_true(part[i].step[39] == 0 && part[i].step[ROLL_KEYS + 39] == 1);
        rolls_free(&part[i]);
    }
}
static void count_bad(void *ctx, const char *name, const char *why)
{
    assert_string_equal(name, "train/bad.mid");
    assert_non_null(strstr(why, "train/bad.mid, byte"));
    ++*(int *)ctx;
}
static void folders_have_parts(void **state)
{
    (void)state;
    char folder[] = "/tmp/laco-midi-XXXXXX", name[32];
    int told = 0;
    rolls part[ROLL_PARTS];
    laco_error err;
    midi_folder f = { .quarters = 1 };
    assert_non_null(mkdtemp(folder));
    assert_int_equal(midi_read_folder(part, folder, &f, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "has no MIDI files"));
    put_file(folder, "a.mid", 1), put_file(folder, "b.midi", 2);
    expect(folder, 3, 0, 0);
    put_file(folder, "c.MID", 4), put_file(folder, "d.txt", 1);
    expect(folder, 1, 2, 4);
    for (int i = 0; i < 9; i++) snprintf(name, sizeof name, "n%d.mid", i), put_file(folder, name, 10 << i);
    expect(folder, 7 + 10 * (31 + 128 + 256), 320, 640); /* of twelve the ninth and the tenth */
    for (int i = 0; i < ROLL_PARTS; i++) {
        static const char *const names[] = { "train", "valid", "test" };
        char *inner = folder_path(folder, names[i]);
        assert_int_equal(folder_make(inner, NULL), LACO_OK);
        put_file(inner, "x.mid", 3 + i), mem_free(inner);
    }
    expect(folder, 3, 4, 5);
    char *bad = folder_path(folder, "train/bad.mid");
    FILE *to = fopen(bad, "w");
    assert_true(fputs("MThd", to) >= 0 && fclose(to) == 0);
    assert_int_equal(midi_read_folder(part, folder, &f, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "train/bad.mid"));
    f.skip_bad = true;
    f.tell = count_bad, f.ctx = &told;
    assert_int_equal(midi_read_folder(part, folder, &f, &err), LACO_OK);
    assert_true(told == 1 && f.bad == 1 && f.files == 3 && part[ROLL_TRAIN].steps == 3);
    for (int i = 0; i < ROLL_PARTS; i++) rolls_free(&part[i]);
    mem_free(bad), folder_delete(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracks_sound_together), cmocka_unit_test(ticks_may_be_seconds),
        cmocka_unit_test(written_bytes),         cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(chorales_read_back),    cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(folders_have_parts),    cmocka_unit_test(notes_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
