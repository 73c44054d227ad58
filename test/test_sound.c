/* Sound: the transform, features, files, folders, archives, and what names and tables say. */
#include "base/file.h"
#include "base/folder.h"
#include "base/pool.h"
#include "data/readers.h"
#include "data/tar.h"
#include "math/fft.h"
#include "laco.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>
#include "series_kit.h"

/* ---- the transform ---- */
static void fft_is_the_sum(void **state)
{
    (void)state;
    for (int64_t n = 4; n <= 512; n *= 2) {
        double x[512], X[514];
        fft *f;
        assert_int_equal(fft_new(&f, n, NULL), LACO_OK);
        for (int64_t t = 0; t < n; t++) x[t] = sin((double)(t * t + 1));
        fft_real(f, x, X);
        for (int64_t k = 0; k <= n / 2; k++) {
            double re = 0, im = 0;
            for (int64_t t = 0; t < n; t++)
                re += x[t] * cos(2 * M_PI * (double)(k * t % n) / (double)n),
                    im -= x[t] * sin(2 * M_PI * (double)(k * t % n) / (double)n);
            assert_float_equal(X[2 * k], re, 1e-12);
            assert_float_equal(X[2 * k + 1], im, 1e-12);
        }
        fft_free(f);
    }
    fft *f;
    assert_int_equal(fft_new(&f, 12, NULL), LACO_EINVAL);
}

