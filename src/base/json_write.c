/* Writing JSON into a buf: commas, escapes, numbers that read back to the same double. A call that makes no sense (too
   deep, an end without its begin) marks the buf as failed. */
#include "json.h"
#include "json_utf8.h"
#include "number.h"
#include <math.h>

enum { JSON_OUT_DEPTH = sizeof((json_out *)0)->comma / sizeof(bool) };

/* Before a value or key: the comma, unless it is the first of its container or stands behind a key. */
static void json_next(json_out *o)
{
    if (o->after_key || o->depth == 0) {
        o->after_key = false;
        return;
    }
    if (o->comma[o->depth - 1]) buf_text(o->to, ",");
    o->comma[o->depth - 1] = true;
}

void json_raw(json_out *o, const char *value, size_t n)
{
    json_next(o);
    buf_add(o->to, value, n);
}

void json_begin(json_out *o, char bracket)
{
    json_next(o);
    if (o->depth == JSON_OUT_DEPTH) {
        o->to->failed = true;
        return;
    }
    o->comma[o->depth++] = false;
    buf_add(o->to, &bracket, 1);
}

void json_end(json_out *o, char bracket)
{
    if (o->depth == 0 || o->after_key) {
        o->to->failed = true;
        return;
    }
    o->depth--;
    buf_add(o->to, &bracket, 1);
}

void json_key(json_out *o, const char *key)
{
    json_text(o, key);
    buf_text(o->to, ":");
    o->after_key = true;
}

/* A character that cannot stand for itself in a string. */
static void json_escape_out(buf *to, char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *found = c ? strchr(plain, c) : NULL;
    if (found)
        buf_printf(to, "\\%c", letter[found - plain]);
    else
        buf_printf(to, "\\u%04x", (unsigned)(unsigned char)c);
}

void json_string(json_out *o, const char *s, size_t n)
{
    json_next(o);
    buf_text(o->to, "\"");
    size_t done = 0, i = 0; /* bytes before done are written; from done to i they stand for themselves */
    while (i < n) {
        size_t step = json_utf8_next(s + i, n - i, NULL);
        bool special = step == 0 || (unsigned char)s[i] < 32 || s[i] == '"' || s[i] == '\\';
        if (special) {
            buf_add(o->to, s + done, i - done);
            if (step == 0)
                buf_text(o->to, "\xEF\xBF\xBD");
            else
                json_escape_out(o->to, s[i]);
            done = i + 1;
        }
        i += step ? step : 1;
    }
    buf_add(o->to, s + done, n - done);
    buf_text(o->to, "\"");
}

void json_text(json_out *o, const char *s) { json_string(o, s, strlen(s)); }

static void json_plain(json_out *o, const char *text)
{
    json_next(o);
    buf_text(o->to, text);
}

void json_number(json_out *o, double x)
{
    char text[NUMBER_TEXT];
    json_plain(o, isfinite(x) ? number_print(text, x) : "null");
}

void json_int(json_out *o, int64_t x)
{
    json_next(o);
    buf_printf(o->to, "%lld", (long long)x);
}

void json_bool(json_out *o, bool x) { json_plain(o, x ? "true" : "false"); }
