/* The golden cases of conditional random fields: tensors are time first, sequences in any order of their lengths; loss
   = sum of log_partition - gold_score, with its gradients; marginals, and the best path with its score. */
#include "check/golden_crf.h"
#include "check/golden_fetch.h"
#include "loss/crf.h"
#include <math.h>
#include <stdio.h>

typedef struct chain_case {
    safetensors *file;
    const kernels *k;
    pool *pool;
    laco_error *err;
    int64_t T, B, K, R;
    int64_t *length, *order, *active, *off; /* order: sequence of the sorted batch -> sequence as given */
    int32_t *class, *path;
    void *emission, *de, *params, *dparams;
    double *loss, *score, *marginal;
    ragged b;
} chain_case;

bool golden_is_crf(const safetensors *file) { return st_find(file, "transitions") && st_find(file, "emissions"); }

static void put(const chain_case *g, void *to, int64_t i, double x)
{
    if (g->k->real_size == 4)
        ((float *)to)[i] = (float)x;
    else
        ((double *)to)[i] = x;
}
static double number(const chain_case *g, const void *from, int64_t i)
{
    return g->k->real_size == 4 ? (double)((const float *)from)[i] : ((const double *)from)[i];
}
/* A tensor of n numbers; NULL with the reason in err. */

/* ---- in ---- */
static laco_status read_sizes(chain_case *g)
{
    const st_tensor *e = st_find(g->file, "emissions"), *n = st_find(g->file, "lengths");
    if (e->rank != 3 || !n || n->rank != 1 || n->shape[0] != e->shape[1] || !st_elements(e) || e->shape[2] > 1 << 10)
        return fail(g->err, LACO_EFORMAT, -1, "\"emissions\" must be [T][B][K] and \"lengths\" [B]");
    g->T = e->shape[0], g->B = e->shape[1], g->K = e->shape[2];
    return LACO_OK;
}
static laco_status take_memory(chain_case *g)
{
    size_t rows = (size_t)(g->T * g->B), real = (size_t)g->k->real_size, K = (size_t)g->K, B = (size_t)g->B;
    bool ok = (g->length = mem_new(B, sizeof *g->length)) && (g->order = mem_new(B, sizeof *g->order));
    ok = ok && (g->active = mem_new((size_t)g->T, sizeof *g->active)) && (g->off = mem_new((size_t)g->T + 1, 8));
    ok = ok && (g->class = mem_new(rows, sizeof *g->class)) && (g->path = mem_new(rows, sizeof *g->path));
    ok = ok && (g->emission = mem_new(rows * K, real)) && (g->de = mem_new(rows * K, real));
    ok = ok && (g->params = mem_new(CRF_NUMBERS(K), real)) && (g->dparams = mem_new(CRF_NUMBERS(K), real));
    ok = ok && (g->loss = mem_new(B, sizeof *g->loss)) && (g->score = mem_new(B, sizeof *g->score));
    ok = ok && (g->marginal = mem_new(rows * K, sizeof *g->marginal));
    return ok ? LACO_OK : fail_memory(g->err, rows * K * 8);
}
static void free_case(chain_case *g)
{
    void *all[] = { g->length, g->order,  g->active,  g->off,  g->class, g->path,    g->emission,
                    g->de,     g->params, g->dparams, g->loss, g->score, g->marginal };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
}
/* Longest first; equal ones keep their order. */
static laco_status sort_rows(chain_case *g)
{
    laco_status st = st_to_i64(st_find(g->file, "lengths"), g->length, g->B, g->err);
    int64_t n = 0;
    for (int64_t b = 0; !st && b < g->B; b++)
        if (g->length[b] < 0 || g->length[b] > g->T)
            st = fail(g->err, LACO_EFORMAT, -1, "lengths[%lld] is not from 0 to %lld", (long long)b, (long long)g->T);
    for (int64_t T = g->T; !st && T >= 0; T--)
        for (int64_t b = 0; b < g->B; b++)
            if (g->length[b] == T) g->order[n++] = b;
    for (int64_t t = 0; !st && t < g->T; t++) {
        for (int64_t b = 0; b < g->B; b++) g->active[t] += g->length[b] > t;
        g->off[t + 1] = g->off[t] + g->active[t];
    }
    g->R = g->off[g->T], g->b = (ragged){ g->T, g->B, g->R, g->active, g->off };
    return st;
}
/* The row of the sorted batch for step t of sequence b as given; -1: it is past the end. */
static int64_t row_of(const chain_case *g, int64_t t, int64_t b)
{
    int64_t at = 0;
    while (g->order[at] != b) at++;
    return at < g->active[t] ? g->off[t] + at : -1;
}
static laco_status read_case(chain_case *g)
{
    static const char *const names[] = { "transitions", "start_transitions", "end_transitions" };
    int64_t at = 0;
    for (int i = 0; i < 3; i++) {
        int64_t n = i ? g->K : g->K * g->K;
        double *x = golden_fetch(g->file, names[i], n, g->err);
        if (!x) return LACO_EFORMAT;
        for (int64_t k = 0; k < n; k++) put(g, g->params, at++, x[k]);
        mem_free(x);
    }
    double *e = golden_fetch(g->file, "emissions", g->T * g->B * g->K, g->err),
           *tag = golden_fetch(g->file, "tags", g->T * g->B, g->err);
    laco_status st = e && tag ? LACO_OK : LACO_EFORMAT;
    for (int64_t i = 0; !st && i < g->T * g->B; i++) {
        int64_t r = row_of(g, i / g->B, i % g->B);
        if (r < 0) continue;
        for (int64_t k = 0; k < g->K; k++) put(g, g->emission, r * g->K + k, e[i * g->K + k]);
        if (!(tag[i] >= 0 && tag[i] < (double)g->K))
            st = fail(g->err, LACO_EFORMAT, -1, "tags[%lld] is no class", (long long)i);
        else
            g->class[r] = (int32_t)tag[i];
    }
    mem_free(e), mem_free(tag);
    return st;
}

