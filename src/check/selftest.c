#include "check/selftest.h"
#include "base/pool.h"
#include "check/golden.h"
#include "check/gradient.h"
#include <dirent.h>
#include <stdio.h>

typedef struct selftest {
    const kernels *k[2]; /* double, float */
    pool *pool;
    void (*line)(void *ctx, const char *text);
    void *ctx;
    const volatile int *stop;
    int *counts;
    laco_error *err;
} selftest;
enum { PASSED, FAILED, SKIPPED };

static void say(const selftest *s, const char *what, const char *name, const char *real, const char *reason)
{
    char text[800];
    snprintf(text, sizeof text, "%s: %.200s%s%s: %.500s", what, name, *real ? ", " : "", real, reason);
    if (s->line) s->line(s->ctx, text);
}
static bool stopped(const selftest *s) { return s->stop && *s->stop; }

/* ---- golden cases ---- */
static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static bool is_case(const char *name)
{
    size_t n = strlen(name), ending = strlen(".safetensors");
    return n > ending && !strcmp(name + n - ending, ".safetensors");
}
static void free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++) mem_free(names[i]);
    mem_free(names);
}
static laco_status list_cases(const char *dir, char ***out, size_t *n, laco_error *err)
{
    DIR *d = opendir(dir);
    size_t cap = 0;
    char **names = NULL;
    *n = 0;
    if (!d) return fail(err, LACO_EIO, -1, "%s: this folder cannot be read; give one with .safetensors files", dir);
    for (struct dirent *e; (e = readdir(d));) {
        if (!is_case(e->d_name)) continue;
        if (*n == cap) {
            char **more = mem_resize(names, cap * sizeof *names, (2 * cap + 64) * sizeof *names);
            if (!more) break;
            names = more, cap = 2 * cap + 64;
        }
        if (!(names[*n] = mem_text(e->d_name, strlen(e->d_name)))) break;
        ++*n;
    }
    bool whole = !readdir(d);
    closedir(d);
    if (!whole) return free_names(names, *n), fail_memory(err, cap * sizeof *names);
    if (*n) qsort(names, *n, sizeof *names, by_name);
    *out = names;
    return LACO_OK;
}
static void run_case(selftest *s, const char *dir, const char *name)
{
    static const char *const real[] = { "double", "float" };
    char path[4096], reason[500];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path) {
        s->counts[FAILED]++, say(s, "failed", name, "", "its path is too long");
        return;
    }
    for (int i = 0; i < 2; i++) {
        golden_result r = golden_run(path, s->k[i], s->pool, reason, sizeof reason);
        s->counts[r == GOLDEN_PASSED ? PASSED : r == GOLDEN_FAILED ? FAILED : SKIPPED]++;
        if (r == GOLDEN_FAILED) say(s, "failed", name, real[i], reason);
        if (r == GOLDEN_SKIPPED) {
            say(s, "skipped", name, "", reason);
            return;
        }
    }
}
static laco_status run_folder(selftest *s, const char *dir)
{
    char **names = NULL;
    size_t n = 0;
    laco_status st = list_cases(dir, &names, &n, s->err);
    if (st) return st;
    if (!n) st = fail(s->err, LACO_EINVAL, -1, "%s: this folder has no .safetensors file", dir);
    for (size_t i = 0; i < n && !stopped(s); i++) run_case(s, dir, names[i]);
    free_names(names, n);
    return st;
}

/* ---- gradients of every cell, with each of its words, and with each regulariser ---- */
enum { STEPS = 3, ROWS = 3, UNITS = 5, INPUTS = 3 };
typedef struct regulariser {
    const char *word;
    layer_spec spec;
} regulariser;
static const regulariser regularisers[] = {
    { "variational", { .cell.variational = 0.4 } },
    { "recurrent-dropout", { .cell.recurrent_dropout = 0.4 } },
    { "zoneout", { .cell.zoneout = { 0.4, 0.4 } } },
    { "activation-reg", { .activation_reg = 0.5 } },
    { "temporal-reg", { .temporal_reg = 0.5 } },
};
enum { REGULARISERS = sizeof regularisers / sizeof *regularisers };
static laco_status check_cell(selftest *s, const cell_info *c, const cell_word *w, const regulariser *r)
{
    static const int64_t lengths[ROWS] = { 2, 0, STEPS };
    layer_spec spec = r ? r->spec : (layer_spec){ 0 };
    spec.kind = "recurrent", spec.cell.cell = c->name, spec.cell.hidden = UNITS, spec.cell.biases = -1;
    spec.cell.words = w ? w->bit : 0;
    const char *word = w ? w->word : r ? r->word : "";
    gradient_worst worst;
    stack net;
    char name[128], reason[200];
    laco_status st = stack_describe(&net, s->k[0], &spec, 1, INPUTS, s->err);
    if (!st) st = stack_make(&net, s->pool, STEPS, ROWS, lengths, s->err);
    if (!st) {
        gradient_fill(&net, 1);
        gradient_check(&net, &worst);
        s->counts[worst.error <= 1 ? PASSED : FAILED]++;
        snprintf(name, sizeof name, "%s%s%s", c->name, *word ? " " : "", word);
        snprintf(reason, sizeof reason, "gradient of %s[%lld] is %.17g, by differences %.17g", worst.name,
                 (long long)worst.index, worst.made, worst.difference);
        if (!(worst.error <= 1)) say(s, "failed", name, "double", reason);
    }
    stack_free(&net);
    return st;
}
static laco_status run_cells(selftest *s)
{
    laco_status st = LACO_OK;
    for (int i = 0; !st && s->k[0]->recur->cell(i); i++) {
        const cell_info *c = s->k[0]->recur->cell(i);
        st = check_cell(s, c, NULL, NULL);
        for (const cell_word *w = c->words; !st && !stopped(s) && w && w->word; w++) st = check_cell(s, c, w, NULL);
        for (int k = 0; !st && !stopped(s) && k < REGULARISERS; k++) st = check_cell(s, c, NULL, &regularisers[k]);
    }
    return st;
}

laco_status selftest_run(const char *golden_dir, int threads, void (*line)(void *ctx, const char *text), void *ctx,
                         const volatile int *stop, int counts[3], laco_error *err)
{
    selftest s = { .line = line, .ctx = ctx, .stop = stop, .counts = counts, .err = err };
    counts[PASSED] = counts[FAILED] = counts[SKIPPED] = 0;
    laco_status st = kernels_choose(&s.k[0], REAL_DOUBLE, err);
    if (!st) st = kernels_choose(&s.k[1], REAL_FLOAT, err);
    if (!st) st = pool_new(&s.pool, threads, err);
    if (!st) st = golden_dir ? run_folder(&s, golden_dir) : run_cells(&s);
    pool_free(s.pool);
    if (!st && stopped(&s)) return fail(err, LACO_ESTOPPED, -1, "the self test was stopped before its end");
    return st;
}
