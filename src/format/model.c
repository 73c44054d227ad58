/* Models in memory and in files.

   A file is believed in nothing. Its description is parsed, and every tensor that it asks for must be in the file, of
   its type and shape, before memory for the network is taken: so what is taken is bounded by what the file holds. The
   parity vector makes sure that this library computes from the weights what the library that saved them did. */
#include "format/model.h"
#include "base/file.h"
#include "base/rng.h"
#include "format/safetensors.h"
#include <math.h>
#include <stdio.h>

enum {
    MODEL_VERSION = 1,
    PARITY_STEPS = 8,
    PARITY_SEED = 1,
    MODEL_MOST_PAIRS = 1000,
    MODEL_MOST_TENSORS = MAX_LAYERS * 2 * MAX_TENSORS + 2
};
static const int64_t model_widest = 1 << 24; /* inputs, outputs */
static const double parity_tolerance = 1e-3; /* instruction sets differ in rounding */
static const char parity_input[] = "parity.input", parity_output[] = "parity.output";

/* ---- life ---- */
void laco_model_free(laco_model *m)
{
    if (!m) return;
    net_free(m->net);
    pool_free(m->pool);
    for (int i = 0; i < m->pairs; i++) mem_free(m->keys[i]), mem_free(m->values[i]);
    mem_free(m->keys);
    mem_free(m->values);
    mem_free(m->description);
    mem_free(m);
}

static laco_status set_description(laco_model *m, laco_error *err)
{
    buf text = { 0 };
    char inputs[24], outputs[24], version[24];
    describe_print(&m->net->d, m->net->k, &text);
    if (text.failed || !text.data) return buf_free(&text), fail_memory(err, text.len);
    m->description = text.data;
    snprintf(version, sizeof version, "%d", MODEL_VERSION);
    snprintf(inputs, sizeof inputs, "%lld", (long long)m->net->inputs);
    snprintf(outputs, sizeof outputs, "%lld", (long long)m->net->outputs);
    const char *const pair[][2] = { { "format", "laco" },
                                    { "format_version", version },
                                    { "description", text.data },
                                    { "inputs", inputs },
                                    { "outputs", outputs } };
    laco_status st = LACO_OK;
    for (size_t i = 0; !st && i < sizeof pair / sizeof *pair; i++) st = model_set(m, pair[i][0], pair[i][1], err);
    return st;
}

laco_status model_new(laco_model **out, const char *description, int64_t inputs, int64_t outputs, int threads,
                      laco_error *err)
{
    *out = NULL;
    if (inputs < 1 || inputs > model_widest || outputs < 0 || outputs > model_widest)
        return fail(err, LACO_EINVAL, -1, "a network has from 1 to %lld inputs and outputs, not %lld and %lld",
                    (long long)model_widest, (long long)inputs, (long long)outputs);
    const kernels *k;
    net_description d;
    laco_status st = kernels_choose(&k, REAL_FLOAT, err);
    if (st || (st = describe_parse(&d, description, inputs, outputs, k, err))) return st;
    laco_model *m = mem_new(1, sizeof *m);
    if (!m) return fail_memory(err, sizeof *m);
    st = pool_new(&m->pool, threads, err);
    if (!st) st = net_new(&m->net, &d, inputs, k, m->pool, err);
    if (!st) st = set_description(m, err);
    if (st) return laco_model_free(m), st;
    m->steps = net_steps(m->net);
    *out = m;
    return LACO_OK;
}

laco_status model_ready(laco_model *m, laco_error *err)
{
    laco_status st = net_load(m->net, false, true, err);
    m->ready = st == LACO_OK;
    return st;
}

laco_status weights_parse(const char *name, weights_kind *kind, laco_error *err)
{
    static const char *const names[] = { "float", "bf16", "int8" };
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, names[i])) return *kind = (weights_kind)i, LACO_OK;
    return fail(err, LACO_EINVAL, -1, "weights cannot be \"%.40s\"; there is float, bf16, int8", name);
}
laco_status model_weights(laco_model *m, const char *kind, laco_error *err)
{
    weights_kind k = WEIGHTS_FLOAT;
    laco_status st = weights_parse(kind, &k, err);
    if (st) return st;
    m->ready = false;
    st = net_weights(m->net, k, err);
    if (st) return net_weights(m->net, WEIGHTS_FLOAT, NULL), st;
    return model_ready(m, err);
}

