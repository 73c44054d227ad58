/* laco train tag: a class for every word of a sentence, or for every step of a series.

   read, split  ->  words, letters, features, classes  ->  the loop of fit.h over batches of whole sequences  ->  the
   baseline and the report. */
#include "data/readers.h"
#include "data/utf8.h"
#include "data/vectors.h"
#include "task/fit.h"
#include "task/lm.h"
#include "task/repeat.h"
#include "task/series_options.h"
#include "task/tag.h"
#include <math.h>
#include <stdio.h>

enum { PART_TRAIN, PART_VALID, PART_TEST, PARTS, ALIKE = 8 }; /* batches that are sorted by length together */
static const char *const part_names[PARTS] = { "train", "valid", "test" };
enum { METRIC_ACCURACY, METRIC_F1 };
static const fit_metric metrics[] = { { "accuracy", "share of the words whose tag is right", true },
                                      { "f1", "of spans: 2 precision recall / (precision + recall)", true },
                                      { NULL, NULL, false } };

typedef struct tag_train_run {
    task_job *j;
    const options *o;
    table_input in;
    tag_front f;
    tag_types t;
    tag_data part[PARTS];
    tag_base *base;
    laco_model *m;
    bool chain;
    fit fit;
    fit_task task;
    tag_runner runner;
    int32_t *said;
    text_row *row, *drawn;
    int64_t rows, longest, epoch;
    tag_counts score[PARTS], by_base[PARTS];
    double loss[PARTS];
} tag_train_run;

