#include "net/describe.h"
#include "base/number.h"
#include "layer/reservoir.h"
#include "math/act.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>

static const char *const activation_names[ACT_COUNT] = { "linear", "tanh", "sigmoid", "relu" };
static const char *const topology_names[RESERVOIR_TOPOLOGIES + 1] = {
    "random", "blocks", "ring", "cycle", "delay-line", "small-world", NULL
};
static const char *const weights_names[RESERVOIR_WEIGHTS + 1] = { "uniform", "normal", "bernoulli", NULL };
static const char *const pool_names[POOLS + 1] = {
    "last", "mean", "max", "attention", "feature-attention", "time-feature-attention", NULL
};
const char *activation_name(int act) { return activation_names[act]; }

/* ---- reading ---- */
typedef struct reader {
    const char *text, *at; /* at: the word being looked at */
    char word[64];
    const kernels *k;
    laco_error *err;
} reader;

static int64_t where(const reader *r) { return r->at - r->text; }

/* The next word of the layer, "" at its end (`;` or the end of the text). */
static laco_status next_word(reader *r)
{
    size_t n = 0;
    r->at += strlen(r->word);
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n') r->at++;
    while (r->at[n] && !strchr("; \t\n", r->at[n])) n++;
    if (n >= sizeof r->word)
        return fail(r->err, LACO_EINVAL, where(r), "network description: a word of %zu characters at byte %lld", n,
                    (long long)where(r));
    memcpy(r->word, r->at, n);
    r->word[n] = 0;
    return LACO_OK;
}
static bool is_number(const char *s) { return (*s >= '0' && *s <= '9') || *s == '.' || *s == '-'; }

