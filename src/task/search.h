/* laco search: trials over a space (src/task/space.h), the best by validation.

   All combinations, or --trials drawn at random (Bergstra & Bengio 2012); with --rungs successive halving (Jamieson &
   Talwalkar 2016): rung k trains the best n / eta^k trials for epochs / eta^(rungs-1-k) epochs; they go on from their
   checkpoints.

   The folder of --out:

     search.json      what is searched; another search is refused
     results.jsonl    a line per trial and rung, appended when it is over
     trial-0001/      locked by the process that is at it; removed afterwards
     best.safetensors the model of the best trial of the last rung

   Any number of processes may work on one folder: each takes trials that are neither in the results nor locked. */
#ifndef SEARCH_H
#define SEARCH_H
#include "task/space.h"
#include "task/task.h"

enum { SEARCH_RUNGS = 16, SEARCH_TRIALS = 10000 };
typedef struct search_rung {
    int64_t trials, epochs;
} search_rung;
/* Of successive halving; each rung has at least one trial and one epoch. */
void search_plan(search_rung *rung, int rungs, int64_t trials, int64_t epochs, double eta);

/* What one trial gave in one rung. */
typedef struct search_figure {
    double mean, deviation; /* NaN: there is none */
} search_figure;
typedef struct search_result {
    bool done, failed, told;
    double score, seconds; /* score: NaN when it failed */
    search_figure valid, test;
} search_result;

typedef struct search_place {
    int64_t trial;
    double score;
} search_place;

typedef task_fn *search_command(const char *name); /* the function of a training command, or NULL */
typedef struct search {
    task_job *j;
    const options *o;
    task_fn *run;
    space s;
    bool grid;
    int64_t trials;
    int rungs;
    search_rung rung[SEARCH_RUNGS];
    uint64_t seed;
    char *folder, *results;
    size_t read;           /* bytes of the results that have been read */
    search_result *result; /* [rungs][trials] */
    search_place *member;  /* [trials] of a rung, the best of the rung before first */
    char *figure;          /* the name of what valid and test hold, such as "nats"; NULL: not known yet */
} search;
search_result *search_at(const search *q, int rung, int64_t trial);
/* Trials of a rung in q->member; returns how many. Failed ones do not go on. */
int64_t search_members(const search *q, int rung);
laco_status search_run(task_job *j, search_command *command, laco_error *err);

/* ---- src/task/search_results.c ---- */
/* Reads what was appended since. */
laco_status search_read(search *q, laco_error *err);
laco_status search_append(const search *q, int rung, int64_t trial, const search_result *r, const buf *figures,
                          const char *failure, laco_error *err);
/* The values of a trial, of the rows that vary: "lr 0.01, hidden 64". */
void search_words(const search *q, int64_t trial, buf *to);
void search_tell_new(search *q); /* a line for each result that was not told yet */
void search_table(const search *q);
void search_json(const search *q, buf *to);
/* The trial with the smallest score of the last rung; -1: none yet. */
int64_t search_best(const search *q);
bool search_would_lead(const search *q, int64_t trial, const search_result *r); /* before its line is there */
#endif
