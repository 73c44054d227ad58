#include "task/tag_score.h"
#include "task/tag_scheme.h"
#include <math.h>

static double share(int64_t n, int64_t of) { return of ? (double)n / (double)of : 0; }
double span_precision(span_counts c) { return share(c.right, c.said); }
double span_recall(span_counts c) { return share(c.right, c.real); }
double span_f1(span_counts c) { return share(2 * c.right, c.said + c.real); }

laco_status tag_counts_new(tag_counts *c, bool spans, laco_error *err)
{
    *c = (tag_counts){ .spans = spans };
    return intern_new(&c->types, err);
}
void tag_counts_free(tag_counts *c)
{
    intern_free(c->types), mem_free(c->type);
    *c = (tag_counts){ 0 };
}
static laco_status count_of(tag_counts *c, const char *type, span_counts **out, laco_error *err)
{
    int32_t k;
    laco_status st = intern_add(c->types, type, strlen(type), &k, err);
    if (st) return st;
    if (k >= c->type_room) {
        int64_t room = 2 * c->type_room + 16;
        span_counts *all = mem_resize(c->type, (size_t)c->type_room * sizeof *all, (size_t)room * sizeof *all);
        if (!all) return fail_memory(err, (size_t)room * sizeof *all);
        c->type = all, c->type_room = room;
    }
    *out = &c->type[k];
    return LACO_OK;
}
/* conlleval's walk: a span is right when both begin together with one type and end together. */
static laco_status count_spans(tag_counts *c, const char *const *real, const char *const *said, int64_t n,
                               laco_error *err)
{
    const tag_mark outside = { 'O', "" };
    tag_mark r0 = outside, s0 = outside;
    bool inside = false;
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i <= n; i++) {
        tag_mark r = i < n && real[i] ? tag_read(real[i]) : outside, s = i < n ? tag_read(said[i]) : outside;
        bool real_ends = span_ends(r0, r), said_ends = span_ends(s0, s);
        bool real_begins = span_begins(r0, r), said_begins = span_begins(s0, s);
        span_counts *of;
        if (inside && real_ends && said_ends) {
            inside = false, c->all.right++;
            if (!(st = count_of(c, r0.type, &of, err))) of->right++;
        } else if (inside && (real_ends != said_ends || strcmp(r.type, s.type)))
            inside = false;
        if (real_begins && said_begins && !strcmp(r.type, s.type)) inside = true;
        if (!st && real_begins && !(st = count_of(c, r.type, &of, err))) of->real++, c->all.real++;
        if (!st && said_begins && !(st = count_of(c, s.type, &of, err))) of->said++, c->all.said++;
        r0 = r, s0 = s;
    }
    return st;
}
laco_status tag_count(tag_counts *c, const char *const *real, const char *const *said, const bool *unknown, int64_t n,
                      laco_error *err)
{
    for (int64_t i = 0; i < n; i++)
        if (real[i]) c->words[unknown[i]]++, c->right[unknown[i]] += !strcmp(real[i], said[i]);
    return c->spans ? count_spans(c, real, said, n, err) : LACO_OK;
}
double tag_accuracy(const tag_counts *c)
{
    return share(c->right[WORDS_KNOWN] + c->right[WORDS_UNKNOWN], c->words[WORDS_KNOWN] + c->words[WORDS_UNKNOWN]);
}
double tag_accuracy_of(const tag_counts *c, int kind)
{
    return c->words[kind] ? share(c->right[kind], c->words[kind]) : NAN;
}
static void span_json(span_counts n, json_out *o)
{
    json_key(o, "precision"), json_number(o, span_precision(n));
    json_key(o, "recall"), json_number(o, span_recall(n));
    json_key(o, "f1"), json_number(o, span_f1(n));
    json_key(o, "right"), json_int(o, n.right);
    json_key(o, "said"), json_int(o, n.said);
    json_key(o, "real"), json_int(o, n.real);
}
void tag_counts_json(const tag_counts *c, json_out *o)
{
    json_key(o, "words"), json_int(o, c->words[WORDS_KNOWN] + c->words[WORDS_UNKNOWN]);
    json_key(o, "accuracy"), json_number(o, tag_accuracy(c));
    json_key(o, "accuracy_known"), json_number(o, tag_accuracy_of(c, WORDS_KNOWN));
    json_key(o, "accuracy_unknown"), json_number(o, tag_accuracy_of(c, WORDS_UNKNOWN));
    if (!c->spans) return;
    span_json(c->all, o);
    json_key(o, "types"), json_begin(o, '{');
    for (int32_t k = 0; k < intern_count(c->types); k++) {
        json_key(o, intern_text(c->types, k)), json_begin(o, '{');
        span_json(c->type[k], o), json_end(o, '}');
    }
    json_end(o, '}');
}
