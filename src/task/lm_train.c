/* laco train lm: a language model from a text file.

   read, split, encode  ->  network  ->  the loop of fit.h over batches of streams or lines  ->  baselines and the
   report. */
#include "base/rng.h"
#include "task/fit.h"
#include "task/lm.h"
#include "task/ngram.h"
#include "task/repeat.h"
#include <math.h>
#include <stdio.h>

typedef struct lm_run {
    task_job *j;
    const options *o;
    vocab *v;
    lm_text train, valid, test; /* ids NULL: there is none */
    bool lines;
    laco_model *m;
    fit fit;
    text_row *rows; /* of an epoch: streams; or lines in the order of `drawn` */
    int64_t row_count, drawn;
    lm_loss test_loss;
    lm_loss baseline[NGRAM_MAX + 1], baseline_test[NGRAM_MAX + 1]; /* 0 uniform, 1 unigram, n n-gram */
} lm_run;

/* ---- texts ---- */
static vocab_options vocabulary_wanted(const lm_run *r, text_unit unit)
{
    return (vocab_options){ .unit = unit,
                            .lower = options_flag(r->o, "lower"),
                            .min_count = options_int(r->o, "min-count"),
                            .max_size = options_int(r->o, "vocab-size") };
}
static laco_status read_other(lm_run *r, int which, lm_text *to, laco_error *err)
{
    char *bytes, shown[32];
    size_t n;
    const char *name;
    int64_t skipped = 0;
    laco_status st = task_read(r->j, which, &bytes, &n, &name, err);
    if (st || !bytes) return st;
    st = lm_encode(to, r->v, bytes, n, name, true, &skipped, err);
    if (!st && skipped)
        task_note(r->j, "%s: %s symbols that --data does not have were left out", name, task_count(skipped, shown));
    mem_free(bytes);
    return st;
}
/* The end of the data becomes the validation text; in line mode the cut is at a line's end. */
static laco_status split_off(lm_run *r, laco_error *err)
{
    double share = options_real(r->o, "split");
    int64_t begins = vocab_eos(r->v) >= 0, total = r->train.n - begins,
            keep = begins + (int64_t)floor((double)total * (1 - share));
    if (share <= 0) return LACO_OK;
    while (r->lines && keep < r->train.n && keep > 1 && r->train.ids[keep - 1] != vocab_eos(r->v)) keep++;
    if (keep < 2 || r->train.n - keep < 2)
        return fail(err, LACO_EINVAL, -1,
                    "%s is too short to keep --split %g of it for validation; give --valid, or --split 0",
                    r->train.name, share);
    r->valid = (lm_text){ mem_new((size_t)(r->train.n - keep + 1), sizeof *r->valid.ids), r->train.n - keep + 1,
                          "the end of --data" };
    if (!r->valid.ids) return fail_memory(err, (size_t)r->train.n * sizeof *r->valid.ids);
    memcpy(r->valid.ids, r->train.ids + keep - 1, (size_t)r->valid.n * sizeof *r->valid.ids);
    r->train.n = keep;
    return LACO_OK;
}
/* With --folds every K-th line is for validation, beginning with the one of the fold. */
static laco_status take_fold(lm_run *r, laco_error *err)
{
    int64_t n, fold, folds = options_int(r->o, "folds");
    text_row *line;
    lm_text part[2] = { { .name = r->train.name }, { .name = "the lines of the fold" } };
    if (!r->lines || r->valid.ids)
        return fail(err, LACO_EINVAL, -1,
                    "--folds takes its validation data from lines: use --mode line, without --valid");
    laco_status st = lm_lines(&r->train, vocab_eos(r->v), &line, &n, err);
    if (!st) st = task_fold(r->o, n, "lines", &fold, err);
    for (int i = 0; !st && i < 2; i++) {
        if (!(part[i].ids = mem_new((size_t)r->train.n, sizeof *part->ids)))
            st = fail_memory(err, (size_t)r->train.n * sizeof *part->ids);
        else
            part[i].ids[0] = r->train.ids[0], part[i].n = 1;
    }
    for (int64_t i = 0; !st && i < n; i++) {
        lm_text *to = &part[i % folds == fold];
        memcpy(to->ids + to->n, r->train.ids + line[i].start, (size_t)line[i].length * sizeof *to->ids);
        to->n += line[i].length;
    }
    mem_free(line);
    if (st) return lm_text_free(&part[0]), lm_text_free(&part[1]), st;
    lm_text_free(&r->train);
    r->train = part[0], r->valid = part[1];
    return LACO_OK;
}
static laco_status read_texts(lm_run *r, laco_error *err)
{
    char *bytes;
    size_t n;
    const char *name;
    text_unit unit = UNIT_CHAR;
    laco_status st = text_unit_named(&unit, options_text(r->o, "unit"), err);
    if (!st) st = task_read(r->j, TEXT_DATA, &bytes, &n, &name, err);
    if (st) return st;
    if (!bytes) return fail(err, LACO_EINVAL, -1, "--data is missing: the text to learn");
    if (unit != UNIT_WORD && options_int(r->o, "vocab-size"))
        return mem_free(bytes),
               fail(err, LACO_EINVAL, -1, "--vocab-size is for words only: use --unit word, or leave it out");
    vocab_options vo = vocabulary_wanted(r, unit);
    st = vocab_build(&r->v, &vo, bytes, n, name, err);
    if (!st) st = lm_encode(&r->train, r->v, bytes, n, name, false, NULL, err);
    mem_free(bytes);
    if (!st && r->lines && vocab_eos(r->v) < 0)
        st = fail(err, LACO_EINVAL, -1, "--mode line: %s has no line breaks", name);
    if (!st) st = read_other(r, TEXT_VALID, &r->valid, err);
    if (!st) st = read_other(r, TEXT_TEST, &r->test, err);
    if (!st && options_int(r->o, "folds")) return take_fold(r, err);
    if (!st && !r->valid.ids) st = split_off(r, err);
    return st;
}
static void note_texts(const lm_run *r)
{
    static const char *const units[] = { "bytes", "characters", "words" };
    char a[32], b[32], c[32];
    buf line = { 0 };
    buf_printf(&line, "text      %s %s, %s different", task_count(r->train.n - 1, a), units[vocab_unit(r->v)],
               task_count(vocab_size(r->v), b));
    if (r->valid.ids) buf_printf(&line, "; validation %s", task_count(r->valid.n - 1, c));
    if (r->test.ids) buf_printf(&line, "; test %s", task_count(r->test.n - 1, c));
    if (!line.failed) task_note(r->j, "%s", line.data);
    buf_free(&line);
}

