#include "demo_kit.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void demo_gather(void *ctx, const char *bytes, size_t n)
{
    demo_text *g = ctx;
    char *larger = g->no_memory ? NULL : realloc(g->text, g->n + n + 1);
    if (!larger) {
        g->no_memory = true;
        return;
    }
    g->text = larger;
    memcpy(g->text + g->n, bytes, n);
    g->n += n;
    g->text[g->n] = 0;
}
void demo_drop(void *ctx, const char *line) { (void)ctx, (void)line; }

double demo_number(const char *json, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = json ? strstr(json, quoted) : NULL;
    if (!at) return 0;
    at += strlen(quoted);
    at += strspn(at, " \t\r\n:");
    return strtod(at, NULL);
}
int demo_apply(laco_job *job, const setting *settings)
{
    laco_error err;
    for (; settings->name; settings++) {
        laco_status status = laco_job_set(job, settings->name, settings->value, &err);
        if (status != LACO_OK) return complain(status, &err);
    }
    return EXIT_DONE;
}
int demo_job(const char *command, const setting *settings, char **written, char **result)
{
    demo_text g = { 0 };
    laco_error err;
    laco_job *job;
    laco_watch watch = { .size = sizeof watch, .ctx = &g, .note = demo_drop, .out = demo_gather };
    laco_status status = laco_job_new(&job, command, &err);
    if (status != LACO_OK) return complain(status, &err);
    int code = demo_apply(job, settings);
    demo_gather(&g, "", 0); /* a text even when nothing is written */
    if (code == EXIT_DONE) {
        status = run_stoppable(job, &watch, &err);
        if (status != LACO_OK) code = complain(status, &err);
        if (status == LACO_OK && was_stopped()) code = failed("the demonstration was stopped");
        if (code == EXIT_DONE && result && !(*result = strdup(laco_job_result(job)))) code = failed("no memory for the figures");
        if (code == EXIT_DONE && g.no_memory) code = failed("no memory for what the network writes");
    }
    laco_job_free(job);
    if (code == EXIT_DONE && written)
        *written = g.text;
    else
        free(g.text);
    return code;
}

int demo_make_folder(char folder[DEMO_PATH])
{
    const char *where = getenv("TMPDIR");
    int n = snprintf(folder, DEMO_PATH, "%s/laco-demo-XXXXXX", where && *where ? where : "/tmp");
    if (n >= DEMO_PATH) return failed("TMPDIR is too long a path");
    if (!mkdtemp(folder)) return failed("no folder can be made in %s; set TMPDIR", where && *where ? where : "/tmp");
    return EXIT_DONE;
}
void demo_remove_folder(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        char path[DEMO_PATH + sizeof entry->d_name + 1];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) unlink(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}
