/* laco train tag and what uses its models: a class for every step of a sequence, read both ways (many-to-many in step).
   Steps are words of sentences in columns (data/conll.h), rows of numbers (a table with --id, a set of series), or frames
   of sounds.

   tag_front.c    what a model keeps to read new data: columns, words, characters, features, tags and their scheme
   tag_read.c     sentences, or series, as symbols or numbers of a network
   tag_run.c      the network over them: the best path or the most probable classes, probabilities
   tag_base.c     the baseline: most frequent tags, by endings where a word is not known
   tag_report.c   figures beside the baseline
   tag_train.c    training        tag_use.c   predict, eval */
#ifndef TAG_H
#define TAG_H
#include "data/conll.h"
#include "data/intern.h"
#include "data/prepare.h"
#include "data/readers.h"
#include "format/model.h"
#include "layer/lexicon.h"
#include "task/tag_scheme.h"
#include "task/tag_score.h"
#include "task/table_options.h"
#include "train/trainer.h"

/* ---- data ---- */
typedef struct tag_data {
    char *file;
    int64_t sentences, words;
    int64_t *start; /* [sentences + 1] words */
    int64_t *line;  /* [sentences] of the file */
    int32_t *type;  /* [words] text: which of the types */
    float *x;       /* [words][inputs] numbers, as the network reads them */
    int32_t *tag;   /* [words] as it is written, of the front's tags; -1: not known */
    int32_t *class; /* [words] of the network; -1: not known */
    int64_t room, sentence_room;
} tag_data;
void tag_data_free(tag_data *d);

/* ---- the front ---- */
typedef struct tag_feature {
    intern *value; /* 0: one that was not seen in training */
} tag_feature;
typedef struct tag_front {
    bool numbers; /* steps are rows of numbers; else words */
    /* text */
    char *words_column, *tags_column, *features_column; /* as given, or NULL */
    bool lower, shape;                                  /* how words are looked up; capitals as a feature */
    intern *word;                                       /* 0: <unk> */
    uint32_t *letter; /* [letters] rising; letter i has the number i + 1, 0: one that was not seen */
    int64_t letters;
    int features; /* columns, the shape of a word among them, the last */
    tag_feature feature[MOST_FEATURES];
    /* numbers */
    int64_t inputs;
    char **input; /* [inputs] names */
    char *id_column;
    double *mean, *deviation;
    preparation prepare; /* of sets of series and sounds */
    char *rest;          /* of sounds: the class of steps that no stretch of --labels holds */
    /* tags */
    intern *tag; /* as they are written */
    tag_scheme scheme;
    intern *class; /* of the network: tags, or with a scheme those of iobes */
} tag_front;
laco_status tag_front_new(tag_front *f, laco_error *err);
void tag_front_free(tag_front *f);
laco_status tag_front_save(const tag_front *f, laco_model *m, laco_error *err); /* metadata */
laco_status tag_front_load(tag_front *f, const laco_model *m, const char *path, laco_error *err);
/* What a word is looked up as. */
laco_status tag_word_key(const tag_front *f, const char *word, size_t n, buf *to, laco_error *err);
const char *tag_shape(const char *word, size_t n); /* capitals and digits in a word: "lower", "Title", … */
/* Sets class from tag, all of a data set: iobes of the spans, or the tags themselves. */
laco_status tag_classes(const tag_front *f, tag_data *d, bool add, laco_error *err);
/* What classes of a sentence are called in the scheme of the file: out[n], texts of the front. */
laco_status tag_names(tag_front *f, const int32_t *class, int64_t n, const char **out, laco_error *err);
/* Tags that classes stand for, each once in `to`, and which one class k is: of[k]. B-T and S-T of iobes are one in iob2;
   all of T in iob, where B depends on the span in front. */
laco_status tag_of_classes(const tag_front *f, intern *to, int32_t *of, laco_error *err);

/* ---- types ---- different words with their features, of one or of several data sets */
typedef struct tag_types {
    intern *key;             /* word, tab, value of each feature column */
    int64_t *count, counted; /* [counted] times that a type is in the training data; later types are not */
    lexicon lex;             /* its arrays are owned here */
    int32_t *word, *chars, *feature;
    int64_t *first, built, chars_room, chars_used;
    float *forget;
} tag_types;
laco_status tag_types_new(tag_types *t, laco_error *err);
void tag_types_free(tag_types *t);
laco_status tag_types_count(tag_types *t, const tag_data *train, laco_error *err); /* how often each is there */
/* The lexicon of the types that were added since the last time. forget: R of R / (R + n), how often a word that is n
   times in the training data is taken for unknown. */
