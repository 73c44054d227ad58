/* The way of newton.h: gradient, conjugate gradients, going back along them, damping, line search.

   Conjugate gradients begin at a part of the last step, end when q has hardly fallen over the last tenth of the
   iterations (Martens 2010), and leave points on their way, at iterations that grow by a factor; the loss itself says
   which of them is taken. Then the step is shortened until the loss falls enough (Armijo). */
#include "gradient/newton.h"

enum { POINTS = 32, LINE_SEARCH = 40, LEAST_ITERATIONS = 10 };
static const double decay = 0.95, progress = 5e-4, spacing = 1.3, enough = 1e-2, shorten = 0.8;

typedef struct newton {
    curvature c;
    double lambda, *rest; /* rest: all vectors */
    double *w, *g, *step, *x, *r, *p, *Ap, *point[POINTS], *fall;
    double q[POINTS]; /* at the points */
    int points;
} newton;

void newton_free(void *own)
{
    newton *h = own;
    if (h) curvature_free(&h->c), mem_free(h->rest), mem_free(h->fall);
    mem_free(h);
}
laco_status newton_make(void **own, sweep *w, const way_settings *s, laco_error *err)
{
    const int64_t N = w->n->params;
    newton *h = mem_new(1, sizeof *h);
    if (!h) return fail_memory(err, sizeof *h);
    h->lambda = s->damping;
    laco_status st = curvature_new(&h->c, w, w->cap_rows, err);
    double **all[] = { &h->w, &h->g, &h->step, &h->x, &h->r, &h->p, &h->Ap };
    enum { VECTORS = sizeof all / sizeof *all };
    if (!st && (!(h->rest = mem_new((size_t)((VECTORS + POINTS) * N), sizeof(double))) ||
                !(h->fall = mem_new((size_t)s->cg + 1, sizeof(double)))))
        st = fail_memory(err, (size_t)((VECTORS + POINTS) * N) * sizeof(double));
    if (st) return newton_free(h), st;
    for (int i = 0; i < VECTORS; i++) *all[i] = h->rest + i * N;
    for (int i = 0; i < POINTS; i++) h->point[i] = h->rest + (VECTORS + i) * N;
    *own = h;
    return LACO_OK;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}
/* A v, with the damping */
static void damped(newton *h, const double *v, double *to, int64_t N)
{
    curvature_product(&h->c, v, to);
    for (int64_t i = 0; i < N; i++) to[i] += h->lambda * v[i];
}
static void keep_point(newton *h, double q, int64_t N)
{
    if (h->points == POINTS) return;
    memcpy(h->point[h->points], h->x, (size_t)N * sizeof(double));
    h->q[h->points++] = q;
}

/* Minimises q from x; r = A x + g, q = x (r + g) / 2. */
static void conjugate_gradients(const way_call *c, newton *h, int64_t N)
{
    double next = LEAST_ITERATIONS / 2;
    h->points = 0;
    damped(h, h->x, h->Ap, N);
    for (int64_t i = 0; i < N; i++) h->r[i] = h->Ap[i] + h->g[i], h->p[i] = -h->r[i];
    double rr = dot(h->r, h->r, N), q = (dot(h->x, h->r, N) + dot(h->x, h->g, N)) / 2;
    h->fall[0] = q;
    for (int64_t k = 1; k <= c->set->cg && rr > 0 && !way_stopped(c); k++) {
        damped(h, h->p, h->Ap, N);
        double curve = dot(h->p, h->Ap, N), a = rr / curve, before = rr;
        if (!(curve > 0)) break;
        for (int64_t i = 0; i < N; i++) h->x[i] += a * h->p[i], h->r[i] += a * h->Ap[i];
        rr = dot(h->r, h->r, N), h->fall[k] = q = (dot(h->x, h->r, N) + dot(h->x, h->g, N)) / 2;
        for (int64_t i = 0; i < N; i++) h->p[i] = rr / before * h->p[i] - h->r[i];
        if ((double)k >= next) keep_point(h, q, N), next = (double)k * spacing;
        int64_t back = k / 10 > LEAST_ITERATIONS ? k / 10 : LEAST_ITERATIONS;
        if (k > back && q < 0 && (q - h->fall[k - back]) / q < (double)back * progress) break;
    }
    keep_point(h, q, N);
}

/* The loss at w + a p. */
static double loss_at(const way_call *c, newton *h, const double *p, double a)
{
    part all = whole(c->s);
    net *n = c->w->n;
    for (int64_t i = 0; i < n->params; i++) ((double *)n->w)[i] = h->w[i] + a * p[i];
    sweep_load(c->w, NULL);
    return sweep_forward(c->w, c->s, &all, 1 / (double)c->s->B, NULL, NULL);
}
/* The last point before the loss rises again, going back; *loss is what it is there. */
static int best_point(const way_call *c, newton *h, double *loss)
{
    int k = h->points - 1;
    *loss = loss_at(c, h, h->point[k], 1);
    for (; k > 0; k--) {
        double earlier = loss_at(c, h, h->point[k - 1], 1);
        if (*loss <= earlier) break;
        *loss = earlier;
    }
    return k;
}

void newton_run(const way_call *c)
{
    newton *h = c->own;
    net *n = c->w->n;
    const int64_t N = n->params;
    const size_t bytes = (size_t)N * sizeof(double);
    part all = whole(c->s);
    h->c.s = c->s, h->c.scale = 1 / (double)c->s->B, h->c.structural = h->lambda * c->set->structural;
    memcpy(h->w, n->w, bytes);
    double before = sweep_forward(c->w, c->s, &all, h->c.scale, NULL, NULL), loss;
    sweep_backward(c->w, true, NULL, NULL);
    memcpy(h->g, n->g, bytes);
    for (int64_t i = 0; i < N; i++) h->x[i] = decay * h->step[i];
    conjugate_gradients(c, h, N);
    int k = best_point(c, h, &loss);
    const double *p = h->point[k], slope = dot(h->g, p, N), ratio = h->q[k] < 0 ? (loss - before) / h->q[k] : 0;
    if (!c->ready) { /* only looked at */
        for (int64_t i = 0; i < N; i++) ((double *)n->g)[i] = -p[i];
        memcpy(n->w, h->w, bytes), sweep_load(c->w, NULL);
        return;
    }
    if (ratio > 0.75) h->lambda *= 2.0 / 3;
    if (!(ratio > 0.25)) h->lambda *= 1.5;
    double a = 1;
    for (int i = 0; i < LINE_SEARCH && !(loss <= before + enough * a * fmin(slope, 0)); i++)
        a *= shorten, loss = loss_at(c, h, p, a);
    if (!(loss <= before)) a = 0; /* no step at all is better */
    for (int64_t i = 0; i < N; i++) h->step[i] = a > 0 ? p[i] : 0;
    loss_at(c, h, p, a);
    memset(n->g, 0, bytes);
    way_ready(c);
}
