/* laco explain of models of laco train classify: what each step contributed to the answer s, which is log p of the
   likeliest class, the logit of the likeliest label, or the number.

     gradient    input times gradient: the sum over the numbers x of a step, those of its vector for a symbol, of
                 x ds/dx (Simonyan et al. 2014, Shrikumar et al. 2017): how s would grow with the step, near where it is
     occlusion   s less s without the step: a symbol is taken out, numbers become 0, their mean in training. Of long
                 sequences steps are left out in blocks, each of which has an equal share

   Naive Bayes beside the network is not part of s. */
#include "net/walk.h"
#include "task/classify.h"
#include "task/diagnose.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

enum { OCCLUSIONS = 256, CHUNK = 64, SHADES = 5 };
typedef struct explained {
    const char *answer; /* class, or NULL */
    int64_t k;          /* output that is explained */
    double s, shown;    /* s; probability or number */
    double *gradient, *occlusion; /* [T] */
    int64_t T, room;
} explained;
typedef struct explainer {
    task_job *j;
    laco_model *m;
    reading f;
    examples e, less; /* less: an example without each of its steps */
    runner runner;
    explained q;
    int64_t *active, *off, room, told;
    float *x, *dx; /* [room][ldx] */
    buf text;      /* output, page or members of JSON */
    json_out json;
} explainer;

static laco_status make_room(explainer *x, int64_t T, laco_error *err)
{
    int64_t ldx = x->runner.ldx;
    if (T <= x->room) return LACO_OK;
    mem_free(x->active), mem_free(x->off), mem_free(x->x), mem_free(x->dx);
    mem_free(x->q.gradient), mem_free(x->q.occlusion);
    x->active = mem_new((size_t)T, sizeof *x->active), x->off = mem_new((size_t)T + 1, sizeof *x->off);
    x->x = mem_new((size_t)(T * ldx + 64), sizeof *x->x), x->dx = mem_new((size_t)(T * ldx + 64), sizeof *x->dx);
    x->q.gradient = mem_new((size_t)T, sizeof(double)), x->q.occlusion = mem_new((size_t)T, sizeof(double));
    bool ok = x->active && x->off && x->x && x->dx && x->q.gradient && x->q.occlusion;
    x->room = ok ? T : 0;
    return ok ? LACO_OK : fail_memory(err, (size_t)(T * ldx) * 8);
}

/* ---- the answer and its gradient ---- */
static double answer_of(const explainer *x, const float *y, int64_t k)
{
    double p[2], top = y[0], sum = 0;
    if (x->f.answer == ANSWER_NUMBER) return reading_answer(&x->f, y, p), p[0];
    if (x->f.answer == ANSWER_LABELS) return y[k];
    for (int32_t i = 1; i < x->f.classes; i++) top = fmax(top, y[i]);
    for (int32_t i = 0; i < x->f.classes; i++) sum += exp(y[i] - top);
    return y[k] - top - log(sum);
}
/* dy: ds/dy of the last step */
static void choose(explainer *x, const float *y, float *dy)
{
    explained *q = &x->q;
    const reading *f = &x->f;
    q->k = 0, q->answer = NULL;
    for (int32_t i = 1; i < f->classes; i++)
        if (y[i] > y[q->k]) q->k = i;
    q->s = answer_of(x, y, q->k), q->shown = q->s;
    if (f->answer == ANSWER_NUMBER) dy[0] = (float)f->y_scale;
    if (f->answer == ANSWER_LABELS) dy[q->k] = 1, q->shown = 1 / (1 + exp(-q->s));
    for (int32_t i = 0; f->answer == ANSWER_CLASS && i < f->classes; i++)
        dy[i] = (float)((i == q->k) - exp(answer_of(x, y, i)));
    if (f->answer == ANSWER_CLASS) q->shown = exp(q->s);
    if (f->classes) q->answer = f->class[q->k];
}
static double products(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}
static void back(explainer *x, net_walk *w)
{
    const net *n = x->m->net;
    int64_t T = x->q.T, ld = x->runner.ldx, width = n->inputs;
    const float *in = x->x, *d = x->dx;
    for (int i = n->d.layers - 1; i > 0; i--) walk_back(w, i);
    if (n->symbols) {
        in = n->kind[0]->output(n->layer[0], &ld), d = w->d, width = n->d.layer[0].out;
    } else
        n->kind[0]->backward(n->layer[0], &w->part, w->d, w->ldd, w->carry[0], n->g, x->dx, ld);
    for (int64_t t = 0; t < T; t++) x->q.gradient[t] = products(in + t * ld, d + t * (n->symbols ? w->ldd : ld), width);
}
static laco_status take_gradient(explainer *x, const example *r, laco_error *err)
{
    net *n = x->m->net;
    int64_t T = r->length, ld = x->runner.ldx, ldy;
    const void *in = n->symbols ? (const void *)(x->e.ids + r->start) : x->x;
    net_walk *w = NULL;
    for (int64_t t = 0; t < T; t++) {
        x->active[t] = 1, x->off[t + 1] = t + 1;
        if (!n->symbols) memcpy(x->x + t * ld, x->e.x + (r->start + t) * n->inputs, (size_t)n->inputs * sizeof(float));
    }
    pass p = { .b = { T, 1, T, x->active, x->off } };
    laco_status st = net_reserve(n, T, 1, true, err);
    if (!st) st = net_load(n, true, true, err);
    if (!st) net_reset(n), st = walk_new(&w, n, &p, in, ld, NULL, T, err);
    if (!st) {
        walk_forward(w, 0);
        const float *y = net_output(n, n->d.layers, &ldy);
        memset(w->dy, 0, (size_t)(T * w->lddy) * sizeof(float));
        choose(x, y + (T - 1) * ldy, (float *)w->dy + (T - 1) * w->lddy);
        w->d = w->dy, w->ldd = w->lddy;
        back(x, w);
    }
    walk_free(w);
    return st;
}

