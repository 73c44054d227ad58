#include "task/lm.h"
#include "base/rng.h"
#include <math.h>

void lm_text_free(lm_text *t) { mem_free(t->ids), t->ids = NULL; }

laco_status lm_encode(lm_text *out, const vocab *v, const char *bytes, size_t n, const char *name, bool skip,
                      int64_t *skipped, laco_error *err)
{
    int32_t *ids = NULL;
    int64_t count = 0, left_out = 0;
    bool begins = vocab_eos(v) >= 0;
    laco_status st = vocab_encode(v, bytes, n, name, true, skip, &ids, &count, &left_out, err);
    if (st) return st;
    if (skipped) *skipped = left_out;
    out->ids = mem_new((size_t)(count + begins), sizeof *out->ids);
    out->n = count + begins, out->name = name;
    if (out->ids) {
        if (begins) out->ids[0] = vocab_eos(v);
        if (count) memcpy(out->ids + begins, ids, (size_t)count * sizeof *ids);
    }
    mem_free(ids);
    if (!out->ids) return fail_memory(err, (size_t)count * sizeof *ids);
    if (out->n < 2)
        return lm_text_free(out),
               fail(err, LACO_EFORMAT, -1, "%s has too few symbols to predict one; give a longer text", name);
    return LACO_OK;
}

laco_status lm_refuse_future(const laco_model *m, laco_error *err)
{
    for (int i = 0; i < m->net->d.layers; i++)
        if (m->net->d.layer[i].bidirectional || m->net->d.layer[i].cell.reverse)
            return fail(err, LACO_EINVAL, -1,
                        "a network that predicts what comes next must not see it: take \"bidirectional\" or "
                        "\"reverse\" out of the network");
    return LACO_OK;
}

double lm_mean(lm_loss l) { return l.tokens ? l.sum / (double)l.tokens : NAN; }
void lm_loss_json(json_out *o, const char *key, lm_loss l)
{
    double nats = lm_mean(l);
    json_key(o, key), json_begin(o, '{');
    json_key(o, "nats"), json_number(o, nats);
    json_key(o, "bits"), json_number(o, nats / log(2));
    json_key(o, "perplexity"), json_number(o, exp(nats));
    json_key(o, "tokens"), json_int(o, l.tokens);
    json_end(o, '}');
}

laco_status lm_lines(const lm_text *t, int32_t eos, text_row **rows, int64_t *count, laco_error *err)
{
    int64_t n = 0, start = 1;
    for (int64_t i = 1; i < t->n; i++) n += t->ids[i] == eos || i + 1 == t->n;
    if (!(*rows = mem_new((size_t)n, sizeof **rows))) return fail_memory(err, (size_t)n * sizeof **rows);
    *count = 0;
    for (int64_t i = 1; i < t->n; i++)
        if (t->ids[i] == eos || i + 1 == t->n)
            (*rows)[(*count)++] = (text_row){ start, i + 1 - start, 0 }, start = i + 1;
    return LACO_OK;
}

static int longest_first(const void *a, const void *b)
{
    const text_row *x = a, *y = b;
    if (x->length != y->length) return x->length < y->length ? 1 : -1;
    return x->start < y->start ? -1 : x->start > y->start;
}
void lm_sort_rows(text_row *rows, int64_t n)
{
    if (n > 1) qsort(rows, (size_t)n, sizeof *rows, longest_first);
}

void lm_draw_rows(text_row *rows, int64_t n, int64_t batch, uint64_t seed, int64_t epoch)
{
    for (int64_t i = n - 1; i > 0; i--) {
        double u = rng_uniform(seed, RNG_SHUFFLE | (uint64_t)epoch << 8, (uint64_t)i);
        int64_t k = (int64_t)(u * (double)(i + 1));
        text_row x = rows[i];
        rows[i] = rows[k], rows[k] = x;
    }
    for (int64_t i = 0; i < n; i += batch) lm_sort_rows(rows + i, min64(batch, n - i));
}

void lm_fit_window(train_settings *s, int64_t n, bool lines)
{
    s->batch = min64(s->batch, max64(1, n));
    s->steps = min64(s->steps, max64(1, lines ? n : ceil_div(n, s->batch) + LM_CONTEXT));
}

