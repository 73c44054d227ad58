/* Language models through laco_job_*, as a program would use them: training, evaluation, scores, sampling, and what
   happens when the input is bad. Numbers are checked against counts and against laco_step_symbol by hand. */
#include "base/file.h"
#include "base/json.h"
#include "data/text.h"
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- running jobs ---- */
typedef struct outcome {
    laco_status status;
    laco_error err;
    buf out;
    char *json; /* figures */
    int notes;
    laco_job *job;
    int stop_after; /* notes; 0: never */
} outcome;

static void on_note(void *ctx, const char *line)
{
    outcome *r = ctx;
    assert_null(strchr(line, '\n'));
    if (++r->notes == r->stop_after) laco_job_stop(r->job);
}
static void on_out(void *ctx, const char *bytes, size_t n) { buf_add(&((outcome *)ctx)->out, bytes, n); }

/* options: "name=value name=value"; a value may hold blanks when it stands in '' */
static laco_status set_options(laco_job *job, const char *options, laco_error *err)
{
    char copy[1024], *at = copy;
    laco_status st = LACO_OK;
    snprintf(copy, sizeof copy, "%s", options);
    while (*at && !st) {
        char *name = at, *value = strchr(at, '=');
        assert_non_null(value);
        *value++ = 0;
        char end = *value == '\'' ? '\'' : ' ';
        value += end == '\'';
        at = value + strcspn(value, end == '\'' ? "'" : " ");
        if (*at) *at++ = 0;
        at += strspn(at, " ");
        st = laco_job_set(job, name, value, err);
    }
    return st;
}
static outcome start(const char *command, const char *options)
{
    outcome r = { 0 };
    assert_int_equal(laco_job_new(&r.job, command, &r.err), LACO_OK);
    r.status = set_options(r.job, options, &r.err);
    return r;
}
static void go(outcome *r)
{
    laco_watch watch = { .size = sizeof watch, .ctx = r, .note = on_note, .out = on_out };
    if (!r->status) r->status = laco_job_run(r->job, &watch, &r->err);
    const char *figures = laco_job_result(r->job);
    r->json = mem_text(figures, strlen(figures));
    laco_job_free(r->job);
}
static outcome run(const char *command, const char *options)
{
    outcome r = start(command, options);
    go(&r);
    return r;
}
static outcome train_text(const char *text, const char *options)
{
    outcome r = start("train lm", options);
    assert_int_equal(laco_job_text(r.job, "data", text, strlen(text), NULL), LACO_OK);
    go(&r);
    return r;
}
static void done(outcome *r) { buf_free(&r->out), mem_free(r->json); }
static void succeed(outcome r)
{
    if (r.status) fail_msg("%s", r.err.msg);
    done(&r);
}
/* In double precision, unlike the check of cmocka, and NaN is near nothing. */
static void check_near(double x, double y, double tolerance, int line)
{
    if (!(fabs(x - y) <= tolerance)) fail_msg("line %d: %.9g is not within %g of %.9g", line, x, tolerance, y);
}
#define assert_near(x, y, tolerance) check_near(x, y, tolerance, __LINE__)

/* The number at "valid.nats", or NaN. */
static double figure(const outcome *r, const char *path)
{
    json_doc *d;
    char key[64];
    double x = NAN;
    if (r->status) fail_msg("%s", r->err.msg);
    assert_int_equal(json_parse(&d, r->json, strlen(r->json), NULL), LACO_OK);
    const json *j = json_root(d);
    while (j && *path) {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        j = json_get(j, key);
        path += n + (path[n] == '.');
    }
    if (j && j->kind == JSON_NUMBER) x = j->number;
    json_free(d);
    return x;
}