/* ---- features ---- */
enum { RATE = 8000 };
static void sine(float *x, int64_t n, double hertz)
{
    for (int64_t t = 0; t < n; t++) x[t] = (float)(0.5 * sin(2 * M_PI * hertz * (double)t / RATE));
}
static void features_of(const sound_settings *s, const float *x, int64_t n, float *to)
{
    sound_maker *m;
    assert_int_equal(sound_maker_new(&m, s, NULL), LACO_OK);
    double *scratch = mem_new(sound_scratch(m), sizeof *scratch);
    sound_frame(m, x, n, scratch, to);
    mem_free(scratch), sound_maker_free(m);
}
/* A tone in the middle of band b is loudest there. */
static void a_tone_is_in_its_band(void **state)
{
    (void)state;
    enum { BANDS = 20 };
    double top = 2595 * log10(1 + RATE / 2 / 700.0);
    for (int b = 1; b < BANDS; b++) {
        float x[400], band[BANDS];
        sine(x, 400, 700 * (pow(10, top * (b + 1) / (BANDS + 1) / 2595) - 1));
        features_of(&(sound_settings){ .rate = RATE, .mels = BANDS, .frame = 50 }, x, 400, band);
        int loudest = 0;
        for (int k = 0; k < BANDS; k++)
            if (band[k] > band[loudest]) loudest = k;
        assert_int_equal(loudest, b);
        assert_true(band[b] > band[b < 10 ? BANDS - 1 : 0] + 5);
    }
}
/* The whole way once more, by sums. */
static void features_by_their_equations(void **state)
{
    (void)state;
    enum { N = 40, SIZE = 64, BANDS = 5, COEFFICIENTS = 4 };
    float x[N], coefficient[COEFFICIENTS], band[BANDS];
    double energy[BANDS] = { 0 }, high = 2595 * log10(1 + 3000 / 700.0), low = 2595 * log10(1 + 100 / 700.0);
    for (int t = 0; t < N; t++) x[t] = (float)sin(0.1 * t * t);
    sound_settings s = { .rate = RATE, .frame = 5, .mels = BANDS, .low = 100, .high = 3000, .emphasis = 0.9 };
    features_of(&s, x, N, band);
    s.mfcc = COEFFICIENTS;
    features_of(&s, x, N, coefficient);
    for (int k = 0; k <= SIZE / 2; k++) {
        double re = 0, im = 0, place = 2595 * log10(1 + (double)k * RATE / SIZE / 700);
        place = (place - low) / (high - low) * (BANDS + 1);
        for (int t = 0; t < N; t++) {
            double y = (x[t] - 0.9 * x[t ? t - 1 : 0]) * (1 - cos(2 * M_PI * t / N)) / 2;
            re += y * cos(2 * M_PI * k * t / SIZE), im += y * sin(2 * M_PI * k * t / SIZE);
        }
        for (int b = 0; b < BANDS; b++) energy[b] += (re * re + im * im) * fmax(0, 1 - fabs(place - (b + 1)));
    }
    for (int b = 0; b < BANDS; b++) assert_float_equal(band[b], log(energy[b]), 1e-5);
    for (int j = 0; j < COEFFICIENTS; j++) {
        double sum = 0;
        for (int b = 0; b < BANDS; b++) sum += log(energy[b]) * cos(M_PI * j * (b + 0.5) / BANDS);
        assert_float_equal(coefficient[j], sum * sqrt((j ? 2.0 : 1.0) / BANDS), 1e-5);
    }
}
static void settings_are_checked(void **state)
{
    (void)state;
    static const struct {
        sound_settings s;
        const char *why;
    } rows[] = {
        { { .rate = RATE, .mels = 2000 }, "mel bands" },
        { { .rate = RATE, .mfcc = 41 }, "as many coefficients" },
        { { .rate = RATE, .frame = 1e9 }, "1 to 10000 ms" },
        { { .rate = RATE, .high = 5000 }, "4000 Hz, half the rate" },
        { { .rate = RATE, .low = 300, .high = 200 }, "begin at 0 Hz" },
        { { .rate = RATE, .emphasis = NAN }, "the emphasis is" },
        { { .rate = RATE, .mels = 100 }, "too narrow" },
        { { .rate = 10 }, "10 samples a second" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sound_maker *m;
        laco_error err;
        assert_int_equal(sound_maker_new(&m, &rows[i].s, &err), LACO_EINVAL);
        if (!strstr(err.msg, rows[i].why)) fail_msg("%s", err.msg);
        assert_null(m);
    }
}
static void frames_of_lengths(void **state)
{
    (void)state;
    sound_maker *m;
    assert_int_equal(sound_maker_new(&m, &(sound_settings){ .rate = RATE }, NULL), LACO_OK);
    assert_true(sound_frame_size(m) == 200 && sound_hop_size(m) == 80);
    assert_true(sound_frames(m, 0) == 0 && sound_frames(m, 1) == 1 && sound_frames(m, 279) == 1);
    assert_true(sound_frames(m, 280) == 2 && sound_frames(m, 8000) == 98);
    sound_maker_free(m);
}

/* ---- files ---- */
static void put(char *to, uint32_t x, int bytes)
{
    for (int k = 0; k < bytes; k++) to[k] = (char)(x >> 8 * k);
}
enum { WAV_HEAD = 44 };
/* 16 bits; channels interleaved. */
static size_t wav(char *to, const float *x, int64_t n, int rate, int channels)
{
    uint32_t size = (uint32_t)(2 * n);
    memcpy(to, "RIFF....WAVEfmt ", 16), put(to + 4, 36 + size, 4), put(to + 16, 16, 4), put(to + 20, 1, 2);
    put(to + 22, (uint32_t)channels, 2), put(to + 24, (uint32_t)rate, 4);
    put(to + 28, (uint32_t)(2 * rate * channels), 4), put(to + 32, (uint32_t)(2 * channels), 2), put(to + 34, 16, 2);
    memcpy(to + 36, "data", 4), put(to + 40, size, 4);
    for (int64_t t = 0; t < n; t++) put(to + WAV_HEAD + 2 * t, (uint32_t)(int32_t)lrintf(x[t] * 32768), 2);
    return WAV_HEAD + size;
}
static bool sound_built(void)
{
    recording r;
    char bytes[64];
    bool built = sound_decode(&r, bytes, wav(bytes, (float[]){ 0.5f }, 1, RATE, 1), "x", NULL) != LACO_EUNSUPPORTED;
    mem_free(r.x);
    return built;
}
static void channels_are_averaged(void **state)
{
    (void)state;
    char bytes[100];
    recording r;
    laco_error err;
    if (!sound_built()) skip();
    size_t n = wav(bytes, (float[]){ 0.5f, 0.25f, -0.5f, 0.5f }, 4, RATE, 2);
    assert_int_equal(sound_decode(&r, bytes, n, "x.wav", NULL), LACO_OK);
    assert_true(r.n == 2 && r.rate == RATE && r.x[0] == 0.375f && r.x[1] == 0);
    mem_free(r.x);
    assert_int_equal(sound_decode(&r, bytes, 20, "x.wav", &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "x.wav: it is no sound"));
    n = wav(bytes, NULL, 0, RATE, 1);
    assert_int_equal(sound_decode(&r, bytes, n, "x.wav", &err), LACO_EFORMAT);
    assert_null(r.x);
}
static void a_tone_at_another_rate(void **state)
{
    (void)state;
    static const int rates[] = { 16000, 11025, 6000, 4000 };
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        recording r = { mem_new(4000, sizeof(float)), 4000, RATE };
        sine(r.x, 4000, 440);
        assert_int_equal(sound_resample(&r, rates[k], NULL), LACO_OK);
        assert_true(r.rate == rates[k] && r.n == (4000 * rates[k] + RATE - 1) / RATE);
        for (int64_t t = r.n / 4; t < 3 * r.n / 4; t++)
            assert_float_equal(r.x[t], 0.5 * sin(2 * M_PI * 440 * (double)t / rates[k]), 2e-3);
        mem_free(r.x);
    }
    /* what the lower rate cannot hold is gone */
    recording r = { mem_new(4000, sizeof(float)), 4000, RATE };
    sine(r.x, 4000, 3000);
    assert_int_equal(sound_resample(&r, 4000, NULL), LACO_OK);
    for (int64_t t = 500; t < 1500; t++) assert_float_equal(r.x[t], 0, 2e-3);
    mem_free(r.x);
}

