/* Explanations as a page, as coloured text, or as a table. A contribution is coloured by its size among those of the
   sequence: green speaks for the answer, red against it. */
#include "base/number.h"
#include "task/answers.h"
#include "task/explain.h"
#include <math.h>
#include <stdio.h>

enum { LEVELS = 5, MOST_CELLS = 96 }; /* shades of a colour; cells of a line of numbers */
struct explain_sheet {
    task_job *j;
    bool symbols, colour;
    const char *const *feature;
    int64_t features, count;
    answers *table; /* one of the three */
    file_writer *page;
    buf text;
};

/* ---- what all share ---- */
static double of_step(const explained *e, int64_t t)
{
    double sum = e->features ? 0 : e->gradient[t];
    for (int64_t k = 0; k < e->features; k++) sum += e->gradient[t * e->features + k];
    return sum;
}
static double largest(const double *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        if (fabs(x[i]) > most) most = fabs(x[i]);
    return most;
}
/* -LEVELS .. LEVELS */
static int level_of(double x, double most) { return most > 0 && isfinite(x) ? (int)lrint(x / most * LEVELS) : 0; }
static void name_feature(const explain_sheet *s, int64_t k, char *to, size_t n)
{
    if (s->feature && s->feature[k])
        snprintf(to, n, "%.60s", s->feature[k]);
    else
        snprintf(to, n, "feature %lld", (long long)k + 1);
}
/* Sums over stretches of the steps, `cells` of them, of one feature (-1: occlusion). */
static void stretch_sums(const explained *e, int64_t feature, int64_t cells, double *sum)
{
    for (int64_t c = 0; c < cells; c++) sum[c] = 0;
    for (int64_t t = 0; t < e->steps; t++) {
        double x = feature < 0 ? e->occlusion[t] : e->gradient[t * e->features + feature];
        if (isfinite(x)) sum[t * cells / e->steps] += x;
    }
}
static void title_of(const explain_sheet *s, const explain_case *c, char *to, size_t n)
{
    int len = snprintf(to, n, "%lld: %.200s", (long long)s->count + 1, c->answer);
    if (isfinite(c->probability) && len > 0 && (size_t)len < n)
        snprintf(to + len, n - (size_t)len, ", probability %.4g", c->probability);
}

void explain_symbol(const vocab *v, int32_t id, bool *line_start, buf *to)
{
    if (id == vocab_eos(v))
        buf_text(to, *line_start ? "<eos>" : " <eos>"), *line_start = false;
    else
        vocab_decode(v, id, line_start, to);
    buf_add(to, "", 1);
}

/* Between words: it is of neither. */
static bool blank_before(const char *text) { return text[0] == ' ' && text[1]; }

/* ---- coloured text ---- */
static void put_plain(buf *b, const char *text) /* what would control the terminal is shown as a dot */
{
    for (; *text; text++) buf_add(b, (unsigned char)*text < 0x20 || *text == 0x7f ? "." : text, 1);
}
static void begin_colour(buf *b, int level)
{
    int pale = LEVELS - (level < 0 ? -level : level); /* of the 6 x 6 x 6 colours */
    if (level) buf_printf(b, "\033[30;48;5;%dm", level > 0 ? 16 + 36 * pale + 30 + pale : 196 + 6 * pale + pale);
}
static void end_colour(buf *b, int level)
{
    if (level) buf_text(b, "\033[0m");
}
static void colour_symbols(explain_sheet *s, const explain_case *c, const char *name, const double *x)
{
    double most = largest(x, c->of->steps);
    buf_printf(&s->text, "  %-10s ", name);
    for (int64_t t = 0; t < c->of->steps; t++) {
        int level = level_of(x[t], most);
        const char *text = c->symbol[t];
        if (blank_before(text)) buf_text(&s->text, " "), text++;
        begin_colour(&s->text, level), put_plain(&s->text, text), end_colour(&s->text, level);
    }
    buf_text(&s->text, "\n");
}
static void colour_line(explain_sheet *s, const char *name, const double *x, int64_t n, double most)
{
    buf_printf(&s->text, "  %-20.20s ", name);
    for (int64_t i = 0; i < n; i++) {
        int level = level_of(x[i], most);
        begin_colour(&s->text, level), buf_text(&s->text, " "), end_colour(&s->text, level);
    }
    buf_text(&s->text, "\n");
}
static void colour_numbers(explain_sheet *s, const explain_case *c)
{
    const explained *e = c->of;
    double x[MOST_CELLS], most = 0;
    int64_t cells = min64(MOST_CELLS, e->steps);
    for (int64_t k = 0; k < e->features; k++) stretch_sums(e, k, cells, x), most = fmax(most, largest(x, cells));
    for (int64_t k = 0; k < e->features; k++) {
        char name[64];
        name_feature(s, k, name, sizeof name);
        stretch_sums(e, k, cells, x), colour_line(s, name, x, cells, most);
    }
    stretch_sums(e, -1, cells, x), colour_line(s, "occlusion", x, cells, largest(x, cells));
}
static void colour_case(explain_sheet *s, const explain_case *c)
{
    char title[256];
    title_of(s, c, title, sizeof title), put_plain(&s->text, title), buf_text(&s->text, "\n");
    if (!s->symbols)
        colour_numbers(s, c);
    else
        colour_symbols(s, c, "gradient", c->of->gradient), colour_symbols(s, c, "occlusion", c->of->occlusion);
    task_out_buf(s->j, &s->text);
}

