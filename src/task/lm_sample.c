/* laco sample: a language model writes. One symbol at a time from p = softmax(logits / temperature), restricted to the
   top-k likeliest or to the smallest set of probability top-p (nucleus sampling, Holtzman et al. 2020), greedily, or by
   beam search. Draw i of sample c is a function of (seed, c, i). */
#include "base/rng.h"
#include "task/lm.h"
#include "task/use.h"
#include <math.h>

typedef struct choice {
    double p;
    int32_t id;
} choice;
typedef struct sampler {
    task_job *j;
    lm l;
    int32_t V, *prime;
    int64_t prime_n, length, count;
    uint64_t seed;
    double temperature, top_p;
    int64_t top_k, beam;
    bool greedy, no_unk, stop_at_line;
    void *state;
    float *logits;
    choice *p;
    buf out;
    bool line_start;
    file_writer *file; /* NULL: standard output */
    laco_status status; /* of writing there */
    laco_error *err;
} sampler;

/* Feeds the beginning and the prime; logits then predict the next symbol. */
static void begin_state(sampler *s)
{
    const net *n = s->l.m->net;
    int32_t eos = vocab_eos(s->l.v);
    net_state_init(n, s->state, 1);
    if (eos >= 0) net_step(n, s->state, 1, 1, &eos, s->logits);
    for (int64_t i = 0; i < s->prime_n; i++) net_step(n, s->state, 1, 1, &s->prime[i], s->logits);
}
static laco_status read_prime(sampler *s, laco_error *err)
{
    const char *text = options_text(s->j->o, "prime");
    laco_status st = LACO_OK;
    if (text && *text) {
        st = vocab_encode(s->l.v, text, strlen(text), "--prime", false, false, &s->prime, &s->prime_n, NULL, err);
        if (!st && s->prime_n) s->line_start = s->prime[s->prime_n - 1] == vocab_eos(s->l.v);
    } else if (vocab_eos(s->l.v) < 0) { /* nothing says how a text begins: any symbol may */
        if (!(s->prime = mem_new(1, sizeof *s->prime))) return fail_memory(err, sizeof *s->prime);
        s->prime[0] = (int32_t)(rng_uniform(s->seed, RNG_SAMPLE, UINT64_MAX) * s->V), s->prime_n = 1;
    }
    return st;
}

static int likelier(const void *a, const void *b)
{
    const choice *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}
/* Log-probabilities of the next symbol in s->p[0..V), by id. */
static void log_softmax(sampler *s, const float *logits, double temperature)
{
    double top = -INFINITY, sum = 0;
    int32_t unk = s->no_unk ? vocab_unk(s->l.v) : -1;
    for (int32_t v = 0; v < s->V; v++) {
        s->p[v] = (choice){ v == unk ? -INFINITY : (double)logits[v] / temperature, v };
        top = fmax(top, s->p[v].p);
    }
    for (int32_t v = 0; v < s->V; v++) sum += exp(s->p[v].p - top);
    for (int32_t v = 0; v < s->V; v++) s->p[v].p -= top + log(sum);
}
static int32_t draw(sampler *s, uint64_t sample, uint64_t step)
{
    int64_t n = s->V;
    double sum = 0, u;
    log_softmax(s, s->logits, s->greedy ? 1 : s->temperature);
    if (s->greedy) {
        int32_t best = 0;
        for (int32_t v = 1; v < s->V; v++)
            if (s->p[v].p > s->p[best].p) best = v;
        return best;
    }
    if (s->top_k || s->top_p < 1) qsort(s->p, (size_t)s->V, sizeof *s->p, likelier);
    if (s->top_k) n = min64(n, s->top_k);
    for (int64_t i = 0; i < n; i++) {
        sum += exp(s->p[i].p);
        if (sum >= s->top_p) n = i + 1;
    }
    u = rng_uniform(s->seed, RNG_SAMPLE | sample << 8, step) * sum;
    for (int64_t i = 0; i + 1 < n; i++)
        if ((u -= exp(s->p[i].p)) < 0) return s->p[i].id;
    return s->p[n - 1].id;
}
static void say(sampler *s, const char *bytes, size_t n)
{
    if (!s->file)
        task_out(s->j, bytes, n);
    else if (!s->status && n)
        s->status = file_write(s->file, bytes, n, s->err);
}
static void put(sampler *s, int32_t id)
{
    vocab_decode(s->l.v, id, &s->line_start, &s->out);
    say(s, s->out.data, s->out.len), s->out.len = 0;
}
static void write_sample(sampler *s, int64_t c)
{
    begin_state(s);
    for (int64_t i = 0; i < s->length && !s->status && !*s->j->stop; i++) {
        int32_t id = draw(s, (uint64_t)c, (uint64_t)i);
        if (s->stop_at_line && id == vocab_eos(s->l.v)) break;
        put(s, id);
        net_step(s->l.m->net, s->state, 1, 1, &id, s->logits);
    }
}

