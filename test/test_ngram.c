/* The n-gram baseline against probabilities worked out by hand, against a slow count of everything, and on real text
   (LACO_DATA) against published perplexities. */
#include "base/file.h"
#include "base/rng.h"
#include "data/text.h"
#include "task/ngram.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#define NEAR(a, b, by) assert_true(fabs((a) - (b)) <= (by))
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static ngram *trained(const int32_t *ids, int64_t n, int32_t vocabulary, int order)
{
    laco_error err;
    ngram *g;
    assert_int_equal(ngram_train(&g, ids, n, vocabulary, order, NULL, &err), LACO_OK);
    return g;
}

static void make_text(int32_t *ids, int n, int32_t vocabulary, uint64_t seed)
{
    for (int i = 0; i < n; i++) {
        double u = rng_uniform(seed, RNG_TEST, (uint64_t)i);
        int32_t fresh = (int32_t)(u * u * vocabulary);
        ids[i] = i > 2 && i % 3 ? (ids[i - 1] * 5 + ids[i - 2] + fresh / 2) % vocabulary : fresh;
    }
}

/* Counts 4 3 2 2 1 1 1 1 0: n_1 = 4, n_2 = 2, n_3 = n_4 = 1, so Y = 1/2, D = 1/2, 5/4, 1 and L = 6.5 / 15. */
static void unigram_by_hand(void **state)
{
    (void)state;
    static const int32_t text[] = {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 0, 1, 0};
    static const double own[] = {3, 2, 0.75, 0.75, 0.5, 0.5, 0.5, 0.5, 0};
    ngram *g = trained(text, COUNT(text), 9, 1);
    for (int32_t w = 0; w < 9; w++) NEAR(ngram_probability(g, NULL, 0, w), own[w] / 15 + 6.5 / 15 / 9, 1e-15);
    ngram_free(g);
}

/* a b a c a b. Order 2: ab twice, ac, ba, ca once, so Y = 3/5, D1 = 3/5, and D2 would be 2: it falls back to 1.
   Order 1: a has b, c and the start in front of it, b and c have a; D falls back to 1/2 and 3/2, L = 2.5 / 5. */
static void bigram_by_hand(void **state)
{
    (void)state;
    static const int32_t text[] = {0, 1, 0, 2, 0, 1};
    const double a = 1.5 / 5 + 0.5 / 3, b = 0.5 / 5 + 0.5 / 3;
    const struct {
        int32_t context;   /* -1: none */
        double p[3];
    } cases[] = {
        {-1, {a, b, b}},
        {0, {1.6 / 3 * a, 1.0 / 3 + 1.6 / 3 * b, 0.4 / 3 + 1.6 / 3 * b}},
        {1, {0.4 + 0.6 * a, 0.6 * b, 0.6 * b}},
        {2, {0.4 + 0.6 * a, 0.6 * b, 0.6 * b}},
    };
    ngram *g = trained(text, COUNT(text), 3, 2);
    for (int i = 0; i < COUNT(cases); i++)
        for (int32_t w = 0; w < 3; w++)
            NEAR(ngram_probability(g, &cases[i].context, cases[i].context >= 0, w), cases[i].p[w], 1e-15);
    double loss = -(log(cases[1].p[1]) + log(cases[2].p[2])) / 2;
    NEAR(ngram_loss(g, (const int32_t[]){0, 1, 2} + 1, 2, 1), loss, 1e-15);
    assert_true(isnan(ngram_loss(g, text, 0, 0)));
    ngram_free(g);
}

/* ---- a slow model: every count by reading the whole text ---- */

typedef struct slow {
    const int32_t *ids;
    int n, order;
    int32_t vocabulary;
    double discount[NGRAM_MAX + 1][4];
} slow;

static bool occurs_at(const slow *s, const int32_t *gram, int k, int at)
{
    return at >= 0 && at + k <= s->n && memcmp(gram, s->ids + at, (size_t)k * sizeof *gram) == 0;
}

