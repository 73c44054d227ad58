/* Whole files in, a chunk at a time. A file that begins with the bytes 1f 8b is gzip (RFC 1952, one member or several);
   it is expanded as it is read, so neither its compressed form nor more than `limit` bytes and a chunk are ever held.
 */
#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

enum { FILE_CHUNK = 64 * 1024 };

typedef struct file_reader {
    const char *path;
    int fd;
    size_t limit;
    char *data; /* what was read: len bytes of cap; one byte is kept free for the terminator */
    size_t len, cap;
    bool gzip, inside; /* inside: a gzip member has begun and not ended */
#ifdef HAVE_ZLIB
    z_stream z;
#endif
    laco_error *err;
} file_reader;

/* Room for n more bytes and the terminator. */
static laco_status file_grow(file_reader *r, size_t n)
{
    if (r->cap > r->len && r->cap - r->len > n) return LACO_OK;
    size_t cap = r->len + n + 1;
    if (cap < 2 * r->cap) cap = 2 * r->cap;
    char *data = mem_resize(r->data, r->cap, cap);
    if (!data) return fail_memory(r->err, cap);
    r->data = data;
    r->cap = cap;
    return LACO_OK;
}

static laco_status file_check_limit(const file_reader *r)
{
    if (r->len <= r->limit) return LACO_OK;
    return fail(r->err, LACO_EIO, -1, "%s holds more than the %zu bytes allowed here; use a smaller file", r->path,
                r->limit);
}

/* Fills a chunk, less only at the end of the file. */
static laco_status file_fill(const file_reader *r, char *chunk, size_t *n)
{
    ssize_t got = 1;
    for (*n = 0; *n < FILE_CHUNK && got != 0; *n += (size_t)got) {
        do got = read(r->fd, chunk + *n, FILE_CHUNK - *n);
        while (got < 0 && errno == EINTR);
        if (got < 0) return fail(r->err, LACO_EIO, -1, "cannot read %s: %m", r->path);
    }
    return LACO_OK;
}

static laco_status file_add_plain(file_reader *r, char *chunk, size_t n)
{
    laco_status status = file_grow(r, n);
    if (status) return status;
    memcpy(r->data + r->len, chunk, n);
    r->len += n;
    return file_check_limit(r);
}

#ifdef HAVE_ZLIB
static voidpf file_zlib_new(voidpf unused, uInt n, uInt size)
{
    (void)unused;
    return mem_new(n, size);
}

static void file_zlib_free(voidpf unused, voidpf p)
{
    (void)unused;
    mem_free(p);
}

static laco_status file_gzip_begin(file_reader *r)
{
    r->z.zalloc = file_zlib_new;
    r->z.zfree = file_zlib_free;
    r->gzip = inflateInit2(&r->z, 15 + 16) == Z_OK; /* 16: with a gzip head, and nothing else */
    return r->gzip ? LACO_OK : fail_memory(r->err, FILE_CHUNK);
}

/* One call of inflate: takes some input, or fills the room. The sums at the end of a member are input, so no output is
   left behind when the input is used up. */
static laco_status file_inflate(file_reader *r)
{
    laco_status status = file_grow(r, FILE_CHUNK);
    if (status) return status;
    r->z.next_out = (Bytef *)r->data + r->len;
    r->z.avail_out = FILE_CHUNK;
    int code = inflate(&r->z, Z_NO_FLUSH);
    r->len += FILE_CHUNK - r->z.avail_out;
    r->inside = code != Z_STREAM_END;
    if (code == Z_STREAM_END)
        inflateReset(&r->z); /* another member may follow */
    else if (code == Z_MEM_ERROR)
        return fail_memory(r->err, FILE_CHUNK);
    else if (code != Z_OK)
        return fail(r->err, LACO_EFORMAT, -1, "%s is damaged gzip (%s); fetch it or make it again", r->path,
                    r->z.msg ? r->z.msg : "no known form");
    return file_check_limit(r);
}

static laco_status file_add_gzip(file_reader *r, char *chunk, size_t n)
{
    r->z.next_in = (Bytef *)chunk;
    r->z.avail_in = (uInt)n;
    laco_status status = LACO_OK;
    while (r->z.avail_in > 0 && !status) status = file_inflate(r);
    return status;
}

static void file_gzip_end(file_reader *r)
{
    if (r->gzip) inflateEnd(&r->z);
}
#else
static laco_status file_gzip_begin(file_reader *r)
{
    return fail(
        r->err, LACO_EUNSUPPORTED, -1,
        "%s is gzip, which this build cannot read; expand it with gunzip, or install zlib1g-dev and build again",
        r->path);
}
static laco_status file_add_gzip(file_reader *r, char *chunk, size_t n) { return file_add_plain(r, chunk, n); }
static void file_gzip_end(file_reader *r) { (void)r; }
#endif

static laco_status file_all(file_reader *r, char *chunk)
{
    laco_status status;
    size_t n = FILE_CHUNK;
    for (bool first = true; n == FILE_CHUNK; first = false) {
        if ((status = file_fill(r, chunk, &n))) return status;
        if (first && n >= 2 && chunk[0] == '\x1f' && chunk[1] == '\x8b' && (status = file_gzip_begin(r))) return status;
        if ((status = r->gzip ? file_add_gzip(r, chunk, n) : file_add_plain(r, chunk, n))) return status;
    }
    if (r->inside)
        return fail(r->err, LACO_EFORMAT, -1, "%s is gzip that was cut short; fetch it or make it again", r->path);
    r->data[r->len] = 0;
    return LACO_OK;
}

static laco_status file_open(file_reader *r)
{
    struct stat st;
    r->fd = strcmp(r->path, "-") == 0 ? STDIN_FILENO : open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (r->fd < 0) return fail(r->err, LACO_EIO, -1, "cannot open %s: %m; check the path", r->path);
    if (fstat(r->fd, &st)) return fail(r->err, LACO_EIO, -1, "cannot read %s: %m", r->path);
    if (S_ISDIR(st.st_mode)) return fail(r->err, LACO_EIO, -1, "%s is a folder; name a file in it", r->path);
    bool size_known = S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size <= r->limit;
    return file_grow(r, size_known ? (size_t)st.st_size : 0);
}

laco_status file_read(const char *path, size_t limit, char **bytes, size_t *n, laco_error *err)
{
    *bytes = NULL;
    *n = 0;
    file_reader r = { .path = path, .fd = -1, .limit = limit < SIZE_MAX / 4 ? limit : SIZE_MAX / 4, .err = err };
    char *chunk = mem_new(FILE_CHUNK, 1);
    laco_status status = chunk ? file_open(&r) : fail_memory(err, FILE_CHUNK);
    if (!status) status = file_all(&r, chunk);
    file_gzip_end(&r);
    if (r.fd > STDIN_FILENO || (r.fd == STDIN_FILENO && strcmp(path, "-") != 0)) close(r.fd);
    mem_free(chunk);
    if (status) {
        mem_free(r.data);
        return status;
    }
    *bytes = r.data;
    *n = r.len;
    return LACO_OK;
}
