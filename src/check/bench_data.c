#include "check/bench_data.h"
#include "data/table.h"

enum { TEXT_BYTES = 8 << 20 };
struct data_work {
    const data_row *row;
    buf text;
    laco_status status;
    int64_t found;
};

static const data_row rows[] = {
    { "CSV, numbers", TABLE_CSV, 200 }, { "CSV, short cells in quotes", TABLE_CSV, 200 },
    { "JSON lines", TABLE_JSONL, 300 }, { "text", TABLE_TEXT, 300 },
    { "memchr", TABLE_GUESS, 0 },       { NULL, TABLE_GUESS, 0 },
};
const data_row *data_rows(void) { return rows; }

static void add_line(buf *to, const data_row *row, unsigned i)
{
    const char *words = "the film is better than the book that it was made of, and shorter";
    int n = 20 + (int)(i * 7919 % 44);
    if (row == &rows[0])
        buf_printf(to, "2016-07-%02u %02u:00:00,%u.%06u,-%u.%04u,%u,%u.%012u\n", i / 24 % 28 + 1, i % 24, i % 97,
                   i * 7 % 999983, i % 13, i * 31 % 9973, i, i % 7, i * 104729 % 999999937);
    else if (row == &rows[1])
        buf_printf(to, "\"%u\",\"%u\",\"%u\",\"%u\",\"%u\",\"%u\"\n", i % 997, i % 89, i % 7919, i % 53, i % 11,
                   i % 1009);
    else if (row->format == TABLE_JSONL)
        buf_printf(to, "{\"id\":%u,\"text\":\"%.*s\",\"stars\":%u}\n", i, n, words, i % 5 + 1);
    else
        buf_printf(to, "%.*s\n", n, words);
}
laco_status data_work_new(data_work **out, const data_row *row, laco_error *err)
{
    data_work *w = *out = mem_new(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w);
    w->row = row;
    for (unsigned i = 0; w->text.len < TEXT_BYTES && !w->text.failed; i++) add_line(&w->text, row, i);
    return w->text.failed ? fail_memory(err, TEXT_BYTES) : LACO_OK;
}
void data_work_run(void *work)
{
    data_work *w = work;
    table_options o = { .format = (table_format)w->row->format, .no_header = true };
    table_reader *r = NULL;
    table *t = NULL;
    if (w->row->format == TABLE_GUESS) {
        w->found += memchr(w->text.data, 1, w->text.len) != NULL;
        return;
    }
    laco_status st = table_open_bytes(&r, w->text.data, w->text.len, "text", &o, NULL);
    while (!st && !(st = table_next(r, INT64_MAX, false, &t, NULL)) && t) w->found += table_rows(t), table_free(t);
    table_close(r);
    if (st) w->status = st;
}
double data_work_bytes(const data_work *w) { return (double)w->text.len; }
laco_status data_work_status(const data_work *w) { return w->status; }
void data_work_free(data_work *w)
{
    if (!w) return;
    buf_free(&w->text), mem_free(w);
}