/* ---- comparing ---- */
/* made(i) in the order of the file; past the end of a sequence nothing is compared. */
static const double past_end = -1e300;
typedef double made_fn(const chain_case *g, int64_t i);
static int64_t row_number(const chain_case *g, int64_t i,
                          int64_t width) /* place of [t][b][k] in [R][width]; -1: none */
{
    int64_t r = row_of(g, i / width / g->B, i / width % g->B);
    return r < 0 ? -1 : r * width + i % width;
}
static double sorted(const chain_case *g, const double *by_row, int64_t b)
{
    int64_t at = 0;
    while (g->order[at] != b) at++;
    return by_row[at];
}
static double step_number(const chain_case *g, const void *rows, int64_t i)
{
    int64_t at = row_number(g, i, g->K);
    return at < 0 ? past_end : number(g, rows, at);
}
static double made_loss(const chain_case *g, int64_t b) { return sorted(g, g->loss, b); }
static double made_likelihood(const chain_case *g, int64_t b) { return -sorted(g, g->loss, b); }
static double made_score(const chain_case *g, int64_t b) { return sorted(g, g->score, b); }
static double made_path(const chain_case *g, int64_t i)
{
    int64_t at = row_number(g, i, 1);
    return at < 0 ? past_end : g->path[at];
}
static double made_marginal(const chain_case *g, int64_t i)
{
    int64_t at = row_number(g, i, g->K);
    return at < 0 ? past_end : g->marginal[at];
}
static double made_emissions(const chain_case *g, int64_t i) { return step_number(g, g->de, i); }
static double made_transitions(const chain_case *g, int64_t i) { return number(g, g->dparams, i); }
static double made_start(const chain_case *g, int64_t i) { return number(g, g->dparams, g->K * g->K + i); }
static double made_end(const chain_case *g, int64_t i) { return number(g, g->dparams, g->K * (g->K + 1) + i); }

static laco_status same(const chain_case *g, const char *name, int64_t n, made_fn *made, double in_double)
{
    double *want = golden_fetch(g->file, name, n, g->err), most = 1,
           tolerance = g->k->real_size == 4 ? 1e-5 : in_double;
    laco_status st = want ? LACO_OK : LACO_EFORMAT;
    for (int64_t i = 0; !st && i < n; i++) most = fmax(most, fabs(want[i]));
    for (int64_t i = 0; !st && i < n; i++) {
        double x = made(g, i);
        if (x != past_end && !(fabs(x - want[i]) <= tolerance * most))
            st = fail(g->err, LACO_ENUMERIC, -1, "%s[%lld] is %.17g, not %.17g", name, (long long)i, x, want[i]);
    }
    mem_free(want);
    return st;
}
static laco_status same_gradient(const chain_case *g, const char *name, int64_t n, made_fn *made)
{
    char exact[64], differences[64];
    snprintf(exact, sizeof exact, "grad.%s", name), snprintf(differences, sizeof differences, "gradfd.%s", name);
    laco_status st = same(g, exact, n, made, 1e-11);
    return st || !st_find(g->file, differences) ? st : same(g, differences, n, made, 1e-7);
}
static laco_status compare_case(chain_case *g)
{
    const crf_ops *ops = g->k->crf;
    crf *c;
    crf_rows q = { .b = &g->b,
                   .emission = g->emission,
                   .lde = g->K,
                   .params = g->params,
                   .class = g->class,
                   .scale = 1,
                   .de = g->de,
                   .ldde = g->K,
                   .dparams = g->dparams,
                   .loss = g->loss,
                   .marginal = g->marginal };
    int64_t steps = g->T * g->B;
    laco_status st = ops->make(&c, g->K, max64(1, g->R), g->pool, g->err);
    if (st) return st;
    ops->run(c, &q), ops->best(c, &q, g->path, g->score);
    ops->free(c);
    st = same(g, "log_likelihood", g->B, made_likelihood, 1e-12);
    if (!st) st = same(g, "marginals", steps * g->K, made_marginal, 1e-12);
    if (!st) st = same(g, "viterbi_path", steps, made_path, 0);
    if (!st) st = same(g, "viterbi_score", g->B, made_score, 1e-12);
    if (!st) st = same_gradient(g, "emissions", steps * g->K, made_emissions);
    if (!st) st = same_gradient(g, "transitions", g->K * g->K, made_transitions);
    if (!st) st = same_gradient(g, "start_transitions", g->K, made_start);
    if (!st) st = same_gradient(g, "end_transitions", g->K, made_end);
    if (st) return st;
    q.class = NULL, q.de = NULL, q.dparams = NULL; /* the loss is now log Z */
    if ((st = ops->make(&c, g->K, max64(1, g->R), g->pool, g->err))) return st;
    ops->run(c, &q), ops->free(c);
    return same(g, "log_partition", g->B, made_loss, 1e-12);
}

laco_status golden_crf(safetensors *file, const kernels *k, pool *p, laco_error *err)
{
    chain_case g = { .file = file, .k = k, .pool = p, .err = err };
    laco_status st = read_sizes(&g);
    if (!st) st = take_memory(&g);
    if (!st) st = sort_rows(&g);
    if (!st) st = read_case(&g);
    if (!st) st = compare_case(&g);
    free_case(&g);
    return st;
}
