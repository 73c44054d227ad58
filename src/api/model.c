/* The models of laco.h: arguments are checked here, then the work is done below.

   Models made or loaded here have a pool of one thread: whoever runs them decides on the threads. laco_model_run wants
   only a const model, but a batch needs memory of its own: it packs a second network for each call. Streaming is in
   stream.c. */
#include "api/api.h"

/* ---- making, loading, saving ---- */
laco_status null_argument(laco_error *err, const char *function, const char *argument)
{
    return fail(err, LACO_EINVAL, -1, "%s: %s is NULL", function, argument);
}

/* How many outputs a last `dense` without a size has: as many as there are symbols; of numbers nobody can tell. */
static laco_status outputs_of(const char *description, int64_t inputs, int64_t *outputs, laco_error *err)
{
    const kernels *k;
    net_description d;
    *outputs = 0;
    laco_status st = kernels_choose(&k, REAL_FLOAT, err);
    if (st || !(st = describe_parse(&d, description, inputs, 0, k, err))) return st;
    if (!d.layers || strcmp(d.layer[0].kind, "embed")) return st;
    *outputs = inputs;
    return describe_parse(&d, description, inputs, inputs, k, err);
}

laco_status laco_model_new(laco_model **out, const char *description, int64_t inputs, uint64_t seed, laco_error *err)
{
    int64_t outputs;
    if (!out) return null_argument(err, "laco_model_new", "out");
    *out = NULL;
    if (!description) return null_argument(err, "laco_model_new", "description");
    if (inputs < 1 || inputs > INT32_MAX)
        return fail(err, LACO_EINVAL, -1, "laco_model_new: inputs is %lld; it must be from 1", (long long)inputs);
    laco_status st = outputs_of(description, inputs, &outputs, err);
    if (st || (st = model_new(out, description, inputs, outputs, 1, err))) return st;
    st = net_init((*out)->net, "default", 1, seed, err);
    if (st) laco_model_free(*out), *out = NULL;
    return st;
}
laco_status laco_model_load(laco_model **out, const char *path, laco_error *err)
{
    if (!out) return null_argument(err, "laco_model_load", "out");
    *out = NULL;
    return path ? model_load(out, path, 1, err) : null_argument(err, "laco_model_load", "path");
}
laco_status laco_model_save(const laco_model *m, const char *path, laco_error *err)
{
    if (!m || !path) return null_argument(err, "laco_model_save", m ? "path" : "m");
    return model_save(m, path, err);
}

/* ---- looking ---- */
const char *laco_model_description(const laco_model *m) { return m ? m->description : NULL; }
const char *laco_model_metadata(const laco_model *m, const char *key) { return m && key ? model_get(m, key) : NULL; }
int64_t laco_model_inputs(const laco_model *m) { return m ? m->net->inputs : 0; }
int64_t laco_model_outputs(const laco_model *m) { return m ? m->net->outputs : 0; }
int laco_model_tensors(const laco_model *m) { return m ? m->net->tensors : 0; }

/* The caller may write the weights from now on, so the packed ones count as old. */
static laco_status hand_out(laco_model *m, const param_tensor *t, laco_tensor *out)
{
    *out = (laco_tensor){ .name = t->name, .rank = t->rank, .data = (float *)m->net->w + t->offset };
    for (int i = 0; i < t->rank; i++) out->shape[i] = t->shape[i];
    m->ready = false;
    return LACO_OK;
}
laco_status laco_model_tensor(laco_model *m, int index, laco_tensor *out, laco_error *err)
{
    if (!m || !out) return null_argument(err, "laco_model_tensor", m ? "out" : "m");
    if (index < 0 || index >= m->net->tensors)
        return fail(err, LACO_EINVAL, -1, "laco_model_tensor: index %d, but the model has tensors 0 to %d", index,
                    m->net->tensors - 1);
    return hand_out(m, &m->net->tensor[index], out);
}
static laco_status no_such_tensor(const net *n, const char *name, laco_error *err)
{
    const char **names = mem_new((size_t)n->tensors + 1, sizeof *names), *near = NULL;
    for (int i = 0; names && i < n->tensors; i++) names[i] = n->tensor[i].name;
    if (names) near = nearest_name(name, names);
    mem_free(names);
    return fail(err, LACO_EINVAL, -1, "the model has no tensor \"%.100s\"%s%s%s", name, near ? "; did you mean \"" : "",
                near ? near : "", near ? "\"?" : "");
}
laco_status laco_model_find(laco_model *m, const char *name, laco_tensor *out, laco_error *err)
{
    if (!m || !name || !out) return null_argument(err, "laco_model_find", !m ? "m" : !name ? "name" : "out");
    const param_tensor *t = net_find(m->net, name);
    return t ? hand_out(m, t, out) : no_such_tensor(m->net, name, err);
}

/* ---- whole sequences: rows are sorted by falling length, as batches are inside, and put back afterwards ---- */
typedef struct run {
    int64_t T, B, R;
    int64_t *order;        /* [B] row of the caller */
    int64_t *active, *off; /* [T], [T+1] */
    void *x;               /* [R][inputs], or [R] symbols */
} run;