laco_status model_copy_new(model_copy *out, const laco_model *m, laco_error *err)
{
    *out = (model_copy){ 0 };
    laco_status st = pool_new(&out->pool, 1, err);
    if (!st) st = net_new(&out->net, &m->net->d, m->net->inputs, m->net->k, out->pool, err);
    if (st) return model_copy_free(out), st;
    memcpy(out->net->w, m->net->w, (size_t)m->net->params * sizeof(float));
    st = net_load(out->net, false, true, err);
    if (st) model_copy_free(out);
    return st;
}
void model_copy_free(model_copy *c)
{
    net_free(c->net);
    pool_free(c->pool);
    *c = (model_copy){ 0 };
}

/* ---- metadata ---- */
static int find_key(const laco_model *m, const char *key)
{
    for (int i = 0; i < m->pairs; i++)
        if (!strcmp(m->keys[i], key)) return i;
    return -1;
}
const char *model_get(const laco_model *m, const char *key)
{
    int i = find_key(m, key);
    return i < 0 ? NULL : m->values[i];
}

static laco_status add_pair(laco_model *m, char *key, char *value, laco_error *err)
{
    size_t old = (size_t)m->pairs * sizeof(char *), bytes = old + sizeof(char *);
    char **keys = mem_resize(m->keys, old, bytes);
    if (keys) m->keys = keys;
    char **values = keys ? mem_resize(m->values, old, bytes) : NULL;
    if (values) m->values = values;
    if (!values) return fail_memory(err, bytes);
    m->keys[m->pairs] = key, m->values[m->pairs++] = value;
    return LACO_OK;
}

laco_status model_set(laco_model *m, const char *key, const char *value, laco_error *err)
{
    int i = find_key(m, key);
    char *copy = mem_text(value, strlen(value)), *name = i < 0 ? mem_text(key, strlen(key)) : NULL;
    laco_status st = !copy || (i < 0 && !name) ? fail_memory(err, strlen(value) + strlen(key)) : LACO_OK;
    if (!st && i < 0)
        st = add_pair(m, name, copy, err);
    else if (!st)
        mem_free(m->values[i]), m->values[i] = copy;
    if (st) mem_free(copy), mem_free(name);
    return st;
}

/* ---- parity ---- */
static void parity_make(const net *n, void *input)
{
    int64_t count = PARITY_STEPS * (n->symbols ? 1 : n->inputs);
    for (int64_t i = 0; i < count; i++) {
        double x = rng_uniform(PARITY_SEED, RNG_TEST, (uint64_t)i);
        if (n->symbols)
            ((int32_t *)input)[i] = (int32_t)(x * (double)n->inputs);
        else
            ((float *)input)[i] = (float)(2 * x - 1);
    }
}

/* output[PARITY_STEPS][outputs], by a network whose weights are packed. */
static laco_status parity_run(net *n, const void *input, float *output, laco_error *err)
{
    int64_t active[PARITY_STEPS], off[PARITY_STEPS + 1] = { 0 }, ld;
    for (int t = 0; t < PARITY_STEPS; t++) active[t] = 1, off[t + 1] = t + 1;
    pass p = { .b = { .T = PARITY_STEPS, .B = 1, .R = PARITY_STEPS, .active = active, .off = off } };
    laco_status st = net_reserve(n, PARITY_STEPS, 1, false, err);
    if (st) return st;
    net_reset(n);
    net_forward(n, &p, input, n->inputs, n->d.layers);
    const float *y = net_output(n, n->d.layers, &ld);
    for (int t = 0; t < PARITY_STEPS; t++)
        memcpy(output + t * n->outputs, y + t * ld, (size_t)n->outputs * sizeof(float));
    return LACO_OK;
}

static bool all_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}
static laco_status check_finite(const laco_model *m, const char *advice, laco_error *err)
{
    for (int i = 0; i < m->net->tensors; i++) {
        const param_tensor *t = &m->net->tensor[i];
        if (!all_finite((const float *)m->net->w + t->offset, t->size))
            return fail(err, LACO_ENUMERIC, -1, "the weights \"%s\" are not all finite numbers; %s", t->name, advice);
    }
    return LACO_OK;
}

