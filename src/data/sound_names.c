#include "data/sound_names.h"

const char *sound_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
struct named {
    const char *name; /* of a sound: whole, or without its folders */
    size_t n;         /* bytes that count: all, or all before the ending */
    int64_t i;
};
static int compare_named(const void *a, const void *b)
{
    const named *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = memcmp(x->name, y->name, n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}
laco_status name_index_new(name_index *x, const series_set *s, laco_error *err)
{
    *x = (name_index){ mem_new((size_t)s->count * 3, sizeof *x->entry), 0 };
    if (!x->entry) return fail_memory(err, (size_t)s->count * 3 * sizeof *x->entry);
    for (int64_t i = 0; i < s->count; i++) {
        const char *whole = s->name[i], *base = sound_base_name(whole), *dot = strrchr(base, '.');
        x->entry[x->n++] = (named){ whole, strlen(whole), i };
        if (base > whole) x->entry[x->n++] = (named){ base, strlen(base), i };
        if (dot > base) x->entry[x->n++] = (named){ base, (size_t)(dot - base), i };
    }
    if (x->n) qsort(x->entry, (size_t)x->n, sizeof *x->entry, compare_named);
    return LACO_OK;
}
int64_t name_index_find(const name_index *x, cell c)
{
    named key = { c.at, c.n, 0 };
    named *e = c.at && x->n ? bsearch(&key, x->entry, (size_t)x->n, sizeof key, compare_named) : NULL;
    if (!e) {
        const char *slash = c.at ? memrchr(c.at, '/', c.n) : NULL;
        if (!slash) return NAMES_NONE;
        return name_index_find(x, (cell){ slash + 1, c.n - (size_t)(slash + 1 - c.at) });
    }
    bool alone = (e == x->entry || compare_named(e - 1, e)) && (e + 1 == x->entry + x->n || compare_named(e, e + 1));
    return alone ? e->i : NAMES_SEVERAL;
}
laco_status name_index_column(int *column, const name_index *x, const table *t, const series_set *s, laco_error *err)
{
    int64_t most = 0;
    for (int c = 0; c < table_columns(t); c++) {
        int64_t n = 0;
        for (int64_t row = 0; row < table_rows(t); row++) n += name_index_find(x, table_cell(t, row, c)) != NAMES_NONE;
        if (n > most) most = n, *column = c;
    }
    if (most) return LACO_OK;
    return fail(err, LACO_EFORMAT, -1, "%s: no column names sounds of %s, such as %s", table_file(t), s->file,
                s->count ? s->name[0] : "a.wav");
}
void name_index_free(name_index *x) { mem_free(x->entry); }
laco_status name_index_found(int64_t i, const table *t, int64_t row, int file, laco_error *err)
{
    long long line = (long long)table_line(t, row);
    cell c = table_cell(t, row, file);
    if (i >= 0) return LACO_OK;
    return fail(err, LACO_EFORMAT, line, "%s, line %lld: %s \"%.*s\"", table_file(t), line,
                i == NAMES_SEVERAL ? "several sounds have the name" : "there is no sound with the name",
                (int)min64(200, (int64_t)c.n), c.at ? c.at : "");
}
laco_status table_usual(int *column, const table *t, const char *asked, const char *usual, laco_error *err)
{
    *column = -1;
    if (asked) return table_find(t, asked, column, err);
    for (int c = 0; usual && c < table_columns(t); c++)
        if (!strcmp(table_column_name(t, c), usual)) *column = c;
    return LACO_OK;
}
