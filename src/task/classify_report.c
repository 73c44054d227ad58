/* Figures of a network and of what stands beside it, measured on the same examples. */
#include "task/classify.h"
#include "task/measures.h"
#include "task/summary.h"
#include <math.h>
#include <stdio.h>

static const figure_row rows_of[][FIGURE_ROWS] = {
    [ANSWER_CLASS] = { { "accuracy", "accuracy", true, true },
                       { "f1", "macro F1", true, true },
                       { "recall", "recall", true, true },
                       { "auc", "AUC", true, false },
                       { "calibration", "ECE", false, false } },
    [ANSWER_LABELS] = { { "exact", "exact", true, true },
                        { "f1", "macro F1", true, true },
                        { "micro_f1", "micro F1", true, true },
                        { "auc", "AUC", true, false } },
    [ANSWER_NUMBER] = { { "rmse", "RMSE", false, false },
                        { "mae", "MAE", false, false },
                        { "r2", "R2", true, false },
                        { "late", "late score", false, false } },
};
const figure_row *figure_rows(const reading *f) { return rows_of[f->answer]; }
static const char *loss_name(const reading *f) { return f->answer == ANSWER_NUMBER ? "squared error" : "log loss"; }

/* ---- of a part ---- */
/* The numbers of a part that are known, beside the answers. */
static laco_status pairs_of(double **y, double **t, int64_t *n, const verdicts *v, const examples *e, int part,
                            laco_error *err)
{
    int64_t room = v->every ? e->positions : e->count;
    *y = mem_new((size_t)room, sizeof **y), *t = mem_new((size_t)room, sizeof **t), *n = 0;
    if (!*y || !*t) return fail_memory(err, (size_t)room * sizeof **y);
    for (int64_t i = 0; i < e->count; i++) {
        const example *r = &e->row[i];
        if (r->part != part) continue;
        for (int64_t k = 0; v->every && k < r->length; k++)
            if (!isnan(e->y[r->start + k])) (*y)[*n] = v->p[r->start + k], (*t)[(*n)++] = e->y[r->start + k];
        if (!v->every && !isnan(r->number)) (*y)[*n] = v->p[i], (*t)[(*n)++] = r->number;
    }
    return LACO_OK;
}
static laco_status number_figures_of(figures *out, const verdicts *v, const examples *e, const reading *f, int part,
                                     laco_error *err)
{
    double *y, *t;
    int64_t n;
    laco_status st = pairs_of(&y, &t, &n, v, e, part, err);
    if (!st) {
        number_figures q = measure_numbers(y, t, n);
        *out = (figures){ q.n, q.rmse * q.rmse / (f->y_scale * f->y_scale), { q.rmse, q.mae, q.r2, q.late } };
    }
    mem_free(y), mem_free(t);
    return st;
}
/* The rows of a part side by side: probabilities, and what is right. */
static laco_status class_figures_of(figures *out, int64_t *confusion, const verdicts *v, const examples *e,
                                    const reading *f, int part, laco_error *err)
{
    int64_t K = v->width, n = 0;
    double *p = mem_new((size_t)(e->count * K), sizeof *p);
    int32_t *right = mem_new((size_t)e->count, sizeof *right);
    float *known = NULL, *label = NULL;
    laco_status st = p && right ? LACO_OK : fail_memory(err, (size_t)(e->count * K) * sizeof *p);
    if (!st && f->answer == ANSWER_LABELS) st = examples_labels(&known, e, f, err);
    if (!st && known && !(label = mem_new((size_t)(e->count * K), sizeof *label))) st = fail_memory(err, 0);
    for (int64_t i = 0; !st && i < e->count; i++) {
        if (e->row[i].part != part) continue;
        memcpy(p + n * K, v->p + i * K, (size_t)K * sizeof *p);
        if (label) memcpy(label + n * K, known + i * K, (size_t)K * sizeof *label);
        right[n++] = e->row[i].right;
    }
    if (!st && !label) {
        class_figures q;
        st = measure_classes(&q, confusion, p, right, n, K, err);
        *out = (figures){ q.n, q.loss, { q.accuracy, q.f1, q.recall, q.auc, q.calibration } };
    } else if (!st) {
        label_figures q;
        st = measure_labels(&q, p, label, n, K, err);
        *out = (figures){ q.n, q.loss, { q.exact, q.f1, q.micro_f1, q.auc } };
    }
    mem_free(p), mem_free(right), mem_free(known), mem_free(label);
    return st;
}
laco_status figures_of(figures *out, int64_t *confusion, const verdicts *v, const examples *e, const reading *f,
                       int part, laco_error *err)
{
    *out = (figures){ 0 };
    return f->answer == ANSWER_NUMBER ? number_figures_of(out, v, e, f, part, err)
                                      : class_figures_of(out, confusion, v, e, f, part, err);
}

