/* How fast one core reads: the bandwidth of the level of memory that holds so many bytes. */
#ifndef BENCH_READ_H
#define BENCH_READ_H
#include "base/base.h"
/* Bytes a second, the best of many bursts that take about `seconds` together, or a little; 0 when there is no memory.
 */
double read_bandwidth(const char *isa, size_t bytes, double seconds);
#endif