/* ---- data ---- */
static laco_status keep_text(char **to, const char *text, laco_error *err)
{
    if (!text) return LACO_OK;
    return (*to = mem_text(text, strlen(text))) ? LACO_OK : fail_memory(err, strlen(text));
}
/* An option that would do nothing is refused. */
static laco_status refuse_options(const tag_train_run *r, bool series, laco_error *err)
{
    static const char *const of_words[] = { "words",       "features", "scheme", "cased",       "min-count", "vectors",
                                            "vectors-more", "embed",    "chars",  "char-hidden", "unk-dropout" };
    static const char *const of_series[] = { "labels", "valid-labels", "test-labels" };
    for (size_t i = 0; r->f.numbers && i < sizeof of_words / sizeof *of_words; i++)
        if (options_given(r->o, of_words[i]))
            return fail(err, LACO_EINVAL, -1, "--%s is for words; these data are rows of numbers", of_words[i]);
    if (options_given(r->o, "vectors-more") && !options_text(r->o, "vectors"))
        return fail(err, LACO_EINVAL, -1, "--vectors-more needs --vectors, the file that they come from");
    for (size_t i = 0; !series && i < sizeof of_series / sizeof *of_series; i++)
        if (options_given(r->o, of_series[i]))
            return fail(err, LACO_EINVAL, -1, "--%s is for sets of series, such as .npy; these data hold their tags",
                        of_series[i]);
    return LACO_OK;
}
static laco_status front_options(tag_train_run *r, laco_error *err)
{
    tag_front *f = &r->f;
    const char *data = options_text(r->o, "data");
    laco_status st = tag_front_new(f, err);
    if (!st) st = keep_text(&f->words_column, options_text(r->o, "words"), err);
    if (!st) st = keep_text(&f->tags_column, options_text(r->o, "tags"), err);
    if (!st) st = keep_text(&f->features_column, options_text(r->o, "features"), err);
    if (!st) st = keep_text(&f->id_column, options_text(r->o, "id"), err);
    if (!st && data && series_of_sound(data)) st = keep_text(&f->rest, options_text(r->o, "rest"), err);
    if (!st) st = task_preparation(&f->prepare, r->o, err);
    f->lower = f->shape = !options_flag(r->o, "cased");
    bool series = data && !r->j->text[TEXT_DATA] && series_known(data);
    f->numbers = series || f->id_column || (data && tag_is_table(data));
    if (!st && f->numbers && !series && !f->tags_column)
        st =
            fail(err, LACO_EINVAL, -1, "--tags is missing: the column of the table that holds the class of every step");
    return st ? st : refuse_options(r, series, err);
}
static laco_status read_part(tag_train_run *r, int part, laco_error *err)
{
    const tag_source s = { .j = r->j, .in = &r->in };
    int64_t unseen = 0;
    char a[32];
    laco_status st = tag_data_read(&r->part[part], &r->f, &r->t, part, &s, part == PART_TRAIN, &unseen, err);
    if (!st && part != PART_TRAIN && unseen)
        task_note(r->j, "note      %s has %s tags that --data does not have: they count as wrong", r->part[part].file,
                  task_count(unseen, a));
    return st;
}
/* Every K-th sequence, or the last share of them, becomes the validation part. */
static laco_status split(tag_train_run *r, laco_error *err)
{
    tag_data *d = &r->part[PART_TRAIN];
    int64_t folds = options_int(r->o, "folds"), fold = 0;
    double share = options_real(r->o, "split");
    if (folds && r->part[PART_VALID].words)
        return fail(err, LACO_EINVAL, -1, "--folds takes its validation data from --data: leave --valid out");
    if (r->part[PART_VALID].words || (!folds && share <= 0)) return LACO_OK;
    laco_status st = task_fold(r->o, d->sentences, "sentences", &fold, err);
    int64_t keep = (int64_t)floor((double)d->sentences * (1 - share));
    if (!st && !folds && (keep < 1 || keep == d->sentences))
        st = fail(err, LACO_EINVAL, -1,
                  "%s has too few sentences to keep --split %g of them for validation; give --valid, or --split 0",
                  d->file, share);
    if (!st) st = tag_data_split(d, &r->part[PART_VALID], folds, folds ? fold : keep, r->f.inputs, err);
    return st;
}
/* A scheme that was asked for is one that the tags can be of. */
static laco_status check_marks(const tag_train_run *r, const char *const *name, laco_error *err)
{
    const tag_data *d = &r->part[PART_TRAIN];
    for (int64_t i = 0, k = 0; r->f.scheme != SCHEME_NONE && i < d->words; i++) {
        while (d->start[k + 1] <= i) k++;
        if (!tag_is_mark(name[i]))
            return fail(err, LACO_EINVAL, d->line[k],
                        "--scheme %s: \"%.40s\", a tag of the sentence at line %lld of %s, is neither O nor a B, I, E or S "
                        "with or without a type, as in B-PER",
                        scheme_names[r->f.scheme], name[i], (long long)d->line[k], d->file);
    }
    return LACO_OK;
}
static laco_status choose_scheme(tag_train_run *r, laco_error *err)
{
    const tag_data *d = &r->part[PART_TRAIN];
    const char *wanted = options_text(r->o, "scheme");
    int64_t odd = -1, at = 0;
    laco_status st = LACO_OK;
    const char **name = mem_new((size_t)d->words, sizeof *name);
    if (!name) return fail_memory(err, (size_t)d->words * sizeof *name);
    for (int64_t i = 0; i < d->words; i++) name[i] = d->tag[i] < 0 ? "O" : intern_text(r->f.tag, d->tag[i]);
    r->f.scheme = SCHEME_NONE;
    if (!strcmp(wanted, "auto"))
        r->f.scheme = scheme_guess(name, d->start, d->sentences, &odd);
    else
        while (strcmp(scheme_names[r->f.scheme], wanted)) r->f.scheme++;
    st = check_marks(r, name, err);
    for (int64_t k = 0; !st && odd < 0 && k < d->sentences; k++) {
        int64_t i = scheme_breaks(r->f.scheme, name + d->start[k], d->start[k + 1] - d->start[k]);
        if (i >= 0) odd = d->start[k] + i;
    }
    while (odd >= 0 && d->start[at + 1] <= odd) at++;
    if (odd >= 0)
        task_note(r->j,
                  "note      %s: \"%s\", word %lld of the sentence at line %lld, is not as %s writes it; it is read as "
                  "conlleval reads it",
                  d->file, name[odd], (long long)(odd - d->start[at]) + 1, (long long)d->line[at],
                  scheme_names[r->f.scheme]);
    mem_free(name);
    const char *best = options_text(r->o, "best-by");
    if (!st && r->f.scheme == SCHEME_NONE && best && !strcmp(best, "f1"))
        st = fail(err, LACO_EINVAL, -1, "--best-by f1 is for tags of spans, such as B-PER and I-PER; these are none");
    return st;
}
static void note_data(const tag_train_run *r)
{
    char a[32], b[32], c[32];
    buf line = { 0 };
    const tag_data *d = r->part;
    buf_printf(&line, "%s %s %s in %s %s", r->f.numbers ? "series   " : "text     ", task_count(d->words, a),
               r->f.numbers ? "steps" : "words", task_count(d->sentences, b), r->f.numbers ? "series" : "sentences");
    for (int part = PART_VALID; part < PARTS; part++)
        if (d[part].words)
            buf_printf(&line, "; %s %s", part == PART_VALID ? "validation" : "test", task_count(d[part].words, c));
    if (line.data) task_note(r->j, "%s", line.data);
    buf_free(&line);
    if (r->f.numbers)
        task_note(r->j, "inputs    %lld columns of numbers; %d classes", (long long)r->f.inputs,
                  intern_count(r->f.class));
    else
        task_note(r->j, "words     %s with a vector of their own, %s characters; %d tags%s%s, %d classes",
                  task_count(intern_count(r->f.word) - 1, a), task_count(r->f.letters, b), intern_count(r->f.tag),
                  r->f.scheme ? " in " : "", r->f.scheme ? scheme_names[r->f.scheme] : "", intern_count(r->f.class));
}
static laco_status read_all(tag_train_run *r, laco_error *err)
{
    if (!r->j->text[TEXT_DATA] && !options_text(r->o, "data"))
        return fail(err, LACO_EINVAL, -1, "--data is missing: sentences in columns, or a table of numbers");
    laco_status st = front_options(r, err);
    if (!st) st = tag_types_new(&r->t, err);
    if (!st) st = table_input_open(&r->in, r->j, err);
    for (int part = 0; !st && part < PARTS; part++) st = read_part(r, part, err);
    laco_status closed = table_input_close(&r->in, st ? NULL : err);
    if (!st) st = closed;
    if (!st) st = split(r, err);
    if (!st) st = choose_scheme(r, err);
    for (int part = 0; !st && part < PARTS; part++) st = tag_classes(&r->f, &r->part[part], part == PART_TRAIN, err);
    if (!st && intern_count(r->f.class) < 2)
        st = fail(err, LACO_EFORMAT, -1, "%s has %s: there is nothing to learn", r->part[PART_TRAIN].file,
                  intern_count(r->f.class) ? "only one tag" : "no tags");
    if (st || r->f.numbers) return st;
    st = tag_types_count(&r->t, &r->part[PART_TRAIN], err);
    return st ? st : tag_front_learn(&r->f, &r->t, options_int(r->o, "min-count"), err);
}

