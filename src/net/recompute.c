#include "net/recompute.h"
#include <math.h>

static double reach(int64_t c, int64_t r) /* (c + r over r) */
{
    double n = 1;
    for (int64_t i = 1; i <= r; i++) n = n * (double)(c + i) / (double)i;
    return n;
}
static int64_t next_kept(int64_t n, int64_t c)
{
    int64_t r = 1;
    while (reach(c, r) < (double)n) r++;
    double least = r > 1 ? reach(c, r - 2) : 1;
    return min64(n - 1, (int64_t)fmax(least, (double)n - reach(c - 1, r)));
}
bool recompute_next(recompute *s, recompute_move *m)
{
    if (!s->end) return false;
    int64_t from = s->kept[s->top], n = s->end - from;
    bool keep = n > 1 && s->top < s->room;
    *m = (recompute_move){ s->top, from, keep ? from + next_kept(n, s->room - s->top + 1) : s->end - 1, keep };
    if (keep)
        s->kept[++s->top] = m->to;
    else if (s->kept[s->top] == --s->end && s->top)
        s->top--;
    return true;
}
