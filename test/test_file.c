/* Files: reading, gzip, atomic writing, logs. Everything happens in a folder of its own below /tmp. */
#include "base/file.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#include <cmocka.h>

static char folder[] = "/tmp/laco-test-file-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN); /* a file size limit then shows as an error of write */
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int entries(void)
{
    int n = 0;
    DIR *d = opendir(".");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static int clean(void **state)
{
    (void)state;
    DIR *d = opendir(".");
    if (!d) return -1;
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) remove(e->d_name);
    closedir(d);
    return 0;
}

static int tear_down(void **state)
{
    clean(state);
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void assert_holds(const char *path, const char *text)
{
    char *bytes;
    size_t n;
    laco_error e;
    assert_int_equal(file_read(path, 1 << 20, &bytes, &n, &e), LACO_OK);
    assert_int_equal(n, strlen(text));
    assert_string_equal(bytes, text);
    mem_free(bytes);
}

static laco_status save(const char *path, const void *bytes, size_t n, laco_error *e)
{
    file_writer *w;
    laco_status status = file_create(&w, path, e);
    if (status) return status;
    status = file_write(w, bytes, n, e);
    if (!status) return file_commit(w, e);
    file_abandon(w);
    return status;
}

static void assert_unreadable(const char *path, size_t limit, int code, const char *word)
{
    char *bytes = (char *)1;
    size_t n;
    laco_error e;
    assert_int_equal(file_read(path, limit, &bytes, &n, &e), code);
    assert_null(bytes);
    assert_int_equal(e.code, code);
    assert_non_null(strstr(e.msg, path));
    assert_non_null(strstr(e.msg, word));
}

/* ---- reading ---- */
static void reads_whole_files(void **state)
{
    (void)state;
    static char big[300000];
    char *bytes;
    size_t n;
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 251);
    static const size_t sizes[] = { 0, 1, 2, 65535, 65536, 65537, 131072, sizeof big };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        put("f", big, sizes[i]);
        assert_int_equal(file_read("f", sizes[i], &bytes, &n, NULL), LACO_OK);
        assert_int_equal(n, sizes[i]);
        assert_memory_equal(bytes, big, n);
        assert_int_equal(bytes[n], 0);
        mem_free(bytes);
        if (sizes[i] > 0) assert_unreadable("f", sizes[i] - 1, LACO_EIO, "bytes allowed");
    }
    put("f", "\x1f", 1); /* half of a gzip head is no gzip */
    assert_holds("f", "\x1f");
    assert_int_equal(file_read("f", SIZE_MAX, &bytes, &n, NULL), LACO_OK);
    mem_free(bytes);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    assert_unreadable("missing/file", 10, LACO_EIO, "No such file");
    assert_unreadable("", 10, LACO_EIO, "No such file");
    assert_unreadable(".", 10, LACO_EIO, "folder");
    assert_unreadable("/dev/zero", 100000, LACO_EIO, "100000 bytes allowed");
}

static void *feed(void *path)
{
    int fd = open(path, O_WRONLY);
    for (const char *p = "one byte at a time"; *p; p++) {
        if (write(fd, p, 1) != 1) break;
        usleep(200);
    }
    close(fd);
    return NULL;
}

static void reads_pipes_and_standard_input(void **state)
{
    (void)state;
    pthread_t writer;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(pthread_create(&writer, NULL, feed, "pipe"), 0);
    assert_holds("pipe", "one byte at a time");
    pthread_join(writer, NULL);

    put("f", "from standard input", 19);
    int kept = dup(STDIN_FILENO), fd = open("f", O_RDONLY);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    assert_holds("-", "from standard input");
    assert_int_equal(lseek(STDIN_FILENO, 0, SEEK_CUR), 19); /* it was not closed */
    assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    close(kept);
}

/* ---- gzip ---- */
#ifdef HAVE_ZLIB
static size_t gzip(const void *bytes, size_t n, unsigned char *out, size_t room)
{
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t made = room - z.avail_out;
    deflateEnd(&z);
    return made;
}

