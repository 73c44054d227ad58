/* laco sample of a model of music: step by step, each drawn from what the network says of the next, given all before
   it. Independent keys are drawn each by its probability; the chain of nade (src/layer/nade.kernel.c) key by key from
   low to high, each given those drawn below it. With a temperature the logits are divided by it. Draw i of sample c is
   a function of (seed, c, i). */
#include "base/rng.h"
#include "task/compose.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

typedef struct player {
    task_job *j;
    laco_model *m;
    net *n;             /* the network, but for nade */
    const float *V, *W; /* [ROLL_KEYS][units] of nade; NULL: keys are independent */
    int64_t units;
    double *c; /* [units] what the units of the chain have summed up */
    void *state;
    float *y;    /* [n->outputs] */
    float *step; /* [prime + length][ROLL_KEYS] */
    int64_t prime, length;
    uint64_t seed;
    double temperature, quarters, tempo;
    bool greedy;
} player;

/* ---- one step ---- */
static bool draw_key(const player *p, double logit, uint64_t sample, uint64_t draw)
{
    if (p->greedy) return logit > 0;
    return rng_uniform(p->seed, RNG_SAMPLE | sample << 8, draw) < 1 / (1 + exp(-logit / p->temperature));
}
static void draw_step(const player *p, float *keys, uint64_t sample, uint64_t step)
{
    for (int64_t u = 0; u < p->units; u++) p->c[u] = p->y[ROLL_KEYS + u];
    for (int64_t k = 0; k < ROLL_KEYS; k++) {
        double logit = p->y[k];
        for (int64_t u = 0; u < p->units; u++) logit += p->V[k * p->units + u] / (1 + exp(-p->c[u]));
        keys[k] = draw_key(p, logit, sample, step * ROLL_KEYS + (uint64_t)k);
        for (int64_t u = 0; keys[k] > 0 && u < p->units; u++) p->c[u] += p->W[k * p->units + u];
    }
}
static void play(player *p, uint64_t sample)
{
    static const float silence[ROLL_KEYS];
    const float *before = silence;
    net_state_init(p->n, p->state, 1);
    for (int64_t t = 0; t < p->prime + p->length && !*p->j->stop; t++) {
        float *keys = p->step + t * ROLL_KEYS;
        net_step(p->n, p->state, 1, 1, before, p->y);
        if (t >= p->prime) draw_step(p, keys, sample, (uint64_t)(t - p->prime));
        before = keys;
    }
}