/* ---- archives ---- */
static size_t tar_member(char *to, const char *name, char type, const char *data, size_t n)
{
    unsigned sum = 0;
    memset(to, 0, 512 + (n + 511) / 512 * 512);
    strcpy(to, name), snprintf(to + 124, 12, "%011zo", n), to[156] = type,
                                                           memcpy(to + 257,
                                                                  "ustar\0"
                                                                  "00",
                                                                  8);
    memset(to + 148, ' ', 8);
    for (int k = 0; k < 512; k++) sum += (unsigned char)to[k];
    snprintf(to + 148, 8, "%06o", sum), memcpy(to + 512, data, n);
    return 512 + (n + 511) / 512 * 512;
}
static void tar_members(void **state)
{
    (void)state;
    char t[8192];
    size_t n = tar_member(t, "folder/", '5', "", 0);
    n += tar_member(t + n, "folder/a", '0', "1234", 4);
    n += tar_member(t + n, "pax", 'x', "30 mtime=1700000000.000000000\n15 path=long/b\n", 45);
    n += tar_member(t + n, "short", '0', "56", 2);
    n += tar_member(t + n, "././@LongLink", 'L', "longer/c", 9);
    n += tar_member(t + n, "short", '0', "", 0);
    memcpy(t + n - 512 + 345, "before", 6);
    memset(t + n, 0, 1024);
    static const char *const names[] = { "folder/a", "long/b", "longer/c" }, *const data[] = { "1234", "56", "" };
    assert_true(tar_is(t, n));
    tar r = { .bytes = t, .n = n + 1024, .file = "t.tar" };
    bool more;
    laco_error err;
    for (int k = 0; k < 2; k++) {
        assert_int_equal(tar_next(&r, &more, NULL), LACO_OK);
        assert_true(more && r.size == strlen(data[k]) && !memcmp(r.data, data[k], r.size));
        assert_string_equal(r.name, names[k]);
    }
    assert_int_equal(tar_next(&r, &more, &err), LACO_EFORMAT); /* its name was changed behind its sum */
    assert_non_null(strstr(err.msg, "t.tar: damaged tar archive at byte 4608: the check sum"));
    tar_close(&r);
    tar_member(t + n - 512, "short", '0', "", 0);
    r = (tar){ .bytes = t, .n = n + 1024, .file = "t.tar" };
    for (int k = 0; k < 3; k++) assert_int_equal(tar_next(&r, &more, NULL), LACO_OK);
    assert_string_equal(r.name, names[2]);
    assert_int_equal(tar_next(&r, &more, NULL), LACO_OK);
    assert_false(more);
    r = (tar){ .bytes = t, .n = 1025, .file = "t.tar" }; /* the first file has only one of its four bytes */
    tar_member(t, "a", '0', "", 0), tar_member(t + 512, "b", '0', "1234", 4);
    assert_int_equal(tar_next(&r, &more, NULL), LACO_OK);
    assert_int_equal(tar_next(&r, &more, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "at byte 512: it was cut short"));
    tar_close(&r);
}

