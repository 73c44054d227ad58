#include "check/bench_work.h"
#include "base/rng.h"
#include <math.h>

enum { LINE = 64 / sizeof(float), SLACK = 256, NOISE = 4099 };

/* Row stride of the library's arrays: an odd number of cache lines. */
static int64_t stride_of(int64_t n) { return (ceil_div(n, LINE) | 1) * LINE; }

/* n numbers in +-scale; NULL when there is no memory. A short sequence repeated: speed does not depend on the values.
 */
static void *noise(int64_t n, double scale)
{
    float *a = mem_new((size_t)(n + SLACK), sizeof *a);
    for (int64_t i = 0; a && i < n; i++)
        a[i] = i < NOISE ? (float)(scale * (2 * rng_uniform(1, RNG_TEST, (uint64_t)i) - 1)) : a[i - NOISE];
    return a;
}

/* ---- products ---- */
void product_free(product *p)
{
    if (!p) return;
    mem_free(p->a), mem_free(p->b), mem_free(p->c), mem_free(p->scratch), mem_free(p);
}

static bool product_take(product *p)
{
    const measure_ops *o = p->ops;
    int64_t packed = o->packed_size(p->n, p->K);
    p->a = noise((p->across ? p->K : p->m) * p->lda, 1), p->c = noise(p->m * p->ldc, 1);
    if (p->across) {
        p->b = noise(p->K * p->ldb, 1), p->scratch = noise(o->packed_size(1, p->K), 0);
        return p->a && p->b && p->c && p->scratch;
    }
    void *plain = noise(p->n * p->K, 1);
    p->b = noise(packed, 0);
    if (plain && p->b) o->pack(p->n, p->K, plain, p->b);
    mem_free(plain);
    return plain && p->a && p->b && p->c;
}
laco_status product_new(product **out, const measure_ops *ops, bool across, int64_t m, int64_t n, int64_t K,
                        laco_error *err)
{
    product *p = mem_new(1, sizeof *p);
    if (!p) return fail_memory(err, sizeof *p);
    p->ops = ops, p->across = across, p->m = m, p->n = n, p->K = K;
    p->lda = stride_of(across ? m : K), p->ldb = stride_of(n);
    p->ldc = across ? n : stride_of(n); /* a weight gradient has the dense layout of the weights */
    if (!product_take(p)) return product_free(p), fail_memory(err, (size_t)(m * n + n * K + m * K) * sizeof(float));
    *out = p;
    return LACO_OK;
}
void product_run(void *state)
{
    product *p = state;
    if (p->across)
        p->ops->gemm_across(p->m, p->n, p->K, p->a, p->lda, p->b, p->ldb, p->c, p->ldc, p->scratch);
    else
        p->ops->gemm(p->m, p->n, p->K, p->a, p->lda, p->b, p->c, p->ldc);
}
double product_work(const product *p) { return 2.0 * (double)p->m * (double)p->n * (double)p->K; }

/* ---- training and inference ---- */
void training_free(void *state)
{
    training *t = state;
    if (!t) return;
    if (t->r) t->ops->free(t->r);
    void *all[] = { t->steps, t->w, t->dw, t->x, t->dx, t->dy, t->carry };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    mem_free(t);
}

static laco_status weights_of(const recur_ops *ops, const cell_spec *spec, int64_t *params, laco_error *err)
{
    param_tensor tensor[MAX_TENSORS];
    int n = 0;
    laco_status st = ops->describe(spec, tensor, &n, err);
    if (!st) *params = tensor[n - 1].offset + tensor[n - 1].size;
    return st;
}

