/* laco stream: numbers or text in, what a network says of them out, step by step, as they come.

   Bytes are taken as they arrive, without waiting for a whole block: the whole steps among them, at most --block, are
   stepped and written at once, and what is cut stays for the next time. A step of numbers is streams * inputs of them,
   stream by stream, written as
     text   one line, numbers between blanks, commas or tabs; empty lines are passed over
     f32    little-endian floats
     s16    little-endian 16-bit integers, 32768 for 1; what leaves [-1, 1) is clipped
   and the streams * outputs numbers of the answer are written alike. A language model reads text by its vocabulary and
   writes a line for every symbol: how much it surprised, -log p in nats, a tab, the symbol.

   A file of --save is what laco_state_save makes; behind it, of a language model, the outputs of the last step. */
#include "base/json.h"
#include "base/number.h"
#include "data/text.h"
#include "data/utf8.h"
#include "format/model.h"
#include "task/task.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

typedef struct stream stream;
typedef struct stream_format {
    const char *name;
    int64_t size;  /* bytes of a number; 0: as many as it takes */
    int64_t block; /* steps handed over at once, when nothing is said */
    /* Whole steps from the n bytes at `from`, at most a block, into s->x; how many there are into s->steps. */
    laco_status (*take)(stream *s, const char *from, size_t n, size_t *used, laco_error *err);
    laco_status (*work)(stream *s, laco_error *err); /* steps what was taken; its answers into s->out */
} stream_format;

struct stream {
    task_job *j;
    laco_model *m;
    vocab *v; /* NULL: over numbers */
    laco_threads *threads;
    const stream_format *format;
    int64_t streams, block, in, out_n; /* numbers of a step of all streams */
    /* input */
    const char *name;
    int fd;
    char *bytes;                  /* [room]: those from `at` to `have` are not used yet */
    size_t room, at, have, given; /* given: how far the text from memory has been read */
    bool ended;
    int64_t line;
    /* steps */
    void *state;
    float *x, *y;   /* [block][in], [block][out_n] */
    int32_t *ids;   /* symbols: in place of x */
    int64_t steps;  /* in x or ids */
    bool predicted; /* symbols: y says what comes next */
    buf out;
    /* figures */
    int64_t done, late, skipped;
    double rate, busy, longest, surprise;
};

/* ---- reading ---- */
static laco_status open_input(stream *s, laco_error *err)
{
    s->name = options_text(s->j->o, "data");
    if (s->j->text[TEXT_DATA]) return s->name = "data", LACO_OK;
    if (!strcmp(s->name, "-")) return s->name = "standard input", LACO_OK;
    s->fd = open(s->name, O_RDONLY | O_CLOEXEC);
    return s->fd < 0 ? fail(err, LACO_EIO, -1, "%s cannot be read: %m", s->name) : LACO_OK;
}
/* What there is, at most n bytes, waiting for the first; 0 at the end, and when the job is to stop. The wait is short
   and looked after: a signal may come just before it. */
static laco_status read_some(stream *s, char *to, size_t n, size_t *got, laco_error *err)
{
    const char *text = s->j->text[TEXT_DATA];
    *got = 0;
    if (text) {
        *got = (size_t)min64((int64_t)n, (int64_t)(s->j->length[TEXT_DATA] - s->given));
        memcpy(to, text + s->given, *got), s->given += *got;
        return LACO_OK;
    }
    while (!*s->j->stop) {
        struct pollfd ready = { .fd = s->fd, .events = POLLIN };
        int waited = poll(&ready, 1, 100);
        if (waited == 0) continue;
        ssize_t k = waited < 0 ? -1 : read(s->fd, to, n);
        if (k >= 0) return *got = (size_t)k, LACO_OK;
        if (errno != EINTR && errno != EAGAIN) return fail(err, LACO_EIO, -1, "%s cannot be read: %m", s->name);
    }
    return LACO_OK;
}
static laco_status read_more(stream *s, laco_error *err)
{
    size_t got;
    memmove(s->bytes, s->bytes + s->at, s->have - s->at);
    s->have -= s->at, s->at = 0;
    if (s->have == s->room)
        return fail(err, LACO_EFORMAT, s->line + 1,
                    "%s, line %lld: longer than %zu bytes, far too long for %lld numbers", s->name,
                    (long long)s->line + 1, s->room, (long long)s->in);
    laco_status st = read_some(s, s->bytes + s->have, s->room - s->have, &got, err);
    s->have += got, s->ended = got == 0;
    return st;
}

