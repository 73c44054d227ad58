#include "task/table_options.h"
#include <stdio.h>

/* A record that is left out, as it stands. */
static void keep_bad(void *ctx, const char *record, size_t n, int64_t line, const char *why)
{
    table_input *in = ctx;
    if (!in->skipped++) in->first = line, snprintf(in->why, sizeof in->why, "%s", why);
    if (in->status || !in->log) return;
    in->status = file_log_bytes(in->log, record, n, &in->err);
    if (!in->status) in->status = file_log_bytes(in->log, "\n", 1, &in->err);
}

/* One byte, or its name. */
static laco_status read_delimiter(char *out, const char *text, laco_error *err)
{
    static const struct {
        const char *name;
        char byte;
    } names[] = { { "tab", '\t' },  { "\\t", '\t' },  { "blank", ' ' },
                  { "space", ' ' }, { "comma", ',' }, { "semicolon", ';' } };
    *out = 0;
    if (!text) return LACO_OK;
    if (strlen(text) == 1) *out = *text;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i].name)) *out = names[i].byte;
    bool letter = (*out >= '0' && *out <= '9') || (*out >= 'a' && *out <= 'z') || (*out >= 'A' && *out <= 'Z');
    if (!*out || letter || *out == '"' || *out == '\n' || *out == '\r')
        return fail(err, LACO_EINVAL, -1,
                    "option --delimiter: \"%.40s\" cannot be one; give a single sign such as , ; | or "
                    "the words tab or blank",
                    text);
    return LACO_OK;
}
static laco_status read_options(table_options *to, const options *o, laco_error *err)
{
    static const char *const names[] = { "auto", "csv", "tsv", "jsonl", "text", NULL };
    const char *format = options_text(o, "format");
    to->format = TABLE_GUESS;
    for (int i = 0; format && names[i]; i++)
        if (!strcmp(names[i], format)) to->format = (table_format)i;
    to->no_header = options_flag(o, "no-header"), to->decimal_comma = options_flag(o, "decimal-comma");
    to->skip_bad = options_text(o, "skip-bad") != NULL;
    laco_status st = read_delimiter(&to->delimiter, options_text(o, "delimiter"), err);
    if (!st && to->decimal_comma && to->delimiter == ',')
        st = fail(err, LACO_EINVAL, -1, "with --decimal-comma cells cannot be separated by commas too");
    return st;
}
laco_status task_open_bad(file_log **out, task_job *j, laco_error *err)
{
    const char *path = options_text(j->o, "skip-bad");
    *out = NULL;
    laco_status st = task_refuse_overwriting(j, "skip-bad", err);
    return st || !path ? st : file_log_open_at(out, path, j->bad_bytes, err);
}
void task_close_bad(file_log *l, task_job *j)
{
    if (l) j->bad_bytes = file_log_position(l);
    file_log_close(l);
}
laco_status table_input_open(table_input *in, task_job *j, laco_error *err)
{
    *in = (table_input){ .j = j, .o = { .bad = keep_bad, .ctx = in } };
    laco_status st = read_options(&in->o, j->o, err);
    return st ? st : task_open_bad(&in->log, j, err);
}
laco_status table_input_close(table_input *in, laco_error *err)
{
    char count[32];
    task_close_bad(in->log, in->j), in->log = NULL;
    if (in->skipped)
        task_note(in->j, "left out  %s bad %s, now in %s; the first is that of line %lld: %s",
                  task_count(in->skipped, count), in->skipped == 1 ? "record" : "records",
                  options_text(in->j->o, "skip-bad"), (long long)in->first, in->why);
    return in->status ? fail(err, in->status, in->err.at, "%s", in->err.msg) : LACO_OK;
}

laco_status task_read_table(table_input *in, int which, table **out, laco_error *err)
{
    char *bytes;
    size_t n;
    const char *name;
    *out = NULL;
    laco_status st = task_read(in->j, which, &bytes, &n, &name, err);
    return st || !bytes ? st : table_own(out, bytes, n, name, &in->o, err);
}
laco_status task_open_table(table_input *in, int which, table_reader **out, laco_error *err)
{
    static const char *const names[TEXTS] = { "data", "valid", "test" };
    const task_job *j = in->j;
    const char *path = options_text(j->o, names[which]);
    *out = NULL;
    if (j->text[which]) return table_open_bytes(out, j->text[which], j->length[which], names[which], &in->o, err);
    return path ? table_open(out, path, &in->o, err) : LACO_OK;
}
