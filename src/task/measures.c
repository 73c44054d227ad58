#include "task/measures.h"
#include <math.h>

/* ---- ranks ---- */
typedef struct ranked {
    double p;
    bool one;
} ranked;
static int by_p(const void *a, const void *b)
{
    double x = ((const ranked *)a)->p, y = ((const ranked *)b)->p;
    return (x > y) - (x < y);
}
/* The sum of the ranks of side 1, equals with the mean of their ranks, gives the pairs that are in order. */
laco_status measure_auc(double *out, const double *p, int64_t stride, const int8_t *side, int64_t n, laco_error *err)
{
    ranked *r = mem_new((size_t)n, sizeof *r);
    double ranks = 0, ones = 0;
    int64_t count = 0;
    if (!r) return fail_memory(err, (size_t)n * sizeof *r);
    for (int64_t i = 0; i < n; i++)
        if (side[i] >= 0) r[count++] = (ranked){ p[i * stride], side[i] == 1 };
    qsort(r, (size_t)count, sizeof *r, by_p);
    for (int64_t i = 0, e; i < count; i = e) {
        int64_t here = 0;
        for (e = i; e < count && r[e].p == r[i].p; e++) here += r[e].one;
        ones += (double)here, ranks += (double)here * (double)(i + 1 + e) / 2;
    }
    double others = (double)count - ones;
    *out = ones > 0 && others > 0 ? (ranks - ones * (ones + 1) / 2) / (ones * others) : NAN;
    mem_free(r);
    return LACO_OK;
}
/* The mean of what is a number. */
typedef struct mean_of {
    double sum, n;
} mean_of;
static void add_number(mean_of *m, double x)
{
    if (!isnan(x)) m->sum += x, m->n++;
}
static double mean_so_far(const mean_of *m) { return m->n > 0 ? m->sum / m->n : NAN; }

/* ---- classes ---- */
enum { BINS = 15 };
typedef struct bins {
    double p[BINS], right[BINS];
} bins;
static int64_t most_probable(const double *p, int64_t K)
{
    int64_t best = 0;
    for (int64_t k = 1; k < K; k++)
        if (p[k] > p[best]) best = k;
    return best;
}
static double calibration_error(const bins *b, double n)
{
    double sum = 0;
    for (int i = 0; i < BINS; i++) sum += fabs(b->p[i] - b->right[i]);
    return sum / n;
}
static double log_of(double p) { return log(fmax(p, 1e-300)); }
static void confuse(class_figures *out, int64_t *confusion, const double *p, const int32_t *right, int64_t n, int64_t K)
{
    bins b = { 0 };
    int64_t hits = 0;
    for (int64_t i = 0; i < n; i++, p += K) {
        if (right[i] < 0) continue;
        int64_t said = most_probable(p, K);
        int bin = (int)fmin(BINS - 1, fmax(0, p[said] * BINS));
        confusion[right[i] * K + said]++, hits += said == right[i], out->n++;
        b.p[bin] += p[said], b.right[bin] += said == right[i];
        out->loss -= log_of(p[right[i]]);
    }
    double rows = (double)out->n;
    out->loss /= rows, out->accuracy = (double)hits / rows, out->calibration = calibration_error(&b, rows);
}
static void judge_each(class_figures *out, const int64_t *confusion, int64_t K)
{
    mean_of recall = { 0 }, f1 = { 0 };
    for (int64_t k = 0; k < K; k++) {
        double there = 0, said = 0, hit = (double)confusion[k * K + k];
        for (int64_t i = 0; i < K; i++) there += (double)confusion[k * K + i], said += (double)confusion[i * K + k];
        if (there > 0) add_number(&recall, hit / there);
        if (there + said > 0) add_number(&f1, 2 * hit / (there + said));
    }
    out->recall = mean_so_far(&recall), out->f1 = mean_so_far(&f1);
}
static laco_status mean_auc(double *out, const double *p, const int32_t *right, int64_t n, int64_t K, laco_error *err)
{
    mean_of all = { 0 };
    int8_t *side = mem_new((size_t)n, sizeof *side);
    laco_status st = side ? LACO_OK : fail_memory(err, (size_t)n);
    for (int64_t k = 0; !st && k < K; k++) {
        double auc;
        for (int64_t i = 0; i < n; i++) side[i] = right[i] < 0 ? -1 : right[i] == k;
        st = measure_auc(&auc, p + k, K, side, n, err);
        if (!st) add_number(&all, auc);
    }
    *out = mean_so_far(&all);
    mem_free(side);
    return st;
}
laco_status measure_classes(class_figures *out, int64_t *confusion, const double *p, const int32_t *right, int64_t n,
                            int64_t K, laco_error *err)
{
    int64_t *own = confusion ? confusion : mem_new((size_t)(K * K), sizeof *own);
    if (!own) return fail_memory(err, (size_t)(K * K) * sizeof *own);
    *out = (class_figures){ 0 };
    memset(own, 0, (size_t)(K * K) * sizeof *own);
    confuse(out, own, p, right, n, K), judge_each(out, own, K);
    laco_status st = mean_auc(&out->auc, p, right, n, K, err);
    if (!confusion) mem_free(own);
    return st;
}

