/* Progress on stderr: one line that refreshes itself on a terminal; elsewhere a plain line after 2 seconds, and then
   after longer and longer pauses, at most 10 seconds. Writing may fail (the terminal is gone): work goes on. */
#include "command.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_PAUSE = 2, LONGEST_PAUSE = 10, LINE_BYTES = 256 };

void progress_begin(progress *p, bool quiet)
{
    const char *term = getenv("TERM");
    *p = (progress){ .quiet = quiet, .pause = FIRST_PAUSE };
    p->terminal = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

/* 75 s as 1:15, 3675 s as 1:01:15 */
static void time_text(char *to, size_t size, double seconds)
{
    long s = seconds < 1e9 ? (long)(seconds + 0.5) : 1000000000L;
    if (s < 3600)
        snprintf(to, size, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(to, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

__attribute__((format(printf, 2, 3))) static void append(char *line, const char *format, ...)
{
    size_t n = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + n, LINE_BYTES - n, format, arguments);
    va_end(arguments);
}

/* Columns of one width, less than 80 of them in all, so that numbers stand still while they change. */
static void compose(char line[LINE_BYTES], const laco_progress *now)
{
    char left[32];
    snprintf(line, LINE_BYTES, "%-7s", now->phase ? now->phase : "");
    if (now->total > 0)
        append(line, " %3.0f %%", 100.0 * (double)now->done / (double)now->total);
    else if (now->epoch > 0)
        append(line, " epoch %6.2f", now->epoch);
    else if (now->done > 0)
        append(line, " step %7lld", (long long)now->done);
    if (isfinite(now->loss)) append(line, "  loss %6.4f", now->loss);
    if (isfinite(now->valid_loss)) append(line, "  valid %6.4f", now->valid_loss);
    if (now->left >= 0 && isfinite(now->left)) {
        time_text(left, sizeof left, now->left);
        append(line, " %7s left", left);
    }
    if (now->rate >= 10000)
        append(line, "  %4.0f k tokens/s", now->rate / 1000);
    else if (now->rate > 0)
        append(line, "  %6.0f tokens/s", now->rate);
}

void progress_clear(progress *p)
{
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = false;
}

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool line_is_due(progress *p)
{
    double now = seconds_now();
    if (p->next == 0) p->next = now + p->pause;
    if (now < p->next) return false;
    if (p->pause < LONGEST_PAUSE) p->pause += FIRST_PAUSE;
    p->next = now + p->pause;
    return true;
}

void progress_show(progress *p, const laco_progress *now)
{
    char line[LINE_BYTES];
    if (p->quiet || p->hold) return;
    if (!p->terminal && !line_is_due(p)) return;
    compose(line, now);
    if (p->terminal) {
        fprintf(stderr, "\r%.*s\033[K", terminal_width() - 1, line);
        p->drawn = true;
    } else {
        fprintf(stderr, "%s\n", line);
    }
    fflush(stderr);
}

void progress_note(progress *p, const char *line)
{
    if (p->quiet) return;
    progress_clear(p);
    fprintf(stderr, "%s\n", line);
}