/* ---- in words ---- */
static void say_value(const figure_row *row, double x, char *to, size_t n)
{
    if (isnan(x))
        snprintf(to, n, "-");
    else if (row->share)
        snprintf(to, n, "%.2f %%", 100 * x);
    else
        snprintf(to, n, fabs(x) < 10 ? "%.4f" : fabs(x) < 1e6 ? "%.2f" : "%.3g", x);
}
void figures_say(const reading *f, const figures *s, char *to, size_t n)
{
    char value[32];
    say_value(figure_rows(f), s->value[0], value, sizeof value);
    snprintf(to, n, "%.4f %s %s", s->loss, figure_rows(f)->title, value);
}
void figures_json(json_out *o, const reading *f, const figures *s)
{
    json_key(o, "loss"), json_number(o, s->loss);
    for (int i = 0; figure_rows(f)[i].key && i < FIGURE_ROWS; i++)
        json_key(o, figure_rows(f)[i].key), json_number(o, s->value[i]);
    json_key(o, f->every ? "steps" : "sequences"), json_int(o, s->n);
}

/* ---- rows ---- */
static bool has_part(const examples *e, int part)
{
    for (int64_t i = 0; i < e->count; i++)
        if (e->row[i].part == part) return true;
    return false;
}
void report_free(report *r) { mem_free(r->confusion), *r = (report){ 0 }; }
laco_status report_add(report *r, const char *name, bool hard, const verdicts *v, const examples *e, const reading *f,
                       laco_error *err)
{
    model_row *m = &r->row[r->rows++];
    size_t K = (size_t)f->classes;
    laco_status st = LACO_OK;
    m->name = name, m->hard = hard;
    if (f->answer == ANSWER_CLASS && !r->confusion && !(r->confusion = mem_new(K * K, sizeof *r->confusion)))
        return fail_memory(err, K * K * sizeof *r->confusion);
    for (int part = PART_VALID; !st && part < PARTS; part++)
        if (has_part(e, part)) st = figures_of(&m->of[part], r->confusion, v, e, f, part, err);
    return st;
}
/* Always the same: how often a class or label is right in training, or the mean. */
static laco_status add_constant(report *r, const examples *e, const reading *f, verdicts *v, laco_error *err)
{
    bool number = f->answer == ANSWER_NUMBER;
    const double *always = number ? &f->y_mean : f->prior;
    for (int64_t i = 0; i < (v->every ? e->positions : e->count); i++)
        memcpy(v->p + i * v->width, always, (size_t)v->width * sizeof *always);
    return report_add(r, number ? "mean" : "frequency of classes", false, v, e, f, err);
}