laco_status tag_types_build(tag_types *t, const tag_front *f, double forget, laco_error *err);

/* ---- reading ---- */
typedef struct tag_source {
    task_job *j;
    table_input *in;     /* options of tables, and where bad records go */
    bool text, untagged; /* sentences in plain lines; there need be no tags */
} tag_source;
conll_options tag_conll(const tag_front *f, const tag_source *s);
/* --data, --valid or --test; nothing where it is not given. learn: the columns of numbers and their scale are those of
   these, the training data. *unseen counts the tags that are new. */
laco_status tag_data_read(tag_data *d, tag_front *f, tag_types *t, int which, const tag_source *s, bool learn,
                          int64_t *unseen, laco_error *err);
/* A table of series, or a part of one. ids: the names of the series before, and afterwards of these too. */
laco_status tag_add_table(tag_data *d, tag_front *f, const table *t, intern *ids, const tag_source *s, bool learn,
                          int64_t *unseen, laco_error *err);
/* A set of series, or a part of one, more: prepared as the front says; with `learn` the front is learned from it. */
laco_status tag_add_series(tag_data *d, tag_front *f, series_set *s, bool learn, int64_t *unseen, laco_error *err);
/* How the front reads a set; labels: a file of classes, or NULL. */
series_options tag_series_options(tag_front *f, const char *labels);
bool tag_is_table(const char *path); /* by its name: a table of numbers, not columns of words */
/* One sentence more. */
laco_status tag_add_sentence(tag_data *d, tag_front *f, tag_types *t, const conll_sentence *s, int64_t *unseen,
                             laco_error *err);
/* Every K-th sequence from number `at` on, or with folds 0 all from there on, go from d to the empty `other`. */
laco_status tag_data_split(tag_data *d, tag_data *other, int64_t folds, int64_t at, int64_t inputs, laco_error *err);
void tag_data_clear(tag_data *d); /* keeps the memory */

/* The words, letters and values of features of the training data, with words seen less often than min_count left out.
 */
laco_status tag_front_learn(tag_front *f, const tag_types *t, int64_t min_count, laco_error *err);

/* ---- running ---- */
typedef struct tag_base tag_base;
typedef struct tag_runner {
    net *n;
    const lexicon *lex;
    int64_t batch, most_rows; /* sentences at once, and words */
    int64_t *active, *off, *order, steps_room, batch_room;
    int32_t *ids, *right, *path;
    float *x;
    double *p;
    int64_t rows_room, ldx;
} tag_runner;
void tag_runner_init(tag_runner *r, net *n, const lexicon *lex, int64_t batch);
void tag_runner_free(tag_runner *r);
/* said [words] the classes; p [words][classes] probabilities, or NULL. loss: the sum of -log p of what is known, or
   NULL. Loads the weights. */
laco_status tag_run(tag_runner *r, const tag_data *d, int32_t *said, double *p, double *loss, const volatile int *stop,
                    laco_error *err);
/* Counts what was said of a data set: classes of the network. b tells which words are unknown. */
laco_status tag_judge(tag_counts *c, tag_front *f, const tag_base *b, const tag_types *t, const tag_data *d,
                      const int32_t *said, laco_error *err);

/* ---- baseline ---- */
laco_status tag_base_new(tag_base **out, const tag_front *f, const tag_types *t, const tag_data *train,
                         laco_error *err);
/* [types] the tag that it gives, and whether it knows the word; NULL: numbers, where it always says the same tag. */
int32_t tag_base_of(const tag_base *b, const tag_types *t, int32_t type, bool *unknown);
void tag_base_free(tag_base *b);
laco_status tag_base_judge(tag_counts *c, const tag_base *b, const tag_front *f, const tag_types *t, const tag_data *d,
                           laco_error *err);
laco_status tag_base_save(const tag_base *b, laco_model *m, laco_error *err);
laco_status tag_base_load(tag_base **out, const laco_model *m, laco_error *err);

/* ---- report ---- */
void tag_note_table(const task_job *j, const char *const *name, const tag_counts *const *count, int n);
void tag_note_types(const task_job *j, const tag_counts *c);
#endif