/* ---- without a step ---- */
static int64_t block_of(int64_t T) { return ceil_div(T, OCCLUSIONS); }
/* The example without each of its blocks, as examples of their own. */
static laco_status leave_out(explainer *x, const example *r, laco_error *err)
{
    const net *n = x->m->net;
    int64_t T = r->length, block = block_of(T), blocks = ceil_div(T, block), at = 0;
    size_t inputs = (size_t)n->inputs, positions = (size_t)(blocks * T);
    examples *e = &x->less;
    mem_free(e->row), mem_free(e->ids), mem_free(e->x);
    e->row = mem_new((size_t)blocks, sizeof *e->row), e->count = blocks;
    e->ids = n->symbols ? mem_new(positions, sizeof *e->ids) : NULL;
    e->x = n->symbols ? NULL : mem_new(positions, inputs * sizeof *e->x);
    if (!e->row || (!e->ids && !e->x)) return e->count = 0, fail_memory(err, positions * inputs * sizeof *e->x);
    for (int64_t b = 0; b < blocks; b++) {
        int64_t from = b * block, to = min64(T, from + block), rest = n->symbols ? T - to + from : T;
        e->row[b] = (example){ .start = at, .length = rest };
        if (n->symbols) {
            memcpy(e->ids + at, x->e.ids + r->start, (size_t)from * sizeof *e->ids);
            memcpy(e->ids + at + from, x->e.ids + r->start + to, (size_t)(T - to) * sizeof *e->ids);
        } else {
            memcpy(e->x + at * n->inputs, x->e.x + r->start * n->inputs, (size_t)T * inputs * sizeof *e->x);
            memset(e->x + (at + from) * n->inputs, 0, (size_t)(to - from) * inputs * sizeof *e->x);
        }
        at += rest;
    }
    return LACO_OK;
}
static void take_rest(void *ctx, int64_t number, int64_t step, const float *y)
{
    explainer *x = ctx;
    explained *q = &x->q;
    int64_t block = block_of(q->T), from = number * block, to = min64(q->T, from + block);
    (void)step;
    for (int64_t t = from; t < to; t++) q->occlusion[t] = (q->s - answer_of(x, y, q->k)) / (double)(to - from);
}
static laco_status take_occlusion(explainer *x, const example *r, laco_error *err)
{
    laco_status st = leave_out(x, r, err);
    for (int64_t t = 0; t < r->length; t++) x->q.occlusion[t] = NAN; /* nothing is left without the only symbol */
    return st ? st : runner_run(&x->runner, &x->less, -1, false, x->j->stop, take_rest, x, err);
}

