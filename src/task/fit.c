#include "base/spill.h"
#include "task/fit.h"
#include <math.h>
#include <stdio.h>

double fit_loss(const fit_score *s) { return s->tokens ? s->loss / (double)s->tokens : NAN; }
fit_score fit_best(const fit *f)
{
    fit_score s = { .loss = f->x.best_loss, .tokens = f->c.best_tokens };
    memcpy(s.metric, f->x.best_metric, sizeof s.metric);
    return s;
}

/* ---- life ---- */
static laco_status note_network(const fit *f, laco_error *err)
{
    train_memory m;
    const net *n = f->m->net;
    char a[32];
    double mb = 1.0 / (1 << 20);
    task_note(f->j, "network   %s", f->m->description);
    task_note(f->j, "size      %s parameters, %.1f MB", task_count(n->params, a), (double)n->params * 4 * mb);
    laco_status st = trainer_memory(n, &f->s, &m, err);
    if (st) return st;
    const window_plan *p = &m.plan;
    buf kept = { 0 };
    if (p->segments > 1) buf_printf(&kept, " in %lld segments", (long long)p->segments);
    if (p->tapes < p->segments)
        buf_printf(&kept, ", %lld kept, the rest made again (%.2f times forward)", (long long)p->tapes, p->forward);
    task_note(f->j, "memory    %.1f MB weights, gradients, optimizer; %.1f MB for %lld x %lld tokens%s",
              (double)m.weights * mb, (double)m.window * mb, (long long)f->s.batch, (long long)f->s.steps,
              kept.data ? kept.data : "");
    buf_free(&kept);
    if (spill_held())
        task_note(f->j, "on disk   %.1f MB of the data, which are larger than memory allows (LACO_SPILL)",
                  (double)spill_held() * mb);
    return LACO_OK;
}
static laco_status choose_judge(fit *f, laco_error *err)
{
    const char *name = options_text(f->o, "best-by"), *names[FIT_METRICS + 2] = { "loss" };
    int n = 1;
    f->judge = -1;
    if (!name || !strcmp(name, "loss")) return LACO_OK;
    for (const fit_metric *m = f->task->metric; m && m->name; m++) names[n++] = m->name;
    for (int i = 1; i < n; i++)
        if (!strcmp(names[i], name)) return f->judge = i - 1, LACO_OK;
    buf list = { 0 };
    for (int i = 0; i < n; i++) buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    laco_status st = list.failed
                         ? fail_memory(err, list.len)
                         : fail(err, LACO_EINVAL, -1, "--best-by %.40s: this task measures %s", name, list.data);
    buf_free(&list);
    return st;
}
laco_status fit_open(fit *f, task_job *j, const fit_task *task, void *ctx, laco_model *m, int64_t tokens,
                     laco_error *err)
{
    f->j = j, f->task = task, f->ctx = ctx, f->m = m, f->tokens = max64(1, tokens);
    bool full_batch = m->net->k->optim->row(f->s.optimizer)->full_batch;
    double windows = f->windows ? (double)f->windows : ceil((double)f->tokens / ((double)f->s.batch * (double)f->s.steps)),
           updates = (double)f->epochs * ceil(windows / (double)f->s.accumulate);
    if (!options_given(f->o, "warmup")) /* a short run; rprop, whose first steps are of the size of the rate */
        f->s.schedule.warmup = full_batch ? 0 : (int64_t)fmin((double)f->s.schedule.warmup, floor(updates / 10));
    laco_status st = note_network(f, err);
    if (!st) st = choose_judge(f, err);
    if (!st) st = trainer_new(&f->t, m->net, &f->s, err);
    if (!st && !j->resume) st = fit_log_open(f, err); /* a folder is made when all else is well */
    if (!st) st = fit_checkpoint_open(f, err);
    if (!st && j->resume) st = fit_log_open(f, err);
    return st;
}
void fit_close(fit *f)
{
    trainer_free(f->t), checkpoints_close(f->to), st_free(f->from), log_close(f->log), mem_free(f->best);
    f->t = NULL, f->to = NULL, f->from = NULL, f->log = NULL, f->best = NULL;
}

