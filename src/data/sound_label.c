#include "data/sound_label.h"
#include "data/sound_names.h"

static laco_status new_texts(char ***texts, int64_t n, laco_error *err)
{
    if (!*texts && !(*texts = mem_new((size_t)n, sizeof **texts))) return fail_memory(err, (size_t)n * sizeof **texts);
    return LACO_OK;
}

/* ---- by a pattern ---- words in braces take what stands there, up to what follows them in the pattern; * takes the
   same and keeps nothing; the last of them takes all that is left before the end of the pattern */
typedef struct taken {
    const char *at;
    size_t n;
} taken;
enum { TAKE_NOTHING, TAKE_LABEL, TAKE_GROUP, TAKES };
/* One field at p: its kind and where the pattern goes on; NULL: unknown word. */
static const char *read_field(const char *p, int *kind)
{
    static const char *const words[TAKES] = { "*", "{label}", "{group}" };
    for (int k = 0; k < TAKES; k++)
        if (!strncmp(p, words[k], strlen(words[k]))) return *kind = k, p + strlen(words[k]);
    return NULL;
}
static laco_status check_pattern(const char *pattern, laco_error *err)
{
    int kind, before = 0;
    for (const char *p = pattern; *p;) {
        bool field = *p == '*' || *p == '{';
        const char *next = field ? read_field(p, &kind) : p + 1;
        if (!next || (field && before))
            return fail(err, LACO_EINVAL, p - pattern,
                        "the pattern of names %s: {label}, {group} and * are known, with something between them, as in "
                        "{label}_{group}_*.wav",
                        pattern);
        before = field, p = next;
    }
    return LACO_OK;
}
/* The pattern has as many folders as are looked at of the name. */
static const char *tail_of(const char *name, const char *pattern)
{
    int slashes = 0;
    const char *at = name + strlen(name);
    for (const char *p = pattern; *p; p++) slashes += *p == '/';
    while (at > name && (at[-1] != '/' || slashes-- > 0)) at--;
    return at;
}
static bool match(const char *name, const char *pattern, taken take[TAKES])
{
    const char *at = tail_of(name, pattern), *p = pattern, *end = at + strlen(at);
    while (*p) {
        int kind = -1;
        if (*p == '*' || *p == '{') p = read_field(p, &kind);
        size_t n = strcspn(p, "*{"); /* the plain text that follows */
        const char *found = at;
        if (kind >= 0) /* up to the first place where that text stands, or where it ends the name */
            found = p[n] ? memmem(at, (size_t)(end - at), p, n) : (size_t)(end - at) >= n ? end - n : NULL;
        if (!found || (size_t)(end - found) < n || memcmp(found, p, n)) return false;
        if (kind >= 0) take[kind] = (taken){ at, (size_t)(found - at) };
        if (kind > 0 && (found == at || memchr(at, '/', (size_t)(found - at)))) return false;
        at = found + n, p += n;
    }
    return at == end;
}
static laco_status label_by_pattern(series_set *s, const char *pattern, laco_error *err)
{
    char ***const texts[TAKES] = { [TAKE_LABEL] = &s->label, [TAKE_GROUP] = &s->group };
    laco_status st = check_pattern(pattern, err);
    for (int64_t i = 0; !st && i < s->count; i++) {
        taken take[TAKES] = { 0 };
        if (!match(s->name[i], pattern, take))
            return fail(err, LACO_EFORMAT, i, "%s: the name %s does not fit the pattern %s", s->file, s->name[i],
                        pattern);
        for (int k = TAKE_LABEL; !st && k < TAKES; k++) {
            if (!take[k].at) continue;
            st = new_texts(texts[k], s->count, err);
            if (!st && !((*texts[k])[i] = mem_text(take[k].at, take[k].n))) st = fail_memory(err, take[k].n);
        }
    }
    return st;
}