/* ---- network ---- */
/* The description, or the one that --cell, --hidden and the like stand for. */
static void shorthand(const lm_run *r, buf *out)
{
    int64_t hidden = options_int(r->o, "hidden"), layers = options_int(r->o, "layers"),
            embed = options_int(r->o, "embed");
    double drop = options_real(r->o, "dropout");
    bool tied = options_flag(r->o, "tied");
    if (!hidden) hidden = 256;
    if (!layers) layers = 2;
    if (!embed) embed = tied || vocab_unit(r->v) == UNIT_WORD ? hidden : 64;
    buf_printf(out, "embed %lld", (long long)embed);
    for (int64_t i = 0; i < layers; i++) {
        if (drop > 0) buf_printf(out, "; dropout %g", drop);
        buf_printf(out, "; %s %lld%s", options_text(r->o, "cell"),
                   (long long)(tied && i + 1 == layers ? embed : hidden),
                   options_flag(r->o, "bidirectional") ? " bidirectional" : "");
    }
    if (drop > 0) buf_printf(out, "; dropout %g", drop);
    buf_printf(out, "; dense%s", tied ? " tied" : "");
}
static laco_status set_metadata(lm_run *r, laco_error *err)
{
    buf voc = { 0 };
    laco_status st = vocab_to_json(r->v, &voc, err);
    if (!st) st = model_set(r->m, "task", "lm", err);
    if (!st) st = model_set(r->m, "vocabulary", voc.data, err);
    if (!st) st = model_set(r->m, "mode", options_text(r->o, "mode"), err);
    buf_free(&voc);
    return st;
}
static laco_status make_network(lm_run *r, laco_error *err)
{
    buf text = { 0 };
    if (options_text(r->o, "model"))
        buf_text(&text, options_text(r->o, "model"));
    else
        shorthand(r, &text);
    int32_t V = vocab_size(r->v);
    laco_status st = text.failed ? fail_memory(err, text.len)
                                 : model_new(&r->m, text.data, V, V, (int)options_int(r->o, "threads"), err);
    buf_free(&text);
    if (!st && !r->m->net->symbols)
        st = fail(err, LACO_EINVAL, -1,
                  "the network of a language model begins with embed, as in \"embed 64; lstm 256; dense\"");
    if (!st) st = lm_refuse_future(r->m, err);
    if (!st) st = set_metadata(r, err);
    return st ? st : fit_weights(r->m->net, r->o, options_real(r->o, "forget-bias"), err);
}
/* ---- batches ---- */
/* A position of the training text, as the place in the file. */
static void say_where(void *ctx, int64_t position, char *to, size_t size)
{
    const lm_run *r = ctx;
    int32_t eos = vocab_eos(r->v);
    int64_t line = 1, at = 1 + (position - 1) % (r->train.n - 1);
    char shown[32];
    for (int64_t i = 1; i < at; i++) line += r->train.ids[i] == eos;
    int n = snprintf(to, size, "symbol %s of %s", task_count(at, shown), r->train.name);
    if (eos >= 0 && n > 0 && (size_t)n < size) snprintf(to + n, size - (size_t)n, ", line %s", task_count(line, shown));
}
/* The text in parallel streams; each epoch begins elsewhere in it, so that windows are never cut in the same places. */
static void lay_out_streams(lm_run *r, int64_t epoch, train_batch *out)
{
    int64_t count = r->train.n - 1, B = r->row_count;
    int64_t turn = epoch ? (int64_t)(rng_uniform(r->fit.s.seed, RNG_SHUFFLE, (uint64_t)epoch) * (double)count) : 0;
    for (int64_t b = 0; b < B; b++) {
        int64_t from = count * b / B, to = count * (b + 1) / B;
        r->rows[b] = (text_row){ 1 + from + turn, to - from, 0 };
    }
    lm_sort_rows(r->rows, B);
    *out = (train_batch){
        .ids = r->train.ids, .row = r->rows, .B = B, .circular = count, .first = 1, .where = say_where, .ctx = r
    };
}
/* Lines in an order drawn anew each epoch, each batch sorted by length. */
static laco_status draw_lines(lm_run *r, int64_t epoch, laco_error *err)
{
    int64_t n;
    mem_free(r->rows), r->rows = NULL;
    laco_status st = lm_lines(&r->train, vocab_eos(r->v), &r->rows, &n, err);
    if (st) return st;
    lm_draw_rows(r->rows, n, r->fit.s.batch, r->fit.s.seed, epoch);
    r->row_count = n, r->drawn = epoch;
    return LACO_OK;
}
static laco_status lm_batch(void *ctx, int64_t epoch, int64_t k, train_batch *out, laco_error *err)
{
    lm_run *r = ctx;
    if (!r->lines) {
        if (!k) lay_out_streams(r, epoch, out);
        return LACO_OK;
    }
    laco_status st = r->drawn == epoch ? LACO_OK : draw_lines(r, epoch, err);
    int64_t i = k * r->fit.s.batch;
    if (!st && i < r->row_count)
        *out = (train_batch){ .ids = r->train.ids,
                              .row = r->rows + i,
                              .B = min64(r->fit.s.batch, r->row_count - i),
                              .where = say_where,
                              .ctx = r };
    return st;
}
static laco_status lm_validate(void *ctx, fit_score *out, laco_error *err)
{
    lm_run *r = ctx;
    lm_loss l = { 0 };
    if (!r->valid.ids) return LACO_OK;
    laco_status st = lm_measure(r->fit.t, &r->valid, &r->fit.s, r->lines, vocab_eos(r->v), r->j, &l, err);
    out->loss = l.sum, out->tokens = l.tokens;
    return st;
}
static lm_loss loss_of(const fit_score *s) { return (lm_loss){ s->loss, s->tokens }; }
static void say_loss(const lm_run *r, lm_loss l, char *to, size_t n)
{
    double nats = lm_mean(l);
    if (vocab_unit(r->v) == UNIT_WORD)
        snprintf(to, n, "%.4f perplexity %.2f", nats, exp(nats));
    else
        snprintf(to, n, "%.4f = %.4f bits", nats, nats / log(2));
}
static void lm_say(void *ctx, const fit_score *s, char *to, size_t n) { say_loss(ctx, loss_of(s), to, n); }
static void lm_score_json(void *ctx, json_out *o, const char *key, const fit_score *s)
{
    (void)ctx;
    lm_loss_json(o, key, loss_of(s));
}
static void lm_figures(void *ctx, json_out *o)
{
    const lm_run *r = ctx;
    if (r->test_loss.tokens) lm_loss_json(o, "test", r->test_loss);
}
static const fit_task lm_task = {
    .batch = lm_batch, .measure = lm_validate, .say = lm_say, .score_json = lm_score_json, .figures = lm_figures
};

