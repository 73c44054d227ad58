/* laco diagnose on models whose figures are known. */
#include "base/file.h"
#include "base/json.h"
#include "data/text.h"
#include "format/model.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static const char text[] =
    "the quick brown fox jumps over the lazy dog while the other dogs are asleep, as they were.\n"
    "no fox has ever been seen to do that twice, but who would know? foxes are quick.\n";
static char folder[64];
static laco_error err;
static const char *at(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}
static double noise(uint64_t i) /* -1 to 1 */
{
    i = (i + 1) * 0x9e3779b97f4a7c15u, i ^= i >> 29, i *= 0xbf58476d1ce4e5b9u, i ^= i >> 32;
    return (double)(i >> 11) / 4503599627370496.0 - 1;
}
static laco_model *language_model(const char *network, const char *mode)
{
    laco_model *m;
    vocab *v;
    buf words = { 0 };
    vocab_options o = { .unit = UNIT_CHAR };
    assert_int_equal(vocab_build(&v, &o, text, sizeof text - 1, "text", &err), LACO_OK);
    assert_int_equal(vocab_to_json(v, &words, &err), LACO_OK);
    if (model_new(&m, network, vocab_size(v), vocab_size(v), 1, &err)) fail_msg("%s", err.msg);
    model_set(m, "task", "lm", &err), model_set(m, "mode", mode, &err), model_set(m, "vocabulary", words.data, &err);
    for (int64_t i = 0; i < m->net->params; i++) net_set(m->net, i, 0.5 * noise((uint64_t)i));
    buf_free(&words), vocab_free(v);
    return m;
}
/* A linear recurrent network h' = W x + 0.9 Q h with an orthogonal Q. */
enum { H = 16 };
static void write_linear(const char *path)
{
    laco_model *m = language_model("embed 4; elman 16 linear; dense", "stream");
    double q[H][H];
    for (int i = 0; i < H; i++) {
        double norm = 0;
        for (int k = 0; k < H; k++) q[i][k] = noise((uint64_t)(9000 + i * H + k));
        for (int j = 0; j < 2 * i; j++) {
            double c = 0;
            for (int k = 0; k < H; k++) c += q[i][k] * q[j % i][k];
            for (int k = 0; k < H; k++) q[i][k] -= c * q[j % i][k];
        }
        for (int k = 0; k < H; k++) norm += q[i][k] * q[i][k];
        for (int k = 0; k < H; k++) q[i][k] /= sqrt(norm);
    }
    int64_t first = net_find(m->net, "layers.1.weight_hh")->offset;
    for (int i = 0; i < H * H; i++) net_set(m->net, first + i, 0.9 * q[i / H][i % H]);
    model_set(m, "training", "{\"updates\":200,\"clipped\":30}", &err);
    assert_int_equal(model_save(m, path, &err), LACO_OK);
    laco_model_free(m);
}
static void write_other(const char *path, const char *network)
{
    laco_model *m = language_model(network, "line");
    for (int64_t i = 0; i < m->net->params; i++) net_set(m->net, i, 6 * net_get(m->net, i)); /* gates that saturate */
    assert_int_equal(model_save(m, path, &err), LACO_OK);
    laco_model_free(m);
}
static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/laco-diagnose-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    write_linear(at("linear"));
    write_other(at("lstm"), "embed 4; lstm 6; gru 5; dense");
    write_other(at("both-ways"), "embed 4; lstm 6 bidirectional; dense");
    write_other(at("no-time"), "embed 4; dense");
    return 0;
}
static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

typedef struct run {
    laco_job *job;
    json_doc *doc;
    laco_status st;
} run;
/* options: name, value, …, NULL */
static run diagnosed(const char *model, const char *const *options)
{
    run r;
    assert_int_equal(laco_job_new(&r.job, "diagnose", &err), LACO_OK);
    assert_int_equal(laco_job_set(r.job, "model-file", model, &err), LACO_OK);
    assert_int_equal(laco_job_text(r.job, "data", text, sizeof text - 1, &err), LACO_OK);
    for (; *options; options += 2)
        if (laco_job_set(r.job, options[0], options[1], &err)) fail_msg("%s", err.msg);
    r.doc = NULL, r.st = laco_job_run(r.job, NULL, &err);
    const char *figures = laco_job_result(r.job);
    if (!r.st) assert_int_equal(json_parse(&r.doc, figures, strlen(figures), &err), LACO_OK);
    return r;
}
static void done(run *r) { json_free(r->doc), laco_job_free(r->job); }
static const json *layer_of(const run *r, int model, int k)
{
    return &json_get(&json_get(json_root(r->doc), "models")->item[model], "layers")->item[k];
}
static double number(const json *o, const char *a, const char *b)
{
    const json *n = b ? json_get(json_get(o, a), b) : json_get(o, a);
    assert_non_null(n);
    assert_int_equal(n->kind, JSON_NUMBER);
    return n->number;
}

