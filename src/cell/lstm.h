/* LSTM with any mix of its published variants (Hochreiter & Schmidhuber 1997; forget gate Gers et al. 2000; peepholes
   Gers & Schmidhuber 2000; the eight variants of Greff et al. 2017, "LSTM: a search space odyssey"; projection Sak et
   al. 2014; layer normalisation Ba et al. 2016).

       i = s(a_i + p_i c)     f = s(a_f + p_f c)     g = tanh(a_g)          a = W x + b + U h
       c' = f c + i g         o = s(a_o + p_o c')    h' = o tanh(c')

   peephole         p: one weight per unit                 peephole-full     p: a matrix [H][H] per gate
   coupled          f = 1 - i, no forget gate              no-forget         f = 1 (1997)
   no-input-gate    i = 1                                  no-output-gate    o = 1
   linear-input     g = a_g                                linear-output     h' = o c'
   gate-recurrence  a += R [i f o]: the gates of the step before feed every gate but g
   norm             a = LN(W x) + LN(U h) + b over all gates at once, h' = o tanh(LN(c')); c itself is carried as it is
   norm-gates       the same, each gate normalised on its own

   recurrent-dropout: c' = f c + i m g

   weights in memory: blocks i, f, g, o, those that the variant has.
   slots: the gates in that order | (norm: the products of x | of h | gates and one more) | (peephole-full: P_o c')
   states: h, (gate-recurrence: i, f, o), c        kept: i, f, g, o; tanh c' is made again from c'
   Two stages with peephole-full (o needs all of c') and with norm (h' needs the moments of c'); else one. */
#ifdef CELL_ROWS
&lstm,
#else
enum {
    LSTM_PEEPHOLE = 1,
    LSTM_FULL = 2,
    LSTM_COUPLED = 4,
    LSTM_NO_FORGET = 8,
    LSTM_NO_INPUT = 16,
    LSTM_NO_OUTPUT = 32,
    LSTM_LINEAR_IN = 64,
    LSTM_LINEAR_OUT = 128,
    LSTM_GATE_REC = 256,
    LSTM_NORM = 512,
    LSTM_NORM_GATES = 1024,
    LSTM_ANY_NORM = LSTM_NORM | LSTM_NORM_GATES
};
static const cell_word lstm_words[] = {
    { "peephole", LSTM_PEEPHOLE, LSTM_PEEPHOLE | LSTM_FULL,
      "gates see the cell state, one weight per unit (Gers & Schmidhuber 2000)" },
    { "peephole-full", LSTM_FULL, LSTM_PEEPHOLE | LSTM_FULL, "gates see the cell state through a matrix" },
    { "coupled", LSTM_COUPLED, LSTM_COUPLED | LSTM_NO_FORGET | LSTM_NO_INPUT,
      "coupled input and forget gate, f = 1 - i" },
    { "no-forget", LSTM_NO_FORGET, LSTM_COUPLED | LSTM_NO_FORGET,
      "no forget gate, f = 1 (Hochreiter & Schmidhuber 1997)" },
    { "no-input-gate", LSTM_NO_INPUT, LSTM_COUPLED | LSTM_NO_INPUT, "no input gate, i = 1" },
    { "no-output-gate", LSTM_NO_OUTPUT, LSTM_NO_OUTPUT, "no output gate, o = 1" },
    { "linear-input", LSTM_LINEAR_IN, LSTM_LINEAR_IN, "no input activation, g = a_g" },
    { "linear-output", LSTM_LINEAR_OUT, LSTM_LINEAR_OUT, "no output activation, h = o c" },
    { "gate-recurrence", LSTM_GATE_REC, LSTM_GATE_REC, "full gate recurrence: gates see the gates of the step before" },
    { "norm", LSTM_NORM, LSTM_ANY_NORM, "layer normalisation over all gates (Ba et al. 2016)" },
    { "norm-gates", LSTM_NORM_GATES, LSTM_ANY_NORM, "layer normalisation, each gate on its own" },
    { NULL, 0, 0, NULL },
};
static const cell_alias lstm_aliases[] = {
    { "greff-v", "peephole", "vanilla LSTM of Greff et al. 2017" },
    { "greff-np", "", "no peepholes" },
    { "greff-cifg", "peephole coupled", "coupled input and forget gate" },
    { "greff-nig", "peephole no-input-gate", "no input gate" },
    { "greff-nfg", "peephole no-forget", "no forget gate" },
    { "greff-nog", "peephole no-output-gate", "no output gate" },
    { "greff-niaf", "peephole linear-input", "no input activation function" },
    { "greff-noaf", "peephole linear-output", "no output activation function" },
    { "greff-fgr", "peephole gate-recurrence", "full gate recurrence" },
    { NULL, NULL, NULL },
};