/* ---- the model ---- */
laco_status fit_save(fit *f, laco_error *err)
{
    buf text = { 0 };
    json_out o = { .to = &text };
    fit_score best = fit_best(f);
    json_begin(&o, '{');
    json_key(&o, "epoch"), json_int(&o, f->c.best_epoch);
    if (best.tokens) f->task->score_json(f->ctx, &o, "valid", &best);
    if (f->task->figures) f->task->figures(f->ctx, &o);
    json_key(&o, "optimizer"), json_text(&o, options_text(f->o, "optimizer"));
    json_key(&o, "lr"), json_number(&o, f->s.schedule.lr);
    json_key(&o, "batch"), json_int(&o, f->s.batch);
    json_key(&o, "steps"), json_int(&o, f->s.steps);
    json_key(&o, "updates"), json_int(&o, f->c.best_updates);
    json_key(&o, "clipped"), json_int(&o, f->c.best_clipped);
    json_end(&o, '}');
    laco_status st = text.failed ? fail_memory(err, text.len) : model_set(f->m, "training", text.data, err);
    if (!st) st = model_save(f->m, options_text(f->o, "out"), err);
    f->saved = clock_seconds(), f->unsaved &= st != LACO_OK;
    buf_free(&text);
    return st;
}
/* Writing waits for the disk: where epochs are shorter than this the best stays in memory for a while. */
static const double save_pause = 1;

static size_t weight_bytes(const fit *f) { return (size_t)(f->m->net->params * f->m->net->k->real_size); }
static laco_status keep_best(fit *f, const fit_score *valid, laco_error *err)
{
    if (!f->best && !(f->best = mem_new(weight_bytes(f), 1))) return fail_memory(err, weight_bytes(f));
    memcpy(f->best, f->m->net->w, weight_bytes(f));
    f->c.best_epoch = f->c.epoch + 1, f->c.stale = 0;
    f->c.best_updates = trainer_counted(f->t)->updates, f->c.best_clipped = trainer_counted(f->t)->clipped;
    f->x.best_loss = valid->loss, f->c.best_tokens = valid->tokens;
    memcpy(f->x.best_metric, valid->metric, sizeof valid->metric);
    f->unsaved = f->saved > 0 && clock_seconds() - f->saved < save_pause;
    return f->unsaved ? LACO_OK : fit_save(f, err);
}
static laco_status save_best(fit *f, laco_error *err)
{
    void *w = f->m->net->w;
    f->m->net->w = f->best;
    laco_status st = fit_save(f, err);
    f->m->net->w = w;
    return st;
}
static void restore_best(fit *f) { memcpy(f->m->net->w, f->best, weight_bytes(f)); }

