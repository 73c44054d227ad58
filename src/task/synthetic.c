/* laco train synthetic: a network on a long-memory task (src/data/synthetic.h), until it is solved by the criterion of
   the task's paper or the epochs are over.

   Training sequences are fresh in every epoch (of a fixed set where the paper has one). After each epoch held-out
   sequences are measured; when they meet the criterion, so must those of the test set, and training ends. */
#include "task/fit.h"
#include "task/drawn.h"
#include <math.h>
#include <stdio.h>

/* A network and settings that solve a task; options change them. */
typedef struct recipe {
    const char *task, *cell;
    int64_t hidden;
    double lr, forget_bias, average; /* forget_bias: of the chrono initialiser */
    int64_t batch, epochs;
} recipe;
static const recipe recipes[] = {
    { "adding", "lstm", 64, 0.005, 6, 0, 32, 50 },
    { "multiplication", "lstm", 64, 0.005, 4.6, 0, 32, 50 },
    { "copy", "lstm", 128, 0.004, 5.5, 0.999, 8, 60 },
    { "temporal-order", "lstm", 32, 0.005, 4.6, 0, 32, 50 },
    { "parity", "lstm", 16, 0.01, 3, 0, 32, 50 },
    { "reber", "lstm", 8, 0.01, 2, 0, 8, 200 },
    { "embedded-reber", "lstm", 8, 0.01, 2, 0, 8, 200 },
    { "noisy-sequence", "lstm", 8, 0.01, 4.6, 0, 32, 50 },
    { "noisy-signal", "lstm", 8, 0.01, 4.6, 0, 32, 50 },
    { "noisy-target", "lstm", 8, 0.01, 4.6, 0, 32, 50 },
    { "noisy-channels", "lstm", 16, 0.005, 4.6, 0, 32, 50 },
    { "flip-flop", "lstm", 32, 0.005, 3, 0, 32, 50 },
    { "anbn", "lstm peephole", 4, 0.015, 3, 0, 2, 200 },
    { "anbncn", "lstm peephole", 4, 0.015, 3, 0, 2, 300 },
};

typedef struct synth_run {
    task_job *j;
    const options *o;
    const recipe *recipe;
    synth *s;
    laco_model *m;
    fit fit;
    drawn train, held;
    answers answers;
    synth_score valid, test, constant; /* of the last measurement; test: when valid met the criterion */
} synth_run;

