/* A network: layers over one contiguous buffer of parameters and one of gradients; a plan of its memory; forward,
   loss, backward, and streaming. */
#ifndef NET_H
#define NET_H
#include "net/describe.h"

typedef struct net {
    const kernels *k;
    pool *pool;
    net_description d;
    int64_t inputs, outputs;
    uint64_t fingerprint;          /* of the description */
    int64_t state_row[MAX_LAYERS]; /* bytes of the state of one stream in a layer */
    int64_t wide;                  /* numbers of the widest row between layers */
    bool symbols;                  /* inputs are symbols 0 .. inputs-1 */
    layer *layer[MAX_LAYERS];
    const layer_kind *kind[MAX_LAYERS];
    int64_t base[MAX_LAYERS];                  /* first parameter of each layer */
    param_tensor *tensor;                      /* [tensors] named "layers.0.weight_ih", offsets into w */
    int tensors, tensor_layer[MAX_LAYERS + 1]; /* first tensor of each layer */
    int64_t params;
    void *w, *g; /* [params] */
    void *tied;  /* tied networks that run: the last layer's own weight and bias */
    /* planned memory */
    int64_t cap_rows, cap_batch;
    bool cap_train;
    void *d_rows[2]; /* [rows][ld_d] gradients between layers */
    int64_t ld_d;
    void *state[MAX_LAYERS][2]; /* [B][stride] initial and final */
    bool carried;               /* state[.][0] holds the states to start from */
    softmax *head;
    /* of a last layer crf (src/net/chain.h) */
    crf *chain;
    double *chain_loss; /* [chain_rows] */
    int64_t chain_rows;
    /* of a loss that reads outputs: their gradient and the loss of each row */
    void *d_out; /* [rows][ld_out] */
    double *row_loss;
    int64_t ld_out, cap_out;
    struct net_window *window; /* how windows in time are walked (src/net/window.h); NULL: whole */
} net;

laco_status net_new(net **out, const net_description *d, int64_t inputs, const kernels *k, pool *p, laco_error *err);
void net_free(net *n);
/* name: default, uniform, glorot, orthogonal, identity (src/net/init.c) */
laco_status net_init(net *n, const char *name, double forget_bias, uint64_t seed, laco_error *err);
const char *const *init_names(void);
const char *init_about(const char *name);

double net_get(const net *n, int64_t i); /* a parameter, whatever the real type */
void net_set(net *n, int64_t i, double x);
const param_tensor *net_find(const net *n, const char *name);

/* What the packed weights are from the next load on; before reserve. */
laco_status net_weights(net *n, weights_kind kind, laco_error *err);
/* Packs the weights. run: also the last layer, which a loss does without. */
laco_status net_load(net *n, bool train, bool run, laco_error *err);
size_t net_bytes(const net *n, int64_t rows, int64_t batch, bool train); /* what reserve takes */
/* The same with so many tapes: sets of what forward leaves behind for backward. */
size_t net_bytes_taped(const net *n, int64_t rows, int64_t batch, bool train, int64_t tapes);
laco_status net_reserve(net *n, int64_t rows, int64_t batch, bool train, laco_error *err);
int64_t net_work(const net *n); /* multiply-adds of one step of one row, forward */

void net_reset(net *n); /* the next forward starts from zero (or learned) states */
void net_carry(net *n); /* … from the final states of the last forward, row by row */
/* x: [R] int32 symbols or [R][ldx] reals. `layers` of them: all to run, all but the last for a softmax loss. */
void net_forward(net *n, const pass *p, const void *x, int64_t ldx, int layers);
/* The same between states of one's own, one per layer; NULL: zeros or learned; not wanted. */
void net_forward_between(net *n, const pass *p, const void *x, int64_t ldx, int layers, void *const *initial,
                         void *const *final);
const void *net_output(const net *n, int layers, int64_t *ld);
/* Softmax cross entropy of the last layer: the sum of -log p. train: gradients are added to g, all layers. */
double net_softmax(net *n, const pass *p, const int32_t *target, double scale, double smoothing, double *log_prob);
/* Its first half: the gradient of the last layer's input is left in d_rows[(layers - 1) % 2]. rows: targets, what
   goes with them, and log_prob; the arrays of the network are put in. */
double net_softmax_rows(net *n, const pass *p, softmax_rows rows);
/* dy: gradient of the output of layer `layers`-1, backwards through all of them. dx: of the input, or NULL. */
void net_backward(net *n, const pass *p, const void *dy, int64_t ldy, int layers, void *dx, int64_t lddx);
/* carry: for each layer the gradient of its final states, which becomes that of its initial ones; NULL: zeros. */
void net_backward_between(net *n, const pass *p, const void *dy, int64_t ldy, int layers, void *dx, int64_t lddx,
                          void *const *carry);

/* ---- streaming ---- any number of streams side by side, in memory that the caller gives (aligned to 64) */
typedef struct net_state {
    uint32_t magic, turn; /* steps so far: even ones leave the states in the first of two buffers */
    uint64_t network;     /* its fingerprint: whose state this is */
    const kernels *k;
    int64_t streams;
    pool *pool;   /* NULL: the calling thread alone */
    const net *n; /* of the call in progress, as the following */
    const void *x;
    void *y;
    int64_t steps, m;
    int64_t between, wide, scratch, own; /* where in rest the rows between layers begin; bytes of such rows, … */
    char *helpers;                       /* memory of the other members of a team: own bytes each */
    _Alignas(64) char rest[];
} net_state;
enum { STATE_MAGIC = 0x0ac057a7 };
bool net_steps(const net *n);                           /* false: bidirectional or reverse */
size_t net_state_bytes(const net *n, int64_t streams);  /* 0: too many */
size_t net_helper_bytes(const net *n, int64_t streams); /* for each thread beyond the first */
void net_state_init(const net *n, net_state *s, int64_t streams);
void net_state_copy(net_state *to, const net_state *from); /* of as many streams */
void net_state_reset(const net *n, net_state *s, int64_t stream);
bool net_state_fits(const net *n, const net_state *s);
/* The first m streams, `steps` steps: x [steps][m][inputs] reals or [steps][m] symbols, y [steps][m][outputs]. */
void net_step(const net *n, net_state *s, int64_t steps, int64_t m, const void *x, void *y);
/* Into how many equal parts the row of states of a layer falls, one for each phase of a dilation; mostly one. */
int64_t net_turns(const net *n, int layer);
/* The numbers of all states of all streams in the order of the layers, without padding: how many; out; in. */
int64_t net_state_numbers(const net *n, int64_t streams);
void net_state_get(const net *n, const net_state *s, void *numbers);
void net_state_put(const net *n, net_state *s, const void *numbers);
#endif
