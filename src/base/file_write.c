/* Whole files out. What is written goes to a temporary in the directory of the target, which takes the target's name
   only when all of it is on the disk. A target that is no regular file (a device, a pipe) is written directly. */
#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_TRIES = 10000 };

struct file_writer {
    int fd;
    bool failed;   /* a write has failed: the file must not be committed */
    char *path;    /* the target, with symbolic links resolved when it exists */
    char *temp;    /* NULL: written directly */
    size_t folder; /* bytes of path before the name, with the slash */
};

/* With errno as the reason. */
static laco_status file_not_written(const file_writer *w, laco_error *err)
{
    return fail(err, LACO_EIO, -1, "cannot write %s: %m%s", w->path, w->temp ? "; what was there before is kept" : "");
}

static void file_release(file_writer *w)
{
    if (w->fd >= 0) close(w->fd);
    mem_free(w->path);
    mem_free(w->temp);
    mem_free(w);
}

/* The descriptor of a standard stream named as a path, or -1. Opening it anew would write over what it already holds.
 */
static int file_standard(const char *path)
{
    return strcmp(path, "/dev/stdout") == 0 ? STDOUT_FILENO : strcmp(path, "/dev/stderr") == 0 ? STDERR_FILENO : -1;
}

static int file_open_direct(const char *path)
{
    int same = file_standard(path);
    return same >= 0 ? fcntl(same, F_DUPFD_CLOEXEC, 3) : open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
}

/* A new file beside the target. The process id keeps programs apart, O_EXCL the writers of one program. */
static int file_open_temp(file_writer *w)
{
    size_t room = w->folder + 64;
    w->temp = mem_new(room, 1);
    if (!w->temp) return -1;
    for (int i = 0; i < FILE_TRIES; i++) {
        snprintf(w->temp, room, "%.*s.laco-%ld-%d.tmp", (int)w->folder, w->path, (long)getpid(), i);
        int fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

/* Opens w for the target that stat found (exists) or not. */
static laco_status file_open_writer(file_writer *w, const struct stat *st, bool exists, laco_error *err)
{
    const char *slash = strrchr(w->path, '/');
    w->folder = slash ? (size_t)(slash - w->path) + 1 : 0;
    if (exists && access(w->path, W_OK)) return file_not_written(w, err);
    w->fd = file_open_temp(w);
    if (!w->temp) return fail_memory(err, w->folder);
    if (w->fd < 0) {
        int reason = errno;
        mem_free(w->temp);
        w->temp = NULL;
        errno = reason;
        return fail(err, LACO_EIO, -1, "cannot create a file in %.*s for %s: %m; choose a folder that can be written",
                    slash ? (int)w->folder : 1, slash ? w->path : ".", w->path);
    }
    if (exists) fchmod(w->fd, st->st_mode & 0777); /* some file systems know no modes: the new file's stays then */
    return LACO_OK;
}

laco_status file_create(file_writer **out, const char *path, laco_error *err)
{
    struct stat st;
    char real[PATH_MAX];
    *out = NULL;
    size_t n = strlen(path);
    bool exists = stat(path, &st) == 0;
    if (n == 0) return fail(err, LACO_EINVAL, -1, "the path of the file to write is empty; give one");
    if ((exists && S_ISDIR(st.st_mode)) || path[n - 1] == '/')
        return fail(err, LACO_EIO, -1, "%s is a folder; give the name of a file in it", path);
    bool direct = file_standard(path) >= 0 || (exists && !S_ISREG(st.st_mode));
    const char *target = !direct && exists && realpath(path, real) ? real : path;
    file_writer *w = mem_new(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w);
    w->fd = -1;
    w->path = mem_text(target, strlen(target));
    laco_status status = LACO_OK;
    if (!w->path)
        status = fail_memory(err, strlen(target));
    else if (!direct)
        status = file_open_writer(w, &st, exists, err);
    else if ((w->fd = file_open_direct(path)) < 0)
        status = fail(err, LACO_EIO, -1, "cannot write %s: %m", path);
    if (status)
        file_release(w);
    else
        *out = w;
    return status;
}

laco_status file_write(file_writer *w, const void *bytes, size_t n, laco_error *err)
{
    for (const char *p = bytes; n > 0;) {
        ssize_t k = write(w->fd, p, n < SSIZE_MAX ? n : SSIZE_MAX);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            w->failed = true;
            if (k == 0) errno = ENOSPC;
            return file_not_written(w, err);
        }
        p += k;
        n -= (size_t)k;
    }
    return LACO_OK;
}

/* The rename itself is on the disk only when the folder is. Some file systems cannot sync a folder, some folders may be
   written but not read: then the system does it in its own time. */
static laco_status file_sync_folder(const file_writer *w, laco_error *err)
{
    char *folder = w->folder ? mem_text(w->path, w->folder) : mem_text(".", 1);
    if (!folder) return fail_memory(err, w->folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mem_free(folder);
    if (fd < 0) return LACO_OK;
    bool lost = fsync(fd) != 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT);
    if (lost) fail(err, LACO_EIO, -1, "%s was written, but its folder could not be: %m", w->path);
    close(fd);
    return lost ? LACO_EIO : LACO_OK;
}

static laco_status file_finish(file_writer *w, laco_error *err)
{
    if (w->failed)
        return fail(err, LACO_EIO, -1, "%s was not written: a part of it could not be, see the error before", w->path);
    bool kept = !w->temp || fsync(w->fd) == 0;
    int fd = w->fd;
    w->fd = -1;
    if (kept)
        kept = close(fd) == 0;
    else {
        int reason = errno;
        close(fd);
        errno = reason;
    }
    if (!kept || (w->temp && rename(w->temp, w->path))) return file_not_written(w, err);
    if (!w->temp) return LACO_OK;
    mem_free(w->temp);
    w->temp = NULL;
    return file_sync_folder(w, err);
}

laco_status file_commit(file_writer *w, laco_error *err)
{
    laco_status status = file_finish(w, err);
    file_abandon(w); /* after success there is no temporary left to remove */
    return status;
}

void file_abandon(file_writer *w)
{
    if (!w) return;
    if (w->temp) unlink(w->temp);
    file_release(w);
}

laco_status file_check_writable(const char *path, laco_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) /* opening a pipe may wait or be heard */
        return access(path, W_OK) == 0 ? LACO_OK : fail(err, LACO_EIO, -1, "cannot write %s: %m", path);
    file_writer *w;
    laco_status status = file_create(&w, path, err);
    file_abandon(w);
    return status;
}

laco_status file_rename(const char *from, const char *to, laco_error *err)
{
    if (!rename(from, to)) return LACO_OK;
    return fail(err, LACO_EIO, -1, "cannot give %s the name %s: %m", from, to);
}

void file_remove(const char *path) { unlink(path); }
