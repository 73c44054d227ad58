/* Models: files there and back, every damage refused, stepping against running, the public calls, and a stored model
   that must load for ever.  `test_model make-golden` writes that model and prints its outputs: needed once. */
#include "base/json.h"
#include "base/rng.h"
#include "base/file.h"
#include "format/model.h"
#include "format/safetensors.h"
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#define GOLDEN "test/golden/model-v1.safetensors"
#define EDGE "test/golden/safetensors-edge/"
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- memory that is watched, and that can run out ---- */
static struct {
    size_t largest;         /* block asked for */
    int64_t calls, fail_at; /* the call that fails; -1: none */
    int64_t live;
} watch = { .fail_at = -1 };

static void *watched_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n == 0) {
        watch.live -= p != NULL;
        free(p);
        return NULL;
    }
    if (n > watch.largest) watch.largest = n;
    if (watch.calls++ == watch.fail_at) return NULL;
    void *q = malloc(n);
    watch.live += q != NULL;
    return q;
}

/* ---- helpers ---- */
static const struct network {
    const char *text;
    int64_t inputs;
    bool steps;
} networks[] = {
    { "elman 5", 3, true },
    { "elman 17 x2 relu; dense 2", 3, true },
    { "elman 4 linear clip 0.5 bias-none", 2, true },
    { "elman 6 sigmoid project 3 learned-state; dense 4 tanh", 2, true },
    { "jordan 5 tanh-output project 3; dense 2 relu no-bias", 3, true },
    { "lstm 9; dense 3", 4, true },
    { "lstm 7 peephole coupled bias-one; dense 3 sigmoid", 4, true },
    { "lstm 6 peephole-full norm; dense 1", 4, true },
    { "lstm 8 norm-gates project 3 residual; dense 2", 3, true },
    { "lstm 5 gate-recurrence learned-state; dense 2", 3, true },
    { "lstm 4 no-forget no-output-gate linear-input linear-output; dense 2", 3, true },
    { "gru 9 residual; dense 3", 9, true },
    { "gru-before 9; dense 3", 4, true },
    { "mgu 5; dense 2", 2, true },
    { "indrnn 5 x2 tanh; dense 2", 2, true },
    { "window 4; dense 6 tanh; dropout 0.25; dense 2", 3, true },
    { "dense 70 tanh; window 3", 2, true },
    { "embed 6; lstm 6 x2; dropout 0.5; dense 11", 11, true },
    { "embed 8; gru 5 project 8; dense 11 tied", 11, false }, /* refused: a gru has no projection */
    { "embed 8; lstm 5 project 8; dense 11 tied", 11, true },
    { "embed 8; gru 8; dense 11 tied no-bias", 11, true },
    { "embed 4", 5, true },
    { "gru 5 bidirectional learned-state; dense 3", 4, false },
    { "lstm 4 reverse; elman 3", 4, false },
    { "embed 4; lstm 3 x2 bidirectional; dense 5", 7, false },
};
enum { REFUSED = 18, T = 9, B = 3 };

static void must(laco_status st, const laco_error *e)
{
    if (st) print_error("%s\n", e->msg);
    assert_int_equal(st, LACO_OK);
}
static laco_model *make(const char *text, int64_t inputs)
{
    laco_model *m;
    laco_error e;
    must(laco_model_new(&m, text, inputs, 7, &e), &e);
    /* weights that a default initialiser leaves alike (gains, zeros) differ too */
    for (int64_t i = 0; i < m->net->params; i++)
        ((float *)m->net->w)[i] += (float)(0.3 * rng_uniform(3, RNG_TEST, (uint64_t)i) - 0.15);
    must(laco_model_ready(m, &e), &e);
    return m;
}
static const char *scratch(const char *name)
{
    static char path[300];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/laco-test-%ld-%s", folder && *folder ? folder : "/tmp", (long)getpid(), name);
    return path;
}
/* The bytes of a model's file. */
static void file_of(const laco_model *m, char **bytes, size_t *n)
{
    laco_error e;
    const char *path = scratch("model");
    must(laco_model_save(m, path, &e), &e);
    must(file_read(path, 1 << 30, bytes, n, &e), &e);
    unlink(path);
}
/* [T][B] inputs of a network: symbols or numbers. */
static void *inputs_of(const laco_model *m)
{
    int64_t n = T * B * (m->net->symbols ? 1 : m->net->inputs);
    void *x = test_malloc((size_t)n * 4);
    for (int64_t i = 0; i < n; i++) {
        double u = rng_uniform(11, RNG_TEST, (uint64_t)i);
        if (m->net->symbols)
            ((int32_t *)x)[i] = (int32_t)(u * (double)m->net->inputs);
        else
            ((float *)x)[i] = (float)(2 * u - 1);
    }
    return x;
}
static float *outputs_of_run(const laco_model *m, const int32_t *lengths)
{
    laco_error e;
    void *x = inputs_of(m);
    float *y = test_malloc((size_t)(T * B * m->net->outputs) * 4);
    must(laco_model_run(m, x, lengths, T, B, y, &e), &e);
    test_free(x);
    return y;
}
static void assert_near(const float *a, const float *b, int64_t n, double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - b[i]) <= tolerance)) fail_msg("number %lld: %.9g, %.9g", (long long)i, a[i], b[i]);
}
/* That the bytes are refused with this code and a sentence that holds this word. */
static void refused(const void *bytes, size_t n, laco_status code, const char *word)
{
    laco_model *m = (laco_model *)&watch;
    laco_error e = { .msg = "" };
    laco_status st = model_parse(&m, bytes, n, 1, &e);
    if (st != code || !strstr(e.msg, word)) fail_msg("expected %d with \"%s\", got %d: %s", code, word, st, e.msg);
    assert_null(m);
    assert_int_equal(e.code, code);
}

