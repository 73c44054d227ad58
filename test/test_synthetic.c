/* Long-memory tasks: strings against a plain automaton, targets by brute force, statistics of what is drawn, and the
   judging of right, wrong and constant answers. */
#include "base/rng.h"
#include "data/synthetic.h"
#include "format/model.h"
#include "task/drawn.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#define NEAR(a, b, by) assert_true(fabs((a) - (b)) <= (by))
enum { SEED = 7, LONGEST = 4096, WIDEST = 128 };
static float x[LONGEST * WIDEST], y[LONGEST * WIDEST], out[LONGEST * WIDEST];
static int32_t classes[LONGEST];

static synth *task(const char *name)
{
    laco_error err;
    synth *s;
    assert_int_equal(synth_new(&s, name, SEED, &err), LACO_OK);
    return s;
}
static synth_target targets(const synth *s)
{
    bool symbols = s->task->loss == SYNTH_CLASSES;
    return (synth_target){ symbols ? NULL : y, symbols ? classes : NULL };
}
static int64_t make(const synth *s, synth_set set, int64_t index)
{
    int64_t T = synth_length(s, set, index);
    assert_in_range(T, 1, LONGEST);
    synth_make(s, set, index, T, x, targets(s));
    return T;
}
static int64_t symbol_at(const synth *s, int64_t t)
{
    int64_t found = -1;
    for (int64_t k = 0; k < s->inputs; k++) {
        if (x[t * s->inputs + k] == 0) continue;
        assert_true(x[t * s->inputs + k] == 1 && found < 0);
        found = k;
    }
    assert_true(found >= 0);
    return found;
}

/* The same index gives the same sequence, in any order; another index, set or seed another one. */
static void functions_of_the_index(void **state)
{
    (void)state;
    int count;
    const synth_task *rows = synth_tasks(&count);
    static float first[LONGEST * WIDEST];
    for (int i = 0; i < count; i++) {
        synth *s = task(rows[i].name);
        int64_t T = make(s, SYNTH_TRAIN, 5), size = T * s->inputs, other = 0, same = 0;
        assert_true(synth_find(rows[i].name) == &rows[i]);
        memcpy(first, x, (size_t)size * sizeof *x);
        for (int64_t k = 0; k < 5; k++) {
            int64_t n = make(s, SYNTH_TRAIN, k), m = n < T ? n : T;
            other += n != T || memcmp(first, x, (size_t)(m * s->inputs) * sizeof *x);
        }
        assert_int_equal(make(s, SYNTH_TRAIN, 5), T);
        assert_memory_equal(first, x, (size_t)size * sizeof *x);
        assert_true(other >= 2);
        if (rows[i].figure != FIGURE_REACH && !rows[i].possible)
            for (synth_set set = SYNTH_VALID; set <= SYNTH_TEST; set++)
                same += make(s, set, 5) == T && !memcmp(first, x, (size_t)size * sizeof *x);
        s->seed++;
        if (rows[i].figure != FIGURE_REACH)
            same += make(s, SYNTH_TRAIN, 5) == T && !memcmp(first, x, (size_t)size * sizeof *x);
        assert_true(same <= 1); /* one number of noise can hardly repeat, a short string can */
        synth_free(s);
    }
}

