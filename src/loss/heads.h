/* What the outputs of a network say under the loss it was trained with: a number, quantiles or a distribution. */
#ifndef HEADS_H
#define HEADS_H
#include "loss/loss.h"
#include <math.h>

/* ---- outputs to parameters of a distribution, as distributions.kernel.c trains them ---- */
#define HEAD_LEAST_SCALE 1e-3
#define HEAD_LEAST_DISPERSION 1e-6
static inline double head_softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
static inline double head_scale(double y) { return head_softplus(y) + HEAD_LEAST_SCALE; }
static inline double head_freedom(double y) { return 2 + HEAD_LEAST_SCALE + head_softplus(y); }
static inline double head_count(double y) { return head_softplus(y) + 1e-30; }
static inline double head_dispersion(double y) { return head_softplus(y) + HEAD_LEAST_DISPERSION; }

/* A target's answer. */
typedef struct head {
    loss_kind kind;
    const loss_options *options; /* of pinball: its levels; kept, not copied */
    double part[LOSS_LEVELS];    /* the number; quantiles, rising; mean or location, scale or dispersion, freedom */
} head;
/* y: the outputs of a row, of `targets` targets, of which this is number j; unit as in output_rows, otherwise 1. What
   is said of the target is then said of a * target + b. */
void head_read(head *h, loss_kind kind, const loss_options *o, const float *y, int64_t targets, int64_t j, double unit);
void head_scale_by(head *h, double a, double b); /* a > 0; counts are not scaled */
double head_mean(const head *h);                 /* of quantiles: the median */
double head_quantile(const head *h, double p);   /* 0 < p < 1; of a number: itself */
double head_cdf(const head *h, double t);        /* probability of at most t */
/* -log of the density or probability; of quantiles and numbers: the loss of which they are the best answer. */
double head_surprise(const head *h, double t);
/* Continuous ranked probability score (Gneiting & Raftery 2007): closed for a normal and Student's t distribution, of a
   number the absolute error, otherwise the mean of twice the pinball loss over levels 0.01 … 0.99, or of those given.
 */
double head_crps(const head *h, double t);
#endif
