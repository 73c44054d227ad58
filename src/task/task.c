#include "task/task.h"
#include "base/hash.h"
#include <stdio.h>
#include <sys/stat.h>

#define SEEN(j, member)                                                                                                \
    ((j)->watch && (j)->watch->size >= offsetof(laco_watch, member) + sizeof(j)->watch->member && (j)->watch->member)

void task_note(const task_job *j, const char *format, ...)
{
    if (!SEEN(j, note)) return;
    char line[1024];
    va_list a;
    va_start(a, format);
    vsnprintf(line, sizeof line, format, a);
    va_end(a);
    j->watch->note(j->watch->ctx, line);
}
void task_out(const task_job *j, const char *bytes, size_t n)
{
    if (SEEN(j, out) && n) j->watch->out(j->watch->ctx, bytes, n);
}
void task_out_buf(const task_job *j, buf *b)
{
    task_out(j, b->data, b->len);
    b->len = 0;
}
bool task_wants_progress(task_job *j)
{
    double now = clock_seconds();
    if (!SEEN(j, progress) || now - j->shown < 0.1) return false;
    j->shown = now;
    return true;
}
void task_progress(task_job *j, const laco_progress *p)
{
    if (SEEN(j, progress)) j->watch->progress(j->watch->ctx, p);
}

static const char *const text_names[TEXTS] = { "data", "valid", "test" };

laco_status task_read(task_job *j, int which, char **bytes, size_t *n, const char **name, laco_error *err)
{
    laco_status st = LACO_OK;
    *bytes = NULL, *n = 0, *name = options_text(j->o, text_names[which]);
    if (j->text[which]) {
        *name = text_names[which], *n = j->length[which];
        if (!(*bytes = mem_text(j->text[which], *n))) st = fail_memory(err, *n);
    } else if (*name)
        st = file_read(*name, (size_t)1 << 40, bytes, n, err);
    if (!st && *bytes) j->data_hash = hash_bytes(j->data_hash, *bytes, *n);
    return st;
}

/* The name of the file that an option reads; NULL: none. */
static const char *file_read_by(const task_job *j, const char *option)
{
    for (int i = 0; i < TEXTS; i++)
        if (j->text[i] && !strcmp(option, text_names[i])) return NULL;
    return options_type(j->o, option) ? options_text(j->o, option) : NULL;
}
laco_status task_refuse_overwriting(const task_job *j, const char *option, laco_error *err)
{
    static const char *const readers[] = { "data",         "valid",       "test",  "model-file", "vectors", "labels",
                                           "valid-labels", "test-labels", "prime", "clean",      "against" };
    static const char *const writers[] = { "out", "log", "skip-bad", "svg", "forecasts", "html" };
    const char *to = options_text(j->o, option);
    struct stat written, there;
    for (size_t i = 0; to && i < sizeof writers / sizeof *writers; i++) {
        const char *other = options_type(j->o, writers[i]) ? options_text(j->o, writers[i]) : NULL;
        if (other && strcmp(option, writers[i]) && !strcmp(other, to) && strcmp(to, "-"))
            return fail(err, LACO_EINVAL, -1, "--%s and --%s would both write %s; give one of them another name", writers[i],
                        option, to);
    }
    if (!to || stat(to, &written) || !S_ISREG(written.st_mode)) return LACO_OK;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        const char *from = file_read_by(j, readers[i]);
        if (!from || stat(from, &there) || there.st_dev != written.st_dev || there.st_ino != written.st_ino) continue;
        bool model = !strcmp(readers[i], "model-file");
        return fail(err, LACO_EINVAL, -1, "%s%s and --%s are the same file, %s; give --%s another name",
                    model ? "" : "--", model ? "the model" : readers[i], option, to, option);
    }
    return LACO_OK;
}

const char *task_count(int64_t n, char to[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n), o = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0 && digits[i - 1] != '-') to[o++] = ',';
        to[o++] = digits[i];
    }
    to[o] = 0;
    return to;
}