/* ---- sets ---- */
static char place[] = "/tmp/laco-sound-XXXXXX";
static void write_file(const char *name, const void *bytes, size_t n)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", place, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}
static void write_text(const char *name, const char *text) { write_file(name, text, strlen(text)); }
static void write_wav(const char *name, double hertz, int64_t n, int rate)
{
    char bytes[WAV_HEAD + 2 * 4000];
    float x[4000];
    sine(x, n, hertz);
    write_file(name, bytes, wav(bytes, x, n, rate, 1));
}
static int set_up(void **state)
{
    (void)state;
    static const char *const folders[] = { "/sounds", "/sounds/low", "/sounds/high" };
    if (!mkdtemp(place)) return -1;
    for (int k = 0; k < 3; k++) {
        char path[200];
        snprintf(path, sizeof path, "%s%s", place, folders[k]);
        if (folder_make(path, NULL)) return -1;
    }
    write_wav("sounds/low/1_ann.wav", 200, 1000, RATE), write_wav("sounds/low/2_bob.wav", 300, 100, RATE);
    write_wav("sounds/high/3_ann.wav", 2000, 2000, RATE), write_file("sounds/notes.txt", "x", 1);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    folder_delete(place);
    return 0;
}
static laco_status read_set(series_set *s, const char *name, const series_options *o, laco_error *err)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", place, name);
    return series_read(s, path, o, err);
}
static void a_folder_is_a_label(void **state)
{
    (void)state;
    series_set s;
    if (!sound_built()) skip();
    assert_int_equal(read_set(&s, "sounds", NULL, NULL), LACO_OK);
    assert_true(s.count == 3 && s.features == 40 && s.rate == RATE && !s.group);
    assert_float_equal(s.seconds, 3100.0 / RATE, 1e-12);
    assert_string_equal(s.name[0], "high/3_ann.wav");
    assert_string_equal(s.label[0], "high");
    assert_string_equal(s.label[2], "low");
    assert_true(series_length(&s, 0) == 23 && series_length(&s, 1) == 11 && series_length(&s, 2) == 1);
    series_free(&s);
    assert_int_equal(read_set(&s, "sounds/low", NULL, NULL), LACO_OK);
    assert_true(s.count == 2 && !s.label);
    series_free(&s);
    assert_int_equal(read_set(&s, "sounds/low/2_bob.wav", NULL, NULL), LACO_OK);
    assert_true(s.count == 1 && series_length(&s, 0) == 1);
    series_free(&s);
}
static void names_follow_a_pattern(void **state)
{
    (void)state;
    series_set s;
    laco_error err;
    if (!sound_built()) skip();
    assert_int_equal(read_set(&s, "sounds", &(series_options){ .pattern = "{label}_{group}.wav" }, NULL), LACO_OK);
    assert_string_equal(s.label[0], "3");
    assert_string_equal(s.group[0], "ann");
    assert_string_equal(s.group[2], "bob");
    series_free(&s);
    assert_int_equal(read_set(&s, "sounds", &(series_options){ .pattern = "{group}/*_{label}.*" }, NULL), LACO_OK);
    assert_string_equal(s.label[0], "ann");
    assert_string_equal(s.group[0], "high");
    series_free(&s);
    static const char *const wrong[][2] = {
        { "{label}-*", "the name high/3_ann.wav does not fit the pattern {label}-*" },
        { "{label}_{group}", "the pattern" },
        { "{label}{group}", "with something between them" },
        { "{speaker}_*", "{label}, {group} and * are known" },
    };
    for (int k = 0; k < 4; k++) {
        bool fits = k == 1; /* {group} takes the ending too */
        laco_status st = read_set(&s, "sounds", &(series_options){ .pattern = wrong[k][0] }, &err);
        assert_int_equal(st == LACO_OK, fits);
        if (!fits && !strstr(err.msg, wrong[k][1])) fail_msg("%s", err.msg);
        series_free(&s);
    }
}
static void left_out(void *ctx, const char *file, const char *why)
{
    (void)file, (void)why;
    ++*(int *)ctx;
}
static void a_table_says_more(void **state)
{
    (void)state;
    char path[200];
    series_set s;
    laco_error err;
    int bad = 0;
    if (!sound_built()) skip();
    snprintf(path, sizeof path, "%s/labels.tsv", place);
    series_options o = { .labels = path, .group = "who", .target = "age" };
    write_text("labels.tsv", "who\twav\tage\tlabel\nann\t1_ann.wav\t7.5\tx\nbob\tlow/2_bob.wav\t\tNA\n");
    if (read_set(&s, "sounds", &o, &err)) fail_msg("%s", err.msg);
    assert_true(s.count == 2 && s.target[0] == 7.5 && isnan(s.target[1]) && !s.label[1]);
    assert_string_equal(s.name[0], "low/1_ann.wav");
    assert_string_equal(s.group[1], "bob");
    assert_string_equal(s.label[0], "x");
    series_free(&s);
    o = (series_options){ .labels = path };
    write_text("labels.tsv", "wav\tlabel\n1_ann\tx\nnone.wav\ty\n");
    assert_int_equal(read_set(&s, "sounds", &o, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "labels.tsv, line 3: there is no sound with the name \"none.wav\""));
    o.skip_bad = true, o.bad = left_out, o.ctx = &bad;
    assert_int_equal(read_set(&s, "sounds", &o, NULL), LACO_OK);
    assert_true(s.count == 1 && bad == 1);
    series_free(&s);
    write_text("labels.tsv", "wav\tlabel\n1_ann\tx\n1_ann.wav\ty\n");
    o.skip_bad = false;
    assert_int_equal(read_set(&s, "sounds", &o, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "line 3: the sound low/1_ann.wav has a line already"));
    write_text("labels.tsv", "wav\tlabel\nu\tx\nv\ty\n");
    assert_int_equal(read_set(&s, "sounds", &o, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "no column names sounds of"));
}
static void rates_must_agree(void **state)
{
    (void)state;
    series_set s;
    laco_error err;
    int bad = 0;
    if (!sound_built()) skip();
    write_wav("sounds/low/z.wav", 200, 1000, 4000);
    assert_int_equal(read_set(&s, "sounds", NULL, &err), LACO_EFORMAT);
    if (!strstr(err.msg, "low/z.wav has 4000 samples a second, high/3_ann.wav 8000")) fail_msg("%s", err.msg);
    series_options o = { .skip_bad = true, .bad = left_out, .ctx = &bad };
    assert_int_equal(read_set(&s, "sounds", &o, NULL), LACO_OK);
    assert_true(s.count == 3 && bad == 1);
    series_free(&s);
    sound_settings w = { .rate = RATE, .resample = true };
    assert_int_equal(read_set(&s, "sounds", &(series_options){ .sound = &w }, NULL), LACO_OK);
    assert_true(s.count == 4 && series_length(&s, 3) == 23);
    series_free(&s);
    w = (sound_settings){ .rate = 4000 };
    assert_int_equal(read_set(&s, "sounds", &(series_options){ .sound = &w }, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "has 8000 samples a second, 4000 are expected"));
    char path[200];
    snprintf(path, sizeof path, "%s/sounds/low/z.wav", place);
    remove(path);
}
static void stretches_label_the_steps(void **state)
{
    (void)state;
    char path[200];
    series_set s;
    laco_error err;
    int bad = 0;
    if (!sound_built()) skip();
    snprintf(path, sizeof path, "%s/stretches.tsv", place);
    sound_settings w = { .frame = 20, .hop = 10 }; /* middles at 0.01, 0.02, ... of 0.125 and 0.25 seconds */
    series_options o = { .labels = path, .rest = "-", .sound = &w };
    write_text("stretches.tsv", "onset\toffset\twav\tevent_label\n0.045\t0.068\t1_ann\tb\n0\t0.015\t1_ann\ta\n\t\thigh/3_ann.wav\t\n");
    if (read_set(&s, "sounds", &o, &err)) fail_msg("%s", err.msg);
    assert_true(s.count == 2 && s.step_label && !s.label);
    assert_string_equal(s.name[0], "high/3_ann.wav");
    for (int64_t t = 0; t < series_length(&s, 0); t++) assert_string_equal(s.step_label[t], "-");
    static const char *const want[] = { "a", "-", "-", "-", "b", "b", "-", "-", "-", "-", "-" };
    assert_int_equal(series_length(&s, 1), 11);
    for (int64_t t = 0; t < 11; t++) assert_string_equal(s.step_label[s.start[1] + t], want[t]);
    assert_true(s.label_text[2] && !s.label_text[3]);
    series_free(&s);
    static const char *const wrong[][2] = {
        { "0\t0.1\t1_ann\ta\n0.09\t0.2\t1_ann\tb\n", "the stretch of line 3 begins before that of line 2 ends" },
        { "0.1\t0.1\t1_ann\ta\n", "line 2: a stretch has a label, and starts at 0 seconds" },
        { "-1\t0.1\t1_ann\ta\n", "line 2: a stretch has a label, and starts at 0 seconds" },
        { "nan\t0.1\t1_ann\ta\n", "line 2: a stretch has a label, and starts at 0 seconds" },
        { "0\tx\t1_ann\ta\n", "line 2: a stretch has a label, and starts at 0 seconds" },
        { "0\t0.1\t1_ann\t\n", "line 2: a stretch has a label, and starts at 0 seconds" },
        { "0\t0.1\t1_ann\ta\n0\t0.1\tnone.wav\ta\n", "line 3: there is no sound with the name \"none.wav\"" },
    };
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        char text[300];
        snprintf(text, sizeof text, "start\tend\twav\tlabel\n%s", wrong[k][0]);
        write_text("stretches.tsv", text);
        assert_int_equal(read_set(&s, "sounds", &o, &err), LACO_EFORMAT);
        if (!strstr(err.msg, wrong[k][1])) fail_msg("%s", err.msg);
    }
    o.skip_bad = true, o.bad = left_out, o.ctx = &bad;
    assert_int_equal(read_set(&s, "sounds", &o, NULL), LACO_OK);
    assert_true(s.count == 1 && bad == 1);
    series_free(&s);
}
typedef struct place_of_sounds {
    const char *name, *pattern, *labels, *rest;
    bool skip_bad;
} place_of_sounds;
static laco_status sounds_in_parts(const series_parts *to, const void *what, laco_error *err)
{
    const place_of_sounds *p = what;
    char path[200], labels[200];
    snprintf(path, sizeof path, "%s/%s", place, p->name), snprintf(labels, sizeof labels, "%s/%s", place, p->labels);
    const series_options o = {
        .pattern = p->pattern, .labels = p->labels ? labels : NULL, .rest = p->rest, .target = p->labels && !p->rest ? "age" : NULL,
        .skip_bad = p->skip_bad
    };
    return series_read_parts(path, &o, to, err);
}
static void parts_are_the_whole(void **state)
{
    (void)state;
    if (!sound_built()) skip();
    same_in_parts(sounds_in_parts, &(place_of_sounds){ .name = "sounds" });
    same_in_parts(sounds_in_parts, &(place_of_sounds){ .name = "sounds", .pattern = "{label}_{group}.wav" });
    write_text("some.tsv", "wav\tage\tlabel\n1_ann\t7\tx\n3_ann\t8\tNA\n");
    same_in_parts(sounds_in_parts, &(place_of_sounds){ .name = "sounds", .labels = "some.tsv" });
    write_text("some.tsv", "wav\tstart\tend\tlabel\n1_ann\t0\t0.05\tx\n3_ann\t\t\t\n3_ann\t0.1\t0.2\ty\n");
    same_in_parts(sounds_in_parts, &(place_of_sounds){ .name = "sounds", .labels = "some.tsv", .rest = "none" });
    write_text("sounds/low/bad.wav", "no sound");
    same_in_parts(sounds_in_parts, &(place_of_sounds){ .name = "sounds", .skip_bad = true });
    char path[200];
    snprintf(path, sizeof path, "%s/sounds/low/bad.wav", place);
    remove(path);
}
static void archives_and_threads_give_the_same(void **state)
{
    (void)state;
    series_set a, b, c;
    pool *p;
    size_t n = 0;
    char *t = mem_new(1 << 16, 1), wave[WAV_HEAD + 2 * 4000];
    if (!sound_built()) skip();
    static const struct {
        const char *name;
        double hertz;
        int64_t n;
    } rows[] = { { "high/3_ann.wav", 2000, 2000 }, { "low/1_ann.wav", 200, 1000 }, { "low/2_bob.wav", 300, 100 } };
    for (int k = 0; k < 3; k++) {
        float x[4000];
        sine(x, rows[k].n, rows[k].hertz);
        n += tar_member(t + n, rows[k].name, '0', wave, wav(wave, x, rows[k].n, RATE, 1));
    }
    write_file("sounds.tar", t, n + 1024);
    mem_free(t);
    assert_int_equal(pool_new(&p, 3, NULL), LACO_OK);
    pool_always_share(p, true);
    sound_settings w = { .mfcc = 13 };
    assert_int_equal(read_set(&a, "sounds", &(series_options){ .sound = &w }, NULL), LACO_OK);
    assert_int_equal(read_set(&b, "sounds", &(series_options){ .sound = &w, .pool = p }, NULL), LACO_OK);
    assert_int_equal(read_set(&c, "sounds.tar", &(series_options){ .sound = &w }, NULL), LACO_OK);
    assert_true(w.rate == RATE && a.features == 13 && a.start[3] == 35);
    for (int i = 0; i < 3; i++) {
        assert_true(a.start[i + 1] == b.start[i + 1] && a.start[i + 1] == c.start[i + 1]);
        assert_string_equal(a.name[i], c.name[i]);
        assert_string_equal(a.label[i], c.label[i]);
    }
    assert_memory_equal(a.x, b.x, 35 * 13 * sizeof(float));
    assert_memory_equal(a.x, c.x, 35 * 13 * sizeof(float));
    series_free(&a), series_free(&b), series_free(&c), pool_free(p);
}