/* ---- files ---- */
static void round_trip(void **state)
{
    (void)state;
    laco_error e;
    for (size_t i = 0; i < COUNT(networks); i++) {
        if (i == REFUSED) continue;
        laco_model *m = make(networks[i].text, networks[i].inputs), *again;
        const char *path = scratch("trip");
        must(model_set(m, "note", "Grüße \"a\"\n", &e), &e);
        must(laco_model_save(m, path, &e), &e);
        must(laco_model_load(&again, path, &e), &e);
        unlink(path);
        assert_string_equal(laco_model_description(m), networks[i].text);
        assert_string_equal(laco_model_description(again), networks[i].text);
        assert_string_equal(laco_model_metadata(again, "note"), "Grüße \"a\"\n");
        assert_string_equal(laco_model_metadata(again, "format_version"), "1");
        assert_null(laco_model_metadata(again, "nothing"));
        assert_int_equal(laco_model_inputs(again), networks[i].inputs);
        assert_int_equal(laco_model_outputs(again), laco_model_outputs(m));
        assert_int_equal(again->net->params, m->net->params);
        assert_memory_equal(again->net->w, m->net->w, (size_t)m->net->params * sizeof(float));
        assert_int_equal(laco_state_size(again, 1) > 0, networks[i].steps);
        float *y = outputs_of_run(m, NULL), *z = outputs_of_run(again, NULL);
        assert_memory_equal(y, z, (size_t)(T * B * laco_model_outputs(m)) * sizeof(float));
        test_free(y), test_free(z);
        laco_model_free(m), laco_model_free(again);
    }
}

static void save_leaves_the_old_file(void **state)
{
    (void)state;
    laco_error e;
    laco_model *m = make("elman 3; dense 1", 2), *again;
    const char *path = scratch("old");
    must(laco_model_save(m, path, &e), &e);
    ((float *)m->net->w)[2] = NAN;
    assert_int_equal(laco_model_save(m, path, &e), LACO_ENUMERIC);
    assert_non_null(strstr(e.msg, "layers.0.weight_ih"));
    must(laco_model_load(&again, path, &e), &e);
    laco_model_free(again);
    unlink(path);
    assert_int_equal(laco_model_save(m, "/nowhere/at/all", &e), LACO_ENUMERIC);
    ((float *)m->net->w)[2] = 0;
    assert_int_equal(laco_model_save(m, "/nowhere/at/all", &e), LACO_EIO);
    assert_non_null(strstr(e.msg, "/nowhere/at/all"));
    assert_int_equal(laco_model_load(&again, "/nowhere/at/all", &e), LACO_EIO);
    assert_null(again);
    laco_model_free(m);
}

static void overflow_is_not_saved(void **state)
{
    (void)state;
    laco_error e;
    laco_model *m = make("elman 2 linear", 1);
    for (int64_t i = 0; i < m->net->params; i++) ((float *)m->net->w)[i] = 1e30f;
    assert_int_equal(laco_model_save(m, scratch("over"), &e), LACO_ENUMERIC);
    assert_int_equal(access(scratch("over"), F_OK), -1);
    laco_model_free(m);
}

static void cut_anywhere(void **state)
{
    (void)state;
    static const char *const texts[] = { "elman 3; dense 2", "embed 3; gru 2; dense 5" };
    for (size_t i = 0; i < COUNT(texts); i++) {
        laco_model *m = make(texts[i], 5);
        char *bytes;
        size_t n;
        file_of(m, &bytes, &n);
        for (size_t cut = 0; cut < n; cut++) {
            char *exact = malloc(cut ? cut : 1); /* so that a sanitizer sees a read behind the end */
            memcpy(exact, bytes, cut);
            refused(exact, cut, LACO_EFORMAT, " ");
            free(exact);
        }
        mem_free(bytes);
        laco_model_free(m);
    }
}

