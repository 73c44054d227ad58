#include "data/conll.h"
#include "base/file.h"
#include "data/utf8.h"
#include "data/words.h"
#include <stdio.h>

enum { BLOCK = 1 << 16, MOST_BYTES = 1 << 24, U_COLUMNS = 10 }; /* read at once; of a sentence; of CoNLL-U */
static const char *const u_names[U_COLUMNS + 1] = { "ID",   "FORM",   "LEMMA", "UPOS", "XPOS", "FEATS",
                                                    "HEAD", "DEPREL", "DEPS",  "MISC", NULL };
enum { U_FORM = 1, U_UPOS = 3 };

struct conll {
    conll_options o;
    char *path;
    file_stream *from; /* NULL: bytes from memory */
    char *bytes;       /* from `at` to `end`: read and not yet used */
    size_t at, end, room;
    bool over;
    int64_t line, skipped;
    int64_t columns; /* of the words of the file; 0: not known yet */
    bool tabs, is_u, chosen;
    int column[CONLL_COLUMNS]; /* wanted, counted from 0; the tag may be -1 */
    int wanted;
};

void conll_sentence_free(conll_sentence *s)
{
    mem_free(s->text), mem_free(s->line), mem_free(s->cell);
    *s = (conll_sentence){ 0 };
}
static laco_status new_reader(conll **out, const char *path, const conll_options *o, laco_error *err)
{
    conll *c = mem_new(1, sizeof *c);
    if (!c || !(c->path = mem_text(path, strlen(path)))) return mem_free(c), fail_memory(err, sizeof *c);
    c->o = *o, *out = c;
    return LACO_OK;
}
void conll_close(conll *c)
{
    if (!c) return;
    file_stream_close(c->from);
    mem_free(c->bytes), mem_free(c->path), mem_free(c);
}
laco_status conll_open(conll **out, const char *path, const conll_options *o, laco_error *err)
{
    laco_status st = new_reader(out, path, o, err);
    if (!st) st = file_stream_open(&(*out)->from, path, err);
    if (st && *out) conll_close(*out), *out = NULL;
    return st;
}
laco_status conll_open_bytes(conll **out, const char *bytes, size_t n, const char *path, const conll_options *o,
                             laco_error *err)
{
    laco_status st = new_reader(out, path, o, err);
    if (st) return st;
    if (!((*out)->bytes = mem_text(bytes, n))) return conll_close(*out), *out = NULL, fail_memory(err, n);
    (*out)->end = n, (*out)->over = true;
    return LACO_OK;
}
bool conll_is_u(const conll *c) { return c->is_u; }
int64_t conll_columns(const conll *c) { return c->columns; }
int64_t conll_skipped(const conll *c) { return c->skipped; }

/* ---- lines ---- */
static laco_status more_bytes(conll *c, laco_error *err)
{
    size_t got = 0, kept = c->end - c->at;
    if (c->at) memmove(c->bytes, c->bytes + c->at, kept), c->at = 0, c->end = kept;
    if (c->room - kept < BLOCK) {
        size_t room = 2 * c->room + BLOCK;
        char *bytes = mem_resize(c->bytes, c->room, room);
        if (!bytes) return fail_memory(err, room);
        c->bytes = bytes, c->room = room;
    }
    laco_status st = file_stream_read(c->from, c->bytes + kept, c->room - kept, &got, err);
    c->end += got, c->over = !st && !got;
    return st;
}
static bool has_line(const conll *c)
{
    return c->at < c->end && (c->over || memchr(c->bytes + c->at, '\n', c->end - c->at));
}
/* Is the whole of the next sentence here? Then asking for it does not wait. */
bool conll_waits(const conll *c)
{
    if (c->over) return false;
    if (!c->bytes) return true;
    const char *p = c->bytes + c->at, *end = c->bytes + c->end;
    if (c->o.text) return !has_line(c);
    for (; p + 1 < end; p++)
        if (p[0] == '\n' && (p[1] == '\n' || (p[1] == '\r' && p + 2 < end && p[2] == '\n'))) return false;
    return true;
}
/* The next line without its end; *from NULL: there is none. */
static laco_status next_line(conll *c, const char **from, size_t *n, laco_error *err)
{
    laco_status st = LACO_OK;
    *from = NULL;
    while (!st && !has_line(c) && !c->over) {
        if (c->end - c->at > MOST_BYTES)
            return fail(err, LACO_EFORMAT, c->line + 1, "%s: line %lld has more than %d bytes", c->path,
                        (long long)c->line + 1, MOST_BYTES);
        st = more_bytes(c, err);
    }
    if (st || c->at == c->end) return st;
    const char *begin = c->bytes + c->at, *end = memchr(begin, '\n', c->end - c->at);
    *from = begin, *n = end ? (size_t)(end - begin) : c->end - c->at;
    c->at += *n + (end != NULL);
    if (!c->line++ && *n >= 3 && !memcmp(begin, "\xef\xbb\xbf", 3)) *from += 3, *n -= 3;
    if (*n && (*from)[*n - 1] == '\r') --*n;
    return LACO_OK;
}

