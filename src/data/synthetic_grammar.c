/* Strings of a grammar: the Reber grammar (Reber 1967) plain and embedded, and counting. The network reads a string
   symbol by symbol and predicts the next one. */
#include "data/synthetic_make.h"
#include <math.h>

/* ---- Reber ---- a graph; where two edges leave a node, each is taken with probability 1/2 */
static const char letters[] = "BTPSXVE"; /* inputs and classes */
enum { LETTERS = sizeof letters - 1, LONGEST = 256 };
typedef struct edge {
    char letter; /* 0: none */
    int to;
} edge;
enum { PLAIN_END = 7, PLAIN_NODES };
static const edge plain[PLAIN_NODES][2] = {
    { { 'B', 1 } },
    { { 'T', 2 }, { 'P', 3 } },
    { { 'S', 2 }, { 'X', 4 } },
    { { 'T', 3 }, { 'V', 5 } },
    { { 'X', 3 }, { 'S', 6 } },
    { { 'P', 4 }, { 'V', 6 } },
    { { 'E', PLAIN_END } },
};
/* Embedded: B, then T or P, then a plain string, then the same T or P, then E. Nodes of the plain string are numbered
   from COPY_T after T, from COPY_P after P. */
enum { OUTER_BEGIN, OUTER_CHOICE, OUTER_LAST, OUTER_END, COPY_T, COPY_P = COPY_T + PLAIN_NODES };

static edge grammar_edge(bool embedded, int node, int which)
{
    static const edge outer[COPY_T][2] = { { { 'B', OUTER_CHOICE } },
                                           { { 'T', COPY_T }, { 'P', COPY_P } },
                                           { { 'E', OUTER_END } } };
    if (!embedded) return plain[node][which];
    if (node < COPY_T) return outer[node][which];
    int copy = node < COPY_P ? COPY_T : COPY_P;
    if (node - copy == PLAIN_END) return which ? (edge){ 0 } : (edge){ copy == COPY_T ? 'T' : 'P', OUTER_LAST };
    edge e = plain[node - copy][which];
    return (edge){ e.letter, copy + e.to };
}
static int grammar_end(bool embedded) { return embedded ? OUTER_END : PLAIN_END; }

/* A random walk through the graph; 0 when it is longer than LONGEST. */
static int64_t walk(bool embedded, synth_draw *d, char *string)
{
    int64_t n = 0;
    for (int node = 0; node != grammar_end(embedded);) {
        if (n == LONGEST) return 0;
        bool choice = grammar_edge(embedded, node, 1).letter;
        edge e = grammar_edge(embedded, node, choice ? (int)draw_below(d, 2) : 0);
        string[n++] = e.letter, node = e.to;
    }
    return n;
}
static uint64_t hash_of(const char *string, int64_t n) /* FNV-1a */
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (int64_t i = 0; i < n; i++) h = (h ^ (unsigned char)string[i]) * UINT64_C(0x100000001b3);
    return h;
}
static bool is_known(const synth *s, uint64_t hash)
{
    for (int64_t i = 0; i < s->size[0]; i++)
        if (s->known[i] == hash) return true;
    return false;
}
/* String k of the training set; from its end on strings that the training set lacks. As in the papers there is one test
   set, which also says when training ends. */
static int64_t string_at(const synth *s, int64_t k, char *string)
{
    bool held_out = k >= s->size[0];
    synth_draw d = draw_begin(s, held_out ? SYNTH_TEST : SYNTH_TRAIN, k, DRAW_CONTENT);
    int64_t n = 0;
    do n = walk(s->task->variant == GRAMMAR_EMBEDDED, &d, string);
    while (!n || (held_out && is_known(s, hash_of(string, n))));
    return n;
}
/* Training picks its strings from the training set at random. */
static int64_t string_of(const synth *s, synth_set set, int64_t index, char *string)
{
    synth_draw d = draw_begin(s, set, index, DRAW_LENGTH);
    return string_at(s, set == SYNTH_TRAIN ? draw_below(&d, s->size[0]) : index, string);
}
laco_status grammar_ready(synth *s, laco_error *err)
{
    char string[LONGEST];
    mem_free(s->known);
    s->known = mem_new((size_t)s->size[0], sizeof *s->known);
    if (!s->known) return fail_memory(err, (size_t)s->size[0] * sizeof *s->known);
    for (int64_t i = 0; i < s->size[0]; i++) s->known[i] = hash_of(string, string_at(s, i, string));
    return LACO_OK;
}
static int place_of(char letter) { return (int)(strchr(letters, letter) - letters); }

int64_t length_grammar(const synth *s, synth_set set, int64_t index)
{
    char string[LONGEST];
    return string_of(s, set, index, string) - 1;
}
void make_grammar(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    char string[LONGEST];
    string_of(s, set, index, string);
    for (int64_t t = 0; t < T; t++) x[t * LETTERS + place_of(string[t])] = 1, to.classes[t] = place_of(string[t + 1]);
}
uint32_t possible_grammar(const synth *s, int64_t T, const float *x)
{
    bool embedded = s->task->variant == GRAMMAR_EMBEDDED;
    int node = 0;
    for (int64_t t = 0; t < T; t++) {
        const float *row = x + t * LETTERS;
        edge e = grammar_edge(embedded, node, 0), f = grammar_edge(embedded, node, 1);
        node = row[place_of(e.letter)] != 0 ? e.to : f.to;
    }
    uint32_t set = 0;
    for (int i = 0; i < 2; i++) {
        char letter = grammar_edge(embedded, node, i).letter;
        if (letter) set |= 1u << place_of(letter);
    }
    return set;
}

/* ---- counting ---- S a^n b^n (c^n) T. Inputs: S and the letters; outputs: the letters and T, 1 where it may come
   next. After an a another a or the first b may follow; all the rest is certain. */
void shape_counting(const synth *s, int64_t *inputs, int64_t *outputs) { *inputs = *outputs = s->task->variant + 1; }
static int64_t times_of(const synth *s, synth_set set, int64_t index)
{
    return 1 + (set == SYNTH_TRAIN ? index % s->size[0] : index);
}
int64_t length_counting(const synth *s, synth_set set, int64_t index)
{
    return 1 + s->task->variant * times_of(s, set, index);
}
void make_counting(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to)
{
    int64_t n = times_of(s, set, index), width = s->task->variant + 1;
    memset(to.y, 0, (size_t)(T * width) * sizeof *to.y);
    for (int64_t t = 0; t < T; t++) {
        x[t * width + (t ? 1 + (t - 1) / n : 0)] = 1;
        to.y[t * width + t / n] = 1;
        if (t && t <= n) to.y[t * width] = to.y[t * width + 1] = 1;
    }
}
