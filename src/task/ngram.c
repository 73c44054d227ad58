/* Interpolated modified Kneser-Ney, orders 1 to 5 (Chen & Goodman 1998, "An empirical study of smoothing techniques for
   language modeling", section 4.1).

   For a context h of k-1 symbols, with c the count of a k-gram and N_j(h) the next symbols that h has j times:

     p_k(w|h) = (c(hw) - D(c(hw))) / sum_x c(hx) + L(h) p_(k-1)(w|h'),   h' = h without its first symbol
     L(h)     = (D1 N1(h) + D2 N2(h) + D3 N3+(h)) / sum_x c(hx)
     D_j      = j - (j+1) Y n_(j+1) / n_j,   Y = n_1 / (n_1 + 2 n_2),   n_j: k-grams that occur j times
     p_0      = 1 / V

   A context that never occurred takes p_(k-1). Of the highest order c is the plain count; of lower ones the number of
   different symbols in front of the k-gram, where the start of the text counts as one more.

   The k-grams are a tree: level k holds the different k-grams in sorted order, children of a node lie side by side.
   Level 0 is the root, level 1 has one node for each symbol of the vocabulary. To build it, all positions of the text
   are sorted by the `order` symbols that start there (counting sort, last symbol first); one walk over them per level
   then meets equal k-grams together. Memory while training: 16 bytes a symbol of text, and the tree. */
#include "task/ngram.h"
#include <math.h>

typedef struct level {
    int32_t nodes;
    int32_t *symbol;    /* [nodes] last symbol of the k-gram; NULL in levels 0 and 1, where it is the index */
    uint32_t *count;    /* [nodes] c */
    double discount[4]; /* by min(c, 3) */
    /* the node as a context: its children in the next level */
    int32_t *first;  /* [nodes + 1] */
    uint32_t *total; /* [nodes] sum of their c; 0: never seen as a context */
    double *lower;   /* [nodes] L(h) */
} level;

struct ngram {
    int order;
    int32_t vocabulary;
    level level[NGRAM_MAX + 1];
};

/* What training needs besides the tree. */
typedef struct trainer {
    ngram *g;
    const int32_t *ids;
    int32_t n;
    int32_t *sorted; /* [n] positions in order of the symbols that start there */
    int32_t *node;   /* [n] node of the (k-1)-gram that starts at a position */
    int32_t *next;   /* [n] the same for k-grams, once they are numbered; scratch of the sort before that */
    const volatile int *stop;
} trainer;

/* ---- building the tree ---- */

static laco_status ngram_stopped(const trainer *t, laco_error *err)
{
    if (!t->stop || !*t->stop) return LACO_OK;
    return fail(err, LACO_ESTOPPED, -1, "the n-gram baseline was stopped before it was ready");
}

/* One stable pass: by the symbol `offset` behind the position; positions too near the end come first. */
static void ngram_sort_pass(trainer *t, int offset, int32_t *start)
{
    int32_t n = t->n, V = t->g->vocabulary;
    memset(start, 0, ((size_t)V + 2) * sizeof *start);
    for (int32_t i = 0; i < n; i++) start[(i < n - offset ? t->ids[i + offset] + 1 : 0) + 1]++;
    for (int32_t v = 0; v <= V; v++) start[v + 1] += start[v];
    for (int32_t i = 0; i < n; i++) {
        int32_t at = t->sorted[i];
        t->next[start[at < n - offset ? t->ids[at + offset] + 1 : 0]++] = at;
    }
    int32_t *swap = t->sorted;
    t->sorted = t->next, t->next = swap;
}

static laco_status ngram_sort(trainer *t, laco_error *err)
{
    size_t buckets = (size_t)t->g->vocabulary + 2;
    int32_t *start = mem_new(buckets, sizeof *start);
    if (!start) return fail_memory(err, buckets * sizeof *start);
    for (int32_t i = 0; i < t->n; i++) t->sorted[i] = i;
    laco_status status = LACO_OK;
    for (int offset = t->g->order - 1; offset >= 0 && status == LACO_OK; offset--) {
        ngram_sort_pass(t, offset, start);
        status = ngram_stopped(t, err);
    }
    mem_free(start);
    return status;
}

/* Numbers the different k-grams in sorted order: t->next of each position. Returns how many there are. */
static int32_t ngram_number(trainer *t, int k)
{
    int32_t nodes = 0, parent = -1, symbol = -1;
    for (int32_t i = 0; i < t->n; i++) {
        int32_t at = t->sorted[i];
        if (at > t->n - k) continue;
        if (t->node[at] != parent || t->ids[at + k - 1] != symbol) nodes++;
        parent = t->node[at], symbol = t->ids[at + k - 1];
        t->next[at] = nodes - 1;
    }
    return nodes;
}