static void marked_numbers(void **state)
{
    (void)state;
    for (int product = 0; product < 2; product++) {
        synth *s = task(product ? "multiplication" : "adding");
        int64_t T = 0, n = 2000, halves[2] = { 0 };
        double mean = 0, square = 0, wanted = product ? 7.0 / 144 : 1.0 / 6, centre = product ? 0.25 : 1;
        for (int64_t i = 0; i < n; i++) {
            T = make(s, SYNTH_TRAIN, i);
            double sum = 0, times = 1;
            int marks = 0;
            for (int64_t t = 0; t < T; t++) {
                assert_true(x[2 * t] >= 0 && x[2 * t] <= 1);
                if (t < T - 1) assert_true(isnan(y[t]));
                if (x[2 * t + 1] == 0) continue;
                assert_true((t >= T / 2) == marks);
                halves[marks++] += t;
                sum += x[2 * t], times *= x[2 * t];
            }
            assert_int_equal(marks, 2);
            NEAR(y[T - 1], product ? times : sum, 1e-6);
            mean += y[T - 1], square += (y[T - 1] - centre) * (y[T - 1] - centre);
        }
        assert_int_equal(T, product ? 100 : 400);
        NEAR(mean / (double)n, centre, 0.03);
        NEAR(square / (double)n / wanted, 1, 0.1); /* what guessing the mean costs */
        NEAR((double)halves[0] / (double)(n * T), 0.25, 0.01), NEAR((double)halves[1] / (double)(n * T), 0.75, 0.01);
        synth_free(s);
    }
}

static void copied_symbols(void **state)
{
    (void)state;
    synth *s = task("copy");
    int64_t seen[8] = { 0 };
    assert_int_equal(s->inputs, 10), assert_int_equal(s->outputs, 9);
    for (int64_t i = 0; i < 200; i++) {
        assert_int_equal(make(s, SYNTH_VALID, i), 120);
        for (int64_t t = 0; t < 120; t++) {
            int64_t symbol = symbol_at(s, t);
            if (t < 10) assert_in_range(symbol, 0, 7), seen[symbol]++;
            if (t >= 10) assert_int_equal(symbol, t == 109 ? 9 : 8);
            assert_int_equal(classes[t], t < 110 ? 8 : symbol_at(s, t - 110));
        }
    }
    for (int k = 0; k < 8; k++) NEAR((double)seen[k], 250, 80);
    synth_free(s);
}

static void order_of_symbols(void **state)
{
    (void)state;
    static const int low[] = { 10, 33, 66 }, high[] = { 20, 43, 76 };
    synth *s = task("temporal-order");
    int64_t seen[8] = { 0 }, shortest = 1000, longest = 0;
    for (int64_t i = 0; i < 1600; i++) {
        int64_t T = make(s, SYNTH_TRAIN, i), class = 0;
        int found = 0;
        shortest = T < shortest ? T : shortest, longest = T > longest ? T : longest;
        for (int64_t t = 0; t < T; t++) {
            int64_t symbol = symbol_at(s, t);
            assert_true((symbol == 0) == (t == 0) && (symbol == 1) == (t == T - 1));
            assert_true(t == T - 1 || classes[t] == -1);
            if (symbol < 6) continue;
            assert_in_range(t, low[found], high[found]);
            class += (symbol - 6) * (4 >> found++);
        }
        assert_int_equal(found, 3);
        assert_int_equal(classes[T - 1], class);
        seen[class]++;
    }
    assert_int_equal(shortest, 100), assert_int_equal(longest, 110);
    for (int k = 0; k < 8; k++) NEAR((double)seen[k], 200, 60);
    synth_free(s);
}

static void parity_and_flip_flop(void **state)
{
    (void)state;
    synth *p = task("parity"), *f = task("flip-flop");
    int64_t ones = 0, pulses = 0;
    for (int64_t i = 0; i < 100; i++) {
        int64_t T = make(p, SYNTH_TRAIN, i), sum = 0;
        for (int64_t t = 0; t < T; t++) {
            sum += x[t] == 1;
            assert_true((x[t] == 0 || x[t] == 1) && y[t] == (float)(sum % 2));
        }
        ones += sum, T = make(f, SYNTH_TRAIN, i);
        for (int64_t c = 0; c < 3; c++) {
            float last = 0;
            for (int64_t t = 0; t < T; t++) {
                if (x[3 * t + c] != 0) last = x[3 * t + c], pulses++;
                assert_true(last == 0 ? isnan(y[3 * t + c]) : y[3 * t + c] == last && fabsf(last) == 1);
            }
        }
    }
    NEAR((double)ones, 2500, 150), NEAR((double)pulses, 1500, 150);
    synth_free(p), synth_free(f);
}

