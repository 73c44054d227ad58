#include "folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder_lock {
    int fd;
};

laco_status folder_make(const char *path, laco_error *err)
{
    struct stat st;
    if (!mkdir(path, 0777)) return LACO_OK;
    int reason = errno;
    if (reason == EEXIST && !stat(path, &st) && S_ISDIR(st.st_mode)) return LACO_OK;
    if (reason == EEXIST) return fail(err, LACO_EIO, -1, "%s is a file; give the name of a folder", path);
    errno = reason;
    return fail(err, LACO_EIO, -1, "cannot make the folder %s: %m", path);
}

char *folder_path(const char *folder, const char *name)
{
    buf b = { 0 };
    buf_printf(&b, "%s/%s", folder, name);
    if (!b.failed) return b.data;
    buf_free(&b);
    return NULL;
}
bool folder_has(const char *folder, const char *name)
{
    struct stat st;
    char *path = folder_path(folder, name);
    bool has = path && !stat(path, &st) && S_ISREG(st.st_mode);
    mem_free(path);
    return has;
}
void folder_remove(const char *folder, const char *name)
{
    char *path = folder_path(folder, name);
    if (path) unlink(path);
    mem_free(path);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    remove(path);
    return 0;
}
void folder_delete(const char *path) { nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static bool fits(const char *name, const char *begin, const char *end)
{
    size_t n = strlen(name), b = strlen(begin), e = strlen(end);
    return n >= b + e && !memcmp(name, begin, b) && !memcmp(name + n - e, end, e);
}
void folder_names_free(char **names, size_t n)
{
    for (size_t i = 0; names && i < n; i++) mem_free(names[i]);
    mem_free(names);
}
/* A growing list of names. */
typedef struct name_list {
    char **names;
    size_t n, cap;
} name_list;
static bool add_name(name_list *l, char *name)
{
    if (name && l->n == l->cap) {
        char **more = mem_resize(l->names, l->cap * sizeof *more, (2 * l->cap + 16) * sizeof *more);
        if (!more) return mem_free(name), false;
        l->names = more, l->cap = 2 * l->cap + 16;
    }
    if (name) l->names[l->n++] = name;
    return name != NULL;
}
static laco_status give_names(name_list *l, laco_status st, char ***names, size_t *n)
{
    *names = NULL, *n = 0;
    if (st) return folder_names_free(l->names, l->n), st;
    if (l->n) qsort(l->names, l->n, sizeof *l->names, by_name);
    *names = l->names, *n = l->n;
    return LACO_OK;
}
static laco_status folder_open(DIR **d, const char *path, laco_error *err)
{
    *d = opendir(path);
    return *d ? LACO_OK : fail(err, LACO_EIO, -1, "the folder %s cannot be read: %m", path);
}
laco_status folder_names(const char *path, const char *begin, const char *end, char ***names, size_t *n,
                         laco_error *err)
{
    DIR *d;
    name_list l = { 0 };
    laco_status st = folder_open(&d, path, err);
    for (struct dirent *e; !st && (e = readdir(d));)
        if (fits(e->d_name, begin, end) && !add_name(&l, mem_text(e->d_name, strlen(e->d_name))))
            st = fail_memory(err, l.cap * sizeof *l.names);
    if (d) closedir(d);
    return give_names(&l, st, names, n);
}

bool folder_is(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}
enum { DEEPEST = 64 };
static laco_status walk(name_list *l, const char *root, const char *below, int depth, laco_error *err);
/* One entry of a folder; below is "" or ends in a slash. */
static laco_status walk_entry(name_list *l, const char *root, const char *below, const char *name, int depth,
                              laco_error *err)
{
    struct stat st;
    buf from = { 0 }, whole = { 0 };
    buf_printf(&from, "%s%s", below, name), buf_printf(&whole, "%s/%s", root, from.data ? from.data : "");
    laco_status status = from.failed || whole.failed ? fail_memory(err, strlen(name)) : LACO_OK;
    if (!status && !lstat(whole.data, &st) && S_ISDIR(st.st_mode)) {
        buf_text(&from, "/");
        status = from.failed ? fail_memory(err, strlen(name)) : walk(l, root, from.data, depth + 1, err);
    } else if (!status && !stat(whole.data, &st) && S_ISREG(st.st_mode) && !add_name(l, mem_text(from.data, from.len)))
        status = fail_memory(err, l->cap * sizeof *l->names);
    buf_free(&from), buf_free(&whole);
    return status;
}
static laco_status walk(name_list *l, const char *root, const char *below, int depth, laco_error *err)
{
    DIR *d;
    char *path = folder_path(root, below);
    if (!path) return fail_memory(err, strlen(root));
    laco_status st = depth > DEEPEST ? fail(err, LACO_EIO, -1, "%s: more than %d folders in one another", root, DEEPEST)
                                     : folder_open(&d, path, err);
    if (depth <= DEEPEST && !st) {
        for (struct dirent *e; !st && (e = readdir(d));)
            if (e->d_name[0] != '.') st = walk_entry(l, root, below, e->d_name, depth, err);
        closedir(d);
    }
    mem_free(path);
    return st;
}
laco_status folder_files(const char *path, char ***names, size_t *n, laco_error *err)
{
    name_list l = { 0 };
    return give_names(&l, walk(&l, path, "", 0, err), names, n);
}

laco_status folder_lock_try(folder_lock **out, const char *path, bool *held, laco_error *err)
{
    char *name = folder_path(path, "lock"), **left;
    size_t n;
    folder_lock *l = mem_new(1, sizeof *l);
    *out = NULL, *held = false;
    if (!name || !l) return mem_free(name), mem_free(l), fail_memory(err, strlen(path));
    l->fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    mem_free(name);
    if (l->fd < 0) return mem_free(l), fail(err, LACO_EIO, -1, "cannot write into the folder %s: %m", path);
    if (flock(l->fd, LOCK_EX | LOCK_NB)) {
        *held = errno == EWOULDBLOCK;
        laco_status st = *held ? LACO_OK : fail(err, LACO_EIO, -1, "the folder %s cannot be locked: %m", path);
        close(l->fd), mem_free(l);
        return st;
    }
    if (!folder_names(path, ".", ".tmp", &left, &n, NULL)) {
        for (size_t i = 0; i < n; i++) folder_remove(path, left[i]);
        folder_names_free(left, n);
    }
    *out = l;
    return LACO_OK;
}
laco_status folder_lock_take(folder_lock **out, const char *path, laco_error *err)
{
    bool held;
    laco_status st = folder_lock_try(out, path, &held, err);
    if (!st && held)
        st = fail(err, LACO_EIO, -1, "another run is writing into %s; wait for it, or give another folder", path);
    return st;
}
void folder_unlock(folder_lock *l)
{
    if (!l) return;
    close(l->fd);
    mem_free(l);
}

laco_status folder_link(const char *folder, const char *name, const char *as, laco_error *err)
{
    char *from = folder_path(folder, name), *to = folder_path(folder, as), *temp = folder_path(folder, ".link.tmp");
    laco_status st = from && to && temp ? LACO_OK : fail_memory(err, strlen(folder));
    if (!st) {
        unlink(temp);
        if (link(from, temp) || rename(temp, to))
            st = fail(err, LACO_EIO, -1, "cannot give %s the name %s: %m", from, as);
        unlink(temp); /* two names of one file: the rename did nothing */
    }
    mem_free(from), mem_free(to), mem_free(temp);
    return st;
}
