/* CSV: RFC 4180, figures with 17 digits where they need them.

   TensorBoard: a file of TFRecords, each
       uint64 length | uint32 masked CRC of the length | the bytes | uint32 masked CRC of the bytes        little-endian
   with CRC-32C and masked(c) = (c rotated right by 15) + 0xa282ead8. The bytes are an Event of event.proto,
       1: double wall_time    2: int64 step    3: string file_version (of the first)    5: Summary summary
   a Summary holds Values { 1: string tag, 2: float simple_value } in its field 1. */
#include "log.h"
#include "base/file.h"
#include "base/json.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

typedef laco_status record_fn(train_log *l, int64_t step, const char *const *names, const double *values, int n,
                              laco_error *err);
enum { READ_LIMIT = 1 << 30 }; /* bytes of a log that is gone on with */
struct train_log {
    file_log *to;
    record_fn *record;
    char *path;
    char **columns; /* CSV, after step: fixed by the first record */
    int count;
};

static laco_status send(train_log *l, buf *b, laco_error *err)
{
    laco_status st = b->failed ? fail_memory(err, b->len) : file_log_bytes(l->to, b->data, b->len, err);
    buf_free(b);
    return st;
}

/* ---- JSON lines ---- */
static laco_status record_json(train_log *l, int64_t step, const char *const *names, const double *values, int n,
                               laco_error *err)
{
    buf b = { 0 };
    json_out o = { .to = &b };
    json_begin(&o, '{');
    json_key(&o, "step"), json_int(&o, step);
    for (int i = 0; i < n; i++) json_key(&o, names[i]), json_number(&o, values[i]);
    json_end(&o, '}');
    buf_text(&b, "\n");
    return send(l, &b, err);
}

/* ---- CSV ---- */
static void csv_field(buf *b, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        buf_text(b, text);
        return;
    }
    buf_text(b, "\"");
    for (; *text; text++) buf_printf(b, *text == '"' ? "\"\"" : "%c", *text);
    buf_text(b, "\"");
}
static laco_status add_column(train_log *l, const char *name, size_t len, laco_error *err)
{
    size_t one = sizeof *l->columns;
    char **more = mem_resize(l->columns, (size_t)l->count * one, (size_t)(l->count + 1) * one);
    char *copy = mem_text(name, len);
    if (more) l->columns = more;
    if (!more || !copy) return mem_free(copy), fail_memory(err, len);
    l->columns[l->count++] = copy;
    return LACO_OK;
}
/* Reads one field of a header line, from *at on; false at the end of the line. */
static bool csv_next(const char **at, buf *field)
{
    const char *s = *at;
    buf_free(field);
    buf_text(field, "");
    if (!*s || *s == '\n' || *s == '\r') return false;
    if (*s == ',') s++;
    if (*s == '"') {
        for (s++; *s && (*s != '"' || s[1] == '"'); s++) {
            if (*s == '"') s++;
            buf_add(field, s, 1);
        }
        if (*s) s++;
    } else
        for (; *s && *s != ',' && *s != '\n' && *s != '\r'; s++) buf_add(field, s, 1);
    *at = s;
    return true;
}
/* The columns of a file that is gone on with. */
static laco_status read_header(train_log *l, laco_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    buf field = { 0 };
    laco_status st = file_read(l->path, READ_LIMIT, &bytes, &n, err);
    if (st) return st;
    const char *at = bytes;
    bool first = csv_next(&at, &field);
    if (!first || !field.data || strcmp(field.data, "step"))
        st = fail(err, LACO_EFORMAT, 0,
                  "%s is no log of a training run: its first column is not \"step\"; choose "
                  "another path",
                  l->path);
    while (!st && csv_next(&at, &field))
        st = field.failed ? fail_memory(err, n) : add_column(l, field.data, field.len, err);
    mem_free(bytes), buf_free(&field);
    return st;
}
static laco_status record_csv(train_log *l, int64_t step, const char *const *names, const double *values, int n,
                              laco_error *err)
{
    buf b = { 0 };
    laco_status st = LACO_OK;
    if (!l->columns) {
        buf_text(&b, "step");
        for (int i = 0; !st && i < n; i++)
            buf_text(&b, ","), csv_field(&b, names[i]), st = add_column(l, names[i], strlen(names[i]), err);
        buf_text(&b, "\n");
    }
    buf_printf(&b, "%lld", (long long)step);
    for (int c = 0; !st && c < l->count; c++) {
        int i = 0;
        while (i < n && strcmp(names[i], l->columns[c])) i++;
        buf_text(&b, ",");
        if (i == n) continue;
        char shortest[40];
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(shortest, sizeof shortest, "%.*g", digits, values[i]);
            if (strtod(shortest, NULL) == values[i]) break;
        }
        buf_text(&b, isnan(values[i]) ? "nan" : shortest);
    }
    buf_text(&b, "\n");
    if (st) return buf_free(&b), st;
    return send(l, &b, err);
}

