/* Jordan network (Jordan 1986, "Serial order: a parallel distributed processing approach"): the output is fed back.

       h' = tanh(W x + b + U y)      y' = f(V h' + c)        f = linear, sigmoid or tanh
       recurrent-dropout: h' = m tanh(...)

   y' is the output of the layer and its only state; `project N` gives its width (the hidden size when absent).
   h' is made by the hidden layer of elman.h and kept in its slot; V is the projection of the driver.
   slots: 0 a        state: y */
#ifdef CELL_ROWS
&jordan,
#else
enum { JORDAN_RELU = ELMAN_RELU, JORDAN_SIGMOID = 8, JORDAN_TANH = 16 };
static const cell_word jordan_words[] = {
    { "sigmoid-output", JORDAN_SIGMOID, JORDAN_SIGMOID | JORDAN_TANH, "output function 1/(1+exp(-x))" },
    { "tanh-output", JORDAN_TANH, JORDAN_SIGMOID | JORDAN_TANH, "output function tanh" },
    { "relu", JORDAN_RELU, JORDAN_RELU, "hidden activation max(0, x) in place of tanh" },
    { NULL, 0, 0, NULL },
};

static laco_status jordan_shape(cell_shape *s, laco_error *err)
{
    (void)err;
    unsigned w = s->spec.words;
    if (!s->spec.project) s->spec.project = s->spec.hidden;
    s->states = s->sources = 1;
    add_section(s, 1, FROM_X | FROM_H);
    add_weights(s, 1, (const int[]){ 0 }, 1, (const int[]){ 0 }, -1);
    add_projection(s, w & JORDAN_SIGMOID ? ACT_SIGMOID : w & JORDAN_TANH ? ACT_TANH : ACT_LINEAR, s->spec.biases > 0);
    return LACO_OK;
}

static const char *jordan_state(unsigned w, int k) { return (void)w, (void)k, "output"; }

static const cell_def jordan = {
    .info = { "jordan", "simple recurrent network: the output is fed back (Jordan 1986)", jordan_words, NULL, true, 1 },
    .shape = jordan_shape,
    .forward = elman_forward,
    .backward = elman_backward,
    .slot_info = elman_slot,
    .state_name = jordan_state,
};
#endif
