/* tokens N [chars M of A CELL H] [feature S of C]…: symbols are types of a lexicon (layer/lexicon.h): words as they are
   written. The output of a type lies side by side:

       word      N numbers, a table [words][N]; word 0 stands for all that are not known
       chars     2 H numbers: the final states of the cell over the characters of the type (table [A][M]), forwards and
                 backwards (Ling et al. 2015, Lample et al. 2016)
       feature   S numbers for each column, a table [C][S]

   In training a word is taken for word 0 with the probability that the lexicon gives it, drawn for every row: so word 0
   learns what a rare word is like. Its characters are read all the same.

   The characters are computed once for each type of the window, whatever number of rows it has: the rows are sorted by
   the length of their type, the types are the rows of a ragged batch in time, and what they come to is copied to their
   rows. On the way back the gradients of the rows of a type are added in the order of the rows. Types are taken in
   parts of bounded size; when there are several, the way back makes their states again.

   Without a lexicon symbol i is the word i of 1 + i % 4 characters, the first of them i % A: for tests of the layer,
   and for the parity vector of a model.

   Parameters: weight [words][N], chars [A][M], the tensors of both directions of the cell, feature_k [C][S]. */
#include "base/rng.h"
#include "layer/layer_kernel.h"
#include "layer/lexicon.h"
#include "math/mask.h"
extern const recur_ops N(recur_ops);
#define ops N(recur_ops)

enum { CHAR_ROWS = 8192, CHAR_TYPES = 1024, COLUMNS_PER_TASK = 64, TYPES_PER_TASK = 16 };
typedef struct token {
    int32_t type, length, row;
} token;
struct layer {
    layer_head h;
    recur *dir[2];
    int64_t H, M, ls, ldx, ldform; /* of the characters: width of a direction, of a vector; strides */
    int64_t at_chars, at_dir[2], at_feature[MOST_FEATURES], out_chars, out_feature[MOST_FEATURES];
    const lexicon *lex;
    const int32_t *ids;
    int64_t R, types, cap;
    token *sorted;  /* [R] by falling length, then by type, then by row */
    int64_t *first; /* [types + 1] in sorted */
    int32_t *word;  /* [R] as drawn */
    int32_t *slot;  /* [R] which of the types */
    real *form;     /* [types][ldform] final states of both directions; on the way back their gradients */
    /* a part of the types: */
    int64_t from, parts, char_rows, char_types;
    int64_t active[MOST_CHARS], off[MOST_CHARS + 1];
    pass p;
    int32_t *chars;       /* [char_rows] */
    real *x, *dx, *state; /* [char_rows][ldx] twice, [char_types][ls] */
    real *zero;           /* a row of zeros */
    const real *dy;
    real *dw;
    int64_t lddy;
    const real *from_rows; /* of scatter: [n][ld] */
    const int32_t *to_row;
    int64_t n, ld, width;
};