/* ---- numbers ---- */
static void count_time(stream *s, double seconds, int64_t steps)
{
    double each = seconds / (double)steps;
    s->done += steps, s->busy += seconds, s->longest = fmax(s->longest, each);
    if (s->rate > 0 && each > 1 / s->rate) s->late += steps;
}
static laco_status step_numbers(stream *s, laco_error *err)
{
    double start = clock_seconds();
    laco_status st = laco_steps(s->m, s->state, s->steps, s->streams, s->x, s->y, err);
    if (!st) count_time(s, clock_seconds() - start, s->steps);
    return st;
}

/* The numbers of a line into x. How many there are into *count, which may be more than fit. */
static laco_status take_line(stream *s, const char *line, size_t n, float *x, int64_t *count, laco_error *err)
{
    static const char blanks[] = " ,\t\r";
    size_t i = 0;
    *count = 0;
    for (;;) {
        size_t begin, len = 0;
        while (i < n && line[i] && strchr(blanks, line[i])) i++;
        if (i == n) return LACO_OK;
        for (begin = i; i < n && (!line[i] || !strchr(blanks, line[i])); i++) len++;
        char word[64];
        double number = NAN;
        snprintf(word, sizeof word, "%.*s", (int)min64((int64_t)len, sizeof word - 1), line + begin);
        if (len >= sizeof word || strlen(word) != len || !number_parse(word, &number) || !isfinite((float)number))
            return fail(err, LACO_EFORMAT, s->line + 1, "%s, line %lld: \"%s\" is not a number", s->name,
                        (long long)s->line + 1, word);
        if (*count < s->in) x[*count] = (float)number;
        ++*count;
    }
}
static laco_status take_text(stream *s, const char *from, size_t n, size_t *used, laco_error *err)
{
    for (*used = 0, s->steps = 0; s->steps < s->block && *used < n;) {
        const char *line = from + *used, *end = memchr(line, '\n', n - *used);
        int64_t count;
        if (!end && !s->ended) break;
        size_t len = end ? (size_t)(end - line) : n - *used;
        laco_status st = take_line(s, line, len, s->x + s->steps * s->in, &count, err);
        if (!st && count && count != s->in)
            st = fail(err, LACO_EFORMAT, s->line + 1,
                      "%s, line %lld: %lld numbers, but a step of this network takes %lld", s->name,
                      (long long)s->line + 1, (long long)count, (long long)s->in);
        if (st) return s->steps ? LACO_OK : st; /* the lines before it first */
        s->line++, s->steps += count > 0, *used += len + (end != NULL);
    }
    return LACO_OK;
}
static laco_status work_text(stream *s, laco_error *err)
{
    laco_status st = step_numbers(s, err);
    for (int64_t i = 0; !st && i < s->steps * s->out_n; i++) {
        char number[32];
        snprintf(number, sizeof number, "%.9g%c", (double)s->y[i], (i + 1) % s->out_n ? ' ' : '\n');
        for (char *c = number; *c; c++)
            if (*c == ',') *c = '.'; /* the decimal point of the host program's locale */
        buf_text(&s->out, number);
    }
    return st;
}

static laco_status take_raw(stream *s, const char *from, size_t n, size_t *used, laco_error *err)
{
    const size_t record = (size_t)(s->in * s->format->size);
    s->steps = min64((int64_t)(n / record), s->block), *used = (size_t)s->steps * record;
    for (int64_t i = 0; i < s->steps * s->in; i++) {
        if (s->format->size == 2) {
            int number = (unsigned char)from[2 * i] | (signed char)from[2 * i + 1] * 256;
            s->x[i] = (float)number / 32768;
            continue;
        }
        memcpy(&s->x[i], from + 4 * i, 4);
        if (!isfinite(s->x[i]))
            return fail(err, LACO_EFORMAT, s->done + i / s->in + 1,
                        "%s, step %lld: number %lld is not finite; is it made of little-endian floats?", s->name,
                        (long long)(s->done + i / s->in + 1), (long long)(i % s->in + 1));
    }
    return LACO_OK;
}
static laco_status work_raw(stream *s, laco_error *err)
{
    laco_status st = step_numbers(s, err);
    if (!st && s->format->size == 4) buf_add(&s->out, s->y, (size_t)(s->steps * s->out_n) * 4);
    for (int64_t i = 0; !st && s->format->size == 2 && i < s->steps * s->out_n; i++) {
        double y = (double)s->y[i] * 32768;
        int number = y != y ? 0 : (int)lrint(fmin(fmax(y, -32768), 32767));
        buf_add(&s->out, (const char[2]){ (char)(number & 255), (char)(number >> 8 & 255) }, 2);
    }
    return st;
}