/* ---- texts and files ---- */
/* Lines c--c with c one of abcd: who remembers c needs log(4)/5 nats a symbol; who sees one symbol needs 1.109. */
static char *pairs_text(int lines)
{
    char *text = malloc((size_t)lines * 5 + 1);
    unsigned x = 12345;
    assert_non_null(text);
    for (int i = 0; i < lines; i++) {
        x = x * 1664525u + 1013904223u;
        char c = (char)('a' + (x >> 16) % 4);
        memcpy(text + 5 * i, (char[]){ c, '-', '-', c, '\n' }, 5);
    }
    text[5 * lines] = 0;
    return text;
}
static double bigram_entropy(const char *text)
{
    static double pair[256][256], one[256];
    double h = 0;
    memset(pair, 0, sizeof pair), memset(one, 0, sizeof one);
    size_t n = strlen(text) - 1;
    for (size_t i = 0; i < n; i++)
        pair[(unsigned char)text[i]][(unsigned char)text[i + 1]]++, one[(unsigned char)text[i]]++;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++)
            if (pair[a][b] > 0) h -= pair[a][b] * log(pair[a][b] / one[a]);
    return h / (double)n;
}
static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}
static char *read_file(const char *path, size_t *n)
{
    char *bytes;
    assert_int_equal(file_read(path, 1 << 24, &bytes, n, NULL), LACO_OK);
    return bytes;
}
static bool same_files(const char *a, const char *b)
{
    size_t n, m;
    char *x = read_file(a, &n), *y = read_file(b, &m);
    bool same = n == m && memcmp(x, y, n) == 0;
    mem_free(x), mem_free(y);
    return same;
}
static bool exists(const char *path) { return access(path, F_OK) == 0; }

static char folder[] = "/tmp/test-lm-XXXXXX";
#define SMALL "model='embed 4; elman 8; dense' epochs=2 batch=4 steps=8 ngram=0 threads=1 "
static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder) || chdir(folder)) return -1;
    char *text = pairs_text(500);
    write_file("pairs.txt", text, strlen(text));
    free(text);
    /* char.st: well trained; word.st: a little */
    succeed(run("train lm",
                "data=pairs.txt out=char.st model='embed 8; lstm 16; dense' epochs=40 batch=8 steps=20 lr=0.02 "
                "init=orthogonal ngram=0 threads=1"));
    succeed(train_text("the cat saw the dog\nthe dog saw a mouse\na mouse saw the cat\nthe cat saw a bird\n",
                       SMALL "out=word.st unit=word min-count=2 split=0"));
    return 0;
}
static int tear_down(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") || system(command);
}

/* ---- training ---- */
static void learns_more_than_a_bigram(void **state)
{
    (void)state;
    char *text = pairs_text(600);
    double bigram = bigram_entropy(text), floor = log(4) / 5;
    assert_near(bigram, 1.109, 0.02);
    static const char *const modes[] = { "mode=stream ", "mode=line " };
    for (int m = 0; m < 2; m++) {
        char options[512];
        snprintf(options, sizeof options,
                 "%s out=learn.st model='embed 8; gru 16; dense' epochs=30 batch=8 steps=20 lr=0.02 "
                 "init=orthogonal ngram=2 threads=1",
                 modes[m]);
        outcome r = train_text(text, options);
        double valid = figure(&r, "valid.nats");
        assert_near(figure(&r, "baselines.uniform.nats"), log(6), 1e-12);
        assert_near(figure(&r, "baselines.2-gram Kneser-Ney.nats"), bigram, 0.1);
        assert_true(valid < bigram / 2);
        assert_near(valid, floor, 0.05);
        assert_near(figure(&r, "train.nats"), floor, 0.05);
        assert_near(figure(&r, "valid.bits"), valid / log(2), 1e-12);
        assert_near(figure(&r, "valid.perplexity"), exp(valid), 1e-12);
        assert_int_equal(figure(&r, "valid.tokens") + figure(&r, "train.tokens"), 3000);
        assert_int_equal(figure(&r, "epochs"), 30);
        assert_int_equal(figure(&r, "vocabulary"), 6);
        done(&r);
    }
    free(text);
}

static void same_bytes_for_any_threads(void **state)
{
    (void)state;
    static const char *const modes[] = { "mode=stream", "mode=line" };
    for (int m = 0; m < 2; m++) {
        char options[512], path[32];
        for (int t = 1; t <= 4; t++) { /* the fourth has another seed */
            snprintf(options, sizeof options,
                     "%s data=pairs.txt out=threads%d.st threads=%d seed=%d epochs=2 batch=24 steps=16 "
                     "ngram=0 model='embed 24; dropout 0.2; lstm 40 x2; dense'",
                     modes[m], t, t % 4 + t / 4 * 2, t / 4 + 1);
            succeed(run("train lm", options));
            snprintf(path, sizeof path, "threads%d.st", t);
            assert_int_equal(same_files("threads1.st", path), t < 4);
        }
    }
}

