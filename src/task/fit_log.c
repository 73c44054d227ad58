/* The log of a fit: a record after every epoch and, with --log-every, after so many updates. Every record has the same
   columns; what it does not know is NaN. */
#include "task/fit.h"
#include <math.h>

enum { EPOCH, TRAIN_LOSS, VALID_LOSS, RATE, NORM, CLIPPED, LEFT_OUT, SECONDS, COLUMNS };
static const char *const columns[COLUMNS] = { "epoch",         "train_loss", "valid_loss", "learning_rate",
                                              "gradient_norm", "clipped",    "left_out",   "seconds" };

laco_status fit_log_open(fit *f, laco_error *err)
{
    const char *path = options_text(f->o, "log");
    f->log_every = options_int(f->o, "log-every");
    return path ? log_open(&f->log, path, f->from ? f->c.log_bytes : -1, err) : LACO_OK;
}
static laco_status record(fit *f, double x[COLUMNS + FIT_METRICS], const fit_score *valid, laco_error *err)
{
    const char *names[COLUMNS + FIT_METRICS];
    const train_counts *c = trainer_counted(f->t);
    int n = COLUMNS;
    for (int i = 0; i < COLUMNS; i++) names[i] = columns[i];
    for (const fit_metric *m = f->task->metric; m && m->name; m++, n++)
        names[n] = m->name, x[n] = valid ? valid->metric[n - COLUMNS] : NAN;
    x[CLIPPED] = (double)c->clipped, x[LEFT_OUT] = (double)(c->not_finite + c->outliers);
    x[SECONDS] = fit_elapsed(f);
    return log_record(f->log, c->updates, names, x, n, err);
}
laco_status fit_log_epoch(fit *f, const fit_score *valid, laco_error *err)
{
    double x[COLUMNS + FIT_METRICS];
    if (!f->log) return LACO_OK;
    x[EPOCH] = (double)f->c.epoch + 1, x[TRAIN_LOSS] = fit_loss(&f->train), x[VALID_LOSS] = fit_loss(valid);
    x[RATE] = x[NORM] = NAN;
    return record(f, x, valid, err);
}
laco_status fit_log_window(fit *f, const window_result *w, laco_error *err)
{
    double x[COLUMNS + FIT_METRICS];
    if (!f->log || !f->log_every || w->update != UPDATED || trainer_counted(f->t)->updates % f->log_every)
        return LACO_OK;
    x[EPOCH] = (double)f->c.epoch + (double)f->c.done / (double)f->tokens;
    x[TRAIN_LOSS] = w->loss / (double)max64(1, w->tokens), x[VALID_LOSS] = NAN, x[RATE] = w->lr, x[NORM] = w->norm;
    return record(f, x, NULL, err);
}