/* Counting sort by falling length: active[n] rows are longer than n, so rows of length n begin at place active[n]. */
static void run_sort(run *r, const int32_t *lengths)
{
    int64_t *next = r->off; /* the first place of a length, until off is needed */
    for (int64_t b = 0; b < r->B; b++)
        for (int64_t t = 0, n = lengths ? lengths[b] : r->T; t < n; t++) r->active[t]++;
    for (int64_t n = 0; n <= r->T; n++) next[n] = n < r->T ? r->active[n] : 0;
    for (int64_t b = 0; b < r->B; b++) {
        int64_t n = lengths ? lengths[b] : r->T;
        r->order[next[n]++] = b;
    }
    r->off[0] = 0;
    for (int64_t t = 0; t < r->T; t++) r->off[t + 1] = r->off[t] + r->active[t];
    r->R = r->off[r->T];
    while (r->T > 0 && !r->active[r->T - 1]) r->T--;
}
static laco_status run_memory(run *r, size_t width, laco_error *err)
{
    size_t B = (size_t)r->B, T = (size_t)r->T;
    r->order = mem_new(B, sizeof *r->order);
    r->active = mem_new(T, sizeof *r->active), r->off = mem_new(T + 1, sizeof *r->off);
    r->x = mem_new(T * B * width, sizeof(float));
    return r->order && r->active && r->off && r->x ? LACO_OK : fail_memory(err, T * B * width * 4);
}
static void run_free(run *r) { mem_free(r->order), mem_free(r->active), mem_free(r->off), mem_free(r->x); }
static laco_status run_gather(const run *r, const net *n, const void *in, laco_error *err)
{
    size_t width = n->symbols ? sizeof(int32_t) : (size_t)n->inputs * sizeof(float);
    for (int64_t t = 0; t < r->T; t++)
        for (int64_t b = 0; b < r->active[t]; b++) {
            int64_t from = t * r->B + r->order[b];
            char *to = (char *)r->x + (size_t)(r->off[t] + b) * width;
            memcpy(to, (const char *)in + (size_t)from * width, width);
            if (!n->symbols) continue;
            int32_t symbol = ((const int32_t *)in)[from];
            if (symbol < 0 || symbol >= n->inputs)
                return fail(err, LACO_EINVAL, from,
                            "laco_model_run: symbol %d at step %lld of row %lld, but the network "
                            "knows 0 to %lld",
                            (int)symbol, (long long)t, (long long)r->order[b], (long long)n->inputs - 1);
        }
    return LACO_OK;
}
static laco_status run_network(const run *r, const laco_model *m, float *out, laco_error *err)
{
    model_copy c;
    pass p = { .b = { .T = r->T, .B = r->B, .R = r->R, .active = r->active, .off = r->off } };
    laco_status st = model_copy_new(&c, m, err);
    if (st) return st;
    if (!(st = net_reserve(c.net, r->R, r->B, false, err))) {
        int64_t ld, width = m->net->outputs;
        net_forward(c.net, &p, r->x, m->net->inputs, c.net->d.layers);
        const float *y = net_output(c.net, c.net->d.layers, &ld);
        for (int64_t t = 0; t < r->T; t++)
            for (int64_t b = 0; b < r->active[t]; b++)
                memcpy(out + (t * r->B + r->order[b]) * width, y + (r->off[t] + b) * ld, (size_t)width * sizeof(float));
    }
    model_copy_free(&c);
    return st;
}

static laco_status check_run(const laco_model *m, const void *in, const int32_t *lengths, int64_t T, int64_t B,
                             const float *out, laco_error *err)
{
    size_t rows, bytes;
    if (!m || !in || !out) return null_argument(err, "laco_model_run", !m ? "m" : !in ? "in" : "out");
    if (T < 0 || B < 0 || mul_overflows((size_t)T, (size_t)B, &rows) || rows > INT32_MAX ||
        mul_overflows(rows, 4 * (size_t)max64(m->net->inputs, m->net->outputs), &bytes) || bytes > PTRDIFF_MAX)
        return fail(err, LACO_EINVAL, -1, "laco_model_run: %lld steps of %lld rows; together at most %d", (long long)T,
                    (long long)B, INT32_MAX);
    for (int64_t b = 0; lengths && b < B; b++)
        if (lengths[b] < 0 || lengths[b] > T)
            return fail(err, LACO_EINVAL, b, "laco_model_run: length %d of row %lld; it must be from 0 to %lld",
                        (int)lengths[b], (long long)b, (long long)T);
    return LACO_OK;
}
laco_status laco_model_run(const laco_model *m, const void *in, const int32_t *lengths, int64_t T, int64_t B,
                           float *out, laco_error *err)
{
    laco_status st = check_run(m, in, lengths, T, B, out, err);
    if (st) return st;
    run r = { .T = T, .B = B };
    memset(out, 0, (size_t)(T * B * m->net->outputs) * sizeof(float));
    st = run_memory(&r, m->net->symbols ? 1 : (size_t)m->net->inputs, err);
    if (!st) {
        run_sort(&r, lengths);
        st = run_gather(&r, m->net, in, err);
    }
    if (!st && r.R) st = run_network(&r, m, out, err);
    run_free(&r);
    return st;
}
