#include "check/bench_row.h"
#include "base/file.h"
#include "check/bench_lm.h"
#include "check/bench_read.h"
#include "check/bench_step.h"
#include "check/bench_work.h"
#include <math.h>
#include <stdio.h>

/* ---- the kinds ---- */
/* A row that is ready to run. bytes: of weights that every run must read at least, `held` the size of what holds them;
   a batch reads recurrent weights at every step. */
typedef struct work {
    void *state;
    void (*run)(void *state);
    void (*free)(void *state);
    double flops, bytes, held, tokens;
    const laco_status *status; /* of the runs so far; NULL: they cannot fail */
} work;
struct row_kind {
    const char *name, *form;
    int sizes;
    laco_status (*make)(const bench_row *r, const kernels *k, pool *p, work *w, laco_error *err);
};

static laco_status make_layer(const bench_row *r, const kernels *k, pool *p, work *w, bool infers, laco_error *err)
{
    const int64_t I = r->size[0], H = r->size[1], T = r->size[3];
    cell_spec spec = { .cell = r->word, .inputs = I, .hidden = H, .biases = -1 };
    batch_shape shape = { .B = r->size[2], .T = T };
    training *t = NULL;
    laco_status st = (infers ? inference_new : training_new)(&t, k->recur, &spec, &shape, p, err);
    if (st) return st;
    w->held = (double)k->recur->work_per_row(t->r) * sizeof(float) * (double)H / (double)(I + H);
    w->state = t, w->free = training_free, w->run = infers ? inference_run : training_run;
    w->flops = training_work(t), w->tokens = (double)t->b.R;
    w->bytes = w->held * (double)T * (infers ? 1 : 2);
    return LACO_OK;
}
static laco_status make_train(const bench_row *r, const kernels *k, pool *p, work *w, laco_error *err)
{
    return make_layer(r, k, p, w, false, err);
}
static laco_status make_infer(const bench_row *r, const kernels *k, pool *p, work *w, laco_error *err)
{
    return make_layer(r, k, p, w, true, err);
}
static laco_status make_stream(const bench_row *r, const kernels *k, pool *p, work *w, laco_error *err)
{
    step_work *s = NULL;
    (void)k;
    laco_status st = step_work_new(&s, r->word, r->size[0], r->weights, pool_threads(p), err);
    if (st) return st;
    *w = (work){ s, step_work_run, step_work_free, .tokens = 1, .status = &s->status };
    w->flops = 2 * s->products, w->bytes = w->held = s->weight_bytes;
    return LACO_OK;
}
/* Adam reads weights, gradients and two moments and writes three of them. */
static laco_status make_lm(const bench_row *r, const kernels *k, pool *p, work *w, laco_error *err)
{
    enum { ADAM_HELD = 4, ADAM_MOVED = 7 };
    lm_work *lm = NULL;
    laco_status st = lm_work_new(&lm, r->word, k, p, err);
    if (st) return st;
    double params = (double)lm->net->params * sizeof(float);
    *w = (work){ lm, lm_work_run, lm_work_free, .tokens = (double)lm->tokens, .status = &lm->status };
    w->flops = lm_work_flops(lm), w->bytes = ADAM_MOVED * params, w->held = ADAM_HELD * params;
    return LACO_OK;
}
static const row_kind kinds[] = {
    { "train", "train CELL I,H,B,T", 4, make_train },
    { "infer", "infer CELL I,H,B,T", 4, make_infer },
    { "stream", "stream CELL H [bf16|int8]", 1, make_stream },
    { "lm", "lm char|word|tiny", 0, make_lm },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- the text of a row ---- */
/* The next word, between blanks; the rest of the text, or NULL when it does not fit. */
static const char *next_word(const char *text, char *word, size_t room)
{
    size_t n = strcspn(text, " ");
    if (n >= room) return NULL;
    memcpy(word, text, n), word[n] = 0;
    return text + n + strspn(text + n, " ");
}
static bool parse_sizes(bench_row *r, const char *text)
{
    int n = 0;
    for (; n < r->kind->sizes; n++) {
        int64_t x = 0;
        if (*text < '0' || *text > '9') return false;
        for (; *text >= '0' && *text <= '9'; text++)
            if ((x = 10 * x + (*text - '0')) > ROW_LARGEST) return false;
        if (!x) return false;
        r->size[n] = x;
        if (n + 1 < r->kind->sizes && *text++ != ',') return false;
    }
    bool more = *text == ' ' && r->kind->make == make_stream;
    text = more ? next_word(text + 1, r->weights, sizeof r->weights) : text;
    return text && !*text && (!more || *r->weights);
}
static bool known_cell(const kernels *k, const char *name, const char **near)
{
    enum { MOST = 64 };
    const char *names[MOST + 1] = { NULL };
    const cell_info *cell;
    for (int i = 0; i < MOST && (cell = k->recur->cell(i)); i++) {
        names[i] = cell->name;
        if (!strcmp(cell->name, name)) return true;
    }
    *near = nearest_name(name, names);
    return false;
}
laco_status row_parse(bench_row *out, const char *text, const kernels *k, laco_error *err)
{
    char kind[16];
    const char *near = NULL, *rest = text ? next_word(text, kind, sizeof kind) : NULL;
    bench_row r = { .kind = NULL };
    for (int i = 0; rest && i < KINDS; i++)
        if (!strcmp(kind, kinds[i].name)) r.kind = &kinds[i];
    if (!r.kind)
        return fail(err, LACO_EINVAL, -1,
                    "no row \"%.60s\"; a row is \"train CELL I,H,B,T\", \"infer CELL I,H,B,T\", "
                    "\"stream CELL H [bf16|int8]\" or \"lm char|word|tiny\"",
                    text ? text : "");
    rest = next_word(rest, r.word, sizeof r.word);
    if (!rest || !parse_sizes(&r, rest))
        return fail(err, LACO_EINVAL, -1, "row \"%.60s\" is not of the form \"%s\", sizes from 1 to %d", text,
                    r.kind->form, ROW_LARGEST);
    if (r.kind->sizes && !known_cell(k, r.word, &near))
        return fail(err, LACO_EINVAL, -1, "row \"%.60s\": no cell \"%s\"%s%s%s", text, r.word,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "; see laco help cells");
    snprintf(r.name, sizeof r.name, "%s", text);
    *out = r;
    return LACO_OK;
}

/* ---- measuring ---- */
/* A figure of /proc/self/status, such as "VmHWM:", in bytes; NaN where there is none. */
static double process_bytes(const char *what)
{
    enum { MOST = 1 << 16 };
    char *text = NULL;
    size_t n;
    if (file_read("/proc/self/status", MOST, &text, &n, NULL)) return NAN;
    const char *line = strstr(text, what);
    double bytes = line ? strtod(line + strlen(what), NULL) * 1024 : NAN;
    mem_free(text);
    return bytes;
}

static const sheet_column columns[] = {
    { "name", "row", SHEET_TEXT },
    { "threads", "threads", 0 },
    { "us", "us", 3 },
    { "spread_percent", "+- %", 1 },
    { "tokens_per_second", "tokens/s", 0 },
    { "gflops", "GFLOP/s", 1 },
    { "peaks", "of a core's peak", 3 },
    { "peak_gflops", "a core's peak, GFLOP/s", 1 },
    { "memory_bytes", "peak memory, bytes", 0 },
    { "weight_bytes", "bytes of weights read", 0 },
    { "read_gbytes", "GB/s of a core there", 1 },
    { "roofline_us", "roofline, us", 3 },
    { "roofline_share", "of the roofline", 3 },
    { NULL, NULL, 0 },
};
static void fill_table(sheet *t, const bench_row *r, const work *w, const probe *p, int threads, double memory,
                       double bandwidth)
{
    double rate = p->work / p->time, peak = rate / p->share;
    double limit = fmax(w->flops / peak, bandwidth > 0 ? w->bytes / bandwidth : 0) / threads;
    const double figure[] = {
        threads,
        p->time * 1e6,
        50 * (p->quarter[1] - p->quarter[0]) / p->time,
        w->tokens / p->time,
        rate * 1e-9,
        p->share,
        peak * 1e-9,
        memory,
        w->bytes,
        bandwidth * 1e-9,
        limit * 1e6,
        limit / p->time,
    };
    sheet_start(t, "rows", "One row", columns);
    sheet_text(t, r->name);
    for (size_t i = 0; i < sizeof figure / sizeof *figure; i++) sheet_number(t, figure[i]);
}
static laco_status status_of(const bench_row *r, const work *w, laco_error *err)
{
    laco_status st = w->status ? *w->status : LACO_OK;
    return st ? fail(err, st, -1, "row \"%s\": a run of it failed", r->name) : LACO_OK;
}
/* The same at sizes as small as can be, once: what it needs of code does not count as memory of the row. */
static laco_status warm_up(const bench_row *r, const kernels *k, pool *p, laco_error *err)
{
    enum { SMALL = 8 };
    bench_row small = *r;
    work w = { 0 };
    if (!r->kind->sizes) return LACO_OK;
    for (int i = 0; i < ROW_SIZES; i++) small.size[i] = min64(small.size[i], SMALL);
    laco_status st = r->kind->make(&small, k, p, &w, err);
    if (st) return st;
    w.run(w.state);
    w.free(w.state);
    return LACO_OK;
}
laco_status row_measure(const bench_row *r, meter *m, pool *p, sheet *t, laco_error *err)
{
    work w = { 0 };
    int threads = pool_threads(p);
    laco_status st = warm_up(r, m->k, p, err);
    if (st) return st;
    double before = process_bytes("VmRSS:");
    if ((st = r->kind->make(r, m->k, p, &w, err))) return st;
    probe one = { .run = w.run, .state = w.state, .work = w.flops };
    st = probes_measure(m, &one, 1, err);
    if (!st) st = status_of(r, &w, err);
    if (!st) {
        double memory = process_bytes("VmHWM:") - before;
        /* what each thread holds of the weights may fit into a nearer cache */
        double bandwidth = read_bandwidth(m->k->isa, (size_t)w.held / (size_t)threads, m->seconds / 4);
        fill_table(t, r, &w, &one, threads, memory, bandwidth);
    }
    w.free(w.state);
    return st;
}

__attribute__((noinline)) static void row_repeated(const work *w, int64_t times)
{
    for (int64_t i = 0; i < times; i++) w->run(w->state);
}
laco_status row_repeat(const bench_row *r, const kernels *k, pool *p, int64_t times, laco_error *err)
{
    work w = { 0 };
    laco_status st = r->kind->make(r, k, p, &w, err);
    if (st) return st;
    row_repeated(&w, times);
    st = status_of(r, &w, err);
    w.free(w.state);
    return st;
}
