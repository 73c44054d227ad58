/* What this build is and what it knows: version, instruction sets, optional libraries, and the names of every kind,
   from the rows of the lists themselves. */
#include "data/synthetic.h"
#include "net/kernels.h"
#include "net/net.h"
#include "optim/schedule.h"
#include <stdatomic.h>
#include <stdio.h>

#define TEXT(x) #x
#define DOTTED(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)
const char *laco_version(void) { return DOTTED(LACO_VERSION_MAJOR, LACO_VERSION_MINOR, LACO_VERSION_PATCH); }

/* ---- rows of every kind ---- */
typedef struct named {
    char name[80];
    const char *about;
} named;
/* Row i of a kind; false past the last. Names and descriptions are the same for every instruction set. */
typedef bool row_fn(int i, named *out);

static const kernels *any_kernels(void) { return kernels_at(0, REAL_FLOAT); }

static bool put(named *out, const char *name, const char *about)
{
    snprintf(out->name, sizeof out->name, "%s", name);
    out->about = about;
    return true;
}
static bool cell_row(int i, named *out)
{
    const cell_info *c = any_kernels()->recur->cell(i);
    return c && put(out, c->name, c->about);
}
/* "embed dropout": word i of layers, or of any cell. */
static bool word_row(int i, bool cells, named *out)
{
    for (const describe_word *w = describe_words(); w->kind; w++)
        if (!strcmp(w->kind, "cell") == cells && i-- == 0) {
            out->about = w->about;
            return snprintf(out->name, sizeof out->name, "%s %s", w->kind, w->word) > 0;
        }
    return false;
}
/* "lstm peephole": the words of each cell, then its aliases; then the words of all cells. */
static bool variant_row(int i, named *out)
{
    const cell_info *c;
    for (int k = 0; (c = any_kernels()->recur->cell(k)); k++) {
        const char *word = NULL;
        for (const cell_word *w = c->words; !word && w && w->word; w++)
            if (i-- == 0) word = w->word, out->about = w->about;
        for (const cell_alias *a = c->aliases; !word && a && a->word; a++)
            if (i-- == 0) word = a->word, out->about = a->about;
        if (word) return snprintf(out->name, sizeof out->name, "%s %s", c->name, word) > 0;
    }
    return word_row(i, true, out);
}
static bool layer_row(int i, named *out)
{
    const layer_kind *const *l = any_kernels()->layers;
    for (; *l; l++)
        if (i-- == 0) return put(out, (*l)->name, (*l)->about);
    return word_row(i, false, out);
}
static bool loss_kind_row(int i, named *out)
{
    const loss_row *l = any_kernels()->loss->row(i);
    return l && put(out, l->name, l->about);
}
static bool optimizer_row(int i, named *out)
{
    const optim_row *o = any_kernels()->optim->row(i);
    return o && put(out, o->name, o->about);
}
static bool schedule_row(int i, named *out)
{
    const char *name = schedule_name(i);
    return name && put(out, name, schedule_about(i));
}
static bool initializer_row(int i, named *out)
{
    const char *name = init_names()[i];
    return name && put(out, name, init_about(name));
}
static bool task_row(int i, named *out)
{
    int count;
    const synth_task *rows = synth_tasks(&count);
    return i < count && put(out, rows[i].name, rows[i].about);
}
static bool command_row(int i, named *out)
{
    static const char *const rows[][2] = {
        { "train lm", "Trains a language model on a text and saves the best one." },
        { "train tag", "Trains a network to say the tag of every word, or the class of every step." },
        { "train classify", "Trains a network to say the class of a text or a series, or a number." },
        { "train forecast", "Trains a network to forecast one or many series, beside simple forecasts." },
        { "train compose", "Trains a network to predict which notes of polyphonic music sound next." },
        { "train synthetic", "Trains a network on a long-memory task until that is solved, by its paper." },
        { "esn train", "Trains an echo state network on a series in seconds: only its readout is solved." },
        { "esn run", "Answers along a series with an echo state network; scores what is odd, may go on learning." },
        { "esn generate", "Leads an echo state network through a series and lets it run on by itself." },
        { "esn info", "Shows whether a reservoir forgets how it began, what it remembers, and how rich it is." },
        { "esn series", "Makes a series that reservoirs are measured on, as CSV." },
        { "esn bench", "Runs the standard benchmarks over many reservoirs: median and spread." },
        { "esn search", "Trains over a space of settings: laco search." },
        { "resume", "Goes on with a training run from its checkpoints, after a stop, a crash or a power cut." },
        { "search", "Trains over a space of settings, tells the best, and goes on where it was stopped." },
        { "predict", "Answers new data with a model, line by line." },
        { "eval", "Measures how well a model does on data whose answers are known." },
        { "explain", "Shows what every step of a sequence contributed to the answer of a model." },
        { "sample", "Writes text or music with a model." },
        { "score", "Gives every line of a text its probability under a model." },
        { "anomaly", "Says of every step of a series how little it was to be expected, and which are anomalies." },
        { "stream", "Steps a network through numbers or text as they come." },
        { "data", "Shows what is understood of a file: columns, types, lengths, and what would mislead." },
        { "info", "Shows the layers of a model, what they cost, and how it was trained." },
        { "selftest", "Compares this build with stored results and with itself in double precision." },
        { "bench", "Measures the speed of this machine and of this library on it." },
        { "diagnose", "Shows how far back a model's gradients reach, and its gates, as a page." },
        { "compare-gradients", "Trains one network by every way to a gradient, side by side." },
    };
    return (size_t)i < sizeof rows / sizeof *rows && put(out, rows[i][0], rows[i][1]);
}
static const struct {
    const char *kind;
    row_fn *row;
} kinds[] = {
    { "cell", cell_row },
    { "variant", variant_row },
    { "layer", layer_row },
    { "loss", loss_kind_row },
    { "optimizer", optimizer_row },
    { "schedule", schedule_row },
    { "initializer", initializer_row },
    { "task", task_row },
    { "command", command_row },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int find_kind(const char *kind)
{
    for (int k = 0; kind && k < KINDS; k++)
        if (!strcmp(kinds[k].kind, kind)) return k;
    return -1;
}

/* ---- names ---- an array of a kind is made when it is first asked for, and kept for the life of the process. Threads
   that ask at once each make one; the first to put it in its place wins, the others free theirs. */
typedef struct name_list {
    const char **names;
    named row[];
} name_list;
static _Atomic(name_list *) lists[KINDS];

static name_list *make_list(int k)
{
    named row = { .name = "" };
    int n = 0;
    while (kinds[k].row(n, &row)) n++;
    size_t rows = sizeof(name_list) + (size_t)n * sizeof(named);
    name_list *l = mem_new(rows + ((size_t)n + 1) * sizeof(char *), 1);
    if (!l) return NULL;
    l->names = (const char **)((char *)l + rows);
    for (int i = 0; i < n; i++) kinds[k].row(i, &l->row[i]), l->names[i] = l->row[i].name;
    return l;
}
const char *const *laco_names(const char *kind)
{
    int k = find_kind(kind);
    if (k < 0) return NULL;
    name_list *there = atomic_load(&lists[k]);
    if (there) return there->names;
    name_list *made = make_list(k);
    if (!made) return NULL;
    if (atomic_compare_exchange_strong(&lists[k], &there, made)) return made->names;
    mem_free(made);
    return there->names;
}
const char *laco_describe(const char *kind, const char *name)
{
    int k = find_kind(kind);
    named row = { .name = "" };
    for (int i = 0; k >= 0 && name && kinds[k].row(i, &row); i++)
        if (!strcmp(row.name, name)) return row.about;
    return NULL;
}

/* ---- build ---- */
#ifdef HAVE_ZLIB
#define ZLIB_STATE "found"
#else
#define ZLIB_STATE "absent; install zlib1g-dev and build again to read .gz"
#endif
#ifdef HAVE_UTF8PROC
#define UTF8PROC_STATE "found"
#else
#define UTF8PROC_STATE "absent; install libutf8proc-dev and build again for the lower case of all scripts"
#endif
#ifdef HAVE_SNDFILE
#define SNDFILE_STATE "found"
#else
#define SNDFILE_STATE "absent; install libsndfile1-dev and build again to read sound"
#endif
enum { INFO_TEXT = 512 };
static _Atomic(char *) build_info; /* as lists */

const char *laco_build_info(void)
{
    const kernels *k;
    char *there = atomic_load(&build_info);
    if (there) return there;
    char *text = mem_new(INFO_TEXT, 1);
    if (!text) return "";
    const char *isa = kernels_choose(&k, REAL_FLOAT, NULL) ? "none" : k->isa; /* LACO_ISA may name what is not built */
    snprintf(text, INFO_TEXT, "isa: %s (built: %s)\nzlib: %s\nutf8proc: %s\nsndfile: %s\n", isa, kernels_built(), ZLIB_STATE,
             UTF8PROC_STATE, SNDFILE_STATE);
    if (atomic_compare_exchange_strong(&build_info, &there, text)) return text;
    mem_free(text);
    return there;
}
