/* What `laco info` shows of a model: its layers, what a step costs, what training takes, and its metadata. */
#include "base/json.h"
#include "format/model.h"
#include <math.h>
#include <stdio.h>

static const char *const known_elsewhere[] = { "format", "format_version", "description", "inputs", "outputs" };
enum { LABEL = 18 };                               /* column of the text behind a label */
static const int64_t most_rows = (int64_t)1 << 36; /* batch times steps: sizes of 64 bits stay far from overflow */

/* ---- figures ---- */
typedef struct layer_figures {
    char text[256];
    int64_t outputs, parameters, work;
} layer_figures;

static laco_status figures_of(const net *n, int i, layer_figures *f, laco_error *err)
{
    buf text = { 0 };
    net_description *one = mem_new(1, sizeof *one);
    if (!one) return fail_memory(err, sizeof *one);
    one->layers = 1, one->layer[0] = n->d.layer[i], one->tied = n->d.tied && i + 1 == n->d.layers;
    describe_print(one, n->k, &text);
    mem_free(one);
    if (text.failed) return buf_free(&text), fail_memory(err, sizeof f->text);
    snprintf(f->text, sizeof f->text, "%s", text.data);
    buf_free(&text);
    f->outputs = n->d.layer[i].out, f->work = n->kind[i]->work(n->layer[i]);
    f->parameters = (i + 1 < n->d.layers ? n->base[i + 1] : n->params) - n->base[i];
    return LACO_OK;
}

typedef struct totals {
    int64_t weights_read; /* bytes of one step; of a table only one row is read */
    size_t state, training;
} totals;

static totals totals_of(const laco_model *m, int64_t batch, int64_t steps)
{
    const net *n = m->net;
    int64_t read = n->params, table = n->symbols ? n->inputs * n->d.layer[0].out : 0;
    if (!n->d.tied) read -= table;
    if (n->symbols) read += n->d.layer[0].out;
    return (totals){ .weights_read = read * n->k->real_size,
                     .state = m->steps ? net_state_bytes(n, 1) : 0,
                     /* weights, gradients and two buffers of an optimizer such as adam */
                     .training = net_bytes(n, batch * steps, batch, true) + 4 * (size_t)(n->params * n->k->real_size) };
}

/* ---- metadata: a value that is a JSON object is shown by its members, what is long in it by its size ---- */
static bool is_shown(const char *key)
{
    for (size_t i = 0; i < sizeof known_elsewhere / sizeof *known_elsewhere; i++)
        if (!strcmp(key, known_elsewhere[i])) return false;
    return true;
}
static void short_value(json_out *o, const json *v)
{
    switch (v->kind) {
    case JSON_NULL:
        json_number(o, NAN);
        break;
    case JSON_FALSE:
        json_bool(o, false);
        break;
    case JSON_TRUE:
        json_bool(o, true);
        break;
    case JSON_NUMBER:
        v->integer ? json_int(o, v->i) : json_number(o, v->number);
        break;
    case JSON_STRING:
        json_string(o, v->text, v->len);
        break;
    case JSON_ARRAY:
        json_int(o, (int64_t)v->len);
        break;
    case JSON_OBJECT:
        json_begin(o, '{');
        for (size_t i = 0; i < v->len; i++) json_key(o, v->item[i].key), short_value(o, &v->item[i]);
        json_end(o, '}');
    }
}
/* A file must not move the cursor of whoever looks at it: control characters become blanks. */
static void plain_text(buf *out, const char *s)
{
    for (; *s; s++) buf_add(out, (unsigned char)*s < 32 || *s == 127 ? " " : s, 1);
}
static void short_text(buf *out, const json *v, const char *before)
{
    for (size_t i = 0; i < v->len; i++) {
        const json *m = &v->item[i];
        buf_text(out, i ? ", " : before);
        plain_text(out, m->key);
        buf_text(out, " ");
        if (m->kind == JSON_OBJECT) {
            short_text(out, m, "(");
            buf_text(out, ")");
        } else if (m->kind == JSON_NUMBER && !m->integer)
            buf_printf(out, "%.6g", m->number);
        else if (m->kind == JSON_STRING)
            plain_text(out, m->text);
        else {
            json_out o = { .to = out };
            short_value(&o, m);
        }
    }
}
static void metadata_json(const laco_model *m, json_out *o)
{
    json_key(o, "metadata");
    json_begin(o, '{');
    for (int i = 0; i < m->pairs; i++) {
        json_doc *doc = NULL;
        if (!is_shown(m->keys[i])) continue;
        json_key(o, m->keys[i]);
        laco_status st = json_parse(&doc, m->values[i], strlen(m->values[i]), NULL);
        if (!st && json_root(doc)->kind == JSON_OBJECT)
            short_value(o, json_root(doc));
        else
            json_text(o, m->values[i]);
        if (!st) json_free(doc);
    }
    json_end(o, '}');
}
static void metadata_text(const laco_model *m, buf *out)
{
    for (int i = 0; i < m->pairs; i++) {
        json_doc *doc = NULL;
        if (!is_shown(m->keys[i])) continue;
        size_t before = out->len;
        plain_text(out, m->keys[i]);
        do buf_text(out, " ");
        while (!out->failed && out->len < before + LABEL);
        laco_status st = json_parse(&doc, m->values[i], strlen(m->values[i]), NULL);
        if (!st && json_root(doc)->kind == JSON_OBJECT)
            short_text(out, json_root(doc), "");
        else
            plain_text(out, m->values[i]);
        buf_text(out, "\n");
        if (!st) json_free(doc);
    }
}