/* ---- the page ---- */
static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width\"><title>laco explain</title>\n<style>:root{color-scheme:light dark}body{margin:0 "
    "auto;padding:1rem;max-width:70rem;font:16px/1.7 system-ui,sans-serif}h2{font-size:1.1rem;margin:1.5em 0 "
    ".2em}p{margin:.3em 0;white-space:pre-wrap;overflow-wrap:anywhere}small{opacity:.7}table{border-collapse:collapse;"
    "font-size:.8rem}td.c{width:.6rem;height:1.1rem;padding:0}th{font-weight:400;text-align:left;padding:0 .6em 0 "
    "0;white-space:nowrap}div{overflow-x:auto}</style>\n<h1>laco explain</h1>\n<p>Green speaks for the answer, red "
    "against it; a pointer over a step shows how much. <b>gradient</b>: input times gradient. <b>occlusion</b>: what "
    "is "
    "lost when the step is hidden.</p>\n";
static void put_html(buf *b, const char *text)
{
    for (; *text; text++) {
        const char *as = *text == '<' ? "&lt;" : *text == '&' ? "&amp;" : *text == '"' ? "&quot;" : NULL;
        if (as)
            buf_text(b, as);
        else if ((unsigned char)*text >= 0x20 || *text == '\n' || *text == '\t')
            buf_add(b, text, 1);
    }
}
static void put_shade(buf *b, double x, double most)
{
    double share = most > 0 && isfinite(x) ? x / most : 0;
    char text[NUMBER_TEXT] = "";
    int per_cent = (int)lrint(fabs(share) * 80);
    if (isfinite(x)) number_print_float(text, (float)x);
    buf_printf(b, " style=\"background:rgba(%s,.%02d)\" title=\"%s\"", share > 0 ? "0,160,60" : "220,40,30", per_cent,
               text);
}
static void page_symbols(explain_sheet *s, const explain_case *c, const char *name, const double *x)
{
    double most = largest(x, c->of->steps);
    buf_printf(&s->text, "<p><small>%s</small> ", name);
    for (int64_t t = 0; t < c->of->steps; t++) {
        const char *text = c->symbol[t];
        if (blank_before(text)) buf_text(&s->text, " "), text++;
        buf_text(&s->text, "<span"), put_shade(&s->text, x[t], most), buf_text(&s->text, ">");
        put_html(&s->text, text), buf_text(&s->text, "</span>");
    }
    buf_text(&s->text, "</p>\n");
}
static void page_line(explain_sheet *s, const char *name, const double *x, int64_t n, double most)
{
    buf_text(&s->text, "<tr><th>"), put_html(&s->text, name);
    for (int64_t i = 0; i < n; i++)
        buf_text(&s->text, "<td class=c"), put_shade(&s->text, x[i], most), buf_text(&s->text, ">");
    buf_text(&s->text, "\n");
}
static void page_numbers(explain_sheet *s, const explain_case *c)
{
    const explained *e = c->of;
    double x[MOST_CELLS], most = 0;
    int64_t cells = min64(MOST_CELLS, e->steps);
    char name[64];
    buf_text(&s->text, "<div><table>\n");
    for (int64_t k = 0; k < e->features; k++) stretch_sums(e, k, cells, x), most = fmax(most, largest(x, cells));
    for (int64_t k = 0; k < e->features; k++) {
        name_feature(s, k, name, sizeof name);
        stretch_sums(e, k, cells, x), page_line(s, name, x, cells, most);
    }
    stretch_sums(e, -1, cells, x), page_line(s, "occlusion", x, cells, largest(x, cells));
    buf_text(&s->text, "</table></div>\n<p><small>occlusion of whole features</small>");
    for (int64_t k = 0; k < e->features; k++) {
        name_feature(s, k, name, sizeof name);
        buf_text(&s->text, " <span"), put_shade(&s->text, e->hidden[k], largest(e->hidden, e->features));
        buf_text(&s->text, ">"), put_html(&s->text, name), buf_text(&s->text, "</span>");
    }
    buf_text(&s->text, "</p>\n");
}
static laco_status write_page(explain_sheet *s, laco_error *err)
{
    if (s->text.failed) return fail_memory(err, s->text.len);
    laco_status st = file_write(s->page, s->text.data, s->text.len, err);
    s->text.len = 0;
    return st;
}
static laco_status page_case(explain_sheet *s, const explain_case *c, laco_error *err)
{
    char title[256];
    title_of(s, c, title, sizeof title);
    buf_text(&s->text, "<h2>"), put_html(&s->text, title), buf_text(&s->text, "</h2>\n");
    if (!s->symbols)
        page_numbers(s, c);
    else
        page_symbols(s, c, "gradient ", c->of->gradient), page_symbols(s, c, "occlusion", c->of->occlusion);
    return write_page(s, err);
}

