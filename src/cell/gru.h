/* GRU with the reset gate after the recurrent product (the form of cuDNN and PyTorch; Cho et al. 2014 put it before,
   see gru_before.h).

       r = s(W_r x + b_r + U_r h + b'_r)      z = s(W_z x + b_z + U_z h + b'_z)
       n = tanh(W_n x + b_n + r q)            q = U_n h + b'_n
       h' = (1 - z) n + z h                   weights in memory: blocks r, z, n
       recurrent-dropout: h' = (1 - z) m n + z h

   slots: 0 n (input alone) | 1 r, 2 z | 3 q (product alone)        state: h
   kept: n, r, z, q; the gradient of n's pre-activation differs from that of q, hence two slots */
#ifdef CELL_ROWS
&gru,
#else
static laco_status gru_shape(cell_shape *s, laco_error *err)
{
    (void)err;
    s->states = s->sources = 1;
    add_section(s, 1, FROM_X);
    add_section(s, 2, FROM_X | FROM_H);
    add_section(s, 1, FROM_H);
    add_weights(s, 3, (const int[]){ 1, 2, 0 }, 3, (const int[]){ 1, 2, 3 }, -1);
    return LACO_OK;
}

INLINE void gru_rows(const cell_args *arg, const real *clip, const real *drop)
{
    cell_args a = *arg;
    a.clip = clip, a.drop = drop;
    EACH_ROW (a) {
        vec q = gate_h(&a, r, 2, 0), rt = gate_sigmoid(&a, gate(&a, r, 1, 0)), z = gate_sigmoid(&a, gate(&a, r, 1, 1));
        vec n = gate_tanh(&a, gate_x(&a, r, 0, 0) + rt * q), h = old_state(&a, r, 0);
        put_slot(&a, r, 0, 0, n), put_slot(&a, r, 1, 0, rt), put_slot(&a, r, 1, 1, z), put_slot(&a, r, 2, 0, q);
        n = dropped(&a, r, n);
        put_state(&a, r, 0, n + z * (h - n));
    }
}
INLINE void gru_back(const cell_args *arg, const real *clip, const real *drop)
{
    cell_args a = *arg;
    a.clip = clip, a.drop = drop;
    EACH_ROW (a) {
        vec n = slot(&a, r, 0, 0), rt = slot(&a, r, 1, 0), z = slot(&a, r, 1, 1), q = slot(&a, r, 2, 0);
        vec dh = d_state(&a, r, 0), h = old_state(&a, r, 0), an = dropped(&a, r, dh * (1 - z)) * d_gate_tanh(&a, n);
        put_slot(&a, r, 0, 0, an);
        put_slot(&a, r, 1, 0, an * q * d_gate_sigmoid(&a, rt));
        put_slot(&a, r, 1, 1, dh * (h - dropped(&a, r, n)) * d_gate_sigmoid(&a, z));
        put_slot(&a, r, 2, 0, an * rt);
        put_carry(&a, r, 0, dh * z);
    }
}
static void gru_forward(const cell_args *a)
{
    a->clip   ? gru_rows(a, a->clip, a->drop)
    : a->drop ? gru_rows(a, NULL, a->drop)
              : gru_rows(a, NULL, NULL);
}
static void gru_backward(const cell_args *a)
{
    a->clip   ? gru_back(a, a->clip, a->drop)
    : a->drop ? gru_back(a, NULL, a->drop)
              : gru_back(a, NULL, NULL);
}

static slot_info gru_slot(unsigned w, int slot)
{
    static const slot_info slots[] = { { "candidate", RANGE_TANH },
                                       { "reset gate", RANGE_SIGMOID },
                                       { "update gate", RANGE_SIGMOID },
                                       { "recurrent part of the candidate", RANGE_OPEN } };
    return (void)w, slots[slot];
}

static const cell_def gru = {
    .info = { "gru", "gated recurrent unit, reset after the product (cuDNN, PyTorch)", NULL, NULL, false, 2 },
    .shape = gru_shape,
    .forward = gru_forward,
    .backward = gru_backward,
    .slot_info = gru_slot,
};
#endif