static void noise_on_one_channel(void **state)
{
    (void)state;
    static const char *const names[] = { "noisy-sequence", "noisy-signal", "noisy-target" };
    for (int v = 0; v < 3; v++) {
        synth *s = task(names[v]);
        double square = 0, signal = 0, off = 0;
        int64_t n = 0, first = 0, differs = 0;
        for (int64_t i = 0; i < 400; i++) {
            int64_t T = make(s, SYNTH_TRAIN, i);
            assert_in_range(T, 100, 110);
            double sum = x[0] + x[1] + x[2], target = y[T - 1], sign = sum > 0 ? 1 : -1;
            first += sign > 0;
            if (v < 2) differs += target != (sign > 0);
            if (v == 2) off += (target - (sign > 0 ? 0.2 : 0.8)) * (target - (sign > 0 ? 0.2 : 0.8));
            for (int64_t t = 0; t < T; t++)
                if (t < 3)
                    signal += (x[t] - sign) * (x[t] - sign);
                else
                    square += x[t] * x[t], n++;
            if (v == 2) {
                T = make(s, SYNTH_TEST, i);
                NEAR(y[T - 1], x[0] > 0 ? 0.2 : 0.8, 1e-6);
            }
        }
        NEAR(square / (double)n, 0.2, 0.01), NEAR((double)first, 200, 45);
        NEAR(signal / 1200, v == 1 ? 0.2 : 0, v == 1 ? 0.03 : 0);
        assert_true(v == 1 ? differs < 10 : differs == 0);
        if (v == 2) NEAR(off / 400, 0.1, 0.02);
        synth_free(s);
    }
}

static void noise_on_other_channels(void **state)
{
    (void)state;
    synth *s = task("noisy-channels");
    double lengths = 0;
    for (int64_t i = 0; i < 500; i++) {
        int64_t T = make(s, SYNTH_TRAIN, i);
        lengths += (double)T;
        assert_int_equal(symbol_at(s, 0), 101), assert_int_equal(symbol_at(s, T - 1), 100);
        assert_int_equal(symbol_at(s, 1), 102 + classes[T - 1]);
        for (int64_t t = 2; t < T - 1; t++) assert_in_range(symbol_at(s, t), 0, 99);
    }
    NEAR(lengths / 500, 112, 1.5); /* q + 14 with the last symbol, and the first 1/10 */
    synth_free(s);
}

