/* What the demonstrations share: jobs with their settings, what they write, and a temporary folder. */
#ifndef DEMO_KIT_H
#define DEMO_KIT_H
#include "command.h"

enum { DEMO_PATH = 256 };
typedef struct setting {
    const char *name, *value; /* a list ends with a NULL name */
} setting;
typedef struct demo_text { /* what a job writes */
    char *text;
    size_t n;
    bool no_memory;
} demo_text;
int demo_apply(laco_job *job, const setting *settings);
void demo_gather(void *ctx, const char *bytes, size_t n); /* ctx: a demo_text */
void demo_drop(void *ctx, const char *line);
double demo_number(const char *json, const char *key); /* behind "key":; 0 when it is not there */
/* Runs a command to its end. written: what it writes, freed by the caller; result: its figures as JSON, freed too; NULL:
   not wanted. */
int demo_job(const char *command, const setting *settings, char **written, char **result);
int demo_make_folder(char folder[DEMO_PATH]);
void demo_remove_folder(const char *folder);

int demo_esn(void); /* demo_esn.c */
#endif