/* ---- columns ---- */
static bool is_blank(char c) { return c == ' ' || c == '\t'; }
/* The next cell of a line from *at on; false at its end. */
static bool next_cell(const char *line, size_t n, bool tabs, size_t *at, conll_part *cell)
{
    size_t i = *at;
    while (!tabs && i < n && is_blank(line[i])) i++;
    if (i > n || (!tabs && i == n)) return false;
    cell->at = (int64_t)i;
    while (i < n && (tabs ? line[i] != '\t' : !is_blank(line[i]))) i++;
    cell->n = (int64_t)i - cell->at, *at = i + 1;
    return true;
}
static int64_t count_cells(const char *line, size_t n, bool tabs)
{
    conll_part cell;
    int64_t count = 0;
    for (size_t at = 0; next_cell(line, n, tabs, &at, &cell);) count++;
    return count;
}
/* 1, 3-4 or 3.1 */
static bool is_id(const char *s, int64_t n, bool *word)
{
    int64_t i = 0, digits = 0;
    *word = true;
    for (; i < n; i++) {
        bool mark = digits && *word && (s[i] == '-' || s[i] == '.');
        if (mark)
            *word = false, digits = 0;
        else if (s[i] >= '0' && s[i] <= '9')
            digits++;
        else
            return false;
    }
    return digits > 0;
}
static laco_status find_column(const conll *c, const char *name, size_t n, int *out, laco_error *err)
{
    char text[64], *end;
    snprintf(text, sizeof text, "%.*s", (int)min64((int64_t)n, 63), name);
    for (int i = 0; i < U_COLUMNS; i++)
        if (!strcmp(text, u_names[i])) {
            *out = i;
            if (c->is_u) return LACO_OK;
            return fail(err, LACO_EINVAL, -1,
                        "%s: column %s is one of CoNLL-U, which this is not; name it by its number, from 1 to %lld",
                        c->path, text, (long long)c->columns);
        }
    long k = strtol(text, &end, 10);
    if (end == text || *end || k < 1 || k > INT32_MAX) {
        const char *near = nearest_name(text, u_names);
        return fail(err, LACO_EINVAL, -1, "\"%s\" is no column: it has a number from 1 on, or a name of CoNLL-U%s%s%s",
                    text, near ? "; did you mean " : ", such as UPOS", near ? near : "", near ? "?" : "");
    }
    *out = (int)k - 1;
    return LACO_OK;
}
static laco_status want(conll *c, const char *name, size_t n, laco_error *err)
{
    int k = 0;
    if (c->wanted == CONLL_COLUMNS)
        return fail(err, LACO_EINVAL, -1, "more than %d columns are asked for", CONLL_COLUMNS);
    laco_status st = find_column(c, name, n, &k, err);
    if (!st && k >= c->columns && !(c->o.untagged && c->wanted == CONLL_TAG))
        return fail(err, LACO_EFORMAT, c->line, "%s: line %lld has %lld columns, there is none with the number %d",
                    c->path, (long long)c->line, (long long)c->columns, k + 1);
    c->column[c->wanted++] = k < c->columns ? k : -1;
    return st;
}
/* From the first word of the file: its form, and which columns are meant. */
static laco_status choose_columns(conll *c, const char *line, size_t n, laco_error *err)
{
    conll_part id = { 0 };
    bool word;
    char name[32];
    size_t at = 0;
    c->tabs = memchr(line, '\t', n) != NULL, c->columns = count_cells(line, n, c->tabs);
    next_cell(line, n, c->tabs, &at, &id);
    c->is_u = c->tabs && c->columns == U_COLUMNS && is_id(line + id.at, id.n, &word);
    c->wanted = 0;
    const char *words = c->o.words ? c->o.words : c->is_u ? u_names[U_FORM] : "1", *tags = c->o.tags;
    if (!tags && c->is_u) tags = u_names[U_UPOS];
    if (!tags) snprintf(name, sizeof name, "%lld", (long long)(c->columns > 1 ? c->columns : 2)), tags = name;
    laco_status st = want(c, words, strlen(words), err);
    if (!st) st = want(c, tags, strlen(tags), err);
    const int tag = c->wanted > CONLL_TAG ? c->column[CONLL_TAG] : -1;
    for (const char *p = c->o.others; !st && p && *p;) {
        size_t length = strcspn(p, ",");
        st = want(c, p, length, err), p += length + (p[length] == ',');
    }
    for (int i = 0; !st && !c->o.untagged && i < c->wanted; i++)
        if (i != CONLL_TAG && c->column[i] == tag)
            st = fail(err, LACO_EINVAL, -1, "%s: column %d holds the tags, which are asked for: it cannot be read too",
                      c->path, tag + 1);
    c->chosen = !st;
    return st;
}

