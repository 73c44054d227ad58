/* Initial weights, by name. A number is a function of (seed, its place), so it does not depend on the threads, on the
   real type, or on the order of drawing.

   uniform     every weight and bias from +-1/sqrt(n): n = units (recurrent), inputs (dense), outputs (embed): as PyTorch;
               tables and cells of tokens alike
   glorot      matrices from +-sqrt(6 / (in + out)) for each gate, biases 0 (Glorot & Bengio 2010)
   orthogonal  recurrent matrices orthogonal for each gate (Saxe et al. 2014), the rest as glorot
   identity    recurrent matrices the identity (Le et al. 2015, for relu), the rest as glorot
   chrono      as uniform, but the bias of a forget gate is log u, u uniform between 1 and exp(forget bias), and that of
               its input gate -log u (Tallec & Ollivier 2018)

   In all of them gains are 1, biases of normalisation 0, and but for chrono the bias of the forget gate is as asked. */
#include "base/rng.h"
#include "layer/reservoir.h"
#include "math/dot.h"
#include "net/net.h"
#include <math.h>

typedef struct init_row {
    const char *name, *about;
} init_row;
static const init_row init_rows[] = {
    { "default", "uniform" },
    { "uniform", "every weight from +-1/sqrt(units), as PyTorch" },
    { "glorot", "matrices from +-sqrt(6/(in+out)), biases 0 (Glorot & Bengio 2010)" },
    { "orthogonal", "recurrent matrices orthogonal (Saxe et al. 2014), the rest as glorot" },
    { "identity", "recurrent matrices the identity (Le et al. 2015), the rest as glorot" },
    { "chrono",
      "default, but forget gates of many time scales, up to exp(--forget-bias) steps, input gates their opposite "
      "(Tallec & Ollivier 2018)" },
};
enum { INITS = sizeof init_rows / sizeof *init_rows };
const char *const *init_names(void)
{
    static const char *const names[INITS + 1] = { "default",  "uniform", "glorot", "orthogonal",
                                                  "identity", "chrono",  NULL };
    return names;
}
const char *init_about(const char *name)
{
    for (int i = 0; i < INITS; i++)
        if (!strcmp(init_rows[i].name, name)) return init_rows[i].about;
    return NULL;
}

static void fill_uniform(net *n, uint64_t seed, int64_t at, int64_t size, double bound)
{
    for (int64_t i = at; i < at + size; i++)
        net_set(n, i, bound * (2 * rng_uniform(seed, RNG_WEIGHTS, (uint64_t)i) - 1));
}
static void fill_value(net *n, int64_t at, int64_t size, double x)
{
    for (int64_t i = at; i < at + size; i++) net_set(n, i, x);
}
static void fill_identity(net *n, int64_t at, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) net_set(n, at + r * cols + c, r == c);
}

/* Orthonormal rows (or columns, when there are more rows) by modified Gram-Schmidt on normal numbers. */
static laco_status fill_orthogonal(net *n, uint64_t seed, int64_t at, int64_t rows, int64_t cols, laco_error *err)
{
    int64_t k = min64(rows, cols), w = max64(rows, cols);
    double *q = mem_new((size_t)(k * w), sizeof *q);
    if (!q) return fail_memory(err, (size_t)(k * w) * sizeof *q);
    for (int64_t i = 0; i < k * w; i++) q[i] = rng_normal(seed, RNG_WEIGHTS, (uint64_t)(at + i));
    for (int64_t i = 0; i < k; i++) {
        for (int64_t j = 0; j < i; j++) {
            double d = dot(w, q + i * w, q + j * w);
            for (int64_t c = 0; c < w; c++) q[i * w + c] -= d * q[j * w + c];
        }
        double norm = sqrt(dot(w, q + i * w, q + i * w));
        for (int64_t c = 0; c < w; c++) q[i * w + c] /= norm;
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) net_set(n, at + r * cols + c, rows <= cols ? q[r * w + c] : q[c * w + r]);
    mem_free(q);
    return LACO_OK;
}

/* Chrono initialisation: a unit remembers for u steps, u uniform between 1 and exp(longest); its input gate, which
   stands before the forget gate where there is one (input >= 0), opens so little that what it gathers stays bounded. */