/* Row b takes part in the steps before its length. */
static bool lay_out(training *t, const batch_shape *s)
{
    int64_t *active = t->steps = mem_new(2 * (size_t)s->T + 1, sizeof *active);
    if (!active) return false;
    int64_t *off = active + s->T;
    for (int64_t b = 0; b < s->B; b++) { /* how many have this length */
        double length = s->ragged ? rng_uniform(1, RNG_TEST, (uint64_t)b) * (double)s->T : (double)s->T - 1;
        active[min64((int64_t)length, s->T - 1)]++;
    }
    for (int64_t i = s->T - 2; i >= 0; i--) active[i] += active[i + 1];
    for (int64_t i = 0; i < s->T; i++) off[i + 1] = off[i] + active[i];
    t->b = (ragged){ s->T, s->B, off[s->T], active, off };
    while (t->b.T > 1 && !active[t->b.T - 1]) t->b.T--;
    return true;
}
static laco_status training_take(training *t, const cell_spec *spec, const batch_shape *shape, laco_error *err)
{
    int64_t params = 0;
    laco_status st = weights_of(t->ops, spec, &params, err);
    if (st) return st;
    if (!lay_out(t, shape)) return fail_memory(err, (size_t)shape->T * 2 * sizeof(int64_t));
    int64_t R = t->b.R;
    if ((st = t->ops->reserve(t->r, R, shape->B, !t->infers, err))) return st;
    t->ldx = stride_of(spec->inputs), t->ldy = stride_of(t->ops->out_width(t->r));
    t->carry_bytes = (size_t)(shape->B * t->ops->state_stride(t->r)) * sizeof(float);
    t->w = noise(params, 1 / sqrt((double)spec->hidden)), t->x = noise(R * t->ldx, 0.5);
    bool ok = t->w && t->x;
    if (ok && t->infers) return t->ops->load(t->r, t->w, false), LACO_OK;
    t->dw = noise(params, 0), t->carry = mem_new(t->carry_bytes, 1);
    t->dx = noise(R * t->ldx, 0), t->dy = noise(R * t->ldy, 0.01);
    ok = ok && t->dw && t->carry && t->dx && t->dy;
    return ok ? LACO_OK : fail_memory(err, (size_t)(2 * params + R * (2 * t->ldx + t->ldy)) * sizeof(float));
}
static laco_status layer_new(training **out, const recur_ops *ops, const cell_spec *spec, const batch_shape *shape,
                             bool infers, pool *p, laco_error *err)
{
    training *t = mem_new(1, sizeof *t);
    if (!t) return fail_memory(err, sizeof *t);
    t->ops = ops, t->infers = infers;
    laco_status st = ops->make(&t->r, spec, p, err);
    if (!st) st = training_take(t, spec, shape, err);
    if (st) return training_free(t), st;
    *out = t;
    return LACO_OK;
}
laco_status training_new(training **out, const recur_ops *ops, const cell_spec *spec, const batch_shape *shape, pool *p,
                         laco_error *err)
{
    return layer_new(out, ops, spec, shape, false, p, err);
}
laco_status inference_new(training **out, const recur_ops *ops, const cell_spec *spec, const batch_shape *shape,
                          pool *p, laco_error *err)
{
    return layer_new(out, ops, spec, shape, true, p, err);
}
void training_run(void *state)
{
    training *t = state;
    memset(t->carry, 0, t->carry_bytes);
    t->ops->load(t->r, t->w, true);
    t->ops->forward(t->r, &(pass){ .b = t->b, .train = !t->infers }, t->x, t->ldx, NULL);
    t->ops->backward(t->r, t->dy, t->ldy, t->carry, t->dw, t->dx, t->ldx, false);
}
void inference_run(void *state)
{
    training *t = state;
    t->ops->forward(t->r, &(pass){ .b = t->b, .train = !t->infers }, t->x, t->ldx, NULL);
}
double training_work(const training *t)
{
    return (t->infers ? 2.0 : 6.0) * (double)t->ops->work_per_row(t->r) * (double)t->b.R;
}
size_t training_bytes(const training *t)
{
    return t->ops->bytes(t->r, t->b.R, t->b.B, !t->infers, 1) + (size_t)(t->b.R * t->ldy) * sizeof(float);
}

/* ---- streaming ---- */
void stream_free(void *state)
{
    stream *s = state;
    if (!s) return;
    if (s->r) s->ops->free(s->r);
    mem_free(s->w), mem_free(s->x), mem_free(s->state), mem_free(s->scratch), mem_free(s->own), mem_free(s);
}
static laco_status stream_take(stream *s, const cell_spec *spec, laco_error *err)
{
    int64_t params = 0;
    laco_status st = weights_of(s->ops, spec, &params, err);
    if (st) return st;
    s->w = noise(params, 1 / sqrt((double)spec->hidden)), s->x = noise(spec->inputs, 0.5);
    s->state = noise(2 * s->ops->state_stride(s->r), 0), s->scratch = noise(s->ops->step_scratch(s->r, 1), 0);
    s->own = noise(s->ops->step_own(s->r, 1), 0);
    s->half = s->ops->state_stride(s->r) * (int64_t)sizeof(float);
    if (!s->w || !s->x || !s->state || !s->scratch || !s->own) return fail_memory(err, (size_t)params * sizeof(float));
    s->ops->load(s->r, s->w, false);
    return LACO_OK;
}
laco_status stream_new(stream **out, const recur_ops *ops, const cell_spec *spec, pool *p, laco_error *err)
{
    stream *s = mem_new(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s);
    s->ops = ops;
    laco_status st = ops->make(&s->r, spec, p, err);
    if (!st) st = stream_take(s, spec, err);
    if (st) return stream_free(s), st;
    *out = s;
    return LACO_OK;
}
void stream_run(void *state)
{
    stream *s = state;
    char *from = (char *)s->state + s->turn * s->half, *to = (char *)s->state + (1 - s->turn) * s->half;
    s->ops->step(s->r, 1, s->x, 0, from, to, s->scratch, s->own, &(team){ .members = 1 });
    s->turn = 1 - s->turn;
}