/* ---- epochs ---- */
double fit_elapsed(const fit *f) { return f->x.elapsed + clock_seconds() - f->began; }
static bool out_of_time(const fit *f) { return f->limit > 0 && fit_elapsed(f) >= f->limit; }
static bool ends(const fit *f) { return *f->j->stop || f->nothing_left || out_of_time(f); }
static double share_done(const fit *f)
{
    double tokens = ((double)f->c.epoch + (double)f->c.done / (double)f->tokens) / (double)f->epochs;
    return f->limit > 0 ? fmax(tokens, fit_elapsed(f) / f->limit) : tokens;
}
static schedule_point point_of(const fit *f)
{
    return (schedule_point){ .epoch = f->c.epoch, .share = share_done(f), .plateaus = f->c.plateaus };
}
static void show_training(fit *f)
{
    if (!task_wants_progress(f->j)) return;
    double spent = fit_elapsed(f), share = share_done(f), now = clock_seconds();
    fit_score best = fit_best(f);
    task_progress(f->j, &(laco_progress){ .phase = "train",
                                          .done = trainer_counted(f->t)->updates,
                                          .epoch = (double)f->c.epoch + (double)f->c.done / (double)f->tokens,
                                          .loss = fit_loss(&f->train),
                                          .valid_loss = fit_loss(&best),
                                          .rate = (double)f->seen / fmax(f->training + now - f->epoch_began, 1e-9),
                                          .elapsed = now - f->began,
                                          .left = share > 0 ? spent * (1 - share) / share : -1 });
}
/* Back to the best weights, with half the rate: what came after them has led nowhere. */
enum { MOST_ROLLBACKS = 10 };
static laco_status roll_back(fit *f, const char *why, laco_error *err)
{
    if (!f->best) return fail(err, LACO_ENUMERIC, -1, "%s, and there is no best network yet to go back to", why);
    if (f->c.rollbacks >= MOST_ROLLBACKS)
        return fail(err, LACO_ENUMERIC, -1, "%s, after %d returns to the best network", why, MOST_ROLLBACKS);
    trainer_show_average(f->t, false);
    restore_best(f), trainer_restart(f->t, 0.5), f->c.rollbacks++;
    task_note(f->j, "back      %s: on from the weights of epoch %lld with half the rate", why,
              (long long)f->c.best_epoch);
    return LACO_OK;
}
/* What a window came to: skipped updates are told once, an error may be answered by going back. */
static laco_status heed_window(fit *f, const window_result *w, laco_status st, laco_error *err)
{
    if (st == LACO_ENUMERIC && f->rolls_back) {
        char why[sizeof err->msg];
        snprintf(why, sizeof why, "%s", err ? err->msg : "the loss is not finite");
        return roll_back(f, why, err);
    }
    const train_counts *c = trainer_counted(f->t);
    if (!st && w->update == NOT_FINITE && c->not_finite == 1)
        task_note(f->j, "skipped   an update that is not finite (%s); others that follow are only counted",
                  trainer_trouble(f->t));
    if (w->update == OUTLIER && c->outliers == 1)
        task_note(f->j, "skipped   an outlier: loss %.4g, gradient %.3g; others that follow are only counted",
                  w->loss / (double)max64(1, w->tokens), w->norm);
    return st;
}
static laco_status train_windows(fit *f, const train_batch *b, laco_error *err)
{
    laco_status st = LACO_OK;
    trainer_begin(f->t, b);
    if (f->from) st = fit_resume_batch(f, err);
    while (!st && trainer_more(f->t) && !ends(f)) {
        window_result w = { 0 };
        st = trainer_window(f->t, point_of(f), &w, err);
        if (st || w.update > UPDATED) st = heed_window(f, &w, st, err);
        if (isfinite(w.loss)) f->train.loss += w.loss, f->train.tokens += w.tokens;
        f->c.done += w.tokens, f->seen += w.tokens;
        f->c.step = trainer_next(f->t);
        if (!st) st = fit_log_window(f, &w, err);
        show_training(f);
        if (!st && fit_checkpoint_due(f)) fit_checkpoint(f, 0, false);
    }
    return st;
}
/* Whether the epoch came to its end. */
static laco_status train_epoch(fit *f, bool *whole, laco_error *err)
{
    window_result last;
    if (f->solves) return *whole = true, fit_readout(f, err);
    for (*whole = false; !ends(f); f->c.batch++, f->c.step = 0) {
        train_batch b = { 0 };
        laco_status st = f->task->batch(f->ctx, f->c.epoch, f->c.batch, &b, err);
        if (!st && !b.B) {
            *whole = true;
            st_free(f->from), f->from = NULL; /* stopped behind the last batch: there is no other to take it back in */
            st = trainer_flush(f->t, point_of(f), &last, err);
            return st || last.update > UPDATED ? heed_window(f, &last, st, err) : st;
        }
        if (!st) st = train_windows(f, &b, err);
        if (st) return st;
        if (trainer_more(f->t)) break; /* stopped inside the batch: there it goes on */
    }
    return LACO_OK;
}

static const double note_pause = 0.5; /* seconds: short epochs are not all told, the first and the last are */