static int slow_count(const slow *s, const int32_t *gram, int k)
{
    int times = 0, in_front = occurs_at(s, gram, k, 0);
    for (int at = 0; at < s->n; at++) times += occurs_at(s, gram, k, at);
    if (k == s->order) return times;
    for (int32_t x = 0; x < s->vocabulary; x++) {
        bool found = false;
        for (int at = 1; at < s->n; at++) found = found || (s->ids[at - 1] == x && occurs_at(s, gram, k, at));
        in_front += found;
    }
    return in_front;
}

static void slow_discounts(slow *s, int k)
{
    double n[5] = {0};
    int grams = 1;
    for (int i = 0; i < k; i++) grams *= s->vocabulary;
    for (int i = 0; i < grams; i++) {
        int32_t gram[NGRAM_MAX];
        for (int j = 0, rest = i; j < k; j++, rest /= s->vocabulary) gram[j] = rest % s->vocabulary;
        int c = slow_count(s, gram, k);
        if (c >= 1 && c <= 4) n[c]++;
    }
    for (int j = 1; j <= 3; j++) {
        double d = n[1] && n[2] && n[j] ? j - (j + 1) * n[1] / (n[1] + 2 * n[2]) * n[j + 1] / n[j] : 0;
        s->discount[k][j] = d > 0 && d < j ? d : 0.5 * j;
    }
}

/* p_k of the last of k symbols behind the k-1 before it. */
static double slow_probability(const slow *s, const int32_t *gram, int k)
{
    if (k == 0) return 1.0 / s->vocabulary;
    double total = 0, mass = 0, own = 0, p = slow_probability(s, gram + 1, k - 1);
    int32_t other[NGRAM_MAX];
    memcpy(other, gram, (size_t)k * sizeof *gram);
    for (int32_t w = 0; w < s->vocabulary; w++) {
        other[k - 1] = w;
        int c = slow_count(s, other, k);
        double d = s->discount[k][c < 3 ? c : 3];
        total += c, mass += d;
        if (w == gram[k - 1]) own = c - d;
    }
    return total ? own / total + mass / total * p : p;
}

static void same_as_slow_model(void **state)
{
    (void)state;
    int32_t ids[60];
    make_text(ids, COUNT(ids), 3, 11);
    for (int order = 1; order <= NGRAM_MAX; order++) {
        slow s = {.ids = ids, .n = COUNT(ids), .order = order, .vocabulary = 3};
        ngram *g = trained(ids, COUNT(ids), 3, order);
        for (int k = 1; k <= order; k++) slow_discounts(&s, k);
        for (int i = 0; i < 200; i++) {
            int32_t gram[NGRAM_MAX];
            int k = 1 + i % order;
            for (int j = 0; j < k; j++)
                gram[j] = (int32_t)(3 * rng_uniform(5, RNG_TEST, (uint64_t)(i * NGRAM_MAX + j)));
            NEAR(ngram_probability(g, gram, k - 1, gram[k - 1]), slow_probability(&s, gram, k), 1e-14);
        }
        ngram_free(g);
    }
}

static void sums_to_one(void **state)
{
    (void)state;
    static const struct {
        int n;
        int32_t vocabulary;
    } sizes[] = {{1, 1}, {1, 5}, {2, 2}, {3, 4}, {6, 3}, {500, 1}, {500, 4}, {5000, 40}, {5000, 1000}};
    static int32_t ids[5000];
    for (int i = 0; i < COUNT(sizes); i++)
        for (int order = 1; order <= NGRAM_MAX; order++) {
            int n = sizes[i].n, V = sizes[i].vocabulary;
            make_text(ids, n, V, (uint64_t)i);
            ngram *g = trained(ids, n, V, order);
            for (int c = 0; c < 40; c++) {
                int32_t context[7];   /* 0 to 6 symbols: from the text, and drawn, which is mostly unseen */
                int len = c % 7;
                for (int j = 0; j < len; j++)
                    context[j] = c % 2 ? ids[(c * 97 + j) % n] : (int32_t)(V * rng_uniform(1, RNG_TEST, c * 7u + j));
                double sum = 0;
                for (int32_t w = 0; w < V; w++) {
                    double p = ngram_probability(g, context, len, w);
                    assert_true(p > 0 && p <= 1 + 1e-12);
                    sum += p;
                }
                NEAR(sum, 1, 1e-12);
            }
            ngram_free(g);
        }
}

