/* The thread pool. */
#include "base/pool.h"
#include "base/rng.h"
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

enum { MOST = 5, TASKS = 1000 };

typedef struct tally {
    atomic_int runs[TASKS];
    atomic_int bad_thread;
    int threads;
} tally;

static void count(void *ctx, int64_t task, int thread)
{
    tally *t = ctx;
    atomic_fetch_add(&t->runs[task], 1);
    if (thread < 0 || thread >= t->threads) atomic_fetch_add(&t->bad_thread, 1);
}

static pool *new_pool(int threads)
{
    pool *p;
    laco_error e;
    assert_int_equal(pool_new(&p, threads, &e), LACO_OK);
    assert_int_equal(pool_threads(p), threads);
    pool_always_share(p, true);
    return p;
}

static void every_task_runs_once(void **state)
{
    (void)state;
    static const int64_t sizes[] = { 0, 1, 2, 3, 7, 64, TASKS, -1 };
    for (int threads = 1; threads <= MOST; threads++) {
        pool *p = new_pool(threads);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            tally t = { .threads = threads };
            pool_run(p, sizes[s], count, &t);
            for (int i = 0; i < TASKS; i++) assert_int_equal(t.runs[i], i < sizes[s]);
            assert_int_equal(t.bad_thread, 0);
        }
        pool_free(p);
    }
    pool_free(NULL);
}

/* Each task sums its own numbers into its own place: not a bit may depend on the number of threads. */
static void sum(void *ctx, int64_t task, int thread)
{
    (void)thread;
    double *out = ctx;
    for (uint64_t i = 0; i < 50; i++) out[task] += rng_normal(3, RNG_TEST, (uint64_t)task * 50 + i);
}

static void results_do_not_depend_on_threads(void **state)
{
    (void)state;
    double first[TASKS] = { 0 };
    for (int threads = 1; threads <= MOST; threads++) {
        double out[TASKS] = { 0 };
        pool *p = new_pool(threads);
        pool_run(p, TASKS, sum, threads == 1 ? first : out);
        pool_free(p);
        if (threads > 1) assert_memory_equal(out, first, sizeof out);
    }
    assert_true(first[0] != 0 && first[0] != first[1]);
}

/* Plain memory, written by tasks of one round and read by tasks of the next: a round must end before it returns. */
typedef struct relay {
    int64_t from[8], to[8];
} relay;

static void pass_on(void *ctx, int64_t task, int thread)
{
    (void)thread;
    relay *r = ctx;
    r->to[task] = r->from[(task + 1) % 8] + 1;
}

static void many_small_rounds(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST; threads++) {
        enum { ROUNDS = 4000 };
        relay r = { 0 };
        pool *p = new_pool(threads);
        for (int i = 0; i < ROUNDS; i++) {
            if (i % 1000 == 500) nanosleep(&(struct timespec){ 0, 2000000 }, NULL); /* workers fall asleep */
            pool_run(p, 8, pass_on, &r);
            memcpy(r.from, r.to, sizeof r.from);
        }
        for (int i = 0; i < 8; i++) assert_int_equal(r.from[i], ROUNDS);
        pool_free(p);
    }
}

/* Two tasks that wait for each other: they can only end when two threads run them, so the workers do wake and work. */
typedef struct meeting {
    atomic_int arrived;
    atomic_int alone;
} meeting;

static void meet(void *ctx, int64_t task, int thread)
{
    (void)task;
    (void)thread;
    meeting *m = ctx;
    time_t start = time(NULL);
    atomic_fetch_add(&m->arrived, 1);
    while (atomic_load(&m->arrived) < 2 && time(NULL) - start < 20) sched_yield();
    if (atomic_load(&m->arrived) < 2) atomic_store(&m->alone, 1);
}

static void workers_take_part(void **state)
{
    (void)state;
    pool *p = new_pool(3);
    for (int i = 0; i < 50; i++) {
        meeting m = { 0 };
        if (i % 2) nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
        pool_run(p, 2, meet, &m);
        assert_int_equal(m.alone, 0);
    }
    pool_free(p);
}

