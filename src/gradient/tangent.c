#include "gradient/tangent.h"
#include "gradient/tangent_cell.h"
#include <stdio.h>

struct tangent {
    const net *n;
    dual *w;                 /* [params] weight and direction */
    dual *x, *y[MAX_LAYERS]; /* [T][B][width] */
    cell_view cell[MAX_LAYERS][2];
    dual *room, *state[2]; /* of the cell in progress */
};

void tangent_free(tangent *t)
{
    if (!t) return;
    for (int i = 0; i < MAX_LAYERS; i++) mem_free(t->y[i]);
    mem_free(t->w), mem_free(t->x), mem_free(t->room), mem_free(t->state[0]), mem_free(t->state[1]), mem_free(t);
}

/* ---- what a layer is ---- */
static const dual *tensor(const tangent *t, int l, const char *name, bool reverse)
{
    char full[64];
    snprintf(full, sizeof full, "layers.%d.%s%s", l, name, reverse ? "_reverse" : "");
    const param_tensor *p = net_find(t->n, full);
    return p ? t->w + p->offset : NULL;
}
/* The words of a cell as the tangents know them; a word that they do not know is an error. */
static laco_status read_words(cell_view *c, const kernels *k, const cell_spec *s, laco_error *err)
{
    const cell_info *info = NULL;
    for (int i = 0; k->recur->cell(i); i++)
        if (!strcmp(k->recur->cell(i)->name, s->cell)) info = k->recur->cell(i);
    for (const cell_word *w = info ? info->words : NULL; w && w->word; w++) {
        int i = 0;
        if (!(s->words & w->bit)) continue;
        while (i < WORDS && strcmp(cell_word_names[i], w->word)) i++;
        if (i == WORDS)
            return fail(err, LACO_EUNSUPPORTED, -1, "exact Gauss-Newton products do not know the word %s of %s",
                        w->word, s->cell);
        c->word[i] = true;
    }
    return LACO_OK;
}
static laco_status view_cell(tangent *t, int l, int d, laco_error *err)
{
    const layer_spec *s = &t->n->d.layer[l];
    cell_view *c = &t->cell[l][d];
    *c =
        (cell_view){ .in = s->in, .H = s->cell.hidden, .P = s->out / (s->bidirectional ? 2 : 1), .clip = s->cell.clip };
    for (int i = 0; i < TENSORS; i++) c->w[i] = tensor(t, l, cell_tensor_names[i], d);
    laco_status st = read_words(c, t->n->k, &s->cell, err);
    return st ? st : cell_view_ready(c, s->cell.cell, err);
}
static laco_status view_layer(tangent *t, int l, int64_t *room, int64_t *states, laco_error *err)
{
    const layer_spec *s = &t->n->d.layer[l];
    laco_status st = LACO_OK;
    if (!s->cell.cell && strcmp(s->kind, "dense") && strcmp(s->kind, "window") && strcmp(s->kind, "dropout"))
        return fail(err, LACO_EUNSUPPORTED, -1, "exact Gauss-Newton products are not written for the layer %s",
                    s->kind);
    if (s->dilation > 1)
        return fail(err, LACO_EUNSUPPORTED, -1, "exact Gauss-Newton products are not written for dilation");
    for (int d = 0; !st && s->cell.cell && d < 1 + s->bidirectional; d++) {
        st = view_cell(t, l, d, err);
        *room = max64(*room, s->cell.hidden), *states = max64(*states, t->cell[l][d].states);
    }
    return st;
}

