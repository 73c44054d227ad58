/* laco compare-gradients: the same network, from the same weights, learns the adding problem by every way to the
   gradient, each for the same time; error against time and against arithmetic. */
#include "base/file.h"
#include "base/json.h"
#include "data/synthetic.h"
#include "gradient/trial.h"
#include "task/task.h"
#include <math.h>
#include <stdio.h>

enum { VALID = 500, MOST_WAYS = 16, COLUMNS = 5, WIDEST_CALL = 8, MOST_NUMBERS = 1 << 26 };

typedef struct comparison {
    task_job *j;
    synth *task;
    net_description d;
    pool *pool;
    net *n;
    sweep *w;
    trial_rules rules;
    sequences train, valid;
    double *start, *rows[4]; /* rows: x and y of training, of the held-out sequences */
    float *x, *y;            /* of one sequence */
    const way *chosen[MOST_WAYS];
    trial trial[MOST_WAYS];
    int ways, done;
    double began;
} comparison;

static void comparison_free(comparison *c)
{
    for (int i = 0; i < 4; i++) mem_free(c->rows[i]);
    mem_free(c->start), mem_free(c->x), mem_free(c->y);
    sweep_free(c->w), net_free(c->n), pool_free(c->pool), synth_free(c->task);
}

/* ---- sequences ---- */
static void make_sequences(comparison *c, synth_set set, int64_t first, sequences *to, double *x, double *y)
{
    const int64_t T = to->T, in = c->task->inputs, out = c->task->outputs;
    for (int64_t b = 0; b < to->B; b++) {
        memset(c->x, 0, (size_t)(T * in) * sizeof *c->x);
        for (int64_t i = 0; i < T * out; i++) c->y[i] = NAN;
        synth_make(c->task, set, first + b, T, c->x, (synth_target){ .y = c->y });
        for (int64_t t = 0; t < T; t++) {
            for (int64_t i = 0; i < in; i++) x[(t * to->B + b) * in + i] = c->x[t * in + i];
            for (int64_t i = 0; i < out; i++) y[(t * to->B + b) * out + i] = c->y[t * out + i];
        }
    }
    to->x = x, to->y = y;
}
static const sequences *next_batch(void *ctx, int64_t index, int64_t B)
{
    comparison *c = ctx;
    c->train.B = B;
    make_sequences(c, SYNTH_TRAIN, index, &c->train, c->rows[0], c->rows[1]);
    return &c->train;
}
static void watch(void *ctx, double share, double error)
{
    comparison *c = ctx;
    if (!task_wants_progress(c->j)) return;
    double gone = ((double)c->done + share) / (double)c->ways, elapsed = clock_seconds() - c->began;
    task_progress(c->j, &(laco_progress){ .phase = c->chosen[c->done]->name,
                                          .done = (int64_t)(1000 * gone),
                                          .total = 1000,
                                          .loss = NAN,
                                          .valid_loss = error,
                                          .elapsed = elapsed,
                                          .left = gone > 0 ? elapsed * (1 / gone - 1) : -1 });
}

