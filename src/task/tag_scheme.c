#include "task/tag_scheme.h"

const char *const scheme_names[SCHEMES + 1] = { "none", "iob", "iob2", "iobes", NULL };
static const tag_mark outside = { 'O', "" };

tag_mark tag_read(const char *tag)
{
    const char *hyphen = strchr(tag, '-');
    return (tag_mark){ tag[0] && (!tag[1] || hyphen == tag + 1) ? tag[0] : '?', hyphen ? hyphen + 1 : "" };
}
bool tag_is_mark(const char *tag)
{
    char c = tag_read(tag).letter;
    return c == 'O' ? !tag[1] : strchr("BIES", c) != NULL;
}
static bool is_open(char c) { return c == 'I' || c == 'E'; } /* goes on with what came before, where something did */
static bool is_over(char c) { return c == 'O' || c == 'E' || c == 'S'; }
bool span_begins(tag_mark before, tag_mark here)
{
    if (here.letter == 'O') return false;
    if (strcmp(before.type, here.type)) return true;
    return !is_open(here.letter) || is_over(before.letter);
}
bool span_ends(tag_mark before, tag_mark here)
{
    if (before.letter == 'O') return false;
    if (strcmp(before.type, here.type)) return true;
    return is_over(before.letter) || !is_open(here.letter);
}
int64_t spans_of(const char *const *tag, int64_t n, tag_span *out)
{
    int64_t count = 0;
    tag_mark before = outside;
    for (int64_t i = 0; i <= n; i++) {
        tag_mark here = i < n ? tag_read(tag[i]) : outside;
        if (span_ends(before, here)) out[count - 1].end = i;
        if (span_begins(before, here)) out[count++] = (tag_span){ i, i + 1, here.type };
        before = here;
    }
    return count;
}
char scheme_letter(tag_scheme s, const tag_span *q, int64_t i, bool after)
{
    bool first = i == q->from, last = i + 1 == q->end;
    if (s == SCHEME_IOBES) return first && last ? 'S' : first ? 'B' : last ? 'E' : 'I';
    return first && (s == SCHEME_IOB2 || after) ? 'B' : 'I';
}

/* What the scheme allows for the word `here`, between its neighbours. */
static bool fits(tag_scheme s, tag_mark before, tag_mark here, tag_mark behind)
{
    bool same = before.letter != 'O' && !strcmp(before.type, here.type);
    if (here.letter == 'O') return s != SCHEME_IOBES || before.letter == 'O' || is_over(before.letter);
    if (s == SCHEME_IOB) return here.letter == 'I' || (here.letter == 'B' && same);
    if (s == SCHEME_IOB2) return here.letter == 'B' || (here.letter == 'I' && same);
    bool goes_on = same && !is_over(before.letter), new = is_over(before.letter);
    if (here.letter == 'B' || here.letter == 'I')
        return (here.letter == 'B' ? new : goes_on) && is_open(behind.letter) && !strcmp(here.type, behind.type);
    return here.letter == 'E' ? goes_on : here.letter == 'S' && new;
}
int64_t scheme_breaks(tag_scheme s, const char *const *tag, int64_t n)
{
    tag_mark before = outside;
    for (int64_t i = 0; s != SCHEME_NONE && i < n; i++) {
        tag_mark here = tag_read(tag[i]), behind = i + 1 < n ? tag_read(tag[i + 1]) : outside;
        if (!tag_is_mark(tag[i]) || !fits(s, before, here, behind)) return i;
        before = here;
    }
    return -1;
}
tag_scheme scheme_guess(const char *const *tag, const int64_t *start, int64_t n, int64_t *odd)
{
    int64_t broken[SCHEMES] = { 0 }, first[SCHEMES] = { -1, -1, -1, -1 }, spans = 0, ends = 0;
    *odd = -1;
    for (int64_t i = start[0]; i < start[n]; i++) {
        if (!tag_is_mark(tag[i])) return SCHEME_NONE;
        char c = tag_read(tag[i]).letter;
        spans += c != 'O', ends += c == 'E' || c == 'S';
    }
    if (!spans) return SCHEME_NONE;
    for (int64_t k = 0; k < n; k++)
        for (tag_scheme s = SCHEME_IOB; s < SCHEMES; s++) {
            int64_t at = scheme_breaks(s, tag + start[k], start[k + 1] - start[k]);
            if (at >= 0 && !broken[s]++) first[s] = start[k] + at;
        }
    tag_scheme best = ends ? SCHEME_IOBES : SCHEME_IOB2;
    for (tag_scheme s = SCHEME_IOB; !ends && s <= SCHEME_IOB2; s++)
        if (broken[s] < broken[best]) best = s;
    *odd = first[best];
    return best;
}
bool iobes_follows(const char *from, const char *to)
{
    tag_mark before = from ? tag_read(from) : outside, here = to ? tag_read(to) : outside;
    if (is_open(here.letter)) return !is_over(before.letter) && !strcmp(before.type, here.type);
    return is_over(before.letter);
}