/* One byte changed: refused with a sentence, or a model that passes its own parity and runs. */
static void one_byte_wrong(void **state)
{
    (void)state;
    static const unsigned char flips[] = { 1, 0x20, 0x40, 0x80, 0xFF };
    laco_model *m = make("elman 3; dense 2", 5), *other;
    char *bytes;
    size_t n;
    int accepted = 0, tried = 0;
    file_of(m, &bytes, &n);
    for (size_t at = 0; at < n; at++)
        for (size_t f = 0; f < COUNT(flips); f++, tried++) {
            laco_error e = { .msg = "" };
            bytes[at] = (char)((unsigned char)bytes[at] ^ flips[f]);
            laco_status st = model_parse(&other, bytes, n, 1, &e);
            bytes[at] = (char)((unsigned char)bytes[at] ^ flips[f]);
            if (st)
                assert_true(e.code == st && e.msg[0] && !other);
            else {
                float *y = outputs_of_run(other, NULL);
                test_free(y);
                laco_model_free(other);
                accepted++;
            }
        }
    if (accepted * 4 > tried) fail_msg("%d of %d damaged files were accepted", accepted, tried);
    /* a flipped top bit of the exponent: every weight of this network counts in its parity */
    size_t weights = (size_t)m->net->params, data = n - (weights + 8 * 5 + 8 * 2) * 4;
    for (size_t i = 0; i < weights; i++) {
        bytes[data + 4 * i + 3] ^= 0x40;
        refused(bytes, n, LACO_EFORMAT, "test in the file");
        bytes[data + 4 * i + 3] ^= 0x40;
    }
    must(model_parse(&other, bytes, n, 1, NULL), &(laco_error){ .msg = "" });
    laco_model_free(other);
    mem_free(bytes);
    laco_model_free(m);
}

/* A file with the pieces of a good one, but for what a case changes. */
typedef struct change {
    const char *key, *value; /* metadata: set; value NULL: left out */
    const char *tensor;      /* left out, or changed by: */
    int what;
    laco_status code;
    const char *word;
} change;
enum { NO_CHANGE, DROP, ADD, RESHAPE, RETYPE, SPOIL_NAN, SPOIL, RERANK };

static void change_tensor(st_tensor *t, size_t *n, const change *c)
{
    static float nan_weights[64], far_weights[64];
    size_t i = 0;
    for (size_t k = 0; k < 64; k++) nan_weights[k] = k == 3 ? NAN : 0, far_weights[k] = 1.5f;
    while (i < *n && strcmp(t[i].name, c->tensor)) i++;
    if (c->what == ADD) {
        t[*n] = t[0], t[(*n)++].name = c->tensor;
        return;
    }
    assert_true(i < *n);
    switch (c->what) {
    case DROP:
        t[i] = t[--*n];
        break;
    case RESHAPE:
        t[i].shape[0]++, t[i].shape[1]--, t[i].bytes = (size_t)st_elements(&t[i]) * 4, t[i].data = far_weights;
        break;
    case RERANK:
        t[i].shape[t[i].rank++] = 1;
        break;
    case RETYPE:
        t[i].dtype = t[i].dtype == ST_U32 ? ST_F32 : ST_U32;
        break;
    case SPOIL_NAN:
        t[i].data = nan_weights;
        break;
    default:
        t[i].data = far_weights;
    }
}
static void changed_file(const char *good, size_t n, const change *c, char **bytes, size_t *size)
{
    safetensors *s;
    laco_error e;
    st_tensor t[32];
    const char *keys[16], *values[16];
    size_t tensors = 0, pairs = 0;
    must(st_parse(&s, good, n, &e), &e);
    while (tensors < st_count(s)) t[tensors] = *st_at(s, tensors), tensors++;
    for (size_t i = 0; i < st_metadata_count(s); i++) {
        st_metadata_at(s, i, &keys[pairs], &values[pairs]);
        if (c->key && !strcmp(keys[pairs], c->key)) values[pairs] = c->value;
        pairs += values[pairs] != NULL;
    }
    if (c->tensor) change_tensor(t, &tensors, c);
    const char *path = scratch("changed");
    must(st_save(path, t, tensors, keys, values, pairs, &e), &e);
    must(file_read(path, 1 << 30, bytes, size, &e), &e);
    unlink(path);
    st_free(s);
}
static void wrong_contents(void **state)
{
    (void)state;
    static const change cases[] = {
        { "format", NULL, NULL, 0, LACO_EFORMAT, "not a model of laco" },
        { "format", "pt", NULL, 0, LACO_EFORMAT, "not a model of laco" },
        { "format_version", NULL, NULL, 0, LACO_EFORMAT, "no \"format_version\"" },
        { "format_version", "2", NULL, 0, LACO_EUNSUPPORTED, "made by a newer laco" },
        { "format_version", "one", NULL, 0, LACO_EFORMAT, "\"one\"" },
        { "format_version", "0", NULL, 0, LACO_EFORMAT, "not a number" },
        { "format_version", "99999999999999999999", NULL, 0, LACO_EFORMAT, "not a number" },
        { "description", NULL, NULL, 0, LACO_EFORMAT, "no \"description\"" },
        { "description", "", NULL, 0, LACO_EFORMAT, "a layer is missing" },
        { "description", "elman 4; elman 3", NULL, 0, LACO_EFORMAT, "layers.1.weight_ih\" that" },
        { "description", "elmo 3; dense 2", NULL, 0, LACO_EFORMAT, "elmo" },
        { "description", "elman 3; dense 3", NULL, 0, LACO_EFORMAT, "layers.0.weight_ih\" has a wrong shape" },
        { "description", "elman 4; dense 2", NULL, 0, LACO_EFORMAT, "ends in 2 numbers, 3 are needed" },
        { "description", "gru 4; dense 3", NULL, 0, LACO_EFORMAT, "layers.0.weight_ih\" has a wrong shape" },
        { "description", "elman 4; elman 4; dense 3", NULL, 0, LACO_EFORMAT, "layers.1.weight_ih\" that" },
        { "description", "elman 4 bidirectional; dense 3", NULL, 0, LACO_EFORMAT, "layers.0.weight_ih" },
        { "description", "elman 4 relu; dense 3", NULL, 0, LACO_EFORMAT, "test in the file" },
        { "inputs", NULL, NULL, 0, LACO_EFORMAT, "no \"inputs\"" },
        { "inputs", "6", NULL, 0, LACO_EFORMAT, "has a wrong shape" },
        { "inputs", "-5", NULL, 0, LACO_EFORMAT, "not a number" },
        { "inputs", "0", NULL, 0, LACO_EFORMAT, "not a number" },
        { "inputs", "", NULL, 0, LACO_EFORMAT, "not a number" },
        { "outputs", "4", NULL, 0, LACO_EFORMAT, "numbers" },
        { NULL, NULL, "layers.1.weight", DROP, LACO_EFORMAT, "\"layers.1.weight\" that its network needs is missing" },
        { NULL, NULL, "parity.input", DROP, LACO_EFORMAT, "parity.input" },
        { NULL, NULL, "parity.output", DROP, LACO_EFORMAT, "parity.output" },
        { NULL, NULL, "layers.1.gain", ADD, LACO_EFORMAT, "has no tensor \"layers.1.gain\"" },
        { NULL, NULL, "layers.1.weight", RESHAPE, LACO_EFORMAT, "\"layers.1.weight\" has a wrong shape" },
        { NULL, NULL, "layers.1.bias", RERANK, LACO_EFORMAT, "\"layers.1.bias\" has a wrong shape" },
        { NULL, NULL, "layers.1.weight", RETYPE, LACO_EFORMAT, "\"layers.1.weight\" has a wrong type" },
        { NULL, NULL, "parity.input", RETYPE, LACO_EFORMAT, "wrong type" },
        { NULL, NULL, "parity.output", RESHAPE, LACO_EFORMAT, "wrong shape" },
        { NULL, NULL, "layers.1.weight", SPOIL_NAN, LACO_ENUMERIC, "\"layers.1.weight\" are not all finite" },
        { NULL, NULL, "parity.output", SPOIL_NAN, LACO_EFORMAT, "test in the file" },
        { NULL, NULL, "parity.input", SPOIL_NAN, LACO_EFORMAT, "not finite" },
        { NULL, NULL, "layers.1.weight", SPOIL, LACO_EFORMAT, "test in the file" },
        { NULL, NULL, "parity.output", SPOIL, LACO_EFORMAT, "test in the file" },
        { NULL, NULL, "parity.input", SPOIL, LACO_EFORMAT, "test in the file" },
    };
    laco_model *m = make("elman 4; dense 3", 5);
    char *good, *bytes;
    size_t n, size;
    file_of(m, &good, &n);
    for (size_t i = 0; i < COUNT(cases); i++) {
        changed_file(good, n, &cases[i], &bytes, &size);
        refused(bytes, size, cases[i].code, cases[i].word);
        mem_free(bytes);
    }
    mem_free(good);
    laco_model_free(m);
}
static void wrong_symbols(void **state)
{
    (void)state;
    laco_model *m = make("embed 3; dense 4", 4);
    char *good, *bytes;
    size_t n, size;
    file_of(m, &good, &n);
    changed_file(good, n, &(change){ .tensor = "parity.input", .what = SPOIL }, &bytes, &size);
    refused(bytes, size, LACO_EFORMAT, "holds the symbol 1069547520 of 4"); /* the bits of 1.5 */
    mem_free(bytes), mem_free(good);
    laco_model_free(m);
}