static void loss_is_mean_of_logs(void **state)
{
    (void)state;
    int32_t ids[400];
    make_text(ids, COUNT(ids), 20, 3);
    for (int order = 1; order <= NGRAM_MAX; order++) {
        ngram *g = trained(ids, 300, 20, order);
        double from_start = 0, inside = 0;
        for (int i = 0; i < 100; i++) {
            from_start -= log(ngram_probability(g, ids + 300, i, ids[300 + i])) / 100;
            inside -= log(ngram_probability(g, ids, 300 + i, ids[300 + i])) / 100;
        }
        NEAR(ngram_loss(g, ids + 300, 100, 0), from_start, 1e-12);
        NEAR(ngram_loss(g, ids + 300, 100, 300), inside, 1e-12);
        ngram_free(g);
    }
}

static void unknown_symbols(void **state)
{
    (void)state;
    static const int32_t text[] = {0, 1, 0, 2, 0, 1}, bad[] = {0, 7, 1, -1};
    ngram *g = trained(text, COUNT(text), 3, 3);
    assert_true(ngram_probability(g, text, 2, 3) == 0);
    assert_true(ngram_probability(g, text, 2, -1) == 0);
    NEAR(ngram_probability(g, bad, 2, 1), ngram_probability(g, NULL, 0, 1), 0);
    assert_true(isinf(ngram_loss(g, bad, 4, 0)));
    ngram_free(g);
    ngram_free(NULL);
}

static void refusals(void **state)
{
    (void)state;
    static const int32_t text[] = {0, 1, 2, 5, 0};
    static const volatile int stop = 1, go = 0;
    static const struct {
        int64_t n;
        int32_t vocabulary;
        int order;
        const volatile int *stop;
        int code;
        int64_t at;
        const char *says;
    } cases[] = {
        {5, 6, 0, NULL, LACO_EINVAL, -1, "the order must be 1 to 5"},
        {5, 6, 6, NULL, LACO_EINVAL, -1, "the order must be 1 to 5"},
        {5, 0, 2, NULL, LACO_EINVAL, -1, "at least 1"},
        {5, INT32_MAX, 2, NULL, LACO_EINVAL, -1, "give a vocabulary"},
        {0, 6, 2, NULL, LACO_EINVAL, -1, "text of 0 symbols"},
        {INT64_MAX, 6, 2, NULL, LACO_EINVAL, -1, "symbols: give 1 to"},
        {5, 5, 2, NULL, LACO_EINVAL, 3, "symbol 3 of the text is 5: symbols must be 0 to 4"},
        {5, 6, 1, &stop, LACO_ESTOPPED, -1, "stopped"},
        {5, 6, 3, &stop, LACO_ESTOPPED, -1, "stopped"},
        {5, 6, 3, &go, LACO_OK, -1, ""},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        laco_error err = {0};
        ngram *g = (ngram *)&err;
        assert_int_equal(ngram_train(&g, text, cases[i].n, cases[i].vocabulary, cases[i].order, cases[i].stop, &err),
                         cases[i].code);
        if (cases[i].code != LACO_OK) {
            assert_null(g);
            assert_int_equal(err.at, cases[i].at);
            assert_non_null(strstr(err.msg, cases[i].says));
        }
        ngram_free(g);
    }
}

/* ---- every allocation fails once ---- */

typedef struct ration {
    int left, live;
} ration;

