/* Arguments of a job: --name value, --name=value, --flag, arguments by position; -- ends the options.

   Which options there are, which are flags and which are given by position comes from the rows of laco_options; the
   values themselves are checked by laco_job_set. */
#include "command.h"
#include <string.h>

static const struct {
    const char *option, *label, *command; /* of this command alone; NULL: of all */
} positions[] = { { "model-file", "MODEL", NULL },
                  { "what", "WHAT", NULL },
                  { "folder", "DIR", NULL },
                  { "space", "SPACE", NULL },
                  { "series", "SERIES", NULL },
                  { "benchmark", "BENCHMARK", NULL },
                  { "data", "FILE", "data" } };

const char *args_position(const laco_option *row)
{
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++)
        if (strcmp(row->name, positions[i].option) == 0 &&
            (!positions[i].command || strcmp(row->command, positions[i].command) == 0))
            return positions[i].label;
    return NULL;
}

bool first_word_is(const char *words, const char *word)
{
    size_t n = strcspn(words, " ");
    return strlen(word) == n && memcmp(words, word, n) == 0;
}

/* Is `word` of n characters the first word of the command, or all of it with dots for its blanks? */
static bool names_command(const char *word, size_t n, const char *command)
{
    if (n == strcspn(command, " ") && memcmp(word, command, n) == 0) return true;
    if (n != strlen(command)) return false;
    for (size_t i = 0; i < n; i++)
        if (word[i] != (command[i] == ' ' ? '.' : command[i])) return false;
    return true;
}
bool args_fits(const laco_option *row, const char *command)
{
    for (const char *word = row->command; *word; word += strcspn(word, " "), word += strspn(word, " "))
        if (names_command(word, strcspn(word, " "), command)) return true;
    return false;
}

static const laco_option *find_option(const char *command, const char *name, size_t length)
{
    int count;
    const laco_option *rows = laco_options(&count);
    for (int i = 0; i < count; i++)
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0 && args_fits(&rows[i], command) &&
            !args_position(&rows[i]))
            return &rows[i];
    return NULL;
}

/* The nth argument by position that the command takes, NULL when there are fewer. */
static const laco_option *find_position(const char *command, int nth)
{
    int count;
    const laco_option *rows = laco_options(&count);
    for (int i = 0; i < count; i++)
        if (args_fits(&rows[i], command) && args_position(&rows[i]) && nth-- == 0) return &rows[i];
    return NULL;
}

/* ---- spelling ---- */
enum { WORD_MAX = 32 };

/* Edit distance with adjacent letters swapped as one edit (optimal string alignment), to the first word of b. */
static int edit_distance(const char *a, const char *b)
{
    int d[WORD_MAX + 1][WORD_MAX + 1];
    if (strlen(a) > WORD_MAX || strcspn(b, " ") > WORD_MAX) return WORD_MAX;
    int la = (int)strlen(a), lb = (int)strcspn(b, " ");
    for (int i = 0; i <= la; i++) d[i][0] = i;
    for (int j = 0; j <= lb; j++) d[0][j] = j;
    for (int i = 1; i <= la; i++)
        for (int j = 1; j <= lb; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[la][lb];
}

nearest nearest_to(const char *word)
{
    size_t letters = strlen(word);
    int farthest = letters < 3 ? 1 : letters < 7 ? 2 : 3;
    return (nearest){ .word = word, .distance = farthest + 1 };
}

void nearest_try(nearest *n, const char *candidate)
{
    int distance = edit_distance(n->word, candidate);
    if (distance >= n->distance) return;
    n->distance = distance;
    n->best = candidate;
}

static args_result unknown_option(const char *command, const char *name, size_t length)
{
    int count;
    const laco_option *rows = laco_options(&count);
    char word[WORD_MAX + 2];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    nearest near = nearest_to(word);
    for (int i = 0; i < count; i++)
        if (args_fits(&rows[i], command) && !args_position(&rows[i])) nearest_try(&near, rows[i].name);
    if (near.best)
        wrong("%s has no option --%s; did you mean --%s?", command, word, near.best);
    else
        wrong("%s has no option --%s; \"laco help %s\" lists them", command, word, command);
    return ARGS_WRONG;
}

/* ---- one argument after the other ---- */
static args_result set(laco_job *job, const char *name, const char *value)
{
    laco_error err;
    laco_status status = laco_job_set(job, name, value, &err);
    if (status == LACO_OK) return ARGS_OK;
    complain(status, &err);
    return ARGS_WRONG;
}

/* What the command has to know itself, besides the job. */
static void heed(args_general *general, const char *name, const char *value)
{
    bool on =
        strcmp(value, "true") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "on") == 0 || strcmp(value, "1") == 0;
    if (strcmp(name, "json") == 0) general->json = on;
    if (strcmp(name, "quiet") == 0) general->quiet = on;
}

/* argv[*i] begins with "--"; takes the argument behind it too when the option has a value. */
static args_result apply_option(laco_job *job, const char *command, int argc, char **argv, int *i,
                                args_general *general)
{
    const char *name = argv[*i] + 2, *value = strchr(name, '=');
    size_t length = value ? (size_t)(value - name) : strlen(name);
    if (strcmp(name, "help") == 0) return ARGS_HELP;
    if (strcmp(name, "version") == 0) return ARGS_VERSION;
    const laco_option *row = find_option(command, name, length);
    if (!row) return unknown_option(command, name, length);
    if (value) {
        value++;
    } else if (row->type == 'b') {
        value = "true";
    } else if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0) {
        value = argv[++*i];
    } else {
        wrong("--%s needs a value: write --%s=VALUE", row->name, row->name);
        return ARGS_WRONG;
    }
    heed(general, row->name, value);
    return set(job, row->name, value);
}

static args_result apply_position(laco_job *job, const char *command, int nth, const char *value)
{
    const laco_option *row = find_position(command, nth);
    if (row) return set(job, row->name, value);
    wrong("%s has no use for \"%s\"; options are written --name value", command, value);
    return ARGS_WRONG;
}

args_result args_apply(laco_job *job, const char *command, int argc, char **argv, args_general *general)
{
    int given = 0;
    bool options = true;
    for (int i = 0; i < argc; i++) {
        args_result r;
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
            continue;
        }
        if (options && strcmp(argv[i], "-h") == 0) return ARGS_HELP;
        if (options && strncmp(argv[i], "--", 2) == 0)
            r = apply_option(job, command, argc, argv, &i, general);
        else if (options && argv[i][0] == '-' && argv[i][1])
            r = unknown_option(command, argv[i] + 1, strlen(argv[i] + 1));
        else
            r = apply_position(job, command, given++, argv[i]);
        if (r != ARGS_OK) return r;
    }
    const laco_option *missing = find_position(command, given);
    if (!missing || missing->def) return ARGS_OK;
    wrong("%s needs a %s: %s", command, args_position(missing), missing->help);
    return ARGS_WRONG;
}