/* ---- baselines and the report ---- */
static laco_status measure_baselines(lm_run *r, laco_error *err)
{
    int order = (int)options_int(r->o, "ngram");
    const lm_text *texts[2] = { &r->valid, &r->test };
    for (int n = 0; n <= order && !*r->j->stop; n++) {
        ngram *g = NULL;
        laco_status st = n ? ngram_train(&g, r->train.ids, r->train.n, vocab_size(r->v), n, r->j->stop, err) : LACO_OK;
        if (st == LACO_ESTOPPED) return LACO_OK;
        if (st) return st;
        for (int t = 0; t < 2; t++)
            if (texts[t]->ids) {
                int64_t tokens = texts[t]->n - 1;
                double nats = n ? ngram_loss(g, texts[t]->ids + 1, tokens, 1) : log(vocab_size(r->v));
                *(t ? &r->baseline_test[n] : &r->baseline[n]) = (lm_loss){ nats * (double)tokens, tokens };
            }
        ngram_free(g);
    }
    return LACO_OK;
}
static void baseline_name(int n, char to[32])
{
    if (n < 2)
        snprintf(to, 32, "%s", n ? "unigram" : "uniform");
    else
        snprintf(to, 32, "%d-gram Kneser-Ney", n);
}
static void note_row(const lm_run *r, const char *name, lm_loss valid, lm_loss test)
{
    char v[64] = "", t[64] = "";
    if (valid.tokens) say_loss(r, valid, v, sizeof v);
    if (test.tokens) say_loss(r, test, t, sizeof t);
    if (t[0])
        task_note(r->j, "  %-20s %-28s%s", name, v, t);
    else
        task_note(r->j, "  %-20s %s", name, v);
}
static void report(const lm_run *r)
{
    char name[32];
    fit_score valid = fit_best(&r->fit);
    lm_loss best = loss_of(&valid);
    if (r->test.ids)
        task_note(r->j, "  %-20s %-28s%s", "nats per token", r->valid.ids ? "validation" : "", "test");
    else if (r->valid.ids)
        task_note(r->j, "  %-20s %s", "nats per token", "validation");
    for (int n = 0; n <= NGRAM_MAX; n++)
        if (r->baseline[n].tokens || r->baseline_test[n].tokens)
            baseline_name(n, name), note_row(r, name, r->baseline[n], r->baseline_test[n]);
    if (r->valid.ids || r->test.ids) note_row(r, "this network", best, r->test_loss);
    task_note(r->j, "model     %s (epoch %lld)", options_text(r->o, "out"), (long long)r->fit.c.best_epoch);
}
static void result_json(const lm_run *r)
{
    json_out o = { .to = r->j->result };
    fit_score best = fit_best(&r->fit);
    char name[32];
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "lm");
    json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    json_key(&o, "unit"), json_text(&o, text_unit_name(vocab_unit(r->v)));
    json_key(&o, "vocabulary"), json_int(&o, vocab_size(r->v));
    fit_json(&r->fit, &o);
    lm_loss_json(&o, "train", loss_of(&r->fit.train));
    if (best.tokens) lm_loss_json(&o, "valid", loss_of(&best));
    if (r->test_loss.tokens) lm_loss_json(&o, "test", r->test_loss);
    json_key(&o, "baselines"), json_begin(&o, '{');
    for (int n = 0; n <= NGRAM_MAX; n++) {
        lm_loss l = r->baseline[n].tokens ? r->baseline[n] : r->baseline_test[n];
        if (l.tokens) baseline_name(n, name), lm_loss_json(&o, name, l);
    }
    json_end(&o, '}'), json_end(&o, '}');
}

