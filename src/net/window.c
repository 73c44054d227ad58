#include "net/window.h"

laco_status net_load_loss(net *n, loss_kind kind, bool train, laco_error *err)
{
    return net_load(n, train, kind != LOSS_SOFTMAX, err);
}
double net_learn(net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss)
{
    net_forward(n, p, x, ldx, n->d.layers - 1);
    return net_softmax(n, p, loss->classes, loss->scale, loss->log_prob);
}
