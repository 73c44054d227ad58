/* LSTM with an attention gate in the place of the input and the forget gate (Xie et al. 2019, "Speech emotion
   classification using attention-based LSTM"): the cell state itself says how much of it is kept.

       a = s(V_a tanh(U_a c) + b_a)     g = tanh(W_g x + b_g + U_g h)     o = s(W_o x + b_o + U_o h)
       c' = a c + (1 - a) g             h' = o tanh(c')
       recurrent-dropout: c' = a c + (1 - a) m g

   The paper has no b_a: bias-none leaves it out, with the other two; with it the forget bias of initialisers applies.
   weights in memory: blocks g, o; weight_attention U_a, weight_attention_score V_a; biases: blocks a, g, o
   slots: 0 g, 1 o | 2 tanh(U_a c) | 3 a (second stage, v = tanh(U_a c))      states: h, c      kept: all four */
#ifdef CELL_ROWS
&lstm_at,
#else
static laco_status lstm_at_shape(cell_shape *s, laco_error *err)
{
    static const int gates[] = { 0, 1 }, biased[] = { 3, 0, 1 };
    const int64_t H = s->spec.hidden;
    const int biases = s->spec.biases;
    (void)err;
    s->states = s->sources = s->stages = 2;
    add_section(s, 2, FROM_X | FROM_H), add_section(s, 1, FROM_H), add_section(s, 1, FROM_V);
    s->spec.biases = 0;
    add_weights(s, 2, gates, 2, gates, -1);
    s->spec.biases = biases;
    s->h[1][2] = add_tensor(s, "weight_attention", INIT_RECURRENT, 1, H, H);
    s->v[3] = add_tensor(s, "weight_attention_score", INIT_RECURRENT, 1, H, H);
    if (biases > 0) add_bias(s, "bias_ih", 0, 3, biased, 0);
    if (biases > 1) add_bias(s, "bias_hh", 1, 3, biased, -1);
    return LACO_OK;
}

static void lstm_at_forward(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec u = gate_tanh(&a, product(&a, r, 1, 0));
        put_slot(&a, r, 0, 0, gate_tanh(&a, gate(&a, r, 0, 0)));
        put_slot(&a, r, 0, 1, gate_sigmoid(&a, gate(&a, r, 0, 1)));
        put_slot(&a, r, 1, 0, u), put_v(&a, r, u);
    }
}
static void lstm_at_forward2(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec at = gate_sigmoid(&a, gate_h(&a, r, 2, 0)), g = dropped(&a, r, slot(&a, r, 0, 0));
        vec c = g + at * (old_state(&a, r, 1) - g);
        put_slot(&a, r, 2, 0, at);
        put_state(&a, r, 1, c), put_state(&a, r, 0, slot(&a, r, 0, 1) * vtanh(c));
    }
}
static void lstm_at_backward2(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec g = slot(&a, r, 0, 0), o = slot(&a, r, 0, 1), at = slot(&a, r, 2, 0), y = vtanh(new_state(&a, r, 1));
        vec dh = d_state(&a, r, 0), dc = d_state(&a, r, 1) + dh * o * dtanh(y);
        put_slot(&a, r, 0, 0, dropped(&a, r, dc * (1 - at)) * d_gate_tanh(&a, g));
        put_slot(&a, r, 0, 1, dh * y * d_gate_sigmoid(&a, o));
        put_slot(&a, r, 2, 0, dc * (old_state(&a, r, 1) - dropped(&a, r, g)) * d_gate_sigmoid(&a, at));
        put_carry(&a, r, 0, splat(0)), put_carry(&a, r, 1, dc * at);
    }
}
static void lstm_at_backward(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) put_slot(&a, r, 1, 0, d_v(&a, r) * d_gate_tanh(&a, slot(&a, r, 1, 0)));
}

static slot_info lstm_at_slot(unsigned w, int slot)
{
    static const slot_info slots[] = { { "candidate", RANGE_TANH },
                                       { "output gate", RANGE_SIGMOID },
                                       { "attention", RANGE_TANH },
                                       { "attention gate", RANGE_SIGMOID } };
    return (void)w, slots[slot];
}
static const char *lstm_at_state(unsigned w, int state) { return (void)w, state ? "cell state" : "hidden state"; }

static const cell_def lstm_at = {
    .info = { "lstm-at", "LSTM whose cell state decides how much of it is kept (Xie et al. 2019)", NULL, NULL, false,
              1 },
    .shape = lstm_at_shape,
    .forward = lstm_at_forward,
    .forward2 = lstm_at_forward2,
    .backward = lstm_at_backward,
    .backward2 = lstm_at_backward2,
    .slot_info = lstm_at_slot,
    .state_name = lstm_at_state,
};
#endif