/* Slot of each gate, -1 when the variant has none; n of them. Their peepholes and states are numbered alike. */
typedef struct lstm_form {
    int i, f, g, o, n;
    int pi, pf, po, peepholes; /* cell parameters: diagonal peepholes */
    int si, sf, so, c;         /* states */
    int gx, gh, bias, gc;      /* norm: gains of x and h, biases, gain and (next) bias of the cell state */
    int vsec;                  /* section of P_o c' */
} lstm_form;
INLINE lstm_form lstm_form_of(unsigned w)
{
    lstm_form k = { .i = -1, .f = -1, .o = -1, .pi = -1, .pf = -1, .po = -1, .si = -1, .sf = -1, .so = -1 };
    if (!(w & LSTM_NO_INPUT)) k.i = k.n++;
    if (!(w & (LSTM_NO_FORGET | LSTM_COUPLED))) k.f = k.n++;
    k.g = k.n++;
    if (!(w & LSTM_NO_OUTPUT)) k.o = k.n++;
    if (w & LSTM_PEEPHOLE) {
        if (k.i >= 0) k.pi = k.peepholes++;
        if (k.f >= 0) k.pf = k.peepholes++;
        if (k.o >= 0) k.po = k.peepholes++;
    }
    k.c = 1;
    if (w & LSTM_GATE_REC) {
        if (k.i >= 0) k.si = k.c++;
        if (k.f >= 0) k.sf = k.c++;
        if (k.o >= 0) k.so = k.c++;
    }
    k.gx = k.peepholes, k.gh = k.gx + k.n, k.bias = k.gh + k.n, k.gc = k.bias + k.n;
    k.vsec = w & LSTM_ANY_NORM ? 3 : 1;
    return k;
}

/* The matrices from gates and cell state to gates. */
static void lstm_extra_matrices(cell_shape *s, const lstm_form *k)
{
    int64_t H = s->spec.hidden;
    int from[3] = { k->si, k->sf, k->so }, to[3] = { k->i, k->f, k->o }, present = 0;
    for (int g = 0; g < 3; g++) present += to[g] >= 0;
    if (s->spec.words & LSTM_GATE_REC && present) {
        int64_t at = add_tensor(s, "weight_gate_recurrent", INIT_RECURRENT, present * present, H, H);
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++)
                if (from[a] >= 0 && to[b] >= 0) s->h[from[a]][to[b]] = at, at += H * H;
    }
    if (s->spec.words & LSTM_FULL && present) {
        int64_t at = add_tensor(s, "weight_peephole", INIT_RECURRENT, present, H, H);
        for (int b = 0; b < 3; b++)
            if (to[b] >= 0) *(b == 2 ? &s->v[s->slots - 1] : &s->h[k->c][to[b]]) = at, at += H * H;
    }
}