/* ---- the table ---- a row a step */
static void name_columns(explain_sheet *s)
{
    static const char *const names[] = { "example", "answer", "probability", "step" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) answers_column(s->table, names[i]);
    if (s->symbols) answers_column(s->table, "text"), answers_column(s->table, "gradient");
    answers_column(s->table, "occlusion");
    if (!s->symbols) answers_group(s->table, "gradient", s->feature, s->features);
}
static laco_status table_case(explain_sheet *s, const explain_case *c, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t t = 0; !st && t < c->of->steps; t++) {
        answers_int(s->table, s->count + 1), answers_text(s->table, c->answer, strlen(c->answer));
        answers_real(s->table, (float)c->probability), answers_int(s->table, c->before + t + 1);
        if (s->symbols) {
            const char *text = c->symbol[t];
            text += blank_before(text);
            answers_text(s->table, text, strlen(text)), answers_real(s->table, (float)of_step(c->of, t));
        }
        answers_real(s->table, (float)c->of->occlusion[t]);
        for (int64_t k = 0; k < c->of->features; k++)
            answers_real(s->table, (float)c->of->gradient[t * c->of->features + k]);
        st = answers_row(s->table, err);
    }
    return st;
}

/* ---- */
laco_status explain_open(explain_sheet **out, task_job *j, bool symbols, const char *const *feature, int64_t features,
                         laco_error *err)
{
    const char *page = options_text(j->o, "html");
    explain_sheet *s = mem_new(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s);
    *s = (explain_sheet){ .j = j, .symbols = symbols, .feature = feature, .features = features };
    s->colour = !page && options_flag(j->o, "color") && !options_flag(j->o, "json");
    laco_status st = task_refuse_overwriting(j, "html", err);
    if (!st && page) st = file_create(&s->page, page, err);
    if (!st && !page && !s->colour && !(st = answers_open(&s->table, j, err))) name_columns(s);
    if (!st && page) buf_text(&s->text, page_head), st = write_page(s, err);
    if (st) return explain_close(s, st, NULL);
    *out = s;
    return LACO_OK;
}
laco_status explain_put(explain_sheet *s, const explain_case *c, laco_error *err)
{
    laco_status st = LACO_OK;
    if (s->page)
        st = page_case(s, c, err);
    else if (s->table)
        st = table_case(s, c, err);
    else
        colour_case(s, c);
    s->count++;
    return st;
}
laco_status explain_close(explain_sheet *s, laco_status st, laco_error *err)
{
    if (!s) return st;
    if (s->table) st = answers_close(s->table, st, err);
    if (s->page && st)
        file_abandon(s->page);
    else if (s->page)
        st = file_commit(s->page, err);
    buf_free(&s->text), mem_free(s);
    return st;
}
