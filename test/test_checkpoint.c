/* Checkpoints: a run that is killed at any moment, or whose disk fills up, goes on to the very bytes of an
   uninterrupted one. Runs are children of this program, so that they can be killed. */
#include "base/file.h"
#include "base/folder.h"
#include "base/rng.h"
#include "train/checkpoint.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64]; /* of a test: data, models, checkpoints; the working directory */

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/laco-checkpoint-%ld", (long)getpid());
    return folder_make(folder, NULL) || chdir(folder);
}
static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") || system(command);
}
static void write_text(const char *path, const char *bytes, size_t n)
{
    file_writer *w;
    assert_int_equal(file_create(&w, path, NULL), LACO_OK);
    assert_int_equal(file_write(w, bytes, n, NULL), LACO_OK);
    assert_int_equal(file_commit(w, NULL), LACO_OK);
}
/* Words drawn at random: something to learn, and no two windows alike. */
static void write_data(const char *path, uint64_t seed)
{
    static const char *const words[] = { "the ", "cat ", "sat ", "on ", "a ", "mat\n", "and ", "dog ", "saw " };
    buf text = { 0 };
    for (uint64_t i = 0; i < 2500; i++) buf_text(&text, words[(int)(rng_uniform(seed, RNG_TEST, i) * 9)]);
    write_text(path, text.data, text.len);
    buf_free(&text);
}
static void assert_same_files(const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    assert_int_equal(file_read(a, 1 << 28, &x, &n, NULL), LACO_OK);
    assert_int_equal(file_read(b, 1 << 28, &y, &m, NULL), LACO_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    mem_free(x), mem_free(y);
}

/* ---- runs ---- */
typedef struct setting {
    const char *name, *value;
} setting;
static const setting *plan; /* of the runs of a test, ends in a NULL name */
static laco_status run(const char *command, const char *out, const char *checkpoint, const char *threads,
                       laco_error *err)
{
    laco_job *j = NULL;
    laco_status st = laco_job_new(&j, command, err);
    const setting all[] = { { "out", out }, { "checkpoint", checkpoint }, { "folder", checkpoint } };
    bool resume = !strcmp(command, "resume");
    for (int i = resume ? 2 : 0; !st && i < (resume ? 3 : 2); i++)
        if (all[i].value) st = laco_job_set(j, all[i].name, all[i].value, err);
    for (const setting *s = plan; !st && !resume && s->name; s++) st = laco_job_set(j, s->name, s->value, err);
    if (!st) st = laco_job_set(j, "threads", threads, err);
    if (!st) st = laco_job_run(j, NULL, err);
    laco_job_free(j);
    return st;
}
static pid_t start(const char *command, const char *out, const char *checkpoint, const char *threads, rlim_t largest)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child) return child;
    struct rlimit limit = { largest, largest };
    signal(SIGXFSZ, SIG_IGN);
    if (largest) setrlimit(RLIMIT_FSIZE, &limit);
    _exit(run(command, out, checkpoint, threads, NULL) ? 1 : 0);
}
static bool ended(pid_t child, int *status) { return waitpid(child, status, WNOHANG) == child; }
static void pause_for(double seconds)
{
    nanosleep(&(struct timespec){ (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) }, NULL);
}

static const setting streams[] = { { "data", "data.txt" },
                                   { "model", "embed 8; dropout 0.2; lstm 16; dropout 0.3 variational; gru 12; dense" },
                                   { "epochs", "6" },
                                   { "batch", "8" },
                                   { "steps", "16" },
                                   { "ngram", "0" },
                                   { "every", "7" },
                                   { "accumulate", "2" },
                                   { "schedule", "plateau" },
                                   { "weight-noise", "0.01" },
                                   { "average", "0.9" },
                                   { "outlier", "2" },
                                   { NULL, NULL } };
static const setting lines[] = {
    { "data", "data.txt" }, { "mode", "line" }, { "model", "embed 8; lstm 16 peephole learned-state; dense" },
    { "epochs", "5" },      { "batch", "4" },   { "steps", "8" },
    { "ngram", "0" },       { "every", "5" },   { "optimizer", "nadam" },
    { NULL, NULL }
};