static const struct {
    const char *options, *text;
    int vocabulary, train, valid, test;
} vocabularies[] = {
    { "split=0", "Abab\nBA\n", 5, 8, 0, 0 },
    { "split=0 lower=true", "Abab\nBA\n", 3, 8, 0, 0 },
    { "split=0 unit=byte", "\303\244\303\266", 3, 3, 0, 0 }, /* nothing stands before the first byte */
    { "split=0 unit=char", "\303\244\303\266", 2, 1, 0, 0 },
    { "split=0 unit=word", "a b a c\na\n", 5, 7, 0, 0 },
    { "split=0 unit=word min-count=2", "a b a c\na\n", 3, 7, 0, 0 },
    { "split=0 unit=word vocab-size=4", "a b a b c\na\n", 4, 8, 0, 0 },
    { "split=0 unit=word lower=true", "A a B\n", 4, 4, 0, 0 },
    { "split=0.25 unit=char", "abababab", 2, 5, 2, 0 },
    { "valid=other.txt test=other.txt", "ab\nab\n", 3, 6, 4, 4 }, /* other.txt: ba, a z that is left out, and a break */
};
static void vocabulary_and_texts(void **state)
{
    (void)state;
    write_file("other.txt", "bzab\n", 5);
    for (size_t i = 0; i < sizeof vocabularies / sizeof *vocabularies; i++) {
        char options[512];
        snprintf(options, sizeof options, SMALL "out=v.st %s", vocabularies[i].options);
        outcome r = train_text(vocabularies[i].text, options);
        assert_int_equal(figure(&r, "vocabulary"), vocabularies[i].vocabulary);
        assert_int_equal(figure(&r, "train.tokens"), vocabularies[i].train);
        double valid = figure(&r, "valid.tokens"), test = figure(&r, "test.tokens");
        assert_int_equal(isnan(valid) ? 0 : valid, vocabularies[i].valid);
        assert_int_equal(isnan(test) ? 0 : test, vocabularies[i].test);
        done(&r);
    }
}

/* ---- evaluation and scores ---- */
static void evaluation_is_the_validation_of_training(void **state)
{
    (void)state;
    char *other = pairs_text(90);
    write_file("held.txt", other + 100, strlen(other) - 100);
    free(other);
    static const char *const modes[] = { "stream", "line" };
    for (int m = 0; m < 2; m++) {
        char options[512];
        snprintf(options, sizeof options, SMALL "data=pairs.txt valid=held.txt test=held.txt out=e.st mode=%s",
                 modes[m]);
        outcome r = run("train lm", options), e = run("eval", "model-file=e.st data=held.txt batch=4 steps=8");
        outcome wide = run("eval", "model-file=e.st data=held.txt batch=4 steps=50");
        assert_near(figure(&e, "data.nats"), figure(&r, "valid.nats"), 1e-9);
        assert_near(figure(&e, "data.nats"), figure(&r, "test.nats"), 1e-9);
        assert_near(figure(&e, "data.nats"), figure(&wide, "data.nats"), 1e-6);
        assert_int_equal(figure(&e, "data.tokens"), 350);
        assert_non_null(strstr(e.out.data, "350 symbols"));
        done(&r), done(&e), done(&wide);
    }
}

/* A long text is measured in several places at once, each with symbols before it that do not count. */
static void measuring_in_parallel_counts_every_symbol_once(void **state)
{
    (void)state;
    outcome one = run("eval", "model-file=char.st data=pairs.txt batch=1"),
            many = run("eval", "model-file=char.st data=pairs.txt");
    assert_int_equal(figure(&one, "data.tokens"), 2500);
    assert_int_equal(figure(&many, "data.tokens"), 2500);
    assert_near(figure(&many, "data.nats"), figure(&one, "data.nats"), 1e-4);
    assert_near(figure(&many, "data.nats"), log(4) / 5, 0.02);
    done(&one), done(&many);
}