/* ---- by folders ---- */
/* The folder that a file is in, of its name; n 0: it is in none. */
static taken folder_of(const char *name)
{
    const char *end = sound_base_name(name), *begin = end > name ? end - 1 : name;
    taken f = { begin, 0 };
    while (f.at > name && f.at[-1] != '/') f.at--;
    f.n = (size_t)(begin - f.at);
    return f;
}
static laco_status label_by_folder(series_set *s, laco_error *err)
{
    bool several = false;
    taken first = s->count ? folder_of(s->name[0]) : (taken){ 0 };
    for (int64_t i = 0; i < s->count; i++) {
        taken f = folder_of(s->name[i]);
        if (!f.n) return LACO_OK;
        several |= f.n != first.n || memcmp(f.at, first.at, f.n) != 0;
    }
    laco_status st = several ? new_texts(&s->label, s->count, err) : LACO_OK;
    for (int64_t i = 0; several && !st && i < s->count; i++)
        if (!(s->label[i] = mem_text(folder_of(s->name[i]).at, folder_of(s->name[i]).n))) st = fail_memory(err, 1);
    return st;
}

/* ---- by a table ---- */
typedef struct columns {
    int file, label, group, target;
} columns;
static laco_status find_columns(columns *c, const name_index *x, const table *t, series_set *s, const series_options *o,
                                laco_error *err)
{
    laco_status st = name_index_column(&c->file, x, t, s, err);
    if (!st) st = table_usual(&c->label, t, o->label, "label", err);
    if (!st) st = table_usual(&c->group, t, o->group, "group", err);
    if (!st) st = table_usual(&c->target, t, o->target, NULL, err);
    if (!st && c->label >= 0) st = new_texts(&s->label, s->count, err);
    if (!st && c->group >= 0) st = new_texts(&s->group, s->count, err);
    if (st || c->target < 0) return st;
    s->target = mem_new((size_t)s->count, sizeof *s->target);
    return s->target ? LACO_OK : fail_memory(err, (size_t)s->count * sizeof *s->target);
}
static laco_status take_cell(char **to, const table *t, int64_t row, int column, laco_error *err)
{
    cell c = table_cell(t, row, column);
    if (cell_missing(c)) return LACO_OK;
    return (*to = mem_text(c.at, c.n)) ? LACO_OK : fail_memory(err, c.n);
}
static laco_status take_row(series_set *s, bool *used, int64_t i, const columns *c, const table *t,
                            const double *target, int64_t row, laco_error *err)
{
    long long line = (long long)table_line(t, row);
    laco_status st = name_index_found(i, t, row, c->file, err);
    if (st) return st;
    if (used[i])
        return fail(err, LACO_EFORMAT, line, "%s, line %lld: the sound %s has a line already", table_file(t), line,
                    s->name[i]);
    used[i] = true;
    if (target) s->target[i] = target[row];
    st = c->label >= 0 ? take_cell(&s->label[i], t, row, c->label, err) : LACO_OK;
    return !st && c->group >= 0 ? take_cell(&s->group[i], t, row, c->group, err) : st;
}
static laco_status take_rows(series_set *s, bool *used, const name_index *x, const table *t, const series_options *o,
                             laco_error *err)
{
    columns c;
    double *target = NULL;
    laco_error why;
    laco_status st = find_columns(&c, x, t, s, o, err);
    if (!st && c.target >= 0) st = table_numbers(t, c.target, &target, err);
    for (int64_t row = 0; !st && row < table_rows(t); row++) {
        cell file = table_cell(t, row, c.file);
        st = take_row(s, used, name_index_find(x, file), &c, t, target, row, &why);
        if (st == LACO_EFORMAT && o->skip_bad) {
            if (o->bad) o->bad(o->ctx, table_file(t), why.msg);
            st = LACO_OK;
        }
        if (st && err) *err = why;
    }
    mem_free(target);
    return st;
}
static laco_status label_by_table(series_set *s, bool *used, const series_options *o, laco_error *err)
{
    table *t = NULL;
    name_index x = { 0 };
    memset(used, 0, (size_t)s->count * sizeof *used);
    laco_status st = table_read(&t, o->labels, &(table_options){ 0 }, err);
    if (!st) st = name_index_new(&x, s, err);
    if (!st) st = take_rows(s, used, &x, t, o, err);
    name_index_free(&x), table_free(t);
    return st;
}

laco_status sound_label(series_set *s, bool *used, const series_options *o, laco_error *err)
{
    for (int64_t i = 0; i < s->count; i++) used[i] = true;
    if (o->labels) return label_by_table(s, used, o, err);
    return o->pattern ? label_by_pattern(s, o->pattern, err) : label_by_folder(s, err);
}