/* ---- batches and measuring ---- */
static laco_status next_batch(void *ctx, int64_t epoch, int64_t k, train_batch *out, laco_error *err)
{
    synth_run *r = ctx;
    int64_t n = synth_count(r->s, SYNTH_TRAIN), from = k * r->fit.s.batch, count = min64(r->fit.s.batch, n - from);
    if (count <= 0) return LACO_OK;
    laco_status st = drawn_make(&r->train, r->s, SYNTH_TRAIN, epoch * n + from, count, err);
    if (!st) *out = drawn_batch(&r->train, r->s);
    return st;
}
enum { METRIC_DISTANCE, METRIC_FIGURE, METRIC_WRONG, METRIC_SQUARED };
static const fit_metric metrics[] = {
    { "distance", "0 when the criterion is met; otherwise above 1 and the smaller the nearer", false },
    { "figure", "what the criterion bounds", false },
    { "wrong", "share of the sequences that are not right", false },
    { "squared", "mean square error of the outputs", false },
    { NULL, NULL, false },
};
static double share(int64_t part, int64_t of) { return (double)part / (double)max64(1, of); }
static bool solved(const synth_run *r) { return synth_solved(r->s, &r->valid) && synth_solved(r->s, &r->test); }
static fit_score score_of(const synth_run *r, const synth_score *q)
{
    double figure = synth_figure_of(r->s, q), loss = q->loss / (double)max64(1, q->losses);
    if (r->s->task->figure == FIGURE_REACH) figure = 1 / (1 + figure);
    fit_score f = { .loss = q->loss, .tokens = q->losses };
    f.metric[METRIC_DISTANCE] = solved(r) ? 0 : 1 + figure + fmin(1, 1e-3 * loss);
    f.metric[METRIC_FIGURE] = synth_figure_of(r->s, q);
    f.metric[METRIC_WRONG] = 1 - share(q->right, q->sequences);
    f.metric[METRIC_SQUARED] = q->squared / (double)max64(1, q->numbers);
    return f;
}
static laco_status measure(void *ctx, fit_score *out, laco_error *err)
{
    synth_run *r = ctx;
    r->test = (synth_score){ 0 };
    laco_status st = answers_measure(&r->answers, &r->held, r->s, SYNTH_VALID, r->j->stop, &r->valid, err);
    if (!st && synth_solved(r->s, &r->valid))
        st = answers_measure(&r->answers, &r->held, r->s, SYNTH_TEST, r->j->stop, &r->test, err);
    *out = score_of(r, &r->valid);
    return st;
}
static bool is_solved(void *ctx, const fit_score *valid)
{
    (void)valid;
    return solved(ctx);
}
static void say_figure(const synth_run *r, double figure, char *to, size_t n)
{
    int digits = r->s->task->figure == FIGURE_REACH ? 0 : r->s->task->figure == FIGURE_SQUARED ? 6 : 4;
    snprintf(to, n, "%.*f", digits, figure);
}
static void say(void *ctx, const fit_score *q, char *to, size_t n)
{
    const synth_run *r = ctx;
    char figure[32];
    say_figure(r, q->metric[METRIC_FIGURE], figure, sizeof figure);
    snprintf(to, n, "%.4f  %s %s", fit_loss(q), synth_figure_name(r->s), figure);
}
static void score_json(void *ctx, json_out *o, const char *key, const fit_score *q)
{
    (void)ctx;
    json_key(o, key), json_begin(o, '{');
    json_key(o, "loss"), json_number(o, fit_loss(q));
    for (int i = METRIC_FIGURE; metrics[i].name; i++) json_key(o, metrics[i].name), json_number(o, q->metric[i]);
    json_end(o, '}');
}
static void figures(void *ctx, json_out *o)
{
    const synth_run *r = ctx;
    json_key(o, "solved"), json_bool(o, solved(r));
}
static const fit_task synth_fit = { .metric = metrics,
                                    .batch = next_batch,
                                    .measure = measure,
                                    .say = say,
                                    .score_json = score_json,
                                    .figures = figures,
                                    .solved = is_solved };

