#include "net/inspect.h"
#include "net/walk.h"

enum { LARGEST = 2048 }; /* numbers of s */
struct jacobian {
    const net *n;
    const layer_kind *kind;
    layer *l; /* one of its own: the network keeps what it holds */
    int parts;
    int64_t at[MAX_STATES], width[MAX_STATES], N, in, out, ld, stride;
    int64_t active[1], off[2];
    pass p;
    char *x, *dy, *dw, *before, *after, *carry;
};

static laco_status take_memory(jacobian *j, int i, laco_error *err)
{
    const net *n = j->n;
    size_t size = (size_t)n->k->real_size, rows = (size_t)j->N;
    int64_t line = 64 / n->k->real_size, wide = max64(j->in, j->out);
    int64_t params = (i + 1 < n->d.layers ? n->base[i + 1] : n->params) - n->base[i];
    j->ld = ceil_div(wide, line) * line;
    char **all[] = { &j->x, &j->dy, &j->before, &j->after, &j->carry };
    bool ok = (j->dw = mem_new((size_t)params, size)) != NULL;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        ok &= (*all[k] = mem_new((rows + 1) * (size_t)(k < 2 ? j->ld : j->stride), size)) != NULL;
    return ok ? LACO_OK : fail_memory(err, rows * (size_t)j->stride * size);
}
laco_status jacobian_new(jacobian **out, const net *n, int i, laco_error *err)
{
    const layer_spec *s = &n->d.layer[i];
    if (!n->kind[i]->inside(n->layer[i], 0) || s->bidirectional)
        return fail(err, LACO_EINVAL, -1, "layer %d is not a recurrent layer of one direction", i);
    jacobian *j = mem_new(1, sizeof *j);
    if (!j) return fail_memory(err, sizeof *j);
    j->n = n, j->kind = n->kind[i], j->in = s->in, j->out = s->out;
    laco_status st = j->kind->make(&j->l, s, n->pool, err);
    if (st) return mem_free(j), st;
    j->parts = j->kind->states(j->l, j->at, j->width), j->stride = j->kind->state_stride(j->l);
    for (int k = 0; k < j->parts; k++) j->N += j->width[k];
    if (j->N > LARGEST)
        st = fail(err, LACO_EINVAL, -1, "layer %d has %lld state numbers; Jacobians are made up to %d", i,
                  (long long)j->N, LARGEST);
    if (!st) st = take_memory(j, i, err);
    if (!st) st = j->kind->reserve(j->l, j->N, j->N, true, err);
    if (st) return jacobian_free(j), st;
    j->kind->load(j->l, (const char *)n->w + n->base[i] * n->k->real_size, true);
    j->active[0] = j->off[1] = j->N;
    j->p.b = (ragged){ .T = 1, .B = j->N, .R = j->N, .active = j->active, .off = j->off };
    *out = j;
    return LACO_OK;
}
int64_t jacobian_size(const jacobian *j) { return j->N; }

/* Where number i of s lies in a row of state. */
static int64_t place_of(const jacobian *j, int64_t i)
{
    int k = 0;
    while (i >= j->width[k]) i -= j->width[k++];
    return j->at[k] + i;
}
static void put_one(const jacobian *j, char *rows, int64_t i)
{
    if (j->n->k->real_size == 4)
        ((float *)rows)[i] = 1;
    else
        ((double *)rows)[i] = 1;
}
void jacobian_at(jacobian *j, const void *x, const void *s, double *to, double *after)
{
    size_t size = (size_t)j->n->k->real_size, row = (size_t)j->stride * size, wide = (size_t)j->ld * size;
    memset(j->carry, 0, (size_t)j->N * row);
    for (int64_t i = 0; i < j->N; i++) {
        memcpy(j->x + (size_t)i * wide, x, (size_t)j->in * size);
        memcpy(j->before + (size_t)i * row, s, row);
        put_one(j, j->carry, i * j->stride + place_of(j, i));
    }
    j->kind->forward(j->l, &j->p, j->x, j->ld, j->before, j->after);
    j->kind->backward(j->l, &j->p, j->dy, j->ld, j->carry, j->dw, NULL, 0);
    for (int64_t i = 0; i < j->N; i++) {
        for (int64_t k = 0; k < j->N; k++) to[i * j->N + k] = net_real(j->n, j->carry, i * j->stride + place_of(j, k));
        if (after) after[i] = net_real(j->n, j->after, place_of(j, i));
    }
}
void jacobian_free(jacobian *j)
{
    if (!j) return;
    j->kind->free(j->l);
    mem_free(j->x), mem_free(j->dy), mem_free(j->dw), mem_free(j->before), mem_free(j->after), mem_free(j->carry);
    mem_free(j);
}