/* A round whose task takes longer than all patience of the caller. */
static void slow(void *ctx, int64_t task, int thread)
{
    (void)thread;
    atomic_int *done = ctx;
    nanosleep(&(struct timespec){ 0, task ? 0 : 20000000 }, NULL);
    atomic_fetch_add(done, 1);
}

static void a_slow_task_is_waited_for(void **state)
{
    (void)state;
    pool *p = new_pool(2);
    for (int i = 1; i <= 10; i++) {
        atomic_int done = 0;
        pool_run(p, 4, slow, &done);
        assert_int_equal(done, 4);
    }
    pool_free(p);
}

/* Teams: every task is done by all of its members, in steps that none begins before the last has ended the one before.
   A member adds what it finds in its neighbours' places of the step before. */
enum { PLACES = 24, STEPS = 200, GROUPS = 3 };
typedef struct teamwork {
    int64_t place[GROUPS][2][PLACES];
    atomic_int calls[GROUPS], most;
} teamwork;
static void team_work(void *ctx, int64_t task, team *t, int thread)
{
    teamwork *w = ctx;
    int64_t from, to;
    (void)thread;
    atomic_fetch_add(&w->calls[task], 1);
    if (t->members > w->most) atomic_store(&w->most, t->members);
    team_share(t, PLACES, &from, &to);
    for (int s = 0; s < STEPS; s++, team_meet(t))
        for (int64_t i = from; i < to; i++)
            w->place[task][1 - s % 2][i] = (w->place[task][s % 2][(i + PLACES - 1) % PLACES] +
                                            w->place[task][s % 2][(i + 1) % PLACES] + task + i) %
                                           1000003;
}
static void teams_go_step_by_step(void **state)
{
    (void)state;
    teamwork alone = { 0 };
    pool *one = new_pool(1);
    pool_teams(one, GROUPS, team_work, &alone);
    pool_free(one);
    assert_true(alone.place[2][0][5] != alone.place[1][0][5]);
    for (int threads = 2; threads <= 2 * MOST; threads++) {
        pool *p = new_pool(threads);
        for (int tasks = 1; tasks <= GROUPS; tasks++)
            for (int i = 0; i < 20; i++) {
                teamwork w = { 0 };
                int calls = 0;
                pool_teams(p, tasks, team_work, &w);
                assert_memory_equal(w.place, alone.place, (size_t)tasks * sizeof w.place[0]);
                for (int k = 0; k < tasks; k++) assert_true(w.calls[k] >= 1), calls += w.calls[k];
                assert_true(calls <= (threads > tasks ? threads : tasks));
                if (tasks == 1 && threads == 2 && i > 5) assert_int_equal(w.most, 2);
            }
        pool_free(p);
    }
}

/* A round that is over in no time is not worth waking anybody for; one that takes long is. */
static void note_thread(void *ctx, int64_t task, int thread)
{
    atomic_int *others = ctx;
    (void)task;
    if (thread) atomic_fetch_add(others, 1);
}
static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
static void short_rounds_stay_with_the_caller(void **state)
{
    (void)state;
    static atomic_int others, done;
    pool *p = new_pool(2);
    pool_always_share(p, false);
    int quiet = 0; /* it learns, and on a loaded machine learning takes long */
    for (int i = 0; i < 200 && !quiet; i++) {
        atomic_store(&others, 0);
        for (int64_t end = clock_ms() + 20; clock_ms() < end;) pool_run(p, 2, note_thread, &others);
        quiet = others == 0;
    }
    assert_true(quiet);
    for (int i = 1; i <= 4; i++) pool_run(p, 4, slow, &done);
    assert_int_equal(done, 16);
    pool_free(p);
}

static bool denormals_vanish(void)
{
    volatile double small = DBL_MIN, half = 0.5, denormal = 5e-324, one = 1;
    return small * half == 0 && denormal * one == 0;
}

/* A check made by two threads at least, because its first two tasks meet. */
typedef struct inspection {
    meeting m;
    atomic_int wrong;
} inspection;

static void look_for_denormals(void *ctx, int64_t task, int thread)
{
    inspection *look = ctx;
    if (!denormals_vanish()) atomic_fetch_add(&look->wrong, 1);
    if (task < 2) meet(&look->m, task, thread);
}

