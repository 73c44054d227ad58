/* Persistent threads.

   `round` is odd while a round is open. The caller opens it, takes tasks like everybody else, and closes it when none
   is left; then it waits for the workers that are inside (`active`), never for one that the system has not yet woken.
   A worker announces itself in `active` before it looks at `round`, and the caller closes `round` before it looks at
   `active`: in the one order of all these operations (they are sequentially consistent) either the caller sees the
   worker and waits, or the worker sees a closed round and leaves the fields alone. Falling asleep works the same way
   with `sleeping` and `round`.

   Tasks lie in one range per thread. A thread empties its own range, then those of the others.

   A round of teams first gathers: workers take a seat until the caller has waited long enough and closes the door
   (`gathered`); then it tells how many there are (`formed`). */
#include "pool.h"
#include "number.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

enum {
    POOL_MOST = 1024,
    POOL_CPU_SETS = 8,         /* 8192 cores: the kernel refuses a mask that is smaller than its own */
    POOL_PAUSES = 32,          /* between two looks at the clock */
    POOL_SPIN_NS = 10 * 1000,  /* polling at full speed */
    POOL_YIELD_NS = 50 * 1000, /* then polling that lets others run; behind it sleep */
    POOL_PATIENT_NS = 2 * 1000 * 1000,
    POOL_NAP_NS = 50 * 1000,
    POOL_GATHER_NS = 300 * 1000, /* a round of teams begins with those who are there by then: time to wake up */
    POOL_GATHER_ALWAYS_NS = 5 * 1000 * 1000,
    POOL_MEET_PAUSES = 2000, /* polling at full speed for another member, then with a yield */
    POOL_DOOR = 1 << 30      /* the bit of `gathered` that says: closed */
};

typedef struct pool_worker {
    struct pool *pool;
    int id;
    pthread_t thread;
} pool_worker;

typedef struct pool_range { /* tasks that a thread begins with */
    _Alignas(64) atomic_llong next;
    int64_t end;
} pool_range;

typedef struct pool_seat { /* of a member of a team */
    _Alignas(64) atomic_uint turn;
} pool_seat;

/* What the rounds of one place in the program took, one way or another. */
enum { ALONE, SHARED, TEAMS, MODES };
typedef struct pool_site {
    const void *task, *ctx;
    int64_t tasks;
    double ns[MODES];                 /* 0: not tried yet */
    int trying, rounds;               /* the mode that is being tried, plus 1, for so many rounds; 0: none */
    int64_t began, mode_began, again; /* when trying began; and this mode; when to try again */
} pool_site;
enum {
    POOL_SITES = 128,
    POOL_LONG_NS = 1000 * 1000,
    POOL_TRIES = 3,
    POOL_MOST_TRIES = 5000,
    POOL_TRY_NS = 400 * 1000,
    POOL_AGAIN_NS = 200 * 1000 * 1000,
    POOL_SELDOM = 50 /* trying takes at most a fiftieth of the time */
};

struct pool {
    int threads;     /* with the caller */
    int64_t spin_ns; /* 0 where there are more threads than cores: then polling only takes time from the others */
    bool always;
    int64_t tasks;
    pool_task *task;
    team_task *team; /* of the round in progress: this or task */
    void *ctx;
    pool_range *range; /* [threads] */
    pool_seat *seat;   /* [threads] */
    pool_site *site;   /* [POOL_SITES] */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Alignas(64) atomic_uint round;
    _Alignas(64) atomic_int active; /* workers that may be using the fields above */
    atomic_int sleeping;
    atomic_bool stop; /* set before the last change of round, from even to even */
    _Alignas(64) atomic_int gathered;
    atomic_int formed;
    pool_worker worker[];
};

