/* Equations and sources, a function each. x' stands for dx/dt.

   mackey-glass   x' = 0.2 x(t-tau) / (1 + x(t-tau)^10) - 0.1 x      Mackey & Glass 1977; Runge-Kutta, 10 steps a unit
   narma          y(t+1) = a y + b y sum_{i<n} y(t-i) + 1.5 u(t-n+1) u(t) + c, u in [0, 0.5]      Atiya & Parlos 2000
                  n = 10: a .3, b .05, c .1;  n = 20: tanh of it with c .01, and .2 added;  n = 30: a .2, b .04, c .001
   lorenz         x' = 10 (y - x)   y' = x (28 - z) - y   z' = x y - 8/3 z      Lorenz 1963; steps of 0.02
   rossler        x' = -y - z   y' = x + 0.2 y   z' = 0.2 + z (x - 5.7)      Roessler 1976; steps of 0.1
   henon          x(t+1) = 1 - 1.4 x^2 + y   y(t+1) = 0.3 x      Henon 1976
   logistic       x(t+1) = r x (1 - x)      May 1976
   sine           a sine whose steps a period follow the input, 16 at 0 to 4 at 1      Jaeger 2007
   multiple-sines sum of sin(w t), w = 0.2, 0.311, 0.42, 0.51, 0.63, 0.74, 0.85, 0.97      Jaeger & Haas 2004
   memory         u in [-1, 1]; what it was 1 .. 10 steps before      Jaeger 2002 */
#include "data/dynamics.h"
#include "base/rng.h"
#include <math.h>

enum { TRANSIENT = 1000, MEMORY = 10, MOST_ORDER = 30 };
static const dynamics_row rows[] = {
    { "mackey-glass", "a delay equation, chaotic from a delay of 17 on (Mackey & Glass 1977)", "x", 0, 1, 17, "delay" },
    { "narma", "a nonlinear moving average of random inputs (Atiya & Parlos 2000)", "u y", 1, 1, 10, "order" },
    { "lorenz", "the weather in three numbers (Lorenz 1963)", "x y z", 0, 3, NAN, NULL },
    { "rossler", "a folded band (Roessler 1976)", "x y z", 0, 3, NAN, NULL },
    { "henon", "a map of the plane (Henon 1976)", "x y", 0, 2, NAN, NULL },
    { "logistic", "x = r x (1 - x) (May 1976)", "x", 0, 1, 3.9, "r" },
    { "sine", "a sine whose frequency follows the input (Jaeger 2007)", "level y", 1, 1, NAN, NULL },
    { "multiple-sines", "a sum of sines that never repeats (Jaeger & Haas 2004)", "x", 0, 1, 2, "sines" },
    { "memory", "random inputs, and what they were 1 to 10 steps before (Jaeger 2002)", "u y1 y2 y3 y4 y5 y6 y7 y8 y9 y10", 1, MEMORY, NAN,
      NULL },
    { .name = NULL },
};
const dynamics_row *dynamics_rows(void) { return rows; }
const dynamics_row *dynamics_find(const char *name)
{
    for (const dynamics_row *r = rows; r->name; r++)
        if (!strcmp(r->name, name)) return r;
    return NULL;
}
static double uniform(uint64_t seed, int64_t i) { return rng_uniform(seed, RNG_DYNAMICS, (uint64_t)i); }