static void *rationed(void *ctx, void *p, size_t n)
{
    ration *r = ctx;
    if (n == 0) {
        r->live -= p != NULL;
        free(p);
        return NULL;
    }
    if (r->left-- <= 0) return NULL;
    r->live++;
    return malloc(n);
}

static void no_memory(void **state)
{
    (void)state;
    int32_t ids[100];
    make_text(ids, COUNT(ids), 7, 2);
    laco_status status = LACO_ENOMEM;
    int tries = 0;
    for (; status != LACO_OK; tries++) {
        ration r = {.left = tries};
        laco_set_allocator(rationed, &r);
        ngram *g;
        laco_error err;
        status = ngram_train(&g, ids, COUNT(ids), 7, 4, NULL, &err);
        assert_true(status == LACO_OK || (status == LACO_ENOMEM && g == NULL && err.code == LACO_ENOMEM));
        ngram_free(g);
        assert_int_equal(r.live, 0);
    }
    laco_set_allocator(NULL, NULL);
    assert_true(tries > 15);
}

/* ---- real text ---- */

static bool read_data(const char *name, char **text, size_t *n)
{
    const char *folder = getenv("LACO_DATA");
    if (!folder) {
        print_message("LACO_DATA is not set: %s is not measured\n", name);
        return false;
    }
    char path[1000];
    laco_error err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(file_read(path, 1 << 30, text, n, &err), LACO_OK);
    return true;
}

static void encode(const vocab *v, const char *text, size_t n, int32_t **ids, int64_t *count)
{
    int64_t skipped;
    laco_error err;
    assert_int_equal(vocab_encode(v, text, n, "text", true, true, ids, count, &skipped, &err), LACO_OK);
}

/* Loss of orders 2 and 5 on `test` after learning from `train`. */
static void measure(text_unit unit, const char *train, size_t n, const char *test, size_t m, double *two, double *five)
{
    vocab *v;
    laco_error err;
    int32_t *ids, *heldout;
    int64_t count, held;
    assert_int_equal(vocab_build(&v, &(vocab_options){.unit = unit}, train, n, "train", &err), LACO_OK);
    encode(v, train, n, &ids, &count);
    encode(v, test, m, &heldout, &held);
    ngram *g = trained(ids, count, vocab_size(v), 2);
    *two = ngram_loss(g, heldout, held, 0);
    ngram_free(g);
    g = trained(ids, count, vocab_size(v), 5);
    *five = ngram_loss(g, heldout, held, 0);
    ngram_free(g);
    mem_free(ids);
    mem_free(heldout);
    vocab_free(v);
}

/* Mikolov 2012 gives 141.2 for the 5-gram. */
static void penn_treebank(void **state)
{
    (void)state;
    char *train, *test;
    size_t n, m;
    if (!read_data("ptb/ptb.train.txt", &train, &n) || !read_data("ptb/ptb.test.txt", &test, &m)) skip();
    double two, five;
    measure(UNIT_WORD, train, n, test, m, &two, &five);
    NEAR(exp(two), 185.7, 0.1);
    NEAR(exp(five), 141.1, 0.1);
    mem_free(train);
    mem_free(test);
}

static void tiny_shakespeare(void **state)
{
    (void)state;
    char *text;
    size_t n;
    if (!read_data("tinyshakespeare/input.txt", &text, &n)) skip();
    size_t train = n * 9 / 10;
    double two, five;
    measure(UNIT_CHAR, text, train, text + train, n - train, &two, &five);
    NEAR(two, 2.4835, 1e-3);
    NEAR(five, 1.5612, 1e-3);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unigram_by_hand),    cmocka_unit_test(bigram_by_hand),
        cmocka_unit_test(same_as_slow_model), cmocka_unit_test(sums_to_one),
        cmocka_unit_test(loss_is_mean_of_logs), cmocka_unit_test(unknown_symbols),
        cmocka_unit_test(refusals),           cmocka_unit_test(no_memory),
        cmocka_unit_test(penn_treebank),      cmocka_unit_test(tiny_shakespeare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
