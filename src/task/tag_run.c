/* A tagger at work: data sets through the network in batches of sentences of about the same length; the best path of a
   chain, or the most probable class of every word. */
#include "net/chain.h"
#include "task/tag.h"
#include <math.h>

enum { MOST_ROWS = 1 << 15 }; /* words of a batch, but for a single sentence */
void tag_runner_init(tag_runner *r, net *n, const lexicon *lex, int64_t batch)
{
    *r = (tag_runner){ .n = n, .lex = lex, .batch = max64(1, batch), .ldx = ceil_div(n->inputs, 16) * 16 };
}
void tag_runner_free(tag_runner *r)
{
    void *all[] = { r->active, r->off, r->order, r->ids, r->right, r->path, r->x, r->p };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    *r = (tag_runner){ 0 };
}

/* ---- batches ---- */
typedef struct by_words {
    int64_t words, sentence;
} by_words;
static int longest_first(const void *a, const void *b)
{
    const by_words *x = a, *y = b;
    if (x->words != y->words) return x->words < y->words ? 1 : -1;
    return x->sentence < y->sentence ? -1 : 1;
}
static laco_status sort_sentences(tag_runner *r, const tag_data *d, laco_error *err)
{
    by_words *all = mem_new((size_t)d->sentences, sizeof *all);
    mem_free(r->order);
    r->order = mem_new((size_t)d->sentences, sizeof *r->order);
    if (!all || !r->order) return mem_free(all), fail_memory(err, (size_t)d->sentences * sizeof *all);
    for (int64_t k = 0; k < d->sentences; k++) all[k] = (by_words){ d->start[k + 1] - d->start[k], k };
    qsort(all, (size_t)d->sentences, sizeof *all, longest_first);
    for (int64_t k = 0; k < d->sentences; k++) r->order[k] = all[k].sentence;
    mem_free(all);
    return LACO_OK;
}
static laco_status take_rows(tag_runner *r, int64_t rows, int64_t steps, int64_t batch, bool p, laco_error *err)
{
    net *n = r->n;
    if (steps > r->steps_room) {
        mem_free(r->active), mem_free(r->off), r->steps_room = 0;
        r->active = mem_new((size_t)steps, sizeof *r->active), r->off = mem_new((size_t)steps + 1, sizeof *r->off);
        if (!r->active || !r->off) return fail_memory(err, (size_t)steps * 16);
        r->steps_room = steps;
    }
    if (rows > r->rows_room || (p && !r->p)) {
        rows = max64(rows, r->rows_room);
        mem_free(r->ids), mem_free(r->right), mem_free(r->path), mem_free(r->x), mem_free(r->p);
        r->x = NULL, r->p = NULL, r->rows_room = 0;
        bool ok = (r->ids = mem_new((size_t)rows, sizeof *r->ids)) != NULL;
        ok &= (r->right = mem_new((size_t)rows, sizeof *r->right)) != NULL;
        ok &= (r->path = mem_new((size_t)rows, sizeof *r->path)) != NULL;
        if (!n->symbols) ok &= (r->x = mem_new((size_t)(rows * r->ldx + 64), sizeof *r->x)) != NULL;
        if (p) ok &= (r->p = mem_new((size_t)(rows * n->outputs), sizeof *r->p)) != NULL;
        if (!ok) return fail_memory(err, (size_t)rows * 16);
        r->rows_room = rows;
    }
    laco_status st = net_reserve(n, rows, batch, false, err);
    return st || !net_is_chain(n) ? st : net_reserve_chain(n, rows, err);
}
/* Sentences order[from .. from + B) as a ragged batch. */
static ragged lay_out(tag_runner *r, const tag_data *d, int64_t from, int64_t B)
{
    int64_t T = d->start[r->order[from] + 1] - d->start[r->order[from]], m = B, rows = 0;
    for (int64_t t = 0; t < T; t++) {
        while (m && d->start[r->order[from + m - 1] + 1] - d->start[r->order[from + m - 1]] <= t) m--;
        r->active[t] = m, r->off[t] = rows;
        for (int64_t b = 0; b < m; b++, rows++) {
            int64_t word = d->start[r->order[from + b]] + t;
            r->right[rows] = d->class[word];
            if (d->type) r->ids[rows] = d->type[word];
            if (d->x) memcpy(r->x + rows * r->ldx, d->x + word * r->n->inputs, (size_t)r->n->inputs * sizeof *r->x);
        }
    }
    r->off[T] = rows;
    return (ragged){ T, B, rows, r->active, r->off };
}