static void fill_chrono(net *n, uint64_t seed, int64_t forget, int64_t units, int64_t input, double longest)
{
    for (int64_t i = 0; i < units; i++) {
        double u = rng_uniform(seed, RNG_WEIGHTS, (uint64_t)(forget + i)), b = log(1 + u * expm1(longest));
        net_set(n, forget + i, b);
        if (input >= 0) net_set(n, input + i, -b);
    }
}

static double uniform_bound(const layer_spec *s, int64_t cols)
{
    if (!strcmp(s->kind, "tokens")) return 1 / sqrt((double)(cols > 1 ? cols : s->cell.hidden));
    int64_t n = !strcmp(s->kind, "recurrent") ? s->cell.hidden : !strcmp(s->kind, "embed") ? s->out : s->in;
    return 1 / sqrt((double)n);
}
static laco_status init_tensor(net *n, const layer_spec *s, const param_tensor *t, const char *name, double forget_bias,
                               uint64_t seed, laco_error *err)
{
    bool uniform = !strcmp(name, "default") || !strcmp(name, "uniform") || !strcmp(name, "chrono"),
         matrix = t->role == INIT_INPUT || t->role == INIT_RECURRENT;
    int64_t cols = t->rank > 1 ? t->shape[t->rank - 1] : 1, rows = t->size / cols / t->gates;
    if (t->role == INIT_ONE || t->role == INIT_ZERO)
        fill_value(n, t->offset, t->size, t->role == INIT_ONE);
    else if (uniform || (!matrix && t->role != INIT_BIAS))
        fill_uniform(n, seed, t->offset, t->size, uniform_bound(s, cols));
    else if (t->role == INIT_BIAS)
        fill_value(n, t->offset, t->size, 0);
    for (int g = 0; !uniform && matrix && g < t->gates; g++) {
        int64_t at = t->offset + g * rows * cols;
        laco_status st = LACO_OK;
        if (t->role == INIT_RECURRENT && !strcmp(name, "orthogonal"))
            st = fill_orthogonal(n, seed, at, rows, cols, err);
        else if (t->role == INIT_RECURRENT && !strcmp(name, "identity"))
            fill_identity(n, at, rows, cols);
        else
            fill_uniform(n, seed, at, rows * cols, sqrt(6.0 / (double)(rows + cols)));
        if (st) return st;
    }
    int64_t units = t->size / t->gates, forget = t->offset + t->forget_block * units;
    if (t->forget_block >= 0 && !strcmp(name, "chrono"))
        fill_chrono(n, seed, forget, units, t->forget_block > 0 ? forget - units : -1, forget_bias);
    else if (t->forget_block >= 0)
        fill_value(n, forget, units, forget_bias);
    return LACO_OK;
}

/* As its description says, whatever the name. */
static laco_status init_reservoir(net *n, int i, uint64_t seed, laco_error *err)
{
    const param_tensor *last = &n->tensor[n->tensor_layer[i + 1] - 1];
    const int64_t size = last->offset + last->size - n->base[i];
    double *w = mem_new((size_t)size, sizeof *w);
    if (!w) return fail_memory(err, (size_t)size * sizeof *w);
    laco_status st = reservoir_draw(&n->d.layer[i], seed, w, err);
    for (int64_t k = 0; !st && k < size; k++) net_set(n, n->base[i] + k, w[k]);
    mem_free(w);
    return st;
}
laco_status net_init(net *n, const char *name, double forget_bias, uint64_t seed, laco_error *err)
{
    if (!init_about(name))
        return fail(err, LACO_EINVAL, -1, "unknown initializer \"%s\"; `laco help initializers` lists them", name);
    for (int i = 0; i < n->d.layers; i++) {
        if (!strcmp(n->d.layer[i].kind, "reservoir")) {
            laco_status st = init_reservoir(n, i, seed, err);
            if (st) return st;
            continue;
        }
        for (int t = n->tensor_layer[i]; t < n->tensor_layer[i + 1]; t++) {
            laco_status st = init_tensor(n, &n->d.layer[i], &n->tensor[t], name, forget_bias, seed, err);
            if (st) return st;
        }
    }
    return LACO_OK;
}
