/* laco demo: what memory is good for, in a minute. Five small networks learn two texts (demo_text.c) and show what they
   can say afterwards: a bigram network, one that sees a window of words, and three recurrent ones.

   All of it goes through jobs of the library, as `laco train lm` and `laco sample` do; models live in a temporary
   folder that is removed at the end. */
#include "command.h"
#include "demo_kit.h"
#include "demo_text.h"
#include <stdlib.h>
#include <string.h>

enum {
    BOOK_SENTENCES = 3000,
    RECITALS = 200,
    JUDGED = 1000,
    SHOWN = 10,
    NETWORKS = 5,
    WRITTEN_TOKENS = 8 * JUDGED,
    WIDTH = 79,
    INDENT = 4
};

static const struct network {
    const char *name, *book_model, *alphabet_model, *about;
} networks[NETWORKS] = {
    { "bigram", "embed 8; dense", "embed 8; dense", "sees one word, the last" },
    { "window", "embed 8; window 2; dense 16 tanh; dense", "embed 8; window 2; dense 32 tanh; dense",
      "sees the last two words, and nothing before them" },
    { "elman", "embed 8; elman 16; dense", "embed 8; elman 32; dense", "has a memory, rewritten at every word" },
    { "lstm", "embed 8; lstm 16; dense", "embed 8; lstm 32; dense",
      "has a memory with gates: what to keep, to add, to show" },
    { "gru", "embed 8; gru 16; dense", "embed 8; gru 32; dense", "has a memory with two gates" },
};

static const setting book_settings[] = { { "epochs", "200" }, { "batch", "16" }, { "lr", "0.04" }, { NULL, NULL } };
static const setting alphabet_settings[] = { { "epochs", "40" }, { "batch", "8" }, { "lr", "0.02" }, { NULL, NULL } };
static const setting common_settings[] = {
    { "unit", "word" }, { "split", "0" }, { "init", "orthogonal" }, { "steps", "16" },
    { "warmup", "0" },  { "ngram", "0" }, { "quiet", "true" },      { NULL, NULL },
};

typedef struct demo {
    char folder[DEMO_PATH], model[DEMO_PATH + 32];
    double seconds, parameters; /* of the last training */
} demo;

static int train(demo *d, const char *model, const char *text, const setting *settings)
{
    const setting own[] = { { "model", model }, { "out", d->model }, { NULL, NULL } };
    laco_error err;
    laco_job *job;
    laco_watch watch = { .size = sizeof watch, .note = demo_drop };
    laco_status status = laco_job_new(&job, "train lm", &err);
    if (status != LACO_OK) return complain(status, &err);
    int code = demo_apply(job, common_settings);
    if (code == EXIT_DONE) code = demo_apply(job, settings);
    if (code == EXIT_DONE) code = demo_apply(job, own);
    if (code == EXIT_DONE) {
        status = laco_job_text(job, "data", text, strlen(text), &err);
        if (status == LACO_OK) status = run_stoppable(job, &watch, &err);
        if (status != LACO_OK) code = complain(status, &err);
        if (status == LACO_OK && was_stopped()) code = failed("the demonstration was stopped");
    }
    d->seconds = demo_number(laco_job_result(job), "seconds");
    d->parameters = demo_number(laco_job_result(job), "parameters");
    laco_job_free(job);
    return code;
}

