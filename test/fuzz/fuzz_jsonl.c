/* Any bytes to the reader of JSON lines: a line that the strict reader takes for an object is a record, and its strings
   and numbers are the same. */
#include "base/json.h"
#include "data/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static void same_value(cell c, const json *v)
{
    double x;
    if (v->kind == JSON_STRING) require(c.at && c.n == v->len && !memcmp(c.at, v->text, c.n));
    if (v->kind == JSON_NUMBER) require(cell_number(c, false, &x) && x == v->number);
    if (v->kind == JSON_NULL) require(!c.at);
    if (v->kind == JSON_TRUE) require(cell_is(c, "1"));
    if (v->kind == JSON_FALSE) require(cell_is(c, "0"));
    if (v->kind == JSON_ARRAY || v->kind == JSON_OBJECT) require(c.at && c.n >= 2);
}
static int column_named(const table *t, const json *v)
{
    int k = 0;
    while (k < table_columns(t) &&
           (strlen(table_column_name(t, k)) != v->key_len || memcmp(table_column_name(t, k), v->key, v->key_len)))
        k++;
    return k;
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = text + size;
    table_options o = { .format = TABLE_JSONL, .skip_bad = true };
    table *t;
    if (table_parse(&t, text, size, "f", &o, NULL)) return 0;
    if (size >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) text += 3;
    int64_t row = 0, line = 1;
    for (; text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        json_doc *d = NULL;
        bool record = row < table_rows(t) && table_line(t, row) == line;
        bool object = !memchr(text, 0, n) && !json_parse(&d, text, n, NULL) && json_root(d)->kind == JSON_OBJECT;
        require(record || !object);
        for (size_t i = 0; object && i < json_root(d)->len; i++) {
            const json *v = &json_root(d)->item[i];
            if (memchr(v->key, 0, v->key_len)) continue; /* names end at a NUL */
            int k = column_named(t, v);
            require(k < table_columns(t));
            same_value(table_cell(t, row, k), v);
        }
        row += record;
        json_free(d);
        text += n + !!stop;
    }
    require(row == table_rows(t));
    table_free(t);
    return 0;
}
