/* Minimal gated unit (Zhou et al. 2016, "Minimal gated unit for recurrent neural networks"): one gate.

       f = s(W_f x + b_f + U_f h)   n = tanh(W_n x + b_n + U_n (f h))   h' = (1 - f) h + f n
       recurrent-dropout: h' = (1 - f) h + f m n
       weights in memory: blocks f, n

   slots: 0 f | 1 n (second stage, v = f h)        state: h        kept: f, n */
#ifdef CELL_ROWS
&mgu,
#else
static laco_status mgu_shape(cell_shape *s, laco_error *err)
{
    (void)err;
    s->states = s->sources = 1, s->stages = 2;
    add_section(s, 1, FROM_X | FROM_H);
    add_section(s, 1, FROM_X | FROM_V);
    add_weights(s, 2, (const int[]){ 0, 1 }, 2, (const int[]){ 0, 1 }, -1);
    return LACO_OK;
}

static void mgu_forward(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec f = gate_sigmoid(&a, gate(&a, r, 0, 0));
        put_slot(&a, r, 0, 0, f);
        put_v(&a, r, f * old_state(&a, r, 0));
    }
}
static void mgu_forward2(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec f = slot(&a, r, 0, 0), n = gate_tanh(&a, gate(&a, r, 1, 0)), h = old_state(&a, r, 0);
        put_slot(&a, r, 1, 0, n), n = dropped(&a, r, n);
        put_state(&a, r, 0, h + f * (n - h));
    }
}
/* What reaches f through h' waits in the place of v until backward adds what reaches it through v, and puts v back: the
   weight gradient still needs it. */
static void mgu_backward2(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec f = slot(&a, r, 0, 0), n = slot(&a, r, 1, 0), dh = d_state(&a, r, 0);
        put_slot(&a, r, 1, 0, dropped(&a, r, dh * f) * d_gate_tanh(&a, n));
        put_carry(&a, r, 0, dh * (1 - f));
        put_v(&a, r, dh * (dropped(&a, r, n) - old_state(&a, r, 0)));
    }
}
static void mgu_backward(const cell_args *arg)
{
    const cell_args a = *arg;
    EACH_ROW (a) {
        vec f = slot(&a, r, 0, 0), dv = d_v(&a, r), h = old_state(&a, r, 0);
        put_slot(&a, r, 0, 0, (load(a.v + r * a.lv) + dv * h) * d_gate_sigmoid(&a, f));
        put_carry(&a, r, 0, carried(&a, r, 0) + dv * f);
        put_v(&a, r, f * h);
    }
}

static slot_info mgu_slot(unsigned w, int slot)
{
    return (void)w, slot ? (slot_info){ "candidate", RANGE_TANH } : (slot_info){ "forget gate", RANGE_SIGMOID };
}

static const cell_def mgu = {
    .info = { "mgu", "minimal gated unit: one gate (Zhou et al. 2016)", NULL, NULL, false, 1 },
    .shape = mgu_shape,
    .forward = mgu_forward,
    .forward2 = mgu_forward2,
    .backward = mgu_backward,
    .backward2 = mgu_backward2,
    .slot_info = mgu_slot,
};
#endif