/* ---- word vectors ---- */
typedef struct vector_use {
    tag_train_run *r;
    int64_t length, found, added, most;
    buf key;
    bool fill;
} vector_use;
static laco_status use_vector(void *ctx, const char *word, size_t bytes, const float *x, int64_t n, laco_error *err)
{
    vector_use *u = ctx;
    int32_t k;
    if (utf8_check(word, bytes) < bytes || memchr(word, 0, bytes)) return LACO_OK; /* no text, so in no data */
    laco_status st = tag_word_key(&u->r->f, word, bytes, &u->key, err);
    if (st) return st;
    if ((k = intern_find(u->r->f.word, u->key.data, u->key.len)) < 0) {
        if (u->fill || u->added >= u->most) return LACO_OK;
        return u->added++, intern_add(u->r->f.word, u->key.data, u->key.len, &k, err);
    }
    if (!u->fill || !k) return LACO_OK;
    for (int64_t i = 0; i < n; i++) net_set(u->r->m->net, k * n + i, (double)x[i]);
    u->found++;
    return LACO_OK;
}
static laco_status read_vectors(tag_train_run *r, bool fill, int64_t *length, laco_error *err)
{
    const char *path = options_text(r->o, "vectors");
    vector_use u = { .r = r, .most = options_int(r->o, "vectors-more"), .fill = fill };
    char a[32];
    if (!path || r->f.numbers) return LACO_OK;
    laco_status st = vectors_read(path, length, use_vector, &u, err);
    if (!st && fill)
        task_note(r->j, "vectors   %s words of the network's begin as in %s", task_count(u.found, a), path);
    buf_free(&u.key);
    return st;
}

