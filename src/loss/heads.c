/* Distributions in numbers: cumulative probability, quantiles, scores.

   normal      F(z) = erfc(-z / sqrt 2) / 2
   Student     F(z) = 1 - I_x(v/2, 1/2) / 2 for z >= 0, x = v / (v + z^2), and by symmetry
   neg. bin.   F(k) = I_x(r, k + 1), x = 1 / (1 + a m), r = 1 / a
   I_x(a, b)   the regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) as Lentz 1976
   evaluates it, below (a+1)/(a+b+2); above by I_x(a, b) = 1 - I_{1-x}(b, a) quantiles   by Newton's steps within a
   bracket, halved where a step leaves it; of counts by halving alone

   Continuous ranked probability score, the integral of (F(x) - [t <= x])^2 (Gneiting & Raftery 2007; Jordan et al.
   2019): normal      s (z (2 F(z) - 1) + 2 f(z) - 1 / sqrt(pi)) Student     s (z (2 F(z) - 1) + 2 f(z) (v + z^2) / (v -
   1) - 2 sqrt(v) B(1/2, v - 1/2) / ((v - 1) B(1/2, v/2)^2)) */
#include "loss/heads.h"
#include "math/gamma.h"

static const double pi = 3.14159265358979323846;

static const int outputs_of[] = {
#define LOSS(KIND, function, name, of, outputs, about) outputs,
#include "loss/list.h"
#undef LOSS
};
void head_read(head *h, loss_kind kind, const loss_options *o, const float *y, int64_t targets, int64_t j, double unit)
{
    *h = (head){ .kind = kind, .options = o };
    const int parts = outputs_of[kind] ? outputs_of[kind] : o && o->levels ? o->levels : 1;
    for (int p = 0; p < parts; p++) h->part[p] = (double)y[p * targets + j];
    double *a = h->part;
    switch (kind) {
    case LOSS_BERNOULLI:
        a[0] = fmin(fmax(1 / (1 + exp(-a[0])), 1e-300), 1 - 0x1p-53);
        break;
    case LOSS_GAUSSIAN:
        a[1] = head_scale(a[1]);
        break;
    case LOSS_STUDENT_T:
        a[1] = head_scale(a[1]), a[2] = head_freedom(a[2]);
        break;
    case LOSS_NEGATIVE_BINOMIAL:
        a[0] = unit * head_count(a[0]), a[1] = head_dispersion(a[1]);
        break;
    case LOSS_PINBALL: /* levels that cross are put in order (Chernozhukov et al. 2010) */
        for (int p = 1; p < parts; p++)
            for (int q = p; q > 0 && a[q] < a[q - 1]; q--) {
                double above = a[q - 1];
                a[q - 1] = a[q], a[q] = above;
            }
        break;
    default:
        break;
    }
}
void head_scale_by(head *h, double a, double b)
{
    const bool distribution = h->kind == LOSS_GAUSSIAN || h->kind == LOSS_STUDENT_T;
    if (h->kind == LOSS_NEGATIVE_BINOMIAL || h->kind == LOSS_BERNOULLI) return;
    h->part[0] = a * h->part[0] + b;
    if (distribution) h->part[1] *= a;
    for (int p = 1; h->kind == LOSS_PINBALL && h->options && p < h->options->levels; p++)
        h->part[p] = a * h->part[p] + b;
}

