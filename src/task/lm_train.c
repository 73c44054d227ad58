/* laco train lm: a language model from a text file.

   read, split, encode  ->  network  ->  epochs of windows with truncated backpropagation through time; after each the
   validation loss, and the model written when it is the best so far  ->  baselines and the report. */
#include "base/rng.h"
#include "task/lm.h"
#include "task/ngram.h"
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

typedef struct lm_run {
    task_job *j;
    const options *o;
    vocab *v;
    lm_text train, valid, test; /* ids NULL: there is none */
    bool lines;
    laco_model *m;
    trainer *t;
    train_settings s;
    file_log *log;
    void *best; /* weights of the best validation */
    lm_loss best_valid, test_loss, train_loss;
    int64_t best_epoch, epoch, epochs, stale, plateaus, done; /* tokens of this epoch */
    double began, limit;                                      /* seconds; 0: none */
    double epoch_began, training; /* seconds of the epochs before, without their validation */
    double seconds;               /* of all epochs with their validation */
    double saved, noted;          /* when the model was last written, an epoch last told */
    bool unsaved;                 /* the best has not been written yet */
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
static laco_status refuse_future(const laco_model *m, laco_error *err)
{
    for (int i = 0; i < m->net->d.layers; i++)
        if (m->net->d.layer[i].bidirectional || m->net->d.layer[i].cell.reverse)
            return fail(err, LACO_EINVAL, -1,
                        "a language model must not see what comes next: take \"bidirectional\" or \"reverse\" out of "
                        "the network");
    return LACO_OK;
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
    if (!st) st = refuse_future(r->m, err);
    if (!st) st = set_metadata(r, err);
    weights_kind kind = WEIGHTS_FLOAT;
    if (!st) st = weights_parse(options_text(r->o, "precision"), &kind, err);
    if (!st) st = net_weights(r->m->net, kind, err);
    uint64_t seed = (uint64_t)options_int(r->o, "seed");
    if (!st) st = net_init(r->m->net, options_text(r->o, "init"), options_real(r->o, "forget-bias"), seed, err);
    return st;
}
static double given_or(const options *o, const char *name, double otherwise)
{
    double x = options_real(o, name);
    return isnan(x) ? otherwise : x;
}
static laco_status choose_settings(lm_run *r, laco_error *err)
{
    const optim_ops *ops = r->m->net->k->optim;
    const char *name = options_text(r->o, "optimizer");
    while (ops->row(r->s.optimizer) && strcmp(ops->row(r->s.optimizer)->name, name)) r->s.optimizer++;
    if (!ops->row(r->s.optimizer))
        return fail(err, LACO_EINVAL, -1, "unknown optimizer \"%s\"; `laco help optimizers` lists them", name);
    const optim_row *row = ops->row(r->s.optimizer);
    r->s.seed = (uint64_t)options_int(r->o, "seed");
    r->s.steps = options_int(r->o, "steps"), r->s.batch = options_int(r->o, "batch");
    lm_fit_window(&r->s, r->train.n - 1, r->lines);
    r->s.optim = (optim_step){ .momentum = options_real(r->o, "momentum"),
                               .beta1 = given_or(r->o, "beta1", row->beta1),
                               .beta2 = given_or(r->o, "beta2", row->beta2),
                               .eps = given_or(r->o, "eps", row->eps),
                               .weight_decay = options_real(r->o, "weight-decay") };
    r->s.schedule = (schedule){ .lr = given_or(r->o, "lr", row->lr),
                                .decay = options_real(r->o, "decay"),
                                .warmup = options_int(r->o, "warmup"),
                                .decay_start = options_int(r->o, "decay-start") };
    r->s.clip = options_real(r->o, "clip"), r->s.clip_value = options_real(r->o, "clip-value");
    r->s.per_sequence = !strcmp(options_text(r->o, "reduction"), "sequence");
    r->epochs = options_int(r->o, "epochs"), r->limit = options_real(r->o, "minutes") * 60;
    int64_t updates = r->epochs * ceil_div(r->train.n - 1, r->s.batch * r->s.steps);
    if (!options_given(r->o, "warmup")) /* a short run; rprop, whose first steps are of the size of the rate */
        r->s.schedule.warmup = row->full_batch ? 0 : min64(r->s.schedule.warmup, updates / 10);
    return schedule_named(&r->s.schedule.row, options_text(r->o, "schedule"), err);
}
static void note_network(const lm_run *r)
{
    const net *n = r->m->net;
    char a[32];
    double mb = 1.0 / (1 << 20);
    task_note(r->j, "network   %s", r->m->description);
    task_note(r->j, "size      %s parameters, %.1f MB", task_count(n->params, a), (double)n->params * 4 * mb);
    task_note(r->j, "memory    %.1f MB weights, gradients, optimizer; %.1f MB for %lld x %lld tokens",
              (double)n->params * 4 * (2 + n->k->optim->row(r->s.optimizer)->slots) * mb,
              (double)trainer_bytes(n, &r->s) * mb, (long long)r->s.batch, (long long)r->s.steps);
}

/* ---- epochs ---- */
static bool out_of_time(const lm_run *r) { return r->limit > 0 && clock_seconds() - r->began >= r->limit; }
static double share_done(const lm_run *r)
{
    double tokens = ((double)r->epoch + (double)r->done / (double)(r->train.n - 1)) / (double)r->epochs;
    return r->limit > 0 ? fmax(tokens, (clock_seconds() - r->began) / r->limit) : tokens;
}
static void show_training(lm_run *r, int64_t epoch_tokens)
{
    if (!task_wants_progress(r->j)) return;
    double elapsed = clock_seconds() - r->began, share = share_done(r);
    task_progress(r->j, &(laco_progress){ .phase = "train",
                                          .done = trainer_updates(r->t),
                                          .epoch = (double)r->epoch + (double)r->done / (double)(r->train.n - 1),
                                          .loss = lm_mean(r->train_loss),
                                          .valid_loss = lm_mean(r->best_valid),
                                          .rate = (double)(r->epoch * epoch_tokens + r->done) /
                                                  fmax(r->training + clock_seconds() - r->epoch_began, 1e-9),
                                          .elapsed = elapsed,
                                          .left = share > 0 ? elapsed * (1 - share) / share : -1 });
}
static laco_status train_batch(lm_run *r, const text_batch *b, laco_error *err)
{
    trainer_begin(r->t, b);
    while (trainer_more(r->t) && !*r->j->stop && !out_of_time(r)) {
        window_result w;
        schedule_point at = { .epoch = r->epoch, .share = share_done(r), .plateaus = r->plateaus };
        laco_status st = trainer_window(r->t, at, &w, err);
        if (st) return st;
        r->train_loss.sum += w.loss, r->train_loss.tokens += w.tokens, r->done += w.tokens;
        show_training(r, r->train.n - 1);
    }
    return LACO_OK;
}
/* The text in parallel streams; each epoch begins elsewhere in it, so that windows are never cut in the same places. */
static laco_status train_streams(lm_run *r, uint64_t seed, laco_error *err)
{
    int64_t count = r->train.n - 1, B = min64(r->s.batch, count);
    int64_t turn = r->epoch ? (int64_t)(rng_uniform(seed, RNG_SHUFFLE, (uint64_t)r->epoch) * (double)count) : 0;
    text_row *rows = mem_new((size_t)B, sizeof *rows);
    if (!rows) return fail_memory(err, (size_t)B * sizeof *rows);
    for (int64_t b = 0; b < B; b++) {
        int64_t from = count * b / B, to = count * (b + 1) / B;
        rows[b] = (text_row){ 1 + from + turn, to - from, 0 };
    }
    lm_sort_rows(rows, B);
    laco_status st =
        train_batch(r, &(text_batch){ .ids = r->train.ids, .row = rows, .B = B, .circular = count, .first = 1 }, err);
    mem_free(rows);
    return st;
}
static laco_status train_lines(lm_run *r, uint64_t seed, laco_error *err)
{
    text_row *rows;
    int64_t n;
    laco_status st = lm_lines(&r->train, vocab_eos(r->v), &rows, &n, err);
    for (int64_t i = n - 1; !st && i > 0; i--) { /* Fisher-Yates */
        int64_t k = (int64_t)(rng_uniform(seed, RNG_SHUFFLE | (uint64_t)r->epoch << 8, (uint64_t)i) * (double)(i + 1));
        text_row x = rows[i];
        rows[i] = rows[k], rows[k] = x;
    }
    for (int64_t i = 0; !st && i < n && !*r->j->stop && !out_of_time(r); i += r->s.batch) {
        text_batch b = { .ids = r->train.ids, .row = rows + i, .B = min64(r->s.batch, n - i) };
        lm_sort_rows(rows + i, b.B);
        st = train_batch(r, &b, err);
    }
    if (rows) mem_free(rows);
    return st;
}

static laco_status save_model(lm_run *r, laco_error *err)
{
    buf text = { 0 };
    json_out o = { .to = &text };
    json_begin(&o, '{');
    json_key(&o, "epoch"), json_int(&o, r->best_epoch);
    if (r->best_valid.tokens) lm_loss_json(&o, "valid", r->best_valid);
    if (r->test_loss.tokens) lm_loss_json(&o, "test", r->test_loss);
    json_key(&o, "optimizer"), json_text(&o, options_text(r->o, "optimizer"));
    json_key(&o, "lr"), json_number(&o, r->s.schedule.lr);
    json_key(&o, "batch"), json_int(&o, r->s.batch);
    json_key(&o, "steps"), json_int(&o, r->s.steps);
    json_end(&o, '}');
    laco_status st = text.failed ? fail_memory(err, text.len) : model_set(r->m, "training", text.data, err);
    if (!st) st = model_save(r->m, options_text(r->o, "out"), err);
    r->saved = clock_seconds(), r->unsaved = false;
    buf_free(&text);
    return st;
}
/* Writing waits for the disk: where epochs are shorter than this the best stays in memory for a while. */
static const double save_pause = 1;

static laco_status keep_best(lm_run *r, laco_error *err)
{
    size_t bytes = (size_t)r->m->net->params * (size_t)r->m->net->k->real_size;
    if (!r->best && !(r->best = mem_new(bytes, 1))) return fail_memory(err, bytes);
    memcpy(r->best, r->m->net->w, bytes);
    r->best_epoch = r->epoch + 1, r->stale = 0;
    r->unsaved = r->saved > 0 && clock_seconds() - r->saved < save_pause;
    return r->unsaved ? LACO_OK : save_model(r, err);
}
static void restore_best(lm_run *r)
{
    memcpy(r->m->net->w, r->best, (size_t)r->m->net->params * (size_t)r->m->net->k->real_size);
}
static laco_status log_epoch(lm_run *r, lm_loss valid, double seconds, laco_error *err)
{
    if (!r->log) return LACO_OK;
    buf line = { 0 };
    json_out o = { .to = &line };
    json_begin(&o, '{');
    json_key(&o, "epoch"), json_int(&o, r->epoch + 1);
    json_key(&o, "update"), json_int(&o, trainer_updates(r->t));
    json_key(&o, "train_nats"), json_number(&o, lm_mean(r->train_loss));
    if (valid.tokens) json_key(&o, "valid_nats"), json_number(&o, lm_mean(valid));
    json_key(&o, "seconds"), json_number(&o, seconds);
    json_end(&o, '}');
    laco_status st = line.failed ? fail_memory(err, line.len) : file_log_line(r->log, line.data, err);
    buf_free(&line);
    return st;
}
static void say_loss(const lm_run *r, lm_loss l, char *to, size_t n)
{
    double nats = lm_mean(l);
    if (vocab_unit(r->v) == UNIT_WORD)
        snprintf(to, n, "%.4f perplexity %.2f", nats, exp(nats));
    else
        snprintf(to, n, "%.4f = %.4f bits", nats, nats / log(2));
}
static const double note_pause = 0.5; /* seconds: short epochs are not all told, the first and the last are */

static void note_epoch(lm_run *r, lm_loss valid, double seconds, bool best)
{
    char v[64] = "", epochs[24];
    double now = clock_seconds();
    if (r->noted > 0 && now - r->noted < note_pause && r->epoch + 1 < r->epochs && !*r->j->stop) return;
    r->noted = now;
    if (valid.tokens) say_loss(r, valid, v, sizeof v);
    int width = snprintf(epochs, sizeof epochs, "%lld", (long long)r->epochs);
    task_note(r->j, "epoch %*lld/%s  train %.4f%s%s  %3.0f s %6.1f k/s%s", width, (long long)r->epoch + 1, epochs,
              lm_mean(r->train_loss), valid.tokens ? "  valid " : "", v, seconds,
              (double)r->done / fmax(seconds, 1e-9) / 1000, best && valid.tokens ? "  best" : "");
}
/* After an epoch, or when training is cut short: validation, and the model when it is the best. */
static laco_status end_epoch(lm_run *r, laco_error *err)
{
    double seconds = clock_seconds() - r->epoch_began;
    static const int never = 0;
    const volatile int *stop = r->j->stop;
    lm_loss valid = { 0 };
    laco_status st = LACO_OK;
    r->training += seconds;
    if (r->valid.ids) {
        r->j->stop = &never; /* the validation of a stopped run is finished: it decides what is kept */
        st = lm_measure(r->t, &r->valid, &r->s, r->lines, vocab_eos(r->v), r->j, &valid, err);
        r->j->stop = stop;
    }
    if (st) return st;
    if (valid.tokens && !isfinite(valid.sum))
        return fail(err, LACO_ENUMERIC, -1, "the validation loss is not finite; use a smaller --lr or set --clip");
    bool best = !valid.tokens || !r->best || lm_mean(valid) < lm_mean(r->best_valid);
    note_epoch(r, valid, seconds, best);
    if (best)
        r->best_valid = valid;
    else
        r->stale++, r->plateaus++;
    st = log_epoch(r, valid, seconds, err);
    return st || !best ? st : keep_best(r, err);
}
static laco_status train_epochs(lm_run *r, laco_error *err)
{
    int64_t patience = options_int(r->o, "patience");
    uint64_t seed = (uint64_t)options_int(r->o, "seed");
    laco_status st = LACO_OK;
    char shown[32];
    r->began = clock_seconds();
    for (; !st && r->epoch < r->epochs && !*r->j->stop && !out_of_time(r); r->epoch++) {
        r->epoch_began = clock_seconds();
        r->train_loss = (lm_loss){ 0 }, r->done = 0;
        st = r->lines ? train_lines(r, seed, err) : train_streams(r, seed, err);
        if (!st && r->done) st = end_epoch(r, err);
        if (!st && patience && r->stale >= patience) {
            task_note(r->j, "no improvement for %lld validations: stopped", (long long)r->stale);
            r->epoch++;
            break;
        }
    }
    r->seconds = clock_seconds() - r->began;
    if (!st && *r->j->stop)
        task_note(r->j, "stopped   after %s updates; the best model so far is kept",
                  task_count(trainer_updates(r->t), shown));
    return st;
}

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
    if (r->test.ids)
        task_note(r->j, "  %-20s %-28s%s", "nats per token", r->valid.ids ? "validation" : "", "test");
    else if (r->valid.ids)
        task_note(r->j, "  %-20s %s", "nats per token", "validation");
    for (int n = 0; n <= NGRAM_MAX; n++)
        if (r->baseline[n].tokens || r->baseline_test[n].tokens)
            baseline_name(n, name), note_row(r, name, r->baseline[n], r->baseline_test[n]);
    if (r->valid.ids || r->test.ids) note_row(r, "this network", r->best_valid, r->test_loss);
    task_note(r->j, "model     %s (epoch %lld)", options_text(r->o, "out"), (long long)r->best_epoch);
}
static void result_json(const lm_run *r)
{
    json_out o = { .to = r->j->result };
    char name[32];
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "lm");
    json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    json_key(&o, "unit"), json_text(&o, text_unit_name(vocab_unit(r->v)));
    json_key(&o, "vocabulary"), json_int(&o, vocab_size(r->v));
    json_key(&o, "parameters"), json_int(&o, r->m->net->params);
    json_key(&o, "epochs"), json_int(&o, r->epoch);
    json_key(&o, "best_epoch"), json_int(&o, r->best_epoch);
    json_key(&o, "updates"), json_int(&o, trainer_updates(r->t));
    json_key(&o, "seconds"), json_number(&o, r->seconds);
    lm_loss_json(&o, "train", r->train_loss);
    if (r->best_valid.tokens) lm_loss_json(&o, "valid", r->best_valid);
    if (r->test_loss.tokens) lm_loss_json(&o, "test", r->test_loss);
    json_key(&o, "baselines"), json_begin(&o, '{');
    for (int n = 0; n <= NGRAM_MAX; n++) {
        lm_loss l = r->baseline[n].tokens ? r->baseline[n] : r->baseline_test[n];
        if (l.tokens) baseline_name(n, name), lm_loss_json(&o, name, l);
    }
    json_end(&o, '}'), json_end(&o, '}');
}

