/* Metadata names the network; tensors are time first, rows in any order of their lengths, gradients exact (grad.*) or
   by differences (gradfd.*), of loss = sum(output * loss_weight.output) + the same of hn and cn.
   LSTM variants always store the four blocks i, f, g, o; blocks that the variant does not have get gradient 0. */
#include "check/golden.h"
#include "check/golden_crf.h"
#include "check/golden_esn.h"
#include "check/golden_fetch.h"
#include "check/stack.h"
#include "format/safetensors.h"
#include <math.h>
#include <stdio.h>

/* ---- what the metadata says ---- */
typedef struct golden_kind {
    const char *key, *value; /* of the metadata */
    const char *cell, *words;
    const char *gates;       /* LSTM variants: the blocks used */
} golden_kind;
static const golden_kind kinds[] = {
    { "kind", "RNN_TANH", "elman", "", NULL },
    { "kind", "RNN_RELU", "elman", "relu", NULL },
    { "kind", "LSTM", "lstm", "", NULL },
    { "kind", "GRU", "gru", "", NULL },
    { "variant", "V", "lstm", "", "ifgo" },
    { "variant", "NP", "lstm", "", "ifgo" },
    { "variant", "CIFG", "lstm", "coupled", "igo" },
    { "variant", "NIG", "lstm", "no-input-gate", "fgo" },
    { "variant", "NFG", "lstm", "no-forget", "igo" },
    { "variant", "NOG", "lstm", "no-output-gate", "ifg" },
    { "variant", "NIAF", "lstm", "linear-input", "ifgo" },
    { "variant", "NOAF", "lstm", "linear-output", "ifgo" },
    { "variant", "FGR", "lstm", "gate-recurrence", "ifgo" },
    { "variant", "reset_before", "gru-before", "", NULL },
    { "variant", "reset_after", "gru", "", NULL },
    { "norm_scope", "stacked_4H", "lstm", "norm", "ifgo" },
    { "norm_scope", "per_gate", "lstm", "norm-gates", "ifgo" },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct golden {
    safetensors *file;
    const golden_kind *kind;
    const kernels *k;
    stack s;
    int64_t inputs, hidden, project, layers, T, B;
    bool torch, bidirectional, peephole;
    int biases;
    laco_error *err;
} golden;

static const golden_kind *find_kind(const safetensors *file)
{
    for (int i = 0; i < KINDS; i++) {
        const char *value = st_metadata(file, kinds[i].key);
        if (value && !strcmp(value, kinds[i].value)) return &kinds[i];
    }
    return NULL;
}
static laco_status take_int(const golden *g, const char *key, int64_t low, int64_t high, int64_t fallback, int64_t *out)
{
    const char *text = st_metadata(g->file, key);
    char *end = NULL;
    *out = fallback;
    if (!text && fallback >= 0) return LACO_OK;
    if (!text) return fail(g->err, LACO_EFORMAT, -1, "the metadata lacks \"%s\"", key);
    long long x = strtoll(text, &end, 10);
    if (end == text || *end || x < low || x > high)
        return fail(g->err, LACO_EFORMAT, -1, "\"%s\" of the metadata is \"%.20s\", not a number from %lld to %lld",
                    key, text, (long long)low, (long long)high);
    *out = x;
    return LACO_OK;
}
static laco_status read_sizes(golden *g)
{
    const struct {
        const char *key;
        int64_t low, high, fallback, *to;
    } rows[] = {
        { "input_size", 1, 1 << 16, -1, &g->inputs }, { "hidden_size", 1, 1 << 16, -1, &g->hidden },
        { "proj_size", 0, 1 << 16, 0, &g->project }, { "num_layers", 1, STACK_LAYERS, 1, &g->layers },
        { "seq_len", 1, 1 << 20, -1, &g->T }, { "batch", 1, 1 << 20, -1, &g->B },
    };
    laco_status st = LACO_OK;
    int64_t flag = 0;
    for (size_t i = 0; !st && i < sizeof rows / sizeof *rows; i++)
        st = take_int(g, rows[i].key, rows[i].low, rows[i].high, rows[i].fallback, rows[i].to);
    if (!st) st = take_int(g, "bidirectional", 0, 1, 0, &flag), g->bidirectional = flag;
    if (!st) st = take_int(g, "peepholes", 0, 1, 0, &flag), g->peephole = flag;
    if (!st) st = take_int(g, "bias", 0, 1, 1, &flag);
    g->torch = !strcmp(g->kind->key, "kind");
    g->biases = !flag ? 0 : st_find(g->file, "bias") ? 1 : 2;
    return st;
}

/* ---- tensors ---- */
/* Straight into an array of the stack. */
static bool fetch_into(const golden *g, const char *name, double *to, int64_t n)
{
    double *x = golden_fetch(g->file, name, n, g->err);
    if (x) memcpy(to, x, (size_t)n * sizeof *x);
    mem_free(x);
    return x;
}

/* The golden name of a tensor of layer l: weight_ih_reverse is weight_ih_l0_reverse there, or plain weight_ih. */
static void golden_name(const golden *g, const char *ours, int l, char name[96])
{
    const char *reverse = strstr(ours, "_reverse");
    int n = reverse ? (int)(reverse - ours) : (int)strlen(ours);
    if (g->torch) snprintf(name, 96, "%.*s_l%d%s", n, ours, l, reverse ? reverse : "");
    else snprintf(name, 96, "%s", g->biases == 1 && !strcmp(ours, "bias_ih") ? "bias" : ours);
}
/* The blocks of a golden tensor, and those of ours among them; NULL: stored alike. */
static const char *golden_blocks(const golden *g, const char *ours)
{
    if (!g->kind->gates || !strncmp(ours, "ln_c", 4) || !strcmp(ours, "weight_gate_recurrent")) return NULL;
    return !strcmp(ours, "peephole") ? "ifo" : "ifgo";
}
/* How many numbers tensor t has in the file. */
static int64_t golden_size(const golden *g, const param_tensor *t)
{
    const char *all = golden_blocks(g, t->name);
    int64_t have = 0;
    for (const char *c = all; c && *c; c++) have += strchr(g->kind->gates, *c) != NULL;
    return all ? t->size / have * (int64_t)strlen(all) : t->size;
}
/* Between our tensor and the file's; blocks that we lack become 0 on the way out. */
static void move_blocks(const golden *g, const param_tensor *t, double *ours, double *theirs, bool in)
{
    const char *all = golden_blocks(g, t->name);
    int64_t total = golden_size(g, t), block = all ? total / (int64_t)strlen(all) : total;
    if (!in) memset(theirs, 0, (size_t)total * sizeof *theirs);
    for (const char *c = all ? all : "*"; *c; c++, theirs += block) {
        if (all && !strchr(g->kind->gates, *c)) continue;
        memcpy(in ? ours : theirs, in ? theirs : ours, (size_t)block * sizeof *ours);
        ours += block;
    }
}

/* Between a state of all layers ([layer][direction][B][width]) and the stack's; member: offset of s0, sn, dsn or ds0.
 */
typedef double *state_of(stack_layer *q);
static double *s0_of(stack_layer *q) { return q->s0; }
static double *sn_of(stack_layer *q) { return q->sn; }
static double *dsn_of(stack_layer *q) { return q->dsn; }
static double *ds0_of(stack_layer *q) { return q->ds0; }
static void move_state(golden *g, state_of *member, int k, double *flat, bool in)
{
    stack *s = &g->s;
    size_t bytes = (size_t)s->width[k] * sizeof(double);
    for (int l = 0; l < s->layers; l++)
        for (int d = 0; d < s->dirs; d++)
            for (int64_t b = 0; b < s->B; b++, flat += s->width[k]) {
                double *q = member(&s->layer[l]) + stack_state(s, d, k, b, 0);
                memcpy(in ? q : flat, in ? flat : q, bytes);
            }
}

/* ---- making the stack ---- */
static unsigned word_bit(const cell_info *c, const char *word)
{
    for (const cell_word *w = c->words; w && w->word; w++)
        if (!strcmp(w->word, word)) return w->bit;
    return 0;
}
static layer_spec make_spec(const golden *g)
{
    layer_spec spec = { .kind = "recurrent", .bidirectional = g->bidirectional,
        .cell = { .cell = g->kind->cell, .hidden = g->hidden, .project = g->project, .biases = g->biases } };
    for (int i = 0; g->k->recur->cell(i); i++) {
        const cell_info *c = g->k->recur->cell(i);
        if (strcmp(c->name, g->kind->cell)) continue;
        spec.cell.words = word_bit(c, g->kind->words) | (g->peephole ? word_bit(c, "peephole") : 0);
    }
    return spec;
}
static bool has_size(const golden *g, const char *name, int64_t n)
{
    const st_tensor *t = st_find(g->file, name);
    if (!t || st_elements(t) != n)
        fail(g->err, LACO_EFORMAT, -1, "tensor \"%s\" is missing or has not %lld numbers", name, (long long)n);
    return t && st_elements(t) == n;
}
/* Sizes against the tensors of the file, before any memory of that size is taken. */
static laco_status check_sizes(const golden *g)
{
    const stack *s = &g->s;
    char name[96];
    bool ok = has_size(g, "input", g->T * g->B * g->inputs) && has_size(g, "output", g->T * g->B * s->out);
    for (int l = 0; ok && l < s->layers; l++)
        for (int t = 0; ok && t < s->layer[l].tensors; t++) {
            golden_name(g, s->layer[l].tensor[t].name, l, name);
            ok = has_size(g, name, golden_size(g, &s->layer[l].tensor[t]));
        }
    return ok ? LACO_OK : LACO_EFORMAT;
}
static laco_status make_stack(golden *g, pool *p)
{
    layer_spec specs[STACK_LAYERS];
    int64_t *lengths = NULL;
    const st_tensor *t = st_find(g->file, "lengths");
    for (int l = 0; l < g->layers; l++) specs[l] = make_spec(g);
    laco_status st = stack_describe(&g->s, g->k, specs, (int)g->layers, g->inputs, g->err);
    if (!st) st = check_sizes(g);
    if (!st && t) {
        if (!(lengths = mem_new((size_t)g->B, sizeof *lengths))) return fail_memory(g->err, (size_t)g->B * 8);
        st = st_to_i64(t, lengths, g->B, g->err);
        for (int64_t b = 0; !st && b < g->B; b++)
            if (lengths[b] < 0 || lengths[b] > g->T)
                st = fail(g->err, LACO_EFORMAT, -1, "lengths[%lld] is %lld, not from 0 to %lld", (long long)b,
                          (long long)lengths[b], (long long)g->T);
    }
    if (!st) st = stack_make(&g->s, p, g->T, g->B, lengths, g->err);
    mem_free(lengths);
    return st;
}

/* ---- in ---- */
static bool read_state(golden *g, state_of *member, int k, const char *name)
{
    int64_t n = g->s.layers * g->s.dirs * g->s.B * g->s.width[k];
    double *x = golden_fetch(g->file, name, n, g->err);
    if (x) move_state(g, member, k, x, true);
    mem_free(x);
    return x;
}
static bool read_weights(golden *g)
{
    char name[96];
    for (int l = 0; l < g->s.layers; l++)
        for (int t = 0; t < g->s.layer[l].tensors; t++) {
            const param_tensor *p = &g->s.layer[l].tensor[t];
            golden_name(g, p->name, l, name);
            double *x = golden_fetch(g->file, name, golden_size(g, p), g->err);
            if (!x) return false;
            move_blocks(g, p, g->s.layer[l].w + p->offset, x, true);
            mem_free(x);
        }
    return true;
}
static int last_state(const golden *g) { return g->s.states - 1; }
static laco_status read_case(golden *g)
{
    stack *s = &g->s;
    bool cell = s->states > 1, ok = read_weights(g) && fetch_into(g, "input", s->x, g->T * g->B * g->inputs) &&
        fetch_into(g, "loss_weight.output", s->dy, g->T * g->B * s->out) && read_state(g, s0_of, 0, "h0") &&
        read_state(g, dsn_of, 0, "loss_weight.hn");
    if (ok && cell)
        ok = read_state(g, s0_of, last_state(g), "c0") && read_state(g, dsn_of, last_state(g), "loss_weight.cn");
    return ok ? LACO_OK : LACO_EFORMAT;
}

/* ---- comparing ---- */
static bool same(const golden *g, const char *name, const double *made, int64_t n, double tolerance)
{
    double *want = golden_fetch(g->file, name, n, g->err), largest = 1;
    int64_t worst = -1;
    if (!want) return false;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(made[i] - want[i]) <= tolerance * largest) && worst < 0) worst = i;
    if (worst >= 0)
        fail(g->err, LACO_ENUMERIC, -1, "%s[%lld] is %.17g, not %.17g (tolerance %g)", name, (long long)worst,
             made[worst], want[worst], tolerance);
    mem_free(want);
    return worst < 0;
}
static double tolerance(const golden *g, double in_double) { return g->k->real_size == 4 ? 1e-5 : in_double; }

