/* The options of every command, one row each. A row serves the command line, laco_job_set, the metadata of a model, the
   help and the manual page: to add an option, add a row and read it in the job by its name. Here are the arguments,
   generation and what is general; options_data.h, options_network.h and options_training.h hold the other sections.

   Rows stand in the order of the help: those of one section together, sections in the order of the work. A name may
   have several rows when commands differ in default or meaning; the first row whose commands fit is meant.
   "model-file" and "what" are the arguments that commands take by position. */
#include "laco.h"

#define HUGE_COUNT 1e15 /* as good as no bound, and still exact in a double */
#define LARGEST_SEED 9007199254740992.0

#define DATA "Data"
#define NETWORK "Network"
#define TRAINING "Training"
#define RATE "Learning rate"
#define GENERATION "Generation"
#define GENERAL "General"
#define INITIALIZERS "default|uniform|glorot|orthogonal|identity|chrono"
#define SCHEDULES "constant|step|exponential|inverse-sqrt|cosine|cosine-restarts|one-cycle|plateau"
#define COMPARE "compare-gradients"
#define TABLES "train.classify train.tag train.forecast esn.train esn.run esn.generate esn.info predict eval explain anomaly data" /* commands that may read tables */
#define ANY_JOB "train esn resume search diagnose predict explain sample eval score anomaly stream info data selftest bench " COMPARE

