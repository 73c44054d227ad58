#include "gradient/tangent_cell.h"
#include "math/act.h"

const char *const cell_word_names[WORDS] = {
    "relu",         "sigmoid",       "linear",          "tanh",      "sigmoid-output", "tanh-output",
    "peephole",     "peephole-full", "coupled",         "no-forget", "no-input-gate",  "no-output-gate",
    "linear-input", "linear-output", "gate-recurrence", "norm",      "norm-gates",
};
const char *const cell_tensor_names[TENSORS] = {
    "weight_ih",        "weight_hh",
    "bias_ih",          "bias_hh",
    "weight_hr",        "bias_hr",
    "recurrent",        "peephole",
    "weight_peephole",  "weight_gate_recurrent",
    "ln_ih.weight",     "ln_hh.weight",
    "ln_ih.bias",       "ln_hh.bias",
    "ln_c.weight",      "ln_c.bias",
    "weight_attention", "weight_attention_score",
    "initial_state",
};

/* ---- what cells share ---- */
static dual bounded(const cell_view *c, dual a)
{
    return c->clip > 0 && fabs(a[0]) > c->clip ? dual_number(copysign(c->clip, a[0])) : a;
}
static dual gate(const cell_view *c, dual a) { return dual_sigmoid(bounded(c, a)); }
static dual squashed(const cell_view *c, dual a) { return dual_tanh(bounded(c, a)); }
static dual element(const dual *w, int64_t i) { return w ? w[i] : dual_number(0); }
static dual bias(const cell_view *c, int64_t i) { return element(c->w[BIAS_INPUT], i) + element(c->w[BIAS_STATE], i); }
static const dual *block(const dual *w, int64_t i, int64_t size) { return w ? w + i * size : NULL; }

/* a [n][H] = W x */
static void inputs(const cell_view *c, const dual *x, int64_t n, dual *a)
{
    memset(a, 0, (size_t)(n * c->H) * sizeof *a);
    add_matrix_product(a, n * c->H, c->w[OF_INPUT], x, c->in);
}
/* block k of a += U_k h */
static void recurrent(const cell_view *c, int64_t k, const dual *h, dual *a)
{
    add_matrix_product(a + k * c->H, c->H, block(c->w[OF_STATE], k, c->H * c->P), h, c->P);
}
/* The state h of the units of c->m, projected where the layer is. */
static void output(const cell_view *c, int act, dual *h)
{
    if (!c->w[PROJECTION]) {
        memcpy(h, c->m, (size_t)c->H * sizeof *h);
        return;
    }
    for (int64_t i = 0; i < c->P; i++) h[i] = element(c->w[BIAS_PROJECTION], i);
    add_matrix_product(h, c->P, c->w[PROJECTION], c->m, c->H);
    for (int64_t i = 0; i < c->P; i++) h[i] = dual_activate(act, h[i]);
}

/* ---- the cells ---- */
static void elman_step(const cell_view *c, const dual *x, const dual *s, dual *sn)
{
    int act = c->word[WORD_RELU]      ? ACT_RELU
              : c->word[WORD_SIGMOID] ? ACT_SIGMOID
              : c->word[WORD_LINEAR]  ? ACT_LINEAR
                                      : ACT_TANH;
    inputs(c, x, 1, c->a), recurrent(c, 0, s, c->a);
    for (int64_t i = 0; i < c->H; i++) c->m[i] = dual_activate(act, bounded(c, c->a[i] + bias(c, i)));
    output(c, c->word[WORD_SIGMOID_OUT] ? ACT_SIGMOID : c->word[WORD_TANH_OUT] ? ACT_TANH : ACT_LINEAR, sn);
}
static void indrnn_step(const cell_view *c, const dual *x, const dual *s, dual *sn)
{
    inputs(c, x, 1, c->a);
    for (int64_t i = 0; i < c->H; i++) {
        dual a = bounded(c, c->a[i] + bias(c, i) + dual_times(c->w[OWN][i], s[i]));
        sn[i] = c->word[WORD_TANH] ? dual_tanh(a) : dual_relu(a);
    }
}
static void gru_step(const cell_view *c, const dual *x, const dual *s, dual *sn)
{
    const int64_t H = c->H;
    inputs(c, x, 3, c->a);
    recurrent(c, 0, s, c->a), recurrent(c, 1, s, c->a);
    memset(c->b, 0, (size_t)(3 * H) * sizeof *c->b), recurrent(c, 2, s, c->b);
    for (int64_t i = 0; i < H; i++) {
        dual r = gate(c, c->a[i] + bias(c, i)), z = gate(c, c->a[H + i] + bias(c, H + i));
        dual q = c->b[2 * H + i] + element(c->w[BIAS_STATE], 2 * H + i);
        dual n = squashed(c, c->a[2 * H + i] + element(c->w[BIAS_INPUT], 2 * H + i) + dual_times(r, q));
        sn[i] = n + dual_times(z, s[i] - n);
    }
}
/* gru-before: r, z, n. mgu: one gate in place of both, f = r = 1 - z. */
static void before_step(const cell_view *c, const dual *x, const dual *s, dual *sn, int gates)
{
    const int64_t H = c->H, n = gates * H;
    inputs(c, x, gates + 1, c->a);
    for (int g = 0; g < gates; g++) recurrent(c, g, s, c->a);
    for (int64_t i = 0; i < n; i++) c->a[i] = gate(c, c->a[i] + bias(c, i));
    for (int64_t i = 0; i < H; i++) c->m[i] = dual_times(c->a[i], s[i]);
    recurrent(c, gates, c->m, c->a);
    for (int64_t i = 0; i < H; i++) {
        dual made = squashed(c, c->a[n + i] + bias(c, n + i)), z = gates == 2 ? c->a[H + i] : dual_number(1) - c->a[i];
        sn[i] = made + dual_times(z, s[i] - made);
    }
}
static void gru_before_step(const cell_view *c, const dual *x, const dual *s, dual *sn) { before_step(c, x, s, sn, 2); }
static void mgu_step(const cell_view *c, const dual *x, const dual *s, dual *sn) { before_step(c, x, s, sn, 1); }