static void lstm_norm_tensors(cell_shape *s, const lstm_form *k)
{
    static const char *const bias_names[] = { "ln_ih.bias", "ln_hh.bias", "bias_ih", "bias_hh" };
    s->norm = s->spec.words & LSTM_NORM ? NORM_ALL : NORM_GATE;
    add_params(s, "ln_ih.weight", INIT_ONE, k->n), s->tensor[s->tensors - 1].rank = 1;
    add_params(s, "ln_hh.weight", INIT_ONE, k->n), s->tensor[s->tensors - 1].rank = 1;
    for (int t = 0; t < 2 + s->spec.biases; t++) {
        int64_t at = add_tensor(s, bias_names[t], t < 2 ? INIT_ZERO : INIT_BIAS, k->n, s->spec.hidden, 0);
        if (t == 2) s->tensor[s->tensors - 1].forget_block = k->f;
        for (int g = 0; g < k->n; g++) s->param[k->bias + g][t] = at + g * s->spec.hidden;
    }
    s->params = k->gc;
    add_params(s, "ln_c.weight", INIT_ONE, 1);
    add_params(s, "ln_c.bias", INIT_ZERO, 1);
    for (int t = 0; t < s->tensors; t++)
        if (!strncmp(s->tensor[t].name, "ln_", 3)) s->tensor[t].shape[0] = s->tensor[t].size, s->tensor[t].shape[1] = 0;
}

static laco_status lstm_shape(cell_shape *s, laco_error *err)
{
    unsigned w = s->spec.words;
    lstm_form k = lstm_form_of(w);
    static const int order[] = { 0, 1, 2, 3 };
    int hs[4] = { 0, 1, 2, 3 }, biases = s->spec.biases;
    (void)err;
    if (w & LSTM_ANY_NORM) {
        add_section(s, k.n, FROM_X), add_section(s, k.n, FROM_H), add_section(s, k.n + 1, 0);
        for (int g = 0; g < k.n; g++) hs[g] = k.n + g;
        s->spec.biases = 0;
    } else
        add_section(s, k.n, FROM_X | FROM_H);
    if (w & LSTM_FULL && k.o >= 0) add_section(s, 1, FROM_V);
    s->stages = w & LSTM_ANY_NORM || (w & LSTM_FULL && k.o >= 0) ? 2 : 1;
    s->states = k.c + 1, s->sources = w & LSTM_FULL ? k.c + 1 : k.c;
    add_weights(s, k.n, order, k.n, hs, k.f);
    s->spec.biases = biases;
    if (w & LSTM_ANY_NORM) /* the extra matrices feed the same slots as weight_hh */
        for (int g = 0; g < 4; g++) hs[g] = 0;
    if (k.peepholes) add_params(s, "peephole", INIT_PEEPHOLE, k.peepholes);
    lstm_form moved = k;
    if (w & LSTM_ANY_NORM) {
        if (k.i >= 0) moved.i += k.n;
        if (k.f >= 0) moved.f += k.n;
        if (k.o >= 0) moved.o += k.n;
    }
    lstm_extra_matrices(s, &moved);
    if (w & LSTM_ANY_NORM) lstm_norm_tensors(s, &k);
    if (s->spec.project) add_projection(s, ACT_LINEAR, false);
    return LACO_OK;
}

INLINE vec lstm_gate(const cell_args *a, int64_t r, unsigned w, const lstm_form *k, int g)
{
    if (!(w & LSTM_ANY_NORM)) return gate(a, r, 0, g);
    return a->p[k->bias + g] + a->p[k->gx + g] * slot(a, r, 0, g) + a->p[k->gh + g] * slot(a, r, 1, g);
}
INLINE vec lstm_squash(const cell_args *a, int64_t r, unsigned w, const lstm_form *k, vec c)
{
    if (w & LSTM_ANY_NORM) {
        const real *m = a->stats + r * a->lstats;
        c = a->p[k->gc] * (c - m[0]) * m[1] + a->p[k->gc + 1];
    }
    if (!(w & LSTM_LINEAR_OUT)) c = vtanh(c);
    return c;
}