/* ---- symbols ---- */
/* The part of the bytes that ends with a whole symbol. */
static size_t whole_symbols(const stream *s, const char *from, size_t n)
{
    size_t end = n;
    if (s->ended || vocab_unit(s->v) == UNIT_BYTE) return n;
    if (vocab_unit(s->v) == UNIT_WORD) {
        while (end && !strchr(" \t\n\r", from[end - 1])) end--;
        return !end && n == s->room ? n : end; /* a word of that length is none */
    }
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = (unsigned char)from[n - back];
        size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        if ((c & 0xC0) != 0x80) return length > back ? n - back : n;
    }
    return n;
}
static laco_status take_symbols(stream *s, const char *from, size_t n, size_t *used, laco_error *err)
{
    int64_t skipped = 0;
    *used = whole_symbols(s, from, n), s->steps = 0;
    size_t bad = vocab_unit(s->v) == UNIT_BYTE ? *used : utf8_check(from, *used);
    if (memchr(from, 0, bad)) bad = (size_t)((const char *)memchr(from, 0, bad) - from);
    for (size_t i = 0; i < bad; i++) s->line += from[i] == '\n';
    if (bad < *used && vocab_unit(s->v) != UNIT_BYTE)
        return fail(err, LACO_EFORMAT, s->line + 1,
                    "%s, line %lld: the byte 0x%02X is no text in UTF-8; convert it with iconv", s->name,
                    (long long)s->line + 1, (unsigned char)from[bad]);
    mem_free(s->ids), s->ids = NULL;
    laco_status st = vocab_encode(s->v, from, *used, s->name, false, true, &s->ids, &s->steps, &skipped, err);
    s->skipped += skipped;
    return st;
}
static double surprise_of(const stream *s, int32_t id)
{
    double top = -INFINITY, sum = 0;
    if (!s->predicted) return log((double)s->out_n);
    for (int64_t v = 0; v < s->out_n; v++) top = fmax(top, s->y[v]);
    for (int64_t v = 0; v < s->out_n; v++) sum += exp(s->y[v] - top);
    return top + log(sum) - s->y[id];
}
static void put_symbol(stream *s, int32_t id, double surprise)
{
    static const char special[] = "\\\n\t\r", letter[] = "\\ntr";
    size_t n;
    const char *symbol = vocab_symbol(s->v, id, &n);
    buf_printf(&s->out, "%.4f\t", surprise);
    for (size_t i = 0; i < n; i++) {
        const char *found = symbol[i] ? strchr(special, symbol[i]) : NULL;
        if (found)
            buf_printf(&s->out, "\\%c", letter[found - special]);
        else if ((unsigned char)symbol[i] < 0x20 || (vocab_unit(s->v) == UNIT_BYTE && symbol[i] & 0x80))
            buf_printf(&s->out, "\\x%02X", (unsigned char)symbol[i]);
        else
            buf_add(&s->out, symbol + i, 1);
    }
    buf_text(&s->out, "\n");
}
static laco_status step_symbol(stream *s, int32_t id, laco_error *err)
{
    s->predicted = true;
    return laco_step_symbol(s->m, s->state, id, s->y, err);
}
static laco_status work_symbols(stream *s, laco_error *err)
{
    laco_status st = LACO_OK;
    for (int64_t i = 0; !st && i < s->steps && !*s->j->stop; i++) {
        double start = clock_seconds(), surprise = surprise_of(s, s->ids[i]);
        st = step_symbol(s, s->ids[i], err);
        count_time(s, clock_seconds() - start, 1);
        s->surprise += surprise;
        put_symbol(s, s->ids[i], surprise);
    }
    return st;
}

static const stream_format formats[] = { { "text", 0, 1, take_text, work_text },
                                         { "f32", 4, 64, take_raw, work_raw },
                                         { "s16", 2, 64, take_raw, work_raw } };
static const stream_format symbols_format = { "symbols", 0, 1, take_symbols, work_symbols };