/* ---- statistics of series ---- */
enum { MOST_STATISTICS = 1500, MOST_ROWS = 20000 };
#define MOST_NEAREST 4e9 /* multiplications of all distances */
typedef struct statistics {
    int64_t D, n, stride; /* statistics; training rows; every so many-th beginning is one */
    double *x, *y;        /* [n][D], [n][outputs] */
    int32_t *class;       /* [n] */
    double *w, *rows;     /* of ridge; of one example */
    summary_scale scale;
} statistics;
static void free_statistics(statistics *s)
{
    mem_free(s->x), mem_free(s->y), mem_free(s->class), mem_free(s->w), mem_free(s->rows), summary_free(&s->scale);
}
/* Training rows that have an answer: counted, or with s->x put in place. */
static int64_t training_rows(statistics *s, const examples *e, const reading *f, int64_t outputs, bool put)
{
    int64_t n = 0, seen = 0;
    for (int64_t i = 0; i < e->count; i++) {
        const example *r = &e->row[i];
        if (r->part != PART_TRAIN) continue;
        if (put) summary_of(e->x + r->start * f->inputs, r->length, f->inputs, f->every, s->rows);
        for (int64_t t = 0; t < (f->every ? r->length : 1); t++) {
            double y = f->every ? e->y[r->start + t] : r->number;
            if ((f->answer == ANSWER_NUMBER ? isnan(y) : r->right < 0) || seen++ % s->stride) continue;
            if (put) memcpy(s->x + n * s->D, s->rows + t * s->D, (size_t)s->D * sizeof *s->x);
            if (put && f->answer == ANSWER_CLASS) s->class[n] = r->right;
            for (int64_t k = 0; put && k < outputs; k++)
                s->y[n * outputs + k] = f->answer == ANSWER_NUMBER ? y : k == r->right ? 1 : -1;
            n++;
        }
    }
    return n;
}
static laco_status learn_statistics(statistics *s, const examples *e, const reading *f, laco_error *err)
{
    int64_t outputs = reading_outputs(f), longest = 1;
    for (int64_t i = 0; i < e->count; i++) longest = max64(longest, e->row[i].length);
    s->D = summary_size(f->inputs), s->stride = 1;
    s->stride = ceil_div(max64(1, training_rows(s, e, f, outputs, false)), MOST_ROWS);
    s->n = training_rows(s, e, f, outputs, false);
    s->x = mem_new((size_t)(s->n * s->D), sizeof *s->x), s->y = mem_new((size_t)(s->n * outputs), sizeof *s->y);
    s->class = mem_new((size_t)s->n, sizeof *s->class);
    s->w = mem_new((size_t)((s->D + 1) * outputs), sizeof *s->w);
    s->rows = mem_new((size_t)((f->every ? longest : 1) * s->D), sizeof *s->rows);
    if (!s->x || !s->y || !s->class || !s->w || !s->rows) return fail_memory(err, (size_t)(s->n * s->D) * sizeof *s->x);
    training_rows(s, e, f, outputs, true);
    laco_status st = summary_learn(&s->scale, s->x, s->n, s->D, err);
    return st ? st : ridge_learn(s->w, s->x, s->n, s->D, s->y, outputs, err);
}
static int64_t greatest(const double *y, int64_t n)
{
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++)
        if (y[k] > y[best]) best = k;
    return best;
}
static void answer_by_statistics(statistics *s, verdicts *v, const examples *e, const reading *f, bool nearest)
{
    for (int64_t i = 0; i < e->count; i++) {
        const example *r = &e->row[i];
        int64_t T = f->every ? r->length : 1;
        if (r->part != PART_VALID && r->part != PART_TEST) continue;
        summary_of(e->x + r->start * f->inputs, r->length, f->inputs, f->every, s->rows);
        summary_apply(&s->scale, s->rows, T);
        for (int64_t t = 0; t < T; t++) {
            double *p = v->p + (f->every ? r->start + t : i * v->width);
            const double *x = s->rows + t * s->D;
            int64_t said = 0;
            if (nearest)
                said = s->class[nearest_row(x, s->x, s->n, s->D)];
            else
                ridge_answer(s->w, x, s->D, v->width, p), said = greatest(p, v->width);
            for (int64_t k = 0; f->answer == ANSWER_CLASS && k < v->width; k++) p[k] = k == said;
        }
    }
}
static laco_status add_statistics(report *r, const examples *e, const reading *f, verdicts *v, const task_job *j,
                                  laco_error *err)
{
    statistics s = { 0 };
    double asked = 0;
    if (!f->numbers || f->answer == ANSWER_LABELS) return LACO_OK;
    if (summary_size(f->inputs) > MOST_STATISTICS)
        return task_note(j, "baselines on statistics of the series are left out: there are too many features"), LACO_OK;
    laco_status st = learn_statistics(&s, e, f, err);
    for (int64_t i = 0; i < e->count; i++) asked += e->row[i].part != PART_TRAIN;
    if (!st && f->answer == ANSWER_CLASS && asked * (double)s.n * (double)s.D <= MOST_NEAREST) {
        answer_by_statistics(&s, v, e, f, true);
        st = report_add(r, "nearest by statistics", true, v, e, f, err);
    }
    if (!st) answer_by_statistics(&s, v, e, f, false);
    if (!st) st = report_add(r, "ridge on statistics", f->answer == ANSWER_CLASS, v, e, f, err);
    free_statistics(&s);
    return st;
}
laco_status report_baselines(report *r, const examples *e, const reading *f, const bayes *b, const verdicts *counted,
                             bool trained, const task_job *j, laco_error *err)
{
    verdicts v;
    laco_status st = verdicts_new(&v, e, f, f->every, err);
    if (!st) st = add_constant(r, e, f, &v, err);
    if (!st && b) st = report_add(r, bayes_about(b), false, counted, e, f, err);
    if (!st && trained) st = add_statistics(r, e, f, &v, j, err);
    mem_free(v.p);
    return st;
}

