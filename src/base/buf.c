/* A growing string. */
#include "base.h"
#include <stdio.h>

enum { BUF_FIRST = 64 };

/* Room for n more bytes and the terminator. */
static bool buf_reserve(buf *b, size_t n)
{
    if (b->failed) return false;
    size_t cap = b->cap ? b->cap : BUF_FIRST;
    if (n >= SIZE_MAX / 4 || b->len >= SIZE_MAX / 4) return !(b->failed = true);
    while (cap < b->len + n + 1) cap *= 2;
    if (cap == b->cap) return true;
    char *data = mem_resize(b->data, b->cap, cap);
    if (!data) return !(b->failed = true);
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_add(buf *b, const void *bytes, size_t n)
{
    if (!buf_reserve(b, n)) return;
    if (n) memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
}

void buf_text(buf *b, const char *s) { buf_add(b, s, strlen(s)); }

void buf_printf(buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        b->failed = true;
    else if (buf_reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void buf_free(buf *b)
{
    mem_free(b->data);
    *b = (buf){ 0 };
}
