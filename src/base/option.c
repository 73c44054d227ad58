/* Values for rows of laco_option. */
#include "option.h"
#include "number.h"
#include <errno.h>
#include <math.h>

enum { OPTION_CHOICES = 64 };

typedef struct option_value {
    const laco_option *row;
    char *text; /* as given; NULL: the default of the row holds */
    bool given, flag;
    int64_t i;
    double x; /* NaN: no value */
} option_value;

struct options {
    const laco_option *rows; /* of every command */
    int row_count;
    char *command;
    option_value *value; /* of this one */
    int count;
};

/* Is `word` of n characters the first word of the command, or all of it with dots for its blanks? */
static bool option_names(const char *word, size_t n, const char *command)
{
    if (n == 0) return false;
    if (n == strcspn(command, " ") && memcmp(word, command, n) == 0) return true;
    if (n != strlen(command)) return false;
    for (size_t i = 0; i < n; i++)
        if (word[i] != (command[i] == ' ' ? '.' : command[i])) return false;
    return true;
}
/* Does a blank-separated list name the command? */
static bool option_fits(const char *list, const char *command)
{
    while (*list) {
        list += strspn(list, " ");
        size_t n = strcspn(list, " ");
        if (option_names(list, n, command)) return true;
        list += n;
    }
    return false;
}

/* Of several rows of one name the first is meant. */
static option_value *option_find(const options *o, const char *name)
{
    for (int i = 0; i < o->count; i++)
        if (strcmp(o->value[i].row->name, name) == 0) return &o->value[i];
    return NULL;
}

/* ---- values, by type: each checks the text and sets what it stands for ---- */
static laco_status option_bounds(const option_value *v, const char *text, double x, laco_error *err)
{
    char low[NUMBER_TEXT], high[NUMBER_TEXT];
    const laco_option *row = v->row;
    if (x >= row->min && x <= row->max) return LACO_OK;
    const char *from = isfinite(row->min) ? number_print(low, row->min) : NULL;
    const char *to = isfinite(row->max) ? number_print(high, row->max) : NULL;
    return fail(err, LACO_EINVAL, -1, "option --%s is %.100s but must be %s%s%s%s", row->name, text,
                from && to ? "from "
                : from     ? "at least "
                           : "at most ",
                from ? from : "", from && to ? " to " : "", to ? to : "");
}

static laco_status option_real(option_value *v, const char *text, laco_error *err)
{
    double x = 0;
    if (!number_parse(text, &x))
        return fail(err, LACO_EINVAL, -1, "option --%s: \"%.100s\" is not a number", v->row->name, text);
    laco_status status = option_bounds(v, text, x, err);
    if (!status) v->x = x;
    return status;
}

/* Plain digits, or any spelling of a whole number that a double holds exactly, such as 1e3. */
static laco_status option_integer(option_value *v, const char *text, laco_error *err)
{
    char *end;
    double x = 0;
    bool number = number_parse(text, &x), digits = text[strspn(text, "+-0123456789")] == 0;
    if (!number || x != floor(x))
        return fail(err, LACO_EINVAL, -1, "option --%s: \"%.100s\" is not a whole number", v->row->name, text);
    laco_status status = option_bounds(v, text, x, err);
    if (status) return status;
    errno = 0;
    long long i = digits ? strtoll(text, &end, 10) : 0;
    if (digits ? errno != 0 : fabs(x) >= 0x1p53)
        return fail(err, LACO_EINVAL, -1, "option --%s: %.100s is too large for a whole number", v->row->name, text);
    v->i = digits ? i : (int64_t)x;
    v->x = (double)v->i;
    return LACO_OK;
}

static laco_status option_flag(option_value *v, const char *text, laco_error *err)
{
    static const char *const words[] = { "0", "1", "false", "true", "no", "yes", "off", "on" };
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
        if (strcmp(text, words[k]) != 0) continue;
        v->flag = k % 2;
        return LACO_OK;
    }
    return fail(err, LACO_EINVAL, -1, "option --%s: \"%.100s\" is neither true nor false", v->row->name, text);
}

static laco_status option_choice(option_value *v, const char *text, laco_error *err)
{
    const char *names[OPTION_CHOICES + 1] = { NULL }, *near;
    const char *choices = v->row->choices ? v->row->choices : "";
    laco_status status = LACO_EINVAL;
    char *copy = mem_text(choices, strlen(choices));
    if (!copy) return fail_memory(err, strlen(choices));
    char *rest = copy;
    for (int k = 0; rest && k < OPTION_CHOICES; k++) {
        names[k] = strsep(&rest, "|");
        if (strcmp(names[k], text) == 0) status = LACO_OK;
    }
    if (status && (near = nearest_name(text, names)))
        fail(err, status, -1, "option --%s: \"%.60s\" is not one of %.200s; did you mean \"%.60s\"?", v->row->name,
             text, choices, near);
    else if (status)
        fail(err, status, -1, "option --%s: \"%.60s\" is not one of %.300s", v->row->name, text, choices);
    mem_free(copy);
    return status;
}