/* ---- saving ---- */
static st_tensor tensor_row(const char *name, st_dtype type, int rank, const int64_t *shape, const void *data)
{
    st_tensor t = { .name = name, .dtype = type, .rank = rank, .data = data, .bytes = 4 }; /* all types here have 4 */
    for (int i = 0; i < rank; i++) t.shape[i] = shape[i], t.bytes *= (size_t)shape[i];
    return t;
}
static laco_status save_tensors(const laco_model *m, const char *path, const void *input, const float *output,
                                laco_error *err)
{
    const net *n = m->net;
    int64_t in[] = { PARITY_STEPS, n->inputs }, out[] = { PARITY_STEPS, n->outputs };
    int count = n->tensors;
    st_tensor *t = mem_new((size_t)count + 2, sizeof *t);
    if (!t) return fail_memory(err, ((size_t)count + 2) * sizeof *t);
    for (int i = 0; i < count; i++)
        t[i] = tensor_row(n->tensor[i].name, ST_F32, n->tensor[i].rank, n->tensor[i].shape,
                          (const float *)n->w + n->tensor[i].offset);
    t[count] = tensor_row(parity_input, n->symbols ? ST_I32 : ST_F32, n->symbols ? 1 : 2, in, input);
    t[count + 1] = tensor_row(parity_output, ST_F32, 2, out, output);
    laco_status st = st_save(path, t, (size_t)count + 2, (const char *const *)m->keys, (const char *const *)m->values,
                             (size_t)m->pairs, err);
    mem_free(t);
    return st;
}

laco_status model_save(const laco_model *m, const char *path, laco_error *err)
{
    const net *n = m->net;
    size_t in = (size_t)(n->symbols ? 1 : n->inputs) * PARITY_STEPS, out = (size_t)n->outputs * PARITY_STEPS;
    laco_status st = check_finite(m, "it is not saved; train with a smaller learning rate", err);
    if (st) return st;
    model_copy copy;
    if ((st = model_copy_new(&copy, m, err))) return st;
    float *input = mem_new(in, sizeof(float)), *output = mem_new(out, sizeof(float));
    if (!input || !output) st = fail_memory(err, (in + out) * sizeof(float));
    if (!st) parity_make(n, input), st = parity_run(copy.net, input, output, err);
    model_copy_free(&copy);
    if (!st && !all_finite(output, (int64_t)out))
        st = fail(err, LACO_ENUMERIC, -1, "the network overflows on a test of 8 steps; it is not saved");
    if (!st) st = save_tensors(m, path, input, output, err);
    mem_free(input), mem_free(output);
    return st;
}

/* ---- loading ---- */
typedef struct model_head {
    const char *description;
    int64_t inputs, outputs;
} model_head;

static laco_status read_size(const safetensors *s, const char *key, int64_t most, int64_t *out, laco_error *err)
{
    const char *text = st_metadata(s, key);
    int64_t x = 0;
    if (!text) return fail(err, LACO_EFORMAT, -1, "damaged: its metadata has no \"%s\"", key);
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || (x = 10 * x + *p - '0') > most) {
            x = 0;
            break;
        }
    }
    if (x < 1)
        return fail(err, LACO_EFORMAT, -1, "damaged: \"%s\" in its metadata is \"%.40s\", not a number from 1 to %lld",
                    key, text, (long long)most);
    *out = x;
    return LACO_OK;
}
static laco_status read_head(const safetensors *s, model_head *h, laco_error *err)
{
    const char *format = st_metadata(s, "format");
    int64_t version;
    if (!format || strcmp(format, "laco"))
        return fail(err, LACO_EFORMAT, -1, "a safetensors file, but not a model of laco; load one that laco saved");
    laco_status st = read_size(s, "format_version", 1000000, &version, err);
    if (st) return st;
    if (version > MODEL_VERSION)
        return fail(err, LACO_EUNSUPPORTED, -1, "made by a newer laco (format %lld, this one reads %d); update laco",
                    (long long)version, MODEL_VERSION);
    if ((st = read_size(s, "inputs", model_widest, &h->inputs, err))) return st;
    if ((st = read_size(s, "outputs", model_widest, &h->outputs, err))) return st;
    h->description = st_metadata(s, "description");
    return h->description ? LACO_OK : fail(err, LACO_EFORMAT, -1, "damaged: its metadata has no \"description\"");
}