/* What the model writes behind `prime`, freed by the caller. */
static int sample(demo *d, const char *prime, const setting *settings, char **text)
{
    const setting own[] = { { "model-file", d->model }, { "prime", prime }, { "quiet", "true" }, { NULL, NULL } };
    demo_text g = { 0 };
    laco_error err;
    laco_job *job;
    laco_watch watch = { .size = sizeof watch, .ctx = &g, .note = demo_drop, .out = demo_gather };
    laco_status status = laco_job_new(&job, "sample", &err);
    if (status != LACO_OK) return complain(status, &err);
    int code = demo_apply(job, own);
    if (code == EXIT_DONE) code = demo_apply(job, settings);
    if (code == EXIT_DONE) {
        demo_gather(&g, "", 0); /* a text even when nothing is written */
        status = run_stoppable(job, &watch, &err);
        if (status != LACO_OK) code = complain(status, &err);
        if (status == LACO_OK && was_stopped()) code = failed("the demonstration was stopped");
        if (code == EXIT_DONE && g.no_memory) code = failed("no memory for what the network writes");
    }
    laco_job_free(job);
    if (code != EXIT_DONE) {
        free(g.text);
        return code;
    }
    size_t echoed = strlen(prime);
    if (strncmp(g.text, prime, echoed) == 0) memmove(g.text, g.text + echoed, g.n - echoed + 1);
    *text = g.text;
    return EXIT_DONE;
}

/* ---- the book ---- */
typedef struct book_result {
    demo_count count;
    double seconds, parameters;
} book_result;

static void print_wrapped(const char *text, size_t n)
{
    int column = 0;
    while (n > 0) {
        size_t blanks = strspn(text, " \n"), word = strcspn(text + blanks, " \n");
        if (blanks + word > n || word == 0) break;
        if (column + 1 + (int)word > WIDTH) {
            printf("\n");
            column = 0;
        }
        column += printf("%*s%.*s", column ? 1 : INDENT, "", (int)word, text + blanks);
        text += blanks + word;
        n -= blanks + word;
    }
    printf("\n");
}

static int book_network(demo *d, int k, const char *book, book_result *result)
{
    char length[32], seed[32], *text;
    snprintf(length, sizeof length, "%d", WRITTEN_TOKENS);
    snprintf(seed, sizeof seed, "%d", k + 1); /* with one seed, networks of one opinion write one text */
    const setting free_writing[] = { { "length", length }, { "seed", seed }, { NULL, NULL } };
    int code = train(d, networks[k].book_model, book, book_settings);
    if (code == EXIT_DONE) code = sample(d, "Jane saw Spot .", free_writing, &text);
    if (code != EXIT_DONE) return code;
    printf("\n  %-8s%s\n          %s\n", networks[k].name, networks[k].about, networks[k].book_model);
    print_wrapped(text, demo_beginning(text, SHOWN));
    *result = (book_result){ demo_judge(text, JUDGED), d->seconds, d->parameters };
    fflush(stdout);
    free(text);
    return EXIT_DONE;
}

static void print_mistakes(const book_result results[NETWORKS])
{
    static const int widths[DEMO_MISTAKES] = { 8, 8, 10, 7 };
    printf("\nMistakes in 1,000 sentences of each:\n\n"
           "  network   itself  run-on  fragment  other   total    trained  parameters\n");
    for (int k = 0; k < NETWORKS; k++) {
        const book_result *r = &results[k];
        double scale = r->count.sentences ? 1000.0 / r->count.sentences : 0, total = 0;
        printf("  %-8s", networks[k].name);
        for (int m = 0; m < DEMO_MISTAKES; m++) {
            printf("%*.0f", widths[m], scale * r->count.mistakes[m]);
            total += r->count.mistakes[m];
        }
        printf("%8.0f%9.1f s%12.0f\n", scale * total, r->seconds, r->parameters);
    }
    printf("\n  itself    somebody sees themselves: Jane saw Jane .\n"
           "  run-on    the sentence does not end: Jane saw Spot saw Doug .\n"
           "  fragment  it ends too soon: Spot .\n"
           "  other     all other nonsense: Doug Jane saw Spot .\n");
}