static double delayed(double x, double past) { return 0.2 * past / (1 + pow(past, 10)) - 0.1 * x; }
static laco_status mackey_glass(double tau, uint64_t seed, int64_t steps, double *to, laco_error *err)
{
    enum { FINE = 10 };
    const double h = 1.0 / FINE;
    const int64_t lag = (int64_t)floor(tau * FINE + 0.5), n = (TRANSIENT + steps) * FINE;
    double *x = mem_new((size_t)(n + lag + 1), sizeof *x);
    if (!x) return fail_memory(err, (size_t)(n + lag) * sizeof *x);
    for (int64_t i = 0; i <= lag; i++) x[i] = 1.2 + 0.2 * (uniform(seed, i) - 0.5);
    for (int64_t i = lag; i < n + lag; i++) {
        const double a = x[i - lag], b = x[i - lag + 1], middle = (a + b) / 2, k1 = delayed(x[i], a),
                     k2 = delayed(x[i] + h / 2 * k1, middle), k3 = delayed(x[i] + h / 2 * k2, middle), k4 = delayed(x[i] + h * k3, b);
        x[i + 1] = x[i] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
    }
    for (int64_t t = 0; t < steps; t++) to[t] = x[lag + (TRANSIENT + t) * FINE];
    mem_free(x);
    return LACO_OK;
}
/* to: u(t), y(t+1). False: it grew out of bounds. */
static bool narma(int64_t n, uint64_t seed, int64_t steps, double *to)
{
    const double a = n == 30 ? 0.2 : 0.3, b = n == 30 ? 0.04 : 0.05, c = n == 10 ? 0.1 : n == 20 ? 0.01 : 0.001;
    double y[MOST_ORDER] = { 0 }, u[MOST_ORDER] = { 0 }; /* newest first */
    for (int64_t t = -200; t < steps; t++) {
        double sum = 0;
        memmove(u + 1, u, (MOST_ORDER - 1) * sizeof *u), u[0] = 0.5 * uniform(seed, t + 200);
        for (int64_t i = 0; i < n; i++) sum += y[i];
        double next = a * y[0] + b * y[0] * sum + 1.5 * u[n - 1] * u[0] + c;
        if (n == 20) next = tanh(next) + 0.2;
        if (!(fabs(next) < 2)) return false;
        memmove(y + 1, y, (MOST_ORDER - 1) * sizeof *y), y[0] = next;
        if (t >= 0) to[2 * t] = u[0], to[2 * t + 1] = next;
    }
    return true;
}
static laco_status narma_of(double order, uint64_t seed, int64_t steps, double *to, laco_error *err)
{
    if (order != 10 && order != 20 && order != 30) return fail(err, LACO_EINVAL, -1, "narma: the order is 10, 20 or 30, not %g", order);
    for (int tries = 0; tries < 1000; tries++)
        if (narma((int64_t)order, seed + ((uint64_t)tries << 32), steps, to)) return LACO_OK;
    return fail(err, LACO_ENUMERIC, -1, "narma: no series of %lld steps stays bounded; make a shorter one", (long long)steps);
}
static void lorenz(const double *x, double *d)
{
    d[0] = 10 * (x[1] - x[0]), d[1] = x[0] * (28 - x[2]) - x[1], d[2] = x[0] * x[1] - 8.0 / 3 * x[2];
}
static void rossler(const double *x, double *d)
{
    d[0] = -x[1] - x[2], d[1] = x[0] + 0.2 * x[1], d[2] = 0.2 + x[2] * (x[0] - 5.7);
}
/* Runge-Kutta with steps of h / 4. */
static void flow(void (*f)(const double *, double *), double h, uint64_t seed, int64_t steps, double *to)
{
    double x[3], k[4][3], y[3];
    const double part = h / 4;
    for (int i = 0; i < 3; i++) x[i] = 1 + uniform(seed, i);
    for (int64_t t = -TRANSIENT; t < steps; t++) {
        for (int fine = 0; fine < 4; fine++) {
            for (int stage = 0; stage < 4; stage++) {
                const double by = stage == 3 ? part : part / 2;
                for (int i = 0; i < 3; i++) y[i] = x[i] + (stage ? by * k[stage - 1][i] : 0);
                f(y, k[stage]);
            }
            for (int i = 0; i < 3; i++) x[i] += part / 6 * (k[0][i] + 2 * k[1][i] + 2 * k[2][i] + k[3][i]);
        }
        if (t >= 0) memcpy(to + 3 * t, x, sizeof x);
    }
}
static void henon(uint64_t seed, int64_t steps, double *to)
{
    double x = 0.2 * uniform(seed, 0), y = 0.2 * uniform(seed, 1);
    for (int64_t t = -TRANSIENT; t < steps; t++) {
        const double next = 1 - 1.4 * x * x + y;
        y = 0.3 * x, x = next;
        if (t >= 0) to[2 * t] = x, to[2 * t + 1] = y;
    }
}
static void logistic(double r, uint64_t seed, int64_t steps, double *to)
{
    double x = 0.1 + 0.8 * uniform(seed, 0);
    for (int64_t t = -TRANSIENT; t < steps; t++) {
        x = r * x * (1 - x);
        if (t >= 0) to[t] = x;
    }
}
static void sine(uint64_t seed, int64_t steps, double *to)
{
    double phase = 0, level = 0;
    int64_t left = 0;
    for (int64_t t = 0, drawn = 0; t < steps; t++, left--) {
        if (left <= 0) level = uniform(seed, drawn), left = 50 + (int64_t)(150 * uniform(seed, drawn + 1)), drawn += 2;
        phase += 2 * M_PI * (1.0 / 16 + level * (1.0 / 4 - 1.0 / 16));
        to[2 * t] = level, to[2 * t + 1] = sin(phase);
    }
}
static void sines(int64_t n, uint64_t seed, int64_t steps, double *to)
{
    static const double w[] = { 0.2, 0.311, 0.42, 0.51, 0.63, 0.74, 0.85, 0.97 };
    for (int64_t t = 0; t < steps; t++) {
        to[t] = 0;
        for (int64_t i = 0; i < n; i++) to[t] += sin(w[i] * (double)(t + (int64_t)(1000 * uniform(seed, 0))));
    }
}
static void memory(uint64_t seed, int64_t steps, double *to)
{
    for (int64_t t = 0; t < steps; t++)
        for (int64_t k = 0; k <= MEMORY; k++) to[t * (MEMORY + 1) + k] = 2 * uniform(seed, t - k + MEMORY) - 1;
}
laco_status dynamics_make(const dynamics_row *r, double parameter, uint64_t seed, int64_t steps, double *to, laco_error *err)
{
    if (!strcmp(r->name, "mackey-glass")) {
        if (parameter >= 1 && parameter <= 1000) return mackey_glass(parameter, seed, steps, to, err);
        return fail(err, LACO_EINVAL, -1, "mackey-glass: the delay is from 1 to 1000, not %g", parameter);
    }
    if (!strcmp(r->name, "narma")) return narma_of(parameter, seed, steps, to, err);
    if (!strcmp(r->name, "logistic") && !(parameter >= 0 && parameter <= 4))
        return fail(err, LACO_EINVAL, -1, "logistic: r is from 0 to 4, not %g", parameter);
    if (!strcmp(r->name, "multiple-sines") && !(parameter >= 1 && parameter <= 8 && floor(parameter) == parameter))
        return fail(err, LACO_EINVAL, -1, "multiple-sines: 1 to 8 sines are possible, not %g", parameter);
    if (!strcmp(r->name, "lorenz")) flow(lorenz, 0.02, seed, steps, to);
    if (!strcmp(r->name, "rossler")) flow(rossler, 0.1, seed, steps, to);
    if (!strcmp(r->name, "henon")) henon(seed, steps, to);
    if (!strcmp(r->name, "logistic")) logistic(parameter, seed, steps, to);
    if (!strcmp(r->name, "sine")) sine(seed, steps, to);
    if (!strcmp(r->name, "multiple-sines")) sines((int64_t)parameter, seed, steps, to);
    if (!strcmp(r->name, "memory")) memory(seed, steps, to);
    return LACO_OK;
}
