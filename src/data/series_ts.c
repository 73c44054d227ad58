/* .ts, the form of the UEA & UCR archives of time series:

       # remarks
       @problemName NAME            @timeStamps false       @missing true|false      @univariate true|false
       @dimensions N                @equalLength true|false @seriesLength T
       @classLabel true A B C | false, or @targetLabel true | false
       @data
       1.5,2,?,3:0,0,1,1:A

   Channels of a case are of one length. What the head promises is held against the cases. */
#include "base/number.h"
#include "data/readers.h"
#include <math.h>
#include <strings.h>

typedef struct ts_reader {
    const char *name, *at, *end; /* file; what is left of it */
    int64_t line;                /* that was taken last, from 1 */
    int64_t dimensions, length;  /* as the head says; 0: it does not */
    bool labelled, numbered;     /* the last part of a case is a class, or a number */
    char **class_name;           /* of the head; ends in NULL */
    int64_t classes;
    buf values;                  /* float: the channels of a case, one after the other */
    buf x, start, label, target; /* of the part */
    int64_t before;              /* cases in the parts before */
    const series_parts *to;
    laco_error *err;
} ts_reader;

typedef struct span {
    const char *at;
    size_t n;
} span;
static bool span_is(span s, const char *text) { return s.n == strlen(text) && !strncasecmp(s.at, text, s.n); }
static span trimmed(span s)
{
    while (s.n && strchr(" \t\r", s.at[0])) s.at++, s.n--;
    while (s.n && strchr(" \t\r", s.at[s.n - 1])) s.n--;
    return s;
}
/* Up to the byte `stop`, or all; *rest begins behind it. */
static span cut(span *rest, char stop)
{
    const char *found = rest->n ? memchr(rest->at, stop, rest->n) : NULL;
    span s = { rest->at, found ? (size_t)(found - rest->at) : rest->n };
    *rest = found ? (span){ found + 1, rest->n - s.n - 1 } : (span){ rest->at + rest->n, 0 };
    return trimmed(s);
}
static span word(span *rest)
{
    *rest = trimmed(*rest);
    return cut(rest, ' ');
}
static laco_status bad(const ts_reader *r, const char *what)
{
    return fail(r->err, LACO_EFORMAT, r->line, "%s, line %lld: %s", r->name, (long long)r->line, what);
}
static bool next_line(ts_reader *r, span *line)
{
    if (r->at >= r->end) return false;
    span rest = { r->at, (size_t)(r->end - r->at) };
    *line = cut(&rest, '\n');
    r->at = rest.at, r->line++;
    return true;
}
static bool to_number(span s, double *x)
{
    char text[64];
    if (s.n >= sizeof text || !s.n) return false;
    memcpy(text, s.at, s.n), text[s.n] = 0;
    return number_parse(text, x);
}

/* ---- the head ---- */
static laco_status head_count(const ts_reader *r, span value, int64_t *n)
{
    double x;
    if (!to_number(value, &x) || x < 1 || x > 1e9 || x != floor(x)) return bad(r, "a count of 1 or more is expected");
    *n = (int64_t)x;
    return LACO_OK;
}
static void free_classes(ts_reader *r)
{
    for (int64_t k = 0; r->class_name && r->class_name[k]; k++) mem_free(r->class_name[k]);
    mem_free(r->class_name);
}
static laco_status head_classes(ts_reader *r, span rest)
{
    span w = word(&rest);
    if (!span_is(w, "true") && !span_is(w, "false")) return bad(r, "@classLabel is true with the classes, or false");
    if (!(r->labelled = span_is(w, "true"))) return LACO_OK;
    buf names = { 0 };
    for (r->classes = 0; (w = word(&rest)).n; r->classes++) {
        char *name = mem_text(w.at, w.n);
        buf_add(&names, &name, sizeof name);
        if (!name) names.failed = true;
    }
    buf_add(&names, &(char *){ NULL }, sizeof(char *));
    free_classes(r);
    r->class_name = (char **)names.data;
    return names.failed ? fail_memory(r->err, names.len) : LACO_OK;
}
static laco_status head_line(ts_reader *r, span line)
{
    span rest = line, tag = word(&rest), value = trimmed(rest);
    if (span_is(tag, "@timestamps") && span_is(value, "true"))
        return bad(r, "series with time stamps are not read; write them without, at equal distances");
    if (span_is(tag, "@dimensions") || span_is(tag, "@dimension")) return head_count(r, value, &r->dimensions);
    if (span_is(tag, "@univariate") && span_is(value, "true")) return r->dimensions = 1, LACO_OK;
    if (span_is(tag, "@serieslength")) return head_count(r, value, &r->length);
    if (span_is(tag, "@targetlabel")) return r->numbered = span_is(value, "true"), LACO_OK;
    return span_is(tag, "@classlabel") ? head_classes(r, rest) : LACO_OK;
}
static laco_status read_head(ts_reader *r)
{
    span line;
    laco_status st = LACO_OK;
    while (!st && next_line(r, &line)) {
        if (span_is(line, "@data")) return LACO_OK;
        if (!line.n || line.at[0] == '#') continue;
        if (line.at[0] != '@') return bad(r, "lines before @data begin with # or @; is this a .ts file?");
        st = head_line(r, line);
    }
    return st ? st : bad(r, "there is no @data, so no series");
}

