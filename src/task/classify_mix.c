/* Naive Bayes beside the network: what a count of words knows and a network that has seen few of them does not. Both
   weights are those of the least loss on the validation part plus ((a - 1)^2 + b^2) / 2, which is convex: Newton's
   method. */
#include "task/classify.h"
#include <math.h>
#include <stdio.h>

static gram_kind grams_for(const examples *e, const reading *f)
{
    int64_t length = -1;
    if (f->unit == UNIT_WORD) return GRAMS_WORDS;
    for (int64_t i = 0; i < e->count; i++) {
        if (e->row[i].part != PART_TRAIN) continue;
        if (length >= 0 && e->row[i].length != length) return GRAMS_CHARACTERS;
        length = e->row[i].length;
    }
    return GRAMS_PLACES;
}
static const char *line_of(const examples *e, int64_t i) { return e->text.data + e->row[i].text; }

laco_status bayes_verdicts(verdicts *v, bayes *b, const examples *e, int part, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i < e->count; i++) {
        double *p = v->p + i * v->width;
        if (part >= 0 && e->row[i].part != part) continue;
        st = bayes_score(b, line_of(e, i), (size_t)e->row[i].bytes, p, err);
        for (int64_t k = 0; !st && k < v->width; k++) p[k] = exp(p[k]);
    }
    return st;
}

/* ---- the weights ---- */
typedef struct fit_point {
    double loss, g[2], h[3]; /* of weights a and b: gradient, second derivatives aa, ab, bb */
} fit_point;
/* x [K][2]: log p of the network and of naive Bayes; adds what an example of class `right` says. */
static void add_example(fit_point *q, const double *x, int64_t K, int32_t right, const double w[2], double *p)
{
    double top = -INFINITY, sum = 0, mean[2] = { 0 }, second[3] = { 0 };
    for (int64_t k = 0; k < K; k++) p[k] = w[0] * x[2 * k] + w[1] * x[2 * k + 1], top = fmax(top, p[k]);
    for (int64_t k = 0; k < K; k++) sum += p[k] = exp(p[k] - top);
    for (int64_t k = 0; k < K; k++) {
        const double *z = x + 2 * k;
        p[k] /= sum;
        mean[0] += p[k] * z[0], mean[1] += p[k] * z[1];
        second[0] += p[k] * z[0] * z[0], second[1] += p[k] * z[0] * z[1], second[2] += p[k] * z[1] * z[1];
    }
    q->loss -= log(fmax(p[right], 1e-300));
    q->g[0] += mean[0] - x[2 * right], q->g[1] += mean[1] - x[2 * right + 1];
    q->h[0] += second[0] - mean[0] * mean[0], q->h[1] += second[1] - mean[0] * mean[1];
    q->h[2] += second[2] - mean[1] * mean[1];
}
static double floored_log(double p) { return log(fmax(p, 1e-12)); }
typedef struct mix_data {
    double *x; /* [n][K][2] */
    int32_t *right;
    double *p; /* [K] */
    int64_t n, K;
} mix_data;
/* With a penalty for weights far from those of the network alone, which a few examples cannot outweigh. */
static fit_point point_at(const mix_data *d, const double w[2])
{
    double off = w[0] - 1;
    fit_point q = { (off * off + w[1] * w[1]) / 2, { off, w[1] }, { 1, 0, 1 } };
    for (int64_t i = 0; i < d->n; i++) add_example(&q, d->x + i * d->K * 2, d->K, d->right[i], w, d->p);
    return q;
}
/* Steps of Newton, halved until the loss falls; weights stay above zero. */
static void fit_weights(const mix_data *d, double w[2])
{
    fit_point q = point_at(d, w);
    for (int round = 0; round < 50; round++) {
        double det = q.h[0] * q.h[2] - q.h[1] * q.h[1],
               step[2] = { (q.h[2] * q.g[0] - q.h[1] * q.g[1]) / det, (q.h[0] * q.g[1] - q.h[1] * q.g[0]) / det };
        bool better = false;
        for (double part = 1; part > 1e-6 && !better; part /= 2) {
            double v[2] = { fmax(0, w[0] - part * step[0]), fmax(0, w[1] - part * step[1]) };
            fit_point r = point_at(d, v);
            better = r.loss < q.loss - 1e-10 * fabs(q.loss);
            if (better) w[0] = v[0], w[1] = v[1], q = r;
        }
        if (!better) return;
    }
}
static laco_status gather(mix_data *d, const examples *e, const verdicts *network, const verdicts *counted,
                          laco_error *err)
{
    d->K = network->width;
    d->x = mem_new((size_t)(e->count * d->K), 2 * sizeof *d->x), d->p = mem_new((size_t)d->K, sizeof *d->p);
    d->right = mem_new((size_t)e->count, sizeof *d->right);
    if (!d->x || !d->p || !d->right) return fail_memory(err, (size_t)(e->count * d->K) * 16);
    for (int64_t i = 0; i < e->count; i++) {
        if (e->row[i].part != PART_VALID || e->row[i].right < 0) continue;
        for (int64_t k = 0; k < d->K; k++) {
            d->x[(d->n * d->K + k) * 2] = floored_log(network->p[i * d->K + k]);
            d->x[(d->n * d->K + k) * 2 + 1] = floored_log(counted->p[i * d->K + k]);
        }
        d->right[d->n++] = e->row[i].right;
    }
    return LACO_OK;
}
laco_status mixture_count(mixture *m, const examples *e, const reading *f, bool valid, laco_error *err)
{
    bayes_free(m->b), m->b = NULL;
    laco_status st = bayes_new(&m->b, grams_for(e, f), f->classes, err);
    for (int64_t i = 0; !st && i < e->count; i++)
        if ((e->row[i].part == PART_TRAIN || (valid && e->row[i].part == PART_VALID)) && e->row[i].right >= 0)
            st = bayes_count(m->b, line_of(e, i), (size_t)e->row[i].bytes, e->row[i].right, err);
    return st ? st : bayes_ready(m->b, err);
}
laco_status mixture_learn(mixture *m, const examples *e, const verdicts *network, const verdicts *counted,
                          laco_error *err)
{
    mix_data d = { 0 };
    double w[2] = { 1, 0 };
    laco_status st = gather(&d, e, network, counted, err);
    if (!st && d.n) {
        double alone = point_at(&d, w).loss;
        fit_weights(&d, w);
        m->network = w[0], m->bayes = w[1];
        m->on = w[1] > 0 && point_at(&d, w).loss < alone;
    }
    mem_free(d.x), mem_free(d.p), mem_free(d.right);
    return st;
}
void mixture_apply(const mixture *m, verdicts *network, const verdicts *counted, int64_t count)
{
    int64_t K = network->width;
    for (int64_t i = 0; i < count; i++) {
        double *p = network->p + i * K, top = -INFINITY, sum = 0;
        for (int64_t k = 0; k < K; k++) {
            p[k] = m->network * floored_log(p[k]) + m->bayes * floored_log(counted->p[i * K + k]);
            top = fmax(top, p[k]);
        }
        for (int64_t k = 0; k < K; k++) sum += p[k] = exp(p[k] - top);
        for (int64_t k = 0; k < K; k++) p[k] /= sum;
    }
}