/* ---- beam search ---- the likeliest text of `length` symbols that can be found with `beam` candidates */
typedef struct candidate {
    double score;
    int64_t from; /* candidate that it extends */
    int32_t id;
    bool done; /* ended at a line break */
} candidate;
typedef struct beam {
    int64_t width, live;
    size_t state_bytes;
    char *state[2];          /* [width][state_bytes] before and after a step */
    float *logits[2];        /* [width][V] */
    candidate *next, *trail; /* [width * (width + 1)] proposals; [length][width] */
    double *score;
    bool *done;
} beam;
static void beam_free(beam *b)
{
    for (int k = 0; k < 2; k++) mem_free(b->state[k]), mem_free(b->logits[k]);
    mem_free(b->next), mem_free(b->trail), mem_free(b->score), mem_free(b->done);
}
static laco_status beam_new(beam *b, const sampler *s, laco_error *err)
{
    *b = (beam){ .width = min64(s->beam, s->V), .live = 1, .state_bytes = net_state_bytes(s->l.m->net, 1) };
    size_t w = (size_t)b->width;
    for (int k = 0; k < 2; k++)
        b->state[k] = mem_new(w, b->state_bytes), b->logits[k] = mem_new(w * (size_t)s->V, sizeof(float));
    b->next = mem_new(w * (w + 1), sizeof *b->next), b->trail = mem_new((size_t)s->length * w, sizeof *b->trail);
    b->score = mem_new(w, sizeof *b->score), b->done = mem_new(w, sizeof *b->done);
    if (b->state[0] && b->state[1] && b->logits[0] && b->logits[1] && b->next && b->trail && b->score && b->done)
        return LACO_OK;
    return fail_memory(err, w * (2 * b->state_bytes + (size_t)s->length * sizeof(candidate)));
}
static int better(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}
static int64_t propose(sampler *s, beam *b)
{
    int64_t n = 0;
    for (int64_t i = 0; i < b->live; i++) {
        if (b->done[i]) {
            b->next[n++] = (candidate){ b->score[i], i, -1, true };
            continue;
        }
        log_softmax(s, b->logits[0] + i * s->V, 1);
        qsort(s->p, (size_t)s->V, sizeof *s->p, likelier);
        for (int64_t k = 0; k < b->width; k++)
            b->next[n++] = (candidate){ b->score[i] + s->p[k].p, i, s->p[k].id,
                                        s->stop_at_line && s->p[k].id == vocab_eos(s->l.v) };
    }
    qsort(b->next, (size_t)n, sizeof *b->next, better);
    return min64(n, b->width);
}
static void extend(sampler *s, beam *b, int64_t step, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const candidate *c = &b->next[i];
        char *state = b->state[1] + (size_t)i * b->state_bytes;
        memcpy(state, b->state[0] + (size_t)c->from * b->state_bytes, b->state_bytes);
        if (!c->done) net_step(s->l.m->net, (net_state *)state, 1, 1, &c->id, b->logits[1] + i * s->V);
        b->trail[step * b->width + i] = *c;
    }
    for (int64_t i = 0; i < n; i++) b->score[i] = b->next[i].score, b->done[i] = b->next[i].done;
    char *state = b->state[0];
    float *logits = b->logits[0];
    b->state[0] = b->state[1], b->logits[0] = b->logits[1], b->state[1] = state, b->logits[1] = logits, b->live = n;
}
static laco_status write_beam(sampler *s, laco_error *err)
{
    beam b;
    int64_t steps = 0, at = 0;
    int32_t *ids = mem_new((size_t)s->length, sizeof *ids);
    laco_status st = beam_new(&b, s, err);
    if (!ids && !st) st = fail_memory(err, (size_t)s->length * sizeof *ids);
    if (!st) {
        begin_state(s);
        memcpy(b.state[0], s->state, b.state_bytes), memcpy(b.logits[0], s->logits, (size_t)s->V * sizeof(float));
        while (steps < s->length && !*s->j->stop) extend(s, &b, steps, propose(s, &b)), steps++;
        for (int64_t i = steps - 1; i >= 0; i--)
            ids[i] = b.trail[i * b.width + at].id, at = b.trail[i * b.width + at].from;
        for (int64_t i = 0; i < steps && ids[i] >= 0 && !(s->stop_at_line && ids[i] == vocab_eos(s->l.v)); i++)
            put(s, ids[i]);
    }
    beam_free(&b), mem_free(ids);
    return st;
}