static void note_epoch(fit *f, const fit_score *valid, double seconds, bool best)
{
    char v[96] = "", epochs[24];
    double now = clock_seconds();
    if (f->noted > 0 && now - f->noted < note_pause && f->c.epoch + 1 < f->epochs && !*f->j->stop) return;
    f->noted = now;
    if (valid->tokens) f->task->say(f->ctx, valid, v, sizeof v);
    int width = snprintf(epochs, sizeof epochs, "%lld", (long long)f->epochs);
    task_note(f->j, "epoch %*lld/%s  train %.4f%s%s  %3.0f s %6.1f k/s%s", width, (long long)f->c.epoch + 1, epochs,
              fit_loss(&f->train), valid->tokens ? "  valid " : "", v, seconds,
              (double)(f->seen - f->seen_before) / fmax(seconds, 1e-9) / 1000, best && valid->tokens ? "  best" : "");
}
static bool is_better(const fit *f, const fit_score *valid)
{
    fit_score best = fit_best(f);
    if (!valid->tokens || !f->best) return !valid->tokens || isfinite(valid->loss);
    if (f->judge < 0) return fit_loss(valid) < fit_loss(&best);
    double now = valid->metric[f->judge], then = best.metric[f->judge];
    if (now == then) return fit_loss(valid) < fit_loss(&best); /* equally good: the surer one */
    return f->task->metric[f->judge].higher ? now > then : now < then;
}
/* The validation of a stopped run is finished too: it decides what is kept. */
static laco_status measure(fit *f, fit_score *valid, laco_error *err)
{
    static const int never = 0;
    const volatile int *stop = f->j->stop;
    *valid = (fit_score){ 0 };
    if (!f->task->measure) return LACO_OK;
    f->j->stop = &never;
    laco_status st = f->task->measure(f->ctx, valid, err);
    f->j->stop = stop;
    if (!st && valid->tokens && !isfinite(valid->loss) && !f->rolls_back)
        st = fail(err, LACO_ENUMERIC, -1, "the validation loss is not finite; use a smaller --lr or set --clip");
    return st;
}
/* NT-ASGD (Merity et al. 2017, algorithm 1): the average begins when validation is worse than the best of all but the
   last n. */
