/* Elman network (Elman 1990, "Finding structure in time", Cognitive Science 14).

       h' = f(W x + b + U h)         f = tanh, relu, sigmoid or linear
       dL/da = dL/dh' f'(a), written in h'
       recurrent-dropout: h' = m f(a)

   slots: 0 a        state: h        nothing is kept but h */
#ifdef CELL_ROWS
&elman,
#else
enum { ELMAN_RELU = 1, ELMAN_SIGMOID = 2, ELMAN_LINEAR = 4 };
enum { ELMAN_ACTS = ELMAN_RELU | ELMAN_SIGMOID | ELMAN_LINEAR };
static const cell_word elman_words[] = {
    { "relu", ELMAN_RELU, ELMAN_ACTS, "activation max(0, x)" },
    { "sigmoid", ELMAN_SIGMOID, ELMAN_ACTS, "activation 1/(1+exp(-x))" },
    { "linear", ELMAN_LINEAR, ELMAN_ACTS, "no activation" },
    { NULL, 0, 0, NULL },
};

static laco_status elman_shape(cell_shape *s, laco_error *err)
{
    (void)err;
    s->states = s->sources = 1;
    add_section(s, 1, FROM_X | FROM_H);
    add_weights(s, 1, (const int[]){ 0 }, 1, (const int[]){ 0 }, -1);
    if (s->spec.project) add_projection(s, ACT_LINEAR, false);
    return LACO_OK;
}

static int elman_act(unsigned w)
{
    return w & ELMAN_RELU      ? ACT_RELU
           : w & ELMAN_SIGMOID ? ACT_SIGMOID
           : w & ELMAN_LINEAR  ? ACT_LINEAR
                                   : ACT_TANH;
}

/* The value y of f is kept in the slot: the new state may be a projection of it. */
INLINE void elman_rows(const cell_args *arg, int act, const real *drop)
{
    cell_args a = *arg;
    a.drop = drop;
    EACH_ROW (a) {
        vec y = activate(act, clipped(&a, gate(&a, r, 0, 0)));
        put_slot(&a, r, 0, 0, y);
        put_output(&a, r, dropped(&a, r, y));
    }
}
INLINE void elman_back(const cell_args *arg, int act, const real *drop)
{
    cell_args a = *arg;
    a.drop = drop;
    EACH_ROW (a) {
        vec y = slot(&a, r, 0, 0), d = d_activate(act, y);
        if (a.clip) {
            vec limit = splat(a.clip[0]);
            d = inside(y, d, activate(act, -limit)[0], activate(act, limit)[0]);
        }
        put_slot(&a, r, 0, 0, dropped(&a, r, d_output(&a, r)) * d);
        if (!a.dm) put_carry(&a, r, 0, splat(0));
    }
}
#define ELMAN_SWITCH(rows, drop)                                                                                           \
    switch (elman_act(a->words)) {                                                                                     \
    case ACT_TANH:                                                                                                     \
        rows(a, ACT_TANH, drop);                                                                                             \
        break;                                                                                                         \
    case ACT_RELU:                                                                                                     \
        rows(a, ACT_RELU, drop);                                                                                             \
        break;                                                                                                         \
    case ACT_SIGMOID:                                                                                                  \
        rows(a, ACT_SIGMOID, drop);                                                                                          \
        break;                                                                                                         \
    default:                                                                                                           \
        rows(a, ACT_LINEAR, drop);                                                                                           \
    }
APART void elman_forward_dropped(const cell_args *a) { ELMAN_SWITCH(elman_rows, a->drop) }
static void elman_forward(const cell_args *a)
{
    if (a->drop)
        elman_forward_dropped(a);
    else
        ELMAN_SWITCH(elman_rows, NULL)
}
APART void elman_backward_dropped(const cell_args *a) { ELMAN_SWITCH(elman_back, a->drop) }
static void elman_backward(const cell_args *a)
{
    if (a->drop)
        elman_backward_dropped(a);
    else
        ELMAN_SWITCH(elman_back, NULL)
}

static slot_info elman_slot(unsigned w, int slot)
{
    int act = elman_act(w);
    (void)slot;
    return (slot_info){ "activation", act == ACT_TANH      ? RANGE_TANH
                                      : act == ACT_SIGMOID ? RANGE_SIGMOID
                                                           : RANGE_OPEN };
}

static const cell_def elman = {
    .info = { "elman", "simple recurrent network: the hidden state is fed back (Elman 1990)", elman_words, NULL, true,
              1 },
    .shape = elman_shape,
    .forward = elman_forward,
    .backward = elman_backward,
    .slot_info = elman_slot,
};
#endif