/* ---- shape ---- */
static void table(param_tensor *t, const char *name, int64_t rows, int64_t width, int64_t *offset)
{
    *t = (param_tensor){ .rank = 2,
                         .shape = { rows, width },
                         .size = rows * width,
                         .offset = *offset,
                         .role = INIT_INPUT,
                         .gates = 1,
                         .forget_block = -1 };
    strcpy(t->name, name), *offset += t->size;
}
static laco_status tokens_describe(layer_spec *s, param_tensor *t, int *count, laco_error *err)
{
    int64_t offset = 0;
    char name[16] = "feature_0";
    if (!s->symbols) return fail(err, LACO_EINVAL, -1, "tokens must be the first layer, and its input symbols");
    if (s->chars && !s->alphabet)
        return fail(err, LACO_EINVAL, -1, "tokens: say how many characters there are: \"chars %lld of 100\"",
                    (long long)s->chars);
    s->out = s->size, *count = 0;
    table(&t[(*count)++], "weight", s->in, s->size, &offset);
    if (s->chars) table(&t[(*count)++], "chars", s->alphabet, s->chars, &offset);
    for (int d = 0; s->chars && d < 2; d++) {
        cell_spec c = s->cell;
        int n = 0;
        c.inputs = s->chars;
        laco_status st = ops.describe(&c, t + *count, &n, err);
        if (st) return st;
        const int64_t base = offset;
        for (param_tensor *q = t + *count; q < t + *count + n; q++) {
            if (d) strncat(q->name, "_reverse", sizeof q->name - strlen(q->name) - 1);
            q->offset += base, offset = q->offset + q->size;
        }
        *count += n, s->out += c.hidden;
    }
    for (int k = 0; k < s->features; k++, name[8]++) {
        if (!s->feature_count[k])
            return fail(err, LACO_EINVAL, -1, "tokens: say how many values feature %d has: \"feature %lld of 10\"",
                        k + 1, (long long)s->feature_size[k]);
        table(&t[(*count)++], name, s->feature_count[k], s->feature_size[k], &offset), s->out += s->feature_size[k];
    }
    return LACO_OK;
}
static void tokens_free(layer *l)
{
    if (!l) return;
    ops.free(l->dir[0]), ops.free(l->dir[1]);
    void *all[] = {
        l->h.y, l->sorted, l->first, l->word, l->slot, l->form, l->chars, l->x, l->dx, l->state, l->zero, l
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
}
static laco_status make_cell(layer *l, pool *p, laco_error *err)
{
    const layer_spec *s = &l->h.s;
    for (int d = 0; d < 2; d++) {
        cell_spec c = s->cell;
        c.inputs = s->chars, c.reverse = d, c.place = 2 * s->index + d;
        laco_status st = ops.make(&l->dir[d], &c, p, err);
        if (st) return st;
    }
    l->H = ops.out_width(l->dir[0]), l->M = s->chars, l->ls = ops.state_stride(l->dir[0]);
    l->ldx = row_stride(l->M), l->ldform = row_stride(2 * l->H);
    return (l->zero = new_rows(1, row_stride(l->H))) ? LACO_OK : fail_memory(err, rows_bytes(1, l->H));
}
static laco_status tokens_make(layer **out, const layer_spec *s, pool *p, laco_error *err)
{
    layer *l = mem_new(1, sizeof *l);
    param_tensor t[2 * MAX_TENSORS];
    int n = 0, k = 0;
    if (!l) return fail_memory(err, sizeof *l);
    l->h.s = *s, l->h.pool = p, l->h.ldy = row_stride(s->out);
    laco_status st = tokens_describe(&l->h.s, t, &n, err);
    if (!st && s->chars) st = make_cell(l, p, err);
    if (st) return tokens_free(l), st;
    l->out_chars = s->size;
    for (int i = 0; i < n; i++) {
        if (!strcmp(t[i].name, "chars")) l->at_chars = t[i].offset, l->at_dir[0] = t[i].offset + t[i].size;
        if (!l->at_dir[1] && strstr(t[i].name, "_reverse")) l->at_dir[1] = t[i].offset;
        if (!strncmp(t[i].name, "feature_", 8)) l->at_feature[k++] = t[i].offset;
    }
    for (k = 0; k < s->features; k++)
        l->out_feature[k] = k ? l->out_feature[k - 1] + s->feature_size[k - 1] : l->out_chars + 2 * l->H;
    *out = l;
    return LACO_OK;
}
static laco_status tokens_weights(layer *l, weights_kind kind, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int d = 0; !st && l->M && d < 2; d++) st = ops.weights(l->dir[d], kind, err);
    return st;
}
static void tokens_load(layer *l, const void *w, bool train)
{
    l->h.w = w;
    for (int d = 0; l->M && d < 2; d++) ops.load(l->dir[d], l->h.w + l->at_dir[d], train);
}