/* ---- denormals to zero ---- */
#if defined(__SSE2__)
enum { POOL_FLUSH = 0x8040 }; /* MXCSR: flush to zero, denormals are zero */
static uint64_t pool_mode(void) { return _mm_getcsr(); }
static void pool_set_mode(uint64_t mode) { _mm_setcsr((unsigned)mode); }
#elif defined(__aarch64__)
enum { POOL_FLUSH = 1 << 24 }; /* FPCR.FZ */
static uint64_t pool_mode(void)
{
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static void pool_set_mode(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
enum { POOL_FLUSH = 0 };
static uint64_t pool_mode(void) { return 0; }
static void pool_set_mode(uint64_t mode) { (void)mode; }
#endif

uint64_t flush_denormals(void)
{
    uint64_t mode = pool_mode();
    if ((mode & POOL_FLUSH) != POOL_FLUSH) pool_set_mode(mode | POOL_FLUSH);
    return mode;
}
void restore_denormals(uint64_t mode)
{
    if ((mode & POOL_FLUSH) != POOL_FLUSH) pool_set_mode(mode);
}

/* ---- waiting ---- */
static int64_t pool_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pool_pause(void)
{
#if defined(__SSE2__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Polls for a change of round. True when there was one. */
static bool pool_spin(pool *p, unsigned seen)
{
    if (p->spin_ns == 0) return atomic_load(&p->round) != seen;
    int64_t start = pool_now();
    for (;;) {
        for (int i = 0; i < POOL_PAUSES; i++, pool_pause())
            if (atomic_load(&p->round) != seen) return true;
        int64_t spent = pool_now() - start;
        if (spent > p->spin_ns) return false;
        if (spent > POOL_SPIN_NS) sched_yield();
    }
}

static void pool_sleep(pool *p, unsigned seen)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleeping, 1);
    while (atomic_load(&p->round) == seen) pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleeping, 1);
    pthread_mutex_unlock(&p->lock);
}

/* The caller, at the end of a round. Tasks that run long while their cores are taken by others must not cost a whole
   core here: after a while it looks only every now and then. */
static void pool_wait_for_workers(pool *p)
{
    static const struct timespec nap = { 0, POOL_NAP_NS };
    int64_t start = pool_now();
    for (;;) {
        for (int i = 0; i < POOL_PAUSES; i++, pool_pause())
            if (atomic_load(&p->active) == 0) return;
        int64_t spent = pool_now() - start;
        if (spent > POOL_PATIENT_NS)
            nanosleep(&nap, NULL);
        else if (spent > POOL_SPIN_NS || p->spin_ns == 0)
            sched_yield();
    }
}

/* ---- rounds ---- */
static void pool_do(pool *p, int64_t i, int id) /* by this thread alone */
{
    if (p->task)
        p->task(p->ctx, i, id);
    else
        p->team(p->ctx, i, &(team){ .members = 1 }, id);
}
static void pool_drain(pool *p, int id)
{
    for (int k = 0; k < p->threads; k++) {
        pool_range *r = &p->range[(id + k) % p->threads];
        for (int64_t i; (i = atomic_fetch_add(&r->next, 1)) < r->end;) pool_do(p, i, id);
    }
}

/* Member m of all `members`: the tasks are fewer, or shared out like cards. */
static void pool_play(pool *p, int m, int members, int id)
{
    int tasks = (int)p->tasks;
    if (members >= tasks) {
        int task = m % tasks;
        team t = { m / tasks, (members - task + tasks - 1) / tasks, 0, p->seat + task, tasks };
        p->team(p->ctx, task, &t, id);
    } else
        for (int i = m; i < tasks; i += members) pool_do(p, i, id);
}
static void pool_take_seat(pool *p, int id)
{
    int m = atomic_fetch_add(&p->gathered, 1) + 1, members;
    if (m >= POOL_DOOR) return;
    for (int i = 0; !(members = atomic_load(&p->formed)); i++)
        i < POOL_MEET_PAUSES ? pool_pause() : (void)sched_yield();
    pool_play(p, m, members, id);
}
static void pool_gather(pool *p)
{
    int64_t start = pool_now(), patience = p->always ? POOL_GATHER_ALWAYS_NS : POOL_GATHER_NS;
    while (atomic_load(&p->gathered) < p->threads - 1 && pool_now() - start < patience)
        p->spin_ns ? pool_pause() : (void)sched_yield();
    int members = atomic_fetch_or(&p->gathered, POOL_DOOR) + 1;
    for (int i = 0; i < members; i++) atomic_store(&p->seat[i].turn, 0);
    atomic_store(&p->formed, members);
    pool_play(p, 0, members, 0);
}
void team_meet(team *t)
{
    if (t->members == 1) return;
    unsigned turn = ++t->turn;
    atomic_store_explicit(&t->seat[t->member * t->stride].turn, turn, memory_order_release);
    for (int k = 1; k < t->members; k++) {
        pool_seat *other = &t->seat[(t->member + k) % t->members * t->stride];
        for (int i = 0; (int)(atomic_load_explicit(&other->turn, memory_order_acquire) - turn) < 0; i++)
            i < POOL_MEET_PAUSES ? pool_pause() : (void)sched_yield();
    }
}

/* Takes part in the round that is open, if one still is. Returns the value of round that the worker is then done with.
 */