/* ---- files of others ---- */
static void emotional_speech(void **state)
{
    (void)state;
    series_set s;
    char path[1024];
    const char *data = getenv("LACO_DATA");
    snprintf(path, sizeof path, "%s/emodb/wav-11025.tar.gz", data ? data : "");
    if (!data || access(path, R_OK) || !sound_built()) skip();
    char labels[1024];
    snprintf(labels, sizeof labels, "%s/emodb/labels.tsv", data);
    sound_settings w = { .hop = 100 };
    series_options o = { .labels = labels, .label = "emotion", .group = "speaker", .sound = &w };
    assert_int_equal(series_read(&s, path, &o, NULL), LACO_OK);
    assert_true(s.count == 535 && s.rate == 11025 && fabs(s.seconds - 1070) < 1);
    int angry = 0, third = 0;
    for (int64_t i = 0; i < s.count; i++) angry += !strcmp(s.label[i], "anger"), third += !strcmp(s.group[i], "03");
    assert_true(angry == 127 && third == 49);
    series_free(&s);
}

/* ---- jobs ---- */
static laco_status train(const char *const *option, laco_error *err)
{
    laco_job *j;
    laco_status st = laco_job_new(&j, "train classify", err);
    for (; !st && *option; option += 2) st = laco_job_set(j, option[0], option[1], err);
    if (!st) st = laco_job_run(j, NULL, err);
    laco_job_free(j);
    return st;
}
/* What cannot be read of --data and of --test stands in one file; the bands are those that were asked for. */
static void bad_sounds_are_named(void **state)
{
    (void)state;
    char folder[3][200], name[200];
    laco_error err = { 0 };
    if (!sound_built()) skip();
    snprintf(folder[0], sizeof *folder, "%s/jobs/test", place), snprintf(folder[1], sizeof *folder, "%s/left.tsv", place);
    snprintf(folder[2], sizeof *folder, "%s/m.safetensors", place);
    static const char *const made[] = { "jobs", "jobs/train", "jobs/test", "jobs/train/a", "jobs/train/b", "jobs/test/a", "jobs/test/b" };
    for (size_t k = 0; k < sizeof made / sizeof *made; k++)
        snprintf(name, sizeof name, "%s/%s", place, made[k]), assert_int_equal(folder_make(name, NULL), LACO_OK);
    for (int k = 0; k < 12; k++) {
        snprintf(name, sizeof name, "jobs/%s/%c/%d.wav", k < 8 ? "train" : "test", k % 2 ? 'b' : 'a', k);
        write_wav(name, 300, k % 2 ? 300 : 1200, RATE);
    }
    write_text("jobs/train/a/x.wav", "nothing"), write_text("jobs/test/b/y.wav", "RIFF");
    snprintf(name, sizeof name, "%s/jobs/train", place);
    const char *option[] = { "data", name, "test", folder[0], "out", folder[2], "epochs", "1", "hidden", "2", "mels", "3", "low", "200",
                             "high", "3000", "threads", "1", "skip-bad", folder[1], NULL };
    if (train(option, &err)) fail_msg("%s", err.msg);
    char *left, *model;
    size_t n;
    assert_int_equal(file_read(folder[1], 1 << 20, &left, &n, NULL), LACO_OK);
    assert_true(strstr(left, "a/x.wav\t") == left && strstr(left, "\nb/y.wav\t"));
    assert_int_equal(file_read(folder[2], 1 << 20, &model, &n, NULL), LACO_OK);
    bool kept = false;
    static const char bands[] = "\\\"low\\\":200,\\\"high\\\":3000";
    for (size_t i = 0; i + sizeof bands < n; i++) kept |= !memcmp(model + i, bands, sizeof bands - 1);
    assert_true(kept);
    mem_free(left), mem_free(model);
    option[19] = NULL, option[18] = NULL; /* without --skip-bad */
    assert_int_equal(train(option, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "a/x.wav: it is no sound"));
    const char *high[] = { "data", folder[0], "out", folder[2], "high", "4500", "skip-bad", folder[1], NULL };
    assert_int_equal(train(high, &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "must end at 4000 Hz"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fft_is_the_sum),
        cmocka_unit_test(a_tone_is_in_its_band),
        cmocka_unit_test(features_by_their_equations),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(frames_of_lengths),
        cmocka_unit_test(channels_are_averaged),
        cmocka_unit_test(a_tone_at_another_rate),
        cmocka_unit_test(tar_members),
        cmocka_unit_test(a_folder_is_a_label),
        cmocka_unit_test(names_follow_a_pattern),
        cmocka_unit_test(a_table_says_more),
        cmocka_unit_test(rates_must_agree),
        cmocka_unit_test(archives_and_threads_give_the_same),
        cmocka_unit_test(stretches_label_the_steps),
        cmocka_unit_test(parts_are_the_whole),
        cmocka_unit_test(emotional_speech),
        cmocka_unit_test(bad_sounds_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
