/* laco: recurrent neural networks in C. One header, one library.

   Conventions
     T steps, B rows (sequences of a batch), I inputs, H units, V vocabulary. Arrays are row-major, floats are 32 bit.
     A function that can fail returns a laco_status: 0 is success. Its last argument, a laco_error that the caller owns
     (or NULL), then holds the code, a position (byte or line, -1 when there is none) and one sentence with the remedy.
     _new, _load pair with _free, which takes NULL. Nothing passed in is kept unless its comment says so.
     Structures with a `size` member: set it to sizeof the structure; a zero member means its default.
     The library never prints, exits or aborts. A const laco_model may be shared by any number of threads. */
#ifndef LACO_H
#define LACO_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LACO_VERSION_MAJOR 0
#define LACO_VERSION_MINOR 1
#define LACO_VERSION_PATCH 0
#if defined(__GNUC__)
#define LACO_API __attribute__((visibility("default")))
#else
#define LACO_API
#endif

/* ---- status ---- codes are pinned: they never change their number */
typedef int laco_status;
enum {
    LACO_OK = 0,
    LACO_EINVAL = -1,       /* the call is wrong: an option, a size, a name */
    LACO_ENOMEM = -2,       /* memory could not be had */
    LACO_EIO = -3,          /* a file could not be read or written */
    LACO_EFORMAT = -4,      /* a file was read but is damaged or not of its kind */
    LACO_EUNSUPPORTED = -5, /* well-formed, but this build cannot do it */
    LACO_ENUMERIC = -6,     /* a loss or weight is not finite */
    LACO_ESTOPPED = -7      /* laco_job_stop was called before there was a result */
};
typedef struct laco_error {
    int code;      /* the same as the status returned */
    int64_t at;    /* line or byte of the input, as the message says; -1 when there is none */
    char msg[500]; /* one sentence, no line break, always terminated */
} laco_error;

LACO_API const char *laco_version(void);    /* "0.1.0" */
LACO_API const char *laco_build_info(void); /* several lines: instruction set in use, optional libraries found */

/* Memory of the whole library. Call it before any other function, from one thread; NULLs restore the default.
   resize(ctx, NULL, n) allocates n bytes aligned to 16, resize(ctx, p, 0) frees; it may return NULL for no memory. By
   default memory is that of the C library; a block larger than a quarter of the machine's, or than LACO_SPILL of the
   environment (bytes, or with K, M, G behind them; 0: never), lies in a file without a name in TMPDIR or /var/tmp. */
typedef void *laco_resize(void *ctx, void *p, size_t n);
LACO_API void laco_set_allocator(laco_resize *resize, void *ctx);

/* ---- options ---- every setting of every command is one row, the same for the command line, for laco_job_set, for
   the metadata of a model and for the manual page */
typedef struct laco_option {
    const char *name;    /* "lr": --lr on the command line */
    const char *command; /* the commands that take it, separated by blanks: "train sample"; "train" stands for
                            all that begin so, "train.lm" for that one */
    const char *section; /* heading in the help: "Data", "Network", "Training", … */
    char type;           /* 'i' integer, 'f' real, 's' text, 'p' path, 'b' flag, 'e' one of choices */
    const char *def;     /* default as text; NULL: none */
    double min, max;     /* bounds, inclusive, for 'i' and 'f' */
    const char *choices; /* "byte|char|word" for 'e' */
    const char *unit;    /* "tokens", "minutes"; NULL: none */
    const char *help;    /* one or more sentences */
} laco_option;
LACO_API const laco_option *laco_options(int *count); /* all rows, in the order of the help */

/* Names of the rows of a kind: "cell", "variant", "layer", "loss", "optimizer", "schedule", "initializer", "task",
   "command". Returns a NULL-terminated array of `name` strings, or NULL for an unknown kind. */
LACO_API const char *const *laco_names(const char *kind);
LACO_API const char *laco_describe(const char *kind, const char *name); /* one line about it, or NULL */

/* ---- jobs ---- what a command of the command line does, as one object: "train lm", "sample", "eval", "score",
   "stream", "info", "data", "selftest", "bench", "diagnose", "compare-gradients" */
typedef struct laco_job laco_job;
typedef struct laco_progress {
    const char *phase;              /* "train", "validate", "read", "baseline" … */
    int64_t done, total;            /* steps of the phase; total 0: unknown */
    double epoch, loss, valid_loss; /* loss in nats per token; NaN when not known yet */
    double rate;                    /* tokens per second */
    double elapsed, left;           /* seconds; left < 0: unknown */
} laco_progress;
typedef struct laco_watch { /* all members may be NULL; called from the thread that runs the job */
    size_t size;
    void *ctx;
    void (*progress)(void *ctx, const laco_progress *p); /* at most about ten times a second */
    void (*note)(void *ctx, const char *line);           /* a line for a person, without line break */
    void (*out)(void *ctx, const char *bytes, size_t n); /* the result, as it is made */
} laco_watch;
LACO_API laco_status laco_job_new(laco_job **out, const char *command, laco_error *err);
LACO_API laco_status laco_job_set(laco_job *job, const char *option, const char *value, laco_error *err);
/* Gives the bytes of "data", "valid" or "test" from memory instead of a file; they are copied. */
LACO_API laco_status laco_job_text(laco_job *job, const char *option, const char *bytes, size_t n, laco_error *err);
LACO_API laco_status laco_job_run(laco_job *job, const laco_watch *watch, laco_error *err);
LACO_API void laco_job_stop(laco_job *job); /* ends the run soon, keeping what it has; safe in a signal handler */
LACO_API const char *
laco_job_result(const laco_job *job); /* after a run: its figures as one JSON object; owned by job */
LACO_API void laco_job_free(laco_job *job);