/* Writing to a file that is also read would lose it. */
static laco_status refuse_overwriting(const lm_run *r, const char *option, laco_error *err)
{
    static const char *const read[] = { "data", "valid", "test" };
    const char *to = options_text(r->o, option);
    struct stat written, there;
    if (!to || stat(to, &written) || !S_ISREG(written.st_mode)) return LACO_OK;
    for (int i = 0; i < TEXTS; i++) {
        const char *from = options_text(r->o, read[i]);
        if (r->j->text[i] || !from || stat(from, &there) || there.st_dev != written.st_dev ||
            there.st_ino != written.st_ino)
            continue;
        return fail(err, LACO_EINVAL, -1, "--%s and --%s are the same file, %s; give --%s another name", read[i],
                    option, to, option);
    }
    return LACO_OK;
}

static laco_status prepare(lm_run *r, laco_error *err)
{
    const char *out = options_text(r->o, "out"), *log = options_text(r->o, "log");
    r->lines = !strcmp(options_text(r->o, "mode"), "line");
    if (!out) return fail(err, LACO_EINVAL, -1, "--out is missing: where the model goes, such as model.safetensors");
    laco_status st = refuse_overwriting(r, "out", err);
    if (!st) st = refuse_overwriting(r, "log", err);
    if (!st) st = file_check_writable(out, err);
    if (!st && log) st = file_log_open(&r->log, log, err);
    if (!st) st = read_texts(r, err);
    if (!st) note_texts(r), st = make_network(r, err);
    if (!st) st = choose_settings(r, err);
    if (!st) note_network(r), st = trainer_new(&r->t, r->m->net, &r->s, err);
    return st;
}
static laco_status finish(lm_run *r, laco_error *err)
{
    laco_status st = LACO_OK;
    restore_best(r);
    if (r->test.ids) st = lm_measure(r->t, &r->test, &r->s, r->lines, vocab_eos(r->v), r->j, &r->test_loss, err);
    if (*r->j->stop) r->test_loss = (lm_loss){ 0 };
    if (!st && (r->unsaved || r->test_loss.tokens)) st = save_model(r, err);
    if (!st) st = measure_baselines(r, err);
    if (!st) report(r), result_json(r);
    return st;
}
laco_status lm_train(task_job *j, laco_error *err)
{
    lm_run r = { .j = j, .o = j->o };
    laco_status st = prepare(&r, err);
    if (!st) st = train_epochs(&r, err);
    if (st && r.unsaved) restore_best(&r), save_model(&r, NULL); /* what failed later is the error to tell */
    if (!st && !r.best) st = fail(err, LACO_ESTOPPED, -1, "stopped before the first update: no model was written");
    if (!st) st = finish(&r, err);
    trainer_free(r.t), laco_model_free(r.m), vocab_free(r.v), file_log_close(r.log), mem_free(r.best);
    lm_text_free(&r.train), lm_text_free(&r.valid), lm_text_free(&r.test);
    return st;
}