/* ---- memory ---- */
static int64_t most_char_rows(int64_t rows) { return min64(CHAR_ROWS, rows * MOST_CHARS); }
static int64_t most_char_types(int64_t rows) { return min64(CHAR_TYPES, rows); }
static size_t tokens_bytes(const layer *l, int64_t rows, int64_t batch, bool train, int64_t tapes)
{
    int64_t chars = most_char_rows(rows), types = most_char_types(rows);
    size_t sum = rows_bytes(rows, l->h.ldy) * (size_t)tapes;
    (void)batch;
    sum += (size_t)rows * (sizeof(token) + 2 * sizeof(int32_t)) + (size_t)(rows + 1) * sizeof(int64_t);
    if (!l->M) return sum;
    for (int d = 0; d < 2; d++) sum += ops.bytes(l->dir[d], chars, types, train, 1);
    sum += rows_bytes(rows, l->ldform) + rows_bytes(types, l->ls) + (size_t)chars * sizeof(int32_t);
    return sum + rows_bytes(chars, l->ldx) * (train ? 2 : 1);
}
static laco_status take_char_memory(layer *l, int64_t rows, bool train, laco_error *err)
{
    int64_t chars = most_char_rows(rows), types = most_char_types(rows);
    laco_status st = LACO_OK;
    for (int d = 0; !st && d < 2; d++) st = ops.reserve(l->dir[d], chars, types, train, err);
    if (st) return st;
    mem_free(l->chars), mem_free(l->x), mem_free(l->dx), mem_free(l->state), mem_free(l->form), l->dx = NULL;
    bool ok = (l->chars = mem_new((size_t)chars, sizeof *l->chars)) != NULL;
    ok &= (l->x = new_rows(chars, l->ldx)) != NULL && (!train || (l->dx = new_rows(chars, l->ldx)));
    ok &= (l->state = new_rows(types, l->ls)) != NULL && (l->form = new_rows(rows, l->ldform)) != NULL;
    l->char_rows = chars, l->char_types = types;
    return ok ? LACO_OK : fail_memory(err, rows_bytes(chars, l->ldx));
}
static laco_status tokens_reserve(layer *l, int64_t rows, int64_t batch, bool train, laco_error *err)
{
    (void)batch;
    laco_status st = reserve_rows(&l->h.y, &l->h.cap_rows, rows, l->h.ldy, err);
    if (!st && l->M && (rows > l->cap || (train && !l->dx))) st = take_char_memory(l, max64(rows, l->cap), train, err);
    if (st || rows <= l->cap) return st;
    l->cap = 0;
    mem_free(l->sorted), mem_free(l->first), mem_free(l->word), mem_free(l->slot);
    l->sorted = mem_new((size_t)rows, sizeof *l->sorted), l->first = mem_new((size_t)rows + 1, sizeof *l->first);
    l->word = mem_new((size_t)rows, sizeof *l->word), l->slot = mem_new((size_t)rows, sizeof *l->slot);
    if (!l->sorted || !l->first || !l->word || !l->slot) return fail_memory(err, (size_t)rows * sizeof *l->sorted);
    l->cap = rows;
    return LACO_OK;
}
static int tokens_tape(layer *l, tape_part parts[TAPE_PARTS]) { return parts[0] = TAPE_HEAD(l), 1; }
static void tokens_release(layer *l) { release_rows(&l->h.y, &l->h.cap_rows); }

/* ---- types ---- */
static int32_t length_of(const layer *l, int32_t type)
{
    return l->lex ? (int32_t)(l->lex->first[type + 1] - l->lex->first[type]) : 1 + type % 4;
}
static int32_t char_of(const layer *l, int32_t type, int64_t i)
{
    return l->lex ? l->lex->chars[l->lex->first[type] + i] : (int32_t)((type + i) % l->h.s.alphabet);
}
static int32_t feature_of(const layer *l, int32_t type, int k)
{
    return l->lex ? l->lex->feature[type * l->lex->features + k] : (int32_t)(type % l->h.s.feature_count[k]);
}
static int by_length(const void *a, const void *b)
{
    const token *x = a, *y = b;
    if (x->length != y->length) return x->length < y->length ? 1 : -1;
    if (x->type != y->type) return x->type < y->type ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}
static void sort_types(layer *l)
{
    for (int64_t r = 0; r < l->R; r++) l->sorted[r] = (token){ l->ids[r], length_of(l, l->ids[r]), (int32_t)r };
    qsort(l->sorted, (size_t)l->R, sizeof *l->sorted, by_length);
    l->types = 0;
    for (int64_t i = 0; i < l->R; i++) {
        if (!i || l->sorted[i].type != l->sorted[i - 1].type) l->first[l->types++] = i;
        l->slot[l->sorted[i].row] = (int32_t)(l->types - 1);
    }
    l->first[l->types] = l->R;
}
static const token *type_at(const layer *l, int64_t slot) { return &l->sorted[l->first[slot]]; }

