/* A file as it comes, a piece at a time. One that begins with the bytes 1f 8b is gzip (RFC 1952, one member or several)
   and is expanded as it is read: no more than a chunk of its compressed form is ever held. */
#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

enum { STREAM_CHUNK = 64 * 1024, GZIP_HEAD = 2 };

struct file_stream {
    char *path;
    int fd;
    size_t size; /* of a plain file, as it lies there; 0: not known */
    char *chunk; /* what was read and not handed out yet: have bytes from at */
    size_t at, have;
    bool gzip, inside; /* inside: a gzip member has begun and not ended */
#ifdef HAVE_ZLIB
    z_stream z;
#endif
};

/* One read of the system; 0 bytes: the end. */
static laco_status stream_take(const file_stream *s, char *to, size_t room, size_t *got, laco_error *err)
{
    ssize_t n;
    do n = read(s->fd, to, room);
    while (n < 0 && errno == EINTR);
    if (n < 0) return fail(err, LACO_EIO, -1, "cannot read %s: %m", s->path);
    *got = (size_t)n;
    return LACO_OK;
}

/* ---- gzip ---- */
#ifdef HAVE_ZLIB
static voidpf stream_zlib_new(voidpf unused, uInt n, uInt size)
{
    (void)unused;
    return mem_new(n, size);
}

static void stream_zlib_free(voidpf unused, voidpf p)
{
    (void)unused;
    mem_free(p);
}

static laco_status stream_gzip_begin(file_stream *s, laco_error *err)
{
    s->z.zalloc = stream_zlib_new;
    s->z.zfree = stream_zlib_free;
    s->gzip = inflateInit2(&s->z, 15 + 16) == Z_OK; /* 16: with a gzip head, and nothing else */
    return s->gzip ? LACO_OK : fail_memory(err, STREAM_CHUNK);
}

/* One call of inflate: takes some input, or fills the room. */
static laco_status stream_inflate(file_stream *s, char *to, size_t room, size_t *got, laco_error *err)
{
    uInt most = room < STREAM_CHUNK ? (uInt)room : STREAM_CHUNK;
    s->z.next_in = (Bytef *)s->chunk + s->at, s->z.avail_in = (uInt)(s->have - s->at);
    s->z.next_out = (Bytef *)to, s->z.avail_out = most;
    int code = inflate(&s->z, Z_NO_FLUSH);
    s->at = s->have - s->z.avail_in;
    *got = most - s->z.avail_out;
    s->inside = code != Z_STREAM_END;
    if (code == Z_STREAM_END)
        inflateReset(&s->z); /* another member may follow */
    else if (code == Z_MEM_ERROR)
        return fail_memory(err, STREAM_CHUNK);
    else if (code != Z_OK)
        return fail(err, LACO_EFORMAT, -1, "%s is damaged gzip (%s); fetch it or make it again", s->path,
                    s->z.msg ? s->z.msg : "no known form");
    return LACO_OK;
}

static void stream_gzip_end(file_stream *s)
{
    if (s->gzip) inflateEnd(&s->z);
}
#else
static laco_status stream_gzip_begin(file_stream *s, laco_error *err)
{
    return fail(
        err, LACO_EUNSUPPORTED, -1,
        "%s is gzip, which this build cannot read; expand it with gunzip, or install zlib1g-dev and build again",
        s->path);
}
static laco_status stream_inflate(file_stream *s, char *to, size_t room, size_t *got, laco_error *err)
{
    return stream_take(s, to, room, got, err);
}
static void stream_gzip_end(file_stream *s) { (void)s; }
#endif

/* The sums at the end of a member are input, so no output is left behind when the input is used up. */
static laco_status stream_expand(file_stream *s, char *to, size_t room, size_t *got, laco_error *err)
{
    laco_status st = LACO_OK;
    while (!st && *got == 0) {
        if (s->at == s->have) {
            s->at = s->have = 0;
            if ((st = stream_take(s, s->chunk, STREAM_CHUNK, &s->have, err))) return st;
        }
        if (s->have == 0 && s->inside)
            return fail(err, LACO_EFORMAT, -1, "%s is gzip that was cut short; fetch it or make it again", s->path);
        if (s->have == 0) return LACO_OK;
        st = stream_inflate(s, to, room, got, err);
    }
    return st;
}

laco_status file_stream_read(file_stream *s, char *to, size_t room, size_t *got, laco_error *err)
{
    *got = 0;
    if (s->gzip) return stream_expand(s, to, room, got, err);
    if (s->at == s->have) return stream_take(s, to, room, got, err);
    *got = s->have - s->at < room ? s->have - s->at : room;
    memcpy(to, s->chunk + s->at, *got);
    s->at += *got;
    return LACO_OK;
}

/* ---- open and close ---- */
/* The first bytes say whether it is gzip. */
static laco_status stream_look(file_stream *s, laco_error *err)
{
    size_t got = 1;
    while (s->have < GZIP_HEAD && got) {
        laco_status st = stream_take(s, s->chunk + s->have, STREAM_CHUNK - s->have, &got, err);
        if (st) return st;
        s->have += got;
    }
    bool gzip = s->have >= GZIP_HEAD && s->chunk[0] == '\x1f' && s->chunk[1] == '\x8b';
    return gzip ? stream_gzip_begin(s, err) : LACO_OK;
}

static laco_status stream_begin(file_stream *s, laco_error *err)
{
    struct stat info;
    s->fd = strcmp(s->path, "-") == 0 ? STDIN_FILENO : open(s->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (s->fd < 0) return fail(err, LACO_EIO, -1, "cannot open %s: %m; check the path", s->path);
    if (fstat(s->fd, &info)) return fail(err, LACO_EIO, -1, "cannot read %s: %m", s->path);
    if (S_ISDIR(info.st_mode)) return fail(err, LACO_EIO, -1, "%s is a folder; name a file in it", s->path);
    s->size = S_ISREG(info.st_mode) && info.st_size > 0 ? (size_t)info.st_size : 0;
    return stream_look(s, err);
}

laco_status file_stream_open(file_stream **out, const char *path, laco_error *err)
{
    *out = NULL;
    file_stream *s = mem_new(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s);
    s->fd = -1, s->path = mem_text(path, strlen(path)), s->chunk = mem_new(STREAM_CHUNK, 1);
    laco_status st = s->path && s->chunk ? stream_begin(s, err) : fail_memory(err, STREAM_CHUNK);
    if (st)
        file_stream_close(s);
    else
        *out = s;
    return st;
}

size_t file_stream_size(const file_stream *s) { return s->gzip ? 0 : s->size; }

void file_stream_close(file_stream *s)
{
    if (!s) return;
    stream_gzip_end(s);
    if (s->fd > STDIN_FILENO || (s->fd == STDIN_FILENO && s->path && strcmp(s->path, "-") != 0)) close(s->fd);
    mem_free(s->path), mem_free(s->chunk), mem_free(s);
}