/* ---- writing ---- */
static laco_status write_file(const char *path, const buf *b, laco_error *err)
{
    file_writer *w;
    if (b->failed) return fail_memory(err, b->len);
    laco_status st = file_create(&w, path, err);
    if (st) return st;
    st = file_write(w, b->data, b->len, err);
    if (!st) return file_commit(w, err);
    file_abandon(w);
    return st;
}
/* x.mid, or x-2.mid when there are several. */
static laco_status write_midi(const player *p, const char *path, int64_t sample, laco_error *err)
{
    buf b = { 0 }, name = { 0 };
    const char *end = strrchr(path, '.');
    int stem = (int)(end - path);
    midi_write(&b, p->step, p->prime + p->length, p->quarters, p->tempo);
    if (options_int(p->j->o, "count") > 1)
        buf_printf(&name, "%.*s-%lld%s", stem, path, (long long)sample + 1, end);
    else
        buf_text(&name, path);
    laco_status st = name.failed ? fail_memory(err, name.len) : write_file(name.data, &b, err);
    buf_free(&b), buf_free(&name);
    return st;
}
static void put_sequence(const player *p, json_out *o)
{
    json_begin(o, '[');
    for (int64_t t = 0; t < p->prime + p->length; t++) {
        json_begin(o, '[');
        for (int k = 0; k < ROLL_KEYS; k++)
            if (p->step[t * ROLL_KEYS + k] > 0) json_int(o, ROLL_LOW + k);
        json_end(o, ']');
    }
    json_end(o, ']');
}
static laco_status write_samples(player *p, laco_error *err)
{
    const char *out = options_text(p->j->o, "out");
    const bool midi = midi_is_name(out), text = !strcmp(out, "-");
    buf b = { 0 };
    json_out o = { .to = &b };
    laco_status st = LACO_OK;
    int64_t count = options_int(p->j->o, "count");
    json_begin(&o, '{'), json_key(&o, "train"), json_begin(&o, '[');
    for (int64_t i = 0; !st && i < count && !*p->j->stop; i++) {
        play(p, (uint64_t)i);
        if (*p->j->stop) break;
        if (midi)
            st = write_midi(p, out, i, err);
        else
            put_sequence(p, &o);
    }
    json_end(&o, ']'), json_end(&o, '}'), buf_text(&b, "\n");
    if (!st && *p->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before the music was written");
    if (!st && b.failed) st = fail_memory(err, b.len);
    if (!st && text) task_out_buf(p->j, &b);
    if (!st && !midi && !text) st = write_file(out, &b, err);
    if (!st) buf_printf(p->j->result, "{\"task\":\"compose\",\"samples\":%lld}", (long long)count);
    buf_free(&b);
    return st;
}

/* ---- beginning ---- */
/* Options that would do nothing. */
static laco_status refuse_options(const options *o, laco_error *err)
{
    static const char *const of_text[] = { "top-k", "top-p", "beam", "no-unk", "stop" };
    static const char *const of_prime[] = { "prime-steps", "prime-part", "prime-sequence" };
    const char *prime = options_text(o, "prime");
    for (size_t i = 0; i < sizeof of_text / sizeof *of_text; i++)
        if (options_given(o, of_text[i]))
            return fail(err, LACO_EINVAL, -1, "--%s is for text; music has --temperature and --greedy", of_text[i]);
    for (size_t i = 0; !(prime && *prime) && i < sizeof of_prime / sizeof *of_prime; i++)
        if (options_given(o, of_prime[i]))
            return fail(err, LACO_EINVAL, -1, "--%s needs --prime, the file whose beginning is continued", of_prime[i]);
    return LACO_OK;
}
/* The network without its chain: the same weights, since those of the last layer lie behind all others. */
static laco_status part_network(player *p, laco_error *err)
{
    net *whole = p->m->net;
    net_description d = whole->d;
    const int last = d.layers - 1;
    p->n = whole;
    if (strcmp(d.layer[last].kind, "nade")) return LACO_OK;
    p->units = d.layer[last].size, p->n = NULL;
    p->V = (const float *)whole->w + whole->base[last], p->W = p->V + ROLL_KEYS * p->units;
    if (!(p->c = mem_new((size_t)p->units, sizeof *p->c))) return fail_memory(err, (size_t)p->units * sizeof *p->c);
    if (!last) return fail(err, LACO_EINVAL, -1, "a network of nade alone does not compose");
    d.layers--;
    laco_status st = net_new(&p->n, &d, whole->inputs, whole->k, whole->pool, err);
    if (!st) memcpy(p->n->w, whole->w, (size_t)p->n->params * sizeof(float));
    return st;
}
static laco_status read_prime(const player *p, rolls part[ROLL_PARTS], const rolls **found, int64_t *sequence,
                              laco_error *err)
{
    static const char *const names[ROLL_PARTS] = { "train", "valid", "test" };
    const options *o = p->j->o;
    const char *path = options_text(o, "prime"), *wanted = options_text(o, "prime-part");
    char *bytes;
    size_t n;
    int i = 0;
    laco_status st = file_read(path, (size_t)1 << 32, &bytes, &n, err);
    if (st) return st;
    st = compose_parse(part, bytes, n, p->quarters, path, err);
    const bool midi = midi_is(bytes, n);
    mem_free(bytes);
    if (st) return st;
    while (strcmp(names[i], wanted)) i++;
    *found = &part[midi ? ROLL_TRAIN : i], *sequence = midi ? 0 : options_int(o, "prime-sequence") - 1;
    if (*sequence < (*found)->count) return LACO_OK;
    return fail(err, LACO_EINVAL, -1,
                "%s has %lld sequences for --prime-part %s; --prime-sequence %lld is none of them", path,
                (long long)(*found)->count, wanted, (long long)*sequence + 1);
}
static laco_status take_steps(player *p, laco_error *err)
{
    rolls part[ROLL_PARTS] = { 0 };
    const rolls *from = NULL;
    int64_t sequence = 0;
    const char *prime = options_text(p->j->o, "prime");
    const double ticks = 480; /* a quarter, of MIDI: less than 2^28 in all */
    laco_status st = prime && *prime ? read_prime(p, part, &from, &sequence, err) : LACO_OK;
    if (!st && from)
        p->prime = min64(options_int(p->j->o, "prime-steps"), from->start[sequence + 1] - from->start[sequence] - 1);
    if (!st && (double)(p->prime + p->length) * fmax(p->quarters * ticks, 64) >= 0x1p28)
        st = fail(err, LACO_EINVAL, -1, "--length %lld is too long for a piece of music", (long long)p->length);
    if (!st && !(p->step = mem_new((size_t)(p->prime + p->length), ROLL_KEYS * sizeof *p->step)))
        st = fail_memory(err, (size_t)(p->prime + p->length) * ROLL_KEYS * sizeof *p->step);
    if (!st && from)
        memcpy(p->step, from->step + (from->start[sequence] + 1) * ROLL_KEYS,
               (size_t)p->prime * ROLL_KEYS * sizeof *p->step);
    for (int i = 0; i < ROLL_PARTS; i++) rolls_free(&part[i]);
    return st;
}
static laco_status prepare(player *p, laco_error *err)
{
    const options *o = p->j->o;
    p->length = options_int(o, "length"), p->seed = (uint64_t)options_int(o, "seed");
    p->temperature = options_real(o, "temperature"), p->greedy = options_flag(o, "greedy") || p->temperature <= 0;
    p->quarters = compose_step(p->m, o), p->tempo = options_real(o, "tempo");
    laco_status st = compose_check(p->m, options_text(o, "model-file"), err);
    if (!st) st = task_refuse_overwriting(p->j, "out", err);
    if (!st) st = refuse_options(o, err);
    if (!st) st = part_network(p, err);
    if (!st && !net_steps(p->n))
        st = fail(err, LACO_EUNSUPPORTED, -1, "this network reads both ways and cannot compose");
    if (!st) st = take_steps(p, err);
    if (st) return st;
    p->state = mem_new(net_state_bytes(p->n, 1), 1), p->y = mem_new((size_t)p->n->outputs, sizeof *p->y);
    if (!p->state || !p->y) return fail_memory(err, net_state_bytes(p->n, 1));
    return net_load(p->n, false, true, err);
}
laco_status compose_sample(task_job *j, laco_model *m, laco_error *err)
{
    player p = { .j = j, .m = m };
    laco_status st = prepare(&p, err);
    if (!st) st = write_samples(&p, err);
    if (p.n != m->net) net_free(p.n);
    mem_free(p.c), mem_free(p.state), mem_free(p.y), mem_free(p.step);
    return st;
}
