/* laco help, laco help COMMAND, laco help cells, laco help lstm, laco help --man, laco version. */
#include "command.h"
#include <string.h>

enum { LABEL_COLUMN = 26, WIDTH = 79 };

static const struct {
    const char *kind, *plural, *title;
} kinds[] = {
    { "cell", "cells", "Recurrent cells: --cell NAME, or in --model" },
    { "variant", "variants", "Words that change a cell, in --model behind it" },
    { "layer", "layers", "Layers, in --model" },
    { "loss", "losses", "Losses" },
    { "optimizer", "optimizers", "Optimizers: --optimizer NAME" },
    { "schedule", "schedules", "Schedules of the learning rate: --schedule NAME" },
    { "initializer", "initializers", "Initializers: --init NAME" },
    { "task", "tasks", "Long-memory tasks of laco train synthetic: --task NAME" },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Label in column 2, text from LABEL_COLUMN on, broken at blanks. */
static void print_entry(FILE *to, const char *label, const char *text)
{
    int column = fprintf(to, "  %s", label);
    if (column > LABEL_COLUMN - 2) {
        fputc('\n', to);
        column = 0;
    }
    bool first = true;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (!first && column + 1 + word > WIDTH) {
            fputc('\n', to);
            column = 0;
            first = true;
        }
        column += first ? fprintf(to, "%*s", LABEL_COLUMN - column, "") : fprintf(to, " ");
        column += fprintf(to, "%.*s", word, text);
        first = false;
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}

static void print_row(FILE *to, const laco_option *row, const char *section)
{
    char label[160], facts[160], text[1024];
    row_label(row, label, sizeof label);
    row_facts(row, facts, sizeof facts);
    snprintf(text, sizeof text, "%s%s%s", row->help, facts[0] ? " " : "", facts);
    if (section || args_position(row)) fprintf(to, "\n%s%s", section ? section : "", section ? "\n" : "");
    print_entry(to, label, text);
}

static void print_job(const char *command)
{
    char line[256];
    const char *about = laco_describe("command", command);
    rows_synopsis(command, line, sizeof line);
    printf("%s\n%s%s", line, about ? about : "", about ? "\n" : "");
    for (const example *e = examples; e->command; e++)
        if (strcmp(e->command, command) == 0) printf("  %s\n", e->line);
    rows_walk(stdout, command, print_row);
    print_entry(stdout, "--help", "Shows this.");
    print_entry(stdout, "--version", "Shows the version.");
}

int help_command(const char *command)
{
    int shown = 0;
    for (const char *const *job = laco_names("command"); job && *job; job++)
        if (strcmp(*job, command) == 0 || first_word_is(*job, command)) {
            if (shown++) printf("\n");
            print_job(*job);
        }
    return shown ? EXIT_DONE : EXIT_CALL;
}

void help_overview(FILE *to)
{
    fprintf(to, "laco %s: recurrent neural networks\n\n", laco_version());
    fprintf(to, "See what they do, in a minute; learn a text of your own; let the network write:\n");
    fprintf(to, "  laco demo\n");
    fprintf(to, "  laco train lm --data book.txt --out book.safetensors\n");
    fprintf(to, "  laco sample book.safetensors --prime \"Once upon\"\n\n");
    fprintf(to, "Commands\n");
    for (const char *const *job = laco_names("command"); job && *job; job++) {
        const char *about = laco_describe("command", *job);
        print_entry(to, *job, about ? about : "");
    }
    for (const subcommand *s = subcommands; s->name; s++) print_entry(to, s->name, s->summary);
    fprintf(to, "\nHelp\n");
    print_entry(to, "laco help COMMAND", "every option of a command, with default and bounds");
    for (int i = 0; i < KINDS; i++) {
        char label[64];
        snprintf(label, sizeof label, "laco help %s", kinds[i].plural);
        print_entry(to, label, kinds[i].title);
    }
    print_entry(to, "laco help --man", "the manual page, for man -l");
}

static void print_kind(int k)
{
    printf("%s\n", kinds[k].title);
    for (const char *const *name = laco_names(kinds[k].kind); name && *name; name++) {
        const char *about = laco_describe(kinds[k].kind, *name);
        print_entry(stdout, *name, about ? about : "");
    }
}

/* `laco help lstm`: the line about a name, of whatever kind. */
static bool describe_name(const char *word)
{
    bool found = false;
    for (int k = 0; k < KINDS; k++) {
        const char *about = laco_describe(kinds[k].kind, word);
        if (!about) continue;
        printf("%s: %s (laco help %s)\n", word, about, kinds[k].plural);
        found = true;
    }
    return found;
}

static int unknown_subject(const char *word)
{
    nearest near = nearest_to(word);
    for (const char *const *job = laco_names("command"); job && *job; job++) nearest_try(&near, *job);
    for (const subcommand *s = subcommands; s->name; s++) nearest_try(&near, s->name);
    for (int k = 0; k < KINDS; k++) {
        nearest_try(&near, kinds[k].plural);
        for (const char *const *name = laco_names(kinds[k].kind); name && *name; name++) nearest_try(&near, *name);
    }
    if (near.best) return wrong("there is no help on \"%s\"; did you mean \"laco help %s\"?", word, near.best);
    return wrong("there is no help on \"%s\"; \"laco help\" lists the subjects", word);
}

bool help_subcommand(const char *name)
{
    for (const subcommand *s = subcommands; s->name; s++)
        if (strcmp(s->name, name) == 0) {
            printf("laco %s%s%s\n%s\n", s->name, s->arguments[0] ? " " : "", s->arguments, s->summary);
            return true;
        }
    return false;
}

/* One or more words: "train", "train lm", "lm", "cells", "lstm". */
static int help_subject(const char *subject)
{
    if (help_command(subject) == EXIT_DONE) return EXIT_DONE;
    for (const char *const *job = laco_names("command"); job && *job; job++) {
        const char *task = strchr(*job, ' ');
        if (task && strcmp(task + 1, subject) == 0) return help_command(*job);
    }
    if (help_subcommand(subject)) return EXIT_DONE;
    for (int k = 0; k < KINDS; k++)
        if (strcmp(subject, kinds[k].kind) == 0 || strcmp(subject, kinds[k].plural) == 0) {
            print_kind(k);
            return EXIT_DONE;
        }
    return describe_name(subject) ? EXIT_DONE : unknown_subject(subject);
}

int help_run(int argc, char **argv)
{
    char subject[128] = "";
    size_t n = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--man") == 0) {
            manual_print(stdout);
            return EXIT_DONE;
        }
        if (argv[i][0] == '-') return wrong("help has no option %s; there is --man", argv[i]);
        if (n < sizeof subject) n += (size_t)snprintf(subject + n, sizeof subject - n, "%s%s", n ? " " : "", argv[i]);
    }
    if (n > 0) return help_subject(subject);
    help_overview(stdout);
    return EXIT_DONE;
}

int version_run(int argc, char **argv)
{
    (void)argv;
    if (argc > 0) return wrong("version takes no arguments");
    printf("laco %s\n", laco_version());
    const char *info = laco_build_info();
    size_t n = strlen(info);
    printf("%s%s", info, n > 0 && info[n - 1] != '\n' ? "\n" : "");
    return EXIT_DONE;
}
