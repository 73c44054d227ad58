/* A window walked in parts, so that it can be looked at on the way: forward part by part with the states between them
   kept, then back layer by layer with the gradients of the states carried. Slow and for diagnosis; with parts of one
   step it sees dL/dh of every step. A part must be the last that went forward when it is gone back through. */
#ifndef WALK_H
#define WALK_H
#include "net/window.h"

typedef struct net_walk {
    net *n;
    const pass *p;
    const void *x;
    int64_t ldx;
    const net_loss *loss;
    int64_t chunk, parts; /* steps of a part; how many */
    int64_t first;        /* of the part in hand: its first step */
    pass part;
    int64_t *off;
    char *state[MAX_LAYERS]; /* [parts + 1][B][row]: in front of every part and behind the last */
    char *carry[MAX_LAYERS]; /* [B][row] gradient of the states behind the part in hand; after walk_back in front */
    void *dy, *tied;
    double *row_loss; /* [rows of a part] */
    int64_t lddy;
    const void *d; /* gradient of the output of the layer that walk_back takes next */
    int64_t ldd;
} net_walk;

/* The weights must be loaded for training, the last layer among them, and memory for training be reserved. chunk: steps
   of a part; 0: as many as the memory that is reserved holds. Networks that look ahead are walked as one part. The
   window starts from the states that the next net_forward would start from. */
laco_status walk_new(net_walk **out, net *n, const pass *p, const void *x, int64_t ldx, const net_loss *loss,
                     int64_t chunk, laco_error *err);
void walk_free(net_walk *w);
void walk_forward(net_walk *w, int64_t part);
double walk_loss(net_walk *w, bool counts); /* of the part in hand; sets d. counts false: there is none, d is 0 */
void walk_back(net_walk *w, int layer);     /* from the last layer to the first */
double net_real(const net *n, const void *base, int64_t i); /* number i of an array of the network's real type */
#endif