static laco_status prepare(lm_run *r, laco_error *err)
{
    const char *out = options_text(r->o, "out");
    r->lines = !strcmp(options_text(r->o, "mode"), "line"), r->drawn = -1;
    if (!out) return fail(err, LACO_EINVAL, -1, "--out is missing: where the model goes, such as model.safetensors");
    laco_status st = task_refuse_overwriting(r->j, "out", err);
    if (!st) st = task_refuse_overwriting(r->j, "log", err);
    if (!st) st = file_check_writable(out, err);
    if (!st) st = read_texts(r, err);
    if (!st) note_texts(r), st = make_network(r, err);
    if (!st) st = fit_settings(&r->fit, r->o, r->m->net->k, err);
    if (st) return st;
    lm_fit_window(&r->fit.s, r->train.n - 1, r->lines);
    r->row_count = min64(r->fit.s.batch, r->train.n - 1);
    if (!r->lines && !(r->rows = mem_new((size_t)r->row_count, sizeof *r->rows)))
        return fail_memory(err, (size_t)r->row_count * sizeof *r->rows);
    return fit_open(&r->fit, r->j, &lm_task, r, r->m, r->train.n - 1, err);
}
static laco_status finish(lm_run *r, laco_error *err)
{
    laco_status st = LACO_OK;
    fit *f = &r->fit;
    if (r->test.ids) st = lm_measure(f->t, &r->test, &f->s, r->lines, vocab_eos(r->v), r->j, &r->test_loss, err);
    if (*r->j->stop) r->test_loss = (lm_loss){ 0 };
    if (!st) st = fit_save(f, err);
    if (!st) st = measure_baselines(r, err);
    if (!st) report(r), result_json(r);
    return st;
}
laco_status lm_train(task_job *j, laco_error *err)
{
    lm_run r = { .j = j, .o = j->o };
    laco_status st = prepare(&r, err);
    if (!st) st = fit_run(&r.fit, err);
    if (!st) st = finish(&r, err);
    fit_close(&r.fit), laco_model_free(r.m), vocab_free(r.v), mem_free(r.rows);
    lm_text_free(&r.train), lm_text_free(&r.valid), lm_text_free(&r.test);
    return st;
}