/* A small file whose description asks for terabytes gets none of them. */
static void gigantic(void **state)
{
    (void)state;
    static const struct {
        const char *description, *inputs, *outputs;
    } cases[] = {
        { "lstm 1048576 x64; dense 3", "5", "3" },
        { "lstm 1048576; dense 3", "16777216", "3" },
        { "gru 1048576 bidirectional learned-state; dense 3", "5", "3" },
        { "lstm 1048576 project 1048576 learned-state x64; dense 3", "5", "3" },
        { "window 4096; dense 3", "16777216", "3" },
        { "embed 1048576; dense 3", "16777216", "3" },
        { "embed 1048576; dense tied", "16777216", "16777216" },
        { "dense 16777216", "5", "16777216" },
        { "elman 4; dense 1048576; dense 3", "5", "3" },
    };
    laco_model *m = make("elman 4; dense 3", 5);
    char *good;
    size_t n;
    file_of(m, &good, &n);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *one, *two, *three;
        size_t n1, n2, n3;
        changed_file(good, n, &(change){ .key = "description", .value = cases[i].description }, &one, &n1);
        changed_file(one, n1, &(change){ .key = "inputs", .value = cases[i].inputs }, &two, &n2);
        changed_file(two, n2, &(change){ .key = "outputs", .value = cases[i].outputs }, &three, &n3);
        watch.largest = 0;
        refused(three, n3, LACO_EFORMAT, "damaged");
        if (watch.largest > 1 << 20) fail_msg("%s: %zu bytes were asked for", cases[i].description, watch.largest);
        mem_free(one), mem_free(two), mem_free(three);
    }
    mem_free(good);
    laco_model_free(m);
}