/* ---- the output ---- */
typedef void put_example(explainer *x, const example *r);
/* A step as it is read: its symbol, or its number. */
static void step_text(const explainer *x, const example *r, int64_t t, buf *to)
{
    if (x->f.numbers) {
        buf_printf(to, "%lld", (long long)t + 1);
        return;
    }
    size_t n;
    int32_t id = x->e.ids[r->start + t];
    const char *s = vocab_symbol(x->f.v, id, &n);
    if (id == vocab_eos(x->f.v))
        buf_text(to, "<end>");
    else
        buf_add(to, s, n);
}
static double largest(const explained *q)
{
    double most = 0;
    for (int64_t t = 0; t < q->T; t++) most = fmax(most, isnan(q->occlusion[t]) ? 0 : fabs(q->occlusion[t]));
    return most > 0 ? most : 1;
}
static void put_title(explainer *x, buf *to)
{
    const explained *q = &x->q;
    buf_printf(to, "example %lld", (long long)x->told);
    if (q->answer) buf_printf(to, "  %s", q->answer);
    buf_printf(to, "  %.4g\n", q->shown);
}
static void put_table(explainer *x, const example *r)
{
    put_title(x, &x->text);
    buf_printf(&x->text, "  %10s %10s  step\n", "gradient", "occlusion");
    for (int64_t t = 0; t < r->length; t++) {
        buf_printf(&x->text, "  %10.4f %10.4f  ", x->q.gradient[t], x->q.occlusion[t]);
        step_text(x, r, t, &x->text), buf_text(&x->text, "\n");
    }
}
/* For the answer green, against it red, the darker the more: by occlusion. */
static void put_coloured(explainer *x, const example *r)
{
    static const int green[SHADES] = { 0, 22, 28, 34, 40 }, red[SHADES] = { 0, 52, 88, 124, 160 }; /* of 256 colours */
    double most = largest(&x->q);
    put_title(x, &x->text), buf_text(&x->text, "  ");
    for (int64_t t = 0; t < r->length; t++) {
        double v = isnan(x->q.occlusion[t]) ? 0 : x->q.occlusion[t];
        int shade = (int)fmin(SHADES - 1, fabs(v) / most * SHADES);
        if (t && (x->f.numbers || x->f.unit == UNIT_WORD)) buf_text(&x->text, " ");
        if (shade) buf_printf(&x->text, "\033[48;5;%dm\033[97m", v > 0 ? green[shade] : red[shade]);
        step_text(x, r, t, &x->text);
        if (shade) buf_text(&x->text, "\033[0m");
    }
    buf_text(&x->text, "\n");
}
static void put_html(explainer *x, const example *r)
{
    double most = largest(&x->q);
    buf title = { 0 };
    put_title(x, &title);
    buf_text(&x->text, "<h3>"), page_text(&x->text, title.data ? title.data : ""), buf_text(&x->text, "</h3>\n<p>");
    for (int64_t t = 0; t < r->length; t++) {
        double v = isnan(x->q.occlusion[t]) ? 0 : x->q.occlusion[t];
        buf step = { 0 };
        step_text(x, r, t, &step);
        buf_printf(&x->text, "<span style=\"background:rgba(%s,%.2f)\" title=\"occlusion %.4f, gradient %.4f\">",
                   v > 0 ? "0,150,70" : "210,50,40", 0.85 * fabs(v) / most, x->q.occlusion[t], x->q.gradient[t]);
        page_text(&x->text, step.data ? step.data : ""), buf_text(&x->text, "</span>");
        buf_text(&x->text, x->f.numbers || x->f.unit == UNIT_WORD ? " " : "");
        buf_free(&step);
    }
    buf_text(&x->text, "</p>\n"), buf_free(&title);
}
static void put_json(explainer *x, const example *r)
{
    json_out *o = &x->json;
    json_begin(o, '{');
    if (x->q.answer) json_key(o, "class"), json_text(o, x->q.answer);
    json_key(o, x->q.answer ? "probability" : "number"), json_number(o, x->q.shown);
    json_key(o, "steps"), json_begin(o, '[');
    for (int64_t t = 0; t < r->length; t++) {
        buf step = { 0 };
        step_text(x, r, t, &step);
        json_begin(o, '{');
        json_key(o, "step"), json_string(o, step.data ? step.data : "", step.len);
        json_key(o, "gradient"), json_number(o, x->q.gradient[t]);
        json_key(o, "occlusion"), json_number(o, x->q.occlusion[t]);
        json_end(o, '}'), buf_free(&step);
    }
    json_end(o, ']'), json_end(o, '}');
}