/* ---- state files ---- */
static size_t saved_bytes(const stream *s)
{
    return laco_state_saved_size(s->m, s->streams) + (s->v ? (size_t)s->out_n * sizeof(float) : 0);
}
static laco_status restore_state(stream *s, const char *path, laco_error *err)
{
    char *bytes;
    size_t n, state = laco_state_saved_size(s->m, s->streams), all = saved_bytes(s);
    laco_error inner = { .at = -1, .msg = "" };
    laco_status st = file_read(path, all + (1 << 20), &bytes, &n, err);
    if (st) return st;
    st = laco_state_restore(s->m, s->state, bytes, n == all ? state : n, &inner);
    if (!st && n != all)
        st = fail(&inner, LACO_EFORMAT, -1, "%zu bytes, but laco stream --save makes %zu for this model", n, all);
    if (!st && s->v) memcpy(s->y, bytes + state, all - state), s->predicted = true;
    for (int64_t v = 0; !st && s->v && v < s->out_n; v++)
        if (!isfinite(s->y[v])) st = fail(&inner, LACO_EFORMAT, -1, "damaged: an output is not finite");
    mem_free(bytes);
    return st ? fail(err, st, inner.at, "%s: %s", path, inner.msg) : LACO_OK;
}
static laco_status save_state(const stream *s, const char *path, laco_error *err)
{
    size_t state = laco_state_saved_size(s->m, s->streams), all = saved_bytes(s);
    file_writer *w = NULL;
    char *bytes = mem_new(all, 1);
    if (!bytes) return fail_memory(err, all);
    laco_status st = laco_state_save(s->m, s->state, bytes, state, err);
    if (s->v) memcpy(bytes + state, s->y, all - state);
    if (!st) st = file_create(&w, path, err);
    if (!st) st = file_write(w, bytes, all, err);
    if (!st)
        st = file_commit(w, err);
    else
        file_abandon(w);
    mem_free(bytes);
    return st;
}

/* ---- beginning and end ---- */
static laco_status load_model(stream *s, laco_error *err)
{
    const options *o = s->j->o;
    const char *path = options_text(o, "model-file"), *words;
    if (!path) return fail(err, LACO_EINVAL, -1, "name a model file");
    laco_status st = laco_model_load(&s->m, path, err);
    if (st) return st;
    s->streams = options_int(o, "streams");
    if (!laco_state_size(s->m, 1))
        return fail(err, LACO_EUNSUPPORTED, -1,
                    "%s reads its input from the end too, and cannot go step by step; laco_model_run takes whole "
                    "sequences",
                    path);
    if (s->m->net->symbols) {
        if (!(words = model_get(s->m, "vocabulary")))
            return fail(err, LACO_EUNSUPPORTED, -1,
                        "%s reads symbols, but has no vocabulary to make them from text; laco stream, like laco sample "
                        "and laco score, takes what laco train lm makes",
                        path);
        if (strcmp(options_text(o, "format"), "text") || s->streams > 1 || options_given(o, "block"))
            return fail(err, LACO_EINVAL, -1,
                        "%s is a language model: it reads one text, symbol by symbol, without --format, --block or "
                        "--streams",
                        path);
        if ((st = vocab_from_json(&s->v, words, strlen(words), err))) return st;
        if (vocab_size(s->v) != laco_model_outputs(s->m) || vocab_size(s->v) != laco_model_inputs(s->m))
            return fail(err, LACO_EFORMAT, -1,
                        "%s: its vocabulary has %d symbols, its network %lld inputs and %lld outputs", path,
                        vocab_size(s->v), (long long)laco_model_inputs(s->m), (long long)laco_model_outputs(s->m));
    }
    return laco_model_weights(s->m, options_text(o, "weights"), err);
}
static laco_status take_memory(stream *s, laco_error *err)
{
    enum { LINES = 1 << 16, WRITTEN = 32 }; /* bytes of input kept as text; of a number written down */
    const size_t state = laco_state_size(s->m, s->streams);
    s->in = s->streams * laco_model_inputs(s->m), s->out_n = s->streams * laco_model_outputs(s->m);
    s->format = s->v ? &symbols_format : formats;
    while (!s->v && strcmp(s->format->name, options_text(s->j->o, "format"))) s->format++;
    s->block = options_int(s->j->o, "block");
    if (!s->block) s->block = s->format->block;
    s->room = s->v ? LINES : (size_t)(s->format->size ? s->block * s->in * s->format->size : LINES + s->in * WRITTEN);
    s->bytes = mem_new(s->room, 1), s->state = mem_new(state ? state : 1, 1);
    s->x = mem_new(s->v ? 1 : (size_t)(s->block * s->in), sizeof *s->x);
    s->y = mem_new((size_t)(s->block * s->out_n), sizeof *s->y);
    if (!s->bytes || !s->state || !s->x || !s->y)
        return fail_memory(err, s->room + state + (size_t)(s->block * (s->in + s->out_n)) * sizeof(float));
    return laco_state_init(s->m, s->state, state, s->streams, err);
}
static laco_status begin(stream *s, laco_error *err)
{
    const char *save = options_text(s->j->o, "save"), *restore = options_text(s->j->o, "restore");
    int threads = (int)options_int(s->j->o, "threads");
    s->rate = options_real(s->j->o, "rate");
    laco_status st = load_model(s, err);
    if (!st) st = take_memory(s, err);
    if (!st && threads != 1) st = laco_threads_new(&s->threads, s->m, s->streams, threads, err);
    if (!st && s->threads) st = laco_state_threads(s->m, s->state, s->threads, err);
    if (!st && save) st = file_check_writable(save, err);
    if (!st) st = open_input(s, err);
    if (st || restore) return st ? st : restore_state(s, restore, err);
    return s->v && vocab_eos(s->v) >= 0 ? step_symbol(s, vocab_eos(s->v), err) : LACO_OK;
}