static void spectral_radius_nine_tenths(void **state)
{
    (void)state;
    run r = diagnosed(at("linear"), (const char *const[]){ "steps", "60", "batch", "4", "out", at("page.html"), NULL });
    if (r.st) fail_msg("%s", err.msg);
    const json *l = layer_of(&r, 0, 0), *g = json_get(json_get(l, "gradient"), "hidden_state"),
               *norm = json_get(g, "norm"), *j = json_get(l, "jacobian");
    assert_true(fabs(number(g, "slope", NULL) - log(0.9)) < 1e-6);
    assert_int_equal(number(g, "memory", NULL), 10);
    assert_int_equal(norm->len, 60);
    for (size_t k = 1; k < norm->len; k++)
        assert_true(fabs(norm->item[k].number / norm->item[k - 1].number - 0.9) < 1e-6);
    const json *radius = json_get(j, "spectral_radius"), *singular = json_get(j, "mean_singular_values");
    assert_true(radius->len > 10 && singular->len == H);
    for (size_t k = 0; k < radius->len; k++) assert_true(fabs(radius->item[k].number - 0.9) < 1e-6);
    for (size_t k = 0; k < singular->len; k++) assert_true(fabs(singular->item[k].number - 0.9) < 1e-6);
    assert_int_equal(number(l, "dead_units", NULL), 0);
    const json *model = &json_get(json_root(r.doc), "models")->item[0];
    assert_int_equal(number(model, "updates", NULL), 200);
    assert_int_equal(number(model, "clipped", NULL), 30);
    char *page;
    size_t n;
    assert_int_equal(file_read(at("page.html"), 1 << 22, &page, &n, &err), LACO_OK);
    assert_non_null(strstr(page, "<td>0.9000</td><td>0.900</td><td>0.900</td><td>0 (0&nbsp;%)</td>"));
    assert_non_null(strstr(page, "clipped in 30 of 200 updates (15.0&nbsp;%)"));
    assert_null(strstr(page, "http")), assert_null(strstr(page, "<script"));
    mem_free(page), done(&r);
}
/* Counts of a histogram add up to all values, shares to what the counts say. */
static void histograms(void **state)
{
    (void)state;
    run r = diagnosed(at("lstm"), (const char *const[]){ "batch", "2", "against", at("linear"), "steps", "40", "out",
                                                         at("two.html"), NULL });
    if (r.st) fail_msg("%s", err.msg);
    for (int k = 0; k < 2; k++) {
        const json *l = layer_of(&r, 0, k), *values = json_get(l, "values");
        assert_int_equal(values->len, k ? 5 : 6);
        for (size_t q = 0; q < values->len; q++) {
            const json *v = &values->item[q], *counts = json_get(json_get(v, "histogram"), "counts");
            double sum = 0, low = 0, high = 0;
            for (size_t i = 0; i < counts->len; i++) {
                sum += counts->item[i].number;
                *(i < 4 ? &low : i < 36 ? &(double){ 0 } : &high) += counts->item[i].number;
            }
            assert_int_equal(sum, 2 * 40 * (k ? 5 : 6));
            if (!strstr(json_get(v, "name")->text, " gate")) continue;
            assert_true(low > 0 && high > 0 && low + high < sum);
            assert_true(fabs(number(v, "saturated_low", NULL) - low / sum) < 1e-12);
            assert_true(fabs(number(v, "saturated_high", NULL) - high / sum) < 1e-12);
        }
    }
    assert_string_equal(json_get(&json_get(layer_of(&r, 0, 0), "values")->item[1], "name")->text, "forget gate");
    assert_string_equal(json_get(layer_of(&r, 1, 0), "cell")->text, "elman");
    done(&r);
}
static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *model, *says;
    } bad[] = { { "both-ways", "reads against time" }, { "no-time", "no recurrent layer" }, { "none", "none" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        run r = diagnosed(at(bad[i].model), (const char *const[]){ NULL });
        assert_true(r.st != LACO_OK);
        if (!strstr(err.msg, bad[i].says)) fail_msg("%s", err.msg);
        done(&r);
    }
    run r = diagnosed(at("linear"), (const char *const[]){ "out", at("no/such/page.html"), NULL });
    assert_int_equal(r.st, LACO_EIO);
    done(&r);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spectral_radius_nine_tenths),
        cmocka_unit_test(histograms),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
