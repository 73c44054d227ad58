#include "check/sheet.h"
#include <math.h>
#include <stdio.h>

enum { FIRST_CELLS = 64 };

void sheet_start(sheet *t, const char *key, const char *title, const sheet_column *column)
{
    t->key = key, t->title = title, t->column = column, t->columns = 0, t->cells = 0;
    while (t->columns < SHEET_COLUMNS && column[t->columns].key) t->columns++;
}

void sheet_free(sheet *t)
{
    mem_free(t->cell);
    *t = (sheet){ 0 };
}

static sheet_cell *next_cell(sheet *t)
{
    if (t->cells == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : FIRST_CELLS;
        sheet_cell *more = mem_resize(t->cell, t->cap * sizeof *more, cap * sizeof *more);
        if (!more) return t->failed = true, NULL;
        t->cell = more, t->cap = cap;
    }
    return &t->cell[t->cells++];
}

void sheet_text(sheet *t, const char *text)
{
    sheet_cell *c = next_cell(t);
    if (c) snprintf(c->text, sizeof c->text, "%s", text), c->number = NAN;
}

void sheet_number(sheet *t, double number)
{
    const sheet_column *column = &t->column[t->cells % (size_t)t->columns];
    sheet_cell *c = next_cell(t);
    if (!c) return;
    c->number = number;
    if (isfinite(number))
        snprintf(c->text, sizeof c->text, "%.*f", column->decimals, number);
    else
        strcpy(c->text, "-");
}

/* ---- Markdown: text to the left, numbers to the right ---- */
static void pad(buf *to, const char *text, int width, bool right)
{
    buf_printf(to, right ? " %*s |" : " %-*s |", width, text);
}

void sheet_markdown(const sheet *t, buf *to)
{
    int width[SHEET_COLUMNS];
    for (int c = 0; c < t->columns; c++) {
        width[c] = (int)strlen(t->column[c].head);
        for (size_t i = (size_t)c; i < t->cells; i += (size_t)t->columns)
            width[c] = (int)max64(width[c], (int64_t)strlen(t->cell[i].text));
    }
    buf_printf(to, "## %s\n\n|", t->title);
    for (int c = 0; c < t->columns; c++) pad(to, t->column[c].head, width[c], t->column[c].decimals != SHEET_TEXT);
    buf_text(to, "\n|");
    for (int c = 0; c < t->columns; c++) {
        bool number = t->column[c].decimals != SHEET_TEXT;
        for (int i = 0; i < width[c] + 1 + !number; i++) buf_text(to, "-");
        buf_text(to, number ? ":|" : "|");
    }
    for (size_t i = 0; i < t->cells; i++) {
        int c = (int)(i % (size_t)t->columns);
        if (c == 0) buf_text(to, "\n|");
        pad(to, t->cell[i].text, width[c], t->column[c].decimals != SHEET_TEXT);
    }
    buf_text(to, "\n\n");
}

void sheet_json(const sheet *t, json_out *to)
{
    json_key(to, t->key);
    json_begin(to, '[');
    for (size_t i = 0; i + (size_t)t->columns <= t->cells; i += (size_t)t->columns) {
        json_begin(to, '{');
        for (int c = 0; c < t->columns; c++) {
            const sheet_cell *cell = &t->cell[i + (size_t)c];
            json_key(to, t->column[c].key);
            if (t->column[c].decimals == SHEET_TEXT)
                json_text(to, cell->text);
            else
                json_number(to, cell->number);
        }
        json_end(to, '}');
    }
    json_end(to, ']');
}
