/* Long-memory tasks: sequences whose targets depend on inputs many steps back, as the papers have them.

   A task is a row of src/data/synthetic.c; what it draws is in synthetic_make.c and synthetic_grammar.c. Sequence
   `index` of a set is a function of (seed, set, index) and of the task's sizes alone, so a set of any size is the same
   everywhere. Inputs are numbers, symbols one-hot. Targets are numbers (squared or Bernoulli loss, NaN: the step does
   not count) or classes (softmax, -1: does not count).

   What a network made of a sequence is judged by the rule of the task's paper; the figures of many sequences are added
   up in a synth_score, and the paper's criterion says whether the task is solved. */
#ifndef SYNTHETIC_H
#define SYNTHETIC_H
#include "base/base.h"

typedef enum synth_loss { SYNTH_SQUARED, SYNTH_BERNOULLI, SYNTH_CLASSES } synth_loss;
/* Held-out sequences are drawn apart from those of training. Strings of a grammar: training picks from a fixed set;
   held out, for validation and test alike, are that set, string by string, and as many that are not in it. Counting:
   training goes round n = 1 .. length; held-out string n-1 has n of each letter. */
typedef enum synth_set { SYNTH_TRAIN, SYNTH_VALID, SYNTH_TEST } synth_set;

/* A size of a task: --length, --delay and so on, with the paper's default. */
typedef struct synth_size {
    const char *name, *about;
    int64_t value, min, max;
} synth_size;
enum { SYNTH_SIZES = 3 };

/* When a step counts as right. */
typedef enum synth_rule {
    RULE_WITHIN,  /* every output is nearer to its target than the tolerance */
    RULE_LARGEST, /* the largest output is that of the class */
    RULE_POSSIBLE /* the outputs of all symbols that may come next are larger than those of the others */
} synth_rule;
/* Which figure is judged, and how small (reach: how large) it must be. */
typedef enum synth_figure { FIGURE_SQUARED, FIGURE_WRONG, FIGURE_STEPS_WRONG, FIGURE_REACH } synth_figure;

typedef struct synth synth;
typedef struct synth_target {
    float *y;         /* [T][outputs] */
    int32_t *classes; /* or [T] */
} synth_target;

typedef struct synth_task {
    const char *name, *about, *source, *criterion;
    synth_loss loss;
    int variant;                  /* among the tasks that share a generator */
    bool filler;                  /* the last class fills the time between: it is trained, but not judged */
    synth_size size[SYNTH_SIZES]; /* name NULL: no more */
    int64_t inputs, outputs;      /* 0: counted by `shape` */
    void (*shape)(const synth *s, int64_t *inputs, int64_t *outputs);
    int64_t (*length)(const synth *s, synth_set set, int64_t index);
    /* x is zero, the targets do not count, before. */
    void (*make)(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to);
    uint32_t (*possible)(const synth *s, int64_t T, const float *x); /* symbols that may follow, a bit each */
    synth_rule rule;
    double tolerance;
    synth_figure figure;
    double bound;    /* squared: below; wrong: at most this share of sequences, or of steps; reach: at least */
    double absolute; /* 0, or the mean absolute error is below that too */
    int64_t epoch, valid,
        test; /* sequences: of an epoch, measured after it, that decide; 0: the set and as many others */
} synth_task;

const synth_task *synth_tasks(int *count);
const synth_task *synth_find(const char *name); /* NULL: none of that name */

struct synth {
    const synth_task *task;
    uint64_t seed;
    int64_t size[SYNTH_SIZES];
    int64_t inputs, outputs;
    uint64_t *known; /* grammar: hashes of the strings of the training set */
};
laco_status synth_new(synth **out, const char *task, uint64_t seed, laco_error *err);
laco_status synth_set_size(synth *s, const char *name, int64_t value, laco_error *err);
laco_status synth_ready(synth *s, laco_error *err); /* after the sizes, before any sequence */
void synth_free(synth *s);
/* "adding; length 400; seed 1", and back. */
void synth_print(const synth *s, buf *out);
laco_status synth_parse(synth **out, const char *text, laco_error *err);

int64_t synth_count(const synth *s, synth_set set); /* sequences of a set, or of an epoch */
int64_t synth_length(const synth *s, synth_set set, int64_t index);
void synth_make(const synth *s, synth_set set, int64_t index, int64_t T, float *x, synth_target to);

typedef struct synth_score {
    int64_t sequences, right; /* right: every step that is judged is */
    int64_t steps, steps_right;
    int64_t numbers;          /* outputs that were compared with targets */
    double squared, absolute; /* sums over them: of probabilities, but for the squared loss */
    int64_t reach;            /* sequences before the first that is not right, in the order judged */
    double loss;              /* what training minimises, summed over the steps that count for it */
    int64_t losses;           /* these steps */
} synth_score;
/* out: [T] rows of outputs as the last layer gives them: numbers, or logits. */
void synth_judge(const synth *s, int64_t T, const float *x, synth_target y, const float *out, int64_t ldo,
                 synth_score *to);
double synth_figure_of(const synth *s, const synth_score *score); /* the figure of the criterion */
const char *synth_figure_name(const synth *s);
bool synth_solved(const synth *s, const synth_score *score);
/* The best constant output, as the last layer would give it: [outputs], from the targets of a set that are judged. */
laco_status synth_constant(const synth *s, synth_set set, float *out, laco_error *err);
#endif
