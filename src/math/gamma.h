/* The logarithm of the gamma function and its derivative, for x > 0.

   x is raised above 10 by  Gamma(x) = Gamma(x + n) / (x (x+1) … (x+n-1));  there (Stirling; Abramowitz & Stegun 6.1.41
   and 6.3.18, Bernoulli numbers up to the sixth and seventh), with u = 1 / x^2:

       log Gamma = (x - 1/2) log x - x + log(2 pi) / 2 + (1/12 - u (1/360 - u (1/1260 - …))) / x
       digamma   = log x - 1 / 2x - u (1/12 - u (1/120 - u (1/252 - …)))

   Unlike lgamma of libm it writes to no variable that threads share, and it is the same on every machine. */
#ifndef GAMMA_H
#define GAMMA_H
#include <math.h>

static inline double log_gamma(double x, double *digamma)
{
    double product = 1, sum = 0;
    for (; x < 10; x++) product *= x, sum += 1 / x;
    const double v = 1 / x, u = v * v, l = log(x);
    const double gamma =
        1 / 12.0 - u * (1 / 360.0 - u * (1 / 1260.0 - u * (1 / 1680.0 - u * (1 / 1188.0 - u * (691 / 360360.0)))));
    const double psi =
        1 / 12.0 - u * (1 / 120.0 - u * (1 / 252.0 - u * (1 / 240.0 - u * (1 / 132.0 - u * (691 / 32760.0 - u / 12)))));
    *digamma = l - v / 2 - u * psi - sum;
    return (x - 0.5) * l - x + 0.91893853320467274178 + gamma * v - log(product);
}
#endif
