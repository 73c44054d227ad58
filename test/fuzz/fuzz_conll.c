/* Any bytes to the readers of columns and of word vectors; what they accept must hold together. The first byte chooses
   the options. */
#include "data/conll.h"
#include "data/vectors.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static void check_sentence(const conll_sentence *s)
{
    int64_t words = 0, line = 0;
    for (int64_t i = 0; i < s->lines; i++) {
        const conll_line *l = &s->line[i];
        require(l->whole.at >= 0 && l->whole.n >= 0 && (size_t)(l->whole.at + l->whole.n) <= s->bytes);
        require(l->number >= line && (l->word == -1 || l->word == words++));
        line = l->number;
    }
    require(words == s->words && s->columns >= 2);
    for (int64_t i = 0; i < s->words * s->columns; i++)
        require(s->cell[i].at >= 0 && s->cell[i].n >= 0 && (size_t)(s->cell[i].at + s->cell[i].n) <= s->bytes);
    for (int64_t i = 0; i < s->words; i++) require(s->cell[i * s->columns + CONLL_WORD].n > 0);
}
static laco_status check_vector(void *ctx, const char *word, size_t bytes, const float *x, int64_t n, laco_error *err)
{
    (void)ctx, (void)err;
    require(n > 0 && memchr(word, '\n', bytes) == NULL);
    for (int64_t i = 0; i < n; i++) require(isfinite(x[i]));
    return LACO_OK;
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    laco_error err;
    conll *c;
    conll_sentence s = { 0 };
    int64_t length;
    const char *text = (const char *)data + (size > 0);
    const unsigned how = size ? data[0] : 0;
    const conll_options o = { .others = how & 1 ? "1,2" : NULL,
                              .untagged = how & 2,
                              .skip_bad = how & 4,
                              .text = how & 8,
                              .tags = how & 16 ? "UPOS" : NULL };
    size -= size > 0;
    if (conll_open_bytes(&c, text, size, "bytes", &o, &err)) return 0;
    laco_status st;
    while (!(st = conll_next(c, &s, &err)) && s.words) check_sentence(&s);
    if (st) require(err.code == st);
    require(conll_skipped(c) == 0 || o.skip_bad);
    conll_sentence_free(&s), conll_close(c);
    st = vectors_parse(text, size, "bytes", &length, check_vector, NULL, &err);
    require(st ? err.code == st : length > 0);
    return 0;
}