/* ---- functions ---- */
static double incomplete_beta_low(double x, double a, double b)
{
    const double tiny = 1e-300;
    double psi, front = log_gamma(a + b, &psi) - log_gamma(a, &psi) - log_gamma(b, &psi) + a * log(x) + b * log1p(-x);
    double c = 1, d = 1 - (a + b) * x / (a + 1), f;
    d = 1 / (fabs(d) < tiny ? tiny : d), f = d;
    for (int m = 1; m < 20000; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + even * d, c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d), c = fabs(c) < tiny ? tiny : c;
        f *= d * c;
        d = 1 + odd * d, c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d), c = fabs(c) < tiny ? tiny : c;
        f *= d * c;
        if (fabs(d * c - 1) < 1e-15) break;
    }
    return exp(front) * f / a;
}
/* y = 1 - x, given apart so that nothing of it is lost */
static double incomplete_beta(double x, double y, double a, double b)
{
    if (x <= 0 || y <= 0) return x <= 0 ? 0 : 1;
    return x < (a + 1) / (a + b + 2) ? incomplete_beta_low(x, a, b) : 1 - incomplete_beta_low(y, b, a);
}
/* Of the standard normal distribution, v = 0, or Student's t with v degrees of freedom. */
static double standard_cdf(double z, double v)
{
    if (v <= 0) return erfc(-z / sqrt(2)) / 2;
    const double zz = z * z, tail = incomplete_beta(v / (v + zz), zz / (v + zz), v / 2, 0.5) / 2;
    return z > 0 ? 1 - tail : tail;
}
static double standard_log_density(double z, double v)
{
    double psi;
    if (v <= 0) return -z * z / 2 - log(2 * pi) / 2;
    return log_gamma((v + 1) / 2, &psi) - log_gamma(v / 2, &psi) - log(pi * v) / 2 - (v + 1) / 2 * log1p(z * z / v);
}
static double standard_quantile(double p, double v)
{
    double low = -1, high = 0, z;
    if (p > 0.5) return -standard_quantile(1 - p, v);
    while (standard_cdf(low, v) > p && low > -1e150) high = low, low *= 2;
    z = (low + high) / 2;
    for (int i = 0; i < 200; i++) {
        const double off = standard_cdf(z, v) - p;
        if (off > 0)
            high = z;
        else
            low = z;
        double next = z - off / exp(standard_log_density(z, v));
        if (!(next > low && next < high)) next = (low + high) / 2;
        if (fabs(next - z) <= 1e-14 * (1 + fabs(z))) return next;
        z = next;
    }
    return z;
}
static double freedom_of(const head *h) { return h->kind == LOSS_STUDENT_T ? h->part[2] : 0; }
static double count_cdf(const head *h, double k)
{
    const double am = h->part[1] * h->part[0];
    return k < 0 ? 0 : incomplete_beta(1 / (1 + am), am / (1 + am), 1 / h->part[1], floor(k) + 1);
}
static double count_quantile(const head *h, double p)
{
    double low = -1, high = 1; /* cdf(low) < p <= cdf(high) */
    while (count_cdf(h, high) < p && high < 1e15) low = high, high *= 2;
    while (high - low > 1) {
        const double k = floor((low + high) / 2);
        if (count_cdf(h, k) < p)
            low = k;
        else
            high = k;
    }
    return high;
}

/* ---- quantiles that were learned ---- straight lines between the levels, nothing beyond them */
static double level_quantile(const head *h, double p)
{
    const loss_options *o = h->options;
    int q = 0;
    if (!o || o->levels < 2 || p <= o->level[0]) return h->part[0];
    while (q < o->levels - 1 && o->level[q + 1] < p) q++;
    if (q == o->levels - 1) return h->part[q];
    const double part = (p - o->level[q]) / (o->level[q + 1] - o->level[q]);
    return h->part[q] + part * (h->part[q + 1] - h->part[q]);
}
static double level_cdf(const head *h, double t)
{
    const loss_options *o = h->options;
    const int levels = o && o->levels ? o->levels : 1;
    int q = 0;
    while (q < levels && h->part[q] <= t) q++;
    if (q == 0 || q == levels) return q == 0 ? 0 : 1;
    const double part = (t - h->part[q - 1]) / (h->part[q] - h->part[q - 1]);
    return o->level[q - 1] + part * (o->level[q] - o->level[q - 1]);
}
static double pinball(double t, double q, double level) { return t >= q ? level * (t - q) : (1 - level) * (q - t); }