/* ---- all of it ---- */
static laco_status explain_read(explainer *x, put_example *put, laco_error *err)
{
    laco_status st = reading_apply(&x->f, &x->e, x->j, err);
    for (int64_t i = 0; !st && i < x->e.count && !*x->j->stop; i++) {
        const example *r = &x->e.row[i];
        x->q.T = r->length, x->told++;
        if (!r->length) continue;
        st = make_room(x, r->length, err);
        if (!st) st = take_gradient(x, r, err);
        if (!st) st = take_occlusion(x, r, err);
        if (!st) put(x, r);
        if (!st && x->text.failed) st = fail_memory(err, x->text.len);
        if (!st && (put == put_table || put == put_coloured)) task_out_buf(x->j, &x->text);
    }
    return st;
}
static laco_status explain_table(explainer *x, put_example *put, laco_error *err)
{
    const char *text = options_text(x->j->o, "text");
    table_input in;
    table_reader *reader = NULL;
    table *t = NULL;
    text_columns c;
    laco_status st = reading_tables(&in, &x->f, x->j, err);
    if (text) in.o.format = TABLE_TEXT;
    if (!st) st = text ? table_open_bytes(&reader, text, strlen(text), "--text", &in.o, err)
                       : task_open_table(&in, TEXT_DATA, &reader, err);
    if (!st && !reader) st = fail(err, LACO_EINVAL, -1, "name what is to be explained: --data FILE or --text TEXT");
    for (bool first = true; !st && !(st = table_next(reader, CHUNK, true, &t, err)) && t; first = false, table_free(t)) {
        if (first) st = examples_text_column(&c, &x->f, t, err);
        examples_clear(&x->e);
        if (!st) st = examples_add_table(&x->e, &x->f, &c, t, PART_TEST, err);
        if (!st) st = explain_read(x, put, err);
    }
    table_close(reader);
    laco_status closed = table_input_close(&in, st ? NULL : err);
    return st ? st : closed;
}
static laco_status explain_series(explainer *x, put_example *put, laco_error *err)
{
    if (options_text(x->j->o, "text")) return fail(err, LACO_EINVAL, -1, "this model reads series of numbers, not --text");
    if (!options_text(x->j->o, "data"))
        return fail(err, LACO_EINVAL, -1, "name what is to be explained: --data FILE");
    laco_status st = examples_read(&x->e, &x->f, TEXT_DATA, NULL, PART_TEST, x->j, err);
    return st ? st : explain_read(x, put, err);
}
static laco_status write_page(explainer *x, const char *path, laco_error *err)
{
    file_writer *w;
    buf_text(&x->text, "</body></html>\n");
    if (x->text.failed) return fail_memory(err, x->text.len);
    laco_status st = file_create(&w, path, err);
    if (st) return st;
    st = file_write(w, x->text.data, x->text.len, err);
    if (st) return file_abandon(w), st;
    return file_commit(w, err);
}
static laco_status explain_all(explainer *x, laco_error *err)
{
    const char *page = options_text(x->j->o, "html");
    bool members = options_flag(x->j->o, "json");
    put_example *put = page ? put_html : members ? put_json : options_flag(x->j->o, "color") ? put_coloured : put_table;
    x->json.to = x->j->result;
    if (page)
        buf_text(&x->text, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>laco explain</title>"
                           "<style>body{font:16px sans-serif;max-width:60em;margin:2em auto}p{line-height:1.8}</style>"
                           "</head><body>\n<p>Green speaks for the answer, red against it (occlusion).</p>\n");
    if (!page && members) json_begin(&x->json, '{'), json_key(&x->json, "examples"), json_begin(&x->json, '[');
    laco_status st = x->f.numbers ? explain_series(x, put, err) : explain_table(x, put, err);
    if (!page && members) json_end(&x->json, ']'), json_end(&x->json, '}');
    return st || !page ? st : write_page(x, page, err);
}
laco_status classify_explain(task_job *j, laco_model *m, laco_error *err)
{
    explainer x = { .j = j, .m = m };
    laco_status st = reading_load(&x.f, m, options_text(j->o, "model-file"), err);
    if (!st) st = examples_new(&x.e, err);
    x.e.unanswered = true;
    runner_init(&x.runner, m->net, CHUNK, OCCLUSIONS);
    if (!st && model_get(m, "bayes")) task_note(j, "the network alone is explained, without naive Bayes beside it");
    if (!st) st = explain_all(&x, err);
    mem_free(x.active), mem_free(x.off), mem_free(x.x), mem_free(x.dx), mem_free(x.q.gradient);
    mem_free(x.q.occlusion), buf_free(&x.text), runner_free(&x.runner);
    examples_free(&x.less), examples_free(&x.e), reading_free(&x.f);
    return st;
}