/* ---- network ---- */
static void shorthand(const tag_train_run *r, int64_t vector, buf *out)
{
    double drop = options_real(r->o, "dropout");
    int64_t chars = options_int(r->o, "chars");
    if (!r->f.numbers) {
        buf_printf(out, "tokens %lld", (long long)(vector ? vector : options_int(r->o, "embed")));
        if (chars)
            buf_printf(out, " chars %lld lstm %lld", (long long)chars, (long long)options_int(r->o, "char-hidden"));
        for (int k = 0; k < r->f.features; k++) buf_text(out, " feature 8");
        buf_text(out, "; ");
    }
    fit_recurrent(r->o, 128, !r->f.numbers, " bidirectional", out);
    if (drop > 0) buf_printf(out, "dropout %g; ", drop);
    buf_printf(out, "dense%s", r->chain ? "; crf" : "");
}
/* "of COUNT" behind the sizes of tokens, where it is not written: what the data have. */
static void fill_in(const tag_train_run *r, const char *text, buf *out)
{
    const char *end = strchr(text, ';');
    size_t n = end ? (size_t)(end - text) : strlen(text);
    int feature = -1;
    bool chars = false, counted = true;
    for (size_t at = 0; at < n;) {
        size_t blanks = strspn(text + at, " \t\n"), length = strcspn(text + at + blanks, " \t\n;");
        const char *word = text + at + blanks;
        bool number = length && word[0] >= '0' && word[0] <= '9';
        if (!length) break;
        if (!counted && !number) {
            bool given = length == 2 && !memcmp(word, "of", 2);
            if (!given && chars) buf_printf(out, " of %lld", (long long)r->f.letters + 1);
            if (!given && !chars)
                buf_printf(out, " of %d", feature < r->f.features ? intern_count(r->f.feature[feature].value) : 1);
            counted = true;
        }
        bool is_feature = length == 7 && !memcmp(word, "feature", 7);
        if (is_feature || (length == 5 && !memcmp(word, "chars", 5))) chars = !is_feature, counted = false;
        feature += is_feature;
        buf_add(out, text + at, blanks + length), at += blanks + length;
    }
    if (!counted && !chars)
        buf_printf(out, " of %d", feature < r->f.features ? intern_count(r->f.feature[feature].value) : 1);
    buf_text(out, text + n);
}
static laco_status wrong_count(int64_t given, const char *of, int64_t wanted, laco_error *err)
{
    return fail(err, LACO_EINVAL, -1, "the network has %lld %s, the data have %lld, that of unknown ones among them: take "
                "\"of %lld\" out of it",
                (long long)given, of, (long long)wanted, (long long)given);
}
static laco_status check_network(const tag_train_run *r, laco_error *err)
{
    const layer_spec *s = &r->m->net->d.layer[0];
    if (r->f.numbers && r->m->net->symbols)
        return fail(err, LACO_EINVAL, -1, "these steps are numbers, not words: take \"%s\" out of the network",
                    s->kind);
    if (!r->f.numbers && strcmp(s->kind, "tokens"))
        return fail(
            err, LACO_EINVAL, -1,
            "a network that reads words in columns begins with tokens, as in \"tokens 64 chars 16 lstm 32; lstm 128 "
            "bidirectional; dense; crf\"");
    if (s->features > r->f.features)
        return fail(err, LACO_EINVAL, -1, "the network reads %d features, the data have %d", s->features,
                    r->f.features);
    if (s->chars && s->alphabet != r->f.letters + 1)
        return wrong_count(s->alphabet, "characters", r->f.letters + 1, err);
    for (int k = 0; k < s->features; k++)
        if (s->feature_count[k] != intern_count(r->f.feature[k].value))
            return wrong_count(s->feature_count[k], "values of a feature", intern_count(r->f.feature[k].value), err);
    return LACO_OK;
}
/* Scores of what the scheme forbids: so low that no path goes there, in training as in use. */
#define FORBIDDEN (-10000.0)
static void forbid(const tag_train_run *r)
{
    net *n = r->m->net;
    int32_t K = intern_count(r->f.class);
    int64_t at = n->base[n->d.layers - 1];
    for (int32_t i = 0; i < K; i++) {
        const char *from = intern_text(r->f.class, i);
        for (int32_t k = 0; k < K; k++)
            if (!iobes_follows(from, intern_text(r->f.class, k))) net_set(n, at + i * K + k, FORBIDDEN);
        if (!iobes_follows(NULL, from)) net_set(n, at + K * K + i, FORBIDDEN);
        if (!iobes_follows(from, NULL)) net_set(n, at + K * K + K + i, FORBIDDEN);
    }
}
static laco_status make_network(tag_train_run *r, laco_error *err)
{
    buf text = { 0 }, whole = { 0 };
    const char *given = options_text(r->o, "model"), *head = options_text(r->o, "head");
    int64_t vector = 0;
    r->chain = strcmp(head, "auto") ? !strcmp(head, "crf") : r->f.scheme != SCHEME_NONE;
    laco_status st = read_vectors(r, false, &vector, err);
    if (st) return st;
    if (given)
        buf_text(&text, given);
    else
        shorthand(r, vector, &text);
    if (!text.failed) fill_in(r, text.data, &whole);
    int64_t inputs = r->f.numbers ? r->f.inputs : intern_count(r->f.word);
    st = text.failed || whole.failed
             ? fail_memory(err, text.len)
             : model_new(&r->m, whole.data, inputs, intern_count(r->f.class), (int)options_int(r->o, "threads"), err);
    buf_free(&text), buf_free(&whole);
    if (!st) st = check_network(r, err);
    if (st) return st;
    r->chain = !strcmp(r->m->net->d.layer[r->m->net->d.layers - 1].kind, "crf");
    if (vector && r->m->net->d.layer[0].size != vector)
        return fail(err, LACO_EINVAL, -1, "--vectors: they have %lld numbers, tokens of the network %lld",
                    (long long)vector, (long long)r->m->net->d.layer[0].size);
    st = fit_weights(r->m->net, r->o, options_real(r->o, "forget-bias"), err);
    if (!st) st = read_vectors(r, true, &vector, err);
    if (!st && r->chain && r->f.scheme != SCHEME_NONE) forbid(r);
    return st;
}