/* ---- what is asked ---- */
double head_mean(const head *h) { return h->kind == LOSS_PINBALL ? level_quantile(h, 0.5) : h->part[0]; }
double head_quantile(const head *h, double p)
{
    switch (h->kind) {
    case LOSS_GAUSSIAN:
    case LOSS_STUDENT_T:
        return h->part[0] + h->part[1] * standard_quantile(p, freedom_of(h));
    case LOSS_NEGATIVE_BINOMIAL:
        return count_quantile(h, p);
    case LOSS_BERNOULLI:
        return p > 1 - h->part[0];
    case LOSS_PINBALL:
        return level_quantile(h, p);
    default:
        return h->part[0];
    }
}
double head_cdf(const head *h, double t)
{
    switch (h->kind) {
    case LOSS_GAUSSIAN:
    case LOSS_STUDENT_T:
        return standard_cdf((t - h->part[0]) / h->part[1], freedom_of(h));
    case LOSS_NEGATIVE_BINOMIAL:
        return count_cdf(h, t);
    case LOSS_BERNOULLI:
        return t < 0 ? 0 : t < 1 ? 1 - h->part[0] : 1;
    case LOSS_PINBALL:
        return level_cdf(h, t);
    default:
        return t >= h->part[0];
    }
}
static double count_surprise(const head *h, double t)
{
    const double r = 1 / h->part[1], am = h->part[1] * h->part[0];
    double psi;
    return log_gamma(t + 1, &psi) + log_gamma(r, &psi) - log_gamma(t + r, &psi) + (r + t) * log1p(am) - t * log(am);
}
double head_surprise(const head *h, double t)
{
    const double e = t - h->part[0], delta = h->options && h->options->delta > 0 ? h->options->delta : 1;
    double sum = 0;
    switch (h->kind) {
    case LOSS_GAUSSIAN:
    case LOSS_STUDENT_T:
        return log(h->part[1]) - standard_log_density(e / h->part[1], freedom_of(h));
    case LOSS_NEGATIVE_BINOMIAL:
        return count_surprise(h, t);
    case LOSS_BERNOULLI:
        return -t * log(h->part[0]) - (1 - t) * log1p(-h->part[0]);
    case LOSS_PINBALL:
        if (!h->options || !h->options->levels) return fabs(e) / 2;
        for (int q = 0; q < h->options->levels; q++) sum += pinball(t, h->part[q], h->options->level[q]);
        return sum;
    case LOSS_ABSOLUTE:
        return fabs(e);
    case LOSS_HUBER:
        return fabs(e) <= delta ? e * e / 2 : delta * (fabs(e) - delta / 2);
    default:
        return e * e;
    }
}
static double standard_crps(double z, double v)
{
    const double middle = z * (2 * standard_cdf(z, v) - 1), density = exp(standard_log_density(z, v));
    double psi;
    if (v <= 0) return middle + 2 * density - 1 / sqrt(pi);
    /* log of B(1/2, v - 1/2) / B(1/2, v/2)^2 */
    const double ratio = log_gamma(v - 0.5, &psi) - log_gamma(v, &psi) - log(pi) / 2 +
                         2 * (log_gamma((v + 1) / 2, &psi) - log_gamma(v / 2, &psi));
    return middle + 2 * density * (v + z * z) / (v - 1) - 2 * sqrt(v) / (v - 1) * exp(ratio);
}
static double quantile_crps(const head *h, double t)
{
    const loss_options *o = h->options;
    const bool given = h->kind == LOSS_PINBALL && o && o->levels;
    const int levels = given ? o->levels : 99;
    double sum = 0;
    for (int q = 0; q < levels; q++) {
        const double level = given ? o->level[q] : (q + 1) / 100.0;
        sum += 2 * pinball(t, head_quantile(h, level), level) / levels;
    }
    return sum;
}
double head_crps(const head *h, double t)
{
    switch (h->kind) {
    case LOSS_GAUSSIAN:
    case LOSS_STUDENT_T:
        return h->part[1] * standard_crps((t - h->part[0]) / h->part[1], freedom_of(h));
    case LOSS_NEGATIVE_BINOMIAL:
    case LOSS_PINBALL:
        return quantile_crps(h, t);
    case LOSS_BERNOULLI:
        return (t - h->part[0]) * (t - h->part[0]);
    default:
        return fabs(t - h->part[0]);
    }
}
