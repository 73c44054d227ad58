/* Networks whose last layer is crf: the scores of the layer before it, and its own, as the loss of whole sequences, as
   probabilities and as the best path. */
#ifndef CHAIN_H
#define CHAIN_H
#include "net/net.h"

bool net_is_chain(const net *n); /* the last layer is crf */
size_t net_chain_bytes(const net *n, int64_t rows);
laco_status net_reserve_chain(net *n, int64_t rows, laco_error *err); /* beside net_reserve */
/* After net_forward of all layers. The sum of the loss; de [R][ldde] set and n->g added to, or de NULL. loss: [B]. */
double net_chain_loss(net *n, const pass *p, const int32_t *classes, double scale, void *de, int64_t ldde,
                      double *loss);
/* After net_forward of all layers: the best path, class by row of the batch, and the probability of each class at each
   row given all others, [R][classes]; either may be NULL. */
void net_best_path(net *n, const pass *p, int32_t *path, double *marginal);
#endif