/* Fills level k, the children of level k-1 and, as each k-gram is a different symbol in front of its last k-1, their
   counts. */
static void ngram_fill(trainer *t, int k)
{
    level *up = &t->g->level[k - 1], *here = &t->g->level[k];
    int32_t seen = 0;
    for (int32_t i = 0; i < t->n; i++) {
        int32_t at = t->sorted[i];
        if (at > t->n - k) continue;
        if (t->next[at] == seen) {
            here->symbol[seen++] = t->ids[at + k - 1];
            up->first[t->node[at] + 1]++;
            up->count[t->node[at + 1]]++;
        }
        if (k == t->g->order) here->count[t->next[at]]++;
    }
    if (t->n >= k - 1) up->count[t->node[0]]++; /* the start of the text, as a symbol in front */
    for (int32_t v = 0; v < up->nodes; v++) up->first[v + 1] += up->first[v];
}

static laco_status level_new(level *l, int32_t nodes, bool symbols, bool context, laco_error *err)
{
    size_t n = (size_t)nodes;
    l->nodes = nodes;
    l->count = mem_new(n, sizeof *l->count);
    if (symbols) l->symbol = mem_new(n, sizeof *l->symbol);
    if (context) {
        l->first = mem_new(n + 1, sizeof *l->first);
        l->total = mem_new(n, sizeof *l->total);
        l->lower = mem_new(n, sizeof *l->lower);
    }
    if (l->count && (!symbols || l->symbol) && (!context || (l->first && l->total && l->lower))) return LACO_OK;
    return fail_memory(err, n * (8 + (context ? 16 : 0)));
}

/* Levels 0 and 1 are plain tables; with order 1 the counts of level 1 are those of the text. */
static laco_status ngram_first_levels(trainer *t, laco_error *err)
{
    ngram *g = t->g;
    laco_status status = level_new(&g->level[0], 1, false, true, err);
    if (status == LACO_OK) status = level_new(&g->level[1], g->vocabulary, false, g->order > 1, err);
    if (status != LACO_OK) return status;
    g->level[0].first[1] = g->vocabulary;
    if (g->order > 1) memcpy(t->node, t->ids, (size_t)t->n * sizeof *t->node);
    for (int32_t i = 0; g->order == 1 && i < t->n; i++) g->level[1].count[t->ids[i]]++;
    return LACO_OK;
}

static laco_status ngram_tree(trainer *t, laco_error *err)
{
    laco_status status = ngram_first_levels(t, err);
    if (status == LACO_OK && t->g->order > 1) status = ngram_sort(t, err);
    for (int k = 2; k <= t->g->order && status == LACO_OK; k++) {
        status = level_new(&t->g->level[k], ngram_number(t, k), true, k < t->g->order, err);
        if (status != LACO_OK) break;
        ngram_fill(t, k);
        int32_t *swap = t->node;
        t->node = t->next, t->next = swap;
        status = ngram_stopped(t, err);
    }
    return status;
}

/* ---- discounts ---- */

/* D_j, or j/2 where the counts of counts do not give one between 0 and j (small texts, small vocabularies). */
static void ngram_discounts(level *l)
{
    double n[5] = { 0 };
    for (int32_t v = 0; v < l->nodes; v++)
        if (l->count[v] >= 1 && l->count[v] <= 4) n[l->count[v]]++;
    double y = n[1] / (n[1] + 2 * n[2]);
    for (int j = 1; j <= 3; j++) {
        double d = j - (j + 1) * y * n[j + 1] / n[j];
        l->discount[j] = d > 0 && d < j ? d : j / 2.0;
    }
}

static double ngram_discount(const level *l, uint32_t count) { return l->discount[count < 3 ? count : 3]; }

static void ngram_contexts(level *up, const level *here)
{
    for (int32_t v = 0; v < up->nodes; v++) {
        int64_t total = 0, by_count[4] = { 0 };
        for (int32_t c = up->first[v]; c < up->first[v + 1]; c++) {
            total += here->count[c];
            by_count[here->count[c] < 3 ? here->count[c] : 3]++;
        }
        double mass = 0;
        for (int j = 1; j <= 3; j++) mass += here->discount[j] * (double)by_count[j];
        up->total[v] = (uint32_t)total;
        up->lower[v] = total ? mass / (double)total : 1;
    }
}

