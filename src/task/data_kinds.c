/* laco data: what a file holds, by the reader that understands it. */
#include "task/data_kinds.h"
#include <strings.h>
#include <sys/stat.h>

const data_kind data_kinds[] = {
    { "conll", recognises_conll, describe_conll },
    { "rolls", recognises_rolls, describe_rolls },
    { "series", recognises_series, describe_series },
    { "table", NULL, describe_table }, /* last: all that no other has recognised */
    { NULL, NULL, NULL },
};

bool path_ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    if (n > 3 && !strcmp(path + n - 3, ".gz")) n -= 3;
    return n >= m && !strncasecmp(path + n - m, end, m);
}

/* ---- lengths ---- */
static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}
length_summary summarise_lengths(int64_t *length, int64_t n)
{
    if (!n) return (length_summary){ 0 };
    qsort(length, (size_t)n, sizeof *length, by_size);
    return (length_summary){ n, length[0], length[(n - 1) / 2], length[ceil_div(95 * n, 100) - 1], length[n - 1] };
}
void lengths_text(buf *to, const char *what, const char *unit, const length_summary *s)
{
    char a[32], b[32], c[32], d[32];
    if (s->min == s->max)
        buf_printf(to, "%-9s %s %s\n", what, task_count(s->min, a), unit);
    else
        buf_printf(to, "%-9s %s to %s %s, median %s, 95 %% at most %s\n", what, task_count(s->min, a),
                   task_count(s->max, b), unit, task_count(s->median, c), task_count(s->most, d));
}
void lengths_json(json_out *o, const char *key, const length_summary *s)
{
    json_key(o, key), json_begin(o, '{');
    json_key(o, "count"), json_int(o, s->n);
    json_key(o, "min"), json_int(o, s->min);
    json_key(o, "median"), json_int(o, s->median);
    json_key(o, "p95"), json_int(o, s->most);
    json_key(o, "max"), json_int(o, s->max);
    json_end(o, '}');
}

/* ---- the command ---- */
enum { HEAD = 512 };
static laco_status read_head(const char *path, char *head, size_t *n, laco_error *err)
{
    file_stream *s;
    size_t got = 1;
    laco_status st = file_stream_open(&s, path, err);
    for (*n = 0; !st && *n < HEAD && got; *n += got) st = file_stream_read(s, head + *n, HEAD - *n, &got, err);
    file_stream_close(s);
    return st;
}
static const data_kind *kind_of(const char *path, bool folder, const char *head, size_t n)
{
    const data_kind *k = data_kinds;
    while (k->recognises && !k->recognises(path, folder, head, n)) k++;
    return k;
}
laco_status data_look(task_job *j, laco_error *err)
{
    const char *path = j->text[TEXT_DATA] ? "-" : options_text(j->o, "data");
    char head[HEAD];
    size_t n = 0;
    struct stat info;
    laco_status st = LACO_OK;
    if (!path) return fail(err, LACO_EINVAL, -1, "name a file to look at, or - for standard input");
    bool folder = strcmp(path, "-") && !stat(path, &info) && S_ISDIR(info.st_mode);
    if (!folder && strcmp(path, "-")) st = read_head(path, head, &n, err);
    return st ? st : kind_of(path, folder, n ? head : NULL, n)->describe(j, path, err);
}