static void reads_gzip(void **state)
{
    (void)state;
    static unsigned char text[400000], packed[500000];
    char *bytes;
    size_t n;
    uint32_t x = 1;
    static const size_t sizes[] = { 0, 1, 1000, 65536, 131072, 196607, sizeof text };
    for (int random = 0; random < 2; random++) { /* text that shrinks to nothing, and text that cannot shrink */
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = random ? (unsigned char)((x = x * 1664525u + 1013904223u) >> 24) : 'a';
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            size_t made = gzip(text, sizes[i], packed, sizeof packed);
            put("f.gz", packed, made);
            assert_int_equal(file_read("f.gz", sizes[i], &bytes, &n, NULL), LACO_OK);
            assert_int_equal(n, sizes[i]);
            assert_memory_equal(bytes, text, n);
            assert_int_equal(bytes[n], 0);
            mem_free(bytes);
            if (sizes[i]) assert_unreadable("f.gz", sizes[i] - 1, LACO_EIO, "bytes allowed");
        }
    }
    size_t first = gzip("two ", 4, packed, sizeof packed); /* two members are one text */
    first += gzip("members", 7, packed + first, sizeof packed - first);
    put("f.gz", packed, first);
    assert_holds("f.gz", "two members");
}

static void refuses_damaged_gzip(void **state)
{
    (void)state;
    unsigned char packed[200], broken[200];
    static const char text[] = "some words, some more words, and some words again";
    size_t made = gzip(text, sizeof text - 1, packed, sizeof packed);
    for (size_t cut = 2; cut < made; cut++) {
        put("f.gz", packed, cut);
        assert_unreadable("f.gz", 1000, LACO_EFORMAT, "gzip");
    }
    int harmless = 0; /* behind the head every bit counts, but for the few that fill up the last byte before the sums */
    for (size_t bit = 80; bit < 8 * made; bit++) {
        char *bytes;
        size_t n;
        memcpy(broken, packed, made);
        broken[bit / 8] ^= (unsigned char)(1u << bit % 8);
        put("f.gz", broken, made);
        laco_status status = file_read("f.gz", 1000, &bytes, &n, NULL);
        assert_true(status == LACO_OK || status == LACO_EFORMAT);
        if (status) continue;
        harmless++;
        assert_string_equal(bytes, text);
        mem_free(bytes);
    }
    assert_in_range(harmless, 0, 7);
    memcpy(packed + made, "garbage", 7);
    put("f.gz", packed, made + 7);
    assert_unreadable("f.gz", 1000, LACO_EFORMAT, "damaged");
}
#else
static void names_the_package_for_gzip(void **state)
{
    (void)state;
    put("f.gz", "\x1f\x8b\x08\0", 4);
    assert_unreadable("f.gz", 1000, LACO_EUNSUPPORTED, "zlib1g-dev");
}
#endif

/* ---- writing ---- */
static void writes_appear_at_commit(void **state)
{
    (void)state;
    file_writer *w;
    laco_error e;
    put("f", "old", 3);
    assert_int_equal(file_create(&w, "f", &e), LACO_OK);
    assert_int_equal(file_write(w, "new ", 4, &e), LACO_OK);
    assert_int_equal(file_write(w, NULL, 0, &e), LACO_OK);
    assert_int_equal(file_write(w, "text", 4, &e), LACO_OK);
    assert_holds("f", "old");
    assert_int_equal(entries(), 2);
    assert_int_equal(file_commit(w, &e), LACO_OK);
    assert_holds("f", "new text");
    assert_int_equal(entries(), 1);

    assert_int_equal(file_create(&w, "f", &e), LACO_OK);
    assert_int_equal(file_write(w, "never", 5, &e), LACO_OK);
    file_abandon(w);
    file_abandon(NULL);
    assert_holds("f", "new text");
    assert_int_equal(entries(), 1);
    assert_int_equal(file_check_writable("f", &e), LACO_OK);
    assert_int_equal(file_check_writable("g", &e), LACO_OK);
    assert_int_equal(entries(), 1);
}