/* ---- sentences ---- */
static laco_status add_text(conll_sentence *s, const char *line, size_t n, size_t used, laco_error *err)
{
    if (s->text_room < used + n + 1) {
        size_t room = 2 * (used + n) + 256;
        char *text = mem_resize(s->text, s->text_room, room);
        if (!text) return fail_memory(err, room);
        s->text = text, s->text_room = room;
    }
    memcpy(s->text + used, line, n), s->text[used + n] = '\n';
    s->bytes = used + n + 1;
    return LACO_OK;
}
static laco_status add_line(conll_sentence *s, conll_line line, laco_error *err)
{
    if (s->lines == s->line_room) {
        int64_t room = 2 * s->line_room + 64;
        conll_line *all = mem_resize(s->line, (size_t)s->line_room * sizeof *all, (size_t)room * sizeof *all);
        if (!all) return fail_memory(err, (size_t)room * sizeof *all);
        s->line = all, s->line_room = room;
    }
    s->line[s->lines++] = line;
    return LACO_OK;
}
static laco_status add_cells(conll_sentence *s, const conll_part *cell, int n, laco_error *err)
{
    int64_t at = s->words * n;
    if (at + n > s->cell_room) {
        int64_t room = 2 * s->cell_room + 64 * n;
        conll_part *all = mem_resize(s->cell, (size_t)s->cell_room * sizeof *all, (size_t)room * sizeof *all);
        if (!all) return fail_memory(err, (size_t)room * sizeof *all);
        s->cell = all, s->cell_room = room;
    }
    memcpy(s->cell + at, cell, (size_t)n * sizeof *cell);
    s->words++, s->columns = n;
    return LACO_OK;
}
static laco_status ragged(const conll *c, int64_t cells, laco_error *err)
{
    return fail(err, LACO_EFORMAT, c->line, "%s: line %lld has %lld columns, the lines before it have %lld%s%s", c->path,
                (long long)c->line, (long long)cells, (long long)c->columns, c->o.hint ? "; " : "",
                c->o.hint ? c->o.hint : "");
}
/* A line must be text. */
static laco_status check_text(const conll *c, const char *line, size_t n, laco_error *err)
{
    const char *nul = memchr(line, 0, n);
    size_t bad = nul ? (size_t)(nul - line) : utf8_check(line, n);
    if (bad == n) return LACO_OK;
    return fail(err, LACO_EFORMAT, c->line, "%s: byte %lld of line %lld is %s", c->path, (long long)bad + 1,
                (long long)c->line,
                nul ? "NUL, which text has not" : "not UTF-8; turn the file into UTF-8, with iconv for one");
}
/* The cells of a line that is a word. *word false: it is a range or an empty node of CoNLL-U. */
static laco_status read_word(const conll *c, const char *line, size_t n, size_t base, conll_part *cell, bool *word,
                             laco_error *err)
{
    conll_part one;
    int64_t k = 0;
    *word = true;
    for (int i = 0; i < c->wanted; i++) cell[i] = (conll_part){ (int64_t)base, 0 };
    for (size_t at = 0; next_cell(line, n, c->tabs, &at, &one); k++) {
        if (!k && c->is_u && !is_id(line + one.at, one.n, word))
            return fail(err, LACO_EFORMAT, c->line,
                        "%s: line %lld begins with \"%.*s\"; in CoNLL-U a word has a number there", c->path,
                        (long long)c->line, (int)min64(one.n, 30), line + one.at);
        for (int i = 0; i < c->wanted; i++)
            if (c->column[i] == k) cell[i] = (conll_part){ (int64_t)base + one.at, one.n };
    }
    if (k != c->columns) return ragged(c, k, err);
    if (!*word) return LACO_OK;
    if (!cell[CONLL_WORD].n)
        return fail(err, LACO_EFORMAT, c->line, "%s: line %lld has an empty word", c->path, (long long)c->line);
    if (c->is_u && cell[CONLL_TAG].n == 1 && line[cell[CONLL_TAG].at - (int64_t)base] == '_') cell[CONLL_TAG].n = 0;
    if (cell[CONLL_TAG].n || c->o.untagged || c->is_u) return LACO_OK;
    return fail(err, LACO_EFORMAT, c->line, "%s: line %lld has an empty tag", c->path, (long long)c->line);
}
static bool is_comment(const conll *c, const conll_sentence *s, const char *line, size_t n)
{
    return line[0] == '#' && !s->words && (!c->columns || count_cells(line, n, c->tabs) != c->columns);
}
static bool is_empty(const char *line, size_t n)
{
    size_t i = 0;
    while (i < n && is_blank(line[i])) i++;
    return i == n;
}
/* One line of a sentence in columns. */
static laco_status take_line(conll *c, conll_sentence *s, const char *line, size_t n, size_t used, laco_error *err)
{
    conll_part cell[CONLL_COLUMNS];
    bool word = false;
    laco_status st = add_text(s, line, n, used, err);
    if (!st) st = check_text(c, line, n, err);
    if (!st && !is_comment(c, s, line, n)) {
        if (!c->chosen) st = choose_columns(c, line, n, err);
        if (!st) st = read_word(c, line, n, used, cell, &word, err);
    }
    if (!st) st = add_line(s, (conll_line){ { (int64_t)used, (int64_t)n }, c->line, word ? s->words : -1 }, err);
    return st || !word ? st : add_cells(s, cell, c->wanted, err);
}
/* A line of text: its words become lines of one column. */
static laco_status take_text(conll *c, conll_sentence *s, const char *line, size_t n, laco_error *err)
{
    buf words = { 0 };
    const char *word;
    size_t at = 0, length, used = 0;
    laco_status st = words_line(&words, line, n, &(line_options){ .split = true }, err);
    while (!st && words.data && words_next(words.data, words.len, &at, &word, &length)) {
        conll_part cell[2] = { { (int64_t)used, (int64_t)length }, { (int64_t)used, 0 } };
        st = add_text(s, word, length, used, err);
        if (!st) st = add_line(s, (conll_line){ cell[0], c->line, s->words }, err);
        if (!st) st = add_cells(s, cell, 2, err);
        used += length + 1;
    }
    buf_free(&words);
    return st;
}
/* The lines of a sentence to its end; *bad: the error of one of them, whose place is kept in err. */
static laco_status read_sentence(conll *c, conll_sentence *s, laco_status *bad, laco_error *err)
{
    size_t used = 0, n;
    s->lines = s->words = 0, s->bytes = 0, *bad = LACO_OK;
    for (;;) {
        const char *line;
        laco_status st = next_line(c, &line, &n, err);
        if (st || !line) return st;
        if (is_empty(line, n)) {
            if (s->words || *bad) return LACO_OK;
            used = 0, s->lines = 0; /* comments that belong to no sentence */
            continue;
        }
        if (c->o.text && (*bad = check_text(c, line, n, err)))
            return (st = add_text(s, line, n, 0, NULL)) || c->o.skip_bad ? st : *bad;
        if (c->o.text) {
            if ((st = take_text(c, s, line, n, err)) || s->words) return st;
            continue;
        }
        if (used + n > MOST_BYTES)
            return fail(err, LACO_EFORMAT, c->line,
                        "%s: the sentence at line %lld has more than %d bytes; is the blank line behind "
                        "a sentence missing?",
                        c->path, (long long)c->line, MOST_BYTES);
        if (*bad)
            st = add_text(s, line, n, used, NULL);
        else
            *bad = take_line(c, s, line, n, used, err);
        if (st || *bad == LACO_ENOMEM || *bad == LACO_EINVAL) return st ? st : *bad;
        used += n + 1;
        if (*bad && !c->o.skip_bad) return *bad;
    }
}
laco_status conll_next(conll *c, conll_sentence *s, laco_error *err)
{
    laco_error own = { 0 };
    if (!err) err = &own;
    for (;;) {
        laco_status bad, st = read_sentence(c, s, &bad, err);
        if (st || !bad) return st;
        c->skipped++;
        if (c->o.bad) c->o.bad(c->o.ctx, s->text, s->bytes, err->at, err->msg);
    }
}
