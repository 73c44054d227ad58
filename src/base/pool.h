/* Persistent threads. A task's result must not depend on who runs it. Thread k of n begins with the k-th n-th of the
   tasks, so that equal rounds find their data in the cache of the same core, and then helps the others. Workers spin
   for a short while (with a yield where cores are short), then sleep. Denormals are flushed to zero inside the workers,
   and inside the calling thread during a round; its mode is restored afterwards.

   Whether a round pays for waking threads is measured, not guessed: the pool remembers what the rounds of a place in
   the program took, and runs those that are over sooner on the calling thread alone. */
#ifndef POOL_H
#define POOL_H
#include "base.h"
typedef struct pool pool;
typedef void pool_task(void *ctx, int64_t task, int thread);
laco_status pool_new(pool **out, int threads, laco_error *err); /* threads 0: LACO_THREADS, else the cores usable */
int pool_threads(const pool *p);
void pool_run(pool *p, int64_t tasks, pool_task *task, void *ctx); /* returns when all are done; not reentrant */
void pool_free(pool *p);

/* ---- teams ---- tasks that several threads share, step by step. With more threads than tasks the threads divide
   among them; each member calls `task` once, takes its share of every step, and meets the others between steps. With
   fewer, every task has a team of one. How many come together depends on the moment: results must not. */
typedef struct team {
    int member, members;
    unsigned turn;          /* meetings so far */
    struct pool_seat *seat; /* of member i at i * stride */
    int stride;
} team;
typedef void team_task(void *ctx, int64_t task, team *t, int thread);
void pool_teams(pool *p, int64_t tasks, team_task *task, void *ctx);
void team_meet(team *t); /* returns when every member has called it; what they wrote before is seen by all */
/* This member's part [*from, *to) of n things, the same for every step. */
static inline void team_share(const team *t, int64_t n, int64_t *from, int64_t *to)
{
    *from = 0, *to = n;
    if (t->members > 1) *from = t->member * n / t->members, *to = (t->member + 1) * n / t->members;
}

/* Denormals to zero in the calling thread, and as they were. */
uint64_t flush_denormals(void);
void restore_denormals(uint64_t mode);
/* For tests: rounds are shared whatever they take. */
void pool_always_share(pool *p, bool always);
#endif
