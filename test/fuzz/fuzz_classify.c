/* Any bytes as what a model of laco train classify keeps: how it reads ("front"), its classes, and the counts of naive
   Bayes. What is accepted must hold together and read a text, or a series, without harm. */
#include "task/classify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static laco_model *model_of(const char *network, int64_t inputs, int64_t outputs)
{
    laco_model *m;
    require(model_new(&m, network, inputs, outputs, 1, NULL) == LACO_OK);
    require(model_set(m, "vocabulary", "{\"unit\":\"word\",\"lower\":false,\"symbols\":[\"<eos>\",\"<unk>\",\"a\"]}",
                      NULL) == LACO_OK);
    require(model_set(m, "classes", "[\"a\",\"b\"]", NULL) == LACO_OK);
    return m;
}
static void check_reading(const char *text, const laco_model *m)
{
    reading f;
    laco_error err;
    laco_status st;
    if (reading_load(&f, m, "model", &err)) {
        require(err.code && err.msg[0]);
        return;
    }
    require(reading_outputs(&f) == m->net->outputs);
    for (int32_t k = 0; k < f.classes; k++) require(reading_class(&f, f.class[k]) == k);
    examples e;
    require(examples_new(&e, NULL) == LACO_OK);
    task_job j = { .stop = &(int){ 0 } };
    table *t = NULL;
    text_columns c;
    if (!f.numbers && !table_parse(&t, text, strlen(text), "text", &(table_options){ .format = TABLE_TEXT }, NULL)) {
        st = examples_text_column(&c, &f, t, NULL);
        if (!st) st = examples_add_table(&e, &f, &c, t, PART_TEST, NULL);
        if (!st) st = reading_apply(&f, &e, &j, NULL);
        for (int64_t i = 0; !st && i < e.positions; i++) require(e.ids[i] >= 0 && e.ids[i] < m->net->inputs);
    }
    table_free(t), examples_free(&e), reading_free(&f);
}
static void check_bayes(const char *text, size_t size, const laco_model *m)
{
    json_doc *d;
    bayes *b;
    reading f = { .classes = 2 };
    mixture mix;
    double p[2];
    if (!mixture_load(&mix, &f, m, NULL) && mix.on) require(bayes_score(mix.b, "a b\n", 4, p, NULL) == LACO_OK);
    bayes_free(mix.b);
    if (json_parse(&d, text, size, NULL)) return;
    if (!bayes_parse(&b, json_root(d), NULL)) {
        buf again = { 0 };
        json_out o = { .to = &again };
        bayes_json(b, &o);
        require(!again.failed);
        buf_free(&again), bayes_free(b);
    }
    json_free(d);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static laco_model *of_text, *of_numbers;
    if (!of_text) of_text = model_of("embed 2; lstm 2; dense", 3, 2);
    if (!of_numbers) of_numbers = model_of("lstm 2; dense", 2, 2);
    char *text = mem_text((const char *)data, size);
    require(text != NULL);
    laco_model *models[] = { of_text, of_numbers };
    for (int i = 0; i < 2; i++) {
        require(model_set(models[i], "front", text, NULL) == LACO_OK);
        require(model_set(models[i], "bayes", text, NULL) == LACO_OK);
        check_reading(text, models[i]);
    }
    check_bayes(text, size, of_text);
    mem_free(text);
    return 0;
}