/* ---- options ---- */
/* "5,10" */
static laco_status read_truncation(way_settings *s, const char *text, laco_error *err)
{
    long long every = 0, back = 0;
    int used = 0;
    if (sscanf(text, "%lld,%lld%n", &every, &back, &used) != 2 || text[used] || every < 1 || back < every ||
        back > 1000000)
        return fail(err, LACO_EINVAL, -1,
                    "--truncate \"%s\": two whole numbers such as 5,10: a gradient every 5 steps, back over 10, which "
                    "are at least as many",
                    text);
    s->every = every, s->back = back;
    return LACO_OK;
}
/* "bptt,rtrl"; NULL: all */
static laco_status choose_ways(comparison *c, const char *list, laco_error *err)
{
    const char *names[MOST_WAYS + 1] = { NULL };
    for (int i = 0; ways[i].name; i++) names[i] = ways[i].name;
    for (int i = 0; !list && ways[i].name; i++) c->chosen[c->ways++] = &ways[i];
    while (list && *list) {
        char word[32];
        size_t n = strcspn(list, ",");
        int i = 0;
        snprintf(word, sizeof word, "%.*s", (int)(n < 31 ? n : 31), list);
        while (names[i] && strcmp(names[i], word)) i++;
        if (!names[i] || c->ways == MOST_WAYS) {
            const char *near = nearest_name(word, names);
            return fail(err, LACO_EINVAL, -1, "--ways: there is no way \"%s\"%s%s%s", word,
                        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
        c->chosen[c->ways++] = &ways[i], list += n + (list[n] == ',');
    }
    return LACO_OK;
}
static laco_status read_options(comparison *c, laco_error *err)
{
    const options *o = c->j->o;
    way_settings *s = &c->rules.set;
    *s = (way_settings){ .batch = options_int(o, "batch"),
                         .population = options_int(o, "population"),
                         .sigma = options_real(o, "sigma"),
                         .cg = options_int(o, "cg"),
                         .damping = options_real(o, "damping"),
                         .structural = options_real(o, "structural"),
                         .seed = (uint64_t)options_int(o, "seed") };
    if (s->population % 2)
        return fail(err, LACO_EINVAL, -1, "--population %lld: pairs are perturbed, so it must be even",
                    (long long)s->population);
    c->rules.seconds = options_real(o, "seconds"), c->rules.updates = options_int(o, "updates");
    c->rules.lr = options_real(o, "lr"), c->rules.clip = options_real(o, "clip");
    c->rules.optimizer = options_text(o, "optimizer"), c->rules.stop = c->j->stop;
    laco_status st = read_truncation(s, options_text(o, "truncate"), err);
    return st ? st : choose_ways(c, options_text(o, "ways"), err);
}

/* ---- making ---- */
static laco_status make_network(comparison *c, laco_error *err)
{
    const options *o = c->j->o;
    const kernels *k = NULL;
    laco_status st = kernels_choose(&k, REAL_DOUBLE, err);
    if (!st) st = describe_parse(&c->d, options_text(o, "model"), c->task->inputs, c->task->outputs, k, err);
    if (!st) st = pool_new(&c->pool, (int)options_int(o, "threads"), err);
    if (!st) st = net_new(&c->n, &c->d, c->task->inputs, k, c->pool, err);
    if (!st) st = net_init(c->n, "default", 1, c->rules.set.seed, err);
    if (!st) st = sweep_new(&c->w, c->n, err);
    return st;
}
static laco_status make_memory(comparison *c, laco_error *err)
{
    const int64_t T = c->train.T, in = c->task->inputs, out = c->task->outputs;
    const int64_t most = c->rules.set.batch * WIDEST_CALL;
    const int64_t size[] = { most * T * in, most * T * out, VALID * T * in, VALID * T * out };
    const int64_t rows = T * max64(most, VALID), wide = c->n->wide + in;
    if (rows > MOST_NUMBERS / wide)
        return fail(err, LACO_EINVAL, -1,
                    "%lld steps of %lld numbers side by side need more memory than such a comparison should take: a "
                    "smaller --batch, --length or --model will do",
                    (long long)rows, (long long)wide);
    laco_status st = sweep_reserve(c->w, T, max64(most, VALID), err);
    if (st) return st;
    bool ok = (c->start = mem_new((size_t)c->n->params, sizeof(double))) != NULL;
    ok &= (c->x = mem_new((size_t)(T * in), sizeof(float))) && (c->y = mem_new((size_t)(T * out), sizeof(float)));
    for (int i = 0; i < 4; i++) ok &= (c->rows[i] = mem_new((size_t)size[i], sizeof(double))) != NULL;
    if (!ok) return fail_memory(err, (size_t)(most * T * in) * sizeof(double));
    memcpy(c->start, c->n->w, (size_t)c->n->params * sizeof(double));
    c->valid.B = VALID;
    make_sequences(c, SYNTH_VALID, 0, &c->valid, c->rows[2], c->rows[3]);
    return LACO_OK;
}
static laco_status comparison_new(comparison *c, laco_error *err)
{
    laco_status st = read_options(c, err);
    if (!st) st = synth_new(&c->task, "adding", c->rules.set.seed, err);
    if (!st) st = synth_set_size(c->task, "length", options_int(c->j->o, "length"), err);
    if (!st) st = synth_ready(c->task, err);
    if (st) return st;
    c->train.T = c->valid.T = synth_length(c->task, SYNTH_TRAIN, 0);
    if (!(st = make_network(c, err))) st = make_memory(c, err);
    c->rules.w = c->w, c->rules.start = c->start, c->rules.valid = &c->valid;
    c->rules.batch = next_batch, c->rules.watch = watch, c->rules.ctx = c;
    return st;
}

/* ---- what is said ---- */
static const trial_point *last_point(const trial *t) { return &t->point[t->points - 1]; }
static void put_error(buf *b, double error)
{
    if (isnan(error))
        buf_printf(b, " %9s", "-");
    else
        buf_printf(b, error < 1e5 ? " %9.5f" : " %9.1e", error);
}
static void put_summary(const comparison *c, buf *b)
{
    char updates[32], seen[32];
    buf_printf(b, "%-13s%10s%12s%9s%10s%10s%8s%8s\n", "way", "updates", "sequences", "seconds", "mul-adds", "error",
               "angle", "differ");
    for (int i = 0; i < c->done; i++) {
        const trial *t = &c->trial[i];
        const trial_point *p = last_point(t);
        buf_printf(b, "%-13s%10s%12s%9.2f%10.1e", t->way->name, task_count(p->updates, updates),
                   task_count(p->sequences, seen), p->seconds, p->work);
        put_error(b, p->error);
        if (isnan(t->angle))
            buf_printf(b, "%8s%8s\n", "-", "-");
        else
            buf_printf(b, "%8.2f%8.2g\n", t->angle, t->difference);
    }
}
/* The errors of all ways at some times, or at some costs. */
static void put_curves(const comparison *c, buf *b, const char *title, const double *at, bool time)
{
    buf_printf(b, "\n%-20s", title);
    for (int k = 0; k < COLUMNS; k++) buf_printf(b, time ? " %9.3g" : " %9.1e", at[k]);
    buf_text(b, "\n");
    for (int i = 0; i < c->done; i++) {
        buf_printf(b, "%-20s", c->trial[i].way->name);
        for (int k = 0; k < COLUMNS; k++) put_error(b, trial_error_at(&c->trial[i], at[k], time));
        buf_text(b, "\n");
    }
}
static void put_text(const comparison *c, buf *b)
{
    double seconds[COLUMNS], work[COLUMNS], most = 1;
    for (int i = 0; i < c->done; i++) most = fmax(most, last_point(&c->trial[i])->work);
    for (int k = 0; k < COLUMNS; k++)
        seconds[k] = c->rules.seconds / pow(4, COLUMNS - 1 - k),
        work[k] = pow(10, floor(log10(most)) - COLUMNS + 1 + k);
    put_summary(c, b);
    put_curves(c, b, "error after seconds", seconds, true);
    put_curves(c, b, "error after mul-adds", work, false);
    buf_text(b, "\nerror: mean squared, of 500 held-out sequences; always answering 1 leaves 0.167.\n"
                "angle, differ: of the first gradient (of hessian-free: the first step) to that of\n"
                "bptt, in degrees, and the length of the difference over that of bptt.\n");
}
static void put_json(const comparison *c, buf *to)
{
    json_out o = { .to = to };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "adding"), json_key(&o, "length"), json_int(&o, c->train.T);
    json_key(&o, "parameters"), json_int(&o, c->n->params);
    json_key(&o, "ways"), json_begin(&o, '[');
    for (int i = 0; i < c->done; i++) {
        const trial *t = &c->trial[i];
        json_begin(&o, '{');
        json_key(&o, "way"), json_text(&o, t->way->name);
        json_key(&o, "angle"), json_number(&o, t->angle), json_key(&o, "difference"), json_number(&o, t->difference);
        json_key(&o, "curve"), json_begin(&o, '[');
        for (const trial_point *p = t->point; p < t->point + t->points; p++) {
            json_begin(&o, '{');
            json_key(&o, "updates"), json_int(&o, p->updates), json_key(&o, "sequences"), json_int(&o, p->sequences);
            json_key(&o, "seconds"), json_number(&o, p->seconds), json_key(&o, "work"), json_number(&o, p->work);
            json_key(&o, "error"), json_number(&o, p->error), json_end(&o, '}');
        }
        json_end(&o, ']'), json_end(&o, '}');
    }
    json_end(&o, ']'), json_end(&o, '}');
}
static laco_status write_csv(const comparison *c, const char *path, laco_error *err)
{
    buf b = { 0 };
    buf_text(&b, "way,updates,sequences,seconds,work,error\n");
    for (int i = 0; i < c->done; i++)
        for (const trial_point *p = c->trial[i].point; p < c->trial[i].point + c->trial[i].points; p++)
            buf_printf(&b, "%s,%lld,%lld,%.6g,%.6g,%.9g\n", c->trial[i].way->name, (long long)p->updates,
                       (long long)p->sequences, p->seconds, p->work, p->error);
    file_writer *w = NULL;
    laco_status st = b.failed ? fail_memory(err, b.len) : file_create(&w, path, err);
    if (!st && !(st = file_write(w, b.data, b.len, err))) st = file_commit(w, err), w = NULL;
    file_abandon(w), buf_free(&b);
    return st;
}

static laco_status run_ways(comparison *c, laco_error *err)
{
    c->began = clock_seconds();
    while (c->done < c->ways && !*c->j->stop) {
        const way **chosen = c->chosen + c->done;
        laco_error why;
        laco_status st = trial_run(&c->trial[c->done], *chosen, &c->rules, &why);
        if (st && st != LACO_EINVAL && st != LACO_EUNSUPPORTED) return fail(err, st, why.at, "%s", why.msg);
        if (!st) {
            c->done++;
            continue;
        }
        task_note(c->j, "%s is left out: %s", (*chosen)->name, why.msg);
        c->ways--, memmove(chosen, chosen + 1, (size_t)(c->ways - c->done) * sizeof *chosen);
    }
    if (c->done) return LACO_OK;
    return *c->j->stop ? fail(err, LACO_ESTOPPED, -1, "stopped before there was anything to compare")
                       : fail(err, LACO_EINVAL, -1, "no way is left for this network; laco help compare-gradients");
}
laco_status compare_gradients(task_job *j, laco_error *err)
{
    comparison c = { .j = j };
    const char *csv = options_text(j->o, "csv");
    buf out = { 0 }, words = { 0 };
    char weights[32];
    laco_status st = csv ? file_check_writable(csv, err) : LACO_OK;
    if (!st) st = comparison_new(&c, err);
    if (!st) {
        describe_print(&c.d, c.n->k, &words);
        task_note(j, "adding, %lld steps; %s: %s weights; %lld sequences at a time; %s, rate %g", (long long)c.train.T,
                  words.data, task_count(c.n->params, weights), (long long)c.rules.set.batch, c.rules.optimizer,
                  c.rules.lr);
        st = run_ways(&c, err);
    }
    if (!st) {
        put_json(&c, j->result);
        if (!options_flag(j->o, "json")) put_text(&c, &out), task_out_buf(j, &out);
        if (*j->stop) task_note(j, "stopped: what is above is what there was");
        if (csv) st = write_csv(&c, csv, err);
    }
    buf_free(&out), buf_free(&words), comparison_free(&c);
    return st;
}