/* ---- the task, the network, the settings ---- */
static laco_status make_task(synth_run *r, laco_error *err)
{
    static const char *const sizes[] = { "length", "delay", "symbols", "signal", "strings" };
    const char *name = options_text(r->o, "task");
    if (!name)
        return fail(err, LACO_EINVAL, -1, "--task is missing, such as --task adding; `laco help tasks` lists them");
    laco_status st = synth_new(&r->s, name, (uint64_t)options_int(r->o, "seed"), err);
    for (size_t i = 0; !st && i < sizeof sizes / sizeof *sizes; i++)
        if (options_int(r->o, sizes[i])) st = synth_set_size(r->s, sizes[i], options_int(r->o, sizes[i]), err);
    for (size_t i = 0; !st && i < sizeof recipes / sizeof *recipes; i++)
        if (!strcmp(recipes[i].task, name)) r->recipe = &recipes[i];
    return st;
}
/* --model, or a layer of --cell and --hidden: "lstm peephole" and 4 are "lstm 4 peephole; dense". */
static void describe_network(const synth_run *r, buf *out)
{
    const char *cell = options_text(r->o, "cell") ? options_text(r->o, "cell") : r->recipe->cell;
    int64_t hidden = options_int(r->o, "hidden") ? options_int(r->o, "hidden") : r->recipe->hidden;
    int word = (int)strcspn(cell, " ");
    if (options_text(r->o, "model"))
        buf_text(out, options_text(r->o, "model"));
    else
        buf_printf(out, "%.*s %lld%s; dense", word, cell, (long long)hidden, cell + word);
}
static laco_status make_network(synth_run *r, laco_error *err)
{
    buf model = { 0 };
    double forget = options_given(r->o, "forget-bias") ? options_real(r->o, "forget-bias") : r->recipe->forget_bias;
    buf words = { 0 };
    describe_network(r, &model);
    laco_status st = model.failed ? fail_memory(err, model.len)
                                  : model_new(&r->m, model.data, r->s->inputs, r->s->outputs,
                                              (int)options_int(r->o, "threads"), err);
    if (!st && r->m->net->symbols)
        st = fail(err, LACO_EINVAL, -1, "the tasks are sequences of numbers: take \"embed\" out of the network");
    synth_print(r->s, &words);
    if (!st && words.failed) st = fail_memory(err, words.len);
    if (!st) st = model_set(r->m, "task", "synthetic", err);
    if (!st) st = model_set(r->m, "synthetic", words.data, err);
    buf_free(&words), buf_free(&model);
    return st ? st : fit_weights(r->m->net, r->o, forget, err);
}
static int64_t longest(const synth *s)
{
    int64_t most = 1, n = synth_count(s, SYNTH_TRAIN);
    for (int64_t i = 0; i < n; i++) most = max64(most, synth_length(s, SYNTH_TRAIN, i));
    return most;
}
static laco_status choose_settings(synth_run *r, laco_error *err)
{
    static const loss_kind losses[] = {
        [SYNTH_SQUARED] = LOSS_SQUARED, [SYNTH_BERNOULLI] = LOSS_BERNOULLI, [SYNTH_CLASSES] = LOSS_SOFTMAX
    };
    const options *o = r->o;
    fit *f = &r->fit;
    laco_status st = fit_settings(f, o, r->m->net->k, err);
    if (st) return st;
    f->s.loss = losses[r->s->task->loss];
    if (!options_given(o, "steps")) f->s.steps = longest(r->s);
    if (!options_given(o, "batch")) f->s.batch = r->recipe->batch;
    if (!options_given(o, "average")) f->s.average = f->s.average_waits ? 1 : r->recipe->average;
    if (!options_given(o, "epochs")) f->epochs = r->recipe->epochs;
    if (!options_given(o, "lr") && !options_given(o, "optimizer")) f->s.schedule.lr = r->recipe->lr;
    return LACO_OK;
}
/* Steps of an epoch that count. */
static laco_status count_steps(synth_run *r, int64_t *out, laco_error *err)
{
    int64_t n = synth_count(r->s, SYNTH_TRAIN), some = min64(n, 100), steps = 0;
    laco_status st = drawn_make(&r->held, r->s, SYNTH_TRAIN, 0, some, err);
    if (st) return st;
    const text_row *last = &r->held.row[some - 1];
    for (int64_t i = 0; i < last->start + last->length; i++) {
        bool counts = false;
        for (int64_t k = 0; k < r->s->outputs; k++) counts |= !isnan(r->held.y[i * r->s->outputs + k]);
        steps += r->s->task->loss == SYNTH_CLASSES ? r->held.classes[i] >= 0 : counts;
    }
    *out = steps * n / some;
    return LACO_OK;
}
static void note_task(const synth_run *r)
{
    buf words = { 0 };
    synth_print(r->s, &words);
    if (!words.failed) task_note(r->j, "task      %s", words.data);
    task_note(r->j, "          %s (%s)", r->s->task->about, r->s->task->source);
    task_note(r->j, "solved    when %s", r->s->task->criterion);
    buf_free(&words);
}
static laco_status prepare(synth_run *r, laco_error *err)
{
    const char *out = options_text(r->o, "out");
    int64_t tokens = 1;
    if (!out) return fail(err, LACO_EINVAL, -1, "--out is missing: where the model goes, such as model.safetensors");
    laco_status st = make_task(r, err);
    if (!st) st = file_check_writable(out, err);
    if (!st) note_task(r), st = make_network(r, err);
    if (!st) st = choose_settings(r, err);
    if (!st) st = count_steps(r, &tokens, err);
    if (!st) st = fit_open(&r->fit, r->j, &synth_fit, r, r->m, tokens, err);
    if (!st) st = answers_new(&r->answers, r->m->net, r->fit.s.batch, r->fit.s.steps, err);
    if (!st && !options_given(r->o, "best-by")) r->fit.judge = METRIC_DISTANCE;
    return st;
}