static void two_writers_do_not_mix(void **state)
{
    (void)state;
    file_writer *a, *b;
    assert_int_equal(file_create(&a, "f", NULL), LACO_OK);
    assert_int_equal(file_create(&b, "f", NULL), LACO_OK);
    assert_int_equal(file_write(a, "first", 5, NULL), LACO_OK);
    assert_int_equal(file_write(b, "second", 6, NULL), LACO_OK);
    assert_int_equal(file_commit(a, NULL), LACO_OK);
    assert_holds("f", "first");
    assert_int_equal(file_commit(b, NULL), LACO_OK);
    assert_holds("f", "second");
    assert_int_equal(entries(), 1);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    struct rlimit old, small;
    laco_error e;
    file_writer *w;
    static char big[100000];
    put("f", "old", 3);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 50000; /* the write is cut short first, then refused */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    laco_status status = save("f", big, sizeof big, &e);
    laco_status created = file_create(&w, "f", NULL);
    laco_status written = created ? LACO_OK : file_write(w, big, sizeof big, NULL);
    laco_status committed = created ? LACO_OK : file_commit(w, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(status, LACO_EIO);
    assert_non_null(strstr(e.msg, "File too large"));
    assert_non_null(strstr(e.msg, "kept"));
    assert_int_equal(created, LACO_OK);
    assert_int_equal(written, LACO_EIO);
    assert_int_equal(committed, LACO_EIO); /* a file with a hole in its story is not committed */
    assert_holds("f", "old");
    assert_int_equal(entries(), 1);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void modes_and_links_are_kept(void **state)
{
    (void)state;
    struct stat st;
    mode_t mask = umask(027);
    assert_int_equal(save("new", "x", 1, NULL), LACO_OK);
    put("old", "y", 1);
    chmod("old", 0604);
    assert_int_equal(save("old", "z", 1, NULL), LACO_OK);
    umask(mask);
    assert_int_equal(mode_of("new"), 0640);
    assert_int_equal(mode_of("old"), 0604);
    assert_int_equal(symlink("old", "link"), 0);
    assert_int_equal(save("link", "through", 7, NULL), LACO_OK);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_holds("old", "through");
}

static void refuses_what_cannot_be_written(void **state)
{
    (void)state;
    static const struct {
        const char *path, *word;
    } cases[] = { { "missing/f", "choose a folder" },
                  { ".", "folder" },
                  { "new/", "folder" },
                  { "", "empty" },
                  { "/proc/laco", "choose a folder" } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        laco_error e;
        file_writer *w = (file_writer *)1;
        assert_true(file_create(&w, cases[i].path, &e) != LACO_OK);
        assert_null(w);
        assert_non_null(strstr(e.msg, cases[i].word));
        assert_int_equal(file_check_writable(cases[i].path, NULL), e.code);
    }
    if (geteuid() == 0) return; /* root writes where it likes */
    put("f", "old", 3);
    chmod("f", 0400);
    assert_int_equal(save("f", "new", 3, NULL), LACO_EIO);
    chmod(".", 0500);
    assert_int_equal(file_check_writable("g", NULL), LACO_EIO);
    chmod(".", 0700);
    assert_holds("f", "old");
}

static void *drink(void *into)
{
    int fd = open("pipe", O_RDONLY);
    ssize_t n = read(fd, into, 15);
    close(fd);
    return n > 0 ? into : NULL;
}

static void devices_and_pipes_are_written_directly(void **state)
{
    (void)state;
    laco_error e;
    char got[16] = "";
    pthread_t reader;
    void *result;
    assert_int_equal(save("/dev/null", "x", 1, &e), LACO_OK);
    assert_int_equal(save("/dev/full", "x", 1, &e), LACO_EIO);
    assert_non_null(strstr(e.msg, "No space"));
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(file_check_writable("pipe", &e), LACO_OK); /* does not wait for a reader */
    assert_int_equal(pthread_create(&reader, NULL, drink, got), 0);
    assert_int_equal(save("pipe", "through", 7, &e), LACO_OK);
    pthread_join(reader, &result);
    assert_non_null(result);
    assert_string_equal(got, "through");
    assert_int_equal(entries(), 1);

    int kept = dup(STDOUT_FILENO), fd = open("out", O_WRONLY | O_CREAT, 0600);
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    laco_status first = write(STDOUT_FILENO, "before ", 7) == 7 ? save("/dev/stdout", "after", 5, &e) : LACO_EIO;
    dup2(kept, STDOUT_FILENO);
    close(kept);
    close(fd);
    assert_int_equal(first, LACO_OK);
    assert_holds("out", "before after");
}

/* ---- logs ---- */
static void logs_grow_line_by_line(void **state)
{
    (void)state;
    file_log *l;
    laco_error e;
    put("log", "torn", 4); /* a run was killed in the midst of a line */
    assert_int_equal(file_log_open(&l, "log", &e), LACO_OK);
    assert_int_equal(file_log_line(l, "{\"step\":1}", &e), LACO_OK);
    assert_holds("log", "torn\n{\"step\":1}\n"); /* at once */
    file_log_close(l);
    assert_int_equal(file_log_open(&l, "log", &e), LACO_OK);
    assert_int_equal(file_log_line(l, "", &e), LACO_OK);
    file_log_close(l);
    file_log_close(NULL);
    assert_holds("log", "torn\n{\"step\":1}\n\n");
    assert_int_equal(file_log_open(&l, "missing/log", &e), LACO_EIO);
    assert_null(l);
    assert_non_null(strstr(e.msg, "missing/log"));
    assert_int_equal(file_log_open(&l, "/dev/full", &e), LACO_OK);
    assert_int_equal(file_log_line(l, "x", &e), LACO_EIO);
    file_log_close(l);
}

static void clock_goes_forward(void **state)
{
    (void)state;
    double a = clock_seconds();
    usleep(20000);
    double b = clock_seconds();
    assert_true(b - a >= 0.02 && b - a < 10);
}

/* Gives memory `left` times, then none. */
static void *scarce(void *ctx, void *p, size_t n)
{
    int *left = ctx;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return (*left)-- > 0 ? malloc(n) : NULL;
}

static void works_without_memory(void **state)
{
    (void)state;
    put("f", "old", 3);
    int done = 0;
    for (int allowed = 0; allowed < 20 && done < 3; allowed++) {
        int left = allowed;
        char *bytes;
        size_t n;
        file_log *l;
        laco_error e;
        laco_set_allocator(scarce, &left);
        laco_status read = file_read("f", 100, &bytes, &n, &e);
        if (!read) mem_free(bytes);
        left = allowed;
        laco_status saved = save("f", "old", 3, &e);
        left = allowed;
        laco_status logged = file_log_open(&l, "log", &e);
        if (!logged) file_log_close(l);
        laco_set_allocator(NULL, NULL);
        assert_true((read == LACO_OK || read == LACO_ENOMEM) && (saved == LACO_OK || saved == LACO_ENOMEM));
        assert_true(logged == LACO_OK || logged == LACO_ENOMEM);
        assert_holds("f", "old");
        assert_true(entries() <= 2);
        done = !read + !saved + !logged;
        if (allowed == 0) assert_int_equal(done, 0);
    }
    assert_int_equal(done, 3);
}

#define IN_CLEAN_FOLDER(f) cmocka_unit_test_setup(f, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_CLEAN_FOLDER(reads_whole_files),
        IN_CLEAN_FOLDER(refuses_what_is_no_file),
        IN_CLEAN_FOLDER(reads_pipes_and_standard_input),
#ifdef HAVE_ZLIB
        IN_CLEAN_FOLDER(reads_gzip),
        IN_CLEAN_FOLDER(refuses_damaged_gzip),
#else
        IN_CLEAN_FOLDER(names_the_package_for_gzip),
#endif
        IN_CLEAN_FOLDER(writes_appear_at_commit),
        IN_CLEAN_FOLDER(two_writers_do_not_mix),
        IN_CLEAN_FOLDER(a_failed_write_leaves_the_old_file),
        IN_CLEAN_FOLDER(modes_and_links_are_kept),
        IN_CLEAN_FOLDER(refuses_what_cannot_be_written),
        IN_CLEAN_FOLDER(devices_and_pipes_are_written_directly),
        IN_CLEAN_FOLDER(logs_grow_line_by_line),
        IN_CLEAN_FOLDER(clock_goes_forward),
        IN_CLEAN_FOLDER(works_without_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