/* ---- LSTM ---- rows of gates i, f, g, o, those that there are; of peepholes and gate states i, f, o likewise */
enum { I, F, G, O, GATES };
typedef struct lstm_rows {
    int gate[GATES], gates; /* -1: not there */
    int three[GATES], present;
} lstm_rows;
static lstm_rows rows_of(const cell_view *c)
{
    const bool *w = c->word;
    const bool there[GATES] = { !w[WORD_NO_INPUT], !w[WORD_NO_FORGET] && !w[WORD_COUPLED], true, !w[WORD_NO_OUTPUT] };
    lstm_rows k = { .gates = 0 };
    for (int g = 0; g < GATES; g++) {
        k.gate[g] = there[g] ? k.gates++ : -1;
        k.three[g] = there[g] && g != G ? k.present++ : -1;
    }
    return k;
}
/* x^ over n numbers */
static void normalise(dual *x, int64_t n)
{
    dual mean = dual_number(0), square = dual_number(0);
    for (int64_t i = 0; i < n; i++) mean += x[i];
    mean /= (dual){ (double)n, (double)n };
    for (int64_t i = 0; i < n; i++) x[i] -= mean, square += dual_times(x[i], x[i]);
    dual inverse = dual_inverse_root(square / (dual){ (double)n, (double)n } + dual_number(1e-5));
    for (int64_t i = 0; i < n; i++) x[i] = dual_times(x[i], inverse);
}
static void normalise_gates(const cell_view *c, dual *x, int n)
{
    if (c->word[WORD_NORM]) normalise(x, n * c->H);
    for (int g = 0; c->word[WORD_NORM_GATES] && g < n; g++) normalise(x + g * c->H, c->H);
}
/* Pre-activations in c->a, but for diagonal peepholes and what o sees of the new cell state. */
static void lstm_gates(const cell_view *c, const lstm_rows *k, const dual *x, const dual *s)
{
    const int64_t H = c->H;
    const dual *old = s + c->states - H;
    inputs(c, x, k->gates, c->a);
    memset(c->b, 0, (size_t)(k->gates * H) * sizeof *c->b);
    for (int g = 0; g < k->gates; g++) recurrent(c, g, s, c->b);
    for (int to = 0; to < GATES; to++) {
        if (k->three[to] < 0) continue;
        dual *b = c->b + k->gate[to] * H;
        for (int from = 0; from < k->present; from++)
            add_matrix_product(b, H, block(c->w[OF_GATES], from * k->present + k->three[to], H * H),
                               s + c->P + from * H, H);
        if (to != O) add_matrix_product(b, H, block(c->w[PEEPHOLE_FULL], k->three[to], H * H), old, H);
    }
    normalise_gates(c, c->a, k->gates), normalise_gates(c, c->b, k->gates);
    for (int64_t i = 0; i < k->gates * H; i++) {
        if (c->w[GAIN_INPUT])
            c->a[i] = dual_times(c->w[GAIN_INPUT][i], c->a[i]) + c->w[NORM_BIAS_INPUT][i] + c->w[NORM_BIAS_STATE][i],
            c->b[i] = dual_times(c->w[GAIN_STATE][i], c->b[i]);
        c->a[i] += c->b[i] + bias(c, i);
    }
}
/* What gate g of unit i lets through, cell being the cell state that its peephole sees; 1 when it is not there. */
static dual lstm_gate(const cell_view *c, const lstm_rows *k, int g, int64_t i, dual cell, dual *sn)
{
    if (k->gate[g] < 0) return dual_number(1);
    dual a = c->a[k->gate[g] * c->H + i];
    if (c->w[PEEPHOLE]) a += dual_times(c->w[PEEPHOLE][k->three[g] * c->H + i], cell);
    a = gate(c, a);
    if (c->word[WORD_GATE_REC]) sn[c->P + k->three[g] * c->H + i] = a;
    return a;
}
static void lstm_step(const cell_view *c, const dual *x, const dual *s, dual *sn)
{
    const int64_t H = c->H, cell = c->states - H;
    const lstm_rows k = rows_of(c);
    lstm_gates(c, &k, x, s);
    for (int64_t j = 0; j < H; j++) {
        dual old = s[cell + j], g = bounded(c, c->a[k.gate[G] * H + j]);
        dual i = lstm_gate(c, &k, I, j, old, sn), f = lstm_gate(c, &k, F, j, old, sn);
        if (c->word[WORD_COUPLED]) f = dual_number(1) - i;
        if (!c->word[WORD_LINEAR_IN]) g = dual_tanh(g);
        sn[cell + j] = dual_times(f, old) + dual_times(i, g);
    }
    if (k.gate[O] >= 0)
        add_matrix_product(c->a + k.gate[O] * H, H, block(c->w[PEEPHOLE_FULL], k.three[O], H * H), sn + cell, H);
    memcpy(c->b, sn + cell, (size_t)H * sizeof *c->b);
    if (c->w[GAIN_CELL]) normalise(c->b, H);
    for (int64_t j = 0; j < H; j++) {
        dual y = c->b[j];
        if (c->w[GAIN_CELL]) y = dual_times(c->w[GAIN_CELL][j], y) + c->w[NORM_BIAS_CELL][j];
        if (!c->word[WORD_LINEAR_OUT]) y = dual_tanh(y);
        c->m[j] = dual_times(lstm_gate(c, &k, O, j, sn[cell + j], sn), y);
    }
    output(c, ACT_LINEAR, sn);
}