/* ---- the report ---- */
static laco_status measure_constant(synth_run *r, laco_error *err)
{
    float *out = mem_new((size_t)r->s->outputs, sizeof *out);
    if (!out) return fail_memory(err, (size_t)r->s->outputs * sizeof *out);
    laco_status st = synth_constant(r->s, SYNTH_VALID, out, err);
    for (int64_t i = 0; !st && i < synth_count(r->s, SYNTH_VALID); i++) {
        st = drawn_make(&r->held, r->s, SYNTH_VALID, i, 1, err);
        train_batch b = drawn_batch(&r->held, r->s);
        synth_target y = { .y = r->held.y, .classes = r->held.classes };
        if (!st) synth_judge(r->s, b.row->length, b.x, y, out, 0, &r->constant);
    }
    mem_free(out);
    return st;
}
static void note_score(const synth_run *r, const char *name, const synth_score *q)
{
    char figure[32];
    say_figure(r, synth_figure_of(r->s, q), figure, sizeof figure);
    task_note(r->j, "  %-20s %-12s %5.1f %% of %lld sequences right", name, figure, 100 * share(q->right, q->sequences),
              (long long)q->sequences);
}
static void report(const synth_run *r)
{
    char shown[32];
    task_note(r->j, "  %-20s %s", "", synth_figure_name(r->s));
    note_score(r, "best constant", &r->constant);
    note_score(r, "validation", &r->valid);
    note_score(r, "test", &r->test);
    task_note(r->j, "%s after %s updates of %lld sequences", solved(r) ? "solved" : "not solved",
              task_count(trainer_counted(r->fit.t)->updates, shown), (long long)r->fit.s.batch);
    task_note(r->j, "model     %s (epoch %lld)", options_text(r->o, "out"), (long long)r->fit.c.best_epoch);
}
static void result_score(const synth_run *r, json_out *o, const char *key, const synth_score *q)
{
    json_key(o, key), json_begin(o, '{');
    json_key(o, "figure"), json_number(o, synth_figure_of(r->s, q));
    json_key(o, "sequences"), json_int(o, q->sequences);
    json_key(o, "right"), json_int(o, q->right);
    json_key(o, "steps"), json_int(o, q->steps);
    json_key(o, "steps_right"), json_int(o, q->steps_right);
    json_key(o, "mean_square"), json_number(o, q->squared / (double)max64(1, q->numbers));
    json_key(o, "mean_absolute"), json_number(o, q->absolute / (double)max64(1, q->numbers));
    json_key(o, "loss"), json_number(o, q->loss / (double)max64(1, q->losses));
    json_end(o, '}');
}
static void result_json(const synth_run *r)
{
    json_out o = { .to = r->j->result };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "synthetic");
    json_key(&o, "synthetic"), json_text(&o, model_get(r->m, "synthetic"));
    json_key(&o, "model"), json_text(&o, options_text(r->o, "out"));
    json_key(&o, "network"), json_text(&o, r->m->description);
    fit_json(&r->fit, &o);
    json_key(&o, "batch"), json_int(&o, r->fit.s.batch);
    json_key(&o, "criterion"), json_text(&o, r->s->task->criterion);
    json_key(&o, "figure"), json_text(&o, synth_figure_name(r->s));
    json_key(&o, "solved"), json_bool(&o, solved(r));
    result_score(r, &o, "valid", &r->valid);
    result_score(r, &o, "test", &r->test);
    result_score(r, &o, "constant", &r->constant);
    json_end(&o, '}');
}
/* The best weights are back: what they reach on both held-out sets, whether or not training ended there. */
static laco_status finish(synth_run *r, laco_error *err)
{
    laco_status st = answers_measure(&r->answers, &r->held, r->s, SYNTH_VALID, &(int){ 0 }, &r->valid, err);
    if (!st) st = answers_measure(&r->answers, &r->held, r->s, SYNTH_TEST, &(int){ 0 }, &r->test, err);
    if (!st) st = fit_save(&r->fit, err);
    if (!st) st = measure_constant(r, err);
    if (!st) report(r), result_json(r);
    return st;
}
laco_status synthetic_train(task_job *j, laco_error *err)
{
    synth_run r = { .j = j, .o = j->o };
    laco_status st = prepare(&r, err);
    if (!st) st = fit_run(&r.fit, err);
    if (!st) st = finish(&r, err);
    fit_close(&r.fit), answers_free(&r.answers), laco_model_free(r.m), synth_free(r.s);
    drawn_free(&r.train), drawn_free(&r.held);
    return st;
}
