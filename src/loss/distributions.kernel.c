/* Losses of outputs that are the parameters of a distribution: minus the logarithm of the density of the target t.
   softplus(x) = log(1 + e^x); the parts of a target are y0, y1, y2.

   gaussian   m = y0, s = softplus(y1) + e, z = (t - m) / s
              loss  log s + z^2 / 2 + log(2 pi) / 2
              dm = -z / s     ds = (1 - z^2) / s
   student-t  m, s, z the same; v = 2 + e + softplus(y2) degrees of freedom, so that the variance s^2 v / (v - 2) exists
              loss  log G(v/2) - log G((v+1)/2) + log(pi v) / 2 + log s + (v+1)/2 log(1 + z^2 / v)
              dm = -(v+1) z / (s (v + z^2))     ds = (1 - (v+1) z^2 / (v + z^2)) / s
              dv = (psi(v/2) - psi((v+1)/2) + 1/v + log(1 + z^2 / v) - (v+1) z^2 / (v (v + z^2))) / 2
   negative-binomial (Salinas et al. 2020)   m = unit softplus(y0), a = softplus(y1) + e, r = 1 / a; variance m + a m^2
              loss  log G(t+1) + log G(r) - log G(t+r) + (r + t) log(1 + a m) - t log(a m)
              dm = (m - t) / (m (1 + a m))
              da = r^2 (psi(t+r) - psi(r) - log(1 + a m)) - r (t - m) / (1 + a m)

   G: gamma function, psi: its logarithmic derivative (src/math/gamma.h). The last two are computed in double whatever
   the real type, because they are differences of large logarithms. src/loss/heads.h reads the same parameters. */
#include "loss/heads.h"
#include "loss/loss_kernel.h"
#include "math/gamma.h"

INLINE vec gaussian_loss(vec t, const vec *y, real least, vec *d)
{
    vec s = vsoftplus(y[1]) + least, z = (t - y[0]) / s;
    d[0] = -z / s, d[1] = (1 - z * z) / s * vsigmoid(y[1]);
    return vlog(s) + z * z / 2 + (real)0.91893853320467274178;
}
double N(gaussian_row)(const output_rows *rows, int64_t r)
{
    return each_target(rows, r, 2, (real)HEAD_LEAST_SCALE, gaussian_loss);
}

INLINE double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }
INLINE double student_t_loss(const output_rows *rows, int64_t r, double t, const double *y, double *d)
{
    const double s = head_scale(y[1]), v = head_freedom(y[2]), z = (t - y[0]) / s, zz = z * z;
    const double far = log1p(zz / v), part = (v + 1) * zz / (v + zz);
    double psi0, psi1, gamma0 = log_gamma(v / 2, &psi0), gamma1 = log_gamma((v + 1) / 2, &psi1);
    (void)rows, (void)r;
    d[0] = -(v + 1) * z / (s * (v + zz)), d[1] = (1 - part) / s * sigmoid_of(y[1]);
    d[2] = (psi0 - psi1 + 1 / v + far - part / v) / 2 * sigmoid_of(y[2]);
    return gamma0 - gamma1 + log(3.14159265358979323846 * v) / 2 + log(s) + (v + 1) / 2 * far;
}
double N(student_t_row)(const output_rows *rows, int64_t r) { return each_target_double(rows, r, 3, student_t_loss); }

INLINE double negative_binomial_loss(const output_rows *rows, int64_t row, double t, const double *y, double *d)
{
    const double unit = rows->unit ? (double)rows->unit[row] : 1, m = unit * head_count(y[0]),
                 a = head_dispersion(y[1]);
    const double r = 1 / a, am = a * m, more = log1p(am);
    double psi0, psi1, unused, g0 = log_gamma(r, &psi0), g1 = log_gamma(t + r, &psi1), g2 = log_gamma(t + 1, &unused);
    d[0] = (m - t) / (m * (1 + am)) * unit * sigmoid_of(y[0]);
    d[1] = (r * r * (psi1 - psi0 - more) - r * (t - m) / (1 + am)) * sigmoid_of(y[1]);
    return g2 + g0 - g1 + (r + t) * more - t * log(am);
}
double N(negative_binomial_row)(const output_rows *rows, int64_t r)
{
    return each_target_double(rows, r, 2, negative_binomial_loss);
}