/* ---- batches ---- */
/* Sequences, cut into pieces of --steps where that is given. */
static laco_status list_rows(tag_train_run *r, int64_t most, laco_error *err)
{
    const tag_data *d = &r->part[PART_TRAIN];
    int64_t n = 0;
    for (int64_t k = 0; k < d->sentences; k++) {
        int64_t words = d->start[k + 1] - d->start[k];
        n += most ? ceil_div(words, most) : 1, r->longest = max64(r->longest, most ? min64(words, most) : words);
    }
    r->row = mem_new((size_t)n, sizeof *r->row), r->drawn = mem_new((size_t)n, sizeof *r->drawn), r->epoch = -1;
    if (!r->row || !r->drawn) return fail_memory(err, (size_t)n * sizeof *r->row);
    for (int64_t k = 0; k < d->sentences; k++)
        for (int64_t at = d->start[k], step; at < d->start[k + 1]; at += step) {
            step = most ? min64(most, d->start[k + 1] - at) : d->start[k + 1] - at;
            r->row[r->rows++] = (text_row){ at, step, 0 };
        }
    return LACO_OK;
}
static void say_where(void *ctx, int64_t position, char *to, size_t size)
{
    const tag_train_run *r = ctx;
    const tag_data *d = &r->part[PART_TRAIN];
    int64_t k = 0;
    while (k + 1 < d->sentences && d->start[k + 1] <= position) k++;
    snprintf(to, size, "step %lld of the %s at line %lld of %s", (long long)(position - d->start[k]) + 1,
             r->f.numbers ? "series" : "sentence", (long long)d->line[k], d->file);
}
static laco_status next_batch(void *ctx, int64_t epoch, int64_t k, train_batch *out, laco_error *err)
{
    tag_train_run *r = ctx;
    const tag_data *d = &r->part[PART_TRAIN];
    int64_t batch = r->fit.s.batch, from = k * batch;
    (void)err;
    if (r->epoch != epoch) {
        memcpy(r->drawn, r->row, (size_t)r->rows * sizeof *r->row);
        lm_draw_rows(r->drawn, r->rows, ALIKE * batch, r->fit.s.seed, epoch), r->epoch = epoch;
    }
    if (from >= r->rows) return LACO_OK;
    *out = (train_batch){ .ids = d->type,
                          .x = d->x,
                          .classes = d->class,
                          .lexicon = d->type ? &r->t.lex : NULL,
                          .row = r->drawn + from,
                          .B = min64(batch, r->rows - from),
                          .where = say_where,
                          .ctx = r };
    return LACO_OK;
}