static void foreign_files(void **state)
{
    (void)state;
    int seen = 0;
    DIR *d = opendir(EDGE);
    assert_non_null(d);
    for (struct dirent *f; (f = readdir(d));) {
        char path[400];
        laco_model *m;
        laco_error e = { .msg = "" };
        if (strncmp(f->d_name, "ok_", 3)) continue;
        snprintf(path, sizeof path, EDGE "%s", f->d_name);
        assert_int_equal(laco_model_load(&m, path, &e), LACO_EFORMAT);
        assert_null(m);
        assert_non_null(strstr(e.msg, f->d_name));
        assert_non_null(strstr(e.msg, "not a model of laco"));
        seen++;
    }
    closedir(d);
    assert_int_equal(seen, 11);
}

/* Memory runs out at every place in turn: an error, nothing lost, and the next try succeeds. */
static laco_status whole_life(const char *path, laco_error *e)
{
    laco_model *m = NULL;
    float x[8] = { 0 }, y[8];
    buf text = { 0 };
    laco_status st = laco_model_new(&m, "elman 3 learned-state; dense 2", 2, 1, e);
    if (!st) st = laco_model_ready(m, e);
    if (!st) st = laco_model_save(m, path, e);
    if (!st) st = laco_model_run(m, x, NULL, 2, 2, y, e);
    if (!st) st = model_set(m, "task", "{\"a\":[1,2]}", e);
    if (!st) st = model_describe(m, 2, 2, true, &text, e);
    buf_free(&text);
    laco_model_free(m);
    m = NULL;
    if (!st) st = laco_model_load(&m, path, e);
    laco_model_free(m);
    return st;
}
static void no_memory(void **state)
{
    (void)state;
    laco_error e;
    int64_t places = 0, lost = 0;
    const char *path = scratch("memory");
    for (;; places++) {
        e.msg[0] = 0;
        watch.calls = 0, watch.fail_at = places, watch.live = 0;
        laco_status st = whole_life(path, &e);
        bool reached = watch.calls > places;
        watch.fail_at = -1;
        if (watch.live) fail_msg("%lld blocks lost when call %lld failed", (long long)watch.live, (long long)places);
        if (!reached) {
            must(st, &e);
            break;
        }
        lost += st == LACO_ENOMEM;
        if (st) assert_int_equal(st, LACO_ENOMEM);
    }
    unlink(path);
    assert_true(places > 50 && lost > places / 2); /* some failures are borne: without a JSON value, for one */
}

/* ---- running ---- */
static void step_is_run(void **state)
{
    (void)state;
    laco_error e;
    for (size_t i = 0; i < COUNT(networks); i++) {
        if (i == REFUSED) continue;
        laco_model *m = make(networks[i].text, networks[i].inputs);
        int64_t in = laco_model_inputs(m), out = laco_model_outputs(m);
        void *x = inputs_of(m);
        float *y = outputs_of_run(m, NULL), *z = test_malloc((size_t)out * 4);
        size_t size = laco_state_size(m, 1);
        assert_int_equal(size % 64, 0);
        void *memory = test_malloc((size ? size : 64) + 64), *at = (char *)memory + (64 - (uintptr_t)memory % 64) % 64;
        if (!networks[i].steps) {
            assert_int_equal(size, 0);
            assert_int_equal(m->net->symbols ? laco_step_symbol(m, at, 0, z, &e) : laco_step(m, at, x, z, &e),
                             LACO_EINVAL);
            assert_non_null(strstr(e.msg, "laco_model_run"));
        }
        for (int b = 0; networks[i].steps && b < B; b++) {
            memset(at, 0xAA, size);
            must(laco_state_init(m, at, size, 1, &e), &e);
            watch.calls = 0;
            for (int64_t t = 0; t < T; t++) {
                int64_t row = t * B + b;
                must(m->net->symbols ? laco_step_symbol(m, at, ((int32_t *)x)[row], z, &e)
                                     : laco_step(m, at, (float *)x + row * in, z, &e),
                     &e);
                assert_near(z, y + row * out, out, 2e-5);
            }
            assert_int_equal(watch.calls, 0);
        }
        test_free(x), test_free(y), test_free(z), test_free(memory);
        laco_model_free(m);
    }
}

/* Rows of any lengths in any order give what each gives alone, and zeros behind their end. */
static void ragged_rows(void **state)
{
    (void)state;
    static const int32_t lengths[][B] = {
        { 9, 9, 9 }, { 2, 9, 5 }, { 0, 3, 0 }, { 0, 0, 0 }, { 1, 4, 4 }, { 4, 0, 7 }
    };
    laco_error e;
    for (size_t i = 0; i < COUNT(networks); i++) {
        if (i == REFUSED) continue;
        laco_model *m = make(networks[i].text, networks[i].inputs);
        int64_t out = laco_model_outputs(m), words = m->net->symbols ? 1 : m->net->inputs;
        float *x = inputs_of(m), *alone = test_malloc((size_t)(T * words) * 4), *z = test_malloc((size_t)(T * out) * 4);
        for (size_t l = 0; l < COUNT(lengths); l++) {
            float *y = outputs_of_run(m, lengths[l]);
            for (int b = 0; b < B; b++) {
                int32_t n = lengths[l][b];
                for (int64_t t = 0; t < n; t++) memcpy(alone + t * words, x + (t * B + b) * words, (size_t)words * 4);
                must(laco_model_run(m, alone, NULL, n, 1, z, &e), &e);
                for (int64_t t = 0; t < T; t++)
                    for (int64_t j = 0; j < out; j++) {
                        float want = t < n ? z[t * out + j] : 0, got = y[(t * B + b) * out + j];
                        if (!(fabsf(want - got) <= (t < n ? 1e-5f : 0)))
                            fail_msg("%s: %g, %g", networks[i].text, want, got);
                    }
            }
            test_free(y);
        }
        test_free(x), test_free(alone), test_free(z);
        laco_model_free(m);
    }
}