static const laco_option option_rows[] = {
    /* name, command, section, type, default, min, max, choices, unit, help */
    { "model-file", "esn.run esn.generate predict explain sample eval score anomaly stream info diagnose", DATA, 'p', NULL, 0, 0, NULL, NULL,
      "The model, a file made by laco train." },
    { "model-file", "esn.info", DATA, 's', "", 0, 0, NULL, NULL,
      "The model, a file made by laco esn train; without it, the network that --model describes." },
    { "folder", "resume", DATA, 'p', NULL, 0, 0, NULL, NULL,
      "The folder of --checkpoint of the run that is to go on. Everything is as it was but --epochs, --minutes, "
      "--patience, --lr, --memory and --threads where they are given." },
    { "what", "bench", GENERAL, 'e', "all", 0, 0, "all|peak|gemm|train|cells|stream|esn|regularisers|long|read|row", NULL,
      "What to measure: the peak of the processor, matrix products, training, every cell, steps one at a time, "
      "regularisers, long windows in little memory, reading tables, or one --row." },

    { "series", "esn.series", DATA, 's', NULL, 0, 0, NULL, NULL,
      "mackey-glass, narma, lorenz, rossler, henon, logistic, sine, multiple-sines or memory." },
    { "benchmark", "esn.bench", GENERAL, 's', "all", 0, 0, NULL, NULL,
      "mackey-glass, mackey-glass-30, narma-10, narma-10-large, narma-20, narma-30, memory, or all." },

#include "task/options_data.h"
#include "task/options_network.h"
#include "task/options_training.h"

    { "prime", "sample", GENERATION, 's', NULL, 0, 0, NULL, NULL,
      "The text to continue; of music, a file whose beginning is continued: MIDI or piano rolls." },
    { "prime-steps", "sample", GENERATION, 'i', "16", 1, 1048576, NULL, "steps",
      "Of music: how much of --prime is taken." },
    { "prime-part", "sample", GENERATION, 'e', "test", 0, 0, "train|valid|test", NULL,
      "Of music: the part of the piano rolls of --prime." },
    { "prime-sequence", "sample", GENERATION, 'i', "1", 1, 2147483647, NULL, NULL,
      "Of music: the sequence of that part." },
    { "length", "sample", GENERATION, 'i', "500", 0, HUGE_COUNT, NULL, "tokens", "How much to write." },
    { "count", "sample", GENERATION, 'i', "1", 1, 1000000, NULL, "samples", "How many samples to write." },
    { "temperature", "sample", GENERATION, 'f', "1", 0, 100, NULL, NULL,
      "Below 1 the likely becomes likelier, above 1 the text wilder. 0 is --greedy." },
    { "top-k", "sample", GENERATION, 'i', "0", 0, 2147483647, NULL, "symbols",
      "Chooses among the likeliest only. 0: among all." },
    { "top-p", "sample", GENERATION, 'f', "1", 0, 1, NULL, "probability",
      "Chooses among the likeliest that together have this probability." },
    { "greedy", "sample", GENERATION, 'b', NULL, 0, 0, NULL, NULL, "Always takes the likeliest symbol." },
    { "beam", "sample", GENERATION, 'i', "0", 0, 1000, NULL, "texts",
      "Searches for the likeliest text with so many candidates. 0: no search." },
    { "no-unk", "sample", GENERATION, 'b', NULL, 0, 0, NULL, NULL, "Never writes <unk>." },
    { "stop", "sample", GENERATION, 'b', NULL, 0, 0, NULL, NULL, "Ends a sample at its first line break." },
    { "step", "sample eval explain", GENERATION, 'f', NULL, 0.0021, 64, NULL, "quarter notes",
      "Of music: how long a step is in MIDI. Without it, as in training." },
    { "tempo", "sample", GENERATION, 'f', "100", 4, 1000, NULL, "quarter notes a minute",
      "Of music: how fast MIDI is played." },

    { "golden", "selftest", GENERAL, 'p', NULL, 0, 0, NULL, NULL,
      "A folder of stored outputs and gradients of other programs to compare with." },
    { "seconds", "bench", GENERAL, 'f', "1", 0.01, 3600, NULL, "seconds", "Time given to each measurement." },
    { "repeat", "esn.train", GENERAL, 'i', "1", 1, 10000, NULL, "runs", "Trains so often, with --seed, --seed + 1 and so on; tells mean and deviation." },
    { "repeat", "esn.bench", GENERAL, 'i', "20", 1, 10000, NULL, "reservoirs", "Reservoirs and series, with --seed, --seed + 1 and so on." },
    { "size", "esn.bench", GENERAL, 'i', "0", 0, 100000, NULL, "units", "Units. 0: those of the benchmark." },
    { "words", "esn.bench", GENERAL, 's', NULL, 0, 0, NULL, NULL, "The words behind \"reservoir N\", instead of those of the benchmark." },
    { "ridge-value", "esn.bench", GENERAL, 'f', NULL, 0, 1e12, NULL, NULL, "The ridge, instead of that of the benchmark." },
    { "row", "bench", GENERAL, 's', NULL, 0, 0, NULL, NULL,
      "What laco bench row measures: \"train CELL I,H,B,T\", \"infer CELL I,H,B,T\", \"stream CELL H [bf16|int8]\" or "
      "\"lm char|word|tiny\", such as \"train lstm 64,128,1,100\"." },
    { "repeat", "bench", GENERAL, 'i', "0", 0, 1e9, NULL, "times",
      "Runs the --row so often without measuring, for tools that count instructions. 0: measures." },
    { "rate", "stream", GENERAL, 'f', "0", 0, 1e12, NULL, "steps a second",
      "How fast the signal comes; at the end is said how much of that time was used. 0: not known." },
    { "block", "stream", GENERAL, 'i', "0", 0, 1000000, NULL, "steps",
      "Steps handed to the network at once, when so many have arrived. 0: 1 of text, 64 of raw numbers." },
    { "weights", "stream", GENERAL, 'e', "float", 0, 0, "float|bf16|int8", NULL,
      "What the weights are rounded to: bf16 halves the memory to read, int8 quarters it." },
    { "jobs", "search esn.search", GENERAL, 'i', "1", 1, 1024, NULL, "processes",
      "Trials that are trained side by side, each by a process of one thread unless --threads is given." },
    { "seed", "search esn.search", GENERAL, 'i', "1", 0, LARGEST_SEED, NULL, NULL,
      "Of what is drawn, and of the training of every trial." },
    { "threads", "search esn.search", GENERAL, 'i', "0", 0, 1024, NULL, "threads", "The --threads of every trial." },
    { "threads", "stream", GENERAL, 'i', "1", 0, 8, NULL, "threads",
      "Threads that share a step, worth it from about 256 units. 0: the cores that may be used." },
    { "threads", COMPARE, GENERAL, 'i', "1", 0, 1024, NULL, "threads",
      "Threads of each way. 0: LACO_THREADS where it is set, otherwise the cores that may be used." },
    { "seed", "train esn sample " COMPARE, GENERAL, 'i', "1", 0, LARGEST_SEED, NULL, NULL,
      "The same seed gives the same result, for any number of threads." },
    { "threads", "train esn resume diagnose predict explain sample eval score anomaly data selftest bench", GENERAL, 'i', "0", 0, 1024, NULL, "threads",
      "0: LACO_THREADS where it is set, otherwise the cores that may be used." },
    { "json", "train esn resume search diagnose eval score info data selftest bench " COMPARE, GENERAL, 'b', NULL, 0, 0, NULL, NULL,
      "Writes the figures to standard output as JSON." },
    { "json", "predict explain anomaly", GENERAL, 'b', NULL, 0, 0, NULL, NULL, "Writes a JSON object a line instead of CSV." },
    { "quiet", ANY_JOB, GENERAL, 'b', NULL, 0, 0, NULL, NULL, "Shows no progress and no remarks." },
};

const laco_option *laco_options(int *count)
{
    if (count) *count = (int)(sizeof option_rows / sizeof option_rows[0]);
    return option_rows;
}