/* Kills a run `kills` times at random moments, resuming it after each; then lets it end. How often it was really
   killed. */
static int kill_and_resume(int kills, uint64_t seed, double typical)
{
    int killed = 0, status = 0;
    pid_t child = start("train lm", "b.safetensors", "run", "1", 0);
    for (int i = 0; i < kills; i++) {
        pause_for(typical * rng_uniform(seed, RNG_TEST, (uint64_t)i));
        if (ended(child, &status)) break;
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        killed += WIFSIGNALED(status);
        bool begun = folder_has("run", "run.json"); /* killed before that, there is nothing to go on with */
        child = start(begun ? "resume" : "train lm", "b.safetensors", "run", i % 2 ? "2" : "1", 0);
    }
    if (waitpid(child, &status, 0) == child) assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return killed;
}
static void check_kills(const setting *settings, int kills)
{
    plan = settings;
    write_data("data.txt", 1);
    double began = clock_seconds();
    assert_int_equal(run("train lm", "a.safetensors", NULL, "1", NULL), LACO_OK);
    double typical = (clock_seconds() - began) / 4; /* several kills fall into one run */
    int killed = 0;
    for (uint64_t round = 0; killed < kills && round < 40; round++) {
        assert_int_equal(system("rm -rf run b.safetensors"), 0);
        killed += kill_and_resume(kills - killed, round + 1, typical);
        assert_same_files("a.safetensors", "b.safetensors");
    }
    assert_true(killed >= kills);
}
static void test_killed_streams(void **state) { (void)state, check_kills(streams, 20); }
static void test_killed_lines(void **state) { (void)state, check_kills(lines, 8); }

/* A disk that is full from some size of a file on: checkpoints fail, training goes on; the model is the same. With a
   limit that the model does not fit either, the run fails, and a resume with room ends it. */
static void test_full_disk(void **state)
{
    static const rlim_t limits[] = { 4096, 16384, 40000 };
    int status;
    (void)state;
    plan = streams;
    write_data("data.txt", 1);
    assert_int_equal(run("train lm", "a.safetensors", NULL, "1", NULL), LACO_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(system("rm -rf run b.safetensors"), 0);
        pid_t child = start("train lm", "b.safetensors", "run", "1", limits[i]);
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(run("resume", NULL, "run", "1", NULL), LACO_OK);
        assert_same_files("a.safetensors", "b.safetensors");
    }
}

/* ---- damage ---- */
static char **names;
static size_t count;
static void list_updates(void)
{
    folder_names_free(names, count);
    assert_int_equal(folder_names("run", "update-", ".safetensors", &names, &count, NULL), LACO_OK);
}
static void make_run(void)
{
    plan = streams;
    write_data("data.txt", 1);
    assert_int_equal(system("rm -rf run a.safetensors b.safetensors"), 0);
    assert_int_equal(run("train lm", "a.safetensors", "run", "1", NULL), LACO_OK);
    assert_int_equal(rename("a.safetensors", "b.safetensors"), 0);
    list_updates();
    assert_int_equal(count, 2);
}
static int told_damaged;
static void count_damaged(void *ctx, const char *line)
{
    (void)ctx;
    told_damaged += strstr(line, "damaged ") == line;
}
static laco_status resume_telling(laco_error *err)
{
    laco_job *j = NULL;
    laco_watch w = { .size = sizeof w, .note = count_damaged };
    assert_int_equal(laco_job_new(&j, "resume", err), LACO_OK);
    assert_int_equal(laco_job_set(j, "folder", "run", err), LACO_OK);
    told_damaged = 0;
    laco_status st = laco_job_run(j, &w, err);
    laco_job_free(j);
    return st;
}
static void damage(const char *name, long at)
{
    char *path = folder_path("run", name);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, at < 0 ? -at : at, at < 0 ? SEEK_END : SEEK_SET);
    if (at < 0) fseek(f, at, SEEK_END);
    int c = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(c ^ 0x10, f);
    fclose(f), mem_free(path);
}
static void test_damaged(void **state)
{
    static const long places[] = { 3, 40, 5000, -1 };
    laco_error err;
    (void)state;
    for (int i = 0; i < 4; i++) {
        make_run();
        damage(names[1], places[i]);
        assert_int_equal(resume_telling(&err), LACO_OK);
        assert_int_equal(told_damaged, 1);
        assert_same_files("a.safetensors", "b.safetensors");
    }
    make_run();
    char *path = folder_path("run", names[1]);
    assert_int_equal(truncate(path, 777), 0); /* half-written, as a disk may leave it */
    mem_free(path);
    assert_int_equal(resume_telling(&err), LACO_OK);
    assert_int_equal(told_damaged, 1);
    assert_same_files("a.safetensors", "b.safetensors");
    assert_int_equal(system("for f in run/*.safetensors; do echo no >$f; done"), 0);
    assert_int_equal(resume_telling(&err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "no checkpoint in run is whole"));
}

