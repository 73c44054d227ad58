/* What each step of a sequence contributed to what a network says: by gradient and by occlusion; and how that is shown.

   For a number s that the network says about a sequence (the log-probability of a class, a value), step t contributes

       gradient    x[t] . ds/dx[t]: to first order, what s would lose if x[t] were 0. Of a symbol x is its vector behind
                   the first layer (of tokens: word, characters and features of a word side by side)
       occlusion   s less s of the sequence without step t: its symbol replaced by <unk>, or where there is none left
                   out; its numbers by 0. Of more than 256 steps stretches are hidden together, and share the change

   and, of numbers, feature k: by gradient the sum over the steps, by occlusion s less s with that feature 0 throughout.
   Several numbers of a step may be one feature. Where the last layer is crf s is the log of the probability of a class
   at a step given the whole sequence, the sum over all paths through it. */
#ifndef EXPLAIN_H
#define EXPLAIN_H
#include "data/text.h"
#include "net/net.h"
#include "task/task.h"

typedef struct explain_question {
    /* log softmax, log sigmoid, the output itself times scale, or what a function of its own makes of the outputs */
    enum { SAYS_CLASS, SAYS_LABEL, SAYS_VALUE, SAYS_OWN } says;
    int64_t output, step;                             /* of the network; of the sequence, from 0 */
    double scale;                                     /* 0: 1 */
    int32_t unknown;                                  /* symbol in the place of a hidden one; -1: it is left out */
    int layers;                                       /* that are asked; 0: all */
    const struct lexicon *lexicon;                    /* of symbols that are types (layer/lexicon.h) */
    const float *target;                              /* [outputs] what nade is given at the step; NULL: its own */
    const int32_t *feature;                           /* [inputs] which feature each number is of, -1: of none that is */
    int64_t features;                                 /* told; NULL: each is one */
    double (*own)(const void *ctx, const float *y, float *dy); /* s; dy: zeros, or NULL; the gradient of s is put in */
    const void *ctx;
} explain_question;
typedef struct explained {
    int64_t steps, features; /* features: 0 of symbols */
    double value;            /* s */
    double *gradient;        /* [steps][features], of symbols [steps] */
    double *occlusion;       /* [steps]; NaN: nothing would be left */
    double *hidden;          /* [features] occlusion of each */
} explained;
/* x: [T] symbols or [T][inputs] numbers. The weights are loaded here. */
laco_status explain_sequence(explained *out, net *n, const void *x, int64_t T, const explain_question *q,
                             const volatile int *stop, laco_error *err);
void explained_free(explained *e);
/* What the network says at the step of the question, of the sequence as it is: [outputs]. */
laco_status explain_outputs(float *y, net *n, const void *x, int64_t T, const explain_question *q, laco_error *err);

/* ---- src/task/explain_show.c ---- */
/* As the options say: a page (--html), coloured text (--color), or a table (CSV, with --json JSON lines). */
typedef struct explain_case {
    const explained *of;
    const char *answer;         /* what s is about: "positive" */
    double probability;         /* NaN: it has none */
    const char *const *symbol;  /* [steps] the text of each, with the blanks around it; NULL: numbers */
    int64_t before;             /* steps in front of the first, as they are numbered */
} explain_case;
/* Appends the text of a symbol as vocab_decode does, terminated; a line break as <eos>. */
void explain_symbol(const vocab *v, int32_t id, bool *line_start, buf *to);
typedef struct explain_sheet explain_sheet;
laco_status explain_open(explain_sheet **out, task_job *j, bool symbols, const char *const *feature, int64_t features,
                         laco_error *err);
laco_status explain_put(explain_sheet *s, const explain_case *c, laco_error *err);
laco_status explain_close(explain_sheet *s, laco_status st, laco_error *err); /* frees; the page appears, or not */
#endif
