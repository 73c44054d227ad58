/* Any bytes to the reader of separated cells and of text; the first byte says which options. What comes in pieces is
   what comes whole, and cells lie inside the text. */
#include "../pieces_kit.h"
#include "data/table_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static void same_cell(cell a, cell b)
{
    require(a.n == b.n && !a.at == !b.at);
    require(!a.n || !memcmp(a.at, b.at, a.n));
}
static void look(const table *t)
{
    double x, *numbers;
    for (int k = 0; k < table_columns(t); k++) {
        column_type type = table_column_type(t, k);
        laco_status st = table_numbers(t, k, &numbers, NULL);
        require((st == LACO_OK) == (type == COLUMN_NUMBER || type == COLUMN_EMPTY));
        mem_free(numbers);
        for (int64_t r = 0; r < table_rows(t); r++) cell_time(table_cell(t, r, k), &x);
    }
}
/* runs: chunks in which runs of one value in the first column are whole */
static void in_pieces(const table *whole, const char *text, size_t n, size_t piece, const table_options *o, bool runs,
                      laco_status st)
{
    pieces p = { text, n, piece };
    table_reader *r;
    table *t = NULL;
    int64_t row = 0;
    laco_status got = table_open_source(&r, next_piece, &p, "f", o, NULL);
    while (!got && !(got = runs ? table_next_runs(r, "1", 3, &t, NULL) : table_next(r, 3, piece & 1, &t, NULL)) && t) {
        require(table_rows(t) > 0 && (!runs || table_runs(t, "1") > 0));
        for (int64_t i = 0; whole && i < table_rows(t); i++, row++)
            for (int k = 0; k < table_columns(t); k++) same_cell(table_cell(whole, row, k), table_cell(t, i, k));
        table_free(t);
    }
    table_close(r);
    if (runs && got == LACO_EINVAL) return; /* two columns are called 1 */
    require(got == st);
    require(!whole || row == table_rows(whole));
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const table_format formats[] = { TABLE_CSV, TABLE_TSV, TABLE_TEXT, TABLE_CSV };
    if (!size) return 0;
    const char *text = (const char *)data + 1;
    table_options o = { .format = formats[data[0] & 3],
                        .delimiter = (data[0] & 3) == 3   ? ' '
                                     : (data[0] & 3) == 0 ? ','
                                                          : 0,
                        .no_header = data[0] >> 2 & 1,
                        .decimal_comma = data[0] >> 3 & 1,
                        .skip_bad = data[0] >> 4 & 1 };
    table *t;
    laco_error err;
    laco_status st = table_parse(&t, text, --size, "f", &o, &err);
    require(!st == !!t && (!st || err.code == st));
    if (t) look(t);
    for (size_t piece = 1; piece < 9; piece += 1 + piece / 2)
        in_pieces(t, text, size, piece, &o, false, st), in_pieces(t, text, size, piece, &o, true, st);
    table_free(t);
    if (!table_parse(&t, text, size, "f", NULL, NULL)) look(t), table_free(t); /* guesses */
    return 0;
}