/* Input gate, forget gate, input and new cell state. In two stages the pre-activation of o waits in its slot. */
INLINE vec lstm_cell(const cell_args *a, int64_t r, unsigned w, const lstm_form *k)
{
    const int tape = w & LSTM_ANY_NORM ? 2 : 0;
    vec c = old_state(a, r, k->c), ag = lstm_gate(a, r, w, k, k->g), i = splat(1), f = splat(1);
    vec g = clipped(a, ag);
    if (!(w & LSTM_LINEAR_IN)) g = vtanh(g);
    if (k->i >= 0) {
        vec ai = lstm_gate(a, r, w, k, k->i);
        if (w & LSTM_PEEPHOLE) ai += a->p[k->pi] * c;
        i = gate_sigmoid(a, ai), put_slot(a, r, tape, k->i, i);
    }
    if (k->f >= 0) {
        vec af = lstm_gate(a, r, w, k, k->f);
        if (w & LSTM_PEEPHOLE) af += a->p[k->pf] * c;
        f = gate_sigmoid(a, af), put_slot(a, r, tape, k->f, f);
    } else if (w & LSTM_COUPLED)
        f = 1 - i;
    put_slot(a, r, tape, k->g, g), g = dropped(a, r, g);
    if (w & LSTM_GATE_REC) {
        if (k->i >= 0) put_state(a, r, k->si, i);
        if (k->f >= 0) put_state(a, r, k->sf, f);
    }
    c = f * c + i * g;
    put_state(a, r, k->c, c);
    return c;
}
INLINE void lstm_output(const cell_args *a, int64_t r, unsigned w, const lstm_form *k, vec ao, vec c)
{
    vec h = lstm_squash(a, r, w, k, c);
    if (k->o >= 0) {
        if (w & LSTM_PEEPHOLE) ao += a->p[k->po] * c;
        vec o = gate_sigmoid(a, ao);
        put_slot(a, r, w & LSTM_ANY_NORM ? 2 : 0, k->o, o);
        if (w & LSTM_GATE_REC) put_state(a, r, k->so, o);
        h *= o;
    }
    put_output(a, r, h);
}

INLINE void lstm_rows(const cell_args *arg, unsigned w, const real *clip, const real *drop)
{
    cell_args a = *arg;
    const lstm_form k = lstm_form_of(w);
    a.clip = clip, a.drop = drop;
    EACH_ROW (a) {
        vec ao = k.o >= 0 ? lstm_gate(&a, r, w, &k, k.o) : splat(0);
        lstm_output(&a, r, w, &k, ao, lstm_cell(&a, r, w, &k));
    }
}
static void lstm_stage1(const cell_args *arg)
{
    const cell_args a = *arg;
    const unsigned w = a.words;
    const lstm_form k = lstm_form_of(w);
    EACH_ROW (a) {
        if (k.o >= 0) put_slot(&a, r, w & LSTM_ANY_NORM ? 2 : 0, k.o, lstm_gate(&a, r, w, &k, k.o));
        vec c = lstm_cell(&a, r, w, &k);
        if (w & LSTM_FULL && k.o >= 0) put_v(&a, r, c);
    }
}
static void lstm_forward2(const cell_args *arg)
{
    const cell_args a = *arg;
    const unsigned w = a.words;
    const lstm_form k = lstm_form_of(w);
    EACH_ROW (a) {
        vec ao = k.o >= 0 ? slot(&a, r, w & LSTM_ANY_NORM ? 2 : 0, k.o) : splat(0);
        if (w & LSTM_FULL && k.o >= 0) ao += product(&a, r, k.vsec, 0);
        lstm_output(&a, r, w, &k, ao, new_state(&a, r, k.c));
    }
}

