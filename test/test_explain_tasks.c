/* laco explain of whole models: what it says of forecasts against differences of forecasts of changed data, of series
   and sentences that are labelled and of music against answers to data with a step taken out; and that it says of each
   what laco predict answers. */
#include "base/json.h"
#include "data/rolls.h"
#include "format/model.h"
#include "laco.h"
#include "task/explain.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#define MODEL "/tmp/test_explain_tasks.safetensors"
#define OPTIONS(...)                                                                                                   \
    (const char *const[]) { __VA_ARGS__, NULL }

/* ---- jobs ---- */
static buf said; /* what the last job wrote, a line a row */
static void take(void *ctx, const char *bytes, size_t n) { buf_add(ctx, bytes, n); }
static const laco_watch watch = { sizeof watch, &said, NULL, NULL, take };
static laco_status run(const char *command, const char *data, const char *const *option, laco_error *err)
{
    laco_job *j;
    laco_status st = laco_job_new(&j, command, err);
    said.len = 0;
    if (!st && data) st = laco_job_text(j, "data", data, strlen(data), err);
    for (; !st && *option; option += 2) st = laco_job_set(j, option[0], option[1], err);
    if (!st) st = laco_job_set(j, "threads", "1", err);
    if (!st) st = laco_job_run(j, &watch, err);
    laco_job_free(j);
    buf_add(&said, "", 1);
    return st;
}
static void do_job(const char *command, const char *data, const char *const *option)
{
    laco_error err = { 0 };
    if (run(command, data, option, &err)) fail_msg("%s: %s", command, err.msg);
}
static void explain(const char *data, const char *at, const char *answer)
{
    const bool whole = !answer; /* the likeliest */
    do_job("explain", data, OPTIONS("model-file", MODEL, "json", "true", "at", at, whole ? NULL : "answer", answer));
}
/* The number behind a key of a row of JSON, or of its answer the one behind its last ": ". */
static double number_of(int row, const char *key)
{
    const char *line = said.data, *at;
    for (; row; row--) line = strchr(line, '\n') + 1;
    at = strstr(line, key);
    if (!at || at > strchr(line, '\n')) fail_msg("no %s in %s", key, line);
    return strtod(at + strlen(key), NULL);
}
static double score(void) /* of a forecast */
{
    const char *at = strstr(said.data, "\"answer\":\""), *end = strchr(at + 10, '"');
    while (end[-1] != ' ') end--;
    return strtod(end, NULL);
}
static int rows(void)
{
    int n = 0;
    for (const char *at = said.data; (at = strchr(at, '\n')); at++) n++;
    return n;
}
static void same(const char *what, const char *config, int64_t at, double is, double should, double within)
{
    if (!(fabs(is - should) <= within)) fail_msg("%s of %s, %lld: %g, not %g", what, config, (long long)at, is, should);
}