/* Against grad.NAME and, where the file has it, gradfd.NAME. */
static bool same_gradient(const golden *g, const char *name, const double *made, int64_t n)
{
    char full[128];
    snprintf(full, sizeof full, "grad.%s", name);
    if (!same(g, full, made, n, tolerance(g, 1e-11))) return false;
    snprintf(full, sizeof full, "gradfd.%s", name);
    return !st_find(g->file, full) || same(g, full, made, n, tolerance(g, 1e-7));
}
static bool same_state(golden *g, state_of *member, int k, const char *name, bool gradient)
{
    int64_t n = g->s.layers * g->s.dirs * g->s.B * g->s.width[k];
    double *x = mem_new((size_t)n, sizeof *x);
    if (!x) return fail_memory(g->err, (size_t)n * sizeof *x), false;
    move_state(g, member, k, x, false);
    bool ok = gradient ? same_gradient(g, name, x, n) : same(g, name, x, n, tolerance(g, 1e-12));
    mem_free(x);
    return ok;
}
static bool same_weights(golden *g)
{
    char name[96];
    bool ok = true;
    for (int l = 0; l < g->s.layers; l++)
        for (int t = 0; ok && t < g->s.layer[l].tensors; t++) {
            const param_tensor *p = &g->s.layer[l].tensor[t];
            int64_t n = golden_size(g, p);
            double *x = mem_new((size_t)n, sizeof *x);
            if (!x) return fail_memory(g->err, (size_t)n * sizeof *x), false;
            golden_name(g, p->name, l, name);
            move_blocks(g, p, g->s.layer[l].g + p->offset, x, false);
            ok = same_gradient(g, name, x, n);
            mem_free(x);
        }
    return ok;
}
static laco_status compare_case(golden *g)
{
    stack *s = &g->s;
    bool cell = s->states > 1;
    int c = last_state(g);
    stack_forward(s);
    double loss = stack_loss(s);
    bool ok = same(g, "output", s->y, g->T * g->B * s->out, tolerance(g, 1e-12)) &&
              same_state(g, sn_of, 0, "hn", false) && (!cell || same_state(g, sn_of, c, "cn", false)) &&
              same(g, "loss", &loss, 1, tolerance(g, 1e-12));
    if (!ok) return LACO_ENUMERIC;
    stack_backward(s);
    ok = same_gradient(g, "input", s->dx, g->T * g->B * g->inputs) && same_state(g, ds0_of, 0, "h0", true) &&
        (!cell || same_state(g, ds0_of, c, "c0", true)) && same_weights(g);
    return ok ? LACO_OK : LACO_ENUMERIC;
}

static laco_status run_stack(golden *g, pool *p)
{
    laco_status st = read_sizes(g);
    if (!st) st = make_stack(g, p);
    if (!st) st = read_case(g);
    return st ? st : compare_case(g);
}
golden_result golden_run(const char *path, const kernels *k, pool *p, char *reason, size_t size)
{
    laco_error err = { 0 };
    golden g = { .k = k, .err = &err };
    *reason = 0;
    laco_status st = st_load(&g.file, path, &err);
    bool chain = !st && golden_is_crf(g.file), echoes = !st && golden_is_esn(g.file), own = chain || echoes;
    if (chain) st = golden_crf(g.file, k, p, &err);
    if (echoes) st = golden_esn(g.file, k, p, &err);
    if (!st && !own && !(g.kind = find_kind(g.file))) {
        snprintf(reason, size, "of no kind that this program has");
        st_free(g.file);
        return GOLDEN_SKIPPED;
    }
    if (!st && !own) st = run_stack(&g, p);
    if (st) snprintf(reason, size, "%s", err.msg);
    stack_free(&g.s);
    st_free(g.file);
    return st ? GOLDEN_FAILED : GOLDEN_PASSED;
}
