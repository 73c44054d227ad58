/* Independently recurrent network (Li et al. 2018, "Independently recurrent neural network: building a longer and
   deeper RNN"): every unit sees only its own past.

       h' = relu(W x + b + u h)      u: one weight per unit        tanh with the word `tanh`

       recurrent-dropout: h' = m relu(...)

   slots: 0 a (input alone)        state: h        parameter: u        kept: h' */
#ifdef CELL_ROWS
&indrnn,
#else
enum { INDRNN_TANH = 1 };
static const cell_word indrnn_words[] = { { "tanh", INDRNN_TANH, INDRNN_TANH, "activation tanh in place of relu" },
                                          { NULL, 0, 0, NULL } };

static laco_status indrnn_shape(cell_shape *s, laco_error *err)
{
    (void)err;
    s->states = 1, s->sources = 0;
    add_section(s, 1, FROM_X);
    add_weights(s, 1, (const int[]){ 0 }, 0, NULL, -1);
    add_params(s, "recurrent", INIT_PEEPHOLE, 1);
    return LACO_OK;
}

/* With a mask the value before it is kept in the slot. */
INLINE void indrnn_rows(const cell_args *arg, const real *drop)
{
    cell_args a = *arg;
    a.drop = drop;
    EACH_ROW (a) {
        vec x = gate_x(&a, r, 0, 0) + a.p[0] * old_state(&a, r, 0);
        vec y = a.words & INDRNN_TANH ? gate_tanh(&a, x) : vmax(splat(0), clipped(&a, x));
        if (drop) put_slot(&a, r, 0, 0, y);
        put_state(&a, r, 0, dropped(&a, r, y));
    }
}
INLINE void indrnn_back(const cell_args *arg, const real *drop)
{
    cell_args a = *arg;
    a.drop = drop;
    EACH_ROW (a) {
        vec y = drop ? slot(&a, r, 0, 0) : new_state(&a, r, 0), d = dropped(&a, r, d_state(&a, r, 0));
        if (a.words & INDRNN_TANH)
            d *= d_gate_tanh(&a, y);
        else
            d = inside(y, d, 0, a.clip ? a.clip[0] : (real)1e30);
        put_slot(&a, r, 0, 0, d);
        put_carry(&a, r, 0, d * a.p[0]);
        a.dp[0] += d * old_state(&a, r, 0);
    }
}

static void indrnn_forward(const cell_args *a) { a->drop ? indrnn_rows(a, a->drop) : indrnn_rows(a, NULL); }
static void indrnn_backward(const cell_args *a) { a->drop ? indrnn_back(a, a->drop) : indrnn_back(a, NULL); }

static const cell_def indrnn = {
    .info = { "indrnn", "independently recurrent network: a weight per unit in place of a matrix (Li et al. 2018)",
              indrnn_words, NULL, false, 1 },
    .shape = indrnn_shape,
    .forward = indrnn_forward,
    .backward = indrnn_backward,
};
#endif
