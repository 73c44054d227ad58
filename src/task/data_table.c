#include "task/data_kinds.h"
#include "task/table_options.h"

laco_status describe_table(task_job *j, const char *path, laco_error *err)
{
    table_input in;
    table *t = NULL;
    char count[32];
    (void)path;
    laco_status st = table_input_open(&in, j, err);
    if (!st) st = task_read_table(&in, TEXT_DATA, &t, err);
    if (!st) {
        buf text = { 0 };
        buf_printf(&text, "records   %s of %d columns\n", task_count(table_rows(t), count), table_columns(t));
        task_out_buf(j, &text), buf_free(&text);
    }
    table_free(t);
    laco_status closed = table_input_close(&in, st ? NULL : err);
    return st ? st : closed;
}
