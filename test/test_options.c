/* Every row of the option table is sound: the help, the parser and the manual page rely on it. */
#include "laco.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool has_word(const char *words, const char *word, char separator)
{
    size_t n = strlen(word);
    for (const char *p = words; p; p = strchr(p, separator), p = p ? p + 1 : NULL)
        if (strncmp(p, word, n) == 0 && (p[n] == 0 || p[n] == separator)) return true;
    return false;
}

static void rows_are_sound(void **state)
{
    (void)state;
    int count;
    const laco_option *rows = laco_options(&count);
    assert_true(count > 50);
    for (int i = 0; i < count; i++) {
        const laco_option *r = &rows[i];
        bool number = r->type == 'i' || r->type == 'f', ok = r->name[0] && r->command[0] && r->section[0];
        ok = ok && strchr("ifspbe", r->type) && strspn(r->name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(r->name);
        ok = ok && r->help[strlen(r->help) - 1] == '.' && strlen(r->help) < 500;
        ok = ok && (r->type == 'e') == (r->choices != NULL) && (number ? r->min < r->max : r->min == r->max);
        if (r->type == 'e' && r->def) ok = ok && has_word(r->choices, r->def, '|');
        if (r->type == 'b') ok = ok && !r->def;
        if (number && r->def) {
            char *end;
            double value = strtod(r->def, &end);
            ok = ok && *end == 0 && value >= r->min && value <= r->max && (r->type == 'f' || !strpbrk(r->def, ".e"));
        }
        if (!ok) fail_msg("row %d, --%s, is not sound", i, r->name);
    }
}

/* One meaning per name and command, and the options of a section side by side. */
static void rows_do_not_collide(void **state)
{
    (void)state;
    static const char *const commands[] = { "train", "sample", "eval", "score", "stream", "info", "selftest", "bench",
                                            "compare-gradients" };
    int count;
    const laco_option *rows = laco_options(&count);
    for (size_t c = 0; c < sizeof commands / sizeof commands[0]; c++) {
        const char *last = "";
        for (int i = 0; i < count; i++) {
            if (!has_word(rows[i].command, commands[c], ' ')) continue;
            for (int j = 0; j < i; j++) {
                if (!has_word(rows[j].command, commands[c], ' ')) continue;
                if (strcmp(rows[i].name, rows[j].name) == 0)
                    fail_msg("%s has two rows --%s", commands[c], rows[i].name);
                if (strcmp(rows[i].section, rows[j].section) == 0 && strcmp(rows[i].section, last) != 0)
                    fail_msg("%s: --%s stands apart from its section", commands[c], rows[i].name);
            }
            last = rows[i].section;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_are_sound), cmocka_unit_test(rows_do_not_collide) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