/* Validation that gets worse: what is kept is the best, and patience ends the training. */
static void the_best_is_kept(void **state)
{
    (void)state;
    char *text = pairs_text(80);
    write_file("shape.txt", text, strlen(text));
    for (char *c = text; *c; c++) *c = *c == 'd' ? 'a' : *c == 'a' ? 'd' : *c;
    for (char *c = text; *c; c += 5) c[3] = c[3] == 'd' ? 'a' : 'd'; /* remembering is wrong here */
    write_file("misled.txt", text, strlen(text));
    free(text);
    outcome r =
        run("train lm",
            "data=shape.txt valid=misled.txt test=misled.txt out=best.st model='embed 8; lstm 16; dense' epochs=60 "
            "batch=4 steps=20 lr=0.02 init=orthogonal ngram=0 threads=1 patience=3");
    outcome e = run("eval", "model-file=best.st data=misled.txt batch=4");
    assert_true(figure(&r, "best_epoch") > 1 && figure(&r, "epochs") < 60);
    assert_int_equal(figure(&r, "epochs"), figure(&r, "best_epoch") + 3);
    assert_near(figure(&r, "test.nats"), figure(&r, "valid.nats"), 1e-9);
    assert_near(figure(&e, "data.nats"), figure(&r, "valid.nats"), 1e-6);
    done(&r), done(&e);
}

/* A model opened by hand. */
typedef struct hand {
    laco_model *m;
    vocab *v;
    void *state, *copy;
    float *logits;
    double *p;
    int V;
} hand;
static void hand_open(hand *h, const char *path)
{
    assert_int_equal(laco_model_load(&h->m, path, NULL), LACO_OK);
    const char *voc = laco_model_metadata(h->m, "vocabulary");
    assert_int_equal(vocab_from_json(&h->v, voc, strlen(voc), NULL), LACO_OK);
    h->V = vocab_size(h->v);
    h->state = aligned_alloc(64, (laco_state_size(h->m, 1) + 63) / 64 * 64);
    h->copy = aligned_alloc(64, (laco_state_size(h->m, 1) + 63) / 64 * 64);
    h->logits = malloc((size_t)h->V * sizeof *h->logits), h->p = malloc((size_t)h->V * sizeof *h->p);
    assert_true(h->state && h->copy && h->logits && h->p);
}
static void hand_close(hand *h)
{
    laco_model_free(h->m), vocab_free(h->v), free(h->state), free(h->copy), free(h->logits), free(h->p);
}
/* Feeds a symbol; h->p holds the log-probabilities of the next, without those of `never`. */
static void hand_step(hand *h, int32_t symbol, int32_t never)
{
    assert_int_equal(laco_step_symbol(h->m, h->state, symbol, h->logits, NULL), LACO_OK);
    double sum = 0;
    for (int v = 0; v < h->V; v++) sum += v == never ? 0 : exp((double)h->logits[v]);
    for (int v = 0; v < h->V; v++) h->p[v] = v == never ? -INFINITY : (double)h->logits[v] - log(sum);
}
static void hand_begin(hand *h, int32_t never)
{
    assert_int_equal(laco_state_init(h->m, h->state, laco_state_size(h->m, 1), 1, NULL), LACO_OK);
    hand_step(h, vocab_eos(h->v), never);
}
static int32_t hand_symbol(const hand *h, const char *s, size_t n)
{
    size_t len;
    for (int32_t v = 0; v < h->V; v++)
        if (vocab_symbol(h->v, v, &len) && len == n && memcmp(vocab_symbol(h->v, v, &len), s, n) == 0) return v;
    fail_msg("\"%.*s\" is no symbol", (int)n, s);
    return -1;
}
static int32_t hand_best(const hand *h)
{
    int32_t best = 0;
    for (int32_t v = 1; v < h->V; v++)
        if (h->p[v] > h->p[best]) best = v;
    return best;
}

static void scores_are_sums_of_steps(void **state)
{
    (void)state;
    static const char *const lines[] = { "a--a\n", "\n", "dcba-a\n", "b--c\n", "c--c" };
    hand h;
    hand_open(&h, "char.st");
    outcome r = start("score", "model-file=char.st json=true");
    assert_int_equal(laco_job_text(r.job, "data", "a--a\n\ndcba-a\nb--c\nc--c", 22, NULL), LACO_OK);
    go(&r);
    if (r.status) fail_msg("%s", r.err.msg);
    json_doc *d;
    assert_int_equal(json_parse(&d, r.json, strlen(r.json), NULL), LACO_OK);
    const json *scored = json_get(json_root(d), "lines");
    assert_non_null(scored);
    assert_int_equal(scored->len, 5);
    for (int i = 0; i < 5; i++) {
        double sum = 0;
        hand_begin(&h, -1);
        for (const char *c = lines[i]; *c; c++) {
            int32_t v = hand_symbol(&h, c, 1);
            sum += h.p[v];
            hand_step(&h, v, -1);
        }
        assert_near(json_get(&scored->item[i], "log_probability")->number, sum, 1e-3 * fmax(1, fabs(sum)));
        assert_int_equal(json_get(&scored->item[i], "symbols")->i, strlen(lines[i]));
    }
    json_free(d), done(&r), hand_close(&h);
}

