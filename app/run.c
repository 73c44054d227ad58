/* Runs a job of the library: arguments in, results to stdout, progress and errors to stderr, an exit code out. */
#include "command.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- sentences to stderr ---- */

/* Names of files come from anywhere: what would control the terminal is shown as '?'. */
static void print_sentence(const char *sentence)
{
    char line[sizeof((laco_error *)0)->msg + 16];
    snprintf(line, sizeof line, "laco: %s", sentence);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    fprintf(stderr, "%s\n", line);
}

int complain(laco_status status, const laco_error *err)
{
    print_sentence(err->msg);
    return status == LACO_EINVAL ? EXIT_CALL : EXIT_WORK;
}

static int complain_format(int code, const char *format, va_list arguments)
{
    char sentence[sizeof((laco_error *)0)->msg];
    vsnprintf(sentence, sizeof sentence, format, arguments);
    print_sentence(sentence);
    return code;
}

int wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int code = complain_format(EXIT_CALL, format, arguments);
    va_end(arguments);
    return code;
}

int failed(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int code = complain_format(EXIT_WORK, format, arguments);
    va_end(arguments);
    return code;
}

/* A reader that has seen enough (`| head`) is no news; a full disk is. */
static int complain_output(int error)
{
    if (error == EPIPE) return EXIT_WORK;
    return failed("standard output cannot be written: %s", strerror(error));
}

int finish_output(int code)
{
    errno = 0;
    bool bad = ferror(stdout) != 0;
    if (fflush(stdout) == 0 && !bad) return code;
    if (code != EXIT_DONE) return code; /* the reason has been told */
    return complain_output(errno ? errno : EIO);
}

/* ---- signals ---- a handler has no other way to its job than these two */
static laco_job *volatile running;

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    if (!stopped) {
        stopped = 1;
        if (running) laco_job_stop(running);
        return;
    }
    signal(number, SIG_DFL);
    raise(number);
}

laco_status run_stoppable(laco_job *job, const laco_watch *watch, laco_error *err)
{
    static const int numbers[] = { SIGINT, SIGTERM };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, before[2];
    running = job;
    for (int i = 0; i < 2; i++) {
        sigaction(numbers[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL); /* nohup, & in a script */
    }
    laco_status status = laco_job_run(job, watch, err);
    for (int i = 0; i < 2; i++) sigaction(numbers[i], &before[i], NULL);
    running = NULL;
    return status;
}

bool was_stopped(void) { return stopped != 0; }

/* ---- a job ---- */
typedef struct run {
    laco_job *job;
    progress progress;
    int output_error; /* errno of the first write to stdout that failed */
    bool wrote, same_terminal;
    char last; /* byte written */
} run;

static void on_progress(void *ctx, const laco_progress *now) { progress_show(&((run *)ctx)->progress, now); }

static void on_note(void *ctx, const char *line) { progress_note(&((run *)ctx)->progress, line); }

static void on_output(void *ctx, const char *bytes, size_t n)
{
    run *r = ctx;
    if (n == 0 || r->output_error) return;
    if (r->same_terminal) {
        progress_clear(&r->progress);
        r->progress.hold = true;
    }
    r->wrote = true;
    r->last = bytes[n - 1];
    if (fwrite(bytes, 1, n, stdout) == n && (!r->same_terminal || fflush(stdout) == 0)) return;
    r->output_error = errno ? errno : EIO;
    laco_job_stop(r->job); /* nobody can read the rest */
}

static int run_to_end(run *r, const args_general *general, bool live)
{
    laco_error err;
    laco_watch watch = { sizeof watch, r, on_progress, on_note, on_output };
    progress_begin(&r->progress, general->quiet);
    if (live) setvbuf(stdout, NULL, _IONBF, 0);
    r->same_terminal = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
    laco_status status = run_stoppable(r->job, &watch, &err);
    progress_clear(&r->progress);
    if (r->output_error) return complain_output(r->output_error);
    if (status != LACO_OK) {
        fflush(stdout);
        return complain(status, &err);
    }
    const char *figures = laco_job_result(r->job);
    if (general->json && !r->wrote && strcmp(figures, "{}")) printf("%s\n", figures); /* {}: there are none */
    if (r->wrote && r->last != '\n' && r->same_terminal) putchar('\n'); /* the prompt goes on a line of its own */
    return EXIT_DONE;
}

/* Whoever reads the output waits for it: every block goes out as it is made. */
static bool is_live(const char *command)
{
    return !strcmp(command, "stream") || !strcmp(command, "predict") || !strcmp(command, "anomaly");
}

int run_command(const char *command, int argc, char **argv)
{
    laco_error err;
    run r = { 0 };
    args_general general = { 0 };
    laco_status status = laco_job_new(&r.job, command, &err);
    if (status != LACO_OK) return complain(status, &err);
    int code = EXIT_CALL;
    switch (args_apply(r.job, command, argc, argv, &general)) {
    case ARGS_OK:
        if (!strcmp(command, "explain") && isatty(STDOUT_FILENO) && !getenv("NO_COLOR"))
            laco_job_set(r.job, "color", NULL, NULL);
        code = run_to_end(&r, &general, is_live(command));
        break;
    case ARGS_HELP:
        code = help_command(command);
        break;
    case ARGS_VERSION:
        code = version_run(0, NULL);
        break;
    case ARGS_WRONG:
        break;
    }
    laco_job_free(r.job);
    return code;
}