/* ---- forecasts ---- two targets, measured by their mean size, so that a value of 0 reads as 0 */
enum { LENGTH = 30, WINDOW = 5 };
static void write_series(buf *to, double y[LENGTH][2])
{
    to->len = 0, buf_text(to, "y,z\n");
    for (int t = 0; t < LENGTH; t++) buf_printf(to, "%.9g,%.9g\n", y[t][0], y[t][1]);
    buf_add(to, "", 1);
}
static double forecast(double y[LENGTH][2], const char *at)
{
    static buf data;
    write_series(&data, y);
    explain(data.data, at, "z");
    return score();
}
typedef struct forecast_case {
    const char *name, *at, *option[12];
    bool log, counts;
} forecast_case;
static void check_forecast(const forecast_case *c)
{
    double y[LENGTH][2], gradient[WINDOW][2], occlusion[WINDOW];
    buf data = { 0 };
    const char *all[64] = { "out",      MODEL, "format", "csv",  "target", "y,z", "horizon", "3",
                            "window",   "5",   "hidden", "4",    "epochs", "2",   "lr",      "0.02",
                            "backtest", "0",   "scale",  "mean", "seed",   "3" };
    for (int i = 0; c->option[i]; i++) all[22 + i] = c->option[i];
    for (int t = 0; t < LENGTH; t++) y[t][0] = round(1000 + 400 * sin(t)), y[t][1] = round(800 + 300 * cos(2 * t));
    write_series(&data, y);
    do_job("train forecast", data.data, all);
    const double s = forecast(y, c->at);
    for (int t = 0; t < WINDOW; t++) {
        assert_true(number_of(t, "\"step\":") == LENGTH - WINDOW + 1 + t);
        gradient[t][0] = number_of(t, "\"gradient\":{\"y\":"), gradient[t][1] = number_of(t, ",\"z\":");
        occlusion[t] = number_of(t, "\"occlusion\":");
    }
    const bool paths = c->option[0] && !strcmp(c->option[1], "recursive");
    do_job("predict", data.data, OPTIONS("model-file", MODEL, "json", "true", paths ? "paths" : NULL, "1"));
    if (!c->counts) same("forecast", c->name, 0, s, number_of(atoi(c->at) - 1, "\"z\":"), 1e-3);
    for (int t = 0; t < WINDOW; t++)
        for (int d = 0; d < 2; d++) {
            const double v = y[LENGTH - WINDOW + t][d], h = 10;
            y[LENGTH - WINDOW + t][d] = v + h;
            double above = forecast(y, c->at);
            y[LENGTH - WINDOW + t][d] = v - h;
            double slope = (above - forecast(y, c->at)) / (2 * h) * v * (c->log ? log(v) : 1);
            y[LENGTH - WINDOW + t][d] = v;
            same("gradient", c->name, 2 * t + d, gradient[t][d], slope, 0.005 + 1e-3 * fabs(slope));
        }
    for (int t = 0; t < WINDOW && !c->log; t++) {
        double row[2];
        memcpy(row, y[LENGTH - WINDOW + t], sizeof row), memset(y[LENGTH - WINDOW + t], 0, sizeof row);
        same("occlusion", c->name, t, occlusion[t], s - forecast(y, c->at), 1e-2);
        memcpy(y[LENGTH - WINDOW + t], row, sizeof row);
    }
    buf_free(&data), unlink(MODEL);
}
static void forecasts(void **state)
{
    (void)state;
    static const forecast_case cases[] = {
        { .name = "absolute", .at = "2" },
        { .name = "student-t", .at = "3", .option = { "loss", "student-t" } },
        { .name = "quantiles", .at = "1", .option = { "loss", "pinball", "quantiles", "0.2,0.45,0.8" } },
        { .name = "counts", .at = "2", .option = { "loss", "negative-binomial" }, .counts = true },
        { .name = "logarithms", .at = "2", .option = { "logarithm", "true" }, .log = true },
        { .name = "decoder", .at = "3", .option = { "strategy", "decoder", "loss", "gaussian" } },
        { .name = "recursive", .at = "1", .option = { "strategy", "recursive", "loss", "gaussian" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_forecast(&cases[i]);
}

/* A network of one dense layer is linear: all measures are the same, whatever is done to values before and behind it.
 */
static void linear_forecasts(void **state)
{
    (void)state;
    static const char *const more[][9] = {
        { "deseasonalise", "4" },
        { "difference", "2", "scale", "window", "lags", "3,4" },
        { "time", "day", "calendar", "weekday,year", "past", "p", "scale", "revin" },
        { "time", "day", "future", "f", "deseasonalise", "3", "scale", "level" },
        { "strategy", "decoder", "time", "day", "future", "f", "static", "kind" },
    };
    buf data = { 0 };
    buf_text(&data, "day,y,z,p,f,kind\n");
    for (int t = 0; t < 53; t++) {
        buf_printf(&data, "2024-%02d-%02d,", t < 31 ? 1 : 2, t < 31 ? t + 1 : t - 30);
        if (t < 50) buf_printf(&data, "%g,%g,%d", 20 + 5 * sin(t), 30 + 10 * cos(2 * t), t * t % 7);
        buf_printf(&data, "%s,%d,x\n", t < 50 ? "" : ",,", t % 5);
    }
    buf_add(&data, "", 1);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        const char *all[64] = { "out", MODEL,   "format", "csv",    "target", "y,z", "horizon", "3",        "window",
                                "5",   "model", "dense",  "epochs", "2",      "lr",  "0.05",    "backtest", "0" };
        for (int k = 0; more[i][k]; k++) all[18 + k] = more[i][k];
        do_job("train forecast", data.data, all);
        explain(data.data, "3", "z");
        const int last = rows() - 1;
        const double s = score();
        double sum = 0;
        char *end, *at = said.data;
        for (int k = 0; k < last; k++) at = strchr(at, '\n') + 1;
        for (at = strstr(at, "\"gradient\":{") + 12; (at = strchr(at, ':')); at = end) sum += strtod(at + 1, &end);
        same("sum", more[i][0], last, sum, number_of(last, "\"occlusion\":"), 2e-4);
        assert_true(fabs(sum) > 1e-2);
        do_job("predict", data.data, OPTIONS("model-file", MODEL, "json", "true"));
        same("forecast", more[i][0], 0, s, number_of(2, "\"z\":"), 1e-4);
    }
    buf_free(&data), unlink(MODEL);
}
/* The medians that it reads itself are steps too; of two series each has its own. */
static void recursive_forecasts(void **state)
{
    (void)state;
    buf data = { 0 };
    buf_text(&data, "id,y\n");
    for (int t = 0; t < 60; t++) buf_printf(&data, "%s,%g\n", t < 30 ? "a" : "b", 3 + t / 30 + sin(t));
    buf_add(&data, "", 1);
    do_job("train forecast", data.data,
           OPTIONS("out", MODEL, "format", "csv", "target", "y", "id", "id", "horizon", "4", "window", "5", "hidden",
                   "4", "epochs", "2", "backtest", "0", "strategy", "recursive", "loss", "student-t", "lags", "2",
                   "scale", "window", "span", "3"));
    explain(data.data, "4", "y");
    assert_int_equal(rows(), 2 * (5 + 3));
    assert_true(number_of(7, "\"step\":") == 33 && number_of(8, "\"step\":") == 26 &&
                strstr(said.data, "\"b: y at 34: "));
    const double s = score();
    for (int t = 5; t < 8; t++) assert_true(fabs(number_of(t, "\"occlusion\":")) > 1e-5);
    do_job("predict", data.data, OPTIONS("model-file", MODEL, "json", "true", "paths", "1"));
    same("forecast", "recursive", 0, s, number_of(3, "\"y\":"), 1e-6);
    buf_free(&data), unlink(MODEL);
}

/* ---- tags ---- */
enum { SERIES = 6 };
/* s of a class at step 3 of a series. */
static double labelled(double x[SERIES][2], const char *class)
{
    buf data = { 0 };
    buf_text(&data, "id,a,b\n1,0,0\n1,1,1\n1,0,1\n"); /* another one in front */
    for (int t = 0; t < SERIES; t++) buf_printf(&data, "2,%.9g,%.9g\n", x[t][0], x[t][1]);
    buf_add(&data, "", 1);
    explain(data.data, "3", class);
    buf_free(&data);
    assert_int_equal(rows(), 3 + SERIES);
    const char *second = strstr(said.data, "{\"example\":2");
    memmove(said.data, second, strlen(second) + 1);
    return log(number_of(0, "\"probability\":"));
}
/* Numbers are read as what they are above the mean of training, in deviations. */
static void check_series(const char *network, double x[SERIES][2], const double mean[2])
{
    double gradient[SERIES][2], occlusion[SERIES];
    const double s = labelled(x, "u");
    assert_non_null(strstr(said.data, "\"answer\":\"step 3: u\""));
    for (int t = 0; t < SERIES; t++) {
        gradient[t][0] = number_of(t, "\"gradient\":{\"a\":"), gradient[t][1] = number_of(t, ",\"b\":");
        occlusion[t] = number_of(t, "\"occlusion\":");
    }
    for (int t = 0; t < SERIES; t++) {
        const double row[2] = { x[t][0], x[t][1] }, h = 0.03;
        for (int k = 0; k < 2; k++) {
            x[t][k] = row[k] + h;
            double above = labelled(x, "u");
            x[t][k] = row[k] - h;
            double slope = (above - labelled(x, "u")) / (2 * h) * (row[k] - mean[k]);
            x[t][k] = row[k];
            same("gradient", network, 2 * t + k, gradient[t][k], slope, 1e-3);
        }
        memcpy(x[t], mean, sizeof row);
        same("occlusion", network, t, occlusion[t], s - labelled(x, "u"), 1e-5);
        memcpy(x[t], row, sizeof row);
    }
    assert_true(fabs(occlusion[2]) > 1e-2);
}
static void steps_of_series(void **state)
{
    (void)state;
    static const char *const networks[] = { "lstm 3 bidirectional; dense", "gru 4; dense; crf" };
    for (int which = 0; which < 2; which++) {
        double mean[2] = { 0 }, x[SERIES][2];
        buf data = { 0 };
        buf_text(&data, "id,a,b,tag\n");
        for (int t = 0; t < 40; t++) {
            double a = sin(t), b = t % 5;
            mean[0] += a / 40, mean[1] += b / 40;
            if (t < SERIES) x[t][0] = a, x[t][1] = b;
            buf_printf(&data, "%d,%.9g,%.9g,%s\n", t / 10, a, b, a > 0 ? b > 2 ? "u" : "v" : "w");
        }
        buf_add(&data, "", 1);
        do_job("train tag", data.data,
               OPTIONS("out", MODEL, "format", "csv", "tags", "tag", "id", "id", "model", networks[which], "epochs",
                       "6", "lr", "0.05", "batch", "2", "split", "0"));
        check_series(networks[which], x, mean);
        buf_free(&data), unlink(MODEL);
    }
}
/* A hidden word is one that is not known, where words are all that is read of it. Without --at the least certain word
   is asked about; probabilities are those of predict. */
static void words_of_sentences(void **state)
{
    (void)state;
    static const char *const words[] = { "the", "old", "man", "runs", "home" };
    buf data = { 0 }, one = { 0 };
    double occlusion[5], p[5], least = 1;
    int at = 0;
    for (int i = 0; i < 12; i++)
        buf_text(&data, i % 3 ? "the\tD\nold\tA\nman\tN\nruns\tV\nhome\tR\n\n"
                              : "the\tD\nold\tN\nman\tV\nthe\tD\nhome\tN\n\n");
    buf_add(&data, "", 1);
    do_job("train tag", data.data,
           OPTIONS("out", MODEL, "cased", "true", "chars", "0", "embed", "4", "hidden", "4", "epochs", "8", "lr",
                   "0.05", "batch", "2", "dropout", "0", "split", "0"));
    do_job("predict", "the\nold\nman\nruns\nhome\n", OPTIONS("model-file", MODEL, "json", "true"));
    char *list = strstr(said.data, "\"p\":[") + 4;
    for (int i = 0; i < 5; i++) {
        p[i] = strtod(list + 1, &list);
        if (p[i] < least) least = p[i], at = i;
    }
    do_job("explain", NULL, OPTIONS("model-file", MODEL, "text", "the old man runs home", "json", "true"));
    same("probability", "words", at, number_of(0, "\"probability\":"), least, 1e-6);
    assert_int_equal(number_of(0, "(word "), at + 1);
    do_job("explain", NULL,
           OPTIONS("model-file", MODEL, "text", "the old man runs home", "json", "true", "at", "3", "answer", "V"));
    const double s = log(number_of(0, "\"probability\":"));
    assert_non_null(strstr(said.data, "\"answer\":\"man (word 3): V\""));
    for (int t = 0; t < 5; t++) occlusion[t] = number_of(t, "\"occlusion\":");
    for (int t = 0; t < 5; t++) {
        one.len = 0;
        for (int i = 0; i < 5; i++) buf_printf(&one, "%s\n", i == t ? "xyzzy" : words[i]);
        buf_add(&one, "", 1);
        explain(one.data, "3", "V");
        same("occlusion", "words", t, occlusion[t], s - log(number_of(0, "\"probability\":")), 1e-4);
        assert_true(fabs(occlusion[t]) > 1e-4);
    }
    buf_free(&data), buf_free(&one), unlink(MODEL);
}
/* A tag of iob2 is the more probable of two classes of the network. */
static void a_tag_of_two_classes(void **state)
{
    (void)state;
    buf data = { 0 };
    for (int i = 0; i < 8; i++) buf_text(&data, "Ana\tB-P\nruns\tO\n\nEva\tB-P\nSilva\tI-P\nsits\tO\n\n");
    buf_add(&data, "", 1);
    do_job("train tag", data.data,
           OPTIONS("out", MODEL, "chars", "0", "embed", "4", "hidden", "4", "epochs", "20", "lr", "0.05", "batch", "4",
                   "dropout", "0"));
    explain("Eva\nSilva\nsits\n", "1", "B-P");
    assert_non_null(strstr(said.data, "\"answer\":\"Eva (word 1): B-P\""));
    explain("Ana\nruns\n", "1", "B-P");
    assert_non_null(strstr(said.data, "\"answer\":\"Ana (word 1): S-P\""));
    explain("Ana\nruns\n", "1", "E-P");
    assert_non_null(strstr(said.data, "\"answer\":\"Ana (word 1): E-P\""));
    buf_free(&data), unlink(MODEL);
}

/* ---- music ---- */
static double note(const char *data, const char *at, const char *answer)
{
    explain(data, at, answer);
    return log(number_of(0, "\"probability\":"));
}
/* A hidden step is silence; contributions of notes are those that the driver finds of all keys. */
static void notes_of_music(void **state)
{
    (void)state;
    static const char *const networks[] = { "lstm 4; dense", "gru 4; dense 92; nade 4" };
    static const int notes[5][2] = { { 60, 67 }, { 62, 69 }, { 60, 64 }, { 62, 72 }, { 60, 67 } };
    const int stop = 0;
    for (int which = 0; which < 2; which++) {
        float x[4][ROLL_KEYS] = { { 0 } }, given[ROLL_KEYS] = { 0 };
        double occlusion[4];
        explained e;
        laco_model *m;
        buf data = { 0 };
        buf_text(&data, "{\"train\":[");
        for (int i = 0; i < 6; i++) buf_printf(&data, "%s[[60,67],[62,69],[60,64],[62,72],[60,67]]", i ? "," : "");
        buf_text(&data, "]}"), buf_add(&data, "", 1);
        do_job("train compose", data.data,
               OPTIONS("out", MODEL, "model", networks[which], "epochs", "8", "lr", "0.02"));
        const double s = note(data.data, "4", "72");
        assert_non_null(strstr(said.data, "\"answer\":\"step 4: note 72\""));
        for (int t = 0; t < 4; t++) {
            assert_true(number_of(t, "\"step\":") == t);
            occlusion[t] = number_of(t, "\"occlusion\":");
            for (int k = 0; t && k < 2; k++) x[t][notes[t - 1][k] - ROLL_LOW] = 1;
        }
        given[62 - ROLL_LOW] = given[72 - ROLL_LOW] = 1;
        const explain_question q = {
            .says = SAYS_LABEL, .output = 72 - ROLL_LOW, .step = 3, .target = which ? given : NULL
        };
        assert_int_equal(model_load(&m, MODEL, 1, NULL), LACO_OK);
        assert_int_equal(explain_sequence(&e, m->net, x, 4, &q, &stop, NULL), LACO_OK);
        same("value", networks[which], 0, s, e.value, 1e-5);
        for (int t = 1; t < 4; t++)
            for (int k = 0; k < 2; k++) {
                char key[32];
                snprintf(key, sizeof key, "\"note %d\":", notes[t - 1][k]);
                double g = e.gradient[t * ROLL_KEYS + notes[t - 1][k] - ROLL_LOW];
                same("gradient", networks[which], 2 * t + k, number_of(t, key), g, 1e-6);
                assert_true(fabs(g) > 1e-6);
            }
        assert_null(strstr(said.data, "note 72\":")); /* it does not sound before */
        explained_free(&e), laco_model_free(m);
        static const char *const less[4] = { "[[60,67],[62,69],[60,64],[62,72]]", "[[],[62,69],[60,64],[62,72]]",
                                             "[[60,67],[],[60,64],[62,72]]", "[[60,67],[62,69],[],[62,72]]" };
        for (int t = 0; t < 4; t++) {
            char part[80];
            snprintf(part, sizeof part, "{\"train\":[%s]}", less[t]);
            same("occlusion", networks[which], t, occlusion[t], s - note(part, "4", "72"), 1e-5);
        }
        explain(data.data, "0", NULL); /* what would follow: the likeliest of all notes */
        const double most = number_of(0, "\"probability\":");
        assert_non_null(strstr(said.data, "\"answer\":\"step 6: note "));
        for (int k = 60; k < 73; k++)
            assert_true(exp(note(data.data, "6", (char[4]){ '0' + k / 10, '0' + k % 10 })) < most + 1e-6);
        buf_free(&data), unlink(MODEL);
    }
}
/* Of a long piece the last 512 steps are read. */
static void a_long_piece(void **state)
{
    (void)state;
    buf data = { 0 };
    buf_text(&data, "{\"train\":[[[60]");
    for (int t = 1; t < 600; t++) buf_printf(&data, ",[%d]", 60 + t % 3);
    buf_text(&data, "]]}"), buf_add(&data, "", 1);
    do_job("train compose", data.data, OPTIONS("out", MODEL, "model", "elman 4; dense", "epochs", "1"));
    explain(data.data, "0", "64");
    assert_true(rows() == 512 && number_of(0, "\"step\":") == 89 && number_of(511, "\"step\":") == 600);
    assert_true(fabs(number_of(511, "\"note 62\":")) > 1e-5); /* (600 - 1) % 3 = 2 */
    assert_non_null(strstr(said.data, "\"answer\":\"step 601: note 64\""));
    buf_free(&data), unlink(MODEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forecasts),       cmocka_unit_test(linear_forecasts),   cmocka_unit_test(recursive_forecasts),
        cmocka_unit_test(steps_of_series), cmocka_unit_test(words_of_sentences), cmocka_unit_test(a_tag_of_two_classes),
        cmocka_unit_test(notes_of_music),  cmocka_unit_test(a_long_piece),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&said);
    return failed;
}