/* ---- cases ---- */
static laco_status read_channel(ts_reader *r, span channel, int64_t *n)
{
    for (*n = 0; channel.n; ++*n) {
        double x = NAN;
        span s = cut(&channel, ',');
        if (!span_is(s, "?") && !span_is(s, "nan") && !to_number(s, &x))
            return bad(r, "a value must be a finite number, or ? where it is missing");
        float f = (float)x;
        if (isinf(f)) return bad(r, "a value must be a finite number, or ? where it is missing");
        buf_add(&r->values, &f, sizeof f);
    }
    return LACO_OK;
}
static laco_status read_label(ts_reader *r, span s)
{
    bool unknown = !s.n || span_is(s, "?");
    if (r->numbered) {
        double y = NAN;
        if (!unknown && !to_number(s, &y))
            return bad(r, "the target must be a finite number, or ? where it is unknown");
        return buf_add(&r->target, &y, sizeof y), LACO_OK;
    }
    bool known = unknown || !r->classes;
    for (int64_t k = 0; !known && k < r->classes; k++)
        known = strlen(r->class_name[k]) == s.n && !memcmp(r->class_name[k], s.at, s.n);
    if (!known)
        return fail(r->err, LACO_EFORMAT, r->line,
                    "%s, line %lld: the class %.*s is not one of @classLabel; add it there", r->name,
                    (long long)r->line, (int)(s.n < 60 ? s.n : 60), s.at);
    char *label = unknown ? NULL : mem_text(s.at, s.n);
    if (!unknown && !label) r->label.failed = true;
    return buf_add(&r->label, &label, sizeof label), LACO_OK;
}
/* Channel by channel becomes step by step. */
static void add_steps(ts_reader *r, int64_t channels, int64_t length)
{
    const float *value = (const float *)r->values.data;
    for (int64_t t = 0; t < length; t++)
        for (int64_t c = 0; c < channels; c++) buf_add(&r->x, &value[c * length + t], sizeof *value);
    int64_t end = (int64_t)(r->x.len / sizeof *value) / channels;
    buf_add(&r->start, &end, sizeof end);
}
static laco_status read_case(ts_reader *r, span line)
{
    int64_t channels = 0, length = 0, n = 0;
    bool answered = r->labelled || r->numbered;
    const char *colon = answered ? memrchr(line.at, ':', line.n) : line.at + line.n;
    if (!colon) return bad(r, "a case ends in a colon and its class or target");
    span rest = { line.at, (size_t)(colon - line.at) };
    r->values.len = 0;
    for (bool more = true; more; channels++) {
        more = memchr(rest.at, ':', rest.n) != NULL;
        laco_status st = read_channel(r, cut(&rest, ':'), &n);
        if (st) return st;
        if (channels && n != length)
            return bad(r, "its channels differ in length; cut them to one length, or fill with ?");
        length = n;
    }
    if (r->dimensions && channels != r->dimensions)
        return fail(r->err, LACO_EFORMAT, r->line, "%s, line %lld: it has %lld channels where %lld are expected",
                    r->name, (long long)r->line, (long long)channels, (long long)r->dimensions);
    if (!length) return bad(r, "it has no steps; take it out");
    if (r->length && length != r->length) return bad(r, "its length is not that of @seriesLength");
    r->dimensions = channels;
    if (r->values.failed) return fail_memory(r->err, r->values.len);
    add_steps(r, channels, length);
    return answered ? read_label(r, trimmed((span){ colon + 1, (size_t)(line.at + line.n - colon - 1) })) : LACO_OK;
}
static int64_t cases(const ts_reader *r) { return (int64_t)(r->start.len / sizeof(int64_t)) - 1; }
static void begin_part(ts_reader *r)
{
    r->x = r->start = r->label = r->target = (buf){ 0 };
    buf_add(&r->start, &(int64_t){ 0 }, sizeof(int64_t));
}
/* What was read since the part began, as a set. */
static laco_status end_part(ts_reader *r, series_set *s)
{
    bool failed = r->x.failed || r->start.failed || r->label.failed || r->target.failed;
    *s = (series_set){ .count = cases(r), .features = r->dimensions, .first = r->before };
    s->x = (float *)r->x.data, s->start = (int64_t *)r->start.data;
    s->label = (char **)r->label.data, s->target = (double *)r->target.data;
    s->file = mem_text(r->name, strlen(r->name));
    if (!failed && s->file) return LACO_OK;
    s->count = (int64_t)(r->label.len / sizeof(char *)); /* as many labels as there are to be freed */
    return series_free(s), fail_memory(r->err, r->x.len + r->start.len);
}
static laco_status hand_over(ts_reader *r)
{
    series_set s;
    int64_t n = cases(r);
    laco_status st = end_part(r, &s);
    begin_part(r), r->before += n;
    return st ? st : r->to->take(r->to->ctx, &s, r->err);
}
static laco_status read_cases(ts_reader *r)
{
    span line;
    laco_status st = LACO_OK;
    begin_part(r);
    while (!st && next_line(r, &line)) {
        if (line.n && line.at[0] != '#') st = read_case(r, line);
        if (!st && cases(r) >= r->to->most) st = hand_over(r);
    }
    if (!st && cases(r)) st = hand_over(r);
    return st || r->before ? st : bad(r, "no case follows @data");
}

laco_status series_parse_ts(const series_parts *to, const char *bytes, size_t n, const char *name, laco_error *err)
{
    ts_reader r = { .name = name, .at = bytes, .end = bytes + n, .to = to, .err = err };
    laco_status st = read_head(&r);
    if (!st) st = read_cases(&r);
    series_set rest = { .count = (int64_t)(r.label.len / sizeof(char *)), .label = (char **)r.label.data };
    series_free(&rest), buf_free(&r.x), buf_free(&r.start), buf_free(&r.target);
    free_classes(&r), buf_free(&r.values);
    return st;
}