/* ---- sampling ---- */
static char *sample(const char *options)
{
    outcome r = run("sample", options);
    if (r.status) fail_msg("%s: %s", options, r.err.msg);
    char *text = strdup(r.out.data ? r.out.data : "");
    done(&r);
    return text;
}
static void assert_same_sample(const char *a, const char *b, bool same)
{
    char *x = sample(a), *y = sample(b);
    assert_int_equal(strcmp(x, y) == 0, same);
    free(x), free(y);
}

static void greedy_is_the_argmax(void **state)
{
    (void)state;
    hand h;
    hand_open(&h, "char.st");
    char *text = sample("model-file=char.st greedy=true length=60 prime=b-");
    assert_int_equal(strlen(text), 62);
    hand_begin(&h, -1);
    for (size_t i = 0; i < 62; i++) {
        int32_t v = hand_symbol(&h, text + i, 1);
        if (i >= 2) assert_int_equal(v, hand_best(&h));
        hand_step(&h, v, -1);
    }
    assert_memory_equal(text, "b--b\n", 5); /* it has learned that */
    free(text), hand_close(&h);
    assert_same_sample("model-file=char.st greedy=true", "model-file=char.st temperature=0", true);
    assert_same_sample("model-file=char.st greedy=true", "model-file=char.st top-k=1", true);
    assert_same_sample("model-file=char.st greedy=true", "model-file=char.st top-p=0", true);
    assert_same_sample("model-file=char.st seed=5", "model-file=char.st seed=5 threads=2", true);
    assert_same_sample("model-file=char.st seed=5", "model-file=char.st seed=6", false);
    assert_same_sample("model-file=char.st seed=5", "model-file=char.st seed=5 temperature=3", false);
}

/* What is drawn is among the k likeliest, or in the smallest set of probability p; and not always the likeliest. */
static void top_k_and_top_p(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        int k;
        double p;
    } rows[] = { { "top-k=2", 2, 1 }, { "top-k=3", 3, 1 }, { "top-p=0.4", 6, 0.4 }, { "top-p=0.8", 6, 0.8 } };
    hand h;
    hand_open(&h, "char.st");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char options[128];
        int not_best = 0;
        snprintf(options, sizeof options, "model-file=char.st length=400 %s", rows[i].options);
        char *text = sample(options);
        hand_begin(&h, -1);
        for (const char *c = text; *c; c++) {
            int32_t v = hand_symbol(&h, c, 1);
            int before = 0;
            double mass = 0; /* of what is likelier */
            for (int u = 0; u < h.V; u++)
                if (h.p[u] > h.p[v]) before++, mass += exp(h.p[u]);
            assert_true(before < rows[i].k);
            assert_true(mass < rows[i].p + 1e-5);
            not_best += before > 0;
            hand_step(&h, v, -1);
        }
        assert_true(not_best > 10);
        free(text);
    }
    hand_close(&h);
}

static void counts_lines_and_unknown_words(void **state)
{
    (void)state;
    char *text = sample("model-file=char.st count=3 stop=true seed=2");
    assert_int_equal(strlen(text), 3 * 4 + 2); /* a--a, three times, a break between */
    assert_int_equal(strcspn(text, "\n"), 4);
    free(text);
    text = sample("model-file=char.st count=2 length=7");
    assert_int_equal(strlen(text), 7 + 2 + 7);
    free(text);
    text = sample("model-file=char.st length=0");
    assert_string_equal(text, "");
    free(text);
    text = sample("model-file=word.st length=300 prime=the");
    assert_non_null(strstr(text, "<unk>"));
    assert_memory_equal(text, "the", 3);
    assert_true(text[3] == ' ' || text[3] == '\n');
    free(text);
    text = sample("model-file=word.st length=300 no-unk=true");
    assert_null(strstr(text, "<unk>"));
    assert_null(strstr(text, "\n "));
    free(text);
    text = sample("model-file=word.st length=1 greedy=true prime='the cat\n'"); /* a new line has no blank in front */
    assert_true(text[8] != ' ');
    free(text);
}

