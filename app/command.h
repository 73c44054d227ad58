/* What the files of the command share. The command sees laco.h and these headers, nothing of the inside. */
#ifndef COMMAND_H
#define COMMAND_H
#include "laco.h"
#include <stdbool.h>
#include <stdio.h>

/* Exit codes: the work is done; the work failed; the call was wrong. */
enum { EXIT_DONE = 0, EXIT_WORK = 1, EXIT_CALL = 2 };

/* A subcommand of the program itself. All others are jobs of the library: laco_names("command") lists them. */
typedef struct subcommand {
    const char *name, *arguments, *summary;
    int (*run)(int argc, char **argv);   /* argv: what follows the name; returns the exit code */
} subcommand;
extern const subcommand subcommands[];   /* ends with a row whose name is NULL */

/* ---- args.c ---- */
typedef enum { ARGS_OK, ARGS_HELP, ARGS_VERSION, ARGS_WRONG } args_result;
typedef struct args_general {   /* options that the command heeds itself, besides the job */
    bool json, quiet;
} args_general;
/* Sets every argument on the job. After ARGS_WRONG the mistake has been printed. */
args_result args_apply(laco_job *job, const char *command, int argc, char **argv, args_general *general);
bool args_fits(const laco_option *row, const char *command);   /* does the command take this option? */
const char *args_position(const laco_option *row);              /* "MODEL" when given by position, else NULL */
bool first_word_is(const char *words, const char *word);       /* "train lm", "train": true */
/* The candidate whose first word is nearest to word; `best` is NULL as long as none is nearer than `distance`. */
typedef struct nearest {
    const char *word, *best;
    int distance;
} nearest;
nearest nearest_to(const char *word);
void nearest_try(nearest *n, const char *candidate);

/* ---- help.c ---- */
int help_run(int argc, char **argv);
int version_run(int argc, char **argv);
void help_overview(FILE *to);
bool help_subcommand(const char *name);  /* of the table above; false when it is not there */
int help_command(const char *command);   /* "train lm", or "train" when several names begin so */

/* ---- manual.c ---- */
void manual_print(FILE *to);             /* the roff page, from the same rows as the help */

/* ---- rows.c: the option rows as text, for help and manual ---- */
typedef void row_visit(FILE *to, const laco_option *row, const char *section);   /* section: NULL when as before */
void rows_walk(FILE *to, const char *command, row_visit *visit);
void row_label(const laco_option *row, char *label, size_t size);   /* "--batch N" */
void row_facts(const laco_option *row, char *facts, size_t size);   /* "Default 32 rows; 1 to 65536." */
void rows_synopsis(const char *command, char *line, size_t size);   /* "laco sample MODEL [options]" */
typedef struct example {
    const char *command, *line;
} example;
extern const example examples[];                                    /* ends with a row whose command is NULL */

/* ---- progress.c: a watch that shows how far the work is, on stderr ---- */
typedef struct progress {
    bool quiet, terminal, drawn, hold;   /* hold: results are on the same terminal, draw nothing over them */
    double next, pause;                  /* piped: when the next line is due, seconds between lines */
} progress;
void progress_begin(progress *p, bool quiet);
void progress_show(progress *p, const laco_progress *now);
void progress_note(progress *p, const char *line);
void progress_clear(progress *p);

/* ---- run.c ---- */
int run_command(const char *command, int argc, char **argv);   /* a job, from its arguments to the exit code */
/* Runs with SIGINT and SIGTERM stopping the job; a second signal kills. */
laco_status run_stoppable(laco_job *job, const laco_watch *watch, laco_error *err);
bool was_stopped(void);                                        /* did a signal stop a job? */
int complain(laco_status status, const laco_error *err);       /* "laco: sentence"; returns the exit code */
int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));   /* the same for a wrong call */
int failed(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* the same for work that failed */
int finish_output(int code);                                   /* flushes stdout; an error there turns 0 into 1 */

/* ---- demo.c ---- */
int demo_run(int argc, char **argv);
#endif
