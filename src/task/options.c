/* The options of every command, one row each. A row serves the command line, laco_job_set, the metadata of a model, the
   help and the manual page: to add an option, add a row and read it in the job by its name.

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
#define ANY_JOB "train resume sample eval score stream info selftest bench " COMPARE

static const laco_option option_rows[] = {
    /* name, command, section, type, default, min, max, choices, unit, help */
    { "model-file", "sample eval score stream info", DATA, 'p', NULL, 0, 0, NULL, NULL,
      "The model, a file made by laco train." },
    { "what", "bench", GENERAL, 'e', "all", 0, 0, "all|peak|gemm|train|cells|stream|row", NULL,
      "What to measure: the peak of the processor, matrix products, training, every cell, steps one at a time, or one "
      "--row." },

    { "data", "train.lm", DATA, 'p', NULL, 0, 0, NULL, NULL, "The text to learn, plain or .gz; - is standard input." },
    { "data", "train.compose", DATA, 'p', NULL, 0, 0, NULL, NULL,
      "Piano rolls, a JSON file, plain or .gz: {\"train\": ..., \"valid\": ..., \"test\": ...}, each a list of sequences of "
      "steps of MIDI notes." },
    { "data", "eval score", DATA, 'p', NULL, 0, 0, NULL, NULL,
      "The text to judge, plain or .gz; - is standard input." },
    { "data", "stream", DATA, 'p', "-", 0, 0, NULL, NULL,
      "What the network reads, as it comes; - is standard input. Numbers, or for a language model text." },
    { "format", "stream", DATA, 'e', "text", 0, 0, "text|f32|s16", NULL,
      "How numbers are written, in and out: a line of text for a step, or raw and little-endian, floats or integers of "
      "16 bits." },
    { "streams", "stream", DATA, 'i', "1", 1, 65536, NULL, "streams",
      "Independent streams, whose numbers lie side by side in every step." },
    { "restore", "stream", DATA, 'p', NULL, 0, 0, NULL, NULL, "Goes on from this file of --save." },
    { "save", "stream", DATA, 'p', NULL, 0, 0, NULL, NULL,
      "Where the state goes at the end, so that the stream can go on another day." },
    { "length", COMPARE, DATA, 'i', "30", 2, 10000, NULL, "steps", "Length of the sequences of the adding problem." },
    { "csv", COMPARE, DATA, 'p', NULL, 0, 0, NULL, NULL, "Where the curves go, a table of numbers." },
    { "valid", "train.lm", DATA, 'p', NULL, 0, 0, NULL, NULL, "A text to validate on, instead of the end of --data." },
    { "test", "train.lm", DATA, 'p', NULL, 0, 0, NULL, NULL, "A text that is looked at once, when training is over." },
    { "split", "train.lm", DATA, 'f', "0.1", 0, 0.9, NULL, "of the text",
      "Share of --data, at its end, that is kept for validation when there is no --valid." },
    { "out", "train", DATA, 'p', NULL, 0, 0, NULL, NULL,
      "Where the model goes, a safetensors file; it always holds the best so far." },
    { "unit", "train.lm", DATA, 'e', "char", 0, 0, "byte|char|word", NULL,
      "What one step reads: a byte, a character (UTF-8) or a word between blanks." },
    { "lower", "train.lm", DATA, 'b', NULL, 0, 0, NULL, NULL, "Turns the text into lower case first." },
    { "min-count", "train.lm", DATA, 'i', "1", 1, HUGE_COUNT, NULL, NULL,
      "A word seen less often than this becomes <unk>. With --unit word only." },
    { "vocab-size", "train.lm", DATA, 'i', "0", 0, 2147483647, NULL, "words",
      "Keeps only the most frequent words; the rest becomes <unk>. With --unit word only. 0: no limit." },
    { "task", "train.synthetic", DATA, 's', NULL, 0, 0, NULL, NULL, "The task; laco help tasks lists them." },
    { "length", "train.synthetic", DATA, 'i', "0", 0, HUGE_COUNT, NULL, NULL,
      "Steps of a sequence; of copy the symbols to recall, of anbn and anbncn the largest n of training. 0: as in the "
      "paper." },
    { "delay", "train.synthetic", DATA, 'i', "0", 0, HUGE_COUNT, NULL, "steps",
      "Of copy: how long the symbols are kept; of flip-flop: from pulse to pulse, on average. 0: as in the paper." },
    { "symbols", "train.synthetic", DATA, 'i', "0", 0, HUGE_COUNT, NULL, "symbols",
      "Of copy: different symbols to recall; of noisy-channels: distractors. 0: as in the paper." },
    { "signal", "train.synthetic", DATA, 'i', "0", 0, HUGE_COUNT, NULL, "steps",
      "Of the noisy tasks on one channel: steps that say the class. 0: as in the paper." },
    { "strings", "train.synthetic", DATA, 'i', "0", 0, HUGE_COUNT, NULL, "strings",
      "Of the grammars: the size of the training set. 0: as in the paper." },

    { "model", "train.synthetic", NETWORK, 's', NULL, 0, 0, NULL, NULL,
      "The network in words, such as \"lstm 64; dense\". Without it, by task: one that solves it." },
    { "model", "train.compose", NETWORK, 's', NULL, 0, 0, NULL, NULL,
      "The network in words, such as \"lstm 128 peephole; dropout 0.5; dense\". Replaces the options of this section that "
      "name cells and sizes." },
    { "cell", "train.compose", NETWORK, 's', "lstm", 0, 0, NULL, NULL,
      "The recurrent cell, with its words, such as \"lstm\"; laco help cells lists them." },
    { "hidden", "train.compose", NETWORK, 'i', "128", 0, 65536, NULL, "units",
      "Units of each recurrent layer. 0: the default." },
    { "layers", "train.compose", NETWORK, 'i', "1", 0, 64, NULL, "layers", "Recurrent layers. 0: the default." },
    { "dropout", "train.compose", NETWORK, 'f', "0", 0, 0.95, NULL, NULL,
      "Share of the numbers behind each recurrent layer that is set to zero at random while training." },
    { "model", "train", NETWORK, 's', NULL, 0, 0, NULL, NULL,
      "The network in words, such as \"embed 64; lstm 256 x2; dense\". Replaces the options of this section that "
      "name cells and sizes." },
    { "model", COMPARE, NETWORK, 's', "elman 16; dense", 0, 0, NULL, NULL,
      "The network in words, such as \"lstm 8; dense\"; it ends in a layer with one output." },
    { "cell", "train.lm", NETWORK, 's', "lstm", 0, 0, NULL, NULL, "The recurrent cell; laco help cells lists them." },
    { "hidden", "train.lm", NETWORK, 'i', "256", 0, 65536, NULL, "units",
      "Units of each recurrent layer. 0: the default." },
    { "layers", "train.lm", NETWORK, 'i', "2", 0, 64, NULL, "layers", "Recurrent layers. 0: the default." },
    { "embed", "train.lm", NETWORK, 'i', "0", 0, 65536, NULL, "numbers",
      "Size of the vector that stands for a symbol. 0: 64 for bytes and characters, as --hidden for words and "
      "--tied." },
    { "bidirectional", "train.lm", NETWORK, 'b', NULL, 0, 0, NULL, NULL,
      "Reads both ways. Of no use to a language model, which must not see what comes next." },
    { "dropout", "train.lm", NETWORK, 'f', "0", 0, 0.95, NULL, NULL,
      "Share of the numbers between layers that is set to zero at random while training." },
    { "tied", "train.lm", NETWORK, 'b', NULL, 0, 0, NULL, NULL, "The last layer uses the weights of the embedding." },
    { "init", "train.synthetic", NETWORK, 'e', "chrono", 0, 0, INITIALIZERS, NULL,
      "How weights are drawn; laco help initializers explains." },
    { "init", "train", NETWORK, 'e', "default", 0, 0, INITIALIZERS, NULL,
      "How weights are drawn; laco help initializers explains." },
    { "forget-bias", "train.synthetic", NETWORK, 'f', NULL, -100, 100, NULL, NULL,
      "Of --init chrono the largest bias that a forget gate starts from, of the others the bias: the larger, the longer "
      "a new network remembers. Without it, by task." },
    { "forget-bias", "train", NETWORK, 'f', "1", -100, 100, NULL, NULL,
      "The bias that forget gates start from: the larger, the longer a new network remembers." },

    { "precision", "train", TRAINING, 'e', "float", 0, 0, "float|bf16", NULL,
      "What the recurrent layers multiply: bf16 rounds weights, activations and gradients to 8 bits of mantissa on "
      "their "
      "way into products, sums stay float, and so do the weights that are updated and saved. About 1.5 times as fast "
      "where the processor has AVX-512 BF16, slower elsewhere." },
    { "epochs", "train.compose", TRAINING, 'i', "50", 1, 1000000, NULL, "passes", "Times all sequences are read." },
    { "epochs", "train.synthetic", TRAINING, 'i', NULL, 1, 1000000, NULL, "epochs",
      "Epochs at most; training ends when the task is solved. Without it, by task." },
    { "epochs", "train resume", TRAINING, 'i', "10", 1, 1000000, NULL, "passes", "Times the whole text is read." },
    { "minutes", "train resume", TRAINING, 'f', "0", 0, 1000000, NULL, "minutes",
      "Ends training after this time, with the schedule fitted to it. 0: no limit." },
    { "batch", "train.compose", TRAINING, 'i', "16", 1, 65536, NULL, "sequences",
      "Sequences that are trained side by side." },
    { "batch", "train.synthetic", TRAINING, 'i', NULL, 1, 65536, NULL, "sequences",
      "Sequences of an update. Without it, by task." },
    { "batch", "train", TRAINING, 'i', "32", 1, 65536, NULL, "rows",
      "Streams or lines that are trained side by side." },
    { "batch", "eval info", TRAINING, 'i', "32", 1, 65536, NULL, "rows", "Rows that are computed side by side." },
    { "steps", "train.compose", TRAINING, 'i', "256", 1, 1000000, NULL, "steps",
      "How far errors are carried back through time before the weights are changed." },
    { "steps", "train.synthetic", TRAINING, 'i', NULL, 1, 1000000, NULL, "steps",
      "How far errors are carried back through time before the weights are changed. Without it, the whole sequence." },
    { "steps", "train", TRAINING, 'i', "64", 1, 1000000, NULL, "tokens",
      "How far errors are carried back through time before the weights are changed." },
    { "steps", "eval info", TRAINING, 'i', "64", 1, 1000000, NULL, "tokens", "Steps that are computed at a time." },
    { "advance", "train", TRAINING, 'i', "0", 0, 1000000, NULL, "tokens",
      "Steps from one window to the next. Fewer than --steps: windows overlap, so that every error is carried back "
      "over --steps less --advance steps at least: BPTT(--advance, --steps). 0: as many as --steps." },
    { "mode", "train.lm", TRAINING, 'e', "stream", 0, 0, "stream|line", NULL,
      "stream: the text is one long sequence, read in --batch places at once. line: every line is a sequence of its "
      "own." },
    { "optimizer", "train", TRAINING, 'e', "adam", 0, 0, 
      "sgd|momentum|nesterov|rmsprop|adam|adamw|amsgrad|nadam|lion|adagrad|adadelta|rmsprop-graves|rprop", NULL,
      "How weights follow gradients; laco help optimizers explains." },
    { "momentum", "train", TRAINING, 'f', "0.9", 0, 0.99999, NULL, NULL,
      "Of the optimizers momentum, nesterov and rmsprop-graves: the share of a step that the next one keeps." },
    { "beta1", "train", TRAINING, 'f', NULL, 0, 0.999999, NULL, NULL,
      "Share of the running mean of gradients that is kept; its default is that of the optimizer." },
    { "beta2", "train", TRAINING, 'f', NULL, 0, 0.999999, NULL, NULL,
      "Share of the running mean of squared gradients that is kept (of lion, of gradients); its default is that of the "
      "optimizer." },
    { "eps", "train", TRAINING, 'f', NULL, 1e-30, 1, NULL, NULL,
      "Keeps the optimizers that divide from dividing by zero; its default is that of the optimizer." },
    { "weight-decay", "train", TRAINING, 'f', "0", 0, 1000, NULL, NULL, "Pulls weights towards zero." },
    { "clip", "train", TRAINING, 'f', "1", 0, 1e9, NULL, NULL, "Largest norm of the whole gradient. 0: no limit." },
    { "clip-value", "train", TRAINING, 'f', "0", 0, 1e9, NULL, NULL,
      "Largest size of every number of the gradient. 0: no limit." },
    { "label-smoothing", "train", TRAINING, 'f', "0", 0, 0.99, NULL, NULL,
      "Share of the right answer that is spread over all symbols (Szegedy et al. 2016). Losses are shown without it." },
    { "weight-noise", "train", TRAINING, 'f', "0", 0, 10, NULL, NULL,
      "Standard deviation of the noise on the weights that training sees, drawn anew for every update (Graves 2011)." },
    { "gradient-noise", "train", TRAINING, 'f', "0", 0, 1000, NULL, NULL,
      "Eta of the noise on gradients, of variance eta/(1 + updates)^0.55 (Neelakantan et al. 2015)." },
    { "average", "train", TRAINING, 'f', "0", 0, 1, NULL, NULL,
      "What is validated and saved is a moving average of the weights, with this decay, such as 0.999. 1: the mean of "
      "all. 0: no average." },
    { "average-after", "train", TRAINING, 'i', "0", 0, 32, NULL, "evaluations",
      "The average begins when validation is no better than it was so many evaluations ago; with --optimizer sgd and "
      "--schedule constant this is NT-ASGD (Merity et al. 2017). 0: it begins with training." },
    { "on-nan", "train", TRAINING, 'e', "stop", 0, 0, "stop|skip|rollback", NULL,
      "What is done about a loss or gradient that is not finite: end with an error that says where it is, leave the "
      "update out, or go back to the best network with half the rate." },
    { "outlier", "train", TRAINING, 'f', "0", 0, 1000, NULL, "deviations",
      "Leaves out updates whose loss or gradient norm lies so many standard deviations above those before. 0: none." },
    { "rollback", "train", TRAINING, 'f', "0", 0, 1000, NULL, "of the loss",
      "Goes back to the best network with half the rate when validation is worse than the best by this share. 0: never." },
    { "reduction", "train", TRAINING, 'e', "token", 0, 0, "token|sequence", NULL,
      "The loss is the mean over tokens, or the sum over each sequence, averaged over sequences." },
    { "patience", "train resume", TRAINING, 'i', "0", 0, 1000000, NULL, "evaluations",
      "Stops when validation has not improved for so many evaluations. 0: never." },
    { "ngram", "train.lm", TRAINING, 'i', "5", 0, 5, NULL, "symbols",
      "Order of the n-gram model that is trained beside the network to compare with. 0: none." },
    { "best-by", "train.synthetic", TRAINING, 's', "distance", 0, 0, NULL, NULL,
      "The figure of validation that says which epoch is the best: distance (from the criterion), loss, figure, wrong or "
      "squared." },
    { "best-by", "train", TRAINING, 's', "loss", 0, 0, NULL, NULL,
      "The figure of validation that says which epoch is the best: loss, or another that the task measures." },
    { "accumulate", "train", TRAINING, 'i', "1", 1, HUGE_COUNT, NULL, "windows",
      "Windows whose gradients are averaged for one update: a larger batch in the same memory." },
    { "memory", "train resume", TRAINING, 's', NULL, 0, 0, NULL, "bytes",
      "Most memory for weights, gradients, optimizer and a window, such as 500M or 2G. Of a window of more than 256 "
      "steps as much is kept as fits; the rest is computed a second time on the way back. The result is the same." },
    { "checkpoint", "train", TRAINING, 'p', NULL, 0, 0, NULL, NULL,
      "A folder for checkpoints. After a stop, a crash or a power cut `laco resume` goes on from it, to the same "
      "model." },
    { "every", "train", TRAINING, 's', "5m", 0, 0, NULL, NULL,
      "How often a checkpoint is written: a time such as 90s, 5m or 2h, or a number of updates." },
    { "folder", "resume", TRAINING, 'p', NULL, 0, 0, NULL, NULL,
      "The folder of --checkpoint of the run that is to go on. Everything is as it was but --epochs, --minutes, "
      "--patience, --lr, --memory and --threads where they are given." },
    { "repeat", "train", TRAINING, 'i', "1", 1, 10000, NULL, "runs",
      "Trains so often, with --seed, --seed + 1 and so on, and shows mean and standard deviation of the figures of "
      "validation and test; --out keeps the best model." },
    { "folds", "train.lm train.compose", TRAINING, 'i', "0", 0, 10000, NULL, "folds",
      "Cross validation: every K-th line or training sequence is kept for validation, in K runs; mean and standard "
      "deviation are shown. 0: none." },
    { "fold", "train.lm train.compose", TRAINING, 'i', "0", 0, 10000, NULL, NULL,
      "Only this one of --folds, from 1 on. 0: one after the other." },
    { "log", "train", TRAINING, 'p', NULL, 0, 0, NULL, NULL,
      "Appends the figures of training here: JSON lines, with the ending .csv a table, in a folder (written with / at its "
      "end) event files for TensorBoard." },
    { "log-every", "train", TRAINING, 'i', "0", 0, HUGE_COUNT, NULL, "updates",
      "A record in the log after so many updates, besides that of every epoch. 0: none." },

    { "ways", COMPARE, TRAINING, 's', NULL, 0, 0, NULL, NULL,
      "The ways to compare, such as bptt,rtrl; all of them when not given: bptt, truncated, online, averaged, rtrl, "
      "evolution, hessian-free." },
    { "seconds", COMPARE, TRAINING, 'f', "8", 0.01, 1e6, NULL, "seconds", "Training time of each way." },
    { "updates", COMPARE, TRAINING, 'i', "0", 0, HUGE_COUNT, NULL, "updates",
      "Ends each way after so many updates. 0: no limit." },
    { "batch", COMPARE, TRAINING, 'i', "20", 1, 1024, NULL, "sequences",
      "Sequences of one gradient; hessian-free takes 8 times as many." },
    { "optimizer", COMPARE, TRAINING, 'e', "adam", 0, 0, "sgd|momentum|nesterov|rmsprop|adam", NULL,
      "How weights follow gradients, the same for all but hessian-free." },
    { "clip", COMPARE, TRAINING, 'f', "1", 0, 1e9, NULL, NULL, "Largest norm of a gradient. 0: no limit." },
    { "truncate", COMPARE, TRAINING, 's', "5,10", 0, 0, NULL, NULL,
      "Of truncated: a gradient every so many steps, carried back over so many." },
    { "population", COMPARE, TRAINING, 'i', "40", 2, 100000, NULL, "networks",
      "Of evolution: perturbed networks of an update." },
    { "sigma", COMPARE, TRAINING, 'f', "0.05", 1e-6, 100, NULL, NULL,
      "Of evolution: standard deviation of the perturbations." },
    { "cg", COMPARE, TRAINING, 'i', "100", 1, 10000, NULL, "iterations",
      "Of hessian-free: most iterations of conjugate gradients for a step." },
    { "damping", COMPARE, TRAINING, 'f', "0.1", 0, 1e9, NULL, NULL,
      "Of hessian-free: lambda to begin with; it follows how well steps are foreseen." },
    { "structural", COMPARE, TRAINING, 'f', "0.03", 0, 1e9, NULL, NULL,
      "Of hessian-free: share of the damping that is laid on changes of the hidden states." },

    { "lr", COMPARE, RATE, 'f', "0.002", 0, 1000, NULL, NULL, "The learning rate of the optimizer." },
    { "lr", "train.synthetic", RATE, 'f', NULL, 0, 1000, NULL, NULL,
      "The learning rate. Without it, by task, or by --optimizer where that is given." },
    { "lr", "train resume", RATE, 'f', NULL, 0, 1000, NULL, NULL,
      "The learning rate; its default is that of the optimizer, such as 0.002 of adam." },
    { "schedule", "train.synthetic", RATE, 'e', "constant", 0, 0, SCHEDULES, NULL,
      "How the rate falls during training; laco help schedules explains." },
    { "schedule", "train", RATE, 'e', "cosine", 0, 0, SCHEDULES, NULL,
      "How the rate falls during training; laco help schedules explains." },
    { "warmup", "train", RATE, 'i', "100", 0, HUGE_COUNT, NULL, "updates",
      "Updates over which the rate rises from zero at the start." },
    { "decay", "train", RATE, 'f', "0.5", 0.000001, 1, NULL, NULL,
      "The rate is multiplied by this, by step every epoch, by plateau when validation does not improve." },
    { "decay-start", "train", RATE, 'i', "1", 0, 1000000, NULL, "epochs", "Epochs after which step begins to decay." },
    { "lr-final", "train", RATE, 'f', "0.01", 1e-9, 1, NULL, "of --lr",
      "What is left of the rate at the end of the schedules exponential, cosine, cosine-restarts and one-cycle." },
    { "periods", "train", RATE, 'i', "3", 1, 1000, NULL, "periods", "Parts of the schedule cosine-restarts." },
    { "period-factor", "train", RATE, 'f', "2", 0.1, 100, NULL, NULL,
      "A period of cosine-restarts is so many times as long as the one before." },
    { "plateau-patience", "train", RATE, 'i', "1", 1, 1000000, NULL, "evaluations",
      "Evaluations in a row without improvement after which plateau decays." },

    { "prime", "sample", GENERATION, 's', NULL, 0, 0, NULL, NULL, "The text to continue." },
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

    { "golden", "selftest", GENERAL, 'p', NULL, 0, 0, NULL, NULL,
      "A folder of stored outputs and gradients of other programs to compare with." },
    { "seconds", "bench", GENERAL, 'f', "1", 0.01, 3600, NULL, "seconds", "Time given to each measurement." },
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
    { "threads", "stream", GENERAL, 'i', "1", 0, 8, NULL, "threads",
      "Threads that share a step, worth it from about 256 units. 0: the cores that may be used." },
    { "threads", COMPARE, GENERAL, 'i', "1", 0, 1024, NULL, "threads",
      "Threads of each way. 0: LACO_THREADS where it is set, otherwise the cores that may be used." },
    { "seed", "train sample " COMPARE, GENERAL, 'i', "1", 0, LARGEST_SEED, NULL, NULL,
      "The same seed gives the same result, for any number of threads." },
    { "threads", "train resume sample eval score selftest bench", GENERAL, 'i', "0", 0, 1024, NULL, "threads",
      "0: LACO_THREADS where it is set, otherwise the cores that may be used." },
    { "json", "train resume eval score info selftest bench " COMPARE, GENERAL, 'b', NULL, 0, 0, NULL, NULL,
      "Writes the figures to standard output as JSON." },
    { "quiet", ANY_JOB, GENERAL, 'b', NULL, 0, 0, NULL, NULL, "Shows no progress and no remarks." },
};

const laco_option *laco_options(int *count)
{
    if (count) *count = (int)(sizeof option_rows / sizeof option_rows[0]);
    return option_rows;
}