/* The Reber grammar written down once more: where a letter leads from a node, -1: nowhere. */
static int reber_next(int node, char letter)
{
    static const char *const moves[] = { "B1", "T2P3", "S2X4", "T3V5", "X3S6", "P4V6", "E7", "" };
    for (const char *m = moves[node]; *m; m += 2)
        if (*m == letter) return m[1] - '0';
    return -1;
}
static bool reber_accepts(const char *string, size_t n)
{
    int node = 0;
    for (size_t i = 0; i < n && node >= 0; i++) node = reber_next(node, string[i]);
    return node == 7;
}
static int64_t read_string(const synth *s, synth_set set, int64_t index, char *string)
{
    int64_t T = make(s, set, index);
    for (int64_t t = 0; t < T; t++) {
        string[t] = "BTPSXVE"[symbol_at(s, t)];
        if (t < T - 1) assert_int_equal(classes[t], symbol_at(s, t + 1));
    }
    string[T] = "BTPSXVE"[classes[T - 1]], string[T + 1] = 0;
    return T + 1;
}
static void grammar_strings(void **state)
{
    (void)state;
    static char known[256][300];
    char string[300];
    for (int embedded = 0; embedded < 2; embedded++) {
        synth *s = task(embedded ? "embedded-reber" : "reber");
        double lengths = 0;
        assert_int_equal(synth_count(s, SYNTH_TEST), 512);
        for (int64_t i = 0; i < 512; i++) {
            int64_t n = read_string(s, SYNTH_TEST, i, string);
            lengths += (double)n;
            if (embedded) {
                assert_true(string[0] == 'B' && string[n - 1] == 'E' && string[1] == string[n - 2]);
                assert_true(string[1] == 'T' || string[1] == 'P');
                assert_true(reber_accepts(string + 2, (size_t)n - 4));
            } else
                assert_true(reber_accepts(string, (size_t)n));
            if (i < 256) {
                memcpy(known[i], string, (size_t)n + 1);
            }
            for (int64_t k = 0; i >= 256 && k < 256; k++) assert_string_not_equal(known[k], string);
        }
        for (int64_t i = 0; i < 512; i++) { /* training picks from the first 256 */
            int64_t k = 0;
            read_string(s, SYNTH_TRAIN, i, string);
            while (k < 256 && strcmp(known[k], string)) k++;
            assert_true(k < 256);
        }
        assert_true(lengths / 512 > (embedded ? 11 : 7) && lengths / 512 < (embedded ? 17 : 13));
        synth_free(s);
    }
}
/* What may follow a prefix is what some move of the automaton allows. */
static void grammar_possible(void **state)
{
    (void)state;
    synth *s = task("embedded-reber");
    char string[300];
    for (int64_t i = 0; i < 100; i++) {
        int64_t n = read_string(s, SYNTH_TEST, i, string);
        int node = 0;
        for (int64_t t = 0; t < n - 1; t++) { /* after string[t] */
            uint32_t wanted = 0;
            if (t >= 2 && t < n - 2) node = reber_next(node, string[t]);
            for (int k = 0; k < 7; k++) {
                char letter = "BTPSXVE"[k];
                bool may = t == 0       ? letter == 'T' || letter == 'P'
                           : t == n - 2 ? letter == 'E'
                           : node == 7  ? letter == string[1]
                                        : reber_next(node, letter) >= 0;
                wanted |= (uint32_t)may << k;
            }
            assert_int_equal(s->task->possible(s, t + 1, x), wanted);
        }
    }
    synth_free(s);
}

static void counting(void **state)
{
    (void)state;
    for (int letters = 2; letters <= 3; letters++) {
        synth *s = task(letters == 2 ? "anbn" : "anbncn");
        for (int64_t i = 0; i < 30; i++) {
            int64_t T = make(s, SYNTH_TEST, i), n = i + 1;
            assert_int_equal(T, letters * n + 1);
            for (int64_t t = 0; t < T; t++) {
                int64_t read = t ? (t - 1) / n + 1 : 0;            /* 0: S */
                int64_t next = t == letters * n ? letters : t / n; /* letters: T */
                assert_int_equal(symbol_at(s, t), read);
                for (int64_t k = 0; k <= letters; k++)
                    assert_true(y[t * (letters + 1) + k] == (float)(k == next || (read == 1 && k < 2)));
            }
        }
        assert_int_equal(synth_length(s, SYNTH_TRAIN, 12), letters * 3 + 1); /* n = 1 .. 10 over and over */
        synth_free(s);
    }
}

