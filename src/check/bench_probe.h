/* Timing. Probes take turns for several rounds, every turn beside the peak of the processor at that moment, and the
   median of all samples counts: a machine that others use, or that changes its clock, disturbs all alike. */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H
#include "base/pool.h"
#include "net/kernels.h"

typedef struct meter {
    const kernels *k;
    double seconds;           /* for each probe */
    const volatile int *stop; /* NULL: never */
    void *sink;               /* a vector */
} meter;
typedef struct probe {
    void (*run)(void *state);
    void *state;
    double work;        /* floating-point operations of one run */
    double time, share; /* medians: seconds of one run; its rate in peaks of one core */
    double quarter[2];  /* a quarter of the samples took less, a quarter more than these seconds */
} probe;
enum { MOST_PROBES = 8 };

/* LACO_ESTOPPED when the meter said so: then nothing is measured. */
laco_status probes_measure(meter *m, probe *p, int n, laco_error *err);
double meter_peak(meter *m); /* floating-point operations a second of one core, now */
#endif
