/* Learning-rate schedules, a row each. p: share of the training done, 0 to 1; f: final.

   constant         lr
   step             lr * decay^k, k = epochs done beyond decay_start                          (Zaremba et al. 2014)
   exponential      lr * f^p
   inverse-sqrt     lr * sqrt(w / (update + 1)) beyond the warm-up of w updates               (Vaswani et al. 2017)
   cosine           lr * (f + (1-f) (1 + cos(pi p)) / 2)                                      (Loshchilov & Hutter 2017)
   cosine-restarts  the same in `periods` parts, each period_factor times as long as the one before; p: within a part
   one-cycle        lr * from 0.1 to 1 and back in straight lines, 45 % of the training each, then from 0.1 to f
                                                                     (Smith & Topin 2018; the momentum stays as it is)
   plateau          lr * decay^k, k = times that validation did not improve for plateau_patience measurements
   On any of them the first `warmup` updates rise linearly from 0. */
#ifndef SCHEDULE_H
#define SCHEDULE_H
#include "base/base.h"
typedef struct schedule {
    int row;
    double lr, decay, final, period_factor;
    int64_t warmup, decay_start, periods, plateau_patience;
} schedule;
typedef struct schedule_point {
    int64_t update, epoch; /* updates done; epochs done */
    double share;          /* of the training done, 0 to 1 */
    int64_t plateaus;      /* see schedule_waited */
} schedule_point;
const char *schedule_name(int i); /* NULL past the last */
const char *schedule_about(int i);
laco_status schedule_named(int *row, const char *name, laco_error *err);
double schedule_lr(const schedule *s, const schedule_point *at);
/* After the stale-th measurement in a row that did not improve: whether that makes one plateau more. */
bool schedule_waited(const schedule *s, int64_t stale);
#endif