/* Answers that are right, by the targets themselves, and answers that know nothing. */
static void answer(const synth *s, int64_t T)
{
    for (int64_t t = 0; t < T; t++)
        for (int64_t k = 0; k < s->outputs; k++) {
            double target = s->task->loss == SYNTH_CLASSES ? classes[t] == k : (double)y[t * s->outputs + k];
            if (s->task->possible) target = s->task->possible(s, t + 1, x) >> k & 1;
            out[t * s->outputs + k] = (float)(s->task->loss == SYNTH_SQUARED ? target : 20 * target - 10);
        }
}
static void judged(void **state)
{
    (void)state;
    laco_error err;
    int count;
    const synth_task *rows = synth_tasks(&count);
    for (int i = 0; i < count; i++) {
        synth *s = task(rows[i].name);
        synth_score good = { 0 }, constant = { 0 };
        float guess[WIDEST];
        assert_int_equal(synth_constant(s, SYNTH_VALID, guess, &err), LACO_OK);
        int64_t n = synth_count(s, SYNTH_VALID) < 100 ? synth_count(s, SYNTH_VALID) : 100;
        for (int64_t k = 0; k < n; k++) {
            int64_t T = make(s, SYNTH_VALID, k);
            answer(s, T);
            synth_judge(s, T, x, targets(s), out, s->outputs, &good);
            synth_judge(s, T, x, targets(s), guess, 0, &constant);
        }
        assert_int_equal(good.sequences, n), assert_int_equal(good.right, n), assert_int_equal(good.reach, n);
        assert_int_equal(good.steps, good.steps_right);
        assert_true(synth_solved(s, &good));
        assert_false(synth_solved(s, &constant));
        if (rows[i].figure == FIGURE_SQUARED && s->outputs == 1) NEAR(synth_figure_of(s, &constant), 1.0 / 6, 0.03);
        if (!strcmp(rows[i].name, "parity")) NEAR(constant.loss / (double)constant.losses, log(2), 1e-3);
        if (!strcmp(rows[i].name, "copy")) assert_int_equal(constant.losses, 120 * n);
        if (!strcmp(rows[i].name, "copy")) NEAR(synth_figure_of(s, &constant), 7.0 / 8, 0.03);
        synth_free(s);
    }
}
/* The edges of the criteria: an error just inside and just outside, one wrong string, one wrong step. */
static void edges(void **state)
{
    (void)state;
    synth *a = task("adding"), *n = task("anbncn"), *r = task("reber"), *e = task("noisy-sequence");
    synth_score score = { 0 };
    for (int i = 0; i < 2; i++) {
        int64_t T = make(a, SYNTH_TEST, i);
        answer(a, T);
        out[T - 1] += i ? 0.081f : -0.079f;
        synth_judge(a, T, x, targets(a), out, 1, &score);
    }
    assert_int_equal(score.right, 1), assert_int_equal(score.numbers, 2);
    NEAR(synth_figure_of(a, &score), (0.081 * 0.081 + 0.079 * 0.079) / 2, 1e-5);
    assert_true(synth_solved(a, &score));
    score.squared = 0.01 * 2;
    assert_false(synth_solved(a, &score));

    memset(&score, 0, sizeof score);
    for (int i = 0; i < 60; i++) {
        int64_t T = make(n, SYNTH_TEST, i);
        answer(n, T);
        if (i == 50) out[T * n->outputs - 1] = -0.1f; /* the end of n = 51 is not foreseen */
        synth_judge(n, T, x, targets(n), out, n->outputs, &score);
        assert_int_equal(synth_solved(n, &score), i >= 49);
    }
    assert_int_equal(score.reach, 50), assert_int_equal(score.right, 59);

    memset(&score, 0, sizeof score);
    int64_t T = make(r, SYNTH_TEST, 300);
    answer(r, T);
    out[1] = out[2] = -9, out[7] = -10.5f; /* after the second symbol no longer, after B still above the others */
    for (int k = 0; k < 7; k++)
        if (k != 1 && k != 2) out[k] = -9.5f;
    synth_judge(r, T, x, targets(r), out, 7, &score);
    assert_int_equal(score.right, 1);
    for (int k = 7; k < 14; k++) out[k] = -out[k];
    synth_judge(r, T, x, targets(r), out, 7, &score);
    assert_int_equal(score.right, 1), assert_int_equal(score.steps_right, score.steps - 1);
    assert_false(synth_solved(r, &score));

    memset(&score, 0, sizeof score);
    T = make(e, SYNTH_TEST, 0);
    out[T - 1] = y[T - 1] > 0 ? 3 : -3; /* probability 0.953: right, but 0.047 off on average */
    synth_judge(e, T, x, targets(e), out, 1, &score);
    assert_int_equal(score.right, 1);
    assert_false(synth_solved(e, &score));
    synth_free(a), synth_free(n), synth_free(r), synth_free(e);
}

