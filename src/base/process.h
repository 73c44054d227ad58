/* Copies of the process that work side by side (fork). Only for a process of one thread: a copy has the calling thread
   alone. */
#ifndef PROCESS_H
#define PROCESS_H
#include "base.h"
typedef laco_status process_work(void *ctx, int k, laco_error *err);
typedef struct processes processes;
/* n copies, each of which calls work(ctx, k, …) and ends. They end too when this process does. */
laco_status processes_start(processes **out, int n, process_work *work, void *ctx, laco_error *err);
int processes_running(processes *p);                               /* how many there still are */
void processes_stop(processes *p);                                 /* asks them to (SIGTERM) */
laco_status processes_result(const processes *p, laco_error *err); /* of the first that failed, when all have ended */
void processes_free(processes *p);                                 /* after they have ended */
void process_sleep(double seconds);
#endif
