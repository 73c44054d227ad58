/* Whole files in, piece by piece: of a file that is larger than allowed no more than that and a piece is ever held. */
#include "file.h"

enum { FILE_PIECE = 64 * 1024 };

/* Contents so far: len bytes of cap; one byte is kept free for the terminator. */
typedef struct file_contents {
    char *data;
    size_t len, cap;
} file_contents;

/* Room for n more bytes and the terminator. */
static laco_status file_grow(file_contents *c, size_t n, laco_error *err)
{
    if (c->cap > c->len && c->cap - c->len > n) return LACO_OK;
    size_t cap = c->len + n + 1;
    if (cap < 2 * c->cap) cap = 2 * c->cap;
    char *data = mem_resize(c->data, c->cap, cap);
    if (!data) return fail_memory(err, cap);
    c->data = data;
    c->cap = cap;
    return LACO_OK;
}

static laco_status file_all(file_contents *c, file_stream *s, const char *path, size_t limit, laco_error *err)
{
    laco_status st = LACO_OK;
    size_t size = file_stream_size(s), got = 1;
    if (size && size <= limit) st = file_grow(c, size + FILE_PIECE, err); /* then nothing grows while it is read */
    while (!st && got) {
        if (!(st = file_grow(c, FILE_PIECE, err))) st = file_stream_read(s, c->data + c->len, FILE_PIECE, &got, err);
        if (!st && (c->len += got) > limit)
            st = fail(err, LACO_EIO, -1, "%s holds more than the %zu bytes allowed here; use a smaller file", path,
                      limit);
    }
    if (!st) c->data[c->len] = 0;
    return st;
}

laco_status file_read(const char *path, size_t limit, char **bytes, size_t *n, laco_error *err)
{
    *bytes = NULL;
    *n = 0;
    file_contents c = { 0 };
    file_stream *s;
    laco_status st = file_stream_open(&s, path, err);
    if (st) return st;
    st = file_all(&c, s, path, limit < SIZE_MAX / 4 ? limit : SIZE_MAX / 4, err);
    file_stream_close(s);
    if (st) {
        mem_free(c.data);
        return st;
    }
    *bytes = c.data;
    *n = c.len;
    return LACO_OK;
}