/* ---- TensorBoard ---- */
uint32_t log_crc32c(const void *bytes, size_t n)
{
    uint32_t c = 0xffffffffu;
    for (const unsigned char *p = bytes, *end = p + n; p < end; p++) {
        c ^= *p;
        for (int bit = 0; bit < 8; bit++) c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
    }
    return ~c;
}
static void put_little(buf *b, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++) buf_add(b, &(unsigned char){ (unsigned char)(x >> 8 * i) }, 1);
}
static void put_masked(buf *b, const void *bytes, size_t n)
{
    uint32_t c = log_crc32c(bytes, n);
    put_little(b, (uint32_t)((c >> 15 | c << 17) + 0xa282ead8u), 4);
}
static void put_varint(buf *b, uint64_t x)
{
    for (; x > 127; x >>= 7) put_little(b, (x & 127) | 128, 1);
    put_little(b, x, 1);
}
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
static void put_field(buf *b, int field, int wire) { put_varint(b, (uint64_t)(field << 3 | wire)); }
static void put_bytes(buf *b, int field, const void *bytes, size_t n)
{
    put_field(b, field, WIRE_BYTES), put_varint(b, n), buf_add(b, bytes, n);
}
static void put_event_head(buf *b)
{
    struct timespec now;
    double seconds;
    uint64_t bits;
    clock_gettime(CLOCK_REALTIME, &now);
    seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    memcpy(&bits, &seconds, sizeof bits);
    put_field(b, 1, WIRE_64), put_little(b, bits, 8);
}
/* Hands the event over as a TFRecord; it is freed. */
static laco_status send_event(train_log *l, buf *event, laco_error *err)
{
    buf record = { 0 }, length = { 0 };
    put_little(&length, event->len, 8);
    buf_add(&record, length.data, length.len);
    if (!length.failed) put_masked(&record, length.data, length.len);
    buf_add(&record, event->data, event->len);
    put_masked(&record, event->data, event->len);
    record.failed |= event->failed || length.failed;
    buf_free(&length), buf_free(event);
    return send(l, &record, err);
}
static laco_status record_events(train_log *l, int64_t step, const char *const *names, const double *values, int n,
                                 laco_error *err)
{
    buf event = { 0 }, summary = { 0 };
    for (int i = 0; i < n; i++) {
        buf value = { 0 };
        float x = (float)values[i];
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        put_bytes(&value, 1, names[i], strlen(names[i]));
        put_field(&value, 2, WIRE_32), put_little(&value, bits, 4);
        put_bytes(&summary, 1, value.data, value.len);
        summary.failed |= value.failed;
        buf_free(&value);
    }
    put_event_head(&event);
    put_field(&event, 2, WIRE_VARINT), put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, summary.data, summary.len);
    event.failed |= summary.failed;
    buf_free(&summary);
    return send_event(l, &event, err);
}
static laco_status begin_events(train_log *l, laco_error *err)
{
    static const char version[] = "brain.Event:2";
    buf event = { 0 };
    put_event_head(&event);
    put_bytes(&event, 3, version, sizeof version - 1);
    return send_event(l, &event, err);
}

/* Bytes of the whole records of a file: what a run that was killed left behind them would spoil all that follow. */
static laco_status whole_records(const char *path, int64_t *end, laco_error *err)
{
    char *bytes = NULL;
    size_t n = 0, at = 0;
    laco_status st = file_read(path, READ_LIMIT, &bytes, &n, err);
    if (st) return st;
    while (n - at >= 12) {
        uint64_t length = 0;
        for (int i = 0; i < 8; i++) length |= (uint64_t)(unsigned char)bytes[at + (size_t)i] << 8 * i;
        if (length > n - at || length + 16 > n - at) break;
        at += length + 16;
    }
    mem_free(bytes);
    *end = (int64_t)at;
    return LACO_OK;
}

/* ---- choosing ---- */
static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && !strcmp(path + n - m, end);
}
static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
static bool is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}
laco_status log_open(train_log **out, const char *path, int64_t position, laco_error *err)
{
    const char *base = strrchr(path, '/');
    bool folder = ends_in(path, "/") || is_folder(path), events = folder || strstr(base ? base : path, "tfevents");
    buf file = { 0 };
    *out = NULL;
    if (folder && mkdir(path, 0777) && errno != EEXIST)
        return fail(err, LACO_EIO, -1, "cannot make the folder %s of the log: %m; choose another path", path);
    buf_printf(&file, folder ? "%s%sevents.out.tfevents.laco" : "%s", path, ends_in(path, "/") ? "" : "/");
    train_log *l = mem_new(1, sizeof *l);
    if (!l || file.failed) return mem_free(l), buf_free(&file), fail_memory(err, sizeof *l);
    l->path = file.data;
    l->record = events ? record_events : ends_in(path, ".csv") ? record_csv : record_json;
    laco_status st = LACO_OK;
    if (events && position < 0) {
        position = 0;
        if (is_there(l->path)) st = whole_records(l->path, &position, err);
    }
    if (!st) st = position < 0 ? file_log_open(&l->to, l->path, err) : file_log_open_at(&l->to, l->path, position, err);
    bool begun = !st && file_log_position(l->to) > 0;
    if (!st && events && !begun) st = begin_events(l, err);
    if (!st && l->record == record_csv && begun) st = read_header(l, err);
    if (st) return log_close(l), st;
    *out = l;
    return LACO_OK;
}
laco_status log_record(train_log *l, int64_t step, const char *const *names, const double *values, int n,
                       laco_error *err)
{
    return l->record(l, step, names, values, n, err);
}
int64_t log_position(const train_log *l) { return file_log_position(l->to); }
void log_close(train_log *l)
{
    if (!l) return;
    for (int i = 0; i < l->count; i++) mem_free(l->columns[i]);
    file_log_close(l->to), mem_free(l->columns), mem_free(l->path), mem_free(l);
}