/* Biases: blocks a, g, o; the other tensors have g, o. */
static void lstm_at_step(const cell_view *c, const dual *x, const dual *s, dual *sn)
{
    const int64_t H = c->H;
    const dual *old = s + H;
    inputs(c, x, 2, c->a), recurrent(c, 0, s, c->a), recurrent(c, 1, s, c->a);
    memset(c->b, 0, (size_t)(2 * H) * sizeof *c->b);
    add_matrix_product(c->b, H, c->w[ATTENTION], old, H);
    for (int64_t i = 0; i < H; i++) c->b[i] = squashed(c, c->b[i]);
    add_matrix_product(c->b + H, H, c->w[ATTENTION_SCORE], c->b, H);
    for (int64_t i = 0; i < H; i++) {
        dual a = gate(c, c->b[H + i] + bias(c, i)), g = squashed(c, c->a[i] + bias(c, H + i));
        sn[H + i] = g + dual_times(a, old[i] - g);
        sn[i] = dual_times(gate(c, c->a[H + i] + bias(c, 2 * H + i)), dual_tanh(sn[H + i]));
    }
}

static const struct {
    const char *name;
    void (*step)(const cell_view *c, const dual *x, const dual *s, dual *sn);
} cells[] = { { "elman", elman_step }, { "jordan", elman_step },   { "indrnn", indrnn_step },
              { "gru", gru_step },     { "mgu", mgu_step },        { "gru-before", gru_before_step },
              { "lstm", lstm_step },   { "lstm-at", lstm_at_step } };

laco_status cell_view_ready(cell_view *c, const char *cell, laco_error *err)
{
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        if (!strcmp(cells[i].name, cell)) c->step = cells[i].step;
    if (!c->step)
        return fail(err, LACO_EUNSUPPORTED, -1, "exact Gauss-Newton products are not written for the cell %s yet",
                    cell);
    c->states = c->P;
    if (c->step == lstm_at_step) c->states += c->H;
    if (c->step == lstm_step) c->states += c->H * (1 + (c->word[WORD_GATE_REC] ? rows_of(c).present : 0));
    return LACO_OK;
}