/* ---- in a model ---- */
laco_status mixture_save(const mixture *m, laco_model *to, laco_error *err)
{
    buf text = { 0 };
    json_out o = { .to = &text };
    if (!m->on) return LACO_OK;
    json_begin(&o, '{');
    json_key(&o, "weights"), json_begin(&o, '[');
    json_number(&o, m->network), json_number(&o, m->bayes);
    json_end(&o, ']');
    json_key(&o, "counts"), bayes_json(m->b, &o);
    json_end(&o, '}');
    laco_status st = text.failed ? fail_memory(err, text.len) : model_set(to, "bayes", text.data, err);
    buf_free(&text);
    return st;
}
laco_status mixture_load(mixture *m, const reading *f, const laco_model *from, laco_error *err)
{
    const char *text = model_get(from, "bayes");
    json_doc *d = NULL;
    *m = (mixture){ 0 };
    if (!text || f->numbers || f->answer != ANSWER_CLASS) return LACO_OK;
    laco_status st = json_parse(&d, text, strlen(text), err);
    const json *w = st ? NULL : json_get(json_root(d), "weights");
    if (!st && (!w || w->kind != JSON_ARRAY || w->len != 2))
        st = fail(err, LACO_EFORMAT, -1, "the weights of naive Bayes are damaged");
    if (!st) m->network = w->item[0].number, m->bayes = w->item[1].number;
    if (!st) st = bayes_parse(&m->b, json_get(json_root(d), "counts"), err);
    if (!st && bayes_classes(m->b) != f->classes)
        st = fail(err, LACO_EFORMAT, -1, "naive Bayes counts other classes than the network has");
    m->on = !st;
    json_free(d);
    return st;
}