/* ---- characters ---- the part of the types from `from` on, as a batch; returns where the next part begins */
static int64_t lay_out_part(layer *l, int64_t from)
{
    int64_t n = 0, rows = 0, T = type_at(l, from)->length;
    while (from + n < l->types && n < l->char_types && rows + type_at(l, from + n)->length <= l->char_rows)
        rows += type_at(l, from + n)->length, n++;
    l->from = from, l->off[0] = 0;
    for (int64_t t = 0, m = n; t < T; t++) {
        while (m && type_at(l, from + m - 1)->length <= t) m--;
        l->active[t] = m, l->off[t + 1] = l->off[t] + m;
        for (int64_t b = 0; b < m; b++) l->chars[l->off[t] + b] = char_of(l, type_at(l, from + b)->type, t);
    }
    l->p.b = (ragged){ T, n, l->off[T], l->active, l->off };
    return from + n;
}
static void vector_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->p.b.R, (i + 1) * ROWS_PER_TASK); r++)
        memcpy(l->x + r * l->ldx, l->h.w + l->at_chars + l->chars[r] * l->M, (size_t)l->M * sizeof(real));
}
static int64_t read_part(layer *l, int64_t from)
{
    int64_t next = lay_out_part(l, from);
    pool_run(l->h.pool, ceil_div(l->p.b.R, ROWS_PER_TASK), vector_task, l);
    for (int d = 0; d < 2; d++) ops.forward(l->dir[d], &l->p, l->x, l->ldx, NULL);
    return next;
}
static void read_chars(layer *l, const pass *p)
{
    l->p = *p, l->parts = 0;
    for (int64_t from = 0, next; from < l->types; from = next, l->parts++) {
        next = read_part(l, from);
        for (int d = 0; d < 2; d++) {
            ops.final(l->dir[d], NULL, l->state);
            for (int64_t b = 0; b < l->p.b.B; b++)
                memcpy(l->form + (from + b) * l->ldform + d * l->H, l->state + b * l->ls, (size_t)l->H * sizeof(real));
        }
    }
}

/* ---- forward ---- */
static int32_t draw_word(const layer *l, const pass *p, int64_t r)
{
    int32_t type = l->ids[r], word = l->lex ? l->lex->word[type] : type;
    if (!p->train || !l->lex || !l->lex->forget || l->lex->forget[type] <= 0) return word;
    double u = rng_uniform(p->seed, mask_purpose(RNG_EMBED, l->h.s.index, p->update), (uint64_t)(p->first_row + r));
    return u < (double)l->lex->forget[type] ? 0 : word;
}
static void gather_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    const layer_spec *s = &l->h.s;
    (void)thread;
    for (int64_t r = i * ROWS_PER_TASK; r < min64(l->R, (i + 1) * ROWS_PER_TASK); r++) {
        real *y = l->h.y + r * l->h.ldy;
        memcpy(y, l->h.w + l->word[r] * s->size, (size_t)s->size * sizeof(real));
        if (l->M) memcpy(y + l->out_chars, l->form + l->slot[r] * l->ldform, (size_t)(2 * l->H) * sizeof(real));
        for (int k = 0; k < s->features; k++)
            memcpy(y + l->out_feature[k], l->h.w + l->at_feature[k] + feature_of(l, l->ids[r], k) * s->feature_size[k],
                   (size_t)s->feature_size[k] * sizeof(real));
    }
}
static void tokens_forward(layer *l, const pass *p, const void *x, int64_t ldx, const void *initial, void *final)
{
    (void)ldx, (void)initial, (void) final;
    l->lex = p->lexicon, l->ids = x, l->R = p->b.R;
    for (int64_t r = 0; r < l->R; r++) l->word[r] = draw_word(l, p, r);
    if (l->M) sort_types(l), read_chars(l, p);
    pool_run(l->h.pool, ceil_div(l->R, ROWS_PER_TASK), gather_task, l);
}
static const void *tokens_output(const layer *l, int64_t *ld) { return *ld = l->h.ldy, l->h.y; }

