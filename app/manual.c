/* laco help --man: the manual page in roff (man(7)), from the rows that also make the help. */
#include "command.h"
#include <ctype.h>
#include <string.h>

/* Text as roff shows it literally: no escapes, no hyphens that turn into dashes, no line that begins as a request. */
static void print_text(FILE *to, const char *text)
{
    if (*text == '.' || *text == '\'') fputs("\\&", to);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", to);
        else if (*text == '-')
            fputs("\\-", to);
        else
            fputc(*text, to);
    }
}

static void print_line(FILE *to, const char *before, const char *text, const char *after)
{
    fputs(before, to);
    print_text(to, text);
    fprintf(to, "%s\n", after);
}

static void print_row(FILE *to, const laco_option *row, const char *section)
{
    char label[160], facts[160];
    row_label(row, label, sizeof label);
    row_facts(row, facts, sizeof facts);
    if (section) print_line(to, ".PP\n\\fI", section, "\\fR");
    print_line(to, ".TP\n\\fB", label, "\\fR");
    print_line(to, "", row->help, "");
    if (facts[0]) print_line(to, "", facts, "");
}

static void print_commands(FILE *to)
{
    for (const char *const *job = laco_names("command"); job && *job; job++) {
        char line[256];
        const char *about = laco_describe("command", *job);
        rows_synopsis(*job, line, sizeof line);
        print_line(to, ".SS ", line, "");
        print_line(to, "", about ? about : "", "");
        rows_walk(to, *job, print_row);
    }
    for (const subcommand *s = subcommands; s->name; s++) {
        print_line(to, ".SS laco ", s->name, "");
        if (s->arguments[0]) print_line(to, "Arguments: ", s->arguments, ".\n.br");
        print_line(to, "", s->summary, "");
    }
}

static const char manual_end[] =
    ".SH EXIT STATUS\n"
    ".TP\n0\nThe work is done, or was stopped and what there was is kept.\n"
    ".TP\n1\nThe work failed: a file, memory, a number that is not finite, standard output that is full or closed.\n"
    ".TP\n2\nThe call was wrong: an unknown command or option, a value out of bounds, an argument missing.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBLACO_THREADS\\fR\nThreads used when \\fB\\-\\-threads\\fR is 0.\n"
    ".TP\n\\fBLACO_SPILL\\fR\nBlocks of memory larger than this many bytes (K, M or G may stand behind the number; 0: "
    "never) lie in files without a name in TMPDIR or /var/tmp. Without it, a quarter of the memory of the machine.\n"
    ".TP\n\\fBLACO_ISA\\fR\nThe highest instruction set to use, one of those that \\fBlaco version\\fR lists.\n"
    ".SH SIGNALS\n"
    "The first SIGINT or SIGTERM ends the work soon, keeping what it has; the second ends the program at once.\n";

void manual_print(FILE *to)
{
    fprintf(to, ".TH LACO 1 \"\" \"laco %s\" \"User Commands\"\n", laco_version());
    fputs(".SH NAME\nlaco \\- train, examine and run recurrent neural networks\n.SH SYNOPSIS\n", to);
    for (const char *const *job = laco_names("command"); job && *job; job++) {
        char line[256];
        rows_synopsis(*job, line, sizeof line);
        print_line(to, "\\fB", line, "\\fR\n.br");
    }
    for (const subcommand *s = subcommands; s->name; s++) print_line(to, "\\fBlaco ", s->name, "\\fR\n.br");
    fputs(".SH DESCRIPTION\n"
          "Options are written \\fB\\-\\-name value\\fR or \\fB\\-\\-name=value\\fR. Results go to standard output,\n"
          "progress to standard error. Models are safetensors files that hold the description of their network.\n"
          "\\fBlaco help\\fR lists the cells, layers and other names that a network is described with.\n"
          ".SH COMMANDS\n",
          to);
    print_commands(to);
    fputs(manual_end, to);
    fputs(".SH EXAMPLES\n", to);
    for (const example *e = examples; e->command; e++) print_line(to, ".PP\n.EX\n", e->line, "\n.EE");
}