/* ---- what is refused ---- */
static void refused(const char *command, const char *checkpoint, laco_status status, const char *says)
{
    laco_error err;
    assert_int_equal(run(command, "c.safetensors", checkpoint, "1", &err), status);
    if (!strstr(err.msg, says)) fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
}
static void test_refused(void **state)
{
    folder_lock *lock;
    (void)state;
    make_run();
    refused("train lm", "run", LACO_EINVAL, "already holds a training run: `laco resume run`");
    refused("resume", "nowhere", LACO_EINVAL, "holds no training run");
    assert_int_equal(folder_lock_take(&lock, "run", NULL), LACO_OK);
    refused("resume", "run", LACO_EIO, "another run is writing into run");
    folder_unlock(lock);
    write_data("data.txt", 2);
    refused("resume", "run", LACO_EINVAL, "the data is not what the run in run began with");
    write_data("data.txt", 1);
    assert_int_equal(system("sed -i 's/\"laco\":\"[0-9.]*\"/\"laco\":\"9.9\"/' run/run.json"), 0);
    refused("resume", "run", LACO_EUNSUPPORTED, "was begun by laco 9.9, this is");
    write_text("run/run.json", "{\"tool\":\"other\"}", 16);
    refused("resume", "run", LACO_EFORMAT, "does not describe a training run of laco");
    write_text("run/run.json", "{", 1);
    refused("resume", "run", LACO_EFORMAT, "is damaged");
    assert_int_equal(access("c.safetensors", F_OK), -1);
}
/* A file that is whole, but not what a run writes: a number of a tensor is changed, or a tensor is missing. */
static void rewrite_newest(const char *leave_out, int64_t at, int64_t value)
{
    checkpoints *c;
    safetensors *s;
    st_tensor t[64];
    int64_t numbers[64];
    size_t n = 0;
    assert_int_equal(checkpoints_open(&c, "run", NULL), LACO_OK);
    assert_int_equal(checkpoints_newest(c, &s, count_damaged, NULL, NULL), LACO_OK);
    for (size_t i = 0; i < st_count(s); i++) {
        t[n] = *st_at(s, i);
        if (leave_out && !strcmp(t[n].name, leave_out)) continue;
        if (!strcmp(t[n].name, "counts")) {
            assert_true(t[n].bytes <= sizeof numbers);
            memcpy(numbers, t[n].data, t[n].bytes);
            if (at >= 0) numbers[at] = value;
            t[n].data = numbers;
        }
        n++;
    }
    assert_int_equal(checkpoints_write(c, &(checkpoint_kind){ .update = 1 << 20 }, t, n, NULL), LACO_OK);
    st_free(s), checkpoints_close(c);
}
static void test_hostile(void **state)
{
    (void)state;
    static const char *const tensors[] = { "weights", "moments", "best", "counts", "figures" };
    make_run();
    for (int64_t i = 0; i < 12; i++) {
        rewrite_newest(NULL, i, -7);
        refused("resume", "run", LACO_EFORMAT, "counts what cannot be");
        folder_remove("run", "update-000001048576.safetensors");
        make_run();
    }
    for (int i = 0; i < 5; i++) {
        if (i == 2) continue; /* without a best one the run goes on */
        rewrite_newest(tensors[i], -1, 0);
        refused("resume", "run", LACO_EFORMAT, "the checkpoint does not fit the run");
        make_run();
    }
    rewrite_newest(NULL, 2, 1 << 30); /* a step beyond the end of its batch */
    assert_int_equal(run("resume", NULL, "run", "1", NULL), LACO_OK);
}
/* More epochs than the run was begun with: the same as a run with so many from the start, where the schedule allows. */
static void test_more_epochs(void **state)
{
    static const setting few[] = { { "data", "data.txt" }, { "model", "embed 8; elman 8; dense" },
                                   { "epochs", "2" },      { "batch", "8" },
                                   { "steps", "16" },      { "ngram", "0" },
                                   { "every", "1000000" }, { "schedule", "constant" },
                                   { "warmup", "5" },      { NULL, NULL } };
    setting many[sizeof few / sizeof *few];
    laco_job *j = NULL;
    (void)state;
    memcpy(many, few, sizeof few), many[2].value = "4";
    assert_int_equal(system("rm -rf run a.safetensors b.safetensors"), 0);
    write_data("data.txt", 1);
    plan = many;
    assert_int_equal(run("train lm", "a.safetensors", NULL, "1", NULL), LACO_OK);
    plan = few;
    assert_int_equal(run("train lm", "b.safetensors", "run", "1", NULL), LACO_OK);
    assert_int_equal(laco_job_new(&j, "resume", NULL), LACO_OK);
    assert_int_equal(laco_job_set(j, "folder", "run", NULL), LACO_OK);
    assert_int_equal(laco_job_set(j, "epochs", "4", NULL), LACO_OK);
    assert_int_equal(laco_job_run(j, NULL, NULL), LACO_OK);
    laco_job_free(j);
    assert_same_files("a.safetensors", "b.safetensors");
}
/* A run that is stopped inside an epoch, resumed with nothing left to do, and then resumed for more: the model never
   gets worse, the place inside the epoch is not lost. With windows that wait for an update, too. */