static void beam_of_all_is_exhaustive(void **state)
{
    (void)state;
    hand h;
    hand_open(&h, "word.st");
    double best = -INFINITY;
    int32_t pair[2] = { 0 };
    int32_t unk = vocab_unk(h.v);
    for (int32_t a = 0; a < h.V; a++) {
        hand_begin(&h, unk);
        double first = h.p[a];
        if (a == unk) continue;
        hand_step(&h, a, unk);
        int32_t b = hand_best(&h);
        if (first + h.p[b] > best) best = first + h.p[b], pair[0] = a, pair[1] = b;
    }
    buf expected = { 0 };
    bool line_start = true;
    for (int i = 0; i < 2; i++) vocab_decode(h.v, pair[i], &line_start, &expected);
    char options[128];
    snprintf(options, sizeof options, "model-file=word.st length=2 no-unk=true beam=%d", h.V);
    char *text = sample(options);
    assert_string_equal(text, expected.data);
    free(text), buf_free(&expected), hand_close(&h);
}

/* ---- ends before the end ---- */
static void stopping_keeps_the_model(void **state)
{
    (void)state;
    outcome r = start("train lm", SMALL "data=pairs.txt out=stop.st");
    assert_int_equal(laco_job_set(r.job, "epochs", "1000000", NULL), LACO_OK);
    r.stop_after = 5; /* four lines about the text and the network, then one at the end of the first epoch */
    go(&r);
    assert_int_equal(figure(&r, "epochs"), 1);
    succeed(run("eval", "model-file=stop.st data=pairs.txt"));
    done(&r);
    r = start("train lm", SMALL "data=pairs.txt out=early.st");
    laco_job_stop(r.job);
    go(&r);
    assert_int_equal(r.status, LACO_ESTOPPED);
    assert_non_null(strstr(r.err.msg, "no model was written"));
    assert_false(exists("early.st"));
    done(&r);
}

#define WILD                                                                                                           \
    "model='embed 4; elman 8 relu; dense' optimizer=sgd lr=1000 clip=0 warmup=0 schedule=constant epochs=50 batch=4 "  \
    "steps=8 ngram=0 threads=1 data=pairs.txt out=wild.st"
static void numbers_that_are_not_finite(void **state)
{
    (void)state;
    outcome r = run("train lm", WILD);
    assert_int_equal(r.status, LACO_ENUMERIC);
    assert_non_null(strstr(r.err.msg, "not finite"));
    assert_non_null(strstr(r.err.msg, "--lr"));
    assert_false(exists("wild.st"));
    done(&r);
    write_file("wild.st", "as before", 9);
    r = run("train lm", WILD);
    assert_int_equal(r.status, LACO_ENUMERIC);
    size_t n;
    char *bytes = read_file("wild.st", &n);
    assert_int_equal(n, 9);
    assert_memory_equal(bytes, "as before", 9);
    mem_free(bytes), done(&r);
}