static laco_status refuse_options(const options *o, laco_error *err)
{
    static const char *const of_music[] = { "prime-steps", "prime-part", "prime-sequence", "step", "tempo" };
    for (size_t i = 0; i < sizeof of_music / sizeof *of_music; i++)
        if (options_given(o, of_music[i])) return fail(err, LACO_EINVAL, -1, "--%s is for music", of_music[i]);
    return LACO_OK;
}
static laco_status prepare(sampler *s, laco_model *m, laco_error *err)
{
    const options *o = s->j->o;
    laco_status st = refuse_options(o, err);
    if (!st) st = lm_open(&s->l, m, s->j, err);
    if (st) return st;
    s->V = vocab_size(s->l.v), s->length = options_int(o, "length"), s->count = options_int(o, "count"),
    s->seed = (uint64_t)options_int(o, "seed");
    s->temperature = options_real(o, "temperature"), s->top_p = options_real(o, "top-p"),
    s->top_k = options_int(o, "top-k"), s->beam = options_int(o, "beam");
    s->greedy = options_flag(o, "greedy") || s->temperature <= 0, s->no_unk = options_flag(o, "no-unk"),
    s->stop_at_line = options_flag(o, "stop");
    s->line_start = true;
    if (!net_steps(s->l.m->net))
        return fail(err, LACO_EUNSUPPORTED, -1, "this network reads both ways and cannot write");
    s->state = mem_new(net_state_bytes(s->l.m->net, 1), 1);
    s->logits = mem_new((size_t)s->V, sizeof *s->logits), s->p = mem_new((size_t)s->V, sizeof *s->p);
    if (!s->state || !s->logits || !s->p) return fail_memory(err, (size_t)s->V * sizeof *s->p);
    st = net_load(s->l.m->net, false, true, err);
    if (!st) st = read_prime(s, err);
    if (!st) st = task_refuse_overwriting(s->j, "out", err);
    return st || !strcmp(options_text(o, "out"), "-") ? st : file_create(&s->file, options_text(o, "out"), err);
}
laco_status lm_sample(task_job *j, laco_model *m, laco_error *err)
{
    sampler s = { .j = j, .err = err };
    laco_status st = prepare(&s, m, err);
    for (int64_t c = 0; !st && c < s.count && !*j->stop; c++) {
        const char *prime = options_text(j->o, "prime");
        bool line_start = s.line_start;
        if (prime) say(&s, prime, strlen(prime));
        if (s.beam > 1)
            st = write_beam(&s, err);
        else
            write_sample(&s, c);
        if (c + 1 < s.count) say(&s, "\n\n", s.stop_at_line ? 1 : 2);
        s.line_start = line_start;
        if (!st) st = s.status;
    }
    if (!st && s.file && *j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before the text was written");
    if (!st && s.file)
        st = file_commit(s.file, err);
    else
        file_abandon(s.file);
    if (!st && j->result) buf_printf(j->result, "{\"task\":\"lm\",\"samples\":%lld}", (long long)s.count);
    buf_free(&s.out), mem_free(s.prime), mem_free(s.state), mem_free(s.logits), mem_free(s.p);
    lm_close(&s.l);
    return st;
}