/* ---- measuring ---- */
static laco_status measure_part(tag_train_run *r, int part, const volatile int *stop, laco_error *err)
{
    const tag_data *d = &r->part[part];
    tag_counts_free(&r->score[part]);
    laco_status st = tag_counts_new(&r->score[part], r->f.scheme != SCHEME_NONE, err);
    if (!st) st = tag_run(&r->runner, d, r->said, NULL, &r->loss[part], stop, err);
    return st || (stop && *stop) ? st : tag_judge(&r->score[part], &r->f, r->base, &r->t, d, r->said, err);
}
static laco_status validate(void *ctx, fit_score *out, laco_error *err)
{
    tag_train_run *r = ctx;
    const tag_counts *c = &r->score[PART_VALID];
    if (!r->part[PART_VALID].words) return LACO_OK;
    laco_status st = measure_part(r, PART_VALID, NULL, err);
    out->loss = r->loss[PART_VALID], out->tokens = r->part[PART_VALID].words;
    out->metric[METRIC_ACCURACY] = tag_accuracy(c), out->metric[METRIC_F1] = span_f1(c->all);
    return st;
}
static void say(void *ctx, const fit_score *s, char *to, size_t n)
{
    const tag_train_run *r = ctx;
    int used = snprintf(to, n, "%.4f accuracy %.2f", fit_loss(s), 100 * s->metric[METRIC_ACCURACY]);
    if (r->f.scheme != SCHEME_NONE && used > 0 && (size_t)used < n)
        snprintf(to + used, n - (size_t)used, " F1 %.2f", 100 * s->metric[METRIC_F1]);
}
static void score_json(void *ctx, json_out *o, const char *key, const fit_score *s)
{
    const tag_train_run *r = ctx;
    json_key(o, key), json_begin(o, '{');
    json_key(o, "loss"), json_number(o, fit_loss(s));
    json_key(o, "accuracy"), json_number(o, s->metric[METRIC_ACCURACY]);
    if (r->f.scheme != SCHEME_NONE) json_key(o, "f1"), json_number(o, s->metric[METRIC_F1]);
    json_end(o, '}');
}
static void part_json(const tag_train_run *r, int part, json_out *o)
{
    if (!r->score[part].types) return;
    json_key(o, part_names[part]), json_begin(o, '{');
    json_key(o, "loss"), json_number(o, r->loss[part] / (double)max64(1, r->part[part].words));
    tag_counts_json(&r->score[part], o);
    json_end(o, '}');
}
static void figures(void *ctx, json_out *o) { part_json(ctx, PART_TEST, o); }