static int show_book(demo *d)
{
    book_result results[NETWORKS];
    char *book = demo_book(BOOK_SENTENCES);
    if (!book) return failed("no memory for the book");
    printf("1. A book for children\n\n"
           "It has %d sentences made of five words: Doug, Jane, Spot, saw and the full\n"
           "stop. Nobody ever sees themselves. This is how it goes:\n\n",
           BOOK_SENTENCES);
    print_wrapped(book, demo_beginning(book, 4));
    printf("\nFive small networks learn it by guessing every next word. Then each of them\n"
           "writes a book of its own, one likely word after the other. It begins:\n");
    fflush(stdout);
    int code = EXIT_DONE;
    for (int k = 0; k < NETWORKS && code == EXIT_DONE; k++) code = book_network(d, k, book, &results[k]);
    free(book);
    if (code != EXIT_DONE) return code;
    print_mistakes(results);
    printf("\nOne word is not enough: behind \"Jane\" only a memory knows whether she sees\n"
           "or is seen. Two words are just enough for this book, but not for what follows.\n");
    return EXIT_DONE;
}

/* ---- the alphabet ---- */

/* The word that the network expects behind the alphabet said as far as q. */
static int ask_alphabet(demo *d, bool forwards, char answer[16])
{
    static const setting one_word[] = { { "length", "1" }, { "greedy", "true" }, { NULL, NULL } };
    char *text, *prime = demo_prime(forwards, 'q');
    if (!prime) return failed("no memory for the alphabet");
    int code = sample(d, prime, one_word, &text);
    free(prime);
    if (code != EXIT_DONE) return code;
    const char *word = text + strspn(text, " \n");
    snprintf(answer, 16, "%.*s", (int)strcspn(word, " \n"), word);
    free(text);
    return EXIT_DONE;
}

static int alphabet_network(demo *d, int k, const char *alphabet)
{
    char forwards[16], backwards[16];
    int code = train(d, networks[k].alphabet_model, alphabet, alphabet_settings);
    if (code == EXIT_DONE) code = ask_alphabet(d, true, forwards);
    if (code == EXIT_DONE) code = ask_alphabet(d, false, backwards);
    if (code != EXIT_DONE) return code;
    int right = (strcmp(forwards, "r") == 0) + (strcmp(backwards, "p") == 0);
    static const char *const verdicts[] = { "neither is right", "one is right, by luck", "both are right" };
    printf("  %-8s%7s%11s     %s\n", networks[k].name, forwards, backwards, verdicts[right]);
    fflush(stdout);
    return EXIT_DONE;
}

static int show_alphabet(demo *d)
{
    char *alphabet = demo_alphabet(RECITALS);
    if (!alphabet) return failed("no memory for the alphabet");
    printf("\n2. The alphabet, in both directions\n\n"
           "    forward a then b then c then d then ... y then z .\n"
           "    backward z then y then x then w then ... b then a .\n\n"
           "What comes after \"q then\"? That depends on the direction, which was said long\n"
           "before: the last two words do not tell.\n\n"
           "  network   forwards   backwards\n"
           "  expected      r          p\n");
    fflush(stdout);
    int code = EXIT_DONE;
    for (int k = 0; k < NETWORKS && code == EXIT_DONE; k++) code = alphabet_network(d, k, alphabet);
    free(alphabet);
    return code;
}

/* ---- the whole ---- */
int demo_run(int argc, char **argv)
{
    demo d;
    if (argc == 1 && strcmp(argv[0], "esn") == 0) return demo_esn();
    if (argc > 0) return wrong("demo takes no arguments, or esn");
    int code = demo_make_folder(d.folder);
    if (code != EXIT_DONE) return code;
    snprintf(d.model, sizeof d.model, "%s/demo.safetensors", d.folder);
    printf("What is memory good for?\n\n");
    code = show_book(&d);
    if (code == EXIT_DONE) code = show_alphabet(&d);
    demo_remove_folder(d.folder);
    if (code != EXIT_DONE) return code;
    printf("\nThe same with a text of your own, letter by letter:\n\n"
           "  laco train lm --data book.txt --out book.safetensors\n"
           "  laco sample book.safetensors --prime \"Once upon\" --length 500\n");
    return EXIT_DONE;
}