/* ---- bad input ---- */
static const struct {
    const char *command, *options;
    laco_status status;
    const char *says;
} wrong[] = {
    { "train lm", "data=nowhere.txt out=x.st", LACO_EIO, "nowhere.txt" },
    { "train lm", "data=. out=x.st", LACO_EIO, "folder" },
    { "train lm", "data=empty.txt out=x.st", LACO_EINVAL, "empty.txt is empty" },
    { "train lm", "data=zero.txt out=x.st", LACO_EFORMAT, "zero.txt" },
    { "train lm", "data=latin.txt out=x.st", LACO_EFORMAT, "latin.txt is not UTF-8: line 2, byte 5" },
    { "train lm", "data=one.txt out=x.st", LACO_EINVAL, "one.txt has one symbol only" },
    { "train lm", "data=two.txt out=x.st", LACO_EINVAL, "too short" },
    { "train lm", "data=pairs.txt unit=word vocab-size=100 out=x.st", LACO_EINVAL, "pairs.txt" },
    { "train lm", "data=pairs.txt vocab-size=3 out=x.st", LACO_EINVAL, "--unit word" },
    { "train lm", "data=pairs.txt min-count=3 out=x.st", LACO_EINVAL, "--unit word" },
    { "train lm", "data=pairs.txt mode=line model='embed 4; lsmt 8; dense' out=x.st", LACO_EINVAL, "\"lstm\"" },
    { "train lm", "data=flat.txt mode=line out=x.st", LACO_EINVAL, "no line breaks" },
    { "train lm", "data=pairs.txt valid=nowhere.txt out=x.st", LACO_EIO, "nowhere.txt" },
    { "train lm", "data=pairs.txt valid=empty.txt out=x.st", LACO_EFORMAT, "empty.txt" },
    { "train lm", "data=pairs.txt model='embed 4; lstm 99999999999999999999; dense' out=x.st", LACO_EINVAL, "lstm" },
    { "train lm", "data=pairs.txt model='embed 4; lstm 1000000 x60; dense' out=x.st", LACO_EINVAL, "2^40" },
    { "train lm", "data=pairs.txt model='lstm 8; dense' out=x.st", LACO_EINVAL, "embed" },
    { "train lm", "data=pairs.txt model='embed 4; lstm 8' out=x.st", LACO_EINVAL, "dense" },
    { "train lm", "data=pairs.txt model='embed 4; gru 8 bidirectional; dense' out=x.st", LACO_EINVAL, "bidirectional" },
    { "train lm", "data=pairs.txt cell=grru out=x.st", LACO_EINVAL, "\"gru\"" },
    { "train lm", "out=x.st", LACO_EINVAL, "--data is missing" },
    { "train lm", "data=pairs.txt", LACO_EINVAL, "--out is missing" },
    { "train lm", "data=pairs.txt out=pairs.txt", LACO_EINVAL, "same file" },
    { "train lm", "data=pairs.txt out=x.st log=./pairs.txt", LACO_EINVAL, "same file" },
    { "train lm", "data=pairs.txt out=nowhere/x.st", LACO_EIO, "nowhere/x.st" },
    { "train lm", "data=pairs.txt out=.", LACO_EIO, "folder" },
    { "train lm", "data=pairs.txt out=x.st log=nowhere/log", LACO_EIO, "nowhere/log" },
    { "train lm", "data=pairs.txt model='embed 2; elman 2; dense' epochs=1 out=/dev/full", LACO_EIO, "/dev/full" },
    { "sample", "model-file=nowhere.st", LACO_EIO, "nowhere.st" },
    { "sample", "model-file=char.st prime=axb", LACO_EINVAL, "'x'" },
    { "sample", "model-file=char.st prime=\377", LACO_EFORMAT, "--prime" },
    { "sample", "model-file=pairs.txt", LACO_EFORMAT, "pairs.txt" },
    { "eval", "model-file=char.st", LACO_EINVAL, "--data is missing" },
    { "eval", "model-file=char.st data=empty.txt", LACO_EFORMAT, "empty.txt" },
    { "eval", "model-file=plain.st data=pairs.txt", LACO_EINVAL, "plain.st does not say which task it was trained for; laco eval takes" },
    { "score", "model-file=char.st data=latin.txt", LACO_EFORMAT, "latin.txt" },
    { "info", "model-file=empty.txt", LACO_EFORMAT, "empty.txt" },
};
static void bad_input(void **state)
{
    (void)state;
    size_t before, after;
    write_file("empty.txt", "", 0), write_file("zero.txt", "ab\0cd\n", 6), write_file("latin.txt", "ab\nc\344d\n", 7);
    write_file("one.txt", "aaaaaa", 6), write_file("two.txt", "ab", 2), write_file("flat.txt", "abababababababab", 16);
    laco_model *m;
    assert_int_equal(laco_model_new(&m, "lstm 4; dense 2", 3, 1, NULL), LACO_OK);
    assert_int_equal(laco_model_save(m, "plain.st", NULL), LACO_OK);
    laco_model_free(m);
    char *text = read_file("pairs.txt", &before);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        outcome r = run(wrong[i].command, wrong[i].options);
        if (r.status != wrong[i].status || r.err.code != r.status || !strstr(r.err.msg, wrong[i].says) ||
            strchr(r.err.msg, '\n'))
            fail_msg("%s %s: %d, \"%s\"", wrong[i].command, wrong[i].options, r.status, r.status ? r.err.msg : "");
        if (exists("x.st")) fail_msg("%s: x.st was left", wrong[i].options);
        assert_int_equal(r.out.len, 0);
        done(&r);
    }
    char *again = read_file("pairs.txt", &after);
    assert_int_equal(before, after);
    assert_memory_equal(text, again, before);
    mem_free(text), mem_free(again);
}

