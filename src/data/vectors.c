#include "data/vectors.h"
#include "base/file.h"
#include "base/number.h"
#include <math.h>
#include <stdio.h>

enum { BLOCK = 1 << 16, MOST_LINE = 1 << 20, MOST_NUMBERS = 1 << 14, LONGEST_NUMBER = 64 };
typedef struct vector_reader {
    const char *name;
    int64_t line, length;
    float *x; /* [length] */
    vector_take *take;
    void *ctx;
} vector_reader;

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
/* Words behind the first one. */
static int64_t count_numbers(const char *line, size_t n)
{
    int64_t count = 0;
    for (size_t i = 1; i < n; i++) count += !is_blank(line[i]) && is_blank(line[i - 1]);
    return count;
}
static bool take_number(const char *at, size_t n, float *out)
{
    char text[LONGEST_NUMBER];
    double x;
    if (n >= sizeof text) return false;
    memcpy(text, at, n), text[n] = 0;
    if (!number_parse(text, &x) || !(fabs(x) < 1e30)) return false;
    *out = (float)x;
    return true;
}
static bool is_header(const vector_reader *r, const char *line, size_t n)
{
    float x;
    if (r->line != 1 || count_numbers(line, n) != 1) return false;
    size_t first = 0;
    while (first < n && !is_blank(line[first])) first++;
    return take_number(line, first, &x);
}
static laco_status begin(vector_reader *r, int64_t length, laco_error *err)
{
    if (length < 1 || length > MOST_NUMBERS)
        return fail(err, LACO_EFORMAT, r->line,
                    "%s: line %lld has %lld numbers behind its word; from 1 to %d are possible", r->name,
                    (long long)r->line, (long long)length, MOST_NUMBERS);
    r->length = length;
    return (r->x = mem_new((size_t)length, sizeof *r->x)) ? LACO_OK : fail_memory(err, (size_t)length * sizeof *r->x);
}
static laco_status take_line(vector_reader *r, const char *line, size_t n, laco_error *err)
{
    size_t at = 0;
    r->line++;
    while (n && is_blank(line[n - 1])) n--;
    if (!n || is_header(r, line, n)) return LACO_OK;
    while (at < n && !is_blank(line[at])) at++;
    size_t word = at;
    if (!r->length) {
        laco_status st = begin(r, count_numbers(line, n), err);
        if (st) return st;
    }
    if (count_numbers(line, n) != r->length)
        return fail(err, LACO_EFORMAT, r->line, "%s: line %lld has %lld numbers behind its word, the first has %lld",
                    r->name, (long long)r->line, (long long)count_numbers(line, n), (long long)r->length);
    for (int64_t k = 0; k < r->length; k++) {
        while (at < n && is_blank(line[at])) at++;
        size_t from = at;
        while (at < n && !is_blank(line[at])) at++;
        if (!take_number(line + from, at - from, &r->x[k]))
            return fail(err, LACO_EFORMAT, r->line, "%s: line %lld, column %lld: \"%.*s\" is no number", r->name,
                        (long long)r->line, (long long)k + 2, (int)min64((int64_t)(at - from), 30), line + from);
    }
    return r->take(r->ctx, line, word, r->x, r->length, err);
}
static laco_status finish(vector_reader *r, int64_t *length, laco_status st, laco_error *err)
{
    mem_free(r->x), *length = r->length;
    return !st && !r->length ? fail(err, LACO_EFORMAT, -1, "%s has no vectors", r->name) : st;
}
laco_status vectors_parse(const char *bytes, size_t n, const char *name, int64_t *length, vector_take *take, void *ctx,
                          laco_error *err)
{
    vector_reader r = { .name = name, .take = take, .ctx = ctx };
    laco_status st = LACO_OK;
    for (size_t at = 0; !st && at < n;) {
        const char *end = memchr(bytes + at, '\n', n - at);
        size_t used = end ? (size_t)(end - bytes) - at : n - at;
        st = take_line(&r, bytes + at, used, err), at += used + 1;
    }
    return finish(&r, length, st, err);
}
laco_status vectors_read(const char *path, int64_t *length, vector_take *take, void *ctx, laco_error *err)
{
    vector_reader r = { .name = path, .take = take, .ctx = ctx };
    file_stream *s = NULL;
    char *bytes = mem_new(MOST_LINE + BLOCK, 1);
    size_t end = 0, got = 1;
    laco_status st = bytes ? file_stream_open(&s, path, err) : fail_memory(err, MOST_LINE);
    while (!st && got) {
        size_t at = 0;
        if ((st = file_stream_read(s, bytes + end, BLOCK, &got, err))) break;
        end += got;
        for (const char *p; !st && at < end && ((p = memchr(bytes + at, '\n', end - at)) || !got);) {
            size_t used = p ? (size_t)(p - bytes) - at : end - at;
            st = take_line(&r, bytes + at, used, err), at = (size_t)min64((int64_t)(at + used + 1), (int64_t)end);
        }
        end -= at, memmove(bytes, bytes + at, end);
        if (!st && end > MOST_LINE)
            st = fail(err, LACO_EFORMAT, r.line + 1, "%s: line %lld has more than %d bytes", path,
                      (long long)r.line + 1, MOST_LINE);
    }
    file_stream_close(s), mem_free(bytes);
    return finish(&r, length, st, err);
}