typedef struct measurement {
    task_job *j;
    double began;
    int64_t total;
} measurement;
static void measure_batch(trainer *t, const train_batch *b, const measurement *m, lm_loss *out)
{
    task_job *j = m->j;
    trainer_begin(t, b);
    while (trainer_more(t) && !*j->stop) {
        window_result r;
        trainer_measure_window(t, &r, NULL);
        out->sum += r.loss, out->tokens += r.tokens;
        if (!task_wants_progress(j)) continue;
        double elapsed = clock_seconds() - m->began, done = (double)out->tokens, total = (double)m->total;
        task_progress(j, &(laco_progress){ .phase = "measure",
                                           .done = out->tokens,
                                           .total = m->total,
                                           .loss = lm_mean(*out),
                                           .valid_loss = NAN,
                                           .rate = done / fmax(elapsed, 1e-9),
                                           .elapsed = elapsed,
                                           .left = done > 0 ? elapsed * (total - done) / done : -1 });
    }
}
void lm_measure_rows(trainer *t, const train_batch *all, int64_t batch, int64_t tokens, task_job *j, lm_loss *out)
{
    measurement m = { j, clock_seconds(), tokens };
    for (int64_t i = 0; i < all->B && !*j->stop; i += batch) {
        train_batch b = *all;
        b.row += i, b.B = min64(batch, all->B - i);
        measure_batch(t, &b, &m, out);
    }
}
static laco_status measure_lines(trainer *t, const lm_text *text, const train_settings *s, int32_t eos, task_job *j,
                                 lm_loss *out, laco_error *err)
{
    text_row *rows;
    int64_t n;
    laco_status st = lm_lines(text, eos, &rows, &n, err);
    if (st) return st;
    lm_sort_rows(rows, n);
    lm_measure_rows(t, &(train_batch){ .ids = text->ids, .row = rows, .B = n }, s->batch, text->n - 1, j, out);
    mem_free(rows);
    return LACO_OK;
}
laco_status lm_measure(trainer *t, const lm_text *text, const train_settings *s, bool lines, int32_t eos, task_job *j,
                       lm_loss *out, laco_error *err)
{
    laco_status st = trainer_load(t, err);
    *out = (lm_loss){ 0 };
    if (st) return st;
    if (lines) return measure_lines(t, text, s, eos, j, out, err);
    int64_t count = text->n - 1, B = max64(1, min64(s->batch, count / (2 * LM_CONTEXT)));
    text_row *rows = mem_new((size_t)B, sizeof *rows);
    if (!rows) return fail_memory(err, (size_t)B * sizeof *rows);
    for (int64_t b = 0; b < B; b++) {
        int64_t from = count * b / B, to = count * (b + 1) / B, quiet = min64(from, LM_CONTEXT);
        rows[b] = (text_row){ 1 + from - quiet, to - from + quiet, quiet };
    }
    lm_sort_rows(rows, B);
    train_batch b = { .ids = text->ids, .row = rows, .B = B };
    measure_batch(t, &b, &(measurement){ j, clock_seconds(), count }, out);
    mem_free(rows);
    return LACO_OK;
}

void lm_close(lm *l)
{
    vocab_free(l->v);
    *l = (lm){ 0 };
}
laco_status lm_open(lm *out, laco_model *m, const task_job *j, laco_error *err)
{
    const char *path = options_text(j->o, "model-file"), *words = model_get(m, "vocabulary"),
               *mode = model_get(m, "mode");
    *out = (lm){ .m = m, .lines = mode && !strcmp(mode, "line") };
    if (!words) return fail(err, LACO_EFORMAT, -1, "%s is a language model without a vocabulary", path);
    laco_status st = vocab_from_json(&out->v, words, strlen(words), err);
    if (!st && vocab_size(out->v) != m->net->outputs)
        st = fail(err, LACO_EFORMAT, -1, "%s: its vocabulary has %d symbols, its network %lld outputs", path,
                  vocab_size(out->v), (long long)m->net->outputs);
    if (st) lm_close(out);
    return st;
}
