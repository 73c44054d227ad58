/* Any bytes as what a model of laco train tag keeps: in the first line its front, in the second the classes, in the
   third the baseline. What is accepted must hold together and tag a sentence, or a series, without harm. */
#include "task/tag.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static laco_model *model_of(const char *network, int64_t inputs)
{
    laco_model *m;
    require(model_new(&m, network, inputs, 3, 1, NULL) == LACO_OK);
    return m;
}
static void set_line(laco_model *m, const char *key, const char **text)
{
    size_t n = strcspn(*text, "\n");
    char *line = mem_text(*text, n);
    require(line && model_set(m, key, line, NULL) == LACO_OK);
    mem_free(line);
    *text += n + ((*text)[n] == '\n');
}
/* A sentence of three words, of a file with ten columns; false: its columns are not there. */
static bool take_words(tag_data *d, tag_front *f, tag_types *t)
{
    static const char text[] =
        "Ab\tb\tc\td\te\tf\tg\th\ti\tj\nB2\t1\t1\t1\t1\t1\t1\t1\t1\t1\nc\t1\t1\t1\t1\t1\t1\t1\t1\t1\n";
    const tag_source source = { .in = &(table_input){ .j = NULL }, .untagged = true };
    const conll_options o = tag_conll(f, &source);
    conll_sentence s = { 0 };
    conll *c;
    require(conll_open_bytes(&c, text, sizeof text - 1, "text", &o, NULL) == LACO_OK);
    bool ok = !conll_next(c, &s, NULL) && s.words == 3;
    for (int64_t i = 0; ok && i < 3; i++) s.cell[i * s.columns + CONLL_TAG].n = 0;
    if (ok) require(tag_add_sentence(d, f, t, &s, NULL, NULL) == LACO_OK && tag_types_build(t, f, 0, NULL) == LACO_OK);
    conll_sentence_free(&s), conll_close(c);
    return ok;
}
static bool take_numbers(tag_data *d, tag_front *f)
{
    series_set s = { .features = f->inputs, .count = 1 };
    s.x = mem_new((size_t)(3 * f->inputs), sizeof *s.x), s.start = mem_new(2, sizeof *s.start);
    s.file = mem_text("series", 6);
    require(s.x && s.start && s.file);
    s.start[1] = 3;
    bool ok = !tag_add_series(d, f, &s, false, NULL, NULL);
    series_free(&s);
    return ok && d->words == 3;
}
static void judge(tag_front *f, tag_types *t, tag_data *d, const int32_t *said, const laco_model *m)
{
    tag_base *b;
    tag_counts c;
    if (tag_base_load(&b, m, NULL)) return;
    require(tag_classes(f, d, false, NULL) == LACO_OK && tag_counts_new(&c, f->scheme != SCHEME_NONE, NULL) == LACO_OK);
    require(tag_base_judge(&c, b, f, t, d, NULL) == LACO_OK && tag_judge(&c, f, b, t, d, said, NULL) == LACO_OK);
    tag_counts_free(&c), tag_base_free(b);
}
static void run(tag_front *f, tag_types *t, tag_data *d, laco_model *m)
{
    int32_t said[3], of[3];
    double p[9], loss;
    const char *name[3];
    tag_runner r;
    intern *tags;
    tag_runner_init(&r, m->net, f->numbers ? NULL : &t->lex, 2);
    require(tag_run(&r, d, said, p, &loss, NULL, NULL) == LACO_OK && isfinite(loss));
    for (int i = 0; i < 3; i++)
        require(said[i] >= 0 && said[i] < 3 && fabs(p[3 * i] + p[3 * i + 1] + p[3 * i + 2] - 1) < 1e-6);
    require(tag_names(f, said, 3, name, NULL) == LACO_OK && name[0] && name[2]);
    require(intern_new(&tags, NULL) == LACO_OK && tag_of_classes(f, tags, of, NULL) == LACO_OK);
    require(of[0] == 0 && of[2] < intern_count(tags));
    judge(f, t, d, said, m);
    intern_free(tags), tag_runner_free(&r);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static laco_model *models[2];
    if (!models[0])
        models[0] = model_of("tokens 2 chars 2 of 3 lstm 2 feature 2 of 2 feature 2 of 3; lstm 2; dense; crf", 3);
    if (!models[1]) models[1] = model_of("lstm 2; dense", 2);
    char *text = mem_text((const char *)data, size);
    require(text != NULL);
    for (int i = 0; i < 2; i++) {
        const char *at = text;
        tag_front f;
        tag_types t;
        tag_data d = { 0 };
        laco_error err;
        laco_model *m = models[i];
        set_line(m, "front", &at), set_line(m, "classes", &at), set_line(m, "baseline", &at);
        laco_status st = tag_front_load(&f, m, "model", &err);
        require(tag_types_new(&t, NULL) == LACO_OK);
        if (st) require(err.code == st && err.msg[0]);
        if (!st && (f.numbers ? take_numbers(&d, &f) : take_words(&d, &f, &t))) run(&f, &t, &d, m);
        tag_data_free(&d), tag_types_free(&t), tag_front_free(&f);
    }
    mem_free(text);
    return 0;
}