static laco_status run_to_end(stream *s, laco_error *err)
{
    size_t used;
    while (!*s->j->stop) {
        laco_status st = s->format->take(s, s->bytes + s->at, s->have - s->at, &used, err);
        if (!st && s->steps) st = s->format->work(s, err);
        if (s->out.failed) st = fail_memory(err, s->out.len);
        task_out_buf(s->j, &s->out);
        s->at += used;
        if (!st && !used && s->ended) break;
        if (!st && !used) st = read_more(s, err);
        if (st) return st;
    }
    if (*s->j->stop || s->at == s->have) return LACO_OK;
    return fail(err, LACO_EFORMAT, s->done + 1, "%s ends in the middle of step %lld: %zu bytes of %lld", s->name,
                (long long)s->done + 1, s->have - s->at, (long long)(s->in * s->format->size));
}

static void write_figures(const stream *s)
{
    double mean = s->done ? s->busy / (double)s->done : 0, real_time = s->done && s->rate > 0 ? mean * s->rate : NAN;
    const char *weights = options_text(s->j->o, "weights");
    json_out o = { .to = s->j->result };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "stream");
    json_key(&o, "network"), json_text(&o, laco_model_description(s->m));
    json_key(&o, "weights"), json_text(&o, weights);
    json_key(&o, "threads"), json_int(&o, options_int(s->j->o, "threads"));
    json_key(&o, "streams"), json_int(&o, s->streams);
    json_key(&o, "block"), json_int(&o, s->block);
    json_key(&o, "steps"), json_int(&o, s->done);
    json_key(&o, "seconds"), json_number(&o, s->busy);
    json_key(&o, "seconds_per_step"), json_number(&o, mean);
    json_key(&o, "longest_step"), json_number(&o, s->longest);
    json_key(&o, "steps_per_second"), json_number(&o, s->busy > 0 ? (double)s->done / s->busy : NAN);
    json_key(&o, "rate"), json_number(&o, s->rate > 0 ? s->rate : NAN);
    json_key(&o, "real_time"), json_number(&o, real_time);
    json_key(&o, "late"), json_int(&o, s->late);
    if (s->v) {
        json_key(&o, "nats"), json_number(&o, s->done ? s->surprise / (double)s->done : NAN);
        json_key(&o, "skipped"), json_int(&o, s->skipped);
    }
    json_end(&o, '}');
}
static void say_figures(const stream *s)
{
    char steps[32], speed[32], late[32];
    if (!s->done) return task_note(s->j, "no step: the input is empty");
    double mean = s->busy / (double)s->done;
    task_note(s->j, "%s steps: %.3g us each, %.3g us the longest, %s a second", task_count(s->done, steps), mean * 1e6,
              s->longest * 1e6, task_count((int64_t)(1 / fmax(mean, 1e-12)), speed));
    if (s->rate > 0)
        task_note(s->j, "at %.9g steps a second: %.3g %% of real time, %s steps late", s->rate, 100 * mean * s->rate,
                  task_count(s->late, late));
    if (s->v) task_note(s->j, "%.4f nats per symbol", s->surprise / (double)s->done);
    if (s->skipped) task_note(s->j, "%lld symbols that the model does not know were left out", (long long)s->skipped);
}

laco_status run_stream(task_job *j, laco_error *err)
{
    stream s = { .j = j };
    const char *save = options_text(j->o, "save");
    laco_status st = begin(&s, err);
    if (!st && !(st = run_to_end(&s, err)) && save) st = save_state(&s, save, err);
    if (s.state) write_figures(&s);
    if (!st) say_figures(&s);
    if (s.fd > 0) close(s.fd);
    laco_threads_free(s.threads), laco_model_free(s.m), vocab_free(s.v);
    mem_free(s.bytes), mem_free(s.state), mem_free(s.x), mem_free(s.y), mem_free(s.ids), buf_free(&s.out);
    return st;
}