/* ---- models ---- a network, its weights and its metadata */
typedef struct laco_model laco_model;
typedef struct laco_tensor {
    const char *name; /* "layers.0.weight_ih" */
    int rank;         /* 0 to 4 */
    int64_t shape[4];
    float *data; /* the weights themselves, row-major; owned by the model */
} laco_tensor;
/* From a description ("lstm 8 peephole; dense 1"), for `inputs` real numbers a step, or, when the description starts
   with embed, for symbols 0 .. inputs-1. Weights are drawn from seed. */
LACO_API laco_status laco_model_new(laco_model **out, const char *description, int64_t inputs, uint64_t seed,
                                    laco_error *err);
LACO_API laco_status laco_model_load(laco_model **out, const char *path, laco_error *err);
LACO_API laco_status laco_model_save(const laco_model *m, const char *path, laco_error *err);
LACO_API void laco_model_free(laco_model *m);
LACO_API const char *laco_model_description(const laco_model *m);               /* canonical text */
LACO_API const char *laco_model_metadata(const laco_model *m, const char *key); /* NULL when absent */
LACO_API int64_t laco_model_inputs(const laco_model *m);
LACO_API int64_t laco_model_outputs(const laco_model *m);
LACO_API int laco_model_tensors(const laco_model *m); /* how many */
LACO_API laco_status laco_model_tensor(laco_model *m, int index, laco_tensor *out, laco_error *err);
LACO_API laco_status laco_model_find(laco_model *m, const char *name, laco_tensor *out, laco_error *err);

/* ---- streaming ---- step by step, for any number of independent streams. Made for real-time threads: no function of
   this part allocates, locks, or calls the system but laco_model_ready, laco_model_weights, laco_threads_new and _free;
   a step takes the same time for any values (denormal numbers are flushed to zero, and the mode of the processor put
   back).
   Call laco_model_ready once after weights were set by hand (laco_model_load has done it): it packs them. The model is
   then const, and any number of threads may step it, each with states of its own.

   A state lives in memory of the caller, laco_state_size bytes at a multiple of 64; there is nothing to free. It may
   hold several streams, which then step together: that reads the weights once for all of them. A bidirectional network
   cannot step, for it reads the end first: its state size is 0; laco_model_run takes whole sequences, and long ones can
   be cut into chunks that overlap by as much future as the answer needs. */
LACO_API laco_status laco_model_ready(laco_model *m, laco_error *err);
/* What the packed weights of the steps are: "float" (as they are), "bf16" (rounded to 8 bits of mantissa, half the
   memory to read), "int8" (a scale for every row of a weight matrix; what is multiplied with it is rounded to 8 bits
   at every step; states, sums, gates and biases stay float). The weights of the model and its file stay as they were.
   Packs the weights like laco_model_ready. */
LACO_API laco_status laco_model_weights(laco_model *m, const char *kind, laco_error *err);
LACO_API size_t laco_state_size(const laco_model *m, int64_t streams); /* 0: cannot step, or too many streams */
/* All streams at their beginning. bytes: of the memory at state, at least laco_state_size. */
LACO_API laco_status laco_state_init(const laco_model *m, void *state, size_t bytes, int64_t streams, laco_error *err);
LACO_API laco_status laco_state_reset(const laco_model *m, void *state, int64_t stream, laco_error *err);
/* `to` becomes a second state that goes on from where `from` is (a fork); it was initialised for as many streams. */
LACO_API laco_status laco_state_copy(const laco_model *m, void *to, const void *from, laco_error *err);
/* The states as bytes that can be kept: they hold for the same description on any machine (little-endian). */
LACO_API size_t laco_state_saved_size(const laco_model *m, int64_t streams);
LACO_API laco_status laco_state_save(const laco_model *m, const void *state, void *to, size_t bytes, laco_error *err);
LACO_API laco_status laco_state_restore(const laco_model *m, void *state, const void *from, size_t bytes,
                                        laco_error *err);

/* One step of a state of one stream. in: inputs floats, or a symbol behind embed; out: outputs floats, before any
   softmax. */
LACO_API laco_status laco_step(const laco_model *m, void *state, const float *in, float *out, laco_error *err);
LACO_API laco_status laco_step_symbol(const laco_model *m, void *state, int32_t symbol, float *out, laco_error *err);
/* `steps` steps of the first `streams` streams of a state. in: [steps][streams][inputs] floats, or [steps][streams]
   int32 symbols; out: [steps][streams][outputs]. */
LACO_API laco_status laco_steps(const laco_model *m, void *state, int64_t steps, int64_t streams, const void *in,
                                float *out, laco_error *err);

/* Several threads for one state: worth it for large layers (from about 256 units) stepped without pause. Whether the
   threads or the caller alone do a call is measured as it goes; results are the same bits. For states of up to so many
   streams of models of this description. threads 0: all cores. */
typedef struct laco_threads laco_threads;
LACO_API laco_status laco_threads_new(laco_threads **out, const laco_model *m, int64_t streams, int threads,
                                      laco_error *err);
LACO_API void laco_threads_free(laco_threads *t);
/* t NULL: without again. One state at a time may use t. */
LACO_API laco_status laco_state_threads(const laco_model *m, void *state, laco_threads *t, laco_error *err);

/* ---- whole sequences ---- */
/* Any direction. in: [T][B][inputs] floats, or [T][B] int32 symbols behind embed; lengths: B entries
   from 0 to T, or NULL for T each; out: [T][B][outputs], zero past a row's length. Allocates. */
LACO_API laco_status laco_model_run(const laco_model *m, const void *in, const int32_t *lengths, int64_t T, int64_t B,
                                    float *out, laco_error *err);

#ifdef __cplusplus
}
#endif
#endif
