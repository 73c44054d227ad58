#include "check/bench_probe.h"
#include "base/file.h"

enum { ROUNDS = 5, SAMPLES = 64, PEAK_BURSTS = 6, PEAK_CALL = 1024 };
#define SHORTEST_SAMPLE 2e-5 /* seconds: well above the time that reading the clock takes */
#define PEAK_SECONDS 1e-3

typedef struct samples {
    int64_t calls; /* runs per sample */
    int n;
    double time[ROUNDS * SAMPLES], share[ROUNDS * SAMPLES];
} samples;

static bool stopped(const meter *m) { return m->stop && *m->stop; }

double meter_peak(meter *m)
{
    double best = 0, burst = m->seconds / 50 < PEAK_SECONDS ? m->seconds / 50 : PEAK_SECONDS;
    for (int i = 0; i < PEAK_BURSTS; i++) { /* disturbances only make a burst slower */
        double work = 0, start = clock_seconds(), spent = 0;
        for (; spent < burst; spent = clock_seconds() - start) work += m->k->measure->peak(PEAK_CALL, m->sink);
        if (work > best * spent) best = work / spent;
    }
    return best;
}

static double time_of(const probe *p, int64_t calls)
{
    double start = clock_seconds();
    for (int64_t i = 0; i < calls; i++) p->run(p->state);
    return clock_seconds() - start;
}

/* So many runs that a sample is long enough for the clock, and that SAMPLES of them fill a round. */
static int64_t calls_of(const probe *p, double round)
{
    double least = round / SAMPLES > SHORTEST_SAMPLE ? round / SAMPLES : SHORTEST_SAMPLE;
    int64_t calls = 1;
    p->run(p->state); /* touches the memory */
    while (time_of(p, calls) < least && calls < (int64_t)1 << 40) calls *= 2;
    return calls;
}

static void sample_round(const probe *p, samples *s, double peak, double round)
{
    double end = clock_seconds() + round;
    for (int i = 0; i < SAMPLES && (i == 0 || clock_seconds() < end); i++, s->n++) {
        s->time[s->n] = time_of(p, s->calls) / (double)s->calls;
        s->share[s->n] = p->work / s->time[s->n] / peak;
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarize(probe *p, samples *s)
{
    qsort(s->time, (size_t)s->n, sizeof *s->time, by_size);
    qsort(s->share, (size_t)s->n, sizeof *s->share, by_size);
    p->time = s->time[s->n / 2], p->share = s->share[s->n / 2];
    p->quarter[0] = s->time[s->n / 4], p->quarter[1] = s->time[s->n * 3 / 4];
}

laco_status probes_measure(meter *m, probe *p, int n, laco_error *err)
{
    double round = m->seconds / ROUNDS;
    bool stop = false;
    samples *s = mem_new((size_t)n, sizeof *s);
    if (!s) return fail_memory(err, (size_t)n * sizeof *s);
    for (int i = 0; i < n && !(stop = stopped(m)); i++) s[i].calls = calls_of(&p[i], round);
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < n && !(stop |= stopped(m)); i++) sample_round(&p[i], &s[i], meter_peak(m), round);
    for (int i = 0; i < n && !stop; i++) summarize(&p[i], &s[i]);
    mem_free(s);
    return stop ? fail(err, LACO_ESTOPPED, -1, "the measurement was stopped before it had a result") : LACO_OK;
}
