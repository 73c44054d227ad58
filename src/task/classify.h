/* laco train classify and what uses its models: sequences in, one answer for each (many-to-one): a class, labels of
   which several may hold, or a number, which may also be asked for at every step.

   classify_read.c    examples from tables, files of lines and sets of series
   classify_reading.c   what the network reads of them: symbols, or numbers that are scaled; kept in the model
   classify_split.c   which of them are for training, validation, test; the classes
   classify_run.c     the network over examples: probabilities or numbers, after the last step or after every one
   classify_mix.c     naive Bayes beside the network
   classify_train.c   training    classify_report.c  figures beside baselines
   classify_use.c     predict and eval    classify_explain.c */
#ifndef CLASSIFY_H
#define CLASSIFY_H
#include "data/prepare.h"
#include "data/intern.h"
#include "data/series.h"
#include "data/table.h"
#include "data/text.h"
#include "data/words.h"
#include "format/model.h"
#include "base/json.h"
#include "task/bayes.h"
#include "task/table_options.h"
#include "task/task.h"
#include "train/trainer.h"

/* ---- examples ---- */
enum { PART_TRAIN, PART_VALID, PART_TEST, PARTS, PART_NONE = PARTS }; /* NONE: left out */
typedef struct example {
    int64_t start, length;      /* positions */
    int64_t text, bytes;        /* of its line in `text`, the line break included */
    int64_t line;               /* of the file it is from, from 1; or its number there */
    double number;              /* to answer; NaN: not known */
    int32_t label, group, name; /* of the names; -1: not known */
    int32_t right;              /* class; -1: not known */
    uint8_t part;
} example;
typedef struct examples {
    example *row;
    int64_t count, room;
    intern *label, *group, *name;
    /* text: a line for each */
    buf text;
    /* numbers: [positions][features] as they were read, then [positions][inputs] as the network reads them */
    float *x, *y; /* y: [positions] the number to answer at every step, or NULL */
    int32_t *ids; /* symbols */
    int64_t positions, features;
    bool unanswered; /* the columns of answers need not be there */
} examples;

/* ---- how examples are read ---- */
typedef enum answer_kind { ANSWER_CLASS, ANSWER_LABELS, ANSWER_NUMBER } answer_kind;
enum { COL_TEXT, COL_LABEL, COL_TARGET, COL_ID, COL_TIME, COL_GROUP, COLS };
/* All that a model keeps to read new data as it read the old. */
typedef struct reading {
    answer_kind answer;
    bool numbers; /* series; else text */
    char *column[COLS];
    char separator[8]; /* of several labels */
    /* of a table */
    bool no_header, decimal_comma;
    /* text */
    text_unit unit;
    bool spell; /* rare words are spelled */
    line_options line;
    int64_t max_length;
    vocab *v;
    /* numbers */
    preparation prepare;
    char *pattern; /* what the names of sounds say */
    bool scaled;   /* by mean and scale of each feature in the training part */
    int64_t features, inputs;
    char **feature; /* [features] columns of the table, or NULL */
    double *mean, *scale;
    bool *flag;     /* [features] one more input says where it is missing */
    int32_t *order; /* [length] permuted steps, or NULL */
    int64_t length;
    /* answers */
    int32_t classes;
    char **class;  /* [classes] sorted names */
    double *prior; /* [classes] how often each is right in training */
    bool every, remaining;
    double cap;             /* of what remains; infinity: none */
    double y_mean, y_scale; /* the network answers (number - y_mean) / y_scale */
} reading;
extern const char *const reading_columns[COLS];
laco_status reading_options(reading *f, const options *o, laco_error *err);
void reading_free(reading *f);
/* From the training part; afterwards reading_apply works on any examples. */
laco_status reading_learn(reading *f, const examples *e, const options *o, const task_job *j, laco_error *err);
laco_status reading_apply(const reading *f, examples *e, const task_job *j, laco_error *err);
laco_status reading_save(const reading *f, laco_model *m, laco_error *err); /* metadata front, classes, vocabulary */
laco_status reading_load(reading *f, const laco_model *m, const char *path, laco_error *err);
int32_t reading_class(const reading *f, const char *name); /* -1: unknown */
int64_t reading_outputs(const reading *f);

/* ---- reading ---- */
void examples_free(examples *e);
laco_status examples_new(examples *e, laco_error *err);
void examples_clear(examples *e); /* of a chunk, before the next */
/* All of --data, --valid or --test: a file, or one for each class ("pos=a.txt,neg=b.txt"). labels: a file with an
   answer for each, or NULL. The features of a table are set in f by the first file that is read. */
laco_status examples_read(examples *e, reading *f, int which, const char *labels, int part, task_job *j,
                          laco_error *err);
/* The series of --data, to be answered, in parts of about `most`: take finds the examples of a part in e. A table of
   series without --sorted, and what is scaled over its groups, come as one part. */
typedef laco_status examples_take(void *ctx, laco_error *err);
laco_status examples_each(examples *e, reading *f, int64_t most, examples_take *take, void *ctx, task_job *j,
                          laco_error *err);