static unsigned pool_join(pool *p, int id)
{
    atomic_fetch_add(&p->active, 1);
    unsigned round = atomic_load(&p->round);
    if (round & 1) {
        if (!(atomic_load(&p->gathered) & POOL_DOOR))
            pool_take_seat(p, id);
        else
            pool_drain(p, id);
    }
    atomic_fetch_sub(&p->active, 1);
    return round;
}

static void *pool_worker_main(void *arg)
{
    pool_worker *w = arg;
    pool *p = w->pool;
    pool_set_mode(pool_mode() | POOL_FLUSH);
    for (unsigned seen = 0; !atomic_load(&p->stop);) {
        if (!pool_spin(p, seen)) pool_sleep(p, seen);
        unsigned round = atomic_load(&p->round);
        seen = round & 1 ? pool_join(p, w->id) : round;
    }
    return NULL;
}

static void pool_wake(pool *p, int64_t wanted)
{
    int sleeping = atomic_load(&p->sleeping);
    if (sleeping == 0) return;
    pthread_mutex_lock(&p->lock);
    if (wanted >= sleeping)
        pthread_cond_broadcast(&p->wake);
    else
        for (int64_t i = 0; i < wanted; i++) pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void pool_round(pool *p, int mode)
{
    for (int i = 0; i < p->threads; i++) {
        atomic_store(&p->range[i].next, mode == TEAMS ? 0 : i * p->tasks / p->threads);
        p->range[i].end = mode == TEAMS ? 0 : (i + 1) * p->tasks / p->threads;
    }
    atomic_store(&p->formed, 0);
    atomic_store(&p->gathered, mode == TEAMS ? 0 : POOL_DOOR);
    atomic_fetch_add(&p->round, 1);
    pool_wake(p, mode == TEAMS ? p->threads - 1 : p->tasks - 1);
    mode == TEAMS ? pool_gather(p) : pool_drain(p, 0);
    atomic_fetch_add(&p->round, 1);
    pool_wait_for_workers(p);
}

/* ---- what pays ---- */
static pool_site *pool_site_of(pool *p, const void *task, const void *ctx, int64_t tasks)
{
    uint64_t h = (uint64_t)(uintptr_t)task * 31 + (uint64_t)(uintptr_t)ctx / 64 * 17 + (uint64_t)tasks;
    pool_site *s = &p->site[h * 0x9e3779b97f4a7c15u >> 57];
    if (s->task != task || s->ctx != ctx || s->tasks != tasks)
        *s = (pool_site){ .task = task, .ctx = ctx, .tasks = tasks };
    return s;
}
/* The fastest way known. Ways not tried yet, and now and then the others again, are tried first, each for some rounds
   and for long enough that sleeping workers are there. Sharing tasks out costs some microseconds, so a long round does
   without trying it alone. */
static int pool_mode_for(pool_site *s, bool teams, bool always, int64_t now)
{
    bool several = s->tasks > 1, is_long = s->ns[SHARED] > POOL_LONG_NS;
    const bool may[MODES] = { !several || !is_long, several, teams };
    int best = -1;
    if (always) return teams ? TEAMS : several ? SHARED : ALONE;
    if (s->trying == 0 && now >= s->again) s->trying = MODES, s->began = s->mode_began = now, s->rounds = 0;
    while (s->trying) {
        int m = s->trying - 1;
        if (may[m] && (s->rounds < POOL_TRIES || now - s->mode_began < POOL_TRY_NS) && s->rounds++ < POOL_MOST_TRIES)
            return m;
        s->trying--, s->rounds = 0, s->mode_began = now;
        if (!s->trying) s->again = now + POOL_AGAIN_NS + POOL_SELDOM * (now - s->began);
    }
    for (int m = 0; m < MODES; m++)
        if (may[m] && s->ns[m] > 0 && (best < 0 || s->ns[m] < s->ns[best])) best = m;
    return best;
}
/* Disturbances only make a round slower: less counts at once, more bit by bit. */
static void pool_learn(pool_site *s, int mode, double ns)
{
    if (s->ns[mode] == 0 || ns < s->ns[mode])
        s->ns[mode] = ns;
    else
        s->ns[mode] += (ns - s->ns[mode]) / 16;
}
static void pool_alone(pool *p)
{
    for (int64_t i = 0; i < p->tasks; i++) pool_do(p, i, 0);
}
static void pool_any(pool *p, int64_t tasks, pool_task *task, team_task *shared, void *ctx)
{
    uint64_t mode = flush_denormals();
    bool teams = shared && tasks < p->threads;
    p->tasks = tasks, p->task = task, p->team = shared, p->ctx = ctx;
    if (p->threads == 1 || tasks < 1 || (tasks == 1 && !teams))
        pool_alone(p);
    else {
        pool_site *site = pool_site_of(p, shared ? (void *)shared : (void *)task, ctx, tasks);
        int64_t start = pool_now();
        int way = pool_mode_for(site, teams, p->always, start);
        way == ALONE ? pool_alone(p) : pool_round(p, way);
        pool_learn(site, way, (double)(pool_now() - start));
    }
    restore_denormals(mode);
}
void pool_run(pool *p, int64_t tasks, pool_task *task, void *ctx) { pool_any(p, tasks, task, NULL, ctx); }
void pool_teams(pool *p, int64_t tasks, team_task *task, void *ctx) { pool_any(p, tasks, NULL, task, ctx); }
void pool_always_share(pool *p, bool always) { p->always = always; }

/* ---- making one ---- */
/* A woken worker is likely to be put on the processor of whoever woke it, and then waits behind a caller that polls for
   it, for milliseconds. Where there are enough processors, workers stay off the one where the pool was made. */
static void pool_keep_off(pthread_t worker)
{
    cpu_set_t set[POOL_CPU_SETS];
    int here = sched_getcpu();
    if (here < 0 || sched_getaffinity(0, sizeof set, set)) return;
    CPU_CLR_S((size_t)here, sizeof set, set);
    if (CPU_COUNT_S(sizeof set, set) > 0) pthread_setaffinity_np(worker, sizeof set, set);
}
static int pool_cores(void)
{
    cpu_set_t set[POOL_CPU_SETS];
    memset(set, 0, sizeof set);
    bool known = sched_getaffinity(0, sizeof set, set) == 0;
    int n = known ? CPU_COUNT_S(sizeof set, set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > POOL_MOST ? POOL_MOST : n;
}

static laco_status pool_choose(int *threads, int cores, laco_error *err)
{
    const char *text = getenv("LACO_THREADS");
    double x = 0;
    if (*threads < 0 || *threads > POOL_MOST)
        return fail(err, LACO_EINVAL, -1, "%d threads were asked for; choose 1 to %d, or 0 for all cores", *threads,
                    POOL_MOST);
    if (*threads > 0) return LACO_OK;
    *threads = cores;
    if (!text || !*text) return LACO_OK;
    if (!number_parse(text, &x) || x < 1 || x > POOL_MOST || x != (int)x)
        return fail(err, LACO_EINVAL, -1,
                    "the environment variable LACO_THREADS is \"%.100s\" but must be from 1 to %d", text, POOL_MOST);
    *threads = (int)x;
    return LACO_OK;
}

/* Workers take no signals: handlers of the program run in its own threads. */
static int pool_start(pool_worker *w)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&w->thread, NULL, pool_worker_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

laco_status pool_new(pool **out, int threads, laco_error *err)
{
    *out = NULL;
    int cores = pool_cores();
    laco_status status = pool_choose(&threads, cores, err);
    if (status) return status;
    size_t bytes = sizeof(pool) + (size_t)threads * sizeof(pool_worker);
    pool *p = mem_new(1, bytes);
    if (!p) return fail_memory(err, bytes);
    p->range = mem_new((size_t)threads, sizeof *p->range), p->seat = mem_new((size_t)threads, sizeof *p->seat);
    p->site = mem_new(POOL_SITES, sizeof *p->site);
    if (!p->range || !p->seat || !p->site) {
        mem_free(p->range), mem_free(p->seat), mem_free(p->site), mem_free(p);
        return fail_memory(err, (size_t)threads * sizeof *p->range);
    }
    p->threads = 1;
    p->spin_ns = threads <= cores ? POOL_YIELD_NS : 0;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 1; i < threads; i++) {
        p->worker[i] = (pool_worker){ .pool = p, .id = i };
        int failed = pool_start(&p->worker[i]);
        if (failed) {
            pool_free(p);
            errno = failed;
            return fail(err, LACO_ENOMEM, -1, "thread %d of %d could not be started (%m); use fewer threads", i,
                        threads);
        }
        if (threads <= cores) pool_keep_off(p->worker[i].thread);
        p->threads++;
    }
    *out = p;
    return LACO_OK;
}

int pool_threads(const pool *p) { return p->threads; }

void pool_free(pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, true);
    atomic_fetch_add(&p->round, 2);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->threads; i++) pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    mem_free(p->range), mem_free(p->seat), mem_free(p->site), mem_free(p);
}
