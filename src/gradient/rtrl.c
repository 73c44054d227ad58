/* Real-time recurrent learning (Williams & Zipser 1989): the exact gradient forwards in time, at the price of memory
   for the derivative of every state by every weight.

       s(t) = f(s(t-1), x(t), w)        P(t) = ds(t)/dw = A P(t-1) + D
       dL/dw += q P(t-1) + d            A = df/ds, D = df/dw, q = dL(t)/ds(t-1), d = dL(t)/dw at fixed s(t-1)

   s are the states of all layers, S numbers; w are N. Every row of (A, D) is the layers' own way back over one step
   from a unit vector, and (q, d) the same from the loss of the step: any cell and any stack will do. A step costs S^2 N
   multiply-adds beside S + 1 times forward and back; memory is 2 S N numbers. */
#include "gradient/way.h"

enum { RTRL_LIMIT = 1 << 25 }; /* numbers of P: 256 MiB, and as much for the next */

typedef struct rtrl {
    double *P, *next, *state[2], *q, *unit; /* [S][N] twice; vectors [S] */
    double *A;                              /* [S][S] */
} rtrl;

void rtrl_free(void *own)
{
    rtrl *r = own;
    if (!r) return;
    double *all[] = { r->P, r->next, r->state[0], r->state[1], r->q, r->unit, r->A };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    mem_free(r);
}
laco_status rtrl_make(void **own, sweep *w, const way_settings *s, laco_error *err)
{
    int64_t S = w->states, N = w->n->params;
    (void)s;
    if (!net_steps(w->n))
        return fail(err, LACO_EINVAL, -1,
                    "real-time recurrent learning goes forwards in time: leave bidirectional and reverse out");
    for (int i = 1; i < w->n->d.layers; i++)
        if (w->n->d.layer[i].steps > 0)
            return fail(err, LACO_EINVAL, -1,
                        "real-time recurrent learning cannot see through the past of a window: put it first");
    if (S > 0 && N > RTRL_LIMIT / S)
        return fail(err, LACO_EINVAL, -1,
                    "real-time recurrent learning keeps %lld x %lld numbers, states by weights, at most %d: take fewer "
                    "units",
                    (long long)S, (long long)N, RTRL_LIMIT);
    rtrl *r = mem_new(1, sizeof *r);
    if (!r) return fail_memory(err, sizeof *r);
    bool ok = (r->P = mem_new((size_t)(S * N), sizeof(double))) && (r->next = mem_new((size_t)(S * N), sizeof(double)));
    double **vector[] = { &r->state[0], &r->state[1], &r->q, &r->unit };
    for (int i = 0; i < 4; i++) ok &= (*vector[i] = mem_new((size_t)S, sizeof(double))) != NULL;
    ok &= (r->A = mem_new((size_t)(S * S), sizeof(double))) != NULL;
    if (!ok) return rtrl_free(r), fail_memory(err, (size_t)(2 * S * N) * sizeof(double));
    *own = r;
    return LACO_OK;
}

/* to [N] += x [S] P */
static void add_product(double *to, const double *x, const double *P, int64_t S, int64_t N)
{
    for (int64_t k = 0; k < S; k++)
        for (int64_t i = 0; i < N; i++) to[i] += x[k] * P[k * N + i];
}

/* The derivatives of one step from `before`: next = A P + D. */
static void derivatives(const way_call *c, rtrl *r, const part *p, const double *before, double *after)
{
    net *n = c->w->n;
    const int64_t S = c->w->states, N = n->params;
    double *g = n->g;
    memset(r->next, 0, (size_t)(S * N) * sizeof(double));
    for (int64_t j = 0; j < S; j++) {
        r->unit[j] = 1, n->g = r->next + j * N;
        sweep_forward(c->w, c->s, p, 0, before, after);
        sweep_backward(c->w, false, r->unit, r->A + j * S);
        r->unit[j] = 0;
    }
    n->g = g;
    for (int64_t j = 0; j < S && before; j++) add_product(r->next + j * N, r->A + j * S, r->P, S, N);
    if (before) c->w->work += (double)S * (double)S * (double)N;
}

static void one_sequence(const way_call *c, rtrl *r, int64_t b)
{
    const int64_t S = c->w->states, N = c->w->n->params;
    const double *before = NULL;
    for (int64_t t = 0; t < c->s->T && !way_stopped(c); t++) {
        part p = { .row = b, .rows = 1, .step = t, .steps = 1 };
        double *after = r->state[t % 2];
        if (sweep_counts(c->w->n, c->s, &p)) {
            sweep_forward(c->w, c->s, &p, 1 / (double)c->s->B, before, NULL);
            sweep_backward(c->w, true, NULL, r->q);
            if (before) add_product(c->w->n->g, r->q, r->P, S, N), c->w->work += (double)S * (double)N;
        }
        if (t + 1 == c->s->T) break;
        derivatives(c, r, &p, before, after);
        double *P = r->P;
        r->P = r->next, r->next = P, before = after;
    }
}
/* The gradient of the whole batch, as full BPTT has it. */
void rtrl_run(const way_call *c)
{
    for (int64_t b = 0; b < c->s->B; b++) one_sequence(c, c->own, b);
    way_ready(c);
}