typedef struct sharer {
    const laco_model *m;
    float run[2], step[2];
    laco_status st;
} sharer;
static void *share(void *arg)
{
    sharer *s = arg;
    float x[2] = { 0.5f, -0.25f };
    void *state = aligned_alloc(64, laco_state_size(s->m, 1));
    s->st = laco_state_init(s->m, state, laco_state_size(s->m, 1), 1, NULL);
    if (!laco_names("cell")) s->st = LACO_ENOMEM;
    for (int t = 0; !s->st && t < 2; t++) s->st = laco_step(s->m, state, x + t, &s->step[t], NULL);
    if (!s->st) s->st = laco_model_run(s->m, x, NULL, 2, 1, s->run, NULL);
    free(state);
    return NULL;
}
static void threads_share_a_model(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    sharer s[THREADS];
    laco_set_allocator(NULL, NULL); /* the watching one counts without a lock; nothing is held at this moment */
    laco_model *m = make("lstm 8; dense 1", 1);
    for (int i = 0; i < THREADS; i++) {
        s[i] = (sharer){ .m = m };
        assert_int_equal(pthread_create(&thread[i], NULL, share, &s[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(s[i].st, LACO_OK);
        assert_memory_equal(s[i].run, s[0].run, sizeof s[0].run);
        assert_memory_equal(s[i].step, s[0].step, sizeof s[0].step);
        assert_near(s[i].run, s[i].step, 2, 1e-5);
    }
    laco_model_free(m);
}

/* ---- calls ---- */
static void set_by_hand(void **state)
{
    (void)state;
    laco_model *m;
    laco_error e;
    laco_tensor t;
    must(laco_model_new(&m, "elman 1 linear bias-none; dense 1", 2, 0, &e), &e);
    float y, x[][2] = { { 1, 10 }, { 2, 20 }, { 3, 0.5f } };
    _Alignas(64) char memory[8192];
    assert_true(laco_state_size(m, 1) <= sizeof memory);
    must(laco_state_init(m, memory, sizeof memory, 1, &e), &e);
    assert_int_equal(laco_step(m, memory, x[0], &y, &e), LACO_EINVAL);
    assert_non_null(strstr(e.msg, "laco_model_ready"));
    assert_int_equal(laco_model_tensors(m), 4);
    must(laco_model_find(m, "layers.0.weight_ih", &t, &e), &e);
    assert_true(t.rank == 2 && t.shape[0] == 1 && t.shape[1] == 2);
    t.data[0] = 1, t.data[1] = 100;
    must(laco_model_find(m, "layers.0.weight_hh", &t, &e), &e);
    t.data[0] = 1;
    must(laco_model_tensor(m, 2, &t, &e), &e);
    assert_string_equal(t.name, "layers.1.weight");
    t.data[0] = 2;
    must(laco_model_tensor(m, 3, &t, &e), &e);
    assert_string_equal(t.name, "layers.1.bias");
    assert_true(t.rank == 1 && t.shape[0] == 1);
    t.data[0] = -1;
    must(laco_model_ready(m, &e), &e);
    static const float want[] = { 2001, 6005, 6111 };
    for (int i = 0; i < 3; i++) {
        must(laco_step(m, memory, x[i], &y, &e), &e);
        assert_true(y == want[i]);
    }
    must(laco_model_find(m, "layers.1.bias", &t, &e), &e);
    assert_int_equal(laco_step(m, memory, x[0], &y, &e), LACO_EINVAL); /* handed out: it may have been written */
    assert_int_equal(laco_model_find(m, "layers.1.weigth", &t, &e), LACO_EINVAL);
    assert_non_null(strstr(e.msg, "did you mean \"layers.1.weight\""));
    assert_int_equal(laco_model_tensor(m, 4, &t, &e), LACO_EINVAL);
    assert_int_equal(laco_model_tensor(m, -1, &t, &e), LACO_EINVAL);
    laco_model_free(m);
}

static void wrong_calls(void **state)
{
    (void)state;
    laco_model *m, *s;
    laco_error e;
    float x[4] = { 0 }, y[40];
    int32_t symbols[] = { 0, 1, 2, 9 }, lengths[] = { 1, 5 };
    _Alignas(64) char memory[16384];
    assert_int_equal(laco_model_new(&m, "embed 3; gru 3 project 2; dense", 9, 1, &e), LACO_EINVAL);
    assert_int_equal(laco_model_new(&m, "elman 3; dense", 9, 1, &e), LACO_EINVAL);
    assert_non_null(strstr(e.msg, "needs a size"));
    assert_int_equal(laco_model_new(&m, "elman 3", 0, 1, &e), LACO_EINVAL);
    assert_int_equal(laco_model_new(&m, "elman 3", (int64_t)1 << 62, 1, &e), LACO_EINVAL);
    assert_int_equal(laco_model_new(&m, networks[REFUSED].text, 11, 1, &e), LACO_EINVAL);
    assert_int_equal(laco_model_new(&m, NULL, 1, 1, &e), LACO_EINVAL);
    assert_null(m);
    assert_int_equal(laco_model_new(NULL, "elman 3", 1, 1, NULL), LACO_EINVAL);
    m = make("elman 3; dense 2", 2), s = make("embed 3; dense", 9);
    assert_int_equal(laco_model_outputs(s), 9);
    assert_true(laco_state_size(m, 1) < sizeof memory && laco_state_size(s, 1) < sizeof memory);
    must(laco_state_init(s, memory, sizeof memory, 1, &e), &e);
    assert_int_equal(laco_step(s, memory, x, y, &e), LACO_EINVAL);
    assert_non_null(strstr(e.msg, "laco_step_symbol"));
    assert_int_equal(laco_step_symbol(s, memory, 9, y, &e), LACO_EINVAL);
    assert_int_equal(laco_step_symbol(s, memory, -1, y, &e), LACO_EINVAL);
    assert_int_equal(laco_step(m, memory, x, y, &e), LACO_EINVAL);
    assert_non_null(strstr(e.msg, "not one of this model"));
    must(laco_state_init(m, memory, sizeof memory, 1, &e), &e);
    assert_int_equal(laco_step_symbol(m, memory, 0, y, &e), LACO_EINVAL);
    assert_int_equal(laco_step(m, memory + 4, x, y, &e), LACO_EINVAL);
    assert_int_equal(laco_step(NULL, memory, x, y, &e), LACO_EINVAL);
    assert_int_equal(laco_step(m, memory, NULL, y, NULL), LACO_EINVAL);
    assert_int_equal(laco_model_run(m, x, lengths, 1, 2, y, &e), LACO_EINVAL);
    assert_int_equal(e.at, 1);
    lengths[0] = -1;
    assert_int_equal(laco_model_run(m, x, lengths, 1, 2, y, &e), LACO_EINVAL);
    assert_int_equal(laco_model_run(m, x, NULL, -1, 2, y, &e), LACO_EINVAL);
    assert_int_equal(laco_model_run(m, x, NULL, INT64_MAX, 2, y, &e), LACO_EINVAL);
    assert_int_equal(laco_model_run(m, x, NULL, 1, 1, NULL, &e), LACO_EINVAL);
    assert_int_equal(laco_model_run(s, symbols, NULL, 2, 2, y, &e), LACO_EINVAL);
    assert_int_equal(e.at, 3);
    assert_non_null(strstr(e.msg, "symbol 9 at step 1 of row 1"));
    assert_int_equal(laco_model_run(s, symbols, NULL, 0, 2, y, &e), LACO_OK);
    assert_int_equal(laco_model_save(NULL, "x", &e), LACO_EINVAL);
    assert_int_equal(laco_model_save(m, NULL, &e), LACO_EINVAL);
    assert_int_equal(laco_model_load(&(laco_model *){ NULL }, NULL, &e), LACO_EINVAL);
    laco_model_free(m), laco_model_free(s), laco_model_free(NULL);
}

static void described(void **state)
{
    (void)state;
    laco_error e;
    buf text = { 0 }, js = { 0 };
    json_doc *doc;
    laco_model *m = make("embed 4; lstm 5 x2; dense 7", 7);
    must(model_set(m, "task", "lm\033[2J", &e), &e);
    must(model_set(m, "vocabulary", "{\"unit\":\"char\",\"symbols\":[\"a\",\"b\",\"c\"]}", &e), &e);
    must(model_describe(m, 3, 10, false, &text, &e), &e);
    static const char *const lines[] = {
        "embed 4; lstm 5 x2; dense 7\n", "one of 7 symbols in, 7 numbers out", "\n 2  lstm 5 ",     "\n 4  dense 7",
        "unit char, symbols 3\n",        "task              lm [2J\n",         "3 rows of 10 steps"
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        if (!strstr(text.data, lines[i])) fail_msg("\"%s\" is not in:\n%s", lines[i], text.data);
    must(model_describe(m, 3, 10, true, &js, &e), &e);
    must(json_parse(&doc, js.data, js.len, &e), &e);
    const json *root = json_root(doc), *layers = json_get(root, "layers");
    static const int64_t parameters[] = { 28, 4 * 5 * (4 + 5 + 2), 4 * 5 * (5 + 5 + 2), 42 },
                         work[] = { 0, 180, 200, 35 };
    assert_int_equal(layers->len, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(json_get(&layers->item[i], "parameters")->i, parameters[i]);
        assert_int_equal(json_get(&layers->item[i], "multiply_adds")->i, work[i]);
    }
    assert_int_equal(json_get(root, "parameters")->i, 530);
    assert_int_equal(json_get(root, "weight_bytes_per_step")->i, (530 - 28 + 4) * 4);
    assert_int_equal(json_get(root, "state_bytes")->i, laco_state_size(m, 1));
    assert_true(json_get(json_get(root, "training"), "bytes")->i > 530 * 16);
    assert_int_equal(json_get(json_get(json_get(root, "metadata"), "vocabulary"), "symbols")->i, 3);
    assert_null(json_get(json_get(root, "metadata"), "format"));
    assert_int_equal(model_describe(m, 0, 10, true, &js, &e), LACO_EINVAL);
    assert_int_equal(model_describe(m, INT64_MAX, 10, true, &js, &e), LACO_EINVAL);
    json_free(doc), buf_free(&text), buf_free(&js);
    laco_model_free(m);
}

static void names(void **state)
{
    (void)state;
    static const char *const kinds[] = { "cell",     "variant",     "layer", "loss",   "optimizer",
                                         "schedule", "initializer", "task",  "command" };
    static const char *const known[] = { "gru",    "lstm peephole", "dense", "cross-entropy", "adam",
                                         "cosine", "orthogonal",    "copy",  "train lm" };
    assert_string_equal(laco_version(), "0.1.0");
    assert_int_equal(strncmp(laco_build_info(), "isa: ", 5), 0);
    assert_non_null(strstr(laco_build_info(), "(built: "));
    assert_non_null(strstr(laco_build_info(), "zlib: "));
    assert_ptr_equal(laco_build_info(), laco_build_info());
    for (size_t k = 0; k < COUNT(kinds); k++) {
        const char *const *all = laco_names(kinds[k]);
        bool found = false;
        assert_non_null(all);
        for (; *all; all++) {
            const char *about = laco_describe(kinds[k], *all);
            if (!about || !*about || strchr(about, '\n')) fail_msg("%s %s has no line", kinds[k], *all);
            found |= !strcmp(*all, known[k]);
        }
        if (!found) fail_msg("%s is not among the names of %s", known[k], kinds[k]);
    }
    assert_null(laco_names("cells"));
    assert_null(laco_names(NULL));
    assert_null(laco_describe("cell", "adam"));
    assert_null(laco_describe(NULL, "adam"));
}

/* ---- the stored model ---- */
static const char golden_text[] = "window 2; lstm 3 peephole; gru 4 bidirectional; dense 2 tanh";
static const float golden_outputs[] = {
    0.671467662, -0.711961329,
    0.699033439, -0.70956552,
    0.691341579, -0.721483767,
    0.702175796, -0.759474576,
    0.719561577, -0.766079068,
    0,           0,
    0.689482808, -0.776232123,
    0.687793493, -0.76292336,
    0,           0,
    0.645650208, -0.766946375,
    0.675303817, -0.774553835,
    0,           0,
    0.624313891, -0.760456741,
    0,           0,
    0,           0,
    0.620244324, -0.759189367,
    0,           0,
    0,           0,
    0.638735235, -0.756213248,
    0,           0,
    0,           0,
    0.676376998, -0.76607424,
    0,           0,
    0,           0,
    0.660599768, -0.768572271,
    0,           0,
    0,           0,
};
static void golden(void **state)
{
    (void)state;
    laco_model *m;
    laco_error e;
    must(laco_model_load(&m, GOLDEN, &e), &e);
    assert_string_equal(laco_model_description(m), golden_text);
    assert_string_equal(laco_model_metadata(m, "task"), "none");
    assert_int_equal(laco_model_inputs(m), 3);
    float *y = outputs_of_run(m, (const int32_t[]){ 9, 4, 1 });
    assert_int_equal(COUNT(golden_outputs), T * B * 2);
    assert_near(y, golden_outputs, T * B * 2, 2e-6);
    test_free(y);
    laco_model_free(m);
}
static int make_golden(void)
{
    laco_error e;
    laco_model *m = make(golden_text, 3);
    for (int64_t i = 0; i < m->net->params; i++) ((float *)m->net->w)[i] *= 2;
    must(model_set(m, "task", "none", &e), &e);
    must(model_ready(m, &e), &e);
    must(laco_model_save(m, GOLDEN, &e), &e);
    float *y = outputs_of_run(m, (const int32_t[]){ 9, 4, 1 });
    for (int i = 0; i < T * B * 2; i++) printf("%s%.9g,%s", i % 6 ? " " : "    ", y[i], i % 6 == 5 ? "\n" : "");
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(save_leaves_the_old_file),
        cmocka_unit_test(overflow_is_not_saved),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(one_byte_wrong),
        cmocka_unit_test(wrong_contents),
        cmocka_unit_test(wrong_symbols),
        cmocka_unit_test(gigantic),
        cmocka_unit_test(foreign_files),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(step_is_run),
        cmocka_unit_test(ragged_rows),
        cmocka_unit_test(set_by_hand),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(described),
        cmocka_unit_test(golden),
        cmocka_unit_test(threads_share_a_model),
        cmocka_unit_test(names),
    };
    if (argc > 1 && !strcmp(argv[1], "make-golden")) return make_golden();
    laco_set_allocator(watched_resize, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
