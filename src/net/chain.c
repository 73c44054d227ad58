#include "net/chain.h"

bool net_is_chain(const net *n) { return !strcmp(n->d.layer[n->d.layers - 1].kind, "crf"); }
size_t net_chain_bytes(const net *n, int64_t rows)
{
    return n->k->crf->bytes(n->outputs, rows, pool_threads(n->pool)) + (size_t)rows * sizeof(double);
}
laco_status net_reserve_chain(net *n, int64_t rows, laco_error *err)
{
    if (n->chain && rows <= n->chain_rows) return LACO_OK;
    n->k->crf->free(n->chain), mem_free(n->chain_loss), n->chain = NULL, n->chain_loss = NULL, n->chain_rows = 0;
    laco_status st = n->k->crf->make(&n->chain, n->outputs, rows, n->pool, err);
    if (!st && !(n->chain_loss = mem_new((size_t)rows, sizeof(double)))) st = fail_memory(err, (size_t)rows * 8);
    if (!st) n->chain_rows = rows;
    return st;
}
static crf_rows rows_of(net *n, const pass *p)
{
    int64_t params = n->base[n->d.layers - 1] * n->k->real_size;
    crf_rows q = { .b = &p->b, .params = (char *)n->w + params, .loss = n->chain_loss };
    q.emission = net_output(n, n->d.layers, &q.lde);
    return q;
}
double net_chain_loss(net *n, const pass *p, const int32_t *classes, double scale, void *de, int64_t ldde, double *loss)
{
    crf_rows q = rows_of(n, p);
    q.class = classes, q.scale = scale, q.de = de, q.ldde = ldde;
    if (de) q.dparams = (char *)n->g + n->base[n->d.layers - 1] * n->k->real_size;
    if (loss) q.loss = loss;
    return n->k->crf->run(n->chain, &q);
}
void net_best_path(net *n, const pass *p, int32_t *path, double *marginal)
{
    crf_rows q = rows_of(n, p);
    if (path) n->k->crf->best(n->chain, &q, path, NULL);
    q.marginal = marginal;
    if (marginal) n->k->crf->run(n->chain, &q);
}