static laco_status ngram_check(const int32_t *ids, int64_t n, int32_t vocabulary, int order, laco_error *err)
{
    if (order < 1 || order > NGRAM_MAX)
        return fail(err, LACO_EINVAL, -1, "n-grams of order %d: the order must be 1 to %d", order, NGRAM_MAX);
    if (vocabulary < 1 || vocabulary > INT32_MAX - 2)
        return fail(err, LACO_EINVAL, -1, "n-grams over %d symbols: give a vocabulary of at least 1", (int)vocabulary);
    if (n < 1 || n > INT32_MAX - NGRAM_MAX)
        return fail(err, LACO_EINVAL, -1, "n-grams of a text of %lld symbols: give 1 to %d of them", (long long)n,
                    INT32_MAX - NGRAM_MAX);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= vocabulary)
            return fail(err, LACO_EINVAL, i, "symbol %lld of the text is %d: symbols must be 0 to %d", (long long)i,
                        (int)ids[i], (int)vocabulary - 1);
    return LACO_OK;
}

laco_status ngram_train(ngram **out, const int32_t *ids, int64_t n, int32_t vocabulary, int order,
                        const volatile int *stop, laco_error *err)
{
    *out = NULL;
    laco_status status = ngram_check(ids, n, vocabulary, order, err);
    if (status != LACO_OK) return status;
    trainer t = { .g = mem_new(1, sizeof *t.g), .ids = ids, .n = (int32_t)n, .stop = stop };
    size_t work = order > 1 ? (size_t)n : 0;
    t.sorted = mem_new(work, sizeof *t.sorted);
    t.node = mem_new(work, sizeof *t.node);
    t.next = mem_new(work, sizeof *t.next);
    if (!t.g || !t.sorted || !t.node || !t.next) {
        status = fail_memory(err, 3 * work * sizeof *t.node);
    } else {
        t.g->order = order, t.g->vocabulary = vocabulary;
        status = ngram_tree(&t, err);
    }
    mem_free(t.sorted), mem_free(t.node), mem_free(t.next);
    if (status == LACO_OK) status = ngram_stopped(&t, err);
    if (status != LACO_OK) {
        ngram_free(t.g);
        return status;
    }
    for (int k = 1; k <= order; k++) {
        ngram_discounts(&t.g->level[k]);
        ngram_contexts(&t.g->level[k - 1], &t.g->level[k]);
    }
    *out = t.g;
    return LACO_OK;
}

/* ---- looking up ---- */

/* The node of level k+1 that `symbol` leads to from a node of level k; -1: never seen. */
static int32_t ngram_child(const ngram *g, int k, int32_t node, int32_t symbol)
{
    if (node < 0) return -1;
    if (k == 0) return symbol;
    const int32_t *symbols = g->level[k + 1].symbol;
    int32_t low = g->level[k].first[node], high = g->level[k].first[node + 1], end = high;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (symbols[middle] < symbol)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && symbols[low] == symbol ? low : -1;
}

static void ngram_forget(int32_t context[NGRAM_MAX])
{
    for (int k = 0; k < NGRAM_MAX; k++) context[k] = k == 0 ? 0 : -1;
}

/* Probability of `symbol` behind context[k], the nodes of the last k symbols; then moves them on by it. */
static double ngram_step(const ngram *g, int32_t context[NGRAM_MAX], int32_t symbol)
{
    if (symbol < 0 || symbol >= g->vocabulary) {
        ngram_forget(context);
        return 0;
    }
    double p = 1.0 / g->vocabulary;
    int32_t moved = 0; /* context[k] of the next step is the node found here in level k */
    for (int k = 0; k < g->order; k++) {
        const level *up = &g->level[k], *here = &g->level[k + 1];
        int32_t node = context[k], child = ngram_child(g, k, node, symbol);
        context[k] = moved;
        moved = child;
        if (node < 0 || up->total[node] == 0) continue;
        uint32_t count = child < 0 ? 0 : here->count[child];
        double own = count ? (count - ngram_discount(here, count)) / up->total[node] : 0;
        p = own + up->lower[node] * p;
    }
    return p;
}

double ngram_probability(const ngram *g, const int32_t *context, int len, int32_t next)
{
    int32_t nodes[NGRAM_MAX];
    ngram_forget(nodes);
    for (int i = len < g->order ? 0 : len - g->order + 1; i < len; i++) ngram_step(g, nodes, context[i]);
    return ngram_step(g, nodes, next);
}

double ngram_loss(const ngram *g, const int32_t *ids, int64_t n, int64_t before)
{
    int32_t nodes[NGRAM_MAX];
    ngram_forget(nodes);
    for (int64_t i = -min64(before, g->order - 1); i < 0; i++) ngram_step(g, nodes, ids[i]);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum -= log(ngram_step(g, nodes, ids[i]));
    return n > 0 ? sum / (double)n : NAN;
}

void ngram_free(ngram *g)
{
    if (!g) return;
    for (int k = 0; k <= NGRAM_MAX; k++) {
        level *l = &g->level[k];
        mem_free(l->symbol), mem_free(l->count), mem_free(l->first), mem_free(l->total), mem_free(l->lower);
    }
    mem_free(g);
}