static laco_status find_tensor(const safetensors *s, const char *name, st_dtype type, int rank, const int64_t *shape,
                               const st_tensor **out, laco_error *err)
{
    const st_tensor *t = *out = st_find(s, name);
    if (!t) return fail(err, LACO_EFORMAT, -1, "damaged: the tensor \"%s\" that its network needs is missing", name);
    if (t->dtype != type) return fail(err, LACO_EFORMAT, -1, "damaged: the tensor \"%s\" has a wrong type", name);
    bool same = t->rank == rank;
    for (int i = 0; same && i < rank; i++) same = t->shape[i] == shape[i];
    return same ? LACO_OK : fail(err, LACO_EFORMAT, -1, "damaged: the tensor \"%s\" has a wrong shape", name);
}

/* Every tensor that layer i asks for is there. Names are those of net.c. */
static laco_status check_layer(const safetensors *s, const net_description *d, int i, const kernels *k, laco_error *err)
{
    param_tensor t[2 * MAX_TENSORS];
    layer_spec spec = d->layer[i];
    int count = 0;
    laco_status st = kernels_layer(k, spec.kind)->describe(&spec, t, &count, err);
    for (int n = d->tied && i == d->layers - 1; !st && n < count; n++) {
        char name[64];
        const st_tensor *found;
        snprintf(name, sizeof name, "layers.%d.%.36s", i, t[n].name);
        st = find_tensor(s, name, ST_F32, t[n].rank, t[n].shape, &found, err);
    }
    return st;
}
static laco_status check_parity_shapes(const safetensors *s, const model_head *h, bool symbols, laco_error *err)
{
    int64_t in[] = { PARITY_STEPS, h->inputs }, out[] = { PARITY_STEPS, h->outputs };
    const st_tensor *t;
    laco_status st = find_tensor(s, parity_input, symbols ? ST_I32 : ST_F32, symbols ? 1 : 2, in, &t, err);
    return st ? st : find_tensor(s, parity_output, ST_F32, 2, out, &t, err);
}

/* Every tensor that the description asks for is there. */
static laco_status check_network(const safetensors *s, const model_head *h, const char *description, const kernels *k,
                                 laco_error *err)
{
    net_description d;
    laco_error inner = { .msg = "" };
    laco_status st = describe_parse(&d, description, h->inputs, h->outputs, k, &inner);
    if (st) return fail(err, st == LACO_EINVAL ? LACO_EFORMAT : st, -1, "damaged: %s", inner.msg);
    for (int i = 0; !st && i < d.layers; i++) st = check_layer(s, &d, i, k, err);
    return st ? st : check_parity_shapes(s, h, d.layer[0].symbols, err);
}

static laco_status check_file(const safetensors *s, const model_head *h, laco_error *err)
{
    const kernels *k;
    if (st_count(s) > MODEL_MOST_TENSORS || st_metadata_count(s) > MODEL_MOST_PAIRS)
        return fail(err, LACO_EFORMAT, -1, "damaged: %zu tensors and %zu pairs of metadata are more than any model has",
                    st_count(s), st_metadata_count(s));
    laco_status st = kernels_choose(&k, REAL_FLOAT, err);
    return st ? st : check_network(s, h, h->description, k, err);
}

static laco_status read_weights(laco_model *m, const safetensors *s, laco_error *err)
{
    const net *n = m->net;
    const st_tensor *t;
    for (size_t i = 0; i < st_count(s); i++) {
        const char *name = st_at(s, i)->name;
        if (!net_find(n, name) && strcmp(name, parity_input) && strcmp(name, parity_output))
            return fail(err, LACO_EFORMAT, -1, "damaged: its network has no tensor \"%.100s\"", name);
    }
    for (int i = 0; i < n->tensors; i++) {
        const param_tensor *p = &n->tensor[i];
        laco_status st = find_tensor(s, p->name, ST_F32, p->rank, p->shape, &t, err);
        if (!st) st = st_to_f32(t, (float *)n->w + p->offset, p->size, err);
        if (st) return st;
    }
    return check_finite(m, "the file is damaged", err);
}
static laco_status read_metadata(laco_model *m, const safetensors *s, laco_error *err)
{
    laco_status st = LACO_OK;
    for (size_t i = 0; !st && i < st_metadata_count(s); i++) {
        const char *key, *value;
        st_metadata_at(s, i, &key, &value);
        if (strcmp(key, "description")) st = model_set(m, key, value, err); /* that one is canonical by now */
    }
    return st;
}