/* ---- answers ---- */
/* The most probable class of each row; -log p of the right ones. */
static double choose_each(tag_runner *r, const ragged *b, double *p)
{
    int64_t ld, K = r->n->outputs;
    const float *y = net_output(r->n, r->n->d.layers, &ld);
    double loss = 0;
    for (int64_t i = 0; i < b->R; i++, y += ld) {
        int32_t best = 0;
        double sum = 0;
        for (int32_t k = 1; k < K; k++)
            if (y[k] > y[best]) best = k;
        for (int64_t k = 0; k < K; k++) sum += exp((double)y[k] - (double)y[best]);
        for (int64_t k = 0; p && k < K; k++) p[i * K + k] = exp((double)y[k] - (double)y[best]) / sum;
        if (r->right[i] >= 0) loss += log(sum) + (double)y[best] - (double)y[r->right[i]];
        r->path[i] = best;
    }
    return loss;
}
static double answer(tag_runner *r, const pass *p, bool probabilities, bool loss)
{
    double *to = probabilities ? r->p : NULL;
    if (!net_is_chain(r->n)) return choose_each(r, &p->b, to);
    net_best_path(r->n, p, r->path, to);
    return loss ? net_chain_loss(r->n, p, r->right, 1, NULL, 0, NULL) : 0;
}
laco_status tag_run(tag_runner *r, const tag_data *d, int32_t *said, double *p, double *loss, const volatile int *stop,
                    laco_error *err)
{
    net *n = r->n;
    laco_status st = sort_sentences(r, d, err);
    if (!st) st = net_load(n, false, true, err);
    if (loss) *loss = 0;
    for (int64_t from = 0, B; !st && from < d->sentences && !(stop && *stop); from += B) {
        int64_t longest = d->start[r->order[from] + 1] - d->start[r->order[from]];
        B = min64(min64(r->batch, d->sentences - from), max64(1, MOST_ROWS / max64(1, longest)));
        if ((st = take_rows(r, B * longest, longest, B, p != NULL, err))) break;
        const pass at = { .b = lay_out(r, d, from, B), .lexicon = r->lex };
        net_reset(n);
        net_forward(n, &at, n->symbols ? (const void *)r->ids : r->x, r->ldx, n->d.layers);
        double one = answer(r, &at, p != NULL, loss != NULL);
        if (loss) *loss += one;
        for (int64_t t = 0; t < at.b.T; t++)
            for (int64_t b = 0; b < r->active[t]; b++) {
                int64_t word = d->start[r->order[from + b]] + t, row = r->off[t] + b;
                said[word] = r->path[row];
                if (p) memcpy(p + word * n->outputs, r->p + row * n->outputs, (size_t)n->outputs * sizeof *p);
            }
    }
    return st;
}
laco_status tag_judge(tag_counts *c, tag_front *f, const tag_base *b, const tag_types *t, const tag_data *d,
                      const int32_t *said, laco_error *err)
{
    int64_t longest = 1;
    for (int64_t k = 0; k < d->sentences; k++) longest = max64(longest, d->start[k + 1] - d->start[k]);
    const char **real = mem_new((size_t)longest, sizeof *real), **made = mem_new((size_t)longest, sizeof *made);
    bool *unknown = mem_new((size_t)longest, sizeof *unknown);
    laco_status st = real && made && unknown ? LACO_OK : fail_memory(err, (size_t)longest * 16);
    for (int64_t k = 0; !st && k < d->sentences; k++) {
        int64_t from = d->start[k], n = d->start[k + 1] - from;
        st = tag_names(f, said + from, n, made, err);
        for (int64_t i = 0; i < n; i++) {
            real[i] = d->tag[from + i] < 0 ? NULL : intern_text(f->tag, d->tag[from + i]), unknown[i] = false;
            if (d->type && b) tag_base_of(b, t, d->type[from + i], &unknown[i]);
        }
        if (!st) st = tag_count(c, real, made, unknown, n, err);
    }
    mem_free(real), mem_free(made), mem_free(unknown);
    return st;
}
