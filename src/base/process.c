#include "process.h"
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

typedef struct result {
    laco_status st;
    laco_error err;
} result;
struct processes {
    int n;
    pid_t *id;      /* 0: it has ended */
    result *shared; /* [n] written by the copies */
};

static size_t shared_bytes(const processes *p) { return (size_t)p->n * sizeof *p->shared; }

/* What a copy does instead of returning. A copy that is killed leaves what was there before: a failure. */
static _Noreturn void work_and_end(processes *p, int k, pid_t parent, process_work *work, void *ctx)
{
    setpgid(0, 0); /* the terminal's interrupt reaches this process alone, which passes it on */
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
#endif
    (void)parent;
    p->shared[k].st = work(ctx, k, &p->shared[k].err);
    _exit(0);
}
laco_status processes_start(processes **out, int n, process_work *work, void *ctx, laco_error *err)
{
    pid_t parent = getpid();
    processes *p = mem_new(1, sizeof *p);
    *out = NULL;
    if (!p) return fail_memory(err, sizeof *p);
    p->n = n, p->id = mem_new((size_t)n, sizeof *p->id);
    p->shared = mmap(NULL, shared_bytes(p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p->shared == MAP_FAILED) p->shared = NULL;
    if (!p->id || !p->shared) return processes_free(p), fail_memory(err, (size_t)n * sizeof *p->shared);
    for (int k = 0; k < n; k++) {
        fail(&p->shared[k].err, LACO_EIO, -1, "process %d of %d was killed", k + 1, n);
        p->shared[k].st = LACO_EIO;
        p->id[k] = fork();
        if (p->id[k] == 0) work_and_end(p, k, parent, work, ctx);
        if (p->id[k] > 0) continue;
        p->id[k] = 0;
        p->shared[k].st = fail(&p->shared[k].err, LACO_EIO, -1, "process %d of %d cannot be started: %m", k + 1, n);
    }
    *out = p;
    return LACO_OK;
}
int processes_running(processes *p)
{
    int running = 0;
    for (int k = 0; k < p->n; k++) {
        pid_t ended = p->id[k] ? waitpid(p->id[k], NULL, WNOHANG) : 0;
        if (ended == p->id[k] || (ended < 0 && errno == ECHILD)) p->id[k] = 0;
        running += p->id[k] != 0;
    }
    return running;
}
void processes_stop(processes *p)
{
    for (int k = 0; k < p->n; k++)
        if (p->id[k]) kill(p->id[k], SIGTERM);
}
laco_status processes_result(const processes *p, laco_error *err)
{
    for (int k = 0; k < p->n; k++)
        if (p->shared[k].st) return fail(err, p->shared[k].st, p->shared[k].err.at, "%s", p->shared[k].err.msg);
    return LACO_OK;
}
void processes_free(processes *p)
{
    if (!p) return;
    if (p->shared) munmap(p->shared, shared_bytes(p));
    mem_free(p->id), mem_free(p);
}
void process_sleep(double seconds)
{
    struct timespec t = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&t, NULL);
}
