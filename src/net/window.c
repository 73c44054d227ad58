#include "net/window.h"

/* Numbers of a row of output gradients: whole cache lines. */
static int64_t output_stride(const net *n)
{
    int64_t line = 64 / n->k->real_size;
    return ceil_div(n->outputs, line) * line;
}
size_t net_loss_bytes(const net *n, loss_kind kind, int64_t rows)
{
    if (kind == LOSS_SOFTMAX) return 0;
    return (size_t)((rows + 1) * output_stride(n)) * (size_t)n->k->real_size + (size_t)rows * sizeof(double);
}
laco_status net_reserve_loss(net *n, loss_kind kind, int64_t rows, laco_error *err)
{
    const layer_spec *last = &n->d.layer[n->d.layers - 1];
    if (kind == LOSS_SOFTMAX)
        return n->head ? LACO_OK : n->k->loss->softmax_new(&n->head, n->outputs, last->in, n->pool, err);
    if (rows <= n->cap_out) return LACO_OK;
    mem_free(n->d_out), mem_free(n->row_loss);
    n->cap_out = 0, n->ld_out = output_stride(n);
    n->d_out = mem_new((size_t)((rows + 1) * n->ld_out), (size_t)n->k->real_size);
    n->row_loss = mem_new((size_t)rows, sizeof *n->row_loss);
    if (!n->d_out || !n->row_loss) return fail_memory(err, net_loss_bytes(n, kind, rows));
    n->cap_out = rows;
    return LACO_OK;
}
laco_status net_load_loss(net *n, loss_kind kind, bool train, laco_error *err)
{
    return net_load(n, train, kind != LOSS_SOFTMAX, err);
}
/* A loss on the outputs of the last layer. */
static double learn_outputs(net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss)
{
    const loss_ops *ops = n->k->loss;
    output_rows rows = { .R = p->b.R,
                         .outputs = n->outputs,
                         .target = loss->y,
                         .scale = loss->scale,
                         .dy = p->train ? n->d_out : NULL,
                         .lddy = n->ld_out,
                         .row_loss = n->row_loss };
    net_forward(n, p, x, ldx, n->d.layers);
    rows.y = net_output(n, n->d.layers, &rows.ldy);
    double sum = loss->kind == LOSS_SQUARED ? ops->squared(n->pool, &rows) : ops->bernoulli(n->pool, &rows);
    if (p->train) net_backward(n, p, n->d_out, n->ld_out, n->d.layers, NULL, 0);
    return sum;
}
double net_learn(net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss)
{
    if (loss->kind != LOSS_SOFTMAX) return learn_outputs(n, p, x, ldx, loss);
    net_forward(n, p, x, ldx, n->d.layers - 1);
    return net_softmax(n, p, loss->classes, loss->scale, loss->smoothing, loss->log_prob);
}
