/* What the peers in C and C++ share: the row that they are asked for, timing, peak memory, the answer.

   PROGRAM ROW SECONDS THREADS    prints {"us":…,"spread_percent":…,"memory_bytes":…} or {"absent":"why"} */
#ifndef PEER_H
#define PEER_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct peer_row {
    char kind[16], cell[16]; /* train, infer, stream; lstm, gru, elman */
    long I, H, B, T;
    int gates;
} peer_row;
/* Makes ready what run does, and returns its state; NULL: it does no such row. */
typedef void *peer_prepare(const peer_row *row);
typedef void peer_run(void *state);

static double peer_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static double peer_status(const char *what) /* bytes, of /proc/self/status */
{
    char line[256];
    double kilobytes = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, what, strlen(what))) kilobytes = strtod(line + strlen(what), NULL);
    if (f) fclose(f);
    return kilobytes * 1024;
}
static float *peer_numbers(long n) /* in +-0.1 */
{
    float *a = (float *)malloc((size_t)n * sizeof *a);
    unsigned x = 1;
    if (!a) exit(1);
    for (long i = 0; i < n; i++) x = x * 1664525u + 1013904223u, a[i] = (float)x / 4294967296.0f * 0.2f - 0.1f;
    return a;
}
static int peer_parse(peer_row *r, const char *text)
{
    memset(r, 0, sizeof *r);
    if (sscanf(text, "%15s %15s %ld,%ld,%ld,%ld", r->kind, r->cell, &r->I, &r->H, &r->B, &r->T) == 3)
        r->H = r->I, r->B = r->T = 1;
    r->gates = !strcmp(r->cell, "lstm") ? 4 : !strcmp(r->cell, "gru") ? 3 : !strcmp(r->cell, "elman") ? 1 : 0;
    return r->gates && r->I > 0 && r->H > 0 && r->B > 0 && r->T > 0;
}
static int peer_by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static void peer_measure(peer_run *run, void *state, double seconds, double memory)
{
    enum { SAMPLES = 256 };
    double sample[SAMPLES], end;
    long calls = 1;
    int n = 0;
    for (double spent = 0; spent < 1e-4 && spent < seconds; calls *= 2) { /* warms up, too */
        double start = peer_now();
        for (long i = 0; i < calls; i++) run(state);
        spent = peer_now() - start;
    }
    calls = calls > 2 ? calls / 2 : 1;
    for (end = peer_now() + seconds; n < SAMPLES && (!n || peer_now() < end); n++) {
        double start = peer_now();
        for (long i = 0; i < calls; i++) run(state);
        sample[n] = (peer_now() - start) / (double)calls;
    }
    qsort(sample, (size_t)n, sizeof *sample, peer_by_size);
    printf("{\"us\":%.6g,\"spread_percent\":%.3g,\"memory_bytes\":%.0f}\n", sample[n / 2] * 1e6,
           50 * (sample[n * 3 / 4] - sample[n / 4]) / sample[n / 2], peer_status("VmHWM:") - memory);
}
static int peer_main(int argc, char **argv, peer_prepare *prepare, peer_run *run)
{
    peer_row r;
    if (argc != 4) return fprintf(stderr, "usage: %s ROW SECONDS THREADS\n", argv[0]), 2;
    double memory = peer_status("VmRSS:");
    void *state = peer_parse(&r, argv[1]) ? prepare(&r) : NULL;
    if (state)
        peer_measure(run, state, strtod(argv[2], NULL), memory);
    else
        puts("{\"absent\":\"no such row\"}");
    return 0;
}
#endif
