/* laco: the command. Finds the subcommand and runs it.

   Subcommands of the program itself are the rows below. Everything else is a job of the library, found by its name in
   laco_names("command"), so a new task needs no line here. */
#include "command.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

const subcommand subcommands[] = {
    { "demo", "[esn]", "Shows what memory is good for: five small networks learn a children's book. esn: a reservoir.", demo_run },
    { "help", "[COMMAND | cells | layers | ...]",
      "Lists the options of a command, or the names of cells, layers and so on.", help_run },
    { "version", "", "Shows the version, the instruction set in use and the optional libraries found.", version_run },
    { NULL, NULL, NULL, NULL },
};

static bool asks_help(const char *word) { return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0; }

static const char *second_word(const char *words)
{
    const char *blank = strchr(words, ' ');
    return blank ? blank + 1 : NULL;
}

static int unknown_command(const char *word)
{
    nearest near = nearest_to(word);
    for (const subcommand *s = subcommands; s->name; s++) nearest_try(&near, s->name);
    for (const char *const *job = laco_names("command"); job && *job; job++) nearest_try(&near, *job);
    if (near.best) return wrong("there is no command \"%s\"; did you mean \"laco %s\"?", word, near.best);
    return wrong("there is no command \"%s\"; \"laco help\" lists them", word);
}

/* `laco train lm ...`: the first word alone does not name a job; the second has to. */
static int run_group(const char *group, int argc, char **argv)
{
    const char *only = NULL;
    nearest near = nearest_to(argc > 0 ? argv[0] : "");
    for (const char *const *job = laco_names("command"); *job; job++) {
        if (!first_word_is(*job, group)) continue;
        const char *task = second_word(*job);
        if (!only) only = *job;
        if (argc > 0 && strcmp(argv[0], task) == 0) return run_command(*job, argc - 1, argv + 1);
        nearest_try(&near, task);
    }
    if (argc > 0 && asks_help(argv[0])) return help_command(group);
    if (argc > 0 && strcmp(argv[0], "--version") == 0) return version_run(0, NULL);
    if (argc == 0 || argv[0][0] == '-')
        return wrong("%s what? Write \"laco %s\"; \"laco help %s\" lists the tasks", group, only, group);
    if (near.best)
        return wrong("%s has no task \"%s\"; did you mean \"laco %s %s\"?", group, argv[0], group, near.best);
    return wrong("%s has no task \"%s\"; \"laco help %s\" lists them", group, argv[0], group);
}

static int run_subcommand(const subcommand *s, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (asks_help(argv[i])) return help_subcommand(s->name) ? EXIT_DONE : EXIT_CALL;
        if (strcmp(argv[i], "--version") == 0) return version_run(0, NULL);
    }
    return s->run(argc, argv);
}

static int dispatch(int argc, char **argv)
{
    if (argc == 0) {
        help_overview(stderr);
        return EXIT_CALL;
    }
    const char *word = argv[0];
    if (asks_help(word)) return help_run(argc - 1, argv + 1);
    if (strcmp(word, "--version") == 0) return version_run(argc - 1, argv + 1);
    if (word[0] == '-') return wrong("%s stands before any command; write \"laco COMMAND %s ...\"", word, word);
    for (const subcommand *s = subcommands; s->name; s++)
        if (strcmp(word, s->name) == 0) return run_subcommand(s, argc - 1, argv + 1);
    for (const char *const *job = laco_names("command"); job && *job; job++) {
        if (!first_word_is(*job, word)) continue;
        if (second_word(*job)) return run_group(word, argc - 1, argv + 1);
        return run_command(*job, argc - 1, argv + 1);
    }
    return unknown_command(word);
}

/* A closed standard stream would lend its number to the next file opened: a model must never be that file. Reading
   for 1 and 2, so that writing to them still fails and is noticed. */
static void occupy_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) _exit(EXIT_WORK);
}

int main(int argc, char **argv)
{
    occupy_standard_streams();
    signal(SIGPIPE, SIG_IGN); /* a reader that left, or a file past its limit, shows as a failed write: */
    signal(SIGXFSZ, SIG_IGN); /* training must not die of it */
    return finish_output(dispatch(argc > 0 ? argc - 1 : 0, argv + 1));
}
