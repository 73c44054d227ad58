/* A network as text: layers separated by `;`, each a name, numbers and words.

       embed 64; lstm 256 x2 peephole; dropout 0.2; dense

   embed N [dropout P]      tokens N [chars M of COUNT CELL H] [feature SIZE of COUNT]...      window N      dropout P [variational]      dense [N] [tanh|sigmoid|relu] [tied] [no-bias]
   CELL H [xK] [words of the cell] [project N] [dilation D] [clip C] [variational P] [recurrent-dropout P] [zoneout PC [PH]]
          [weight-drop P] [activation-reg A] [temporal-reg B] [bidirectional] [reverse] [residual] [learned-state]
          [bias-none|bias-one|bias-two]
   pool last|mean|max       pool attention|feature-attention|time-feature-attention [N] [by-last]
   reservoir N [density P] [radius R] [leak A [B]] [input-scale S] [bias-scale S] [noise S] [groups G] [seed N] [TOPOLOGY]
          [uniform|normal|bernoulli] [tanh|relu|sigmoid|linear] [direct] [trained]
   smooth M [M2] [series S] [window W]      restore H
   crf, the last layer of a network that chooses classes for whole sequences
   A dense layer without N has as many outputs as the task needs; only the last, or the one before crf or
   restore, may leave it out. */
#ifndef DESCRIBE_H
#define DESCRIBE_H
#include "net/kernels.h"

enum { MAX_LAYERS = 64 };
typedef struct net_description {
    int layers;
    layer_spec layer[MAX_LAYERS];
    bool tied; /* the last dense layer uses the table of embed */
} net_description;
/* Parses, and checks sizes against each other: inputs numbers (or symbols) in, `outputs` numbers out (0: as the text
   says). err->at is the byte of the text. */
laco_status describe_parse(net_description *out, const char *text, int64_t inputs, int64_t outputs, const kernels *k,
                           laco_error *err);
void describe_print(const net_description *d, const kernels *k, buf *out); /* canonical */
const char *activation_name(int act);
/* The words of a layer, or of any cell (kind "cell"), beside the words of single cells; ends in a NULL kind. Numbers of
   cells stand in the order of the canonical text. */
typedef struct describe_word {
    const char *kind, *word, *about;
    double low, high; /* of a number behind it */
    size_t at;        /* where in layer_spec it goes; 0: not such a number */
    bool pair;        /* a second one may follow; else it is the same */
} describe_word;
const describe_word *describe_words(void);
#endif
