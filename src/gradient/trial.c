#include "gradient/trial.h"
#include "base/file.h"
#include <math.h>

typedef struct student { /* whose weights change */
    const trial_rules *r;
    const way *way;
    void *own, *state; /* of the way; of the optimizer */
    int row;
    double *partial, *exact, seconds;
    int64_t updates, sequences;
} student;

static void student_free(student *s)
{
    if (s->way->free) s->way->free(s->own);
    mem_free(s->state), mem_free(s->partial), mem_free(s->exact);
}
static laco_status student_new(student *s, laco_error *err)
{
    const net *n = s->r->w->n;
    const optim_ops *ops = n->k->optim;
    while (ops->row(s->row) && strcmp(ops->row(s->row)->name, s->r->optimizer)) s->row++;
    if (!ops->row(s->row)) return fail(err, LACO_EINVAL, -1, "there is no optimizer %s", s->r->optimizer);
    size_t state = (size_t)(n->params * (ops->row(s->row)->slots + 1));
    if (!(s->state = mem_new(state, sizeof(double))) || !(s->exact = mem_new((size_t)n->params, sizeof(double))) ||
        !(s->partial = mem_new((size_t)optim_partials(n->params), sizeof(double))))
        return fail_memory(err, state * sizeof(double));
    return s->way->make ? s->way->make(&s->own, s->r->w, &s->r->set, err) : LACO_OK;
}

/* n->g has a gradient: one step of the optimizer, unless the way has made its own. */
static void update(void *ctx)
{
    student *s = ctx;
    net *n = s->r->w->n;
    const optim_row *o = n->k->optim->row(s->row);
    optim_step step = { .lr = s->r->lr,
                        .momentum = o->momentum,
                        .beta1 = o->beta1,
                        .beta2 = o->beta2,
                        .eps = o->eps,
                        .gradient_scale = 1,
                        .update = ++s->updates };
    if (s->way->updates) return;
    double norm = n->k->optim->norm(n->pool, n->params, n->g, s->partial);
    if (s->r->clip > 0 && norm > s->r->clip) step.gradient_scale = s->r->clip / norm;
    n->k->optim->update(s->row, n->pool, n->params, n->w, n->g, s->state, &step);
    memset(n->g, 0, (size_t)n->params * sizeof(double));
    sweep_load(s->r->w, NULL);
}

static double measure(const trial_rules *r)
{
    double work = r->w->work, size = (double)r->valid->B;
    part all = whole(r->valid);
    double error = sweep_forward(r->w, r->valid, &all, 1 / size, NULL, NULL);
    r->w->work = work;
    return error;
}
static trial_point now(const student *s)
{
    return (trial_point){ .seconds = s->seconds,
                          .work = s->r->w->work,
                          .error = measure(s->r),
                          .updates = s->updates,
                          .sequences = s->sequences };
}

static way_call call_of(const student *s, const sequences *q)
{
    return (way_call){ .w = s->r->w, .set = &s->r->set, .own = s->own, .s = q, .stop = s->r->stop };
}
static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}
/* The first gradient beside the exact one of the same sequences. */
static void compare_first(const student *s, trial *out)
{
    net *n = s->r->w->n;
    double *g = n->g;
    way_call c = call_of(s, s->r->batch(s->r->ctx, 0, s->r->set.batch));
    memset(g, 0, (size_t)n->params * sizeof(double));
    bptt_full(&c);
    memcpy(s->exact, g, (size_t)n->params * sizeof(double));
    memset(g, 0, (size_t)n->params * sizeof(double));
    s->way->run(&c);
    double ab = dot(g, s->exact, n->params), aa = dot(g, g, n->params), bb = dot(s->exact, s->exact, n->params);
    out->angle = aa > 0 && bb > 0 ? acos(fmax(-1, fmin(1, ab / sqrt(aa * bb)))) * 57.29577951308232 : NAN;
    for (int64_t i = 0; i < n->params; i++) g[i] -= s->exact[i];
    out->difference = sqrt(dot(g, g, n->params) / bb);
    if (way_stopped(&c)) out->angle = out->difference = NAN;
    memset(g, 0, (size_t)n->params * sizeof(double));
}

/* Marks are close at the beginning, where the error moves. */
static double mark(const trial_rules *r, int i) { return r->seconds * (double)i * i / TRIAL_POINTS / TRIAL_POINTS; }
static bool over(const student *s)
{
    return s->seconds >= s->r->seconds || (s->r->updates && s->updates >= s->r->updates) || *s->r->stop;
}
static void train(student *s, trial *out)
{
    const trial_rules *r = s->r;
    int next = 1;
    out->point[out->points++] = now(s);
    for (uint64_t turn = 0; !over(s) && isfinite(out->point[out->points - 1].error); turn++) {
        int64_t B = r->set.batch * s->way->batches;
        way_call c = call_of(s, r->batch(r->ctx, s->sequences, B));
        double begin = clock_seconds();
        c.turn = turn, c.ready = update, c.ctx = s;
        s->way->run(&c);
        s->seconds += clock_seconds() - begin, s->sequences += B;
        if (mark(r, next) <= s->seconds) out->point[out->points++] = now(s);
        while (mark(r, next) <= s->seconds) next++;
        if (r->watch) r->watch(r->ctx, fmin(1, s->seconds / r->seconds), out->point[out->points - 1].error);
    }
    if (out->point[out->points - 1].updates < s->updates) out->point[out->points++] = now(s);
}

laco_status trial_run(trial *out, const way *v, const trial_rules *r, laco_error *err)
{
    net *n = r->w->n;
    student s = { .r = r, .way = v };
    *out = (trial){ .way = v };
    memcpy(n->w, r->start, (size_t)n->params * sizeof(double));
    laco_status st = student_new(&s, err);
    if (!st) st = sweep_load(r->w, err);
    if (!st) {
        compare_first(&s, out);
        r->w->work = 0;
        train(&s, out);
    }
    student_free(&s);
    return st;
}

double trial_error_at(const trial *t, double at, bool time)
{
    double error = NAN, x = 0;
    for (int i = 0; i < t->points; i++) {
        x = time ? t->point[i].seconds : t->point[i].work;
        if (x > at * 1.02) return error;
        error = t->point[i].error;
    }
    return x < at * 0.98 ? NAN : error;
}
