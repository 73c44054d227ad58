/* Learning-rate schedules, a row each.

   constant   lr
   step       lr * decay^k, k = epochs done beyond decay_start (Zaremba et al. 2014)
   cosine     lr * (1 + cos(pi p)) / 2 down to 1 % of lr, p = share of the training done (Loshchilov & Hutter 2017)
   plateau    lr * decay^k, k = validations so far that did not improve on the best
   On any of them the first `warmup` updates rise linearly from 0. */
#ifndef SCHEDULE_H
#define SCHEDULE_H
#include "base/base.h"
typedef struct schedule {
    int row;
    double lr, decay;
    int64_t warmup, decay_start;
} schedule;
typedef struct schedule_point {
    int64_t update, epoch; /* updates done; epochs done */
    double share;          /* of the training done, 0 to 1 */
    int64_t plateaus;      /* validations without improvement */
} schedule_point;
const char *const *schedule_names(void);
const char *schedule_about(const char *name);
laco_status schedule_named(int *row, const char *name, laco_error *err);
double schedule_lr(const schedule *s, const schedule_point *at);
#endif