/* A network gives the same answers in windows of any length and in batches of any size. */
static void measured(void **state)
{
    (void)state;
    static const struct {
        const char *task;
        int64_t batch[2], steps[2];
    } cases[] = { { "reber", { 5, 64 }, { 3, 64 } }, { "noisy-target", { 7, 256 }, { 40, 110 } } };
    laco_error err;
    for (int c = 0; c < 2; c++) {
        synth *s = task(cases[c].task);
        synth_score score[2];
        laco_model *m;
        assert_int_equal(model_new(&m, "lstm 6; dense", s->inputs, s->outputs, 1, &err), LACO_OK);
        assert_int_equal(net_init(m->net, "chrono", 3, 1, &err), LACO_OK);
        for (int i = 0; i < 2; i++) {
            answers a;
            drawn q = { 0 };
            assert_int_equal(answers_new(&a, m->net, cases[c].batch[i], cases[c].steps[i], &err), LACO_OK);
            assert_int_equal(answers_measure(&a, &q, s, SYNTH_TEST, &(int){ 0 }, &score[i], &err), LACO_OK);
            assert_int_equal(score[i].sequences, synth_count(s, SYNTH_TEST));
            answers_free(&a), drawn_free(&q);
        }
        assert_int_equal(score[0].losses, score[1].losses), assert_int_equal(score[0].right, score[1].right);
        NEAR(score[0].loss / score[1].loss, 1, 1e-5);
        assert_true(score[0].loss > 0);
        laco_model_free(m), synth_free(s);
    }
}

static void words(void **state)
{
    (void)state;
    laco_error err;
    synth *s, *again;
    buf text = { 0 };
    assert_int_equal(synth_new(&s, "adding", 3, &err), LACO_OK);
    assert_int_equal(synth_set_size(s, "length", 250, &err), LACO_OK);
    synth_print(s, &text);
    assert_string_equal(text.data, "adding; length 250; seed 3");
    assert_int_equal(synth_parse(&again, text.data, &err), LACO_OK);
    assert_int_equal(again->size[0], 250), assert_int_equal(again->seed, 3);
    assert_true(again->task == s->task);
    assert_int_equal(synth_set_size(s, "length", 1, &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "2 to 100000"));
    assert_int_equal(synth_set_size(s, "delay", 10, &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "it has --length"));
    synth_free(s), synth_free(again), buf_free(&text);
    assert_int_equal(synth_new(&s, "ading", 3, &err), LACO_EINVAL);
    assert_non_null(strstr(err.msg, "did you mean \"adding\""));
    static const char *const wrong[] = { "",
                                         "; length 3",
                                         "adding length",
                                         "adding; length",
                                         "adding; length -1",
                                         "adding; seed",
                                         "adding; length 400;",
                                         "copy; symbols 99999" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        s = NULL;
        assert_int_not_equal(synth_parse(&s, wrong[i], &err), LACO_OK);
        assert_null(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_the_index),
        cmocka_unit_test(marked_numbers),
        cmocka_unit_test(copied_symbols),
        cmocka_unit_test(order_of_symbols),
        cmocka_unit_test(parity_and_flip_flop),
        cmocka_unit_test(noise_on_one_channel),
        cmocka_unit_test(noise_on_other_channels),
        cmocka_unit_test(grammar_strings),
        cmocka_unit_test(grammar_possible),
        cmocka_unit_test(counting),
        cmocka_unit_test(judged),
        cmocka_unit_test(edges),
        cmocka_unit_test(measured),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