/* ---- backward ---- */
/* Rows of gradients added to the rows of a table, in order; tasks own columns. */
static void scatter_task(void *ctx, int64_t i, int thread)
{
    const layer *l = ctx;
    int64_t c = i * COLUMNS_PER_TASK, n = min64(COLUMNS_PER_TASK, l->width - c);
    (void)thread;
    for (int64_t r = 0; r < l->n; r++) {
        real *to = l->dw + l->to_row[r] * l->width + c;
        const real *from = l->from_rows + r * l->ld + c;
        for (int64_t j = 0; j < n; j++) to[j] += from[j];
    }
}
static void scatter(layer *l, int64_t n, const real *from, int64_t ld, const int32_t *row, real *to, int64_t width)
{
    l->n = n, l->from_rows = from, l->ld = ld, l->to_row = row, l->dw = to, l->width = width;
    pool_run(l->h.pool, ceil_div(width, COLUMNS_PER_TASK), scatter_task, l);
}
/* The gradient of the final states of a type: of all its rows. */
static void form_task(void *ctx, int64_t i, int thread)
{
    layer *l = ctx;
    (void)thread;
    for (int64_t s = i * TYPES_PER_TASK; s < min64(l->types, (i + 1) * TYPES_PER_TASK); s++) {
        real *to = l->form + s * l->ldform;
        memset(to, 0, (size_t)(2 * l->H) * sizeof(real));
        for (int64_t k = l->first[s]; k < l->first[s + 1]; k++) {
            const real *from = l->dy + l->sorted[k].row * l->lddy + l->out_chars;
            for (int64_t j = 0; j < 2 * l->H; j++) to[j] += from[j];
        }
    }
}
static void chars_back(layer *l, real *dparams)
{
    pool_run(l->h.pool, ceil_div(l->types, TYPES_PER_TASK), form_task, l);
    for (int64_t from = 0, next = l->types; from < l->types; from = next) {
        if (l->parts > 1) next = read_part(l, from);
        for (int d = 0; d < 2; d++) {
            memset(l->state, 0, (size_t)(l->p.b.B * l->ls) * sizeof(real));
            for (int64_t b = 0; b < l->p.b.B; b++)
                memcpy(l->state + b * l->ls, l->form + (from + b) * l->ldform + d * l->H, (size_t)l->H * sizeof(real));
            ops.backward(l->dir[d], l->zero, 0, l->state, dparams + l->at_dir[d], l->dx, l->ldx, d > 0);
        }
        scatter(l, l->p.b.R, l->dx, l->ldx, l->chars, dparams + l->at_chars, l->M);
    }
}
static void tokens_backward(layer *l, const pass *p, const void *dy, int64_t ldy, void *carry, void *dparams, void *dx,
                            int64_t lddx)
{
    const layer_spec *s = &l->h.s;
    (void)p, (void)carry, (void)dx, (void)lddx;
    l->dy = dy, l->lddy = ldy;
    scatter(l, l->R, dy, ldy, l->word, dparams, s->size);
    if (l->M) chars_back(l, dparams);
    for (int k = 0; k < s->features; k++) {
        for (int64_t r = 0; r < l->R; r++) l->slot[r] = feature_of(l, l->ids[r], k);
        scatter(l, l->R, l->dy + l->out_feature[k], ldy, l->slot, (real *)dparams + l->at_feature[k],
                s->feature_size[k]);
    }
}

/* ---- steps ---- what the characters need does not fit into the memory of a step */
static int64_t tokens_scratch(const layer *l, int64_t m) { return (void)l, (void)m, -1; }
static void tokens_step(const layer *l, const step_call *c) { (void)l, (void)c; }
enum { USUAL_LENGTH = 6 }; /* characters of a word */
static int64_t tokens_work(const layer *l) { return l->M ? 2 * USUAL_LENGTH * ops.work_per_row(l->dir[0]) : 0; }
extern const layer_kind N(tokens_layer);
const layer_kind N(tokens_layer) = { "tokens",        "words by table and by their characters: for text in columns",
                                     tokens_describe, tokens_make,
                                     tokens_free,     tokens_weights,
                                     tokens_load,     tokens_bytes,
                                     tokens_reserve,  tokens_tape,
                                     tokens_release,  tokens_forward,
                                     tokens_output,   tokens_backward,
                                     no_state,        no_states,
                                     no_init,         tokens_scratch,
                                     no_scratch,      tokens_step,
                                     tokens_work,     no_inside };