static laco_status take_real(reader *r, const char *what, double low, double high, double *out)
{
    double x;
    if (!number_parse(r->word, &x) || !(x >= low && x <= high))
        return fail(r->err, LACO_EINVAL, where(r),
                    "network description: %s needs a number from %.10g to %.10g, not \"%s\" (byte %lld)", what, low,
                    high, r->word, (long long)where(r));
    *out = x;
    return next_word(r);
}
static laco_status take_size(reader *r, const char *what, int64_t *out)
{
    double x;
    reader before = *r;
    laco_status st = take_real(r, what, 1, 1 << 20, &x);
    if (st) return st;
    if (x != floor(x))
        return fail(r->err, LACO_EINVAL, where(&before), "network description: %s needs a whole number, not \"%s\"",
                    what, before.word);
    *out = (int64_t)x;
    return LACO_OK;
}
static laco_status unknown_word(reader *r, const char *kind, const char *const *known)
{
    const char *near = nearest_name(r->word, known);
    return fail(r->err, LACO_EINVAL, where(r), "network description: %s does not know \"%s\" (byte %lld)%s%s%s", kind,
                r->word, (long long)where(r), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* ---- words ---- */
#define MOST_DROPPED 0.99 /* a probability below 1 */
#define NO_NUMBER 0, 0, 0, false
#define NUMBER(member, low, high, pair) low, high, offsetof(layer_spec, member), pair
enum { FIRST_FLAG = 2, FLAG_BIAS = FIRST_FLAG + 4, LAST_FLAG = FLAG_BIAS + 2 };
static const describe_word words[] = {
    { "embed", "dropout", "P: in each update, symbols dropped with probability P, wherever they stand", NO_NUMBER },
    { "dropout", "variational", "one mask for all steps of a sequence (Gal & Ghahramani 2016)", NO_NUMBER },
    { "cell", "bidirectional", "one layer forwards and one backwards, side by side", NO_NUMBER },
    { "cell", "reverse", "from the last step to the first", NO_NUMBER },
    { "cell", "residual", "the input is added to the output", NO_NUMBER },
    { "cell", "learned-state", "the initial state is learned", NO_NUMBER },
    { "cell", "bias-none", "no bias", NO_NUMBER },
    { "cell", "bias-one", "one bias, as in the papers", NO_NUMBER },
    { "cell", "bias-two", "a bias for each product, as in PyTorch", NO_NUMBER },
    { "cell", "project", "N: the output is a product of N numbers with the hidden units (elman, jordan, lstm)",
      NO_NUMBER },
    { "cell", "dilation", "D: the state of a step comes from D steps before (Chang et al. 2017)", NO_NUMBER },
    { "cell", "clip", "C: bounds the arguments of the gate functions to +-C", NUMBER(cell.clip, 1e-6, 1e6, false) },
    { "cell", "variational", "P: dropout on the hidden state in front of the recurrent products, one mask per sequence",
      NUMBER(cell.variational, 0, MOST_DROPPED, false) },
    { "cell", "recurrent-dropout", "P: dropout on the candidate of each update (Semeniuta et al. 2016)",
      NUMBER(cell.recurrent_dropout, 0, MOST_DROPPED, false) },
    { "cell", "zoneout", "P, or PC PH: states keep their old values with probability P (Krueger et al. 2017)",
      NUMBER(cell.zoneout, 0, MOST_DROPPED, true) },
    { "cell", "weight-drop", "P: recurrent weights dropped, the same for all steps of an update (Merity et al. 2017)",
      NUMBER(weight_drop, 0, MOST_DROPPED, false) },
    { "cell", "activation-reg", "A: adds A times the mean square of the output to the loss (Merity et al. 2017)",
      NUMBER(activation_reg, 0, 1e6, false) },
    { "cell", "temporal-reg", "B: adds B times the mean square of what the output changes by in a step",
      NUMBER(temporal_reg, 0, 1e6, false) },
    { "reservoir", "density", "P: each unit reads this share of the units. Default 0.1",
      NUMBER(density, 1e-9, 1, false) },
    { "reservoir", "radius", "R: the spectral radius that the weights between units are scaled to. Default 0.9",
      NUMBER(radius, 0, 1e6, false) },
    { "reservoir", "leak", "A, or A B: leak rates; with B from A to B over the units or groups. Default 1",
      NUMBER(leak, 1e-9, 1, true) },
    { "reservoir", "input-scale", "S: size of the weights of inputs. Default 1", NUMBER(input_scale, 0, 1e6, false) },
    { "reservoir", "bias-scale", "S: size of the biases. Default 0", NUMBER(bias_scale, 0, 1e6, false) },
    { "reservoir", "noise", "S: deviation of noise on the states, while training. Default 0",
      NUMBER(noise, 0, 1e6, false) },
    { "reservoir", "groups", "G: units in G groups that do not see each other", NO_NUMBER },
    { "reservoir", "seed", "N: another draw of which unit reads which. Default 1", NO_NUMBER },
    { "reservoir", "random", "every unit reads units drawn at random; the default", NO_NUMBER },
    { "reservoir", "blocks", "16 units side by side read 16 others side by side, drawn at random: the fastest", NO_NUMBER },
    { "reservoir", "ring", "every unit reads the one before it, the first the last", NO_NUMBER },
    { "reservoir", "cycle", "a ring of equal weights, the radius, and inputs of one size (Rodan & Tino 2011)", NO_NUMBER },
    { "reservoir", "delay-line", "a cycle that is cut: the first unit reads the input alone; the radius is its weight",
      NO_NUMBER },
    { "reservoir", "small-world", "neighbours on a ring, a tenth of them drawn at random (Watts & Strogatz 1998)", NO_NUMBER },
    { "reservoir", "uniform", "weights uniform within +-1 before they are scaled; the default", NO_NUMBER },
    { "reservoir", "normal", "weights normal before they are scaled", NO_NUMBER },
    { "reservoir", "bernoulli", "weights +1 or -1 before they are scaled", NO_NUMBER },
    { "reservoir", "tanh", "the activation, the default; or relu, sigmoid, linear", NO_NUMBER },
    { "reservoir", "direct", "its input is a part of its output, behind the units", NO_NUMBER },
    { "reservoir", "trained", "its weights are learnt like those of other layers", NO_NUMBER },
    { "smooth", "series", "S: how many series there are, each with parameters of its own", NO_NUMBER },
    { "smooth", "window", "W: steps of the past that the network reads; without it, a season", NO_NUMBER },
    { "pool", "last", "the latest step; behind a bidirectional layer that and, against time, the first", NO_NUMBER },
    { "pool", "mean", "the mean of each number", NO_NUMBER },
    { "pool", "max", "the largest of each number", NO_NUMBER },
    { "pool", "attention", "[N]: a mean with learned weights of the steps, from a hidden layer of N", NO_NUMBER },
    { "pool", "feature-attention", "[N]: a mean with learned weights of the features of each step", NO_NUMBER },
    { "pool", "time-feature-attention", "[N]: both side by side (Xie et al. 2019)", NO_NUMBER },
    { "tokens", "chars", "M of COUNT CELL H: also the last states of a cell that reads the word's characters both ways",
      NO_NUMBER },
    { "tokens", "feature", "S of COUNT: also a vector for the value of a feature of the word; one for each", NO_NUMBER },
    { "pool", "by-last", "of attention over time: the latest step weighs those before it (Xie et al. 2019)", NO_NUMBER },
    { .kind = NULL },
};
const describe_word *describe_words(void) { return words; }
static int list_words(const char *kind, const char **names)
{
    int n = 0;
    for (const describe_word *w = words; w->kind; w++)
        if (!strcmp(w->kind, kind)) names[n++] = w->word;
    names[n] = NULL;
    return n;
}
static laco_status unknown_layer_word(reader *r, const char *kind)
{
    const char *known[64];
    list_words(kind, known);
    return unknown_word(r, kind, known);
}

static double *number_of(const layer_spec *s, const describe_word *w) { return (double *)((char *)s + w->at); }
static bool is_number_of(const describe_word *w, const char *kind) { return w->at && !strcmp(w->kind, kind); }
static const describe_word *number_word(const char *kind, const char *word)
{
    for (const describe_word *w = words; w->kind; w++)
        if (is_number_of(w, kind) && !strcmp(w->word, word)) return w;
    return NULL;
}
static laco_status take_number(reader *r, layer_spec *s, const describe_word *w)
{
    double *to = number_of(s, w);
    laco_status st = next_word(r);
    if (!st) st = take_real(r, w->word, w->low, w->high, to);
    if (st || !w->pair) return st;
    to[1] = to[0];
    return is_number(r->word) ? take_real(r, w->word, w->low, w->high, to + 1) : LACO_OK;
}

static void set_flag(layer_spec *s, int i)
{
    switch (i - FIRST_FLAG) {
    case 0:
        s->bidirectional = true;
        break;
    case 1:
        s->cell.reverse = true;
        break;
    case 2:
        s->residual = true;
        break;
    case 3:
        s->learned_state = true;
        break;
    default:
        s->cell.biases = i - FLAG_BIAS;
    }
}
static bool take_flag(reader *r, layer_spec *s)
{
    for (int i = FIRST_FLAG; i <= LAST_FLAG; i++)
        if (!strcmp(r->word, words[i].word)) return set_flag(s, i), true;
    return false;
}
static const cell_info *find_cell(const reader *r)
{
    for (int i = 0; r->k->recur->cell(i); i++)
        if (!strcmp(r->k->recur->cell(i)->name, r->word)) return r->k->recur->cell(i);
    return NULL;
}
static laco_status set_cell_word(reader *r, const cell_info *c, layer_spec *s, const char *word, size_t n, bool *known)
{
    for (const cell_word *w = c->words; w && w->word; w++) {
        if (strlen(w->word) != n || memcmp(w->word, word, n)) continue;
        *known = true;
        if (s->cell.words & w->excludes & ~w->bit)
            return fail(r->err, LACO_EINVAL, where(r),
                        "network description: \"%s\" excludes another word before it (byte %lld)", w->word,
                        (long long)where(r));
        s->cell.words |= w->bit;
    }
    return LACO_OK;
}
/* A word of the cell, or an alias that stands for several. */
static laco_status take_cell_word(reader *r, const cell_info *c, layer_spec *s, bool *known)
{
    *known = false;
    for (const cell_alias *a = c->aliases; a && a->word; a++) {
        if (strcmp(a->word, r->word)) continue;
        *known = true;
        for (const char *p = a->means; *p;) {
            size_t n = strcspn(p, " ");
            laco_status st = set_cell_word(r, c, s, p, n, known);
            if (st) return st;
            p += n + (p[n] == ' ');
        }
        return LACO_OK;
    }
    return set_cell_word(r, c, s, r->word, strlen(r->word), known);
}
static laco_status unknown_cell_word(reader *r, const cell_info *c)
{
    const char *known[64];
    int n = 0;
    for (const cell_word *w = c->words; w && w->word; w++) known[n++] = w->word;
    for (const cell_alias *a = c->aliases; a && a->word; a++) known[n++] = a->word;
    list_words("cell", known + n);
    return unknown_word(r, c->name, known);
}
static laco_status read_cell(reader *r, const cell_info *c, layer_spec *s, int64_t *copies)
{
    laco_status st = take_size(r, c->name, &s->cell.hidden);
    s->kind = "recurrent", s->cell.cell = c->name, s->cell.biases = c->biases;
    while (!st && *r->word) {
        bool known = true;
        const describe_word *number = number_word("cell", r->word);
        if (r->word[0] == 'x' && is_number(r->word + 1)) {
            r->at++, memmove(r->word, r->word + 1, strlen(r->word));
            st = take_size(r, "x (how many layers)", copies);
        } else if (!strcmp(r->word, "project")) {
            if (!(st = next_word(r))) st = take_size(r, "project", &s->cell.project);
        } else if (!strcmp(r->word, "dilation")) {
            if (!(st = next_word(r))) st = take_size(r, "dilation", &s->dilation);
        } else if (number) {
            st = take_number(r, s, number);
        } else {
            if (!take_flag(r, s)) st = take_cell_word(r, c, s, &known);
            if (!st && !known) st = unknown_cell_word(r, c);
            if (!st) st = next_word(r);
        }
    }
    if (!st && s->bidirectional && s->cell.reverse)
        st = fail(r->err, LACO_EINVAL, where(r),
                  "network description: a layer is either bidirectional or reverse, not both");
    return st;
}
static laco_status read_dense(reader *r, layer_spec *s, bool *tied)
{
    static const char *const known[] = { "tanh", "sigmoid", "relu", "linear", "tied", "no-bias", NULL };
    laco_status st = LACO_OK;
    s->kind = "dense", s->bias = true;
    if (is_number(r->word)) st = take_size(r, "dense", &s->out);
    while (!st && *r->word) {
        bool found = false;
        for (int a = 0; a < ACT_COUNT; a++)
            if (!strcmp(r->word, activation_names[a])) s->act = a, found = true;
        if (!strcmp(r->word, "tied")) *tied = found = true;
        if (!strcmp(r->word, "no-bias")) s->bias = false, found = true;
        st = found ? next_word(r) : unknown_word(r, "dense", known);
    }
    return st;
}
/* "SIZE of COUNT"; without COUNT 0: who knows the data fills it in. */
static laco_status take_table(reader *r, const char *what, int64_t *size, int64_t *count)
{
    laco_status st = next_word(r);
    if (!st) st = take_size(r, what, size);
    if (st || strcmp(r->word, "of")) return st;
    return (st = next_word(r)) ? st : take_size(r, "of", count);
}
static laco_status read_tokens(reader *r, layer_spec *s)
{
    s->kind = "tokens";
    laco_status st = take_size(r, "tokens", &s->size);
    while (!st && *r->word) {
        if (!strcmp(r->word, "feature") && s->features < MOST_FEATURES) {
            int k = s->features++;
            st = take_table(r, "feature", &s->feature_size[k], &s->feature_count[k]);
        } else if (!strcmp(r->word, "chars") && !s->chars) {
            if ((st = take_table(r, "chars", &s->chars, &s->alphabet))) break;
            const cell_info *c = find_cell(r);
            if (!c)
                return fail(r->err, LACO_EINVAL, where(r),
                            "network description: chars needs a cell that reads them, as in \"chars 16 lstm 32\" "
                            "(byte %lld)",
                            (long long)where(r));
            s->cell.cell = c->name, s->cell.biases = c->biases;
            if (!(st = next_word(r))) st = take_size(r, c->name, &s->cell.hidden);
        } else
            st = unknown_layer_word(r, "tokens");
    }
    return st;
}
static laco_status read_rate(reader *r, layer_spec *s) { return take_real(r, "dropout", 0, MOST_DROPPED, &s->rate); }
static laco_status read_embed(reader *r, layer_spec *s)
{
    s->kind = "embed";
    laco_status st = take_size(r, "embed", &s->out);
    if (st || strcmp(r->word, "dropout")) return st;
    return (st = next_word(r)) ? st : read_rate(r, s);
}
static laco_status read_dropout(reader *r, layer_spec *s)
{
    s->kind = "dropout";
    laco_status st = read_rate(r, s);
    s->variational = !strcmp(r->word, "variational");
    return st || !s->variational ? st : next_word(r);
}
static laco_status read_pool(reader *r, layer_spec *s)
{
    laco_status st = LACO_OK;
    s->kind = "pool", s->pool = -1;
    for (int i = 0; i < POOLS; i++)
        if (!strcmp(r->word, pool_names[i])) s->pool = i;
    if (s->pool < 0 && *r->word) return unknown_word(r, "pool", pool_names);
    if (s->pool < 0)
        return fail(r->err, LACO_EINVAL, where(r),
                    "network description: pool needs a word, as in \"pool mean\" (byte %lld)", (long long)where(r));
    if ((st = next_word(r))) return st;
    bool time = s->pool == POOL_TIME || s->pool == POOL_TIME_FEATURE;
    if (s->pool >= POOL_TIME && is_number(r->word)) st = take_size(r, pool_names[s->pool], &s->size);
    if (st || !time || strcmp(r->word, "by-last")) return st;
    s->by_last = true;
    return next_word(r);
}
/* smooth M [M2] [series S] [window W] */
static laco_status read_smooth(reader *r, layer_spec *s)
{
    laco_status st = take_size(r, "smooth", &s->season[0]);
    s->kind = "smooth", s->series = 1;
    if (!st && is_number(r->word)) st = take_size(r, "smooth", &s->season[1]);
    if (!st && !strcmp(r->word, "series") && !(st = next_word(r))) st = take_size(r, "series", &s->series);
    if (!st && !strcmp(r->word, "window") && !(st = next_word(r))) st = take_size(r, "window", &s->steps);
    if (!s->steps) s->steps = s->season[0];
    return st;
}
static int place_of(const char *const *names, const char *word)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], word)) return i;
    return -1;
}
static laco_status read_reservoir(reader *r, layer_spec *s)
{
    laco_status st = take_size(r, "reservoir", &s->units);
    s->kind = "reservoir", s->act = ACT_TANH, s->groups = s->drawing = 1;
    s->density = 0.1, s->radius = 0.9, s->leak[0] = s->leak[1] = s->input_scale = 1;
    while (!st && *r->word) {
        const describe_word *number = number_word("reservoir", r->word);
        int topology = place_of(topology_names, r->word), weights = place_of(weights_names, r->word), act = -1;
        for (int a = 0; a < ACT_COUNT; a++)
            if (!strcmp(r->word, activation_names[a])) act = a;
        if (number) {
            st = take_number(r, s, number);
            continue;
        }
        if (!strcmp(r->word, "groups") || !strcmp(r->word, "seed")) {
            bool groups = r->word[0] == 'g';
            if (!(st = next_word(r))) st = take_size(r, groups ? "groups" : "seed", groups ? &s->groups : &s->drawing);
            continue;
        }
        if (topology >= 0)
            s->topology = topology;
        else if (weights >= 0)
            s->weights = weights;
        else if (act >= 0)
            s->act = act;
        else if (!strcmp(r->word, "direct"))
            s->direct = true;
        else if (!strcmp(r->word, "trained"))
            s->trained = true;
        else
            return unknown_layer_word(r, "reservoir");
        st = next_word(r);
    }
    return st;
}
static laco_status read_layer(reader *r, layer_spec *s, int64_t *copies, bool *tied)
{
    const char *known[64];
    int n = 0;
    laco_status st = LACO_OK;
    reader name = *r;
    for (int i = 0; r->k->layers[i]; i++)
        if (strcmp(r->k->layers[i]->name, "recurrent")) known[n++] = r->k->layers[i]->name;
    for (int i = 0; r->k->recur->cell(i); i++) known[n++] = r->k->recur->cell(i)->name;
    known[n] = NULL;
    if ((st = next_word(r))) return st;
    if (!strcmp(name.word, "embed"))
        st = read_embed(r, s);
    else if (!strcmp(name.word, "tokens"))
        st = read_tokens(r, s);
    else if (!strcmp(name.word, "window"))
        s->kind = "window", st = take_size(r, "window", &s->steps);
    else if (!strcmp(name.word, "crf"))
        s->kind = "crf";
    else if (!strcmp(name.word, "nade"))
        s->kind = "nade", st = take_size(r, "nade", &s->size);
    else if (!strcmp(name.word, "dropout"))
        st = read_dropout(r, s);
    else if (!strcmp(name.word, "pool"))
        st = read_pool(r, s);
    else if (!strcmp(name.word, "smooth"))
        st = read_smooth(r, s);
    else if (!strcmp(name.word, "restore"))
        s->kind = "restore", st = take_size(r, "restore", &s->steps);
    else if (!strcmp(name.word, "reservoir"))
        st = read_reservoir(r, s);
    else if (!strcmp(name.word, "dense"))
        st = read_dense(r, s, tied);
    else {
        const cell_info *c = find_cell(&name);
        if (!c) {
            const char *near = nearest_name(name.word, known);
            return fail(r->err, LACO_EINVAL, where(&name),
                        "network description: unknown layer or cell \"%s\" at byte %lld%s%s%s", name.word,
                        (long long)where(&name), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
        return read_cell(r, c, s, copies);
    }
    if (!st && *r->word) st = unknown_layer_word(r, s->kind);
    return st;
}

/* ---- checking ---- */
static const int64_t MAX_WIDTH = (int64_t)1 << 30; /* so that no product of sizes overflows */
static laco_status check_sizes(net_description *d, int64_t inputs, int64_t outputs, const kernels *k, laco_error *err)
{
    int64_t width = inputs, embed = 0, ahead = inputs; /* ahead: of the width, what was made forwards */
    bool table = d->layers && !strcmp(d->layer[0].kind, "embed"),
         symbols = table || (d->layers && !strcmp(d->layer[0].kind, "tokens"));
    if (outputs < 0 || outputs > MAX_WIDTH)
        return fail(err, LACO_EINVAL, -1, "network description: %lld outputs; up to %lld are possible",
                    (long long)outputs, (long long)MAX_WIDTH);
    for (int i = 0; i < d->layers; i++) {
        layer_spec *s = &d->layer[i];
        param_tensor t[2 * MAX_TENSORS];
        int n;
        if (width < 1 || width > MAX_WIDTH)
            return fail(err, LACO_EINVAL, -1,
                        "network description: layer %d gets %lld numbers; from 1 to %lld are possible", i + 1,
                        (long long)width, (long long)MAX_WIDTH);
        if (!strcmp(s->kind, "crf") && i + 1 < d->layers)
            return fail(err, LACO_EINVAL, -1, "network description: crf, layer %d, must be the last one", i + 1);
        s->in = width, s->index = i, s->symbols = symbols && i == 0;
        s->ahead = strcmp(s->kind, "pool") ? 0 : ahead, s->read_in_part = i + 2 == d->layers;
        if (!strcmp(s->kind, "dense") && !s->out) {
            bool before_end = i + 2 == d->layers && (!strcmp(d->layer[i + 1].kind, "crf") ||
                                                     !strcmp(d->layer[i + 1].kind, "restore"));
            if ((i + 1 < d->layers && !before_end) || !outputs)
                return fail(err, LACO_EINVAL, -1,
                            "network description: dense layer %d needs a size, as in \"dense 10\"", i + 1);
            s->out = outputs;
        }
        if (!strcmp(s->kind, "restore") && (!i || i + 1 < d->layers || strcmp(d->layer[0].kind, "smooth")))
            return fail(err, LACO_EINVAL, -1,
                        "network description: restore puts back what smooth took out: it ends a network that begins "
                        "with smooth");
        laco_status st = kernels_layer(k, s->kind)->describe(s, t, &n, err);
        if (st) return st;
        if (s->symbols && table) embed = s->out;
        width = s->out;
        if (strcmp(s->kind, "dropout")) ahead = s->bidirectional ? width / 2 : s->cell.reverse ? 0 : width;
    }
    if (outputs && width != outputs)
        return fail(err, LACO_EINVAL, -1,
                    "network description: it ends in %lld numbers, %lld are needed; end it in \"; dense\"",
                    (long long)width, (long long)outputs);
    if (d->tied && (!embed || d->layer[d->layers - 1].in != embed || width != inputs))
        return fail(err, LACO_EINVAL, -1,
                    "network description: tied needs embed first and as many numbers before the last dense (%lld) as "
                    "embed makes (%lld)",
                    (long long)d->layer[d->layers - 1].in, (long long)embed);
    return LACO_OK;
}

laco_status describe_parse(net_description *d, const char *text, int64_t inputs, int64_t outputs, const kernels *k,
                           laco_error *err)
{
    reader r = { .text = text, .at = text, .k = k, .err = err };
    *d = (net_description){ 0 };
    laco_status st = next_word(&r);
    while (!st) {
        layer_spec s = { 0 };
        int64_t copies = 1;
        bool tied = false;
        if (!*r.word)
            return fail(err, LACO_EINVAL, where(&r), "network description: a layer is missing at byte %lld",
                        (long long)where(&r));
        if ((st = read_layer(&r, &s, &copies, &tied))) return st;
        if (d->layers + copies > MAX_LAYERS)
            return fail(err, LACO_EINVAL, where(&r), "network description: more than %d layers", MAX_LAYERS);
        while (copies--) d->layer[d->layers++] = s;
        if (d->tied) return fail(err, LACO_EINVAL, where(&r), "network description: only the last layer can be tied");
        d->tied = tied;
        if (!*r.at) break;
        r.at++, r.word[0] = 0;
        if ((st = next_word(&r)) || (!*r.word && !*r.at)) break;
    }
    return st ? st : check_sizes(d, inputs, outputs, k, err);
}

/* ---- writing ---- */
static void print_real(buf *out, double x) { buf_printf(out, " %s", number_print((char[NUMBER_TEXT]){ 0 }, x)); }
static void print_number(const layer_spec *s, const describe_word *w, buf *out)
{
    const double *x = number_of(s, w);
    if (x[0] <= 0 && !(w->pair && x[1] > 0)) return;
    buf_printf(out, " %s", w->word), print_real(out, x[0]);
    if (w->pair && x[1] != x[0]) print_real(out, x[1]);
}
static void print_cell(const layer_spec *s, int copies, const kernels *k, buf *out)
{
    const cell_info *c = NULL;
    for (int i = 0; k->recur->cell(i); i++)
        if (!strcmp(k->recur->cell(i)->name, s->cell.cell)) c = k->recur->cell(i);
    buf_printf(out, "%s %lld", c->name, (long long)s->cell.hidden);
    if (copies > 1) buf_printf(out, " x%d", copies);
    for (const cell_word *w = c->words; w && w->word; w++)
        if (s->cell.words & w->bit) buf_printf(out, " %s", w->word);
    if (s->cell.project) buf_printf(out, " project %lld", (long long)s->cell.project);
    if (s->dilation > 1) buf_printf(out, " dilation %lld", (long long)s->dilation);
    for (const describe_word *w = words; w->kind; w++)
        if (is_number_of(w, "cell")) print_number(s, w, out);
    if (s->bidirectional) buf_text(out, " bidirectional");
    if (s->cell.reverse) buf_text(out, " reverse");
    if (s->residual) buf_text(out, " residual");
    if (s->learned_state) buf_text(out, " learned-state");
    if (s->cell.biases != c->biases) buf_printf(out, " %s", words[FLAG_BIAS + s->cell.biases].word);
}
static bool same_cell(const layer_spec *a, const layer_spec *b)
{
    for (const describe_word *w = words; w->kind; w++)
        if (is_number_of(w, "cell") && memcmp(number_of(a, w), number_of(b, w), (w->pair ? 2 : 1) * sizeof(double))) return false;
    return !strcmp(b->kind, "recurrent") && !strcmp(a->cell.cell, b->cell.cell) && a->cell.hidden == b->cell.hidden &&
           a->cell.words == b->cell.words && a->cell.project == b->cell.project &&
           max64(1, a->dilation) == max64(1, b->dilation) &&
           a->bidirectional == b->bidirectional && a->cell.reverse == b->cell.reverse && a->residual == b->residual &&
           a->learned_state == b->learned_state && a->cell.biases == b->cell.biases;
}
static void print_tokens(const layer_spec *s, buf *out)
{
    buf_printf(out, "tokens %lld", (long long)s->size);
    if (s->chars)
        buf_printf(out, " chars %lld of %lld %s %lld", (long long)s->chars, (long long)s->alphabet, s->cell.cell,
                   (long long)s->cell.hidden);
    for (int i = 0; i < s->features; i++)
        buf_printf(out, " feature %lld of %lld", (long long)s->feature_size[i], (long long)s->feature_count[i]);
}
/* What is not the default. */
static void print_reservoir(const layer_spec *s, buf *out)
{
    static const layer_spec plain = { .density = 0.1, .radius = 0.9, .leak = { 1, 1 }, .input_scale = 1 };
    buf_printf(out, "reservoir %lld", (long long)s->units);
    for (const describe_word *w = words; w->kind; w++) {
        if (!is_number_of(w, "reservoir")) continue;
        const double *x = number_of(s, w), *y = number_of(&plain, w);
        if (x[0] == y[0] && !(w->pair && x[1] != y[1])) continue;
        buf_printf(out, " %s", w->word), print_real(out, x[0]);
        if (w->pair && x[1] != x[0]) print_real(out, x[1]);
    }
    if (s->groups > 1) buf_printf(out, " groups %lld", (long long)s->groups);
    if (s->topology) buf_printf(out, " %s", topology_names[s->topology]);
    if (s->weights) buf_printf(out, " %s", weights_names[s->weights]);
    if (s->act != ACT_TANH) buf_printf(out, " %s", activation_names[s->act]);
    if (s->drawing > 1) buf_printf(out, " seed %lld", (long long)s->drawing);
    if (s->direct) buf_text(out, " direct");
    if (s->trained) buf_text(out, " trained");
}
void describe_print(const net_description *d, const kernels *k, buf *out)
{
    for (int i = 0; i < d->layers; i++) {
        const layer_spec *s = &d->layer[i];
        if (i) buf_text(out, "; ");
        if (!strcmp(s->kind, "recurrent")) {
            int copies = 1;
            while (i + copies < d->layers && same_cell(s, s + copies)) copies++;
            print_cell(s, copies, k, out);
            i += copies - 1;
        } else if (!strcmp(s->kind, "dense")) {
            buf_printf(out, "dense %lld", (long long)s->out);
            if (s->act) buf_printf(out, " %s", activation_names[s->act]);
            if (d->tied && i + 1 == d->layers) buf_text(out, " tied");
            if (!s->bias) buf_text(out, " no-bias");
        } else if (!strcmp(s->kind, "dropout")) {
            buf_text(out, "dropout"), print_real(out, s->rate);
            if (s->variational) buf_text(out, " variational");
        } else if (!strcmp(s->kind, "pool")) {
            buf_printf(out, "pool %s", pool_names[s->pool]);
            if (s->size) buf_printf(out, " %lld", (long long)s->size);
            if (s->by_last) buf_text(out, " by-last");
        } else if (!strcmp(s->kind, "tokens")) {
            print_tokens(s, out);
        } else if (!strcmp(s->kind, "reservoir")) {
            print_reservoir(s, out);
        } else if (!strcmp(s->kind, "crf")) {
            buf_text(out, "crf");
        } else if (!strcmp(s->kind, "smooth")) {
            buf_printf(out, "smooth %lld", (long long)s->season[0]);
            if (s->season[1] > 1) buf_printf(out, " %lld", (long long)s->season[1]);
            buf_printf(out, " series %lld window %lld", (long long)s->series, (long long)s->steps);
        } else {
            const bool nade = !strcmp(s->kind, "nade");
            buf_printf(out, "%s %lld", s->kind, (long long)(s->steps ? s->steps : nade ? s->size : s->out));
            if (s->rate > 0) buf_text(out, " dropout"), print_real(out, s->rate);
        }
    }
}