static laco_status option_check(option_value *v, const char *text, laco_error *err)
{
    switch (v->row->type) {
    case 'i':
        return option_integer(v, text, err);
    case 'f':
        return option_real(v, text, err);
    case 'b':
        return option_flag(v, text, err);
    case 'e':
        return option_choice(v, text, err);
    case 's':
        return LACO_OK;
    case 'p':
        if (*text) return LACO_OK;
        return fail(err, LACO_EINVAL, -1, "option --%s needs a path, and it is empty", v->row->name);
    default:
        return fail(err, LACO_EINVAL, -1, "option --%s has the unknown type '%c'", v->row->name, v->row->type);
    }
}

/* ---- the set ---- */
/* The rows of the command. Defaults are checked like any value. */
static laco_status option_collect(options *o, laco_error *err)
{
    for (int i = 0; i < o->row_count; i++) {
        const laco_option *row = &o->rows[i];
        if (!option_fits(row->command, o->command)) continue;
        option_value *v = &o->value[o->count++];
        *v = (option_value){ .row = row, .x = NAN };
        laco_status status = row->def ? option_check(v, row->def, err) : LACO_OK;
        if (status) return status;
    }
    return LACO_OK;
}

laco_status options_new(options **out, const laco_option *rows, int count, const char *command, laco_error *err)
{
    *out = NULL;
    size_t n = count > 0 ? (size_t)count : 0;
    options *o = mem_new(1, sizeof *o);
    if (!o) return fail_memory(err, sizeof *o);
    *o = (options){ .rows = rows, .row_count = (int)n, .command = mem_text(command, strlen(command)) };
    o->value = mem_new(n, sizeof *o->value);
    laco_status status =
        o->command && o->value ? option_collect(o, err) : fail_memory(err, n * sizeof *o->value + strlen(command));
    if (status)
        options_free(o);
    else
        *out = o;
    return status;
}

static laco_status option_unknown(const options *o, const char *name, laco_error *err)
{
    for (int i = 0; i < o->row_count; i++)
        if (strcmp(o->rows[i].name, name) == 0)
            return fail(err, LACO_EINVAL, -1, "option --%s is not for %s but for: %s", name, o->command,
                        o->rows[i].command);
    const char **names = mem_new((size_t)o->count + 1, sizeof *names), *near;
    if (!names) return fail_memory(err, (size_t)o->count * sizeof *names);
    for (int i = 0; i < o->count; i++) names[i] = o->value[i].row->name;
    if ((near = nearest_name(name, names)))
        fail(err, LACO_EINVAL, -1, "unknown option \"--%.100s\"; did you mean \"--%s\"?", name, near);
    else
        fail(err, LACO_EINVAL, -1, "unknown option \"--%.100s\"; the help of %s lists those there are", name,
             o->command);
    mem_free(names);
    return LACO_EINVAL;
}

laco_status options_set(options *o, const char *name, const char *value, laco_error *err)
{
    option_value *v = option_find(o, name);
    if (!v) return option_unknown(o, name, err);
    if (!value && v->row->type == 'b') value = "true";
    if (!value) return fail(err, LACO_EINVAL, -1, "option --%s needs a value", name);
    char *text = mem_text(value, strlen(value));
    if (!text) return fail_memory(err, strlen(value));
    laco_status status = option_check(v, text, err);
    if (status) {
        mem_free(text);
        return status;
    }
    mem_free(v->text);
    v->text = text;
    v->given = true;
    return LACO_OK;
}

bool options_given(const options *o, const char *name)
{
    const option_value *v = option_find(o, name);
    return v && v->given;
}

const char *options_text(const options *o, const char *name)
{
    const option_value *v = option_find(o, name);
    return !v ? NULL : v->text ? v->text : v->row->def;
}

int64_t options_int(const options *o, const char *name)
{
    const option_value *v = option_find(o, name);
    return v ? v->i : 0;
}

double options_real(const options *o, const char *name)
{
    const option_value *v = option_find(o, name);
    return v ? v->x : NAN;
}

bool options_flag(const options *o, const char *name)
{
    const option_value *v = option_find(o, name);
    return v && v->flag;
}

bool options_at(const options *o, int i, const char **name, const char **value)
{
    if (i >= o->count) return false;
    *name = o->value[i].row->name, *value = o->value[i].given ? o->value[i].text : NULL;
    return true;
}
char options_type(const options *o, const char *name)
{
    const option_value *v = option_find(o, name);
    return v ? v->row->type : 0;
}

void options_free(options *o)
{
    if (!o) return;
    for (int i = 0; i < o->count; i++) mem_free(o->value[i].text);
    mem_free(o->value);
    mem_free(o->command);
    mem_free(o);
}
