/* Readouts that learn from step to step, in double.

   rls   k = P x / (mu + x^T P x)   e = y - W x   W += e k^T   P = (P - k x^T P) / mu,   P(0) = I / lambda
         with mu = 1 after n steps exactly the ridge solution (Haykin 2002; Farhang-Boroujeny 1998)
   force the same, in a network that runs on its own answers (Sussillo & Abbott 2009)
   lms   W += rate e x^T;  nlms: rate / (eps + |x|^2)
   x stands with a 1 behind it where there is a bias. */
#ifndef ONLINE_H
#define ONLINE_H
#include "base/base.h"

typedef enum { ONLINE_RLS, ONLINE_LMS, ONLINE_NLMS } online_rule;
typedef struct online_settings {
    online_rule rule;
    int64_t features, targets;
    bool bias;
    double lambda, forget, rate; /* rls: lambda > 0, forget mu in (0,1]; lms: rate */
} online_settings;
typedef struct online online;
laco_status online_new(online **out, const online_settings *s, laco_error *err);
void online_free(online *o);
void online_answer(const online *o, const double *x, double *y);
/* NaN in y: that target does not learn from this step. error[targets] = y - answer before the step; may be NULL. */
void online_learn(online *o, const double *x, const double *y, double *error);
void online_weights(const online *o, double *w, double *b); /* [targets][features], [targets] */
void online_set(online *o, const double *w, const double *b); /* where it goes on from */
#endif
