/* "Did you mean": the nearest of a list of names, by optimal string alignment distance (insert, delete, replace, swap
   of neighbours; each costs 1). A name that begins with the word counts as one step away. */
#include "base.h"

enum { NAMES_LONGEST = 63 }; /* longer words are typing of another kind */

static int names_min(int a, int b) { return a < b ? a : b; }

static int names_distance(const char *a, int n, const char *b, int m)
{
    int rows[3][NAMES_LONGEST + 1]; /* distances of a[0..i-2), a[0..i-1), a[0..i) to every b[0..j) */
    for (int j = 0; j <= m; j++) rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = names_min(last[j - 1] + (a[i - 1] != b[j - 1]), names_min(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = names_min(now[j], before[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

const char *nearest_name(const char *word, const char *const *names)
{
    size_t n = strlen(word);
    if (n == 0 || n > NAMES_LONGEST) return NULL;
    const char *found = NULL;
    int best = ((int)n + 2) / 3 + 1; /* one wrong letter in three is still near */
    for (; *names; names++) {
        size_t m = strlen(*names);
        if (m > NAMES_LONGEST) continue;
        int d = names_distance(word, (int)n, *names, (int)m);
        if (n >= 3 && d > 1 && strncmp(word, *names, n) == 0) d = 1;
        if (d < best && d < (int)(n > m ? n : m)) {
            best = d;
            found = *names;
        }
    }
    return found;
}