/* ---- independent labels ---- */
typedef struct hits {
    double both, said, there;
} hits;
static double f1_of(const hits *h) { return h->said + h->there > 0 ? 2 * h->both / (h->said + h->there) : NAN; }
static laco_status one_label(label_figures *out, hits *h, double *auc, int8_t *side, const double *p,
                             const float *right, int64_t n, int64_t K, laco_error *err)
{
    *h = (hits){ 0 };
    for (int64_t i = 0; i < n; i++) {
        double x = p[i * K];
        bool known = right[i * K] >= 0, yes = right[i * K] > 0.5f;
        side[i] = known ? yes : -1;
        if (!known) continue;
        out->loss -= log_of(yes ? x : 1 - x);
        h->both += yes && x > 0.5, h->said += x > 0.5, h->there += yes;
    }
    return measure_auc(auc, p, K, side, n, err);
}
static void count_exact(label_figures *out, const double *p, const float *right, int64_t n, int64_t K)
{
    for (int64_t i = 0; i < n; i++) {
        bool known = true, all = true;
        for (int64_t k = i * K; k < (i + 1) * K; k++) known &= right[k] >= 0, all &= (p[k] > 0.5) == (right[k] > 0.5f);
        out->n += known, out->exact += known && all;
    }
    out->exact /= (double)out->n, out->loss /= (double)out->n;
}
laco_status measure_labels(label_figures *out, const double *p, const float *right, int64_t n, int64_t K,
                           laco_error *err)
{
    mean_of f1 = { 0 }, auc = { 0 };
    hits all = { 0 };
    int8_t *side = mem_new((size_t)n, sizeof *side);
    laco_status st = side ? LACO_OK : fail_memory(err, (size_t)n);
    *out = (label_figures){ 0 };
    for (int64_t k = 0; !st && k < K; k++) {
        hits h;
        double area;
        if ((st = one_label(out, &h, &area, side, p + k, right + k, n, K, err))) break;
        all.both += h.both, all.said += h.said, all.there += h.there;
        add_number(&f1, f1_of(&h)), add_number(&auc, area);
    }
    mem_free(side);
    if (st) return st;
    count_exact(out, p, right, n, K);
    out->f1 = mean_so_far(&f1), out->micro_f1 = f1_of(&all), out->auc = mean_so_far(&auc);
    return LACO_OK;
}

/* ---- numbers ---- */
number_figures measure_numbers(const double *y, const double *t, int64_t n)
{
    number_figures f = { 0 };
    double mean = 0, squares = 0, spread = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(t[i])) mean += t[i], f.n++;
    double rows = (double)f.n;
    mean /= rows;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(t[i])) continue;
        double d = y[i] - t[i];
        squares += d * d, spread += (t[i] - mean) * (t[i] - mean), f.mae += fabs(d);
        f.late += d < 0 ? expm1(-d / 13) : expm1(d / 10);
    }
    f.rmse = sqrt(squares / rows), f.mae /= rows, f.r2 = spread > 0 ? 1 - squares / spread : NAN;
    if (!f.n) f.late = NAN;
    return f;
}
