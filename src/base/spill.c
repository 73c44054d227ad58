#include "spill.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS = 256 };
static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    size_t limit;
    atomic_int used; /* blocks in use: where it is 0 nobody has to look */
    struct block {
        void *p; /* NULL: free */
        size_t bytes;
        int file;
    } block[BLOCKS];
} spill = { .lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT };

/* ---- the limit ---- */
static size_t bytes_from(const char *text)
{
    static const char units[] = "KMG";
    char *end;
    double n = strtod(text, &end);
    for (const char *unit = *end ? strchr(units, *end) : NULL; unit && unit >= units; unit--) n *= 1024;
    return n > 0 && n < 1e18 ? (size_t)n : SIZE_MAX;
}
static size_t of_group(void)
{
    size_t limit = SIZE_MAX;
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "r");
    if (f && fscanf(f, "%zu", &limit) != 1) limit = SIZE_MAX; /* "max" */
    if (f) fclose(f);
    return limit;
}
static void find_limit(void)
{
    const char *set = getenv("LACO_SPILL");
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t group = of_group(), machine = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;
    spill.limit = set ? bytes_from(set) : (group < machine ? group : machine) / 4;
}

/* ---- files without a name ---- */
static int open_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/laco-XXXXXX", folder && *folder ? folder : "/var/tmp");
    int file = n > 0 && n < (int)sizeof path ? mkstemp(path) : -1;
    if (file < 0) return -1;
    unlink(path), fcntl(file, F_SETFD, FD_CLOEXEC);
    return file;
}
/* The room of the file is taken, NULL where there is none. */
static void *map_file(int file, size_t bytes)
{
    if (bytes > INT64_MAX / 2 || posix_fallocate(file, 0, (off_t)bytes)) return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    return p == MAP_FAILED ? NULL : p;
}
static struct block *find(const void *p)
{
    for (int i = 0; i < BLOCKS; i++)
        if (spill.block[i].p == p) return &spill.block[i];
    return NULL;
}
void *spill_take(size_t bytes)
{
    pthread_once(&spill.once, find_limit);
    if (bytes <= spill.limit) return NULL;
    pthread_mutex_lock(&spill.lock);
    struct block *b = find(NULL);
    int file = b ? open_file() : -1;
    void *p = file >= 0 ? map_file(file, bytes) : NULL;
    if (p)
        *b = (struct block){ p, bytes, file }, spill.used++;
    else if (file >= 0)
        close(file);
    pthread_mutex_unlock(&spill.lock);
    return p;
}
void *spill_resize(void *p, size_t bytes)
{
    if (!p || !spill.used || bytes <= spill.limit) return NULL;
    pthread_mutex_lock(&spill.lock);
    struct block *b = find(p);
    size_t before = b ? b->bytes : 0;
    /* what is cut off reads as zero when the file grows again */
    void *q = b && (bytes >= before || !ftruncate(b->file, (off_t)bytes)) ? map_file(b->file, bytes) : NULL;
    if (q) munmap(p, before), b->p = q, b->bytes = bytes;
    pthread_mutex_unlock(&spill.lock);
    return q;
}
bool spill_free(void *p)
{
    if (!spill.used) return false;
    pthread_mutex_lock(&spill.lock);
    struct block *b = find(p);
    if (b) munmap(p, b->bytes), close(b->file), *b = (struct block){ 0 }, spill.used--;
    pthread_mutex_unlock(&spill.lock);
    return b != NULL;
}
size_t spill_held(void)
{
    size_t n = 0;
    pthread_mutex_lock(&spill.lock);
    for (int i = 0; i < BLOCKS; i++) n += spill.block[i].bytes;
    pthread_mutex_unlock(&spill.lock);
    return n;
}