static void judge_average(fit *f, const fit_score *valid)
{
    int64_t n = f->patience_to_average, k = f->c.validated;
    if (!n || !valid->tokens || trainer_counted(f->t)->averaging) return;
    if (k > n) {
        double left = f->x.lately[(k - 1 - n) % FIT_LATELY];
        f->x.before = k == n + 1 ? left : fmin(f->x.before, left);
        if (fit_loss(valid) > f->x.before) {
            trainer_average(f->t);
            task_note(f->j, "average   of the weights from here on");
        }
    }
    f->x.lately[k % FIT_LATELY] = fit_loss(valid), f->c.validated++;
}
static bool diverges(const fit *f, const fit_score *valid)
{
    fit_score best = fit_best(f);
    if (!valid->tokens || !f->best) return false;
    if (!isfinite(valid->loss)) return f->rolls_back;
    return f->worse > 0 && fit_loss(valid) > fit_loss(&best) + f->worse * fabs(fit_loss(&best));
}
/* After an epoch, or when training is cut short: validation, and the model when it is the best. */
static laco_status end_epoch(fit *f, bool *best, laco_error *err)
{
    double seconds = clock_seconds() - f->epoch_began;
    fit_score valid;
    f->training += seconds;
    laco_status st = measure(f, &valid, err);
    if (st) return st;
    *best = is_better(f, &valid);
    f->c.solved = valid.tokens && f->task->solved && f->task->solved(f->ctx, &valid);
    note_epoch(f, &valid, seconds, *best);
    if (!*best) f->c.plateaus += schedule_waited(&f->s.schedule, ++f->c.stale);
    judge_average(f, &valid);
    st = fit_log_epoch(f, &valid, err);
    if (!st && diverges(f, &valid)) return *best = false, roll_back(f, "validation has become worse", err);
    return st || !*best ? st : keep_best(f, &valid, err);
}
/* Patience is at its end, or there is nothing left to learn. */
static bool is_over(const fit *f)
{
    int64_t patience = options_int(f->o, "patience");
    return f->c.solved || (patience && f->c.stale >= patience);
}
static bool is_major(int64_t epoch) { return (epoch & (epoch - 1)) == 0; }
static laco_status one_epoch(fit *f, bool *whole, laco_error *err)
{
    bool best = false;
    f->epoch_began = clock_seconds(), f->seen_before = f->seen;
    if (!f->c.batch && !f->c.step) f->train = (fit_score){ 0 }, f->c.done = 0;
    laco_status st = train_epoch(f, whole, err);
    if (st) return st;
    if (!*whole && !f->from) fit_checkpoint(f, 0, false); /* before the validation that only a stop brings */
    bool any = f->c.done > 0;
    trainer_show_average(f->t, true);
    if (any) st = end_epoch(f, &best, err);
    trainer_show_average(f->t, false);
    trainer_begin(f->t, &(train_batch){ 0 }); /* the rows of the last batch, or of validation, are gone */
    if (st) return st;
    f->c.epoch += *whole || any, f->c.batch = f->c.step = f->c.done = 0;
    if (f->unsaved && clock_seconds() - f->saved >= save_pause && (st = save_best(f, err))) return st;
    if (*whole && (best || is_major(f->c.epoch)) && clock_seconds() - f->checked > save_pause)
        fit_checkpoint(f, is_major(f->c.epoch) ? f->c.epoch : 0, best);
    return LACO_OK;
}
static void note_end(const fit *f)
{
    char shown[32];
    if (f->c.solved)
        task_note(f->j, "solved    in epoch %lld", (long long)f->c.epoch);
    else if (is_over(f))
        task_note(f->j, "no improvement for %lld validations: stopped", (long long)f->c.stale);
    else if (*f->j->stop)
        task_note(f->j, "stopped   after %s updates; the best model so far is kept%s",
                  task_count(trainer_counted(f->t)->updates, shown), f->to ? ", and a checkpoint to go on from" : "");
}
/* The figure that chose the best, turned so that less is better; without validation the loss of training. */
static double score_of_best(const fit *f)
{
    fit_score best = fit_best(f);
    if (!best.tokens) return fit_loss(&f->train);
    if (f->judge < 0) return fit_loss(&best);
    return f->task->metric[f->judge].higher ? -best.metric[f->judge] : best.metric[f->judge];
}
laco_status fit_run(fit *f, laco_error *err)
{
    laco_status st = LACO_OK;
    bool whole = true;
    f->began = f->checked = clock_seconds();
    if (f->to && !f->from) fit_checkpoint(f, 0, false); /* a run that is killed soon goes on from its beginning */
    /* the part of an epoch that was trained before a stop is judged, even if nothing more is to be done */
    bool inside = f->from && f->c.done > 0;
    f->nothing_left = is_over(f) || f->c.epoch >= f->epochs;
    for (; !st && whole && (inside || (!is_over(f) && f->c.epoch < f->epochs && !ends(f))); inside = false)
        st = one_epoch(f, &whole, err);
    if (st && f->unsaved) save_best(f, NULL); /* what failed later is the error to tell */
    if (!st && !f->best) st = fail(err, LACO_ESTOPPED, -1, "stopped before the first update: no model was written");
    if (st) return st;
    note_end(f);
    if (whole && !f->from) fit_checkpoint(f, 0, false); /* from where more epochs can go on */
    f->x.elapsed = fit_elapsed(f), f->began = clock_seconds();
    f->j->score = score_of_best(f);
    restore_best(f);
    return LACO_OK;
}
void fit_json(const fit *f, json_out *o)
{
    json_key(o, "parameters"), json_int(o, f->m->net->params);
    json_key(o, "epochs"), json_int(o, f->c.epoch);
    json_key(o, "best_epoch"), json_int(o, f->c.best_epoch);
    json_key(o, "updates"), json_int(o, trainer_counted(f->t)->updates);
    json_key(o, "seconds"), json_number(o, f->x.elapsed);
    const train_counts *c = trainer_counted(f->t);
    const struct {
        const char *name;
        int64_t count;
    } guarded[] = { { "clipped", c->clipped },
                    { "not_finite", c->not_finite },
                    { "outliers", c->outliers },
                    { "rollbacks", f->c.rollbacks } };
    for (size_t i = 0; i < sizeof guarded / sizeof *guarded; i++)
        if (guarded[i].count) json_key(o, guarded[i].name), json_int(o, guarded[i].count);
}
