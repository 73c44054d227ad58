/* Does this build compute what it should? Golden cases of a folder, or gradients against differences without one. */
#ifndef SELFTEST_H
#define SELFTEST_H
#include "base/base.h"
/* Every *.safetensors of golden_dir by name, in double and in float; golden_dir NULL: the gradients of every cell and
   every word of it, in double. line gets one line per failure and per skipped file (NULL: nobody listens). counts:
   passed, failed, skipped; a case counts once for each precision. The status is an error only when the test itself
   could not be done: failures are in counts. Ends with LACO_ESTOPPED soon after *stop (may be NULL) is set. */
laco_status selftest_run(const char *golden_dir, int threads, void (*line)(void *ctx, const char *text), void *ctx,
                         const volatile int *stop, int counts[3], laco_error *err);
#endif