/* ---- all of it ---- */
static laco_status open_fit(tag_train_run *r, laco_error *err)
{
    static const fit_task task = { .metric = metrics,
                                   .batch = next_batch,
                                   .measure = validate,
                                   .say = say,
                                   .score_json = score_json,
                                   .figures = figures };
    train_settings *s = &r->fit.s;
    laco_status st = fit_settings(&r->fit, r->o, r->m->net->k, err);
    if (!st) st = list_rows(r, s->steps, err);
    if (st) return st;
    s->loss = r->chain ? LOSS_CRF : LOSS_SOFTMAX, s->batch = min64(s->batch, r->rows), s->steps = r->longest;
    r->fit.windows = ceil_div(r->rows, s->batch);
    r->task = task;
    st = fit_open(&r->fit, r->j, &r->task, r, r->m, r->part[PART_TRAIN].words, err);
    if (!options_given(r->o, "best-by")) r->fit.judge = r->f.scheme != SCHEME_NONE ? METRIC_F1 : METRIC_ACCURACY;
    return st;
}
static laco_status prepare(tag_train_run *r, laco_error *err)
{
    const char *out = options_text(r->o, "out");
    int64_t most = 1;
    if (!out) return fail(err, LACO_EINVAL, -1, "--out is missing: where the model goes, such as model.safetensors");
    laco_status st = task_refuse_overwriting(r->j, "out", err);
    if (!st) st = task_refuse_overwriting(r->j, "log", err);
    if (!st) st = file_check_writable(out, err);
    if (!st) st = read_all(r, err);
    if (!st) st = make_network(r, err);
    if (!st && !r->f.numbers) st = tag_types_build(&r->t, &r->f, options_real(r->o, "unk-dropout"), err);
    if (!st) st = tag_base_new(&r->base, &r->f, &r->t, &r->part[PART_TRAIN], err);
    if (!st) st = tag_base_save(r->base, r->m, err);
    if (!st) st = tag_front_save(&r->f, r->m, err);
    if (st) return st;
    note_data(r);
    for (int part = 0; part < PARTS; part++) most = max64(most, r->part[part].words);
    if (!(r->said = mem_new((size_t)most, sizeof *r->said))) return fail_memory(err, (size_t)most * sizeof *r->said);
    tag_runner_init(&r->runner, r->m->net, r->f.numbers ? NULL : &r->t.lex, max64(32, options_int(r->o, "batch")));
    return open_fit(r, err);
}
static void report(const tag_train_run *r)
{
    for (int part = PART_VALID; part < PARTS; part++) {
        const char *names[2] = { r->f.numbers ? "most frequent tag" : "most frequent tag, endings", "this network" };
        const tag_counts *counts[2] = { &r->by_base[part], &r->score[part] };
        if (!r->score[part].types) continue;
        task_note(r->j, "%s", part == PART_VALID ? "validation" : "test");
        tag_note_table(r->j, names, counts, 2);
        if (part == PART_TEST || !r->part[PART_TEST].words) tag_note_types(r->j, &r->score[part]);
    }
    task_note(r->j, "model     %s (epoch %lld)", options_text(r->o, "out"), (long long)r->fit.c.best_epoch);
}
static void result_json(const tag_train_run *r)
{
    json_out o = { .to = r->j->result };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "tag");
    json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    json_key(&o, "scheme"), json_text(&o, scheme_names[r->f.scheme]);
    fit_json(&r->fit, &o);
    for (int part = PART_VALID; part < PARTS; part++) part_json(r, part, &o);
    json_key(&o, "baselines"), json_begin(&o, '{');
    json_key(&o, "most frequent tag"), json_begin(&o, '{');
    for (int part = PART_VALID; part < PARTS; part++)
        if (r->by_base[part].types) {
            json_key(&o, part_names[part]), json_begin(&o, '{');
            tag_counts_json(&r->by_base[part], &o), json_end(&o, '}');
        }
    json_end(&o, '}'), json_end(&o, '}'), json_end(&o, '}');
}
static laco_status finish(tag_train_run *r, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int part = PART_VALID; !st && part < PARTS; part++) {
        if (!r->part[part].words) continue;
        st = measure_part(r, part, NULL, err);
        if (!st) st = tag_counts_new(&r->by_base[part], r->f.scheme != SCHEME_NONE, err);
        if (!st) st = tag_base_judge(&r->by_base[part], r->base, &r->f, &r->t, &r->part[part], err);
    }
    if (!st) st = fit_save(&r->fit, err);
    if (!st) report(r), result_json(r);
    return st;
}
laco_status tag_train(task_job *j, laco_error *err)
{
    tag_train_run r = { .j = j, .o = j->o };
    laco_status st = prepare(&r, err);
    if (!st) st = fit_run(&r.fit, err);
    if (!st) st = finish(&r, err);
    fit_close(&r.fit), laco_model_free(r.m), tag_runner_free(&r.runner), tag_base_free(r.base);
    for (int part = 0; part < PARTS; part++) {
        tag_data_free(&r.part[part]), tag_counts_free(&r.score[part]), tag_counts_free(&r.by_base[part]);
    }
    mem_free(r.said), mem_free(r.row), mem_free(r.drawn), tag_types_free(&r.t), tag_front_free(&r.f);
    return st;
}