static void denormals_are_flushed_in_rounds_only(void **state)
{
    (void)state;
#if !defined(__SSE2__) && !defined(__aarch64__)
    skip();
#endif
    assert_false(denormals_vanish());
    for (int threads = 1; threads <= MOST; threads++) {
        inspection look = { 0 };
        if (threads == 1) look.m.arrived = 2;
        pool *p = new_pool(threads);
        pool_run(p, 100, look_for_denormals, &look);
        assert_int_equal(look.wrong, 0);
        assert_false(denormals_vanish());
        pool_run(p, 1, look_for_denormals, &look);
        assert_int_equal(look.wrong, 0);
        assert_false(denormals_vanish());
        pool_free(p);
    }
}

static void note_signals(void *ctx, int64_t task, int thread)
{
    inspection *look = ctx;
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    if (thread > 0 && !sigismember(&set, SIGINT)) atomic_fetch_add(&look->wrong, 1);
    if (task < 2) meet(&look->m, task, thread);
}

static void workers_take_no_signals(void **state)
{
    (void)state;
    inspection look = { 0 };
    pool *p = new_pool(2);
    pool_run(p, 2, note_signals, &look);
    pool_free(p);
    assert_int_equal(look.wrong, 0);
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    assert_false(sigismember(&set, SIGINT)); /* and the caller's mask is as before */
}

static void the_number_of_threads_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *env;
        int asked, threads;
    } cases[] = { { "3", 0, 3 },    { "3", 2, 2 },      { "1", 0, 1 },    { "0", 0, -1 },  { "1025", 0, -1 },
                  { "abc", 0, -1 }, { "-2", 0, -1 },    { "2.5", 0, -1 }, { "2x", 0, -1 }, { "abc", 1, 1 },
                  { NULL, -1, -1 }, { NULL, 1025, -1 }, { "1e99", 0, -1 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pool *p;
        laco_error e;
        if (cases[i].env)
            setenv("LACO_THREADS", cases[i].env, 1);
        else
            unsetenv("LACO_THREADS");
        laco_status status = pool_new(&p, cases[i].asked, &e);
        assert_int_equal(status, cases[i].threads < 0 ? LACO_EINVAL : LACO_OK);
        if (status) {
            assert_null(p);
            assert_non_null(strstr(e.msg, "1024"));
            continue;
        }
        assert_int_equal(pool_threads(p), cases[i].threads);
        pool_free(p);
    }
}

static void without_a_number_the_usable_cores_count(void **state)
{
    (void)state;
    cpu_set_t old, one;
    pool *p;
    unsetenv("LACO_THREADS");
    assert_int_equal(sched_getaffinity(0, sizeof old, &old), 0);
    assert_int_equal(pool_new(&p, 0, NULL), LACO_OK);
    int threads = pool_threads(p);
    pool_free(p);
    assert_int_equal(threads, CPU_COUNT(&old));
    int first = 0;
    while (!CPU_ISSET(first, &old)) first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(pool_new(&p, 0, NULL), LACO_OK);
    threads = pool_threads(p);
    pool_free(p);
    p = new_pool(3); /* more threads than cores still works */
    tally t = { .threads = 3 };
    pool_run(p, TASKS, count, &t);
    pool_free(p);
    assert_int_equal(sched_setaffinity(0, sizeof old, &old), 0);
    assert_int_equal(threads, 1);
    for (int i = 0; i < TASKS; i++) assert_int_equal(t.runs[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(results_do_not_depend_on_threads),
        cmocka_unit_test(many_small_rounds),
        cmocka_unit_test(workers_take_part),
        cmocka_unit_test(a_slow_task_is_waited_for),
        cmocka_unit_test(teams_go_step_by_step),
        cmocka_unit_test(short_rounds_stay_with_the_caller),
        cmocka_unit_test(denormals_are_flushed_in_rounds_only),
        cmocka_unit_test(workers_take_no_signals),
        cmocka_unit_test(the_number_of_threads_is_checked),
        cmocka_unit_test(without_a_number_the_usable_cores_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