static void unwritable_is_found_before_training(void **state)
{
    (void)state;
    outcome r = run("train lm", SMALL "data=nowhere.txt out=nowhere/x.st"); /* the output before the text */
    assert_int_equal(r.status, LACO_EIO);
    assert_non_null(strstr(r.err.msg, "nowhere/x.st"));
    assert_int_equal(r.notes, 0);
    done(&r);
}

/* A file size limit is a full disk that tests can have: the old model stays, no temporary is left. */
static void full_disk_loses_nothing(void **state)
{
    (void)state;
    struct rlimit before, small;
    size_t n;
    succeed(run("train lm", SMALL "data=pairs.txt out=full.st"));
    char *old = read_file("full.st", &n);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before, small.rlim_cur = n / 2;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    outcome r = run("train lm", SMALL "data=pairs.txt out=full.st seed=9");
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(r.status, LACO_EIO);
    assert_non_null(strstr(r.err.msg, "full.st"));
    size_t m;
    char *now = read_file("full.st", &m);
    assert_int_equal(m, n);
    assert_memory_equal(now, old, n);
    assert_int_not_equal(system("ls -A | grep -q '^\\.laco'"), 0);
    mem_free(old), mem_free(now), done(&r);
}

static void damaged_models_are_refused(void **state)
{
    (void)state;
    size_t n;
    char *bytes = read_file("word.st", &n);
    const size_t cuts[] = { 0, 1, 7, 8, 100, n / 2, n - 4, n - 1 };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        write_file("cut.st", bytes, cuts[i]);
        outcome r = run("sample", "model-file=cut.st length=3");
        assert_int_equal(r.status, LACO_EFORMAT);
        assert_non_null(strstr(r.err.msg, "cut.st"));
        assert_int_equal(r.out.len, 0);
        done(&r);
    }
    /* a symbol of the vocabulary gone, a description that does not fit, another task, a weight that is another number
     */
    uint64_t header;
    memcpy(&header, bytes, 8);
    const struct {
        const char *was;
        size_t at;
        const char *is;
    } parts[] = { { "mouse", 0, "m\\use" },
                  { "elman 8", 0, "elman 9" },
                  { "\"lm\"", 0, "\"ml\"" },
                  { NULL, 8 + header, "\1\2\100\100" } };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *copy = malloc(n), *at;
        assert_non_null(copy);
        memcpy(copy, bytes, n);
        at = parts[i].was ? memmem(copy, n, parts[i].was, strlen(parts[i].was)) : copy + parts[i].at;
        assert_non_null(at);
        memcpy(at, parts[i].is, strlen(parts[i].is));
        write_file("bad.st", copy, n);
        outcome r = run("eval", "model-file=bad.st data=pairs.txt");
        assert_true(r.status == LACO_EFORMAT || r.status == LACO_EINVAL);
        assert_non_null(strstr(r.err.msg, "bad.st"));
        done(&r), free(copy);
    }
    mem_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_more_than_a_bigram),
        cmocka_unit_test(same_bytes_for_any_threads),
        cmocka_unit_test(vocabulary_and_texts),
        cmocka_unit_test(evaluation_is_the_validation_of_training),
        cmocka_unit_test(measuring_in_parallel_counts_every_symbol_once),
        cmocka_unit_test(the_best_is_kept),
        cmocka_unit_test(scores_are_sums_of_steps),
        cmocka_unit_test(greedy_is_the_argmax),
        cmocka_unit_test(top_k_and_top_p),
        cmocka_unit_test(counts_lines_and_unknown_words),
        cmocka_unit_test(beam_of_all_is_exhaustive),
        cmocka_unit_test(stopping_keeps_the_model),
        cmocka_unit_test(numbers_that_are_not_finite),
        cmocka_unit_test(bad_input),
        cmocka_unit_test(unwritable_is_found_before_training),
        cmocka_unit_test(full_disk_loses_nothing),
        cmocka_unit_test(damaged_models_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