/* ---- the two forms ---- */
static void size_text(buf *out, double bytes)
{
    static const char *const unit[] = { "bytes", "KB", "MB", "GB", "TB" };
    int u = 0;
    for (; bytes >= 10000 && u < 4; u++) bytes /= 1000;
    buf_printf(out, u && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
}
static void write_text(const laco_model *m, const layer_figures *f, totals t, int64_t batch, int64_t steps, buf *out)
{
    const net *n = m->net;
    int width = 5;
    for (int i = 0; i < n->d.layers; i++) width = (int)max64(width, (int64_t)strlen(f[i].text));
    buf_printf(out, "%-18s%s\n", "network", m->description);
    buf_printf(out, "%-18s%s%lld %s in, %lld numbers out\n\n", "each step", n->symbols ? "one of " : "",
               (long long)n->inputs, n->symbols ? "symbols" : "numbers", (long long)n->outputs);
    buf_printf(out, "    %-*s  %9s  %12s  %13s\n", width, "layer", "outputs", "parameters", "multiply-adds");
    for (int i = 0; i < n->d.layers; i++)
        buf_printf(out, "%2d  %-*s  %9lld  %12lld  %13lld\n", i + 1, width, f[i].text, (long long)f[i].outputs,
                   (long long)f[i].parameters, (long long)f[i].work);
    buf_printf(out, "    %-*s  %9s  %12lld  %13lld\n\n", width, "total", "", (long long)n->params,
               (long long)net_work(n));
    buf_printf(out, "%-18s", "a step reads");
    size_text(out, (double)t.weights_read);
    buf_text(out,
             m->steps ? " of weights, with a state of " : " of weights; it cannot step: it reads sequences backwards");
    if (m->steps) size_text(out, (double)t.state);
    buf_printf(out, "\n%-18s", "training takes");
    size_text(out, (double)t.training);
    buf_printf(out, " for %lld rows of %lld steps\n", (long long)batch, (long long)steps);
    metadata_text(m, out);
}
static void write_json(const laco_model *m, const layer_figures *f, totals t, int64_t batch, int64_t steps, buf *out)
{
    json_out o = { .to = out };
    json_begin(&o, '{');
    json_key(&o, "description"), json_text(&o, m->description);
    json_key(&o, "inputs"), json_int(&o, m->net->inputs);
    json_key(&o, "symbols"), json_bool(&o, m->net->symbols);
    json_key(&o, "outputs"), json_int(&o, m->net->outputs);
    json_key(&o, "layers"), json_begin(&o, '[');
    for (int i = 0; i < m->net->d.layers; i++) {
        json_begin(&o, '{');
        json_key(&o, "kind"), json_text(&o, m->net->d.layer[i].kind);
        json_key(&o, "text"), json_text(&o, f[i].text);
        json_key(&o, "outputs"), json_int(&o, f[i].outputs);
        json_key(&o, "parameters"), json_int(&o, f[i].parameters);
        json_key(&o, "multiply_adds"), json_int(&o, f[i].work);
        json_end(&o, '}');
    }
    json_end(&o, ']');
    json_key(&o, "parameters"), json_int(&o, m->net->params);
    json_key(&o, "multiply_adds"), json_int(&o, net_work(m->net));
    json_key(&o, "weight_bytes_per_step"), json_int(&o, t.weights_read);
    json_key(&o, "steps"), json_bool(&o, m->steps);
    json_key(&o, "state_bytes"), json_int(&o, (int64_t)t.state);
    json_key(&o, "training"), json_begin(&o, '{');
    json_key(&o, "batch"), json_int(&o, batch);
    json_key(&o, "steps"), json_int(&o, steps);
    json_key(&o, "bytes"), json_int(&o, (int64_t)t.training);
    json_end(&o, '}');
    metadata_json(m, &o);
    json_end(&o, '}');
}

laco_status model_describe(const laco_model *m, int64_t batch, int64_t steps, bool as_json, buf *out, laco_error *err)
{
    if (batch < 1 || steps < 1 || batch > most_rows / steps)
        return fail(err, LACO_EINVAL, -1, "batch %lld of %lld steps: from 1, and together at most %lld",
                    (long long)batch, (long long)steps, (long long)most_rows);
    layer_figures *f = mem_new((size_t)m->net->d.layers, sizeof *f);
    if (!f) return fail_memory(err, (size_t)m->net->d.layers * sizeof *f);
    laco_status st = LACO_OK;
    for (int i = 0; !st && i < m->net->d.layers; i++) st = figures_of(m->net, i, &f[i], err);
    if (!st) (as_json ? write_json : write_text)(m, f, totals_of(m, batch, steps), batch, steps, out);
    mem_free(f);
    return st || !out->failed ? st : fail_memory(err, out->len);
}
