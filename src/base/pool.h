/* Persistent threads. A round hands out its tasks by a counter; a task's result must not depend on who runs it.
   Workers spin for a short while (with a yield where cores are short), then sleep. Denormals are flushed to zero
   inside the workers, and inside the calling thread during a round; its mode is restored afterwards. */
#ifndef POOL_H
#define POOL_H
#include "base.h"
typedef struct pool pool;
typedef void pool_task(void *ctx, int64_t task, int thread);
laco_status pool_new(pool **out, int threads, laco_error *err);   /* threads 0: LACO_THREADS, else the cores usable */
int pool_threads(const pool *p);
void pool_run(pool *p, int64_t tasks, pool_task *task, void *ctx);   /* returns when all are done; not reentrant */
void pool_free(pool *p);
#endif