static laco_job *stopping;
static void stop_inside(void *ctx, const laco_progress *p)
{
    (void)ctx;
    if (p->done > 10) laco_job_stop(stopping);
}
static laco_status resume_with(const char *option, const char *value)
{
    laco_job *j = NULL;
    laco_error err;
    assert_int_equal(laco_job_new(&j, "resume", &err), LACO_OK);
    assert_int_equal(laco_job_set(j, "folder", "run", &err), LACO_OK);
    if (option) assert_int_equal(laco_job_set(j, option, value, &err), LACO_OK);
    laco_status st = laco_job_run(j, NULL, &err);
    laco_job_free(j);
    return st;
}
static void train_stopped(const setting *settings)
{
    laco_watch w = { .size = sizeof w, .progress = stop_inside };
    assert_int_equal(system("rm -rf run b.safetensors"), 0);
    assert_int_equal(laco_job_new(&stopping, "train lm", NULL), LACO_OK);
    for (const setting *s = settings; s->name; s++)
        assert_int_equal(laco_job_set(stopping, s->name, s->value, NULL), LACO_OK);
    assert_int_equal(laco_job_set(stopping, "out", "b.safetensors", NULL), LACO_OK);
    assert_int_equal(laco_job_set(stopping, "checkpoint", "run", NULL), LACO_OK);
    assert_int_equal(laco_job_run(stopping, &w, NULL), LACO_OK);
    assert_null(strstr(laco_job_result(stopping), "\"epochs\":60,")); /* it was really stopped before its end */
    laco_job_free(stopping);
}
static void test_stopped(void **state)
{
    static const setting waiting[] = {
        { "data", "data.txt" },     { "model", "embed 8; lstm 96 weight-drop 0.2; dense" },
        { "epochs", "60" },         { "batch", "8" },
        { "steps", "16" },          { "ngram", "0" },
        { "every", "1000000" },     { "accumulate", "7" },
        { "weight-noise", "0.01" }, { NULL, NULL }
    };
    char *before = NULL, *after = NULL;
    size_t n, m;
    (void)state;
    write_data("data.txt", 1);
    plan = waiting;
    assert_int_equal(run("train lm", "a.safetensors", NULL, "1", NULL), LACO_OK);
    train_stopped(waiting);
    assert_int_equal(file_read("b.safetensors", 1 << 28, &before, &n, NULL), LACO_OK);
    /* fewer epochs than are done: the part of an epoch is judged again */
    assert_int_equal(resume_with("epochs", "1"), LACO_OK);
    assert_int_equal(file_read("b.safetensors", 1 << 28, &after, &m, NULL), LACO_OK);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    mem_free(before), mem_free(after);
    assert_int_equal(resume_with(NULL, NULL), LACO_OK);
    assert_same_files("a.safetensors", "b.safetensors");
}
/* Damaged files with a later number do not stand in the way of new ones. */
static void test_damaged_later(void **state)
{
    checkpoints *c;
    const float x[3] = { 1, 2, 3 };
    const st_tensor t = { .name = "weights", .dtype = ST_F32, .rank = 1, .shape = { 3 }, .data = x, .bytes = sizeof x };
    (void)state;
    assert_int_equal(system("rm -rf kept"), 0);
    assert_int_equal(checkpoints_create(&c, "kept", "{}", NULL), LACO_OK);
    for (int64_t i = 1; i <= 2; i++)
        assert_int_equal(checkpoints_write(c, &(checkpoint_kind){ 100 * i, 0, false }, &t, 1, NULL), LACO_OK);
    assert_int_equal(system("echo no >kept/update-000000000200.safetensors"), 0);
    assert_int_equal(checkpoints_write(c, &(checkpoint_kind){ 150, 0, false }, &t, 1, NULL), LACO_OK);
    assert_true(folder_has("kept", "update-000000000100.safetensors"));
    assert_true(folder_has("kept", "update-000000000150.safetensors"));
    assert_false(folder_has("kept", "update-000000000200.safetensors"));
    checkpoints_close(c);
}
/* The newest two are kept, and those after epochs 1, 2, 4. */
static void test_kept(void **state)
{
    char **kept;
    size_t n;
    checkpoints *c;
    const float x[3] = { 1, 2, 3 };
    const st_tensor t = { .name = "weights", .dtype = ST_F32, .rank = 1, .shape = { 3 }, .data = x, .bytes = sizeof x };
    safetensors *s = NULL;
    float back[3];
    (void)state;
    assert_int_equal(system("rm -rf kept"), 0);
    assert_int_equal(checkpoints_create(&c, "kept", "{}", NULL), LACO_OK);
    for (int64_t i = 1; i <= 5; i++)
        assert_int_equal(checkpoints_write(c, &(checkpoint_kind){ i * 10, i < 3 ? i : 0, i == 3 }, &t, 1, NULL),
                         LACO_OK);
    assert_int_equal(folder_names("kept", "", ".safetensors", &kept, &n, NULL), LACO_OK);
    static const char *const expected[] = { "best.safetensors", "epoch-00000001.safetensors",
                                            "epoch-00000002.safetensors", "update-000000000040.safetensors",
                                            "update-000000000050.safetensors" };
    assert_int_equal(n, 5);
    for (int i = 0; i < 5; i++) assert_string_equal(kept[i], expected[i]);
    folder_names_free(kept, n);
    assert_int_equal(checkpoints_newest(c, &s, count_damaged, NULL, NULL), LACO_OK);
    assert_int_equal(checkpoint_get(s, "weights", back, sizeof back, NULL), LACO_OK);
    assert_memory_equal(x, back, sizeof x);
    assert_int_equal(checkpoint_get(s, "weights", back, 8, NULL), LACO_EFORMAT);
    assert_int_equal(checkpoint_get(s, "other", back, 8, NULL), LACO_EFORMAT);
    st_free(s), checkpoints_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_streams), cmocka_unit_test(test_killed_lines), cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_damaged),        cmocka_unit_test(test_refused),      cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_more_epochs),    cmocka_unit_test(test_kept),
        cmocka_unit_test(test_stopped),        cmocka_unit_test(test_damaged_later),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
