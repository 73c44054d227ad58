/* `laco bench`: what the library reaches of what the processor can do, with a bar for every figure that should not fall
   below it. All in one run, against the peak measured in the same run. */
#ifndef BENCH_H
#define BENCH_H
#include "base/base.h"
/* what: all, peak, gemm, train, cells, stream. seconds: for each measurement. threads: beside one thread, so many; 0:
   two where there are two cores. Writes Markdown table by table, or one JSON object at the end. Looks at *stop (NULL:
   never) between measurements: the tables finished by then are kept; LACO_ESTOPPED when there is none. */
laco_status bench_run(const char *what, double seconds, int threads, bool as_json,
                      void (*out)(void *ctx, const char *bytes, size_t n), void *ctx, const volatile int *stop,
                      laco_error *err);
#endif