/* ---- the report ---- */
typedef void put_line(const task_job *j, const char *line);
static void note_line(const task_job *j, const char *line) { task_note(j, "%s", line); }
static void out_line(const task_job *j, const char *line) { task_out(j, line, strlen(line)), task_out(j, "\n", 1); }
static void put_part(const report *r, const reading *f, const task_job *j, int part, put_line *put)
{
    static const char *const names[] = { "", "validation", "test" };
    const figure_row *q = figure_rows(f);
    char line[256], value[32];
    int n = snprintf(line, sizeof line, "  %-34s", names[part]);
    for (int i = 0; i < FIGURE_ROWS && q[i].key; i++)
        n += snprintf(line + n, sizeof line - (size_t)n, "%-11s", q[i].title);
    snprintf(line + n, sizeof line - (size_t)n, "%s", loss_name(f)), put(j, line);
    for (int k = 0; k < r->rows; k++) {
        const figures *s = &r->row[k].of[part];
        n = snprintf(line, sizeof line, "  %-34s", r->row[k].name);
        for (int i = 0; i < FIGURE_ROWS && q[i].key; i++) {
            say_value(&q[i], r->row[k].hard && !q[i].share ? NAN : s->value[i], value, sizeof value);
            n += snprintf(line + n, sizeof line - (size_t)n, "%-11s", value);
        }
        say_value(&(figure_row){ 0 }, r->row[k].hard ? NAN : s->loss, value, sizeof value);
        snprintf(line + n, sizeof line - (size_t)n, "%s", value), put(j, line);
    }
}
enum { SHOWN_CLASSES = 12 };
static void put_confusion(const report *r, const reading *f, const task_job *j, put_line *put)
{
    char line[256];
    int n = snprintf(line, sizeof line, "  %-16s", "right, and said");
    if (f->classes > SHOWN_CLASSES) return;
    for (int32_t k = 0; k < f->classes; k++) n += snprintf(line + n, sizeof line - (size_t)n, "%9.8s", f->class[k]);
    put(j, line);
    for (int32_t k = 0; k < f->classes; k++) {
        n = snprintf(line, sizeof line, "  %-16.15s", f->class[k]);
        for (int32_t i = 0; i < f->classes; i++)
            n += snprintf(line + n, sizeof line - (size_t)n, "%9lld", (long long)r->confusion[k * f->classes + i]);
        put(j, line);
    }
}
static void put_report(const report *r, const reading *f, const task_job *j, put_line *put)
{
    const model_row *last = &r->row[r->rows - 1];
    for (int part = PART_VALID; part < PARTS; part++)
        if (last->of[part].n) put_part(r, f, j, part, put);
    if (r->confusion && (last->of[PART_VALID].n || last->of[PART_TEST].n)) put_confusion(r, f, j, put);
}
void report_note(const report *r, const reading *f, const task_job *j) { put_report(r, f, j, note_line); }
void report_out(const report *r, const reading *f, const task_job *j) { put_report(r, f, j, out_line); }
static const char *const part_keys[] = { "train", "valid", "test" };
/* The figures of the model, and beside them the first figure of each of the others. */
static void part_json(const report *r, const reading *f, json_out *o, int part)
{
    const model_row *last = &r->row[r->rows - 1];
    json_key(o, part_keys[part]), json_begin(o, '{');
    figures_json(o, f, &last->of[part]);
    for (int k = 0; k + 1 < r->rows; k++) {
        char key[96];
        snprintf(key, sizeof key, "%s of %s", figure_rows(f)->key, r->row[k].name);
        json_key(o, key), json_number(o, r->row[k].of[part].value[0]);
    }
    json_end(o, '}');
}
void report_json(const report *r, const reading *f, json_out *o)
{
    const model_row *last = &r->row[r->rows - 1];
    for (int part = PART_VALID; part < PARTS; part++)
        if (last->of[part].n) part_json(r, f, o, part);
    json_key(o, "baselines"), json_begin(o, '{');
    for (int k = 0; k + 1 < r->rows; k++) {
        json_key(o, r->row[k].name), json_begin(o, '{');
        for (int part = PART_VALID; part < PARTS; part++)
            if (r->row[k].of[part].n) {
                json_key(o, part_keys[part]), json_begin(o, '{');
                figures_json(o, f, &r->row[k].of[part]);
                json_end(o, '}');
            }
        json_end(o, '}');
    }
    json_end(o, '}');
    if (!r->confusion) return;
    json_key(o, "classes"), json_begin(o, '[');
    for (int32_t k = 0; k < f->classes; k++) json_text(o, f->class[k]);
    json_end(o, ']'), json_key(o, "confusion"), json_begin(o, '[');
    for (int32_t k = 0; k < f->classes; k++) {
        json_begin(o, '[');
        for (int32_t i = 0; i < f->classes; i++) json_int(o, r->confusion[k * f->classes + i]);
        json_end(o, ']');
    }
    json_end(o, ']');
}
