/* GRU with the reset gate before the recurrent product (Cho et al. 2014, "Learning phrase representations using RNN
   encoder-decoder"; their z is 1 - z here, as in PyTorch and ONNX).

       r = s(W_r x + b_r + U_r h)   z = s(W_z x + b_z + U_z h)   n = tanh(W_n x + b_n + U_n (r h))
       h' = (1 - z) n + z h         weights in memory: blocks r, z, n
       recurrent-dropout: h' = (1 - z) m n + z h

   slots: 0 r, 1 z | 2 n (second stage, v = r h)        state: h        kept: r, z, n */
#ifdef CELL_ROWS
&gru_before,
#else
static laco_status gru_before_shape(cell_shape *s, laco_error *err)
{
    (void)err;
    s->states = s->sources = 1, s->stages = 2;
    add_section(s, 2, FROM_X | FROM_H);
    add_section(s, 1, FROM_X | FROM_V);
    add_weights(s, 3, (const int[]){ 0, 1, 2 }, 3, (const int[]){ 0, 1, 2 }, -1);
    return LACO_OK;
}

static void gru_before_forward(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec rt = gate_sigmoid(&a, gate(&a, r, 0, 0)), z = gate_sigmoid(&a, gate(&a, r, 0, 1));
        put_slot(&a, r, 0, 0, rt), put_slot(&a, r, 0, 1, z);
        put_v(&a, r, rt * old_state(&a, r, 0));
    }
}
static void gru_before_forward2(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec z = slot(&a, r, 0, 1), n = gate_tanh(&a, gate(&a, r, 1, 0));
        put_slot(&a, r, 1, 0, n), n = dropped(&a, r, n);
        put_state(&a, r, 0, n + z * (old_state(&a, r, 0) - n));
    }
}
static void gru_before_backward2(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec z = slot(&a, r, 0, 1), n = slot(&a, r, 1, 0), dh = d_state(&a, r, 0);
        put_slot(&a, r, 1, 0, dropped(&a, r, dh * (1 - z)) * d_gate_tanh(&a, n));
        put_slot(&a, r, 0, 1, dh * (old_state(&a, r, 0) - dropped(&a, r, n)) * d_gate_sigmoid(&a, z));
        put_carry(&a, r, 0, dh * z);
    }
}
static void gru_before_backward(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec rt = slot(&a, r, 0, 0), dv = d_v(&a, r);
        put_slot(&a, r, 0, 0, dv * old_state(&a, r, 0) * d_gate_sigmoid(&a, rt));
        put_carry(&a, r, 0, carried(&a, r, 0) + dv * rt);
    }
}

static slot_info gru_before_slot(unsigned w, int slot)
{
    static const slot_info slots[] = { { "reset gate", RANGE_SIGMOID },
                                       { "update gate", RANGE_SIGMOID },
                                       { "candidate", RANGE_TANH } };
    return (void)w, slots[slot];
}

static const cell_def gru_before = {
    .info = { "gru-before", "gated recurrent unit, reset before the product (Cho et al. 2014)", NULL, NULL, false, 1 },
    .shape = gru_before_shape,
    .forward = gru_before_forward,
    .forward2 = gru_before_forward2,
    .backward = gru_before_backward,
    .backward2 = gru_before_backward2,
    .slot_info = gru_before_slot,
};
#endif
