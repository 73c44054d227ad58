#include "data/sound_segment.h"
#include "data/sound_names.h"
#include <math.h>

typedef struct columns {
    int file, start, end, label;
} columns;
static const char *const starts[] = { "start", "onset", "begin", NULL }, *const ends[] = { "end", "offset", NULL },
                         *const labels[] = { "label", "event_label", NULL };
static laco_status find_one(int *column, const table *t, const char *const *usual, const char *what, laco_error *err)
{
    *column = -1;
    for (; *usual && *column < 0; usual++) table_usual(column, t, NULL, *usual, NULL);
    if (*column >= 0) return LACO_OK;
    return fail(err, LACO_EFORMAT, -1,
                "%s has no column \"%s\": stretches of sounds are a table with a sound, start, end (seconds) and label "
                "in each row",
                table_file(t), what);
}
static laco_status find_columns(columns *c, const name_index *x, const table *t, const series_set *s,
                                const series_options *o, laco_error *err)
{
    laco_status st = name_index_column(&c->file, x, t, s, err);
    if (!st) st = find_one(&c->start, t, starts, "start", err);
    if (!st) st = find_one(&c->end, t, ends, "end", err);
    if (st) return st;
    return o->label ? table_find(t, o->label, &c->label, err) : find_one(&c->label, t, labels, "label", err);
}
/* A row that is all there; *empty: it only names a sound. */
static laco_status take_row(sound_segments *g, const columns *c, const table *t, int64_t row, bool *empty,
                            laco_error *err)
{
    sound_segment *r = &g->row[g->n];
    cell start = table_cell(t, row, c->start), end = table_cell(t, row, c->end), label = table_cell(t, row, c->label);
    long long line = (long long)table_line(t, row);
    *empty = cell_missing(start) && cell_missing(end) && cell_missing(label);
    if (*empty) return LACO_OK;
    if (!cell_number(start, false, &r->start) || !cell_number(end, false, &r->end) || !(r->start >= 0) ||
        !(r->end > r->start) || cell_missing(label))
        return fail(err, LACO_EFORMAT, line,
                    "%s, line %lld: a stretch has a label, and starts at 0 seconds or later, before it ends",
                    table_file(t), line);
    r->line = line;
    return intern_add(g->label, label.at, label.n, &r->label, err);
}
static int by_sound_and_time(const void *a, const void *b)
{
    const sound_segment *x = a, *y = b;
    if (x->sound != y->sound) return x->sound < y->sound ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}
static laco_status order(sound_segments *g, const series_set *s, const table *t, laco_error *err)
{
    if (!(g->first = mem_new((size_t)s->count + 1, sizeof *g->first)))
        return fail_memory(err, (size_t)s->count * sizeof *g->first);
    if (g->n) qsort(g->row, (size_t)g->n, sizeof *g->row, by_sound_and_time);
    for (int64_t k = 0; k < g->n; k++) g->first[g->row[k].sound + 1] = k + 1;
    for (int64_t i = 0; i < s->count; i++) g->first[i + 1] = max64(g->first[i], g->first[i + 1]);
    for (int64_t k = 1; k < g->n; k++) {
        const sound_segment *a = &g->row[k - 1], *b = &g->row[k];
        if (a->sound == b->sound && b->start < a->end)
            return fail(err, LACO_EFORMAT, b->line,
                        "%s: the stretch of line %lld begins before that of line %lld ends; a step has one label",
                        table_file(t), (long long)b->line, (long long)a->line);
    }
    return LACO_OK;
}
static laco_status take_rows(sound_segments *g, bool *used, const name_index *x, const table *t, const series_set *s,
                             const series_options *o, laco_error *err)
{
    columns c;
    laco_error why;
    laco_status st = find_columns(&c, x, t, s, o, err);
    for (int64_t row = 0; !st && row < table_rows(t); row++) {
        int64_t i = name_index_find(x, table_cell(t, row, c.file));
        bool empty = true;
        st = name_index_found(i, t, row, c.file, &why);
        if (!st) st = take_row(g, &c, t, row, &empty, &why);
        if (!st) used[i] = true;
        if (!st && !empty) g->row[g->n++].sound = i;
        if (st == LACO_EFORMAT && o->skip_bad) {
            if (o->bad) o->bad(o->ctx, table_file(t), why.msg);
            st = LACO_OK;
        }
        if (st && err) *err = why;
    }
    return st ? st : order(g, s, t, err);
}
laco_status sound_segments_read(sound_segments *out, const series_set *s, bool *used, const series_options *o,
                                laco_error *err)
{
    table *t = NULL;
    name_index x = { 0 };
    int32_t rest;
    *out = (sound_segments){ 0 };
    memset(used, 0, (size_t)s->count * sizeof *used);
    laco_status st = table_read(&t, o->labels, &(table_options){ 0 }, err);
    if (!st) st = name_index_new(&x, s, err);
    if (!st) st = intern_new(&out->label, err);
    if (!st) st = intern_add(out->label, o->rest, strlen(o->rest), &rest, err);
    if (!st && !(out->row = mem_new((size_t)table_rows(t), sizeof *out->row)))
        st = fail_memory(err, (size_t)table_rows(t) * sizeof *out->row);
    if (!st) st = take_rows(out, used, &x, t, s, o, err);
    name_index_free(&x), table_free(t);
    if (st) sound_segments_free(out);
    return st;
}
bool sound_segments_are(const char *path)
{
    table_reader *r;
    table *t = NULL;
    int start, end;
    if (table_open(&r, path, &(table_options){ 0 }, NULL)) return false;
    bool are = !table_next(r, 1, false, &t, NULL) && t && !find_one(&start, t, starts, "", NULL) &&
               !find_one(&end, t, ends, "", NULL);
    table_free(t), table_close(r);
    return are;
}
void sound_segments_free(sound_segments *g)
{
    mem_free(g->row), mem_free(g->first), intern_free(g->label);
    *g = (sound_segments){ 0 };
}
int32_t sound_segment_at(const sound_segments *g, int64_t sound, double seconds)
{
    int64_t low = g->first[sound], high = g->first[sound + 1]; /* the last that starts before lies below high */
    while (low < high) {
        int64_t k = (low + high) / 2;
        if (g->row[k].start <= seconds)
            low = k + 1;
        else
            high = k;
    }
    const sound_segment *r = low > g->first[sound] ? &g->row[low - 1] : NULL;
    return r && seconds < r->end ? r->label : 0;
}