laco_status tangent_new(tangent **out, const net *n, int64_t rows, laco_error *err)
{
    int64_t room = 1, states = 1;
    laco_status st = LACO_OK;
    tangent *t = mem_new(1, sizeof *t);
    if (!t) return fail_memory(err, sizeof *t);
    t->n = n;
    bool ok =
        (t->w = mem_new((size_t)n->params, sizeof(dual))) && (t->x = mem_new((size_t)(rows * n->inputs), sizeof(dual)));
    for (int i = 0; ok && !st && i < n->d.layers; i++) {
        st = view_layer(t, i, &room, &states, err);
        ok &= (t->y[i] = mem_new((size_t)(rows * n->d.layer[i].out), sizeof(dual))) != NULL;
    }
    ok &= (t->room = mem_new((size_t)(9 * room), sizeof(dual))) != NULL;
    for (int i = 0; i < 2; i++) ok &= (t->state[i] = mem_new((size_t)states, sizeof(dual))) != NULL;
    if (!st && !ok) st = fail_memory(err, (size_t)(rows * n->wide) * sizeof(dual));
    for (int i = 0; i < n->d.layers; i++)
        for (int d = 0; d < 2; d++)
            t->cell[i][d].a = t->room, t->cell[i][d].b = t->room + 4 * room, t->cell[i][d].m = t->room + 8 * room;
    if (st) return tangent_free(t), st;
    *out = t;
    return LACO_OK;
}

/* ---- layers ---- x, y: [T][B][width] */
static void dense_rows(const tangent *t, int l, int64_t rows, const dual *x, dual *y)
{
    const layer_spec *s = &t->n->d.layer[l];
    const dual *w = tensor(t, l, "weight", false), *b = tensor(t, l, "bias", false);
    for (int64_t r = 0; r < rows; r++, x += s->in, y += s->out) {
        for (int64_t i = 0; i < s->out; i++) y[i] = b ? b[i] : dual_number(0);
        add_matrix_product(y, s->out, w, x, s->in);
        for (int64_t i = 0; i < s->out; i++) y[i] = dual_activate(s->act, y[i]);
    }
}
static void window_rows(const tangent *t, int l, const sequences *q, const dual *x, dual *y)
{
    const layer_spec *s = &t->n->d.layer[l];
    for (int64_t r = 0; r < q->T * q->B; r++)
        for (int64_t j = 0; j < s->steps; j++) {
            dual *to = y + r * s->out + j * s->in;
            if (r >= j * q->B)
                memcpy(to, x + (r - j * q->B) * s->in, (size_t)s->in * sizeof *to);
            else
                memset(to, 0, (size_t)s->in * sizeof *to);
        }
}
/* Row b of direction d through all steps. */
static void cell_row(tangent *t, int l, int d, const sequences *q, int64_t b, const dual *x, dual *y)
{
    const layer_spec *s = &t->n->d.layer[l];
    const cell_view *c = &t->cell[l][d];
    if (c->w[INITIAL])
        memcpy(t->state[0], c->w[INITIAL], (size_t)c->states * sizeof(dual));
    else
        memset(t->state[0], 0, (size_t)c->states * sizeof(dual));
    for (int64_t i = 0; i < q->T; i++) {
        int64_t r = (d || s->cell.reverse ? q->T - 1 - i : i) * q->B + b;
        const dual *before = t->state[i % 2];
        dual *after = t->state[1 - i % 2], *to = y + r * s->out + d * c->P;
        c->step(c, x + r * s->in, before, after);
        for (int64_t j = 0; j < c->P; j++)
            to[j] = after[j] + (s->residual ? x[r * s->in + d * c->P + j] : dual_number(0));
    }
}

void tangent_run(tangent *t, const sequences *q, const double *v)
{
    const net *n = t->n;
    const dual *x = t->x;
    const int64_t rows = q->T * q->B;
    for (int64_t i = 0; i < n->params; i++) t->w[i] = (dual){ net_get(n, i), v[i] };
    for (int64_t i = 0; i < rows * n->inputs; i++) t->x[i] = dual_number(q->x[i]);
    for (int l = 0; l < n->d.layers; l++) {
        const layer_spec *s = &n->d.layer[l];
        if (!strcmp(s->kind, "dense"))
            dense_rows(t, l, rows, x, t->y[l]);
        else if (!strcmp(s->kind, "window"))
            window_rows(t, l, q, x, t->y[l]);
        else if (!s->cell.cell) /* nothing is dropped */
            memcpy(t->y[l], x, (size_t)(rows * s->out) * sizeof(dual));
        for (int d = 0; s->cell.cell && d < 1 + s->bidirectional; d++)
            for (int64_t b = 0; b < q->B; b++) cell_row(t, l, d, q, b, x, t->y[l]);
        x = t->y[l];
    }
}
const dual *tangent_output(const tangent *t, int l) { return t->y[l]; }