/* Through h' = o squash(c'): the gradient of o's pre-activation to its slot; returns what reaches c'. */
INLINE vec lstm_d_output(const cell_args *a, int64_t r, unsigned w, const lstm_form *k)
{
    const int tape = w & LSTM_ANY_NORM ? 2 : 0;
    vec c = new_state(a, r, k->c), y = lstm_squash(a, r, w, k, c), dh = d_output(a, r), dc = d_state(a, r, k->c),
        dy = dh;
    if (k->o >= 0) {
        vec o = slot(a, r, tape, k->o), d = dh * y;
        dy = dh * o;
        if (w & LSTM_GATE_REC) d += d_state(a, r, k->so);
        vec ao = d * d_gate_sigmoid(a, o);
        put_slot(a, r, tape, k->o, ao);
        if (w & LSTM_PEEPHOLE) dc += ao * a->p[k->po], a->dp[k->po] += ao * c;
        if (w & LSTM_FULL) put_slot(a, r, k->vsec, 0, ao);
    }
    if (!(w & LSTM_LINEAR_OUT)) dy *= dtanh(y);
    if (!(w & LSTM_ANY_NORM)) return dc + dy;
    const real *m = a->stats + r * a->lstats;
    a->dp[k->gc] += dy * ((c - m[0]) * m[1]), a->dp[k->gc + 1] += dy;
    put_slot(a, r, tape, k->n, dy * a->p[k->gc]); /* norm.h turns it into the gradient of c' */
    return dc;
}
/* Through c' = f c + i g. */
INLINE void lstm_d_cell(const cell_args *a, int64_t r, unsigned w, const lstm_form *k, vec dc)
{
    const int tape = w & LSTM_ANY_NORM ? 2 : 0;
    vec c = old_state(a, r, k->c), g = slot(a, r, tape, k->g), i = splat(1), f = splat(1), dold = splat(0);
    if (k->i >= 0) i = slot(a, r, tape, k->i);
    if (k->f >= 0)
        f = slot(a, r, tape, k->f);
    else if (w & LSTM_COUPLED)
        f = 1 - i;
    put_slot(a, r, tape, k->g,
             dropped(a, r, dc * i) *
                 (!(w & LSTM_LINEAR_IN) ? d_gate_tanh(a, g)
                  : a->clip             ? inside(g, splat(1), -a->clip[0], a->clip[0])
                                        : splat(1)));
    g = dropped(a, r, g);
    if (k->i >= 0) {
        vec d = w & LSTM_COUPLED ? dc * (g - c) : dc * g;
        if (w & LSTM_GATE_REC) d += d_state(a, r, k->si);
        vec ai = d * d_gate_sigmoid(a, i);
        put_slot(a, r, tape, k->i, ai);
        if (w & LSTM_PEEPHOLE) dold += ai * a->p[k->pi], a->dp[k->pi] += ai * c;
    }
    if (k->f >= 0) {
        vec d = dc * c;
        if (w & LSTM_GATE_REC) d += d_state(a, r, k->sf);
        vec af = d * d_gate_sigmoid(a, f);
        put_slot(a, r, tape, k->f, af);
        if (w & LSTM_PEEPHOLE) dold += af * a->p[k->pf], a->dp[k->pf] += af * c;
    }
    put_carry(a, r, k->c, dold + dc * f);
    for (int s = 1; s < k->c; s++) put_carry(a, r, s, splat(0));
    if (!a->dm) put_carry(a, r, 0, splat(0));
}
INLINE void lstm_back(const cell_args *arg, unsigned w, const real *clip, const real *drop)
{
    cell_args a = *arg;
    const lstm_form k = lstm_form_of(w);
    a.clip = clip, a.drop = drop;
    EACH_ROW (a) lstm_d_cell(&a, r, w, &k, lstm_d_output(&a, r, w, &k));
}
/* Two stages: what reaches c' so far waits in the carry of c. d_state has added the step after, once. */
static void lstm_backward2(const cell_args *arg)
{
    const cell_args a = *arg;
    const lstm_form k = lstm_form_of(a.words);
    EACH_ROW (a) put_carry(&a, r, k.c, lstm_d_output(&a, r, a.words, &k));
}
static void lstm_stage1_back(const cell_args *arg)
{
    const cell_args a = *arg;
    const unsigned w = a.words;
    const lstm_form k = lstm_form_of(w);
    EACH_ROW (a) {
        vec dc = carried(&a, r, k.c);
        if (w & LSTM_ANY_NORM) dc += slot(&a, r, 2, k.n);
        if (w & LSTM_FULL && k.o >= 0) dc += d_v(&a, r);
        lstm_d_cell(&a, r, w, &k, dc);
        for (int g = 0; w & LSTM_ANY_NORM && g < k.n; g++) {
            vec d = slot(&a, r, 2, g);
            a.dp[k.gx + g] += d * slot(&a, r, 0, g), a.dp[k.gh + g] += d * slot(&a, r, 1, g), a.dp[k.bias + g] += d;
        }
    }
}

