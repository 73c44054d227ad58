/* A log that is appended to line by line, and the clock its lines are stamped with. */
#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct file_log {
    int fd;
    char *path;
};

/* The last line of a run that was killed may lack its break: the next must not be glued to it. */
static bool file_log_torn(int fd)
{
    struct stat st;
    char last;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
           last != '\n';
}

static laco_status file_log_start(file_log **out, const char *path, laco_error *err)
{
    *out = NULL;
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0) return fail(err, LACO_EIO, -1, "cannot write the log %s: %m; choose another path", path);
    file_log *l = mem_new(1, sizeof *l);
    char *copy = mem_text(path, strlen(path));
    if (!l || !copy) {
        mem_free(l);
        mem_free(copy);
        close(fd);
        return fail_memory(err, sizeof *l + strlen(path));
    }
    *l = (file_log){ .fd = fd, .path = copy };
    *out = l;
    return LACO_OK;
}
laco_status file_log_open(file_log **out, const char *path, laco_error *err)
{
    laco_status status = file_log_start(out, path, err);
    if (!status && file_log_torn((*out)->fd)) status = file_log_line(*out, "", err);
    if (status) file_log_close(*out), *out = NULL;
    return status;
}
laco_status file_log_open_at(file_log **out, const char *path, int64_t position, laco_error *err)
{
    laco_status status = file_log_start(out, path, err);
    if (status || file_log_position(*out) <= position || !ftruncate((*out)->fd, position)) return status;
    status = fail(err, LACO_EIO, -1, "cannot cut the log %s back to its first %lld bytes: %m", path,
                  (long long)position);
    file_log_close(*out), *out = NULL;
    return status;
}
int64_t file_log_position(const file_log *l)
{
    struct stat st;
    return fstat(l->fd, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : 0;
}

/* Line and break go out in one call, so that several writers of one log do not mix their lines. */
laco_status file_log_line(file_log *l, const char *line, laco_error *err)
{
    buf b = { 0 };
    buf_text(&b, line);
    buf_text(&b, "\n");
    laco_status status = b.failed ? fail_memory(err, strlen(line)) : file_log_bytes(l, b.data, b.len, err);
    buf_free(&b);
    return status;
}
laco_status file_log_bytes(file_log *l, const void *bytes, size_t n, laco_error *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = write(l->fd, (const char *)bytes + done, n - done);
        if (k > 0)
            done += (size_t)k;
        else if (k == 0 || errno != EINTR)
            return fail(err, LACO_EIO, -1, "cannot write the log %s: %m", l->path);
    }
    return LACO_OK;
}

void file_log_close(file_log *l)
{
    if (!l) return;
    close(l->fd);
    mem_free(l->path);
    mem_free(l);
}

double clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