static laco_status read_parity_input(const net *n, const st_tensor *t, void *input, laco_error *err)
{
    int64_t symbol[PARITY_STEPS];
    if (!n->symbols) {
        laco_status st = st_to_f32(t, input, st_elements(t), err);
        if (st || all_finite(input, st_elements(t))) return st;
        return fail(err, LACO_EFORMAT, -1, "damaged: \"%s\" holds a number that is not finite", parity_input);
    }
    laco_status st = st_to_i64(t, symbol, PARITY_STEPS, err);
    for (int i = 0; !st && i < PARITY_STEPS; i++) {
        if (symbol[i] < 0 || symbol[i] >= n->inputs)
            return fail(err, LACO_EFORMAT, -1, "damaged: \"%s\" holds the symbol %lld of %lld", parity_input,
                        (long long)symbol[i], (long long)n->inputs);
        ((int32_t *)input)[i] = (int32_t)symbol[i];
    }
    return st;
}
static laco_status compare_parity(const float *want, const float *got, int64_t n, laco_error *err)
{
    double largest = 1, off = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)want[i] - got[i]);
        off = fmax(off, d);
    }
    if (all_finite(want, n) && all_finite(got, n) && off <= parity_tolerance * largest) return LACO_OK;
    return fail(err, LACO_EFORMAT, -1,
                "damaged, or made by another laco: on the test in the file its network is off by %.3g; save it again",
                off);
}
static laco_status check_parity(laco_model *m, const safetensors *s, laco_error *err)
{
    int64_t in = (m->net->symbols ? 1 : m->net->inputs) * PARITY_STEPS, out = m->net->outputs * PARITY_STEPS;
    float *input = mem_new((size_t)in, sizeof(float)), *both = mem_new((size_t)out, 2 * sizeof(float));
    laco_status st = input && both ? LACO_OK : fail_memory(err, (size_t)(in + 2 * out) * sizeof(float));
    if (!st) st = read_parity_input(m->net, st_find(s, parity_input), input, err);
    if (!st) st = st_to_f32(st_find(s, parity_output), both, out, err);
    if (!st) st = parity_run(m->net, input, both + out, err);
    if (!st) st = compare_parity(both, both + out, out, err);
    mem_free(input), mem_free(both);
    return st;
}

static laco_status model_read(laco_model **out, const safetensors *s, int threads, laco_error *err)
{
    model_head h;
    laco_model *m = NULL;
    laco_status st = read_head(s, &h, err);
    if (!st) st = check_file(s, &h, err);
    if (!st) st = model_new(&m, h.description, h.inputs, h.outputs, threads, err);
    if (!st) st = read_weights(m, s, err);
    if (!st) st = read_metadata(m, s, err);
    if (!st) st = model_ready(m, err);
    if (!st) st = check_parity(m, s, err);
    if (st)
        laco_model_free(m);
    else
        *out = m;
    return st;
}

laco_status model_parse(laco_model **out, const void *bytes, size_t n, int threads, laco_error *err)
{
    safetensors *s;
    *out = NULL;
    laco_status st = st_parse(&s, bytes, n, err);
    if (st) return st;
    st = model_read(out, s, threads, err);
    st_free(s);
    return st;
}

laco_status model_load(laco_model **out, const char *path, int threads, laco_error *err)
{
    safetensors *s;
    laco_error inner = { .at = -1, .msg = "" };
    *out = NULL;
    laco_status st = st_load(&s, path, err);
    if (st) return st;
    st = model_read(out, s, threads, &inner);
    st_free(s);
    return st ? fail(err, st, inner.at, "%s: %s", path, inner.msg) : LACO_OK;
}
