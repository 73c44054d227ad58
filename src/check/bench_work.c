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

/* ---- training ---- */
void training_free(training *t)
{
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

static bool full_batch(training *t, int64_t B, int64_t T)
{
    int64_t *active = t->steps = mem_new((size_t)(2 * T + 1), sizeof *active), *off = active + T;
    for (int64_t i = 0; active && i <= T; i++) {
        if (i < T) active[i] = B;
        off[i] = i * B;
    }
    t->b = (ragged){ T, B, T * B, active, off };
    return active;
}
static laco_status training_take(training *t, const cell_spec *spec, int64_t B, int64_t T, laco_error *err)
{
    int64_t params = 0, R = B * T;
    laco_status st = weights_of(t->ops, spec, &params, err);
    if (!st) st = t->ops->reserve(t->r, R, B, true, err);
    if (st) return st;
    t->ldx = stride_of(spec->inputs), t->ldy = stride_of(t->ops->out_width(t->r));
    t->carry_bytes = (size_t)(B * t->ops->state_stride(t->r)) * sizeof(float);
    t->w = noise(params, 1 / sqrt((double)spec->hidden)), t->dw = noise(params, 0),
    t->carry = mem_new(t->carry_bytes, 1);
    t->x = noise(R * t->ldx, 0.5), t->dx = noise(R * t->ldx, 0), t->dy = noise(R * t->ldy, 0.01);
    bool ok = full_batch(t, B, T) && t->w && t->dw && t->carry && t->x && t->dx && t->dy;
    return ok ? LACO_OK : fail_memory(err, (size_t)(2 * params + R * (2 * t->ldx + t->ldy)) * sizeof(float));
}
laco_status training_new(training **out, const recur_ops *ops, const cell_spec *spec, int64_t B, int64_t T, pool *p,
                         laco_error *err)
{
    training *t = mem_new(1, sizeof *t);
    if (!t) return fail_memory(err, sizeof *t);
    t->ops = ops;
    laco_status st = ops->make(&t->r, spec, p, err);
    if (!st) st = training_take(t, spec, B, T, err);
    if (st) return training_free(t), st;
    *out = t;
    return LACO_OK;
}
void training_run(void *state)
{
    training *t = state;
    memset(t->carry, 0, t->carry_bytes);
    t->ops->load(t->r, t->w, true);
    t->ops->forward(t->r, &t->b, t->x, t->ldx, NULL);
    t->ops->backward(t->r, t->dy, t->ldy, t->carry, t->dw, t->dx, t->ldx, false);
}
double training_work(const training *t) { return 6.0 * (double)t->ops->work_per_row(t->r) * (double)t->b.R; }
size_t training_bytes(const training *t)
{
    return t->ops->bytes(t->r, t->b.R, t->b.B, true) + (size_t)(t->b.R * t->ldy) * sizeof(float);
}

/* ---- streaming ---- */
void stream_free(stream *s)
{
    if (!s) return;
    if (s->r) s->ops->free(s->r);
    mem_free(s->w), mem_free(s->x), mem_free(s->state), mem_free(s->scratch), mem_free(s);
}
static laco_status stream_take(stream *s, const cell_spec *spec, laco_error *err)
{
    int64_t params = 0;
    laco_status st = weights_of(s->ops, spec, &params, err);
    if (st) return st;
    s->w = noise(params, 1 / sqrt((double)spec->hidden)), s->x = noise(spec->inputs, 0.5);
    s->state = noise(s->ops->state_stride(s->r), 0), s->scratch = noise(s->ops->step_scratch(s->r), 0);
    if (!s->w || !s->x || !s->state || !s->scratch) return fail_memory(err, (size_t)params * sizeof(float));
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
    s->ops->step(s->r, s->x, s->state, s->scratch);
}