static bool lstm_two_stages(unsigned w) { return w & LSTM_ANY_NORM || (w & LSTM_FULL && !(w & LSTM_NO_OUTPUT)); }
static void lstm_forward(const cell_args *a)
{
    if (lstm_two_stages(a->words))
        lstm_stage1(a);
    else if (a->words == 0 && !a->clip)
        a->drop ? lstm_rows(a, 0, NULL, a->drop) : lstm_rows(a, 0, NULL, NULL);
    else if (a->words == LSTM_PEEPHOLE && !a->clip && !a->drop)
        lstm_rows(a, LSTM_PEEPHOLE, NULL, NULL);
    else if (a->words == LSTM_COUPLED && !a->clip && !a->drop)
        lstm_rows(a, LSTM_COUPLED, NULL, NULL);
    else
        lstm_rows(a, a->words, a->clip, a->drop);
}
static void lstm_backward(const cell_args *a)
{
    if (lstm_two_stages(a->words))
        lstm_stage1_back(a);
    else if (a->words == 0 && !a->clip)
        a->drop ? lstm_back(a, 0, NULL, a->drop) : lstm_back(a, 0, NULL, NULL);
    else if (a->words == LSTM_PEEPHOLE && !a->clip && !a->drop)
        lstm_back(a, LSTM_PEEPHOLE, NULL, NULL);
    else if (a->words == LSTM_COUPLED && !a->clip && !a->drop)
        lstm_back(a, LSTM_COUPLED, NULL, NULL);
    else
        lstm_back(a, a->words, a->clip, a->drop);
}

static slot_info lstm_slot(unsigned w, int slot)
{
    const lstm_form k = lstm_form_of(w);
    int g = w & LSTM_ANY_NORM ? slot - 2 * k.n : slot;
    if (g < 0 || g >= k.n) return (slot_info){ NULL, RANGE_OPEN };
    if (g == k.g) return (slot_info){ "cell input", w & LSTM_LINEAR_IN ? RANGE_OPEN : RANGE_TANH };
    return (slot_info){ g == k.i ? "input gate" : g == k.f ? "forget gate" : "output gate", RANGE_SIGMOID };
}
static const char *lstm_state(unsigned w, int s)
{
    const lstm_form k = lstm_form_of(w);
    return s == 0      ? "hidden state"
           : s == k.c  ? "cell state"
           : s == k.si ? "carried input gate"
           : s == k.sf ? "carried forget gate"
                       : "carried output gate";
}

static const cell_def lstm = {
    .info = { "lstm", "long short-term memory with a forget gate, and its variants", lstm_words, lstm_aliases, true,
              2 },
    .shape = lstm_shape,
    .forward = lstm_forward,
    .forward2 = lstm_forward2,
    .backward = lstm_backward,
    .backward2 = lstm_backward2,
    .slot_info = lstm_slot,
    .state_name = lstm_state,
};
#endif
