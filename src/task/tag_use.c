/* Using a model of laco train tag.

   predict  sentences in columns, or with --text in plain lines: the same lines with the tag, with --probabilities its
            probability, and with --top-k the likeliest tags with theirs, as columns more; with --json an object for
            every sentence. Sentences are answered some at a time, as they come, in memory of a few hundred, and so are
            sets of series and sounds: a row for every step, or with --segments for every run of steps of one class.
            So are tables with --id; without it a table is one series.
   eval     the figures of training on data with tags, beside the baseline. */
#include "base/json.h"
#include "task/answers.h"
#include "task/series_options.h"
#include "task/tag.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

enum {
    CHUNK = 256,
    CHUNK_WORDS = 1 << 14,
    BATCH = 32
}; /* sentences and words that are answered together; side by side */
typedef struct tag_use {
    task_job *j;
    laco_model *m;
    table_input in;
    tag_front f;
    tag_types t;
    tag_data d;
    tag_runner run;
    int32_t *said;
    double *p; /* [words][classes] */
    int64_t room;
    intern *tag; /* that answers name */
    int32_t *tag_of, *order; /* [classes] which of them; the likeliest */
    double *q;               /* [tags] of a word */
    int64_t top;
    bool probabilities;
} tag_use;

static laco_status open_use(tag_use *u, task_job *j, laco_model *m, laco_error *err)
{
    *u = (tag_use){ .j = j, .m = m };
    laco_status st = tag_front_load(&u->f, m, options_text(j->o, "model-file"), err);
    if (!st) st = tag_types_new(&u->t, err);
    if (!st) st = table_input_open(&u->in, j, err);
    if (!st) st = intern_new(&u->tag, err);
    size_t K = st ? 0 : (size_t)intern_count(u->f.class);
    u->tag_of = mem_new(K, sizeof *u->tag_of), u->order = mem_new(K, sizeof *u->order), u->q = mem_new(K, sizeof *u->q);
    if (!st && (!u->tag_of || !u->order || !u->q)) st = fail_memory(err, K * sizeof *u->q);
    if (!st) st = tag_of_classes(&u->f, u->tag, u->tag_of, err);
    tag_runner_init(&u->run, m->net, u->f.numbers ? NULL : &u->t.lex, BATCH);
    return st;
}
static laco_status close_use(tag_use *u, laco_status st, laco_error *err)
{
    laco_status closed = table_input_close(&u->in, st ? NULL : err);
    tag_runner_free(&u->run), tag_data_free(&u->d), tag_types_free(&u->t), tag_front_free(&u->f);
    mem_free(u->said), mem_free(u->p), mem_free(u->tag_of), mem_free(u->order), mem_free(u->q), intern_free(u->tag);
    return st ? st : closed;
}
static laco_status predict_options(tag_use *u, laco_error *err)
{
    const options *o = u->j->o;
    u->probabilities = options_flag(o, "probabilities");
    u->top = min64(options_int(o, "top-k"), intern_count(u->tag));
    if (options_flag(o, "every-step"))
        return fail(err, LACO_EINVAL, -1, "--every-step: a tagger answers every step as it is; leave it out");
    if (options_flag(o, "segments") && !u->f.numbers)
        return fail(err, LACO_EINVAL, -1, "--segments is for series and sounds; spans of words are in --json");
    if (options_flag(o, "text") && u->f.numbers)
        return fail(err, LACO_EINVAL, -1, "--text: this model reads rows of numbers, not words");
    return LACO_OK;
}
/* Probabilities of the tags of a word. */
static const double *tags_of(const tag_use *u, int64_t word)
{
    const double *p = u->p + word * u->m->net->outputs;
    for (int32_t k = 0; k < intern_count(u->tag); k++) u->q[k] = 0;
    for (int32_t k = 0; k < intern_count(u->f.class); k++) u->q[u->tag_of[k]] += p[k];
    if (u->top) answers_rank(u->q, intern_count(u->tag), u->top, u->order);
    return u->q;
}
/* Classes of what was read, and probabilities where they are wanted. */
static laco_status answer(tag_use *u, bool probabilities, double *loss, laco_error *err)
{
    int64_t words = u->d.words;
    laco_status st = u->f.numbers ? LACO_OK : tag_types_build(&u->t, &u->f, 0, err);
    if (!st && words > u->room) {
        mem_free(u->said), mem_free(u->p), u->p = NULL, u->room = 0;
        u->said = mem_new((size_t)words, sizeof *u->said);
        if (probabilities) u->p = mem_new((size_t)(words * u->m->net->outputs), sizeof *u->p);
        if (!u->said || (probabilities && !u->p)) return fail_memory(err, (size_t)words * sizeof *u->said);
        u->room = words;
    }
    if (!st) st = tag_run(&u->run, &u->d, u->said, u->p, loss, u->j->stop, err);
    if (!st && *u->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before all was answered");
    return st;
}

/* ---- predict: sentences ---- */
typedef struct sheet {
    tag_use *u;
    file_writer *file; /* NULL: standard output */
    buf text;
    bool json, is_u, told;
    const char **name; /* [name_room] tags of a sentence */
    int64_t name_room;
} sheet;
static laco_status hand_over(sheet *s, laco_error *err)
{
    laco_status st = s->text.failed ? fail_memory(err, s->text.len) : LACO_OK;
    if (!st && s->file && s->text.len) st = file_write(s->file, s->text.data, s->text.len, err);
    if (!st && !s->file) task_out_buf(s->u->j, &s->text);
    s->text.len = 0;
    return st;
}
static void put_word(sheet *s, const char *between, const char *tag, int64_t word)
{
    const tag_use *u = s->u;
    const double *p = u->probabilities || u->top ? tags_of(u, word) : NULL;
    buf_printf(&s->text, "%s%s", between, tag);
    if (u->probabilities) buf_printf(&s->text, "%s%.4f", between, p[u->tag_of[u->said[word]]]);
    for (int64_t k = 0; k < u->top; k++)
        buf_printf(&s->text, "%s%s%s%.4f", between, intern_text(u->tag, u->order[k]), between, p[u->order[k]]);
}
static void put_columns(sheet *s, const conll_sentence *q, int64_t from)
{
    const int64_t columns = 1 + s->u->probabilities + 2 * s->u->top;
    for (int64_t i = 0; i < q->lines; i++) {
        const conll_line *l = &q->line[i];
        const char *text = q->text + l->whole.at, *between = memchr(text, '\t', (size_t)l->whole.n) ? "\t" : " ";
        buf_add(&s->text, text, (size_t)l->whole.n);
        if (l->word >= 0) put_word(s, between, s->name[l->word], from + l->word);
        for (int64_t k = 0; l->word < 0 && s->is_u && text[0] != '#' && k < columns; k++) buf_text(&s->text, "\t_");
        buf_text(&s->text, "\n");
    }
    buf_text(&s->text, "\n");
}
static void put_spans(const sheet *s, json_out *o, const conll_sentence *q, tag_span *span)
{
    int64_t n = spans_of(s->name, q->words, span);
    json_key(o, "spans"), json_begin(o, '[');
    for (int64_t k = 0; k < n; k++) {
        const conll_part first = q->cell[span[k].from * q->columns + CONLL_WORD];
        buf text = { 0 };
        buf_add(&text, q->text + first.at, (size_t)first.n);
        for (int64_t i = span[k].from + 1; i < span[k].end; i++) {
            const conll_part next = q->cell[i * q->columns + CONLL_WORD];
            buf_text(&text, " "), buf_add(&text, q->text + next.at, (size_t)next.n);
        }
        json_begin(o, '{');
        json_key(o, "type"), json_text(o, span[k].type);
        json_key(o, "from"), json_int(o, span[k].from);
        json_key(o, "end"), json_int(o, span[k].end);
        if (!text.failed) json_key(o, "text"), json_string(o, text.data, text.len);
        json_end(o, '}');
        buf_free(&text);
    }
    json_end(o, ']');
}
static void put_share(json_out *o, double p) { json_number(o, round(1e6 * p) / 1e6); }
/* The tags of a word, in this order or as they are numbered: {"tag": probability, …} */
static void put_likeliest(const tag_use *u, json_out *o, int64_t word, const int32_t *order, int64_t n)
{
    const double *p = tags_of(u, word);
    json_begin(o, '{');
    for (int32_t i = 0; i < n; i++) {
        int32_t k = order ? order[i] : i;
        json_key(o, intern_text(u->tag, k)), put_share(o, p[k]);
    }
    json_end(o, '}');
}
static laco_status put_object(sheet *s, const conll_sentence *q, int64_t from, laco_error *err)
{
    const tag_use *u = s->u;
    json_out o = { .to = &s->text };
    tag_span *span = mem_new((size_t)q->words + 1, sizeof *span);
    if (!span) return fail_memory(err, (size_t)q->words * sizeof *span);
    json_begin(&o, '{');
    json_key(&o, "line"), json_int(&o, q->line[0].number);
    json_key(&o, "words"), json_begin(&o, '[');
    for (int64_t i = 0; i < q->words; i++) {
        const conll_part word = q->cell[i * q->columns + CONLL_WORD];
        json_string(&o, q->text + word.at, (size_t)word.n);
    }
    json_end(&o, ']');
    json_key(&o, "tags"), json_begin(&o, '[');
    for (int64_t i = 0; i < q->words; i++) json_text(&o, s->name[i]);
    json_end(&o, ']');
    json_key(&o, "p"), json_begin(&o, '[');
    for (int64_t i = 0; i < q->words; i++) put_share(&o, tags_of(u, from + i)[u->tag_of[u->said[from + i]]]);
    json_end(&o, ']');
    if (u->f.scheme != SCHEME_NONE) put_spans(s, &o, q, span);
    if (u->top) {
        json_key(&o, "top"), json_begin(&o, '[');
        for (int64_t i = 0; i < q->words; i++) put_likeliest(u, &o, from + i, u->order, u->top);
        json_end(&o, ']');
    }
    if (u->probabilities) {
        json_key(&o, "probabilities"), json_begin(&o, '[');
        for (int64_t i = 0; i < q->words; i++) put_likeliest(u, &o, from + i, NULL, intern_count(u->tag));
        json_end(&o, ']');
    }
    json_end(&o, '}');
    buf_text(&s->text, "\n");
    mem_free(span);
    return LACO_OK;
}
/* Answers the n sentences that were read. */
static laco_status put_sentences(sheet *s, const conll_sentence *q, int64_t n, laco_error *err)
{
    tag_use *u = s->u;
    laco_status st = answer(u, s->json || u->probabilities || u->top, NULL, err);
    for (int64_t k = 0; !st && k < n; k++) {
        if (q[k].words > s->name_room) {
            mem_free(s->name), s->name_room = 0;
            if (!(s->name = mem_new((size_t)q[k].words, sizeof *s->name)))
                return fail_memory(err, (size_t)q[k].words * 8);
            s->name_room = q[k].words;
        }
        st = tag_names(&u->f, u->said + u->d.start[k], q[k].words, s->name, err);
        if (!st && s->json)
            st = put_object(s, &q[k], u->d.start[k], err);
        else if (!st)
            put_columns(s, &q[k], u->d.start[k]);
    }
    tag_data_clear(&u->d), tag_types_free(&u->t);
    return st ? st : tag_types_new(&u->t, err);
}
static laco_status read_on(sheet *s, conll *c, conll_sentence *all, int64_t *n, laco_error *err)
{
    tag_use *u = s->u;
    for (*n = 0; *n < CHUNK && u->d.words < CHUNK_WORDS && !*u->j->stop; ++*n) {
        if (*n && conll_waits(c)) return LACO_OK;
        laco_status st = conll_next(c, &all[*n], err);
        if (st || !all[*n].words) return st;
        s->is_u = conll_is_u(c);
        for (int64_t i = 0; i < all[*n].words; i++) all[*n].cell[i * all[*n].columns + CONLL_TAG].n = 0;
        if ((st = tag_add_sentence(&u->d, &u->f, &u->t, &all[*n], NULL, err))) return st;
    }
    return LACO_OK;
}
/* A plain sentence looks like one word with many columns. */
static void note_form(sheet *s, const conll *c, const conll_sentence *first)
{
    s->told = true;
    if (first->words == 1 && conll_columns(c) > 2 && !s->is_u && !options_flag(s->u->j->o, "text"))
        task_note(s->u->j, "note      every line is read as one word with its columns; plain sentences are read with --text");
}
static laco_status predict_words(tag_use *u, laco_error *err)
{
    const options *o = u->j->o;
    const tag_source source = { .j = u->j, .in = &u->in, .text = options_flag(o, "text"), .untagged = true };
    conll_options co = tag_conll(&u->f, &source);
    const char *path = options_text(o, "out"), *data = options_text(o, "data");
    sheet s = { .u = u, .json = options_flag(o, "json") };
    conll_sentence *all = mem_new(CHUNK, sizeof *all);
    conll *c = NULL;
    int64_t n = 1;
    co.hint = "plain sentences are read with --text";
    laco_status st = all ? task_refuse_overwriting(u->j, "out", err) : fail_memory(err, CHUNK * sizeof *all);
    if (!st && u->j->text[TEXT_DATA])
        st = conll_open_bytes(&c, u->j->text[TEXT_DATA], u->j->length[TEXT_DATA], "data", &co, err);
    else if (!st)
        st = conll_open(&c, data ? data : "-", &co, err);
    if (!st && path && strcmp(path, "-")) st = file_create(&s.file, path, err);
    while (!st && n) {
        st = read_on(&s, c, all, &n, err);
        if (!st && n && !s.told) note_form(&s, c, &all[0]);
        if (!st && n) st = put_sentences(&s, all, n, err);
        if (!st) st = hand_over(&s, err);
    }
    if (!st && *u->j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before all sentences were answered");
    if (!st && s.file)
        st = file_commit(s.file, err);
    else
        file_abandon(s.file);
    for (int64_t k = 0; all && k < CHUNK; k++) conll_sentence_free(&all[k]);
    conll_close(c), mem_free(all), mem_free(s.name), buf_free(&s.text);
    return st;
}

/* ---- predict: series ---- */
typedef struct steps_sheet {
    tag_use *u;
    answers *to;
    bool segments, times; /* times: seconds of sounds */
    double hop, middle;                  /* seconds from step to step, and of the first */
    const char **name;                   /* of the classes of a series */
    int64_t room, told;
} steps_sheet;
enum { MOST_CLASSES = 1 << 10 };
static laco_status open_steps(steps_sheet *s, bool named, laco_error *err)
{
    tag_use *u = s->u;
    const char *classes[MOST_CLASSES], *title = u->f.tags_column ? u->f.tags_column : s->times ? "label" : "tag";
    int32_t K = (int32_t)min64(intern_count(u->tag), MOST_CLASSES);
    char name[96];
    for (int32_t k = 0; k < K; k++) classes[k] = intern_text(u->tag, k);
    laco_status st = answers_open(&s->to, u->j, err);
    if (st) return st;
    answers_column(s->to, named ? "name" : "series");
    if (!s->segments) answers_column(s->to, "step");
    if (!s->segments && s->times) answers_column(s->to, "time");
    if (s->segments) answers_column(s->to, "start"), answers_column(s->to, "end");
    answers_column(s->to, title);
    for (int64_t k = 1; k <= u->top; k++) {
        snprintf(name, sizeof name, "%.60s %lld", title, (long long)k), answers_column(s->to, name);
        snprintf(name, sizeof name, "probability %lld", (long long)k), answers_column(s->to, name);
    }
    if (u->probabilities) answers_group(s->to, "p", classes, K);
    return LACO_OK;
}
static void put_series(const steps_sheet *s, const char *name, int64_t number)
{
    if (name)
        answers_text(s->to, name, strlen(name));
    else
        answers_int(s->to, number);
}
/* Steps from .. to - 1 of a series: one, or a run of one class. */
static laco_status put_steps(const steps_sheet *s, int64_t first, int64_t from, int64_t to, laco_error *err)
{
    const tag_use *u = s->u;
    if (s->segments && s->times) {
        answers_real(s->to, from ? (float)(s->middle + ((double)from - 0.5) * s->hop) : 0);
        answers_real(s->to, (float)(s->middle + ((double)to - 0.5) * s->hop));
    } else {
        answers_int(s->to, from + 1);
        if (s->segments) answers_int(s->to, to);
        if (s->times) answers_real(s->to, (float)(s->middle + (double)from * s->hop));
    }
    answers_text(s->to, s->name[from], strlen(s->name[from]));
    const double *p = u->probabilities || u->top ? tags_of(u, first + from) : NULL;
    for (int64_t k = 0; k < u->top; k++) {
        const char *name = intern_text(u->tag, u->order[k]);
        answers_text(s->to, name, strlen(name)), answers_number(s->to, p[u->order[k]]);
    }
    for (int64_t k = 0; u->probabilities && k < min64(intern_count(u->tag), MOST_CLASSES); k++)
        answers_number(s->to, p[k]);
    return answers_row(s->to, err);
}
static laco_status name_steps(steps_sheet *s, int64_t from, int64_t n, laco_error *err)
{
    if (n > s->room) {
        mem_free(s->name), s->room = 0;
        if (!(s->name = mem_new((size_t)n, sizeof *s->name))) return fail_memory(err, (size_t)n * sizeof *s->name);
        s->room = n;
    }
    return tag_names(&s->u->f, s->u->said + from, n, s->name, err);
}
/* The series that were read, with their names or, where they have none, numbers. */
static laco_status put_all(steps_sheet *s, char *const *names, laco_error *err)
{
    tag_use *u = s->u;
    laco_status st = answer(u, u->probabilities || u->top, NULL, err);
    if (!st && !s->to) st = open_steps(s, names != NULL, err);
    for (int64_t k = 0; !st && k < u->d.sentences; k++) {
        int64_t from = u->d.start[k], n = u->d.start[k + 1] - from;
        st = name_steps(s, from, n, err), s->told++;
        for (int64_t i = 0, to; !st && i < n; i = to) {
            for (to = i + 1; s->segments && to < n && !strcmp(s->name[to], s->name[i]); to++) continue;
            put_series(s, names ? names[k] : NULL, s->told);
            st = put_steps(s, from, i, to, err);
        }
    }
    return st ? st : answers_pause(s->to, err);
}
static laco_status answer_set(void *ctx, series_set *set, laco_error *err)
{
    steps_sheet *s = ctx;
    sound_times(&s->u->f.prepare.sound, &s->hop, &s->middle);
    s->times = set->rate > 0;
    tag_data_clear(&s->u->d);
    laco_status st = tag_add_series(&s->u->d, &s->u->f, set, false, NULL, err);
    if (!st) st = put_all(s, set->name, err);
    series_free(set);
    return st;
}
/* A table of series that lie together, some records at a time. */
static laco_status answer_table(steps_sheet *s, const tag_source *source, laco_error *err)
{
    tag_use *u = s->u;
    table_reader *r = NULL;
    table *t = NULL;
    intern *ids = NULL;
    laco_status st = task_open_table(&u->in, TEXT_DATA, &r, err);
    if (!st) st = intern_new(&ids, err);
    while (!st && r && !(st = table_next_runs(r, u->f.id_column, RUN_RECORDS, &t, err)) && t) {
        tag_data_clear(&u->d);
        if (!(st = intern_forget(&ids, RUN_NAMES, err))) st = tag_add_table(&u->d, &u->f, t, ids, source, false, NULL, err);
        table_free(t);
        if (!st) st = put_all(s, NULL, err);
    }
    intern_free(ids), table_close(r);
    return st;
}
static laco_status predict_numbers(tag_use *u, laco_error *err)
{
    const tag_source source = { .j = u->j, .in = &u->in, .untagged = true };
    const char *path = u->j->text[TEXT_DATA] ? NULL : options_text(u->j->o, "data");
    steps_sheet s = { .u = u, .segments = options_flag(u->j->o, "segments") };
    laco_status st = LACO_OK;
    if (s.segments && (u->probabilities || u->top))
        return fail(err, LACO_EINVAL, -1, "--segments has a row for several steps: leave --%s out",
                    u->probabilities ? "probabilities" : "top-k");
    if (path && series_known(path)) {
        const series_parts to = { CHUNK, answer_set, &s };
        st = task_read_series(path, tag_series_options(&u->f, NULL), &to, u->j, err);
    } else if (u->f.id_column)
        st = answer_table(&s, &source, err);
    else if (!(st = tag_data_read(&u->d, &u->f, &u->t, TEXT_DATA, &source, false, NULL, err)) && u->d.words)
        st = put_all(&s, NULL, err);
    if (!st && !s.to) st = fail(err, LACO_EFORMAT, -1, "--data holds no series to answer");
    mem_free(s.name);
    return answers_close(s.to, st, err);
}
laco_status tag_predict(task_job *j, laco_model *m, laco_error *err)
{
    tag_use u;
    laco_status st = open_use(&u, j, m, err);
    if (!st) st = predict_options(&u, err);
    if (!st) st = u.f.numbers ? predict_numbers(&u, err) : predict_words(&u, err);
    return close_use(&u, st, err);
}

/* ---- eval ---- */
static laco_status judge(tag_use *u, const tag_base *b, tag_counts count[2], double *loss, laco_error *err)
{
    laco_status st = answer(u, false, loss, err);
    for (int i = 0; !st && i < 2; i++) st = tag_counts_new(&count[i], u->f.scheme != SCHEME_NONE, err);
    if (!st) st = tag_base_judge(&count[0], b, &u->f, &u->t, &u->d, err);
    return st ? st : tag_judge(&count[1], &u->f, b, &u->t, &u->d, u->said, err);
}
/* Tags that the model does not have are never right. */
static laco_status note_unknown(const tag_use *u, laco_error *err)
{
    int64_t tags = 0, unknown = 0;
    char a[32];
    for (int64_t i = 0; i < u->d.words; i++) tags += u->d.tag[i] >= 0, unknown += u->d.tag[i] >= 0 && u->d.class[i] < 0;
    if (!tags) return fail(err, LACO_EFORMAT, -1, "%s has no tags to judge by", u->d.file);
    if (unknown)
        task_note(u->j, "note      %s words of %s have tags that the model does not know: they count as wrong",
                  task_count(unknown, a), u->d.file);
    return LACO_OK;
}
laco_status tag_eval(task_job *j, laco_model *m, laco_error *err)
{
    static const char *const names[2] = { "most frequent tag", "this network" };
    tag_use u;
    tag_base *b = NULL;
    tag_counts count[2] = { { 0 }, { 0 } };
    double loss = 0;
    laco_status st = open_use(&u, j, m, err);
    const tag_source source = { .j = j, .in = &u.in };
    if (!st) st = tag_base_load(&b, m, err);
    if (!st) st = tag_data_read(&u.d, &u.f, &u.t, TEXT_DATA, &source, false, NULL, err);
    if (!st && !u.d.words) st = fail(err, LACO_EINVAL, -1, "--data is missing: what to answer, with its tags");
    if (!st) st = tag_classes(&u.f, &u.d, false, err);
    if (!st) st = note_unknown(&u, err);
    if (!st) st = judge(&u, b, count, &loss, err);
    if (!st) {
        tag_note_table(j, names, (const tag_counts *const[]){ &count[0], &count[1] }, 2);
        tag_note_types(j, &count[1]);
        json_out o = { .to = j->result };
        json_begin(&o, '{');
        json_key(&o, "task"), json_text(&o, "tag");
        json_key(&o, "loss"), json_number(&o, loss / (double)u.d.words);
        tag_counts_json(&count[1], &o);
        json_key(&o, "baseline"), json_begin(&o, '{'), tag_counts_json(&count[0], &o), json_end(&o, '}');
        json_end(&o, '}');
    }
    tag_counts_free(&count[0]), tag_counts_free(&count[1]), tag_base_free(b);
    return close_use(&u, st, err);
}