/* The records of a table whose columns were found in it. */
typedef struct text_columns {
    int column[COLS]; /* -1: there is none */
} text_columns;
/* The text alone, which may be the only column whatever its name. */
laco_status examples_text_column(text_columns *c, const reading *f, const table *t, laco_error *err);
laco_status examples_add_table(examples *e, const reading *f, const text_columns *c, const table *t, int part,
                               laco_error *err);
/* By the options of the job, and what the model was trained with. */
laco_status reading_tables(table_input *in, const reading *f, task_job *j, laco_error *err);

/* ---- parts and classes ---- */
/* --folds, --group and --split; then the classes of the training part, and which are right. */
laco_status examples_split(examples *e, reading *f, task_job *j, laco_error *err);
/* right and labels against the classes of the model; *unseen: examples whose label is none of them. */
laco_status examples_classes(examples *e, const reading *f, int64_t *unseen, laco_error *err);
/* [count][classes] 1 or 0, -1 where not known, of several labels. */
laco_status examples_labels(float **out, const examples *e, const reading *f, laco_error *err);

/* ---- the network over examples ---- */
typedef struct runner {
    net *n;
    int64_t batch, steps, ldx, reserved;
    float *x;
    int32_t *ids;
    int64_t *active, *off;
} runner;
/* batch sequences at once, in windows of `steps`; a network that reads backwards takes sequences whole. */
bool runner_backwards(const net *n); /* a layer reads from the end */
void runner_init(runner *r, net *n, int64_t batch, int64_t steps);
void runner_free(runner *r);
/* y [outputs]: what the network says about an example (its number) after a step, counted from 0. */
typedef void runner_take(void *ctx, int64_t number, int64_t step, const float *y);
/* Of the examples of a part (-1: of all) after every step or after the last one alone. Loads the weights first. */
laco_status runner_run(runner *r, const examples *e, int part, bool every, const volatile int *stop, runner_take *take,
                       void *ctx, laco_error *err);
/* Answers: probabilities of classes or labels, or the number itself. */
void reading_answer(const reading *f, const float *y, double *p);
/* Answers of all examples of some parts. */
typedef struct verdicts {
    int64_t width; /* numbers of an answer */
    bool every;    /* p is [positions][width], else [count][width] */
    double *p;
} verdicts;
laco_status verdicts_new(verdicts *v, const examples *e, const reading *f, bool every, laco_error *err);
laco_status verdicts_run(verdicts *v, runner *r, const examples *e, const reading *f, int part,
                         const volatile int *stop, laco_error *err);

/* ---- naive Bayes beside the network ---- log p = a log p of the network + b log p of naive Bayes, normalised; a and b
   are those of the least loss on the validation part */
typedef struct mixture {
    bayes *b;
    double network, bayes; /* a and b */
    bool on;
} mixture;
/* Counts the training part, or with valid the validation part too: so it does best where nothing is left to decide. */
laco_status mixture_count(mixture *m, const examples *e, const reading *f, bool valid, laco_error *err);
laco_status bayes_verdicts(verdicts *v, bayes *b, const examples *e, int part, laco_error *err);
/* The weights, from the validation part. */
laco_status mixture_learn(mixture *m, const examples *e, const verdicts *network, const verdicts *counted,
                          laco_error *err);
/* The answers of the network to `count` examples become those of both. */
void mixture_apply(const mixture *m, verdicts *network, const verdicts *counted, int64_t count);
laco_status mixture_save(const mixture *m, laco_model *to, laco_error *err);
laco_status mixture_load(mixture *m, const reading *f, const laco_model *from,
                         laco_error *err); /* off where it has none */

/* ---- figures ---- */
enum { FIGURE_ROWS = 6 };
typedef struct figure_row {
    const char *key, *title; /* in JSON, in a table; key NULL: the end */
    bool higher;             /* is better */
    bool share;              /* shown in per cent */
} figure_row;
typedef struct figures {
    int64_t n;
    double loss;
    double value[FIGURE_ROWS]; /* by figure_rows */
} figures;
const figure_row *figure_rows(const reading *f);
/* Of a part; confusion [classes][classes] or NULL. */
laco_status figures_of(figures *out, int64_t *confusion, const verdicts *v, const examples *e, const reading *f,
                       int part, laco_error *err);
void figures_say(const reading *f, const figures *s, char *to, size_t n);
void figures_json(json_out *o, const reading *f, const figures *s); /* members */
/* What stands beside a network, and the network: rows of a table. */
enum { MODELS = 8 };
typedef struct model_row {
    const char *name;
    bool hard; /* it says a class and no probability */
    figures of[PARTS];
} model_row;
typedef struct report {
    model_row row[MODELS];
    int rows;
    int64_t *confusion; /* [classes][classes] of the last part there is, or NULL */
} report;
laco_status report_add(report *r, const char *name, bool hard, const verdicts *v, const examples *e, const reading *f,
                       laco_error *err);
/* counted: what naive Bayes says, or NULL. trained: the examples hold the training part, to learn baselines from. */
laco_status report_baselines(report *r, const examples *e, const reading *f, const bayes *b, const verdicts *counted,
                             bool trained, const task_job *j, laco_error *err);
void report_note(const report *r, const reading *f, const task_job *j); /* as remarks */
void report_out(const report *r, const reading *f, const task_job *j);  /* as the output */
void report_json(const report *r, const reading *f, json_out *o);       /* members valid, test, baselines, confusion */
void report_free(report *r);
#endif
